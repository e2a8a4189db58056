"""The contact sheet: what lies where on it, and what it says where it cannot be drawn."""

import cv2
import numpy as np
import pytest

from cxr_utils import phantom
from cxr_utils.data import sheet
from cxr_utils.data.sheet import contact_sheet
from cxr_utils.errors import DataError

TILE = 48


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return phantom.make_cohort(tmp_path_factory.mktemp("sheet") / "small", images=12, size=64, seed=3, workers=1)


def tiles(path) -> np.ndarray:
    """(rows, 8, tile, tile, 3)."""
    return cv2.imread(str(path)).reshape(-1, TILE, 8, TILE, 3).swapaxes(1, 2)


def coloured(tile: np.ndarray) -> bool:
    return bool((tile.max(axis=-1).astype(int) - tile.min(axis=-1) > 60).any())


def test_normals_first_then_two_findings_a_row_each_without_and_at_three_severities(cohort, tmp_path):
    path = contact_sheet(str(cohort), tmp_path / "sheet.png", tile=TILE)
    shown = tiles(path)
    assert (
        path == tmp_path / "sheet.png" and list(tmp_path.iterdir()) == [path] and shown.shape == (8, 8, TILE, TILE, 3)
    )
    assert not any(map(coloured, shown[0])) and not any(
        coloured(tile) for tile in shown[1:, [0, 4]].reshape(-1, TILE, TILE, 3)
    )
    framed = [coloured(tile) for tile in shown[1:, [1, 2, 3, 5, 6, 7]].reshape(-1, TILE, TILE, 3)]
    assert np.mean(framed) > 0.95  # a box in the palette's orange on nearly every finding
    healthy = shown[0].reshape(8, -1)
    assert len({tile.tobytes() for tile in healthy}) == 8
    for row in shown[1:]:  # the same patient: far more alike than two patients are
        change = np.abs(row[0].astype(int) - row[1]).mean()
        assert change < np.abs(row[0].astype(int) - row[4]).mean()
    severe = [np.abs(row[0].astype(int) - row[place]).mean() for row in shown[1:] for place in (1, 3)]
    assert np.mean(severe[1::2]) > np.mean(severe[::2])


@pytest.mark.parametrize(("count", "rows"), [(0, 0), (7, 0), (8, 2), (15, 2), (16, 4), (40, 4)])
def test_real_pictures_stand_in_rows_of_eight_beside_simulated_ones(cohort, tmp_path, count, rows):
    files = []
    for number in range(count):
        files.append(tmp_path / f"real{number}.png")
        cv2.imwrite(str(files[-1]), np.full((20, 30), 200, np.uint8))
    drawn = sheet._simulated_and_real(cohort, files, TILE)
    assert len(drawn) == rows
    shown = np.array(drawn).reshape(-1, TILE, 8, TILE, 3).swapaxes(1, 2)
    for number, row in enumerate(shown):
        flat = [np.median(tile) == 200 and (tile == 200).mean() > 0.8 for tile in row]
        assert all(flat) if number % 2 else not any(flat)


def test_what_is_no_cohort_or_cannot_be_written_is_said(cohort, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no cohort.json"):
        contact_sheet(tmp_path, tmp_path / "sheet.png")
    monkeypatch.setattr(sheet, "_picture", lambda *_: np.zeros((TILE, TILE, 3), np.uint8))
    with pytest.raises(DataError, match="sheet.png could not be written"):
        contact_sheet(cohort, tmp_path / "nowhere" / "sheet.png", tile=TILE)
    real = sorted((cohort / "images").iterdir())
    assert tiles(contact_sheet(cohort, tmp_path / "sheet.png", beside=real, tile=TILE)).shape[0] == 8 + 2


def test_only_the_first_normal_is_labelled(cohort, tmp_path, monkeypatch):
    texts = []
    monkeypatch.setattr(sheet, "_labelled", lambda picture, text: texts.append(text) or picture)
    contact_sheet(cohort, tmp_path / "sheet.png", tile=TILE)
    assert (
        texts[:8] == ["No Finding", *[""] * 7]
        and texts[8] == "Atelectasis: without"
        and texts[9:12] == ["15%", "50%", "90%"]
    )
