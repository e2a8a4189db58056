"""The course as web pages, from what is saved; no lesson is executed. Run: python docs/site/build.py [FOLDER]

Sphinx reads one folder. So the sources are brought together in one that is thrown away, in the places that they have in
the repository, so that links from page to page are right in both.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import nbformat
from lessons import as_page
from reference import program_page, room_page, rooms
from rooms_picture import rooms_svg
from sphinx.cmd.build import build_main

from cxr_utils.course.derive import to_text
from cxr_utils.course.lessons import find_lessons

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COPIED = ("*.md", "CITATION.cff", "LICENSE", "LICENSES/*", "data/README.md", "docs/*.md", "docs/*.png")
_MERMAID = re.compile(r"```mermaid\n(.*?)```\n", re.DOTALL)


def gather(folder: Path) -> None:
    """Bring the sources of all pages together.

    Args:
        folder: where; it is filled.
    """
    for source in (path for pattern in COPIED for path in sorted(ROOT.glob(pattern))):
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    shutil.copytree(HERE / "pages", folder, dirs_exist_ok=True)
    _change(folder / "docs" / "architecture.md", _MERMAID, lambda found: rooms_svg(found[1]))
    _change(folder / "docs" / "glossary.md", re.compile("^###", re.MULTILINE), lambda _: "##")  # no level is left out
    lessons = find_lessons(ROOT)
    for lesson in lessons:
        learner, solved = (nbformat.read(path, as_version=4) for path in (lesson.learner, lesson.solution))
        page = folder / "notebooks" / lesson.learner.name
        page.parent.mkdir(exist_ok=True)
        page.write_text(to_text(as_page(learner, solved, page.parent)), encoding="utf-8")
    for name, room in rooms().items():
        (folder / "reference" / f"{name}.rst").write_text(room_page(name, room, lessons), encoding="utf-8")
    (folder / "reference" / "program.md").write_text(program_page(), encoding="utf-8")


def _change(page: Path, what: re.Pattern[str], into: Callable[[re.Match[str]], str]) -> None:
    page.write_text(what.sub(into, page.read_text(encoding="utf-8")), encoding="utf-8")


def build(out: Path) -> int:
    """Make the pages; what Sphinx warns of is an error.

    Args:
        out: the folder of the site; an older site there is replaced.

    Returns:
        Sphinx's exit status.
    """
    if out.exists() and any(out.iterdir()) and not (out / "searchindex.js").exists():
        sys.exit(f"error: {out} holds something else. Expected an empty folder, or a site to replace. Name another.")
    with tempfile.TemporaryDirectory() as sources, tempfile.TemporaryDirectory() as pages:
        gather(Path(sources))
        options = ["-b", "html", "-c", str(HERE), "-d", f"{sources}/.doctrees", "-q", "-W", "--keep-going"]
        status = build_main([*options, sources, pages])
        if status == 0:
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(
                pages, out, ignore=shutil.ignore_patterns(".buildinfo", "objects.inv", "webpack-macros.html")
            )
            _add_licenses(out / "licenses")
    return status


def _add_licenses(folder: Path) -> None:
    """The licence texts of those whose scripts, styles and letters the pages carry."""
    folder.mkdir()
    for name in ("sphinx", "pydata-sphinx-theme", "myst-nb"):
        for file in metadata.distribution(name).files or ():
            if "license" in file.name.lower() and file.suffix in ("", ".txt", ".rst"):
                shutil.copyfile(file.locate(), folder / f"{name}-{file.stem}.txt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "site", help="where the pages go; site/")
    out = parser.parse_args().folder
    if status := build(out):
        sys.exit(status)
    print(f"{len(list(out.rglob('*.html')))} pages. Open {out / 'index.html'}")


if __name__ == "__main__":
    main()
