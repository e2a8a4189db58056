"""What `cxr data check` says of a data set."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from cxr_utils.datasets import Dataset
from cxr_utils.errors import ImageError
from cxr_utils.images import read_image

_ASKED = ("images", "boxes", "age", "sex", "view", "follow_ups", "several_findings", "published_split")


def survey(dataset: Dataset) -> tuple[list[str], list[str]]:
    """Describe a data set and read every image of it.

    Args:
        dataset: as opened.

    Returns:
        Lines that describe it, and one line for each image that cannot be read.
    """
    positives = dataset.table[list(dataset.findings)].sum()
    lines = [repr(dataset), f"layout: {dataset.kind}, read from {dataset.root.resolve()}"]
    lines.append("findings: " + ", ".join(f"{name} {count:,}" for name, count in positives.items()))
    lines += [f"missing: {reason}" for what in _ASKED if (reason := dataset.lacks(what))]
    names = [image for image in dataset.table["image"] if image in dataset.files]
    with ThreadPoolExecutor() as pool:
        read = pool.map(_problem, (dataset.files[name] for name in names))
        problems = [problem for problem in tqdm(read, "reading", len(names), leave=False, disable=None) if problem]
    lines.append(f"images: {len(names) - len(problems):,} of {len(names):,} files read well")
    return lines, problems


def _problem(path: Path) -> str | None:
    try:
        read_image(path)
    except ImageError as error:
        return f"unreadable: {error}"
    return None
