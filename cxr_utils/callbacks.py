"""What happens at the end of each epoch. Imported when training starts, because it needs Keras."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cxr_utils.backend import load_keras
from cxr_utils.errors import RecipeError
from cxr_utils.recipes import Recipe
from cxr_utils.transfer import mean_auc

keras = load_keras()


class Watch(keras.callbacks.Callback):
    """Measures on the validation images, keeps the history, and stops a run whose loss is not a number.

    The callbacks after this one find `val_loss` and `val_auc` in their logs. AUC is scikit-learn's:
    `keras.metrics.AUC` gives 0.5 to a finding without positives and differs in the second digit.

    Args:
        batches: of the validation images, in order.
        truth: their labels (images, findings).
        loss: a function of truth and logits that gives a number.
        verbose: whether to print a line per epoch.
    """

    def __init__(self, batches: object, truth: np.ndarray, loss: Callable, verbose: bool) -> None:
        super().__init__()
        self.batches, self.truth, self.loss, self.verbose = batches, truth, loss, verbose
        self.history: list[dict] = []
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if not np.isfinite(logs["loss"]):
            raise RecipeError(
                f"The loss became {logs['loss']} in epoch {epoch + 1}, at a learning rate of {rate:g}. Expected a "
                "number. Choose a learning rate ten times smaller, and check that class weights are finite."
            )
        logits = self.model.predict(self.batches, verbose=0)
        logs["val_loss"], logs["val_auc"] = self.loss(self.truth, logits), mean_auc(self.truth, logits)
        kept = {name: float(logs[name]) for name in ("loss", "val_loss", "val_auc")}
        self.history.append({"epoch": epoch + 1, **kept, "learning_rate": rate})
        if self.verbose:
            figures = "  ".join(f"{name} {value:.4f}" for name, value in kept.items())
            seconds = time.perf_counter() - self.started
            print(f"epoch {epoch + 1}/{self.params['epochs']}  {figures}  {seconds:.0f} s", flush=True)


class WarmUp(keras.callbacks.Callback):
    """Raises the learning rate step by step over the first epoch, so that a good start is not shaken apart.

    Args:
        learning_rate: what it ends at.
        steps: of one epoch.
    """

    def __init__(self, learning_rate: float, steps: int) -> None:
        super().__init__()
        self.learning_rate, self.steps, self.step = learning_rate, steps, 0

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self.step < self.steps:
            self.step += 1
            self.model.optimizer.learning_rate = self.learning_rate * self.step / self.steps


def standard(recipe: Recipe, checkpoint: Path, watch: Watch) -> list["keras.callbacks.Callback"]:
    """Keep the best epoch, slow down when the validation loss stalls, stop when that does not help.

    Args:
        recipe: its `patience` counts epochs.
        checkpoint: file for the weights of the best epoch, ending in .weights.h5.
        watch: measures the validation loss that the others go by.

    Returns:
        Callbacks for `fit`, in the order in which they must run.
    """
    callbacks = keras.callbacks
    return [
        watch,
        callbacks.TerminateOnNaN(),
        callbacks.ModelCheckpoint(checkpoint, "val_loss", save_best_only=True, save_weights_only=True),
        callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=max(1, recipe.patience // 2)),
        callbacks.EarlyStopping("val_loss", patience=recipe.patience),
    ]
