"""Derive, execute and save the notebooks of a course; say which saved ones are stale."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from traitlets.config import Config

from cxr_utils.cache import write_text
from cxr_utils.course.derive import learner_notebook, solution_notebook, to_text
from cxr_utils.course.hosted import hosted
from cxr_utils.course.lessons import Lesson
from cxr_utils.course.record import Failure
from cxr_utils.course.root_files import derived_pages, environment_text
from cxr_utils.errors import LessonError

STRICT = "CXR_STRICT"  # with it, a wrong answer to an exercise raises; see cxr_utils.checks
NO_BARS = {"TQDM_DISABLE": "1"}  # a bar is for who waits; saved, it differs between a first run and one from caches
QUIET = ["--log-level=CRITICAL"]  # for kernels: what they say about themselves at start is not for learners


@dataclass(frozen=True)
class Stale:
    """A derived file that is not what its source makes of it."""

    path: Path
    reason: str
    command: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}. Run `{self.command}`."


def derived_notebooks(lesson: Lesson) -> dict[Path, NotebookNode]:
    """What a lesson's source makes, unexecuted: path of the notebook -> notebook, the solution first."""
    text = lesson.source.read_text(encoding="utf-8")
    return {
        lesson.solution: hosted(solution_notebook(text, lesson.name), lesson),
        lesson.learner: hosted(learner_notebook(text, lesson.name), lesson),
    }


def build(lessons: list[Lesson], say: Callable[[str], None] = print) -> None:
    """Execute and save both notebooks of each lesson.

    Args:
        lessons: what to build; each notebook runs in the folder where it is to lie.
        say: takes one line of progress for each notebook.

    Raises:
        LessonError: a source cannot be derived from, a cell fails or writes to stderr. What was built
            before stays; nothing of the failing notebook is saved.
    """
    work = [(path, notebook) for lesson in lessons for path, notebook in derived_notebooks(lesson).items()]
    for path, notebook in work:
        start = time.perf_counter()
        execute(notebook, path)
        changed = _write(path, to_text(notebook))
        place = f"{path.parent.name}/{path.name}"
        count = sum(cell.cell_type == "code" for cell in notebook.cells)
        seconds = time.perf_counter() - start
        say(f"{place:44} {count:3d} cells {seconds:6.1f} s  {changed}")


def build_environment(root: Path, say: Callable[[str], None] = print) -> None:
    """Write `environment.yml`; arguments as `environment_text` and `build`."""
    say(f"{'environment.yml':63}{_write(root / 'environment.yml', environment_text(root))}")


def build_pages(root: Path, say: Callable[[str], None] = print) -> None:
    """Put what is derived into pages; arguments as `derived_pages` and `build`."""
    for path, text in derived_pages(root).items():
        say(f"{path.relative_to(root).as_posix():63}{_write(path, text)}")


def _write(path: Path, text: str) -> str:
    """Write a file, and say whether that has changed it."""
    same = path.exists() and path.read_bytes() == text.encode()
    write_text(path, text)
    return "unchanged" if same else "written"


