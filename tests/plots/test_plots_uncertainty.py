"""Figures of not knowing, read back from their axes."""

import pandas as pd
import pytest

from cxr_utils import plots


def test_a_forest_of_shares_draws_every_share_and_the_promise():
    one = pd.DataFrame({"share": [0.9, 0.2], "low": [0.8, 0.1], "high": [0.95, 0.4]}, index=["all", "present"])
    other = one.assign(share=[0.7, 0.6])
    axes = plots.share_forest({"one limit": one, "two": other}, "share", "Test", promised=0.9).figure.axes[0]
    drawn = {line.get_label(): list(line.get_xdata()) for line in axes.lines}
    assert drawn == {"one limit": [0.9, 0.2], "two": [0.7, 0.6], "promised": [0.9, 0.9]}
    assert [text.get_text() for text in axes.get_yticklabels()] == ["all", "present"]
    ends = [segment[:, 0].tolist() for lines in axes.collections for segment in lines.get_segments()]
    assert ends == [[0.8, 0.95], [0.1, 0.4]] * 2


def test_silence_draws_each_column_against_the_answers_given_from_all_downwards():
    curve = pd.DataFrame({"errors": [0.1, 0.04], "missed": [0.5, 0.7]}, index=[1.0, 0.5])
    panels = plots.silence(curve, "Test").figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == ["errors", "missed"]
    for axes, name in zip(panels, curve, strict=True):
        assert list(axes.lines[0].get_xdata()) == [1.0, 0.5] and list(axes.lines[0].get_ydata()) == list(curve[name])
        left, right = axes.get_xlim()
        assert left > right and axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > curve[name].max()


def test_the_descriptions_hold_no_measured_number():
    curve = pd.DataFrame({"errors": [0.123, 0.045]}, index=[1.0, 0.5])
    assert plots.silence(curve, "Test").alt == "Test: errors, against the share of the answers that are given."
    table = pd.DataFrame({"share": [0.917], "low": [0.8], "high": [0.95]}, index=["all"])
    assert "0.9" not in plots.share_forest({"one": table}, "share", "Test").alt


@pytest.mark.parametrize("ways", [1, 3])
def test_rows_do_not_touch_the_frame(ways):
    table = pd.DataFrame({"share": [0.9], "low": [0.8], "high": [0.95]}, index=["all"])
    axes = plots.share_forest({str(way): table for way in range(ways)}, "share", "Test").figure.axes[0]
    low, high = axes.get_ylim()
    assert all(low + 0.1 < line.get_ydata()[0] < high - 0.1 for line in axes.lines)
