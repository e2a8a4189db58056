# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Grad-CAM: where does the network look, and does it matter?
#
# **Time:** 70 minutes to work through, about six minutes to run the first time, about one after that.
#
# **Questions**
# - Which part of a picture speaks for a finding, according to the network?
# - How good is such a heat map? Compared with what?
# - Would the map look the same if the network had learned nothing?
# - Can a heat map unmask a network that cheats?
#
# **Objectives.** At the end you can derive and write Grad-CAM, score heat maps against boxes and masks of findings,
# beside maps that know nothing, test whether a map depends on what was learned, and catch a shortcut.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# The data set is that of lesson 01: chest X-rays, each with a label, 0 or 1, for up to 14 *findings* (the
# radiologist's word for anything unusual that a picture shows, such as *Effusion*, fluid beside the lung). Some
# findings also have a *box*: a rectangle around the place. The network never sees a box. That makes boxes a fair
# judge of its heat maps. Technical words stand in the [glossary](../docs/glossary.md).

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, heatmaps, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed).with_images()
train, valid, test = (dataset.part(name) for name in ("train", "valid", "test"))
findings = list(dataset.findings)
dataset

# %% [markdown]
# Boxes are rare: radiologists have little time for rectangles. We explain the test pictures that have one, or,
# where a data set has none, those with any finding.

# %%
has_box = test.table["image"].isin(test.boxes["image"]).to_numpy()
explained = test.subset(has_box if has_box.any() else (test.labels == 1).any(axis=1), "explained")
print(f"{len(test.boxes):,} boxes on {len(explained):,} of {len(test):,} test images")

# %% [markdown]
# ## The network
#
# We explain `xray_cnn`, a small network trained from scratch (lesson 04 trains it too; what was trained once is kept).
# It is the right one for this lesson because its last maps still have an eighth of the picture's width and height, and
# because it ends in an average and a weighted sum, so its heat map can be derived with pencil and paper.
#
# A heat map answers *where*. First ask *whether*: a network that cannot tell a finding has no place to point at.
# The area under the ROC curve (AUC, lesson 05) is 0.5 for guessing and 1 for perfect.

# %%
recipe = cxr.recipe("xray-vision", profile)
trained = cxr.train(recipe, dataset, seed)
probability = trained.predict(dataset)
skill = evaluation.auc_table(valid.table, probability.loc[valid.table["image"]], valid.patients, replicates=0)["auc"]
model = trained.model

# %%
auc = evaluation.auc_table(test.table, probability.loc[test.table["image"]], test.patients)
plots.auc_forest({recipe.network: auc}, f"Test part, {auc['patients'].iloc[0]} patients")

# %% [markdown]
# Some findings it tells well, others hardly better than a coin. Keep that in mind.
#
# ## A heat map with pencil and paper
#
# The last layers of this network are simple. The picture has become a stack of small *feature maps*: `A[i, j, c]`
# says how strongly feature `c` is seen at place `(i, j)`. Then:
#
# 1. each feature map is averaged over all places (*global average pooling*);
# 2. the averages are multiplied with the finding's weights `w[c]` and added up, plus a bias. The result is the
#    *logit*, which the sigmoid turns into a probability.
#
# Mean and sum may change places: averaging first and weighting then is the same as weighting first and averaging
# then. So the logit is the **mean of a map**, namely of the weighted sum of the feature maps, plus the bias:
#
# ```
# logit = sum over c of  w[c] * (mean over i, j of A[i, j, c])  +  b
#       = mean over i, j of  (sum over c of w[c] * A[i, j, c])  +  b
#                             M[i, j]
# ```
#
# `M` is the *class activation map* (Zhou et al., CVPR 2016). It says how much each place adds to the logit.
#
# **Exercise 1.** Return the class activation map.


# %%
def class_map(features, weights):
    """Feature maps (height, width, channels), weighted with (channels,) and summed: (height, width)."""
    ### BEGIN SOLUTION
    return features @ weights
    ### END SOLUTION


# %%
class_map = checks.class_map(class_map)

# %% [markdown]
# Now on a picture, chosen by a rule and not by taste. Of the findings that at least ten validation pictures show, take
# the one that the network tells best there; of the test pictures with this finding, the one for which it is surest.
# `heatmaps.cut` cuts the network at its last feature maps, into a *trunk* (picture to features) and a *head* (features
# to logits).

# %%
often = skill[findings].where(valid.table[findings].sum() >= 10)
finding = next((one.idxmax() for one in (often, skill[findings]) if one.notna().any()), findings[0])
place = findings.index(finding)
shows_it = explained.table.loc[explained.table[finding] == 1, "image"]
surest = probability.loc[shows_it if len(shows_it) else explained.table["image"], finding].idxmax()
pictures, names = explained.inputs(recipe.size), explained.table["image"].tolist()
picture = pictures[[names.index(surest)]]
trunk, head = heatmaps.cut(model)
features = trunk.predict(picture, verbose=0)[0]
kernel, bias = head.layers[-1].get_weights()
features.shape, kernel.shape

# %% [markdown]
# By the derivation the mean of your map, plus the bias, is the logit that the network gives. Is it?

# %%
weights = kernel[:, place]
activation_map = np.asarray(class_map(features, weights))
logit = head.predict(features[np.newaxis], verbose=0)[0, place]
cxr.identity(
    "The mean of the class activation map plus the bias is the logit", activation_map.mean() + bias[place], logit
)

# %% [markdown]
# So the map splits the logit up among the places. Here are the picture, the four feature maps that add most to the
# logit or take most from it, and the weighted sum of all of them:

# %%
plots.feature_sum(explained.picture(surest), features, weights, finding)

