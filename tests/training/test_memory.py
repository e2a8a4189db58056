"""Memory worked out by hand, and which batch is advised when it runs out."""

from types import SimpleNamespace

import pytest

from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_keras
from cxr_utils.training import memory


@pytest.fixture(scope="module")
def network():
    """Numbers put out: 16 of the image, 3 x 16 of the convolution, 48 once more flat, 5 of the dense layer: 117."""
    keras = load_keras()
    layers = keras.layers
    image = keras.Input((4, 4, 1))
    flat = layers.Flatten()(layers.Conv2D(3, 1, trainable=False, name="frozen")(image))
    return keras.Model(image, layers.Dense(5, name="learning")(flat), name="small")


def test_an_image_costs_each_output_twice_and_a_learning_weight_four_times(network):
    assert memory.bytes_per_image(network) == 2 * 4 * (16 + 48 + 48 + 5)
    frozen, learning = 3 + 3, 48 * 5 + 5
    assert memory.bytes_of_weights(network) == 4 * (frozen + 4 * learning)


@pytest.mark.parametrize(
    ("images", "too_many", "advised"),
    [(0.5, 64, 1), (1.001, 64, 1), (1.999, 64, 1), (2.001, 64, 2), (33, 64, 32), (63, 512, 32), (64.1, 512, 64),
     (100, 64, 32), (100, 33, 16), (100, 2, 1), (100, 1, 1)],
)  # fmt: skip
def test_the_largest_power_of_two_that_fits_into_four_fifths_and_into_half_of_what_failed(
    network, images, too_many, advised
):
    needed = 4 * (6 + 4 * 245) + images * 2 * 4 * 117
    assert memory.batch_that_fits(network, needed / 0.8, too_many) == advised


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: 9 GiB"), RuntimeError("CUDA out of memory"),
     ValueError("Unable to allocate 3 GiB for an array"), RuntimeError("OOM when allocating tensor")],
)  # fmt: skip
def test_a_shortage_names_what_is_needed_what_is_free_and_what_fits(network, monkeypatch, error):
    monkeypatch.setattr(memory, "free_bytes", lambda: 2**20)
    # 3,944 bytes of weights and 936 an image: 4,096 images need 3.66 MiB; four fifths of 1 MiB hold 892 of them
    message = "batch_size=4096, for which small needs about 4 MiB. Expected what fits into 1 MiB. Use batch_size=512.$"
    with pytest.raises(RecipeError, match=message), memory.shortage_explained(network, 4096):
        raise error
    monkeypatch.setattr(memory, "free_bytes", lambda: 10_000)
    with (
        pytest.raises(RecipeError, match="Use batch_size=4, or smaller images.$"),
        memory.shortage_explained(network, 8),
    ):
        raise error


def test_eight_images_need_not_be_smaller(network, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 20_000)
    with pytest.raises(RecipeError, match="Use batch_size=8.$"), memory.shortage_explained(network, 64):
        raise MemoryError


def test_another_error_is_left_as_it_is(network):
    with pytest.raises(KeyError, match="something else"), memory.shortage_explained(network, 4):
        raise KeyError("something else")


def test_what_is_free_is_what_the_system_says(monkeypatch):
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=12345))
    monkeypatch.setattr(memory.backend, "gpus", lambda: 0)
    assert memory.free_bytes() == 12345


def test_of_a_gpu_it_is_what_its_driver_says(monkeypatch):
    import subprocess

    monkeypatch.setattr(memory.backend, "gpus", lambda: 1)
    monkeypatch.setattr(subprocess, "run", lambda *given, **how: SimpleNamespace(stdout="81559\n24564\n"))
    assert memory.free_bytes() == 81559 * 1024 * 1024
    monkeypatch.setattr(subprocess, "run", lambda *given, **how: SimpleNamespace(stdout=""))
    assert memory.free_bytes() == 0
