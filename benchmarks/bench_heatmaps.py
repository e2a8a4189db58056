"""Heat maps of 14 findings for 32 images: this package beside one gradient call per image and finding.

Run from the checkout: python benchmarks/bench_heatmaps.py [--repeats 3]
Both sides make the same 448 maps with the same network in the same process. The limit is for the loop as tutorials
write it: a GradientTape around the network, once for each image and finding. The same loop compiled by tf.function, its
tracing not counted, is printed beside it. DenseNet121's loop is timed on the first image and scaled, and says so.
Exits with 1 when the limit is missed or the maps differ.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from cxr_utils.heatmaps import gradcam
from cxr_utils.networks import models
from cxr_utils.networks.backend import load_keras, load_tensorflow

IMAGES, FINDINGS, LIMIT, TOLERANCE = 32, 14, 10, 1e-3


def network(name: str, size: int):
    """A network of the course with random weights, logits included: speed and agreement do not depend on training."""
    model = getattr(models, name)(size, FINDINGS, **({"weights": None} if name == "densenet121" else {}))
    kernel, bias = model.get_layer("logits").get_weights()
    drawn = np.random.default_rng(0).normal(0, 0.1, kernel.shape)
    model.get_layer("logits").set_weights([drawn, bias])
    return model


def loop(model, images: np.ndarray, *, compiled: bool) -> Callable[[int], np.ndarray]:
    """One gradient call per image and finding, for the first images: (images, findings, height, width)."""
    tensorflow = load_tensorflow()
    both = load_keras().Model(model.input, [model.get_layer(gradcam.last_map(model)).output, model.output])

    def one(image, finding):
        with tensorflow.GradientTape() as tape:
            features, logits = both(image, training=False)
            logit = logits[:, finding]
        weights = tensorflow.reduce_mean(tape.gradient(logit, features), axis=(1, 2), keepdims=True)
        heat = tensorflow.nn.relu(tensorflow.reduce_sum(weights * features, axis=-1))[0]
        return heat / tensorflow.maximum(tensorflow.reduce_max(heat), 1e-30)

    call = tensorflow.function(one) if compiled else one
    numbers = [tensorflow.constant(finding) for finding in range(FINDINGS)]
    call(tensorflow.constant(images[:1]), numbers[0])  # traces, and warms up

    def explain(count: int) -> np.ndarray:
        single = [tensorflow.constant(image[None]) for image in images[:count]]
        return np.stack([[call(image, finding).numpy() for finding in numbers] for image in single])

    return explain


def seconds_of(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Wall-clock seconds of a call, and what it returned."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def in_turn(first: Callable, second: Callable, repeats: int) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Median seconds of both, called in turn so that a busy machine is as busy for both; and what they returned."""
    runs = [(seconds_of(first), seconds_of(first), seconds_of(second)) for _ in range(repeats)]
    ours = statistics.median(seconds for one, two, _ in runs for seconds in (one[0], two[0]))
    theirs = statistics.median(other[0] for _, _, other in runs)
    return ours, theirs, runs[-1][1][1], runs[-1][2][1]


def compare(name: str, size: int, first: int, repeats: int) -> bool:
    """Prints one network's times; whether it is fast enough and both sides agree."""
    model = network(name, size)
    images = np.random.default_rng(1).normal(size=(IMAGES, size, size, 1)).astype(np.float32)
    gradcam.grad_cam(model, images)  # warms up
    scaled = "" if first == IMAGES else f" (timed on {first} of the images, and scaled)"
    print(f"{name} at {size} pixels, {IMAGES} images x {FINDINGS} findings")
    met = True
    for label, compiled in (("a gradient call each", False), ("a compiled gradient call each", True)):
        explain = loop(model, images, compiled=compiled)
        ours, theirs, maps, expected = in_turn(
            lambda: gradcam.grad_cam(model, images), lambda explain=explain: explain(first), repeats
        )
        theirs *= IMAGES / first
        ratio, gap = theirs / ours, float(np.abs(expected - maps[:first]).max())
        limit = "" if compiled else f"   limit {LIMIT}   {'met' if ratio >= LIMIT else 'MISSED'}"
        print(f"  cxr_utils.heatmaps.gradcam.grad_cam     {ours:9.3f} s   maps of {maps.shape[2]} x {maps.shape[3]}")
        print(f"  {label:<30} {theirs:9.3f} s   largest difference of a map {gap:.1e}{scaled}")
        print(f"  ratio                          {ratio:9.1f}{limit}")
        met &= gap < TOLERANCE and (compiled or ratio >= LIMIT)
    return met


def main() -> int:
    """Measures both networks; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    met = [compare("xray_cnn", 64, IMAGES, repeats), compare("densenet121", 96, 1, repeats)]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
