"""Drawing in centimetres: outlines, ribbons and random fields on a picture's grid.

Anatomy is written in centimetres (x to the right of the picture, which is the patient's left; y downwards; the
origin in the midline at the height of the carina). A `Frame` knows how those centimetres fall on pixels.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import ArrayLike

LATTICE_CM = 56.0  # random fields cover a square of this side, centred on the origin
_SHIFT = 4  # OpenCV polygons carry this many fractional bits

#: Rows and columns of a part of a picture.
Part = tuple[slice, slice]
WHOLE: Part = (slice(None), slice(None))


@dataclass
class Frame:
    """How centimetres fall on pixels.

    Args:
        size: side of the square picture in pixels.
        field_cm: side of the picture in centimetres at the patient.
        centre: the point (x, y) in cm that falls on the middle of the picture.
        tilt: rotation of the patient in the picture plane, degrees.

    Example:
        >>> frame = Frame(size=80, field_cm=40.0)
        >>> frame.to_pixels([[0.0, 0.0], [10.0, 0.0]]).tolist()
        [[40.0, 40.0], [60.0, 40.0]]
    """

    size: int
    field_cm: float
    centre: tuple[float, float] = (0.0, 0.0)
    tilt: float = 0.0
    scale: float = field(init=False)
    matrix: np.ndarray = field(init=False)
    x: np.ndarray = field(init=False)
    y: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Work out the affine map and the centimetre coordinates of every pixel."""
        self.scale = float(self.size / self.field_cm)  # pixels per cm
        angle = np.deg2rad(self.tilt)
        turn = self.scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        offset = self.size / 2 - turn @ np.asarray(self.centre)
        self.matrix = np.column_stack([turn, offset])
        inverse = cv2.invertAffineTransform(self.matrix).astype(np.float32)
        step = np.arange(self.size, dtype=np.float32)
        self.x = inverse[0, 0] * step[None, :] + inverse[0, 1] * step[:, None] + inverse[0, 2]
        self.y = inverse[1, 0] * step[None, :] + inverse[1, 1] * step[:, None] + inverse[1, 2]

    def to_pixels(self, points: ArrayLike) -> np.ndarray:
        """Points (..., 2) in cm to points in pixels."""
        return np.asarray(points, dtype=np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def around(self, points: ArrayLike) -> Part:
        """Rows and columns of the part of the picture that holds all that these points (n, 2) in cm enclose."""
        pixels = self.to_pixels(points)
        low = np.clip(np.floor(pixels.min(axis=0)).astype(int) - 2, 0, self.size)
        high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 3, 0, self.size)
        return slice(low[1], high[1]), slice(low[0], high[0])

    def around_box(self, x: float, y: float, half_width: float, half_height: float) -> Part:
        """Rows and columns of the part of the picture that holds a box around a point, all in cm."""
        return self.around([(x + dx, y + dy) for dx in (-half_width, half_width) for dy in (-half_height, half_height)])

    def canvas(self) -> np.ndarray:
        """An empty 8-bit picture to draw on; OpenCV draws smooth edges on 8 bits only."""
        return np.zeros((self.size, self.size), np.uint8)

    def fill(self, canvas: np.ndarray, outline: np.ndarray, value: int = 255) -> np.ndarray:
        """Fill one closed outline (n, 2) in cm with a value of 0 to 255, in place."""
        return self.stack(canvas, [(outline[None], value)])

    def stack(self, canvas: np.ndarray, layers: list[tuple[np.ndarray, int]]) -> np.ndarray:
        """Fill bodies that lie over each other: all layers of the first, then all of the second, in place.

        Each layer is the closed outlines of all bodies, (bodies, n, 2) in cm, and the value to fill them with.
        """
        points = [((self.to_pixels(outlines) * 2**_SHIFT).astype(np.int32), int(value)) for outlines, value in layers]
        for body in range(len(layers[0][0])):
            for outlines, value in points:
                cv2.fillPoly(canvas, [outlines[body]], value, cv2.LINE_AA, _SHIFT)
        return canvas

    def lines(self, canvas: np.ndarray, paths: ArrayLike, value: int, width_cm: float) -> np.ndarray:
        """Draw open paths, an array (paths, n, 2) in cm, with one width, in place."""
        zoom = canvas.shape[0] / self.size
        points = list((self.to_pixels(paths) * (zoom * 2**_SHIFT)).astype(np.int32))
        width = max(1, round(width_cm * self.scale * zoom))
        return cv2.polylines(canvas, points, False, int(value), width, cv2.LINE_AA, _SHIFT)

    def mask(self, outline: np.ndarray) -> np.ndarray:
        """The inside of an outline as float32 from 0 to 1 with smooth edges."""
        return self.fill(self.canvas(), outline).astype(np.float32) * np.float32(1 / 255)

    def blur(self, picture: np.ndarray, sigma_cm: float) -> np.ndarray:
        """Gaussian blur; wide ones are done on a smaller picture, where nothing is lost."""
        sigma = sigma_cm * self.scale
        if sigma < 4:
            return cv2.GaussianBlur(picture, (0, 0), sigma)
        step = 2 if sigma < 10 else 4
        small = cv2.resize(picture, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_REPLICATE)
        return cv2.resize(small, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)

    def depth(self, mask: np.ndarray) -> np.ndarray:
        """Distance of every inner pixel from the outline, in cm."""
        return cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5) * np.float32(1 / self.scale)

    def rounded(
        self, mask: np.ndarray, depth: np.ndarray, radius: float, blur_cm: float, here: Part = WHOLE
    ) -> np.ndarray:
        """Thickness (0 to 1) of a body with round edges.

        Args:
            mask: of `mask`.
            depth: of `depth`.
            radius: of the edges in cm.
            blur_cm: how far the edges are smoothed.
            here: of `around`, the part of the picture that is wanted.

        Returns:
            float32, as large as `here`.
        """
        thickness = np.zeros_like(mask)
        thickness[here] = dome(depth[here], radius)
        return self.blur(thickness, blur_cm)[here] * mask[here]

    def field(self, rng: np.random.Generator, cell_cm: float) -> np.ndarray:
        """A smooth random field, mean 0 and deviation about 1, that moves with the body.

        The same generator state gives the same field in the body whatever the size and framing of the picture.
        """
        cells = int(LATTICE_CM / cell_cm)
        lattice = rng.standard_normal((cells, cells), dtype=np.float32)
        to_lattice = np.array([[1 / cell_cm, 0, cells / 2], [0, 1 / cell_cm, cells / 2]])
        inverse = cv2.invertAffineTransform(self.matrix)
        pixels_to_lattice = to_lattice[:, :2] @ np.column_stack([inverse[:, :2], inverse[:, 2]])
        pixels_to_lattice[:, 2] += to_lattice[:, 2]
        shape, flags = (self.size, self.size), cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        smooth = cv2.warpAffine(lattice, pixels_to_lattice, shape, flags=flags, borderMode=cv2.BORDER_REFLECT)
        return smooth * np.float32(1.2)


