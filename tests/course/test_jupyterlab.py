"""JupyterLab as people meet it: a learner answers an exercise there, an instructor edits a lesson's source."""

import difflib
import shutil
import time
from pathlib import Path

import pytest
from lab_in_browser import Notebook, lab
from site_in_browser import CHROMIUM, browser

from cxr_utils import open_dataset
from cxr_utils.cache import home

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a system Chromium: apt-get install chromium")
LESSON = "01_data_visualization"
DEFINED, CHECKED, DRAWN = "def prevalence(", "checks.prevalence(", "plots.finding_counts("
LINE = "the answer of a learner"
WRONG = "def prevalence(table, findings):", "return table[findings].sum()"
RIGHT = "def prevalence(table, findings):", f'print("{LINE}")', "return table[findings].mean()"


def test_a_learner_answers_wrongly_then_rightly_and_sees_what_comes_of_it(tmp_path):
    from playwright.sync_api import expect

    (tmp_path / "notebooks").mkdir()
    shutil.copy(home() / "notebooks" / f"{LESSON}.ipynb", tmp_path / "notebooks")
    open_dataset("phantom")  # made here where it was not, so that no cell takes half a minute
    log = tmp_path / "server" / "log.txt"
    with lab(tmp_path, log) as address, browser() as chromium:
        notebook = Notebook(chromium, address, f"notebooks/{LESSON}.ipynb")
        verdict, figure = notebook.cell(CHECKED), notebook.cell(DRAWN)
        picture = figure.locator("img")
        expect(picture).to_have_count(0)  # the cell before it asks what will be seen here
        fold = figure.get_by_title("Click to expand")
        expect(fold).to_contain_text("Picture: Bars of the number of images with each of 14 findings,")
        fold.click()
        expect(picture).to_be_visible()

        notebook.run_all()
        expect(verdict).to_contain_text("· prevalence: not answered yet. The lesson goes on with the course's version.")
        folded = notebook.cell("right=1 - shares[rarest]").locator("details")
        expect(folded).not_to_contain_text("that many", use_inner_text=True)
        folded.get_by_text("Answer", exact=True).click()
        expect(folded).to_contain_text("that many do not show Hernia", use_inner_text=True)

        notebook.type_into(DEFINED, *WRONG)
        notebook.run_on(DRAWN)
        expect(verdict).to_contain_text("✗ prevalence: given")
        expect(verdict).to_contain_text("Hint: A count is no share yet. The lesson goes on with the course's version.")
        expect(picture).to_be_visible()

        notebook.type_into(DEFINED, *RIGHT)
        notebook.run_on(DRAWN)
        expect(verdict).to_contain_text("✓ prevalence: right")
        expect(figure.locator(".jp-OutputArea")).to_contain_text(LINE)  # the figure asks the learner's function
        expect(picture).to_be_visible()

        notebook.run_all()
        solved = "exercises: 1 of 4 solved (prevalence); open: lift, standardise, impossible_ages"
        expect(notebook.cell("checks.solved()")).to_contain_text(solved)
        assert notebook.troubles() == []
        notebook.type_into("checks.solved()", 'import sys; print("a warning", file=sys.stderr); 1 / 0')
        notebook.run_on("a warning")
        assert {"ZeroDivisionError", "a warning\n"} <= set(notebook.troubles())  # they would have been seen
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.fixture
def course(tmp_path) -> Path:
    """A copy of what JupyterLab needs to see: one source, and the project's jupytext settings."""
    (tmp_path / "solutions").mkdir()
    shutil.copy(home() / "solutions" / f"{LESSON}.py", tmp_path / "solutions")
    shutil.copy(home() / "pyproject.toml", tmp_path)
    return tmp_path


def test_an_edit_in_jupyterlab_changes_that_line_of_the_source_and_no_other(course):
    source = course / "solutions" / f"{LESSON}.py"
    before = source.read_text(encoding="utf-8")
    with lab(course, course / "log.txt") as address, browser() as chromium:
        page = chromium.new_page()
        page.goto(address)
        page.wait_for_function("() => window.jupyterapp !== undefined")
        page.evaluate("() => window.jupyterapp.restored")
        page.evaluate(OPEN, f"solutions/{LESSON}.py")
        page.wait_for_function(CELLS)
        page.evaluate(EDIT, "## The table")
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        _wait_until_changed(source, before)
    changes = difflib.ndiff(before.splitlines(), source.read_text(encoding="utf-8").splitlines())
    changed = [line for line in changes if line[0] in "+-"]
    assert changed == ["- # ## The table", "+ # ## The table, edited in a browser"]


def _wait_until_changed(path: Path, before: str) -> None:
    for _ in range(150):
        if path.read_text(encoding="utf-8") != before:
            return
        time.sleep(0.2)
    raise AssertionError(f"{path.name} was not saved")


OPEN = """path => window.jupyterapp.commands.execute(
    'docmanager:open', {path, factory: 'Jupytext Notebook', kernel: {shouldStart: false}})"""
CELLS = "() => (window.jupyterapp.shell.currentWidget?.content?.widgets?.length ?? 0) > 10"
EDIT = """text => {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.sharedModel);
    const cell = cells.find(cell => cell.getSource().includes(text));
    cell.setSource(cell.getSource().replace(text, text + ', edited in a browser'));
}"""
