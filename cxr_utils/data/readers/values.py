"""What cells of tables and names of files say: labels, patients, ages."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from cxr_utils.data.readers.match import plain
from cxr_utils.data.schema import FINDINGS, finding_name, in_order, is_healthy
from cxr_utils.errors import DataError

#: What an uncertain label (-1) is taken for.
Uncertain: TypeAlias = Literal["leave-out", "positive", "negative"]
_AS: dict[str, float] = {"leave-out": np.nan, "positive": 1.0, "negative": 0.0}

POSITIVE = ("1", "true", "yes", "y", "positive", "present")
NEGATIVE = ("0", "false", "no", "n", "negative", "absent")
UNCERTAIN = ("-1", "uncertain")

# NIH 00000013_005; Kermany person12_bacteria_3, IM-0115-0001 and NORMAL2-IM-0115-0001, in its original edition
# BACTERIA-7422-0001; CheXpert patient00001/study1/...; MIMIC p10000032/s50414267/...; Shenzhen CHNCXR_0001_0,
# Montgomery MCUCXR_0001_0
_PATIENT = re.compile(
    r"(?:.*/)?(?:0*(?P<nih>\d+)(?<=\d{8})_\d{3}$|(?P<person>person\d+)_|(?P<im>(?:NORMAL2-)?IM-\d+)-\d"
    r"|(?:BACTERIA|VIRUS|NORMAL)-(?P<original>\d+)-\d+$|(?P<chexpert>patient\d+)/study\d+/|(?P<mimic>p\d{8})/s\d+/"
    r"|(?P<tuberculosis>(?:CHN|MCU)CXR_\d+)_[01]$)"
)
# What Roboflow makes of a.png: a_png.rf.HASH.jpg
_ROBOFLOW = re.compile(r"_(png|jpe?g|dcm|dicom|bmp|tiff?|webp)\.rf\.[0-9A-Za-z]+$", re.IGNORECASE)
_AGE = re.compile(r"\s*>?\s*(\d+(?:[.,]\d+)?)\s*\+?\s*(y|m|w|d)?[a-z]*\.?\s*(?:old)?\s*", re.IGNORECASE)
# One label of VinDr-CXR.
_EITHER = ("Nodule/Mass", "nodule/mass")
# What CheXpert's "No Finding" leaves open.
_NO_ILLNESS = "Support Devices"
_YEARS = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}


def original_name(image: str) -> str:
    """Undo what Roboflow does to file names.

    Example:
        >>> original_name("train/00000013_005_png.rf.0abc1.jpg"), original_name("a.png")
        ('train/00000013_005.png', 'a.png')
    """
    return _ROBOFLOW.sub(r".\1", plain(image)) if _ROBOFLOW.search(plain(image)) else image


def patient_of(image: str) -> str | None:
    """Read the patient from a file name or path by the rules of known collections; None for any other name.

    Example:
        >>> patient_of("00000013_005.png"), patient_of("a/person12_virus_3.jpeg"), patient_of("scan.png")
        ('13', 'person12', None)
    """
    match = _PATIENT.match(plain(original_name(image)))
    return match[match.lastgroup] if match and match.lastgroup else None


def patients_of(images: pd.Series) -> tuple[pd.Series, list[str]]:
    """Read patients from file names; an image whose name tells none stands for a patient of its own.

    Copies that Roboflow made of one picture have one patient, whatever part it dealt them to.

    Args:
        images: File names or paths.

    Returns:
        Patients, with the index of `images`, and a note to tell (empty when every name told its patient).
    """
    patients = images.map(patient_of)
    unknown = patients.isna()
    if not unknown.any():
        return patients, []
    note = (
        f"{unknown.sum()} of {len(images)} file names tell no patient (such as {images[unknown].iloc[0]}). "
        f"Each counts as a patient of its own, so two X-rays of one person cannot be noticed."
    )
    return patients.where(~unknown, images.map(_alone)), [note]


def _alone(image: str) -> str:
    """Name of the patient of an image whose name tells none: that of the image, of a copy that of its original."""
    original = original_name(image)
    return plain(original if original == image else original.rsplit("/", 1)[-1])


def years(ages: pd.Series) -> tuple[pd.Series, list[str]]:
    """Read ages in years, as tables write them: 58, 058Y, "58 years", 014M and 010D for infants.

    Args:
        ages: Numbers or texts.

    Returns:
        (n,) float, NaN where nothing can be read, and a note that counts those (empty when all were read).

    Example:
        >>> years(pd.Series(["058Y", "6 months", "?"]))
        (0    58.0
        1     0.5
        2     NaN
        dtype: float64, ['1 of 3 ages cannot be read (such as ?) and are unknown.'])
    """
    if pd.api.types.is_numeric_dtype(ages):
        return ages.astype(float), []
    codes, distinct = pd.factorize(ages)
    read = np.array([*map(_year, distinct), np.nan])[codes]
    odd = np.isnan(read) & (codes >= 0)
    read = pd.Series(read, ages.index)
    if not odd.any():
        return read, []
    return read, [f"{odd.sum():,} of {len(ages):,} ages cannot be read (such as {ages[odd].iloc[0]}) and are unknown."]


def _year(text: object) -> float:
    found = _AGE.fullmatch(str(text))
    return float(found[1].replace(",", ".")) * _YEARS[(found[2] or "y").lower()] if found else np.nan


def sexes(values: pd.Series) -> pd.Series:
    """Write F and M for what tables call female and male; anything else stays.

    Example:
        >>> sexes(pd.Series(["Female", "m", "Unknown"])).tolist()
        ['F', 'M', 'Unknown']
    """
    known = {"female": "F", "f": "F", "male": "M", "m": "M"}
    codes, distinct = pd.factorize(values)
    short = [known.get(str(word).strip().lower(), word) for word in distinct]
    return pd.Series(np.array([*short, np.nan], object)[codes], values.index)


def labels_in_cells(texts: pd.Series, separators: str = "|") -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Turn cells such as "Mass|Nodule" into columns; each distinct text is taken apart once.

    Args:
        texts: (n,) of str; an empty cell, or one that says healthy in any spelling, has no finding.
        separators: Characters of which each may stand between two labels.

    Returns:
        Labels (n, findings) int8, and the findings: the 14, then any others.
    """
    codes, distinct = pd.factorize(texts.fillna(""))
    named = [{finding_name(part) for part in parts_of(text, separators) if not is_healthy(part)} for text in distinct]
    findings = in_order(set().union(*named))
    if odd := [name for name in findings if name.lower() in UNCERTAIN or not any(map(str.isalpha, name))]:
        raise DataError(
            f"A cell of labels holds {odd[0]!r}. Expected names of findings. Say what it means in the section [names] "
            "of a dataset.toml (cxr data describe), or drop its rows."
        )
    matrix = np.array([[finding in names for finding in findings] for names in named], dtype=np.int8)
    return pd.DataFrame(matrix.reshape(len(named), len(findings))[codes], columns=list(findings)), findings


