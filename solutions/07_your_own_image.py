# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · Your own image
#
# **Time:** 45 minutes to work through, about half a minute to run when lesson 04 has trained the network.
#
# **Questions**
# - What happens between a file and a probability?
# - When does a network call an image abnormal, and why did it say so?
# - What does it answer to a picture that is no X-ray at all?
# - How does one compare the systems that one finds on the internet?
#
# **Objectives.** At the end you can take one PNG, JPEG or DICOM file through preprocessing, prediction, decision and
# heat map, check whether the picture is one that the network can know anything about, and compare systems fairly.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody. That holds for your own X-ray above all.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# This lesson follows a single picture. Yours, if you give its path here. Everything stays on this machine; still,
# X-ray files in the hospital's format carry the patient's name, so keep them where they belong.

# %%
path = None  # your own file, such as "/home/me/chest.png"; None takes an example from the test part

# %% [markdown]
# The data set is that of the other lessons: labels for up to 14 *findings*, which is the radiologist's word for
# anything unusual that an image shows. (Technical words stand in the [glossary](../docs/glossary.md); how to read such
# a picture, in [how to look at a chest film](../docs/chest_film.md).) The example is one of *Effusion*, fluid between
# lung and chest wall that gathers at the bottom of the chest (of the commonest finding, where the data set knows no
# Effusion), in as little company as possible.

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed).with_images()
train, valid, test = (dataset.part(name) for name in ("train", "valid", "test"))
findings = list(dataset.findings)

# %%
shown = test.commonest(prefer="Effusion")
shows_it = test.table[test.table[shown] == 1].assign(company=lambda rows: rows[findings].sum(axis=1))
example = shows_it.sort_values(["company", "image"])["image"].iloc[0]
path = path or test.path(example)
print(f"The example, where no path is given, shows {shown}.")

# %% [markdown]
# ## From the file to the network
#
# The network was trained on pictures prepared in one certain way: read as grey, resized to its own size, shifted and
# scaled to mean 0 and standard deviation 1. A picture prepared in another way is another picture to it. What is
# easily forgotten: it wants a *batch*, so a single picture must become a batch of one, with the shape (images,
# height, width, channels).

# %%
size = cxr.recipe("lite0-transfer", profile).size
stored = cxr.data.read_image(path)
resized = cxr.data.resize(stored, size)
standardised = cxr.data.standardise(resized)
steps = {f"as stored, {stored.shape[0]} x {stored.shape[1]}": stored, f"resized, {size} x {size}": resized}
plots.gallery([*steps.values(), standardised], [*steps, "standardised"], columns=3)

# %% [markdown]
# The third looks like the second, because a screen stretches greys anyway. Only its numbers have changed.
#
# **Exercise 1.** Write the whole way. You may use `cxr.data.read_image`, `cxr.data.resize` and
# `cxr.data.standardise`.


# %%
def file_to_batch(path, size):
    """One file as a batch of one standardised picture, shape (1, size, size, 1)."""
    ### BEGIN SOLUTION
    prepared = cxr.data.standardise(cxr.data.resize(cxr.data.read_image(path), size))
    return prepared[np.newaxis, :, :, np.newaxis]
    ### END SOLUTION


# %%
file_to_batch = checks.file_to_batch(file_to_batch)

# %%
batch = np.asarray(file_to_batch(path, size))
print(f"Your batch: shape {batch.shape}, mean {abs(batch.mean()):.2f}, standard deviation {batch.std():.2f}")

# %% [markdown]
# The package's version is `cxr.data.load_image`. Training, evaluation, prediction and heat maps all use it, so they
# cannot drift apart.
#
# ## PNG, JPEG, DICOM
#
# PNG keeps every pixel. JPEG throws away what the eye hardly sees. Hospitals use *DICOM*, which holds the pixels,
# how they are to be shown, and who the patient is. One trap: many machines store X-rays as `MONOCHROME1`, in which 0
# means white. If you take such numbers as they are, you get the negative. Let us write the same picture in all four
# ways and read it back.

