"""Scores of heat maps against boxes, by hand and against naive loops."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tiny_dataset import tiny_dataset

from cxr_utils.errors import DataError, Missing
from cxr_utils.heatmaps import localization as loc
from cxr_utils.heatmaps import map_scores, priors


def boxes_of(*rows):
    return pd.DataFrame(rows, columns=["image", "finding", "x", "y", "width", "height"])


def best_overlap(heat, mask):
    return map_scores.cut_at_each_value(heat, mask)[1].max(initial=0.0)


def overlaps(heat, mask, thresholds):
    return map_scores.overlap_at(*map_scores.cut_at_each_value(heat, mask), thresholds)


def area_of_overlap(heat, mask):
    return map_scores.overlap_area(*map_scores.cut_at_each_value(heat, mask))


def test_scores_by_hand():
    heat = np.array([[0.0, 0.5], [1.0, 0.5]])
    left = np.array([[True, False], [True, False]])
    assert map_scores.pointing_game(heat, left) == 1
    assert map_scores.pointing_game(heat, ~left) == 0
    assert map_scores.energy_in_box(heat, left) == 0.5
    # at 1.0: one place, in the box: 1/2; at 0.5: three places, one of them in the box: 1/4
    assert best_overlap(heat, left) == 0.5


def test_ties_and_zeros_are_worth_what_chance_is():
    quarter = np.zeros((4, 4), dtype=bool)
    quarter[:2, :2] = True
    flat, nothing = np.ones((4, 4)), np.zeros((4, 4))
    scores = (map_scores.pointing_game, map_scores.energy_in_box, best_overlap)
    assert [score(flat, quarter) for score in scores] == [0.25, 0.25, 0.25]
    assert [score(nothing, quarter) for score in scores] == [0, 0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_best_overlap_equals_trying_every_threshold(seed):
    generator = np.random.default_rng(seed)
    heat = generator.random((12, 12)).round(1)
    mask = map_scores.box_mask(boxes_of(("a", "Mass", *generator.uniform(0, 0.5, 2), 0.4, 0.3)), 12)
    expected = 0.0
    for threshold in np.unique(heat[heat > 0]):
        hot = heat >= threshold
        expected = max(expected, (hot & mask).sum() / (hot | mask).sum())
    assert best_overlap(heat, mask) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_overlap_over_thresholds_equals_cutting_at_each(seed):
    """The curve cut by cut, and its area as the mean over ten thousand thresholds."""
    generator = np.random.default_rng(seed)
    heat, mask = generator.random((9, 9)).round(1 + seed % 3) * 3.7, generator.random((9, 9)) < 0.3

    def cut(threshold):
        hot = heat >= threshold * heat.max()
        return (hot & mask).sum() / (hot | mask).sum()

    # between the values of the map, so that rounding cannot decide
    thresholds = (0.0312, 0.1234, 0.5678, 0.8765, 0.9998)
    assert overlaps(heat, mask, thresholds) == pytest.approx([cut(one) for one in thresholds], abs=1e-12)
    fine = (np.arange(10_000) + 0.5) / 10_000
    assert area_of_overlap(heat, mask) == pytest.approx(np.mean([cut(one) for one in fine]), abs=2e-3)


def test_overlap_does_not_change_with_the_scale_of_the_map():
    heat, mask = np.array([[0.2, 0.6], [0.4, 0.0]]), np.array([[False, True], [True, False]])
    # at 0.9 of the maximum one of two pixels: 1/2; at 0.5 both: 1; at 0.1 one more: 2/3
    for scale in (1, 1e-6, 50):
        assert overlaps(heat * scale, mask, (0.1, 0.5, 0.9)) == pytest.approx([2 / 3, 1, 0.5])
        assert area_of_overlap(heat * scale, mask) == pytest.approx(2 / 3 * 1 / 3 + 1 * 1 / 3 + 0.5 * 1 / 3)
    assert overlaps(heat * 0, mask, map_scores.THRESHOLDS).tolist() == [0] * 9 and area_of_overlap(heat * 0, mask) == 0


def test_masks_by_hand():
    mask = map_scores.box_mask(boxes_of(("a", "Mass", 0.25, 0.5, 0.5, 0.25)), 8)
    assert np.argwhere(mask).min(axis=0).tolist() == [4, 2] and np.argwhere(mask).max(axis=0).tolist() == [
        5,
        5,
    ]
    speck = map_scores.box_mask(boxes_of(("a", "Nodule", 0.49, 0.99, 0.001, 0.001)), 8)
    assert np.argwhere(speck).tolist() == [[7, 3]]
    both = map_scores.box_mask(boxes_of(("a", "Mass", 0, 0, 0.5, 0.5), ("a", "Mass", 0.5, 0.5, 0.5, 0.5)), 2)
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
    assert scored[["image", "finding", "area", "size", "hit"]].values.tolist() == [
        ["a", "Mass", 0.25, "10 % or more", 1.0],
        ["b", "Mass", 0.25, "10 % or more", 0.0],
        ["b", "Edema", 0.25, "10 % or more", 1.0],
    ]
    assert scored["energy"].tolist() == pytest.approx([1, 0, 1])


def test_mask_scores_by_hand():
    """A mask along a diagonal: on the grid of the map itself it is as drawn."""
    mask = np.kron(np.eye(4, dtype=bool), np.ones((32, 32), bool))
    maps = np.zeros((1, 2, 4, 4))
    maps[0, 0, 2, 2], maps[0, 1, 1, 2] = 1, 1
    masks = {("a", "Mass"): mask, ("a", "Edema"): mask, ("b", "Mass"): mask}
    scored = loc.score_masks(maps, ["a"], ["Mass", "Edema"], masks)
    assert scored[["finding", "area", "hit"]].values.tolist() == [["Mass", 0.25, 1.0], ["Edema", 0.25, 0.0]]
    heat = loc.upsample(maps[0, 0], 128)
    assert scored["energy"][0] == pytest.approx(heat[mask].sum() / heat.sum())
    assert scored["iou_area"][0] == pytest.approx(area_of_overlap(heat, mask))
    assert scored["iou_at_0.5"][0] == pytest.approx(((heat >= 0.5 * heat.max()) & mask).sum() / (
        (heat >= 0.5 * heat.max()) | mask).sum())  # fmt: skip


def test_box_and_the_mask_of_that_box_score_the_same():
    generator = np.random.default_rng(0)
    rows = [(str(n), "Mass", *generator.uniform(0.1, 0.5, 2), *generator.uniform(0.2, 0.4, 2)) for n in range(20)]
    boxes, images = boxes_of(*rows), [str(n) for n in range(20)]
    masks = {(row[0], "Mass"): map_scores.box_mask(boxes.iloc[[n]], 128) for n, row in enumerate(rows)}
    maps = generator.random((20, 1, 8, 8))
    with_boxes = loc.score_boxes(maps, images, ["Mass"], boxes)
    pd.testing.assert_frame_equal(with_boxes, loc.score_masks(maps, images, ["Mass"], masks))


def test_mask_smaller_than_a_cell_can_be_hit_in_its_own_cell_only():
    mask = np.zeros((128, 128), bool)
    mask[5, 120:123] = True  # no centre of a cell of 32 pixels lies in it
    maps = np.zeros((2, 1, 4, 4))
    maps[0, 0, 0, 3], maps[1, 0, 0, 2] = 1, 1
    scored = loc.score_masks(maps, ["a", "b"], ["Nodule"], {("a", "Nodule"): mask, ("b", "Nodule"): mask})
    assert scored["hit"].tolist() == [1, 0] and set(scored["size"]) == {"below 1 %"}


def test_middle_of_a_ring_lies_on_the_ring():
    """The mean of a bent mask's pixels may lie outside it; a map that points there has missed."""
    ring = np.zeros((128, 128), bool)
    ring[16:112, 16:112] = True
    ring[20:108, 20:108] = False
    maps = np.zeros((1, 1, 9, 9))
    maps[0, 0, 4, 4] = 1
    assert loc.score_masks(maps, ["a"], ["Mass"], {("a", "Mass"): ring})["hit"].tolist() == [0]