# %% [markdown]
# Red places raise the logit, blue ones lower it. No single feature map shows the finding. The weighted sum says which
# places the network used. Whether these are the places where the finding is must be measured.
#
# ## Grad-CAM
#
# Most networks do not end so simply. *Grad-CAM* (Selvaraju et al., ICCV 2017) asks for the weight of a feature in a
# way that works behind any layer: if this feature became a little stronger, how much would the logit rise? That is
# a *gradient*, and a computer finds it for any network. In four steps:
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
heat_map = checks.heat_map(heat_map)

# %% [markdown]
# For our network we know the gradient without a computer: in the sum above each `A[i, j, c]` stands once, with the
# factor `w[c]` divided by the number of places. It is the same at every place, so the average is that factor too,
# and Grad-CAM must be the class activation map without its negative part, rescaled. Your function, given that gradient,
# and the package's `grad_cam`, which knows nothing of averages and differentiates, should agree.

# %%
computed = heatmaps.grad_cam(model, picture, [place])[0, 0]
positive_part = np.maximum(activation_map, 0) / max(activation_map.max(), 1e-9)
yours = heat_map(features, np.broadcast_to(weights / activation_map.size, features.shape))
cxr.identity("Grad-CAM, your function and the positive class activation map agree", computed, yours, positive_part)

# %% [markdown]
# Averaging the gradient over the places is a choice. *HiResCAM* (Draelos and Carin, 2020) multiplies each place of
# each feature with its own gradient. Where the gradient is the same at every place, that must make no difference.

# %%
hires = heatmaps.grad_cam(model, picture, [place], method="hirescam")[0, 0]
cxr.identity("HiResCAM is the same map at this layer", hires, computed)

# %% [markdown]
# At other layers the two differ. `heatmaps.map_layers(model)` names all layers that can be looked at, and
# `grad_cam(..., layer=...)` looks there: earlier ones are finer, and know less about findings.
#
# Two habits of the package are worth copying. It takes the gradient of the *logit*, never of the probability: where
# the sigmoid is flat, at 0.999, the gradient of the probability is nearly 0 for a reason that has nothing to do
# with the picture. And it runs the large trunk once for all findings and pictures; only the small head is
# differentiated finding by finding.

# %%
maps = heatmaps.grad_cam(model, pictures)
print(f"{maps.shape[1]} findings, maps of {maps.shape[2]} x {maps.shape[3]} cells")

# %% [markdown]
# Courses love to show four beautiful heat maps. Ours are chosen by a rule: for each of the eight commonest findings of
# the test part, take the pictures that show it, and of these the one for which the network is surest. Its probability
# stands above it. The rectangle is the box, where there is one.


# %%
def gallery(pairs, heat, what, told=probability):
    """Heat maps of (image, finding) pairs over their pictures, with the probability and the box."""
    boxes = [test.boxes_of(image, one) for image, one in pairs]
    titles = [f"{one.replace('_', ' ')}: {told.loc[image, one]:.0%}" for image, one in pairs]
    chosen = [heat[names.index(image), findings.index(one)] for image, one in pairs]
    shown = [test.picture(image) for image, _ in pairs]
    return plots.heat_gallery(shown, chosen, titles, boxes, what=what)


# %%
common = test.table[findings].sum().sort_values(ascending=False, kind="stable").index[:8]
having = {one: explained.table.loc[explained.table[one] == 1, "image"] for one in common}
surest_of = [(probability.loc[having[one], one].idxmax(), one) for one in common if len(having[one])]
gallery(surest_of, maps, "the surest image of each common finding")

# %% [markdown]
# Some hit, some miss, and for many a story can be found afterwards. That is the trouble with looking: the eye
# forgives. So count.
#
# ## Scores
#
# The *pointing game* (Zhang et al., ECCV 2016): does the hottest cell of the map point into the box?
#
# **Exercise 3.** `box` is `(x, y, width, height)` in fractions of the picture; `x` and `y` are its upper left corner,
# `y` counts downwards. Look at each direction, across and down, by itself: the hottest cell fits if its centre lies in
# the box or the box's centre lies in the cell. (A box can be so small or so thin that it holds the centre of no cell.)
# The cell points into the box if it fits in both directions. A map of zeros points nowhere.


# %%
def points_into(heat, box):
    """Whether the hottest cell of heat (rows, columns) points into the box."""
    ### BEGIN SOLUTION
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    rows, columns = heat.shape
    x, y, width, height = box
    across = abs((column + 0.5) / columns - (x + width / 2)) <= max(width, 1 / columns) / 2
    down = abs((row + 0.5) / rows - (y + height / 2)) <= max(height, 1 / rows) / 2
    return heat.max() > 0 and across and down
    ### END SOLUTION


# %%
points_into = checks.points_into(points_into)

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
energy_inside = checks.energy_inside(energy_inside)

# %% [markdown]
# Your two functions, on the maps of the gallery above. A cell counts as inside where its centre lies in the box. Some
# findings have several boxes in one picture, such as fluid on both sides: pointing into any of them is a hit, and heat
# in any of them counts. (`boxed and ...` leaves a cell out where a data set has no boxes, and says so.)


# %%
def inside_of(box, side):
    """The cells (side, side) whose centre lies in the box."""
    x, y, width, height = box
    centre = (np.arange(side) + 0.5) / side
    return np.outer((y <= centre) & (centre < y + height), (x <= centre) & (centre < x + width))


def score_by_hand(image, one):
    """Whether the map points into a box of this finding, and the share of its heat in the boxes."""
    heat = maps[names.index(image), findings.index(one)]
    boxes = test.boxes_of(image, one)[["x", "y", "width", "height"]].to_numpy()
    inside = np.any([inside_of(box, len(heat)) for box in boxes], axis=0)
    hit = any(points_into(heat, tuple(box)) for box in boxes)
    return {"finding": one, "boxes": len(boxes), "hit": hit, "energy": energy_inside(heat, inside)}


