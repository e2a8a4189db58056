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


def main() -> None:
    """Findings above; below them an evaluation, transfer and heat maps."""
    findings = scaled(saved_figure("01_data_visualization", "14 radiographs"), WIDTH)
    forest = scaled(saved_figure("05_auc_and_roc", "findings and their mean"), 560)
    heat = saved_figure("06_grad_cam", "the surest image of each common finding")
    heat = heat[: len(heat) // 2 - 10, : int(heat.shape[1] * 0.91)]  # the first row without the colour bar
    size = saved_figure("04_transfer_learning", "number of training images")
    right = stacked(*(scaled(picture, WIDTH - GAP - forest.shape[1]) for picture in (heat, size)))
    below = np.full((max(len(forest), len(right)), WIDTH, 3), 255, np.uint8)
    below[: len(forest), : forest.shape[1]] = forest
    below[: len(right), -right.shape[1] :] = right
    sheet = stacked(findings[: len(findings) // 3], below)
    cv2.imwrite(str(Path(__file__).with_suffix(".png")), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
