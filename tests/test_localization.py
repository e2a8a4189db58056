"""Scores of heat maps against boxes, by hand and against naive loops."""

import numpy as np
import pandas as pd
import pytest

from cxr_utils import localization as loc
from cxr_utils.errors import DataError


def boxes_of(*rows):
    return pd.DataFrame(rows, columns=["image", "finding", "x", "y", "width", "height"])


def test_scores_by_hand():
    heat = np.array([[0.0, 0.5], [1.0, 0.5]])
    left = np.array([[True, False], [True, False]])
    assert loc.pointing_game(heat, left) == 1
    assert loc.pointing_game(heat, ~left) == 0
    assert loc.energy_in_box(heat, left) == 0.5
    # at 1.0: one place, in the box: 1/2; at 0.5: three places, one of them in the box: 1/4
    assert loc.best_iou(heat, left) == 0.5


def test_ties_and_zeros_are_worth_what_chance_is():
    quarter = np.zeros((4, 4), dtype=bool)
    quarter[:2, :2] = True
    flat, nothing = np.ones((4, 4)), np.zeros((4, 4))
    scores = (loc.pointing_game, loc.energy_in_box, loc.best_iou)
    assert [score(flat, quarter) for score in scores] == [0.25, 0.25, 0.25]
    assert [score(nothing, quarter) for score in scores] == [0, 0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_best_iou_equals_trying_every_threshold(seed):
    generator = np.random.default_rng(seed)
    heat = generator.random((12, 12)).round(1)
    mask = loc.box_mask(boxes_of(("a", "Mass", *generator.uniform(0, 0.5, 2), 0.4, 0.3)), 12)
    expected = 0.0
    for threshold in np.unique(heat[heat > 0]):
        hot = heat >= threshold
        expected = max(expected, (hot & mask).sum() / (hot | mask).sum())
    assert loc.best_iou(heat, mask) == pytest.approx(expected, abs=1e-12)


def test_masks_by_hand():
    mask = loc.box_mask(boxes_of(("a", "Mass", 0.25, 0.5, 0.5, 0.25)), 8)
    assert np.argwhere(mask).min(axis=0).tolist() == [4, 2] and np.argwhere(mask).max(axis=0).tolist() == [
        5,
        5,
    ]
    speck = loc.box_mask(boxes_of(("a", "Nodule", 0.49, 0.99, 0.001, 0.001)), 8)
    assert np.argwhere(speck).tolist() == [[7, 3]]
    both = loc.box_mask(boxes_of(("a", "Mass", 0, 0, 0.5, 0.5), ("a", "Mass", 0.5, 0.5, 0.5, 0.5)), 2)
    assert both.tolist() == [[True, False], [False, True]]


def corner_maps():
    """Three images, two findings; the first one's heat is upper left, the second's lower right."""
    maps = np.zeros((3, 2, 8, 8))
    maps[:, 0, 1, 1], maps[:, 1, 6, 6] = 1, 1
    return maps


BOXES = boxes_of(
    ("a", "Mass", 0, 0, 0.5, 0.5),
    ("b", "Mass", 0.5, 0.5, 0.5, 0.5),
    ("b", "Edema", 0.5, 0.5, 0.25, 0.5),
    ("b", "Edema", 0.75, 0.5, 0.25, 0.5),
    ("z", "Mass", 0, 0, 1, 1),
    ("a", "Fibrosis", 0, 0, 1, 1),
)


def test_table_has_a_row_for_each_image_and_finding_with_a_box():
    scored = loc.score_boxes(corner_maps(), ["a", "b", "c"], ["Mass", "Edema"], BOXES)
    assert scored[["image", "finding", "boxes", "area", "hit"]].values.tolist() == [
        ["a", "Mass", 1, 0.25, 1.0],
        ["b", "Mass", 1, 0.25, 0.0],
        ["b", "Edema", 2, 0.25, 1.0],
    ]
    assert scored["energy"].tolist() == pytest.approx([1, 0, 1])


def test_maps_follow_the_order_of_names():
    order = [2, 0, 1]
    shuffled = loc.score_boxes(corner_maps()[order][:, ::-1], ["c", "a", "b"], ["Edema", "Mass"], BOXES)
    straight = loc.score_boxes(corner_maps(), ["a", "b", "c"], ["Mass", "Edema"], BOXES)
    pd.testing.assert_frame_equal(shuffled, straight)


def test_summary_resamples_patients():
    """Ten images of one patient hit, ten of nine others miss: the interval must be that of ten patients."""
    scored = pd.DataFrame({"image": [str(n) for n in range(20)], "finding": "Mass", "boxes": 1, "area": 0.1})
    scored["hit"] = scored["energy"] = scored["iou"] = np.repeat([1.0, 0.0], 10)
    patients = {str(n): "first" if n < 10 else str(min(n, 18)) for n in range(20)}
    wide = loc.summarise_boxes(scored, patients, replicates=2000).loc["all"]
    narrow = loc.summarise_boxes(scored, {name: name for name in patients}, replicates=2000).loc["all"]
    assert wide["patients"] == 10 and narrow["patients"] == 20
    assert wide["hit"] == narrow["hit"] == 0.5
    assert (narrow["hit_low"], narrow["hit_high"]) == pytest.approx((0.3, 0.7), abs=0.051)
    assert wide["hit_low"] == 0 and wide["hit_high"] > narrow["hit_high"]


def test_interval_of_the_mean_equals_a_naive_bootstrap():
    generator = np.random.default_rng(0)
    scored = pd.DataFrame({"image": [str(n) for n in range(60)], "finding": "Mass", "boxes": 1, "area": 0.1})
    scored["hit"] = scored["energy"] = scored["iou"] = generator.random(60)
    patient = generator.integers(20, size=60).astype(str)
    table = loc.summarise_boxes(scored, dict(zip(scored["image"], patient, strict=True)), replicates=4000)
    by_patient = [scored["hit"][patient == name].to_numpy() for name in np.unique(patient)]
    means = []
    for _ in range(4000):
        drawn = generator.integers(len(by_patient), size=len(by_patient))
        means.append(np.concatenate([by_patient[k] for k in drawn]).mean())
    low, high = np.percentile(means, [2.5, 97.5])
    assert table.loc["Mass", "hit_low"] == pytest.approx(low, abs=0.01)
    assert table.loc["Mass", "hit_high"] == pytest.approx(high, abs=0.01)


def test_baselines_point_where_they_say():
    findings = ["Mass", "Edema"]
    names = ["a", "b", "c"], findings, BOXES, ["1", "2", "3"]
    everywhere = loc.score_maps(np.ones((1, 1, 4, 4)), *names, replicates=20)
    assert everywhere["hit"].tolist() == everywhere["area"].tolist() == [0.25, 0.25, 0.25]
    mean_box = loc.mean_box_map(BOXES[BOXES["image"] == "b"], findings, 8)
    assert mean_box.shape == (1, 2, 8, 8)
    table = loc.score_maps(mean_box, *names, replicates=20)
    assert table["hit"].tolist() == pytest.approx([0.5, 1.0, 2 / 3])
    centre = loc.centre_prior(9)[0, 0]
    assert np.unravel_index(centre.argmax(), centre.shape) == (4, 4)
    np.testing.assert_allclose(centre, centre[::-1, ::-1])


def test_random_maps_hit_as_often_as_the_box_is_large():
    images = [str(n) for n in range(400)]
    boxes = boxes_of(*[(name, "Mass", 0.25, 0.25, 0.5, 0.5) for name in images])
    scored = loc.score_boxes(loc.random_maps(400, 8), images, ["Mass"], boxes)
    assert scored["hit"].mean() == pytest.approx(0.25, abs=0.065)  # three standard errors
    assert scored["energy"].mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.ones((2, 2, 4, 4)), "maps of shape"),
        (np.ones((3, 4, 4)), "maps of shape"),
        (-corner_maps(), "negative or missing"),
        (corner_maps() * np.nan, "negative or missing"),
    ],
)
def test_wrong_maps_are_refused(maps, message):
    with pytest.raises(DataError, match=message):
        loc.score_boxes(maps, ["a", "b", "c"], ["Mass", "Edema"], BOXES)


