"""A class is graded: every broken or hostile notebook is named, and costs nothing but its own row."""

import csv
import json
import os
import re

import handed_in
import nbformat
import psutil
import pytest
from filelock import FileLock
from handed_in import EXERCISES, FIRST, LESSON, REST, answered, blank, cell_of, solved, with_cell, written
from toy_course import REPOSITORY

from cxr_utils.course.grading.classroom import grade_class
from cxr_utils.course.grading.judge import Row
from cxr_utils.course.grading.plan import Cell, plan
from cxr_utils.course.grading.sandbox import Limits, Walls, find_walls
from cxr_utils.course.grading.submissions import read_all, tasks
from cxr_utils.course.grading.table import csv_text, page
from cxr_utils.course.lessons import find_lessons
from cxr_utils.errors import LessonError

LESSONS = find_lessons(REPOSITORY)
TASKS = tasks(LESSONS)
WALLS = find_walls()
NEEDS_WALLS = {"deletes files", "overwrites files", "opens the network", "fills the disk", "kills the grader"}
DANGEROUS = {"forks without end"}  # the machine has to get through it before it is seen
RIGHT = "return labels.mean(axis=0), 1 - labels.mean(axis=0)"
HELPER = "def share(of):\n    return of.mean(axis=0)\n\nUNIT = 1"
#: Notebooks that are not broken, what they get in the first exercise, and what is said or remarked.
SOUND = {
    "Ann Lee": (solved(), "right", ""),
    "nobody": (blank(), "blank", ""),
    "wrong": (answered("return labels.sum(axis=0), len(labels) - labels.sum(axis=0)"), "wrong", "A count is no share"),
    "helped": (answered("return share(labels), UNIT - share(labels)"), "wrong", "NameError: name 'share'"),
    "imports": (answered("return labels.mean(0), math.fsum([1]) - labels.mean(0)"), "wrong", "'math'"),
    "a lambda": (solved(), "right", ""),
    "timed": (solved(), "right", ""),
    "displays": (answered(f"display(labels)\n{RIGHT}"), "right", ""),
    "magic": (with_cell("%timeit 1 + 1\n!ls"), "right", ""),
    "asks the lesson": (with_cell("labels.shape\nplots.gallery(train)"), "right", ""),
    "in another cell": (blank(), "right", ""),
    "a parameter of the lesson": (answered(f"assert (seed, profile) == (0, 'quick')\n{RIGHT}"), "right", ""),
}  # fmt: skip
SOUND["builds on a wrong one"] = (answered("return 1, 2"), "wrong", "received (1, 2)")
cell_of(
    SOUND["builds on a wrong one"][0], "def balancing_weights("
).source = f"def balancing_weights(labels):\n    positive, negative = {FIRST}(labels)\n    return negative, positive"
for name in ("helped", "imports"):  # the same once more, with what was missing in a cell of its own
    again = nbformat.from_dict(SOUND[name][0])
    again.cells.insert(2, nbformat.v4.new_code_cell(HELPER if name == "helped" else "import math"))
    SOUND[f"{name} rightly"] = (again, "right", "")
cell_of(SOUND["a lambda"][0], f"def {FIRST}(").source = f"{FIRST} = lambda labels: (labels.mean(0), 1 - labels.mean(0))"
cell_of(SOUND["timed"][0], f"def {FIRST}(").source = f"%%time\ndef {FIRST}(labels):\n    {RIGHT}"
SOUND["in another cell"][0].cells.append(nbformat.v4.new_code_cell(f"def {FIRST}(labels):\n    {RIGHT}"))


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class with every way; who -> rows, and where the marks are. Tests side by side share it: it makes storms."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, victim, told = base / "class", base / "somebody else's", base / "said.json"
    ways = handed_in.broken(victim)
    safe = [name for name in ways if WALLS.files or name not in NEEDS_WALLS | DANGEROUS]
    files = {name: ways[name].content for name in safe} | {name: written(one) for name, (one, *_) in SOUND.items()}
    with FileLock(base / "class.lock"):
        if not told.exists():
            folder.mkdir()
            victim.mkdir()
            (victim / "kept.txt").write_text("kept")
            handed_in.hand_in(folder, files)
            said: list[str] = []
            grade_class(folder, folder, LESSONS, Limits(seconds=4, memory=600), say=said.append)
            assert (victim / "kept.txt").read_text() == "kept"
            told.write_text(json.dumps(said))
    rows = [Row(**row) for row in json.loads((folder / "grades.json").read_text(encoding="utf-8"))["rows"]]
    by_name = {name: [row for row in rows if row.who == name] for name in files}
    return by_name, rows, folder, ways, json.loads(told.read_text())


