"""The head on frozen features against scikit-learn, on features that are drawn and not computed."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from tiny_dataset import tiny_dataset

from cxr_utils.networks import losses, models, readout, transfer
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.recipes import Recipe

HEAD = Recipe("densenet121", weights="random", trainable="head")
RANDOM = Recipe("densenet121", 32)


@pytest.fixture
def parts(monkeypatch):
    """Ten of a hundred features tell of the findings, so that a weak penalty fits the training images only."""
    monkeypatch.setattr(transfer, "features", lambda part, recipe: part.inputs)
    rng = np.random.default_rng(0)

    def part(images):
        severity = rng.normal(size=(images, 1))
        inputs = 3 + rng.normal(size=(images, 100)) + severity * (np.arange(100) < 10)
        labels = severity + rng.normal(size=(images, 2)) > [0.3, 1.2]
        scaled = inputs * np.linspace(0.1, 5, 100)
        return SimpleNamespace(inputs=scaled.astype(np.float32), labels=labels.astype(np.int8))

    return part(300), part(400)


def regression(train, image_weights, penalty):
    """A logit function of scikit-learn's."""
    centre, spread = train.inputs.mean(axis=0), train.inputs.std(axis=0)
    fitted = [
        LogisticRegression(C=1 / penalty).fit((train.inputs - centre) / spread, truth, weight)
        for truth, weight in zip(train.labels.T, image_weights.T, strict=True)
    ]
    return lambda inputs: np.column_stack([one.decision_function((inputs - centre) / spread) for one in fitted])


@pytest.mark.parametrize("changes", [{}, {"loss": "weighted"}, {"sample_weights": True}])
def test_the_penalty_with_the_best_validation_area_is_chosen(parts, changes):
    train, valid = parts
    recipe = replace(HEAD, **changes)
    image_weights = losses.example_weights(recipe, train.labels)
    says = {penalty: regression(train, image_weights, penalty) for penalty in readout.PENALTIES}
    best = {}
    for which, judge in (("valid", valid), ("train", train)):
        arrays, history = transfer.fit_head(recipe, train, judge)
        tried = [row["penalty"] for row in history]
        areas = [
            np.mean([roc_auc_score(judge.labels[:, c], says[penalty](judge.inputs)[:, c]) for c in (0, 1)])
            for penalty in tried
        ]
        assert [row["val_auc"] for row in history] == pytest.approx(areas, abs=1e-4)
        best[which] = tried[int(np.argmax(areas))]
        assert [row["penalty"] for row in history if row["kept"]] == [best[which]]
        logits = valid.inputs @ arrays["logits/kernel"] + arrays["logits/bias"]
        assert np.allclose(logits, says[best[which]](valid.inputs), atol=2e-3)
        for row in history:
            for name, part in (("loss", train), ("val_loss", judge)):
                chances = 1 / (1 + np.exp(-says[row["penalty"]](part.inputs)))
                assert row[name] == pytest.approx(log_loss(part.labels.ravel(), chances.ravel()), abs=1e-4)
    assert best["valid"] != best["train"]  # or it would not matter which images decide


@pytest.mark.parametrize(
    ("best", "tried"),
    [
        (300.0, [30, 100, 300, 1000, 3000]),  # three far apart, then both neighbours of the best
        (1000.0, [30, 300, 1000, 3000, 10000]),
        (3.0, [3, 10, 30, 100, 300, 3000]),  # on and on towards the weakest
        (1e4, [30, 300, 1000, 3000, 10000]),  # the strongest has one neighbour
    ],
)
def test_the_search_walks_to_the_best_penalty(parts, monkeypatch, best, tried):
    def scored(seen, unseen, image_weights, penalty):
        distance = abs(np.log(penalty / best))
        return {"of": penalty}, {"penalty": penalty, "val_loss": 1.0, "val_auc": 1 - distance / 100}

    monkeypatch.setattr(readout, "_head", scored)
    arrays, history = transfer.fit_head(HEAD, *parts)
    assert [row["penalty"] for row in history] == tried and arrays == {"of": best}
    assert [row["penalty"] for row in history if row["kept"]] == [best]