@pytest.mark.parametrize("mask", [np.zeros((4, 4), bool), np.ones((4, 4)), np.ones((4, 3), bool), np.ones(4, bool)])
def test_what_is_no_mask_is_refused(mask):
    with pytest.raises(DataError, match="Mass on a has shape"):
        loc.score_masks(corner_maps(), ["a", "b", "c"], ["Mass", "Edema"], {("a", "Mass"): mask})


def test_summary_by_size_groups_what_its_area_says():
    areas = {"a": 0.009, "b": 0.01, "c": 0.02, "d": 0.1, "e": 0.5}
    scored = pd.DataFrame({"image": list(areas), "finding": "Mass", "area": list(areas.values())})
    scored["size"], scored["hit"] = scored["area"].map(loc._size_class), [0.0, 1.0, 0.0, 1.0, 1.0]
    table = loc.Scored(scored, {name: name for name in areas}).summary("size", replicates=50)
    assert table["maps"].to_dict() == {"below 1 %": 1, "1 to 3 %": 2, "10 % or more": 2, "all": 5}
    assert table["hit"].tolist() == [0.0, 0.5, 1.0, 0.6]
    with pytest.raises(DataError, match="'finding' or 'size'"):
        loc.Scored(scored, {name: name for name in areas}).summary("age")


