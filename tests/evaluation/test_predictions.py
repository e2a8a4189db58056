"""Predictions beside labels: read, matched by name, and refused where they do not fit."""

import gzip
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.errors import DataError
from cxr_utils.evaluation.predictions import align, align_patients, judged_images, predictions_of, read_predictions


@pytest.fixture
def dataset(tmp_path):
    return tiny_dataset(tmp_path / "images", images=20, side=8)


def predictions_for(dataset, **columns):
    scores = pd.DataFrame(np.linspace(0.1, 0.9, 40).reshape(20, 2), columns=["Nodule", "Mass"])
    return scores.set_axis(pd.Index(dataset.table["image"], name="image"), axis=0).iloc[::-1].assign(**columns)


@pytest.mark.parametrize("column", ["image", "Image Index", "FILE", "filename", " path"])
def test_a_file_is_read_whatever_its_image_column_is_called(tmp_path, column):
    rows = [f",{column},prob_Mass, Pleural Thickening_pred ,Patient ID,split,age"]
    text = "\n".join([*rows, "0,sub/folder/a.png,0.25,1,7,test,50", "1,c\\b.png,0.5,0,8,test,60"])
    path = tmp_path / "scores.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    found = read_predictions(path)
    assert found.to_dict("index") == {
        "sub/folder/a.png": {"Mass": 0.25, "Pleural_Thickening": 1},
        "c/b.png": {"Mass": 0.5, "Pleural_Thickening": 0},
    }
    assert found.index.name == "image"


