"""Exercises of lesson 06: heat maps and how good they are."""

from collections.abc import Callable

import numpy as np

from .exercise import Case, Verdict, check

Box = tuple[float, float, float, float]


def class_map(answer: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Verdict:
    """Check `class_map(features, weights)`: the feature maps, weighted and summed, shape (height, width).

    Example:
        >>> class_map(lambda features, weights: features @ weights)
        ✓ class_map: right
        True
    """
    features = np.array([[[1.0, 0.0], [2.0, 3.0]], [[3.0, 0.0], [4.0, 1.0]]])  # (2, 2, 2)
    wide = np.array([[[1.0, 0.0, 5.0], [2.0, 1.0, 0.0]]])  # (1, 2, 3)
    hint = "Multiply each map by its own weight, then add the maps up; what is left has height and width."
    cases = [
        Case((features, np.array([1.0, 0.0])), [[1.0, 2], [3, 4]], "With weight 0, a feature map drops out."),
        Case((features, np.array([1.0, 2.0])), [[1.0, 8], [3, 6]], hint),
        Case(
            (features, np.array([1.0, -2.0])),
            [[1.0, -4], [3, 2]],
            "Negative values stay: they speak against the finding.",
        ),
        Case(
            (wide, np.array([2.0, -1.0, 1.0])),
            [[7.0, 3]],
            "The last axis counts the feature maps, however many there are.",
        ),
    ]
    return check("class_map", answer, cases)


def heat_map(answer: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Verdict:
    """Check `heat_map(features, gradients)`: Grad-CAM of one image and one finding, scaled to a maximum of 1.

    Example:
        >>> def right(features, gradients):
        ...     heat = np.maximum(features @ gradients.mean(axis=(0, 1)), 0)
        ...     return heat / heat.max() if heat.max() > 0 else heat
        >>> heat_map(right)
        ✓ heat_map: right
        True
    """
    features = np.array([[[1.0, 0.0], [2.0, 3.0]], [[3.0, 0.0], [4.0, 0.0]]])  # (2, 2, 2)
    alike = np.broadcast_to([1.0, -2.0], (2, 2, 2))
    uneven = np.array([[[4.0, 0.0], [0.0, -2.0]], [[0.0, -2.0], [0.0, -4.0]]])  # mean over the places: 1 and -2
    single, wide = np.array([[[2.0], [4.0]], [[6.0], [8.0]]]), np.array([[[1.0, 0.0], [3.0, 1.0], [0.0, 6.0]]])
    heat = np.array([[0.25, 0], [0.75, 1]])  # by hand: 1 - 0, 2 - 6, 3 - 0, 4 - 0; negative to 0; divided by 4
    cases = [
        Case((features, alike), heat, "Weighted sum of the features, negative sums to 0, then divide by the maximum."),
        Case((features, uneven), heat, "First average the gradients over height and width: one weight a feature."),
        Case(
            (single, np.full((2, 2, 1), 0.5)), [[0.25, 0.5], [0.75, 1]], "Only divide by the maximum; subtract nothing."
        ),
        Case(
            (wide, np.broadcast_to([1.0, 0.5], (1, 3, 2))), np.array([[1, 3.5, 3]]) / 3.5, "A map need not be square."
        ),
        Case(
            (single, np.full((2, 2, 1), -1.0)),
            np.zeros((2, 2)),
            "Where nothing speaks for the finding, the map is 0 and not NaN.",
        ),
    ]
    return check("heat_map", answer, cases)


def points_into(answer: Callable[[np.ndarray, Box], bool]) -> Verdict:
    """Check `points_into(heat, box)`: whether the centre of the hottest cell lies in the box.

    Example:
        >>> def right(heat, box):
        ...     row, column = np.unravel_index(heat.argmax(), heat.shape)
        ...     across, down = (column + 0.5) / heat.shape[1], (row + 0.5) / heat.shape[0]
        ...     x, y, width, height = box
        ...     return x <= across < x + width and y <= down < y + height and heat.max() > 0
        >>> points_into(right)
        ✓ points_into: right
        True
    """
    corner, wide = np.zeros((4, 4)), np.zeros((2, 5))
    corner[0, 3], wide[1, 0] = 0.7, 0.2  # centres at x 0.875, y 0.125 and x 0.1, y 0.75
    hint = "x and width run across, along the columns; y and height run down, along the rows."
    cases = [
        Case((corner, (0.75, 0.0, 0.25, 0.25)), True, hint),
        Case((corner, (0.0, 0.75, 0.25, 0.25)), False, hint),
        Case(
            (corner, (0.8, 0.1, 0.1, 0.1)),
            True,
            "A cell's centre lies half a cell further than its edge: (column + 0.5) / columns.",
        ),
        Case((corner, (0.5, 0.0, 0.3, 0.5)), False, "The box ends at x + width."),
        Case((corner, (0.75, 0.25, 0.25, 0.25)), False, "It must lie between top and bottom as well."),
        Case(
            (wide, (0.0, 0.7, 0.15, 0.1)),
            True,
            "Divide columns by the number of columns and rows by the number of rows.",
        ),
        Case((np.zeros((4, 4)), (0.0, 0.0, 0.5, 0.5)), False, "A map of zeros points nowhere."),
    ]
    return check("points_into", answer, cases)


def energy_inside(answer: Callable[[np.ndarray, np.ndarray], float]) -> Verdict:
    """Check `energy_inside(heat, inside)`: the share of all heat that lies where `inside` is true.

    Example:
        >>> energy_inside(lambda heat, inside: heat[inside].sum() / heat.sum() if heat.any() else 0.0)
        ✓ energy_inside: right
        True
    """
    heat = np.array([[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]])
    left = np.array([[True, False, False], [True, False, False]])
    hint = "Heat inside the box, over all heat."
    cases = [
        Case((heat, left), 0.75, hint),
        Case((heat, ~left), 0.25, hint),
        Case((np.ones((2, 3)), left), 1 / 3, "A flat map reaches the box's share of the picture."),
        Case((heat, np.zeros((2, 3), bool)), 0.0, "Nothing can lie in an empty box."),
        Case((np.zeros((2, 3)), left), 0.0, "A map of zeros has no heat anywhere: 0 and not NaN."),
    ]
    return check("energy_inside", answer, cases)
