"""The pipeline against the one path (`images.load_image`) and against augmentations computed by hand."""

import threading

import cv2
import numpy as np
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.data import images, pixelstore
from cxr_utils.errors import DataError, ImageError, RecipeError
from cxr_utils.networks import losses
from cxr_utils.training import pipeline

#: Rows in epochs 0 and 1 of seed 3, and in epoch 0 where only two images are drawn.
ORDER, NEXT_ORDER, DRAWN = [6, 1, 5, 2, 7, 4, 3, 0], [7, 3, 5, 6, 4, 0, 2, 1], [0, 1, 0, 1, 0, 0, 1, 1]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))


def _whole(batches):
    return [np.concatenate(part) for part in zip(*batches, strict=True)]


def _batches(dataset, size, batch_size, **how):
    return pipeline.batches(pixelstore.reader(dataset, size), dataset.labels, batch_size, **how)


def test_pixels_are_the_resized_files(dataset):
    pixels = pixelstore.pixels(dataset, 32)
    assert isinstance(pixels, np.memmap) and pixels.shape == (60, 32, 32) and pixels.dtype == np.uint8
    path = dataset.path(dataset.table["image"][17])
    assert np.array_equal(pixels[17], images.resize(images.read_image(path), 32))


def test_each_file_is_decoded_once_for_all_parts(dataset, monkeypatch):
    read, times = images.read_image, []
    monkeypatch.setattr(images, "read_image", lambda path: times.append(path) or read(path))
    pixelstore.pixels(dataset.part("valid"), 32)
    assert len(times) == 12
    whole = pixelstore.pixels(dataset, 32)
    assert len(times) == 60
    assert np.array_equal(pixelstore.pixels(dataset.part("valid"), 32), whole[36:48])
    assert len(times) == 60


def test_a_changed_file_is_read_again(tmp_path):
    dataset = tiny_dataset(tmp_path / "images", images=10)
    before = pixelstore.pixels(dataset, 16)[3].copy()
    cv2.imwrite(str(dataset.path("0003.png")), np.zeros((20, 20), np.uint8))
    after = pixelstore.pixels(dataset, 16)[3]
    assert before.any() and not after.any()


