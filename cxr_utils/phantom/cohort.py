"""A whole cohort on disk in NIH's layout, made once, by several processes, and never half.

Command line: `python -m cxr_utils.phantom.cohort FOLDER --images 1400 --size 256 --seed 0`.
"""

import argparse
import ast
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, lru_cache, partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
from filelock import FileLock
from tqdm import tqdm

from cxr_utils.cache import repository
from cxr_utils.errors import CxrError, DataError

from . import FINDINGS

#: What `ensure_cohort` makes.
PROFILES = {"quick": {"images": 1400, "size": 256}, "full": {"images": 20_000, "size": 320}}
SIZES = (32, 2048)
PREVALENCES = ("raised", "nih")
DESCRIPTION = "cohort.json"  # written last: a folder without it is not a cohort
_BATCH = 12  # patients a task

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


@dataclass(frozen=True)
class Order:
    """What was asked for; written to cohort.json, and the same order gives the same files."""

    images: int
    size: int
    seed: int
    prevalence: str
    shortcut: str | None


@cache
def simulator_version() -> str:
    """Digest of the simulator's code, comments and docstrings aside.

    Another version makes other pixels, so a kept cohort is made again.

    Example:
        >>> len(simulator_version())
        16
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name != "__init__.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                body = getattr(node, "body", None)
                if (
                    isinstance(body, list)
                    and body
                    and isinstance(body[0], ast.Expr)
                    and isinstance(body[0].value, ast.Constant)
                ):
                    body[0].value.value = ""  # a docstring
            digest.update(ast.unparse(tree).encode())
    return digest.hexdigest()[:16]


def ensure_cohort(profile: str = "quick", seed: int = 0) -> Path:
    """The course's own data set, made on first use and again when the simulator has changed.

    Two processes that ask at once make it once. The work is done by a separate program, so that it is safe in a
    notebook that has loaded TensorFlow, on Linux, macOS and Windows.

    Args:
        profile: "quick" (1,400 images of 256 pixels) or "full" (20,000 of 320).
        seed: another seed, other patients.

    Returns:
        The folder `data/phantom/<profile>-seed<seed>` of the checkout.

    Raises:
        DataError: an unknown profile, or the cohort could not be made.
    """
    if profile not in PROFILES:
        raise DataError(f"Profile {profile!r} is unknown. Expected one of {', '.join(PROFILES)}. Choose one of them.")
    folder = repository() / "data" / "phantom" / f"{profile}-seed{seed}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        made = _description(folder)
        if made and made.get("simulator") == simulator_version():
            return folder
        if folder.exists():
            print(f"{folder.name}: made by another version of the simulator; making it again.", file=sys.stderr)
            shutil.rmtree(folder)
        for stale in folder.parent.glob(f".{folder.name}.*.tmp"):  # of a process that was killed
            shutil.rmtree(stale, ignore_errors=True)
        make_cohort(folder, seed=seed, **PROFILES[profile])
    return folder


def _make_in_program(folder: Path, order: Order, workers: int | None) -> None:
    """Run this module as a program: its workers need nothing of the notebook or script that asks."""
    options = {**asdict(order), "workers": workers}
    command = [sys.executable, "-m", "cxr_utils.phantom.cohort", str(folder), "--progress=lines"]
    command += [f"--{name}={value}" for name, value in options.items() if value is not None]
    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        with tqdm(total=order.images, desc=f"simulating {folder.name}", unit="image") as bar:
            for line in program.stdout:
                bar.update(int(line) - bar.n)
        problem = program.stderr.read().strip()
    except BaseException:
        _stop(program)
        raise
    if program.wait():
        last = problem.splitlines()[-1] if problem else f"exit status {program.returncode}."
        raise DataError(f"The simulator stopped: {last} Expected a cohort in {folder}. Mend that and try again.")


def _stop(program: subprocess.Popen) -> None:
    """Interrupt politely, so that the program removes what it has begun."""
    program.terminate() if os.name == "nt" else program.send_signal(signal.SIGINT)
    try:
        program.wait(15)
    except subprocess.TimeoutExpired:
        program.kill()


def make_cohort(
    folder: str | Path,
    *,
    images: int = 1400,
    size: int = 256,
    seed: int = 0,
    prevalence: str = "raised",
    workers: int | None = None,
    shortcut: str | None = None,
) -> Path:
    """Make a cohort in NIH's layout.

    Args:
        folder: must not exist, or be empty, or hold the very same cohort (which is then kept).
        images: how many pictures; about 1.55 a patient.
        size: pixels a side.
        seed: the same seed gives the same files, whatever the number of workers.
        prevalence: "raised" (each finding in 7 to 13 % of images, mined labels with a third of NIH's errors) or "nih"
            (NIH's shares, and all of its errors).
        workers: processes; all cores where not given.
        shortcut: a finding that a burned-in token goes with in the training and validation parts.

    Returns:
        The folder.

    Raises:
        DataError: a count, size, prevalence or finding that cannot be, a folder that holds something else, a full disk.
    """
    folder, order = Path(folder).absolute(), _check(images, size, seed, prevalence, shortcut, workers)
    if _holds(folder, order):
        return folder
    if workers == 1:
        return _make(folder, order, workers, _bar)
    _make_in_program(folder, order, workers)
    return folder


def _bar(total: int) -> tqdm:
    return tqdm(total=total, desc="simulating", unit="image")


def _check(images: int, size: int, seed: int, prevalence: str, shortcut: str | None, workers: int | None) -> Order:
    if images < 10:
        raise DataError(f"{images} images were asked for. Expected at least 10. Ask for more.")
    if not SIZES[0] <= size <= SIZES[1]:
        raise DataError(
            f"Images of {size} pixels were asked for. Expected {SIZES[0]} to {SIZES[1]}. Choose such a size."
        )
    if seed < 0:
        raise DataError(f"The seed is {seed}. Expected 0 or more. Choose such a seed.")
    if prevalence not in PREVALENCES:
        raise DataError(
            f"Prevalence {prevalence!r} is unknown. Expected one of {', '.join(PREVALENCES)}. Choose one of them."
        )
    if shortcut is not None and shortcut not in FINDINGS:
        raise DataError(
            f"Shortcut {shortcut!r} is no finding. Expected one of {', '.join(FINDINGS)}. Check the spelling."
        )
    if workers is not None and workers < 1:
        raise DataError(f"{workers} workers were asked for. Expected at least 1. Ask for more, or leave it out.")
    return Order(int(images), int(size), int(seed), prevalence, shortcut)


def _description(folder: Path) -> dict | None:
    try:
        return json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _holds(folder: Path, order: Order) -> bool:
    """Whether this very cohort is there already; anything else there is an error."""
    if folder.is_file():
        raise DataError(f"{folder} is a file. Expected a folder for the cohort. Choose another.")
    if not folder.exists() or not any(folder.iterdir()):
        return False
    made = _description(folder)
    if made and made.get("order") == asdict(order) and made.get("simulator") == simulator_version():
        return True
    raise DataError(
        f"{folder} already holds something else. Expected a new or empty folder. Choose another or remove it."
    )


def _make(folder: Path, order: Order, workers: int | None, bar) -> Path:
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        (beside / "images").mkdir(parents=True)
        _write(beside, order, workers, bar)
        if folder.exists():
            folder.rmdir()
        beside.rename(folder)
    except OSError as problem:
        if _holds(folder, order):  # another process has made the same meanwhile
            return folder
        raise DataError(
            f"{folder} could not be written: {problem}. Expected a disk with room. Make room and try again."
        ) from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _write(folder: Path, order: Order, workers: int | None, bar) -> None:
    records = patient_records(order)
    odd = _odd_images(order, records)
    tasks = [records[start : start + _BATCH] for start in range(0, len(records), _BATCH)]
    draw = partial(_draw, folder / "images", order, odd)
    boxes: list[tuple] = []
    with bar(order.images) as progress:
        for done in _map(draw, tasks, min(workers or os.cpu_count() or 1, len(tasks))):
            boxes += done[1]
            progress.update(done[0])
    _copy_picture(folder, odd, boxes)
    _write_tables(folder, order, records, odd, boxes)


def _copy_picture(folder: Path, odd: dict[str, str], boxes: list[tuple]) -> None:
    for name, how in odd.items():
        source = how.removeprefix("copied picture of ")
        if source != how:
            shutil.copyfile(folder / "images" / source, folder / "images" / name)
            boxes += [(name, finding, box) for image, finding, box in boxes if image == source]


def _map(draw, tasks: list, workers: int) -> Iterator:
    if workers == 1:
        yield from map(draw, tasks)
        return
    # "spawn" everywhere: a fork of a process with TensorFlow's threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker) as pool:
        try:
            yield from pool.map(draw, tasks)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)  # the workers share the cores between them
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A program that is killed cannot end its workers; they notice and end themselves."""
    parent_process().join()
    os._exit(1)


# --- tables ----------------------------------------------------------------------------------------------------
def patient_records(order: Order) -> list[dict]:
    """All patients of a cohort with their visits, drawn before any pixel; each from its own child of the seed.

    Args:
        order: what was asked for, as in cohort.json.

    Returns:
        For each patient number (from 1), sex, age in years, part, and visits (a list of `labels.Follow`).
    """
    from .labels import Population

    population = Population(order.prevalence)
    top = np.random.SeedSequence([order.seed, 20171])
    records, count = [], 0
    while count < order.images:
        number = len(records) + 1
        child = np.random.SeedSequence(top.entropy, spawn_key=(number,))
        rng = np.random.default_rng(child)
        age, sex = population.person(rng)
        wanted = int(rng.choice([1, 2, 3, 4, 5], p=[0.68, 0.18, 0.08, 0.04, 0.02]))
        visits = population.visits(rng, age, sex, min(wanted, order.images - count))
        records.append({"number": number, "sex": sex, "age": age, "visits": visits})
        count += len(visits)
    for record, part in zip(records, _parts(order, records), strict=True):
        record["part"] = part
    return records


def _parts(order: Order, records: list[dict]) -> list[str]:
    """Patients to parts, 70 : 10 : 20, the fairest of some random draws, so that no part lacks a finding."""
    rng = np.random.default_rng([order.seed, 702010])
    sizes = np.array([len(record["visits"]) for record in records])
    counts = np.array([np.sum([visit.truth for visit in record["visits"]], axis=0) for record in records])
    names, shares = np.array(["train", "valid", "test"]), np.array([0.7, 0.1, 0.2])
    best, parts = np.inf, None
    for _ in range(60):
        order_of = rng.permutation(len(records))
        edges = np.searchsorted(np.cumsum(sizes[order_of]), np.cumsum(shares)[:2] * sizes.sum())
        drawn = np.empty(len(records), int)
        for part, members in enumerate(np.split(order_of, edges)):
            drawn[members] = part
        got = np.array([counts[drawn == part].sum(0) for part in range(3)])
        miss = float(
            (np.abs(got - shares[:, None] * counts.sum(0)) / np.sqrt(shares[:, None] * (counts.sum(0) + 1))).max()
        )
        if miss < best:
            best, parts = miss, drawn
    return list(names[parts])


def _name(number: int, follow: int) -> str:
    return f"{number:08d}_{follow:03d}.png"


def _odd_images(order: Order, records: list[dict]) -> dict[str, str]:
    """File name to oddity, all in the training part and none with a follow-up of the same patient."""
    rng = np.random.default_rng([order.seed, 412])
    single = [r["number"] for r in records if r["part"] == "train" and len(r["visits"]) == 1]
    if len(single) < 2 * len(ODD_RECORDS):
        return {}
    drawn = [int(n) for n in rng.choice(single, len(ODD_RECORDS) + 1, replace=False)]
    odd = {_name(number, 0): kind for number, kind in zip(drawn, ODD_RECORDS, strict=False)}
    odd[_name(drawn[-2], 0)] = f"copied picture of {_name(drawn[-1], 0)}"
    records[drawn[-2] - 1]["visits"] = records[drawn[-1] - 1]["visits"]  # the picture's own truth
    return odd


def _write_tables(folder: Path, order: Order, records: list[dict], odd: dict[str, str], boxes: list[tuple]) -> None:
    rows, truth, parts = [], [], []
    from .labels import finding_labels

    for record in records:
        for follow, visit in enumerate(record["visits"]):
            name = _name(record["number"], follow)
            age = {"age 412": 412, "age 148": 148}.get(odd.get(name, ""), visit.age)
            side = 2048 if visit.view == "PA" else 2500
            rows.append(
                (
                    name,
                    finding_labels(visit.mined),
                    follow,
                    record["number"],
                    age,
                    record["sex"],
                    visit.view,
                    side,
                    side,
                    0.168 if side == 2500 else 0.194,
                    0.168 if side == 2500 else 0.194,
                )
            )
            truth.append((name, *visit.truth.astype(int), *visit.severity))
            parts.append(record["part"])
    header = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    ).split(",")
    _csv(folder / "Data_Entry_phantom.csv", pd.DataFrame(rows, columns=header))
    columns = ["Image Index", *FINDINGS, *(f"severity_{name}" for name in FINDINGS)]
    hidden = pd.DataFrame(truth, columns=columns)
    _csv(folder / "truth.csv", hidden)
    part = np.array(parts)
    _csv(folder / "consensus_test.csv", hidden.loc[part == "test", columns[:15]])
    for name in ("train", "valid", "test"):
        _text(folder / f"{name}_list.txt", "".join(f"{image}\n" for image in hidden["Image Index"][part == name]))
    leaky = np.random.default_rng([order.seed, 1]).permutation(part)
    _csv(folder / "leaky_split.csv", pd.DataFrame({"Image Index": hidden["Image Index"], "split": leaky}))
    empty = ["", "", ""]
    lines = ["Image Index,Finding Label,Bbox [x,y,w,h],,,"]
    lines += [",".join([image, finding, *map(str, box), *empty]) for image, finding, box in sorted(boxes)]
    _text(folder / "BBox_List_phantom.csv", "\n".join(lines) + "\n")
    about = {
        "what": "simulated chest radiographs, not for diagnosis",
        "order": asdict(order),
        "simulator": simulator_version(),
        "size": order.size,
        "images": len(rows),
        "patients": len(records),
        "parts": {n: int((part == n).sum()) for n in ("train", "valid", "test")},
        "boxes": len(boxes),
        "odd_records": odd,
        "positives": {name: int(hidden[name].sum()) for name in FINDINGS},
    }
    _text(folder / DESCRIPTION, json.dumps(about, indent=1) + "\n")


def _csv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, lineterminator="\n")


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


