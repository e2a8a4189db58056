"""Every figure of the course, each a `Picture` with alternative text, in one look.

Example:
    >>> from cxr_utils import plots
    >>> plots.Picture.__name__
    'Picture'
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from cxr_utils import on_first_use

_load, __dir__, __all__ = on_first_use(
    __name__,
    {
        "picture": ("Picture",),
        "tables": ("finding_counts", "co_occurrence", "images_per_patient", "age_sex_view", "label_errors"),
        "radiographs": ("gallery", "intensities"),
        "leakage": ("patients_by_part", "auc_by_split", "known_and_strangers"),
        "learning": ("learning_curves", "auc_by_size", "auc_by_cost", "auc_by_errors"),
        "heatmaps": ("feature_sum", "heat_gallery", "score_forest", "overlap_curves", "randomised_layers"),
        "prediction": ("probability_bars", "explanation", "likeness_histogram"),
        "uncertainty": ("share_forest", "silence"),
        "weighting": ("loss_shares", "focal_curves", "sensitivities", "shifted_probabilities"),
        "evaluation": (
            "roc_and_pr",
            "auc_forest",
            "difference_forest",
            "interval_widths",
            "widths_by_positives",
            "confusion_matrices",
            "ppv_by_prevalence",
            "reliability",
            "subgroup_forest",
            "decision_curves",
            "mean_curves",
        ),
    },
)


def _styled(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Draw in the course's look without changing matplotlib's settings; show why, where there is nothing to draw."""
    import matplotlib

    from ..errors import passes_missing
    from .picture import STYLE

    @passes_missing
    @wraps(draw)
    def figure(*arguments: Any, **options: Any) -> Any:
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **options)

    return figure


def __getattr__(name: str) -> Any:
    found = _load(name)
    globals()[name] = found if name == "Picture" else _styled(found)
    return globals()[name]
