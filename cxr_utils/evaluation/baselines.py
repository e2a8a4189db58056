"""What one reaches without looking, or by looking at next to nothing.

Every AUC of the course stands beside one of these. A model that does not beat age and sex has learned little;
a model that does not beat a thumbnail of 32 x 32 pixels has learned no radiology.
"""

import warnings
from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from cxr_utils.data.dataset import Dataset
from cxr_utils.errors import DataError

#: Columns of an image table that say something about the patient or the visit, and nothing about the picture.
NO_PIXELS = ("age", "sex", "view", "follow_up")
#: What `baseline_scores` gives where nothing else is asked for.
KINDS = ("no pixels", "thumbnail", "other labels")
#: Score of a finding of which no label is known; any constant would do.
UNKNOWN = 0.5
#: Side in pixels at which pictures are read for a thumbnail.
READ_AT = 32


def no_pixel_scores(train: pd.DataFrame, test: pd.DataFrame, findings: Sequence[str]) -> pd.DataFrame:
    """Scores from age, sex, view and follow-up number alone: one logistic regression for each finding.

    Args:
        train: image table to learn from.
        test: image table to score.
        findings: label columns of `train`.

    Returns:
        Probabilities, index image of `test`, columns findings. A finding of one class in `train` gets its
        prevalence.

    Raises:
        DataError: where the tables share none of the four columns, or `train` lacks a finding or is empty.

    Example:
        >>> train = pd.DataFrame({"image": list("abcd"), "age": [20., 30., 70., 80.], "Mass": [0, 0, 1, 1]})
        >>> test = pd.DataFrame({"image": ["x", "y"], "age": [25., 75.]})
        >>> scores = no_pixel_scores(train, test, ["Mass"])
        >>> bool(scores.loc["y", "Mass"] > scores.loc["x", "Mass"])
        True
    """
    known = [name for name in NO_PIXELS if name in train and name in test]
    if not known:
        raise DataError(
            f"The tables share none of {', '.join(NO_PIXELS)}. Expected at least one of them. "
            "This data set has no baseline without pixels; use thumbnail_scores."
        )
    return _regressions(_numbers(train, known), train, _numbers(test, known), test, findings)


def patient_mean_scores(train: pd.DataFrame, test: pd.DataFrame, findings: Sequence[str]) -> pd.DataFrame:
    """Scores each image by the mean training label of the same patient: what a leak is worth without one pixel.

    Args:
        train: image table to take labels from.
        test: image table to score.
        findings: label columns of `train`.

    Returns:
        Scores between 0 and 1, index image of `test`, columns findings. A patient who is not in `train` gets
        the prevalence in `train`, so on a split by patient every score is the same.

    Raises:
        DataError: where `train` lacks a finding or is empty.

    Example:
        >>> train = pd.DataFrame({"image": list("abc"), "patient": ["1", "1", "2"], "Mass": [1, 0, 0]})
        >>> test = pd.DataFrame({"image": ["x", "y"], "patient": ["1", "9"]})
        >>> patient_mean_scores(train, test, ["Mass"]).round(2)["Mass"].tolist()
        [0.5, 0.33]
    """
    labels = _labels(train, findings)
    means = labels.groupby(train["patient"].to_numpy()).mean()
    scores = means.reindex(test["patient"].to_numpy()).fillna(labels.mean())
    return scores.fillna(UNKNOWN).set_axis(pd.Index(test["image"], name="image"), axis=0)


def other_label_scores(table: pd.DataFrame, findings: Sequence[str]) -> pd.DataFrame:
    """Scores each image by the mean label of the same patient's other images, in the same table.

    No leak between parts is needed for it: who sees an earlier report of the patient knows as much. It says how much
    of a figure may be the patient and not the picture.

    Args:
        table: image table to take labels from and to score.
        findings: its label columns.

    Returns:
        Scores between 0 and 1, index image of `table`, columns findings. A patient with one image gets the
        prevalence.

    Raises:
        DataError: where the table lacks a finding or is empty.

    Example:
        >>> table = pd.DataFrame({"image": list("abcd"), "patient": ["1", "1", "1", "2"], "Mass": [1, 1, 0, 0]})
        >>> other_label_scores(table, ["Mass"])["Mass"].tolist()
        [0.5, 0.5, 1.0, 0.5]
    """
    labels = _labels(table, findings).set_axis(pd.Index(table["image"], name="image"), axis=0)
    same = labels.groupby(table["patient"].to_numpy())
    others = same.transform("count") - labels.notna()
    means = (same.transform("sum") - labels.fillna(0)) / others  # 0 / 0 where there is no other label
    return means.fillna(labels.mean()).fillna(UNKNOWN)


def thumbnail_scores(
    train_pixels: np.ndarray,
    train: pd.DataFrame,
    test_pixels: np.ndarray,
    test: pd.DataFrame,
    findings: Sequence[str],
    size: int = 16,
) -> pd.DataFrame:
    """Scores from pictures shrunk to a thumbnail: one logistic regression on its pixels for each finding.

    Args:
        train_pixels: (images, height, width) grey pictures of `train`, in its order.
        train: image table to learn from.
        test_pixels: (images, height, width) pictures of `test`, in its order.
        test: image table to score.
        findings: label columns of `train`.
        size: side of the thumbnail in pixels.

    Returns:
        Probabilities, index image of `test`, columns findings. A finding of one class in `train` gets its
        prevalence.

    Raises:
        DataError: where pictures and tables differ in length, or `train` lacks a finding or is empty.

    Example:
        >>> pixels = np.zeros((4, 32, 32), dtype=np.uint8)
        >>> pixels[2:, :16] = 200
        >>> table = pd.DataFrame({"image": list("abcd"), "Mass": [0, 0, 1, 1]})
        >>> thumbnail_scores(pixels, table, pixels, table, ["Mass"]).round()["Mass"].tolist()
        [0.0, 0.0, 1.0, 1.0]
    """
    for pixels, table in ((train_pixels, train), (test_pixels, test)):
        if pixels.ndim != 3 or len(pixels) != len(table):
            raise DataError(
                f"Received pictures of shape {pixels.shape} for a table of {len(table)} images. "
                "Expected (images, height, width), one picture a row. Take both from the same "
                "Dataset."
            )
    return _regressions(_thumbnails(train_pixels, size), train, _thumbnails(test_pixels, size), test, findings)


