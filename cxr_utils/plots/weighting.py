"""Figures of class weights: what they do to the loss, to sensitivity and to probabilities."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .picture import CYCLE, LINES, MARKERS, PALETTE, Picture, canvas


def loss_shares(before: Sequence[float], after: Sequence[float], findings: Sequence[str]) -> Picture:
    """The share of each finding's loss that comes from its positive images, without and with weights.

    Args:
        before: share without weights (0 to 1), one a finding.
        after: share with weights.
        findings: their names.

    Example:
        >>> loss_shares([0.1, 0.2], [0.5, 0.5], ["Mass", "Edema"])
        Picture: Bars of the share of the loss that positive images contribute to 2 findings, without and with weights.
    """
    order = np.argsort(np.asarray(before), kind="stable")
    height = np.arange(len(order))
    figure, axes = canvas(width=8, height=1.3 + 0.32 * len(order))
    bars = axes.barh(height + 0.2, np.asarray(before)[order], 0.4, color=PALETTE["blue"], label="without weights")
    axes.bar_label(bars, [f"{share:.1%}" for share in np.asarray(before)[order]], padding=3, fontsize=8)
    axes.barh(height - 0.2, np.asarray(after)[order], 0.4, color=PALETTE["orange"], label="with weights")
    axes.set_yticks(height, [findings[index].replace("_", " ") for index in order])
    axes.set(xlabel="share of the loss that positive images contribute", xlim=(0, 1), title="Who is heard?")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.grid(False, axis="y")
    axes.legend(loc="lower right")
    return Picture(
        figure,
        f"Bars of the share of the loss that positive images contribute to {len(order)} findings, "
        "without and with weights.",
    )


def focal_curves(gammas: Sequence[float]) -> Picture:
    """Focal loss of one label against the probability that the network gives to the truth.

    Args:
        gammas: exponents; 0 is cross-entropy.

    Example:
        >>> focal_curves([0, 2])
        Picture: Loss of one label against the probability given to the truth, for focal loss with gamma 0, 2.
    """
    probability = np.linspace(0.01, 1, 200)
    figure, axes = canvas(width=7, height=3.6)
    for gamma, style in zip(gammas, LINES, strict=False):
        label = f"gamma = {gamma}" + (" (cross-entropy)" if gamma == 0 else "")
        axes.plot(probability, -((1 - probability) ** gamma) * np.log(probability), style, linewidth=2, label=label)
    axes.set(xlabel="probability that the network gives to the truth", ylabel="loss (nats)", ylim=(0, 4), xlim=(0, 1))
    axes.set_title("Focal loss: what is already right counts less")
    axes.legend()
    return Picture(
        figure,
        "Loss of one label against the probability given to the truth, for focal loss with gamma "
        f"{', '.join(map(str, gammas))}.",
    )


def sensitivities(points: Mapping[str, pd.DataFrame]) -> Picture:
    """Sensitivity and specificity of each finding for several networks, as dots.

    Args:
        points: name of the network to its table from `evaluation.operating_points`, same findings.

    Example:
        >>> table = pd.DataFrame({"sensitivity": [0.2], "specificity": [0.9]}, index=["Mass"])
        >>> sensitivities({"plain": table, "weighted": table})
        Picture: Dots of sensitivity (left) and specificity (right) of 1 findings for plain, weighted.
    """
    findings = next(iter(points.values())).index
    height = np.arange(len(findings))[::-1]
    figure, axes = canvas(1, 2, width=9.5, height=1.5 + 0.28 * len(findings), sharey=True)
    for axis, column in zip(axes, ("sensitivity", "specificity"), strict=True):
        for place, (name, table) in enumerate(points.items()):
            at = height + 0.22 * ((len(points) - 1) / 2 - place)  # beside each other, so that none hides another
            axis.plot(table.loc[findings, column], at, MARKERS[place], color=CYCLE[place], label=name, markersize=5)
        axis.set(xlabel=column, xlim=(-0.03, 1.03))
    axes[0].set_yticks(height, findings.str.replace("_", " "))
    axes[0].set_title("Of those with the finding, how many are found?")
    axes[1].set_title("Of those without, how many are left in peace?")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(points))
    names = ", ".join(points)
    return Picture(
        figure, f"Dots of sensitivity (left) and specificity (right) of {len(findings)} findings for {names}."
    )


def shifted_probabilities(
    means: Mapping[str, pd.Series], prevalence: pd.Series, title: str = "What weights do to probabilities"
) -> Picture:
    """Mean predicted probability of each finding against its prevalence; on the diagonal the two agree.

    Args:
        means: name of the network to its mean probability of each finding.
        prevalence: share of positive images of each finding.
        title: what has shifted them.

    Example:
        >>> prevalence = pd.Series({"Mass": 0.1, "Edema": 0.05})
        >>> shifted_probabilities({"plain": prevalence}, prevalence)
        Picture: Mean predicted probability against prevalence of 2 findings for plain, with the diagonal of agreement.
    """
    figure, axes = canvas(width=6, height=5)
    shown = prevalence[prevalence > 0]
    lowest = 0.5 * min(shown.min(), *(mean[shown.index].min() for mean in means.values()))
    axes.plot([lowest, 1], [lowest, 1], color=PALETTE["grey"], linewidth=1, label="agreement")
    for (name, mean), colour, marker in zip(means.items(), CYCLE, MARKERS, strict=False):
        axes.plot(shown, mean[shown.index], marker, color=colour, label=name, markersize=6, alpha=0.85)
    axes.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(lowest, 1), aspect="equal")
    marks = [mark for mark in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1) if mark >= lowest]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(marks, labels=[f"{mark:g}" for mark in marks])
    axes.set(xlabel="prevalence (logarithmic)", ylabel="mean predicted probability (logarithmic)")
    axes.set_title(title)
    axes.legend()
    names = ", ".join(means)
    return Picture(
        figure,
        f"Mean predicted probability against prevalence of {len(prevalence)} findings for {names}, "
        "with the diagonal of agreement.",
    )
