"""What a school is worth on real X-rays. Run: python benchmarks/real_transfer.py [--test] [--tuned] [--only nih_more]

Each start is read by a penalised logistic regression whose penalty a validation part chooses; nothing else is learned:
raw pixels; random weights of the same network, three draws, as the control; photographs; simulated X-rays (the weights
that the course ships, or `--weights FILE`); the last two side by side. Networks are read at the last layer ("last") and
as the course reads them (`lite0-head`: a middle layer over a grid, a late one and a thumbnail; "course").

- pneumonia (Kermany et al., Cell 2018): one finding, children; 50, 200 and all labels, five draws of each;
- nih_more and nih (Wang et al., CVPR 2017): the findings that ten patients have, five folds by patient (three learn,
  one chooses, one is judged), three times over.

To choose by: patients of the training and validation parts of pneumonia dealt into five folds as well, and nih_more.
To report, once (`--test`): pneumonia's own parts, and nih. Every figure is a mean over draws, or over folds and
repetitions, with its 95 % interval over 1,000 resamples of the judged patients; the same resamples pair it with raw
pixels, with the random weights' mean, and with photographs read in the same way. A start whose difference from either
of the first two is not above zero is not worth shipping, and the last lines say so.

`--tuned` adds fine-tuning by the recipe `lite0-transfer` of the weights from simulation, with all labels, minutes each:
once (on nih for the first repetition of the folds), and beside it what the frozen network does that once. Features and
runs are kept below the cache. The collections lie in CXR_REAL_DATA or ../shared/real.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cxr_utils import cache
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.evaluation.intervals import bootstrap, ladder, weighted_auc
from cxr_utils.networks import models, transfer, weights
from cxr_utils.networks.efficientnet import efficientnet_lite0
from cxr_utils.networks.readout import Split, fewest_patients, folds, judged, mean_auc
from cxr_utils.networks.recipes import Recipe, recipe
from cxr_utils.training import fit

REAL = Path(os.environ.get("CXR_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
LABELS = (50, 200, None)
DRAWS, REPETITIONS, CONTROLS = 5, 3, 3
REPLICATES = 1000
FEWEST = 10  # patients with and without a finding
COURSE = recipe("lite0-head")
PIXELS = replace(COURSE, weights="random", readout=(("image", 32),))  # a thumbnail of 32 x 32, and no network


@dataclass(frozen=True)
class Task:
    """A collection, a number of labels, and how it is divided: some splits for each repetition."""

    name: str
    data: Dataset
    repetitions: list[list[Split]]
    every_label: bool = True


# --- tasks ---------------------------------------------------------------------------------------------------------
def fewer(split: Split, labels: int | None, seed: int) -> Split:
    """The same with some of the labels to learn from."""
    drawn = np.random.default_rng([seed, labels or 0]).permutation(split.learn)[:labels]
    return split._replace(learn=np.sort(drawn))


def pneumonia(test: bool) -> Iterator[Task]:
    """Three numbers of labels."""
    data = open_dataset(REAL / "pneumonia").with_images()
    parts = [np.flatnonzero(data.table["split"] == part) for part in ("train", "valid", "test")]
    if not test:
        data = data.subset(np.sort(np.concatenate(parts[:2])), data.name)
    dealt = [Split(*parts)] * DRAWS if test else folds(data.patients)
    for labels in LABELS:
        drawn = [[fewer(split, labels, number)] for number, split in enumerate(dealt)]
        kept = drawn[:1] if test and not labels else drawn
        yield Task(f"pneumonia, {labels or len(dealt[0].learn)} labels", data, kept, labels is None)


def nih(folder: str) -> Iterator[Task]:
    """All findings with enough patients."""
    data = open_dataset(REAL / folder).with_images()
    known = np.array(data.findings)[fewest_patients(data.labels, data.patients) >= FEWEST]
    repetitions = [folds(data.patients, seed) for seed in range(REPETITIONS)]
    data = replace(data, findings=tuple(known.tolist()))
    yield Task(f"{folder}, {len(data)} images, {len(known)} findings", data, repetitions)


# --- starts --------------------------------------------------------------------------------------------------------
def starts(shipped: str) -> dict[str, list[Recipe]]:
    """Weights of each start, one or several."""
    return {
        "random": [replace(COURSE, weights=str(random_weights(seed))) for seed in range(CONTROLS)],
        "photographs": [replace(COURSE, weights="imagenet")],
        "simulation": [replace(COURSE, weights=shipped)],
    }


def random_weights(seed: int) -> Path:
    """A file of the network's weights before it has learned anything."""
    file = cache.root() / "random" / f"efficientnet_lite0-{COURSE.size}-{seed}.npz"
    if not file.exists():
        weights.save(file, models.random_weights(efficientnet_lite0(COURSE.size, 1), seed))
    return file


def inputs(task: Task, shipped: str) -> Iterator[tuple[str, str, list[np.ndarray]]]:
    """Name of a start, how it is read, and its features (images, features), one array a draw of the weights."""
    yield "pixels", "", [transfer.features(task.data, PIXELS)]
    seen: dict[tuple[str, str], np.ndarray] = {}
    for name, recipes in starts(shipped).items():
        for how, readout in (("last", ()), ("course", COURSE.readout)):
            arrays = [transfer.features(task.data, replace(one, readout=readout)) for one in recipes]
            seen[name, how] = arrays[0]
            yield name, how, arrays
    for how in ("last", "course"):
        yield "both", how, [np.hstack([seen["photographs", how], seen["simulation", how]])]