boxed = explained.knows("boxes")
boxed and pd.DataFrame([score_by_hand(*pair) for pair in surest_of if len(test.boxes_of(*pair))]).round(2)

# %% [markdown]
# A score needs something to beat. Three maps that never look at the picture:
#
# - **random**: noise, another for each picture;
# - **centre**: the same blob in the middle of every picture;
# - **mean box**: for each finding the average of the boxes of the *training* part. Hearts are where hearts are.
#
# **Predict before you run:** which of the four will point into the box most often? Which will have the most heat in it?

# %%
side = maps.shape[-1]
candidates = {"Grad-CAM": maps, **heatmaps.blind_maps(train, len(names), side, seed)}

# %%
scored = {kind: heatmaps.score(heat, explained) for kind, heat in candidates.items()}
tables = {kind: rows.summary(seed=seed) for kind, rows in scored.items()}
print(f"{len(scored['Grad-CAM'])} pairs of an image and a finding with a box")

# %% [markdown]
# In brackets: how many maps of this finding have a box.

# %% tags=["answer"]
title = f"Test part, {len(set(explained.patients))} patients with boxes"
plots.score_forest(tables, "hit", title)

# %% [markdown]
# And the energy, beside the share that a map without any preference would reach, the area of the box:

# %% tags=["answer", "nbval-ignore-output"]
energy = {kind: table["energy"] for kind, table in tables.items()}
boxed and pd.DataFrame(energy | {"area of the box": tables["Grad-CAM"]["area"]}).round(2)

# %% tags=["plumbing", "nbval-ignore-output"]
means = {kind: table.loc["all", ["hit", "energy"]] for kind, table in tables.items()} if boxed else {}
cxr.answer(
    "By hits: {hits}. By energy: {energy}. Grad-CAM does best for what this network has learned to see and what lies "
    "in another place each time. The centre wins where the finding always lies in the middle: for an enlarged heart, "
    "a blob that has never seen a picture is nearly always right. And the mean box, which looks at no picture either, "
    "is hard to beat anywhere. A heat map in the right place proves little if everybody knows the place beforehand.",
    hits=boxed and ", ".join(f"{kind} {means[kind]['hit']:.2f}" for kind in means),
    energy=boxed and ", ".join(f"{kind} {means[kind]['energy']:.2f}" for kind in means),
)

# %% [markdown]
# Is a difference more than luck? Both maps were scored on the same boxes, so subtract box by box and draw patients
# again and again (the bootstrap of lesson 05). Below: by how much Grad-CAM is ahead, over all findings, with its 95
# % interval, in each of the two scores. Read both columns. To report the score that one wins is easy; it takes honesty
# to report the other.

# %% tags=["nbval-ignore-output"]
others = list(scored)[1:]
ahead = {f"ahead of {one}": scored["Grad-CAM"].minus(scored[one]).summary(seed=seed).loc["all"] for one in others}
ends = [f"{score}{end}" for score in ("hit", "energy", "iou_area") for end in ("", "_low", "_high")]
boxed and pd.DataFrame(ahead).T[ends[:6]].astype(float).round(3)

# %% [markdown]
# A third score asks whether the hot region has the shape of the box. Call hot what is at least, say, half as hot as the
# hottest place. The overlap of hot region and box is measured as *intersection over union* (IoU): the area that is in
# both, over the area that is in either. Half is an arbitrary choice, and with the right choice any map looks better. So
# draw all choices, as a ROC curve does with the threshold of a probability. The area under this curve, `iou_area`,
# needs no choice.

# %%
plots.overlap_curves(tables, title)

# %% tags=["nbval-ignore-output"]
overlap = {kind: table.loc["all", ["iou_area", "iou_area_low", "iou_area_high"]] for kind, table in tables.items()}
boxed and pd.DataFrame(overlap).T.astype(float).round(3)

# %% tags=["nbval-ignore-output"]
boxed and pd.DataFrame(ahead).T[ends[6:]].astype(float).round(3)

# %% [markdown]
# An overlap that is reported at one threshold, chosen afterwards, is the top of such a curve. And this is the third
# score on the same maps. Where a map leads in one and trails in another, all three belong into the report.
#
# So far by finding. Is it the finding that matters, or its size? Group the same pairs by the share of the picture
# that the box covers:

# %%
by_size = {kind: rows.summary(by="size", seed=seed) for kind, rows in scored.items()}
plots.score_forest(by_size, "hit", title)

# %% [markdown]
# Large boxes are hit more often than small ones, even by the random map: a pointing game is easy where the box is half
# the lung. A mean over findings of all sizes says as much about the boxes as about the map.
#
# Why are small findings so hard? One cell of the map covers a whole square of the picture.

# %%
area = (test.boxes["width"] * test.boxes["height"]).groupby(test.boxes["finding"]).median().sort_values()
print(f"One cell of the map covers {1 / side**2:.2%} of the picture.")
for one in area.index[[0, -1]] if boxed else ():
    print(f"The median box of {one} covers {area[one]:.2%}.")

# %% [markdown]
# Enlarging the map until it looks smooth, as in the pictures above, adds no knowledge.
#
# Boxes are generous. A thin rim of air along the lung is a few pixels wide; its box is half the lung, and heat
# anywhere in it counts. The simulator knows which pixels a finding has changed, its *mask*, so here the same maps can
# be scored against the masks of the same findings:

# %%
masked = boxed and dataset.knows("simulated_truth")
against = {kind: heatmaps.score(heat, explained, against="masks") for kind, heat in candidates.items()}
strict = {kind: rows.summary(seed=seed) for kind, rows in against.items()}

