"""The one path from a file to the array that a model sees.

Training, evaluation, prediction and Grad-CAM all go through `read_image`, `resize` and `standardise`, so that
a network is never asked about a picture prepared in another way than those it learned from.
"""

import struct
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from kornia_rs import io as png_decoder

from cxr_utils.errors import ImageError

#: A larger picture is refused before it is unpacked: the largest detectors have a fifth of that.
MOST_PIXELS = 100_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_DICOM_GROUPS = (b"\x02\0", b"\x08\0")  # what a DICOM file without its preamble begins with
_fast_decoder = threading.Lock()


def read_image(path: str | Path) -> np.ndarray:
    """Read one radiograph as 8-bit grey, whatever it is stored as.

    Colour is reduced to luminance and transparency ignored. Samples of more than 8 bits lose their lowest
    bits; how many bits are in use is judged by the brightest pixel, because 12-bit data often come in 16-bit
    files. A PNG or JPEG is turned as its EXIF orientation says, as any viewer turns it. DICOM is shown as its
    header says: see `dicom.read_dicom`.

    Args:
        path: A PNG, JPEG or DICOM file; its content decides, not its name.

    Returns:
        Array (height, width) of uint8; bright is dense.

    Raises:
        ImageError: The file is missing, empty, damaged, truncated or of another kind, has more than `MOST_PIXELS`
            or a single row or column of pixels. The message names it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "grey.png"
        ...     _ = cv2.imwrite(str(file), np.full((4, 6), 9, np.uint8))
        ...     read_image(file).shape
        (4, 6)
    """
    path = Path(path)
    try:
        return _pixels(_bytes(path))
    except ImageError as error:
        raise ImageError(f"{path} {error}") from None


def _pixels(data: bytes) -> np.ndarray:
    """What a file holds, by how it begins. Here and below a message lacks only the name of the file."""
    if data[128:132] == b"DICM" or data[:2] in _DICOM_GROUPS:
        from cxr_utils.data.dicom import read_dicom  # pydicom takes half a second to import

        return read_dicom(data)
    if not data.startswith((_PNG, _JPEG)):
        raise unknown(data)
    pixels = _read_png(data) if data.startswith(_PNG) else read_jpeg(data)
    if pixels is None:
        raise damaged("cannot be decoded: its pixels are damaged or too few")
    return _grey(_eight_bits(pixels))


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """Bring a picture to `size` x `size` pixels; the sides are scaled apart, so box fractions stay true.

    Shrinking averages over the area of each new pixel, which keeps thin lines that sampling would lose.

    Args:
        pixels: Array (height, width) of uint8.
        size: Wanted side in pixels.

    Returns:
        Array (size, size) of uint8.

    Example:
        >>> resize(np.array([[0, 100], [100, 200]], np.uint8), 1)
        array([[100]], dtype=uint8)
    """
    shrinks = min(pixels.shape) > size
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def standardise(pixels: np.ndarray) -> np.ndarray:
    """Shift and scale one picture to mean 0 and standard deviation 1, so that exposure no longer matters.

    Args:
        pixels: Array of any shape holding one picture.

    Returns:
        Array of the same shape, float32. A picture of one single grey becomes all zeros, not NaN.

    Example:
        >>> standardise(np.array([[0, 2], [2, 0]], np.uint8)).tolist()
        [[-1.0, 1.0], [1.0, -1.0]]
    """
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        # What training does for every image of every batch: 256 possible answers, worked out once and looked up.
        mean, spread = (values[0, 0] for values in cv2.meanStdDev(pixels))
        return cv2.LUT(pixels, _shifted_and_scaled(np.arange(256.0), mean, spread))
    pixels = pixels.astype(np.float32)
    return _shifted_and_scaled(pixels, pixels.mean(dtype=np.float64), pixels.std(dtype=np.float64))


def _shifted_and_scaled(values: np.ndarray, mean: float, spread: float) -> np.ndarray:
    return ((values - mean) / (spread if spread > 0 else 1.0)).astype(np.float32)


def load_image(path: str | Path, size: int) -> np.ndarray:
    """Read, resize and standardise one file: what the model sees.

    Args:
        path: A PNG, JPEG or DICOM file.
        size: Side in pixels that the model expects.

    Returns:
        Array (size, size, 1) of float32, mean 0 and standard deviation 1.

    Raises:
        ImageError: See `read_image`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "ramp.png"
        ...     _ = cv2.imwrite(str(file), np.arange(64, dtype=np.uint8).reshape(8, 8))
        ...     load_image(file, 4).shape
        (4, 4, 1)
    """
    return standardise(resize(read_image(path), size))[..., np.newaxis]


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        dead = path.is_symlink() and not path.exists()
        reason = f"a link to {path.readlink()}, which is not there" if dead else error.strerror
        raise ImageError(
            f"cannot be read ({reason}). Expected an image file. Check the path and its permissions."
        ) from None
    if not data:
        raise damaged("has 0 bytes")
    return data


