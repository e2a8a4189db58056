"""One path from a file to an array: every format, every kind of damage."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pydicom
import pydicom.data
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

from cxr_utils.data.images import (
    _fast_decoder,
    _plain_grey_png,
    load_image,
    read_image,
    resize,
    standardise,
)
from cxr_utils.data.dicom import write_dicom
from cxr_utils.errors import ImageError

GREY = np.random.default_rng(0).integers(0, 256, (48, 40), dtype=np.uint8)


@pytest.fixture
def png(tmp_path):
    def write(pixels, mode=None, **options):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        image = Image.fromarray(pixels)
        (image.convert(mode) if mode else image).save(path, **options)
        return path

    return write


@pytest.mark.parametrize("mode", [None, "RGB", "RGBA", "LA", "P"])
def test_every_kind_of_png_gives_the_same_grey(png, mode):
    assert np.array_equal(read_image(png(GREY, mode)), GREY)


def test_real_files_give_opencvs_pixels(real_data):
    files = sorted((real_data / "nih" / "original").glob("*.png"))
    grey = [file for file in files if cv2.imread(str(file), cv2.IMREAD_UNCHANGED).ndim == 2]
    assert len(grey) == 24
    for file in grey:
        assert np.array_equal(read_image(file), cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)), file


def test_many_threads_read_the_same_pixels(png):
    """Whoever finds the fast decoder taken uses the other."""
    pictures = [np.roll(GREY, shift, axis=1).repeat(12, axis=0).repeat(12, axis=1) for shift in range(24)]
    files = [png(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            read = list(threads.map(read_image, files))
            assert all(np.array_equal(one, picture) for one, picture in zip(read, pictures, strict=True))
    with _fast_decoder:
        assert np.array_equal(read_image(files[0]), pictures[0])
    assert not _fast_decoder.locked()


def test_transparency_of_one_grey_is_ignored(png):
    assert np.array_equal(read_image(png(GREY, transparency=int(GREY[0, 0]))), GREY)


def test_one_bit_png(png):
    assert np.array_equal(read_image(png(GREY, "1")), np.asarray(Image.fromarray(GREY).convert("1")) * np.uint8(255))


def test_colour_becomes_luminance(png):
    colour = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    luminance = np.asarray(Image.fromarray(colour).convert("L")).astype(int)  # Pillow as the oracle, BT.601 too
    assert np.abs(read_image(png(colour)).astype(int) - luminance).max() <= 1


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_png_keeps_its_highest_eight_bits(png, bits):
    deep = np.random.default_rng(2).integers(0, 1 << bits, (30, 20)).astype(np.uint16)
    deep[0, 0] = (1 << bits) - 1
    assert np.array_equal(read_image(png(deep)), deep >> (bits - 8))


def test_an_eight_bit_picture_stored_in_sixteen_bits_comes_back(png):
    picture = GREY.copy()
    picture[0, 0] = 255
    assert np.array_equal(read_image(png(picture.astype(np.uint16) * 257)), picture)


def test_jpeg_matches_pillow(tmp_path):
    smooth = cv2.resize(GREY, (120, 90), interpolation=cv2.INTER_CUBIC)
    path = tmp_path / "scan.jpeg"
    Image.fromarray(smooth).save(path, quality=95)
    assert np.abs(read_image(path).astype(int) - np.asarray(Image.open(path))).max() <= 1


def test_a_wrong_suffix_does_not_matter(png):
    path = png(GREY)
    assert np.array_equal(read_image(path.rename(path.with_suffix(".jpg"))), GREY)


def test_jpeg_with_bytes_after_its_end_is_read(tmp_path):
    path = tmp_path / "scan.jpg"
    Image.fromarray(GREY).save(path)
    path.write_bytes(path.read_bytes() + b"appended by a viewer")
    assert read_image(path).shape == GREY.shape


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".dcm"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_named(tmp_path, suffix, kept):
    path = tmp_path / f"half{suffix}"
    if suffix == ".dcm":
        dicom(path, GREY)
    else:
        Image.fromarray(GREY).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(ImageError, match=path.name):
        read_image(path)


def test_a_png_cut_at_a_chunk_boundary_is_noticed(png):
    path = png(GREY)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)


def test_a_png_cut_in_the_checksum_of_its_pixels_is_noticed(png):
    path = png(GREY)
    path.write_bytes(path.read_bytes()[:-14])  # the last chunk has 12 bytes
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)


def test_a_png_whose_chunk_claims_more_than_two_gigabytes_is_truncated(png):
    path = png(GREY)
    data = bytearray(path.read_bytes())
    data[33] = 0xFF  # the highest byte of the length of the second chunk
    path.write_bytes(data)
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)


def test_a_flipped_bit_in_a_png_is_noticed(png):
    path = png(GREY)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(ImageError, match="damaged"):
        read_image(path)


def test_a_png_with_right_checksums_and_too_few_pixels_is_noticed(tmp_path):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    path = tmp_path / "short.png"
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 65 * 10)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(ImageError, match="short.png"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "0 bytes"), (b"<html>not found</html>", "web page"), (b"\x89PNG\r\n\x1a\n", "truncated")],
)
def test_what_is_no_image_is_named(tmp_path, content, reason):
    path = tmp_path / "scan.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"scan.png.*{reason}"):
        read_image(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ImageError, match="nowhere.png"):
        read_image(tmp_path / "nowhere.png")
    with pytest.raises(ImageError, match=tmp_path.name):
        read_image(tmp_path)


def dicom(path, pixels, photometric="MONOCHROME2", **elements):
    """Write a small DICOM file; `elements` become attributes of its header."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = elements.pop("syntax", ExplicitVRLittleEndian)
    header = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    header.Rows, header.Columns = pixels.shape[:2]
    header.SamplesPerPixel, header.PhotometricInterpretation = (3 if pixels.ndim == 3 else 1), photometric
    if pixels.ndim == 3:
        header.PlanarConfiguration = 0
    bits = pixels.dtype.itemsize * 8
    header.BitsAllocated, header.BitsStored, header.HighBit = bits, bits, bits - 1
    header.PixelRepresentation = int(pixels.dtype.kind == "i")
    header.PixelData = elements.pop("data", pixels.tobytes())
    for name, value in elements.items():
        setattr(header, name, value)
    header.save_as(path, enforce_file_format=True)
    return path


