"""Which backend computes: the one that is asked for, else the only sensible one; else a line that says what to do."""

import os
import re
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
from toy_course import REPOSITORY

from cxr_utils.course.lessons import find_lessons
from cxr_utils.errors import RecipeError
from cxr_utils.networks import backend


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Pretends that some backends are installed, and that KERAS_BACKEND and Keras' file say what they are given."""

    def pretend(installed="", asked=None, file=None, runs=None):
        found = installed.split()
        monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: name if name in found else None)
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        if asked is not None:
            monkeypatch.setenv("KERAS_BACKEND", asked)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        (tmp_path / "keras.json").write_text(file if file is not None else "{}")
        monkeypatch.delitem(sys.modules, "keras", raising=False)
        if runs:
            keras = SimpleNamespace(config=SimpleNamespace(backend=lambda: runs))
            monkeypatch.setitem(sys.modules, "keras", keras)
        return backend.backend()

    return pretend


@pytest.mark.parametrize(
    ("installed", "asked", "file", "chosen"),
    [
        ("tensorflow jax torch", None, None, "tensorflow"),
        ("tensorflow jax torch", "jax", None, "jax"),
        ("tensorflow jax torch", "torch", '{"backend": "jax"}', "torch"),
        ("tensorflow jax torch", "", '{"backend": "jax"}', "jax"),
        ("jax", None, None, "jax"),
        ("torch", None, '{"backend": "tensorflow"}', "torch"),  # Keras writes that by itself
        ("torch", None, '{"backend": "jax"}', "torch"),
        ("tensorflow torch", None, "{broken", "tensorflow"),
        ("tensorflow", None, "[]", "tensorflow"),
    ],
)
def test_the_backend_that_is_meant(machine, installed, asked, file, chosen):
    assert machine(installed, asked, file) == chosen


@pytest.mark.parametrize(
    ("installed", "asked", "runs", "message"),
    [
        ("", None, None, "no backend to compute it. Choose one of tensorflow, jax, torch; install it with pip install"),
        ("", "jax", None, r"'jax', which is not installed.*Choose one of tensorflow.*'cxr-utils\[jax\]'"),
        ("tensorflow", "jax", None, r"'jax', which is not installed.*Installed: tensorflow.*'cxr-utils\[jax\]'"),
        ("tensorflow", "theano", None, "KERAS_BACKEND is 'theano'. Expected one backend. Choose one of tensorflow"),
        ("tensorflow jax", "jax,torch", None, "KERAS_BACKEND is 'jax,torch'. Expected one backend"),
        ("jax torch", None, None, "jax and torch are installed, and KERAS_BACKEND says neither. Expected one"),
        ("tensorflow jax", "jax", "tensorflow", "Keras was imported on tensorflow, and KERAS_BACKEND says jax"),
    ],
)
def test_what_is_unclear_is_refused_in_one_line(machine, installed, asked, runs, message):
    with pytest.raises(RecipeError, match=message) as raised:
        machine(installed, asked, runs=runs)
    assert "\n" not in str(raised.value) and "before Python starts" in str(raised.value)


def test_results_of_other_backends_are_kept_apart(monkeypatch):
    monkeypatch.setattr(backend, "backend", lambda: "tensorflow")
    assert backend.rounding() == {}
    monkeypatch.setattr(backend, "backend", lambda: "jax")
    assert backend.rounding() == {"backend": "jax"}


@pytest.mark.parametrize(
    ("there", "visible", "has"), [(True, None, True), (True, "0", True), (True, "", False), (True, "-1", False),
                                  (False, None, False)],
)  # fmt: skip
def test_a_gpu_is_a_device_file_that_is_not_hidden(monkeypatch, there, visible, has):
    monkeypatch.setattr(backend.os.path, "exists", lambda path: there and path == "/dev/nvidia0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert backend.has_gpu() is has


@pytest.mark.parametrize("usable", [0, 1])
def test_a_gpu_that_the_backend_cannot_use_is_told_in_one_line(monkeypatch, capsys, usable):
    monkeypatch.setattr(backend, "has_gpu", lambda: True)
    monkeypatch.setattr(backend, "gpus", lambda: usable)
    backend.load_keras.__wrapped__()
    told = capsys.readouterr().out
    assert told.count("\n") == 1 - usable and ("a GPU that tensorflow cannot use" in told) == (not usable)


WITHOUT = """
    import importlib.abc, sys
    class Absent(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("tensorflow", "jax", "torch"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    sys.meta_path.insert(0, Absent())
    import importlib.util
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *more: None if name in ("tensorflow", "jax", "torch") else find(name, *more)
"""


def without_backend(program: str, folder) -> subprocess.CompletedProcess:
    """Run a program in a Python that finds none of the three."""
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {"CXR_CACHE": str(folder), "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"}
    code = textwrap.dedent(WITHOUT) + textwrap.dedent(program)
    how = {"env": environment, "capture_output": True, "encoding": "utf-8", "timeout": 300}
    return subprocess.run([sys.executable, "-c", code], **how)


def test_without_a_backend_data_are_looked_at_and_tables_judged(tmp_path):
    done = without_backend(
        """
        import pandas as pd
        import cxr_utils as cxr
        from cxr_utils import checks, data, evaluation, heatmaps, networks, plots, training
        for room in (checks, data, evaluation, heatmaps, networks, plots, training):
            for name in room.__all__:
                getattr(room, name)
        from cxr_utils.commands import program
        sys.argv = ["cxr", "data", "--help"]
        program.main()
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_backend_a_network_says_which_three_there_are(tmp_path):
    done = without_backend(
        """
        sys.argv = ["cxr", "train", "--recipe", "xray-vision"]
        from cxr_utils.commands import program
        program.main()
        """,
        tmp_path,
    )
    assert done.returncode and "Traceback" not in done.stderr
    error = done.stderr.splitlines()[-1]  # above it the simulated data may be made, with a bar
    assert error.startswith("error: A network was asked for, and there is no backend to compute it.")
    assert "Choose one of tensorflow, jax, torch; install it with pip install 'cxr-utils[NAME]'" in error


LESSON = """
    import jupytext, matplotlib
    matplotlib.use("Agg")
    cells = [cell.source for cell in jupytext.read({source!r}).cells if cell.cell_type == "code"]
    import os
    os.chdir({folder!r})
    names = {{"__name__": "lesson", "display": print}}
    ended = 0
    for source in cells:
        try:
            exec(source, names)
            ended += 1
        except Exception as error:
            if not missing:
                missing = f"{{type(error).__name__}}: {{error}}"
    print(f"\\n{{ended}} of {{len(cells)}}", missing)
"""


@pytest.mark.parametrize(("number", "least"), [("01", 1.0), ("02", 0.5), ("05", 0.3)])
def test_without_a_backend_lessons_run_as_far_as_they_need_no_network(number, least, tmp_path):
    """Every cell is asked, as somebody who goes on would: the first that fails asks for a network."""
    lesson = next(one for one in find_lessons(REPOSITORY) if one.number == number)
    program = LESSON.format(source=str(lesson.source), folder=str(lesson.source.parent))
    done = without_backend("    missing = ''\n" + program, tmp_path)
    assert done.returncode == 0, done.stderr
    ran, missing = re.search(r"^(\d+ of \d+) ?(.*)$", done.stdout.splitlines()[-1]).groups()
    ended, cells = map(int, ran.split(" of "))
    assert ended >= least * cells
    assert (missing == "") == (least == 1)
    assert not missing or "there is no backend to compute it. Choose one of tensorflow, jax, torch" in missing