# %%
import tempfile
from pathlib import Path

import cv2

temporary = tempfile.TemporaryDirectory()  # goes when the notebook closes
files = {"PNG": "chest.png", "JPEG": "chest.jpeg", "DICOM": "chest.dcm", "inverted DICOM": "inverted.dcm"}
copies = {name: Path(temporary.name) / file for name, file in files.items()}
for name in ("PNG", "JPEG"):
    cv2.imwrite(str(copies[name]), stored)
cxr.data.write_dicom(copies["DICOM"], stored)
_ = cxr.data.write_dicom(copies["inverted DICOM"], stored, inverted=True, patient="Doe^Jane")

# %%
for name, copy in copies.items():
    difference = np.abs(cxr.data.read_image(copy).astype(int) - stored).max()
    print(f"{name}: {'the same to the pixel' if difference == 0 else 'nearly the same'}")

# %% [markdown]
# Here is what stands in the header of the last one, and what one would see who took its numbers as they are.

# %%
import pydicom

header = pydicom.dcmread(copies["inverted DICOM"])
print(header.Modality, header.BodyPartExamined, header.PhotometricInterpretation, header.PatientID, sep=", ")
right, wrong = cxr.data.read_image(copies["inverted DICOM"]), header.pixel_array
plots.gallery([right, wrong], ["read with its header", "numbers as they are"])

# %% [markdown]
# ## Probabilities
#
# The network of this course is EfficientNet-Lite0, fine-tuned in lesson 04. It puts out one *logit* for each finding,
# the logarithm of the odds. Which logit means what is written in the card that is saved with the model; the order of
# some other table will not do.

# %%
main = cxr.train(cxr.recipe("lite0-transfer", profile), dataset, seed)
print("The outputs mean:", ", ".join(main.findings))

# %% [markdown]
# **Exercise 2.** Turn logits into probabilities. Think first: can a patient have two findings at once?


# %%
def probabilities(logits):
    """Each finding's probability, in the shape of `logits`."""
    ### BEGIN SOLUTION
    return 1 / (1 + np.exp(-logits))
    ### END SOLUTION


# %%
probabilities = checks.probabilities(probabilities)

# %%
own = np.ravel(probabilities(main.model.predict(batch, verbose=0)))
cxr.identity("Your batch and your probabilities are the network's answer to the file", own, main.predict_file(path))

# %% [markdown]
# Findings come together, so the probabilities do not sum to 1: each finding is a question of its own. **Predict before
# you run:** how far do the answers to the four copies differ? And what will the network say to the negative?

# %% tags=["answer", "nbval-ignore-output"]
answers = pd.DataFrame({name: main.predict_file(copy) for name, copy in copies.items()})
negative = cxr.data.write_dicom(Path(temporary.name) / "negative.dcm", header.pixel_array)
answers["numbers as they are"] = main.predict_file(negative)
answers.round(3)

# %% tags=["answer"]
same_pixels = ["PNG", "DICOM", "inverted DICOM"]
print("The answers to the files without loss:")
cxr.identity("PNG and both DICOM files give the same probabilities", *(answers[name] for name in same_pixels))

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "Three files give the same answer, and JPEG one that is off by {jpeg:.3f} at most. The last column is the "
    "negative: the network answers just as readily, to a picture of nobody.",
    jpeg=(answers["JPEG"] - answers["PNG"]).abs().max(),
)

# %% [markdown]
# ## From a probability to a name
#
# When is a probability high enough? That depends on the finding: rare ones rarely reach one half. So each finding
# has a threshold of its own, chosen on the *validation* part where sensitivity plus specificity is largest (lesson
# 05).
#
# **Exercise 3.** Return the names of the findings whose probability is at least their threshold, likeliest first.
# Match them by name: nobody promises you the same order. A finding for which no threshold could be chosen has NaN,
# and is not named.


