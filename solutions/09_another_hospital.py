# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · Another hospital: what goes with a network, and what stays behind?
#
# **Time:** 70 minutes to work through, about a minute to run when lesson 04 has trained the networks.
#
# **Questions**
# - How well does a network do in a hospital that it has never seen?
# - If it does worse: is it the people, or the machine?
# - What does such a validation show, what does it leave open, and how many patients does it need?
# - Can a network reach a good figure by recognising the hospital?
#
# **Objectives.** At the end you can take a network to other patients and say which of its figures moved and why,
# correct its probabilities for another prevalence and on a few local patients, plan how many patients a validation
# needs, and find out whether a figure on pooled data is worth anything.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
elsewhere = "phantom-county"  # or a folder of another collection, on which the networks of `data` are judged
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# ## Two hospitals
#
# All lessons so far have trained and tested in one hospital. No patient was in two parts, but the machine, the habits
# of the house and the kind of people who come were the same in all of them. Now the networks travel: a second hospital
# takes no part in the training. To judge a model there is called *external validation*. Technical words stand in the
# [glossary](../docs/glossary.md).
#
# `home` is the test part of the first hospital. Of the second one all images are judged, because none of them teaches.
# In the simulated data both are judged by the truth, so no difference between them comes from mined labels (lesson 08).
# (`there and ...` leaves a cell out where no second collection is known, and says so.)

# %%
from dataclasses import replace

import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed).with_images()
train, valid, home = (dataset.part(name) for name in ("train", "valid", "test"))
there = cxr.data.open_elsewhere(elsewhere, dataset, profile=profile, seed=seed)
findings = list(there.findings) or list(dataset.findings)  # those that both know
there

# %% [markdown]
# Look at the pictures before any figure: four of home above, four of the other hospital below, the first of each table.
# **Predict:** what in these pictures could disturb a network that has only seen the upper ones?

# %%
shown = [one.picture(name) for one in (home, there) for name in one.table["image"][:4]]
there and plots.gallery(shown, ["home"] * 4 + ["elsewhere"] * 4)


# %% tags=["answer"]
def describe(hospital):
    """Who comes to a hospital, and how often the findings are there; NaN for what is not known."""
    table = hospital.table.reindex(columns=["patient", "age", "view", *findings])
    people = {"images": len(hospital), "patients": table["patient"].nunique(), "median age": table["age"].median()}
    in_bed = (table["view"] == "AP").where(table["view"].notna()).mean()
    return people | {"share in bed (AP)": in_bed, "mean prevalence": table[findings].stack().mean()}


prevalence = {"home": home.table[findings].mean(), "elsewhere": there and there.table[findings].mean()}
there and pd.DataFrame({"home": describe(home), "elsewhere": describe(there)}).round(3)

# %% tags=["plumbing"]
cxr.answer(
    "In the simulator's: the shades are evened out, there is more noise, and a name is burned in at the lower left. "
    "Less visible are the people. A finding is on {there:.1%} of their images, and on {home:.1%} at home, as a mean.",
    home=prevalence["home"].mean(),
    there=there and prevalence["elsewhere"].mean(),
)

# %% [markdown]
# ## Three networks travel
#
# - `small`: lesson 03's small network, trained from scratch on the first hospital's pictures. It has seen no others.
# - `photographs`: lesson 04's frozen network. It learned on photographs; of X-rays, only its last layer has seen any,
#   those of the first hospital.
# - `main`: the course's main network. It came from a school of simulated X-rays in which all was varied on purpose that
#   is no finding, such as exposure, sharpness, noise and letters.
#
# **Predict:** which of them will keep its AUC in the other hospital, and which will lose most?

# %%
recipes = {
    "small": replace(cxr.recipe("xray-vision", profile), sample_weights=False),
    "photographs": replace(cxr.recipe("lite0-head", profile), weights="imagenet"),
    "main": cxr.recipe("lite0-transfer", profile),
}
networks = {name: cxr.train(recipe, dataset, seed=seed) for name, recipe in recipes.items()}
said_home = {name: network.predict(home)[findings] for name, network in networks.items()}
said_there = {name: there and network.predict(there)[findings] for name, network in networks.items()}


