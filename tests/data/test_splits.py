"""Who leaks where, and splits that keep patients whole."""

import itertools
import zlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr_utils.data import leakage, splits
from cxr_utils.data.collections.nih import official_lists
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.images import read_image, resize
from cxr_utils.data.leakage import check_for_leakage, leakage_table, near_duplicates, read_split_table
from cxr_utils.data.opening import open_dataset
from cxr_utils.data.readers.files import Files
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


def test_an_image_under_two_patients_in_two_parts_leaves_the_earlier_part():
    """Copies of one file may bear two patients' names: the patients alone would not tell."""
    table = pd.DataFrame({"image": list("abcab"), "patient": list("12345"), "split": ["train"] * 3 + ["test", "valid"]})
    kept, notes = drop_shared(table)
    assert kept[["image", "split"]].to_numpy().tolist() == [["c", "train"], ["a", "test"], ["b", "valid"]]
    assert len(notes) == 1 and "Left out 2 of the train part, whose" in notes[0]


def test_the_last_part_that_a_patient_is_in_keeps_him_and_the_note_counts_rows():
    parts = ["train", "train", "valid", "test", "train", "valid", "train"]
    table = pd.DataFrame({"image": list("abcdefg"), "patient": list("1111223"), "split": parts})
    kept, (note,) = drop_shared(table)
    assert kept["image"].tolist() == ["d", "f", "g"] and kept.index.tolist() == [3, 5, 6]
    assert "Left out 3 of the train part and 1 of the valid part, whose" in note
    again, nothing = drop_shared(kept)
    assert again is kept and nothing == []


@pytest.mark.parametrize(
    ("missing", "counts"),
    [
        ({"valid"}, {"train": 180, "valid": 20, "test": 7}),
        ({"test"}, {"train": 160, "valid": 7, "test": 40}),
        ({"valid", "test"}, {"train": 140, "valid": 20, "test": 40}),
        (set(), {"train": 200, "valid": 7, "test": 7}),
    ],
)
def test_parts_that_are_missing_get_their_usual_share_of_the_train_part(missing, counts):
    train = pd.DataFrame({"patient": map(str, range(200)), "split": "train", "Mass": [1, 0, 0, 0] * 50})
    others = [
        pd.DataFrame({"patient": [f"{part}{n}" for n in range(7)], "split": part, "Mass": 0})
        for part in ("valid", "test")
        if part not in missing
    ]
    table = pd.concat([train, *others], ignore_index=True)
    filled, notes = splits.fill_parts(table, ["Mass"])
    assert filled["split"].value_counts().to_dict() == counts and len(notes) == bool(missing)
    if missing:
        named = " and no ".join(part for part in ("valid", "test") if part in missing)
        assert notes[0].startswith(f"no {named} part was found.")
    assert (filled["split"][200:] == table["split"][200:]).all()  # what was shipped stays
    for part in missing:
        assert filled[filled["split"] == part]["Mass"].mean() == 0.25


def test_there_is_no_dividing_without_a_train_part():
    with pytest.raises(DataError, match="The train part is empty; there are images for valid and test only"):
        splits.fill_parts(pd.DataFrame({"split": ["test", "valid", "test"]}), [])


def test_patients_are_chosen_until_there_are_enough_images_and_no_further():
    patients = pd.Series(np.repeat(np.arange(40), np.arange(40) % 4 + 1).astype(str))
    before: set = set()
    for images in (0, 1, 2, 7, 30, 99, 100, 101, 500):
        chosen = splits.sample_patients(patients, images, seed=1)
        taken = set(patients[chosen])
        assert patients.isin(taken).equals(pd.Series(chosen))  # whole patients
        assert chosen.sum() >= min(images, 100)
        assert images == 0 or chosen.sum() - min(images, 100) < 4  # no patient more than needed: the largest has four
        assert before <= taken
        before = taken
    assert not splits.sample_patients(patients, 0).any()
    assert not np.array_equal(splits.sample_patients(patients, 30, 1), splits.sample_patients(patients, 30, 2))


def test_a_patient_is_held_out_by_the_checksum_of_the_name():
    names = [str(number) for number in range(200)]
    chosen = hold_out(pd.Series([7, *names]), 5)
    assert chosen.dtype == bool and chosen[0] == chosen[1 + 7]
    assert chosen[1:].tolist() == [zlib.crc32(name.encode()) % 5 == 0 for name in names]


def test_the_rarest_finding_is_divided_first_and_images_last():
    """Columns by affected patients, not by images: one patient with nine images of a finding is still one."""
    counts = np.array([[9, 1, 1, 9], [0, 1, 0, 1], [0, 1, 1, 1], [0, 0, 0, 50]])
    assert splits._rarest_first(counts) == [0, 2, 1, 3]


def test_a_tie_in_the_finding_goes_to_the_part_that_lacks_images():
    """Two patients with a mass, one with 5 images and one with 1; of the healthy, 4 images must even that out."""
    table = pd.DataFrame({"patient": list("aaaaabcdef"), "Mass": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]})
    for seed in range(5):
        split = split_by_patient(table, ["Mass"], {"one": 0.5, "two": 0.5}, seed)
        assert split.value_counts().to_dict() == {"one": 5, "two": 5}
        assert table["Mass"].groupby(split).sum().tolist() == [1, 1]


