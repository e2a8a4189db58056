"""Masks of the simulator, drawn anew, are those of the pictures on disk."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cxr_utils import phantom
from cxr_utils.data import images, masks, open_dataset
from cxr_utils.errors import DataError

SIZE = 96


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """A small cohort, opened; its masks are cached beside it."""
    folder = tmp_path_factory.mktemp("masks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE", str(folder / "cache"))
        phantom.make_cohort(folder / "cohort", images=80, size=SIZE, seed=3, workers=1)
        yield open_dataset(folder / "cohort")


def test_masks_and_boxes_name_the_same_findings(cohort):
    found = set(masks.simulated_masks(cohort, SIZE))
    assert found == set(zip(cohort.boxes["image"], cohort.boxes["finding"], strict=True)) and len(found) > 50


def test_boxes_lie_around_their_masks(cohort):
    """The boxes on disk were drawn around these very masks: each edge of a box touches a pixel of the mask."""
    drawn = masks.simulated_masks(cohort, SIZE)
    for row in cohort.boxes.itertuples():
        x, y, width, height = (round(share * SIZE) for share in (row.x, row.y, row.width, row.height))
        inside = drawn[row.image, row.finding][y : y + height, x : x + width]
        assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_masks_are_where_the_picture_differs_from_the_healthy_one(cohort):
    """An oracle without masks: the same scene drawn with and without its findings."""
    from cxr_utils.phantom import records as simulator
    from cxr_utils.phantom.render import radiograph

    order = simulator.Order(**json.loads((cohort.root / "cohort.json").read_text())["order"])
    records = {record.number: record for record in simulator.draw_records(order)[0]}
    drawn = masks.simulated_masks(cohort, SIZE)
    inside, outside = [], []
    for (name, finding), mask in drawn.items():
        number, follow = map(int, name.removesuffix(".png").split("_"))
        patient, visit, findings, seed = simulator.scene(order, records[number], follow)
        sick, healthy = (radiograph(patient, visit, present, seed, size=SIZE) for present in (findings, []))
        if list(sick.masks) == [finding] and finding in ("Mass", "Pneumothorax", "Effusion", "Consolidation"):
            assert (images.read_image(cohort.path(name)) == sick.pixels).all()
            change = np.abs(sick.pixels.astype(int) - healthy.pixels)
            inside.append(change[mask].mean())
            outside.append(change[~mask].mean())
    assert len(inside) >= 5 and np.median(np.array(inside) / np.array(outside)) > 3


def test_smaller_masks_cover_the_same_place(cohort):
    fine, coarse = masks.simulated_masks(cohort, SIZE), masks.simulated_masks(cohort, SIZE // 3)
    assert fine.keys() == coarse.keys()
    for pair, mask in fine.items():
        shares = mask.reshape(SIZE // 3, 3, SIZE // 3, 3).mean(axis=(1, 3))
        np.testing.assert_array_equal(coarse[pair], shares >= min(0.5, shares.max()))


def test_a_part_has_the_masks_of_the_whole(cohort):
    whole, part = masks.simulated_masks(cohort), masks.simulated_masks(cohort.part("test"))
    assert 0 < len(part) < len(whole)
    assert all((mask == whole[pair]).all() for pair, mask in part.items())
    assert set(next(iter(part.values())).shape) == {masks.GRID}


def test_turned_pictures_have_no_masks_and_a_copy_has_those_of_its_source(cohort):
    odd = json.loads((cohort.root / "cohort.json").read_text())["odd_records"]
    drawn = masks.simulated_masks(cohort)
    turned = [name for name, how in odd.items() if how in ("sideways", "upside down")]
    (copy, source), *_ = [(name, how.split()[-1]) for name, how in odd.items() if how.startswith("copied")]
    assert len(turned) == 2 and not {name for name, _ in drawn} & set(turned)
    own = [{finding: mask.tolist() for (name, finding), mask in drawn.items() if name == one} for one in (copy, source)]
    assert own[0] == own[1]


def test_what_is_not_simulated_or_of_another_version_is_refused(cohort, tmp_path):
    with pytest.raises(DataError, match="Expected the phantom"):
        masks.simulated_masks(replace(cohort, kind="nih"))
    (tmp_path / "truth.csv").write_text((cohort.root / "truth.csv").read_text())
    made = json.loads((cohort.root / "cohort.json").read_text()) | {"simulator": "older"}
    (tmp_path / "cohort.json").write_text(json.dumps(made))
    with pytest.raises(DataError, match="made by version older"):
        masks.simulated_masks(replace(cohort, root=tmp_path))


def test_healthy_pictures_give_no_masks(cohort):
    healthy = cohort.subset(cohort.truth()[list(cohort.findings)].sum(axis=1).to_numpy() == 0, "healthy")
    assert len(healthy) > 3 and masks.simulated_masks(healthy) == {}
