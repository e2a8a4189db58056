"""What the backend that this process runs on makes of given weights, pictures and seeds: one table of arrays.

As a program: python on_a_backend.py FOLDER, which holds images and a cache and gets `NAME.npz`.
"""

import sys
from pathlib import Path

import networks_with_maps
import numpy as np
from tiny_dataset import tiny_dataset

from cxr_utils.data import pixelstore
from cxr_utils.networks import efficientnet, losses, models, transfer, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.recipes import Recipe
from cxr_utils.training import callbacks, fit, pipeline

SIZE = 64
# Batch normalisation, augmentation, weighted images, and last batches (36 = 2 x 16 + 4) of another size.
RECIPE = Recipe(
    size=32, epochs=2, batch_size=16, learning_rate=1e-3, sample_weights=True, augment=("rotate", "brightness")
)


def predictions():
    """Logits of the four networks of the course, by name; of one that reads two layers, whole and cut."""
    pictures = np.random.default_rng(0).normal(size=(6, SIZE, SIZE, 1)).astype(np.float32)
    networks = [
        models.normal_abnormal_cnn(SIZE, 3),
        models.xray_cnn(SIZE, 3),
        models.densenet121(SIZE, 3, weights=None),
        efficientnet.efficientnet_lite0(SIZE, 3),
    ]
    found = {f"logits {one.name}": with_usual_weights(one).predict(pictures, verbose=0) for one in networks}
    recipe = Recipe("efficientnet_lite0", SIZE, readout=(("stage5", 3), ("image", 16)))
    read = with_usual_weights(transfer.build(recipe, 3))
    at_cut = [read.get_layer(name).output for name in ("stage4", "image_16x16")]
    seen = load_keras().Model(read.input, at_cut).predict(pictures, verbose=0)
    behind = transfer.tail(read, recipe).predict(tuple(seen), verbose=0)
    return found | {"logits readout": read.predict(pictures, verbose=0), "logits behind the cut": behind}


def with_usual_weights(model):
    """Kernels as they begin, drawn by NumPy; of the rest, nothing that starts at zero or one still is."""
    rng = np.random.default_rng(4)
    made = []
    for weight in model.weights:
        small = rng.random(weight.shape) * 0.1
        depthwise = len(weight.shape) == 4 and weight.shape[-1] == 1  # (k, k, channels, 1): each channel by itself
        fan_in = np.prod(weight.shape[: 2 if depthwise else -1])
        ones = weight.name in ("gamma", "moving_variance")
        made.append(small + ones if len(weight.shape) == 1 else rng.normal(0, np.sqrt(2 / fan_in), weight.shape))
    model.set_weights(made)
    return model


def fed(dataset):
    """Pictures as they come to a network through Keras: this one hands them on as they are."""
    keras = load_keras()
    image = keras.Input((16, 16, 1))
    model = keras.Model(image, keras.layers.Identity()(image))
    read, how = pixelstore.reader(dataset, 16), {"shuffle_seed": 3, "epochs": range(2)}
    batches = pipeline.batches(read, dataset.labels, 7, augment=pipeline.AUGMENTATIONS, **how)
    return {"fed": model.predict(pipeline.for_keras(batches), verbose=0)}


def unknown_labels():
    """Losses where labels are unknown, and what one step at a learning rate of 1 takes from each logit."""
    keras, rng = load_keras(), np.random.default_rng(1)
    logits = rng.normal(0, 2, (24, 3)).astype(np.float32)
    truth = np.where(rng.random(logits.shape) < 0.4, np.nan, rng.random(logits.shape) < 0.3).astype(np.float32)
    truth[5] = np.nan
    found, known = {"truth": truth, "logits": logits}, losses.share_known(truth)
    weights = losses.class_weights(truth)
    for name, loss in {"bce": losses.bce(*weights, known), "focal": losses.focal_loss(known=known)}.items():
        model = keras.Sequential([keras.Input((24,)), keras.layers.Dense(3, use_bias=False)])
        model.layers[0].set_weights([logits])  # each image is an input of its own, so that its logits are weights
        model.compile(keras.optimizers.SGD(1.0), loss)
        found[f"loss {name}"] = np.float64(model.train_on_batch(np.eye(24, dtype=np.float32), truth))
        found[f"gradient {name}"] = logits - model.layers[0].get_weights()[0]
    return {f"unknown {name}": value for name, value in found.items()}


class Stop(Exception):
    """Stands in for whatever ends a training early."""


def resumed(dataset):
    """Weights of a training that was left alone, and of one that was stopped in its second epoch and taken up."""

    class Watch(callbacks.Watch):
        def on_train_batch_end(self, batch, logs=None):
            if self.history and batch == 1:
                raise Stop

    whole = callbacks.Watch
    callbacks.Watch = Watch
    try:
        fit.train(RECIPE, dataset)
        raise AssertionError("nothing has stopped the training")
    except Stop:
        callbacks.Watch = whole
    taken_up = fit.train(RECIPE, dataset)
    alone = fit._Run(RECIPE, dataset.with_images(), 0, fit.Options(), {})
    arrays, _, _ = fit._fit(alone)
    again = weights.read(taken_up.folder / "weights.npz")
    return {f"alone {name}": array for name, array in arrays.items()} | {
        f"resumed {name}": array for name, array in again.items()
    }


def everything(folder):
    """All of it, and a row of a trained network's predictions."""
    dataset = tiny_dataset(folder / "images", again=not (folder / "images").exists())
    maps = {f"map {name}": array for name, array in networks_with_maps.heat_maps().items()}
    return predictions() | maps | fed(dataset) | unknown_labels() | resumed(dataset)


if __name__ == "__main__":
    name = load_keras().backend.backend()
    np.savez(Path(sys.argv[1]) / f"{name}.npz", **everything(Path(sys.argv[1])))
