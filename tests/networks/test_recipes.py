"""Recipes: what does not go together is refused by name, and a recipe's head differs only in what is trained."""

from dataclasses import replace

import pytest

from cxr_utils.errors import RecipeError
from cxr_utils.networks import recipes
from cxr_utils.networks.recipes import Recipe

DENSENET = {"network": "densenet121", "weights": "simulated"}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"network": "resnet"}, "network='resnet'.*xray_cnn, normal_abnormal_cnn, densenet121, efficientnet_lite0"),
        ({"loss": "mse"}, "loss='mse'.*bce, weighted, focal"),
        ({"trainable": "most"}, "trainable='most'.*all, last_block, head"),
        ({"question": "all"}, "question='all'.*findings, any"),
        ({"size": 0}, "size=0. Expected more than zero"),
        ({"epochs": -1}, "epochs=-1. Expected more than zero"),
        ({"batch_size": 0}, "batch_size=0. Expected more than zero"),
        ({"learning_rate": 0.0}, "learning_rate=0.0. Expected more than zero"),
        ({"patience": 0}, "patience=0. Expected more than zero"),
        ({"weights": "simulated"}, "network='xray_cnn', weights='simulated'.*only densenet121"),
        ({"trainable": "head"}, "network='xray_cnn', .*trainable='head'.*only densenet121"),
        ({"network": "densenet121", "trainable": "head"}, "trainable='head', weights=None.*never learn"),
        (
            {"network": "densenet121", "trainable": "last_block"},
            "trainable='last_block', weights=None.*never learn",
        ),
        (DENSENET | {"trainable": "head", "loss": "focal"}, "trainable='head', loss='focal'"),
        (DENSENET | {"trainable": "head", "augment": ("shift",)}, "trainable='head', .*augment=.'shift'"),
        (DENSENET | {"trainable": "head", "oversample": True}, "trainable='head', .*oversample=True"),
        ({"oversample": True, "sample_weights": True}, "oversample=True, sample_weights=True.*count them twice"),
        ({"readout": (("conv1", 2),)}, "network='xray_cnn', readout=.*only densenet121"),
        (DENSENET | {"readout": "relu"}, "readout='relu'.*pairs of a layer's name"),
        (DENSENET | {"readout": ("relu", 3)}, "readout=.*pairs of a layer's name"),
        (DENSENET | {"readout": (("relu", 0),)}, "readout=.*from 1 up"),
        (DENSENET | {"readout": (("relu", 2.5),)}, "readout=.*from 1 up"),
        (DENSENET | {"readout": (("relu", 3), ("relu", 3))}, "readout=.*each pair once"),
        ({"oversample": True, "loss": "weighted"}, "oversample=True, .*loss='weighted'.*count them twice"),
    ],
)
def test_what_is_refused_says_what_was_given_and_what_would_do(values, told):
    with pytest.raises(RecipeError, match=told):
        Recipe(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"patience": None},
        {"patience": 1, "epochs": 1, "batch_size": 1},
        {"oversample": True, "loss": "focal", "augment": ("shift",)},
        {"sample_weights": True, "loss": "weighted"},
        DENSENET | {"trainable": "last_block", "readout": (("relu", 3), ("relu", 1), ("image", 16))},
        {"network": "efficientnet_lite0", "readout": (("stage5", 1),)},  # as an exported network is built
        {"network": "densenet121"},  # from random numbers, all of it
        {"network": "efficientnet_lite0", "weights": "imagenet", "trainable": "head"},
        DENSENET,
        DENSENET | {"trainable": "head", "loss": "weighted", "sample_weights": True},
        DENSENET | {"trainable": "last_block", "loss": "focal", "augment": ("shift",), "oversample": True},
    ],
)
def test_what_goes_together_is_accepted(values):
    made = Recipe(**values)
    assert {name: getattr(made, name) for name in values} == values


def test_the_head_of_a_recipe_differs_only_in_what_a_head_cannot_have():
    tuned = Recipe(
        "densenet121", size=48, epochs=3, batch_size=7, learning_rate=1e-5, loss="weighted", augment=("rotate",),
        sample_weights=True, weights="imagenet", trainable="last_block", dropout=0.4, patience=2,
        mixed_precision=True, question="any", readout=(("relu", 1),),
    )  # fmt: skip
    head = recipes.head_of(tuned)
    assert head == Recipe(
        "densenet121", size=48, loss="weighted", sample_weights=True, weights="imagenet", trainable="head",
        question="any", readout=(("relu", 1),),
    )  # fmt: skip
    assert recipes.head_of(replace(tuned, epochs=9, dropout=0.1)) == head  # so that they share one head
    focal = replace(tuned, loss="focal")
    assert recipes.head_of(focal).loss == "bce"


def test_the_two_profiles_of_each_named_recipe_ask_the_same():
    for name in recipes._QUICK:
        quick, full = recipes.recipe(name), recipes.recipe(name, "full")
        assert full.size > quick.size and full.epochs >= quick.epochs, name
        assert (full.network, full.loss, full.question, full.weights, full.readout) == (
            quick.network, quick.loss, quick.question, quick.weights, quick.readout,
        )  # fmt: skip
        assert quick.augment == () and "flip_horizontal" not in full.augment or name == "densenet-focal"
    with pytest.raises(RecipeError, match="profile 'slow'"):
        recipes.recipe("course", "slow")