# %%
def areas(hospital, said):
    """Mean AUC of each network over the findings, with its interval over the patients of a hospital."""
    truth = hospital.table.set_index("image")[findings]
    rows = {name: evaluation.auc_table(truth, scores, hospital.patients).loc["mean"] for name, scores in said.items()}
    return pd.DataFrame(rows).T[["auc", "low", "high"]].astype(float)


auc = {"home": areas(home, said_home), "elsewhere": there and areas(there, said_there)}

# %% tags=["answer"]
people = len(set(home.patients))
plots.auc_forest(auc, f"Mean AUC, {people} patients at home, {len(set(there.patients))} elsewhere")

# %% tags=["plumbing", "nbval-ignore-output"]
areas_of = there and pd.DataFrame({place: table["auc"] for place, table in auc.items()})
told = there and ", ".join(f"{one} {row.home:.3f} to {row.elsewhere:.3f}" for one, row in areas_of.iterrows())
cxr.answer("From home to elsewhere: {told}. That is one training of each.", told=told)

# %% [markdown]
# ## The people, or the machine?
#
# Two things have changed at once, and an AUC does not say which of them matters. So change one at a time. The machine
# of the other hospital evens out the shades region by region (*adaptive equalisation*; Zuiderveld 1994). We can do that
# to our own test pictures: the same patients, the same findings, another look.

# %%
evened = home.equalised(4)
shown = [one.picture(name) for one in (home, evened) for name in home.table["image"][:3]]
plots.gallery(shown, ["home"] * 3 + ["the same, evened out"] * 3, columns=3)

# %% [markdown]
# These are the same films with other shades; many work stations offer this look at a click. Since the patients are the
# same, the difference can be judged on the same draws of patients. **Predict:** whom does it cost how much?

# %% tags=["answer", "nbval-ignore-output"]
truth_home = home.table.set_index("image")[findings]
said_evened = {name: network.predict(evened)[findings] for name, network in networks.items()}
cost = {
    name: evaluation.auc_difference(truth_home, said_evened[name], said_home[name], home.patients) for name in networks
}
pd.DataFrame(cost).T.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "The small one {small[difference]:+.3f}, the one from photographs {photographs[difference]:+.3f}, the main one "
    "{main[difference]:+.3f}. Compare that with what each has lost in the other hospital.",
    **cost,
)

# %% [markdown]
# That is one training of each, so it tells of these networks. For the recipes, a table that comes with the course holds
# ten trainings of the small one and five of the main one on the default data, and two things more:
#
# - `referred`: the patients of the other hospital, X-rayed on the machine at home, which only a simulator can do. From
#   `home` to `referred` only the people change, from `referred` to `county` only the machine with its letters.
# - `small, machine varied`: the same small network on the same patients, but half of its training and validation
#   pictures were evened out to a random degree.
#
# **Predict:** what will the people alone cost, and what the machine? Does it help to have met evened-out pictures?

# %% tags=["answer"]
trainings, pairs = evaluation.measured("hospitals"), evaluation.measured("hospitals_pairs")
paired = pairs[pairs["set"] == "equalised"]
evening = {name: paired[paired["recipe"] == name] for name in trainings["recipe"].unique()}
plots.difference_forest(evening, "Evened-out less usual test pictures of the same patients, default data")

# %% tags=["answer"]
four = trainings.groupby("recipe", sort=False)[["home", "equalised", "referred", "county"]]
four.mean().round(3).astype(str) + " ± " + four.std().round(3).astype(str)

# %% tags=["plumbing"]
mean = four.mean()
small, varied = mean.loc["small"], mean.loc["small, machine varied"]
steps = {one: (row["referred"] - row["home"], row["county"] - row["referred"]) for one, row in mean.iterrows()}
cxr.answer(
    "The people change the small network's AUC by {small[0]:+.3f} on average, the machine, on the same people, by "
    "{small[1]:+.3f}. Where it was varied in training, it is {varied[1]:+.3f}; that has a price, {price:+.3f} at "
    "home. For the main network the people bring {main[0]:+.3f} and the machine takes {main[1]:+.3f}.",
    small=steps["small"],
    varied=steps["small, machine varied"],
    main=steps["main"],
    price=varied["home"] - small["home"],
)

