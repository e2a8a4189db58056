"""Figures of lessons 03 and 05 show the numbers they were given, and survive findings that could not be measured."""

import numpy as np
import pandas as pd
import pytest

from cxr_utils import plots
from cxr_utils.errors import Missing


def test_confusion_matrix_shows_its_counts_and_a_dash_where_nothing_was_called():
    points = pd.DataFrame({"tp": [3.0, np.nan], "fp": [1.0, np.nan], "fn": [2.0, np.nan], "tn": [1234.0, np.nan]})
    picture = plots.confusion_matrices(points.set_axis(["Mass", "Pleural_Thickening"]))
    first, second = ([text.get_text() for text in axis.texts] for axis in picture.figure.axes[:2])
    assert first == ["3", "2", "1", "1,234"] and second == ["-"] * 4
    assert picture.png().startswith(b"\x89PNG")


def test_forest_puts_the_first_finding_on_top_and_leaves_out_what_has_no_area():
    table = pd.DataFrame({"auc": [0.8, np.nan], "low": [0.7, np.nan], "high": [0.9, np.nan]}, index=["Mass", "Hernia"])
    axes = plots.auc_forest({"network": table}, "Test part, 9 patients").figure.axes[0]
    heights = dict(zip([label.get_text() for label in axes.get_yticklabels()], axes.get_yticks(), strict=True))
    assert heights["Mass"] > heights["Hernia"]
    assert axes.lines[0].get_xdata().tolist()[0] == 0.8


def test_rows_with_too_few_patients_have_a_star_that_is_explained():
    table = pd.DataFrame({"auc": [0.8, 0.6], "low": [0.7, 0.5], "high": [0.9, 0.7]}, index=["Mass", "Hernia"])
    table["reason"] = ["", "patients with it: 3, too few to trust the interval"]
    axes = plots.auc_forest({"network": table}, "Test").figure.axes[0]
    assert sorted(label.get_text() for label in axes.get_yticklabels()) == ["Hernia *", "Mass"]
    assert "too few patients" in axes.get_xlabel()
    axes = plots.auc_forest({"network": table.assign(reason="")}, "Test").figure.axes[0]
    assert sorted(label.get_text() for label in axes.get_yticklabels()) == ["Hernia", "Mass"]
    assert "*" not in axes.get_xlabel()


def test_loss_shares_label_the_share_without_weights():
    axes = plots.loss_shares([0.25, 0.031], [0.5, 0.5], ["Mass", "Hernia"]).figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3.1%", "25.0%"]


def test_focal_loss_with_gamma_zero_is_cross_entropy():
    axes = plots.focal_curves([0, 2]).figure.axes[0]
    probability, loss = axes.lines[0].get_data()
    assert np.allclose(loss, -np.log(probability))


def bayes(sensitivity, specificity, prevalence):
    return sensitivity * prevalence / (sensitivity * prevalence + (1 - specificity) * (1 - prevalence))


def test_ppv_curve_passes_through_bayes_rule():
    axes = plots.ppv_by_prevalence(bayes, 0.9, 0.9, 0.1, "Mass").figure.axes[0]
    prevalence, ppv = axes.lines[0].get_data()
    assert np.interp(0.01, prevalence, ppv) == pytest.approx(9 / 108, abs=1e-3)


def test_a_finding_without_positives_is_left_out_of_the_logarithmic_axes():
    prevalence = pd.Series({"Mass": 0.1, "Hernia": 0.0})
    axes = plots.shifted_probabilities({"plain": prevalence + 0.01}, prevalence).figure.axes[0]
    assert axes.lines[1].get_xdata().tolist() == [0.1] and axes.get_xlim() == (0.05, 1)


ROC = pd.DataFrame({"false_positive_rate": [0, 0.25, 1], "sensitivity": [0, 0.75, 1]})
STEPS = pd.DataFrame({"recall": [0.5, 1], "precision": [1, 0.5]})


def lines(axis):
    """The points of each line on an axis by its name in the legend."""
    return {line.get_label(): np.array(line.get_xydata(), float).tolist() for line in axis.lines}


