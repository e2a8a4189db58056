"""An evaluation on one printed page. It is one HTML file that needs nothing else and prints on one sheet of A4."""

import base64
import json
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

import cxr_utils
from cxr_utils import plots
from cxr_utils.cache import write_text
from cxr_utils.evaluation.evaluation import Evaluation
from cxr_utils.evaluation.report import as_json, summary

#: Inches of a figure before it is scaled to half the page, so that its text prints at 8 points.
WIDTH = 4.6
STYLE = """
@page { size: A4; margin: 9mm 10mm; }
body { font: 9.5pt/1.35 "DejaVu Sans", Verdana, sans-serif; color: #111; max-width: 190mm; margin: 6mm auto; }
h1 { font-size: 14pt; margin: 0 0 1mm; }
p { margin: 0 0 1.5mm; }
table { border-collapse: collapse; width: 100%; font-size: 6.4pt; line-height: 1.25; margin: 1.5mm 0; }
th, td { padding: 0.4mm 0.6mm; text-align: right; border-bottom: 0.2mm solid #ddd; white-space: nowrap; }
th { border-bottom: 0.3mm solid #111; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; }
tr.mean td { border-top: 0.3mm solid #111; font-weight: bold; }
.figures { display: grid; grid-template-columns: 1fr 1fr; gap: 1mm 4mm; align-items: start; }
figure { margin: 0; break-inside: avoid; }
figure img { width: 100%; display: block; }
.small { font-size: 7.4pt; line-height: 1.3; color: #333; }
@media print { body { margin: 0; max-width: none; } figure img { max-height: 58mm; object-fit: contain; } }
"""


