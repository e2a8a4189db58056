"""The site, built from what is saved and opened in a browser: nothing is missing, dead, undescribed or too heavy."""

import re
import subprocess
import sys

import pytest
from site_in_browser import CHROMIUM, HEAVIEST, KINDS, browser, faults, served
from toy_course import REPOSITORY

from cxr_utils.course.lessons import find_lessons

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a system Chromium: apt-get install chromium")
pytest.importorskip("pydata_sphinx_theme", reason="needs the dependency group `site`: make setup")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site's folder; a warning of Sphinx would have been an error."""
    folder = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, str(REPOSITORY / "docs" / "site" / "build.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def found(site):
    return faults(site)


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_has_a_fault(found, kind):
    assert found[kind] == []


def test_every_lesson_and_every_page_is_there(site):
    pages = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    assert {f"notebooks/{lesson.name}" for lesson in find_lessons(REPOSITORY)} < pages
    assert {f"docs/{path.stem}" for path in (REPOSITORY / "docs").glob("*.md")} < pages
    assert {"index", "search", "data/README", "CONTRIBUTING", "reference/program"} < pages


def test_the_reference_has_every_public_name_of_every_room_with_its_example(site):
    import cxr_utils

    for room in ("phantom", "data", "networks", "training", "evaluation", "heatmaps", "plots", "checks"):
        page = (site / "reference" / f"{room}.html").read_text(encoding="utf-8")
        for name in getattr(cxr_utils, room).__all__:
            entry = page.partition(f'id="cxr_utils.{room}.{name}"')[2].partition("</section>")[0]
            assert entry, f"{room}.{name} is not in the reference"
            if callable(getattr(getattr(cxr_utils, room), name)):
                assert "&gt;&gt;&gt; " in entry, f"{room}.{name} is without its example"


def test_answers_plumbing_and_solutions_are_folded(site):
    page = (site / "notebooks" / "02_leakage_check.html").read_text(encoding="utf-8")
    folds = re.findall(r"<details(.*?)>\s*<summary.*?>(.*?)</summary>", page, re.DOTALL)
    assert not any("open" in opened for opened, _ in folds)
    text = " ".join(said for _, said in folds)
    assert all(prompt in text for prompt in ("Show the answer", "Show the code", "Show a solution", "Answer"))
    blank, _, solution = page.partition("Show a solution")
    assert "shared = set" not in re.sub("<.*?>", "", blank) and "shared = set" in re.sub("<.*?>", "", solution)


def test_the_search_finds_a_lesson_by_its_word(site):
    with served(site) as address, browser() as chromium:
        page = chromium.new_page()
        page.goto(f"{address}search.html?q=leakage")
        page.wait_for_selector("ul.search a[href*='02_leakage_check']")


def test_paper_and_a_telephone_get_the_text_without_what_surrounds_it(site):
    with served(site) as address, browser() as chromium:
        page = chromium.new_page()
        page.goto(f"{address}notebooks/02_leakage_check.html")
        around = [page.locator(one).first for one in (".bd-header", ".bd-sidebar-primary", ".bd-sidebar-secondary")]
        assert all(one.is_visible() for one in around)
        page.emulate_media(media="print")
        assert not any(one.is_visible() for one in around) and page.locator("article h1").is_visible()
        page.emulate_media(media="screen")
        page.set_viewport_size({"width": 390, "height": 844})
        assert not any(one.is_visible() for one in around[1:]) and page.locator("article h1").is_visible()


FAULTY = """<!doctype html><html lang="en"><head><title>Faulty</title></head><body><main><h1>Faulty</h1>
<img src="heavy.png"><img src="missing.png" alt="Described."><script>thrown()</script>
<a href="nowhere.html">a dead link</a> <a href="#noplace">a dead place</a> <a href="#here" id="here">a living one</a>
<p style="color: #aaa; background: #fff">pale in the light</p> <p class="dark">pale in the dark</p>
<style>.dark { background: #000; color: #fff } @media (prefers-color-scheme: dark) { .dark { color: #333 } }</style>
<div style="width: 500px">too wide for a telephone</div></main></body></html>"""


def test_each_kind_of_fault_is_named(tmp_path):
    (tmp_path / "page.html").write_text(FAULTY)
    (tmp_path / "heavy.png").write_bytes(bytes(HEAVIEST))
    found = {kind: " ".join(told) for kind, told in faults(tmp_path).items()}
    for kind, part in {
        "console": "thrown is not defined",
        "requests": "missing.png: 404",
        "links": "nowhere.html",
        "descriptions": "heavy.png has no description",
        "weight": "3.00 MB",
        "telephone": "pixels wide",
    }.items():
        assert part in found[kind]
    assert "#noplace" in found["links"] and "#here" not in found["links"]
    assert "light: color-contrast" in found["accessibility"] and "dark: color-contrast" in found["accessibility"]
    assert "image-alt" in found["accessibility"]
