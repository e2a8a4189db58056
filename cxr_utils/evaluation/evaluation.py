"""One model, one part of one data set, everything that this course asks of a result.

`evaluate` gathers what the modules `metrics`, `thresholds`, `calibration`, `subgroups`, `baselines` and `decision`
say; `report` writes it on one page.
"""

from dataclasses import dataclass

import pandas as pd

from cxr_utils.data.dataset import ANY, Dataset
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
        areas: `metrics.auc_table`.
        precision: `metrics.average_precision_table`.
        micro: auc and ap of all labels together.
        baselines: name to `metrics.auc_table` of the same images.
        points: `thresholds.operating_points`.
        calibration: ece and the parts of the Brier score of each finding; empty where scores are no probabilities.
        groups: mean AUC of each group with interval, gap, adjusted_p; empty where no characteristic is known.
        shown: the finding that the two tables below follow, the commonest.
        reliability: `calibration.reliability_table` of `shown`, empty where scores are no probabilities.
        decision: `decision.decision_curve` of `shown`, likewise.
        roc: "macro" and "micro" ROC curves.
        precision_recall: the same for precision and recall.
        notes: what was left out, and why.
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
    replicates: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Judge predictions by the labels of one part.

    Args:
        predictions: from `predictions.read_predictions` or `Trained.predict`: index image, columns findings. Those
            of the part "valid", where they are among them, choose the thresholds. Those of a network that was asked
            one question, with the single column "Abnormal", are judged by whether there is any finding.
        dataset: whose labels judge.
        part: "train", "valid", "test" or "all".
        partial: judge the images and findings that predictions and data set both have.
        replicates: resamples of patients.
        seed: of the resamples.

    Returns:
        An `Evaluation`.

    Raises:
        DataError: predictions and data set do not fit together, or a score is missing or infinite.
        CxrError: no finding has both classes.
    """
    if list(predictions) == [ANY] and ANY not in dataset.findings:
        dataset = dataset.any_finding()
    own, scores, notes = judged_images(predictions, dataset, part, partial=partial)
    truth, scores = align(own.table.set_index("image")[list(scores)], scores)
    options = {"replicates": replicates, "seed": seed}
    areas = metrics.auc_table(truth, scores, own.patients, **options)
    if areas["auc"].isna().all():
        raise CxrError(
            f"None of {truth.shape[1]} findings has images with and without it among {len(truth)} images. Expected "
            "both. Judge a larger part of the data."
        )
    shown = truth.sum().where(areas["auc"].drop("mean").notna()).idxmax()
    probabilities = bool(scores.to_numpy().min() >= 0 and scores.to_numpy().max() <= 1)
    chosen, how = _thresholds(predictions, dataset, part, list(scores), probabilities)
    compared, absent = _baselines(dataset, own, list(scores), part)
    notes += absent + ([] if probabilities else ["scores are not between 0 and 1: no calibration, no decision curve"])
    groups = subgroups.subgroup_table(truth, scores, own.table, **options)
    return Evaluation(
        about={
            "data": dataset.name, "part": part, "images": len(own), "patients": len(set(own.patients)),
            "findings": truth.shape[1], "thresholds": how, "probabilities": probabilities,
        },
        areas=areas,
        precision=metrics.average_precision_table(truth, scores, own.patients, **options),
        micro={"auc": metrics.micro_auc(truth, scores), "ap": metrics.micro_average_precision(truth, scores)},
        baselines={
            name: metrics.auc_table(truth, table, own.patients, **options) for name, table in compared.items()
        },
        points=thresholds.operating_points(truth, scores, chosen),
        calibration=_calibration(truth, scores) if probabilities else pd.DataFrame(),
        groups=pd.DataFrame() if isinstance(groups, Missing) else groups,
        shown=shown,
        reliability=(
            calibration.reliability_table(truth[shown], scores[shown]) if probabilities else pd.DataFrame()
        ),
        decision=thresholds.decision_curve(truth[shown], scores[shown]) if probabilities else pd.DataFrame(),
        roc={"macro": curves.macro_roc(truth, scores), "micro": curves.micro_roc(truth, scores)},
        precision_recall={"macro": curves.macro_pr(truth, scores), "micro": curves.micro_pr(truth, scores)},
        notes=notes,
    )  # fmt: skip


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
    train = dataset.table[dataset.table["split"] == "train"]
    found, absent = {"patient's other labels": baselines.other_label_scores(own.table, findings)}, []
    if not dataset.knows("follow_ups"):
        found, absent = {}, ["no baseline of the patient's other labels: nearly every patient has one image"]
    known = [name for name in baselines.NO_PIXELS if name in own.table]
    if part in ("train", "all") or train.empty:
        return found, [*absent, "no baseline that learns: it would learn on the images that are judged"]
    if known:
        found["no pixels"] = baselines.no_pixel_scores(train, own.table, findings)
    else:
        absent.append("no baseline without pixels: neither age, sex, view nor follow-up is known")
    if own.files.holding(own.table["image"]).all():
        found[f"{THUMBNAIL_SIDE} x {THUMBNAIL_SIDE} pixels"] = _thumbnails(dataset, own, findings)
    else:
        absent.append(f"no baseline of {THUMBNAIL_SIDE} x {THUMBNAIL_SIDE} pixels: not all image files are here")
    return found, absent


def _thumbnails(dataset: Dataset, own: Dataset, findings: list[str]) -> pd.DataFrame:
    from cxr_utils.data import pixelstore

    train = dataset.part("train").with_images()
    train = train.subset(sample_patients(train.table["patient"], THUMBNAIL_IMAGES), train.name)
    pixels = [pixelstore.pixels(data, THUMBNAIL_SIDE) for data in (train, own)]
    return baselines.thumbnail_scores(pixels[0], train.table, pixels[1], own.table, findings, THUMBNAIL_SIDE)


def _calibration(truth: pd.DataFrame, probabilities: pd.DataFrame) -> pd.DataFrame:
    table = calibration.calibration_table(truth, probabilities)
    return table[["mean_probability", "ece", "brier", *calibration.BRIER_PARTS]]
