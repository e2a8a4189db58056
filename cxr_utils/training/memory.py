"""How much memory a training step takes, so that "out of memory" can come with a batch size that fits."""

import contextlib
import math
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psutil

from cxr_utils.errors import RecipeError
from cxr_utils.networks import backend

if TYPE_CHECKING:
    import keras

_BYTES = 4  # of a float32
_ROOM = 0.8  # share of the free memory that is counted on: allocators round up and leave gaps
_SIGNS = (  # TensorFlow's and XLA's, PyTorch's, NumPy's
    "RESOURCE_EXHAUSTED", "ResourceExhausted", "OOM when allocating", "out of memory", "can't allocate memory",
    "Unable to allocate",
)  # fmt: skip


def bytes_per_image(model: "keras.Model") -> int:
    """What one image of a batch adds: the output of every layer, kept for the way back, and as much for gradients.

    Args:
        model: a flat network.

    Returns:
        Bytes in float32; an estimate from above, because a compiler keeps fewer.

    Example:
        >>> from cxr_utils.networks import models
        >>> bytes_per_image(models.normal_abnormal_cnn(8, 1)) // 8  # numbers put out by eleven layers
        4929
    """
    outputs = [layer.output for layer in model.layers]
    return 2 * _BYTES * sum(math.prod(output.shape[1:]) for output in outputs)


def bytes_of_weights(model: "keras.Model") -> int:
    """What does not grow with the batch: weights, and for those that learn a gradient and Adam's two averages.

    Args:
        model: a network.

    Returns:
        Bytes in float32.
    """
    learning = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return _BYTES * (sum(math.prod(variable.shape) for variable in model.variables) + 3 * learning)


def batch_that_fits(model: "keras.Model", available: int, too_many: int) -> int:
    """The largest power of two of images whose training step should fit.

    Args:
        model: a flat network.
        available: bytes that are free.
        too_many: a batch size that did not fit.

    Returns:
        At most half of what did not fit, and at least 1, even if one image is estimated not to fit.
    """
    room = _ROOM * available - bytes_of_weights(model)
    estimated = max(1, min(too_many // 2, int(room // bytes_per_image(model))))
    return 2 ** int(math.log2(estimated))


def free_bytes() -> int:
    """Bytes that are free where the network is trained: on the first GPU, or in main memory.

    Returns:
        A number of bytes.
    """
    if not backend.gpus():
        return psutil.virtual_memory().available
    if backend.backend() == "jax":
        import jax

        return (jax.devices()[0].memory_stats() or {}).get("bytes_limit", 0)
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return int(listed[0]) * 2**20 if listed else 0


@contextlib.contextmanager
def shortage_explained(model: "keras.Model", batch_size: int) -> Iterator[None]:
    """Turn "out of memory" into an error that names a batch size.

    Args:
        model: what is being trained.
        batch_size: with how many images a step.

    Raises:
        RecipeError: memory did not suffice.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, MemoryError) and not any(sign in f"{type(error)} {error}" for sign in _SIGNS):
            raise
        available = free_bytes()
        fitting = batch_that_fits(model, available, batch_size)
        needed = (bytes_of_weights(model) + batch_size * bytes_per_image(model)) / 2**20
        raise RecipeError(
            f"Memory ran out with batch_size={batch_size}, for which {model.name} needs about {needed:,.0f} MiB. "
            f"Expected what fits into {available / 2**20:,.0f} MiB. Use batch_size={fitting}"
            + (", or smaller images." if fitting < 8 else ".")
        ) from None
