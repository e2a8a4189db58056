"""What a head reads: averages over fields against NumPy, and features against the logits of their network."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.errors import RecipeError
from cxr_utils.heatmaps import gradcam
from cxr_utils.networks import models, transfer, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.readout import averages
from cxr_utils.networks.recipes import Recipe, recipe
from cxr_utils.networks.trained import Trained
from cxr_utils.networks.transfer import build
from cxr_utils.training import fit

SIZE = 64
IMAGE = ("image", 16)
LITE0 = Recipe("efficientnet_lite0", SIZE, weights="imagenet", trainable="head")
#: Layers behind the cut (stage4), at it and before it, in any order; fields that do not divide a map of 4 x 4.
READOUTS = [
    (),
    (("stage5", 3), IMAGE),
    (("stage2", 5), ("stage6", 1), ("stage4", 4), IMAGE),
    (("stage3", 2), IMAGE),
]


@pytest.fixture(scope="module")
def dataset(workplace):
    return tiny_dataset(workplace / "images")


def by_hand(maps, fields):
    """Means over windows that start every `side // fields` places and are as wide as the last one must be."""
    stride = maps.shape[1] // fields
    starts = [stride * field for field in range(fields)]
    width = maps.shape[1] - starts[-1]
    windows = [maps[:, y : y + width, x : x + width].mean(axis=(1, 2)) for y in starts for x in starts]
    return np.concatenate(windows, axis=1)


def outputs(model, names, pictures):
    """What layers put out, each computed by itself."""
    keras = load_keras()
    return {name: keras.Model(model.input, model.get_layer(name).output).predict(pictures, verbose=0) for name in names}


@pytest.mark.parametrize("fields", [1, 2, 3, 5, 7])
def test_fields_cover_the_map_and_overlap_where_they_do_not_divide_it(fields):
    keras = load_keras()
    image = keras.Input((7, 7, 2), name="image")
    maps = keras.layers.Rescaling(2.0, name="maps")(image)
    pictures = np.random.default_rng(0).normal(size=(3, 7, 7, 2)).astype(np.float32)
    read = averages(keras.Model(image, maps), (("maps", fields), ("image", 1)))
    expected = np.hstack([by_hand(2 * pictures, fields), pictures.mean(axis=(1, 2))])
    assert np.allclose(keras.Model(image, read).predict(pictures, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("readout", READOUTS)
def test_features_are_the_averages_of_the_maps_one_layer_after_the_other(dataset, readout):
    asked = replace(LITE0, readout=readout)
    seen = transfer.features(dataset, asked)
    whole = build(replace(LITE0, readout=()), 1)
    maps = outputs(whole, [layer for layer, _ in readout] or ["head_relu"], dataset.inputs(SIZE))
    expected = np.hstack([by_hand(maps[layer], fields) for layer, fields in readout or (("head_relu", 1),)])
    assert seen.shape == expected.shape and np.allclose(seen, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("readout", READOUTS)
def test_the_whole_network_says_what_the_head_says_of_the_features(dataset, readout):
    head = fit.train(replace(LITE0, readout=readout), dataset)
    test, arrays = dataset.part("test"), weights.read(head.folder / "weights.npz")
    logits = transfer.features(test, head.recipe) @ arrays["logits/kernel"] + arrays["logits/bias"]
    assert logits.std() > 0.1 and head.recipe.readout == readout
    assert np.allclose(head.model.predict(test.inputs(SIZE), verbose=0), logits, atol=1e-3)
    expected = 1 / (1 + np.exp(-logits))
    assert np.allclose(head.predict(test), expected, atol=1e-5)


@pytest.mark.parametrize("readout", READOUTS[:-1])
def test_a_tail_gives_the_logits_of_the_whole(dataset, readout):
    asked = replace(LITE0, readout=readout)
    whole = build(asked, 2)
    kernel, bias = whole.get_layer("logits").get_weights()
    whole.get_layer("logits").set_weights([np.random.default_rng(0).normal(size=kernel.shape), bias])
    rows = transfer.tail_reader(dataset, asked)(np.arange(50, 60))
    assert isinstance(rows, tuple) == bool({"image", "stage2"} & set(dict(readout)))
    tail, expected = transfer.tail(whole, asked), whole.predict(dataset.inputs(SIZE)[50:60], verbose=0)
    assert np.allclose(tail.predict(rows, verbose=0), expected, rtol=1e-3, atol=1e-3)
    assert expected.std() > 0.1
    assert not [layer.name for layer in tail.layers if layer.name.startswith("block4")]


def test_maps_at_the_cut_are_shared_by_all_readouts_and_features_are_not(dataset, monkeypatch):
    first, other = replace(LITE0, readout=(("stage5", 3),)), replace(LITE0, readout=(("stage5", 1),))
    seen = [transfer.features(dataset, one) for one in (first, other)]
    assert [one.shape[1] for one in seen] == [9 * 112, 112]
    assert transfer._trunk_rows(dataset, first)[0].filename == transfer._trunk_rows(dataset, other)[0].filename
    monkeypatch.setattr(transfer, "_frozen", None)  # nothing is built to see what is there
    assert np.array_equal(transfer.features(dataset.part("valid"), first), seen[0][36:48])


def test_layers_behind_what_is_read_are_left_out():
    names = [layer.name for layer in build(replace(LITE0, readout=(("stage3", 2), IMAGE)), 2).layers]
    assert "block3_2_project_conv" in names and not [name for name in names if name.startswith(("block4", "head"))]
    dense = models.densenet121(32, 2, readout=(("pool3_pool", 2),))
    assert dense.layers[-1].kernel.shape == (4 * 256, 2) and not [one for one in dense.layers if "conv4" in one.name]


@pytest.mark.parametrize(
    ("readout", "told"),
    [
        ((("stage55", 3),), "a layer 'stage55'. Expected one of the .* such as .*stage5"),
        ((("stage5", 5),), "'stage5' into 5 x 5 fields, but its map has 4 x 4 .*at most 4"),
    ],
)
def test_a_readout_that_does_not_fit_is_refused_when_the_network_is_built(dataset, readout, told):
    for attempt in (build, lambda asked, _: fit.train(asked, dataset)):
        with pytest.raises(RecipeError, match=told):
            attempt(replace(LITE0, readout=readout), 2)


def test_fine_tuning_needs_something_behind_the_cut(dataset, monkeypatch):
    monkeypatch.setattr(fit, "_train_into", lambda folder, run: fit._fit(run))
    for readout in ((("stage3", 2), IMAGE), (("stage4", 2),)):
        with pytest.raises(RecipeError, match="ends before what fine-tuning trains. Expected .* behind 'stage4'"):
            fit.train(replace(LITE0, trainable="last_block", readout=readout), dataset)


@pytest.mark.parametrize("changes", [{}, {"augment": ("shift",)}, {"dropout": 0.5, "sample_weights": True}])
def test_fine_tuning_trains_what_lies_behind_the_cut(dataset, changes):
    """From stored rows, and with changed images from pictures; both begin at the head."""
    asked = replace(
        LITE0, trainable="last_block", readout=(("stage5", 3), IMAGE), epochs=2, batch_size=12, learning_rate=1e-3
    )
    tuned = fit.train(replace(asked, **changes), dataset)
    head = fit.train(replace(LITE0, readout=asked.readout, sample_weights="dropout" in changes), dataset)
    start, end = weights.collect(build(LITE0, 1).layers), weights.collect(tuned.model.layers)
    changed = {name for name in start if name in end and not np.array_equal(start[name], end[name])}
    assert all(name.startswith(("block5", "logits")) for name in changed)
    assert tuned.kept["epoch"] == 0 or "block5_3_project_conv/kernel" in changed
    first = tuned.history.iloc[0]
    assert first["epoch"] == 0 and first["val_auc"] == pytest.approx(head.kept["val_auc"])
    assert first["val_loss"] == pytest.approx(head.kept["val_loss"], abs=1e-4)
    test = dataset.part("test")
    assert np.allclose(tuned.predict_file(test.path(test.table["image"][4])), tuned.predict(test).iloc[4], atol=1e-4)


def test_an_exported_network_needs_nothing_else(dataset, workplace):
    head = fit.train(replace(LITE0, readout=(("stage5", 3), IMAGE)), dataset)
    exported = head.export(workplace / "exported")
    assert exported.recipe == head.recipe and exported.weights_count == head.model.count_params()
    assert np.allclose(exported.predict(dataset), head.predict(dataset), atol=1e-4)


def test_a_card_from_before_there_were_readouts_is_understood(tmp_path):
    told = asdict(Recipe("densenet121", 32))
    del told["readout"]
    (tmp_path / "card.json").write_text(json.dumps({"recipe": told}))
    assert Trained(tmp_path).recipe == Recipe("densenet121", 32)


@pytest.mark.parametrize(
    ("readout", "layer"), [*zip(READOUTS, ["head_relu", "stage5", "stage6", "stage3"], strict=True)]
)
def test_grad_cam_looks_at_the_last_maps_that_are_read(dataset, readout, layer):
    model = build(replace(LITE0, readout=readout), 2)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([np.random.default_rng(0).normal(size=kernel.shape), bias])
    pictures = dataset.inputs(SIZE)[:2]
    assert gradcam.last_map(model) == layer
    maps = gradcam.grad_cam(model, pictures)
    assert maps.shape[2:] == model.get_layer(layer).output.shape[1:3] and maps.max() == 1


def test_the_named_recipes_read_a_middle_layer_a_late_one_and_a_thumbnail():
    for profile in ("quick", "full"):
        head, tuned = recipe("lite0-head", profile), recipe("lite0-transfer", profile)
        assert head.readout == tuned.readout == (("stage5", 3), ("stage7", 1), ("image", 16))
        model = build(head, 2)
        assert model.get_layer("dropout").output.shape == (None, 9 * 112 + 320 + 256)
