"""Do two checkouts compute the same? Weights and predictions to the bit, figures of `cxr evaluate`, claims of a run.

    git worktree add ../before 064f0fa
    python benchmarks/same_results.py ../before . --recipes xray-vision lite0-transfer

Only the command `cxr` is used, so that the two may be arranged in any way. Both make the simulated data set and
train in folders of their own. A line that begins with MISSED names a difference, and the exit status is 1.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np

RECIPES = ("xray-vision", "normal-abnormal", "lite0-head", "lite0-transfer")
PICTURES = 40


def cxr(checkout: Path, *arguments: object) -> str:
    """What the command of a checkout prints."""
    module, function = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["scripts"]["cxr"].split(":")
    program = f"import sys; sys.argv[0] = 'cxr'; from {module} import {function}; {function}()"
    environment = os.environ | {"PYTHONPATH": str(checkout), "CXR_HOME": str(checkout), "TQDM_DISABLE": "1"}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def results(checkout: Path, recipe: str, folder: Path, seed: int) -> dict[str, object]:
    """Weights, predictions for some files, and all figures of the evaluation of one network."""
    cxr(checkout, "train", "--recipe", recipe, "--seed", seed, "--out", folder, "--json")
    files = sorted((checkout / "data/phantom" / f"quick-seed{seed}" / "images").glob("*.png"))[:PICTURES]
    predicted = json.loads(cxr(checkout, "predict", *files, "--model", folder, "--json"))
    with np.load(folder / "weights.npz") as stored:
        weights = {name: stored[name].tobytes() for name in stored.files}
    return {
        "weights": weights,
        "predictions": [record["probabilities"] for record in predicted],
        "figures": json.loads(cxr(checkout, "evaluate", folder, "--seed", seed, "--json")) | {"version": ""},
    }


def claims(checkout: Path) -> list[str]:
    """What the lessons of the checkout's last run on the simulated data have claimed, and their headlines."""
    lines = []
    for path in sorted((checkout / "runs/phantom-quick-seed0").glob("[0-9]*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            printed = ["".join(output.get("text", "")) for output in cell.get("outputs", [])]
            lines += [line for line in "".join(printed).splitlines() if re.match(r". claim: |headline: ", line)]
    return lines


def report(what: str, before: object, after: object) -> bool:
    """Print whether two results are the same."""
    same = before == after and bool(before)
    print(f"{'same' if same else 'MISSED: differ'}: {what}", flush=True)
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--recipes", nargs="*", default=RECIPES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--claims", action="store_true", help="also of both last runs (`cxr run`)")
    asked = parser.parse_args()
    checkouts, agreed = [asked.before.resolve(), asked.after.resolve()], []
    for recipe in asked.recipes:
        with tempfile.TemporaryDirectory() as folder:
            before, after = (
                results(checkout, recipe, Path(folder) / str(number), asked.seed)
                for number, checkout in enumerate(checkouts)
            )
        agreed += [report(f"{recipe}, {what}", before[what], after[what]) for what in before]
    if asked.claims:
        agreed.append(report("claims of all lessons", *map(claims, checkouts)))
    sys.exit(not all(agreed))


if __name__ == "__main__":
    main()
