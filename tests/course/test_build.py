"""Execute and save derived notebooks; tell stale ones."""

import json
import shutil

import nbformat
import pytest
from toy_course import EXERCISE, LESSON, PARAMETERS, make_course

from cxr_utils.course.build import build, build_environment, stale_files
from cxr_utils.course.lessons import choose_lessons, find_lessons
from cxr_utils.errors import LessonError

WHERE = '\n# %%\nimport os\nfrom pathlib import Path\n\nprint(Path.cwd().name, os.environ.get("CXR_STRICT"))\n'


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = make_course(tmp_path_factory.mktemp("course"), L01_toy=LESSON + WHERE)
    lines = []
    build(find_lessons(root), lines.append)
    build_environment(root, lines.append)
    return root, lines


@pytest.fixture
def course(built, tmp_path):
    return shutil.copytree(built[0], tmp_path / "course")


def printed(path):
    cells = nbformat.read(path, as_version=4).cells
    return "".join(o.text for cell in cells for o in cell.get("outputs", []) if o.output_type == "stream")


def test_both_copies_are_executed_where_they_lie(built):
    root, lines = built
    solution, learner = printed(root / "solutions/01_toy.ipynb"), printed(root / "notebooks/01_toy.ipynb")
    assert "answered 4\n" in solution and "solutions 1\n" in solution
    assert "blank 4\n" in learner and "notebooks None\n" in learner
    assert [line.split()[0] for line in lines] == [
        "solutions/01_toy.ipynb",
        "notebooks/01_toy.ipynb",
        "environment.yml",
    ]


def test_a_second_build_writes_the_same_bytes(built, course, monkeypatch):
    monkeypatch.setenv("CXR_STRICT", "1")  # the caller's choice must not reach learners' copies
    lines = []
    build(find_lessons(course), lines.append)
    assert [line.split()[-1] for line in lines] == ["unchanged"] * 2
    assert [line.split()[-1] for line in built[1]] == ["written"] * 3
    for name in ("solutions/01_toy.ipynb", "notebooks/01_toy.ipynb"):
        assert (course / name).read_bytes() == (built[0] / name).read_bytes()


def test_nothing_is_stale_after_a_build(course):
    assert stale_files(find_lessons(course), course) == []


def edit(path, change):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(notebook)
    path.write_text(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def set_cell(number, **values):
    return lambda notebook: notebook["cells"][number].update(values)


ERROR = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
STDERR = {"output_type": "stream", "name": "stderr", "text": ["warning\n"]}
STALE = {
    "other text": (set_cell(0, source=["other"]), "cell 1 differs from its source"),
    "other type": (set_cell(0, cell_type="raw"), "cell 1 differs"),
    "other id": (set_cell(0, id="abc"), "cell 1 differs"),
    "other tags": (set_cell(3, metadata={"tags": ["nbval-ignore-output"]}), "cell 4 differs"),
    "other kernel": (lambda notebook: notebook["metadata"].update(language_info={}), "saved by another program"),
    "a cell more": (lambda notebook: notebook["cells"].append(notebook["cells"][0] | {"id": "x"}), "has 9 cells"),
    "not executed": (set_cell(3, execution_count=None), "cell 4 has the execution count None, expected 3"),
    "out of order": (set_cell(3, execution_count=7), "cell 4 has the execution count 7, expected 3"),
    "an error": (set_cell(3, outputs=[ERROR]), "cell 4 holds an error"),
    "stderr": (set_cell(3, outputs=[STDERR]), "cell 4 holds output on stderr"),
}


@pytest.mark.parametrize(("change", "reason"), STALE.values(), ids=STALE)
@pytest.mark.parametrize("folder", ["solutions", "notebooks"])
def test_a_changed_notebook_is_named(course, folder, change, reason):
    path = course / folder / "01_toy.ipynb"
    edit(path, change)
    (stale,) = stale_files(find_lessons(course), course)
    assert stale.path == path and reason in stale.reason and stale.command == "cxr build 01"


def test_the_same_notebook_in_other_bytes_is_named(course):
    path = course / "solutions/01_toy.ipynb"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=2) + "\n", encoding="utf-8")
    (stale,) = stale_files(find_lessons(course), course)
    assert stale.path == path and stale.reason == "it was saved by another program"


def test_a_table_is_not_asked_for_of_a_lesson_that_is_stale(course):
    mark = "<!-- derived from the cell tagged `readme` of solutions/01_toy.ipynb by `cxr build`; do not edit -->"
    (course / "README.md").write_text(f"{mark}\nold\n<!-- end -->\n")
    (course / "solutions/01_toy.ipynb").unlink()
    (stale,) = stale_files(find_lessons(course), course)
    assert stale.path.name == "01_toy.ipynb" and stale.reason == "it is missing"


def test_a_changed_source_makes_both_copies_stale(course):
    source = course / "solutions/01_toy.py"
    source.write_text(source.read_text().replace("toy lesson", "game"))
    assert {stale.path.parent.name for stale in stale_files(find_lessons(course), course)} == {"solutions", "notebooks"}


