"""Pretraining, with a network of four convolutions instead of EfficientNet-Lite0: going on, freezing, shipping."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.errors import RecipeError
from cxr_utils.networks import transfer, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.training import pretraining, simulated
from cxr_utils.training.pretraining import Plan

PLAN = Plan(images=40, drawn_at=64, seed=7, size=64, epochs=3, batch_size=8, learning_rate=0.01, frozen=1)


def small_network(size, outputs, source, dropout):
    """Stages where pretraining looks for them."""
    assert source == "imagenet" and dropout == 0.2
    keras = load_keras()
    x = image = keras.Input((size, size, 1), name="image")
    for stage, stride in ((1, 4), (5, 4), (7, 2)):
        x = keras.layers.Conv2D(4, 3, stride, padding="same", activation="relu", name=f"conv{stage}")(x)
        x = keras.layers.BatchNormalization(name=f"norm{stage}")(x)
        x = keras.layers.Activation("linear", name=f"stage{stage}")(x)
    pooled = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(image, keras.layers.Dense(outputs, dtype="float32", name="logits")(pooled))


@pytest.fixture(scope="module", autouse=True)
def small_networks(workplace):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining, "efficientnet_lite0", small_network)
        yield


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A cache of its own, with the same pictures."""
    pictures = simulated.draw_pictures(PLAN.images, PLAN.drawn_at, PLAN.seed)
    (tmp_path / "cache" / "pretraining").mkdir(parents=True)
    (tmp_path / "cache" / "pretraining" / "pictures").symlink_to(pictures.parent)
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    return tmp_path


def same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    return all(np.allclose(one[name], other[name], atol=tolerance, rtol=0) for name in one)


@pytest.mark.parametrize(
    ("done", "share"),
    [(0, 0), (0.01, 0.2), (0.025, 0.5), (0.05, 1), (0.05 + 0.95 / 4, (1 + np.sqrt(0.5)) / 2), (0.525, 0.5),
     (0.05 + 0.95 * 2 / 3, 0.25), (1, 0)],
)  # fmt: skip
def test_the_rate_rises_over_a_twentieth_and_falls_as_half_a_cosine(done, share):
    assert pretraining.schedule(done) == pytest.approx(share, abs=1e-12)


def test_a_stopped_run_ends_as_one_that_was_not_stopped(fresh, monkeypatch):
    whole = pretraining.pretrain(PLAN)
    ended, state = weights.read(whole / "epoch03.npz"), json.loads((whole / "state.json").read_text())
    whole.rename(fresh / "whole")
    save = weights.save

    def killed(path, arrays, dtype="float32"):
        if path.name == "epoch02.npz":
            raise KeyboardInterrupt
        save(path, arrays, dtype)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(weights, "save", killed)
        pretraining.pretrain(PLAN)
    assert json.loads((whole / "state.json").read_text())["epochs_done"] == 1
    assert pretraining.pretrain(PLAN) == whole
    again = json.loads((whole / "state.json").read_text())
    assert same(weights.read(whole / "epoch03.npz"), ended, 2e-3)  # half precision
    assert again["epochs_done"] == 3 and len(again["history"]) == 3 and again["plan"] == asdict(PLAN)
    for row, before in zip(again["history"], state["history"], strict=True):
        assert row["loss"] == pytest.approx(before["loss"], abs=1e-3)
    assert not same(weights.read(whole / "epoch02.npz"), ended, 1e-3)  # the third has learned


def test_an_ended_run_is_not_trained_again(fresh, monkeypatch):
    plan = replace(PLAN, epochs=1)
    folder = pretraining.pretrain(plan)
    monkeypatch.setattr(pretraining, "_network", lambda *_: pytest.fail("trained again"))
    assert pretraining.pretrain(plan) == folder


def test_frozen_stages_stay_and_the_others_learn(fresh):
    plan = replace(PLAN, epochs=1)
    folder = pretraining.pretrain(plan)
    load_keras().utils.set_random_seed(plan.seed)
    begun = weights.collect(small_network(64, 14, "imagenet", 0.2).layers)
    ended = weights.read(folder / "epoch01.npz")
    assert begun.keys() == ended.keys()  # the head that draws masks is not kept
    changed = {name for name in begun if not np.allclose(begun[name], ended[name], atol=2e-3)}
    assert changed and not {name for name in changed if name.startswith(("conv1", "norm1"))}
    assert {"conv5/kernel", "conv7/kernel", "logits/kernel"} <= changed


