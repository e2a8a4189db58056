"""Trainings that are too many for a lesson, as tables that lessons read. Run: python benchmarks/measure_recipes.py NAME

One training is one network. What a lesson says of a *recipe* rests on several trainings of it, on the default data,
from other random numbers each. Into data/measured go, for each NAME (all, without one):
- NAME.csv: a row for each training: recipe, training (the seed of its random numbers), mean AUC over the findings with
  its interval over the test patients, sensitivity and specificity at a probability of one half (means over findings);
- NAME_pairs.csv: a row for each pair of trainings that is compared on the same test patients: both recipes and
  trainings, the difference of their mean AUC, and its interval over patients.
`losses`: lesson 03's small network with plain, weighted and focal loss, ten trainings each; and all pairs of trainings
of one recipe.
`augmentation`: the same network on 300 images, with and without changed pictures, ten trainings each; and all pairs.
`tuning`: lesson 04's main network frozen and fine-tuned, five trainings each (a frozen head has one best answer).
`systems`: lesson 07's systems, five trainings each, asked whether an image shows any finding: AUC and its interval are
of this question; precision and recall (sensitivity) are at a threshold chosen on the validation part; mean_auc is that
over single findings, where a system knows them; seconds of training and number of weights. A last row holds what age,
sex, view and number of the visit tell without a pixel.
An hour on two cores; what is trained is cached, and a run that was stopped goes on.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import pandas as pd

from cxr_utils.cache import home, write_text
from cxr_utils.data.dataset import ANY, Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.evaluation.baselines import baseline_scores
from cxr_utils.evaluation.metrics import auc_difference, auc_table
from cxr_utils.evaluation.thresholds import choose_thresholds, operating_points
from cxr_utils.networks import at_hand
from cxr_utils.networks.recipes import Recipe, recipe
from cxr_utils.networks.trained import Trained
from cxr_utils.training import fit

Key = tuple[str, int]


@dataclass(frozen=True)
class Plan:
    """Recipes to train, how often, and which to compare.

    Attributes:
        recipes: by name; the first is what the others are compared with, training by training.
        trainings: of each recipe.
        images: to train on; all, where None.
        same: names of recipes whose trainings are also compared among themselves.
        any_finding: whether they are asked for any finding instead of each.
    """

    recipes: dict[str, Recipe]
    trainings: int
    images: int | None = None
    same: tuple[str, ...] = field(default=())
    any_finding: bool = False

    def pairs(self) -> Iterator[tuple[Key, Key]]:
        first, *others = self.recipes
        yield from (((name, one), (first, one)) for name in others for one in range(self.trainings))
        for name in self.same:
            yield from (((name, two), (name, one)) for one, two in combinations(range(self.trainings), 2))


def plans() -> dict[str, Plan]:
    """What can be measured."""
    small = replace(recipe("xray-vision"), sample_weights=False)
    losses = {"plain": small} | {loss: replace(small, loss=loss) for loss in ("weighted", "focal")}
    unchanged = replace(recipe("xray-vision"), augment=())
    changed = {"plain": unchanged, "rotate and shift": replace(unchanged, augment=("rotate", "shift"))}
    return {
        "losses": Plan(losses, 10, same=tuple(losses)),
        "augmentation": Plan(changed, 10, images=300, same=tuple(changed)),
        "tuning": Plan({"frozen": recipe("lite0-head"), "fine-tuned": recipe("lite0-transfer")}, 5),
        "systems": Plan(systems(), 5, any_finding=True),
    }


def systems() -> dict[str, Recipe]:
    """Lesson 07's systems by name and start; DenseNet121's photographs only where they have been fetched."""
    starts = {"simulation": "simulated", "photographs": "imagenet", "random": "random"}
    found = {}
    for name in ("lite0-transfer", "densenet-transfer", "course", "densenet-focal"):
        asked = recipe(name)
        for start in ("simulation", "photographs") if name == "lite0-transfer" else ("photographs", "random"):
            if at_hand(asked.network, starts[start]):
                found[f"{name}, {start}"] = replace(asked, weights=starts[start])
    return found | {name: recipe(name) for name in ("xray-vision", "normal-abnormal")}


def measure(plan: Plan, dataset: Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train what the plan asks for and judge it on the test part: a row a training, a row a pair."""
    learn = dataset if plan.images is None else dataset.fewer_images(plan.images, seed=0, keep_valid=True)
    test = dataset.part("test")
    truth = asked_of_any(test) if plan.any_finding else test.table
    said: dict[Key, pd.DataFrame] = {}
    rows = []
    for name, asked in plan.recipes.items():
        for training in range(plan.trainings):
            network = fit.train(asked, learn.any_finding() if asked.question == "any" else learn, training)
            said[name, training] = scores = abnormal(network, test) if plan.any_finding else network.predict(test)
            area = auc_table(truth, scores, test.patients).loc["mean", ["auc", "low", "high"]]
            more = of_any(network, dataset) if plan.any_finding else at_one_half(test, scores)
            rows.append({"recipe": name, "training": training, **area, **more})
            print(f"{name}, training {training}: AUC {area['auc']:.3f}", flush=True)
    if plan.any_finding:
        rows.append({"recipe": "no pixels", "training": 0, **without_pixels(dataset)})
    pairs = []
    for (one, its), (other, theirs) in plan.pairs():
        gain = auc_difference(truth, said[one, its], said[other, theirs], test.patients)
        pairs.append({"recipe": one, "training": its, "less_recipe": other, "less_training": theirs, **gain})
    return pd.DataFrame(rows), pd.DataFrame(pairs)


