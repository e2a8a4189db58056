# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · AUC and ROC: how good is a classifier?
#
# **Time:** 60 minutes to work through, about half a minute to run when lesson 04 has trained the network.
#
# **Questions**
# - What does an area under a curve say, and how far may we trust it?
# - Where should the line between yes and no be drawn, and on which images is that decided?
# - Why does a good classifier mostly raise false alarms where a disease is rare?
# - Is a probability of 30 % right three times in ten? Is acting on it worth it? For everybody?
#
# **Objectives.** At the end you can build an ROC curve and its area by hand, put an interval on it that respects
# patients, choose a threshold without cheating, and judge a classifier by prevalence, calibration, what acting on it
# is worth, subgroups and baselines.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# ## A network, and images that it has never seen
#
# The network of this lesson has learned on the part `train`. On the default data its school was the same simulator
# (lesson 04), so its figures are better than any on real X-rays would be. Everything that is *chosen* from now on is
# chosen on `valid`, and `test` only measures. No patient is in two parts. In the simulated data the test labels are the
# simulator's own truth, better than any panel of readers could give. The other labels imitate what a program reads out
# of reports, and hold its mistakes.
#
# Each image is asked about several findings at once. To see every step, the lesson first follows the commonest one;
# in the simulated data that is *Infiltration*, a hazy shadow in the lung. Technical words stand in the
# [glossary](../docs/glossary.md).

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed).with_images()
findings = list(dataset.findings)
train, valid, test = (dataset.part(name) for name in ("train", "valid", "test"))
finding = test.commonest()
people = len(set(test.patients))
print(f"Test part: {len(test)} images of {people} patients, {test.table[finding].sum():.0f} with {finding}")

# %%
network = cxr.train(cxr.recipe("lite0-transfer", profile), dataset, seed=seed)
scores_valid, scores = network.predict(valid), network.predict(test)

# %% [markdown]
# Every result needs something to stand beside. Ours are three *baselines*: what age, sex, view and number of the
# visit tell about the findings, without pixels; a regression on thumbnails; and the labels of the patient's other test
# images, which need no picture either. Which of them exist depends on what the data set knows. Where only one is shown,
# it is the first of these.

# %%
beside = evaluation.baseline_scores(train, test, size=32)
baseline_name, baseline = next(iter(beside.items()))

# %% [markdown]
# ## From a score to a curve
#
# A *threshold* turns scores into decisions: call every image whose score is at least the threshold. Two things
# count. The *sensitivity* is the share of the positive images (those with the finding) that are called. The *false
# positive rate* is the share of the negative ones that are called by mistake; 1 minus it is the *specificity*.
#
# **Exercise 1.** `truth` holds 0 and 1, `score` the scores. Return sensitivity and false positive rate.


# %%
def rates_at(truth, score, threshold):
    """Sensitivity and false positive rate when every image with score >= threshold is called."""
    ### BEGIN SOLUTION
    called = score >= threshold
    return called[truth == 1].mean(), called[truth == 0].mean()
    ### END SOLUTION


# %%
rates_at = checks.rates_at(rates_at)

# %% [markdown]
# Lower the threshold from above all scores to below all of them, and the two rates walk from (0, 0) to (1, 1): the *ROC
# curve* (receiver operating characteristic, a word from wartime radar). In the figure below your function walks. On the
# right the same walk, seen by somebody who acts on the calls: *precision*, the share of the calls that are right,
# against sensitivity, there named *recall*.


# %%
def walk(truth, score):
    """Sensitivity and false positive rate at each threshold, from above all scores to below them."""
    downwards = [np.inf, *np.unique(score)[::-1]]
    rates = [rates_at(truth.to_numpy(), score.to_numpy(), threshold) for threshold in downwards]
    return pd.DataFrame(rates, columns=["sensitivity", "false_positive_rate"])


