"""Who leaks where, and splits that keep patients whole."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.images import read_image
from cxr_utils.data.leakage import check_for_leakage, leakage_table, near_duplicates, read_split_table
from cxr_utils.data.opening import open_dataset
from cxr_utils.data.readers.files import Files
from cxr_utils.data.readers.nih import official_lists
from cxr_utils.data.splits import drop_shared, fewer_images, hold_out, split_by_image, split_by_patient
from cxr_utils.errors import DataError

SHARES = {"train": 0.6, "valid": 0.15, "test": 0.25}
SPLITS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 3), st.sampled_from(["train", "valid", "test"])), min_size=1
)


def as_table(rows):
    columns = {"image": [f"{p}_{i}" for p, i, _ in rows], "patient": [str(p) for p, _, _ in rows]}
    return pd.DataFrame(columns | {"split": [split for _, _, split in rows]})


def cohort(patients=400, seed=0):
    """Patients with 1 to 30 images; one common, one rare finding that run in patients."""
    rng = np.random.default_rng(seed)
    images = np.minimum(1 + rng.geometric(0.4, patients), 30)
    patient = np.repeat(np.arange(patients), images)
    risk = rng.beta(0.5, 2, (2, patients))[:, patient] * np.array([[1.0], [0.15]])
    labels = (rng.random(risk.shape) < risk).astype(np.int8)
    return pd.DataFrame({"patient": patient.astype(str), "Mass": labels[0], "Hernia": labels[1]})


def collection():
    table = cohort(patients=300)
    parts = np.array(["train", "train", "train", "valid", "test"])
    names = [f"{row}.png" for row in range(len(table))]
    table = table.assign(image=names, split=parts[table["patient"].astype(int) % 5])
    return Dataset("large", "nih", Path("."), table, ("Mass", "Hernia"), pd.DataFrame(), None, Files({}))


def test_fewer_images_keep_patients_whole_and_test_untouched():
    data = collection()
    largest = data.table["patient"].value_counts().max()
    counts = data.table["split"].value_counts()
    few, more = fewer_images(data, 60, seed=3), fewer_images(data, 120, seed=3)
    for chosen, images in ((few, 60), (more, 120)):
        found = chosen.table["split"].value_counts()
        assert images <= found["train"] < images + largest
        expected = images * counts["valid"] / counts["train"]
        assert expected <= found["valid"] <= expected + largest
        pd.testing.assert_frame_equal(chosen.part("test").table, data.part("test").table)
        own = data.table["patient"].isin(chosen.table["patient"])
        assert own.sum() == len(chosen) and chosen.name == data.name  # every image of each chosen patient
    assert set(few.table["image"]) < set(more.table["image"])
    assert set(few.table["image"]) != set(fewer_images(data, 60, seed=4).table["image"])
    assert len({few.digest, more.digest, data.digest}) == 3


def test_fewer_images_than_none_and_more_than_all(capsys):
    data = collection()
    for wrong in (0, -5):
        with pytest.raises(DataError, match=f"^{wrong} training images.*Expected at least 1"):
            fewer_images(data, wrong)
    train = (data.table["split"] == "train").sum()
    assert fewer_images(data, train) is data and capsys.readouterr().out == ""
    assert fewer_images(data, train + 1) is data
    assert capsys.readouterr().out == (
        f"note: large: {train + 1:,} training images were asked for; all {train:,} there are are taken\n"
    )


@settings(max_examples=60, deadline=None)
@given(SPLITS)
def test_leakage_equals_set_arithmetic(rows):
    table = as_table(rows)
    report = leakage_table(table)
    for row in report.itertuples():
        first, second = table[table["split"] == row.first], table[table["split"] == row.second]
        shared = set(first["patient"]) & set(second["patient"])
        assert row.shared_patients == len(shared)
        assert row.shared_files == len(set(first["image"]) & set(second["image"]))
        assert row.images_first == first["patient"].isin(shared).sum()
        assert row.images_second == second["patient"].isin(shared).sum()
        assert check_for_leakage(first, second) == bool(shared)
    parts = [part for part in ("train", "valid", "test") if part in set(table["split"])]
    assert list(zip(report["first"], report["second"], strict=True)) == list(itertools.combinations(parts, 2))


@settings(max_examples=60, deadline=None)
@given(SPLITS)
def test_drop_shared_leaves_no_leak_and_the_last_part_whole(rows):
    table = as_table(rows)
    kept, notes = drop_shared(table)
    assert not leakage_table(kept)[["shared_patients", "shared_files"]].to_numpy().any()
    last = [part for part in ("train", "valid", "test") if part in set(table["split"])][-1]
    assert (kept["split"] == last).sum() == (table["split"] == last).sum()
    assert set(kept["patient"]) == set(table["patient"])
    assert bool(notes) == (len(kept) < len(table))


def test_leakage_takes_another_column_and_names_a_missing_one():
    table = as_table([(1, 0, "train"), (1, 1, "test")]).rename(columns={"split": "fold"})
    assert leakage_table(table, split="fold")["shared_patients"].tolist() == [1]
    with pytest.raises(DataError, match="Column split is missing"):
        leakage_table(table)
    with pytest.raises(DataError, match="Column PatientId is missing"):
        check_for_leakage(table, table, "PatientId")


@pytest.mark.parametrize("seed", range(3))
def test_patients_stay_whole_and_labels_balanced(seed):
    table = cohort(seed=seed)
    split = split_by_patient(table, ["Mass", "Hernia"], SHARES, seed)
    assert (table.groupby("patient")["patient"].size() > 1).any()
    assert (split.groupby(table["patient"]).nunique() == 1).all()
    for finding in ("Mass", "Hernia"):
        positives = table[finding].groupby(split).sum()
        most = table.groupby("patient")[finding].sum().max()  # who gives to the neediest overshoots by one patient
        for part, share in SHARES.items():
            assert abs(positives[part] - share * table[finding].sum()) <= most
    images = split.value_counts(normalize=True)
    assert all(abs(images[part] - share) < 0.01 for part, share in SHARES.items())


def test_parts_do_not_differ_in_follow_ups():
    table = cohort(2000)
    split = split_by_patient(table, ["Mass", "Hernia"], {"train": 0.5, "test": 0.5})
    images = table.groupby("patient").size()
    part = split.groupby(table["patient"]).first()
    difference = images[part == "train"].mean() - images[part == "test"].mean()
    assert abs(difference) < 3 * images.std() * np.sqrt(4 / len(images))  # three standard errors


def test_seeds_repeat_and_differ():
    table = cohort(100)
    first, again, other = (split_by_patient(table, ["Mass"], seed=seed) for seed in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)


def test_split_keeps_the_index_and_serves_no_finding():
    table = cohort(50).iloc[::-1]
    split = split_by_patient(table, [])
    assert split.index.equals(table.index) and set(split) == {"train", "valid", "test"}


@pytest.mark.parametrize("shares", [{"train": 0.7, "test": 0.2}, {"train": 1.2, "test": -0.2}])
def test_shares_that_are_no_shares(shares):
    with pytest.raises(DataError, match="Expected positive numbers that sum to 1"):
        split_by_patient(cohort(20), [], shares)


def test_fewer_patients_than_parts():
    with pytest.raises(DataError, match="There are 2 patients for 3 parts"):
        split_by_patient(pd.DataFrame({"patient": ["1", "2"]}), [])


def test_the_image_split_leaks_as_much_as_expected():
    table = cohort(2000).assign(image=lambda table: table.index.astype(str))
    report = leakage_table(table.assign(split=split_by_image(table, {"train": 0.8, "test": 0.2}))).iloc[0]
    sizes = table.groupby("patient").size().to_numpy()
    # A test image is leaked unless all other images of its patient are in test too: hypergeometric, near 0.2^(n-1).
    expected = 0.2 * (sizes * (1 - 0.2 ** (sizes - 1.0))).sum()
    assert abs(report["images_second"] - expected) < 4 * np.sqrt(expected)
    assert report["shared_files"] == 0


def test_hold_out_takes_whole_patients_and_about_the_share():
    patients = pd.Series(np.repeat(np.arange(8000), 2).astype(str))
    chosen = hold_out(patients, 8)
    assert (chosen[::2] == chosen[1::2]).all()
    assert abs(chosen.mean() - 1 / 8) < 0.02
    assert np.array_equal(hold_out(patients[5000:], 8), chosen[5000:])


def test_split_tables_of_several_styles(tmp_path):
    (tmp_path / "a.csv").write_text("Split,Label,Image\ntrain,NORMAL,IM-0115-0001.jpeg\nval,NORMAL,IM-0115-0002.jpeg\n")
    (tmp_path / "b.csv").write_text("Image Index,Patient ID,set\nimages/00000013_005.png,13,train\n")
    assert leakage_table(read_split_table(tmp_path / "a.csv"))["shared_patients"].tolist() == [1]
    assert read_split_table(tmp_path / "b.csv").iloc[0].tolist() == ["00000013_005.png", "13", "train"]
    (tmp_path / "c.csv").write_text("Label,Image\nNORMAL,a.png\n")
    with pytest.raises(DataError, match="Column split is missing in c.csv"):
        read_split_table(tmp_path / "c.csv")
    with pytest.raises(DataError, match="d.csv does not exist"):
        read_split_table(tmp_path / "d.csv")


def test_a_folder_without_a_split_has_no_split_table(tmp_path):
    for patient in range(6):
        folder = tmp_path / ("NORMAL" if patient % 2 else "PNEUMONIA")
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"IM-{patient:04d}-0001.jpeg"), np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match="shipped without a split"):
        read_split_table(tmp_path)


def test_official_lists_absent(tmp_path):
    assert official_lists(tmp_path) is None


@pytest.fixture
def noisy(tmp_path):
    """Twenty different pictures as class folders, smooth like X-rays."""
    for number in range(20):
        rng = np.random.default_rng(number)
        pixels = cv2.resize(rng.integers(0, 256, (9, 9), dtype=np.uint8), (96, 96), interpolation=cv2.INTER_CUBIC)
        path = tmp_path / ("NORMAL" if number % 2 else "PNEUMONIA") / f"IM-{number:04d}-0001.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), pixels)
    return tmp_path


def test_different_pictures_are_no_duplicates(noisy):
    found = near_duplicates(open_dataset(noisy))
    assert found.empty and "first_patient" in found


@pytest.mark.parametrize("change", ["same", "smaller", "brighter", "jpeg"])
def test_a_changed_copy_under_another_name_is_found(noisy, change):
    original = noisy / "NORMAL" / "IM-0007-0001.png"
    pixels = cv2.imread(str(original), cv2.IMREAD_GRAYSCALE)
    changed = {
        "same": pixels,
        "smaller": cv2.resize(pixels, (80, 80), interpolation=cv2.INTER_AREA),
        "brighter": cv2.convertScaleAbs(pixels, alpha=0.8, beta=30),
        "jpeg": cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE),
    }[change]
    cv2.imwrite(str(noisy / "PNEUMONIA" / "IM-0900-0001.png"), changed)
    found = near_duplicates(open_dataset(noisy))
    assert found[["first_patient", "second_patient"]].to_numpy().tolist() == [["IM-0007", "IM-0900"]]
    assert found["correlation"].iloc[0] > 0.99


def test_real_leaks_in_the_course_tables(real_data):
    report = leakage_table(read_split_table(real_data / "nih" / "course")).set_index(["first", "second"])
    assert report.loc[("train", "valid"), ["shared_patients", "shared_files"]].tolist() == [197, 198]
    train, valid = (pd.read_csv(real_data / "nih" / "course" / f"{part}-small.csv") for part in ("train", "valid"))
    assert check_for_leakage(train, valid, "PatientId")


def test_real_leaks_in_the_thumbnail_folders(real_data):
    report = leakage_table(read_split_table(real_data / "nih64"))
    parts = {part.name: {int(p.name[:8]) for p in part.glob("*/*")} for part in (real_data / "nih64").iterdir()}
    expected = [
        len(parts[first] & parts[second]) for first, second in zip(report["first"], report["second"], strict=True)
    ]
    assert report["shared_patients"].tolist() == expected and min(expected) > 0
    assert report["shared_files"].tolist() == [0, 0, 0]


def test_real_leaks_in_the_public_resplit(real_data):
    report = leakage_table(read_split_table(real_data / "pneumonia" / "public_resplit.csv.gz"))
    assert report["shared_files"].sum() == 1566
    assert (report["shared_patients"] > 100).all()


def test_real_official_split_is_clean(real_data):
    lists = official_lists(real_data / "nih")
    assert lists["split"].value_counts().to_dict() == {"train_val": 86_524, "test": 25_596}
    assert leakage_table(read_split_table(real_data / "nih"))["shared_patients"].tolist() == [0]


def test_real_patients_are_not_taken_for_duplicates(real_data):
    data = open_dataset(real_data / "nih").with_images()
    assert near_duplicates(data).empty


def test_real_copies_are_found_in_the_paediatric_collection(real_data):
    data = open_dataset(real_data / "pneumonia").part("train")
    found = near_duplicates(data)
    assert len(found) and (found["first_patient"] == found["second_patient"]).all()
    for row in found.itertuples():  # nothing but the pixels themselves as the oracle
        first, second = (read_image(data.path(image)).astype(float) for image in (row.first, row.second))
        second = cv2.resize(second, first.shape[::-1])
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.99
