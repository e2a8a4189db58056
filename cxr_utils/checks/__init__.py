"""Exercises and claims: what a learner is asked, and what a lesson says it has shown.

Each exercise check takes the learner's function and prints whether it is right. It never stops a notebook
unless CXR_STRICT=1 is set.
"""

from importlib import import_module
from typing import Any

# One line per lesson: the module that holds its exercises, and their names.
_LESSONS: dict[str, tuple[str, ...]] = {
    "claims": ("claim", "headline", "too_few"),
    "visualization": ("prevalence", "lift", "standardise", "impossible_ages"),
    "leakage": ("check_for_leakage", "patient_split", "patient_scores"),
    "weighting": ("frequencies", "weighted_loss", "balancing_weights", "undo_weights"),
    "evaluation": ("rates_at", "auc_by_pairs", "replicate", "ppv"),
    "transfer": ("head_parameters", "whole_patients", "flip_horizontally", "early_stopping"),
    "heatmaps": ("class_map", "heat_map", "points_into", "energy_inside"),
    "own_image": ("file_to_batch", "probabilities", "named_findings"),
}
_HOME = {name: lesson for lesson, names in _LESSONS.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"There is no exercise {name!r}. There are: {', '.join(__all__)}.")
