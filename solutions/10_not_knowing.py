# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · Not knowing, and for whom
#
# **Time:** 75 minutes to work through, about a minute to run when the lessons before have trained the networks.
#
# **Questions**
# - How can a network say that it does not know?
# - What does "90 % sure" promise, to whom, and where does the promise break?
# - Who is left over when a network may stay silent?
# - Whom does it miss? Which figure shows that, and which hides it?
# - What has to stand in a report, and what does it cost to look at a test part again and again?
#
# **Objectives.** At the end you can build an ensemble and read its disagreement, make sets of answers that hold what
# they promise, let a network abstain and say who pays, find a group that is missed, and write down what a reader of
# your results needs.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# ## All choices first
#
# This is the last lesson, so it begins with the end. We take the course's main network as lesson 04 has left it. At the
# end it will meet patients whom no lesson has seen. That is worth something only if everything is chosen before: the
# network, its thresholds, and all limits that you are about to compute. They come from `train` and `valid`.

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed).with_images()
findings = list(dataset.findings)
train, valid, test = (dataset.part(name) for name in ("train", "valid", "test"))
valid_labels, truth = (part.table.set_index("image")[findings] for part in (valid, test))
people = len(set(test.patients))
print(f"Test part: {len(test)} images of {people} patients, {len(findings)} findings")

# %%
network = cxr.train(cxr.recipe("lite0-transfer", profile), dataset, seed=seed)
scores_valid, scores = network.predict(valid), network.predict(test)
thresholds = evaluation.choose_thresholds(valid_labels, scores_valid)  # Youden's, lesson 05

# %% [markdown]
# Every image gets one answer for each finding. All shares in this lesson are shares of such answers, and their
# intervals are over patients. A single finding has too few positive answers for most of these questions.

# %%
present, absent = truth == 1, truth == 0
known = present | absent
print(f"{known.sum().sum():,} answers are judged; in {present.sum().sum():,} of them the finding is there.")

# %% [markdown]
# ## Ask several
#
# A network is the result of luck: other random numbers, another network (lesson 03). That can be used. Train the same
# recipe several times and average the probabilities. This is a *deep ensemble* (Lakshminarayanan et al., NeurIPS 2017).
# We take lesson 03's small network, because it is trained in seconds and because it leaves much to be known.
#
# **Exercise 1.** `probabilities` has the shape (members, images, findings). Return two arrays of the shape (images,
# findings): the mean probability, and the *disagreement*, which is the standard deviation (`np.std`) of the members'
# logits. A logit is log(p / (1 − p)).


# %%
def ensemble(probabilities):
    """Mean probability and disagreement of the members. probabilities: (members, images, findings)."""
    ### BEGIN SOLUTION
    logits = np.log(probabilities / (1 - probabilities))
    return probabilities.mean(axis=0), logits.std(axis=0)
    ### END SOLUTION


# %%
ensemble = checks.ensemble(ensemble)

# %%
from dataclasses import replace

small = replace(cxr.recipe("xray-vision", profile), sample_weights=False)
members = [cxr.train(small, dataset, seed=seed + number) for number in range(3)]
said = np.stack([one.predict(test) for one in members]).clip(1e-6, 1 - 1e-6)


# %%
def as_table(values):
    """Values (images, findings) of the test part with their names."""
    return pd.DataFrame(values, truth.index, findings)


together, disagreement = map(as_table, ensemble(said))

# %% [markdown]
# **Predict:** where will the AUC of the mean lie: below the best member, level with it, or above it?

# %% tags=["answer"]
tables = {f"member {number + 1}": as_table(one) for number, one in enumerate(said)} | {"mean of the three": together}
rows = {name: evaluation.auc_table(truth, table, test.patients).loc["mean"] for name, table in tables.items()}
areas = pd.DataFrame(rows).T[["auc", "low", "high"]].astype(float)
plots.auc_forest({"mean AUC over the findings": areas}, f"Test part, {people} patients")

# %% tags=["plumbing", "nbval-ignore-output"]
alone, mean = areas["auc"].iloc[:-1], areas["auc"].iloc[-1]
cxr.answer(
    "The members have {members}, the mean of the three {mean:.3f}. Each member has learned the findings, and each has "
    "learned accidents of its own. The accidents cancel, the findings do not.",
    members=", ".join(f"{one:.3f}" for one in alone),
    mean=mean,
)

# %% [markdown]
# Three trainings are one ensemble, and one ensemble is luck again. Here are ten trainings on the default data, put
# together in ensembles that share no member (`benchmarks/measure_ensembles.py` does it again). `gain` is the AUC of the
# ensemble less the average AUC of its members; `least` is the smallest gain of this size; `above best` counts the
# ensembles that beat the best of their own members.

# %%
measured = evaluation.measured("ensembles").query("size > 1").eval("gain = auc - members_auc")
by_size = measured.groupby("size").agg(
    ensembles=("gain", "size"), auc=("auc", "mean"), gain=("gain", "mean"), least=("gain", "min")
)
above_best = (measured["auc"] > measured["best_member_auc"]).groupby(measured["size"]).sum()
by_size.assign(**{"above best": above_best}).round(3)

