"""Several devices give what one gives: logical devices of one process, two processes, and JAX."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.errors import RecipeError
from cxr_utils.networks import trained, weights
from cxr_utils.networks.recipes import Recipe
from cxr_utils.training import devices, fit, pipeline

# Batch normalisation, augmentation, weighted images, and a last batch (36 = 2 x 16 + 4) that does not divide evenly.
RECIPE = Recipe(
    size=32, epochs=2, batch_size=16, learning_rate=1e-3, sample_weights=True, augment=("rotate", "brightness")
)

PROGRAM = """
    import json, os, sys
    from pathlib import Path
    from cxr_utils.training import devices
    asked = sys.argv[1]
    devices.prepare(asked)
    from test_devices import RECIPE
    from tiny_dataset import tiny_dataset
    from cxr_utils.training import fit
    dataset = tiny_dataset(Path(os.environ["IMAGES"]), again=False)
    trained = fit.train(RECIPE, dataset, options=fit.Options(devices=asked))
    print(json.dumps({"folder": str(trained.folder), "again": trained.predict(dataset).to_numpy().tolist()}))
"""


# What Keras' own `fit` makes of the pieces of a batch.
FIT_OF_KERAS = """
    import numpy as np
    from cxr_utils.networks.backend import load_keras, load_tensorflow
    from cxr_utils.training import devices, pipeline
    tf, keras = load_tensorflow(), load_keras()
    with devices.open_devices("all") as chosen:
        batches = pipeline.batches(lambda rows: np.ones((len(rows), 2)), np.ones((16, 1)), 16, share=chosen.share)
        with chosen.scope():
            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            model.compile("sgd", lambda truth, logits: keras.ops.mean(truth * logits, axis=-1))
        pieces = chosen.strategy.distribute_datasets_from_function(lambda _: devices._of_tensorflow(batches))
        try:
            model.fit(pieces, steps_per_epoch=1, verbose=0)
            print("trained")
        except Exception as error:
            print(type(error).__name__, str(error).splitlines()[0])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("devices")


@pytest.fixture(scope="module")
def dataset(folder):
    return tiny_dataset(folder / "images")


def train_elsewhere(folder: Path, asked: str, cache: str, program: str = PROGRAM, **more: str) -> subprocess.Popen:
    paths = [*map(str, Path(__file__).parents[:2]), str(Path(fit.__file__).parents[2])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "IMAGES": str(folder / "images")}
    environment |= {"CXR_CACHE": str(folder / cache)} | more
    command = [sys.executable, "-c", textwrap.dedent(program), asked]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen) -> trained.Trained:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return trained.Trained(Path(json.loads(out.splitlines()[-1])["folder"]))


@pytest.fixture(scope="module")
def alone(folder, dataset):
    return finished(train_elsewhere(folder, "1", "one"))


def assert_the_same(trained, alone):
    """Within rounding: sums of 32-bit numbers in another order, carried through six steps of Adam."""
    assert np.allclose(trained.history[["loss", "val_loss"]], alone.history[["loss", "val_loss"]], rtol=1e-4)
    one, other = (weights.read(run.folder / "weights.npz") for run in (alone, trained))
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert np.allclose(other[name], array, rtol=1e-3, atol=2e-4), (name, np.abs(other[name] - array).max())


def test_three_logical_devices_give_what_one_gives(folder, dataset, alone):
    trained = finished(train_elsewhere(folder, "3", "three"))
    assert_the_same(trained, alone)
    assert trained.folder.name != alone.folder.name  # another rounding is another entry


def told_of_each_other(count: int) -> list[str]:
    """`TF_CONFIG` for each of some processes on this machine."""
    ports = []
    for _ in range(count):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            ports.append(free.getsockname()[1])
    together = {"worker": [f"localhost:{port}" for port in ports]}
    return [json.dumps({"cluster": together, "task": {"type": "worker", "index": n}}) for n in range(count)]


def test_two_processes_give_what_one_gives(folder, dataset, alone):
    started = [train_elsewhere(folder, "all", "two", TF_CONFIG=told) for told in told_of_each_other(2)]
    first, second = (finished(process) for process in started)
    assert (first.folder.parent.name, second.folder.parent.name) == ("models", "workers")
    for one in (first, second):
        assert_the_same(one, alone)


def test_keras_own_fit_cannot_train_on_pieces_of_unequal_length_nor_in_several_processes(folder):
    """Why there is a step of our own. Where this fails because it says "trained", that step can go."""
    alone = [train_elsewhere(folder, "all", "keras", FIT_OF_KERAS, CXR_CPU_DEVICES="3")]  # 6 + 5 + 5
    both = [train_elsewhere(folder, "all", "keras", FIT_OF_KERAS, TF_CONFIG=told) for told in told_of_each_other(2)]
    said = [process.communicate(timeout=300)[0].strip() for process in alone + both]
    assert said[0].startswith("InvalidArgumentError") and "must have the same size and shape" in said[0]
    assert [one.split()[0] for one in said[1:]] == ["ValueError"] * 2, said