# %%
def named_findings(probability, threshold):
    """Names of the findings that reach their threshold, likeliest first. Both are Series indexed by finding."""
    ### BEGIN SOLUTION
    called = probability[probability >= threshold.reindex(probability.index)]
    return called.sort_values(ascending=False).index.tolist()
    ### END SOLUTION


# %%
named_findings = checks.named_findings(named_findings)

# %%
own_threshold = evaluation.choose_thresholds(valid.table[["image", *findings]], main.predict(valid))
probability = main.predict_file(path)
plots.probability_bars(probability, own_threshold)

# %% tags=["nbval-ignore-output"]
named = list(named_findings(probability, own_threshold))
print("Named:", ", ".join(named) or "nothing")

# %% [markdown]
# Are all of these there? Each threshold is reached by some images that do not show the finding, and every image is
# asked all questions. **Predict before you run:** of the test images that show nothing, how many go without any name?

# %%
quiet = (test.table[findings] == 0).all(axis=1).to_numpy()
print(f"{quiet.sum()} of {len(quiet)} test images show nothing.")

# %% tags=["answer", "nbval-ignore-output"]
wrong_names = (main.predict(test) >= own_threshold[findings])[quiet]  # (images, findings)
single, some = wrong_names.stack().mean(), wrong_names.any(axis=1).mean()
print("Of the test images that show nothing:")
print(f"A single finding is named on {single:.0%} of them on average, some finding on {some:.0%}.")

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "{without:.0%}. A single question is answered wrongly on {single:.0%} of them only, and still {some:.0%} of these "
    "patients are sent home with a name. Remember that when you read of a system that detects 14 diseases. Fewer "
    "questions help, and so do thresholds that cost fewer false alarms.",
    without=quiet.any() and 1 - some,
    single=single,
    some=some,
)

# %% [markdown]
# ## Normal or abnormal
#
# The simplest question of all has one answer: is there *any* finding? For it, the network of the well-known
# beginner's project is trained here: grey image, three blocks of convolution and pooling, a dense layer of 128,
# dropout. Ten epochs, and the last one is taken, good or not. One logit.

# %%
two_classes = dataset.any_finding()
simple = cxr.train(cxr.recipe("normal-abnormal", profile), two_classes, seed)
print("It answers one question:", *simple.findings)

# %% [markdown]
# The published project reports that it finds about a third of the abnormal images, at a threshold of one half, which
# nobody had chosen. Which way a network errs at one half depends on how many of its training images were abnormal.
# Here is the same network on the test part, once with one half and once with the threshold chosen on the validation
# part.

# %% tags=["nbval-ignore-output"]
asked = {name: two_classes.part(name) for name in ("valid", "test")}
truth = {part: asked[part].table[["image", "Abnormal"]] for part in asked}
chosen = evaluation.choose_thresholds(truth["valid"], simple.predict(asked["valid"]))
points = [evaluation.operating_points(truth["test"], simple.predict(asked["test"]), at) for at in (0.5, chosen)]
both = pd.concat(points).set_axis(["one half", "chosen on valid"])
both[["threshold", "accuracy", "sensitivity", "specificity", "ppv"]].round(2)

# %% [markdown]
# *Sensitivity* (recall) is the share of abnormal images that are found, *specificity* the share of normal ones that
# are left alone, *ppv* (precision) the share of alarms that are right. No threshold gives all three; a choice must
# be made by somebody who knows what a missed finding costs and what a false alarm.
#
# Compare the ppv with the share of abnormal images: where the two are equal, a call says nothing. That project also
# names what it would improve. A threshold chosen on validation patients is the one that you have just seen. Each of the
# others is one word in a recipe, given to `dataclasses.replace(cxr.recipe("normal-abnormal"), ...)`:
# `augment=("rotate", "shift")`, `oversample=True`, `loss="weighted"`, or `epochs=30, patience=6` for early stopping
# with a learning-rate schedule. `benchmarks/bench_normal_abnormal.py` measures each of them, and transfer, with
# several beginnings: one run with and one without would mostly show the luck of two beginnings.

