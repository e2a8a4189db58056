"""Labels in a table, beside the scores that they judge or alone, become a data set without pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files, patients_of, read_csv
from cxr_utils.data.schema import BOX_COLUMNS, FINDINGS, OPTIONAL, finding_name, in_order, validate_table
from cxr_utils.errors import CxrError, DataError
from cxr_utils.evaluation.predictions import image_names, read_predictions, role, scored
from cxr_utils.evaluation.thresholds import choose_thresholds

#: What `--uncertain` makes of a label -1.
UNCERTAIN = {"leave-out": np.nan, "positive": 1.0, "negative": 0.0}


class Judged(NamedTuple):
    """Scores and what judges them.

    Attributes:
        dataset: the labels, all in one part unless the table has a column split.
        scores: index image, columns findings.
        notes: what was assumed.
    """

    dataset: Dataset
    scores: pd.DataFrame
    notes: list[str]


def holds_labels(table: pd.DataFrame) -> bool:
    """Whether a finding has both a column of labels, such as `Mass`, and one of scores, such as `Mass_pred`.

    Example:
        >>> [holds_labels(pd.DataFrame(columns=names)) for names in (["Mass", "prob_Mass"], ["image", "prob_Mass"])]
        [True, False]
    """
    scores = _scores(table)
    return bool(set(scores.values()) & set(_labels(table, scores.values()).values()))


def read_judged(path: Path, labels: Path | None = None, uncertain: str = "leave-out") -> Judged:
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
    table = read_csv(labels or path)
    name = (labels or path).name
    if labels:
        scores = read_predictions(path)
        images = image_names(table, name)
        columns = _labels(table, scores.columns)
    else:
        marked = _scores(table)
        columns, images = _labels(table, marked.values()), _names(table, name)
        _refuse_twice(list(marked.values()), name)
        scores = table[list(marked)].set_axis(list(marked.values()), axis=1).set_axis(images.rename("image"), axis=0)
    _refuse_twice(list(columns.values()), name)
    if not columns:
        raise DataError(
            f"{name} holds no labels of {', '.join(scores.columns)}; its columns are "
            f"{', '.join(map(str, table.columns[:8]))}. Expected one column a finding, with 0 and 1. Rename them."
        )
    patients, notes = _patients(table, images, name)
    known = table[list(columns)].set_axis(list(columns.values()), axis=1).replace(-1, UNCERTAIN[uncertain])
    others = {role(column): table[column] for column in table if role(column) in (*OPTIONAL, "split")}
    others |= {name: pd.to_numeric(others[name], errors="coerce") for name in ("age", "follow_up") if name in others}
    rows = pd.DataFrame({"split": "test"} | others | {"image": images, "patient": patients} | dict(known.items()))
    findings = in_order(columns.values())
    boxes = pd.DataFrame(columns=list(BOX_COLUMNS))
    contract = validate_table(rows, findings)
    return Judged(Dataset(name, "table", path.parent, contract, findings, boxes, None, Files({})), scores, notes)


def thresholds_of(valid: Path, judged: Judged, source: Path, uncertain: str) -> tuple[pd.Series, str, list[str]]:
    """Youden's thresholds, chosen on a table of validation images that holds labels beside scores.

    Args:
        valid: the table.
        judged: what the thresholds are for: nothing of it may be in `valid`.
        source: where that was read from.
        uncertain: see `read_judged`.

    Returns:
        A threshold for each finding that is scored, how they were chosen, and notes.

    Raises:
        DataError: the two tables share images, or `valid` holds no labels beside scores.
    """
    if not holds_labels(read_csv(valid)):
        raise DataError(
            f"{valid.name} holds no labels beside scores. Expected columns such as Mass and Mass_pred. Join both first."
        )
    other = read_judged(valid, None, uncertain)
    both = set(other.dataset.table["image"]) & set(judged.dataset.table["image"])
    if both or valid.samefile(source):
        raise DataError(
            f"{len(both) or 'All'} images of {valid.name} are judged themselves. Expected other images to choose "
            "thresholds on. Drop them from one of the two, or give --threshold."
        )
    shared = [name for name in other.dataset.findings if name in other.scores and name in judged.scores]
    chosen = choose_thresholds(other.dataset.table.set_index("image")[shared], other.scores[shared])
    patients = len(set(other.dataset.patients) & set(judged.dataset.patients))
    notes = [f"{patients:,} patients are also in {valid.name}, where thresholds were chosen"] * bool(patients)
    how = f"Youden's, chosen on {len(other.dataset):,} images of {valid.name}"
    return chosen.reindex(judged.scores.columns), how, notes


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
    return {column: finding for column in table if (finding := scored(column)) and role(column) is None}


def _labels(table: pd.DataFrame, asked: Sequence[str]) -> dict[str, str]:
    """Column of labels to its finding, of those that are scored or are among the 14."""
    spelled = {name.lower(): name for name in [*FINDINGS, *asked]}
    plain = [column for column in table if role(column) is None and scored(column) is None]
    named = {column: spelled.get(finding_name(str(column)).lower()) for column in plain}
    return {column: name for column, name in named.items() if name}


def _names(table: pd.DataFrame, name: str) -> pd.Series:
    """The image of each row; where no column names it, its number in this table."""
    if any(role(column) == "image" for column in table):
        return image_names(table, name)
    return pd.Series([f"{name} row {number}" for number in range(1, len(table) + 1)], index=table.index)


def _patients(table: pd.DataFrame, images: pd.Series, name: str) -> tuple[pd.Series, list[str]]:
    """The patient of each row: from a column, else from the names of the images, else each image for itself."""
    columns = [column for column in table if role(column) == "patient"]
    if len(columns) > 1:
        raise DataError(
            f"{name} has {len(columns)} columns that name a patient: {', '.join(columns)}. Expected one. Drop the rest."
        )
    if columns:
        return table[columns[0]], []
    if any(role(column) == "image" for column in table):
        return patients_of(images)
    return images, [
        "no column names the patient or the image: each image counts as a patient of its own, so intervals are too "
        "narrow where a patient has several"
    ]


def _refuse_twice(findings: list[str], name: str) -> None:
    twice = pd.Series(findings, dtype=object)
    if twice.duplicated().any():
        raise DataError(
            f"{name} names {twice[twice.duplicated()].iloc[0]} in more than one column. Expected one column of labels "
            "and one of scores for each finding. Drop the others, after looking whether they differ."
        )