def test_all_pictures_but_those_held_out_are_learned_from_once_an_epoch(fresh, monkeypatch):
    shown, feed = [], simulated.feed

    def watched(folder, batches, seed, size, pool):
        shown.append((np.concatenate(batches).tolist(), seed, size, len(batches[0])))
        return feed(folder, batches, seed, size, pool)

    monkeypatch.setattr(simulated, "feed", watched)
    pretraining.pretrain(replace(PLAN, epochs=2))
    orders = [one[0] for one in shown]
    assert [sorted(order) for order in orders] == [list(range(8, 40))] * 2 and orders[0] != orders[1]
    assert [one[1:] for one in shown] == [((7, 0), 64, 8), ((7, 1), 64, 8)]


@pytest.fixture
def ended(tmp_path):
    """A run of eight epochs, as files."""
    plan, rows = replace(PLAN, epochs=8), []
    for epoch in range(1, 9):
        weights.save(tmp_path / f"epoch{epoch:02}.npz", {"logits/bias": np.full(14, epoch)})
        rows.append({"loss": 0.5, "auc_of_simulated_patients": {"Mass": 0.5, "mean": round(0.6 + epoch / 100, 2)}})
    state = {"plan": asdict(plan), "epochs_done": 8, "history": rows, "seconds": 10.4, "backend": "jax"}
    (tmp_path / "state.json").write_text(json.dumps(state | {"simulator": "s", "code": "c"}))
    return tmp_path


@pytest.fixture
def photographs(monkeypatch):
    monkeypatch.setattr(weights, "identity", lambda network, source: f"{network} {source}")


def test_without_real_x_rays_the_last_epoch_ships(ended, photographs, tmp_path):
    target = pretraining.ship(ended, tmp_path / "w.npz")
    with np.load(target) as file:
        assert file["logits/bias"].tolist() == [8] * 14 and file["logits/bias"].dtype == np.float16
    record = json.loads(target.with_suffix(".json").read_text())
    assert record["epoch"] == 8 and record["auc_of_simulated_patients"] == {"Mass": 0.5, "mean": 0.68}
    assert record["auc_of_frozen_features_on_real_patients"] == {}
    assert record["plan"] == asdict(replace(PLAN, epochs=8)) and record["seconds"] == 10 and len(record["history"]) == 8
    assert [record[name] for name in ("network", "backend", "simulator", "code")] == [
        "efficientnet_lite0", "jax", "s", "c",
    ]  # fmt: skip
    assert record["start"] == "photographs, efficientnet_lite0 imagenet" and len(record["findings"]) == 14


def test_real_x_rays_choose_among_the_last_epochs(ended, photographs, tmp_path, monkeypatch):
    areas = {6: {"a": 0.7, "b": 0.9}, 7: {"a": 0.9, "b": 0.8}, 8: {"a": 0.95, "b": 0.7}}
    monkeypatch.setattr(pretraining, "_worth", lambda file, judges: areas[int(file.stem[-2:])])
    record = json.loads(pretraining.ship(ended, tmp_path / "w.npz", ["some"]).with_suffix(".json").read_text())
    assert record["epoch"] == 7
    assert record["auc_of_frozen_features_on_real_patients"] == {str(epoch): one for epoch, one in areas.items()}


def test_a_run_that_has_not_ended_does_not_ship(ended, tmp_path):
    state = json.loads((ended / "state.json").read_text())
    (ended / "state.json").write_text(json.dumps(state | {"epochs_done": 5}))
    with pytest.raises(RecipeError, match="5 of 8 epochs. Expected all"):
        pretraining.ship(ended, tmp_path / "w.npz")
    assert not (tmp_path / "w.npz").exists()


def test_the_test_part_has_no_say_in_what_weights_are_worth(tmp_path, monkeypatch):
    dataset, asked = tiny_dataset(tmp_path, images=60), []

    def features(looked_at, frozen):
        asked.append((set(looked_at.table["split"]), frozen.weights))
        return looked_at.labels * 2.0

    monkeypatch.setattr(transfer, "features", features)
    assert pretraining._worth(tmp_path / "w.npz", [dataset]) == {dataset.name: 1.0}
    assert asked == [({"train", "valid"}, str(tmp_path / "w.npz"))]
