"""Figures on real patients, from tables that others have published; no image is needed.

NIH's image table (Wang et al., ChestX-ray8, CVPR 2017) names patients, findings, ages and views of 112,120 X-rays; a
DenseNet121 trained by others (Zech, reproduce-chexnet, after Rajpurkar et al., CheXNet, 2017) gave probabilities for
22,433 of them, on its own random test patients; and radiologists looked at 4,376 of them again (Majkowska et al.,
Radiology 2020). None of it is part of this repository.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from cxr_utils.cache import shipped
from cxr_utils.data import splits
from cxr_utils.data.collections import nih
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import look_into
from cxr_utils.data.readers.files import Folder, read_csv
from cxr_utils.data.readers.values import labels_in_cells, with_all_findings
from cxr_utils.data.schema import require_columns
from cxr_utils.errors import DataError, Missing
from cxr_utils.evaluation import baselines, metrics, thresholds
from cxr_utils.evaluation.predictions import read_predictions

TABLE = "Data_Entry_2017_v2020.csv.gz"
PREDICTIONS = "chexnet_predictions.csv.gz"
READINGS = "google2019_nih-chest-xray-labels.csv.gz"
#: What the radiologists were asked, and which of NIH's labels say so; none does for their fourth question, fracture.
ASKED = {
    "Pneumothorax": ["Pneumothorax"],
    "Nodule or mass": ["Nodule", "Mass"],
    "Airspace opacity": ["Atelectasis", "Consolidation", "Edema", "Infiltration", "Pneumonia"],
}
#: What a lesson prints where the tables are absent.
ABSENT = (
    "Left out: NIH's published tables are not here. To see this section, set `data`, or the environment variable "
    "CXR_REAL_DATA, to where they are."
)


def _folder(dataset: Dataset) -> Path | Missing:
    """Where NIH's published table lies: beside the data set, or in `nih` below `CXR_REAL_DATA`."""
    real = os.environ.get("CXR_REAL_DATA")
    places = [dataset.root, *([Path(real) / "nih"] if real else [])]
    return next((place for place in places if (place / TABLE).exists()), Missing(ABSENT))


def measured(name: str) -> pd.DataFrame:
    """A table of trainings that are too many for a lesson, as a script of `benchmarks` wrote it.

    Args:
        name: of the table, such as "losses" (a row a training) or "losses_pairs" (a row a pair of trainings).

    Returns:
        The columns that the script describes.

    Raises:
        DataError: there is no such table.

    Example:
        >>> measured("losses")["recipe"].unique().tolist()
        ['plain', 'weighted', 'focal']
    """
    path = shipped("data/measured") / f"{name}.csv"
    if not path.exists():
        there = ", ".join(sorted(one.stem for one in path.parent.glob("*.csv")))
        raise DataError(
            f"There is no table {name!r} in {path.parent}. Expected one of those there: {there or 'none'}. "
            "Make it with a script of `benchmarks`, such as measure_recipes.py."
        )
    return pd.read_csv(path)


def _nih_table(root: Path) -> tuple[pd.DataFrame, tuple[str, ...], np.ndarray]:
    """NIH's whole image table in the course's columns, its findings, and which rows are on the official test list."""
    contents = nih.read(Folder(root, [], [], [TABLE], {}))
    lists = nih.official_lists(root)
    if lists is None:
        raise DataError(f"{root} holds no test_list.txt. Expected NIH's official lists. Fetch them too.")
    official = contents.table["image"].isin(lists.loc[lists["split"] == "test", "image"])
    return contents.table, contents.findings, official.to_numpy()


