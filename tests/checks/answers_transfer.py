"""Answers to the exercises of lesson 04: right ones in other forms, and wrong ones with the hint that they get."""

from itertools import groupby

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


def by_previous(losses, patience, keep_best=True):
    """Waits while the loss is no lower than one epoch before."""
    waited, kept = 0, 1
    for epoch in range(2, len(losses) + 1):
        better = losses[epoch - 1] < losses[epoch - 2]
        waited = 0 if better else waited + 1
        kept = int(np.argmin(losses[:epoch])) + 1 if keep_best else epoch if better else kept
        if waited == patience:
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


def sorted_first(patients, images):
    order = sorted(patients)
    return [patient in set(np.array(order)[whole(order, images)]) for patient in patients]


def neighbours(patients, images):
    taken = []
    for _, run in groupby(patients):
        taken += [sum(taken) < images] * len(list(run))
    return taken


def at_most(patients, images):
    taken = set()
    for patient in dict.fromkeys(patients):
        if sum(one in {*taken, patient} for one in patients) <= images:
            taken.add(patient)
    return [patient in taken for patient in patients]


RIGHT = {
    "head_parameters": {
        "whole": lambda features, findings: (features + 1) * findings,
        "float": lambda features, findings: float((features + 1) * findings),
    },
    "whole_patients": {
        "list": whole,
        "array": lambda *given: np.array(whole(*given)),
        "0 and 1": lambda *given: [int(taken) for taken in whole(*given)],
    },
    "flip_horizontally": {
        "pair": lambda image, x, width: (np.fliplr(image), 1 - (x + width)),
        "list": lambda image, x, width: [image[:, ::-1].tolist(), 1 - x - width],
    },
    "early_stopping": {
        "pair": stopping,
        "list": lambda *given: list(stopping(*given)),
        "array": lambda *given: np.array(stopping(*given)),
    },
}
PREVIOUS = "Compare with the best so far, not with the epoch before."
WRONG = {
    "head_parameters": [
        ("There need not be fourteen", lambda features, findings: features * 14 + 14),
        ("Count one weight", lambda features, findings: features * findings + features + findings),
    ],
    "whole_patients": [
        ("Take patients as they come, not sorted.", sorted_first),
        ("Patient b is needed", lambda patients, images: [number < images for number in range(len(patients))]),
        ("Patient b is needed", at_most),
        ("A patient's images need not", neighbours),
        ("Patients may run out", runs_out),
        ("Which patients come first", lambda patients, images: [False] * len(patients)),
    ],
    "flip_horizontally": [
        ("Old place and width", lambda image, x, width: (image[:, ::-1], 1 - width)),
        ("Old place and width", lambda image, x, width: (image[:, ::-1], 0.75 - x)),
        ("Which side of the box", lambda image, x, width: (image[:, ::-1], x + width)),
    ],
    "early_stopping": [
        ("Training may end", lambda x, patience: (stopping(x, patience)[1] - patience, stopping(x, patience)[1])),
        ("Each new best begins", waits_without_beginning_anew),
        (PREVIOUS, by_previous),
        (PREVIOUS, lambda losses, patience: by_previous(losses, patience, keep_best=False)),
        ("What would come after", lambda x, patience: (int(np.argmin(x)) + 1, stopping(x, patience)[1])),
        ("Equal is not better.", lambda x, patience: stopping([loss - 1e-9 * i for i, loss in enumerate(x)], patience)),
        ("Wait as many epochs", stops_at_first_rise),
        ("Go through the epochs", lambda losses, patience: (7, 7)),
    ],
}
