"""Labels in a table, beside the scores that they judge or alone, become a data set without pictures."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files, part_of, read_csv
from cxr_utils.data.readers.values import (
    Uncertain,
    labels_in_cells,
    labels_in_columns,
    names_of_patients,
    patients_of,
    years,
)
from cxr_utils.data.schema import BOX_COLUMNS, FINDINGS, finding_name, in_order, is_healthy, validate_table
from cxr_utils.errors import CxrError, DataError
from cxr_utils.evaluation.predictions import image_names, read_predictions, role, scored
from cxr_utils.evaluation.thresholds import choose_thresholds

# What marks a column of labels, as in Mass_true and label_Mass.
_TRUTH = re.compile(r"^(true|truth|gt|label|target)[ _-]|[ _-](true|truth|gt|label|target)$", re.IGNORECASE)


class Judged(NamedTuple):
    """Scores and what judges them.

    Attributes:
        dataset: the labels, all in one part unless the table has a column split.
        scores: index image, columns findings.
        notes: what was assumed.
        chosen: thresholds, or None for none, and how they were chosen; None for those that `evaluate` chooses.
    """

    dataset: Dataset
    scores: pd.DataFrame
    notes: list[str]
    chosen: tuple[pd.Series | None, str] | None = None


def holds_labels(table: pd.DataFrame) -> bool:
    """Whether a finding has both a column of labels, such as `Mass`, and one of scores, such as `Mass_pred`.

    A column `Finding Labels` beside scores counts, too.

    Example:
        >>> [holds_labels(pd.DataFrame(columns=names)) for names in (["Mass", "prob_Mass"], ["image", "prob_Mass"])]
        [True, False]
    """
    scores = _scores(table)
    return bool(scores) and bool(_listed(table) or set(scores.values()) & {*_labels(table, scores.values()).values()})


def read_judged(path: Path, labels: Path | None = None, uncertain: Uncertain = "leave-out") -> Judged:
    """Read scores, and labels from beside them or from a table of their own.

    Args:
        path: .csv or .csv.gz of scores.
        labels: of labels, with a column `image`; None where they stand beside the scores.
        uncertain: what a label -1 means: "leave-out" (unknown), "positive" or "negative".

    Returns:
        Both, under the same names of images.

    Raises:
        DataError: a column is missing or there twice, a label is not 0, 1, -1 or empty, or a patient is missing.
    """
    table, name = read_csv(labels or path), (labels or path).name
    if labels:
        scores, images = read_predictions(path), image_names(table, name)
    else:
        marked, images = _scores(table), _names(table, path)
        _refuse_twice(list(marked.values()), name)
        scores = table[list(marked)].set_axis(list(marked.values()), axis=1).set_axis(images.rename("image"), axis=0)
    known, notes = _read_labels(table, list(scores), name, uncertain)
    patients, more = _patients(table, images, name)
    others, still_more = _others(table)
    rows = pd.DataFrame({"image": images, "patient": patients} | others | dict(known.items()))
    boxes = pd.DataFrame(columns=list(BOX_COLUMNS))
    findings = tuple(known)
    contract = validate_table(rows, findings)
    dataset = Dataset(name, "table", path.parent, contract, findings, boxes, None, Files({}))
    return Judged(dataset, scores, [*notes, *more, *still_more])


def with_thresholds_of(judged: Judged, valid: Path, source: Path, uncertain: Uncertain) -> Judged:
    """Add Youden's thresholds, chosen on a table of validation images that holds labels beside scores.

    Args:
        judged: what the thresholds are for; nothing of it may be in `valid`.
        valid: the table.
        source: where `judged` was read from.
        uncertain: see `read_judged`.

    Returns:
        `judged` with thresholds; NaN where a finding has none.

    Raises:
        DataError: the two tables share images, or `valid` holds no labels beside scores.
    """
    if not holds_labels(read_csv(valid)):
        raise DataError(
            f"{valid.name} holds no labels beside scores. Expected columns such as Mass and Mass_pred. Join both first."
        )
    other = read_judged(valid, None, uncertain)
    both = set(other.dataset.table["image"]) & set(judged.dataset.table["image"])
    copied = np.array_equal(other.scores.to_numpy(), judged.scores.to_numpy())
    if both or copied or valid.samefile(source):
        raise DataError(
            f"{len(both) or 'All'} images of {valid.name} are judged themselves. Expected other images to choose "
            "thresholds on. Drop them from one of the two, or give --threshold."
        )
    shared = [name for name in other.dataset.findings if name in other.scores and name in judged.scores]
    if not shared:
        raise DataError(
            f"{valid.name} has labels and scores of {', '.join(other.scores)}. Expected some of "
            f"{', '.join(judged.scores)}, which are judged. Choose another table."
        )
    chosen = choose_thresholds(other.dataset.table.set_index("image")[shared], other.scores[shared])
    patients = len(set(other.dataset.patients) & set(judged.dataset.patients))
    notes = [f"{patients:,} patients are also in {valid.name}, where thresholds were chosen"] * bool(patients)
    how = f"Youden's, chosen on {len(other.dataset):,} images of {valid.name}"
    return judged._replace(chosen=(chosen.reindex(judged.scores.columns), how), notes=[*judged.notes, *notes])


def given_thresholds(texts: Sequence[str], findings: Sequence[str]) -> pd.Series:
    """Thresholds as written: a number for all findings, or for one as `Mass=0.3`.

    Args:
        texts: what was written.
        findings: what is scored.

    Returns:
        One for each finding; NaN where none was given.

    Raises:
        CxrError: something is not a number, or names a finding that is not scored.

    Example:
        >>> given_thresholds(["0.5", "infiltrate=0.3"], ["Mass", "Infiltration"]).to_dict()
        {'Mass': 0.5, 'Infiltration': 0.3}
    """
    chosen = pd.Series(np.nan, index=list(findings))
    for text in sorted(texts, key=lambda text: "=" in text):  # the one for all first
        name, _, number = text.rpartition("=")
        value = pd.to_numeric(number, errors="coerce")
        if not np.isfinite(value) or (name and finding_name(name) not in chosen):
            raise CxrError(
                f"A --threshold {text} was given. Expected a number, or one of {', '.join(findings)} with a number, as "
                f"in {findings[0]}=0.3. Correct it."
            )
        chosen[finding_name(name) if name else chosen.index] = float(value)
    return chosen


def _scores(table: pd.DataFrame) -> dict[str, str]:
    """Column of scores to its finding, of those that are marked as scores."""
    return {column: name for column in table if (name := scored(_as_written(column, table))) and role(column) is None}


def _labels(table: pd.DataFrame, asked: Iterable[str]) -> dict[str, str]:
    """Column of labels to its finding, of those that are scored or are among the 14."""
    spelled = {name.lower(): name for name in [*FINDINGS, *asked]}
    plain = [column for column in table if role(column) is None and scored(_as_written(column, table)) is None]
    truths = {column: _TRUTH.sub("", _as_written(column, table)) for column in plain}
    named = {column: spelled.get(finding_name(truth).lower()) for column, truth in truths.items()}
    return {column: name for column, name in named.items() if name}


def _as_written(column: str, table: pd.DataFrame) -> str:
    """The name in the file: pandas calls a second column Mass "Mass.1"."""
    first = re.sub(r"\.\d+$", "", str(column))
    return first if first in table else str(column)


def _listed(table: pd.DataFrame) -> list[str]:
    """The column that lists findings in its cells, as NIH's tables do."""
    return [
        name for name in table if str(name).lower().replace(" ", "").replace("_", "") in ("findinglabels", "labels")
    ]


