"""One radiograph: a patient, a visit and findings in, pixels and masks out."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cxr_utils.errors import DataError

from . import anatomy
from .anatomy import Chest, Shape
from .bones import draw_bones
from .devices import add_devices, laterality_marker, stamp
from .drawing import Frame, smooth_step
from .findings import BENDS, CHANGES, draw_mask
from .patient import HOSPITALS, SIDES, Hospital, Patient, Visit
from .physics import Exposure, detect, display


@dataclass(frozen=True)
class Finding:
    """One finding as it is on one picture: severity from 0 to 1, and the seed of its side, place and texture.

    Example:
        >>> Finding("Mass", 0.5, seed=1).severity
        0.5
    """

    name: str
    severity: float
    seed: int


@dataclass(frozen=True)
class Radiograph:
    """A picture, uint8 (size, size), and masks, bool (size, size): of each finding, and of heart and both lungs."""

    pixels: np.ndarray
    masks: dict[str, np.ndarray]
    organs: dict[str, np.ndarray]


@dataclass(frozen=True)
class Variety:
    """What may differ from picture to picture beyond what a cohort draws, and is no finding.

    Attributes:
        exposure: how it is taken; None draws it, as for a cohort.
        heart: width of the heart, vessels their width, air the lungs' air: factors.
        pruned: share of small vessels that are not seen.
        bone: how dense it is, a factor.
        lung_grain: strengths (a share of the air) and sizes (cm) of the random fields that the lungs' air carries.
        tissue_grain: strengths (cm of water) and sizes (cm) of those in soft tissue.

    Example:
        >>> Variety(heart=1.3).bone
        1.0
    """

    exposure: Exposure | None = None
    heart: float = 1.0
    vessels: float = 1.0
    air: float = 1.0
    pruned: float = 0.0
    bone: float = 1.0
    lung_grain: tuple[tuple[float, float], ...] = ()
    tissue_grain: tuple[tuple[float, float], ...] = ()

    def shape(self) -> Shape:
        """The anatomy before findings bend it."""
        return Shape(heart=self.heart, vessel=self.vessels, air=self.air, prune=self.pruned)

    def roughen(self, chest: Chest, rng: np.random.Generator) -> None:
        """Lay the random fields over what was drawn."""
        for strength, cell in self.lung_grain:
            chest.air *= np.maximum(1 + np.float32(strength) * chest.frame.field(rng, cell), np.float32(0.2))
        inside = smooth_step(chest.body - 4, 3.0)
        for strength, cell in self.tissue_grain:
            chest.water += np.float32(strength) * chest.frame.field(rng, cell) * inside
        chest.bone *= np.float32(self.bone)


AS_USUAL = Variety()
AT_HOME = HOSPITALS["clinical-center"]


def draw_exposure(rng: np.random.Generator, view: str, hospital: Hospital = AT_HOME) -> Exposure:
    """Draw the technique of a picture; portables have no grid, hence more scatter and less contrast."""
    portable = view == "AP"
    u = rng.random(7)
    return Exposure(
        scatter=float(0.12 + 0.40 * u[0] + (0.45 * u[1] ** 2 if portable else 0.0)),
        spread_cm=3.0,
        blur_cm=float(0.02 + 0.03 * u[2] + (0.03 if portable else 0.0)),
        photons=float(hospital.dose * np.exp(np.log(8e4) + 1.6 * (u[3] - 0.5))),
        window=(float(0.04 + 0.30 * u[4] ** 1.5), float(0.02 + 0.22 * u[5])),
        contrast=float(hospital.contrast * (0.6 + 0.9 * u[6])),
        gamma=float(hospital.gamma * np.exp(rng.normal(-0.05, 0.22))),
    )


def draw_chest(patient: Patient, visit: Visit, shape: Shape, frame: Frame) -> Chest:
    """Draw everything but the findings' own opacities."""
    chest = Chest(frame, patient, visit, shape)
    anatomy.draw_body(chest)
    for side in SIDES:
        anatomy.draw_lung(chest, side)
    anatomy.draw_mediastinum(chest)
    fine, coarse = (np.random.default_rng(seed) for seed in patient.seeds[:2])
    chest.air *= 1 + 0.025 * frame.field(fine, 0.55) + 0.035 * frame.field(coarse, 2.2)
    anatomy.draw_airways(chest)
    draw_bones(chest)
    anatomy.draw_vessels(chest)
    anatomy.draw_soft_tissue(chest)
    anatomy.draw_abdomen(chest)
    return chest