def test_paired_difference_is_narrower_than_its_parts():
    """Two maps that agree but for a constant: the difference has hardly any spread, whatever the pictures."""
    generator = np.random.default_rng(0)
    scored = pd.DataFrame({"image": [str(n) for n in range(40)], "finding": "Mass", "area": 0.1, "size": "3 to 10 %"})
    scored["energy"] = generator.uniform(0, 0.5, 40)
    hardly = generator.uniform(-0.001, 0.001, 40)
    better = scored.assign(energy=scored["energy"] + 0.25 + hardly).sample(frac=1, random_state=1)
    patients = {name: name for name in scored["image"]}
    table = loc.Scored(better, patients).minus(loc.Scored(scored, patients)).summary().loc["all"]
    assert table[["energy", "energy_low", "energy_high"]].tolist() == pytest.approx([0.25] * 3, abs=0.001)
    assert table["energy_low"] < table["energy"] < table["energy_high"]
    alone = loc.Scored(scored, patients).summary().loc["all"]
    assert alone["energy_high"] - alone["energy_low"] > 0.05
    with pytest.raises(DataError, match="40 and 39 pairs"):
        loc.Scored(scored, patients).minus(loc.Scored(scored.iloc[1:], patients))


def test_maps_follow_the_order_of_names():
    order = [2, 0, 1]
    shuffled = loc.score_boxes(corner_maps()[order][:, ::-1], ["c", "a", "b"], ["Edema", "Mass"], BOXES)
    straight = loc.score_boxes(corner_maps(), ["a", "b", "c"], ["Mass", "Edema"], BOXES)
    pd.testing.assert_frame_equal(shuffled, straight)


def test_summary_resamples_patients():
    """Ten images of one patient hit, ten of nine others miss: the interval must be that of ten patients."""
    scored = pd.DataFrame({"image": [str(n) for n in range(20)], "finding": "Mass", "area": 0.1})
    scored["hit"] = scored["energy"] = scored["iou"] = np.repeat([1.0, 0.0], 10)
    patients = {str(n): "first" if n < 10 else str(min(n, 18)) for n in range(20)}
    wide = loc.Scored(scored, patients).summary(replicates=2000).loc["all"]
    narrow = loc.Scored(scored, {name: name for name in patients}).summary(replicates=2000).loc["all"]
    assert wide["patients"] == 10 and narrow["patients"] == 20
    alone = {name: name for name in patients}
    ends = [loc.Scored(scored, alone).summary(replicates=30, seed=seed) for seed in (1, 1, 2)]
    assert ends[0].equals(ends[1]) and not ends[0].equals(ends[2])
    pd.testing.assert_frame_equal(loc.Scored(scored, alone).summary(), loc.Scored(scored, alone).summary(seed=0))
    assert wide["hit"] == narrow["hit"] == 0.5
    assert (narrow["energy_low"], narrow["energy_high"]) == pytest.approx((0.28, 0.72), abs=0.051)
    assert wide["energy_low"] < 0.1 and wide["energy_high"] > narrow["energy_high"]
    assert wide["hit_low"] < narrow["hit_low"] and wide["hit_high"] > narrow["hit_high"]
    # Of hits 0.5 of 20 independent trials, with a variance that is all but known: Wilson's, and t for the normal.
    assert (narrow["hit_low"], narrow["hit_high"]) == pytest.approx((0.28, 0.72), abs=0.01)


