"""A patient's anatomy, drawn once, and its shadow on one picture as maps of thickness.

Proportions follow an adult on a 35 to 43 cm detector; the origin is the midline at the height of the carina, x runs to
the patient's left, y downwards, in cm. What a patient keeps over follow-ups is in `Patient`; what a visit
changes is in `Visit`; what a finding bends before anything is drawn is in `Shape`.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from .drawing import Frame, dome, ribbon, smooth_step, spline

SIDES = {"right": -1.0, "left": 1.0}  # the patient's right lung is on the left of the picture

# Heart and mediastinum are one outline: vena cava, right atrium, apex, left ventricle, pulmonary trunk, aortic knob.
_MEDIASTINUM = (
    (-2.1, -15), (-2.2, -11), (-2.4, -7.2), (-2.7, -3.4), (-3.3, -0.8), (-4.6, 1.8), (-5.0, 4.8), (-4.3, 8.0),
    (-2.5, 11.0), (2.0, 12.5), (6.8, 11.5), (8.8, 9.5), (8.9, 6.9), (7.7, 3.7), (5.9, 0.8), (4.2, -1.4),
    (3.2, -2.6), (3.0, -3.6), (3.6, -5.0), (3.5, -6.4), (2.5, -7.6), (2.0, -9.5), (1.9, -12), (2.0, -15),
)  # fmt: skip
_HEART = slice(4, 17)  # the part of the outline that is heart
_LUNG = (
    (-4.3, -12.4), (-2.4, -11.0), (-1.4, -7.5), (-1.0, -3), (-1.0, 2), (-1.0, 8), (-1.4, 12.0), (-5.0, 15.0),
    (-9.5, 16.0), (-12.6, 15.6), (-13.5, 12.6), (-13.5, 8.0), (-13.2, 4.0), (-12.4, -0.5), (-11.0, -5.2),
    (-9.0, -9.2), (-6.6, -11.8),
)  # fmt: skip


def _vertebrae() -> list[float]:
    tops = [-19.0]
    while tops[-1] < 26:
        tops.append(tops[-1] + _vertebra_height(tops[-1]) + 0.42)
    return tops[:-1]


def _vertebra_height(top):
    return 1.75 + 0.035 * (top + 19)


_VERTEBRAE = _vertebrae()  # y of the upper edge of each, one below the other


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
    body: np.ndarray  # thickness of the patient
    air: np.ndarray  # air in the lungs
    water: np.ndarray  # tissue added on top of the body
    bone: np.ndarray
    metal: np.ndarray
    vessels: np.ndarray
    lung: dict[str, np.ndarray]  # 0 to 1, the whole lung of each side
    depth: dict[str, np.ndarray]  # distance from that lung's outline
    floor: dict[str, np.ndarray]  # height above the diaphragm's dome
    heart: np.ndarray  # 0 to 1
    outlines: dict[str, np.ndarray] = field(default_factory=dict)


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
    """Draw how a picture is taken. AP pictures are taken in bed: worse breath, more rotation, arms at the side."""
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


def draw_chest(patient: Patient, visit: Visit, shape: Shape, frame: Frame) -> Chest:
    """Draw everything but the findings' own opacities."""
    body = _body(patient, visit, frame)
    outline = mediastinum_outline(patient, visit, shape)
    lungs = {side: lung_outline(patient, visit, shape, side) for side in SIDES}
    chest = Chest(frame, patient, visit, shape, body, *(np.zeros_like(body) for _ in range(5)), {}, {}, {}, body,
                  {"mediastinum": outline, **lungs})  # fmt: skip
    for side in SIDES:
        _lung(chest, side)
    heart_mask = frame.mask(outline)
    chest.heart = heart_mask * smooth_step(frame.y + 1.5, 1.5)
    _mediastinum(chest, heart_mask)
    chest.air *= 1 + 0.025 * frame.field(np.random.default_rng(patient.seeds[0]), 0.55) + 0.035 * frame.field(
        np.random.default_rng(patient.seeds[1]), 2.2)  # fmt: skip
    _airways(chest)
    _bones(chest)
    _vessels(chest)
    _soft_tissue(chest)
    _abdomen(chest)
    return chest


