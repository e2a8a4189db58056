"""Who has what, and what a text miner makes of it: the tables of a cohort before any pixel is drawn.

Findings come from a Gaussian copula: each has a latent strength per image, correlated between findings as NIH's pair
counts say, and within a patient as the finding lasts. Above its threshold the finding is there, and how far above is
its severity.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from . import FINDINGS
from .patient import Hospital

# How many of the 112,120 images of ChestX-ray14 carry both findings (Data_Entry_2017_v2020.csv, counted);
# the diagonal is the finding alone. Wang et al., ChestX-ray8, CVPR 2017.
NIH_IMAGES = 112_120
NIH_PAIRS = np.array([
    [11559, 370, 3275, 3264, 739, 590, 262, 774, 1223, 221, 424, 220, 496, 40],
    [370, 2776, 1063, 587, 102, 108, 41, 49, 169, 127, 44, 52, 111, 7],
    [3275, 1063, 13317, 4000, 1254, 912, 269, 996, 1287, 593, 359, 188, 849, 21],
    [3264, 587, 4000, 19894, 1159, 1546, 605, 946, 1221, 981, 449, 345, 750, 33],
    [739, 102, 1254, 1159, 5782, 906, 71, 431, 610, 129, 215, 117, 452, 25],
    [590, 108, 912, 1546, 906, 6331, 70, 341, 428, 131, 115, 166, 411, 10],
    [262, 41, 269, 605, 71, 70, 1431, 41, 123, 340, 23, 11, 48, 3],
    [774, 49, 996, 946, 431, 341, 41, 5302, 223, 33, 747, 80, 289, 9],
    [1223, 169, 1287, 1221, 610, 428, 123, 223, 4667, 162, 103, 79, 251, 4],
    [221, 127, 593, 981, 129, 131, 340, 33, 162, 2303, 30, 9, 64, 3],
    [424, 44, 359, 449, 215, 115, 23, 747, 103, 30, 2516, 36, 151, 4],
    [220, 52, 188, 345, 117, 166, 11, 80, 79, 9, 36, 1686, 176, 8],
    [496, 111, 849, 750, 452, 411, 48, 289, 251, 64, 151, 176, 3385, 8],
    [40, 7, 21, 33, 25, 10, 3, 9, 4, 3, 4, 8, 8, 227],
])  # fmt: skip

#: Share of images with the finding when all are made common enough for 1,400 images to teach them.
_RAISED = (0.11, 0.075, 0.12, 0.125, 0.072, 0.08, 0.073, 0.077, 0.08, 0.07, 0.074, 0.07, 0.075, 0.068)

# Share of the latent strength that a patient keeps from picture to picture: scars stay, fluid comes and goes.
PERSISTENCE = dict(
    zip(FINDINGS, (0.35, 0.95, 0.45, 0.25, 0.93, 0.93, 0.25, 0.25, 0.30, 0.30, 0.97, 0.96, 0.94, 0.97), strict=True)
)

# Shift of the latent strength, in deviations, for AP against PA, per 16 years of age above 47, for men. Signs and order
# follow the shares of AP, mean age and men among NIH's positives; sizes are held back so that they say little.
_COVARIATES = dict(zip(FINDINGS, (
    (0.18, 0.12, 0.05), (0.10, 0.10, -0.12), (0.20, 0.12, 0.0), (0.20, 0.0, 0.02), (-0.05, 0.10, 0.08),
    (-0.12, 0.10, 0.04),
    (0.22, -0.05, 0.04), (-0.10, 0.0, -0.06), (0.35, 0.0, 0.0), (0.45, 0.0, -0.04), (-0.04, 0.14, 0.12),
    (-0.35, 0.18, -0.03),
    (-0.18, 0.12, 0.06), (-0.15, 0.22, -0.12)), strict=True))  # fmt: skip

# Sensitivity and specificity of the mined labels where findings are raised. Against radiologists NIH's labels reach, on
# the 4,376 images of google2019_nih-chest-xray-labels.csv (Majkowska et al., Radiology 2020; counted): pneumothorax .46
# and .97, nodule or mass .42 and .95, airspace opacity .51 and .81; false labels are about as many as missed ones. A
# training set that is a hundredth of NIH's and must still teach has about a third of these errors; at NIH's own
# prevalences, all of them are made.
MINED = dict(zip(FINDINGS, (
    (0.85, 0.970), (0.90, 0.985), (0.88, 0.970), (0.82, 0.955), (0.85, 0.985), (0.80, 0.985), (0.80, 0.975),
    (0.86, 0.990), (0.83, 0.975), (0.88, 0.985), (0.86, 0.990), (0.82, 0.985), (0.82, 0.980),
    (0.92, 0.997)), strict=True))  # fmt: skip
_MISSED_BY_NIH = 3.0  # times as many as by `MINED`
SAME_ERROR = 0.5  # share of the mining errors that come back in every report of a patient


@dataclass(frozen=True)
class Follow:
    """One visit of a patient in the tables."""

    view: str
    age: int
    truth: np.ndarray  # (14,) bool
    severity: np.ndarray  # (14,) from 0 to 1, 0 where absent
    mined: np.ndarray  # (14,) bool


def nih_prevalence() -> dict[str, float]:
    """Share of NIH's images that carry each finding.

    Example:
        >>> round(nih_prevalence()["Hernia"], 4)
        0.002
    """
    return {name: float(NIH_PAIRS[i, i] / NIH_IMAGES) for i, name in enumerate(FINDINGS)}


def latent_correlation(strength: float = 1.0) -> np.ndarray:
    """Correlation of the latent strengths, (14, 14), from NIH's pair counts.

    Each odds ratio becomes a tetrachoric correlation by Digby's formula (Biometrics 1983), (OR^.75 - 1) / (OR^.75 + 1);
    then negative eigenvalues are cut off.

    Args:
        strength: multiplies every correlation. Where all findings are made common, full ones would let one finding
            be guessed from the others.

    Example:
        >>> matrix = latent_correlation()
        >>> matrix.shape, bool(matrix[6, 9] > matrix[6, 7])  # pneumonia goes with edema more than with pneumothorax
        ((14, 14), True)
    """
    both = NIH_PAIRS.astype(float)
    alone = np.diag(both)
    only = alone[:, None] - both
    neither = NIH_IMAGES - alone[:, None] - alone[None, :] + both
    ratio = (both * neither / (np.maximum(only, 1) * np.maximum(only.T, 1))) ** 0.75
    matrix = strength * (ratio - 1) / (ratio + 1)
    np.fill_diagonal(matrix, 1.0)
    values, vectors = np.linalg.eigh(matrix)
    matrix = vectors @ np.diag(np.maximum(values, 0.02)) @ vectors.T
    scale = np.sqrt(np.diag(matrix))
    return np.round(matrix / scale[:, None] / scale[None, :], 4)


class Population:
    """Draws patients' ages, views, findings and mined labels.

    Args:
        prevalence: "raised" (every finding common enough to be learned from 1,400 images) or "nih", which also brings
            the mined labels all the errors of NIH's.
        hospital: where they come to.
    """

    def __init__(self, prevalence: str, hospital: Hospital):
        """Work out thresholds and correlations once for all patients."""
        raised, self.hospital = prevalence == "raised", hospital
        share = dict(zip(FINDINGS, _RAISED, strict=True)) if raised else nih_prevalence()
        self.factor = np.linalg.cholesky(latent_correlation(0.5 if raised else 0.9) + 1e-6 * np.eye(len(FINDINGS)))
        self.covariates = np.array([_COVARIATES[name] for name in FINDINGS])
        spread = np.sqrt(1 + self.covariates**2 @ np.array([0.23, 1.0, 0.25]))
        self.threshold = spread * ndtri(1 - hospital.frequency * np.array([share[name] for name in FINDINGS]))
        self.lasting = np.array([PERSISTENCE[name] for name in FINDINGS])
        missed, alarms = 1 - np.array([MINED[name] for name in FINDINGS]).T
        if not raised:
            missed, shares = _MISSED_BY_NIH * missed, np.array(list(share.values()))
            alarms = missed * shares / (1 - shares)  # as many as are missed: the labels are as frequent as NIH's
        self.missed, self.alarms = missed, alarms

    def person(self, rng: np.random.Generator) -> tuple[float, str]:
        """Age in years and sex; the share of men is NIH's (56 %)."""
        return float(np.clip(rng.normal(self.hospital.age, 16.6), 4, 92)), "M" if rng.random() < 0.565 else "F"

    def visits(self, rng: np.random.Generator, age: float, sex: str, count: int) -> list[Follow]:
        """All visits of one patient, oldest first."""
        kept = self.factor @ rng.standard_normal(len(FINDINGS))
        sick = rng.normal()  # some patients are always seen in bed
        same = rng.random((2, len(FINDINGS)))  # the miner's errors that come back
        out = []
        for number in range(count):
            view = "AP" if rng.normal() + sick > self.hospital.standing else "PA"
            now = self.factor @ rng.standard_normal(len(FINDINGS))
            latent = np.sqrt(self.lasting) * kept + np.sqrt(1 - self.lasting) * now
            latent += self.covariates @ np.array(
                [0.6 if view == "AP" else -0.4, (age - 46.6) / 16.6, 0.44 if sex == "M" else -0.56]
            )
            truth = latent > self.threshold
            beyond = (1 - ndtr(latent)) / (1 - ndtr(self.threshold))  # uniform among the affected
            severity = np.where(truth, np.clip(1 - beyond, 0, 1), 0.0).round(3)
            out.append(Follow(view, int(age + number * 0.7), truth, severity, self._mine(rng, truth, severity, same)))
        return out

    def _mine(self, rng: np.random.Generator, truth: np.ndarray, severity: np.ndarray, same: np.ndarray) -> np.ndarray:
        repeated = rng.random((2, len(FINDINGS))) < SAME_ERROR
        luck = np.where(repeated, same, rng.random((2, len(FINDINGS))))
        return np.where(truth, luck[0] > missed_at(severity, self.missed), luck[1] < self.alarms)


def missed_at(severity: np.ndarray, missed: np.ndarray) -> np.ndarray:
    """Chance that a finding gets no label: slight ones are missed more often.

    Args:
        severity: (..., findings) from 0 to 1.
        missed: (findings,) the chance at a severity of one half.

    Example:
        >>> missed_at(np.array([0.0, 0.5, 1.0]), np.array([0.1])).round(2).tolist()
        [0.16, 0.1, 0.04]
    """
    return missed * (1.6 - 1.2 * severity)


def finding_labels(row: np.ndarray) -> str:
    """NIH's way to write labels: names joined by `|`, in alphabetical order, or "No Finding".

    Example:
        >>> finding_labels(np.eye(14, dtype=bool)[2]), finding_labels(np.zeros(14, bool))
        ('Effusion', 'No Finding')
    """
    names = sorted(name for name, there in zip(FINDINGS, row, strict=True) if there)
    return "|".join(names) or "No Finding"
