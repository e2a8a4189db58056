"""Collections known by the names of their files: Kermany, COVID-19 Radiography, tuberculosis, Roboflow."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr_utils.data.opening import open_dataset
from cxr_utils.data.readers import recognition
from cxr_utils.errors import DataError


def pictures(root: Path, *names: str) -> Path:
    """Pictures of one grey each, all different."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        number = sum(1 for _ in root.rglob("*.*"))
        Image.fromarray(np.array([[number, 0], [0, len(name)]], np.uint8)).save(path)
    return root


def kinds(root: Path) -> list[str]:
    """Names of all collections that recognise a folder."""
    folder = recognition.walk(root)
    return [one.__name__.rpartition(".")[2] for one in recognition.COLLECTIONS if one.recognise(folder)]


# --- Kermany ---------------------------------------------------------------------------------------------------
def kermany(root: Path, valid: int = 2) -> Path:
    normal = [f"train/NORMAL/IM-{n:04d}-0001.jpeg" for n in range(1, 41)]
    normal += ["train/NORMAL/IM-0041-0001-0002.jpeg", "test/NORMAL/NORMAL2-IM-0041-0001.jpeg"]
    ill = [f"train/PNEUMONIA/person{n}_bacteria_{n + 5}.jpeg" for n in range(1, 41)]
    ill += [f"test/PNEUMONIA/person{n}_virus_{n}.jpeg" for n in (40, 50)]
    for n in range(valid // 2):
        normal.append(f"val/NORMAL/NORMAL2-IM-{1400 + n}-0001.jpeg")
        ill.append(f"val/PNEUMONIA/person{1940 + n}_bacteria_1.jpeg")
    return pictures(root, *normal, *ill)


def test_kermany_keeps_its_parts_and_says_that_validation_is_tiny(tmp_path, capsys):
    data = open_dataset(kermany(tmp_path, valid=2))
    table = data.table.set_index("image")
    assert (data.kind, data.findings, len(data.published)) == ("kermany", ("Pneumonia",), 86)
    assert table.loc["test/PNEUMONIA/person40_virus_40.jpeg", ["patient", "split", "Pneumonia"]].tolist() == [
        "person40", "test", 1,
    ]  # fmt: skip
    assert "train/PNEUMONIA/person40_bacteria_45.jpeg" not in table.index and len(table) == 85
    assert table.loc["train/NORMAL/IM-0041-0001-0002.jpeg", "patient"] == "IM-0041"
    assert table.loc["test/NORMAL/NORMAL2-IM-0041-0001.jpeg", "patient"] == "NORMAL2-IM-0041"
    said = capsys.readouterr().out
    assert "the validation part has 2 pictures, as it was published" in said and "parts share patients" in said


def test_a_larger_validation_part_needs_no_word(tmp_path, capsys):
    assert open_dataset(kermany(tmp_path, valid=10)).kind == "kermany"
    assert "validation part" not in capsys.readouterr().out


def test_kermanys_first_generation_of_names_shares_four_patients(cases):
    data = open_dataset(cases / "11_mendeley_shared" / "chest_xray")
    published = data.published
    parts = published.groupby("patient")["split"].nunique()
    assert data.kind == "kermany" and sorted(parts.index[parts > 1]) == ["1006", "1007", "2006", "2007"]
    assert data.leakage().iloc[0].tolist() == ["train", "test", 4, 0, 8, 4]
    assert (data.table["split"] == "test").sum() == 8 and len(published) == 40 and len(data) == 32


def test_a_table_that_describes_kermanys_pictures_counts_before_their_folders(tmp_path):
    names = [path.relative_to(tmp_path).as_posix() for path in sorted(kermany(tmp_path).rglob("*.jpeg"))]
    rows = [f"{name},{int('virus' in name)}" for name in names]
    (tmp_path / "mine.csv").write_text("\n".join(["image,Infiltration", *rows]))
    assert open_dataset(tmp_path).findings == ("Infiltration",) and kinds(tmp_path) == []


def test_a_published_resplit_of_them_is_no_table_of_the_folder(tmp_path):
    names = [path.name for path in sorted(kermany(tmp_path).rglob("*.jpeg"))]
    rows = [f"{part},NORMAL,{name}" for part in ("train", "test") for name in names]
    (tmp_path / "public_resplit.csv.gz").write_bytes(gzip.compress("\n".join(["Split,Label,Image", *rows]).encode()))
    assert open_dataset(tmp_path).kind == "kermany"


# --- COVID-19 Radiography ----------------------------------------------------------------------------------------
def test_covid_keeps_masks_as_masks(cases, capsys):
    data = open_dataset(cases / "14_covid_radiography" / "COVID-19_Radiography_Dataset")
    assert (data.kind, data.findings) == ("covid_radiography", ("COVID", "Lung_Opacity", "Viral Pneumonia"))
    assert len(data) == 32 and len(data.mask_files) == 32 and data.table["patient"].nunique() == 32
    assert data.table[list(data.findings)].sum().tolist() == [8, 8, 8]
    assert data.mask_files["COVID/images/COVID-3.png"].parts[-3:] == ("COVID", "masks", "COVID-3.png")
    assert data.part("train").mask_files is data.mask_files
    said = capsys.readouterr().out
    assert "32 masks are no pictures; 32 pictures have one of their own." in said
    assert "classes exclude each other" in said and "tell no patient" in said


def test_older_editions_of_covid_have_no_masks(tmp_path):
    for name in ("COVID-19", "NORMAL", "Viral Pneumonia"):
        pictures(tmp_path, *(f"{name}/{name} ({n}).png" for n in range(1, 6)))
    data = open_dataset(tmp_path)
    assert data.kind == "covid_radiography" and data.findings == ("COVID-19", "Viral Pneumonia")
    assert len(data.mask_files) == 0 and data.table.set_index("image").loc["NORMAL/NORMAL (2).png"].iloc[2:].sum() == 0


def test_masks_of_any_class_folders_go_to_the_picture_of_their_class(tmp_path):
    for label in ("Normal", "Tuberculosis"):
        pictures(tmp_path, *(f"{label}/images/{n}.png" for n in range(4)), f"{label}/masks/1.png")
    pictures(tmp_path, "Normal/images/2_mask.png", "Normal/lung_masks/2.png")  # two for one picture: neither
    data = open_dataset(tmp_path)
    assert data.kind == "folders" and len(data) == 8
    assert {name: path.parent.parent.name for name, path in data.mask_files.items()} == {
        "Normal/images/1.png": "Normal",
        "Tuberculosis/images/1.png": "Tuberculosis",
    }


# --- tuberculosis ------------------------------------------------------------------------------------------------
READINGS = {
    "CHNCXR_0001_0": "male 45yrs\nnormal",
    "CHNCXR_0002_0": "Female, 24 yrs\nnormal",
    "CHNCXR_0327_1": "female38yrs\nbilateral PTB, 3 months",
    "CHNCXR_0328_1": "male, 8 months\nSTB",
    "CHNCXR_0329_1": "",
    "MCUCXR_0001_0": "Patient's Sex: F\nPatient's Age: 027Y\nnormal\n",
    "MCUCXR_0104_1": "Patient's Sex: M\nPatient's Age: 058Y\nimproved cavitary infiltrate\n",
    "MCUCXR_0105_1": "Patient's Sex: O\nPatient's Age: ?\ninfiltrate",
}


def tuberculosis(root: Path, source: str) -> Path:
    names = [name for name in READINGS if name.startswith(source)]
    (root / "ClinicalReadings").mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / "ClinicalReadings" / f"{name}.txt").write_text(READINGS[name])
    return pictures(root, *(f"CXR_png/{name}.png" for name in names))


