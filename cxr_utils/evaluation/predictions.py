"""Predictions beside labels: read from a file or made by a model, and matched by name, never by position.

A table of predictions has an image column and one column a finding. `align` and `align_patients` bring labels, scores
and patients into one order; every figure of this room passes through them.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import read_csv
from cxr_utils.data.schema import PARTS, finding_name
from cxr_utils.errors import DataError

#: Columns of an image table that are not findings.
NOT_FINDINGS = frozenset({"patient", "split", "age", "sex", "view", "follow_up", "collection"})
#: Labels or scores, (images, findings) or (images,).
Table: TypeAlias = pd.DataFrame | pd.Series | np.ndarray
#: The patient of each image.
Patients: TypeAlias = pd.Series | Sequence[str] | np.ndarray
# Other words for them, without what is neither letter nor figure.
_WORDS = {
    "image": "image imageindex imageid imagename imagepath file filename path",
    "patient": "patientid subject subjectid", "age": "patientage", "sex": "gender patientgender patientsex",
    "view": "viewposition", "index": "index unnamed",
}  # fmt: skip
_ROLES = {name.replace("_", ""): name for name in NOT_FINDINGS} | {"": "index"}
_ROLES |= {word: name for name, words in _WORDS.items() for word in words.split()}
_MARK = "(?:pred(?:iction)?|prob(?:ability)?|score)s?"
_SCORE = re.compile(f"{_MARK}[_ -](?P<after>.+)|(?P<before>.+)[_ -]{_MARK}", re.IGNORECASE)


def role(column: str) -> str | None:
    """What a column says that is no finding: "image", "patient", "age" and so on, or "index"; None where it may be one.

    Example:
        >>> [role(name) for name in ("Image Index", "Patient ID", "Unnamed: 0", "Mass")]
        ['image', 'patient', 'index', None]
    """
    return _ROLES.get(re.sub("[^a-z0-9]|(?<=unnamed: )[0-9]+", "", str(column).lower()))


def scored(column: str) -> str | None:
    """The finding that a column of scores names, or None where nothing marks it as scores.

    Example:
        >>> scored("Effusion_pred"), scored("prob_Infiltrate"), scored("Effusion")
        ('Effusion', 'Infiltration', None)
    """
    found = _SCORE.fullmatch(str(column).strip())
    return finding_name(found["after"] or found["before"]) if found else None


def read_predictions(path: str | Path) -> pd.DataFrame:
    r"""Read scores from a CSV file.

    Args:
        path: .csv or .csv.gz with a column `image` (or `Image Index`, as NIH writes it) and one column a finding, which
            may be marked as `Mass_pred` or `prob_Mass`. Columns such as patient or split are passed over.

    Returns:
        Index: image, a name or a path with /. Columns: findings in the course's spelling.

    Raises:
        DataError: there is no such file, no image column, or an image or a finding appears twice.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "scores.csv"
        >>> _ = file.write_text("Image Index,prob_Mass,Infiltrate\na.png,0.2,0.9\n")
        >>> read_predictions(file).to_dict("index")
        {'a.png': {'Mass': 0.2, 'Infiltration': 0.9}}
    """
    table, name = read_csv(Path(path)), Path(path).name
    scores = table[[column for column in table if role(column) is None]]
    scores = scores.set_axis(pd.Index(image_names(table, name), name="image"), axis=0)
    scores.columns = [scored(column) or finding_name(str(column)) for column in scores]
    for what, names in (("images", scores.index), ("findings", scores.columns)):
        if not names.is_unique:
            twice = names[names.duplicated()]
            raise DataError(
                f"{len(twice)} {what} appear more than once in {name} (the first is {twice[0]}). Expected each once. "
                "Drop the repeated ones, after looking whether their scores differ; a table of labels beside scores is "
                "judged without --data and --labels."
            )
    return scores


def image_names(table: pd.DataFrame, name: str) -> pd.Series:
    """The image of each row, with / between folders; `DataError` where not exactly one column names it.

    Args:
        table: with a column such as `image` or `Image Index`.
        name: what to call the table.
    """
    named = [column for column in table if role(column) == "image"]
    if len(named) != 1:
        columns = ", ".join(map(str, table.columns[:8]))
        told = f"{name} has {len(named)} columns that name an image; its columns are {columns}."
        raise DataError(f"{told} Expected one column `image`. Rename it.")
    empty = table[named[0]].isna().to_numpy()
    if empty.any():
        raise DataError(
            f"Column {named[0]} of {name} is empty in row {empty.argmax()} ({empty.sum()} such rows). Expected the "
            "image of each row. Fill it in, or drop the row."
        )
    return table[named[0]].astype(str).str.replace("\\", "/")


def predictions_of(source: str | Path, dataset: Dataset, parts: tuple[str, ...]) -> pd.DataFrame:
    """Scores from a file, or from a trained model that sees the images of these parts now.

    Args:
        source: a .csv or .csv.gz file, or the folder of a trained model.
        dataset: whose images a model is to see.
        parts: which of its parts.

    Returns:
        As `read_predictions`.

    Raises:
        DataError: there is no such file.
        RecipeError: the folder is that of no trained network, or of one that is damaged.

    Example:
        >>> import tempfile; from cxr_utils import data
        >>> dataset, file = data.open_dataset("phantom"), Path(tempfile.mkdtemp()) / "scores.csv"
        >>> dataset.table.set_index("image")[list(dataset.findings)].to_csv(file)
        >>> predictions_of(file, dataset, ("test",)).shape
        (1400, 14)
    """
    source = Path(source)
    if not source.is_dir():
        return read_predictions(source)
    from cxr_utils.networks.trained import open_model

    wanted = dataset.table["split"].isin(parts).to_numpy()
    return open_model(source).predict(dataset.subset(wanted, dataset.name))


def judged_images(
    predictions: pd.DataFrame, dataset: Dataset, part: str, *, partial: bool = False, shared: bool = False
) -> tuple[Dataset, pd.DataFrame, list[str]]:
    """The images of a part with their scores, in one order; a mismatch is an error, or where allowed a note.

    Args:
        predictions: under the data set's names (see `evaluation.named_as`); images outside the part do no harm.
        dataset: what they are to be judged by.
        part: "train", "valid", "test" or "all".
        partial: judge the images and findings that both have.
        shared: judge the findings that both have; every image must have a score.

    Returns:
        The images of the part that have scores, their scores (images, findings), and what was left out.

    Raises:
        DataError: images of the part or findings of the data set have no score, or scores no labels.
    """
    if part not in (*PARTS, "all"):
        raise DataError(f"A part {part!r} was asked for. Expected train, valid, test or all. Correct the name.")
    own = dataset if part == "all" else dataset.part(part)
    scored = own.table["image"].isin(predictions.index).to_numpy()
    known = [name for name in dataset.findings if name in predictions]
    unscored = [name for name in dataset.findings if name not in predictions]
    unlabelled = [name for name in predictions if name not in dataset.findings]
    images = [f"{(~scored).sum():,} of {len(own):,} images have no prediction"] * (not scored.all())
    findings = [f"no predictions for {', '.join(unscored)}"] * bool(unscored)
    findings += [f"no labels for {', '.join(unlabelled)}"] * bool(unlabelled)
    if not known or not scored.any():
        raise DataError(
            f"The predictions name {scored.sum():,} of {len(own):,} images of {own.name} (for instance "
            f"{own.table['image'].iloc[0]}) and {len(known)} of its {len(dataset.findings)} findings"
            f"{'' if known else ': ' + '; '.join(findings)}. Expected both to fit. Check that the predictions belong "
            "to this data set and part."
        )
    if (images or (findings and not shared)) and not partial:
        raise DataError(
            f"The predictions do not fit {own.name}: {'; '.join(images + findings)}. Expected one row for each image "
            "and one column for each finding. Predict the rest, or judge what is there with --partial."
        )
    if findings and shared:
        findings.insert(0, f"judged: {', '.join(known)}, which both know")
    own = own.subset(scored, own.name)
    return own, predictions.loc[own.table["image"], known], images + findings


def align(truth: Table, scores: Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Brings labels and scores into the same order of images and findings.

    Args:
        truth: labels 0, 1 or NaN (unknown), shape (images, findings) or (images,). A DataFrame is indexed by image; an
            image table of the course (with its columns `image`, `patient`, ...) is accepted as it is. An array has
            no names and is taken in the order in which it stands.
        scores: one finite number for each known label, in the same forms; larger means more probably present.

    Returns:
        Two DataFrames of the same shape, index and columns: truth (int8, or where a label is unknown float64) and
        scores (float64, NaN beside an unknown label, so that no figure can count it), in the order of images and
        findings of `truth`, or of whichever of the two has names.

    Raises:
        DataError: where images or findings differ, an image appears twice, a label is not 0, 1 or unknown, a score is
            missing or infinite, or there is nothing to compare.

    Example:
        >>> truth = pd.DataFrame({"Mass": [0, 1], "Edema": [1, 0]}, index=["a.png", "b.png"])
        >>> scores = pd.DataFrame({"Edema": [0.9, 0.1], "Mass": [0.2, 0.7]}, index=["a.png", "b.png"])
        >>> align(truth, scores)[1].columns.tolist()
        ['Mass', 'Edema']
    """
    truth, scores = _named(truth), _named(scores)
    if isinstance(truth, pd.DataFrame) and isinstance(scores, pd.DataFrame):
        _refuse_difference("findings", truth.columns, scores.columns)
        _refuse_difference("images", truth.index, scores.index)
        scores = scores.loc[truth.index, truth.columns]
    else:
        truth, scores = _borrow_names(truth, scores)
    truth = _labels(truth)
    return truth, _finite(scores, truth.isna().to_numpy())