def test_no_hit_is_certain_and_a_difference_of_hits_is_no_share():
    scored = pd.DataFrame({"image": [str(n) for n in range(14)], "finding": "Mass", "area": 0.1, "hit": 1.0})
    patients = {name: name for name in scored["image"]}
    always = loc.Scored(scored, patients)
    row = always.summary(replicates=50).loc["Mass"]
    assert (row["hit_low"], row["hit_high"]) == pytest.approx((14 / (14 + 1.959964**2), 1))
    nearly = loc.Scored(scored.assign(hit=[0.0, 0.0, *[1.0] * 12]), patients)
    ahead = always.minus(nearly).summary().loc["all"]
    assert ahead["hit"] == pytest.approx(1 / 7) and ahead["hit_low"] < 0  # two of fourteen may be luck


def test_maps_that_are_all_alike_leave_room():
    scored = pd.DataFrame({"image": [str(n) for n in range(14)], "finding": "Mass", "area": 0.1, "hit": 1.0})
    alike = loc.Scored(scored.assign(energy=0.0, iou=0.4), {name: name for name in scored["image"]})
    row, room = alike.summary(replicates=50).loc["all"], 1.959964**2 / (14 + 1.959964**2)  # Wilson's of 0 of 14
    assert (row["energy_low"], row["energy_high"]) == pytest.approx((0, room), abs=1e-6)
    assert (row["iou_low"], row["iou_high"]) == pytest.approx((0.4 - room, 0.4 + room), abs=1e-6)
    same = alike.minus(alike).summary(replicates=50).loc["all"]
    assert (same["hit_low"], same["hit"], same["hit_high"]) == pytest.approx((-room, 0, room), abs=1e-6)


def test_interval_of_the_mean_equals_a_naive_bootstrap():
    generator = np.random.default_rng(0)
    scored = pd.DataFrame({"image": [str(n) for n in range(60)], "finding": "Mass", "area": 0.1})
    scored["hit"] = scored["energy"] = scored["iou"] = generator.random(60)
    patient = generator.integers(20, size=60).astype(str)
    table = loc.Scored(scored, dict(zip(scored["image"], patient, strict=True))).summary(replicates=4000)
    by_patient = [scored["hit"][patient == name].to_numpy() for name in np.unique(patient)]
    means = []
    for _ in range(4000):
        drawn = generator.integers(len(by_patient), size=len(by_patient))
        means.append(np.concatenate([by_patient[k] for k in drawn]).mean())
    reach = stats.t.ppf(0.975, 10) * np.std(means)
    assert table.loc["Mass", "energy_high"] - table.loc["Mass", "energy"] == pytest.approx(reach, rel=0.05)
    assert table.loc["Mass", "energy"] - table.loc["Mass", "energy_low"] == pytest.approx(reach, rel=0.05)


def test_baselines_point_where_they_say():
    findings = ["Mass", "Edema"]
    names = ["a", "b", "c"], findings, BOXES
    patients = {"a": "1", "b": "2", "c": "3"}
    everywhere = loc.Scored(loc.score_boxes(np.ones((1, 1, 4, 4)), *names), patients).summary(replicates=20)
    assert everywhere["hit"].tolist() == everywhere["area"].tolist() == [0.25, 0.25, 0.25]
    mean_box = priors.mean_box_map(BOXES[BOXES["image"] == "b"], findings, 8)
    assert mean_box.shape == (1, 2, 8, 8)
    table = loc.Scored(loc.score_boxes(mean_box, *names), patients).summary(replicates=20)
    assert table["hit"].tolist() == pytest.approx([0.5, 1.0, 2 / 3])
    centre = priors.centre_prior(9)[0, 0]
    assert np.unravel_index(centre.argmax(), centre.shape) == (4, 4)
    np.testing.assert_allclose(centre, centre[::-1, ::-1])


def test_random_maps_hit_as_often_as_the_box_is_large():
    images = [str(n) for n in range(400)]
    boxes = boxes_of(*[(name, "Mass", 0.25, 0.25, 0.5, 0.5) for name in images])
    scored = loc.score_boxes(priors.random_maps(400, 8), images, ["Mass"], boxes)
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
    scored = loc.score_boxes(maps, ["a", "b", "c"], ["Mass", "Edema"], BOXES)
    with pytest.raises(DataError, match="no patient"):
        loc.Scored(scored, {"a": "1"}).summary()
    with pytest.raises(DataError, match="no boxes"):
        priors.mean_box_map(BOXES.iloc[:0], ["Mass"], 8)