# %% tags=["nbval-ignore-output"]
share = simple.predict_file(path)["Abnormal"]
verdict = "abnormal" if share >= chosen["Abnormal"] else "normal" if share < chosen["Abnormal"] else "undecided"
print(f"This picture: {share:.2f}, with a threshold of {chosen['Abnormal']:.2f}, so {verdict}")

# %% [markdown]
# ## What the model cannot know
#
# Its findings were learned from chests alone. What does it say to a photograph of a temple? To noise? To a patient who
# stands on their head? **Predict before you run:** will it refuse?

# %%
from sklearn.datasets import load_sample_image

noise = np.random.default_rng(0).integers(0, 256, stored.shape).astype(np.uint8)
photograph = cv2.cvtColor(load_sample_image("china.jpg"), cv2.COLOR_RGB2GRAY)
strangers = {"the picture": stored, "photograph": photograph, "noise": noise}
strangers |= {"negative": 255 - stored, "upside down": stored[::-1], "mirrored": stored[:, ::-1]}
plots.gallery([cxr.data.resize(pixels, 256) for pixels in strangers.values()], list(strangers), columns=6)

# %% tags=["answer", "nbval-ignore-output"]
prepared = [cxr.data.standardise(cxr.data.resize(pixels, size)) for pixels in strangers.values()]
logits = main.model.predict(np.stack(prepared)[..., np.newaxis], verbose=0)
said = pd.DataFrame(np.asarray(probabilities(logits)), list(strangers), findings)
names = (said >= own_threshold[findings]).sum(axis=1)
likeliest = {"likeliest finding": said.idxmax(axis=1), "probability": said.max(axis=1)}
pd.DataFrame({**likeliest, "findings named": names}).round(2)

# %% tags=["plumbing"]
cxr.answer(
    "It answers everybody. A network has no output for 'I do not know this', and a high probability is no sign that "
    "it does: probabilities compare findings among images like those it learned from, and these are not."
)

# %% [markdown]
# So look at the picture before asking. The simplest check compares it with the typical training image, the median of
# all, pixel by pixel: the correlation of two thumbnails. Whatever is less like it than 99 of 100 validation images
# is flagged.

# %%
from cxr_utils import networks

likeness = networks.Likeness.learn(train, valid, size)
alike = {name: likeness.of(pixels) for name, pixels in strangers.items()}
plots.likeness_histogram(likeness.usual, likeness.limit, alike)

# %%
for name, value in alike.items():
    print(f"{name}: {'flagged' if value < likeness.limit else 'passes'}")

# %% [markdown]
# The check knows shape and light, no medicine. It stops what looks nothing like a chest X-ray. Whether it notices
# one upside down depends on how much the data set's chests look like that; it does not stop the mirrored one, nor a
# chest whose disease the network was never shown. And that a picture passes does not mean that the answer is right.
#
# ## Where does it look?
#
# Only now, with a picture that has passed, is it worth asking where. A heat map shows which part of the picture speaks
# for a finding (lesson 06). There, on the default data, the validation part preferred HiResCAM behind the fifth stage
# of this network. In the quick profile its maps have 12 x 12 cells: do not ask them for more than a region. Here are
# the three findings that lie highest above (or least below) their own thresholds. The network sees a square;
# the map is laid over the picture in its own shape. Where the place of a finding is known, a frame marks it.

# %%
from cxr_utils import heatmaps

likeliest = (probability / own_threshold).reindex(findings).fillna(0).nlargest(3).index.tolist()
numbers = [findings.index(one) for one in likeliest]
heat = heatmaps.grad_cam(main.model, batch, outputs=numbers, layer="stage5", method="hirescam")[0]
framed = [test.boxes_of(example if path == test.path(example) else "", one) for one in likeliest]
titles = [f"{one.replace('_', ' ')}: {probability[one]:.0%}" for one in likeliest]
plots.heat_gallery(
    [stored] * len(titles), heat, titles, framed, columns=3, what="the likeliest findings of one picture"
)

