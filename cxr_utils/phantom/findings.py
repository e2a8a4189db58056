"""The 14 NIH findings, each as a change of anatomy before the rays pass.

A finding may bend the anatomy (`reshape`), and then change the thickness of air, tissue or vessels (`change`).
Its mask is where that change is, never typed in. What each looks like follows Hansell et al., Fleischner Society:
Glossary of Terms for Thoracic Imaging, Radiology 2008, and the usual signs on plain films.
"""

from collections.abc import Callable

import cv2
import numpy as np

from .anatomy import Chest, Shape
from .drawing import ribbon, smooth_step, spline
from .patient import SIDES

Rng = np.random.Generator


def _side(rng: Rng) -> str:
    return "right" if rng.random() < 0.5 else "left"


def _sides(rng: Rng, both: float) -> list[str]:
    return list(SIDES) if rng.random() < both else [_side(rng)]


def _replace(chest: Chest, share: np.ndarray) -> np.ndarray:
    """Fill a share (0 to 1) of the air with tissue; returns cm of air lost."""
    lost = chest.air * np.clip(share, 0, 0.97)
    chest.air = chest.air - lost
    return lost


def _blob(chest: Chest, cx: float, cy: float, rx: float, ry: float, angle: float, rng: Rng, rough: float) -> np.ndarray:
    """Distance from a spot's middle, 1 on its edge, which a random field frays; rx and ry in cm."""
    frame = chest.frame
    dx, dy = frame.x - np.float32(cx), frame.y - np.float32(cy)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    r = np.sqrt(((c * dx + s * dy) / np.float32(rx)) ** 2 + ((c * dy - s * dx) / np.float32(ry)) ** 2)
    if rough:
        r = r + np.float32(rough) * frame.field(rng, 1.7)
    return r


def _floor_level(chest: Chest, side: str) -> float:
    """The height y (cm) of the top of that side's diaphragm."""
    lung = chest.floor[side] + chest.frame.y
    middle = np.abs(chest.frame.x - np.float32(6.5 * SIDES[side])) < 0.5
    return float(lung[middle].min()) if middle.any() else 9.0


def _place(chest: Chest, side: str, rng: Rng, low: float, high: float) -> tuple[float, float]:
    """A point inside a lung between two heights given as shares from apex (0) to diaphragm (1)."""
    bottom = _floor_level(chest, side)
    y = -11.0 + (bottom + 11.0) * rng.uniform(low, high)
    outer = np.interp(y, [-11, -8, -3, 2, 8], [5.5, 8.2, 10.6, 11.6, 11.8])
    return SIDES[side] * rng.uniform(4.2, outer), float(y)


# --- atelectasis -----------------------------------------------------------------------------------------------
def _bend_atelectasis(shape: Shape, severity: float, rng: Rng) -> None:
    side = _side(rng)
    shape.lift[side] += 1.3 * severity
    shape.shift += SIDES[side] * 0.7 * severity


