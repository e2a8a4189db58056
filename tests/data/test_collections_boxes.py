"""Collections with boxes: RSNA and VinDr-CXR in their layouts, with values checked by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr_utils.data.dicom import write_dicom
from cxr_utils.data.opening import open_dataset
from cxr_utils.data.readers.boxes import in_fractions, sides
from cxr_utils.errors import DataError

BOX = ["image", "finding", "x", "y", "width", "height"]


def dicom(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dicom(path, np.full((height, width), 7, np.uint8))


def png(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width), 7, np.uint8)).save(path)


def rows_of(boxes: pd.DataFrame) -> list:
    return [[*row[:2], *(round(value, 6) for value in row[2:])] for row in boxes[BOX].itertuples(index=False)]


# --- fractions -------------------------------------------------------------------------------------------------
def test_sides_come_from_headers_and_are_unknown_of_what_has_none(tmp_path):
    dicom(tmp_path / "a.dicom", 40, 20)
    png(tmp_path / "b.png", 30, 10)
    (tmp_path / "c.dcm").write_bytes(b"nothing")
    found = sides([tmp_path / name for name in ("a.dicom", "b.png", "c.dcm", "d.png")])
    assert found[:2].tolist() == [[40, 20], [30, 10]] and np.isnan(found[2:]).all()
    assert sides([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("box", "size", "kept"),
    [
        ((0, 0, 100, 200), (100, 200), True),
        ((0, 0, 100.05, 200), (100, 200), True),
        ((0, 0, 101, 200), (100, 200), False),
        ((50, 150, 10, 51), (100, 200), False),
        ((-1, 0, 10, 10), (100, 200), False),
        ((1, 1, 0, 10), (100, 200), False),
        ((1, 1, 10, -3), (100, 200), False),
        ((1, 1, 10, 10), (np.nan, np.nan), False),
        ((np.nan, 1, 10, 10), (100, 200), False),
    ],
)
def test_boxes_lie_in_their_picture_or_are_left_out_and_counted(box, size, kept):
    given = pd.DataFrame([["a", "Mass", 10, 20, 30, 40], ["b", "Mass", *box]], columns=BOX, index=[7, 8])
    boxes, notes = in_fractions(given, np.array([[100, 200], size]))
    assert rows_of(boxes)[0] == ["a", "Mass", 0.1, 0.1, 0.3, 0.2]
    assert len(boxes) == 1 + kept and (notes == []) == kept
    if not kept:
        unknown = int(np.isnan([*box, *size]).any())
        assert notes[0].startswith("1 of 2 boxes are left out") and f"of {unknown} the" in notes[0]


# --- RSNA ------------------------------------------------------------------------------------------------------
def rsna(root: Path, ending: str = ".dcm", lines: int = 6) -> Path:
    """Six pictures of 64 x 32, the second with two boxes and the fifth with one; one picture of the test part."""
    rows = ["patientId,x,y,width,height,Target"]
    for number in range(lines):
        name = f"0000a{number}-72"
        boxes = {1: ["16.0,8.0,32.0,4.0", "0.0,0.0,64.0,32.0"], 4: ["1.0,2.0,3.0,4.0"]}.get(number, [])
        rows += [f"{name},{box},1" for box in boxes] or [f"{name},,,,,0"]
        (dicom if ending == ".dcm" else png)(root / "stage_2_train_images" / f"{name}{ending}", 64, 32)
    (dicom if ending == ".dcm" else png)(root / "stage_2_test_images" / f"0000b0-72{ending}", 64, 32)
    (root / "stage_2_train_labels.csv").write_text("\n".join(rows) + "\n")
    (root / "stage_2_sample_submission.csv").write_text("patientId,PredictionString\n0000b0-72,0.5 0 0 1 1\n")
    return root


def test_rsna_has_one_finding_and_boxes_in_fractions(tmp_path, capsys):
    data = open_dataset(rsna(tmp_path))
    assert (data.kind, data.findings, data.published) == ("rsna", ("Pneumonia",), None)
    labels = data.table.set_index("image")["Pneumonia"].to_dict()
    assert labels == {f"0000a{n}-72": int(n in (1, 4)) for n in range(6)}
    assert data.table["patient"].tolist() == data.table["image"].tolist()
    assert rows_of(data.boxes) == [
        ["0000a1-72", "Pneumonia", 0.25, 0.25, 0.5, 0.125],
        ["0000a1-72", "Pneumonia", 0, 0, 1, 1],
        ["0000a4-72", "Pneumonia", 0.015625, 0.0625, 0.046875, 0.125],
    ]
    assert data.on_disk().all() and data.path("0000a3-72").name == "0000a3-72.dcm"
    said = capsys.readouterr().out
    assert "1 pictures are in no row of the table that is used, and are passed over: 1 in stage_2_test_images." in said
    assert "6 of 6 file names tell no patient" in said and "opacity suspicious" in said


def test_rsna_as_png_keeps_boxes_of_the_originals_whose_side_is_known(tmp_path):
    data = open_dataset(rsna(tmp_path, ".png"))
    assert rows_of(data.boxes)[2] == ["0000a4-72", "Pneumonia"] + [round(n / 1024, 6) for n in (1, 2, 3, 4)]
    assert len(data.boxes) == 3 and data.on_disk().all()


def test_rsna_as_dicom_and_as_png_is_each_picture_once(tmp_path, capsys):
    rsna(rsna(tmp_path) / "converted", ".png")
    (tmp_path / "converted" / "stage_2_train_labels.csv").unlink()
    data = open_dataset(tmp_path)
    assert {path.suffix for path in data.files.values()} == {".dcm"} and data.on_disk().all()
    assert "7 pictures have the name of another one" in capsys.readouterr().out


def test_rsna_whose_picture_is_damaged_loses_its_boxes_and_says_so(tmp_path, capsys):
    (rsna(tmp_path) / "stage_2_train_images" / "0000a1-72.dcm").write_bytes(b"cut")
    data = open_dataset(tmp_path)
    assert data.boxes["image"].tolist() == ["0000a4-72"] and data.table["Pneumonia"].sum() == 2
    assert "2 of 3 boxes are left out: of 2 the picture or a number is missing" in capsys.readouterr().out


def test_rsna_refuses_two_tables_and_other_targets(tmp_path):
    table = rsna(tmp_path) / "stage_2_train_labels.csv"
    text = table.read_text()
    table.write_text(text.replace("0000a2-72,,,,,0", "0000a2-72,,,,,2"))
    with pytest.raises(DataError, match="Label Target of stage_2_train_labels.csv is '2'"):
        open_dataset(tmp_path)
    table.write_text(text)
    (tmp_path / "stage_1_train_labels.csv").write_text(text)
    with pytest.raises(DataError, match="stage_1_train_labels.csv and stage_2_train_labels.csv"):
        open_dataset(tmp_path)


def test_rsna_without_its_table_names_it(tmp_path):
    (rsna(tmp_path) / "stage_2_train_labels.csv").unlink()
    with pytest.raises(
        DataError, match="no table of their labels. Expected stage_2_train_labels.csv with patientId, x"
    ):
        open_dataset(tmp_path)


def test_a_name_that_leads_out_of_the_folder_has_no_picture(tmp_path):
    rsna(tmp_path / "here")
    dicom(tmp_path / "out" / "secret.dcm", 64, 32)
    with (tmp_path / "here" / "stage_2_train_labels.csv").open("a") as file:
        file.write("../../out/secret,1,1,2,2,1\n")
    data = open_dataset(tmp_path / "here")
    assert "../../out/secret" in set(data.table["image"]) and len(data.files) == 6
    assert not any("secret" in str(path) for path in data.files.values())


def test_the_case_of_rsna(cases, capsys):
    data = open_dataset(cases / "13_rsna" / "rsna-pneumonia-detection-challenge")
    assert (data.kind, data.findings, len(data)) == ("rsna", ("Pneumonia",), 12)
    assert data.table["Pneumonia"].sum() == 4 and data.on_disk().all() and len(data.boxes) == 8
    assert rows_of(data.boxes)[1][2:] == [20 / 32, 10 / 32, 8 / 32, 9 / 32]
    assert "4 in stage_2_test_images" in capsys.readouterr().out


# --- VinDr -----------------------------------------------------------------------------------------------------
HEALTHY = "No finding,14,{},,,,"
KAGGLE = {
    # Two of three name it, and one of them draws two boxes; the third reader has another opinion.
    "01": ["Cardiomegaly,3,R1,10,5,30,15", "Cardiomegaly,3,R1,0,0,4,2", "Cardiomegaly,3,R2,10,5,32,15",
           "Pleural effusion,10,R3,1,1,3,3"],
    # One of three, and one of two: neither is more than half.
    "02": ["Nodule/Mass,8,R4,1,1,3,3", HEALTHY.format("R5"), HEALTHY.format("R6")],
    "03": ["Nodule/Mass,8,R4,1,1,3,3", HEALTHY.format("R5")],
    # One finding by all three, one by two of them.
    "04": [f"ILD,5,R{n},4,4,8,8" for n in (1, 2, 3)] + [f"Pleural effusion,10,R{n},20,10,40,20" for n in (1, 3)],
}  # fmt: skip


def kaggle(root: Path, ending: str = ".dicom", size: tuple[int, int] = (40, 20)) -> Path:
    """Nine pictures, four of them with boxes in pixels of 40 x 20, and one without labels."""
    said = KAGGLE | {f"{n:02d}": [HEALTHY.format(f"R{r}") for r in (8, 9, 10)] for n in range(5, 10)}
    lines = [f"{name},{row}" for name, rows in said.items() for row in rows]
    root.mkdir(parents=True, exist_ok=True)
    (root / "train.csv").write_text(
        "\n".join(["image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max", *lines]) + "\n"
    )
    for name in [*(f"train/{name}" for name in said), "test/99"]:
        (dicom if ending == ".dicom" else png)(root / f"{name}{ending}", *size)
    return root


BOXES = [
    ["01", "Cardiomegaly", 0.25, 0.25, 0.5, 0.5],
    ["01", "Cardiomegaly", 0, 0, 0.1, 0.1],
    ["01", "Cardiomegaly", 0.25, 0.25, 0.55, 0.5],
    *[["04", "ILD", 0.1, 0.2, 0.1, 0.2]] * 3,
    *[["04", "Effusion", 0.5, 0.5, 0.5, 0.5]] * 2,
]


def test_vindr_goes_by_the_majority_of_readers(tmp_path, capsys):
    data = open_dataset(kaggle(tmp_path))
    assert data.kind == "vindr" and data.published is None and len(data) == 9 and data.on_disk().all()
    assert data.findings[:7] == (
        "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Pneumothorax", "Consolidation", "Fibrosis",
    )  # fmt: skip
    assert {"Pleural_Thickening", "ILD", "Nodule/Mass", "Aortic enlargement"} < set(data.findings)
    assert len(data.findings) == 14 and "Mass" not in data.findings
    present = data.table.set_index("image")[list(data.findings)].stack()
    assert sorted(present[present == 1].index) == [("01", "Cardiomegaly"), ("04", "Effusion"), ("04", "ILD")]
    assert sorted(rows_of(data.boxes)) == sorted(BOXES)
    said = capsys.readouterr().out
    assert "more than half of the readers" in said and "1 in test" in said


@pytest.mark.parametrize("how", ["train_meta.csv", "columns"])
def test_vindr_as_smaller_pngs_needs_the_sides_of_the_originals(tmp_path, capsys, how):
    kaggle(tmp_path, ".png", (20, 10))
    assert len(open_dataset(tmp_path).boxes) == 0
    assert "boxes do not lie in their pictures, so these were made smaller" in capsys.readouterr().out
    if how == "columns":
        table = pd.read_csv(tmp_path / "train.csv", dtype=str).assign(width=40, height=20)
        table.to_csv(tmp_path / "train.csv", index=False)
    else:
        meta = "\n".join(f"{n:02d},20,40" for n in range(1, 10))
        (tmp_path / "train_meta.csv").write_text(f"image_id,dim0,dim1\n{meta}\n")
    assert sorted(rows_of(open_dataset(tmp_path).boxes)) == sorted(BOXES)


def physionet(root: Path) -> Path:
    """Kaggle's table as `annotations_train.csv`, labels of readers, and a test part that five read together."""
    kaggle(root)
    labels = root / "annotations"
    labels.mkdir()
    table = pd.read_csv(root / "train.csv", dtype=str)
    table.drop(columns="class_id").to_csv(labels / "annotations_train.csv", index=False)
    (root / "train.csv").unlink()
    header = "image_id,{}Aortic enlargement,Cardiomegaly,Pleural effusion,Other disease{},No finding"
    readers = [
        f"{n:02d},R{r},0,{int(n == 1 and r < 3)},0,{int(n in (2, 3))},0" for n in range(1, 10) for r in (1, 2, 3)
    ]
    (labels / "image_labels_train.csv").write_text("\n".join([header.format("rad_id,", "s"), *readers]) + "\n")
    (labels / "image_labels_test.csv").write_text(f"{header.format('', '')}\n98,0,0,1,0,0\n99,0,0,0,0,1\n")
    (labels / "annotations_test.csv").write_text(
        "image_id,class_name,x_min,y_min,x_max,y_max\n98,Pleural effusion,4,2,8,4\n99,No finding,,,,\n"
    )
    dicom(root / "test" / "98.dicom", 40, 20)
    return root


