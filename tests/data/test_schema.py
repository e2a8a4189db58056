"""The contract of an image table: what passes, and what is said of what does not."""

import numpy as np
import pandas as pd
import pytest

from cxr_utils.data.schema import FINDINGS, finding_name, in_order, validate_table
from cxr_utils.errors import DataError


def table(**changes):
    columns = {
        "image": ["a.png", "b.png", "c.png"],
        "patient": [1, 1, 2],
        "split": ["train", "train", "test"],
        "Mass": [0, 1, 0],
        "Edema": [1.0, 0.0, 0.0],
    }
    return pd.DataFrame(columns | changes)


def test_the_findings_are_nihs_fourteen_in_nihs_order():
    assert len(FINDINGS) == len(set(FINDINGS)) == 14
    assert FINDINGS[0] == "Atelectasis" and FINDINGS[-1] == "Hernia"
    assert in_order(reversed(FINDINGS)) == FINDINGS


def test_a_valid_table_is_brought_to_contract_form():
    given = table(age=[411, 3, np.nan]).iloc[[2, 0, 1]]
    result = validate_table(given, ["Mass", "Edema"])
    assert list(result) == ["image", "patient", "split", "Mass", "Edema", "age"]
    assert result.index.equals(pd.RangeIndex(3))
    assert result["image"].tolist() == ["c.png", "a.png", "b.png"]
    assert result["patient"].tolist() == ["2", "1", "1"]
    assert (result[["Mass", "Edema"]].dtypes == np.int8).all()
    assert result["age"].tolist()[1] == 411  # odd values stay: lesson 01 finds them
    assert given.index.tolist() == [2, 0, 1] and given["patient"].dtype == np.int64


@pytest.mark.parametrize("labels", [[True, False, True], ["1", "0", "1"], [1.0, 0.0, 1.0]])
def test_labels_of_any_type_become_zero_and_one(labels):
    assert validate_table(table(Mass=labels), ["Mass"])["Mass"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("wrong", [2, -1, 0.5, "yes", ""])
def test_any_other_label_is_named_with_its_row(wrong):
    with pytest.raises(DataError, match="Label Mass is .* in row 1 .*Expected 0, 1 or nothing"):
        validate_table(table(Mass=[0, wrong, 1]), ["Mass"])


@pytest.mark.parametrize("nothing", [np.nan, None, pd.NA])
def test_a_missing_label_is_unknown(nothing):
    labels = validate_table(table(Mass=pd.Series([0, nothing, 1], dtype=object)), ["Mass"])["Mass"]
    assert labels.dtype == np.float32 and labels.isna().tolist() == [False, True, False]


@pytest.mark.parametrize("column", ["image", "patient", "split", "Mass"])
def test_a_missing_column_is_named_and_so_are_those_present(column):
    with pytest.raises(DataError, match=f"Column {column} is missing.*which has .*Edema.*Add or rename"):
        validate_table(table().drop(columns=column), ["Mass", "Edema"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": ["a.png", "a.png", "c.png"]}, "Image a.png has more than one row"),
        ({"image": ["a.png", None, "c.png"]}, "Column image is empty in row 1"),
        ({"image": ["a.png", "", "c.png"]}, "Column image is empty in row 1"),
        ({"patient": [1, np.nan, 2]}, "Column patient is empty in row 1"),
        ({"split": ["train", "val", "test"]}, "Column split holds val. Expected train, valid or test"),
    ],
)
def test_other_faults_are_named(changes, message):
    with pytest.raises(DataError, match=message):
        validate_table(table(**changes), ["Mass"])


def test_a_table_without_rows_is_refused():
    with pytest.raises(DataError, match="no rows"):
        validate_table(table().iloc[:0], ["Mass"])


def test_other_spellings_of_findings_are_known():
    names = ["Infiltrate", "pleural thickening", "PNEUMONIA", "Something else"]
    expected = ["Infiltration", "Pleural_Thickening", "Pneumonia", "Something else"]
    assert [finding_name(name) for name in names] == expected
