"""One network on several devices, behind one word: "1", "2", "all".

Every device works on its piece of each batch, the gradients are added up, and all take the same step: the batches are
those of one device (`pipeline.Share`), so each step is that of one device within rounding. On TensorFlow
this is `tf.distribute` (one process: MirroredStrategy; several, told of each other by `TF_CONFIG`:
MultiWorkerMirroredStrategy), on JAX `keras.distribution.DataParallel`. A machine without a GPU divides its processor
into logical devices, which gains nothing and shows that the arithmetic is right.

Batch normalisation is what makes equality hard: its mean and variance are those of a batch, and a device sees a piece
of it. On TensorFlow the layers are told to add up their sums over all devices (`synchronized`); on JAX they
see the whole batch by construction.

Keras' own `fit` trains on one device and on JAX's. Under `tf.distribute` it takes only pieces of one length, and none
of several processes (`tests/training/test_devices.py` shows both), so the step is written here.
"""

import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_utils.errors import RecipeError, tell
from cxr_utils.networks import losses, transfer
from cxr_utils.networks.backend import backend, gpus, has_gpu, load_keras, load_tensorflow
from cxr_utils.training.pipeline import Batches, Share, for_keras

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True)
class Cluster:
    """The processes that train together, as `TF_CONFIG` tells them.

    Attributes:
        workers: number of processes.
        worker: number of this one. The first one writes what is kept; the others only help.
    """

    workers: int = 1
    worker: int = 0


def cluster() -> Cluster:
    """Read `TF_CONFIG`, the variable by which TensorFlow's processes find each other.

    Returns:
        One process where the variable is not set.

    Raises:
        RecipeError: it is set to something else than it should be.

    Example:
        >>> cluster()
        Cluster(workers=1, worker=0)
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return Cluster()
    try:
        told = json.loads(text)
        return Cluster(len(told["cluster"]["worker"]), int(told["task"]["index"]))
    except (ValueError, KeyError, TypeError):
        raise RecipeError(
            f"TF_CONFIG is {text[:80]!r}. Expected JSON with the addresses of all workers in cluster.worker and the "
            "number of this one in task.index. See docs/training.md, or unset the variable for a single process."
        ) from None


def prepare(devices: str) -> None:
    """Ask the backend for logical devices where there is no GPU; must come before the backend is imported.

    Args:
        devices: "all" or a number.

    Raises:
        RecipeError: neither.
    """
    count = _number(devices)
    if count and count > 1 and not has_gpu():
        os.environ["CXR_CPU_DEVICES"] = str(count)
        if backend() == "jax" and "jax" not in sys.modules:
            flags = os.environ.get("XLA_FLAGS", "")
            os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={count}".strip()


def _number(devices: str) -> int | None:
    """None stands for all."""
    if devices != "all" and not (devices.isdecimal() and int(devices) > 0):
        raise RecipeError(f'devices={devices!r} was asked for. Expected a number from 1 up, or "all". Choose one.')
    return None if devices == "all" else int(devices)


def precision(mixed: bool) -> str:
    """What layers multiply in. XLA needs no such choice: Keras uses it wherever there is a GPU.

    Args:
        mixed: whether the recipe asks for 16 bits where they are faster.

    Returns:
        Name of a Keras dtype policy: "mixed_bfloat16" on a GPU if asked for, else "float32".

    Example:
        >>> precision(mixed=False)
        'float32'
    """
    return "mixed_bfloat16" if mixed and gpus() else "float32"


@contextlib.contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Within it layers are made that multiply in this precision.

    Args:
        policy: see `precision`.
    """
    config = load_keras().config
    before = config.dtype_policy()
    config.set_dtype_policy(policy)
    try:
        yield
    finally:
        config.set_dtype_policy(before)