# %% [markdown]
# Does the heat lie where such a finding would be? A heart that is too large should have its heat on the heart. Where it
# lies elsewhere, the network has another reason, or none, and its number is worth that much less.

# %% [markdown]
# ## The systems side by side
#
# Is the network of this lesson good at that one question? It gives 14 probabilities. From them comes the one for "any":
# 1 less the probability that none is there, as if findings were independent. They are not, so do not take this number
# for a probability; for an AUC only the order of the images counts. Beside it stand the beginner's network and
# what age, sex, view and number of the visit tell without a pixel (a thumbnail where these are not known).


# %%
def any_of(part):
    """Probability that each image of a part shows anything, by the course's main network."""
    return (1 - (1 - main.predict(dataset.part(part))).prod(axis=1)).to_frame("Abnormal")


scores = evaluation.baseline_scores(two_classes.part("train"), asked["test"], most=1)
(baseline_name,) = scores
scores |= {"normal-abnormal": simple.predict(asked["test"]), "lite0-transfer": any_of("test")}
people, abnormal_share = len(set(test.patients)), truth["test"]["Abnormal"].mean()
print(f"Test part: {len(test):,} images of {people:,} patients; {abnormal_share:.0%} of the images are abnormal")

# %% [markdown]
# **Predict before you run:** is the beginner's network better than what needs no picture?

# %% tags=["answer", "nbval-ignore-output"]
areas = pd.concat(
    [evaluation.auc_table(truth["test"], score, test.patients).loc[["Abnormal"]] for score in scores.values()]
).set_axis(list(scores))
areas[["auc", "low", "high"]].round(2)

# %% tags=["answer", "nbval-ignore-output"]
rivals = scores.copy()
ours = rivals.pop("lite0-transfer")
differences = pd.DataFrame(
    {
        f"lite0-transfer less {name}": evaluation.auc_difference(truth["test"], ours, theirs, test.patients)
        for name, theirs in rivals.items()
    }
).T
differences.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "It reaches {simple:.2f}, and {name} {facts:.2f}. A network that gets no further than that may have learned "
    "nothing from the pictures.",
    simple=areas.loc["normal-abnormal", "auc"],
    name=baseline_name,
    facts=areas.loc[baseline_name, "auc"],
)

# %% [markdown]
# On the internet one finds many systems. Here are five that people start from, each one recipe of this course:
#
# | recipe | what it is |
# |---|---|
# | `normal-abnormal` | the beginner's network above: one logit |
# | `xray-vision` | a small residual network from scratch, 14 logits |
# | `densenet-focal` | DenseNet121, focal loss, dropout of one half |
# | `course` | DenseNet121, loss weighted for each finding (lesson 03) |
# | `densenet-transfer` | DenseNet121, plain cross-entropy |
#
# and, in the first rows, `lite0-transfer`, the network of lessons 04 to 07. The people who made the DenseNets started
# from photographs, and lesson 04 has shown what a start is worth. DenseNet121's weights of photographs have to be
# fetched from the internet, and were not there when this table was measured. So its rows show what the same recipe
# makes of random weights, frozen up to the last block, and say nothing about what its makers had.
#
# One training is one network (lesson 03), so each was trained five times on the default data, which takes an hour
# (`benchmarks/measure_recipes.py systems`). The first columns are about any finding; the mean AUC is that over the
# single findings, where a system knows them. Beside them stands what it took: seconds of training (the fastest of the
# five, frozen features included, without what the borrowed weights once cost) and the number of weights. **Predict:**
# which row is the best, and does any lie below the baseline without pixels?

# %% tags=["answer", "readme"]
trainings = evaluation.measured("systems")
evaluation.systems_table(trainings)

