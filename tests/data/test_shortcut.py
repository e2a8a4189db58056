"""A planted marker goes with its finding, stays in its corner, and leaves the original files alone."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxr_utils.data import images, shortcut
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files
from cxr_utils.errors import DataError, ImageError
from cxr_utils.phantom import plant_marker


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> Dataset:
    """Sixty grey images of 64 pixels, every third with a Mass."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    names = [f"{number}.png" for number in range(60)]
    for name in names:
        cv2.imwrite(str(tmp_path / name), rng.integers(60, 120, (64, 64), dtype=np.uint8))
    table = pd.DataFrame({"image": names, "patient": names, "split": "train", "Mass": [1, 0, 0] * 20})
    files = Files({name: str(tmp_path / name) for name in names})
    return Dataset("toy", "folders", Path(tmp_path), table, ("Mass",), pd.DataFrame(), None, files)


def both(dataset, marked, name):
    return images.read_image(dataset.path(name)).astype(int), images.read_image(marked.path(name)).astype(int)


@pytest.fixture
def shares(monkeypatch):
    """Set the share of the positives and of the others that get the marker."""

    def set_shares(positives: float, others: float) -> None:
        monkeypatch.setattr(shortcut, "POSITIVES", positives)
        monkeypatch.setattr(shortcut, "OTHERS", others)

    return set_shares


def test_marks_all_positives_and_no_others(dataset, shares):
    shares(1.0, 0.0)
    marked = shortcut.mark(dataset, "Mass")
    assert (marked.table["marker"] == marked.table["Mass"]).all() and marked.table["marker"].dtype == np.int8
    assert marked.name == "toy with a marker" and "marker" not in dataset.table
    for name, marker in zip(marked.table["image"], marked.table["marker"], strict=True):
        before, after = both(dataset, marked, name)
        assert (before != after).any() == bool(marker)
        assert (marked.path(name) == dataset.path(name)) != bool(marker)


def test_boxes_frame_the_marker_and_not_much_more(dataset, shares):
    shares(1.0, 0.0)
    marked = dataset.with_marker("Mass")
    assert marked.boxes["image"].tolist() == dataset.table["image"][dataset.table["Mass"] == 1].tolist()
    assert len(marked.boxes_of("1.png", "Mass")) == 0 and len(marked.boxes_of("0.png", "Mass")) == 1
    extents = []
    for row in marked.boxes.itertuples():
        assert (row.finding, row.x, row.y, row.width, row.height) == ("Mass", 0, 0, 0.375, 0.375)
        before, after = both(dataset, marked, row.image)
        changed = before != after
        extents += [np.flatnonzero(changed.any(axis)).max() + 1 for axis in (0, 1)]
    assert max(extents) <= 64 * 0.375 <= 2.2 * max(extents)  # "and as much again around it"


def test_the_marker_is_the_one_that_the_simulator_plants(dataset, shares):
    shares(1.0, 0.0)
    marked = shortcut.mark(dataset, "Mass", seed=5)
    for number, name in enumerate(dataset.table["image"][dataset.table["Mass"] == 1]):
        before, after = both(dataset, marked, name)
        assert np.array_equal(after, plant_marker(before.astype(np.uint8), np.random.default_rng([5, number])))


def test_shares_are_drawn(dataset, shares):
    assert (shortcut.POSITIVES, shortcut.OTHERS) == (0.9, 0.05)  # those of a simulated cohort with a shortcut
    shares(0.8, 0.2)
    share = shortcut.mark(dataset, "Mass", seed=3).table.groupby("Mass")["marker"].mean()
    # three standard deviations of a binomial draw of 20 and of 40
    assert abs(share[1] - 0.8) < 3 * (0.8 * 0.2 / 20) ** 0.5 and abs(share[0] - 0.2) < 3 * (0.8 * 0.2 / 40) ** 0.5


def test_images_without_a_file_are_left_out_and_a_damaged_one_is_named(dataset, shares):
    shares(1.0, 1.0)
    dataset.path("3.png").unlink()
    fewer = replace(dataset, files=Files({name: str(path) for name, path in dataset.files.items() if path.exists()}))
    marked = shortcut.mark(fewer, "Mass")
    assert len(marked) == 59 and "3.png" not in marked.files and marked.table["marker"].all()
    dataset.path("5.png").write_bytes(b"")
    with pytest.raises(ImageError, match="5.png has 0 bytes"):
        shortcut.mark(fewer, "Mass")


