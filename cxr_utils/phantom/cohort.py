"""A whole cohort on disk in NIH's layout, made once, by several processes, and never half.

As a program, `python -m cxr_utils.phantom.cohort FOLDER --images 1400` makes one and prints how many images are done.
For people there is `cxr data phantom`.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import cv2
from filelock import FileLock
from tqdm import tqdm

from cxr_utils.cache import code_version, home
from cxr_utils.errors import CxrError, DataError

from .records import COPY, Box, Order, Record, draw_pictures, draw_records, write_tables, write_text

#: What `ensure_cohort` makes.
PROFILES = {"quick": {"images": 1400, "size": 256}, "full": {"images": 20_000, "size": 320}}
#: Its cohorts by name: the hospital, the share of the profile's images, and what is added to the seed, so that no
#: patient is in two of them. "phantom" is the course's own; "later" are other patients of the same hospital.
COHORTS = {
    "phantom": ("clinical-center", 1.0, 0),
    "phantom-later": ("clinical-center", 0.4, 1_000_000),
    "phantom-county": ("county", 0.4, 2_000_000),
}
DESCRIPTION = "cohort.json"  # written last: a folder without it is not a cohort
_BATCH = 12  # patients a task


def simulator_version() -> str:
    """Digest of the simulator's code, comments and docstrings aside.

    Another version makes other pixels, so a kept cohort is made again.

    Example:
        >>> len(simulator_version())
        12
    """
    files = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")
    return code_version(*(f"cxr_utils.phantom.{name}" for name in files))


def ensure_cohort(profile: str = "quick", seed: int = 0, name: str = "phantom") -> Path:
    """A data set of the course's own, made on first use and again when the simulator has changed.

    Two processes that ask at once make it once. The work is done by a separate program, so that it is safe in a
    notebook that has loaded TensorFlow, on Linux, macOS and Windows.

    Args:
        profile: "quick" (1,400 images of 256 pixels) or "full" (20,000 of 320).
        seed: another seed, other patients.
        name: one of `COHORTS`.

    Returns:
        The folder `data/phantom/<profile>-seed<seed>` of the checkout; of the others, with their name behind it.

    Raises:
        DataError: an unknown profile or name, or the cohort could not be made.

    Example:
        >>> ensure_cohort().name
        'quick-seed0'
    """
    if profile not in PROFILES:
        raise DataError(f"Profile {profile!r} is unknown. Expected one of {', '.join(PROFILES)}. Choose one of them.")
    if name not in COHORTS:
        raise DataError(f"Cohort {name!r} is unknown. Expected one of {', '.join(COHORTS)}. Choose one of them.")
    hospital, share, apart = COHORTS[name]
    images, size = round(share * PROFILES[profile]["images"]), PROFILES[profile]["size"]
    folder = home() / "data" / "phantom" / f"{profile}-seed{seed}{name.removeprefix('phantom')}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        made = description(folder)
        if made and made.get("simulator") == simulator_version():
            return folder
        if folder.exists():
            print(f"{folder.name}: made by another version of the simulator; making it again.", file=sys.stderr)
            shutil.rmtree(folder)
        for stale in folder.parent.glob(f".{folder.name}.*.tmp"):  # of a process that was killed
            shutil.rmtree(stale, ignore_errors=True)
        make_cohort(folder, seed=seed + apart, images=images, size=size, hospital=hospital)
    return folder


def _make_in_program(folder: Path, order: Order, workers: int | None) -> None:
    """Run this module as a program: its workers need nothing of the notebook or script that asks."""
    options = {**asdict(order), "workers": workers}
    command = [sys.executable, "-m", "cxr_utils.phantom.cohort", str(folder)]
    command += [f"--{name}={value}" for name, value in options.items() if value is not None]
    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    problem = ""
    try:
        with tqdm(total=order.images, desc=f"simulating {folder.name}", unit="image") as bar:
            for line in map(str.strip, program.stdout or ()):
                if line.isdigit():
                    bar.update(int(line) - bar.n)
                else:
                    problem = line or problem
    except BaseException:
        _stop(program)
        raise
    if program.wait():
        last = problem or f"exit status {program.returncode}."
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
    hospital: str = "clinical-center",
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
        hospital: "clinical-center", after NIH's patients, or "county": others, on another machine.

    Returns:
        The folder.

    Raises:
        DataError: a count, size, prevalence, finding or hospital that cannot be, a folder that holds something else, a
            full disk.

    Example:
        >>> import tempfile
        >>> folder = make_cohort(tempfile.mkdtemp(), images=20, size=64, workers=1)
        >>> len(list((folder / "images").iterdir()))
        20
    """
    order = Order(int(images), int(size), int(seed), prevalence, shortcut, hospital)
    folder = Path(folder).absolute()
    if workers is not None and workers < 1:
        raise DataError(f"{workers} workers were asked for. Expected at least 1. Ask for more, or leave it out.")
    if _holds(folder, order):
        return folder
    if workers == 1:
        with tqdm(total=order.images, desc="simulating", unit="image") as bar:
            _make(folder, order, workers, lambda done: bar.update(done - bar.n))
    else:
        _make_in_program(folder, order, workers)
    return folder


