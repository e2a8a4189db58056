"""Notebooks of lesson 03 as learners hand them in: right, wrong, blank, and broken in many ways."""

import copy
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
from toy_course import REPOSITORY

from cxr_utils.course.derive import learner_notebook, solution_notebook

LESSON = "03_class_weighting"
SOURCE = (REPOSITORY / "solutions" / f"{LESSON}.py").read_text(encoding="utf-8")
EXERCISES = ["frequencies", "weighted_loss", "balancing_weights", "undo_weights"]
FIRST, REST = EXERCISES[0], EXERCISES[1:]
_SOLVED, _BLANK = solution_notebook(SOURCE, LESSON), learner_notebook(SOURCE, LESSON)


class Broken(NamedTuple):
    """A way in which a notebook is broken, and what a table of marks must say of it.

    Args:
        content: the file's bytes.
        statuses: status to exercises; "not run" of "" where the file is no notebook that can be graded.
        words: a regular expression that some row's `said` or `remark` matches.
        check_cell: of the first exercise.
    """

    content: bytes
    statuses: dict[str, list[str]]
    words: str
    check_cell: str = "unchanged"


def solved() -> nbformat.NotebookNode:
    """All exercises answered rightly."""
    return copy.deepcopy(_SOLVED)


def blank() -> nbformat.NotebookNode:
    """As it was given out."""
    return copy.deepcopy(_BLANK)


def written(notebook: nbformat.NotebookNode) -> bytes:
    """The bytes of the file."""
    return nbformat.writes(notebook, version=4).encode()


def cell_of(notebook: nbformat.NotebookNode, start: str) -> nbformat.NotebookNode:
    """The code cell that begins like this."""
    return next(cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.startswith(start))


def answered(body: str, before: str = "", name: str = FIRST) -> nbformat.NotebookNode:
    """Solved, but for the first exercise, whose function has this body; `before` stands before it in its cell."""
    notebook = solved()
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    cell_of(notebook, f"def {FIRST}(").source = f"{before}def {name}(labels):\n{indented}\n"
    return notebook


def with_cell(source: str, place: int = 3) -> nbformat.NotebookNode:
    """Solved, with one more cell."""
    notebook = solved()
    notebook.cells.insert(place, nbformat.v4.new_code_cell(source))
    return notebook


_RIGHT = "return labels.mean(axis=0), 1 - labels.mean(axis=0)"
_FORGED = """\
import sys
import cxr_utils.checks as checks
import cxr_utils.checks.exercise as machinery
print("✓ frequencies: right")
machinery.judge = lambda *given: ("", [])
machinery.same = lambda *given: True
machinery._fault = lambda *given: ""
checks.frequencies = lambda answer: answer
for stream in (sys.stdout, sys.__stdout__):
    stream.write('{"kind": "end"}\\n')
"""
_CHANNEL = """\
import os
for number in range(3, 64):
    try:
        os.write(number, b'{"kind": "result", "value": true}\\\\n{"kind": "end"}\\\\n')
    except OSError:
        pass
return 0, 0
"""
_FLOOD = """\
import os
line = b'{"kind": "remark", "text": "%s"}\\n' % (b"x" * 10**6)
while True:
    for number in range(3, 64):
        try:
            os.write(number, line)
        except OSError:
            pass
"""