def test_real_boxes_reward_the_centre_over_chance(real_data):
    """984 published boxes (Wang et al. 2017), in pixels of 1024: a centre prior beats a flat map by far."""
    table = pd.read_csv(real_data / "nih" / "BBox_List_2017.csv.gz")
    boxes = table.iloc[:, :6].set_axis(["image", "finding", "x", "y", "width", "height"], axis=1)
    boxes[["x", "y", "width", "height"]] /= 1024
    images, findings = boxes["image"].unique(), boxes["finding"].unique()
    scored = loc.score_boxes(priors.centre_prior(16), images, findings, boxes)
    table = loc.Scored(scored, {name: name.split("_")[0] for name in images}).summary(replicates=200)
    assert table.loc["all", "maps"] > 970 and len(table) == 9
    assert table.loc["all", "energy_low"] > table.loc["all", "area"]
    assert table.loc["Cardiomegaly", "hit"] > 0.8


@pytest.mark.parametrize(
    ("area", "name"),
    [
        (0, "below 1 %"),
        (0.0099, "below 1 %"),
        (0.01, "1 to 3 %"),
        (0.0299, "1 to 3 %"),
        (0.03, "3 to 10 %"),
        (0.0999, "3 to 10 %"),
        (0.1, "10 % or more"),
        (1, "10 % or more"),
    ],
)
def test_classes_of_size_begin_where_they_say(area, name):
    assert loc._size_class(area) == name


def test_a_tie_points_to_all_of_its_places():
    heat, mask = np.array([[3.0, 1.0, 3.0], [0.0, 3.0, 3.0]]), np.array([[True, True, False], [True, False, False]])
    assert map_scores.pointing_game(heat, mask) == 0.25
    assert map_scores.energy_in_box(heat, mask) == pytest.approx(4 / 13)
    single = np.zeros((2, 3))
    single[1, 0] = 1e-9
    assert map_scores.pointing_game(single, mask) == map_scores.energy_in_box(single, mask) == 1
    for nothing in (map_scores.pointing_game(heat * 0, mask), map_scores.energy_in_box(heat * 0, mask)):
        assert nothing == 0 and type(nothing) is float


def test_edges_of_boxes_belong_to_one_side():
    """Pixels whose centre lies on the left or upper edge are in, on the right or lower edge they are out."""
    mask = map_scores.box_mask(boxes_of(("a", "Mass", 1 / 8, 3 / 8, 1 / 2, 1 / 2)), 4)
    assert np.argwhere(mask).tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    narrow = map_scores.box_mask(boxes_of(("a", "Mass", 0.13, 0.4, 0.2, 0.2)), 4)
    assert np.argwhere(narrow).tolist() == [[2, 0]]  # no centre in it: the pixel that holds its middle (0.23, 0.5)
    beyond = map_scores.box_mask(boxes_of(("a", "Mass", 0.99, -0.2, 0.3, 0.1)), 4)
    assert np.argwhere(beyond).tolist() == [[0, 3]]
    below = map_scores.box_mask(boxes_of(("a", "Mass", -0.2, 0.99, 0.1, 0.3)), 4)
    assert np.argwhere(below).tolist() == [[3, 0]]


def test_overlap_at_the_thresholds_of_the_table_by_hand():
    """Four places of heat 1, .7, .3 and 0 of which the second is the box: what is as hot or hotter is taken."""
    assert map_scores.THRESHOLDS == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    values, overlap = map_scores.cut_at_each_value(np.array([[10, 7, 3, 0]]), np.array([[False, True, False, False]]))
    assert values.tolist() == pytest.approx([1, 0.7, 0.3]) and overlap.tolist() == pytest.approx([0, 1 / 2, 1 / 3])
    expected = [1 / 3] * 3 + [1 / 2] * 4 + [0] * 2
    assert map_scores.overlap_at(values, overlap, map_scores.THRESHOLDS).tolist() == pytest.approx(expected)
    assert map_scores.overlap_area(values, overlap) == pytest.approx(0.3 / 3 + 0.4 / 2)


