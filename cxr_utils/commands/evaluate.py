"""`cxr evaluate`: judge predictions."""

import contextlib
import json as jsonlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cxr_utils.commands.options import AsJson, Profile
from cxr_utils.errors import CxrError


class Part(StrEnum):
    """Which images are judged."""

    train = "train"
    valid = "valid"
    test = "test"
    all = "all"


def evaluate(
    source: Annotated[Path, typer.Argument(help="A .csv or .csv.gz of predictions, or a trained model's folder.")],
    data: Annotated[str, typer.Option(help='"phantom", or a folder of X-rays whose labels judge.')] = "phantom",
    part: Annotated[Part, typer.Option(help="Thresholds are chosen on valid, where there are predictions.")] = (
        Part.test
    ),
    report: Annotated[Path | None, typer.Option(help="Write a page there (.html), and beside it a .json.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Judge what both predictions and labels have.")] = False,
    json: AsJson = False,
    profile: Annotated[Profile, typer.Option(help="Of the phantom.")] = Profile.quick,
    seed: Annotated[int, typer.Option(help="Of the phantom and of the resamples.")] = 0,
) -> None:
    """Judge predictions: areas with intervals over patients, thresholds, calibration, groups, baselines.

    A table of predictions has a column `image` and one column a finding.

    Examples:
      cxr evaluate scores.csv                                       by the simulated test part
      cxr evaluate scores.csv.gz --data ../nih --report page.html   on one page that prints well
      cxr evaluate some/model --part valid --json                   a trained model, for a program
    """
    from cxr_utils.data.opening import open_dataset
    from cxr_utils.evaluation import report as reporting
    from cxr_utils.evaluation.evaluation import evaluate as judge
    from cxr_utils.evaluation.predictions import predictions_of

    if report and report.suffix != ".html":
        raise CxrError(f"A report {report} was asked for. Expected a name that ends in .html. Rename it.")
    with contextlib.redirect_stdout(sys.stderr if json else sys.stdout):  # notes on the data are no JSON
        dataset = open_dataset(data, profile=profile.value, seed=seed)
    parts = ("train", "valid", "test") if part is Part.all else ("valid", part.value)
    dataset = dataset.with_images() if source.is_dir() else dataset
    found = judge(predictions_of(source, dataset, parts), dataset, part.value, partial=partial, seed=seed)
    if report:
        from cxr_utils.commands.report_page import write_report

        write_report(found, report, source.name)
    if json:
        print(jsonlib.dumps(reporting.as_json(found)))
    else:
        print(reporting.as_text(found) + (f"\nreport: {report}" if report else ""))
