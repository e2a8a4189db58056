"""Figures of lessons 03 and 05 show the numbers they were given, and survive findings that could not be measured."""

import numpy as np
import pandas as pd
import pytest

from cxr_utils import plots


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


def test_loss_shares_label_the_share_without_weights():
    axes = plots.loss_shares([0.25, 0.031], [0.5, 0.5], ["Mass", "Hernia"]).figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3.1%", "25.0%"]


def test_focal_loss_with_gamma_zero_is_cross_entropy():
    axes = plots.focal_curves([0, 2]).figure.axes[0]
    probability, loss = axes.lines[0].get_data()
    assert np.allclose(loss, -np.log(probability))


def test_ppv_curve_passes_through_bayes_rule():
    axes = plots.ppv_by_prevalence(0.9, 0.9, 0.1, "Mass").figure.axes[0]
    prevalence, ppv = axes.lines[0].get_data()
    assert np.interp(0.01, prevalence, ppv) == pytest.approx(9 / 108, abs=1e-3)


def test_a_finding_without_positives_is_left_out_of_the_logarithmic_axes():
    prevalence = pd.Series({"Mass": 0.1, "Hernia": 0.0})
    axes = plots.shifted_probabilities({"plain": prevalence + 0.01}, prevalence).figure.axes[0]
    assert axes.lines[1].get_xdata().tolist() == [0.1]
