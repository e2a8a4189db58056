# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · Who is on both sides?
#
# **Time:** 45 minutes to work through, about a minute to run.
#
# **Questions**
# - What is leakage, and how do I find it in somebody's train and test tables?
# - How do I divide images so that it cannot happen?
# - What does it do to a network's figures, and how far does one get without a single pixel?
#
# **Objectives.** At the end you can check any split for shared patients, files and pictures, divide a table by patient,
# and say why a test result from a leaky split promises more than the network will keep.
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# ## The question behind a test set
#
# A network that reads chest X-rays will be shown patients whom it has never met. A test set is to tell how well that
# will go, so no patient of the test set may have been in training. If one has, the test asks in part "do you remember
# this person?". That is *leakage*: something about the answers got from one part into the other.
#
# As before, the default images are simulated; the same cells run on real ones. Technical words stand in the
# [glossary](../docs/glossary.md).

# %%
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, evaluation, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed)
table, findings = dataset.table, list(dataset.findings)
dataset

# %% [markdown]
# **Exercise 1.** Two tables hold one row an image. Return True when a patient of the first is also in the second, and
# False otherwise. The column with the patient's name is given.


# %%
def check_for_leakage(first, second, patient_column):
    """True when the two tables share at least one patient."""
    ### BEGIN SOLUTION
    shared = set(first[patient_column]) & set(second[patient_column])
    return len(shared) > 0
    ### END SOLUTION


# %%
check_for_leakage = checks.check_for_leakage(check_for_leakage)

# %% [markdown]
# A right answer is used from here on; in place of a blank or wrong one the lesson takes its own. Here it answers for
# the three parts that this course works with: `train` to learn from, `valid` to make choices on, `test` to look at
# once.

# %%
train, valid, test = (table[table["split"] == part] for part in ("train", "valid", "test"))
for name, first, second in (("train, valid", train, valid), ("train, test", train, test), ("valid, test", valid, test)):
    print(f"{name}: {bool(check_for_leakage(first, second, 'patient'))}")

# %% [markdown]
# ## A yes or no hides how much
#
# One shared patient and a thousand give the same True. A table says more: patients and files that two parts share, and
# how many images of each part belong to shared patients. Here it is for the split as it was shipped with the data.
# Where none was shipped, the course has made one, and the table is about that.

# %%
dataset.leakage()

# %% [markdown]
# Splits that people publish are not always that clean. A well-known online course once shipped train and validation
# tables that shared patients, most of them with the very same files; a popular new division of a collection of
# children's X-rays puts most of its patients on several sides. The next cell checks every such list that lies beside
# the images. The simulated set has one too, made by dealing out images as if no two were of one person.

# %%
dataset.leakage_beside()

# %% [markdown]
# ## The same picture under two names
#
# Tables know only what they are told. A patient who was registered twice has two names, and a copied file may carry any
# name. So compare the pictures as well: a *difference hash* boils each image down to 256 bits, and pairs with nearly
# equal bits are compared more closely.

# %%
twins = dataset.near_duplicates()
strange = twins[twins["first_patient"] != twins["second_patient"]]
print(f"Pairs of equal pictures: {len(twins)}; under the names of two patients: {len(strange)}.")

# %%
pair = strange[["first", "second"]].head(1).to_numpy().ravel().tolist()
part = table.set_index("image")["split"]
plots.gallery([dataset.picture(name) for name in pair], [f"{name} in {part[name]}" for name in pair], columns=2)

# %% [markdown]
# Where there is such a pair, ask: are these two people, or one? In the simulated set it was put there for you to find.
# In a hospital somebody would have to look it up, and until then both belong in the same part. The table of names above
# says nothing of such a leak.
#
# ## How a leak is made
#
# It needs one innocent line: shuffle the images and cut. **Predict before you run the next cell:** if every fifth image
# goes to the test part by chance, which share of the test images will have their patient in train as well?

# %% tags=["answer"]
parts = {"train": 0.8, "test": 0.2}
by_image = dataset.split_by_image(parts, seed)
known = table["patient"][by_image == "test"].isin(table["patient"][by_image == "train"]).mean()
print(f"Test images whose patient is in train as well:\n{known:.0%}")

# %% tags=["plumbing"]
cxr.answer(
    "{known:.0%}. The more often patients return, the larger this share: a test image is safe only if all other "
    "images of its patient go to the test part too. In the whole of NIH's collection it is far more than half.",
    known=known,
)

