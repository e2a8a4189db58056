"""`cxr data phantom | leakage`: make a data set, or count what the parts of one share."""

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from cxr_utils.commands.options import AsJson, Profile
from cxr_utils.errors import CxrError


def phantom(
    profile: Annotated[Profile, typer.Option(help="quick: 1,400 images; full: 20,000.")] = Profile.quick,
    seed: Annotated[int, typer.Option(help="Another seed, other patients.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Make a set of your own there; takes the options below.")] = None,
    images: Annotated[int | None, typer.Option(help="How many pictures. [default: 1400]")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels a side. [default: 256]")] = None,
    prevalence: Annotated[str | None, typer.Option(help='"raised" or "nih". [default: raised]')] = None,
    shortcut: Annotated[str | None, typer.Option(help="A finding that a burned-in marker goes with.")] = None,
    hospital: Annotated[str | None, typer.Option(help='"clinical-center", the default, or "county".')] = None,
    sheet: Annotated[Path | None, typer.Option(help="Also draw a contact sheet, a PNG.")] = None,
    beside: Annotated[str | None, typer.Option(help="Real X-rays to show on the sheet beside simulated ones.")] = None,
) -> None:
    """Make simulated X-rays: the course's own set under data/phantom, or one of your own.

    Examples:
      cxr data phantom                                  what lessons use, made now instead of on first use
      cxr data phantom --sheet sheet.png                and a picture of what is in it
      cxr data phantom --sheet sheet.png --beside ../shared/real/nih      beside real ones
      cxr data phantom --out ../big --images 5000 --size 320 --prevalence nih
    """
    from cxr_utils.data.opening import open_dataset
    from cxr_utils.data.sheet import contact_sheet
    from cxr_utils.phantom import ensure_cohort, make_cohort

    if beside and not sheet:
        raise CxrError("--beside came without --sheet. Expected a PNG to draw. Add --sheet FILE.")
    given = {"images": images, "size": size, "prevalence": prevalence, "shortcut": shortcut, "hospital": hospital}
    given = {name: value for name, value in given.items() if value is not None}
    if out is None and given:
        options = ", ".join(f"--{name}" for name in given)
        raise CxrError(f"{options} came without --out. Expected a folder for a set of your own. Add --out FOLDER.")
    folder = make_cohort(out, seed=seed, **given) if out else ensure_cohort(profile.value, seed)
    print(f"simulated X-rays: {folder}")
    if sheet:
        real = open_dataset(beside).with_images() if beside else None
        files = [real.path(name) for name in real.table["image"]] if real else []
        print(f"contact sheet: {contact_sheet(folder, sheet, beside=files)}")


def leakage(
    path: Annotated[str, typer.Argument(help="A folder of split tables, or one table with a split column.")],
    json: AsJson = False,
) -> None:
    """Count the patients and files that two parts of a split share.

    Example:
      cxr data leakage ../shared/real/nih/course
    """
    from cxr_utils.data.leakage import leakage_table, read_split_table

    report = leakage_table(read_split_table(path))
    print(jsonlib.dumps(report.to_dict("records"), default=int) if json else report.to_string(index=False))
