"""What each improvement of the beginner's network is worth. Run: python benchmarks/bench_normal_abnormal.py

The published project (three blocks of convolution and pooling, a dense layer of 128, dropout, ten epochs, a threshold
of one half) names what it would improve. Here each of these is switched on alone, on the default data (`--data` takes
others), several times with other beginnings (`--seeds`), and beside the plain network stand
- the AUC of "any finding" on the test part, as a mean over beginnings, and its difference from the plain network, with
  a 95 % interval over the same resampled test patients;
- accuracy, precision and recall, at one half and at the threshold that validation chose (the calibrated threshold).
A quarter of an hour on two cores; what was trained is cached.
"""

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.evaluation.intervals import bootstrap, ladder, weighted_auc
from cxr_utils.evaluation.metrics import roc_auc
from cxr_utils.evaluation.thresholds import choose_thresholds, operating_points
from cxr_utils.networks.recipes import Recipe, recipe
from cxr_utils.training import fit

PUBLISHED = "published: accuracy 0.61, recall of abnormal 0.32"
REPLICATES = 1000


def improvements(plain: Recipe) -> dict[str, Recipe]:
    """The plain recipe, and one change to it each."""
    transfer = replace(recipe("lite0-transfer"), question="any")
    return {
        "plain": plain,
        "augmentation": replace(plain, augment=("rotate", "shift", "brightness")),
        "oversampling": replace(plain, oversample=True),
        "class weights": replace(plain, loss="weighted"),
        "schedule, early stopping": replace(plain, epochs=30, patience=6),
        "transfer": transfer,
    }


def scores_of(asked: Recipe, dataset: Dataset, seeds: int) -> list[dict[str, pd.DataFrame]]:
    """Probabilities of the valid and test part, for each beginning."""
    runs = [fit.train(asked, dataset, seed) for seed in range(seeds)]
    return [{name: run.predict(dataset.part(name)) for name in ("valid", "test")} for run in runs]


def points(truth: dict[str, pd.DataFrame], scores: list[dict[str, pd.DataFrame]], calibrated: bool) -> pd.Series:
    """Accuracy, precision and recall of the test part, means over beginnings."""
    rows = []
    for one in scores:
        at = choose_thresholds(truth["valid"], one["valid"]) if calibrated else 0.5
        rows.append(operating_points(truth["test"], one["test"], at).iloc[0])
    return pd.DataFrame(rows)[["accuracy", "ppv", "sensitivity"]].astype(float).mean()


def gains(test: Dataset, scores: dict[str, list[dict[str, pd.DataFrame]]]) -> pd.DataFrame:
    """Mean AUC of each, and what it is above the plain network, with the interval of that."""
    label, names = test.labels[:, 0].astype(int), list(scores)
    columns = [one["test"].iloc[:, 0].to_numpy() for name in names for one in scores[name]]
    unit, _ = pd.factorize(test.patients)
    samples = bootstrap([ladder(label, column, unit, tied=0.5) for column in columns], weighted_auc, REPLICATES, 0)
    samples = samples.reshape(len(samples), len(names), -1).mean(axis=2)  # (replicates, names)
    mean = np.array([roc_auc(label, column) for column in columns]).reshape(len(names), -1)
    rows = {}
    for number, name in enumerate(names):
        low, high = np.nanpercentile(samples[:, number] - samples[:, 0], [2.5, 97.5])
        gain = mean[number].mean() - mean[0].mean()
        rows[name] = {
            "AUC": mean[number].mean(),
            "spread": mean[number].std(ddof=1),
            "gain": gain,
            "low": low,
            "high": high,
        }
    return pd.DataFrame(rows).T.astype(float)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    dataset = open_dataset(asked.data).with_images().any_finding()
    truth = {name: dataset.part(name).table[["image", *dataset.findings]] for name in ("valid", "test")}
    recipes = improvements(recipe("normal-abnormal"))
    scores = {name: scores_of(one, dataset, asked.seeds) for name, one in recipes.items()}
    test = dataset.part("test")
    table = gains(test, scores)
    for calibrated, when in ((False, "at one half"), (True, "calibrated")):
        found = pd.DataFrame({name: points(truth, one, calibrated) for name, one in scores.items()}).T
        table = table.join(found.rename(columns={"ppv": "precision", "sensitivity": "recall"}).add_suffix(f", {when}"))
    print(f"{test!r}; {test.labels.mean():.0%} abnormal; {asked.seeds} beginnings. {PUBLISHED}")
    print(table.T.to_string(float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
