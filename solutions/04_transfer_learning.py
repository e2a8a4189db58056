# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · Transfer learning: what is a school worth?
#
# **Time:** 60 minutes to work through, some minutes to run the first time, seconds after that.
#
# **Questions**
# - What does a network gain from what it has seen before: nothing, photographs, simulated X-rays?
# - Beside what must that be measured, and at which layer is a network to be read?
# - What does it cost to train a head, a part, the whole?
# - Which changes to a picture help a network to learn, and which turn it into a picture of nobody?
# - When should training stop, and which epoch is kept?
#
# **Objectives.** At the end you can fit a head to frozen features, say what a network's earlier training is worth
# beside raw pixels and random weights, fine-tune, read learning curves, and say which flip is wrong for a chest.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# The data set is that of lesson 01: X-rays with labels for up to 14 *findings*, which is the radiologist's word for
# anything unusual that an image shows. Networks learn on `train`, epochs are chosen on `valid`, results are read on
# `test`. Technical words stand in the [glossary](../docs/glossary.md).

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, networks, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed).with_images()
train, test, findings = dataset.part("train"), dataset.part("test"), list(dataset.findings)
dataset

# %% [markdown]
# ## Three schools
#
# *Transfer learning* starts from a network that was trained on something else. Call that its school. Ours is
# EfficientNet-Lite0 (Tan and Le, ICML 2019; the Lite form of 2020 is for telephones): seven *stages* of convolutions,
# each of which makes maps of features out of those of the stage before, and at the end 1,280 maps, each with a
# thirty-second of the picture's width and height. It comes here from three schools:
#
# | school | what it has seen |
# |---|---|
# | `"random"` | nothing: numbers drawn at random, in all layers |
# | `"imagenet"` | 1.3 million photographs of 1,000 kinds of things: dogs, buttons, mushrooms; not one X-ray |
# | `"simulated"` | those photographs, and then simulated chest X-rays |
#
# The second comes from a package that is installed with the course, the third from a file in this repository. How was
# that one made? From the record that lies beside it:

# %%
record = networks.simulated_record()
plan = record["plan"]
print(f"Began with what photographs teach; stages 1 to {plan['frozen']} stayed as they were.")
print(f"Learned on {plan['images']:,} simulated X-rays, {record['epoch']} times round, with the simulator's own truth.")
print(f"Their patients come from seed {plan['seed']}, those of this lesson from seed {seed}.")

# %% [markdown]
# Two things must be said. Those were *other* simulated patients, so no patient of ours was seen before. But they came
# from the same simulator, and their labels were true. On the default data set the last school is therefore worth as
# much as it ever can be. On real X-rays it has to carry over from simulation to reality. Run this lesson on a folder of
# real images and compare.
#
# ## A head on frozen features
#
# The cheapest way to use a school: change nothing in the network. Average each of its last maps over the picture,
# which gives 1,280 *features* an image, and fit a *head* to them: each finding's logit is a weighted sum of all
# features, plus a bias. That is a logistic regression, so it takes seconds and has one best answer. How strongly its
# weights are kept small (the *penalty*) is chosen on the validation part.
#
# **Exercise 1.** How many numbers does such a head have to learn?


# %%
def head_parameters(features, findings):
    """Number of weights and biases of a dense layer from `features` inputs to `findings` outputs."""
    ### BEGIN SOLUTION
    return features * findings + findings
    ### END SOLUTION


# %%
head_parameters = checks.head_parameters(head_parameters)

# %%
print(f"On the last layer's features of our network: {head_parameters(1280, len(findings)):,} numbers")

# %% [markdown]
# Nothing forces us to read the *last* maps. Behind the fifth stage the maps have a sixteenth of the picture's width and
# height and know simpler things: edges, textures, blobs. The last ones know what the school asked for, and may have
# forgotten the rest. And nothing forces us to average over the whole picture: over a grid of 3 x 3 fields, the head
# also learns *where*.
#
# Two rows must stand beside any school. The same regression on *raw pixels*, a thumbnail of 32 x 32, shows what no
# network is needed for. The same network with *random weights* shows what the architecture does by itself. Without that
# row one would credit the school with it.

