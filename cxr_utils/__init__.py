"""Helpers of a course on classifying chest X-rays. For teaching, never for diagnosis.

The rooms, from the ground up; each imports only from those above it in this list:

- `phantom`: a radiograph simulator: patients, physics, findings known to the pixel.
- `data`: a collection on disk becomes a `Dataset`: readers, splits, leakage, one path from file to pixels.
- `networks`: what is computed: architectures, weights, losses, recipes, a trained network that predicts.
- `training`: how it is learned: batches, epochs, callbacks, devices, resuming, pretraining.
- `evaluation`: how good it is: areas, intervals, thresholds, calibration, groups, baselines, a report.
- `heatmaps`: where it looks, and how well: Grad-CAM, scores, sanity tests.
- `plots`: every figure of the course; takes tables and arrays and imports no other room.
- `checks`: exercises and claims; imports no other room.
- `course`: how lessons are built, run, kept and graded.
- `commands`: the program `cxr`.

Beside them stand `errors` and `cache`. Lessons write `import cxr_utils as cxr` and import whole rooms:
`from cxr_utils import evaluation, plots, checks`. Names load on first use, so that importing the package costs next
to nothing and no backend of Keras is loaded, or needed, before a network is asked for.

Example:
    >>> import cxr_utils as cxr
    >>> len(cxr.data.FINDINGS)
    14
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

__version__ = "0.3.0"

_ROOMS = ("phantom", "data", "networks", "training", "evaluation", "heatmaps", "plots", "checks", "course", "commands")


def on_first_use(package: str, files: dict[str, tuple[str, ...]]) -> tuple[Callable[[str], Any], Callable, list[str]]:
    """What a room needs to hand on names without importing the files behind them (PEP 562).

    Args:
        package: the room, `__name__`.
        files: file in the room (or room in the package) to the names that it hands on.

    Returns:
        `__getattr__`, `__dir__` and `__all__` of the room.

    Example:
        >>> load, _, names = on_first_use("cxr_utils", {"errors": ("CxrError", "tell")})
        >>> names, load("CxrError").__name__
        (['CxrError', 'tell'], 'CxrError')
    """
    home = {name: file for file, names in files.items() for name in names}

    def load(name: str) -> Any:
        if name in home:
            return getattr(import_module(f"{package}.{home[name]}"), name)
        raise AttributeError(f"{package} has no {name!r}. It offers: {', '.join(sorted(home))}.")

    return load, lambda: sorted(home), list(home)


_load, _, _names = on_first_use(
    __name__,
    {
        "data": ("open_dataset",),
        "networks": ("Recipe", "recipe"),
        "training": ("train",),
        "checks": ("claims", "identity", "given", "headline", "answer"),
    },
)
__all__ = [*_names, *_ROOMS]


def __getattr__(name: str) -> Any:
    return import_module(f"{__name__}.{name}") if name in _ROOMS else _load(name)


def __dir__() -> list[str]:
    return sorted(__all__)
