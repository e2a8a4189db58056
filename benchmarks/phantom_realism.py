"""How like real radiographs the phantom is, in numbers. Run: python benchmarks/phantom_realism.py [--sheet out.png]

The default cohort beside the 599 real NIH images (CXR_REAL_DATA or ../shared/real), all at 256 pixels by the one path
of `cxr_utils.data.images`, none left out. Printed with the bars that issue 3 sets:
- slope of the radial power spectrum: a line through log power over log frequency, between 4 and 80 cycles an image in
  equal steps of log frequency, of the image times a Hann window; the mean over images;
- correlation of the two mean images, over their pixels;
- overlap of two distributions: the area that two histograms of 20 bins have in common. Of the mean grey value, of its
  standard deviation (contrast), and of the share of the picture that is lung field (see `lung_field`).
`--sheet` draws simulated pictures beside real ones. Keep that file out of the repository: half of it is not ours.
"""

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
from simulated import cohort_folder

from cxr_utils.data import pixelstore
from cxr_utils.data.opening import open_dataset

REAL = Path(os.environ.get("CXR_REAL_DATA", Path(__file__).parents[2] / "shared" / "real")) / "nih"
SIZE = 256
BAND = (4, 80)  # cycles an image; the real ones come reduced to 320 pixels, which blurs the finest
BINS = 20


def power_slope(pixels: np.ndarray) -> float:
    """Mean slope of log power over log frequency, of (images, side, side)."""
    side = pixels.shape[1]
    window = np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)
    cycles = np.hypot(*np.meshgrid(np.fft.fftfreq(side, 1 / side), np.fft.rfftfreq(side, 1 / side), indexing="ij"))
    edges = np.geomspace(*BAND, 17)
    ring = np.digitize(cycles, edges).ravel()
    inside = (ring > 0) & (ring < len(edges))
    counts = np.bincount(ring[inside])[1:]
    logs = np.zeros(len(counts))
    for picture in pixels:
        waves = np.fft.rfft2((picture - picture.mean(dtype=np.float64)) * window)
        power = np.bincount(ring[inside], (np.abs(waves) ** 2).ravel()[inside])[1:] / counts
        logs += np.log(power + 1e-6) / len(pixels)  # a picture of one grey has no power
    return float(np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), logs, 1)[0])


def lung_field(picture: np.ndarray) -> np.ndarray:
    """Which pixels are lung, by one plain rule for simulated and real alike, right for most pictures and not for all.

    Smoothed a little, then darker than the same picture smoothed over a sixth of its side; without the air around the
    body, which is what is dark along a row without a break from the left or right edge on; opened by 9 x 9 pixels (at
    256); of the rest the two largest connected pieces.

    Args:
        picture: uint8 (side, side).

    Returns:
        bool (side, side).
    """
    side = len(picture)
    smooth, wide = (cv2.GaussianBlur(picture.astype(np.float32), (0, 0), side / share) for share in (85, 6))
    dark = smooth < wide
    left = np.logical_and.accumulate(dark, axis=1)
    right = np.logical_and.accumulate(dark[:, ::-1], axis=1)[:, ::-1]
    inner = cv2.morphologyEx((dark & ~left & ~right).astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    _, pieces, sizes, _ = cv2.connectedComponentsWithStats(inner)
    largest = np.argsort(-sizes[1:, cv2.CC_STAT_AREA])[:2] + 1
    return np.isin(pieces, largest)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Area that the histograms of two samples have in common: 1 for equal, 0 for apart."""
    edges = np.histogram_bin_edges(np.r_[first, second], BINS)
    shares = [np.histogram(values, edges)[0] / len(values) for values in (first, second)]
    return float(np.minimum(*shares).sum())


def measured(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """One number an image: mean, contrast and share of lung field."""
    field = np.array([lung_field(picture).mean() for picture in pixels])
    return {"mean grey value": pixels.mean((1, 2)), "contrast": pixels.std((1, 2)), "lung field": field}


def sheet(simulated: np.ndarray, real: np.ndarray, path: Path) -> None:
    """Six rows of ten pictures, simulated and real in turn, drawn at random."""
    columns, rows, tile = 10, 6, 192
    rng = np.random.default_rng(0)
    parts = [pixels[rng.choice(len(pixels), columns * rows // 2, replace=False)] for pixels in (simulated, real)]
    lines = []
    for row in range(rows):
        chosen = parts[row % 2][row // 2 * columns : (row // 2 + 1) * columns]
        lines.append(np.hstack([cv2.resize(picture, (tile, tile), interpolation=cv2.INTER_AREA) for picture in chosen]))
        cv2.putText(lines[-1], ("simulated", "real")[row % 2], (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255)
    if not cv2.imwrite(str(path), np.vstack(lines)):
        raise SystemExit(f"{path} could not be written. Expected a name ending in .png in a folder that exists.")


def main() -> int:
    """Measure and print; returns 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheet", type=Path, help="PNG to draw simulated beside real; not into the repository")
    asked = parser.parse_args()
    if not (REAL / "images").is_dir():
        print(f"No real X-rays at {REAL}. Set CXR_REAL_DATA to the folder that holds nih/images.")
        return 0
    simulated = pixelstore.pixels(open_dataset(cohort_folder(1400, SIZE, 0)), SIZE)
    real = pixelstore.pixels(open_dataset(REAL).with_images(), SIZE)
    print(f"{len(simulated):,} simulated and {len(real):,} real pictures of {SIZE} pixels")
    slopes = [power_slope(pixels) for pixels in (simulated, real)]
    alike = np.corrcoef(simulated.mean(0).ravel(), real.mean(0).ravel())[0, 1]
    print(f"{'':<28}{'simulated':>12}{'real':>12}{'compared':>12}")
    held = [_line("slope of the power spectrum", *slopes, abs(slopes[0] - slopes[1]), 0.3, at_most=True)]
    held.append(_line("correlation of mean images", np.nan, np.nan, alike, 0.85))
    ours, theirs = measured(simulated), measured(real)
    for name, values in ours.items():
        shared = overlap(values, theirs[name])
        held.append(_line(f"overlap of {name}", values.mean(), theirs[name].mean(), shared, 0.5))
    if asked.sheet:
        sheet(simulated, real, asked.sheet)
    return 0 if all(held) else 1


def _line(name: str, ours: float, theirs: float, value: float, bar: float, at_most: bool = False) -> bool:
    met = bool(value <= bar if at_most else value >= bar)
    sides = "".join(" " * 12 if np.isnan(side) else f"{side:12.3f}" for side in (ours, theirs))
    limit = f"{'at most' if at_most else 'at least'} {bar:g}"
    print(f"{name:<28}{sides}{value:12.3f}   {limit:<14} {'held' if met else 'MISSED'}")
    return met


if __name__ == "__main__":
    raise SystemExit(main())