def parts_of(cell: str, separators: str) -> list[str]:
    """Take the labels of a cell apart, and those that something else stands between where each is one of the 14.

    Example:
        >>> parts_of("['Mass', 'Lung Lesion']", ","), parts_of("Mass/Edema|Effusion and Hernia", "|")
        (['Mass', 'Lung Lesion'], ['Mass', 'Edema', 'Effusion', 'Hernia'])
    """
    parts = [part.strip(" '\"[](){}") for part in re.split(f"[{re.escape(separators)}]", cell)]
    apart = [[word for word in re.split(r"[\s/+&;,]+|\band\b", part) if word] for part in parts]
    return [
        name
        for part, words in zip(parts, apart, strict=True)
        for name in (words if part not in _EITHER and all(finding_name(word) in FINDINGS for word in words) else [part])
    ]


def labels_in_columns(
    table: pd.DataFrame,
    columns: Sequence[str],
    what: str,
    *,
    uncertain: Uncertain = "leave-out",
    words: Mapping[str, Iterable[str]] | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...], list[str]]:
    """Read label columns: positive, negative, uncertain, and an empty cell for unknown.

    A column that names the healthy ("No Finding") is none of the findings; where it is positive, empty cells of the
    row are negative, except for Support Devices. Two columns may name one finding; where they differ, the positive one
    counts.

    Args:
        table: With the columns.
        columns: Which of them hold labels.
        what: What to call the table in messages.
        uncertain: What an uncertain label is taken for.
        words: "positive", "negative", "uncertain" to what stands for it, in lower case; the usual ones by default.
        names: Column to the label that it holds, where that is another.

    Returns:
        Labels (n, findings), float with NaN or int8; the findings in the course's order; notes.

    Raises:
        DataError: A cell is none of these.
    """
    words = words or {"positive": POSITIVE, "negative": NEGATIVE, "uncertain": UNCERTAIN}
    meaning = dict.fromkeys(words["negative"], 0.0) | dict.fromkeys(words["positive"], 1.0)
    meaning |= dict.fromkeys(words["uncertain"], _AS[uncertain])
    read: dict[str, np.ndarray] = {}
    unsure: dict[str, np.ndarray] = {}
    notes: list[str] = []
    healthy, doubtful = np.zeros(len(table), bool), 0
    called = {column: (names or {}).get(column, column) for column in columns}
    for column in columns:
        values, doubts = _label_column(table[column], column, what, meaning, words["uncertain"])
        if is_healthy(called[column]):
            healthy |= (values == 1) & ~doubts
            continue
        doubtful += int(doubts.sum())
        first = re.sub(r"\.\d+$", "", column)  # pandas calls a second column Mass "Mass.1"
        name = finding_name(called[first if first in called else column])
        if name in read:
            differ = int(((values != read[name]) & ~np.isnan(values) & ~np.isnan(read[name])).sum())
            notes.append(f"two columns name {name}; where they differ ({differ:,} rows), it counts as present.")
            values, doubts = np.fmax(values, read[name]), doubts | unsure[name]
        read[name], unsure[name] = values, doubts
    findings = in_order(read)
    notes = [*other_names(called.values()), *notes]
    ill = np.any([read[name] == 1 for name in set(findings) - {_NO_ILLNESS}], axis=0)
    if both := int((healthy & ill).sum()):
        notes.append(f"{both:,} rows of {what} are healthy by one column and not by another; the finding counts.")
    for name in set(findings) - {_NO_ILLNESS}:
        read[name][healthy & np.isnan(read[name]) & ~unsure[name]] = 0.0
    labels = pd.DataFrame({name: read[name] for name in findings}, index=table.index)
    known = [name for name in findings if not labels[name].isna().any()]
    if doubtful:
        how = {"leave-out": "left out as unknown"}.get(uncertain, f"taken for {uncertain}")
        notes.append(f"{doubtful:,} labels of {what} are uncertain; they are {how}.")
    return labels.astype(dict.fromkeys(known, np.int8)), findings, notes