def test_shenzhen_has_its_label_in_the_name_and_sex_and_age_in_its_readings(tmp_path):
    tuberculosis(tmp_path, "CHN")
    pictures(tmp_path, "mask/CHNCXR_0327_1_mask.png")
    data = open_dataset(tmp_path)
    table = data.table.set_index("patient")
    assert (data.kind, data.findings, len(data)) == ("shenzhen", ("Tuberculosis",), 5)
    assert table["Tuberculosis"].to_dict() == {
        "CHNCXR_0001": 0, "CHNCXR_0002": 0, "CHNCXR_0327": 1, "CHNCXR_0328": 1, "CHNCXR_0329": 1,
    }  # fmt: skip
    assert table["sex"].tolist()[:4] == ["M", "F", "F", "M"] and table["sex"].isna().tolist()[4]
    assert table["age"].tolist()[:4] == pytest.approx([45, 24, 38, 8 / 12]) and np.isnan(table["age"].iloc[4])
    assert list(data.mask_files) == ["CXR_png/CHNCXR_0327_1.png"] and "collection" not in table


def test_montgomery_writes_its_readings_otherwise_and_has_two_masks_a_picture(tmp_path):
    tuberculosis(tmp_path, "MCU")
    for side in ("left", "right"):
        pictures(tmp_path, *(f"ManualMask/{side}Mask/{name}.png" for name in READINGS if name.startswith("MCU")))
    data = open_dataset(tmp_path)
    table = data.table.set_index("patient")
    assert (data.kind, len(data), len(data.mask_files)) == ("montgomery", 3, 0)
    assert table.loc["MCUCXR_0001", ["sex", "age", "Tuberculosis"]].tolist() == ["F", 27, 0]
    assert table.loc["MCUCXR_0104", ["sex", "age", "Tuberculosis"]].tolist() == ["M", 58, 1]
    assert table.loc["MCUCXR_0105", ["sex", "age"]].isna().all()


