# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Look at the data first
#
# **Time:** 40 minutes to work through, well under a minute to run.
#
# **Questions**
# - What does one row of a chest X-ray table mean, and what can be wrong with it?
# - How rare are the findings, and which of them come together?
# - Who are the patients, and how often do they return?
# - What does a radiograph look like to a person, and what to a network?
#
# **Objectives.** At the end you can count findings and co-occurrences, show images with their boxes, standardise
# an image, and name the records that cannot be true.
#
# New to radiographs? Read [how to look at a chest film](../docs/chest_film.md) first; it is one page. Technical words
# of all lessons stand in the [glossary](../docs/glossary.md).
#
# > This course is for teaching. Nothing in it may be used to diagnose anybody.

# %% tags=["parameters"]
data = "phantom"  # or the path of a folder of real X-rays: see docs/collections.md
profile = "quick"  # "quick" for two CPU cores, "full" for a GPU
seed = 0

# %% [markdown]
# ## The table
#
# By default the course simulates its patients: *phantom* is the name for an object that stands in for a patient
# in front of an X-ray machine. The table has the layout of the NIH ChestX-ray14 collection (Wang et al., CVPR 2017),
# so everything below also runs on the real one. The first time, making the images takes about half a minute.

# %%
from pathlib import Path

import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils import checks, plots

dataset = cxr.open_dataset(data, profile=profile, seed=seed)
dataset

# %% [markdown]
# One row is one image. A *finding* is something that a radiologist sees in an image and names in the report: not yet a
# disease, but a reason to think of some. A 1 in a finding's column says that the report of that image names it; several
# can stand in one row, or none.

# %%
table, findings = dataset.table, list(dataset.findings)
table.head()

# %% [markdown]
# | finding | what it is |
# |---|---|
# | Atelectasis | a part of the lung has collapsed and holds no air |
# | Cardiomegaly | the heart is too large |
# | Effusion | fluid between lung and chest wall; it sinks to the bottom |
# | Infiltration | something denser than air, vaguely bounded, in the lung: a loose word for several things |
# | Mass, Nodule | a round spot in the lung; above three centimetres it is called a mass |
# | Pneumonia | an infection of the lung |
# | Pneumothorax | air between lung and chest wall; the lung shrinks away from it |
# | Consolidation | air spaces filled with fluid, pus or blood; a dense white patch |
# | Edema | fluid in the lung tissue, mostly because the heart is too weak |
# | Emphysema | destroyed air spaces; the lung is large and dark |
# | Fibrosis | scars in the lung, a net of fine lines |
# | Pleural_Thickening | the skin around the lung is thickened, usually an old scar |
# | Hernia | the stomach has slipped through the diaphragm into the chest |
#
# Bone swallows most X-rays and looks white. Fluid and muscle swallow fewer and look grey. Air lets them pass and looks
# black. So most findings make a place in the lung too white, and a few make it too black.
#
# There are three parts: a network learns on `train`, choices are made on `valid`, and `test` is looked at once. Lesson
# 02 asks whether these parts are really apart.

# %%
dataset.summary().T

# %% [markdown]
# ## How often is each finding?
#
# **Exercise 1.** Return the share of images that bear each finding, as a Series indexed by finding.


# %%
def prevalence(table, findings):
    """Share of images (0 to 1) with each of `findings`."""
    ### BEGIN SOLUTION
    return table[findings].mean()
    ### END SOLUTION


# %%
prevalence = checks.prevalence(prevalence)

# %% [markdown]
# The check hands back the function that the lesson goes on with: yours if it is right, else the course's own. So your
# answer draws the next figure.
#
# **Predict before you run the next cell:** if a network said "nothing" to every image, how often would it be right
# about the rarest finding?

# %% tags=["answer"]
shares = pd.Series(prevalence(table, findings), findings)
rarest = shares.idxmin()
plots.finding_counts(table, shares)

# %% tags=["plumbing"]
cxr.answer(
    "For {right:.1%} of the images: that many do not show {rarest}. It would nearly always be right, and useless. So "
    "this course never judges by accuracy alone (lesson 05), and asks how rare findings are heard in training (lesson "
    "03).",
    right=1 - shares[rarest],
    rarest=rarest,
)

