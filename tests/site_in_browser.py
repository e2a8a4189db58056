"""A built site, opened page by page in the system's Chromium: what is wrong with it, by kind."""

import contextlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HEAVIEST = 3 * 2**20  # bytes of a page with all that it loads
DESK, TELEPHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
KINDS = ("console", "requests", "links", "descriptions", "accessibility", "weight", "telephone")


@dataclass
class Visit:
    """What one page has shown."""

    said: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    seen: dict = field(default_factory=dict)
    axe: list[str] = field(default_factory=list)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address under which a folder is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def browser():
    """The system's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


def faults(folder: Path) -> dict[str, list[str]]:
    """Kind -> sentences that name page and fault, of every page of a site."""
    pages = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    with served(folder) as address, browser() as chromium:
        visits = {page: _visit(chromium, address, page) for page in pages}
    found = {kind: [] for kind in KINDS}
    for page, visit in visits.items():
        of = visit.seen
        weight = sum(path.stat().st_size for path in _files({*visit.asked, *of["pictures"]}, address, folder))
        found["console"] += [f"{page}: {text}" for text in visit.said]
        found["requests"] += [f"{page}: {text}" for text in visit.refused]
        found["requests"] += [f"{page} asks {url}" for url in sorted(visit.asked) if not url.startswith(address)]
        found["links"] += [f"{page} leads to {link}" for link in _dead(of["links"], address, folder, visits)]
        found["descriptions"] += [f"{page}: {picture} has no description" for picture in of["undescribed"]]
        found["accessibility"] += [f"{page}: {text}" for text in visit.axe]
        found["weight"] += [f"{page}: {weight / 2**20:.2f} MB"] if weight > HEAVIEST else []
        found["telephone"] += [f"{page} is {of['wide']} pixels wide"] if of["wide"] > TELEPHONE["width"] else []
    return found


def _visit(chromium, address: str, name: str) -> Visit:
    """Open a page with all that is folded, read it, and let axe judge it in light and in dark."""
    from axe_playwright_python.base import AXE_SCRIPT

    visit = Visit()
    page = chromium.new_page(viewport=DESK, color_scheme="light", reduced_motion="reduce")
    page.on("console", lambda message: visit.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: visit.said.append(str(error)))
    page.on("request", lambda request: visit.asked.add(urldefrag(request.url)[0]))
    page.on("requestfailed", lambda request: visit.refused.append(f"{request.url} failed"))
    page.on("response", lambda got: visit.refused.append(f"{got.url}: {got.status}") if got.status >= 400 else None)
    page.goto(address + name, wait_until="load")
    page.evaluate("() => document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    page.set_viewport_size(TELEPHONE)
    visit.seen = page.evaluate(READ)
    page.set_viewport_size(DESK)
    page.evaluate(AXE_SCRIPT)
    visit.axe += [f"light: {fault}" for fault in page.evaluate(AXE, None)]
    page.emulate_media(color_scheme="dark")
    visit.axe += [f"dark: {fault}" for fault in page.evaluate(AXE, ["color-contrast", "link-in-text-block"])]
    page.close()
    return visit


def _files(urls: set[str], address: str, folder: Path) -> Iterator[Path]:
    """The files behind addresses of the site."""
    for url in urls:
        path = folder / unquote(urlsplit(url).path).lstrip("/")
        if url.startswith(address) and path.is_file():
            yield path


def _dead(links: list[str], address: str, folder: Path, visits: dict[str, Visit]) -> list[str]:
    """Links into the site that lead to no file, or to no place in it."""
    dead = []
    for link in sorted({link for link in links if link.startswith(address)}):
        url, place = urldefrag(link)
        path = unquote(urlsplit(url).path).lstrip("/")
        path += "index.html" if not path or path.endswith("/") else ""
        if not (folder / path).is_file() or (place and unquote(place) not in visits[path].seen["places"]):
            dead.append(link.removeprefix(address))
    return dead


READ = """() => ({
    places: [...document.querySelectorAll('[id]')].map(one => one.id),
    links: [...document.links].map(link => link.href),
    pictures: [...document.images].map(picture => picture.src),
    undescribed: [...document.images].filter(one => !one.alt.trim()).map(one => one.getAttribute('src')),
    wide: document.documentElement.scrollWidth,
})"""
AXE = """async rules => {
    const only = rules && {runOnly: {type: 'rule', values: rules}};
    const options = {preload: false, resultTypes: ['violations'], ...only};
    const {violations} = await axe.run(document, options);
    return violations.filter(fault => ['serious', 'critical'].includes(fault.impact)).map(fault =>
        `${fault.id} at ${fault.nodes.slice(0, 3).map(node => node.target.join(' ')).join(', ')}`
        + ` (${fault.nodes.length} places): ${fault.nodes[0].failureSummary}`);
}"""
