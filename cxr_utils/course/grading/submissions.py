"""What was handed in: which files, by whom, which lesson, which cells. Nothing of it runs here."""

import ast
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cxr_utils.course.derive import learner_notebook
from cxr_utils.course.grading.plan import Cell
from cxr_utils.course.lessons import Lesson
from cxr_utils.errors import LessonError

OWN = ("grades.csv", "totals.csv", "grades.json", "grades.html")
_LARGEST = 64 * 2**20  # bytes of a notebook; one with every figure of a lesson has one or two million
_MOST_FILES = 2000  # of one archive
_ASIDE = {"__MACOSX", ".ipynb_checkpoints"}
_KINDS = {
    b"PK": "a Word document or another archive",
    b"%PDF": "a PDF",
    b"<": "a web page",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\x89PNG": "a picture",
}


class Task(NamedTuple):
    """A lesson as it was given out.

    Attributes:
        lesson: which.
        cells: id and text of each code cell.
        title: the first line.
        exercises: name of the function to the number of the cell in `cells` where it is answered, in order.
    """

    lesson: Lesson
    cells: dict[str, str]
    title: str
    exercises: dict[str, str]


@dataclass
class Submission:
    """A file that was handed in.

    Attributes:
        who: by the name of the file or folder.
        file: where it lies in the folder that is graded.
        problem: why it cannot be graded; "" where it can.
        task: the lesson.
        cells: its code cells.
        checks: exercise to what became of its check's cell: "unchanged", "changed" or "removed".
        remarks: what a teacher should know.
    """

    who: str
    file: str
    problem: str = ""
    task: Task | None = None
    cells: list[Cell] = field(default_factory=list)
    checks: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def tasks(lessons: list[Lesson]) -> list[Task]:
    """What learners got of each lesson, from its source."""
    made = []
    for lesson in lessons:
        notebook = learner_notebook(lesson.source.read_text(encoding="utf-8"), lesson.name)
        cells = {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}
        title = next(cell.source.splitlines()[0] for cell in notebook.cells if cell.source.strip())
        made.append(Task(lesson, cells, title, _exercises(cells)))
    return made


def _exercises(cells: dict[str, str]) -> dict[str, str]:
    """Name to the id of the cell that defines it, for `name = checks.name(name)`."""
    found = {}
    for text in cells.values():
        match = re.fullmatch(r"(\w+) = checks\.\1\(\1\)", text.strip())
        if match:
            name = match[1]
            found[name] = next(key for key, other in cells.items() if f"def {name}(" in other)
    return found


def read_all(folder: Path, known: list[Task]) -> list[Submission]:
    """Every submission in a folder or an archive, in the order of the names.

    Args:
        folder: as a learning platform exports it: a file, a folder or an archive for each learner.
        known: the lessons that it may be.

    Raises:
        LessonError: there is no such folder, or nothing in it.
    """
    if not folder.exists():
        raise LessonError(f"{folder} does not exist. Expected a folder of submitted notebooks. Correct the path.")
    found = []
    for parts, read in sorted(_files(folder), key=lambda one: one[0]):
        submission = Submission("", "/".join(parts))
        found.append(submission)
        try:
            _fill(submission, read(), known)
        except Exception as error:  # a file may be damaged, or made up, in any way
            submission.problem = f"cannot be read ({' '.join(str(error).split())[:200]})"
        submission.who = who(parts, [task.lesson for task in known])
    _tell_apart(found, [task.lesson for task in known])
    graded = {one.who for one in found if one.task}
    found = [one for one in found if one.task or one.who not in graded or one.file.endswith(".ipynb")]
    if not found:
        raise LessonError(f"{folder} holds no file. Expected submitted notebooks, one each or a folder each.")
    again = Counter((one.who, one.task.lesson.name) for one in found if one.task)
    for one in found:
        if one.task and again[one.who, one.task.lesson.name] > 1:
            one.remarks.append(f"{again[one.who, one.task.lesson.name]} notebooks of this lesson were handed in")
    return found


def _files(folder: Path) -> Iterator[tuple[tuple[str, ...], Callable[[], bytes]]]:
    """Parts of the path and a way to read each file; an archive counts as a folder of its name."""
    if folder.is_file():
        yield from _members((), folder)
        return
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if _ASIDE & {*parts} or path.name.startswith(".") or parts in [(name,) for name in OWN]:
            continue
        if path.is_symlink():
            yield parts, _refuse_link
        elif path.suffix == ".zip" and path.is_file():
            yield from _members(parts, path)
        elif path.is_file():
            yield parts, lambda path=path: _read(path)  # type: ignore[misc]


def _refuse_link() -> bytes:
    raise ValueError("it is a link to another place")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST + 1)


def _members(parts: tuple[str, ...], path: Path) -> Iterator[tuple[tuple[str, ...], Callable[[], bytes]]]:
    try:
        archive = zipfile.ZipFile(path)
        names = [one for one in archive.namelist() if not one.endswith("/")]
        if len(names) > _MOST_FILES:
            raise zipfile.BadZipFile(f"{len(names):,} files; expected {_MOST_FILES:,} at most")
    except (zipfile.BadZipFile, OSError) as error:
        told = f"the archive is damaged: {error}"

        def refuse() -> bytes:
            raise ValueError(told)

        yield parts or (path.name,), refuse
        return
    above = (*parts[:-1], path.stem) if parts else ()
    for name in names:
        inner = tuple(part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("..", "/"))
        if not _ASIDE & {*inner} and not inner[-1].startswith("."):
            yield (*above, *inner), lambda name=name: _unpack(archive, name)  # type: ignore[misc]


