"""Each exercise check of lesson 07 accepts the right answer and rejects plausible wrong ones."""

import cv2
import numpy as np
import pytest

from cxr_utils import checks
from cxr_utils.data import images
from cxr_utils.errors import ImageError
from cxr_utils.networks.likeness import Likeness


def to_batch(path, size):
    return images.load_image(path, size)[np.newaxis]


def sigmoid(logits):
    return np.exp(logits) / (1 + np.exp(logits))


def named(probability, threshold):
    names = [name for name in probability.index if probability[name] >= threshold[name]]
    return sorted(names, key=lambda name: -probability[name])


RIGHT = {"file_to_batch": to_batch, "probabilities": sigmoid, "named_findings": named}
WRONG = {
    "file_to_batch": {
        "no batch axis": lambda path, size: to_batch(path, size)[0],
        "batch axis last": lambda path, size: to_batch(path, size)[0, :, :, 0, None, None],
        "no channel": lambda path, size: to_batch(path, size)[..., 0],
        "between 0 and 1": lambda path, size: images.resize(images.read_image(path), size)[None, :, :, None] / 255,
        "not resized": lambda path, size: images.standardise(images.read_image(path))[None, :, :, None],
        "not standardised": lambda path, size: images.resize(images.read_image(path), size)[None, :, :, None],
        "cut instead of resized": lambda path, size: images.standardise(images.read_image(path)[:size, :size])[
            None, :, :, None
        ],
        "one size for all": lambda path, size: to_batch(path, 2),
        "mean only": lambda path, size: (lambda p: p - p.mean())(
            images.resize(images.read_image(path), size).astype(float)
        )[None, :, :, None],
    },
    "probabilities": {
        "softmax": lambda logits: np.exp(logits) / np.exp(logits).sum(),
        "sign turned": lambda logits: 1 / (1 + np.exp(logits)),
        "logits": lambda logits: logits,
        "odds": np.exp,
        "tanh": np.tanh,
        "clipped": lambda logits: np.clip(logits, 0, 1),
        "flat": lambda logits: sigmoid(logits).ravel(),
    },
    "named_findings": {
        "one half for all": lambda probability, threshold: list(probability.index[probability >= 0.5]),
        "by position": lambda probability, threshold: list(probability.index[probability.values >= threshold.values]),
        "strictly above": lambda p, t: sorted((n for n in p.index if p[n] > t[n]), key=lambda n: -p[n]),
        "likeliest only": lambda probability, threshold: named(probability, threshold)[:1],
        "order of the table": lambda p, t: [name for name in p.index if p[name] >= t[name]],
        "below": lambda probability, threshold: [n for n in probability.index if probability[n] < threshold[n]],
        "NaN is named": lambda p, t: sorted((n for n in p.index if not p[n] < t[n]), key=lambda n: -p[n]),
        "a mask": lambda probability, threshold: [probability[name] >= threshold[name] for name in probability.index],
    },
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answer_passes(name, capsys):
    assert getattr(checks, name)(RIGHT[name])
    assert capsys.readouterr().out == f"✓ {name}: right\n"


@pytest.mark.parametrize(("name", "mistake"), [(name, mistake) for name in WRONG for mistake in WRONG[name]])
def test_wrong_answer_is_rejected(name, mistake, capsys):
    assert not getattr(checks, name)(WRONG[name][mistake])
    printed = capsys.readouterr().out
    assert printed.startswith(f"✗ {name}: given ") and "expected" in printed and "Hint:" in printed


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("shape", [(16, 16), (7, 5)])
def test_a_written_dicom_is_read_back_to_the_pixel(tmp_path, shape, inverted):
    import pydicom

    pixels = np.random.default_rng(0).integers(30, 200, shape).astype(np.uint8)
    path = images.write_dicom(tmp_path / "a.dcm", pixels, inverted=inverted, patient="7")
    assert np.array_equal(images.read_image(path), pixels)
    header = pydicom.dcmread(path)
    assert header.PatientID == "7" and header.PhotometricInterpretation == f"MONOCHROME{1 if inverted else 2}"
    assert np.array_equal(header.pixel_array, 255 - pixels if inverted else pixels)
    assert [file.name for file in tmp_path.iterdir()] == ["a.dcm"]


def test_the_same_picture_makes_the_same_dicom(tmp_path):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    first, second = (images.write_dicom(tmp_path / name, pixels).read_bytes() for name in ("a.dcm", "b.dcm"))
    assert first == second


def test_what_is_no_grey_picture_is_refused(tmp_path):
    with pytest.raises(ImageError, match="float64.*Expected uint8"):
        images.write_dicom(tmp_path / "a.dcm", np.zeros((4, 4)))


def test_likeness_is_the_correlation_of_thumbnails():
    rng = np.random.default_rng(1)
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (96, 96)).astype(np.uint8), (0, 0), 6)
    typical = rng.normal(size=(32, 32))
    small = cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA)
    expected = np.corrcoef(small.ravel().astype(float), typical.ravel())[0, 1]
    check = Likeness(typical, np.zeros(1))
    assert check.of(pixels) == pytest.approx(expected, abs=1e-5)
    assert check.of(np.full((50, 50), 9, np.uint8)) == 0
