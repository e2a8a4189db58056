"""MIMIC-CXR-JPG and PadChest in the layouts people have; and that a folder is taken for one collection."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr_utils.data.collections import chexpert
from cxr_utils.data.readers import recognition
from cxr_utils.data.schema import FINDINGS
from cxr_utils.errors import DataError

CASES = Path(__file__).parents[1] / "cases"


def read(root, uncertain="leave-out"):
    return recognition.read(recognition.walk(root), uncertain)


def touch(root, *names):
    """Empty files: a reader opens no picture."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names_of(folder) -> list[str]:
    return [module.__name__.rpartition(".")[2] for module in recognition.COLLECTIONS if module.recognise(folder)]


# --- MIMIC-CXR-JPG ---------------------------------------------------------------------------------------------
def write_mimic(root, kinds=("metadata", "split", "chexpert"), ending="csv.gz", labels="chexpert"):
    """Twelve studies of six patients, each with a frontal and a lateral view; the last patients are held out."""
    root.mkdir(parents=True, exist_ok=True)
    rows, split, found = [], [], []
    for number in range(12):
        subject, study = 10000032 + number // 2, 50414267 + number
        part = {8: "validate", 9: "validate", 10: "test", 11: "test"}.get(number, "train")
        found.append([subject, study, *([1.0, 0.0, -1.0, np.nan] * 5)[number % 4 :][:14]])
        for view in ("PA" if number % 2 else "AP", "LATERAL"):
            dicom = f"02aa804e-{number:04d}-{view.lower()}"
            rows.append([dicom, subject, study, view, 21800506])
            split.append([dicom, study, subject, part])
    tables = {
        "metadata": pd.DataFrame(rows, columns=["dicom_id", "subject_id", "study_id", "ViewPosition", "StudyDate"]),
        "split": pd.DataFrame(split, columns=["dicom_id", "study_id", "subject_id", "split"]),
        labels: pd.DataFrame(found, columns=["subject_id", "study_id", *sorted(chexpert.LABELS)]),
    }
    for kind in kinds:
        tables[kind].to_csv(root / f"mimic-cxr-2.0.0-{kind}.{ending}", index=False)
    return tables


def test_mimic_joins_its_three_tables(tmp_path):
    tables = write_mimic(tmp_path)
    here = "files/p10/p10000033/s50414270/02aa804e-0003-pa.jpg"
    touch(tmp_path, here, "files/p10/p10000033/s50414270/02aa804e-0003-lateral.jpg")
    contents = read(tmp_path)
    table = contents.table.set_index("image")
    assert contents.kind == "mimic_cxr_jpg" and len(table) == 12
    assert table.loc[here, ["patient", "split", "view"]].tolist() == ["10000033", "train", "PA"]
    assert list(contents.files) == [here] and "age" not in table and "sex" not in table
    assert table["split"].value_counts().to_dict() == {"train": 8, "valid": 2, "test": 2}
    told = tables["chexpert"].set_index("study_id").loc[[int(path.split("/s")[1][:8]) for path in table.index]]
    for name in contents.findings:
        cells = told["Pleural Effusion" if name == "Effusion" else name].to_numpy()
        wanted = np.where(cells == -1, np.nan, cells)
        if name != "Support Devices":
            wanted = np.where(np.isnan(cells) & (told["No Finding"] == 1), 0.0, wanted)
        np.testing.assert_array_equal(table[name].astype(float), wanted)
    notes = " ".join(contents.notes)
    assert "12 of 24 rows are left out, whose ViewPosition is not PA or AP." in notes
    assert "labels are those of mimic-cxr-2.0.0-chexpert.csv.gz" in notes


def test_a_study_without_labels_is_unknown(tmp_path):
    tables = write_mimic(tmp_path, ending="csv")
    tables["chexpert"][1:].to_csv(tmp_path / "mimic-cxr-2.0.0-chexpert.csv", index=False)
    contents = read(tmp_path)
    assert contents.table.iloc[0][list(contents.findings)].isna().all()
    assert not contents.table.iloc[1][list(contents.findings)].isna().all()


def test_mimic_without_tables_says_which_it_needs():
    message = r"without mimic-cxr-2.0.0-metadata.csv.gz and mimic-cxr-2.0.0-split.csv.gz and mimic.*-chexpert.csv.gz\. "
    for below in ("", "mimic-cxr-jpg/files/p11", "mimic-cxr-jpg/files/p11/p11000032/s50410267"):
        with pytest.raises(DataError, match=message):
            read(CASES / "15_mimic" / below)