def unknown(data: bytes) -> ImageError:
    """The error about a file that is no picture; `read_image` puts its name before it.

    Example:
        >>> str(unknown(b"<html>"))[:50]
        "begins with b'<html>', which is no image that this"
    """
    return ImageError(
        f"begins with {data[:8]!r}, which is no image that this course reads. "
        f"Expected a PNG, JPEG or DICOM file. Convert it, or check that the download is not a web page."
    )


def damaged(how: str) -> ImageError:
    """The error about a file that is not whole; `read_image` puts its name before it.

    Example:
        >>> damaged("has 0 bytes")
        ImageError('has 0 bytes. Expected a whole image file. Fetch or copy the file again, or leave it out.')
    """
    return ImageError(f"{how}. Expected a whole image file. Fetch or copy the file again, or leave it out.")


def check_size(height: int, width: int) -> None:
    """Refuse a picture by what its header says, before memory is asked for.

    Args:
        height: rows of pixels.
        width: columns of pixels.

    Raises:
        ImageError: more than `MOST_PIXELS` in all, or a single row or column.

    Example:
        >>> check_size(1, 100)
        Traceback (most recent call last):
        cxr_utils.errors.ImageError: is 100 x 1 pixels, which is a line. Expected a picture. Leave it out.
    """
    if min(height, width) < 2:
        raise ImageError(f"is {width} x {height} pixels, which is a line. Expected a picture. Leave it out.")
    if height * width > MOST_PIXELS:
        raise ImageError(
            f"is {width:,} x {height:,} pixels. Expected at most {MOST_PIXELS // 1_000_000} million in all. "
            f"Save it smaller, or leave it out."
        )


def _read_png(data: bytes) -> np.ndarray | None:
    kinds = _checked_chunks(data)
    width, height = struct.unpack_from(">II", data, 16)
    check_size(height, width)
    plain = data[24:29] == b"\x08\0\0\0\0" and b"eXIf" not in kinds  # 8 bits, grey, not to be turned
    pixels = _plain_grey_png(data, height, width) if plain else None
    if pixels is None:
        # Colour is reduced row by row while it is decoded, which costs a quarter less than afterwards.
        pixels = _opencv(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
    if pixels is None and plain:  # OpenCV asks more: a thread that waited must not get another answer
        return _plain_grey_png(data, height, width, wait=True)
    return pixels


def _checked_chunks(data: bytes) -> list[bytes]:
    """Walk the chunks and their checksums, which not every decoder looks at; give back their kinds."""
    position, kinds = len(_PNG), []
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(data[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise damaged(f"is damaged (checksum of its {kind.decode('latin-1')} chunk)")
        kinds.append(kind)
        if kinds[0] != b"IHDR":
            raise damaged("is damaged (its first chunk is not its header)")
        if kind == b"IEND":
            return kinds
        position = end + 4
    raise damaged("is truncated (its last chunk is missing)")


def _plain_grey_png(data: bytes, height: int, width: int, *, wait: bool = False) -> np.ndarray | None:
    """What nearly all X-rays are stored as, in less than half of OpenCV's time; None for a file it cannot decode.

    The decoder keeps Python's lock while it works, so that a second thread would wait for the first. OpenCV does not:
    None is also for a thread that finds the decoder taken and need not wait. Both give the same pixels.
    """
    if not _fast_decoder.acquire(blocking=wait):
        return None
    try:
        return png_decoder.decode_image_png_u8(data, (height, width), "mono")[..., 0]
    except Exception:  # the decoder knows no other; whether the file is damaged is for OpenCV to say
        return None
    finally:
        _fast_decoder.release()


def read_jpeg(data: bytes) -> np.ndarray | None:
    """Decode a JPEG strictly: what its decoder would only warn of, lost lines or bytes too many, is damage.

    Args:
        data: the file.

    Returns:
        uint8, (height, width) of a grey picture and (height, width, 3), blue first, of one in colour; None where
        only OpenCV, which has to turn it, finds fault.

    Raises:
        ImageError: it is damaged, or see `check_size`.

    Example:
        >>> read_jpeg(cv2.imencode(".jpg", np.full((4, 6), 9, np.uint8))[1].tobytes()).shape
        (4, 6)
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        check_size(height, width)
        kind = {"Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}.get(colours, "BGR")
        pixels = simplejpeg.decode_jpeg(data, kind)
    except ImageError:
        raise
    except ValueError as error:
        raise damaged(f"is truncated, damaged or a rare kind of JPEG ({error})") from None
    if kind == "CMYK" or b"Exif\0\0" in data:
        return _opencv(data, cv2.IMREAD_ANYCOLOR)  # which mixes inks and turns
    return pixels[..., 0] if kind == "GRAY" else pixels


def _opencv(data: bytes, how: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:
        return None


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    used_bits = max(8, int(pixels.max()).bit_length())
    return (pixels >> (used_bits - 8)).astype(np.uint8)


def _grey(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
