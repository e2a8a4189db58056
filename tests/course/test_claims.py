"""Every claim can fail: each is judged on made-up results that bear it out, and on others that do not.

A lesson's claims are read from its source as they stand there. What is true by arithmetic, whatever the data, is an
identity (`cxr.identity`) and no claim.
"""

import ast

import numpy as np
import pandas as pd
import pytest

from cxr_utils.cache import home
from cxr_utils.course.lessons import find_lessons
from cxr_utils.errors import Missing

LESSONS = {lesson.number: lesson for lesson in find_lessons(home())}


class Knows:
    """Stands in for a data set that knows everything."""

    def knows(self, what):
        return True


def claims_of(lesson):
    """Statement to the expression that judges it, of every `cxr.claims` in the source."""
    found = {}
    for node in ast.walk(ast.parse(lesson.source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "cxr.claims":
            (statements,) = node.args
            for key, value in zip(statements.keys, statements.values, strict=True):
                found[ast.literal_eval(key)] = ast.unparse(value)
    return found


def ends(low, difference=None, high=1.0):
    """A difference with its interval."""
    return {"difference": low if difference is None else difference, "low": low, "high": high}


def scores(**values):
    """A difference of heat maps: of each score, with both ends."""
    return pd.Series({f"{name}{end}": value for name, value in values.items() for end in ("", "_low", "_high")})


def shares(**hits):
    """A table of hits by row, as `Scored.summary` gives it."""
    return pd.DataFrame({"hit": hits})


def maps(kind, **hits):
    return {kind: shares(**hits)}


#: Lesson to statement to what its expression needs: results that bear it out, and results that do not.
CASES = {
    "01": {
        "Answering 'no' about the rarest finding is right for more than nine images in ten": (
            {"rarest": "Hernia", "shares": {"Hernia": 0.05}},
            {"rarest": "Hernia", "shares": {"Hernia": 0.3}},
        ),
        "Some pair of findings meets at least one and a half times as often as by chance": (
            {"pairs": pd.Series([0.7, 2.0])},
            {"pairs": pd.Series([0.7, 1.2])},
        ),
        "Some patients return": ({"per_patient": pd.Series([3, 1])}, {"per_patient": pd.Series([1, 1])}),
        "Some finding is at least one and a half times as frequent in images taken in bed as in those taken standing": (
            {"in_bed": pd.Series([0.3, 0.1]), "standing": pd.Series([0.1, 0.1])},
            {"in_bed": pd.Series([0.1, 0.1]), "standing": pd.Series([0.1, 0.1])},
        ),
        "The greys of standardised images still tell how they were taken": (
            {"told_by_greys": 0.75},
            {"told_by_greys": 0.52},
        ),
        "The table holds ages that cannot be true": ({"odd": ["a"]}, {"odd": []}),
        "At least one picture does not resemble the median picture at all": (
            {"strange": pd.Series([-0.2, 0.9])},
            {"strange": pd.Series([0.7, 0.9])},
        ),
    },
    "02": {
        "One picture under the names of two patients is found by comparing pictures": (
            {"strange": ["a"]},
            {"strange": []},
        ),
        "Divided by image, more than a third of the test images have their patient in train": (
            {"known": 0.5},
            {"known": 0.2},
        ),
        "Divided by image, a patient's other labels predict findings without a pixel": (
            {"by_label": 0.6},
            {"by_label": 0.5},
        ),
        "Divided by image, a patient's other labels say more than age, sex and view together": (
            {"by_label": 0.6, "by_facts": 0.5},
            {"by_label": 0.6, "by_facts": 0.6},
        ),
        "A leaky split flatters these networks: on the same images they do better if they have met the patients": (
            {"gain": {"network": {"difference": 0.03}}},
            {"gain": {"network": {"difference": -0.01}}},
        ),
        "On the same images, those who know the patient's labels do better, by more than the interval": (
            {"gain": {"patient's labels": ends(0.01)}},
            {"gain": {"patient's labels": ends(-0.01)}},
        ),
    },
    "03": {
        "Without weights, positive images contribute less than a quarter of the loss": (
            {"share_before": np.array([0.1, 0.2])},
            {"share_before": np.array([0.5, 0.2])},
        ),
        "At a threshold of 0.5 the weighted network finds more of the positives, and calls more of the negatives": (
            {"gain": 0.4, "calls_more": True},
            {"gain": 0.4, "calls_more": False},
        ),
        "Over ten trainings, weights change sensitivity at 0.5 far more than they change the mean AUC": (
            {"of_ten": {"sensitivity": 0.4, "auc": 0.02}},
            {"of_ten": {"sensitivity": 0.04, "auc": 0.02}},
        ),
        "Among trainings of one recipe, more than one pair in twenty differs by more than its interval": (
            {"same": pd.DataFrame({"off_zero": [True, False, False]})},
            {"same": pd.DataFrame({"off_zero": [False] * 45})},
        ),
        "Weights push mean probabilities above prevalence": (
            {"means": {"weighted": pd.Series([0.4, 0.5])}, "prevalence": pd.Series([0.1, 0.1])},
            {"means": {"weighted": pd.Series([0.1, 0.05])}, "prevalence": pd.Series([0.1, 0.1])},
        ),
        "Undoing the weights brings mean probabilities at least twice as near to prevalence": (
            {"off": {"weighted": 0.3, "corrected": 0.02}},
            {"off": {"weighted": 0.3, "corrected": 0.2}},
        ),
        "Undoing focal loss takes away a third or more of its calibration error": (
            {"quality": pd.DataFrame({"ece": {"focal": 0.11, "focal, corrected": 0.04}})},
            {"quality": pd.DataFrame({"ece": {"focal": 0.11, "focal, corrected": 0.10}})},
        ),
        "Moving the plain network's threshold to the frequency does at least half of what weighting does": (
            {"gain": 0.4, "gain_of_moving": 0.5},
            {"gain": 0.4, "gain_of_moving": 0.1},
        ),
    },
    "04": {
        "Read at a middle layer, a network that has only seen photographs beats raw pixels": (
            {"gained": {("photographs, middle layer", "raw pixels"): ends(0.1)}},
            {"gained": {("photographs, middle layer", "raw pixels"): ends(-0.1)}},
        ),
        "It beats the same network with random weights, read at the same layer": (
            {"gained": {("photographs, middle layer", "random, middle layer"): ends(0.1)}},
            {"gained": {("photographs, middle layer", "random, middle layer"): ends(-0.1)}},
        ),
        "Its middle layer is worth more than its last one": (
            {"gained": {("photographs, middle layer", "photographs, last layer"): ends(-0.1, 0.02)}},
            {"gained": {("photographs, middle layer", "photographs, last layer"): ends(-0.1, -0.02)}},
        ),
        "On patients from the simulator, having seen simulated X-rays too is worth more than photographs alone": (
            {"gained": {("both, as the course reads them", "photographs, middle layer"): ends(0.1)}},
            {"gained": {("both, as the course reads them", "photographs, middle layer"): ends(-0.1)}},
        ),
        "With few labels, a head on frozen features beats a network from scratch": (
            {"frozen_gain": ends(0.2)},
            {"frozen_gain": ends(-0.2)},
        ),
        "In five trainings, fine-tuning never ends more than 0.02 below the frozen head": (
            {"tuning": pd.DataFrame({"difference": [0.01, -0.01]})},
            {"tuning": pd.DataFrame({"difference": [0.01, -0.03]})},
        ),
        "More training images help the network from scratch": (
            {"scratch_gain": ends(-0.01, 0.1)},
            {"scratch_gain": ends(-0.2, -0.1)},
        ),
        "The frozen head costs less than a tenth of training the whole network": (
            {"cost": pd.Series({"frozen": 1.0, "whole": 30.0})},
            {"cost": pd.Series({"frozen": 1.0, "whole": 5.0})},
        ),
        "In training mode an image's logits depend on the other images of its batch": (
            {"same": {"training": False}},
            {"same": {"training": True}},
        ),
        "Standing the patient on the head costs the network AUC": ({"lost": 0.1}, {"lost": 0.0}),
    },
    "05": {
        "The network beats the baseline without pixels in mean AUC, by more than the interval": (
            {"above_baseline": ends(0.2)},
            {"above_baseline": ends(-0.01)},
        ),
        "Copies of images make the interval over images narrower by a third or more": (
            {"shrunk": {"images": 0.5}},
            {"shrunk": {"images": 0.9}},
        ),
        "On average the interval over patients is wider than that over images": (
            {"width": pd.DataFrame({"patients": [0.2], "images": [0.1]})},
            {"width": pd.DataFrame({"patients": [0.1], "images": [0.2]})},
        ),
        "A threshold of 0.5 finds fewer positives than Youden's": (
            {name: pd.DataFrame({"sensitivity": [value]}) for name, value in (("at_half", 0.4), ("at_youden", 0.8))},
            {name: pd.DataFrame({"sensitivity": [value]}) for name, value in (("at_half", 0.8), ("at_youden", 0.4))},
        ),
        "Saying 'no' to everybody is as accurate as the network at Youden's thresholds, to within five points": (
            {"accuracy": pd.DataFrame({"always no": [0.9], "network": [0.8]})},
            {"accuracy": pd.DataFrame({"always no": [0.5], "network": [0.8]})},
        ),
        "Where one in a thousand has the finding, most calls are false": (
            {"ppv": lambda *rates: 0.01, "here": {"sensitivity": 0.8, "specificity": 0.9}},
            {"ppv": lambda *rates: 0.9, "here": {"sensitivity": 0.8, "specificity": 0.9999}},
        ),
        "Platt scaling brings the focal network's calibration error down by a third or more": (
            {"quality": pd.DataFrame({"ece": {"focal": 0.12, "focal, Platt": 0.05}})},
            {"quality": pd.DataFrame({"ece": {"focal": 0.12, "focal, Platt": 0.10}})},
        ),
        "At a threshold near the prevalence, acting on the network is worth more than acting on all or on none": (
            {"at_prevalence": {"model": 0.1, "treat_all": 0.0}},
            {"at_prevalence": {"model": -0.1, "treat_all": -0.2}},
        ),
    },
    "06": {
        "Grad-CAM points into the box more often than a random map": (
            {"ahead": {"ahead of random": scores(hit=0.1)}},
            {"ahead": {"ahead of random": scores(hit=-0.1)}},
        ),
        "The mean box, which looks at no picture, points into the box more often than the centre": (
            {"tables": maps("mean box", all=0.5) | maps("centre", all=0.2)},
            {"tables": maps("mean box", all=0.1) | maps("centre", all=0.2)},
        ),
        "For Pneumothorax, Grad-CAM points into the box more often than the centre": (
            {"tables": maps("Grad-CAM", Pneumothorax=0.8) | maps("centre", Pneumothorax=0.2)},
            {"tables": maps("Grad-CAM", Pneumothorax=0.1) | maps("centre", Pneumothorax=0.2)},
        ),
        "For Cardiomegaly, a blob in the centre that looks at no picture is right at least three times in four": (
            {"tables": maps("centre", Cardiomegaly=0.9)},
            {"tables": maps("centre", Cardiomegaly=0.5)},
        ),
        "The surest quarter of the maps points into the box more often than the least sure quarter": (
            {"sureness": {"Grad-CAM": shares(least=0.2, most=0.5)}},
            {"sureness": {"Grad-CAM": shares(least=0.5, most=0.2)}},
        ),
        "The main network tells the findings better than the small one": (
            {"better": ends(0.1)},
            {"better": ends(-0.1)},
        ),
        "The main network's maps point into the box more often than the small network's": (
            {"lead": {"small network": scores(hit=0.1)}},
            {"lead": {"small network": scores(hit=-0.1)}},
        ),
        "The main network's maps have more heat in the box than the small network's": (
            {"lead": {"small network": scores(energy=0.1)}},
            {"lead": {"small network": scores(energy=-0.1)}},
        ),
        "The main network's maps point into the box more often than the centre": (
            {"lead": {"centre": scores(hit=0.1)}},
            {"lead": {"centre": scores(hit=-0.1)}},
        ),
        "They have more heat in the box than the centre": (
            {"lead": {"centre": scores(energy=0.1)}},
            {"lead": {"centre": scores(energy=-0.1)}},
        ),
        "They overlap with the box better than the centre": (
            {"lead": {"centre": scores(iou_area=0.1)}},
            {"lead": {"centre": scores(iou_area=-0.1)}},
        ),
        "They point into the box at least as often as the mean box": (
            {"lead": {"mean box": scores(hit=0.1)}},
            {"lead": {"mean box": scores(hit=-0.1)}},
        ),
        "They overlap with the box less than the mean box": (
            {"lead": {"mean box": scores(iou_area=-0.1)}},
            {"lead": {"mean box": scores(iou_area=0.1)}},
        ),
        "The boxes of the smallest finding are smaller than one cell of the map": (
            {"area": pd.Series([0.003, 0.2]), "side": 8},
            {"area": pd.Series([0.1, 0.2]), "side": 8},
        ),
        "Large boxes are hit more often than small ones, by Grad-CAM and by a random map": (
            {
                "sizes": ["small", "large"],
                "by_size": {one: shares(small=0.1, large=0.5) for one in ("Grad-CAM", "random")},
            },
            {
                "sizes": ["small", "large"],
                "by_size": {one: shares(small=0.5, large=0.1) for one in ("Grad-CAM", "random")},
            },
        ),
        "Making the last layer random destroys the map": ({"lost": [0.1]}, {"lost": [0.9]}),
        "Whatever layers are made random below it, the map stays destroyed": (
            {"lost": [0.1, 0.2]},
            {"lost": [0.1, 0.8]},
        ),
        "Trained on permuted labels, the same recipe makes maps that point into the box less often": (
            {"by_labels": {"difference": scores(hit=0.1)}},
            {"by_labels": {"difference": scores(hit=-0.1)}},
        ),
        "Where the marker goes with the finding, training with it raises the AUC": (
            {"gain": {f"{part}, with marker": ends(0.1) for part in ("valid", "test")}},
            {"gain": {"valid, with marker": ends(0.1), "test, with marker": ends(-0.1)}},
        ),
        "Without the marker, the same network loses most of what it had gained": (
            {"cheating": {"test, with marker": 0.9, "test, without marker": 0.71}, "honest": 0.7},
            {"cheating": {"test, with marker": 0.9, "test, without marker": 0.88}, "honest": 0.7},
        ),
        "With the marker dealt at random, it is worse than the network that never met one": (
            {"gain": {"test, marker at random": ends(-0.2)}},
            {"gain": {"test, marker at random": ends(0.2)}},
        ),
        "The heat map moves to the marker": ({"summaries": [scores(energy=0.5)]}, {"summaries": [scores(energy=-0.5)]}),
    },
    "07": {
        "On images that show nothing, some finding is named at least twice as often as a single one on average": (
            {"some": 0.5, "single": 0.05},
            {"some": 0.05, "single": 0.05},
        ),
        "Some picture that is no chest X-ray gets as many names as the example": (
            {"names": pd.Series({"the picture": 2, "photograph": 4, "noise": 0, "negative": 9})},
            {"names": pd.Series({"the picture": 2, "photograph": 0, "noise": 0, "negative": 1})},
        ),
        "The likeness check flags a photograph, noise and a negative": (
            {"flagged": {"photograph": True, "noise": True, "negative": True}},
            {"flagged": {"photograph": True, "noise": False, "negative": True}},
        ),
        "It lets a mirrored chest pass": ({"flagged": {"mirrored": False}}, {"flagged": {"mirrored": True}}),
        "The pictures tell more about any finding than age, sex, view and number of the visit": (
            {"differences": pd.DataFrame({"low": [0.1]})},
            {"differences": pd.DataFrame({"low": [-0.1]})},
        ),
    },
    "08": {
        "Slight findings are missed more often than severe ones": (
            {"counts": pd.DataFrame({"share": {"slight": 0.2, "severe": 0.1}})},
            {"counts": pd.DataFrame({"share": {"slight": 0.1, "severe": 0.1}})},
        ),
        "The network's mean AUC by mined labels is lower than that by truth by more than 0.03": (
            {"means": {"network, by mined labels": 0.8, "network, by truth": 0.9}},
            {"means": {"network, by mined labels": 0.88, "network, by truth": 0.9}},
        ),
        "A perfect reader stays below 0.95 by mined labels": (
            {"means": {"perfect reader, by mined labels": 0.9}},
            {"means": {"perfect reader, by mined labels": 0.97}},
        ),
        "The correction brings the network's mean AUC nearer to the one by truth": (
            {
                "corrected": pd.DataFrame({"corrected": [0.91]}),
                "means": {"network, by mined labels": 0.8, "network, by truth": 0.9},
            },
            {
                "corrected": pd.DataFrame({"corrected": [1.1]}),
                "means": {"network, by mined labels": 0.8, "network, by truth": 0.9},
            },
        ),
        "Learning from mined labels costs the frozen network less than being judged by them": (
            {"price": {"mined labels": 0.04, "judging": 0.08}},
            {"price": {"mined labels": 0.09, "judging": 0.08}},
        ),
        "It costs less than half of that, if true labels choose": (
            {"price": {"mined labels, chosen by truth": 0.01, "judging": 0.08}},
            {"price": {"mined labels, chosen by truth": 0.05, "judging": 0.08}},
        ),
        "Over five sets of labels, and up to three times the errors, learning costs less than half of judging": (
            {"cost": {(0, 0): 0.9} | {(dose, 0): 0.89 for dose in (1, 2, 3)} | {(0, dose): 0.8 for dose in (1, 2, 3)}},
            {
                "cost": {(0, 0): 0.9, (3, 0): 0.8}
                | {(dose, 0): 0.89 for dose in (1, 2)}
                | {(0, dose): 0.8 for dose in (1, 2, 3)}
            },
        ),
        "A small network from scratch loses at least twice as large a part of its skill by errors in training": (
            {"lost": pd.DataFrame({"small network": [0.2, 0.5], "frozen network": [0.02, 0.1]})},
            {"lost": pd.DataFrame({"small network": [0.2, 0.5], "frozen network": [0.02, 0.3]})},
        ),
        "Severe findings are told apart better than slight ones, on average": (
            {"severe": pd.DataFrame({"low": {"mean": 0.95}}), "slight": pd.DataFrame({"high": {"mean": 0.9}})},
            {"severe": pd.DataFrame({"low": {"mean": 0.85}}), "slight": pd.DataFrame({"high": {"mean": 0.9}})},
        ),
        "Leaving hedged labels out of the test raises the AUC, and more than leaving hurried ones out": (
            {"sure": pd.DataFrame({"auc": {"all labels": 0.9, "hedged": 0.95, "hurried": 0.91}})},
            {"sure": pd.DataFrame({"auc": {"all labels": 0.9, "hedged": 0.91, "hurried": 0.92}})},
        ),
    },
    "09": {
        "Evening out the shades costs the small network AUC, by more than the interval": (
            {"cost": {"small": ends(-0.2, high=-0.1)}},
            {"cost": {"small": ends(-0.2, high=0.1)}},
        ),
        "It costs the small network more than the main one, on the same patients": (
            {"cost": {"small": ends(-0.2, -0.1), "main": ends(-0.1, -0.02)}},
            {"cost": {"small": ends(-0.1, -0.02), "main": ends(-0.2, -0.1)}},
        ),
        "The small network's mean AUC is lower in the other hospital": (
            {"fall": {"small": 0.1}},
            {"fall": {"small": -0.01}},
        ),
        "Over ten trainings of the small network, the machine costs 0.05 or more, the people less than 0.02": (
            {"small": {"home": 0.7, "referred": 0.69, "county": 0.6}},
            {"small": {"home": 0.7, "referred": 0.65, "county": 0.6}},
        ),
        "Where its training varied the machine, the same network loses less than a third as much by it": (
            {"small": {"referred": 0.7, "county": 0.6}, "varied": {"referred": 0.65, "county": 0.64}},
            {"small": {"referred": 0.7, "county": 0.6}, "varied": {"referred": 0.65, "county": 0.6}},
        ),
        "For the main network, people and machine change the AUC by more than 0.01 each, together by less": (
            {"steps": {"main": (0.02, -0.025)}},
            {"steps": {"main": (-0.02, -0.025)}},
        ),
        "At the thresholds of home, the main network raises more false alarms in the other hospital": (
            {"alarms": {"home": 0.5, "elsewhere": 0.6}},
            {"alarms": {"home": 0.5, "elsewhere": 0.4}},
        ),
        "Correcting for the prevalence brings the mean probabilities nearer to the shares": (
            {"off": {"as it is": 0.04, "for its prevalence": 0.02}},
            {"off": {"as it is": 0.02, "for its prevalence": 0.04}},
        ),
        "With 25 local patients one number is ahead of Platt scaling, with 150 it is behind": (
            {"after": pd.DataFrame({"one number": [0.12, 0.11], "Platt": [0.14, 0.10]}, index=[25, 150])},
            {"after": pd.DataFrame({"one number": [0.12, 0.11], "Platt": [0.11, 0.10]}, index=[25, 150])},
        ),
        "Half of the intervals are within a quarter of the width that the formula expects": (
            {"apart": 0.1},
            {"apart": 0.3},
        ),
        "On the pool, the thumbnail that has learned there looks better than it is within a hospital by 0.05": (
            {"pool": pd.DataFrame([[0.7, 0.6]], index=["learned"]), "at": "learned"},
            {"pool": pd.DataFrame([[0.7, 0.69]], index=["learned"]), "at": "learned"},
        ),
    },
    "10": {
        "The mean of three trainings has a higher AUC than its members have on average": (
            {"areas": pd.DataFrame({"auc": [0.67, 0.65, 0.68, 0.69]})},
            {"areas": pd.DataFrame({"auc": [0.67, 0.65, 0.68, 0.66]})},
        ),
        "Its members disagree more about pictures of another hospital": ({"strangers": 0.95}, {"strangers": 0.6}),
        "With one limit for both labels, positives are covered less often than promised, by more than the interval": (
            {"coverage": {"one limit": pd.DataFrame({"high": {"where it is present": 0.3}})}},
            {"coverage": {"one limit": pd.DataFrame({"high": {"where it is present": 0.92}})}},
        ),
        "With a limit by class, more of the positives are covered": (
            {"by_class": {"where it is present": 0.95}, "one_limit": {"where it is present": 0.3}},
            {"by_class": {"where it is present": 0.95}, "one_limit": {"where it is present": 0.9}},
        ),
        "At another hospital fewer answers are covered than promised, by more than the interval": (
            {"away": pd.DataFrame({"high": {"all answers": 0.85}})},
            {"away": pd.DataFrame({"high": {"all answers": 0.91}})},
        ),
        "Leaving out the least sure tenth of the answers takes away a quarter of the errors or more": (
            {"full": pd.Series([0.04, 1.0]), "tenth": pd.Series([0.02, 0.4])},
            {"full": pd.Series([0.04, 1.0]), "tenth": pd.Series([0.036, 0.9])},
        ),
        "Where women's labels are missed, the women's miss rate rises by more than the men's": (
            {"missed_more": {"women": 0.2, "men": 0.1}},
            {"missed_more": {"women": 0.1, "men": 0.1}},
        ),
        "On fresh patients the mean AUC is not below the interval of the test part": (
            {"old": {"low": 0.9}, "new": {"share": 0.92}},
            {"old": {"low": 0.9}, "new": {"share": 0.85}},
        ),
    },
}
#: Conditions, decided before any result: given here.
GIVEN = (
    "rare together uncleaned both simulated returns facts room related enough taught sees mean_box air hearts small "
    "able several_sizes many_maps tempted several silent boxes "
    "county later sexes judged"
).split()


def judge(expression, results):
    """A claim's verdict on some results; whatever else it needs must be named there."""
    names = {"dataset": Knows(), "np": np} | dict.fromkeys(GIVEN, True)

    def hit(kind, row="all", of=None):  # as lesson 06 defines it
        return (of or results["tables"])[kind].loc[row, "hit"]

    return eval(expression, {"hit": hit, **names, **results})


def each():
    return [
        pytest.param(number, statement, id=f"{number}: {statement[:60]}")
        for number in CASES
        for statement in CASES[number]
    ]


@pytest.mark.parametrize("number", LESSONS)
def test_every_claim_of_a_lesson_has_its_case_here(number):
    assert set(claims_of(LESSONS[number])) == set(CASES[number])


@pytest.mark.parametrize(("number", "statement"), each())
def test_a_claim_holds_on_results_that_bear_it_out_and_on_no_others(number, statement):
    expression = claims_of(LESSONS[number])[statement]
    holds, fails = (judge(expression, results) for results in CASES[number][statement])
    assert holds and not isinstance(holds, Missing)
    assert not fails and not isinstance(fails, Missing)