def lung_outline(patient: Patient, visit: Visit, shape: Shape, side: str) -> np.ndarray:
    """The outline of one lung with its recess behind the diaphragm, (n, 2) in cm."""
    t = patient.traits
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


def mediastinum_outline(patient: Patient, visit: Visit, shape: Shape) -> np.ndarray:
    """The outline of heart and great vessels, (n, 2) in cm."""
    t = patient.traits
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


def floor_height(patient: Patient, visit: Visit, shape: Shape, frame: Frame, side: str) -> np.ndarray:
    """Height in cm above the dome of the diaphragm, negative below; the dome is what a picture shows as its edge."""
    t = patient.traits
    sign = SIDES[side]
    top = (
        8.0 + visit.breath + 0.8 * t["height"] - shape.lift[side] + 2.2 * shape.flat + (0.9 if side == "left" else 0.0)
    )
    out = (frame.x * np.float32(sign) - np.float32(6.0 + 0.5 * t["dome"])) / 7.0
    steep = np.float32((4.6 + 0.7 * t["dome"]) * (1 - 0.72 * shape.flat))
    fall = np.where(out > 0, steep * out * out, 0.30 * steep * out * out)
    return np.float32(top) + fall - frame.y


def _lung(chest: Chest, side: str) -> None:
    frame, patient = chest.frame, chest.patient
    outline = chest.outlines[side]
    mask = frame.mask(outline)
    depth = frame.depth(mask)
    height = floor_height(patient, chest.visit, chest.shape, frame, side)
    chest.depth[side], chest.floor[side] = depth, height
    here = frame.around(outline)
    rounded = np.zeros_like(mask)
    rounded[here] = dome(depth[here], 4.4)
    thickness = frame.blur(rounded, 0.45)[here] * mask[here]
    # Behind and below the dome the recess still holds some air, less and less of it.
    y, height = frame.y[here], height[here]
    below = np.where(height > 0, 1.0, 0.09 * np.exp(np.minimum(height, 0) * 0.45)).astype(np.float32)
    above = smooth_step(height, 0.16)
    thin_apex = 0.60 + 0.40 * smooth_step(y + 8.0, 5.0) + 0.10 * smooth_step(y - 2.0, 7.0)
    most = 11.3 * chest.shape.air * (0.92 if chest.visit.view == "AP" else 1.0)
    chest.air[here] += np.float32(most) * thickness * thin_apex * (above + (1 - above) * below)
    _old_scar(chest, side, mask)
    chest.lung[side] = np.zeros_like(mask)
    chest.lung[side][here] = mask[here] * above


def _old_scar(chest: Chest, side: str, mask: np.ndarray) -> None:
    """In one healthy angle out of eight, an old pleurisy has left a blunted corner that looks like a little fluid."""
    rng = np.random.default_rng([chest.patient.seeds[5], side == "left"])
    scarred, depth = rng.random() < 1 / 8, rng.uniform(0.8, 2.6)
    if scarred:
        outward = chest.frame.x * np.float32(SIDES[side])
        corner = chest.frame.y + 0.5 * outward - np.float32(_lowest(chest.outlines[side]) + 4.5 - depth)
        chest.air *= 1 - 0.85 * smooth_step(corner, 0.9) * mask


def _lowest(outline: np.ndarray) -> float:
    return float(outline[:, 1].max())


