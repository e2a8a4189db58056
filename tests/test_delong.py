"""DeLong's standard errors against published figures and against the definition, written out."""

import numpy as np
import pytest
from scipy import stats

from cxr_utils.delong import delong, delong_test
from cxr_utils.errors import CxrError
from cxr_utils.metrics import auc_difference, roc_auc


def by_definition(truth, models):
    """Areas and covariance from all pairs: the kernel is 1, 1/2 or 0 (DeLong et al. 1988)."""
    kernels = [
        np.array(
            [
                [1.0 if p > n else 0.5 if p == n else 0.0 for n in scores[truth == 0]]
                for p in scores[truth == 1]
            ]
        )
        for scores in models
    ]
    areas = np.array([kernel.mean() for kernel in kernels])
    covariance = sum(
        np.cov(np.array([kernel.mean(axis=axis) for kernel in kernels])) / kernels[0].shape[1 - axis]
        for axis in (0, 1)
    )
    return areas, covariance


def test_published_example():
    """Hanley & McNeil 1982, 109 CT images; Stata's manual ([R] roctab) gives DeLong's error and interval."""
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    truth = np.repeat([0, 1], [sum(normal), sum(abnormal)])
    scores = np.concatenate([np.repeat(np.arange(1, 6), counts) for counts in (normal, abnormal)])
    found = delong(truth, scores)
    assert found["auc"] == pytest.approx(0.8932, abs=5e-5)
    assert found["standard_error"] == pytest.approx(0.0307, abs=5e-5)
    assert (found["low"], found["high"]) == pytest.approx((0.83295, 0.95339), abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_definition(seed):
    generator = np.random.default_rng(seed)
    truth = np.r_[0, 0, 1, 1, generator.integers(2, size=50)]
    first = (truth + generator.normal(size=54)).round(1)
    second = (first + generator.normal(size=54)).round(1)
    areas, covariance = by_definition(truth, [first, second])
    single = delong(truth, first)
    assert single["auc"] == pytest.approx(roc_auc(truth, first), abs=1e-12)
    assert single["standard_error"] == pytest.approx(np.sqrt(covariance[0, 0]), abs=1e-12)
    paired = delong_test(truth, first, second)
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert paired["difference"] == pytest.approx(areas[0] - areas[1], abs=1e-12)
    assert paired["standard_error"] == pytest.approx(error, abs=1e-12)
    assert paired["p_value"] == pytest.approx(
        2 * (1 - stats.norm.cdf(abs(paired["difference"]) / error)), abs=1e-9
    )


def test_agrees_with_the_bootstrap_where_each_patient_has_one_image():
    generator = np.random.default_rng(0)
    truth = generator.integers(2, size=600)
    first, second = truth + generator.normal(size=600), truth * 0.8 + generator.normal(size=600)
    normal = delong_test(truth, first, second)
    resampled = auc_difference(truth, first, second, np.arange(600), replicates=4000)
    assert resampled["low"] == pytest.approx(normal["low"], abs=0.004)
    assert resampled["high"] == pytest.approx(normal["high"], abs=0.004)


def test_equal_models_and_too_few_images():
    same = delong_test([0, 0, 1, 1], [1, 2, 3, 4], [2, 4, 6, 8])
    assert same["difference"] == 0 and same["p_value"] == 1 and np.isnan(same["z"])
    with pytest.raises(CxrError, match="1 positive and 3 negative"):
        delong([0, 0, 0, 1], [1, 2, 3, 4])
