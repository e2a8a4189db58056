"""Where in the image a logit comes from: Grad-CAM and HiResCAM.

Grad-CAM (Selvaraju et al., ICCV 2017) looks at the features that one layer puts out, usually the last map. The gradient
of a logit with respect to these features says how much each of them matters; the features, weighted with it, summed and
rectified, are the heat map. The network runs forward once for all findings; only what stands behind the layer, which is
small, is differentiated finding by finding. The gradient is that of the logit, never of the probability: a sigmoid near
0 or 1 has no slope, and its map would be rounding noise.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import backend, load_keras, load_tensorflow

if TYPE_CHECKING:
    import keras

METHODS = ("gradcam", "hirescam")
#: Images that pass the trunk together; bounds the memory of features and gradients.
BATCH = 32


def grad_cam(
    model: "keras.Model",
    images: np.ndarray,
    outputs: Sequence[int] | None = None,
    layer: str | None = None,
    *,
    method: str = "gradcam",
    wanted: np.ndarray | None = None,
) -> np.ndarray:
    """Heat maps of several findings for a batch of images, in one pass through the network.

    Args:
        model: network from images to logits; functional or sequential, and may contain such models as layers.
        images: (images, height, width, channels) float32, as the network was trained on.
        outputs: numbers of the findings to explain; None means all.
        layer: name of the layer whose features to weigh, any of `map_layers(model)`; None means the last one that
            still is a map. What reaches the logits around that layer, as in a residual block, is held constant.
        method: "gradcam" weights each feature with its mean gradient; "hirescam" (Draelos & Carin 2020) each
            place of each feature with its own gradient.
        wanted: shape (images, outputs), True where a map is wanted; None means everywhere. The other maps stay
            zero, and cost nothing.

    Returns:
        (images, outputs, map height, map width) float32 from 0 to 1, each map scaled so that its maximum is
        1. A map that is zero everywhere (nothing speaks for the finding) stays zero. See `upsample`.

    Raises:
        RecipeError: unknown layer, output or method, a model that ends in probabilities, images or `wanted` of
            another shape, or maps that are not finite.

    Example:
        >>> from cxr_utils.networks import models
        >>> images = np.ones((2, 32, 32, 1), dtype=np.float32)
        >>> grad_cam(models.xray_cnn(32, outputs=3), images, outputs=[0, 2]).shape
        (2, 2, 4, 4)
    """
    outputs = _checked(model, images, outputs, method)
    chosen = _layer(model, layer)
    logits = np.eye(model.output_shape[-1], dtype=np.float32)[list(outputs)]
    if wanted is None:
        every = np.broadcast_to(logits, (len(images), *logits.shape))
        return _scaled(_raw_maps(model, chosen, images, every, method))
    if wanted.shape != (len(images), len(outputs)) or not wanted.any():
        raise RecipeError(
            f"Received `wanted` of shape {wanted.shape}, {np.count_nonzero(wanted)} of it True. Expected "
            f"{(len(images), len(outputs))}, images and outputs, and one True at least. Take these images' labels."
        )
    rows, columns = np.nonzero(wanted)
    maps = _raw_maps(model, chosen, images[rows], logits[columns][:, None], method)
    all_maps = np.zeros((*wanted.shape, *maps.shape[2:]), np.float32)
    all_maps[rows, columns] = _scaled(maps)[:, 0]
    return all_maps


def cut(model: "keras.Model", layer: str | None = None) -> tuple["keras.Model", "keras.Model"]:
    """Cuts a network in two that share its weights: images to features, features to logits.

    Args:
        model: functional network.
        layer: name of the layer whose output is the cut; None means the last one that still is a map.

    Returns:
        trunk and head, so that head(trunk(images)) is model(images).

    Raises:
        RecipeError: where no layer of that name puts out a map, or not everything passes there.

    Example:
        >>> from cxr_utils.networks import models
        >>> trunk, head = cut(models.xray_cnn(32, outputs=3))
        >>> trunk.output_shape, head.output_shape
        ((None, 4, 4, 128), (None, 3))
    """
    keras = load_keras()
    features = _layer(model, layer).output
    try:
        return keras.Model(model.input, features), keras.Model(features, model.output)
    except ValueError as problem:
        raise RecipeError(
            f"Network {model.name!r} cannot be cut at {layer!r}: something behind it looks at what came "
            f"before, or it lies inside a nested model. Expected a layer that everything passes, for instance "
            f"{last_map(model)!r}. Choose that one."
        ) from problem


def map_layers(model: "keras.Model") -> list[str]:
    """Names of the layers that put out a map, from the image to the logits.

    Args:
        model: functional or sequential network.

    Returns:
        Layers whose output is (batch, height, width, channels), inputs left out. A layer of a nested model is
        named "nested model/layer", and the nested model itself stands behind its layers.

    Example:
        >>> from cxr_utils.networks import models
        >>> map_layers(models.normal_abnormal_cnn(16, outputs=1))
        ['conv1', 'pool1', 'conv2', 'pool2', 'conv3', 'pool3']
    """
    return [name for name, _ in _maps(model)]


def last_map(model: "keras.Model") -> str:
    """The layer that is explained when none is named: the last one that still is a map, before pooling or flattening.

    Args:
        model: functional or sequential network with convolutions.

    Returns:
        The layer's name, as in `map_layers`.

    Raises:
        RecipeError: the network has no map.

    Example:
        >>> from cxr_utils.networks import models
        >>> last_map(models.normal_abnormal_cnn(32, 1)), last_map(models.xray_cnn(32, 1))
        ('conv3', 'maps')
    """
    keras = load_keras()
    skipped = (keras.Model, keras.layers.MaxPooling2D, keras.layers.AveragePooling2D, keras.layers.Dropout)
    names = [name for name, layer in _maps(model) if not isinstance(layer, skipped)]
    if not names:
        raise RecipeError(
            f"Network {model.name!r} has no layer that puts out a map. Expected one with convolutions. "
            "Grad-CAM cannot explain it; use one of the networks in cxr_utils.networks.models."
        )
    return names[-1]


def upsample(maps: np.ndarray, size: int) -> np.ndarray:
    """Enlarges heat maps to the size of the image, bilinearly.

    Args:
        maps: (..., height, width).
        size: side of the result in pixels.

    Returns:
        (..., size, size) float32. A map of 8 x 8 is no sharper for it: one cell still is an eighth of the
        image.

    Example:
        >>> upsample(np.array([[0.0, 1.0]]), 4)[0].tolist()
        [0.0, 0.25, 0.75, 1.0]
    """
    maps = np.asarray(maps, dtype=np.float32)
    flat = maps.reshape(-1, *maps.shape[-2:])
    large = np.empty((len(flat), size, size), dtype=np.float32)
    for number, heat in enumerate(flat):
        large[number] = cv2.resize(heat, (size, size), interpolation=cv2.INTER_LINEAR)
    return large.reshape(*maps.shape[:-2], size, size)


def _maps(model: "keras.Model", prefix: str = "") -> Iterator[tuple[str, "keras.Layer"]]:
    """Name and layer of all maps, nested models' included."""
    keras = load_keras()
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _maps(layer, f"{prefix}{layer.name}/")
        if not isinstance(layer, keras.layers.InputLayer) and len(getattr(layer.output, "shape", ())) == 4:
            yield f"{prefix}{layer.name}", layer