def _mediastinum(chest: Chest, mask: np.ndarray) -> None:
    frame = chest.frame
    here = frame.around(chest.outlines["mediastinum"])
    rounded = np.zeros_like(mask)
    rounded[here] = dome(frame.depth(mask)[here], 2.6)
    rounded = frame.blur(rounded, 0.12)[here] * mask[here]
    most = 0.93 - 0.30 * smooth_step(frame.y[here] - 1, 5.0)  # lung goes on behind the heart
    chest.air[here] *= 1 - most * rounded
    aorta = spline([(2.2, -5.6), (3.1, -3.0), (2.9, 2.0), (2.2, 8.0), (1.6, 14.0)], closed=False)
    band = frame.mask(ribbon(aorta, 2.1)) * np.float32(0.28)
    chest.air *= 1 - frame.blur(band, 0.15)


def _airways(chest: Chest) -> None:
    frame, t = chest.frame, chest.patient.traits
    canvas = frame.canvas()
    lean = 0.35 * chest.visit.turn + chest.shape.shift * 0.6
    top = [(0.1, -22), (0.1 + 0.2 * t["neck"], -14), (-0.3 + lean, -7), (-0.3 + lean, -1.5)]
    frame.fill(canvas, ribbon(spline(top, closed=False), 1.75), 255)
    for end in ((-4.2, 1.8), (4.8, 1.0)):
        path = spline([(-0.3 + lean, -1.8), ((end[0] + lean) / 2, -0.3), end], closed=False)
        frame.fill(canvas, ribbon(path, np.linspace(1.3, 0.8, len(path))), 140)
    trachea = frame.blur(canvas.astype(np.float32) * np.float32(1.5 / 255), 0.13)
    chest.water -= trachea


def _ribs(chest: Chest) -> tuple[np.ndarray, np.ndarray]:
    """All ribs as two paths each in cm: from the spine round the back to the side, and from there to the front.

    Shapes (22, 14, 2) and (22, 12, 2): from the top down, of each pair the right one first.
    """
    t, shape = chest.patient.traits, chest.shape
    number = np.arange(1, 12)[:, None]
    start = -13.0 + number * (2.28 + 0.06 * t["rib"]) + 0.25 * shape.flat * number / 5
    sides = np.interp(start + 3, [-12, -9, -5, 0, 5, 10, 16], [6.2, 9.0, 11.5, 13.0, 13.8, 14.1, 14.0])
    sides *= (1 + 0.05 * t["width"]) * shape.widen * (0.94 if chest.patient.sex == "F" else 1.0)
    drop = (2.3 + 0.50 * number + 0.45 * t["ribdrop"]) * (0.75 if shape.flat > 0.3 else 1.0) * (
        0.85 if chest.visit.view == "AP" else 1.0)  # fmt: skip
    u = np.linspace(0, 1, 14)
    back_x = 1.6 + (sides - 1.6) * np.sin(u * np.pi / 2) ** 0.92
    back_y = start - 0.75 * np.sin(np.pi * np.minimum(u * 1.35, 1)) + drop * u**1.9 + 1.1 * u**8
    v = np.linspace(0, 1, 12)
    front_x = sides - (sides - 5.2 - 0.12 * number) * (1 - np.cos(v * np.pi / 2)) ** 0.9
    front_y = back_y[:, -1:] + (3.0 + 0.25 * number) * np.sin(v * np.pi / 2) + 0.5 * v
    back = [np.stack([sign * back_x, back_y], axis=-1) for sign in SIDES.values()]
    front = [np.stack([sign * front_x + 0.8 * chest.visit.turn, front_y], axis=-1) for sign in SIDES.values()]
    return np.stack(back, axis=1).reshape(-1, 14, 2), np.stack(front, axis=1).reshape(-1, 12, 2)