@pytest.mark.parametrize("name", handed_in.broken(REPOSITORY))
def test_a_broken_notebook_is_named_and_keeps_what_is_right(name, graded):
    by_name, _, _, ways, _ = graded
    if name not in by_name:
        pytest.skip(f"this system cannot wall it in: {WALLS}")
    way, rows = ways[name], by_name[name]
    statuses = {}
    for row in rows:
        statuses.setdefault(row.status, []).append(row.exercise)
    assert statuses == way.statuses
    assert any(re.search(way.words, f"{row.said} {row.remark}") for row in rows), rows
    if rows[0].exercise:
        assert [row.check_cell for row in rows] == [way.check_cell, *["unchanged"] * len(REST)]


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_notebook_gets_the_verdict_that_its_learner_saw(name, graded):
    first, *rest = graded[0][name]
    _, status, words = SOUND[name]
    assert (first.exercise, first.status) == (FIRST, status) and words in first.said, first
    assert [row.exercise for row in rest] == REST and not first.remark
    assert {row.status for row in rest} == {"blank" if name in ("nobody", "in another cell") else "right"}


def test_nothing_that_was_started_is_left(graded):
    left = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in left if line and "time.sleep(3333)" in line[-1]]


def test_marks_are_the_same_in_all_three_forms(graded):
    _, rows, folder, _, said = graded
    with open(folder / "grades.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    written_rows = [[row.who, row.exercise, row.status, row.said] for row in rows]
    assert [[line["who"], line["exercise"], line["status"], line["said"]] for line in table] == written_rows
    kept = json.loads((folder / "grades.json").read_text(encoding="utf-8"))
    assert [[line["who"], line["exercise"], line["status"], line["said"]] for line in kept["rows"]] == written_rows
    assert kept["walls"]["network"] == WALLS.network and str(WALLS) in said[0]
    html = (folder / "grades.html").read_text(encoding="utf-8")
    assert html.count("<tr") == len(rows) + 1 and str(WALLS) in html
    assert len(said) == 1 + len({row.file for row in rows})


def test_a_hostile_name_is_a_text_in_every_form():
    rows = [Row("=HYPERLINK(1)", "<script>a</script>", LESSON, FIRST, "wrong", "+1")]
    line = next(csv.DictReader(csv_text(rows).splitlines()))
    assert line["who"] == "'=HYPERLINK(1)" and line["said"] == "'+1"
    assert "<script>" not in page(rows, "<script>")


def read(tmp_path, notebook):
    (tmp_path / "ann.ipynb").write_bytes(written(notebook))
    return read_all(tmp_path, TASKS)[0]


def test_a_lesson_is_known_by_its_cells_whatever_the_file_is_called(tmp_path):
    for task in TASKS:
        text = task.lesson.learner.read_bytes()
        (tmp_path / f"{task.lesson.number}x.ipynb").write_bytes(text)
    assert [one.task.lesson.name for one in read_all(tmp_path, TASKS)] == [lesson.name for lesson in LESSONS]


def test_a_lesson_is_known_without_the_ids_of_its_cells(tmp_path):
    notebook = solved()
    for cell in notebook.cells:
        cell.id = f"new{id(cell)}"
    one = read(tmp_path, notebook)
    assert one.task.lesson.name == LESSON and set(one.checks.values()) == {"unchanged"}


def test_a_lesson_is_known_by_the_functions_alone(tmp_path):
    source = "\n\n".join(f"def {name}(*given):\n    return 1" for name in EXERCISES)
    one = read(tmp_path, nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]))
    assert one.task.lesson.name == LESSON and set(one.checks.values()) == {"removed"}