def smooth_step(values: np.ndarray, width: float) -> np.ndarray:
    """Rise from 0 (at minus width) to 1 (at plus width), as a cubic.

    Example:
        >>> smooth_step(np.float32([-2, 0, 2]), 1.0).tolist()
        [0.0, 0.5, 1.0]
    """
    t = values * np.float32(0.5 / width)
    t += np.float32(0.5)
    np.clip(t, 0, 1, out=t)
    rise = t * -2
    rise += 3
    t *= t
    t *= rise
    return t


def dome(depth: np.ndarray, radius: float) -> np.ndarray:
    """Thickness (0 to 1) of a body with round edges of this radius, at a depth inside its outline."""
    t = 1 - np.clip(depth * np.float32(1 / radius), 0, 1)
    return np.sqrt(np.maximum(1 - t * t, 0))


def spline(points: ArrayLike, per_segment: int = 6, closed: bool = True) -> np.ndarray:
    """A Catmull-Rom curve through control points.

    Args:
        points: (..., n, 2), one curve or many.
        per_segment: points drawn from one control point to the next.
        closed: join the last control point to the first.

    Returns:
        (..., m, 2), passing through every control point.

    Example:
        >>> spline([[0, 0], [1, 0], [2, 0]], per_segment=2, closed=False)[:, 0].tolist()
        [0.0, 0.4375, 1.0, 1.5625, 2.0]
    """
    p = np.asarray(points, dtype=np.float64)
    ends = (p[..., -1:, :], p[..., :2, :]) if closed else (p[..., :1, :], p[..., -1:, :])
    p = np.concatenate([ends[0], p, ends[1]], axis=-2)
    t = (np.arange(per_segment) / per_segment)[:, None]
    p0, p1, p2, p3 = (p[..., i : p.shape[-2] - 3 + i, None, :] for i in range(4))
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    curve = curve.reshape(*p.shape[:-2], -1, 2)
    return curve if closed else np.concatenate([curve, p[..., -2:-1, :]], axis=-2)


def ribbon(path: np.ndarray, width: ArrayLike) -> np.ndarray:
    """The outline of a band of a width (a number, or one a point) around a path (..., n, 2), one or many."""
    after = np.concatenate([path[..., 1:, :], path[..., -1:, :]], axis=-2)
    before = np.concatenate([path[..., :1, :], path[..., :-1, :]], axis=-2)
    along = after - before
    half = np.asarray(width) / (2 * np.sqrt((along * along).sum(-1)) + 1e-9)
    across = along[..., ::-1] * half[..., None] * (-1.0, 1.0)
    return np.concatenate([path + across, (path - across)[..., ::-1, :]], axis=-2)
