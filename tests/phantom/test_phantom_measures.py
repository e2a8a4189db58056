"""What gives a finding away without a look at the chest; and the measures of benchmarks/ against known answers."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from cxr_utils import phantom
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files
from cxr_utils.data.schema import FINDINGS
from cxr_utils.evaluation.metrics import roc_auc
from cxr_utils.phantom import records as records_module
from cxr_utils.phantom.render import Finding, radiograph

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import cues  # noqa: E402
import phantom_learnability as learnability  # noqa: E402
import phantom_realism as realism  # noqa: E402
from simulated import severities  # noqa: E402

# A cue that alone orders as many pairs rightly as the pictures must on the whole gives its finding away.
GIVEN_AWAY = learnability.MEAN_BAR[0]


# --- trivial cues ------------------------------------------------------------------------------------------------
def test_a_file_name_says_nothing_about_any_finding():
    """Patient number, its remainders and the number of visits, over 4,000 patients: within 4 standard errors of 0.5.

    98 areas are looked at; by chance one of them leaves that in 1 of 160 simulators.
    """
    records, _ = records_module.draw_records(records_module.Order(6000, 64, 5, "raised", None))
    truth = np.array([record.visits[0].truth for record in records])
    patients = pd.Series([record.number for record in records])
    names = pd.DataFrame({"number": patients, "visits": [len(record.visits) for record in records]})
    names = names.assign(**{f"modulo {base}": patients % base for base in (2, 3, 5, 7, 12)})
    for index, finding in enumerate(FINDINGS):
        there = int(truth[:, index].sum())
        error = np.sqrt((len(truth) + 1) / (12 * there * (len(truth) - there)))  # Mann & Whitney 1947
        for name in names:
            assert abs(roc_auc(truth[:, index].astype(int), names[name]) - 0.5) < 4 * error, (finding, name)


def picture_cues(pixels: np.ndarray) -> np.ndarray:
    """Mean, spread, noise, border and file size of one picture."""
    residue = cv2.absdiff(pixels, cv2.medianBlur(pixels, 3))
    border = np.concatenate([pixels[:3].ravel(), pixels[-3:].ravel(), pixels[:, :3].ravel(), pixels[:, -3:].ravel()])
    file = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    return np.array([pixels.mean(), pixels.std(), residue.mean(), border.mean(), border.std(), len(file)])


def somebody(number: int, finding: str | None = None, severity: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng([number, 77])
    patient = phantom.draw_patient(rng, rng.uniform(20, 80), "FM"[number % 2])
    visit = phantom.draw_visit(rng, "AP" if rng.random() < 0.4 else "PA")
    present = [Finding(finding, severity, number)] if finding else []
    return picture_cues(radiograph(patient, visit, present, number, 96).pixels)


@pytest.fixture(scope="module")
def healthy() -> np.ndarray:
    return np.array([somebody(number) for number in range(60)])


@pytest.mark.parametrize("finding", FINDINGS)
def test_no_finding_is_given_away_by_a_trivial_cue(healthy, finding):
    """The same patients with the finding and without, severities from slight to severe.

    A shift by d standard deviations between patients is an area under the curve of Phi(d / sqrt 2), where both are
    normal (Green & Swets 1966).
    """
    count = 12
    changed = np.array([somebody(number, finding, (number + 0.5) / count) for number in range(count)])
    shift = np.abs((changed - healthy[:count]).mean(0)) / healthy.std(0)
    areas = dict(
        zip(("mean", "spread", "noise", "border", "border spread", "bytes"), ndtr(shift / np.sqrt(2)), strict=True)
    )
    assert max(areas.values()) < GIVEN_AWAY, areas


# --- the measures themselves -------------------------------------------------------------------------------------
@pytest.mark.parametrize("slope", [-2.0, -3.0])
def test_slope_of_noise_with_a_known_spectrum(slope):
    rng, side = np.random.default_rng(0), 256
    cycles = np.hypot(np.fft.fftfreq(side, 1 / side)[:, None], np.fft.rfftfreq(side, 1 / side)[None])
    cycles[0, 0] = 1
    waves = np.fft.rfft2(rng.standard_normal((6, side, side))) * cycles ** (slope / 2)
    assert realism.power_slope(np.fft.irfft2(waves)) == pytest.approx(slope, abs=0.1)


def test_overlap_of_equal_and_of_separate_samples():
    values = np.random.default_rng(0).random(1000)
    assert realism.overlap(values, values) == pytest.approx(1)
    assert realism.overlap(values, values + 5) == 0
    assert realism.overlap(np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], [75, 25])) == pytest.approx(0.75)


def test_lung_field_finds_two_dark_ovals_in_a_body_and_not_the_air_around():
    picture = np.full((256, 256), 20, np.uint8)
    cv2.ellipse(picture, (128, 150), (105, 160), 0, 0, 360, 170, -1)
    lungs = np.zeros_like(picture)
    for x in (80, 176):
        cv2.ellipse(lungs, (x, 130), (32, 75), 0, 0, 360, 1, -1)
    picture[lungs == 1] = 60
    found = realism.lung_field(picture)
    assert (found & (lungs == 1)).sum() / (found | (lungs == 1)).sum() > 0.8


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """2,000 images of 800 patients with two findings whose scores are known; no pictures."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("made_up")
    names = [f"{number:04}.png" for number in range(2000)]
    table = pd.DataFrame({"image": names, "patient": rng.integers(800, size=2000).astype(str), "split": "test"})
    table = table.assign(age=50, sex="M", view="PA")
    severity = np.where(rng.random((2000, 2)) < 0.2, rng.uniform(0.01, 1, (2000, 2)), 0)
    columns = {name: severity[:, number] for number, name in enumerate(("severity_Mass", "severity_Edema"))}
    pd.DataFrame({"Image Index": names, **columns}).to_csv(root / "truth.csv", index=False)
    labels = {"Mass": (severity[:, 0] > 0).astype(np.int8), "Edema": (severity[:, 1] > 0).astype(np.int8)}
    data = Dataset(
        "made up", "phantom", root, table.assign(**labels), ("Mass", "Edema"), pd.DataFrame(), None, Files({})
    )
    noise = rng.normal(size=(2000, 2))
    # Mass is seen the better the severer it is; Edema all or nothing.
    scores = np.column_stack([noise[:, 0] + 3 * severity[:, 0], noise[:, 1] + 2 * labels["Edema"]])
    return data, pd.DataFrame(scores, index=names, columns=["Mass", "Edema"])


