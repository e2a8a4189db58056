"""A picture is the same bytes each time, carries its alt text, and never touches pyplot."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from cxr_utils import plots
from cxr_utils.errors import Missing


def bars():
    return plots.finding_counts(table := pd.DataFrame({"Mass": [1, 1, 0], "Hernia": [0, 1, 0]}), table.mean())


def test_same_figure_same_bytes():
    assert bars().png() == bars().png()


def test_bundle_carries_alt_text():
    data, metadata = bars()._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] in data["text/plain"]


def test_bars_count_images_and_their_share_of_the_table():
    table = pd.DataFrame({"Mass": [1, 1, 0, 0, 1], "Pleural_Thickening": [0, 1, 0, 0, 0]})
    axis = plots.finding_counts(table, table[["Mass", "Pleural_Thickening"]].mean()).figure.axes[0]
    assert [text.get_text() for text in axis.texts] == ["1 (20.0%)", "3 (60.0%)"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["Pleural Thickening", "Mass"]
    assert [bar.get_width() for bar in axis.patches] == [1, 3]


def test_shares_are_those_of_the_images_whose_label_is_known():
    table = pd.DataFrame({"Mass": [1, np.nan, 0, np.nan, 1], "Edema": [0, 1, 0, 0, 0]})
    figure = plots.finding_counts(table, table[["Mass", "Edema"]].mean())
    assert [text.get_text() for text in figure.figure.axes[0].texts] == ["1 (20.0%)", "2 (66.7%)"]
    assert "from Mass (2) down to Edema (1)" in repr(figure)


def test_save_writes_whole_files_only(tmp_path):
    path = bars().save(tmp_path / "sub" / "bars.png")
    assert path.read_bytes() == bars().png() and [p.name for p in path.parent.iterdir()] == ["bars.png"]


BOXES = pd.DataFrame(
    {
        "finding": ["Mass", "Pleural_Thickening"],
        "x": [0.25, 0.5],
        "y": [0.5, 0.25],
        "width": [0.4, 0.25],
        "height": [0.25, 0.5],
    }
)


def rectangles(axis):
    """x, y, width, height of each box on an axis."""
    return [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in axis.patches]


#: BOXES on a picture of 100 rows and 200 columns; the first pixel's centre is at 0, its edge at -0.5.
DRAWN = [(49.5, 49.5, 80, 25), (99.5, 24.5, 50, 50)]
WIDE = np.zeros((100, 200), np.uint8)


def test_boxes_of_a_gallery_are_at_their_fractions_each_in_its_colour_with_its_name():
    axes = plots.gallery([WIDE, WIDE], ["one", "two"], [BOXES, BOXES[:0]], columns=2).figure.axes
    assert len(axes) == 2 and rectangles(axes[0]) == DRAWN and rectangles(axes[1]) == []
    first, second = axes[0].texts
    assert (first.get_text(), second.get_text()) == ("Mass", "Pleural Thickening")
    # the second ends at 0.75 of the width, where a name that began at its left side would be cut off
    assert (first.get_position(), first.get_ha()) == ((49.5, 49.5), "left")
    assert (second.get_position(), second.get_ha()) == ((149.5, 24.5), "right")
    colours = [patch.get_edgecolor() for patch in axes[0].patches]
    assert colours[0] != colours[1]
    assert [text.get_bbox_patch().get_facecolor() for text in axes[0].texts] == colours


def test_boxes_of_heat_maps_are_all_alike_and_without_names():
    picture = plots.heat_gallery([WIDE, WIDE], [np.ones((2, 2))] * 2, ["a", "b"], [BOXES[:0], BOXES], what="two")
    first, second = picture.figure.axes[:2]
    assert rectangles(first) == [] and rectangles(second) == DRAWN and not second.texts
    assert len({patch.get_edgecolor() for patch in second.patches}) == 1
    assert "boxes drawn" in picture.alt
    assert "boxes" not in plots.heat_gallery([WIDE], [np.ones((2, 2))], ["a"], [BOXES[:0]], what="one").alt


def test_an_explanation_draws_boxes_over_the_plain_picture_and_heat_over_the_other():
    heat = np.array([[0.0, 1.0], [0.5, 0.0]])
    picture = plots.explanation(WIDE, heat, "Pleural_Thickening", BOXES)
    left, right = picture.figure.axes
    assert rectangles(left) == DRAWN and rectangles(right) == []
    assert len(left.images) == 1 and len(right.images) == 2
    drawn = right.images[1]
    assert drawn.get_extent() == [-0.5, 199.5, 99.5, -0.5] and drawn.get_clim() == (0, 1)
    np.testing.assert_array_equal(drawn.get_array(), heat)
    assert right.get_title(loc="left") == "what speaks for Pleural Thickening"
    assert "Boxes mark" in picture.alt and "Boxes" not in plots.explanation(WIDE, heat, "Mass").alt


def test_a_gallery_has_as_many_rows_as_it_needs_and_blank_places_at_the_end():
    pictures = [np.full((4, 4), grey, np.uint8) for grey in (0, 50, 100, 150, 200)]
    figure = plots.gallery(pictures, list("abcde"), columns=3, title="five").figure
    assert [axis.axison for axis in figure.axes] == [True] * 5 + [False]
    assert [int(axis.images[0].get_array().max()) for axis in figure.axes[:5]] == [0, 50, 100, 150, 200]
    assert all(axis.images[0].get_clim() == (0, 255) for axis in figure.axes[:5])  # grey 50 is dark in every picture
    rows = {axis.get_subplotspec().rowspan.start for axis in figure.axes}
    assert rows == {0, 1} and figure.get_suptitle() == "five"


def test_other_pixels_than_bytes_are_stretched():
    axis = plots.gallery([np.array([[-2.0, 3.0], [0.0, 1.0]])], ["standardised"]).figure.axes[0]
    assert axis.images[0].get_clim() == (-2, 3)


@pytest.mark.parametrize("draw", [plots.gallery, lambda some, titles: plots.heat_gallery(some, [], titles)])
def test_no_picture_is_missing_and_says_so(draw):
    nothing = draw([], [])
    assert isinstance(nothing, Missing) and "no such picture" in nothing.reason


def test_heat_leaves_cold_places_clear():
    heat = np.array([[0.0, 0.25], [0.25, 1.0]])
    axis = plots.heat_gallery([np.zeros((2, 2), np.uint8)], [heat], ["a"]).figure.axes[0]
    np.testing.assert_allclose(axis.images[1].get_alpha(), 0.75 * np.array([[0, 0.5], [0.5, 1]]))
    np.testing.assert_allclose(axis.images[1].get_array(), heat)
    assert axis.images[1].get_clim() == (0, 1)


def test_a_figure_of_what_is_missing_is_the_reason():
    reason = Missing("This data set has no boxes.")
    assert plots.gallery([WIDE], ["a"], reason) is reason
    assert plots.auc_forest({"model": reason}, "Test") is reason


def test_intensities_show_each_picture_before_and_after():
    before = [np.full((4, 4), 10, np.uint8), np.full((4, 4), 200, np.uint8)]
    axes = plots.intensities(before, [np.zeros((4, 4)), np.ones((4, 4))], ["dark", "bright"]).figure.axes
    # a step outline visits both corners of each bin; the highest bin holds all pixels of the picture
    peaks = [[patch.get_xy()[patch.get_xy()[:, 1].argmax(), 0] for patch in axis.patches] for axis in axes]
    assert peaks[0] == [pytest.approx(8, abs=4), pytest.approx(200, abs=4)]
    assert peaks[1] == [pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1)]


def test_images_per_patient_counts_patients_and_gathers_those_with_ten_or_more():
    table = pd.DataFrame({"patient": ["a"] * 12 + ["b"] * 10 + ["c"] * 2 + ["d"] + ["e"]})
    picture = plots.images_per_patient(table)
    axis = picture.figure.axes[0]
    labels = [text.get_text() for text in axis.get_xticklabels()]
    assert dict(zip(labels, [bar.get_height() for bar in axis.patches], strict=True)) == {
        **dict.fromkeys("3456789", 0),
        "1": 2,
        "2": 1,
        "10+": 2,
    }
    assert [text.get_text() for text in axis.texts][:3] == ["2", "1", ""]
    assert "3 of 5 patients" in picture.alt


def test_co_occurrence_shows_the_factor_and_colours_its_logarithm():
    ratio = np.array([[np.nan, 8.0], [0.5, np.nan]])
    axis = plots.co_occurrence(ratio, ["Mass", "Pleural_Thickening"]).figure.axes[0]
    assert {text.get_text() for text in axis.texts} == {"8.0", "0.5"}
    np.testing.assert_allclose(np.ma.filled(axis.collections[0].get_array().ravel(), np.nan), [np.nan, 2, -1, np.nan])
    assert axis.collections[0].get_clim() == (-2, 2)


def test_ages_by_sex_and_findings_by_view():
    table = pd.DataFrame(
        {
            "age": [22.0, 23, 77, 50],
            "sex": ["F", "F", "M", "M"],
            "view": ["PA", "PA", "AP", "AP"],
            "Mass": [1, 0, 1, 1],
            "Edema": [0, 0, 1, 0],
        }
    )
    left, right = plots.age_sex_view(table, ["Mass", "Edema"]).figure.axes
    steps = {patch.get_label(): patch.get_xy() for patch in left.patches}
    assert steps["F"][:, 1].max() == 2 and steps["M"][:, 1].max() == 1
    assert 20 <= steps["F"][steps["F"][:, 1].argmax(), 0] <= 25
    # twice as often in AP, from 1 to 2; Edema never in PA: no ratio
    assert [(bar.get_x(), bar.get_width()) for bar in right.patches] == [(1, 1)]
    without = plots.age_sex_view(table.drop(columns=["age", "view"]), ["Mass"]).figure.axes
    assert not without[1].patches


def test_each_image_of_a_patient_is_marked_by_its_part():
    table = pd.DataFrame({"patient": ["a", "b", "a", "a", "c"]})
    parts = pd.Series(["train", "train", "test", "valid", "test"])
    axis = plots.patients_by_part(table, {"by image": parts}, patients=2).figure.axes[0]
    marks = {marks.get_label(): marks.get_offsets().tolist() for marks in axis.collections}
    assert marks == {"train": [[1, 0], [1, 1]], "valid": [[3, 0]], "test": [[2, 0]]}  # visit, row; c is left out


def test_auc_by_split_has_a_mark_and_two_arms_for_each_way():
    results = pd.DataFrame(
        {
            "scored_by": ["age", "age", "chance"],
            "split": ["by image", "by patient", "by patient"],
            "auc": [0.7, 0.6, 0.5],
            "low": [0.6, 0.55, np.nan],
            "high": [0.9, 0.7, np.nan],
        }
    )
    axis = plots.auc_by_split(results).figure.axes[0]
    (leaky, _, (arms,)), (clean, _, _) = axis.containers
    assert leaky.get_xydata().tolist() == [[0.7, -0.14]] and clean.get_xydata().tolist() == [
        [0.6, 0.14],
        [0.5, 1 + 0.14],
    ]
    np.testing.assert_allclose(arms.get_segments()[0][:, 0], [0.6, 0.9])
    assert [text.get_text() for text in axis.get_yticklabels()] == ["age", "chance"]


def test_known_and_strangers_are_in_order_of_the_strangers_with_the_mean_below():
    rows = {"auc": [0.6, 0.8, np.nan, 0.7], "low": [0.5, 0.7, np.nan, 0.65], "high": [0.7, 0.9, np.nan, 0.8]}
    strangers = pd.DataFrame(rows, index=["Mass", "Edema", "Hernia", "mean"])
    axis = plots.known_and_strangers(strangers + 0.05, strangers).figure.axes[0]
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert names == ["Edema", "Mass", "mean, with 95 % interval"] and axis.yaxis_inverted()
    marks = {marks.get_label(): marks.get_offsets()[:, 0].tolist() for marks in axis.collections if marks.get_label()}
    assert marks["never met the patient"] == [0.8, 0.6, 0.7]
    assert marks["met the patient in training"] == pytest.approx([0.85, 0.65, 0.75])


def test_learning_curves_mark_the_epoch_that_was_kept():
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "loss": [0.9, 0.5, 0.1], "val_loss": [0.8, 0.6, 0.7], "learning_rate": [0.1, 0.1, 0.01]}
    ).assign(kept=[False, False, True])
    figure = plots.learning_curves({"from scratch": history}).figure
    upper, lower = figure.axes
    lines = {line.get_label(): line for line in upper.lines}
    assert lines["training"].get_ydata().tolist() == [0.9, 0.5, 0.1] and lines["training"].get_linestyle() == "-"
    assert lines["validation"].get_ydata().tolist() == [0.8, 0.6, 0.7] and lines["validation"].get_linestyle() == "--"
    assert lines["kept"].get_xydata().tolist() == [[3, 0.7]]
    assert lower.lines[0].get_ydata().tolist() == [0.1, 0.1, 0.01]
    assert [text.get_text() for text in lower.get_yticklabels()] == ["0.01", "0.1"]


RUNS = pd.DataFrame(
    {
        "way": ["frozen", "scratch", "frozen"],
        "images": [200, 100, 100],
        "auc": [0.8, 0.6, 0.7],
        "low": [0.7, 0.5, 0.65],
        "high": [0.85, 0.75, 0.8],
        "multiply_adds": [2e9, 5e9, 1e9],
        "seconds": [8, 20, 4],
    }
)


def test_runs_are_joined_by_way_over_images_and_over_cost():
    axis = plots.auc_by_size(RUNS, 0.55, "no pixels").figure.axes[0]
    (frozen, _, (arms,)), (scratch, _, _) = axis.containers
    assert frozen.get_ydata().tolist() == [0.7, 0.8] and scratch.get_ydata().tolist() == [0.6]
    np.testing.assert_allclose(frozen.get_xdata().astype(float), [100 / 1.03, 200 / 1.03])  # side by side
    np.testing.assert_allclose(arms.get_segments()[0][:, 1], [0.65, 0.8])
    (baseline,) = [line for line in axis.lines if line.get_label() == "no pixels"]
    assert list(baseline.get_ydata()) == [0.55, 0.55] and baseline.get_linestyle() == ":"
    assert [text.get_text() for text in axis.get_xticklabels()] == ["100", "200"]
    adds, seconds = plots.auc_by_cost(RUNS, 0.55, "no pixels").figure.axes
    assert adds.containers[0][0].get_xdata().tolist() == [1e9, 2e9]
    assert seconds.containers[0][0].get_xdata().tolist() == [4, 8]


def test_probabilities_that_reach_their_threshold_stand_out():
    probability = pd.Series({"Mass": 0.2, "Pleural_Thickening": 0.3, "Edema": 0.4})
    threshold = pd.Series({"Edema": 0.5, "Pleural_Thickening": 0.3})
    axis = plots.probability_bars(probability, threshold).figure.axes[0]
    names = {text.get_text(): tick for text, tick in zip(axis.get_yticklabels(), axis.get_yticks(), strict=True)}
    assert names == {"Mass": 2, "Pleural Thickening": 1, "Edema": 0}
    bars = {round(bar.get_y() + bar.get_height() / 2): bar for bar in axis.patches}
    assert [bars[row].get_width() for row in (2, 1, 0)] == [0.2, 0.3, 0.4]
    colours = [bars[row].get_facecolor() for row in (2, 1, 0)]
    assert colours[0] == colours[2] != colours[1]  # without a threshold nothing stands out, at it one does
    np.testing.assert_array_equal(axis.lines[0].get_xydata(), [[np.nan, 2], [0.3, 1], [0.5, 0]])


def test_strangers_stand_at_their_likeness():
    axis = plots.likeness_histogram(np.array([0.81, 0.9, 0.9]), 0.7, {"noise": 0.1, "hand": 0.3}).figure.axes[0]
    lines = {line.get_label(): line.get_xdata()[0] for line in axis.lines}
    assert lines == {"limit": 0.7, "noise": 0.1, "hand": 0.3}
    assert sum(bar.get_height() for bar in axis.patches) == 3


def test_pyplot_stays_out():
    code = "import sys, cxr_utils.plots.tables; print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_the_house_style_holds_for_figures_and_for_nothing_else():
    import matplotlib

    before = matplotlib.rcParams["axes.titlelocation"]
    title = bars().figure.axes[0].get_title(loc="left")
    assert title == "How often is each finding?" and matplotlib.rcParams["axes.titlelocation"] == before == "center"


def test_label_errors_show_missed_on_the_left_and_false_on_the_right():
    row = {"missed": 0.2, "missed_low": 0.1, "missed_high": 0.4, "false": 0.3, "false_low": 0.25, "false_high": 0.5}
    picture = plots.label_errors(pd.DataFrame([row, row], index=["Mass", "mean"]).assign(missed=[0.2, 0.15]), "Mined")
    left, right = picture.figure.axes
    assert left.lines[0].get_xdata().tolist() == [0.2, 0.15] and right.lines[0].get_xdata().tolist() == [0.3, 0.3]
    assert [segment[:, 0].tolist() for segment in right.collections[0].get_segments()] == [[0.25, 0.5]] * 2
    assert isinstance(plots.label_errors(Missing("No truth."), "Mined"), Missing)


def test_auc_by_errors_keeps_errors_in_training_and_in_judging_apart():
    grid = [(taught, judged, training) for taught in (0, 3) for judged in (0, 3) for training in (0, 1)]
    rows = pd.DataFrame(grid, columns=["errors_in_training", "errors_in_judging", "training"]).assign(recipe="frozen")
    rows["auc"] = [0.9, 0.9, 0.7, 0.72, 0.86, 0.88, 0.6, 0.6]
    perfect = rows[rows["errors_in_training"] == 0].assign(recipe="perfect", auc=[1, 1, 0.8, 0.8])
    picture = plots.auc_by_errors(pd.concat([perfect, rows]))
    left, right = picture.figure.axes
    dots, mean = left.lines
    assert np.round(dots.get_xdata()).tolist() == [0, 0, 3, 3] and dots.get_ydata().tolist() == [0.9, 0.9, 0.86, 0.88]
    assert np.round(mean.get_xdata()).tolist() == [0, 3] and np.allclose(mean.get_ydata(), [0.9, 0.87])
    assert [np.round(line.get_ydata(), 2).tolist() for line in right.lines[1::2]] == [[1, 0.8], [0.9, 0.71]]
    assert right.lines[0].get_xdata()[0] < right.lines[2].get_xdata()[0]  # beside each other
    assert {text.get_text() for text in picture.figure.legends[0].texts} == {"frozen", "perfect"}
