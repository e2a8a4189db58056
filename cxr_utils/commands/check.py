"""`cxr data check` and `cxr data describe`: what a folder of X-rays is understood to be."""

import json as jsonlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxr_utils.commands.options import AsJson, Uncertain, UncertainLabel
from cxr_utils.errors import CxrError, ImageError

if TYPE_CHECKING:
    import numpy as np

    from cxr_utils.data import Dataset
    from cxr_utils.data.readers.files import Folder

#: What a lesson may need of a data set.
_ASKED = ("images", "boxes", "age", "sex", "view", "follow_ups", "several_findings", "published_split")
#: So many pairs of pictures that are the same are listed; all are counted.
_LISTED = 10


def check(
    folder: Annotated[str, typer.Argument(help='A folder of X-rays, or "phantom".')],
    json: AsJson = False,
    sheet: Annotated[Path | None, typer.Option(help="Also draw some pictures with labels and boxes, a PNG.")] = None,
    uncertain: Uncertain = UncertainLabel.leave_out,
) -> None:
    """Show how a folder is understood, and read every image: what no lesson should be surprised by.

    Ends with 1 where anything would make a lesson wrong: images that cannot be read or are not there, an empty part,
    the same file in two parts.

    Examples:
      cxr data check ../shared/real/nih
      cxr data check chest_xray --sheet sheet.png        look at it, too
      cxr data check chest_xray --json
    """
    from cxr_utils.data.opening import look_into
    from cxr_utils.data.sheet import labelled_sheet

    dataset, found, notes = look_into(folder, uncertain=uncertain.value)
    told = survey(dataset, found, notes)
    if sheet:
        labelled_sheet(dataset, sheet)
    print(jsonlib.dumps(told, default=str) if json else "\n".join(_lines(told, sheet)))
    raise typer.Exit(1 if told["problems"] else 0)


def describe(
    folder: Annotated[Path, typer.Argument(help="A folder with one or several tables of your own.")],
    out: Annotated[Path | None, typer.Option(help="Where to write it. [default: dataset.toml in the folder]")] = None,
) -> None:
    """Write a first guess of what the columns of a table mean, as dataset.toml beside it, to be edited.

    Example:
      cxr data describe my/xrays
    """
    from cxr_utils.data.readers import description, recognition, tables

    found = recognition.walk(folder)
    out = out or found.root / description.FILE
    if out.exists():
        raise CxrError(f"{out} is there already. Expected to write it. Edit it, or move it away.")
    guess = tables.guessed(found) or tables.blank(found)
    try:
        out.write_text(description.to_toml(guess), encoding="utf-8")
    except OSError as error:
        raise CxrError(f"{out} cannot be written ({error.strerror}). Expected a place for it. Choose --out.") from None
    print(f"first guess: {out}\nCorrect what is wrong in it, then: cxr data check {folder}")


def survey(dataset: "Dataset", folder: "Folder", notes: list[str]) -> dict[str, Any]:
    """Describe a data set and read every image of it.

    Args:
        dataset: as opened.
        folder: what the walk over it found.
        notes: what was told when it was opened.

    Returns:
        For a program: reader, root, images, files, patients, parts (name to images), findings (name to positives),
        labels (name to positive, negative, unknown), age, sex and view where known, boxes, masks, missing (what lessons
        cannot be served, and why), passed_over (kind to number), unreadable, leaks (what the parts share as they
        were shipped), same_pictures (pairs), notes, and problems: what would make a lesson wrong.
    """
    table = dataset.table
    thumbnails, unreadable = _read(dataset)
    same = _same_pictures(dataset, thumbnails)
    parts = {part: int((table["split"] == part).sum()) for part in ("train", "valid", "test")}
    across = [pair for pair in same if pair["identical"] and pair["first_split"] != pair["second_split"]]
    problems = [
        *([f"{len(unreadable)} images cannot be read"] if unreadable else []),
        *([] if len(dataset.files) else ["not one image file is there"]),
        *(f"the {part} part is empty" for part, number in parts.items() if not number),
        *([f"{len(across):,} pictures are in two parts under two names, byte for byte"] if across else []),
    ]
    labels = table[list(dataset.findings)]
    known = {
        name: {"positive": int((labels[name] == 1).sum()), "negative": int((labels[name] == 0).sum()),
               "unknown": int(labels[name].isna().sum())} for name in labels
    }  # fmt: skip
    return {
        "reader": dataset.kind, "name": dataset.name, "root": str(dataset.root.resolve()), "images": len(dataset),
        "files": int(dataset.on_disk().sum()), "patients": int(table["patient"].nunique()), "parts": parts,
        "findings": {name: row["positive"] for name, row in known.items()}, "labels": known,
        **_people(dataset), "boxes": len(dataset.boxes), "masks": len(folder.masks),
        "missing": [str(reason) for what in _ASKED if not (reason := dataset.knows(what))],
        "passed_over": folder.passed_over,
        "unreadable": unreadable, "leaks": _leaks(dataset), "same_pictures": same, "notes": notes, "problems": problems,
    }  # fmt: skip


