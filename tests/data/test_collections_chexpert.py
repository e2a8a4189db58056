"""CheXpert in the layouts people have: its tables say what counts, what is unknown stays unknown."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr_utils.data.collections import chexpert
from cxr_utils.data.readers import recognition
from cxr_utils.errors import DataError

CASES = Path(__file__).parents[1] / "cases"
POLICIES = {"leave-out": np.nan, "positive": 1.0, "negative": 0.0}


def read(root, uncertain="leave-out"):
    return recognition.read(recognition.walk(root), uncertain)


def touch(root, *names):
    """Empty files: a reader opens no picture."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def values(contents, image, *names):
    """Labels of one image, None for unknown."""
    row = contents.table.set_index("image").loc[image, list(names)]
    return [None if pd.isna(value) else int(value) for value in row]


def names_of(folder) -> list[str]:
    return [module.__name__.rpartition(".")[2] for module in recognition.COLLECTIONS if module.recognise(folder)]


# --- CheXpert --------------------------------------------------------------------------------------------------
HEADER = "Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(chexpert.LABELS)


def mined(**known) -> str:
    """Fourteen cells, those of the labels given filled."""
    return ",".join(str(known.get(name.replace(" ", "_"), "")) for name in chexpert.LABELS)


def frontal(part, patient, labels, study=1, root="CheXpert-v1.0/"):
    return f"{root}{part}/patient{patient:05d}/study{study}/view1_frontal.jpg,Male,60,Frontal,PA,{labels}"


def write(path, *rows, header=HEADER):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")


def write_chexpert(folder, **options):
    """Ten patients to train on, two to validate."""
    write(
        folder / "train.csv", *(frontal("train", n, mined(Edema=n % 2, Pneumonia=-1), **options) for n in range(1, 11))
    )
    write(
        folder / "valid.csv", *(frontal("valid", n, mined(Edema=1.0, Pneumonia=0.0), **options) for n in (64540, 64541))
    )


@pytest.mark.parametrize("uncertain", POLICIES)
def test_the_given_case_comes_out_as_its_tables_say(uncertain):
    root = CASES / "12_chexpert"
    contents = read(root, uncertain)
    raw = pd.concat([pd.read_csv(path) for path in sorted(root.glob("*/*.csv"))])
    raw = raw[raw["Frontal/Lateral"] == "Frontal"].set_index("Path")
    assert contents.kind == "chexpert" and len(contents.table) == len(raw) == 16
    table = contents.table.set_index("image")
    for name in contents.findings:
        told = raw["Pleural Effusion" if name == "Effusion" else name]
        wanted = told.replace(-1.0, POLICIES[uncertain])
        if name != "Support Devices":
            wanted = wanted.mask(told.isna() & (raw["No Finding"] == 1), 0.0)
        np.testing.assert_array_equal(table[name].astype(float), wanted[table.index])
    assert set(contents.findings) == {*chexpert.LABELS, "Effusion"} - {"Pleural Effusion", "No Finding"}
    assert table["patient"].tolist() == [path.split("/")[2] for path in table.index]
    assert (table["sex"] == raw["Sex"].str[0][table.index]).all() and (table["age"] == raw["Age"][table.index]).all()
    assert set(table["view"]) == {"AP"}
    assert {image: path.relative_to(root).as_posix() for image, path in contents.files.items()} == {
        path: path for path in raw.index
    }


def test_the_parts_of_the_given_case_are_its_tables_and_patients_of_train_are_tested_on():
    contents = read(CASES / "12_chexpert")
    valid = contents.table[contents.table["split"] == "valid"]
    assert sorted(valid["patient"]) == ["patient64540", "patient64541", "patient64542", "patient64543"]
    assert set(contents.table["split"]) == {"train", "valid", "test"}
    assert set(contents.published["split"]) == {"train", "valid"} and len(contents.published) == 16
    notes = " ".join(contents.notes)
    assert "8 of 24 rows are left out, whose Frontal/Lateral is not Frontal." in notes
    assert "no test part was found" in notes and "labels of " in notes and "left out as unknown" in notes
    assert 'where "No Finding" is 1, empty cells count as absent, except for Support Devices' in notes


def test_empty_is_unknown_unless_there_is_no_finding_and_an_uncertain_label_stays_one(tmp_path):
    write_chexpert(tmp_path)
    with (tmp_path / "train.csv").open("a") as file:
        file.write(frontal("train", 11, mined(No_Finding=1.0, Edema=-1.0)) + "\n")
        file.write(frontal("train", 12, mined(No_Finding=-1.0, Edema=1.0)) + "\n")
    names = ["Edema", "Pneumonia", "Fracture", "Support Devices"]
    healthy, unsure = (f"CheXpert-v1.0/train/patient{n:05d}/study1/view1_frontal.jpg" for n in (11, 12))
    for uncertain, taken in POLICIES.items():
        contents = read(tmp_path, uncertain)
        edema = None if np.isnan(taken) else int(taken)
        assert values(contents, healthy, *names) == [edema, 0, 0, None]
        assert values(contents, unsure, *names) == [1, None, None, None]
    assert "11 labels of train.csv, valid.csv are uncertain; they are taken for negative." in contents.notes


def test_a_labelled_test_table_needs_no_sex_and_no_views_of_its_own(tmp_path):
    write_chexpert(tmp_path, root="CheXpert-v1.0-small/")
    header = "Path," + ",".join(chexpert.LABELS)
    rows = [
        f"test/patient64741/study1/view{n}_{view}.jpg,{mined(Edema=1.0)}"
        for n, view in ((1, "frontal"), (2, "lateral"))
    ]
    write(tmp_path / "test_labels.csv", *rows, header=header)
    touch(tmp_path, "test/patient64741/study1/view1_frontal.jpg", "test/patient64741/study1/view2_lateral.jpg")
    contents = read(tmp_path)
    tested = contents.table[contents.table["split"] == "test"]
    assert tested["image"].tolist() == ["test/patient64741/study1/view1_frontal.jpg"]
    assert tested["patient"].tolist() == ["patient64741"] and tested[["sex", "age", "view"]].isna().all(axis=None)
    assert list(contents.files) == tested["image"].tolist()
    assert "1 of 14 rows are left out, whose Frontal/Lateral is not Frontal." in contents.notes


