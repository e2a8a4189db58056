"""Tubes, wires and markers: they say how a picture was taken, not what is in it."""

import cv2
import numpy as np
from numpy.typing import ArrayLike

from .anatomy import Chest
from .drawing import ribbon, spline


def add_devices(chest: Chest, rng: np.random.Generator) -> None:
    """Draw leads, lines, a pacemaker or clips on the metal map, more often on a portable picture."""
    frame, portable = chest.frame, chest.visit.view == "AP"
    canvas = np.zeros_like(chest.body)
    if rng.random() < (0.55 if portable else 0.06):
        for _ in range(rng.integers(2, 5)):
            _lead(chest, rng, canvas)
    if rng.random() < (0.35 if portable else 0.05):
        entry, bend = (rng.choice([-1, 1]) * rng.uniform(6, 9), -14), (-4, -10 + rng.normal())
        _wire(chest, canvas, [entry, bend, (-2.4, -6), (-2.3, rng.uniform(-1, 4))], 0.25, 0.05)
    if portable and rng.random() < 0.25:
        _wire(chest, canvas, [(0.2, -24), (0.1, -14), (-0.2, -4 + rng.normal())], 0.5, 0.035)
    if rng.random() < 0.03:
        side = rng.choice([-1, 1])
        box = spline(np.array([(-2, -1.6), (2, -1.8), (2.2, 1), (0, 2.2), (-2.2, 1)]) + (side * 8.5, -6))
        canvas += frame.mask(box) * np.float32(0.45)
        _wire(chest, canvas, [(side * 8, -8), (side * 4, -9), (-2, -4), (-2, 4), (2, 8)], 0.2, 0.12)
    if rng.random() < 0.05:
        for _ in range(rng.integers(3, 7)):
            x, y = rng.uniform(-8, 8), rng.uniform(-6, 8)
            _wire(chest, canvas, [(x, y), (x + 0.3, y + 0.2), (x + 0.5, y)], 0.12, 0.2)
    chest.metal = chest.metal + canvas


def _wire(chest: Chest, canvas: np.ndarray, path: ArrayLike, width: float, cm: float) -> None:
    outline = ribbon(spline(path, closed=False), max(width, 1.1 / chest.frame.scale))
    canvas += chest.frame.mask(outline) * np.float32(cm)


def _lead(chest: Chest, rng: np.random.Generator, canvas: np.ndarray) -> None:
    frame = chest.frame
    x, y = rng.uniform(-13, 13), rng.uniform(-9, 12)
    turn = np.linspace(0, 2 * np.pi, 16)
    canvas += frame.mask(np.column_stack([x + 0.65 * np.cos(turn), y + 0.65 * np.sin(turn)])) * np.float32(0.07)
    end = (rng.choice([-1, 1]) * rng.uniform(12, 22), rng.uniform(-20, -8))
    bend = ((x + end[0]) / 2 + rng.normal(0, 2.5), (y + end[1]) / 2 + rng.normal(0, 2.5))
    _wire(chest, canvas, [(x, y), bend, end], 0.18, 0.05)


def laterality_marker(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Burn the technician's L or R in a corner. It goes with no finding. Returns a new uint8 picture."""
    side = rng.random() < 0.75
    size = pixels.shape[0]
    x = int(size * (rng.uniform(0.86, 0.93) if side else rng.uniform(0.03, 0.08)))
    place = (x, int(size * rng.uniform(0.05, 0.12)))
    scale, grey, thick = size * rng.uniform(0.0013, 0.0022), int(rng.integers(200, 256)), 1 + size // 300
    text = "L" if side else "R"
    return cv2.putText(pixels.copy(), text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, grey, thick, cv2.LINE_AA)


def stamp(pixels: np.ndarray, letters: str) -> np.ndarray:
    """Burn the name of the house in the lower left corner, as a workstation does. Returns a new uint8 picture."""
    size = pixels.shape[0]
    place, scale, thick = (size // 40, size - size // 40), size * 0.0014, 1 + size // 300
    return cv2.putText(pixels.copy(), letters, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 230, thick, cv2.LINE_AA)


def plant_marker(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Burn a bright token in the upper left corner: a shortcut that has nothing to do with the chest.

    Looks like the letter P in a disc that some departments stick on portable pictures.

    Args:
        pixels: (h, w) uint8.
        rng: jitters place, size and brightness a little.

    Returns:
        A new (h, w) uint8 picture.

    Example:
        >>> bare = np.zeros((128, 128), np.uint8)
        >>> marked = plant_marker(bare, np.random.default_rng(0))
        >>> bool(marked.max() > 200), int(bare.max())
        (True, 0)
    """
    out = np.array(pixels, dtype=np.uint8, copy=True)
    side = min(out.shape[:2])
    radius = max(3, round(side * 0.055))
    x, y = (int(side * 0.10 + rng.uniform(-0.02, 0.02) * side) for _ in range(2))
    cv2.circle(out, (x, y), radius, int(rng.integers(225, 256)), -1, cv2.LINE_AA)
    thick = max(1, round(side / 110))
    low = (x - round(radius * 0.35), y + round(radius * 0.6))
    cv2.line(out, low, (low[0], y - round(radius * 0.6)), 30, thick, cv2.LINE_AA)
    bow = (x + round(radius * 0.05), y - round(radius * 0.2))
    return cv2.circle(out, bow, max(1, round(radius * 0.38)), 30, thick, cv2.LINE_AA)
