"""A radiograph simulator: patients with an anatomy, projected through physics, with findings known to the pixel.

`ensure_cohort` gives the course its default data set, offline, in NIH's own layout. `anatomy` draws the patient,
`findings` changes the anatomy, `physics` turns thickness into grey values, `render` puts them together, `labels` draws
who has what and what a text miner would say, `cohort` writes the files and `sheet` draws contact sheets.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "make_cohort": "cohort",
    "ensure_cohort": "cohort",
    "PROFILES": "cohort",
    "simulator_version": "cohort",
    "contact_sheet": "sheet",
    "plant_marker": "devices",
    "radiograph": "render",
    "Finding": "render",
    "draw_patient": "anatomy",
    "draw_visit": "anatomy",
    "draw_mask": "findings",
    "draw_boxes": "findings",
}
__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    """Load a part on first use, so that opening a made cohort costs no drawing code."""
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"cxr_utils.phantom has no {name!r}. It offers: {', '.join(__all__)}.")
