"""The command `cxr`. Every command imports what it needs when it is called, so that `--help` is quick."""

import inspect
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from cxr_utils.commands import check, data, networks
from cxr_utils.commands.doctor import doctor
from cxr_utils.commands.evaluate import evaluate
from cxr_utils.commands.fetch import fetch
from cxr_utils.commands.lessons import build, grade, lessons, run
from cxr_utils.errors import CxrError


def _help(command: Callable[..., None]) -> str:
    """Its docstring; a backspace before the examples tells Click to leave their lines as they are."""
    return inspect.cleandoc(command.__doc__ or "").replace("\nExample", "\n\b\nExample")


app = typer.Typer(
    help="A course on classifying chest X-rays: run it, build it, look at its data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    lessons, build, run, grade, doctor, evaluate, networks.train, networks.pretrain, networks.predict, networks.explain,
):  # fmt: skip
    app.command(help=_help(command))(command)
data_app = typer.Typer(help="Make or fetch a data set, or look at one.", no_args_is_help=True, rich_markup_mode=None)
for look in (data.phantom, fetch, check.check, check.describe, data.leakage):
    data_app.command(help=_help(look))(look)
app.add_typer(data_app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        from cxr_utils import __version__

        print(f"cxr {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """Entry point: an error that the user can mend is one line, not a stack trace."""
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "10")  # seconds; a log file has no use for ten bars a second
    try:
        app()
    except CxrError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
