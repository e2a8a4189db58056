"""Execute the lessons with papermill, several at once, and keep what they print."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
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
from cxr_utils.course.watch import AtWork, Board, side_by_side
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


def run(
    lessons: list[Lesson], settings: Settings, folder: Path, *, resume: bool = False, jobs: int = 1
) -> list[Result]:
    """Run lessons; a failing one is reported, and the others still run.

    Args:
        lessons: which ones, in teaching order.
        settings: what each is given.
        folder: gets `NN_name.ipynb` and `.html` for each finished lesson, `NN_name.failed.ipynb` for a failed
            one, and `run.json`, written anew after each lesson.
        resume: skip lessons that finished here with the same text and the same settings.
        jobs: how many lessons run at once. Their libraries share the cores as they like: networks come out
            otherwise, in the fourth digit, where TensorFlow is held to fewer threads.

    Returns:
        One result a lesson, in teaching order, also of those skipped.

    Raises:
        LessonError: a lesson has no notebook or takes no parameters, or the folder cannot be used.
        KeyboardInterrupt: on Ctrl-C; no kernel is left, and finished lessons are kept.
    """
    notebooks = {lesson.name: _notebook(lesson, settings.origin) for lesson in lessons}
    keys = {name: _key(notebook, settings) for name, notebook in notebooks.items()}
    with _only_run(folder), _environment(settings.origin):
        results = read_record(folder / "run.json", asdict(settings))
        finished = [one for one in lessons if resume and _is_finished(folder, results.get(one.name), keys[one.name])]
        for lesson in finished:
            print(f"{lesson.number + ' ' + lesson.title:24}  finished before", flush=True)
        waiting = [lesson for lesson in lessons if lesson not in finished]
        if jobs > 1:
            waiting.reverse()  # later lessons take longer; begun last, one would go on alone
        _Sequence(settings, folder, notebooks, keys, results).run(waiting, jobs)
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


@dataclass(frozen=True)
class _Sequence:
    """Lessons on their way from source to result."""

    settings: Settings
    folder: Path
    notebooks: dict[str, NotebookNode]
    keys: dict[str, str]
    results: dict[str, Result]
    board: Board = field(default_factory=Board)
    lines: dict[str, AtWork] = field(default_factory=dict)

    def run(self, lessons: list[Lesson], jobs: int) -> None:
        try:
            side_by_side(lessons, jobs, self._begin, self._end, self._tick)
        except BaseException:
            self.board.stop()
            for lesson in lessons:
                self._partial(lesson).unlink(missing_ok=True)
            raise

    def _begin(self, lesson: Lesson) -> Callable[[], None]:
        self.results.pop(lesson.name, None)
        self._write_record()
        _forget(self.folder, lesson)
        notebook = self.notebooks[lesson.name]
        cells = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
        line = AtWork(f"{lesson.number} {lesson.title}", cells + 1)  # papermill adds the cell that holds the parameters
        self.lines[lesson.name] = line
        self.board.begin(line)
        return lambda: _execute(notebook, lesson, self.settings, self._partial(lesson), line)

    def _tick(self) -> None:
        for line in self.lines.values():
            line.sample()
        self.board.draw()

    def _end(self, lesson: Lesson, error: Exception | None) -> None:
        """Give the notebook its name, and say how the lesson ended; an error of any kind ends this lesson only."""
        line, partial, name = self.lines.pop(lesson.name), self._partial(lesson), lesson.name
        try:
            notebook = nbformat.read(partial, as_version=4)
        except (OSError, ValueError) as half:  # the disk is full: no other lesson would fare better
            raise (error or half) from None
        seconds = round(line.seconds, 1)
        failure = Failure.of(notebook, error, line.cell) if error else None
        where = f"cell [{failure.cell}]: {failure.error}" if failure else None
        result = Result(name, self.keys[name], where, seconds, line.peak_bytes // 2**20, *read_outputs(notebook))
        if failure:
            saved = self.folder / f"{name}.failed.ipynb"
            partial.replace(saved)
            which = f"  lesson  {lesson.number} {lesson.title}, kept as {saved}"
            self.board.end(
                line, "failed", which, f"  cell    [{failure.cell}] {failure.line}", f"  error   {failure.error}"
            )
        else:
            write_text(self.folder / f"{name}.html", html_page(notebook))
            partial.replace(self.folder / f"{name}.ipynb")
            self.board.end(line, f"{result.claims} claims")
        self.results[name] = result
        self._write_record()

    def _partial(self, lesson: Lesson) -> Path:
        return self.folder / f".{lesson.name}.part.ipynb"

    def _write_record(self) -> None:
        write_record(self.folder / "run.json", asdict(self.settings), self.results)


def _forget(folder: Path, lesson: Lesson) -> None:
    """Remove an earlier outcome, so that an interrupted lesson does not show it."""
    for ending in (".ipynb", ".html", ".failed.ipynb"):
        (folder / f"{lesson.name}{ending}").unlink(missing_ok=True)


def _execute(notebook: NotebookNode, lesson: Lesson, settings: Settings, partial: Path, line: AtWork) -> None:
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what it says, the run says in three lines

    def count(**_: object) -> None:
        line.cell += 1

    papermill.execute_notebook(
        notebook,
        str(partial).replace("{", "{{").replace("}", "}}"),  # papermill formats paths
        settings.parameters,
        kernel_name="python3",
        language="python",  # a notebook that a hosted machine saved may name neither
        kernel_manager_class=line.manager(),
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