# %%
from dataclasses import replace

head = cxr.recipe("lite0-head", profile)
middle = (("stage5", 3),)
schools = {
    "raw pixels": replace(head, weights="random", readout=(("image", 32),)),
    "random, middle layer": replace(head, weights="random", readout=middle),
    "photographs, last layer": replace(head, weights="imagenet", readout=()),
    "photographs, middle layer": replace(head, weights="imagenet", readout=middle),
    "both, last layer": replace(head, weights="simulated", readout=()),
    "both, as the course reads them": head,
    "small network from scratch": cxr.recipe("xray-vision", profile),
}
print("The course reads", ", ".join(f"{layer} over {fields} x {fields} fields" for layer, fields in head.readout))

# %% [markdown]
# *Both* is the third school, photographs and then simulated X-rays. Which layers the course reads of it was chosen on
# validation patients, simulated and real ones. The last row is `xray_cnn`, a small network that has been to no school
# and learns everything from our patients. It is another architecture, so its distance to the others is one of school
# and architecture together.
#
# **Predict before you run:** put the seven rows in the order of their mean AUC, from the worst to the best.

# %%
pupils = {name: cxr.train(recipe, dataset, seed) for name, recipe in schools.items()}
said = {name: pupil.predict(test) for name, pupil in pupils.items()}

# %% [markdown]
# All are judged on the same test patients by the area under the ROC curve (*AUC*): the chance that an image with
# the finding gets a higher score than one without, 0.5 for guessing, 1 for perfect. We take the mean over the
# findings. Its interval comes from drawing test *patients* again and again with replacement (lesson 02).

# %% tags=["answer"]
marks = {name: evaluation.auc_table(test.table, scores, test.patients).loc["mean"] for name, scores in said.items()}
plots.auc_forest({"mean over the findings": pd.DataFrame(marks).T}, f"Test part, {len(set(test.patients))} patients")

# %% [markdown]
# The intervals overlap easily, because they all contain the same luck with the test patients. To compare two rows, draw
# patients once for both and look at the *difference*.

# %% tags=["answer", "nbval-ignore-output"]
pairs = [
    ("random, middle layer", "raw pixels"),
    ("photographs, middle layer", "raw pixels"),
    ("photographs, middle layer", "random, middle layer"),
    ("photographs, middle layer", "photographs, last layer"),
    ("both, as the course reads them", "photographs, middle layer"),
    ("both, as the course reads them", "small network from scratch"),
]
gained = {
    (name, other): evaluation.auc_difference(test.table, said[name], said[other], test.patients)
    for name, other in pairs
}
pd.DataFrame(gained).T.rename_axis(["row", "less"]).round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "From last to first: {order}. Raw pixels show what no school is needed for; a row below them has lost something "
    "of the picture. The middle of a network that has only seen photographs is worth more than its end, which was "
    "asked for dogs and buttons. On the default data the third school is far ahead, because it has seen the like of "
    "these patients; the small network has to learn everything from them.",
    order=", ".join(sorted(marks, key=lambda name: marks[name]["auc"])),
)

# %% [markdown]
# What is left of this on real X-rays? `benchmarks/real_transfer.py` asks it of children with pneumonia and of adults,
# with few labels and with all, and prints the same rows. There the third school has no home advantage, and what it adds
# to photographs has to be shown, collection by collection.
#
# ## What costs what
#
# Now look at the whole. **Predict before you run:** in which part of the network is most of the work, and in which are
# most of the parameters? Work is counted in *multiply-adds*, one multiplication and one addition. Seconds would
# depend on your machine and on what else it is doing; multiply-adds are the same everywhere. (Seconds stand in the
# table that `cxr run` prints.)