# %% [markdown]
# The table gives the mean over the trainings and their standard deviation. The small network falls because of the
# machine, and not where its training has met such pictures. From `referred` to `county` only the machine differs, with
# its letters; between the two small networks only the training pictures do. So here the cause is known. For the main
# network two changes cancel: in this draw of patients the people are easier for it, and the machine takes back what
# they bring. An AUC that is the same in another hospital does not show that nothing was lost. Its school varied the
# machine too, but it differs from the small network in much else, so the table does not prove why it loses less.
#
# To vary one thing protects against this one thing: another machine may have something that no training has met. And
# all of this is one draw of patients. Another `seed` draws others, who lose more or less.
#
# ## A decision needs more than an order
#
# An AUC asks for the order of the images and for nothing else. Take the main network and the
# thresholds at which it finds nine in ten positives on `valid`. **Predict:** what will they bring in the other
# hospital, in sensitivity and in false alarms?

# %% tags=["answer", "nbval-ignore-output"]
truth = {"home": truth_home, "elsewhere": there and there.table.set_index("image")[findings]}
said = {"home": said_home["main"], "elsewhere": said_there["main"]}
threshold = evaluation.choose_thresholds(valid.table, networks["main"].predict(valid), sensitivity=0.9)


def at_home_thresholds(place):
    """What the thresholds of home bring in a hospital, as means over the findings."""
    points = evaluation.operating_points(truth[place], said[place], threshold[findings])
    points["false alarms"], points["mean probability"] = 1 - points["specificity"], said[place].mean()
    return points[["sensitivity", "false alarms", "ppv", "mean probability", "prevalence"]].mean()


moved = there and pd.DataFrame({place: at_home_thresholds(place) for place in truth}).T
moved.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "At home they find {a[sensitivity]:.0%} and call {a[false alarms]:.0%} of the images without the finding, there "
    "{b[sensitivity]:.0%} and {b[false alarms]:.0%}. Of the calls {a[ppv]:.0%} are right at home, {b[ppv]:.0%} "
    "there. The probabilities there are {b[mean probability]:.3f} on average where {b[prevalence]:.3f} have the "
    "finding.",
    a=there and moved.loc["home"],
    b=there and moved.loc["elsewhere"],
)

# %% [markdown]
# A good AUC from outside says that the order holds there too. It does not say that the thresholds of home may be kept,
# or that 30 % means three in ten (Van Calster et al. 2019 call calibration the Achilles heel of prediction). And it
# holds for that day: hospitals buy machines and change habits (Finlayson et al. 2021).
#
# ## Another prevalence, in closed form
#
# Suppose that the pictures of people with the finding look alike in both hospitals, and those of people without it too.
# Only the shares of the two differ. Then Bayes' rule says what to do (Saerens et al. 2002). In the odds of an image,
#
# ```text
# odds after seeing it  =  odds before, given by the prevalence  ×  what the picture says
# ```
#
# only the first factor belongs to the hospital. The network's probability holds the odds of home.
#
# **Exercise 1.** `probability` comes from a network that has learned where the finding has the prevalence `at_home`.
# Return the probabilities for a place where it has the prevalence `there`.


# %%
def new_prevalence(probability, at_home, there):
    """Probabilities for another prevalence. probability: (images,); at_home, there: shares between 0 and 1."""
    ### BEGIN SOLUTION
    present = probability * there / at_home
    absent = (1 - probability) * (1 - there) / (1 - at_home)
    return present / (present + absent)
    ### END SOLUTION


# %%
new_prevalence = checks.new_prevalence(new_prevalence)

# %% [markdown]
# The other hospital knows its prevalences from its records. Here they are counted on its images, with half an image
# more on either side, so that nothing is impossible only because nobody had it. On the diagonal below, the mean
# probability of a finding equals its share.


