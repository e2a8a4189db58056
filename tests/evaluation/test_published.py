"""Figures that others have published for real patients, reproduced from their tables.

Wang et al., CVPR 2017 (the table); Zech, reproduce-chexnet (the predictions).
"""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle
from tiny_dataset import tiny_dataset

from cxr_utils.data import splits
from cxr_utils.data.schema import FINDINGS
from cxr_utils.errors import DataError, Missing
from cxr_utils.evaluation import baselines, metrics, published


@pytest.fixture(scope="module")
def nih(real_data):
    """A data set that lies where NIH's tables lie."""
    return SimpleNamespace(root=real_data / "nih")


@pytest.fixture(scope="module")
def found(nih):
    return published.published_predictions(nih)


def test_areas_of_the_real_predictions(found):
    table = found.areas()
    assert table["images"].tolist() == [22_433, 5_213, 17_220]
    assert table["mean_auc"].round(3).tolist() == [0.838, 0.818, 0.836]
    assert table["effusion_auc"].round(3).tolist()[1:] == [0.818, 0.898]
    assert round(table.loc["all", "mean_ap"], 2) == 0.26


def test_one_half_finds_no_hernia_and_no_pneumonia(found):
    table = found.pitfalls()
    assert table.loc[["Hernia", "Pneumonia"], "sensitivity_at_half"].tolist() == [0, 0]
    assert table.loc[["Hernia", "Pneumonia"], "positives"].min() > 30
    assert table["over_patients"].mean() > 1.2 * table["over_images"].mean()


def test_real_patients_widen_the_interval_of_pneumothorax(found):
    """1,089 images of 313 patients, 44 of them of one: over patients nearly twice as wide as over images.

    The middle 95 % of 3,000 resamples, another method, were 0.0205 wide over images and 0.038 over patients.
    """
    truth, scores = found.truth["Pneumothorax"], found.scores["Pneumothorax"]

    def width(units):
        table = metrics.auc_table(truth, scores, units)
        return table.loc["Pneumothorax", "high"] - table.loc["Pneumothorax", "low"]

    assert width(np.arange(len(truth))) == pytest.approx(0.0205, rel=0.05)
    assert width(found.patients) == pytest.approx(0.038, rel=0.05)


def test_split_by_image_of_the_real_table_leaks_through_its_patients(real_data):
    """Ten splits: 82 to 83 % of the test images have their patient in train, and labels alone reach 0.747."""
    table, findings, _ = published._nih_table(real_data / "nih")
    assert (len(table), table["patient"].nunique()) == (112_120, 30_805)
    known, areas = [], []
    for seed in range(10):
        in_test = (splits.split_by_image(table, {"train": 0.8, "test": 0.2}, seed) == "test").to_numpy()
        train, test = table[~in_test], table[in_test]
        known.append(test["patient"].isin(train["patient"]).mean())
        scores = baselines.patient_mean_scores(train, test, findings).set_axis(test["image"])
        judged = test.set_index("image")[list(findings)]
        areas.append(metrics.auc_table(judged, scores, test["patient"].to_numpy(), replicates=0).loc["mean", "auc"])
    assert 0.82 <= min(known) and max(known) < 0.835
    assert np.mean(areas) == pytest.approx(0.747, abs=0.003)


def test_age_sex_and_view_on_the_official_test_set(nih):
    table = published.published_without_pixels(nih).set_index("split")
    assert table.loc["official", ["images", "patients"]].tolist() == [25_596, 2_797]
    assert table.loc["official", "known_patients"] == 0
    assert table.loc["official", "auc"] == pytest.approx(0.605, abs=0.002)
    assert table.loc["by image", "known_patients"] == pytest.approx(0.827, abs=0.001)