def published_without_pixels(dataset: Dataset, seed: int = 0) -> pd.DataFrame | Missing:
    """How far labels and facts about the patient alone go on NIH's table.

    Args:
        dataset: the one that a lesson has opened; the table is looked for beside it and in `CXR_REAL_DATA`.
        seed: of the split by image.

    Returns:
        One row a way to score: scored_by, split, known_patients (share of the test images whose patient is in
        train), auc (mean over findings), images and patients of the test part. A `Missing` where the table is not
        at hand.

    Raises:
        DataError: a file is damaged, or the official lists are absent.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> published_without_pixels(dataset)  # doctest: +ELLIPSIS
        Left out: NIH's published tables are not here. ...
    """
    root = _folder(dataset)
    if isinstance(root, Missing):
        return root
    table, findings, official = _nih_table(root)
    in_test = (splits.split_by_image(table, {"train": 0.8, "test": 0.2}, seed) == "test").to_numpy()
    ways: tuple[tuple[str, str, np.ndarray, Callable[..., pd.DataFrame], list[str]], ...] = (
        ("the patient's other labels", "by image", in_test, baselines.patient_mean_scores, []),
        ("age, sex, view", "official", official, baselines.no_pixel_scores, ["age", "sex", "view"]),
    )
    rows = []
    for name, how, judged, guess, facts in ways:
        columns = ["image", "patient", *findings, *facts]
        learn, judge = table.loc[~judged, columns], table.loc[judged, columns]
        areas = metrics.auc_table(judge, guess(learn, judge, findings), judge["patient"].to_numpy(), replicates=0)
        row = {"scored_by": name, "split": how, "known_patients": judge["patient"].isin(learn["patient"]).mean()}
        counts = {"images": len(judge), "patients": judge["patient"].nunique()}
        rows.append(row | {"auc": areas.loc["mean", "auc"]} | counts)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Predictions:
    """Probabilities of others beside NIH's labels.

    Attributes:
        truth: labels, index image, columns findings.
        scores: probabilities, same index and columns.
        patients: patient of each image.
        official: which images are on NIH's official test list.
    """

    truth: pd.DataFrame
    scores: pd.DataFrame
    patients: np.ndarray
    official: np.ndarray

    def areas(self) -> pd.DataFrame:
        """Mean AUC, mean average precision and the AUC of Effusion, on all images and on two parts of them.

        Returns:
            Index: all, on the official test list, not on it. Columns: images, patients, mean_auc, mean_ap and
            effusion_auc.
        """
        rows = {}
        parts = {"all": self.official | True, "on the official test list": self.official, "not on it": ~self.official}
        for name, own in parts.items():
            arrays = self.truth[own], self.scores[own], self.patients[own]
            areas = metrics.auc_table(*arrays, replicates=0)["auc"]
            precision = metrics.average_precision_table(*arrays, replicates=0)["ap"]
            counts = {"images": int(own.sum()), "patients": len(np.unique(self.patients[own]))}
            rows[name] = counts | {
                "mean_auc": areas["mean"], "mean_ap": precision["mean"], "effusion_auc": areas["Effusion"]
            }  # fmt: skip
        return pd.DataFrame(rows).T.astype({"images": int, "patients": int})

    def pitfalls(self) -> pd.DataFrame:
        """What goes wrong with a threshold of one half, and with intervals over images.

        Returns:
            Index: findings. Columns: positives, sensitivity_at_half, and the width of the 95 % interval of the AUC over
            patients and over images.
        """
        units = {"over_patients": self.patients, "over_images": np.arange(len(self.truth))}
        widths = {}
        for name, unit in units.items():
            table = metrics.auc_table(self.truth, self.scores, unit)
            widths[name] = (table["high"] - table["low"]).drop("mean")
        sensitivity = thresholds.operating_points(self.truth, self.scores, 0.5)["sensitivity"]
        table = pd.DataFrame({"positives": self.truth.sum(), "sensitivity_at_half": sensitivity})
        return table.assign(**widths).rename_axis("finding")


def published_predictions(dataset: Dataset) -> Predictions | Missing:
    """Read the predictions and NIH's labels of the same images.

    Args:
        dataset: the one that a lesson has opened; the tables are looked for beside it and in `CXR_REAL_DATA`.

    Returns:
        Both, or a `Missing` where they are not at hand.

    Raises:
        DataError: a file is damaged, or an image has a prediction and no label.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> published_predictions(dataset)  # doctest: +ELLIPSIS
        Left out: NIH's published tables are not here. ...
    """
    root = _folder(dataset)
    if isinstance(root, Missing) or not (root / PREDICTIONS).exists():
        return Missing(ABSENT)
    table, findings, official = _nih_table(root)
    scores = read_predictions(root / PREDICTIONS)[list(findings)]
    rows = pd.Index(table["image"]).get_indexer(scores.index)
    if (rows < 0).any():
        raise DataError(f"{scores.index[rows < 0][0]} has a prediction and no label. Expected both. Fetch both again.")
    own = table.iloc[rows].set_index("image")
    return Predictions(own[list(findings)], scores, own["patient"].to_numpy(), official[rows])


@dataclass(frozen=True)
class Readings:
    """What radiologists saw beside NIH's labels of the same images, for the questions of `ASKED`.

    The images were not drawn at random, some were chosen for their findings. Shares of the labelled are of them alone.

    Attributes:
        seen: what the radiologists agreed on, 0 or 1, index image, columns the questions.
        mined: what NIH's labels say, likewise.
        patients: patient of each image.
        scores: the published probability that any of a question's labels is there, for the images that have one.
    """

    seen: pd.DataFrame
    mined: pd.DataFrame
    patients: pd.Series
    scores: pd.DataFrame

    def agreement(self) -> pd.DataFrame:
        """How well the mined labels agree with the radiologists: `metrics.agreement_table`."""
        return metrics.agreement_table(self.seen, self.mined, self.patients.to_numpy())

    def areas(self) -> dict[str, pd.DataFrame]:
        """The published network judged by the radiologists, and by NIH's labels of the same images."""
        own, patients = self.scores.index, self.patients[self.scores.index].to_numpy()
        judges = {"by radiologists": self.seen, "by NIH's labels": self.mined}
        return {name: metrics.auc_table(labels.loc[own], self.scores, patients) for name, labels in judges.items()}


