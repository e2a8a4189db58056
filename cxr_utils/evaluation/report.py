"""An evaluation as a table, as text and as JSON, and systems side by side."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import cxr_utils
from cxr_utils.data.dataset import Dataset
from cxr_utils.errors import Missing
from cxr_utils.evaluation.calibration import calibration_table, ece_by_chance
from cxr_utils.evaluation.evaluation import Evaluation
from cxr_utils.evaluation.metrics import auc_table
from cxr_utils.evaluation.subgroups import subgroup_table
from cxr_utils.evaluation.thresholds import operating_points

if TYPE_CHECKING:
    from IPython.display import Markdown

    from cxr_utils.networks.trained import Trained

#: What no run can know.
UNTOLD = "not known to this run: write it yourself"

_HEADINGS = ("system", "AUC (lowest to highest)", "precision", "recall", "mean AUC of findings", "seconds", "weights")


def as_json(evaluation: Evaluation) -> dict:
    """All tables as lists of records; what is not a number is null, so that every JSON reader takes it.

    Args:
        evaluation: from `evaluation.evaluate`.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> from cxr_utils.evaluation.evaluation import evaluate
        >>> scores = dataset.table.set_index("image")[list(dataset.findings)] * 0.5 + 0.2
        >>> as_json(evaluate(scores, dataset, replicates=50))["about"]["part"]
        'test'
    """
    tables = {
        "auc": evaluation.areas,
        "average_precision": evaluation.precision,
        "operating_points": evaluation.points,
        "calibration": evaluation.calibration,
    }
    tables = {name: table.reset_index() for name, table in tables.items()}
    tables |= {
        "subgroups": evaluation.groups,
        "reliability": evaluation.reliability,
        "decision_curve": evaluation.decision,
    }
    return {
        "version": cxr_utils.__version__,
        "about": evaluation.about,
        "micro": {name: _plain(value) for name, value in evaluation.micro.items()},
        **{name: _records(table) for name, table in tables.items()},
        "baselines": {name: _records(table.reset_index()) for name, table in evaluation.baselines.items()},
        "shown": evaluation.shown,
        "notes": evaluation.notes,
    }


def summary(evaluation: Evaluation) -> pd.DataFrame:
    """The table of the page: one row a finding and their mean.

    Args:
        evaluation: from `evaluation.evaluate`.

    Returns:
        Index: findings and "mean". Columns: positives, unknown (labels, where there are any), prevalence, auc, low,
        high, one auc for each baseline, ap, threshold, sensitivity, specificity, ppv, npv, f1, accuracy (these where
        there are thresholds), ece, and reason.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> from cxr_utils.evaluation.evaluation import evaluate
        >>> scores = dataset.table.set_index("image")[list(dataset.findings)] * 0.5 + 0.2
        >>> float(summary(evaluate(scores, dataset, replicates=50)).loc["mean", "auc"])
        1.0
    """
    points = evaluation.precision[["prevalence"]].drop("mean") if evaluation.points.empty else evaluation.points
    points = points.filter(regex="^(?!.*(_low|_high|^[tf][pn])$)")
    means = points.drop(columns="threshold", errors="ignore").mean().to_frame("mean").T
    points = pd.concat([points, means]).reindex(columns=points.columns)
    table = evaluation.areas.filter(["positives", "unknown"]).join(points[["prevalence"]])
    table = table.join(evaluation.areas[["auc", "low", "high"]])
    for name, areas in evaluation.baselines.items():
        table[name] = areas["auc"]
    table["ap"] = evaluation.precision["ap"]
    table = table.join(points.drop(columns="prevalence"))
    if not evaluation.calibration.empty:
        error = evaluation.calibration["ece"]
        table["ece"] = error.reindex(table.index).fillna({"mean": error.mean()})
    return table.assign(reason=evaluation.areas["reason"])


def as_text(evaluation: Evaluation) -> str:
    """The same for a terminal: the table, how thresholds were chosen, what was left out.

    Args:
        evaluation: from `evaluation.evaluate`.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> from cxr_utils.evaluation.evaluation import evaluate
        >>> scores = dataset.table.set_index("image")[list(dataset.findings)] * 0.5 + 0.2
        >>> print(as_text(evaluate(scores, dataset, replicates=50)).splitlines()[0])
        phantom, part test: 281 images of 179 patients
    """
    about = evaluation.about
    columns = ["positives", "unknown", "auc", "low", "high", *evaluation.baselines, "ap", "sensitivity", "specificity"]
    table = summary(evaluation).filter([*columns, "ppv", "reason"]).round(3)
    opening = (
        f"{about['data']}, part {about['part']}: {about['images']:,} images of {about['patients']:,} patients\n"
        f"thresholds: {about['thresholds']}"
    )
    return "\n".join([opening, table.to_string(na_rep="-"), *(f"note: {note}" for note in evaluation.notes)])


def _records(table: pd.DataFrame) -> list[dict]:
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: object) -> object:
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def systems_table(trainings: pd.DataFrame) -> "Markdown":
    """A table of systems, each trained several times, as Markdown.

    Args:
        trainings: a row a training: recipe, auc, precision, recall and mean_auc (over single findings, from 0 to 1),
            seconds (of training) and weights (how many), as `measured("systems")`. What a system does not have is NaN
            and stays empty.

    Returns:
        What a notebook shows as a table; its `data` is the Markdown. Shares are means over the trainings, seconds those
        of the fastest.

    Example:
        >>> row = {"recipe": "course", "precision": 0.9, "recall": 0.6, "mean_auc": np.nan, "seconds": 61.4}
        >>> rows = [row | {"auc": auc, "weights": 7e6} for auc in (0.7, 0.9)]
        >>> print(systems_table(pd.DataFrame(rows)).data)
        | system | AUC (lowest to highest) | precision | recall | mean AUC of findings | seconds | weights |
        |:--|--:|--:|--:|--:|--:|--:|
        | course | 0.80 (0.70 to 0.90) | 0.90 | 0.60 |  | 61 | 7,000,000 |
    """
    from IPython.display import Markdown

    lines = [_HEADINGS, (":--", *["--:"] * (len(_HEADINGS) - 1))]
    for name, rows in trainings.groupby("recipe", sort=False):
        ends = f" ({rows['auc'].min():.2f} to {rows['auc'].max():.2f})" if len(rows) > 1 else ""
        shares = [_filled(rows[column].mean(), ".2f") for column in ("precision", "recall", "mean_auc")]
        taken = [_filled(rows[column].min(), ",.0f") for column in ("seconds", "weights")]
        lines.append((str(name), f"{rows['auc'].mean():.2f}{ends}", *shares, *taken))
    rows = [f"| {' | '.join(line)} |" for line in lines]
    rows[1] = f"|{'|'.join(lines[1])}|"
    return Markdown("\n".join(rows))


def _filled(value: float, form: str) -> str:
    return "" if np.isnan(value) else format(value, form)


def checklist(
    network: "Trained", dataset: Dataset, scores: pd.DataFrame, thresholds: pd.Series, **told: object
) -> pd.Series:
    """What CLAIM (2020, 2024) and TRIPOD+AI (2024) ask of a report on a network, as far as a run can answer.

    Args:
        network: that is reported.
        dataset: that it learned on and is judged on.
        scores: its probabilities for the part `test`.
        thresholds: chosen on `valid`, one a finding.
        told: answers from elsewhere, under an item's name with _ for a space, such as `external_validation`.

    Returns:
        An answer in words to each item; `UNTOLD` where nobody has told.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> from cxr_utils.networks import Recipe
        >>> from cxr_utils.training import train
        >>> dataset = open_dataset("phantom")
        >>> network = train(Recipe(network="normal_abnormal_cnn", size=32, epochs=1), dataset)
        >>> half = pd.Series(0.5, index=list(dataset.findings))
        >>> told = checklist(network, dataset, network.predict(dataset.part("test")), half, external_validation="none")
        >>> told["external validation"]
        'none'
    """
    test, card = dataset.part("test"), network.card
    truth = test.table.set_index("image")[list(dataset.findings)]
    areas = auc_table(truth, scores, test.patients)
    mean, of_each = areas.loc["mean"], areas.drop("mean")
    points, error = operating_points(truth, scores, thresholds), calibration_table(truth, scores)["ece"].mean()
    counts = dataset.summary()
    parts = ", ".join(f"{name} {row.images:,} images of {row.patients:,}" for name, row in counts.iterrows())
    shared = int((dataset.table.groupby("patient")["split"].nunique() > 1).sum())
    simulated = bool(dataset.knows("simulated_truth"))
    start, seen = network.recipe.weights or "random numbers", "simulated" if simulated else "as it was given"
    answers = {
        "intended use": "teaching, never diagnosis",
        "source of data": f"{dataset.name} ({seen}), {len(dataset):,} images",
        "dates and places": "none: simulated" if simulated else UNTOLD,
        "who was let in": UNTOLD,
        "patients": _people(dataset),
        "parts": f"{parts} patients; patients in more than one part: {shared}",
        "reference standard": "train and valid: labels mined from simulated reports; test: the simulator's truth"
        if simulated
        else UNTOLD,
        "size of the test part": f"{mean['patients']:,} patients; positive images a finding: "
        f"{of_each['positives'].min():,} to {of_each['positives'].max():,}",
        "labels that are missing": f"{truth.isna().to_numpy().mean():.1%} of the test part",
        "model": f"{network.recipe.network}, {network.weights_count:,} weights, images of {network.recipe.size} pixels",
        "start of the training": f"{start}; trained: {network.recipe.trainable}",
        "random numbers": f"seed {card['seed']}; one training",
        "software": f"cxr_utils {cxr_utils.__version__}, {card['backend']}",
        "performance": f"mean AUC {_with_interval(mean)}; lowest {_lowest(of_each)}",
        "thresholds": f"chosen on valid; on test sensitivity {points['sensitivity'].mean():.2f}, specificity "
        f"{points['specificity'].mean():.2f} (means over findings)",
        "calibration": f"error {error:.3f}; perfect probabilities would show {ece_by_chance(scores).mean():.3f}",
        "subgroups": _groups(subgroup_table(truth, scores, test.table, replicates=200)),
        "external validation": UNTOLD,
        "how often the test part was looked at": UNTOLD,
        "limits": UNTOLD,
        "ethics, protocol, funding, patients' part in it": UNTOLD,
    }
    return pd.Series(answers | {name.replace("_", " "): value for name, value in told.items()})


def _with_interval(row: pd.Series) -> str:
    return f"{row['auc']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def _lowest(areas: pd.DataFrame) -> str:
    known = areas.dropna(subset=["auc"])
    return f"{known['auc'].idxmin()} {_with_interval(known.loc[known['auc'].idxmin()])}" if len(known) else "none"


def _people(dataset: Dataset) -> str:
    """Age, sex and view, as far as they are known."""
    table, said = dataset.table, []
    if "age" in table:
        ages = table["age"].quantile([0.25, 0.5, 0.75])
        said.append(f"median age {ages[0.5]:.0f} (half of them {ages[0.25]:.0f} to {ages[0.75]:.0f})")
    said += [f"{(table['sex'] == 'F').mean():.0%} women"] if "sex" in table else []
    said += [f"{(table['view'] == 'AP').mean():.0%} AP views"] if "view" in table else []
    return ", ".join(said) or UNTOLD


def _groups(groups: pd.DataFrame | Missing) -> str:
    """The groups with the lowest and the highest area, and the smallest p-value of a gap."""
    known = groups.dropna(subset=["auc"]) if isinstance(groups, pd.DataFrame) else pd.DataFrame()
    if known.empty:
        return "none that is known and large enough"
    least, most = (known.loc[known["auc"].agg(which)] for which in ("idxmin", "idxmax"))
    ends = " to ".join(f"{row['auc']:.3f} ({row['characteristic']} {row['group']})" for row in (least, most))
    p = known["adjusted_p"].min()
    tested = "not tested" if np.isnan(p) else f"{p:.2f}"
    return f"mean AUC of the findings that a group has enough of: {ends}; smallest p of a gap {tested}"
