"""The one path from a file to the array that a model sees.

Training, evaluation, prediction and Grad-CAM all go through `read_image`, `resize` and `standardise`, so that
a network is never asked about a picture prepared in another way than those it learned from.
"""

import struct
import threading
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from kornia_rs import io as png_decoder

from cxr_utils.errors import ImageError

if TYPE_CHECKING:
    import pydicom  # half a second to import, and only DICOM files need it

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_fast_decoder = threading.Lock()


def read_image(path: str | Path) -> np.ndarray:
    """Read one radiograph as 8-bit grey, whatever it is stored as.

    Colour is reduced to luminance and transparency ignored. Samples of more than 8 bits lose their lowest
    bits; how many bits are in use is judged by the brightest pixel, because 12-bit data often come in 16-bit
    files. DICOM is taken through rescale slope and window, and MONOCHROME1 is inverted so that air is always
    dark.

    Args:
        path: A PNG, JPEG or DICOM file; its content decides, not its name.

    Returns:
        Array (height, width) of uint8; bright is dense.

    Raises:
        ImageError: The file is missing, empty, damaged, truncated or of another kind. The message names it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "grey.png"
        ...     _ = cv2.imwrite(str(file), np.full((4, 6), 9, np.uint8))
        ...     read_image(file).shape
        (4, 6)
    """
    path = Path(path)
    data = _bytes(path)
    if data[128:132] == b"DICM":
        return _read_dicom(data, path)
    if data.startswith(_PNG):
        _check_png(data, path)
    elif data.startswith(_JPEG):
        _check_jpeg(data, path)
    else:
        raise ImageError(
            f"{path} begins with {data[:8]!r}, which is no image that this course reads. "
            f"Expected a PNG, JPEG or DICOM file. Convert it, or check that the download is not a web page."
        )
    pixels = _plain_grey_png(data)
    if pixels is not None:
        return pixels
    # A PNG in colour is reduced row by row while it is decoded, which costs a quarter less than afterwards.
    colour = cv2.IMREAD_GRAYSCALE if data.startswith(_PNG) else cv2.IMREAD_ANYCOLOR
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | colour)
    if pixels is None:
        raise _damaged(path, "cannot be decoded")
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
        raise ImageError(
            f"{path} cannot be read ({error.strerror}). Expected an image file. Check the path and its permissions."
        ) from None
    if not data:
        raise _damaged(path, "has 0 bytes")
    return data


def _damaged(path: Path, how: str) -> ImageError:
    return ImageError(f"{path} {how}. Expected a whole image file. Fetch or copy the file again, or leave it out.")


