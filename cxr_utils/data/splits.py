"""Keeping patients whole: dividing a table by patient, and mending shipped parts that share patients.

Two X-rays of one person share bones, scars and devices. A model that has met the person in training is tested
on its memory, so no patient may be in two parts (lesson 02 measures what happens otherwise).
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxr_utils.data.schema import PARTS
from cxr_utils.errors import DataError, tell

if TYPE_CHECKING:
    from cxr_utils.data.dataset import Dataset


#: Shares of the images that the parts get where nobody has published a split.
SHARES = {"train": 0.7, "valid": 0.1, "test": 0.2}


def split_by_patient(
    table: pd.DataFrame, findings: Sequence[str], parts: Mapping[str, float] | None = None, seed: int = 0
) -> pd.Series:
    """Divide images into parts so that every patient is in one part and every finding is spread evenly.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011), carried out on patients
    instead of images: take the rarest finding that is left, give each of its patients to the part that still
    needs most of it, and go on. Patients come in random order, so a part does not collect those with many
    follow-ups.

    Args:
        table: An image table with `patient` and the findings' columns.
        findings: Names of the label columns to balance; may be empty. An unknown label counts as no positive.
        parts: Share of the images for each part, summing to 1; 70 % train, 10 % valid, 20 % test by default.
        seed: Another seed gives another, equally balanced split.

    Returns:
        Part of each row, with the table's index, named "split".

    Raises:
        DataError: The shares do not sum to 1, or there are fewer patients than parts.

    Example:
        >>> table = pd.DataFrame({"patient": list("aabbccdd"), "Mass": [1, 1, 0, 0, 1, 1, 0, 0]})
        >>> split = split_by_patient(table, ["Mass"], {"train": 0.5, "test": 0.5})
        >>> table.groupby(split)["Mass"].mean().to_dict()
        {'test': 0.5, 'train': 0.5}
    """
    parts = SHARES if parts is None else parts
    codes, patients = pd.factorize(table["patient"])
    _check_shares(parts, len(patients))
    counts = np.zeros((len(patients), len(findings) + 1))
    np.add.at(counts, codes, np.column_stack([table[list(findings)].fillna(0).to_numpy(float), np.ones(len(table))]))
    chosen = _assign(counts, np.array(list(parts.values())), np.random.default_rng(seed))
    return pd.Series(np.array(list(parts), dtype=object)[chosen[codes]], table.index, name="split")


def _check_shares(parts: Mapping[str, float], patients: int) -> None:
    if abs(sum(parts.values()) - 1) > 1e-6 or min(parts.values()) <= 0:
        raise DataError(
            f"The shares are {dict(parts)}. Expected positive numbers that sum to 1. "
            f"For example {{'train': 0.7, 'valid': 0.1, 'test': 0.2}}."
        )
    if patients < len(parts):
        raise DataError(
            f"There are {patients} patients for {len(parts)} parts. Expected at least one patient a part. "
            f"Add images of other patients or ask for fewer parts."
        )


def _assign(counts: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose a part for each patient; `counts` (patients, findings + 1) ends with the number of images."""
    need = shares[:, None] * counts.sum(axis=0)
    part = np.full(len(counts), -1)
    for column in _rarest_first(counts):
        waiting = np.flatnonzero((part < 0) & (counts[:, column] > 0))
        for patient in rng.permutation(waiting):
            # Ties in the finding are settled by who still lacks images.
            best = max(range(len(shares)), key=lambda p: (need[p, column], need[p, -1]))
            part[patient] = best
            need[best] -= counts[patient]
    return part


def _rarest_first(counts: np.ndarray) -> list[int]:
    """Columns by number of affected patients; the last column (images) always comes last."""
    affected = (counts[:, :-1] > 0).sum(axis=0)
    return [*np.argsort(affected, kind="stable"), counts.shape[1] - 1]


def hold_out(patients: pd.Series, one_in: int) -> np.ndarray:
    """Choose about one patient in `one_in` by a checksum of the name: the same ones whatever else is at hand.

    Args:
        patients: Patient of each image.
        one_in: How many patients there are for each one chosen.

    Returns:
        Mask (n,) of bool, true for the images of chosen patients.

    Example:
        >>> hold_out(pd.Series(["4", "5", "4"]), 8).tolist()
        [True, False, True]
    """
    codes, names = pd.factorize(patients)
    return np.array([zlib.crc32(str(name).encode()) % one_in == 0 for name in names], dtype=bool)[codes]


def sample_patients(patients: pd.Series, images: int, seed: int = 0, *, known: np.ndarray | None = None) -> np.ndarray:
    """Choose patients at random, each with all images, until there are this many images or a few more.

    Args:
        patients: Patient of each image.
        images: How many images are wanted.
        seed: Another seed chooses others. With the same seed a larger sample holds the smaller one.
        known: Which labels are known, (n, findings) of bool. The first patient who has one of a finding is chosen too.

    Returns:
        Mask (n,) of bool, true for the images of chosen patients; all of them where there are no more.

    Example:
        >>> chosen = sample_patients(pd.Series(["1", "2", "2", "3", "3"]), 2)
        >>> pd.Series(["1", "2", "2", "3", "3"])[chosen].tolist()
        ['3', '3']
    """
    codes, names = pd.factorize(patients)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(np.bincount(codes)[order]) - np.bincount(codes)[order]
    chosen = np.isin(codes, order[before < images])
    turn = np.argsort(order)[codes]
    for rows in () if known is None else known.T:
        chosen |= turn == turn[rows].min(initial=len(names))
    return chosen