def other_names(labels: Iterable[str]) -> list[str]:
    """Note which labels are read under the name of one of the 14 that is spelled otherwise (`schema`'s synonyms).

    Example:
        >>> other_names(["Pleural Effusion", "Mass", "Fracture"])
        ['labels are read under other names: Pleural Effusion as Effusion.']
    """
    renamed = [f"{label} as {name}" for label in labels if (name := finding_name(label)) != label.strip()]
    return [f"labels are read under other names: {', '.join(renamed)}."] if renamed else []


def _label_column(
    cells: pd.Series, column: str, what: str, meaning: dict[str, float], uncertain: Iterable[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Values (n,) of float, and which of them were uncertain."""
    codes, distinct = pd.factorize(cells)
    texts = [
        str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell) for cell in distinct.tolist()
    ]
    plain_texts = [text.strip().lower() for text in texts]
    wrong = [place for place, text in enumerate(plain_texts) if text and text not in meaning]
    if wrong:
        row = int(np.argmax(codes == wrong[0]))
        raise DataError(
            f"Label {column} of {what} is {texts[wrong[0]]!r} in row {row} ({int(np.isin(codes, wrong).sum())} such "
            f"rows). Expected {', '.join(meaning)}, or nothing for unknown. Decide what the other values mean and "
            "replace them, or say in a dataset.toml what they mean (cxr data describe)."
        )
    values = np.array([*(meaning.get(text, np.nan) for text in plain_texts), np.nan])[codes]
    unsure = [text in set(uncertain) for text in plain_texts]
    return values, np.array([*unsure, False])[codes]


def with_all_findings(labels: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Add those of the 14 that a collection names and no image of this table has, as absent."""
    findings = in_order({*FINDINGS, *labels})
    return labels.reindex(columns=list(findings), fill_value=0).astype(np.int8), findings


def names_of_patients(values: pd.Series, what: str) -> pd.Series:
    """Write patients as text without leading zeros, as file names give them; each distinct one once.

    Args:
        values: A column of a table.
        what: What to call it in a message.

    Raises:
        DataError: One is empty.
    """
    codes, distinct = pd.factorize(values)
    texts = [
        str(int(name)) if isinstance(name, float) and name.is_integer() else str(name).strip() for name in distinct
    ]
    names = np.array([text.lstrip("0") or "0" if text.isdigit() else text for text in texts], dtype=object)
    if (codes < 0).any():
        raise DataError(
            f"{what} is empty in row {int(np.argmax(codes < 0))} of the image table. "
            f"Expected a number in every row. Fetch the table again or drop the row."
        )
    return pd.Series(names[codes], values.index)
