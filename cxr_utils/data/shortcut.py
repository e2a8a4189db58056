"""Data sets tampered with on purpose: a marker that betrays the label, another machine, labels that lie or are missed.

Zech et al. (PLOS Medicine 2018) found that networks recognised the hospital, by such things as the token that a
technician sticks on the film, and with it how frequent a disease is there. Here a token is planted on purpose, so that
its effect can be measured.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd

from cxr_utils import cache
from cxr_utils.data import images
from cxr_utils.data.readers.files import Files
from cxr_utils.errors import DataError
from cxr_utils.phantom import plant_marker
from cxr_utils.phantom.render import write_png

if TYPE_CHECKING:
    from cxr_utils.data.dataset import Dataset

#: The marker wherever it was planted, and as much again around it, for heat maps are coarse: a box in fractions.
CORNER = {"x": 0.0, "y": 0.0, "width": 0.375, "height": 0.375}
#: Share of the images with the finding that get the marker, and of all others.
POSITIVES, OTHERS = 0.9, 0.05
#: The modules whose code decides what a marked picture looks like.
_CODE = tuple(f"cxr_utils.{name}" for name in ("data.shortcut", "data.images", "phantom.devices"))


def mark(dataset: "Dataset", finding: str, *, seed: int = 0) -> "Dataset":
    """The same images, but a marker is burned into most that bear a finding and into few others.

    Args:
        dataset: stays as it is; images without a file are left out.
        finding: what the marker goes with; an image of which it is not known counts among the others.
        seed: of the draw, and of the little jitter in place and brightness.

    Returns:
        A data set whose table has one column more, `marker` (int8, 0 or 1), and whose boxes frame the corner of the
        marker in each marked image, under the finding's name. The marked copies lie in the cache; the files of all
        other images are those of `dataset`.

    Raises:
        DataError: the finding is not in the data set.
        ImageError: a file is damaged.
    """
    if finding not in dataset.findings:
        raise DataError(
            f"{dataset.name} has no finding {finding!r}. Expected one of {', '.join(dataset.findings)}. "
            "Correct the name."
        )
    dataset = dataset.with_images()
    chance = np.where(dataset.table[finding] == 1, POSITIVES, OTHERS)
    marked = np.random.default_rng(seed).random(len(dataset)) < chance
    names = dataset.table["image"].to_numpy()
    rows = np.flatnonzero(marked).tolist()
    key = {"data": dataset.digest, "marked": rows, "seed": seed, "code": cache.code_version(*_CODE)}
    draws = [np.random.default_rng([seed, number]) for number in range(len(rows))]
    copies = _copies(dataset, names[marked], "marked", key, lambda pixels, number: plant_marker(pixels, draws[number]))
    paths = {name: str(dataset.path(name)) for name in names} | copies
    table = dataset.table.assign(marker=marked.astype(np.int8))
    corners = pd.DataFrame({"image": names[marked], "finding": finding, **CORNER})
    return replace(dataset, name=f"{dataset.name} with a marker", table=table, boxes=corners, files=Files(paths))


def equalise(dataset: "Dataset", clip: float | Sequence[float]) -> "Dataset":
    """The same images as a machine would show them that evens out the shades of each region.

    Contrast-limited adaptive histogram equalisation (Zuiderveld 1994), in 8 by 8 fields.

    Args:
        dataset: stays as it is; images without a file are left out.
        clip: its limit, larger is stronger: one for all images, or one for each row. 0 leaves a picture as it is.

    Returns:
        A data set whose files are the changed copies, which lie in the cache.

    Raises:
        DataError: there is not one limit a row, or one is below 0.
        ImageError: a file is damaged.
    """
    dataset = dataset.with_images()
    names, clips = dataset.table["image"].to_numpy(), np.asarray(clip, dtype=float)
    if clips.shape not in ((), (len(names),)) or not (clips >= 0).all():
        raise DataError(
            f"Received {clips.size} clip limits from {clips.min():g}. Expected one, or one for each of {len(names)} "
            "images, from 0 up. Correct them."
        )
    limits = np.broadcast_to(clips, len(names)).tolist()
    key = {"data": dataset.digest, "clip": limits, "code": cache.code_version(*_CODE)}

    def change(pixels: np.ndarray, number: int) -> np.ndarray:
        return cv2.createCLAHE(limits[number], (8, 8)).apply(pixels) if limits[number] else pixels

    copies = _copies(dataset, names, "equalised", key, change)
    return replace(dataset, name=f"{dataset.name}, equalised", files=Files(copies))


def _copies(
    dataset: "Dataset", names: np.ndarray, kind: str, key: dict, change: Callable[[np.ndarray, int], np.ndarray]
) -> dict[str, str]:
    """Name to path of a changed copy of each picture, written to the cache once; `change` gets pixels and number."""

    def write(folder: Path, number: int) -> None:
        write_png(folder / f"{number}.png", change(images.read_image(dataset.path(names[number])), number))

    def write_all(folder: Path) -> None:
        with ThreadPoolExecutor() as threads:  # OpenCV works outside Python's lock
            list(threads.map(lambda number: write(folder, number), range(len(names))))  # raises what one has raised

    folder = cache.entry(kind, key, write_all)
    return {name: str(folder / f"{number}.png") for number, name in enumerate(names)}


def permute_labels(dataset: "Dataset", *, seed: int = 0) -> "Dataset":
    """The same pictures, their labels dealt out at random: a network trained on them can learn nothing about findings.

    Args:
        dataset: stays as it is.
        seed: of the deal.

    Returns:
        A data set in which each image of a part has the labels of some image of the same part, all of them together;
        so each part keeps how often each finding is, and which findings go together.

    Example:
        >>> from cxr_utils.data.dataset import Dataset
        >>> from cxr_utils.data.readers.files import Files
        >>> table = pd.DataFrame({"image": list("abcd"), "patient": list("abcd"), "split": "train",
        ...                       "Mass": [1, 1, 0, 0], "Hernia": [1, 0, 0, 0]})
        >>> dataset = Dataset("four", "folders", Path("."), table, ("Mass", "Hernia"), pd.DataFrame(), None, Files({}))
        >>> permute_labels(dataset).table[["Mass", "Hernia"]].sum().tolist()
        [2, 1]
    """
    generator = np.random.default_rng(seed)
    table, findings = dataset.table.copy(), list(dataset.findings)
    for part in pd.unique(table["split"]):
        rows = np.flatnonzero(table["split"] == part)
        table.loc[table.index[rows], findings] = table[findings].to_numpy()[generator.permutation(rows)]
    return replace(dataset, name=f"{dataset.name} with permuted labels", table=table)


def relabel(dataset: "Dataset", labels: pd.DataFrame) -> "Dataset":
    """The same pictures under other labels.

    Args:
        dataset: stays as it is.
        labels: index: image; a column for each finding of the data set, 0, 1 or NaN. Other rows and columns are passed
            over.

    Returns:
        A data set in which each image has the labels of its name.

    Raises:
        DataError: an image or a finding has no labels.

    Example:
        >>> from cxr_utils.data.dataset import Dataset
        >>> from cxr_utils.data.readers.files import Files
        >>> table = pd.DataFrame({"image": list("ab"), "patient": list("ab"), "split": "train", "Mass": [0, 0]})
        >>> dataset = Dataset("two", "folders", Path("."), table, ("Mass",), pd.DataFrame(), None, Files({}))
        >>> relabel(dataset, pd.DataFrame({"Mass": [1, 0]}, index=["b", "a"])).table["Mass"].tolist()
        [0, 1]
    """
    findings, images = list(dataset.findings), dataset.table["image"]
    absent = [*images[~images.isin(labels.index)], *(name for name in findings if name not in labels)]
    if absent:
        raise DataError(
            f"There are no labels for {absent[0]!r} ({len(absent)} such images or findings). Expected a row for each "
            "image, with its name for index, and a column for each finding. Add them."
        )
    own = labels.loc[images, findings]
    return replace(dataset, table=dataset.table.assign(**{name: own[name].to_numpy() for name in findings}))


def miss_labels(dataset: "Dataset", group: np.ndarray, share: float, *, seed: int = 0) -> "Dataset":
    """The same pictures, but what one group has is often not noted: its positive labels become negative at random.

    So a group is under-diagnosed on purpose, as Seyyed-Kalantari et al. (Nature Medicine 2021) found it in practice.

    Args:
        dataset: stays as it is.
        group: (images,) bool, who is in the group.
        share: of the group's positive labels that are missed, from 0 to 1; each by a throw of its own.
        seed: of the throws.

    Returns:
        A data set in which labels of the group are missed in `train` and `valid`. Those of `test` stay, to judge by.

    Raises:
        DataError: the mask does not have one entry for each image, or the share is none.

    Example:
        >>> from cxr_utils.data.dataset import Dataset
        >>> from cxr_utils.data.readers.files import Files
        >>> table = pd.DataFrame({"image": list("abc"), "patient": list("abc"), "split": ["train", "train", "test"],
        ...                       "Mass": [1, 1, 1]})
        >>> dataset = Dataset("three", "folders", Path("."), table, ("Mass",), pd.DataFrame(), None, Files({}))
        >>> miss_labels(dataset, np.array([True, False, True]), 1.0).table["Mass"].tolist()
        [0, 1, 1]
    """
    group = np.asarray(group)
    if group.shape != (len(dataset),) or group.dtype != bool or not 0 <= share <= 1:
        raise DataError(
            f"Received a group of shape {group.shape} and type {group.dtype}, and the share {share}. Expected a mask "
            f"of {len(dataset)} truth values, one for each image, and a share from 0 to 1. Make it from dataset.table."
        )
    table, findings = dataset.table.copy(), list(dataset.findings)
    labels = table[findings]
    learned = group & (table["split"] != "test").to_numpy()
    missed = (np.random.default_rng(seed).random(labels.shape) < share) & (labels == 1) & learned[:, np.newaxis]
    table[findings] = labels.mask(missed, 0).astype(labels.dtypes)
    return replace(dataset, name=f"{dataset.name} with missed labels", table=table)