def drop_shared(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Make parts disjoint: rows whose patient or image is also in a later part leave the earlier one.

    The test part stays as it was published, so that results on it can still be compared with those of others.

    Args:
        table: Columns image, patient, split; a patient or an image may be in several parts.

    Returns:
        The rows that are kept, and a note to tell (empty when nothing had to go).

    Example:
        >>> table = pd.DataFrame({"image": ["a", "b"], "patient": ["1", "1"], "split": ["train", "test"]})
        >>> drop_shared(table)[0]["image"].tolist()
        ['b']
    """
    rank = table["split"].map({part: position for position, part in enumerate(PARTS)})
    latest = rank.groupby(table["patient"]).transform("max")
    if not table["image"].is_unique:
        latest = np.maximum(latest, rank.groupby(table["image"]).transform("max"))
    drop = (rank < latest).to_numpy()
    if not drop.any():
        return table, []
    lost = table.loc[drop, "split"].value_counts()
    counts = " and ".join(f"{lost[part]} of the {part} part" for part in PARTS if part in lost)
    note = (
        f"parts share patients as they were published. Left out {counts}, whose patients are also in a later "
        f"part; the split as published is kept in `.published`."
    )
    return table[~drop], [note]


def fill_parts(table: pd.DataFrame, findings: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Give missing parts their usual share of the patients of the train part.

    Args:
        table: Columns patient, split and findings; parts without a row count as missing.
        findings: Label columns to balance.

    Returns:
        The table with all three parts, and a note to tell (empty when no part was missing).

    Raises:
        DataError: The train part itself is empty.
    """
    present = [part for part in PARTS if (table["split"] == part).any()]
    missing = [part for part in PARTS if part not in present]
    if not missing or not len(table):  # that there is no row at all is for `schema.validate_table` to say
        return table, []
    if "train" in missing:
        raise DataError(
            f"The train part is empty; there are images for {' and '.join(present)} only. "
            f"Expected images to learn from. Add a train table or a train folder."
        )
    source = table[table["split"] == "train"]
    shares = {part: SHARES[part] for part in missing}
    shares = {"train": 1 - sum(shares.values())} | shares
    table = table.assign(split=table["split"].astype(object))
    table.loc[source.index, "split"] = split_by_patient(source, findings, shares)
    return table, [f"no {' and no '.join(missing)} part was found. Patients of the train part were divided for it."]


def split_by_image(table: pd.DataFrame, parts: Mapping[str, float] | None = None, seed: int = 0) -> pd.Series:
    """Divide images at random, as if no two were of one patient. For teaching what goes wrong, no more.

    Args:
        table: Any image table.
        parts: Share of the images for each part; 70 % train, 10 % valid, 20 % test by default.
        seed: Another seed gives another split.

    Returns:
        Part of each row, with the table's index, named "split".

    Example:
        >>> table = pd.DataFrame({"image": list("abcdefghij")})
        >>> split_by_image(table).value_counts().to_dict()
        {'train': 7, 'test': 2, 'valid': 1}
    """
    parts = SHARES if parts is None else parts
    ends = np.rint(np.cumsum(list(parts.values())) * len(table)).astype(int)
    ranks = np.random.default_rng(seed).permutation(len(table))
    chosen = np.searchsorted(ends, ranks, side="right")
    return pd.Series(np.array(list(parts), dtype=object)[chosen], table.index, name="split")


def fewer_images(dataset: "Dataset", images: int, seed: int = 0, *, keep_valid: bool = False) -> "Dataset":
    """Choose patients of a large collection at random, so that training fits the time there is; test stays whole.

    Args:
        dataset: Any data set.
        images: How many training images are wanted. There may be a few more, for patients are kept whole, and where
            labels are unknown each finding keeps a patient who has one.
        seed: Another seed chooses other patients. With the same seed a larger choice holds the smaller one.
        keep_valid: Whether the validation part stays whole; otherwise as large a share of it is chosen.

    Returns:
        The chosen images and all test images; the data set itself, with a line that says so, where there are no more.

    Raises:
        DataError: Not a positive number of images is wanted.

    Example:
        >>> from cxr_utils.data.dataset import Dataset
        >>> from cxr_utils.data.readers.files import Files
        >>> from pathlib import Path
        >>> rows = {"image": list("abcdef"), "patient": list("112234"), "split": ["train"] * 4 + ["valid", "test"]}
        >>> data = Dataset("six", "nih", Path("."), pd.DataFrame(rows), (), pd.DataFrame(), None, Files({}))
        >>> fewer_images(data, 2)
        Dataset six: 4 images of 3 patients, 0 findings (train 2, valid 1, test 1), 0 image files
    """
    if images < 1:
        raise DataError(f"{images} training images were asked for. Expected at least 1. Choose a larger number.")
    split, patients = dataset.table["split"].to_numpy(), dataset.table["patient"]
    counts = {part: int((split == part).sum()) for part in PARTS}
    if images > counts["train"]:
        tell(f"{dataset.name}: {images:,} training images were asked for; all {counts['train']:,} there are are taken")
    if images >= counts["train"]:
        return dataset
    keep, known = split != "train", dataset.table[list(dataset.findings)].notna().to_numpy()
    for part in ("train",) if keep_valid else ("train", "valid"):
        own, wanted = split == part, math.ceil(images * counts[part] / counts["train"])
        keep[own] = sample_patients(patients[own], wanted, seed, known=known[own])
    return dataset.subset(keep, dataset.name)
