"""Exercises of lesson 04: transfer learning, augmentation, stopping in time."""

from collections.abc import Callable

import numpy as np

from .exercise import Case, Verdict, check


def head_parameters(answer: Callable[[int, int], int]) -> Verdict:
    """Check `head_parameters(features, findings)`: the numbers that a dense head has to learn.

    Example:
        >>> head_parameters(lambda features, findings: findings * (features + 1))
        ✓ head_parameters: right
        True
    """
    cases = [
        Case((1024, 14), 14350, "One weight for each pair of a feature and a finding, and one bias for each finding."),
        Case((3, 1), 4, "A single finding has a bias too."),
        Case((1, 5), 10, "The biases belong to the findings, not to the features."),
    ]
    return check("head_parameters", answer, cases)


def whole_patients(answer: Callable[[list[str], int], list[bool]]) -> Verdict:
    """Check `whole_patients(patients, images)`: take patients as they come, each whole, until there are enough images.

    Example:
        >>> def right(patients, images):
        ...     chosen = set()
        ...     for patient in patients:
        ...         if sum(one in chosen for one in patients) < images:
        ...             chosen.add(patient)
        ...     return [patient in chosen for patient in patients]
        >>> whole_patients(right)
        ✓ whole_patients: right
        True
    """
    yes, no = True, False
    cases = [
        Case((["a", "b", "c", "d"], 2), [yes, yes, no, no], "Take the first two patients here."),
        Case((["a", "b", "b", "c"], 2), [yes, yes, yes, no], "Patient b comes whole, although one image is too many."),
        Case((["a", "b", "c", "a"], 2), [yes, no, no, yes], "A patient's images need not stand side by side."),
        Case((["a", "b"], 5), [yes, yes], "Where there are too few images, take all."),
    ]
    return check("whole_patients", answer, cases)


def flip_horizontally(answer: Callable[[np.ndarray, float, float], tuple[np.ndarray, float]]) -> Verdict:
    """Check `flip_horizontally(image, x, width)`: the mirror image, and where the left side of its box is now.

    Example:
        >>> flip_horizontally(lambda image, x, width: (image[:, ::-1], 1 - x - width))
        ✓ flip_horizontally: right
        True
    """
    image, tall = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 2], [3, 4], [5, 6]])
    cases = [
        Case(
            (image, 0.0, 0.25), ([[3, 2, 1], [6, 5, 4]], 0.75), "What began at the left edge now ends at the right one."
        ),
        Case(
            (tall, 0.5, 0.25),
            ([[2, 1], [4, 3], [6, 5]], 0.25),
            "The old right side of the box, x + width, is the new left.",
        ),
        Case((tall, 0.25, 0.5), ([[2, 1], [4, 3], [6, 5]], 0.25), "A box in the middle stays where it is."),
    ]
    return check("flip_horizontally", answer, cases)


def early_stopping(answer: Callable[[list[float], int], tuple[int, int]]) -> Verdict:
    """Check `early_stopping(losses, patience)`: the epoch that is kept, and the epoch after which training stops.

    Example:
        >>> def right(losses, patience):
        ...     kept = 1
        ...     for epoch, loss in enumerate(losses, start=1):
        ...         if loss < losses[kept - 1]:
        ...             kept = epoch
        ...         if epoch - kept == patience:
        ...             break
        ...     return kept, epoch
        >>> early_stopping(right)
        ✓ early_stopping: right
        True
    """
    cases = [
        Case(
            ([0.9, 0.5, 0.6, 0.7, 0.8], 2), (2, 4), "Best is epoch 2; epochs 3 and 4 are no better, and patience is 2."
        ),
        Case(
            ([0.9, 0.8, 0.7], 2), (3, 3), "Where it never gets worse, the last epoch is kept and nothing stops early."
        ),
        Case(([0.5, 0.6, 0.4, 0.6, 0.6, 0.6], 2), (3, 5), "Each new best begins the waiting anew."),
        Case(([0.5, 0.6, 0.7, 0.1], 2), (1, 3), "Epoch 4 would be the best, but training has stopped before."),
        Case(([0.5, 0.5, 0.5, 0.5], 2), (1, 3), "Equal is not better: keep the first."),
    ]
    return check("early_stopping", answer, cases)
