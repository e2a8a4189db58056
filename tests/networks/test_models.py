"""The networks, their cost and their files of weights."""

import math
import socket
import time
import urllib.request

import numpy as np
import pytest

from cxr_utils import cache
from cxr_utils.errors import Missing, RecipeError
from cxr_utils.heatmaps import gradcam
from cxr_utils.networks import models, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.efficientnet import efficientnet_lite0

PICTURES = np.random.default_rng(0).normal(size=(3, 64, 64, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def densenet():
    load_keras().utils.set_random_seed(1)
    return models.densenet121(64, 2, weights=None)


@pytest.mark.parametrize("make", [models.normal_abnormal_cnn, models.xray_cnn])
@pytest.mark.parametrize("outputs", [1, 14])
def test_networks_end_in_logits(make, outputs):
    model = make(64, outputs)
    logits = np.array(model(PICTURES))
    assert logits.shape == (3, outputs) and logits.dtype == np.float32
    assert model.layers[-1].activation.__name__ == "linear"
    assert all(not hasattr(layer, "layers") for layer in model.layers)  # flat


def test_densenet_is_flat_and_named_as_in_keras(densenet):
    names = {layer.name for layer in densenet.layers}
    official = load_keras().applications.DenseNet121(include_top=False, weights=None)
    assert all(not hasattr(layer, "layers") for layer in densenet.layers)
    assert {layer.name for layer in official.layers if layer.weights} <= names
    assert densenet.input_shape == (None, 64, 64, 1) and densenet.output_shape == (None, 2)
    assert np.array_equal(np.array(densenet(PICTURES[:1])), np.zeros((1, 2)))  # a new head knows nothing


def test_grey_goes_to_three_channels_alike(densenet):
    """As Keras' own DenseNet121 with the same weights sees a picture of three equal channels."""
    keras = load_keras()
    official = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(64, 64, 3), pooling="avg")
    arrays = weights.collect(densenet.layers)
    weights.assign(official, arrays)
    ours = keras.Model(densenet.input, densenet.get_layer("avg_pool").output)
    assert np.allclose(ours(PICTURES), official(np.repeat(PICTURES, 3, axis=-1)), atol=1e-5)


def test_a_network_can_be_cut_at_its_last_map(densenet):
    sides = {"normal_abnormal_cnn": (16, 128), "xray_cnn": (8, 128), "densenet121": (2, 1024)}
    for model in (models.normal_abnormal_cnn(64, 2), models.xray_cnn(64, 2), densenet):
        side, channels = sides[model.name]
        assert model.get_layer(gradcam.last_map(model)).output.shape == (None, side, side, channels)


def test_a_network_without_maps_cannot_be_cut():
    keras = load_keras()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)], name="flat")
    with pytest.raises(RecipeError, match="'flat'"):
        gradcam.last_map(model)


def test_multiply_adds_of_densenet_are_the_published_2_9_billion():
    """Huang et al. 2017 and torchvision state 2.83 GMACs for 224 pixels without batch normalisation."""
    model = models.densenet121(224, 1, weights=None)
    assert math.isclose(models.multiply_adds(model), 2.834e9, rel_tol=0.01)


def test_multiply_adds_by_hand_and_of_trained_layers():
    keras = load_keras()
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="a")(image)
    model = keras.Model(image, keras.layers.Dense(5, name="b")(keras.layers.Flatten()(x)))
    assert models.multiply_adds(model) == 3 * 3 * 1 * 4 * 16 + 64 * 5
    model.get_layer("a").trainable = False
    assert models.multiply_adds(model, trained_only=True) == 64 * 5


def test_xray_cnn_is_small():
    assert 250_000 < models.xray_cnn(64, 14).count_params() < 350_000


@pytest.mark.parametrize("make, least", [(models.xray_cnn, 16), (models.densenet121, 32)])
def test_too_small_images_are_refused(make, least):
    options = {"weights": None} if make is models.densenet121 else {}
    with pytest.raises(RecipeError, match=f"at least {least}"):
        make(least - 1, 1, **options)


@pytest.mark.parametrize("name", ["w.npz", "w.h5", "w.weights.h5", "w.keras"])
def test_any_file_of_weights_serves_and_leaves_the_head_alone(name, densenet, tmp_path):
    path = tmp_path / name
    arrays = weights.collect(densenet.layers)
    if name == "w.npz":
        weights.save(path, arrays)
    elif name == "w.h5":
        densenet.save(path)  # Keras' old format, which has layer names
    else:
        (densenet.save_weights if name == "w.weights.h5" else densenet.save)(path)
    loaded = weights.collect(models.densenet121(64, 5, weights=str(path)).layers)
    body = [name for name in arrays if not name.startswith("logits/")]
    assert all(np.array_equal(loaded[name], arrays[name]) for name in body)
    assert not loaded["logits/kernel"].any()


