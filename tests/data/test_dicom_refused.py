"""A DICOM file that cannot be shown right is refused by name, whatever is wrong with it."""

import numpy as np
import pydicom
import pydicom.data
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit
from toy_dicom import DEEP, GREY, compressed, dicom

from cxr_utils.data import images
from cxr_utils.data.images import read_image
from cxr_utils.errors import ImageError


def test_several_frames_are_refused(tmp_path):
    path = dicom(tmp_path / "cine.dcm", GREY, NumberOfFrames=2, data=GREY.tobytes() * 2)
    with pytest.raises(ImageError, match="cine.dcm holds 2 frames"):
        read_image(path)


def test_a_dicom_file_without_picture_is_refused(tmp_path):
    path = dicom(tmp_path / "report.dcm", GREY)
    header = pydicom.dcmread(path)
    del header.PixelData
    header.save_as(path)
    with pytest.raises(ImageError, match="report.dcm is a DICOM file without an image"):
        read_image(path)


def test_compression_without_a_decoder_is_explained(tmp_path, monkeypatch):
    data = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + b"\0" * 60])
    path = dicom(tmp_path / "wavelet.dcm", GREY, syntax=JPEG2000Lossless, data=data)
    decoder = pydicom.pixels.decoders.JPEG2000LosslessDecoder
    monkeypatch.setattr(decoder, "_available", {})
    with pytest.raises(ImageError, match="wavelet.dcm is compressed as JPEG 2000.*no decoder"):
        read_image(path)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # what pydicom has to say of it too
@pytest.mark.parametrize("name", ["badVR.dcm", "meta_missing_tsyntax.dcm", "MR_truncated.dcm"])
def test_damaged_files_of_pydicoms_own_tests(name):
    with pytest.raises(ImageError, match=f"{name} is a (damaged DICOM file|DICOM file without Rows)"):
        read_image(pydicom.data.get_testdata_file(name, download=False))


@pytest.mark.parametrize(
    "name", ["Rows", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "PixelRepresentation"]
)
@pytest.mark.parametrize("empty", [True, False])
def test_what_a_picture_cannot_be_without_is_named(tmp_path, name, empty):
    path = dicom(tmp_path / "a.dcm", GREY)
    header = pydicom.dcmread(path)
    if empty:
        setattr(header, name, None)
    else:
        delattr(header, name)
    header.save_as(path)
    with pytest.raises(ImageError, match=f"a.dcm is a DICOM file without {name}[.] Expected"):
        read_image(path)


def test_values_that_are_not_at_the_end_of_their_bits_are_refused(tmp_path):
    with pytest.raises(ImageError, match="HighBit 15 and BitsStored 12. Expected HighBit 11"):
        read_image(dicom(tmp_path / "a.dcm", DEEP, BitsStored=12, HighBit=15))


def test_numbers_in_floating_point_are_no_radiograph(tmp_path):
    path = dicom(tmp_path / "a.dcm", GREY)
    header = pydicom.dcmread(path)
    del header.PixelData
    header.FloatPixelData = GREY.astype(np.float32).tobytes()
    header.save_as(path)
    with pytest.raises(ImageError, match="a.dcm is a DICOM file without an image.*floating point"):
        read_image(path)


@pytest.mark.filterwarnings("ignore:The number of bytes of pixel data")
def test_frames_are_counted_where_the_header_is_silent(tmp_path):
    path = dicom(tmp_path / "cine.dcm", GREY, data=GREY.tobytes() * 3)
    with pytest.raises(ImageError, match="cine.dcm holds 3 frames"):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("MR_small_jpeg_ls_lossless.dcm", "JPEG-LS Lossless Image Compression"),
        ("SC_rgb_jpeg_gdcm.dcm", "JPEG Lossless, Non-Hierarchical"),
        ("JPGExtended.dcm", "JPEG Extended"),  # Pillow decodes it at 8 bits and not at 12
    ],
)
def test_a_compression_without_decoder_is_named(monkeypatch, name, syntax):
    path = pydicom.data.get_testdata_file(name, download=False)
    decoder = pydicom.pixels.get_decoder(pydicom.dcmread(path).file_meta.TransferSyntaxUID)
    pillow = {name: plugin for name, plugin in decoder._available.items() if name == "pillow"}
    monkeypatch.setattr(decoder, "_available", pillow)
    with pytest.raises(ImageError, match=f"{name} is compressed as {syntax}.*no decoder.*pip install"):
        read_image(path)


@pytest.mark.parametrize(
    ("kind", "syntax", "end"),
    [
        ("JPEG", JPEGBaseline8Bit, b""),
        ("JPEG", JPEGBaseline8Bit, b"\xff\xd9"),
        ("JPEG2000", JPEG2000Lossless, b""),
        ("JPEG2000", JPEG2000Lossless, b"\xff\xd9"),
    ],
)
def test_half_a_compressed_picture_is_damaged(tmp_path, kind, syntax, end):
    with pytest.raises(ImageError, match="half.dcm is (a |truncated, )damaged"):
        read_image(compressed(tmp_path / "half.dcm", kind, syntax, cut=1200, end=end))


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_named(tmp_path, kept):
    path = dicom(tmp_path / "half.dcm", GREY)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(ImageError, match="half.dcm"):
        read_image(path)


def test_what_only_begins_like_a_file_without_preamble_is_no_picture(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"\x08\0" + bytes(300))
    with pytest.raises(ImageError, match="a.bin begins with .*which is no image"):
        read_image(path)


def test_too_large_a_picture_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = dicom(tmp_path / "a.dcm", GREY, Rows=40000, Columns=40000)
    with pytest.raises(ImageError, match="a.dcm is 40,000 x 40,000 pixels. Expected at most 100 million"):
        read_image(path)
    monkeypatch.setattr(images, "MOST_PIXELS", GREY.size)
    assert read_image(dicom(path, GREY)).shape == GREY.shape
    monkeypatch.setattr(images, "MOST_PIXELS", GREY.size - 1)
    with pytest.raises(ImageError, match="is 40 x 48 pixels"):
        read_image(path)


@pytest.mark.filterwarnings("ignore")  # what pydicom has to say of it too
@settings(max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["plain", "JPEG", "JPEG2000"]),
    kept=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
)
def test_whatever_happens_to_a_file_it_is_a_picture_or_an_image_error(tmp_path, kind, kept, changes):
    path = tmp_path / "a.dcm"
    if kind == "plain":
        dicom(path, DEEP, WindowCenter=2000, WindowWidth=900, PixelPaddingValue=9, RescaleSlope=1, RescaleIntercept=0)
    else:
        compressed(path, kind, {"JPEG": JPEGBaseline8Bit, "JPEG2000": JPEG2000Lossless}[kind])
    data = bytearray(path.read_bytes())
    data = data[: round(len(data) * (1 - kept**4))]  # mostly whole, or nearly
    for place, value in changes:
        if data:
            data[int(place * (len(data) - 1))] = value
    path.write_bytes(data)
    try:
        assert read_image(path).dtype == np.uint8
    except ImageError as error:
        assert "a.dcm" in str(error)