def _unpack(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        return file.read(_LARGEST + 1)


def who(parts: tuple[str, ...], lessons: list[Lesson]) -> str:
    """The learner, by the first folder that is not a lesson's, or else by the file without the lesson's name.

    Example:
        >>> lessons = [Lesson(Path(), "03_class_weighting")]
        >>> who(("Ann Lee_4711_assignsubmission_file_", "03_class_weighting.ipynb"), lessons)
        'Ann Lee'
        >>> who(("leeann_LATE_1234_567890_03_class_weighting-1.ipynb",), lessons), who(("bob_03.ipynb",), lessons)
        ('leeann', 'bob')
    """
    folders = [re.sub(r"_\d+_assignsubmission_\w*$", "", part) for part in parts[:-1]]
    named = [folder for folder in folders if _without_lesson(folder, lessons)]
    stem = Path(parts[-1]).stem
    alone = re.sub(r"_\d+_assignsubmission_\w*$", "", re.sub(r"(_LATE)?_\d+_\d+_.*$", "", stem))
    return (named[0] if named else _without_lesson(alone, lessons)) or stem


def _without_lesson(name: str, lessons: list[Lesson]) -> str:
    """What a name says beside the lesson, its number, and the number of a copy."""
    for lesson in lessons:
        name = re.sub(rf"{lesson.name}|((?i:lesson) ?)?(?<!\d){lesson.number}(?!\d)", "", name)
    return re.sub(r"[ _-]*\(\d+\)$", "", name).strip(" _-.")


def _tell_apart(found: list[Submission], lessons: list[Lesson]) -> None:
    """Give those who lie in one folder, each with a notebook of the same lesson, the names of their files."""
    groups: dict[tuple, list[Submission]] = {}
    for one in found:
        if one.task:
            groups.setdefault((one.who, one.task.lesson.name, one.file.rpartition("/")[0]), []).append(one)
    for group in groups.values():
        names = [_without_lesson(PurePosixPath(one.file).stem, lessons) for one in group]
        if all(names) and len(set(names)) == len(names) > 1:
            for one, name in zip(group, names, strict=True):
                one.who = name


def _fill(submission: Submission, content: bytes, known: list[Task]) -> None:
    """Read the notebook of a submission; say in `problem` what keeps it from being graded."""
    notebook = _notebook(submission, content)
    if notebook is None:
        return
    cells = [one for one in notebook["cells"] if isinstance(one, dict)]
    code = [(str(one.get("id", "")), _text(one)) for one in cells if one.get("cell_type") == "code"]
    words = [_text(one) for one in cells if one.get("cell_type") == "markdown"]
    task = _recognise(submission, code, words, known)
    if task is None:
        return
    submission.task = task
    answers = {key: name for name, key in task.exercises.items()}
    submission.cells = [Cell(number, text, answers.get(key, "")) for number, (key, text) in enumerate(code, 1)]
    submission.checks = {name: _check_cell(name, task, code) for name in task.exercises}


def _notebook(submission: Submission, content: bytes) -> dict | None:
    if len(content) > _LARGEST:
        submission.problem = f"has more than {_LARGEST // 2**20} MB. Expected a notebook without endless output"
        return None
    if not content.strip():
        submission.problem = "is empty. Expected a notebook"
        return None
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), "")
    try:
        notebook: Any = None if kind else json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        kind = "no text"
    except json.JSONDecodeError as error:
        cut = error.pos >= len(content.decode("utf-8-sig").rstrip()) - 1 or "Unterminated" in error.msg
        kind = "a notebook that was cut short" if cut and content.lstrip().startswith(b"{") else "no notebook"
    if kind:
        submission.problem = f"is {kind}. Expected a .ipynb file as JupyterLab saves it"
    elif not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        submission.problem = "is no notebook: it has no list of cells. Expected a .ipynb file as JupyterLab saves it"
    return None if submission.problem else notebook


def _text(cell: dict) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _recognise(submission: Submission, code: list[tuple[str, str]], words: list[str], known: list[Task]) -> Task | None:
    """The lesson, by the cells that it shares with one, else by its title or the functions that are asked for."""
    keys, texts = {key for key, _ in code}, {text.strip() for _, text in code}
    shared = [len(keys & {*task.cells}) + sum(text.strip() in texts for text in task.cells.values()) for task in known]
    if max(shared) < 2:
        titles = [line for text in words for line in text.splitlines()[:1]]
        defined = {name for _, text in code for name in re.findall(r"^def (\w+)\(", text, re.MULTILINE)}
        shared = [(task.title in titles) + len(defined & {*task.exercises}) for task in known]
    best = [task for task, count in zip(known, shared, strict=True) if count == max(shared)]
    if max(shared) == 0 or len(best) > 1:
        which = " and ".join(task.lesson.name for task in best) if max(shared) else "none"
        submission.problem = f"is of no lesson that can be told (cells of: {which}). Expected one lesson's notebook"
        return None
    others = [task.lesson.name for task, count in zip(known, shared, strict=True) if count > max(2, max(shared) / 3)]
    if len(others) > 1:
        submission.remarks.append(f"it holds cells of {' and '.join(others)}; graded as {best[0].lesson.name}")
    return best[0]


def _check_cell(name: str, task: Task, code: list[tuple[str, str]]) -> str:
    """What became of the cell that checks an exercise; a program that renames cells leaves only their text."""
    wanted = f"{name} = checks.{name}({name})"
    own = next(key for key, text in task.cells.items() if text.strip() == wanted)
    if any(_same(text, wanted) for _, text in code):
        return "unchanged"
    return "changed" if own in dict(code) else "removed"


def _same(text: str, wanted: str) -> bool:
    """Whether a cell does what it did; comments and blanks may differ."""
    try:
        return ast.dump(ast.parse(text)) == ast.dump(ast.parse(wanted)) if len(text) < 10 * len(wanted) else False
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
