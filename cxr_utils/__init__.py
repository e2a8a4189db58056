"""Helpers of a course on classifying chest X-rays. For teaching, never for diagnosis.

Lessons write `import cxr_utils as cxr`. What they need most stands here; the rest is one module further:
`from cxr_utils import metrics, plots`. Names load on first use, so importing the package costs next to
nothing and no TensorFlow is loaded before a model or a pipeline is asked for.

Example:
    >>> import cxr_utils as cxr
    >>> len(cxr.FINDINGS)
    14
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "FINDINGS": "schema",
    "Dataset": "datasets",
    "open_dataset": "datasets",
    "any_finding": "datasets",
    "check_for_leakage": "splits",
    "load_image": "images",
    "recipe": "recipes",
    "Recipe": "training",
    "train": "training",
    "claim": "checks.claims",
    "headline": "checks.claims",
    "too_few": "checks.claims",
}
_MODULES = (
    "averages", "baselines", "calibration", "checks", "comparison", "datasets", "decision", "delong", "errors",
    "gradcam", "images", "localization", "losses", "masks", "metrics", "models", "phantom", "pipeline", "plots",
    "published", "recipes", "sanity", "schema", "shortcut", "splits", "subgroups", "thresholds", "training",
    "transfer",
)  # fmt: skip

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    """Load a name or a module of the package on first use (PEP 562)."""
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"cxr_utils has no {name!r}. It offers: {', '.join(sorted(__all__))}.")


def __dir__() -> list[str]:
    return sorted(__all__)
