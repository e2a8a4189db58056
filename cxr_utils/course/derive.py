"""From a lesson's source to its two notebooks, as yet unexecuted.

The answer of an exercise stands in the source between two marker lines, inside a function::

    def positive_rate(labels):
        ### BEGIN SOLUTION
        return labels.mean(axis=0)
        ### END SOLUTION

The solution keeps the answer and loses the markers. The learner's copy has a stub in its place, so that the
function returns None, and what a cell tagged "answer" puts out is folded until the learner asks for it. Everything else
is the same in both. Source: the markers are those of nbgrader and otter.
"""

import ast
import hashlib
import re
from dataclasses import dataclass

import jupytext
import nbformat
from nbformat import NotebookNode

from cxr_utils.errors import LessonError

STUB = "...  # your answer here"
PARAMETERS = "parameters"
#: Tags of cells that are folded: plumbing in both copies, what answers a question in the learner's until it is opened.
PLUMBING, ANSWER = "plumbing", "answer"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_CELL = re.compile(r"# %%")
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class _Blank:
    """The lines of one answer: indices of its two marker lines in the source."""

    begin: int
    end: int
    indent: str


def solution_notebook(text: str, name: str) -> NotebookNode:
    """The notebook with the answers.

    Args:
        text: a lesson's source in jupytext's percent format.
        name: the lesson's name, for messages and cell ids.

    Returns:
        An unexecuted notebook, the same at every call.

    Raises:
        LessonError: the source has no exercise, a marker without its partner or outside a function, or no
            cell tagged "parameters"; the message names the file and the line.
    """
    lines = text.split("\n")
    markers = {line for blank in _find_blanks(lines, name) for line in (blank.begin, blank.end)}
    return _notebook([line for number, line in enumerate(lines) if number not in markers], name)


def learner_notebook(text: str, name: str) -> NotebookNode:
    r"""The notebook with a stub in place of each answer; arguments and errors as `solution_notebook`.

    Example:
        >>> source = (
        ...     '# %% tags=["parameters"]\ndata = "phantom"\n\n# %%\ndef double(x):\n'
        ...     '    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n'
        ... )
        >>> print(learner_notebook(source, "01_doubling").cells[1].source)
        def double(x):
            ...  # your answer here
        >>> print(solution_notebook(source, "01_doubling").cells[1].source)
        def double(x):
            return 2 * x
    """
    lines = text.split("\n")
    answer_lines: set[int] = set()
    for blank in _find_blanks(lines, name):
        lines[blank.begin] = blank.indent + STUB
        answer_lines.update(range(blank.begin + 1, blank.end + 1))
    notebook = _notebook([line for number, line in enumerate(lines) if number not in answer_lines], name)
    for cell in notebook.cells:
        if ANSWER in cell.metadata.get("tags", []):
            cell.metadata.setdefault("jupyter", nbformat.from_dict({}))["outputs_hidden"] = True
    return notebook


def marked_notebook(text: str, name: str) -> NotebookNode:
    """The notebook with each answer between its two marker lines; arguments and errors as `solution_notebook`."""
    lines = text.split("\n")
    _find_blanks(lines, name)  # what is no valid source is refused here, too
    return _notebook(lines, name)


def to_text(notebook: NotebookNode) -> str:
    """The bytes of a notebook file, as text: the same for the same notebook, on every machine.

    Args:
        notebook: a notebook as made here, executed or not.

    Returns:
        JSON with sorted keys, ending in a line feed.
    """
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def _refuse(name: str, line: int, problem: str) -> LessonError:
    return LessonError(f"solutions/{name}.py, line {line + 1}: {problem}")


