"""The four layouts, on folders written here and on the real collections."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr_utils import networks
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.data.readers import recognition
from cxr_utils.data.readers.files import Files, look
from cxr_utils.data.readers.values import patient_of
from cxr_utils.data.schema import FINDINGS, OPTIONAL, REQUIRED
from cxr_utils.errors import DataError, Missing

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(path)


def disjoint(table):
    return (table.groupby("patient")["split"].nunique() == 1).all()


@pytest.fixture
def nih(tmp_path):
    """60 patients with two images each, the last 15 of them on the official test list; Mass in every third."""
    rows, lists = [HEADER], {"train_val_list.txt": [], "test_list.txt": []}
    for patient in range(1, 61):
        for visit in range(2):
            image = f"{patient:08d}_{visit:03d}.png"
            labels = "Mass|Hernia" if patient % 3 == 0 else "No Finding"
            rows.append(f"{image},{labels},{visit},{patient},058Y,F,PA,2500,2048,0.168,0.168")
            lists["test_list.txt" if patient > 45 else "train_val_list.txt"].append(image)
    (tmp_path / "Data_Entry_2017.csv").write_text("\n".join(rows))
    for name, images in lists.items():
        (tmp_path / name).write_text("\n".join(images) + "\n")
    box = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000060_000.png,Infiltrate,256,512,128,64,,,\n"
    with gzip.open(tmp_path / "BBox_List_2017.csv.gz", "wt") as file:
        file.write(box)
    return tmp_path


def test_nih_joins_labels_lists_boxes_and_files(nih):
    picture(nih / "images_001" / "images" / "00000060_000.png")
    data = open_dataset(nih)
    row = data.table.set_index("image").loc["00000003_001.png"]
    assert (data.kind, len(data), data.findings) == ("nih", 120, FINDINGS)
    assert list(data.table) == [*REQUIRED, *FINDINGS, *OPTIONAL[:-1]]
    assert row[["patient", "Mass", "Hernia", "Edema", "age", "sex", "view", "follow_up"]].tolist() == [
        "3", 1, 1, 0, 58.0, "F", "PA", 1,
    ]  # fmt: skip
    assert data.boxes.iloc[0].tolist() == ["00000060_000.png", "Infiltration", 0.25, 0.5, 0.125, 0.0625]
    assert data.path("00000060_000.png").is_file() and len(data.with_images()) == 1


def test_nih_keeps_the_official_test_part_and_divides_the_rest_by_patient(nih):
    data = open_dataset(nih)
    assert set(data.part("test").patients.astype(int)) == set(range(46, 61))
    assert disjoint(data.table) and len(data.part("valid"))
    assert data.published["split"].value_counts().to_dict() == {"train_val": 90, "test": 30}
    assert open_dataset(nih).table.equals(data.table)


def test_nih_uses_a_valid_list_where_there_is_one(nih):
    images = (nih / "train_val_list.txt").read_text().split()
    (nih / "train_val_list.txt").unlink()
    (nih / "train_list.txt").write_text("\n".join(images[:70]))
    (nih / "valid_list.txt").write_text("\n".join(images[70:]))
    assert open_dataset(nih).table["split"].value_counts().to_dict() == {"train": 70, "valid": 20, "test": 30}


def test_a_simulated_cohort_has_consensus_labels_in_test_and_a_truth(nih):
    (nih / "cohort.json").write_text('{"size": 1024}')
    names = [f"{patient:08d}_{visit:03d}.png" for patient in range(1, 61) for visit in range(2)]
    truth = pd.DataFrame(0, index=pd.Index(names, name="image"), columns=list(FINDINGS))
    truth["Nodule"] = 1
    truth[::-1].to_csv(nih / "truth.csv")
    truth.loc[names[90:]].to_csv(nih / "consensus_test.csv")
    data = open_dataset(nih)
    test, rest = data.part("test"), data.subset((data.table["split"] != "test").to_numpy(), "rest")
    assert data.kind == "phantom" and data.knows("simulated_truth") is True
    assert test.table["Nodule"].all() and not test.table["Mass"].any()
    assert rest.table["Mass"].sum() == 30 and not rest.table["Nodule"].any()
    assert rest.truth()["image"].tolist() == rest.table["image"].tolist() and rest.truth()["Nodule"].all()


def test_one_question_is_what_one_would_write_by_hand(nih):
    (nih / "cohort.json").write_text('{"size": 1024}')
    data = open_dataset(nih)
    abnormal = data.table[list(FINDINGS)].max(axis=1).astype("int8")
    expected = replace(data, table=data.table.assign(Abnormal=abnormal), findings=("Abnormal",))
    asked = data.any_finding()
    assert asked.findings == ("Abnormal",) and asked.labels.sum() == 40 and asked.name == data.name
    pd.testing.assert_frame_equal(asked.table, expected.table)
    assert asked.digest == expected.digest and asked.boxes.equals(data.boxes) and len(asked.boxes)
    assert asked.any_finding() is asked and "Abnormal" not in data.table
    assert not asked.knows("several_findings") and asked.part("test").labels.sum() == 10


def test_one_question_of_the_truth(nih):
    (nih / "cohort.json").write_text('{"size": 1024}')
    data = open_dataset(nih)
    truth = pd.DataFrame(0, index=pd.Index(data.table["image"], name="image"), columns=list(FINDINGS))
    truth.iloc[5, 3] = truth.iloc[7, [0, 13]] = 1
    truth[::-1].to_csv(nih / "truth.csv")
    told = data.any_finding().truth()
    assert list(told) == ["image", "Abnormal"] and told["image"].tolist() == data.table["image"].tolist()
    assert np.flatnonzero(told["Abnormal"]).tolist() == [5, 7] and told["Abnormal"].max() == 1


def test_one_question_of_class_folders(tmp_path):
    for part in ("train", "valid", "test"):
        for number, kind in enumerate(("NORMAL", "PNEUMONIA")):
            picture(tmp_path / part / kind / f"person{number}{part}_1.png", ord(part[0]) + 99 * number)
    data = open_dataset(tmp_path)
    asked = data.any_finding()
    assert data.findings == ("Pneumonia",) and asked.findings == ("Abnormal",)
    assert np.array_equal(asked.labels, data.labels) and asked.table["Abnormal"].dtype == np.int8


def test_nih_without_lists_is_divided_by_patient(nih, capsys):
    for path in nih.glob("*_list.txt"):
        path.unlink()
    data = open_dataset(nih)
    assert data.published is None and disjoint(data.table)
    assert data.table["split"].value_counts().to_dict() == {"train": 84, "valid": 12, "test": 24}
    assert "no valid and no test part was found" in capsys.readouterr().out


def test_few_images_without_a_fair_test_part_are_divided_afresh(nih, capsys):
    for patient in range(1, 48):  # two test patients of 47
        picture(nih / "images" / f"{patient:08d}_000.png")
    data = open_dataset(nih)
    told = capsys.readouterr().out.splitlines()
    shares = data.with_images().table["split"].value_counts(normalize=True)
    assert [line for line in told if "only 47 of 120 images are here, 2 of them" in line]
    assert np.allclose([shares["train"], shares["valid"], shares["test"]], [0.6, 0.15, 0.25], atol=0.02)
    assert disjoint(data.table)


def test_few_images_with_a_fair_test_part_keep_the_official_split(nih, capsys):
    for patient in range(1, 61):
        picture(nih / "images" / f"{patient:08d}_000.png")
    data = open_dataset(nih).with_images()
    assert set(data.part("test").patients.astype(int)) == set(range(46, 61))
    assert "afresh" not in capsys.readouterr().out


def test_a_name_found_twice_is_taken_from_the_fullest_folder(nih):
    for patient in range(40, 60):
        picture(nih / "zz" / f"{patient:08d}_000.png")
    picture(nih / "aa" / "00000050_000.png")
    assert open_dataset(nih).path("00000050_000.png").parent.name == "zz"


def test_opening_decodes_no_picture(nih):
    (nih / "images").mkdir()
    (nih / "images" / "00000001_000.png").write_bytes(b"")
    assert len(open_dataset(nih).with_images()) == 1


@pytest.mark.parametrize("column", ["Image Index", "Finding Labels", "Patient ID"])
def test_nih_without_a_needed_column(nih, column):
    table = nih / "Data_Entry_2017.csv"
    table.write_text(table.read_text().replace(column, "Other", 1))
    with pytest.raises(DataError, match=f"Column {column} is missing in Data_Entry_2017.csv"):
        open_dataset(nih)


def test_a_damaged_table_is_named(nih):
    (nih / "Data_Entry_2017.csv").rename(nih / "Data_Entry_2017.csv.gz")
    with pytest.raises(DataError, match="Data_Entry_2017.csv.gz cannot be read"):
        open_dataset(nih)


def test_a_half_downloaded_table_is_not_taken_for_a_whole_one(nih):
    table = nih / "Data_Entry_2017.csv"
    packed = gzip.compress(table.read_bytes())
    table.unlink()
    (nih / "Data_Entry_2017.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="Data_Entry_2017.csv.gz cannot be read"):
        open_dataset(nih)


@pytest.fixture
def course(tmp_path):
    """Three course tables; patient 1 is in train and valid, with the same image in both."""
    (tmp_path / "train-small.csv").write_text("Image,Hernia,PatientId,Mass\na.png,0,1,1\nb.png,1,1,0\nc.png,0,2,0\n")
    (tmp_path / "valid-small.csv").write_text("Image,PatientId,Mass,Hernia\na.png,1,1,0\nd.png,3,0,1\n")
    (tmp_path / "test.csv").write_text("Image,PatientId,Mass,Hernia\ne.png,4,1,1\n")
    return tmp_path


def test_course_tables_are_ordered_and_made_disjoint(course, capsys):
    data = open_dataset(course)
    assert (data.kind, data.findings) == ("course", ("Mass", "Hernia"))
    assert data.table[["image", "split"]].to_numpy().tolist() == [
        ["c.png", "train"], ["a.png", "valid"], ["d.png", "valid"], ["e.png", "test"],
    ]  # fmt: skip
    assert data.labels.tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert data.published["image"].tolist() == ["a.png", "b.png", "c.png", "a.png", "d.png", "e.png"]
    assert "Left out 2 of the train part" in capsys.readouterr().out


def test_a_finding_without_positives_is_told_once(course, capsys):
    assert not open_dataset(course).knows("images")
    told = [line for line in capsys.readouterr().out.splitlines() if "no positive image" in line]
    assert len(told) == 1 and "no positive image of Mass, Hernia in train." in told[0]


def test_a_course_table_without_patients(course):
    (course / "test.csv").write_text("Image,Mass,Hernia\ne.png,1,1\n")
    with pytest.raises(DataError, match="Column PatientId is missing in test.csv"):
        open_dataset(course)


def test_a_course_table_without_a_finding(course):
    (course / "test.csv").write_text("Image,PatientId,Mass\ne.png,4,1\n")
    with pytest.raises(DataError, match="Column Hernia is missing in test.csv"):
        open_dataset(course)


def test_a_course_label_that_is_neither_zero_nor_one(course):
    (course / "test.csv").write_text("Image,PatientId,Mass,Hernia\ne.png,4,1,2\n")
    with pytest.raises(DataError, match="Label Hernia of train-small.csv, valid-small.csv, test.csv is .*2.* in row 5"):
        open_dataset(course)


def test_two_tables_for_one_part(course):
    (course / "train.csv").write_text("Image,PatientId,Mass\n")
    with pytest.raises(DataError, match="train-small.csv, train.csv .* all say train"):
        open_dataset(course)


def test_two_rows_that_contradict_each_other(course):
    (course / "test.csv").write_text("Image,PatientId,Mass,Hernia\ne.png,4,1,1\ne.png,4,0,1\n")
    with pytest.raises(DataError, match="Image e.png has more than one row"):
        open_dataset(course)


def test_course_tables_without_a_train_part(course):
    (course / "train-small.csv").unlink()
    with pytest.raises(DataError, match="The train part is empty"):
        open_dataset(course)


@pytest.fixture
def folders(tmp_path):
    for part, patients in (("train", range(1, 21)), ("val", range(21, 25)), ("test", range(25, 31))):
        for patient in patients:
            label = "NORMAL/IM-{:04d}-0001.jpeg" if patient % 2 else "PNEUMONIA/person{}_virus_1.jpeg"
            picture(tmp_path / part / label.format(patient), patient)
    return tmp_path


def test_class_folders_give_one_finding_and_keep_the_published_split(folders, capsys):
    data = open_dataset(folders)
    assert (data.kind, data.findings, len(data)) == ("kermany", ("Pneumonia",), 30)
    assert data.table["split"].value_counts().to_dict() == {"train": 20, "test": 6, "valid": 4}
    assert data.labels.mean() == 0.5 and "person2" in data.patients and "IM-0001" in data.patients
    assert len(data.published) == 30 and capsys.readouterr().out == ""


def test_class_folders_that_share_a_patient(folders, capsys):
    picture(folders / "train" / "PNEUMONIA" / "person30_bacteria_7.jpeg")
    picture(folders / "train" / "PNEUMONIA" / "person22_virus_1.jpeg", 22)  # the very same file as in val
    data = open_dataset(folders)
    assert len(data) == 30 and len(data.published) == 32 and disjoint(data.table)
    assert "Left out 2 of the train part" in capsys.readouterr().out


def test_class_folders_without_parts(tmp_path):
    for patient in range(1, 21):
        picture(tmp_path / ("0_normal" if patient % 2 else "1_abnormal") / f"{patient:08d}_000.png", patient)
    data = open_dataset(tmp_path)
    assert data.findings == ("Abnormal",) and data.published is None and not data.knows("published_split")
    assert data.table["split"].value_counts().to_dict() == {"train": 14, "valid": 2, "test": 4}


def test_several_classes_and_a_picture_in_two_of_them(tmp_path):
    for patient in range(1, 21):
        picture(tmp_path / ["normal", "mass", "Edema"][patient % 3] / f"{patient:08d}_000.png", patient)
    (tmp_path / "Edema" / "00000001_000.png").write_bytes((tmp_path / "mass" / "00000001_000.png").read_bytes())
    data = open_dataset(tmp_path)
    row = data.table.set_index("image").loc["Edema/00000001_000.png"]
    assert data.findings == ("Mass", "Edema") and (row["Mass"], row["Edema"]) == (1, 1)


def test_a_picture_that_is_normal_and_not(tmp_path):
    for label in ("normal", "mass"):
        picture(tmp_path / label / "00000001_000.png")
    with pytest.raises(DataError, match="00000001_000.png lies in a normal folder and in another"):
        open_dataset(tmp_path)


def test_different_pictures_of_one_name_are_told_apart(tmp_path, capsys):
    for label, size in (("normal", 8), ("mass", 64)):
        for number in range(5):
            (tmp_path / label).mkdir(exist_ok=True)
            noise = np.random.default_rng(number).integers(0, 255, (size, size), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / label / f"{number}.png")
    data = open_dataset(tmp_path)
    assert len(data) == 10 and data.labels.sum() == 5
    assert data.path("mass/3.png").parent.name == "mass"
    assert "10 of 10 file names tell no patient" in capsys.readouterr().out


def test_folders_of_pictures_without_a_table_are_not_taken_for_classes(tmp_path):
    for folder in ("images", "original"):
        picture(tmp_path / folder / "00000001_000.png")
    with pytest.raises(DataError, match=r"none of the known layouts: it holds images/, original/ \(2 images below\)"):
        open_dataset(tmp_path)


def test_an_unknown_layout_names_those_that_are_known(tmp_path):
    with pytest.raises(DataError, match="it holds nothing.*phantom.*nih.*tables train.*dataset.toml.*class folders"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(DataError, match="is a file"):
        open_dataset(tmp_path / "file.txt")


def test_a_relative_folder_is_found_from_the_folder_of_a_lesson(folders, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("CXR_HOME", str(folders.parent))
    monkeypatch.chdir(tmp_path_factory.mktemp("lesson"))
    assert len(open_dataset(folders.name)) == 30


def test_a_link_to_a_parent_does_not_go_round(tmp_path, link):
    picture(tmp_path / "normal" / "1.png")
    link(tmp_path / "normal" / "up", tmp_path)
    assert look(tmp_path).images == ["1.png"] and look(tmp_path).root == tmp_path / "normal"


def test_hidden_files_are_passed_over(tmp_path):
    for name in (".hidden/1.png", "__MACOSX/2.png", "._3.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = look(tmp_path)
    assert not found.images and found.passed_over == {"__MACOSX folders": 1, "hidden files": 2}


@pytest.mark.parametrize(
    ("image", "patient"),
    [
        ("00000013_005.png", "13"),
        ("00030805_000.png", "30805"),
        ("person12_bacteria_3.jpeg", "person12"),
        ("person1949_virus_4880.jpeg", "person1949"),
        ("IM-0115-0001.jpeg", "IM-0115"),
        ("IM-0553-0001-0002.jpeg", "IM-0553"),
        ("NORMAL2-IM-0115-0001.jpeg", "NORMAL2-IM-0115"),
        ("13_005.png", None),
        ("00000013_005_copy.png", None),
        ("scan.png", None),
    ],
)
def test_patients_in_file_names(image, patient):
    assert patient_of(image) == patient


def test_a_data_set_can_be_cut_and_never_changes(folders):
    data = open_dataset(folders)
    mask = data.labels[:, 0] == 1
    assert len(data.subset(mask, "sick")) == 15 and data.subset(np.flatnonzero(mask), "sick").labels.all()
    assert data.subset([3, 1], "two").table["image"].tolist() == data.table["image"].iloc[[3, 1]].tolist()
    assert len(data) == 30
    with pytest.raises(DataError, match="Expected train, valid or test"):
        data.part("val")
    with pytest.raises(DataError, match="The test part of sick train is empty"):
        data.subset(mask, "sick").part("train").part("test")


def test_missing_files_are_explained(course):
    data = open_dataset(course)
    with pytest.raises(DataError, match="None of the 4 images"):
        data.with_images()
    with pytest.raises(DataError, match="There is no file a.png"):
        data.path("a.png")


def test_knows_gives_true_or_the_reason(folders):
    data = open_dataset(folders)
    for what in ("boxes", "age", "sex", "view", "several_findings", "follow_ups", "simulated_truth"):
        assert isinstance(data.knows(what), Missing) and data.knows(what).reason.endswith(".")
    assert data.knows("images") is True and data.knows("published_split") is True
    with pytest.raises(DataError, match="Expected one of boxes"):
        data.knows("colour")
    with pytest.raises(DataError, match="Expected the phantom"):
        data.truth()


def test_nih_knows_all_but_what_only_simulation_knows(nih):
    data = open_dataset(nih)
    for what in ("boxes", "age", "sex", "view", "several_findings", "follow_ups", "published_split"):
        assert data.knows(what) is True
    assert not data.knows("images") and not data.knows("simulated_truth")


def test_repr_is_one_line_without_a_path(folders):
    text = repr(open_dataset(folders))
    assert text == (
        f"Dataset {folders.name}: 30 images of 30 patients, 1 finding (train 20, valid 4, test 6), 30 image files"
    )
    assert str(folders.parent) not in text


def test_digest_follows_table_and_files(folders):
    data = open_dataset(folders)
    assert open_dataset(folders).digest == data.digest
    assert data.part("train").digest != data.digest
    os.utime(data.path("train/NORMAL/IM-0001-0001.jpeg"), ns=(1, 1))
    assert open_dataset(folders).digest != data.digest


def test_summary_counts_by_part(nih):
    counts = open_dataset(nih).summary()
    assert counts.loc["test", ["images", "patients", "Mass", "Hernia", "Edema"]].tolist() == [30, 15, 10, 10, 0]
    assert counts["images"].sum() == 120 and counts["patients"].sum() == 60


def test_real_nih(real_data, capsys):
    data = open_dataset(real_data / "nih")
    here = data.with_images()
    raw = pd.read_csv(real_data / "nih" / "Data_Entry_2017_v2020.csv.gz")
    positives = raw["Finding Labels"].str.get_dummies()  # the slow way, as the oracle
    assert (len(data), len(here), data.findings) == (112_120, 599, FINDINGS)
    assert np.array_equal(data.table[list(FINDINGS)], positives[list(FINDINGS)])
    assert data.table["patient"].tolist() == raw["Patient ID"].astype(str).tolist()
    assert disjoint(data.table) and {path.parent.name for path in here.files.values()} == {"images"}
    assert (here.summary()[list(FINDINGS)] >= 3).all().all()
    assert data.boxes["image"].nunique() == 880 and len(data.boxes) == 984
    corners = data.boxes[["x", "y"]].to_numpy() + data.boxes[["width", "height"]]
    assert corners.to_numpy().max() <= 1.001 and (data.boxes[["width", "height"]] > 0).all().all()
    told = capsys.readouterr().out
    assert told.count("note:") == 2 and "30 pictures have the name of another one" in told


def test_real_paediatric_folders(real_data, capsys):
    data = open_dataset(real_data / "pneumonia")
    assert (data.kind, data.findings) == ("kermany", ("Pneumonia",))
    assert data.table["split"].value_counts().to_dict() == {"train": 1011, "test": 264, "valid": 125}
    assert disjoint(data.table) and capsys.readouterr().out == ""


def test_real_thumbnails_are_made_disjoint(real_data):
    data = open_dataset(real_data / "nih64")
    assert data.findings == ("Abnormal",) and disjoint(data.table)
    assert data.published["split"].value_counts().to_dict() == {"train": 600, "valid": 200, "test": 200}
    assert (data.table["split"] == "test").sum() == 200


def test_real_course_tables(real_data):
    data = open_dataset(real_data / "nih" / "course")
    raw = pd.read_csv(real_data / "nih" / "course" / "test.csv").set_index("Image")
    test = data.part("test").table.set_index("image")
    assert data.findings == FINDINGS and len(data.published) == 1620 and disjoint(data.table)
    assert test[list(FINDINGS)].equals(raw.loc[test.index, list(FINDINGS)].astype("int8").rename_axis("image"))


def test_frequencies_by_hand():
    table = pd.DataFrame(
        {"image": list("abcd"), "patient": "1", "split": "train", "Mass": [1, 0, 1, 1], "Hernia": [0, 0, 1, 0]}
    )
    counted = Dataset(
        "four", "nih", Path("."), table, ("Mass", "Hernia"), pd.DataFrame(), None, Files({})
    ).frequencies()
    assert counted.loc["Mass"].tolist() == [3, 0.75, 0.25]
    assert counted.loc["Hernia"].tolist() == [1, 0.25, 0.75]


def test_the_patients_of_the_shipped_weights_are_nobodys_test_patients():
    assert networks.simulated_record()["plan"]["seed"] == recognition.SCHOOL_SEED
    with pytest.raises(DataError, match="seed=1000 draws the patients on whom the shipped weights have learned"):
        open_dataset("phantom", seed=recognition.SCHOOL_SEED)