# %% [markdown]
# **Exercise 2.** Divide by patient. Return one True or False for each row of the table: True for the rows of the test
# part. `fraction` is the share of *patients* that go there, drawn at random with `seed`; all rows of a patient go the
# same way.


# %%
def patient_split(table, fraction, seed):
    """Mask of the test rows, (rows,) of bool; no patient on both sides."""
    ### BEGIN SOLUTION
    patients = table["patient"].unique()
    count = round(fraction * len(patients))
    drawn = np.random.default_rng(seed).choice(patients, count, replace=False)
    return table["patient"].isin(drawn)
    ### END SOLUTION


# %%
patient_split = checks.patient_split(patient_split)

# %% [markdown]
# The picture shows three ways of dividing for the patients with most images: a row is a patient, a mark is an image.
# The second is yours (or the lesson's own, where yours is not right yet). The third, `dataset.split_by_patient`, also
# takes care that each part gets its share of every finding, which matters for rare ones; the lesson goes on with it.

# %%
yours = pd.Series(np.where(patient_split(table, parts["test"], seed), "test", "train"), table.index)
by_patient = dataset.split_by_patient(parts, seed)
plots.patients_by_part(table, {"by image": by_image, "by your function": yours, "by patient": by_patient})

# %% [markdown]
# On the left many rows have both colours, elsewhere every row has one. The table agrees:

# %%
divided = {"by image": by_image, "by patient": by_patient}
pd.concat({name: dataset.leakage(split) for name, split in divided.items()}, names=["divided", ""])

# %% [markdown]
# ## How far without a single pixel?
#
# Why does it matter? Many findings stay: a large heart is large next year as well. Somebody who knows a patient's other
# labels can guess without looking.
#
# **Exercise 3.** Score each test image by the mean training label of its patient. A patient without training images
# gets the mean of all training labels. Return one score for each row of `test`, in its order.


# %%
def patient_scores(train, test, finding):
    """Scores between 0 and 1, one for each row of `test`."""
    ### BEGIN SOLUTION
    means = train.groupby("patient")[finding].mean()
    return test["patient"].map(means).fillna(train[finding].mean())
    ### END SOLUTION


# %%
patient_scores = checks.patient_scores(patient_scores)

# %% [markdown]
# The judge is the area under the ROC curve, *AUC*: the chance that an image with the finding scores above one without.
# 0.5 is a coin, 1 is perfect; lesson 05 takes it apart. We take the mean over all findings.
#
# Other patients would have given another figure. How far another? Draw as many patients as there are, with replacement,
# so that some come twice and some not at all, and compute the figure again; do that many times (a *bootstrap*). From
# how far the results scatter follows the 95 % *interval*, `low` to `high`. Read it as the range in which the figure of
# many more such patients would lie.
#
# Beside the patient's other labels stands a second guesser without pixels, where the data set knows any of it: age,
# sex, view and the number of the visit. Such a guesser is a *baseline*: what one reaches without looking.
#
# Each guesser learns and is judged twice, once on images that were divided by image, once on images divided by patient.
# **Predict before you run the next cells:** which of the four figures will be exactly 0.5?


# %%
def mean_auc(truth, scores):
    """Mean AUC over findings with its 95 % interval over patients, and how many images and patients."""
    areas = evaluation.auc_table(truth.set_index("image")[findings], scores, truth["patient"].to_numpy())
    return {**areas.loc["mean", ["auc", "low", "high"]], "images": len(truth), "patients": truth["patient"].nunique()}


# %%
def labels_only(learn, judge):
    """Your scores of all findings for the images of `judge`, from the labels in `learn`."""
    columns = {one: np.asarray(patient_scores(learn.dropna(subset=[one]), judge, one)) for one in findings}
    return pd.DataFrame(columns, pd.Index(judge["image"], name="image"))


# %% tags=["answer", "nbval-ignore-output"]
rows = []
for how, split in divided.items():
    learn, judge = (dataset.subset((split == part).to_numpy(), part) for part in ("train", "test"))
    guesses = {"patient's labels": labels_only(learn.table, judge.table)}
    guesses |= evaluation.baseline_scores(learn, judge, ["no pixels"])
    rows += [{"scored_by": name, "split": how, **mean_auc(judge.table, guess)} for name, guess in guesses.items()]