def _check_png(data: bytes, path: Path) -> None:
    """Walk the chunks and their checksums: OpenCV itself returns a half-black picture for half a file."""
    position = len(_PNG)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(data[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise _damaged(path, f"is damaged (checksum of its {kind.decode('latin-1')} chunk)")
        if kind == b"IEND":
            return
        position = end + 4
    raise _damaged(path, "is truncated (its last chunk is missing)")


def _plain_grey_png(data: bytes) -> np.ndarray | None:
    """What nearly all X-rays are stored as, in less than half of OpenCV's time; None for any other file.

    The decoder keeps Python's lock while it works, so that a second thread would wait for the first. OpenCV does not:
    None is also for a thread that finds the decoder taken. Both give the same pixels.
    """
    if data[24:29] != b"\x08\0\0\0\0" or not data.startswith(_PNG):  # 8 bits, grey, not interlaced
        return None
    if not _fast_decoder.acquire(blocking=False):
        return None
    width, height = struct.unpack_from(">II", data, 16)
    try:
        return png_decoder.decode_image_png_u8(data, (height, width), "mono")[..., 0]
    except Exception:  # the decoder knows no other; whether the file is damaged is for OpenCV to say
        return None
    finally:
        _fast_decoder.release()


def _check_jpeg(data: bytes, path: Path) -> None:
    """Look for the end marker; where other bytes follow it, let Pillow decide, which is strict but slower."""
    if data.rstrip(b"\0").endswith(_JPEG_END):
        return
    from PIL import Image

    try:
        Image.open(BytesIO(data)).load()
    except (OSError, SyntaxError):
        raise _damaged(path, "is truncated (its end marker is missing)") from None


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    used_bits = max(8, int(pixels.max()).bit_length())
    return (pixels >> (used_bits - 8)).astype(np.uint8)


def _grey(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)


def _read_dicom(data: bytes, path: Path) -> np.ndarray:
    import pydicom

    try:
        return _show_dicom(pydicom.dcmread(BytesIO(data)), path)
    except ImageError:
        raise
    except Exception as error:  # pydicom parses on access and raises many kinds for a damaged file
        raise _damaged(path, f"is a damaged DICOM file ({error})") from None


def _show_dicom(header: "pydicom.Dataset", path: Path) -> np.ndarray:
    from pydicom.pixels import apply_rescale

    if "PixelData" not in header:
        raise ImageError(
            f"{path} is a DICOM file without an image. Expected one radiograph. Choose another file of the study."
        )
    frames = int(header.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise ImageError(
            f"{path} holds {frames} frames. Expected a single radiograph. Save the frame you want as its own file."
        )
    stored = _decode_dicom(header, path)
    if stored.ndim == 3:
        return cv2.cvtColor(_eight_bits(stored), cv2.COLOR_RGB2GRAY)
    shown = _window(apply_rescale(stored, header), header)
    return 255 - shown if header.PhotometricInterpretation == "MONOCHROME1" else shown


def _decode_dicom(header: "pydicom.Dataset", path: Path) -> np.ndarray:
    try:
        return header.pixel_array
    except (RuntimeError, NotImplementedError):
        raise ImageError(
            f"{path} is compressed as {header.file_meta.TransferSyntaxUID.name}, for which no decoder is installed. "
            f"Expected a file that pydicom can decode. Install one (pip install pylibjpeg pylibjpeg-libjpeg "
            f"pylibjpeg-openjpeg), or save the image uncompressed or as PNG."
        ) from None


def _window(values: np.ndarray, header: "pydicom.Dataset") -> np.ndarray:
    """Map modality values to 0..255 by the header's window (DICOM PS3.3 C.11.2.1.2), else by their range."""
    from pydicom.multival import MultiValue
    from pydicom.pixels import apply_voi

    centre, width = (header.get(name) for name in ("WindowCenter", "WindowWidth"))
    if "VOILUTSequence" in header:
        values = apply_voi(values, header)
    elif centre is not None and width is not None:
        centre, width = (float(v[0] if isinstance(v, MultiValue) else v) for v in (centre, width))
        share = (values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5
        return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * (255 / (high - low if high > low else 1))).astype(np.uint8)


def write_dicom(path: str | Path, pixels: np.ndarray, *, inverted: bool = False, patient: str = "") -> Path:
    """Save a grey picture as a DICOM file such as a digital X-ray machine makes, without compression.

    Args:
        path: where; written beside and then renamed.
        pixels: uint8 (height, width), bright is dense.
        inverted: store it as MONOCHROME1, in which the smallest number is the brightest. Many machines do.
        patient: what the file shall say who it is.

    Returns:
        The path.

    Raises:
        ImageError: the picture is not 8-bit grey.

    Example:
        >>> import tempfile; from cxr_utils.data import images
        >>> path = Path(tempfile.mkdtemp()) / "chest.dcm"
        >>> images.read_image(write_dicom(path, np.array([[0, 9], [200, 255]], np.uint8), inverted=True)).tolist()
        [[0, 9], [200, 255]]
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise ImageError(
            f"Received pixels of type {pixels.dtype} and shape {pixels.shape}. Expected uint8 of shape (height, "
            "width). Take them from images.read_image."
        )
    path = Path(path)
    beside = path.with_name(f"{path.name}.part")
    _described(255 - pixels if inverted else pixels, inverted, patient).save_as(beside, enforce_file_format=True)
    return beside.replace(path)


def _described(stored: np.ndarray, inverted: bool, patient: str) -> "pydicom.Dataset":
    """The smallest header that makes the pixels a "Digital X-Ray Image Storage" object."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    number = generate_uid(entropy_srcs=[stored.tobytes().hex(), patient])  # the same picture, the same number
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DigitalXRayImageStorageForPresentation, number
    header = Dataset()
    header.file_meta = meta
    header.SOPClassUID, header.SOPInstanceUID = DigitalXRayImageStorageForPresentation, number
    header.Modality, header.BodyPartExamined, header.PatientID = "DX", "CHEST", patient
    header.WindowCenter, header.WindowWidth = 128, 256  # shows each 8-bit value as it is (PS3.3 C.11.2.1.2)
    header.set_pixel_data(stored, "MONOCHROME1" if inverted else "MONOCHROME2", 8, generate_instance_uid=False)
    return header
