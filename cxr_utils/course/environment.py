"""`environment.yml`, for conda and Binder, derived from `pyproject.toml` and the lock."""

import re
import tomllib
from pathlib import Path

from cxr_utils.errors import LessonError

_PIN = re.compile(r"^([A-Za-z0-9._-]+==[^\s;\\]+)\s*(?:;\s*([^\\]+?))?\s*\\?$")
_HEADER = """\
# Derived from pyproject.toml and requirements.lock by `cxr build`; do not edit.
# conda and Binder read it. Hashes stay in the lock: pip takes no editable project beside hashed requirements.
name: cxr
channels:
  - conda-forge
dependencies:
  - python{python}
  - pip
  - pip:
"""


def environment_text(root: Path) -> str:
    """The conda environment that has the same versions as the lock.

    Args:
        root: the folder of `pyproject.toml` and `requirements.lock`.

    Returns:
        The text of `environment.yml`: every locked version with its platform marker, then the project.

    Raises:
        LessonError: one of the two files is missing, or the lock names no version.
    """
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
        lock = (root / "requirements.lock").read_text()
    except FileNotFoundError as error:
        raise LessonError(
            f"{error.filename} is missing. Expected pyproject.toml and requirements.lock in the course's folder. "
            "Run `make lock` in a checkout."
        ) from error
    pins = [match.groups() for line in lock.splitlines() if (match := _PIN.match(line))]
    if not pins:
        raise LessonError("requirements.lock names no version. Expected lines like numpy==2.4.0. Run `make lock`.")
    entries = [f"{pin} ; {marker}" if marker else pin for pin, marker in pins]
    lines = [f'      - "{entry}"\n' for entry in [*entries, "-e ."]]
    return _HEADER.format(python=project["requires-python"]) + "".join(lines)