def _find_blanks(lines: list[str], name: str) -> list[_Blank]:
    """Pair the markers; anything that looks like one and is none would hand learners the answer."""
    blanks: list[_Blank] = []
    begin: int | None = None
    for number, line in enumerate(lines):
        if begin is not None and (_CELL.match(line) or line.strip() == BEGIN):
            break
        if line.strip() == BEGIN:
            begin = number
        elif line.strip() == END:
            blanks.append(_pair(lines, begin, number, name))
            begin = None
        elif "BEGIN SOLUTION" in line or "END SOLUTION" in line:
            expected = f"Expected a line that holds nothing but '{BEGIN}' or '{END}'."
            raise _refuse(name, number, f"{line.strip()!r} is no marker. {expected} Correct it, or reword it.")
    if begin is not None:
        raise _refuse(name, begin, f"this '{BEGIN}' has no end. Expected '{END}' in the same cell. Add it.")
    if not blanks:
        raise LessonError(
            f"solutions/{name}.py has no exercise. Expected an answer between '{BEGIN}' and '{END}' in a "
            "function. Add one."
        )
    _check_functions(lines, blanks, name)
    return blanks


def _pair(lines: list[str], begin: int | None, end: int, name: str) -> _Blank:
    if begin is None:
        expected = f"Expected '{BEGIN}' above it in the same cell."
        raise _refuse(name, end, f"'{END}' without a beginning. {expected} Add it, or remove this line.")
    indent = lines[begin][: lines[begin].index("#")]
    if not lines[end].startswith(f"{indent}#"):
        expected = "Expected both in the same block."
        raise _refuse(name, end, f"'{END}' is not indented like its beginning. {expected} Indent it likewise.")
    return _Blank(begin, end, indent)


def _check_functions(lines: list[str], blanks: list[_Blank], name: str) -> None:
    """Each answer stands in a function that, without it, returns nothing."""
    blanked = lines.copy()  # as long as the source, so that line numbers stay its own
    for blank in blanks:
        blanked[blank.begin : blank.end + 1] = [blank.indent + STUB] + [""] * (blank.end - blank.begin)
    starts = sorted({0, *(number for number, line in enumerate(lines) if _CELL.match(line))})
    for first, last in zip(starts, [*starts[1:], len(lines)], strict=True):
        answers = [blank.begin for blank in blanks if first <= blank.begin < last]
        if answers:
            _check_cell(blanked[first:last], first, answers, name)


def _check_cell(lines: list[str], first: int, answers: list[int], name: str) -> None:
    """`lines` are a cell that starts at line `first` of the source, with stubs at lines `answers` of it."""
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError as error:
        problem = f"the cell is no valid Python once the answer is blank ({error.msg})."
        expected = "Expected a whole function around the answer, and no magics in its cell."
        raise _refuse(name, answers[0], f"{problem} {expected} Move the markers.") from error
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for answer in answers:
        around = [f for f in functions if f.lineno <= answer - first + 1 <= (f.end_lineno or 0)]
        if not around:
            expected = "Expected the markers in the body of one, so that its blank form returns nothing."
            raise _refuse(name, answer, f"the answer stands outside a function. {expected} Move them.")
        innermost = around[-1]  # ast.walk goes from the outside in
        if any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(innermost)):
            problem = f"{innermost.name}() returns a value even when the answer is blank."
            raise _refuse(name, answer, f"{problem} Expected nothing then. Move its return above '{END}'.")


def _notebook(lines: list[str], name: str) -> NotebookNode:
    """Read a percent script; keep of its metadata only what has a meaning here."""
    notebook = jupytext.reads("\n".join(lines), fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"kernelspec": _KERNEL, "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell.id = hashlib.sha256(f"{name}:{index}".encode()).hexdigest()[:12]
        tags = cell.metadata.get("tags")
        folded = {"jupyter": {"source_hidden": True}} if PLUMBING in (tags or []) else {}
        cell.metadata = nbformat.from_dict(({"tags": tags} if tags else {}) | folded)
    check_parameters(notebook, f"solutions/{name}.py")
    return notebook


def check_parameters(notebook: NotebookNode, where: str) -> None:
    """Papermill puts parameters before the first cell when none is tagged, where the lesson overrules them.

    Args:
        notebook: the notebook that is to take parameters.
        where: the file it comes from, for the message.

    Raises:
        LessonError: not exactly one code cell has the tag "parameters".
    """
    tagged = [c for c in notebook.cells if c.cell_type == "code" and PARAMETERS in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise LessonError(
            f'{where} has {len(tagged)} code cells with the tag "{PARAMETERS}". Expected one, with data, '
            f'profile and seed. Mark it with `# %% tags=["{PARAMETERS}"]`.'
        )