def test_tables_are_looked_for_beside_the_data_and_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.delenv("CXR_REAL_DATA", raising=False)
    dataset = tiny_dataset(tmp_path / "tiny")
    assert isinstance(published._folder(dataset), Missing)
    (tmp_path / "real" / "nih").mkdir(parents=True)
    monkeypatch.setenv("CXR_REAL_DATA", str(tmp_path / "real"))
    assert isinstance(published._folder(dataset), Missing)
    (tmp_path / "real" / "nih" / published.TABLE).touch()
    assert published._folder(dataset) == tmp_path / "real" / "nih"
    (Path(dataset.root) / published.TABLE).touch()
    assert published._folder(dataset) == dataset.root
    assert isinstance(published.published_predictions(dataset), Missing)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Tables as NIH and Zech publish them, of 300 simulated images of 90 patients; and what is in them."""
    folder, generator = tmp_path_factory.mktemp("nih"), np.random.default_rng(0)
    patient = np.sort(generator.integers(1, 91, 300))
    visit = pd.Series(patient).groupby(patient).cumcount().to_numpy()
    names = [f"{one:08}_{number:03}.png" for one, number in zip(patient, visit, strict=True)]
    labels = (generator.random((300, 14)) < 0.3).astype(int)
    texts = ["|".join(np.array(FINDINGS)[row == 1]) or "No Finding" for row in labels]
    table = pd.DataFrame({"Image Index": names, "Finding Labels": texts, "Follow-up #": visit, "Patient ID": patient})
    table["Patient Age"], table["Patient Gender"] = (20 + patient % 70), np.where(patient % 2, "M", "F")
    table["View Position"] = generator.choice(["PA", "AP"], 300)
    table.to_csv(folder / published.TABLE, index=False)
    for name, rows in (("test_list.txt", patient > 60), ("train_val_list.txt", patient <= 60)):
        (folder / name).write_text("\n".join(np.array(names)[rows]))
    scored = generator.permutation(300)[:200]
    scores = pd.DataFrame(
        (labels + generator.normal(size=labels.shape))[scored], columns=[f"prob_{f}" for f in FINDINGS]
    )
    scores = scores.assign(**{"Image Index": np.array(names)[scored]})
    scores.to_csv(folder / published.PREDICTIONS, index=False)
    return SimpleNamespace(root=folder), scored, labels, patient, scores


def test_published_areas_are_scikit_learns(small):
    dataset, scored, labels, patient, scores = small
    found = published.published_predictions(dataset)
    truth, score, owner = labels[scored], scores.to_numpy()[:, :14].astype(float), patient[scored]
    official = owner > 60
    parts = {"all": official | True, "on the official test list": official, "not on it": ~official}
    table = found.areas()
    assert list(table.index) == list(parts)
    for name, own in parts.items():
        row = table.loc[name]
        assert (row["images"], row["patients"]) == (own.sum(), len(set(owner[own])))
        assert row["mean_auc"] == pytest.approx(oracle.roc_auc_score(truth[own], score[own]))
        assert row["mean_ap"] == pytest.approx(oracle.average_precision_score(truth[own], score[own]))
        effusion = FINDINGS.index("Effusion")
        assert row["effusion_auc"] == pytest.approx(oracle.roc_auc_score(truth[own, effusion], score[own, effusion]))
    pitfalls = found.pitfalls()
    assert pitfalls["positives"].tolist() == truth.sum(axis=0).tolist() and list(pitfalls.index) == list(FINDINGS)
    called = oracle.recall_score(truth, score >= 0.5, average=None)
    assert pitfalls["sensitivity_at_half"].tolist() == pytest.approx(list(called))
    for column, units in (("over_patients", owner), ("over_images", np.arange(200))):
        areas = metrics.auc_table(truth, score, units)[:-1]
        assert pitfalls[column].tolist() == pytest.approx((areas["high"] - areas["low"]).tolist())


def test_published_figures_without_pixels_by_scikit_learn(small):
    dataset, _, labels, patient, _ = small
    table = published.published_without_pixels(dataset, seed=2)
    assert table["scored_by"].tolist() == ["the patient's other labels", "age, sex, view"]
    assert table["split"].tolist() == ["by image", "official"]
    assert table.loc[1, ["images", "patients", "known_patients"]].tolist() == [sum(patient > 60), 30, 0]
    whole = published._nih_table(dataset.root)[0]
    test = (splits.split_by_image(whole, {"train": 0.8, "test": 0.2}, 2) == "test").to_numpy()
    assert table.loc[0, ["images", "patients"]].tolist() == [test.sum(), len(set(patient[test]))]
    assert table.loc[0, "known_patients"] == pytest.approx(np.isin(patient[test], patient[~test]).mean())
    means = pd.DataFrame(labels[~test]).groupby(patient[~test]).mean().reindex(patient[test])
    expected = oracle.roc_auc_score(labels[test], means.fillna(pd.DataFrame(labels[~test]).mean()))
    assert table.loc[0, "auc"] == pytest.approx(expected)


def test_an_image_without_a_label_and_absent_lists_are_refused(small, tmp_path):
    for name in (published.TABLE, published.PREDICTIONS):
        (tmp_path / name).write_bytes((small[0].root / name).read_bytes())
    here = SimpleNamespace(root=tmp_path)
    with pytest.raises(DataError, match="holds no test_list.txt"):
        published.published_predictions(here)
    for name in ("test_list.txt", "train_val_list.txt"):
        (tmp_path / name).write_text((small[0].root / name).read_text())
    scores = small[4].copy()
    scores.loc[5, "Image Index"] = "99999999_000.png"
    scores.to_csv(tmp_path / published.PREDICTIONS, index=False)
    with pytest.raises(DataError, match="99999999_000.png has a prediction and no label"):
        published.published_predictions(here)


def test_real_readings_find_half_of_what_nih_s_labels_miss(nih):
    """Counted when the simulator's miner was set (phantom/labels.py): sensitivities .46, .42 and .51."""
    readings = published.published_readings(nih)
    table = readings.agreement().drop("mean")
    assert len(readings.seen) == 4_376 and table["positives"].tolist() == [238, 605, 2_166]
    assert (1 - table["missed"]).round(2).tolist() == [0.46, 0.42, 0.51]
    areas = readings.areas()
    assert len(readings.scores) == 935
    assert areas["by radiologists"].loc["mean", "auc"] == pytest.approx(0.879, abs=0.001)
    assert areas["by NIH's labels"].loc["mean", "auc"] == pytest.approx(0.826, abs=0.001)


