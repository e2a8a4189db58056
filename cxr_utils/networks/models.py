"""The networks of the course; EfficientNet-Lite0 has a file of its own.

Each is flat and functional, takes a standardised grey image (size, size, 1), ends in logits, one per finding, and
can be cut at its last convolution, which is what Grad-CAM and transfer learning need.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxr_utils import cache
from cxr_utils.errors import RecipeError
from cxr_utils.networks import weights as weight_files
from cxr_utils.networks.backend import backend, load_keras
from cxr_utils.networks.readout import Readout, averages

if TYPE_CHECKING:
    import keras

#: What fine-tuning leaves as it is: a network up to this layer. Behind it stand the last dense block, or three stages.
CUTS = {"densenet121": "pool4_pool", "efficientnet_lite0": "stage4"}


def normal_abnormal_cnn(size: int, outputs: int, dropout: float = 0.5) -> "keras.Model":
    """Three convolutions with pooling, then a dense layer that knows where in the image each feature lies.

    Args:
        size: side of the image in pixels; at least 8.
        outputs: number of findings.
        dropout: fraction of the dense layer's features left out at each training step.

    Returns:
        A network from images (batch, size, size, 1) to logits (batch, outputs).

    Example:
        >>> normal_abnormal_cnn(32, 1).output_shape
        (None, 1)
    """
    keras, layers = _layers(size, at_least=8)
    image = keras.Input((size, size, 1), name="image")
    x = image
    for number, channels in enumerate((32, 64, 128), start=1):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = layers.Dense(128, activation="relu", name="dense")(layers.Flatten(name="flatten")(x))
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, layers.Dense(outputs, dtype="float32", name="logits")(x), name="normal_abnormal_cnn")


def xray_cnn(size: int, outputs: int, dropout: float = 0.0) -> "keras.Model":
    """A small residual network to train from scratch on a laptop: 0.3 million weights.

    It shrinks the image only eightfold, so that its maps stay fine, and averages each map over the image before the
    logits, so that it can see where each logit comes from.

    Args:
        size: side of the image in pixels; at least 16.
        outputs: number of findings.
        dropout: fraction of the averaged features left out at each training step.

    Returns:
        A network from images (batch, size, size, 1) to logits (batch, outputs).

    Example:
        >>> xray_cnn(64, 14).get_layer("maps").output.shape
        (None, 8, 8, 128)
    """
    keras, layers = _layers(size, at_least=16)
    image = keras.Input((size, size, 1), name="image")
    x = _convolution(image, 16, "stem", stride=2, width=5)
    x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    x = _residual_block(x, 32, "block1")
    x = _residual_block(x, 64, "block2", stride=2)
    x = _residual_block(x, 128, "block3")
    x = layers.Activation("linear", name="maps")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, layers.Dense(outputs, dtype="float32", name="logits")(x), name="xray_cnn")


def _residual_block(x, channels: int, name: str, stride: int = 1):
    layers = load_keras().layers
    shortcut = layers.Conv2D(channels, 1, stride, use_bias=False, name=f"{name}_shortcut")(x)
    x = _convolution(x, channels, f"{name}_a", stride)
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_b_conv")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_b_norm")(x)
    return layers.Activation("relu", name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, shortcut]))


def _convolution(x, channels: int, name: str, stride: int = 1, width: int = 3):
    layers = load_keras().layers
    x = layers.Conv2D(channels, width, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    # Few steps a run: the running mean must follow within tens of batches, not within Keras' hundreds.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def densenet121(
    size: int, outputs: int, weights: str | None = None, dropout: float = 0.0, readout: Readout = ()
) -> "keras.Model":
    """DenseNet121 (Huang et al. 2017) without its top: average of each map, dropout, logits.

    The grey image is given to the three colour channels alike. Standardised image by image it has mean 0 and
    standard deviation 1 in each, which is what weights learned on ImageNet expect, so no further scaling is needed.

    Args:
        size: side of the image in pixels; at least 32.
        outputs: number of findings.
        weights: None (to be trained), "imagenet" (photographs, fetched through Keras), "random" or a path, as
            `weights.load` takes them. The logits are never loaded: they start at zero.
        dropout: fraction of the averaged features left out at each training step.
        readout: what the head reads instead of the last maps' averages; see `readout.averages`.

    Returns:
        A network from images (batch, size, size, 1) to logits (batch, outputs); layers named as in Keras.

    Raises:
        RecipeError: the weights are not at hand.

    Example:
        >>> densenet121(64, 14, weights=None).get_layer("relu").output.shape  # shrunk 32-fold
        (None, 2, 2, 1024)
    """

    def body(rgb: Any) -> Any:
        return load_keras().applications.DenseNet121(include_top=False, weights=None, input_tensor=rgb).output

    return on_grey("densenet121", body, size, outputs, weights, dropout, readout)


def on_grey(
    name: str,
    body: Callable[[Any], Any],
    size: int,
    outputs: int,
    weights: str | None,
    dropout: float,
    readout: Readout,
) -> "keras.Model":
    """A network made for colour photographs, on grey images and with a head for findings.

    Args:
        name: of the network, as in `recipes.NETWORKS`.
        body: from pictures (batch, size, size, 3) to maps (batch, height, width, channels), flat layers.
        size: side of the image in pixels; at least 32.
        outputs: number of findings.
        weights: see `weights.load`; "random" for those of `random_weights`; None for Keras' own, to be trained.
        dropout: fraction of the averaged features left out at each training step.
        readout: what the head reads; see `readout.averages`. Empty, it reads the average of each of the last maps.

    Returns:
        A network from images (batch, size, size, 1) to logits (batch, outputs), which start at zero. It ends where the
        head reads: the layers behind are left out.

    Raises:
        RecipeError: the image is too small, the weights are not at hand or another network's, or the readout does not
            fit the network.
    """
    if weights is not None:
        weight_files.require(name, weights)
    keras, layers = _layers(size, at_least=32)
    image = keras.Input((size, size, 1), name="image")
    rgb = layers.Concatenate(name="grey_to_rgb")([image, image, image])
    maps = body(rgb)
    if readout:
        x = averages(keras.Model(image, maps), readout)
    else:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(maps)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(outputs, kernel_initializer="zeros", dtype="float32", name="logits")(x)
    model = keras.Model(image, logits, name=name)
    if weights == "random":
        weight_files.assign(model, _random(model))
    elif weights is not None:
        weight_files.load(model, weights)
    return model


def random_weights(model: "keras.Model", seed: int = 0) -> dict[str, np.ndarray]:
    """Weights that have learned nothing, with which a network still passes on what it sees: the control of a start.

    Kernels are drawn (He et al., ICCV 2015). Mean and deviation of each normalisation are measured on noise with the
    spectrum of pictures: without that, what a deep network passes on fades or swells from layer to layer.

    Args:
        model: is not changed.
        seed: other weights for another.

    Returns:
        Arrays by "layer/variable".

    Example:
        >>> random_weights(xray_cnn(32, 1))["stem_conv/kernel"].shape
        (5, 5, 1, 16)
    """
    keras = load_keras()
    copy = keras.models.clone_model(model)
    for number, layer in enumerate(copy.layers):
        for kernel in (variable for variable in layer.weights if variable.name == "kernel"):
            inputs = math.prod(
                kernel.shape[:2] if isinstance(layer, keras.layers.DepthwiseConv2D) else kernel.shape[:-1]
            )
            values = np.random.default_rng([seed, number]).normal(0, np.sqrt(2 / inputs), kernel.shape)
            kernel.assign(values.astype(np.float32))
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    copy(_pink_noise(32, model.input_shape[1], seed), training=True)
    return weight_files.collect(copy.layers)


def _random(model: "keras.Model") -> dict[str, np.ndarray]:
    """Those of seed 0, all but the logits', which start at zero. Cached."""

    def make(folder: Path) -> None:
        weight_files.save(folder / "weights.npz", random_weights(model))

    key = {"network": model.name, "size": model.input_shape[1], "layers": len(model.layers), "backend": backend()}
    folder = cache.entry("random", key | {"code": cache.code_version(__name__)}, make)
    arrays = weight_files.read(folder / "weights.npz")
    return {name: array for name, array in arrays.items() if not name.startswith("logits/")}


