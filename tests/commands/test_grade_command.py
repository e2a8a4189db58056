"""`cxr grade` and `cxr build --nbgrader`: what cannot be graded or written ends in one clear line."""

import pytest
from handed_in import LESSON, blank, written
from toy_course import REPOSITORY

from cxr_utils.course.grading import classroom
from cxr_utils.course.grading.judge import Row


@pytest.fixture(autouse=True)
def course(monkeypatch):
    monkeypatch.setenv("CXR_HOME", str(REPOSITORY))


@pytest.fixture
def a_file(tmp_path):
    (tmp_path / "a file").write_text("")
    return tmp_path / "a file"


def test_a_folder_that_is_not_there(cxr, tmp_path):
    status, _, err = cxr("grade", str(tmp_path / "none"))
    assert status == 2 and err.count("\n") == 1 and "none does not exist. Expected a folder of submitted" in err


def test_an_empty_folder(cxr, tmp_path):
    status, _, err = cxr("grade", str(tmp_path))
    assert status == 2 and err.count("\n") == 1 and "holds no file" in err


def test_marks_that_cannot_be_written_are_said_before_anything_runs(cxr, tmp_path, a_file, monkeypatch):
    monkeypatch.setattr(classroom, "find_walls", lambda: pytest.fail("it began"))
    status, _, err = cxr("grade", str(tmp_path), "--out", str(a_file / "marks"))
    assert status == 2 and err.count("\n") == 1 and "cannot be written" in err and "--out" in err


def test_the_closing_lines_count_and_say_where(cxr, tmp_path, monkeypatch):
    rows = [
        Row("ann", "a.ipynb", LESSON, "lift", "right"),
        Row("bob", "b.ipynb", LESSON, "lift", "wrong", "", "changed"),
    ]
    monkeypatch.setattr(classroom, "grade_class", lambda *given: rows)
    status, out, _ = cxr("grade", str(tmp_path))
    assert status == 0 and "1 right, 1 wrong; 1 notebooks have a remark or a check cell" in out and str(tmp_path) in out


def test_what_is_no_course_for_nbgrader(cxr, a_file):
    status, _, err = cxr("build", "--nbgrader", str(a_file))
    assert status == 2 and err.count("\n") == 1 and "cannot be written to" in err


def test_one_lesson_for_nbgrader(cxr, tmp_path):
    status, out, _ = cxr("build", "03", "--nbgrader", str(tmp_path))
    assert status == 0 and "1 assignments" in out
    assert [path.name for path in (tmp_path / "source").iterdir()] == [LESSON]


def test_a_blank_notebook_through_the_whole_command(cxr, tmp_path):
    (tmp_path / "ann.ipynb").write_bytes(written(blank()))
    status, out, _ = cxr("grade", str(tmp_path), "--seconds", "60", "--out", str(tmp_path / "marks"))
    assert status == 0 and "4 blank; 0 notebooks" in out
    names = sorted(path.name for path in (tmp_path / "marks").iterdir())
    assert names == ["grades.csv", "grades.html", "grades.json", "totals.csv"]