# %% tags=["answer"]
network = networks.efficientnet_lite0(head.size, len(findings))
parts = networks.cost_by_part(network)
parts.round(2)

# %% tags=["plumbing"]
early = parts.iloc[0] / parts.sum()
cxr.answer(
    "The first four stages do {work:.0%} of the work with {parameters:.0%} of the parameters: their maps are large, "
    "and each weight is used at every place. The later stages have most of the parameters.",
    work=early["million multiply-adds an image"],
    parameters=early["parameters"],
)

# %% [markdown]
# As long as nothing learns in the first stages, they give the same result for the same image in every
# epoch. So that is done once for each image and kept on disk. After that an epoch costs only what stands behind. A head
# on frozen features is cheaper still: one pass over the images, then a regression.
#
# | way | what learns | what stays |
# |---|---|---|
# | from scratch | everything | nothing: a small network, `xray_cnn`, that starts from random numbers |
# | frozen | the head, on what the course reads (above) | all of EfficientNet-Lite0 |
# | fine-tuned | the last three stages and the head | the first four stages |

# %%
recipes = {
    "from scratch": cxr.recipe("xray-vision", profile),
    "frozen": head,
    "fine-tuned": cxr.recipe("lite0-transfer", profile),
}

# %% [markdown]
# ## Why batch normalisation stays as it is
#
# Between its convolutions the network has *batch normalisation* layers, which shift and scale each map of features
# to mean 0 and standard deviation 1. They know two ways to do it. In training mode they use mean and deviation of
# the batch at hand; in inference mode they use averages that they have collected over all their training. What does
# that mean for one image?

# %%
import keras

some = test.inputs(64)[:8]
small = networks.xray_cnn(64, len(findings))
same = {}
for mode, training in (("training", True), ("inference", False)):
    answers = [small(batch, training=training) for batch in (some[:1], some)]
    alone, in_company = (keras.ops.convert_to_numpy(answer)[0] for answer in answers)
    same[mode] = bool(np.allclose(alone, in_company, atol=1e-4))
    print(f"{mode} mode: in the company of seven more, an image's logits", "stay" if same[mode] else "change")

# %% [markdown]
# In training mode the answer for one patient depends on which other patients are in the batch, and a small batch is a
# poor sample. The collected averages come from other pictures, but from very many. This course fine-tunes with batch
# normalisation in inference mode, and leaves its averages and scales as they were learned.
#
# Fine-tuning here also starts gently. The head is fitted first, because a random head would send random gradients
# into good features; and the learning rate rises from zero over the first epoch (*warm-up*).
#
# ## How many images does it take?
#
# To see what transfer is worth, train on fewer images. Which ones? Two images of one patient are not two independent
# examples, so whole patients are drawn, not images.
#
# **Exercise 2.** `patients` lists the patient of each image. Go through it in order and take patients, each with all of
# their images, until you have at least `images` images (or all there are). The images of a patient may stand apart in
# the list. Return a list that says for each image, True or False, whether it is taken.


# %%
def whole_patients(patients, images):
    """For each image whether it is taken: patients as they come, each whole, until there are enough images."""
    ### BEGIN SOLUTION
    taken = set()
    for patient in patients:
        if sum(one in taken for one in patients) < images:
            taken.add(patient)
    return [patient in taken for patient in patients]
    ### END SOLUTION


# %%
whole_patients = checks.whole_patients(whole_patients)

# %%
taken = np.asarray(whole_patients(list(train.patients), 100), dtype=bool)
print(f"To have 100 images, it takes {taken.sum()} images of {len(set(train.patients[taken]))} patients.")

# %% [markdown]
# The package's own version draws patients at random, so that a larger sample holds the smaller one. Validation and
# test parts stay as they are; with few training images that is generous, but the same for all three ways.

# %%
sizes = [images for images in (100, 300) if images < len(train)] + [len(train)]
samples = {images: dataset.fewer_images(images, seed, keep_valid=True) for images in sizes}
print("training images:", *(len(sample.part("train")) for sample in samples.values()))

