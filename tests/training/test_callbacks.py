"""What happens at the end of an epoch, on a network of two weights whose losses are written down beforehand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.recipes import Recipe
from cxr_utils.training import callbacks

TRUTH = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0]], np.float32)  # the third finding is never there
# The validation loss is lowest in the third epoch and stalls; the training loss falls throughout.
STALLS = [0.9, 0.5, 0.4, 0.6, 0.45, 0.41, 0.5, 0.4, 0.7, 0.6, 0.8, 0.9, 0.9, 0.9]


@pytest.fixture(scope="module")
def network():
    keras = load_keras()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam(0.1)
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    return model


class Run:
    """A training whose losses are scripted: its weights after epoch n (from 0) are (n, -n)."""

    def __init__(self, model, val_losses, patience, file=None, logits=None):
        self.model, self.val_losses, self.rates, self.epoch = model, val_losses, [], None
        model.optimizer.learning_rate = 0.1
        model.stop_training = False
        logits = np.zeros_like(TRUTH) if logits is None else logits
        self.watch = callbacks.Watch(lambda: logits, TRUTH, lambda *_: self.val_losses[self.epoch], verbose=False)
        recipe = Recipe(patience=patience)
        self.listed = callbacks.standard(recipe, self.watch, file, lambda: {"weights": self._weights()})
        self.keeper = self.listed[-1]

    def _weights(self):
        return np.concatenate([np.ravel(array) for array in self.model.get_weights()])

    def go_on(self, until=100):
        """As `fit` would, from where the keeper's state is."""
        keras = load_keras()
        self.keeper.restore(self.model)
        together = keras.callbacks.CallbackList(self.listed, model=self.model, epochs=until)
        together.on_train_begin()
        for epoch in range(self.keeper.epochs_done, min(until, len(self.val_losses))):
            self.epoch = epoch
            together.on_epoch_begin(epoch)
            self.rates.append(float(self.model.optimizer.learning_rate))
            self.model.set_weights([np.full((1, 1), epoch, np.float32), np.full(1, -epoch, np.float32)])
            together.on_epoch_end(epoch, {"loss": 1 / (1 + epoch)})
            if self.model.stop_training:
                break
        return self


def by_hand(val_losses, patience):
    """Best epoch, epochs in all, and the learning rate of each, by counting: no callback has been asked."""
    best, since, slow_since, rate, rates = 0, 0, 0, 0.1, []
    for epoch, loss in enumerate(val_losses):
        rates.append(rate)
        if loss < val_losses[best] or epoch == 0:
            best, since, slow_since = epoch, 0, 0
            continue
        since, slow_since = since + 1, slow_since + 1
        if slow_since == max(1, patience // 2):
            rate, slow_since = rate * 0.3, 0
        if since == patience:
            break
    return best, len(rates), rates


@pytest.mark.parametrize("patience", [1, 2, 3, 5, 6])
def test_the_best_validation_epoch_is_kept_and_the_run_slows_down_and_stops(network, patience):
    run = Run(network, STALLS, patience).go_on()
    best, epochs, rates = by_hand(STALLS, patience)
    assert best == 2 and run.keeper.kept["weights"].tolist() == [2, -2] and run.keeper.kept_loss == 0.4
    assert run.keeper.kept_epoch == 3
    assert len(run.watch.history) == run.keeper.epochs_done == epochs == 3 + patience
    assert run.rates == pytest.approx(rates, rel=1e-6) and run.keeper.stopped
    assert [row["learning_rate"] for row in run.watch.history] == pytest.approx(rates, rel=1e-6)


def test_patience_of_four_written_out(network):
    """Epochs 4 to 7 are no better than epoch 3: slower after two of them and again after four, then it stops."""
    run = Run(network, STALLS, patience=4).go_on()
    assert run.rates == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.1, 0.03, 0.03], rel=1e-6)
    assert float(network.optimizer.learning_rate) == pytest.approx(0.009, rel=1e-6)


def test_without_patience_nothing_slows_down_or_stops_and_the_last_epoch_is_kept(network):
    run = Run(network, STALLS, patience=None).go_on()
    assert len(run.watch.history) == len(STALLS) and not run.keeper.stopped
    assert run.rates == pytest.approx([0.1] * len(STALLS)) and run.keeper.kept["weights"].tolist() == [13, -13]


@pytest.mark.parametrize(
    ("losses", "areas", "kept"),
    [
        ([0.6, 0.5, 0.7], [0.9, 0.9, 0.9], 0),  # none has a lower loss than the start
        ([0.4, 0.3, 0.35], [0.8, 0.797, 0.799], 3),  # the lowest loss costs 0.003 of the area
        ([0.4, 0.3, 0.35], [0.7, 0.7, 0.7], 0),  # each costs too much
        ([0.4, 0.3, 0.35], [0.79, 0.81, 0.82], 2),
        ([0.4, 0.3, 0.35], [np.nan, np.nan, np.nan], 2),  # without an area the loss decides alone
    ],
)
def test_where_training_starts_from_a_head_that_is_epoch_0(network, monkeypatch, tmp_path, losses, areas, kept):
    scripted = iter([0.8 + areas[0] * 0, *areas])
    monkeypatch.setattr(callbacks, "mean_auc", lambda truth, logits: next(scripted))
    network.set_weights([np.full((1, 1), -1.0), np.full(1, 1.0)])
    first = Run(network, [0.5], 6, tmp_path / "state.npz")
    first.epoch = 0
    first.keeper.begin()
    first.val_losses = losses
    first.go_on(until=1)  # interrupted, and taken up
    keeper = Run(network, losses, 6, tmp_path / "state.npz").go_on().keeper
    assert [row["epoch"] for row in keeper.watch.history] == [0, 1, 2, 3]
    assert (keeper.watch.history[0]["val_loss"], keeper.kept_epoch) == (0.5, kept)
    assert keeper.kept["weights"].tolist() == [kept - 1, 1 - kept]