def description(folder: Path) -> dict | None:
    """What cohort.json says of a folder, or None where there is none."""
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
    made = description(folder)
    if made and made.get("order") == asdict(order) and made.get("simulator") == simulator_version():
        return True
    raise DataError(
        f"{folder} already holds something else. Expected a new or empty folder. Choose another or remove it."
    )


def _make(folder: Path, order: Order, workers: int | None, report: Callable[[int], object]) -> None:
    """Make a cohort beside its place and then give it its name; `report` is told how many images are done."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        (beside / "images").mkdir(parents=True)
        _write(beside, order, workers, report)
        if folder.exists():
            folder.rmdir()
        beside.rename(folder)
    except OSError as problem:
        if not _holds(folder, order):  # otherwise another process has made the same meanwhile
            raise DataError(
                f"{folder} could not be written: {problem}. Expected a disk with room. Make room and try again."
            ) from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(folder: Path, order: Order, workers: int | None, report: Callable[[int], object]) -> None:
    records, odd = draw_records(order)
    tasks = [records[start : start + _BATCH] for start in range(0, len(records), _BATCH)]
    draw = partial(draw_pictures, folder / "images", order, odd)
    boxes: list[Box] = []
    done = 0
    for count, found in _map(draw, tasks, min(workers or os.cpu_count() or 1, len(tasks))):
        boxes += found
        done += count
        report(done)
    for name, how in odd.items():
        if how.startswith(COPY):
            source = how.removeprefix(COPY)
            shutil.copyfile(folder / "images" / source, folder / "images" / name)
            boxes += [(name, finding, box) for image, finding, box in boxes if image == source]
    counts = write_tables(folder, order, records, odd, boxes)
    about = {
        "what": "simulated chest radiographs, not for diagnosis",
        "order": asdict(order),
        "simulator": simulator_version(),
        "size": order.size,
    }
    write_text(folder / DESCRIPTION, json.dumps(about | counts, indent=1) + "\n")


def _map(
    draw: Callable[[list[Record]], tuple[int, list[Box]]], tasks: list[list[Record]], workers: int
) -> Iterator[tuple[int, list[Box]]]:
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
    cv2.setNumThreads(1)  # the workers share the cores between them
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A program that is killed cannot end its workers; they notice and end themselves."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def main(arguments: list[str] | None = None) -> int:
    """Make a cohort from the command line; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m cxr_utils.phantom.cohort",
        description="Make simulated chest X-rays in NIH's layout.",
        epilog="example: python -m cxr_utils.phantom.cohort data/mine --images 200 --size 128 --seed 7",
    )
    parser.add_argument("folder", type=Path)
    for name, default in (("images", 1400), ("size", 256), ("seed", 0), ("workers", None)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--prevalence", default="raised", help="raised or nih")
    parser.add_argument("--shortcut", help="a finding that a burned-in token goes with in training")
    parser.add_argument("--hospital", default="clinical-center", help="clinical-center or county")
    given = parser.parse_args(arguments)
    try:
        order = Order(given.images, given.size, given.seed, given.prevalence, given.shortcut, given.hospital)
        folder = given.folder.absolute()
        if not _holds(folder, order):
            _make(folder, order, given.workers, lambda done: print(done, flush=True))
    except CxrError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing was left behind.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
