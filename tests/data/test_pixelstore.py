"""Decoded pixels: each file once, never a place that is marked as filled and is not, damage named."""

import os
from concurrent.futures import Future

import numpy as np
import pytest

from cxr_utils.data import images, pixelstore
from cxr_utils.errors import DataError, ImageError

SIDE = 8


def expected(dataset) -> np.ndarray:
    return np.array([images.resize(images.read_image(dataset.path(name)), SIDE) for name in dataset.table["image"]])


def damage(dataset, name: str) -> bytes:
    whole = dataset.path(name).read_bytes()
    dataset.path(name).write_bytes(whole[: len(whole) // 2])
    return whole


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that were decoded, in order."""
    read, names = images.read_image, []
    monkeypatch.setattr(images, "read_image", lambda path: names.append(path.name) or read(path))
    return names


def test_a_place_is_marked_as_filled_only_after_its_pixels_are_written(with_files):
    """A process that is killed in between must find the place empty."""
    store = pixelstore.open_pixels(with_files, SIDE)
    marked_before = []

    class Watched(np.memmap):
        def __setitem__(self, row, value):
            marked_before.append(bool(store.filled[row]))
            super().__setitem__(row, value)

    watched = pixelstore.Pixels(with_files, SIDE, store.rows, store.stored.view(Watched), store.filled)
    assert watched.fill(np.arange(12)) == {} and marked_before == [False] * 12
    assert store.filled.all() and np.array_equal(store.stored, expected(with_files))


def test_what_cannot_be_read_is_not_marked_as_filled(with_files):
    whole = damage(with_files, "c.png")
    store = pixelstore.open_pixels(with_files, SIDE)
    problems = store.fill(np.arange(12))
    assert list(problems) == [2] and isinstance(problems[2], ImageError) and "c.png" in str(problems[2])
    assert np.flatnonzero(~store.filled).tolist() == [2] and store.pending == {}
    stamp = with_files.path("c.png").stat()
    with_files.path("c.png").write_bytes(whole)
    os.utime(with_files.path("c.png"), ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert store.fill(np.arange(12)) == {} and store.filled.all()


def test_only_what_is_read_is_decoded_and_only_once(with_files, decoded):
    store = pixelstore.open_pixels(with_files, SIDE)
    first = store.read(np.array([4, 1, 4]))
    assert np.array_equal(first, expected(with_files)[[4, 1, 4]]) and set(decoded[:2]) == {"b.png", "e.png"}
    del decoded[:]
    assert np.flatnonzero(store.filled).tolist() == [1, 4]
    first[:] = 0  # a copy: the store keeps its own
    assert store.read(np.array([4, 1])).any(axis=(1, 2)).all() and decoded == []
    again = pixelstore.open_pixels(with_files, SIDE)
    assert again.read(np.array([1, 2])).any() and decoded == ["c.png"]


def test_what_is_filled_or_being_decoded_does_not_begin_again(with_files, monkeypatch):
    begun = []

    class Threads:
        def submit(self, work, position):
            begun.append(position)
            done = Future()
            if position < 2:
                done.set_result(work(position))
            return done

    monkeypatch.setattr(pixelstore, "_threads", Threads)
    store = pixelstore.open_pixels(with_files, SIDE)
    assert np.array_equal(store.read(np.array([0, 1])), expected(with_files)[:2])
    store._start(np.array([2, 3]))  # another batch, which waits for its files
    assert begun == [0, 1, 2, 3] and list(store.pending) == [2, 3]
    store._start(np.array([2, 1, 0]))
    assert begun == [0, 1, 2, 3]


def test_a_damaged_file_stops_reading_and_says_which(with_files):
    damage(with_files, "d.png")
    store = pixelstore.open_pixels(with_files, SIDE)
    assert store.read(np.array([0, 1])).shape == (2, SIDE, SIDE)
    for ask in (lambda: store.read(np.array([2, 3])), store.whole):
        with pytest.raises(ImageError, match="d.png"):
            ask()


def test_the_whole_is_a_view_where_places_lie_together_and_nobody_may_write_to_it(with_files):
    whole = pixelstore.pixels(with_files, SIDE)
    assert np.array_equal(whole, expected(with_files)) and isinstance(whole, np.memmap)
    middle = with_files.subset(np.arange(3, 7), "middle")
    assert np.array_equal(pixelstore.pixels(middle, SIDE), whole[3:7])
    mixed = pixelstore.pixels(with_files.subset(np.array([5, 2, 3]), "mixed"), SIDE)
    assert np.array_equal(mixed, whole[[5, 2, 3]])
    for pixels in (whole, mixed):
        with pytest.raises(ValueError, match="read-only"):
            pixels[0, 0, 0] = 1
    none = pixelstore.pixels(with_files.subset(np.array([], int), "none"), SIDE)
    assert none.shape == (0, SIDE, SIDE) and none.dtype == np.uint8


def test_none_of_a_data_set_that_nobody_has_opened(with_files):
    none = pixelstore.pixels(with_files.subset(np.array([], int), "none"), SIDE)
    assert none.shape == (0, SIDE, SIDE) and none.dtype == np.uint8


def test_a_long_queue_is_worked_off_in_pieces(with_files, monkeypatch):
    monkeypatch.setattr(pixelstore, "_TOGETHER", 5)
    most, start = [], pixelstore.Pixels._start
    monkeypatch.setattr(pixelstore.Pixels, "_start", lambda self, rows: most.append(len(rows)) or start(self, rows))
    damage(with_files, "l.png")
    store = pixelstore.open_pixels(with_files, SIDE)
    assert list(store.fill(np.arange(12))) == [11]
    assert most == [5, 5, 2] and store.filled.sum() == 11


def test_a_part_finds_what_the_whole_has_and_the_whole_adds_to_the_part(with_files, decoded):
    late = with_files.subset(np.arange(8, 12), "late")
    pixelstore.pixels(late, SIDE)
    assert np.array_equal(pixelstore.pixels(with_files, SIDE), expected(with_files))
    assert sorted(decoded[:12]) == with_files.table["image"].tolist()
    store = pixelstore.open_pixels(with_files, SIDE)
    assert store.rows.tolist() == [4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3] and store.filled.shape == (12,)
    assert pixelstore.open_pixels(late, SIDE).rows.tolist() == [0, 1, 2, 3]


def test_another_size_and_a_changed_file_are_decoded_anew(with_files, decoded):
    pixelstore.pixels(with_files, SIDE)
    assert pixelstore.pixels(with_files, SIDE + 1).shape == (12, SIDE + 1, SIDE + 1) and len(decoded) == 24
    os.utime(with_files.path("b.png"), ns=(1, 1))
    pixelstore.pixels(with_files, SIDE)
    assert decoded[24:] == ["b.png"]


def test_the_files_grow_before_a_name_is_listed_and_never_shrink(tmp_path):
    assert pixelstore._reserve(tmp_path, ["a", "b"], 4) == {"a": 0, "b": 1}
    assert [(tmp_path / file).stat().st_size for file in ("pixels.bin", "filled.bin")] == [32, 2]
    (tmp_path / "filled.bin").write_bytes(b"\1\1")
    assert pixelstore._reserve(tmp_path, ["c", "b"], 4) == {"a": 0, "b": 1, "c": 2}
    assert (tmp_path / "filled.bin").read_bytes() == b"\1\1\0" and (tmp_path / "pixels.bin").stat().st_size == 48


def test_a_file_is_known_by_name_size_and_date(with_files):
    os.utime(with_files.path("a.png"), ns=(500, 700))  # Windows counts in steps of 100
    names = pixelstore.file_names(with_files)
    assert names[0] == f"a.png/{with_files.path('a.png').stat().st_size}:700"
    assert len(set(names)) == 12 and names[11].startswith("l.png/")
    with_files.files._paths.pop("c.png")
    with pytest.raises(DataError, match="no file c.png"):
        pixelstore.file_names(with_files)


def test_damaged_files_are_left_out_and_named_in_one_line(with_files, capsys):
    assert pixelstore.without_damaged(with_files, SIDE) == (with_files, {})
    assert capsys.readouterr().out == ""
    for name in ("h.png", "b.png"):
        damage(with_files, name)
    rest, reasons = pixelstore.without_damaged(with_files, SIDE)
    assert rest.table["image"].tolist() == [f"{letter}.png" for letter in "acdefgijkl"] and rest.name == "toy"
    assert list(reasons) == ["b.png", "h.png"] and "b.png" in reasons["b.png"]
    assert capsys.readouterr().out == "note: 2 of 12 image files cannot be read and are left out: b.png, h.png\n"


def test_a_dead_link_is_named_or_left_out(with_files, link, capsys):
    with_files.path("c.png").unlink()
    link(with_files.path("c.png"), "gone.png")
    with pytest.raises(ImageError, match="c.png cannot be read .a link to gone.png, which is not there"):
        pixelstore.pixels(with_files, SIDE)
    rest, reasons = pixelstore.without_damaged(with_files, SIDE)
    assert list(reasons) == ["c.png"] and "gone.png" in reasons["c.png"] and len(rest) == 11
    assert capsys.readouterr().out == "note: 1 of 12 image files cannot be read and are left out: c.png\n"
    with_files.path("d.png").rename(with_files.root / "gone.png")  # the link leads somewhere again
    assert pixelstore.without_damaged(with_files, SIDE)[1].keys() == {"d.png"}


def test_standardised_pictures_are_each_by_itself_mean_0_and_deviation_1():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 9, 9), dtype=np.uint8)
    pictures[1] //= 3
    result = pixelstore.standardised(pictures)
    assert result.shape == (3, 9, 9, 1) and result.dtype == np.float32
    assert np.allclose(result.mean(axis=(1, 2, 3)), 0, atol=1e-6)
    assert np.allclose(result.std(axis=(1, 2, 3)), 1, atol=1e-5)
    assert np.corrcoef(result[1].ravel(), pictures[1].ravel())[0, 1] == pytest.approx(1)
