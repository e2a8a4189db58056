"""An instructor's way: a source opened as a notebook in JupyterLab, edited there, and saved as text again."""

import contextlib
import difflib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cxr_utils.cache import home

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a system Chromium: apt-get install chromium")
LESSON = "01_data_visualization.py"


@pytest.fixture
def course(tmp_path) -> Path:
    """A copy of what JupyterLab needs to see: one source, and the project's jupytext settings."""
    (tmp_path / "solutions").mkdir()
    shutil.copy(home() / "solutions" / LESSON, tmp_path / "solutions")
    shutil.copy(home() / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def lab(course) -> str:
    """Address of a JupyterLab on that copy, which ends with the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={course}"]
    command += ["--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True"]
    own = {name: str(course / ".jupyter" / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    server = subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server)
        yield f"http://127.0.0.1:{port}/lab?token={token}"
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address: str, server: subprocess.Popen) -> None:
    for _ in range(300):
        assert server.poll() is None, "JupyterLab ended"
        with contextlib.suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(0.2)
    raise AssertionError("JupyterLab does not answer")


def test_an_edit_in_jupyterlab_changes_that_line_of_the_source_and_no_other(course, lab):
    from playwright.sync_api import sync_playwright

    source = course / "solutions" / LESSON
    before = source.read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.goto(lab)
        page.wait_for_function("() => window.jupyterapp !== undefined")
        page.evaluate("() => window.jupyterapp.restored")
        page.evaluate(OPEN, f"solutions/{LESSON}")
        page.wait_for_function(CELLS)
        page.evaluate(EDIT, "## The table")
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        _wait_until_changed(source, before)
        browser.close()
    changes = difflib.ndiff(before.splitlines(), source.read_text(encoding="utf-8").splitlines())
    changed = [line for line in changes if line[0] in "+-"]
    assert changed == ["- # ## The table", "+ # ## The table, edited in a browser"]


def _wait_until_changed(path: Path, before: str) -> None:
    for _ in range(150):
        if path.read_text(encoding="utf-8") != before:
            return
        time.sleep(0.2)
    raise AssertionError(f"{path.name} was not saved")


OPEN = """path => window.jupyterapp.commands.execute(
    'docmanager:open', {path, factory: 'Jupytext Notebook', kernel: {shouldStart: false}})"""
CELLS = "() => (window.jupyterapp.shell.currentWidget?.content?.widgets?.length ?? 0) > 10"
EDIT = """text => {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.sharedModel);
    const cell = cells.find(cell => cell.getSource().includes(text));
    cell.setSource(cell.getSource().replace(text, text + ', edited in a browser'));
}"""
