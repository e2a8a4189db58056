# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Grad-CAM: where does the network look, and does it matter?
#
# **Time:** 50 minutes to work through, under two minutes to run the first time, seconds after that.
#
# **Questions**
# - Which part of a picture speaks for a finding, according to the network?
# - How good is such a heat map? Compared with what?
# - Would the map look the same if the network had learned nothing?
# - Can a heat map unmask a network that cheats?
#
# **Objectives.** At the end you can derive and write Grad-CAM, score heat maps against boxes that were drawn around
# findings, beside maps that know nothing, test whether a map depends on what was learned, and catch a shortcut.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or a folder of real X-rays: see the README, "Your own data"
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# The data set is that of lesson 01: chest X-rays, each with a label, 0 or 1, for up to 14 *findings* (the
# radiologist's word for anything unusual that a picture shows, such as *Effusion*, fluid beside the lung). Some
# findings also have a *box*: a rectangle around the place. The network never sees a box. That makes boxes a fair
# judge of its heat maps.

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, gradcam, images, localization, metrics, plots, sanity, shortcut

dataset = cxr.open_dataset(data, profile=profile, seed=seed).with_images()
train, valid, test = (dataset.part(name) for name in ("train", "valid", "test"))
findings = list(dataset.findings)
dataset

# %%
no_boxes = dataset.lacks("boxes") or (None if len(test.boxes) else "No image of the test part has a box.")
has_box = test.table["image"].isin([] if no_boxes else test.boxes["image"]).to_numpy()
explained = test.subset(has_box if has_box.any() else test.labels.any(axis=1), "explained")
print(no_boxes or f"{len(test.boxes):,} boxes on {len(explained):,} of {len(test):,} test images")

# %% [markdown]
# ## The network
#
# We explain `xray_cnn`, a small network trained from scratch (lesson 04 trains it too; what was trained once is kept).
# It is the right one for this lesson because it shrinks the picture only eightfold, so its maps stay fine, and because
# it ends in an average and a weighted sum, so its heat map can be derived with pencil and paper.
#
# A heat map answers *where*. First ask *whether*: a network that cannot tell a finding has no place to point at. The
# area under the ROC curve (AUC, lesson 05) is 0.5 for guessing and 1 for perfect.

# %%
recipe = cxr.recipe("xray-vision", profile)
trained = cxr.train(recipe, dataset, seed)
probability = trained.predict(dataset)
skill = metrics.auc_table(valid.table, probability.loc[valid.table["image"]], valid.patients, replicates=0)["auc"]
model = trained.model

# %%
auc = metrics.auc_table(test.table, probability.loc[test.table["image"]], test.patients)
plots.auc_forest({recipe.network: auc}, f"Test part, {auc['patients'].iloc[0]} patients")

# %% [markdown]
# Some findings it tells well, others hardly better than a coin. Keep that in mind.
#
# ## A heat map with pencil and paper
#
# The last layers of this network are simple. The picture has become a stack of small *feature maps*: `A[i, j, c]` says
# how strongly feature `c` is seen at place `(i, j)`. Then:
#
# 1. each feature map is averaged over all places (*global average pooling*);
# 2. the averages are multiplied with the finding's weights `w[c]` and added up, plus a bias. The result is the
#    *logit*, which the sigmoid turns into a probability.
#
# Mean and sum may change places: averaging first and weighting then is the same as weighting first and averaging
# then. So the logit is the **mean of a map**, namely of the weighted sum of the feature maps, plus the bias:
#
# $$\text{logit} = \sum_c w_c \, \frac{1}{hw}\sum_{ij} A_{ijc} + b
#   = \frac{1}{hw}\sum_{ij} \underbrace{\sum_c w_c A_{ijc}}_{M_{ij}} + b$$
#
# $M$ is the *class activation map* (Zhou et al., CVPR 2016). It says how much each place adds to the logit.
#
# **Exercise 1.** Return the class activation map.


