# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 · Labels and what they hide
#
# **Time:** 60 minutes to work through, about a minute to run when lesson 04 has trained the networks.
#
# **Questions**
# - Who wrote the labels, and how often are they wrong?
# - How good can anybody look when wrong labels are the judge?
# - Where do wrong labels harm more, in training or in testing?
# - Which patients does one AUC throw together?
# - What is to be done with "possibly"?
#
# **Objectives.** At the end you can count the errors of labels, say how far they pull an AUC down and undo that on
# paper, tell the price of errors in training from their price in testing, look behind an AUC for the patients whom it
# fails, and choose how to treat uncertain labels by how they came about.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# ## Whose labels?
#
# Nobody has looked at 112,120 X-rays to label them. A radiologist wrote a report on each, for the ward and not for us.
# Years later a program read the reports and noted which findings they mention: the labels are *mined*. What the
# radiologist did not see or did not mention is lost, and what the program misread is wrong. (Technical words stand in
# the [glossary](../docs/glossary.md).)
#
# The simulator plays this through. It draws the findings into each picture, so it knows the *truth*. A second step
# imitates report and program, and gives each image its mined labels. And each finding has a *severity*, from 0 (as
# slight as it gets) to 1. `behind_labels` tells all three. A real data set cannot; there, `behind and ...` below shows
# the reason instead, and the lesson goes on.

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed).with_images()
findings = list(dataset.findings)
train, test = dataset.part("train"), dataset.part("test")
behind = train.behind_labels()
print(f"Training part: {len(train)} images of {len(set(train.patients))} patients, {len(findings)} findings")

# %% [markdown]
# Labels err in two ways. They *miss*: the finding is there, the label is not. And they are *false*: the label is
# there, the finding is not.
#
# **Exercise 1.** `truth` and `label` hold 0 and 1 for each image. Return two shares: of the images with the finding,
# how many does the label miss? Of the images with the label, how many are false?


# %%
def missed_and_false(truth, label):
    """Share of the images with the finding that lack the label; share of the labelled that lack the finding."""
    ### BEGIN SOLUTION
    missed = (label[truth == 1] == 0).mean()
    false = (truth[label == 1] == 0).mean()
    return missed, false
    ### END SOLUTION


# %%
missed_and_false = checks.missed_and_false(missed_and_false)

# %% [markdown]
# Your two shares of each finding, with intervals over patients, on the training part:

# %%
pairs = {one: (behind.truth[one].to_numpy(), behind.mined[one].to_numpy()) for one in behind.truth}
errors = pd.DataFrame({one: missed_and_false(*pair) for one, pair in pairs.items()}, index=["missed", "false"]).T
errors.loc["mean"] = errors.mean()
agreement = evaluation.agreement_table(behind.truth, behind.mined, train.patients)
plots.label_errors(agreement.assign(**errors), f"Mined labels, training part, {len(set(train.patients))} patients")

# %% [markdown]
# In the simulated data missed and false labels nearly balance, so the *number* of labels looks right. Counting labels
# would not have betrayed their errors.
#
# About half of the findings are slight (severity below one half). **Predict:** are slight ones missed as often as
# severe ones?

# %% tags=["answer"]
there = behind and behind.truth == 1
groups = behind and {"slight": there & (behind.severity < 0.5), "severe": there & (behind.severity >= 0.5)}
counts = {name: [group.sum().sum(), (behind.mined[group] == 0).sum().sum()] for name, group in groups.items()}
counts = behind and pd.DataFrame(counts, index=["with the finding", "missed"]).T
counts = counts.assign(share=counts["missed"] / counts["with the finding"])
counts.round(2)

# %% tags=["plumbing"]
cxr.answer(
    "No. Of the slight ones {slight:.0%} are missed, of the severe ones {severe:.0%}. We have built the simulator this "
    "way, because a faint shadow is more easily overlooked, and more easily left out of a report. So the images whose "
    "label is wrong are not drawn at random. Keep this in mind.",
    slight=counts.loc["slight", "share"],
    severe=counts.loc["severe", "share"],
)