# %% tags=["nbval-ignore-output"]
shown = ["area", "hit", "energy", "iou_area"]
targets = {"box": tables, "mask": strict}
means = {
    target: masked and pd.DataFrame({kind: table.loc["all", shown] for kind, table in found.items()}).T
    for target, found in targets.items()
}
pressed = {
    target: masked and table.assign(energy_over_area=table["energy"] / table["area"]) for target, table in means.items()
}
masked and pd.concat(pressed, axis=1).astype(float).round(3)

# %% [markdown]
# The maps are the same, and yet all scores shrink, those of the blind maps too: a rectangle holds healthy lung, and a
# mask does not, so the target is smaller. Energy over area, the last column, says how much more heat lies in the target
# than would by chance; compare that. And before you compare a heat map's score with one from a paper, ask what it was
# scored against.
#
# Does it help when the network is sure? Sort the pairs by the network's probability, cut them into four groups of equal
# size, and score each. Beside Grad-CAM stands the random map, on the same pairs. **Predict:** what will the random map
# do from the least sure quarter to the surest?

# %% tags=["answer", "nbval-ignore-output"]
pairs = scored["Grad-CAM"].rows
sure = [probability.loc[image, one] for image, one in zip(pairs["image"], pairs["finding"], strict=True)]
quarter = pd.Series(np.argsort(np.argsort(sure)) * 4 // max(len(sure), 1), name="quarter (3 is the surest)")
sureness = {
    kind: scored[kind].rows.reset_index(drop=True)[["hit", "energy", "area"]].groupby(quarter).mean()
    for kind in ("Grad-CAM", "random")
}
boxed and pd.concat(sureness, axis=1).round(2)

# %% tags=["plumbing", "nbval-ignore-output"]
rises = boxed and {kind: table["energy"].iloc[-1] / table["energy"].iloc[0] for kind, table in sureness.items()}
cxr.answer(
    "From the least sure to the surest quarter, Grad-CAM's energy grows {gradcam:.1f}-fold and the random map's "
    "{random:.1f}-fold. The boxes of the surest pairs are larger, and whatever is larger is hit more often. Only what "
    "Grad-CAM gains beyond the random map speaks for it.",
    gradcam=rises and rises["Grad-CAM"],
    random=rises and rises["random"],
)

# %% [markdown]
# A heat map is worth most where the network sees the finding. The map of a finding that it thinks absent is a picture
# of nothing. But sure is not right: here are the surest misses, the pairs with the highest probability whose map points
# out of the box.

# %%
misses = pairs.assign(sure=sure)[pairs["hit"] == 0].nlargest(4, "sure")
gallery(list(zip(misses["image"], misses["finding"], strict=True)), maps, "the surest misses")

# %% [markdown]
# Is the hot place quite wrong, or beside the box, or on the other lung? A cell of the last map has seen far more of
# the picture than the square that it is drawn on: each convolution looks a little further, and in this network a
# cell in the end can see nearly the whole picture (its *receptive field*). So the evidence for what a cell says may
# lie elsewhere.
#
# ## A better network, a better map?
#
# A network that hardly tells a finding can hardly point at it. The course's main network, EfficientNet-Lite0 as
# lesson 04 has fine-tuned it, tells them better. Does it point better too? The pictures and the boxes stay the same.

# %%
main = cxr.train(cxr.recipe("lite0-transfer", profile), dataset, seed)
main_scores = main.predict(dataset)
better = evaluation.auc_difference(
    test.table, *(one.loc[test.table["image"]] for one in (main_scores, probability)), test.patients
)

# %% tags=["nbval-ignore-output"]
print(f"Its mean AUC is higher by {better['difference']:.2f} ({better['low']:.2f} to {better['high']:.2f}).")

# %% [markdown]
# At which layer? The last maps know most about findings and are coarse: 6 x 6 cells. Behind the fifth stage they are
# twice as fine. And with which gradient? This head reads the fifth stage over a grid of fields, so the gradient is not
# the same at every place, and Grad-CAM, which averages it, and HiResCAM, which does not, are different maps. That makes
# six candidates (behind the seventh stage two of them should be the same), and whoever picks the best of six on the
# test part has measured his own luck. The validation part has boxes too: let it choose, by the sum of the three scores.
# Only maps with a box are scored, so only they are made.


# %%
def has_its_box(part):
    """Whether there is a box, of each image and finding of a part."""
    counts = pd.crosstab(part.boxes["image"], part.boxes["finding"])
    return counts.reindex(index=part.table["image"], columns=findings, fill_value=0).to_numpy() > 0


# %%
has_box = valid.table["image"].isin(valid.boxes["image"]).to_numpy()
chosen_on = valid.subset(has_box, "valid with boxes")
layers = ("stage5", "stage6", "stage7")
methods = ("gradcam", "hirescam")
wanted, views = has_its_box(chosen_on), chosen_on.inputs(main.recipe.size)
tried = {}
for layer in layers if has_box.any() else ():
    for method in methods:
        heat = heatmaps.grad_cam(main.model, views, layer=layer, method=method, wanted=wanted)
        rows = heatmaps.score(heat, chosen_on).summary(seed=seed)
        tried[layer, method] = rows.loc["all", ["hit", "energy", "iou_area"]].astype(float)
layer, method = max(tried, key=lambda one: tried[one].sum(), default=("stage5", "hirescam"))

# %%
print(f"The validation part prefers {method} at {layer}.")

# %% tags=["nbval-ignore-output"]
boxed and pd.DataFrame(tried).T.round(3)

# %% [markdown]
# **Predict before you run,** now on the test part: which of the three scores will the better network win against the
# mean box, and which against the centre? (Blind maps are drawn on this network's finer grid, so their scores differ a
# little from those above.)

# %%
wanted = has_its_box(explained)
for image, one in surest_of:  # for the gallery
    wanted[names.index(image), findings.index(one)] = True
views = explained.inputs(main.recipe.size)
main_maps = heatmaps.grad_cam(main.model, views, layer=layer, method=method, wanted=wanted)
rivals = {
    "main network": main_maps,
    "small network": maps,
    **heatmaps.blind_maps(train, len(names), main_maps.shape[-1], seed),
}
ranked = {kind: heatmaps.score(heat, explained) for kind, heat in rivals.items()}

# %% tags=["answer", "nbval-ignore-output"]
all_three = ["hit", "energy", "iou_area"]
boxed and pd.DataFrame({kind: one.summary(seed=seed).loc["all", all_three] for kind, one in ranked.items()}).T.astype(
    float
).round(3)

# %% tags=["answer", "nbval-ignore-output"]
lead = {kind: ranked["main network"].minus(ranked[kind]).summary(seed=seed).loc["all"] for kind in list(ranked)[1:]}
boxed and pd.DataFrame(lead).T[ends].astype(float).round(3)

# %% tags=["answer"]
plots.score_forest({kind: one.summary(seed=seed) for kind, one in ranked.items()}, "energy", title)

# %% tags=["plumbing", "nbval-ignore-output"]
names_of = {"hit": "hits", "energy": "energy", "iou_area": "overlap"}


def told(rival):
    """The three differences in words."""
    return ", ".join(
        f"{what} {lead[rival][one]:+.2f} ({lead[rival][f'{one}_low']:+.2f} to {lead[rival][f'{one}_high']:+.2f})"
        for one, what in names_of.items()
    )


cxr.answer(
    "Against the centre: {centre}. Against the mean box: {mean_box}. Three scores are not three words for one thing. "
    "Overlap asks for the box's size, which the mean box has by construction, while this map is hot in spots. With "
    "the patients of seed 1 the mean box is ahead in energy, too.",
    centre=boxed and told("centre"),
    mean_box=boxed and ("mean box" in lead and told("mean box") or "there is none"),
)

# %%
gallery(surest_of, main_maps, "the same images and findings, explained by the main network", main_scores)

# %% [markdown]
# Look again at the validation part's table. Network and layer stay the same, and still Grad-CAM and HiResCAM are far
# apart behind the fifth stage. Its head gives each field a weight of its own. Grad-CAM averages these weights over the
# whole picture, and so loses which field spoke for the finding. Behind the seventh stage they are one map: this layer
# is read as a mean over the whole picture, like the small network's last one.
#
# ## Does the map know the network?
#
# Some methods draw the edges of the picture, whatever the network has learned, and look wonderful. Adebayo et al.
# (NeurIPS 2018) found two simple tests: destroy the learning and see whether the map changes. The first replaces the
# weights by random ones, layer by layer, from the last one down, and compares each map with the original by rank
# correlation (1: the same order of cells; 0: nothing in common).
#
# **Predict before you run:** how many layers have to go before the map is lost?

# %% tags=["answer"]
bears = explained.labels[:64] == 1
similarity = {}
for layer, network in heatmaps.cascade(model, seed=seed):
    destroyed = heatmaps.grad_cam(network, pictures[:64])
    similarity[layer] = heatmaps.map_similarity(maps[:64], destroyed)[bears]
plots.randomised_layers(similarity)

# %% tags=["plumbing", "nbval-ignore-output"]
after_one = (
    np.nanmedian(next(iter(similarity.values()))) if np.isfinite(next(iter(similarity.values()))).any() else np.nan
)
cxr.answer(
    "A single layer is enough: the last one, which holds the weights w[c]. Without it the rank correlation with the "
    "original map is {after:.2f}. The map stays lost whatever else goes.",
    after=after_one,
)

# %% [markdown]
# Could anything fail this test? Take the plainest heat map there is: add up the feature maps, without weights. It is
# bright where much is going on in the picture, and it looks convincing too.

# %%
layer, network = next(heatmaps.cascade(model, seed=seed))
sums = [heatmaps.cut(one)[0].predict(pictures[:64], verbose=0).sum(axis=-1) for one in (model, network)]
cxr.identity(f"Without the weights of {layer!r}, the sum of the features is the same map", *sums)

# %% [markdown]
# It never asked the last layer anything, so it cannot say what speaks for a finding: it is the same map for all.
#
# The second test deals out the *labels* at random: each training picture gets the labels of another one. The same
# recipe then learns from pictures that say nothing about their labels. **Predict:** what do its maps still find?

# %% tags=["nbval-ignore-output"]
dealt = cxr.train(recipe, dataset.with_permuted_labels(seed), seed)
maps_dealt = heatmaps.grad_cam(dealt.model, pictures)
probability_dealt = dealt.predict(dataset)
auc_dealt = evaluation.auc_table(test.table, probability_dealt.loc[test.table["image"]], test.patients).loc["mean"]
print(f"mean AUC {auc_dealt['auc']:.2f} ({auc_dealt['low']:.2f} to {auc_dealt['high']:.2f})")

# %% tags=["nbval-ignore-output"]
positive = explained.labels == 1
learned = {"true labels": maps, "permuted labels": maps_dealt}
cold = {kind: (heat.max(axis=(2, 3)) == 0)[positive].mean() for kind, heat in learned.items()}
pd.DataFrame({"maps without any heat": cold}).round(2)

# %% tags=["answer", "nbval-ignore-output"]
rows = {kind: heatmaps.score(heat, explained) for kind, heat in learned.items()} | {"random map": scored["random"]}
rows["difference"] = rows["true labels"].minus(rows["permuted labels"])
by_labels = {kind: one.summary(seed=seed).loc["all"] for kind, one in rows.items()}
boxed and pd.DataFrame(by_labels).T[["hit", "hit_low", "hit_high", "energy", "iou_area"]].astype(float).round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "With permuted labels: {permuted}; a random map: {random}. A network that has learned nothing about findings can "
    "still look at lungs and not at the corners, so look in all three scores how much of the lead is left. That these "
    "maps depend on the labels is a test that a map can fail, not a proof that it is right.",
    permuted=boxed and ", ".join(f"{what} {by_labels['permuted labels'][one]:.2f}" for one, what in names_of.items()),
    random=boxed and ", ".join(f"{what} {by_labels['random map'][one]:.2f}" for one, what in names_of.items()),
)

