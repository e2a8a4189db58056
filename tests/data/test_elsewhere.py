"""A second collection, on which networks of the first are judged: common findings, and the truth where it is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cxr_utils.data.collections.nih import read_labels
from cxr_utils.data.opening import open_dataset, open_elsewhere
from cxr_utils.errors import DataError, Missing
from cxr_utils.phantom import FINDINGS, cohort


@pytest.fixture
def simulated(tmp_path, monkeypatch):
    monkeypatch.setattr(cohort, "home", lambda: tmp_path)
    monkeypatch.setitem(cohort.PROFILES, "quick", {"images": 100, "size": 32})
    return open_dataset("phantom")


def folders(root, *classes):
    """Class folders of a few noisy pictures."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(classes * 8):
        path = root / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (32, 32), dtype=np.uint8))
    return root


def test_simulated_images_of_all_parts_are_labelled_by_what_was_drawn(simulated, capsys):
    capsys.readouterr()
    there = open_elsewhere("phantom-county", simulated)
    truth = read_labels(there.root / "truth.csv", FINDINGS).set_index("image").loc[there.table["image"]]
    assert there.findings == simulated.findings and len(there) == 40
    assert there.table[list(FINDINGS)].to_numpy().tolist() == truth.to_numpy().tolist()
    mined = open_dataset("phantom-county").table
    assert not mined[list(FINDINGS)].equals(there.table[list(FINDINGS)])  # or nothing was tested
    assert mined.drop(columns=list(FINDINGS)).equals(there.table.drop(columns=list(FINDINGS)))


def test_of_real_collections_the_common_findings_are_judged(simulated, tmp_path):
    there = open_elsewhere(folders(tmp_path / "ward", "PNEUMONIA", "NORMAL"), simulated)
    assert there.findings == ("Pneumonia",) and there.table["Pneumonia"].sum() == 8
    assert "Mass" not in there.table


def test_a_simulated_hospital_is_none_for_real_pictures(tmp_path):
    home = open_dataset(folders(tmp_path / "ward", "PNEUMONIA", "NORMAL"))
    there = open_elsewhere("phantom-county", home)
    assert isinstance(there, Missing) and "Set `elsewhere` to its folder" in repr(there)


@pytest.mark.parametrize("inside", [".", "PNEUMONIA"])
def test_the_collection_that_has_taught_is_not_another_one(tmp_path, inside):
    """Networks would be judged on their own training images, and nobody would notice."""
    ward = folders(tmp_path / "ward", "PNEUMONIA", "NORMAL")
    home = open_dataset(ward)
    again = replace(home, root=ward / inside)
    with pytest.raises(DataError, match="Expected one that shares no patient with it"):
        open_elsewhere(ward, again)


def test_collections_without_a_common_finding_are_not_compared(tmp_path):
    home, other = (folders(tmp_path / name, name, "NORMAL") for name in ("PNEUMONIA", "COVID"))
    assert repr(open_elsewhere(other, open_dataset(home))) == "PNEUMONIA and COVID have no finding in common."
