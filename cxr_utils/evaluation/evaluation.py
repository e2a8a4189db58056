"""One model, one part of one data set, everything that this course asks of a result.

`evaluate` gathers what the other files of this room say; `report` turns it into tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cxr_utils.data.dataset import ANY, Dataset
from cxr_utils.data.readers.match import match
from cxr_utils.data.splits import sample_patients
from cxr_utils.errors import CxrError, Missing
from cxr_utils.evaluation import baselines, calibration, curves, metrics, subgroups, thresholds
from cxr_utils.evaluation.predictions import align, judged_images

#: From so many training images the thumbnail baseline learns; more of them move its area in the third digit.
THUMBNAIL_IMAGES = 4000
THUMBNAIL_SIDE = 32


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Attributes:
        about: data, part, images, patients, findings, thresholds (how they were chosen), probabilities (bool).
        areas: `metrics.auc_table`, and where labels are unknown a column that counts them.
        precision: `metrics.average_precision_table`.
        micro: auc and ap of all labels thrown together.
        baselines: name to `metrics.auc_table` of the same images.
        points: `thresholds.operating_points`; empty where there are no thresholds.
        calibration: ece and the parts of the Brier score of each finding; empty where scores are no probabilities.
        groups: mean AUC of each group with interval, gap, adjusted_p; empty where no characteristic is known.
        shown: the finding that the two tables below follow, the commonest.
        reliability: `calibration.reliability_table` of `shown`, empty where scores are no probabilities.
        decision: `thresholds.decision_curve` of `shown`, likewise.
        roc: "macro" and "micro" ROC curves.
        precision_recall: the same for precision and recall.
        notes: what was left out, and why.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> scores = dataset.table.set_index("image")[list(dataset.findings)] * 0.5 + 0.2
        >>> evaluate(scores, dataset, replicates=50).about["images"]
        281
    """

    about: dict
    areas: pd.DataFrame
    precision: pd.DataFrame
    micro: dict[str, float]
    baselines: dict[str, pd.DataFrame]
    points: pd.DataFrame
    calibration: pd.DataFrame
    groups: pd.DataFrame
    shown: str
    reliability: pd.DataFrame
    decision: pd.DataFrame
    roc: dict[str, pd.DataFrame]
    precision_recall: dict[str, pd.DataFrame]
    notes: list[str]


