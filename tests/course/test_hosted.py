"""The first cell of a lesson on machines of others, and the links that open a lesson there."""

import importlib.util
import subprocess
from types import SimpleNamespace

import nbformat
import pytest
from toy_course import LESSON, make_course

from cxr_utils.course.build import build, build_environment, build_pages, derived_notebooks, stale_files
from cxr_utils.course.derive import learner_notebook
from cxr_utils.course.hosted import TAG, first_cell, repository
from cxr_utils.course.lessons import find_lessons

PLACES = ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "CODESPACES")
GITHUB, OTHER = "https://github.com/someone/course", "https://git.example.org/some one/course"
MARKS = "<!-- links to notebooks/01_toy.ipynb, derived from pyproject.toml by `cxr build`; do not edit -->\n"
README = f"# Course\n\n{MARKS}old\n<!-- end -->\n\nMore.\n"
#: What pip said in these cases (pip 23.2), shortened where it repeats itself.
NO_TAG = """\
  error: subprocess-exited-with-error
  × git checkout -q v9 did not run successfully.
      error: pathspec 'v9' did not match any file(s) known to git
error: subprocess-exited-with-error
note: This error originates from a subprocess, and is likely not a problem with pip.
"""
NO_NETWORK = NO_TAG.replace(
    "error: pathspec 'v9' did not match any file(s) known to git",
    "fatal: unable to access 'https://host/x/': Could not resolve host: host",
)
CONFLICT = """\
ERROR: Cannot install cxr-utils==0.2.0 because these package versions have conflicting dependencies.
ERROR: ResolutionImpossible: for help visit a page
"""
SAID = {
    "no tag": (NO_TAG, "error: pathspec 'v9' did not match any file(s) known to git"),
    "no network": (NO_NETWORK, "fatal: unable to access 'https://host/x/': Could not resolve host: host"),
    "conflict": (CONFLICT, CONFLICT.splitlines()[0]),
    "no pip": ("/usr/bin/python3: No module named pip\n", "ERROR: it gave no reason"),
}


def course(tmp_path, url=""):
    root = make_course(tmp_path, L01_toy=LESSON)
    if url:
        with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[project.urls]\nRepository = "{url}"\n')
    return root


@pytest.fixture
def machine(monkeypatch):
    """A machine that has `there` installed and sets `variables`; what pip is asked for is in `asked`."""
    one = SimpleNamespace(there={"tensorflow"}, stderr="", asked=[])

    def run(command, **how):
        one.asked.append(command)
        assert how == {"capture_output": True, "text": True}  # nothing of pip's reaches the notebook
        return SimpleNamespace(returncode=int(bool(one.stderr)), stderr=one.stderr)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in one.there or None)
    for name in (*PLACES, "CXR_COURSE"):
        monkeypatch.delenv(name, raising=False)
    return one


def execute(root):
    exec(first_cell(find_lessons(root)[0]).source, {})


@pytest.mark.parametrize("place", PLACES)
def test_where_the_course_is_missing_it_is_installed_at_this_version(tmp_path, monkeypatch, machine, capsys, place):
    monkeypatch.setenv(place, "x")
    execute(course(tmp_path, GITHUB))
    (command,) = machine.asked
    assert command[1:] == ["-m", "pip", "install", "-qq", f"git+{GITHUB}@{TAG}"]
    assert capsys.readouterr() == ("", "")


def test_tensorflow_is_installed_only_where_there_is_none(tmp_path, monkeypatch, machine):
    monkeypatch.setenv(PLACES[0], "x")
    machine.there = set()
    execute(course(tmp_path, GITHUB))
    assert machine.asked[0][-2:] == [f"git+{GITHUB}@{TAG}", "tensorflow"]


@pytest.mark.parametrize(("there", "place"), [({"cxr_utils"}, PLACES[0]), (set(), "HOME")], ids=["there", "elsewhere"])
def test_where_it_is_there_and_elsewhere_nothing_happens(tmp_path, monkeypatch, machine, capsys, there, place):
    monkeypatch.setenv(place, "x")
    machine.there = there
    execute(course(tmp_path, GITHUB))
    assert machine.asked == [] and capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("stderr", "said"), SAID.values(), ids=SAID)
