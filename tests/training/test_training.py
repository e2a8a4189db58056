"""Training: it learns, twice the same, keeps the best epoch, and can be used again from its folder."""

import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tiny_dataset import tiny_dataset

from cxr_utils import cache
from cxr_utils.data import images
from cxr_utils.errors import DataError, RecipeError
from cxr_utils.networks import models, recipes, transfer, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.recipes import Recipe
from cxr_utils.networks.trained import Trained
from cxr_utils.training import devices, fit

SMALL = Recipe(size=32, epochs=4, batch_size=12, patience=4)


@pytest.fixture(scope="module")
def dataset(workplace):
    return tiny_dataset(workplace / "images")


@pytest.fixture(scope="module")
def trained(dataset):
    return fit.train(SMALL, dataset)


@pytest.fixture(scope="module")
def frozen(workplace):
    """The head of a DenseNet121 with random weights, which are good enough features for two squares."""
    load_keras().utils.set_random_seed(3)
    path = workplace / "random.npz"
    weights.save(path, weights.collect(models.densenet121(32, 1, weights=None).layers))
    return Recipe("densenet121", 32, weights=str(path), trainable="head")


def _aucs(truth, scores) -> list[float]:
    return [roc_auc_score(truth[:, column], scores[:, column]) for column in range(truth.shape[1])]


def test_it_learns(trained, dataset):
    test = dataset.part("test")
    probabilities = trained.predict(test)
    assert min(_aucs(test.labels, probabilities.to_numpy())) > 0.95
    assert probabilities.index.tolist() == test.table["image"].tolist() and probabilities.index.name == "image"
    assert probabilities.columns.tolist() == ["Mass", "Nodule"]


def test_training_says_nothing(dataset, capfd):
    fit.train(replace(SMALL, epochs=1), dataset, seed=9)
    assert capfd.readouterr() == ("", "")


def test_a_line_per_epoch_when_asked(dataset, capsys):
    fit.train(replace(SMALL, epochs=2), dataset, seed=8, options=fit.Options(verbose=True))
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == ["epoch 1/2", "epoch 2/2"]


def test_history_counts_what_it_cost(trained):
    history = trained.history
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))
    assert (history["images_seen"] == 36 * history["epoch"]).all()
    per_image = models.multiply_adds(trained.model)
    assert (history["multiply_adds"] == 3 * per_image * history["images_seen"]).all()
    assert {"loss", "val_loss", "val_auc", "learning_rate"} <= set(history)


def test_the_best_epoch_is_kept(trained, dataset):
    valid = dataset.part("valid")
    p = trained.predict(valid).to_numpy()
    loss = -np.mean(valid.labels * np.log(p) + (1 - valid.labels) * np.log(1 - p))
    assert np.isclose(loss, trained.history["val_loss"].min(), rtol=1e-3)
    best = trained.history["val_loss"].idxmin()
    assert np.isclose(np.mean(_aucs(valid.labels, p)), trained.history["val_auc"][best])


def test_one_file_is_predicted_as_the_data_set_was(trained, dataset):
    image = dataset.table["image"][50]
    expected = trained.predict(dataset).loc[image]
    assert np.allclose(trained.predict_file(dataset.path(image)), expected, atol=1e-5)


def test_the_card_says_how_to_use_it(trained):
    card = trained.card
    assert card["findings"] == ["Mass", "Nodule"] and card["preprocessing"]["size"] == 32 and card["seed"] == 0
    assert card["images"] == {"train": 36, "valid": 12} and card["patients"] == {"train": 18, "valid": 6}
    assert trained.recipe == SMALL and {"version", "data", "weights", "seconds", "backend"} <= set(card)


def test_the_same_seed_gives_the_same_weights_and_another_others(trained, dataset, monkeypatch, tmp_path):
    first = weights.read(trained.folder / "weights.npz")
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))
    again = weights.read(fit.train(SMALL, dataset).folder / "weights.npz")
    assert all(np.array_equal(first[name], again[name]) for name in first)
    other = weights.read(fit.train(replace(SMALL, epochs=1), dataset, seed=1).folder / "weights.npz")
    assert not np.array_equal(first["stem_conv/kernel"], other["stem_conv/kernel"])