# %% [markdown]
# ## The shortcut
#
# Now the experiment for which heat maps were worth inventing. In some hospitals, a technician sticks a token on the
# film of a patient who is too ill to stand. Such patients have more findings. A network that reads the token looks
# clever in that hospital, and fails in the next one (Zech et al., PLOS Medicine 2018).
#
# We plant a token, a disc with a P, in the upper left corner of nine in ten pictures with a certain finding, and of
# one in twenty without it. A shortcut tempts where the finding itself is not easy to tell. We take *Infiltration*, a
# vague cloud anywhere in the lung and frequent enough to measure (or, where a data set does not know it, its commonest
# finding).

# %%
target = train.commonest(prefer="Infiltration")
marked = dataset.with_marker(target, seed)
share = marked.table["marker"].groupby(marked.table[target]).mean()
print(f"{target}: marker on {share[1]:.0%} of the pictures with it, on {share[0]:.0%} of the others")
tokens = marked.table.loc[(marked.table["marker"] == 1) & (marked.table["split"] == "test"), "image"].tolist()
plots.gallery([marked.picture(name) for name in tokens[:4]], tokens[:4])

# %% [markdown]
# The same recipe, the same seed, the same patients; the token is the only difference. Both networks are then judged on
# three versions of the validation and the test part: with the token as in this hospital, without any token, and with
# the token on as many pictures, but dealt out at random, as in a hospital where it means something else. **Predict
# before you run:** six AUCs for each network. Which are high?

