"""What goes wrong in the middle of a run is named: a damaged file, too little memory."""

import json
import os

import numpy as np
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.data import pixelstore
from cxr_utils.errors import ImageError, RecipeError
from cxr_utils.networks import models
from cxr_utils.networks.recipes import Recipe
from cxr_utils.training import devices, fit, memory

SMALL = Recipe("normal_abnormal_cnn", size=32, epochs=1, batch_size=4)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def dataset(tmp_path):
    return tiny_dataset(tmp_path / "images")


def damage(dataset, *names):
    for name in names:
        whole = dataset.path(name).read_bytes()
        dataset.path(name).write_bytes(whole[: len(whole) // 2])


def test_a_damaged_file_in_the_middle_of_an_epoch_is_named(dataset):
    damage(dataset, "0020.png")
    with pytest.raises(ImageError, match="0020.png is truncated.*leave it out[.]$"):
        fit.train(SMALL, dataset)
    filled = np.fromfile(next(pixelstore.cache.root().glob("pixels/*/filled.bin")), bool)
    assert 4 <= filled.sum() < 36  # it was met in the epoch, not before


def test_a_damaged_validation_file_is_named(dataset):
    damage(dataset, "0040.png")
    with pytest.raises(ImageError, match="0040.png"):
        fit.train(SMALL, dataset)


def test_damaged_files_are_skipped_by_choice_said_once_and_recorded(dataset, capsys):
    damage(dataset, "0020.png", "0040.png")
    trained = fit.train(SMALL, dataset, options=fit.Options(skip_corrupt=True))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note:")]
    assert said == ["note: 2 of 60 image files cannot be read and are left out: 0020.png, 0040.png"]
    assert trained.card["images"] == {"train": 35, "valid": 11}
    assert list(trained.card["skipped"]) == ["0020.png", "0040.png"]
    assert "truncated" in trained.card["skipped"]["0020.png"]
    # as if the two had never been there
    rest = dataset.subset(~dataset.table["image"].isin(["0020.png", "0040.png"]).to_numpy(), "rest")
    by_hand = fit.train(SMALL, rest)
    assert by_hand.folder != trained.folder and by_hand.history.equals(trained.history)
    assert json.loads((by_hand.folder / "card.json").read_text())["skipped"] == {}


def test_a_dead_link_is_named_or_skipped_by_choice(dataset, link):
    dataset.path("0020.png").unlink()
    link(dataset.path("0020.png"), "gone.png")
    with pytest.raises(ImageError, match="0020.png cannot be read .a link to gone.png.*Check the path"):
        fit.train(SMALL, dataset)
    assert list(fit.train(SMALL, dataset, options=fit.Options(skip_corrupt=True)).card["skipped"]) == ["0020.png"]


def test_whole_files_change_nothing(dataset, capsys):
    plain = fit.train(SMALL, dataset)
    assert fit.train(SMALL, dataset, options=fit.Options(skip_corrupt=True)).folder == plain.folder
    assert capsys.readouterr().out == ""


def test_bytes_of_a_network_worked_out_by_hand():
    model = models.normal_abnormal_cnn(8, 1)
    outputs = [64, 64 * 32, 16 * 32, 16 * 64, 4 * 64, 4 * 128, 128, 128, 128, 128, 1]
    assert memory.bytes_per_image(model) == 2 * 4 * sum(outputs)
    weights = 9 * 32 + 32 + 9 * 32 * 64 + 64 + 9 * 64 * 128 + 128 + 128 * 128 + 128 + 128 + 1
    assert abs(memory.bytes_of_weights(model) - 4 * 4 * weights) < 100  # and the state of the dropout


@pytest.mark.parametrize(
    ("images", "too_many", "expected"), [(100, 512, 64), (100, 64, 32), (0.5, 64, 1), (33, 64, 32)]
)
def test_the_batch_that_fits_is_a_power_of_two_below_what_did_not(images, too_many, expected):
    model = models.xray_cnn(32, 2)
    free = (memory.bytes_of_weights(model) + images * memory.bytes_per_image(model)) / 0.8
    assert memory.batch_that_fits(model, int(free) + 8, too_many) == expected


def _resource_exhausted():
    import tensorflow as tf

    return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[512,64,64,16]")


@pytest.mark.parametrize("error", [MemoryError, _resource_exhausted, lambda: RuntimeError("RESOURCE_EXHAUSTED: 9 GiB")])
def test_out_of_memory_says_which_batch_would_fit(dataset, monkeypatch, error):
    def run_out(*given, **options):
        raise error()

    monkeypatch.setattr(devices.Devices, "fit", run_out)
    network = models.normal_abnormal_cnn(32, 2)
    room = memory.bytes_of_weights(network) + 10 * memory.bytes_per_image(network)
    monkeypatch.setattr(memory, "free_bytes", lambda: int(room / 0.8) + 8)
    with pytest.raises(RecipeError, match="ran out with batch_size=64, .* Use batch_size=8[.]$"):
        fit.train(Recipe("normal_abnormal_cnn", size=32, batch_size=64), dataset)


def test_another_error_is_left_as_it_is():
    model = models.normal_abnormal_cnn(8, 1)
    with pytest.raises(KeyError, match="something else"), memory.shortage_explained(model, 4):
        raise KeyError("something else")
    assert memory.free_bytes() > 2**20 and os.environ["CXR_CACHE"]


def test_the_curves_are_those_of_the_history(dataset, tmp_path, capsys):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    curves, recipe = tmp_path / "curves", Recipe("normal_abnormal_cnn", size=32, epochs=3, batch_size=12)
    history = fit.train(recipe, dataset, options=fit.Options(tensorboard=curves)).history

    def read(part, tag):
        events = accumulator.EventAccumulator(str(curves / part))
        events.Reload()
        return [float(np.frombuffer(event.tensor_proto.tensor_content, "f4")[0]) for event in events.Tensors(tag)]

    for part, tag, column in (
        ("train", "epoch_loss", "loss"),
        ("train", "epoch_learning_rate", "learning_rate"),
        ("validation", "epoch_loss", "val_loss"),
        ("validation", "epoch_auc", "val_auc"),
    ):
        assert read(part, tag) == pytest.approx(history[column].tolist(), rel=1e-6), tag
    assert capsys.readouterr().out == ""
    fit.train(recipe, dataset, options=fit.Options(tensorboard=tmp_path / "again"))
    assert "no curves in" in capsys.readouterr().out and not (tmp_path / "again").exists()


def test_curves_without_tensorboard_are_refused_before_anything_slow(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "_train_into", None)  # would fail if it were called
    monkeypatch.setattr(fit.importlib.util, "find_spec", lambda name: None if name == "tensorboard" else name)
    with pytest.raises(RecipeError, match="pip install .*tensorboard"):
        fit.train(SMALL, dataset, options=fit.Options(tensorboard=tmp_path / "curves"))


@pytest.mark.parametrize("asked", ["theano", "jax,torch"])
def test_a_run_on_an_unknown_backend_ends_before_the_first_lesson(cxr, monkeypatch, asked):
    monkeypatch.setenv("KERAS_BACKEND", asked)
    status, out, err = cxr("run", "--only", "01")
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert f"KERAS_BACKEND is '{asked}'. Expected one backend" in err