def test_the_same_is_not_trained_twice(trained, dataset, monkeypatch):
    monkeypatch.setattr(fit, "_train_into", None)  # would fail if it were called
    assert fit.train(SMALL, dataset).folder == trained.folder
    with pytest.raises(TypeError):
        fit.train(SMALL, dataset, seed=77)
    with pytest.raises(TypeError):
        fit.train(replace(SMALL, learning_rate=1e-4), dataset)
    with pytest.raises(TypeError):
        fit.train(SMALL, dataset.subset(np.arange(50), "fewer"))


def test_predictions_are_kept(trained, dataset, monkeypatch):
    expected = trained.predict(dataset)
    fresh = Trained(trained.folder)
    monkeypatch.setattr(Trained, "_logits", None)
    pd.testing.assert_frame_equal(fresh.predict(dataset), expected)


def _cross_entropy(truth, logits):
    """Of what is true: -log of its probability, label by label."""
    return np.log1p(np.exp(np.where(truth == 1, -logits, logits)))


def _expected_loss(name, train_labels, truth, logits):
    if name == "focal":
        doubt = 1 - np.exp(-_cross_entropy(truth, logits))  # Lin et al. 2017: gamma 2, alpha 1/4
        return np.where(truth == 1, 0.25, 0.75) * doubt**2 * _cross_entropy(truth, logits)
    frequency = np.nanmean(train_labels, axis=0) if name == "weighted" else np.zeros(truth.shape[1])
    weight = np.where(truth == 1, 1 - frequency, frequency if name == "weighted" else 1)
    return weight * _cross_entropy(truth, logits)


@pytest.mark.parametrize("name", ["bce", "weighted", "focal"])
@pytest.mark.parametrize("more", [{}, {"sample_weights": True}, {"question": "any"}])
@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_what_is_minimised_and_measured_is_the_loss_of_the_recipe(dataset, name, more, unknown):
    """One epoch with steps too small to matter: its losses are those of the network as it was made.

    Where labels are unknown, an image's loss is a sum over its known ones, divided by how many an image has on average.
    """
    hidden = np.random.default_rng(1).random((60, 2)) < unknown
    labels = dataset.table[["Mass", "Nodule"]].mask(hidden)
    dataset = replace(dataset, table=dataset.table.assign(**labels))
    recipe = Recipe("normal_abnormal_cnn", size=16, epochs=1, batch_size=9, learning_rate=1e-12, loss=name, **more)
    still = fit.train(recipe, dataset)
    asked = dataset.any_finding() if more.get("question") else dataset
    train, valid = asked.part("train"), asked.part("valid")
    losses = []
    for part in (train, valid):
        p = still.predict(part).to_numpy()
        losses.append(_expected_loss(name, train.labels, part.labels, np.log(p / (1 - p))))
    weights = 1 + np.nansum(train.labels, axis=1) if more.get("sample_weights") else np.ones(36)
    row, known, judged = still.history.iloc[0], ~np.isnan(train.labels), ~np.isnan(valid.labels)
    per_image = (losses[0] * known).sum(axis=1) / known.sum(axis=1).mean()
    assert row["loss"] == pytest.approx((per_image * weights).sum() / weights.sum(), rel=1e-4)
    assert row["val_loss"] == pytest.approx(losses[1][judged].mean(), rel=1e-4)
    pairs = zip(valid.labels.T, still.predict(valid).to_numpy().T, judged.T, strict=True)
    areas = [roc_auc_score(truth[rows], score[rows]) for truth, score, rows in pairs if len(set(truth[rows])) == 2]
    assert row["val_auc"] == pytest.approx(np.mean(areas) if areas else np.nan, nan_ok=True)


class Stop(Exception):
    """Instead of training."""