# %%
def class_map(features, weights):
    """Feature maps (height, width, channels), weighted with (channels,) and summed: (height, width)."""
    ### BEGIN SOLUTION
    return features @ weights
    ### END SOLUTION


# %%
checks.class_map(class_map);

# %% [markdown]
# Now on a picture, chosen by a rule and not by taste: take the finding that the network tells best on the validation
# part, and the picture for which it is surest. `gradcam.cut` cuts the network at its last feature maps, into a *trunk*
# (picture to features) and a *head* (features to logits).

# %%
finding = skill.drop("mean").idxmax() if skill.notna().any() else findings[0]
place = findings.index(finding)
surest = probability.loc[explained.table["image"], finding].idxmax()
picture = cxr.load_image(explained.path(surest), recipe.size)[np.newaxis]

# %%
trunk, head = gradcam.cut(model)
features = trunk.predict(picture, verbose=0)[0]
kernel, bias = head.layers[-1].get_weights()
features.shape, kernel.shape

# %% [markdown]
# Predict before you run: what is the mean of the class activation map, plus the bias?

# %%
weights = kernel[:, place]
activation_map = features @ weights
logit = head.predict(features[np.newaxis], verbose=0)[0, place]
print("The mean of the map plus the bias is the logit:", np.isclose(activation_map.mean() + bias[place], logit, atol=1e-3))

# %%
plots.feature_sum(images.read_image(explained.path(surest)), features, weights, finding)

# %% [markdown]
# Red places speak for the finding, blue ones against it. No single feature map shows the finding; the weighted sum
# says where the evidence is.
#
# ## Grad-CAM
#
# Most networks do not end so simply. *Grad-CAM* (Selvaraju et al., ICCV 2017) asks for the weight of a feature in a
# way that works behind any layer: if this feature became a little stronger, how much would the logit rise? That is a
# *gradient*, and a computer finds it for any network. In four steps:
#
# 1. take the gradient of the logit with respect to each `A[i, j, c]`;
# 2. average it over the places: one weight a feature;
# 3. weighted sum of the feature maps;
# 4. keep what speaks *for* the finding (negative values become 0, which is called ReLU) and divide by the maximum.
#
# **Exercise 2.** Write steps 2 to 4. A map that is 0 everywhere stays 0.


# %%
def heat_map(features, gradients):
    """Grad-CAM from features and gradients, both (height, width, channels): (height, width), maximum 1."""
    ### BEGIN SOLUTION
    heat = np.maximum(features @ gradients.mean(axis=(0, 1)), 0)
    return heat / heat.max() if heat.max() > 0 else heat
    ### END SOLUTION


# %%
checks.heat_map(heat_map);

# %% [markdown]
# For our network we know the gradient without a computer: in $\text{logit} = \frac{1}{hw}\sum w_c A_{ijc} + b$, each
# $A_{ijc}$ stands once, with the factor $w_c / hw$. So Grad-CAM must be the class activation map, without its negative
# part and rescaled. The package's `grad_cam`, which knows nothing of averages and differentiates, should agree.

# %%
computed = gradcam.grad_cam(model, picture, [place])[0, 0]
by_hand = np.maximum(activation_map, 0) / max(activation_map.max(), 1e-9)
same = np.allclose(computed, by_hand, atol=1e-3)
print("Grad-CAM is the class activation map:", same)

# %% [markdown]
# Two habits of the package are worth copying. It takes the gradient of the *logit*, never of the probability: where the
# sigmoid is flat, at 0.999, the gradient of the probability is nearly 0 for a reason that has nothing to do with the
# picture. And it runs the large trunk once for all findings and pictures; only the small head is differentiated
# finding by finding.

# %%
pictures = np.stack([cxr.load_image(explained.path(name), recipe.size) for name in explained.table["image"]])
maps = gradcam.grad_cam(model, pictures)
names = explained.table["image"].tolist()
print(f"{maps.shape[1]} findings, maps of {maps.shape[2]} x {maps.shape[3]} cells")

# %% [markdown]
# Courses love to show four beautiful heat maps. Ours are chosen by a rule: for each of the eight commonest findings of
# the test part, the picture with the finding for which the network is surest. The rectangle is the box, where there
# is one.

