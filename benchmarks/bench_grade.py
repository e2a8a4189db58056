"""A class of 40 hands lesson 03 in: seconds of `cxr grade`, and whether each broken notebook is named rightly.

    .venv/bin/python benchmarks/bench_grade.py

One notebook in ten is broken. Three classes, so that twelve ways of being broken come about.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import handed_in  # noqa: E402

from cxr_utils.course.grading.classroom import grade_class  # noqa: E402
from cxr_utils.course.grading.judge import Row  # noqa: E402
from cxr_utils.course.grading.sandbox import Limits  # noqa: E402
from cxr_utils.course.lessons import find_lessons  # noqa: E402

LEARNERS, BAR = 40, 600  # seconds, on two cores
WAYS = (
    "loops", "eats memory", "deletes files", "prints gigabytes",
    "opens the network", "a Word document", "cut short", "syntax error",
    "changed check cell", "ends its process", "leaves a child", "forges its verdict",
)  # fmt: skip


def named(way: handed_in.Broken, rows: list[Row]) -> bool:
    """Whether the rows of a broken notebook say what it is, and keep what is right in it."""
    statuses: dict[str, list[str]] = {}
    for row in rows:
        statuses.setdefault(row.status, []).append(row.exercise)
    told = any(re.search(way.words, f"{row.said} {row.remark}") for row in rows)
    return statuses == way.statuses and told and rows[0].check_cell in ("", way.check_cell)


def grade_one_class(names: tuple[str, ...], jobs: int) -> tuple[float, int, int]:
    """Seconds, how many of the broken are named rightly, and how many of the others have four right answers."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as victim:
        (Path(victim) / "kept.txt").write_text("kept")
        ways = {name: handed_in.broken(Path(victim))[name] for name in names}
        sound = {f"learner {number}": handed_in.written(handed_in.solved()) for number in range(LEARNERS - len(ways))}
        handed_in.hand_in(Path(folder), {name: way.content for name, way in ways.items()} | sound)
        start = time.perf_counter()
        lessons = find_lessons(handed_in.REPOSITORY)
        rows = grade_class(Path(folder), Path(folder), lessons, Limits(), jobs, say=lambda line: None)
        seconds = time.perf_counter() - start
        assert (Path(victim) / "kept.txt").read_text() == "kept"
    of = {name: [row for row in rows if row.who == name] for name in [*ways, *sound]}
    right = sum([row.status for row in of[name]] == ["right"] * 4 for name in sound)
    return seconds, sum(named(way, of[name]) for name, way in ways.items()), right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--classes", type=int, default=3)
    options = parser.parse_args()
    jobs, met = options.jobs, True
    for first in range(0, min(4 * options.classes, len(WAYS)), 4):
        names = WAYS[first : first + 4]
        before = sum(os.times()[:4])
        seconds, told, right = grade_one_class(names, jobs)
        met &= seconds <= BAR and told == len(names) and right == LEARNERS - len(names)
        computed = sum(os.times()[:4]) - before  # of this process and of those it has waited for
        print(f"{LEARNERS} notebooks, {jobs} at a time of {os.cpu_count()} cores: {seconds:.0f} s (bar {BAR})")
        print(f"  of which processors computed {computed:.0f} s; the rest is waiting, also for other programs")
        print(f"  named rightly: {told} of {len(names)} ({', '.join(names)}); others right: {right}", flush=True)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