# %% [markdown]
# ## One network, two judges
#
# The test part of the simulated data is labelled with the truth, but the miner has been through its reports too. Take
# the main network of lessons 04 and 05, and the scores that it gives to the test images. **Predict:** by the mined
# labels of the same images, will its AUC be higher, lower or the same as by the truth?

# %%
network = cxr.train(cxr.recipe("lite0-transfer", profile), dataset, seed=seed)
scores = network.predict(test)
judges, people = test.behind_labels(), len(set(test.patients))

# %% tags=["answer"]
by_truth = evaluation.auc_table(judges.truth, scores, test.patients)
by_mined = evaluation.auc_table(judges.mined, scores, test.patients)
plots.auc_forest({"by truth": by_truth, "by mined labels": by_mined}, f"One network, test part, {people} patients")

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "Lower: {truth:.3f} by truth, {mined:.3f} by mined labels, as means over the findings. Network, images and scores "
    "are the same. Where a label is wrong, a right score counts as a mistake.",
    truth=by_truth.loc["mean", "auc"],
    mined=by_mined.loc["mean", "auc"],
)

# %% [markdown]
# How high could it be at most? Think of a *perfect reader* who always says the truth, 1 or 0. The labels are the
# judge: an image that is labelled positive meets one that is labelled negative, and the reader should score it higher.
# Of the positive labels the share PPV is right, of the negative ones the share NPV. Here these are values of the
# *labels*, not of the reader. Draw a pair: each of its two labels can be right or wrong, which makes four kinds of
# pairs. Which of these does the reader win, and which end in a tie (half a win)?
#
# **Exercise 2.** Return the AUC of the perfect reader, judged by the labels.


# %%
def perfect_reader(ppv, npv):
    """AUC of a score that is the truth itself, by labels of which ppv and npv are right. One number."""
    ### BEGIN SOLUTION
    won = ppv * npv  # both labels are right
    tied = ppv * (1 - npv) + (1 - ppv) * npv  # one is wrong: both images have the finding, or both lack it
    return won + tied / 2
    ### END SOLUTION


# %%
perfect_reader = checks.perfect_reader(perfect_reader)

# %% [markdown]
# **Predict:** how far below 1 will the perfect reader end? Your function answers, finding by finding:

# %% tags=["answer"]
points = evaluation.agreement_table(judges.truth, judges.mined, test.patients)
shares = judges and pd.DataFrame({"auc": by_mined["auc"], "ppv": 1 - points["false"], "npv": points["npv"]})
ceiling = [perfect_reader(*of_one) for of_one in shares[["ppv", "npv"]].to_numpy()]
reader = points.assign(auc=ceiling, low=points["reader_low"], high=points["reader_high"])
both = {"network, by truth": by_truth, "network, by mined labels": by_mined, "perfect reader, by mined labels": reader}
plots.auc_forest(both, f"Test part, {people} patients")

# %% tags=["plumbing"]
cxr.answer(
    "Its mean AUC is {perfect:.3f}, although it makes no mistake. To get higher one would have to guess where the "
    "labels err. So a figure by mined labels says as much about the labels as about the network.",
    perfect=reader.loc["mean", "auc"],
)

# %%
by_pairs = evaluation.auc_table(judges.mined, judges.truth, test.patients, replicates=0)["auc"]
judges and cxr.identity(
    "Your formula is the AUC of the truth itself, judged by mined labels", ceiling[:-1], by_pairs.drop("mean")
)

# %% [markdown]
# ## Can it be undone?
#
# A network is no perfect reader. Let *A* be its AUC by truth, and go through the four kinds of pairs again. Both
# labels right: it wins with the chance *A*. Both wrong: then the "negative" image is the one with the finding, and the
# chance is 1 − *A*. One wrong: both images have the finding, or both lack it, and the chance is one half, **if the
# score knows nothing of the error**: images with a wrong label must look like others with the same truth. Added up:
#
# ```text
# AUC by labels = 1/2 + (PPV + NPV − 1) · (A − 1/2)
# ```
#
# The labels shrink the distance from one half, by a factor that has nothing to do with the network. They shrink the
# difference between two networks by the same factor, and so a better network is harder to tell from a worse one.
# Northcutt et al. (NeurIPS Datasets and Benchmarks 2021) found wrong labels in the test sets of ten well-known
# benchmarks, and showed how models change places when such labels are corrected.
#
# **Exercise 3.** The other way round: from the AUC by labels, return the AUC by truth, *A*.