def test_cells_of_two_lessons_are_said(tmp_path):
    other = nbformat.read(LESSONS[4].learner, as_version=4)
    notebook = solved()
    notebook.cells += other.cells[: len(other.cells) * 2 // 3]
    one = read(tmp_path, notebook)
    assert one.task.lesson.name == LESSON and f"cells of {LESSON} and {LESSONS[4].name}" in one.remarks[0]


def test_two_notebooks_of_one_learner_are_both_marked_and_said(tmp_path):
    for name in ("ann_03.ipynb", "ann_03 (1).ipynb"):
        (tmp_path / name).write_bytes(written(solved()))
    found = read_all(tmp_path, TASKS)
    assert [one.who for one in found] == ["ann", "ann"]
    assert all(one.remarks == ["2 notebooks of this lesson were handed in"] for one in found)


@pytest.mark.parametrize(
    ("paths", "learners"),
    [
        (["ann/03_class_weighting.ipynb", "bob/lesson 03/x.ipynb"], ["ann", "bob"]),
        (["03_class_weighting/ann/a.ipynb", "03_class_weighting/bob/b.ipynb"], ["ann", "bob"]),
        (["export/ann_03.ipynb", "export/bob_03.ipynb"], ["ann", "bob"]),
        (["ann/03_class_weighting.ipynb", "ann/03_class_weighting_old.ipynb"], ["ann", "ann"]),
        (["ann/a.ipynb", "ann/notes.txt", "bob/essay.docx"], ["ann", "bob"]),
    ],
    ids=str,
)
def test_learners_are_told_apart_however_files_are_laid_out(paths, learners, tmp_path):
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(written(solved()) if path.endswith(".ipynb") else b"PK essay")
    assert [one.who for one in read_all(tmp_path, TASKS)] == learners


def test_links_and_what_other_programs_leave_are_not_followed(tmp_path, link):
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._a.ipynb").write_bytes(b"x")
    (tmp_path / "grades.csv").write_text("who\n")
    link(tmp_path / "ann.ipynb", LESSONS[2].solution)
    (one,) = read_all(tmp_path, TASKS)
    assert "link to another place" in one.problem


def test_nothing_to_grade_is_one_line(tmp_path):
    with pytest.raises(LessonError, match="does not exist. Expected a folder"):
        read_all(tmp_path / "none", TASKS)
    with pytest.raises(LessonError, match="holds no file"):
        read_all(tmp_path, TASKS)


def test_walls_that_are_not_there_are_said():
    assert str(Walls()) == "network NOT off, files NOT protected, other processes NOT out of reach"


COURSE = [
    "import numpy as np",
    "table = open_it()",
    "labels = table.labels",
    "def area(r):\n    ...",
    "area = checks.area(area)",
]


def planned(*sources, course=COURSE):
    made = plan([Cell(n, source) for n, source in enumerate(sources, 1)], course, ["area"])
    return [step.check or step.line for step in made.steps], made


def test_a_name_of_a_lesson_that_is_a_parameter_here_brings_nothing_of_the_lesson():
    lines, _ = planned(*COURSE[:3], "def area(labels):\n    table = labels\n    return np.sum(table)")
    assert lines == ["import numpy as np", "def area(labels):", "area"]


def test_what_an_answer_takes_from_the_lesson_comes_with_all_that_it_needs():
    lines, _ = planned("def area(r):\n    return len(labels)")
    assert lines == ["table = open_it()", "labels = table.labels", "def area(r):", "area"]


def test_the_last_definition_counts_and_a_result_under_its_name_does_not():
    lines, _ = planned("def area(r):\n    return 1", COURSE[4], "def area(r):\n    return 2", "area = area(3)")
    assert lines == ["def area(r):", "def area(r):", "area", "area = area(3)"]


def test_what_is_built_up_in_place_is_built_up():
    _, made = planned("taken = []", "taken.append(1)", "len(taken)", "def area(r):\n    return taken")
    assert [step.needed for step in made.steps] == [True, True, False, True, True]


def test_using_a_module_does_not_change_it():
    course = [*COURSE, "np.save(table)"]
    lines, _ = planned(*course[:4], "def area(r):\n    return np.pi", course[5], course=course)
    assert "np.save(table)" not in lines and "table = open_it()" not in lines
