"""Answers to the exercises of lesson 07: right ones in other forms, and wrong ones with the hint that they get."""

import cv2
import numpy as np
import pandas as pd
import pydicom
from PIL import Image
from scipy import special

from cxr_utils.data import images


def to_batch(path, size):
    return images.load_image(path, size)[np.newaxis]


def own_reader(path, size):
    return batch(images.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), size))


def as_stored(path, size):
    """Reads DICOM too, and takes its numbers as they are."""
    dicom = path.suffix == ".dcm"
    return batch(images.resize(pydicom.dcmread(path).pixel_array if dicom else images.read_image(path), size))


def batch(pixels):
    return images.standardise(pixels)[np.newaxis, :, :, np.newaxis]


def shrunk(path, size, how):
    return batch(cv2.resize(images.read_image(path), (size, size), interpolation=how))


def every_so_many(path, size):
    """Takes every n-th pixel, with the n that suits the height."""
    pixels = images.read_image(path)
    step = max(1, len(pixels) // size)
    return batch(pixels[::step, ::step])


def sigmoid(logits):
    return np.exp(logits) / (1 + np.exp(logits))


def named(probability, threshold):
    names = [name for name in probability.index if probability[name] >= threshold[name]]
    return sorted(names, key=lambda name: -probability[name])


RIGHT = {
    "file_to_batch": {
        "the package's own": to_batch,
        "64 bits": lambda *given: to_batch(*given).astype(float),
        "step by step": lambda path, size: batch(images.resize(images.read_image(str(path)), size)),
    },
    "probabilities": {
        "by hand": sigmoid,
        "scipy": special.expit,
        "tanh": lambda logits: 0.5 + 0.5 * np.tanh(logits / 2),
        "lists": lambda logits: sigmoid(logits).tolist(),
    },
    "named_findings": {
        "list": named,
        "array": lambda *given: np.array(named(*given)),
        "index": lambda *given: pd.Index(named(*given), dtype=object),
    },
}
SHRINK, DICOM, BY_NAME = "All pixels count when", "Not every file is a PNG", "Match by name, not by place."
WRONG = {
    "file_to_batch": [
        ("Read, resize, standardise", lambda path, size: to_batch(path, size)[0, :, :, 0, None, None]),
        (SHRINK, every_so_many),
        (SHRINK, lambda path, size: batch(images.read_image(path))),
        (SHRINK, lambda path, size: batch(images.read_image(path)[:size, :size])),
        (SHRINK, lambda path, size: shrunk(path, size, cv2.INTER_LINEAR)),
        (SHRINK, lambda path, size: shrunk(path, size, cv2.INTER_NEAREST)),
        (SHRINK, lambda path, size: images.resize(images.standardise(images.read_image(path)), size)[None, :, :, None]),
        ("`size` need not be 2.", lambda path, size: to_batch(path, 2)),
        (DICOM, own_reader),
        (DICOM, lambda path, size: batch(images.resize(np.array(Image.open(path)), size))),
        (DICOM, as_stored),
    ],
    "probabilities": [
        ("Several findings may be", lambda logits: sigmoid(logits) / max(sigmoid(logits).sum(), 1)),
        ("Keep the shape.", lambda logits: sigmoid(logits).ravel()),
        ("A logit is the logarithm", lambda logits: sigmoid(logits).round(3)),
        ("A logit is the logarithm", lambda logits: np.clip(logits, 0, 1)),
    ],
    "named_findings": [
        (BY_NAME, lambda probability, threshold: list(probability.index[probability.values >= threshold.values])),
        (BY_NAME, lambda probability, threshold: probability[probability >= threshold].sort_values().index),
        ("Who equals a threshold", lambda p, t: sorted((n for n in p.index if p[n] > t[n]), key=lambda n: -p[n])),
        ("NaN is no threshold", lambda p, t: named(p, t.fillna(0.5))),
        ("The likeliest comes first.", lambda p, t: sorted(named(p, t))),
        ("NaN is no threshold", lambda p, t: sorted((n for n in p.index if not p[n] < t[n]), key=lambda n: -p[n])),
        ("Sort by the probability alone.", lambda p, t: sorted(named(p, t), key=lambda name: t[name] - p[name])),
        (
            "It may be that nothing",
            lambda probability, threshold: named(probability, threshold) or [probability.idxmax()],
        ),
        ("Which findings reach", lambda probability, threshold: ["Nodule", "Mass"]),
    ],
}
