"""`cxr build`, `cxr run`, `cxr lessons` and `cxr grade`: lessons derived, executed, handed out and taken back."""

import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import psutil
import typer

from cxr_utils.commands.options import Profile, refuse_unwritable
from cxr_utils.errors import LessonError

_LESSON_BYTES = 3_250 * 2**20  # for one lesson's kernel: the largest that a run.json has shown (lesson 06)


class Origin(StrEnum):
    """Which notebooks a run takes."""

    solutions = "solutions"
    notebooks = "notebooks"


def build(
    lessons: Annotated[list[str] | None, typer.Argument(help="Numbers or names; all when none is given.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; name every stale file.")] = False,
    nbgrader: Annotated[
        Path | None, typer.Option(help="Only write nbgrader's source version, into this folder.")
    ] = None,
) -> None:
    """Make solutions/*.ipynb and notebooks/*.ipynb from solutions/*.py, executed.

    Examples:
      cxr build                one command for every derived file
      cxr build 02 05          two lessons
      cxr build --check        what `make test` asks: exit status 1 when a derived file is stale
      cxr build --nbgrader course      for nbgrader generate_assignment, autograde and generate_feedback
    """
    from cxr_utils import cache
    from cxr_utils.course import build as building
    from cxr_utils.course.lessons import choose_lessons, find_lessons

    root = cache.home()
    if nbgrader:
        from cxr_utils.course.grading.nbgrader import write_course

        written = write_course(choose_lessons(find_lessons(_course()), lessons or []), nbgrader)
        print(f"{len(written)} assignments in {nbgrader / 'source'}. Go on there: nbgrader generate_assignment NAME")
        return
    course = find_lessons(root)
    chosen = choose_lessons(course, lessons or [])
    if check:
        stale = building.stale_files(course, root)
        print("\n".join(map(str, stale)) or f"{len(course)} lessons: every derived file is current.")
        raise typer.Exit(1 if stale else 0)
    refuse_unwritable(root / "data", "CXR_HOME")
    building.build(chosen)
    building.build_pages(root)
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
    jobs: Annotated[str, typer.Option(help="Lessons at once; what cores and memory allow, one on a GPU.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the results; runs/NAME when not given.")] = None,
) -> None:
    """Execute the lessons, several at once; save each as a notebook and as a page.

    Examples:
      cxr run                                     the whole course on the data set it makes itself
      cxr run --data ../shared/real/nih           on real X-rays
      cxr run --only 02,05 --seed 1               two lessons
      cxr run --jobs 1                            one after another, in teaching order
      cxr run --from notebooks                    learners' copies, blank or filled in
      cxr run --resume                            after a failure or Ctrl-C: what has not finished
    """
    from cxr_utils import cache
    from cxr_utils.course.lessons import choose_lessons, find_lessons
    from cxr_utils.course.run import Settings
    from cxr_utils.course.run import run as run_lessons
    from cxr_utils.networks.backend import backend, has_gpu, installed

    if installed() or os.environ.get("KERAS_BACKEND"):  # without any, the lessons that need no network still run
        backend()
    lessons = choose_lessons(find_lessons(_course()), [item for item in only.split(",") if item.strip()])
    refuse_unwritable(cache.root() / "pixels", "CXR_CACHE")
    at_once = _at_once(jobs, os.cpu_count() or 1, psutil.virtual_memory().available, has_gpu())
    settings = Settings(_known_data(data, profile.value, seed), profile.value, seed, origin.value)
    folder = (out or cache.home() / "runs" / settings.name).resolve()
    start = time.perf_counter()
    try:
        results = run_lessons(lessons, settings, folder, resume=resume, jobs=at_once)
    except KeyboardInterrupt:
        print("Interrupted. Finished lessons are kept; go on with the same command and --resume.")
        raise typer.Exit(130) from None
    print(f"{time.perf_counter() - start:.0f} seconds by the clock; lessons at once: {at_once}")
    print(f"\nNotebooks, pages and run.json: {folder}")
    failed = [result for result in results if result.error]
    if failed:
        print(f"{len(failed)} of {len(results)} lessons failed. Mend them; go on with the same command and --resume.")
        raise typer.Exit(1)