def test_severity_is_seen_where_it_moves_the_score_and_only_there(made_up):
    table = learnability.severity_table(*made_up)
    assert table.loc["Mass", "low"] > 0.1
    assert table.loc["Edema", "low"] < 0 < table.loc["Edema", "high"]
    assert (
        severities(made_up[0])
        .gt(0)
        .astype(int)
        .equals(made_up[0].table.set_index("image")[["Mass", "Edema"]].astype(int))
    )


def test_a_network_that_knows_patients_is_found_out_by_their_unaffected_follow_ups(made_up):
    data, scores = made_up
    fair = learnability.follow_up_table(data, scores)
    assert (fair["low"] < 0).all() and (fair["high"] > 0).all()
    ever = data.table.groupby("patient")["Mass"].transform("max").to_numpy()
    told = learnability.follow_up_table(data, scores.assign(Mass=scores["Mass"] + ever))
    assert told.loc["Mass", "surely"] > 0.05


def test_a_planted_cue_is_worth_its_area_and_noise_is_worth_nothing():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 3000)
    planted = pd.DataFrame({"cue": rng.normal(size=3000) + label, "noise": rng.normal(size=3000)})
    learn, valid = np.arange(3000) < 2000, np.arange(2000) >= 1500

    def area(columns: list[str]) -> float:
        return roc_auc(
            label[~learn], cues.cue_scores(planted[columns][learn], label[learn], valid, planted[columns][~learn])
        )

    assert area(["cue"]) == pytest.approx(ndtr(1 / np.sqrt(2)), abs=0.04)
    assert area(["noise"]) == pytest.approx(0.5, abs=4 * np.sqrt(1001 / (12 * 500 * 500)))
