"""What `make test` runs over the notebooks fails when what they hold is no longer what the code prints."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from toy_course import LESSON, REPOSITORY, make_course

from cxr_utils.course.build import build, build_environment
from cxr_utils.course.lessons import find_lessons


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = make_course(tmp_path_factory.mktemp("course"), L01_toy=LESSON)
    build(find_lessons(root), lambda line: None)
    build_environment(root, lambda line: None)
    return root


def check_notebooks(course, *arguments):
    """Run course.py's own check on a course, with this interpreter's environment as it stands."""
    code = (
        f"import course; from pathlib import Path; course.PYTHON = Path({sys.executable!r}); "
        "course.BIN = course.PYTHON.parent; course.check_notebooks()"
    )
    command = [sys.executable, "-c", code]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    clean |= {"COURSE": str(course), "JOBS": "0"}
    return subprocess.run(command, cwd=REPOSITORY, env=clean, capture_output=True, text=True, timeout=300)


def replace(old, new):
    def change(notebook):
        text = json.dumps(notebook, ensure_ascii=False)
        assert text.count(old) == 1
        return json.loads(text.replace(old, new))

    return change


def clear_count(notebook):
    notebook["cells"][3]["execution_count"] = None
    notebook["cells"][3]["outputs"] = []
    return notebook


CHANGES = {
    "one printed value": (replace("answered 4\\n", "answered 5\\n"), "1 failed"),
    "one claim": (replace("✓ claim: Four is even\\n", "✓ claim: Four is odd\\n"), "1 failed"),
    "one execution count": (clear_count, "cell 4 has the execution count None"),
}


def test_an_untouched_copy_passes(built):
    result = check_notebooks(built)
    assert result.returncode == 0 and "12 passed" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_fails(built, tmp_path, change, message):
    course = shutil.copytree(built, tmp_path / "course")
    path = course / "solutions/01_toy.ipynb"
    notebook = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    result = check_notebooks(course)
    assert result.returncode != 0 and message in result.stdout, result.stdout + result.stderr