@pytest.mark.parametrize("changes", [{}, {"loss": "weighted"}, {"sample_weights": True}])
def test_a_finding_is_fitted_to_the_images_of_which_it_is_known(parts, changes):
    """As scikit-learn does it on these rows, with weights that are 1 on average over them."""
    hidden = np.random.default_rng(5)
    for part in parts:
        part.labels = np.where(hidden.random(part.labels.shape) < [0.3, 0.6], np.nan, part.labels)
    train, valid = parts
    recipe = replace(HEAD, **changes)
    arrays, history = transfer.fit_head(recipe, train, valid)
    logits = valid.inputs @ arrays["logits/kernel"] + arrays["logits/bias"]
    best = max(history, key=lambda row: row["val_auc"])
    centre, spread = train.inputs.mean(axis=0), train.inputs.std(axis=0)
    known = [~np.isnan(part.labels) for part in parts]
    per_image = 1 + np.nansum(train.labels, axis=1)
    for column in (0, 1):
        rows = known[0][:, column]
        truth = train.labels[rows, column]
        weight = np.where(truth == 1, 1 - truth.mean(), truth.mean()) if changes.get("loss") else np.ones(len(truth))
        weight = weight * per_image[rows] if changes.get("sample_weights") else weight
        fitted = LogisticRegression(C=1 / best["penalty"])
        fitted.fit(((train.inputs - centre) / spread)[rows], truth, weight / weight.mean())
        assert np.allclose(logits[:, column], fitted.decision_function((valid.inputs - centre) / spread), atol=2e-3)
    areas = [roc_auc_score(valid.labels[known[1][:, c], c], logits[known[1][:, c], c]) for c in (0, 1)]
    assert best["val_auc"] == pytest.approx(np.mean(areas))
    chances = 1 / (1 + np.exp(-logits[known[1]]))
    assert best["val_loss"] == pytest.approx(log_loss(valid.labels[known[1]], chances), abs=1e-6)


def test_without_an_area_the_loss_decides(parts):
    train, valid = parts
    valid.labels = np.ones_like(valid.labels)  # one class only: nothing to rank
    arrays, history = transfer.fit_head(HEAD, train, valid)
    assert all(np.isnan(row["val_auc"]) for row in history)
    logits = valid.inputs @ arrays["logits/kernel"] + arrays["logits/bias"]
    least = min(row["val_loss"] for row in history)
    assert least < max(row["val_loss"] for row in history)
    assert np.mean(np.logaddexp(0, -logits)) == pytest.approx(least, abs=1e-4)


def test_a_finding_of_one_class_gets_its_frequency_one_half_image_short_of_certain(parts):
    train, valid = parts
    train.labels = np.column_stack([np.zeros(300, np.int8), np.ones(300, np.int8)])
    arrays, _ = transfer.fit_head(HEAD, train, valid)
    assert arrays["logits/bias"] == pytest.approx([np.log(0.5 / 300.5), np.log(300.5 / 0.5)])
    assert not arrays["logits/kernel"].any()


def test_weights_of_labels_by_hand():
    labels = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
    assert losses.example_weights(HEAD, labels).tolist() == np.ones((4, 2)).tolist()
    weighted = losses.example_weights(replace(HEAD, loss="weighted"), labels)
    # one of four is positive: 3/4 against 1/4, and on average (3/4 + 3 * 1/4) / 4 = 3/8
    assert weighted[:, 0].tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])
    assert weighted[:, 1].tolist() == [1, 1, 1, 1]
    counted = losses.example_weights(replace(HEAD, sample_weights=True), labels)
    assert counted[:, 0].tolist() == pytest.approx([8 / 7, 4 / 7, 8 / 7, 8 / 7])  # 2, 1, 2 and 2 of 7/4
    both = losses.example_weights(replace(HEAD, loss="weighted", sample_weights=True), labels)
    # 3/4 * 2, 1/4 * 1, 1/4 * 2 and 1/4 * 2, which add up to 11/4
    assert both[:, 0].tolist() == pytest.approx([24 / 11, 4 / 11, 8 / 11, 8 / 11])
    some = losses.example_weights(replace(HEAD, loss="weighted"), np.array([[1, 0], [0, np.nan], [0, 1], [np.nan, 1]]))
    # one of three is positive: 2/3 against 1/3, and on average 4/9; two of three: 1/3 against 2/3
    expected = [[1.5, 1.5], [0.75, np.nan], [0.75, 0.75], [np.nan, 0.75]]
    assert np.allclose(some, expected, equal_nan=True)


def test_the_area_is_the_mean_over_findings_with_both_classes():
    labels = np.array([[0, 1, 1], [1, 1, 0], [0, 1, 1], [1, 1, 0]])
    scores = np.array([[0.1, 0.5, 0.4], [0.3, 0.1, 0.6], [0.2, 0.9, 0.3], [0.15, 0.3, 0.9]])
    # 3 of 4 pairs in the right order for the first, none for the third; nothing to rank for the second
    assert readout.mean_auc(labels, scores) == pytest.approx((0.75 + 0) / 2)
    assert np.isnan(readout.mean_auc(labels[:, [1]], scores[:, [1]]))


