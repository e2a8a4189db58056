"""Each exercise check of lesson 06 accepts the right answer and rejects plausible wrong ones."""

import warnings

import numpy as np
import pytest

from cxr_utils import checks


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


RIGHT = {"class_map": right_sum, "heat_map": right_heat, "points_into": right_point, "energy_inside": right_energy}
WRONG = {
    "class_map": {
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


@pytest.mark.parametrize("name", RIGHT)
def test_right_answer_passes(name, capsys):
    assert getattr(checks, name)(RIGHT[name])
    assert capsys.readouterr().out == f"✓ {name}: right\n"


@pytest.mark.parametrize(("name", "mistake"), [(name, mistake) for name in WRONG for mistake in WRONG[name]])
def test_wrong_answer_is_rejected(name, mistake, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # some mistakes divide zero by zero
        assert not getattr(checks, name)(WRONG[name][mistake])
    printed = capsys.readouterr().out
    assert printed.startswith(f"✗ {name}: given ") and "expected" in printed and "Hint:" in printed


@pytest.mark.parametrize("name", RIGHT)
def test_blank_answer_is_no_mistake(name, capsys):
    assert not getattr(checks, name)(lambda *given: None)
    assert capsys.readouterr().out == f"· {name}: not answered yet\n"