# %% [markdown]
# **Predict before you run:** with about a hundred images, which of the three ways wins? And with all of them?

# %%
runs = {}
for way, recipe in recipes.items():
    for images, sample in samples.items():
        runs[way, images] = cxr.train(recipe, sample, seed)

# %% [markdown]
# Beside the runs stands a baseline: what age, sex, view and number of the visit tell without a single pixel, or a
# 16-pixel thumbnail where these are not known.

# %%
[(baseline_name, baseline_scores)] = evaluation.baseline_scores(train, test, most=1).items()
baseline = evaluation.auc_table(test.table, baseline_scores, test.patients).loc["mean"]

# %% tags=["answer", "nbval-ignore-output"]
rows = []
for (way, count), run in runs.items():
    row = evaluation.auc_table(test.table, run.predict(test), test.patients).loc["mean", ["auc", "low", "high"]]
    spent = {"multiply_adds": run.history["multiply_adds"].iloc[-1], "seconds": run.card["seconds"]}
    rows.append({"way": way, "images": count, **row, **spent})
results = pd.DataFrame(rows)
results.assign(multiply_adds=results["multiply_adds"].map("{:.2g}".format)).round(3)

# %% tags=["answer"]
plots.auc_by_size(results, baseline["auc"], baseline_name)

# %% tags=["plumbing", "nbval-ignore-output"]
few, every = sizes[0], sizes[-1]
area = results.set_index(["way", "images"])["auc"]
cxr.answer(
    "With {few} images: {at_few}. With {every}: {at_every}. On the default data, the borrowed features are nearly the "
    "answer already: the network that made them was trained for the same findings, on pictures from the same "
    "simulator. So even a hundred images are enough to say which feature belongs to which finding, and fine-tuning "
    "finds little left to improve. On real X-rays the borrowed features come from another world, and all of this has "
    "to be asked again.",
    few=few,
    every=every,
    at_few=", ".join(f"{way} {area[way, few]:.2f}" for way in recipes),
    at_every=", ".join(f"{way} {area[way, every]:.2f}" for way in recipes),
)

# %% [markdown]
# Again the differences say more than the points:


# %% tags=["answer", "nbval-ignore-output"]
def gain(first, second):
    """Mean test AUC of one run less that of another, with its 95 % interval over the same test patients."""
    scores = [runs[key].predict(test) for key in (first, second)]
    return evaluation.auc_difference(test.table, *scores, test.patients)


frozen_gain = gain(("frozen", few), ("from scratch", few))
tuning_gain = gain(("fine-tuned", every), ("frozen", every))
scratch_gain = gain(("from scratch", every), ("from scratch", few))
named = {
    f"frozen less from scratch, {few} images": frozen_gain,
    f"fine-tuned less frozen, {every} images": tuning_gain,
    f"from scratch, {every} less {few} images": scratch_gain,
}
print(f"Mean AUC on the test part, {len(set(test.patients))} patients")
pd.DataFrame(named).T.round(3)

# %% [markdown]
# These are intervals over patients, of one training each. A frozen head has one best answer, so it comes out the same
# in every training; fine-tuning does not (lesson 03). Was our fine-tuning lucky? Here are five on the default data
# (`benchmarks/measure_recipes.py tuning`), each less the frozen head. **Predict:** are they all on one side of zero?

# %% tags=["answer"]
tuning = evaluation.measured("tuning_pairs")
plots.difference_forest({"fine-tuned less frozen": tuning}, "Five trainings, default data")

# %% tags=["plumbing"]
cxr.answer(
    "From {d[min]:+.3f} to {d[max]:+.3f}, {d[mean]:+.3f} on average. Fine-tuning keeps its head where no epoch "
    "improves on it, so it cannot end much below. Where the school fits so well, there is little for it to gain.",
    d=tuning["difference"].agg(["min", "max", "mean"]),
)

