"""Randomised weights: everything is forgotten, step by step, and nothing else is touched."""

import numpy as np
import pytest
from networks_with_maps import nested, with_weights
from scipy import stats

from cxr_utils.errors import RecipeError
from cxr_utils.heatmaps import gradcam, sanity
from cxr_utils.networks import models
from cxr_utils.networks.backend import load_keras


def changed_layers(before, after):
    """Layers with weights whose kernel differs, of two lists of layers."""
    return [old.name for old, new in zip(before, after, strict=True)
            if old.weights and (old.get_weights()[0] != new.get_weights()[0]).any()]  # fmt: skip


def test_cascade_goes_from_the_logits_down_and_leaves_the_model_alone():
    model = with_weights(models.xray_cnn(16, 2))
    before = model.get_weights()
    done = []
    for name, network in sanity.cascade(model):
        done.append(name)
        assert sorted(changed_layers(model.layers, network.layers)) == sorted(done)
    with_weight = [layer.name for layer in model.layers if layer.weights]
    assert done == with_weight[::-1] and done[0] == "logits" and done[-1] == "stem_conv"
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_cascade_takes_nested_models_layer_by_layer():
    model = with_weights(nested())
    names = [name for name, _ in sanity.cascade(model)]
    assert names[:3] == ["logits", "hidden", "first"] and sorted(names[3:]) == ["around", "first", "through"]


def test_same_seed_same_weights_and_another_seed_others():
    model = models.normal_abnormal_cnn(16, 2)
    last = [list(sanity.cascade(model, seed=seed))[-1][1].get_weights() for seed in (3, 3, 4)]
    assert all((a == b).all() for a, b in zip(last[0], last[1], strict=True))
    assert all((a != b).any() for a, b in zip(last[0][::2], last[2][::2], strict=True))


def lookout(size=16):
    """A network that sees a bright spot: its map is known, and has a reason."""
    keras = load_keras()
    image = keras.Input((size, size, 1))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="seen")(image)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="features")(x)
    model = keras.Model(image, keras.layers.Dense(1, name="logits")(keras.layers.GlobalAveragePooling2D()(x)))
    seen, features = np.zeros((3, 3, 1, 8)), np.zeros((3, 3, 8, 8))
    seen[1, 1, 0, :4], seen[1, 1, 0, 4:] = 1, -1
    features[1, 1] = np.eye(8)
    model.set_weights([seen, np.zeros(8), features, np.zeros(8), np.array([[1.0]] * 4 + [[-1.0]] * 4), np.zeros(1)])
    return model


def test_randomised_weights_destroy_the_map_of_a_planted_signal():
    model, images = lookout(), np.random.default_rng(0).normal(0, 1, (24, 16, 16, 1)).astype(np.float32)
    maps = gradcam.grad_cam(model, images)
    assert np.median(sanity.map_similarity(maps, np.maximum(images[None, ..., 0], 0).swapaxes(0, 1))) > 0.95
    similarity = []
    for seed in range(6):
        *_, (_, network) = sanity.cascade(model, seed=seed)
        similarity.append(sanity.map_similarity(maps, gradcam.grad_cam(network, images)))
    assert np.isfinite(similarity).mean() > 0.5 and abs(np.nanmedian(similarity)) < 0.3


def test_a_map_that_never_looks_at_the_last_weights_passes_unharmed():
    """The control: features summed without weights show the picture, and randomised logits do not change them."""
    model, images = lookout(), np.random.default_rng(0).normal(0, 1, (4, 16, 16, 1)).astype(np.float32)
    keras = load_keras()
    name, network = next(sanity.cascade(model))
    sums = [keras.ops.convert_to_numpy(gradcam.cut(one)[0](images)).sum(axis=-1) for one in (model, network)]
    assert name == "logits" and sanity.map_similarity(*sums).tolist() == pytest.approx([1.0] * 4)


def test_similarity_equals_scipy():
    generator = np.random.default_rng(0)
    maps, others = generator.random((3, 2, 4, 5)).round(1), generator.random((3, 2, 4, 5)).round(1)
    similarity = sanity.map_similarity(maps, others)
    expected = stats.spearmanr(maps[2, 1].ravel(), others[2, 1].ravel()).statistic
    assert similarity.shape == (3, 2) and similarity[2, 1] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(sanity.map_similarity(np.zeros((4, 4)), maps[0, 0][:, :4]))
    with pytest.raises(RecipeError, match="one shape"):
        sanity.map_similarity(maps, others[0])


def normalising_network():
    keras = load_keras()
    image = keras.Input((8, 8, 4))
    x = keras.layers.Conv2D(96, 3, name="wide")(image)
    x = keras.layers.BatchNormalization(name="normal")(x)
    x = keras.layers.Flatten()(x)
    return with_weights(keras.Model(image, keras.layers.Dense(8, name="logits")(x)))


def test_fresh_weights_are_hes_and_normalisations_do_nothing():
    """Kernels have mean 0 and variance 2 / inputs (He et al. 2015), with 3 x 3 x 4 and 6 x 6 x 96 inputs."""
    *_, (_, network) = sanity.cascade(normalising_network(), seed=1)
    for layer, inputs in (("wide", 3 * 3 * 4), ("logits", 6 * 6 * 96)):
        kernel, bias = network.get_layer(layer).get_weights()
        assert kernel.std() == pytest.approx(np.sqrt(2 / inputs), rel=0.05)
        assert abs(kernel.mean()) < 4 * kernel.std() / np.sqrt(kernel.size)
        assert stats.kurtosis(kernel, axis=None) == pytest.approx(0, abs=0.3) and (bias == 0).all()
    gamma, beta, mean, variance = network.get_layer("normal").get_weights()
    assert (gamma == 1).all() and (beta == 0).all() and (mean == 0).all() and (variance == 1).all()


def test_each_step_forgets_one_layer_and_keeps_what_was_forgotten():
    model, before = normalising_network(), {}
    names = []
    for name, network in sanity.cascade(model, seed=1):
        names.append(name)
        for layer in network.layers:
            if layer.name in before:  # forgotten at an earlier step: its fresh weights stay
                np.testing.assert_array_equal(layer.get_weights()[0], before[layer.name])
            elif layer.weights and layer.name not in names:
                np.testing.assert_array_equal(layer.get_weights()[0], model.get_layer(layer.name).get_weights()[0])
        before[name] = network.get_layer(name).get_weights()[0]
    assert names == ["logits", "normal", "wide"]


def test_similarity_counts_ties_as_scipy_does():
    generator = np.random.default_rng(1)
    maps, others = (generator.integers(0, levels, (6, 3, 4)).astype(float) for levels in (3, 4))
    expected = [stats.spearmanr(one.ravel(), other.ravel()).statistic for one, other in zip(maps, others, strict=True)]
    np.testing.assert_allclose(sanity.map_similarity(maps, others), expected, atol=1e-12)
    assert sanity.map_similarity([[1, 2], [2, 3]], [[10, 20], [20, 30]]) == pytest.approx(1)
    constant = np.stack([np.ones((3, 4)), maps[0]])
    assert np.isnan(sanity.map_similarity(constant, constant[::-1])).all()
    for wrong in (np.zeros(3), np.zeros((2, 3))):
        with pytest.raises(RecipeError, match="Received maps of shapes"):
            sanity.map_similarity(wrong, np.zeros(3))
