"""Exercises of lesson 07: from a file to a prediction."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

# The way from a file to pixels is the package's only one, so there is no copy of it here: `cxr.data` is looked up when
# an answer is tried. The room itself imports no other.
import cxr_utils as cxr

from ..exercise import Answer, Case, exercise


def _from_file(answer: Answer) -> Callable[[str, np.ndarray, int], object]:
    """A picture is written to a file, whose path the answer gets."""

    def read(name: str, pixels: np.ndarray, size: int) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            if path.suffix == ".dcm":
                cxr.data.write_dicom(path, pixels, inverted=True)
            else:
                path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
            return answer(path, size)

    return read


# mean 72; the deviations -72, -24, 120, -24 have a mean square of 72 * 72
_SMALL = np.array([[0, 48], [192, 48]], np.uint8)
_BATCH = np.array([[-1, -1 / 3], [5 / 3, -1 / 3]])[None, :, :, None]
# Each of these pixels stands for 4 x 8, which are brighter at their border and darker inside, with the same mean.
_BORDER = np.kron([[1, 1, 1, 1], [1, -3, -3, 1], [1, -3, -3, 1], [1, 1, 1, 1]], [[1, 1]])
_LARGE = (np.kron(_SMALL, np.ones((4, 8))) + np.kron([[0, 10], [20, 5]], _BORDER)).astype(np.uint8)
_MIX = np.array([[1, 0], [0.5, 0.5], [0, 1]])  # bilinear interpolation at pixel centres, from two pixels to three
_TWO = np.log(2.0)  # odds of 2 to 1
_PROBABILITY = pd.Series({"Mass": 0.2, "Nodule": 0.6, "Hernia": 0.05})


def _standard(pixels: np.ndarray) -> np.ndarray:
    return (pixels - pixels.mean()) / pixels.std()


def _resized(path: Path, size: int) -> np.ndarray:
    return cxr.data.resize(cxr.data.read_image(path), size)[np.newaxis, :, :, np.newaxis].astype(float)


@exercise(
    "Read, resize, standardise, in this order; then add the two axes.",
    asked=_from_file,
    tolerance=1e-4,
    cases=[
        Case(("small.png", _SMALL, 2), _BATCH),
        Case(("large.png", _LARGE, 2), _BATCH, "All pixels count when a picture shrinks; standardise after that."),
        Case(("small.png", _SMALL, 3), _standard(_MIX @ _SMALL @ _MIX.T)[None, :, :, None], "`size` need not be 2."),
        Case(("small.dcm", _SMALL, 2), _BATCH, "Not every file is a PNG, and in this one 0 means white."),
    ],
    mistakes=[
        ("The batch has an axis of its own, the first.", lambda path, size: _standard(_resized(path, size))[0]),
        ("The channel has an axis of its own, the last.", lambda path, size: _standard(_resized(path, size))[..., 0]),
        ("The channel comes last.", lambda path, size: np.moveaxis(_standard(_resized(path, size)), 3, 1)),
        ("It is not standardised yet.", lambda path, size: _resized(path, size)),
        ("It is not standardised yet.", lambda path, size: _resized(path, size) / 255),
        ("The deviation is to be 1 as well.", lambda path, size: _resized(path, size) - _resized(path, size).mean()),
        ("Rows and columns have changed places.", lambda path, size: _standard(_resized(path, size)).swapaxes(1, 2)),
    ],
)
def file_to_batch(path: Path, size: int) -> np.ndarray:
    """One file as a batch of one standardised picture."""
    return cxr.data.load_image(path, size)[np.newaxis]


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


@exercise(
    "A logit is the logarithm of the odds; each finding is a question of its own.",
    cases=[
        Case((np.array([_TWO, -_TWO]),), [2 / 3, 1 / 3]),
        Case((np.array([_TWO, _TWO, _TWO]),), [2 / 3, 2 / 3, 2 / 3], "Several findings may be likely at once."),
        Case((np.array([[0.0, _TWO]]),), [[1 / 2, 2 / 3]], "Keep the shape."),
    ],
    mistakes=[
        ("These are the odds.", lambda logits: np.exp(logits)),
        ("These are still the logits.", lambda logits: logits),
        ("Mind the sign: a high logit speaks for the finding.", lambda logits: _sigmoid(-logits)),
        ("Findings do not exclude each other.", lambda logits: np.exp(logits) / np.exp(logits).sum()),
        ("This lies between -1 and 1.", lambda logits: np.tanh(logits)),
    ],
)
def probabilities(logits: np.ndarray) -> np.ndarray:
    """Each finding's own probability."""
    return _sigmoid(logits)


def _thresholds(expected: list[str], hint: str = "", **of: float) -> Case:
    return Case((_PROBABILITY, pd.Series(of)), expected, hint)


def _named(probability: pd.Series, threshold: pd.Series) -> list[str]:
    called = probability[probability >= threshold.reindex(probability.index)]
    return called.sort_values(ascending=False).index.tolist()


@exercise(
    "Which findings reach a threshold of the same name, and which of them is the likeliest?",
    cases=[
        _thresholds(["Nodule"], Mass=0.3, Nodule=0.5, Hernia=0.1),
        _thresholds(["Nodule", "Mass"], "Match by name, not by place.", Hernia=0.3, Nodule=0.3, Mass=0.01),
        _thresholds(["Mass"], "Who equals a threshold has reached it.", Mass=0.2, Nodule=0.7, Hernia=0.1),
        _thresholds(["Mass", "Hernia"], "NaN is no threshold to reach.", Mass=0.1, Nodule=np.nan, Hernia=0.01),
        _thresholds(["Nodule", "Mass"], "Sort by the probability alone.", Mass=0.01, Nodule=0.55, Hernia=0.9),
        _thresholds([], "It may be that nothing is named.", Mass=0.3, Nodule=0.7, Hernia=0.1),
    ],
    mistakes=[
        ("Name those that reach their threshold.", lambda p, t: [name for name in p.index if p[name] < t[name]]),
        ("Return names.", lambda p, t: [p[name] >= t[name] for name in p.index]),
        ("Return names.", lambda p, t: p[_named(p, t)]),
        ("Each finding has a threshold of its own.", lambda p, t: p.index[p >= 0.5].tolist()),
        ("Several findings may be named.", lambda p, t: _named(p, t)[:1]),
        ("The likeliest comes first.", lambda p, t: [name for name in p.index if name in _named(p, t)]),
        ("The likeliest comes first.", lambda p, t: _named(p, t)[::-1]),
    ],
)
def named_findings(probability: pd.Series, threshold: pd.Series) -> list[str]:
    """The findings that reach their own threshold, likeliest first."""
    return _named(probability, threshold)
