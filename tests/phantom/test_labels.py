"""Who has what and what the text miner makes of it, against closed forms of the Gaussian copula."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from cxr_utils.phantom import FINDINGS, labels
from cxr_utils.phantom.patient import HOSPITALS, draw_visit

PATIENTS = 6000


@pytest.fixture(scope="module")
def many():
    """Two visits each of 6,000 patients, with age and sex."""
    population, rng = labels.Population("raised", HOSPITALS["clinical-center"]), np.random.default_rng(5)
    people = [population.person(rng) for _ in range(PATIENTS)]
    return people, [population.visits(rng, *person, 2) for person in people]


@pytest.fixture(scope="module")
def arrays(many):
    """Truth, severity and mined labels, (visits, 14), and for each visit whether it is AP."""
    visits = [visit for pair in many[1] for visit in pair]
    kinds = (np.array([getattr(visit, kind) for visit in visits]) for kind in ("truth", "severity", "mined"))
    return *kinds, np.array([visit.view == "AP" for visit in visits])


def test_ages_sexes_and_views_are_distributed_as_in_nih(many):
    people, visits = many
    ages, sexes = zip(*people, strict=True)
    assert np.mean(ages) == pytest.approx(46.6, abs=4 * 16.6 / np.sqrt(PATIENTS) + 0.1)
    assert min(ages) >= 4 and max(ages) <= 92 and np.std(ages) == pytest.approx(16.6, rel=0.05)
    assert np.mean(np.array(sexes) == "M") == pytest.approx(0.565, abs=4 * 0.5 / np.sqrt(PATIENTS))
    lying = np.array([[visit.view == "AP" for visit in pair] for pair in visits])
    threshold = 0.37 / np.sqrt(2)  # a visit's own draw plus the patient's
    assert lying.mean() == pytest.approx(norm.sf(threshold), abs=4 * 0.5 / np.sqrt(PATIENTS))
    both = multivariate_normal.cdf([-threshold] * 2, cov=[[1, 0.5], [0.5, 1]])
    assert lying.all(axis=1).mean() == pytest.approx(both, abs=4 * 0.5 / np.sqrt(PATIENTS))


def test_each_finding_is_as_common_as_intended(arrays):
    truth = arrays[0]
    error = 4 * np.sqrt(2 * 0.1 * 0.9 / len(truth))  # follow-ups resemble each other
    assert np.abs(truth.mean(axis=0) - labels._RAISED).max() < error + 0.004  # ages are not quite normal


def test_a_severe_finding_is_missed_less_often(arrays):
    """The miner misses a finding of severity s (1.6 - 1.2 s) times as often as on the whole: 1.4 against 0.6."""
    truth, severity, mined, _ = arrays
    slight, severe = truth & (severity < 1 / 3), truth & (severity > 2 / 3)
    missed = [(band & ~mined).sum() / band.sum() for band in (slight, severe)]
    errors = [np.sqrt(share / band.sum()) for share, band in zip(missed, (slight, severe), strict=True)]
    assert missed[0] / missed[1] == pytest.approx(
        1.4 / 0.6, rel=3 * np.hypot(errors[0] / missed[0], errors[1] / missed[1])
    )
    assert missed[0] > 1.5 * missed[1]


def test_half_of_the_miners_false_alarms_come_back_in_each_report(many):
    """Of two reports both repeat a patient's own draw in a quarter of the cases; else the two draws are independent."""
    pairs = many[1]
    healthy = np.array([~first.truth & ~second.truth for first, second in pairs])
    alarms = np.array([[visit.mined for visit in pair] for pair in pairs])
    first, second = (alarms[:, number][healthy] for number in (0, 1))
    assert second[first].mean() == pytest.approx(0.25 + 0.75 * second.mean(), abs=4 * 0.45 / np.sqrt(first.sum()))


