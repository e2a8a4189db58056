"""`cxr evaluate TABLE` without a data set: labels beside scores or in a table of their own, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from cxr_utils.data.schema import FINDINGS

SHOWN = ["Effusion", "Mass", "Hernia"]


def predictions(images=400, seed=0, first=1, *, image=True, form="{}_pred"):
    """What a well-known course hands out: an index, `Image`, 14 labels, `PatientId`, 14 columns of scores."""
    generator = np.random.default_rng(seed)
    patient = np.sort(generator.integers(first, first + images // 4, images))
    visit = pd.Series(patient).groupby(patient).cumcount()
    share = np.where(np.isin(FINDINGS, SHOWN), 0.3, 0.1)
    labels = (generator.random((images, 14)) < share).astype(int)
    scores = 1 / (1 + np.exp(2 - 2 * labels - generator.normal(size=labels.shape)))
    names = pd.DataFrame({"Image": [f"{one:08}_{number:03}.png" for one, number in zip(patient, visit, strict=True)]})
    truth = pd.DataFrame(labels, columns=list(FINDINGS))
    found = pd.DataFrame(scores, columns=[form.format(name) for name in FINDINGS])
    whole = pd.concat([names, truth, pd.Series(patient, name="PatientId"), found], axis=1)
    return whole if image else whole.drop(columns="Image")


@pytest.fixture
def judge(cxr, tmp_path):
    """Write tables, judge the first by the options given, and read the JSON."""

    def call(table, *options, name="both.csv", **others):
        for stem, other in others.items():
            other.to_csv(tmp_path / f"{stem}.csv", index=False)
        table.to_csv(tmp_path / name)  # with an unnamed index
        options = [str(tmp_path / f"{option}.csv") if option in others else option for option in map(str, options)]
        status, out, err = cxr("evaluate", tmp_path / name, *options, "--json")
        return status, json.loads(out) if out else None, err

    return call


def rows(found, table):
    return {row["finding"]: row for row in found[table]}


def test_labels_beside_scores_are_judged_as_scikit_learn_does(judge):
    table = predictions()
    status, found, err = judge(table)
    assert (status, err) == (0, "")
    about = found["about"]
    assert (about["data"], about["part"], about["images"], about["findings"]) == ("both.csv", "all", 400, 14)
    assert about["patients"] == table["PatientId"].nunique()
    areas, precision = rows(found, "auc"), rows(found, "average_precision")
    for name in FINDINGS:
        pair = table[name], table[f"{name}_pred"]
        assert areas[name]["auc"] == pytest.approx(oracle.roc_auc_score(*pair), abs=1e-12)
        assert precision[name]["ap"] == pytest.approx(oracle.average_precision_score(*pair), abs=1e-12)
        assert areas[name]["low"] < areas[name]["auc"] < areas[name]["high"]
        calibrated = rows(found, "calibration")[name]
        assert calibrated["mean_probability"] == pytest.approx(pair[1].mean(), abs=1e-12)
    assert "unknown" not in areas["Mass"]


def test_nothing_is_chosen_on_what_is_judged(judge, cxr, tmp_path):
    status, found, _ = judge(predictions())
    assert found["operating_points"] == []
    assert found["about"]["thresholds"] == "none: neither --threshold nor --valid was given"
    status, out, _ = cxr("evaluate", tmp_path / "both.csv", "--report", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert status == 0 and "thresholds: none" in out and "sensitivity" not in out
    assert "Thresholds: none: neither" in page and "score &gt;= threshold" not in page and "sensi&shy;" not in page
    assert "<h1>both.csv, part all</h1>" in page and "no baseline that learns" in page
    assert page.count("<img") == 4  # findings, curves, worth of acting, calibration; nobody's age or sex is known


def test_thresholds_are_those_that_were_given(judge):
    table = predictions()
    found = judge(table, "--threshold", "Hernia=0.2", "--threshold", 0.5, "--threshold", "pleural effusion=0.4")[1]
    points = rows(found, "operating_points")
    given = {"Hernia": 0.2, "Effusion": 0.4, "Mass": 0.5}
    for name, threshold in given.items():
        called = table[f"{name}_pred"] >= threshold
        assert points[name]["threshold"] == threshold
        assert points[name]["sensitivity"] == pytest.approx(oracle.recall_score(table[name], called), abs=1e-12)
        assert points[name]["ppv"] == pytest.approx(oracle.precision_score(table[name], called), abs=1e-12)
    assert found["about"]["thresholds"] == "as given"
    only = rows(judge(table, "--threshold", "Mass=0.3")[1], "operating_points")
    assert only["Mass"]["threshold"] == 0.3 and only["Hernia"]["threshold"] is only["Hernia"]["sensitivity"] is None


def test_thresholds_are_chosen_on_a_table_of_other_images(judge):
    table, other = predictions(), predictions(300, seed=1, first=90)
    other["Image"] = other["Image"].str.replace("_0", "_1")  # later visits, in part of the same patients
    found = judge(table, "--valid", "other", other=other)[1]
    truth, score = other["Mass"].to_numpy(), other["Mass_pred"].to_numpy()
    false, sensitive, at = oracle.roc_curve(truth, score, drop_intermediate=False)
    assert rows(found, "operating_points")["Mass"]["threshold"] == at[np.argmax(np.round(sensitive - false, 12))]
    assert found["about"]["thresholds"] == "Youden's, chosen on 300 images of other.csv"
    both = len(set(table["PatientId"]) & set(other["PatientId"]))
    assert both > 0 and f"{both} patients are also in other.csv, where thresholds were chosen" in found["notes"]


def test_what_is_judged_may_not_choose_thresholds(judge, cxr, tmp_path):
    table = predictions(100)
    status, _, err = judge(table, "--valid", "other", other=table.iloc[:7])
    assert status == 2 and "7 images of other.csv are judged themselves" in err and err.count("\n") == 1
    table = table.drop(columns="Image")
    status, _, err = judge(table, "--valid", tmp_path / "both.csv")
    assert status == 2 and "100 images of both.csv are judged themselves" in err
    assert judge(table, "--valid", "other", other=table)[0] == 2  # a copy
    assert judge(table, "--valid", "other", other=predictions(90, 3, 500, image=False))[0] == 0


@pytest.mark.parametrize("form", ["{}_prob", "{}_score", "prob_{}", "pred_{}", "{} Prediction", "PROB_{}"])
def test_columns_of_scores_in_any_form(judge, form):
    table = predictions(form=form)
    found = judge(table.rename(columns=lambda name: name.replace("Pleural_Thickening", "pleural thickening").lower()))[
        1
    ]
    area = rows(found, "auc")["Pleural_Thickening"]["auc"]
    scores = table[form.format("Pleural_Thickening")]
    assert area == pytest.approx(oracle.roc_auc_score(table["Pleural_Thickening"], scores), abs=1e-12)
    assert found["about"]["patients"] == table["PatientId"].nunique()


@pytest.mark.parametrize("form", ["{}_true", "label_{}", "{} GT", "{}_Target"])
def test_columns_of_labels_may_be_marked(judge, form):
    table = predictions()
    marked = table.rename(columns={"Mass": form.format("Mass"), "Edema": form.format("Edema")})
    assert rows(judge(marked)[1], "auc") == rows(judge(table)[1], "auc")


def test_a_finding_that_is_none_of_the_14(judge):
    table = predictions().filter(["PatientId", "Mass", "Mass_pred"])
    table = table.rename(columns={"Mass": "fracture", "Mass_pred": "Fracture_pred"})
    found = judge(table)[1]
    expected = oracle.roc_auc_score(table["fracture"], table["Fracture_pred"])
    assert rows(found, "auc")["Fracture"]["auc"] == pytest.approx(expected, abs=1e-12)


def test_patients_come_from_a_column_else_from_names_else_each_image_is_its_own(judge):
    table = predictions()
    known = judge(table)[1]
    for name in ("patient", "Patient ID", "patient_id"):
        assert judge(table.rename(columns={"PatientId": name}))[1]["auc"] == known["auc"]
    by_name = judge(table.drop(columns="PatientId"))[1]
    assert by_name["auc"] == known["auc"]
    alone = judge(table.drop(columns=["PatientId", "Image"]))[1]
    assert alone["about"]["patients"] == 400 and alone["notes"][0].startswith(
        "no column names the patient or the image"
    )
    strange = table.drop(columns="PatientId").assign(Image=[f"scan{number}.png" for number in range(400)])
    assert judge(strange)[1]["notes"][0].startswith("400 of 400 file names tell no patient")


def test_unknown_and_uncertain_labels(judge, cxr, tmp_path):
    table = predictions().astype({"Mass": float})
    table.loc[::5, "Mass"] = np.nan
    table.loc[1::5, "Mass"] = -1
    table.loc[0, "Mass_pred"] = np.nan  # beside an unknown label
    kept = np.arange(400) % 5 > 1
    expected = {
        "leave-out": (kept, np.nan),
        "positive": (np.arange(400) % 5 > 0, 1),
        "negative": (np.arange(400) % 5 > 0, 0),
    }
    for policy, (own, value) in expected.items():
        found = judge(table, "--uncertain", policy, "--threshold", 0.5)[1]
        row, point = (rows(found, name)["Mass"] for name in ("auc", "operating_points"))
        truth = table["Mass"].replace(-1, value)[own]
        assert row["auc"] == pytest.approx(oracle.roc_auc_score(truth, table["Mass_pred"][own]), abs=1e-12)
        counts = [(truth == 1).sum(), (truth == 0).sum(), 400 - own.sum()]
        assert [row[name] for name in ("positives", "negatives", "unknown")] == counts
        assert [point["tp"] + point["fn"], point["fp"] + point["tn"]] == counts[:2]
        assert rows(found, "auc")["mean"]["unknown"] == counts[2]
        assert any("80 labels of both.csv are uncertain" in note for note in found["notes"])
    assert judge(table)[1]["auc"] == judge(table, "--uncertain", "leave-out")[1]["auc"]
    page = tmp_path / "page.html"
    status, out, _ = cxr("evaluate", tmp_path / "both.csv", "--report", page, "--threshold", 0.5)
    assert status == 0 and "unknown" in out and "<th>unknown</th>" in page.read_text()


def test_a_finding_of_which_nothing_is_known_stands_there_with_the_reason(judge):
    found = judge(predictions().assign(Hernia=np.nan), "--threshold", 0.5)[1]
    row = rows(found, "auc")["Hernia"]
    assert (row["auc"], row["unknown"], row["reason"]) == (None, 400, "no label is known")
    assert rows(found, "auc")["mean"]["reason"] == "mean of 13 of 14 findings"


def test_labels_of_another_table_are_matched_by_path(judge):
    table = predictions()
    labels = table[["Image", "PatientId", *FINDINGS]].rename(columns={"Image": "path", "PatientId": "subject_id"})
    labels["path"] = "C:\\images\\" + labels["path"].str.replace(".png", ".PNG")
    scores = table[["Image", *(f"{name}_pred" for name in FINDINGS)]].sample(frac=1, random_state=0)
    found = judge(scores, "--labels", "truth", truth=labels)[1]
    beside = judge(table)[1]
    assert found["about"]["data"] == "truth.csv" and found["auc"] == beside["auc"]
    plain = scores.rename(columns=lambda name: name.removesuffix("_pred"))
    assert judge(plain, "--labels", "truth", truth=labels)[1]["auc"] == beside["auc"]
    found = judge(scores.iloc[:-10], "--labels", "truth", "--partial", truth=labels.iloc[5:])[1]
    assert any("images have no prediction" in note for note in found["notes"])
    assert judge(scores.iloc[:-10], "--labels", "truth", truth=labels)[0] == 2
    found = judge(scores, "--labels", "truth", truth=labels.iloc[5:])[1]
    assert "5 predictions are of no image of it" in found["notes"]


def test_labels_listed_in_cells(judge):
    table = predictions()
    texts = ["|".join(np.array(FINDINGS)[row == 1]) or "No Finding" for row in table[list(FINDINGS)].to_numpy()]
    table = table.assign(**{"Finding Labels": texts, "Patient Age": 58, "View Position": ["PA", "AP"] * 200})
    labels = table[["Image", "PatientId", "Finding Labels", "Patient Age", "View Position"]]
    beside, listed = judge(predictions())[1], table.drop(columns=list(FINDINGS))
    scores = listed.drop(columns=["PatientId", *labels.columns[2:]])
    found = judge(scores, "--labels", "nih", nih=labels)[1]
    assert found["auc"] == beside["auc"] == judge(listed)[1]["auc"]
    assert {row["characteristic"] for row in found["subgroups"]} == {"age", "view"}
    found = judge(scores.assign(Gout_pred=0.5), "--labels", "nih", "--partial", nih=labels)[1]
    assert "no labels for Gout" in found["notes"]


def test_parts_groups_and_other_labels_of_a_table(judge):
    table = predictions(800)
    half = table["PatientId"] <= 100
    table = table.assign(split=np.where(half, "val", "test"), age="58Y", Sex=np.where(table["PatientId"] % 2, "F", "M"))
    found = judge(table)[1]
    assert (found["about"]["part"], found["about"]["images"]) == ("test", (~half).sum())
    assert found["about"]["thresholds"] == f"Youden's, chosen on {half.sum()} images of valid"
    assert {row["characteristic"] for row in found["subgroups"]} == {"sex", "age"}
    assert list(found["baselines"]) == ["patient's other labels"]
    assert "no baseline that learns: there are no images of train" in found["notes"]
    assert judge(table, "--part", "valid")[1]["about"]["images"] == half.sum()
    assert judge(table, "--part", "all")[1]["about"]["images"] == 800


def test_scores_alone_are_judged_by_the_simulated_images_and_that_is_said(cxr, tmp_path, monkeypatch):
    from tiny_dataset import tiny_dataset

    from cxr_utils.data import opening

    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    dataset = tiny_dataset(tmp_path / "images")
    monkeypatch.setattr(opening, "open_dataset", lambda source, **options: dataset if source == "phantom" else None)
    scores = pd.DataFrame(np.random.default_rng(0).random((60, 2)), columns=["Mass", "Nodule"])
    scores.assign(image=dataset.table["image"]).to_csv(tmp_path / "scores.csv", index=False)
    status, out, _ = cxr("evaluate", tmp_path / "scores.csv", "--json")
    assert status == 0 and json.loads(out)["notes"][0].endswith("judged by the simulated images")
    out = cxr("evaluate", tmp_path / "scores.csv", "--data", "phantom", "--json")[1]
    assert "simulated images" not in " ".join(json.loads(out)["notes"])


def with_cell(table, column, value):
    changed = table.copy()
    changed[column] = changed[column].astype(object)
    changed.loc[3, column] = value
    return changed


WRONG = {
    "a label 2": (lambda t: with_cell(t, "Mass", 2), "Label Mass of both.csv is '2' in row 3"),
    "a label maybe": (lambda t: with_cell(t, "Mass", "maybe"), "Label Mass of both.csv is 'maybe' in row 3"),
    "a label too large": (lambda t: with_cell(t, "Mass", np.inf), "Label Mass of both.csv is 'inf' in row 3"),
    "a column twice": (lambda t: pd.concat([t, t["Mass"]], axis=1), "names Mass in more than one column"),
    "scores as labels": (lambda t: t.assign(Mass=t["Mass_pred"]), "Label Mass of both.csv is "),
    "a score missing": (
        lambda t: with_cell(t, "Mass_pred", None),
        "1 scores are missing or infinite (the first is Mass",
    ),
    "a score in words": (lambda t: with_cell(t, "Mass_pred", "high"), "not a number"),
    "labels twice": (
        lambda t: t.assign(**{"Pleural Effusion": t["Effusion"]}),
        "names Effusion in more than one column",
    ),
    "scores twice": (lambda t: t.assign(prob_Effusion=0.5), "names Effusion in more than one column"),
    "no patient": (lambda t: with_cell(t, "PatientId", None), "PatientId is empty in row 3"),
    "two patients": (lambda t: t.assign(patient=1), "2 columns that name a patient: PatientId, patient"),
    "an image twice": (lambda t: with_cell(t, "Image", t["Image"][0]), "has more than one row"),
    "no image": (lambda t: with_cell(t, "Image", None), "Column Image of both.csv is empty in row 3"),
    "a score too few": (lambda t: t.drop(columns="Mass_pred"), "no predictions for Mass"),
    "a score too many": (lambda t: t.assign(Gout_pred=0.5), "no labels for Gout"),
    "one class": (lambda t: t.assign(**dict.fromkeys(FINDINGS, 0)), "None of 14 findings has images with and without"),
    "a part": (lambda t: t.assign(split=["holdout", "test"] * 50), "Column split holds holdout"),
    "no row": (lambda t: t.iloc[:0], "no rows"),
}


@pytest.mark.parametrize(("damage", "message"), WRONG.values(), ids=WRONG)
def test_bad_tables_are_one_clear_line(judge, damage, message):
    status, found, err = judge(damage(predictions(100)))
    assert status == 2 and found is None
    assert err.startswith("error: ") and message in err and err.count("\n") == 1


OPTIONS = {
    "threshold in words": (["--threshold", "high"], "A --threshold high was given"),
    "threshold of nothing": (["--threshold", "Gout=0.5"], "A --threshold Gout=0.5 was given"),
    "threshold twice": (["--threshold", "0.5", "--valid", "other"], "--threshold and --valid were given"),
    "labels and data": (["--labels", "other", "--data", "phantom"], "--labels came with"),
    "labels of nothing": (["--labels", "nothing"], "nothing.csv holds no labels of"),
    "valid without scores": (["--valid", "nothing"], "nothing.csv holds no labels beside scores"),
    "no such labels": (["--labels", "/no/such.csv"], "does not exist"),
    "no place": (["--report", f"{__file__}/page.html"], "page.html cannot be written"),
    "other form": (["--report", "page.pdf"], "Expected a name that ends in .html"),
}


@pytest.mark.parametrize(("options", "message"), OPTIONS.values(), ids=OPTIONS)
def test_options_that_do_not_go_together_are_one_clear_line(judge, options, message):
    table = predictions(60)
    scores = table.drop(columns=list(FINDINGS)) if "--labels" in options else table
    nothing = table[["Image", "PatientId"]].assign(Gout=0)
    status, found, err = judge(scores, *options, other=predictions(60, 1, 900), nothing=nothing)
    assert status == 2 and found is None
    assert err.startswith("error: ") and message in err and err.count("\n") == 1


def test_partial_leaves_out_what_only_one_side_has(judge):
    table = predictions().drop(columns=["Mass_pred", "Hernia"])
    found = judge(table, "--partial")[1]
    assert found["about"]["findings"] == 12
    assert {"no predictions for Mass", "no labels for Hernia"} <= set(found["notes"])
