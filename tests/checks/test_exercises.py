"""Every exercise accepts right answers in several forms, rejects plausible wrong ones, and needs each of its cases."""

import importlib
import warnings

import answers_evaluation
import answers_heatmaps
import answers_leakage
import answers_own_image
import answers_transfer
import answers_visualization
import answers_weighting
import numpy as np
import pandas as pd
import pytest

from cxr_utils import checks
from cxr_utils.checks import exercise

ANSWERS = (
    answers_visualization,
    answers_leakage,
    answers_weighting,
    answers_transfer,
    answers_evaluation,
    answers_heatmaps,
    answers_own_image,
)
RIGHT = {name: ways for answers in ANSWERS for name, ways in answers.RIGHT.items()}
WRONG = {name: mistakes for answers in ANSWERS for name, mistakes in answers.WRONG.items()}
EXERCISES = sorted(set(checks.__all__) - {"claim", "given", "headline"})


def each(table):
    return [pytest.param(name, answer, id=f"{name}: {way}") for name in table for way, answer in table[name].items()]


@pytest.mark.parametrize(("name", "answer"), each(RIGHT))
def test_right_answer_passes(name, answer, capsys):
    assert getattr(checks, name)(answer)
    assert capsys.readouterr().out == f"✓ {name}: right\n"


@pytest.mark.parametrize(("name", "answer"), each(WRONG))
def test_wrong_answer_is_rejected(name, answer, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # some mistakes divide by zero
        assert not getattr(checks, name)(answer)
    printed = capsys.readouterr().out
    assert printed.startswith(f"✗ {name}: given ") and "expected" in printed and "Hint:" in printed


@pytest.mark.parametrize("name", EXERCISES)
def test_blank_answer_is_no_mistake(name, capsys):
    assert not getattr(checks, name)(lambda *given: None)
    assert capsys.readouterr().out == f"· {name}: not answered yet\n"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", EXERCISES)
def test_every_case_is_the_first_to_stop_some_mistake(name, monkeypatch):
    """A case that stops nobody could be left out, and its hint would never be read."""
    module = importlib.import_module(getattr(checks, name).__module__)
    stopped = []

    def first_failed(told, answer, cases, *, tolerance=1e-6):
        assert told == name
        failed = [bool(exercise._verdict(answer, case, tolerance)) for case in cases]
        stopped.append((failed.index(True), len(cases)))
        return exercise.Verdict(False)

    monkeypatch.setattr(module, "check", first_failed)
    for answer in WRONG[name].values():
        getattr(checks, name)(answer)
    first, (count, *_) = zip(*stopped, strict=True)
    assert set(first) == set(range(count)), f"nobody is stopped by the cases {set(range(count)) - set(first)}"


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_a_coin_for_each_patient_passes_for_every_seed(fraction):
    """The tolerance must not fail an honest answer: the share's deviation is 0.02 for 600 patients."""
    table = pd.DataFrame({"patient": [f"p{number}" for number in range(600)]})
    shares = [answers_leakage.coin_for_each_patient(table, fraction, seed).mean() for seed in range(200)]
    assert np.abs(np.array(shares) - fraction).max() < 0.08


def test_a_share_that_is_a_tenth_off_is_noticed(capsys):
    assert not checks.patient_split(lambda table, share, seed: answers_leakage.drawn(table, share + 0.1, seed))
    assert "'share of patients in test is as asked': False" in capsys.readouterr().out


def test_the_answer_to_early_stopping_agrees_with_keras():
    """Keras' own callback, fed the losses of the exercise, stops where the exercise says."""
    from cxr_utils.networks.backend import load_keras

    keras = load_keras()
    for losses, patience in (([0.9, 0.5, 0.6, 0.7, 0.8], 2), ([0.5, 0.6, 0.4, 0.6, 0.6, 0.6], 2), ([0.5] * 4, 2)):
        callback = keras.callbacks.EarlyStopping("val_loss", patience=patience)
        callback.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
        callback.model.stop_training = False
        callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"val_loss": loss})
            if callback.model.stop_training:
                break
        assert (callback.best_epoch + 1, epoch + 1) == answers_transfer.stopping(losses, patience)
