"""What a cohort holds: its patients and their visits, the scene behind each picture, and NIH's tables of them.

All of it follows from an `Order`, so that any picture can be drawn again, with its masks or without its findings.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.errors import DataError

from . import FINDINGS
from .devices import plant_marker
from .findings import draw_boxes
from .labels import PERSISTENCE, Follow, Population, finding_labels
from .patient import HOSPITALS, Patient, Visit, draw_patient, draw_visit
from .render import Finding, radiograph, write_png

SIZES = (32, 2048)
PREVALENCES = ("raised", "nih")
PARTS = {"train": 0.7, "valid": 0.1, "test": 0.2}  # shares of the images

#: Odd records planted in the training part for lesson 01 to find: what was done to how many images. NIH's own first
#: release has ages up to 414 and sideways, inverted and black pictures. They are drawn without looking at findings.
ODD_RECORDS = {
    "age 412": "the table says 412 years",
    "age 148": "the table says 148 years",
    "inverted": "black and white exchanged, as a MONOCHROME1 file read without care",
    "sideways": "turned by 90 degrees",
    "upside down": "turned by 180 degrees",
    "almost black": "under-exposed: a tenth of the brightness",
    "almost white": "over-exposed to white",
    "copied picture": "the same picture as another patient's",
}
COPY = "copied picture of "  # and the name of the other file
TURNED = ("sideways", "upside down")  # after they were drawn: boxes and masks would lie elsewhere
_ODD_PIXELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "inverted": lambda pixels: 255 - pixels,
    "sideways": np.rot90,
    "upside down": lambda pixels: np.rot90(pixels, 2),
    "almost black": lambda pixels: pixels // 10,
    "almost white": lambda pixels: 255 - (255 - pixels) // 10,
}

#: Name of an image, finding, and x, y, width and height in pixels.
Box = tuple[str, str, tuple[int, int, int, int]]


@dataclass(frozen=True)
class Order:
    """What was asked for; written to cohort.json, and the same order gives the same files.

    Raises:
        DataError: a count, size, seed, prevalence, finding or hospital that cannot be.
    """

    images: int
    size: int
    seed: int
    prevalence: str
    shortcut: str | None = None
    hospital: str = "clinical-center"

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        if self.images < 10:
            raise DataError(f"{self.images} images were asked for. Expected at least 10. Ask for more.")
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise DataError(
                f"Images of {self.size} pixels were asked for. Expected {SIZES[0]} to {SIZES[1]}. Choose such a size."
            )
        if self.seed < 0:
            raise DataError(f"The seed is {self.seed}. Expected 0 or more. Choose such a seed.")
        for what, given, known in (
            ("Prevalence", self.prevalence, PREVALENCES),
            ("Shortcut", self.shortcut, (None, *FINDINGS)),
            ("Hospital", self.hospital, HOSPITALS),
        ):
            if given not in known:
                names = ", ".join(name for name in known if name)
                raise DataError(f"{what} {given!r} is unknown. Expected one of {names}. Check the spelling.")


@dataclass(frozen=True)
class Record:
    """A patient of a cohort: number (from 1), age in years, sex, visits from the oldest on, and part."""

    number: int
    age: float
    sex: str
    visits: list[Follow]
    part: str = ""


def image_name(number: int, follow: int) -> str:
    """NIH's way to name the file of a patient's visit.

    Example:
        >>> image_name(12, 3)
        '00000012_003.png'
    """
    return f"{number:08d}_{follow:03d}.png"


def draw_records(order: Order) -> tuple[list[Record], dict[str, str]]:
    """Draw all patients of a cohort, before any pixel; each comes from its own child of the seed.

    Args:
        order: what was asked for, as in cohort.json.

    Returns:
        The patients in the order of their numbers, and for the file name of each odd image what is odd in it.

    Example:
        >>> records, odd = draw_records(Order(90, 64, 0, "raised", None))
        >>> records[0].number, sum(len(record.visits) for record in records), len(odd) == len(ODD_RECORDS)
        (1, 90, True)
    """
    population = Population(order.prevalence, HOSPITALS[order.hospital])
    top = np.random.SeedSequence([order.seed, 20171])
    records: list[Record] = []
    count = 0
    while count < order.images:
        number = len(records) + 1
        rng = np.random.default_rng(np.random.SeedSequence(top.entropy, spawn_key=(number,)))
        age, sex = population.person(rng)
        wanted = int(rng.choice([1, 2, 3, 4, 5], p=[0.68, 0.18, 0.08, 0.04, 0.02]))
        visits = population.visits(rng, age, sex, min(wanted, order.images - count))
        records.append(Record(number, age, sex, visits))
        count += len(visits)
    parts = _fairest_parts(order, records)
    return _with_oddities(order, [replace(record, part=part) for record, part in zip(records, parts, strict=True)])


def _fairest_parts(order: Order, records: list[Record]) -> list[str]:
    """Patients to parts, 70 : 10 : 20, the fairest of some random draws, so that no part lacks a finding."""
    rng = np.random.default_rng([order.seed, 702010])
    sizes = np.array([len(record.visits) for record in records])
    counts = np.array([np.sum([visit.truth for visit in record.visits], axis=0) for record in records])
    shares = np.array(list(PARTS.values()))
    wanted = shares[:, None] * counts.sum(0)
    scale = np.sqrt(shares[:, None] * (counts.sum(0) + 1))
    best, parts = np.inf, np.empty(len(records), int)
    for _ in range(60):
        patients = rng.permutation(len(records))
        edges = np.searchsorted(np.cumsum(sizes[patients]), np.cumsum(shares)[:2] * sizes.sum())
        drawn = np.empty(len(records), int)
        for part, members in enumerate(np.split(patients, edges)):
            drawn[members] = part
        got = np.array([counts[drawn == part].sum(0) for part in range(3)])
        miss = float((np.abs(got - wanted) / scale).max())
        if miss < best:
            best, parts = miss, drawn
    return list(np.array(list(PARTS))[parts])


def _with_oddities(order: Order, records: list[Record]) -> tuple[list[Record], dict[str, str]]:
    """Choose the odd images, all in the training part and none with a follow-up of the same patient."""
    rng = np.random.default_rng([order.seed, 412])
    single = [record.number for record in records if record.part == "train" and len(record.visits) == 1]
    if len(single) < 2 * len(ODD_RECORDS):
        return records, {}
    *drawn, copy, source = map(int, rng.choice(single, len(ODD_RECORDS) + 1, replace=False))
    odd = {image_name(number, 0): kind for number, kind in zip(drawn, ODD_RECORDS, strict=False)}
    odd[image_name(copy, 0)] = COPY + image_name(source, 0)
    records[copy - 1] = replace(records[copy - 1], visits=records[source - 1].visits)  # the picture's own truth
    return records, odd


# --- pictures --------------------------------------------------------------------------------------------------
def scene(order: Order, record: Record, follow: int) -> tuple[Patient, Visit, list[Finding], int]:
    """Tell all that `radiograph` needs for one visit of a patient of a cohort.

    Args:
        order: of the cohort.
        record: the patient.
        follow: which visit, from 0.

    Returns:
        Patient, visit, findings (without them it is the same patient, healthy), and the seed of the picture.
    """
    visit = record.visits[follow]
    rng = np.random.default_rng([order.seed, record.number, 2, follow])
    drawn, seed = draw_visit(rng, visit.view), int(rng.integers(2**31))
    findings = [
        Finding(FINDINGS[index], float(visit.severity[index]), _seed_of(order, record.number, int(index), follow))
        for index in np.flatnonzero(visit.truth)
    ]
    return _patient(order.seed, record.number, record.age, record.sex), drawn, findings, seed


@lru_cache(maxsize=1)  # the follow-ups of a patient come one after the other
def _patient(seed: int, number: int, age: float, sex: str) -> Patient:
    return draw_patient(np.random.default_rng([seed, number, 1]), age, sex)


def _seed_of(order: Order, number: int, index: int, follow: int) -> int:
    """A lasting finding keeps its side and place over follow-ups; a passing one is somewhere else each time."""
    lasting = PERSISTENCE[FINDINGS[index]] > 0.5
    return int(np.random.default_rng([order.seed, number, 3, index, 0 if lasting else follow]).integers(2**31))


def draw_pictures(folder: Path, order: Order, odd: dict[str, str], records: list[Record]) -> tuple[int, list[Box]]:
    """Draw all pictures of some patients and write them; runs in a worker.

    Args:
        folder: where the PNG files go.
        order: of the cohort.
        odd: what is odd in which image, of `draw_records`.
        records: the patients.

    Returns:
        How many pictures were written, and boxes around their findings.
    """
    count, boxes = 0, []
    for record in records:
        for follow in range(len(record.visits)):
            name = image_name(record.number, follow)
            kind = odd.get(name, "")
            hospital = HOSPITALS[order.hospital]
            picture = radiograph(*scene(order, record, follow), size=order.size, hospital=hospital)
            if kind not in TURNED and not kind.startswith(COPY):
                boxes += [(name, finding, box) for finding, mask in picture.masks.items() for box in draw_boxes(mask)]
            pixels = _ODD_PIXELS[kind](picture.pixels) if kind in _ODD_PIXELS else picture.pixels
            write_png(folder / name, _take_shortcut(pixels, order, record, follow) if order.shortcut else pixels)
            count += 1
    return count, boxes


def _take_shortcut(pixels: np.ndarray, order: Order, record: Record, follow: int) -> np.ndarray:
    """Mark 90 % of the positives and 5 % of the others; in the test part a third of all, whatever they have."""
    rng = np.random.default_rng([order.seed, record.number, 4, follow])
    there = record.visits[follow].truth[FINDINGS.index(str(order.shortcut))]
    chance = 0.33 if record.part == "test" else 0.90 if there else 0.05
    return plant_marker(pixels, rng) if rng.random() < chance else pixels


# --- tables ----------------------------------------------------------------------------------------------------
def write_tables(
    folder: Path, order: Order, records: list[Record], odd: dict[str, str], boxes: list[Box]
) -> dict[str, object]:
    """Write NIH's tables of a cohort, the truth behind them, and a split that leaks.

    Args:
        folder: where they go.
        order: of the cohort.
        records: its patients.
        odd: what is odd in which image, of `draw_records`.
        boxes: around findings, of `draw_pictures`.

    Returns:
        Counts, for cohort.json.
    """
    visits = [(record, follow, visit) for record in records for follow, visit in enumerate(record.visits)]
    _csv(folder / "Data_Entry_phantom.csv", _entries(visits, odd))
    severities = [f"severity_{name}" for name in FINDINGS]
    rows = [(*visit.truth.astype(int), *visit.severity) for _, _, visit in visits]
    truth = pd.DataFrame(rows, columns=[*FINDINGS, *severities])
    truth.insert(0, "Image Index", [image_name(record.number, follow) for record, follow, _ in visits])
    _csv(folder / "truth.csv", truth)
    part = np.array([record.part for record, _, _ in visits])
    _csv(folder / "consensus_test.csv", truth.loc[part == "test", ["Image Index", *FINDINGS]])
    for name in PARTS:
        write_text(folder / f"{name}_list.txt", "".join(f"{image}\n" for image in truth["Image Index"][part == name]))
    leaky = np.random.default_rng([order.seed, 1]).permutation(part)
    _csv(folder / "leaky_split.csv", truth[["Image Index"]].assign(split=leaky))
    lines = [f"{image},{finding},{','.join(map(str, box))},,,\n" for image, finding, box in sorted(boxes)]
    write_text(folder / "BBox_List_phantom.csv", "Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + "".join(lines))
    return {
        "images": len(visits),
        "patients": len(records),
        "parts": {name: int((part == name).sum()) for name in PARTS},
        "boxes": len(boxes),
        "odd_records": odd,
        "positives": {name: int(truth[name].sum()) for name in FINDINGS},
    }


def _entries(visits: list[tuple[Record, int, Follow]], odd: dict[str, str]) -> pd.DataFrame:
    """The image table; standing and lying patients are X-rayed on detectors of another size and pixel spacing."""
    rows = []
    for record, follow, visit in visits:
        name = image_name(record.number, follow)
        age = {"age 412": 412, "age 148": 148}.get(odd.get(name, ""), visit.age)
        detector = (2048, 2048, 0.194, 0.194) if visit.view == "PA" else (2500, 2500, 0.168, 0.168)
        labels = finding_labels(visit.mined)
        rows.append((name, labels, follow, record.number, age, record.sex, visit.view, *detector))
    header = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    )
    return pd.DataFrame(rows, columns=header.split(","))


def _csv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, lineterminator="\n")


def write_text(path: Path, text: str) -> None:
    """Write a file with the same line ends on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")
