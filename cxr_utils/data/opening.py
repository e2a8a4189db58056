"""From a word or a folder to a `Dataset`; see `cxr_utils.data.readers` for each layout."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers import recognition
from cxr_utils.data.readers.values import Uncertain
from cxr_utils.errors import DataError, tell


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
        source: "phantom" or a folder; a relative one is looked for here and then in the repository. A list of them is
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
        raise NotImplementedError
    if uncertain not in get_args(Uncertain):
        raise DataError(f"uncertain={uncertain!r}. Expected {', '.join(get_args(Uncertain))}. Choose one.")
    folder = recognition.walk(recognition.find_folder(source, profile=profile, seed=seed))
    contents = recognition.read(folder, uncertain)
    dataset = Dataset(
        name="phantom" if str(source) == "phantom" else folder.root.resolve().name,
        kind=contents.kind,
        root=folder.root,
        table=contents.table,
        findings=contents.findings,
        boxes=contents.boxes,
        published=contents.published,
        files=contents.files,
        mask_files=contents.masks,
    )
    for note in [*contents.notes, *_absent_findings(dataset)]:
        tell(f"{dataset.name}: {note}")
    return dataset


def _absent_findings(dataset: Dataset) -> list[str]:
    """Note findings that a part has no positive image of; images at hand count where there are any."""
    here = dataset.on_disk()
    counts = (dataset.subset(here, dataset.name) if here.any() else dataset).summary()[list(dataset.findings)]
    nowhere = [name for name in counts if not counts[name].any()]
    absent = {part: [name for name in counts if not row[name]] for part, row in counts.iterrows()}
    absent = {"in any part": nowhere} | {
        f"in {part}": [name for name in names if name not in nowhere] for part, names in absent.items()
    }
    where = "; ".join(f"{', '.join(names)} {part}" for part, names in absent.items() if names)
    if not where:
        return []
    return [
        f"there is no positive image of {where}. Expected at least one in every part. "
        f"Figures that need one will be empty; add images or leave these findings out."
    ]