def test_wrong_names_are_refused():
    maps = corner_maps()
    with pytest.raises(DataError, match="each name once"):
        loc.score_boxes(maps, ["a", "a", "b"], ["Mass", "Edema"], BOXES)
    with pytest.raises(DataError, match="None of 6 boxes"):
        loc.score_boxes(maps, ["p", "q", "r"], ["Mass", "Edema"], BOXES)
    with pytest.raises(DataError, match="2 patients for 3 images"):
        loc.score_maps(maps, ["a", "b", "c"], ["Mass", "Edema"], BOXES, ["1", "2"])
    scored = loc.score_boxes(maps, ["a", "b", "c"], ["Mass", "Edema"], BOXES)
    with pytest.raises(DataError, match="no patient"):
        loc.summarise_boxes(scored, {"a": "1"})
    with pytest.raises(DataError, match="no boxes"):
        loc.mean_box_map(BOXES.iloc[:0], ["Mass"], 8)


def test_real_boxes_reward_the_centre_over_chance(real_data):
    """984 published boxes (Wang et al. 2017), in pixels of 1024: a centre prior beats a flat map by far."""
    table = pd.read_csv(real_data / "nih" / "BBox_List_2017.csv.gz")
    boxes = table.iloc[:, :6].set_axis(["image", "finding", "x", "y", "width", "height"], axis=1)
    boxes[["x", "y", "width", "height"]] /= 1024
    images, findings = boxes["image"].unique(), boxes["finding"].unique()
    patients = [name.split("_")[0] for name in images]
    table = loc.score_maps(loc.centre_prior(16), images, findings, boxes, patients, replicates=200)
    assert table.loc["all", "maps"] > 970 and len(table) == 9
    assert table.loc["all", "energy_low"] > table.loc["all", "area"]
    assert table.loc["Cardiomegaly", "hit"] > 0.8
