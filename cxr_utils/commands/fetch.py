"""`cxr data fetch`: a public collection from its owner, after its licence."""

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    name: Annotated[str, typer.Argument(help="Which one; without a name, what there is.")] = "",
    part: Annotated[list[int] | None, typer.Option(help="Only this archive; may be given again.")] = None,
    to: Annotated[Path | None, typer.Option(help="Into this folder. [default: data/NAME]")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the licence without being asked.")] = False,
) -> None:
    """Fetch a public collection. Stopped at any moment, the same command goes on.

    Examples:
      cxr data fetch                                    what there is, its size and its licence
      cxr data fetch nih-sample
      cxr data fetch nih --part 1 --part 12             two of the twelve archives, with all tables
      cxr data fetch montgomery --to ../montgomery --yes
    """
    from cxr_utils.cache import home
    from cxr_utils.data.fetching import fetch as fetching
    from cxr_utils.data.fetching.collections import COLLECTIONS, collection

    if not name:
        for each in COLLECTIONS.values():
            print(f"{each.name:<18}{each.size / 1e9:>7,.1f} GB  {each.how:<20}  {each.licence}")
        return
    chosen = collection(name, tuple(part or ()))
    print(f"{chosen.title}: {chosen.size / 1e9:,.1f} GB\nlicence: {chosen.licence}\ncite: {chosen.cite}")
    print(f"page: {chosen.page}")
    if chosen.by_hand:
        print(f"No program may fetch it. Ask at that page, and download: {chosen.by_hand}")
        raise typer.Exit(1)
    folder = to or home() / "data" / name
    if not yes:
        typer.confirm(f"Agree, and fetch it into {folder}?", abort=True)
    try:
        folder = fetching.fetch(chosen, folder)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here")
        raise typer.Exit(130) from None
    print(f"fetched: {folder}\nlook at it: cxr data check {folder}")
