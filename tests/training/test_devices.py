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
from cxr_utils.training import devices, fit

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("devices")


@pytest.fixture(scope="module")
def dataset(folder):
    return tiny_dataset(folder / "images")


def train_elsewhere(folder: Path, asked: str, cache: str, **more: str) -> subprocess.Popen:
    paths = [*map(str, Path(__file__).parents[:2]), str(Path(fit.__file__).parents[2])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "IMAGES": str(folder / "images")}
    environment |= {"CXR_CACHE": str(folder / cache)} | more
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), asked]
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


def test_two_processes_give_what_one_gives(folder, dataset, alone):
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            ports.append(free.getsockname()[1])
    together = {"worker": [f"localhost:{port}" for port in ports]}
    started = [
        train_elsewhere(
            folder, "all", "two", TF_CONFIG=json.dumps({"cluster": together, "task": {"type": "worker", "index": n}})
        )
        for n in range(2)
    ]
    first, second = (finished(process) for process in started)
    assert (first.folder.parent.name, second.folder.parent.name) == ("models", "workers")
    for one in (first, second):
        assert_the_same(one, alone)


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


@pytest.mark.parametrize("text", ["{", "{}", '{"cluster": {"worker": []}, "task": {}}'])
def test_a_wrong_description_of_the_processes_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(RecipeError, match="TF_CONFIG is .*Expected JSON"):
        devices.cluster()


def test_a_process_is_told_which_one_it_is(monkeypatch):
    told = {"cluster": {"worker": ["a:1", "b:1", "c:1"]}, "task": {"type": "worker", "index": 2}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(told))
    assert devices.cluster() == devices.Cluster(3, 2)
