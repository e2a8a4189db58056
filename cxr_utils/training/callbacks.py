"""What happens at the end of each epoch. Imported when training starts, because it needs Keras."""

import json
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxr_utils import cache
from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.readout import mean_auc
from cxr_utils.networks.recipes import Recipe

if TYPE_CHECKING:
    import keras
else:
    keras = load_keras()

#: Mean validation AUC that an epoch may cost, against the head that training starts from, if it is to be kept.
AUC_SPARED = 0.002


class Watch(keras.callbacks.Callback):
    """Measures on the validation images, keeps the history, and stops a run whose loss is not a number.

    The callbacks after this one find `val_loss` and `val_auc` in their logs. AUC is scikit-learn's:
    `keras.metrics.AUC` gives 0.5 to a finding without positives and differs in the second digit.

    Args:
        predict: gives the logits of the validation images (images, findings).
        truth: their labels (images, findings).
        loss: a function of truth and logits that gives a number.
        verbose: whether to print a line per epoch.
    """

    def __init__(self, predict: Callable[[], np.ndarray], truth: np.ndarray, loss: Callable, verbose: bool) -> None:
        super().__init__()
        self.predict, self.truth, self.loss, self.verbose = predict, truth, loss, verbose
        self.history: list[dict] = []
        self.started = time.perf_counter()

    def begin(self) -> dict:
        """Measure the network as it is before the first epoch, and note it down as epoch 0.

        Returns:
            The new row of the history; loss and learning rate are NaN, because nothing has been trained.
        """
        logits = self.predict()
        measured = {"val_loss": float(self.loss(self.truth, logits)), "val_auc": mean_auc(self.truth, logits)}
        self.history.append({"epoch": 0, "loss": np.nan, **measured, "learning_rate": np.nan})
        return self.history[0]

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        """Measure, note down and, if asked for, tell."""
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        _check_number("loss", logs["loss"], epoch, rate)
        logits = self.predict()
        logs["val_loss"], logs["val_auc"] = self.loss(self.truth, logits), mean_auc(self.truth, logits)
        _check_number("validation loss", logs["val_loss"], epoch, rate)
        kept = {name: float(logs[name]) for name in ("loss", "val_loss", "val_auc")}
        self.history.append({"epoch": epoch + 1, **kept, "learning_rate": rate})
        if self.verbose:
            figures = "  ".join(f"{name} {value:.4f}" for name, value in kept.items())
            seconds = time.perf_counter() - self.started
            print(f"epoch {epoch + 1}/{self.params['epochs']}  {figures}  {seconds:.0f} s", flush=True)


def _check_number(name: str, value: float, epoch: int, rate: float) -> None:
    if not np.isfinite(value):
        raise RecipeError(
            f"The {name} became {value} in epoch {epoch + 1}, at a learning rate of {rate:g}. Expected a "
            "number. Choose a learning rate ten times smaller, and check that class weights are finite."
        )


class RateOfStep(keras.callbacks.Callback):
    """Sets the learning rate before each step.

    Args:
        rate: gives it for epoch and step, both from 0; None leaves the rate as it is.
    """

    def __init__(self, rate: Callable[[int, int], float | None]) -> None:
        super().__init__()
        self.rate, self.epoch = rate, 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Remember which epoch the following steps are of."""
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Set the rate of the step that follows."""
        rate = self.rate(self.epoch, batch)
        if rate is not None:
            if hasattr(self.model, "jax_state_sync"):  # JAX keeps the state of an epoch outside the variables
                self.model.jax_state_sync()
            self.model.optimizer.learning_rate = rate


def warm_up(learning_rate: float, steps: int) -> RateOfStep:
    """Raise the learning rate step by step over the first epoch, so that a good start is not shaken apart.

    Args:
        learning_rate: what it ends at.
        steps: of one epoch.

    Returns:
        A callback for `fit`.

    Example:
        >>> rising = warm_up(0.5, steps=4)
        >>> [rising.rate(0, step) for step in range(4)], rising.rate(1, 0)
        ([0.125, 0.25, 0.375, 0.5], None)
    """
    return RateOfStep(lambda epoch, step: learning_rate * (step + 1) / steps if epoch == 0 else None)