# %%
compared = {"trained without": trained, "trained with": cxr.train(recipe, marked, seed)}
at_random = dataset.with_permuted_labels(seed).with_marker(target, seed)  # goes with labels that say nothing
versions = {"with marker": marked, "without marker": dataset, "marker at random": at_random}
judged = {f"{part}, {version}": versions[version].part(part) for part in ("valid", "test") for version in versions}
true_label = dataset.table.set_index("image")[[target]]


# %% tags=["answer"]
def target_auc(network, part):
    """AUC of the marked finding with its interval over patients."""
    truth = true_label.loc[part.table["image"]]
    return (
        evaluation.auc_table(truth, network.predict(part)[[target]], part.patients)
        .loc[target, ["auc", "low", "high"]]
        .astype(float)
    )


shortcut_auc = {
    name: pd.DataFrame({where: target_auc(network, part) for where, part in judged.items()}).T
    for name, network in compared.items()
}
patients = [len(set(part.patients)) for part in (valid, test)]
plots.auc_forest(shortcut_auc, f"{target}: validation {patients[0]}, test {patients[1]} patients")

# %% [markdown]
# Both networks have judged the same pictures, so compare them pair by pair: how much higher is the AUC of the network
# that was trained with the token, on each version of each part?

# %% tags=["answer", "nbval-ignore-output"]
gain = {}
for where, part in judged.items():
    without, with_token = (network.predict(part)[target].to_numpy() for network in compared.values())
    truth = true_label.loc[part.table["image"], target].to_numpy()
    gain[where] = evaluation.auc_difference(truth, with_token, without, part.patients)
pd.DataFrame(gain).T.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "On the test part the network trained with the token has AUC {own:.2f} where the token goes with the finding, "
    "{none:.2f} where there is none, and {chance:.2f} where it is dealt at random; the other network {other:.2f} "
    "there. Had you only looked at the validation part of this hospital, it would have been your best one, and "
    "nothing in that AUC could have told you.",
    own=shortcut_auc["trained with"].loc["test, with marker", "auc"],
    none=shortcut_auc["trained with"].loc["test, without marker", "auc"],
    chance=shortcut_auc["trained with"].loc["test, marker at random", "auc"],
    other=shortcut_auc["trained without"].loc["test, marker at random", "auc"],
)

# %% [markdown]
# Can the heat map? We look at every marked test picture with the finding, through compared networks, and average.

# %%
betrayed = marked.part("test")
both = (betrayed.table["marker"] == 1) & (betrayed.table[target] == 1)
betrayed = betrayed.subset(both.to_numpy(), "marked")
seen, number = betrayed.inputs(recipe.size), findings.index(target)
before, after = (heatmaps.grad_cam(network.model, seen, [number]) for network in compared.values())

# %%
what = f"mean of all marked test pictures with {target}, networks trained without and with the marker"
averages = [heat[:, 0].mean(axis=0) for heat in (before, after)]
corner = betrayed.boxes.head(1)
plots.heat_gallery([seen.mean(axis=0)] * 2, averages, list(compared), [corner] * 2, columns=2, what=what)

# %% [markdown]
# The rectangle is the corner: wherever the token was stuck, and as much again around it, for heat maps are coarse. Here
# are four of them one by one, the first four
# of the table: above through the network trained without the token, below through the one trained with it.

# %%
first = [betrayed.picture(name) for name in betrayed.table["image"][:4]]
titles = [name for name in compared for _ in first]
what = "the first marked test pictures, networks trained without (above) and with the marker (below)"
twice = [*before[:4, 0], *after[:4, 0]]
plots.heat_gallery(first * 2, twice, titles, [corner] * len(twice), columns=len(first), what=what)

