"""Curves: their points are scikit-learn's, the areas under macro curves are its averages."""

import numpy as np
import pandas as pd
import pytest
from cohorts import cohort
from sklearn import metrics as oracle

from cxr_utils.errors import CxrError, DataError
from cxr_utils.evaluation import curves


def simulated(seed, ties):
    generator = np.random.default_rng(seed)
    truth = (generator.random((300, 4)) < [0.4, 0.2, 0.05, 0.02]).astype(int)
    truth[0] = 1
    scores = truth + generator.normal(size=truth.shape)
    return truth, np.round(scores, 1) if ties else scores


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_areas_under_the_averaged_curves_equal_scikit_learn(seed, ties):
    truth, scores = simulated(seed, ties)
    curve = curves.macro_roc(truth, scores)
    area = np.trapezoid(curve["sensitivity"], curve["false_positive_rate"])
    assert area == pytest.approx(oracle.roc_auc_score(truth, scores, average="macro"), abs=1e-12)
    curve = curves.macro_pr(truth, scores)
    area = np.sum(np.diff(curve["recall"], prepend=0) * curve["precision"])
    assert area == pytest.approx(oracle.average_precision_score(truth, scores, average="macro"), abs=1e-12)


def test_macro_curve_is_the_mean_of_sensitivities_between_its_points():
    truth, scores = simulated(0, ties=True)
    curve = curves.macro_roc(truth, scores)
    rates = np.random.default_rng(0).random(200)  # almost surely none is a corner of any curve
    found = []
    for column in range(truth.shape[1]):
        x, y, _ = oracle.roc_curve(truth[:, column], scores[:, column], drop_intermediate=False)
        found.append(np.interp(rates, x, y))
    np.testing.assert_allclose(
        np.interp(rates, curve["false_positive_rate"], curve["sensitivity"]), np.mean(found, axis=0), atol=1e-12
    )
    assert curve.iloc[0].tolist() == [0, 0] and curve.iloc[-1].tolist() == [1, 1]


def test_one_finding_is_its_own_average():
    truth, scores = simulated(1, ties=True)
    one = truth[:, :1], scores[:, :1]
    expected = curves.roc_points(truth[:, 0], scores[:, 0]).drop(columns="threshold")
    rates, columns = np.linspace(0.001, 0.999, 99), ["false_positive_rate", "sensitivity"]
    found = np.interp(rates, *curves.macro_roc(*one)[columns].T.to_numpy())
    np.testing.assert_allclose(found, np.interp(rates, *expected[columns].T.to_numpy()))


def test_findings_of_one_class_are_left_out_and_nothing_left_is_an_error():
    truth, scores = simulated(2, ties=False)
    pd.testing.assert_frame_equal(
        curves.macro_roc(truth[:, :2], scores[:, :2]),
        curves.macro_roc(np.c_[truth[:, :2], 0 * truth[:, 0]], scores[:, :3]),
    )
    with pytest.raises(CxrError, match="Each of 4 findings has one class only"):
        curves.macro_roc(truth * 0, scores)
    with pytest.raises(CxrError, match="None of 1200 labels is 1"):
        curves.macro_pr(truth * 0, scores)
    with pytest.raises(DataError, match="missing or infinite"):
        curves.macro_pr(truth, scores * np.nan)


@pytest.mark.parametrize("seed", range(5))
def test_curves_equal_scikit_learn(seed):
    truth, scores, _ = cohort(seed=seed)
    false, found, thresholds = oracle.roc_curve(truth["Mass"], scores["Mass"], drop_intermediate=False)
    curve = curves.roc_points(truth["Mass"], scores["Mass"])
    np.testing.assert_allclose(curve["false_positive_rate"], false, atol=1e-12)
    np.testing.assert_allclose(curve["sensitivity"], found, atol=1e-12)
    np.testing.assert_array_equal(curve["threshold"], thresholds)
    precision, recall, thresholds = oracle.precision_recall_curve(truth["Mass"], scores["Mass"])
    curve = curves.pr_points(truth["Mass"], scores["Mass"]).iloc[::-1]
    np.testing.assert_allclose(curve["precision"], precision[:-1], atol=1e-12)
    np.testing.assert_allclose(curve["recall"], recall[:-1], atol=1e-12)
    np.testing.assert_array_equal(curve["threshold"], thresholds)


def test_curve_without_both_classes_is_refused():
    with pytest.raises(CxrError, match="All 2 labels are equal"):
        curves.roc_points([1, 1], [0.1, 0.2])
    with pytest.raises(CxrError, match="None of 2 labels"):
        curves.pr_points([0, 0], [0.1, 0.2])
