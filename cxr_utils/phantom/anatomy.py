"""The soft anatomy of a chest as maps of thickness: lungs, heart, vessels, and the body around them.

Coordinates are those of `patient`: cm, the origin in the midline at the height of the carina. What a finding bends
before anything is drawn is in `Shape`; what is drawn is in `Chest`.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from .drawing import Frame, ribbon, smooth_step, spline
from .patient import SIDES, Patient, Visit

# Heart and mediastinum are one outline: vena cava, right atrium, apex, left ventricle, pulmonary trunk, aortic knob.
_MEDIASTINUM = (
    (-2.1, -15), (-2.2, -11), (-2.4, -7.2), (-2.7, -3.4), (-3.3, -0.8), (-4.6, 1.8), (-5.0, 4.8), (-4.3, 8.0),
    (-2.5, 11.0), (2.0, 12.5), (6.8, 11.5), (8.8, 9.5), (8.9, 6.9), (7.7, 3.7), (5.9, 0.8), (4.2, -1.4),
    (3.2, -2.6), (3.0, -3.6), (3.6, -5.0), (3.5, -6.4), (2.5, -7.6), (2.0, -9.5), (1.9, -12), (2.0, -15),
)  # fmt: skip
_LUNG = (
    (-4.3, -12.4), (-2.4, -11.0), (-1.4, -7.5), (-1.0, -3), (-1.0, 2), (-1.0, 8), (-1.4, 12.0), (-5.0, 15.0),
    (-9.5, 16.0), (-12.6, 15.6), (-13.5, 12.6), (-13.5, 8.0), (-13.2, 4.0), (-12.4, -0.5), (-11.0, -5.2),
    (-9.0, -9.2), (-6.6, -11.8),
)  # fmt: skip


@dataclass
class Shape:
    """What findings bend before the picture is drawn."""

    heart: float = 1.0  # width of the heart
    lift: dict[str, float] = field(default_factory=lambda: {"right": 0.0, "left": 0.0})  # cm, diaphragm up
    flat: float = 0.0  # 0 to 1, flattening of the diaphragm
    widen: float = 1.0  # width of the chest
    vessel: float = 1.0  # width of the vessels
    prune: float = 0.0  # 0 to 1, loss of small vessels
    air: float = 1.0  # air in the lungs
    shift: float = 0.0  # cm, mediastinum to the patient's left


@dataclass
class Chest:
    """Maps of one picture, float32 (size, size), in cm unless said otherwise."""

    frame: Frame
    patient: Patient
    visit: Visit
    shape: Shape
    body: np.ndarray = field(init=False)  # thickness of the patient
    air: np.ndarray = field(init=False)  # air in the lungs
    water: np.ndarray = field(init=False)  # tissue added on top of the body
    bone: np.ndarray = field(init=False)
    metal: np.ndarray = field(init=False)
    vessels: np.ndarray = field(init=False)
    heart: np.ndarray = field(init=False)  # 0 to 1
    lung: dict[str, np.ndarray] = field(default_factory=dict)  # 0 to 1, the whole lung of each side
    depth: dict[str, np.ndarray] = field(default_factory=dict)  # distance from that lung's outline
    floor: dict[str, np.ndarray] = field(default_factory=dict)  # height above the diaphragm's dome

    def __post_init__(self) -> None:
        """Begin with nothing drawn."""
        side = self.frame.size
        for name in ("body", "air", "water", "bone", "metal", "vessels", "heart"):
            setattr(self, name, np.zeros((side, side), np.float32))


def _lung_outline(chest: Chest, side: str) -> np.ndarray:
    """The outline of one lung with its recess behind the diaphragm, (n, 2) in cm."""
    patient, visit, shape, t = chest.patient, chest.visit, chest.shape, chest.patient.traits
    points = np.array(_LUNG)
    points[:, 0] *= (1 + 0.05 * t["width"] + (0.015 * t["asym"] if side == "left" else 0.0)) * shape.widen * (
        0.94 if patient.sex == "F" else 1.0)  # fmt: skip
    low = np.clip((points[:, 1] - 2) / 10, 0, 1)
    points[:, 1] += low * (visit.breath + 0.8 * t["height"] - 0.85 * shape.lift[side] + 1.6 * shape.flat)
    points[:, 1] -= np.clip((-points[:, 1] - 6) / 6, 0, 1) * 0.5 * t["apex"]
    points[:, 0] *= np.where(points[:, 1] < -4, 1 + 0.05 * t["slope"], 1.0)
    if side == "left":
        points[:, 0] *= -1
    points[:, 0] += 0.3 * t["lean"] * (points[:, 1] / 10)
    return spline(points)


def _mediastinum_outline(chest: Chest) -> np.ndarray:
    """The outline of heart and great vessels, (n, 2) in cm."""
    patient, visit, shape, t = chest.patient, chest.visit, chest.shape, chest.patient.traits
    points = np.array(_MEDIASTINUM)
    width = (0.95 + 0.065 * t["heart"]) * shape.heart * (1.12 if visit.view == "AP" else 1.0) * (
        0.95 if patient.sex == "F" else 1.0)  # fmt: skip
    width *= 1 - 0.022 * (visit.breath - 0.3)  # a deep breath makes the heart slender
    rise = np.clip((points[:, 1] + 3.5) / 5, 0, 1)
    points[:, 0] *= 1 + rise * (width - 1)
    upper = points[:, 1] < -3.3
    older = (patient.age - 45) / 100
    points[:, 0] *= np.where(upper, 1 + 0.08 * t["knob"] + (0.15 if visit.view == "AP" else 0.0), 1.0)
    points[18:20, 0] += np.clip(1.5 * older + 0.25 * t["knob"], -0.7, 0.9)
    points[16:18, 0] += 0.25 * t["hilum"]
    low = np.clip((points[:, 1] - 2) / 10, 0, 1)
    points[:, 1] += low * (0.8 * visit.breath + 0.8 * t["height"] + 0.8 * shape.flat - 0.3 * (shape.heart - 1) * 5)
    points[:, 0] += shape.shift * np.clip((points[:, 1] + 16) / 12, 0, 1) + 0.7 * visit.turn * rise
    return spline(points)


def _floor_height(chest: Chest, side: str) -> np.ndarray:
    """Height in cm above the dome of the diaphragm, negative below; the dome is what a picture shows as its edge."""
    frame, shape, t = chest.frame, chest.shape, chest.patient.traits
    top = 8.0 + chest.visit.breath + 0.8 * t["height"] - shape.lift[side] + 2.2 * shape.flat
    top += 0.9 if side == "left" else 0.0
    out = (frame.x * np.float32(SIDES[side]) - np.float32(6.0 + 0.5 * t["dome"])) / 7.0
    steep = np.float32((4.6 + 0.7 * t["dome"]) * (1 - 0.72 * shape.flat))
    fall = np.where(out > 0, steep * out * out, 0.30 * steep * out * out)
    return np.float32(top) + fall - frame.y


def draw_lung(chest: Chest, side: str) -> None:
    """Fill one lung with air, with what lies behind its diaphragm, and now and then an old scar in its corner."""
    frame, outline = chest.frame, _lung_outline(chest, side)
    mask, here = frame.mask(outline), frame.around(outline)
    depth, height = frame.depth(mask), _floor_height(chest, side)
    chest.depth[side], chest.floor[side] = depth, height
    thickness = frame.rounded(mask, depth, 4.4, 0.45, here)
    # Behind and below the dome the recess still holds some air, less and less of it.
    y, height = frame.y[here], height[here]
    below = np.where(height > 0, 1.0, 0.09 * np.exp(np.minimum(height, 0) * 0.45)).astype(np.float32)
    above = smooth_step(height, 0.16)
    thin_apex = 0.60 + 0.40 * smooth_step(y + 8.0, 5.0) + 0.10 * smooth_step(y - 2.0, 7.0)
    most = 11.3 * chest.shape.air * (0.92 if chest.visit.view == "AP" else 1.0)
    chest.air[here] += np.float32(most) * thickness * thin_apex * (above + (1 - above) * below)
    _old_scar(chest, side, mask, lowest=float(outline[:, 1].max()))
    chest.lung[side] = np.zeros_like(mask)
    chest.lung[side][here] = mask[here] * above


def _old_scar(chest: Chest, side: str, mask: np.ndarray, lowest: float) -> None:
    """In one healthy angle out of eight, an old pleurisy has left a blunted corner that looks like a little fluid."""
    rng = np.random.default_rng([chest.patient.seeds[5], side == "left"])
    scarred, depth = rng.random() < 1 / 8, rng.uniform(0.8, 2.6)
    if scarred:
        outward = chest.frame.x * np.float32(SIDES[side])
        corner = chest.frame.y + 0.5 * outward - np.float32(lowest + 4.5 - depth)
        chest.air *= 1 - 0.85 * smooth_step(corner, 0.9) * mask


def draw_mediastinum(chest: Chest) -> None:
    """Mark the heart, and take the air away where heart and great vessels lie."""
    frame, outline = chest.frame, _mediastinum_outline(chest)
    mask, here = frame.mask(outline), frame.around(outline)
    chest.heart = mask * smooth_step(frame.y + 1.5, 1.5)
    rounded = frame.rounded(mask, frame.depth(mask), 2.6, 0.12, here)
    most = 0.93 - 0.30 * smooth_step(frame.y[here] - 1, 5.0)  # lung goes on behind the heart
    chest.air[here] *= 1 - most * rounded
    aorta = spline([(2.2, -5.6), (3.1, -3.0), (2.9, 2.0), (2.2, 8.0), (1.6, 14.0)], closed=False)
    band = frame.mask(ribbon(aorta, 2.1)) * np.float32(0.28)
    chest.air *= 1 - frame.blur(band, 0.15)


def draw_airways(chest: Chest) -> None:
    """Take the air in trachea and main bronchi out of the tissue."""
    frame, t = chest.frame, chest.patient.traits
    canvas = frame.canvas()
    lean = 0.35 * chest.visit.turn + chest.shape.shift * 0.6
    top = [(0.1, -22), (0.1 + 0.2 * t["neck"], -14), (-0.3 + lean, -7), (-0.3 + lean, -1.5)]
    frame.fill(canvas, ribbon(spline(top, closed=False), 1.75), 255)
    for end in ((-4.2, 1.8), (4.8, 1.0)):
        path = spline([(-0.3 + lean, -1.8), ((end[0] + lean) / 2, -0.3), end], closed=False)
        frame.fill(canvas, ribbon(path, np.linspace(1.3, 0.8, len(path))), 140)
    chest.water -= frame.blur(canvas.astype(np.float32) * np.float32(1.5 / 255), 0.13)


def draw_vessels(chest: Chest) -> None:
    """Draw the vessels in the lungs, branches as drawn for the patient, and the hila where they begin."""
    frame, shape, t = chest.frame, chest.shape, chest.patient.traits
    canvas = np.zeros((2 * frame.size, 2 * frame.size), np.uint8)
    low = 0.6 * chest.visit.breath + 0.5 * chest.patient.traits["height"]
    for side, sign in SIDES.items():
        stretch = np.array([sign * 1.0, 1.0 + 0.03 * low])
        root = np.array([0.5 * sign * shape.shift, -0.6 if side == "left" else 0.3])
        for rank, (width, paths) in reversed(list(enumerate(chest.patient.vessels[side]))):
            kept = paths[: max(1, int(len(paths) * (1 - shape.prune * rank / 5)))] if rank else paths
            drawn = width * shape.vessel * (1 + 0.1 * t["hilum"]) * (1 - 0.35 * shape.prune * (rank > 0))
            shade = int(np.clip(255 * drawn / 0.9, 12, 255))
            frame.lines(canvas, kept * stretch + root, shade, drawn)
    drawn = cv2.resize(canvas, (frame.size, frame.size), interpolation=cv2.INTER_AREA).astype(np.float32)
    inside = np.clip(chest.lung["right"] + chest.lung["left"], 0, 1)
    chest.vessels = frame.blur(drawn, 0.02) * np.float32(2.9 / 255) * inside
    hilum = np.zeros_like(chest.vessels)
    for side, sign in SIDES.items():
        cx, cy = 3.7 * sign + 0.5 * shape.shift, (0.2 if side == "left" else 1.0)
        here = frame.around_box(cx, cy, 5.4, 10.8)  # beyond it, less than a millionth of a cm
        spot = ((frame.x[here] - np.float32(cx)) / 1.2) ** 2 + ((frame.y[here] - np.float32(cy)) / 2.4) ** 2
        hilum[here] += np.exp(-spot) * np.float32(1.4 * shape.vessel * (1 + 0.2 * t["hilum"]))
    chest.vessels += hilum * inside


def draw_body(chest: Chest) -> None:
    """Draw trunk, neck, head and arms, the patient's thickness on which all else lies."""
    frame, build, t = chest.frame, chest.patient.build, chest.patient.traits
    wide = (1 + 0.04 * t["width"]) * (0.95 if chest.patient.sex == "F" else 1.02) * (0.5 + 0.5 * build) * 1.07
    trunk = _trunk(chest, wide)
    thick = trunk * (13.8 + 8.0 * smooth_step(frame.y - 2.0, 9.0) + 2.5 * smooth_step(frame.y - 12, 6.0))
    here = frame.around_box(0, -59.5, 7, 50)  # neck and jaw
    x, y = frame.x[here], frame.y[here]
    thick[here] += 4.5 * smooth_step(-12.5 - y, 3.0) * smooth_step(5.0 - np.abs(x), 2.0) * (trunk[here] > 0)
    thick *= np.float32(0.45 + 0.55 * build)
    for side in SIDES:
        thick = np.maximum(thick, _arm(chest, side, wide))
    if chest.visit.view == "AP" or t["neck"] > 0.6:
        low = -18.6 - 0.4 * t["neck"]
        chin = spline([(-5, -30), (-5.6, -22), (-3, low), (3, low), (5.6, -22), (5, -30)])
        jaw = frame.mask(chin + (0.6 * chest.visit.turn, 0.7 if chest.visit.view == "AP" else -0.8))
        thick += frame.blur(jaw, 0.35) * 6.0
    chest.body = thick


