"""Mutation testing: how many small errors, planted in a room of the package, do the room's tests notice?

    python course.py mutants                           60 mutants a room
    python course.py mutants --rooms data --number 0   every mutant of one room

mutmut writes the mutants and notes which tests call which function; `[tool.mutmut]` in pyproject.toml says what is not
mutated, and why. Each mutant of a seeded sample is then judged by tests in a process of its own, because a process
that has used TensorFlow hangs when it is forked. All of this happens in a temporary copy.
"""

import argparse
import contextlib
import difflib
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = ("data", "training", "evaluation", "heatmaps")
REQUIRED = 85  # percent
MUTMUT = Path(sys.executable).with_name("mutmut")
PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]


class Room(NamedTuple):
    """A copy of the project with all mutants of one room in it."""

    folder: Path
    mutants: dict[str, list[str]]  # file -> names
    seconds: dict[str, float]  # test -> how long it took on the code as it is
    tests: dict[str, list[str]]  # function -> tests that call it


def environment(folder: Path) -> dict[str, str]:
    """Variables under which tests run in the copy: its package comes first, and bytecode is kept, for speed."""
    here = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    here.setdefault("CXR_REAL_DATA", str(REPOSITORY.parent / "shared" / "real"))
    return here | {"PYTHONPATH": str(folder / "mutants"), "CXR_CACHE": str(folder / "cache")}


def prepare(room: str, folder: Path) -> Room:
    """Copy what git knows of the project, let mutmut write the room's mutants and run its tests once."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.splitlines():
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    settings = f'only_mutate = ["cxr_utils/{room}/*"]\npytest_add_cli_args_test_selection = ["tests/{room}"]\n'
    project = folder / "pyproject.toml"
    project.write_text(project.read_text().replace("[tool.mutmut]\n", f"[tool.mutmut]\n{settings}"))
    mutated = folder / "mutants"
    mutated.mkdir()  # before Python starts, which does not look again into a folder that was missing
    # No mutant has that name, so mutmut ends with an error after both steps; it has no command for them alone.
    command = [MUTMUT, "run", "--max-children", "1", "none of them"]
    log = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    if not (mutated / "mutmut-stats.json").exists():
        sys.exit(f"{room}: mutmut did not get through the tests.\n{log.stdout[-3000:]}{log.stderr[-3000:]}")
    found = json.loads((mutated / "mutmut-stats.json").read_text())
    files = {str(path.relative_to(mutated).with_suffix("")): path for path in sorted(mutated.rglob("*.py.meta"))}
    mutants = {name: list(json.loads(path.read_text())["exit_code_by_key"]) for name, path in files.items()}
    return Room(folder, mutants, found["duration_by_test"], found["tests_by_mangled_function_name"])


def sample(mutants: Mapping[str, Sequence[str]], number: int, seed: int) -> list[str]:
    """Take so many mutants (0: all) at equal steps along the files, so that each file has its share."""
    chance = random.Random(seed)
    everything = [name for names in mutants.values() for name in chance.sample(names, len(names))]
    number, start = min(number or len(everything), len(everything)), chance.random()
    return [everything[int((step + start) * len(everything) / number)] for step in range(number)]


def run_tests(room: Room, mutant: str, tests: Sequence[str]) -> str:
    """Run tests against one mutant until one fails, then end whatever processes they left behind."""
    limit = 60 + 5 * sum(room.seconds[test] for test in tests)
    with tempfile.TemporaryDirectory(dir=room.folder, ignore_cleanup_errors=True) as own:
        variables = environment(room.folder) | {"MUTANT_UNDER_TEST": mutant, "CXR_CACHE": f"{own}/cache"}
        command = [*PYTEST, f"--basetemp={own}/tests", *tests]
        options = {"cwd": room.folder / "mutants", "env": variables, "start_new_session": True}
        process = subprocess.Popen(command, **options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            return "timed out"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if status in (4, 5):
        raise RuntimeError(f"pytest did not find the tests for {mutant} (exit status {status}).")
    return "killed" if status else "survived"


def judge(room: Room, mutant: str) -> str:
    """Run the tests that call the mutated function, then the room's others.

    The others can matter too: what a fixture calls counts only for the first test that uses it, and what a test
    calls in another process does not count at all.
    """
    own = set(room.tests.get(mutant.rpartition("__mutmut_")[0], ())) & set(room.seconds)
    verdicts = (run_tests(room, mutant, sorted(tests)) for tests in (own, set(room.seconds) - own) if tests)
    return next((verdict for verdict in verdicts if verdict != "survived"), "survived")


def difference(room: Room, mutant: str) -> str:
    """Where a mutant is, as file:line, and its diff."""
    file = next(file for file, names in room.mutants.items() if mutant in names)
    path = room.folder / file
    before = path.read_text()
    subprocess.run([MUTMUT, "apply", mutant], cwd=room.folder, check=True)
    after = path.read_text()
    path.write_text(before)
    _, _, place, *lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n    ".join([f"{file}:{place.split()[1].lstrip('-').partition(',')[0]}", *lines])


def measure(name: str, number: int, seed: int, jobs: int) -> tuple[pd.Series, list[str]]:
    """Judge a sample of one room's mutants: the number of each verdict, and the survivors described."""
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        print(f"{name}: writing mutants and running the tests once ...", flush=True)
        room = prepare(name, Path(folder))
        chosen = sample(room.mutants, number, seed)
        verdicts: dict[str, str] = {}
        pool = ThreadPoolExecutor(jobs)
        try:
            for mutant, verdict in zip(chosen, pool.map(functools.partial(judge, room), chosen), strict=True):
                verdicts[mutant] = verdict
                print(f"{name} {len(verdicts)}/{len(chosen)}: {verdict} {mutant}", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)
        survivors = [difference(room, mutant) for mutant, verdict in verdicts.items() if verdict == "survived"]
        return pd.Series(verdicts).value_counts(), survivors


def main() -> int:
    """Measure each room, print the survivors and the table; 1 when a room is below what is required."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=ROOMS)
    parser.add_argument("--number", type=int, default=60, help="mutants a room; 0 for all (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="another seed takes other mutants")
    parser.add_argument("--jobs", type=int, default=2, help="mutants judged at the same time")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the copy is removed
    results = {room: measure(room, asked.number, asked.seed, asked.jobs) for room in asked.rooms}
    for room, (_, survivors) in results.items():
        print(f"\nSurvivors in {room}: {len(survivors)}", *survivors, sep="\n")
    table = pd.DataFrame({room: counts for room, (counts, _) in results.items()}).T
    table = table.reindex(columns=["killed", "survived", "timed out"]).fillna(0).astype(int)
    table.insert(0, "planted", table.sum(axis=1))
    table["score in %"] = (100 * (1 - table["survived"] / table["planted"])).round(1)
    print(f"\n{table}")
    return int((table["score in %"] < REQUIRED).any())


if __name__ == "__main__":
    sys.exit(main())