# %%
def undo_labels(auc, ppv, npv):
    """AUC by truth, from the AUC by labels of which ppv and npv are right. One number."""
    ### BEGIN SOLUTION
    return 0.5 + (auc - 0.5) / (ppv + npv - 1)
    ### END SOLUTION


# %%
undo_labels = checks.undo_labels(undo_labels)

# %% [markdown]
# PPV and NPV need the truth of *some* images only: a hospital lets radiologists read a few hundred anew and corrects
# the figure of all. Here we take them from the whole test part. **Predict:** will the corrected AUC be the one by
# truth?

# %% tags=["answer", "nbval-ignore-output"]
undone = [undo_labels(*of_one) for of_one in shares[["auc", "ppv", "npv"]].to_numpy()][:-1]
corrected = judges and pd.DataFrame(
    {"by mined labels": by_mined["auc"][findings], "corrected": undone, "by truth": by_truth["auc"][findings]}
)
corrected.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "On average it comes near: {mean[by mined labels]:.3f} by mined labels, {mean[corrected]:.3f} corrected, "
    "{mean[by truth]:.3f} by truth. Finding by finding it is off by up to {most:.2f}, and {above} of {count} come out "
    "above 1, which no AUC can be. With few positive images a handful of errors decides.",
    mean=corrected.mean(),
    most=(corrected["corrected"] - corrected["by truth"]).abs().max(),
    above=(corrected["corrected"] > 1).sum(),
    count=len(corrected),
)

# %% [markdown]
# Part of that is luck. Part is not: the formula asks for errors that have nothing to do with the score, and you have
# seen that slight findings are missed more often. If the network finds them hard as well, then a missed one costs it
# less than the formula thinks. More labels and larger errors show it. The miner's rule was run anew with its errors
# times 1, 2 and 3, five times each, on the default data (`benchmarks/measure_labels.py` does it again). Against
# radiologists NIH's labels err about three times as often as ours (Majkowska et al. 2020; the section on real labels
# below). Below is a frozen network that has learned from the truth: its AUC by these labels
# as measured, and by the formula.

# %%
measured = evaluation.measured("labels")
judged = measured.query("recipe == 'frozen network' and errors_in_training == 0")
judged.groupby("errors_in_judging")[["auc", "by_formula"]].mean().round(3)

# %% [markdown]
# A good first guess, but on average too low: the network loses less than the formula says. So whoever corrects with it
# ends too high, as long as errors sit where the network is unsure too. That is the optimistic side; be careful.
#
# ## In training or in testing?
#
# So far errors sat in the labels that judge. They sit in the labels that teach as well. Take the two apart: let a
# network learn once from the truth and once from mined labels, and judge each by both. The network is the frozen one of
# lesson 04: its head has one best answer, so nothing but the labels differs. A third one learns from mined labels on
# `train`, but the labels of `valid`, which choose how strongly its weights are held back, are the truth. **Predict:**
# which costs more, to learn from mined labels or to be judged by them?

# %%
frozen, everything = cxr.recipe("lite0-head", profile), dataset.behind_labels()
chosen_by_truth = everything and behind.mined.reindex(everything.truth.index).fillna(everything.truth)
teachers = everything and {
    "truth": dataset.with_labels(everything.truth),
    "mined labels": dataset,
    "mined labels, chosen by truth": dataset.with_labels(chosen_by_truth),
}
learned = {teacher: cxr.train(frozen, labels, seed=seed).predict(test) for teacher, labels in teachers.items()}


# %% tags=["answer", "nbval-ignore-output"]
def mean_auc(judge, teacher):
    """Mean AUC, by the labels of this judge, of the network that has learned from the labels of this teacher."""
    return evaluation.auc_table(judge, learned[teacher], test.patients, replicates=0).loc["mean", "auc"]


