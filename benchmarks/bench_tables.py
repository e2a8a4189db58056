"""How fast tables are read and leaks found. Run: python benchmarks/bench_tables.py

Reads made-up tables of the size of three collections, NIH's with a file for each row, and then the real X-rays where
there are any. Prints the median of several runs beside the limits that issues 2 and 14 set, and exits with 1 when one
is missed. A table is opened in a process of its own, so that its memory can be told.
"""

import contextlib
import io
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.data.collections.chexpert import LABELS
from cxr_utils.data.leakage import leakage_table, near_duplicates
from cxr_utils.data.opening import open_dataset
from cxr_utils.data.schema import FINDINGS

REAL = Path(os.environ.get("CXR_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
#: Most memory, in MB, that reading a table may take.
MEMORY = 1500


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Time `work` several times, its notes kept off the screen."""
    times = []
    for _ in range(repeats):
        with contextlib.redirect_stdout(io.StringIO()):
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def make_nih(root: Path, rows: int, rng: np.random.Generator) -> None:
    """Write NIH's image table, its two lists and an empty file for each image, all in one folder."""
    patients = np.sort(rng.integers(1, 30806, rows))
    follow_up = pd.Series(patients).groupby(patients).cumcount()
    names = [f"{patient:08d}_{number:03d}.png" for patient, number in zip(patients, follow_up, strict=True)]
    several = rng.random((rows, len(FINDINGS))) < 0.06
    table = pd.DataFrame(
        {"Image Index": names, "Finding Labels": several @ np.array([f"{one}|" for one in FINDINGS], object)}
    )
    table["Finding Labels"] = table["Finding Labels"].str.rstrip("|").replace("", "No Finding")
    table["Follow-up #"], table["Patient ID"] = follow_up, patients
    table["Patient Age"], table["Patient Gender"] = rng.integers(1, 95, rows), rng.choice(["F", "M"], rows)
    table["View Position"] = rng.choice(["PA", "AP"], rows)
    table.to_csv(root / "Data_Entry_2017.csv", index=False)
    for part, chosen in (("train_val", patients % 5 > 0), ("test", patients % 5 == 0)):
        table["Image Index"][chosen].to_csv(root / f"{part}_list.txt", index=False, header=False)
    (root / "images").mkdir()
    for name in names:
        (root / "images" / name).touch()


def _mined(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Labels as a program mines them from reports: mostly empty, some uncertain."""
    values = rng.choice([1.0, 0.0, -1.0, np.nan], (rows, len(LABELS)), p=[0.15, 0.1, 0.05, 0.7])
    return pd.DataFrame(values, columns=list(LABELS))


def make_chexpert(root: Path, rows: int, rng: np.random.Generator) -> None:
    """Write train.csv and valid.csv; no picture and, as published, no test part."""
    patients = np.sort(rng.integers(1, 64541, rows))
    study = pd.Series(patients).groupby(patients).cumcount() + 1
    lateral = rng.random(rows) < 0.14
    view = np.where(lateral, "lateral", "frontal")
    paths = [
        f"CheXpert-v1.0/{{part}}/patient{patient:05d}/study{number}/view1_{seen}.jpg"
        for patient, number, seen in zip(patients, study, view, strict=True)
    ]
    table = pd.DataFrame(
        {"Path": paths, "Sex": rng.choice(["Female", "Male"], rows), "Age": rng.integers(18, 91, rows)}
    )
    table["Frontal/Lateral"] = np.where(lateral, "Lateral", "Frontal")
    table["AP/PA"] = np.where(lateral, "", rng.choice(["AP", "PA"], rows))
    table = pd.concat([table, _mined(rows, rng)], axis=1)
    for part, rest in (("train", table[:-234]), ("valid", table[-234:])):
        rest = rest.assign(Path=rest["Path"].str.replace("{part}", part, regex=False))
        rest.to_csv(root / f"{part}.csv", index=False)


def make_mimic(root: Path, rows: int, rng: np.random.Generator) -> None:
    """Write metadata, split and labels, gzipped as published; no picture."""
    studies = np.sort(rng.integers(0, 227827, rows))
    subjects = 10000032 + studies // 4 * 150
    names = [f"{one:08x}-{other:08x}-{one:08x}-{other:08x}" for one, other in enumerate(rng.permutation(rows))]
    table = pd.DataFrame({"dicom_id": names, "subject_id": subjects, "study_id": 50000000 + studies})
    table["PerformedProcedureStepDescription"] = "CHEST (PA AND LAT)"
    table["ViewPosition"] = rng.choice(["PA", "AP", "LATERAL", "LL", ""], rows, p=[0.26, 0.39, 0.22, 0.09, 0.04])
    table["Rows"], table["Columns"], table["StudyDate"], table["StudyTime"] = 3056, 2544, 21800506, 213014.531
    part = np.array(["train", "validate", "test"])[rng.choice(3, 60000, p=[0.98, 0.01, 0.01])][studies // 4]
    ids = table[["subject_id", "study_id"]].drop_duplicates(ignore_index=True)
    tables = {
        "metadata": table,
        "split": table[["dicom_id", "study_id", "subject_id"]].assign(split=part),
        "chexpert": pd.concat([ids, _mined(len(ids), rng)], axis=1),
    }
    for name, rest in tables.items():
        rest.to_csv(
            root / f"mimic-cxr-2.0.0-{name}.csv.gz", index=False, compression={"method": "gzip", "compresslevel": 1}
        )


#: What to write, its rows, and the most seconds that reading it may take.
MADE = {"nih": (make_nih, 112_120, 1.0), "chexpert": (make_chexpert, 224_316, 3.0), "mimic": (make_mimic, 377_110, 6.0)}


def opened(root: Path) -> tuple[float, float, float]:
    """Median seconds of opening a folder, mean seconds of a processor, and this process's largest size in MB."""
    begin = time.process_time()
    seconds = median_seconds(lambda: open_dataset(root), 5)
    return seconds, (time.process_time() - begin) / 5, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_made() -> bool:
    """Write, open and report each made-up collection; tells whether all limits are met."""
    met = True
    print(f"Load of the machine before: {os.getloadavg()[0]:.1f}")
    for name, (make, rows, limit) in MADE.items():
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), rows, np.random.default_rng(0))
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
                seconds, busy, megabytes = alone.submit(opened, Path(folder)).result()
        met &= report(f"open {rows:,} rows like {name}'s", seconds, limit)
        met &= megabytes <= MEMORY
        print(
            f"  of which a processor worked {busy:.3f} s; largest size {megabytes:.0f} MB, limit {MEMORY} MB",
            flush=True,
        )
    return met


def report(name: str, seconds: float, limit: float) -> bool:
    """Print one line; tells whether the limit is met."""
    print(f"{name:<50}{seconds:8.3f} s   limit {limit:g} s   {'met' if seconds <= limit else 'MISSED'}", flush=True)
    return seconds <= limit


def measure_real() -> bool:
    """Time reading and searching the real collections; tells whether all limits are met."""
    with contextlib.redirect_stdout(io.StringIO()):
        nih, folders = open_dataset(REAL / "nih"), open_dataset(REAL / "pneumonia")
    rows = [
        (f"open NIH, {len(nih):,} rows, into the contract", lambda: open_dataset(REAL / "nih"), 7, 1.0),
        ("leakage report of that table", lambda: leakage_table(nih.table), 15, 0.1),
        (f"near-duplicates among {len(folders):,} X-rays", lambda: near_duplicates(folders), 3, 5.0),
    ]
    met = True
    for name, work, repeats, limit in rows:
        seconds = median_seconds(work, repeats)
        met &= report(name, seconds, limit)
    print(f"near-duplicate throughput: {len(folders) / seconds:,.0f} images/s")
    return met


def main() -> int:
    """Measure and print; returns the exit status."""
    met = measure_made()
    if not REAL.is_dir():
        print(f"No real X-rays at {REAL}. Set CXR_REAL_DATA to their folder.")
        return 0 if met else 1
    return 0 if measure_real() and met else 1


if __name__ == "__main__":
    sys.exit(main())