def test_roc_and_precision_recall_stand_beside_chance():
    better = ROC.assign(sensitivity=[0, 1, 1])
    figure = plots.roc_and_pr({"one": ROC, "two": better}, {"one": STEPS, "two": STEPS / 2}, 0.2, "Mass").figure
    left, right = map(lines, figure.axes)
    assert left == {
        "one": [[0, 0], [0.25, 0.75], [1, 1]],
        "two": [[0, 0], [0.25, 1], [1, 1]],
        "chance": [[0, 0], [1, 1]],
    }
    assert right["one"] == [[0.5, 1], [1, 0.5]] and right["two"] == [[0.25, 0.5], [0.5, 0.25]]
    assert [y for _, y in right["chance (right: the prevalence)"]] == [0.2, 0.2]
    assert figure.axes[1].lines[0].get_drawstyle() == "steps-pre"
    assert figure.axes[0].lines[0].get_linestyle() != figure.axes[0].lines[1].get_linestyle()


def test_mean_curves_share_their_square():
    axis = plots.mean_curves({"macro": ROC, "micro": ROC}, {"macro": STEPS, "micro": STEPS / 2}, "All").figure.axes[0]
    drawn = lines(axis)
    assert drawn["ROC, macro"] == [[0, 0], [0.25, 0.75], [1, 1]]
    assert drawn["precision-recall, micro"] == [[0.25, 0.5], [0.5, 0.25]]


def test_a_forest_draws_each_interval_at_the_height_of_its_mark():
    rows = {"auc": [0.8, 0.6], "low": [0.7, 0.5], "high": [0.95, 0.65]}
    first = pd.DataFrame(rows, index=["Mass", "Edema"])
    second = pd.DataFrame(rows, index=["Edema", "Mass"])  # the same figures, for the other finding
    axis = plots.auc_forest({"one": first, "two": second}, "Test").figure.axes[0]
    np.testing.assert_allclose(lines(axis)["one"], [[0.8, 1.18], [0.6, 0.18]])
    np.testing.assert_allclose(lines(axis)["two"], [[0.6, 0.82], [0.8, -0.18]])
    bars = [np.array(bars.get_segments()).tolist() for bars in axis.collections]
    np.testing.assert_allclose(bars[0], [[[0.7, 1.18], [0.95, 1.18]], [[0.5, 0.18], [0.65, 0.18]]])
    np.testing.assert_allclose(bars[1], [[[0.5, 0.82], [0.65, 0.82]], [[0.7, -0.18], [0.95, -0.18]]])
    assert axis.lines[2].get_xdata()[0] == 0.5  # chance
    assert axis.lines[0].get_marker() != axis.lines[1].get_marker()


def test_marks_of_a_row_lie_apart_and_rows_further():
    table = pd.DataFrame({"auc": [0.8, 0.8], "low": [0.7, 0.7], "high": [0.9, 0.9]}, index=["Mass", "Edema"])
    axis = plots.auc_forest(dict.fromkeys("abcd", table), "Test").figure.axes[0]
    heights = np.sort([height for one in axis.lines[:4] for height in one.get_ydata()])
    gaps = np.diff(heights).round(2)
    assert gaps.tolist() == [0.18, 0.18, 0.18, 0.46, 0.18, 0.18, 0.18]


def test_a_difference_stands_in_the_row_of_its_training_and_off_zero_is_counted():
    table = pd.DataFrame({"difference": [0.02, -0.04], "low": [-0.01, -0.06], "high": [0.05, -0.02]})
    picture = plots.difference_forest({"focal less plain": table, "weighted less plain": -table}, "Two trainings")
    left, right = picture.figure.axes
    assert left.lines[0].get_xydata().tolist() == [[0.02, 0], [-0.04, -1]] and left.lines[1].get_xdata()[0] == 0
    assert left.collections[0].get_segments()[1].tolist() == [[-0.06, -1], [-0.02, -1]]
    assert right.get_title(loc="left") == "weighted less plain" or right.get_title() == "weighted less plain"
    assert "focal less plain in 2 trainings, from -0.040 to 0.020, 1 of the intervals off zero" in picture.alt


def test_widths_of_intervals_lie_on_the_row_of_their_finding():
    widths = pd.DataFrame({"patients": [0.2, 0.4], "images": [0.1, 0.5]}, index=["Mass", "Edema"])
    axis = plots.interval_widths(widths).figure.axes[0]
    assert lines(axis) == {"over patients": [[0.2, 1], [0.4, 0]], "over images": [[0.1, 1], [0.5, 0]]}
    np.testing.assert_allclose(axis.collections[0].get_segments(), [[[0.1, 1], [0.2, 1]], [[0.4, 0], [0.5, 0]]])
    assert axis.get_xlim()[0] == 0


