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


def test_a_forest_of_scores_has_an_interval_on_each_row(table):
    axis = plots.score_forest({"one": table, "two": table / 2}, "energy", "Test").figure.axes[0]
    rows = np.arange(len(table))[::-1]
    for line, bars, factor, up in zip(axis.lines, axis.collections, (1, 0.5), (0.34, -0.34), strict=True):
        np.testing.assert_allclose(line.get_xdata().astype(float), factor * table["energy"])
        np.testing.assert_allclose(line.get_ydata().astype(float), rows + up)
        ends = np.array([segment[:, 0] for segment in bars.get_segments() if len(segment)])
        expected = table[["energy_low", "energy_high"]].dropna()  # a class of size with one patient has no interval
        assert 1 < len(expected) == (table["maps"] > 1).sum()
        np.testing.assert_allclose(ends, factor * expected)


def test_bands_of_overlap_reach_from_low_to_high(table):
    axis = plots.overlap_curves({"one": table}, "Test").figure.axes[0]
    corners = axis.collections[0].get_paths()[0].vertices
    for at in (0.1, 0.5, 0.9):
        heights = corners[np.isclose(corners[:, 0], at), 1]
        expected = table.loc["all", [f"iou_at_{at}_low", f"iou_at_{at}_high"]].tolist()
        assert [heights.min(), heights.max()] == pytest.approx(expected)


def test_the_band_of_a_cascade_is_its_middle_half():
    values = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    axis = plots.randomised_layers({"logits": values}).figure.axes[0]
    corners = axis.collections[0].get_paths()[0].vertices
    heights = corners[corners[:, 0] == 1, 1]
    assert [heights.min(), heights.max()] == pytest.approx([0.1, 0.3])
    assert axis.lines[0].get_ydata().tolist() == pytest.approx([1, 0.2])


def test_the_maps_that_count_most_are_shown_with_their_weights_and_summed():
    features = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 9.0), np.array([[0.0, 4], [4, 0]])], axis=-1)
    weights = np.array([2.0, 0.1, -3.0])  # they count 2, 0.9 and -6 on average
    axes = plots.feature_sum(np.zeros((8, 8), np.uint8), features, weights, "Mass", shown=2).figure.axes
    titles = [axis.get_title(loc="left") for axis in axes[:4]]
    assert titles == ["Mass", "map 2, weight -3.00", "map 0, weight +2.00", "weighted sum of all 3"]
    np.testing.assert_allclose(axes[1].images[0].get_array(), [[0, 4], [4, 0]])
    np.testing.assert_allclose(axes[3].images[0].get_array(), [[2.9, -9.1], [-9.1, 2.9]])
    assert axes[3].images[0].get_clim() == pytest.approx((-9.1, 9.1))
    flat = plots.feature_sum(np.zeros((8, 8), np.uint8), features * 0, weights, "Mass", shown=2).figure.axes
    assert flat[3].images[0].get_clim() == (-1, 1)
