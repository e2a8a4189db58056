"""Right and wrong answers to the exercises of lesson 06, by exercise."""

import numpy as np


def right_sum(features, weights):
    return np.tensordot(features, weights, axes=(2, 0))


def right_heat(features, gradients):
    height, width, channels = features.shape
    heat = np.zeros((height, width))
    for channel in range(channels):
        heat += gradients[..., channel].mean() * features[..., channel]
    heat[heat < 0] = 0
    return heat / max(heat.max(), 1e-30)


def right_point(heat, box):
    return pointed(heat, box) and heat.max() > 0


def pointed(heat, box, half=0.5, swap=False, ends=True, square=False, both=True):
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    rows, columns = heat.shape if not square else (heat.shape[0],) * 2
    across, down = (column + half) / columns, (row + half) / rows
    across, down = (down, across) if swap else (across, down)
    x, y, width, height = box
    right, bottom = (x + width, y + height) if ends else (width, height)
    return bool(x <= across < right and (y <= down < bottom or not both))


def right_energy(heat, inside):
    return float((heat * inside).sum() / heat.sum()) if heat.any() else 0.0


def rectified(features, gradients):
    return np.maximum(features @ gradients.mean(axis=(0, 1)), 0)


def scaled(heat):
    return heat / heat.max() if heat.max() > 0 else heat * 0


RIGHT = {
    "class_map": {"tensordot": right_sum, "einsum": lambda f, w: np.einsum("hwc,c->hw", f, w)},
    "heat_map": {
        "channel by channel": right_heat,
        "32 bits": lambda f, g: right_heat(f.astype(np.float32), g.astype(np.float32)).astype(np.float32),
    },
    "points_into": {"bool": right_point, "numpy's bool": lambda heat, box: np.bool_(right_point(heat, box))},
    "energy_inside": {"float": right_energy, "0 / 1 mask": lambda heat, inside: right_energy(heat, inside.astype(int))},
}
WRONG = {
    "class_map": {
        "weights choose only": lambda f, w: f[..., w != 0].sum(axis=2),
        "two maps": lambda f, w: f[..., 0] * w[0] + f[..., 1] * w[1],
        "weights forgotten": lambda f, w: f.sum(axis=2),
        "not summed": lambda f, w: f * w,
        "averaged": lambda f, w: (f * w).mean(axis=2),
        "rectified": lambda f, w: np.maximum(f @ w, 0),
        "summed over places": lambda f, w: (f * w).sum(axis=(0, 1)),
        "the logit": lambda f, w: f.mean(axis=(0, 1)) @ w,
        "transposed": lambda f, w: (f @ w).T,
        "scaled": lambda f, w: (f @ w) / (f @ w).max(),
    },
    "heat_map": {
        "maps are square": lambda f, g: right_heat(f, g).reshape(f.shape[0], f.shape[0]),
        "no ReLU": lambda f, g: f @ g.mean(axis=(0, 1)) / max((f @ g.mean(axis=(0, 1))).max(), 1e-9),
        "no scale": lambda f, g: rectified(f, g),
        "NaN for zero": lambda f, g: rectified(f, g) / rectified(f, g).max(),
        "gradient at each place": lambda f, g: scaled(np.maximum((f * g).sum(axis=2), 0)),
        "absolute value": lambda f, g: scaled(np.abs(f @ g.mean(axis=(0, 1)))),
        "weights rectified": lambda f, g: scaled(f @ np.maximum(g.mean(axis=(0, 1)), 0)),
        "each term rectified": lambda f, g: scaled(np.maximum(f * g.mean(axis=(0, 1)), 0).sum(axis=2)),
        "stretched from 0 to 1": lambda f, g: scaled(rectified(f, g) - rectified(f, g).min()),
        "sums to 1": lambda f, g: right_heat(f, g) / max(right_heat(f, g).sum(), 1e-9),
        "features only": lambda f, g: scaled(f.sum(axis=2)),
        "gradients only": lambda f, g: scaled(np.maximum(g.sum(axis=2), 0)),
        "mean over features": lambda f, g: scaled(np.maximum((f * g.mean(axis=2, keepdims=True)).sum(axis=2), 0)),
    },
    "points_into": {
        "no right end": lambda heat, box: pointed(heat, (*box[:2], 1.0, box[3])) and heat.max() > 0,
        "rows for columns": lambda heat, box: pointed(heat, box, swap=True) and heat.max() > 0,
        "corner of the cell": lambda heat, box: pointed(heat, box, half=0.0) and heat.max() > 0,
        "far corner of the cell": lambda heat, box: pointed(heat, box, half=1.0) and heat.max() > 0,
        "width taken for the right edge": lambda heat, box: pointed(heat, box, ends=False) and heat.max() > 0,
        "zeros point to the first cell": pointed,
        "only across": lambda heat, box: pointed(heat, box, both=False) and heat.max() > 0,
        "maps are square": lambda heat, box: pointed(heat, box, square=True) and heat.max() > 0,
        "always": lambda heat, box: True,
        "any heat": lambda heat, box: bool(heat.max() > 0),
        "a number": lambda heat, box: float(right_point(heat, box)),
    },
    "energy_inside": {
        "stretched first": lambda heat, inside: right_energy(heat - heat.min(), inside) if heat.any() else 0.0,
        "mean times size": lambda heat, inside: heat[inside].mean() * inside.sum() / heat.sum() if heat.any() else 0.0,
        "outside": lambda heat, inside: 1 - right_energy(heat, inside),
        "mean": lambda heat, inside: heat[inside].mean() if inside.any() else 0.0,
        "sum": lambda heat, inside: heat[inside].sum(),
        "over the box": lambda heat, inside: heat[inside].sum() / inside.sum() if inside.any() else 0.0,
        "area": lambda heat, inside: inside.mean(),
        "NaN for zero": lambda heat, inside: heat[inside].sum() / heat.sum(),
        "inside over outside": lambda heat, inside: heat[inside].sum() / max(heat[~inside].sum(), 1e-9),
        "share of the hot cells": lambda heat, inside: (heat[inside] > 0).sum() / max((heat > 0).sum(), 1),
    },
}  # fmt: skip
