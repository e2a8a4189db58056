"""Labels that nobody knows: counted as unknown, and never taken for absent."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from toy_tables import rows_of

from cxr_utils.data import shortcut, splits
from cxr_utils.data.opening import open_dataset
from cxr_utils.data.schema import validate_table
from cxr_utils.errors import Missing

NAN = np.nan


@pytest.fixture
def six(make):
    """Six images of five patients; of a Mass two labels are unknown, of Edema four, of a Hernia none."""
    findings = {"Mass": [1, NAN, 0, 1, NAN, 0], "Edema": [NAN, NAN, NAN, 0, 1, NAN], "Hernia": [0, 0, 0, 0, 0, 1]}
    return make(validate_table(rows_of("tttvee", "112345", **findings), list(findings)))


def test_frequencies_are_shares_of_what_is_known(six):
    found = six.frequencies()
    assert found.columns.tolist() == ["images", "positive", "negative", "unknown"]
    assert found.loc["Mass"].tolist() == [2, 0.5, 0.5, 2] and found.loc["Edema"].tolist() == [1, 0.5, 0.5, 4]
    assert found.loc["Hernia"].tolist() == [1, 1 / 6, 1 - 1 / 6, 0]
    assert six.part("train").frequencies().loc["Edema", "positive":"unknown"].isna().tolist() == [True, True, False]
    known = replace(six, findings=("Hernia",)).frequencies()
    assert known.columns.tolist() == ["images", "positive", "negative"]


def test_a_summary_counts_what_is_known_to_be_there(six):
    counts = six.summary()
    assert counts.to_numpy().tolist() == [[3, 2, 1, 0, 0], [1, 1, 1, 0, 0], [2, 2, 0, 1, 1]]
    assert all(kind.kind == "i" for kind in counts.dtypes)


def test_labels_hold_what_the_table_holds(six):
    assert six.labels.dtype == np.float32
    assert np.isnan(six.labels).sum(axis=0).tolist() == [2, 4, 0]
    assert [six.table[name].dtype for name in six.findings] == [np.float32, np.float32, np.int8]


def test_any_finding_is_unknown_unless_one_is_there_or_all_are_known(six):
    asked = six.any_finding()
    assert asked.labels.ravel().tolist()[3:] == [1, 1, 1] and asked.labels[0] == 1
    assert np.isnan(asked.labels.ravel()[1:3]).all()
    two = replace(six, findings=("Mass", "Hernia")).any_finding()
    assert two.table["Abnormal"].iloc[[0, 2, 3, 5]].tolist() == [1, 0, 1, 1] and two.table["Abnormal"].isna().sum() == 2
    some = two.subset(np.array([5, 2]), "some").any_finding()
    assert some.labels.ravel().tolist() == [1, 0]


def test_a_question_needs_patients_whose_label_of_each_finding_is_known(six):
    told = six.enough(patients=3)
    assert isinstance(told, Missing) and told.reason == "needs 3 patients, has 2 with a known label of Edema"
    assert six.enough(patients=2) is True and replace(six, findings=("Mass",)).enough(patients=4) is True
    assert replace(six, findings=("Mass",)).enough(patients=5).reason == (
        "needs 5 patients, has 4 with a known label of Mass"
    )
    assert replace(six, findings=("Hernia",)).enough(patients=6).reason == "needs 6 patients, has 5"


def test_the_digest_tells_unknown_from_absent(six):
    others = [six.table.assign(Mass=six.table["Mass"].fillna(value)) for value in (0, 1)]
    shifted = six.table.assign(Mass=six.table["Mass"].to_numpy()[[0, 2, 1, 3, 4, 5]])
    assert len({six.digest, *(replace(six, table=table).digest for table in [*others, shifted])}) == 4
    assert replace(six, table=six.table.copy()).digest == six.digest


def test_findings_of_which_nothing_is_known_are_left_out_when_a_folder_is_opened(tmp_path, capsys):
    rows = "".join(f"{n}.png,{n},{n % 2 if n % 3 else ''},,{n % 2}\n" for n in range(60))
    (tmp_path / "train.csv").write_text("Image,PatientId,Mass,Edema,Nodule\n" + rows)
    data = open_dataset(tmp_path)
    assert data.findings == ("Mass", "Nodule") and "Edema" not in data.table
    assert "not one label of Edema is known. Such findings are left out.\n" in capsys.readouterr().out
    known = data.table["image"].str.removesuffix(".png").astype(int) % 3 > 0
    assert data.table["Mass"].notna().equals(known) and data.table["Nodule"].notna().all()


def test_the_commonest_finding_is_one_that_some_images_are_known_to_lack(six, make):
    assert six.commonest() == "Mass" and six.commonest(prefer="Edema") == "Edema"
    assert six.commonest(prefer="Gout") == "Mass"
    only = six.table.assign(Mass=[1, NAN, 1, 1, NAN, 1])  # the commonest, but nobody knows who lacks it
    assert replace(six, table=only).commonest() == "Edema"
    assert replace(six, table=only).commonest(prefer="Mass") == "Edema"
    assert replace(six, table=only, findings=("Mass",)).commonest() == "Mass"
    assert replace(six, table=six.table.assign(Edema=0)).commonest(prefer="Edema") == "Mass"


def test_dividing_counts_an_unknown_label_as_no_positive():
    """Of the eight patients with a known Mass each half gets four, wherever the unknown ones go."""
    table = pd.DataFrame({"patient": map(str, range(40)), "Mass": [1.0] * 8 + [NAN] * 16 + [0.0] * 16})
    for seed in range(3):
        parts = splits.split_by_patient(table, ["Mass"], {"a": 0.5, "b": 0.5}, seed)
        assert table.groupby(parts)["Mass"].sum().tolist() == [4, 4] and parts.value_counts().tolist() == [20, 20]
        assert parts.equals(splits.split_by_patient(table.fillna(0), ["Mass"], {"a": 0.5, "b": 0.5}, seed))


def test_a_smaller_collection_keeps_a_known_label_of_each_finding(make):
    rows = {"image": map(str, range(400)), "patient": map(str, np.arange(400) // 2), "split": ["train", "valid"] * 200}
    table = pd.DataFrame(rows).assign(split=np.repeat(["train", "valid"], [300, 100]))
    everything = make(table.assign(Mass=0, Edema=1))
    data = make(table.assign(Mass=0, Edema=[NAN] * 250 + [1.0] * 30 + [NAN] * 120, Hernia=NAN))
    for seed in range(4):
        few, more = data.fewer_images(10, seed), data.fewer_images(40, seed)
        assert few.part("train").table["Edema"].notna().any()
        assert set(few.table["image"]) < set(more.table["image"])
        plain = everything.fewer_images(10, seed)
        assert len(plain.part("train")) == 10 and set(plain.table["image"]) <= set(few.table["image"])
        own = data.table["patient"].isin(few.table["patient"])
        assert own.sum() == len(few) <= len(plain) + 2  # one patient more, whole


def test_permuted_labels_take_what_is_unknown_along(six):
    for seed in range(5):
        dealt = shortcut.permute_labels(six, seed=seed)
        for part in ("train", "test"):
            before, after = (sorted(map(repr, one.part(part).labels.tolist())) for one in (six, dealt))
            assert before == after
        assert dealt.table.dtypes.equals(six.table.dtypes)


def test_an_image_of_which_the_finding_is_not_known_is_marked_like_one_without(with_files, monkeypatch):
    monkeypatch.setattr(shortcut, "POSITIVES", 1.0)
    monkeypatch.setattr(shortcut, "OTHERS", 0.0)
    table = with_files.table.assign(Mass=np.float32([1, 0, NAN] * 4))
    marked = shortcut.mark(replace(with_files, table=table), "Mass")
    assert marked.table["marker"].tolist() == [1, 0, 0] * 4