def test_columns_of_the_table_are_the_scores_of_the_enlarged_map():
    """Energy and overlap are measured on the fine grid, the hit on the map's own cells."""
    generator = np.random.default_rng(0)
    coarse, own = generator.random((1, 1, 6, 6)).round(1), BOXES.iloc[[1]]
    row = loc.score_boxes(coarse, ["b"], ["Mass"], own).iloc[0]
    heat, mask = loc.upsample(coarse[0, 0], 128), map_scores.box_mask(own, 128)
    ious = {level: (heat >= level) & mask for level in np.unique(heat)}
    ious = {level: both.sum() / ((heat >= level) | mask).sum() for level, both in ious.items()}
    assert row["iou"] == pytest.approx(max(ious.values()), abs=1e-12)
    assert row["energy"] == pytest.approx(heat[mask].sum() / heat.sum(), rel=1e-5)
    assert row["hit"] == map_scores.pointing_game(coarse[0, 0], map_scores.box_mask(own, 6))
    assert row["iou_area"] == pytest.approx(area_of_overlap(heat, mask))
    assert [row[f"iou_at_{level}"] for level in map_scores.THRESHOLDS] == pytest.approx(
        list(overlaps(heat, mask, map_scores.THRESHOLDS))
    )
    assert list(row.index) == ["image", "finding", "area", "size", *loc.SCORES, *loc.CURVE]


def boxed_dataset(folder):
    """Six images of three patients; two boxes on the first two images."""
    data = tiny_dataset(folder, images=6, side=16)
    names = data.table["image"].tolist()
    boxes = boxes_of((names[0], "Mass", 0, 0, 0.5, 0.5), (names[1], "Nodule", 0.5, 0.5, 0.5, 0.5))
    return replace(data, boxes=boxes), names


