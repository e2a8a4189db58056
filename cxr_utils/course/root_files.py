"""What is derived in the course's folder: `environment.yml` for conda and Binder, a table and links in pages."""

import re
from pathlib import Path

import nbformat

from cxr_utils.course.hosted import links, repository
from cxr_utils.errors import LessonError

_PIN = re.compile(r"^([A-Za-z0-9._-]+==[^\s;\\]+)\s*(?:;\s*([^\\]+?))?\s*\\?$")
PYTHON = "3.12"  # one version: given a range, Binder begins with a Python of its own choice, which may be too old
_HEADER = """\
# Derived from requirements.lock by `cxr build`; do not edit.
# conda and Binder read it. Hashes stay in the lock: pip takes no editable project beside hashed requirements.
name: cxr
channels:
  - conda-forge
dependencies:
  - python={python}
  - pip
  - pip:
"""
TAG = "readme"
PAGES = ("README.md", "docs/systems.md")
_BLOCK = re.compile(
    r"(<!-- derived from the cell tagged `readme` of (?P<lesson>\S+) by .*?-->\n).*?(<!-- end -->)", re.S
)
_LINKS = re.compile(r"(<!-- links to (?P<notebook>\S+), derived from \S+ by .*?-->\n).*?(<!-- end -->)", re.S)


def environment_text(root: Path) -> str:
    """The conda environment that has the same versions as the lock.

    Args:
        root: the folder of `requirements.lock`.

    Returns:
        The text of `environment.yml`: every locked version with its platform marker, then the project.

    Raises:
        LessonError: the lock is missing, or names no version.
    """
    try:
        lock = (root / "requirements.lock").read_text()
    except FileNotFoundError as error:
        raise LessonError(
            f"{error.filename} is missing. Expected it in the course's folder. Run `make lock` in a checkout."
        ) from error
    pins = [match.groups() for line in lock.splitlines() if (match := _PIN.match(line))]
    if not pins:
        raise LessonError("requirements.lock names no version. Expected lines like numpy==2.4.0. Run `make lock`.")
    entries = [f"{pin} ; {marker}" if marker else pin for pin, marker in pins]
    lines = [f'      - "{entry}"\n' for entry in [*entries, "-e ."]]
    return _HEADER.format(python=PYTHON) + "".join(lines)


def derived_pages(root: Path) -> dict[Path, str]:
    """Pages with a table as its lesson's saved output has it, or with links that open a lesson elsewhere.

    Between the comment that names a notebook and `<!-- end -->` stands what the one cell of that notebook that is
    tagged `readme` shows as Markdown; between another such comment and its end, links as `hosted.links` has them.

    Args:
        root: the course's folder.

    Returns:
        Those of `PAGES` in which something is derived, and their text.

    Raises:
        LessonError: the notebook is missing, was not executed, or has no such cell.
    """
    pages = {root / name: (root / name).read_text(encoding="utf-8") for name in PAGES if (root / name).exists()}
    address = repository(root)

    def linked(block: re.Match) -> str:
        return f"{block[1]}{links(address, block['notebook'])}\n{block[3]}"

    def shown(block: re.Match) -> str:
        return f"{block[1]}{_shown_table(root / block['lesson'])}\n{block[3]}"

    derived = {path: _BLOCK.search(text) or _LINKS.search(text) for path, text in pages.items()}
    return {path: _BLOCK.sub(shown, _LINKS.sub(linked, text)) for path, text in pages.items() if derived[path]}


def _shown_table(notebook: Path) -> str:
    """The Markdown that the one cell tagged `readme` of an executed notebook shows."""
    cells = nbformat.read(notebook, as_version=4).cells if notebook.exists() else []
    outputs = [output for cell in cells if TAG in cell.metadata.get("tags", []) for output in cell.outputs]
    shown = [output.data["text/markdown"] for output in outputs if "text/markdown" in output.get("data", {})]
    if len(shown) != 1:
        raise LessonError(
            f"{notebook} shows {len(shown)} tables in cells tagged {TAG!r}. Expected one, as Markdown. "
            "Build the lesson, or mend the name in the page's comment."
        )
    return shown[0].strip()