def test_half_precision_keeps_three_digits_and_half_the_size(densenet, tmp_path):
    arrays = weights.collect(densenet.layers)
    weights.save(tmp_path / "half.npz", arrays, "float16")
    assert (tmp_path / "half.npz").stat().st_size < 15e6
    half = weights.read(tmp_path / "half.npz")
    assert all(np.allclose(half[name], array, rtol=1e-3, atol=1e-4) for name, array in arrays.items())


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(RecipeError, match="a/b"):
        weights.save(tmp_path / "w.npz", {"a/b": np.array([1e6])}, "float16")
    assert not list(tmp_path.iterdir())


def test_weights_of_another_network_are_refused(tmp_path):
    weights.save(tmp_path / "other.npz", weights.collect(models.xray_cnn(64, 2).layers))
    told = "fit 0 of the 604 of densenet121: 'conv1_conv/kernel' is absent. Expected .7, 7, 3, 64"
    with pytest.raises(RecipeError, match=told):
        models.densenet121(64, 2, weights=str(tmp_path / "other.npz"))


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "w.h5").write_bytes(b"no weights")
    with pytest.raises(RecipeError, match="w.h5"):
        models.densenet121(64, 2, weights=str(tmp_path / "w.h5"))


def test_missing_weights_name_the_command_or_the_alternatives(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "shipped", tmp_path.joinpath)
    with pytest.raises(RecipeError, match="cxr pretrain"):
        models.densenet121(64, 2, weights="simulated")
    with pytest.raises(RecipeError, match="'/nowhere.h5'.*simulated"):
        models.densenet121(64, 2, weights="/nowhere.h5")


def test_imagenet_offline_says_so_at_once(tmp_path, monkeypatch):
    def hang(*arguments, **options):
        time.sleep(30)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for answer in (hang, lambda *a, **o: (_ for _ in ()).throw(socket.gaierror())):
        monkeypatch.setattr(urllib.request, "urlopen", answer)
        with pytest.raises(RecipeError, match='weights="random"'):
            models.densenet121(64, 2, weights="imagenet")


def test_what_is_at_hand_is_known_without_asking_the_internet(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", None)
    absent = weights.at_hand("densenet121", "imagenet")
    assert isinstance(absent, Missing) and str(tmp_path) in str(absent)
    fetched = tmp_path / "models" / "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
    fetched.parent.mkdir()
    fetched.write_bytes(b"")
    assert weights.at_hand("densenet121", "imagenet") is True
    for network, source in (("efficientnet_lite0", "simulated"), ("densenet121", "random")):
        assert weights.at_hand(network, source) is True
    assert "does not exist" in str(weights.at_hand("densenet121", "simulated"))


@pytest.mark.parametrize("make", [models.densenet121, efficientnet_lite0])
def test_random_weights_are_the_same_everywhere_and_pass_on_what_they_see(make, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))
    model = make(64, 2, weights="random")
    first, again, other = (models.random_weights(model, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], array) for name, array in weights.collect(model.layers[:-1]).items())
    assert all(np.array_equal(first[name], again[name]) for name in first)
    kernel = next(name for name in first if name.endswith("kernel"))
    assert not np.array_equal(first[kernel], other[kernel]) and not model.layers[-1].kernel.numpy().any()
    noise = models._pink_noise(8, 64, 7)
    assert np.allclose(noise.std(axis=(1, 2)), 1, atol=1e-4) and np.allclose(noise.mean(axis=(1, 2)), 0, atol=1e-4)
    seen = load_keras().Model(model.input, model.layers[-2].output).predict(noise, verbose=0)
    assert 0.02 < seen.std(axis=0).mean() < 5  # neither faded nor swollen, and not the same for every picture


def test_identity_follows_the_contents(tmp_path):
    for name, value in (("a.npz", 1.0), ("b.npz", 2.0)):
        weights.save(tmp_path / name, {"x/y": np.array([value])})
    first, again, other = (
        weights.identity("densenet121", str(tmp_path / name)) for name in ("a.npz", "a.npz", "b.npz")
    )
    assert first == again != other


def test_parts_of_densenet_by_the_arithmetic_of_its_paper(densenet):
    """The last block: 16 layers, each a 1x1 convolution to 128 maps and a 3x3 one that adds 32, on maps of 2 x 2."""
    inputs = [512 + 32 * layer for layer in range(16)]
    convolutions = sum(maps * 128 + 9 * 128 * 32 for maps in inputs)
    normalisation = sum(4 * maps + 4 * 128 for maps in inputs) + 4 * 1024
    parts = models.cost_by_part(densenet)
    cost = parts["million multiply-adds an image"]
    assert parts.index.tolist() == ["up to pool4_pool", "behind pool4_pool", "head"]
    assert parts["parameters"].tolist()[1:] == [convolutions + normalisation, 1024 * 2 + 2]
    assert parts["parameters"].sum() == densenet.count_params()
    assert cost.tolist()[1:] == pytest.approx([4 * convolutions / 1e6, 1024 * 2 / 1e6])
    assert cost.sum() * 1e6 == pytest.approx(models.multiply_adds(densenet))
