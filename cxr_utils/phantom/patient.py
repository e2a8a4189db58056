"""Who is X-rayed, where and how: what a patient keeps over all pictures, and what a hospital and one visit add.

Proportions follow an adult on a 35 to 43 cm detector; the origin is the midline at the height of the carina, x runs to
the patient's left, y downwards, in cm.
"""

from dataclasses import dataclass

import numpy as np

SIDES = {"right": -1.0, "left": 1.0}  # the patient's right lung is on the left of the picture


@dataclass(frozen=True)
class Hospital:
    """Who comes to a hospital, and what its machines make of them.

    Attributes:
        age: mean age of its patients in years; the first one's is that of NIH's.
        standing: how ill one may be, in deviations, and still stand for the picture; where it is low, most lie in bed.
        frequency: how frequent findings are among people alike, a factor.
        dose: photons a pixel, gamma of the display, and contrast: factors on what is drawn for a picture.
        gamma: see dose.
        contrast: see dose.
        local_contrast: clip limit of the adaptive equalisation (Zuiderveld 1994) of each picture; 0 leaves it out.
        stamp: letters that are burned into every picture.
    """

    age: float = 46.6
    standing: float = 0.37
    frequency: float = 1.0
    dose: float = 1.0
    gamma: float = 1.0
    contrast: float = 1.0
    local_contrast: float = 0.0
    stamp: str = ""


#: The course's own hospital, after NIH's, and another: older patients, fewer of them with a finding, more in bed; a
#: machine with half the dose that evens out the shades of each region; and the name of the house in a corner.
HOSPITALS = {
    "clinical-center": Hospital(),
    "county": Hospital(
        age=60.0, standing=0.0, frequency=0.5, dose=0.5, gamma=0.8, contrast=1.3, local_contrast=4.0, stamp="COUNTY"
    ),
}


@dataclass(frozen=True)
class Patient:
    """What stays the same in all pictures of one person.

    `traits` holds small numbers, mean 0 and deviation 1, that shape everything; `vessels` the branching tree of
    each lung as lists of (width in cm, paths in cm). `seeds` start the random fields that belong to the body.
    """

    age: float
    sex: str
    build: float  # 1 average, more is heavier
    traits: dict[str, float]
    vessels: dict[str, list]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Visit:
    """What one picture adds: how the patient stood, breathed and was exposed."""

    view: str
    breath: float  # cm by which the diaphragm lies lower than on average
    turn: float  # rotation about the long axis, cm of shift of the front against the back
    field_cm: float
    centre: tuple[float, float]
    tilt: float
    arms: float  # 0 at the side, 1 lifted out of the picture


def draw_patient(rng: np.random.Generator, age: float, sex: str) -> Patient:
    """Draw a person's anatomy.

    Args:
        rng: the patient's own generator.
        age: years.
        sex: "F" or "M".

    Returns:
        The patient; the same generator state gives the same one.

    Example:
        >>> draw_patient(np.random.default_rng(0), 50, "F").sex
        'F'
    """
    names = ("heart", "width", "height", "slope", "knob", "hilum", "rib", "ribwidth", "ribdrop", "scapula", "clavicle",
             "dome", "asym", "breast", "stomach", "liver", "spine", "arm", "neck", "texture", "apex", "bone",
             "shoulder",
             "bowel", "lean")  # fmt: skip
    traits = {name: float(np.clip(rng.standard_normal(), -2.2, 2.2)) for name in names}
    build = float(np.clip(1.0 + 0.14 * rng.standard_normal(), 0.8, 1.4))
    vessels = {side: _vessel_tree(rng) for side in SIDES}
    return Patient(float(age), sex, build, traits, vessels, tuple(int(s) for s in rng.integers(0, 2**31, 8)))


def draw_visit(rng: np.random.Generator, view: str) -> Visit:
    """Draw how a picture is taken. AP pictures are taken in bed: worse breath, more rotation, arms at the side.

    Example:
        >>> in_bed, upright = (draw_visit(np.random.default_rng(0), view) for view in ("AP", "PA"))
        >>> in_bed.breath < upright.breath
        True
    """
    portable = view == "AP"
    normal = rng.standard_normal(6)
    return Visit(
        view=view,
        breath=float(np.clip((-1.6 if portable else 0.2) + (1.6 if portable else 0.9) * normal[0], -5.0, 2.2)),
        turn=float(np.clip((0.8 if portable else 0.35) * normal[1], -1.6, 1.6)),
        field_cm=float(np.clip((38.0 if portable else 36.0) + (2.6 if portable else 1.8) * normal[2], 32.0, 46.0)),
        centre=(float((1.5 if portable else 0.6) * normal[3]), float(1.8 + (1.8 if portable else 1.1) * normal[4])),
        tilt=float((3.5 if portable else 1.2) * normal[5]),
        arms=float(rng.beta(1.2, 2.5) if portable else rng.beta(5, 1.5)),
    )


def _vessel_tree(rng: np.random.Generator) -> list:
    """Branching paths of a lung on the right of the picture: [(width in cm, paths (n, 3, 2))], thin ones last."""
    start = np.tile([[3.4, -0.3]], (9, 1)) + rng.normal(0, 0.35, (9, 2))
    angle = np.linspace(-1.45, 1.35, 9) + rng.normal(0, 0.12, 9)
    tree = []
    for width, length, forks, bend in (
        (0.66, 2.6, 3, 0.3),
        (0.38, 2.5, 3, 0.42),
        (0.24, 2.4, 2, 0.5),
        (0.15, 2.2, 2, 0.6),
        (0.10, 1.8, 2, 0.6),
    ):
        reach = length * rng.uniform(0.65, 1.35, len(angle)) * (1 + 0.25 * np.abs(np.sin(angle)))
        later = angle + rng.normal(0, 0.22, len(angle))
        middle = start + 0.5 * reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        end = middle + 0.5 * reach[:, None] * np.column_stack([np.cos(later), np.sin(later)])
        tree.append((width, np.stack([start, middle, end], axis=1)))
        start = np.repeat(end, forks, axis=0)
        spread = np.tile(np.linspace(-bend, bend, forks), len(later))
        angle = np.repeat(later, forks) + spread + rng.normal(0, 0.2, len(start))
    return tree
