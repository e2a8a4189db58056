"""Every exercise accepts right answers in several forms, rejects wrong ones with the hint they need, and goes on."""

import ast
import doctest
import importlib
import inspect
import pydoc
import warnings

import answers_another_hospital
import answers_evaluation
import answers_heatmaps
import answers_labels
import answers_leakage
import answers_not_knowing
import answers_own_image
import answers_transfer
import answers_visualization
import answers_weighting
import numpy as np
import pandas as pd
import pytest

from cxr_utils import checks
from cxr_utils.checks.exercise import EXERCISES, _results
from cxr_utils.checks.results import same

ANSWERS = (
    answers_visualization,
    answers_leakage,
    answers_weighting,
    answers_transfer,
    answers_evaluation,
    answers_heatmaps,
    answers_own_image,
    answers_another_hospital,
    answers_labels,
    answers_not_knowing,
)
NAMES = sorted(set(checks.__all__) - {"answer", "claims", "identity", "given", "headline", "solved"})
CHECKS = {name: getattr(checks, name) for name in NAMES}  # which also fills EXERCISES
RIGHT = {name: ways for answers in ANSWERS for name, ways in answers.RIGHT.items()}
WRONG = {name: [*EXERCISES[name].mistakes, *given] for one in ANSWERS for name, given in one.WRONG.items()}
GOES_ON = "The lesson goes on with the course's version."


def verdict(name, answer, capsys):
    """What a check returns and prints."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what an answer does must not be heard beside the verdict
        go_on = CHECKS[name](answer)
    return go_on, capsys.readouterr().out


def failed(name, answer):
    """Whether each case fails."""
    exercise = EXERCISES[name]
    return [
        not any(same(received, right, exercise.tolerance) for right in (case.expected, *case.also))
        for case, received in zip(exercise.cases, _results(exercise, answer), strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "answer"), [pytest.param(n, f, id=f"{n}: {way}") for n in RIGHT for way, f in RIGHT[n].items()]
)
def test_right_answer_passes_and_comes_back_in_the_form_that_the_lesson_uses(name, answer, capsys):
    go_on, printed = verdict(name, answer, capsys)
    assert printed == f"✓ {name}: right\n"
    assert not any(failed(name, go_on)) and verdict(name, go_on, capsys)[1] == printed
    exercise = EXERCISES[name]
    if not exercise.asked:
        for one, own in zip(_results(exercise, go_on), _results(exercise, exercise.own), strict=True):
            number = {type(one), type(own)} <= {int, float, np.float64} or {type(one), type(own)} <= {bool, np.bool_}
            assert number or type(one) is type(own), (one, own)


def test_every_exercise_is_tried():
    assert sorted(RIGHT) == sorted(WRONG) == NAMES and {*NAMES} <= {*EXERCISES}


@pytest.mark.parametrize(
    ("name", "hint", "answer"),
    [pytest.param(n, hint, f, id=f"{n}: {hint[:40]} {i}") for n in WRONG for i, (hint, f) in enumerate(WRONG[n])],
)
def test_wrong_answer_is_rejected_with_its_hint_however_often(name, hint, answer, capsys):
    go_on, printed = verdict(name, answer, capsys)
    assert printed.startswith(f"✗ {name}: given ") and printed.endswith(f" {GOES_ON}\n") and printed.count("\n") == 1
    assert f"Hint: {hint}" in printed
    told = printed.partition(", expected ")[2].partition(" Hint: ")[0]
    expected, _, received = told.partition(", received ")
    assert received.rstrip(".") != expected
    assert not any(failed(name, go_on))  # what the lesson goes on with is right
    assert verdict(name, go_on, capsys)[1] == printed  # and is not what is judged


@pytest.mark.parametrize("name", NAMES)
def test_every_hint_is_read_and_every_case_is_the_first_to_stop_somebody(name, capsys):
    exercise = EXERCISES[name]
    printed = [verdict(name, answer, capsys)[1].partition(" Hint: ")[2] for _, answer in WRONG[name]]
    hints = {exercise.hint, *(case.hint for case in exercise.cases), *(hint for hint, _ in exercise.mistakes)} - {""}
    assert not [
        hint
        for hint in hints
        if not any(line.partition("? ")[2].startswith(hint) or line.startswith(hint) for line in printed)
    ]
    assert {failed(name, answer).index(True) for _, answer in WRONG[name]} == set(range(len(exercise.cases)))


@pytest.mark.parametrize("name", NAMES)
def test_the_course_s_own_version_passes_its_check(name, capsys):
    own = EXERCISES[name].own
    go_on, printed = verdict(name, own, capsys)
    assert printed == f"✓ {name}: right\n" and (go_on is own or EXERCISES[name].asked)


@pytest.mark.parametrize("name", NAMES)
def test_a_blank_answer_is_no_mistake_and_is_replaced(name, capsys):
    def blank(*given):
        """What is asked."""
        ...  # your answer here

    go_on, printed = verdict(name, blank, capsys)
    assert printed == f"· {name}: not answered yet. {GOES_ON}\n"
    assert not any(failed(name, go_on)) and verdict(name, go_on, capsys)[1] == printed


@pytest.mark.parametrize("name", NAMES)
def test_who_computes_and_returns_nothing_is_asked_for_return(name, capsys):
    def forgotten(*given):
        result = EXERCISES[name].own(*given)
        print(end=str(result)[:0])

    _, printed = verdict(name, forgotten, capsys)
    assert "received None. Hint: Did you forget return? " in printed and printed.startswith(f"✗ {name}: given ")


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_how_to_check_and_not_the_answer(name):
    told = pydoc.render_doc(CHECKS[name], renderer=pydoc.plaintext) + inspect.getsource(CHECKS[name])
    tree = ast.parse(inspect.getsource(importlib.import_module(EXERCISES[name].own.__module__)))
    answers = {ast.unparse(node.value) for node in ast.walk(tree) if isinstance(node, ast.Return)}
    assert len(answers) > 4 and not [answer for answer in answers if len(answer) > 12 and answer in told]
    parameters = ", ".join(inspect.signature(EXERCISES[name].own).parameters)
    assert f"Check `{name}({parameters})`. " in told and "Args:" in told
    (example,) = doctest.DocTestFinder(recurse=False).find(CHECKS[name], name, globs=dict(CHECKS))
    assert example.examples and not doctest.DocTestRunner().run(example).failed


@pytest.mark.parametrize(("words", "answer"), answers_leakage.SPLITS)
def test_what_is_wrong_with_a_split_is_said_in_words(words, answer, capsys):
    assert f"{words}" in verdict("patient_split", answer, capsys)[1].partition(", received ")[2]


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_a_coin_for_each_patient_passes_for_every_seed(fraction):
    """The tolerance must not fail an honest answer: the share's deviation is 0.02 for 600 patients."""
    table = pd.DataFrame({"patient": [f"p{number}" for number in range(600)]})
    shares = [answers_leakage.coin_for_each_patient(table, fraction, seed).mean() for seed in range(200)]
    assert np.abs(np.array(shares) - fraction).max() < 0.08