truth = test.table.set_index("image")[findings]
curves = {"network": scores[finding], baseline_name: baseline[finding]}
roc = {name: walk(truth[finding], score) for name, score in curves.items()}
precision_recall = {name: evaluation.pr_points(truth[finding], score) for name, score in curves.items()}
plots.roc_and_pr(roc, precision_recall, truth[finding].mean(), f"{finding}, test part")

# %% [markdown]
# The ROC curve does not care how many images are negative; precision does. For a rare finding a curve on the left
# can look splendid while most calls, on the right, are wrong. Ours is the commonest finding: set `finding` above to
# another one and look again.
#
# ## The area is a probability
#
# Draw one positive and one negative image. How often does the positive one have the higher score? That is the area
# under the ROC curve, *AUC*. 1 is a perfect order, 0.5 a coin.
#
# **Exercise 2.** Compare every positive with every negative score; a tie is worth one half. Return the share.


# %%
def auc_by_pairs(positive, negative):
    """Share of pairs in which the positive score is higher. positive: (p,) scores; negative: (n,) scores."""
    ### BEGIN SOLUTION
    higher = positive[:, np.newaxis] > negative
    tied = positive[:, np.newaxis] == negative
    return (higher + tied / 2).mean()
    ### END SOLUTION


# %%
auc_by_pairs = checks.auc_by_pairs(auc_by_pairs)

# %% [markdown]
# Three ways to the same number: your pairs, the area in your figure by trapezia, and scikit-learn.

# %%
from sklearn.metrics import roc_auc_score

label = truth[finding].dropna()  # without images of which it is not known
score, present = scores.loc[label.index, finding].to_numpy(), label.to_numpy() == 1
by_pairs = auc_by_pairs(score[present], score[~present])
by_area = np.trapezoid(roc["network"]["sensitivity"], roc["network"]["false_positive_rate"])
cxr.identity(
    "Pairs, the area by trapezia and scikit-learn give one AUC", by_pairs, by_area, roc_auc_score(label, score)
)

# %% [markdown]
# ## All findings, with intervals
#
# Another hundred patients would give another AUC. The *95 % interval* says how far another: in about 95 of 100 studies
# like this one, such an interval holds the AUC of all patients. **Predict:** which findings will have the widest?

# %% tags=["answer"]
areas = evaluation.auc_table(truth, scores, test.patients)
below = {name: evaluation.auc_table(truth, table, test.patients) for name, table in beside.items()}
plots.auc_forest({"network": areas, **below}, f"Test part, {people} patients")

# %% tags=["answer", "nbval-ignore-output"]
precision = evaluation.average_precision_table(truth, scores, test.patients, replicates=0)
columns = areas[["auc", "low", "high", "positives"]].assign(**{name: table["auc"] for name, table in below.items()})
columns.join(precision[["ap", "prevalence"]]).round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
wide = (areas["high"] - areas["low"]).drop("mean").nlargest(3)
cxr.answer(
    "{widest}. An interval is wide where few patients have the finding, and where the network is in the middle "
    "between a coin and perfect; look at the column `positives`.",
    widest=", ".join(
        f"{one} ({width:.2f} wide, {areas.loc[one, 'positives']:.0f} positive)" for one, width in wide.items()
    ),
)

# %% [markdown]
# `ap`, the average precision, is the area under the precision-recall curve; beside it stands what a coin reaches, the
# prevalence. Read the interval before the area: a finding with few positives may be anything. Where thumbnails come
# close, no radiology was needed. Where the labels of the patient's other images do, to know the patient is worth as
# much as to see the picture. Whether the network beats a baseline is a question about the *difference*, on the same
# patients. Here it is for the first baseline:

# %% tags=["nbval-ignore-output"]
above_baseline = evaluation.auc_difference(truth, scores, baseline, test.patients)
above_baseline.round(3)

