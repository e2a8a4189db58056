"""DICOM files are shown by the formulas of the standard (PS3.3 C.7.6.3, C.11), or refused by name."""

from io import BytesIO

import numpy as np
import pydicom
import pydicom.data
import pytest
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_windowing, convert_color_space
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit
from scipy.special import expit
from toy_dicom import DEEP, GREY, compressed, dicom

from cxr_utils.data.images import read_image
from cxr_utils.errors import ImageError


def test_dicom_without_a_window_is_stretched_over_its_range(tmp_path):
    assert np.array_equal(read_image(dicom(tmp_path / "a.dcm", DEEP)), spread(DEEP))


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
    shown = np.rint(looked_up / 65535 * 255)  # of the 16 bits that the table names
    assert np.array_equal(read_image(path), 255 - shown if photometric == "MONOCHROME1" else shown)


def test_rescaled_values_and_not_stored_ones_are_windowed(tmp_path):
    stored = np.arange(64, dtype=np.uint8).reshape(8, 8)
    path = dicom(tmp_path / "a.dcm", stored, RescaleSlope=0.5, RescaleIntercept=-3, WindowCenter=10, WindowWidth=20)
    assert np.array_equal(read_image(path), linear(stored * 0.5 - 3, 10, 20))


def test_colour_of_a_dicom_file_is_weighed_as_luminance(tmp_path):
    colour = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    luminance = np.asarray(Image.fromarray(colour).convert("L")).astype(int)
    assert np.abs(read_image(dicom(tmp_path / "a.dcm", colour, "RGB")).astype(int) - luminance).max() <= 1


# --- windows ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("centre", "width"), [(2048, 1024), (1000.5, 3), (3000, 4000)])
def test_a_sigmoid_window(tmp_path, centre, width):
    path = dicom(tmp_path / "a.dcm", DEEP, WindowCenter=centre, WindowWidth=width, VOILUTFunction="SIGMOID")
    assert np.array_equal(read_image(path), np.rint(expit(4 * (DEEP - float(centre)) / width) * 255))


@pytest.mark.parametrize("width", [0.5, 1, 300, 4000])
def test_a_linear_exact_window(tmp_path, width):
    path = dicom(tmp_path / "a.dcm", DEEP, WindowCenter=2000, WindowWidth=width, VOILUTFunction="LINEAR_EXACT")
    expected = np.rint(np.interp(DEEP, [2000 - width / 2, 2000 + width / 2], [0, 255]))
    assert np.array_equal(read_image(path), expected)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_every_window_is_pydicoms(tmp_path, function):
    """pydicom maps to the range of 12 bits, which is then brought to 8."""
    how = {"WindowCenter": 2100, "WindowWidth": 1500, "VOILUTFunction": function, "BitsStored": 12, "HighBit": 11}
    path = dicom(tmp_path / "a.dcm", DEEP, **how)
    assert np.abs(read_image(path) - apply_windowing(DEEP, pydicom.dcmread(path)) * (255 / 4095)).max() <= 0.51


def test_a_window_function_that_nobody_knows_is_refused(tmp_path):
    path = dicom(tmp_path / "a.dcm", DEEP, WindowCenter=4, WindowWidth=5, VOILUTFunction="CUBIC")
    with pytest.raises(ImageError, match="a.dcm asks for the window function 'CUBIC'. Expected LINEAR"):
        read_image(path)


@pytest.mark.parametrize(
    "window", [{"WindowWidth": 5}, {"WindowCenter": "", "WindowWidth": ""}, {"WindowCenter": 4, "WindowWidth": 0}]
)
def test_a_window_that_is_none(tmp_path, window):
    assert np.array_equal(read_image(dicom(tmp_path / "a.dcm", DEEP, **window)), spread(DEEP))


# --- tables and rescale -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rescale", "expected"),
    [
        ({"RescaleSlope": None, "RescaleIntercept": None}, [0, 64, 191, 255]),
        ({"RescaleSlope": -1, "RescaleIntercept": None}, [255, 191, 64, 0]),
        ({"RescaleSlope": -1}, [255, 191, 64, 0]),
        ({"RescaleIntercept": 7}, [0, 64, 191, 255]),
    ],
)
def test_an_empty_slope_or_intercept_changes_nothing(tmp_path, rescale, expected):
    path = dicom(tmp_path / "a.dcm", np.array([[0, 1], [3, 4]], np.uint8), **rescale)
    assert read_image(path).ravel().tolist() == expected


