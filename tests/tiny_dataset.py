"""A data set so small and so easy that a network learns it in seconds: two findings that are two squares."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files


def tiny_dataset(folder: Path, images: int = 60, side: int = 48, again: bool = True) -> Dataset:
    """Noise with a bright square above left for a mass, a dark one below right for a nodule."""
    rng = np.random.default_rng(0)
    labels = (rng.random((images, 2)) < 0.5).astype(np.int8)
    files = {}
    folder.mkdir(parents=True, exist_ok=True)
    for number, (mass, nodule) in enumerate(labels):
        pixels = rng.normal(120, 20, (side, side))
        pixels[6:18, 6:18] += 90 * mass
        pixels[28:42, 24:44] -= 90 * nodule
        files[f"{number:04}.png"] = str(folder / f"{number:04}.png")
        if again or not Path(files[f"{number:04}.png"]).exists():  # a file written again is another file to a cache
            cv2.imwrite(files[f"{number:04}.png"], np.clip(pixels, 0, 255).astype(np.uint8))
    split = np.repeat(["train", "valid", "test"], [images * 6 // 10, images * 2 // 10, images - images * 8 // 10])
    columns = {"image": list(files), "patient": [str(number // 2) for number in range(images)], "split": split}
    table = pd.DataFrame({**columns, "Mass": labels[:, 0], "Nodule": labels[:, 1]})
    boxes = pd.DataFrame(columns=["image", "finding", "x", "y", "width", "height"])
    return Dataset("tiny", "folders", folder, table, ("Mass", "Nodule"), boxes, None, Files(files))