def test_vindr_of_physionet_has_its_own_test_part(tmp_path):
    data = open_dataset(physionet(tmp_path))
    assert data.kind == "vindr" and data.findings == ("Cardiomegaly", "Effusion", "Aortic enlargement", "Other disease")
    table = data.table.set_index("image")
    assert sorted(table.index[table["split"] == "test"]) == ["98", "99"] and len(table) == 11
    assert data.published["split"].value_counts().to_dict() == {"train": 9, "test": 2}
    assert table.index[table["Cardiomegaly"] == 1].tolist() == ["01"]
    assert sorted(table.index[table["Other disease"] == 1]) == ["02", "03"]
    assert table["Effusion"].to_dict() == {name: int(name == "98") for name in table.index}
    assert sorted(rows_of(data.boxes)) == sorted([*BOXES[:3], ["98", "Effusion", 0.1, 0.1, 0.1, 0.1]])


def test_vindr_of_physionet_without_tables_of_labels_goes_by_boxes(tmp_path):
    for part in ("train", "test"):
        (physionet(tmp_path / part) / "annotations" / f"image_labels_{part}.csv").unlink()
    data = open_dataset(tmp_path / "test")  # the train part by its readers, the test part by its boxes
    table = data.table.set_index("image")
    assert table.loc["98", "Effusion"] == 1 and np.isnan(table.loc["02", "ILD"]) and table.loc["98", "ILD"] == 0