# %% [markdown]
# ## Why patients, and not images?
#
# The plainest way to an interval is the *bootstrap*: draw as many patients as there are, with replacement, so that some
# come twice and some not at all; compute the AUC; repeat. The middle 95 % of the results is the interval. Draw
# patients, and not images, because a patient's second X-ray is not news. Drawing images pretends that each of them is a
# new patient.
#
# **Exercise 3.** `patients` names the patient of each image, `drawn` the patients drawn for one round, some of them
# perhaps twice. Return the row numbers of the images of this round: all images of a patient, as often as the
# patient was drawn.


# %%
def replicate(patients, drawn):
    """Row numbers of all images of the drawn patients, an array; order does not matter."""
    ### BEGIN SOLUTION
    return np.concatenate([np.flatnonzero(patients == one) for one in drawn])
    ### END SOLUTION


# %%
replicate = checks.replicate(replicate)

# %% [markdown]
# That is all a bootstrap needs. Here are two hundred rounds of it, with your function, for the commonest finding.
# **Predict:** will your interval be near the one in the table above?

# %% tags=["answer"]
generator, units = np.random.default_rng(seed), np.unique(test.patients)
rounds = [np.asarray(replicate(test.patients, generator.choice(units, len(units)))) for _ in range(200)]
print(f"A round draws {len(units)} patients and brings {min(map(len, rounds))} to {max(map(len, rounds))} images.")

# %% tags=["plumbing", "nbval-ignore-output"]
drawn = [evaluation.roc_auc(truth[finding].to_numpy()[rows], scores[finding].to_numpy()[rows]) for rows in rounds]
low, high = np.nanquantile(drawn, [0.025, 0.975])
cxr.answer(
    "Yours goes from {low:.3f} to {high:.3f}, the one in the table from {its[low]:.3f} to {its[high]:.3f}.",
    low=low,
    high=high,
    its=areas.loc[finding],
)

# %% [markdown]
# Both rest on the same patients, and they are not the same interval. Imagine a network that finds all but a few
# patients with ease. The patient whom it would have missed may not be in the sample, and then she is in no draw. So the
# middle of the draws is too short and lies too high, most of all where the AUC is near 1 and few patients have the
# finding. With no mistake in the sample it would even go from 1 to 1. The table takes another way: an AUC is a share of
# pairs, and shares have an interval that knows that there is room below and none above (Wilson 1927). It reaches
# further towards one half. [How far to trust an interval](../docs/evaluation.md) counts how often either of them holds
# the truth.
#
# How wide do the intervals come out over patients, and how wide over images? With few positives the width itself is
# uncertain, so look at all of the findings together.


# %%
def widths(truth, scores, units):
    """Width of the 95 % interval of each finding's AUC where `units` are taken for the patients."""
    table = evaluation.auc_table(truth, scores, units)
    return (table["high"] - table["low"]).drop("mean")


units = {"patients": test.patients, "images": truth.index}
width = pd.DataFrame({name: widths(truth, scores, unit) for name, unit in units.items()})
plots.interval_widths(width)

# %% [markdown]
# For single findings the two are much alike here, because few patients return. On average the interval over images is
# the narrower one, and it is too narrow. To see how wrong it can go, photocopy every test image three times. Nothing is
# learned by that. **Predict:** what will the two intervals say?

# %% tags=["answer"]
copies = [f"{image} copy {number}" for number in range(4) for image in truth.index]
copied_truth, copied_scores = (pd.concat([table] * 4).set_axis(copies) for table in (truth, scores))
copied_units = {"patients": np.tile(test.patients, 4), "images": copies}
copied = pd.DataFrame({name: widths(copied_truth, copied_scores, unit) for name, unit in copied_units.items()})
shrunk = copied.mean() / width.mean()
print("Width after copying, as a share of what it was:")
print(f"{shrunk['patients']:.1f} over patients, {shrunk['images']:.1f} over images")

# %% tags=["plumbing"]
cxr.answer(
    "Over images the copier has made us about twice as sure: with four times as many images the interval shrinks to "
    "{images:.1f} of its width. One over the root of four is a half. It may shrink even more: few positives tell badly "
    "how much they vary, which makes an interval wider, and the copies hide how few they are. Over patients it stays "
    "at {patients:.1f}, and that is right.",
    images=shrunk["images"],
    patients=shrunk["patients"],
)

