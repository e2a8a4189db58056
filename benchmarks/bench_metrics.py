"""AUC with a 1,000-fold patient bootstrap: this package beside the loop over scikit-learn.

Run from the checkout: python benchmarks/bench_metrics.py [--repeats 3]
The size is that of the official NIH test set: 25,596 images of 2,797 patients, 14 findings. The loop would
take hours, so a tenth of the images is resampled a few times and scaled; the last line says so.
"""

import argparse
import resource
import statistics
import time

import numpy as np
from sklearn.metrics import roc_auc_score

from cxr_utils.metrics import auc_table

IMAGES, PATIENTS, FINDINGS, REPLICATES = 25_596, 2_797, 14, 1_000


def simulate(images: int, patients: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of 0.2 to 20 % prevalence, scores with an AUC near 0.8, patients with many images."""
    generator = np.random.default_rng(seed)
    patient = np.sort(generator.integers(patients, size=images))
    prevalence = np.geomspace(0.002, 0.2, FINDINGS)
    truth = (generator.random((images, FINDINGS)) < prevalence).astype(np.int8)
    truth[:2] = [[0], [1]]
    return truth, truth * 1.2 + generator.normal(size=truth.shape), patient


def median_seconds(work, repeats: int) -> float:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats

    truth, scores, patient = simulate(IMAGES, PATIENTS)
    ours = median_seconds(lambda: auc_table(truth, scores, patient, replicates=REPLICATES), repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"cxr_utils.metrics.auc_table   {ours:9.2f} s   {peak:.2f} GB at most, imports included")
    for share in (4, 2):
        part = simulate(IMAGES // share, PATIENTS // share)
        seconds = median_seconds(lambda part=part: auc_table(*part, replicates=REPLICATES), repeats)
        print(f"  the same, 1/{share} of the images {seconds:9.2f} s")

    tenth = simulate(IMAGES // 10, PATIENTS // 10)
    images_of = np.split(np.arange(len(tenth[2])), np.flatnonzero(np.diff(tenth[2])) + 1)
    generator = np.random.default_rng(0)
    loop = median_seconds(lambda: sklearn_replicate(*tenth[:2], images_of, generator), repeats * 5)
    loop *= 10 * REPLICATES
    print(f"loop over roc_auc_score       {loop:9.2f} s   one resample of a tenth of the images, times 10,000")
    print(f"ratio                         {loop / ours:9.0f}")


if __name__ == "__main__":
    main()
