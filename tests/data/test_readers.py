"""Readers of each layout at their borders: odd spellings, lists that overlap, parts just large enough."""

import os

import numpy as np
import pandas as pd
import pytest

from cxr_utils.data.readers import course, files, find_folder, folders, nih
from cxr_utils.data.readers import read as read_any
from cxr_utils.data.readers.files import Files
from cxr_utils.data.schema import FINDINGS, _some, binary, finding_name, in_order, require_columns, validate_table
from cxr_utils.errors import DataError


# --- files -----------------------------------------------------------------------------------------------------
def test_files_are_a_mapping_from_names_to_paths(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12345")
    given = Files({"a.png": str(tmp_path / "a.png"), "b.png": "elsewhere/b.png"})
    assert len(given) == 2 and list(given) == ["a.png", "b.png"] and given["b.png"].parent.name == "elsewhere"
    assert "a.png" in given and "c.png" not in given and given.status("a.png").st_size == 5
    holding = given.holding(pd.Series(["c.png", "b.png", "a.png"], index=[7, 8, 9]))
    assert holding.tolist() == [False, True, True] and holding.dtype == bool


def test_images_are_found_by_their_ending_in_every_folder(tmp_path):
    for name in ("z/1.PNG", "z/2.jpeg", "a/3.jpg", "a/deep/4.dcm", "a/5.dicom", "6.png", "a/7.tif", "a/8.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = files.find_images(tmp_path)
    assert found == {
        str(tmp_path): ["6.png"],
        str(tmp_path / "a"): ["3.jpg", "5.dicom"],
        str(tmp_path / "a" / "deep"): ["4.dcm"],
        str(tmp_path / "z"): ["1.PNG", "2.jpeg"],
    }
    assert list(found) == sorted(found)


def test_a_linked_folder_is_walked_once(tmp_path):
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    for folder in (outside, root):
        folder.mkdir()
    (outside / "1.png").write_bytes(b"")
    os.symlink(outside, root / "one")
    assert files.find_images(root) == {str(root / "one"): ["1.png"]}
    os.symlink(outside, root / "two")
    assert sum(len(names) for names in files.find_images(root).values()) == 1


def test_of_two_folders_the_one_with_more_images_counts_and_of_equal_ones_the_last_by_name():
    named = files.by_name({"b": ["1.png", "2.png"], "a": ["1.png", "3.png"], "c": ["1.png"]})
    assert {name: path.parent.name for name, path in named.items()} == {"1.png": "b", "2.png": "b", "3.png": "a"}


def test_names_that_tell_no_patient_are_counted():
    images = pd.Series(["00000013_005.png", "scan.tar.png", "x.png"], index=[4, 5, 6])
    patients, (note,) = files.patients_of(images)
    assert patients.to_dict() == {4: "13", 5: "scan.tar", 6: "x"}
    assert note.startswith("2 of 3 file names tell no patient (such as scan.tar.png).")
    assert files.patients_of(images[:1])[1] == []


# --- NIH -------------------------------------------------------------------------------------------------------
def write_nih(root, patients: int = 40, tested: int = 9, valid: int = 0, ages: str = "{}", header: str = "") -> None:
    """One image a patient, the last ones on the test list and, where asked, those before them on the valid list."""
    names = [f"{number:08d}_000.png" for number in range(patients)]
    rows = [
        f"{name},{'Mass' if n % 4 == 0 else 'No Finding'},0,{n:04d},{ages.format(30 + n)}"
        for n, name in enumerate(names)
    ]
    columns = header or "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age"
    (root / "Data_Entry_2017.csv").write_text("\n".join([columns, *rows]))
    edges = (patients - tested - valid, patients - tested)
    lists = {"train": names[: edges[0]], "valid": names[edges[0] : edges[1]], "test": names[edges[1] :]}
    if not valid:
        lists = {"train_val": lists["train"], "test": lists["test"]}
    for name, images in lists.items():
        (root / f"{name}_list.txt").write_text("".join(f"{image} \n" for image in images))


def read(root, at_hand: list[str] | None = None):
    images = [f"{number:08d}_000.png" for number in range(40)] if at_hand is None else at_hand
    return nih.read_nih(root, root / "Data_Entry_2017.csv", {str(root / "images"): images})


def test_one_patient_in_eight_of_the_training_part_validates(tmp_path):
    import zlib

    write_nih(tmp_path)
    table = read(tmp_path).table
    held = [str(n) for n in range(31) if zlib.crc32(str(n).encode()) % 8 == 0]
    assert table["patient"][table["split"] == "valid"].tolist() == held and len(held) > 1
    assert table["patient"][table["split"] == "test"].tolist() == [str(n) for n in range(31, 40)]


def test_ages_are_years_whatever_their_unit(tmp_path):
    write_nih(tmp_path)
    assert read(tmp_path).table["age"].tolist() == list(range(30, 70))
    years = nih._years(pd.Series(["058Y", "018M", "073D", "41", "odd"]))
    assert years[:4].tolist() == pytest.approx([58, 1.5, 0.2, 41], abs=1e-3) and np.isnan(years[4])


def test_patients_lose_their_leading_zeros_and_none_may_be_empty(tmp_path):
    assert nih._patients(pd.Series(["007", " 12", "000", "A07"])).tolist() == ["7", "12", "0", "A07"]
    assert nih._patients(pd.Series([7, 7, 12])).tolist() == ["7", "7", "12"]
    with pytest.raises(DataError, match="Patient ID is empty in row 2 of"):
        nih._patients(pd.Series([7.0, 8.0, np.nan, np.nan]))


def test_labels_are_taken_apart_and_other_findings_come_last():
    table, findings = nih._labels(pd.Series(["Mass|Fracture", "No Finding", np.nan, "", "Infiltrate|Mass"]))
    assert findings == (*FINDINGS, "Fracture") and (table.dtypes == np.int8).all()
    assert table[["Mass", "Fracture", "Infiltration"]].to_numpy().tolist() == [
        [1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 1],
    ]  # fmt: skip
    assert table.to_numpy().sum() == 4


def test_an_image_on_two_lists_is_in_the_later_part_and_the_lists_are_kept_as_published(tmp_path):
    write_nih(tmp_path, tested=10, valid=5)
    first = "00000000_000.png"
    with (tmp_path / "test_list.txt").open("a") as file:
        file.write(f"{first}\n99999999_000.png\n")
    contents = read(tmp_path)
    assert contents.table.set_index("image").loc[first, "split"] == "test"
    assert contents.published["split"].value_counts().to_dict() == {"train": 25, "test": 11, "valid": 5}
    assert nih.official_lists(tmp_path)["split"].value_counts().to_dict() == {"train": 25, "test": 12, "valid": 5}


def images_at_hand(train: int, valid: int, test: int) -> list[str]:
    """Of 40 images, 10 of which validate (from 20) and 10 test (from 30)."""
    return [f"{n:08d}_000.png" for n in [*range(train), *range(20, 20 + valid), *range(30, 30 + test)]]


@pytest.mark.parametrize(
    ("train", "valid", "test", "kept"),
    [(10, 3, 3, True), (15, 1, 4, True), (20, 1, 4, False), (14, 2, 3, False), (20, 1, 5, False), (9, 0, 3, False),
     (20, 10, 10, True), (2, 0, 0, True), (3, 0, 0, False)],
)  # fmt: skip
def test_parts_among_the_images_at_hand_are_divided_afresh_where_one_is_too_small(tmp_path, train, valid, test, kept):
    """Kept are at least 5 % to validate and 18 % to test; all images, or fewer patients than parts, are left alone."""
    write_nih(tmp_path, tested=10, valid=10)
    here = images_at_hand(train, valid, test)
    total = train + valid + test
    contents = read(tmp_path, here)
    assert ([note for note in contents.notes if "afresh" in note] == []) == kept
    official = pd.Series(["train"] * 20 + ["valid"] * 10 + ["test"] * 10)
    assert (contents.table["split"].tolist() == official.tolist()) == kept
    if not kept:
        counts = contents.table[contents.table["image"].isin(here)]["split"].value_counts()
        assert abs(counts.get("train", 0) - 0.6 * total) <= 1 and abs(counts.get("test", 0) - 0.25 * total) <= 1
        assert f"only {total} of 40 images are here, {test} of them on the official test list" in contents.notes[-1]
        elsewhere = ~contents.table["image"].isin(here)
        assert contents.table["split"][elsewhere].tolist() == official[elsewhere].tolist()


def test_images_that_are_not_here_follow_their_patient(tmp_path):
    table = pd.DataFrame({"image": map(str, range(40)), "patient": map(str, np.arange(40) // 2), "split": "train"})
    table["Mass"] = 0
    here = Files({str(number): "x" for number in range(0, 30, 2)})
    moved, notes = nih._fit_to_images(table, ("Mass",), here)
    assert len(notes) == 1 and (moved.groupby("patient")["split"].nunique() == 1).all()
    assert set(moved["split"][:30]) == {"train", "valid", "test"} and set(moved["split"][30:]) == {"train"}


def test_consensus_replaces_labels_of_the_test_part_only(tmp_path):
    write_nih(tmp_path, tested=10, valid=5)
    rows = ["Image Index,Finding Labels"] + [f"{n:08d}_000.png,Hernia" for n in (0, 26, 31, 31, 32)]
    (tmp_path / "consensus_test.csv").write_text("\n".join(rows))
    table = read(tmp_path).table.set_index("patient")
    assert table.index[table["Hernia"] == 1].tolist() == ["31", "32"]
    assert table.loc["32", "Mass"] == 0 and table.loc["36", "Mass"] == 1 and table.loc["0", "Mass"] == 1


@pytest.mark.parametrize(("cohort", "side"), [(None, 1024), ('{"size": 200}', 200)])
def test_boxes_are_fractions_of_the_side_in_which_they_are_given(tmp_path, cohort, side):
    write_nih(tmp_path)
    if cohort:
        (tmp_path / "cohort.json").write_text(cohort)
    box = "Image Index,Finding Label,Bbox [x,y,w,h],,,\na.png,Infiltrate,20,40,60,80,,,\na.png,Fracture,1,1,1,1,,,\n"
    (tmp_path / "BBox_List_2017.csv").write_text(box)
    contents = read(tmp_path)
    assert contents.kind == ("phantom" if cohort else "nih")
    assert contents.boxes.to_numpy().tolist() == [["a.png", "Infiltration", *(n / side for n in (20, 40, 60, 80))]]
    (tmp_path / "BBox_List_2017.csv").write_text("a,b,c,d,e\n1,2,3,4,5\n")
    with pytest.raises(DataError, match="BBox_List_2017.csv has 5 columns"):
        read(tmp_path)


def test_labels_of_a_table_of_their_own_come_in_either_style(tmp_path):
    path = tmp_path / "agreed.csv"
    for text in ("image,Mass,Edema\na.png,1,0\nb.png,0,1\n", "Image Index,Finding Labels\na.png,Mass\nb.png,Edema\n"):
        path.write_text(text)
        assert nih.read_labels(path, ("Edema", "Mass")).to_numpy().tolist() == [["a.png", 0, 1], ["b.png", 1, 0]]


# --- course tables and class folders ---------------------------------------------------------------------------
def test_tables_are_known_by_their_part_and_other_files_are_not(tmp_path):
    for name in ("my_TEST.csv", "b_val.csv", "train.csv.gz", "labels.csv", "train.txt", "a_training.csv"):
        (tmp_path / name).write_text("")
    assert [path.name for path in course.course_tables(tmp_path)] == [
        "a_training.csv", "train.csv.gz", "b_val.csv", "my_TEST.csv",
    ]  # fmt: skip


def test_columns_of_zeros_and_ones_are_findings_and_others_are_not(tmp_path):
    (tmp_path / "train.csv").write_text(
        "Image,PatientId,Mass,Fracture,Age,pleural thickening\n"
        + "".join(f"deep/{n}.png,{n},{n % 2},{n % 3 == 0:d},{n},0\n" for n in range(30))
    )
    contents = course.read_course(tmp_path, course.course_tables(tmp_path), {"x": ["3.png"]})
    assert contents.findings == ("Mass", "Pleural_Thickening", "Fracture") and contents.kind == "course"
    assert contents.table["image"].tolist() == [f"{n}.png" for n in range(30)] and list(contents.files) == ["3.png"]
    assert contents.table["Fracture"].sum() == 10 and contents.table["patient"][7] == "7"
    assert list(contents.published) == ["image", "patient", "split"] and len(contents.published) == 30


@pytest.mark.parametrize(
    ("part", "split"),
    [("train", "train"), ("Training", "train"), ("val", "valid"), ("VALIDATION", "valid"), ("testing", "test")],
)
def test_folders_of_parts_are_known_by_name(tmp_path, part, split):
    listed = {str(tmp_path / part / label): ["1.png"] for label in ("normal", "mass", "mass/deeper")}
    found = folders.class_folders(tmp_path, listed)
    assert found["split"].tolist() == [split] * 3 and found["label"].tolist() == ["normal", "mass", "mass"]
    assert found["path"][1] == os.path.join(tmp_path, part, "mass", "1.png")


@pytest.mark.parametrize(
    "names", [["images"], ["images_002", "mass"], [".", "mass"], ["mass"], ["train"], ["Masks", "a"]]
)
def test_folders_without_classes_are_no_class_folders(tmp_path, names):
    assert folders.class_folders(tmp_path, {str(tmp_path / name): ["1.png"] for name in names}) is None


@pytest.mark.parametrize(
    ("label", "finding"),
    [("1_abnormal", "Abnormal"), ("0-NORMAL", None), ("No_Finding", None), ("PNEUMONIA", "Pneumonia"),
     ("infiltrate", "Infiltration"), ("COVID-19", "Covid-19"), ("RibFracture", "RibFracture"), ("healthy", None)],
)  # fmt: skip
def test_a_class_folder_names_its_finding(label, finding):
    assert folders._finding(label) == finding


@pytest.mark.parametrize(("count", "more"), [(6, " (0"), (8, " and 2 more (0")])
def test_six_entries_of_an_unknown_folder_are_listed(tmp_path, count, more):
    for number in range(count):
        (tmp_path / f"{number}.txt").write_text("")
    with pytest.raises(DataError) as told:
        read_any(tmp_path)
    assert f"it holds 0.txt, 1.txt, 2.txt, 3.txt, 4.txt, 5.txt{more} images below)" in str(told.value)


def test_a_relative_folder_is_looked_for_here_and_then_in_the_repository(tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home / "only_home", home / "both", here / "both"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("CXR_HOME", str(home))
    monkeypatch.chdir(here)
    assert find_folder("only_home") == home / "only_home"
    assert find_folder("both").resolve() == here / "both" and str(find_folder("nowhere")) == "nowhere"
    assert find_folder("~") == type(home)("~").expanduser()


# --- the contract ----------------------------------------------------------------------------------------------
def test_messages_list_eight_names_and_count_the_rest():
    assert _some([]) == "no columns" and _some("ab") == "a, b" and _some("abcdefgh") == "a, b, c, d, e, f, g, h"
    assert _some("abcdefghi") == "a, b, c, d, e, f, g, h and 1 more" and _some([1, 2, 3], 2) == "1, 2 and 1 more"
    assert _some("abcdefghij").endswith("h and 2 more")


def test_faults_are_counted_and_the_first_is_named():
    with pytest.raises(DataError, match=r"Label Mass is 2.0 in row 1 \(2 such rows\)"):
        binary(pd.Series([0, 2.0, 1, 3], index=[9, 8, 7, 6]), "Mass")
    table = pd.DataFrame({"image": ["a", "b", "a", "a"], "patient": "1", "split": "train"})
    with pytest.raises(DataError, match=r"Image a has more than one row \(2 rows too many\)"):
        validate_table(table, [])
    with pytest.raises(DataError, match=r"Column patient is empty in row 2 \(2 such rows\)"):
        validate_table(table.assign(patient=["1", "2", None, None]), [])
    with pytest.raises(DataError, match="Columns? b, c is missing in x.csv, which has a. Expected the columns a, b, c"):
        require_columns(pd.DataFrame({"a": []}), ["a", "b", "c"], "x.csv")


def test_labels_are_int8_in_a_fresh_index_and_ages_are_numbers():
    labels = binary(pd.Series([True, False], index=[5, 6]), "Mass")
    assert labels.dtype == np.int8 and labels.index.tolist() == [0, 1] and labels.name == "Mass"
    table = pd.DataFrame({"image": ["a"], "patient": "1", "split": "train", "age": [40], "sex": "F", "other": 1})
    valid = validate_table(table.set_index(pd.Index([3])), [])
    assert list(valid) == ["image", "patient", "split", "age", "sex"] and valid["age"].dtype == float
    assert valid.iloc[0].tolist() == ["a", "1", "train", 40.0, "F"]


def test_findings_are_spelled_and_ordered_as_in_nih():
    spellings = ["pleural effusion", " Mass ", "PLEURALTHICKENING", "Hernia", "effusion"]
    assert [finding_name(name) for name in spellings] == [
        "Effusion",
        "Mass",
        "Pleural_Thickening",
        "Hernia",
        "Effusion",
    ]
    assert in_order(["Zebra", "Hernia", "Apple", "Mass", "Mass"]) == ("Mass", "Hernia", "Apple", "Zebra")
