"""A trained network predicts in chunks what it predicts of the whole, and knows which epoch its weights are of."""

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.data import images, pixelstore
from cxr_utils.networks import trained as trained_module
from cxr_utils.networks import transfer, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.recipes import Recipe
from cxr_utils.networks.trained import PREPROCESSING, Trained, from_trunk
from cxr_utils.networks.transfer import build
from cxr_utils.training import pipeline

SMALL = Recipe("normal_abnormal_cnn", size=16)
IMAGES = 150  # two batches of 64 and a rest


@pytest.fixture(scope="module")
def dataset(workplace):
    return tiny_dataset(workplace / "images", images=IMAGES, side=20)


def made(folder, recipe, history=({"epoch": 1, "val_loss": 1.0, "val_auc": 0.5, "kept": True},)):
    """A network as training leaves it in its folder; its weights are random."""
    load_keras().utils.set_random_seed(5)
    model = build(recipe, 2)
    model.get_layer("logits").set_weights(
        [np.random.default_rng(1).normal(size=w.shape) for w in model.layers[-1].weights]
    )
    folder.mkdir()
    weights.save(folder / "weights.npz", weights.collect(model.layers))
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    card = {"findings": ["Mass", "Nodule"], "preprocessing": PREPROCESSING | {"size": recipe.size}, "version": "0"}
    card |= {"recipe": asdict(recipe), "weights": weights.identity(recipe.network, recipe.weights)}
    (folder / "card.json").write_text(json.dumps(card))
    return Trained(folder)


@pytest.fixture(scope="module")
def trained(workplace):
    return made(workplace / "small", SMALL)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits.astype(float)))


@pytest.mark.parametrize("together", [1, 2, 8])
def test_in_chunks_it_predicts_to_the_bit_what_keras_predicts_of_the_whole(
    trained, dataset, monkeypatch, together, tmp_path
):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))  # or a prediction would be found and not made
    monkeypatch.setattr(transfer, "TOGETHER", together)
    pictures = np.stack([images.load_image(dataset.path(image), 16) for image in dataset.table["image"]])
    whole = trained.model.predict(pictures, batch_size=64, verbose=0)
    batches = pipeline.batches(pixelstore.reader(dataset, 16), dataset.labels, 64)
    batched = trained.model.predict(pipeline.for_keras(batches), verbose=0)
    predicted = trained.predict(dataset)
    assert np.array_equal(predicted.to_numpy(), sigmoid(whole)) and np.array_equal(whole, batched)
    assert predicted.index.tolist() == dataset.table["image"].tolist() and predicted["Mass"].std() > 0.01


def test_chunks_are_read_one_at_a_time(monkeypatch):
    monkeypatch.setattr(transfer, "TOGETHER", 1)
    keras = load_keras()
    image = keras.Input((1,))
    model, read = keras.Model(image, keras.layers.Rescaling(2.0)(image)), []
    chunks = transfer.in_chunks(
        model, lambda rows: read.append(rows) or np.float32(rows)[:, np.newaxis], list(range(130))
    )
    assert next(chunks)[:, 0].tolist() == [2.0 * row for row in range(64)] and len(read) == 1
    assert [len(chunk) for chunk in chunks] == [64, 2] and read[2].tolist() == [128, 129]


def test_only_what_sees_unchanged_images_through_frozen_layers_learns_from_stored_rows():
    tuned = Recipe("densenet121", weights="random", trainable="last_block")
    assert from_trunk(tuned) and from_trunk(replace(tuned, trainable="head"))
    assert not from_trunk(replace(tuned, augment=("shift",))) and not from_trunk(replace(tuned, trainable="all"))


def test_which_row_of_the_history_the_weights_are_of(tmp_path):
    history = {"epoch": [0, 1, 2], "val_loss": [0.7, 0.5, 0.6], "kept": [False, False, True]}
    pd.DataFrame(history).to_csv(tmp_path / "history.csv", index=False)
    assert Trained(tmp_path).kept.to_dict() == {"epoch": 2, "val_loss": 0.6, "kept": True}


def test_what_is_read_anyway_is_not_drawn_and_afterwards_all_is_as_before():
    def kernel():
        return build(SMALL, 2).get_layer("conv1").get_weights()[0]

    with trained_module._undrawn():
        assert not kernel().any()
    assert kernel().std() > 0.01