def test_matrices_have_what_is_there_in_rows_and_what_is_called_in_columns():
    points = pd.DataFrame({"tp": [30.0], "fp": [5.0], "fn": [10.0], "tn": [15.0]}, index=["Mass"])
    axis = plots.confusion_matrices(points).figure.axes[0]
    np.testing.assert_allclose(axis.images[0].get_array(), [[0.75, 0.25], [0.25, 0.75]])
    assert [text.get_text() for text in axis.get_xticklabels()] == ["called", "not"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["present", "absent"]
    assert {text.get_text(): text.get_position() for text in axis.texts} == {
        "30": (0, 0),
        "10": (1, 0),
        "5": (0, 1),
        "15": (1, 1),
    }
    assert [text.get_color() for text in axis.texts] == ["white", "black", "black", "white"]


def test_only_the_first_matrix_of_a_row_names_its_rows():
    points = pd.DataFrame({name: np.ones(3) for name in ("tp", "fp", "fn", "tn")}, index=["a", "b", "c"])
    axes = plots.confusion_matrices(points, columns=2).figure.axes
    assert [axis.get_yticklabels()[0].get_text() for axis in axes[:3]] == ["present", "", "present"]
    assert [axis.axison for axis in axes] == [True, True, True, False]


def test_npv_curve_passes_through_bayes_rule():
    axes = plots.ppv_by_prevalence(bayes, 0.8, 0.9, 0.25, "Mass").figure.axes[0]
    for line, by_hand in zip(
        axes.lines[:2], (0.2 * 0.8 / (0.2 * 0.8 + 0.8 * 0.1), 0.8 * 0.9 / (0.8 * 0.9 + 0.2 * 0.2)), strict=True
    ):
        assert np.interp(0.2, *line.get_data()) == pytest.approx(by_hand, abs=1e-3)
    assert axes.lines[2].get_xdata()[0] == 0.25


def test_reliability_plots_what_was_observed_over_what_was_predicted():
    bins = pd.DataFrame({"predicted": [0.1, 0.6], "observed": [0.05, 0.7], "images": [10, 10]})
    axis = plots.reliability({"plain": bins}, "Mass").figure.axes[0]
    assert lines(axis) == {"perfect": [[0, 0], [1, 1]], "plain": [[0.1, 0.05], [0.6, 0.7]]}


def test_reliability_shows_how_far_each_bin_can_be_trusted():
    bins = pd.DataFrame({"predicted": [0.1, 0.9], "observed": [0.0, 0.95], "images": [10, 20]})
    known = bins.assign(low=[0.0, 0.76], high=[0.28, 0.99])
    axis = plots.reliability({"plain": bins, "weighted": known}, "Mass").figure.axes[0]
    (drawn,) = axis.collections
    assert [segment.tolist() for segment in drawn.get_segments()] == [
        [[0.1, 0], [0.1, 0.28]],
        [[0.9, 0.76], [0.9, 0.99]],
    ]
    assert "10 to 20 images" in axis.get_xlabel() and "95 % interval" in axis.get_ylabel()
    assert "interval" not in plots.reliability({"plain": bins}, "Mass").figure.axes[0].get_ylabel()


GROUPS = pd.DataFrame(
    {
        "characteristic": ["sex", "sex", "age_group", "view"],
        "group": ["F", "M", "old", "AP"],
        "auc": [0.8, 0.7, np.nan, 0.6],
        "low": [0.7, 0.6, np.nan, 0.5],
        "high": [0.9, 0.75, np.nan, 0.7],
        "adjusted_p": [0.04, 0.001, np.nan, np.nan],
    }
)


def test_groups_stand_beside_the_band_of_all_images():
    axis = plots.subgroup_forest(GROUPS, [0.75, 0.72, 0.79], "Mass").figure.axes[0]
    band = axis.patches[0].get_bbox()
    assert (band.x0, band.x1) == (0.72, 0.79) and axis.lines[0].get_xdata()[0] == 0.75
    assert [line.get_xydata()[0].tolist() for line in axis.lines[1:]] == [[0.8, 2], [0.7, 1], [0.6, 0]]
    segments = [bars.get_segments()[0].tolist() for bars in axis.collections]
    assert segments == [[[0.7, 2], [0.9, 2]], [[0.6, 1], [0.75, 1]], [[0.5, 0], [0.7, 0]]]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["sex: F", "sex: M", "view: AP"]
    assert [text.get_text() for text in axis.texts] == ["p = 0.04", "p < 0.01", ""]
    assert [text.xy for text in axis.texts] == [(1, 2), (1, 1), (1, 0)]
    colours = [line.get_color() for line in axis.lines[1:]]
    assert colours[0] == colours[1] != colours[2]


def test_without_a_group_that_has_an_area_there_is_no_forest():
    found = plots.subgroup_forest(GROUPS[2:3], [0.75, 0.72, 0.79], "Mass")
    assert isinstance(found, Missing) and found.reason == "No group is large enough."
    assert not plots.subgroup_forest(GROUPS[:2].drop(columns="adjusted_p"), [0.7, 0.6, 0.8], "M").figure.axes[0].texts


def test_decision_curves_stand_between_acting_on_all_and_on_none():
    curve = pd.DataFrame(
        {"threshold": [0.1, 0.5], "model": [0.2, 0.1], "treat_all": [0.15, -0.4], "treat_none": [0, 0]}
    )
    axis = plots.decision_curves({"network": curve}, "Mass").figure.axes[0]
    drawn = lines(axis)
    assert drawn["network"] == [[0.1, 0.2], [0.5, 0.1]] and drawn["act on all"] == [[0.1, 0.15], [0.5, -0.4]]
    assert [y for _, y in drawn["act on none"]] == [0, 0]
    assert axis.get_ylim() == pytest.approx((-0.06, 0.22))


def test_shares_of_the_loss_are_sorted_and_paired():
    axis = plots.loss_shares([0.25, 0.03], [0.5, 0.4], ["Mass", "Hernia"]).figure.axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["Hernia", "Mass"]
    without, weighted = ([bar.get_width() for bar in bars] for bars in axis.containers)
    assert without == [0.03, 0.25] and weighted == [0.4, 0.5]


def test_focal_loss_counts_what_is_nearly_right_less():
    axis = plots.focal_curves([0, 2]).figure.axes[0]
    probability, loss = axis.lines[1].get_data()
    assert np.interp(0.9, probability, loss) == pytest.approx(-(0.1**2) * np.log(0.9), rel=1e-2)
    assert axis.lines[0].get_label() == "gamma = 0 (cross-entropy)" and axis.lines[1].get_label() == "gamma = 2"


def test_sensitivity_and_specificity_each_have_their_panel():
    one = pd.DataFrame({"sensitivity": [0.2, 0.4], "specificity": [0.9, 0.8]}, index=["Mass", "Edema"])
    figure = plots.sensitivities({"plain": one, "weighted": one[::-1] / 2}).figure
    left, right = figure.axes
    assert {name: np.transpose(points)[0].tolist() for name, points in lines(left).items()} == {
        "plain": [0.2, 0.4],
        "weighted": [0.1, 0.2],
    }
    plain, weighted = (np.array(points) for points in lines(right).values())
    assert plain[:, 0].tolist() == [0.9, 0.8] and weighted[:, 0].tolist() == [0.45, 0.4]
    assert plain[:, 1].round().tolist() == weighted[:, 1].round().tolist() == [1, 0]
    assert (plain[:, 1] - weighted[:, 1] > 0.1).all()  # beside each other: none hides another


def test_shifted_probabilities_stand_over_their_prevalence():
    prevalence = pd.Series({"Mass": 0.1, "Edema": 0.2})
    axis = plots.shifted_probabilities({"plain": pd.Series({"Edema": 0.5, "Mass": 0.05})}, prevalence).figure.axes[0]
    assert lines(axis)["plain"] == [[0.1, 0.05], [0.2, 0.5]]
    assert lines(axis)["agreement"] == [[0.025, 0.025], [1, 1]] and axis.get_xlim() == axis.get_ylim() == (0.025, 1)


def test_widths_stand_over_their_positives():
    curves = pd.DataFrame({0.65: [0.4, 0.2], 0.8: [0.3, 0.1]}, index=[10, 40])
    table = pd.DataFrame({"auc": [0.7, 0.8], "low": [0.6, 0.75], "high": [0.8, 0.85], "positives": [20, 80]})
    axis = plots.widths_by_positives(curves, {"small": table}, 0.1).figure.axes[0]
    drawn = lines(axis)
    assert drawn["expected, AUC 0.65"] == [[10, 0.4], [40, 0.2]] and drawn["expected, AUC 0.8"] == [
        [10, 0.3],
        [40, 0.1],
    ]
    np.testing.assert_allclose(drawn["small"], [[20, 0.2], [80, 0.1]])