@pytest.mark.parametrize("way", ["0 and 1", "a list"])
def test_a_mask_of_zeros_and_ones_comes_back_as_one_of_truth_values(way, capsys):
    table, answer = EXERCISES["patient_split"].cases[0].arguments[0], RIGHT["patient_split"][way]
    mask = verdict("patient_split", answer, capsys)[0](table, 0.25, 7)
    assert mask.dtype == bool and np.array_equal(mask, np.asarray(answer(table, 0.25, 7)) == 1)


def test_a_point_hits_where_the_package_says_so():
    """The exercise and `heatmaps` have one rule, on boxes of all sizes, for cells of all sizes."""
    rng, own = np.random.default_rng(0), EXERCISES["points_into"].own
    hits = []
    for _ in range(2000):
        size = rng.integers(1, 9)
        width, height = rng.uniform(0.01, 1, 2) ** 2
        box = (rng.uniform(0, 1 - width), rng.uniform(0, 1 - height), width, height)
        heat = rng.uniform(0.1, 1, (size, size))
        hits.append(own(heat, box))
        assert hits[-1] == answers_heatmaps.by_package(heat, box)
    assert 0.1 < np.mean(hits) < 0.9


def test_the_answer_to_early_stopping_agrees_with_keras():
    """Keras' own callback, fed the losses of the exercise, stops where the exercise says."""
    from cxr_utils.networks.backend import load_keras

    keras = load_keras()
    for case in EXERCISES["early_stopping"].cases:
        losses, patience = case.arguments
        callback = keras.callbacks.EarlyStopping("val_loss", patience=patience)
        callback.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
        callback.model.stop_training = False
        callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"val_loss": loss})
            if callback.model.stop_training:
                break
        assert (callback.best_epoch + 1, epoch + 1) == case.expected


def test_no_exercise_is_private_to_a_file():
    """`checks.name` is the check that its file makes."""
    for name in NAMES:
        assert getattr(importlib.import_module(CHECKS[name].__module__), name) is CHECKS[name]