def baseline_scores(
    train: Dataset, judged: Dataset, kinds: Sequence[str] = KINDS, *, most: int | None = None, size: int = 16
) -> dict[str, pd.DataFrame]:
    """Scores of the baselines that a data set allows.

    Args:
        train: the images to learn from.
        judged: the images to score.
        kinds: which, in this order: "no pixels" (age, sex, view and follow-up), "thumbnail", "other labels" (of the
            patient's other images among `judged`) or "patient's labels" (among `train`).
        most: stop after so many; 1 takes the first that the data set allows.
        size: side of the thumbnail in pixels.

    Returns:
        Name to probabilities, index image of `judged`, columns findings. A thumbnail is named by its size.

    Raises:
        DataError: a kind is unknown, or an image file is absent.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> scores = baseline_scores(dataset.part("train"), dataset.part("test"), kinds=["no pixels", "thumbnail"])
        >>> list(scores)
        ['no pixels', '16 x 16 pixels']
    """
    unknown = set(kinds) - set(_WAYS)
    if unknown:
        raise DataError(f"Baselines {sorted(unknown)} were asked for. Expected some of {', '.join(_WAYS)}.")
    found: dict[str, pd.DataFrame] = {}
    for kind in kinds:
        scores = _WAYS[kind](train, judged, size) if len(found) != most else None
        if scores is not None:
            found[f"{size} x {size} pixels" if kind == "thumbnail" else kind] = scores
    return found


def _no_pixels(train: Dataset, judged: Dataset, size: int) -> pd.DataFrame | None:
    known = any(name in train.table and name in judged.table for name in NO_PIXELS)
    return no_pixel_scores(train.table, judged.table, train.findings) if known else None


def _thumbnail(train: Dataset, judged: Dataset, size: int) -> pd.DataFrame:
    pixels = [part.pixels(READ_AT) for part in (train, judged)]
    return thumbnail_scores(pixels[0], train.table, pixels[1], judged.table, train.findings, size)


def _other_labels(train: Dataset, judged: Dataset, size: int) -> pd.DataFrame | None:
    return other_label_scores(judged.table, judged.findings) if judged.knows("follow_ups") else None


def _patients_labels(train: Dataset, judged: Dataset, size: int) -> pd.DataFrame:
    return patient_mean_scores(train.table, judged.table, train.findings)


_WAYS = {
    "no pixels": _no_pixels,
    "thumbnail": _thumbnail,
    "other labels": _other_labels,
    "patient's labels": _patients_labels,
}


def _numbers(table: pd.DataFrame, known: list[str]) -> np.ndarray:
    """Characteristics as numbers: (images, features); age and its square, follow-up on a log scale."""
    columns = []
    for name in known:
        if name in ("sex", "view"):
            columns.append((table[name] == {"sex": "M", "view": "AP"}[name]).to_numpy(dtype=np.float64))
        elif name == "age":
            # Ages above 120 are typing errors (NIH has 411); a square lets risk rise and fall again.
            years = table[name].astype(np.float64)
            age = years.where(years <= 120).fillna(50.0).to_numpy() / 50 - 1
            columns += [age, age**2]
        else:
            columns.append(np.log1p(table[name].fillna(0).to_numpy(dtype=np.float64)))
    return np.column_stack(columns)


def _thumbnails(pixels: np.ndarray, size: int) -> np.ndarray:
    """(images, size * size), each thumbnail with mean 0 and standard deviation 1, as the networks see it."""
    small = np.stack(
        [cv2.resize(np.asarray(p, dtype=np.float32), (size, size), interpolation=cv2.INTER_AREA) for p in pixels]
    ).reshape(len(pixels), -1)
    spread = small.std(axis=1, keepdims=True)
    return (small - small.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)


def _regressions(
    features_train: np.ndarray,
    train: pd.DataFrame,
    features_test: np.ndarray,
    test: pd.DataFrame,
    findings: Sequence[str],
) -> pd.DataFrame:
    """One logistic regression for each finding, with a ridge of strength 1 on standardised features."""
    labels = _labels(train, findings)
    scores = {}
    for finding in findings:
        known = labels[finding].notna().to_numpy()
        label = labels[finding].to_numpy()[known]
        if len(np.unique(label)) < 2:
            scores[finding] = np.full(len(test), label.mean() if len(label) else UNKNOWN)
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        with warnings.catch_warnings(), threadpool_limits(1):  # so small a product stalls on more threads
            # A baseline that stops after 200 steps is still a baseline; its AUC no longer moves.
            warnings.simplefilter("ignore", ConvergenceWarning)
            scores[finding] = model.fit(features_train[known], label).predict_proba(features_test)[:, 1]
    return pd.DataFrame(scores, index=pd.Index(test["image"], name="image"))


def _labels(train: pd.DataFrame, findings: Sequence[str]) -> pd.DataFrame:
    missing = [name for name in findings if name not in train]
    if missing or len(train) == 0:
        found = f"no column {', '.join(missing)}" if missing else "no rows"
        raise DataError(
            f"The training table has {found}. Expected labels 0 or 1 to learn from. Check the findings and the split."
        )
    return train[list(findings)].astype(np.float64)