kinds = judges and {"by truth": judges.truth, "by mined labels": judges.mined}
square = {
    name: {f"learned from {teacher}": mean_auc(judge, teacher) for teacher in learned} for name, judge in kinds.items()
}
pd.DataFrame(square).round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
best = judges and mean_auc(judges.truth, "truth")
price = judges and {teacher: best - mean_auc(judges.truth, teacher) for teacher in learned}
price = judges and price | {"judging": best - mean_auc(judges.mined, "truth")}
cxr.answer(
    "To be judged. Learning from mined labels costs {price[mined labels]:.3f} of AUC, being judged by them "
    "{price[judging]:.3f}. Where the truth of `valid` chooses, learning from them costs "
    "{price[mined labels, chosen by truth]:.3f}.",
    price=price,
)

# %% [markdown]
# That is one network and one set of mined labels. Now the miner's errors times 0, 1, 2 and 3, five sets each. From each
# set two recipes learned: the frozen network, which has been to school with other pictures, and the small one of lesson
# 03, which starts from scratch. Each set also judged. **Predict:** will the small network forgive errors in its
# training labels as the frozen one does?

# %% tags=["answer"]
plots.auc_by_errors(measured)

# %% tags=["plumbing"]
ways_to_err = {"training": "judging", "judging": "training"}
after = measured.groupby(["recipe", "errors_in_training", "errors_in_judging"])["auc"].mean().unstack("recipe")
kept = (after - 0.5) / (after.loc[0, 0] - 0.5)
cxr.answer(
    "No. Call the distance of the AUC from one half the skill. If it learns from the miner's own errors, the frozen "
    "network keeps {kept[frozen network]:.0%} of its skill, the small one {kept[small network]:.0%}. With three times "
    "the errors it is {three[frozen network]:.0%} and {three[small network]:.0%}, and "
    "{three[frozen network, chosen by truth]:.0%} for the frozen one if the truth of `valid` chooses.",
    kept=kept.loc[1, 0],
    three=kept.loc[3, 0],
)

# %% [markdown]
# Every dot is one training with its own set of labels. (The frozen network has one best answer, so without errors all
# five are the same.) The two sides are of different kinds. On the left the network has become worse. On the right it is
# the same network all along, and only our view of it has become worse: by the largest errors a perfect reader looks
# like a poor one.
#
# Look at the frozen network's dots on the left, at three times the errors. Where labels with errors choose, one
# training falls far below the others; where the truth chooses, none does. Choosing is judging, and it went wrong.
#
# In numbers, means of five:

# %% tags=["answer"]
sides = {f"in {side}": after.xs(0, level=f"errors_in_{other}") for side, other in ways_to_err.items()}
pd.concat(sides, axis=1, names=["errors"]).dropna(axis=1).rename_axis("times").round(3).T

# %% [markdown]
# Errors without a pattern act in training roughly as if there were fewer images (lesson 04 shows what that costs).
# They pull in all directions, and with enough images most of the pulls cancel. The frozen network has images to
# spare, because little is left for it to learn. The small one has none to spare: it was short of images before. With
# many more images networks have learned from labels that are mostly wrong (Rolnick et al. 2017). A test has no such
# remedy: more images with wrong labels make a wrong figure more certain. So if radiologists can read only a few
# hundred images anew, let them read those of the *test* part, and then of `valid`.
#
# If labels err in a pattern that the picture shows, such as a tube that is always called an effusion, a network learns
# the pattern, whatever the number of images. By labels with the same pattern it even looks good.
#
# ## Radiologists against NIH's labels
#
# How large are the errors of a real data set? Radiologists looked at 4,376 of NIH's images again (Majkowska et al.,
# Radiology 2020) and answered four questions on each. NIH's labels answer three of them as well. Where the tables are
# at hand, here are your two shares, with intervals over patients. `kappa` (Cohen 1960) is the agreement beyond that of
# chance: 0 for chance, 1 for perfect. `reader` is the AUC of your perfect reader, who sees what the radiologists see.

