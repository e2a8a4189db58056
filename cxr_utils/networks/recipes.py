"""Recipes: everything that decides what a training run makes, in one small record, and the named ones of the course.

`quick` is for two processor cores and minutes; `full` is for a GPU and larger images.
"""

from dataclasses import dataclass, replace
from typing import Any

from cxr_utils.errors import RecipeError
from cxr_utils.networks.readout import Readout

PRETRAINED = ("densenet121", "efficientnet_lite0")
NETWORKS = ("xray_cnn", "normal_abnormal_cnn", *PRETRAINED)
LOSSES = ("bce", "weighted", "focal")
TRAINABLE = ("all", "last_block", "head")
QUESTIONS = ("findings", "any")
#: What would do where values do not go together.
_EXPECTED_TOGETHER = {
    "network, weights, trainable": 'weights=None and trainable="all": only densenet121 and '
    "efficientnet_lite0 come with weights to start from",
    "network, readout": "readout=(): only densenet121 and efficientnet_lite0 can be read at other layers than the last",
    "trainable, weights": "weights to start from, because the rest would never learn. Choose "
    'weights="simulated", "imagenet" or "random", or trainable="all"',
    "trainable, loss, augment, oversample": 'loss "bce" or "weighted", no augmentation and no oversampling: '
    "a head is fitted to features computed once, all of them at a time",
    "oversample, sample_weights, loss": "one cure for rare findings: together they would count them twice. "
    "Leave the others out",
}


@dataclass(frozen=True)
class Recipe:
    """How to train one network. Two equal recipes on equal data with equal seeds give equal weights.

    Attributes:
        network: one of `NETWORKS`.
        size: side of the image in pixels.
        epochs: times round the training images, at most.
        batch_size: images per step.
        learning_rate: of Adam, at the start; with `patience` it falls when the validation loss stops falling.
        loss: "bce" (binary cross-entropy), "weighted" (by class frequency) or "focal".
        augment: names from `pipeline.AUGMENTATIONS`.
        sample_weights: whether images with more findings count more.
        oversample: whether rare images are drawn more often, as `losses.expected_draws` says; an epoch keeps its
            length. Probabilities then follow what was drawn: choose thresholds on validation images.
        question: "findings" (which of the data set's findings are there?) or "any" (is there any at all?).
        weights: where a network of `PRETRAINED` starts: "simulated" or "imagenet", "random" (the control: as if it had
            learned, but it has not), a path, or None for random numbers that are all trained.
        trainable: "all", "last_block" (what stands behind the network's cut, `models.CUTS`: of DenseNet121 its last
            dense block) or "head" (the logits only).
        dropout: fraction of features left out before the logits.
        patience: epochs without a better validation loss after which training stops; after half as many the learning
            rate falls, and the best epoch's weights are kept. None: all epochs at one rate, and the last one's weights,
            as in most beginners' projects.
        mixed_precision: whether a GPU multiplies in 16 bits (bfloat16); weights and logits stay in 32. A processor
            ignores it.
        readout: what the head of a network of `PRETRAINED` reads: pairs of a layer's name and the number of fields
            along a side, over each of which its maps are averaged; "image" is the image. Empty: the last layer's
            averages over the whole image. See `readout.averages`.

    Raises:
        RecipeError: a value is unknown, or the values do not go together.

    Example:
        >>> Recipe(epochs=3).network
        'xray_cnn'
        >>> Recipe(network="resnet")
        Traceback (most recent call last):
        ...
        cxr_utils.errors.RecipeError: Recipe has network='resnet'. Expected one of xray_cnn, normal_abnormal_cnn, \
densenet121, efficientnet_lite0. Correct the name.
    """

    network: str = "xray_cnn"
    size: int = 64
    epochs: int = 18
    batch_size: int = 32
    learning_rate: float = 2e-3
    loss: str = "bce"
    augment: tuple[str, ...] = ()
    sample_weights: bool = False
    weights: str | None = None
    trainable: str = "all"
    dropout: float = 0.0
    patience: int | None = 6
    mixed_precision: bool = False
    oversample: bool = False
    question: str = "findings"
    readout: Readout = ()

    def __post_init__(self) -> None:
        choices = {"network": NETWORKS, "loss": LOSSES, "trainable": TRAINABLE, "question": QUESTIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise RecipeError(
                    f"Recipe has {name}={getattr(self, name)!r}. Expected one of {', '.join(known)}. Correct the name."
                )
        for name in ("size", "epochs", "batch_size", "learning_rate", "patience"):
            value = getattr(self, name)
            if not (name == "patience" and value is None) and not value > 0:
                raise RecipeError(f"Recipe has {name}={value!r}. Expected more than zero. Choose another value.")
        if not _is_readout(self.readout):
            raise RecipeError(
                f"Recipe has readout={self.readout!r}. Expected a tuple of pairs of a layer's name and a number of "
                'fields from 1 up, each pair once, such as (("stage5", 3), ("image", 16)). Correct it.'
            )
        tuned, weighted = self.trainable != "all", self.sample_weights or self.loss == "weighted"
        unfit_for_head = self.loss == "focal" or self.augment or self.oversample
        broken = {
            "network, weights, trainable": self.network not in PRETRAINED and (self.weights is not None or tuned),
            "network, readout": self.network not in PRETRAINED and bool(self.readout),
            "trainable, weights": tuned and self.weights is None,
            "trainable, loss, augment, oversample": self.trainable == "head" and unfit_for_head,
            "oversample, sample_weights, loss": self.oversample and weighted,
        }
        for names in filter(broken.get, broken):
            given = ", ".join(f"{name}={getattr(self, name)!r}" for name in names.split(", "))
            raise RecipeError(f"Recipe has {given}. Expected {_EXPECTED_TOGETHER[names]}.")


def _is_readout(given: object) -> bool:
    if not isinstance(given, tuple) or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in given):
        return False
    fit = [isinstance(layer, str) and isinstance(fields, int) and fields > 0 for layer, fields in given]
    return all(fit) and len(set(given)) == len(given)


