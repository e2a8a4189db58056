"""Folders that cannot be written, full disks and half-made environments: one line each, and nothing is lost."""

import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from bad_places import without_rights
from toy_course import LESSON, REPOSITORY, make_course, make_rays

from cxr_utils import cache
from cxr_utils.commands import program

HIDDEN = """
import sys

class Hidden:
    def find_spec(self, name, *given):
        if name == {!r}:
            raise ModuleNotFoundError("No module named " + name, name=name)

sys.meta_path.insert(0, Hidden())
"""
PROGRAM = "from cxr_utils.commands.program import main; main()"
TRAIN = "train", "--recipe", "normal-abnormal", "--data"


def alone(*arguments, before=(), code=PROGRAM, cwd=None, **variables):
    """Run the command in a process of its own: (exit status, lines on standard error)."""
    command = [*before, sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)} | {name: str(text) for name, text in variables.items()}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)
    return done.returncode, done.stderr.splitlines()


def rays(folder):
    """Six small pictures of two classes, which a network can be trained on."""
    root = make_rays(folder / "rays")
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 255, (48, 48), np.uint8))
    return root


def limited(size: int) -> str:
    """The command where no file may grow beyond so many bytes: on any machine what a full disk is on a small one."""
    pytest.importorskip("resource")
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n{PROGRAM}"


@pytest.fixture
def closed(tmp_path):
    """A folder in which nobody may make anything."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    yield folder
    folder.chmod(0o755)


@pytest.mark.parametrize(
    "command", [["data", "phantom"], ["run", "--only", "01"], ["train", "--recipe", "xray-vision"]]
)
def test_a_home_that_cannot_be_written_is_one_line(closed, command):
    status, said = alone(*command, before=without_rights(), CXR_HOME=closed)
    assert status == 2 and len(said) == 1
    assert said[0].startswith(f"error: {closed}") and "(Permission denied). Expected a place" in said[0]


def test_a_cache_that_cannot_be_written_ends_a_run_before_its_first_lesson(closed, tmp_path):
    images = rays(tmp_path)
    given = {"before": without_rights(), "CXR_CACHE": closed / "cache"}
    status, said = alone("run", "--only", "01", "--data", images, "--out", tmp_path / "out", **given)
    assert status == 2 and [line for line in said if not line.startswith("note: ")] == [
        f"error: {closed / 'cache' / 'pixels'} cannot be written (Permission denied). "
        "Expected a place where files may be made. Choose another CXR_CACHE."
    ]
    assert not (tmp_path / "out").exists()


def test_lessons_go_only_where_they_may(closed):
    status, said = alone("lessons", before=without_rights(), cwd=closed)
    assert status == 2 and said == [
        "error: cxr-course cannot be written to (Permission denied). Expected a folder for the lessons. Name another."
    ]


def test_on_a_full_disk_lessons_are_whole_or_absent_and_answers_are_kept(tmp_path):
    own = tmp_path / "notebooks" / "01_data_visualization.ipynb"
    own.parent.mkdir()
    own.write_text("my answers")
    status, said = alone("lessons", tmp_path, code=limited(300_000))
    assert status == 2 and len(said) == 1 and f"error: {tmp_path} cannot be written to (File too large)" in said[0]
    assert own.read_text() == "my answers"
    left = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file() and path != own}
    assert left and all((tmp_path / path).read_bytes() == (REPOSITORY / path).read_bytes() for path in left)
    status, said = alone("lessons", tmp_path)  # and again where there is room
    assert (status, said) == (0, []) and own.read_text() == "my answers"
    assert len(list((tmp_path / "notebooks").iterdir())) == len(list((REPOSITORY / "notebooks").glob("*.ipynb")))


def test_training_on_a_full_disk_is_one_line(tmp_path):
    images = rays(tmp_path)
    status, said = alone(
        *TRAIN, images, "--out", tmp_path / "model", code=limited(1_000_000), CXR_CACHE=tmp_path / "cache"
    )
    assert status == 2 and len(said) == 1 and "error: " in said[0] and "(File too large). Expected a place" in said[0]
    assert not (tmp_path / "model").exists()


def test_a_run_on_a_full_disk_is_one_line_and_keeps_what_has_finished(tmp_path):
    home = make_course(tmp_path, L01_small=LESSON, L02_large=LESSON + "\n# %%\nprint('x' * 3_000_000)\n")
    command = "run", "--jobs", "1", "--data", rays(tmp_path), "--out", tmp_path / "out"
    status, said = alone(*command, code=limited(2_000_000), CXR_HOME=home, CXR_CACHE=tmp_path / "cache")
    said = [line for line in said if not line.startswith("note: ")]
    assert status == 2 and len(said) == 1 and "error: " in said[0] and "(File too large)" in said[0]
    kept = {path.name for path in (tmp_path / "out").iterdir()}
    assert kept == {".lock", "run.json", "01_small.ipynb", "01_small.html"}


def test_pixels_without_room_are_refused_before_they_are_mapped(tmp_path):
    """On a disk that is really too small; what writes to a map of memory then would end the process wordlessly."""
    images, small = rays(tmp_path), tmp_path / "cache"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=200k x "{small}" && exec "$@"'
    mounted = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if not shutil.which("unshare") or subprocess.run([*mounted, "true"], capture_output=True).returncode:
        pytest.skip("needs unshare and the right to mount")
    code = f"from cxr_utils.data import open_dataset; open_dataset({str(images)!r}).pixels(256)"
    status, said = alone(before=mounted, code=code, CXR_CACHE=small)
    assert status == 1 and said[-1] == "OSError: [Errno 28] No space left on device"


def test_another_fault_of_the_system_keeps_its_traceback(monkeypatch):
    def fail(error):
        raise error

    monkeypatch.setattr(sys, "argv", ["cxr"])
    for error in (FileNotFoundError(2, "No such file", "a"), ModuleNotFoundError("no", name="cxr_utils.gone")):
        monkeypatch.setattr(program, "app", lambda error=error: lambda: fail(error))
        with pytest.raises(type(error)):
            program.main()


@pytest.mark.parametrize(
    ("package", "command"), [("typer", "doctor"), ("psutil", "doctor"), ("pandas", "data leakage ."), ("keras", TRAIN)]
)
def test_a_package_that_is_missing_is_named_with_how_to_get_it(tmp_path, package, command):
    words = command.split() if isinstance(command, str) else [*command, rays(tmp_path)]
    status, said = alone(*words, code=HIDDEN.format(package) + PROGRAM, CXR_CACHE=tmp_path)
    assert status == 2 and said[-1].startswith("error: ") and package in said[-1]
    assert said[-1].endswith(f"-m pip install --force-reinstall {package}") and "Traceback" not in " ".join(said)


def test_what_is_written_is_whole_or_absent(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("before")
    with pytest.raises(OSError, match="full"), cache.written_whole(path) as beside:
        beside.write_text("ha")
        raise OSError(28, "full")
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