@pytest.mark.parametrize("first", [0, 1000, 3990])
def test_a_modality_table_comes_before_the_window(tmp_path, first):
    entries = np.random.default_rng(4).integers(0, 1 << 16, 2500).tolist()
    how = {"ModalityLUTSequence": table_of_values(first, entries), "WindowCenter": 30000, "WindowWidth": 40000}
    path = dicom(tmp_path / "a.dcm", DEEP, RescaleSlope=9, RescaleIntercept=9, **how)
    measured = apply_modality_lut(DEEP, pydicom.dcmread(path))  # pydicom as the oracle
    assert np.array_equal(read_image(path), linear(measured.astype(float), 30000, 40000))


def test_a_table_of_values_may_begin_below_zero_and_be_stored_as_bytes(tmp_path):
    stored = np.array([[-9, -3], [-2, 5]], np.int16)
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "SS", [3, -3, 8])
    item.add_new("LUTData", "OW", bytes([10, 20, 30, 0]))  # three entries of 8 bits, and a byte to make it even
    path = dicom(tmp_path / "a.dcm", stored, VOILUTSequence=pydicom.Sequence([item]))
    assert read_image(path).tolist() == [[10, 10], [20, 30]]


def test_a_table_of_values_that_lies_about_its_sign_and_its_bits(tmp_path):
    stored = np.array([[-9, -3], [-2, 5]], np.int16)
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [3, (1 << 16) - 3, 8])
    item.add_new("LUTData", "US", [0, 2550, 5100])
    path = dicom(tmp_path / "a.dcm", stored, VOILUTSequence=pydicom.Sequence([item]))
    assert read_image(path).tolist() == [[0, 0], [128, 255]]


def test_a_sequence_of_no_tables_leaves_the_window(tmp_path):
    nothing = {"VOILUTSequence": pydicom.Sequence(), "ModalityLUTSequence": pydicom.Sequence()}
    path = dicom(tmp_path / "a.dcm", DEEP, WindowCenter=2000, WindowWidth=900, **nothing)
    assert np.array_equal(read_image(path), linear(DEEP, 2000, 900))


# --- padding ----------------------------------------------------------------------------------------------------
def spread(values: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """0 to 255 over the range of what is seen; black elsewhere."""
    seen = np.ones(values.shape, bool) if seen is None else seen
    low, high = values[seen].min(), values[seen].max()
    return np.where(seen, np.rint((values.astype(float) - low) * (255 / (high - low))), 0)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("padding", [0, 65535])
def test_padding_is_black_and_takes_no_part_in_the_range(tmp_path, photometric, padding):
    stored = DEEP.copy()
    stored[:, :5] = padding
    shown = read_image(dicom(tmp_path / "a.dcm", stored, photometric, PixelPaddingValue=padding))
    whole = spread(DEEP[:, 5:])
    assert np.array_equal(shown[:, 5:], 255 - whole if photometric == "MONOCHROME1" else whole)
    assert not shown[:, :5].any()


@pytest.mark.parametrize(("value", "limit"), [(3000, 3500), (3500, 3000)])
def test_a_range_of_padding(tmp_path, value, limit):
    path = dicom(tmp_path / "a.dcm", DEEP, PixelPaddingValue=value, PixelPaddingRangeLimit=limit)
    assert np.array_equal(read_image(path), spread(DEEP, (DEEP < 3000) | (DEEP > 3500)))


def test_padding_stays_black_under_a_window(tmp_path):
    path = dicom(tmp_path / "a.dcm", DEEP, PixelPaddingValue=int(DEEP[3, 4]), WindowCenter=50, WindowWidth=20)
    assert np.array_equal(read_image(path), np.where(DEEP == DEEP[3, 4], 0, 255))


def test_negative_padding_that_was_written_as_a_positive_number(tmp_path):
    stored = DEEP.astype(np.int16) - 1000
    stored[0] = -2000
    path = dicom(tmp_path / "a.dcm", stored)
    header = pydicom.dcmread(path)
    header.add_new("PixelPaddingValue", "US", (1 << 16) - 2000)
    header.save_as(path)
    assert np.array_equal(read_image(path), spread(stored, stored != -2000))


def test_padding_that_fills_unused_bits_too(tmp_path):
    stored = DEEP.copy()
    stored[0] = 65535
    path = dicom(tmp_path / "a.dcm", stored, BitsStored=12, HighBit=11, PixelPaddingValue=65535)
    assert np.array_equal(read_image(path), spread(stored, stored != 65535))


def test_a_picture_of_padding_alone_is_black(tmp_path):
    assert not read_image(dicom(tmp_path / "a.dcm", np.full((4, 5), 9, np.uint16), PixelPaddingValue=9)).any()


# --- photometric interpretation ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
    ],
)
def test_a_picture_is_inverted_once(tmp_path, photometric, shape, inverted):
    shown = read_image(dicom(tmp_path / "a.dcm", DEEP, photometric, PresentationLUTShape=shape))
    assert np.array_equal(shown, 255 - spread(DEEP) if inverted else spread(DEEP))


