"""How fast tables are read and leaks found, on the real collections. Run: python benchmarks/bench_tables.py

Prints the median of several runs beside the limit that issue 2 sets, and exits with 1 when one is missed.
"""

import contextlib
import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cxr_utils.data.leakage import leakage_table, near_duplicates
from cxr_utils.data.opening import open_dataset

REAL = Path(os.environ.get("CXR_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Time `work` several times, its notes kept off the screen."""
    times = []
    for _ in range(repeats):
        with contextlib.redirect_stdout(io.StringIO()):
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main() -> int:
    """Measure and print; returns the exit status."""
    if not REAL.is_dir():
        print(f"No real X-rays at {REAL}. Set CXR_REAL_DATA to their folder.")
        return 0
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
        met &= seconds <= limit
        print(f"{name:<50}{seconds:8.3f} s   limit {limit:g} s   {'met' if seconds <= limit else 'MISSED'}")
    print(f"near-duplicate throughput: {len(folders) / seconds:,.0f} images/s")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
