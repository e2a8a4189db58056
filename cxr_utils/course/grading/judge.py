"""One verdict for each exercise of a submission: the functions run inside, the comparing is done here."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import cxr_utils.checks as checks
from cxr_utils.checks.exercise import EXERCISES, NOT_ANSWERED, judge
from cxr_utils.checks.results import one_line
from cxr_utils.course.grading.sandbox import Limits, Sandbox, Stopped, Walls
from cxr_utils.course.grading.submissions import Submission

RIGHT, WRONG, BLANK, NOT_RUN = "right", "wrong", "blank", "not run"
_MOST_STARTS, _MOST_REMARKS = 8, 40


@dataclass(frozen=True)
class Row:
    """A line of the table of marks.

    Attributes:
        who, file: whose, and which file.
        lesson, exercise: "" where the file is no notebook of the course.
        status: right, wrong, blank or not run.
        said: what the check said of a wrong answer, or why it was not run.
        check_cell: unchanged, changed or removed.
        remark: what else is odd about the notebook.
    """

    who: str
    file: str
    lesson: str
    exercise: str
    status: str
    said: str = ""
    check_cell: str = ""
    remark: str = ""


def grade(submission: Submission, walls: Walls, limits: Limits) -> list[Row]:
    """The rows of one submission; whatever it does, there are some.

    Args:
        submission: as it was read.
        walls: what it runs behind.
        limits: what it may use.
    """
    if not submission.task:
        return [Row(submission.who, submission.file, "", "", NOT_RUN, f"the file {submission.problem}.")]
    found = _Judging(submission, limits)
    for _ in range(_MOST_STARTS):
        if found.go_through(walls):
            break
    remark = "; ".join(dict.fromkeys([*submission.remarks, *found.remarks]))
    lesson = submission.task.lesson.name
    rows = []
    for name in submission.task.exercises:
        status, said = found.verdicts.get(name, (NOT_RUN, "the notebook ended, again and again, before this answer"))
        rows.append(Row(submission.who, submission.file, lesson, name, status, said, submission.checks[name], remark))
    return rows


class _Judging:
    """What is known of a submission so far; it begins anew behind each statement or answer that ended its process."""

    def __init__(self, submission: Submission, limits: Limits) -> None:
        assert submission.task
        self.verdicts: dict[str, tuple[str, str]] = {}
        self.remarks: list[str] = []
        self._limits, self._skipped = limits, list[int]()
        self._exercise, self._step = "", dict[str, Any]()  # what is at work
        self._exercises = [*submission.task.exercises]
        self._job = {
            "cells": submission.cells,
            "course": [*submission.task.cells.values()],
            "exercises": self._exercises,
            "limits": dataclasses.asdict(limits),
        }

    def go_through(self, walls: Walls) -> bool:
        """Run the notebook; False where it was ended before its end, and is worth going through again."""
        self._exercise, self._step = "", {}
        judged = {name: status == RIGHT for name, (status, _) in self.verdicts.items()}
        try:
            with Sandbox(walls, self._limits) as inside:
                inside.say(**self._job, judged=judged, skipped=self._skipped)
                while (message := inside.hear()).get("kind") != "end":
                    self._take(message, inside)
        except Stopped as stop:
            return self._note(str(stop))
        return True

    def _take(self, message: dict, inside: Sandbox) -> None:
        kind, name = message.get("kind"), str(message.get("name"))
        if kind == "remark" and len(self.remarks) >= _MOST_REMARKS:
            raise Stopped("wrote where only the grader's own words go")
        if kind == "step":
            self._step = message
        elif kind == "remark":
            self.remarks.append(one_line(str(message.get("text"))))
        elif kind in ("lost", "answer") and name in self._exercises and name not in self.verdicts:
            if kind == "lost":
                self.verdicts[name] = NOT_RUN, one_line(str(message.get("why")))
                return
            self._exercise = name
            self.verdicts[name] = self._judge(name, inside, message.get("blank") is True)
            self._exercise = ""
            inside.say(right=self.verdicts[name][0] == RIGHT)
        elif kind != "lost" or name not in self.verdicts:
            raise Stopped("wrote where only the grader's own words go")

    def _judge(self, name: str, inside: Sandbox, blank: bool) -> tuple[str, str]:
        getattr(checks, name)  # reads the file that fills EXERCISES
        try:
            fault, _ = judge(EXERCISES[name], inside.call, blank)
        except Exception as error:  # what came back is of no shape that the check has thought of
            return NOT_RUN, one_line(f"what it returned could not be compared ({type(error).__name__}: {error})")
        return (BLANK, "") if fault.startswith(NOT_ANSWERED) else (WRONG, fault) if fault else (RIGHT, "")

    def _note(self, reason: str) -> bool:
        """Write down what ended the process; True where nothing is to be gained by another start."""
        if self._exercise:
            self.verdicts[self._exercise] = NOT_RUN, f"`{self._exercise}` {reason}"
            return False
        if not self._step:
            waiting = [name for name in self._exercises if name not in self.verdicts]
            self.verdicts |= {name: (NOT_RUN, f"before the first statement the notebook {reason}") for name in waiting}
            return True
        self._skipped.append(self._step["number"])
        where = f"code cell {self._step.get('cell')}, `{one_line(str(self._step.get('line')))}`"
        self.remarks.append(f"{where} {reason}; it was left out")
        return False
