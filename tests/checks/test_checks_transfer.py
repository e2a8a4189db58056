"""Each exercise check of lesson 04 accepts the right answer and rejects plausible wrong ones."""

import numpy as np
import pytest

from cxr_utils import checks
from cxr_utils.data.splits import sample_patients


def whole(patients, images):
    taken = []
    for patient in dict.fromkeys(patients):
        if sum(patients.count(one) for one in taken) < images:
            taken.append(patient)
    return [patient in taken for patient in patients]


def stopping(losses, patience):
    best, kept, waited = float("inf"), 0, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best:
            best, kept, waited = loss, epoch, 0
        else:
            waited += 1
        if waited >= patience:
            return kept, epoch
    return kept, len(losses)


def stops_at_first_rise(losses, patience):
    for epoch in range(1, len(losses)):
        if losses[epoch] > losses[epoch - 1]:
            return epoch, epoch + 1
    return len(losses), len(losses)


def waits_without_beginning_anew(losses, patience):
    best, kept, waited = float("inf"), 0, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best:
            best, kept = loss, epoch
        else:
            waited += 1
        if waited >= patience:
            return kept, epoch
    return kept, len(losses)


RIGHT = {
    "head_parameters": lambda features, findings: features * findings + findings,
    "whole_patients": whole,
    "flip_horizontally": lambda image, x, width: (np.fliplr(image), 1 - (x + width)),
    "early_stopping": stopping,
}
WRONG = {
    "head_parameters": {
        "no bias": lambda features, findings: features * findings,
        "one bias": lambda features, findings: features * findings + 1,
        "biases of the features": lambda features, findings: features * findings + features,
        "sum": lambda features, findings: features + findings,
        "always fourteen": lambda features, findings: features * 14 + 14,
    },
    "whole_patients": {
        "first images": lambda patients, images: [number < images for number in range(len(patients))],
        "numbers instead of a mask": lambda patients, images: list(range(min(images, len(patients)))),
        "that many patients": lambda patients, images: [p in list(dict.fromkeys(patients))[:images] for p in patients],
        "everything": lambda patients, images: [True] * len(patients),
        "never too many": lambda patients, images: [
            p in set(patients[:images]) and patients.count(p) == 1 for p in patients
        ],
        "alphabetical": lambda patients, images: [sorted(patients).index(p) < images - 1 for p in patients],
    },
    "flip_horizontally": {
        "upside down": lambda image, x, width: (image[::-1], 1 - x - width),
        "rotated by half a turn": lambda image, x, width: (image[::-1, ::-1], 1 - x - width),
        "box stays": lambda image, x, width: (image[:, ::-1], x),
        "right side for left": lambda image, x, width: (image[:, ::-1], 1 - x),
        "transposed": lambda image, x, width: (image.T, 1 - x - width),
        "image stays": lambda image, x, width: (image, 1 - x - width),
        "pixels for fractions": lambda image, x, width: (image[:, ::-1], image.shape[1] - x - width),
    },
    "early_stopping": {
        "best of all": lambda losses, patience: (int(np.argmin(losses)) + 1, len(losses)),
        "counted from zero": lambda losses, patience: tuple(epoch - 1 for epoch in stopping(losses, patience)),
        "first rise": stops_at_first_rise,
        "one too late": lambda losses, patience: (
            stopping(losses, patience)[0],
            min(len(losses), stopping(losses, patience)[1] + 1),
        ),
        "keeps the last": lambda losses, patience: (stopping(losses, patience)[1],) * 2,
        "waits without beginning anew": waits_without_beginning_anew,
        "highest": lambda losses, patience: stopping([-loss for loss in losses], patience),
    },
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answer_passes(name, capsys):
    assert getattr(checks, name)(RIGHT[name])
    assert capsys.readouterr().out == f"✓ {name}: right\n"


@pytest.mark.parametrize(("name", "mistake"), [(name, mistake) for name in WRONG for mistake in WRONG[name]])
def test_wrong_answer_is_rejected(name, mistake, capsys):
    assert not getattr(checks, name)(WRONG[name][mistake])
    printed = capsys.readouterr().out
    assert printed.startswith(f"✗ {name}: given ") and "expected" in printed and "Hint:" in printed


def test_the_check_of_early_stopping_agrees_with_keras():
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
        assert (callback.best_epoch + 1, epoch + 1) == stopping(losses, patience)


def test_a_sample_keeps_patients_whole_and_grows_from_the_smaller_one():
    import pandas as pd

    rng = np.random.default_rng(3)
    patients = pd.Series(rng.integers(0, 40, 120).astype(str))
    smaller, larger = (sample_patients(patients, images, seed=5) for images in (20, 60))
    for chosen, images in ((smaller, 20), (larger, 60)):
        assert not set(patients[chosen]) & set(patients[~chosen])
        most = patients.value_counts().max()
        assert images <= chosen.sum() < images + most
    assert (larger | ~smaller).all()
    assert sample_patients(patients, 1000).all()
