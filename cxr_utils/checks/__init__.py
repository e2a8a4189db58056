"""Exercises and claims: what a learner is asked, and what a lesson says it has shown.

Each exercise check takes the learner's function and prints whether it is right. It never stops a notebook
unless CXR_STRICT=1 is set.
"""

from cxr_utils import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "folded": ("answer",),
        "claim": ("claims", "identity", "given", "headline"),
        "exercise": ("solved",),
        "lessons.visualization": ("prevalence", "lift", "standardise", "impossible_ages"),
        "lessons.leakage": ("check_for_leakage", "patient_split", "patient_scores"),
        "lessons.weighting": ("frequencies", "weighted_loss", "balancing_weights", "undo_weights"),
        "lessons.evaluation": ("rates_at", "auc_by_pairs", "replicate", "ppv"),
        "lessons.transfer": ("head_parameters", "whole_patients", "flip_horizontally", "early_stopping"),
        "lessons.heatmaps": ("class_map", "heat_map", "points_into", "energy_inside"),
        "lessons.labels": ("missed_and_false", "perfect_reader", "undo_labels", "labels_of_some"),
        "lessons.own_image": ("file_to_batch", "probabilities", "named_findings"),
        "lessons.another_hospital": ("new_prevalence", "number_to_add", "auc_error", "auc_within"),
        "lessons.not_knowing": ("ensemble", "conformal_limit", "answered", "group_rates"),
    },
)