@pytest.fixture
def asked_for(monkeypatch):
    """A function that gives what a recipe would train on: the model, batches, and the options of `fit`."""

    def of(recipe, dataset, seed=0):
        seen = []

        def fit_nothing(self, model, loss, batches, **options):
            seen.append((model, batches, options))
            raise Stop

        monkeypatch.setattr(devices.Devices, "fit", fit_nothing)
        with pytest.raises(Stop):
            fit.train(recipe, dataset, seed)
        monkeypatch.undo()
        model, batches, options = seen[0]
        return model, [np.concatenate(part) for part in zip(*batches, strict=True)], options

    return of


def _order(pictures, stored):
    """Which stored picture each one is; exact, because nothing has changed them."""
    rows = {picture.tobytes(): row for row, picture in enumerate(stored)}
    return [rows[picture.tobytes()] for picture in pictures]


def test_training_sees_each_image_once_an_epoch_with_its_labels_and_weights(asked_for, dataset):
    recipe, train = replace(SMALL, sample_weights=True, epochs=3), dataset.part("train")
    model, (pictures, labels, image_weights), options = asked_for(recipe, dataset, seed=5)
    order = _order(pictures, train.inputs(32))
    assert [sorted(order[start : start + 36]) for start in (0, 36, 72)] == [list(range(36))] * 3
    assert order[:36] != order[36:72] != order[72:]
    assert np.array_equal(labels, train.labels[order])
    counted = 1 + train.labels.sum(axis=1)
    assert image_weights == pytest.approx(counted[order] / counted.mean())
    assert (options["epochs"], options["initial_epoch"], options["steps_per_epoch"]) == (3, 0, 3)
    assert float(model.optimizer.learning_rate) == pytest.approx(SMALL.learning_rate)
    other = asked_for(recipe, dataset, seed=6)[1][0]
    assert _order(other, train.inputs(32)) != order


def test_training_draws_rare_images_more_often_and_expects_so(asked_for, dataset):
    rare = dataset.subset(np.flatnonzero((dataset.table["Mass"] == 0) | (np.arange(60) % 4 == 0)), "rarer masses")
    rare = replace(rare, findings=("Mass",))
    train = rare.part("train")
    share = train.labels.mean()
    model, (pictures, labels), _ = asked_for(replace(SMALL, oversample=True, epochs=2), rare)
    half = len(train) / 2
    assert share < 0.3 and np.floor(half) <= labels[: len(train)].sum() <= np.ceil(half)
    assert np.array_equal(labels, train.labels[_order(pictures, train.inputs(32))])
    assert model.get_layer("logits").get_weights()[1] == pytest.approx([0], abs=1e-6)  # as often as not


def test_training_sees_changed_images_and_validation_does_not(asked_for, dataset):
    stored = {picture.tobytes() for picture in dataset.inputs(32)}
    model, (pictures, *_), options = asked_for(replace(SMALL, augment=("shift",), epochs=1), dataset)
    assert not stored & {picture.tobytes() for picture in pictures}
    watch, valid = options["callbacks"][0], dataset.part("valid")
    assert np.allclose(watch.predict(), model.predict(valid.inputs(32), verbose=0), atol=1e-6)
    assert np.array_equal(watch.truth, valid.labels)


def test_fine_tuning_sees_rows_with_weights_and_warms_up(asked_for, head, dataset):
    recipe = replace(
        head.recipe, trainable="last_block", epochs=1, batch_size=10, sample_weights=True, learning_rate=1e-4
    )
    _, (rows, labels, image_weights), options = asked_for(recipe, dataset)
    train = dataset.part("train")
    counted = 1 + train.labels.sum(axis=1)
    stored, numbers = transfer._trunk_rows(train, recipe)
    order = _order(rows, stored[numbers])
    assert sorted(order) == list(range(36)) and np.array_equal(labels, train.labels[order])
    assert image_weights == pytest.approx(counted[order] / counted.mean())
    kinds = [type(one).__name__ for one in options["callbacks"]]
    assert kinds == ["Watch", "TerminateOnNaN", "ReduceLROnPlateau", "EarlyStopping", "RateOfStep", "Keeper"]
    rising = options["callbacks"][4].rate
    assert [rising(0, step) for step in range(4)] == pytest.approx([2.5e-5, 5e-5, 7.5e-5, 1e-4])
    assert rising(1, 0) is None


