"""How like a picture is to the typical one."""

import cv2
import numpy as np
import pytest

from cxr_utils.networks.likeness import Likeness


def test_likeness_is_the_correlation_of_thumbnails():
    rng = np.random.default_rng(1)
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (96, 96)).astype(np.uint8), (0, 0), 6)
    typical = rng.normal(size=(32, 32))
    small = cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA)
    expected = np.corrcoef(small.ravel().astype(float), typical.ravel())[0, 1]
    check = Likeness(typical, np.zeros(1))
    assert check.of(pixels) == pytest.approx(expected, abs=1e-5)
    assert check.of(np.full((50, 50), 9, np.uint8)) == 0
