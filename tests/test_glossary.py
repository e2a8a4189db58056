"""The pages to look things up in: words in order, anchors that work everywhere, links that lead to one of them."""

import re
from pathlib import Path

import pytest
from toy_course import REPOSITORY

from cxr_utils.phantom import FINDINGS

PAGES = ("glossary.md", "chest_film.md")
LINKING = [*REPOSITORY.glob("solutions/*.py"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*.md")]
GLOSSARY, CHEST_FILM = ((REPOSITORY / "docs" / page).read_text(encoding="utf-8") for page in PAGES)
WORDS = re.findall(r"^### (.+)$", GLOSSARY, re.MULTILINE)


def anchor(heading: str) -> str | None:
    """What leads to a heading; None where JupyterLab and GitHub (and with it MyST) make different things of it."""
    jupyterlab = heading.replace(" ", "-")
    github = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    return jupyterlab if jupyterlab == github else None


def broken_links(path: Path, text: str) -> list[str]:
    """Links to pages beside it, in the text of a file at this path, that lead nowhere."""
    found = re.findall(r"\]\(([^():\s]*)\)", text)
    found = [f"{path.name}{link}" if link.startswith("#") else link for link in found]
    return [link for link in found if link.partition("#")[0].endswith(".md") and not leads_somewhere(path, link)]


def leads_somewhere(path: Path, link: str) -> bool:
    page, mark, fragment = link.partition("#")
    target = path.parent / page
    if not target.is_file():
        return False
    headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return not mark or target.name not in PAGES or fragment in map(anchor, headings)


def test_the_words_are_in_alphabetical_order():
    assert len(WORDS) > 100
    assert sorted(WORDS, key=lambda word: re.sub("[-_]", " ", word)) == WORDS


def test_each_word_has_an_anchor_of_its_own_that_works_everywhere():
    assert [word for word in WORDS if anchor(word) is None] == []
    assert len(set(WORDS)) == len(WORDS)


@pytest.mark.parametrize("path", LINKING, ids=lambda path: path.name)
def test_links_to_the_pages_lead_somewhere(path):
    assert broken_links(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("../docs/glossary.md#auc", False),
        ("../docs/glossary.md#roc-curve", False),
        ("../docs/chest_film.md", False),
        ("../docs/glossary.md#no-such-word", True),
        ("../docs/glossary.md#AUC", True),
        ("../docs/glossary.md#", True),
        ("../docs/glosary.md", True),
        ("docs/glossary.md#auc", True),  # as if the lesson lay beside README.md
        ("../docs/chest_film.md#The-14-findings", True),  # in JupyterLab only
        ("../docs/chest_film.md#the-14-findings", True),  # on GitHub only
    ],
)
def test_a_link_that_leads_nowhere_is_named(link, broken):
    lesson = REPOSITORY / "solutions" / "01_data_visualization.py"
    assert broken_links(lesson, f"# A [word]({link}).") == ([link] if broken else [])


def test_the_glossary_may_link_to_itself():
    glossary = REPOSITORY / "docs" / "glossary.md"
    assert broken_links(glossary, "[AUC](#auc) and [no](#no-such-word)") == ["glossary.md#no-such-word"]


def test_the_page_on_films_has_each_finding_and_one_page():
    assert re.findall(r"^\| (\w+) \|", CHEST_FILM.split("## The 14 findings")[1], re.MULTILINE)[1:] == list(FINDINGS)
    assert len(CHEST_FILM.splitlines()) <= 90
    assert "diagnosis" in CHEST_FILM.splitlines()[-1]
    assert (REPOSITORY / "docs" / "chest_film.png").stat().st_size < 300_000