def evaluate(
    predictions: pd.DataFrame,
    dataset: Dataset,
    part: str = "test",
    *,
    partial: bool = False,
    shared: bool = False,
    chosen: tuple[float | Mapping | None, str] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Judge predictions by the labels of one part.

    Args:
        predictions: from `predictions.read_predictions` or `Trained.predict`: index image (a path, or a name that fits
            one image), columns findings. Those of the part "valid", where they are among them, choose the thresholds.
            Those of a network that was asked one question, with the single column "Abnormal", are judged by whether
            there is any finding.
        dataset: whose labels judge.
        part: "train", "valid", "test" or "all".
        partial: judge the images and findings that predictions and data set both have.
        shared: judge the findings that both have, as of a network on another collection.
        chosen: thresholds from elsewhere, as `thresholds.operating_points` takes them, and in words how they were
            chosen; None for the thresholds leaves them out.
        replicates: resamples of patients.
        seed: of the resamples.

    Returns:
        An `Evaluation`.

    Raises:
        DataError: predictions and data set do not fit together, or a score is missing or infinite.
        CxrError: no finding has both classes.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> scores = dataset.table.set_index("image")[list(dataset.findings)] * 0.5 + 0.2
        >>> float(evaluate(scores, dataset, replicates=50).areas.loc["mean", "auc"])
        1.0
    """
    if list(predictions) == [ANY] and ANY not in dataset.findings:
        dataset = dataset.any_finding()
    given, predictions = len(predictions), named_as(predictions, dataset.table["image"])
    own, scores, notes = judged_images(predictions, dataset, part, partial=partial, shared=shared)
    notes += [f"{given - len(predictions):,} predictions are of no image of it"] * (given > len(predictions))
    truth, scores = align(own.table.set_index("image")[list(scores)], scores)
    options = {"replicates": replicates, "seed": seed}
    areas = metrics.auc_table(truth, scores, own.patients, **options)
    _refuse_one_class(areas["auc"], len(truth))
    shown = truth.sum().where(areas["auc"].drop("mean").notna()).idxmax()
    probabilities = bool(np.nanmin(scores) >= 0 and np.nanmax(scores) <= 1)
    at, how = chosen or _thresholds(predictions, dataset, part, list(scores), probabilities)
    compared, absent = _baselines(dataset, own, list(scores), part)
    notes += absent + ([] if probabilities else ["scores are not between 0 and 1: no calibration, no decision curve"])
    groups = subgroups.subgroup_table(truth, scores, own.table, **options)
    flat = truth.to_numpy().ravel(), scores.to_numpy().ravel()
    calibrated, reliability, decision = (
        _of_probabilities(truth, scores, shown, own.patients) if probabilities else [pd.DataFrame()] * 3
    )
    return Evaluation(
        about={
            "data": dataset.name, "part": part, "images": len(own), "patients": len(set(own.patients)),
            "findings": truth.shape[1], "thresholds": how, "probabilities": probabilities,
        },
        areas=_with_unknown(areas, truth),
        precision=metrics.average_precision_table(truth, scores, own.patients, **options),
        micro={"auc": metrics.roc_auc(*flat), "ap": metrics.average_precision(*flat)},
        baselines={
            name: metrics.auc_table(truth, table, own.patients, **options) for name, table in compared.items()
        },
        points=pd.DataFrame() if at is None else thresholds.operating_points(truth, scores, at, own.patients),
        calibration=calibrated,
        groups=pd.DataFrame() if isinstance(groups, Missing) else groups,
        shown=shown,
        reliability=reliability,
        decision=decision,
        roc={"macro": curves.macro_roc(truth, scores), "micro": curves.roc_points(*flat)},
        precision_recall={"macro": curves.macro_pr(truth, scores), "micro": curves.pr_points(*flat)},
        notes=notes,
    )  # fmt: skip


def named_as(predictions: pd.DataFrame, images: pd.Series) -> pd.DataFrame:
    r"""Predictions under the data set's names of their images, without those of no image of it.

    Args:
        predictions: index image, as `readers.match.match` takes names: paths or last names, with any ending.
        images: the names that the data set has.

    Returns:
        Rows of `predictions`, in their order.

    Raises:
        DataError: a name fits several images.

    Example:
        >>> scores = pd.DataFrame({"Mass": [0.2, 0.9]}, index=["b.png", r"C:\rays\test\1.jpg"])
        >>> named_as(scores, pd.Series(["train/1.png", "test/1.png"])).to_dict("index")
        {'test/1.png': {'Mass': 0.9}}
    """
    place = match(predictions.index.to_series(), images.tolist())
    found = pd.Index(images.to_numpy()[place[place >= 0]], name="image")
    return predictions[place >= 0].set_axis(found, axis=0)


def _thresholds(
    predictions: pd.DataFrame, dataset: Dataset, part: str, findings: list[str], probabilities: bool
) -> tuple[pd.Series | float, str]:
    """Youden's thresholds from `valid`, never from the images that are judged; in words how they were chosen."""
    valid = dataset.table[(dataset.table["split"] == "valid") & dataset.table["image"].isin(predictions.index)]
    if part in ("valid", "all") or valid.empty:
        why = "they are judged themselves" if part in ("valid", "all") else "they have no predictions"
        fixed = 0.5 if probabilities else 0.0
        return fixed, f"{fixed} for every finding: none could be chosen on images of valid, because {why}"
    scores = predictions.loc[valid["image"], findings]
    chosen = thresholds.choose_thresholds(valid.set_index("image")[findings], scores)
    return chosen, f"Youden's, chosen on {len(valid):,} images of valid"


def _baselines(
    dataset: Dataset, own: Dataset, findings: list[str], part: str
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Scores of every baseline that this data set allows, and why the others are absent."""
    found, absent = {"patient's other labels": baselines.other_label_scores(own.table, findings)}, []
    if not dataset.knows("follow_ups"):
        found, absent = {}, ["no baseline of the patient's other labels: nearly every patient has one image"]
    learns = (dataset.table["split"] == "train").any()
    if part in ("train", "all") or not learns:
        why = "it would learn on the images that are judged" if learns else "there are no images of train"
        return found, [*absent, f"no baseline that learns: {why}"]
    train = replace(dataset.part("train"), findings=tuple(findings))
    blind = baselines.baseline_scores(train, own, ["no pixels"])
    if not blind:
        absent.append("no baseline without pixels: neither age, sex, view nor follow-up is known")
    if own.on_disk().all():
        train = train.with_images()
        some = train.subset(sample_patients(train.table["patient"], THUMBNAIL_IMAGES), train.name)
        blind |= baselines.baseline_scores(some, own, ["thumbnail"], size=THUMBNAIL_SIDE)
    else:
        absent.append(f"no baseline of {THUMBNAIL_SIDE} x {THUMBNAIL_SIDE} pixels: not all image files are here")
    return found | blind, absent


def _with_unknown(areas: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The number of unknown labels beside those of positive and negative ones, where there are any."""
    unknown = truth.isna().sum()
    if unknown.any():
        areas.insert(areas.columns.get_loc("negatives") + 1, "unknown", [*unknown, unknown.sum()])
    return areas


def _of_probabilities(
    truth: pd.DataFrame, probabilities: pd.DataFrame, shown: str, patients: np.ndarray
) -> list[pd.DataFrame]:
    """Calibration of all findings, and of one of them the reliability table and the decision curve."""
    table = calibration.calibration_table(truth, probabilities)
    one = truth[shown].to_numpy(), probabilities[shown].to_numpy()
    return [
        table[["mean_probability", "ece", "brier", *calibration.BRIER_PARTS]],
        calibration.reliability_table(*one, patients=patients),
        thresholds.decision_curve(*one),
    ]


def _refuse_one_class(areas: pd.Series, images: int) -> None:
    if areas.isna().all():
        raise CxrError(
            f"None of {len(areas) - 1} findings has images with and without it among {images} images. Expected both. "
            "Judge a larger part of the data."
        )
