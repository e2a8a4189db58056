"""A DICOM file that the package has written is read back as it was."""

import numpy as np
import pytest

from cxr_utils.data import images
from cxr_utils.errors import ImageError


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