blind = pd.DataFrame(rows).sort_values(["scored_by", "split"], ascending=[False, True], ignore_index=True)
blind.round(3)

# %% tags=["answer"]
plots.auc_by_split(blind)

# %% tags=["plumbing", "nbval-ignore-output"]
result = blind.set_index(["scored_by", "split"])["auc"]
cxr.answer(
    "The patient's labels, divided by patient: {stranger}. Every test patient is a stranger then, and all strangers "
    "get the same score. Divided by image, the same labels reach {friend:.2f}, and no image was opened. A network can "
    "earn these points by recognising the person.",
    stranger=result["patient's labels", "by patient"],
    friend=result["patient's labels", "by image"],
)

# %% [markdown]
# Is that a quirk of simulated patients? NIH has published the labels of 112,120 real X-rays. Where that table is at
# hand, here is the same on all of it: divided by image, and, for age, sex and view, with the split that NIH published.

# %% tags=["nbval-ignore-output"]
evaluation.published_without_pixels(dataset, seed).round(3)

# %% [markdown]
# ## Does a network take the bait?
#
# To see nothing but the leak, everything else must stay the same: the images on which it is judged, the number of
# images from which it learns, the network. So we play two wards of one hospital. Patients who came at least twice are
# dealt to ward A or ward B, and their images are numbered 0, 1, 2, ... in each patient. Each ward trains two small
# networks on *its own* patients, one on the even images and one on the odd ones.
#
# Every image is then judged twice, by networks that have not seen this image: one of its own ward, which has seen the
# other half of the patient's images (as if divided by image), and one of the other ward, which has never met the
# patient (as if divided by patient).
#
# **Predict:** by how much will the network's AUC be higher where it has met the patients?

# %%
seen = dataset.with_images()
visits = seen.table.groupby("patient")["image"].transform("size")
returning = seen.subset((visits > 1).to_numpy(), "returning patients")
enough = returning.enough(patients=100)
print(f"{len(returning):,} images of {returning.table['patient'].nunique():,} patients who came at least twice")

# %%
ward = enough and returning.split_by_patient({"A": 0.5, "B": 0.5}, seed).to_numpy()
odd = (returning.table.groupby("patient").cumcount() % 2).to_numpy()
quarters = [(w, half) for w in "AB" for half in (0, 1)]
groups = enough and {
    (w, half): returning.subset((ward == w) & (odd == half), f"ward {w}, {half}") for w, half in quarters
}
print(groups and {f"ward {w}, {('even', 'odd')[half]} images": len(group) for (w, half), group in groups.items()})

# %% [markdown]
# Each network learns from that many images. It is a small CNN (a network of convolutions) on small pictures. A *recipe*
# says what is trained and how: here thirteen passes through the images (*epochs*), none of them left out. What counts
# as `valid` is a copy of what the network learns from, so training keeps the epoch that fits these very images best.
# That invites it to learn its patients by heart: a worst case, on purpose. (Is that a leak, too? It is the greatest of
# all, and many a tutorial has it.)

# %%
from dataclasses import replace

recipe = replace(cxr.recipe("xray-vision"), size=32, epochs=13, patience=13)


def trained(own):
    """A network that has learned the images of `own` as well as it can."""
    twice = pd.concat([own.table.assign(split=part) for part in ("train", "valid")], ignore_index=True)
    return cxr.train(recipe, replace(own, table=twice), seed)


judges = enough and {key: trained(own) for key, own in groups.items()}

# %% [markdown]
# Two baselines stand beside the network. One takes the labels of the images that the network learned from, and no
# pixel. The other is a regression on each picture shrunk to 16 x 16 pixels.


# %%
def scores_of(judge, asked):
    """Scores of a group's images by another group's network and by the two baselines that learn from that group."""
    plain = evaluation.baseline_scores(groups[judge], asked, ["patient's labels", "thumbnail"])
    return {"network": judges[judge].predict(asked), **plain}


# %% [markdown]
# `met` collects the scores given by the own ward, `never` those given by the other ward. Both hold the same images.


# %%
def judged(other_ward):
    """Scores of all images, each by a judge who learned from the other half of the images."""
    turn = {"A": "B", "B": "A"} if other_ward else {"A": "A", "B": "B"}
    found = [scores_of((turn[w], 1 - half), asked) for (w, half), asked in groups.items()]
    return {name: pd.concat([scores[name] for scores in found]) for name in found[0]}


