"""Which way each finding bends the anatomy, as the Fleischner glossary describes it; and the drawing behind it."""

import cv2
import numpy as np
import pytest

from cxr_utils.phantom import draw_boxes, draw_mask
from cxr_utils.phantom.anatomy import Shape
from cxr_utils.phantom.drawing import Frame, dome, ribbon, spline
from cxr_utils.phantom.findings import BENDS, CHANGES
from cxr_utils.phantom.patient import SIDES, draw_patient, draw_visit
from cxr_utils.phantom.physics import METAL_PER_CM, Exposure, detect, display
from cxr_utils.phantom.render import draw_chest


def someone(seed: int = 0, view: str = "PA"):
    rng = np.random.default_rng(seed)
    return draw_patient(rng, 55, "FM"[seed % 2]), draw_visit(rng, view)


def drawn(name: str, severity: float, seed: int, size: int = 96):
    """A chest without its findings' opacities, the same chest with one, and the change that the finding made."""
    patient, visit = someone(3)
    frame = Frame(size, 40.0, (0.0, 2.0))
    shape = Shape()
    if name in BENDS:
        BENDS[name](shape, severity, np.random.default_rng(seed))
    plain, sick = draw_chest(patient, visit, Shape(), frame), draw_chest(patient, visit, shape, frame)
    return plain, sick, CHANGES[name](sick, severity, np.random.default_rng(seed))


def side_of(chest, change: np.ndarray) -> str:
    return max(SIDES, key=lambda side: float((change * chest.lung[side]).sum()))


def heart_at(chest) -> float:
    return float(np.average(chest.frame.x, weights=chest.heart))


def lung_area(chest, side: str) -> float:
    return float(chest.lung[side].sum())


@pytest.mark.parametrize("seed", range(6))
def test_airless_lung_pulls_the_heart_and_its_diaphragm_towards_it(seed):
    plain, sick, change = drawn("Atelectasis", 0.9, seed)
    side = side_of(sick, change)
    other = {"right": "left", "left": "right"}[side]
    assert SIDES[side] * (heart_at(sick) - heart_at(plain)) > 0.2
    assert lung_area(sick, side) < 0.98 * lung_area(plain, side)
    assert lung_area(sick, other) == pytest.approx(lung_area(plain, other), rel=0.005)


@pytest.mark.parametrize("seed", range(6))
def test_air_around_the_lung_pushes_the_heart_away_and_the_diaphragm_down(seed):
    plain, sick, change = drawn("Pneumothorax", 0.9, seed)
    side = side_of(sick, change)
    assert SIDES[side] * (heart_at(sick) - heart_at(plain)) < -0.2
    assert lung_area(sick, side) > 1.01 * lung_area(plain, side)


def test_scars_lift_both_diaphragms_and_emphysema_flattens_them():
    for name, sign in (("Fibrosis", -1), ("Emphysema", 1)):
        plain, sick, _ = drawn(name, 0.9, 1)
        for side in SIDES:
            assert sign * (lung_area(sick, side) - lung_area(plain, side)) > 0.03 * lung_area(plain, side)


def test_the_diaphragm_of_emphysema_is_flatter():
    plain, sick, _ = drawn("Emphysema", 0.9, 1)
    for side in SIDES:
        inside = np.abs(plain.frame.x - SIDES[side] * 7) < 5
        domes = [np.ptp((chest.floor[side] + chest.frame.y)[inside]) for chest in (plain, sick)]
        assert domes[1] < 0.6 * domes[0]


def test_emphysema_takes_vessels_and_a_slender_heart_and_edema_brings_vessels():
    plain, sick, _ = drawn("Emphysema", 0.9, 1)
    assert sick.vessels.sum() < 0.95 * plain.vessels.sum() and sick.heart.sum() < 0.95 * plain.heart.sum()
    plain, sick, _ = drawn("Edema", 0.9, 1)
    assert sick.vessels.sum() > 1.05 * plain.vessels.sum()


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"Emphysema", "Pneumothorax", "Cardiomegaly", "Hernia"}))
def test_an_opacity_takes_air_from_the_lung_and_never_more_than_there_is(name):
    severe, slight = (drawn(name, severity, 4) for severity in (0.9, 0.2))
    for _, sick, change in (severe, slight):
        assert sick.air.min() >= 0 and change.min() >= 0 and change.max() > 0
    assert severe[2].sum() > 1.2 * slight[2].sum()


def test_fluid_gathers_below_and_free_air_above():
    for name, below in (("Effusion", True), ("Pneumothorax", False)):
        for seed in range(3):
            _, sick, change = drawn(name, 0.5, seed)
            lungs = sick.lung["right"] + sick.lung["left"]
            middle = np.average(sick.frame.y, weights=lungs)
            assert (np.average(sick.frame.y, weights=change) > middle) == below


# --- masks and boxes --------------------------------------------------------------------------------------------
def test_a_mask_is_at_least_a_third_of_the_strongest_smoothed_change():
    change = np.zeros((40, 40), np.float32)
    change[5:25, 5:25], change[30:38, 30:38], change[30:38, 5:13] = 0.9, 0.31, 0.29
    change[2, 35] = 50.0 / 90  # a single pixel is smoothed away and does not set the scale
    mask = draw_mask(change)
    assert mask[5:25, 5:25].all() and mask[30:38, 30:38].all() and not mask[30:38, 5:13].any()
    assert not draw_mask(np.zeros((8, 8), np.float32)).any()


