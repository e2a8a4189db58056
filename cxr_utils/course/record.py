"""What a run has found: where a lesson failed, and one result a lesson, kept in `run.json` and shown as a table."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from nbformat import NotebookNode

from cxr_utils.cache import write_text
from cxr_utils.checks.claim import FAILED, HEADLINE, HELD, NOT_APPLICABLE

_ARROW = re.compile(r"^-+> *\d+ (.*)$", re.MULTILINE)
_ADDED_UP = ("seconds", "held", "failed", "not_applicable")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Failure:
    """The cell that failed, by the number that Jupyter shows, its line, and what it raised."""

    cell: int
    line: str
    error: str
    traceback: str

    @classmethod
    def of(cls, notebook: NotebookNode, error: Exception, started: int) -> "Failure":
        """Read it from a notebook that stopped.

        Args:
            notebook: as far as it was executed.
            error: what the executing program raised; nbclient and papermill give `ename` and `evalue` when a
                cell did, and neither when the kernel died.
            started: how many code cells had started; a kernel that dies leaves its cell without a number.
        """
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        raised = [(cell, o) for cell in code for o in cell.outputs if o.output_type == "error"]
        if raised:
            cell, output = raised[0]
            number = cell.execution_count
            text = f"{output.ename}: {output.evalue}"
            traceback = _COLOUR.sub("", "\n".join(output.traceback))
        else:
            number = max(started, 1)
            cell = [cell for cell in code if cell.source.strip()][number - 1]
            text, traceback = f"{type(error).__name__}: {error}", ""
        lines = [*_ARROW.findall(traceback)[:1], *cell.source.strip().splitlines()[:1], ""]
        return cls(number, lines[0].strip(), " ".join(text.split()), traceback)

    def __str__(self) -> str:
        return f"cell [{self.cell}]: {self.error}\n{self.traceback}".rstrip()


@dataclass(frozen=True)
class Result:
    """How one lesson ended.

    Attributes:
        lesson: its name.
        key: hash of its text and of the parameters; a result counts only for the same key.
        error: None when the lesson finished, else the cell and the error.
        seconds: wall-clock time.
        peak_mb: the most memory its kernel held, sampled twice a second.
        held, failed, not_applicable: numbers of claims.
        headline: the lesson's figure for the table, "" when it names none.
    """

    lesson: str
    key: str
    error: str | None
    seconds: float
    peak_mb: int
    held: int
    failed: int
    not_applicable: int
    headline: str

    @property
    def claims(self) -> str:
        """Claims held out of those that apply to the data.

        Example:
            >>> Result("02_x", "", None, 1.0, 90, held=3, failed=0, not_applicable=1, headline="").claims
            '3/3 (1 n/a)'
        """
        aside = f" ({self.not_applicable} n/a)" if self.not_applicable else ""
        return f"{self.held}/{self.held + self.failed}{aside}"


def read_outputs(notebook: NotebookNode) -> tuple[int, int, int, str]:
    """The claims and the headline that a notebook printed.

    Args:
        notebook: executed, wholly or in part.

    Returns:
        How many claims held, failed and did not apply, and the last headline, "" without one.
    """
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    lines = [line for o in outputs if o.get("name") == "stdout" for line in o.text.splitlines()]
    held, failed, aside = (sum(line.startswith(mark) for line in lines) for mark in (HELD, FAILED, NOT_APPLICABLE))
    headlines = ["", *(line.removeprefix(HEADLINE) for line in lines if line.startswith(HEADLINE))]
    return held, failed, aside, headlines[-1]


def read_record(path: Path, run: dict) -> dict[str, Result]:
    """The results in a `run.json`, by lesson.

    Args:
        path: the file.
        run: what all lessons share, as in `write_record`.

    Returns:
        Nothing when there is no such file, another program wrote it, or its lessons were run with other settings.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        results = [Result(**row) for row in record.pop("lessons")]
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
        return {}
    return {result.lesson: result for result in results} if record == run else {}


def write_record(path: Path, run: dict, results: dict[str, Result]) -> None:
    """Write `run.json`.

    Args:
        path: the file.
        run: what all lessons share: data, profile, seed and where they come from.
        results: by lesson; they are written in teaching order.
    """
    rows = [asdict(results[name]) for name in sorted(results)]
    write_text(path, json.dumps({**run, "lessons": rows}, indent=1, ensure_ascii=False) + "\n")


def table(results: list[Result]) -> str:
    """The closing table of a run.

    Example:
        >>> print(table([Result("02_leaks", "", None, 41.2, 900, 3, 0, 1, "AUC 0.80")]))
        lesson                    seconds  claims        headline
        02 leaks                     41.2  3/3 (1 n/a)   AUC 0.80
        all                          41.2  3/3 (1 n/a)
    """
    lines = [f"{'lesson':24}  {'seconds':>7}  {'claims':12}  headline"]
    for r in results:
        name = f"{r.lesson[:2]} {r.lesson[3:].replace('_', ' ')}"
        end = f"FAILED in {r.error}" if r.error else r.headline
        lines.append(f"{name:24}  {r.seconds:7.1f}  {r.claims:12}  {end}".rstrip())
    together = total(results)
    return "\n".join([*lines, f"{'all':24}  {together.seconds:7.1f}  {together.claims}"])


def total(results: list[Result]) -> Result:
    """Seconds and claims of all results, as one."""
    seconds, held, failed, aside = (sum(getattr(r, name) for r in results) for name in _ADDED_UP)
    return Result("all", "", None, seconds, 0, held, failed, aside, "")
