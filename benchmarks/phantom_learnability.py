"""Is the phantom learnable like real data, and from its pictures only? Run: python benchmarks/phantom_learnability.py

A small network learns 6,000 simulated radiographs from their true labels and is tested on 6,000 of other patients.
Printed finding by finding, with the bars that issue 3 sets:
1. what each trivial cue gives alone (see cues.py), what all give together, what the picture gives, and what the
   picture adds to all cues: labels go together, so a part of what looks learned is co-occurrence;
2. the AUC among images with none of the other 13 findings, where co-occurrence cannot help;
3. the AUC of the mildest third of positives and of the severest, against the same negatives;
4. whether images of a patient who has the finding only in another image are called positive more often than those of
   patients who never have it, given the other findings.
Intervals are of 95 %, from 1,000 resamples of patients. What was trained is kept below the cache: the first run takes
about ten minutes of two cores, later ones less than a minute. Options: --json PATH writes all of it; --images, --size
and --epochs make a rehearsal.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from cues import CUES, cue_scores, image_cues, other_labels
from scipy.special import logit, ndtri
from simulated import severities, to_learn_from, true_cohort
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from cxr_utils import cache
from cxr_utils.data.dataset import Dataset
from cxr_utils.evaluation.intervals import bootstrap, ladder, resample_weights, weighted_auc
from cxr_utils.evaluation.metrics import auc_difference, auc_table, roc_auc
from cxr_utils.networks.recipes import Recipe
from cxr_utils.training import fit

SEEDS = (2000, 2001)  # of the patients to learn from and of those to test on
MEAN_BAR, FINDING_BAR = (0.78, 0.88), (0.60, 0.98)
HARD, EASY = ("Nodule", "Fibrosis", "Pneumonia"), ("Cardiomegaly", "Edema", "Emphysema")
CALLED = 0.10  # share of strangers that is called positive: where the threshold of the follow-up test lies
REPLICATES = 1000
SHORT = {"age, sex, view, visit": "metadata", "file size": "size", "file number": "number", "other 13 labels": "labels"}
PICTURE = {
    "picture": "picture", "picture low": "low", "picture high": "high",
    "over all": "over all", "over all low": "low", "over all high": "high", "picture and all": "with all",
    "added": "added", "added low": "low", "added high": "high",
    "alone": "alone", "alone low": "low", "alone high": "high",
}  # fmt: skip


# --- what cues and pictures give ---------------------------------------------------------------------------------
def scores_of_cues(learn: Dataset, test: Dataset, size: int) -> dict[str, pd.DataFrame]:
    """Log odds of every finding in the test images: name of the cue to a table (images, findings)."""
    key = {
        "data": [learn.digest, test.digest], "size": size,
        "code": [Path(__file__).with_name("cues.py").read_text(encoding="utf-8")],
    }  # fmt: skip
    folder = cache.entry("cue-scores", key, lambda new: _score_cues(learn, test, size, new / "scores.npz"))
    index = pd.Index(test.table["image"], name="image")
    with np.load(folder / "scores.npz") as file:
        return {name: pd.DataFrame(file[name], index=index, columns=list(test.findings)) for name in file.files}


def _score_cues(learn: Dataset, test: Dataset, size: int, path: Path) -> None:
    known, asked = image_cues(learn, size), image_cues(test, size)
    valid = (learn.table["split"] == "valid").to_numpy()
    scores: dict[str, list] = {name: [] for name in (*CUES, "other 13 labels", "all but labels", "all")}
    for finding in learn.findings:
        label = learn.table[finding].to_numpy()
        tables = {name: (known[name], asked[name]) for name in CUES}
        tables["all but labels"] = _side_by_side(known.values()), _side_by_side(asked.values())
        tables["other 13 labels"] = other_labels(learn, finding), other_labels(test, finding)
        tables["all"] = tuple(map(_side_by_side, zip(tables["all but labels"], tables["other 13 labels"], strict=True)))
        for name, (train, new) in tables.items():
            scores[name].append(cue_scores(train, label, valid, new))
    np.savez_compressed(path, **{name: np.column_stack(columns) for name, columns in scores.items()})


def _side_by_side(tables) -> pd.DataFrame:
    return pd.DataFrame(np.column_stack([table.to_numpy(float) for table in tables]))


def together(cues: np.ndarray, picture: np.ndarray, label: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Log odds from two scores at once: a logistic regression, each fifth of patients scored by the other four."""
    both, out = np.column_stack([cues, picture]), np.zeros(len(label))
    for known, new in GroupKFold(5).split(both, label, patients):
        out[new] = LogisticRegression().fit(both[known], label[known]).decision_function(both[new])
    return out


