"""One path from a file to an array: every format, every kind of damage."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from cxr_utils.data.images import load_image, read_image, resize, standardise

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


# --- turned as a viewer turns it --------------------------------------------------------------------------------
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("suffix", "mode"), [(".png", "L"), (".png", "RGB"), (".jpg", "L"), (".jpg", "RGB")])
def test_a_picture_is_turned_as_its_orientation_says(tmp_path, suffix, mode, orientation):
    path = tmp_path / f"turned{suffix}"
    exif = Image.Exif()
    exif[274] = orientation
    smooth = cv2.resize(GREY[:6, :5], (40, 48), interpolation=cv2.INTER_CUBIC)
    Image.fromarray(smooth).convert(mode).save(path, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("L")).astype(int)
    shown = read_image(path)
    assert shown.shape == upright.shape and np.abs(shown - upright).max() <= 1


# --- JPEG, which is decoded strictly and to OpenCV's pixels ------------------------------------------------------
@pytest.mark.parametrize(
    ("mode", "how"),
    [
        *((mode, how) for mode in ("L", "RGB", "CMYK") for how in ({"subsampling": 0}, {"progressive": True})),
        ("RGB", {"subsampling": 1}),
        ("RGB", {"subsampling": 2}),
    ],
)
@pytest.mark.parametrize("shape", [(97, 131), (64, 80)])
def test_a_jpeg_gives_opencvs_pixels(tmp_path, mode, how, shape):
    path = tmp_path / "scan.jpg"
    colour = cv2.resize(np.random.default_rng(2).integers(0, 256, (9, 9, 3), dtype=np.uint8), shape[::-1])
    Image.fromarray(colour).convert(mode).save(path, quality=90, **how)
    decoded = cv2.imread(str(path), cv2.IMREAD_ANYCOLOR)
    assert np.array_equal(read_image(path), decoded if mode == "L" else cv2.cvtColor(decoded, cv2.COLOR_BGR2GRAY))


def test_real_jpegs_give_opencvs_pixels(real_data):
    files = sorted((real_data / "pneumonia").rglob("*.jpeg"))[::40]
    assert len(files) > 10
    for file in files:
        decoded = cv2.imread(str(file), cv2.IMREAD_ANYCOLOR)
        grey = decoded if decoded.ndim == 2 else cv2.cvtColor(decoded, cv2.COLOR_BGR2GRAY)
        assert np.array_equal(read_image(file), grey), file