@dataclass(frozen=True)
class Devices:
    """Where a network is trained; `open_devices` makes one.

    Attributes:
        share: what this process feeds to its devices; None on one device.
        strategy: of tf.distribute, or None.
    """

    share: Share | None = None
    strategy: Any = None

    def scope(self) -> contextlib.AbstractContextManager:
        """Within it the network and its optimizer are made."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def check(self, batch_size: int) -> None:
        """Refuse a batch that cannot be divided.

        Raises:
            RecipeError: there are more devices than images in a batch.
        """
        if self.share and self.share.devices > batch_size:
            raise RecipeError(
                f"batch_size={batch_size} is less than the {self.share.devices} devices. Expected at least one image "
                "for each. Use a larger batch_size, or fewer devices."
            )

    def synchronise(self, model: "keras.Model") -> None:
        """Let batch normalisation look at the whole batch, wherever its pieces are."""
        if self.strategy:
            for layer in model.layers:
                if isinstance(layer, load_keras().layers.BatchNormalization):
                    layer.synchronized = True

    def fit(self, model: "keras.Model", loss: losses.Loss, batches: Batches, **options: Any) -> None:
        """As `model.fit` with steps_per_epoch, on these devices.

        Args:
            model: compiled, its optimizer built, both within `scope`.
            loss: that it was compiled with.
            batches: of all epochs from `initial_epoch` on, made for `share`.
            **options: epochs, initial_epoch, steps_per_epoch and callbacks.
        """
        if self.strategy is None:
            model.fit(for_keras(batches), shuffle=False, verbose=0, **options)
        else:
            _fit(self.strategy, model, loss, batches, **options)

    def predictor(self, model: "keras.Model", read: Callable, images: int) -> Callable[[], np.ndarray]:
        """A function that gives the logits of all images of a data set as the network is by then.

        Args:
            model: a network.
            read: from positions (n,) to the network's inputs (n, ...).
            images: how many there are; every process looks at all of them.

        Returns:
            A function of no arguments that returns an array (images, findings).
        """
        if self.strategy:
            forward = load_tensorflow().function(lambda pictures: model(pictures, training=False))
            some = [np.arange(images)[start : start + transfer.BATCH] for start in range(0, images, transfer.BATCH)]
            return lambda: np.concatenate([forward(read(positions)).numpy() for positions in some])
        count = self.share.devices if self.share else 1  # JAX divides what is predicted too: filled up, and cut off
        positions = np.minimum(np.arange(-(-images // count) * count), images - 1)
        batch = -(-transfer.BATCH // count) * count
        return lambda: np.concatenate([*transfer.in_chunks(model, read, positions, batch)])[:images]


@contextlib.contextmanager
def open_devices(devices: str) -> Iterator[Devices]:
    """Find the devices that were asked for, and let them go in the end.

    Args:
        devices: "all" or a number, of this process's devices. With several processes, always all.

    Yields:
        What trains on them.

    Raises:
        RecipeError: there are not that many, or the backend trains in one process only.
    """
    together, count = cluster(), _number(devices)
    if together.workers > 1 and backend() != "tensorflow":
        raise RecipeError(
            f"TF_CONFIG names {together.workers} processes, and Keras runs on {backend()}. Expected TensorFlow, the "
            "one backend on which several train together here. Unset TF_CONFIG, or use KERAS_BACKEND=tensorflow."
        )
    if count == 1 and together.workers == 1:
        yield Devices()
    elif backend() == "torch":
        yield _torch_device(count)
    elif backend() == "jax":
        with _jax_devices(count) as found:
            yield found
    else:
        yield _tensorflow_devices(together, count)


def _torch_device(count: int | None) -> Devices:
    if count is not None:
        raise RecipeError(
            f"{count} devices were asked for on PyTorch. Expected 1, which is what a network is trained on there. "
            "Leave --devices out, or use KERAS_BACKEND=jax or KERAS_BACKEND=tensorflow."
        )
    if gpus() > 1:
        tell(f"PyTorch trains on one device here, and this machine has {gpus()}; JAX and TensorFlow use all")
    return Devices()


def _tensorflow_devices(together: Cluster, count: int | None) -> Devices:
    tf = load_tensorflow()
    if together.workers > 1:
        strategy = _multi_worker()
        here = strategy.num_replicas_in_sync // together.workers
        return Devices(Share(strategy.num_replicas_in_sync, together.worker * here, here), strategy)
    names = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    count = _at_most(count, len(names))
    if count == 1:
        return Devices()
    return Devices(Share(count, 0, count), tf.distribute.MirroredStrategy([device.name for device in names[:count]]))


@functools.cache
def _multi_worker() -> "tf.distribute.Strategy":
    """Once a process: the processes greet each other only at the start."""
    return load_tensorflow().distribute.MultiWorkerMirroredStrategy()


@contextlib.contextmanager
def _jax_devices(count: int | None) -> Iterator[Devices]:
    distribution = load_keras().distribution
    names = distribution.list_devices()
    count = _at_most(count, len(names))
    if count == 1:
        yield Devices()
        return
    distribution.set_distribution(distribution.DataParallel(devices=names[:count], auto_shard_dataset=False))
    try:
        yield Devices(Share(count, padded=True))
    finally:
        distribution.set_distribution(None)


def _at_most(count: int | None, found: int) -> int:
    if count is not None and count > found:
        raise RecipeError(
            f"{count} devices were asked for, and this process has {found}. Expected at most that. Ask for fewer, or, "
            f"without a GPU, set CXR_CPU_DEVICES={count} (JAX: XLA_FLAGS=--xla_force_host_platform_device_count="
            f"{count}) before Python starts, as `cxr train --devices {count}` does."
        )
    return found if count is None else count


def _fit(
    strategy: Any,
    model: "keras.Model",
    loss: losses.Loss,
    batches: Batches,
    epochs: int,
    initial_epoch: int,
    steps_per_epoch: int,
    callbacks: list["keras.callbacks.Callback"],
) -> None:
    """Keras' own loop, in short."""
    keras = load_keras()
    listed = keras.callbacks.CallbackList(callbacks, model=model, epochs=epochs, steps=steps_per_epoch)
    iterator = iter(strategy.distribute_datasets_from_function(lambda context: _of_tensorflow(batches)))
    step = _step(strategy, model, loss)
    model.stop_training = False
    listed.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        listed.on_epoch_begin(epoch)
        total = seen = 0.0
        for number in range(steps_per_epoch):
            listed.on_train_batch_begin(number)
            lost, images = (float(value) for value in step(iterator))
            total, seen = total + lost * images, seen + images
            listed.on_train_batch_end(number, {"loss": lost})
            if model.stop_training:
                break
        listed.on_epoch_end(epoch, {"loss": total / seen})
        if model.stop_training:
            break
    listed.on_train_end()


def _of_tensorflow(batches: Batches) -> "tf.data.Dataset":
    tf = load_tensorflow()
    shapes = tf.nest.map_structure(lambda part: tf.TensorSpec((None, *part.shape[1:]), part.dtype), batches[0])
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=shapes)


def _step(strategy: Any, model: "keras.Model", loss: losses.Loss) -> Callable:
    """A compiled function that takes one step and gives the loss of the whole batch and its number of images."""
    tf = load_tensorflow()

    def piece(pictures, truth, weights):
        with tf.GradientTape() as tape:
            each = tf.cast(loss(truth, model(pictures, training=True)), tf.float32)  # (piece, ...)
            each = tf.reduce_mean(tf.reshape(each, [tf.shape(truth)[0], -1]), axis=1)
            lost = tf.reduce_sum(each * weights)  # the weights add up to 1 over all pieces of the batch
        model.optimizer.apply(tape.gradient(lost, model.trainable_variables), model.trainable_variables)
        return lost, tf.cast(tf.shape(truth)[0], tf.float32)

    @tf.function
    def step(iterator):
        parts = strategy.run(piece, args=next(iterator))
        return tuple(strategy.reduce("SUM", part, axis=None) for part in parts)

    return step
