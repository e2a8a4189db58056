"""One path from a file to an array: every format, every kind of damage."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from cxr_utils.data.images import (
    _fast_decoder,
    load_image,
    read_image,
    resize,
    standardise,
)
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


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_named(tmp_path, suffix, kept):
    path = tmp_path / f"half{suffix}"
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
