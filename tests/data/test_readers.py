"""Readers of each layout at their borders: odd spellings, lists that overlap, parts just large enough."""

import gzip

import numpy as np
import pandas as pd
import pytest

from cxr_utils.data.collections import nih
from cxr_utils.data.readers import files, folders, values
from cxr_utils.data.readers.files import Files, Folder, look
from cxr_utils.data.readers.match import match
from cxr_utils.data.readers.recognition import find_folder
from cxr_utils.data.readers.recognition import read as read_any
from cxr_utils.data.readers.tables import guessed
from cxr_utils.data.schema import FINDINGS, _some, binary, finding_name, in_order, require_columns, validate_table
from cxr_utils.errors import DataError


# --- files -----------------------------------------------------------------------------------------------------
def test_files_are_a_mapping_from_names_to_paths(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12345")
    given = Files({"a.png": str(tmp_path / "a.png"), "b.png": "elsewhere/b.png"})
    assert len(given) == 2 and list(given) == ["a.png", "b.png"] and given["b.png"].parent.name == "elsewhere"
    assert "a.png" in given and "c.png" not in given and given.stamp("a.png").startswith("5:")
    holding = given.holding(pd.Series(["c.png", "b.png", "a.png"], index=[7, 8, 9]))
    assert holding.tolist() == [False, True, True] and holding.dtype == bool


def write(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_a_walk_finds_pictures_and_tables_and_counts_what_it_passes_over(tmp_path):
    write(
        tmp_path, "z/1.PNG", "z/2.jpeg", "a/3.jpg", "a/deep/4.dcm", "a/5.dicom", "6.png", "b.csv.gz", "a/c.TSV", "d.csv"
    )
    write(tmp_path, "a/7.tif", "a/8.txt", "~$d.xlsx", "Thumbs.db", ".b.csv", "x/thumbnails/9.png", "a/1_thumb.png")
    found = look(tmp_path)
    assert found.images == ["6.png", "a/3.jpg", "a/5.dicom", "a/deep/4.dcm", "z/1.PNG", "z/2.jpeg"]
    assert found.tables == ["b.csv.gz", "d.csv", "a/c.TSV"] and found.masks == [] and found.root == tmp_path
    assert found.passed_over == {".tif files": 1, "hidden files": 2, "locks of office programs": 1, "thumbnails": 2}


@pytest.mark.parametrize(
    "mask",
    [
        "masks/1.png",
        "Lung_Masks/1.png",
        "a/mask/1.png",
        "leftMask/1.png",
        "1_mask.png",
        "mask_1.png",
        "masks_png/1.png",
        "ground_truth/1.png",
        "segmentation/x/1.png",
    ],
)
def test_masks_are_no_pictures(tmp_path, mask):
    write(tmp_path, "images/1.png", "unmasked/2.png", "masked_man.png", mask)
    found = look(tmp_path)
    assert found.masks == [mask] and found.images == ["images/1.png", "masked_man.png", "unmasked/2.png"]


def test_a_folder_that_holds_nothing_but_a_folder_is_that_folder(tmp_path):
    write(tmp_path, "archive/data/1.png", "archive/data/a/2.png", "archive/.DS_Store", "__MACOSX/1.png")
    assert look(tmp_path).root == tmp_path / "archive" / "data" and look(tmp_path).images == ["1.png", "a/2.png"]


def test_a_lonely_part_stays_a_part(tmp_path):
    write(tmp_path, "train/a/1.png")
    assert look(tmp_path).images == ["train/a/1.png"]


def test_a_linked_folder_is_walked_once(tmp_path, link):
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    write(root, "0.png")
    write(outside, "1.png")
    link(root / "one", outside)
    assert look(root).images == ["0.png", "one/1.png"]
    link(root / "two", outside)
    assert len(look(root).images) == 2


def test_of_two_folders_the_one_with_more_images_counts_and_of_equal_ones_the_last_by_name(tmp_path):
    folder = Folder(tmp_path, ["a/1.png", "a/3.png", "b/1.png", "b/2.png", "c/1.png"], [], [], {})
    found, (note,) = folder.files(pd.Series(["1.png", "2.png", "3.png"]))
    assert {name: path.parent.name for name, path in found.items()} == {"1.png": "b", "2.png": "b", "3.png": "a"}
    assert note.startswith("2 pictures have the name of another one.")
    (note,) = folder.files(pd.Series(["a/1.png", "c/1.png"]))[1]
    assert note.startswith("3 pictures are in no row of the table that is used, and are passed over: 2 in b, 1 in a.")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("images/a.png", "images/a.png"), ("a.png", "images/a.png"), ("a", "images/a.png"), ("a.PNG", "images/a.png"),
        (r"C:\data\images\a.png", "images/a.png"), ("root/images/a.jpg", "images/a.png"), ("b.png", None),
        ("p1/view.jpg", "x/p1/view.jpg"), ("p2/view.jpg", "x/p2/view.jpg"), ("p3/view.jpg", None), ("ma.png", None),
        ("2/view.jpg", None),
    ],
)  # fmt: skip
def test_a_name_means_the_file_that_ends_like_it(name, path):
    paths = ["images/a.png", "x/p1/view.jpg", "x/p2/view.jpg"]
    (found,) = match([name], paths)
    assert (paths[found] if found >= 0 else None) == path