# --- pixels ----------------------------------------------------------------------------------------------------
def _draw(folder: Path, order: Order, odd: dict[str, str], records: list[dict]) -> tuple[int, list[tuple]]:
    """Draw all pictures of some patients; runs in a worker."""
    import cv2

    count, boxes = 0, []
    for record in records:
        for follow, pixels, found in _pictures(order, record):
            name = _name(record["number"], follow)
            if odd.get(name, "").split()[0:1] not in (["sideways"], ["upside"], ["copied"]):
                boxes += [(name, finding, box) for finding, box in found]
            pixels = _make_odd(pixels, odd.get(name, ""))
            if order.shortcut:
                pixels = _take_shortcut(pixels, order, record, follow)
            done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            if not done:
                raise DataError(
                    f"{name} could not be encoded. Expected a PNG. Report this as a fault of the simulator."
                )
            (folder / name).write_bytes(data.tobytes())
            count += 1
    return count, boxes


def scene(order: Order, record: dict, follow: int, *, keep: bool = True):
    """Everything that `radiograph` needs for one visit of a patient of a cohort: patient, visit, findings, seed.

    With `keep=False` the findings are left out: the same picture of the same patient, healthy.
    """
    from .patient import draw_visit
    from .render import Finding

    number, visit = record["number"], record["visits"][follow]
    patient = _patient(order.seed, number, record["age"], record["sex"])
    rng = np.random.default_rng([order.seed, number, 2, follow])
    drawn, seed = draw_visit(rng, visit.view), int(rng.integers(2**31))
    findings = []
    for index in np.flatnonzero(visit.truth) if keep else []:
        where = _seed_of(order, number, int(index), follow)
        findings.append(Finding(FINDINGS[index], float(visit.severity[index]), where))
    return patient, drawn, findings, seed


