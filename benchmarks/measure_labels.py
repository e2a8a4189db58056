"""How much errors in labels cost, in training and in judging, as a table. Run: python benchmarks/measure_labels.py

Lesson 08 reads data/measured/labels.csv. The default data get labels anew, five times, by the rule of the simulator's
own text miner (`cxr_utils/phantom/labels.py`) with its errors times 0, 1, 2 and 3; NIH's labels have about three times
the errors of the course's own. From each such set of labels each recipe learns once (its random numbers differ too),
and the test part is judged by each. A row for each: recipe, errors_in_training, errors_in_judging (the factors),
training (which of the five), mean AUC over the findings with its interval over the test patients. "perfect reader" is
a score that is the truth itself. Half an hour on two cores; what is trained is cached.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.cache import repository, write_text
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.evaluation.metrics import auc_table
from cxr_utils.networks.recipes import Recipe, recipe
from cxr_utils.phantom.labels import MINED
from cxr_utils.training import fit

ERRORS = (0, 1, 2, 3)
TRAININGS = 5
PERFECT = "perfect reader"


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
    repeated = rng.random((2, *truth.shape)) < 0.5
    missing, false = np.where(repeated, same, rng.random((2, *truth.shape)))
    found = missing > missed * (1.6 - 1.2 * severity.to_numpy())
    return pd.DataFrame(np.where(truth == 1, found, false < alarms), truth.index, truth.columns).astype(np.int8)


def label_sets(dataset: Dataset) -> Iterator[tuple[int, int, pd.DataFrame]]:
    """Errors, training and labels of all images, whose index is the image."""
    findings = list(dataset.findings)
    truth = dataset.truth().set_index("image")[findings]
    severity = pd.read_csv(dataset.root / "truth.csv", index_col="Image Index").loc[truth.index]
    severity = severity[[f"severity_{name}" for name in findings]]
    for errors in ERRORS:
        for training in range(TRAININGS):
            yield errors, training, mined(truth, severity, dataset.patients, errors, training)


def measure(dataset: Dataset) -> pd.DataFrame:
    """Learn from every set of labels and judge by every other of the same number."""
    test, findings = dataset.part("test"), list(dataset.findings)
    labels = {(errors, training): table for errors, training, table in label_sets(dataset)}
    rows = []

    def judge(name: str, scores: pd.DataFrame, learned_from: int, training: int) -> None:
        for errors in ERRORS:
            area = auc_table(labels[errors, training].loc[test.table["image"]], scores, test.patients).loc["mean"]
            factors = {"recipe": name, "errors_in_training": learned_from, "errors_in_judging": errors}
            rows.append(factors | {"training": training} | area[["auc", "low", "high"]].to_dict())

    truth = test.truth().set_index("image")[findings]
    for training in range(TRAININGS):
        judge(PERFECT, truth, 0, training)
    for name, asked in recipes().items():
        for (errors, training), table in labels.items():
            learn = replace(dataset, table=dataset.table.assign(**{one: table[one].to_numpy() for one in findings}))
            judge(name, fit.train(asked, learn, training).predict(test), errors, training)
            print(f"{name}, errors times {errors}, {training}: AUC by truth {rows[-4]['auc']:.3f}", flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=repository() / "data" / "measured", help="where the table goes")
    path = parser.parse_args().folder / "labels.csv"
    dataset = open_dataset("phantom", profile="quick", seed=0).with_images()
    write_text(path, measure(dataset).round(4).to_csv(index=False))
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
