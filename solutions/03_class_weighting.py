# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · Class weighting
#
# **Time:** 45 minutes to work through, about a minute to run.
#
# **Questions**
# - Which images make up the loss when a finding is rare?
# - How do class weights and focal loss change that?
# - What do weights improve, what do they leave as it was, and what do they spoil?
# - How many trainings does it take to say so?
#
# **Objectives.** At the end you can write out the weighted loss, derive weights from frequencies, say what weights
# do to ranking, to decisions and to probabilities, and take them out of the probabilities again. You can tell what one
# training shows from what ten show.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# ## How rare are the findings?
#
# A *finding* is something that the report of a chest X-ray names: *Effusion* is fluid around the lung, *Hernia* an
# organ that has slipped into the chest, and so on. One image can bear several findings or none, so each finding is
# a yes-or-no question of its own: *positive* images bear it, *negative* ones do not. (Technical words stand in the
# [glossary](../docs/glossary.md).)

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed)
findings = list(dataset.findings)
train, test = dataset.part("train").with_images(), dataset.part("test").with_images()
labels = train.labels  # (images, findings), 0 or 1; NaN where a data set does not know the label
labels.shape

# %% [markdown]
# **Exercise 1.** Return the shares of images with and without each finding: two arrays, one number a finding. (The
# lesson gives your function known labels only. Do not mind NaN.)


# %%
def frequencies(labels):
    """Shares of positive and of negative images, each of shape (findings,)."""
    ### BEGIN SOLUTION
    positive = labels.mean(axis=0)
    return positive, 1 - positive
    ### END SOLUTION


# %%
frequencies = checks.frequencies(frequencies)

# %% [markdown]
# The lesson goes on with your function if it is right, else with its own. It is asked for one finding at a time, about
# the images whose label is known. Weights are counted on the training part alone: counting on `test` would be looking
# at it.

# %%
known = {one: train.table[[one]].dropna().to_numpy() for one in findings}
shares = {one: np.ravel(frequencies(of_one)) for one, of_one in known.items()}
frequency = pd.DataFrame(shares, index=["positive", "negative"]).T
frequency.round(3)

# %% [markdown]
# ## The loss, written out
#
# For one image and one finding let *y* be the truth (0 or 1) and *p* the probability that the network gives to
# "present". *Binary cross-entropy* is minus the logarithm of the probability given to what is true, averaged over
# images and findings:
#
# ```text
# L = −[ y · log p + (1 − y) · log(1 − p) ]
# ```
#
# The logarithm is the natural one, so the loss is counted in *nats*. Before training a network knows nothing and says
# *p* = 1/2 everywhere. Every label then costs log 2 = 0.69 nats. **Predict before you run the next cell:** what share
# of the loss of a finding comes from its positive images? (`nansum` leaves out labels that are not known.)

# %% tags=["answer"]
unsure = np.full_like(labels, 0.5)
cost = -(labels * np.log(unsure) + (1 - labels) * np.log(1 - unsure))
share_before = np.nansum(labels * cost, axis=0) / np.nansum(cost, axis=0)
pd.DataFrame({"positive share of the loss": share_before}, findings).round(3)

# %% tags=["plumbing"]
cxr.answer(
    "Exactly the share of positive images, {share:.1%} on average over the findings: every label costs the same. For "
    "a rare finding nearly all of the loss comes from images without it, and the quickest way down for the network is "
    "to say 'no' to everybody, more and more firmly.",
    share=np.nanmean(share_before),
)

# %% [markdown]
# So give the classes weights, w₊ for the positive and w₋ for the negative images of each finding. (Below, f₊ and f₋ are
# the shares of its positive and negative images, those of exercise 1.)
#
# ```text
# L = −[ w₊ · y · log p + w₋ · (1 − y) · log(1 − p) ]
# ```
#
# **Exercise 2.** Write it in numpy: the mean over all images and findings, as one number.


# %%
def weighted_loss(truth, probability, positive, negative):
    """Weighted binary cross-entropy. truth, probability: (images, findings); positive, negative: (findings,)."""
    ### BEGIN SOLUTION
    present = positive * truth * np.log(probability)
    absent = negative * (1 - truth) * np.log(1 - probability)
    return -(present + absent).mean()
    ### END SOLUTION