# %% [markdown]
# The network trained with the token looks into that corner. Look closely: the hottest place is often *beside* the
# token rather than on it. That is the wide receptive field again. Nobody who saw these maps would guess a letter P;
# but everybody would ask what this finding has to do with that corner, and that is the question that unmasks it.
#
# To put a number on it, treat the corner as a box, and use the score of exercise 4.

# %% tags=["nbval-ignore-output"]
in_corner = [heatmaps.score(heat, betrayed, [target]) for heat in (before, after)]
moved = in_corner[1].minus(in_corner[0])
summaries = [one.summary(seed=seed).loc["all"] for one in (*in_corner, moved)]
print(f"The corner is {(corner['width'] * corner['height']).sum():.0%} of the picture.")
pd.DataFrame(summaries, index=[*compared, "difference"])[["energy", "energy_low", "energy_high"]].round(2)

# %% [markdown]
# A warning to end with. The map unmasked this shortcut because it has a place. A shortcut without a place, such as
# how sharp the whole picture is, or how large the heart looks because the picture was taken from the front, leaves
# no spot on a heat map. And a map in the right place does not show that the network reads the finding there.
#
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** A network ends in a global average and a weighted sum. It has two feature maps, whose means over all
# places are 0.3 and 0.4. The weights of a finding are 2 and -1, its bias is 0.5. What is the logit?
#
# <details><summary>Answer</summary>
# 0.7. The weighted sum of the means is 2 x 0.3 - 1 x 0.4 = 0.2, and the bias adds 0.5. So the class activation map
# has the mean 0.2. How this is spread over the places makes no difference to the logit, and all the difference to the
# picture.
# </details>
#
# **Question 2.** A paper reports that its heat maps point into the box of an enlarged heart in nine of ten pictures.
# Which figure is missing beside this one?
#
# <details><summary>A. The size to which the maps were enlarged.</summary>
# No. Enlarging makes a map look better, but it adds no knowledge of where anything is.
# </details>
# <details><summary>B. How often a map that never looks at the picture does so.</summary>
# Right. Hearts are where hearts are, and their boxes are large. A blob in the centre may do as well, and then nine of
# ten says nothing about the network.
# </details>
# <details><summary>C. The network's AUC for this finding.</summary>
# No. It tells whether there is something to point at, and one should ask it first of all. But with a perfect AUC, too,
# one would not know whether nine of ten is more than the place of hearts gives away.
# </details>
# <details><summary>D. The share of hits among the four pictures that are shown.</summary>
# No. The count is over all pictures, which is better than any four. What it lacks is something to stand beside it.
# </details>
#
# **Question 3.** A box covers a tenth of a picture, and a tenth of the heat of a map lies in it. How good is this
# map?
#
# <details><summary>A. As good as a map without any preference.</summary>
# Right. Heat that is spread evenly puts into each box just the box's share of the picture. The map has to put in more
# than that.
# </details>
# <details><summary>B. Good: it has found the place, and the rest of its heat is weak.</summary>
# No. The share says nothing of how strong the heat is at one place. Nine tenths of it lie outside, where nine tenths
# of the picture are.
# </details>
# <details><summary>C. Bad: nine tenths of its heat are wrong, which is worse than chance.</summary>
# No. The nine tenths are outside, but chance would leave just as much there. It is level with chance, not below it.
# </details>
#
# **Question 4.** The weights of the last layer are replaced by random numbers. The heat maps of some method hardly
# change: their rank correlation with the old ones is 0.98. What does that show?
#
# <details><summary>A. The method is robust, and its maps can be trusted.</summary>
# No. To be robust against noise in the picture is good. These maps are robust against the loss of what was learned,
# and they would look the same if the network knew nothing of the finding.
# </details>
# <details><summary>B. The network has learned nothing in that layer.</summary>
# No. The predictions of the network would tell that, and with random weights they are ruined. It is the method that
# does not use this layer.
# </details>
# <details><summary>C. The random weights happen to be like the old ones.</summary>
# No. Thousands of random numbers are not like learned ones by chance. If in doubt, draw others and look again.
# </details>
# <details><summary>D. The maps show the picture rather than what the network looks for.</summary>
# Right. The last layer says which features speak for which finding. A map that does not depend on it cannot tell one
# finding from another, however convincing it looks.
# </details>
#
# **Question 5.** In one hospital the ill are X-rayed with an old machine, whose pictures are a little less sharp from
# edge to edge. A network makes use of that. Its AUC on the validation patients of this hospital is high, and its heat
# maps lie in the lungs. What would reveal the shortcut?
#
# <details><summary>A. Heat maps of many more pictures of this hospital</summary>
# No. The blur is everywhere in a picture. A shortcut without a place leaves no spot on a map, however many maps one
# looks at.
# </details>
# <details><summary>B. A test on pictures in which sharpness does not go with illness</summary>
# Right. There the network loses what it had gained, as the lesson's network does without the token. Pictures from
# another hospital can do it, or copies of these that were all made equally sharp.
# </details>
# <details><summary>C. A test on further patients of this hospital whom the network has never met</summary>
# No. Their pictures have the same shortcut, so the figure stays high. The token, too, helped on test as long as it
# was there.
# </details>
# <details><summary>D. The pointing game with boxes of the finding</summary>
# No. It asks whether the hottest cell lies in the box. It may, for a network that looks at the lung and yet only
# reads how sharp it is.
# </details>
#
# ## Key points
#
# - Behind a global average and a dense layer, the heat map is the weighted sum of the feature maps. Grad-CAM
#   generalises it with gradients of the logit.
# - A heat map is a hypothesis. Score it: against boxes, on all pictures, with intervals over patients.
# - Score it beside maps that do not look: random, centre, mean box. They are harder to beat than you would think.
# - The main network's maps were better here, at the layer and by the method that validation chose; other layers of the
#   same network did less well. Report all three scores, also those that lose.
# - State whether boxes or masks were the target, and how large they were. Boxes are generous, and large ones are easy.
# - Destroy the weights, deal out the labels. A map that stays the same has never shown the network.
# - A shortcut raises the AUC where you validate. A heat map may show it; a test set from elsewhere shows what it costs.