exam = returning.table
met, never = enough and judged(other_ward=False), enough and judged(other_ward=True)

# %% tags=["answer", "nbval-ignore-output"]
rows = []
for name in met:
    for how, scores in (("met the patient", met[name]), ("never met the patient", never[name])):
        rows.append({"scored by": name, "who": how, **mean_auc(exam, scores)})
enough and pd.DataFrame(rows).round(3)

# %% tags=["answer"]
truth = exam.set_index("image")[findings]
areas = [evaluation.auc_table(truth, scores["network"], exam["patient"].to_numpy()) for scores in (met, never)]
plots.known_and_strangers(*areas)

# %% [markdown]
# The images are the same, and so are the findings in them. All that differs is whether the judge has met the patient:
# that is what a leaky test adds to a network's figure. It adds it in your test only, for the next hospital's patients
# are all strangers. (The patient's labels say next to nothing about strangers: all strangers of a ward get the same
# score. Their AUC is not exactly 0.5 only because the scores of four judges are put together.)
#
# Compare the network with the last rows of the table. It is small, its pictures are smaller, and on strangers it hardly
# does better than a regression on 16 x 16 pixels, if at all. This lesson is about the difference between the rows, not
# about the network.
#
# How sure is that difference? Both judges are compared on the same patients, so what makes a sample of patients easy
# cancels. The interval is about these networks: it says how much the figure depends on the patients, and not how other
# trainings would come out (lesson 03).

# %% tags=["answer", "nbval-ignore-output"]
patients = exam["patient"].to_numpy()
gain = enough and {name: evaluation.auc_difference(truth, met[name], never[name], patients) for name in met}
enough and pd.DataFrame(gain).T.round(3)

# %% tags=["plumbing", "nbval-ignore-output"]
cxr.answer(
    "By {gain[difference]:.3f} ({gain[low]:.3f} to {gain[high]:.3f}). It is the same network on the same images, and "
    "yet one of the two figures would make the better paper. Who knows the patient's labels gains "
    "{labels[difference]:.3f} ({labels[low]:.3f} to {labels[high]:.3f}).",
    gain=enough and gain["network"],
    labels=enough and gain["patient's labels"],
)

# %% [markdown]
# Think it over: a colleague says "I have early stopping on a validation set, so my network memorises nobody." Her
# validation images were drawn by image, like her test images. What would you have her check first?
#
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** Some guesser scores each test image by the mean training label of its patient; strangers get the
# mean of all. On a split that is said to be by patient, it reaches an AUC of 0.61. What do you conclude?
#
# <details><summary>A. The finding lasts for years, so labels of the past predict it.</summary>
# No. A lasting finding helps this guesser only if it has labels of the same patient. After a split by patient it has
# none.
# </details>
# <details><summary>B. It is luck: with few test images 0.61 can happen.</summary>
# No. If all test patients are strangers, all scores are equal, every pair is a tie, and the AUC is exactly 0.5. Luck
# has no part in it.
# </details>
# <details><summary>C. Some patients must be in both parts.</summary>
# Right. Only a patient who is known from training can get another score than the rest. With one such guesser, anything
# but exactly 0.5 proves that there are such patients.
# </details>
#
# **Question 2.** A check finds no patient name that is in both train and test. Which leak can still be there?
#
# <details><summary>A. Two different patients, one in train and one in test, have the same finding.</summary>
# No. That is no leak but what one hopes for: the network is to recognise the finding in a stranger.
# </details>
# <details><summary>B. One person was registered twice, under two names.</summary>
# Right. A table knows only what it was told. That is why the lesson also compares the pictures themselves.
# </details>
# <details><summary>C. None; names are what defines a patient.</summary>
# No. Names define a row of the table. The same chest, or the very same file, can come under another name.
# </details>
# <details><summary>D. One patient has five images, all of them in train.</summary>
# No. Then test has never met this patient. Several images of one patient are harmless as long as they stay together.
# </details>
#
# **Question 3.** Every patient of a hospital has exactly two images. Each image by itself goes to test with a chance
# of one in five, and otherwise to train. Of the images in test, what share has its patient in train as well?
#
# <details><summary>Answer</summary>
# 80 %. Take any test image. Its patient has one other image, which goes to train with a chance of four in five. The
# more images a patient has, the larger this share: with three it is 1 - (1/5)² = 96 %.
# </details>
#
# **Question 4.** The lesson lets networks of two wards judge the same images. Why does it not simply train one
# network on a split by image and another one on a split by patient, and compare their test AUCs?
#
# <details><summary>A. The two tests would hold different images.</summary>
# Right. One of them may just be easier, and a difference of AUCs would mix that up with the leak. Where images and
# findings are the same, and about as many images were trained on, only the acquaintance is left to explain it.
# </details>
# <details><summary>B. A network cannot be trained on a split by image.</summary>
# No. It can, and many people have done it without noticing anything. That is the trouble with leaks.
# </details>
# <details><summary>C. One network would see each patient only once.</summary>
# No. Under either split a training part may hold several images of a patient. What differs is whether test holds some
# too.
# </details>
# <details><summary>D. An AUC may not be computed on images of patients who return.</summary>
# No. It may, and the interval over patients takes care of it. What matters is whether the judge has met them before.
# </details>
#
# **Question 5.** Some patients are both in train and in valid; test holds strangers only. The epoch is chosen on
# valid. What does this leak spoil?
#
# <details><summary>A. Nothing, since the figure on test is an honest one.</summary>
# No. The figure is honest, but about a network that was chosen badly. With clean choices it might have been better.
# </details>
# <details><summary>B. The figure on test: it promises too much.</summary>
# No. Nobody in test was met before, so it tells what the chosen network does on strangers.
# </details>
# <details><summary>C. The training, because the network sees the same patients twice.</summary>
# No. Images of valid are not trained on. They only say which epoch looks best.
# </details>
# <details><summary>D. The decision which weights are kept.</summary>
# Right. On acquaintances, learning by heart looks like progress, and training goes on for too long. So the network
# that is kept may be the one that has memorised most, and valid promises more than test will show.
# </details>
#
# ## Key points
#
# - A test asks how a network will do on strangers, so no patient may be on both sides.
# - Check by patient, by file and by picture; a table says how much, a True does not.
# - Shuffling images and cutting makes a leak whenever patients return. Draw patients, not images.
# - A patient's other labels predict well without a pixel. A network that has met the patient can earn such points too.
# - A leak does not make a network better. It makes its figure better, until the first stranger comes.

