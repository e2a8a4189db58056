"""`cxr predict` on one file, from the command to the answer, on every backend that is installed.

Run from the checkout: python benchmarks/bench_predict.py [--rounds 5]
The network is the course's own, `lite0-transfer` on the simulated data, written out once so that all backends open
the same one. Rounds take turns among the backends; printed are medians, and how far the answers differ. One call each
comes first and is not counted: what a backend compiles, it may keep. Limit (two cores): 4 s on the fastest.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cxr_utils.data.opening import open_dataset
from cxr_utils.networks.backend import installed
from cxr_utils.networks.recipes import recipe
from cxr_utils.training import fit

LIMIT = 4.0
COMMAND = [sys.executable, "-c", "from cxr_utils.commands.program import main; main()", "predict", "--json"]


def answer(backend: str, file: Path, model: Path) -> tuple[float, dict[str, float]]:
    """Seconds until one command has printed its answer, and the probabilities in it."""
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONUNBUFFERED": "1"}
    started = time.perf_counter()
    with subprocess.Popen([*COMMAND, file, "--model", model], env=environment, stdout=subprocess.PIPE) as program:
        said = program.stdout.readline()
        seconds = time.perf_counter() - started
    return seconds, json.loads(said)[0]["probabilities"]


def main() -> None:
    """Print seconds of each backend, and end with 1 when the fastest takes longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    backends = installed()
    dataset = open_dataset("phantom").with_images()
    file = dataset.path(dataset.part("test").table["image"].iloc[0])
    with tempfile.TemporaryDirectory() as folder:
        model = fit.train(recipe("lite0-transfer"), dataset).export(Path(folder) / "network").folder
        said = {name: answer(name, file, model)[1] for name in backends}
        rounds = [{name: answer(name, file, model)[0] for name in backends} for _ in range(asked.rounds)]
    seconds = {name: statistics.median(one[name] for one in rounds) for name in backends}
    for name, value in seconds.items():
        apart = max(abs(said[name][finding] - said[backends[0]][finding]) for finding in said[name])
        print(f"{name:12} {value:6.2f} s   apart from {backends[0]} by at most {apart:.1e}")
    fastest = min(seconds, key=lambda name: seconds[name])
    print(f"fastest: {fastest}, {seconds[fastest]:.2f} s (limit {LIMIT})")
    raise SystemExit(seconds[fastest] > LIMIT)


if __name__ == "__main__":
    main()
