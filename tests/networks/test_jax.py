"""Keras' other backend: the same weights predict the same. That training runs on it is in test_devices."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from cxr_utils.networks import models, weights
from cxr_utils.networks.backend import load_keras

PROGRAM = """
    import sys
    from pathlib import Path
    import numpy as np
    from cxr_utils.networks import models, weights
    from cxr_utils.networks.backend import load_keras
    assert load_keras().backend.backend() == "jax"
    folder = Path(sys.argv[1])
    pictures = np.load(folder / "pictures.npy")
    for file in folder.glob("*.npz"):
        more = {"weights": None} if file.stem == "densenet121" else {}
        model = getattr(models, file.stem)(64, 3, **more)
        weights.assign(model, weights.read(file))
        np.save(folder / f"{file.stem}.npy", model.predict(pictures, verbose=0))
"""


@pytest.fixture(scope="module")
def logits(tmp_path_factory):
    """Of the three networks, on TensorFlow (here) and on JAX (in a process of its own), by name."""
    folder = tmp_path_factory.mktemp("jax")
    pictures = np.random.default_rng(0).normal(size=(6, 64, 64, 1)).astype(np.float32)
    np.save(folder / "pictures.npy", pictures)
    load_keras().utils.set_random_seed(4)
    here = {}
    for make in (models.normal_abnormal_cnn, models.xray_cnn, models.densenet121):
        model = make(64, 3)
        weights.assign(model, used(weights.collect(model.layers)))
        weights.save(folder / f"{model.name}.npz", weights.collect(model.layers))
        here[model.name] = model.predict(pictures, verbose=0)
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(Path(models.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM), folder], env=environment, check=True, timeout=300)
    return {name: (array, np.load(folder / f"{name}.npy")) for name, array in here.items()}


def used(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights as after some training: nothing that starts at zero or one still is."""
    rng = np.random.default_rng(1)
    new = {name: array + 0.1 * rng.random(array.shape) for name, array in arrays.items() if array.ndim == 1}
    logits = {name: rng.normal(0, 0.05, array.shape) for name, array in arrays.items() if name == "logits/kernel"}
    return arrays | new | logits


@pytest.mark.parametrize("name", ["normal_abnormal_cnn", "xray_cnn", "densenet121"])
def test_predictions_agree(logits, name):
    tensorflow, jax = logits[name]
    assert tensorflow.std() > 1e-2  # there is something to agree about
    probabilities = [1 / (1 + np.exp(-values.astype(float))) for values in (tensorflow, jax)]
    assert np.abs(probabilities[0] - probabilities[1]).max() < 1e-4
    assert np.allclose(tensorflow, jax, rtol=1e-4, atol=1e-4)
