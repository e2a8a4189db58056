"""Where a notebook stopped, and why."""

import re
from dataclasses import dataclass

from nbformat import NotebookNode

_ARROW = re.compile(r"^-+> *\d+ (.*)$", re.MULTILINE)
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