def test_maps_of_a_data_set_are_scored_against_its_boxes(tmp_path):
    data, names = boxed_dataset(tmp_path)
    maps = np.random.default_rng(0).random((6, 2, 4, 4))
    scored = loc.score(maps, data)
    pd.testing.assert_frame_equal(scored.rows, loc.score_boxes(maps, names, ["Mass", "Nodule"], data.boxes))
    assert scored.patients == {name: str(number // 2) for number, name in enumerate(names)}
    assert len(scored) == 2 and scored.summary(replicates=20).loc["all", "patients"] == 1
    (one,) = loc.score(maps[:, 1:], data, ["Nodule"]).rows.itertuples()
    assert (one.image, one.finding) == (names[1], "Nodule")
    with pytest.raises(DataError, match="against 'pixels'.*Expected 'boxes' or 'masks'"):
        loc.score(maps, data, against="pixels")


def test_maps_of_a_simulated_data_set_are_scored_against_its_masks(tmp_path, monkeypatch):
    data, names = boxed_dataset(tmp_path)
    maps, mask = np.random.default_rng(0).random((6, 2, 4, 4)), np.zeros((128, 128), bool)
    mask[40:60, 10:90] = True
    assert "simulated pictures only" in str(loc.score(maps, data, against="masks"))
    monkeypatch.setattr(type(data), "masks", lambda self: {(names[2], "Mass"): mask})
    scored = loc.score(maps, data, against="masks")
    expected = loc.score_masks(maps, names, ["Mass", "Nodule"], {(names[2], "Mass"): mask})
    pd.testing.assert_frame_equal(scored.rows, expected)


def test_without_boxes_there_is_a_reason_and_no_score(tmp_path):
    data = tiny_dataset(tmp_path, images=6, side=16)
    for against in ("boxes", "masks"):
        missing = loc.score(np.ones((6, 2, 4, 4)), data, against=against)
        assert isinstance(missing, Missing) and "has no boxes" in str(missing)
        assert missing.summary().loc["all"] is missing and missing.minus(missing) is missing


def test_a_difference_is_taken_pair_by_pair_and_leaves_the_rest_alone():
    rows = pd.DataFrame({"image": ["p", "q", "p"], "finding": ["Mass", "Mass", "Edema"], "area": [0.1, 0.2, 0.3]})
    rows = rows.assign(size="", hit=[1.0, 1.0, 0.0], energy=[0.5, 0.25, 0.75], iou_area=[0.1, 0.2, 0.3])
    other = rows.iloc[[2, 0, 1]].assign(hit=[1.0, 0.0, 1.0], energy=[0.25, 0.5, 0.5], iou_area=0.0, area=9.0)
    patients = {"p": "1", "q": "2"}
    less = loc.Scored(rows, patients).minus(loc.Scored(other, {}))
    assert less.rows[["hit", "energy", "iou_area"]].values.tolist() == [[1, 0, 0.1], [0, -0.25, 0.2], [-1, 0.5, 0.3]]
    assert less.rows["area"].tolist() == [0.1, 0.2, 0.3] and less.patients is patients
    with pytest.raises(DataError, match="3 and 3 pairs"):
        loc.Scored(rows, patients).minus(loc.Scored(rows.assign(image=["p", "r", "p"]), {}))


def test_a_summary_by_hand():
    rows = pd.DataFrame({"image": list("abcd"), "finding": ["Mass", "Edema", "Mass", "Mass"]})
    rows = rows.assign(area=[0.2, 0.05, 0.4, 0.02], size=["10 % or more", "3 to 10 %", "10 % or more", "1 to 3 %"])
    rows = rows.assign(hit=[1.0, 0.0, 0.0, 1.0], energy=[0.1, 0.2, 0.3, 0.4])
    scored = loc.Scored(rows, {"a": "1", "b": "1", "c": "1", "d": "2"})
    table = scored.summary(replicates=50)
    assert table.index.tolist() == ["Mass", "Edema", "all"] and table.index.name == "finding"
    assert table["maps"].tolist() == [3, 1, 4] and table["patients"].tolist() == [2, 1, 2]
    assert table["area"].tolist() == pytest.approx([0.62 / 3, 0.05, 0.67 / 4])
    assert table["energy"].tolist() == pytest.approx([0.8 / 3, 0.2, 0.25])
    assert table.loc["Edema", ["energy_low", "energy_high"]].isna().all()  # of one patient
    # Of two patients one knows nothing (t has one degree of freedom), but for the ends of the scale.
    assert table.loc["all", ["energy_low", "energy_high"]].tolist() == [0, 1]
    assert scored.summary("size", replicates=5).index.tolist() == ["1 to 3 %", "3 to 10 %", "10 % or more", "all"]
    none = scored.summary(replicates=0)
    assert none["energy_low"].isna().all() and none["energy"].notna().all()


def test_blind_maps_by_hand():
    step, corner = np.exp(-0.5), np.exp(-2)  # one and two fifths of the side from the middle, over 2 x 0.2 ** 2
    line = np.array([corner, step, 1, step, corner])
    np.testing.assert_allclose(priors.centre_prior(5)[0, 0], np.outer(line, line), rtol=1e-6)
    first, again, other = (priors.random_maps(3, 4, seed) for seed in (0, 0, 1))
    assert first.shape == (3, 1, 4, 4) and (first == again).all() and (first != other).all()
    assert (first[0] != first[1]).all() and 0 <= first.min() < 0.2 < 0.8 < first.max() <= 1
    boxes = boxes_of(("a", "Mass", 0, 0, 0.5, 1), ("b", "Mass", 0, 0, 1, 0.5), ("c", "Edema", 0.5, 0.5, 0.5, 0.5))
    mean = priors.mean_box_map(boxes, ["Edema", "Mass", "Hernia"], 2)
    assert mean.shape == (1, 3, 2, 2) and mean.dtype == np.float32
    assert mean[0].tolist() == [[[0, 0], [0, 1]], [[1, 0.5], [0.5, 0]], [[1, 0.5], [0.5, 0.5]]]


def test_blind_maps_of_a_data_set(tmp_path):
    data, _ = boxed_dataset(tmp_path)
    found = priors.blind_maps(data, 5, 4, seed=3)
    assert list(found) == ["centre", "random", "mean box"]
    np.testing.assert_array_equal(found["centre"], priors.centre_prior(4))
    np.testing.assert_array_equal(found["random"], priors.random_maps(5, 4, 3))
    np.testing.assert_array_equal(found["mean box"], priors.mean_box_map(data.boxes, ["Mass", "Nodule"], 4))
    assert list(priors.blind_maps(replace(data, boxes=data.boxes.iloc[:0]), 5, 4)) == ["centre", "random"]