def test_readings_beside_labels_and_predictions_by_hand(small, tmp_path):
    dataset, scored, labels, patient, scores = small
    here = SimpleNamespace(root=tmp_path)
    for path in dataset.root.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert isinstance(published.published_readings(here), Missing)
    raw = pd.read_csv(tmp_path / published.TABLE)
    own = np.random.default_rng(3).permutation(300)[:120]
    answers = np.random.default_rng(4).choice(["YES", "NO"], (120, 4))
    names = [*published.ASKED, "Fracture"]
    read = raw.iloc[own].reset_index(drop=True).join(pd.DataFrame(answers, columns=names))
    read.to_csv(tmp_path / published.READINGS, index=False)
    readings = published.published_readings(here)
    columns = {"Pneumothorax": [7], "Nodule or mass": [4, 5]}
    opacities = ("Atelectasis", "Consolidation", "Edema", "Infiltration", "Pneumonia")
    columns["Airspace opacity"] = [FINDINGS.index(one) for one in opacities]
    assert readings.seen.to_numpy().tolist() == (answers[:, :3] == "YES").astype(float).tolist()
    mined = np.column_stack([labels[own][:, which].max(axis=1) for which in columns.values()])
    assert readings.mined.to_numpy().tolist() == mined.tolist()
    both = [number for number in scored if number in set(own)]
    assert sorted(readings.scores.index) == sorted(raw["Image Index"].iloc[both])
    given = scores.set_index("Image Index").loc[readings.scores.index].to_numpy()
    for name, which in columns.items():
        assert np.allclose(readings.scores[name], 1 - (1 - given[:, which]).prod(axis=1))
    areas = readings.areas()["by NIH's labels"]
    mine = pd.DataFrame(mined, raw["Image Index"].iloc[own], list(columns)).loc[readings.scores.index]
    expected = oracle.roc_auc_score(mine, readings.scores, average=None)
    assert areas["auc"].drop("mean").tolist() == pytest.approx(list(expected))
    assert areas["patients"].max() == len(set(patient[both]))


def test_two_sources_are_told_apart_by_what_is_no_lung(nih):
    table = published.two_sources(nih)
    assert table["images"].tolist() == [248] * 4
    assert table.loc["bytes of the file", "accuracy"] > 0.98 and table.loc["32 x 32 thumbnail", "accuracy"] > 0.85
    assert 0.7 < table.loc["its border alone", "accuracy"] < table.loc["32 x 32 thumbnail", "accuracy"]


def test_where_two_sources_do_not_differ_nothing_tells_them_apart(tmp_path, monkeypatch):
    """Noise of one size in either folder, saved as one kind of file; and grey frames that only one folder has."""
    monkeypatch.delenv("CXR_REAL_DATA", raising=False)
    rng = np.random.default_rng(0)
    for name in ("COVID-19", "No_findings"):
        (tmp_path / "two_sources" / name).mkdir(parents=True)
        for number in range(30):
            cv2.imwrite(f"{tmp_path}/two_sources/{name}/{number}.png", rng.integers(0, 256, (64, 64), dtype=np.uint8))
    dataset = SimpleNamespace(root=tmp_path / "mine")
    before = published.two_sources(dataset)
    assert before["auc"].between(0.2, 0.8).all()
    for file in (tmp_path / "two_sources" / "COVID-19").iterdir():
        framed = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        framed[:4] = 255
        cv2.imwrite(str(file), framed)
    after = published.two_sources(dataset)
    assert after.loc[["its border alone", "32 x 32 thumbnail", "bytes of the file"], "auc"].tolist() == [1, 1, 1]
    assert after.loc["width and height of the file"].equals(before.loc["width and height of the file"])
    (tmp_path / "two_sources" / "Tuberculosis").mkdir()
    (tmp_path / "two_sources" / "No_findings" / "0.png").rename(tmp_path / "two_sources" / "Tuberculosis" / "0.png")
    with pytest.raises(DataError, match="has 2 findings .*Expected two class folders"):
        published.two_sources(dataset)


def test_without_the_pictures_the_reason_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_REAL_DATA", str(tmp_path))
    assert "Left out: the pictures of the two sources" in repr(
        published.two_sources(SimpleNamespace(root=tmp_path / "a"))
    )
