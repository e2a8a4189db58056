"""What the phantom is worth on real X-rays. Run: python benchmarks/sim_to_real.py [--only simulated pneumonia nih]

The same small network (`models.xray_cnn`, 64 pixels) learns from few real labels, once from random weights ("from
scratch") and once from weights learned on 12,000 simulated radiographs with their true labels ("from simulation").
That learning begins from five seeds, one for each draw of real labels, so that its luck is in the spread.
Two collections beside the checkout (CXR_REAL_DATA or ../shared/real): paediatric pneumonia, and 14 findings of NIH;
both split by patient. For 50, 200 and 1,000 labels (all where there are fewer), five draws of them each, the same for
both arms:
- steps: the state with the lowest validation loss, looked at every 20 steps, is kept; a run ends when 6 looks in a row
  found no lower one, and after 800 steps at most;
- learning rate: the one of three with the lowest validation loss, as a mean over the draws;
- augmentation, batch size and optimizer are the same. Both arms go through the same choices.
Only the runs so chosen are scored on the test part; the interval of the error ratio is over resampled test patients.
Beside them a logistic regression on 16 x 16 pixels, and what a network that saw nothing but simulated X-rays says of
NIH's real ones (those that no choice looked at), finding by finding, with 95 % intervals over patients, beside the
lowest and the highest AUC of the five such networks.

Every run is kept below the cache as soon as it is done, so an interrupted measurement goes on where it stopped. A good
hour of two cores, then free.
"""

import argparse
import functools
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from simulated import to_learn_from

from cxr_utils import cache, phantom
from cxr_utils.data import pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.evaluation import baselines
from cxr_utils.evaluation.intervals import bootstrap, ladder, weighted_auc
from cxr_utils.evaluation.metrics import auc_table
from cxr_utils.networks import losses, models, readout, trained, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.recipes import Recipe
from cxr_utils.training import fit, pipeline