def _bones(chest: Chest) -> None:
    """Bones as shells: a ray along the edge passes more cortex than one through the middle."""
    frame, t = chest.frame, chest.patient.traits
    dense = (
        (0.72 + 0.08 * t["bone"])
        * (1.06 if chest.patient.sex == "M" else 0.94)
        * (1 - 0.003 * max(chest.patient.age - 50, 0))
    )
    wide = 1.15 + 0.09 * t["ribwidth"]
    posterior, anterior = _ribs(chest)
    taper = np.interp(np.arange(14), [0, 3, 13], [0.75, 0.95, 1.0]) * wide
    back = frame.stack(frame.canvas(), _shell(posterior, taper, (205, 105)))
    layers = []  # towards the front, where bone ends in cartilage, a rib is fainter
    for end, shade in ((12, 55), (9, 110), (6, 150)):
        layers += _shell(anterior[:16, :end], wide * 1.05, (shade, int(shade * 0.62)))
    front = frame.stack(frame.canvas(), layers)
    bone = cv2.add(back.astype(np.uint16), front.astype(np.uint16)).astype(np.float32) * np.float32(3.8 / 255)
    bone *= 0.5 + 0.5 * smooth_step(np.abs(frame.x) - 4.0, 2.5)  # faint where they lie behind the mediastinum
    bone *= 1 - np.float32(0.85) * smooth_step(frame.y - np.float32(8.5 + chest.visit.breath), 4.0)
    bone += _spine(chest) + _shoulder(chest)
    bone /= 1 + np.float32(0.3) * bone  # where ribs pile up at the side, a hard beam sees less than the sum
    chest.bone += frame.blur(bone, 0.03) * np.float32(dense)


def _shell(paths: np.ndarray, width, shades: tuple[int, int]) -> list[tuple[np.ndarray, int]]:
    """Bands around paths (bodies, n, 2) and narrower ones inside, as layers for `Frame.stack`."""
    return [(ribbon(paths, width), shades[0]), (ribbon(paths, np.asarray(width) * 0.62), shades[1])]


def _spine(chest: Chest) -> np.ndarray:
    frame, t = chest.frame, chest.patient.traits
    y = np.array(_VERTEBRAE)[:, None]
    high = _vertebra_height(y)
    half = (1.35 + 0.028 * (y + 19)) * (1 + 0.05 * t["spine"])
    bend = 0.25 * t["lean"] * np.sin(y / 9)

    def outlines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack(np.broadcast_arrays(x, y), axis=-1)

    corner = np.array([-1, 1, 0.9, 1, -1, -0.9])
    box = outlines(half * corner, y + high * np.array([0, 0, 0.5, 1, 1, 0.5])) + outlines(bend, np.zeros(1))
    inner = box * (0.86, 1) + outlines(0.14 * bend, np.zeros(1))
    angle = np.linspace(0, 5.2, 6)
    eyes = [
        spline(outlines(x + bend + 0.3 * np.cos(angle), y + high * 0.4 + 0.42 * np.sin(angle)), per_segment=2)
        for x in (-half * 0.62, half * 0.62)
    ]
    process = outlines(bend + np.array([-0.28, 0.28, 0]), y + high * np.array([0.5, 0.5, 1.3]))
    layers = [(box, 150), (inner, 120), (eyes[0], 185), (eyes[1], 185), (process, 200)]
    canvas = frame.stack(frame.canvas(), layers)
    behind_heart = 1 - np.float32(0.6) * smooth_step(frame.y - 0.5, 4.0)  # scatter hides it there
    return canvas.astype(np.float32) * np.float32(1.25 / 255) * behind_heart


