"""Small DICOM files, made by pydicom and Pillow."""

from io import BytesIO

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

GREY = np.random.default_rng(0).integers(0, 256, (48, 40), dtype=np.uint8)
DEEP = np.random.default_rng(3).integers(100, 4000, (30, 20)).astype(np.uint16)


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


def compressed(path, kind, syntax, cut=None, end=b""):
    file = BytesIO()
    Image.fromarray(GREY).save(file, kind)
    data = pydicom.encaps.encapsulate([file.getvalue()[:cut] + end])
    return dicom(path, GREY, syntax=syntax, data=data)
