"""Makes docs/opening.png, the picture that opens the README, from figures saved in the executed lessons.

python docs/opening.py
"""

import base64
import json
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 1200
GAP = 16


def saved_figure(lesson: str, described: str) -> np.ndarray:
    """The first figure of a lesson whose alternative text holds `described`, as BGR pixels."""
    notebook = json.loads((ROOT / "solutions" / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            if described in alt:
                data = np.frombuffer(base64.b64decode(output["data"]["image/png"]), np.uint8)
                return cv2.imdecode(data, cv2.IMREAD_COLOR)
    raise SystemExit(f"solutions/{lesson}.ipynb has no figure described as {described!r}. Build it, or mend this name.")


def scaled(picture: np.ndarray, width: int) -> np.ndarray:
    """The picture at a width, in proportion."""
    return cv2.resize(picture, (width, round(len(picture) * width / picture.shape[1])), interpolation=cv2.INTER_AREA)


def stacked(*pictures: np.ndarray) -> np.ndarray:
    """Pictures of one width below each other, with a gap, on white."""
    gap = np.full((GAP, pictures[0].shape[1], 3), 255, np.uint8)
    return np.vstack([part for picture in pictures for part in (picture, gap)][:-1])


def opening() -> np.ndarray:
    """Findings above; below them transfer, heat maps, and what a leak does to an AUC."""
    findings = scaled(saved_figure("01_data_visualization", "14 radiographs"), WIDTH)
    size = scaled(saved_figure("04_transfer_learning", "over the number of training images"), 660)
    heat = saved_figure("06_grad_cam", "explained by the main network")
    heat = heat[: len(heat) // 2 - 10, : int(heat.shape[1] * 0.91)]  # the first row without the colour bar
    leak = saved_figure("02_leakage_check", "divided by image and by patient")
    right = stacked(*(scaled(picture, WIDTH - GAP - size.shape[1]) for picture in (heat, leak)))
    below = np.full((max(len(size), len(right)), WIDTH, 3), 255, np.uint8)
    below[: len(size), : size.shape[1]] = size
    below[: len(right), -right.shape[1] :] = right
    return stacked(findings[: len(findings) // 3], below)


if __name__ == "__main__":
    cv2.imwrite(str(Path(__file__).with_suffix(".png")), opening(), [cv2.IMWRITE_PNG_COMPRESSION, 9])
