"""Pretraining, with a network of one convolution instead of DenseNet121: schedule, best epoch, going on."""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tiny_dataset import tiny_dataset

from cxr_utils.networks import models, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.training import callbacks, pretraining
from cxr_utils.training.pretraining import Plan

PLAN = Plan(images=40, drawn_at=64, seed=7, stages=((16, 2), (24, 1)), judged_at=20, batch_size=8, learning_rate=0.02)


@pytest.fixture(scope="module", autouse=True)
def small_networks(workplace):
    """One convolution that takes images of any size."""

    def network(size, outputs, weights):
        keras = load_keras()
        image = keras.Input((size, size, 1))
        maps = keras.layers.Conv2D(4, 3, activation="relu", name="maps")(image)
        pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(maps)
        return keras.Model(image, keras.layers.Dense(outputs, name="logits")(pooled))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "densenet121", network)
        pretraining._judge.cache_clear()
        yield
        pretraining._judge.cache_clear()


@pytest.fixture
def judged(monkeypatch):
    """Gives each epoch the next of scripted areas; the weights that were judged, by epoch."""
    seen, areas = [], []

    def judge(plan, arrays, valid):
        seen.append(arrays)
        return {"Mass": 0.51239, "mean": areas[len(seen) - 1]}

    monkeypatch.setattr(pretraining, "_auc", judge)
    return seen, areas


def same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    return all(np.allclose(one[name], other[name], atol=tolerance, rtol=0) for name in one)


def fresh(monkeypatch, folder):
    """Another cache, with the same images."""
    (folder / "cache").mkdir(parents=True)
    (folder / "cache" / "cohorts").symlink_to(pretraining.cache.root() / "cohorts")
    monkeypatch.setenv("CXR_CACHE", str(folder / "cache"))


@pytest.mark.parametrize(
    ("done", "share"),
    [(0, 0), (0.01, 0.2), (0.025, 0.5), (0.05, 1), (0.05 + 0.95 / 4, (1 + np.sqrt(0.5)) / 2), (0.525, 0.5),
     (0.05 + 0.95 * 2 / 3, 0.25), (1, 0)],
)  # fmt: skip
def test_the_rate_rises_over_a_twentieth_and_falls_as_half_a_cosine(done, share):
    assert pretraining.schedule(done) == pytest.approx(share, abs=1e-12)


def test_simulated_patients_are_labelled_by_what_was_drawn(workplace):
    train, valid = pretraining.cohort(PLAN)
    assert len(train) + len(valid) == 40 and not set(train.patients) & set(valid.patients)
    assert set(valid.table["split"]) == {"valid"} and set(train.table["split"]) == {"train", "test"}
    for part in (train, valid):
        assert np.array_equal(part.labels, part.truth()[list(part.findings)].to_numpy())


def test_the_best_epoch_is_published_and_the_rate_follows_the_schedule(judged, monkeypatch, tmp_path, capsys):
    seen, areas = judged
    pretraining.cohort(PLAN)
    fresh(monkeypatch, tmp_path)
    areas += [0.61, 0.73456, 0.7]
    ticks = itertools.count(step=5)  # each epoch looks at the clock when it begins and when it ends
    monkeypatch.setattr(pretraining, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    rates, sizes, starts, fed, step = [], [], [], [], callbacks.RateOfStep.on_train_batch_begin

    def watched(self, batch, logs=None):
        if batch == 0:
            starts.append(weights.collect(self.model.layers))
        step(self, batch, logs)
        rates.append(float(self.model.optimizer.learning_rate))
        assert type(self.model.optimizer).__name__ == "AdamW" and self.model.optimizer.weight_decay == 0.01
        sizes.append(self.model.input_shape[1])

    def batches(read, labels, batch_size, *, augment=(), shuffle_seed=None, epochs=(0,)):
        size = read(np.array([0])).shape[1]
        fed.append((len(labels), size, batch_size, augment, shuffle_seed, list(epochs)))
        return make(read, labels, batch_size, augment=augment, shuffle_seed=shuffle_seed, epochs=epochs)

    make = pretraining.pipeline.batches
    monkeypatch.setattr(pretraining.pipeline, "batches", batches)
    monkeypatch.setattr(callbacks.RateOfStep, "on_train_batch_begin", watched)
    target = pretraining.pretrain(PLAN, tmp_path / "w.npz")
    assert target == tmp_path / "w.npz" and same(weights.read(target), seen[1], 1e-3)
    assert not same(seen[0], seen[1], 1e-3) and not same(seen[1], seen[2], 1e-3)  # each epoch has learned
    assert same(starts[1], seen[0]) and same(starts[2], seen[1])  # each epoch goes on, also with larger images
    train, valid = pretraining.cohort(PLAN)
    assert [one[:3] for one in fed] == [(len(train), 16, 8), (len(train), 16, 8), (len(train), 24, 8)]
    assert [one[3:] for one in fed] == [(PLAN.augment, 7, [epoch]) for epoch in range(3)]
    steps = int(np.ceil(len(train) / 8))
    total = 3 * steps
    assert sizes == [16] * 2 * steps + [24] * steps
    expected = [(number + 1) / total for number in range(total)]  # of all steps, those of the other size included
    expected = [done / 0.05 if done < 0.05 else (1 + np.cos(np.pi * (done - 0.05) / 0.95)) / 2 for done in expected]
    assert rates == pytest.approx(0.02 * np.array(expected), rel=1e-5, abs=1e-8)

    record = json.loads(target.with_suffix(".json").read_text())
    assert {array.dtype.name for array in np.load(target).values()} == {"float16"}  # half the size to ship
    assert (
        record["epochs_done"] == 2
        and record["seconds"] == 10
        and record["auc_of_judged_patients"] == {"Mass": 0.5124, "mean": 0.7346}
    )
    assert record["history"] == [
        {"size": 16, "auc": 0.61, "of_epochs": 3}, {"size": 16, "auc": 0.7346, "of_epochs": 3},
    ]  # fmt: skip
    assert record["data"]["images"] == {"train": len(train), "judged": len(valid)}
    assert record["data"]["patients"] == {"train": len(set(train.patients)), "judged": len(set(valid.patients))}
    assert record["findings"] == list(train.findings) and record["plan"]["seed"] == 7
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("epoch")] == [
        "epoch 1 at 16 pixels: AUC 0.6100", "epoch 2 at 16 pixels: AUC 0.7346", "epoch 3 at 24 pixels: AUC 0.7000",
    ]  # fmt: skip