def write_report(evaluation: Evaluation, path: str | Path, title: str) -> Path:
    """Write the page, and beside it the same figures as `.json`.

    Args:
        evaluation: from `evaluation.evaluate`.
        path: of the page; its folder is made.
        title: what was evaluated.

    Returns:
        The path of the page.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path.with_suffix(".json"), json.dumps(as_json(evaluation), indent=1))
    write_text(path, page(evaluation, title))
    return path


def page(evaluation: Evaluation, title: str) -> str:
    """The whole HTML page.

    Args:
        evaluation: from `evaluation.evaluate`.
        title: what was evaluated.
    """
    about = evaluation.about
    judged_by = "" if title == about["data"] else f" on {about['data']}"
    head = f"{title}{judged_by}, part {about['part']}"
    body = [
        f"<h1>{escape(head)}</h1>",
        f"<p>{_opening(evaluation)}</p>",
        _html_table(evaluation),
        f'<p class="small">{_legend(evaluation)}</p>',
        '<div class="figures">',
        *(f"<figure>{_image(picture, WIDTH, height)}</figure>" for picture, height in _figures(evaluation)),
        f'<div class="small">{"".join(f"<p>{escape(note)}</p>" for note in _notes(evaluation))}</div>',
        "</div>",
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(head)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _opening(evaluation: Evaluation) -> str:
    about, mean = evaluation.about, evaluation.areas.loc["mean"]
    interval = "" if np.isnan(mean["low"]) else f" (95 % interval {mean['low']:.3f} to {mean['high']:.3f})"
    known = ", ".join(f"{name} {table.loc['mean', 'auc']:.3f}" for name, table in evaluation.baselines.items())
    beside = f" Beside it: {escape(known)}." if known else ""
    return (
        f"<b>Mean AUC {mean['auc']:.3f}{interval}</b>, {about['findings']} findings, {about['images']:,} images of "
        f"{about['patients']:,} patients.{beside} Mean average precision "
        f"{evaluation.precision.loc['mean', 'ap']:.3f}. All labels together (micro): AUC "
        f"{evaluation.micro['auc']:.3f}, average precision {evaluation.micro['ap']:.3f}."
    )


def _legend(evaluation: Evaluation) -> str:
    calls = "an image is called where score >= threshold. PPV, NPV: share of calls and of clearances that are right. "
    return escape(
        f"Intervals: 95 %, over patients. Thresholds: {evaluation.about['thresholds']}"
        f"{'. ' if evaluation.points.empty else f'; {calls}'}AP: average precision; a score "
        "that knows nothing reaches the prevalence. ECE: mean distance of predicted and observed frequency. The last "
        "row is the mean over the findings that have a figure."
    )


def _notes(evaluation: Evaluation) -> list[str]:
    reasons = evaluation.areas["reason"]
    missing = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    notes = [*([f"Without area or interval, or with one not to trust: {'; '.join(missing)}."] if missing else [])]
    notes += [f"Not here: {'; '.join(evaluation.notes)}."] if evaluation.notes else []
    if not evaluation.groups.empty:
        notes.append(
            "Groups: mean AUC with its own interval; p says how often chance alone makes so large a gap to the other "
            "images in any of the groups, so 0.05 is meant for all of them together."
        )
    if evaluation.about["probabilities"]:
        notes.append(
            "Worth of acting: patients found per image, less false alarms at the rate of exchange that the threshold "
            "implies. Act on the model only where its line is above both others."
        )
    return [*notes, f"Made by cxr_utils {cxr_utils.__version__}, a course. Not for diagnosis."]


_NAMES = {"ap": "AP", "auc": "AUC", "ppv": "PPV", "npv": "NPV", "f1": "F1", "ece": "ECE"}
_SHORT = {"sensitivity": "sensi-tivity", "specificity": "speci-ficity", "accuracy": "accu-racy"}


def _html_table(evaluation: Evaluation) -> str:
    table = summary(evaluation).drop(columns="reason")
    table.insert(table.columns.get_loc("low"), "95 % interval", [_interval(row) for _, row in table.iterrows()])
    table = table.drop(columns=["low", "high"])
    names = [_NAMES.get(name, _SHORT.get(name, name)) for name in table]
    names = [f"AUC, {name}" if name in evaluation.baselines else name for name in names]
    head = "".join(f"<th>{escape(name).replace('-', '&shy;')}</th>" for name in ["finding", *names])
    rows = [
        f"<tr{' class=mean' if finding == 'mean' else ''}><td>{escape(str(finding).replace('_', ' '))}</td>"
        + "".join(f"<td>{_cell(value)}</td>" for value in row)
        + "</tr>"
        for finding, row in zip(table.index, table.itertuples(index=False), strict=True)
    ]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _interval(row: pd.Series) -> str:
    return "" if np.isnan(row["low"]) else f"{row['low']:.3f} to {row['high']:.3f}"


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return "" if np.isnan(value) else "none called" if np.isinf(value) else f"{value:.3f}"


def _figures(evaluation: Evaluation) -> list[tuple[plots.Picture, float]]:
    """The pictures in reading order, two in a row, each with its height in inches."""
    part, shown = evaluation.about["part"], evaluation.shown.replace("_", " ")
    tables = {"model": evaluation.areas, **evaluation.baselines}
    found = [
        (plots.auc_forest(tables, "Each finding, beside baselines"), 3.9),
        (plots.mean_curves(evaluation.roc, evaluation.precision_recall, "Over all findings"), 3.9),
    ]
    if not evaluation.groups.empty and evaluation.groups["auc"].notna().any():
        rows = evaluation.groups[evaluation.groups["auc"].notna()]
        whole = evaluation.areas.loc["mean", ["auc", "low", "high"]].tolist()
        found.append((plots.subgroup_forest(rows, whole, "Groups (p: gap to the others)"), 2.6))
    if evaluation.about["probabilities"]:
        found.append((plots.decision_curves({"model": evaluation.decision}, f"Worth of acting: {shown}"), 2.6))
        found.append((plots.reliability({"model": evaluation.reliability}, f"Calibration: {shown}, {part}"), 2.5))
    return found


def _image(picture: plots.Picture, width: float, height: float) -> str:
    picture.figure.set_size_inches(width, height)
    picture.figure.set_dpi(170)
    data = base64.b64encode(picture.png()).decode("ascii")
    return f'<img alt="{escape(picture.alt)}" src="data:image/png;base64,{data}">'
