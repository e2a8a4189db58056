"""Class folders: `train/NORMAL/a.png`, `NORMAL/train/a.png`, or `NORMAL/a.png` without parts."""

import os
import re
from dataclasses import replace

import pandas as pd

from cxr_utils.data.readers.files import MASK_FILE, MASK_FOLDER, Contents, Files, Folder, digest, part_of
from cxr_utils.data.readers.match import plain
from cxr_utils.data.readers.values import patients_of
from cxr_utils.data.schema import FINDINGS, finding_name, in_order, is_healthy, validate_table
from cxr_utils.data.splits import drop_shared, fill_parts
from cxr_utils.errors import DataError

# Folders of these names hold pictures of every class, as `images/` of NIH and `CXR_png/` of Shenzhen do, or those of
# one patient or study.
_WORD = r"images?|imgs?|pictures|originals?|labels?|annotations?|png|jpe?g|dicom|data|dataset"
_WORD += r"|files|x-?rays?|frontal|lateral|pa|ap|cxr|chest"
_NO_CLASS = re.compile(
    rf"({_WORD})([ _-]?({_WORD}|\d+))*[ _-]?|(patient|subject|sub|case|study|series|p|s)[ _-]?\d+", re.IGNORECASE
)
_ABSENT = ("no", "neg", "false", "absent")
# Two classes of which one is only the lack of the other, such as NonCOVID and COVID, or TB_no and TB_yes.
_NEGATION = re.compile(
    r"(?:non|not?|without|neg(?:ative)?)([a-z0-9]+) (?:with|pos(?:itive)?)?\1"
    r"|([a-z0-9]+)(?:no|neg(?:ative)?|0) \2(?:yes|pos(?:itive)?|1)"
)


def class_folders(folder: Folder) -> pd.DataFrame | None:
    """List images with part and class when every one lies in a class folder; None for any other layout.

    Args:
        folder: What was found.

    Returns:
        Columns path (below the root), split (None where the folders name no part) and label (the class folder's name).
    """
    levels = {name: _levels(name) for name in {os.path.dirname(path) for path in folder.images}}
    classes = _classes({name: named for name, (_, named) in levels.items()})
    if not all(classes.values()):
        return None
    places = [(path, os.path.dirname(path)) for path in folder.images]
    rows = [(path, levels[place][0], classes[place]) for path, place in places]
    table = pd.DataFrame(rows, columns=["path", "split", "label"])
    return table if table["label"].nunique() > 1 else None


def _levels(folder: str) -> tuple[str | None, list[str]]:
    """Part that a path of folders names, and those folders that could name a class."""
    levels = [level for level in folder.split("/") if level and not _NO_CLASS.fullmatch(level)]
    parts = [part for part in map(_part, levels) if part]
    return parts[0] if parts else None, [level for level in levels if not _part(level)]


def _part(level: str) -> str | None:
    """The part that a folder's name tells, as a whole or by one of its words, as in xray_train or train - Copy."""
    words = {part for part in map(part_of, re.split(r"[^A-Za-z]+", level)) if part}
    return part_of(level) or (words.pop() if len(words) == 1 else None)


def _classes(named: dict[str, list[str]]) -> dict[str, str]:
    """That level of each folder which names its class; "" where there is none.

    A level that all pictures lie in is no class. Of those at which folders differ it is the first with a healthy class
    or one of the 14 in it, so that hospitals above the classes are none; else the first. Below a folder that is none of
    them, such as overlays/, there may be classes, too.
    """
    levels = enumerate(map(set, zip(*named.values(), strict=False)))
    differ = [(place, names) for place, names in levels if len(names) > 1]
    known = {place: {name for name in names if _finding(name) in (None, *FINDINGS)} for place, names in differ}
    place = next(iter([*(place for place in known if known[place]), *known]), 0)
    sure = known.get(place, set())
    return {
        folder: own[place]
        if not sure or own[place] in sure
        else next((name for name in own if name in sure), own[place])
        for folder, own in named.items()
        if own
    } | dict.fromkeys((folder for folder, own in named.items() if not own), "")


