"""Folders and tables in spellings and places that no case holds: read right, told, or refused."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxr_utils.data.leakage import read_split_table
from cxr_utils.data.opening import look_into
from cxr_utils.data.readers.values import labels_in_cells, labels_in_columns
from cxr_utils.data.schema import is_healthy
from cxr_utils.errors import DataError

NIH = "Image Index,Finding Labels,Follow-up #,Patient ID\n"


def pictures(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8), dtype=np.uint8)
        path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return root


def nih(root: Path, labels: tuple[str, ...] = ("Mass", "No Finding")) -> Path:
    names = [f"{patient:08d}_000.png" for patient in range(1, 21)]
    rows = [f'{name},"{labels[n % len(labels)]}",0,{n + 1}' for n, name in enumerate(names)]
    pictures(root, *(f"images/{name}" for name in names))
    (root / "Data_Entry_2017.csv").write_text(NIH + "\n".join(rows))
    return root


def classes(root: Path, *folders: str) -> Path:
    """Six pictures in each folder, no two of one name."""
    return pictures(root, *(f"{folder}/{place}{n}.png" for place, folder in enumerate(folders) for n in range(6)))


@pytest.mark.parametrize(
    "word", ["[]", "No acute findings", "no abnormality detected", "None detected", "No findings.", "WNL", "no disease"]
)
def test_healthy_in_any_words(word):
    assert is_healthy(word)


@pytest.mark.parametrize("word", ["No", "No.", "No_Mass", "not normal", "without mask", "Acute disease"])
def test_words_that_are_not_healthy(word):
    assert not is_healthy(word)


@pytest.mark.parametrize(
    "cell", ["['Mass', 'Edema']", "Mass/Edema", "Mass + Edema", "Mass & Edema", "mass and oedema", "Mass Edema"]
)
def test_labels_of_a_cell_are_taken_apart_whatever_stands_between(cell):
    labels, findings = labels_in_cells(pd.Series([cell, "Nodule/Mass"]), "|,")
    assert findings == ("Mass", "Edema", "Nodule/Mass") and labels.to_numpy().tolist() == [[1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("cell", ["0", "-1", "uncertain"])
def test_a_cell_of_labels_that_names_no_finding_is_refused(cell):
    with pytest.raises(DataError, match=f"holds '{cell}'. Expected names of findings"):
        labels_in_cells(pd.Series(["Mass", cell]))


def test_a_table_with_only_a_header_is_refused(tmp_path):
    (nih(tmp_path) / "Data_Entry_2017.csv").write_text(NIH)
    with pytest.raises(DataError, match="has no rows"):
        look_into(tmp_path)


def test_two_columns_of_one_name_are_one_finding_and_a_row_that_contradicts_itself_is_told():
    table = pd.DataFrame({"Mass": [1, 0, 0], "Mass.1": [1, 1, 0], "No Finding": [1, 0, 1]})
    labels, findings, notes = labels_in_columns(table, list(table), "t.csv")
    assert findings == ("Mass",) and labels["Mass"].tolist() == [1, 1, 0]
    assert "two columns name Mass; where they differ (1 rows), it counts as present." in notes
    assert "1 rows of t.csv are healthy by one column and not by another; the finding counts." in notes


@pytest.mark.parametrize(
    "name",
    ["NIH_test_list.txt", "test list.txt", "test_list.csv", "test.txt", "lists/test_list.txt", "Test-List-1.TXT"],
)
def test_official_lists_are_found_under_other_names(tmp_path, name):
    path = nih(tmp_path) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("00000003_000.png\n00000004_000.png\n00000007_000.png\n00000008_000.png\n00000011_000.png\n")
    table = look_into(tmp_path)[0].table
    assert set(table["patient"][table["split"] == "test"]) == {"3", "4", "7", "8", "11"}


def test_a_row_of_nih_that_is_repeated_counts_once(tmp_path):
    table = nih(tmp_path) / "Data_Entry_2017.csv"
    table.write_text(table.read_text() + "\n" + table.read_text().splitlines()[1])
    assert len(look_into(tmp_path)[0]) == 20


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Image Index,Finding Label,x,y,w,h", "00000001_000.png,Mass,256,512,128,256"),
        ("Finding Label,Image Index,x,y,w,h", "Mass,00000001_000.png,256,512,128,256"),
        ("Image Index,Finding Label,x1,y1,x2,y2", "00000001_000.png,Mass,256,512,384,768"),
        ("Image Index,Finding Label,xmin,ymin,xmax,ymax", "00000001_000.png,Mass,256,512,384,768"),
    ],
)
def test_boxes_in_other_columns(tmp_path, header, row):
    outside = row.replace("256,", "1000,", 1).replace("384", "1200")
    folder = nih(tmp_path) / "meta"
    folder.mkdir()
    (folder / "bbox_list_2017.csv").write_text(f"{header}\n{row}\n{outside}\n")
    dataset, _, notes = look_into(tmp_path)
    assert dataset.boxes.to_numpy().tolist() == [["00000001_000.png", "Mass", 0.25, 0.5, 0.125, 0.25]]
    assert any(note.startswith("1 of 2 boxes are left out") for note in notes)


@pytest.mark.parametrize(
    "parts", [("xray_train", "xray_val", "xray_test"), ("train.v2", "valset_full", "stage_2_test")]
)
def test_a_word_of_a_folders_name_tells_its_part(tmp_path, parts):
    classes(tmp_path, *(f"{part}/{name}" for part in parts for name in ("NORMAL", "PNEUMONIA")))
    dataset = look_into(tmp_path)[0]
    assert dataset.findings == ("Pneumonia",)
    assert dataset.table["split"].value_counts().to_dict() == {"train": 12, "valid": 12, "test": 12}


def test_folders_that_are_neither_part_nor_class_are_told(tmp_path):
    classes(tmp_path, "entrenamiento/NORMAL", "entrenamiento/Mass", "prueba/NORMAL", "prueba/Mass")
    notes = look_into(tmp_path)[2]
    assert "the folders entrenamiento, prueba are taken for neither a part nor a class." in notes


def test_pictures_beside_the_parts_are_told_and_a_class_that_is_only_there_is_refused(tmp_path):
    classes(tmp_path, "train/NORMAL", "train/Mass", "test/NORMAL", "test/Mass", "eval/NORMAL", "eval/Mass")
    dataset, _, notes = look_into(tmp_path)
    assert dataset.findings == ("Mass",)
    assert "12 pictures lie in no part (such as eval/Mass/50.png); they count as train." in notes
    pictures(tmp_path, "docs/figure.png")
    with pytest.raises(DataError, match="docs in .* are folders of no part and of no class in one"):
        look_into(tmp_path)


@pytest.mark.parametrize(
    "names", [("2019-01-11", "2019-02-11", "2019-03-11"), ("-1", "0", "1"), ("1000001", "1000002", "1000003")]
)
def test_folders_without_a_letter_are_no_classes(tmp_path, names):
    with pytest.raises(DataError, match="Expected names of findings, or 0 and 1"):
        look_into(classes(tmp_path, *names))


def test_views_are_no_classes(tmp_path):
    with pytest.raises(DataError, match="none of the known layouts"):
        look_into(classes(tmp_path, "PA", "AP"))


@pytest.mark.parametrize(
    ("negative", "positive"),
    [("NORMAL", "NOT_NORMAL"), ("Pneumonia_no", "Pneumonia_yes"), ("tb=0", "tb=1"), ("negative_tb", "positive_tb")],
)
def test_the_class_that_lacks_the_finding_is_negative(tmp_path, negative, positive):
    table = look_into(classes(tmp_path, negative, positive))[0].table
    labels = table.set_index("image").iloc[:, -1]
    assert labels.groupby(labels.index.str.split("/").str[0]).first().to_dict() == {negative: 0, positive: 1}


def test_what_disks_and_recycle_bins_leave_is_passed_over(tmp_path):
    folder = look_into(classes(tmp_path, "NORMAL", "Mass", "NORMAL/@eaDir", "$RECYCLE.BIN"))[1]
    assert len(folder.images) == 12 and folder.passed_over == {"hidden files": 2}


def test_the_kinds_that_cannot_be_read_are_named(tmp_path):
    for name in ("NORMAL/a.tif", "Mass/b.tif"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="0 images, 2 .tif files below"):
        look_into(tmp_path)


def test_names_match_however_a_letter_is_composed(tmp_path):
    pictures(tmp_path, *(f"a/Ro\u0308ntgen{n}.png" for n in range(12)))
    rows = [f"R\u00f6ntgen{n}.png,{n % 2}" for n in range(12)]
    (tmp_path / "labels.csv").write_text("image,Mass\n" + "\n".join(rows), encoding="utf-8")
    assert len(look_into(tmp_path)[0].files) == 12


def test_tables_of_one_name_in_the_folders_of_the_parts(tmp_path):
    for place, part in enumerate(("train", "val", "test")):
        pictures(tmp_path, *(f"{part}/{place}{n}.png" for n in range(6)))
        rows = [f"{place}{n}.png,{n % 2}" for n in range(6)]
        (tmp_path / part / "labels.csv").write_text("image,Mass\n" + "\n".join(rows))
    dataset = look_into(tmp_path)[0]
    assert dataset.table["split"].value_counts().to_dict() == {"train": 6, "valid": 6, "test": 6}
    (tmp_path / "test" / "labels.csv").rename(tmp_path / "labels.csv")
    with pytest.raises(DataError, match="could each describe the pictures"):
        look_into(tmp_path)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("image, Mass , patient", "{n}.png, {m}, {n}"),
        ("image_id,filename,Mass", "a{n},{n}.png,{m}"),
        ("image id,where,Mass", "x{n},set/{n}.jpg,{m}"),
    ],
)
def test_the_column_that_names_pictures_is_found(tmp_path, header, row):
    pictures(tmp_path, *(f"set/{n}.png" for n in range(12)))
    rows = [row.format(n=n, m=n % 2) for n in range(12)]
    (tmp_path / "labels.csv").write_text(header + "\n" + "\n".join(rows))
    (tmp_path / "classes.csv").write_text("id,name\n0,normal\n1,Mass\n")
    dataset = look_into(tmp_path)[0]
    assert len(dataset.files) == 12 and dataset.table["Mass"].sum() == 6


def test_a_table_that_names_no_finding_is_refused(tmp_path):
    pictures(tmp_path, *(f"{n}.png" for n in range(12)))
    (tmp_path / "t.csv").write_text("image,No Finding\n" + "\n".join(f"{n}.png,{n % 2}" for n in range(12)))
    with pytest.raises(DataError, match="No label of .* is a finding"):
        look_into(tmp_path)


def described(root: Path, text: bytes) -> Path:
    pictures(root, *(f"{n}.png" for n in range(12)))
    rows = [f"{n}.png,{'YES' if n % 2 else 'NO'},{'YES' if n == 0 else 'NO'}" for n in range(12)]
    (root / "t.csv").write_text("file,a,b\n" + "\n".join(rows))
    (root / "dataset.toml").write_bytes(text)
    return root


def test_a_description_with_a_mark_capital_words_and_two_columns_of_one_finding(tmp_path):
    text = 'tables = ["t.csv"]\nimage = "file"\nlabels = ["a", "b"]\npositive = ["YES"]\nnegative = ["NO"]\n'
    text += '[names]\na = "Mass"\nb = "Mass"\n'
    dataset, _, notes = look_into(described(tmp_path, b"\xef\xbb\xbf" + text.encode()))
    assert dataset.findings == ("Mass",) and dataset.table["Mass"].sum() == 7
    assert any(note.startswith("two columns name Mass; where they differ (7 rows)") for note in notes)


def test_a_description_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(DataError, match="dataset.toml cannot be read .* Expected a text in UTF-8"):
        look_into(described(tmp_path, "# f\u00fcr".encode("latin-1")))


def test_split_tables_with_paths_keep_patients_apart(tmp_path):
    names = [f"train/patient0000{n}/study1/view1_frontal.jpg" for n in range(3)]
    pd.DataFrame({"image": names, "split": ["train", "valid", "test"]}).to_csv(tmp_path / "s.csv")
    table = read_split_table(tmp_path / "s.csv")
    assert table["image"].tolist() == names and table["patient"].tolist() == [f"patient0000{n}" for n in range(3)]