# %% [markdown]
# ## Where to draw the line
#
# A threshold of 0.5 has no special meaning: where a finding is rare, few images deserve a probability of one half.
# Three other ways: *Youden's* threshold makes sensitivity + specificity as large as possible; one may fix the
# sensitivity that is needed and pay for it in false alarms; or say what a miss *costs*, here as much as ten false
# alarms, and take the threshold that costs least. All are chosen on `valid` and applied to `test`.

# %% tags=["nbval-ignore-output"]
youden = evaluation.choose_thresholds(valid.table, scores_valid)
sensitive = evaluation.choose_thresholds(valid.table, scores_valid, sensitivity=0.9)
costly = evaluation.choose_thresholds(valid.table, scores_valid, miss=10)
chosen = {"0.5": 0.5, "Youden": youden, "sensitivity 0.9": sensitive, "a miss costs 10": costly}
points = {name: evaluation.operating_points(truth, scores, threshold) for name, threshold in chosen.items()}
figures = ["sensitivity", "specificity", "ppv", "npv", "f1", "accuracy"]
pd.DataFrame({name: table[figures].mean() for name, table in points.items()}).T.round(3)

# %% [markdown]
# A row that calls seldom has a good ppv and a good accuracy, and misses many. No row is the best in every column: which
# one is right depends on what a miss costs. And what was fixed on `valid`, such as a sensitivity of 0.9, comes out
# otherwise on `test`.
#
# Youden's threshold looks like a choice without a price. It has one. A percent of sensitivity counts for it as much as
# a percent of specificity. Where one in twenty has the finding, a percent of those without it are nineteen times as
# many people, so it accepts nineteen false alarms to avoid one miss; in general (1 - prevalence) / prevalence.
#
# And how was the threshold found? From the positive images of `valid`, and there are few. What if other validation
# patients had come? Draw them again with your function of exercise 3, choose the thresholds anew, and see how the
# sensitivity on `test` swings: its lowest and its highest value in the middle 80 of 100 draws.


# %%
def sensitivity_of_a_draw(generator):
    """Sensitivity on the test part when other validation patients choose the thresholds."""
    drawn = generator.choice(np.unique(valid.patients), len(set(valid.patients)))
    rows = np.asarray(replicate(valid.patients, drawn))
    labels = pd.DataFrame(valid.labels[rows], columns=findings)
    thresholds = evaluation.choose_thresholds(labels, scores_valid.iloc[rows].reset_index(drop=True))
    return evaluation.operating_points(truth, scores, thresholds)["sensitivity"]


# %% tags=["nbval-ignore-output"]
generator = np.random.default_rng(seed)
swings = pd.DataFrame([sensitivity_of_a_draw(generator) for _ in range(100)]).quantile([0.1, 0.9]).T
luck = pd.DataFrame({"positives in valid": valid.table[findings].sum(), "threshold": youden})
luck["false alarms a miss"] = 1 / valid.table[findings].mean() - 1
luck["sensitivity"], luck["lowest"], luck["highest"] = points["Youden"]["sensitivity"], swings[0.1], swings[0.9]
luck.sort_values("positives in valid").round(2)

# %% [markdown]
# The test patients are the same in every draw. Only the choice of the threshold differs. Where a decision hangs on a
# threshold, collect more validation patients.
#
# Back to the first table, of means over the findings on the test part. `ppv`, the *positive predictive value*, is
# precision by another name: how often a call is right. `npv`, the negative predictive value, says how often a clearance
# is right. `f1` is the harmonic mean of ppv and sensitivity. Behind all of them stand four counts, the *confusion
# matrix*:

# %%
plots.confusion_matrices(points["Youden"])

# %% [markdown]
# What if we had chosen the thresholds on the test images themselves? Here is sensitivity + specificity - 1, as a
# mean.

