"""The cache: made once, whole or not at all, and never stale."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from cxr_utils import cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))


def test_an_entry_is_made_once_and_says_nothing(capfd):
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "result.txt").write_text("42")

    first = cache.entry("numbers", {"a": 1, "b": 2}, make)
    second = cache.entry("numbers", {"b": 2, "a": 1}, make)
    assert first == second and len(made) == 1
    assert (first / "result.txt").read_text() == "42"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("other", [{"a": 2}, {"a": 1, "b": 0}, {"a": "1"}, {"a": 1.5}])
def test_another_key_is_another_entry(other):
    assert cache.digest({"a": 1}) != cache.digest(other)


def test_a_failure_leaves_nothing_and_the_next_call_makes_it():
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        cache.entry("numbers", {}, fail)
    assert not [path for path in (cache.root() / "numbers").iterdir() if path.suffix != ".lock"]
    folder = cache.entry("numbers", {}, lambda new: (new / "whole.txt").write_text("whole"))
    assert not (folder / "half.txt").exists()


def _start(code: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(Path(cache.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once_make_it_once(tmp_path):
    code = f"""
        import time
        from cxr_utils import cache
        def make(folder):
            with open({str(tmp_path / "calls")!r}, "a") as calls:
                calls.write("called\\n")
            time.sleep(0.5)
            (folder / "a").write_text("a")
        print((cache.entry("slow", {{}}, make) / "a").read_text())
    """
    processes = [_start(code) for _ in range(3)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["a\n"] * 3
    assert (tmp_path / "calls").read_text() == "called\n"


def test_a_killed_process_leaves_no_entry_and_no_lock():
    process = _start("""
        import time
        from cxr_utils import cache
        def make(folder):
            (folder / "half.txt").write_text("half")
            print("half", flush=True)
            time.sleep(60)
        cache.entry("slow", {}, make)
    """)
    assert process.stdout.readline() == "half\n"
    process.kill()
    process.wait()
    started = time.monotonic()
    folder = cache.entry("slow", {}, lambda new: (new / "whole.txt").write_text("whole"))
    assert time.monotonic() - started < 30  # it does not wait for the dead
    assert sorted(path.name for path in folder.iterdir()) == ["key.json", "whole.txt"]
    assert not list(folder.parent.glob("*.part"))


def test_who_waits_goes_on_when_the_one_that_makes_it_is_killed():
    code = """
        import time
        from cxr_utils import cache
        print("asked", flush=True)
        def make(folder):
            print("makes", flush=True)
            time.sleep({seconds})
        cache.entry("slow", {{}}, make)
        print("has it")
    """
    maker = _start(code.format(seconds=60))
    assert [maker.stdout.readline() for _ in range(2)] == ["asked\n", "makes\n"]
    waiting = _start(code.format(seconds=0))
    assert waiting.stdout.readline() == "asked\n"
    time.sleep(0.5)
    assert waiting.poll() is None
    maker.kill()
    assert waiting.communicate(timeout=60)[0] == "makes\nhas it\n"
    maker.communicate()


def test_rows_that_two_processes_ask_for_at_once_are_computed_once():
    code = """
        import time
        import numpy as np
        from cxr_utils import cache
        names = {names}
        def compute(missing):
            for position in missing:
                time.sleep(0.02)
                print("computed", names[position])
                yield np.array([[ord(names[position])]], np.int32)
        stored, numbers = cache.rows("slow", {{}}, names, np.zeros((0, 1), np.int32), compute)
        print("".join(map(chr, stored[numbers].ravel())))
    """
    processes = {names: _start(code.format(names=repr(list(names)))) for names in ("abcdefgh", "hgfedcxyz")}
    lines = {names: process.communicate(timeout=60)[0].split("\n")[:-1] for names, process in processes.items()}
    assert all(printed[-1] == names for names, printed in lines.items())
    assert sorted(line[-1] for printed in lines.values() for line in printed[:-1]) == list("abcdefghxyz")


NONE = np.zeros((0, 2), np.int32)


def _rows(names: list[str], asked: list | None = None):
    def compute(missing):
        if asked is not None:
            asked.append([names[position] for position in missing])
        for position in missing:
            yield np.array([[len(names[position]), ord(names[position][0])]], np.int32)

    return cache.rows("letters", {}, names, NONE, compute)


def test_rows_are_computed_once_and_found_in_any_order():
    asked: list = []
    _rows(["aa", "b"], asked)
    stored, numbers = _rows(["ccc", "b", "aa", "b"], asked)
    assert asked == [["aa", "b"], ["ccc"]]
    assert stored[numbers].tolist() == [[3, 99], [1, 98], [2, 97], [1, 98]]
    assert isinstance(stored, np.memmap)


def test_rows_that_were_interrupted_go_on_where_they_were():
    def compute(missing):
        yield np.array([[1, 1]], np.int32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.rows("letters", {}, ["a", "b"], NONE, compute)
    asked: list = []
    stored, numbers = _rows(["a", "b"], asked)
    assert asked == [["b"]]
    assert stored[numbers].tolist() == [[1, 1], [1, 98]]


def test_rows_written_but_not_entered_in_the_index_are_cut_off():
    _rows(["a"])
    (data,) = cache.root().glob("letters/*/rows.bin")
    with open(data, "ab") as file:
        file.write(b"\x07" * 5)  # what kill -9 leaves
    stored, numbers = _rows(["a", "b"])
    assert stored[numbers].tolist() == [[1, 97], [1, 98]]


def test_no_rows_at_all():
    stored, numbers = _rows([])
    assert stored.shape == (0, 2) and numbers.shape == (0,)


def test_code_version_sees_what_code_does_and_not_how_it_is_explained(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def version(source: str) -> str:
        (tmp_path / "some_module.py").write_text(source)
        cache.code_version.cache_clear()
        return cache.code_version("some_module")

    plain = version("def double(x):\n    return 2 * x\n")
    assert version('"""A module."""\n\ndef double(x):\n    """Twice."""\n    return 2 * x  # twice\n') == plain
    assert version("def double(x):\n    return 3 * x\n") != plain


def test_the_repository_holds_the_package_and_can_be_moved(monkeypatch, tmp_path):
    assert (cache.home() / "cxr_utils" / "cache.py").exists()
    monkeypatch.setenv("CXR_HOME", str(tmp_path))
    monkeypatch.delenv("CXR_CACHE")
    assert cache.root() == tmp_path / "data" / "cache"
