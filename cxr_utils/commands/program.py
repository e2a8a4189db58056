"""The command `cxr`. Every command imports what it needs when it is called, so that `--help` is quick."""

import errno
import inspect
import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from cxr_utils import __version__
from cxr_utils.errors import CxrError

if TYPE_CHECKING:
    import typer

#: Faults of a folder or a disk, not of the program.
_OF_A_PLACE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOTDIR, errno.EEXIST,
}  # fmt: skip


def _help(command: Callable[..., None]) -> str:
    """Its docstring; a backspace before the examples tells Click to leave their lines as they are."""
    return inspect.cleandoc(command.__doc__ or "").replace("\nExample", "\n\b\nExample")


def app() -> "typer.Typer":
    """The commands. What they need is imported here, where `main` can say that it is missing."""
    import typer

    from cxr_utils.commands import check, data, lessons, networks
    from cxr_utils.commands.doctor import doctor
    from cxr_utils.commands.evaluate import evaluate
    from cxr_utils.commands.fetch import fetch

    app = typer.Typer(
        help="A course on classifying chest X-rays: run it, build it, look at its data.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for command in (
        lessons.lessons, lessons.build, lessons.run, lessons.grade, doctor, evaluate,
        networks.train, networks.pretrain, networks.predict, networks.explain,
    ):  # fmt: skip
        app.command(help=_help(command))(command)
    looks = typer.Typer(help="Make or fetch a data set, or look at one.", no_args_is_help=True, rich_markup_mode=None)
    for look in (data.phantom, fetch, check.check, check.describe, data.leakage):
        looks.command(help=_help(look))(look)
    app.add_typer(looks, name="data")

    def say_version(wanted: bool) -> None:
        if wanted:
            print(f"cxr {__version__}")
            raise typer.Exit

    @app.callback()
    def options(
        version: Annotated[
            bool, typer.Option("--version", callback=say_version, is_eager=True, help="Print it.")
        ] = False,
    ) -> None:
        """What stands before a command."""

    return app


def main() -> None:
    """Entry point: an error that the user can mend is one line, not a stack trace."""
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "10")  # seconds; a log file has no use for ten bars a second
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file that Windows opens holds no Greek: such names show as codes
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()()
    except CxrError as error:
        problem = str(error)
    except ImportError as error:
        if (error.name or "").startswith("cxr_utils"):
            raise
        problem = _missing_package(error)
    except OSError as error:
        if error.errno not in _OF_A_PLACE:
            raise
        problem = _useless_place(error)
    print(f"error: {problem}", file=sys.stderr)
    sys.exit(2)


def _missing_package(error: ImportError) -> str:
    return (
        f"{error}. Expected an environment that holds all that the course needs, whole. In a checkout run `python "
        f"course.py setup`; else run: {sys.executable} -m pip install --force-reinstall {error.name or 'cxr-utils'}"
    )


def _useless_place(error: OSError) -> str:
    from cxr_utils import cache

    return (
        f"{error.filename or 'A file'} cannot be written or read ({error.strerror}). Expected a place with room, where "
        f"files may be made. Data and results go to {cache.home()} or where CXR_HOME and --out say, caches to "
        f"{cache.root()} or where CXR_CACHE says."
    )
