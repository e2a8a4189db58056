"""The 14 findings in one order, the column names, and what a valid image table is.

Every reader ends in `validate_table`, and every other module relies on what it promises: one row an image,
one column a finding, labels that are 0, 1 or unknown (NaN). Nothing here opens a file.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from cxr_utils.errors import DataError
from cxr_utils.phantom import FINDINGS

#: The parts that a data set is divided into: to learn from, to make choices on, to look at once.
PARTS = ("train", "valid", "test")
REQUIRED = ("image", "patient", "split")
OPTIONAL = ("age", "sex", "view", "follow_up", "collection")
BOX_COLUMNS = ("image", "finding", "x", "y", "width", "height")

# The one place where other names of the 14 stand, without spaces, hyphens and underscores.
_SYNONYMS = {
    "Atelectasis": ("atelectases",),
    "Cardiomegaly": ("enlargedheart", "cardiacenlargement", "enlargedcardiacsilhouette"),
    "Effusion": ("effusions", "pleuraleffusion", "pleuraleffusions"),
    "Infiltration": ("infiltrate", "infiltrates", "infiltrations"),
    "Mass": ("masses", "lungmass", "pulmonarymass"),
    "Nodule": ("nodules", "lungnodule", "pulmonarynodule", "pulmonarynodules"),
    "Pneumonia": ("pneumonias",),
    "Pneumothorax": ("pneumothoraces",),
    "Consolidation": ("consolidations", "airspaceconsolidation"),
    "Edema": ("oedema", "pulmonaryedema", "pulmonaryoedema", "lungedema"),
    "Emphysema": ("pulmonaryemphysema",),
    "Fibrosis": ("pulmonaryfibrosis", "lungfibrosis"),
    "Pleural_Thickening": ("pleuralthickenings",),
    "Hernia": ("hiatalhernia", "hiatushernia", "diaphragmatichernia"),
}
_HEALTHY = {
    "", "nofinding", "nofindings", "normal", "normals", "healthy", "none", "nothing", "nan", "na", "negative",
    "unremarkable", "clear", "normalcxr", "normalchest",
    "normalcases", "healthycases", "control", "controls", "uninfected", "withinnormallimits", "wnl", "nad",
}  # fmt: skip
# "No acute findings", "No abnormality detected", "without significant disease" and the like; "No_Mass" is none of them.
_NO_ILLNESS = re.compile(
    r"(no|none|without)(evidenceof|acute|significant|active|cardiopulmonary|radiographic)*"
    r"((findings?|abnormalit(y|ies)|diseases?|process|patholog(y|ies))(detected|seen|present)?|detected|seen)"
)


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).lower()


_SPELLINGS = {_plain(other): name for name, others in _SYNONYMS.items() for other in (name, *others)}


def finding_name(name: str) -> str:
    """Return the course's spelling of a finding; a name that is not one of the 14 is returned stripped.

    Example:
        >>> finding_name("Infiltrate"), finding_name("pleural-effusion"), finding_name(" Fracture ")
        ('Infiltration', 'Effusion', 'Fracture')
    """
    return _SPELLINGS.get(_plain(name), name.strip())


def is_healthy(name: str) -> bool:
    """Tell whether a label says that there is no finding, in whatever spelling.

    Example:
        >>> is_healthy("No_Finding"), is_healthy("NORMAL"), is_healthy("Mass")
        (True, True, False)
    """
    plain = re.sub(r"[^\w]|_", "", name).lower()
    return plain in _HEALTHY or bool(_NO_ILLNESS.fullmatch(plain))


def in_order(findings: Iterable[str]) -> tuple[str, ...]:
    """Sort findings: the 14 in NIH order first, then any others by name.

    One order for every data set keeps column 3 of a prediction the same finding whatever file it came from.

    Example:
        >>> in_order(["Hernia", "Fracture", "Edema"])
        ('Edema', 'Hernia', 'Fracture')
    """
    rank = {name: position for position, name in enumerate(FINDINGS)}
    return tuple(sorted(set(findings), key=lambda name: (rank.get(name, len(FINDINGS)), name)))


def validate_table(table: pd.DataFrame, findings: Sequence[str]) -> pd.DataFrame:
    """Check an image table against the contract and return it in contract form.

    Args:
        table: One row an image, with `image`, `patient`, `split` and one column per finding, 0, 1 or, for unknown, NaN;
            it is not changed. Columns `age` (years), `sex`, `view`, `follow_up` and `collection` are kept when present,
            odd values too.
        findings: Names of the label columns, in the order that they are to have.

    Returns:
        A new table: RangeIndex; image, patient, split as str; labels as int8, or where one of a finding
        is unknown as float32 with NaN; then the optional columns.

    Raises:
        DataError: A column is missing, an image or patient is empty, an image is named twice, a part is
            unknown, a label is neither 0 nor 1 nor unknown, or there is no row at all.

    Example:
        >>> table = pd.DataFrame({"image": ["a.png"], "patient": [7], "split": ["train"], "Mass": [1.0]})
        >>> validate_table(table, ["Mass"]).iloc[0].to_dict()
        {'image': 'a.png', 'patient': '7', 'split': 'train', 'Mass': 1}
    """
    require_columns(table, [*REQUIRED, *findings], "the image table")
    if not len(table):
        raise DataError(
            "The image table has no rows. Expected at least one image. "
            "Check that the table belongs to these images and was downloaded whole."
        )
    columns = {name: _texts(table[name], name) for name in REQUIRED}
    _check_unique(columns["image"])
    _check_parts(columns["split"])
    columns |= {name: binary(table[name], name) for name in findings}
    columns |= {name: table[name].reset_index(drop=True) for name in OPTIONAL if name in table}
    if "age" in columns:
        columns["age"] = columns["age"].astype(float)
    return pd.DataFrame(columns)


def require_columns(table: pd.DataFrame, names: Sequence[str], what: str) -> None:
    """Raise DataError when `table` lacks one of the columns `names`; `what` says which table it is.

    Example:
        >>> require_columns(pd.DataFrame({"image": []}), ["image"], "a.csv")
    """
    missing = [name for name in names if name not in table]
    if missing:
        raise DataError(
            f"Column {', '.join(missing)} is missing in {what}, which has {_some(table.columns)}. "
            f"Expected the columns {', '.join(names)}. Add or rename the column."
        )


def binary(values: pd.Series, name: str) -> pd.Series:
    """Return labels as int8, or as float32 where one is unknown; DataError for the first that is neither 0 nor 1.

    Example:
        >>> binary(pd.Series([True, False]), "Mass").tolist()
        [1, 0]
        >>> binary(pd.Series([1, None]), "Mass").tolist()
        [1.0, nan]
    """
    unknown = values.isna().to_numpy()
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = (numbers != 0) & (numbers != 1) & ~unknown
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"Label {name} is {values.tolist()[row]!r} in row {row} ({int(wrong.sum())} such rows). "
            f"Expected 0, 1 or nothing (unknown). Decide what the other values mean and replace them, or drop the rows."
        )
    return pd.Series(numbers.astype(np.float32 if unknown.any() else np.int8), name=name)


def _texts(values: pd.Series, name: str) -> pd.Series:
    empty = values.isna().to_numpy()
    if not empty.any():
        values = (values if pd.api.types.is_string_dtype(values) else values.astype(str)).reset_index(drop=True)
        empty = (values == "").to_numpy()
    if empty.any():
        raise DataError(
            f"Column {name} is empty in row {int(np.argmax(empty))} ({int(empty.sum())} such rows). "
            f"Expected a value in every row. Fill it in or drop the rows."
        )
    return values


def _check_unique(images: pd.Series) -> None:
    twice = images.duplicated()
    if twice.any():
        raise DataError(
            f"Image {images[twice].iloc[0]} has more than one row ({int(twice.sum())} rows too many). "
            f"Expected one row an image. Drop the repeated rows, after looking whether their labels differ."
        )


def _check_parts(split: pd.Series) -> None:
    unknown = sorted(set(split.unique()) - set(PARTS))
    if unknown:
        raise DataError(
            f"Column split holds {_some(unknown)}. Expected train, valid or test. Rename the parts in the table."
        )


def _some(names: Iterable[object], most: int = 8) -> str:
    """List the first few names, so that a table of 500 columns does not become a message of 500 words."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more if texts else "no columns"
