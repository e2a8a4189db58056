"""Keras on one of its three backends, imported late, silently and set to give the same result twice.

`KERAS_BACKEND` names the backend; without it, it is TensorFlow where that is installed, else the only one that is.
TensorFlow writes to file descriptor 2 while it is imported, from C++, where Python cannot catch it: papermill would
save those lines in a notebook. And a backend takes seconds to import, so nothing here happens until a network is asked
for.
"""

import contextlib
import ctypes
import functools
import importlib.util
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from cxr_utils import cache
from cxr_utils.errors import RecipeError, tell

BACKENDS = ("tensorflow", "jax", "torch")

if sys.platform == "win32":  # backends need Microsoft's C++ runtime; the package msvc-runtime puts it there
    os.add_dll_directory(sys.prefix)


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


@contextlib.contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Let packages seem absent while another one is imported that would load them, for seconds, and not need them."""
    absent: dict[str, Any] = dict.fromkeys(name for name in names if name not in sys.modules)
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


def installed() -> list[str]:
    """Which of `BACKENDS` are installed."""
    return [name for name in BACKENDS if importlib.util.find_spec(name)]


def backend() -> str:
    """The backend that networks are computed with, chosen but not imported.

    Returns:
        One of `BACKENDS`.

    Raises:
        RecipeError: none is installed, the one that was asked for is unknown or not installed, Keras already runs on
            another one, or JAX and PyTorch are both there and neither was asked for.

    Example:
        >>> backend() in BACKENDS
        True
    """
    there = installed()
    asked = os.environ.get("KERAS_BACKEND") or _of_keras_file(there)
    choice = f"Choose one of {', '.join(BACKENDS)}"
    how = f"install it with pip install 'cxr-utils[{asked or 'NAME'}]', and set KERAS_BACKEND before Python starts."
    if asked and asked not in BACKENDS:
        raise RecipeError(f"KERAS_BACKEND is {asked!r}. Expected one backend. {choice}, {how}")
    if asked and asked not in there:
        mend = f"Installed: {', '.join(there)}. Set KERAS_BACKEND to that, or" if there else f"{choice};"
        raise RecipeError(f"KERAS_BACKEND is {asked!r}, which is not installed. Expected one that is. {mend} {how}")
    if not there:
        raise RecipeError(f"A network was asked for, and there is no backend to compute it. {choice}; {how}")
    if not asked and len(there) > 1 and "tensorflow" not in there:
        raise RecipeError(
            f"{' and '.join(there)} are installed, and KERAS_BACKEND says neither. Expected one backend. "
            "Set KERAS_BACKEND to one of them before Python starts."
        )
    name = asked or there[0]
    if "keras" in sys.modules and (runs := sys.modules["keras"].config.backend()) != name:
        raise RecipeError(
            f"Keras was imported on {runs}, and KERAS_BACKEND says {name}. Expected one backend a process. Set "
            "KERAS_BACKEND before Python starts; in a notebook restart the kernel."
        )
    return name


def rounding() -> dict[str, str]:
    """What to put into the key of a cached result: each backend rounds in its own way.

    Returns:
        Nothing for TensorFlow, the default; else the name of the backend.
    """
    return {} if backend() == "tensorflow" else {"backend": backend()}


def _of_keras_file(there: list[str]) -> str | None:
    """What Keras' own file of settings says. It is written with "tensorflow" by itself, which tells nothing."""
    file = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        name = json.loads(file.read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
    return name if name in there and name != "tensorflow" else None


@functools.cache
def load_keras() -> ModuleType:
    """The module `keras`, on the backend that `backend` has chosen.

    Returns:
        `keras`, seeded, and with operations set to be deterministic.

    Raises:
        RecipeError: see `backend`.
    """
    name = os.environ["KERAS_BACKEND"] = backend()
    # 3 and not 2: made deterministic, every predict on an array logs a harmless "error". Real ones also raise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # PyTorch's threads wait for each other by running on: where others work too, that takes ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Compiled once for all lessons: JAX compiles every operation, and a network for minutes.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache.root() / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    _keep_memory_at_hand()
    with quiet_descriptor():
        if name == "tensorflow":
            load_tensorflow()
        with _hidden("sklearn", "matplotlib", "IPython", *(other for other in BACKENDS if other != name)):
            import keras

            keras.utils.set_random_seed(0)  # deterministic operations refuse to draw without a seed
        if name == "torch":
            import torch

            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        unused = has_gpu() and not gpus()
    if unused:
        tell(f"this machine has a GPU that {name} cannot use; the processor computes. See docs/running.md, On a GPU")
    return keras


def _keep_memory_at_hand() -> None:
    """Let glibc keep what was freed instead of giving it back to the system at once.

    Every step of a network frees and asks for the same megabytes. Where each went back, the system spent up to half of
    the time on new pages. The numbers are the same; lesson 04 holds a tenth more memory, lesson 06 a fortieth.
    """
    # malloc.h: M_MMAP_MAX, no pages of its own for a large piece; M_ARENA_MAX, one store for all threads; M_TOP_PAD,
    # how much more is taken at once; M_TRIM_THRESHOLD, how much may lie free.
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for option, value in ((-4, 0), (-8, 1), (-2, 256 << 20), (-1, 1 << 30)):
            libc.mallopt(option, value)


@functools.cache
def load_tensorflow() -> ModuleType:
    """The module `tensorflow`, set to be deterministic; for what only that backend can do."""
    with quiet_descriptor():
        import tensorflow

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


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU that a program may use. Looks at files and variables and imports nothing.

    Returns:
        True or False.
    """
    return os.path.exists("/dev/nvidia0") and os.environ.get("CUDA_VISIBLE_DEVICES", "0") not in ("", "-1")


def gpus() -> int:
    """How many GPUs the backend can use.

    Returns:
        A number; 0 where the processor computes.
    """
    name = backend()
    if name == "tensorflow":
        return len(load_tensorflow().config.list_physical_devices("GPU"))
    if name == "jax":
        import jax

        return jax.device_count() if jax.default_backend() == "gpu" else 0
    import torch

    return torch.cuda.device_count()