def test_a_damaged_file_is_named(tmp_path):
    dataset = tiny_dataset(tmp_path / "images", images=10)
    whole = dataset.path("0004.png").read_bytes()
    dataset.path("0004.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match="0004.png"):
        pixelstore.pixels(dataset, 16)
    dataset.path("0004.png").write_bytes(whole)
    assert pixelstore.pixels(dataset, 16).shape == (10, 16, 16)


def test_an_absent_file_is_named(tmp_path):
    dataset = tiny_dataset(tmp_path / "images", images=10)
    dataset.table.loc[2, "image"] = "gone.png"
    with pytest.raises(DataError, match="gone.png"):
        pixelstore.pixels(dataset, 16)


def test_batches_are_what_load_image_gives(dataset):
    pictures, labels = _whole(_batches(dataset, 32, 7))
    expected = np.stack([images.load_image(dataset.path(image), 32) for image in dataset.table["image"]])
    assert np.array_equal(pictures, expected)
    assert np.array_equal(labels, dataset.labels)


def test_batches_have_shapes_types_and_a_length(dataset):
    batches = _batches(dataset, 32, 25, sample_weights=np.arange(60.0))
    assert len(batches) == 3
    parts = [[part.shape for part in batch] for batch in batches]
    assert parts == [[(25, 32, 32, 1), (25, 2), (25,)]] * 2 + [[(10, 32, 32, 1), (10, 2), (10,)]]
    assert {part.dtype.name for batch in batches for part in batch} == {"float32"}


def test_shuffling_keeps_images_labels_and_weights_together(dataset):
    plain = _whole(_batches(dataset, 32, 8, sample_weights=np.arange(60.0)))
    mixed = _whole(_batches(dataset, 32, 8, sample_weights=np.arange(60.0), shuffle_seed=3))
    order = mixed[2].astype(int)
    assert sorted(order) == list(range(60)) and not np.array_equal(order, np.arange(60))
    assert all(np.array_equal(part[order], other) for part, other in zip(plain, mixed, strict=True))


def _orders(dataset, seed, epochs=(0, 1, 2)):
    batches = _batches(dataset, 16, 8, sample_weights=np.arange(60.0), shuffle_seed=seed, epochs=epochs)
    return _whole(batches)[2].astype(int).reshape(-1, 60).tolist()


def test_every_epoch_has_another_order_that_follows_from_seed_and_number(dataset):
    first, second, third = _orders(dataset, seed=5)
    assert first != second != third != first
    assert sorted(third) == list(range(60))
    assert _orders(dataset, seed=5, epochs=[2, 1]) == [third, second]
    assert _orders(dataset, seed=6)[0] != first


def test_going_round_again_gives_the_same(dataset):
    batches = _batches(dataset, 16, 7, augment=("rotate",), shuffle_seed=1, epochs=range(2))
    assert len(batches) == 18
    first, again = _whole(batches), _whole(batches)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_augmentation_is_drawn_anew_each_epoch_and_repeats_with_the_seed(dataset):
    def epoch(number):
        batches = _batches(dataset, 16, 60, augment=pipeline.AUGMENTATIONS, shuffle_seed=1, epochs=[number])
        return batches[0][0]

    assert np.array_equal(epoch(0), epoch(0)) and np.array_equal(epoch(1), epoch(1))
    assert not np.array_equal(np.sort(epoch(0).ravel()), np.sort(epoch(1).ravel()))


def test_the_pieces_of_all_devices_make_up_the_batches(dataset):
    """Whatever the number of devices and processes: the same images, changed the same, in the same order."""

    def epoch(batch_size=13, **options):
        more = {"augment": ("shift", "brightness"), "shuffle_seed": 4, "sample_weights": np.arange(60.0)}
        return list(_batches(dataset, 16, batch_size, epochs=[3], **more, **options))

    plain = epoch()
    shares = [pipeline.Share(devices=3, first=0, count=1), pipeline.Share(devices=3, first=1, count=2)]
    one, two = (epoch(share=share) for share in shares)
    assert (len(plain), len(one), len(two)) == (5, 5, 10)
    for number, whole in enumerate(plain):
        pieces = [one[number], two[2 * number], two[2 * number + 1]]
        together = [np.concatenate(part) for part in zip(*pieces, strict=True)]
        assert np.array_equal(together[0], whole[0]) and np.array_equal(together[1], whole[1])
        assert np.allclose(together[2] * len(whole[0]), whole[2])


def test_a_padded_batch_weighs_as_the_batch_it_was_made_of(dataset):
    plain = list(_batches(dataset, 16, 25))
    padded = list(_batches(dataset, 16, 25, share=pipeline.Share(4, padded=True)))
    assert [len(batch[0]) for batch in padded] == [28, 28, 12]
    for (pictures, _), (given, _, weight) in zip(plain, padded, strict=True):
        assert np.array_equal(given[: len(pictures)], pictures)
        values = given.mean((1, 2, 3)) + given[:, 0, 0, 0]
        assert np.isclose(np.mean(values * weight), np.mean(pictures.mean((1, 2, 3)) + pictures[:, 0, 0, 0]))


def test_a_process_reads_only_the_files_of_its_share(dataset, monkeypatch):
    read, seen = images.read_image, []
    monkeypatch.setattr(images, "read_image", lambda path: seen.append(path.name) or read(path))
    share = pipeline.Share(devices=2, first=1)
    for _ in _batches(dataset, 16, 10, share=share):
        pass
    expected = [name for start in range(0, 60, 10) for name in dataset.table["image"][start + 5 : start + 10]]
    assert sorted(seen) == expected


def _picture(side: int = 21) -> np.ndarray:
    """Smooth, so that interpolation errs little."""
    y, x = np.mgrid[:side, :side] / side
    return (np.sin(3 * x) + np.cos(5 * y) + x * y).astype(np.float32)


def _patterns(rng, frequencies, images=101):
    return (rng.random((images, len(frequencies))) < frequencies).astype(np.float32)


@pytest.mark.parametrize("frequencies", [[0.1], [0.02, 0.3, 0.1]])
def test_rare_images_are_drawn_as_often_as_they_should_be(frequencies):
    labels = _patterns(np.random.default_rng(5), frequencies)
    images, epochs = len(labels), 400
    expected = np.zeros(images)  # worked out label by label: the rarest one of an image decides
    for row, truth in enumerate(labels):
        own = [(labels[:, column] == 1).sum() for column in np.flatnonzero(truth)] or [(labels.sum(1) == 0).sum()]
        expected[row] = 1 / min(own)
    expected *= images / expected.sum()
    times = losses.expected_draws(labels)
    assert np.allclose(times, expected) and times.sum() == pytest.approx(images)
    names = np.arange(images, dtype=np.float32)[:, np.newaxis]
    how = {"shuffle_seed": 3, "times": times, "epochs": range(epochs)}
    drawn, seen = _whole(pipeline.batches(lambda rows: names[rows], labels, 16, **how))
    drawn = drawn.astype(int).reshape(epochs, images)  # an epoch keeps its length
    assert np.array_equal(seen, labels[drawn.ravel()])
    counts = np.array([np.bincount(epoch, minlength=images) for epoch in drawn])
    assert (np.abs(counts - expected) < 1).all()  # rounded up or down, in every epoch
    assert np.allclose(counts.mean(axis=0), expected, atol=4 * 0.5 / np.sqrt(epochs))
    assert len({tuple(epoch) for epoch in drawn}) == epochs
    places = np.array([np.flatnonzero(labels[epoch].any(axis=1)).mean() for epoch in drawn])
    assert abs(places.mean() - (images - 1) / 2) < 1  # not the rare ones first
    if len(frequencies) == 1:
        positives = seen.reshape(epochs, images).sum(axis=1)
        assert set(positives) == {50, 51} and labels.sum() < 20


def test_an_epoch_of_drawn_images_follows_from_its_number_alone(dataset):
    how = {"shuffle_seed": 3, "times": losses.expected_draws(dataset.labels), "augment": ("brightness",)}
    whole = _whole(_batches(dataset, 16, 7, epochs=range(4), **how))
    rest = _whole(_batches(dataset, 16, 7, epochs=range(2, 4), **how))
    assert all(np.array_equal(full[120:], part) for full, part in zip(whole, rest, strict=True))
    shares = (pipeline.Share(2, first) for first in (0, 1))
    shared = [list(_batches(dataset, 16, 7, epochs=range(4), share=share, **how)) for share in shares]
    pieces = [np.concatenate([part[0] for part in pair]) for pair in zip(*shared, strict=True)]
    assert np.allclose(np.concatenate(pieces), whole[0])


def test_the_order_is_the_one_of_this_seed_and_epoch_wherever_and_whenever():
    """Written down: NumPy promises the bits of its counting generator, and this course the epochs made of them."""

    def order(**how):
        labels = np.arange(8.0)[:, np.newaxis]
        return _whole(pipeline.batches(lambda rows: rows, labels, 3, **how))[1][:, 0].astype(int).tolist()

    assert order() == list(range(8))
    assert order(shuffle_seed=3) == ORDER and order(shuffle_seed=3, epochs=[1]) == NEXT_ORDER
    assert order(shuffle_seed=3, times=np.array([4, 4, 0, 0, 0, 0, 0, 0.0])) == DRAWN


def test_how_an_image_is_changed_follows_from_seed_epoch_and_image_alone():
    pictures = np.random.default_rng(0).normal(size=(40, 9, 9, 1)).astype(np.float32)

    def changed(images, batch_size, seed=5, epoch=2):
        how = {"augment": pipeline.AUGMENTATIONS, "shuffle_seed": seed, "epochs": [epoch]}
        batches = pipeline.batches(
            lambda rows: pictures[rows], np.arange(float(images))[:, np.newaxis], batch_size, **how
        )
        given, names = _whole(batches)
        return given[np.argsort(names[:, 0])]

    first = changed(40, 7)
    assert np.array_equal(first, changed(40, 13)) and np.array_equal(first[:20], changed(20, 20))
    assert not any(np.allclose(one, other) for one, other in zip(first, changed(40, 7, epoch=3), strict=True))
    assert not any(np.allclose(one, other) for one, other in zip(first, changed(40, 7, seed=6), strict=True))


def test_an_image_that_is_drawn_twice_is_changed_in_two_ways():
    picture, times = _picture()[np.newaxis, ..., np.newaxis], np.array([5.0, 0, 0, 0, 0])
    how = {"augment": ("shift",), "shuffle_seed": 0, "times": times}
    drawn = _whole(pipeline.batches(lambda rows: picture[rows], np.zeros((5, 1)), 2, **how))[0]
    assert len(drawn) == 5 and all(not np.allclose(drawn[i], drawn[j]) for i in range(5) for j in range(i))


def test_threads_read_ahead_and_no_further():
    begun, more = [], threading.Event()

    def read(rows):
        begun.append(rows[0])
        if len(begun) == pipeline.AHEAD:
            more.set()
        return rows

    batches = pipeline.batches(read, np.zeros((100, 1)), 10)
    assert batches[0][0].tolist() == list(range(10)) and more.wait(60)
    assert sorted(begun) == [10 * number for number in range(pipeline.AHEAD)]
    assert batches[7][0][0] == 70 and batches[7][0][0] == 70  # in any order, and once more
    with pytest.raises(IndexError):
        batches[10]


def test_a_thread_that_fails_says_so_where_its_batch_is_asked_for():
    def read(rows):
        if 25 in rows:
            raise ImageError("scan.png has 0 bytes. Fetch it again.")
        return rows

    batches = pipeline.batches(read, np.zeros((100, 1)), 10)
    assert [batches[number][0][0] for number in (0, 1)] == [0, 10]
    with pytest.raises(ImageError, match="scan.png"):
        batches[2]
    assert batches[3][0][0] == 30
    with pytest.raises(ImageError, match=r"^scan.png has 0 bytes. Fetch it again.$"), pipeline.failures_named(batches):
        raise RuntimeError("UNKNOWN: ImageError: scan.png and what a backend makes of it")
    with pytest.raises(KeyError, match="other"), pipeline.failures_named(pipeline.batches(read, np.zeros((5, 1)), 5)):
        raise KeyError("other")


def test_drawing_needs_a_seed(dataset):
    with pytest.raises(RecipeError, match="without a seed.*Give one"):
        _batches(dataset, 16, 7, times=np.ones(60))


def test_flip_mirrors_about_half_of_the_pictures():
    picture = _picture()
    pictures = np.repeat(picture[np.newaxis, ..., np.newaxis], 200, axis=0)
    result = pipeline.augmented(pictures, (1, 2), ("flip_horizontal",))[..., 0]
    mirrored = np.array([np.allclose(one, picture[:, ::-1], atol=1e-5) for one in result])
    same = np.array([np.allclose(one, picture, atol=1e-5) for one in result])
    assert (mirrored ^ same).all() and 70 < mirrored.sum() < 130


@pytest.mark.parametrize("angle", [-0.15, 0.1])
@pytest.mark.parametrize("flip", [1.0, -1.0])
def test_geometry_is_that_of_opencv(angle, flip):
    picture, right, down = _picture(), 1.5, -0.7
    moved = pipeline._moved(picture, flip, angle, right, down)
    centre = (picture.shape[0] - 1) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = np.diag([flip, 1.0]) @ turn
    offset = centre - turn @ [centre, centre] + [right, down]
    matrix = np.column_stack([turn, offset])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(picture, matrix, picture.shape, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    assert np.allclose(moved, expected, atol=0.01)


def _augmented(pictures, *names):
    return pipeline.augmented(np.float32(pictures)[..., np.newaxis], (1, 2), names)[..., 0]


def _assert_uniform(values, limit):
    """Within -limit and limit, near to both, and as often below as above; a third of them in each third."""
    assert np.abs(values).max() <= limit * 1.01 and values.min() < -0.93 * limit and values.max() > 0.93 * limit
    assert abs(values.mean()) < 0.12 * limit and 0.25 < (np.abs(values) < limit / 3).mean() < 0.42


def test_brightness_is_a_gain_and_an_offset_per_picture():
    pictures = np.random.default_rng(0).normal(size=(400, 8, 8))
    result = _augmented(pictures, "brightness")
    fits = np.array([np.polyfit(a.ravel(), b.ravel(), 1) for a, b in zip(pictures, result, strict=True)])
    again = fits[:, 0, None, None] * pictures + fits[:, 1, None, None]
    assert np.allclose(again, result, atol=1e-4)
    gains, offsets = fits[:, 0] - 1, fits[:, 1]
    _assert_uniform(gains, 0.3)
    _assert_uniform(offsets, 0.3)
    assert abs(np.corrcoef(gains, offsets)[0, 1]) < 0.15  # drawn independently


def test_shifts_go_right_and_down_independently_and_reach_a_twelfth_of_the_side():
    side = 101
    pictures = np.zeros((400, side, side))
    pictures[:, 48:53, 48:53] = 1
    moved = _augmented(pictures, "shift")
    mass = moved.sum((1, 2))
    right, down = ((moved.sum(axis) * np.arange(side)).sum(1) / mass - 50 for axis in (1, 2))
    assert mass == pytest.approx(25, rel=1e-4)
    _assert_uniform(right, 0.08 * side)
    _assert_uniform(down, 0.08 * side)
    assert abs(np.corrcoef(right, down)[0, 1]) < 0.15


def test_rotations_turn_up_to_ten_degrees_either_way_about_the_centre():
    side = 101
    pictures = np.zeros((400, side, side))
    pictures[:, 49:52, 20:81] = 1  # a bar through the centre
    turned = _augmented(pictures, "rotate")
    y, x = np.mgrid[:side, :side] - 50
    angles = []
    for one in turned:
        xx, yy, xy = (one * x * x).sum(), (one * y * y).sum(), (one * x * y).sum()
        angles.append(np.degrees(np.arctan2(2 * xy, xx - yy) / 2))  # of the principal axis
    _assert_uniform(np.array(angles), 10)
    assert (turned * x).sum((1, 2)) == pytest.approx(0, abs=8) and (turned * y).sum((1, 2)) == pytest.approx(0, abs=8)


def test_only_what_is_asked_for_is_changed():
    picture = _picture()
    pictures = np.repeat(picture[np.newaxis], 40, axis=0)
    assert np.array_equal(_augmented(pictures), pictures)
    still = np.zeros((40, 21, 21)) + 0.5
    for names in (("rotate",), ("shift",), ("flip_horizontal",), ("flip_horizontal", "rotate", "shift")):
        assert np.allclose(_augmented(still, *names), 0.5, atol=1e-6)  # the edge is continued, not filled with black
    plain, both = _augmented(pictures, "rotate"), _augmented(pictures, "rotate", "brightness")
    gain = (
        _augmented(np.ones((40, 21, 21)), "brightness")[:, 0, 0]
        - _augmented(np.zeros((40, 21, 21)), "brightness")[:, 0, 0]
    )
    offset = _augmented(np.zeros((40, 21, 21)), "brightness")[:, 0, 0]
    assert np.allclose(both, plain * gain[:, None, None] + offset[:, None, None], atol=1e-5)  # moved first


def test_an_unknown_augmentation_is_refused(dataset):
    with pytest.raises(RecipeError, match="'flip'.*flip_horizontal"):
        _batches(dataset, 16, 4, augment=("flip",))


def test_bytes_are_standardised_as_any_other_numbers():
    """The look-up table that makes batches fast gives what arithmetic in double precision gives."""
    for seed in range(5):
        picture = np.random.default_rng(seed).integers(0, 256, (40, 30), dtype=np.uint8)
        expected = (picture - picture.mean(dtype=float)) / picture.std(dtype=float)
        assert np.array_equal(images.standardise(picture), images.standardise(picture.astype(float)))
        assert np.allclose(images.standardise(picture), expected, atol=1e-6)
    assert not images.standardise(np.full((4, 4), 7, np.uint8)).any()
