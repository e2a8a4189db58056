"""Folders that people really have, in small (`tests/cases`): each comes out as a sensible user expects.

The tables are those that were met; the pictures are written by the fixture `cases`.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from cxr_utils.data.images import read_image
from cxr_utils.data.opening import look_into, open_dataset
from cxr_utils.data.schema import FINDINGS
from cxr_utils.errors import DataError, ImageError
from cxr_utils.evaluation.evaluation import evaluate
from cxr_utils.evaluation.predictions import read_predictions

CASES = Path(__file__).parents[1] / "cases"


def opened(folder):
    """The data set and its notes as one text."""
    dataset, _, notes = look_into(folder)
    return dataset, "\n".join(notes)


def raw_nih(folder, **options):
    return pd.read_csv(folder / "Data_Entry_2017.csv", **options)


def agrees_with_table(dataset, raw, separator="|"):
    """Every label, patient and age of an NIH table, read the slow way."""
    labels = raw["Finding Labels"].str.split(separator, regex=False)
    truth = [[int(finding in names) for finding in FINDINGS] for names in labels]
    by_name = dataset.table.set_index("image")
    return (
        dataset.findings == FINDINGS
        and by_name.loc[raw["Image Index"], list(FINDINGS)].to_numpy().tolist() == truth
        and by_name.loc[raw["Image Index"], "patient"].tolist() == raw["Patient ID"].astype(str).tolist()
    )


def parts(dataset):
    return dataset.table["split"].value_counts().to_dict()


# --- NIH in all its editions -------------------------------------------------------------------------------------
@pytest.mark.parametrize("case", ["21_nothing_0", "21_nothing_1", "21_nothing_3"])
def test_the_healthy_are_healthy_in_any_spelling(cases, case):
    dataset, _ = opened(cases / case)
    assert dataset.kind == "nih" and agrees_with_table(dataset, raw_nih(cases / case))
    assert (dataset.labels.sum(axis=1) == 0).sum() > 5


def test_several_labels_of_a_cell_are_taken_apart_at_commas_too(cases):
    dataset, _ = opened(cases / "22_sep_1")
    assert agrees_with_table(dataset, raw_nih(cases / "22_sep_1"), ",")


@pytest.mark.parametrize("case", ["25_age_0", "25_age_1", "25_age_2"])
def test_ages_are_read_however_they_are_written(cases, case):
    dataset, notes = opened(cases / case)
    wanted = raw_nih(cases / case)["Patient Age"].str.extract(r"(\d+)")[0].astype(float)
    assert dataset.table["age"].tolist() == wanted.tolist() and "cannot be read" not in notes


@pytest.mark.parametrize("case", ["30_lists_NIH", "30_lists_noext"])
def test_official_lists_are_honoured(cases, case):
    dataset, _ = opened(cases / case)
    (listed,) = (cases / case).glob("test_list*.txt")
    tested = {name.removesuffix(".png") for name in listed.read_text().split()}
    in_test = {name.removesuffix(".png") for name in dataset.part("test").table["image"]}
    assert in_test == tested and len(tested) == 20 and parts(dataset)["valid"] > 0


def test_two_editions_of_the_table_are_refused(cases):
    with pytest.raises(DataError, match="holds Data_Entry_2017.csv and Data_Entry_2017_v2020.csv, which differ"):
        open_dataset(cases / "34_two_tables")


@pytest.mark.parametrize("case", ["31_names_0", "31_names_2"])
def test_names_without_or_with_another_ending_mean_the_files(cases, case):
    dataset, _ = opened(cases / case)
    assert dataset.on_disk().all() and len(dataset) == 60
    assert dataset.path(dataset.table["image"][1]).name == "00000001_001.png"


def test_kaggles_sample_is_read_once(cases):
    dataset, _ = opened(cases / "33_kaggle_sample")
    assert (dataset.kind, len(dataset), dataset.on_disk().all()) == ("nih", 60, True)
    assert agrees_with_table(dataset, pd.read_csv(cases / "33_kaggle_sample" / "sample_labels.csv"))


@pytest.mark.parametrize(("case", "separator"), [("24_semicolon", ";"), ("24_tab", "\t")])
def test_other_separators_are_read(cases, case, separator):
    dataset, _ = opened(cases / case)
    assert agrees_with_table(dataset, raw_nih(cases / case, sep=separator))


def test_boxes_as_a_list_in_a_cell_are_read(cases):
    dataset, _ = opened(cases / "35_box_list")
    (box,) = dataset.boxes.to_numpy().tolist()
    assert box == ["00000001_000.png", "Mass", 100 / 1024, 200 / 1024, 300 / 1024, 400 / 1024]


def test_a_part_that_stays_empty_is_said(cases):
    dataset, notes = opened(cases / "20_nih_base")
    assert parts(dataset) == {"train": 18, "test": 12}
    assert "there are too few patients to divide: valid stayed empty." in notes


# --- tables ------------------------------------------------------------------------------------------------------
def test_tables_count_before_folders(cases):
    dataset, _ = opened(cases / "48_hospitals")
    raw = pd.concat([pd.read_csv(cases / "48_hospitals" / f"{part}.csv") for part in ("train", "valid", "test")])
    assert dataset.kind == "course" and dataset.on_disk().all() and dataset.findings == FINDINGS
    assert dataset.table[list(FINDINGS)].to_numpy().tolist() == raw[list(FINDINGS)].to_numpy().tolist()
    assert dataset.path("00000001_000.png").parent.name == "hospital_b"


def test_a_path_decides_whose_picture_it_is(cases):
    dataset, _ = opened(cases / "44b_wrong_picture")
    for row in dataset.table.itertuples():
        assert dataset.path(row.image).parts[-3] == f"patient{int(row.patient):05}"
    assert dataset.on_disk().all() and len(dataset) == 10


def test_paths_of_windows_are_matched(cases):
    dataset, _ = opened(cases / "43_winpath")
    assert dataset.on_disk().all() and dataset.table["image"][0] == "C:/data/nih/images/00000001_000.png"
    assert dataset.path("C:/data/nih/images/00000013_000.png").name == "00000013_000.png"


def test_two_columns_of_one_finding_become_one(cases):
    folder = cases / "45_both"
    dataset, notes = opened(folder)
    raw = pd.concat([pd.read_csv(folder / f"{part}.csv") for part in ("train", "valid", "test")])
    assert dataset.findings == FINDINGS and "labels are read under other names: Pleural Effusion as Effusion" in notes
    assert dataset.table["Effusion"].tolist() == raw[["Effusion", "Pleural Effusion"]].max(axis=1).tolist()
    assert f"({(raw['Effusion'] != raw['Pleural Effusion']).sum()} rows), it counts as present" in notes


@pytest.mark.parametrize(("policy", "value"), [("leave-out", np.nan), ("positive", 1), ("negative", 0)])
def test_uncertain_labels_are_what_one_says(cases, policy, value):
    folder = cases / "45_uncertain"
    dataset = look_into(folder, uncertain=policy)[0]
    raw = pd.concat([pd.read_csv(folder / f"{part}.csv") for part in ("train", "valid", "test")], ignore_index=True)
    wanted = raw[list(FINDINGS)].astype(float).replace(-1, value)
    assert (raw[list(FINDINGS)] == -1).sum().sum() == 1
    np.testing.assert_array_equal(dataset.table[list(FINDINGS)].to_numpy(float), wanted.to_numpy())


def test_ages_in_course_tables_are_read(cases):
    dataset, _ = opened(cases / "42_age")
    assert dataset.table["age"].tolist() == dataset.table["patient"].astype(float).tolist()


def test_what_macos_leaves_beside_a_table_is_passed_over(cases):
    dataset, folder, _ = look_into(cases / "47_mac")
    assert (dataset.kind, parts(dataset)) == ("course", {"train": 24, "test": 12, "valid": 8})
    assert folder.passed_over == {"hidden files": 1}


# --- class folders -----------------------------------------------------------------------------------------------
def test_parts_of_any_name_are_parts(cases):
    dataset, notes = opened(cases / "17_part_names")
    assert dataset.published["split"].value_counts().to_dict() == {"train": 16, "test": 8}
    assert dataset.findings == ("Pneumonia",) and dataset.labels.sum() == 12 and "no valid part was found" in notes


def test_a_part_below_the_class_is_a_part(cases):
    dataset, _ = opened(cases / "55_class_then_part")
    assert parts(dataset) == {"train": 10, "valid": 10, "test": 10} and dataset.labels.sum() == 15
    assert dataset.published["split"].value_counts().to_dict() == parts(dataset)


def test_equal_names_and_sizes_are_no_copies(cases):
    dataset, _ = opened(cases / "50_equal_size_dicom_parts")
    assert parts(dataset) == {"train": 16, "valid": 8, "test": 8} and dataset.on_disk().all()


def test_paths_tell_equal_names_apart(cases):
    dataset, _ = opened(cases / "61_repeated_names")
    assert parts(dataset) == {"train": 16, "valid": 8, "test": 12}
    for row in dataset.table.itertuples():
        assert dataset.path(row.image) == cases / "61_repeated_names" / row.image
        assert row.Pneumonia == ("PNEUMONIA" in row.image)


def test_folders_are_pooled_and_each_knows_what_it_knew(cases, capsys):
    pooled = open_dataset([cases / "61_repeated_names", cases / "44b_wrong_picture"])
    assert pooled.kind == "pooled" and pooled.findings == ("Mass", "Pneumonia", "Edema") and len(pooled) == 46
    here = pooled.table["collection"] == "61_repeated_names"
    assert (
        pooled.table.loc[here, ["Mass", "Edema"]].isna().all(axis=None)
        and pooled.table.loc[here, "Pneumonia"].sum() == 18
    )
    assert pooled.table.loc[~here, "Pneumonia"].isna().all() and pooled.table.loc[~here, "Mass"].sum() == 5
    assert (
        pooled.on_disk().all() and "61_repeated_names: 36 of 36 file names tell no patient" in capsys.readouterr().out
    )


def test_a_folder_that_fits_two_collections_is_refused_with_both_named(cases, tmp_path):
    for table in ("24_tab/Data_Entry_2017.csv", "12_chexpert/CheXpert-v1.0-small/train.csv"):
        shutil.copy(cases / table, tmp_path)
    with pytest.raises(DataError, match="has tables or names of chexpert and of nih. Expected one collection a folder"):
        open_dataset(tmp_path)


def test_a_part_with_a_single_class_is_said(cases):
    _, notes = opened(cases / "59_empty_class")
    assert "there is no negative image of Pneumonia in valid." in notes


def test_of_folders_called_0_and_1_the_second_is_positive(cases):
    dataset, notes = opened(cases / "52_class_names_0")
    assert dataset.findings == ("Positive",) and "folder 0 is taken for negative" in notes
    assert (dataset.table["Positive"] == dataset.table["image"].str.startswith("1/")).all()


def test_the_second_copy_in_an_archive_is_passed_over(cases):
    dataset, folder, notes = look_into(cases / "10_kaggle_nested")
    assert (dataset.kind, len(dataset), parts(dataset)) == ("kermany", 48, {"train": 28, "test": 12, "valid": 8})
    assert (
        dataset.findings == ("Pneumonia",)
        and dataset.labels.sum() == 24
        and dataset.leakage()["shared_files"].sum() == 0
    )
    assert any("chest_xray/ holds 48 pictures of this folder once more" in note for note in notes)
    assert folder.passed_over == {"__MACOSX folders": 1, "hidden files": 3}


def test_paths_in_scores_tell_equal_names_apart(cases):
    dataset, _ = opened(cases / "61_repeated_names")
    scores = pd.read_csv(CASES / "61_scores_paths.csv").set_index("image")["Pneumonia"]
    found = evaluate(read_predictions(CASES / "61_scores_paths.csv"), dataset, "all", replicates=20)
    truth = scores.index.str.contains("PNEUMONIA")
    assert len(scores) == 36 and found.about["images"] == 36
    assert found.areas.loc["Pneumonia", "auc"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)


# --- pictures ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("jpeg/half.jpeg", "Premature end of JPEG file"),
        ("jpeg/half_EOI.jpeg", "Corrupt JPEG data: premature end of data segment"),
        ("dicom/twoframes.dcm", "holds 2 frames. Expected a single radiograph"),
        ("pictures/row.png", "is 100 x 1 pixels, which is a line"),
    ],
)
@pytest.mark.filterwarnings("ignore:The number of bytes of pixel data")
def test_what_is_no_whole_picture_is_refused_in_plain_words(file, told):
    with pytest.raises(ImageError, match=f"{Path(file).name} .*{told}"):
        read_image(CASES / file)


def test_padding_is_left_out_of_the_window():
    stored = pydicom.dcmread(CASES / "dicom" / "pad.dcm").pixel_array.astype(float)
    padding = stored == 65535
    low, high = stored[~padding].min(), stored[~padding].max()
    wanted = np.rint(255 * (stored - low) / (high - low))
    shown = read_image(CASES / "dicom" / "pad.dcm")
    assert padding.any() and (shown[padding] == 0).all()
    assert np.abs(shown[~padding] - wanted[~padding]).max() <= 1


def test_a_sigmoid_is_a_sigmoid():
    """PS3.3 C.11.2.1.3.1: 1 / (1 + exp(-4 (x - centre) / width))."""
    stored = pydicom.dcmread(CASES / "dicom" / "sig.dcm").pixel_array.astype(float)
    wanted = 255 / (1 + np.exp(-4 * (stored - 2048) / 1024))
    assert np.abs(read_image(CASES / "dicom" / "sig.dcm") - wanted).max() <= 1


def test_an_empty_slope_is_none():
    stored = pydicom.dcmread(CASES / "dicom" / "slopeempty.dcm").pixel_array.astype(float)
    wanted = 255 * (stored - stored.min()) / (stored.max() - stored.min())
    assert np.abs(read_image(CASES / "dicom" / "slopeempty.dcm") - wanted).max() <= 1


def test_monochrome1_is_turned_so_that_air_is_dark():
    stored = pydicom.dcmread(CASES / "dicom" / "m1.dcm").pixel_array.astype(float)
    wanted = 255 * (stored.max() - stored) / (stored.max() - stored.min())
    assert np.abs(read_image(CASES / "dicom" / "m1.dcm") - wanted).max() <= 1


def test_a_turned_picture_is_turned_in_every_read(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 40), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    with ThreadPoolExecutor(8) as pool:
        reads = list(pool.map(lambda _: read_image(tmp_path / "turned.png"), range(64)))
    assert all(np.array_equal(read, np.rot90(pixels, -1)) for read in reads)