def radiograph(
    patient: Patient,
    visit: Visit,
    findings: list[Finding],
    seed: int,
    size: int = 256,
    variety: Variety = AS_USUAL,
    hospital: Hospital = AT_HOME,
) -> Radiograph:
    """Take a picture.

    Args:
        patient: of `draw_patient`.
        visit: of `draw_visit`.
        findings: what the patient has; the same call without them is the same picture of the same patient, healthy.
        seed: of exposure, noise, tubes and markers.
        size: pixels a side.
        variety: beyond a cohort's.
        hospital: whose machine takes the picture.

    Returns:
        Pixels, one mask a finding, and those of heart and lungs.

    Example:
        >>> from .patient import draw_patient, draw_visit
        >>> rng = np.random.default_rng(0)
        >>> person, visit = draw_patient(rng, 60, "M"), draw_visit(rng, "PA")
        >>> picture = radiograph(person, visit, [Finding("Effusion", 0.8, 5)], seed=3, size=96)
        >>> picture.pixels.shape, list(picture.masks)
        ((96, 96), ['Effusion'])
    """
    exposure_rng, noise_rng, device_rng = (np.random.default_rng([seed, part]) for part in range(3))
    exposure = variety.exposure or draw_exposure(exposure_rng, visit.view, hospital)
    frame = Frame(size, visit.field_cm, visit.centre, visit.tilt)
    present = {item.name: item for item in findings}
    shape = variety.shape()
    for name in BENDS.keys() & present.keys():
        BENDS[name](shape, present[name].severity, np.random.default_rng(present[name].seed))
    chest = draw_chest(patient, visit, shape, frame)
    organs = {f"{side} lung": chest.lung[side] > 0.5 for side in SIDES} | {"heart": chest.heart > 0.5}
    if variety is not AS_USUAL:
        variety.roughen(chest, np.random.default_rng([seed, 3]))
    masks = {}
    for name, change in CHANGES.items():
        if name in present:
            masks[name] = draw_mask(change(chest, present[name].severity, np.random.default_rng(present[name].seed)))
    add_devices(chest, device_rng)
    inside = chest.body > 1.0
    bone = chest.bone * np.minimum(chest.body * np.float32(0.3), 1)
    water = np.maximum(chest.body + (chest.water + chest.vessels) * inside - chest.air - bone, 0)
    signal = detect(frame, water, bone, chest.metal, exposure, noise_rng)
    shown = display(frame, signal, inside, exposure)
    if hospital.local_contrast:
        shown = cv2.createCLAHE(hospital.local_contrast, (8, 8)).apply(shown)
    pixels = _collimate(laterality_marker(shown, device_rng), device_rng)
    return Radiograph(stamp(pixels, hospital.stamp) if hospital.stamp else pixels, masks, organs)


def _collimate(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sometimes the edges of the beam show as dark borders."""
    if rng.random() < 0.2:
        edges = (rng.random(4) ** 2 * 0.06 * pixels.shape[0]).astype(int)
        pixels[: edges[0]] = pixels[len(pixels) - edges[1] :] = 8
        pixels[:, : edges[2]] = pixels[:, pixels.shape[1] - edges[3] :] = 8
    return pixels


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write a picture, uint8 (height, width), as a PNG that is fast to write.

    Raises:
        DataError: OpenCV cannot encode it.
    """
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise DataError(f"{path.name} could not be encoded. Expected a grey picture of 8 bits. Look at its pixels.")
    path.write_bytes(data.tobytes())
