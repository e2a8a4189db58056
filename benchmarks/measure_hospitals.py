"""What another hospital does to recipes, as tables for lesson 09. Run: python benchmarks/measure_hospitals.py

One training is one network, so each recipe is trained several times on the default data (seed 0): lesson 03's small
network; the same on pictures that were evened out to some random degree (its machine was varied, nothing else); and
the course's main network. Into data/measured go
- hospitals.csv: a row for each training: recipe, training (the seed of its random numbers), and the mean AUC over the
  findings on four sets of images: `home` (the test part), `equalised` (the same images, evened out), `county` (another
  hospital's patients, on its machine) and `referred` (the same patients and visits, on the machine at home);
- hospitals_pairs.csv: a row for each training and each pair of sets that show the same patients (equalised less home,
  county less referred): the difference of mean AUC and its interval over patients.
What is trained is cached, and a run that was stopped goes on.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils import cache
from cxr_utils.cache import write_text
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset, open_elsewhere
from cxr_utils.evaluation.metrics import auc_difference, auc_table
from cxr_utils.networks.recipes import Recipe, recipe
from cxr_utils.phantom import COHORTS, HOSPITALS, PROFILES, make_cohort
from cxr_utils.training import fit

#: Clip limit of the equalisation at the county hospital, and the range in which it is varied for training.
CLIP, VARIED = 4.0, (1.0, 8.0)
#: Name of the recipe: what is trained, whether on varied pictures, and how often.
PLAN: dict[str, tuple[Recipe, bool, int]] = {
    "small": (replace(recipe("xray-vision"), sample_weights=False), False, 10),
    "small, machine varied": (replace(recipe("xray-vision"), sample_weights=False), True, 10),
    "main": (recipe("lite0-transfer"), False, 5),
}
#: Sets of images that show the same patients: the second is subtracted from the first.
PAIRS = (("equalised", "home"), ("county", "referred"))


def referred(folder: Path, home: Dataset) -> Dataset:
    """The county hospital's patients of seed 0, X-rayed at the first hospital."""
    HOSPITALS["referred"] = replace(
        HOSPITALS["county"], dose=1.0, gamma=1.0, contrast=1.0, local_contrast=0.0, stamp=""
    )
    _, share, apart = COHORTS["phantom-county"]
    # In this process alone, because no other one knows the hospital.
    images = round(share * PROFILES["quick"]["images"])
    return open_elsewhere(make_cohort(folder, images=images, seed=apart, workers=1, hospital="referred"), home)


def varied(dataset: Dataset) -> Dataset:
    """Half of the training and validation images evened out to a random degree, the others as they are."""
    draw = np.random.default_rng(0)
    clips = np.where(draw.random(len(dataset)) < 0.5, draw.uniform(*VARIED, len(dataset)), 0)
    return dataset.equalised(np.where(dataset.table["split"] == "test", 0, clips))


def measure(home: Dataset, sets: dict[str, Dataset]) -> Iterator[tuple[dict, list[dict]]]:
    """A row of areas and the rows of differences of one training after the other."""
    for name, (asked, on_varied, trainings) in PLAN.items():
        learn = varied(home) if on_varied else home
        for training in range(trainings):
            trained = fit.train(asked, learn, training)
            said = {where: trained.predict(images) for where, images in sets.items()}
            key = {"recipe": name, "training": training}
            areas = {
                where: auc_table(sets[where].table, scores, sets[where].patients, replicates=0).loc["mean", "auc"]
                for where, scores in said.items()
            }
            pairs = [
                key
                | {"set": one, "less": other}
                | auc_difference(sets[one].table, said[one], said[other], sets[one].patients).to_dict()
                for one, other in PAIRS
            ]
            print(name, training, {where: round(area, 3) for where, area in areas.items()}, flush=True)
            yield key | areas, pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=cache.home() / "data" / "measured", help="where the tables go")
    folder = parser.parse_args().folder
    home = open_dataset("phantom", profile="quick", seed=0).with_images()
    test = home.part("test")
    sets = {
        "home": test,
        "equalised": test.equalised(CLIP),
        "referred": referred(cache.home() / "runs" / "referred", home),
        "county": open_elsewhere("phantom-county", home),
    }
    rows = list(measure(home, sets))
    tables = {
        "hospitals": pd.DataFrame([areas for areas, _ in rows]),
        "hospitals_pairs": pd.DataFrame([pair for _, pairs in rows for pair in pairs]),
    }
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.round(4).to_csv(index=False))
        print(f"wrote {folder / name}.csv")


if __name__ == "__main__":
    main()
