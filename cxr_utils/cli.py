"""The command `cxr`. Every command imports what it needs when it is called, so that `--help` is quick."""

import contextlib
import json as jsonlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cxr_utils.commands import Profile, networks
from cxr_utils.errors import CxrError

app = typer.Typer(
    help="A course on classifying chest X-rays: run it, build it, look at its data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Make a data set, or look at one.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")
networks.register(app)


class Origin(StrEnum):
    """Which notebooks a run takes."""

    solutions = "solutions"
    notebooks = "notebooks"


def main() -> None:
    """Entry point: an error that the user can mend is one line, not a stack trace."""
    try:
        app()
    except CxrError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


@app.command()
def build(
    lessons: Annotated[list[str] | None, typer.Argument(help="Numbers or names; all when none is given.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; name every stale file.")] = False,
) -> None:
    """Make solutions/*.ipynb and notebooks/*.ipynb from solutions/*.py, executed.

    \b
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


@app.command()
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

    \b
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
    from cxr_utils.datasets import open_dataset

    open_dataset(data, profile=profile, seed=seed)
    return data if data == "phantom" else str(Path(data).resolve())


class Part(StrEnum):
    """Which images are judged."""

    train = "train"
    valid = "valid"
    test = "test"
    all = "all"


@app.command()
def evaluate(
    source: Annotated[Path, typer.Argument(help="A .csv or .csv.gz of predictions, or a trained model's folder.")],
    data: Annotated[str, typer.Option(help='"phantom", or a folder of X-rays whose labels judge.')] = "phantom",
    part: Annotated[Part, typer.Option(help="Thresholds are chosen on valid, where there are predictions.")] = (
        Part.test
    ),
    report: Annotated[Path | None, typer.Option(help="Write a page there (.html), and beside it a .json.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Judge what both predictions and labels have.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    profile: Annotated[Profile, typer.Option(help="Of the phantom.")] = Profile.quick,
    seed: Annotated[int, typer.Option(help="Of the phantom and of the resamples.")] = 0,
) -> None:
    """Judge predictions: areas with intervals over patients, thresholds, calibration, groups, baselines.

    A table of predictions has a column `image` and one column a finding.

    \b
    Examples:
      cxr evaluate scores.csv                                       by the simulated test part
      cxr evaluate scores.csv.gz --data ../nih --report page.html   on one page that prints well
      cxr evaluate some/model --part valid --json                   a trained model, for a program
    """
    from cxr_utils import report as reporting
    from cxr_utils.datasets import open_dataset
    from cxr_utils.evaluation import evaluate as judge
    from cxr_utils.predictions import predictions_of

    if report and report.suffix != ".html":
        raise CxrError(f"A report {report} was asked for. Expected a name that ends in .html. Rename it.")
    with contextlib.redirect_stdout(sys.stderr if json else sys.stdout):  # notes on the data are no JSON
        dataset = open_dataset(data, profile=profile.value, seed=seed)
    parts = ("train", "valid", "test") if part is Part.all else ("valid", part.value)
    dataset = dataset.with_images() if source.is_dir() else dataset
    found = judge(predictions_of(source, dataset, parts), dataset, part.value, partial=partial, seed=seed)
    if report:
        reporting.write_report(found, report, source.name)
    if json:
        print(jsonlib.dumps(reporting.as_json(found)))
    else:
        print(reporting.as_text(found) + (f"\nreport: {report}" if report else ""))


@data_app.command()
def phantom(
    profile: Annotated[Profile, typer.Option(help="quick: 1,400 images; full: 20,000.")] = Profile.quick,
    seed: Annotated[int, typer.Option(help="Another seed, other patients.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Make a set of your own there; takes the options below.")] = None,
    images: Annotated[int | None, typer.Option(help="How many pictures. [default: 1400]")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels a side. [default: 256]")] = None,
    prevalence: Annotated[str | None, typer.Option(help='"raised" or "nih". [default: raised]')] = None,
    shortcut: Annotated[str | None, typer.Option(help="A finding that a burned-in marker goes with.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Also draw a contact sheet, a PNG.")] = None,
    beside: Annotated[str | None, typer.Option(help="Real X-rays to show on the sheet beside simulated ones.")] = None,
) -> None:
    """Make simulated X-rays: the course's own set under data/phantom, or one of your own.

    \b
    Examples:
      cxr data phantom                                  what lessons use, made now instead of on first use
      cxr data phantom --sheet sheet.png                and a picture of what is in it
      cxr data phantom --sheet sheet.png --beside ../shared/real/nih      beside real ones
      cxr data phantom --out ../big --images 5000 --size 320 --prevalence nih
    """
    from cxr_utils.datasets import open_dataset
    from cxr_utils.phantom import contact_sheet, ensure_cohort, make_cohort

    if beside and not sheet:
        raise CxrError("--beside came without --sheet. Expected a PNG to draw. Add --sheet FILE.")
    given = {"images": images, "size": size, "prevalence": prevalence, "shortcut": shortcut}
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


@data_app.command()
def check(folder: Annotated[str, typer.Argument(help='A folder or table of X-rays, or "phantom".')]) -> None:
    """Open a data set as the lessons would, and read every image.

    \b
    Example:
      cxr data check ../shared/real/nih
    """
    from cxr_utils.course.survey import survey
    from cxr_utils.datasets import open_dataset

    lines, unreadable = survey(open_dataset(folder))
    print("\n".join([*lines, *unreadable]))
    raise typer.Exit(1 if unreadable else 0)


@data_app.command()
def leakage(
    path: Annotated[str, typer.Argument(help="A folder of split tables, or one table with a split column.")],
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON records.")] = False,
) -> None:
    """Count the patients and files that two parts of a split share.

    \b
    Example:
      cxr data leakage ../shared/real/nih/course
    """
    from cxr_utils.splits import leakage as overlap
    from cxr_utils.splits import read_split_table

    report = overlap(read_split_table(path))
    print(jsonlib.dumps(report.to_dict("records"), default=int) if json else report.to_string(index=False))