# %%
weighted_loss = checks.weighted_loss(weighted_loss)

# %% [markdown]
# Computers add a trap. A probability is the sigmoid of a *logit*, the raw output *x* of the network. A network that
# is very sure and wrong has a probability that the computer rounds to 0, and log 0 is infinite. Therefore the
# networks of this course end in logits and the loss is computed from them, as log(1 + exp(−x)) for a positive
# image.

# %%
very_wrong = -800.0
print("From the logit:", np.logaddexp(0, -very_wrong))  # the logarithm of exp(0) + exp(800), without either

# %% [markdown]
# ## Weights that balance
#
# If each class weighs as much as the *other* one is frequent, the positive images together weigh w₊ · f₊ = f₋ · f₊
# and the negative ones w₋ · f₋ = f₊ · f₋: the same.
#
# **Exercise 3.** Return these weights: two arrays, one number a finding.


# %%
def balancing_weights(labels):
    """Weights of the positive and of the negative class, each of shape (findings,)."""
    ### BEGIN SOLUTION
    return (1 - labels).mean(axis=0), labels.mean(axis=0)
    ### END SOLUTION


# %%
balancing_weights = checks.balancing_weights(balancing_weights)

# %% [markdown]
# What do the positive images contribute now, while the network is still unsure? The next cell asks both of your
# functions: the loss of a finding with its weights, and the same with a weight of 0 for its negative images.


# %%
def positive_share(of_one):
    """Share of the weighted loss of one finding that comes from its positive images, at p = 1/2."""
    positive, negative = map(np.asarray, balancing_weights(of_one))
    unsure = np.full(of_one.shape, 0.5)
    from_positive = weighted_loss(of_one, unsure, positive, 0 * negative)
    return from_positive / weighted_loss(of_one, unsure, positive, negative)


share_after = pd.Series({one: positive_share(of_one) for one, of_one in known.items() if 0 < of_one.mean() < 1})
plots.loss_shares(share_before, share_after.reindex(findings), findings)

# %% [markdown]
# Half and half for every finding, exactly, however rare it is.
#
# Libraries scale such weights differently. scikit-learn's "balanced" weights have a mean of 1 over the images. For one
# finding alone only the ratio w₊ / w₋ matters, and that is the same:

# %%
from sklearn.utils.class_weight import compute_class_weight

commonest = train.commonest()
column = findings.index(commonest)
positive, negative = frequency["negative"].to_numpy(), frequency["positive"].to_numpy()  # weights: the other's share
of_commonest = train.table[commonest].dropna().to_numpy()
lighter, heavier = compute_class_weight("balanced", classes=np.array([0, 1]), y=of_commonest)
print(f"{commonest}: ratio {positive[column] / negative[column]:.3f} here, {heavier / lighter:.3f} in scikit-learn")

# %% [markdown]
# But fourteen findings share one network, and there the *size* of the weights decides how much each finding counts.
# With ours, a finding at *p* = 1/2 costs in proportion to 2 · f₊ · f₋, so a rare one counts for little. For how little?
# Take NIH's own frequencies, where 227 of 112,120 images show a Hernia. With equal parts each of the fourteen findings
# would have 1/14 or 7 % of the whole loss. **Predict:** which part has Hernia?

# %% tags=["answer"]
counted = [11559, 2776, 13317, 19894, 5782, 6331, 1431, 5302, 4667, 2303, 2516, 1686, 3385, 227]  # in NIH's table
nih = pd.Series(counted, cxr.data.FINDINGS) / 112_120
part_of_loss = nih * (1 - nih) / (nih * (1 - nih)).sum()
part_of_loss.sort_values().round(3).to_frame("part of the loss")

# %% tags=["plumbing"]
cxr.answer(
    "{hernia:.1%}. The balance inside each finding is perfect, and yet Hernia hardly moves the network. Weights that "
    "also divide by the size (scikit-learn's do) give each finding the same part, and let a few images of a rare "
    "finding shake the whole network.",
    hernia=part_of_loss["Hernia"],
)

# %% [markdown]
# Two more ways are common. *Sample weights* give one weight to a whole image, for instance more to images with more
# findings. That helps when most images are normal, but one number an image cannot balance fourteen questions at
# once:

# %%
of_image = 1 + np.nansum(labels, axis=1, keepdims=True)  # one for being there, one more for each finding
share_by_image = np.nansum(of_image * labels * cost, axis=0) / np.nansum(of_image * cost, axis=0)
shares = {"unweighted": share_before, "with sample weights": share_by_image, "with class weights": share_after}
print(f"Positive share of the loss of {commonest}:")
print(", ".join(f"{np.asarray(share)[column]:.1%} {name}" for name, share in shares.items()))

# %% [markdown]
# And Keras' `class_weight` argument does something else altogether when one image has several labels: without a
# warning it takes the *first largest* label of the row (its argmax) for the class of the image. An image without
# any finding is then counted under the first finding of the list, and of several findings all but the first are
# forgotten:

# %%
class_for_keras = labels.argmax(axis=1)
normal = labels.sum(axis=1) == 0
wrongly = int((normal & (class_for_keras == 0)).sum())
print(f"{wrongly:,} of {normal.sum():,} images without any finding would be weighted as {findings[0]}.")

# %% [markdown]
# ## Focal loss
#
# Another idea (Lin et al., ICCV 2017): let the network itself say what is easy. With *pₜ* for the probability given
# to the truth, focal loss multiplies cross-entropy by (1 − pₜ) to the power *gamma*, so that a label that is
# already right hardly counts, and by a constant *alpha* for positives and 1 − alpha for negatives. This course takes
# gamma = 2 and alpha = 1/4, as the paper does.

# %%
plots.focal_curves([0, 1, 2, 5])

# %% [markdown]
# The many easy negatives fade away by themselves. The hard ones remain, and so do the wrongly labelled ones.
#
# ## Three losses, one network
#
# Now train the same small convolutional network three times, from the same random start: with plain cross-entropy,
# with the weights above, and with focal loss. Nothing else differs. Training keeps the epoch that does best on
# `valid`; what is trained once is kept on disk.
#
# **Predict:** which of the three will rank the images best?

# %%
from dataclasses import replace

beginning = seed  # of the networks' random numbers; further down you are asked to change it
recipe = replace(cxr.recipe("xray-vision", profile), sample_weights=False)
recipes = {"plain": recipe, "weighted": replace(recipe, loss="weighted"), "focal": replace(recipe, loss="focal")}
predicted = {name: cxr.train(one, dataset, seed=beginning).predict(test) for name, one in recipes.items()}

# %% [markdown]
# **Ranking.** The *AUC* is the chance that a positive image gets a higher score than a negative one; 0.5 is guessing
# (lesson 05 builds it by hand). Beside the networks stands a *baseline* that sees no pixel, only age, sex, view and
# number of the visit (or a thumbnail, where none of these is known). The interval comes from drawing the test patients
# anew, again and again (lesson 02). It says how far the figure of these patients may be from that of very many.

# %% tags=["answer", "nbval-ignore-output"]
predicted |= evaluation.baseline_scores(train, test, most=1)
areas = {name: evaluation.auc_table(test.table, p, test.patients).loc["mean"] for name, p in predicted.items()}
print(f"Mean AUC over findings, test part, {len(set(test.patients))} patients, 95 % interval over patients")
pd.DataFrame(areas).T[["auc", "low", "high"]].astype(float).round(3)

# %% [markdown]
# Two overlapping intervals do not tell whether two networks differ, because an easy draw of patients is easy for
# both. The difference on the same draws does:

# %% tags=["answer", "nbval-ignore-output"]
weighted_minus_plain, focal_minus_plain = (
    evaluation.auc_difference(test.table, predicted[name], predicted["plain"], test.patients)
    for name in ("weighted", "focal")
)
pd.DataFrame({"weighted - plain": weighted_minus_plain, "focal - plain": focal_minus_plain}).T.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "Of these three networks: {best}. Look at the intervals of the differences, and then read on before you believe "
    "it.",
    best=max(recipes, key=lambda name: areas[name]["auc"]),
)

