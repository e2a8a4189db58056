"""From a word or a folder to a `Dataset`; see `cxr_utils.data.readers` for each layout."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from cxr_utils.data.collections.pooling import pool
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers import recognition
from cxr_utils.data.readers.files import Folder
from cxr_utils.data.readers.values import Uncertain
from cxr_utils.data.schema import PARTS
from cxr_utils.errors import DataError, Missing, tell
from cxr_utils.phantom import COHORTS


def open_dataset(
    source: str | Path | Sequence[str | Path] = "phantom",
    *,
    profile: str = "quick",
    seed: int = 0,
    uncertain: Uncertain = "leave-out",
) -> Dataset:
    """Open a data set; its layout is recognised by looking, in the order that `cxr_utils.data.readers` writes down.

    What a learner should know about the data, such as parts that shared patients, is told in one line each.

    Args:
        source: "phantom", "phantom-later" (other patients of the same simulated hospital), "phantom-county" (another
            hospital), or a folder; a relative one is looked for here and then in the repository. A list of them is
            pooled: see `pooling.pool`.
        profile: Size of the phantom, "quick" or "full"; real data ignore it.
        seed: Seed of the phantom; real data ignore it, so that their split never changes.
        uncertain: What an uncertain label (-1) is taken for: "leave-out" (unknown), "positive" or "negative".

    Returns:
        The data set.

    Raises:
        DataError: The folder is missing or of no known layout, or a table is not as expected.

    Example:
        >>> open_dataset("no/such/folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        cxr_utils.errors.DataError: no/such/folder does not exist. Expected the word phantom...
    """
    if not isinstance(source, str | Path):
        return pool([open_dataset(one, profile=profile, seed=seed, uncertain=uncertain) for one in source])
    dataset, _, notes = look_into(source, profile=profile, seed=seed, uncertain=uncertain)
    for note in notes:
        tell(f"{dataset.name}: {note}")
    return dataset


def open_elsewhere(source: str | Path, home: Dataset, *, profile: str = "quick", seed: int = 0) -> Dataset | Missing:
    """Open a second collection, on which networks of the first are judged: all of its parts, for none of them teaches.

    Args:
        source: see `open_dataset`; a simulated cohort belongs to simulated `home` only.
        home: the first collection, from which the networks come.
        profile: see `open_dataset`.
        seed: see `open_dataset`.

    Returns:
        Its images at hand, with those findings that both collections name. Simulated ones are labelled by what was
        drawn, in all parts. A `Missing` where there is no second collection, or no common finding.

    Raises:
        DataError: it is the first collection again, or lies within it or around it; else see `open_dataset`.

    Example:
        >>> home = open_dataset("phantom")
        >>> open_elsewhere("phantom-county", home).findings == home.findings
        True
    """
    if str(source) in COHORTS and home.name not in COHORTS:
        return Missing("No second collection was given. Set `elsewhere` to its folder in the cell of parameters.")
    there = look_into(source, profile=profile, seed=seed)[0].with_images()
    common = tuple(name for name in home.findings if name in there.findings)
    if not common:
        return Missing(f"{home.name} and {there.name} have no finding in common.")
    here, other = home.root.resolve(), there.root.resolve()
    if here.is_relative_to(other) or other.is_relative_to(here):
        raise DataError(
            f"{other} was given for another collection than {here}. Expected one that shares no patient with it: "
            "networks would be judged on images that have taught them. Give another folder."
        )
    others = [name for name in there.findings if name not in common]
    found = replace(there, table=there.table.drop(columns=others), findings=common)
    return found.with_labels(found.truth().set_index("image")) if found.knows("simulated_truth") else found


def look_into(
    source: str | Path, *, profile: str = "quick", seed: int = 0, uncertain: Uncertain = "leave-out"
) -> tuple[Dataset, Folder, list[str]]:
    """Open a data set and tell nothing.

    Args:
        source: see `open_dataset`.
        profile: see `open_dataset`.
        seed: see `open_dataset`.
        uncertain: see `open_dataset`.

    Returns:
        The data set, what the walk over its folder found, and the notes that `open_dataset` would tell.

    Raises:
        DataError: see `open_dataset`.
    """
    if uncertain not in get_args(Uncertain):
        raise DataError(f"uncertain={uncertain!r}. Expected {', '.join(get_args(Uncertain))}. Choose one.")
    folder = recognition.walk(recognition.find_folder(source, profile=profile, seed=seed))
    contents = recognition.read(folder, uncertain)
    dataset = Dataset(
        name=str(source) if str(source) in COHORTS else folder.root.resolve().name,
        kind=contents.kind,
        root=folder.root,
        table=contents.table,
        findings=contents.findings,
        boxes=contents.boxes,
        published=contents.published,
        files=contents.files,
        mask_files=contents.masks,
    )
    dataset, unknown = _without_unknown(dataset)
    if not dataset.findings:
        raise DataError(
            f"No label of {dataset.name} is a finding: all are healthy or unknown. Expected one finding at least. Name "
            "the columns of findings in a dataset.toml (cxr data describe)."
        )
    return dataset, folder, [*contents.notes, *unknown, *_empty_parts(dataset), *_one_sided(dataset)]


def _without_unknown(dataset: Dataset) -> tuple[Dataset, list[str]]:
    """Leave out findings of which not one label is known: there is nothing to learn or to judge, and note them."""
    unknown = [name for name in dataset.findings if dataset.table[name].isna().all()]
    if not unknown:
        return dataset, []
    known = tuple(name for name in dataset.findings if name not in unknown)
    note = f"not one label of {', '.join(unknown)} is known. Such findings are left out."
    return replace(dataset, table=dataset.table.drop(columns=unknown), findings=known), [note]


def _empty_parts(dataset: Dataset) -> list[str]:
    empty = [part for part in PARTS if not (dataset.table["split"] == part).any()]
    if not empty:
        return []
    return [
        f"there are too few patients to divide: {' and '.join(empty)} stayed empty. Expected images in every part. "
        "Add images of other patients."
    ]


def _one_sided(dataset: Dataset) -> list[str]:
    """Note findings of which a part has no positive or no negative image; images at hand count where there are any."""
    here = dataset.on_disk()
    table = dataset.table[here] if here.any() else dataset.table
    notes = []
    for value, word in ((1, "positive"), (0, "negative")):
        counts = (table[list(dataset.findings)] == value).groupby(table["split"]).sum().reindex(list(PARTS))
        counts = counts.dropna()  # an empty part has a note of its own
        nowhere = [name for name in counts if not counts[name].any()]
        absent = {"in any part": nowhere} | {
            f"in {part}": [name for name in counts if not row[name] and name not in nowhere]
            for part, row in counts.iterrows()
        }
        where = "; ".join(f"{', '.join(names)} {part}" for part, names in absent.items() if names)
        if where:
            notes.append(
                f"there is no {word} image of {where}. Expected at least one in every part. "
                f"Figures that need one will be empty; add images or leave these findings out."
            )
    return notes
