"""How fast a model is judged, beside the limits. Run: python benchmarks/bench_metrics.py [--repeats 3]

AUC with a 1,000-fold bootstrap over patients beside the same with a loop over scikit-learn, both at the size of the
official NIH test set: 25,596 images of 2,797 patients, 14 findings. The loop would take hours, so a tenth of the images
is resampled a few times and scaled; its line says so. Then the growth of that cost with the number of images, and the
command `cxr evaluate` with its report on NIH's real labels and made-up scores. Exits with 1 when a limit is missed.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from cxr_utils.data.opening import open_dataset
from cxr_utils.evaluation import published
from cxr_utils.evaluation.metrics import auc_table

REAL = Path(os.environ.get("CXR_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
IMAGES, PATIENTS, FINDINGS, REPLICATES = 25_596, 2_797, 14, 1_000


def simulate(images: int, patients: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of 0.2 to 20 % prevalence, scores with an AUC near 0.8, patients with many images."""
    generator = np.random.default_rng(seed)
    patient = np.sort(generator.integers(patients, size=images))
    prevalence = np.geomspace(0.002, 0.2, FINDINGS)
    truth = (generator.random((images, FINDINGS)) < prevalence).astype(np.int8)
    truth[:2] = [[0], [1]]
    return truth, truth * 1.2 + generator.normal(size=truth.shape), patient


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall-clock time of a call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def sklearn_replicate(truth: np.ndarray, scores: np.ndarray, images_of: list, generator) -> list[float]:
    """One resample of patients, gathered and scored finding by finding."""
    drawn = generator.integers(len(images_of), size=len(images_of))
    rows = np.concatenate([images_of[patient] for patient in drawn])
    return [roc_auc_score(truth[rows, k], scores[rows, k]) for k in range(FINDINGS)]


def sklearn_seconds(repeats: int) -> float:
    """The loop at full size, scaled from one resample of a tenth of the images."""
    tenth = simulate(IMAGES // 10, PATIENTS // 10)
    images_of = np.split(np.arange(len(tenth[2])), np.flatnonzero(np.diff(tenth[2])) + 1)
    generator = np.random.default_rng(0)
    return 10 * REPLICATES * median_seconds(lambda: sklearn_replicate(*tenth[:2], images_of, generator), repeats)


def growth(repeats: int) -> float:
    """Exponent of the cost in the number of images: 1 is linear, 2 quadratic."""
    shares = np.array([0.5, 1, 2, 4])
    seconds = []
    for share in shares:
        part = simulate(int(IMAGES * share), int(PATIENTS * share))
        seconds.append(median_seconds(lambda part=part: auc_table(*part, replicates=200), repeats))
        print(f"    {len(part[0]):>9,} images, 200 resamples {seconds[-1]:8.2f} s")
    return float(np.polyfit(np.log(shares), np.log(seconds), 1)[0])


def evaluate_seconds(folder: Path, repeats: int) -> float:
    """The command with its report, from start to end, on the official test set of a copy without images."""
    for name in (published.TABLE, "test_list.txt.gz", "train_val_list.txt.gz"):
        (folder / name).symlink_to((REAL / "nih" / name).resolve())
    nih = open_dataset(folder)
    table, findings = nih.table, list(nih.findings)
    noise = np.random.default_rng(0).normal(size=(len(table), FINDINGS))
    scores = 1 / (1 + np.exp(3 - 1.3 * nih.labels - noise))
    scores = pd.DataFrame(scores, index=pd.Index(table["image"], name="image"), columns=findings)
    scores[table["split"].to_numpy() != "train"].to_csv(folder / "scores.csv.gz")
    program = "import sys; from cxr_utils.commands.program import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "evaluate", str(folder / "scores.csv.gz"), "--data", str(folder)]
    command += ["--report", str(folder / "report.html")]
    return median_seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), repeats)


def line(name: str, value: float, unit: str, limit: float, *, least: bool = False) -> bool:
    """Print one figure beside its limit; returns whether the limit is met."""
    met = value >= limit if least else value <= limit
    bound = f"{'at least' if least else 'at most'} {limit:g}"
    print(f"{name:<56}{value:10,.2f} {unit:<2} {bound}  {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats

    data = simulate(IMAGES, PATIENTS)
    ours = median_seconds(lambda: auc_table(*data, replicates=REPLICATES), repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    met = line("AUC of 14 findings, 1,000 resamples of patients", ours, "s", 3)
    met &= line("  memory at most, imports included", peak, "GB", 1)
    loop = sklearn_seconds(repeats * 5)
    print(f"loop over roc_auc_score{loop:43,.0f} s  one resample of a tenth of the images, times 10,000")
    met &= line("  times as fast as that loop", loop / ours, "", 100, least=True)
    met &= line("exponent of the cost in the number of images", growth(repeats), "", 1.1)
    if not (REAL / "nih").is_dir():
        print(f"No real X-rays at {REAL}: the official test set is left out. Set CXR_REAL_DATA to their folder.")
        return 0 if met else 1
    with tempfile.TemporaryDirectory() as folder:
        met &= line("cxr evaluate --report, official test set of NIH", evaluate_seconds(Path(folder), repeats), "s", 60)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