def at_one_half(test: Dataset, scores: pd.DataFrame) -> dict[str, float]:
    point = operating_points(test.table, scores, 0.5)
    return {name: point[name].mean() for name in ("sensitivity", "specificity")}


def asked_of_any(images: Dataset) -> pd.DataFrame:
    return images.any_finding().table[["image", ANY]]


def abnormal(network: Trained, images: Dataset) -> pd.DataFrame:
    """Probability that an image shows anything; of single findings as if they were independent."""
    scores = network.predict(images)
    return scores if network.recipe.question == "any" else (1 - (1 - scores).prod(axis=1)).to_frame(ANY)


def of_any(network: Trained, dataset: Dataset) -> dict[str, float]:
    test, single = dataset.part("test"), float("nan")
    if network.recipe.question != "any":
        single = auc_table(test.table, network.predict(test), test.patients, replicates=0).loc["mean", "auc"]
    said = {part: abnormal(network, dataset.part(part)) for part in ("valid", "test")}
    taken = {"seconds": network.card["seconds"], "weights": network.weights_count}
    return {**precision_and_recall(said, dataset), "mean_auc": single, **taken}


def precision_and_recall(said: dict[str, pd.DataFrame], dataset: Dataset) -> dict[str, float]:
    threshold = choose_thresholds(asked_of_any(dataset.part("valid")), said["valid"])
    point = operating_points(asked_of_any(dataset.part("test")), said["test"], threshold).loc[ANY]
    return {"precision": point["ppv"], "recall": point["sensitivity"]}


def without_pixels(dataset: Dataset) -> dict[str, float]:
    """What age, sex, view and number of the visit tell."""
    learn = dataset.part("train").any_finding()
    judged = {part: dataset.part(part).any_finding() for part in ("valid", "test")}
    said = {part: baseline_scores(learn, images, most=1)["no pixels"] for part, images in judged.items()}
    test = judged["test"]
    area = auc_table(asked_of_any(test), said["test"], test.patients).loc["mean", ["auc", "low", "high"]]
    return {**area, **precision_and_recall(said, dataset)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"out of {', '.join(plans())}; all, without one")
    parser.add_argument("--folder", type=Path, default=home() / "data" / "measured", help="where the tables go")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(plans())
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))} cannot be measured. Expected names out of {', '.join(plans())}.")
    dataset = open_dataset("phantom", profile="quick", seed=0).with_images()
    for name in asked.names or plans():
        tables = measure(plans()[name], dataset)
        for path, table in zip((f"{name}.csv", f"{name}_pairs.csv"), tables, strict=True):
            write_text(asked.folder / path, table.round(4).to_csv(index=False))
            print(f"wrote {asked.folder / path}")


if __name__ == "__main__":
    main()