def test_vindr_refuses_two_tables_of_one_part(tmp_path):
    kaggle(tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "train.csv").write_text((tmp_path / "train.csv").read_text())
    with pytest.raises(DataError, match="train.csv and old/train.csv both tell train"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(("cell", "said"), [("ten", "x_min is 'ten' in row 1 of train.csv"), ("", None)])
def test_vindr_with_a_corner_that_is_no_number(tmp_path, cell, said):
    table = kaggle(tmp_path) / "train.csv"
    table.write_text(table.read_text().replace("R1,0,0,4,2", f"R1,{cell},0,4,2"))
    if said:
        with pytest.raises(DataError, match=said):
            open_dataset(tmp_path)
    else:
        assert len(open_dataset(tmp_path).boxes) == len(BOXES) - 1


def test_vindr_without_its_tables_names_them(tmp_path):
    for part, name in (("train", "0a" * 16), ("train", "0b" * 16), ("test", "0c" * 16)):
        dicom(tmp_path / part / f"{name}.dicom", 8, 8)
    with pytest.raises(DataError, match="no table of their labels. Expected train.csv of Kaggle, or PhysioNet"):
        open_dataset(tmp_path)


def test_the_case_of_vindr(cases, capsys):
    data = open_dataset(cases / "63_vindr")
    assert (data.kind, len(data), len(data.findings)) == ("vindr", 8, 14)
    assert data.table["image"].iloc[0] == "0" * 32 and data.on_disk().all()
    assert data.labels.sum() == 0 and len(data.boxes) == 0
    assert "3 in test" in capsys.readouterr().out