# %% tags=["nbval-ignore-output"]
cheating = evaluation.operating_points(truth, scores, evaluation.choose_thresholds(truth, scores))
both = {"chosen on valid": points["Youden"], "chosen on test": cheating}
youden_index = pd.DataFrame({name: table["sensitivity"] + table["specificity"] - 1 for name, table in both.items()})
youden_index.dropna().mean().round(3)

# %% [markdown]
# Better, and worth nothing: the threshold has learned the accidents of these images. The next patients will not
# repeat them.
#
# ## Accuracy flatters
#
# *Accuracy* is the share of images that are judged rightly. **Predict:** how accurate is a program that answers "no" to
# every image, compared with ours?

# %% tags=["answer", "nbval-ignore-output"]
accuracy = pd.DataFrame({"network": points["Youden"]["accuracy"], "always no": 1 - points["Youden"]["prevalence"]})
accuracy.sort_values("always no").round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
wins = (accuracy["always no"] > accuracy["network"]).sum()
cxr.answer(
    "It is right for {no:.1%} of the images on average, our network for {ours:.1%}, and it wins for {wins} of {all} "
    "findings. It finds nobody. Where positives are rare, never judge by accuracy.",
    no=accuracy["always no"].mean(),
    ours=accuracy["network"].mean(),
    wins=wins,
    all=len(findings),
)

# %% [markdown]
# ## The same classifier in another waiting room
#
# Sensitivity and specificity belong to the classifier. How often a call is *right* depends on who is waiting as
# well: on the prevalence. Count a thousand people, and you have Bayes' rule.
#
# **Exercise 4.** Return the positive predictive value.


# %%
def ppv(sensitivity, specificity, prevalence):
    """Of those who are called, the share who have the finding. All numbers between 0 and 1."""
    ### BEGIN SOLUTION
    found = sensitivity * prevalence
    false = (1 - specificity) * (1 - prevalence)
    return found / (found + false)
    ### END SOLUTION


# %%
ppv = checks.ppv(ppv)

# %% [markdown]
# **Predict:** our network at Youden's threshold is taken to a screening, where one in a thousand has the finding. Of a
# hundred calls, how many are right?

# %% tags=["answer"]
here = points["Youden"].loc[finding]
plots.ppv_by_prevalence(ppv, here["sensitivity"], here["specificity"], here["prevalence"], finding)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "{right:.1f} of a hundred, from the same network with the same AUC. In this test part, where {share:.0%} of the "
    "images show it, it is {ours:.0f} of a hundred. The simulator has raised every prevalence far above life, so a "
    "PPV of this course says nothing about a hospital, and a PPV from one hospital little about the next.",
    right=100 * ppv(here["sensitivity"], here["specificity"], 0.001),
    ours=100 * here["ppv"],
    share=here["prevalence"],
)

# %% [markdown]
# In a ward where many have the finding, a call means something.
#
# ## Are the probabilities right?
#
# AUC looks at the order only. If the network says 30 %, do three in ten have the finding? A network can be taught
# that afterwards on `valid`: *temperature scaling* divides all its logits (the numbers before the sigmoid) by one
# number; *Platt scaling* fits a slope and an intercept for each finding; *isotonic* scaling takes any rising curve.
# Beside our network stand two small ones of lesson 03, of one and the same architecture: one was trained with plain
# cross-entropy, the other with focal loss, which shifts probabilities towards one half.

# %%
from dataclasses import replace

small = replace(cxr.recipe("xray-vision", profile), sample_weights=False)
others = {"small": small, "focal": replace(small, loss="focal")}
raw = {"network": (scores_valid, scores)}
for name, recipe in others.items():
    trained = cxr.train(recipe, dataset, seed=seed)
    raw[name] = trained.predict(valid), trained.predict(test)

# %%
calibrated = {}
for name, (on_valid, on_test) in raw.items():
    calibrated[name] = on_test
    for way, fit in evaluation.CALIBRATIONS.items():
        calibrated[f"{name}, {way}"] = fit(valid.table, on_valid)(on_test)

