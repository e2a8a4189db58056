"""benchmarks/gpu.py without a GPU: what travels, what is cut and goes on, what the page says."""

import json
import os
import re
import subprocess
import sys
import time
from argparse import Namespace

import psutil
import pytest
from tiny_dataset import tiny_dataset
from toy_course import EXERCISE, HEADER, PARAMETERS, REPOSITORY, make_course

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
import gpu  # noqa: E402
import gpu_state  # noqa: E402
from gpu_state import State  # noqa: E402

from cxr_utils.course.lessons import find_lessons  # noqa: E402
from cxr_utils.course.record import Result, write_record  # noqa: E402
from cxr_utils.course.run import run as run_lessons  # noqa: E402
from cxr_utils.errors import CxrError  # noqa: E402
from cxr_utils.networks import recipes  # noqa: E402

pytestmark = pytest.mark.skipif(os.name == "nt", reason="benchmarks/gpu.py is for a machine with Linux")


def put(path, size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def machine(root, state, **settings):
    return State(state, {"seed": 0} | settings, root / "runs", root / "cache")


def test_lessons_and_the_smallest_networks_travel(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_state, "ROOM", 5000)
    one, two = tmp_path / "one", tmp_path / "two"
    for name in ("run.json", "01_a.ipynb", "01_a.html", ".02_b.part.ipynb", ".lock"):
        put(one / "runs" / name)
    small, large = put(one / "cache/models/small/weights.npz", 2000), put(one / "cache/models/large/weights.npz", 6000)
    learning = put(one / "cache/training/learning/state.npz", 1000)
    put(one / "cache/models/half.x.part/weights.npz", 20)
    put(one / "cache/training/torn/state.npz.7.part", 20)
    put(one / "cache/models/small.lock")
    here = machine(one, tmp_path / "state")
    here.keep(auc=1)
    here.pack()
    assert {file.name for file in here.folder.iterdir()} == {"results.json", "lessons.zip", "networks.zip"}
    assert sum(file.stat().st_size for file in here.folder.iterdir()) < 5000
    there = machine(two, tmp_path / "state")
    there.unpack()
    arrived = {str(path.relative_to(two)) for path in two.rglob("*") if path.is_file()}
    kept = {"cache/models/small/weights.npz", "cache/training/learning/state.npz"}
    assert arrived == {"runs/run.json", "runs/01_a.ipynb"} | kept
    assert (two / "cache/models/small/weights.npz").read_bytes() == small.read_bytes() != large.read_bytes()
    assert (two / "cache/training/learning/state.npz").read_bytes() == learning.read_bytes()
    assert there.read()["auc"] == 1


def test_what_a_warm_machine_has_is_newer(tmp_path):
    put(tmp_path / "one/runs/run.json"), put(tmp_path / "one/cache/training/x/state.npz")
    state = machine(tmp_path / "one", tmp_path / "state")
    state.pack()
    run, epoch = put(tmp_path / "one/runs/run.json", 11), put(tmp_path / "one/cache/training/x/state.npz", 11)
    state.unpack()
    assert [path.stat().st_size for path in (run, epoch)] == [11, 11]


def test_another_runs_state_is_refused(tmp_path):
    machine(tmp_path, tmp_path / "state").keep(auc=1)
    with pytest.raises(CxrError, match="--state"):
        machine(tmp_path, tmp_path / "state", seed=1)


STEP = """
import signal, subprocess, sys, time
from pathlib import Path
stubborn, pids = "stubborn" in sys.argv, Path(sys.argv[1])
sleeping = "import time; time.sleep(600)"
# Set both ways: what a shell has started in the background ignores SIGINT from the beginning.
signal.signal(signal.SIGINT, signal.SIG_IGN if stubborn else signal.default_int_handler)
child = subprocess.Popen([sys.executable, "-c", sleeping])
pids.with_suffix(".new").write_text(str(child.pid))
try:
    pids.with_suffix(".new").replace(pids)  # who sees it may interrupt at once
    time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", file=open(pids.with_name("said"), "w"))
    child.kill()
"""


def has_ended(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_step_is_cut_with_all_that_it_has_started(tmp_path, monkeypatch, stubborn):
    (tmp_path / "step.py").write_text(STEP)
    monkeypatch.setattr(gpu, "__file__", str(tmp_path / "step.py"))
    monkeypatch.setattr(gpu, "TICK", 0.1)
    if stubborn:
        monkeypatch.setattr(gpu, "GRACE", 0.2)
    arguments = [str(tmp_path / "pids"), *(["stubborn"] if stubborn else [])]

    def started(since):  # called at every tick
        if (tmp_path / "pids").exists():
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr(gpu, "how_far", started)
    assert gpu.carry_out("auc", arguments, time.monotonic() + 60) is None
    assert (tmp_path / "said").exists() != stubborn
    pid = int((tmp_path / "pids").read_text())
    assert any(has_ended(pid) or time.sleep(0.05) for _ in range(100))


def test_no_step_begins_when_time_is_up(monkeypatch):
    monkeypatch.setattr(gpu.subprocess, "Popen", None)  # a call would raise
    assert gpu.carry_out("auc", [], time.monotonic()) is None


@pytest.fixture
def run(tmp_path, monkeypatch):
    lessons = {name: HEADER + PARAMETERS for name in ("L01_one", "L02_two")}
    (tmp_path / "course").mkdir()
    monkeypatch.setenv("CXR_HOME", str(make_course(tmp_path / "course", **lessons)))
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    return gpu.Run(Namespace(rehearse=False, seed=0, data="phantom", state=tmp_path / "state"))


def test_a_call_ends_when_time_is_up_and_says_what_is_left(run, monkeypatch, capsys, tmp_path):
    ends = {"pictures": 0, "speed": 0, "lessons": None}
    called = []
    monkeypatch.setattr(gpu, "carry_out", lambda step, *_: called.append(step) or ends[step])
    monkeypatch.setattr(gpu, "prepare_kernels", lambda folder: None)
    assert gpu.whole(run, [], 0) == 3
    assert called == ["pictures", "speed", "lessons"]
    assert "goes on" in capsys.readouterr().out
    assert "Not measured yet." in (tmp_path / "state" / "gpu.md").read_text()


@pytest.mark.parametrize(("step", "steps"), [("pictures", 1), ("speed", 4)])
def test_a_step_that_fails_is_told_and_only_pictures_are_needed_by_the_others(run, monkeypatch, step, steps):
    called = []
    monkeypatch.setattr(gpu, "carry_out", lambda one, *_: called.append(one) or int(one == step))
    monkeypatch.setattr(gpu, "prepare_kernels", lambda folder: None)
    assert gpu.whole(run, [], 0) == 1
    assert len(called) == steps


def test_speed_goes_on_after_the_last_round_unless_the_machine_is_another(run, monkeypatch, tmp_path):
    small = {"size": 32, "epochs": 1, "batch_size": 12}
    monkeypatch.setattr(recipes, "_FULL", {name: values | small for name, values in recipes._FULL.items()})
    monkeypatch.setattr(gpu, "RECIPE", "xray-vision")
    run.dataset, run.rounds = tiny_dataset(tmp_path / "images"), 2
    measure, calls = gpu.epoch_rates, []

    def cut(*given):
        calls.append(given)
        if len(calls) == 3:  # each round has two
            raise KeyboardInterrupt
        return measure(*given) if len(calls) < 3 else [1.0, 1.0]

    monkeypatch.setattr(gpu, "epoch_rates", cut)
    with pytest.raises(KeyboardInterrupt):
        gpu.speed(run)
    (first,) = run.state.read()["speed"]
    assert len(first["fed"]) == len(first["unfed"]) == gpu.EPOCHS - 1
    gpu.speed(run)
    assert run.state.read()["speed"][0] == first and len(run.state.read()["speed"]) == 2 and len(calls) == 5
    gpu.speed(run)
    assert len(calls) == 5
    run.state.keep(machine=["- device: another"])
    gpu.speed(run)
    assert len(calls) == 9 and first not in run.state.read()["speed"]
    gpu.auc(run)
    page = gpu.page(run)
    assert "36 training images, 12 test images; 1 epochs" in page and page.count("| Nodule |") == 1
    assert "36 images of 32 pixels, batches of 12, all layers trained, float32; 2 rounds" in page


@pytest.mark.parametrize(("fed", "verdict"), [(91, "9.0%"), (90, "reached"), (80, "missed"), (120, "0.0%")])
def test_waiting_is_what_batches_from_memory_do_not_need(fed, verdict):
    rounds = [{"fed": [fed, 1, 1000], "unfed": [100], "predicted": [7]}]
    assert verdict in "\n".join(gpu.speed_lines(rounds, "few"))


def test_the_page_shows_findings_lessons_and_claims_that_failed(run):
    run.state.keep(auc={"about": "9 images", "rows": {"Mass": {"auc": 0.75, "low": 0.5, "high": 0.875}}})
    result = Result("01_one", "key", None, 12.0, 900, held=3, failed=1, not_applicable=0, headline="all well")
    run.folder.mkdir(parents=True)
    write_record(run.folder / "run.json", gpu.asdict(run.lessons), {"01_one": result})
    output = {"output_type": "stream", "name": "stdout", "text": ["✓ claim: a\n", "✗ claim: b\n"]}
    notebook = {"cells": [{"cell_type": "code", "outputs": [output]}, {"cell_type": "markdown"}]}
    (run.folder / "01_one.ipynb").write_text(json.dumps(notebook))
    page = gpu.page(run)
    assert "| Mass | 0.750 | 0.500 to 0.875 |" in page
    assert "| 01_one | 3/4 | 12 | 900 | well | all well |" in page
    assert "| 02_two |  |  |  | not yet |  |" in page
    assert "- 01: b\n" in page and "- 01: a" not in page


FALSE = """
# %%
import cxr_utils as cxr

cxr.claims({"Two is three": 2 == 3})

# %%
cxr.claims({"It has gone on, with small recipes": cxr.recipe("course", "full").epochs == 1})
cxr.claims({"No name was left behind": not {"sys", "gpu_kernel"} & set(globals())})
"""


def test_a_false_claim_ends_no_lesson(tmp_path, monkeypatch):
    course = tmp_path / "course"
    course.mkdir()
    make_course(course, L01_one=HEADER + PARAMETERS + EXERCISE + FALSE)
    for name in ("IPYTHONDIR", "TQDM_MININTERVAL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("CXR_REHEARSAL", "1")
    gpu.prepare_kernels(tmp_path / "ipython")
    (result,) = run_lessons(find_lessons(course), gpu.Settings(profile="full"), tmp_path / "run")
    assert result.error is None
    assert (result.held, result.failed) == (2, 1)


def test_the_commands_of_a_call_are_short_enough_and_name_files_that_there_are():
    commands = [line.strip() for line in gpu.__doc__.splitlines() if line.startswith("    ")][1:]
    assert len("; ".join(commands)) < 2000
    scripts = set(re.findall(r"benchmarks/\w+\.(?:py|sh)", gpu.__doc__))
    assert len(scripts) == 3 and all((REPOSITORY / name).exists() for name in scripts)


PYTHON = """#!/bin/sh
# A Python whose package index holds a few names.
case "$*" in
  *version_info*) exit 0 ;;
  *"pip install"*report*)
    for last; do :; done
    {real} - "$last" "$*" <<'END'
import json, re, sys
asked = open(re.search(r"-r (\\S+)", sys.argv[2])[1]).read()
names = [name for name in ("numpy", "keras", "jupyterlab", "nbval") if re.search(rf"^{{name}}\\b", asked, re.M)]
found = [{{"metadata": {{"name": name, "version": "1"}}}} for name in [*names, "six"]]
open(sys.argv[1], "w").write(json.dumps({{"install": found}}))
END
    ;;
  *"pip download"*)
    for last; do :; done
    cp "$last" "{folder}/asked"
    while [ "$1" != -d ]; do shift; done
    truncate -s {size} "$2/a.whl"
    ;;
  *"pip install"*)
    while [ "$1" != --target ]; do shift; done
    mkdir -p "$2"
    ;;
  *) exec {real} "$@" ;;
esac
"""


@pytest.mark.parametrize(("size", "status"), [(69_999_999, 0), (70_000_001, 1)])
def test_wheels_are_what_is_not_there_and_at_most_70_megabytes(tmp_path, size, status):
    stub = tmp_path / "python"
    stub.write_text(PYTHON.format(real=sys.executable, folder=tmp_path, size=size))
    stub.chmod(0o755)
    done = subprocess.run(
        [REPOSITORY / "benchmarks" / "gpu_wheels.sh", tmp_path / "wheels"],
        env={**os.environ, "PYTHON": str(stub)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert (tmp_path / "asked").read_text().split() == ["keras==1"]  # six comes with what is there
    assert (tmp_path / "wheels.tar.xz").exists() == (status == 0)
    assert f"{size}" in done.stderr if status else "1 wheels, 70.0 MB" in done.stdout


def test_a_rehearsal_needs_a_backend_that_needs_no_tensorflow():
    script = REPOSITORY / "benchmarks" / "gpu_rehearsal.sh"
    done = subprocess.run([script, "tensorflow"], capture_output=True, text=True)
    assert done.returncode == 2 and "jax|torch" in done.stderr
