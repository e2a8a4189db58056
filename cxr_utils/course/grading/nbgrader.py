"""The lessons as nbgrader's source version: answers between markers, and a graded cell behind each.

nbgrader takes the answers out for learners (`nbgrader generate_assignment`), and puts the hidden lines of a graded cell
back when it marks: with these a blank or wrong answer raises, while in the learner's hands the lesson goes on.
"""

import re
from pathlib import Path

from nbformat import NotebookNode

from cxr_utils.cache import write_text
from cxr_utils.course.derive import BEGIN, STUB, marked_notebook, to_text
from cxr_utils.course.hosted import first_cell
from cxr_utils.course.lessons import Lesson
from cxr_utils.errors import LessonError

_CONFIG = f"""\
c = get_config()  # noqa: F821  nbgrader knows it
c.CourseDirectory.course_id = "cxr"
c.ClearSolutions.code_stub = {{"python": "{STUB}"}}  # a blank answer returns None, and the lesson goes on
c.ExecutePreprocessor.timeout = 600  # seconds for a cell: some train a network
"""
_HIDDEN = """\
{check}
### BEGIN HIDDEN TESTS
import os

os.environ["CXR_STRICT"] = "1"  # a blank or wrong answer raises
try:
    checks.{name}({name})
finally:
    del os.environ["CXR_STRICT"]
### END HIDDEN TESTS"""
_CHECK = re.compile(r"(\w+) = checks\.\1\(\1\)")


def source_version(text: str, name: str) -> NotebookNode:
    r"""A lesson with the marks that nbgrader needs.

    Args:
        text: the lesson's source.
        name: the lesson's name.

    Raises:
        LessonError: the source has no exercise or a marker without its partner.

    Example:
        >>> source = (
        ...     '# %% tags=["parameters"]\nseed = 0\n\n# %%\ndef twice(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n'
        ...     '    ### END SOLUTION\n\n# %%\ntwice = checks.twice(twice)\n'
        ... )
        >>> [sorted(cell.metadata.get("nbgrader", {})) != [] for cell in source_version(source, "01_twice").cells]
        [False, True, True]
    """
    notebook = marked_notebook(text, name)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        check = _CHECK.fullmatch(cell.source.strip())
        answered = re.search(r"^def (\w+)\(", cell.source, re.MULTILINE) if BEGIN in cell.source else None
        if check:
            cell.source = _HIDDEN.format(check=cell.source.strip(), name=check[1])
            _mark(cell, f"check-{check[1]}", grade=True, locked=True, solution=False, points=1)
        elif answered:
            _mark(cell, answered[1], grade=False, locked=False, solution=True)
    return notebook


def _mark(cell: NotebookNode, grade_id: str, **more: bool | int) -> None:
    about = {"schema_version": 3, "cell_type": "code", "task": False, "grade_id": grade_id}
    cell.metadata["nbgrader"] = {**about, **more}


def write_course(lessons: list[Lesson], folder: Path) -> list[Path]:
    """Write a folder that nbgrader can work in.

    Args:
        lessons: which; each is an assignment of its own.
        folder: of the course; a configuration that is there already is kept.

    Returns:
        The notebooks, `source/NN_name/NN_name.ipynb`.

    Raises:
        LessonError: nothing can be written there, or a source is not well formed.
    """
    notebooks = {one.name: source_version(one.source.read_text(encoding="utf-8"), one.name) for one in lessons}
    for one in lessons:
        notebooks[one.name].cells.insert(0, first_cell(one))
    written = []
    try:
        for name, notebook in notebooks.items():
            path = folder / "source" / name / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, to_text(notebook))
            written.append(path)
        if not (folder / "nbgrader_config.py").exists():
            write_text(folder / "nbgrader_config.py", _CONFIG)
    except OSError as error:
        raise LessonError(
            f"{folder} cannot be written to ({error.strerror}). Expected a folder for nbgrader. Name another."
        ) from error
    return written
