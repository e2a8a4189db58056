"""Data sets of a few rows, with and without files, for tests that work cases out by hand."""

import shutil
import zlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from toy_tables import rows_of

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.dicom import write_dicom
from cxr_utils.data.readers.files import Files

CASES = Path(__file__).parents[1] / "cases"
BOXES = ("image", "finding", "x", "y", "width", "height")


@pytest.fixture
def make():
    """Make a data set of a table: findings are the columns that begin with a capital letter."""

    def make(table: pd.DataFrame, boxes: list | None = None, **changes) -> Dataset:
        findings = tuple(name for name in table if name[0].isupper())
        framed = pd.DataFrame() if boxes is None else pd.DataFrame(boxes, columns=list(BOXES))
        given = {"name": "toy", "kind": "folders", "root": Path("."), "published": None, "files": Files({})}
        return Dataset(table=table, findings=findings, boxes=framed, **(given | changes))

    return make


@pytest.fixture
def with_files(make, tmp_path, monkeypatch):
    """Twelve different pictures of 20 x 16 pixels on disk, ten of train and one each of valid and test; own cache."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "images"
    folder.mkdir()
    table = rows_of("ttttttttttve", "aabbccddeefg", Mass=[0, 1] * 6, Edema=[0, 0, 1] * 4)
    rng = np.random.default_rng(0)
    for name in table["image"]:
        cv2.imwrite(str(folder / name), rng.integers(0, 256, (20, 16), dtype=np.uint8))
    return make(table, root=folder, files=Files({name: str(folder / name) for name in table["image"]}))


@pytest.fixture(scope="session")
def cases(tmp_path_factory):
    """A copy of `tests/cases` with the pictures that `pictures.tsv` lists, each of noise of its own.

    Its columns are path, width, height, and the path of which one is a copy.
    """
    root = tmp_path_factory.mktemp("cases") / "cases"
    shutil.copytree(CASES, root)
    for line in (CASES / "pictures.tsv").read_text(encoding="utf-8").splitlines():
        name, width, height, original = line.split("\t")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if original:
            shutil.copyfile(root / original, root / name)
            continue
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        pixels = rng.integers(0, 256, (int(height), int(width)), dtype=np.uint8)
        if name.endswith((".dcm", ".dicom")):
            write_dicom(root / name, pixels)
        else:
            assert cv2.imwrite(str(root / name), pixels)
    return root