# %% [markdown]
# These images are not a day in a hospital. The simulator makes every finding far more frequent than it is in NIH's
# collection, where Hernia stands on 2 of 1,000 images, and that collection is sicker than the people who walk into a
# clinic. Without this, a few hundred patients would hold no Hernia at all. It matters wherever prevalence enters a
# figure: the accuracy above, and how often an alarm is right (lesson 05).

# %% [markdown]
# ## Which findings come together?
#
# Fluid around the lung (Effusion) presses on the lung, which collapses (Atelectasis). Findings are not independent,
# and a network may learn the company a finding keeps instead of the finding.
#
# To see company beyond chance, divide how often two findings meet by how often they would meet if they were
# independent. This ratio is called *lift*.
#
# **Exercise 2.** `labels` is an array with one row an image and one 0/1 column a finding. Return the lift of each pair,
# a square array. What stands on its diagonal, where a finding meets itself, does not matter.


# %%
def lift(labels):
    """Observed over expected share of each pair of findings, shape (findings, findings)."""
    ### BEGIN SOLUTION
    share = labels.mean(axis=0)
    together = labels.T @ labels / len(labels)
    return together / np.outer(share, share)
    ### END SOLUTION


# %%
lift = checks.lift(lift)

# %% [markdown]
# The picture leaves the diagonal out. Red pairs meet more often than by chance, blue ones less often. Two rare findings
# meet on a handful of images, so a pale red or blue may be chance itself. (Pandas' `corr` takes any measure of two
# columns, and hands it the images for which both labels are known.)

# %%
ratio = table[findings].corr(lambda *pair: np.asarray(lift(np.stack(pair, axis=1)))[0, 1]).to_numpy(copy=True)
np.fill_diagonal(ratio, np.nan)
plots.co_occurrence(ratio, findings)

# %% [markdown]
# The strongest pair, in words:

# %%
pairs = pd.DataFrame(ratio, findings, findings).stack().dropna()
for (first, second), times in pairs.nlargest(1).items():
    print(f"{first} and {second} meet {times:.1f} times as often as by chance.")

# %% [markdown]
# ## Patients return
#
# A hospital X-rays the same chest again and again. Two images of one patient show the same ribs, the same heart, often
# the same finding. They are not two independent observations.

# %%
plots.images_per_patient(table)

# %%
per_patient = table["patient"].value_counts()
print(f"{len(table):,} images of {len(per_patient):,} patients; the most of one patient: {per_patient.max()}.")

# %% [markdown]
# ## Age, sex, view
#
# Most X-rays are taken standing, from back to front (PA). Patients too ill to stand are taken in bed, from front to
# back (AP): the heart looks larger, and the breath is shallower. So the *way* an image was taken tells something about
# what it shows.
#
# The right picture compares the two views. A bar to the right is a finding that is more frequent in bed. **Predict:**
# on which side will Edema (fluid in the lung) be, and on which Fibrosis (old scars)?

# %% tags=["answer"]
plots.age_sex_view(table, findings)

# %% tags=["plumbing"]
in_bed = dataset.knows("view") and table[table["view"] == "AP"][findings].mean()
standing = dataset.knows("view") and table[table["view"] == "PA"][findings].mean()
asked = cxr.given({"Edema", "Fibrosis"} <= set(findings), "This data set does not know both of them.") and in_bed
cxr.answer(
    "Edema is {edema:.1f} times as frequent in bed as standing, Fibrosis {fibrosis:.1f} times. Somebody with fluid in "
    "the lung is too ill to stand; old scars let people walk about. Lesson 02 measures how far one gets with nothing "
    "but age, sex and view, and lesson 05 sets that beside every network.",
    edema=(asked / standing)["Edema"],
    fibrosis=(asked / standing)["Fibrosis"],
)

# %% [markdown]
# ## The pictures
#
# One image for each finding, with its box where it is known. The patient faces you: the patient's left is on the right
# of the picture, and so is most of the heart ([more](../docs/chest_film.md)). In the simulation every box is known,
# because the findings were put there; in NIH, radiologists drew them on less than one image in a hundred.

# %%
seen = dataset.with_images()