def _shoulder(chest: Chest) -> np.ndarray:
    """Clavicles, shoulder blades and upper arms of both sides, in cm of bone."""
    frame, t, visit = chest.frame, chest.patient.traits, chest.visit
    blade, collar = frame.canvas(), frame.canvas()
    for side, sign in SIDES.items():
        out = (2.0 if visit.view == "PA" else 0.2) + 0.5 * t["scapula"] + (0.25 * t["asym"] if side == "left" else 0.0)
        out *= 0.6 + 0.4 * visit.arms
        up = 0.5 * t["shoulder"] + 0.3 * sign * t["asym"]
        wing = np.array([(10.2, -10.2), (13.5, -10.6), (16.4, -11.2), (16.6, -9.0), (15.0, -6.5), (13.6, -2.0),
                         (12.4, 2.8),
                         (11.3, 2.2), (10.8, -2.5), (10.3, -7.0)]) + (out, up)  # fmt: skip
        wing = spline(wing) * (sign, 1)
        frame.fill(blade, wing, 92)
        frame.fill(blade, (wing - wing.mean(0)) * 0.86 + wing.mean(0), 46)
        ridge = spline(
            np.array([(10.8, -8.6), (14, -10.4), (17.5, -12.8), (19.2, -12.6)]) + (out, up), closed=False
        ) * (sign, 1)
        frame.stack(blade, _shell(ridge[None], 1.3, (120, 75)))
        head = np.array([19.0 + out * 0.6, -10.2 + up])
        ring = head + 2.35 * np.column_stack([np.cos(a := np.linspace(0, 2 * np.pi, 20)), np.sin(a)])
        elbow = head + np.array([2.2 + 8 * visit.arms + 0.5 * t["arm"], 17 - 6 * visit.arms])
        humerus = np.linspace(head, elbow, 8) * (sign, 1)
        frame.stack(blade, _shell(humerus[None], 2.3, (215, 120)))
        frame.fill(blade, ring * (sign, 1), 165)
        path = np.array([(1.9, -8.6), (4.5, -9.3), (8.0, -10.8), (12.5, -12.6), (17.6 + out * 0.5, -12.9 + up)])
        path += (0.0, 0.5 * t["clavicle"] - (1.0 if visit.view == "AP" else 0.0))
        path = spline(path, closed=False) * (sign, 1) + (0.9 * visit.turn, 0)
        thick = np.interp(np.arange(len(path)), [0, 4, 18, 24], [1.9, 1.35, 1.2, 1.7])
        frame.stack(collar, _shell(path[None], thick, (190, 105)))
    both = cv2.add(blade.astype(np.uint16), collar.astype(np.uint16))
    return both.astype(np.float32) * np.float32(4.2 / 255)


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


def _vessels(chest: Chest) -> None:
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


def _body(patient: Patient, visit: Visit, frame: Frame) -> np.ndarray:
    """Thickness of trunk, neck, head and arms in cm."""
    t, build = patient.traits, patient.build
    wide = (1 + 0.04 * t["width"]) * (0.95 if patient.sex == "F" else 1.02) * (0.5 + 0.5 * build) * 1.07
    drop = 0.9 * t["shoulder"]
    half = np.array([(4.6 + 0.5 * t["neck"], -24), (4.7 + 0.5 * t["neck"], -18.0), (6.5, -15.8),
                     (11.5, -14.6 + 0.6 * drop),
                     (17.5, -13.6 + drop), (20.5, -11.4 + drop), (20.8, -8.0), (18.0, -4.0), (16.3, -0.5), (16.0, 6),
                     (15.6, 13), (15.2 + 3 * (build - 1), 20), (15.6 + 5 * (build - 1), 30)])  # fmt: skip
    half[:, 0] *= wide
    lopsided = half[::-1] * (-1 - 0.02 * t["asym"], 1) + (0, 0.35 * t["asym"])
    trunk = _rounded(frame, spline(np.vstack([half, lopsided])), 12.0, 0.6)
    thick = trunk * (13.8 + 8.0 * smooth_step(frame.y - 2.0, 9.0) + 2.5 * smooth_step(frame.y - 12, 6.0))
    here = frame.around_box(0, -59.5, 7, 50)  # neck and jaw
    x, y = frame.x[here], frame.y[here]
    thick[here] += 4.5 * smooth_step(-12.5 - y, 3.0) * smooth_step(5.0 - np.abs(x), 2.0) * (trunk[here] > 0)
    thick *= np.float32(0.45 + 0.55 * build)
    for side, sign in SIDES.items():
        shoulder = np.array([18.4 * wide, -9.6 + drop])
        hand = shoulder + (0.2 + 15 * visit.arms + 0.6 * t["arm"] + 3 * (build - 1), 34 - 12 * visit.arms)
        wobble = np.array([0.0, 0.7 * (t["asym"] if side == "left" else t["lean"])])
        path = spline(np.array([shoulder, (shoulder + hand) / 2 + wobble, hand]) * (sign, 1), closed=False)
        arm = _rounded(frame, ribbon(path, np.linspace(9.5, 7.0, len(path)) * (0.5 + 0.5 * build)), 4.0, 0.3)
        thick = np.maximum(thick, arm * np.float32(9.5 * build))
    if visit.view == "AP" or t["neck"] > 0.6:
        chin = spline(
            [(-5, -30), (-5.6, -22), (-3, -18.6 - 0.4 * t["neck"]), (3, -18.6 - 0.4 * t["neck"]), (5.6, -22), (5, -30)]
        )
        jaw = frame.mask(chin + (0.6 * visit.turn, 0.7 if visit.view == "AP" else -0.8))
        thick += frame.blur(jaw, 0.35) * 6.0
    return thick