def test_same_seed_same_copies_and_another_seed_others(dataset):
    first, again, other = (shortcut.mark(dataset, "Mass", seed=seed) for seed in (0, 0, 1))
    assert first.digest == again.digest != dataset.digest
    assert (first.table["marker"] != other.table["marker"]).any()


def test_the_method_marks_by_its_seed(dataset):
    marked, other = (dataset.with_marker("Mass", seed=seed) for seed in (4, 5))
    assert marked.table.equals(shortcut.mark(dataset, "Mass", seed=4).table)
    assert not marked.table.equals(other.table)
    assert dataset.with_marker("Mass").table.equals(dataset.with_marker("Mass", seed=0).table)
    assert shortcut.mark(dataset, "Mass").table.equals(dataset.with_marker("Mass", seed=0).table)


def test_an_unknown_finding_is_refused(dataset):
    with pytest.raises(DataError, match="'Hernia'.*Expected one of Mass"):
        shortcut.mark(dataset, "Hernia")


def test_permuted_labels_stay_together_and_in_their_part():
    rng = np.random.default_rng(0)
    size = 400
    table = pd.DataFrame(
        {"image": map(str, range(size)), "patient": "1", "split": rng.choice(["train", "valid", "test"], size)}
    )
    table["Mass"] = (rng.random(size) < np.where(table["split"] == "train", 0.3, 0.7)).astype(np.int8)
    table["Edema"] = 1 - table["Mass"]
    data = Dataset("toy", "folders", Path("."), table, ("Mass", "Edema"), pd.DataFrame(), None, Files({}))
    dealt = data.with_permuted_labels(seed=2)
    assert dealt.table["Mass"].groupby(table["split"]).sum().equals(table["Mass"].groupby(table["split"]).sum())
    assert (dealt.table["Mass"] + dealt.table["Edema"] == 1).all()  # an image keeps all labels of some other image
    assert dealt.table.drop(columns=["Mass", "Edema"]).equals(table.drop(columns=["Mass", "Edema"]))
    for _, rows in table.groupby("split"):
        assert abs(np.corrcoef(rows["Mass"], dealt.table["Mass"][rows.index])[0, 1]) < 4 / np.sqrt(len(rows))
    assert dealt.table.equals(shortcut.permute_labels(data, seed=2).table)
    assert not dealt.table.equals(data.with_permuted_labels(seed=3).table)
    assert data.with_permuted_labels().table.equals(data.with_permuted_labels(seed=0).table)
    assert shortcut.permute_labels(data).table.equals(data.with_permuted_labels(seed=0).table)
    assert dealt.name == "toy with permuted labels" and data.table is table


def test_evened_out_copies_are_those_of_opencv_and_the_files_stay(dataset):
    before = [dataset.picture(name) for name in dataset.table["image"]]
    evened = dataset.equalised(4)
    clahe = cv2.createCLAHE(4, (8, 8))
    for name, pixels in zip(dataset.table["image"], before, strict=True):
        assert (evened.picture(name) == clahe.apply(pixels)).all() and (dataset.picture(name) == pixels).all()
    assert evened.table.equals(dataset.table) and evened.digest != dataset.digest
    assert dataset.equalised(4).digest == evened.digest  # made once


def test_each_picture_may_have_its_own_limit_and_0_leaves_it_as_it_is(dataset):
    evened = dataset.equalised([0, 2.5] * 30)
    first, second = (evened.picture(name) for name in dataset.table["image"][:2])
    assert (first == dataset.picture("0.png")).all()
    assert (second == cv2.createCLAHE(2.5, (8, 8)).apply(dataset.picture("1.png"))).all()


@pytest.mark.parametrize("clip", [-1, [4, 4], [np.nan] * 60])
def test_limits_that_cannot_be_are_refused(dataset, clip):
    with pytest.raises(DataError, match="Expected one, or one for each of 60 images, from 0 up"):
        dataset.equalised(clip)