# %%
checks.solved()

# %% tags=["nbval-ignore-output", "plumbing"]
cheating, clean = shortcut_auc["trained with"]["auc"], shortcut_auc["trained without"]["auc"]
three = {kind: one.summary(seed=seed).loc["all", all_three] for kind, one in ranked.items()} if boxed else {}
kinds = [kind for kind in ("main network", "mean box", "centre") if kind in three]
shown = ", ".join(f"{kind} {' '.join(f'{value:.2f}' for value in three[kind])}" for kind in kinds)
falls = f"{cheating['test, with marker']:.2f} to {cheating['test, marker at random']:.2f}"
cxr.headline(f"hits, energy, overlap: {shown or 'no boxes'}; AUC {falls} with a random marker ({patients[1]} patients)")

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
enough = test.enough(patients=100)
boxes = boxed and explained.enough(patients=100)
# Asked of the validation part, before any map was scored: a network that sees nothing has no place to point at.
sees = boxes and cxr.given(skill["mean"] > 0.6, "the network tells too little on the validation part")
easy = enough and skill["mean"] > 0.9
room = enough and cxr.given(not easy, "the small network nearly solves this task, so another has little to add")
framed = set(tables["centre"].index)
main_skill = evaluation.auc_table(valid.table, main_scores.loc[valid.table["image"]], valid.patients, replicates=0)[
    "auc"
]
able = sees and cxr.given(main_skill["mean"] > 0.7, "the main network tells too little on the validation part")
air = sees and cxr.given("Pneumothorax" in framed, "no boxes of Pneumothorax")
small = boxed and cxr.given("Nodule" in framed, "no boxes of Nodule, the smallest of the 14 findings")
hearts = boxes and cxr.given("Cardiomegaly" in framed, "no boxes of Cardiomegaly")
mean_box = boxes and cxr.given("mean box" in tables, "the training part has no boxes")
sizes = list(by_size["Grad-CAM"].index[:-1])
several_sizes = boxes and cxr.given(len(sizes) > 1, "all boxes are of one class of size")
many_maps = explained.enough(patients=50) and dataset.knows("several_findings")  # one draw of weights a finding
lost = [abs(np.nanmedian(values)) if np.isfinite(values).any() else np.nan for values in similarity.values()]
# Known before any marker was planted: where the network tells the finding anyway, there is nothing to gain.
tempted = enough and cxr.given(not skill[target] > 0.9, f"the network tells {target} without a marker")
honest = clean["test, without marker"]


def hit(kind, row="all", of=tables):
    """Share of maps of one kind that point into the box."""
    return of[kind].loc[row, "hit"]


cxr.claims(
    {
        "Grad-CAM points into the box more often than a random map": sees and ahead["ahead of random"]["hit_low"] > 0,
        "The mean box, which looks at no picture, points into the box more often than the centre": (
            mean_box and hit("mean box") > hit("centre")
        ),
        "For Pneumothorax, Grad-CAM points into the box more often than the centre": (
            air and hit("Grad-CAM", "Pneumothorax") > hit("centre", "Pneumothorax")
        ),
        "For Cardiomegaly, a blob in the centre that looks at no picture is right at least three times in four": (
            hearts and hit("centre", "Cardiomegaly") >= 0.75
        ),
        "The surest quarter of the maps points into the box more often than the least sure quarter": (
            sees and sureness["Grad-CAM"]["hit"].iloc[-1] > sureness["Grad-CAM"]["hit"].iloc[0]
        ),
        "The main network tells the findings better than the small one": room and better["low"] > 0,
        "The main network's maps point into the box more often than the small network's": (
            able and lead["small network"]["hit_low"] > 0
        ),
        "The main network's maps have more heat in the box than the small network's": (
            able and lead["small network"]["energy_low"] > 0
        ),
        "The main network's maps point into the box more often than the centre": able and lead["centre"]["hit_low"] > 0,
        "They have more heat in the box than the centre": able and lead["centre"]["energy_low"] > 0,
        "They overlap with the box better than the centre": able and lead["centre"]["iou_area_low"] > 0,
        "They point into the box at least as often as the mean box": (
            able and mean_box and lead["mean box"]["hit"] >= 0
        ),
        "They overlap with the box less than the mean box": able and mean_box and lead["mean box"]["iou_area_high"] < 0,
        "The boxes of the smallest finding are smaller than one cell of the map": small and area.min() < 1 / side**2,
        "Large boxes are hit more often than small ones, by Grad-CAM and by a random map": (
            several_sizes
            and all(hit(one, sizes[-1], by_size) > hit(one, sizes[0], by_size) for one in ("Grad-CAM", "random"))
        ),
        "Making the last layer random destroys the map": many_maps and lost[0] < 0.3,
        "Whatever layers are made random below it, the map stays destroyed": many_maps and max(lost) < 0.4,
        "Trained on permuted labels, the same recipe makes maps that point into the box less often": (
            sees and by_labels["difference"]["hit_low"] > 0
        ),
        "Where the marker goes with the finding, training with it raises the AUC": (
            tempted and all(gain[f"{part}, with marker"]["low"] > 0 for part in ("valid", "test"))
        ),
        "Without the marker, the same network loses most of what it had gained": (
            tempted and cheating["test, without marker"] - honest < (cheating["test, with marker"] - honest) / 2
        ),
        "With the marker dealt at random, it is worse than the network that never met one": (
            tempted and gain["test, marker at random"]["difference"] < 0
        ),
        "The heat map moves to the marker": tempted and summaries[-1]["energy_low"] > 0,
    }
)
