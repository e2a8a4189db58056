"""What a run takes up, in which order, and what it has written down when it stops: without a kernel."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from toy_course import LESSON, make_course

from cxr_utils.course import run as running
from cxr_utils.course.derive import solution_notebook
from cxr_utils.course.lessons import Lesson, choose_lessons, find_lessons
from cxr_utils.course.record import Failure, Result, table
from cxr_utils.course.run import Settings, run

SETTINGS = Settings("/data/nih", "full", 7)


def result(name, key="k", error=None, seconds=1.0):
    return Result(name, key, error, seconds, 10, 1, 0, 0, "")


@pytest.fixture
def course(tmp_path):
    return find_lessons(make_course(tmp_path, L03_three=LESSON, L01_one=LESSON, L02_two=LESSON))


@pytest.fixture
def executed(monkeypatch):
    """Names of lessons in the order in which they were run; `stop_at` is interrupted, `fail_at` fails."""

    def execute(notebook, lesson, settings, partial, line):
        if lesson.name in executed.stop_at:
            raise KeyboardInterrupt
        executed.names.append(lesson.name)
        nbformat.write(notebook, partial)
        if lesson.name in executed.fail_at:
            raise RuntimeError("x")

    executed = type("Executed", (), {"names": [], "stop_at": set(), "fail_at": set()})()
    monkeypatch.setattr(running, "_execute", execute)
    monkeypatch.setattr(running, "html_page", lambda notebook: "a page")
    return executed


def written(folder):
    return [row["lesson"] for row in json.loads((folder / "run.json").read_text())["lessons"]]


def test_lessons_run_and_are_reported_in_teaching_order(course, executed, tmp_path, capsys):
    chosen = choose_lessons(course, ["3", "01", "02_two"])
    results = run(chosen, SETTINGS, tmp_path / "out")
    assert executed.names == ["01_one", "02_two", "03_three"] == [found.lesson for found in results]
    assert written(tmp_path / "out") == executed.names
    lines = capsys.readouterr().out.splitlines()
    assert [line[:2] for line in lines[-4:]] == ["01", "02", "03", "al"]


def test_side_by_side_the_last_begin_first_and_are_reported_in_teaching_order(course, executed, tmp_path):
    results = run(course, SETTINGS, tmp_path / "out", jobs=2)
    assert executed.names[-1] == "01_one" and sorted(executed.names) == [found.lesson for found in results]
    assert written(tmp_path / "out") == ["01_one", "02_two", "03_three"]


def test_an_interrupted_lesson_is_not_on_record_and_the_others_are(course, executed, tmp_path):
    folder = tmp_path / "out"
    run(course, SETTINGS, folder)
    executed.stop_at.add("02_two")
    with pytest.raises(KeyboardInterrupt):
        run(course, SETTINGS, folder)
    assert written(folder) == ["01_one", "03_three"]  # the third is still that of the run before
    executed.stop_at.clear()
    executed.names.clear()
    run(course, SETTINGS, folder, resume=True)
    assert executed.names == ["02_two"] and written(folder) == ["01_one", "02_two", "03_three"]


def test_an_interrupt_side_by_side_leaves_the_rest_to_resume(course, executed, tmp_path):
    folder = tmp_path / "out"
    executed.stop_at.add("02_two")
    with pytest.raises(KeyboardInterrupt):
        run(course, SETTINGS, folder, jobs=2)
    kept = written(folder)
    assert "02_two" not in kept and not list(folder.glob(".*.part.ipynb"))
    executed.stop_at.clear()
    executed.names.clear()
    run(course, SETTINGS, folder, resume=True, jobs=2)
    assert sorted(executed.names + kept) == written(folder) == ["01_one", "02_two", "03_three"]


def test_resuming_takes_up_what_failed_and_what_is_gone(course, executed, tmp_path):
    folder = tmp_path / "out"
    executed.fail_at.add("02_two")
    assert [found.error for found in run(course, SETTINGS, folder)] == [None, "cell [1]: RuntimeError: x", None]
    (folder / "03_three.ipynb").unlink()
    executed.fail_at.clear()
    executed.names.clear()
    assert [found.error for found in run(course, SETTINGS, folder, resume=True)] == [None, None, None]
    assert executed.names == ["02_two", "03_three"]


def test_without_resume_everything_runs_again(course, executed, tmp_path):
    run(course, SETTINGS, tmp_path / "out")
    assert [found.lesson for found in run(course[:1], SETTINGS, tmp_path / "out")] == ["01_one"]
    assert executed.names == ["01_one", "02_two", "03_three", "01_one"]
    assert written(tmp_path / "out") == ["01_one", "02_two", "03_three"]


@pytest.mark.parametrize(
    "other", [Settings("/data/x", "full", 7), Settings("/data/nih", "quick", 7), Settings("/data/nih", "full", 8)]
)
def test_other_settings_take_up_nothing(course, executed, tmp_path, other):
    run(course[:1], SETTINGS, tmp_path / "out")
    run(course[:1], other, tmp_path / "out", resume=True)
    assert executed.names == ["01_one"] * 2


def test_finished_is_what_ended_well_with_this_key_and_is_still_there(tmp_path):
    (tmp_path / "01_one.ipynb").write_text("whole")
    assert running._is_finished(tmp_path, result("01_one"), "k")
    assert not running._is_finished(tmp_path, result("01_one"), "other key")
    assert not running._is_finished(tmp_path, result("01_one", error="cell [2]: E: x"), "k")
    assert not running._is_finished(tmp_path, result("02_two"), "k")
    assert not running._is_finished(tmp_path, None, "k")


def test_the_key_is_that_of_text_kind_and_settings_and_not_of_outputs():
    notebook = solution_notebook(LESSON, "01_toy")
    key = running._key(notebook, SETTINGS)
    outputs = nbformat.from_dict(dict(notebook))
    outputs.cells[2].outputs = [new_output("stream", text="seen")]
    assert running._key(outputs, SETTINGS) == key
    cells = {
        "text": [new_code_cell("1")],
        "other text": [new_code_cell("2")],
        "kind": [new_markdown_cell("1")],
        "order": [new_code_cell("1"), new_code_cell("2")],
        "other order": [new_code_cell("2"), new_code_cell("1")],
    }
    assert len({running._key(new_notebook(cells=some), SETTINGS) for some in cells.values()}) == len(cells)
    changed = [Settings("/data/nih", "full", 8), Settings("phantom", "full", 7), Settings("/data/nih", "quick", 7)]
    changed.append(Settings("/data/nih", "full", 7, "notebooks"))
    assert len({key, *(running._key(notebook, other) for other in changed)}) == 5


def test_an_earlier_outcome_is_forgotten_and_other_lessons_are_not(tmp_path):
    for name in ("01_one.ipynb", "01_one.html", "01_one.failed.ipynb", "02_two.ipynb"):
        (tmp_path / name).write_text("")
    running._forget(tmp_path, Lesson(tmp_path, "01_one"))
    assert [path.name for path in tmp_path.iterdir()] == ["02_two.ipynb"]


def test_answers_are_graded_strictly_in_solutions_only_and_the_environment_is_put_back(monkeypatch):
    import os

    monkeypatch.delenv("CXR_STRICT", raising=False)
    monkeypatch.setenv("TQDM_DISABLE", "0")
    with running._environment("solutions"):
        assert (os.environ["CXR_STRICT"], os.environ["TQDM_DISABLE"]) == ("1", "1")
    with running._environment("notebooks"):
        assert "CXR_STRICT" not in os.environ and os.environ["TQDM_DISABLE"] == "1"
    assert "CXR_STRICT" not in os.environ and os.environ["TQDM_DISABLE"] == "0"


def notebook_with(*cells):
    return new_notebook(cells=[new_markdown_cell("# A lesson"), *cells])


def failed_cell(source, arrow, count=4):
    frames = [f"\x1b[1;32m{arrow}\x1b[0m", "ValueError: too\nlarge"]
    error = new_output("error", ename="ValueError", evalue="too\nlarge", traceback=frames)
    return new_code_cell(source, execution_count=count, outputs=[error])


def test_a_failure_names_the_line_that_the_traceback_points_at():
    cells = [new_code_cell("1", execution_count=3), failed_cell("a = 1\nb(a)", "----> 2 b(a)"), new_code_cell("later")]
    failure = Failure.of(notebook_with(*cells), RuntimeError("papermill"), 2)
    assert (failure.cell, failure.line, failure.error) == (4, "b(a)", "ValueError: too large")
    assert str(failure) == "cell [4]: ValueError: too large\n----> 2 b(a)\nValueError: too\nlarge"


def test_the_first_of_two_failures_counts_and_its_first_line_where_no_arrow_points():
    notebook = notebook_with(failed_cell("first = 1\nx", "no arrow", 1), failed_cell("second", "-> 1 second", 2))
    failure = Failure.of(notebook, RuntimeError(), 2)
    assert (failure.cell, failure.line) == (1, "first = 1")


@pytest.mark.parametrize(("started", "cell", "line"), [(0, 1, "one"), (1, 1, "one"), (2, 2, "two")])
def test_a_dead_kernel_is_put_down_to_the_last_cell_that_started(started, cell, line):
    cells = [new_code_cell("one"), new_code_cell(" "), new_code_cell("two"), new_code_cell("three")]
    failure = Failure.of(notebook_with(*cells), RuntimeError("gone"), started)
    assert (failure.cell, failure.line, str(failure)) == (cell, line, f"cell [{cell}]: RuntimeError: gone")


def test_claims_and_seconds_add_up():
    rows = [Result("01_a", "", None, 1.5, 9, 3, 0, 0, "AUC 0.8"), Result("02_b", "", None, 2.0, 9, 1, 2, 4, "")]
    assert [row.claims for row in rows] == ["3/3", "1/3 (4 n/a)"]
    assert table(rows).splitlines()[-1].split() == ["all", "3.5", "4/6", "(4", "n/a)"]
