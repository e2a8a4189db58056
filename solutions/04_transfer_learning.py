# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · Transfer learning
#
# **Time:** 50 minutes to work through, about two minutes to run the first time, seconds after that.
#
# **Questions**
# - What does a network gain from having seen other X-rays before?
# - What does that cost, and what does it save?
# - Which changes to a picture help a network to learn, and which turn it into a picture of nobody?
# - When should training stop, and which epoch is kept?
#
# **Objectives.** At the end you can fit a head to frozen features, fine-tune the last block of a large network,
# compare both with a network trained from scratch, read learning curves, and say which flip is wrong for a chest.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or a folder of real X-rays: see the README, "Your own data"
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# The data set is that of lesson 01: X-rays with labels for up to 14 *findings*, which is the radiologist's word for
# anything unusual that an image shows. Networks learn on `train`, epochs are chosen on `valid`, results are read on
# `test`.

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, networks, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed).with_images()
train, test, findings = dataset.part("train"), dataset.part("test"), list(dataset.findings)
dataset

# %% [markdown]
# ## A network that has seen X-rays before
#
# *Transfer learning* starts from a network that was trained on something else. Ours is DenseNet121 (Huang et al.,
# CVPR 2017): 121 layers in four *dense blocks*, each layer of which sees what all layers of its block before it have
# made. The repository ships weights for it. Where do they come from? From the record that lies beside them:

# %%
record = networks.simulated_record()
patients = record["data"]["patients"]["train"]
print(f"Learned on {record['data']['what']}: {record['data']['images']['train']:,} images of {patients:,} patients,")
print(f"simulated from seed {record['plan']['seed']}. The patients of this lesson come from seed {seed}.")

# %% [markdown]
# Two things to be honest about. These were *other* simulated patients, so no patient of ours was seen before; but
# they came from the same simulator, and their labels were the simulator's own truth, without a reporting error. On
# the default data set, transfer is therefore as easy as it ever gets. On real X-rays, the same weights have to carry
# over from simulation to reality, which is harder: run this lesson on a folder of real images and see how much is
# left. (With an internet connection, `weights="imagenet"` starts from photographs instead.)
#
# ## Three ways to use it
#
# | way | what learns | what stays |
# |---|---|---|
# | from scratch | everything | nothing: a small network, `xray_cnn`, that starts from random numbers |
# | frozen | the *head*: one number a finding, computed from 1,024 features | all of DenseNet121 |
# | fine-tuned | the last dense block and the head | the first three dense blocks |
#
# A head is a dense layer: each finding's logit is a weighted sum of all features, plus a bias.
#
# **Exercise 1.** How many numbers does such a head have to learn?


# %%
def head_parameters(features, findings):
    """Number of weights and biases of a dense layer from `features` inputs to `findings` outputs."""
    ### BEGIN SOLUTION
    return features * findings + findings
    ### END SOLUTION


# %%
checks.head_parameters(head_parameters)

# %% [markdown]
# Now look at the whole. Predict before you run: in which part of the network is most of the work, and in which are
# most of the parameters? Work is counted in *multiply-adds*, one multiplication and one addition. Seconds would
# depend on your machine and on what else it is doing; multiply-adds are the same everywhere. (Seconds stand in the
# table that `cxr run` prints.)

# %%
size = cxr.recipe("densenet-transfer", profile).size
network = networks.densenet121(size, len(findings), weights=None)
parts = networks.cost_by_part(network)
parts.round(2)

# %% [markdown]
# Nearly all of the work is in the first three blocks, and it gives the same result for the same image in every
# epoch, because nothing there learns. So it is done once for each image and kept on disk. After that an epoch costs
# next to nothing.
#
# That is why a head on frozen features is so cheap: one pass over the images, then a logistic regression.