def luminance(colour: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(colour).convert("L")).astype(int)


def test_luminance_and_colour_are_told_apart(tmp_path):
    colour = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    stored = convert_color_space(colour, "RGB", "YBR_FULL")
    shown = read_image(dicom(tmp_path / "a.dcm", stored, "YBR_FULL")).astype(int)
    assert np.abs(shown - stored[..., 0]).mean() < 1 and np.abs(shown - luminance(colour)).max() <= 3


@pytest.mark.parametrize("name", ["SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_rle.dcm"])
def test_colours_of_pydicoms_own_tests(name):
    path = pydicom.data.get_testdata_file(name, download=False)
    assert np.abs(read_image(path).astype(int) - luminance(pydicom.dcmread(path).pixel_array)).max() <= 1


def test_colour_of_sixteen_bits(tmp_path):
    colour = np.random.default_rng(1).integers(0, 1 << 16, (20, 30, 3)).astype(np.uint16)
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(read_image(dicom(tmp_path / "a.dcm", colour, "RGB")) - colour @ weights * (255 / 65535)).max() <= 1.01


@pytest.mark.parametrize(("bits", "dtype"), [(8, "<u1"), (16, "<u2")])
def test_a_palette_is_looked_up(tmp_path, bits, dtype):
    """300 entries of which 8-bit places would reach but 256."""
    stored = np.random.default_rng(1).integers(0, 420, (20, 30)).astype(np.uint16)
    tables = np.random.default_rng(2).integers(0, 1 << bits, (3, 300)).astype(dtype)
    elements = {}
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [300, 50, bits]
        elements[f"{colour}PaletteColorLookupTableData"] = table.tobytes()
    shown = read_image(dicom(tmp_path / "a.dcm", stored, "PALETTE COLOR", **elements))
    colours = tables[:, np.clip(stored.astype(int) - 50, 0, 299)].astype(float) * (255 / ((1 << bits) - 1))
    assert np.abs(shown - np.tensordot([0.299, 0.587, 0.114], colours, 1)).max() <= 1.01


def test_a_palette_in_segments(tmp_path):
    """PS3.3 C.7.9.2: two discrete entries, then a line of two steps to 240."""
    elements = {}
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 0, 8]
        elements[f"Segmented{colour}PaletteColorLookupTableData"] = bytes([0, 2, 10, 20, 1, 2, 240, 0])
    path = dicom(tmp_path / "a.dcm", np.array([[0, 1], [2, 3]], np.uint8), "PALETTE COLOR", **elements)
    assert read_image(path).tolist() == [[10, 20], [130, 240]]


def test_what_lies_in_unused_bits_is_no_matter(tmp_path):
    other = np.random.default_rng(5).integers(0, 16, DEEP.shape).astype(np.uint16) << 12
    assert np.array_equal(read_image(dicom(tmp_path / "a.dcm", DEEP | other, BitsStored=12, HighBit=11)), spread(DEEP))
    signed = np.where(DEEP > 2047, DEEP.astype(int) - 4096, DEEP)
    path = dicom(tmp_path / "b.dcm", (DEEP | other).view(np.int16), BitsStored=12, HighBit=11)
    assert np.array_equal(read_image(path), spread(signed))


def test_a_compressed_picture_is_read(tmp_path):
    assert np.array_equal(read_image(compressed(tmp_path / "a.dcm", "JPEG2000", JPEG2000Lossless)), GREY)
    shown = read_image(compressed(tmp_path / "b.dcm", "JPEG", JPEGBaseline8Bit)).astype(int)
    assert np.abs(shown - GREY).mean() < 20  # noise, as JPEG keeps it


@pytest.mark.parametrize("implicit", [True, False])
def test_a_file_without_preamble_is_read(tmp_path, implicit):
    path = dicom(tmp_path / "a.dcm", DEEP, WindowCenter=2000, WindowWidth=900)
    header = pydicom.dcmread(path)
    header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    expected = read_image(path)
    bare = BytesIO()
    pydicom.dcmwrite(bare, pydicom.Dataset(header), implicit_vr=implicit, little_endian=True)
    path.write_bytes(bare.getvalue())
    assert b"DICM" not in bare.getvalue()
    assert np.array_equal(read_image(path), expected)