def example_of(finding):
    """Name of an image that shows `finding`: in a box if there is one, in little other company, and large."""
    company = seen.table.loc[seen.table[finding] == 1].assign(others=lambda rows: rows[findings].sum(axis=1))
    boxes = seen.boxes[seen.boxes["finding"] == finding]
    largest = boxes.assign(size=boxes["width"] * boxes["height"]).groupby("image")["size"].max()
    company = company.assign(size=company["image"].map(largest))
    preferred = company[company["size"].notna()]
    shown = preferred if len(preferred) else company
    return shown.sort_values(["others", "size", "image"], ascending=[True, False, True])["image"].iloc[0]


shown = [finding for finding in findings if seen.table[finding].any()]
names = [example_of(finding) for finding in shown]

# %%
pictures = [seen.picture(name) for name in names]
boxes = [seen.boxes_of(name, finding) for name, finding in zip(names, shown, strict=True)]
plots.gallery(pictures, [finding.replace("_", " ") for finding in shown], boxes, columns=5)

# %% [markdown]
# And a few images whose report names nothing. "No finding" means that the report mentioned none of the listed ones;
# it does not mean that the chest is healthy.

# %%
quiet = seen.table.loc[(seen.table[findings] == 0).all(axis=1), "image"].iloc[:5].tolist()
plots.gallery([seen.picture(name) for name in quiet], [Path(name).stem for name in quiet], columns=5)

# %% [markdown]
# ## What the network sees
#
# Exposure and processing differ from image to image: one is dark, one is pale. Most of that says nothing about the
# patient. Standardising each image by its own mean and standard deviation makes them equally bright and equally rich in
# contrast.
#
# **Exercise 3.** Return the image with mean 0 and standard deviation 1.


# %%
def standardise(pixels):
    """One image, shifted and scaled to mean 0 and standard deviation 1."""
    ### BEGIN SOLUTION
    return (pixels - pixels.mean()) / pixels.std()
    ### END SOLUTION


# %%
standardise = checks.standardise(standardise)

# %% [markdown]
# Here are the greys of the first four images of the gallery above, before and after. (The spike on the left is the
# black margin around the picture.)

# %%
before = [seen.picture(name) for name in [*quiet, *seen.table["image"]][:4]]
after = [np.asarray(standardise(one.astype(float))) for one in before]
plots.intensities(before, after, [f"image {number}" for number in range(1, 5)])

# %% [markdown]
# The package's own version, `cxr.data.standardise`, also survives an image of a single grey. One path from file to
# array serves training, prediction and heat maps, so that no model ever sees an image prepared in another way.
#
# Does standardising hide *how* an image was taken? Test it. For each image, count its standardised greys in 32 bins,
# throw the picture away, and let a regression guess the view from the 32 counts, always for patients from whom it has
# not learned. In bed the picture is taken by a portable machine, which lets more scattered rays through and shows more
# of the shoulders. The measure is the chance that an image taken in bed (AP) scores above one taken standing: 0.5 is a
# coin.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def view_from_greys(images):
    """How often an image taken in bed scores above one taken standing, judged by its standardised greys alone."""
    greys = [np.histogram(cxr.data.standardise(one), np.linspace(-3, 3, 33))[0] for one in images.pixels(64)]
    in_bed, patients = images.table["view"] == "AP", images.table["patient"]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    counts = np.sqrt(greys)  # roots, so that no single large count decides
    score = cross_val_predict(model, counts, in_bed, groups=patients, cv=GroupKFold(5), method="decision_function")
    return roc_auc_score(in_bed, score)


# %% [markdown]
# **Predict:** how far above one half?

# %% tags=["plumbing", "nbval-ignore-output"]
both = dataset.knows("view") and cxr.given(table["view"].nunique() > 1, "All images are of one view.")
told_by_greys = both and view_from_greys(seen)
cxr.answer(
    "{told:.2f}: take one image from a bed and one of a standing patient, and in {told:.0%} of such pairs the one from "
    "the bed scores higher. Mean and deviation are gone, and the shape of the histogram still betrays the machine and "
    "its settings, and with them the patient who could not stand. Nothing keeps a network from using that.",
    told=told_by_greys,
)

# %% [markdown]
# ## Records that cannot be true
#
# Real tables hold nonsense: NIH's first release listed patients who were more than four hundred years old. If you do
# not look, you train on it.
#
# **Exercise 4.** Return the names of the images whose age no human reaches (below 0 or above 120 years), as a list. An
# age that is missing is not impossible.