# %% tags=["nbval-ignore-output"]
readings = evaluation.published_readings(dataset)
shown = [f"{name}{end}" for name in ("missed", "false", "kappa", "reader") for end in ("", "_low", "_high")]
readings.agreement()[["positives", "labelled", *shown]].T.round(2)

# %% [markdown]
# And a network that others trained on NIH's labels (lesson 05), judged twice: by the radiologists, and by NIH's labels
# of the same images.

# %% tags=["nbval-ignore-output"]
plots.auc_forest(readings.areas(), "A network trained on NIH's labels, NIH's images with readings")

# %% [markdown]
# Where the tables stand above, compare them with the right-hand side of the figure before. Which of the simulator's
# doses comes nearest to NIH's errors? Does the network do better by its own labels or by the radiologists? And does it
# pass the perfect reader by NIH's labels? If so, it knows more than what is there: marked findings get into a report
# more often than faint ones, and a score can follow that.
#
# Two warnings. Radiologists are no truth either: they disagree, and these saw the picture only, while whoever wrote the
# report knew the patient. And the images were not drawn at random (the study weights its own figures for that), so the
# shares hold for these images. A radiologist was among the first to look at NIH's images beside their labels, and
# wrote down what the labels mean and what not (Oakden-Rayner, Academic Radiology 2020).
#
# ## Whom one AUC hides
#
# A label also throws together what differs. A pneumothorax of a few millimetres and one that has collapsed the lung
# carry the same 1. If a network finds the large ones, its AUC can look good while it fails for the small ones, which
# are the ones that somebody overlooks. This is *hidden stratification* (Oakden-Rayner et al., CHIL 2020): kinds of
# patients inside one label, which the label does not name.
#
# To look inside, compare the slight positives alone with all negatives, and the severe ones alone with the *same*
# negatives. `auc_table` leaves out images whose label is unknown (NaN), so all it takes is other labels.
#
# **Exercise 4.** `truth` holds 0 and 1, `chosen` is true for some images, positive or negative ones. Return labels
# with which only the chosen positives are compared with all negatives.


# %%
def labels_of_some(truth, chosen):
    """Labels (images,): 1 for chosen positives, 0 for every negative, NaN for the other positives."""
    ### BEGIN SOLUTION
    return np.where((truth == 1) & ~chosen, np.nan, truth)
    ### END SOLUTION


# %%
labels_of_some = checks.labels_of_some(labels_of_some)

# %% [markdown]
# **Predict:** by how much do the two areas differ, on average? For which findings most?


# %% tags=["answer"]
def areas_of(chosen):
    """AUC table of the main network where only the chosen positives meet the negatives."""
    inside = {one: labels_of_some(judges.truth[one].to_numpy(), chosen[one].to_numpy()) for one in findings}
    return evaluation.auc_table(pd.DataFrame(inside, judges.truth.index), scores, test.patients)


slight, severe = judges and areas_of(judges.severity < 0.5), judges and areas_of(judges.severity >= 0.5)
plots.auc_forest({"slight": slight, "severe": severe}, f"The same negatives, test part, {people} patients")

# %% tags=["plumbing", "nbval-ignore-output"]
gap = (severe["auc"] - slight["auc"]).drop("mean").nlargest(3)
cxr.answer(
    "On average {severe:.3f} for the severe half and {slight:.3f} for the slight half. The AUC of all, {whole:.3f}, "
    "tells of neither. The gaps are widest for {most}. Each half of a finding has few patients, so look at the "
    "intervals before you name one finding. The mean rests on all of them.",
    severe=severe.loc["mean", "auc"],
    slight=slight.loc["mean", "auc"],
    whole=by_truth.loc["mean", "auc"],
    most=", ".join(f"{one.replace('_', ' ')} ({more:+.2f})" for one, more in gap.items()),
)

