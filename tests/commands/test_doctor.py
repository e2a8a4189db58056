"""`cxr doctor` and `cxr --version`: what is there, what is missing, and how to get it."""

import json
import sys
from importlib import metadata

import pytest

import cxr_utils
from cxr_utils.commands import doctor
from cxr_utils.networks import backend


def rows(cxr):
    status, out, err = cxr("doctor", "--json")
    assert not err
    return status, {row["what"]: row for row in json.loads(out)}


def test_a_machine_that_has_everything_is_described_and_nothing_is_to_mend(cxr, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(doctor, "_LEAST_MEMORY", 0)
    monkeypatch.setattr(doctor, "_LEAST_DISK", 0)
    status, found = rows(cxr)
    assert status == 0 and not any(row["mend"] for row in found.values())
    assert found["cxr-utils"]["found"].startswith(cxr_utils.__version__)
    assert found["keras"]["found"] == metadata.version("keras")
    assert found["backend"]["found"].startswith(f"{backend.backend()} {metadata.version(backend.backend())} on ")
    assert str(tmp_path / "home") in found["data and results"]["found"]
    assert not (tmp_path / "home").exists()  # looking makes nothing


def no_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)
    return "font of the figures", "Install matplotlib anew."


def no_library(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "LIBRARIES", ("no-such-library",))
    return "no-such-library", "pip install no-such-library"


def unknown_backend(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    return "backend", "Choose one of tensorflow, jax, torch"


def idle_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(backend, "has_gpu", lambda: True)
    monkeypatch.setattr(doctor, "_made_for_gpus", lambda name: False)
    return "backend", "There is a GPU that"


def file_for_a_folder(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "file"))
    return "cache", "Name another folder in CXR_CACHE."


def no_room(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_LEAST_DISK", 10**9)
    return "data and results", "Make room, or name another folder in CXR_HOME."


def no_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_LEAST_MEMORY", 10**9)
    return "memory", "run --jobs 1"


def old_python(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 0))
    return "Python", "3.11 to 3.13"


WRONG = [
    no_matplotlib, no_library, unknown_backend, idle_gpu, file_for_a_folder, no_room, no_memory, old_python,
]  # fmt: skip


@pytest.mark.parametrize("spoil", WRONG, ids=lambda spoil: spoil.__name__)
def test_what_is_wrong_is_named_with_how_to_mend_it(cxr, monkeypatch, tmp_path, spoil):
    what, mend = spoil(monkeypatch, tmp_path)
    status, found = rows(cxr)
    assert status == 1 and mend in found[what]["mend"]


def test_libraries_for_gpus_are_found_by_their_files(monkeypatch, tmp_path):
    names = "nvidia_cudnn_cu12-9.1.dist-info", "jax_cuda13_plugin-0.7.dist-info"
    places = [str(tmp_path / name.split("_")[0]) for name in names]
    for name, place in zip(names, places, strict=True):
        described = tmp_path / place / name / "METADATA"
        described.parent.mkdir(parents=True)
        described.write_text(f"Name: {name.split('-')[0].replace('_', '-')}\n")
    for backends, path in ((["tensorflow"], places[:1]), (["jax"], places[1:]), ([], [])):
        monkeypatch.setattr(sys, "path", path)
        assert [name for name in ("tensorflow", "jax") if doctor._made_for_gpus(name)] == backends
    library = tmp_path / "torch" / "lib" / "libtorch_cuda.so"
    library.parent.mkdir(parents=True)
    (tmp_path / "torch" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert not doctor._made_for_gpus("torch")
    library.touch()
    assert doctor._made_for_gpus("torch")


def test_no_backend_is_imported(loaded):
    out, modules = loaded("doctor")
    assert "backend" in out
    assert not {"keras", "tensorflow", "jax", "torch", "pandas", "matplotlib"} & modules


def test_for_people_it_is_a_line_each(cxr, monkeypatch):
    monkeypatch.setattr(doctor, "_LEAST_MEMORY", 10**9)
    status, out, _ = cxr("doctor")
    (line,) = [line for line in out.splitlines() if line.startswith("!")]
    assert status == 1 and line.split()[1] == "memory"


def test_the_version_is_said_and_nothing_heavy_is_loaded(loaded):
    out, modules = loaded("--version")
    assert out == f"cxr {cxr_utils.__version__}\n"
    assert not {"numpy", "pandas", "keras", "tensorflow"} & modules