# %%
checks.solved()

# %% tags=["nbval-ignore-output", "plumbing"]
if enough:
    leaky, clean = (mean_auc(exam, scores["network"])["auc"] for scores in (met, never))
    cxr.headline(f"AUC {leaky:.2f} on patients met in training, {clean:.2f} on strangers, the same {len(exam)} images")
else:
    leaky, clean = (result["patient's labels", split] for split in divided)
    cxr.headline(f"labels of the patient's other images alone: AUC {leaky:.2f} by image, {clean:.2f} by patient")

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
returns, facts = (
    dataset.knows("follow_ups"),
    cxr.given(len(result) > 2, "this data set tells neither age, sex nor view"),
)
simulated = cxr.given(dataset.kind == "phantom", "only the simulated set is known to hold one")
easy = enough and mean_auc(exam, never["16 x 16 pixels"])["auc"] > 0.9
room = enough and cxr.given(not easy, "16 x 16 pixels nearly solve this task, so memory has little to add")
by_label, by_facts = result["patient's labels", "by image"], result.get(("no pixels", "by image"))
shared = {name: dataset.leakage(split)["shared_patients"].sum() for name, split in divided.items()}
cxr.identity(
    "The split that this course uses shares no patients", dataset.leakage(table["split"])["shared_patients"], 0
)
cxr.identity("Divided by patient, no patient is on both sides", shared["by patient"], 0)
cxr.identity("Divided by patient, a patient's labels are a coin", result["patient's labels", "by patient"], 0.5)
cxr.claims(
    {
        "One picture under the names of two patients is found by comparing pictures": simulated and len(strange) > 0,
        "Divided by image, more than a third of the test images have their patient in train": returns and known > 1 / 3,
        "Divided by image, a patient's other labels predict findings without a pixel": returns and by_label > 0.55,
        "Divided by image, a patient's other labels say more than age, sex and view together": (
            facts and returns and by_label > by_facts + 0.03
        ),
        "On the same images, those who know the patient's labels do better, by more than the interval": (
            room and gain["patient's labels"]["low"] > 0
        ),
        "A leaky split flatters these networks: on the same images they do better if they have met the patients": (
            room and gain["network"]["difference"] > 0
        ),
    }
)