# %%
def share(labels):
    """Share of positive images of each finding, with half an image more on either side."""
    return (labels.sum() + 0.5) / (labels.count() + 1)


def for_prevalence(scores, shares):
    """Probabilities of the network, for a place with other shares than the training part."""
    learned = share(train.table[findings])
    moved = {one: new_prevalence(scores[one].to_numpy(), learned[one], shares[one]) for one in findings}
    return pd.DataFrame(moved, index=scores.index)


corrected = there and for_prevalence(said["elsewhere"], share(truth["elsewhere"]))
both = {"as it is": said["elsewhere"], "for its prevalence": corrected}
means = {name: there and scores.mean() for name, scores in both.items()}
plots.shifted_probabilities(means, prevalence["elsewhere"], "Main network, elsewhere")

# %% [markdown]
# One line of arithmetic, and no picture was looked at. What is left over has other reasons: pictures of another machine
# do not look alike, and the network was not perfect at home either. For that, local patients are needed.
#
# ## On a few local patients
#
# The gentlest change adds *one number* to all log odds of a finding, so that the mean probability equals the share that
# is observed (*recalibration in the large*). Nobody is moved past anybody else.
#
# **Exercise 2.** Return that number. There is no formula for it, so search: `scipy.special` has `logit` (from
# probabilities to log odds) and `expit` (back), and `scipy.optimize.brentq(f, -30, 30)` finds where `f` is zero.


# %%
def number_to_add(probability, share):
    """The number that, added to all log odds, makes the mean probability equal share. probability: (images,)"""
    ### BEGIN SOLUTION
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    return brentq(lambda number: expit(logit(probability) + number).mean() - share, -30, 30)
    ### END SOLUTION


# %%
number_to_add = checks.number_to_add(number_to_add)

# %% [markdown]
# *Platt scaling* (lesson 05) fits a slope as well: two numbers a finding. How many patients does each way take? We draw
# some patients of the other hospital, fit each way on them, and judge it on all others by the cross-entropy (lesson 03;
# less is better). Ten draws for each number of patients.
# **Predict:** what is best with 25 patients, and what with the most?


# %%
def moved_by(scores, labels, others):
    """Other images' probabilities, after the number that local ones need was added to the log odds."""
    number = {one: number_to_add(scores[one].to_numpy(), share(labels)[one]) for one in findings}
    odds = others / (1 - others) * np.exp(pd.Series(number))
    return odds / (1 + odds)