# %%
recipes = {
    "from scratch": cxr.recipe("xray-vision", profile),
    "frozen": cxr.recipe("densenet-head", profile),
    "fine-tuned": cxr.recipe("densenet-transfer", profile),
}
print(f"{network.get_layer('avg_pool').output.shape[-1]} features for each image")

# %% [markdown]
# ## Why batch normalisation stays as it is
#
# Between its convolutions DenseNet121 has *batch normalisation* layers, which shift and scale each map of features
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
# In training mode the answer for one patient depends on which other patients are in the batch. With few images, the
# batch is a poor sample, and the averages collected from many images are better. So fine-tuning leaves batch
# normalisation in inference mode, and its averages and scales as they were learned.
#
# Fine-tuning here also starts gently. The head is fitted first, because a random head would send random gradients
# into good features; and the learning rate rises from zero over the first epoch (*warm-up*).
#
# ## How many images does it take?
#
# To see what transfer is worth, train on fewer images. Which ones? Two images of one patient are not two independent
# examples, so whole patients are drawn, not images.
#
# **Exercise 2.** `patients` lists the patient of each image. Go through it in order and take patients, each with all
# of their images, until you have at least `images` images. Return a list that says for each image, True or False,
# whether it is taken.


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
checks.whole_patients(whole_patients)

# %% [markdown]
# The package's own version draws patients at random, so that a larger sample holds the smaller one. Validation and
# test parts stay as they are; with few training images that is generous, but the same for all three ways.

# %%
sizes = [images for images in (100, 300) if images < len(train)] + [len(train)]
samples = {images: dataset.fewer_images(images, seed, keep_valid=True) for images in sizes}
print("training images:", *(len(sample.part("train")) for sample in samples.values()))

# %% [markdown]
# Predict before you run: with about a hundred images, which of the three ways wins? And with all of them?

# %%
runs = {}
for way, recipe in recipes.items():
    for images, sample in samples.items():
        runs[way, images] = cxr.train(recipe, sample, seed)

# %% [markdown]
# Each run is judged on the same test patients by the area under the ROC curve (*AUC*): the chance that an image with
# the finding gets a higher score than one without, 0.5 for guessing, 1 for perfect. We take the mean over the
# findings. Its interval comes from drawing test *patients* again and again with replacement (lesson 05). Beside it
# stands a baseline: what age, sex, view and number of the visit tell without a single pixel, or a 16-pixel thumbnail
# where these are not known.

# %%
[(baseline_name, baseline_scores)] = evaluation.baseline_scores(train, test, most=1).items()
baseline = evaluation.auc_table(test.table, baseline_scores, test.patients).loc["mean"]

# %% tags=["nbval-ignore-output"]
rows = []
for (way, count), run in runs.items():
    row = evaluation.auc_table(test.table, run.predict(test), test.patients).loc["mean", ["auc", "low", "high"]]
    spent = {"multiply_adds": run.history["multiply_adds"].iloc[-1], "seconds": run.card["seconds"]}
    rows.append({"way": way, "images": count, **row, **spent})
results = pd.DataFrame(rows)
results.assign(multiply_adds=results["multiply_adds"].map("{:.2g}".format)).round(3)

# %%
plots.auc_by_size(results, baseline["auc"], baseline_name)

# %% [markdown]
# Look at the left end first. On the default data, the borrowed features are nearly the answer already: the network
# that made them was trained for the same findings, on pictures from the same simulator. So even a hundred images are
# enough to say which feature belongs to which finding, and fine-tuning finds little left to improve. On real X-rays
# the borrowed features come from another world, and all of this has to be asked again: is the head still ahead at
# the left end, and who is ahead at the right one?
#
# The intervals of single points overlap easily, because they all contain the same luck with the test patients. To
# compare two ways, draw patients once for both and look at the *difference*:


# %% tags=["nbval-ignore-output"]
def gain(first, second):
    """Mean test AUC of one run less that of another, with its 95 % interval over the same test patients."""
    scores = [runs[key].predict(test) for key in (first, second)]
    return evaluation.auc_difference(test.table, *scores, test.patients)


