"""Trivial cues: what could give a finding away without a look at the chest, and how much each gives.

A cue is a table of numbers, one row an image. A logistic regression and gradient-boosted trees are fitted to it on
the training images; the better of the two on the validation images scores the test images.
"""

import cv2
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from cxr_utils.data import pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.evaluation.metrics import roc_auc

#: Cues that any image has; "other labels" is added finding by finding.
CUES = ("age, sex, view, visit", "brightness", "noise", "border", "file size", "file number")
RING = 4  # pixels of border, of images of 128 pixels; others in proportion
_SEGMENTS = 8  # a side of the border is cut into


def image_cues(dataset: Dataset, size: int) -> dict[str, pd.DataFrame]:
    """The cues of each image but the other labels: name of the cue to a table (images, numbers)."""
    pixels = pixelstore.pixels(dataset, size)
    table = dataset.table
    files = pd.DataFrame({"bytes": [dataset.path(name).stat().st_size for name in table["image"]]})
    values = (_metadata(table), _brightness(pixels), _noise(pixels), _border(pixels), files, _numbers(table))
    return dict(zip(CUES, values, strict=True))


def _metadata(table: pd.DataFrame) -> pd.DataFrame:
    age = table["age"].where(table["age"] <= 120, 47).astype(float)  # two ages are wrong on purpose
    man, lying = (table["sex"] == "M").astype(float), (table["view"] == "AP").astype(float)
    return pd.DataFrame({"age": age, "age squared": age**2, "sex": man, "view": lying, "visit": table["follow_up"]})


def _brightness(pixels: np.ndarray) -> pd.DataFrame:
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    quantiles = np.quantile(flat, (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99), axis=1)
    shares = [(flat == 0).mean(1), (flat == 255).mean(1)]
    return pd.DataFrame(np.column_stack([flat.mean(1), flat.var(1), flat.std(1), quantiles.T, *shares]))


def _noise(pixels: np.ndarray) -> pd.DataFrame:
    """What a 3 x 3 median takes away: its mean size, its spread, its share of zeros, and its mean in the centre."""
    residue = np.stack([cv2.absdiff(picture, cv2.medianBlur(picture, 3)) for picture in pixels]).astype(np.float32)
    quarter = pixels.shape[1] // 4
    centre = residue[:, quarter:-quarter, quarter:-quarter].mean((1, 2))
    whole = [residue.mean((1, 2)), residue.std((1, 2)), (residue == 0).mean((1, 2))]
    return pd.DataFrame(np.column_stack([*whole, centre]))


def _border(pixels: np.ndarray) -> pd.DataFrame:
    """Mean of each of eight pieces of each side's outermost pixels, their spread, and what lies in the corners."""
    ring = max(1, RING * pixels.shape[1] // 128)
    sides = [picture[:, ends] for picture in (pixels, pixels.swapaxes(1, 2)) for ends in _ends(ring)]
    pieces = [piece.mean((1, 2)) for side in sides for piece in np.array_split(side, _SEGMENTS, axis=2)]
    spreads = [side.std((1, 2)) for side in sides]
    eighth = pixels.shape[1] // 8
    corners = [pixels[:, rows, columns] for rows in _ends(eighth) for columns in _ends(eighth)]
    brightest = [corner.max((1, 2)) for corner in corners]  # of a burned-in marker
    return pd.DataFrame(np.column_stack(pieces + spreads + brightest))


def _ends(count: int) -> tuple[slice, slice]:
    return slice(None, count), slice(-count, None)


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """All that follows from a file's name: place in the table, patient number and its remainders, visits in all."""
    patient = table["patient"].astype(int)
    remainders = {f"patient modulo {base}": patient % base for base in (2, 3, 5, 7, 12)}
    visits = patient.map(patient.value_counts())
    return pd.DataFrame({"row": np.arange(len(table)), "patient": patient, "visits": visits, **remainders})


def other_labels(dataset: Dataset, finding: str) -> pd.DataFrame:
    """The labels of all findings but one."""
    return dataset.table[[name for name in dataset.findings if name != finding]].astype(float)


def models(seed: int = 0) -> list:
    """The two kinds of model that a cue is given to."""
    trees = HistGradientBoostingClassifier(
        max_iter=120, learning_rate=0.06, max_leaf_nodes=8, min_samples_leaf=30, l2_regularization=1.0,
        early_stopping=False, random_state=seed,
    )  # fmt: skip
    return [make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)), trees]


def cue_scores(train: pd.DataFrame, label: np.ndarray, chosen_on: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    """Log odds of one finding in the test images from one cue.

    Args:
        train: the cue of the images to learn from, training and validation together.
        label: (images,) 0 or 1, of the same images.
        chosen_on: (images,) bool, which of them are validation images: not fitted to, they choose the model.
        test: the cue of the test images.

    Returns:
        (test images,) log odds.
    """
    best, scores = -1.0, np.zeros(len(test))
    values, test_values = train.to_numpy(float), test.to_numpy(float)
    for model in models():
        with threadpool_limits(1):  # on a busy machine threads that wait for each other cost more than they bring
            model.fit(values[~chosen_on], label[~chosen_on])
        auc = roc_auc(label[chosen_on], model.predict_proba(values[chosen_on])[:, 1])
        if auc > best:
            best, scores = auc, model.decision_function(test_values)
    return scores