def _layer(model: "keras.Model", name: str | None) -> "keras.Layer":
    name = name or last_map(model)
    maps = dict(_maps(model))
    if name not in maps:
        raise RecipeError(
            f"Layer {name!r} of {model.name!r} puts out no map that the images pass. Expected one of "
            f"{', '.join(maps)}. Leave the layer out to use the last one."
        )
    return maps[name]


@contextmanager
def _tapped(layer: "keras.Layer", tap: Callable[[Any], Any]) -> Iterator[None]:
    """While this lasts, what the layer puts out goes through `tap`, wherever in a network it stands.

    This and not a smaller model between layer and logits: such a model could not pass around the layer, and could
    not begin inside a nested model.
    """
    call = layer.call
    layer.call = lambda *arguments, **options: tap(call(*arguments, **options))
    try:
        yield
    finally:
        del layer.call  # the class's own shows again


def _gradients(
    model: "keras.Model", layer: "keras.Layer", images: np.ndarray, explained: np.ndarray
) -> tuple[Any, Iterator[Any]]:
    """The features of a layer, and the gradients of some logits with respect to them.

    `explained` (images, gradients, logits) is 1 at the logit of which an image's gradient is asked for, and else 0.
    """
    ops = load_keras().ops
    each = [ops.convert_to_tensor(one) for one in explained.swapaxes(0, 1)]
    return _GRADIENTS[backend()](model, layer, ops.convert_to_tensor(images, "float32"), each)


def _tensorflow_gradients(
    model: "keras.Model", layer: "keras.Layer", images: Any, each: list[Any]
) -> tuple[Any, Iterator[Any]]:
    seen = []
    with load_tensorflow().GradientTape(persistent=True, watch_accessed_variables=False) as tape:

        def watch(features: Any) -> Any:
            tape.watch(features)  # from here on only: nothing before the layer is differentiated
            seen.append(features)
            return features

        with _tapped(layer, watch):
            logits = model(images, training=False)
    features = _single(seen, layer)
    return features, (tape.gradient(logits, features, output_gradients=one) for one in each)