# %% [markdown]
# Severity is not in any table of a hospital. But other things are: the size of a box, a tube that shows that a
# pneumothorax is treated already, the words "tiny" or "massive" in a report. Ask which of these you have, and look
# inside.
#
# Now the loose end above is tied. Slight findings lose their label more often, *and* the network is less sure of them.
# That is why errors of mined labels are not independent of the score, and why a formula that assumes so is only a first
# guess.
#
# ## "Possibly an infiltrate"
#
# Reports hedge. CheXpert (Irvin et al., AAAI 2019) keeps such labels apart, as *uncertain*, and compares what one can
# do in training: leave them out (U-Ignore), take them for negative (U-Zeros) or for positive (U-Ones). It found that
# none is best for all findings.
#
# What is best must depend on *why* somebody hedges. Two rules, both for the training and validation labels, which are
# the truth otherwise:
#
# - **hedged**: seven in ten slight positives are uncertain, and one in fifty of all other labels. The reader sees
#   something and is careful.
# - **hurried**: one label in ten is uncertain, whatever the image shows. The reader did not look.
#
# **Predict:** under each of the rules, which share of the uncertain labels belongs to images that have the finding?


# %% tags=["answer"]
def uncertain(truth, severity, rule, generator):
    """Which labels are uncertain: a table of truth values, like truth."""
    slight = (truth == 1) & (severity < 0.5)
    chance = np.where(slight, 0.7, 0.02) if rule == "hedged" else 0.1
    return generator.random(truth.shape) < chance


def draw(labels, draw_seed):
    """The uncertain labels under each rule."""
    generator = np.random.default_rng(draw_seed)
    return {rule: uncertain(labels.truth, labels.severity, rule, generator) for rule in ("hedged", "hurried")}


unsure = everything and draw(everything, seed)
positive = {rule: everything.truth.to_numpy()[mask].mean() for rule, mask in unsure.items()}
pd.Series(positive, name="share of the uncertain that has the finding").to_frame().round(2)

# %% tags=["plumbing"]
cxr.answer(
    "{hedged:.0%} if readers hedge, {hurried:.0%} if they are hurried: about the prevalence, {prevalence:.0%}. To take "
    "them for positive is mostly right in the first case, and nearly always wrong in the second.",
    hedged=everything and positive["hedged"],
    hurried=everything and positive["hurried"],
    prevalence=everything.truth.mean().mean(),
)

# %% [markdown]
# Now learn in the three ways, from hedged labels. The truth judges. **Predict:** which way gives the highest AUC? And
# the mean probability that each network gives: will it be the prevalence?

# %%
ways = {"left out": np.nan, "taken for negative": 0.0, "taken for positive": 1.0}
truth = everything.truth.astype("float32")
treated = everything and {way: truth.mask(unsure["hedged"], value) for way, value in ways.items()}
said = {way: cxr.train(frozen, dataset.with_labels(labels), seed=seed).predict(test) for way, labels in treated.items()}
said = everything and said | {"all known": learned["truth"]}

# %% tags=["answer"]
of_ways = {way: evaluation.auc_table(judges.truth, one, test.patients).loc["mean"] for way, one in said.items()}
of_ways = judges and pd.DataFrame(of_ways).T
plots.auc_forest({"mean over the findings": of_ways}, f"Hedged labels in training; test part, {people} patients")

# %% tags=["answer", "nbval-ignore-output"]
told = pd.Series({way: one.mean().mean() for way, one in said.items()}, name="mean probability")
told.to_frame().round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "The areas hardly differ: they go from {low:.3f} to {high:.3f}. The AUC forgives once more. The probabilities do "
    "not: their mean goes from {least:.3f} to {most:.3f}, where {prevalence:.3f} have the finding. Even leaving out "
    "shifts it, because most of what is left out is positive. A threshold on such probabilities is not the one that "
    "you think you have chosen.",
    low=of_ways["auc"].min(),
    high=of_ways["auc"].max(),
    least=everything and told.min(),
    most=everything and told.max(),
    prevalence=judges.truth.mean().mean(),
)

# %% [markdown]
# That is one draw of luck. Both rules, five draws each, on the default data (the same script as above): mean AUC by
# truth with the range of five, and the mean probability.

# %%
five = evaluation.measured("uncertain").groupby(["rule", "way"])
five.agg(auc=("auc", "mean"), low=("auc", "min"), high=("auc", "max"), probability=("mean_probability", "mean")).round(
    3
)

