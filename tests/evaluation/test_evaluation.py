"""`cxr evaluate`: what it prints is what scikit-learn says, the page is whole, and bad input is refused."""

import base64
import json
import re
import sys
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle
from tiny_dataset import tiny_dataset

from cxr_utils.commands import program, report_page
from cxr_utils.data.opening import open_dataset
from cxr_utils.data.splits import sample_patients
from cxr_utils.errors import CxrError, DataError, RecipeError
from cxr_utils.evaluation import baselines, calibration, metrics, predictions, subgroups, thresholds
from cxr_utils.evaluation import evaluation as evaluation_file
from cxr_utils.evaluation.evaluation import evaluate

FINDINGS = ["Atelectasis", "Effusion", "Hernia"]


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """A table in NIH's layout, 600 images of 200 patients without one picture, and scores for valid and test."""
    folder, generator = tmp_path_factory.mktemp("collection"), np.random.default_rng(0)
    patient = np.sort(generator.integers(1, 201, 600))
    visit = pd.Series(patient).groupby(patient).cumcount().to_numpy()
    names = [f"{one:08}_{number:03}.png" for one, number in zip(patient, visit, strict=True)]
    labels = (generator.random((600, 3)) < [0.3, 0.2, 0.05]).astype(int)
    texts = ["|".join(np.array(FINDINGS)[row == 1]) or "No Finding" for row in labels]
    own = generator.integers(20, 90, 201), generator.choice(list("FM"), 201)
    table = {"Image Index": names, "Finding Labels": texts, "Follow-up #": visit, "Patient ID": patient}
    table |= {"Patient Age": own[0][patient], "Patient Gender": own[1][patient]}
    table |= {"View Position": generator.choice(["PA", "AP"], 600)}
    pd.DataFrame(table).to_csv(folder / "Data_Entry_2017.csv", index=False)
    parts = {"test_list.txt": patient > 130, "valid_list.txt": (patient > 90) & (patient <= 130)}
    for name, rows in (parts | {"train_list.txt": patient <= 90}).items():
        (folder / name).write_text("\n".join(np.array(names)[rows]))
    scores = 1 / (1 + np.exp(2 - 2 * labels - generator.normal(size=labels.shape)))
    return folder, pd.DataFrame(scores, index=pd.Index(names, name="image"), columns=FINDINGS), labels, patient