@pytest.mark.parametrize(
    ("parts", "rows", "counts"),
    [
        (None, 10, {"train": 7, "valid": 1, "test": 2}),
        ({"a": 0.5, "b": 0.5}, 7, {"a": 4, "b": 3}),  # 3.5 rounds to the even number
        ({"a": 0.25, "b": 0.25, "c": 0.5}, 101, {"a": 25, "b": 25, "c": 51}),
    ],
)
def test_images_are_divided_in_the_shares_that_are_asked_for(parts, rows, counts):
    table = pd.DataFrame({"image": range(rows)}, index=range(100, 100 + rows))
    split = split_by_image(table, parts, seed=3)
    assert split.value_counts().to_dict() == counts and split.index.equals(table.index) and split.name == "split"
    assert split.equals(split_by_image(table, parts, seed=3)) and not split.equals(split_by_image(table, parts, seed=4))


def test_fewer_images_may_keep_the_validation_part_whole():
    data = collection()
    few, kept = (fewer_images(data, 60, seed=3, keep_valid=keep) for keep in (False, True))
    for part in ("valid", "test"):
        pd.testing.assert_frame_equal(kept.part(part).table, data.part(part).table)
    pd.testing.assert_frame_equal(kept.part("train").table, few.part("train").table)
    assert len(few.part("valid")) < len(data.part("valid"))
    assert data.fewer_images(60, 3, keep_valid=True).table.equals(kept.table)
    assert data.fewer_images(60, 3).table.equals(few.table)


def test_as_large_a_share_of_the_validation_part_is_chosen():
    """Ten of 40 training images and a quarter, rounded up, of 6 validation images; every patient has one image."""
    parts = ["train"] * 40 + ["valid"] * 6 + ["test"] * 5
    table = pd.DataFrame({"image": map(str, range(51)), "patient": map(str, range(51)), "split": parts})
    data = Dataset("small", "nih", Path("."), table, (), pd.DataFrame(), None, Files({}))
    assert fewer_images(data, 10).table["split"].value_counts().to_dict() == {"train": 10, "test": 5, "valid": 2}
    assert fewer_images(data, 1).table["split"].value_counts().to_dict() == {"test": 5, "train": 1, "valid": 1}
    assert len(fewer_images(data, 39)) == 39 + 6 + 5 and fewer_images(data, 40) is data


def test_shares_are_checked_to_a_millionth_and_patients_may_be_as_few_as_parts():
    table = pd.DataFrame({"patient": list("abc")})
    assert set(split_by_patient(table, [], {"a": 0.4, "b": 0.3, "c": 0.3})) == {"a", "b", "c"}
    assert set(split_by_patient(table, [], {"a": 0.3333333, "b": 0.6666666})) == {"a", "b"}
    for wrong in ({"a": 1.0, "b": 0.0}, {"a": 0.5, "b": 0.5001}, {"a": 0.5, "b": 0.4999}):
        with pytest.raises(DataError, match="positive numbers that sum to 1"):
            split_by_patient(table, [], wrong)


# --- leakage by hand -------------------------------------------------------------------------------------------
def test_leakage_counts_rows_of_each_side_and_files_once():
    rows = [("a", 1, "train"), ("a", 1, "train"), ("b", 1, "train"), ("c", 2, "train"), ("a", 1, "test"),
            ("d", 3, "test"), ("e", 2, "valid")]  # fmt: skip
    report = leakage_table(pd.DataFrame(rows, columns=["image", "patient", "split"]))
    assert report.to_numpy().tolist() == [
        ["train", "valid", 1, 0, 1, 1], ["train", "test", 1, 1, 3, 1], ["valid", "test", 0, 0, 0, 0],
    ]  # fmt: skip


def test_parts_are_paired_in_the_order_in_which_they_are_used():
    table = pd.DataFrame({"image": list("abcde"), "patient": list("12345")})
    table["split"] = ["other", "TEST", "Validation", "a", "training"]
    report = leakage_table(table)
    order = ["training", "Validation", "TEST", "a", "other"]
    assert list(zip(report["first"], report["second"], strict=True)) == list(itertools.combinations(order, 2))
    assert leakage_table(table[:1]).empty and list(leakage_table(table[:1])) == list(report)


@pytest.mark.parametrize(("column", "shared"), [("patient", True), ("image", False)])
def test_a_shared_value_is_found_in_the_column_that_is_asked_for(column, shared):
    first = pd.DataFrame({"patient": ["1", "2"], "image": ["a", "b"]})
    second = pd.DataFrame({"patient": ["2", "3"], "image": ["c", "d"]})
    assert check_for_leakage(first, second, column) is shared and check_for_leakage(second, first, column) is shared
    assert check_for_leakage(first, second) is True
    for tables in ((first, second.drop(columns=column)), (first.drop(columns=column), second)):
        with pytest.raises(DataError, match=f"Column {column} is missing in a table to compare"):
            check_for_leakage(*tables, column)