# %% [markdown]
# ## What did it cost?
#
# Two ways to count it. *Multiply-adds* are the same on every machine: forward once and backward twice as much again
# for every layer that learns, for every image in every epoch; for frozen layers once an image. *Seconds* are what you
# wait for, on the machine that trained the run. Frozen features and the fitting of the head that fine-tuning starts
# from are counted in, even where another run had computed them before.

# %%
plots.auc_by_cost(results, baseline["auc"], baseline_name)

# %% [markdown]
# This count leaves one thing out: what it once cost to train the weights that we borrow. Somebody has paid that; but
# it is paid once and used many times. And it shows one thing: to *use* a large network is cheap. And to train it?

# %% tags=["nbval-ignore-output"]
epochs = len(runs["from scratch", every].history)
print(f"The network from scratch took {epochs} epochs.")

# %% [markdown]
# **Predict:** how many times the frozen head's cost would it be to train EfficientNet-Lite0 whole, for as many epochs?

# %% tags=["answer", "nbval-ignore-output"]
cost = results.set_index(["way", "images"])["multiply_adds"].xs(every, level="images").rename("billion multiply-adds")
whole = round(1e6 * parts["million multiply-adds an image"].sum())
cost["EfficientNet-Lite0 whole, as many epochs"] = 3 * whole * epochs * len(train)
(cost / 1e9).round(1).to_frame().assign(times_the_frozen_head=(cost / cost["frozen"]).round(1))

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "{times:.0f} times. Every layer would run forward and backward in each of {epochs} epochs; the frozen head needs "
    "one pass forward.",
    times=cost.iloc[-1] / cost["frozen"],
    epochs=epochs,
)

# %% [markdown]
# ## When to stop
#
# After each epoch the loss is measured on the validation part, and three *callbacks* act on it:
#
# - the **best checkpoint** keeps the weights of the epoch with the lowest validation loss;
# - the **learning-rate schedule** makes smaller steps when the loss has not fallen for some epochs;
# - **early stopping** ends the run when that has not helped either. How many epochs it waits is its *patience*.
#
# **Exercise 3.** Given the validation loss of each epoch and the patience, return two epochs, counted from 1: the
# one that is kept, and the one after which training stops. It stops when `patience` epochs in a row were no better
# than the best so far, or at the end.


# %%
def early_stopping(losses, patience):
    """Epoch that is kept and epoch after which training stops, both counted from 1."""
    ### BEGIN SOLUTION
    kept = 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < losses[kept - 1]:
            kept = epoch
        if epoch - kept == patience:
            break
    return kept, epoch
    ### END SOLUTION


# %%
early_stopping = checks.early_stopping(early_stopping)

# %% [markdown]
# Here are the curves of two runs. A falling training loss says that the network fits its training images better. Only
# the validation loss says whether it understands X-rays better. Where the training loss goes on falling and the
# validation loss rises for good, the network learns its patients by heart (*overfitting*). Epoch 0 of the fine-tuned
# run is the head alone, before any stage learns. Below, your function reads the curve of the other run.

# %%
shown = {"from scratch": runs["from scratch", every], "fine-tuned": runs["fine-tuned", every]}
plots.learning_curves({f"{way}, {every} images": run.history for way, run in shown.items()})

# %%
scratch = runs["from scratch", every]
losses = scratch.history["val_loss"].tolist()
kept, last = early_stopping(losses, scratch.recipe.patience)
planned, patience = scratch.recipe.epochs, scratch.recipe.patience
print(f"From scratch: {planned} epochs planned, a patience of {patience}.")
print(f"It keeps epoch {kept} and stops after epoch {last}.")

# %% [markdown]
# The star marks the epoch that was kept. What came after it was trained and thrown away.
#
# Against learning by heart there are other means as well. *Dropout* leaves a random half of the features out at each
# step, so that none can be relied on alone; the recipe `densenet-focal` of lesson 07 has it, together with the focal
# loss of lesson 03. The most natural means is more images. The next best is to change those one has.
#
# ## Augmentation, and which flips are wrong
#
# *Augmentation* changes each training image a little, another way in every epoch, in ways that do not change what it
# shows. Some patients stand a little askew, some lean to one side. What would a radiologist say to these?

