"""How a model does for women and men, young and old, standing and lying patients.

A mean AUC can hide a group for whom the model fails (Seyyed-Kalantari et al., Nature Medicine 2021). Small
groups make wide intervals: read the interval before the area.
"""

import numpy as np
import pandas as pd

from cxr_utils.alignment import Table, align, align_patients
from cxr_utils.errors import DataError
from cxr_utils.metrics import auc_table

AGE_BANDS = {"0-17": (0, 18), "18-39": (18, 40), "40-59": (40, 60), "60-79": (60, 80), "80-120": (80, 121)}


def subgroup_labels(table: pd.DataFrame) -> pd.DataFrame:
    """The group of each image by each characteristic that the table has.

    Args:
        table: an image table of the course; `sex`, `age`, `view` and `follow_up` are used where present.

    Returns:
        Index: image. Columns, where known: sex (F, M), age (bands of years), view (PA, AP) and follow_up
        ("first", "later"). What is missing or impossible (an age of 411) is NaN and belongs to no group.

    Example:
        >>> table = pd.DataFrame({"image": ["a", "b"], "age": [411.0, 60.0], "follow_up": [0, 3]})
        >>> subgroup_labels(table).loc["b"].tolist()
        ['60-79', 'later']
    """
    groups = {}
    for name in ("sex", "view"):
        if name in table:
            groups[name] = table[name].to_numpy(dtype=object)
    if "age" in table:
        edges = [low for low, _ in AGE_BANDS.values()] + [121]
        groups["age"] = np.asarray(
            pd.cut(table["age"], edges, right=False, labels=list(AGE_BANDS)), dtype=object
        )
    if "follow_up" in table:
        groups["follow_up"] = np.where(table["follow_up"] > 0, "later", "first")
    order = [name for name in ("sex", "age", "view", "follow_up") if name in groups]
    return pd.DataFrame(groups, columns=order, index=pd.Index(table["image"], name="image"))


def subgroup_auc(
    truth: Table,
    scores: Table,
    patients,
    groups: pd.DataFrame,
    *,
    fewest: int = 10,
    replicates: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """The AUC of each finding within each group, with 95 % intervals over patients.

    Args:
        truth: labels, (images, findings).
        scores: scores of the same images.
        patients: (images,) the patient of each image.
        groups: from `subgroup_labels`; matched by image where truth or scores name images.
        fewest: fewer patients than this with, or without, the finding give no area but a reason.
        replicates: resamples of patients.
        seed: of the resamples.

    Returns:
        One row for each characteristic, group and finding (and "mean"): characteristic, group, finding, and
        the columns of `metrics.auc_table`.

    Raises:
        DataError: where the inputs do not fit together.

    Example:
        >>> groups = pd.DataFrame({"sex": ["F", "F", "M", "M"]})
        >>> truth, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.8, 0.2])
        >>> table = subgroup_auc(truth, scores, list("pqrs"), groups, fewest=1)
        >>> table.loc[table["finding"] == "mean", ["group", "auc"]].values.tolist()
        [['F', 1.0], ['M', 0.0]]
    """
    truth, scores = align(truth, scores)
    patient = align_patients(patients, truth.index)
    groups = _matched(groups, truth.index)
    rows = []
    for characteristic in groups:
        members = groups[characteristic].to_numpy(dtype=object)
        for group in sorted(pd.unique(members[pd.notna(members)])):
            own = members == group
            table = _one_group(truth[own], scores[own], patient[own], fewest, replicates, seed)
            rows.append(table.reset_index().assign(characteristic=characteristic, group=group))
    if not rows:
        raise DataError(
            "The groups hold no characteristic. Expected at least one of sex, age, view, "
            "follow_up. Ask dataset.lacks('sex') first."
        )
    order = ["characteristic", "group", *rows[0].columns.drop(["characteristic", "group"])]
    return pd.concat(rows, ignore_index=True)[order]


def _matched(groups: pd.DataFrame, images: pd.Index) -> pd.DataFrame:
    if len(groups) == len(images) and isinstance(images, pd.RangeIndex):
        return groups
    unknown = images.difference(groups.index)
    if len(unknown):
        raise DataError(
            f"{len(unknown)} images have no row in the groups (the first is {unknown[0]}). "
            "Expected one row for each image. Make the groups from the same table as the labels."
        )
    return groups.loc[images]


def _one_group(
    truth: pd.DataFrame, scores: pd.DataFrame, patient: np.ndarray, fewest: int, replicates: int, seed: int
) -> pd.DataFrame:
    """`auc_table` of the findings with patients enough; the others stand in it with their reason."""
    reasons = _too_few(truth, patient, fewest)
    measured = [finding for finding, reason in reasons.items() if not reason]
    table = _blank_table(reasons, truth, patient)
    if measured:
        known = auc_table(truth[measured], scores[measured], patient, replicates=replicates, seed=seed)
        table.loc[known.index] = known
        if len(measured) < len(reasons):
            table.loc["mean", "reason"] = f"mean of {len(measured)} of {len(reasons)} findings"
    return table


def _too_few(truth: pd.DataFrame, patient: np.ndarray, fewest: int) -> dict:
    """For each finding why it cannot be measured in this group, or ""."""
    reasons = {}
    for finding in truth:
        present = truth[finding].to_numpy() == 1
        counts = {"with": len(np.unique(patient[present])), "without": len(np.unique(patient[~present]))}
        short = [
            f"patients {word} it: {count}, fewer than {fewest}"
            for word, count in counts.items()
            if count < fewest
        ]
        reasons[finding] = short[0] if short else ""
    return reasons


def _blank_table(reasons: dict, truth: pd.DataFrame, patient: np.ndarray) -> pd.DataFrame:
    """The rows of `auc_table` without any area, to be filled where there are patients enough."""
    positives = [*truth.sum(), int(truth.to_numpy().sum())]
    labels = [len(truth)] * truth.shape[1] + [truth.size]
    return pd.DataFrame(
        {
            "auc": np.nan,
            "low": np.nan,
            "high": np.nan,
            "positives": positives,
            "negatives": np.subtract(labels, positives),
            "patients": len(np.unique(patient)),
            "reason": [*reasons.values(), "no finding with patients enough"],
        },
        index=pd.Index([*reasons, "mean"], name="finding"),
    )
