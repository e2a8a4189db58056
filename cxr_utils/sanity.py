"""Does a heat map depend on what the model has learned? Destroy the learning and look.

Adebayo et al. (NeurIPS 2018) replaced the weights of networks by random ones, from the last layer down, and
found explanations that hardly changed. Those show the picture and not the model.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from cxr_utils.backend import load_keras
from cxr_utils.errors import RecipeError

if TYPE_CHECKING:
    import keras


def randomise_weights(model: "keras.Model", fraction: float = 1.0, *, seed: int = 0) -> "keras.Model":
    """A copy of a network whose upper layers have forgotten everything.

    Args:
        model: functional network; stays as it is.
        fraction: share of the layers with weights, counted from the logits down, that start afresh: 0 changes
            nothing, any more changes at least the last one, 1 changes all.
        seed: of the random weights. The same seed and a larger fraction change the same layers in the same
            way, and more of them.

    Returns:
        The copy. Kernels are drawn as by He et al. (2015), normalisations do nothing, biases are zero.

    Raises:
        RecipeError: where fraction is not between 0 and 1.

    Example:
        >>> from cxr_utils import models
        >>> model = models.normal_abnormal_cnn(16, outputs=1)
        >>> other = randomise_weights(model, 0.2)     # 5 layers have weights, the last of them starts afresh
        >>> [bool((a == b).all()) for a, b in zip(model.get_weights()[::2], other.get_weights()[::2])]
        [True, True, True, True, False]
    """
    if not 0 <= fraction <= 1:
        raise RecipeError(f"Received fraction {fraction}. Expected a share from 0 to 1. Write a half as 0.5.")
    copy = load_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    layers = [layer for layer in reversed(copy.layers) if layer.weights]
    generator = np.random.default_rng(seed)
    for layer in layers[: math.ceil(fraction * len(layers) - 1e-9)]:
        layer.set_weights([_fresh(weight.name, tuple(weight.shape), generator) for weight in layer.weights])
    return copy


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


def _fresh(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if len(shape) > 1:
        inputs = math.prod(shape[:-1])
        return generator.normal(0, math.sqrt(2 / inputs), shape).astype(np.float32)
    return np.full(shape, float(name in ("gamma", "moving_variance")), dtype=np.float32)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    return stats.rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2
