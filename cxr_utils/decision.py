"""Is acting on the model better than acting on everybody, or on nobody? Decision curves.

Who acts at a probability of 10 % says that one patient found is worth nine false alarms. With that exchange rate true
and false calls can be set against each other (Vickers & Elkin, Medical Decision Making 2006):

    net benefit = true calls / images - false calls / images x threshold / (1 - threshold)

The unit is patients found per image, false alarms already paid for. AUC does not see whether probabilities are right;
net benefit does.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxr_utils.calibration import checked_probabilities
from cxr_utils.errors import CxrError

#: Thresholds of a curve where none are given: 1 % to 99 %.
THRESHOLDS = tuple(np.round(np.arange(0.01, 1, 0.01), 2).tolist())


def decision_curve(
    truth: np.ndarray, probabilities: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> pd.DataFrame:
    """Net benefit of acting on the model, on everybody and on nobody, at each threshold probability.

    Args:
        truth: (images,) labels 0 or 1.
        probabilities: (images,) between 0 and 1; an image is called where its probability >= threshold.
        thresholds: probabilities at which somebody would act, between 0 and 1 without the ends.

    Returns:
        Columns threshold, model, treat_all, treat_none (always 0).

    Raises:
        CxrError: where a probability or a threshold is out of range, or the inputs do not fit together.

    Example:
        >>> decision_curve([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.8], [0.5]).values.tolist()  # 1/4 - 1/4 x 1
        [[0.5, 0.0, -0.5, 0.0]]
    """
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.size == 0 or not ((thresholds > 0) & (thresholds < 1)).all():
        raise CxrError(
            f"Received thresholds {thresholds.tolist()}. Expected probabilities above 0 and below 1. Write 10 % as 0.1."
        )
    truth, probabilities = checked_probabilities(truth, probabilities)
    images, exchange = len(truth), thresholds / (1 - thresholds)
    found, false = (
        images_of_class - np.searchsorted(np.sort(probabilities[truth == label]), thresholds, side="left")
        for label, images_of_class in ((1, (truth == 1).sum()), (0, (truth == 0).sum()))
    )
    return pd.DataFrame(
        {
            "threshold": thresholds,
            "model": found / images - false / images * exchange,
            "treat_all": truth.mean() - (1 - truth.mean()) * exchange,
            "treat_none": 0.0,
        }
    )