@pytest.fixture
def run(collection, capsys, monkeypatch, tmp_path):
    """Write scores to a file and run the command on them: (exit status, stdout, stderr)."""

    def call(scores, *arguments, name="scores.csv"):
        scores.to_csv(tmp_path / name, index=scores.index.name is not None)
        monkeypatch.setattr(sys, "argv", ["cxr", "evaluate", str(tmp_path / name), *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            program.main()
        captured = capsys.readouterr()
        return end.value.code or 0, captured.out, captured.err

    return call


def all_findings(scores):
    """The layout knows 14 findings; those that nobody has are scored too."""
    from cxr_utils.data.schema import FINDINGS as every

    return scores.reindex(columns=list(every), fill_value=0.1)


def test_json_holds_what_scikit_learn_says(collection, run):
    folder, scores, labels, patient = collection
    shuffled = all_findings(scores).sample(frac=1, axis=1, random_state=0).sample(frac=1, random_state=1)
    status, out, _ = run(shuffled, "--data", folder, "--json", name="scores.csv.gz")
    found, test = json.loads(out), patient > 130
    assert status == 0
    assert (found["about"]["images"], found["about"]["patients"]) == (test.sum(), len(set(patient[test])))
    rows = {row["finding"]: row for row in found["auc"]}
    precision = {row["finding"]: row for row in found["average_precision"]}
    points = {row["finding"]: row for row in found["operating_points"]}
    for column, name in enumerate(FINDINGS):
        truth, score = labels[test, column], scores.loc[test, name].to_numpy()
        assert rows[name]["auc"] == pytest.approx(oracle.roc_auc_score(truth, score), abs=1e-9)
        assert precision[name]["ap"] == pytest.approx(oracle.average_precision_score(truth, score), abs=1e-9)
        called = score >= points[name]["threshold"]
        assert points[name]["sensitivity"] == pytest.approx(oracle.recall_score(truth, called), abs=1e-9)
        assert points[name]["ppv"] == pytest.approx(oracle.precision_score(truth, called), abs=1e-9)
    assert rows["Mass"]["auc"] is None and rows["Mass"]["reason"] == "no positive image"
    assert {row["characteristic"] for row in found["subgroups"]} == {"sex", "age", "view", "follow_up"}
    assert set(found["baselines"]) == {"patient's other labels", "no pixels"}


def test_thresholds_come_from_valid_and_never_from_what_is_judged(collection, run):
    folder, scores, labels, patient = collection
    scores, valid = all_findings(scores), (patient > 90) & (patient <= 130)
    found = json.loads(run(scores, "--data", folder, "--json")[1])
    point = next(row for row in found["operating_points"] if row["finding"] == "Effusion")
    truth, score = labels[valid, 1], scores.loc[valid, "Effusion"].to_numpy()
    youden = [np.mean(score[truth == 1] >= one) - np.mean(score[truth == 0] >= one) for one in np.sort(score)]
    assert point["threshold"] == pytest.approx(np.sort(score)[np.argmax(np.round(youden, 12))])
    assert f"chosen on {valid.sum()} images of valid" in found["about"]["thresholds"]
    without = json.loads(run(scores[patient > 130], "--data", folder, "--json")[1])
    assert {row["threshold"] for row in without["operating_points"]} == {0.5}
    assert "they have no predictions" in without["about"]["thresholds"]
    itself = json.loads(run(scores, "--data", folder, "--part", "valid", "--json")[1])
    assert "judged themselves" in itself["about"]["thresholds"]


def test_the_page_is_one_whole_file_and_the_json_lies_beside_it(collection, run, tmp_path):
    folder, scores, _, _ = collection
    page = tmp_path / "results" / "page.html"
    status, out, _ = run(all_findings(scores), "--data", folder, "--report", page)
    assert status == 0 and f"report: {page}" in out
    text = page.read_text()
    pictures = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)">', text)
    assert len(pictures) == 5 and all(alt for alt, _ in pictures)
    assert all(base64.b64decode(data).startswith(b"\x89PNG") for _, data in pictures)
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|<script""", text)
    assert "size: A4" in text and text.endswith("</html>\n")
    found = json.loads(page.with_suffix(".json").read_text())
    area = next(row["auc"] for row in found["auc"] if row["finding"] == "Effusion")
    assert f"<td>Effusion</td><td>{found['auc'][2]['positives']}</td>" in text and f"<td>{area:.3f}</td>" in text
    assert "Mass: no positive image" in text and "Not for diagnosis" in text
    assert [path.name for path in sorted(page.parent.iterdir())] == ["page.html", "page.json"]


def test_names_in_the_page_are_text_and_not_markup(collection):
    folder, scores, _, _ = collection
    found = evaluate(all_findings(scores), open_dataset(folder), replicates=0)
    assert "<h1>a &lt;b&gt; &amp; c on" in report_page.page(found, "a <b> & c")


def test_scores_that_are_no_probabilities_have_areas_and_no_calibration(collection, run, tmp_path):
    folder, scores, _, _ = collection
    logits = np.log(all_findings(scores)) - np.log(1 - all_findings(scores))
    status, out, _ = run(logits, "--data", folder, "--json", "--report", tmp_path / "page.html")
    found = json.loads(out)
    assert status == 0 and found["calibration"] == found["decision_curve"] == []
    assert "scores are not between 0 and 1" in " ".join(found["notes"])
    assert "Calibration:" not in (tmp_path / "page.html").read_text()


def damaged(scores, value):
    changed = scores.copy()
    changed.iloc[-1, 2] = value
    return changed


WRONG = {
    "missing score": (lambda s: damaged(s, np.nan), "1 scores are missing or infinite (the first is Effusion"),
    "infinite score": (lambda s: damaged(s, np.inf), "1 scores are missing or infinite (the first is Effusion"),
    "text": (lambda s: damaged(s.astype(object), "high"), "not a number"),
    "image twice": (lambda s: pd.concat([s, s.iloc[-1:]]), "1 images appear more than once in scores.csv"),
    "image missing": (lambda s: s.iloc[:-3], "3 of 230 images have no prediction"),
    "finding missing": (lambda s: s.drop(columns="Hernia"), "no predictions for Hernia"),
    "finding unknown": (lambda s: s.assign(Gout=0.5), "no labels for Gout"),
    "finding twice": (lambda s: s.assign(prob_Effusion=0.5), "1 findings appear more than once"),
    "other images": (lambda s: s.rename(index=lambda name: "x" + name), "name 0 of 230 images"),
    "no image column": (lambda s: s.rename_axis("name"), "0 columns that name an image"),
}


@pytest.mark.parametrize(("damage", "message"), WRONG.values(), ids=WRONG)
def test_bad_predictions_are_one_line_and_exit_2(collection, run, damage, message):
    folder, scores, _, _ = collection
    status, out, err = run(damage(all_findings(scores)), "--data", folder)
    assert status == 2 and all(line.startswith("note: ") for line in out.splitlines())
    assert err.startswith("error: ") and message in err and err.count("\n") == 1


def test_partial_judges_what_both_have_and_says_what_it_left_out(collection, run):
    folder, scores, labels, patient = collection
    some = scores.iloc[::2].drop(columns="Hernia").assign(Gout=0.5)
    assert run(some, "--data", folder)[0] == 2
    found = json.loads(run(some, "--data", folder, "--partial", "--json")[1])
    rows = np.flatnonzero((patient > 130) & (np.arange(600) % 2 == 0))
    assert found["about"]["images"] == len(rows) and found["about"]["findings"] == 2
    area = next(row["auc"] for row in found["auc"] if row["finding"] == "Effusion")
    assert area == pytest.approx(oracle.roc_auc_score(labels[rows, 1], scores["Effusion"].iloc[rows]), abs=1e-9)
    notes = " ".join(found["notes"])
    assert "no prediction" in notes and "no labels for Gout" in notes and "Hernia" in notes


@pytest.fixture
def repeated(tmp_path):
    """Class folders of which each calls its pictures 1.png, 2.png ..., and scores under their paths."""
    generator, rows = np.random.default_rng(0), []
    for part, count in (("train", 8), ("val", 4), ("test", 6)):
        for kind in ("NORMAL", "PNEUMONIA"):
            folder = tmp_path / "rays" / part / kind
            folder.mkdir(parents=True)
            for number in range(1, count + 1):
                cv2.imwrite(str(folder / f"{number}.png"), generator.integers(0, 255, (16, 16)).astype(np.uint8))
                rows.append([f"{part}/{kind}/{number}.png", int(kind == "PNEUMONIA"), generator.random()])
    return tmp_path / "rays", pd.DataFrame(rows, columns=["image", "truth", "Pneumonia"])


@pytest.mark.parametrize(
    "written",
    [
        lambda name: name,
        lambda name: f"chest_xray/{name}",
        lambda name: "C:\\rays\\" + name.replace("/", "\\"),
        lambda name: name.removesuffix(".png"),
        lambda name: name.replace(".png", ".JPEG"),
    ],
    ids=["as they lie", "from above", "Windows", "no ending", "another ending"],
)
def test_pictures_of_one_name_are_told_apart_by_their_paths(repeated, run, written):
    folder, table = repeated
    scores = table[["image", "Pneumonia"]].assign(image=table["image"].map(written)).sample(frac=1, random_state=0)
    status, out, err = run(scores.set_index("image"), "--data", folder, "--json")
    own = table[table["image"].str.startswith("test")]
    expected = oracle.roc_auc_score(own["truth"], own["Pneumonia"])
    found = json.loads(out)
    assert status == 0 and found["about"]["images"] == 12
    assert found["auc"][0]["auc"] == pytest.approx(expected, abs=1e-12)
    assert "chosen on 8 images of valid" in found["about"]["thresholds"]


def test_a_name_that_fits_several_pictures_is_refused_with_them(repeated, run):
    folder, table = repeated
    last = table[table["image"].str.startswith("test/NORMAL")].set_index("image")[["Pneumonia"]]
    status, _, err = run(last.rename(index=lambda name: name.removeprefix("test/")), "--data", folder)
    assert status == 2 and err.count("\n") == 1
    assert "NORMAL/1 fits" in err and "NORMAL/1.png" in err


def test_predictions_of_other_images_are_counted(collection, run):
    folder, scores, _, _ = collection
    more = pd.concat([all_findings(scores), all_findings(scores).iloc[:3].rename(index=lambda name: "x" + name)])
    found = json.loads(run(more.rename_axis("image"), "--data", folder, "--json")[1])
    assert "3 predictions are of no image of it" in found["notes"]


def test_shared_findings_are_judged_and_the_others_named_on_both_sides(collection):
    folder, scores, labels, patient = collection
    dataset, test = open_dataset(folder), patient > 130
    foreign = scores[["Effusion", "Hernia"]].assign(Gout=0.5)
    found = evaluate(foreign, dataset, shared=True, replicates=0)
    assert list(found.areas.index) == ["Effusion", "Hernia", "mean"]
    expected = oracle.roc_auc_score(labels[test, 1], scores.loc[test, "Effusion"])
    assert found.areas.loc["Effusion", "auc"] == pytest.approx(expected, abs=1e-12)
    assert found.notes[0] == "judged: Effusion, Hernia, which both know"
    assert found.notes[1].startswith("no predictions for Atelectasis, Cardiomegaly")
    assert found.notes[2] == "no labels for Gout"
    with pytest.raises(DataError, match="3 of 230 images have no prediction"):
        evaluate(foreign.iloc[:-3], dataset, shared=True)
    with pytest.raises(DataError, match="0 of its 14 findings: no predictions for .*Hernia; no labels for Gout. Exp"):
        evaluate(foreign[["Gout"]], dataset, shared=True)


def test_labels_that_are_neither_0_nor_1_and_missing_patients_are_refused(run, tmp_path, collection):
    names = [f"{number}.png" for number in range(12)]
    table = pd.DataFrame({"Image": names, "PatientId": np.arange(12) // 2, "Mass": [0, 1] * 6})
    scores = pd.DataFrame({"image": table["Image"], "Mass": 0.5})
    for column, value, message in (("Mass", 2, "Expected 0, false"), ("PatientId", None, "PatientId is empty")):
        folder = tmp_path / column
        folder.mkdir()
        for part in ("train", "test"):
            own = table.assign(Image=part + table["Image"], PatientId=table["PatientId"] + 100 * (part == "test"))
            own[column] = own[column].astype(object).where(own.index != 3, value)
            own.to_csv(folder / f"{part}.csv", index=False)
        status, _, err = run(scores.assign(image="test" + scores["image"]), "--data", folder)
        assert status == 2 and err.startswith("error: ") and message in err and err.count("\n") == 1


def test_constant_scores_and_a_single_patient_have_a_reason(collection, tmp_path):
    dataset = tiny_dataset(tmp_path)
    constant = pd.DataFrame(0.5, index=dataset.table["image"], columns=["Mass", "Nodule"])
    found = evaluate(constant, dataset, replicates=50)
    assert found.areas["auc"].tolist() == [0.5] * 3
    assert found.areas["reason"].tolist()[:2] == ["every score is the same: no interval"] * 2
    single = dataset.table["split"] == "test"
    dataset.table.loc[single, "patient"] = "one"
    scores = constant + np.random.default_rng(0).random(constant.shape) / 10
    found = evaluate(scores, dataset, replicates=50)
    assert found.areas["auc"].notna().all() and found.areas["low"].isna().all()
    assert "one patient" in found.areas["reason"].iloc[0]
    assert "</html>" in report_page.page(found, "one patient")


def test_nothing_to_judge_is_an_error(tmp_path):
    dataset = tiny_dataset(tmp_path)
    scores = pd.DataFrame(0.5, index=dataset.table["image"], columns=["Mass", "Nodule"])
    dataset.table[["Mass", "Nodule"]] = 0
    with pytest.raises(CxrError, match="None of 2 findings has images with and without it"):
        evaluate(scores, dataset)
    with pytest.raises(DataError, match="'holdout' was asked for"):
        evaluate(scores, dataset, "holdout")


def test_thumbnails_stand_beside_a_model_whose_images_are_here(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    dataset = tiny_dataset(tmp_path / "images", images=80)
    generator = np.random.default_rng(0)
    scores = pd.DataFrame(generator.random((80, 2)), index=dataset.table["image"], columns=["Mass", "Nodule"])
    found = evaluate(scores, dataset, replicates=0)
    assert found.baselines["32 x 32 pixels"].loc["mean", "auc"] > 0.9  # two findings that are two bright squares
    assert "no baseline without pixels" in " ".join(found.notes)


def test_what_is_no_prediction_is_said(tmp_path):
    dataset = tiny_dataset(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        predictions.predictions_of(tmp_path / "no.csv", dataset, ("test",))
    with pytest.raises(RecipeError, match="it has no card.json"):
        predictions.predictions_of(tmp_path, dataset, ("test",))
    (tmp_path / "two.csv").write_text("image,path,Mass\na,b,1\n")
    with pytest.raises(DataError, match="2 columns that name an image"):
        predictions.read_predictions(tmp_path / "two.csv")


@pytest.fixture(scope="module")
def judged(collection):
    """The test part judged with few resamples, and its labels and scores in the order of the table."""
    folder, scores, labels, patient = collection
    dataset = open_dataset(folder)
    found = evaluate(scores, dataset, partial=True, replicates=40, seed=3)
    return found, labels[patient > 130], scores.to_numpy()[patient > 130], dataset


def test_figures_of_all_labels_together_are_scikit_learns_micro_averages(judged):
    found, truth, scores, _ = judged
    assert found.micro["auc"] == pytest.approx(oracle.roc_auc_score(truth, scores, average="micro"), abs=1e-12)
    precision = oracle.average_precision_score(truth, scores, average="micro")
    assert found.micro["ap"] == pytest.approx(precision, abs=1e-12)
    false, sensitive, at = oracle.roc_curve(truth.ravel(), scores.ravel(), drop_intermediate=False)
    np.testing.assert_allclose(found.roc["micro"].to_numpy(), np.column_stack([at, false, sensitive]), atol=1e-12)
    curve = found.precision_recall["micro"]
    steps = np.diff(curve["recall"], prepend=0) @ curve["precision"]
    assert steps == pytest.approx(precision, abs=1e-12)
    macro = found.roc["macro"]
    area = np.trapezoid(macro["sensitivity"], macro["false_positive_rate"])
    assert area == pytest.approx(oracle.roc_auc_score(truth, scores), abs=1e-12)
    macro = found.precision_recall["macro"]
    area = np.diff(macro["recall"], prepend=0) @ macro["precision"]
    assert area == pytest.approx(oracle.average_precision_score(truth, scores), abs=1e-12)


def test_tables_are_those_of_the_room_with_the_same_resamples(judged):
    found, _, _, dataset = judged
    own = dataset.part("test")
    truth = own.table.set_index("image")[FINDINGS]
    patients, options = own.patients, {"replicates": 40, "seed": 3}
    scores = found_scores(judged)
    pd.testing.assert_frame_equal(found.areas, metrics.auc_table(truth, scores, patients, **options))
    pd.testing.assert_frame_equal(found.precision, metrics.average_precision_table(truth, scores, patients, **options))
    pd.testing.assert_frame_equal(found.groups, subgroups.subgroup_table(truth, scores, own.table, **options))
    train = dataset.part("train")
    blind = baselines.no_pixel_scores(train.table, own.table, FINDINGS)
    others = baselines.other_label_scores(own.table, FINDINGS)
    for name, expected in (("no pixels", blind), ("patient's other labels", others)):
        pd.testing.assert_frame_equal(found.baselines[name], metrics.auc_table(truth, expected, patients, **options))
    assert list(found.baselines) == ["patient's other labels", "no pixels"]
    table = calibration.calibration_table(truth, scores)
    pd.testing.assert_frame_equal(found.calibration, table[list(found.calibration)])
    columns = ["mean_probability", "ece", "brier", "reliability", "resolution", "uncertainty", "within_bins"]
    assert list(found.calibration) == columns
    assert found.shown == "Atelectasis" == truth.sum().idxmax()  # the commonest
    one = truth["Atelectasis"], scores["Atelectasis"]
    pd.testing.assert_frame_equal(found.reliability, calibration.reliability_table(*one, patients=patients))
    pd.testing.assert_frame_equal(found.decision, thresholds.decision_curve(*one))
    about = {"data": dataset.name, "part": "test", "images": len(own), "patients": len(set(patients)), "findings": 3}
    assert {name: found.about[name] for name in about} == about and found.about["probabilities"] is True


def found_scores(judged):
    _, _, scores, dataset = judged
    return pd.DataFrame(scores, index=dataset.part("test").table["image"], columns=FINDINGS)


def test_what_is_left_out_is_said(collection, judged):
    folder, scores, labels, patient = collection
    found, _, _, dataset = judged
    assert found.notes[-1] == "no baseline of 32 x 32 pixels: not all image files are here"
    for part, how in (
        ("train", "Youden's, chosen on 119 images of valid"),
        ("all", "0.5 for every finding: none could"),
    ):
        other = evaluate(scores, dataset, part, partial=True, replicates=0)
        assert list(other.baselines) == ["patient's other labels"] and other.about["thresholds"].startswith(how)
        assert "no baseline that learns" in other.notes[-1]
    alone = replace(dataset, table=dataset.table.assign(patient=dataset.table["image"]).drop(columns=["age", "sex"]))
    alone = replace(alone, table=alone.table.drop(columns=["view", "follow_up"]))
    other = evaluate(scores * 1.5 - 0.2, alone, partial=True, replicates=0)
    assert other.baselines == {} and other.groups.empty and other.about["probabilities"] is False
    notes = [note.split(":")[0] for note in other.notes]
    assert notes[1:] == ["no baseline of the patient's other labels", "no baseline without pixels",
                         "no baseline of 32 x 32 pixels", "scores are not between 0 and 1"]  # fmt: skip
    only_test = replace(dataset, table=dataset.table[dataset.table["split"] == "test"])
    assert list(evaluate(scores, only_test, partial=True, replicates=0).baselines) == ["patient's other labels"]


@pytest.mark.parametrize(("low", "high", "probable"), [(0, 1, True), (-1e-9, 1, False), (0, 1 + 1e-9, False)])
def test_probabilities_lie_between_zero_and_one_with_both_ends(judged, low, high, probable):
    _, truth, _, dataset = judged
    scores = found_scores(judged).assign(Hernia=np.where(truth[:, 2], high, low))
    found = evaluate(scores, dataset, partial=True, replicates=0)
    assert found.about["probabilities"] is probable and found.decision.empty is not probable
    assert set(found.points["threshold"]) == {0.5 if probable else 0.0}
    assert "none could be chosen on images of valid, because they have no predictions" in found.about["thresholds"]


def test_the_table_that_is_followed_has_both_classes(judged):
    """Effusion is in every image, so that it is the commonest and has no curve."""
    _, _, _, dataset = judged
    every = replace(dataset, table=dataset.table.assign(Effusion=1))
    assert evaluate(found_scores(judged), every, partial=True, replicates=0).shown == "Atelectasis"


def test_one_question_is_judged_by_any_finding(collection):
    folder, scores, labels, patient = collection
    asked, test = scores[["Effusion"]].set_axis(["Abnormal"], axis=1), patient > 130
    found = evaluate(asked, open_dataset(folder), replicates=0)
    expected = oracle.roc_auc_score(labels[test].max(axis=1), asked["Abnormal"][test])
    assert found.areas.loc["Abnormal", "auc"] == pytest.approx(expected, abs=1e-12) and found.shown == "Abnormal"
    again = evaluate(asked, open_dataset(folder).any_finding(), replicates=0)
    assert again.areas.loc["Abnormal", "auc"] == pytest.approx(expected, abs=1e-12)


def test_thumbnails_learn_from_whole_patients_of_train_up_to_a_number(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    dataset = tiny_dataset(tmp_path / "images", images=60, side=32).with_permuted_labels()  # so that no area is 1
    scores = pd.DataFrame(0.5, index=dataset.table["image"], columns=["Mass", "Nodule"])
    train, test = dataset.part("train"), dataset.part("test")
    seen = []
    for most in (4000, 20):
        monkeypatch.setattr(evaluation_file, "THUMBNAIL_IMAGES", most)
        some = train.subset(sample_patients(train.table["patient"], most), "some")
        assert len(some) == min(most, 36)
        pictures = some.pixels(32), some.table, test.pixels(32), test.table
        expected = baselines.thumbnail_scores(*pictures, ["Mass", "Nodule"], 32)
        found = evaluate(scores, dataset, replicates=0).baselines["32 x 32 pixels"]
        areas = oracle.roc_auc_score(test.labels, expected, average=None)
        assert found["auc"].tolist()[:2] == pytest.approx(list(areas), abs=1e-12)
        seen.append(found["auc"].tolist())
    assert seen[0] != seen[1]
