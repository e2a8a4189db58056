"""`cxr build` and `cxr run`: derive the notebooks, execute the lessons."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cxr_utils.commands.options import Profile


class Origin(StrEnum):
    """Which notebooks a run takes."""

    solutions = "solutions"
    notebooks = "notebooks"


def build(
    lessons: Annotated[list[str] | None, typer.Argument(help="Numbers or names; all when none is given.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; name every stale file.")] = False,
) -> None:
    """Make solutions/*.ipynb and notebooks/*.ipynb from solutions/*.py, executed.

    Examples:
      cxr build                one command for every derived file
      cxr build 02 05          two lessons
      cxr build --check        what `make test` asks: exit status 1 when a derived file is stale
    """
    from cxr_utils import cache
    from cxr_utils.course import build as building
    from cxr_utils.course.lessons import choose_lessons, find_lessons

    root = cache.repository()
    course = find_lessons(root)
    chosen = choose_lessons(course, lessons or [])
    if check:
        stale = building.stale_files(course, root)
        print("\n".join(map(str, stale)) or f"{len(course)} lessons: every derived file is current.")
        raise typer.Exit(1 if stale else 0)
    building.build(chosen)
    building.build_readme(root)
    if not lessons:
        building.build_environment(root)


def run(
    data: Annotated[str, typer.Option(help='"phantom", or a folder or table of X-rays.')] = "phantom",
    profile: Annotated[Profile, typer.Option(help="quick: two CPU cores; full: a GPU.")] = Profile.quick,
    seed: Annotated[int, typer.Option(help="For every random choice of the lessons.")] = 0,
    only: Annotated[str, typer.Option(help="Lessons, separated by commas.")] = "",
    origin: Annotated[Origin, typer.Option("--from", help="Complete lessons, or learners' copies.")] = (
        Origin.solutions
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Skip lessons that finished before.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; runs/NAME when not given.")] = None,
) -> None:
    """Execute the lessons in order; save each as a notebook and as a page.

    Examples:
      cxr run                                     the whole course on the data set it makes itself
      cxr run --data ../shared/real/nih           on real X-rays
      cxr run --only 02,05 --seed 1               two lessons
      cxr run --from notebooks                    learners' copies, blank or filled in
      cxr run --resume                            after a failure or Ctrl-C: what has not finished
    """
    from cxr_utils import cache
    from cxr_utils.course.lessons import choose_lessons, find_lessons
    from cxr_utils.course.run import Settings
    from cxr_utils.course.run import run as run_lessons

    root = cache.repository()
    lessons = choose_lessons(find_lessons(root), [item for item in only.split(",") if item.strip()])
    settings = Settings(_known_data(data, profile.value, seed), profile.value, seed, origin.value)
    folder = (out or root / "runs" / settings.name).resolve()
    try:
        results = run_lessons(lessons, settings, folder, resume=resume)
    except KeyboardInterrupt:
        print("Interrupted. Finished lessons are kept; go on with the same command and --resume.")
        raise typer.Exit(130) from None
    print(f"\nNotebooks, pages and run.json: {folder}")
    failed = [result for result in results if result.error]
    if failed:
        print(f"{len(failed)} of {len(results)} lessons failed. Mend them; go on with the same command and --resume.")
        raise typer.Exit(1)


def _known_data(data: str, profile: str, seed: int) -> str:
    """The data set's name, or its absolute path, once it opens: lessons run in another folder.

    The simulated set is made here, where its progress is seen, and not within the first lesson.
    """
    from cxr_utils.data.opening import open_dataset

    open_dataset(data, profile=profile, seed=seed)
    return data if data == "phantom" else str(Path(data).resolve())