# %%
from cxr_utils import training

one = some[:1]
pictures = {"as taken": one}
for kind in ("rotate", "shift", "brightness"):
    pictures[kind] = np.asarray(training.augmented(one, (0, 2), (kind,)))
pictures |= {"mirrored": one[:, :, ::-1], "upside down": one[:, ::-1]}
shades = [np.uint8(np.clip(picture * 50 + 128, 0, 255)) for picture in pictures.values()]
plots.gallery(shades, list(pictures), columns=6)

# %% [markdown]
# The first three might be one patient on three days. The fourth is *brighter*, and that is a trap of another kind.
# Every file is standardised before a network sees it (lesson 01), so a file that is brighter all over, with nothing cut
# off at white, gives the same input. A change of
# brightness *after* standardising makes an input that no file can give. It may still act as noise against learning by
# heart, but it prepares the network for nothing. The *mirrored* picture has its heart on the wrong side. Such people
# exist (*dextrocardia*), about one in 10,000; a network that is shown mirrored images half of the time learns that the
# side of the heart means nothing, and it will not notice when somebody has been mislabelled left for right. *Upside
# down*, the patient stands on their head: fluid gathers at the top, air rises to the bottom. No hospital delivers such
# a picture, except by mistake, and then the mistake should be noticed and not learned.
#
# Many published recipes for chest X-rays flip horizontally all the same, because it doubles the data. It may even
# help a score. Know what you give up for it.
#
# If you change a picture, you must also change what was said about places in it.
#
# **Exercise 4.** Mirror an image left to right, and give the new left side `x` of a box. `x` and `width` are
# fractions of the image's width.


# %%
def flip_horizontally(image, x, width):
    """The mirrored image (height, width), and the left side of its box as a fraction of the image's width."""
    ### BEGIN SOLUTION
    return image[:, ::-1], 1 - (x + width)
    ### END SOLUTION


# %%
flip_horizontally = checks.flip_horizontally(flip_horizontally)


# %%
def mirrored_box():
    """A picture and its mirror image, each with the box of its finding."""
    box = dataset.boxes.iloc[0]
    image = dataset.picture(box["image"])
    mirror, left = flip_horizontally(image, box["x"], box["width"])
    boxes = [pd.DataFrame([box.to_dict() | {"x": x}]) for x in (box["x"], left)]
    return plots.gallery([image, np.asarray(mirror)], ["as taken", "mirrored"], boxes, columns=2)


dataset.knows("boxes") and mirrored_box()

# %% [markdown]
# **Predict before you run:** the network from scratch has only seen upright chests with the heart on the left. What
# becomes of its mean AUC on mirrored ones? And on those that stand on their head?

# %% tags=["answer", "nbval-ignore-output"]
judge = runs["from scratch", every]
prepared = test.inputs(judge.recipe.size)
turned = {"as taken": prepared, "mirrored": prepared[:, :, ::-1], "upside down": prepared[:, ::-1]}
tables = {}
for name, pictures in turned.items():
    logits = pd.DataFrame(judge.model.predict(pictures, verbose=0), test.table["image"], findings)
    tables[name] = evaluation.auc_table(test.table, logits, test.patients).loc["mean", ["auc", "low", "high"]]
pd.DataFrame(tables).T.astype(float).round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "Mean AUC {taken:.2f} as taken, {mirrored:.2f} mirrored, {upside:.2f} upside down. Mirrored is the subtler trap: "
    "lungs look much alike on both sides, so that the network still answers as if nothing were wrong.",
    taken=tables["as taken"]["auc"],
    mirrored=tables["mirrored"]["auc"],
    upside=tables["upside down"]["auc"],
)