def cue_table(test: Dataset, cues: dict[str, pd.DataFrame], picture: pd.DataFrame) -> pd.DataFrame:
    """One row a finding: AUC of each cue, of all, of the picture with its interval, and what it adds to all."""
    rows = {}
    for finding in test.findings:
        label, seen = test.table[finding].to_numpy(), picture[finding].to_numpy()
        row = {name: roc_auc(label, scores[finding].to_numpy()) for name, scores in cues.items()}
        measured = auc_table(label, seen, test.patients, replicates=REPLICATES).iloc[0]
        row |= {"picture": measured["auc"], "picture low": measured["low"], "picture high": measured["high"]}
        every = cues["all"][finding].to_numpy()
        both = together(every, seen, label, test.patients)
        row["picture and all"] = roc_auc(label, both)
        for name, first, second in (("over all", seen, every), ("added", both, every)):
            found = auc_difference(label, first, second, test.patients, replicates=REPLICATES)
            row |= {name: found["difference"], f"{name} low": found["low"], f"{name} high": found["high"]}
        rows[finding] = row | alone(test, finding, seen)
    return pd.DataFrame(rows).T


def alone(test: Dataset, finding: str, seen: np.ndarray) -> dict[str, float]:
    """AUC of the picture among images with none of the other findings."""
    only = (other_labels(test, finding).sum(axis=1) == 0).to_numpy()
    label = test.table[finding].to_numpy()[only]
    measured = auc_table(label, seen[only], test.patients[only], replicates=REPLICATES).iloc[0]
    return {"alone": measured["auc"], "alone low": measured["low"], "alone high": measured["high"]}


# --- severity ----------------------------------------------------------------------------------------------------
def severity_table(test: Dataset, picture: pd.DataFrame) -> pd.DataFrame:
    """One row a finding: AUC of the mildest and the severest third of positives against all negatives."""
    severe, rows = severities(test), {}
    for finding in test.findings:
        there = test.table[finding].to_numpy() == 1
        amount, seen = severe[finding].to_numpy(), picture[finding].to_numpy()
        cuts = np.quantile(amount[there], (1 / 3, 2 / 3))
        thirds = [~there | (there & (amount <= cuts[0])), ~there | (there & (amount >= cuts[1]))]
        unit, _ = pd.factorize(np.r_[test.patients[there], test.patients[~there]])  # the last one has a negative
        unit = unit[np.argsort(np.r_[np.flatnonzero(there), np.flatnonzero(~there)])]
        ladders = [ladder(there[kept].astype(int), seen[kept], unit[kept], tied=0.5) for kept in thirds]
        samples = bootstrap(ladders, weighted_auc, REPLICATES, 0)
        mild, hard = (roc_auc(there[kept].astype(int), seen[kept]) for kept in thirds)
        low, high = map(float, np.nanpercentile(samples[:, 1] - samples[:, 0], [2.5, 97.5]))
        rows[finding] = {"mild": mild, "severe": hard, "rise": hard - mild, "low": low, "high": high}
    return pd.DataFrame(rows).T


# --- follow-ups --------------------------------------------------------------------------------------------------
def follow_up_table(test: Dataset, picture: pd.DataFrame) -> pd.DataFrame:
    """One row a finding: how much more often unaffected images of affected patients are called than strangers'.

    Strangers never have the finding. How often they would be called, were their other findings those of the follow-up,
    is a logistic regression on the other findings, how severe they are, view, age and sex. `surely` is a lower bound
    for all findings together (Bonferroni): of 14 intervals of 95 %, one lies above zero by chance in three simulators
    out of ten.
    """
    rows = {}
    for finding in test.findings:
        label = test.table[finding]
        ever = label.groupby(test.patients).transform("max").to_numpy() == 1
        follow_up, stranger = ever & (label.to_numpy() == 0), ~ever
        seen = picture[finding].to_numpy()
        called = seen > np.quantile(seen[stranger], 1 - CALLED)
        given = _given(test, finding)
        model = LogisticRegression(max_iter=1000).fit(given[stranger], called[stranger])
        excess = called - model.predict_proba(given)[:, 1]
        means = _resampled_means(excess[follow_up], test.patients[follow_up])
        low, high = map(float, np.nanpercentile(means, [2.5, 97.5]))
        rows[finding] = {
            "images": int(follow_up.sum()), "patients": len(set(test.patients[follow_up])),
            "called": called[follow_up].mean(), "excess": excess[follow_up].mean(), "low": low, "high": high,
            "surely": excess[follow_up].mean() + ndtri(0.05 / len(test.findings)) * means.std(),
        }  # fmt: skip
    return pd.DataFrame(rows).T


