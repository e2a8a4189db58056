"""A table of predictions as others hand it over: an image column, and one column a finding.

Predictions are matched to a data set by the names of images and findings, never by position.
"""

from pathlib import Path

import pandas as pd

from cxr_utils.alignment import NOT_FINDINGS
from cxr_utils.datasets import Dataset
from cxr_utils.errors import DataError
from cxr_utils.layouts.files import read_csv
from cxr_utils.schema import PARTS, finding_name

_IMAGE_COLUMNS = ("image", "image index", "file", "filename", "path")


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read scores from a CSV file.

    Args:
        path: .csv or .csv.gz with a column `image` (or `Image Index`, as NIH writes it) and one column a finding;
            a prefix `prob_` is taken off. Columns such as patient or split are passed over.

    Returns:
        Index: image (a folder before the file name is dropped). Columns: findings in the course's spelling.

    Raises:
        DataError: there is no such file, no image column, or an image or a finding appears twice.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "scores.csv"
        >>> _ = file.write_text("Image Index,prob_Mass,Infiltrate\\na.png,0.2,0.9\\n")
        >>> read_predictions(file).to_dict("index")
        {'a.png': {'Mass': 0.2, 'Infiltration': 0.9}}
    """
    raw = read_csv(Path(path))
    named = [column for column in raw if str(column).strip().lower() in _IMAGE_COLUMNS]
    if len(named) != 1:
        raise DataError(
            f"{Path(path).name} has {len(named)} columns that name an image; its columns are "
            f"{', '.join(map(str, raw.columns[:8]))}. Expected one column `image`. Rename it."
        )
    images = raw[named[0]].astype(str).str.replace("\\", "/").str.rsplit("/", n=1).str[-1]
    known = [column for column in raw if str(column).strip().lower() in NOT_FINDINGS]
    scores = raw.drop(columns=[*named, *known]).set_axis(pd.Index(images, name="image"), axis=0)
    scores.columns = [finding_name(str(column).strip().removeprefix("prob_")) for column in scores]
    for what, names in (("images", scores.index), ("findings", scores.columns)):
        if not names.is_unique:
            twice = names[names.duplicated()]
            raise DataError(
                f"{len(twice)} {what} appear more than once in {Path(path).name} (the first is {twice[0]}). "
                f"Expected each once. Drop the repeated ones, after looking whether their scores differ."
            )
    return scores


def predictions_of(source: str | Path, dataset: Dataset, parts: tuple[str, ...]) -> pd.DataFrame:
    """Scores from a file, or from a trained model that sees the images of these parts now.

    Args:
        source: a .csv or .csv.gz file, or the folder of a trained model.
        dataset: whose images a model is to see.
        parts: which of its parts.

    Returns:
        As `read_predictions`.

    Raises:
        DataError: there is no such file, or the folder holds no model.
    """
    source = Path(source)
    if not source.is_dir():
        return read_predictions(source)
    if not (source / "card.json").exists():
        raise DataError(
            f"{source} holds no card.json. Expected the folder of a trained model, or a .csv file of predictions. "
            "Check the path."
        )
    from cxr_utils.training import Trained

    wanted = dataset.table["split"].isin(parts).to_numpy()
    return Trained(source).predict(dataset.subset(wanted, dataset.name))


def judged_images(
    predictions: pd.DataFrame, dataset: Dataset, part: str, *, partial: bool = False
) -> tuple[Dataset, pd.DataFrame, list[str]]:
    """The images of a part with their scores, in one order; a mismatch is an error, or with `partial` a note.

    Args:
        predictions: from `read_predictions`; images outside the part do no harm.
        dataset: what they are to be judged by.
        part: "train", "valid", "test" or "all".
        partial: judge the images and findings that both have.

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
    notes = [
        *([f"{(~scored).sum():,} of {len(own):,} images have no prediction"] * (not scored.all())),
        *([f"no predictions for {', '.join(unscored)}"] * bool(unscored)),
        *([f"no labels for {', '.join(unlabelled)}"] * bool(unlabelled)),
    ]
    if not known or not scored.any():
        raise DataError(
            f"The predictions name {scored.sum():,} of {len(own):,} images of {own.name} (for instance "
            f"{own.table['image'].iloc[0]}) and {len(known)} of its {len(dataset.findings)} findings. Expected both "
            "to fit. Check that the predictions belong to this data set and part."
        )
    if notes and not partial:
        raise DataError(
            f"The predictions do not fit {own.name}: {'; '.join(notes)}. Expected one row for each image and one "
            "column for each finding. Predict the rest, or judge what is there with --partial."
        )
    own = own.subset(scored, own.name)
    return own, predictions.loc[own.table["image"], known], notes
