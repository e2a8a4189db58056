"""The whole quick sequence on the default data: everything afresh, then once more with what is cached.

Runs `cxr run` twice in a copy of the course without data and cache. Limits (two cores): 6 minutes and 4 GB afresh,
3 minutes with caches. Absolute times depend on the machine; the ratio of the two runs does less so.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cxr_utils.cache import repository

LIMITS = {"afresh": 360, "cached": 180}
LIMIT_MB = 4096


def run_once(home: Path, name: str) -> tuple[float, list[dict]]:
    """Seconds of one `cxr run`, start-up included, and the results it recorded."""
    environment = {key: value for key, value in os.environ.items() if key != "CXR_CACHE"} | {"CXR_HOME": str(home)}
    command = [
        sys.executable,
        "-c",
        "from cxr_utils.commands.program import main; main()",
        "run",
        "--out",
        str(home / "runs" / name),
    ]
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    return seconds, json.loads((home / "runs" / name / "run.json").read_text())["lessons"]


def main() -> int:
    """Print a table; exit 1 when a limit is missed."""
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(repository() / "solutions", home / "solutions", ignore=shutil.ignore_patterns("*.ipynb"))
        shutil.copytree(repository() / "data" / "weights", home / "data" / "weights")
        times = {}
        for name, limit in LIMITS.items():
            times[name], lessons = run_once(home, name)
            peak = max(lesson["peak_mb"] for lesson in lessons)
            parts = ", ".join(f"{lesson['lesson'][:2]}: {lesson['seconds']:.0f} s" for lesson in lessons)
            print(f"{name}: {times[name]:.0f} s (limit {limit}), largest kernel {peak} MB (limit {LIMIT_MB}); {parts}")
            missed |= times[name] > limit or peak > LIMIT_MB
        print(f"cached over afresh: {times['cached'] / times['afresh']:.2f}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
