"""Execute the lessons one after another with papermill, and keep what they print."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
import papermill
from filelock import FileLock, Timeout
from nbformat import NotebookNode

from cxr_utils.cache import write_text
from cxr_utils.course.build import NO_BARS, QUIET, STRICT
from cxr_utils.course.derive import check_parameters, solution_notebook
from cxr_utils.course.lessons import Lesson
from cxr_utils.course.page import html_page
from cxr_utils.course.record import Failure, Result, read_outputs, read_record, table, write_record
from cxr_utils.course.watch import ProgressLine, Watched
from cxr_utils.errors import LessonError


@dataclass(frozen=True)
class Settings:
    """What every lesson of a run is given.

    Attributes:
        data: what lessons give to `open_dataset`; a path must be absolute, since each runs in its own folder.
        profile: "quick" or "full".
        seed: a whole number.
        origin: "solutions" (derived from the sources in memory, so never stale) or "notebooks" (as they stand).
    """

    data: str = "phantom"
    profile: str = "quick"
    seed: int = 0
    origin: str = "solutions"

    @property
    def name(self) -> str:
        """Name of the run's folder.

        Example:
            >>> Settings("/data/nih", origin="notebooks").name
            'nih-quick-seed0-notebooks'
        """
        name = f"{Path(self.data).name}-{self.profile}-seed{self.seed}"
        return name if self.origin == "solutions" else f"{name}-{self.origin}"

    @property
    def parameters(self) -> dict[str, str | int]:
        """What papermill puts into a lesson."""
        return {"data": self.data, "profile": self.profile, "seed": self.seed}


def run(lessons: list[Lesson], settings: Settings, folder: Path, *, resume: bool = False) -> list[Result]:
    """Run lessons in order; a failing one is reported, and the others still run.

    Args:
        lessons: which ones.
        settings: what each is given.
        folder: gets `NN_name.ipynb` and `.html` for each finished lesson, `NN_name.failed.ipynb` for a failed
            one, and `run.json`, written anew after each lesson.
        resume: skip lessons that finished here with the same text and the same settings.

    Returns:
        One result a lesson, also of those skipped.

    Raises:
        LessonError: a lesson has no notebook or takes no parameters, or the folder cannot be used.
        KeyboardInterrupt: on Ctrl-C; no kernel is left, and finished lessons are kept.
    """
    notebooks = {lesson.name: _notebook(lesson, settings.origin) for lesson in lessons}
    keys = {name: _key(notebook, settings) for name, notebook in notebooks.items()}
    record, common = folder / "run.json", asdict(settings)
    with _only_run(folder):
        results = read_record(record, common)
        for lesson in lessons:
            if resume and _is_finished(folder, results.get(lesson.name), keys[lesson.name]):
                print(f"{lesson.number + ' ' + lesson.title:24}  finished before", flush=True)
                continue
            results.pop(lesson.name, None)
            write_record(record, common, results)
            results[lesson.name] = _run_lesson(lesson, notebooks[lesson.name], keys[lesson.name], settings, folder)
            write_record(record, common, results)
    ordered = [results[lesson.name] for lesson in lessons]
    print(f"\n{table(ordered)}", flush=True)
    return ordered


def _is_finished(folder: Path, result: Result | None, key: str) -> bool:
    if result is None or result.error is not None or result.key != key:
        return False
    return (folder / f"{result.lesson}.ipynb").exists()


def _notebook(lesson: Lesson, origin: str) -> NotebookNode:
    if origin == "solutions":
        return solution_notebook(lesson.source.read_text(encoding="utf-8"), lesson.name)
    try:
        notebook = nbformat.read(lesson.learner, as_version=4)
    except FileNotFoundError as error:
        raise LessonError(
            f"{lesson.learner} is missing. Expected the learner's copy of lesson {lesson.number}. Run `cxr build`."
        ) from error
    except Exception as error:  # nbformat raises whatever JSON and its schema raise
        raise LessonError(
            f"{lesson.learner} cannot be read ({str(error).splitlines()[0]}). Expected a notebook. Restore it, or run "
            f"`cxr build {lesson.number}` for a blank one."
        ) from error
    check_parameters(notebook, str(lesson.learner))
    return notebook


def _key(notebook: NotebookNode, settings: Settings) -> str:
    text = json.dumps([asdict(settings), [(c.cell_type, c.source) for c in notebook.cells]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    """Make the folder, and keep a second run out of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LessonError(
            f"Another run is writing to {folder}. Expected one at a time. Wait for it, or name another with --out."
        ) from error
    except OSError as error:
        raise LessonError(
            f"{folder} cannot be written to ({error.strerror}). Expected a folder for the run. Name another with --out."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _run_lesson(lesson: Lesson, notebook: NotebookNode, key: str, settings: Settings, folder: Path) -> Result:
    label = f"{lesson.number} {lesson.title}"
    cells = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
    line = ProgressLine(label, cells + 1)  # papermill adds the cell that holds the parameters
    partial = folder / f".{lesson.name}.part.ipynb"
    _forget(folder, lesson)
    work = Watched(lambda: _execute(notebook, lesson, settings, partial, line))
    error = None
    try:
        work.run(line.tick)
    except KeyboardInterrupt:
        line.end("interrupted")
        partial.unlink(missing_ok=True)
        raise
    except Exception as problem:  # a cell, the kernel or papermill itself; each ends this lesson only
        error = problem
    return _keep(lesson, key, folder, partial, line, work, error)


def _forget(folder: Path, lesson: Lesson) -> None:
    """Remove an earlier outcome, so that an interrupted lesson does not show it."""
    for ending in (".ipynb", ".html", ".failed.ipynb"):
        (folder / f"{lesson.name}{ending}").unlink(missing_ok=True)


def _execute(notebook: NotebookNode, lesson: Lesson, settings: Settings, partial: Path, line: ProgressLine) -> None:
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what it says, the run says in three lines

    def count(**_: object) -> None:
        line.cell += 1

    with _environment(settings.origin):
        papermill.execute_notebook(
            notebook,
            str(partial).replace("{", "{{").replace("}", "}}"),  # papermill formats paths
            settings.parameters,
            kernel_name="python3",
            progress_bar=False,
            on_cell_execute=count,
            extra_arguments=QUIET,
            iopub_timeout=60,
            resources={"metadata": {"path": str(lesson.source.parent.parent / settings.origin)}},
        )


@contextmanager
def _environment(origin: str) -> Iterator[None]:
    """Answers in `solutions/` are graded strictly; how learners' are is the caller's choice."""
    wanted = NO_BARS | ({STRICT: "1"} if origin == "solutions" else {})
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _keep(
    lesson: Lesson, key: str, folder: Path, partial: Path, line: ProgressLine, work: Watched, error: Exception | None
) -> Result:
    """Give the notebook its name, and say how the lesson ended."""
    notebook = nbformat.read(partial, as_version=4)
    failure = Failure.of(notebook, error, line.cell) if error else None
    where = f"cell [{failure.cell}]: {failure.error}" if failure else None
    peak_mb = work.peak_bytes // 2**20
    result = Result(lesson.name, key, where, round(line.seconds, 1), peak_mb, *read_outputs(notebook))
    if failure:
        saved = folder / f"{lesson.name}.failed.ipynb"
        partial.replace(saved)
        line.end("failed")
        print(f"  lesson  {lesson.number} {lesson.title}, kept as {saved}")
        print(f"  cell    [{failure.cell}] {failure.line}")
        print(f"  error   {failure.error}", flush=True)
    else:
        write_text(folder / f"{lesson.name}.html", html_page(notebook))
        partial.replace(folder / f"{lesson.name}.ipynb")
        line.end(f"{result.claims} claims")
    return result