# %% [markdown]
# The second member brings most, and each further one less. The price is the computing time, which grows with every
# member.
#
# For the Brier score (the mean squared distance between probability and truth) there is even a law, and no luck in it:
# the ensemble's error is the average error of the members *less* the variance among them (Krogh and Vedelsby 1995).

# %%
error = np.nanmean((said - truth.to_numpy(float)) ** 2)
error_together = np.nanmean((together - truth) ** 2)
spread = np.nanmean(np.where(known, said.var(axis=0), np.nan))
cxr.identity("The ensemble's Brier score is its members' average less their variance", error_together, error - spread)

# %% [markdown]
# ## Does disagreement show what they do not know?
#
# It is tempting to trust an answer on which all members agree. So call a finding where the mean probability is at least
# 10 % (one patient found is worth nine false alarms, lesson 05), and ask how well the disagreement tells wrong calls
# from right ones. 0.5 is a coin. Beside it stand the spread of the probabilities themselves, and two signs that need a
# single network: how near the probability is to the threshold (on the scale of logits), and the probability itself.
# **Predict:** which of the four tells the errors best?


# %% tags=["answer"]
def log_odds(probability):
    """The logit of a probability."""
    return np.log(probability / (1 - probability))


wrong = ((together >= 0.1) != present).where(known).astype(float)
signs = {
    "disagreement (of logits)": disagreement,
    "spread of probabilities": as_table(said.std(axis=0)),
    "nearness to the threshold": -(as_table(log_odds(together)) - log_odds(0.1)).abs(),
    "mean probability": together,
}
rows = {name: evaluation.auc_table(wrong, table, test.patients).loc["mean"] for name, table in signs.items()}
telling = pd.DataFrame(rows).T[["auc", "low", "high"]].astype(float)
plots.auc_forest({"how well it tells wrong calls": telling}, f"Test part, {people} patients")

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "The mean probability ({probability:.2f}), because most wrong calls are false alarms, and false alarms have a high "
    "probability. The spread of probabilities ({spread:.2f}) only repeats this: near 0 there is no room for a spread. "
    "On the scale of logits, where there is room everywhere, {logits:.2f} is left, and nearness to the threshold, for "
    "which one network is enough, has {near:.2f}. These members are mostly wrong together.",
    near=telling.loc["nearness to the threshold", "auc"],
    probability=telling.loc["mean probability", "auc"],
    spread=telling.loc["spread of probabilities", "auc"],
    logits=telling.loc["disagreement (of logits)", "auc"],
)

# %% [markdown]
# So on patients like those of the training, agreement is no proof. There is another kind of not knowing: pictures
# unlike all that the network has learned from. Lesson 09 has a second hospital, whose machines take and process
# pictures in another way. We show its images to the same three members and take the mean disagreement of each image.
# (The parts of that collection do not matter here; all its images are new. `county and ...` leaves a cell out where
# there is no second hospital, and says so.) **Predict:** how well does the
# disagreement of one image tell from which hospital it is?

# %%
simulated = cxr.given(data == "phantom", "Other patients can be drawn for the course's own phantom only.")
county = simulated and cxr.open_dataset("phantom-county", profile=profile, seed=seed)

# %% tags=["answer", "nbval-ignore-output"]
abroad = county and np.stack([one.predict(county) for one in members]).clip(1e-6, 1 - 1e-6)
unsure = {"at home": disagreement.mean(axis=1), "at the other hospital": county and ensemble(abroad)[1].mean(axis=1)}
hospital = county and np.repeat([0, 1], [len(test), len(county)])
strangers = county and evaluation.roc_auc(hospital, np.concatenate([*unsure.values()]))
county and pd.DataFrame({"mean disagreement": {place: values.mean() for place, values in unsure.items()}}).round(2)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "With an AUC of {auc:.2f}. Nobody has trained it for that. What the members have learned alike holds where they "
    "have learned; elsewhere each goes its own way. Disagreement is a poor judge of single answers, and a good smoke "
    "alarm for pictures of a kind that the network has never met.",
    auc=strangers,
)

# %% [markdown]
# ## A set instead of an answer
#
# Back to the main network. Somebody asks: "Give me answers that are right nine times in ten." There is a simple way
# that needs no belief in the probabilities, called *conformal prediction* (Vovk et al. 2005). The network answers with
# a *set*: {present}, {absent}, both ("I do not know"), or none ("neither fits").
#
# How strange is a label? One minus the probability that the network gives to it. On `valid` we know the labels, so we
# know how strange true labels are. Put into the set of a new image every label that is not stranger than nearly all
# of these.
#
# If the new image is a patient like those of `valid`, then its own strangeness is equally likely to take each place
# among the n others: the smallest, the second, ..., the largest of n + 1. So the limit stands at place (n + 1)(1 −
# error), rounded up, counted from the smallest. Because of the "+ 1" the promise holds for few images too.
#
# **Exercise 2.** Return that limit. Where n is so small that there is no such place, every label has to be accepted:
# return `np.inf`.


# %%
def conformal_limit(scores, error):
    """The score at place (n + 1)(1 - error), rounded up, of scores (n,); np.inf where there is no such place."""
    ### BEGIN SOLUTION
    place = int(np.ceil((len(scores) + 1) * (1 - error)))
    return np.sort(scores)[place - 1] if place <= len(scores) else np.inf
    ### END SOLUTION


