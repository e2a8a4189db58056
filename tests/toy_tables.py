"""Image tables written as words: one letter an image."""

import pandas as pd

_PARTS = {"t": "train", "v": "valid", "e": "test"}


def rows_of(parts: str, patients: str, **columns: list) -> pd.DataFrame:
    """A table of images a.png, b.png ...; parts as t, v and e for test, patients by one letter each."""
    images = [f"{chr(97 + number)}.png" for number in range(len(parts))]
    split = [_PARTS[part] for part in parts]
    return pd.DataFrame({"image": images, "patient": list(patients), "split": split, **columns})
