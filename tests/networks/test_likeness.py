"""Likeness to the typical training image, against numpy's correlation and quantile."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cxr_utils.networks import likeness
from cxr_utils.networks.likeness import Likeness


def pictures(rng, count, side=64):
    """Smooth, of another brightness and contrast each, around one common shape."""
    shape = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 900, (side, side)), (0, 0), 8)
    own = [cv2.GaussianBlur(rng.normal(0, 400, (side, side)), (0, 0), 8) for _ in range(count)]
    grey = [100 + 40 * rng.random() + rng.uniform(0.5, 1.5) * (shape + one) for one in own]
    return np.clip(grey, 0, 255).astype(np.uint8)


def thumbnail(picture):
    small = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA).astype(float)
    return (small - small.mean()) / small.std()


@pytest.fixture(scope="module")
def learned():
    rng, asked = np.random.default_rng(1), []
    train, valid = pictures(rng, 9), pictures(rng, 40)

    def part(stored):
        return SimpleNamespace(pixels=lambda size: asked.append(size) or stored)

    return train, valid, Likeness.learn(part(train), part(valid), 64), asked


def test_the_typical_image_is_the_median_of_the_training_images(learned):
    train, _, check, asked = learned
    assert np.allclose(check.typical, np.median([thumbnail(one) for one in train], axis=0), atol=1e-5)
    assert check.typical.shape == (32, 32) and asked == [64, 64]


def test_what_is_usual_is_taken_from_the_validation_images(learned):
    _, valid, check, _ = learned
    expected = [np.corrcoef(thumbnail(one).ravel(), check.typical.ravel())[0, 1] for one in valid]
    assert check.usual == pytest.approx(np.array(expected), abs=1e-5)
    assert check.of(valid[7]) == pytest.approx(expected[7], abs=1e-5)


def test_one_in_a_hundred_usual_images_is_flagged():
    check = Likeness(np.zeros((32, 32)), np.random.default_rng(0).permutation(np.arange(1000) / 1000))
    assert (check.usual < check.limit).sum() == 10 and likeness.FLAGGED == 0.01


def test_a_negative_an_upturned_and_a_plain_picture_are_unlike(learned):
    _, valid, check, _ = learned
    assert check.of(255 - valid[0]) == pytest.approx(-check.of(valid[0]), abs=1e-3) and check.of(valid[0]) > 0.5
    assert check.of(np.full((50, 70), 9, np.uint8)) == 0
    assert check.of(valid[0][::-1]) < check.limit