# %%
def impossible_ages(table):
    """Names of the images whose age is below 0 or above 120 years."""
    ### BEGIN SOLUTION
    return table.loc[(table["age"] < 0) | (table["age"] > 120), "image"].tolist()
    ### END SOLUTION


# %%
impossible_ages = checks.impossible_ages(impossible_ages)

# %%
known = table.reindex(columns=["image", "patient", "split", "age", "sex", "view"])
odd = known[known["image"].isin(impossible_ages(known))]
odd

# %% [markdown]
# Pictures can be odd as well: far too dark, inverted, turned. A number helps to find them: in every chest X-ray two
# dark lungs lie beside a bright spine, so all resemble the median of all. The next cell shrinks every image to 32 x 32
# pixels and takes its correlation with that median, the *likeness*: 1 is alike, 0 has nothing in common, below 0 is
# reversed. It shows the five that are least alike.

# %%
thumbnails = seen.pixels(32)
normal = np.median(thumbnails, axis=0)
slope = 1e-6 * np.arange(normal.size)  # so that an image of a single grey has a correlation too
likeness = [np.corrcoef(normal.ravel(), one.ravel() + slope)[0, 1] for one in thumbnails]
strange = seen.table.assign(likeness=likeness).nsmallest(5, "likeness").set_index("image")["likeness"]

# %%
names = [f"{Path(name).stem}: {value:.2f}" for name, value in strange.items()]
plots.gallery([seen.picture(name) for name in strange.index], names, columns=5)