def _rounded(frame: Frame, outline: np.ndarray, radius: float, blur_cm: float) -> np.ndarray:
    """Relative thickness (0 to 1) of a body with round edges; drawn with a margin, since it may leave the picture."""
    half = frame.size // 2
    margin = half // 2
    wide = Frame(half + 2 * margin, frame.field_cm * (half + 2 * margin) / half, frame.centre, frame.tilt)
    mask = wide.mask(outline)
    thick = wide.blur(dome(wide.depth(mask), radius), blur_cm) * mask
    inside = np.ascontiguousarray(thick[margin : margin + half, margin : margin + half])
    return cv2.resize(inside, (frame.size, frame.size), interpolation=cv2.INTER_LINEAR)


def _soft_tissue(chest: Chest) -> None:
    """Breasts, pectoral and neck muscles, skin folds: what makes two healthy sides differ."""
    frame, patient, t = chest.frame, chest.patient, chest.patient.traits
    size = 1 + 0.25 * t["breast"] + 1.2 * (patient.build - 1)
    for side, sign in SIDES.items():  # noqa: B007
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


def _abdomen(chest: Chest) -> None:
    """Stomach bubble with its fluid level and some bowel gas below the left dome."""
    frame, t = chest.frame, chest.patient.traits
    rng = np.random.default_rng(chest.patient.seeds[4])
    top = float(9.6 + chest.visit.breath + 0.8 * t["height"] + 2.2 * chest.shape.flat - chest.shape.lift["left"])
    gas = np.zeros_like(chest.body)
    if t["stomach"] > -1.0:
        wide, high = 2.6 + 0.6 * t["stomach"], 1.5 + 0.5 * t["stomach"]
        r = ((frame.x - np.float32(5.6)) / np.float32(wide)) ** 2 + (
            (frame.y - np.float32(top + high)) / np.float32(high)
        ) ** 2
        bubble = np.sqrt(np.maximum(1 - r, 0)) * smooth_step(top + high * 1.35 - frame.y, 0.25)
        gas += bubble * np.float32(3.2)
    # Gas in the bowel: where a smooth field is high, more of it on the left, below the stomach.
    here = frame.around_box(0, top + 52, 100, 50)
    loops = smooth_step(frame.field(rng, 2.6)[here] - np.float32(1.15 - 0.4 * t["bowel"]), 0.5)
    below = smooth_step(frame.y[here] - np.float32(top + 4.0), 2.0)
    gas[here] += loops * below * (0.35 + 0.65 * smooth_step(frame.x[here], 6.0)) * np.float32(2.4)
    chest.water -= frame.blur(gas, 0.12)
