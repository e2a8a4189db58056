"""JupyterLab on a folder, for tests that use it as people do: in the system's Chromium."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def lab(folder: Path, log: Path) -> Iterator[str]:
    """The address of a JupyterLab on a folder, which ends with the block; what the server says goes into a file.

    Put a path between "lab" and "?" to open a file at once: `address.replace("?", "/tree/notebooks/a.ipynb?")`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    command += ["--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True"]
    log.parent.mkdir(parents=True, exist_ok=True)
    own = {name: str(log.parent / ".jupyter" / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    environment = {name: value for name, value in os.environ.items() if name != "CXR_STRICT"} | own
    with open(log, "w", encoding="utf-8") as said:
        server = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
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


class Notebook:
    """A notebook that is open in a browser, used as a person does: with the menu, the mouse and the keyboard.

    Args:
        chromium: the browser.
        address: of the JupyterLab.
        path: of the notebook, below the folder that JupyterLab shows.
    """

    def __init__(self, chromium, address: str, path: str) -> None:
        self.said: list[str] = []  # what the browser's console calls an error
        self.page = chromium.new_page(viewport={"width": 1280, "height": 900})
        self.page.on("console", lambda line: self.said.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        news = self.page.get_by_text("Would you like to get notified about official Jupyter news?")
        self.page.add_locator_handler(news, lambda _: self.page.get_by_role("button", name="No", exact=True).click())
        self.page.goto(address.replace("?", f"/tree/{path}?"))
        self.page.wait_for_function(IDLE)

    def cell(self, code: str):
        """The one code cell that holds this text, scrolled to."""
        (place,) = self.page.evaluate(PLACES, code)
        self.page.evaluate(SCROLL, place)
        return self.page.locator(".jp-Notebook .jp-Cell").nth(place)

    def run_all(self) -> None:
        """By the menu, as a learner does, and wait for the last cell."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.page.wait_for_function(RUN, timeout=120_000)

    def type_into(self, code: str, *lines: str) -> None:
        """Replace a cell's text; the editor indents by itself."""
        self.cell(code).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        for number, line in enumerate(lines):
            self.page.keyboard.press("Enter") if number else None
            self.page.keyboard.type(line)

    def run_on(self, code: str) -> None:
        """Press Shift+Enter from where the cursor stands until this cell has run."""
        (last,) = self.page.evaluate(PLACES, code)
        while self.page.evaluate(ACTIVE) <= last:
            self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(RUN)

    def troubles(self) -> list[str]:
        """Tracebacks and lines on standard error of all cells, and what the browser's console calls an error."""
        return [*self.page.evaluate(TROUBLES), *self.said]


_OPEN = "const open = window.jupyterapp?.shell.currentWidget, cells = open?.content?.widgets ?? [];"
_CODE = "const code = cells.filter(cell => cell.model.type === 'code');"
IDLE = f"() => {{ {_OPEN} return cells.length > 1 && open.sessionContext.session?.kernel?.status === 'idle'; }}"
RUN = f"""() => {{ {_OPEN} {_CODE} return open.sessionContext.session.kernel.status === 'idle'
    && code.every(cell => cell.model.executionCount > 0 && cell.model.executionState === 'idle'); }}"""
PLACES = f"""text => {{ {_OPEN} {_CODE} return code.filter(cell => cell.model.sharedModel.getSource().includes(text))
    .map(cell => cells.indexOf(cell)); }}"""
ACTIVE = f"() => {{ {_OPEN} return open.content.activeCellIndex; }}"
SCROLL = f"async place => {{ {_OPEN} await open.content.scrollToItem(place, 'start'); }}"
TROUBLES = f"""() => {{ {_OPEN} {_CODE}
    const kept = code.flatMap(cell => cell.model.outputs.toJSON());
    const shown = document.querySelectorAll('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]');
    return [...kept.filter(output => output.output_type === 'error').map(output => output.ename),
        ...kept.filter(output => output.name === 'stderr').map(output => output.text.toString()),
        ...[...shown].map(area => area.textContent)]; }}"""