# %% [markdown]
# ## One training is one network
#
# Stop before you write "weights help" or "weights harm" into your report. The interval says how far the difference of
# *these two networks* depends on the patients. It does not say what two other trainings of the same two recipes would
# give. A network starts from random numbers and sees its images in a random order, so the same recipe makes another
# network each time.
#
# How much does that matter? Each recipe was trained ten times on the default data (`benchmarks/measure_recipes.py
# losses` does it again). Compare first only trainings of *one and the same* recipe, which differ in nothing but their
# random numbers: 45 pairs of plain ones, 45 of weighted ones, 45 with focal loss. **Predict:** in how many pairs does
# the 95 % interval leave zero out? Somebody with just these two trainings would call their difference significant.

# %% tags=["answer"]
pairs = evaluation.measured("losses_pairs").assign(off_zero=lambda rows: (rows["low"] > 0) | (rows["high"] < 0))
same = pairs[pairs["recipe"] == pairs["less_recipe"]]
same.groupby("recipe", sort=False)["off_zero"].agg(["sum", "size"]).rename(columns={"sum": "off zero", "size": "pairs"})

# %% tags=["plumbing"]
fewer = evaluation.measured("augmentation_pairs").query("recipe == 'plain' and less_recipe == 'plain'")
cxr.answer(
    "In {off} of {pairs}, and none of these differences is one of recipes. The plain recipe comes out much the same "
    "every time; the other two do not, and with only 300 images the plain one does not either: there it is {few} of "
    "45. An interval over patients belongs to two networks. Call it the interval of two trainings.",
    off=same["off_zero"].sum(),
    pairs=len(same),
    few=((fewer["low"] > 0) | (fewer["high"] < 0)).sum(),
)

# %% [markdown]
# Now the recipes. A row is a training: both recipes began with the same random numbers and were judged on the same test
# patients. The line is the interval over patients, the dots show how the trainings differ. **Predict:** will all ten
# dots of a panel lie on one side of zero?

# %% tags=["answer"]
names = ("weighted", "focal")
gains = {f"{name} less plain": pairs[(pairs["recipe"] == name) & (pairs["less_recipe"] == "plain")] for name in names}
plots.difference_forest(gains, "Ten trainings of each recipe, default data")

# %% tags=["answer"]
spread = {name: gain["difference"].agg(["mean", "std", "min", "max"]) for name, gain in gains.items()}
pd.DataFrame(spread).T.round(3)

# %% tags=["plumbing"]
cxr.answer(
    "Weighted less plain: {w[mean]:+.3f} on average, from {w[min]:+.3f} to {w[max]:+.3f}, with a standard deviation "
    "of {w[std]:.3f} from training to training. Focal less plain: {f[mean]:+.3f}, from {f[min]:+.3f} to "
    "{f[max]:+.3f}. Read the mean with its standard error, the deviation divided by the root of ten. A single dot "
    "proves little.",
    w=spread["weighted less plain"],
    f=spread["focal less plain"],
)

# %% [markdown]
# Do it once yourself: set `beginning` above to another number, run down to here again, and look where your own
# differences lie among the ten. From here on this course says of a *recipe* only what several trainings bear out, and
# of a *network* what its interval over patients says.
#
# ## Decisions
#
# *Sensitivity* is the share of positive images that are called, *specificity* the share of negative
# ones that are not. Call an image where its probability is at least 0.5. **Predict:** which of the three networks finds
# most of the positives then?

# %% tags=["answer"]
at_half = {name: evaluation.operating_points(test.table, predicted[name], 0.5) for name in recipes}
plots.sensitivities(at_half)

# %% tags=["answer", "nbval-ignore-output"]
found = pd.DataFrame({name: points[["sensitivity", "specificity"]].mean() for name, points in at_half.items()})
found.T.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "The weighted one finds {weighted:.0%} of them, the plain one {plain:.0%}, the one with focal loss {focal:.0%}; "
    "and the weighted one calls {false:.0%} of the negative images as well.",
    false=1 - found.loc["specificity", "weighted"],
    **found.loc["sensitivity", list(recipes)],
)