def known(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One finding's labels and scores, without the images whose label is unknown.

    Args:
        truth: (images,) labels 0, 1 or NaN (unknown).
        scores: (images,) finite where the label is known.

    Returns:
        Labels (known images,) int8 and scores (known images,) float64.

    Example:
        >>> [column.tolist() for column in known([0, np.nan, 1], [0.2, 0.9, 0.7])]
        [[0, 1], [0.2, 0.7]]
    """
    labels, values = (table.to_numpy()[:, 0] for table in align(np.asarray(truth), np.asarray(scores)))
    kept = ~np.isnan(labels)
    return labels[kept].astype(np.int8), values[kept]


def align_patients(patients: Patients, images: pd.Index) -> np.ndarray:
    """The patient of each image as a whole number 0, 1, 2, ...

    Args:
        patients: one patient for each image. A Series indexed by image is matched by name; anything else, and
            a column whose index only numbers the rows of its table, is taken in the order of `images`.
        images: the images, as in the index of the aligned truth.

    Returns:
        Array (images,) of whole numbers; equal numbers are the same patient.

    Raises:
        DataError: where a patient is missing, or the number of patients is not the number of images.

    Example:
        >>> align_patients(["13", "13", "27"], pd.Index(["a.png", "b.png", "c.png"])).tolist()
        [0, 0, 1]
    """
    if isinstance(patients, pd.Series):
        patients = _in_order(patients, images)
    values = np.asarray(patients, dtype=object)
    if values.shape != (len(images),):
        raise DataError(
            f"Received patients of shape {values.shape} for {len(images)} images. Expected one patient for each image. "
            "Take both from the same table, for instance table['patient']."
        )
    codes, _ = pd.factorize(values, use_na_sentinel=True)
    if (codes < 0).any():
        missing = images[codes < 0]
        raise DataError(
            f"{len(missing)} images have no patient (the first is {missing[0]}). Expected one "
            "patient for each image. Fill the column, or drop these images from truth and "
            "scores alike."
        )
    return codes


def _in_order(patients: pd.Series, images: pd.Index) -> pd.Series:
    """Patients by name where their index names images, as they stand where it only numbers rows."""
    index = patients.index
    if not index.is_unique:
        raise DataError(
            "The patients name an image twice. Expected one patient for each image. Drop the repeated rows."
        )
    numbers_rows = pd.api.types.is_integer_dtype(index)
    images_are_numbers = pd.api.types.is_integer_dtype(images)
    if not numbers_rows or (images_are_numbers and not isinstance(images, pd.RangeIndex)):
        return patients.reindex(images)
    if images_are_numbers and not index.equals(images) and len(index.symmetric_difference(images)) == 0:
        raise DataError(
            "The patients are numbered like the images but stand in another order. Expected one order. Index "
            "both by image, or pass patients.to_numpy() if row by row is what you mean."
        )
    return patients


def _named(table: Table) -> pd.DataFrame | np.ndarray:
    """A DataFrame indexed by image with findings as columns, or a two-dimensional array."""
    if isinstance(table, pd.Series):
        table = table.to_frame(table.name if table.name is not None else "finding")
    if isinstance(table, pd.DataFrame):
        if "image" in table.columns:
            table = table.set_index("image")
        return table.drop(columns=[name for name in table.columns if name in NOT_FINDINGS])
    array: np.ndarray = np.asarray(table)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise DataError(
            f"Received an array of shape {array.shape}. Expected (images, findings) or "
            "(images,). Pass one row for each image."
        )
    return array


def _borrow_names(
    truth: pd.DataFrame | np.ndarray, scores: pd.DataFrame | np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Names for the one that is an array, from the other one; refuses another shape."""
    if truth.shape != scores.shape:
        raise DataError(
            f"Received truth of shape {truth.shape} and scores of shape {scores.shape}. Expected "
            "the same shape (images, findings). Score exactly the images and findings that have "
            "labels."
        )
    names = next((table for table in (truth, scores) if isinstance(table, pd.DataFrame)), None)
    if names is None:
        columns = ["finding"] if truth.shape[1] == 1 else [f"finding {j}" for j in range(truth.shape[1])]
        names = pd.DataFrame(index=pd.RangeIndex(len(truth)), columns=columns)
    _refuse_repeats("images", names.index)
    _refuse_repeats("findings", names.columns)
    like = {"index": names.index, "columns": names.columns}
    return pd.DataFrame(np.asarray(truth), **like), pd.DataFrame(np.asarray(scores), **like)


def _refuse_repeats(what: str, names: pd.Index) -> None:
    if not names.is_unique:
        repeated = names[names.duplicated()]
        raise DataError(
            f"{len(repeated)} {what} appear more than once (the first is {repeated[0]}). "
            f"Expected each once. Drop the repeated {what} before measuring."
        )


def _refuse_difference(what: str, truth: pd.Index, scores: pd.Index) -> None:
    """Refuses names that repeat or that only one of the two tables has."""
    for names in (truth, scores):
        _refuse_repeats(what, names)
    unscored, unlabelled = truth.difference(scores, sort=False), scores.difference(truth, sort=False)
    if len(unscored) or len(unlabelled):
        example = unscored[0] if len(unscored) else unlabelled[0]
        numbered = what == "images" and isinstance(truth, pd.RangeIndex)
        hint = " Name the images of the labels: table.set_index('image')." if numbered else ""
        raise DataError(
            f"{len(unscored)} {what} have labels but no score, {len(unlabelled)} a score but no label (one "
            f"of them is {example!r}). Expected the same {what} in truth and scores. Select the {what} that "
            f"both have.{hint}"
        )


def _labels(truth: pd.DataFrame) -> pd.DataFrame:
    if truth.size == 0:
        raise DataError(
            f"Received truth of shape {truth.shape}. Expected at least one image and one "
            "finding. Check the split or the selection that came before."
        )
    values = truth.to_numpy()
    unknown = truth.isna().to_numpy()
    wrong = ~np.isin(values, (0, 1)) & ~unknown
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f"The label of {truth.columns[column]} for image {truth.index[row]} is "
            f"{values[row, column]!r}. Expected 0 or 1, or NaN where it is unknown. Decide what an uncertain "
            "label means before measuring."
        )
    return truth.astype(np.float64 if unknown.any() else np.int8)


def _finite(scores: pd.DataFrame, unknown: np.ndarray) -> pd.DataFrame:
    try:
        scores = scores.astype(np.float64)
    except (TypeError, ValueError) as problem:
        raise DataError(
            f"The scores hold something that is not a number ({problem}). Expected one number "
            "for each image and finding. Drop the other columns."
        ) from problem
    scores = scores.mask(unknown) if unknown.any() else scores
    wrong = ~np.isfinite(scores.to_numpy()) & ~unknown
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f"{wrong.sum()} scores are missing or infinite (the first is {scores.columns[column]} of image "
            f"{scores.index[row]}). Expected finite numbers. Look for a diverged training or a failed join."
        )
    return scores