# %%
conformal_limit = checks.conformal_limit(conformal_limit)

# %% [markdown]
# One question is open: among *which* images of `valid`? Among all of them gives one limit for both labels, and the
# promise is for all answers together (*marginal*). Or take the limit for "present" from the positive images alone, and
# that for "absent" from the negative ones (*by class*, also called Mondrian). We do both for each finding.


# %%
def strangeness(labels, probability):
    """One minus the probability that is given to each label, (images, findings)."""
    return (1 - probability).where(labels == 1, probability).where(labels.notna())


def limits(labels, probability, by_class, error=0.1):
    """How strange a label may be: a row a label, a column a finding."""
    strange, rows = strangeness(labels, probability), {}
    for label, name in ((1, "present"), (0, "absent")):
        counted = labels == label if by_class else labels.notna()
        rows[name] = {one: conformal_limit(strange.loc[counted[one], one].to_numpy(), error) for one in findings}
    return pd.DataFrame(rows).T


chosen = {
    "one limit": limits(valid_labels, scores_valid, by_class=False),
    "a limit by class": limits(valid_labels, scores_valid, by_class=True),
}

# %%
whose = {"all answers": known, "where it is present": present, "where it is absent": absent}


def inside(probability, limit):
    """Which labels are in the set: "present" and "absent", each (images, findings)."""
    return {"present": 1 - probability <= limit.loc["present"], "absent": probability <= limit.loc["absent"]}


def covered(labels, probability, limit):
    """Whether the set holds the true label, (images, findings)."""
    sets = inside(probability, limit)
    return sets["present"].where(labels == 1, sets["absent"])


# %% [markdown]
# **Predict:** both ways promise 90 %. How often will the true label be in the set where the finding is present?

# %% tags=["answer"]
coverage = {
    name: evaluation.share_table(covered(truth, scores, limit), whose, test.patients) for name, limit in chosen.items()
}
what = "share of answers whose set holds the truth"
plots.share_forest(coverage, what, f"Test part, {people} patients", promised=0.9)

# %% tags=["plumbing", "nbval-ignore-output"]
one_limit, by_class = (table["share"] for table in coverage.values())
cxr.answer(
    "With one limit: {one:.0%}, although of all answers {all:.0%} are covered, as promised. Most answers are about "
    "findings that are absent, so the promise is kept among the healthy and broken where it matters. With a limit by "
    "class it is {two:.0%}.",
    one=one_limit["where it is present"],
    all=one_limit["all answers"],
    two=by_class["where it is present"],
)

# %% [markdown]
# What does the limit by class cost? It rests on few images, and where they are too few it accepts every label. Count
# that, and the kinds of sets:

# %%
few, without_limit = (valid_labels == 1).sum(), np.isinf(chosen["a limit by class"].loc["present"]).sum()
print(f"Limits for 'present' rest on {few.min()} to {few.max()} images each; {without_limit} accept every label.")

# %% tags=["nbval-ignore-output"]
names = {0: "none", 1: "{present}", 2: "{absent}", 3: "both"}
kinds = {
    name: (sets["present"] + 2 * sets["absent"]).stack().map(names).value_counts(normalize=True)
    for name, sets in ((name, inside(scores, limit)) for name, limit in chosen.items())
}
pd.DataFrame(kinds).reindex(names.values()).fillna(0).round(3)

# %% [markdown]
# What does that look like for one patient? Here is the first test image on which anything is present, with the
# commonest findings:

# %% tags=["nbval-ignore-output"]
patient = present.index[present.any(axis=1).to_numpy().argmax()]
one_image = pd.DataFrame({"true label": truth.loc[patient], "probability": scores.loc[patient].round(3)})
for name, limit in chosen.items():
    sets = inside(scores, limit)
    one_image[name] = (sets["present"] + 2 * sets["absent"]).loc[patient].map(names)
one_image.loc[present.sum().nlargest(6).index]

# %% [markdown]
# "Both" means "I do not know", and it has to be said often, in part because the limits rest on so few images. A promise
# for the rare label is paid with many sets that say nothing. Whoever shows you sets, or intervals, with a coverage of
# 90 %: ask, *among whom?*
#
# ## Where the promise breaks
#
# The whole argument rests on one sentence: the new image could change places with any of the old ones, and nobody would
# notice. This is called *exchangeability*, and it is all that conformal prediction asks for. Two things break it here.
#
# - The labels of `valid` imitate a program that reads reports, and some are wrong. Those of `test` are the truth. A
#   false "present" on `valid` looks very strange to a good network, and the limit has to make room for it.
# - At another hospital the pictures are others.
#
# (The promise is one on average over all parts `valid` that could have been drawn. With as few patients as here, a
# single part can be off by some percent in either direction. And `valid` is no part like any other: it has chosen the
# epoch.)
#
# Where the truth behind the labels of `valid` is known, and a second hospital is at hand, both can be measured, with
# limits by class. **Predict:** will true labels on `valid` make the coverage larger or smaller? And the other hospital?