def _atelectasis(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    side = _side(rng)  # the same draw as in the bend: both start from the same seed
    frame, sign = chest.frame, SIDES[side]
    height = chest.floor[side]
    # A wedge of airless lung on the diaphragm, and plates above it.
    wedge = smooth_step((1.6 + 2.2 * severity) - height - 0.15 * np.abs(frame.x - np.float32(sign * 5)), 0.9)
    share = (0.07 + 0.33 * severity) * wedge * chest.lung[side]
    canvas = frame.canvas()
    for _ in range(int(rng.integers(1, 3) + 2 * severity)):
        x, y = sign * rng.uniform(4, 9), _floor_level(chest, side) - rng.uniform(1.0, 4.5)
        half, rise = rng.uniform(1.8, 3.4), rng.normal(0, 0.7)
        path = spline([(x - half, y + rise), (x, y - 0.15), (x + half, y - rise)], closed=False)
        frame.fill(canvas, ribbon(path, rng.uniform(0.4, 0.8) * (0.8 + 0.5 * severity)), 255)
    plates = frame.blur(canvas.astype(np.float32) * np.float32((0.12 + 0.30 * severity) / 255), 0.12)
    return _replace(chest, np.maximum(share, plates * chest.lung[side]))


# --- cardiomegaly ----------------------------------------------------------------------------------------------
def _bend_cardiomegaly(shape: Shape, severity: float, rng: Rng) -> None:
    shape.heart *= 1.08 + 0.30 * severity


def _cardiomegaly(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    return chest.heart


# --- effusion --------------------------------------------------------------------------------------------------
def _effusion(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    lost = np.zeros_like(chest.air)
    for side in _sides(rng, 0.3):
        rise = 7.8 * severity**1.5 * rng.uniform(0.7, 1.1)
        out = np.clip(chest.frame.x * np.float32(SIDES[side]) / 13.0, 0, 1)
        level = _floor_level(chest, side) + 4.2 - rise  # y of the fluid in the middle
        surface = level - (0.3 + 2.0 * severity) * (out**4 * 2.2 - 0.4)  # the meniscus climbs at the side
        under = smooth_step(chest.frame.y - surface, 0.8 if chest.visit.view == "PA" else 1.8)
        mask = (chest.depth[side] > 0).astype(np.float32)
        lost += _replace(chest, 0.85 * under * mask)
        if chest.visit.view == "AP":  # lying down, fluid runs behind the lung and veils it
            lost += 0.5 * _replace(chest, (0.02 + 0.12 * severity) * chest.lung[side])
    return lost


# --- opacities of the air spaces -------------------------------------------------------------------------------
def _infiltration(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    share = np.zeros_like(chest.air)
    for side in _sides(rng, 0.45):
        for _ in range(int(rng.integers(1, 3))):
            x, y = _place(chest, side, rng, 0.25, 0.95)
            r = _blob(chest, x, y, rng.uniform(2.6, 4.6), rng.uniform(2.6, 4.8), rng.uniform(0, 3), rng, 0.30)
            share = np.maximum(share, smooth_step(1 - r, 0.75) * chest.lung[side])
    streaks = 0.75 + 0.4 * chest.frame.field(rng, 0.7)
    return _replace(chest, (0.07 + 0.26 * severity) * share * streaks)


def _pneumonia(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    side = _side(rng)
    share = np.zeros_like(chest.air)
    x, y = _place(chest, side, rng, 0.45, 0.95)
    for _ in range(int(rng.integers(3, 6))):  # patches around one focus
        near = x + rng.normal(0, 1.5), y + rng.normal(0, 1.7)
        r = _blob(chest, *near, rng.uniform(1.6, 2.8), rng.uniform(1.6, 2.8), 0, rng, 0.22)
        share = np.maximum(share, smooth_step(1 - r, 0.5))
    return _replace(chest, (0.19 + 0.33 * severity) * share * chest.lung[side])


def _consolidation(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    side = _side(rng)
    frame, sign = chest.frame, SIDES[side]
    x, y = _place(chest, side, rng, 0.2, 0.95)
    wide = rng.uniform(2.9, 4.2) * (0.8 + 0.6 * severity)
    lobe = smooth_step(1 - _blob(chest, x, y, wide * 1.15, wide, rng.uniform(0, 3), rng, 0.16), 0.30)
    edge = y + rng.uniform(-0.2, 0.7) * wide  # a fissure cuts the lobe off sharply on one side
    below = rng.random() < 0.5
    cut = smooth_step((frame.y - np.float32(edge)) * np.float32(-1 if below else 1) + 1.0, 0.25)
    canvas = frame.canvas()
    for _ in range(5):  # air bronchograms: dark branches in the white
        turn = rng.uniform(-0.8, 0.8)
        path = [(sign * 3.0, y * 0.4), (x - sign * wide * 0.5, y - turn), (x + sign * wide * 0.9, y + 2 * turn)]
        frame.fill(canvas, ribbon(spline(path, closed=False), 0.34), 255)
    branches = 1 - 0.42 * frame.blur(canvas.astype(np.float32) * np.float32(1 / 255), 0.06)
    return _replace(chest, (0.30 + 0.33 * severity) * lobe * cut * branches * chest.lung[side])


# --- round lesions ---------------------------------------------------------------------------------------------
def _sphere(
    chest: Chest, side: str, place: tuple[float, float], radius: float, density: float, rng: Rng, rough: float
) -> np.ndarray:
    squash = rng.uniform(0.85, 1.15)
    r = _blob(chest, *place, radius * squash, radius / squash, rng.uniform(0, 3), rng, rough)
    ball = np.sqrt(np.maximum(1 - r * r, 0)) * np.float32(2 * radius * density)
    ball = np.minimum(ball * chest.lung[side], chest.air)
    chest.air = chest.air - ball
    return ball


def _mass(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    side = _side(rng)
    return _sphere(chest, side, _place(chest, side, rng, 0.15, 0.9), 1.9 + 1.7 * severity, 0.90, rng, 0.09)


def _nodule(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    lost = np.zeros_like(chest.air)
    for _ in range(int(rng.choice([1, 1, 2, 3, 5]))):
        side = _side(rng)
        place = _place(chest, side, rng, 0.12, 0.9)
        lost += _sphere(chest, side, place, 0.85 + 0.60 * severity, 1.8, rng, 0.06)
    return lost


# --- pneumothorax ----------------------------------------------------------------------------------------------
def _bend_pneumothorax(shape: Shape, severity: float, rng: Rng) -> None:
    side = _side(rng)
    shape.shift -= SIDES[side] * 0.9 * severity**2
    shape.lift[side] -= 0.8 * severity


def _pneumothorax(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    side = _side(rng)
    frame = chest.frame
    apical = 1.25 - 0.75 * smooth_step(frame.y - 1.0, 8.0)  # air rises
    rim = (0.15 + 2.9 * severity**1.3) * apical + 0.25 * frame.field(rng, 6.0)
    # Air gathers at the side and over the apex, not between lung and heart or on the diaphragm.
    held = (frame.x * np.float32(SIDES[side]) < 4.0) & (frame.y > -10.0) | (chest.floor[side] < 1.0)
    inward = frame.blur(frame.depth(np.maximum(chest.lung[side], held)), 0.8)
    free = smooth_step(rim - inward, 0.12) * chest.lung[side]
    before = chest.air.copy()
    chest.vessels = chest.vessels * (1 - free)
    chest.air = chest.air * (1 + 0.22 * free) * (1 - (0.02 + 0.24 * severity) * (1 - free) * chest.lung[side])
    line = np.exp(-(((rim - inward) / 0.11) ** 2)) * chest.lung[side]  # the visceral pleura, seen edge on
    chest.water = chest.water + 0.40 * line
    return np.maximum(chest.air - before, 0) * free + 0.6 * free


# --- edema -----------------------------------------------------------------------------------------------------
def _bend_edema(shape: Shape, severity: float, rng: Rng) -> None:
    shape.vessel *= 1.05 + 0.25 * severity


def _edema(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    frame = chest.frame
    share = np.zeros_like(chest.air)
    for side in SIDES:
        r = _blob(chest, SIDES[side] * 5.2, 2.0, 5.2 + severity, 7.5, SIDES[side] * 0.15, rng, 0.22)
        share += smooth_step(1.05 - r, 0.85) * chest.lung[side]
        septa = smooth_step(2.2 - chest.depth[side], 0.8) * smooth_step(frame.y - 3, 3.0) * chest.lung[side]
        share += 0.35 * septa * np.maximum(np.sin(frame.y * np.float32(2 * np.pi / 0.9)), 0)  # Kerley's B lines
    patchy = 0.95 + 0.16 * frame.field(rng, 1.1)
    veil = 0.055 * severity * (chest.lung["right"] + chest.lung["left"])
    return _replace(chest, (0.04 + 0.25 * severity) * share * patchy + veil)


# --- emphysema -------------------------------------------------------------------------------------------------
def _bend_emphysema(shape: Shape, severity: float, rng: Rng) -> None:
    shape.flat = max(shape.flat, 0.02 + 0.62 * severity)
    shape.prune = 0.05 + 0.64 * severity
    shape.heart *= 0.97 - 0.12 * severity
    shape.widen *= 1.02 + 0.02 * severity
    shape.air *= 1.01 + 0.10 * severity


def _emphysema(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    lungs = chest.lung["right"] + chest.lung["left"]
    for side in _sides(rng, 0.7):
        for _ in range(int(rng.integers(0, 2) + 2 * severity)):  # bullae with a thin wall
            x, y = _place(chest, side, rng, 0.02, 0.5)
            radius = rng.uniform(1.2, 2.6)
            r = _blob(chest, x, y, radius, radius * 1.2, rng.uniform(0, 3), rng, 0.05)
            inside = smooth_step(1 - r, 0.1) * chest.lung[side]
            chest.vessels = chest.vessels * (1 - inside)
            chest.air = chest.air * (1 + 0.14 * inside)
            chest.water = chest.water + 0.22 * np.exp(-(((r - 1) / 0.07) ** 2)) * chest.lung[side]
    return lungs


# --- fibrosis --------------------------------------------------------------------------------------------------
def _bend_fibrosis(shape: Shape, severity: float, rng: Rng) -> None:
    for side in shape.lift:
        shape.lift[side] += 0.4 + 0.9 * severity


def _fibrosis(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    frame = chest.frame
    upper = rng.random() < 0.3
    net = np.zeros_like(chest.air)
    for cell in (1.6, 1.1):  # walls of a honeycomb: where a smooth field passes through zero
        net = np.maximum(net, np.exp(-((frame.field(rng, cell) / 0.30) ** 2)))
    where = np.zeros_like(chest.air)
    patchy = 0.75 + 0.45 * frame.field(rng, 3.5)
    for side in SIDES:
        edge = 0.30 + 0.70 * smooth_step(3.5 - chest.depth[side], 2.0)
        zone = smooth_step(-3.5 - frame.y, 4.0) if upper else smooth_step(frame.y - 1.0, 5.0)
        where += edge * zone * chest.lung[side]
    where *= np.clip(patchy, 0.1, 1.4)
    return _replace(chest, where * (0.03 + 0.08 * severity + (0.16 + 0.28 * severity) * net))


# --- pleural thickening ----------------------------------------------------------------------------------------
def _pleural_thickening(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    frame = chest.frame
    lost = np.zeros_like(chest.air)
    for side in _sides(rng, 0.35):
        sign = SIDES[side]
        wavy = np.clip(1 + 0.4 * frame.field(rng, 2.4), 0.2, 2.0)
        thick = (0.22 + 1.0 * severity) * wavy
        start, end = (-13, rng.uniform(-6, -2)) if rng.random() < 0.35 else (rng.uniform(-4, 3), 14)
        span = smooth_step(frame.y - np.float32(start), 1.2) * smooth_step(np.float32(end) - frame.y, 1.2)
        outer = smooth_step(frame.x * np.float32(sign) - np.interp(start, [-13, 0], [3.0, 7.0]), 1.0)
        band = smooth_step(thick - chest.depth[side], 0.22) * span * outer * (chest.depth[side] > 0)
        lost += _replace(chest, 0.92 * band)
        chest.water = chest.water + 1.5 * band * (0.3 + 0.7 * severity)
    return lost


# --- hernia ----------------------------------------------------------------------------------------------------
def _hernia(chest: Chest, severity: float, rng: Rng) -> np.ndarray:
    frame = chest.frame
    radius = 1.2 + 2.1 * severity
    bottom = _floor_level(chest, "left")
    x, y = rng.uniform(-0.5, 2.2), bottom + 0.6 - radius * 0.75
    r = _blob(chest, x, y, radius * 1.2, radius, rng.uniform(-0.3, 0.3), rng, 0.05)
    ball = np.sqrt(np.maximum(1 - r * r, 0)) * np.float32(1.5 * radius)
    chest.air = np.maximum(chest.air - 0.8 * ball, 0)
    # The stomach brings its air with it: a bubble over a level of fluid, behind the heart.
    level = y - radius * rng.uniform(-0.15, 0.25)
    inner = np.sqrt(np.maximum(1 - (r / 0.86) ** 2, 0)) * smooth_step(np.float32(level) - frame.y, 0.18)
    chest.water = chest.water + 0.25 * ball - inner * np.float32((0.7 + 0.5 * severity) * radius)
    return ball


Bend = Callable[[Shape, float, Rng], None]
Change = Callable[[Chest, float, Rng], np.ndarray]

#: How each finding bends the anatomy, where it does.
BENDS: dict[str, Bend] = {
    "Atelectasis": _bend_atelectasis,
    "Cardiomegaly": _bend_cardiomegaly,
    "Pneumothorax": _bend_pneumothorax,
    "Edema": _bend_edema,
    "Emphysema": _bend_emphysema,
    "Fibrosis": _bend_fibrosis,
}

#: What each finding does to the maps, in the order in which they are laid over each other.
CHANGES: dict[str, Change] = {
    "Emphysema": _emphysema,
    "Fibrosis": _fibrosis,
    "Edema": _edema,
    "Infiltration": _infiltration,
    "Pneumonia": _pneumonia,
    "Consolidation": _consolidation,
    "Atelectasis": _atelectasis,
    "Mass": _mass,
    "Nodule": _nodule,
    "Cardiomegaly": _cardiomegaly,
    "Hernia": _hernia,
    "Pneumothorax": _pneumothorax,
    "Effusion": _effusion,
    "Pleural_Thickening": _pleural_thickening,
}


def draw_mask(change: np.ndarray) -> np.ndarray:
    """The mask of a finding from its own change of thickness: at least a third of its strongest change.

    Args:
        change: (size, size), cm, not negative.

    Returns:
        bool (size, size).

    Example:
        >>> draw_mask(np.array([[0.0, 0.2, 1.0]], np.float32)).tolist()
        [[False, False, True]]
    """
    smooth = cv2.GaussianBlur(change.astype(np.float32), (0, 0), 1.0) if change.size > 9 else change
    return change > max(float(smooth.max()) / 3, 1e-6)


def draw_boxes(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """A box (x, y, width, height) in pixels around each part of a mask that a reader would circle, largest first.

    Parts closer than a fortieth of the picture count as one, parts below a quarter of the largest do not count.

    Example:
        >>> mask = np.zeros((40, 40), bool); mask[2:12, 1:7] = True; mask[20:28, 30:38] = True; mask[38, 2] = True
        >>> draw_boxes(mask)
        [(30, 20, 8, 8), (1, 2, 6, 10)]
    """
    near = np.ones((1 + 2 * (mask.shape[0] // 80),) * 2, np.uint8)
    joined = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, near)
    count, parts = cv2.connectedComponents(joined)
    areas = np.bincount(parts[mask], minlength=count)
    kept = [part for part in np.argsort(-areas, kind="stable") if areas[part] >= max(areas.max() / 4, 1)]
    rectangles = (cv2.boundingRect(((parts == part) & mask).astype(np.uint8)) for part in kept)
    return [(x, y, width, height) for x, y, width, height in rectangles]