# %% [markdown]
# A likeness near 0 or below it is a negative or a turned picture, and nobody would want to train on those. Others are
# merely unusual, such as a patient far from the middle. The number finds candidates, and you decide. It does not find
# everything: a picture that is far too dark keeps its shades in order and stays alike.
#
# ## Check yourself
#
# Five questions. Open the choice that you would take: it tells whether it is right, and why.
#
# **Question 1.** In one row of the table all 14 findings are 0. What do you know about this image?
#
# <details><summary>A. The chest on it is healthy.</summary>
# No. There are many more diseases than these 14 findings, such as a broken rib, and no column asks for them.
# </details>
# <details><summary>B. The program that reads reports found none of the 14 words in this one.</summary>
# Right. A label says what the report mentions. What was overlooked, or thought not worth a word, is a 0 as well.
# </details>
# <details><summary>C. None of the 14 findings is on it, though something else may be.</summary>
# No. That would be so if labels were the truth. A radiologist may have missed a small nodule, or left out what every
# earlier report had said already.
# </details>
# <details><summary>D. Its labels are unknown.</summary>
# No. An unknown label is not 0: it is left empty, and is not counted. A 0 is a statement, even if it may be wrong.
# </details>
#
# **Question 2.** Of 1,000 images 100 show Mass, 200 show Effusion, and 20 show both. What does the lift say about the
# two findings?
#
# <details><summary>A. They attract each other: a fifth of the images with Mass also show Effusion.</summary>
# No. A fifth of all images show Effusion, so a fifth is what you would get for any images that you pick at random.
# </details>
# <details><summary>B. They avoid each other: of 280 images with either, only 20 show both.</summary>
# No. Two rare findings seldom meet even if they have nothing to do with each other. Compare with what chance would
# give, and not with all images that show either.
# </details>
# <details><summary>C. They meet as often as by chance.</summary>
# Right. By chance 0.1 times 0.2 of the images would show both, which is 0.02 or 20 images. Observed over expected is
# 1.
# </details>
# <details><summary>D. Nothing, because lift is for findings that are equally frequent.</summary>
# No. Lift divides by both frequencies, so findings of any frequency can be compared.
# </details>
#
# **Question 3.** A hospital asks how common Cardiomegaly, which lasts for years, is among its patients. Collection P
# has 1,000 images of 10 patients, collection Q has 400 images of 400 patients. Which one answers better?
#
# <details><summary>A. Q, because it asks 400 people and P asks only 10.</summary>
# Right. A large heart is on nearly all images of its owner. The hundredth image of a patient tells next to nothing
# new, so P knows little more than ten answers.
# </details>
# <details><summary>B. P, because it has more than twice as many rows.</summary>
# No. Rows count as evidence only if they are independent. Here a hundred rows repeat the answer of one person.
# </details>
# <details><summary>C. Both equally well, because prevalence is a share and not a number.</summary>
# No. Both give a share, but not with the same certainty: in P a single patient more or less with a large heart
# changes the share by about ten percentage points.
# </details>
#
# **Question 4.** A program sees no pixel. It is told only whether an image is AP or PA, and with that alone it
# guesses Edema better than a coin. What follows?
#
# <details><summary>A. Lying in bed brings water into the lungs.</summary>
# No. That two things go together does not say which causes which. Here the illness comes first: those who have it are
# often too ill to stand.
# </details>
# <details><summary>B. There must be a mistake, because nobody can see Edema without a picture.</summary>
# No. Nobody sees it, but one can guess it: ill patients are X-rayed in another way than those who can walk to the
# machine.
# </details>
# <details><summary>C. AP images should be left out, so that the view tells nothing.</summary>
# No. Then the network would never learn from those patients who have Edema most often, and the next hospital has them
# too.
# </details>
# <details><summary>D. A network with pixels first has to beat this program.</summary>
# Right. How an image was taken tells something of what it shows. A network may learn the view and not the lung. It
# has shown that it sees something only if it does better than the view alone.
# </details>
#
# **Question 5.** In a second copy of an image every pixel is doubled and then raised by 10. Each copy is standardised
# by itself. How do the two results differ?
#
# <details><summary>A. The second is brighter by 10 units.</summary>
# No. Subtracting the mean takes away whatever was added to all pixels alike.
# </details>
# <details><summary>B. They do not differ.</summary>
# Right. The mean takes the 10 away and the standard deviation the factor 2. So two exposures of one chest become the
# same input, if exposure only shifts and stretches the greys.
# </details>
# <details><summary>C. Both have mean 0, but the second has twice the spread.</summary>
# No. The standard deviation of the second copy is twice as large as well, and it is divided by its own.
# </details>
# <details><summary>D. It depends on how dark the image was.</summary>
# No. Mean and standard deviation are those of the image itself, so both copies come out alike, however dark they
# were. Only an image of a single grey cannot be standardised, because its deviation is 0.
# </details>
#
# ## Key points
#
# - A label says what a report mentioned, for one image, in one column a finding; several can be 1.
# - Each finding is rare, even where most images bear some finding, and findings come in company.
# - Patients return, so images are not independent.
# - How an image was taken already tells something of what it shows.
# - Standardise every image by itself, always through the same function.
# - Look at the data. Every table has rows that cannot be true.

# %%
cxr.headline(f"{len(table):,} images of {len(per_patient):,} patients, rarest finding {rarest} {shares[rarest]:.1%}")

# %%
checks.solved()

# %% [markdown]
# What this run has shown:

# %% tags=["plumbing"]
several = dataset.knows("several_findings")
rare = several and cxr.given(len(findings) > 4, "a few classes, gathered to be about equally frequent, are not rare")
together = several and cxr.given((table[findings].sum(axis=1) > 1).any(), "no image has two findings")
uncleaned = cxr.given(dataset.kind == "phantom", "real collections may have been cleaned")
cxr.identity("A standardised image has mean 0 and standard deviation 1", *(one.mean() + one.std() for one in after), 1)
cxr.claims(
    {
        "Answering 'no' about the rarest finding is right for more than nine images in ten": (
            rare and shares[rarest] < 0.1
        ),
        "Some pair of findings meets at least one and a half times as often as by chance": (
            together and pairs.max() >= 1.5
        ),
        "Some patients return": dataset.knows("follow_ups") and per_patient.max() > 1,
        "Some finding is at least one and a half times as frequent in images taken in bed as in those taken standing": (
            dataset.knows("view") and (in_bed >= 1.5 * standing).any()
        ),
        "The greys of standardised images still tell how they were taken": told_by_greys > 0.6,
        "The table holds ages that cannot be true": dataset.knows("age") and uncleaned and len(odd) > 0,
        "At least one picture does not resemble the median picture at all": uncleaned and strange.min() < 0.1,
    }
)
