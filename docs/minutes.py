"""Write the table of minutes into docs/teaching.md.

    .venv/bin/python docs/minutes.py runs/phantom-quick-seed0

Seconds are those of a run of `cxr run`, which papermill notes for each cell. Minutes are estimates: those in the header
of a lesson, shared out by what a section asks for.
"""

import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from cxr_utils.course.derive import BEGIN, marked_notebook
from cxr_utils.course.lessons import Lesson, find_lessons

HERE = Path(__file__).resolve().parent
PAGE = HERE / "teaching.md"
WORDS_A_MINUTE, LINES_A_MINUTE, AN_EXERCISE, A_PREDICTION = 180, 15, 5, 1.5
_BLOCK = re.compile(r"(<!-- minutes: derived by docs/minutes.py -->\n).*?(<!-- end of minutes -->)", re.S)


def effort(cells: list[NotebookNode]) -> float:
    """Minutes that a section would take at a steady pace."""
    text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    shown = [cell for cell in cells if cell.cell_type == "code" and "plumbing" not in cell.metadata.get("tags", [])]
    lines = sum(len(cell.source.splitlines()) for cell in shown)
    reading = len(text.split()) / WORDS_A_MINUTE + lines / LINES_A_MINUTE
    exercises, predictions = sum(BEGIN in cell.source for cell in shown), text.count("**Predict")
    return reading + AN_EXERCISE * exercises + A_PREDICTION * predictions


def sections(cells: list[NotebookNode]) -> dict[str, list[NotebookNode]]:
    """Heading to its cells; a text cell with a heading in its middle is two."""
    found: dict[str, list[NotebookNode]] = {"Beginning": []}
    for cell in cells:
        if cell.cell_type == "code":
            found[list(found)[-1]].append(cell)
            continue
        for piece in re.split(r"^(?=## )", cell.source, flags=re.MULTILINE):
            if piece.startswith("## "):
                found[piece.splitlines()[0][3:]] = []
            found[list(found)[-1]].append(new_markdown_cell(piece))
    return found


def rows(lesson: Lesson, run: Path) -> list[str]:
    """A line for the lesson and one for each section."""
    text = lesson.source.read_text(encoding="utf-8")
    parts = sections(marked_notebook(text, lesson.name).cells)
    whole = int(re.search(r"\*\*Time:\*\* (\d+) minutes", text)[1])
    executed = sorted(run.glob(f"{lesson.name}*.ipynb"))
    seconds = durations(executed[0]) if executed else {}
    measured = {name: sum(seconds.get(cell.id, 0) for cell in part) for name, part in parts.items()}
    efforts = {name: effort(part) for name, part in parts.items()}
    lines = [f"| **{lesson.number} {lesson.title}** | **{whole}** | **{sum(measured.values()):.0f}** |"]
    for name, share in efforts.items():
        minutes = whole * share / sum(efforts.values())
        lines.append(f"| {name} | {'< 1' if minutes < 0.5 else f'{minutes:.0f}'} | {measured[name]:.0f} |")
    return lines


def durations(path: Path) -> dict[str, float]:
    """Seconds of each cell by its id."""
    cells = nbformat.read(path, as_version=4).cells
    return {cell.id: cell.metadata.get("papermill", {}).get("duration") or 0 for cell in cells}


def main(run: Path) -> None:
    table = ["| lesson, section | minutes (estimate) | seconds of the run |", "|:--|--:|--:|"]
    for lesson in find_lessons(HERE.parent):
        table += rows(lesson, run)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_BLOCK.sub(lambda found: found[1] + "\n".join(table) + "\n" + found[2], page), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
