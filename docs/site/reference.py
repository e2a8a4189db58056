"""The reference as pages: one for each room with all that it hands on, one for the program `cxr`."""

import inspect
import re
import sys
from types import ModuleType
from typing import Any

import typer
from sphinx.pycode import ModuleAnalyzer

import cxr_utils
from cxr_utils.commands.program import app
from cxr_utils.course.lessons import Lesson


def rooms() -> dict[str, ModuleType]:
    """Name -> room, of those that hand on names, from the ground up."""
    found = {name: getattr(cxr_utils, name) for name in cxr_utils.__all__ if inspect.ismodule(getattr(cxr_utils, name))}
    return {name: room for name, room in found.items() if hasattr(room, "__all__")}


def room_page(name: str, room: ModuleType, lessons: list[Lesson]) -> str:
    """A room's page in reStructuredText: what it is for, a table of its names, then each of them."""
    sources = {lesson: lesson.source.read_text(encoding="utf-8") for lesson in lessons}
    page = [_title(name, "="), f".. automodule:: {room.__name__}\n   :no-members:\n"]
    functions = [public for public in room.__all__ if callable(getattr(room, public))]
    page += [".. autosummary::\n   :nosignatures:\n", *(f"   {public}" for public in functions), ""]
    for public in room.__all__:
        page += [_title(f"``{public}``", "-"), _entry(room, public), _seen(name, public, sources)]
    return "\n".join(page)


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _entry(room: ModuleType, public: str) -> str:
    thing = getattr(room, public)
    if inspect.isclass(thing):
        return f".. autoclass:: {room.__name__}.{public}\n   :members:\n"
    if callable(thing):
        return f".. autofunction:: {room.__name__}.{public}\n"
    value = f"   :value: {thing}\n" if isinstance(thing, tuple) else ""
    return f".. py:data:: {public}\n   :module: {room.__name__}\n{value}\n   {_said_of(room, public)}\n"


def _seen(room: str, public: str, sources: dict[Lesson, str]) -> str:
    """The lessons that use a name, where it is seen at work."""
    used = re.compile(rf"\b({room}|cxr)\.{public}\b")
    links = [
        f":doc:`{lesson.number} </notebooks/{lesson.name}>`" for lesson, text in sources.items() if used.search(text)
    ]
    return f"Seen at work in lesson {', '.join(links)}.\n" if links else ""


def _said_of(room: ModuleType, constant: str) -> str:
    """The comment `#:` above a constant, in a file of its room or of another; Python itself keeps none."""
    files = [name for name in sys.modules if name.startswith("cxr_utils")]
    for module in sorted(files, key=lambda name: not name.startswith(room.__name__)):
        comments = ModuleAnalyzer.for_module(module).find_attr_docs()
        if ("", constant) in comments:
            return " ".join(comments["", constant]).strip()
    raise SystemExit(f"error: {constant} has no comment. Expected a line `#: ...` above it, for the reference. Add it.")


def program_page() -> str:
    """The program `cxr`: what each of its commands says of itself with `--help`."""
    page = ["# The program `cxr`\n", "Each command says this of itself with `--help`.\n"]
    for path, context in _commands(typer.main.get_command(app()), "cxr", None):
        page.append(f"## `{path}`\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(page)


def _commands(command: Any, name: str, above: Any) -> list[tuple[str, Any]]:
    """Each command that does something, also those of groups, with its context; typer may bring a Click of its own."""
    context = command.context_class(command, info_name=name, parent=above)
    if not hasattr(command, "commands"):
        return [(context.command_path, context)]
    return [leaf for below, one in command.commands.items() for leaf in _commands(one, below, context)]
