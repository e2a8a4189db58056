"""The lessons of a course: their order, their names, and the files each of them has.

A lesson is one percent script `solutions/NN_name.py`. Its executed form and the learner's copy are derived
from it and have the same name: `solutions/NN_name.ipynb` and `notebooks/NN_name.ipynb`.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from cxr_utils.cache import written_whole
from cxr_utils.errors import LessonError

HANDED_OUT = ("notebooks/*.ipynb", "docs/*.md", "docs/*.png", "solutions/*.py", "solutions/*.ipynb")
FOR_TEACHERS = "docs/teaching.md"
_NAME = re.compile(r"\d\d_[a-z0-9_]+")


@dataclass(frozen=True)
class Lesson:
    """One lesson of the course that lies in `root`.

    Example:
        >>> lesson = Lesson(Path("course"), "02_leakage_check")
        >>> lesson.number, lesson.title
        ('02', 'leakage check')
        >>> lesson.learner.as_posix()
        'course/notebooks/02_leakage_check.ipynb'
    """

    root: Path
    name: str

    @property
    def number(self) -> str:
        """The two digits that order the lessons and that `--only` takes."""
        return self.name[:2]

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name[3:].replace("_", " ")

    @property
    def source(self) -> Path:
        """The percent script: the only file of a lesson that people edit."""
        return self.root / "solutions" / f"{self.name}.py"

    @property
    def solution(self) -> Path:
        """The executed notebook with the answers."""
        return self.root / "solutions" / f"{self.name}.ipynb"

    @property
    def learner(self) -> Path:
        """The executed notebook with the answers blank."""
        return self.root / "notebooks" / f"{self.name}.ipynb"


def find_lessons(root: Path) -> list[Lesson]:
    """All lessons of a course, in teaching order.

    Args:
        root: the course's folder, which holds `solutions/`.

    Returns:
        One `Lesson` for each source, ordered by number.

    Raises:
        LessonError: there is no source, a source is misnamed, or two have the same number.
    """
    lessons = [Lesson(root, path.stem) for path in sorted((root / "solutions").glob("*.py"))]
    if not lessons:
        raise LessonError(
            f"No lesson found in {root / 'solutions'}. Expected sources named NN_name.py there. "
            "Run the command in a checkout of the course, or set CXR_HOME to one."
        )
    numbers: dict[str, str] = {}
    for lesson in lessons:
        if not _NAME.fullmatch(lesson.name):
            raise LessonError(
                f"{lesson.source} is not named like a lesson. Expected two digits and lower-case words, "
                "as in 02_leakage_check.py. Rename it or move it out of solutions/."
            )
        if lesson.number in numbers:
            raise LessonError(
                f"Two lessons have the number {lesson.number}: {numbers[lesson.number]} and {lesson.name}. "
                "Expected one lesson a number. Rename one of them."
            )
        numbers[lesson.number] = lesson.name
    return lessons


def choose_lessons(lessons: list[Lesson], wanted: list[str]) -> list[Lesson]:
    """The lessons that somebody asked for, in teaching order.

    Args:
        lessons: all lessons of the course.
        wanted: numbers ("2", "02"), names ("02_leakage_check") or paths to one of a lesson's files;
            empty for all of them.

    Returns:
        The chosen lessons, each once.

    Raises:
        LessonError: something asked for is no lesson.

    Example:
        >>> course = [Lesson(Path(), "01_first_look"), Lesson(Path(), "02_leakage_check")]
        >>> [lesson.number for lesson in choose_lessons(course, ["2"])]
        ['02']
    """
    names = {key: lesson.name for lesson in lessons for key in (lesson.number, lesson.name)}
    chosen = set()
    for item in wanted:
        key = Path(item.strip()).stem
        key = key.zfill(2) if key.isdigit() else key
        if key not in names:
            raise LessonError(
                f"There is no lesson {item!r}. Expected a number or a name out of "
                f"{', '.join(lesson.name for lesson in lessons)}."
            )
        chosen.add(names[key])
    return [lesson for lesson in lessons if not chosen or lesson.name in chosen]


def hand_out(root: Path, folder: Path, solutions: bool = True) -> tuple[list[Path], list[Path]]:
    """Copy a course's notebooks, solutions and the pages that they link to.

    Args:
        root: the course's folder.
        folder: where the copies go; what lies there under a name that is needed is kept.
        solutions: whether the answers, and what is for teachers, go along.

    Returns:
        The files that were written, and those that were kept.

    Raises:
        LessonError: nothing can be written there.

    Example:
        >>> import tempfile; root, copy = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
        >>> (root / "docs").mkdir(); (root / "docs" / "glossary.md").write_text("A word.")
        7
        >>> [path.name for path in hand_out(root, copy)[0]]
        ['glossary.md']
    """
    sources = [path for pattern in HANDED_OUT for path in sorted(root.glob(pattern))]
    if not solutions:
        sources = [path for path in sources if path.parent.name != "solutions" and path != root / FOR_TEACHERS]
    targets = {path: folder / path.relative_to(root) for path in sources}
    kept = [target for target in targets.values() if target.exists()]
    written = []
    try:
        for source, target in targets.items():
            if target not in kept:
                target.parent.mkdir(parents=True, exist_ok=True)
                with written_whole(target) as beside:
                    shutil.copyfile(source, beside)
                written.append(target)
    except OSError as error:
        raise LessonError(
            f"{folder} cannot be written to ({error.strerror}). Expected a folder for the lessons. Name another."
        ) from error
    return written, kept
