"""One answer whatever the thread, and damage noticed in every kind of PNG and JPEG."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from cxr_utils.data import images
from cxr_utils.data.images import read_image
from cxr_utils.errors import ImageError

GREY = np.random.default_rng(0).integers(0, 256, (48, 40), dtype=np.uint8)
SMOOTH = cv2.resize(GREY[:9, :9], (200, 160), interpolation=cv2.INTER_CUBIC)
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples a pixel, by colour type
PALETTE = b"".join(bytes([grey] * 3) for grey in range(255, -1, -1))


@pytest.fixture
def png(tmp_path):
    def write(pixels, **options):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        Image.fromarray(pixels).save(path, **options)
        return path

    return write


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def passes(width: int, height: int, interlaced: bool) -> list[tuple[int, int]]:
    """(rows, columns) of the whole picture, or of each of Adam7's seven."""
    if not interlaced:
        return [(height, width)]
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    sizes = [(-(-(height - y) // down), -(-(width - x) // right)) for x, y, right, down in steps]
    return [(rows, columns) for rows, columns in sizes if rows > 0 and columns > 0]


def raw_png(kind, width=37, height=29, extra=b"", seed=0, left=1.0, body=None) -> bytes:
    """A PNG of random samples and filters with right checksums; `left` of its rows' bytes are there."""
    bits, colour, interlaced = kind
    rng, rows = np.random.default_rng(seed), b""
    for count, columns in passes(width, height, interlaced):
        lines = rng.integers(0, 256, (count, 1 + -(-columns * CHANNELS[colour] * bits // 8)), dtype=np.uint8)
        lines[:, 0] %= 5
        rows += lines.tobytes()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    palette = chunk(b"PLTE", PALETTE[: 3 << bits]) if colour == 3 else b""
    data = zlib.compress(rows[: round(len(rows) * left)]) if body is None else body(zlib.compress(rows))
    return images._PNG + chunk(b"IHDR", header) + palette + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


KINDS = [
    (bits, colour, interlaced)
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items()
    for bits in depths
    for interlaced in (False, True)
]
EXTRA = {
    "gamma": chunk(b"gAMA", struct.pack(">I", 22000)),
    "chromaticities": chunk(b"sRGB", b"\0"),
    "significant bits": chunk(b"sBIT", b"\4"),
    "background": chunk(b"bKGD", b"\0\5"),
    "transparent grey": chunk(b"tRNS", b"\0\5"),
    "wrong transparency": chunk(b"tRNS", b"\0\5\5\5"),
    "palette of a grey": chunk(b"PLTE", b"\0\1\2"),
    "orientation": chunk(b"eXIf", b"II*\0\10\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"),
    "broken orientation": chunk(b"eXIf", b"II*\0\10\0\0"),
    "frames": chunk(b"acTL", struct.pack(">II", 1, 0)),
    "unknown": chunk(b"abCd", b"whatever"),
    "unknown and needed": chunk(b"ABCD", b"whatever"),
}


def both_ways(path) -> list:
    """What a thread gets that finds the fast decoder free, and one that finds it taken."""
    answers = [answer(path)]
    taken, images._fast_decoder = images._fast_decoder, Taken()
    try:
        return [*answers, answer(path)]
    finally:
        images._fast_decoder = taken


class Taken:
    """A lock that another thread has for as long as one does not wait."""

    def acquire(self, blocking: bool) -> bool:
        return blocking

    def release(self) -> None:
        """Nothing to do."""


def answer(path):
    try:
        return read_image(path)
    except ImageError as error:
        return str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_png_has_one_answer(tmp_path, kind):
    path = tmp_path / "a.png"
    path.write_bytes(raw_png(kind))
    first, second = both_ways(path)
    assert np.array_equal(first, second) and first.shape == (29, 37)
    oracle = Image.open(path)
    if kind[1] in (0, 3) and kind[0] <= 8:
        assert np.array_equal(first, np.asarray(oracle.convert("L")))


@pytest.mark.parametrize("extra", EXTRA)
def test_a_grey_png_with_other_chunks_has_one_answer(tmp_path, extra):
    path = tmp_path / "a.png"
    path.write_bytes(raw_png((8, 0, False), extra=EXTRA[extra]))
    first, second = both_ways(path)
    assert type(first) is type(second) and np.array_equal(first, second)
    if extra == "unknown and needed":
        assert "cannot be decoded" in first
    else:
        plain = np.asarray(Image.open(BytesIO(raw_png((8, 0, False)))))
        assert np.array_equal(first, np.rot90(plain, -1) if extra == "orientation" else plain)


def test_an_animation_shows_its_first_frame_to_every_thread(png):
    later = [Image.fromarray(255 - GREY), Image.fromarray(GREY // 2)]
    path = png(GREY, save_all=True, append_images=later)
    assert all(np.array_equal(one, GREY) for one in both_ways(path))


def test_many_threads_read_the_same_pixels(png):
    """Whoever finds the fast decoder taken uses the other."""
    exif = Image.Exif()
    exif[274] = 6
    pictures = [np.roll(GREY, shift, axis=1).repeat(12, axis=0).repeat(12, axis=1) for shift in range(24)]
    files = [png(picture) if number % 3 else png(picture, exif=exif) for number, picture in enumerate(pictures)]
    upright = [picture if number % 3 else np.rot90(picture, -1) for number, picture in enumerate(pictures)]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            read = list(threads.map(read_image, files))
            assert all(np.array_equal(one, picture) for one, picture in zip(read, upright, strict=True))
    assert not images._fast_decoder.locked()


# --- damage -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [0, 0.5, 0.99])
def test_a_png_with_right_checksums_and_too_few_pixels_is_noticed(tmp_path, kind, left):
    path = tmp_path / "short.png"
    path.write_bytes(raw_png(kind, left=left))
    first, second = both_ways(path)
    assert first == second and "short.png cannot be decoded: its pixels are damaged or too few" in first


@pytest.mark.parametrize(
    "body",
    [
        lambda stream: b"",
        lambda stream: stream[: len(stream) // 2],
        lambda stream: stream[:400] + bytes(50) + stream[450:],
        lambda stream: stream[:-1] + bytes([stream[-1] ^ 1]),
        lambda stream: stream + b"more",
    ],
)
def test_a_damaged_stream_with_right_checksums_has_one_answer(tmp_path, body):
    path = tmp_path / "a.png"
    path.write_bytes(raw_png((8, 0, False), body=body))
    first, second = both_ways(path)
    assert type(first) is type(second) and np.array_equal(first, second)


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">IIBBBBB", 0, 29, 8, 0, 0, 0, 0),
        struct.pack(">IIBBBBB", 37, 29, 3, 0, 0, 0, 0),
        struct.pack(">IIBBBBB", 37, 29, 8, 5, 0, 0, 0),
        struct.pack(">IIBBBBB", 37, 29, 8, 0, 1, 0, 0),
        struct.pack(">IIBBBBB", 37, 29, 8, 0, 0, 1, 0),
        struct.pack(">IIBBBBB", 37, 29, 8, 0, 0, 0, 2),
        struct.pack(">IIBBBBB", 37, 30, 8, 0, 0, 0, 0),
        struct.pack(">IIBBBBB", 38, 29, 8, 0, 0, 0, 0),
        b"",
        b"\0" * 30,
    ],
)
def test_a_wrong_header_is_noticed(tmp_path, header):
    path = tmp_path / "a.png"
    rest = raw_png((8, 0, False))[8 + 25 :]
    path.write_bytes(images._PNG + chunk(b"IHDR", header) + rest)
    first, second = both_ways(path)
    assert first == second and "a.png" in first and "Expected" in first


def test_a_png_that_does_not_begin_with_its_header_is_damaged(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(images._PNG + chunk(b"CgBI", b"") + raw_png((8, 0, False))[8:])  # as some telephones write
    with pytest.raises(ImageError, match="a.png is damaged .its first chunk is not its header"):
        read_image(path)


JPEGS = {"grey": ("L", {}), "progressive": ("L", {"progressive": True}), "colour": ("RGB", {})} | {
    "restarting": ("L", {"restart_marker_rows": 1}),
    "inks": ("CMYK", {}),
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[: len(data) // 2] + b"\xff\xd9",  # the end marker is there, the lower half is not
        lambda data: data[: len(data) * 95 // 100] + b"\xff\xd9",
        lambda data: data[: len(data) // 2] + data[len(data) // 2 + 300 :],
        lambda data: data[: len(data) // 2] + bytes(len(data) // 2),  # room was made for it before it came
        lambda data: data[: len(data) // 2] + bytes(len(data) // 2) + b"\xff\xd9",
        lambda data: data[: len(data) * 3 // 4] + b"\xff\xd9" + data[len(data) * 3 // 4 :],
        lambda data: data[:400] + b"\xff\xd9",
        lambda data: b"\xff\xd8\xff\xd9",
        lambda data: data[:100],
    ],
)
def test_a_damaged_jpeg_is_noticed(tmp_path, kind, damage):
    mode, how = JPEGS[kind]
    path = tmp_path / "half.jpeg"
    Image.fromarray(SMOOTH + GREY.repeat(4, 0)[:160].repeat(5, 1) // 16).convert(mode).save(path, quality=95, **how)
    whole = path.read_bytes()
    assert read_image(path).shape == SMOOTH.shape
    path.write_bytes(damage(whole))
    with pytest.raises(ImageError, match="half.jpeg is truncated, damaged or"):
        read_image(path)


def test_too_large_a_picture_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    bomb = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", 40000, 40000, 1, 0, 0, 0, 0)
    zeros = chunk(b"IDAT", zlib.compress(bytes(40000 * 5001)))
    bomb.write_bytes(images._PNG + chunk(b"IHDR", header) + zeros + chunk(b"IEND", b""))
    with pytest.raises(ImageError, match="bomb.png is 40,000 x 40,000 pixels. Expected at most 100 million"):
        read_image(bomb)
    bomb = tmp_path / "bomb.jpg"
    Image.fromarray(GREY).save(bomb)
    data = bomb.read_bytes()
    place = data.index(b"\xff\xc0") + 5
    bomb.write_bytes(data[:place] + struct.pack(">HH", 60000, 50000) + data[place + 4 :])
    with pytest.raises(ImageError, match="bomb.jpg is 50,000 x 60,000 pixels. Expected at most"):
        read_image(bomb)
    bomb.write_bytes(data)
    monkeypatch.setattr(images, "MOST_PIXELS", GREY.size)
    assert read_image(bomb).shape == GREY.shape
    monkeypatch.setattr(images, "MOST_PIXELS", GREY.size - 1)
    with pytest.raises(ImageError, match="is 40 x 48 pixels"):
        read_image(bomb)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_side_that_opencv_does_not_take_has_one_answer(tmp_path, bits):
    path = tmp_path / "long.png"
    path.write_bytes(raw_png((bits, 0, False), width=2, height=(1 << 20) + 1))
    first, second = both_ways(path)
    assert np.array_equal(first, second)
    assert first.shape == ((1 << 20) + 1, 2) if bits == 8 else "long.png cannot be decoded" in first


@pytest.mark.parametrize("shape", [(1, 100), (100, 1), (1, 1)])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_line_is_no_picture(tmp_path, shape, suffix):
    path = tmp_path / f"row{suffix}"
    Image.fromarray(np.zeros(shape, np.uint8)).save(path)
    with pytest.raises(ImageError, match=f"row{suffix} is {shape[1]} x {shape[0]} pixels, which is a line. Expected"):
        read_image(path)


def test_a_dead_link_says_where_it_leads(tmp_path, link):
    path = tmp_path / "a.png"
    link(path, tmp_path / "gone.png")
    with pytest.raises(ImageError, match="a.png cannot be read .a link to .*gone.png, which is not there.. Expected"):
        read_image(path)
    (tmp_path / "gone.png").mkdir()
    with pytest.raises(ImageError, match="a.png cannot be read .Is a directory"):
        read_image(path)


@settings(max_examples=600, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=st.one_of(st.sampled_from(KINDS), st.sampled_from(sorted(JPEGS))),
    kept=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
    mended=st.booleans(),
)
def test_whatever_happens_to_a_file_it_is_a_picture_or_an_image_error(tmp_path, source, kept, changes, mended):
    if isinstance(source, tuple):
        data = bytearray(raw_png(source))
    else:
        file = BytesIO()
        Image.fromarray(GREY).convert(JPEGS[source][0]).save(file, "JPEG", **JPEGS[source][1])
        data = bytearray(file.getvalue())
    data = data[: round(len(data) * (1 - kept**4))]  # mostly whole, or nearly
    assume(len(data) > 0)
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    path = tmp_path / "a.png"
    path.write_bytes(with_right_checksums(data) if mended else data)
    first, second = both_ways(path)
    assert type(first) is type(second) and np.array_equal(first, second)
    assert first.dtype == np.uint8 if isinstance(first, np.ndarray) else "a.png" in first


def with_right_checksums(data: bytearray) -> bytes:
    """So that damage in a PNG gets as far as the decoders."""
    position = len(images._PNG)
    while data.startswith(images._PNG) and position + 12 <= len(data):
        end = position + 8 + struct.unpack_from(">I", data, position)[0]
        if end + 4 <= len(data):
            data[end : end + 4] = struct.pack(">I", zlib.crc32(data[position + 4 : end]))
        position = end + 4
    return bytes(data)


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