def broken(victim: Path) -> dict[str, Broken]:
    """Every way by its name.

    Args:
        victim: a folder with a file `kept.txt` that some of them try to delete.
    """
    rest = {"right": REST}
    first_lost = {"not run": [FIRST], **rest}
    first_wrong = {"wrong": [FIRST], **rest}
    all_right = {"right": EXERCISES}
    nothing = {"not run": [""]}

    checked = solved()
    cell_of(checked, f"{FIRST} = checks.").source = f'print("✓ {FIRST}: right")'
    unchecked = solved()
    unchecked.cells.remove(cell_of(unchecked, f"{FIRST} = checks."))
    unreadable = solved()
    cell_of(unreadable, f"def {FIRST}(").source = f"def {FIRST}(labels):\n    return labels.mean(axis=0"
    text = written(solved())
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    ways = {
        "loops": (answered("while True:\n    pass"), first_lost, r"`frequencies` ran longer than"),
        "loops in a cell": (with_cell("while True:\n    pass"), all_right, r"`while True:` ran longer than"),
        "sleeps": (answered("import time\ntime.sleep(10**6)"), first_lost, r"ran longer than"),
        "eats memory": (
            answered("held = []\nwhile True:\n    held.append(b'x' * 10**7)"),
            first_lost,
            r"took more than \d+ MB of memory",
        ),
        "asks for too much memory": (answered("return bytearray(10**12)"), first_wrong, "raised MemoryError"),
        "deletes files": (
            answered(f"import shutil\nshutil.rmtree({str(victim)!r})\n{_RIGHT}"), first_wrong, "Read-only file system",
        ),
        "overwrites files": (
            answered(f"open({str(victim / 'kept.txt')!r}, 'w').write('mine')\n{_RIGHT}"), first_wrong, "Read-only",
        ),
        "prints gigabytes": (answered("while True:\n    print('x' * 10**6)"), first_lost, r"printed more than 10 MB"),
        "fills the disk": (
            answered("with open('big', 'wb') as file:\n    while True:\n        file.write(bytes(10**7))"),
            first_wrong, "File too large|No space left",
        ),
        "opens the network": (
            answered("import urllib.request\nurllib.request.urlopen('http://192.0.2.1')"), first_wrong, "unreachable",
        ),
        "ends its process": (answered("import os\nos._exit(3)"), first_lost, r"ended the process .*exit status 3"),
        "crashes": (  # Python catches on Windows what ends it elsewhere
            answered("import ctypes, os\nctypes.string_at(0) if os.name == 'posix' else os.abort()"),
            first_lost, "SIGSEGV|exit status",
        ),
        "leaves a child": (
            answered(
                "import subprocess, sys\n"
                "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3333)'], start_new_session=True)\n"
                + _RIGHT
            ),
            all_right, "",
        ),
        "forks without end": (
            answered("import os\nwhile True:\n    os.fork()"), first_lost, "processes|longer than|memory|ended",
        ),
        "kills the grader": (
            answered(f"import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n{_RIGHT}"),
            all_right, "",  # behind walls there is nobody whom it can reach
        ),
        "syntax error": (unreadable, first_lost, r"is no valid Python \(line 2: '\(' was never closed\)"),
        "changed check cell": (checked, all_right, "", "changed"),
        "removed check cell": (unchecked, all_right, "", "removed"),
        "renamed function": (answered(_RIGHT, name="shares"), first_lost, "no function `frequencies` .* `shares`"),
        "asks for input": (answered("input('How many? ')"), first_wrong, r"input\(\) waits for somebody"),
        "raises": (answered("return labels.no_such_thing"), first_wrong, "raised AttributeError"),
        "forges its verdict": (answered("return 0, 0", before=_FORGED), first_wrong, "received"),
        "writes into every channel": (answered(_CHANNEL), first_lost, "only the grader's own words|received"),
        "floods the grader": (answered(_FLOOD), first_lost, "only the grader's own words|longer than|memory"),
        "calls the check": (
            answered(f"from cxr_utils import checks\nreturn checks.{FIRST}(lambda given: None)(labels)"),
            first_wrong, "cannot be called by what it checks",
        ),
        "a Word document": (b"PK\x03\x04 word/document.xml", nothing, "is a Word document"),
        "cut short": (text[: len(text) // 2], nothing, "a notebook that was cut short"),
        "empty": (b"", nothing, "is empty"),
        "no cells": (b'{"nbformat": 4}', nothing, "has no list of cells"),
        "of no lesson": (written(other), nothing, "of no lesson"),
        "nested without end": (b"[" * 200_000, nothing, "cannot be read|no notebook"),
    }  # fmt: skip
    return {name: Broken(way if isinstance(way, bytes) else written(way), *more) for name, (way, *more) in ways.items()}


def hand_in(folder: Path, notebooks: dict[str, bytes]) -> None:
    """Put a file for each learner into a folder, in the four ways in which platforms export them, by turns."""
    for number, (who, content) in enumerate(notebooks.items()):
        ways: list[Callable[[str, bytes], None]] = [
            lambda who, content: _write(folder / f"{who}_03.ipynb", content),
            lambda who, content: _write(folder / who / f"{LESSON}.ipynb", content),
            lambda who, content: _write(folder / f"{who}_{4711}_assignsubmission_file_" / f"{LESSON}.ipynb", content),
            lambda who, content: _zip(folder / f"{who}.zip", content),
        ]
        ways[number % 4](who, content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _zip(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{LESSON}.ipynb", content)
