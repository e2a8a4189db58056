"""course.py where something is amiss: an old Python, an environment that is half-made, moved, or somebody else's."""

import ast
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from bad_places import without_rights

REPOSITORY = Path(__file__).resolve().parents[2]
BACKEND = """
    import zipfile

    FILES = {
        "toy.pth": "{here}",
        "toy-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: toy\\nVersion: 1\\n",
        "toy-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: toy\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "toy-1.dist-info/entry_points.txt": "[console_scripts]\\ncxr = toy:main\\n",
        "toy-1.dist-info/RECORD": "",
    }


    def build_editable(folder, config_settings=None, metadata_directory=None):
        with zipfile.ZipFile(folder + "/toy-1-py3-none-any.whl", "w") as wheel:
            for name, text in FILES.items():
                wheel.writestr(name, text)
        return "toy-1-py3-none-any.whl"
"""
PROJECT = """
    [build-system]
    requires = []
    build-backend = "backend"
    backend-path = ["."]
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A course without dependencies, whose command `cxr` says where it lies; a killed set-up left half of .venv."""
    folder = tmp_path_factory.mktemp("front") / "course"
    folder.mkdir()
    shutil.copy(REPOSITORY / "course.py", folder)
    (folder / "requirements.lock").touch()
    (folder / "pyproject.toml").write_text(textwrap.dedent(PROJECT))
    (folder / "backend.py").write_text(textwrap.dedent(BACKEND).replace("{here}", folder.as_posix()))
    (folder / "toy.py").write_text("import sys\n\n\ndef main():\n    print('cxr of', sys.prefix)\n")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").write_text("cut off")
    (folder / ".venv" / "begun").write_text(str(folder / ".venv"))
    return folder


def course(folder, *arguments, python=sys.executable, before=(), **variables):
    command = [*before, python, str(folder / "course.py"), *(arguments or ["run"])]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | variables)
    return done.returncode, done.stdout, done.stderr


def runs(folder, **more):
    status, out, err = course(folder, **more)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == f"cxr of {folder / '.venv'}"
    return out


def test_a_half_made_environment_is_made_anew_and_a_whole_one_kept(checkout):
    assert "Making .venv with Python 3" in runs(checkout)
    assert "Making" not in runs(checkout)


def test_a_whole_environment_whose_python_is_gone_is_made_anew_also_when_it_asks(checkout):
    if not (checkout / ".venv" / "complete").exists():
        runs(checkout)
    python = next(path for name in ("bin/python", "Scripts/python.exe") if (path := checkout / ".venv" / name).exists())
    if os.name != "nt":  # Windows removes no program that runs
        (checkout / ".venv" / "complete").unlink()
        assert "Making" in runs(checkout, python=str(python))  # begun from inside what is half-made
    python.unlink()
    python.write_text("cut off")
    assert "Making" in runs(checkout)


def test_an_environment_that_was_copied_with_its_course_is_made_anew(checkout, tmp_path):
    if not (checkout / ".venv" / "complete").exists():
        runs(checkout)
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy, symlinks=True)
    assert "Making" in runs(copy)
    assert "Making" not in runs(checkout)  # the other one still has its own


def test_somebody_elses_environment_is_left_alone(tmp_path):
    shutil.copy(REPOSITORY / "course.py", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "theirs").touch()
    (tmp_path / "other").rename(tmp_path / ".venv")
    status, out, err = course(tmp_path)
    assert (status, out) == (1, "") and err.startswith("error: ") and err.count("\n") == 1
    assert "is not made by course.py" in err and (tmp_path / ".venv" / "theirs").exists()
    if os.name == "nt":
        return  # a link needs rights there that few have
    (tmp_path / ".venv").rename(tmp_path / "other")
    (tmp_path / ".venv").symlink_to(tmp_path / "other")
    status, out, err = course(tmp_path)
    assert (status, out) == (1, "") and "is a link to" in err and err.count("\n") == 1
    assert (tmp_path / "other" / "theirs").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    shutil.copy(REPOSITORY / "course.py", tmp_path)
    tmp_path.chmod(0o555)
    try:
        status, _, err = course(tmp_path, "setup", before=without_rights())
    finally:
        tmp_path.chmod(0o755)
    assert status == 1 and err.startswith("error: ") and err.count("\n") == 1 and "Permission denied" in err


@pytest.mark.skipif(os.name == "nt", reason="how long a path may be is a setting there")
def test_a_folder_of_too_long_a_name_is_one_line_before_anything_is_installed(tmp_path):
    deep = tmp_path / "/".join(["folder" * 40] * 20)
    deep = Path(str(deep)[: os.pathconf("/", "PC_PATH_MAX") - 150])
    deep.mkdir(parents=True)
    for name in ("course.py", "requirements.lock", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, deep)
    status, out, err = course(deep)
    assert status == 1 and err.startswith("error: ") and err.count("\n") == 1 and "Installing" not in out
    assert f"has {len(str(deep))} letters" in err and "too long" in err and not (deep / ".venv").exists()


def test_without_a_python_that_fits_it_ends_in_one_line_and_makes_nothing(tmp_path):
    shutil.copy(REPOSITORY / "course.py", tmp_path)
    status, out, err = course(tmp_path, "setup", PYTHON="no-such-python")
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert "error: Python 3.11 to 3.13 with its module venv is needed." in err and "no-such-python" in err
    assert [path.name for path in tmp_path.iterdir()] == ["course.py"]


VERSIONS = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10")
OLD = [path for name in VERSIONS if (path := shutil.which(f"python{name}"))]
OLD += [str(path) for name in VERSIONS for path in Path("~/.pyenv/versions").expanduser().glob(f"{name}.*/bin/python")]
OLD = [path for path in OLD if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0]


@pytest.mark.parametrize("python", OLD or [None])
def test_an_old_python_says_which_one_is_needed(tmp_path, python):
    if python is None:
        pytest.skip("no old Python is installed")
    shutil.copy(REPOSITORY / "course.py", tmp_path)
    status, out, err = course(tmp_path, "setup", python=python, PYTHON="no-such-python")
    assert status == 1 and not out and "Traceback" not in err
    assert "with its module venv is needed" in err


def test_course_py_is_read_by_old_pythons():
    """Python 3.6 reads it whole; Python 2 stops at the first f-string, and shows that line: it says what is needed."""
    text = (REPOSITORY / "course.py").read_text(encoding="ascii")
    tree = ast.parse(text, feature_version=(3, 6))
    first = min(node.lineno for node in ast.walk(tree) if isinstance(node, ast.JoinedStr))
    assert text.splitlines()[first - 1].startswith('TOO_OLD = f"Python {PYTHONS} with its module venv is needed.')