# %%
common = test.table[findings].sum().sort_values(ascending=False, kind="stable").index[:8]
shown = []
for one in common:
    with_finding = explained.table.loc[explained.table[one] == 1, "image"]
    if len(with_finding):
        shown.append((probability.loc[with_finding, one].idxmax(), one))


# %%
def gallery(pairs, heat, what):
    """Heat maps of (image, finding) pairs over their pictures, with the probability and the box."""
    boxes = [test.boxes[(test.boxes["image"] == image) & (test.boxes["finding"] == one)] if len(test.boxes)
             else test.boxes for image, one in pairs]  # fmt: skip
    titles = [f"{one.replace('_', ' ')}: {probability.loc[image, one]:.0%}" for image, one in pairs]
    chosen = [heat[names.index(image), findings.index(one)] for image, one in pairs]
    return plots.heat_gallery([images.read_image(test.path(image)) for image, _ in pairs], chosen, titles, boxes, what=what)


gallery(shown, maps, "the surest image of each common finding")

# %% [markdown]
# Some hit, some miss, and all of them look convincing. That is the trouble with looking: the eye forgives. So count.
#
# ## Scores
#
# The *pointing game* (Zhang et al., ECCV 2016): does the hottest cell of the map lie in the box?
#
# **Exercise 3.** `box` is `(x, y, width, height)` in fractions of the picture; `x` and `y` are its upper left corner,
# `y` counts downwards. Is the centre of the hottest cell in the box? A map of zeros points nowhere.


# %%
def points_into(heat, box):
    """Whether the centre of the hottest cell of heat (rows, columns) lies in the box."""
    ### BEGIN SOLUTION
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    across, down = (column + 0.5) / heat.shape[1], (row + 0.5) / heat.shape[0]
    x, y, width, height = box
    return x <= across < x + width and y <= down < y + height and heat.max() > 0
    ### END SOLUTION


# %%
checks.points_into(points_into);

# %% [markdown]
# One cell decides the pointing game. *Energy* looks at the whole map: which share of all heat lies in the box?
#
# **Exercise 4.** `inside` is true for the cells in the box.


# %%
def energy_inside(heat, inside):
    """Share of the heat, 0 to 1, that lies where inside (rows, columns) is true; 0 for a map of zeros."""
    ### BEGIN SOLUTION
    return heat[inside].sum() / heat.sum() if heat.any() else 0.0
    ### END SOLUTION


# %%
checks.energy_inside(energy_inside);

# %% [markdown]
# A score needs something to beat. Three maps that never look at the picture:
#
# - **random**: noise, another for each picture;
# - **centre**: the same blob in the middle of every picture;
# - **mean box**: for each finding the average of the boxes of the *training* part. Hearts are where hearts are.
#
# Predict before you run: which of the four will point into the box most often?

# %%
side = maps.shape[-1]
candidates = {"Grad-CAM": maps, "centre": localization.centre_prior(side)}
candidates["random"] = localization.random_maps(len(names), side, seed)
if len(train.boxes):
    candidates["mean box"] = localization.mean_box_map(train.boxes, findings, side)
patient_of = dict(zip(names, explained.patients, strict=True))

# %%
scored, tables = {}, {}
if not no_boxes:
    for kind, heat in candidates.items():
        scored[kind] = localization.score_boxes(heat, names, findings, test.boxes)
        tables[kind] = localization.summarise_boxes(scored[kind], patient_of, seed=seed)
print(no_boxes or f"{len(scored['Grad-CAM'])} pairs of an image and a finding with a box")

# %%
title = f"Test part, {len(set(explained.patients))} patients with boxes"
no_boxes or plots.score_forest(tables, "hit", title)

# %% tags=["nbval-ignore-output"]
no_boxes or pd.DataFrame({kind: table["energy"] for kind, table in tables.items()}).round(2)