few, every = sizes[0], sizes[-1]
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
# If fine-tuning has gained you nothing, do not turn its knobs yet. First ask how much there was to gain. On the
# default data that can be measured, because the file of weights still holds the head that its maker had fitted, to
# all of those images and their true labels. What does that head say of our test patients?

# %% tags=["nbval-ignore-output"]
own_scores = networks.own_head_scores(test, size)
left = evaluation.auc_difference(test.table, own_scores, runs["frozen", every].predict(test), test.patients)
left.rename(f"their head, {record['data']['images']['train']:,} images, less ours, {every}").round(3).to_frame().T

# %% [markdown]
# Seven times as many images, with labels free of errors, had given little more than our thousand: the upper end of
# the interval says how much more at most. It is no strict bound for a block that learns, but fine-tuning on fewer
# images and worse labels is unlikely to pass it. (On real X-rays that head is no yardstick: it has never seen one.)
#
# ## What did it cost?
#
# Two ways to count it. *Multiply-adds* are the same on every machine: forward once and backward twice as much again
# for every layer that learns, for every image in every epoch; for frozen layers once an image. *Seconds* are what you
# wait for, on the machine that trained the run: frozen features and the fitting of the head that fine-tuning starts
# from are counted in, even where another run had computed them before.

# %%
plots.auc_by_cost(results, baseline["auc"], baseline_name)

# %% [markdown]
# One thing this count leaves out: what it once cost to train the weights that we borrow. Somebody has paid that; but
# it is paid once and used many times. And one thing it shows: a large network is not expensive to *use*, only to
# train whole. What would it cost to train DenseNet121 whole, for as many epochs as the network from scratch took?

# %% tags=["nbval-ignore-output"]
epochs = len(runs["from scratch", every].history)
cost = results.set_index(["way", "images"])["multiply_adds"].xs(every, level="images").rename("billion multiply-adds")
whole = round(1e6 * parts["million multiply-adds an image"].sum())
cost["DenseNet121 whole, as many epochs"] = 3 * whole * epochs * len(train)
(cost / 1e9).round(1).to_frame().assign(times_the_frozen_head=(cost / cost["frozen"]).round(1))

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
checks.early_stopping(early_stopping)

# %% [markdown]
# Here are the curves of two runs. A falling training loss says that the network fits its training images better;
# whether it understands X-rays better is said by the validation loss alone. Where the two part, it begins to learn
# its patients by heart (*overfitting*).

# %%
shown = {"from scratch": runs["from scratch", every], "fine-tuned": runs["fine-tuned", every]}
plots.learning_curves({f"{way}, {every} images": run.history for way, run in shown.items()})

# %% [markdown]
# The star marks the epoch that was kept; what came after it was trained and thrown away.
#
# Against learning by heart there are other means as well. *Dropout* leaves a random half of the features out at each
# step, so that none can be relied on alone; the recipe `densenet-focal` of lesson 07 has it, together with the focal
# loss of lesson 03. The most natural means is more images; the next best is to change those one has.
#
# ## Augmentation, and which flips are wrong
#
# *Augmentation* changes each training image a little, another way in every epoch, in ways that do not change what it
# shows. Some patients stand a little askew, some images are darker. What would a radiologist say to these?

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
# The first four might be one patient on four days. The *mirrored* picture has its heart on the wrong side. Such
# people exist (*dextrocardia*), about one in 10,000; a network that is shown mirrored images half of the time learns
# that the side of the heart means nothing, and it will not notice when somebody has been mislabelled left for right.
# *Upside down*, the patient stands on their head: fluid gathers at the top, air rises to the bottom. No hospital
# delivers such a picture, except by mistake, and then the mistake should be noticed and not learned.
#
# Many published recipes for chest X-rays flip horizontally all the same, because it doubles the data. It may even
# help a score. Know what you give up for it.
#
# Whoever changes a picture must also change what was said about places in it.
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
checks.flip_horizontally(flip_horizontally)

