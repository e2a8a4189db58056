"""Right and wrong answers to the exercises of lesson 07, by exercise."""

import numpy as np
import pandas as pd
from scipy import special

from cxr_utils.data import images


def to_batch(path, size):
    return images.load_image(path, size)[np.newaxis]


def sigmoid(logits):
    return np.exp(logits) / (1 + np.exp(logits))


def named(probability, threshold):
    names = [name for name in probability.index if probability[name] >= threshold[name]]
    return sorted(names, key=lambda name: -probability[name])


def every_so_many(path, size):
    """Takes every n-th pixel, with the n that suits the height."""
    pixels = images.read_image(path)
    step = max(1, len(pixels) // size)
    return images.standardise(pixels[::step, ::step])[None, :, :, None]


RIGHT = {
    "file_to_batch": {"the package's own": to_batch, "64 bits": lambda *given: to_batch(*given).astype(float)},
    "probabilities": {
        "by hand": sigmoid,
        "scipy": special.expit,
        "tanh": lambda logits: 0.5 + 0.5 * np.tanh(logits / 2),
    },
    "named_findings": {
        "list": named,
        "array": lambda *given: np.array(named(*given)),
        "index": lambda *given: pd.Index(named(*given), dtype=object),
    },
}
WRONG = {
    "file_to_batch": {
        "one step for both sides": every_so_many,
        "no batch axis": lambda path, size: to_batch(path, size)[0],
        "batch axis last": lambda path, size: to_batch(path, size)[0, :, :, 0, None, None],
        "no channel": lambda path, size: to_batch(path, size)[..., 0],
        "between 0 and 1": lambda path, size: images.resize(images.read_image(path), size)[None, :, :, None] / 255,
        "not resized": lambda path, size: images.standardise(images.read_image(path))[None, :, :, None],
        "not standardised": lambda path, size: images.resize(images.read_image(path), size)[None, :, :, None],
        "cut instead of resized": lambda path, size: images.standardise(images.read_image(path)[:size, :size])[
            None, :, :, None
        ],
        "one size for all": lambda path, size: to_batch(path, 2),
        "mean only": lambda path, size: (lambda p: p - p.mean())(
            images.resize(images.read_image(path), size).astype(float)
        )[None, :, :, None],
    },
    "probabilities": {
        "summing to 1": lambda logits: sigmoid(logits) / max(sigmoid(logits).sum(), 1),
        "softmax": lambda logits: np.exp(logits) / np.exp(logits).sum(),
        "sign turned": lambda logits: 1 / (1 + np.exp(logits)),
        "logits": lambda logits: logits,
        "odds": np.exp,
        "tanh": np.tanh,
        "clipped": lambda logits: np.clip(logits, 0, 1),
        "flat": lambda logits: sigmoid(logits).ravel(),
    },
    "named_findings": {
        "at least one": lambda probability, threshold: named(probability, threshold) or [probability.idxmax()],
        "one half for all": lambda probability, threshold: list(probability.index[probability >= 0.5]),
        "by position": lambda probability, threshold: list(probability.index[probability.values >= threshold.values]),
        "strictly above": lambda p, t: sorted((n for n in p.index if p[n] > t[n]), key=lambda n: -p[n]),
        "likeliest only": lambda probability, threshold: named(probability, threshold)[:1],
        "order of the table": lambda p, t: [name for name in p.index if p[name] >= t[name]],
        "below": lambda probability, threshold: [n for n in probability.index if probability[n] < threshold[n]],
        "NaN is named": lambda p, t: sorted((n for n in p.index if not p[n] < t[n]), key=lambda n: -p[n]),
        "a mask": lambda probability, threshold: [probability[name] >= threshold[name] for name in probability.index],
    },
}