# %% [markdown]
# Look at three things. Grad-CAM finds what the network has learned to see and what has a place of its own, such as a
# *Pneumothorax* (air beside the lung, which collapses). The centre wins where the finding always lies in the middle:
# for *Cardiomegaly*, a large heart, a blob that has never seen a picture is nearly always right. And the mean box, which
# looks at no picture either, is hard to beat anywhere. A heat map in the right place proves little if everybody knows the
# place beforehand.
#
# Is a difference more than luck? Both maps were scored on the same boxes, so subtract box by box and draw patients
# again and again (the bootstrap of lesson 05).

# %%
def ahead_of(other):
    """By how much Grad-CAM scores better than another map, with a 95 % interval over patients."""
    ours = scored["Grad-CAM"]
    gap = ours.assign(**{score: ours[score] - scored[other][score] for score in localization.SCORES})
    return localization.summarise_boxes(gap, patient_of, seed=seed).loc["all"]


ahead = {} if no_boxes else {f"Grad-CAM ahead of {other}": ahead_of(other) for other in list(scored)[1:]}
columns = ["hit", "hit_low", "hit_high", "energy", "energy_low", "energy_high"]

# %% tags=["nbval-ignore-output"]
no_boxes or pd.DataFrame(ahead).T[columns].round(3)

# %% [markdown]
# Why are small findings so hard? One cell of the map covers a whole square of the picture.

# %%
if no_boxes:
    print(no_boxes)
else:
    area = test.boxes.assign(area=test.boxes["width"] * test.boxes["height"]).groupby("finding")["area"].median()
    print(f"One cell of the map covers {1 / side**2:.2%} of the picture.")
    print(f"The median box of {area.idxmin()} covers {area.min():.2%}, that of {area.idxmax()} {area.max():.1%}.")

# %% [markdown]
# Enlarging the map until it looks smooth, as in the pictures above, adds no knowledge.
#
# Does it help when the network is sure? Sort the pairs by the network's probability, cut them into four groups of equal
# size, and score each.

# %%
if not no_boxes:
    pairs = scored["Grad-CAM"]
    sure = np.array([probability.loc[image, one] for image, one in zip(pairs["image"], pairs["finding"], strict=True)])
    quarter = np.argsort(np.argsort(sure)) * 4 // len(sure)
    by_sureness = pairs[["hit", "energy"]].groupby(quarter).mean().rename_axis("quarter")

# %% tags=["nbval-ignore-output"]
no_boxes or by_sureness.round(2)

# %% [markdown]
# The surer the network, the better it points. So a heat map is worth most where the network sees the finding, and a
# map for a finding of probability 2 % is a picture of nothing. But sure is not right: here are the surest
# misses, the pairs with the highest probability whose map points out of the box.

# %%
if not no_boxes:
    misses = pairs.assign(sure=sure)[pairs["hit"] == 0].sort_values("sure", ascending=False)[:4]
no_boxes or gallery(list(zip(misses["image"], misses["finding"], strict=True)), maps, "the surest misses")

# %% [markdown]
# ## Does the map know the network?
#
# Some methods draw the edges of the picture, whatever the network has learned, and look wonderful. Adebayo et al.
# (NeurIPS 2018) found a simple test: destroy the learning and see whether the map changes. We replace the weights by random
# ones, layer by layer, from the last one down, and compare each map with the original by rank correlation (1: the same
# order of cells; 0: nothing in common).
#
# Predict before you run: how many layers have to go before the map is lost?

# %%
bears = explained.labels == 1
shares = (0.0, 0.05, 0.25, 0.5, 0.75, 1.0)
destroyed = {share: gradcam.grad_cam(sanity.randomise_weights(model, share, seed=seed), pictures) for share in shares}
similarity = {share: sanity.map_similarity(maps, heat)[bears] for share, heat in destroyed.items()}
plots.randomised_layers(similarity)

