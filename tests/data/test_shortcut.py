"""A planted marker goes with its finding, stays in its corner, and leaves the original files alone."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxr_utils.data import images, shortcut
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files
from cxr_utils.errors import DataError


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


def test_marks_all_positives_and_no_others(dataset):
    marked = shortcut.mark(dataset, "Mass", positives=1.0, others=0.0)
    assert (marked.table["marker"] == marked.table["Mass"]).all()
    for name, marker in zip(marked.table["image"], marked.table["marker"], strict=True):
        before, after = both(dataset, marked, name)
        assert (before != after).any() == bool(marker)


def test_marker_stays_in_its_corner(dataset):
    marked = shortcut.mark(dataset, "Mass", positives=1.0, others=1.0)
    right, bottom = int(64 * shortcut.CORNER["width"]), int(64 * shortcut.CORNER["height"])
    for name in marked.table["image"]:
        before, after = both(dataset, marked, name)
        changed = before != after
        assert changed[:bottom, :right].any() and not changed[bottom:].any() and not changed[:, right:].any()


def test_shares_are_drawn(dataset):
    share = shortcut.mark(dataset, "Mass", positives=0.8, others=0.2, seed=3).table.groupby("Mass")["marker"].mean()
    # three standard deviations of a binomial draw of 20 and of 40
    assert abs(share[1] - 0.8) < 3 * (0.8 * 0.2 / 20) ** 0.5 and abs(share[0] - 0.2) < 3 * (0.8 * 0.2 / 40) ** 0.5


def test_same_seed_same_copies_and_another_seed_others(dataset):
    first, again, other = (shortcut.mark(dataset, "Mass", seed=seed) for seed in (0, 0, 1))
    assert first.digest == again.digest != dataset.digest
    assert (first.table["marker"] != other.table["marker"]).any()


def test_unknown_finding_and_impossible_share_are_refused(dataset):
    with pytest.raises(DataError, match="'Hernia'.*Expected one of Mass"):
        shortcut.mark(dataset, "Hernia")
    with pytest.raises(DataError, match="90.*0 to 1"):
        shortcut.mark(dataset, "Mass", positives=90)
