"""Does a heat map depend on what the model has learned? Destroy the learning and look.

Adebayo et al. (NeurIPS 2018) replaced the weights of networks by random ones, layer by layer from the last one down,
and trained networks on labels that had been dealt out at random. They found explanations that hardly changed. Those
show the picture and not the model.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_keras

if TYPE_CHECKING:
    import keras


def cascade(model: "keras.Model", *, seed: int = 0) -> Iterator[tuple[str, "keras.Model"]]:
    """Randomises a network layer by layer, from the logits down to the image, and hands it out after each step.

    Args:
        model: functional or sequential network; stays as it is. Layers of nested models count one by one.
        seed: of the random weights.

    Yields:
        Name of the layer that has just lost its weights, and the network. It is the same network each time, one layer
        more forgetful: use it before asking for the next. Kernels are drawn as by He et al. (2015), normalisations do
        nothing, biases are zero.

    Example:
        >>> from cxr_utils.networks import models
        >>> [name for name, network in cascade(models.normal_abnormal_cnn(16, outputs=1))]
        ['logits', 'dense', 'conv3', 'conv2', 'conv1']
    """
    copy = load_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    generator = np.random.default_rng(seed)
    for layer in reversed(list(_weighted(copy))):
        layer.set_weights([_fresh(weight.name, tuple(weight.shape), generator) for weight in layer.weights])
        yield layer.name, copy


def map_similarity(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each heat map with its counterpart, place by place.

    Args:
        maps: (..., height, width).
        others: the same shape.

    Returns:
        (...) from -1 to 1: 1 same order of places, about 0 nothing in common. NaN where a map is the same
        everywhere.

    Raises:
        RecipeError: where the shapes differ.

    Example:
        >>> rising = np.arange(6.0).reshape(2, 3)
        >>> map_similarity(np.stack([rising, rising]), np.stack([rising**2, -rising])).round(6).tolist()
        [1.0, -1.0]
    """
    maps, others = np.asarray(maps), np.asarray(others)
    if maps.shape != others.shape or maps.ndim < 2:
        raise RecipeError(
            f"Received maps of shapes {maps.shape} and {others.shape}. Expected one shape (..., height, "
            "width). Make both with the same images, outputs and layer."
        )
    ranks, other_ranks = (_centred_ranks(heat.reshape(*heat.shape[:-2], -1)) for heat in (maps, others))
    spread = np.sqrt((ranks**2).sum(axis=-1) * (other_ranks**2).sum(axis=-1))
    product = (ranks * other_ranks).sum(axis=-1)
    return np.divide(product, spread, out=np.full(np.shape(spread), np.nan), where=spread > 0)


def _weighted(model: "keras.Model") -> Iterator["keras.Layer"]:
    """The layers with weights, nested models' included, from the image to the logits."""
    for layer in model.layers:
        if isinstance(layer, load_keras().Model):
            yield from _weighted(layer)
        elif layer.weights:
            yield layer


def _fresh(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if len(shape) > 1:
        inputs = math.prod(shape[:-1])
        return generator.normal(0, math.sqrt(2 / inputs), shape).astype(np.float32)
    return np.full(shape, float(name in ("gamma", "moving_variance")), dtype=np.float32)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    return stats.rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2
