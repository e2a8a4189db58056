"""Writing DICOM, the format in which hospitals keep radiographs. Reading is in `images`, where all formats meet."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxr_utils.errors import ImageError

if TYPE_CHECKING:
    import pydicom


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
        >>> import tempfile; from cxr_utils import images
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
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    number = generate_uid(entropy_srcs=[stored.tobytes().hex(), patient])  # the same picture, the same number
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DigitalXRayImageStorageForPresentation, number
    header = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = DigitalXRayImageStorageForPresentation, number
    header.Modality, header.BodyPartExamined, header.PatientID = "DX", "CHEST", patient
    header.Rows, header.Columns = stored.shape
    header.SamplesPerPixel, header.PixelRepresentation = 1, 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    header.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    header.WindowCenter, header.WindowWidth = 128, 256  # shows each 8-bit value as it is (PS3.3 C.11.2.1.2)
    header.PixelData = stored.tobytes() + b"\0" * (stored.size % 2)  # an even number of bytes, as the norm asks
    header["PixelData"].VR = "OB"
    return header
