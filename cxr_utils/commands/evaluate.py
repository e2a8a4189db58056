"""`cxr evaluate`: judge predictions."""

import contextlib
import json as jsonlib
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxr_utils.commands.options import AsJson, Profile, Uncertain, UncertainLabel, refuse_unwritable
from cxr_utils.errors import CxrError

if TYPE_CHECKING:
    from cxr_utils.commands.judged_table import Judged


class Part(StrEnum):
    """Which images are judged."""

    train = "train"
    valid = "valid"
    test = "test"
    all = "all"


def evaluate(
    source: Annotated[Path, typer.Argument(help="A .csv or .csv.gz of predictions, or a trained model's folder.")],
    data: Annotated[
        str | None, typer.Option(help='"phantom", or a folder of X-rays whose labels judge. [default: phantom]')
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="A .csv or .csv.gz of labels that judge.")] = None,
    valid: Annotated[
        Path | None, typer.Option(help="A table of labels beside scores, to choose thresholds on.")
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help="A number for all findings, or for one: Effusion=0.3. May be repeated.")
    ] = None,
    uncertain: Uncertain = UncertainLabel.leave_out,
    part: Annotated[
        Part | None, typer.Option(help="Thresholds are chosen on valid, where there are predictions. [default: test]")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page there (.html), and beside it a .json.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Judge what both predictions and labels have.")] = False,
    json: AsJson = False,
    profile: Annotated[Profile, typer.Option(help="Of the phantom.")] = Profile.quick,
    seed: Annotated[int, typer.Option(help="Of the phantom and of the resamples.")] = 0,
) -> None:
    """Judge predictions: areas with intervals over patients, thresholds, calibration, groups, baselines.

    A table of predictions has a column `image` and one column a finding. One that also holds labels, such as Effusion
    beside Effusion_pred, is judged by itself; a column `PatientId` then says whose images they are. A network is judged
    on the findings that it and the data set both know.

    Examples:
      cxr evaluate scores.csv                                       by the simulated test part
      cxr evaluate scores.csv.gz --data ../nih --report page.html   on one page that prints well
      cxr evaluate some/model --part valid --json                   a trained model, for a program
      cxr evaluate both.csv --valid others.csv                      labels beside scores
      cxr evaluate scores.csv --labels truth.csv --threshold 0.5 --threshold Hernia=0.2
    """
    from cxr_utils.commands.judged_table import given_thresholds
    from cxr_utils.evaluation import report as reporting
    from cxr_utils.evaluation.evaluation import evaluate as judge

    if report and (report.suffix != ".html" or report.is_dir()):
        raise CxrError(
            f"A report {report} was asked for. Expected a name that ends in .html and is no folder. Rename it."
        )
    if report:
        refuse_unwritable(report, "--report")
    if threshold and valid:
        raise CxrError("--threshold and --valid were given. Expected thresholds from one of them. Leave one out.")
    network = source.is_dir()
    with contextlib.redirect_stdout(sys.stderr if json else sys.stdout):  # notes on the data are no JSON
        judged = _by_labels(source, labels, valid, uncertain) if data is None and not network else None
        if judged is None:
            _refuse_without_table({"--labels": labels, "--valid": valid})
            options = {"profile": profile.value, "seed": seed, "uncertain": uncertain.value}
            judged = _by_data_set(source, data, part or Part.test, options)
        elif judged.dataset.table["split"].nunique() == 1:  # no parts to choose from
            part = part or Part.all
    chosen = (given_thresholds(threshold, list(judged.scores)), "as given") if threshold else judged.chosen
    found = judge(
        judged.scores,
        judged.dataset,
        (part or Part.test).value,
        partial=partial,
        shared=network,
        chosen=chosen,
        seed=seed,
    )
    found = replace(found, notes=[*judged.notes, *found.notes])
    if report:
        from cxr_utils.commands.report_page import write_report

        write_report(found, report, source.name)
    if json:
        print(jsonlib.dumps(reporting.as_json(found)))
    else:
        print(reporting.as_text(found) + (f"\nreport: {report}" if report else ""))


def _by_labels(source: Path, labels: Path | None, valid: Path | None, uncertain: UncertainLabel) -> "Judged | None":
    """A table judged by the labels in it or in another table; None where there are no labels."""
    from cxr_utils.commands.judged_table import holds_labels, read_judged, with_thresholds_of
    from cxr_utils.data.readers.files import read_csv

    if not labels and not holds_labels(read_csv(source)):
        return None
    judged = read_judged(source, labels, uncertain.value)
    if valid:
        return with_thresholds_of(judged, valid, source, uncertain.value)
    if judged.dataset.table["split"].nunique() > 1:
        return judged
    return judged._replace(chosen=(None, "none: neither --threshold nor --valid was given"))


def _by_data_set(source: Path, data: str | None, part: Part, options: dict[str, Any]) -> "Judged":
    """Scores of a table or of a network, and the data set that judges them."""
    from cxr_utils.commands.judged_table import Judged
    from cxr_utils.data.opening import open_dataset
    from cxr_utils.evaluation.predictions import predictions_of

    dataset = open_dataset(data or "phantom", **options)
    parts = ("train", "valid", "test") if part is Part.all else ("valid", part.value)
    notes = []
    if source.is_dir():
        absent = len(dataset) - len(with_images := dataset.with_images())
        notes += [f"{absent:,} of {len(dataset):,} images have no file here and are not judged"] * bool(absent)
        dataset = with_images
    elif data is None:
        notes.append("neither labels beside the scores nor --labels nor --data: judged by the simulated images")
    return Judged(dataset, predictions_of(source, dataset, parts), notes)


def _refuse_without_table(options: dict[str, object]) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise CxrError(
            f"{' and '.join(given)} came with a network, a data set or a table of scores alone. Expected a table of "
            "labels: beside the scores, or --labels without --data. Leave the rest out."
        )