def test_dicom_without_a_window_is_stretched_over_its_range(tmp_path):
    deep = np.random.default_rng(3).integers(100, 4000, (30, 20)).astype(np.uint16)
    expected = np.rint((deep - deep.min().astype(float)) / (deep.max() - deep.min()) * 255)
    assert np.array_equal(read_image(dicom(tmp_path / "a.dcm", deep)), expected)


def test_dicom_window_and_rescale_follow_the_standard(tmp_path):
    stored = np.array([[0, 500, 1000], [1250, 1500, 4000]], np.uint16)
    path = dicom(
        tmp_path / "a.dcm", stored, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1000, WindowWidth=2001
    )
    # Values -1000, 0, 1000, 1500, 2000, 7000; the window runs from -0.5 to 1999.5 (PS3.3 C.11.2.1.2.1, w - 1 = 2000).
    values = stored * 2.0 - 1000
    expected = np.rint(np.clip((values - 999.5) / 2000 + 0.5, 0, 1) * 255)
    assert np.array_equal(read_image(path), expected)
    assert expected.tolist()[0][:2] == [0, 0]


def test_dicom_with_several_windows_uses_the_first(tmp_path):
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    several = dicom(tmp_path / "a.dcm", stored, WindowCenter=[60, 200], WindowWidth=[50, 20])
    one = dicom(tmp_path / "b.dcm", stored, WindowCenter=60, WindowWidth=50)
    assert np.array_equal(read_image(several), read_image(one))


def test_monochrome1_is_inverted(tmp_path):
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(read_image(dicom(tmp_path / "a.dcm", pixels, "MONOCHROME1")), 255 - pixels)


def test_signed_dicom_values(tmp_path):
    pixels = np.array([[-1000, 0], [500, 1000]], np.int16)
    assert read_image(dicom(tmp_path / "a.dcm", pixels)).tolist() == [[0, 128], [191, 255]]


