"""A DICOM file that the package has written is read back as it was, by pydicom too."""

import numpy as np
import pydicom
import pytest

from cxr_utils.data.dicom import write_dicom
from cxr_utils.data.images import read_image
from cxr_utils.errors import ImageError

GREY = np.random.default_rng(0).integers(0, 256, (48, 40), dtype=np.uint8)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("shape", [(16, 16), (5, 7)])
def test_a_written_file_holds_the_pixels_and_is_shown_as_they_were(tmp_path, inverted, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pixels.flat[:2] = (0, 255)[: pixels.size]
    path = write_dicom(tmp_path / "a.dcm", pixels, inverted=inverted, patient="someone")
    assert path == tmp_path / "a.dcm" and list(tmp_path.iterdir()) == [path]
    header = pydicom.dcmread(path)
    assert np.array_equal(header.pixel_array, 255 - pixels if inverted else pixels)
    assert header.PhotometricInterpretation == ("MONOCHROME1" if inverted else "MONOCHROME2")
    assert (header.Rows, header.Columns, header.SamplesPerPixel) == (*shape, 1)
    assert (header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation) == (8, 8, 7, 0)
    assert (header.Modality, header.BodyPartExamined, header.PatientID) == ("DX", "CHEST", "someone")
    assert header.SOPClassUID.name == "Digital X-Ray Image Storage - For Presentation"
    assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
    assert header.file_meta.MediaStorageSOPClassUID == header.SOPClassUID
    assert not header.file_meta.TransferSyntaxUID.is_compressed and len(header.PixelData) % 2 == 0
    assert np.array_equal(read_image(path), pixels)


def test_the_window_of_a_written_file_changes_no_value(tmp_path):
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = write_dicom(tmp_path / "a.dcm", pixels)
    header = pydicom.dcmread(path)
    assert np.array_equal(read_image(path), pixels)
    assert (header.WindowCenter, header.WindowWidth) == (128, 256)  # (x - 127.5) / 255 + 1/2 is x / 255
    assert np.array_equal(np.rint(pydicom.pixels.apply_windowing(pixels, header)), pixels)  # any other viewer


def test_the_same_picture_of_the_same_patient_has_the_same_number(tmp_path):
    def number(pixels, patient):
        return pydicom.dcmread(write_dicom(tmp_path / "a.dcm", pixels, patient=patient)).SOPInstanceUID

    assert number(GREY, "a") == number(GREY, "a")
    assert len({number(GREY, "a"), number(GREY, "b"), number(255 - GREY, "a")}) == 3


@pytest.mark.parametrize("wrong", [GREY.astype(float), GREY.astype(np.uint16), GREY[..., None], GREY.ravel()])
def test_only_grey_pictures_of_eight_bits_are_written(tmp_path, wrong):
    with pytest.raises(ImageError, match="Expected uint8 of shape"):
        write_dicom(tmp_path / "a.dcm", wrong)
    assert not list(tmp_path.iterdir())


def test_the_same_picture_makes_the_same_file(tmp_path):
    first, second = (write_dicom(tmp_path / name, GREY).read_bytes() for name in ("a.dcm", "b.dcm"))
    assert first == second