def lessons(
    folder: Annotated[Path, typer.Argument(help="Where they go; made where it is missing.")] = Path("cxr-course"),
    solutions: Annotated[bool, typer.Option(help="Copy the answers, too.")] = True,
) -> None:
    """Copy the lessons into a folder of your own: notebooks, solutions, and the pages that they link to.

    A file that is there already is kept, so that nobody's answers are lost.

    Examples:
      cxr lessons                     into the folder cxr-course
      cxr lessons ~/course            into another
      cxr lessons class --no-solutions      for a class
    """
    from cxr_utils.course.lessons import hand_out

    written, kept = hand_out(_course(), folder, solutions)
    if kept:
        print(f"{len(kept)} files that were there before were kept, such as {kept[0]}.")
    print(f"{len(written)} files written. Open the lessons with: jupyter lab {folder}")


def grade(
    folder: Annotated[Path, typer.Argument(help="Submitted notebooks: a file, folder or archive each.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the marks; the one that is graded when not given.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="For one statement, or one call by a check.")] = 20,
    memory: Annotated[int, typer.Option(min=200, help="MB for a submission.")] = 2000,
    jobs: Annotated[int, typer.Option(min=0, help="Submissions at once; 0: as many as there are cores.")] = 0,
) -> None:
    """Mark the exercises of a class: right, wrong with what the check says, blank or not run.

    Each notebook runs alone, with limits, and without network or a way to change files where the system can do that;
    the first line says what it can. Writes grades.csv, totals.csv, grades.json and grades.html.

    Examples:
      cxr grade submissions/                      as Moodle, Canvas or ILIAS export them
      cxr grade submissions.zip --out marks/      the archive itself
    """
    from cxr_utils.course.grading.classroom import grade_class
    from cxr_utils.course.grading.sandbox import Limits
    from cxr_utils.course.grading.table import counted
    from cxr_utils.course.lessons import find_lessons

    target = out or (folder if folder.is_dir() else folder.parent)
    if out or folder.exists():
        refuse_unwritable(target / "grades.csv", "--out")
    start = time.perf_counter()
    rows = grade_class(folder, target, find_lessons(_course()), Limits(seconds, memory), jobs)
    odd = len({row.file for row in rows if row.remark or row.check_cell in ("changed", "removed")})
    print(f"\n{counted(rows)}; {odd} notebooks have a remark or a check cell that was changed.")
    print(f"{time.perf_counter() - start:.0f} seconds. grades.csv, totals.csv, grades.json and grades.html: {target}")


def _course() -> Path:
    """The folder whose lessons are run: the course's home, the working folder, or what the package holds."""
    from cxr_utils import cache

    for folder in (cache.home(), Path.cwd()):
        if any((folder / "solutions").glob("*.py")):
            return folder
    return cache.shipped("solutions").parent


def _at_once(jobs: str, cores: int, free: int, gpu: bool) -> int:
    """How many lessons run at once: as many as asked for, or as cores and free bytes allow; a GPU has room for one."""
    if jobs and not (jobs.isdecimal() and int(jobs) > 0):
        raise LessonError(
            f"--jobs {jobs} was asked for. Expected a whole number from 1 up. Choose one, or leave it out for as many "
            "lessons at once as cores and memory allow."
        )
    return int(jobs) if jobs else 1 if gpu else max(1, min(cores, free // _LESSON_BYTES))


def _known_data(data: str, profile: str, seed: int) -> str:
    """The data set's name, or its absolute path, once it opens: lessons run in another folder.

    The simulated set is made here, where its progress is seen, and not within the first lesson.
    """
    from cxr_utils.data.opening import open_dataset
    from cxr_utils.phantom import COHORTS

    open_dataset(data, profile=profile, seed=seed)
    return data if data in COHORTS else str(Path(data).resolve())