def test_colour_dicom_becomes_grey(tmp_path):
    pixels = np.repeat(GREY[..., None], 3, axis=2)
    assert np.array_equal(read_image(dicom(tmp_path / "a.dcm", pixels, "RGB")), GREY)


def test_dicom_of_one_grey_is_black(tmp_path):
    assert not read_image(dicom(tmp_path / "a.dcm", np.full((4, 4), 7, np.uint8))).any()


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
    with pytest.raises(ImageError, match=f"{name} is a damaged DICOM file"):
        read_image(pydicom.data.get_testdata_file(name, download=False))


def test_resize_averages_over_areas():
    pixels = np.random.default_rng(4).integers(0, 256, (8, 12), dtype=np.uint8)
    means = pixels.reshape(4, 2, 4, 3).mean(axis=(1, 3))
    assert np.abs(resize(pixels, 4) - means).max() <= 0.5


def test_resize_enlarges_without_leaving_the_range():
    enlarged = resize(GREY, 100)
    assert enlarged.shape == (100, 100)
    assert enlarged.dtype == np.uint8
    assert GREY.min() <= enlarged.min() and enlarged.max() <= GREY.max()


def test_standardise_gives_mean_zero_and_deviation_one():
    result = standardise(GREY)
    assert result.dtype == np.float32
    assert abs(result.mean()) < 1e-6
    assert abs(result.std() - 1) < 1e-6


def test_standardise_forgets_exposure_and_survives_one_grey():
    assert np.allclose(standardise(GREY), standardise(GREY.astype(float) * 3 + 7), atol=1e-5)
    assert not standardise(np.full((5, 5), 200, np.uint8)).any()


def test_load_image_is_the_three_steps(png):
    path = png(GREY)
    assert np.array_equal(load_image(path, 32), standardise(resize(GREY, 32))[..., None])


def test_real_originals_of_either_kind_read_alike(real_data):
    paths = sorted((real_data / "nih" / "original").glob("*.png"))
    channels = {cv2.imread(str(path), cv2.IMREAD_UNCHANGED).ndim for path in paths}
    assert channels == {2, 3}  # a few NIH originals are RGBA
    for path in paths:
        assert np.array_equal(read_image(path), np.asarray(Image.open(path).convert("L")))