def head_of(recipe: Recipe) -> Recipe:
    """The recipe of the head that fine-tuning starts from: same weights, images and readout, nothing else trained.

    Args:
        recipe: of a network with weights.

    Returns:
        A recipe with trainable="head".

    Example:
        >>> head_of(recipe("densenet-transfer")).trainable
        'head'
    """
    loss = "bce" if recipe.loss == "focal" else recipe.loss
    return Recipe(
        network=recipe.network, size=recipe.size, loss=loss, sample_weights=recipe.sample_weights,
        weights=recipe.weights, trainable="head", question=recipe.question, readout=recipe.readout,
    )  # fmt: skip


_DENSENET = Recipe(
    network="densenet121",
    size=96,
    epochs=8,
    batch_size=64,
    learning_rate=3e-4,
    weights="imagenet",
    trainable="last_block",
    patience=2,
)
_LITE0 = replace(
    _DENSENET,
    network="efficientnet_lite0",
    size=192,
    epochs=3,
    learning_rate=1e-4,
    weights="simulated",
    readout=(("stage5", 3), ("stage7", 1), ("image", 16)),
)
_QUICK = {
    "xray-vision": Recipe(epochs=10, patience=5),
    "normal-abnormal": Recipe(
        "normal_abnormal_cnn", epochs=10, learning_rate=1e-3, dropout=0.5, patience=None, question="any"
    ),
    "densenet-transfer": _DENSENET,
    "densenet-focal": replace(_DENSENET, loss="focal", dropout=0.5),
    "course": replace(_DENSENET, loss="weighted"),
    "lite0-head": head_of(_LITE0),
    "lite0-transfer": _LITE0,
}
_CHANGES = ("rotate", "shift", "brightness")  # no flip: the heart belongs on the left
_WHOLE: dict[str, Any] = {
    "size": 224, "epochs": 30, "batch_size": 64, "trainable": "all", "augment": _CHANGES, "mixed_precision": True,
}  # fmt: skip
_FULL: dict[str, dict[str, Any]] = {
    "xray-vision": {"size": 128, "epochs": 40, "batch_size": 64, "augment": _CHANGES, "sample_weights": True},
    "normal-abnormal": {"size": 224},
    "densenet-transfer": _WHOLE,
    "densenet-focal": {**_WHOLE, "learning_rate": 1e-4, "augment": ("flip_horizontal", "rotate", "brightness")},
    "course": {**_WHOLE, "size": 320, "batch_size": 32},
    "lite0-head": {"size": 224},
    "lite0-transfer": _WHOLE,
}


def recipe(name: str, profile: str = "quick") -> Recipe:
    """A named recipe of the course.

    Args:
        name: "xray-vision" (a CNN from scratch), "normal-abnormal" (three convolutions and a dense layer: is there
            any finding?),
            "densenet-transfer" (fine-tuned), "densenet-focal" (focal
            loss), "course" (weighted loss), "lite0-head" or "lite0-transfer" (EfficientNet-Lite0, read at a middle
            layer, a late one and a thumbnail of the image; frozen and fine-tuned, the course's main network).
        profile: "quick" or "full".

    Returns:
        The recipe; `dataclasses.replace` changes single values.

    Raises:
        RecipeError: there is no such name or profile.

    Example:
        >>> recipe("xray-vision").size, recipe("xray-vision", "full").size
        (64, 128)
    """
    if name not in _QUICK or profile not in ("quick", "full"):
        raise RecipeError(
            f"Recipe {name!r} with profile {profile!r} is unknown. Expected a name out of {', '.join(_QUICK)}, and "
            '"quick" or "full". Correct the name.'
        )
    return _QUICK[name] if profile == "quick" else replace(_QUICK[name], **_FULL[name])