# %% [markdown]
# Predict before you run: the network from scratch has only seen upright chests with the heart on the left. How much
# worse does it get on mirrored ones? And on those that stand on their head?

# %% tags=["nbval-ignore-output"]
judge = runs["from scratch", every]
prepared = test.inputs(judge.recipe.size)
turned = {"as taken": prepared, "mirrored": prepared[:, :, ::-1], "upside down": prepared[:, ::-1]}
tables = {}
for name, pictures in turned.items():
    logits = pd.DataFrame(judge.model.predict(pictures, verbose=0), test.table["image"], findings)
    tables[name] = evaluation.auc_table(test.table, logits, test.patients).loc["mean", ["auc", "low", "high"]]
pd.DataFrame(tables).T.astype(float).round(3)

# %% [markdown]
# Upside down is worse than mirrored. Mirrored is the subtler trap: lungs look much alike on both sides, so that the
# network still answers as if nothing were wrong.
#
# Does augmentation with *right* changes help? It is trained and judged like everything else.

# %% tags=["nbval-ignore-output"]
from dataclasses import replace

middle = sizes[-2] if len(sizes) > 1 else every
plain = replace(recipes["from scratch"], augment=())
augmented = replace(plain, augment=("rotate", "shift"))
with_and_without = [cxr.train(recipe, samples[middle], seed).predict(test) for recipe in (augmented, plain)]
difference = evaluation.auc_difference(test.table, *with_and_without, test.patients)
difference.rename("with rotate and shift, less without").round(3).to_frame().T

# %% [markdown]
# Where the interval lies above zero, the changes have helped; where it includes zero, this run has shown neither
# that they help nor that they do not. Augmentation pays when images are few and training is long. Measure before you
# believe.
#
# ## Key points
#
# - A network that has seen similar images needs fewer examples. The closer its old task, the more it gains; say how
#   close it was.
# - Frozen features are computed once; a head on them costs a single pass over the images.
# - Fine-tune from the last block, with a fitted head, a small learning rate, and batch normalisation in inference
#   mode.
# - Before you tune, measure how much there is to gain.
# - Draw smaller samples by patient. Compare runs by the difference on the same test patients.
# - The validation loss chooses the epoch. The test part is not asked.
# - Augment with what could have happened to this patient. A mirrored chest is another patient, one upside down is
#   none.

# %% tags=["nbval-ignore-output"]
best = results.set_index(["way", "images"])
by_way = ", ".join(f"{way} {best.loc[(way, few), 'auc']:.2f}" for way in recipes)
cxr.headline(f"mean AUC with {few} training images: {by_way}; {len(set(test.patients))} test patients")

# %%
enough = test.enough(patients=150)
related = cxr.given(dataset.kind == "phantom", "the borrowed weights have seen simulated pictures only")
history = runs["from scratch", every].history
waited = len(history) - history["val_loss"].to_numpy().argmin() - 1
lost = tables["as taken"]["auc"] - tables["upside down"]["auc"]

# %%
cxr.claim(
    "With few labels, a head on features learned from the same kind of pictures beats a network from scratch",
    related and enough and frozen_gain["low"] > 0,
)
cxr.claim(
    "Fine-tuning ends above the frozen head or level with it, within 0.02", enough and tuning_gain["difference"] > -0.02
)
cxr.claim("More training images help the network from scratch", enough and scratch_gain["difference"] > 0)
cxr.claim("The frozen head costs less than a tenth of training the whole network", cost["frozen"] < cost.iloc[-1] / 10)
cxr.claim(
    "In inference mode an image's logits do not depend on its company, in training mode they do",
    same["inference"] and not same["training"],
)
cxr.claim("Training stops at most `patience` epochs after the epoch that is kept", waited <= judge.recipe.patience)
cxr.claim("Standing the patient on the head costs the network AUC", enough and lost > 0.03)
