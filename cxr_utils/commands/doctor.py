"""`cxr doctor`: what this machine has for the course, what it lacks, and how to get it."""

import json as jsonlib
import os
import platform
import shutil
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path

import psutil
import typer

from cxr_utils.commands.options import AsJson

LIBRARIES = (
    "keras", "numpy", "pandas", "scikit-learn", "matplotlib", "opencv-python-headless", "jupyterlab", "papermill",
)  # fmt: skip
_LEAST_MEMORY, _LEAST_DISK = 4, 6  # GB: a lesson's kernel holds up to 3.2; data and caches of the quick course take 4
Row = tuple[str, str, str]  # what was looked at, what was found, how to mend it where something is wrong


def doctor(json: AsJson = False) -> None:
    """Say what this machine has for the course, and how to get what is missing.

    The exit status is 1 where a lesson would fail.

    Examples:
      cxr doctor
      cxr doctor --json          for a bug report
    """
    rows = [*_python(), *_libraries(), *_backend(), *_machine(), *_places(), *_fonts()]
    if json:
        print(jsonlib.dumps([dict(zip(("what", "found", "mend"), row, strict=True)) for row in rows], indent=1))
    else:
        for what, found, mend in rows:
            print(f"{'!' if mend else ' '} {what:22} {found}" + (f"\n    {mend}" if mend else ""))
    raise typer.Exit(1 if any(mend for *_, mend in rows) else 0)


def _python() -> list[Row]:
    from cxr_utils import __version__

    known = (3, 11) <= sys.version_info[:2] <= (3, 13)
    mend = "" if known else "The course is tried with Python 3.11 to 3.13. Make an environment with one of them."
    return [
        ("cxr-utils", f"{__version__}, {Path(__file__).parents[1]}", ""),
        ("Python", f"{platform.python_version()}, {platform.platform()}", mend),
    ]


def _libraries() -> list[Row]:
    found = []
    for name in LIBRARIES:
        try:
            found.append((name, metadata.version(name), ""))
        except metadata.PackageNotFoundError:
            found.append((name, "not installed", f"pip install {name}"))
    return found


def _backend() -> list[Row]:
    """The backend of Keras and what it computes on, told by files: to import it takes seconds."""
    from cxr_utils.errors import RecipeError
    from cxr_utils.networks.backend import backend, has_gpu, installed

    try:
        name = backend()
    except RecipeError as error:
        return [("backend", "none that can be used", str(error))]
    able = has_gpu() and _made_for_gpus(name)
    mend = f"There is a GPU that {name} cannot use; see docs/running.md, On a GPU." if has_gpu() and not able else ""
    where = f"{len([*Path('/dev').glob('nvidia[0-9]*')])} GPU" if able else "the processor"
    return [("backend", f"{name} {metadata.version(name)} on {where}; installed: {', '.join(installed())}", mend)]


def _made_for_gpus(name: str) -> bool:
    """Whether the libraries are there by which a backend reaches a GPU; PyTorch's packages hold them or not."""
    if name == "torch":
        found = util.find_spec("torch")
        return bool(found and found.origin and [*Path(found.origin).parent.glob("lib/*torch_cuda*")])
    needed = {"tensorflow": "nvidia-cudnn-", "jax": "jax-cuda"}[name]
    return any((one.name or "").lower().startswith(needed) for one in metadata.distributions())


def _machine() -> list[Row]:
    free = psutil.virtual_memory().available / 2**30
    mend = "" if free >= _LEAST_MEMORY else f"Lessons want {_LEAST_MEMORY} GB. Close other programs, or run --jobs 1."
    browsers = [name for name in ("chromium", "google-chrome", "firefox") if shutil.which(name)]
    return [
        ("cores", str(os.cpu_count()), ""),
        ("memory", f"{free:.1f} GB free", mend),
        ("browser", ", ".join(browsers) or "none found by name", ""),
    ]


def _places() -> list[Row]:
    from cxr_utils import cache

    return [
        _place("data and results", cache.home(), "CXR_HOME", _LEAST_DISK),
        _place("cache", cache.root(), "CXR_CACHE", _LEAST_DISK),
        _place("Jupyter's files", Path("~").expanduser(), "HOME", 0.1),
    ]


def _place(what: str, folder: Path, variable: str, least: float) -> Row:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free / 2**30
    except OSError as error:
        return what, f"{folder} cannot be written to ({error.strerror})", f"Name another folder in {variable}."
    mend = f"The course wants {least} GB. Make room, or name another folder in {variable}."
    return what, f"{folder}, {free:.0f} GB free", "" if free >= least else mend


def _fonts() -> list[Row]:
    """Matplotlib brings its font with it; a package manager that takes it out leaves figures without letters."""
    found = util.find_spec("matplotlib")
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" if found and found.origin else Path()
    there = (folder / "DejaVuSans.ttf").exists()
    return [("font of the figures", "DejaVu Sans" if there else "missing", "" if there else "Install matplotlib anew.")]
