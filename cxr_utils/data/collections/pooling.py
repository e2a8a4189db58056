"""Two collections as one: what each knows stays known, and nobody is taken for anybody else."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files
from cxr_utils.data.schema import in_order, validate_table
from cxr_utils.errors import DataError, passes_missing


def pool(datasets: Sequence[Dataset]) -> Dataset:
    """Put collections together, each with its own parts and patients.

    Args:
        datasets: At least one. Where two have one name, all get a number behind it.

    Returns:
        A data set with the findings of all of them; a label is unknown where a collection does not name the finding.
        Images are called COLLECTION/image, patients COLLECTION:patient, and the column `collection` tells them apart.

    Raises:
        DataError: None is given, or two of them hold the same file: its patient could be in two parts.

    Example:
        >>> rows = {"image": ["a"], "patient": "1", "split": "train"}
        >>> here, there = (
        ...     Dataset(name, "nih", Path(name), pd.DataFrame({**rows, finding: [1]}), (finding,), pd.DataFrame(), None,
        ...             Files({}))
        ...     for name, finding in (("here", "Mass"), ("there", "Edema"))
        ... )
        >>> pool([here, there]).table[["image", "patient", "Mass", "Edema"]].values.tolist()
        [['here/a', 'here:1', 1.0, nan], ['there/a', 'there:1', nan, 1.0]]
    """
    if not datasets:
        raise DataError("No data set was given to pool. Expected at least one. Give data sets or folders.")
    names = [one.name for one in datasets]
    if len(set(names)) < len(names):
        names = [f"{name} {number}" for number, name in enumerate(names, 1)]
    named = list(zip(names, datasets, strict=True))
    findings = in_order(name for one in datasets for name in one.findings)
    table = pd.concat([_renamed(one.table, name).assign(collection=name) for name, one in named])
    published = [_renamed(one.published, name) for name, one in named if one.published is not None]
    boxes = [_renamed(one.boxes, name) for name, one in named if len(one.boxes)] or [datasets[0].boxes]
    files = {f"{name}/{image}": os.path.abspath(path) for name, one in named for image, path in one.files.items()}
    owners = {path: image for image, path in files.items()}
    if len(owners) < len(files):
        image = next(image for image, path in files.items() if owners[path] != image)
        raise DataError(
            f"{image} and {owners[files[image]]} are one file. Expected collections that share none, because its "
            "patient could then be in two parts. Pool only collections that lie in folders of their own."
        )
    return Dataset(
        name=" + ".join(names),
        kind="pooled",
        root=Path(os.path.commonpath([one.root.absolute() for one in datasets])),
        table=validate_table(table, findings),
        findings=findings,
        boxes=pd.concat(boxes, ignore_index=True),
        published=pd.concat(published, ignore_index=True) if len(published) == len(named) else None,
        files=Files(files),
        mask_files=Files(
            {f"{name}/{image}": str(path) for name, one in named for image, path in one.mask_files.items()}
        ),
    )


@passes_missing
def cases_and_controls(cases: Dataset, controls: Dataset) -> Dataset:
    """Pool two collections as somebody does who wants more normal pictures: of the second, no positive image counts.

    So each finding goes with the collection, as in the published mixtures of Zech et al. (PLOS Medicine 2018) and
    DeGrave et al. (Nature Machine Intelligence 2021).

    Args:
        cases: all of its labels count.
        controls: where its label of a finding is 1, the label is unknown from now on.

    Returns:
        As `pool`, with the findings of `controls`.

    Raises:
        DataError: see `pool`.

    Example:
        >>> from cxr_utils.data.opening import open_dataset, open_elsewhere
        >>> home = open_dataset("phantom")
        >>> mixed = cases_and_controls(home, open_elsewhere("phantom-county", home))
        >>> int((mixed.labels[len(home.table):] == 1).sum())  # of the second, no positive image counts
        0
    """
    findings = list(controls.findings)
    labels = controls.table[findings]
    pooled = pool([cases, replace(controls, table=controls.table.assign(**labels.mask(labels == 1)))])
    return replace(pooled, findings=tuple(name for name in pooled.findings if name in findings))


def _renamed(table: pd.DataFrame, collection: str) -> pd.DataFrame:
    """Images and patients under names that no other collection has."""
    marks = {"image": "/", "patient": ":"}
    return table.assign(**{name: collection + mark + table[name] for name, mark in marks.items() if name in table})
