"""What holds for the repository as a whole: the lock, the derived notebooks, how light the package is."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from types import SimpleNamespace

import jupytext
import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from toy_course import REPOSITORY

import cxr_utils
from cxr_utils.course.build import unexecuted
from cxr_utils.course.derive import solution_notebook
from cxr_utils.course.lessons import find_lessons
from cxr_utils.course.root_files import environment_text

LESSONS = find_lessons(REPOSITORY)
NOTEBOOKS = [path for lesson in LESSONS for path in (lesson.solution, lesson.learner)]
LEFT_OUT = {"nbval-ignore-output", "nbval-skip", "nbval-raises-exception", "raises-exception"}
LOCK = (REPOSITORY / "requirements.lock").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def name_of(path):
    return f"{path.parent.name}/{path.stem}"


def is_compared(cell):
    return not LEFT_OUT & set(cell.metadata.get("tags", []))


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_the_course_has_ten_lessons():
    assert [lesson.number for lesson in LESSONS] == [f"{number:02}" for number in range(1, 11)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_every_code_cell_was_executed_in_order(path):
    assert unexecuted(nbformat.read(path, as_version=4)) is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_two_thirds_of_what_is_printed_is_compared_and_every_claim(path):
    printing = [cell for cell in code_cells(path) if cell.outputs and "cxr.answer(" not in cell.source]
    compared = [cell for cell in printing if is_compared(cell)]
    assert len(compared) / len(printing) >= 2 / 3, f"{len(compared)} of {len(printing)} printing cells are compared"
    claiming = [cell for cell in code_cells(path) if re.search(r"\bclaims\(", cell.source)]
    assert claiming and all(is_compared(cell) for cell in claiming)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_goes_to_a_notebook_and_back_unchanged(lesson):
    """So that saving it from JupyterLab shows no change; every source has the header that names the kernel."""
    text = lesson.source.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata["kernelspec"] = solution_notebook(text, lesson.name).metadata.kernelspec
    notebook.metadata["jupytext"] = notebook.metadata.get("jupytext", {}) | PROJECT["tool"]["jupytext"]
    assert jupytext.writes(notebook, fmt="py:percent") == text


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_what_is_not_compared_says_so_in_its_tag(lesson):
    """nbval also reads comments in a cell's text, which the counts above would not see."""
    assert not re.search(r"#\s*(NBVAL_|PYTEST_VALIDATE_)", lesson.source.read_text(encoding="utf-8"))


def locked():
    """Requirement -> number of its hashes."""
    found = {}
    for block in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", LOCK, flags=re.MULTILINE)):
        lines = block.replace("\\\n", "\n").strip().splitlines()
        found[lines[0].strip()] = sum(line.strip().startswith("--hash=sha256:") for line in lines[1:])
    return found


def test_the_lock_names_no_host():
    assert "://" not in LOCK and " @ " not in LOCK
    assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)\b", LOCK, re.MULTILINE)


def test_every_locked_requirement_has_a_version_and_a_hash():
    requirements = locked()
    assert len(requirements) > 100
    for requirement, hashes in requirements.items():
        assert re.fullmatch(r"==[^*]+", str(Requirement(requirement).specifier)) and hashes > 0, requirement


def test_the_lock_serves_what_the_project_asks_for():
    versions: dict[str, list[str]] = {}
    for requirement in map(Requirement, locked()):
        versions.setdefault(canonicalize_name(requirement.name), []).append(str(requirement.specifier)[2:])
    default = PROJECT["project"]["optional-dependencies"]["tensorflow"]
    groups = PROJECT["dependency-groups"]
    for text in PROJECT["project"]["dependencies"] + default + groups["dev"] + groups["site"]:
        asked = Requirement(text)
        assert any(asked.specifier.contains(v) for v in versions.get(canonicalize_name(asked.name), [])), text


BACKENDS = {"tensorflow", "jax", "torch"}