def test_frozen_work_is_charged_by_the_image(tmp_path, monkeypatch):
    """Ten images took 5 s for the maps and four of them 1 s for the features: 0.75 s an image."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))
    dataset, now = tiny_dataset(tmp_path / "images", images=6), [0.0]
    monkeypatch.setattr(transfer.time, "perf_counter", lambda: now[0])
    assert transfer.frozen_seconds(dataset, RANDOM) == 0

    def work(chunks):
        for images, seconds in chunks:
            now[0] += seconds
            yield np.zeros((images, 2))

    def count(kind, chunks):
        taken = 0
        for chunk in transfer._timed(transfer._clock(kind, keys[kind]), work(chunks)):
            now[0] += 1000  # what the receiver does with them is not counted
            taken += len(chunk)
        return taken

    keys = {"trunk": transfer._key(dataset, RANDOM), "features": transfer._key(dataset, RANDOM) | {"readout": ()}}
    assert count("trunk", [(6, 2.0), (4, 3.0)]) == 10 and count("features", [(4, 1.0)]) == 4
    assert transfer.frozen_seconds(dataset, RANDOM) == pytest.approx(6 * (0.5 + 0.25))
    count("trunk", [(10, 15.0)])  # another part of the same images
    assert transfer.frozen_seconds(dataset, RANDOM) == pytest.approx(6 * (1.0 + 0.25))
    assert json.loads(transfer._clock("trunk", keys["trunk"]).read_text())["images"] == 20
    assert transfer.frozen_seconds(dataset, replace(RANDOM, size=64)) == 0  # images of another size take another time


def test_frozen_maps_are_computed_once_and_building_and_reading_are_charged(tmp_path, monkeypatch):
    """A single convolution stands in for DenseNet121: it takes 5 s to build, and reading the files takes 7 s."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "TOGETHER", 1)
    dataset, now, keras = tiny_dataset(tmp_path / "images", images=70, side=32), [0.0], load_keras()
    inputs = dataset.inputs(32)
    image = keras.Input((32, 32, 1))
    maps = keras.layers.Conv2D(512, 32, activation="relu", name=models.CUTS["densenet121"])(image)
    more = keras.layers.Concatenate()([maps, keras.layers.Rescaling(3.0)(maps)])
    read = keras.layers.Dropout(0, name="dropout")(keras.layers.GlobalAveragePooling2D(name="avg_pool")(more))
    small = keras.Model(image, read)

    def slowly(seconds, do):
        def done(*given):
            now[0] += seconds
            return do(*given)

        return done

    monkeypatch.setattr(transfer.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(transfer, "_frozen", slowly(5, lambda *given: small))
    monkeypatch.setattr(transfer.pixelstore, "reader", slowly(7, transfer.pixelstore.reader))
    seen = transfer.features(dataset, RANDOM)
    stored, rows = transfer._trunk_rows(dataset, RANDOM)
    expected = keras.Model(image, maps).predict(inputs, batch_size=64, verbose=0)
    assert stored[rows].shape == (70, 1, 1, 512) and np.array_equal(stored[rows], expected)
    assert np.allclose(seen, np.hstack([expected[:, 0, 0], 3 * expected[:, 0, 0]]), rtol=1e-5)
    # built to see how it is divided, for the maps and for the features; a real one is kept after the first time
    assert now == [5 + 5 + 7 + 5] and transfer.frozen_seconds(dataset, RANDOM) == pytest.approx(22)
    some = dataset.subset(np.arange(60, 40, -1), "some")
    assert np.array_equal(transfer.features(some, RANDOM), seen[60:40:-1]) and now == [22]


def test_features_are_kept_apart_by_network_weights_size_and_code(tmp_path, monkeypatch):
    dataset = tiny_dataset(tmp_path / "images", images=2)
    changes = [{}, {"weights": "imagenet"}, {"size": 64}, {"network": "efficientnet_lite0"}]
    keys = [transfer._key(dataset, replace(RANDOM, **change)) for change in changes]
    keys.append(transfer._key(replace(dataset, root=tmp_path), RANDOM))
    monkeypatch.setattr(transfer.cache, "code_version", lambda *modules: "changed")
    keys.append(transfer._key(dataset, RANDOM))
    assert len({json.dumps(key) for key in keys}) == 6