# %% [markdown]
# The plain network seldom says yes to a rare finding. It cannot tell the images well, and one in ten bears the finding,
# so few images deserve a probability of one half. The weighted network says yes far more often, to positive and to
# negative images alike. Above all it has moved its scale.
#
# Why could weights help the ranking? They make a network look at the positives from the first step. Why could they harm
# it? With weights, a few positive images carry half of the loss. In effect the network learns a rare finding from fewer
# images: from the share 4 · f₊ · f₋ of them (Kish's effective sample size). Which of the two wins depends on the data
# and on how long one trains. The ten trainings above answer for this data and this length.
#
# ## Why weights shift probabilities
#
# Take all images that look alike to the network, and let *q* be the true share of positives among them. Which
# answer *p* costs least? The weighted loss of this group is −[ w₊ · q · log p + w₋ · (1 − q) · log(1 − p) ]. Its
# derivative by *p* is zero where
#
# ```text
#   p       w₊     q                              w₊ · q
# ───── =   ── · ─────    that is    p = ───────────────────────
# 1 − p     w₋   1 − q                   w₊ · q + w₋ · (1 − q)
# ```
#
# The weights multiply the *odds*. With the balancing weights an image whose true probability is just the finding's
# frequency comes out as one half. The numbers are no longer probabilities, but we know what was done to them, so it
# can be undone.
#
# **Exercise 4.** Solve the equation for *q*: return the probability behind a weighted one.


# %%
def undo_weights(weighted, positive, negative):
    """Probabilities without the weights. weighted: (images, findings); positive, negative: (findings,)."""
    ### BEGIN SOLUTION
    present = weighted * negative
    return present / (present + (1 - weighted) * positive)
    ### END SOLUTION


# %%
undo_weights = checks.undo_weights(undo_weights)

# %% [markdown]
# Applied to the weighted network. The diagonal is where the mean probability of a finding equals its prevalence,
# the share of images that bear it.

# %%
both_classes = (positive > 0) & (negative > 0)  # else there is nothing to undo
undone = np.asarray(undo_weights(predicted["weighted"].to_numpy(), positive, negative))
weighted = predicted["weighted"]
predicted["corrected"] = pd.DataFrame(np.where(both_classes, undone, weighted), weighted.index, findings)
prevalence = test.table[findings].mean()
means = {name: predicted[name].mean() for name in ("plain", "weighted", "corrected")}
plots.shifted_probabilities(means, prevalence)

# %% [markdown]
# The same for one finding in detail. A *reliability diagram* sorts the images by their probability into bins and
# compares: of the images with a probability near 30 %, do 30 % have the finding?

# %%
label = test.table[commonest]
bins = {
    name: evaluation.reliability_table(label, predicted[name][commonest], bins=8, patients=test.patients)
    for name in means
}
plots.reliability(bins, f"{commonest}, test part")

# %% [markdown]
# A point below the diagonal stands for probabilities that are too high. The correction brings the weighted network's
# points back towards the line. It need not bring all of them onto it: the formula holds for a network that has found
# the best answer to its loss, and the surest images of a small network are few.
#
# Focal loss shifts probabilities as well, towards one half. There is a way back too (Charoenphakdee et al., CVPR 2021),
# found like that of exercise 4: write down what focal loss costs a group with the true share *q*, and set its
# derivative by *p* to zero. With
#
# ```text
# g(t) = (1 − t)^gamma / t − gamma · (1 − t)^(gamma − 1) · log t
# ```
#
# that gives the odds q / (1 − q) = (1 − alpha) · g(1 − p) / (alpha · g(p)). It needs no data, only the loss.


# %%
def undo_focal(p, gamma=2.0, alpha=0.25):
    """Probabilities behind those of a network trained with focal loss."""

    def pull(t):
        return (1 - t) ** gamma / t - gamma * (1 - t) ** (gamma - 1) * np.log(t)

    odds = (1 - alpha) * pull(1 - p) / (alpha * pull(p))
    return odds / (1 + odds)


predicted["focal, corrected"] = undo_focal(predicted["focal"].clip(1e-6, 1 - 1e-6))

# %% [markdown]
# In numbers, as means over the findings. The Brier score is the mean squared distance between probability and truth;
# the expected calibration error (`ece`) is the mean distance from the diagonal above. For both, less is better. But not
# zero: with so few positives, even perfect probabilities leave some distance to the diagonal. The last column says how
# much: labels are drawn with just these probabilities, which then are perfect, and the error is computed again.

