"""The skeleton: ribs, spine and shoulders, drawn as shells on the map of bone."""

from typing import TypeVar

import cv2
import numpy as np

from .anatomy import Chest
from .drawing import Frame, ribbon, smooth_step, spline
from .patient import SIDES

#: Bodies (bodies, n, 2) in cm and the grey to fill them with, as `Frame.stack` takes them.
Layers = list[tuple[np.ndarray, int]]
Cm = TypeVar("Cm", float, np.ndarray)


def _vertebra_height(top: Cm) -> Cm:
    return 1.75 + 0.035 * (top + 19)


def _vertebrae() -> list[float]:
    tops = [-19.0]
    while tops[-1] < 26:
        tops.append(tops[-1] + _vertebra_height(tops[-1]) + 0.42)
    return tops[:-1]


_VERTEBRAE = np.array(_vertebrae())[:, None]  # y of the upper edge of each, one below the other


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


def draw_bones(chest: Chest) -> None:
    """Draw bones as shells: a ray along the edge passes more cortex than one through the middle."""
    frame, t = chest.frame, chest.patient.traits
    dense = (0.72 + 0.08 * t["bone"]) * (1.06 if chest.patient.sex == "M" else 0.94)
    dense *= 1 - 0.003 * max(chest.patient.age - 50, 0)
    wide = 1.15 + 0.09 * t["ribwidth"]
    posterior, anterior = _ribs(chest)
    taper = np.interp(np.arange(14), [0, 3, 13], [0.75, 0.95, 1.0]) * wide
    back = frame.stack(frame.canvas(), _shell(posterior, taper, (205, 105)))
    layers: Layers = []  # towards the front, where bone ends in cartilage, a rib is fainter
    for end, shade in ((12, 55), (9, 110), (6, 150)):
        layers += _shell(anterior[:16, :end], wide * 1.05, (shade, int(shade * 0.62)))
    front = frame.stack(frame.canvas(), layers)
    bone = _sum_of(back, front) * np.float32(3.8 / 255)
    bone *= 0.5 + 0.5 * smooth_step(np.abs(frame.x) - 4.0, 2.5)  # faint where they lie behind the mediastinum
    bone *= 1 - np.float32(0.85) * smooth_step(frame.y - np.float32(8.5 + chest.visit.breath), 4.0)
    bone += _spine(chest) + _shoulder(chest)
    bone /= 1 + np.float32(0.3) * bone  # where ribs pile up at the side, a hard beam sees less than the sum
    chest.bone += frame.blur(bone, 0.03) * np.float32(dense)


def _sum_of(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum of two 8-bit drawings, as float32."""
    return cv2.add(first.astype(np.uint16), second.astype(np.uint16)).astype(np.float32)


def _shell(paths: np.ndarray, width: float | np.ndarray, shades: tuple[int, int]) -> Layers:
    """Bands around paths (bodies, n, 2) and narrower ones inside, as layers for `Frame.stack`."""
    return [(ribbon(paths, width), shades[0]), (ribbon(paths, np.asarray(width) * 0.62), shades[1])]


def _spine(chest: Chest) -> np.ndarray:
    frame, t = chest.frame, chest.patient.traits
    y = _VERTEBRAE
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
        _shoulder_blade(frame, blade, sign, out, up)
        _upper_arm(chest, blade, sign, out, up)
        frame.stack(collar, _clavicle(chest, sign, out, up))
    return _sum_of(blade, collar) * np.float32(4.2 / 255)


def _shoulder_blade(frame: Frame, canvas: np.ndarray, sign: float, out: float, up: float) -> None:
    wing = np.array([(10.2, -10.2), (13.5, -10.6), (16.4, -11.2), (16.6, -9.0), (15.0, -6.5), (13.6, -2.0),
                     (12.4, 2.8),
                     (11.3, 2.2), (10.8, -2.5), (10.3, -7.0)]) + (out, up)  # fmt: skip
    wing = spline(wing) * (sign, 1)
    frame.fill(canvas, wing, 92)
    frame.fill(canvas, (wing - wing.mean(0)) * 0.86 + wing.mean(0), 46)
    ridge = np.array([(10.8, -8.6), (14, -10.4), (17.5, -12.8), (19.2, -12.6)]) + (out, up)
    frame.stack(canvas, _shell(spline(ridge, closed=False)[None] * (sign, 1), 1.3, (120, 75)))


def _upper_arm(chest: Chest, canvas: np.ndarray, sign: float, out: float, up: float) -> None:
    head = np.array([19.0 + out * 0.6, -10.2 + up])
    turn = np.linspace(0, 2 * np.pi, 20)
    ring = head + 2.35 * np.column_stack([np.cos(turn), np.sin(turn)])
    arms = chest.visit.arms
    elbow = head + np.array([2.2 + 8 * arms + 0.5 * chest.patient.traits["arm"], 17 - 6 * arms])
    humerus = np.linspace(head, elbow, 8) * (sign, 1)
    chest.frame.stack(canvas, _shell(humerus[None], 2.3, (215, 120)))
    chest.frame.fill(canvas, ring * (sign, 1), 165)


def _clavicle(chest: Chest, sign: float, out: float, up: float) -> Layers:
    path = np.array([(1.9, -8.6), (4.5, -9.3), (8.0, -10.8), (12.5, -12.6), (17.6 + out * 0.5, -12.9 + up)])
    path += (0.0, 0.5 * chest.patient.traits["clavicle"] - (1.0 if chest.visit.view == "AP" else 0.0))
    path = spline(path, closed=False) * (sign, 1) + (0.9 * chest.visit.turn, 0)
    thick = np.interp(np.arange(len(path)), [0, 4, 18, 24], [1.9, 1.35, 1.2, 1.7])
    return _shell(path[None], thick, (190, 105))