def one_draw(count, generator):
    """Cross-entropy on the other patients, in nats, after each way was fitted on some."""
    people, inside = np.unique(there.patients), said["elsewhere"].clip(1e-6, 1 - 1e-6)
    drawn = np.isin(there.patients, generator.choice(people, min(count, len(people) // 2), replace=False))
    labels, judged, scores, others = (one[rows] for one in (truth["elsewhere"], inside) for rows in (drawn, ~drawn))
    ways = {"as it is": others, "for the prevalence": for_prevalence(others, share(labels))}
    ways["one number"] = moved_by(scores, labels, others)
    ways["Platt"] = evaluation.CALIBRATIONS["Platt"](labels, scores)(others)
    cost = {way: -np.log(p.where(judged == 1, 1 - p)).where(judged.notna()).stack().mean() for way, p in ways.items()}
    return {"patients": count} | cost


# %% tags=["answer", "nbval-ignore-output"]
generator = np.random.default_rng(seed)
draws = there and pd.DataFrame([one_draw(count, generator) for count in (25, 50, 100, 150) for _ in range(10)])
after = there and draws.groupby("patients").mean()
there and after.round(4).astype(str) + " ± " + draws.groupby("patients").std().round(4).astype(str)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "With 25 patients {a[one number]:.4f} with one number, {a[Platt]:.4f} by Platt and {a[as it is]:.4f} as it is; "
    "with 150, {b[one number]:.4f} and {b[Platt]:.4f}.",
    a=there and after.iloc[0],
    b=there and after.iloc[-1],
)

# %% [markdown]
# The table gives the mean over the draws and their standard deviation. Look at that too: with few patients one hospital
# would be lucky and the next one not. As a rule, two numbers need more patients than one.
#
# ## How many patients does a validation need?
#
# Somebody has validated on 60 patients and reports an AUC of 0.93 "confirmed". How sure is that? Lesson 05 drew
# patients again and again. Before there are any patients, a formula has to do (Hanley and McNeil 1982):
#
# ```text
# q1 = A / (2 − A)           q2 = 2 A² / (1 + A)
#
# error² = [ A (1 − A) + (positives − 1) (q1 − A²) + (negatives − 1) (q2 − A²) ] / (positives · negatives)
# ```
#
# `A` is the AUC that one expects. `q1` is the chance that two positive images both outrank one negative, `q2` that one
# positive outranks two negatives, for scores of a usual shape.
#
# **Exercise 3.** Return the standard error.


# %%
def auc_error(auc, positives, negatives):
    """Standard error of an area under the ROC curve."""
    ### BEGIN SOLUTION
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return np.sqrt(spread / (positives * negatives))
    ### END SOLUTION


# %%
auc_error = checks.auc_error(auc_error)

# %% [markdown]
# An interval of 95 % goes 1.96 errors to either side. **Predict:** at an AUC of 0.8, how many positive images make it
# narrower than 0.1? And at 0.95?


# %%
def width(auc, positives, prevalence):
    """Width of the 95 % interval that the formula expects."""
    return 2 * 1.96 * auc_error(auc, positives, positives * (1 - prevalence) / prevalence)


def needed(auc, prevalence, most=0.1):
    """The smallest number of positive images with an interval narrower than `most`; NaN where there is none."""
    return next((number for number in range(2, 2000) if width(auc, number, prevalence) < most), np.nan)


# %% tags=["answer"]
usual = prevalence["home"].mean()
numbers = np.unique(np.geomspace(2, 300, 40).astype(int))
curves = pd.DataFrame({a: [width(a, number, usual) for number in numbers] for a in (0.65, 0.8, 0.95)}, index=numbers)
tables = {name: evaluation.auc_table(truth_home, said_home[name], home.patients).drop("mean") for name in networks}
plots.widths_by_positives(curves, tables, 0.1)

# %% tags=["plumbing"]
cxr.answer(
    "{middle} at 0.8 and {high} at 0.95. For the former that is {here:,.0f} images here, and {rare:,} where one in a "
    "hundred has the finding: what counts are the positive images. Negatives are cheap and help little.",
    middle=needed(0.8, usual),
    high=needed(0.95, usual),
    here=needed(0.8, usual) / usual,
    rare=100 * needed(0.8, 0.01),
)

# %% [markdown]
# The marks are this run's findings, with intervals over patients. The formula knows neither patients who return nor how
# the scores of a network are spread, so plan with some to spare. And see how far one test part of this size carries:
# for a single finding, not far.
#
# ## The hospital as a diagnosis
#
# Positive images are rare, and normal ones easy to get. So somebody takes all images of the first hospital and, to have
# more, images *without* the finding from the second one, divides them by patient, and is pleased with the test AUC. In
# the pool below, a label of the second hospital counts only where the finding is absent. So all its positive images are
# from home.

# %%
pooled = cxr.data.cases_and_controls(dataset, there)
learn, judged = pooled.part("train"), pooled.part("test")
at_home = there and (pooled.table["collection"] == pooled.table["collection"].iloc[0]).to_numpy()
site = there and at_home[(pooled.table["split"] == "test").to_numpy()]  # of each test image: is it from home?
pooled


# %%
def told_by_corner():
    """AUC, on the test part, of a regression on the lower left corner that asks: is this image from home?"""
    from sklearn.linear_model import LogisticRegression

    corner = pooled.pixels(64)[:, -10:, :26].reshape(len(pooled), -1) / 255
    tested = (pooled.table["split"] == "test").to_numpy()
    seen = LogisticRegression(max_iter=500).fit(corner[~tested], at_home[~tested]).decision_function(corner[tested])
    return evaluation.roc_auc(at_home[tested].astype(int), seen)


# %% [markdown]
# **Predict:** how surely can a regression tell the hospital that sees nothing but the lower left corner?

# %% tags=["plumbing"]
cxr.answer("With an AUC of {auc:.2f}, without a lung.", auc=there and told_by_corner())

# %% [markdown]
# Whoever knows the hospital knows something about the label now. To see what a figure on the pool is worth, ask only
# for pairs that such knowledge cannot help with: a positive and a negative image of *one* hospital.
#
# **Exercise 4.** Return the share of these pairs in which the positive image has the higher score; a tie is worth one
# half. Pairs of two hospitals do not count.


# %%
def auc_within(truth, score, site):
    """AUC over pairs from one hospital. truth: 0 or 1, score, site: which hospital; all (images,)"""
    ### BEGIN SOLUTION
    pairs = (truth == 1)[:, np.newaxis] & (truth == 0) & (site[:, np.newaxis] == site)
    gap = score[:, np.newaxis] - score
    return ((gap > 0) + (gap == 0) / 2)[pairs].mean()
    ### END SOLUTION


# %%
auc_within = checks.auc_within(auc_within)

# %% [markdown]
# Three scores for the pool's test images: one that knows the hospital and nothing else; a regression on thumbnails of
# 32 x 32 pixels that has learned on the pool; and the same regression, learned at home alone. **Predict:** whose figure
# will shrink when only pairs within a hospital count?


# %%
def pool_scores():
    """Probabilities of three scores, index image of the pool's test part."""
    only = pd.DataFrame({one: site.astype(float) for one in findings}, index=judged.table["image"])
    ways = {"thumbnail, learned on the pool": learn, "thumbnail, learned at home": train}
    thumbnails = {way: evaluation.baseline_scores(part, judged, ["thumbnail"], size=32) for way, part in ways.items()}
    return {"the hospital alone": only} | {way: next(iter(found.values())) for way, found in thumbnails.items()}


def over_pairs(scores):
    """Mean over the findings of the AUC over all pairs, and over pairs from one hospital."""
    rows = []
    for one in findings:
        known = judged.table[one].notna().to_numpy()
        label, score = judged.table[one].to_numpy()[known], scores[one].to_numpy()[known]
        both = 0 < label[site[known]].sum() < site[known].sum()
        rows += [(evaluation.roc_auc(label, score), auc_within(label, score, site[known]))] if both else []
    return np.mean(rows, axis=0)


# %% tags=["answer", "nbval-ignore-output"]
pool = there and pd.DataFrame({name: over_pairs(scores) for name, scores in pool_scores().items()}).T
pool = there and pool.set_axis(["on the pool", "within a hospital"], axis=1)
pool.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
at = "thumbnail, learned on the pool"
cxr.answer(
    "That of the hospital alone, from {hospital[on the pool]:.3f} to a coin's {hospital[within a hospital]:.3f}. And "
    "that of the thumbnail which has learned on the pool, from {thumb[on the pool]:.3f} to {thumb[within a "
    "hospital]:.3f}, where the one that has learned at home has {other[within a hospital]:.3f}. The rest is "
    "owed to the hospital.",
    hospital=there and pool.loc["the hospital alone"],
    thumb=there and pool.loc[at],
    other=there and pool.loc["thumbnail, learned at home"],
)

# %% [markdown]
# Nobody made this shortcut to fool a network: every house marks its films. And the split is clean: no patient is in two
# parts. Zech et al. (2018) met it on real X-rays: a network told hospital systems apart almost without error, and did
# better on a pool of two than within either of them. DeGrave et al. (2021) found that networks for COVID-19 had learned
# the sources of their data. When a figure comes from several places, ask for the figure *within* each.
#
# ## A published 98 %
#
# Ozturk et al. (2020) report an accuracy of 98 % for COVID-19 against no findings. The first class came from journals
# and several hospitals, the second one from NIH. Where a part of such a mixture is at hand, here is what tells the two
# classes apart before anybody looks at a lung: a thumbnail, the outermost two pixels of it, the sides of the file, and
# the number of its bytes. Each is a plain regression, judged out of ten folds.

# %% tags=["nbval-ignore-output"]
real = evaluation.two_sources(dataset)
real.round(3)

# %% [markdown]
# Where a table stands above, read it like this. The sides of a file hold no disease, and its bytes hardly any, so what
# they reach belongs to the
# source. The border holds next to none. A thumbnail may hold some of both, and nobody can tell how much, because in
# such data the disease and the source are one thing. That does not prove that the published network used the source. It
# shows that its figure cannot tell. And what is a patient here? Nobody says whose the images are, so two of one patient
# may lie in different folds. (The copies at hand were reduced in size, and the two classes are files of different
# kinds.)
#
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** In a clinic half of the people have the finding. A network that has learned there gives a picture 0.8.
# The same picture comes from a screening where one in ten has the finding. Pictures with it look alike in both places,
# and so do those without it. What is the probability in the screening?
#
# <details><summary>Answer</summary>
# 0.31. In the clinic the odds before were 1, so the picture multiplies odds by 0.8 / 0.2 = 4. In the screening the odds
# before are 1/9, so after it they are 4/9, and 4/13 is 0.31.
# </details>
#
# **Question 2.** A network has an AUC of 0.92 at home, and 0.92 (0.89 to 0.94) in another hospital. What may you write?
#
# <details><summary>A. Its thresholds can be used there as they are.</summary>
# No. The AUC knows the order and no threshold. The same thresholds may bring more false alarms there.
# </details>
# <details><summary>B. It orders the images of this other hospital about as well.</summary>
# Right. That is what an AUC says, within its interval. Sensitivity, false alarms and probabilities are other questions.
# </details>
# <details><summary>C. A probability of 0.3 means three in ten there too.</summary>
# No. All probabilities could be halved without moving the AUC.
# </details>
# <details><summary>D. It works in other hospitals.</summary>
# No. It was one other hospital. The next one has another machine and other people.
# </details>
#
# **Question 3.** With 12 positive and 200 negative images the interval of an AUC is 0.2 wide. You may collect more.
# What makes it about half as wide?
#
# <details><summary>A. 24 positive and 400 negative images</summary>
# No. Twice as many make it narrower by the root of two, to about 0.14.
# </details>
# <details><summary>B. 12 positive and 2,000 negative images</summary>
# No. Few positives stay few. Where there are many negatives already, more of them hardly help.
# </details>
# <details><summary>C. 48 positive and 800 negative images</summary>
# Right. The width falls with the root of the number, so four times as many halve it.
# </details>
# <details><summary>D. Drawing patients ten thousand times and not a thousand times</summary>
# No. More draws describe the same patients more exactly. They bring no further patients.
# </details>
#
# **Question 4.** A network has learned on images of two hospitals. Its AUC is 0.90 on the test images of both together,
# 0.63 within the first and 0.60 within the second. What has happened?
#
# <details><summary>A. Each hospital is too small by itself; 0.90 is the better estimate.</summary>
# No. A small part makes an AUC uncertain, not low. Both are low, and the pool is high.
# </details>
# <details><summary>B. The finding is more frequent in one hospital, and the network recognises the hospital.</summary>
# Right. It wins pairs of two hospitals by knowing the house. Within a house this knowledge is worth nothing.
# </details>
# <details><summary>C. Some patients are in the training and in the test part.</summary>
# No. That would raise the figures within the hospitals as well.
# </details>
# <details><summary>D. The thresholds do not fit the second hospital.</summary>
# No. An AUC has no threshold.
# </details>
#
# **Question 5.** In another hospital a network falls from 0.80 to 0.68. "They have other patients," says the
# manufacturer. What tests that best?
#
# <details><summary>A. Comparing the ages and the prevalences of the two hospitals</summary>
# No. They will differ, as in the lesson, where the people alone cost the small network nothing. A difference is no
# cause.
# </details>
# <details><summary>B. Drawing heat maps of the images that it judges wrongly</summary>
# No. How a machine renders shades has no place on a map.
# </details>
# <details><summary>C. Training the network with more images from home</summary>
# No. That may raise both figures. It does not tell why they differ.
# </details>
# <details><summary>D. Giving the images from home the look of the other machine, and changing nothing else</summary>
# Right. What it loses there, on the same patients, is the part of the machine. Whatever fall is left over has other
# reasons. The same people on both machines would be better still, but who has them?
# </details>
#
# ## Key points
#
# - Order, thresholds and probabilities are three questions. In another hospital one may hold while the others do not.
# - People and machine change together. To know which of them matters, change one at a time.
# - A network may fall where something differs that its training never varied. To vary it in training can prevent that.
# - For another prevalence multiply the odds. What is left needs local patients: few for one number, more for two.
# - What a validation can show depends on the number of positive images. Plan it before.
# - Where a finding goes with the hospital, a figure on the pool says little. Ask for the AUC within each hospital.

# %%
checks.solved()

# %% tags=["nbval-ignore-output", "plumbing"]
lost = ", ".join(f"{one} {cost[one]['difference']:+.3f}" for one in networks)
cxr.headline(f"mean AUC elsewhere: {told or 'not judged'}; evened-out pictures: {lost} ({people} patients)")

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
enough = home.enough(patients=100)
county = there and cxr.given(there.name == "phantom-county", "the second collection is not the simulator's") and enough
simulated = dataset.knows("simulated_truth") and enough
fall = there and auc["home"]["auc"] - auc["elsewhere"]["auc"]
alarms = there and moved["false alarms"]
off = {name: there and (shown - prevalence["elsewhere"]).abs().mean() for name, shown in means.items()}
rows = pd.concat(tables.values()).query('reason == ""')  # those with an interval
expected = [width(row.auc, row.positives, row.positives / (row.positives + row.negatives)) for row in rows.itertuples()]
apart = np.abs(np.log((rows["high"] - rows["low"]) / expected)).median()
there and cxr.identity("Within a hospital, knowing the hospital is a coin", pool.loc["the hospital alone"].iloc[1], 0.5)
cxr.claims(
    {
        "Evening out the shades costs the small network AUC, by more than the interval": (
            simulated and cost["small"]["high"] < 0
        ),
        "It costs the small network more than the main one, on the same patients": (
            simulated and cost["small"]["difference"] < cost["main"]["difference"]
        ),
        "The small network's mean AUC is lower in the other hospital": county and fall["small"] > 0,
        "Over ten trainings of the small network, the machine costs 0.05 or more, the people less than 0.02": (
            small["referred"] - small["county"] >= 0.05 and small["home"] - small["referred"] < 0.02
        ),
        "Where its training varied the machine, the same network loses less than a third as much by it": (
            varied["referred"] - varied["county"] < (small["referred"] - small["county"]) / 3
        ),
        "For the main network, people and machine change the AUC by more than 0.01 each, together by less": (
            steps["main"][0] > 0.01 and steps["main"][1] < -0.01 and abs(sum(steps["main"])) < 0.01
        ),
        "At the thresholds of home, the main network raises more false alarms in the other hospital": (
            county and alarms["elsewhere"] > alarms["home"]
        ),
        "Correcting for the prevalence brings the mean probabilities nearer to the shares": (
            county and off["for its prevalence"] < off["as it is"]
        ),
        "With 25 local patients one number is ahead of Platt scaling, with 150 it is behind": (
            county
            and after.loc[25, "one number"] < after.loc[25, "Platt"]
            and after.loc[150, "one number"] > after.loc[150, "Platt"]
        ),
        "Half of the intervals are within a quarter of the width that the formula expects": (
            enough and dataset.knows("several_findings") and apart < np.log(1.25)
        ),
        "On the pool, the thumbnail that has learned there looks better than it is within a hospital by 0.05": (
            county and pool.loc[at].iloc[0] > pool.loc[at].iloc[1] + 0.05
        ),
    }
)