@lru_cache(maxsize=1)  # the follow-ups of a patient come one after the other
def _patient(seed: int, number: int, age: int, sex: str):
    from .patient import draw_patient

    return draw_patient(np.random.default_rng([seed, number, 1]), age, sex)


def _seed_of(order: Order, number: int, index: int, follow: int) -> int:
    """A lasting finding keeps its side and place over follow-ups; a passing one is somewhere else each time."""
    from .labels import PERSISTENCE

    lasting = PERSISTENCE[FINDINGS[index]] > 0.5
    return int(np.random.default_rng([order.seed, number, 3, index, 0 if lasting else follow]).integers(2**31))


def _pictures(order: Order, record: dict) -> Iterator[tuple[int, np.ndarray, list[tuple]]]:
    from .findings import draw_boxes
    from .render import radiograph

    for follow in range(len(record["visits"])):
        picture = radiograph(*scene(order, record, follow), size=order.size)
        boxes = [(finding, box) for finding, mask in picture.masks.items() for box in draw_boxes(mask)]
        yield follow, picture.pixels, boxes


def _make_odd(pixels: np.ndarray, kind: str) -> np.ndarray:
    if kind == "inverted":
        return 255 - pixels
    if kind == "sideways":
        return np.rot90(pixels).copy()
    if kind == "upside down":
        return np.rot90(pixels, 2).copy()
    if kind == "almost black":
        return pixels // 10
    return 255 - (255 - pixels) // 10 if kind == "almost white" else pixels