def test_both_in_one_folder_are_told_apart(tmp_path, capsys):
    tuberculosis(tmp_path, "CHN")
    pictures(tuberculosis(tmp_path, "MCU"), "CXR_png/logo.png", "test/CHNCXR_0330_1.png")
    data = open_dataset(tmp_path)
    assert data.kind == "tuberculosis" and len(data) == 9
    table = data.table.set_index("patient")
    assert table["collection"].value_counts().to_dict() == {"shenzhen": 6, "montgomery": 3}
    assert table.loc["CHNCXR_0330", "split"] == "test" and table.loc["MCUCXR_0001", "collection"] == "montgomery"
    assert "1 pictures have other names and are passed over" in capsys.readouterr().out


def test_kaggles_metadata_serve_as_readings(tmp_path):
    pictures(tmp_path, *(f"images/images/{name}.png" for name in READINGS if name.startswith("CHN")))
    rows = ["CHNCXR_0001_0.png,Male,45,normal", "CHNCXR_0327_1.png,Female,38,bilateral PTB"]
    (tmp_path / "shenzhen_metadata.csv").write_text("\n".join(["study_id,sex,age,findings", *rows]))
    table = open_dataset(tmp_path).table.set_index("patient")
    assert table.loc["CHNCXR_0001", ["sex", "age"]].tolist() == ["M", 45]
    assert table.loc["CHNCXR_0327", ["sex", "age"]].tolist() == ["F", 38] and table["age"].isna().sum() == 3


def test_names_of_one_label_only_are_refused(tmp_path):
    pictures(tmp_path, *(f"CXR_png/CHNCXR_000{n}_0.png" for n in range(5)))
    with pytest.raises(DataError, match="All 5 pictures of .* are normal by their names"):
        open_dataset(tmp_path)


# --- Roboflow ----------------------------------------------------------------------------------------------------
def test_roboflow_copies_share_the_patient_of_their_original(cases, capsys):
    data = open_dataset(cases / "16_roboflow")
    table = data.table.set_index("image")
    assert (data.kind, data.findings, len(data)) == ("roboflow", ("Pneumonia",), 44)
    assert table.loc["train/NORMAL/00001000_000_png.rf.2abc0.jpg", "patient"] == "1000"
    assert table.loc["train/PNEUMONIA/person3_bacteria_3_jpeg.rf.0def3.jpg", "patient"] == "person3"
    assert table["patient"].nunique() == 20 and "its 44 pictures are copies of 20 originals" in capsys.readouterr().out


def test_an_original_in_two_parts_is_a_leak_whatever_its_name(tmp_path, capsys):
    names = [f"{part}/{label}/{part[:2]}{n}_{label[0]}_png.rf.{copy}abc.jpg" for part in ("train", "valid", "test")
             for label in ("NORMAL", "PNEUMONIA") for n in range(3) for copy in range(2)]  # fmt: skip
    pictures(tmp_path, *names, "train/NORMAL/same_png.rf.1a.jpg", "test/NORMAL/same_png.rf.2b.jpg")
    data = open_dataset(tmp_path)
    table = data.table.set_index("image")
    assert data.kind == "roboflow" and table.loc["test/NORMAL/same_png.rf.2b.jpg", "patient"] == "same"
    assert "train/NORMAL/same_png.rf.1a.jpg" not in table.index and len(table) == 37
    assert table.loc["train/NORMAL/tr0_N_png.rf.0abc.jpg", "patient"] == "tr0_N"
    assert "parts share patients as they were published. Left out 1 of the train part" in capsys.readouterr().out