# %% tags=["nbval-ignore-output"]
parts = ["brier", "reliability", "resolution", "uncertainty", "within_bins", "ece"]
quality = {name: evaluation.calibration_table(truth, table)[parts].mean() for name, table in calibrated.items()}
by_chance = {name: evaluation.ece_by_chance(table).mean() for name, table in calibrated.items()}
quality = pd.DataFrame(quality).T.assign(ece_by_chance=by_chance)
quality.round(3)

# %% [markdown]
# Means over the findings. The *Brier score* is the mean squared distance between probability and truth. It falls into
# parts (Murphy 1973): `uncertainty` is what one gets for always saying the prevalence, and nobody can change it;
# `resolution`, which is subtracted, is how well the bins of the probabilities tell images apart; `reliability` is what
# wrong probabilities cost; `within_bins` is the rest, what the differences inside the bins cost or, below 0, tell.
# `ece`, the expected calibration error, is the mean distance from the diagonal below. For all but resolution less is
# better. The last column is the error that perfect probabilities would show on so few images, by chance alone: what
# lies near it is as good as calibrated.

# %%
shown = ("network", "focal", "focal, Platt")
bins = {
    name: evaluation.reliability_table(truth[finding], calibrated[name][finding], bins=8, patients=test.patients)
    for name in shown
}
plots.reliability(bins, f"{finding}, test part")

# %% [markdown]
# A point below the diagonal stands for probabilities that are too high, one above it for too low ones. Most images are
# in the points on the left; those on the right stand for few, as their intervals say. Calibration mends what is far
# off. Where a network is nearly right, curves fitted on few positives can do as much harm as good: calibration is
# learned from data too, and from labels that hold the mistakes of `valid`.
#
# ## Is it worth acting on?
#
# If you act at a probability of 10 %, you say: one patient found is worth nine false alarms. With that exchange rate
# true and false calls can be added up. Of *n* images, TP are called rightly and FP wrongly at the threshold *t*:
#
# ```text
# net benefit = TP / n − FP / n · t / (1 − t)
# ```
#
# The *decision curve* (Vickers and Elkin 2006) draws it for every threshold, beside that of acting on everybody and on
# nobody. **Predict:** at which threshold will "everybody" be worth as much as "nobody"?

# %% tags=["answer"]
worth = {name: evaluation.decision_curve(truth[finding], calibrated[name][finding]) for name in ("network", "focal")}
plots.decision_curves(worth, f"{finding}, test part")

# %% tags=["plumbing"]
cxr.answer(
    "At the prevalence, {share:.1%}: put TP / n = prevalence and FP / n = 1 - prevalence into the formula. A model "
    "helps where its line is above both others. A good AUC alone does not put it there: its probabilities must be "
    "right too, or one acts at another threshold than one thinks.",
    share=truth[finding].mean(),
)

# %% [markdown]
# ## For everybody?
#
# One figure for all can hide a group for whom the network fails. Groups are small, so here is the commonest finding
# alone; groups with fewer than ten patients with it, or without it, are left out. Among many groups some differ by
# chance, so the gap of each to all others gets a p-value that counts the groups: how often would chance alone make so
# large a gap in *any* of them?

# %%
by_group = evaluation.subgroup_table(truth[[finding]], scores[[finding]], test.table)
of_all = areas.loc[finding, ["auc", "low", "high"]].tolist()
plots.subgroup_forest(by_group, of_all, f"{finding}, test part")

# %% [markdown]
# And the groups that are too small to be in the figure. Name them in a report, or nobody will know how little is known
# about them:

# %%
by_group[by_group["auc"].isna()][["characteristic", "group", "patients"]]

# %% [markdown]
# Before you call a gap a bias, look at p, which has counted the groups. Before you call a large p fairness, look at
# the intervals: a group of this size could hide a large gap.
#
# ## The same on real predictions
#
# A network that others trained on real X-rays (Zech, reproduce-chexnet) left its probabilities, and NIH's table has
# the labels. Where both are at hand, here are its areas, on all of its test images and on the part that NIH had
# meant for testing.

