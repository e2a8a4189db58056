"""A whole class: submissions side by side, a line of progress each, and the marks in three forms."""

import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path

from cxr_utils.cache import write_text
from cxr_utils.course.grading.judge import NOT_RUN, Row, grade
from cxr_utils.course.grading.sandbox import Limits, Walls, find_walls
from cxr_utils.course.grading.submissions import OWN, Submission, read_all, tasks
from cxr_utils.course.grading.table import counted, csv_text, json_text, page, totals_text
from cxr_utils.course.lessons import Lesson
from cxr_utils.course.watch import side_by_side


def grade_class(
    folder: Path, out: Path, lessons: list[Lesson], limits: Limits, jobs: int = 0, say: Callable[[str], None] = print
) -> list[Row]:
    """Grade every submission of a folder, and write `grades.csv`, `totals.csv`, `grades.json` and `grades.html`.

    Args:
        folder: what was handed in.
        out: where the marks go; it exists.
        lessons: of the course.
        limits: what a submission may use.
        jobs: submissions at once; as many as there are cores where it is 0.
        say: takes a line of progress for each submission.

    Returns:
        One row for each exercise of each submission, in the order of the files.

    Raises:
        LessonError: there is nothing to grade.
    """
    start = time.perf_counter()
    submissions = read_all(folder, tasks(lessons))
    walls = find_walls()
    say(f"{len(submissions)} files; {walls}")
    class_ = _Class(walls, limits, say, len(submissions))
    side_by_side(submissions, jobs or os.cpu_count() or 1, class_.begin, class_.end, lambda: None)
    rows = [row for one in submissions for row in class_.rows[one.file]]
    head = f"{counted(rows)}. How the notebooks were run: {walls}; {limits.seconds:g} s a step, {limits.memory} MB."
    about = {"walls": dataclasses.asdict(walls), "limits": dataclasses.asdict(limits)}
    texts = (
        csv_text(rows),
        totals_text(rows),
        json_text(rows, **about, seconds=round(time.perf_counter() - start, 1)),
        page(rows, head),
    )
    for name, text in zip(OWN, texts, strict=True):
        write_text(out / name, text)
    return rows


class _Class:
    """The rows so far."""

    def __init__(self, walls: Walls, limits: Limits, say: Callable[[str], None], count: int) -> None:
        self.rows: dict[str, list[Row]] = {}
        self._walls, self._limits, self._say, self._count = walls, limits, say, count
        self._done = 0

    def begin(self, submission: Submission) -> Callable[[], None]:
        def work() -> None:
            self.rows[submission.file] = grade(submission, self._walls, self._limits)

        return work

    def end(self, submission: Submission, error: Exception | None) -> None:
        if error is not None:  # a fault of the grader costs one row, too
            told = f"the grader failed: {type(error).__name__}: {error}"
            self.rows[submission.file] = [Row(submission.who, submission.file, "", "", NOT_RUN, told)]
        self._done += 1
        rows = self.rows[submission.file]
        which = f"{submission.who[:30]:30} {rows[0].lesson[:24]:24}"
        self._say(f"{self._done:4d}/{self._count}  {which}  {counted(rows)}")
