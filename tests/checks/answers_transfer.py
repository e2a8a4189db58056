"""Right and wrong answers to the exercises of lesson 04, by exercise."""

import numpy as np


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


def runs_out(patients, images):
    """Draws the next patient without asking whether there is one."""
    rest, taken = iter(dict.fromkeys(patients)), set()
    while sum(patient in taken for patient in patients) < images:
        taken.add(next(rest))
    return [patient in taken for patient in patients]


RIGHT = {
    "head_parameters": {
        "whole": lambda features, findings: features * findings + findings,
        "float": lambda features, findings: float((features + 1) * findings),
    },
    "whole_patients": {"list": whole, "array": lambda *given: np.array(whole(*given))},
    "flip_horizontally": {
        "pair": lambda image, x, width: (np.fliplr(image), 1 - (x + width)),
        "list": lambda image, x, width: [image[:, ::-1].tolist(), 1 - x - width],
    },
    "early_stopping": {"pair": stopping, "array": lambda *given: np.array(stopping(*given))},
}
WRONG = {
    "head_parameters": {
        "biases of the fewer": lambda features, findings: features * findings + min(features, findings),
        "no bias": lambda features, findings: features * findings,
        "one bias": lambda features, findings: features * findings + 1,
        "biases of the features": lambda features, findings: features * findings + features,
        "sum": lambda features, findings: features + findings,
        "always fourteen": lambda features, findings: features * 14 + 14,
    },
    "whole_patients": {
        "never short of patients": runs_out,
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
        "left side forgotten": lambda image, x, width: (image[:, ::-1], 1 - width),
        "one width for all": lambda image, x, width: (image[:, ::-1], 0.75 - x),
        "upside down": lambda image, x, width: (image[::-1], 1 - x - width),
        "rotated by half a turn": lambda image, x, width: (image[::-1, ::-1], 1 - x - width),
        "box stays": lambda image, x, width: (image[:, ::-1], x),
        "right side for left": lambda image, x, width: (image[:, ::-1], 1 - x),
        "transposed": lambda image, x, width: (image.T, 1 - x - width),
        "image stays": lambda image, x, width: (image, 1 - x - width),
        "pixels for fractions": lambda image, x, width: (image[:, ::-1], image.shape[1] - x - width),
    },
    "early_stopping": {
        "counted back from the stop": lambda losses, patience: (
            stopping(losses, patience)[1] - patience,
            stopping(losses, patience)[1],
        ),
        "stopped rightly, best of all": lambda losses, patience: (
            int(np.argmin(losses)) + 1,
            stopping(losses, patience)[1],
        ),
        "equal is better": lambda losses, patience: stopping(
            [loss - 1e-9 * epoch for epoch, loss in enumerate(losses)], patience
        ),
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
