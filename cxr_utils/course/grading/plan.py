"""Which statements of a handed-in notebook run when it is graded, and where its answers are judged.

A check needs the learner's function and what that function uses, and no lesson's data. So of the statements that are
the course's own, only those run from which an answer takes a name. Of the learner's own all run; those that no answer
needs may fail, as they do where they look at the lesson's data.
"""

import ast
import re
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cxr_utils.checks.results import one_line

_DEEPEST_LINE = 20_000  # characters; Python's own parser may end the process on endlessly nested text


class Cell(NamedTuple):
    """A code cell: its number among the code cells of the notebook, 0 for the course's, and its text.

    Args:
        exercise: whose answer is to stand in it, by the cell's id; "" for other cells.
    """

    number: int
    source: str
    exercise: str = ""


@dataclass
class Step:
    """A statement on its way to be run."""

    cell: Cell
    node: ast.stmt
    own: bool
    check: str = ""  # the exercise that is judged here
    needed: bool = False

    @property
    def line(self) -> str:
        """Its first line, for messages."""
        return one_line(ast.unparse(self.node).splitlines()[0])


@dataclass
class Plan:
    """What runs, in this order.

    Attributes:
        steps: statements and, among them, the places where an answer is judged.
        lost: exercises that cannot be judged, and why.
        remarks: what else is wrong with cells.
    """

    steps: list[Step] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def plan(cells: Sequence[Cell], course: Sequence[str], exercises: Sequence[str]) -> Plan:
    r"""Choose and order statements.

    Args:
        cells: the code cells that were handed in.
        course: the code cells of the course's own copy; statements missing in `cells` come from here.
        exercises: names of the functions that are asked for, in order.

    Returns:
        Each exercise is judged once, behind its last definition or its last check, whichever comes later.

    Example:
        >>> cells = [Cell(1, "import math, os"), Cell(2, "def area(r):\n    return math.pi * r**2"), Cell(3, "1 / 0")]
        >>> [(step.line, step.needed) for step in plan(cells, ["import math, os"], ["area"]).steps]
        [('import math, os', True), ('def area(r):', True), ('area', True), ('1 / 0', False)]
    """
    made = Plan()
    wanted = set(exercises)
    known = [node for text in course for node in ast.parse(text).body]
    shapes = {ast.dump(node) for node in known}
    for cell in cells:
        try:
            nodes = _parse(cell.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            _note_unreadable(made, cell, error, exercises)
            continue
        made.steps += [Step(cell, node, ast.dump(node) not in shapes) for node in nodes]
    _add_missing(made.steps, [node for node in known if not _names_defined(node) & wanted and not _checks(node)])
    for name in exercises:
        _place_check(made, name)
    made.steps = [step for step in made.steps if step.check or not _checks(step.node) & wanted]
    _mark_needed(made.steps)
    made.steps = [step for step in made.steps if step.needed or step.own]
    return made


def _parse(source: str) -> list[ast.stmt]:
    """The statements of a cell; lines for IPython, such as %timeit, become calls."""
    if max(map(len, source.splitlines()), default=0) > _DEEPEST_LINE:
        raise ValueError(f"a line is longer than {_DEEPEST_LINE:,} characters")
    if source.lstrip().startswith("%%"):  # %%time runs its cell, %%bash is another language
        source = source.lstrip()
        source = source.partition("\n")[2] if re.match(r"%%(time|timeit|capture|prun)\b", source) else ""
    try:
        return ast.parse(source).body
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        return ast.parse(TransformerManager().transform_cell(source)).body


def _note_unreadable(made: Plan, cell: Cell, error: BaseException, exercises: Sequence[str]) -> None:
    where = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno else ""
    told = f"{where}{error.msg if isinstance(error, SyntaxError) else one_line(str(error)) or type(error).__name__}"
    lost = [name for name in exercises if name == cell.exercise or f"def {name}(" in cell.source]
    made.lost |= {name: f"code cell {cell.number} is no valid Python ({told})" for name in lost}
    if not lost:
        made.remarks.append(f"code cell {cell.number} is no valid Python ({told})")


def _add_missing(steps: list[Step], known: list[ast.stmt]) -> None:
    """Put the course's statements that were deleted or changed behind the one that they follow in the course."""
    place = 0
    for node in known:
        shape = ast.dump(node)
        there = next((n for n, step in enumerate(steps) if not step.own and ast.dump(step.node) == shape), None)
        if there is None:
            steps.insert(place, Step(Cell(0, ""), node, own=False))
            there = place
        place = there + 1


def _place_check(made: Plan, name: str) -> None:
    """Judge an exercise behind its last definition and its last check; say why it is lost where there is none."""
    defined = [place for place, step in enumerate(made.steps) if _defines(step.node, name)]
    if not defined:
        inside = [step.node.name for step in made.steps
                  if step.cell.exercise == name and isinstance(step.node, ast.FunctionDef)]  # fmt: skip
        other = f"; its cell defines `{inside[0]}`, and the name must stay" if inside else ""
        made.lost.setdefault(name, f"no function `{name}` is in the notebook{other}")
        return
    made.lost.pop(name, None)
    checked = [place for place, step in enumerate(made.steps) if name in _checks(step.node)]
    place = max([defined[-1], *checked[-1:]])
    made.steps.insert(place + 1, Step(made.steps[defined[-1]].cell, ast.parse(name).body[0], True, name, True))


def _defines(node: ast.stmt, name: str) -> bool:
    """Whether a statement makes the function, and does not only keep some result under its name."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name == name
    function = isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda | ast.Name)
    return function and name in _names_defined(node)


def _names_defined(node: ast.stmt) -> set[str]:
    return _names(node)[0]


def _checks(node: ast.stmt) -> set[str]:
    """The exercise that a statement checks as the course does: `name = checks.name(name)`."""
    if not isinstance(node, ast.Assign | ast.Expr) or not isinstance(node.value, ast.Call):
        return set()
    function = node.value.func
    return {function.attr} if isinstance(function, ast.Attribute) and ast.unparse(function.value) == "checks" else set()


def _mark_needed(steps: list[Step]) -> None:
    """Mark what the answers use, and what that uses, and so on."""
    names = [({step.check}, {step.check}) if step.check else _names(step.node) for step in steps]
    importing = [isinstance(step.node, ast.Import | ast.ImportFrom) for step in steps]
    modules = {name for (writes, _), imports in zip(names, importing, strict=True) if imports for name in writes}
    judged = {step.check for step in steps if step.check}
    needed, grown = set(judged), True
    while grown:
        grown = False
        for step, (writes, reads), imports in zip(steps, names, importing, strict=True):
            makes = writes if imports else writes - modules  # `plots.gallery()` does not change `plots`
            if step.needed or not makes & needed:
                continue
            if step.own or not makes & judged or _is_stub(step, judged):
                step.needed = grown = True
                needed |= reads


def _is_stub(step: Step, judged: set[str]) -> bool:
    return any(_defines(step.node, name) for name in judged)


def _names(node: ast.stmt) -> tuple[set[str], set[str]]:
    """The names of the notebook that a statement makes or changes, and those that it uses, also in its functions."""
    table = symtable.symtable(ast.unparse(node), "cell", "exec")
    writes = {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}
    reads = {one.get_name() for one in table.get_symbols() if one.is_referenced()}
    for scope in _scopes(table):
        free = [one for one in scope.get_symbols() if one.is_global()]
        reads |= {one.get_name() for one in free if one.is_referenced()}
        writes |= {one.get_name() for one in free if one.is_declared_global() and one.is_assigned()}
    return writes | set(_changed(node)), reads


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _scopes(child)


def _changed(node: ast.AST) -> Iterator[str]:
    """Names of what is changed in place outside functions: `table["a"] = 1`, `taken.append(3)`."""
    stored = isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)
    called = node.value.func if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
    root: ast.AST | None = node if stored else called if isinstance(called, ast.Attribute) else None
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    if isinstance(root, ast.Name):
        yield root.id
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for inner in ast.iter_child_nodes(node):
            yield from _changed(inner)
