"""An evaluation as tables, text, JSON and a page: each figure stands where its name says."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import cxr_utils
from cxr_utils.commands import report_page
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files
from cxr_utils.evaluation import report
from cxr_utils.evaluation.evaluation import Evaluation
from cxr_utils.evaluation.report import UNTOLD, checklist
from cxr_utils.networks.recipes import Recipe


def rows(names, **columns):
    return pd.DataFrame(columns, index=pd.Index(names, name="finding"))


@pytest.fixture
def evaluation():
    """Made up by hand; every figure is another."""
    every, empty = ["Mass", "Edema_<x>", "mean"], pd.DataFrame()
    counts = {"positives": [1200, 3, 1203], "negatives": [40, 50, 90], "patients": 33}
    figures = {"sensitivity": [0.71, 0.73], "specificity": [0.75, 0.77]}
    figures |= {"ppv": [0.61, np.nan], "npv": [0.62, np.nan], "f1": [0.63, np.nan]}
    return Evaluation(
        about={"data": "D & D", "part": "test", "images": 4321, "patients": 1234, "findings": 2,
               "thresholds": "by <rule>", "probabilities": False},
        areas=rows(every, auc=[0.81, np.nan, 0.83], low=[0.7, np.nan, 0.72], high=[0.9, np.nan, 0.92], **counts,
                   reason=["", "no <b>positive</b> image", ""]),
        precision=rows(every, ap=[0.31, 0.32, 0.33], low=0.1, high=0.9, prevalence=[0.2, 0.3, 0.25], **counts),
        micro={"auc": 0.515, "ap": np.nan},
        baselines={"no <pixels>": rows(every, auc=[0.51, 0.52, 0.53])},
        points=rows(every[:2], threshold=[0.41, np.inf], prevalence=[0.2, 0.3], accuracy=[0.65, 0.67], **figures,
                    tp=[1.0, 2.0], fp=3.0, fn=4.0, tn=5.0),
        calibration=rows(every[:2], mean_probability=[0.1, 0.2], ece=[0.05, 0.07]),
        groups=empty, shown="Mass", reliability=empty, decision=empty,
        roc={}, precision_recall={}, notes=["left <i>out</i> & gone"],
    )  # fmt: skip


def test_the_summary_joins_the_tables_and_averages_what_has_no_mean(evaluation):
    table = report.summary(evaluation)
    figures = ["threshold", "accuracy", "sensitivity", "specificity", "ppv", "npv", "f1"]
    columns = ["positives", "prevalence", "auc", "low", "high", "no <pixels>", "ap", *figures, "ece", "reason"]
    assert list(table) == columns and list(table.index) == ["Mass", "Edema_<x>", "mean"]
    mean = table.loc["mean"]
    assert mean["positives"] == 1203 and (mean["auc"], mean["ap"], mean["no <pixels>"]) == (0.83, 0.33, 0.53)
    averaged = ["prevalence", "accuracy", "sensitivity", "specificity", "ppv", "ece"]
    assert mean[averaged].tolist() == pytest.approx([0.25, 0.66, 0.72, 0.76, 0.61, 0.06])
    assert np.isnan(mean["threshold"]) and table.loc["Edema_<x>", "threshold"] == np.inf
    assert table.loc["Mass", ["low", "high", "ece"]].tolist() == [0.7, 0.9, 0.05]
    assert "ece" not in report.summary(Evaluation(**(vars(evaluation) | {"calibration": pd.DataFrame()})))


def test_json_has_null_for_what_is_no_number(evaluation):
    found = json.loads(json.dumps(report.as_json(evaluation), allow_nan=False))
    assert found["version"] == cxr_utils.__version__ and found["about"] == evaluation.about
    assert found["micro"] == {"auc": 0.515, "ap": None} and found["notes"] == evaluation.notes
    assert found["auc"][1] == {"finding": "Edema_<x>", "auc": None, "low": None, "high": None, "positives": 3,
                               "negatives": 50, "patients": 33, "reason": "no <b>positive</b> image"}  # fmt: skip
    assert [row["threshold"] for row in found["operating_points"]] == [0.41, None]
    assert [row["ap"] for row in found["average_precision"]] == [0.31, 0.32, 0.33]
    assert [row["ece"] for row in found["calibration"]] == [0.05, 0.07]
    assert found["baselines"]["no <pixels>"][2] == {"finding": "mean", "auc": 0.53}
    assert found["subgroups"] == found["reliability"] == found["decision_curve"] == [] and found["shown"] == "Mass"


def test_text_for_a_terminal(evaluation):
    lines = report.as_text(evaluation).splitlines()
    assert lines[:2] == ["D & D, part test: 4,321 images of 1,234 patients", "thresholds: by <rule>"]
    assert lines[-1] == "note: left <i>out</i> & gone" and len(lines) == 8
    assert lines[4].split() == "Mass 1200 0.81 0.70 0.90 0.51 0.31 0.71 0.75 0.61".split()
    assert lines[5].split()[:7] == "Edema_<x> 3 - - - 0.52 0.32".split()


@pytest.fixture
def page(evaluation, monkeypatch):
    """The page without its figures, which need curves."""
    monkeypatch.setattr(report_page, "_figures", lambda _: [])
    return report_page.page(evaluation, "a <b> & c")


def test_nothing_that_was_handed_in_becomes_markup(page):
    assert "<title>a &lt;b&gt; &amp; c on D &amp; D, part test</title>" in page
    assert "<h1>a &lt;b&gt; &amp; c on D &amp; D, part test</h1>" in page
    assert "<p>Not here: left &lt;i&gt;out&lt;/i&gt; &amp; gone.</p>" in page
    assert "Edema_&lt;x&gt;: no &lt;b&gt;positive&lt;/b&gt; image" in page and "by &lt;rule&gt;" in page
    assert "no &lt;pixels&gt; 0.530" in page and "AUC, no &lt;pixels&gt;" in page
    assert not re.search(r"<(i|rule|pixels|b>positive)", page)


def test_the_page_opens_with_the_mean_and_tells_rows_by_name(page):
    assert "<b>Mean AUC 0.830 (95 % interval 0.720 to 0.920)</b>, 2 findings, 4,321 images of 1,234 patients." in page
    assert "Mean average precision 0.330." in page and "AUC 0.515, average precision nan" in page
    row = re.search("<tr><td>Edema &lt;x&gt;</td>(.*?)</tr>", page).group(1)
    cells = re.findall("<td>(.*?)</td>", row)
    assert cells[:4] == ["3", "0.300", "", ""] and cells[6] == "none called"
    row = re.search("<tr class=mean><td>mean</td>(.*?)</tr>", page).group(1)
    assert re.findall("<td>(.*?)</td>", row)[:4] == ["1,203", "0.250", "0.830", "0.720 to 0.920"]
    heads = re.findall("<th>(.*?)</th>", page)
    assert heads[:6] == ["finding", "positives", "prevalence", "AUC", "95 % interval", "AUC, no &lt;pixels&gt;"]
    assert heads[6] == "AP" and "sensi&shy;tivity" in heads and heads[-1] == "ECE"


def test_notes_are_those_of_what_is_on_the_page(evaluation, page):
    assert "Groups:" not in page and "Worth of acting" not in page and page.count('<div class="small"><p>') == 1
    assert f"Made by cxr_utils {cxr_utils.__version__}, a course. Not for diagnosis." in page
    about = evaluation.about | {"probabilities": True}
    groups = pd.DataFrame({"auc": [0.5]})
    fuller = Evaluation(**(vars(evaluation) | {"about": about, "groups": groups, "notes": []}))
    notes = " ".join(report_page._notes(fuller))
    assert "Groups: mean AUC" in notes and "Worth of acting" in notes and "Not here" not in notes
    whole = Evaluation(**(vars(evaluation) | {"areas": evaluation.areas.assign(reason="", low=np.nan)}))
    assert "Without area" not in " ".join(report_page._notes(whole))
    assert "<b>Mean AUC 0.830</b>," in report_page.page(whole, "x")


def test_systems_side_by_side():
    columns = ["recipe", "auc", "precision", "recall", "mean_auc", "seconds", "weights"]
    trainings = [
        ["a", 0.70, 0.2, np.nan, 0.75, 1234.6, 7e6],
        ["a", 0.90, 0.3, np.nan, 0.76, 2000.0, 7e6],
        ["a", 0.836, 0.25, np.nan, 0.755, 5000.0, 7e6],
        ["b", 0.5, 1, 0, *[np.nan] * 3],
    ]
    lines = report.systems_table(pd.DataFrame(trainings, columns=columns)).data.split("\n")
    assert lines[0].startswith(
        "| system | AUC (lowest to highest) | precision | recall | mean AUC of findings | seconds"
    )
    assert lines[1] == "|:--|--:|--:|--:|--:|--:|--:|"
    assert lines[2] == "| a | 0.81 (0.70 to 0.90) | 0.25 |  | 0.76 | 1,235 | 7,000,000 |"
    assert lines[3] == "| b | 0.50 | 1.00 | 0.00 |  |  |  |"


def test_a_checklist_counts_what_the_run_knows_and_says_what_it_does_not(tmp_path):
    """Figures beside scikit-learn's and counts by hand; what no run can know is not made up."""
    generator = np.random.default_rng(0)
    images = [f"{number}.png" for number in range(120)]
    table = pd.DataFrame({"image": images, "patient": [str(number // 2) for number in range(120)]})
    table["split"], table["sex"] = np.repeat(["train", "valid", "test"], 40), ["F", "F", "M", "M"] * 30
    table["Mass"], table["Edema"] = np.arange(120) % 4 == 0, np.arange(120) % 5 == 0
    table = table.astype({"Mass": "int8", "Edema": "int8"})
    dataset = Dataset("toy", "folders", tmp_path, table, ("Mass", "Edema"), pd.DataFrame(), None, Files({}))
    scores = pd.DataFrame(generator.random((40, 2)), images[80:], ["Mass", "Edema"])
    card = {"seed": 7, "version": "0.1", "backend": "jax"}
    network = SimpleNamespace(card=card, recipe=Recipe(), weights_count=123)
    told = checklist(network, dataset, scores, pd.Series(0.5, scores.columns), external_validation="a ward elsewhere")
    test = table[80:]
    mean = np.mean([roc_auc_score(test[name], scores[name]) for name in scores])
    assert f"mean AUC {mean:.3f} (" in told["performance"]
    assert told["parts"].startswith("train 40 images of 20, valid 40 images of 20, test 40 images of 20 patients; ")
    assert told["parts"].endswith("patients in more than one part: 0")
    assert told["size of the test part"] == "20 patients; positive images a finding: 8 to 10"
    found = np.mean([(scores[name].to_numpy() >= 0.5)[test[name] == 1].mean() for name in scores])
    assert f"sensitivity {found:.2f}, " in told["thresholds"]
    assert told["patients"] == "50% women" and told["random numbers"] == "seed 7; one training"
    assert told["external validation"] == "a ward elsewhere" and told["reference standard"] == UNTOLD == told["limits"]
    shared = replace(dataset, table=table.assign(patient=["0", *table["patient"][1:-1], "0"]))
    assert checklist(network, shared, scores, pd.Series(0.5, scores.columns))["parts"].endswith(": 1")