def test_when_pip_fails_one_line_says_what_was_tried_why_it_failed_and_what_to_do(
    tmp_path, monkeypatch, machine, capsys, stderr, said
):
    monkeypatch.setenv(PLACES[1], "x")
    machine.stderr = stderr
    execute(course(tmp_path, GITHUB))
    out, err = capsys.readouterr()
    assert out.startswith(f"✗ pip could not install git+{GITHUB}@{TAG} ({said}). ") and "switch Internet on" in out
    assert out.count("\n") == 1 and err == ""


def test_without_an_address_one_line_says_so_and_a_variable_names_one(tmp_path, monkeypatch, machine, capsys):
    root = course(tmp_path)
    monkeypatch.setenv(PLACES[0], "x")
    execute(root)
    out, err = capsys.readouterr()
    assert "CXR_COURSE" in out and out.count("\n") == 1 and err == "" and machine.asked == []
    monkeypatch.setenv("CXR_COURSE", "file:///tmp/clone")
    execute(root)
    assert machine.asked[0][-1] == f"git+file:///tmp/clone@{TAG}"


def test_both_copies_begin_with_it_folded_and_other_cells_keep_their_ids(tmp_path):
    (lesson,) = find_lessons(course(tmp_path))
    for notebook in derived_notebooks(lesson).values():
        nbformat.validate(notebook)
        first, *others = notebook.cells
        assert first.source.startswith("# On Colab, Kaggle and Codespaces") and len(first.source.splitlines()) <= 14
        assert first.metadata == {"tags": ["plumbing", "install"], "jupyter": {"source_hidden": True}}
        assert [cell.id for cell in others] == [cell.id for cell in learner_notebook(LESSON, "01_toy").cells]
        assert first.id not in [cell.id for cell in others] and others[0].source == "# A toy lesson"


def test_it_puts_out_nothing_when_a_lesson_is_built(tmp_path):
    root = course(tmp_path)
    build(find_lessons(root), lambda line: None)
    first = nbformat.read(root / "notebooks" / "01_toy.ipynb", as_version=4).cells[0]
    assert first.execution_count == 1 and first.outputs == []


def linked(tmp_path, url):
    """The title's cell, and the README after a build."""
    root = course(tmp_path, url)
    (root / "README.md").write_text(README, encoding="utf-8")
    build_pages(root, lambda line: None)
    titles = {notebook.cells[1].source for notebook in derived_notebooks(find_lessons(root)[0]).values()}
    (title,) = titles  # the solution, too, opens the learner's copy
    return title, (root / "README.md").read_text(encoding="utf-8")


def test_links_on_github(tmp_path):
    title, readme = linked(tmp_path, f"{GITHUB}.git")
    line = (
        "Open lesson 01 in the browser: "
        f"[Colab](https://colab.research.google.com/github/someone/course/blob/{TAG}/notebooks/01_toy.ipynb) · "
        f"[Kaggle](https://kaggle.com/kernels/welcome?src={GITHUB}/blob/{TAG}/notebooks/01_toy.ipynb) · "
        f"[Binder](https://mybinder.org/v2/gh/someone/course/{TAG}?urlpath=lab/tree/notebooks/01_toy.ipynb) · "
        "[Codespaces](https://codespaces.new/someone/course?quickstart=1)"
    )
    assert title == f"# A toy lesson\n\n{line}"
    assert readme == README.replace("old", line)


def test_another_host_has_binder_and_says_what_does_not_open_it(tmp_path):
    title, _ = linked(tmp_path, OTHER)
    address = "https%3A%2F%2Fgit.example.org%2Fsome%20one%2Fcourse"
    assert f"[Binder](https://mybinder.org/v2/git/{address}/{TAG}?urlpath=lab/tree/notebooks/01_toy.ipynb)" in title
    assert title.endswith("Colab, Kaggle and Codespaces open only what is on GitHub.")


def test_without_an_address_there_are_none_and_the_readme_keeps_its_place(tmp_path):
    title, readme = linked(tmp_path, "")
    assert title == "# A toy lesson" and readme == README.replace("old", "")


def test_links_of_another_address_are_stale(tmp_path):
    root = course(tmp_path, GITHUB)
    (root / "README.md").write_text(README, encoding="utf-8")
    build_environment(root, lambda line: None)
    assert [stale.path.name for stale in stale_files([], root)] == ["README.md"]
    build_pages(root, lambda line: None)
    assert stale_files([], root) == []


def test_a_project_may_name_no_address(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nDocumentation = "https://docs.example.org"\n')
    assert repository(tmp_path) == ""
