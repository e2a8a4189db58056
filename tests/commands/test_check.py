"""`cxr data check` and `cxr data describe`: what is said of a folder, for people and for programs."""

import json
import shutil

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from cxr_utils.commands import program
from cxr_utils.data.readers.description import from_toml
from cxr_utils.errors import CxrError


@pytest.fixture
def collection(tmp_path):
    """Course tables of 30 patients: one unknown and one uncertain label, a mask, a box of thumbnails, a lock."""
    rng = np.random.default_rng(0)
    for part, patients in (("train", range(20)), ("valid", range(20, 25)), ("test", range(25, 30))):
        rows = ["Image,PatientId,Mass,Pleural Effusion,Age,Sex"]
        for n in patients:
            effusion = {3: "", 4: "-1"}.get(n, str(n % 3 // 2))
            rows.append(f"{n:08}_000.png,{n},{n % 2},{effusion},{30 + n}Y,{'FM'[n % 2]}")
            (tmp_path / "images").mkdir(exist_ok=True)
            pixels = rng.integers(0, 256, (32, 32), dtype=np.uint8)
            assert cv2.imwrite(str(tmp_path / "images" / f"{n:08}_000.png"), pixels)
        (tmp_path / f"{part}.csv").write_text("\n".join(rows))
    for name in ("masks/00000001_000.png", "thumbnails/00000001_000.png", "~$train.xlsx", "images/unnamed.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(tmp_path / "images" / "00000001_000.png", tmp_path / name)
    return tmp_path


def cxr(*words):
    found = CliRunner().invoke(program.app(), [str(word) for word in words])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout


def test_everything_is_told_to_a_program(collection):
    status, out = cxr("data", "check", collection, "--json")
    told = json.loads(out)
    assert status == 0 and told["problems"] == [] and told["unreadable"] == []
    assert (told["reader"], told["images"], told["files"], told["patients"]) == ("course", 30, 30, 30)
    assert told["parts"] == {"train": 20, "valid": 5, "test": 5}
    assert told["findings"] == {"Effusion": 10, "Mass": 15}
    assert told["labels"]["Effusion"] == {"positive": 10, "negative": 18, "unknown": 2}
    assert told["labels"]["Mass"] == {"positive": 15, "negative": 15, "unknown": 0}
    assert told["age"] == {"known": 30, "least": 30, "middle": 44.5, "greatest": 59} and told["sex"] == {
        "F": 15,
        "M": 15,
    }
    assert (told["boxes"], told["masks"], told["leaks"], told["same_pictures"]) == (0, 1, [], [])
    assert told["passed_over"] == {"locks of office programs": 1, "thumbnails": 1}
    notes = " ".join(told["notes"])
    assert (
        "Pleural Effusion as Effusion" in notes and "1 labels of train.csv, valid.csv, test.csv are uncertain" in notes
    )
    assert "1 pictures are in no row" in notes


@pytest.mark.parametrize(("policy", "counts"), [("positive", (11, 18, 1)), ("negative", (10, 19, 1))])
def test_uncertain_labels_are_what_one_asks_for(collection, policy, counts):
    told = json.loads(cxr("data", "check", collection, "--json", "--uncertain", policy)[1])
    assert tuple(told["labels"]["Effusion"].values()) == counts


def test_the_same_is_told_to_people(collection):
    status, out = cxr("data", "check", collection)
    lines = out.splitlines()
    assert status == 0 and lines[0] == f"{collection.name}: read as course, from {collection}"
    assert lines[1] == "images: 30 of 30 patients (train 20, valid 5, test 5); 30 have a file"
    assert [line.split() for line in lines if line.startswith("Effusion")] == [["Effusion", "10", "18", "2"]]
    assert "age: known 30, least 30, middle 44.5, greatest 59" in lines and "sex: F 15, M 15" in lines
    assert "passed over: 1 thumbnails" in lines and "images: 30 of 30 files read well" in lines


def test_what_would_make_a_lesson_wrong_ends_with_1(collection):
    images = collection / "images"
    shutil.copyfile(images / "00000002_000.png", images / "00000027_000.png")  # a picture of train under a name of test
    (images / "00000005_000.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    status, out = cxr("data", "check", collection, "--json")
    told = json.loads(out)
    assert status == 1 and told["problems"] == [
        "1 images cannot be read", "1 pictures are in two parts under two names, byte for byte",
    ]  # fmt: skip
    (pair,) = told["same_pictures"]
    assert (pair["first"], pair["second"], pair["identical"]) == ("00000002_000.png", "00000027_000.png", True)
    assert len(told["unreadable"]) == 1 and "00000005_000.png" in told["unreadable"][0]
    status, out = cxr("data", "check", collection)
    assert status == 1 and "same file: 00000002_000.png (train), 00000027_000.png (test)" in out.splitlines()


def test_an_empty_part_and_absent_files_are_problems(collection):
    shutil.rmtree(collection / "images")
    shutil.rmtree(collection / "masks")
    told = json.loads(cxr("data", "check", collection, "--json")[1])
    assert told["problems"] == ["not one image file is there"] and told["files"] == 0


def test_the_sheet_shows_labels_and_pictures(collection, tmp_path):
    status, out = cxr("data", "check", collection, "--sheet", tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert status == 0 and f"sheet: {tmp_path / 'sheet.png'}" in out
    assert sheet.shape == (284, 6 * 240, 3)  # two with each finding, two with none, and a line of text below each
    first = cv2.resize(cv2.imread(str(collection / "images" / "00000002_000.png"), 0), (240, 240))
    assert np.abs(sheet[:240, :240, 0].astype(int) - first).mean() < 12 and sheet[244:, :240].max() > 200
    for place in (tmp_path / "nowhere" / "sheet.png", tmp_path):
        with pytest.raises(CxrError, match="could not be written"):
            cxr("data", "check", collection, "--sheet", place)


def test_a_first_guess_is_written_once(collection):
    status, out = cxr("data", "describe", collection)
    how = from_toml((collection / "dataset.toml").read_text(), "it")
    assert status == 0 and "first guess" in out
    assert (how.image, how.patient, how.labels) == ("Image", "PatientId", ("Mass", "Pleural Effusion"))
    assert how.tables == {"train.csv": "train", "valid.csv": "valid", "test.csv": "test"}
    assert json.loads(cxr("data", "check", collection, "--json")[1])["reader"] == "dataset.toml"
    with pytest.raises(CxrError, match="dataset.toml is there already"):
        cxr("data", "describe", collection)


def test_nothing_can_be_described_without_a_table(tmp_path):
    (tmp_path / "1.png").touch()
    with pytest.raises(CxrError, match="holds no table. Expected a csv or tsv"):
        cxr("data", "describe", tmp_path)