# %% tags=["plumbing"]
means = trainings.groupby("recipe")["auc"].mean()
beginner = trainings.loc[trainings["recipe"] == "normal-abnormal", "auc"]
cxr.answer(
    "The best is {best}, with {auc:.2f}. Below the baseline lies {below}. Look at the beginner's network: the same "
    "recipe reached {low:.2f} in one training and {high:.2f} in another, so one training could put it among the last "
    "or among the first. Where five trainings are alike, fine-tuning did not improve on its head, and the head was "
    "kept.",
    best=means.idxmax(),
    auc=means.max(),
    low=beginner.min(),
    high=beginner.max(),
    below=", ".join(means.index[means < means["no pixels"]]) or "none of them",
)

# %% [markdown]
# Before you say that one system is better than another, look at the difference. It has two kinds of luck in it. Another
# training gives another difference: the first columns show five. Other patients give another one too: the last columns
# show the interval over patients, averaged over the trainings. The table compares systems on one data set, at one size
# and after minutes of training. It shows how to compare, not which of these people did the best work.

# %%
pairs = evaluation.measured("systems_pairs").groupby("recipe", sort=False)
gaps = pairs["difference"].agg(["mean", "min", "max"]).join(pairs[["low", "high"]].mean())
gaps.rename_axis("less lite0-transfer, simulation").round(2)

# %% [markdown]
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** An X-ray clearly shows both Effusion and Atelectasis. A network ends in a softmax over all findings,
# so that their probabilities sum to 1. What can it not say?
#
# <details><summary>A. That Effusion is likelier than Hernia</summary>
# No. A softmax keeps the order of the logits, so it can say which finding is the likelier one.
# </details>
# <details><summary>B. That both are likely</summary>
# Right. Two numbers above one half would sum to more than 1. Each finding is a question of its own and needs a
# sigmoid of its own.
# </details>
# <details><summary>C. That Mass is unlikely</summary>
# No. It can give Mass next to nothing and divide the rest among the others.
# </details>
# <details><summary>D. That both are equally likely</summary>
# No. It can give both the same number. But that number is at most one half, however clear the picture is.
# </details>
#
# **Question 2.** All files from one machine have a likeness of about -0.9 to the typical training image, and the
# network names many findings on each. What has most probably happened?
#
# <details><summary>A. The machine takes pictures that are far too dark.</summary>
# No. A likeness is a correlation. It does not change when all pixels are made darker or paler in proportion, and
# neither does the standardised picture.
# </details>
# <details><summary>B. The patients lie on their side in these pictures.</summary>
# No. Then light and dark places would fit badly to those of the median image. The likeness would come out low, but
# not near -1.
# </details>
# <details><summary>C. The files hold noise, because they are damaged.</summary>
# No. Noise has nothing in common with a chest, so its likeness is about 0.
# </details>
# <details><summary>D. In these files 0 means white, and nobody took notice of it.</summary>
# Right. Where the typical image is bright, these are dark, and the other way round: they are negatives. Files with
# MONOCHROME1 have to be read with their header.
# </details>
#
# **Question 3.** A program asks ten questions about each image. Each has a specificity of 95 %, and assume that the
# errors are independent. On what share of the images that show nothing is some finding named?
#
# <details><summary>A. 5 %</summary>
# No. That is the share for a single question. Each further question calls some more of them.
# </details>
# <details><summary>B. About 40 %</summary>
# Right. No question errs with a chance of 0.95 to the power of ten, about 0.60. On all other images at least one name
# is wrong, although each single question is answered well.
# </details>
# <details><summary>C. 50 %</summary>
# No. Ten times 5 % counts an image with two wrong names twice. There are 50 wrong names for each 100 images, but some
# of these images have several of them.
# </details>
# <details><summary>D. 95 %</summary>
# No. That is the share of images on which a single question is answered rightly with no.
# </details>
#
# **Question 4.** A vet sends the X-ray of a dog's chest. It passes the likeness check, and the network says 0.97 for
# Cardiomegaly. What does this number mean?
#
# <details><summary>A. Nothing that anybody has checked.</summary>
# Right. Probabilities were learned, and at best calibrated, on images of people. For pictures of another kind a
# network answers just as readily, and the check knows only shape and light.
# </details>
# <details><summary>B. Of 100 such dogs about 97 have a large heart.</summary>
# No. It would mean something like that for people like those of the training part, if the network is calibrated.
# Nobody has ever compared it with dogs.
# </details>
# <details><summary>C. At least that the heart is more probably large than not.</summary>
# No. That would be a statement about its probability too, and nobody has checked it. A dog's heart fills the chest
# differently, so a healthy one may get 0.97 as well.
# </details>
# <details><summary>D. That the picture is good enough, since it has passed the check.</summary>
# No. Passing says that the picture is about as light and as dark in the same places as the typical one. It does not
# say that the answer is right.
# </details>
#
# **Question 5.** On the same test patients system X has an AUC of 0.78 (0.72 to 0.84) and system Y one of 0.74 (0.68
# to 0.80). How do you find out whether X is better?
#
# <details><summary>A. It is: 0.78 is more than 0.74.</summary>
# No. With other patients the order could turn round. The difference needs an interval of its own.
# </details>
# <details><summary>B. It cannot be told, because the intervals overlap.</summary>
# No. Both intervals contain the same luck with the patients. Where a draw is easy for both systems, that luck cancels
# in the difference, whose interval may well leave out zero.
# </details>
# <details><summary>C. Draw patients for each system separately, and compare the two middles.</summary>
# No. Then the luck of two different draws is added to the difference and does not cancel, and the middles only bring
# back 0.78 and 0.74.
# </details>
# <details><summary>D. Draw patients once for both, and look at the difference.</summary>
# Right. What makes a draw easy for both cancels. If the interval of the difference leaves out zero, X does better on
# patients like these. It still compares one training of each system at one size, so it says little about who did the
# better work.
# </details>
#
# ## Key points
#
# - One path leads from a file to the array a network sees, for training and prediction alike. DICOM has to be read
#   with its header.
# - Findings do not exclude each other: a sigmoid for each, never a softmax over all.
# - A threshold is chosen on the validation part, and stands for what errors cost.
# - The order of the labels belongs to the model. Keep it in the model's own file.
# - A network answers everything. Check first whether the picture is one that it can know, then ask where it looks.
# - Compare systems on the same patients, with intervals, beside a baseline that needs no pictures.

