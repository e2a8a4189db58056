"""A lesson's saved notebook in the form in which a page shows it."""

import hashlib
import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from PIL import Image

from cxr_utils.course.derive import ANSWER, PLUMBING
from cxr_utils.course.hosted import INSTALL

#: What a cell's tag folds on its page, and what is written on the fold.
FOLDS = {ANSWER: ("hide-output", "Show the answer"), PLUMBING: ("hide-input", "Show the code")}
SOLUTION = "Show a solution"
_MARKUP = re.compile(r"([\\`*_\[\]<>&!#])")


def as_page(learner: NotebookNode, solved: NotebookNode, folder: Path) -> NotebookNode:
    """The learner's copy with its outputs; answers and plumbing folded, and a folded solution below each blank.

    Args:
        learner: the learner's copy, executed.
        solved: the same lesson with its exercises answered, cell for cell.
        folder: where the page is to lie; pictures go into `pictures` beside it.
    """
    cells = []
    for cell, answered in zip(learner.cells, solved.cells, strict=True):
        if INSTALL in cell.metadata.get("tags", []):
            continue  # nobody runs a page
        for tag in cell.metadata.get("tags", []):
            if tag in FOLDS:
                _fold(cell, *FOLDS[tag])
        for output in cell.get("outputs", []):
            _show_picture(output, folder)
        cells.append(cell)
        if cell.source != answered.source:
            solution = new_code_cell(answered.source, id=f"{cell.id}-solution")
            _fold(solution, "hide-input", SOLUTION)
            cells.append(solution)
    learner.cells = cells
    return learner


def _fold(cell: NotebookNode, how: str, prompt: str) -> None:
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), how]
    cell.metadata["mystnb"] = {"code_prompt_show": prompt, "code_prompt_hide": prompt.replace("Show", "Hide")}


def _show_picture(output: NotebookNode, folder: Path) -> None:
    """Replace a PNG by a lossless WebP of half the size and its description, which myst-nb would drop."""
    if "image/png" not in output.get("data", {}):
        return
    data = b64decode(output.data["image/png"])
    path = folder / "pictures" / f"{hashlib.sha256(data).hexdigest()[:16]}.webp"
    path.parent.mkdir(exist_ok=True)
    Image.open(BytesIO(data)).save(path, lossless=True, quality=60)
    alt = _MARKUP.sub(r"\\\1", " ".join(output.metadata["image/png"]["alt"].split()))
    output.data = NotebookNode({"text/markdown": f"![{alt}](pictures/{path.name})"})
    output.metadata = NotebookNode()
