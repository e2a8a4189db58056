"""The whole quick sequence on the default data: lessons one after another, side by side, and once more from caches.

Each of the first two runs has a home of its own without data and cache, so both simulate and train everything; the
third repeats the second. Limits (two cores): side by side 8 minutes and 6 GB, all processes together, and 1.35 times as
fast as one after another; from caches 2 minutes. Seconds depend on the machine, the ratio does less so. What the
lessons found must be the same in all three.

`--only 01,02` tries the benchmark itself; `--jobs 3` is handed on to the two runs side by side.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

LIMITS = {"side by side": 480, "from caches": 120}
LEAST_RATIO, LIMIT_GB = 1.35, 6.0


def watch(program: subprocess.Popen, peak: list[int]) -> None:
    """Note the most memory that a program and all that it has started hold at once (pages in common count for each)."""
    while program.poll() is None:
        try:
            family = [psutil.Process(program.pid), *psutil.Process(program.pid).children(recursive=True)]
            peak.append(max(peak.pop(), sum(process.memory_info().rss for process in family)))
        except psutil.Error:  # one of them has just ended
            pass
        time.sleep(0.25)


def run(name: str, home: Path, arguments: list[str]) -> tuple[float, float, list]:
    """Seconds of one `cxr run`, start-up included, gigabytes, and what it found; says what each lesson took."""
    environment = {key: value for key, value in os.environ.items() if key != "CXR_CACHE"} | {"CXR_HOME": str(home)}
    command = [sys.executable, "-c", "from cxr_utils.commands.program import main; main()", "run", *arguments]
    out, peak = home / "runs" / name, [0]
    started = time.perf_counter()
    with subprocess.Popen([*command, "--out", str(out)], env=environment, stdout=subprocess.DEVNULL) as program:
        watching = threading.Thread(target=watch, args=(program, peak))
        watching.start()
        status = program.wait()
    seconds = time.perf_counter() - started
    watching.join()
    lessons = json.loads((out / "run.json").read_text())["lessons"]
    if status:
        raise SystemExit("\n".join(f"{lesson['lesson']}: {lesson['error']}" for lesson in lessons if lesson["error"]))
    parts = ", ".join(f"{lesson['lesson'][:2]}: {lesson['seconds']:.0f} s" for lesson in lessons)
    largest = max(lesson["peak_mb"] for lesson in lessons)
    limit = f" (limit {LIMITS[name]})" if name in LIMITS else ""
    gigabytes = peak[0] / 2**30
    print(f"{name}: {seconds:.0f} s{limit}, {gigabytes:.1f} GB together (limit {LIMIT_GB:.0f}); ", end="")
    print(f"largest lesson {largest} MB; {parts}", flush=True)
    return seconds, gigabytes, [(lesson["held"], lesson["failed"], lesson["headline"]) for lesson in lessons]


def main() -> int:
    """Print a line a run and the ratios; exit 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="lessons, separated by commas")
    parser.add_argument("--jobs", default="", help="lessons at once; as many as cores and memory allow")
    given = parser.parse_args()
    only, jobs = ["--only", given.only], ["--jobs", given.jobs]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        alone, _, found = run("one after another", Path(one), [*only, "--jobs", "1"])
        home = Path(other)
        together = {name: run(name, home, [*only, *jobs]) for name in LIMITS}
    ratio = alone / together["side by side"][0]
    print(f"side by side {ratio:.2f} times as fast as one after another (limit {LEAST_RATIO})")
    print(f"from caches over afresh: {together['from caches'][0] / together['side by side'][0]:.2f}")
    other_results = [name for name, (_, _, here) in together.items() if here != found]
    print("claims and headlines are the same" if not other_results else f"other results: {', '.join(other_results)}")
    missed = [name for name, (seconds, size, _) in together.items() if seconds > LIMITS[name] or size > LIMIT_GB]
    return int(bool(missed or other_results) or ratio < LEAST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