# %% tags=["nbval-ignore-output"]
names = ("plain", "weighted", "corrected", "focal", "focal, corrected")
figures = ["prevalence", "mean_probability", "brier", "ece"]
quality = {name: evaluation.calibration_table(test.table, predicted[name])[figures].mean() for name in names}
by_chance = {name: evaluation.ece_by_chance(predicted[name]).mean() for name in names}
quality = pd.DataFrame(quality).T.assign(ece_by_chance=by_chance)
quality.round(3)

# %% [markdown]
# Only an error far above that of chance speaks against the probabilities. Both losses leave theirs far off, and both
# can be undone on paper.
#
# ## Or move the threshold
#
# If the weights mostly move the scale, one could leave the network alone and move the threshold instead: the
# derivation says that 0.5 on the weighted scale is the finding's frequency on the plain one.

# %% tags=["nbval-ignore-output"]
moved = evaluation.operating_points(test.table, predicted["plain"], frequency["positive"])
rows = {"plain, at 0.5": at_half["plain"], "plain, at the frequency": moved, "weighted, at 0.5": at_half["weighted"]}
pd.DataFrame({name: points[["sensitivity", "specificity"]].mean() for name, points in rows.items()}).T.round(3)

# %% [markdown]
# One line of arithmetic after the training makes a similar trade: the plain network, too, finds many more positives and
# raises many more false alarms. The two points are not the same, for the two networks are not. Whether weights help a
# network to learn a rare finding is a question for several trainings, judged on the validation part of *your* data.
#
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** A finding is on 1 of 20 images. With the balancing weights of this lesson, how many times as much
# does a positive label weigh as a negative one?
#
# <details><summary>Answer</summary>
# 19 times. Each class weighs as much as the other one is frequent: 19/20 for the positive labels, 1/20 for the
# negative ones. One positive with weight 19 balances nineteen negatives with weight 1.
# </details>
#
# **Question 2.** For one finding of 14 somebody multiplies both weights, the positive and the negative one, by ten.
# What changes?
#
# <details><summary>A. The positive images' share of the loss of this finding grows.</summary>
# No. Positive and negative images count ten times as much, so their shares stay as they were. For that only the ratio
# of the two weights matters.
# </details>
# <details><summary>B. Its probabilities move away from the truth.</summary>
# No. They would move if the ratio of the weights were changed. The answer that costs least is the same when all costs
# are ten times as high.
# </details>
# <details><summary>C. This finding counts more beside the other thirteen.</summary>
# Right. The loss is a mean over images and findings. Now this finding has ten times its say in what the shared layers
# learn, while nothing changes between its own positive and negative images.
# </details>
# <details><summary>D. Nothing at all, because only ratios matter.</summary>
# No. The ratio of the two classes stays, but the ratio to the other findings does not.
# </details>
#
# **Question 3.** A finding is on one image in ten. A network trained with the balancing weights 0.9 and 0.1 gives an
# image 0.9. If the weights are all that has shifted it, what probability stands behind this number?
#
# <details><summary>Answer</summary>
# 0.5. A probability of 0.9 means odds of 9. The weights have multiplied the odds by 0.9 / 0.1 = 9, so the true odds
# are 1, which is a probability of one half. That is still five times the frequency of the finding.
# </details>
#
# **Question 4.** Somebody replaces every probability p of a finding by p squared. What does that do to the figures on
# the test part?
#
# <details><summary>A. The AUC falls, because all scores get smaller.</summary>
# No. Squaring keeps the order of numbers between 0 and 1, and the AUC knows nothing but the order.
# </details>
# <details><summary>B. The ranking is as good as before, the calibration is not.</summary>
# Right. The order stays, and so does the AUC. What the numbers say has changed, and with it the Brier score and the
# calibration error. A network can rank well and still be wrong about how likely a finding is.
# </details>
# <details><summary>C. They all change, because they are all computed from the probabilities.</summary>
# No. The Brier score and the calibration error look at the numbers themselves, the AUC only at their order. That is
# also why undoing the weights left every AUC as it was.
# </details>
# <details><summary>D. Nothing, because the network still knows what it knew before.</summary>
# No. It still knows as much about the order of the images. But an image that it gave 0.6 now has 0.36, and of such
# images the same share has the finding as before.
# </details>
#
# **Question 5.** The findings are listed as Atelectasis, Effusion, Mass. Keras is given class_weight={0: 1, 1: 5, 2:
# 50}. How does it weigh an image that shows Effusion and Mass?
#
# <details><summary>A. 50, the weight of the rarer one.</summary>
# No. That would be sensible, but Keras does not look for the largest weight. It looks for the first largest label in
# the row.
# </details>
# <details><summary>B. 55, the sum of both.</summary>
# No. Nothing is added up. A single class is taken for the whole image, as if findings excluded each other.
# </details>
# <details><summary>C. Effusion with 5 and Mass with 50.</summary>
# No. That is what one wants, and why this course puts weights for each finding into the loss. Keras gives the whole
# image one weight.
# </details>
# <details><summary>D. 5, as if Mass were not there.</summary>
# Right. The row is 0, 1, 1, and the first largest entry is at place 1, counted from 0. Mass is forgotten, and an
# image without any finding is weighted as Atelectasis.
# </details>
#
# ## Key points
#
# - In plain cross-entropy a finding's positive images count in proportion to its frequency.
# - Weights equal to the frequency of the other class make both classes count alike. Within one finding only their ratio
#   matters; among findings that share a network their size matters too.
# - One training is one network. An interval over patients compares two networks; to compare two recipes, train each
#   several times and show the spread.
# - Weights change what happens at a threshold of 0.5, and far less how the images are ranked.
# - They multiply the odds by w₊ / w₋. Divide by it before you call the result a probability. Focal loss has a formula
#   too.
# - Never hand `class_weight` to Keras when an image can have several labels.