# %% tags=["answer"]
has_truth = dataset.knows("simulated_truth")
valid_truth = has_truth and valid.truth().set_index("image")[findings]
honest = has_truth and limits(valid_truth, scores_valid, by_class=True)
from_truth = has_truth and evaluation.share_table(covered(truth, scores, honest), whose, test.patients)
county_truth = county and county.truth().set_index("image")[findings]
county_scores = county and network.predict(county)
there = county and {
    "all answers": county_truth.notna(),
    "where it is present": county_truth == 1,
    "where it is absent": county_truth == 0,
}
away = county and evaluation.share_table(
    covered(county_truth, county_scores, chosen["a limit by class"]), there, county.patients
)
breaks = {"labels of reports": coverage["a limit by class"], "true labels": from_truth, "the other hospital": away}
plots.share_forest(breaks, what, "Limits by class", promised=0.9)

# %% tags=["plumbing", "nbval-ignore-output"]
abroad_area = county and evaluation.auc_table(county_truth, county_scores, county.patients).loc["mean"]
at_home = evaluation.auc_table(truth, scores, test.patients).loc["mean"]
unknown_by = {
    name: has_truth and (one["present"] & one["absent"]).mean().mean()
    for name, one in {
        "mined": inside(scores, chosen["a limit by class"]),
        "true": has_truth and inside(scores, honest),
    }.items()
}
cxr.answer(
    "True labels bring the coverage where a finding is present from {mined:.0%} to {true:.0%}, and fewer sets say "
    "nothing ({both[true]:.0%} in place of {both[mined]:.0%}). Wrong labels have "
    "made the network look worse than it is. At the other hospital {away:.0%} of all answers are covered in place of "
    "90 %, and that is the dangerous direction. The mean AUC there is {area:.3f}, at home {home:.3f}.",
    mined=coverage["a limit by class"].loc["where it is present", "share"],
    true=has_truth and from_truth.loc["where it is present", "share"],
    both=unknown_by,
    away=county and away.loc["all answers", "share"],
    area=county and abroad_area["auc"],
    home=at_home["auc"],
)

# %% [markdown]
# A limit is a number on the scale of the probabilities, and at the other hospital this scale has moved. An AUC does not
# see that: it looks at the order only. A promise like "nine in ten" has to be made anew for each place, with patients
# of that place.
#
# ## Silence
#
# A network may also stay silent: it answers where it is sure, and sends the others to a human. How sure it is shows in
# the distance of its probability from one half. The more it sends, the fewer errors are left. That is how such systems
# are sold.
#
# **Exercise 3.** Return which images get an answer: a mask that is true for the given share of the images, those whose
# probability lies farthest from one half. (`round(share * n)` images; no two are equally sure.)


# %%
def answered(probability, share):
    """Mask (images,): true for the surest share of the images. probability: (images,)."""
    ### BEGIN SOLUTION
    surest_first = np.argsort(-np.abs(probability - 0.5))
    mask = np.zeros(len(probability), dtype=bool)
    mask[surest_first[: round(share * len(probability))]] = True
    return mask
    ### END SOLUTION


# %%
answered = checks.answered(answered)


# %%
def given_answers(share):
    """Which answers are given when each finding is left to a human in all but the surest share of images."""
    return np.column_stack([answered(scores[one].to_numpy(), share) for one in findings])


def what_is_left(share):
    """Errors among the answers given, which share of the positives is among them, and how many of those are missed."""
    given, missed = given_answers(share), present & (scores < 0.5)
    errors = ((scores >= 0.5) != present) & known & given
    return {
        "errors among the answers given": errors.sum().sum() / (known & given).sum().sum(),
        "positives that get an answer": (present & given).sum().sum() / present.sum().sum(),
        "of those: missed": (missed & given).sum().sum() / (present & given).sum().sum(),
    }


# %% [markdown]
# Here a call needs a probability of at least one half. **Predict:** what happens to the errors among the answers when
# the least sure tenth is left out? And who is in that tenth?

# %% tags=["answer"]
kept = np.linspace(1, 0.5, 11).round(2)
curve = pd.DataFrame({share: what_is_left(share) for share in kept}).T
plots.silence(curve, f"Test part, {people} patients")

# %% tags=["plumbing", "nbval-ignore-output"]
full, tenth = curve.loc[1.0], curve.loc[0.9]
given = given_answers(0.9)
cxr.answer(
    "The share of errors falls from {before:.1%} to {after:.1%}. In the tenth that is left out the finding is present "
    "in {sent:.0%} of the answers, in all others in {stay:.1%}: {gone:.0%} of the positives go to a human. That is "
    "good for them, and it is where the errors have gone. Of the positives that still get an answer {missed:.0%} are "
    "missed, and these are answers of which the network is sure.",
    before=full.iloc[0],
    after=tenth.iloc[0],
    sent=(present & ~given).sum().sum() / (known & ~given).sum().sum(),
    stay=(present & given).sum().sum() / (known & given).sum().sum(),
    gone=1 - tenth["positives that get an answer"],
    missed=tenth["of those: missed"],
)

# %% [markdown]
# A low share of errors among the answers given therefore says little: these answers are nearly all about people who do
# not have the finding, and "no" would have been right about nearly all of them. Report beside it who was sent away, and
# how many of the positives among the rest were missed.
#
# There is a second price. **Predict:** each finding is left to a human in a tenth of the images. In how many images has
# a human to look at *something*?

