"""The package as a house: which room may import which, how much of it lessons use, how large its files are."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_course import REPOSITORY

import cxr_utils

PACKAGE = REPOSITORY / "cxr_utils"
#: From the ground up: a room imports from those before it.
ROOMS = ("phantom", "data", "networks", "training", "evaluation", "heatmaps", "plots", "checks", "course", "commands")
#: Rooms that know no other room.
ALONE = ("phantom", "plots", "checks")
#: What stands beside the rooms; everybody may import it.
BESIDE = ("errors", "cache")
#: Ten lessons; a third of the names are their exercises. Mistakes that are known stand in the package, where they
#: carry the hints. Of all lines 1,600 are `course/grading`, which has to hold out against what is handed in.
MOST_NAMES, MOST_IMPORTS, MOST_LINES, MOST_FILES, MOST_ALTOGETHER = 130, 7, 400, 12, 26_500


def imports(path: Path, package: Path = PACKAGE) -> Iterator[tuple[int, str]]:
    """Line and room (or file beside the rooms) of every import of the package in a file, lazy ones too."""
    own = path.relative_to(package).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = ["cxr_utils", *own[: len(own) - node.level + 1]] if node.level else []
            start = above + (node.module.split(".") if node.module else [])
            named = [[*start, alias.name] for alias in node.names]
        else:
            continue
        yield from ((node.lineno, parts[1]) for parts in named if parts[0] == "cxr_utils" and len(parts) > 1)


def wrong_imports(package: Path = PACKAGE) -> list[str]:
    """File, line and fault of every import that runs upward, or out of a room that knows no other."""
    found = []
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0]
        for line, target in imports(path, package):
            if target not in ROOMS or target == room:
                continue
            where = f"{path.relative_to(package.parent).as_posix()}:{line}"
            if room not in ROOMS:
                found.append(f"{where} imports {target}; what stands beside the rooms imports none")
            elif room in ALONE:
                found.append(f"{where} imports {target}; {room} knows no other room")
            elif ROOMS.index(target) > ROOMS.index(room):
                found.append(f"{where} imports {target}, which stands above {room}")
    return found


def test_imports_run_downward():
    assert wrong_imports() == []


@pytest.mark.parametrize(
    ("file", "code", "fault"),
    [
        ("data/a.py", "def lazy():\n    from cxr_utils.training import fit\n", "data/a.py:2 imports training"),
        ("networks/a.py", "from ..evaluation.metrics import auc_table\n", "networks/a.py:1 imports evaluation"),
        ("plots/a.py", "from cxr_utils import data, errors\n", "plots/a.py:1 imports data; plots knows no"),
        ("heatmaps/a.py", "import cxr_utils.course.run\n", "heatmaps/a.py:1 imports course"),
        ("errors.py", "from . import data\n", "errors.py:1 imports data; what stands beside"),
    ],
)
def test_an_import_that_runs_upward_is_named(tmp_path, file, code, fault):
    path = tmp_path / "cxr_utils" / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    (found,) = wrong_imports(tmp_path / "cxr_utils")
    assert fault in found


def test_an_import_that_runs_downward_is_none_of_its_business(tmp_path):
    path = tmp_path / "cxr_utils" / "course" / "a.py"
    path.parent.mkdir(parents=True)
    path.write_text("from cxr_utils.checks import claim\nfrom . import lessons\nfrom cxr_utils import __version__\n")
    assert wrong_imports(tmp_path / "cxr_utils") == []


def rooms_imported(tree: ast.Module) -> dict[str, str]:
    """Name in a lesson to the room that it stands for."""
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "cxr_utils"
        for alias in node.names
    }


def names_used(code: str) -> set[str]:
    """What a lesson takes from the package, as "room.name"; what is a room's own is not looked into."""
    tree = ast.parse(code)
    rooms, found = rooms_imported(tree), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in rooms:
                found.add(f"{rooms[node.value.id]}.{node.attr}")
            elif node.value.id == "cxr" and node.attr not in ROOMS:
                found.add(f"cxr.{node.attr}")
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value).removeprefix("cxr.") in ROOMS:
            found.add(f"{node.value.attr}.{node.attr}")
    return found


LESSONS = sorted((REPOSITORY / "solutions").glob("*.py"))


def test_lessons_use_a_small_surface(capsys):
    used = sorted(set().union(*(names_used(path.read_text(encoding="utf-8")) for path in LESSONS)))
    with capsys.disabled():
        print(f"\nlessons use {len(used)} names: {', '.join(used)}")
    assert len(used) <= MOST_NAMES


def test_a_name_is_counted_however_it_is_reached():
    code = (
        "import cxr_utils as cxr\nfrom cxr_utils import plots as p\ncxr.train\ncxr.data.read_image(1)\np.gallery\nx.y\n"
    )
    assert names_used(code) == {"cxr.train", "data.read_image", "plots.gallery"}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_imports_whole_rooms(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    rooms = rooms_imported(tree)
    assert set(rooms.values()) <= set(ROOMS) and len(rooms) + 1 <= MOST_IMPORTS
    deeper = [node.lineno for node in ast.walk(tree) if (getattr(node, "module", None) or "").startswith("cxr_utils.")]
    assert not deeper, f"lines {deeper} import from inside a room"


def too_large(package: Path = PACKAGE) -> list[str]:
    """Files with too many lines and rooms with too many files."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in package.rglob("*.py")}
    found = [f"{path.relative_to(package)} has {count} lines" for path, count in lines.items() if count > MOST_LINES]
    folders = {path.parent for path in lines}
    counts = {folder: sum(path.parent == folder for path in lines) for folder in folders}
    found += [f"{folder.name} has {count} files" for folder, count in counts.items() if count > MOST_FILES]
    return sorted(found)


def test_files_and_rooms_are_small():
    assert too_large() == []
    total = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py"))
    assert total <= MOST_ALTOGETHER, f"the package has {total:,} lines"


def test_a_file_that_is_too_large_is_named(tmp_path):
    for number in range(MOST_FILES + 1):
        (tmp_path / f"{number}.py").write_text("pass\n" * (MOST_LINES + (number == 3)))
    assert too_large(tmp_path) == ["3.py has 401 lines", f"{tmp_path.name} has {MOST_FILES + 1} files"]


def test_the_package_lists_its_rooms_and_each_says_what_it_is_for():
    assert [path.name for path in sorted(PACKAGE.iterdir()) if path.suffix == ".py"] == [
        "__init__.py",
        "cache.py",
        "errors.py",
    ]
    listed = [line for line in cxr_utils.__doc__.splitlines() if line.startswith("- `")]
    assert [line.split("`")[1] for line in listed] == list(ROOMS)
    for room in ROOMS:
        sentence = getattr(cxr_utils, room).__doc__.splitlines()[0]
        assert sentence.endswith(".") and len(sentence) > 20


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_hands_on_what_it_promises(room):
    module = getattr(cxr_utils, room)
    promised = getattr(module, "__all__", [])
    assert len(set(promised)) == len(promised) and all(getattr(module, name) is not None for name in promised)
    if promised:
        assert set(promised) <= set(dir(module))
        with pytest.raises(AttributeError, match="offers"):
            module.no_such_name  # noqa: B018


def test_no_name_of_a_room_is_hidden_by_a_file_of_it():
    """`room.name` would be the file as soon as somebody has imported it."""
    for room in ROOMS:
        files = {path.stem for path in (PACKAGE / room).glob("*.py")} | {p.name for p in (PACKAGE / room).iterdir()}
        assert not files & set(getattr(getattr(cxr_utils, room), "__all__", [])), room
