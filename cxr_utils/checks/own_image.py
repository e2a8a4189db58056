"""Exercises of lesson 07: from a file to a prediction."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from .exercise import Case, Verdict, check


def file_to_batch(answer: Callable[[Path, int], np.ndarray]) -> Verdict:
    """Check `file_to_batch(path, size)`: one file as a batch of one standardised picture.

    Example:
        >>> from cxr_utils.data import images
        >>> def right(path, size):
        ...     return images.standardise(images.resize(images.read_image(path), size))[None, :, :, None]
        >>> file_to_batch(right)
        ✓ file_to_batch: right
        True
    """
    checker = np.array([[0, 200], [200, 0]], np.uint8)
    square = np.array([[-1.0, 1.0], [1.0, -1.0]])[None, :, :, None]
    with tempfile.TemporaryDirectory() as folder:
        plain, large, wide = (Path(folder) / name for name in ("small.png", "large.png", "wide.png"))
        # each pixel of the small picture four times, four times side by side: averaging an area gives it back
        pictures = (checker, np.kron(checker, np.ones((2, 2), np.uint8)), np.kron(checker, np.ones((1, 2), np.uint8)))
        for path, pixels in zip((plain, large, wide), pictures, strict=True):
            path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        cases = [
            Case(
                (plain, 2),
                square,
                "Mean 0 and standard deviation 1; shape (1, size, size, 1): batch first, one channel last.",
            ),
            Case(
                (large, 2),
                square,
                "The file has 4 x 4 pixels and the model wants 2 x 2: resize before you standardise.",
            ),
            Case((wide, 2), square, "The file need not be square."),
            Case(
                (plain, 4),
                _resized_twice_as_large(checker),
                "Use the size that you are given, also where the file is smaller.",
            ),
        ]
        return check("file_to_batch", answer, cases, tolerance=1e-4)


def _resized_twice_as_large(checker: np.ndarray) -> np.ndarray:
    """Bilinear interpolation at pixel centres, by hand: each new pixel mixes 3/4, 1/4 of its neighbours a side."""
    mix = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    large = np.round(mix @ checker.astype(float) @ mix.T)  # 8-bit pixels are whole numbers
    return ((large - large.mean()) / large.std())[None, :, :, None]


def probabilities(answer: Callable[[np.ndarray], np.ndarray]) -> Verdict:
    """Check `probabilities(logits)`: each finding's own probability, by the sigmoid.

    Example:
        >>> probabilities(lambda logits: 1 / (1 + np.exp(-logits)))
        ✓ probabilities: right
        True
    """
    thirds = np.log(3.0)  # odds of 3 to 1
    cases = [
        Case((np.array([0.0]),), [0.5], "A logit of 0 means even odds."),
        Case((np.array([thirds, -thirds]),), [0.75, 0.25], "The logit is the logarithm of the odds."),
        Case(
            (np.array([thirds, thirds, thirds]),),
            np.full(3, 0.75),
            "Findings do not exclude each other, so nothing sums to 1.",
        ),
        Case((np.array([[0.0, thirds]]),), [[0.5, 0.75]], "A batch keeps its shape."),
    ]
    return check("probabilities", answer, cases)


def named_findings(answer: Callable[[pd.Series, pd.Series], list[str]]) -> Verdict:
    """Check `named_findings(probability, threshold)`: the findings that reach their own threshold, likeliest first.

    Example:
        >>> def right(probability, threshold):
        ...     called = probability[probability >= threshold.reindex(probability.index)]
        ...     return called.sort_values(ascending=False).index.tolist()
        >>> named_findings(right)
        ✓ named_findings: right
        True
    """
    probability = pd.Series({"Mass": 0.2, "Edema": 0.6, "Hernia": 0.05})
    shuffled = pd.Series({"Hernia": 0.01, "Edema": 0.7, "Mass": 0.1})
    missing = pd.Series({"Mass": 0.1, "Edema": 0.3, "Hernia": np.nan})
    nothing: list[str] = []
    cases = [
        Case(
            (probability, pd.Series({"Mass": 0.3, "Edema": 0.5, "Hernia": 0.1})),
            ["Edema"],
            "Only Edema reaches its threshold.",
        ),
        Case((probability, shuffled), ["Mass", "Hernia"], "Match by name: the thresholds come in another order."),
        Case(
            (probability, pd.Series({"Mass": 0.2, "Edema": 0.7, "Hernia": 0.1})),
            ["Mass"],
            "Reaching the threshold is enough.",
        ),
        Case((probability, missing), ["Edema", "Mass"], "Likeliest first; without a threshold (NaN) nothing is named."),
        Case((probability, probability + 0.1), np.array(nothing), "Where nothing is named, return an empty list."),
    ]
    return check("named_findings", answer, cases)
