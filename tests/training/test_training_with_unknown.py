"""Training on labels of which some are unknown: what is learned is what the known ones teach."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from tiny_dataset import tiny_dataset

from cxr_utils.data.dataset import Dataset
from cxr_utils.errors import DataError
from cxr_utils.networks.recipes import Recipe
from cxr_utils.training import fit

SMALL = Recipe(size=32, epochs=8, batch_size=12, patience=8)


@pytest.fixture(scope="module")
def whole(workplace):
    return tiny_dataset(workplace / "images", images=120)


@pytest.fixture(scope="module")
def dataset(whole):
    """A third of the labels is unknown, and all of every tenth image."""
    hidden = np.random.default_rng(3).random((120, 2)) < 1 / 3
    hidden[::10] = True
    return relabelled(whole, np.where(hidden, np.nan, whole.labels))


def relabelled(dataset: Dataset, labels: np.ndarray) -> Dataset:
    return replace(dataset, table=dataset.table.assign(Mass=np.float32(labels[:, 0]), Nodule=np.float32(labels[:, 1])))


def test_a_network_learns_from_what_is_known(dataset, whole):
    trained = fit.train(SMALL, dataset)
    scores = trained.predict(whole.part("test")).to_numpy()
    truth = whole.part("test").labels
    assert min(roc_auc_score(truth[:, column], scores[:, column]) for column in (0, 1)) > 0.95
    valid = dataset.part("valid")
    chances, known = trained.predict(valid).to_numpy(), ~np.isnan(valid.labels)
    best = trained.history.loc[trained.history["val_loss"].idxmin()]
    assert best["val_loss"] == pytest.approx(log_loss(valid.labels[known], chances[known].astype(float)), rel=1e-4)
    areas = [roc_auc_score(valid.labels[known[:, c], c], chances[known[:, c], c]) for c in (0, 1)]
    assert best["val_auc"] == pytest.approx(np.mean(areas))


def test_what_stands_behind_an_unknown_label_is_not_looked_at(dataset, whole):
    """Unknown is unknown, and not absent: with the labels filled in, other networks come out."""
    recipe = replace(SMALL, epochs=1)
    trained = {name: fit.train(recipe, one) for name, one in (("unknown", dataset), ("known", whole))}
    trained["absent"] = fit.train(recipe, relabelled(dataset, np.nan_to_num(dataset.labels)))
    losses = {name: round(float(one.history["loss"].iloc[0]), 6) for name, one in trained.items()}
    assert len(set(losses.values())) == 3


@pytest.mark.parametrize(
    "changes",
    [{"loss": "weighted"}, {"loss": "focal"}, {"oversample": True}, {"sample_weights": True}, {"question": "any"}],
)
def test_every_way_of_weighting_goes_with_unknown_labels(dataset, changes):
    recipe = replace(SMALL, epochs=2, **changes)
    trained = fit.train(recipe, dataset)
    assert np.isfinite(trained.history[["loss", "val_loss", "val_auc"]]).all(axis=None)
    assert trained.history["loss"].iloc[1] < trained.history["loss"].iloc[0]


def test_a_finding_that_no_image_tells_of_is_refused_before_anything_is_done(dataset, monkeypatch):
    monkeypatch.setattr(fit, "_train_into", None)  # would fail if it were called
    train = (dataset.table["split"] == "train").to_numpy()
    labels = dataset.labels
    labels[train, 1] = np.nan
    with pytest.raises(DataError, match="tiny train: not one label of Nodule is known. Expected .* Leave such"):
        fit.train(SMALL, relabelled(dataset, labels))
    labels[train] = np.nan
    with pytest.raises(DataError, match="not one label of Mass, Nodule is known"):
        fit.train(SMALL, relabelled(dataset, labels))
    valid = (dataset.table["split"] == "valid").to_numpy()
    labels = dataset.labels
    labels[valid] = np.nan
    with pytest.raises(DataError, match="tiny valid: not one label is known. Expected some"):
        fit.train(SMALL, relabelled(dataset, labels))


def test_one_known_label_is_enough_to_begin(dataset):
    train = np.flatnonzero(dataset.table["split"] == "train")
    labels = dataset.labels
    labels[train, 1] = np.nan
    labels[train[7], 1] = 1
    history = fit.train(replace(SMALL, epochs=1), relabelled(dataset, labels)).history
    assert np.isfinite(history[["loss", "val_loss"]]).all(axis=None)
