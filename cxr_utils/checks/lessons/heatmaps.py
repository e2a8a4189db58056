"""Exercises of lesson 06: heat maps and how good they are."""

import numpy as np

from ..exercise import Case, exercise

_Box = tuple[float, float, float, float]
_FEATURES = np.array([[[1.0, 0.0], [2.0, 3.0]], [[3.0, 0.0], [4.0, 1.0]]])  # (2, 2, 2)
_ROW = np.array([[[1.0, 0.0, 5.0], [2.0, 1.0, 0.0]]])  # (1, 2, 3)
_TWO, _ONE = np.array([[[1.0, 0.0], [2.0, 14.0]], [[3.0, 0.0], [4.0, 0.0]]]), np.array([[[2.0], [4.0]], [[6.0], [8.0]]])
_EVEN, _UNEVEN = np.full((2, 2, 2), [2.0, -1.0]), np.array([[[8.0, 0.0], [0.0, -1.0]], [[0.0, -1.0], [0.0, -2.0]]])
_STRIP = np.array([[[1.0, 0.0], [3.0, 1.0], [0.0, 6.0]]])
_HEAT = np.array([[0.25, 0.0], [0.75, 1.0]])  # by hand: 2 - 0, 4 - 14, 6 - 0, 8 - 0; negative to 0; divided by 8
_TOP, _MIDDLE, _OBLONG, _BROAD = np.zeros((4, 4)), np.zeros((3, 3)), np.zeros((3, 5)), np.zeros((4, 4))
_TOP[0, 2], _MIDDLE[1, 2], _OBLONG[0, 2] = 0.7, 0.1, 0.2  # centres at x 5/8, y 1/8; 5/6, 1/2; 1/2, 1/6
_BROAD[2:, 2:], _BROAD[0, 0] = 0.6, 1.0
_WARM, _LEFT = np.array([[3.0, 0.0, 0.0], [1.5, 0.0, 0.5]]), np.array([[True, False, False], [True, False, False]])