def published_readings(dataset: Dataset) -> Readings | Missing:
    """Read what radiologists saw in NIH's images, with the labels and the predictions of the same images.

    Args:
        dataset: the one that a lesson has opened; the tables are looked for beside it and in `CXR_REAL_DATA`.

    Returns:
        All of it, or a `Missing` where one of the tables is not at hand.

    Raises:
        DataError: a file is damaged, or a column is absent.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> published_readings(dataset)  # doctest: +ELLIPSIS
        Left out: NIH's published tables are not here. ...
    """
    predictions, root = published_predictions(dataset), _folder(dataset)
    if isinstance(predictions, Missing) or isinstance(root, Missing) or not (root / READINGS).exists():
        return Missing(ABSENT)
    table = read_csv(root / READINGS)
    require_columns(table, ["Image Index", "Patient ID", "Finding Labels", *ASKED], READINGS)
    table = table.set_index("Image Index")
    labels = with_all_findings(labels_in_cells(table["Finding Labels"])[0])[0].set_axis(table.index)
    scores = predictions.scores.loc[predictions.scores.index.intersection(table.index)]
    return Readings(
        seen=(table[list(ASKED)] == "YES").astype(float),
        mined=pd.DataFrame({name: labels[own].any(axis=1).astype(float) for name, own in ASKED.items()}),
        patients=table["Patient ID"],
        scores=pd.DataFrame({name: 1 - (1 - scores[own]).prod(axis=1) for name, own in ASKED.items()}),
    )


#: What stands beside `two_sources` where the pictures are not at hand.
NO_SOURCES = (
    "Left out: the pictures of the two sources are not here. To see this section, set the environment variable "
    "CXR_REAL_DATA to the folder that holds `two_sources`."
)
#: Side of the thumbnail in pixels, width of its border, and how many folds the images are dealt into.
_SIDE, _EDGE, _FOLDS = 32, 2, 10


def two_sources(dataset: Dataset, seed: int = 0) -> pd.DataFrame | Missing:
    """What tells the classes of a collection apart whose classes come from two places, before any lung is looked at.

    Ozturk et al. (Computers in Biology and Medicine 2020) report 98 % for a network on such pictures: COVID-19 from
    Cohen et al.'s collection of journals and hospitals, no findings from NIH.

    Args:
        dataset: the one that a lesson has opened; `two_sources` is looked for beside it and in `CXR_REAL_DATA`.
        seed: of the folds. They are dealt over images, because nobody tells whose these are.

    Returns:
        Index: what a regression was given of each file (on standardised values). Columns: accuracy, auc, out of fold;
        images. A `Missing` where the pictures are not at hand.

    Raises:
        DataError: there are other classes than two.
        ImageError: a file is damaged.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> two_sources(dataset)  # doctest: +ELLIPSIS
        Left out: ...
    """
    real = os.environ.get("CXR_REAL_DATA")
    places = [dataset.root.absolute().parent, *([Path(real)] if real else [])]
    folder = next((one / "two_sources" for one in places if (one / "two_sources").is_dir()), None)
    if folder is None:
        return Missing(NO_SOURCES)
    images = look_into(folder)[0].with_images()
    if len(images.findings) != 1:
        raise DataError(
            f"{folder} has {len(images.findings)} findings ({', '.join(images.findings)}). Expected two class folders, "
            "one of them without findings. Move others elsewhere."
        )
    names, label = images.table["image"], images.labels[:, 0] == 1
    small = images.pixels(_SIDE).astype(float)
    border = np.ones((_SIDE, _SIDE), dtype=bool)
    border[_EDGE:-_EDGE, _EDGE:-_EDGE] = False
    given = {
        f"{_SIDE} x {_SIDE} thumbnail": small.reshape(len(images), -1),
        "its border alone": small[:, border],
        "width and height of the file": np.array([images.picture(name).shape for name in names]),
        "bytes of the file": np.array([[images.path(name).stat().st_size] for name in names]),
    }
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    rows = {}
    for name, features in given.items():
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        with threadpool_limits(1):
            score = cross_val_predict(model, features, label, cv=folds, method="predict_proba")[:, 1]
        area = metrics.roc_auc(label.astype(int), score)
        rows[name] = {"accuracy": np.mean((score >= 0.5) == label), "auc": area, "images": len(images)}
    return pd.DataFrame(rows).T.astype({"images": int})
