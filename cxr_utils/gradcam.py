"""Where in the image a logit comes from: Grad-CAM and two relatives.

Grad-CAM (Selvaraju et al., ICCV 2017) cuts a network at its last map of features. The trunk makes features,
the head makes logits of them. The gradient of a logit with respect to the features says how much each feature
matters; the features, weighted with it, summed and rectified, are the heat map. The trunk runs once for all
findings; only the head, which is small, is differentiated finding by finding. The gradient is that of the
logit, never of the probability: a sigmoid near 0 or 1 has no slope, and its map would be rounding noise.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cxr_utils.backend import load_keras, load_tensorflow
from cxr_utils.errors import RecipeError

if TYPE_CHECKING:
    import keras

METHODS = ("gradcam", "hirescam", "gradcam++")
#: Images that pass the trunk together; bounds the memory of features and gradients.
BATCH = 32


def grad_cam(
    model: "keras.Model",
    images: np.ndarray,
    outputs: Sequence[int] | None = None,
    layer: str | None = None,
    *,
    method: str = "gradcam",
) -> np.ndarray:
    """Heat maps of several findings for a batch of images, in one pass through the trunk.

    Args:
        model: functional network from images to logits.
        images: (images, height, width, channels) float32, as the network was trained on.
        outputs: numbers of the findings to explain; None means all.
        layer: name of the layer to cut at; None means the last one that still is a map.
        method: "gradcam" weights each feature with its mean gradient; "hirescam" (Draelos & Carin 2020) each
            place of each feature with its own gradient; "gradcam++" (Chattopadhay et al. 2018) corrects for
            the size of what is seen.

    Returns:
        (images, outputs, map height, map width) float32 from 0 to 1, each map scaled so that its maximum is
        1. A map that is zero everywhere (nothing speaks for the finding) stays zero. See `upsample`.

    Raises:
        RecipeError: unknown layer, output or method, a model that ends in probabilities, images of another
            shape, or maps that are not finite.

    Example:
        >>> from cxr_utils import models
        >>> images = np.ones((2, 32, 32, 1), dtype=np.float32)
        >>> grad_cam(models.xray_cnn(32, outputs=3), images, outputs=[0, 2]).shape
        (2, 2, 4, 4)
    """
    outputs = _checked(model, images, outputs, method)
    trunk, head = cut(model, layer)
    ops = load_keras().ops
    batches = []
    for start in range(0, len(images), BATCH):
        features = trunk(ops.convert_to_tensor(images[start : start + BATCH], "float32"), training=False)
        maps = [
            ops.relu(ops.sum(_weights(features, gradient, method) * features, axis=-1))
            for gradient in _gradients(head, features, outputs)
        ]
        batches.append(ops.convert_to_numpy(ops.stack(maps, axis=1)))
    return _scaled(np.concatenate(batches).astype(np.float32))


def cut(model: "keras.Model", layer: str | None = None) -> tuple["keras.Model", "keras.Model"]:
    """Cuts a network in two that share its weights: images to features, features to logits.

    Args:
        model: functional network.
        layer: name of the layer whose output is the cut; None means the last one that still is a map.

    Returns:
        trunk and head, so that head(trunk(images)) is model(images).

    Raises:
        RecipeError: where no layer of that name puts out a map, or nothing behind it can be cut off there.

    Example:
        >>> from cxr_utils import models
        >>> trunk, head = cut(models.xray_cnn(32, outputs=3))
        >>> trunk.output_shape, head.output_shape
        ((None, 4, 4, 128), (None, 3))
    """
    from cxr_utils.models import last_convolution

    keras = load_keras()
    layer = layer or last_convolution(model)
    maps = map_layers(model)
    if layer not in maps:
        raise RecipeError(
            f"Layer {layer!r} of {model.name!r} puts out no map that the images pass. Expected one of "
            f"{', '.join(maps)}. Leave the layer out to use the last one."
        )
    features = model.get_layer(layer).output
    try:
        return keras.Model(model.input, features), keras.Model(features, model.output)
    except ValueError as problem:
        raise RecipeError(
            f"Network {model.name!r} cannot be cut at {layer!r}: something behind it looks at what came "
            f"before. Expected a layer that everything passes, for instance {last_convolution(model)!r}. "
            "Choose that one."
        ) from problem


def map_layers(model: "keras.Model") -> list[str]:
    """Names of the layers that put out a map, from the image to the logits.

    Args:
        model: functional network.

    Returns:
        Layers whose output is (batch, height, width, channels), inputs left out.

    Example:
        >>> from cxr_utils import models
        >>> map_layers(models.normal_abnormal_cnn(16, outputs=1))
        ['conv1', 'pool1', 'conv2', 'pool2', 'conv3', 'pool3']
    """
    keras = load_keras()
    return [
        layer.name
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer) and len(getattr(layer.output, "shape", ())) == 4
    ]


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


def _gradients(head: "keras.Model", features: Any, outputs: Sequence[int]) -> Iterator[Any]:
    """For each output the gradient of its logit, shaped as the features; the head runs forward once."""
    backend = load_keras().backend.backend()
    if backend == "tensorflow":
        tensorflow = load_tensorflow()
        with tensorflow.GradientTape(persistent=True) as tape:
            tape.watch(features)
            logits = head(features, training=False)
            chosen = [logits[:, output] for output in outputs]
        for logit in chosen:
            yield tape.gradient(logit, features)
    elif backend == "jax":
        import jax

        logits, pull_back = jax.vjp(lambda maps: head(maps, training=False), features)
        for output in outputs:
            # Images do not touch each other: pulling ones back gives each image the gradient of its own
            # logit.
            yield pull_back(jax.numpy.zeros_like(logits).at[:, output].set(1))[0]
    else:
        raise RecipeError(
            f"Keras runs on {backend!r}. Expected 'tensorflow' or 'jax'. Set KERAS_BACKEND before Python "
            "starts."
        )


def _weights(features: Any, gradient: Any, method: str) -> Any:
    """How much each feature counts: (images, 1, 1, channels); for HiResCAM at each place, as the features."""
    ops = load_keras().ops
    if method == "gradcam":
        return ops.mean(gradient, axis=(1, 2), keepdims=True)
    if method == "hirescam":
        return gradient
    # Equation 19 of Chattopadhay et al.; their factor exp(logit) is the same for a whole map and cancels.
    sums = ops.sum(features, axis=(1, 2), keepdims=True)
    whole = 2 * gradient**2 + sums * gradient**3
    alpha = ops.where(whole == 0, 0.0, gradient**2 / ops.where(whole == 0, 1.0, whole))
    return ops.sum(alpha * ops.relu(gradient), axis=(1, 2), keepdims=True)


def _scaled(maps: np.ndarray) -> np.ndarray:
    """Each map divided by its maximum; zero maps stay zero."""
    if not np.isfinite(maps).all():
        raise RecipeError(
            "The heat maps are not finite. Expected finite weights and images. Look for a training that "
            "diverged (loss NaN) or a picture with missing values."
        )
    largest = maps.max(axis=(2, 3), keepdims=True)
    return np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)


def _checked(
    model: "keras.Model", images: np.ndarray, outputs: Sequence[int] | None, method: str
) -> Sequence[int]:
    """Refuses what cannot be explained; the outputs, all of them where none were named."""
    keras = load_keras()
    if method not in METHODS:
        raise RecipeError(
            f"Received method {method!r}. Expected one of {', '.join(METHODS)}. Choose one of them."
        )
    last = getattr(model.layers[-1], "activation", None)
    if last in (keras.activations.sigmoid, keras.activations.softmax):
        raise RecipeError(
            f"Network {model.name!r} ends in probabilities ({last.__name__}). Expected logits. End it in a "
            "Dense layer without activation and apply the sigmoid outside."
        )
    if images.ndim != 4 or len(images) == 0 or images.shape[1:] != model.input_shape[1:]:
        raise RecipeError(
            f"Received images of shape {images.shape}. Expected (images, "
            f"{', '.join(map(str, model.input_shape[1:]))}). Put a single picture into a batch: image[None]."
        )
    count = model.output_shape[-1]
    outputs = range(count) if outputs is None else outputs
    if len(outputs) == 0 or not all(0 <= output < count for output in outputs):
        raise RecipeError(
            f"Received outputs {list(outputs)}. Expected whole numbers from 0 to {count - 1}. Use the "
            "position of the finding in the model's findings."
        )
    return outputs