@pytest.mark.parametrize(
    "header",
    ["image,patient,split", "Image Index,Patient ID,fold", "file,PatientId,Part", "File_Name,patient_id,subset",
     "Path,Patient,SET"],
)  # fmt: skip
def test_the_usual_names_of_the_columns_are_known(tmp_path, header):
    file = tmp_path / "parts.csv"
    file.write_text(f"{header}\nx/y\\00000013_005.png,007,train\n00000014_000.png,8,1\n")
    assert read_split_table(file).to_numpy().tolist() == [
        ["00000013_005.png", "7", "train"], ["00000014_000.png", "8", "1"],
    ]  # fmt: skip


def test_a_split_table_keeps_repeated_rows_and_reads_patients_from_names(tmp_path):
    file = tmp_path / "parts.csv"
    file.write_text("image,split\n00000013_005.png,train\n00000013_005.png,train\nscan.png,test\n")
    assert read_split_table(file)["patient"].tolist() == ["13", "13", "scan"]


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


def test_where_no_seed_is_given_it_is_zero():
    table, data = cohort(60), collection()
    assert split_by_patient(table, ["Mass"]).equals(split_by_patient(table, ["Mass"], seed=0))
    assert split_by_image(table).equals(split_by_image(table, seed=0))
    patients = table["patient"]
    assert np.array_equal(splits.sample_patients(patients, 30), splits.sample_patients(patients, 30, 0))
    assert fewer_images(data, 60).table.equals(fewer_images(data, 60, 0).table)


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


def test_near_duplicates_are_told_with_patient_part_distance_and_likeness(noisy):
    """Copies of two pictures: one exact, and one with noise."""
    rng = np.random.default_rng(1)
    for number, noise in ((3, 0), (8, 6)):
        kind = "NORMAL" if number % 2 else "PNEUMONIA"
        pixels = cv2.imread(str(noisy / kind / f"IM-{number:04d}-0001.png"), cv2.IMREAD_GRAYSCALE).astype(float)
        copy = np.clip(pixels + noise * rng.standard_normal(pixels.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(noisy / kind / f"IM-09{number:02d}-0001.png"), copy)
    data = open_dataset(noisy)
    found = data.near_duplicates()
    assert found["first"].tolist() == ["NORMAL/IM-0003-0001.png", "PNEUMONIA/IM-0008-0001.png"]
    assert found["second"].tolist() == ["NORMAL/IM-0903-0001.png", "PNEUMONIA/IM-0908-0001.png"]
    splits_of = data.table.set_index("image")["split"]
    for side in ("first", "second"):
        assert found[f"{side}_split"].tolist() == splits_of[found[side]].tolist()
        assert found[f"{side}_patient"].tolist() == found[side].str.extract("(IM-[0-9]{4})")[0].tolist()
    assert found["distance"].is_monotonic_increasing and found["distance"].iloc[0] == 0
    small = [[resize(read_image(data.path(row[end])), 64).ravel() for end in ("first", "second")]
             for _, row in found.iterrows()]  # fmt: skip
    assert np.allclose(found["correlation"], [np.corrcoef(*pair)[0, 1] for pair in small])
    assert len(near_duplicates(data, max_distance=0)) == 1


def test_likeness_of_pictures_of_one_grey():
    one = np.random.default_rng(0).integers(0, 256, (4, 4), dtype=np.uint8)
    thumbnails = np.array([one, 255 - one, np.full((4, 4), 7), np.full((4, 4), 200)], np.uint8)
    pairs = np.array([(0, 0), (0, 1), (2, 3), (0, 2), (3, 0)]).T
    assert leakage._correlation(thumbnails, *pairs) == pytest.approx([1, -1, 1, 0, 0])
    faint = np.zeros((2, 4, 4), np.uint8)
    faint[0, 0, 0] = faint[1, 0, 1] = 1  # one pixel of 16: covariance -1/256, variance 15/256
    assert leakage._correlation(faint, *np.array([(0, 0), (0, 1)]).T) == pytest.approx([1, -1 / 15])


def test_pairs_are_those_whose_hashes_differ_in_few_bits():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, (12, 4), dtype=np.uint64)
    hashes[5] = hashes[2] ^ np.uint64(0b111)  # 3 bits in each of 4 words
    hashes[11] = hashes[0]
    hashes[11, 3] ^= np.uint64(1)
    for most in (0, 1, 11, 12, 130):
        expected = []
        for first, second in itertools.combinations(range(12), 2):
            bits = sum(bin(int(a) ^ int(b)).count("1") for a, b in zip(hashes[first], hashes[second], strict=True))
            expected += [(first, second, bits)] if bits <= most else []
        assert list(zip(*leakage._close_pairs(hashes, most), strict=True)) == expected
        assert len(expected) >= (0, 1)[most >= 1] + (most >= 12)


def test_hashes_say_where_a_picture_gets_brighter_to_the_right():
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    bits = np.bitwise_count(leakage._hashes(np.array([ramp, ramp[:, ::-1]]))).sum(axis=1)
    assert bits.tolist() == [256, 0]


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