# %% [markdown]
# If readers are hurried, taking for positive costs most, and it pushes the mean probability up: it invents findings. If
# they hedge, the three ways rank nearly alike, but all of them shift the probabilities, two down and one up. Leaving
# out is never far from the best *ranking*, under either rule; it keeps the *probabilities* only if the uncertain labels
# are like the others. No way is right without knowing why a label is uncertain. So look at some of the uncertain
# images before you choose.
#
# And in *testing*? There uncertain labels are often left out, because nobody knows what to compare with. **Predict:**
# the main network, judged by the truth of all test images, and of those only whose labels are not hedged: which AUC is
# higher?

# %% tags=["answer", "nbval-ignore-output"]
unsure_test = judges and draw(judges, seed + 1)
known = {rule: judges.truth.astype("float32").mask(mask) for rule, mask in unsure_test.items()}
sure = {rule: evaluation.auc_table(labels, scores, test.patients).loc["mean"] for rule, labels in known.items()}
sure = judges and pd.DataFrame({"all labels": by_truth.loc["mean"]} | sure).T
sure[["auc", "low", "high"]].astype(float).round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "Without the hedged ones: {hedged:.3f} instead of {whole:.3f}. The hard cases have left the test. Without the "
    "hurried ones, which are of any kind, it is {hurried:.3f}. A test set of certain labels tells how good a "
    "network is where it is needed least.",
    hedged=sure.loc["hedged", "auc"],
    hurried=sure.loc["hurried", "auc"],
    whole=by_truth.loc["mean", "auc"],
)

# %% [markdown]
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** Of the positive labels 70 % are right, of the negative ones 96 %. What AUC does a reader reach who
# always says the truth, judged by these labels?
#
# <details><summary>Answer</summary>
# 0.83. Both labels of a pair are right in 0.70 × 0.96 = 0.672 of the pairs, which the reader wins. One of them is wrong
# in 0.70 × 0.04 + 0.30 × 0.96 = 0.316, and these are ties. So 0.672 + 0.316 / 2 = 0.83.
# </details>
#
# **Question 2.** Two networks have the AUCs 0.90 and 0.84 by truth. The labels have PPV + NPV = 1.5, and their errors
# have nothing to do with the scores. How far apart are the two by these labels?
#
# <details><summary>A. 0.06, because errors in the labels hurt both alike.</summary>
# No. Both come nearer to one half, and so they come nearer to each other.
# </details>
# <details><summary>B. 0.03</summary>
# Right. The distance from one half shrinks by PPV + NPV − 1 = 0.5: the two reach 0.70 and 0.67. The difference is half
# as large, and there are as many patients as before to see it with.
# </details>
# <details><summary>C. 0.09</summary>
# No. Wrong labels blur a difference. On average they never make it larger.
# </details>
# <details><summary>D. Nothing can be said without the prevalence.</summary>
# No. It is in PPV and NPV already. With other prevalences the same miner would have other PPVs.
# </details>
#
# **Question 3.** You have mined labels for 10,000 images, and money for radiologists to read 500 of them anew. You want
# to know how good your network is. Where does the money help most, if the errors follow no pattern?
#
# <details><summary>A. In the training part: better teaching makes a better network.</summary>
# No. It would mend one label in twenty at most, so the network hardly changes. And you would still not know how good it
# is.
# </details>
# <details><summary>B. Spread over all parts, as the images come.</summary>
# No. Then most of the money goes into the training part, which is the largest, and the test keeps most of its errors.
# </details>
# <details><summary>C. Among the images for which network and label disagree.</summary>
# No. That finds errors quickly. But the labels that agree with the network stay unread, so the figure is flattered.
# </details>
# <details><summary>D. In the test part.</summary>
# Right. There each wrong label enters the figure. Read test images drawn at random, and judge by these.
# </details>
#
# **Question 4.** For Pneumothorax a network has the AUC 0.85. Against the same negatives it reaches 0.98 for those with
# a chest tube in place. What follows?
#
# <details><summary>A. It finds pneumothoraces well, because 0.98 is the better estimate.</summary>
# No. Perhaps it finds tubes. Who has one is treated already, and needs no network.
# </details>
# <details><summary>B. For those without a tube its AUC is below 0.85.</summary>
# Right. The AUC of all is the mean of both kinds, weighted by their numbers. If half of them have a tube, it is 0.72
# for the others, and these are the ones who still wait for treatment.
# </details>
# <details><summary>C. The images with a tube should be left out of the training part.</summary>
# No. What the AUC hides is mended by looking at both kinds. Whether training without them helps would have to be
# measured.
# </details>
#
# **Question 5.** In a data set, labels are uncertain where a secretary could not read the dictation. Which treatment
# would you rule out first?
#
# <details><summary>A. Leaving them out.</summary>
# No. The reason has nothing to do with the picture, so those that are left are like those that were there.
# </details>
# <details><summary>B. Taking them for positive.</summary>
# Right. They have the finding as rarely as any image. To call them all positive would invent many findings.
# </details>
# <details><summary>C. Taking them for negative.</summary>
# No. Most of them are negative, so it is wrong for a few only. Leaving out is better still, for the probabilities.
# </details>
#
# ## Key points
#
# - Mined labels say what a report mentions. Count what they miss and what is false, finding by finding.
# - Judged by labels with errors, even a perfect reader ends well below 1. How far is settled by the labels alone.
# - Errors that have nothing to do with the score shrink every distance from one half by the same factor. Real errors
#   sit where the finding is slight, and then the formula is a guess.
# - Learning forgives errors without a pattern, where there are images to spare. Judging never does, and choosing on
#   `valid` is judging. Let experts read the test part first.
# - One AUC is a mean over kinds of patients. Look at the slight ones alone, against the same negatives.
# - Ask why a label is uncertain before you decide what it is. Left out of the test, the hard cases flatter.

