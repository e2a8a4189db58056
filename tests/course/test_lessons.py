"""Lessons of a course: copies for learners."""

import pytest
from toy_course import LESSON, make_course

from cxr_utils.course.lessons import hand_out
from cxr_utils.errors import LessonError


def test_lessons_are_handed_out_and_what_a_learner_has_written_stays(tmp_path):
    root, folder = make_course(tmp_path, L01_toy=LESSON), tmp_path / "mine"
    for place in ("notebooks/01_toy.ipynb", "solutions/01_toy.ipynb", "docs/glossary.md"):
        (root / place).parent.mkdir(exist_ok=True)
        (root / place).write_text(place)
    names = ["notebooks/01_toy.ipynb", "docs/glossary.md", "solutions/01_toy.py", "solutions/01_toy.ipynb"]
    written, kept = hand_out(root, folder)
    assert [path.relative_to(folder).as_posix() for path in written] == names and kept == []
    mine = folder / "notebooks/01_toy.ipynb"
    mine.write_text("my answers")
    (folder / "docs/glossary.md").unlink()
    written, kept = hand_out(root, folder)
    assert written == [folder / "docs/glossary.md"] and len(kept) == 3 and mine.read_text() == "my answers"
    assert not list(folder.rglob("*.part"))


def test_a_class_gets_no_answers(tmp_path):
    root, folder = make_course(tmp_path, L01_toy=LESSON), tmp_path / "class"
    for place in ("notebooks/01_toy.ipynb", "solutions/01_toy.ipynb", "docs/glossary.md", "docs/teaching.md"):
        (root / place).parent.mkdir(exist_ok=True)
        (root / place).write_text(place)
    written, _ = hand_out(root, folder, solutions=False)
    assert [path.relative_to(folder).as_posix() for path in written] == ["notebooks/01_toy.ipynb", "docs/glossary.md"]
    assert {path.name for path in folder.iterdir()} == {"notebooks", "docs"}


def test_a_place_that_takes_no_lessons_is_named(tmp_path):
    root = make_course(tmp_path, L01_toy=LESSON)
    (tmp_path / "file").write_text("")
    with pytest.raises(LessonError, match="file cannot be written to .*Name another"):
        hand_out(root, tmp_path / "file")
