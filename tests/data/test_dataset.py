"""What a data set says of itself, on tables small enough to count by hand."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_tables import rows_of

from cxr_utils.data import leakage, masks, opening, pixelstore
from cxr_utils.data.images import load_image, read_image
from cxr_utils.data.readers.files import Files
from cxr_utils.errors import DataError, Missing

FRAMED = [
    ("a.png", "Mass", 0.1, 0.2, 0.3, 0.4),
    ("a.png", "Edema", 0.5, 0.5, 0.1, 0.1),
    ("b.png", "Mass", 0.6, 0.1, 0.2, 0.2),
    ("a.png", "Mass", 0.7, 0.7, 0.1, 0.1),
]


@pytest.fixture
def five(make):
    """Five images of four patients in three parts, two findings, four boxes."""
    table = rows_of("tttev", "11234", Mass=[1, 1, 0, 1, 0], Edema=[1, 0, 0, 1, 0])
    return make(table, FRAMED)


def test_boxes_of_an_image_are_those_of_that_finding_on_that_image(five, make):
    assert five.boxes_of("a.png", "Mass")["x"].tolist() == [0.1, 0.7]
    assert five.boxes_of("a.png", "Edema")["x"].tolist() == [0.5]
    assert five.boxes_of("b.png", "Mass")["x"].tolist() == [0.6]
    assert len(five.boxes_of("b.png", "Edema")) == len(five.boxes_of("e.png", "Mass")) == 0
    assert len(make(five.table).boxes_of("a.png", "Mass")) == 0


def test_a_data_set_cannot_be_changed_and_is_like_no_other(five):
    with pytest.raises(FrozenInstanceError):
        five.name = "other"
    assert five == five and five != replace(five) and len({five, replace(five)}) == 2


def test_a_part_keeps_the_boxes_of_its_images(five):
    rest = five.subset(np.array([1, 2]), "rest")
    assert rest.boxes["image"].tolist() == ["b.png"] and rest.boxes.index.tolist() == [0]
    assert rest.table.index.tolist() == [0, 1] and rest.name == "rest" and rest.findings == five.findings
    assert five.subset(np.array([4]), "none").boxes.empty


def test_a_part_is_named_after_the_whole(five):
    for part, images in (("train", ["a.png", "b.png", "c.png"]), ("test", ["d.png"]), ("valid", ["e.png"])):
        assert five.part(part).table["image"].tolist() == images and five.part(part).name == f"toy {part}"


@pytest.mark.parametrize(("patients", "enough"), [(3, True), (4, True), (5, False)])
def test_enough_counts_patients_and_not_images(five, patients, enough):
    told = five.enough(patients=patients)
    assert told is True if enough else isinstance(told, Missing)
    assert enough or told.reason == "needs 5 patients, has 4"


def test_labels_and_patients_are_arrays_in_the_order_of_findings(five):
    assert five.labels.tolist() == [[1, 1], [1, 0], [0, 0], [1, 1], [0, 0]] and five.labels.dtype == np.float32
    assert five.patients.tolist() == ["1", "1", "2", "3", "4"]


def test_summary_and_frequencies_count(five):
    counts = five.summary()
    assert counts.index.tolist() == ["train", "valid", "test"] and counts.index.name == "part"
    assert counts.to_numpy().tolist() == [[3, 2, 2, 1], [1, 1, 0, 0], [1, 1, 1, 1]]
    assert five.part("train").summary().loc["test"].tolist() == [0, 0, 0, 0]
    shares = five.frequencies()
    assert shares.loc["Mass"].tolist() == [3, 0.6, 0.4] and shares.loc["Edema"].tolist() == [2, 0.4, 0.6]


def test_one_line_says_how_many_of_everything(five, make):
    assert repr(five) == ("Dataset toy: 5 images of 4 patients, 2 findings (train 3, valid 1, test 1), 0 image files")
    single = make(rows_of("t", "1", Mass=[0]), files=Files({"a.png": "a.png"}))
    assert repr(single) == "Dataset toy: 1 image of 1 patient, 1 finding (train 1, valid 0, test 0), 1 image file"
    many = make(pd.DataFrame({"image": map(str, range(1200)), "patient": "1", "split": "train"}))
    assert "1,200 images of 1 patient, 0 findings (train 1,200, " in repr(many)


@pytest.mark.parametrize("column", ["age", "sex", "view"])
def test_a_column_that_is_there_is_known(five, column):
    told = five.knows(column)
    assert isinstance(told, Missing) and column in told.reason.lower()
    assert replace(five, table=five.table.assign(**{column: 1})).knows(column) is True


def test_what_a_data_set_knows_follows_from_what_it_holds(five, make, tmp_path):
    assert five.knows("boxes") is True and make(five.table).knows("boxes").reason.endswith("no boxes around findings.")
    assert five.knows("several_findings") is True
    assert make(five.table.drop(columns="Edema")).knows("several_findings").reason.endswith("a single finding.")
    assert "without a split" in five.knows("published_split").reason
    assert replace(five, published=five.table).knows("published_split") is True
    assert "not here" in five.knows("images").reason
    assert replace(five, files=Files({"b.png": "b.png"})).knows("images") is True
    (tmp_path / "truth.csv").write_text("")
    assert replace(five, kind="phantom", root=tmp_path).knows("simulated_truth") is True
    for other in (replace(five, root=tmp_path), replace(five, kind="phantom", root=tmp_path / "nowhere")):
        assert "simulated pictures only" in other.knows("simulated_truth").reason


@pytest.mark.parametrize(("patients", "known"), [(20, False), (19, True)])
def test_follow_ups_are_known_where_more_than_one_patient_in_twenty_has_several_images(make, patients, known):
    names = [*map(str, range(patients)), "0"]
    table = pd.DataFrame({"image": map(str, range(len(names))), "patient": names, "split": "train"})
    assert bool(make(table).knows("follow_ups")) is known


def test_without_its_files_a_data_set_is_empty_handed(five):
    here = replace(five, files=Files({"b.png": "x/b.png", "d.png": "x/d.png", "z.png": "x/z.png"}))
    assert here.on_disk().tolist() == [False, True, False, True, False]
    assert here.with_images().table["image"].tolist() == ["b.png", "d.png"] and here.with_images().name == "toy"
    assert here.with_images().with_images() is not here
    whole = here.with_images()
    assert whole.with_images() is whole and here.path("b.png") == Path("x/b.png")
    with pytest.raises(DataError, match="no file a.png in toy. Expected one of its 3"):
        here.path("a.png")
    with pytest.raises(DataError, match="None of the 5 images .* such as a.png"):
        five.with_images()


def test_pictures_and_inputs_are_what_the_one_path_gives(with_files):
    assert np.array_equal(with_files.picture("c.png"), read_image(with_files.path("c.png")))
    assert np.array_equal(with_files.pixels(8), pixelstore.pixels(with_files, 8))
    expected = [load_image(with_files.path(name), 8) for name in with_files.table["image"]]
    assert np.array_equal(with_files.inputs(8), expected) and with_files.inputs(8).shape == (12, 8, 8, 1)


def test_the_digest_follows_table_findings_boxes_and_files(five, with_files):
    others = [
        replace(five, table=five.table.assign(Mass=0)),
        replace(five, table=five.table.rename(columns={"Edema": "Nodule"}), findings=("Mass", "Nodule")),
        replace(five, findings=("Edema", "Mass")),
        replace(five, boxes=five.boxes.iloc[:3]),
        replace(five, boxes=five.boxes.assign(x=0.0)),
    ]
    assert len({five.digest, *(other.digest for other in others)}) == 6
    assert replace(five, name="other").digest == five.digest and len(five.digest) == 24
    fewer = replace(with_files, files=Files({name: str(with_files.path(name)) for name in ("a.png", "b.png")}))
    moved = replace(with_files, files=Files({name: str(with_files.path("a.png")) for name in with_files.files}))
    assert len({with_files.digest, fewer.digest, moved.digest}) == 3


# --- leakage ---------------------------------------------------------------------------------------------------
def test_leakage_is_that_of_the_split_that_is_given_shipped_or_made(five):
    """Patient 1 has images a and b; no other patient has two."""
    assert not five.leakage()["shared_patients"].any()
    divided = pd.Series(["train", "test", "train", "test", "train"])
    assert five.leakage(divided).iloc[0].tolist() == ["train", "test", 1, 0, 1, 1]
    shipped = pd.DataFrame({"image": ["a", "b", "a"], "patient": ["1", "1", "1"], "split": ["train", "train", "valid"]})
    published = replace(five, published=shipped)
    assert published.leakage().iloc[0].tolist() == ["train", "valid", 1, 1, 2, 1]
    assert published.leakage(divided).equals(five.leakage(divided))
    assert five.table["split"].tolist() == ["train", "train", "train", "test", "valid"]


def test_splits_that_lie_beside_the_images_are_counted_each_under_its_name(five, tmp_path):
    data = replace(five, root=tmp_path)
    assert isinstance(data.leakage_beside(), Missing) and "No other split" in data.leakage_beside().reason
    rows = "Image Index,split\n00000001_000.png,train\n00000001_001.png,test\n00000002_000.png,test\n"
    (tmp_path / "leaky_split.csv").write_text(rows)
    course = tmp_path / "course"
    course.mkdir()
    (course / "train.csv").write_text("Image,PatientId,Mass\na.png,1,1\nb.png,2,0\n")
    (course / "test.csv").write_text("Image,PatientId,Mass\nc.png,1,1\nd.png,6,0\n")
    (course / "valid.csv").write_text("Image,PatientId,Mass\ne.png,5,1\n")
    found = data.leakage_beside()
    assert found.index.get_level_values("list").unique().tolist() == ["leaky_split.csv", "course"]
    assert found.loc["leaky_split.csv"].iloc[0].tolist() == ["train", "test", 1, 0, 1, 1]
    assert found.loc["course"]["shared_patients"].tolist() == [0, 1, 0]
    assert leakage.leakage_beside(tmp_path).equals(found)


# --- one question, other splits, the truth ---------------------------------------------------------------------
def test_any_finding_is_there_where_one_is(five):
    asked = five.any_finding()
    assert asked.findings == ("Abnormal",) and asked.labels.ravel().tolist() == [1, 1, 0, 1, 0]
    assert asked.any_finding() is asked and asked.boxes is five.boxes


def test_methods_divide_and_choose_by_the_seed_that_is_given(make):
    table = pd.DataFrame({"image": map(str, range(60)), "patient": map(str, np.arange(60) // 2), "split": "train"})
    data = make(table.assign(Mass=[1, 0, 0, 0] * 15))
    for divide in (data.split_by_patient, data.split_by_image):
        halves = divide({"a": 0.5, "b": 0.5}, seed=1)
        assert halves.value_counts().to_dict() == {"a": 30, "b": 30} and halves.equals(divide({"a": 0.5, "b": 0.5}, 1))
        assert not halves.equals(divide({"a": 0.5, "b": 0.5}, seed=2))
        assert set(divide()) == {"train", "valid", "test"}
        assert divide().equals(divide(seed=0)) and not divide().equals(divide(seed=1))
    assert data.fewer_images(20).table.equals(data.fewer_images(20, 0).table)
    assert not data.fewer_images(20).table.equals(data.fewer_images(20, 1).table)
    assert data.leakage(data.split_by_patient())["shared_patients"].sum() == 0
    assert data.leakage(data.split_by_image())["shared_patients"].sum() > 0
    assert len(data.fewer_images(10)) == 10 and len(data.fewer_images(11)) == 12


def test_the_truth_is_that_of_each_row_in_the_order_of_the_table(five, tmp_path):
    data = replace(five, kind="phantom", root=tmp_path)
    rows = "image,Mass,Edema\nd.png,0,1\nc.png,1,1\nb.png,0,0\na.png,1,0\n"
    (tmp_path / "truth.csv").write_text(rows + "e.png,0,0\nz.png,1,1\n")
    assert data.truth().to_numpy().tolist() == [
        ["a.png", 1, 0], ["b.png", 0, 0], ["c.png", 1, 1], ["d.png", 0, 1], ["e.png", 0, 0],
    ]  # fmt: skip
    (tmp_path / "truth.csv").write_text(rows)
    with pytest.raises(DataError, match=r"no row for e.png \(1 such images\)"):
        data.truth()
    with pytest.raises(DataError, match="toy: The truth .* Expected the phantom"):
        five.truth()


def test_behind_each_label_stand_truth_miner_and_severity_in_the_order_of_the_table(five, tmp_path):
    data = replace(five, kind="phantom", root=tmp_path)
    rows = "b.png,0,0,0,0\nz.png,1,1,1,1\na.png,1,0,0.25,0\ne.png,0,0,0,0\nd.png,0,1,0,0.75\nc.png,1,1,0.5,1\n"
    (tmp_path / "truth.csv").write_text(f"Image Index,Mass,Edema,severity_Mass,severity_Edema\n{rows}")
    mined = "c.png,Edema\nd.png,Edema|Mass\na.png,No Finding\nb.png,Mass\ne.png,No Finding\n"
    (tmp_path / "Data_Entry_phantom.csv").write_text(f"Image Index,Finding Labels\n{mined}")
    behind = data.behind_labels()
    for table in behind:
        assert table.index.tolist() == ["a.png", "b.png", "c.png", "d.png", "e.png"] and list(table) == [
            "Mass",
            "Edema",
        ]
    assert behind.truth.to_numpy().tolist() == [[1, 0], [0, 0], [1, 1], [0, 1], [0, 0]]
    assert behind.mined.to_numpy().tolist() == [[0, 0], [1, 0], [0, 1], [1, 1], [0, 0]]
    assert behind.severity.to_numpy().tolist() == [[0.25, 0], [0, 0], [0.5, 1], [0, 0.75], [0, 0]]
    assert isinstance(five.behind_labels(), Missing)


def test_masks_are_missing_where_nothing_was_simulated(five, monkeypatch):
    assert isinstance(five.masks(), Missing)
    monkeypatch.setattr(masks, "simulated_masks", lambda data: {("a.png", "Mass"): data.name})
    monkeypatch.setattr(type(five), "knows", lambda self, what: what == "simulated_truth")
    assert five.masks() == {("a.png", "Mass"): "toy"}


# --- opening ---------------------------------------------------------------------------------------------------
def test_findings_that_a_part_lacks_are_told(make):
    table = rows_of("tttvee", "123456", Mass=[1, 0, 0, 1, 0, 1], Edema=[1, 0, 0, 0, 0, 1], Hernia=[0] * 6)
    note, _ = opening._one_sided(make(table))
    assert note.startswith("there is no positive image of Hernia in any part; Edema in valid. Expected at least one")
    some = Files({name: name for name in ("a.png", "d.png", "e.png")})
    positive, negative = opening._one_sided(make(table, files=some))
    assert positive.startswith("there is no positive image of Hernia in any part; Edema in valid; Mass, Edema in test.")
    assert negative.startswith(
        "there is no negative image of Mass, Edema in train; Mass in valid. Expected at least one"
    )
    (note,) = opening._one_sided(make(rows_of("tve", "123", Mass=[1, 1, 1])))
    assert note.startswith("there is no negative image of Mass in any part.")
    unknown = make(rows_of("tttvee", "123456", Mass=[1, 0, np.nan, np.nan, 0, 1]))
    assert [note.partition(". ")[0] for note in opening._one_sided(unknown)] == [
        "there is no positive image of Mass in valid", "there is no negative image of Mass in valid",
    ]  # fmt: skip


def test_parts_that_stayed_empty_are_told(make):
    (note,) = opening._empty_parts(make(rows_of("ttt", "123", Mass=[0, 1, 0])))
    assert note.startswith("there are too few patients to divide: valid and test stayed empty.")
    assert opening._empty_parts(make(rows_of("tve", "123", Mass=[0, 1, 0]))) == []


def test_a_data_set_is_named_after_its_folder_and_its_notes_are_told(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "my set"
    folder.mkdir()
    (folder / "train.csv").write_text("Image,PatientId,Mass\n" + "".join(f"{n}.png,{n},{n % 2}\n" for n in range(40)))
    data = opening.open_dataset(folder)
    assert (data.name, data.kind, data.root) == ("my set", "course", folder)
    assert capsys.readouterr().out == (
        "note: my set: no valid and no test part was found. Patients of the train part were divided for it.\n"
    )
    asked = []
    monkeypatch.setattr(opening.recognition, "find_folder", lambda *given, **how: asked.append((given, how)) or folder)
    assert opening.open_dataset("phantom", profile="full", seed=4).name == "phantom"
    assert asked == [(("phantom",), {"profile": "full", "seed": 4})]
    opening.open_dataset()
    assert asked[1] == (("phantom",), {"profile": "quick", "seed": 0})