# %% tags=["plumbing", "nbval-ignore-output"]
touched = (~given).any(axis=1).mean()
cxr.answer(
    "{touched:.0%}, because each image is asked {questions} questions. Were the doubts about different findings "
    "independent, it would be {free:.0%}, which is 1 less 0.9 to the power of {questions}.",
    touched=touched,
    questions=len(findings),
    free=1 - 0.9 ** len(findings),
)

# %% [markdown]
# ## For whom?
#
# Seyyed-Kalantari et al. (Nature Medicine 2021) looked at whom such networks *miss*. Women, the young, Black patients
# and the poor were more often declared healthy although they had something. One cause may be in the labels: a group
# that is under-diagnosed in the reports is under-diagnosed by whatever learns from them.
#
# In a simulated world we can do it on purpose. In a copy of the data set 70 % of the women's positive labels are
# missed, in `train` and in `valid`. The pictures are the same, and so are the labels of `test`. A head on the frozen
# network (lesson 04) learns once from each of the two. A call needs a probability of 10 %, for everybody: *one*
# threshold.

# %%
sexes = cxr.given(dataset.knows("sex") and test.table["sex"].nunique() > 1, "Women and men are not both known here.")
women = sexes and (dataset.table["sex"] == "F").to_numpy()
harmed = sexes and dataset.with_missed(women, 0.7, seed)
learned_from = {"labels as they are": dataset, "women's labels missed": harmed}
head = cxr.recipe("lite0-head", profile)
heard = {name: one and cxr.train(head, one, seed).predict(test) for name, one in learned_from.items()}

# %% [markdown]
# **Exercise 4.** `present` and `called` are truth values (images, findings), `group` is a mask of images. Return two
# shares, over all findings together: of what the group *has*, how much is not called (the *miss rate*), and of what it
# does *not* have, how much is called (the *false alarm rate*).


# %%
def group_rates(present, called, group):
    """Miss rate and false alarm rate of a group. present, called: (images, findings); group: (images,), all bool."""
    ### BEGIN SOLUTION
    has, calls = present[group], called[group]
    return 1 - calls[has].mean(), calls[~has].mean()
    ### END SOLUTION


# %%
group_rates = checks.group_rates(group_rates)

# %% [markdown]
# **Predict:** the men's labels are untouched. What will happen to the miss rate of the women, and of the men?

# %% tags=["answer", "nbval-ignore-output"]
groups = sexes and {"women": (test.table["sex"] == "F").to_numpy(), "men": (test.table["sex"] == "M").to_numpy()}
rates = {
    (group, name): sexes and group_rates(present.to_numpy(), (table >= 0.1).to_numpy(), groups[group])
    for group in ("women", "men")
    for name, table in heard.items()
}
sexes and pd.DataFrame(rates, index=["miss rate", "false alarm rate"]).T.round(3)

# %% [markdown]
# With intervals over patients. Each row counts the positive answers of a group:

# %% tags=["answer"]
theirs = sexes and {one: present & groups[one][:, np.newaxis] for one in ("women", "men")}
misses = {name: sexes and evaluation.share_table(table < 0.1, theirs, test.patients) for name, table in heard.items()}
plots.share_forest(misses, "share of positives that are missed", f"Test part, {people} patients")

# %%
yours = sexes and [rates[group, name][0] for name in heard for group in groups]
shown = sexes and pd.concat(misses)["share"]
sexes and cxr.identity("Your miss rates are those of the figure", yours, shown)

# %% tags=["plumbing", "nbval-ignore-output"]
before, after = heard.values()
rise = sexes and evaluation.share_table(after < 0.1, theirs, test.patients, less=before < 0.1)
cxr.answer(
    "The women's rises by {women:.2f} (95 % interval {w_low:.2f} to {w_high:.2f}), the men's by {men:.2f} ({m_low:.2f} "
    "to {m_high:.2f}), on the same patients. Nobody told the network who is a woman. It sees it in the picture, and it "
    "has learned that women have less. It cannot separate the two cleanly, so men pay too. And look at the false "
    "alarms: they fall. Whoever counts only those sees an improvement.",
    women=sexes and rise.loc["women", "difference"],
    men=sexes and rise.loc["men", "difference"],
    w_low=sexes and rise.loc["women", "low"],
    w_high=sexes and rise.loc["women", "high"],
    m_low=sexes and rise.loc["men", "low"],
    m_high=sexes and rise.loc["men", "high"],
)

# %% [markdown]
# Which figure would have shown it to somebody who does not know what was done? There are three candidates, each by
# group: the AUC, the miss rate, and *calibration*, the mean probability beside the share that has the finding. The
# last column is for those whose *test* labels come from the same reports, so that 70 % of what the women have is
# missed in them as well. **Predict:** which of the three tells?

# %%
overlooked = sexes and np.random.default_rng(seed).random(truth.shape) < 0.7
noted = sexes and present & ~(overlooked & groups["women"][:, np.newaxis])