def test_severity_is_there_where_the_finding_is_and_evenly_spread(arrays):
    truth, severity, _, _ = arrays
    assert (severity[~truth] == 0).all() and severity.max() <= 1 and severity.min() >= 0
    counts = np.histogram(severity[truth], bins=5, range=(0, 1))[0]
    assert np.abs(counts / truth.sum() - 0.2).max() < 4 * 0.4 / np.sqrt(truth.sum()) + 0.02


@pytest.mark.parametrize(
    ("finding", "commoner_in_bed"), [("Edema", True), ("Consolidation", True), ("Fibrosis", False)]
)
def test_who_lies_in_bed_has_what_nihs_patients_have(arrays, finding, commoner_in_bed):
    truth, _, _, lying = arrays
    there = truth[:, FINDINGS.index(finding)]
    assert (there[lying].mean() > there[~lying].mean()) == commoner_in_bed


def test_the_old_have_emphysema_and_the_ages_of_follow_ups_go_on(many):
    people, visits = many
    old = np.array([age > 47 for age, _ in people])
    there = np.array([first.truth[FINDINGS.index("Emphysema")] for first, _ in visits])
    assert there[old].mean() > there[~old].mean()
    population = labels.Population("raised", HOSPITALS["clinical-center"])
    follow_ups = population.visits(np.random.default_rng(0), 50.0, "M", 5)
    assert [visit.age for visit in follow_ups] == [50, 50, 51, 52, 52]


def test_lasting_findings_are_correlated_between_visits_as_they_persist(many):
    """Of those affected at the first visit, the share at the second: a bivariate normal of the persistence.

    Checked where age, sex and view matter little, and so add little to the correlation.
    """
    pairs = many[1]
    for finding in ("Mass", "Nodule", "Infiltration", "Pneumothorax"):
        column = FINDINGS.index(finding)
        first, second = (np.array([pair[number].truth[column] for pair in pairs]) for number in (0, 1))
        share, rho = labels._RAISED[column], labels.PERSISTENCE[finding]
        both = multivariate_normal.cdf([norm.ppf(share)] * 2, cov=[[1, rho], [rho, 1]])
        error = 4 * np.sqrt(0.25 / first.sum())
        assert (first & second).sum() / first.sum() == pytest.approx(both / share, abs=error)


def test_pairs_go_together_as_in_nih():
    """Digby's formula by hand for edema and pneumonia, 340 images with both, 2,303 and 1,431 with each."""
    both, edema, pneumonia, images = 340, 2303, 1431, 112_120
    ratio = (both * (images - edema - pneumonia + both) / ((edema - both) * (pneumonia - both))) ** 0.75
    matrix = labels.latent_correlation()
    assert matrix[FINDINGS.index("Edema"), FINDINGS.index("Pneumonia")] == pytest.approx(
        (ratio - 1) / (ratio + 1), abs=0.03
    )
    assert np.array_equal(matrix, matrix.T) and np.allclose(np.diag(matrix), 1)
    assert np.linalg.eigvalsh(matrix).min() > 0
    half = labels.latent_correlation(0.5)
    assert np.allclose(half - np.eye(14), (matrix - np.eye(14)) / 2, atol=0.03)


def test_labels_are_written_as_nih_does():
    row = np.zeros(14, bool)
    row[[FINDINGS.index(name) for name in ("Pneumonia", "Edema", "Hernia")]] = True
    assert labels.finding_labels(row) == "Edema|Hernia|Pneumonia"
    assert labels.finding_labels(~np.ones(14, bool)) == "No Finding"


def test_pictures_taken_in_bed_show_worse_breath_more_turning_and_lower_arms():
    rng = np.random.default_rng(0)
    standing, lying = ([draw_visit(rng, view) for _ in range(400)] for view in ("PA", "AP"))
    breath, arms = (
        [np.mean([getattr(v, name) for v in group]) for group in (standing, lying)] for name in ("breath", "arms")
    )
    turn = [np.std([visit.turn for visit in group]) for group in (standing, lying)]
    assert breath[0] > breath[1] + 1 and arms[0] > arms[1] + 0.2 and turn[1] > 1.5 * turn[0]
    assert {visit.view for visit in lying} == {"AP"}