# --- judging -------------------------------------------------------------------------------------------------------
def scores(task: Task, features: np.ndarray) -> list[np.ndarray]:
    """For each repetition the logits of all judged images (images, findings), NaN where an image was not judged."""
    return [judged(features, task.data.labels, splits) for splits in task.repetitions]


def tuned(task: Task, start: Recipe) -> list[np.ndarray]:
    """The same from fine-tuning the whole recipe."""
    asked = replace(recipe("lite0-transfer"), weights=start.weights)
    said = np.full(task.data.labels.shape, np.nan)
    for split in (split for splits in task.repetitions for split in splits):
        part = np.full(len(task.data), "", object)
        for name, rows in (("train", split.learn), ("valid", split.choose), ("test", split.judge)):
            part[rows] = name
        rows = np.flatnonzero(part != "")
        given = replace(task.data, table=task.data.table.assign(split=part)).subset(rows, task.data.name)
        said[split.judge] = fit.train(asked, given, 0).predict(given.part("test")).to_numpy()
    return [said]


def areas(task: Task, said: list[np.ndarray]) -> tuple[float, np.ndarray]:
    """Mean AUC over repetitions and findings, and the same of each resample of the patients (1000,)."""
    labels, whole, resampled = task.data.labels, [], []
    for scores in said:
        judged = ~np.isnan(scores[:, 0])
        patients = np.unique(task.data.patients[judged], return_inverse=True)[1]
        columns = zip(labels[judged].T, scores[judged].T, strict=True)
        steps = [ladder(truth, score, patients, tied=0.5, units=patients.max() + 1) for truth, score in columns]
        whole.append(mean_auc(labels[judged], scores[judged]))
        resampled.append(np.nanmean(bootstrap(steps, weighted_auc, REPLICATES, 0), axis=1))
    return float(np.mean(whole)), np.mean(resampled, axis=0)


def interval(values: np.ndarray) -> str:
    """The 95 % interval in words."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return f"{low:+.3f} to {high:+.3f}" if values.min() < 0 else f"{low:.3f} to {high:.3f}"


def judge(task: Task, shipped: str, tune: bool) -> dict[tuple[str, str], tuple[float, np.ndarray]]:
    """Print a row for each start and way of reading."""
    print(f"\n### {task.name}\n")
    print("| start | read | AUC | 95 % | less pixels | less random | less photographs | less frozen |")
    print("|:--|:--|--:|:--|:--|:--|:--|:--|")
    known: dict[tuple[str, str], tuple[float, np.ndarray]] = {}

    def row(name: str, how: str, several: list[list[np.ndarray]]) -> None:
        found = [areas(task, said) for said in several]
        mean, resampled = float(np.mean([area for area, _ in found])), np.mean([one for _, one in found], axis=0)
        known[name, how] = (mean, resampled)
        cells = [name, how, f"{mean:.3f}", interval(resampled)]
        frozen = ("simulation", "course, once" if how == "tuned, once" else "")
        for other in (("pixels", ""), ("random", how), ("photographs", how), frozen):
            if other in known and other != (name, how):
                area, paired = known[other]
                difference = resampled - paired
                low, high = np.nanpercentile(difference, [2.5, 97.5])
                cells.append(f"{mean - area:+.3f} ({low:+.3f} to {high:+.3f})")
            else:
                cells.append("")
        print(f"| {' | '.join(cells)} |", flush=True)

    for name, how, arrays in inputs(task, shipped):
        row(name, how, [scores(task, features) for features in arrays])
    if tune and task.every_label:
        once, start = replace(task, repetitions=task.repetitions[:1]), replace(COURSE, weights=shipped)
        row("simulation", "course, once", [scores(once, transfer.features(once.data, start))])
        row("simulation", "tuned, once", [tuned(once, start)])
    return known


def verdict(found: dict[str, dict]) -> int:
    """Whether the simulated weights may ship: in every task, as the course reads them, above pixels and random ones."""
    missed = []
    for task, known in found.items():
        for other in (("pixels", ""), ("random", "course")):
            difference = known["simulation", "course"][1] - known[other][1]
            if np.nanpercentile(difference, 2.5) <= 0:
                missed.append(f"- {task}: not above {other[0]} for certain ({interval(difference)})")
    print(
        "\nSimulated weights beat raw pixels and random weights everywhere." if not missed else "\n" + "\n".join(missed)
    )
    return bool(missed)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--test", action="store_true", help="report, once, instead of choosing")
    parser.add_argument("--tuned", action="store_true", help="fine-tune too")
    parser.add_argument("--weights", default="simulated", help="other weights from simulation, an .npz file")
    parser.add_argument("--only", nargs="*", default=(), help="pneumonia, nih_more, nih")
    asked = parser.parse_args(arguments)
    makers = {"pneumonia": lambda: pneumonia(asked.test)}
    makers |= {"nih": lambda: nih("nih")} if asked.test else {"nih_more": lambda: nih("nih_more")}
    chosen = [task for name, make in makers.items() if not asked.only or name in asked.only for task in make()]
    return verdict({task.name: judge(task, asked.weights, asked.tuned) for task in chosen})


if __name__ == "__main__":
    raise SystemExit(main())