@pytest.mark.parametrize("extra", sorted({*PROJECT["project"]["optional-dependencies"]} - {"nbgrader"}))
def test_an_extra_brings_one_backend(extra):
    asked = {canonicalize_name(Requirement(one).name) for one in PROJECT["project"]["optional-dependencies"][extra]}
    assert asked == {extra.removesuffix("-gpu")} and asked < BACKENDS


def test_no_dependency_brings_a_backend():
    """However far it is followed, in this environment."""
    waiting = [Requirement(one) for one in PROJECT["project"]["dependencies"]]
    seen: set[str] = set()
    while waiting:
        asked = waiting.pop()
        name = canonicalize_name(asked.name)
        if name in seen or not (asked.marker is None or asked.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        assert name not in BACKENDS
        waiting += map(Requirement, metadata.requires(name) or [])
    assert {"keras", "papermill", "numpy"} < seen and len(seen) > 80


def test_environment_yml_is_current():
    assert (REPOSITORY / "environment.yml").read_text() == environment_text(REPOSITORY)


def test_every_dependency_says_who_needs_it():
    text = (REPOSITORY / "pyproject.toml").read_text()
    block = text.split("\ndependencies = [\n")[1].split("\n]")[0]
    entries = [line for line in block.splitlines() if line.strip().startswith('"')]
    assert len(entries) == len(PROJECT["project"]["dependencies"])
    assert [line for line in entries if not re.search(r",\s+# \w", line)] == []


def test_importing_the_package_loads_nothing_heavy():
    """The package and what lessons 01 to 03 open a data set with cost little beyond numpy and pandas."""
    heavy = {"tensorflow", "keras", "jax", "matplotlib", "seaborn", "sklearn", "IPython"}
    assert not heavy & modules_after(
        "import cxr_utils as cxr; cxr.data.FINDINGS, cxr.open_dataset, cxr.data.check_for_leakage"
    )
    assert not {"numpy", "pandas"} & modules_after("import cxr_utils")


def modules_after(code):
    command = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_there_is_one_version():
    """`cxr_utils.__version__`; what repeats it is what a release hands out beside the package."""
    version = cxr_utils.__version__
    assert re.search(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)[1] == version
    assert re.search(r"^version: (\S+)", (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"), re.M)[1] == version
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"] == {"path": "cxr_utils/__init__.py"}


def test_a_release_under_another_tag_is_refused_before_anything_is_made(monkeypatch):
    import course

    monkeypatch.setattr(course, "call", lambda *command, **_: pytest.fail(f"{command} was run"))
    with pytest.raises(SystemExit, match=re.escape(f"the package is {cxr_utils.__version__}")):
        course.release("v0.0.1")


def test_what_make_exports_empty_counts_as_not_set(monkeypatch):
    import course

    called = []
    monkeypatch.setattr(
        course, "call", lambda *command, here="", **more: called.append([*map(str, command), *more.values()])
    )
    for name in ("JOBS", "COURSE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("CXR_STRICT", "1")  # check_notebooks takes it away
    course.check_notebooks()
    (_, *built, home), tested = called
    assert built == ["build", "--check"] and home == str(REPOSITORY)
    assert tested[tested.index("-n") + 1] == "2" and str(REPOSITORY / "notebooks") in tested


def test_the_course_s_own_commands_run_where_they_are_called(monkeypatch, tmp_path):
    """A path that they are given is one from there; everything else works on the course."""
    import course

    seen = []
    monkeypatch.setattr(
        course.subprocess, "run", lambda *_, cwd, **__: seen.append(cwd) or SimpleNamespace(returncode=0)
    )
    monkeypatch.setattr(course, "setup", lambda: None)
    monkeypatch.chdir(tmp_path)
    course.main(["grade", "submissions"])
    course.main(["site"])
    assert seen == [str(tmp_path), str(REPOSITORY)]


def test_every_licence_of_what_is_shipped_goes_with_it():
    """Each licence that the package names has its text, and the wheel takes all of them along."""
    texts = {path.stem for path in (REPOSITORY / "LICENSES").iterdir()}
    assert set(PROJECT["project"]["license"].split(" AND ")) == texts | {"MIT"}
    assert PROJECT["project"]["license-files"] == ["LICENSE", "LICENSES/*"]