def _read_labels(
    table: pd.DataFrame, scored: list[str], name: str, uncertain: Uncertain
) -> tuple[pd.DataFrame, list[str]]:
    """Labels (images, findings) from a column a finding, or else from one that lists them, and notes."""
    columns, listed = _labels(table, scored), _listed(table)
    _refuse_twice(list(columns.values()), name)
    if columns:
        asked = [*columns.values(), *(one for one in table if is_healthy(str(one)) and role(one) is None)]
        known, _, notes = labels_in_columns(table.rename(columns=columns), asked, name, uncertain=uncertain)
        return known, notes
    if not listed:
        raise DataError(
            f"{name} holds no labels of {', '.join(scored)}; its columns are {', '.join(map(str, table.columns[:8]))}. "
            "Expected one column a finding, with 0 and 1, or Finding Labels. Rename them."
        )
    known, findings = labels_in_cells(table[listed[0]].astype(object), "|;,")
    every = in_order({*findings, *(one for one in scored if one in FINDINGS)})  # what no image has is absent in all
    return known.reindex(columns=list(every), fill_value=0), []


def _names(table: pd.DataFrame, path: Path) -> pd.Series:
    """The image of each row; where no column names it, its number in this table."""
    if any(role(column) == "image" for column in table):
        return image_names(table, path.name)
    return pd.Series([f"{path} row {number}" for number in range(1, len(table) + 1)], index=table.index)


def _patients(table: pd.DataFrame, images: pd.Series, name: str) -> tuple[pd.Series, list[str]]:
    """The patient of each row: from a column, else from the names of the images, else each image for itself."""
    columns = [column for column in table if role(column) == "patient"]
    if len(columns) > 1:
        raise DataError(
            f"{name} has {len(columns)} columns that name a patient: {', '.join(columns)}. Expected one. Drop the rest."
        )
    if columns:
        return names_of_patients(table[columns[0]], columns[0]), []
    if any(role(column) == "image" for column in table):
        return patients_of(images)
    return images, [
        "no column names the patient or the image: each image counts as a patient of its own, so intervals are too "
        "narrow where a patient has several"
    ]


def _others(table: pd.DataFrame) -> tuple[dict[str, pd.Series], list[str]]:
    """The part of each row, and what else is known of it."""
    found = {
        name: table[column]
        for column in table
        if (name := role(column)) in ("split", "age", "sex", "view", "follow_up")
    }
    notes: list[str] = []
    if "age" in found:
        found["age"], notes = years(found["age"])
    if "follow_up" in found:
        found["follow_up"] = pd.to_numeric(found["follow_up"], errors="coerce")
    split = found.get("split", pd.Series("test", index=table.index))
    return found | {"split": split.map(lambda word: part_of(str(word)) or word)}, notes


def _refuse_twice(findings: list[str], name: str) -> None:
    twice = pd.Series(findings, dtype=object)
    if twice.duplicated().any():
        raise DataError(
            f"{name} names {twice[twice.duplicated()].iloc[0]} in more than one column. Expected one column of labels "
            "and one of scores for each finding. Drop the others, after looking whether they differ."
        )