# %% [markdown]
# Does augmentation with *right* changes help? One run with it and one without would tell more of luck than of the
# recipe (lesson 03). So here are ten of each, the network from scratch on 300 images of the default data
# (`benchmarks/measure_recipes.py augmentation`). **Predict:** do rotating and shifting help?

# %% tags=["answer"]
augmentation = evaluation.measured("augmentation_pairs").query("recipe != less_recipe")
plots.difference_forest({"with rotate and shift, less without": augmentation}, "Ten trainings, default data")

# %% tags=["plumbing"]
cxr.answer(
    "The ten differences have a mean of {d[mean]:+.3f} with a standard error of {d[sem]:.3f}; single ones go from "
    "{d[min]:+.3f} to {d[max]:+.3f}. Compare the mean with twice its standard error before you say that the changes "
    "help, and think of the one training that you would have seen. Measure before you believe.",
    d=augmentation["difference"].agg(["mean", "sem", "min", "max"]),
)

# %% [markdown]
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** A layer puts out 100 maps. A head reads their averages over a grid of 3 x 3 fields and answers for
# 14 findings. How many numbers does it learn?
#
# <details><summary>Answer</summary>
# 12,614. Each map gives 9 averages, so there are 900 features. 900 weights for each of 14 findings are 12,600, and
# each finding has one bias. Averaged over the whole picture it would be 1,414, but such a head does not know where
# anything is.
# </details>
#
# **Question 2.** A paper says: "Our network was trained on photographs and reaches 0.80. A regression on raw pixels
# reaches 0.70. So photographs are worth 0.10." Which row is missing?
#
# <details><summary>A. The same network with random weights.</summary>
# Right. Between raw pixels and this network lie two things: the building and what was learned in it. Only the same
# building without any school tells them apart. It may even lie below the raw pixels.
# </details>
# <details><summary>B. The regression on larger raw pictures.</summary>
# No. It is a good baseline, but it still lacks the layers. It does not say how much of the 0.10 comes from the layers
# and how much from photographs.
# </details>
# <details><summary>C. The same network, trained on photographs a second time.</summary>
# No. That would show how much luck is in one training. What is missing is a row in which photographs were never seen.
# </details>
# <details><summary>D. A guess from age, sex and view.</summary>
# No. One wants it beside every network. But it says nothing about photographs, whatever it reaches.
# </details>
#
# **Question 3.** A network was judged in batches of 64 and did well. A clinic sends it one image at a time and gets
# other probabilities for the same images. Which cause fits best?
#
# <details><summary>A. One image alone is standardised in another way than 64 images.</summary>
# No. In this course each image is standardised by its own mean and deviation, in whatever company it comes.
# </details>
# <details><summary>B. The sigmoid needs more than one image to be accurate.</summary>
# No. The sigmoid turns each logit into a probability by itself. It does not know about any other image.
# </details>
# <details><summary>C. Batch normalisation still runs in training mode.</summary>
# Right. Then each map is shifted and scaled by what the batch at hand holds, and the answer for one patient depends
# on the others. In inference mode averages from the training are used, and company makes no difference.
# </details>
# <details><summary>D. The thresholds were chosen on a larger part.</summary>
# No. A threshold turns a probability into a yes or no. It cannot change the probability.
# </details>
#
# **Question 4.** The validation losses of seven planned epochs would be 0.70, 0.60, 0.62, 0.58, 0.61, 0.59, 0.57. The
# patience is 2. Which epoch is kept?
#
# <details><summary>A. Epoch 2</summary>
# No. Epoch 3 is worse, but the patience is 2, so training goes on, and epoch 4 is a new best. The waiting begins anew
# there.
# </details>
# <details><summary>B. Epoch 4</summary>
# Right. Epochs 5 and 6 are no better than 0.58, so training stops after epoch 6. The weights of epoch 4 are kept.
# </details>
# <details><summary>C. Epoch 6</summary>
# No. That is the epoch after which training stops. What is kept is the best so far, and not the last.
# </details>
# <details><summary>D. Epoch 7</summary>
# No. It would have the lowest loss of all, but nobody gets to see it: two epochs in a row have been no better before.
# A larger patience would have found it, at a price.
# </details>
#
# **Question 5.** Suppose each way of training takes twice as many epochs. For which one does the number of
# multiply-adds exactly double?
#
# <details><summary>A. For the frozen network with a head</summary>
# No. Its features are computed once for each image and then kept. More steps for the head cost next to nothing.
# </details>
# <details><summary>B. For the fine-tuned one</summary>
# No. What lies behind the cut costs twice as much, but the first stages stay as they are. Their result is computed
# once for each image, however many epochs follow.
# </details>
# <details><summary>C. For the small network from scratch</summary>
# Right. All of its layers learn, so every image passes all of them forwards and backwards in every epoch. Nothing can
# be kept from one epoch to the next.
# </details>
# <details><summary>D. For all three</summary>
# No. What does not learn gives the same result in every epoch, and two of the three ways make use of that.
# </details>
#
# ## Key points
#
# - A school is worth what its features are worth beside raw pixels and beside the same network with random weights.
# - The last layer knows what the school asked for. For another question, read a middle one too.
# - A network that has seen similar images needs fewer examples. The closer its old task, the more it gains; say how
#   close it was.
# - Frozen features are computed once; a head on them costs a single pass over the images.
# - Fine-tune the late stages, from a fitted head, with a small learning rate, and batch normalisation in inference
#   mode. Compare with the frozen head: it may have been enough.
# - Draw smaller samples by patient. Compare networks by the difference on the same test patients, and recipes over
#   several trainings.
# - The validation loss chooses the epoch. The test part is not asked.
# - Augment with what could have happened to this patient. A mirrored chest is another patient, one upside down is
#   none, and a brighter one is no change at all.