def test_a_name_that_fits_two_files_is_refused_and_so_are_two_names_of_one_file():
    with pytest.raises(DataError, match="view fits a/view.jpg and b/view.jpg. Expected a name that tells one picture"):
        match(["view.jpg"], ["a/view.jpg", "b/view.jpg"])
    with pytest.raises(DataError, match="a.jpg and a.png both fit x/a.dcm"):
        match(["a.jpg", "a.png"], ["x/a.dcm"])


def test_a_patient_is_never_given_the_picture_of_another_one():
    """Every study calls its picture view1.jpg; the one at hand is of patient 2."""
    assert match(["p1/view1.jpg", "p2/view1.jpg"], ["p2/view1.jpg"]).tolist() == [-1, 0]
    assert match(["p1/view1.jpg", "p3/view1.jpg"], ["p2/view1.jpg"]).tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a,b\n1,2\n", {}), ("a;b\n1;2\n", {}), ("a\tb\n1\t2\n", {}), ("a,b\n1,2\n", {"encoding": "utf-8-sig"}),
        ("a\tb\n1\t2\n", {"encoding": "utf-16"}),
    ],
)  # fmt: skip
def test_tables_are_read_whatever_separates_their_columns(tmp_path, text, options):
    (tmp_path / "t.csv").write_text(text, **options)
    assert files.read_csv(tmp_path / "t.csv").to_dict("list") == {"a": [1], "b": [2]}


def test_a_table_in_a_western_european_encoding_is_read(tmp_path):
    (tmp_path / "t.csv").write_bytes("größe,b\nä,2\n".encode("cp1252"))
    assert files.read_csv(tmp_path / "t.csv").to_dict("list") == {"größe": ["ä"], "b": [2]}


def test_names_that_tell_no_patient_are_counted():
    images = pd.Series(["00000013_005.png", "a/scan.tar.png", "x.png"], index=[4, 5, 6])
    patients, (note,) = values.patients_of(images)
    assert patients.to_dict() == {4: "13", 5: "a/scan.tar", 6: "x"}
    assert note.startswith("2 of 3 file names tell no patient (such as a/scan.tar.png).")
    assert values.patients_of(images[:1])[1] == []


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
    tables = ["Data_Entry_2017.csv", *(path.name for path in root.glob("BBox*"))]
    return nih.read(Folder(root, [f"images/{name}" for name in images], [], tables, {}))


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
    texts = [
        "058Y",
        "018M",
        "073D",
        "41",
        "058y",
        "58 years",
        "058Y ",
        "3 weeks",
        ">89",
        "90+",
        "1,5 years",
        "odd",
        "Y",
        None,
    ]
    years, (note,) = values.years(pd.Series(texts))
    wanted = [58, 1.5, 0.2, 41, 58, 58, 58, 0.0575, 89, 90, 1.5, np.nan, np.nan, np.nan]
    assert years.tolist() == pytest.approx(wanted, abs=1e-3, nan_ok=True)
    assert note == "2 of 14 ages cannot be read (such as odd) and are unknown."


def test_patients_lose_their_leading_zeros_and_none_may_be_empty(tmp_path):
    assert values.names_of_patients(pd.Series(["007", " 12", "000", "A07"]), "it").tolist() == ["7", "12", "0", "A07"]
    assert values.names_of_patients(pd.Series([7, 7, 12]), "it").tolist() == ["7", "7", "12"]
    with pytest.raises(DataError, match="Patient ID is empty in row 2 of"):
        values.names_of_patients(pd.Series([7.0, 8.0, np.nan, np.nan]), "Patient ID")