def execute(notebook: NotebookNode, path: Path) -> None:
    """Run all cells in place, as a learner would who opens the file at `path`.

    Args:
        notebook: an unexecuted notebook; its outputs and execution counts are filled in.
        path: where it is to lie. Its folder is the working directory; in `solutions/` answers are graded
            strictly.

    Raises:
        LessonError: a cell raises, ends the kernel, or writes to stderr, which differs between machines.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != STRICT} | NO_BARS
    if path.parent.name == "solutions":
        environment[STRICT] = "1"
    metadata = nbformat.from_dict(dict(notebook.metadata))
    started: list[int] = []
    client = NotebookClient(
        notebook,
        timeout=None,
        iopub_timeout=60,  # a busy machine may be late with what a cell has printed
        record_timing=False,
        extra_arguments=QUIET,
        config=Config(KernelManager={"shutdown_wait_time": 60.0}),  # or late with what it says at its end
        on_cell_execute=lambda cell, cell_index: started.append(cell_index),
        resources={"metadata": {"path": str(path.parent)}},
    )
    with tempfile.TemporaryFile() as terminal:
        try:
            client.execute(env=environment, stderr=terminal)
        except (CellExecutionError, RuntimeError) as error:
            failure, last = Failure.of(notebook, error, len(started)), _text(terminal)[-500:]
            said = f"\nIts kernel said last: {last}" if last else ""
            raise LessonError(f"{path} failed in {failure}{said}\nMend its source, then build again.") from error
        echo = _text(terminal)
    _merge_streams(notebook)
    notebook.metadata = metadata  # the kernel's Python version would differ between machines
    _check_streams(notebook, path, echo)


def _text(file: IO[bytes]) -> str:
    """What a kernel has left on its terminal, without what only says that the machine is busy."""
    file.seek(0)
    lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if line != "IOStream.flush timed out").strip()


def _merge_streams(notebook: NotebookNode) -> None:
    """Join neighbouring pieces of one stream: where a kernel cuts it depends on the clock."""
    for cell in notebook.cells:
        merged: list[NotebookNode] = []
        for output in cell.get("outputs", []):
            if merged and output.output_type == "stream" and output.name == merged[-1].get("name"):
                merged[-1].text += output.text
            else:
                merged.append(output)
        if cell.cell_type == "code":
            cell.outputs = merged


def _check_streams(notebook: NotebookNode, path: Path, echo: str) -> None:
    """Refuse a notebook that wrote to stderr; `echo` is what its kernel left on the terminal.

    A kernel reads its descriptor 2 in a thread of its own, and what C code writes at the end of the last cell
    may come after the notebook has ended. The terminal has it even then.
    """
    said = {
        f"cell {number}": "".join(o.text for o in cell.get("outputs", []) if o.get("name") == "stderr")
        for number, cell in enumerate(notebook.cells, 1)
    }
    for place, text in (said | {"a cell": echo}).items():
        if text:
            raise LessonError(
                f"{path}: {place} writes to stderr: {text.strip()[:200]!r}. Expected output on stdout only, "
                "since what libraries say on stderr differs between machines. Silence it or print it."
            )


def stale_files(lessons: list[Lesson], root: Path) -> list[Stale]:
    """Every derived file that is missing, stale, not wholly executed, or without a source.

    Args:
        lessons: all lessons of the course.
        root: the course's folder.

    Returns:
        One `Stale` a file, empty when all is well. The outputs themselves are nbval's to compare.

    Raises:
        LessonError: a source cannot be derived from.
    """
    found = []
    expected: dict[Path, NotebookNode] = {}
    for lesson in lessons:
        notebooks = derived_notebooks(lesson)
        expected |= notebooks
        reasons = {path: _difference(path, notebook) for path, notebook in notebooks.items()}
        found += [Stale(p, reason, f"cxr build {lesson.number}") for p, reason in reasons.items() if reason]
    for path in sorted([*(root / "solutions").glob("*.ipynb"), *(root / "notebooks").glob("*.ipynb")]):
        if path not in expected:
            found.append(Stale(path, f"it has no source solutions/{path.stem}.py", f"rm {path}"))
    environment = root / "environment.yml"
    if not environment.exists() or environment.read_text() != environment_text(root):
        found.append(Stale(environment, "it does not follow from requirements.lock", "cxr build"))
    if not found:  # from a stale lesson follows nothing
        found += [
            Stale(path, "what is derived in it is not what its sources make", "cxr build")
            for path, text in derived_pages(root).items()
            if text != path.read_text(encoding="utf-8")
        ]
    return found


def _difference(path: Path, derived: NotebookNode) -> str | None:
    """Why the file at `path` is not an executed form of `derived`; None when it is."""
    if not path.exists():
        return "it is missing"
    text = path.read_text(encoding="utf-8")
    try:
        saved = nbformat.reads(text, as_version=4)
    except Exception as error:  # nbformat raises whatever JSON and its schema raise
        return f"it is no readable notebook ({str(error).splitlines()[0]})"
    if len(saved.cells) != len(derived.cells):
        return f"it has {len(saved.cells)} cells, its source makes {len(derived.cells)}"
    for number, (cell, source) in enumerate(zip(saved.cells, derived.cells, strict=True), 1):
        if any(cell.get(key) != source.get(key) for key in ("cell_type", "id", "source", "metadata")):
            return f"cell {number} differs from its source"
    if saved.metadata != derived.metadata or to_text(saved) != text:
        return "it was saved by another program"
    return unexecuted(saved)


def unexecuted(notebook: NotebookNode) -> str | None:
    """Why a notebook is no record of one clean run from top to bottom; None when it is.

    nbval passes a cell that was never executed without comparing it, so this is what makes it bite.
    """
    count = 0
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        count += 1
        if cell.execution_count != count:
            return f"code cell {number} has the execution count {cell.execution_count}, expected {count}"
        if any(output.output_type == "error" for output in cell.outputs):
            return f"cell {number} holds an error"
        if any(output.get("name") == "stderr" for output in cell.outputs):
            return f"cell {number} holds output on stderr"
    return None