def test_what_is_learned_anew_does_not_warm_up(asked_for, dataset):
    kinds = [type(one).__name__ for one in asked_for(SMALL, dataset, seed=55)[2]["callbacks"]]
    assert kinds == ["Watch", "TerminateOnNaN", "ReduceLROnPlateau", "EarlyStopping", "Keeper"]


def test_training_stops_when_nothing_gets_better(dataset):
    recipe = replace(SMALL, learning_rate=1e-12, epochs=50, patience=2)
    history = fit.train(recipe, dataset).history
    assert len(history) < 50 and history["val_loss"].idxmin() < len(history) - 2
    assert history["learning_rate"].iloc[-1] < history["learning_rate"].iloc[0]


def test_a_loss_that_is_no_number_is_explained(dataset):
    with pytest.raises(RecipeError, match="loss became .* learning rate of 1e[+]30.* ten times smaller"):
        fit.train(replace(SMALL, learning_rate=1e30, epochs=3), dataset)
    assert fit.cached(replace(SMALL, learning_rate=1e30, epochs=3), dataset) is None  # nothing is taken for done


def test_features_are_the_averaged_maps(dataset, frozen):
    part = dataset.part("test")
    seen = transfer.features(part, frozen)
    keras = load_keras()
    whole = models.densenet121(32, 1, frozen.weights)
    pictures = np.stack([images.load_image(part.path(image), 32) for image in part.table["image"]])
    expected = keras.Model(whole.input, whole.get_layer("avg_pool").output).predict(pictures, verbose=0)
    assert seen.shape == (12, 1024) and np.allclose(seen, expected, atol=1e-4)


def test_features_are_computed_once_per_image(dataset, frozen, monkeypatch):
    whole = transfer.features(dataset, frozen)
    monkeypatch.setattr(transfer, "_frozen", None)
    assert np.array_equal(transfer.features(dataset.part("valid"), frozen), whole[36:48])


def test_frozen_seconds_are_no_more_than_passed(dataset, frozen, monkeypatch, tmp_path):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))
    started = time.perf_counter()
    transfer.features(dataset, frozen)
    passed = time.perf_counter() - started
    assert 0 < transfer.frozen_seconds(dataset, frozen) <= passed  # each second on one clock only


@pytest.fixture(scope="module")
def head(dataset, frozen):
    return fit.train(frozen, dataset)


def test_the_head_is_scikit_learns_regression_and_the_whole_network_says_the_same(head, dataset, frozen):
    penalty = head.history["penalty"][head.history["val_auc"].idxmax()]
    train, test = dataset.part("train"), dataset.part("test")
    seen = transfer.features(train, frozen)
    centre, spread = seen.mean(0), seen.std(0) + 1e-6
    regression = LogisticRegression(C=1 / penalty).fit((seen - centre) / spread, train.labels[:, 0])
    expected = regression.predict_proba((transfer.features(test, frozen) - centre) / spread)[:, 1]
    probabilities = head.predict(test)
    assert np.allclose(probabilities["Mass"], expected, atol=1e-3)
    one = head.predict_file(test.path(test.table["image"][4]))
    assert np.allclose(one, probabilities.iloc[4], atol=1e-4)


def test_a_head_for_a_finding_that_never_occurs(dataset, frozen):
    table = dataset.table.assign(Nodule=np.int8(0))
    never = fit.train(frozen, replace(dataset, table=table))
    probabilities = never.predict(dataset)
    assert probabilities["Nodule"].max() < 0.05 and probabilities["Mass"].std() > 0.01


