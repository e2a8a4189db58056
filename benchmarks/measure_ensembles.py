"""Ensembles of several trainings, and the best of several, as tables that lesson 10 reads.

Run: python benchmarks/measure_ensembles.py. Lesson 03's small network with the plain loss was trained ten times on the
default data (`measure_recipes.py losses` does it too, and what is trained is cached). Into data/measured go
- ensembles.csv: a row for each ensemble: size, members, mean AUC over the findings on the test part with its interval
  over patients, Brier score (both means over findings), and the means of its members' own. Ensembles of one size share
  no member, so that they are several measurements and not one;
- fresh.csv: a row for each training and finding (and their mean): AUC on the test part, and on other patients of the
  same hospital, whom nobody has chosen anything on.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.cache import home, write_text
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.evaluation.calibration import calibration_table
from cxr_utils.evaluation.metrics import auc_table
from cxr_utils.networks.recipes import recipe
from cxr_utils.training import fit

TRAININGS, SIZES = 10, (1, 2, 3, 5, 10)


def apart(trainings: int, size: int) -> Iterator[tuple[int, ...]]:
    """Ensembles of a size that share no member; who is left over is in none."""
    yield from (tuple(range(start, start + size)) for start in range(0, trainings - size + 1, size))


def ensembles(said: Mapping[int, pd.DataFrame], test: Dataset) -> pd.DataFrame:
    """A row for each ensemble: how good its mean probability is, and how good its members are on average."""
    own = {}
    for training, scores in said.items():
        area = auc_table(test.table, scores, test.patients, replicates=0).loc["mean", "auc"]
        own[training] = (area, calibration_table(test.table, scores)["brier"].mean())
    rows = []
    for size in SIZES:
        for members in apart(len(said), size):
            scores = sum(said[one] for one in members) / size
            area = auc_table(test.table, scores, test.patients).loc["mean", ["auc", "low", "high"]]
            brier = calibration_table(test.table, scores)["brier"].mean()
            alone = np.mean([own[one] for one in members], axis=0)
            row = {"size": size, "members": " ".join(map(str, members)), **area, "brier": brier}
            rows.append(row | {"members_auc": alone[0], "best_member_auc": max(own[one][0] for one in members)})
            rows[-1]["members_brier"] = alone[1]
    return pd.DataFrame(rows)


def on_both(
    said: Mapping[int, pd.DataFrame], test: Dataset, fresh: Mapping[int, pd.DataFrame], later: Dataset
) -> pd.DataFrame:
    """A row for each training and finding: AUC on the test part and on fresh patients, by the simulator's truth."""
    truth = later.truth().set_index("image")
    tables = []
    for training in said:
        areas = auc_table(test.table, said[training], test.patients, replicates=0)["auc"]
        new = auc_table(truth, fresh[training], later.patients, replicates=0)["auc"]
        tables.append(pd.DataFrame({"training": training, "test": areas, "later": new}).reset_index())
    return pd.concat(tables)[["training", "finding", "test", "later"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=home() / "data" / "measured", help="where the tables go")
    folder = parser.parse_args().folder
    dataset, later = (
        open_dataset(name, profile="quick", seed=0).with_images() for name in ("phantom", "phantom-later")
    )
    test, small = dataset.part("test"), replace(recipe("xray-vision"), sample_weights=False)
    networks = [fit.train(small, dataset, training) for training in range(TRAININGS)]
    said, fresh = ({number: one.predict(data) for number, one in enumerate(networks)} for data in (test, later))
    for name, table in {"ensembles": ensembles(said, test), "fresh": on_both(said, test, fresh, later)}.items():
        write_text(folder / f"{name}.csv", table.round(4).to_csv(index=False))
        print(f"wrote {folder / name}.csv")


if __name__ == "__main__":
    main()
