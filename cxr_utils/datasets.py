"""A data set: the table of its images, its findings, its files, and boxes where they are known.

`open_dataset` finds out by looking which of four layouts it was given; see `cxr_utils.layouts` for each.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils import layouts
from cxr_utils.cache import repository
from cxr_utils.errors import DataError, tell
from cxr_utils.layouts.files import Files
from cxr_utils.layouts.nih import read_labels
from cxr_utils.schema import FINDINGS, PARTS

#: The one finding of `any_finding`.
ANY = "Abnormal"


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images, their labels and what else is known of them. It never changes; methods return new data sets.

    Attributes:
        name: What to call it in tables and figures.
        kind: "phantom", "nih", "course" or "folders".
        root: The folder it was read from.
        table: One row an image: image, patient, split ("train", "valid" or "test"), one int8 0/1 column a
            finding, and age (years), sex, view, follow_up where known. No patient is in two parts.
        findings: Names of the label columns, in order.
        boxes: image, finding, x, y, width, height; as fractions of the image's sides, x and y from top left.
        published: image, patient, split exactly as the split was shipped, or None where none was shipped.
        files: Image name to Path. A table may name more images than there are files.

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

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        counts = self.table["split"].value_counts()
        parts = ", ".join(f"{part} {counts.get(part, 0):,}" for part in PARTS)
        files = int(self._on_disk().sum())
        return (
            f"Dataset {self.name}: {_count(len(self), 'image')} of "
            f"{_count(self.table['patient'].nunique(), 'patient')}, {_count(len(self.findings), 'finding')} "
            f"({parts}), {_count(files, 'image file')}"
        )

    @property
    def labels(self) -> np.ndarray:
        """Labels (images, findings) as float32, in the order of `findings`."""
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
                f"Use a larger share of the data set or divide it anew with splits.split_by_patient."
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
        here = self._on_disk()
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

    def lacks(self, what: str) -> str | None:
        """Say why a section of a lesson cannot be served, or None when it can.

        Args:
            what: "boxes", "age", "sex", "view", "follow_ups", "several_findings", "images", "published_split"
            or
                "simulated_truth".

        Returns:
            None, or the reason as a sentence.
        """
        if what not in _NEEDS:
            raise DataError(f"{what!r} was asked for. Expected one of {', '.join(_NEEDS)}. Correct the name.")
        present, reason = _NEEDS[what]
        return None if present(self) else reason

    def truth(self) -> pd.DataFrame:
        """Return the simulated truth: what was drawn into each picture, whatever its label says.

        Returns:
            Columns image and findings (int8), one row for each row of `table`, in its order. Of a data set that
            `any_finding` made: whether anything at all was drawn.

        Raises:
            DataError: The data set is not simulated.
        """
        if reason := self.lacks("simulated_truth"):
            raise DataError(f"{self.name}: {reason} Expected the phantom. Open it with open_dataset('phantom').")
        single = self.findings == (ANY,)
        truth = read_labels(self.root / "truth.csv", FINDINGS if single else self.findings)
        if single:
            truth = truth.assign(**{ANY: truth[list(FINDINGS)].max(axis=1)})[["image", ANY]]
        unknown = ~self.table["image"].isin(truth["image"])
        if unknown.any():
            raise DataError(
                f"truth.csv has no row for {self.table['image'][unknown].iloc[0]} ({unknown.sum()} such images). "
                f"Expected one row an image. Delete {self.root.name} and let it be made again."
            )
        return self.table[["image"]].merge(truth, on="image")

    @cached_property
    def digest(self) -> str:
        """Hash of the table, the boxes, and names, sizes and times of the files; for keys of a cache."""
        content = hashlib.sha256(repr((self.findings, list(self.table.columns))).encode())
        for frame in (self.table, self.boxes):
            content.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
        for image in self.table["image"][self._on_disk()]:
            status = self.files.status(image)
            content.update(f"{image}:{status.st_size}:{status.st_mtime_ns}\n".encode())
        return content.hexdigest()[:24]

    def _on_disk(self) -> np.ndarray:
        return self.files.holding(self.table["image"])


def open_dataset(source: str | Path = "phantom", *, profile: str = "quick", seed: int = 0) -> Dataset:
    """Open a data set; its layout is recognised by looking.

    In this order: the word "phantom" (simulated, made on first use), a folder with NIH's `Data_Entry*.csv`,
    course tables (`Image`, `PatientId` and one 0/1 column a finding), class folders. What a learner should
    know about the data, such as parts that shared patients, is told in one line each.

    Args:
        source: "phantom" or a folder; a relative one is looked for here and then in the repository.
        profile: Size of the phantom, "quick" or "full"; real data ignore it.
        seed: Seed of the phantom; real data ignore it, so that their split never changes.

    Returns:
        The data set.

    Raises:
        DataError: The folder is missing or of no known layout, or a table is not as expected.

    Example:
        >>> open_dataset("no/such/folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        cxr_utils.errors.DataError: no/such/folder does not exist. Expected the word phantom...
    """
    root = find_folder(source, profile=profile, seed=seed)
    contents = layouts.read(root)
    dataset = Dataset(
        name="phantom" if str(source) == "phantom" else root.resolve().name,
        kind=contents.kind,
        root=root,
        table=contents.table,
        findings=contents.findings,
        boxes=contents.boxes,
        published=contents.published,
        files=contents.files,
    )
    for note in [*contents.notes, *_absent_findings(dataset)]:
        tell(f"{dataset.name}: {note}")
    return dataset


def find_folder(source: str | Path, *, profile: str = "quick", seed: int = 0) -> Path:
    """Return the folder behind a source, making the phantom when that is asked for.

    Args:
        source: "phantom" or a folder; a relative one is looked for here and then in the repository, because
            a lesson runs in the folder that it lies in.
        profile: Size of the phantom.
        seed: Seed of the phantom.
    """
    if str(source) == "phantom":
        from cxr_utils import phantom

        return phantom.ensure_cohort(profile, seed)
    path = Path(source).expanduser()
    return path if path.exists() or not (repository() / path).exists() else repository() / path


def any_finding(dataset: Dataset) -> Dataset:
    """Ask a single question of a data set: does an image show any of its findings?

    Args:
        dataset: Of any findings; one that this function has made is returned as it is.

    Returns:
        The same images with one finding, "Abnormal". The table keeps the columns of the others, and boxes keep the
        name of what they frame.

    Example:
        >>> table = pd.DataFrame({"image": ["a", "b"], "patient": "1", "split": "train", "Mass": [1, 0], "Edema": 0})
        >>> data = Dataset("two", "nih", Path("."), table, ("Mass", "Edema"), pd.DataFrame(), None, Files({}))
        >>> any_finding(data).findings, any_finding(data).labels.tolist()
        (('Abnormal',), [[1.0], [0.0]])
    """
    if dataset.findings == (ANY,):
        return dataset
    abnormal = dataset.table[list(dataset.findings)].max(axis=1).astype("int8")
    return replace(dataset, table=dataset.table.assign(**{ANY: abnormal}), findings=(ANY,))


def summary(dataset: Dataset) -> pd.DataFrame:
    """Count images, patients and positives of each finding in every part.

    Args:
        dataset: Any data set.

    Returns:
        One row a part ("train", "valid", "test"), columns images, patients and the findings.

    Example:
        >>> table = pd.DataFrame({"image": ["a", "b"], "patient": "1", "split": "train", "Mass": [1, 0]})
        >>> data = Dataset("two", "folders", Path("."), table, ("Mass",), pd.DataFrame(), None, Files({}))
        >>> summary(data).loc["train"].to_dict()
        {'images': 2, 'patients': 1, 'Mass': 1}
    """
    parts = dataset.table.groupby("split")
    counts = pd.DataFrame({"images": parts.size(), "patients": parts["patient"].nunique()})
    counts = counts.join(parts[list(dataset.findings)].sum())
    return counts.reindex(list(PARTS), fill_value=0).astype(int).rename_axis("part")


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _absent_findings(dataset: Dataset) -> list[str]:
    """Note findings that a part has no positive image of; images at hand count where there are any."""
    here = dataset._on_disk()
    counts = summary(dataset.subset(here, dataset.name) if here.any() else dataset)[list(dataset.findings)]
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
    "images": (lambda data: bool(data._on_disk().any()), "The image files of this data set are not here."),
    "published_split": (
        lambda data: data.published is not None,
        "This data set was shipped without a split.",
    ),
    "simulated_truth": (_has_truth, "The truth behind the labels is known for simulated pictures only."),
}