def _trunk(chest: Chest, wide: float) -> np.ndarray:
    build, t = chest.patient.build, chest.patient.traits
    drop = 0.9 * t["shoulder"]
    half = np.array([(4.6 + 0.5 * t["neck"], -24), (4.7 + 0.5 * t["neck"], -18.0), (6.5, -15.8),
                     (11.5, -14.6 + 0.6 * drop),
                     (17.5, -13.6 + drop), (20.5, -11.4 + drop), (20.8, -8.0), (18.0, -4.0), (16.3, -0.5), (16.0, 6),
                     (15.6, 13), (15.2 + 3 * (build - 1), 20), (15.6 + 5 * (build - 1), 30)])  # fmt: skip
    half[:, 0] *= wide
    lopsided = half[::-1] * (-1 - 0.02 * t["asym"], 1) + (0, 0.35 * t["asym"])
    return _body_part(chest.frame, spline(np.vstack([half, lopsided])), 12.0, 0.6)


def _arm(chest: Chest, side: str, wide: float) -> np.ndarray:
    """Thickness of one arm in cm."""
    arms, build, t = chest.visit.arms, chest.patient.build, chest.patient.traits
    shoulder = np.array([18.4 * wide, -9.6 + 0.9 * t["shoulder"]])
    hand = shoulder + (0.2 + 15 * arms + 0.6 * t["arm"] + 3 * (build - 1), 34 - 12 * arms)
    wobble = np.array([0.0, 0.7 * (t["asym"] if side == "left" else t["lean"])])
    path = spline(np.array([shoulder, (shoulder + hand) / 2 + wobble, hand]) * (SIDES[side], 1), closed=False)
    outline = ribbon(path, np.linspace(9.5, 7.0, len(path)) * (0.5 + 0.5 * build))
    return _body_part(chest.frame, outline, 4.0, 0.3) * np.float32(9.5 * build)