def test_fine_tuning_starts_from_the_head_and_leaves_the_rest_alone(head, dataset, frozen):
    recipe = replace(head.recipe, trainable="last_block", epochs=3, batch_size=12, learning_rate=1e-4)
    tuned = fit.train(recipe, dataset)
    start, end = weights.read(Path(frozen.weights)), weights.collect(tuned.model.layers)
    changed = {name for name, array in start.items() if not np.array_equal(array, end[name])}
    assert all(name.startswith(("conv5_", "logits/")) for name in changed)
    assert not [name for name in changed if "_bn/" in name]  # batch normalisation stays in inference mode
    assert any(name.startswith("conv5_block16_2_conv") for name in changed)
    chosen = head.history["val_auc"].idxmax()
    assert tuned.history["loss"].iloc[1] < head.history["loss"][chosen] + 0.1  # warm, not from scratch
    assert tuned.history["val_loss"].iloc[0] == pytest.approx(head.kept["val_loss"], abs=1e-5)  # epoch 0 is the head
    test = dataset.part("test")
    assert np.allclose(tuned.predict_file(test.path(test.table["image"][4])), tuned.predict(test).iloc[4], atol=1e-4)
    frozen_part, block, top = models.cost_by_part(tuned.model)["million multiply-adds an image"] * 1e6
    # the frozen part once, forward; what learns in each epoch, forward and about twice as much backward
    expected = [36 * frozen_part + 3 * 36 * epoch * (block + top) for epoch in (0, 1, 2, 3)]
    assert tuned.history["multiply_adds"].tolist() == pytest.approx(expected)
    assert tuned.history["images_seen"].tolist() == [0, 36, 72, 108]
    assert head.history["multiply_adds"].tolist() == pytest.approx(
        [36 * (frozen_part + block + top / 2)] * len(head.history)
    )
    assert tuned.card["seconds"] > head.card["seconds"] > 0  # the head's are part of it


def test_fine_tuning_never_ends_below_its_head(head, dataset):
    """Steps so large that every epoch spoils what the head knew: the head itself is kept."""
    spoiled = replace(head.recipe, trainable="last_block", epochs=2, batch_size=12, learning_rate=0.3)
    tuned = fit.train(spoiled, dataset)
    assert tuned.history["val_loss"].iloc[1:].min() > tuned.history["val_loss"].iloc[0]
    assert tuned.kept["epoch"] == 0 and tuned.kept["val_auc"] == pytest.approx(head.kept["val_auc"])
    assert np.allclose(tuned.predict(dataset), head.predict(dataset), atol=1e-4)


def test_one_question_is_asked_of_any_data_set(dataset, monkeypatch):
    """The data set as it is, and the one that was made for the question, give one and the same network."""
    recipe = replace(SMALL, epochs=1, question="any")
    asked = fit.train(recipe, dataset)
    assert asked.findings == ("Abnormal",) and asked.recipe == recipe
    assert fit.cached(recipe, dataset).folder == asked.folder
    abnormal = dataset.table[["Mass", "Nodule"]].max(axis=1).astype("int8")
    by_hand = replace(dataset, table=dataset.table.assign(Abnormal=abnormal), findings=("Abnormal",))
    monkeypatch.setattr(fit, "_train_into", None)  # would fail if it were called
    assert fit.train(recipe, by_hand).folder == asked.folder
    # named for what was asked: without the question, the data set made by hand is the same training but another key
    assert fit.cached(replace(recipe, question="findings"), by_hand) is None


def test_fine_tuning_on_one_question_starts_from_a_head_for_it(frozen):
    recipe = replace(frozen, trainable="last_block", question="any")
    assert recipes.head_of(recipe).question == "any"


def test_the_epoch_that_is_kept(trained, dataset, head):
    assert trained.kept["val_loss"] == trained.history["val_loss"].min()
    assert head.kept["penalty"] == head.history["penalty"][head.history["val_auc"].idxmax()]


def test_weights_are_counted_as_numbers_of_the_whole_network(trained, head, dataset):
    densenet = load_keras().applications.DenseNet121(include_top=False, weights=None, input_shape=(32, 32, 3))
    assert head.weights_count == densenet.count_params() + (1024 + 1) * 2
    assert trained.weights_count == sum(weight.numpy().size for weight in trained.model.weights)
    small = fit.train(Recipe("normal_abnormal_cnn", size=32, epochs=1, batch_size=12, question="any"), dataset)
    convolutions = 9 * 32 + 32 + 9 * 32 * 64 + 64 + 9 * 64 * 128 + 128
    assert small.weights_count == convolutions + 4 * 4 * 128 * 128 + 128 + 128 + 1


