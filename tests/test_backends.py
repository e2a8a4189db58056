"""TensorFlow, JAX and PyTorch: the same pictures, and from the same weights the same predictions and heat maps."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.networks import losses
from cxr_utils.networks.backend import BACKENDS

HERE = Path(__file__).parent


def of_a_process(folder: Path, backend: str) -> dict[str, np.ndarray]:
    """What `on_a_backend.py` finds."""
    tiny_dataset(folder / "images", again=not (folder / "images").exists())
    paths = os.pathsep.join([str(HERE), str(HERE.parent)])
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""}
    environment |= {"CXR_CACHE": str(folder / f"cache of {backend}"), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(HERE / "on_a_backend.py"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return dict(np.load(folder / f"{backend}.npz"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return of_a_process(tmp_path_factory.mktemp("reference"), "tensorflow")


def assert_taken_up_as_if_left_alone(found):
    """A training that was stopped and resumed, bit for bit."""
    names = [name.removeprefix("alone ") for name in found if name.startswith("alone ")]
    assert len(names) == 40
    assert all(np.array_equal(found[f"alone {name}"], found[f"resumed {name}"]) for name in names)


def assert_unknown_labels_teach_nothing(found):
    """Cross-entropy's derivative is weight * (probability - truth); of the focal loss it is taken by differences."""
    truth, logits = found["unknown truth"], found["unknown logits"].astype(float)
    known, weights = ~np.isnan(truth), losses.class_weights(truth)
    weight = np.where(truth == 1, *weights)
    expected = {"bce": weight * (1 / (1 + np.exp(-logits)) - truth) / known.sum()}
    steps = np.eye(truth.size).reshape(-1, *truth.shape) * 1e-5
    above, below = ([losses.focal_loss_numpy(truth, logits + s * step) for step in steps] for s in (1, -1))
    expected["focal"] = (np.subtract(above, below) / 2e-5).reshape(truth.shape)
    costs = {"bce": losses.bce_numpy(truth, logits, *weights), "focal": losses.focal_loss_numpy(truth, logits)}
    for name, gradient in expected.items():
        assert np.allclose(found[f"unknown gradient {name}"][known], gradient[known], atol=1e-6), name
        assert not found[f"unknown gradient {name}"][~known].any(), name
        assert found[f"unknown loss {name}"] == pytest.approx(costs[name], abs=1e-6)


def test_tensorflow_resumes_and_learns_from_known_labels(reference):
    assert_taken_up_as_if_left_alone(reference)
    assert_unknown_labels_teach_nothing(reference)


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "tensorflow"])
def test_a_backend_agrees_with_tensorflow(backend, reference, tmp_path):
    if importlib.util.find_spec(backend) is None:
        reason = f"{backend} is not installed: make {backend}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    found = of_a_process(tmp_path, backend)
    assert found.keys() == reference.keys()
    assert np.array_equal(found["fed"], reference["fed"]) and found["fed"].std() > 0.5  # the same pictures, to the bit
    logits = [name for name in found if name.startswith("logits ")]
    assert len(logits) == 6
    assert np.allclose(found["logits readout"], found["logits behind the cut"], rtol=1e-4, atol=1e-4)
    for name in logits:
        ours, theirs = (1 / (1 + np.exp(-table[name].astype(float))) for table in (reference, found))
        assert np.abs(ours - theirs).max() < 1e-4, name
        assert np.allclose(reference[name], found[name], rtol=1e-4, atol=1e-4), name
        assert reference[name].std(axis=0).min() > 1e-2  # there is something to agree about
    maps = [name for name in found if name.startswith("map ")]
    assert len(maps) == 16
    for name in maps:
        assert np.abs(reference[name] - found[name]).max() < 1e-3, name
    assert_taken_up_as_if_left_alone(found)
    assert_unknown_labels_teach_nothing(found)