def test_two_devices_of_jax_give_what_one_gives(folder, dataset):
    one, two = (finished(train_elsewhere(folder, n, f"jax{n}", KERAS_BACKEND="jax")) for n in ("1", "2"))
    assert one.card["backend"] == two.card["backend"] == "jax"
    assert_the_same(two, one)


def test_more_devices_than_there_are(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))
    with pytest.raises(RecipeError, match="64 devices were asked for, and this process has 1"):
        fit.train(RECIPE, dataset, options=fit.Options(devices="64"))
    with pytest.raises(RecipeError, match="batch_size=16 is less than the 32 devices"):
        devices.Devices(fit.pipeline.Share(32)).check(16)


def test_on_pytorch_one_device_is_enough(monkeypatch, capsys):
    monkeypatch.setattr(devices, "backend", lambda: "torch")
    monkeypatch.setattr(devices, "gpus", lambda: 4)
    with pytest.raises(RecipeError, match="2 devices were asked for on PyTorch. Expected 1"), devices.open_devices("2"):
        pass
    with devices.open_devices("all") as chosen:
        assert chosen == devices.Devices()
    assert "PyTorch trains on one device here, and this machine has 4" in capsys.readouterr().out
    with devices.open_devices("1") as chosen:
        assert chosen == devices.Devices() and capsys.readouterr().out == ""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_several_processes_are_for_tensorflow(backend, monkeypatch):
    monkeypatch.setattr(devices, "backend", lambda: backend)
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"index": 0}}))
    with pytest.raises(RecipeError, match=f"names 2 processes, and Keras runs on {backend}. Expected TensorFlow"):
        with devices.open_devices("1"):
            pass


@pytest.mark.parametrize("text", ["{", "{}", '{"cluster": {"worker": []}, "task": {}}'])
def test_a_wrong_description_of_the_processes_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(RecipeError, match="TF_CONFIG is .*Expected JSON"):
        devices.cluster()


def test_a_process_is_told_which_one_it_is(monkeypatch):
    told = {"cluster": {"worker": ["a:1", "b:1", "c:1"]}, "task": {"type": "worker", "index": 2}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(told))
    assert devices.cluster() == devices.Cluster(3, 2)


def test_pieces_of_a_batch_by_hand():
    """Ten images in batches of seven among three devices: 3 + 2 + 2, then 1 + 1 + 1; the last piece may be empty."""
    whole = devices.Share(3, 0, 3).pieces(10, 7)
    assert whole == [(0, 3, 3, 7), (3, 5, 2, 7), (5, 7, 2, 7), (7, 8, 1, 3), (8, 9, 1, 3), (9, 10, 1, 3)]
    assert devices.Share(3, 1, 1).pieces(10, 7) == [(3, 5, 2, 7), (8, 9, 1, 3)]
    assert devices.Share(3, 2, 1).pieces(2, 7) == [(2, 2, 0, 2)]
    assert devices.Share(3, padded=True).pieces(10, 7) == [(0, 7, 9, 7), (7, 10, 3, 3)]


def test_as_many_images_as_devices_suffice():
    devices.Devices().check(1)
    devices.Devices(devices.Share(4)).check(4)
    with pytest.raises(RecipeError, match="batch_size=3 is less than the 4 devices"):
        devices.Devices(devices.Share(4)).check(3)


@pytest.mark.parametrize(
    ("gpu", "mixed", "policy"),
    [(True, True, "mixed_bfloat16"), (True, False, "float32"), (False, True, "float32"), (False, False, "float32")],
)
def test_sixteen_bits_only_on_a_gpu_and_only_if_asked_for(monkeypatch, gpu, mixed, policy):
    monkeypatch.setattr(devices, "gpus", lambda: int(gpu))
    assert devices.precision(mixed) == policy


def test_the_precision_within_is_the_one_asked_for_and_afterwards_the_one_before():
    import keras

    with pytest.raises(KeyError), devices.computing_in("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        raise KeyError
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", ""])
def test_what_is_no_number_of_devices_is_refused(wrong):
    with pytest.raises(RecipeError, match='Expected a number from 1 up, or "all"'):
        devices.prepare(wrong)


@pytest.mark.parametrize(
    ("asked", "gpu", "told"), [("3", False, "3"), ("3", True, None), ("1", False, None), ("all", False, None)]
)
def test_a_processor_is_divided_where_several_devices_are_asked_for(monkeypatch, asked, gpu, told):
    monkeypatch.setattr(devices, "has_gpu", lambda: gpu)
    monkeypatch.setenv("CXR_CPU_DEVICES", "before")
    monkeypatch.delenv("CXR_CPU_DEVICES")
    devices.prepare(asked)
    assert os.environ.get("CXR_CPU_DEVICES") == told


def test_a_network_with_two_inputs_is_fed_both():
    first, second = np.arange(10.0).reshape(5, 2), np.arange(5).reshape(5, 1)
    batches = pipeline.batches(lambda rows: (first[rows], second[rows]), np.ones((5, 3)), 2)
    fed = [[part.numpy().tolist() for part in inputs] for inputs, _ in devices._of_tensorflow(batches)]
    assert fed[1] == [[[4, 5], [6, 7]], [[2], [3]]] and fed[2] == [[[8, 9]], [[4]]]