class Keeper(keras.callbacks.Callback):
    """Keeps the weights of the best epoch or of the last, and after every epoch all that the next one depends on.

    The best epoch is the one with the lowest validation loss. Where training starts from a head, that is epoch 0, and
    no epoch is kept whose mean validation AUC is lower than the head's by more than `AUC_SPARED`: the loss of a
    penalised head falls when its probabilities grow bolder, whether or not they rank the images better.

    The state is one file, written beside its place and then renamed: a process that is killed at any moment leaves
    the state after a whole epoch, or none. What Keras' BackupAndRestore does not bring back is here: how long the other
    callbacks have waited for what, the weights to keep, and the history.

    Args:
        file: of the state, ending in .npz; None writes no state.
        collect: gives the weights that are worth keeping.
        watch: whose history belongs to the state.
        others: callbacks whose `best` loss, and how long they `wait` for a better one, belong to the state.
        last: whether every epoch's weights replace those before, better or not.
    """

    def __init__(
        self,
        file: Path | None,
        collect: Callable[[], dict[str, np.ndarray]],
        watch: Watch,
        others: Sequence[keras.callbacks.EarlyStopping | keras.callbacks.ReduceLROnPlateau] = (),
        last: bool = False,
    ) -> None:
        super().__init__()
        self.file, self.collect, self.watch, self.others, self.last = file, collect, watch, others, last
        self.kept: dict[str, np.ndarray] = {}
        self.kept_loss, self.kept_epoch = np.inf, 0
        self.epochs_done, self.stopped, self.seconds = 0, False, 0.0
        self.started = time.perf_counter()
        self._waiting: list[dict] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Give the other callbacks back what they knew before an interruption."""
        for callback, values in zip(self.others, self._waiting, strict=False):
            vars(callback).update(values)  # they have just forgotten everything: this callback is the last

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        """Keep the weights if they are the best (or the last ones asked for), and write the state."""
        self.epochs_done, self.stopped = epoch + 1, bool(self.model.stop_training)
        if self.last or (logs["val_loss"] < self.kept_loss and self._as_good_as_the_start(logs)):
            self._keep(epoch + 1, logs)
        if self.file:
            self._write(self.file)

    def begin(self) -> None:
        """Keep the network as it is before the first epoch, as epoch 0."""
        self._keep(0, self.watch.begin())

    def _keep(self, epoch: int, logs: dict) -> None:
        self.kept_epoch, self.kept_loss, self.kept = epoch, float(logs["val_loss"]), self.collect()

    def _as_good_as_the_start(self, logs: dict) -> bool:
        start = self.watch.history[0]
        return not (start["epoch"] == 0 and logs["val_auc"] < start["val_auc"] - AUC_SPARED)

    def elapsed(self) -> float:
        """Seconds of training, those before an interruption included."""
        return self.seconds + time.perf_counter() - self.started

    def restore(self, model: "keras.Model") -> None:
        """Take up the state, where there is one: the model's and the optimizer's now, the callbacks' when `fit` begins.

        Args:
            model: compiled, and its optimizer built.
        """
        if self.file is None or not self.file.exists():
            return
        try:
            with np.load(self.file) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return  # a disk that failed; the run begins anew
        state = json.loads(str(arrays.pop("state")))
        for number, variable in enumerate(_variables(model)):
            variable.assign(arrays.pop(f"variable {number}"))
        self.kept, self.kept_loss, self.kept_epoch = arrays, state["kept_loss"], state["kept_epoch"]
        self.epochs_done, self.stopped, self.seconds = state["epochs_done"], state["stopped"], state["seconds"]
        self.watch.history, self._waiting = state["history"], state["callbacks"]

    def _write(self, file: Path) -> None:
        state = {
            "epochs_done": self.epochs_done,
            "stopped": self.stopped,
            "kept_loss": self.kept_loss,
            "kept_epoch": self.kept_epoch,
            "seconds": self.elapsed(),
            "history": self.watch.history,
            "callbacks": [{"best": one.best, "wait": one.wait} for one in self.others],
        }
        variables = enumerate(_variables(self.model))
        arrays = {f"variable {number}": keras.ops.convert_to_numpy(variable) for number, variable in variables}
        file.parent.mkdir(parents=True, exist_ok=True)
        savez: Callable[..., None] = np.savez  # numpy's own types take names of arrays for options
        with cache.written_whole(file) as beside, open(beside, "wb") as opened:
            savez(opened, state=np.array(json.dumps(state)), **arrays, **self.kept)


def _variables(model: "keras.Model") -> list:
    """Weights, states of dropout's random numbers, and what the optimizer remembers."""
    return [*model.variables, *model.optimizer.variables]


def standard(recipe: Recipe, watch: Watch, file: Path | None, collect: Callable) -> list["keras.callbacks.Callback"]:
    """Slow down when the validation loss stalls, stop when that does not help, keep the best epoch and the state.

    Without patience nothing slows down or stops, and the last epoch is kept.

    Args:
        recipe: its `patience` counts epochs, or is None.
        watch: measures the validation loss that the others go by.
        file: of the state; see `Keeper`.
        collect: gives the weights that are worth keeping.

    Returns:
        Callbacks for `fit`, in the order in which they must run; the first is the watch and the last a `Keeper`.
    """
    callbacks = keras.callbacks
    if recipe.patience is None:
        return [watch, callbacks.TerminateOnNaN(), Keeper(file, collect, watch, last=True)]
    slower = callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=max(1, recipe.patience // 2))
    stop = callbacks.EarlyStopping("val_loss", patience=recipe.patience)
    return [watch, callbacks.TerminateOnNaN(), slower, stop, Keeper(file, collect, watch, [slower, stop])]