# %% [markdown]
# A single layer is enough: the last one, which holds the weights $w_c$. So these maps do depend on what was learned. It is
# a test that a map can fail, not a proof that it is right.
#
# ## The shortcut
#
# Now the experiment for which heat maps were worth inventing. In some hospitals, a technician sticks a token on the film
# of a patient who is too ill to stand. Such patients have more findings. A network that reads the token looks clever in that
# hospital, and fails in the next one (Zech et al., PLOS Medicine 2018).
#
# We plant a token: a disc with a P in the upper left corner of nine in ten pictures with the commonest finding, and of one
# in twenty without it.

# %%
target = train.table[findings].sum().idxmax()
marked = shortcut.mark(dataset, target, seed=seed)
share = marked.table["marker"].groupby(marked.table[target]).mean()
print(f"{target}: marker on {share[1]:.0%} of the pictures with it, on {share[0]:.0%} of the others")

# %%
tokens = marked.table.loc[(marked.table["marker"] == 1) & (marked.table["split"] == "test"), "image"].tolist()
plots.gallery([images.read_image(marked.path(name)) for name in tokens[:4]], tokens[:4])

# %% [markdown]
# The same recipe, the same seed, the same patients; the token is the only difference.

# %%
cheat = cxr.train(recipe, marked, seed)
versions = {"without marker": dataset, "with marker": marked}
networks = {"trained without": trained, "trained with": cheat}

# %%
rows = {name: [] for name in networks}
places = [(part, version) for part in ("valid", "test") for version in ("with marker", "without marker")]
for name, network in networks.items():
    for part, version in places:
        looked_at = versions[version].part(part)
        truth, scores = looked_at.table[target].to_numpy(), network.predict(looked_at)[target].to_numpy()
        rows[name].append(metrics.auc_interval(truth, scores, looked_at.patients, seed=seed))

# %%
index = [f"{part}, {version}" for part, version in places]
shortcut_auc = {name: pd.DataFrame(intervals, index=index) for name, intervals in rows.items()}
patients = [len(set(part.patients)) for part in (valid, test)]
plots.auc_forest(shortcut_auc, f"{target}: validation {patients[0]}, test {patients[1]} patients")

# %% [markdown]
# Had you only looked at the validation part of this hospital, the network trained with the token would have been your best
# one. Take the token away, and what it had gained is gone. Nothing in the AUC of the validation part could have told you.
#
# Can the heat map? We look at every marked test picture with the finding, through both networks, and average.

# %%
betrayed = marked.part("test")
betrayed = betrayed.subset(((betrayed.table["marker"] == 1) & (betrayed.table[target] == 1)).to_numpy(), "marked")
seen = np.stack([cxr.load_image(betrayed.path(name), recipe.size) for name in betrayed.table["image"]])
number = findings.index(target)
before, after = (gradcam.grad_cam(network.model, seen, [number]) for network in (trained, cheat))

# %%
average = np.mean([images.resize(images.read_image(betrayed.path(name)), 256) for name in betrayed.table["image"]], axis=0)
titles = [f"mean map, {name} marker" for name in networks]
plots.heat_gallery([average.astype(np.uint8)] * 2, [before.mean(axis=0)[0], after.mean(axis=0)[0]], titles, columns=2,
                   what=f"mean of all marked test pictures with {target}, network trained without and with the marker")  # fmt: skip

# %%
first = betrayed.table["image"].tolist()[:4]
shown = [images.read_image(betrayed.path(name)) for name in first]
titles = [f"{name} marker" for name in networks for _ in first]
plots.heat_gallery(shown * 2, [*before[:4, 0], *after[:4, 0]], titles, columns=len(first),
                   what="the first marked test pictures, above through the network trained without, below with the marker")  # fmt: skip

# %% [markdown]
# The network trained with the token looks into the corner. To put a number on it, treat the corner as a box and use the score
# of exercise 4.

# %%
corner = betrayed.table[["image"]].assign(finding=target, **shortcut.CORNER)
in_corner = [localization.score_boxes(heat, betrayed.table["image"], [target], corner) for heat in (before, after)]
moved = in_corner[1].assign(energy=in_corner[1]["energy"] - in_corner[0]["energy"])
moved = localization.summarise_boxes(moved, dict(zip(betrayed.table["image"], betrayed.patients, strict=True)), seed=seed)

