"""The marks as CSV, JSON and a page."""

import csv
import dataclasses
import io
import json
from collections import Counter
from html import escape

from cxr_utils.course.grading.judge import BLANK, NOT_RUN, RIGHT, WRONG, Row

_COLUMNS = [one.name for one in dataclasses.fields(Row)]
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Grades</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem }}
table {{ border-collapse: collapse }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ccc }}
.right {{ background: #e3f1e3 }} .wrong {{ background: #fbe6dd }} .blank, .not-run {{ background: #eee }}
</style>
<h1>Grades</h1>
<p>{head}</p>
<table><tr>{names}</tr>
{rows}
</table></html>
"""


def csv_text(rows: list[Row]) -> str:
    """One line a row; a text that a spreadsheet would take for a formula gets an apostrophe.

    Example:
        >>> print(csv_text([Row("=A1", "a.ipynb", "03_x", "lift", "right")]).splitlines()[1])
        '=A1,a.ipynb,03_x,lift,right,,,
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow([_unread(str(value)) for value in dataclasses.astuple(row)])
    return text.getvalue()


def totals_text(rows: list[Row]) -> str:
    """One line for each notebook: how many exercises are right, and of how many.

    Example:
        >>> print(totals_text([Row("ann", "a.ipynb", "03_x", name, "right") for name in ("lift", "points")]))
        who,file,lesson,right,exercises
        ann,a.ipynb,03_x,2,2
        <BLANKLINE>
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["who", "file", "lesson", "right", "exercises"])
    for key in dict.fromkeys((row.who, row.file, row.lesson) for row in rows):
        marks = [row.status for row in rows if (row.who, row.file, row.lesson) == key and row.exercise]
        writer.writerow([*map(_unread, key), marks.count(RIGHT), len(marks)])
    return text.getvalue()


def _unread(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def json_text(rows: list[Row], **about: object) -> str:
    """The rows, and what is said of all of them."""
    return json.dumps({**about, "rows": [dataclasses.asdict(row) for row in rows]}, indent=1, ensure_ascii=False) + "\n"


def page(rows: list[Row], head: str) -> str:
    """A page without scripts; `head` is a sentence on how the notebooks were run."""
    lines = []
    for row in rows:
        cells = "".join(f"<td>{escape(str(value))}</td>" for value in dataclasses.astuple(row))
        lines.append(f'<tr class="{row.status.replace(" ", "-")}">{cells}</tr>')
    names = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in _COLUMNS)
    return _PAGE.format(head=escape(head), names=names, rows="\n".join(lines))


def counted(rows: list[Row]) -> str:
    """How many rows have each status.

    Example:
        >>> counted([Row("ann", "", "", "lift", "right"), Row("bob", "", "", "lift", "not run")])
        '1 right, 1 not run'
    """
    counts = Counter(row.status for row in rows)
    return ", ".join(f"{counts[status]} {status}" for status in (RIGHT, WRONG, BLANK, NOT_RUN) if counts[status])