REAL = Path(os.environ.get("CXR_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
ARMS = ("from scratch", "from simulation")
REPLICATES = 1000
BAR = 2 / 3  # of the error of the network from scratch, with the fewest labels, on paediatric pneumonia


@dataclass(frozen=True)
class Plan:
    """How every run is made; part of the name under which it is kept."""

    images: int = 12000
    drawn_at: int = 128
    size: int = 64
    epochs: int = 24
    labels: tuple[int, ...] = (50, 200, 1000)
    seeds: int = 5  # of the draws of labels, and of the learning on simulated X-rays that each of them begins from
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    batch_size: int = 16
    every: int = 20
    looks: int = 40
    patience: int = 6
    augment: tuple[str, ...] = ("rotate", "shift", "brightness")


REHEARSAL = Plan(images=200, drawn_at=64, epochs=1, labels=(30,), seeds=2, rates=(1e-3,), looks=2)


# --- learning on simulated X-rays ----------------------------------------------------------------------------------
@functools.cache
def pretrained(plan: Plan, seed: int) -> trained.Trained:
    """A network that has seen simulated X-rays only, always the same ones; the seed is that of the training."""
    recipe = Recipe(size=plan.size, epochs=plan.epochs, augment=plan.augment, patience=4)
    return fit.train(
        recipe, to_learn_from(plan.images, plan.drawn_at, seed=2000), seed, options=fit.Options(verbose=True)
    )


def beginning(plan: Plan, arm: str, findings: tuple[str, ...], seed: int) -> dict[str, np.ndarray]:
    """The weights that a run starts from. A finding that the simulation knows keeps its output."""
    load_keras().utils.set_random_seed(seed)
    arrays = weights.collect(models.xray_cnn(plan.size, len(findings)).layers)
    if arm == "from simulation":
        known = pretrained(plan, seed)
        columns = [known.findings.index(name) for name in findings]
        arrays |= weights.read(known.folder / "weights.npz")
        arrays |= {name: arrays[name][..., columns] for name in ("logits/kernel", "logits/bias")}
    return arrays


# --- learning on real ones -----------------------------------------------------------------------------------------
@functools.cache
def network(size: int, outputs: int):
    """One compiled network for all runs: tracing it anew would take longer than training it."""
    model = models.xray_cnn(size, outputs)
    return fit.compiled(model, load_keras().optimizers.Adam(1e-3), losses.bce())


def drawn(part: Dataset, count: int, seed: int) -> Dataset:
    """Some labelled images, drawn at random; both arms get the same."""
    rows = np.random.default_rng([seed, count]).permutation(len(part))[:count]
    return part.subset(np.sort(rows), f"{part.name}, {len(rows)} labels")


def one_run(plan: Plan, data: Dataset, arm: str, count: int, rate: float, seed: int) -> tuple[dict, np.ndarray]:
    """Train once: what the validation part said of it, and the logits of the test part."""
    started = time.perf_counter()
    model = network(plan.size, len(data.findings))
    weights.assign(model, beginning(plan, arm, data.findings, seed))
    for variable in model.optimizer.variables:  # its memory of the run before
        variable.assign(np.zeros(variable.shape))
    model.optimizer.learning_rate = rate
    some, valid = drawn(data.part("train"), count, seed), data.part("valid")
    how = {"augment": plan.augment, "shuffle_seed": seed, "epochs": range(plan.looks * plan.every)}
    read = pixelstore.reader(some, plan.size)
    batches = pipeline.batches(read, some.labels, plan.batch_size, **how)  # an epoch has a step at least
    watch = pixelstore.standardised(pixelstore.pixels(valid, plan.size))
    best, kept, since = {"loss": np.inf}, None, 0
    steps = iter(batches)
    for look in range(1, plan.looks + 1):
        for _ in range(plan.every):
            model.train_on_batch(*next(steps))
        logits = model.predict_on_batch(watch)
        loss, since = losses.bce_numpy(valid.labels, logits), since + 1
        if loss < best["loss"]:
            auc = readout.mean_auc(valid.labels, logits)
            best, since = {"loss": float(loss), "auc": auc, "steps": look * plan.every}, 0
            kept = weights.collect(model.layers)
        if since == plan.patience:
            break
    weights.assign(model, kept)
    scores = model.predict(pixelstore.standardised(pixelstore.pixels(data.part("test"), plan.size)), verbose=0)
    return best | {"seconds": round(time.perf_counter() - started, 1)}, scores


class Runs:
    """Runs that are kept: a line of JSON each, and the logits of the test part beside it.

    Args:
        plan: how they are made.
        data: the real images.
    """

    def __init__(self, plan: Plan, data: Dataset) -> None:
        key = {
            "plan": asdict(plan), "data": data.digest, "simulator": phantom.simulator_version(),
            "code": cache.code_version(*fit.CODE), "how": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        }  # fmt: skip
        self.plan, self.data = plan, data
        self.folder = cache.root() / "sim-to-real" / cache.digest(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = self.folder / "runs.jsonl"
        whole = [line for line in lines.read_text().splitlines() if line.endswith("}")] if lines.exists() else []
        self.done = {record["name"]: record for record in map(json.loads, whole)}

    def get(self, arm: str, count: int, rate: float, seed: int) -> dict:
        """What the validation part said of a run, which is made where it is missing."""
        name = f"{arm}, {count} labels, rate {rate:g}, seed {seed}"
        if name not in self.done:
            said, scores = one_run(self.plan, self.data, arm, count, rate, seed)
            np.save(self.folder / f"{name}.npy", scores)
            with open(self.folder / "runs.jsonl", "a") as lines:  # after the scores: a line stands for a whole run
                lines.write(json.dumps({"name": name, **said}) + "\n")
            self.done[name] = {"name": name, **said}
            print(f"{name}: {said}", flush=True)
        return self.done[name]

    def test_logits(self, arm: str, count: int, rate: float, seed: int) -> np.ndarray:
        """What the network says of the test part; asked for once the rate has been chosen."""
        return np.load(self.folder / f"{self.get(arm, count, rate, seed)['name']}.npy")


def chosen_rate(runs: Runs, arm: str, count: int) -> float:
    """The learning rate with the lowest validation loss, a mean over the draws."""
    plan = runs.plan

    def loss(rate: float) -> float:
        return float(np.mean([runs.get(arm, count, rate, seed)["loss"] for seed in range(plan.seeds)]))

    return min(plan.rates, key=loss)


def thumbnail_aucs(plan: Plan, data: Dataset, count: int) -> list[float]:
    """Test AUC of a logistic regression on 16 x 16 pixels for each draw of labels."""
    test = data.part("test")
    pixels = {name: pixelstore.pixels(data.part(name), plan.size) for name in ("train", "test")}
    out = []
    for seed in range(plan.seeds):
        some = drawn(data.part("train"), count, seed)
        rows = data.part("train").table["image"].isin(some.table["image"]).to_numpy()
        given = pixels["train"][rows], some.table, pixels["test"], test.table
        scores = baselines.thumbnail_scores(*given, data.findings)
        out.append(readout.mean_auc(test.labels, scores.to_numpy()))
    return out


def learning_curve(plan: Plan, data: Dataset) -> Iterator[dict]:
    """A row per number of labels: mean and spread of the test AUC of both arms and of the thumbnails."""
    runs, available = Runs(plan, data), len(data.part("train"))
    for count in sorted({min(count, available) for count in plan.labels}):
        row = {"labels": count}
        for arm in ARMS:
            rate = chosen_rate(runs, arm, count)
            validation = [runs.get(arm, count, rate, seed)["auc"] for seed in range(plan.seeds)]
            row[f"{arm}: valid"], row[f"{arm}: rate"] = float(np.mean(validation)), rate
        test = data.part("test")
        logits = {
            arm: [runs.test_logits(arm, count, row[f"{arm}: rate"], seed) for seed in range(plan.seeds)] for arm in ARMS
        }
        for arm in ARMS:
            areas = [readout.mean_auc(test.labels, one) for one in logits[arm]]
            row[arm], row[f"{arm}: spread"] = float(np.mean(areas)), float(np.std(areas, ddof=1))
        areas = thumbnail_aucs(plan, data, count)
        row["16 x 16 pixels"], row["16 x 16 pixels: spread"] = float(np.mean(areas)), float(np.std(areas, ddof=1))
        row["error ratio"] = (1 - row[ARMS[1]]) / (1 - row[ARMS[0]])
        row["error ratio: low"], row["error ratio: high"] = ratio_interval(test, logits)
        yield row


def ratio_interval(test: Dataset, logits: dict[str, list[np.ndarray]]) -> tuple[float, float]:
    """Ends of the 95 % interval of the error ratio: other test patients, the same networks."""
    unit, _ = pd.factorize(test.patients)
    both = [column for column, truth in enumerate(test.labels.T) if truth.min() != truth.max()]
    ladders = [
        ladder(test.labels[:, column].astype(int), one[:, column], unit, tied=0.5)
        for arm in ARMS
        for one in logits[arm]
        for column in both
    ]
    areas = bootstrap(ladders, weighted_auc, REPLICATES, 0).reshape(REPLICATES, len(ARMS), -1)
    mean = np.nanmean(areas, axis=2)  # a resample may lack a rare finding
    low, high = np.nanpercentile((1 - mean[:, 1]) / (1 - mean[:, 0]), [2.5, 97.5])
    return float(low), float(high)


def show(data: Dataset, row: dict) -> None:
    """Print a row of a learning curve."""
    test = data.part("test")
    figures = "   ".join(f"{arm} {row[arm]:.3f} ± {row[f'{arm}: spread']:.3f}" for arm in (*ARMS, "16 x 16 pixels"))
    rates = ", ".join(f"{row[f'{arm}: rate']:g}" for arm in ARMS)
    print(f"\n{data.name}, {row['labels']} labels; test AUC, mean ± spread over draws of labels", end="")
    print(f" ({len(test)} images of {len(set(test.patients))} patients)")
    ratio = f"{row['error ratio']:.2f} ({row['error ratio: low']:.2f} to {row['error ratio: high']:.2f})"
    print(f"{figures}   error ratio {ratio}   (rates {rates})", flush=True)


def only_simulated(plan: Plan, data: Dataset) -> pd.DataFrame:
    """AUC of each finding in real images for the first network that saw simulated ones only; see `metrics.auc_table`.

    Two more columns: the lowest and the highest AUC of all such networks.
    """
    unseen = data.subset((data.table["split"] != "valid").to_numpy(), data.name)
    truth = unseen.table.set_index("image")[list(data.findings)]
    first, *others = (
        auc_table(truth, pretrained(plan, seed).predict(unseen), unseen.patients) for seed in range(plan.seeds)
    )
    areas = pd.concat([table["auc"] for table in (first, *others)], axis=1)
    return first.assign(lowest=areas.min(axis=1), highest=areas.max(axis=1))


def main() -> int:
    """Measure and print; returns 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("simulated", "pneumonia", "nih")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--rehearse", action="store_true", help="a handful of steps, to see that all runs")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if not REAL.is_dir():
        print(f"No real X-rays at {REAL}. Set CXR_REAL_DATA to their folder.")
        return 0
    plan, results, met = REHEARSAL if asked.rehearse else Plan(), {}, True
    real = {name: open_dataset(REAL / name).with_images() for name in ("pneumonia", "nih")}
    if "simulated" in asked.only:
        table = only_simulated(plan, real["nih"])
        results["simulated"] = json.loads(table.to_json(orient="index"))
        print("\nReal NIH images, networks that saw simulated X-rays only: the first of them, and the range of all")
        print(table.to_string(float_format=lambda value: f"{value:.3f}"), flush=True)
    for name in [name for name in asked.only if name in real]:
        results[name] = []
        for row in learning_curve(plan, real[name]):
            results[name].append(row)
            show(real[name], row)
        if name == "pneumonia":
            ratio = results[name][0]["error ratio"]
            met = ratio <= BAR
            print(f"Error with the fewest labels {ratio:.2f} times that from scratch, at most {BAR:.2f}: ", end="")
            print("held" if met else "MISSED", flush=True)
    if asked.json:
        cache.write_text(asked.json, json.dumps(results, indent=1))
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
