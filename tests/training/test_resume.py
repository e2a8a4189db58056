"""Training survives: killed at any moment and started again, it ends with the weights that would have been."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.networks import weights
from cxr_utils.networks.recipes import Recipe
from cxr_utils.training import callbacks, fit

# Dropout, augmentation, and a learning rate so high that the validation loss stalls and the rate is lowered:
# whatever of the state was lost would show in the weights.
RECIPE = Recipe(
    "normal_abnormal_cnn", size=32, epochs=6, batch_size=8, learning_rate=3e-2, patience=5, dropout=0.5,
    augment=("rotate", "brightness"), oversample=True,
)  # fmt: skip

# One rate throughout, and the last epoch's weights, whether they are the best or not.
WITHOUT_PATIENCE = replace(RECIPE, patience=None, epochs=3)

#: The status of a process that was killed; what psutil gives it where the system gives none.
KILLED = signal.SIGTERM if os.name == "nt" else -signal.SIGKILL

SET_UP = """
    import os, psutil
    from pathlib import Path
    from test_resume import RECIPE, WITHOUT_PATIENCE
    from tiny_dataset import tiny_dataset
    from cxr_utils.training import callbacks, fit
    def kill(): psutil.Process().kill()
    dataset = tiny_dataset(Path(os.environ["CXR_CACHE"]).parent / "images", again=False)
"""
IN_THE_THIRD_EPOCH = """
    class Watch(callbacks.Watch):
        def on_epoch_begin(self, epoch, logs=None): self.epoch = epoch
        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (2, 2): kill()
    callbacks.Watch = Watch
    fit.train(RECIPE, dataset)
"""
WHILE_THE_FIFTH_IS_WRITTEN = """
    replace = Path.replace
    def stop(self, target):
        if Path(target).name == "state.npz" and dataset_epochs() == 4: kill()
        return replace(self, target)
    Keeper = callbacks.Keeper
    keepers = []
    def make(*given): keepers.append(Keeper(*given)); return keepers[-1]
    def dataset_epochs(): return keepers[0].epochs_done - 1
    callbacks.Keeper, Path.replace = make, stop
    fit.train(RECIPE, dataset)
"""


def start(code: str, cache: Path, **more: str) -> subprocess.Popen:
    paths = [*map(str, Path(__file__).parents[:2]), str(Path(fit.__file__).parents[2])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "CXR_CACHE": str(cache)} | more
    program = textwrap.dedent(SET_UP) + textwrap.dedent(code)
    return subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


@pytest.fixture(scope="module")
def uninterrupted(folder):
    before = os.environ.get("CXR_CACHE")
    os.environ["CXR_CACHE"] = str(folder / "undisturbed")
    trained = fit.train(RECIPE, tiny_dataset(folder / "images"))
    arrays, history = weights.read(trained.folder / "weights.npz"), trained.history
    os.environ.pop("CXR_CACHE")
    if before:
        os.environ["CXR_CACHE"] = before
    return arrays, history


def epochs_kept(cache: Path) -> int:
    import json

    (state,) = cache.glob("training/*/state.npz")
    with np.load(state) as file:
        return json.loads(str(file["state"]))["epochs_done"]


def test_killed_twice_it_ends_as_if_it_had_not_been(folder, uninterrupted, monkeypatch):
    cache = folder / "disturbed"
    for code, kept in ((IN_THE_THIRD_EPOCH, 2), (WHILE_THE_FIFTH_IS_WRITTEN, 4)):
        assert start(code, cache).wait(timeout=200) == KILLED
        assert not list(cache.glob("models/*/card.json")) or list(cache.glob("models/*.part"))
        assert epochs_kept(cache) == kept
    epochs, on_epoch_end = [], callbacks.Keeper.on_epoch_end
    monkeypatch.setattr(
        callbacks.Keeper,
        "on_epoch_end",
        lambda self, epoch, logs: epochs.append(epoch) or on_epoch_end(self, epoch, logs),
    )
    monkeypatch.setenv("CXR_CACHE", str(cache))
    trained = fit.train(RECIPE, tiny_dataset(folder / "images", again=False))
    arrays, history = uninterrupted
    assert epochs == [4, 5]  # the first four were not trained again
    assert history["learning_rate"].nunique() > 1  # there was something to remember
    pd.testing.assert_frame_equal(trained.history, history, check_exact=True)
    resumed = weights.read(trained.folder / "weights.npz")
    assert arrays.keys() == resumed.keys()
    assert all(np.array_equal(arrays[name], resumed[name]) for name in arrays)
    assert not list((cache / "training").iterdir())  # the state goes when the network is whole


def test_without_patience_the_last_epoch_is_kept_also_after_an_interruption(folder, tmp_path, monkeypatch):
    cache = tmp_path / "disturbed"
    dataset = tiny_dataset(folder / "images", again=not (folder / "images").exists())
    assert start(IN_THE_THIRD_EPOCH.replace("RECIPE", "WITHOUT_PATIENCE"), cache).wait(timeout=200) == KILLED
    assert epochs_kept(cache) == 2
    both = []
    for place in (cache, tmp_path / "undisturbed"):
        monkeypatch.setenv("CXR_CACHE", str(place))
        both.append(fit.train(WITHOUT_PATIENCE, dataset))
        history, valid = both[-1].history, dataset.part("valid")
        p = both[-1].predict(valid).to_numpy()
        loss = -np.mean(valid.labels * np.log(p) + (1 - valid.labels) * np.log(1 - p))
        assert len(history) == 3 and history["learning_rate"].nunique() == 1
        assert loss == pytest.approx(history["val_loss"].iloc[-1], rel=1e-3) and both[-1].kept["epoch"] == 3
        assert loss > history["val_loss"].min() * 1.01  # the best epoch was another one
    resumed, alone = (weights.read(trained.folder / "weights.npz") for trained in both)
    pd.testing.assert_frame_equal(both[0].history, both[1].history, check_exact=True)
    assert all(np.array_equal(alone[name], resumed[name]) for name in alone)


def test_a_state_is_never_taken_for_that_of_another_run(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))
    dataset = tiny_dataset(folder / "images", again=False)

    def state(data=dataset, seed=0, recipe=RECIPE):
        return fit._Run(recipe, data, seed, fit.Options(), {}).state

    states = [state(), state(seed=1), state(dataset.subset(np.arange(50), "fewer")), state(recipe=Recipe())]
    monkeypatch.setattr(fit, "CODE", fit.CODE[1:])
    assert len({*states, state()}) == 5


def test_without_resume_a_run_begins_anew(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))
    run = fit._Run(RECIPE, tiny_dataset(folder / "images", again=False), 0, fit.Options(resume=False), {})
    run.state.mkdir(parents=True)
    (run.state / "state.npz").write_bytes(b"what a killed run left")
    assert not fit._state_file(run).exists()


def test_two_processes_train_once(folder):
    code = """
        train_into = fit._train_into
        fit._train_into = lambda *given: print("trains", flush=True) or train_into(*given)
        trained = fit.train(RECIPE, dataset)
        from cxr_utils.networks import weights
        print(sum(float(array.sum()) for array in weights.read(trained.folder / "weights.npz").values()))
    """
    both = [start(code, folder / "shared") for _ in range(2)]
    said = [process.communicate(timeout=300)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(len(words) for words in said) == [1, 2]
    assert said[0][-1] == said[1][-1]