def seen_by(table, group):
    """AUC, miss rate, mean probability and the shares that have a finding, truly and by the reports, of a group."""
    own = groups[group]
    area = evaluation.auc_table(truth[own], table[own], test.patients[own]).loc["mean", ["auc", "low", "high"]]
    return {
        **area,
        "positives": present[own].sum().sum(),
        "miss rate": (table[own] < 0.1).to_numpy()[present[own]].mean(),
        "mean probability": table[own].mean().mean(),
        "have it": present[own].mean().mean(),
        "by the reports": noted[own].mean().mean(),
    }


# %% tags=["answer", "nbval-ignore-output"]
views = sexes and {(one, name): seen_by(table, one) for one in groups for name, table in heard.items()}
views = sexes and pd.DataFrame(views).T.astype(float)
sexes and views.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
hers_before, hers_after = (sexes and views.loc[("women", name)] for name in heard)
cxr.answer(
    "Not the AUC: {was[auc]:.3f} before, and now {now[auc]:.3f} ({now[low]:.3f} to {now[high]:.3f}). It compares women "
    "with women, and does not see where all of them stand on the scale. The miss rate tells: {was[miss rate]:.0%} and "
    "{now[miss rate]:.0%}. Calibration tells as well: the mean probability is {now[mean probability]:.1%}, where "
    "{now[have it]:.1%} have the finding. But set it beside the reports, which have {now[by the reports]:.1%}, and the "
    "harm is out of sight.",
    was=hers_before,
    now=hers_after,
)

# %% [markdown]
# So by labels that are wrong in the same way a network can look well calibrated, or even too bold, about the group that
# it misses. Whoever recalibrates by such labels makes it worse. In the simulator the labels were missed at random, so
# the miss rate among those that are left is still right. In life the slight cases are missed first, and then this sign
# is gone as well. Somebody has to look at the pictures again.
#
# Could one give the women a threshold of their own? Take it from `valid`, such that of the women's labels as large a
# share is called as of the men's at 10 %. **Predict:** what will it cost? The rates above are what to compare with.

# %%
on_valid = sexes and cxr.train(head, harmed, seed).predict(valid).to_numpy()
labelled = sexes and (harmed.part("valid").table[findings] == 1).to_numpy()
hers = sexes and (valid.table["sex"] == "F").to_numpy()
counts = sexes and {"women": labelled[hers].sum(), "men": labelled[~hers].sum()}
several = sexes and cxr.given(min(counts.values()) >= 10, "Too few labels are left on valid.")

# %% tags=["answer", "nbval-ignore-output"]
called_of_men = several and (on_valid[~hers] >= 0.1)[labelled[~hers]].mean()
lower = several and np.quantile(on_valid[hers][labelled[hers]], 1 - called_of_men)
own_line = several and np.where(groups["women"], lower, 0.1)[:, np.newaxis]
moved = {one: several and group_rates(present.to_numpy(), after.to_numpy() >= own_line, groups[one]) for one in theirs}
several and pd.DataFrame(moved, index=["miss rate", "false alarm rate"]).T.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
was, now = rates["women", "women's labels missed"], several and moved["women"]
cxr.answer(
    "The women's miss rate goes from {was:.0%} to {now:.0%}, and their false alarm rate from {alarms:.1%} to "
    "{more:.1%}. One must know who is harmed, one must know everybody's sex, and the threshold rests on {few} labels. "
    "With so few it may do next to nothing, or too much. Only better labels take the harm away. And whether people "
    "should have different thresholds is no question of statistics.",
    was=was[0],
    now=now[0],
    alarms=was[1],
    more=now[1],
    few=sexes and counts["women"],
)

# %% [markdown]
# ## The report
#
# CLAIM (Mongan et al., Radiology: AI 2020, updated in 2024) and TRIPOD+AI (Collins et al., BMJ 2024) list what a paper
# on such a network has to say, so that a reader can judge it. Most of it can be computed, and then it should be: a
# figure that is typed is sooner or later wrong. The following table comes from this run, but for what we tell it about
# the other lessons. Where a run cannot know something, it says so; those are the lines that you have to write.

# %% tags=["nbval-ignore-output"]
told = {"how_often_the_test_part_was_looked_at": "in every lesson from 02 on"}
told["external_validation"] = county and (
    f"another hospital, {len(set(county.patients))} patients: mean AUC {abroad_area['auc']:.3f} "
    f"({abroad_area['low']:.3f} to {abroad_area['high']:.3f})"
)
report = evaluation.checklist(network, dataset, scores, thresholds, **told)
print("\n".join(f"{item}: {told}" for item, told in report.items()))

# %% [markdown]
# `report.to_csv("report.csv")` writes it to a file. Try it with your own network, and count what you cannot fill in.
#
# ## The last look
#
# Every lesson from 02 on has scored this test part, most of them several times. Nobody trained on it. But somebody
# looked, compared, and went on with what looked best. What does that cost? Take the ten trainings of the same recipe
# once more. None is truly better by design. For each finding choose the training that is best on the test part, and
# ask how the same training does on fresh patients of the same hospital. **Predict:** how much of the lead is left?