def classes(root: Path, header: str = "filename, Atelectasis, Pleural Effusion, No Finding") -> Path:
    for part in ("train", "valid", "test"):
        names = [f"{part[:2]}{n}_png.rf.{copy}.jpg" for n in range(4) for copy in ("0a", "1b")]
        pictures(root, *(f"{part}/{name}" for name in names))
        rows = [f"{name}, {int(n < 4)}, {int(n == 1)}, {int(n > 5)}" for n, name in enumerate(names)]
        (root / part / "_classes.csv").write_text("\n".join([header, *rows]) + "\n")
    (root / "README.roboflow.txt").write_text("exported")
    return root


def test_roboflow_for_several_labels_has_a_table_in_each_part(tmp_path):
    data = open_dataset(classes(tmp_path))
    assert (data.kind, data.findings, len(data)) == ("roboflow", ("Atelectasis", "Effusion"), 24)
    table = data.table.set_index("image")
    assert table["split"].value_counts().to_dict() == {"train": 8, "valid": 8, "test": 8} and data.on_disk().all()
    assert table.loc["te0_png.rf.1b.jpg", ["patient", "split", "Atelectasis", "Effusion"]].tolist() == [
        "te0", "test", 1, 1,
    ]  # fmt: skip
    assert table["Atelectasis"].sum() == 12 and table["Effusion"].sum() == 3 and table["patient"].nunique() == 12


def test_pictures_that_nobody_labelled_are_left_out(tmp_path, capsys):
    data = open_dataset(classes(tmp_path, "filename, Atelectasis, Effusion, Unlabeled"))
    assert len(data) == 18 and data.findings == ("Atelectasis", "Effusion")
    assert "6 of 24 rows are left out, whose Unlabeled is not 0" in capsys.readouterr().out


def test_exports_for_other_tasks_and_tables_that_differ_are_refused(tmp_path):
    table = classes(tmp_path) / "test" / "_classes.csv"
    table.write_text(table.read_text().replace("Atelectasis", "Edema"))
    with pytest.raises(DataError, match="Column .* is missing in"):
        open_dataset(tmp_path)
    for part in ("train", "valid", "test"):
        (tmp_path / part / "_classes.csv").unlink()
    with pytest.raises(DataError, match="export of Roboflow without classes"):
        open_dataset(tmp_path)


# --- which is which ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("11_mendeley_shared", "kermany"),
        ("13_rsna", "rsna"),
        ("14_covid_radiography", "covid_radiography"),
        ("16_roboflow", "roboflow"),
        ("63_vindr", "vindr"),
    ],
)
def test_every_case_fits_one_collection(cases, case, kind):
    assert kinds(cases / case) == [kind]


@pytest.mark.parametrize(
    "names",
    [
        ["NORMAL/a1.jpeg", "PNEUMONIA/person1.jpeg", "PNEUMONIA/p2.jpeg"],
        ["IM-0001-0001.jpeg", "person1_bacteria_2.jpeg"],  # no class folders
        ["Normal/Normal-1.png", "Tuberculosis/Tuberculosis-1.png", "Normal/Normal-2.png"],
        ["COVID/scan1.png", "Normal/scan2.png"],
        ["CXR_png/CHNCXR_0001.png", "CXR_png/MCUCXR_2_5.png"],
        ["a/x.rf.png", "b/x_png.jpg"],
    ],
)
def test_what_only_looks_like_one_is_none(tmp_path, names):
    assert kinds(pictures(tmp_path, *names)) == []


# --- class folders of no known collection --------------------------------------------------------------------------
def test_a_level_that_all_pictures_share_is_no_class(tmp_path):
    names = [f"pneumo_2020/{label}/site_{n}/{n}.png" for label in ("sick", "well_0", "Normal") for n in range(3)]
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "notes.txt").write_text("so that it is not the only thing here")
    assert open_dataset(pictures(tmp_path / "one", *names)).findings == ("Sick", "Well_0")
    names = [f"pneumonia/{label}/{n}.png" for label in ("abnormal", "NORMAL") for n in range(4)]
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "notes.txt").write_text("as above")
    assert open_dataset(pictures(tmp_path / "two", *names)).findings == ("Abnormal",)