def test_boxes_leave_out_small_parts_and_join_near_ones():
    mask = np.zeros((160, 160), bool)
    mask[10:30, 10:30] = True  # 400 pixels
    mask[10:30, 33:43] = True  # 200 more, three pixels away: within a fortieth of 160
    mask[100:112, 100:112] = True  # 144: just below a quarter of 600
    mask[100:113, 20:32] = True  # 156: just above
    assert draw_boxes(mask) == [(10, 10, 33, 20), (20, 100, 12, 13)]
    assert draw_boxes(np.zeros((40, 40), bool)) == []


# --- drawing ----------------------------------------------------------------------------------------------------
def test_a_tilted_frame_turns_about_its_centre_and_knows_the_place_of_every_pixel():
    frame = Frame(80, 40.0, (3.0, -2.0), 30.0)
    assert frame.to_pixels([3.0, -2.0]) == pytest.approx([40, 40])
    turn = np.deg2rad(30)
    assert frame.to_pixels([4.0, -2.0]) == pytest.approx([40 + 2 * np.cos(turn), 40 + 2 * np.sin(turn)])
    for row, column in ((0, 0), (17, 60), (79, 3)):
        assert frame.to_pixels([frame.x[row, column], frame.y[row, column]]) == pytest.approx([column, row], abs=1e-3)


def test_an_outline_is_filled_to_its_area_and_bodies_cover_those_before_them():
    frame = Frame(200, 20.0)
    square = np.array([(-3, -2), (3, -2), (3, 2), (-3, 2)], float)
    assert frame.mask(square).sum() == pytest.approx(61 * 41, rel=0.03)  # pixels of the edge count on both sides
    canvas = frame.fill(frame.canvas(), square, 90)
    bodies = np.array([square, square + 2])
    assert canvas[100, 100] == 90 and canvas[10, 10] == 0
    stacked = frame.stack(frame.canvas(), [(bodies, 200), (bodies * 0.5, 50)])
    x, y = frame.to_pixels([-0.75, 0.5]).astype(int)
    assert stacked[y, x] == 200  # the second body hides the inner layer of the first
    assert frame.depth(frame.mask(square))[100, 100] == pytest.approx(2, abs=0.15)


def test_round_edges_are_those_of_a_circle():
    frame = Frame(200, 20.0)
    mask = frame.mask(np.array([(-8, -8), (8, -8), (8, 8), (-8, 8)], float))
    rounded = frame.rounded(mask, frame.depth(mask), 4.0, 0.01)
    for inside in (1.0, 2.0, 4.0, 6.0):  # cm from the edge: sqrt(1 - (1 - d / r)^2), 1 from r on
        x, y = frame.to_pixels([8 - inside, 0]).astype(int)
        assert rounded[y, x] == pytest.approx(np.sqrt(1 - max(1 - inside / 4, 0) ** 2), abs=0.03)
    part = (slice(40, 90), slice(100, 150))
    assert np.array_equal(frame.rounded(mask, frame.depth(mask), 4.0, 0.01, part)[10:-10, 10:-10],
                          rounded[part][10:-10, 10:-10])  # fmt: skip
    assert dome(np.array([0, 4, 9], np.float32), 4.0).tolist() == [0, 1, 1]


def test_a_ribbon_has_its_width_and_a_spline_passes_its_points():
    path = np.array([(0, 0), (4, 0), (8, 0)], float)
    assert cv2.contourArea(ribbon(path, 1.5).astype(np.float32)) == pytest.approx(8 * 1.5)
    points = np.array([(0, 0), (3, 1), (5, 4), (1, 6)], float)
    assert np.allclose(spline(points, 6)[::6], points) and len(spline(points, 6)) == 24
    assert np.allclose(spline(points, 6, closed=False)[::6], points)


# --- physics ----------------------------------------------------------------------------------------------------
def test_metal_weakens_the_beam_by_its_own_coefficient():
    frame = Frame(32, 32.0)
    exposure = Exposure(0.0, 3.0, 0.01, 1e12, (0.0, 0.0), 0.0, 1.0)
    none, metal = np.zeros((32, 32), np.float32), np.full((32, 32), 0.2, np.float32)
    assert np.allclose(
        detect(frame, none, none, metal, exposure, np.random.default_rng(0)), 0.2 * METAL_PER_CM, atol=1e-3
    )


def test_the_display_is_bright_where_the_body_is_dense_and_fills_its_range():
    frame = Frame(64, 32.0)
    signal = np.tile(np.linspace(0, 4, 64, dtype=np.float32), (64, 1))
    body = np.ones((64, 64), bool)
    shown = display(frame, signal, body, Exposure(0, 3, 0.01, 1, (0.0, 0.0), 0.0, 1.0))
    assert shown.dtype == np.uint8 and shown[0, 0] == 0 and shown[0, -1] == 255
    assert (np.diff(shown[0].astype(int)) >= 0).all()
    bright = display(frame, signal, body, Exposure(0, 3, 0.01, 1, (0.0, 0.0), 0.0, 0.5))
    assert np.abs(bright - 255 * np.sqrt(shown / 255)).max() < 9 and bright[0, 32] > shown[0, 32] + 30
    wide = display(frame, signal, body, Exposure(0, 3, 0.01, 1, (0.2, 0.2), 0.0, 1.0))
    assert wide[0, 0] > 0 and wide[0, -1] < 255  # the window leaves room on both sides