# %% tags=["answer"]
ten = evaluation.measured("fresh").query("finding != 'mean'")
best = ten.loc[ten.groupby("finding")["test"].idxmax()].set_index("finding")
average = ten.groupby("finding")[["test", "later"]].mean()
luck = pd.DataFrame({"best of ten": best[["test", "later"]].mean(), "average of ten": average.mean()}).T
luck.rename(columns={"test": "on the test part", "later": "on fresh patients"}).round(3)

# %% tags=["plumbing"]
lead, left = luck.diff().iloc[1].abs()
worst = (best["test"] - best["later"]).idxmax()
cxr.answer(
    "As a mean over the findings, the best of ten was ahead by {lead:.3f} on the part where it was chosen, and by "
    "{left:.3f} on fresh patients. For {worst} it promised {test:.2f} and found {later:.2f}. Ten looks are enough for "
    "that, and where positives are few the luck is greatest.",
    lead=lead,
    left=left,
    worst=worst,
    test=best.loc[worst, "test"],
    later=best.loc[worst, "later"],
)

# %% [markdown]
# So a test part wears out by being looked at. The cure is simple and hard: lock a part away, and open it once, at the
# end. The simulator has kept patients back for you. They are of the same hospital, no lesson has seen them, and the
# truth about them is known. Network, thresholds and limits stand since the beginning of this lesson. **Predict:** will
# the main network's mean AUC on them lie inside the interval of the test part?

# %%
later = simulated and cxr.open_dataset("phantom-later", profile=profile, seed=seed)
fresh_truth = later and later.truth().set_index("image")[findings]
fresh = later and network.predict(later)
later


# %%
def promises(labels, probability, patients):
    """The mean AUC, the calls at the thresholds, and the coverage of the sets, with intervals: a row each."""
    area = evaluation.auc_table(labels, probability, patients).loc[["mean"], ["auc", "low", "high"]]
    right = (probability >= thresholds) == (labels == 1)
    calls = evaluation.share_table(right, {"sensitivity": labels == 1, "specificity": labels == 0}, patients)
    held = covered(labels, probability, chosen["a limit by class"])
    sets = evaluation.share_table(held, {"coverage": labels.notna()}, patients)
    return pd.concat([area.set_axis(["mean AUC"]).rename(columns={"auc": "share"}), calls, sets])


promised = promises(truth, scores, test.patients)

# %% tags=["answer"]
kept_to = later and promises(fresh_truth, fresh, later.patients)
plots.share_forest({"test part": promised, "fresh patients": kept_to}, "AUC, or share of the answers", "The last look")

# %% tags=["answer", "nbval-ignore-output"]
columns = ["share", "low", "high"]
later and pd.concat({"test part": promised[columns], "fresh patients": kept_to[columns]}, axis=1).astype(float).round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
old, new = promised.loc["mean AUC"], later and kept_to.loc["mean AUC"]
cxr.answer(
    "On the test part it was {old[share]:.3f} ({old[low]:.3f} to {old[high]:.3f}), on fresh patients {new:.3f} "
    "({low:.3f} to {high:.3f}). If you expected it to lie inside for certain: the interval of the test part is meant "
    "to hold the AUC in all patients of this hospital. Another sample has luck of its own, so its AUC falls outside "
    "more often than one time in twenty, although nothing is wrong.",
    old=old,
    new=later and new["share"],
    low=later and new["low"],
    high=later and new["high"],
)