def test_hospitals_above_the_classes_are_none_and_spellings_of_a_class_are_one(tmp_path):
    names = [f"hospital_{a}/{label}/{n}.png" for a in "ab" for label in ("NORMAL", "covid-19") for n in range(4)]
    data = open_dataset(pictures(tmp_path, *names, "hospital_c/Covid-19/0.png", "hospital_c/normal/0.png"))
    assert data.kind == "folders" and len(data) == 18 and len(data.findings) == 1 and data.labels.sum() == 9


@pytest.mark.parametrize("names", [("class_0", "class_1"), ("Category 0", "Category 1"), ("00", "01")])
def test_numbered_classes_are_negative_and_positive(tmp_path, names, capsys):
    data = open_dataset(pictures(tmp_path, *(f"{name}/{n}.png" for name in names for n in range(4))))
    assert data.findings == ("Positive",) and data.labels.sum() == 4
    assert data.table.set_index("image").loc[f"{names[1]}/0.png", "Positive"] == 1
    assert f"folder {names[0]} is taken for negative" in capsys.readouterr().out


def test_more_numbers_than_two_tell_nothing(tmp_path):
    pictures(tmp_path, *(f"class_{name}/{n}.png" for name in range(3) for n in range(4)))
    with pytest.raises(DataError, match="The class folders are called class_0, class_1, class_2. Expected names"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("one", "other", "finding"),
    [
        ("NonCOVID", "COVID", "COVID"),
        ("TB", "No_TB", "TB"),
        ("not pneumonia", "pneumonia", "Pneumonia"),
        ("0_non_pneumonia", "1_pneumonia", "Pneumonia"),
        ("Uninfected", "Parasite", "Parasite"),
        ("Controls", "Effusion", "Effusion"),
        ("neg", "pos", "Pos"),
        ("no", "yes", "Yes"),
    ],
)
def test_a_class_that_only_lacks_the_other_is_negative(tmp_path, one, other, finding):
    data = open_dataset(pictures(tmp_path, *(f"{label}/{n}.png" for label in (one, other) for n in range(4))))
    assert data.findings == (finding,)
    assert data.table.set_index("image").loc[[f"{one}/1.png", f"{other}/1.png"], finding].sum() == 1
    negative = one if one != "TB" else other
    assert data.table.set_index("image").loc[f"{negative}/1.png", finding] == 0


def test_of_three_classes_the_lack_of_one_is_a_class_of_its_own(tmp_path):
    names = [f"{label}/{n}.png" for label in ("COVID-19", "Non-COVID-19", "Normal") for n in range(3)]
    assert open_dataset(pictures(tmp_path, *names)).findings == ("COVID-19", "Non-COVID-19")


@pytest.mark.parametrize("folder", ["lung masks", "infection masks", "leftMask", "Masks", "lung_mask", "segmentation"])
def test_pictures_in_folders_of_masks_are_masks(tmp_path, folder):
    names = [f"{label}/{kind}/{n}.png" for label in ("A", "Normal") for kind in ("images", folder) for n in range(4)]
    found = recognition.walk(pictures(tmp_path, *names))
    assert len(found.images) == 8 and len(found.masks) == 8 and all("/images/" in name for name in found.images)


def test_a_folder_named_segmentation_may_hold_pictures_and_masks(tmp_path):
    name = "Lung Segmentation/{}/CHNCXR_000{}_{}.png"
    pictures(tmp_path, *(name.format("CXR_png", n, n % 2) for n in range(4)), "Lung Segmentation/NLM.png")
    pictures(tmp_path, *(f"Lung Segmentation/masks/CHNCXR_000{n}_{n % 2}_mask.png" for n in range(3)), "test/a.png")
    found = recognition.walk(tmp_path)
    assert len(found.images) == 6 and len(found.masks) == 3
    data = open_dataset(tmp_path)
    assert data.kind == "shenzhen" and len(data) == 4 and len(data.mask_files) == 3