def test_missing_half_written_and_orphaned_files_are_named(course):
    (course / "solutions/01_toy.ipynb").unlink()
    learner = course / "notebooks/01_toy.ipynb"
    learner.write_text(learner.read_text()[:200])
    shutil.copy(learner, course / "notebooks/09_gone.ipynb")
    (course / "environment.yml").write_text("name: other\n")
    found = stale_files(find_lessons(course), course)
    stale = {item.path.relative_to(course).as_posix(): item.reason for item in found}
    assert stale["solutions/01_toy.ipynb"] == "it is missing"
    assert "no readable notebook" in stale["notebooks/01_toy.ipynb"]
    assert stale["notebooks/09_gone.ipynb"] == "it has no source solutions/09_gone.py"
    assert "requirements.lock" in stale["environment.yml"]


REFUSED = {
    "raises": ("1 / 0", r"01_bad.ipynb failed in cell \[4\]: ZeroDivisionError"),
    "dies": ("import os\nos._exit(1)", r"01_bad.ipynb failed in cell \[4\]: DeadKernelError"),
    "dies with words": (
        "import os, time\n_ = os.write(2, b'no memory')\ntime.sleep(1)\nos._exit(1)",
        r"01_bad.ipynb failed in cell \[4\]: DeadKernelError.*\nIts kernel said last: no memory\nMend",
    ),
    "stderr": ("import sys\nprint('noise', file=sys.stderr)", "cell 4 writes to stderr: 'noise'"),
    "descriptor 2": ("import os\n_ = os.write(2, b'noise from C')", r"(cell 4|a cell) writes to stderr: 'noise from"),
    "late": (
        "import atexit, os, time\n_ = atexit.register(lambda: (time.sleep(3), os.write(2, b'bye')))",  # a busy machine
        "a cell writes to stderr: 'bye'",
    ),
}


@pytest.mark.parametrize(("code", "message"), REFUSED.values(), ids=REFUSED)
def test_a_failing_lesson_is_named_and_not_saved(tmp_path, monkeypatch, code, message):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it, a kernel does not look at its descriptor 2
    root = make_course(tmp_path, L01_bad=f"{PARAMETERS}{EXERCISE}\n# %%\n{code}\n")
    with pytest.raises(LessonError, match=message):
        build(find_lessons(root), print)
    assert sorted(path.name for path in (root / "solutions").iterdir()) == ["01_bad.py"]


def test_what_only_says_that_the_machine_is_busy_is_no_fault_of_the_lesson(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    busy = "import atexit, os\n_ = atexit.register(os.write, 2, b'IOStream.flush timed out\\n')"
    root = make_course(tmp_path, L01_busy=f"{PARAMETERS}{EXERCISE}\n# %%\n{busy}\n")
    build(find_lessons(root), lambda line: None)
    assert (root / "solutions" / "01_busy.ipynb").exists()


def test_progress_bars_are_not_saved(tmp_path):
    bar = "from tqdm import tqdm\nprint(sum(tqdm([1, 2, 3])))\n"
    root = make_course(tmp_path, L01_waits=f"{PARAMETERS}{EXERCISE}\n# %%\n{bar}")
    build(find_lessons(root), lambda line: None)
    (output,) = nbformat.read(root / "solutions/01_waits.ipynb", as_version=4).cells[3].outputs
    assert output.text == "6\n"


def test_pieces_of_a_stream_are_joined(tmp_path):
    """A kernel sends what was printed in pieces that depend on the clock; saved notebooks must not."""
    pieces = "import sys, time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.3)\n"
    root = make_course(tmp_path, L01_slow=f"{PARAMETERS}{EXERCISE}\n# %%\n{pieces}")
    build(find_lessons(root), lambda line: None)
    (output,) = nbformat.read(root / "solutions/01_slow.ipynb", as_version=4).cells[3].outputs
    assert output.text == "0\n1\n2\n"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "No lesson found"),
        (["L1_toy"], "not named like a lesson"),
        (["L01_Toy"], "not named like a lesson"),
        (["L01_toy-2"], "not named like a lesson"),
        (["L01_toy", "L01_game"], "Two lessons have the number 01"),
    ],
)
def test_misnamed_lessons_are_refused(tmp_path, names, message):
    with pytest.raises(LessonError, match=message):
        find_lessons(make_course(tmp_path, **dict.fromkeys(names, LESSON)))


def test_lessons_are_chosen_by_number_name_or_file(tmp_path):
    lessons = find_lessons(make_course(tmp_path, L01_one=LESSON, L02_two=LESSON, L03_three=LESSON))
    wanted = ["solutions/03_three.py", "1", "01_one"]
    assert [lesson.name for lesson in choose_lessons(lessons, wanted)] == ["01_one", "03_three"]
    assert choose_lessons(lessons, []) == lessons
    with pytest.raises(LessonError, match="no lesson '4'.*01_one, 02_two, 03_three"):
        choose_lessons(lessons, ["1", "4"])
