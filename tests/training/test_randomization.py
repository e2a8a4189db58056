"""Domain randomisation: what is drawn follows from the seed, and masks move with the picture."""

import numpy as np
import pytest

from cxr_utils.phantom import FINDINGS
from cxr_utils.training import randomization
from cxr_utils.training.randomization import MASKS, change, draw


@pytest.fixture(scope="module")
def drawn():
    return [draw(3, number, size=64) for number in range(60)]


def test_the_seed_and_the_number_decide(drawn):
    for one, other in zip(drawn[7], draw(3, 7, size=64), strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(drawn[7][0], draw(4, 7, size=64)[0])
    assert len({pixels.tobytes() for pixels, _, _ in drawn}) == 60


def test_a_quarter_is_normal_and_every_finding_comes(drawn):
    labels = np.stack([one[1] for one in drawn])
    assert labels.any(axis=0).all() and set(labels.sum(axis=1)) == {0, 1, 2, 3, 4}
    assert 0.1 < (labels.sum(axis=1) == 0).mean() < 0.45


def test_only_findings_that_are_there_have_masks_and_organs_always_do(drawn):
    for _, labels, masks in drawn:
        shown = masks.any(axis=(1, 2))
        assert not (shown[: len(FINDINGS)] & (labels == 0)).any()
    organs = np.stack([masks[len(FINDINGS) :] for _, _, masks in drawn])
    assert organs.any(axis=(2, 3)).mean() > 0.99
    columns = np.arange(32)
    right, left = (organs[:, MASKS.index(f"{side} lung") - 14].mean(axis=(0, 1)) for side in ("right", "left"))
    assert (right * columns).sum() / right.sum() < 13 and (left * columns).sum() / left.sum() > 18


def test_masks_move_with_the_picture(monkeypatch):
    """A bright square is its own mask, where nothing but its place is changed."""
    for name in ("_developed", "_stored", "_written_on"):
        monkeypatch.setattr(randomization, name, lambda picture, rng: picture)
    picture = np.zeros((256, 256), np.uint8)
    picture[64:160, 96:176] = 255
    mask = (picture.reshape(32, 8, 32, 8).mean(axis=(1, 3))).astype(np.uint8)
    masks, places = np.stack([mask, np.zeros_like(mask)]), []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pixels, moved = change(picture, masks, rng, 192)
        seen = pixels.reshape(12, 16, 12, 16).mean(axis=(1, 3))
        border = np.bincount(pixels.ravel(), minlength=256).argmax()
        if border == 0:  # otherwise what is outside is bright too
            assert np.corrcoef(seen.ravel(), moved[0].ravel())[0, 1] > 0.95 and not moved[1].any()
            places.append(np.argwhere(seen > 128).mean(axis=0))
    assert len(places) > 10 and np.std(places, axis=0).min() > 0.2  # it does move


def test_a_change_follows_from_its_generator_and_keeps_a_chest(drawn):
    pixels, _, masks = drawn[0]
    one, other = (change(pixels, masks, np.random.default_rng(5), 48) for _ in range(2))
    assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))
    assert one[0].dtype == np.uint8 and one[0].shape == (48, 48) and one[1].shape == (17, 3, 3)
    again = [change(pixels, masks, np.random.default_rng(seed), 48)[0] for seed in range(40)]
    assert len({picture.tobytes() for picture in again}) == 40
    alike = [np.corrcoef(picture.ravel(), again[0].ravel())[0, 1] for picture in again]
    assert np.median(alike) > 0.3


@pytest.mark.parametrize("slope", [0.5, 3.0])
def test_noise_has_the_slope_that_is_asked_for(slope):
    field = randomization._noise(np.random.default_rng(0), 256, slope)
    assert field.mean() == pytest.approx(0, abs=1e-4) and field.std() == pytest.approx(1, abs=1e-4)
    power = np.abs(np.fft.rfft2(field)[1:100, 1:100]) ** 2
    frequency = np.hypot(*np.mgrid[1:100, 1:100])
    assert -np.polyfit(np.log(frequency.ravel()), np.log(power.ravel()), 1)[0] == pytest.approx(slope, abs=0.1)
