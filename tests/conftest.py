"""What several tests need: the real X-rays beside the checkout, a cache of their own, the command `cxr`."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cxr_utils.commands import program


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real X-rays (`CXR_REAL_DATA`, or `../shared/real`); who has none skips, and who names none is told."""
    named = os.environ.get("CXR_REAL_DATA")
    folder = Path(named or Path(__file__).parents[2] / "shared" / "real")
    if not folder.is_dir():
        reason = f"no real X-rays at {folder}: set CXR_REAL_DATA to their folder"
        pytest.fail(reason) if named else pytest.skip(reason)
    return folder


@pytest.fixture
def link():
    """Make a link, or skip: Windows lets few people make one."""

    def make(place: Path, target: str | Path) -> None:
        with contextlib.suppress(OSError):
            os.symlink(target, place)
        if not place.is_symlink():
            pytest.skip("this system makes no links for this user")

    return make


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """One cache for the whole module, so that what one test trains another can use."""
    folder = tmp_path_factory.mktemp("work")
    before = os.environ.get("CXR_CACHE")
    os.environ["CXR_CACHE"] = str(folder / "cache")
    yield folder
    os.environ.pop("CXR_CACHE")
    if before:
        os.environ["CXR_CACHE"] = before


@pytest.fixture
def loaded():
    """Run the command in a process of its own: (standard output, the modules that it has loaded)."""

    def call(*arguments):
        code = (
            f"import sys; sys.argv = {['cxr', *arguments]}\n"
            "from cxr_utils.commands.program import main\n"
            "try: main()\n"
            "except SystemExit: print(*sys.modules, file=sys.stderr)"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return result.stdout, set(result.stderr.split())

    return call


@pytest.fixture
def cxr(capsys, monkeypatch):
    """Run the command in this process: (exit status, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["cxr", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            program.main()
        captured = capsys.readouterr()
        return end.value.code or 0, captured.out, captured.err

    return call
