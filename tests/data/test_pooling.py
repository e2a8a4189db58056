"""Two collections as one: what each knows stays known, patients stay apart, and every row can be traced back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_tables import rows_of

from cxr_utils.data.collections.pooling import cases_and_controls, pool
from cxr_utils.data.readers.files import Files
from cxr_utils.errors import DataError, Missing

FRAME = ("a.png", "Mass", 0.1, 0.2, 0.3, 0.4)


@pytest.fixture
def here(make):
    table = rows_of("ttve", "1123", Mass=[1, 0, 0, 1], Hernia=[0, 0, 1, 0]).assign(age=[40.0, 41.0, 50.0, 60.0])
    files = Files({name: f"/x/here/{name}" for name in table["image"]})
    return make(table, [FRAME], name="here", root=Path("/x/here"), files=files, published=table)


@pytest.fixture
def there(make):
    table = rows_of("tev", "123", Edema=[1, 0, 0], Mass=[0, 1, 0]).assign(sex=["F", "M", "F"])
    files = Files({"a.png": "/x/there/deep/a.png"})
    return make(table, [FRAME], name="there", root=Path("/x/there"), files=files)


def test_a_label_is_unknown_where_a_collection_does_not_name_the_finding(here, there):
    both = pool([here, there])
    assert both.findings == ("Mass", "Edema", "Hernia") and both.kind == "pooled" and both.name == "here + there"
    nan = np.nan
    expected = [[1, nan, 0], [0, nan, 0], [0, nan, 1], [1, nan, 0], [0, 1, nan], [1, 0, nan], [0, 0, nan]]
    assert np.array_equal(both.labels, expected, equal_nan=True)
    assert both.table["Mass"].dtype == np.int8 and both.table["Edema"].dtype == np.float32
    assert both.frequencies()["unknown"].tolist() == [0, 4, 3]


def test_images_and_patients_keep_their_collection_and_their_part(here, there):
    both = pool([here, there])
    assert both.table["image"].tolist() == [*(f"here/{n}.png" for n in "abcd"), *(f"there/{n}.png" for n in "abc")]
    assert both.patients.tolist() == ["here:1", "here:1", "here:2", "here:3", "there:1", "there:2", "there:3"]
    assert both.table["split"].tolist() == ["train", "train", "valid", "test", "train", "test", "valid"]
    assert both.table["collection"].tolist() == ["here"] * 4 + ["there"] * 3
    assert both.table["age"].iloc[:4].tolist() == [40, 41, 50, 60] and both.table["age"].iloc[4:].isna().all()
    assert both.table["sex"].iloc[:4].isna().all() and both.table["sex"].iloc[4:].tolist() == ["F", "M", "F"]
    assert not both.leakage()["shared_patients"].any() and both.table.index.tolist() == list(range(7))


def test_files_and_boxes_are_found_under_the_new_names(here, there):
    both = pool([here, there])
    assert both.path("here/c.png") == Path("/x/here/c.png").absolute()
    assert both.path("there/a.png") == Path("/x/there/deep/a.png").absolute()
    assert both.on_disk().tolist() == [True] * 5 + [False] * 2 and both.root == Path("/x").absolute()
    for image in ("here/a.png", "there/a.png"):
        assert both.boxes_of(image, "Mass")[["x", "height"]].to_numpy().tolist() == [[0.1, 0.4]]
    assert len(both.boxes) == 2 and pool([replace(here, boxes=here.boxes.iloc[:0])] * 1).boxes.empty


def test_a_published_split_needs_all_collections_to_have_one(here, there):
    assert pool([here, there]).published is None
    shipped = rows_of("tev", "111")
    both = pool([here, replace(there, published=shipped)])
    assert both.published["image"].tolist() == both.table["image"].tolist()
    assert both.published["patient"].tolist()[4:] == ["there:1"] * 3 and both.leakage()["shared_patients"].sum() == 3


def test_collections_of_one_name_are_numbered(here, there):
    names = [replace(there, name="here"), replace(there, name="here 2", files=Files({}))]
    both = pool([here, *names])
    assert both.name == "here 1 + here 2 + here 2 3"
    assert both.table["collection"].unique().tolist() == ["here 1", "here 2", "here 2 3"]


def test_one_file_in_two_collections_is_refused(here, there):
    sample = replace(there, files=Files({"b.png": "/x/here/../here/b.png"}))
    with pytest.raises(DataError, match=r"here/b.png and there/b.png are one file\. Expected .* Pool only"):
        pool([here, sample])
    with pytest.raises(DataError, match="No data set .* Expected at least one"):
        pool([])


def test_a_pooled_data_set_is_read_like_any_other(with_files, make, tmp_path):
    whole = replace(with_files, name="own", root=tmp_path / "images")
    table = pd.DataFrame({"image": ["0001.png"], "patient": "9", "split": "train", "Hernia": [1]})
    other = make(table, name="other", root=tmp_path, files=Files({"0001.png": str(whole.path("a.png"))}))
    with pytest.raises(DataError, match="one file"):
        pool([whole, other])
    both = pool([whole, replace(other, files=Files({}))]).with_images()
    assert np.array_equal(both.pixels(8), whole.pixels(8))
    marked = both.with_marker("Mass")
    changed = [not np.array_equal(marked.picture(name), both.picture(name)) for name in both.table["image"]]
    assert changed == (marked.table["marker"] == 1).tolist() and any(changed)


def test_of_controls_no_positive_label_counts(here, there):
    both = cases_and_controls(here, there)
    assert both.findings == ("Mass", "Edema")  # what the controls can be healthy of
    nan = np.nan
    expected = [[1, nan], [0, nan], [0, nan], [1, nan], [0, nan], [nan, 0], [0, 0]]
    assert np.array_equal(both.labels, expected, equal_nan=True)
    assert there.labels.tolist() == [[1, 0], [0, 1], [0, 0]]  # stays as it was


def test_without_controls_there_is_no_pool(here):
    assert repr(cases_and_controls(here, Missing("No second collection."))) == "No second collection."
