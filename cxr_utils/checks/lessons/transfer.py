"""Exercises of lesson 04: transfer learning, augmentation, stopping in time."""

import numpy as np

from ..exercise import Case, exercise

_WIDE, _TALL = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 2], [3, 4], [5, 6]])


@exercise(
    "Count one weight for each pair of a feature and a finding, and the biases.",
    cases=[Case((1024, 14), 14350), Case((3, 1), 4, "There need not be fourteen findings.")],
    mistakes=[
        ("The biases are missing.", lambda features, findings: features * findings),
        ("How many biases has a layer with several outputs?", lambda features, findings: features * findings + 1),
        ("The biases belong to the outputs.", lambda features, findings: features * findings + features),
        ("Each feature goes to each finding.", lambda features, findings: features + findings),
    ],
)
def head_parameters(features: int, findings: int) -> int:
    """The numbers that a dense head has to learn."""
    return features * findings + findings


def _first(patients: list[str], images: int) -> list[bool]:
    taken: set[str] = set()
    for patient in patients:
        if sum(one in taken for one in patients) < images:
            taken.add(patient)
    return [patient in taken for patient in patients]


@exercise(
    "Which patients come first, which images belong to them, and when are there enough?",
    cases=[
        Case((["c", "a", "b", "d"], 2), [True, True, False, False]),
        Case((["a", "b", "b", "c"], 2), [True, True, True, False], "Patient b is needed, and comes whole."),
        Case((["a", "b", "c", "a"], 2), [True, False, False, True], "A patient's images need not stand side by side."),
        Case((["a", "b"], 5), [True, True], "Patients may run out before there are enough images."),
    ],
    mistakes=[
        ("Take patients as they come, not sorted.", lambda p, images: [one in sorted({*p})[:images] for one in p]),
        ("Stop when there are enough.", lambda patients, images: _first(patients, images + 1)),
        ("Stop when there are enough.", lambda patients, images: [True] * len(patients)),
        ("One True or False for each image.", lambda patients, images: np.flatnonzero(_first(patients, images))),
        ("One True or False for each image.", lambda patients, images: np.array(patients)[_first(patients, images)]),
        ("Count images, not patients.", lambda p, images: [one in list(dict.fromkeys(p))[:images] for one in p]),
    ],
)
def whole_patients(patients: list[str], images: int) -> list[bool]:
    """Patients as they come, each whole, until there are enough images."""
    return _first(patients, images)


@exercise(
    "Which side of the box becomes its left side, and how far is that from the new left edge?",
    cases=[
        Case((_WIDE, 0.0, 0.25), ([[3, 2, 1], [6, 5, 4]], 0.75)),
        Case((_TALL, 0.5, 0.3), ([[2, 1], [4, 3], [6, 5]], 0.2), "Old place and width both matter."),
    ],
    mistakes=[
        ("The box moves with the picture.", lambda image, x, width: (image[:, ::-1], x)),
        ("The old right side of the box becomes the left one.", lambda image, x, width: (image[:, ::-1], 1 - x)),
        ("`x` and `width` are fractions, not pixels.", lambda p, x, width: (p[:, ::-1], p.shape[1] - x - width)),
        ("This is upside down.", lambda image, x, width: (image[::-1], 1 - x - width)),
        ("This is turned by half a turn.", lambda image, x, width: (image[::-1, ::-1], 1 - x - width)),
        ("Rows and columns have changed places.", lambda image, x, width: (image.T, 1 - x - width)),
        ("The picture itself is as before.", lambda image, x, width: (image, 1 - x - width)),
        ("Return the picture and the left side.", lambda image, x, width: image[:, ::-1]),
        ("Return the picture and the left side.", lambda image, x, width: 1 - x - width),
    ],
)
def flip_horizontally(image: np.ndarray, x: float, width: float) -> tuple[np.ndarray, float]:
    """The mirror image, and where the left side of its box is now."""
    return image[:, ::-1], 1 - (x + width)


def _kept_last(losses: list[float], patience: int) -> tuple[int, int]:
    kept = 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < losses[kept - 1]:
            kept = epoch
        if epoch - kept == patience:
            break
    return kept, epoch


@exercise(
    "Go through the epochs: is this the best so far, and if not, how long ago was the best?",
    cases=[
        Case(([0.9, 0.5, 0.6, 0.7, 0.8, 0.9], 2), (2, 4)),
        Case(([0.9, 0.8, 0.7], 2), (3, 3), "Training may end before patience does."),
        Case(([0.5, 0.8, 0.7, 0.6], 2), (1, 3), "Compare with the best so far, not with the epoch before."),
        Case(([0.5, 0.6, 0.4, 0.6, 0.6, 0.6], 2), (3, 5), "Each new best begins the waiting anew."),
        Case(([0.5, 0.6, 0.7, 0.1], 2), (1, 3), "What would come after the stop is never trained."),
        Case(([0.5, 0.5, 0.5, 0.5], 2), (1, 3), "Equal is not better."),
    ],
    mistakes=[
        ("Count the epochs from 1.", lambda losses, patience: np.array(_kept_last(losses, patience)) - 1),
        ("The epoch that is kept comes first.", lambda losses, patience: _kept_last(losses, patience)[::-1]),
        ("Training stops when patience is at its end.", lambda losses, _: (int(np.argmin(losses)) + 1, len(losses))),
        ("Wait as many epochs as `patience` says.", lambda losses, patience: _kept_last(losses, 1)),
        ("Wait as many epochs as `patience` says.", lambda losses, patience: _kept_last(losses, patience + 1)),
        ("Keep the best epoch, not the last one.", lambda losses, patience: (_kept_last(losses, patience)[1],) * 2),
        ("The lowest loss is the best.", lambda losses, patience: _kept_last([-loss for loss in losses], patience)),
    ],
)
def early_stopping(losses: list[float], patience: int) -> tuple[int, int]:
    """The epoch that is kept, and the epoch after which training stops."""
    return _kept_last(losses, patience)
