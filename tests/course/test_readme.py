"""The README's table is what its lesson shows."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from cxr_utils.course.build import build_pages, stale_files
from cxr_utils.course.root_files import derived_pages
from cxr_utils.errors import LessonError

TABLE = "| recipe | AUC |\n|---|---|\n| `course` | 0.9 |"
README = (
    "# Course\n\n<!-- derived from the cell tagged `readme` of solutions/07_x.ipynb by `cxr build`; do not edit -->\n"
    "old\n<!-- end -->\n\nMore.\n"
)


@pytest.fixture
def root(tmp_path):
    shown = new_output("display_data", {"text/markdown": TABLE, "text/plain": "x"})
    other = new_output("display_data", {"text/markdown": "| another table |", "text/plain": "x"})
    cells = [new_code_cell("1", outputs=[other]), new_code_cell("2", outputs=[shown], metadata={"tags": ["readme"]})]
    (tmp_path / "solutions").mkdir()
    nbformat.write(new_notebook(cells=cells), tmp_path / "solutions" / "07_x.ipynb")
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.11"\n')
    return tmp_path


def test_the_table_is_put_between_its_marks_and_nothing_else_changes(root):
    build_pages(root, lambda line: None)
    assert (root / "README.md").read_text() == README.replace("old", TABLE)
    build_pages(root, lambda line: None)
    assert (root / "README.md").read_text() == README.replace("old", TABLE)


def test_a_table_that_was_edited_is_stale(root):
    shutil.copy(Path(__file__).parents[2] / "pyproject.toml", root)
    shutil.copy(Path(__file__).parents[2] / "requirements.lock", root)
    shutil.copy(Path(__file__).parents[2] / "environment.yml", root)
    build_pages(root, lambda line: None)
    (root / "solutions" / "07_x.ipynb").rename(root / "07_x.ipynb")  # an orphan would be named first
    (root / "README.md").write_text(
        (root / "README.md").read_text().replace("solutions/07", "07").replace("0.9", "0.99")
    )
    (stale,) = stale_files([], root)
    assert stale.path.name == "README.md"


def test_a_readme_without_marks_is_left_alone(root):
    (root / "README.md").write_text("# Nothing to derive\n")
    assert derived_pages(root) == {}


def test_a_lesson_without_the_table_is_named(root):
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), root / "solutions" / "07_x.ipynb")
    with pytest.raises(LessonError, match="shows 0 tables in cells tagged 'readme'"):
        derived_pages(root)
    twice = [new_output("display_data", {"text/markdown": TABLE})] * 2
    cells = [new_code_cell("2", outputs=twice, metadata={"tags": ["readme"]})]
    nbformat.write(new_notebook(cells=cells), root / "solutions" / "07_x.ipynb")
    with pytest.raises(LessonError, match="shows 2 tables"):
        derived_pages(root)
    (root / "solutions" / "07_x.ipynb").unlink()
    with pytest.raises(LessonError, match="shows 0 tables"):
        derived_pages(root)