def test_recipes_refuse_what_does_not_go_together():
    for wrong in (
        {"network": "resnet"},
        {"loss": "mse"},
        {"epochs": 0},
        {"patience": 0},
        {"question": "all"},
        {"weights": "simulated"},
        {"network": "densenet121", "trainable": "head"},
        {"network": "densenet121", "weights": "simulated", "trainable": "head", "loss": "focal"},
        {"network": "densenet121", "weights": "simulated", "trainable": "head", "oversample": True},
        {"oversample": True, "sample_weights": True},
        {"oversample": True, "loss": "weighted"},
    ):
        with pytest.raises(RecipeError, match="Expected"):
            Recipe(**wrong)


def test_named_recipes_exist_in_both_profiles():
    for name in (
        "xray-vision",
        "normal-abnormal",
        "densenet-transfer",
        "densenet-focal",
        "course",
        "lite0-head",
        "lite0-transfer",
    ):
        assert recipes.recipe(name, "full").size > recipes.recipe(name, "quick").size
    with pytest.raises(RecipeError, match="'xray'.*xray-vision"):
        recipes.recipe("xray")


def test_missing_parts_and_weights_are_refused(dataset, monkeypatch, tmp_path):
    with pytest.raises(DataError, match="valid"):
        fit.train(SMALL, dataset.subset((dataset.table["split"] != "valid").to_numpy(), "no valid"))
    monkeypatch.setattr(cache, "shipped", tmp_path.joinpath)
    with pytest.raises(RecipeError, match="cxr pretrain"):
        fit.train(replace(recipes.recipe("lite0-head"), weights="simulated"), dataset)


def test_importing_and_training_write_nothing_to_standard_error(workplace):
    code = """
        from pathlib import Path
        import numpy as np
        from tiny_dataset import tiny_dataset
        import cxr_utils as cxr
        from cxr_utils import cache
        trained = cxr.train(cxr.Recipe(size=32, epochs=1), tiny_dataset(Path(str(cache.root()) + "-images")))
        trained.model.predict(np.zeros((40, 32, 32, 1)), verbose=0)
    """
    folders = [*map(str, Path(__file__).parents[:2]), str(Path(fit.__file__).parents[2])]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**environment, "PYTHONPATH": os.pathsep.join(folders), "CXR_CACHE": str(workplace / "other")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_package_does_not_import_tensorflow():
    imported = "cxr_utils.training.fit, cxr_utils.networks.models, cxr_utils.training.pipeline"
    code = f"import sys, {imported}; print('tensorflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(fit.__file__).parents[2])}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True) == "False\n"


def test_a_weights_file_that_changed_is_not_taken_for_the_old_one(dataset, frozen, workplace, monkeypatch):
    arrays = weights.read(Path(frozen.weights))
    other = workplace / "changing.npz"
    weights.save(other, arrays)
    recipe = Recipe("densenet121", 32, weights=str(other), trainable="head")
    before = fit.train(recipe, dataset)
    weights.save(other, {**arrays, "conv1_conv/kernel": arrays["conv1_conv/kernel"] * 2})
    with pytest.raises(RecipeError, match="have changed since"):
        _ = before.model
    monkeypatch.setattr(fit, "_train_into", None)  # what would be called for a new entry
    with pytest.raises(TypeError):
        fit.train(recipe, dataset)


@pytest.mark.parametrize(("loss", "starts_at_prior"), [("bce", True), ("focal", True), ("weighted", False)])
def test_a_network_starts_from_how_frequent_its_findings_are(dataset, loss, starts_at_prior):
    """One epoch with steps too small to matter shows where training began."""
    rare = dataset.subset(np.flatnonzero((dataset.table["Mass"] == 0) | (np.arange(60) % 4 == 0)), "rare masses")
    still = fit.train(replace(SMALL, loss=loss, epochs=1, learning_rate=1e-9), rare)
    frequency = rare.part("train").labels.mean(axis=0)
    assert frequency[0] < 0.3
    expected = np.log(frequency / (1 - frequency)) if starts_at_prior else [0, 0]
    assert still.model.get_layer("logits").get_weights()[1] == pytest.approx(expected, abs=1e-5)
