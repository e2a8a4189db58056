"""Figures of heat maps show the numbers they were given."""

import numpy as np
import pandas as pd
import pytest

from cxr_utils import plots
from cxr_utils.heatmaps import localization as loc


@pytest.fixture
def table():
    """Scores of a random map against random boxes."""
    generator = np.random.default_rng(0)
    boxes = pd.DataFrame(generator.uniform(0.05, 0.5, (30, 4)), columns=["x", "y", "width", "height"])
    boxes.insert(0, "image", [str(n) for n in range(30)])
    boxes.insert(1, "finding", ["Mass", "Edema", "Nodule"] * 10)
    names = boxes["image"].tolist()
    scored = loc.score_boxes(generator.random((30, 3, 8, 8)), names, ["Mass", "Edema", "Nodule"], boxes)
    return loc.Scored(scored, dict(zip(names, names, strict=True))).summary("size", replicates=50)


def test_overlap_curves_are_the_row_of_all_maps(table):
    axes = plots.overlap_curves({"one": table, "two": table * 2}, "Test").figure.axes[0]
    for line, factor in zip(axes.lines, (1, 2), strict=True):
        np.testing.assert_allclose(line.get_xdata(), np.arange(1, 10) / 10)
        assert line.get_ydata().tolist() == pytest.approx([factor * table.loc["all", name] for name in loc.CURVE])


def test_forest_names_what_its_rows_are(table):
    picture = plots.score_forest({"one": table}, "iou_area", "Test")
    assert "over all thresholds, by size" in picture.alt
    labels = [text.get_text() for text in picture.figure.axes[0].get_yticklabels()]
    assert labels == [f"{name} ({count})" for name, count in table["maps"].items()]


def test_cascade_starts_at_one_and_keeps_the_order_of_steps():
    steps = {"logits": np.array([0.5, 0.1, np.nan, 0.3]), "conv": np.array([0.2, 0.2, 0.2, 0.2]), "stem": [np.nan]}
    axes = plots.randomised_layers({name: np.asarray(values) for name, values in steps.items()}).figure.axes[0]
    assert axes.lines[0].get_ydata().tolist()[:3] == pytest.approx([1, 0.3, 0.2])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["none", "logits", "conv", "stem"]