def test_a_stopped_run_goes_on_with_the_next_epoch(judged, monkeypatch, tmp_path):
    seen, areas = judged
    pretraining.cohort(PLAN)
    fresh(monkeypatch, tmp_path)
    areas += [0.6, 0.8]
    with pytest.raises(IndexError):  # no third area: killed before the state was written
        pretraining.pretrain(PLAN, tmp_path / "w.npz")
    areas += [0.5, 0.7]  # the third epoch is judged twice
    target = pretraining.pretrain(PLAN, tmp_path / "w.npz")
    assert len(seen) == 4 and same(seen[2], seen[3])  # it began with what the second one had learned
    assert same(weights.read(target), seen[1], 1e-3)  # still the best one
    pretraining.pretrain(PLAN, tmp_path / "w.npz")
    assert len(seen) == 4  # nothing left to do
    (state,) = (tmp_path / "cache" / "pretraining").glob("*/state.json")
    state = json.loads(state.read_text())
    assert (state["epochs_done"], state["best"]) == (3, 0.8) and state["seconds"] > 0
    assert [row["auc"] for row in state["history"]] == [0.6, 0.8, 0.7]


def test_another_run_begins_anew(judged, monkeypatch, tmp_path):
    """The network of a run before, in the same process, is not gone on with."""
    seen, areas = judged
    plan = replace(PLAN, stages=((16, 1),))
    areas += [0.5, 0.5]
    pretraining.cohort(plan)
    for name in ("one", "two"):
        with pytest.MonkeyPatch.context() as patch:
            fresh(patch, tmp_path / name)
            pretraining.pretrain(plan, tmp_path / name / "w.npz")
    assert same(*seen)


def test_epochs_are_judged_by_the_area_of_each_finding(workplace):
    valid = tiny_dataset(workplace / "tiny", images=70)
    model = models.densenet121(20, 2, weights=None)
    logits = model.predict(valid.inputs(20), verbose=0)
    areas = pretraining._auc(PLAN, weights.collect(model.layers), valid)
    mass, nodule = (roc_auc_score(valid.labels[:, column], logits[:, column]) for column in (0, 1))
    assert areas == pytest.approx({"Mass": mass, "Nodule": nodule, "mean": (mass + nodule) / 2})
    assert mass != nodule
    never = replace(valid, table=valid.table.assign(Nodule=np.int8(0)))
    areas = pretraining._auc(PLAN, weights.collect(model.layers), never)
    assert areas["mean"] == pytest.approx(mass) and np.isnan(areas["Nodule"])


def test_the_plan_says_the_size_of_each_epoch():
    assert PLAN.sizes == [16, 16, 24] and sum(pretraining.PLAN.sizes) == 6 * 64 + 3 * 96
    assert pretraining.REHEARSAL.sizes == [32, 64] and pretraining.REHEARSAL.images < 100