def test_a_table_that_describes_no_picture_does_not_hide_mimic(tmp_path):
    touch(tmp_path, "p10/p10000032/s50414267/a.jpg", "p11/p11000032/s50414268/b.jpg")
    (tmp_path / "about.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="MIMIC-CXR-JPG without mimic-cxr-2.0.0-metadata"):
        read(tmp_path)
    (tmp_path / "mine.csv").write_text("path,Edema\np10/p10000032/s50414267/a.jpg,1\np11/p11000032/s50414268/b.jpg,0\n")
    assert names_of(recognition.walk(tmp_path)) == []


@pytest.mark.parametrize("lacking", ["metadata", "split", "chexpert"])
def test_the_table_that_mimic_lacks_is_named(tmp_path, lacking):
    write_mimic(tmp_path, [kind for kind in ("metadata", "split", "chexpert") if kind != lacking])
    with pytest.raises(DataError, match=rf"without mimic-cxr-2.0.0-{lacking}.csv.gz\. Expected .*PhysioNet"):
        read(tmp_path)


def test_negbio_counts_only_where_chexpert_is_not_there(tmp_path):
    write_mimic(tmp_path, ("metadata", "split", "negbio"), labels="negbio")
    assert any("labels are those of mimic-cxr-2.0.0-negbio.csv.gz" in note for note in read(tmp_path).notes)
    write_mimic(tmp_path, ["chexpert"])
    assert any("labels are those of mimic-cxr-2.0.0-chexpert.csv.gz" in note for note in read(tmp_path).notes)


def test_a_table_and_its_archive_are_one_and_two_editions_are_refused(tmp_path):
    write_mimic(tmp_path)
    write_mimic(tmp_path, ending="csv")
    assert len(read(tmp_path).table) == 12
    with (tmp_path / "mimic-cxr-2.0.0-split.csv").open("a") as file:
        file.write("other,1,2,train\n")
    with pytest.raises(DataError, match=r"split.csv and mimic-cxr-2.0.0-split.csv.gz, which differ"):
        read(tmp_path)


def test_rows_that_contradict_each_other_or_a_missing_column_are_refused(tmp_path):
    tables = write_mimic(tmp_path, ending="csv")
    found = tables["chexpert"]
    pd.concat([found, found[:1].assign(Edema=0.5)]).to_csv(tmp_path / "mimic-cxr-2.0.0-chexpert.csv", index=False)
    with pytest.raises(DataError, match=r"two rows for study_id 50414267 \(1 such\)"):
        read(tmp_path)
    found.drop(columns="Edema").to_csv(tmp_path / "mimic-cxr-2.0.0-chexpert.csv", index=False)
    with pytest.raises(DataError, match=r"Column Edema is missing in mimic-cxr-2.0.0-chexpert.csv"):
        read(tmp_path)
    found.assign(study_id="s" + found["study_id"].astype(str)).to_csv(
        tmp_path / "mimic-cxr-2.0.0-chexpert.csv", index=False
    )
    with pytest.raises(DataError, match=r"study_id is s50414267 in mimic-cxr-2.0.0-chexpert.csv and 50414267"):
        read(tmp_path)
    write_mimic(tmp_path, ["chexpert"], ending="csv")
    tables["split"][1:].to_csv(tmp_path / "mimic-cxr-2.0.0-split.csv", index=False)
    with pytest.raises(DataError, match="Column split holds ''"):
        read(tmp_path)


def test_patients_of_mimic_iv_give_sex_and_the_age_at_the_study(tmp_path):
    write_mimic(tmp_path)
    rows = [[10000032 + n, "F" if n else "M", 50 + n, 2175] for n in range(6)]
    pd.DataFrame(rows, columns=["subject_id", "gender", "anchor_age", "anchor_year"]).to_csv(
        tmp_path / "patients.csv", index=False
    )
    table = read(tmp_path).table
    assert table["sex"].tolist() == ["M", "M"] + ["F"] * 10
    assert table["age"].tolist() == [55, 55, 56, 56, 57, 57, 58, 58, 59, 59, 60, 60]


# --- PadChest --------------------------------------------------------------------------------------------------
COLUMNS = [
    "ImageID",
    "ImageDir",
    "StudyDate_DICOM",
    "StudyID",
    "PatientID",
    "PatientBirth",
    "PatientSex_DICOM",
    "Projection",
    "Labels",
]


def write_padchest(root, labels, views=None, name="PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"):
    """One image a patient; numbers of patients have 36 digits and differ in the last."""
    rows = [
        [f"{number}_03-088-097.png", number % 3, 20140917, number, 839860488694292331637988235681460980 + number,
         1940.0 + number, "F" if number % 2 else "M", (views or {}).get(number, "PA"), cell]
        for number, cell in enumerate(labels)
    ]  # fmt: skip
    root.mkdir(exist_ok=True)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(root / name)


def test_padchest_lists_labels_in_a_cell(tmp_path):
    said = [
        "['cardiomegaly', 'pleural effusion']", "['normal']", "['laminar atelectasis', 'scoliosis', 'unchanged']",
        "[' multiple nodules', 'hydropneumothorax', 'sternotomy']", "['kyphosis']",
        "['pulmonary mass', 'Pulmonary fibrosis']",
        "['infiltrates', 'hiatal hernia', 'pleural thickening', 'pulmonary edema', 'subcutaneous emphysema']",
    ]  # fmt: skip
    write_padchest(tmp_path, said, {0: "AP", 1: "AP_horizontal"})
    touch(tmp_path, "0/0_03-088-097.png", "1/1_03-088-097.png")
    contents = read(tmp_path)
    assert contents.kind == "padchest" and contents.findings == FINDINGS
    assert (contents.table[list(FINDINGS)].dtypes == np.int8).all()
    found = [{name for name in FINDINGS if row[name]} for _, row in contents.table.iterrows()]
    assert found == [
        {"Cardiomegaly", "Effusion"}, set(), {"Atelectasis"}, {"Nodule", "Effusion", "Pneumothorax"}, set(),
        {"Mass", "Fibrosis"}, {"Infiltration", "Hernia", "Pleural_Thickening", "Edema"},
    ]  # fmt: skip
    assert contents.table["patient"].tolist() == [str(839860488694292331637988235681460980 + n) for n in range(7)]
    assert contents.table["age"].tolist() == [74, 73, 72, 71, 70, 69, 68]
    assert contents.table["sex"].tolist() == list("MFMFMFM")
    assert contents.table["view"].tolist() == ["AP", "AP"] + ["PA"] * 5
    assert {image: path.parent.name for image, path in contents.files.items()} == {
        "0_03-088-097.png": "0", "1_03-088-097.png": "1",
    }  # fmt: skip
    assert any("4 other labels are left out" in note for note in contents.notes)


def test_padchest_leaves_out_what_says_nothing_and_what_is_not_frontal(tmp_path):
    said = ["['normal']"] * 4 + [
        None,
        "[]",
        "['']",
        "['unchanged']",
        "['exclude']",
        "['suboptimal study', 'cardiomegaly']",
        "['nodule']",
    ]
    write_padchest(tmp_path, said, {0: "L", 1: "COSTAL"})
    contents = read(tmp_path)
    assert [image.partition("_")[0] for image in contents.table["image"]] == ["2", "3", "10"]
    notes = " ".join(contents.notes)
    assert "6 of 11 rows are left out, whose labels are missing" in notes
    assert "2 of 5 rows are left out, whose Projection is not PA or AP or AP_horizontal." in notes


def test_a_padchest_table_without_its_labels_is_none(tmp_path):
    write_padchest(tmp_path, ["['normal']"] * 4)
    (name,) = tmp_path.glob("*.csv")
    pd.read_csv(name).drop(columns="Labels").to_csv(name, index=False)
    touch(tmp_path, "0/0_03-088-097.png")
    with pytest.raises(DataError, match=r"none of the known layouts: it holds .*PADCHEST.* has .*ImageID"):
        read(tmp_path)


def write(path, row, header):
    path.parent.mkdir()
    path.write_text(f"{header}\n{row}\n")


def test_padchest_without_its_table_says_so(tmp_path):
    name = "216840111366964012819207061112010307142602253_04-014-084.png"
    touch(tmp_path, f"0/{name}", f"1/1{name}")
    with pytest.raises(DataError, match="without their table. Expected PADCHEST_chest_x_ray_images_labels_160K"):
        read(tmp_path)


def test_folders_of_patients_and_studies_are_no_classes(tmp_path):
    touch(tmp_path, "p10/p10032/s50267/a.jpg", "p11/p11032/s50268/b.jpg")
    (tmp_path / "about.csv").write_text("a,b\n1,2\n")
    touch(tmp_path / "other", "sub-01/study_1/a.png", "Patient002/study 2/b.png", "case3/c.png")
    for folder in (tmp_path, tmp_path / "other"):
        with pytest.raises(DataError, match="none of the known layouts"):
            read(folder)


# --- one folder, one collection --------------------------------------------------------------------------------
def test_each_folder_is_recognised_by_one_reader(tmp_path):
    write(
        tmp_path / "chexpert" / "train.csv",
        f"patient00001/study1/view1_frontal.jpg,Frontal{',' * 14}",
        header=f"Path,Frontal/Lateral,{','.join(chexpert.LABELS)}",
    )
    write_mimic(tmp_path / "mimic_cxr_jpg")
    write_padchest(tmp_path / "padchest", ["['normal']"])
    write(tmp_path / "nih" / "Data_Entry_2017.csv", "1.png,Mass,1", header="Image Index,Finding Labels,Patient ID")
    for folder in sorted(tmp_path.iterdir()):
        assert names_of(recognition.walk(folder)) == [folder.name]
    assert [names_of(recognition.walk(CASES / name)) for name in ("12_chexpert", "15_mimic")] == [
        ["chexpert"],
        ["mimic_cxr_jpg"],
    ]
    with pytest.raises(DataError, match="tables or names of chexpert and of mimic_cxr_jpg"):
        (tmp_path / "both").mkdir()
        for name in ("chexpert/train.csv", "mimic_cxr_jpg/mimic-cxr-2.0.0-split.csv.gz"):
            shutil.copy(tmp_path / name, tmp_path / "both")
        read(tmp_path / "both")