def _people(dataset: "Dataset") -> dict[str, Any]:
    """Ages as least, middle and greatest of those known; sexes and views as counts."""
    told: dict[str, Any] = {}
    if "age" in dataset.table and (ages := dataset.table["age"].dropna()).size:
        told["age"] = {"known": len(ages), "least": ages.min(), "middle": ages.median(), "greatest": ages.max()}
    for column in ("sex", "view", "collection"):
        if column in dataset.table:
            values = dataset.table[column].astype(object).where(dataset.table[column].notna(), "unknown")
            told[column] = {str(name): int(number) for name, number in values.value_counts().items()}
    return told


def _read(dataset: "Dataset") -> tuple["dict[str, np.ndarray]", list[str]]:
    """Thumbnails of all images that can be read, and what is wrong with the others."""
    from tqdm import tqdm

    from cxr_utils.data.leakage import thumbnail

    names = [image for image in dataset.table["image"] if image in dataset.files]

    def one(name: str) -> "np.ndarray | str":
        try:
            return thumbnail(dataset, name)
        except ImageError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        read = list(tqdm(pool.map(one, names), "reading", len(names), leave=False, disable=None))
    good = {name: found for name, found in zip(names, read, strict=True) if not isinstance(found, str)}
    return good, [found for found in read if isinstance(found, str)]


def _same_pictures(dataset: "Dataset", thumbnails: "dict[str, np.ndarray]") -> list[dict[str, Any]]:
    from cxr_utils.data.leakage import near_duplicates

    if not thumbnails:
        return []
    whole = dataset.subset(dataset.table["image"].isin(list(thumbnails)).to_numpy(), dataset.name)
    pairs = near_duplicates(whole, thumbnails=thumbnails).to_dict("records")
    for pair in pairs:
        first, second = (dataset.path(pair[side]).read_bytes() for side in ("first", "second"))
        pair["identical"] = first == second
    return pairs


def _leaks(dataset: "Dataset") -> list[dict[str, Any]]:
    shared = dataset.leakage()
    return shared[(shared["shared_patients"] > 0) | (shared["shared_files"] > 0)].to_dict("records")


def _lines(told: dict[str, Any], sheet: Path | None) -> list[str]:
    """The same for people."""
    parts = ", ".join(f"{part} {number:,}" for part, number in told["parts"].items())
    lines = [
        f"{told['name']}: read as {told['reader']}, from {told['root']}",
        f"images: {told['images']:,} of {told['patients']:,} patients ({parts}); {told['files']:,} have a file",
        f"boxes: {told['boxes']:,}; masks: {told['masks']:,}",
        f"{'finding':28}{'positive':>10}{'negative':>10}{'unknown':>10}",
    ]
    for name, row in told["labels"].items():
        lines.append(f"{name:28}{row['positive']:10,}{row['negative']:10,}{row['unknown']:10,}")
    for what in ("age", "sex", "view", "collection"):
        if what in told:
            lines.append(f"{what}: " + ", ".join(f"{name} {number:,.10g}" for name, number in told[what].items()))
    lines += [f"missing: {reason}" for reason in told["missing"]]
    lines += [f"passed over: {number:,} {kind}" for kind, number in told["passed_over"].items()]
    lines += [f"note: {note}" for note in told["notes"]]
    for leak in told["leaks"]:
        lines.append(
            f"leak, as shipped: {leak['first']} and {leak['second']} share {leak['shared_patients']:,} patients and "
            f"{leak['shared_files']:,} files"
        )
    for pair in told["same_pictures"][:_LISTED]:
        how = "same file" if pair["identical"] else "alike"
        lines.append(f"{how}: {pair['first']} ({pair['first_split']}), {pair['second']} ({pair['second_split']})")
    if len(told["same_pictures"]) > _LISTED:
        lines.append(f"alike: {len(told['same_pictures']) - _LISTED:,} more pairs")
    lines += [f"unreadable: {problem}" for problem in told["unreadable"]]
    lines.append(f"images: {told['files'] - len(told['unreadable']):,} of {told['files']:,} files read well")
    lines += [f"sheet: {sheet}"] if sheet else []
    return lines + [f"problem: {problem}" for problem in told["problems"]]