# %% [markdown]
# The course's own network was chosen long before this lesson, by a few decisions that were made on `valid`. Most of the
# thirty looks chose nothing, so there was little to lose. On real data nobody draws fresh patients for you. Lock a part
# away before you begin: the newest patients, or another hospital. Open it once. Whatever you change afterwards needs
# another one.
#
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** You have 19 positive images on `valid` and want sets that hold the label "present" with 90 %
# probability. The strangeness of the 19 is sorted from small to large. At which place does the limit stand?
#
# <details><summary>Answer</summary>
# 18. (19 + 1) x 0.9 = 18. With 8 images it would be (8 + 1) x 0.9 = 8.1, rounded up 9, and there is no ninth: then
# every label has to be accepted.
# </details>
#
# **Question 2.** A firm reports that the prediction sets of its network hold the truth in 95 % of the answers. 5 % of
# the answers are about patients who have the disease. What may be true?
#
# <details><summary>A. At least 90 % of the ill are covered, or the 95 % could not be reached.</summary>
# No. Do the sum: if all of the healthy are covered, they alone make 95 % of the answers.
# </details>
# <details><summary>B. Not one of the ill is covered.</summary>
# Right. A program that always says {absent} covers all of the healthy, which is 95 % of the answers, and none of the
# ill. Ask for the coverage among the ill.
# </details>
# <details><summary>C. 95 % of the ill are covered, because that is what was promised.</summary>
# No. The promise was for all answers together. It says nothing about a part of them.
# </details>
#
# **Question 3.** A network stays silent about the least sure fifth of the images. Among the others it is wrong half as
# often as before. The disease is rare. What do you conclude?
#
# <details><summary>A. On the images that it answers it has become a better network.</summary>
# No. Not one probability has changed. Others are counted, that is all.
# </details>
# <details><summary>B. The ill are now found more often.</summary>
# No. The share of errors also falls when the ill are no longer among those who get an answer. How many of the ill who
# are left are missed has to be counted by itself.
# </details>
# <details><summary>C. One must ask who is in that fifth.</summary>
# Right. If most of the ill are in it, that may be just what you want, and then humans do the difficult work. It can
# also be that those who stay are missed with great sureness. The share of errors does not tell the two apart.
# </details>
#
# **Question 4.** In a hospital the reports overlook a disease in old patients more often than in young ones. A network
# was trained on these reports and is tested on them. Its AUC is the same in both groups, and in both the mean
# probability is equal to the share of positive labels. What do you know about the old?
#
# <details><summary>A. They are not missed more often: AUC and calibration are equal.</summary>
# No. The AUC compares old patients with old ones and does not see where they stand on the scale. The calibration was
# judged by the labels that are wrong.
# </details>
# <details><summary>B. They are missed more often, and a lower threshold for them is the answer.</summary>
# No. It is likely, but these figures cannot show it, and nobody can tell from such labels how much lower it should be.
# </details>
# <details><summary>C. Nothing yet. It takes other labels, such as a second reading of a sample.</summary>
# Right. What is wrong in the same way in training and in testing cannot be seen from inside. Somebody has to look at
# some of the pictures again.
# </details>
#
# **Question 5.** A team compares twenty networks on its test part, writes a paper about the best one, and reports its
# AUC with a 95 % interval over patients, all from this test part. What is wrong?
#
# <details><summary>A. The interval should be over images.</summary>
# No. Over patients is right. An interval over images would be too narrow on top of it.
# </details>
# <details><summary>B. The AUC is that of the luckiest of twenty, and the interval does not know that.</summary>
# Right. The interval says how far one network's figure depends on the patients. It does not count that nineteen others
# were looked at. The network has to be chosen on `valid`, or judged once on patients whom nobody has looked at.
# </details>
# <details><summary>C. Nothing, as long as no network was trained on the test part.</summary>
# No. Choosing is learning too. The part has told the team which network to take.
# </details>
# <details><summary>D. Twenty networks are too few.</summary>
# No. With more of them the best one would be luckier still.
# </details>
#
# ## Key points
#
# - The mean of several trainings is better than its members on average. Their disagreement is a smoke alarm for strange
#   pictures, and a poor judge of single answers.
# - A set of answers keeps its promise for those over whom it was made. For a rare finding, make it by class, and accept
#   "I do not know".
# - The promise needs patients who could change places. Another hospital breaks it, and an AUC does not show it.
# - When a network may stay silent, report who was sent away and who is missed among the rest.
# - What is missed in the labels of a group is missed by the network. AUC by group does not see it; miss rates and
#   calibration do, if the labels that judge are better than those that taught.
# - Compute your report. Lock a part away. Look once.

# %%
checks.solved()

# %% tags=["nbval-ignore-output", "plumbing"]
ours = f"mean AUC {old['share']:.3f} ({old['low']:.3f} to {old['high']:.3f}), {people} test patients"
theirs_too = later and f"{new['share']:.3f} on {len(set(later.patients))} fresh ones"
cxr.headline(f"{ours}; {theirs_too}")

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
enough = test.enough(patients=100)
rare = cxr.given(truth.mean().mean() < 0.25, "the findings are not rare in this data set") and enough
taught = enough and cxr.given(len(set(train.patients)) >= 500, "fewer than 500 patients do not teach fourteen findings")
able = rare and taught and dataset.knows("several_findings")
judged = able and dataset.knows("simulated_truth")  # by better labels than those that taught
missed_more = judged and sexes and rise["difference"]
cxr.claims(
    {
        "The mean of three trainings has a higher AUC than its members have on average": (
            able and areas["auc"].iloc[-1] > areas["auc"].iloc[:-1].mean()
        ),
        "Its members disagree more about pictures of another hospital": county and able and strangers > 0.75,
        "With one limit for both labels, positives are covered less often than promised, by more than the interval": (
            able and coverage["one limit"].loc["where it is present", "high"] < 0.9
        ),
        "With a limit by class, more of the positives are covered": (
            able and by_class["where it is present"] > one_limit["where it is present"] + 0.2
        ),
        "At another hospital fewer answers are covered than promised, by more than the interval": (
            county and able and away.loc["all answers", "high"] < 0.9
        ),
        "Leaving out the least sure tenth of the answers takes away a quarter of the errors or more": (
            able and tenth.iloc[0] < 0.75 * full.iloc[0]
        ),
        "Where women's labels are missed, the women's miss rate rises by more than the men's": (
            judged and sexes and missed_more["women"] > missed_more["men"]
        ),
        "On fresh patients the mean AUC is not below the interval of the test part": (
            later and able and new["share"] >= old["low"]
        ),
    }
)

# %% [markdown]
# ## And now
#
# This is the end of the course. You can open a collection of X-rays and see what is odd about it. You divide it by
# patients. You train a network from what others have learned, and know what luck has done to it. You put a baseline
# and an interval beside every figure, choose thresholds where they may be chosen, and ask a heat map for proof. You
# know what labels hide, what another hospital changes, whom a network misses, and when it should stay silent.
#
# Most of what is published on this subject would not pass your questions. Ask them kindly, and of your own work first.
