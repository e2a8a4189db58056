"""A data set: the table of its images, its findings, its files, and boxes where they are known.

What is asked of a data set are its methods; how each is done stands in the file that the method names.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from cxr_utils.data import leakage, masks, pixelstore, shortcut, splits
from cxr_utils.data.collections import nih
from cxr_utils.data.images import read_image
from cxr_utils.data.readers.files import Files
from cxr_utils.data.schema import FINDINGS, PARTS, binary
from cxr_utils.errors import DataError, Missing

#: The one finding of `Dataset.any_finding`.
ANY = "Abnormal"


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images, their labels and what else is known of them. It never changes; methods return new data sets.

    Attributes:
        name: What to call it in tables and figures.
        kind: Name of the reader: "phantom", a collection, "course", "table", "folders", "dataset.toml" or "pooled".
        root: The folder it was read from.
        table: One row an image: image, patient, split ("train", "valid" or "test"), one 0/1 column a finding (int8,
            or float32 with NaN where labels are unknown), and age (years), sex, view, follow_up, collection where
            known. No patient is in two parts.
        findings: Names of the label columns, in order.
        boxes: image, finding, x, y, width, height; as fractions of the image's sides, x and y from top left.
        published: image, patient, split exactly as the split was shipped, or None where none was shipped.
        files: Image name to Path. A table may name more images than there are files.
        mask_files: Image name to Path of a mask that was shipped with it; empty where none was.

    Example:
        >>> table = pd.DataFrame({"image": ["a.png"], "patient": ["1"], "split": ["train"], "Mass": [1]})
        >>> Dataset("one", "folders", Path("."), table, ("Mass",), pd.DataFrame(), None, Files({}))
        Dataset one: 1 image of 1 patient, 1 finding (train 1, valid 0, test 0), 0 image files
    """

    name: str
    kind: str
    root: Path
    table: pd.DataFrame
    findings: tuple[str, ...]
    boxes: pd.DataFrame
    published: pd.DataFrame | None
    files: Files
    mask_files: Files = field(default_factory=lambda: Files({}))

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        counts = self.table["split"].value_counts()
        parts = ", ".join(f"{part} {counts.get(part, 0):,}" for part in PARTS)
        files = int(self.on_disk().sum())
        return (
            f"Dataset {self.name}: {_count(len(self), 'image')} of "
            f"{_count(self.table['patient'].nunique(), 'patient')}, {_count(len(self.findings), 'finding')} "
            f"({parts}), {_count(files, 'image file')}"
        )

    @property
    def labels(self) -> np.ndarray:
        """Labels (images, findings) as float32, in the order of `findings`; NaN where unknown."""
        return self.table[list(self.findings)].to_numpy(np.float32)

    @property
    def patients(self) -> np.ndarray:
        """Patient of each image, (images,) of str."""
        return self.table["patient"].to_numpy().astype(str)

    def part(self, split: str) -> "Dataset":
        """Return the train, valid or test part.

        Raises:
            DataError: There is no such part, or it is empty.
        """
        if split not in PARTS:
            raise DataError(f"A part {split!r} was asked for. Expected train, valid or test. Correct the name.")
        chosen = (self.table["split"] == split).to_numpy()
        if not chosen.any():
            raise DataError(
                f"The {split} part of {self.name} is empty. Expected at least one image. "
                f"Use a larger share of the data set or divide it anew with split_by_patient."
            )
        return self.subset(chosen, f"{self.name} {split}")

    def subset(self, rows: np.ndarray, name: str) -> "Dataset":
        """Return some of the images.

        Args:
            rows: Mask (images,) of bool, or positions of the wanted rows.
            name: What to call the result.
        """
        rows = np.asarray(rows)
        table = (self.table[rows] if rows.dtype == bool else self.table.iloc[rows]).reset_index(drop=True)
        boxes = self.boxes
        if len(boxes):
            boxes = boxes[boxes["image"].isin(table["image"])].reset_index(drop=True)
        return replace(self, name=name, table=table, boxes=boxes)

    def with_images(self) -> "Dataset":
        """Return the images whose file is at hand; what modelling lessons work on.

        Raises:
            DataError: Not one file is there.
        """
        here = self.on_disk()
        if not here.any():
            raise DataError(
                f"None of the {len(self):,} images of {self.name} lies below its folder. Expected image "
                f"files named as in the table, such as {self.table['image'].iloc[0]}. Copy them there, or "
                f"open another data set."
            )
        return self if here.all() else self.subset(here, self.name)

    def path(self, image: str) -> Path:
        """Return the file of an image.

        Raises:
            DataError: It is not at hand.
        """
        if image not in self.files:
            raise DataError(
                f"There is no file {image} in {self.name}. Expected one of its {len(self.files):,} image "
                f"files. Check the name, or choose from dataset.with_images()."
            )
        return self.files[image]

    def boxes_of(self, image: str, finding: str) -> pd.DataFrame:
        """Return the rows of `boxes` that frame a finding on an image; none where none is known."""
        if not len(self.boxes):
            return self.boxes
        return self.boxes[(self.boxes["image"] == image) & (self.boxes["finding"] == finding)]

    def knows(self, what: str) -> Literal[True] | Missing:
        """Tell whether a section of a lesson can be served, and if not, why.

        Args:
            what: "boxes", "age", "sex", "view", "follow_ups", "several_findings", "images", "published_split"
                or "simulated_truth".

        Returns:
            True, or a `Missing` with the reason as a sentence.
        """
        if what not in _NEEDS:
            raise DataError(f"{what!r} was asked for. Expected one of {', '.join(_NEEDS)}. Correct the name.")
        present, reason = _NEEDS[what]
        return True if present(self) else Missing(reason)

    def enough(self, *, patients: int) -> Literal[True] | Missing:
        """Tell whether the data set can answer a statistical question, decided from its size alone.

        Args:
            patients: How many different patients the question needs, with a known label of each finding.

        Returns:
            True, or a `Missing` that says how many there are.
        """
        found, of = self.table["patient"].nunique(), ""
        for name in self.findings:
            known = self.table.loc[self.table[name].notna(), "patient"].nunique()
            if known < found:
                found, of = known, f" with a known label of {name}"
        return True if found >= patients else Missing(f"needs {patients} patients, has {found}{of}")

    def summary(self) -> pd.DataFrame:
        """Count images, patients and positives of each finding in every part.

        Returns:
            One row a part ("train", "valid", "test"), columns images, patients and the findings.

        Example:
            >>> table = pd.DataFrame({"image": ["a", "b"], "patient": "1", "split": "train", "Mass": [1, 0]})
            >>> data = Dataset("two", "folders", Path("."), table, ("Mass",), pd.DataFrame(), None, Files({}))
            >>> data.summary().loc["train"].to_dict()
            {'images': 2, 'patients': 1, 'Mass': 1}
        """
        parts = self.table.groupby("split")
        counts = pd.DataFrame({"images": parts.size(), "patients": parts["patient"].nunique()})
        counts = counts.join(parts[list(self.findings)].sum())
        return counts.reindex(list(PARTS), fill_value=0).astype(int).rename_axis("part")

    def frequencies(self) -> pd.DataFrame:
        """Count how often each finding is present and absent.

        Returns:
            A row per finding: `images` with it, `positive` and `negative` as fractions of those whose label is known
            (NaN where none is), and where there are any, the number of images whose label is `unknown`.

        Example:
            >>> table = pd.DataFrame({"image": list("abcd"), "patient": "1", "split": "train", "Mass": [1, 0, 0, 0]})
            >>> data = Dataset("four", "nih", Path("."), table, ("Mass",), pd.DataFrame(), None, Files({}))
            >>> data.frequencies().loc["Mass"].tolist()
            [1.0, 0.25, 0.75]
        """
        labels = pd.DataFrame(self.labels.astype(float), columns=pd.Index(self.findings, name="finding"))
        positive, unknown = labels.mean(), labels.isna().sum()
        columns = {"images": labels.sum().astype(int), "positive": positive, "negative": 1 - positive}
        return pd.DataFrame(columns | ({"unknown": unknown} if unknown.any() else {}))

    def commonest(self, prefer: str | None = None) -> str:
        """Name the finding that most images show, of those that are known to be absent from others.

        Args:
            prefer: a finding to name instead, where some images show it and others do not.

        Returns:
            Its name. Where no finding is known to be absent from any image, the commonest one.

        Example:
            >>> rows = {"image": ["a", "b"], "patient": "1", "split": "train", "Mass": 1, "Edema": [0, 1]}
            >>> table = pd.DataFrame(rows)
            >>> data = Dataset("two", "nih", Path("."), table, ("Mass", "Edema"), pd.DataFrame(), None, Files({}))
            >>> data.commonest(), data.commonest(prefer="Hernia")
            ('Edema', 'Edema')
        """
        counts = self.frequencies()
        both = counts[(counts["images"] > 0) & (counts["negative"] > 0)]
        if prefer is not None and prefer in both.index:
            return prefer
        return str((both if len(both) else counts)["images"].idxmax())

    def any_finding(self) -> "Dataset":
        """Ask a single question of the same images: does one show any of the findings?

        Returns:
            The images with one finding, "Abnormal": unknown where none is known to be present and not all are known to
            be absent. The table keeps the columns of the others, and boxes keep the name of what they frame. What this
            method has made is returned as it is.

        Example:
            >>> rows = {"image": ["a", "b"], "patient": "1", "split": "train", "Mass": [1, 0], "Edema": 0}
            >>> table = pd.DataFrame(rows)
            >>> data = Dataset("two", "nih", Path("."), table, ("Mass", "Edema"), pd.DataFrame(), None, Files({}))
            >>> data.any_finding().findings, data.any_finding().labels.tolist()
            (('Abnormal',), [[1.0], [0.0]])
        """
        if self.findings == (ANY,):
            return self
        labels = self.table[list(self.findings)]
        known = labels.notna().all(axis=1) | labels.any(axis=1)
        abnormal = binary(labels.max(axis=1).where(known), ANY).set_axis(self.table.index)
        return replace(self, table=self.table.assign(**{ANY: abnormal}), findings=(ANY,))

    def fewer_images(self, images: int, seed: int = 0, *, keep_valid: bool = False) -> "Dataset":
        """Return fewer training images, patients whole: see `splits.fewer_images`."""
        return splits.fewer_images(self, images, seed, keep_valid=keep_valid)

    def split_by_patient(self, parts: Mapping[str, float] | None = None, seed: int = 0) -> pd.Series:
        """Divide the images anew, patients whole and findings even: see `splits.split_by_patient`."""
        return splits.split_by_patient(self.table, self.findings, parts, seed)

    def split_by_image(self, parts: Mapping[str, float] | None = None, seed: int = 0) -> pd.Series:
        """Divide the images anew as if no two were of one patient: see `splits.split_by_image`."""
        return splits.split_by_image(self.table, parts, seed)

    def leakage(self, split: pd.Series | None = None) -> pd.DataFrame:
        """Count what every two parts share: see `leakage.leakage_table`.

        Args:
            split: Part of each image, from `split_by_patient` or `split_by_image`; None takes the split that was
                shipped with the data or, where none was, the one that the course has made.
        """
        shipped = self.table if self.published is None else self.published
        return leakage.leakage_table(shipped if split is None else self.table.assign(split=split))

    def leakage_beside(self) -> pd.DataFrame | Missing:
        """Count what parts share in the other splits that lie beside the images: see `leakage.leakage_beside`."""
        return leakage.leakage_beside(self.root)

    def near_duplicates(self) -> pd.DataFrame:
        """Find pictures that are the same although their files differ: see `leakage.near_duplicates`."""
        return leakage.near_duplicates(self)

    def picture(self, image: str) -> np.ndarray:
        """Read one image as it is stored, uint8 (height, width): see `images.read_image`."""
        return read_image(self.path(image))

    def pixels(self, size: int) -> np.ndarray:
        """Read all images, uint8 (images, size, size), decoded once: see `pixelstore.pixels`."""
        return pixelstore.pixels(self, size)

    def inputs(self, size: int) -> np.ndarray:
        """Read all images as a network sees them, float32 (images, size, size, 1): see `images.standardise`."""
        return pixelstore.standardised(self.pixels(size))

    def masks(self) -> dict[tuple[str, str], np.ndarray] | Missing:
        """Draw the pixels of each finding, where the simulator knows them: see `masks.simulated_masks`."""
        return self.knows("simulated_truth") and masks.simulated_masks(self)

    def with_marker(self, finding: str, seed: int = 0) -> "Dataset":
        """Return copies that betray a finding by a planted marker: see `shortcut.mark`."""
        return shortcut.mark(self, finding, seed=seed)

    def equalised(self, clip: float | Sequence[float]) -> "Dataset":
        """Return the same pictures from a machine that evens out the shades of each region: see `shortcut.equalise`."""
        return shortcut.equalise(self, clip)

    def with_permuted_labels(self, seed: int = 0) -> "Dataset":
        """Return the same pictures with their labels dealt out at random: see `shortcut.permute_labels`."""
        return shortcut.permute_labels(self, seed=seed)

    def with_labels(self, labels: pd.DataFrame) -> "Dataset":
        """Return the same pictures with other labels: see `shortcut.relabel`."""
        return shortcut.relabel(self, labels)

    def with_missed(self, group: np.ndarray, share: float, seed: int = 0) -> "Dataset":
        """Return the same pictures with findings of one group missed on purpose: see `shortcut.miss_labels`."""
        return shortcut.miss_labels(self, group, share, seed=seed)

    def truth(self) -> pd.DataFrame:
        """Return the simulated truth: what was drawn into each picture, whatever its label says.

        Returns:
            Columns image and findings (int8), one row for each row of `table`, in its order. Of a data set that
            `any_finding` made: whether anything at all was drawn.

        Raises:
            DataError: The data set is not simulated.
        """
        if not (known := self.knows("simulated_truth")):
            raise DataError(f"{self.name}: {known} Expected the phantom. Open it with open_dataset('phantom').")
        single = self.findings == (ANY,)
        truth = nih.read_labels(self.root / "truth.csv", FINDINGS if single else self.findings)
        if single:
            truth = truth.assign(**{ANY: truth[list(FINDINGS)].max(axis=1)})[["image", ANY]]
        unknown = ~self.table["image"].isin(truth["image"])
        if unknown.any():
            raise DataError(
                f"truth.csv has no row for {self.table['image'][unknown].iloc[0]} ({unknown.sum()} such images). "
                f"Expected one row an image. Delete {self.root.name} and let it be made again."
            )
        return self.table[["image"]].merge(truth, on="image")

    def behind_labels(self) -> nih.Behind | Missing:
        """Return truth, mined labels and severity of every image, where the simulator knows them: see `nih.Behind`."""
        return self.knows("simulated_truth") and nih.behind_labels(self.root, self.table["image"], self.findings)

    @cached_property
    def digest(self) -> str:
        """Hash of the table, the boxes, and names, sizes and times of the files; for keys of a cache."""
        content = hashlib.sha256(repr((self.findings, list(self.table.columns))).encode())
        for frame in (self.table, self.boxes):
            content.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
        for image in self.table["image"][self.on_disk()]:
            content.update(f"{image}:{self.files.stamp(image)}\n".encode())
        return content.hexdigest()[:24]

    def on_disk(self) -> np.ndarray:
        """Tell which images have a file: (images,) of bool."""
        return self.files.holding(self.table["image"])


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _has_follow_ups(dataset: Dataset) -> bool:
    """A collection has follow-ups when more than one patient in twenty has several images."""
    return bool((dataset.table["patient"].value_counts() > 1).mean() > 0.05)


def _has_truth(dataset: Dataset) -> bool:
    return dataset.kind == "phantom" and (dataset.root / "truth.csv").exists()


_NEEDS: dict[str, tuple[Callable[[Dataset], bool], str]] = {
    "boxes": (lambda data: len(data.boxes) > 0, "This data set has no boxes around findings."),
    "age": (lambda data: "age" in data.table, "This data set does not tell the patients' ages."),
    "sex": (lambda data: "sex" in data.table, "This data set does not tell the patients' sex."),
    "view": (lambda data: "view" in data.table, "This data set does not tell PA views from AP views."),
    "follow_ups": (_has_follow_ups, "Nearly every patient of this data set has a single image."),
    "several_findings": (lambda data: len(data.findings) > 1, "This data set has a single finding."),
    "images": (lambda data: bool(data.on_disk().any()), "The image files of this data set are not here."),
    "published_split": (lambda data: data.published is not None, "This data set was shipped without a split."),
    "simulated_truth": (_has_truth, "The truth behind the labels is known for simulated pictures only."),
}