# %% tags=["nbval-ignore-output"]
from IPython.display import display

others = evaluation.published_predictions(dataset)
display(others.areas().round(3), others.pitfalls().round(3))

# %% [markdown]
# Where the tables stand above, read three things off them. Which part is harder, and how much for Effusion? A figure
# without the name of its part means little. Which findings does a threshold of 0.5 never find? And how much too narrow
# are intervals over images where a few patients bring many of the positive ones, as for Pneumothorax?
#
# `cxr evaluate scores.csv --report page.html` puts what this lesson has shown on one page, for any predictions.
#
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** Two positive images have the scores 0.9 and 0.4, three negative ones 0.6, 0.4 and 0.1. What is the
# AUC?
#
# <details><summary>Answer</summary>
# 0.75. There are six pairs. The positive with 0.9 wins all three of its pairs. The one with 0.4 loses against 0.6,
# ties with 0.4 (one half) and wins against 0.1. Together 3 + 1.5 = 4.5 of 6.
# </details>
#
# **Question 2.** A network has a sensitivity of 0.80 and a specificity of 0.95. In a screening 1 % of the people have
# the finding. Of 100 people who are called, about how many have it?
#
# <details><summary>A. 95</summary>
# No. The specificity is the share of the people without the finding who are left alone. It does not say who is among
# the called.
# </details>
# <details><summary>B. 80</summary>
# No. That turns the question round: of those who have the finding 80 in 100 are called. The question is how many of
# the called have it.
# </details>
# <details><summary>C. 14</summary>
# Right. Of 10,000 people 100 have it, and 80 of them are called. Of the 9,900 others 5 % are called too, which is
# 495. So 80 of 575 calls are right.
# </details>
# <details><summary>D. 1</summary>
# No. That is the prevalence, the share before anybody was looked at. A call makes the finding about fourteen times as
# likely as that, but still not likely.
# </details>
#
# **Question 3.** In a study each of 100 patients is X-rayed nine times within a minute, and the nine pictures can
# hardly be told apart. About how wide is a 95 % interval over images, compared with one over patients?
#
# <details><summary>A. A third as wide</summary>
# Right. Nine copies look like nine times as many patients, and an interval narrows with the root of their number.
# Four copies made it about half as wide in the lesson. Nothing was learned by copying, so this interval is wrong.
# </details>
# <details><summary>B. Equally wide</summary>
# No. It would be so if an interval over images respected that the nine belong together. It takes them for 900 pieces
# of news.
# </details>
# <details><summary>C. A ninth as wide</summary>
# No. Nine times as many independent patients would make the variance nine times as small, but the width goes with the
# root of the variance.
# </details>
# <details><summary>D. Three times as wide</summary>
# No. It goes the other way: the more images count as independent, the narrower the interval gets.
# </details>
#
# **Question 4.** Of 1,000 patients 80 have the finding. You would act at a probability of 10 %. There, the model
# calls 60 of the 80 and 180 of the others. What is worth most?
#
# <details><summary>A. Acting on nobody: 180 false alarms outweigh 60 patients found.</summary>
# No. Acting at 10 % means that one patient found is worth nine false alarms. So 180 false alarms cost as much as 20
# patients, and 40 are left.
# </details>
# <details><summary>B. Acting on everybody: that finds all 80.</summary>
# No. It also brings 920 false alarms, which cost as much as 102 patients found. That is worse than acting on nobody.
# </details>
# <details><summary>C. Acting on the model.</summary>
# Right. 60 - 180/9 = 40 patients found for each 1,000. Acting on everybody gives 80 - 920/9 = -22, acting on nobody
# 0.
# </details>
#
# **Question 5.** In the age band from 18 to 39 the AUC is 0.08 below that of all others. The interval of this gap
# goes from 0.26 below to 0.10 above, and p, which has counted the groups, is 0.6. What may you write?
#
# <details><summary>A. The network is fair to this age band.</summary>
# No. A large p says that chance could make such a gap. It does not say that there is none: a gap of 0.2 lies inside
# the interval too.
# </details>
# <details><summary>B. The network fails the young.</summary>
# No. A gap of this size would often arise by chance somewhere among the groups. It is a reason to collect more, and
# not a result.
# </details>
# <details><summary>C. The band is too small and should be left out of the report.</summary>
# No. Then nobody would notice that we know so little about the young. The wide interval is what a reader needs to
# see.
# </details>
# <details><summary>D. The gap may be chance, and a much larger one cannot be ruled out.</summary>
# Right. That is what the p-value and the interval say together. Only more patients of this age can tell the two
# apart.
# </details>
#
# ## Key points
#
# - The AUC is the chance that a positive image outranks a negative one. It knows nothing of thresholds, prevalence
#   or probabilities.
# - Every AUC needs its part, its number of patients, an interval over patients, and a baseline.
# - Choose thresholds on `valid`, from enough positives. On `test` they flatter.
# - Accuracy rewards saying "no". PPV depends on who is waiting.
# - Calibration is a separate question, and so is each subgroup; what acting is worth depends on both.
# - Among many groups some differ by chance. Count the groups before you believe a gap.

