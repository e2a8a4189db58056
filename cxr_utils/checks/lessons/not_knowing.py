"""Exercises of lesson 10: not knowing, and for whom."""

import numpy as np

from ..exercise import Case, exercise

# Three members, two images, one finding: the logits are 0, 2, 4 and -1, -1, -1.
_LOGITS = np.array([[[0.0], [-1.0]], [[2.0], [-1.0]], [[4.0], [-1.0]]])
_MEMBERS = 1 / (1 + np.exp(-_LOGITS))
# Two members, one image, two findings.
_TWO = np.array([[[0.5, 0.2]], [[0.8, 0.2]]])


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities / (1 - probabilities))


@exercise(
    "Members come first: which axis has to go, once by the mean and once by the standard deviation?",
    cases=[
        Case(
            (_MEMBERS,),
            # (0.5 + 0.880797 + 0.982014) / 3; the deviation of 0, 2, 4 is the root of 8 / 3
            (np.array([[0.78760377], [0.26894142]]), np.array([[1.63299316], [0.0]])),
        ),
        Case(
            (_TWO,),
            (np.array([[0.65, 0.2]]), np.array([[np.log(4) / 2, 0.0]])),
            "There may be any number of members and findings.",
        ),
    ],
    mistakes=[
        ("Average the probabilities, not the logits.",
         lambda p: (1 / (1 + np.exp(-_logits(p).mean(0))), _logits(p).std(0))),
        ("The deviation of the logits, not of the probabilities.", lambda p: (p.mean(0), p.std(0))),
        ("np.std divides by the number of members, not by one less.",
         lambda p: (p.mean(0), _logits(p).std(0, ddof=1))),
        ("Members stand on the first axis.", lambda p: (p.mean(1), _logits(p).std(1))),
        ("The mean comes first.", lambda p: (_logits(p).std(0), p.mean(0))),
        ("The standard deviation, not the variance.", lambda p: (p.mean(0), _logits(p).var(0))),
        ("A logit is log(p / (1 - p)).", lambda p: (p.mean(0), np.log(p).std(0))),
        ("Return both: the mean and the disagreement.", lambda p: p.mean(0)),
    ],
)  # fmt: skip
def ensemble(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability, and how far the members' logits lie apart."""
    return probabilities.mean(axis=0), _logits(probabilities).std(axis=0)


_NINE = np.array([0.3, 0.1, 0.9, 0.2, 0.5, 0.4, 0.8, 0.6, 0.7])


def _at(scores: np.ndarray, place: float) -> float:
    place = int(np.ceil(place))
    return float(np.sort(scores)[place - 1]) if place <= len(scores) else np.inf


@exercise(
    "At which place, counted from the smallest, does the limit stand, and is there a score at that place?",
    cases=[
        Case((_NINE, 0.2), 0.8),
        Case((_NINE, 0.22), 0.8, "Round (n + 1)(1 - error) up to a whole place."),
        Case((np.r_[_NINE, 0.05], 0.5), 0.5, "The allowed error is not always the same."),
        Case((_NINE, 0.05), np.inf, "Where there is no such place, no limit is safe: return np.inf."),
    ],
    mistakes=[
        ("Count the new image too: n + 1, not n.", lambda s, a: _at(s, len(s) * (1 - a))),
        ("np.quantile interpolates, and does not know of the new image.", lambda s, a: np.quantile(s, 1 - a)),
        ("The limit stands near the large scores: 1 - error.", lambda s, a: _at(s, (len(s) + 1) * a)),
        ("Places are counted from 1, Python's from 0.", lambda s, a: _at(s, (len(s) + 1) * (1 - a) + 1)),
        ("Sort the scores first.", lambda s, a: s[min(int(np.ceil((len(s) + 1) * (1 - a))), len(s)) - 1]),
        ("Return the score at that place, not the place.", lambda s, a: int(np.ceil((len(s) + 1) * (1 - a)))),
    ],
)
def conformal_limit(scores: np.ndarray, error: float) -> float:
    """The limit that a new score passes with at most this probability."""
    return _at(scores, (len(scores) + 1) * (1 - error))


_PROBABILITY = np.array([0.45, 0.02, 0.9, 0.3, 0.6, 0.1, 0.99, 0.2])


def _surest(probability: np.ndarray, share: float) -> np.ndarray:
    order = np.argsort(-np.abs(probability - 0.5), kind="stable")
    return np.isin(np.arange(len(probability)), order[: round(share * len(probability))])


@exercise(
    "How far is each probability from one half, and which are the farthest?",
    cases=[
        Case((_PROBABILITY, 0.5), np.array([0, 1, 1, 0, 0, 1, 1, 0], bool)),
        Case((_PROBABILITY, 0.75), np.array([0, 1, 1, 1, 0, 1, 1, 1], bool), "The share is not always one half."),
        Case((_PROBABILITY[:3], 1.0), np.ones(3, bool), "All of them is a share too."),
    ],
    mistakes=[
        ("A low probability can be as sure as a high one.",
         lambda p, s: np.isin(np.arange(len(p)), np.argsort(-p)[: round(s * len(p))])),
        ("The surest stay, the least sure go.", lambda p, s: ~_surest(p, 1 - s) if s < 1 else ~_surest(p, 1)),
        ("Return a mask, one truth value an image.", lambda p, s: np.flatnonzero(_surest(p, s))),
        ("A share of the images, not a limit for the sureness.", lambda p, s: np.abs(p - 0.5) >= s / 2),
        ("The lowest probabilities are not the only sure ones.",
         lambda p, s: np.isin(np.arange(len(p)), np.argsort(p)[: round(s * len(p))])),
    ],
)  # fmt: skip
def answered(probability: np.ndarray, share: float) -> np.ndarray:
    """The images that get an answer: the surest share of them."""
    return _surest(probability, share)


_PRESENT = np.array([[1, 0], [1, 1], [0, 0], [1, 0], [0, 1], [0, 0]], bool)
_CALLED = np.array([[1, 0], [0, 0], [1, 0], [1, 1], [0, 1], [0, 1]], bool)
_GROUP = np.array([1, 1, 1, 0, 0, 0], bool)


@exercise(
    "Of what the group has, which share is not called? Of what it does not have, which share is?",
    cases=[
        # the first three images: three present, one of them called; three absent, one of them called
        Case((_PRESENT, _CALLED, _GROUP), (2 / 3, 1 / 3)),
        Case((_PRESENT, _CALLED, ~_GROUP), (0.0, 2 / 4), "The group may be any mask."),
        Case(
            (_PRESENT[:, :1], _CALLED[:, :1], _GROUP), (1 / 2, 1.0), "There may be one finding only."
        ),
    ],
    mistakes=[
        ("Only the images of the group count.", lambda y, c, g: ((~c)[y].mean(), c[~y].mean())),
        ("The miss rate comes first.", lambda y, c, g: (c[g][~y[g]].mean(), (~c)[g][y[g]].mean())),
        ("That is the sensitivity; the miss rate is the share that is not called.",
         lambda y, c, g: (c[g][y[g]].mean(), c[g][~y[g]].mean())),
        ("Shares of what is present and of what is absent, not of all.",
         lambda y, c, g: ((y & ~c)[g].mean(), (c & ~y)[g].mean())),
        ("Of what is present, which share is missed? Not: of what is not called.",
         lambda y, c, g: (y[g][~c[g]].mean(), (~y)[g][c[g]].mean())),
        ("A count is no share yet.", lambda y, c, g: ((y & ~c)[g].sum(), (c & ~y)[g].sum())),
    ],
)  # fmt: skip
def group_rates(present: np.ndarray, called: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Miss rate and false alarm rate of a group, over all findings together."""
    own, calls = present[group], called[group]
    return (~calls)[own].mean(), calls[~own].mean()