def _given(test: Dataset, finding: str) -> np.ndarray:
    table = test.table
    age = table["age"].where(table["age"] <= 120, 47) / 20
    more = [age, (table["sex"] == "M").astype(float), (table["view"] == "AP").astype(float)]
    return np.column_stack([other_labels(test, finding), severities(test).drop(columns=finding), *more])


def _resampled_means(values: np.ndarray, patients: np.ndarray) -> np.ndarray:
    unit, _ = pd.factorize(patients)
    sums, counts = np.bincount(unit, values), np.bincount(unit)
    weights = np.hstack(list(resample_weights(len(counts), REPLICATES, 0)))
    return (sums @ weights) / (counts @ weights)


# --- bars --------------------------------------------------------------------------------------------------------
def bars(cues: pd.DataFrame, severity: pd.DataFrame, follow_up: pd.DataFrame) -> list[tuple[str, str, bool]]:
    """What was asked for, what came out, and whether it holds."""
    picture, mean = cues["picture"].astype(float), cues["picture"].mean()
    outside = picture[(picture < FINDING_BAR[0]) | (picture > FINDING_BAR[1])]
    not_hard = picture[list(HARD)][picture[list(HARD)] >= picture.median()]
    not_easy = picture[list(EASY)][picture[list(EASY)] <= picture.median()]
    rows = {
        "each finding between {:.2f} and {:.2f}".format(*FINDING_BAR): outside,
        f"{', '.join(HARD)} below the median finding": not_hard,
        f"{', '.join(EASY)} above the median finding": not_easy,
        "picture worth more than all cues together": cues["over all"][cues["over all"] <= 0],
        "picture adds to all cues, interval above 0": cues["added"][cues["added low"] <= 0],
        "severity raises the AUC of every finding, surely": severity["rise"][severity["low"] <= 0],
        "no unaffected follow-up called more than strangers": follow_up["excess"][follow_up["surely"] > 0],
    }
    first = "mean AUC of the picture between {} and {}".format(*MEAN_BAR), f"{mean:.3f}"
    return [(*first, MEAN_BAR[0] <= mean <= MEAN_BAR[1])] + [
        (name, _listed(missing), missing.empty) for name, missing in rows.items()
    ]


def _listed(values: pd.Series) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items()) or "every finding"


def show(title: str, table: pd.DataFrame, columns: dict[str, str]) -> None:
    """Print some columns of a table under short names, and their means."""
    print(f"\n{title}")
    shown = table[list(columns)].astype(float)
    shown.loc["mean"] = shown.mean()
    print(shown.rename(columns=columns).to_string(float_format=lambda value: f"{value:.3f}"))


def main() -> int:
    """Measure and print; returns 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("images", 6000), ("size", 128), ("epochs", 10), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    learn, test = to_learn_from(asked.images, asked.size, SEEDS[0]), true_cohort(asked.images, asked.size, SEEDS[1])
    recipe = Recipe(size=asked.size, epochs=asked.epochs, augment=("shift",), patience=3)
    started = time.perf_counter()
    trained = fit.train(recipe, learn, asked.seed, options=fit.Options(verbose=True))
    picture = logit(trained.predict(test).clip(1e-9, 1 - 1e-9))
    cues = scores_of_cues(learn, test, asked.size)
    print(f"{learn!r}\n{test!r}\n{trained.recipe}\n{time.perf_counter() - started:.0f} s")
    tables = {
        "cues": cue_table(test, cues, picture),
        "severity": severity_table(test, picture),
        "follow_ups": follow_up_table(test, picture),
    }
    show("Test AUC of cues alone", tables["cues"], {name: SHORT.get(name, name) for name in (*cues, "picture")})
    show("Test AUC of the picture", tables["cues"], PICTURE)
    show("Severity: AUC of the mildest and severest third", tables["severity"], {c: c for c in tables["severity"]})
    show("Unaffected follow-ups of affected patients", tables["follow_ups"], {c: c for c in tables["follow_ups"]})
    print()
    held = bars(*tables.values())
    for name, value, met in held:
        print(f"{name:<55} {value}   {'held' if met else 'MISSED'}")
    if asked.json:
        record = {"recipe": asdict(recipe)}
        record |= {name: json.loads(table.to_json(orient="index")) for name, table in tables.items()}
        record["bars"] = [{"bar": name, "value": value, "held": bool(met)} for name, value, met in held]
        cache.write_text(asked.json, json.dumps(record, indent=1))
    return 0 if all(met for *_, met in held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