def _jax_gradients(
    model: "keras.Model", layer: "keras.Layer", images: Any, each: list[Any]
) -> tuple[Any, Iterator[Any]]:
    import jax

    def logits_and_features(change: Any) -> tuple[Any, Any]:
        seen: list[Any] = []

        def shift(features: Any) -> Any:
            seen.append(features)
            return features + change

        with _tapped(layer, shift):
            logits = model(images, training=False)
        return logits, _single(seen, layer)

    shape = jax.eval_shape(logits_and_features, 0.0)[1]
    _, pull_back, features = jax.vjp(logits_and_features, jax.numpy.zeros(shape.shape), has_aux=True)
    return features, (pull_back(one)[0] for one in each)


def _torch_gradients(
    model: "keras.Model", layer: "keras.Layer", images: Any, each: list[Any]
) -> tuple[Any, Iterator[Any]]:
    import torch

    seen: list[Any] = []

    def watch(features: Any) -> Any:
        torch.set_grad_enabled(True)  # from here on only: nothing before the layer is differentiated
        seen.append(features.requires_grad_())
        return seen[-1]

    with torch.no_grad(), _tapped(layer, watch):
        logits = model(images, training=False)
    features = _single(seen, layer)
    return features.detach(), (torch.autograd.grad(logits, features, one, retain_graph=True)[0] for one in each)


_GRADIENTS = {"tensorflow": _tensorflow_gradients, "jax": _jax_gradients, "torch": _torch_gradients}


def _single(seen: list[Any], layer: "keras.Layer") -> Any:
    if len(seen) != 1:
        raise RecipeError(
            f"Layer {layer.name!r} ran {len(seen)} times for one batch. Expected once: with several uses it is not "
            "clear whose features the map would show. Choose a layer that is used once."
        )
    return seen[0]


def _raw_maps(
    model: "keras.Model", layer: "keras.Layer", images: np.ndarray, explained: np.ndarray, method: str
) -> np.ndarray:
    """Maps before they are scaled: (images, outputs, height, width) float32; `explained` as for `_gradients`."""
    parts = [slice(start, start + BATCH) for start in range(0, len(images), BATCH)]
    maps = [_weighted(*_gradients(model, layer, images[part], explained[part]), method) for part in parts]
    return np.concatenate(maps).astype(np.float32)


def _weighted(features: Any, gradients: Iterator[Any], method: str) -> np.ndarray:
    """Weighted sums of the features, rectified: (images, outputs, height, width)."""
    ops = load_keras().ops
    # HiResCAM: each place of a feature has a weight of its own; Grad-CAM: all its places have the mean.
    weights = (one if method == "hirescam" else ops.mean(one, axis=(1, 2), keepdims=True) for one in gradients)
    maps = ops.stack([ops.sum(features * weight, axis=-1) for weight in weights], axis=1)
    return ops.convert_to_numpy(ops.relu(maps))


def _scaled(maps: np.ndarray) -> np.ndarray:
    """Each map divided by its maximum; zero maps stay zero."""
    if not np.isfinite(maps).all():
        raise RecipeError(
            "The heat maps are not finite. Expected finite weights and images. Look for a training that "
            "diverged (loss NaN) or a picture with missing values."
        )
    largest = maps.max(axis=(2, 3), keepdims=True)
    return np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)


def _checked(model: "keras.Model", images: np.ndarray, outputs: Sequence[int] | None, method: str) -> Sequence[int]:
    """Refuses what cannot be explained; the outputs, all of them where none were named."""
    if method not in METHODS:
        raise RecipeError(f"Received method {method!r}. Expected one of {', '.join(METHODS)}. Choose one of them.")
    if last := _probabilities(model):
        raise RecipeError(
            f"Network {model.name!r} ends in probabilities ({last}). Expected logits. End it in a "
            "Dense layer without activation and apply the sigmoid outside."
        )
    shape = model.input_shape[1:]
    fits = images.ndim == 4 and all(side in (None, own) for side, own in zip(shape, images.shape[1:], strict=True))
    if not fits or len(images) == 0:
        raise RecipeError(
            f"Received images of shape {images.shape}. Expected (images, {', '.join(map(str, shape))}). "
            "Put a single picture into a batch: image[None]."
        )
    count = model.output_shape[-1]
    outputs = range(count) if outputs is None else outputs
    if len(outputs) == 0 or not all(0 <= output < count for output in outputs):
        raise RecipeError(
            f"Received outputs {list(outputs)}. Expected whole numbers from 0 to {count - 1}. Use the "
            "position of the finding in the model's findings."
        )
    return outputs


def _probabilities(model: "keras.Model") -> str | None:
    """Name of the function, if any, that turns the logits of a network into probabilities."""
    last = getattr(model, "operations", model.layers)[-1]  # layers, and functions such as keras.ops.sigmoid
    if isinstance(last, load_keras().Model):
        return _probabilities(last)
    names = [getattr(one, "__name__", "").lower() for one in (getattr(last, "activation", None), type(last))]
    return next((name for name in names if name in ("sigmoid", "softmax")), None)
