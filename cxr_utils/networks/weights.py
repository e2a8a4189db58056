"""Trained weights as files: the set that the course ships, ImageNet's, and whatever a learner brings.

The shipped set is `data/weights/densenet121_simulated.npz`, half precision, with a record beside it that says how it
was made. `cxr pretrain` makes both again.
"""

import hashlib
import json
import os
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxr_utils import cache
from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_keras

if TYPE_CHECKING:
    import keras

SIMULATED = "densenet121_simulated"
KINDS = (".npz", ".h5", ".keras")
_IMAGENET_FILE = "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
_IMAGENET_HOST = "https://storage.googleapis.com"
_ALTERNATIVES = 'Use weights="simulated", weights=None, or the path to an .h5, .weights.h5, .keras or .npz file.'


def simulated_path() -> Path:
    """Where the weights lie that the course ships; the record is beside them, ending in .json.

    Returns:
        A path, whether or not the file exists.

    Example:
        >>> simulated_path().name
        'densenet121_simulated.npz'
    """
    return cache.repository() / "data" / "weights" / f"{SIMULATED}.npz"


def collect(layers: "list[keras.Layer]") -> dict[str, np.ndarray]:
    """The weights of some layers, by "layer/variable".

    Args:
        layers: such as `model.layers`.

    Returns:
        Arrays in float32.

    Example:
        >>> sorted(collect([]))
        []
    """
    return {
        f"{layer.name}/{variable.name}": variable.numpy().astype(np.float32)
        for layer in layers
        for variable in layer.weights
        if "seed" not in variable.name  # the state of a dropout layer's random numbers is no weight
    }


