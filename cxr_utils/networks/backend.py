"""Keras and TensorFlow, imported late, silently and set to give the same result twice.

TensorFlow writes to file descriptor 2 while it is imported, from C++, where Python cannot catch it: papermill would
save those lines in a notebook. And it takes seconds to import, so nothing here happens until a model is asked for.
"""

import contextlib
import functools
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def quiet_descriptor(descriptor: int = 2) -> Iterator[None]:
    """Swallow what is written to a file descriptor; if the block fails, show it after all.

    Args:
        descriptor: 2 is standard error.

    Example:
        >>> with quiet_descriptor():
        ...     _ = os.write(2, b"nobody reads this")
    """
    sys.stderr.flush()
    saved = os.dup(descriptor)
    with tempfile.TemporaryFile() as swallowed:
        os.dup2(swallowed.fileno(), descriptor)
        try:
            yield
        except BaseException:
            swallowed.seek(0)
            os.write(saved, swallowed.read())
            raise
        finally:
            os.dup2(saved, descriptor)
            os.close(saved)


@functools.cache
def load_keras() -> ModuleType:
    """The module `keras`, on whatever backend `KERAS_BACKEND` names (TensorFlow, when it names none).

    Returns:
        `keras`, seeded, and with operations set to be deterministic.
    """
    _ask_for_silence()
    with quiet_descriptor():
        import keras

        if keras.backend.backend() == "tensorflow":
            load_tensorflow()
        keras.utils.set_random_seed(0)  # deterministic operations refuse to draw without a seed
    return keras


@functools.cache
def load_tensorflow() -> ModuleType:
    """The module `tensorflow`. Every Keras backend needs it for the input pipeline, on the processor.

    Returns:
        `tensorflow`, set to be deterministic.
    """
    _ask_for_silence()
    with quiet_descriptor():
        import tensorflow

        if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
            tensorflow.config.set_visible_devices([], "GPU")  # or it takes the memory that the backend needs
        _divide_processor(tensorflow)
        tensorflow.config.experimental.enable_op_determinism()
        tensorflow.get_logger().setLevel("ERROR")  # it counts compilations and warns about the fifth
        if not os.environ.get("TF_CONFIG"):  # with other processes, these must be greeted before any operation
            tensorflow.constant(0) + 1  # the first operation finds the devices, and says so
    return tensorflow


def _divide_processor(tensorflow: ModuleType) -> None:
    """Make logical devices of the processor, where `CXR_CPU_DEVICES` asks for them (see `training.devices`)."""
    count = int(os.environ.get("CXR_CPU_DEVICES", "1"))
    processors = tensorflow.config.list_physical_devices("CPU")
    if count > 1 and processors:
        tensorflow.config.set_logical_device_configuration(
            processors[0], [tensorflow.config.LogicalDeviceConfiguration() for _ in range(count)]
        )


def _ask_for_silence() -> None:
    # 3 and not 2: made deterministic, every predict on an array logs a harmless "error". Real ones also raise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
