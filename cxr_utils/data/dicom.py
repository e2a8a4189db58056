"""DICOM files: shown as their header says (PS3.3 C.7.6.3, C.11.1, C.11.2), and written.

Only who meets a DICOM file imports this one, because pydicom takes half a second.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_color_lut

from cxr_utils.data import images
from cxr_utils.errors import ImageError

#: What tells how to read stored values; none of it can be guessed (PS3.3 C.7.6.3).
_NEEDED = "Rows Columns SamplesPerPixel PhotometricInterpretation BitsAllocated BitsStored PixelRepresentation".split()


def read_dicom(data: bytes) -> np.ndarray:
    """Show a DICOM file in 8 bits, the way the standard goes from stored values to a screen.

    Stored values go through modality table or rescale, then through VOI table or the first window (linear, linear
    exact or sigmoid), and where the file has neither, their range is spread out. Padding takes no part in that and is
    black. MONOCHROME1 and an inverse presentation are inverted, so that air is dark. Colour becomes luminance.

    Args:
        data: the file, with or without its preamble.

    Returns:
        Array (height, width) of uint8; bright is dense.

    Raises:
        ImageError: the file is damaged, holds no picture, several frames or one of a kind that is not decoded here,
            or lacks what tells how to show it. The message does not name the file: `images.read_image` does.

    Example:
        >>> import tempfile
        >>> path = write_dicom(Path(tempfile.mkdtemp()) / "a.dcm", np.array([[0, 9], [200, 255]], np.uint8))
        >>> read_dicom(path.read_bytes()).tolist()
        [[0, 9], [200, 255]]
    """
    try:
        header = _opened(data)
        _check(header)
        stored = _decoded(header)
        if stored.ndim == 3 or header.PhotometricInterpretation == "PALETTE COLOR":
            return cv2.cvtColor(_coloured(stored, header), cv2.COLOR_RGB2GRAY)
        return _shown(stored, header)
    except ImageError:
        raise
    except Exception as error:  # pydicom parses on access and raises many kinds for a damaged file
        raise images.damaged(f"is a damaged DICOM file ({' '.join(str(error).split())})") from None


def _opened(data: bytes) -> pydicom.Dataset:
    header = pydicom.dcmread(BytesIO(data), force=True)
    if header.preamble is None:
        if "SOPClassUID" not in header and "Rows" not in header:
            raise images.unknown(data)
        if not header.file_meta:
            header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian  # pixels lie alike in the implicit one
    return header


def _check(header: pydicom.Dataset) -> None:
    """Refuse what holds no single picture, or does not say how to read it."""
    if "PixelData" not in header:
        held = "only numbers in floating point" if "FloatPixelData" in header else "no pixels"
        raise ImageError(
            f"is a DICOM file without an image: it holds {held}. Expected one radiograph. "
            f"Choose another file of the study."
        )
    missing = [name for name in _NEEDED if header.get(name) in (None, "")]
    if missing:
        raise ImageError(
            f"is a DICOM file without {', '.join(missing)}. Expected what the standard requires of a picture. "
            f"Export it again, or leave it out."
        )
    _check_frames(int(header.get("NumberOfFrames") or 1))
    images.check_size(header.Rows, header.Columns)
    if header.get("HighBit") not in (None, header.BitsStored - 1):
        raise ImageError(
            f"is a DICOM file with HighBit {header.HighBit} and BitsStored {header.BitsStored}. "
            f"Expected HighBit {header.BitsStored - 1}. Export it again, or leave it out."
        )


def _check_frames(frames: int) -> None:
    if frames > 1:
        raise ImageError(
            f"holds {frames} frames. Expected a single radiograph. Save the frame you want as its own file."
        )


def _decoded(header: pydicom.Dataset) -> np.ndarray:
    """Stored values (height, width), or (height, width, 3) in red, green and blue."""
    syntax = header.file_meta.TransferSyntaxUID
    if syntax == uid.JPEGBaseline8Bit:  # pydicom's decoder takes half a picture for a whole one
        images.read_jpeg(next(generate_frames(header.PixelData, number_of_frames=1)))
    try:
        stored = header.pixel_array
    except RuntimeError as error:
        if "raised by all available plugins" in str(error) and "does not support" not in str(error):
            raise
        raise ImageError(
            f"is compressed as {syntax.name}, for which no decoder is installed. "
            f"Expected a file that pydicom can decode. Install one (pip install pylibjpeg pylibjpeg-libjpeg "
            f"pylibjpeg-openjpeg), or save the image uncompressed or as PNG."
        ) from None
    if stored.ndim > (3 if header.SamplesPerPixel > 1 else 2):
        _check_frames(len(stored))
    return stored


def _coloured(stored: np.ndarray, header: pydicom.Dataset) -> np.ndarray:
    """Red, green and blue, (height, width, 3) of uint8."""
    top = 2**header.BitsStored - 1
    if header.PhotometricInterpretation != "PALETTE COLOR":
        colours = stored
    elif "SegmentedRedPaletteColorLookupTableData" in header:
        colours, top = apply_color_lut(stored, header), 2 ** header.RedPaletteColorLookupTableDescriptor[2] - 1
    else:
        tables = [f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")]
        found = [_looked_up(stored, header[f"{name}Descriptor"].value, header[f"{name}Data"].value) for name in tables]
        colours, top = np.stack([values for values, _ in found], axis=2), found[0][1]
    return np.rint(colours[..., :3] * (255 / top)).astype(np.uint8)


def _shown(stored: np.ndarray, header: pydicom.Dataset) -> np.ndarray:
    padding, values = _padding(stored, header), _modality(stored, header)
    shown = np.rint(_windowed(values, header, values if padding is None else values[~padding])).astype(np.uint8)
    if header.PhotometricInterpretation == "MONOCHROME1" or header.get("PresentationLUTShape") == "INVERSE":
        shown = 255 - shown
    if padding is not None:
        shown[padding] = 0
    return shown


def _padding(stored: np.ndarray, header: pydicom.Dataset) -> np.ndarray | None:
    """Where there is no picture, bool (height, width): PS3.3 C.7.5.1.1.2. None where there is one everywhere."""
    first = header.get("PixelPaddingValue")
    if first is None:
        return None
    last = header.get("PixelPaddingRangeLimit")
    unused = stored.itemsize * 8 - header.BitsStored  # the values are stored as pixels are, whatever type they claim
    low, high = np.sort(np.array([first, first if last is None else last]).astype(stored.dtype) << unused >> unused)
    return (stored >= low) & (stored <= high)


def _modality(stored: np.ndarray, header: pydicom.Dataset) -> np.ndarray:
    """What the machine measured (PS3.3 C.11.1); an empty slope or intercept changes nothing."""
    table = _first(header.get("ModalityLUTSequence"))
    if table is not None:
        return _looked_up(stored, table.LUTDescriptor, table.LUTData)[0]
    slope, intercept = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
    return stored if (slope, intercept) == (1, 0) else stored * slope + intercept


def _windowed(values: np.ndarray, header: pydicom.Dataset, seen: np.ndarray) -> np.ndarray:
    """From 0 to 255 by the header's table or first window (PS3.3 C.11.2), else by the range of what is `seen`."""
    table = _first(header.get("VOILUTSequence"))
    if table is not None and "LUTData" in table:
        values, top = _looked_up(values, table.LUTDescriptor, table.LUTData)
        return values * (255 / top)
    centre, width = (_first(header.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is not None and width is not None and width > 0:
        return _window(values, float(centre), float(width), header.get("VOILUTFunction") or "LINEAR") * 255
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    return np.clip((values - low) * (255 / (high - low if high > low else 1)), 0, 255)


def _window(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """From 0 to 1: PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "LINEAR":
        return np.clip((values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5, 0, 1)
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    raise ImageError(
        f"asks for the window function {function!r}. Expected LINEAR, LINEAR_EXACT or SIGMOID. "
        f"Save it as PNG with a viewer that knows it."
    )


def _looked_up(values: np.ndarray, descriptor: Any, data: Any) -> tuple[np.ndarray, int]:
    """Entries of a table, and the largest that it may hold; beyond its ends the first and the last (C.11.1.1)."""
    count, first, bits = descriptor
    count = count or 1 << 16
    if isinstance(data, bytes):
        data = np.frombuffer(data, "<u1" if len(data) < 2 * count else "<u2")
    table = np.asarray(data)[:count]
    if first >= 1 << 15 and values.min() < 0:
        first -= 1 << 16  # a negative number that was written as a positive one
    places = np.clip(np.rint(values).astype(np.int64) - first, 0, len(table) - 1)
    return table[places], max((1 << bits) - 1, int(table.max()), 1)


def _first(value: Any) -> Any:
    """The first of several values, the only one, or None where there is none."""
    if isinstance(value, MultiValue | pydicom.Sequence):
        value = value[0] if len(value) else None
    return None if value == "" else value


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
        >>> import tempfile
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


def _described(stored: np.ndarray, inverted: bool, patient: str) -> pydicom.Dataset:
    """The smallest header that makes the pixels a "Digital X-Ray Image Storage" object."""
    number = uid.generate_uid(entropy_srcs=[stored.tobytes().hex(), patient])  # the same picture, the same number
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = uid.DigitalXRayImageStorageForPresentation, number
    header = pydicom.Dataset()
    header.file_meta = meta
    header.SOPClassUID, header.SOPInstanceUID = uid.DigitalXRayImageStorageForPresentation, number
    header.Modality, header.BodyPartExamined, header.PatientID = "DX", "CHEST", patient
    header.WindowCenter, header.WindowWidth = 128, 256  # shows each 8-bit value as it is (PS3.3 C.11.2.1.2)
    header.set_pixel_data(stored, "MONOCHROME1" if inverted else "MONOCHROME2", 8, generate_instance_uid=False)
    return header