@pytest.mark.parametrize("patience", [3, 4, None])
@pytest.mark.parametrize("interrupted_after", range(1, 8))
def test_an_interrupted_run_ends_like_an_undisturbed_one(network, tmp_path, patience, interrupted_after):
    """Whenever it happens: the count of the waiting epochs, the best loss, the rate and the weights come back."""
    losses = STALLS[:8]
    alone = Run(network, losses, patience).go_on()
    ended = [*network.get_weights(), float(network.optimizer.learning_rate)]
    file = tmp_path / "new" / "state.npz"
    first = Run(network, losses, patience, file).go_on(until=interrupted_after)
    network.set_weights([np.full((1, 1), 7e7), np.full(1, 7e7)])
    second = Run(network, losses, patience, file)
    if not first.keeper.stopped:
        second.go_on()
        assert first.rates + second.rates == pytest.approx(alone.rates)
    else:
        second.keeper.restore(network)
    assert second.keeper.stopped == alone.keeper.stopped and second.keeper.epochs_done == alone.keeper.epochs_done
    assert second.watch.history == alone.watch.history
    assert second.keeper.kept["weights"].tolist() == alone.keeper.kept["weights"].tolist()
    assert second.keeper.kept_loss == alone.keeper.kept_loss and second.keeper.kept_epoch == alone.keeper.kept_epoch
    again = [*network.get_weights(), float(network.optimizer.learning_rate)]
    assert all(np.array_equal(one, other) for one, other in zip(ended, again, strict=True))
    assert [path.name for path in file.parent.iterdir()] == ["state.npz"]


def test_what_the_optimizer_remembers_comes_back(network, tmp_path):
    average = network.optimizer.variables[2]  # of the gradients of the first weight
    average.assign(np.full((1, 1), 0.25))
    Run(network, STALLS, 3, tmp_path / "state.npz").go_on(until=1)
    average.assign(np.full((1, 1), 0.75))
    Run(network, STALLS, 3, tmp_path / "state.npz").keeper.restore(network)
    assert average.numpy().tolist() == [[0.25]]


def test_a_state_that_cannot_be_read_is_begun_anew(network, tmp_path):
    file = tmp_path / "state.npz"
    Run(network, STALLS, 3, file).go_on(until=2)
    whole = file.read_bytes()
    for damaged in (b"", b"no state", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        keeper = Run(network, STALLS, 3, file).keeper
        keeper.restore(network)
        assert keeper.epochs_done == 0 and keeper.kept == {}


def test_time_before_an_interruption_is_counted(network, tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: now[0])
    first = Run(network, STALLS, 3, tmp_path / "state.npz")
    now[0] = 107.0
    first.go_on(until=1)
    assert first.keeper.elapsed() == 7
    now[0] = 5000.0
    second = Run(network, STALLS, 3, tmp_path / "state.npz")
    second.keeper.restore(network)
    now[0] = 5004.0
    assert second.keeper.elapsed() == 11


def test_the_watch_measures_as_scikit_learn_does(network, capsys):
    logits = np.array([[0.1, 3, 0], [2, -1, 1], [1.5, -2, 0], [0.3, 0.1, 2]])
    run = Run(network, [0.25, 0.125], None, logits=logits)
    run.watch.verbose = True
    run.go_on()
    area = np.mean([roc_auc_score(TRUTH[:, column], logits[:, column]) for column in (0, 1)])
    expected = {"epoch": 2, "loss": 0.5, "val_loss": 0.125, "val_auc": area, "learning_rate": 0.1}
    assert run.watch.history[1] == pytest.approx(expected) and 0 < area < 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith(f"epoch 2/100  loss 0.5000  val_loss 0.1250  val_auc {area:.4f}  ")


def test_the_watch_is_given_truth_and_logits_in_this_order(network):
    given = []
    run = Run(network, STALLS, None, logits=np.full_like(TRUTH, 0.5))
    run.watch.loss = lambda truth, logits: given.append((truth, logits)) or 1.0
    run.go_on(until=1)
    assert given[0][0] is TRUTH and (given[0][1] == 0.5).all()


@pytest.mark.parametrize("which", ["loss", "validation loss"])
def test_a_loss_that_is_no_number_stops_the_run_with_advice(network, which):
    run = Run(network, [0.5, np.inf], None)
    run.epoch = 1
    run.watch.set_model(network)
    logs = {"loss": np.nan if which == "loss" else 0.1}
    message = f"The {which} became (nan|inf) in epoch 2, at a learning rate of 0.1.*ten times smaller"
    with pytest.raises(RecipeError, match=message):
        run.watch.on_epoch_end(1, logs)
    assert run.watch.history == []


def test_the_learning_rate_rises_over_the_first_epoch_and_is_left_alone_later(network):
    network.optimizer.learning_rate = 0.7
    warm_up, seen = callbacks.warm_up(0.1, steps=4), []
    warm_up.set_model(network)
    for epoch in range(2):
        warm_up.on_epoch_begin(epoch)
        for step in range(4):
            warm_up.on_train_batch_begin(step)
            seen.append(float(network.optimizer.learning_rate))
        network.optimizer.learning_rate = 0.05  # as when the loss stalls
    assert seen == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.05, 0.05, 0.05, 0.05], rel=1e-6)