@exercise(
    "Each feature map has its own weight, and what is left has height and width.",
    cases=[
        Case((_FEATURES, np.array([1.0, 0.0])), [[1.0, 2.0], [3.0, 4.0]]),
        Case((_FEATURES, np.array([1.0, 2.0])), [[1.0, 8.0], [3.0, 6.0]], "A weight says more than yes or no."),
        Case((_FEATURES, np.array([1.0, -2.0])), [[1.0, -4.0], [3.0, 2.0]], "What speaks against the finding stays."),
        Case((_ROW, np.array([2.0, -1.0, 1.0])), [[7.0, 3.0]], "There need not be two feature maps."),
    ],
    mistakes=[
        ("The weights are missing.", lambda features, weights: features.sum(axis=2)),
        ("The weighted maps are not summed yet.", lambda features, weights: features * weights),
        ("Take the sum, not the mean.", lambda features, weights: (features * weights).mean(axis=2)),
        ("Sum over the feature maps, not over the places.", lambda f, w: (f * w).sum(axis=(0, 1))),
        ("This is the logit; the map has a value for each place.", lambda f, w: f.mean(axis=(0, 1)) @ w),
        ("Rows and columns have changed places.", lambda features, weights: (features @ weights).T),
        ("Leave the scale as it is.", lambda features, weights: (features @ weights) / (features @ weights).max()),
    ],
)
def class_map(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The feature maps, weighted and summed, shape (height, width)."""
    return features @ weights


def _cam(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    return features @ gradients.mean(axis=(0, 1))


def _scaled(heat: np.ndarray) -> np.ndarray:
    """Without what is negative, and with a maximum of 1."""
    heat = np.maximum(heat, 0)
    return heat / (heat.max() or 1)


@exercise(
    "Go step by step: average the gradients, sum the weighted maps, set what is negative to 0, divide.",
    cases=[
        Case((_TWO, _EVEN), _HEAT),
        Case((_TWO, _UNEVEN), _HEAT, "Average the gradients over height and width: one weight for each feature map."),
        Case((_ONE, np.full((2, 2, 1), 0.5)), [[0.25, 0.5], [0.75, 1.0]], "Divide only; subtract nothing."),
        Case((_STRIP, np.full((1, 3, 2), [1.0, 0.5])), [[1 / 3.5, 1.0, 3 / 3.5]], "A map need not be square."),
        Case((_ONE, np.full((2, 2, 1), -1.0)), np.zeros((2, 2)), "A map of zeros stays 0: 0 / 0 is NaN."),
    ],
    mistakes=[
        ("What is negative becomes 0.", lambda f, g: _cam(f, g) / _cam(f, g).max()),
        ("Divide by the maximum.", lambda f, g: np.maximum(_cam(f, g), 0)),
        ("Divide by the maximum of what is left.", lambda f, g: np.maximum(_cam(f, g), 0) / abs(_cam(f, g)).max()),
        ("What is negative becomes 0, not positive.", lambda f, g: _scaled(abs(_cam(f, g)))),
        ("Sum first; what is negative then becomes 0.", lambda f, g: _scaled(f @ np.maximum(g.mean(axis=(0, 1)), 0))),
        ("The maximum is to be 1, not the sum.", lambda f, g: _scaled(_cam(f, g)) / _scaled(_cam(f, g)).sum()),
        ("The gradients give each feature map a weight of its own.", lambda f, g: _scaled(f.sum(axis=2))),
        ("The features are missing.", lambda f, g: _scaled(g.sum(axis=2))),
    ],
)
def heat_map(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Grad-CAM of one image and one finding, scaled to a maximum of 1."""
    return _scaled(_cam(features, gradients))


def _hits(heat: np.ndarray, box: _Box, axes: int = -1) -> bool:
    """Whether, across as well as down, the cell's centre lies in the box or the box's centre in the cell."""
    cell, cells = np.unravel_index(heat.argmax(), heat.shape)[::axes], np.array(heat.shape[::axes])
    apart = abs((np.array(cell) + 0.5) / cells - np.array(box[:2]) - np.array(box[2:]) / 2)
    return bool((apart <= np.maximum(box[2:], 1 / cells) / 2).all() and heat.max() > 0)


@exercise(
    "Compare the centre of the hottest cell, in fractions of the picture, with where the box begins and ends.",
    cases=[
        Case((_TOP, (0.35, 0.0, 0.45, 0.4)), True),
        Case((_TOP, (0.0, 0.5, 0.4, 0.4)), False),
        Case((_BROAD, (0.5, 0.5, 0.5, 0.5)), False, "Only the hottest cell counts."),
        Case((_MIDDLE, (0.79, 0.42, 0.1, 0.1)), True, "A cell's centre is half a cell away from its corners."),
        Case((_TOP, (0.3, 0.0, 0.3, 0.5)), False, "The box ends at x + width."),
        Case((_TOP, (0.5, 0.5, 0.25, 0.25)), False, "Look from top to bottom as well."),
        Case((_OBLONG, (0.2, 0.1, 0.55, 0.5)), True, "A map need not be square."),
        Case((np.zeros((4, 4)), (0.0, 0.0, 0.5, 0.5)), False, "A map of zeros points nowhere."),
        Case((_TOP, (0.53, 0.02, 0.05, 0.05)), True, "A box can be too small to hold the centre of any cell."),
        Case((_TOP, (0.1, 0.02, 0.6, 0.05)), True, "This box is low and wide: look at each direction by itself."),
    ],
    mistakes=[
        ("`x` runs across the columns, `y` down the rows.", lambda heat, box: _hits(heat, box, axes=1)),
        ("`y` counts downwards.", lambda heat, box: _hits(heat[::-1], box)),
    ],
)
def points_into(heat: np.ndarray, box: _Box) -> bool:
    """Whether the hottest cell points into the box."""
    return _hits(heat, box)


@exercise(
    "How much heat is there in all, and how much of it lies inside?",
    cases=[
        Case((_WARM, _LEFT), 0.9),
        Case((np.ones((2, 3)), _LEFT), 1 / 3, "Take the heat as it is; subtract nothing."),
        Case((_WARM, np.zeros((2, 3), bool)), 0.0, "There may be no cell inside: then a mean is NaN."),
        Case((np.zeros((2, 3)), _LEFT), 0.0, "A map of zeros has no heat anywhere: 0 / 0 is NaN."),
    ],
    mistakes=[
        ("This is the share outside.", lambda heat, inside: heat[~inside].sum() / heat.sum()),
        ("A mean is no share of the whole.", lambda heat, inside: heat[inside].mean()),
        ("A sum is no share yet.", lambda heat, inside: heat[inside].sum()),
        ("Divide by all heat, not by the heat outside.", lambda heat, inside: heat[inside].sum() / heat[~inside].sum()),
        ("This is the area of the box.", lambda heat, inside: inside.mean()),
        ("One cell is hotter than another.", lambda heat, inside: (heat[inside] > 0).sum() / (heat > 0).sum()),
    ],
)
def energy_inside(heat: np.ndarray, inside: np.ndarray) -> float:
    """The share of all heat that lies where `inside` is true."""
    return heat[inside].sum() / heat.sum() if heat.any() else 0.0