def save(path: Path, arrays: dict[str, np.ndarray], dtype: str = "float32") -> None:
    """Write weights to an .npz file, beside its place and then renamed.

    Args:
        path: the file; its folder is made.
        arrays: see `collect`.
        dtype: "float16" halves the file.

    Raises:
        RecipeError: a weight is too large for the type, or not a number.

    Example:
        >>> import tempfile; path = Path(tempfile.mkdtemp()) / "w.npz"
        >>> save(path, {"logits/bias": np.zeros(2)}); read(path)["logits/bias"].tolist()
        [0.0, 0.0]
    """
    with np.errstate(over="ignore"):
        arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise RecipeError(
            f"Weights {broken[:3]} are not finite in {dtype}. Expected numbers. "
            "The training has diverged, or the weights need another type."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    savez: Callable[..., None] = np.savez_compressed  # numpy's own types take names of arrays for options
    with open(beside, "wb") as file:
        savez(file, **arrays)
    beside.replace(path)


def read(path: Path) -> dict[str, np.ndarray]:
    """Weights from an .npz file, in float32.

    Args:
        path: written by `save`.

    Returns:
        Arrays by "layer/variable".
    """
    with np.load(path) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


def assign(model: "keras.Model", arrays: dict[str, np.ndarray]) -> int:
    """Set every weight of the network that has one of the same name and shape among `arrays`.

    Args:
        model: is changed.
        arrays: see `collect`.

    Returns:
        How many weights (arrays, not numbers) were set.
    """
    wanted = {f"{layer.name}/{variable.name}": variable for layer in model.layers for variable in layer.weights}
    fitting = [name for name in wanted if name in arrays and arrays[name].shape == tuple(wanted[name].shape)]
    for name in fitting:
        wanted[name].assign(arrays[name])
    return len(fitting)


def require(source: str) -> None:
    """Make sure that weights are at hand, before anything slow begins.

    Args:
        source: as for `load_densenet121`.

    Raises:
        RecipeError: they are not; within a second, even without internet.
    """
    if source != "imagenet":
        _existing(source)
    elif not _fetched().exists() and not _online():
        raise RecipeError(
            'weights="imagenet" must be fetched from the internet once, and this machine cannot reach '
            f"{_IMAGENET_HOST}. Expected a connection, or the file {_fetched()}. {_ALTERNATIVES}"
        )


def load_densenet121(model: "keras.Model", source: str) -> None:
    """Give a DenseNet121 made by `models.densenet121` its weights.

    Args:
        model: is changed, all but its logits: a new task, a new head.
        source: "simulated", "imagenet" or the path to an .npz, .h5, .weights.h5 or .keras file.

    Raises:
        RecipeError: the source is not at hand or not a DenseNet121.
    """
    arrays = _imagenet() if source == "imagenet" else _from_file(model, _existing(source))
    found = assign(model, {name: array for name, array in arrays.items() if not name.startswith("logits/")})
    expected = len(collect(model.layers)) - 2  # all but the kernel and the bias of the logits
    if found < expected:
        raise RecipeError(
            f"Weights {source!r} fit {found} of the {expected} arrays of DenseNet121. Expected the weights of that "
            f"network, with Keras' layer names. {_ALTERNATIVES}"
        )


def identity(source: str | None) -> str:
    """What to put into a cache key for these weights, so that another file is never taken for them.

    Args:
        source: as for `load_densenet121`, or None.

    Returns:
        "none", "imagenet", or a hash of the file.

    Raises:
        RecipeError: there is no such file.

    Example:
        >>> identity(None), identity("imagenet")
        ('none', 'imagenet')
    """
    if source is None or source == "imagenet":
        return str(source).lower()
    return hashlib.sha256(_existing(source).read_bytes()).hexdigest()[:16]


def simulated_record() -> dict:
    """How the shipped weights were made: recipe, data, seed, code version, seconds, AUC per finding.

    Returns:
        The contents of the file beside the weights.

    Raises:
        RecipeError: there are none.
    """
    return json.loads(_existing("simulated").with_suffix(".json").read_text(encoding="utf-8"))


def _existing(source: str) -> Path:
    path = simulated_path() if source == "simulated" else Path(source)
    if not path.is_file() and source == "simulated":
        raise RecipeError(
            f'weights="simulated" asks for {path}, which does not exist. Expected the file that comes with the '
            'course. Make it with "cxr pretrain", or use weights=None or weights="imagenet".'
        )
    if not path.is_file() or path.suffix not in KINDS:
        raise RecipeError(
            f"Weights {source!r} are not a file of a known kind. Expected one ending in {', '.join(KINDS)}. "
            f'{_ALTERNATIVES} Or use weights="imagenet", which needs the internet once.'
        )
    return path


def _from_file(model: "keras.Model", path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".npz":
        return read(path)
    keras = load_keras()
    try:
        if path.suffix == ".keras":
            return collect(keras.models.load_model(path, compile=False).layers)
        copy = keras.models.clone_model(model)
        for variable in copy.weights:
            variable.assign(np.full(variable.shape, np.nan))  # to see afterwards what the file has set
        by_name = {} if path.name.endswith(".weights.h5") else {"by_name": True}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the logits do not fit is expected
            copy.load_weights(path, skip_mismatch=True, **by_name)
    except Exception as error:  # Keras and h5py raise all kinds for a file that is not what its name says
        raise RecipeError(
            f"Weights {str(path)!r} cannot be read ({str(error).splitlines()[0]}). Expected a file that Keras has "
            f"written for a DenseNet121. {_ALTERNATIVES}"
        ) from error
    return {name: array for name, array in collect(copy.layers).items() if np.isfinite(array).all()}


def _imagenet() -> dict[str, np.ndarray]:
    return collect(load_keras().applications.DenseNet121(include_top=False, weights="imagenet").layers)


def _fetched() -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models" / _IMAGENET_FILE


def _online(seconds: float = 0.8) -> bool:
    """Whether the host answers. Keras would try for a minute, and name resolution alone can take that long."""
    answers = []

    def ask() -> None:
        try:
            request = urllib.request.Request(_IMAGENET_HOST, method="HEAD")
            urllib.request.urlopen(request, timeout=seconds)
        except urllib.error.HTTPError:
            pass  # it answered, if only to say no
        except OSError:
            return
        answers.append(True)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return bool(answers)
