"""What errors in labels and uncertain labels cost, as tables. Run: python benchmarks/measure_labels.py

Lesson 08 reads data/measured/labels.csv and uncertain.csv, both measured on the default data.

labels.csv: the images get labels anew, five times, by the rule of the simulator's own text miner
(`cxr_utils/phantom/labels.py`) with its errors times 0, 1, 2 and 3; NIH's labels have about three times the errors of
the course's own. From each such set of labels each recipe learns once (its random numbers differ too), and the test
part is judged by each. A row for each: recipe, errors_in_training, errors_in_judging (the factors), training (which of
the five), mean AUC over the findings with its interval over the test patients, and by_formula, the AUC that the labels
would give if their errors had nothing to do with the score. "perfect reader" is a score that is the truth itself. The
recipe "frozen network, chosen by truth" learns from labels with errors, but the truth of the validation part chooses
its penalty; only the truth judges it.

uncertain.csv: the labels are the truth, but some are uncertain by one of two rules: "hedged", mostly the slight
positives, or "hurried", one in ten, whatever it is. The frozen network learns with these labels left out, taken for
negative, and taken for positive, five times. A row for each: rule, way, training, mean AUC by truth with its interval,
and mean_probability on the test part; "all known" stands beside them.

Half an hour on two cores; what is trained is cached.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.cache import home, write_text
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.evaluation.metrics import agreement_table, auc_table
from cxr_utils.networks.recipes import Recipe, recipe
from cxr_utils.phantom.labels import MINED, SAME_ERROR, missed_at
from cxr_utils.training import fit

ERRORS = (0, 1, 2, 3)
TRAININGS = 5
PERFECT, CHOSEN = "perfect reader", "frozen network, chosen by truth"
WAYS = {"left out": np.nan, "taken for negative": 0.0, "taken for positive": 1.0}


def recipes() -> dict[str, Recipe]:
    """What learns from each set of labels."""
    return {
        "frozen network": recipe("lite0-head"),
        "small network": replace(recipe("xray-vision"), sample_weights=False),
    }


def mined(truth: pd.DataFrame, severity: pd.DataFrame, patients: np.ndarray, errors: float, seed: int) -> pd.DataFrame:
    """Labels as the simulator's miner makes them, with so many times its errors.

    Args:
        truth: (images, findings) of 0 and 1, columns named.
        severity: the same shape, 0 to 1; slight findings are missed more often.
        patients: (images,); half of the errors come back in every report of a patient.
        errors: how many times as many are missed, and falsely named, as by `MINED`.
        seed: of the luck.

    Returns:
        Labels, of the shape of `truth`.
    """
    rng = np.random.default_rng([seed, 8])
    missed, alarms = errors * (1 - np.array([MINED[name] for name in truth]).T)
    patient = pd.factorize(patients)[0]
    same = rng.random((2, patient.max() + 1, len(missed)))[:, patient]
    repeated = rng.random((2, *truth.shape)) < SAME_ERROR
    missing, false = np.where(repeated, same, rng.random((2, *truth.shape)))
    found = missing > missed_at(severity.to_numpy(), missed)
    return pd.DataFrame(np.where(truth == 1, found, false < alarms), truth.index, truth.columns).astype(np.int8)


def label_sets(dataset: Dataset) -> Iterator[tuple[int, int, pd.DataFrame]]:
    """Errors, training and labels of all images, whose index is the image."""
    behind = dataset.behind_labels()
    for errors in ERRORS:
        for training in range(TRAININGS):
            yield errors, training, mined(behind.truth, behind.severity, dataset.patients, errors, training)


def measure(dataset: Dataset) -> pd.DataFrame:
    """Learn from every set of labels and judge by every other of the same number."""
    test, findings = dataset.part("test"), list(dataset.findings)
    sets = {(errors, training): table for errors, training, table in label_sets(dataset)}
    judging = {key: table.loc[test.table["image"]] for key, table in sets.items()}
    truth = judging[0, 0]
    kept = {
        key: 2 * agreement_table(truth, table, test.patients, replicates=0)["reader"] - 1
        for key, table in judging.items()
    }
    rows = []

    def judge(
        name: str, scores: pd.DataFrame, learned_from: int, training: int, judges: Sequence[int] = ERRORS
    ) -> None:
        by_truth = auc_table(truth, scores, test.patients, replicates=0)["auc"][findings]
        for errors in judges:
            area = auc_table(judging[errors, training], scores, test.patients).loc["mean", ["auc", "low", "high"]]
            formula = (0.5 + kept[errors, training][findings] * (by_truth - 0.5)).mean()
            factors = {"recipe": name, "errors_in_training": learned_from, "errors_in_judging": errors}
            rows.append(factors | {"training": training} | area.to_dict() | {"by_formula": formula})
        print(f"{name}, errors times {learned_from}, {training}", flush=True)

    for training in range(TRAININGS):
        judge(PERFECT, truth, 0, training)
    for name, asked in recipes().items():
        for (errors, training), table in sets.items():
            judge(name, fit.train(asked, dataset.with_labels(table), training).predict(test), errors, training)
    in_train = np.broadcast_to(dataset.table["split"].eq("train").to_numpy()[:, None], dataset.labels.shape)
    for (errors, training), table in sets.items():
        learn = dataset.with_labels(table.where(in_train, sets[0, 0]))
        judge(CHOSEN, fit.train(recipe("lite0-head"), learn, training).predict(test), errors, training, judges=[0])
    return pd.DataFrame(rows)


def uncertain(truth: pd.DataFrame, severity: pd.DataFrame, rule: str, seed: int) -> np.ndarray:
    """Which labels are uncertain: "hedged", 7 in 10 of the slight positives and 1 in 50 others; "hurried", 1 in 10."""
    luck = np.random.default_rng(seed).random(truth.shape)
    slight = (truth.to_numpy() == 1) & (severity.to_numpy() < 0.5)
    return luck < (np.where(slight, 0.7, 0.02) if rule == "hedged" else 0.1)


def measure_uncertain(dataset: Dataset) -> pd.DataFrame:
    """Learn from labels of which some are uncertain, in three ways."""
    test, behind = dataset.part("test"), dataset.behind_labels()
    truth = behind.truth.loc[test.table["image"]]
    rows = []

    def judge(rule: str, way: str, training: int, labels: pd.DataFrame) -> None:
        scores = fit.train(recipe("lite0-head"), dataset.with_labels(labels), training).predict(test)
        area = auc_table(truth, scores, test.patients).loc["mean", ["auc", "low", "high"]].to_dict()
        probability = scores.to_numpy().mean()
        rows.append({"rule": rule, "way": way, "training": training} | area | {"mean_probability": probability})
        print(f"{rule}, {way}, {training}: AUC {area['auc']:.3f}", flush=True)

    for rule in ("hedged", "hurried"):
        judge(rule, "all known", 0, behind.truth)
        for training in range(TRAININGS):
            unsure = uncertain(behind.truth, behind.severity, rule, training)
            for way, taken_for in WAYS.items():
                judge(rule, way, training, behind.truth.astype(np.float32).mask(unsure, taken_for))
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=home() / "data" / "measured", help="where the tables go")
    folder = parser.parse_args().folder
    dataset = open_dataset("phantom", profile="quick", seed=0).with_images()
    for name, measured in {"uncertain": measure_uncertain, "labels": measure}.items():
        write_text(folder / f"{name}.csv", measured(dataset).round(4).to_csv(index=False))
        print(f"wrote {folder / name}.csv")


if __name__ == "__main__":
    main()