def _body_part(frame: Frame, outline: np.ndarray, radius: float, blur_cm: float) -> np.ndarray:
    """Relative thickness (0 to 1) of a part with round edges; drawn with a margin, since it may leave the picture."""
    half = frame.size // 2
    margin = half // 2
    wide = Frame(half + 2 * margin, frame.field_cm * (half + 2 * margin) / half, frame.centre, frame.tilt)
    mask = wide.mask(outline)
    thick = wide.rounded(mask, wide.depth(mask), radius, blur_cm)
    inside = np.ascontiguousarray(thick[margin : margin + half, margin : margin + half])
    return cv2.resize(inside, (frame.size, frame.size), interpolation=cv2.INTER_LINEAR)


def draw_soft_tissue(chest: Chest) -> None:
    """Breasts, pectoral and neck muscles, skin folds: what makes two healthy sides differ."""
    frame, patient, t = chest.frame, chest.patient, chest.patient.traits
    size = 1 + 0.25 * t["breast"] + 1.2 * (patient.build - 1)
    for sign in SIDES.values():
        lop = 0.4 * t["asym"] * sign
        if patient.sex == "F":
            cx, cy, radius = 8.4, 7.2 + 0.9 * t["breast"] + lop, 5.8 * (0.75 + 0.25 * size)
            most = 3.6 * size * (1.0 if chest.visit.view == "PA" else 0.75)
        else:
            cx, cy, radius, most = 9.0, -2.5 + lop, 6.0, 0.9 + 0.4 * t["arm"]
        here = frame.around_box(sign * cx, cy, 1.05 * radius, 1.7 * radius)
        y = frame.y[here]
        r = np.hypot(
            (frame.x[here] - np.float32(sign * cx)) / 1.05,
            (y - np.float32(cy)) / np.where(y > cy, np.float32(0.82), np.float32(1.7)),
        )
        round_off = np.sqrt(np.maximum(1 - (r / radius) ** 2, 0)).astype(np.float32)
        chest.water[here] += np.float32(max(most, 0.2)) * round_off
    rough = frame.field(np.random.default_rng(patient.seeds[2]), 5.0)
    fine = frame.field(np.random.default_rng(patient.seeds[3]), 1.3)
    chest.water += (0.55 * rough + 0.16 * fine) * smooth_step(chest.body - 4, 3.0)