# --- the window of a DICOM file, by the formulas of the standard ------------------------------------------------
def linear(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, written as the standard does, for an output range of 0 to 255."""
    low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    between = ((values - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5) * 255
    return np.rint(np.where(values <= low, 0, np.where(values > high, 255, between)))


@pytest.mark.parametrize(("centre", "width"), [(4, 5), (128, 256), (10, 2), (6, 1), (100.5, 31)])
def test_a_narrow_window_shows_that_its_width_counts_both_ends(tmp_path, centre, width):
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = dicom(tmp_path / "a.dcm", stored, WindowCenter=centre, WindowWidth=width)
    assert np.array_equal(read_image(path), linear(stored, centre, width))


def test_a_window_by_hand(tmp_path):
    path = dicom(tmp_path / "a.dcm", np.array([[1, 2, 3], [4, 5, 6]], np.uint8), WindowCenter=4, WindowWidth=5)
    assert read_image(path).tolist() == [[0, 32, 96], [159, 223, 255]]  # 255 times -.125, .125, .375, .625, .875, 1.125


def test_a_window_without_a_width_is_none(tmp_path):
    pixels = np.array([[10, 20], [30, 110]], np.uint8)
    assert read_image(dicom(tmp_path / "a.dcm", pixels, WindowCenter=4)).tolist() == [[0, 26], [51, 255]]


def table_of_values(first: int, entries: list[int], bits: int = 16) -> pydicom.Sequence:
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    return pydicom.Sequence([item])


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_a_table_of_values_is_looked_up_before_any_window(tmp_path, photometric):
    """VOI LUT Sequence, PS3.3 C.11.2: below its first value the first entry, above its last value the last one."""
    stored = np.array([[0, 10, 11], [12, 13, 200]], np.uint8)
    sequence = table_of_values(10, [0, 40000, 10000, 50000])
    path = dicom(tmp_path / "a.dcm", stored, photometric, VOILUTSequence=sequence, WindowCenter=100, WindowWidth=200)
    looked_up = np.array([[0, 0, 40000], [10000, 50000, 50000]])
    shown = np.rint(looked_up / 50000 * 255)
    assert np.array_equal(read_image(path), 255 - shown if photometric == "MONOCHROME1" else shown)


def test_rescaled_values_and_not_stored_ones_are_windowed(tmp_path):
    stored = np.arange(64, dtype=np.uint8).reshape(8, 8)
    path = dicom(tmp_path / "a.dcm", stored, RescaleSlope=0.5, RescaleIntercept=-3, WindowCenter=10, WindowWidth=20)
    assert np.array_equal(read_image(path), linear(stored * 0.5 - 3, 10, 20))


def test_colour_of_a_dicom_file_is_weighed_as_luminance(tmp_path):
    colour = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    luminance = np.asarray(Image.fromarray(colour).convert("L")).astype(int)
    assert np.abs(read_image(dicom(tmp_path / "a.dcm", colour, "RGB")).astype(int) - luminance).max() <= 1


# --- written DICOM files, read by pydicom -----------------------------------------------------------------------
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("shape", [(16, 16), (5, 7), (1, 1)])
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


# --- borders of what is read ------------------------------------------------------------------------------------
def test_a_jpeg_padded_with_zeros_is_whole(tmp_path):
    path = tmp_path / "scan.jpg"
    Image.fromarray(GREY).save(path)
    whole = read_image(path)
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    assert np.array_equal(read_image(path), whole)


def test_a_png_with_bytes_after_its_end_is_read(png):
    path = png(GREY)
    path.write_bytes(path.read_bytes() + b"appended by a viewer")
    assert np.array_equal(read_image(path), GREY)


@pytest.mark.parametrize(("largest", "shift"), [(255, 0), (256, 1), (511, 1), (512, 2), (4095, 4), (65535, 8), (3, 0)])
def test_the_brightest_pixel_tells_how_many_bits_are_in_use(png, largest, shift):
    deep = np.array([[0, largest // 3], [largest // 2, largest]], np.uint16)
    assert np.array_equal(read_image(png(deep)), deep >> shift)


def test_the_fast_decoder_takes_plain_grey_files_and_no_others(png):
    for path, plain in (
        (png(GREY), True),
        (png(GREY, "RGB"), False),
        (png(GREY, "1"), False),
        (png(GREY, "LA"), False),
    ):
        pixels = _plain_grey_png(path.read_bytes())
        assert (pixels is not None) == plain
    assert np.array_equal(_plain_grey_png(png(GREY).read_bytes()), GREY)
    assert _plain_grey_png(b"\xff\xd8\xff" + png(GREY).read_bytes()[3:]) is None


def test_a_picture_is_shrunk_by_area_only_where_both_sides_shrink():
    pixels = np.random.default_rng(5).integers(0, 256, (6, 24), dtype=np.uint8)
    halved = resize(pixels, 3).astype(float)
    assert np.abs(halved - pixels.reshape(3, 2, 3, 8).mean(axis=(1, 3))).max() <= 0.5
    column = np.zeros((6, 24), np.uint8)
    column[:, 0] = 255  # between its neighbours 1 and 2 a new pixel of four is sampled; column 0 has no part in it
    assert not resize(column, 6).any()
    assert np.array_equal(resize(pixels[:, :6], 6), pixels[:, :6])


def test_pixels_of_other_types_are_standardised_alike():
    deep = np.random.default_rng(6).integers(0, 4096, (12, 9)).astype(np.uint16)
    result = standardise(deep)
    assert np.allclose(result, (deep - deep.mean()) / deep.std(), atol=1e-5) and result.dtype == np.float32
    stack = np.random.default_rng(7).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    assert np.allclose(standardise(stack), (stack - stack.mean()) / stack.std(), atol=1e-5)