def _pink_noise(pictures: int, size: int, seed: int) -> np.ndarray:
    """Standardised noise (pictures, size, size, 1) in which slow waves are strong and fast ones weak."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size))
    strength = (frequency > 0) / np.maximum(frequency, 1 / size)  # no brightness of the whole
    white = np.random.default_rng(seed).normal(size=(pictures, size, size))
    noise = np.fft.irfft2(np.fft.rfft2(white) * strength, (size, size))
    return (noise / noise.std(axis=(1, 2), keepdims=True))[..., np.newaxis].astype(np.float32)


def multiply_adds(model: "keras.Model", trained_only: bool = False) -> int:
    """Cost of one image: the multiplications of all convolutions and dense layers.

    Args:
        model: a flat network.
        trained_only: count only the layers that are being trained.

    Returns:
        Multiply-add operations of one forward pass. Training costs about twice as much again for what is trained.

    Example:
        >>> multiply_adds(normal_abnormal_cnn(8, 1))  # 9*1*32*64 + 9*32*64*16 + 9*64*128*4 + 128*128 + 128
        624768
    """
    return sum(_cost(layer) for layer in model.layers if layer.trainable or not trained_only)


def training_cost(model: "keras.Model", seen: pd.Series, count: int, frozen_once: bool) -> pd.Series:
    """Multiply-adds of a training: forward once for every layer, and twice as much again for those that learn.

    Args:
        model: in which layers that do not learn are marked.
        seen: images seen so far, each as often as it was seen.
        count: images of the training part.
        frozen_once: whether the frozen part's output is computed once an image, before the first epoch.

    Example:
        >>> training_cost(normal_abnormal_cnn(8, 1), pd.Series([10]), 10, False).tolist()  # all learn
        [18743040]
    """
    forward, learning = multiply_adds(model), multiply_adds(model, trained_only=True)
    if frozen_once:
        return (forward - learning) * count + 3 * learning * seen
    return (forward + 2 * learning) * seen


def cost_by_part(model: "keras.Model") -> pd.DataFrame:
    """Where the parameters and the work of a network of `CUTS` are: before the cut, behind it, in the head.

    Args:
        model: made by `densenet121` or `efficientnet_lite0`.

    Returns:
        Index: the three parts. Columns: parameters, and multiply-adds of one image in millions.

    Example:
        >>> cost_by_part(densenet121(32, 14, weights=None))["parameters"].tolist()
        [4847168, 2190336, 14350]
    """
    names = [layer.name for layer in model.layers]
    cut = CUTS[model.name]
    ends = [names.index(cut) + 1, names.index("logits")]
    places = np.digitize(range(len(names)), ends)  # 0, 1 or 2 for each layer
    layers = [[layer for layer, at in zip(model.layers, places, strict=True) if at == part] for part in range(3)]
    return pd.DataFrame(
        {
            "parameters": [sum(layer.count_params() for layer in part) for part in layers],
            "million multiply-adds an image": [sum(map(_cost, part)) / 1e6 for part in layers],
        },
        index=[f"up to {cut}", f"behind {cut}", "head"],
    )


def _cost(layer: "keras.Layer") -> int:
    """Multiply-adds of one layer and image; those of normalisation and pooling are not worth counting."""
    keras = load_keras()
    if not isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.Dense):
        return 0
    # the kernel is used once at each place of the output map: (batch, height, width, channels) or (batch, n)
    return math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)


def _layers(size: int, at_least: int):
    if size < at_least:
        raise RecipeError(
            f"Images of {size} pixels are too small for this network. Expected at least {at_least}. "
            "Choose a larger size."
        )
    keras = load_keras()
    return keras, keras.layers