# %% tags=["nbval-ignore-output"]
heat_before, heat_after = (one["energy"].mean() for one in in_corner)
print(f"Heat in the corner: {heat_before:.0%} trained without the marker, {heat_after:.0%} trained with it")
print(f"Difference {moved.loc['all', 'energy']:.0%} ({moved.loc['all', 'energy_low']:.0%} to {moved.loc['all', 'energy_high']:.0%})")

# %% [markdown]
# A warning to end with. The map unmasked this shortcut because it has a place. A shortcut without a place, such as how bright
# the whole picture is, or how large the heart looks because the picture was taken from the front, leaves no spot on a heat
# map. And a map in the right place does not show that the network reads the finding there.
#
# ## Key points
#
# - Behind a global average and a dense layer, the heat map is the weighted sum of the feature maps. Grad-CAM generalises it
#   with gradients of the logit.
# - A heat map is a hypothesis. Score it: against boxes, on all pictures, with intervals over patients.
# - Score it beside maps that do not look: random, centre, mean box. They are harder to beat than you would think.
# - Destroy the weights. A map that stays the same has never shown the network.
# - A shortcut raises the AUC where you validate. A heat map may show it; a test set from elsewhere shows what it costs.

# %% tags=["nbval-ignore-output"]
with_marker, without = (shortcut_auc["trained with"].loc[f"test, {version}", "auc"] for version in ("with marker", "without marker"))
pointing = "no boxes" if no_boxes else f"points into the box {tables['Grad-CAM'].loc['all', 'hit']:.0%}, " \
    f"random {tables['random'].loc['all', 'hit']:.0%}"  # fmt: skip
cxr.headline(f"{pointing}; shortcut AUC {with_marker:.2f} with marker, {without:.2f} without ({patients[1]} test patients)")

# %%
few_boxes = no_boxes or cxr.too_few(explained, patients=100)
few = cxr.too_few(test, patients=100)
no_mean_box = few_boxes or (None if "mean box" in tables else "The training part has no boxes.")
hits = {kind: table.loc["all", "hit"] for kind, table in tables.items()}
lost = {share: abs(np.nanmedian(values)) for share, values in similarity.items()}
clean, cheating = shortcut_auc["trained without"]["auc"], shortcut_auc["trained with"]["auc"]

# %%
cxr.claim("For a network that ends in a global average and a dense layer, Grad-CAM is the class activation map", same)
cxr.claim("Grad-CAM points into the box more often than a random map",
          few_boxes or ahead["Grad-CAM ahead of random"]["hit_low"] > 0, unless=few_boxes)  # fmt: skip
cxr.claim("The mean box, which looks at no picture, points into the box more often than the centre",
          no_mean_box or hits["mean box"] > hits["centre"], unless=no_mean_box)  # fmt: skip
cxr.claim("The surest quarter of the maps points into the box more often than the least sure quarter",
          few_boxes or by_sureness["hit"].iloc[-1] > by_sureness["hit"].iloc[0], unless=few_boxes)  # fmt: skip
cxr.claim("The boxes of the smallest finding are smaller than one cell of the map",
          no_boxes or area.min() < 1 / side**2, unless=no_boxes)  # fmt: skip
cxr.claim("Making the last layer random destroys the map", lost[0.05] < 0.3)
cxr.claim("Making all layers random destroys the map", lost[1.0] < 0.3)
cxr.claim("Where the marker goes with the finding, it raises the AUC",
          all(cheating[f"{part}, with marker"] > clean[f"{part}, without marker"] for part in ("valid", "test")), unless=few)  # fmt: skip
gained = cheating["test, with marker"] - clean["test, without marker"]
kept = cheating["test, without marker"] - clean["test, without marker"]
cxr.claim("Without the marker, the same network loses most of what it had gained", kept < gained / 2, unless=few)
cxr.claim("The heat map moves to the marker", moved.loc["all", "energy_low"] > 0, unless=few)