def read_folders(folder: Folder, kind: str = "folders") -> Contents:
    """Read class folders; the split is that of the folders.

    Args:
        folder: One that `class_folders` takes for such.
        kind: Name of the reader.

    Returns:
        What was found; see `read_classes`.

    Raises:
        DataError: It is none, a picture is normal and not, or class folders are numbers that tell nothing.
    """
    found, notes = _without_second_copy(folder)
    if found is None:
        raise DataError(
            f"{folder.root.name} holds no class folders. Expected such as train/NORMAL and train/PNEUMONIA."
        )
    apart = sorted(set(found["label"][found["split"].isna()]) - set(found["label"][found["split"].notna()]))
    if apart and found["split"].notna().any():
        raise DataError(
            f"{', '.join(apart)} in {folder.root.name} are folders of no part and of no class in one. Expected class "
            "folders in train, valid and test. Rename them, or move them away."
        )
    contents = read_classes(folder, found, kind)
    return replace(contents, notes=[*notes, *_unused(found), *contents.notes])


def _unused(found: pd.DataFrame) -> list[str]:
    """Note folders that were taken for neither part nor class, and pictures beside parts."""
    places = dict(zip(found["path"].map(os.path.dirname), found["label"], strict=True))
    others = sorted({level for place, label in places.items() for level in _levels(place)[1] if level != label})
    shown = ", ".join(others[:6]) + (f" and {len(others) - 6} more" if len(others) > 6 else "")
    notes = [f"the folders {shown} are taken for neither a part nor a class."] if len(others) > 1 else []
    beside = found["split"].isna()
    if beside.any() and not beside.all():
        notes.append(
            f"{beside.sum():,} pictures lie in no part (such as {found['path'][beside].iloc[0]}); they count as train."
        )
    return notes


def read_classes(folder: Folder, found: pd.DataFrame, kind: str) -> Contents:
    """Turn pictures with one class each into the contract; patients come from the file names.

    Of two classes, one of them normal, the other is the one finding. Files of one name and the same bytes are one
    picture: in several classes of one part it has all their findings, in two parts it is dropped from the earlier.

    Args:
        folder: Where the pictures lie.
        found: Columns path (below the root), split (None where nothing says it) and label (the class).
        kind: Name of the reader.

    Returns:
        What was found; each image is named by its path below the root. Masks are kept beside their pictures.

    Raises:
        DataError: A picture is normal and not, or classes are numbers that tell nothing.
    """
    finding, notes = _findings(found["label"])
    found = found.assign(image=_same_bytes(folder, found["path"]), finding=finding)
    found["patient"], unnamed = patients_of(found["image"])
    findings = in_order(found["finding"].dropna())
    labels = pd.get_dummies(found["finding"], dtype="int8").reindex(columns=list(findings), fill_value=0)
    named = found["split"].notna().any()
    rows = pd.concat([found[["image", "patient"]], found["split"].fillna("train"), labels], axis=1)
    _check_contradictions(found)
    whole = rows.groupby(["image", "patient", "split"], sort=False, as_index=False).max()
    table, shared = drop_shared(whole)
    table, filled = fill_parts(table.reset_index(drop=True), findings)
    masks, kept = _masks(folder, found["image"])
    return Contents(
        kind=kind,
        table=validate_table(table, findings),
        findings=findings,
        files=Files({image: folder.path(image) for image in found["image"].unique()}),
        published=whole[["image", "patient", "split"]] if named else None,
        masks=masks,
        notes=[*notes, *unnamed, *shared, *filled, *kept],
    )


def _masks(folder: Folder, images: pd.Series) -> tuple[Files, list[str]]:
    """The mask of each picture that has one, as in COVID/masks/1.png for COVID/images/1.png; and a note that counts."""
    if not folder.masks:
        return Files({}), []
    by_key: dict[str, list[str]] = {}
    for mask in folder.masks:
        by_key.setdefault(_mask_key(mask), []).append(mask)
    own = {image: by_key.get(_mask_key(image), []) for image in images.unique()}
    masks = {image: folder.path(found[0]) for image, found in own.items() if len(found) == 1}
    note = f"{len(folder.masks):,} masks are no pictures; {len(masks):,} pictures have one of their own."
    return Files(masks), [note]


def _mask_key(path: str) -> str:
    """A path without its ending, and without what tells a mask from its picture."""
    *levels, last = plain(path).split("/")
    kept = [level for level in levels if not (_NO_CLASS.fullmatch(level) or MASK_FOLDER.fullmatch(level))]
    return "/".join([*kept, MASK_FILE.sub("", last)])