# %%
checks.solved()

# %% tags=["nbval-ignore-output", "plumbing"]
best = areas.loc["lite0-transfer"]
cxr.headline(f"any finding: AUC {best['auc']:.2f} ({best['low']:.2f} to {best['high']:.2f}), {people} test patients")

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
facts = cxr.given(baseline_name == "no pixels", "this data set tells neither age, sex nor view")
several, enough = dataset.knows("several_findings"), test.enough(patients=150)
silent = cxr.given(quiet.any(), "no test image is known to show nothing")
flagged = {name: value < likeness.limit for name, value in alike.items()}
cxr.identity(
    "The order of the labels in the model's file is that of the data set", list(main.findings) == findings, True
)
cxr.claims(
    {
        "On images that show nothing, some finding is named at least twice as often as a single one on average": (
            several and silent and some >= 2 * single
        ),
        "Some picture that is no chest X-ray gets as many names as the example": (
            names[["photograph", "noise", "negative"]].max() >= names["the picture"]
        ),
        "The likeness check flags a photograph, noise and a negative": (
            flagged["photograph"] and flagged["noise"] and flagged["negative"]
        ),
        "It lets a mirrored chest pass": not flagged["mirrored"],
        "The pictures tell more about any finding than age, sex, view and number of the visit": (
            facts and enough and silent and differences["low"].iloc[0] > 0
        ),
    }
)