def test_labels_are_taken_apart_and_other_findings_come_last():
    cells = pd.Series(["Mass|Fracture", "No Finding", np.nan, "", "Infiltrate|Mass"])
    table, findings = values.with_all_findings(values.labels_in_cells(cells)[0])
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
    (tmp_path / "BBox_List_2017.csv").write_text(
        'Image Index,Finding Label,Bbox\n00000003_000.png,Mass,"[20, 40,60, 80]"\n'
    )
    assert read(tmp_path).boxes.to_numpy().tolist() == [
        ["00000003_000.png", "Mass", *(n / side for n in (20, 40, 60, 80))]
    ]


def test_labels_of_a_table_of_their_own_come_in_either_style(tmp_path):
    path = tmp_path / "agreed.csv"
    for text in ("image,Mass,Edema\na.png,1,0\nb.png,0,1\n", "Image Index,Finding Labels\na.png,Mass\nb.png,Edema\n"):
        path.write_text(text)
        assert nih.read_labels(path, ("Edema", "Mass")).to_numpy().tolist() == [["a.png", 0, 1], ["b.png", 1, 0]]


# --- course tables and class folders ---------------------------------------------------------------------------
def test_tables_are_known_by_their_part_and_other_files_are_not(tmp_path):
    for name in ("my_TEST.csv", "b_val.csv", "train.csv.gz", "labels.csv", "train.txt"):
        (tmp_path / name).write_text("Image,Mass\n1.png,1\n")
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(b"Image,Mass\n2.png,1\n"))
    assert guessed(look(tmp_path)).tables == {"train.csv.gz": "train", "b_val.csv": "valid", "my_TEST.csv": "test"}


def test_columns_of_zeros_and_ones_are_findings_and_others_are_not(tmp_path):
    (tmp_path / "train.csv").write_text(
        "Image,PatientId,Mass,Fracture,Age,pleural thickening\n"
        + "".join(f"deep/{n}.png,{n},{n % 2},{n % 3 == 0:d},{n},0\n" for n in range(30))
    )
    write(tmp_path, "x/deep/3.png", "x/deep/30.png")
    contents = read_any(look(tmp_path))
    assert contents.findings == ("Mass", "Pleural_Thickening", "Fracture") and contents.kind == "course"
    assert contents.table["image"].tolist() == [f"deep/{n}.png" for n in range(30)]
    assert dict(contents.files) == {"deep/3.png": tmp_path / "x" / "deep" / "3.png"}
    assert contents.table["Fracture"].sum() == 10 and contents.table["patient"][7] == "7"
    assert contents.table["age"].tolist() == list(range(30))
    assert list(contents.published) == ["image", "patient", "split"] and len(contents.published) == 30


@pytest.mark.parametrize(
    ("part", "split"),
    [("train", "train"), ("Training", "train"), ("val", "valid"), ("VALIDATION", "valid"), ("testing", "test"),
     ("training_set", "train"), ("Test Data", "test"), ("1-val", "valid"), ("dev", "valid"), ("train_images", "train")],
)  # fmt: skip
@pytest.mark.parametrize("order", ["{part}/{label}", "{label}/{part}", "images/{part}/{label}/png"])
def test_folders_of_parts_are_known_by_name(tmp_path, part, split, order):
    names = [order.format(part=part, label=label) for label in ("mass", "mass/deeper", "normal")]
    found = folders.class_folders(Folder(tmp_path, sorted(f"{name}/1.png" for name in names), [], [], {}))
    assert found["split"].tolist() == [split] * 3 and sorted(found["label"]) == ["mass", "mass", "normal"]


@pytest.mark.parametrize(
    "names", [["images"], ["images_002", "mass"], [".", "mass"], ["mass"], ["train"], ["data/files", "a"]]
)
def test_folders_without_classes_are_no_class_folders(tmp_path, names):
    paths = [f"{name}/1.png".removeprefix("./") for name in names]
    assert folders.class_folders(Folder(tmp_path, paths, [], [], {})) is None


@pytest.mark.parametrize(
    ("label", "finding"),
    [("1_abnormal", "Abnormal"), ("0-NORMAL", None), ("No_Finding", None), ("PNEUMONIA", "Pneumonia"),
     ("infiltrate", "Infiltration"), ("COVID-19", "COVID-19"), ("ABNORMAL", "Abnormal"),
     ("RibFracture", "RibFracture"), ("healthy", None)],
)  # fmt: skip
def test_a_class_folder_names_its_finding(label, finding):
    assert folders._finding(label) == finding


@pytest.mark.parametrize(("count", "more"), [(6, " (0"), (8, " and 2 more (0")])
def test_six_entries_of_an_unknown_folder_are_listed(tmp_path, count, more):
    for number in range(count):
        (tmp_path / f"{number}.txt").write_text("")
    with pytest.raises(DataError) as told:
        read_any(look(tmp_path))
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
