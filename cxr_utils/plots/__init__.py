"""Every figure of the course, each a `Picture` with alternative text, in one look.

Example:
    >>> from cxr_utils import plots
    >>> plots.Picture.__name__
    'Picture'
"""

from importlib import import_module
from typing import Any

# One line per topic: the module that holds its figures, and their names.
_TOPICS: dict[str, tuple[str, ...]] = {
    "picture": ("Picture", "PALETTE", "canvas", "show_image"),
    "tables": ("finding_counts", "co_occurrence", "images_per_patient", "age_sex_view"),
    "radiographs": ("gallery", "intensities"),
}
_HOME = {name: topic for topic, names in _TOPICS.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"plots has no {name!r}. It has: {', '.join(__all__)}.")