# %%
checks.solved()

# %% tags=["nbval-ignore-output", "plumbing"]
best = results.set_index(["way", "images"])
by_way = ", ".join(f"{way} {best.loc[(way, few), 'auc']:.2f}" for way in recipes)
cxr.headline(f"mean AUC with {few} training images: {by_way}; {len(set(test.patients))} test patients")

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
enough = test.enough(patients=150)
easy = enough and marks["raw pixels"]["auc"] > 0.9
room = enough and cxr.given(not easy, "raw pixels nearly solve this task, so a school has little to add")
related = cxr.given(dataset.kind == "phantom", "the third school has simulated X-rays, these are not")
lost = tables["as taken"]["auc"] - tables["upside down"]["auc"]
cxr.identity("In inference mode an image's logits do not depend on its company", same["inference"], True)
cxr.identity("Early stopping kept the epoch of the lowest validation loss", kept, np.argmin(losses) + 1)
cxr.claims(
    {
        "Read at a middle layer, a network that has only seen photographs beats raw pixels": (
            room and gained["photographs, middle layer", "raw pixels"]["low"] > 0
        ),
        "It beats the same network with random weights, read at the same layer": (
            enough and gained["photographs, middle layer", "random, middle layer"]["low"] > 0
        ),
        "Its middle layer is worth more than its last one": (
            enough and gained["photographs, middle layer", "photographs, last layer"]["difference"] > 0
        ),
        "On patients from the simulator, having seen simulated X-rays too is worth more than photographs alone": (
            related and enough and gained["both, as the course reads them", "photographs, middle layer"]["low"] > 0
        ),
        "With few labels, a head on frozen features beats a network from scratch": enough and frozen_gain["low"] > 0,
        "In five trainings, fine-tuning never ends more than 0.02 below the frozen head": (
            tuning["difference"].min() > -0.02
        ),
        "More training images help the network from scratch": enough and scratch_gain["difference"] > 0,
        "The frozen head costs less than a tenth of training the whole network": cost["frozen"] < cost.iloc[-1] / 10,
        "In training mode an image's logits depend on the other images of its batch": not same["training"],
        "Standing the patient on the head costs the network AUC": enough and lost > 0.03,
    }
)
