"""How good a classifier is: areas with intervals over patients, thresholds, calibration, groups, baselines, report."""

from cxr_utils import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "metrics": (
            "auc_table",
            "auc_difference",
            "average_precision_table",
            "agreement_table",
            "roc_auc",
            "average_precision",
        ),
        "curves": ("roc_points", "pr_points", "macro_roc", "macro_pr"),
        "thresholds": ("choose_thresholds", "operating_points", "decision_curve"),
        "calibration": ("reliability_table", "calibration_table", "CALIBRATIONS", "ece_by_chance"),
        "subgroups": ("subgroup_table", "share_table"),
        "baselines": ("baseline_scores",),
        "published": (
            "published_predictions",
            "published_without_pixels",
            "published_readings",
            "measured",
            "two_sources",
        ),
        "predictions": ("read_predictions", "predictions_of"),
        "evaluation": ("Evaluation", "evaluate"),
        "report": ("as_json", "as_text", "summary", "systems_table", "checklist"),
    },
)
