"""EfficientNet-Lite0 and what photographs taught it: two of them are named, and NumPy alone finds the same numbers."""

import math

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from cxr_utils.heatmaps import gradcam
from cxr_utils.networks import efficientnet, models, torch_file, transfer, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.recipes import Recipe


@pytest.fixture(scope="module")
def photographs():
    """China's Summer Palace and a dahlia, (2, 224, 224, 3), as the network was shown its photographs."""
    squares = []
    for picture in load_sample_images().images:
        side = min(picture.shape[:2])
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        square = picture[top : top + side, left : left + side]
        squares.append((cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA).astype(np.float32) - 127) / 128)
    return np.stack(squares)


@pytest.fixture(scope="module")
def classifier():
    """The network as it was published: colour pictures to logits of ImageNet's 1,000 classes."""
    keras = load_keras()
    image = keras.Input((224, 224, 3))
    averages = keras.layers.GlobalAveragePooling2D()(efficientnet.body(image))
    model = keras.Model(image, keras.layers.Dense(1000, name="logits")(averages))
    assert weights.assign(model, torch_file.by_layers(weights._in_package(), model.layers)) == len(model.weights)
    return model


def test_it_is_the_network_that_was_published(classifier):
    """Its authors give 4.7 million weights; B0's paper 0.39 billion multiply-adds, with the gates that are left out."""
    assert sum(math.prod(weight.shape) for weight in classifier.trainable_weights) == 4_652_008
    assert math.isclose(models.multiply_adds(classifier), 0.39e9, rel_tol=0.02)


def test_photographs_are_named(classifier, photographs):
    """ImageNet knows no dahlia; a daisy is its only other flower of that family. A palace by a lake it has."""
    palace, bell_cote, monastery, daisy = 698, 442, 663, 985
    china, flower = np.argsort(-classifier.predict(photographs, verbose=0))
    assert china[:3].tolist() == [palace, bell_cote, monastery] and flower[0] == daisy


def convolved(x, kernel, stride):
    """A kernel (outputs, inputs or 1, k, k) on maps (channels, h, w); what is missing at the borders is zero.

    As TensorFlow pads: as many pixels as are needed, and where that is odd, one more below and to the right.
    """
    k, side = kernel.shape[-1], x.shape[-1]
    out = -(-side // stride)
    missing = max((out - 1) * stride + k - side, 0)
    around = (missing // 2, missing - missing // 2)
    x = np.pad(x, ((0, 0), around, around))
    total = 0
    for row in range(k):
        for column in range(k):
            seen = x[:, row : row + out * stride : stride, column : column + out * stride : stride][:, :out, :out]
            at = kernel[:, :, row, column]
            total = total + (at[..., np.newaxis] * seen if at.shape[1] == 1 else np.tensordot(at, seen, 1))
    return total


def by_numpy(x, given):
    """Maps after each block and at the end, and logits, of one photograph (3, 224, 224), from the file's own names."""

    def layer(x, convolution, norm, stride=1, relu=True):
        x = convolved(x, given[f"{convolution}.weight"], stride)
        scale, shift, mean, variance = (
            given[f"{norm}.{name}"][:, np.newaxis, np.newaxis]
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        x = scale * (x - mean) / np.sqrt(variance + 1e-3) + shift
        return np.clip(x, 0, 6) if relu else x

    strides = {1: 2, 3: 2, 5: 2, 11: 2}  # of the other blocks 1
    blocks, x = [], layer(x, "_conv_stem", "_bn0", 2)
    for number in range(16):
        name, came_in = f"_blocks.{number}", x
        if number:
            x = layer(x, f"{name}._expand_conv", f"{name}._bn0")
        x = layer(x, f"{name}._depthwise_conv", f"{name}._bn1", strides.get(number, 1))
        x = layer(x, f"{name}._project_conv", f"{name}._bn2", relu=False)
        x = x + came_in if x.shape == came_in.shape else x
        blocks.append(x)
    x = layer(x, "_conv_head", "_bn1")
    return blocks, x, given["_fc.weight"] @ x.mean(axis=(1, 2)) + given["_fc.bias"]


def test_every_stage_has_the_numbers_that_numpy_finds(classifier, photographs):
    keras = load_keras()
    names = [f"stage{number}" for number in range(1, 8)] + ["head_relu", "logits"]
    found = keras.Model(classifier.input, [classifier.get_layer(name).output for name in names]).predict(
        photographs, verbose=0
    )
    given = torch_file.read(weights._in_package())
    for which, photograph in enumerate(photographs):
        blocks, last, logits = by_numpy(photograph.transpose(2, 0, 1).astype(float), given)
        maps = [*(blocks[end] for end in (0, 2, 4, 7, 10, 14, 15)), last]
        for name, ours, by_hand in zip(names, found, [*(m.transpose(1, 2, 0) for m in maps), logits], strict=True):
            assert np.abs(ours[which] - by_hand).max() < 1e-4 * by_hand.std(), name


def test_a_grey_image_is_shown_as_a_photograph_of_half_the_deviation(classifier):
    """And the head for findings begins at zero."""
    keras = load_keras()
    model = transfer.build(Recipe("efficientnet_lite0", size=64, weights="imagenet"), 3)
    assert not any(array.any() for array in model.get_layer("logits").get_weights())
    picture = np.random.default_rng(0).normal(size=(2, 64, 64, 1)).astype(np.float32)
    seen = keras.Model(model.input, model.get_layer("avg_pool").output).predict(picture, verbose=0)
    given = torch_file.read(weights._in_package())
    for one, ours in zip(picture, seen, strict=True):
        _, last, _ = by_numpy(np.repeat(one[..., 0][np.newaxis], 3, axis=0) / 2.0, given)
        assert np.allclose(ours, last.mean(axis=(1, 2)), atol=1e-4)


def test_its_layers_are_found_by_name():
    model = transfer.build(Recipe("efficientnet_lite0", size=64, dropout=0.25), 5)
    stages = {layer.name: layer.output.shape[1:] for layer in model.layers if layer.name.startswith("stage")}
    sides, channels = (32, 16, 8, 4, 4, 2, 2), (16, 24, 40, 80, 112, 192, 320)
    assert stages == {
        f"stage{number}": (side, side, count) for number, side, count in zip(range(1, 8), sides, channels, strict=True)
    }
    assert (model.name, model.input_shape, model.output_shape) == ("efficientnet_lite0", (None, 64, 64, 1), (None, 5))
    assert all(not hasattr(layer, "layers") for layer in model.layers)  # flat
    assert model.get_layer("dropout").rate == 0.25 and gradcam.last_map(model) == "head_relu"
    names = [layer.name for layer in model.layers]
    assert {"stem_conv", "block1_1_depthwise_conv", "block2_2_add", "block7_1_project_norm", "head_norm"} <= set(names)
    assert sum(name.endswith("_add") for name in names) == 9  # 16 blocks, of which each stage's first adds nothing