def _without_second_copy(folder: Folder) -> tuple[pd.DataFrame | None, list[str]]:
    """Class folders without the copy of all of them that an archive holds in a folder of its own.

    Kermany's collection came from Kaggle as chest_xray/ and, in it, chest_xray/ once more.
    """
    paths = set(folder.images)
    tops = {path.split("/", 1)[0] for path in paths if "/" in path}
    for top in sorted(tops):
        inside = {path.removeprefix(f"{top}/") for path in paths if path.startswith(f"{top}/")}
        if len(inside) > 1 and inside <= paths and all(_bytes_equal(folder, path, f"{top}/{path}") for path in inside):
            rest = Folder(folder.root, sorted(paths - {f"{top}/{path}" for path in inside}), [], [], {})
            note = f"{top}/ holds {len(inside):,} pictures of this folder once more; the second copy is passed over."
            return class_folders(rest), [note]
    return class_folders(folder), []


def _bytes_equal(folder: Folder, one: str, other: str) -> bool:
    first, second = folder.path(one), folder.path(other)
    return os.path.getsize(first) == os.path.getsize(second) and digest(first) == digest(second)


def _same_bytes(folder: Folder, paths: pd.Series) -> pd.Series:
    """Name pictures by their path; one that occurs several times by the first of its paths.

    The same name with the same bytes is the same picture. Equal bytes under other names are for
    `leakage.near_duplicates` to find: which of the names is right, nobody but the owner knows.
    """
    names = paths.map(os.path.basename)
    alike = pd.DataFrame({"path": paths, "name": names})[names.duplicated(keep=False)]
    alike["size"] = alike["path"].map(lambda path: _size(folder.path(path)))
    alike = alike[(alike["size"] >= 0) & alike.duplicated(["name", "size"], keep=False)]
    alike["content"] = alike["path"].map(lambda path: digest(folder.path(path)))
    first = alike.groupby(["name", "content"])["path"].transform("first")
    return paths.where(~paths.index.isin(first.index), first.reindex(paths.index))


def _size(path: str) -> int:
    """Bytes of a file, -1 of a link that leads nowhere."""
    try:
        return os.path.getsize(path)
    except OSError:
        return -1


def _findings(labels: pd.Series) -> tuple[pd.Series, list[str]]:
    """Turn class folders' names into findings: `1_abnormal` into Abnormal, `NORMAL` into None."""
    names = sorted(labels.unique())
    numbers = [re.sub(r"^(class|category)[ _-]*(?=\d+$)", "", name, flags=re.IGNORECASE) for name in names]
    if not any(any(map(str.isalpha, number)) for number in numbers):
        if [number.lstrip("0") for number in numbers] != ["", "1"]:
            raise DataError(
                f"The class folders are called {', '.join(names)}. Expected names of findings, or 0 and 1. Rename them."
            )
        note = f"folder {names[0]} is taken for negative and {names[1]} for one finding, Positive."
        return labels.map({names[0]: None, names[1]: "Positive"}), [note]
    spelled: dict[str, str] = {}
    named = {name: _finding(spelled.setdefault(_letters(name), name)) for name in names}
    notes = []
    for one, other in (names, names[::-1]) if len(names) == 2 else ():
        if named[one] and named[other] and _NEGATION.fullmatch(f"{_letters(one)} {_letters(other)}"):
            named[one] = None
            notes.append(f"folder {one} is taken for negative, {other} for the finding.")
    return labels.map(named), notes


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", re.sub(r"^\d+[_-]", "", name).lower())


def _finding(label: str) -> str | None:
    plain = re.sub(r"^\d+[_-]", "", label)
    name = finding_name(plain)
    if is_healthy(plain) or plain.lower() in _ABSENT:
        return None
    shouted = name.isupper() and len(re.sub("[^A-Z]", "", name)) > 5  # COVID-19 and TB stay as they are
    return name.capitalize() if name not in FINDINGS and (name.islower() or shouted) else name


def _check_contradictions(found: pd.DataFrame) -> None:
    both = found.groupby(["image", "split"], dropna=False)["finding"].agg(["size", "count"])
    wrong = both[(both["count"] > 0) & (both["count"] < both["size"])]
    if len(wrong):
        raise DataError(
            f"{wrong.index[0][0]} lies in a normal folder and in another ({len(wrong)} such images). "
            f"Expected each picture to be normal or not. Remove the wrong copy."
        )
