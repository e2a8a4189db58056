"""What a lesson needs on machines of others: a first cell that installs the course, and links that open it there.

Both name the release that a notebook belongs to by its tag, so that a lesson meets the package it was written for.
"""

import hashlib
import json
import tomllib
from pathlib import Path
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode

from cxr_utils import __version__
from cxr_utils.course.derive import PLUMBING
from cxr_utils.course.lessons import Lesson

INSTALL = "install"  # the first cell's tag
TAG = f"v{__version__}"  # of the release
_GITHUB = "https://github.com/"
# What is there already stays: the bounds in pyproject.toml admit what Colab's kernel is made of, which breaks when pip
# replaces it. TensorFlow is asked for by itself: with "cxr-utils[tensorflow] @", pip takes no address of a folder.
_CELL = """\
# On Colab, Kaggle and Codespaces this cell installs the course; elsewhere it does nothing.
import os, re, subprocess, sys
from importlib.util import find_spec

if {"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "CODESPACES"} & {*os.environ} and not find_spec("cxr_utils"):
    course = os.environ.get("CXR_COURSE", ADDRESS)
    wanted = [f"git+{course}@TAG"] + ["tensorflow"] * (not find_spec("tensorflow"))
    install = [sys.executable, "-m", "pip", "install", "-qq", *wanted]
    if not course:
        print("✗ This copy does not know where the course is kept. Run %env CXR_COURSE=ADDRESS, then this cell again.")
    elif (pip := subprocess.run(install, capture_output=True, text=True)).returncode:
        said = re.findall("(?:fatal|ERROR|error): (?!subprocess).+", pip.stderr + "ERROR: it gave no reason")[0]
        print(f"✗ pip could not install {wanted[0]} ({said}). Look at the connection (on Kaggle, switch Internet on in "
              "the notebook's settings), then run this cell again.")"""


def repository(root: Path) -> str:
    r"""The address of the course's repository, as `[project.urls]` in `pyproject.toml` names it.

    Args:
        root: the course's folder.

    Returns:
        The entry `Repository`, without ".git" and slash at its end; "" where there is none.

    Example:
        >>> import tempfile; folder = Path(tempfile.mkdtemp())
        >>> (folder / "pyproject.toml").write_text('[project.urls]\nRepository = "https://host/a/b.git"') > 0
        True
        >>> repository(folder), repository(folder / "elsewhere")
        ('https://host/a/b', '')
    """
    path = root / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {}) if path.exists() else {}
    return project.get("urls", {}).get("Repository", "").rstrip("/").removesuffix(".git")


def hosted(notebook: NotebookNode, lesson: Lesson) -> NotebookNode:
    """Add the cell that installs the course and, below the title, links that open the learner's copy elsewhere.

    Args:
        notebook: a derived notebook of the lesson; it is changed. Its own cells keep their ids.
        lesson: says which course it belongs to.

    Returns:
        The same notebook.
    """
    shown = links(repository(lesson.root), f"notebooks/{lesson.name}.ipynb")
    title = notebook.cells[0]
    if shown and title.cell_type == "markdown":
        first, _, rest = title.source.partition("\n")
        title.source = f"{first}\n\n{shown}\n{rest}".rstrip()
    notebook.cells.insert(0, first_cell(lesson))
    return notebook


def first_cell(lesson: Lesson) -> NotebookNode:
    """The cell that installs the course on Colab, Kaggle and Codespaces, at this version.

    Args:
        lesson: whose notebook it is for.
    """
    source = _CELL.replace("ADDRESS)", json.dumps(repository(lesson.root)) + ")").replace("@TAG", f"@{TAG}")
    metadata = {"tags": [PLUMBING, INSTALL], "jupyter": {"source_hidden": True}}
    cell = nbformat.v4.new_code_cell(source, metadata=metadata)
    cell.id = hashlib.sha256(f"{lesson.name}:{INSTALL}".encode()).hexdigest()[:12]
    return cell


def links(address: str, path: str) -> str:
    """Where a notebook of the release can be opened without installing anything.

    Args:
        address: of the repository.
        path: of the notebook in it.

    Returns:
        A sentence in Markdown; "" where there is no address.

    Example:
        >>> links("https://host.org/a/b", "notebooks/01_x.ipynb").partition("](")[0]
        'Open lesson 01 in the browser: [Binder'
    """
    if not address:
        return ""
    opening = f"Open lesson {Path(path).name[:2]} in the browser: "
    if not address.startswith(_GITHUB):
        binder = _binder(f"git/{quote(address, safe='')}", path)
        return f"{opening}[Binder]({binder}). Colab, Kaggle and Codespaces open only what is on GitHub."
    name = address.removeprefix(_GITHUB)
    places = {
        "Colab": f"https://colab.research.google.com/github/{name}/blob/{TAG}/{path}",
        "Kaggle": f"https://kaggle.com/kernels/welcome?src={_GITHUB}{name}/blob/{TAG}/{path}",
        "Binder": _binder(f"gh/{name}", path),
        "Codespaces": f"https://codespaces.new/{name}?quickstart=1",
    }
    return opening + " · ".join(f"[{place}]({link})" for place, link in places.items())


def _binder(repository: str, path: str) -> str:
    return f"https://mybinder.org/v2/{repository}/{TAG}?urlpath=lab/tree/{path}"
