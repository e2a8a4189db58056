"""Networks of several shapes with the same weights on every backend, and their heat maps."""

import numpy as np

from cxr_utils.heatmaps import gradcam
from cxr_utils.networks import models
from cxr_utils.networks.backend import load_keras

SIZE, OUTPUTS = 32, 3


def body(name="body"):
    """Images to maps: what another model may take in as a layer."""
    keras = load_keras()
    image = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="first")(image)
    around = keras.layers.Conv2D(8, 1, strides=2, name="around")(x)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="tanh", name="through")(x)
    x = keras.layers.MaxPooling2D(2, name="pool")(keras.layers.Add(name="sum")([x, around]))
    return keras.Model(image, x, name=name)


def nested():
    """A model that contains two models as layers, one of them sequential, with layers of the same name."""
    keras = load_keras()
    image = keras.Input((SIZE, SIZE, 1))
    layers = [keras.layers.Conv2D(5, 3, activation="relu", name="first"), keras.layers.Flatten()]
    top = keras.Sequential(layers, name="top")
    hidden = keras.layers.Dense(7, activation="tanh", name="hidden")(top(body()(image)))
    return keras.Model(image, keras.layers.Dense(OUTPUTS, name="logits")(hidden), name="nested")


def unnested():
    """The same network without models in it; its layers take the same weights in the same order."""
    keras = load_keras()
    flat = body()
    x = keras.layers.Conv2D(5, 3, activation="relu", name="top_first")(flat.output)
    hidden = keras.layers.Dense(7, activation="tanh", name="hidden")(keras.layers.Flatten()(x))
    return keras.Model(flat.input, keras.layers.Dense(OUTPUTS, name="logits")(hidden), name="unnested")


def with_weights(model, seed=0):
    """The model, its weights drawn by numpy, so that every backend has the same."""
    generator = np.random.default_rng(seed)
    drawn = [generator.normal(0, 0.4, weight.shape) for weight in model.get_weights()]
    # variances of a normalisation must be positive
    names = [weight.name for weight in model.weights]
    model.set_weights([np.abs(w) + 0.5 if "variance" in n else w for n, w in zip(names, drawn, strict=True)])
    return model


def heat_maps():
    """Maps by network, layer and method: flat, nested and residual, at the last layer and at earlier ones."""
    images = np.random.default_rng(1).normal(size=(4, SIZE, SIZE, 1)).astype(np.float32)
    networks = {
        nested: [None, "body/first", "body/through", "body", "top/first"],
        lambda: models.xray_cnn(SIZE, OUTPUTS): [None, "block2_a_relu"],
        lambda: models.normal_abnormal_cnn(SIZE, OUTPUTS): [None],
    }
    found = {}
    for build, layers in networks.items():
        model = with_weights(build())
        for layer in layers:
            for method in gradcam.METHODS:
                name = f"{model.name} {layer} {method}".replace("/", ".")
                found[name] = gradcam.grad_cam(model, images, [2, 0], layer, method=method)
    return found