# %%
checks.solved()

# %% tags=["nbval-ignore-output", "plumbing"]
three = judges and [by_truth.loc["mean", "auc"], by_mined.loc["mean", "auc"], reader.loc["mean", "auc"]]
told_by = judges and "by truth {:.3f}, by mined labels {:.3f}, perfect reader {:.3f}".format(*three)
cxr.headline(f"mean AUC {told_by or 'by truth: not known here'}, {people} test patients")

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
enough = dataset.knows("simulated_truth") and test.enough(patients=100)
means = {name: table.loc["mean", "auc"] for name, table in both.items()}
cost = after["frozen network"]
lost = 1 - kept.xs(0, level="errors_in_judging").drop(0)
cxr.claims(
    {
        "Slight findings are missed more often than severe ones": (
            enough and counts.loc["slight", "share"] > counts.loc["severe", "share"]
        ),
        "The network's mean AUC by mined labels is lower than that by truth by more than 0.03": (
            enough and means["network, by mined labels"] < means["network, by truth"] - 0.03
        ),
        "A perfect reader stays below 0.95 by mined labels": enough and means["perfect reader, by mined labels"] < 0.95,
        "The correction brings the network's mean AUC nearer to the one by truth": (
            enough
            and abs(corrected["corrected"].mean() - means["network, by truth"])
            < abs(means["network, by mined labels"] - means["network, by truth"])
        ),
        "Learning from mined labels costs the frozen network less than being judged by them": (
            enough and price["mined labels"] < price["judging"]
        ),
        "It costs less than half of that, if true labels choose": (
            enough and price["mined labels, chosen by truth"] < price["judging"] / 2
        ),
        "Over five sets of labels, and up to three times the errors, learning costs less than half of judging": all(
            cost[0, 0] - cost[errors, 0] < (cost[0, 0] - cost[0, errors]) / 2 for errors in (1, 2, 3)
        ),
        "A small network from scratch loses at least twice as large a part of its skill by errors in training": (
            (lost["small network"] > 2 * lost["frozen network"]).all()
        ),
        "Severe findings are told apart better than slight ones, on average": (
            enough and severe.loc["mean", "low"] > slight.loc["mean", "high"]
        ),
        "Leaving hedged labels out of the test raises the AUC, and more than leaving hurried ones out": (
            enough and sure.loc["hedged", "auc"] > max(sure.loc["hurried", "auc"], sure.loc["all labels", "auc"])
        ),
    }
)