# %%
checks.solved()

# %% tags=["nbval-ignore-output", "plumbing"]
mean = areas.loc["mean"]
ours, plain = f"{mean['auc']:.3f} ({mean['low']:.3f} to {mean['high']:.3f})", below[baseline_name].loc["mean", "auc"]
cxr.headline(f"mean AUC {ours}, {baseline_name} {plain:.3f}, {people} test patients")

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
enough = test.enough(patients=100)
rare = cxr.given(truth.mean().mean() < 0.25, "the findings are not rare in this data set") and enough
taught = enough and cxr.given(len(set(train.patients)) >= 500, "fewer than 500 patients do not teach fourteen findings")
facts = cxr.given("no pixels" in beside, "neither age, sex, view nor number of the visit is known")
at_half, at_youden = points["0.5"], points["Youden"]
compared, tested = youden_index.dropna(), by_group.dropna(subset=["p_value"])
at_prevalence = worth["network"].loc[(worth["network"]["threshold"] - truth[finding].mean()).abs().idxmin()]
better_on_test = compared["chosen on test"] >= compared["chosen on valid"] - 1e-9
cxr.identity("No threshold chosen on valid looks better on test than one chosen on test", better_on_test, True)
cxr.identity("Counting the groups makes no gap look more certain", tested["adjusted_p"] >= tested["p_value"], True)
cxr.identity("Copies of images leave the intervals over patients as they were", copied["patients"], width["patients"])
cxr.claims(
    {
        "The network beats the baseline without pixels in mean AUC, by more than the interval": (
            facts and taught and above_baseline["low"] > 0
        ),
        "Copies of images make the interval over images narrower by a third or more": shrunk["images"] < 2 / 3,
        "On average the interval over patients is wider than that over images": (
            dataset.knows("follow_ups") and enough and width["patients"].mean() > width["images"].mean()
        ),
        "A threshold of 0.5 finds fewer positives than Youden's": (
            rare and at_half["sensitivity"].mean() < at_youden["sensitivity"].mean()
        ),
        "Saying 'no' to everybody is as accurate as the network at Youden's thresholds, to within five points": (
            rare and accuracy["always no"].mean() > accuracy["network"].mean() - 0.05
        ),
        "Where one in a thousand has the finding, most calls are false": (
            rare and ppv(here["sensitivity"], here["specificity"], 0.001) < 0.5
        ),
        "Platt scaling brings the focal network's calibration error down by a third or more": (
            rare and quality.loc["focal, Platt", "ece"] < quality.loc["focal", "ece"] * 2 / 3
        ),
        "At a threshold near the prevalence, acting on the network is worth more than acting on all or on none": (
            rare and at_prevalence["model"] > max(at_prevalence["treat_all"], 0)
        ),
    }
)