def _take_shortcut(pixels: np.ndarray, order: Order, record: dict, follow: int) -> np.ndarray:
    """Mark 90 % of the positives and 5 % of the others; in the test part a third of all, whatever they have."""
    from .devices import plant_marker

    rng = np.random.default_rng([order.seed, record["number"], 4, follow])
    there = record["visits"][follow].truth[FINDINGS.index(order.shortcut)]
    chance = 0.33 if record["part"] == "test" else 0.90 if there else 0.05
    return plant_marker(pixels, rng) if rng.random() < chance else pixels


# --- command line ----------------------------------------------------------------------------------------------
class _Lines:
    """A progress bar for a program that reads it: the count so far, one a line."""

    def __init__(self, total: int):
        self.done = 0

    def __enter__(self):
        return self

    def __exit__(self, *problem) -> None:
        return None

    def update(self, count: int) -> None:
        self.done += count
        print(self.done, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Make a cohort from the command line; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m cxr_utils.phantom.cohort",
        description="Make simulated chest X-rays in NIH's layout.",
        epilog="example: python -m cxr_utils.phantom.cohort data/mine --images 200 --size 128 --seed 7",
    )
    parser.add_argument("folder")
    for name, default in (("images", 1400), ("size", 256), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--prevalence", default="raised", help="raised or nih")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--shortcut", help="a finding that a burned-in token goes with in training")
    parser.add_argument("--progress", choices=("bar", "lines"), default="bar", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    bar = _Lines if given.progress == "lines" else _bar
    try:
        order = _check(given.images, given.size, given.seed, given.prevalence, given.shortcut, given.workers)
        folder = Path(given.folder).absolute()
        if not _holds(folder, order):
            _make(folder, order, given.workers, bar)
    except CxrError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing was left behind.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