def test_images_and_findings_that_appear_twice_are_refused(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("image,Mass\na/x.png,1\nb/x.png,1\na\\x.png,1\ny.png,0\ny.png,0\n")
    with pytest.raises(DataError, match="2 images appear more than once in twice.csv \\(the first is a/x.png"):
        read_predictions(path)
    path.write_text("image,Effusion,prob_Effusion\na,1,0\n")
    with pytest.raises(DataError, match="1 findings appear more than once in twice.csv \\(the first is Effusion"):
        read_predictions(path)


def test_a_file_may_be_asked_for_and_a_model_sees_the_parts_asked_for(dataset, tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    predictions_for(dataset).to_csv(path)
    pd.testing.assert_frame_equal(predictions_of(path, dataset, ("test",)), read_predictions(path))

    class Seen:
        def __init__(self, folder):
            assert folder == tmp_path

        def predict(self, data):
            return data.table[["image", "split"]]

    monkeypatch.setattr("cxr_utils.networks.trained.open_model", Seen)
    found = predictions_of(str(tmp_path), dataset, ("valid", "test"))
    expected = dataset.table[dataset.table["split"].isin(["valid", "test"])]
    assert found["image"].tolist() == expected["image"].tolist() and len(found) == 8


def test_images_of_a_part_and_their_scores_stand_in_one_order(dataset):
    predictions = predictions_for(dataset)
    for part, count in (("train", 12), ("valid", 4), ("test", 4), ("all", 20)):
        own, scores, notes = judged_images(predictions, dataset, part)
        assert (len(own), notes, own.name) == (count, [], "tiny" if part == "all" else f"tiny {part}")
        assert list(scores.index) == list(own.table["image"]) and list(scores) == ["Mass", "Nodule"]
        last = scores.index[-1]
        assert scores.loc[last].tolist() == predictions.loc[last, ["Mass", "Nodule"]].tolist()
    with pytest.raises(DataError, match="'holdout' was asked for"):
        judged_images(predictions, dataset, "holdout")


def test_what_does_not_fit_is_refused_or_noted(dataset):
    less = predictions_for(dataset, Gout=0.5).drop(columns="Mass").drop(index=["0016.png", "0019.png"])
    notes = ["2 of 4 images have no prediction", "no predictions for Mass", "no labels for Gout"]
    with pytest.raises(DataError, match=f"do not fit tiny test: {'; '.join(notes)}"):
        judged_images(less, dataset, "test")
    own, scores, found = judged_images(less, dataset, "test", partial=True)
    assert found == notes and list(scores) == ["Nodule"]
    assert list(own.table["image"]) == list(scores.index) == ["0017.png", "0018.png"]
    for strange in (less[["Gout"]], less.rename(index=lambda name: "x" + name)):
        with pytest.raises(DataError, match="Expected both to fit"):
            judged_images(strange, dataset, "test", partial=True)
    one = replace(dataset, findings=("Mass",))
    assert judged_images(predictions_for(dataset), one, "test", partial=True)[2] == ["no labels for Nodule"]


def test_labels_and_scores_are_brought_into_the_order_of_the_labels():
    truth = pd.DataFrame({"Mass": [0, 1, 1], "Edema": [1, 0, 1]}, index=list("abc"))
    scores = pd.DataFrame({"Edema": [3, 1, 2], "Mass": [6, 4, 5]}, index=list("cab"))
    labels, found = align(truth, scores)
    assert found.to_numpy().tolist() == [[4, 1], [5, 2], [6, 3]] and found.dtypes.eq(np.float64).all()
    pd.testing.assert_frame_equal(labels, truth.astype(np.int8))
    labels, found = align(truth["Mass"], np.array([0.1, 0.2, 0.3]))
    assert list(labels) == list(found) == ["Mass"] and found["Mass"].to_dict() == {"a": 0.1, "b": 0.2, "c": 0.3}
    labels, found = align(truth.to_numpy(), scores)
    assert list(labels.index) == list("cab") and list(labels) == ["Edema", "Mass"]
    for shape, names in (((3,), ["finding"]), ((3, 2), ["finding 0", "finding 1"])):
        labels, _ = align(np.zeros(shape), np.zeros(shape))
        assert list(labels) == names and isinstance(labels.index, pd.RangeIndex)
    assert list(align(pd.Series([0, 1]), np.array([0.0, 1.0]))[0]) == ["finding"]
    table = truth.assign(patient="1", split="test", age=3, sex="F", view="PA", follow_up=0).rename_axis("image")
    pd.testing.assert_frame_equal(align(table.reset_index(), scores)[0], labels_of(truth))


def labels_of(truth):
    return truth.astype(np.int8).rename_axis("image")


@pytest.mark.parametrize(
    ("truth", "scores", "message"),
    [
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), r"array of shape \(2, 2, 2\). Expected \(images, findings\)"),
        (np.zeros((2, 1)), np.zeros((3, 1)), r"truth of shape \(2, 1\) and scores of shape \(3, 1\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), r"truth of shape \(0, 2\). Expected at least one image"),
        (np.array([0, 2, 1]), np.zeros(3), "label of finding for image 1 is .*2.* Expected 0 or 1"),
        (
            np.array([0, 1]),
            np.array([0.5, -np.inf]),
            r"1 scores are missing or infinite \(the first is finding of image 1",
        ),
        (np.array([0, 1]), np.array(["a", "b"]), "not a number"),
        (pd.Series([0, 1], index=["a", "a"]), np.zeros(2), r"1 images appear more than once \(the first is a\)"),
        (
            pd.Series([0, 1], index=["a", "b"]),
            pd.Series([0, 1], index=["b", "c"]),
            r"findings? have labels|images have",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(truth, scores, message):
    with pytest.raises(DataError, match=message):
        align(truth, scores)


def test_an_image_in_one_table_only_is_named():
    truth, scores = (pd.DataFrame({"Mass": [0, 1]}, index=names) for names in (["a", "b"], ["b", "c"]))
    with pytest.raises(
        DataError, match="1 images have labels but no score, 1 a score but no label .one of them is 'a'"
    ):
        align(truth, scores)
    with pytest.raises(
        DataError, match="0 images have labels but no score, 1 a score but no label .one of them is 'c'"
    ):
        align(truth.iloc[1:], scores)
    with pytest.raises(DataError) as told:
        align(truth, scores)
    assert "set_index" not in str(told.value)


def test_patients_are_matched_by_name_and_numbered_columns_row_by_row():
    images = pd.Index(["a", "b", "c"])
    assert align_patients(pd.Series(["q", "p", "p"], index=["c", "a", "b"]), images).tolist() == [0, 0, 1]
    assert align_patients(pd.Series(["p", "p", "q"], index=[7, 3, 5]), images).tolist() == [0, 0, 1]
    assert align_patients(("p", "q", "p"), images).tolist() == [0, 1, 0]
    numbers = pd.Index([7, 3, 5])  # images that are numbers are names, too
    assert align_patients(pd.Series(["q", "p", "p"], index=[5, 7, 3]), numbers).tolist() == [0, 0, 1]
    rows = pd.RangeIndex(3)
    assert align_patients(pd.Series(["p", "q", "q"]), rows).tolist() == [0, 1, 1]
    assert align_patients(pd.Series(["p", "q", "q"], index=[4, 5, 6]), rows).tolist() == [0, 1, 1]
    with pytest.raises(DataError, match="stand in another order"):
        align_patients(pd.Series(["p", "q", "q"], index=[2, 0, 1]), rows)
    with pytest.raises(DataError, match="name an image twice"):
        align_patients(pd.Series(["p", "q", "q"], index=[0, 0, 1]), rows)
    with pytest.raises(DataError, match="patients of shape .2,. for 3 images"):
        align_patients(["p", "q"], images)
    with pytest.raises(DataError, match="2 images have no patient .the first is b."):
        align_patients(["p", None, np.nan], images)
    with pytest.raises(DataError, match="1 images have no patient .the first is c."):
        align_patients(pd.Series(["p", "q"], index=["a", "b"]), images)