def test_a_test_set_without_labels_is_passed_over_and_said(tmp_path):
    write_chexpert(tmp_path)
    write(tmp_path / "test.csv", "CheXpert-v1.0/test/patient64741/study1/view1_frontal.jpg", header="Path")
    touch(tmp_path, "test/patient64741/study1/view1_frontal.jpg", "train/patient00001/study1/view1_frontal.jpg")
    contents = read(tmp_path)
    assert len(contents.table) == 12 and len(contents.files) == 1
    assert "test.csv is not read." in contents.notes
    assert any("1 pictures are in no row of the table that is used" in note for note in contents.notes)


@pytest.mark.parametrize("folder", ["CheXpert-v1.0 batch 2 (train 1)", "PNG/PNG/train", "CheXpert-v1.0-small/train"])
def test_pictures_are_found_in_batches_as_png_and_in_another_size(tmp_path, folder):
    write_chexpert(tmp_path)
    ending = "png" if "PNG" in folder else "jpg"
    touch(
        tmp_path,
        f"{folder}/patient00001/study1/view1_frontal.{ending}",
        f"{folder}/patient00002/study1/view1_frontal.{ending}",
    )
    contents = read(tmp_path)
    found = {image.rpartition("patient")[2][:5]: path.parent.parent.name for image, path in contents.files.items()}
    assert found == {"00001": "patient00001", "00002": "patient00002"}


def test_other_labels_of_the_same_pictures_are_not_read_and_said(tmp_path):
    write_chexpert(tmp_path)
    shutil.copy(tmp_path / "valid.csv", tmp_path / "train_cheXbert.csv")
    contents = read(tmp_path)
    assert "train_cheXbert.csv is not read." in contents.notes and len(contents.table) == 12


def test_one_table_takes_the_parts_from_its_paths(tmp_path):
    write(
        tmp_path / "all.csv",
        *(frontal(part, n, mined(Edema=n % 2)) for n, part in enumerate(["train"] * 6 + ["valid"] * 2 + ["test"] * 2)),
    )
    assert read(tmp_path).table["split"].tolist() == ["train"] * 6 + ["valid"] * 2 + ["test"] * 2


def test_two_editions_are_refused_and_two_copies_are_one(tmp_path):
    write_chexpert(tmp_path / "CheXpert-v1.0")
    shutil.copytree(tmp_path / "CheXpert-v1.0", tmp_path / "copy")
    assert len(read(tmp_path).table) == 12
    write_chexpert(tmp_path / "copy", root="CheXpert-v1.0-small/")
    with pytest.raises(
        DataError, match=r"CheXpert-v1.0/train.csv and copy/train.csv, which differ. Expected one edition"
    ):
        read(tmp_path)


def test_pictures_or_reports_alone_are_refused_with_the_names_of_the_tables(tmp_path):
    touch(tmp_path, "train/patient00001/study1/view1_frontal.jpg", "train/patient00002/study1/view1_frontal.jpg")
    with pytest.raises(DataError, match=r"pictures of CheXpert without labels. Expected train.csv and valid.csv"):
        read(tmp_path)
    write(
        tmp_path / "df_chexpert_plus_240401.csv",
        "train/patient00001/study1/view1_frontal.jpg,patient00001,train",
        header="path_to_image,deid_patient_id,split",
    )
    with pytest.raises(DataError, match=r"holds df_chexpert_plus_240401.csv of CheXpert without labels"):
        read(tmp_path)


def test_bad_cells_and_bad_paths_do_not_pass(tmp_path):
    write_chexpert(tmp_path / "a")
    touch(tmp_path, "outside/patient00001/study1/view1_frontal.jpg")
    table = (tmp_path / "a" / "train.csv").read_text()
    (tmp_path / "a" / "train.csv").write_text(
        table.replace("CheXpert-v1.0/train/patient00001", "../outside/patient00001")
    )
    assert len(read(tmp_path / "a").files) == 0
    (tmp_path / "a" / "train.csv").write_text(table.replace(",-1,", ",2,", 1))
    with pytest.raises(DataError, match=r"Label Pneumonia of train.csv, valid.csv is '2' in row 0 \(1 such rows\)"):
        read(tmp_path / "a")
    (tmp_path / "a" / "train.csv").write_text(
        table.replace("CheXpert-v1.0/train/patient00002/study1/view1_frontal.jpg", "")
    )
    with pytest.raises(DataError, match="Path is empty in row 1 of train.csv"):
        read(tmp_path / "a")


def test_one_image_in_two_formats_is_refused(tmp_path):
    write_chexpert(tmp_path)
    touch(tmp_path, "train/patient00001/study1/view1_frontal.dcm", "train/patient00001/study1/view1_frontal.png")
    with pytest.raises(DataError, match=r"fits train/patient00001/study1/view1_frontal.dcm and .*png. Expected a name"):
        read(tmp_path)


def test_other_tables_with_paths_of_patients_are_not_chexpert(tmp_path):
    write(tmp_path / "train.csv", "patient00001/study1/view1_frontal.jpg,1,1", header="Image,Mass,PatientId")
    touch(tmp_path, "images/patient00001/study1/view1_frontal.jpg")
    assert names_of(recognition.walk(tmp_path)) == []
