"""The page on the architecture names what there is: rooms, imports, files, functions."""

import re
from functools import reduce

import cv2
import pytest
from test_rooms import PACKAGE, ROOMS, imports
from toy_course import REPOSITORY

import cxr_utils

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = PAGE.split("```mermaid\n")[1].split("```")[0]
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
PATHS = [name for name in NAMED if "/" in name and "NN" not in name and " " not in name]
NAMES = [name for name in NAMED if name.split(".")[0] in ROOMS and "." in name]


def arrows():
    """(from, to) of every arrow; `a --> b & c` is two."""
    lines = [line.split("-->") for line in PICTURE.splitlines() if "-->" in line]
    return sorted((start.strip(), end.strip()) for start, ends in lines for end in ends.split("&"))


def test_the_picture_has_every_room_from_top_to_bottom():
    assert tuple(re.findall(r'^    (\w+)\["', PICTURE, re.MULTILINE)) == ROOMS[::-1]


def test_the_arrows_are_the_imports():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        found |= {(room, target) for _, target in imports(path) if {room, target} <= set(ROOMS) and room != target}
    assert arrows() == sorted(found)


def test_the_page_names_paths_and_names():
    assert len(PATHS) > 10 and len(NAMES) > 15


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_the_page_names_exists(path):
    assert (REPOSITORY / path).exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_the_page_names_exists(name):
    assert reduce(getattr, name.split("."), cxr_utils) is not None


def test_every_kind_of_new_thing_has_a_place_in_three_lines():
    kinds = {"reader", "network", "metric", "plot", "exercise", "lesson"}
    places = re.findall(r"\*\*An? (\w+).*?\*\*((?:.+\n?)+)", PAGE.split("## Where to put what is new")[1])
    assert {kind for kind, _ in places} == kinds
    assert all(len(text.strip().splitlines()) == 3 for _, text in places)


@pytest.mark.parametrize("room", ROOMS)
def test_everything_public_that_can_be_called_has_an_example(room):
    module = getattr(cxr_utils, room)
    callables = [name for name in getattr(module, "__all__", []) if callable(getattr(module, name))]
    assert [name for name in callables if ">>> " not in (getattr(module, name).__doc__ or "")] == []


def test_the_opening_picture_is_made_of_the_lessons_as_they_are(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "docs")
    from opening import opening

    shown = cv2.imread(str(REPOSITORY / "docs" / "opening.png"))
    made = opening()
    assert shown.shape == made.shape and abs(shown.astype(int) - made).max() <= 2  # how pictures are shrunk may differ