# %%
checks.solved()

# %% tags=["nbval-ignore-output", "plumbing"]
gain = found.loc["sensitivity", "weighted"] - found.loc["sensitivity", "plain"]
change = "{difference:+.3f} ({low:+.3f} to {high:+.3f})".format(**weighted_minus_plain)
cxr.headline(f"weights: sensitivity at 0.5 {gain:+.2f}, mean AUC {change}, {len(set(test.patients))} test patients")

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
rare = cxr.given(frequency["positive"].mean() < 0.25, "the findings are not rare in this data set")
enough = rare and test.enough(patients=100)
off = {name: (mean - prevalence).abs().mean() for name, mean in means.items()}
calls_more = found.loc["specificity", "weighted"] < found.loc["specificity", "plain"]
gain_of_moving = moved["sensitivity"].mean() - found.loc["sensitivity", "plain"]
ten = evaluation.measured("losses").groupby("recipe")[["auc", "sensitivity"]].mean()
of_ten = (ten.loc["weighted"] - ten.loc["plain"]).abs()
auc_weighted, auc_corrected = (
    evaluation.auc_table(test.table, predicted[name], test.patients, replicates=0)["auc"]
    for name in ("weighted", "corrected")
)
cxr.identity("The positive share of the loss is the frequency of the finding", share_before, frequency["positive"])
cxr.identity("With weights, positive images contribute half of the loss", share_after, 0.5)
cxr.identity("Undoing the weights leaves every AUC as it was", auc_weighted, auc_corrected)
cxr.claims(
    {
        "Without weights, positive images contribute less than a quarter of the loss": (
            rare and share_before.mean() < 0.25
        ),
        "At a threshold of 0.5 the weighted network finds more of the positives, and calls more of the negatives": (
            enough and gain > 0.1 and calls_more
        ),
        "Over ten trainings, weights change sensitivity at 0.5 far more than they change the mean AUC": (
            of_ten["sensitivity"] > 3 * of_ten["auc"]
        ),
        "Among trainings of one recipe, more than one pair in twenty differs by more than its interval": (
            same["off_zero"].mean() > 0.05
        ),
        "Weights push mean probabilities above prevalence": enough and (means["weighted"] > prevalence).mean() > 0.9,
        "Undoing the weights brings mean probabilities at least twice as near to prevalence": enough
        and off["corrected"] < off["weighted"] / 2,
        "Undoing focal loss takes away a third or more of its calibration error": (
            enough and quality.loc["focal, corrected", "ece"] < quality.loc["focal", "ece"] * 2 / 3
        ),
        "Moving the plain network's threshold to the frequency does at least half of what weighting does": (
            enough and gain_of_moving > gain / 2
        ),
    }
)