def draw_abdomen(chest: Chest) -> None:
    """Stomach bubble with its fluid level and some bowel gas below the left dome."""
    frame, t = chest.frame, chest.patient.traits
    rng = np.random.default_rng(chest.patient.seeds[4])
    top = float(9.6 + chest.visit.breath + 0.8 * t["height"] + 2.2 * chest.shape.flat - chest.shape.lift["left"])
    gas = np.zeros_like(chest.body)
    if t["stomach"] > -1.0:
        wide, high = 2.6 + 0.6 * t["stomach"], 1.5 + 0.5 * t["stomach"]
        across, down = (
            (frame.x - np.float32(5.6)) / np.float32(wide),
            (frame.y - np.float32(top + high)) / np.float32(high),
        )
        r = across**2 + down**2
        bubble = np.sqrt(np.maximum(1 - r, 0)) * smooth_step(top + high * 1.35 - frame.y, 0.25)
        gas += bubble * np.float32(3.2)
    # Gas in the bowel: where a smooth field is high, more of it on the left, below the stomach.
    here = frame.around_box(0, top + 52, 100, 50)
    loops = smooth_step(frame.field(rng, 2.6)[here] - np.float32(1.15 - 0.4 * t["bowel"]), 0.5)
    below = smooth_step(frame.y[here] - np.float32(top + 4.0), 2.0)
    gas[here] += loops * below * (0.35 + 0.65 * smooth_step(frame.x[here], 6.0)) * np.float32(2.4)
    chest.water -= frame.blur(gas, 0.12)
