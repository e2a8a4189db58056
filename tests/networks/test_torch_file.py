"""PyTorch's old format, read without it: files written here byte by byte, whole, damaged and malicious."""

import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from cxr_utils.errors import RecipeError
from cxr_utils.networks import torch_file

MAGIC, MACHINE = 0x1950A86A20F9469CFC6C, {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
NUMBERS = {"7": np.arange(24, dtype="<f4") / 8, "12": np.arange(3), "3": np.array([1.5, 2.5], "<f2")}
KINDS = {"<f4": "FloatStorage", "<i8": "LongStorage", "<f2": "HalfStorage"}


class Named:
    """What a pickle names, and its reader would import."""

    def __init__(self, module, name):
        self.names = f"c{module}\n{name}\n".encode()

    def __call__(self):
        """Pickle asks that it could be called."""


class Called:
    """What a pickle says is made by calling something."""

    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


class Stored:
    """A storage, which a pickle refers to."""

    def __init__(self, key, kind=None, length=None, view=None, about="storage"):
        kind, length = (
            kind or Named("torch", KINDS[NUMBERS[key].dtype.str]),
            len(NUMBERS[key]) if length is None else length,
        )
        self.reference = (about, kind, key, "cpu", length, view)


class Writer(pickle._Pickler):
    def persistent_id(self, given):
        return given.reference if isinstance(given, Stored) else None

    def save(self, given, **options):
        self.write(given.names) if isinstance(given, Named) else super().save(given, **options)


def tensor(storage, offset, shape, stride, hooks=(), *more):
    given = (storage, offset, shape, stride, False, OrderedDict(hooks), *more)
    return Called(Named("torch._utils", "_rebuild_tensor_v2"), *given)


def usual():
    """Four tensors in three storages, one of them transposed and one a single number."""
    state = OrderedDict(
        a=tensor(Stored("7"), 0, (2, 3), (3, 1)),
        b=tensor(Stored("7"), 6, (3, 2, 3), (1, 9, 3)),
        c=tensor(Stored("12"), 1, (), ()),
        d=tensor(Stored("3"), 0, (1,), (1,)),
    )
    state._metadata = {"": {"version": 1}}
    return state


def written(path, state=None, magic=MAGIC, protocol=1001, machine=MACHINE, keys=tuple(NUMBERS), numbers=NUMBERS):
    """A file of these parts, in this order."""
    with open(path, "wb") as file:
        for part in (magic, protocol, machine, usual() if state is None else state, keys):
            Writer(file, 2).dump(part)
        for array in numbers.values():
            file.write(struct.pack("<q", len(array)) + array.tobytes())
    return path


def test_tensors_are_read_from_their_places_in_storages(tmp_path):
    found = torch_file.read(written(tmp_path / "w.pth"))
    eighths = np.arange(24) / 8
    assert list(found) == ["a", "b", "c", "d"]
    assert np.array_equal(found["a"], eighths[:6].reshape(2, 3))
    assert np.array_equal(found["b"], eighths[6:].reshape(2, 3, 3).transpose(2, 0, 1))
    assert found["c"].shape == () and found["c"] == 1 and found["d"].tolist() == [1.5]
    assert [array.dtype.str for array in found.values()] == ["<f4", "<f4", "<i8", "<f2"]


def opening(path):
    return Called(Named("builtins", "open"), str(path), "w")


@pytest.mark.parametrize("place", ["magic", "protocol", "machine", "state", "keys"])
def test_a_pickle_that_calls_anything_else_is_refused_before_it_does(place, tmp_path):
    path, mark = tmp_path / "w.pth", tmp_path / "was called"
    written(path, **{place: [opening(mark)]})
    with pytest.raises(RecipeError, match="w.pth cannot be read: it names builtins.open.*Expected a file of tensors"):
        torch_file.read(path)
    assert not mark.exists()


def beside(**more):
    return {"state": OrderedDict(usual(), **more)}


def with_numbers(**changed):
    return {"numbers": {key: changed.get(f"n{key}", array) for key, array in NUMBERS.items()}}


REBUILD = Named("torch._utils", "_rebuild_parameter")
REFUSED = {
    "called inside": (beside(e=opening("/tmp/x")), "it names builtins.open"),
    "a parameter": (beside(e=Called(REBUILD, 1, True, {})), "it names torch._utils._rebuild_parameter"),
    "a name's part": (beside(e=Named("collections", "OrderedDict.fromkeys")), "names collections.OrderedDict.fromkeys"),
    "a number": (beside(e=3), "it holds 'e', which is no tensor"),
    "a dictionary of tensors": (beside(e=usual()), "it holds 'e', which is no tensor"),
    "a type": (beside(e=Named("torch", "FloatStorage")), "it holds 'e', which is no tensor"),
    "a name that is none": ({"state": OrderedDict(usual()) | {3: usual()["a"]}}, "it holds 3, which is no tensor"),
    "no dictionary": ({"state": [1, 2]}, "w.pth cannot be read"),
    "hooks": (beside(e=tensor(Stored("3"), 0, (2,), (1,), {"a": 1})), "tensor 'e' has hooks"),
    "metadata": (beside(e=tensor(Stored("3"), 0, (2,), (1,), {}, {"a": 1})), "w.pth cannot be read"),
    "beyond its storage": (beside(e=tensor(Stored("3"), 1, (2,), (1,))), "not lie within its storage of 2 numbers"),
    "by its stride": (beside(e=tensor(Stored("7"), 0, (2, 2), (23, 1))), "not lie within its storage of 24"),
    "larger than its storage": (beside(e=tensor(Stored("3"), 0, (10**9,), (0,))), "not lie within its storage of 2"),
    "before its storage": (beside(e=tensor(Stored("3"), -1, (2,), (1,))), "it gives -1 where a number"),
    "backwards": (beside(e=tensor(Stored("3"), 1, (2,), (-1,))), "it gives -1 where a number"),
    "no number": (beside(e=tensor(Stored("3"), 0, (2.0,), (1,))), "it gives 2.0 where a number"),
    "of unknown type": (
        beside(e=tensor(Stored("3", Named("torch", "BFloat16Storage")), 0, (2,), (1,))),
        "torch.BFloat16Storage",
    ),
    "a view": (beside(e=tensor(Stored("3", view=("4", 0, 1)), 0, (1,), (1,))), "no storage of its own"),
    "another reference": (beside(e=tensor(Stored("3", about="module"), 0, (1,), (1,))), "refers to 'module'"),
    "of no type of its own": (beside(e=tensor(Stored("3", "S2"), 0, (1,), (1,))), "no storage of its own"),
    "two lengths": (beside(e=tensor(Stored("3", length=1), 0, (1,), (1,))), "it lists 3 storages"),
    "two types": (beside(e=tensor(Stored("3", Named("torch", "FloatStorage")), 0, (1,), (1,))), "it lists 3 storages"),
    "unlisted": ({"keys": ["7", "12"]}, "it lists 2 storages where its tensors lie in 3"),
    "listed and unused": ({"keys": ["7", "12", "3", "4"]}, "it lists 4 storages where its tensors lie in 3"),
    "another length": (with_numbers(n7=np.arange(23, dtype="<f4")), "storage 7 should hold 24 numbers"),
    "one storage too many": ({"numbers": NUMBERS | {"4": np.arange(2)}}, "goes on for 24 bytes"),
    "another magic": ({"magic": 1}, "magic number"),
    "another protocol": ({"protocol": 1002}, "protocol 1001"),
    "another order of bytes": ({"machine": MACHINE | {"little_endian": False}}, "little-endian"),
}


@pytest.mark.parametrize("parts, told", REFUSED.values(), ids=REFUSED)
def test_what_is_no_whole_dictionary_of_tensors_is_refused(parts, told, tmp_path):
    with pytest.raises(RecipeError, match=told):
        torch_file.read(written(tmp_path / "w.pth", **parts))


def test_a_file_that_ends_early_anywhere_is_refused_and_one_that_goes_on_too(tmp_path):
    whole = written(tmp_path / "w.pth").read_bytes()
    for given in [*(whole[:length] for length in range(len(whole))), whole + b"\0"]:
        (tmp_path / "w.pth").write_bytes(given)
        with pytest.raises(RecipeError, match="w.pth cannot be read.*Expected .*Install the package again"):
            torch_file.read(tmp_path / "w.pth")


def test_any_damaged_byte_gives_tensors_or_a_refusal(tmp_path):
    whole, refused = written(tmp_path / "w.pth").read_bytes(), 0
    for place in range(len(whole)):
        (tmp_path / "w.pth").write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            assert all(isinstance(array, np.ndarray) for array in torch_file.read(tmp_path / "w.pth").values())
        except RecipeError:
            refused += 1
    assert refused > len(whole) / 2


def test_the_new_format_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as file:
        file.writestr("archive/data.pkl", b"")
    with pytest.raises(RecipeError, match="PyTorch's new format, a zip file.*Expected a file of tensors"):
        torch_file.read(tmp_path / "w.pth")
