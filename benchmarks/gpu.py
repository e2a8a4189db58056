"""What a GPU makes of the course, as a page: benchmarks/gpu.md.

    python benchmarks/gpu.py [--minutes M] [--state FOLDER] [--data FOLDER] [--seed N] [--rehearse]

Four steps, each in a process of its own, which gives the GPU's memory back when it ends:
- pictures: 20,000 simulated radiographs, made on the spot by all cores (35 a second on two; whole or not at all);
- speed: images a second in training, with batches from the pipeline, as a median over epochs but the first of each
  round; the share of time in which the device waits for data, which the same epochs with one batch from memory, over
  and over, do not need; images a second in prediction. Frozen parts are trained too;
- lessons: all of them under papermill, as `cxr run --profile full` runs them, with what every lesson claims;
- auc: of every finding on the test part, with 95 % intervals over patients, of one recipe's network.

What takes minutes says how far it is. After `--minutes` the step in hand is stopped, the page is written as far as it
goes, and the same command goes on: speed after the last round, lessons after the last that has ended, training after
the last epoch. The exit status is 0 when all is done and held, 1 when a step, a lesson or a claim failed, 3 when
something is left. `KERAS_BACKEND` chooses the backend. `--rehearse` does the same with few small images and one epoch.

A machine may be lent for minutes, reach nothing, forget everything, and hold a backend, NumPy, pandas, scikit-learn,
SciPy, Matplotlib, seaborn and OpenCV on Python 3.12. For that, here: `benchmarks/gpu_wheels.sh && mkdir -p runs/gpu`.
There, with the ignored paths `runs/gpu-wheels.tar.xz` and `runs/gpu` carried, as often as something is left:

    export PYTHONPATH=/tmp/site:$PWD JUPYTER_PATH=/tmp/site/share/jupyter KERAS_BACKEND=jax PYTHONUNBUFFERED=1
    [ -d /tmp/site ] || python3 -m tarfile --filter data -e runs/gpu-wheels.tar.xz /tmp/site
    mkdir -p runs/gpu; cp -r runs/gpu "$OUT/gpu"; python3 benchmarks/gpu.py --minutes 9 --state "$OUT/gpu"

and here, after each call, what came back into `runs/gpu` (`gpu_state.py` says what it is), and in the end its `gpu.md`
to benchmarks/. While the machine is warm, all that it has computed is there; later, only what has travelled.
`benchmarks/gpu_rehearsal.sh jax` does all this here.
"""

import argparse
import contextlib
import functools
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import gpu_kernel
import numpy as np
import psutil
from gpu_state import State

from cxr_utils import cache
from cxr_utils.checks.claim import FAILED
from cxr_utils.course.lessons import find_lessons
from cxr_utils.course.record import Result, read_record, total
from cxr_utils.course.run import Settings
from cxr_utils.course.run import run as run_lessons
from cxr_utils.data import pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.errors import CxrError
from cxr_utils.evaluation.metrics import auc_table
from cxr_utils.networks import losses, transfer
from cxr_utils.networks.backend import backend, load_keras
from cxr_utils.networks.recipes import recipe
from cxr_utils.networks.trained import build
from cxr_utils.phantom.cohort import make_cohort
from cxr_utils.training import devices, fit, pipeline

RECIPE = "lite0-transfer"
TICK, GRACE = 30, 20  # seconds between two lines that say how far it is; seconds in which a step may end by itself
EPOCHS = 3
MOST_WAITING = 0.10


class Run:
    """What is asked for, and where it lies.

    Args:
        asked: the command line.
    """

    def __init__(self, asked: argparse.Namespace) -> None:
        self.rehearse, self.seed = asked.rehearse, asked.seed
        rounds, images, cohort = (1, 48, 320) if asked.rehearse else (3, 4000, 20_000)
        self.rounds, self.images, self.cohort = rounds, images, cohort
        data = "phantom" if asked.data == "phantom" else str(Path(asked.data).resolve())
        self.data = str(cache.root() / f"rehearsal-{cohort}") if asked.rehearse else data
        self.lessons = Settings(self.data, "full", asked.seed)
        self.folder = cache.home() / "runs" / self.lessons.name
        settings = {"data": Path(self.data).name, "seed": self.seed, "backend": backend(), "rehearsal": self.rehearse}
        self.state = State(asked.state, settings, self.folder, cache.root())

    @functools.cached_property
    def dataset(self) -> Dataset:
        """Of images that have a file; simulated ones are made where they are missing."""
        return open_dataset(self.data, profile="full", seed=self.seed).with_images()

    def results(self) -> dict[str, Result]:
        """Of the lessons that have ended."""
        return read_record(self.folder / "run.json", asdict(self.lessons))


def pictures(run: Run) -> None:
    """Make the data set, where it is simulated."""
    if run.rehearse:
        make_cohort(run.data, images=run.cohort, size=128, seed=run.seed)
    print(f"{len(run.dataset):,} images", flush=True)


def lessons(run: Run) -> None:
    """Run the lessons that have not ended well before."""
    run_lessons(find_lessons(cache.home()), run.lessons, run.folder, resume=True)


def machine() -> list[str]:
    """What it is measured on."""
    keras = load_keras()
    name = backend()
    if name == "jax":
        import jax as framework

        found = [device.device_kind for device in framework.devices()]
    elif name == "torch":
        import torch as framework

        found = [framework.cuda.get_device_name(number) for number in range(framework.cuda.device_count())] or ["cpu"]
    else:
        import tensorflow as framework

        kinds = framework.config.list_physical_devices("GPU") or framework.config.list_physical_devices("CPU")
        details = [framework.config.experimental.get_device_details(kind) for kind in kinds]
        found = [one.get("device_name", kind.device_type) for one, kind in zip(details, kinds, strict=True)]
    versions = f"Keras {keras.__version__} on {name} {framework.__version__}, NumPy {np.__version__}"
    return [
        f"- device: {', '.join(found)}; {os.cpu_count()} processor cores",
        f"- {versions}, Python {platform.python_version()}, {platform.system()}",
        f"- code {cache.code_version(*fit.CODE)}",
    ]


def epoch_rates(model, batches, steps: int, images: int) -> list[float]:
    """Images a second of each epoch but the first."""
    keras = load_keras()

    class Clock(keras.callbacks.Callback):
        """Notes when epochs end."""

        def on_epoch_end(self, epoch, logs=None):
            ends.append(time.perf_counter())

    ends: list[float] = []
    model.fit(
        pipeline.for_keras(batches), steps_per_epoch=steps, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[Clock()]
    )
    return (images / np.diff(ends)).tolist()


def speed(run: Run) -> None:
    """Images a second in training and prediction, and how long the device waits for them; kept after every round."""
    keras = load_keras()
    here, known = machine(), run.state.read()
    measured = known["speed"] if known.get("machine") == here and "speed" in known else []
    if len(measured) == run.rounds:
        return
    asked = replace(recipe(RECIPE, "full"), trainable="all")
    part = run.dataset.part("train")
    part = part.subset(np.arange(min(run.images, len(part))), part.name)
    pixelstore.pixels(part, asked.size)  # decoding is not what is measured here: see bench_input.py
    read = pixelstore.reader(part, asked.size)
    with devices.computing_in(devices.precision(asked.mixed_precision)):
        model = fit.compiled(build(asked, len(part.findings)), keras.optimizers.Adam(asked.learning_rate), losses.bce())
    steps, whole = -(-len(part) // asked.batch_size), len(part) // asked.batch_size
    how = {"augment": asked.augment, "shuffle_seed": 0, "epochs": range(EPOCHS)}

    while len(measured) < run.rounds:
        batches = pipeline.batches(read, part.labels, asked.batch_size, **how)
        fed = epoch_rates(model, batches, steps, len(part))
        unfed = epoch_rates(model, [batches[0]] * (whole * EPOCHS), whole, whole * asked.batch_size)
        started = time.perf_counter()
        list(transfer.in_chunks(model, read, np.arange(len(part))))
        measured.append({"fed": fed, "unfed": unfed, "predicted": [len(part) / (time.perf_counter() - started)]})
        about = f"{len(part):,} images of {asked.size} pixels, batches of {asked.batch_size}, all layers trained, "
        about += devices.precision(asked.mixed_precision)
        run.state.keep(machine=here, speed=measured, about=about)
        print(f"round {len(measured)} of {run.rounds}: {statistics.median(fed):,.0f} images/s", flush=True)


def auc(run: Run) -> None:
    """AUC of every finding, of the network that the recipe makes."""
    if "auc" in run.state.read():
        return
    trained, test = (
        fit.train(recipe(RECIPE, "full"), run.dataset, run.seed, options=fit.Options(verbose=True)),
        run.dataset.part("test"),
    )
    table = auc_table(test.table, trained.predict(test), test.patients)
    sizes = f"{trained.card['images']['train']:,} training images, {len(test):,} test images"
    about = f"{sizes}; {trained.history['epoch'].max()} epochs in {trained.card['seconds']:,.0f} s."
    run.state.keep(auc={"about": about, "rows": {name: row.to_dict() for name, row in table.iterrows()}})


STEPS: dict[str, Callable[[Run], None]] = {"pictures": pictures, "speed": speed, "lessons": lessons, "auc": auc}


def page(run: Run) -> str:
    """The figures so far, in Markdown."""
    known, results = run.state.read(), run.results()
    title = "# A rehearsal, which measures nothing" if run.rehearse else "# The course on one machine"
    lines = [title, "", "`python benchmarks/gpu.py` printed this.", "", *known.get("machine", []), "", "## Speed", ""]
    lines += speed_lines(known["speed"], known["about"]) if "speed" in known else ["Not measured yet."]
    lines += ["", f"## `{RECIPE}` on the test part", "", *auc_lines(known.get("auc")), "", "## The lessons", ""]
    return "\n".join([*lines, *lesson_lines(run, results)]) + "\n"


def speed_lines(rounds: list[dict], about: str) -> list[str]:
    """Medians over all rounds."""
    names = ("fed", "unfed", "predicted")
    fed, unfed, predicted = (statistics.median(rate for one in rounds for rate in one[name]) for name in names)
    waiting = max(0.0, 1 - fed / unfed)
    verdict = "reached" if waiting <= MOST_WAITING else "missed"
    return [
        f"- training: {fed:,.0f} images/s from the pipeline, {unfed:,.0f} from memory: the device waits for data "
        f"{waiting:.1%} of the time (asked for: at most {MOST_WAITING:.0%}; {verdict})",
        f"- prediction: {predicted:,.0f} images/s",
        f"- {about}; {len(rounds)} rounds",
    ]


def auc_lines(found: dict | None) -> list[str]:
    """A row a finding."""
    if found is None:
        return ["Not measured yet."]
    rows = ["| finding | AUC | 95 % interval |", "|:--|--:|:--|"]
    for name, row in found["rows"].items():
        rows.append(f"| {name} | {row['auc']:.3f} | {row['low']:.3f} to {row['high']:.3f} |")
    return [found["about"], "", *rows]


def lesson_lines(run: Run, results: dict[str, Result]) -> list[str]:
    """A row a lesson, and every claim that failed."""
    rows = ["| lesson | claims held | seconds | memory (MB) | ended | |", "|:--|--:|--:|--:|:--|:--|"]
    failed = []
    for lesson in find_lessons(cache.home()):
        if one := results.get(lesson.name):
            ended = f"failed: {one.error}" if one.error else "well"
            cells = lesson.name, one.claims, f"{one.seconds:.0f}", f"{one.peak_mb:,}", ended, one.headline
        else:
            cells = lesson.name, "", "", "", "not yet", ""
        rows.append(f"| {' | '.join(cells)} |")
        failed += [f"- {lesson.number}: {line}" for line in _failed_claims(run.folder / f"{lesson.name}.ipynb")]
    return [*rows, "", f"Claims held: {total(list(results.values())).claims}.", *(["", *failed] if failed else [])]


def _failed_claims(notebook: Path) -> list[str]:
    if not notebook.exists():
        return []
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    printed = "".join("".join(o.get("text", "")) for cell in cells for o in cell.get("outputs", []))
    return [line.removeprefix(FAILED) for line in printed.splitlines() if line.startswith(FAILED)]


def how_far(since: float) -> str:
    """What the network that is in training has reached, or "" where none is."""
    states = [file for file in (cache.root() / "training").glob("*/state.npz") if file.stat().st_mtime > since]
    if not states:
        return ""
    try:
        with np.load(max(states, key=lambda file: file.stat().st_mtime)) as file:
            state = json.loads(str(file["state"]))
    except OSError:  # it is whole, and gone
        return ""
    return f"a network has learned for {state['epochs_done']} epochs, AUC {state['history'][-1]['val_auc']:.3f}"


def carry_out(step: str, arguments: list[str], until: float) -> int | None:
    """Run a step in a process of its own.

    Returns:
        Its exit status; None when the time was up.
    """
    if time.monotonic() >= until:
        return None
    print(f"{step}: begun", flush=True)
    began, started = time.time(), time.monotonic()
    child = subprocess.Popen([sys.executable, __file__, *arguments, "--step", step])
    try:
        while (left := until - time.monotonic()) > 0:
            try:
                return child.wait(min(TICK, left))
            except subprocess.TimeoutExpired:
                seconds = time.monotonic() - started
                print(f"  {step}: {seconds:.0f} s, {left:.0f} s are left  {how_far(began)}".rstrip(), flush=True)
        return None
    except KeyboardInterrupt:
        return None
    finally:
        stop(child)


def stop(child: subprocess.Popen) -> None:
    """Interrupt politely, then end it and all that it has started."""
    if child.poll() is not None:
        return
    started = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(signal.SIGINT)
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for one in started:
        with contextlib.suppress(psutil.Error):  # it has just ended
            one.kill()


def prepare_kernels(folder: Path) -> None:
    """Let lessons begin with `gpu_kernel`."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    cache.write_text(startup / "first.py", gpu_kernel.STARTUP)
    os.environ["IPYTHONDIR"] = str(folder)
    os.environ.setdefault("TQDM_MININTERVAL", str(TICK))


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the page as far as it goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="phantom", help="a folder of real X-rays instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="after which the call ends; go on with another"
    )
    parser.add_argument("--state", type=Path, default=cache.home() / "runs" / "gpu", help="what goes on")
    parser.add_argument("--rehearse", action="store_true", help="few small images, one epoch")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    until = time.monotonic() + 60 * asked.minutes
    if asked.rehearse:
        os.environ["CXR_REHEARSAL"] = "1"  # for the steps and for the lessons' kernels
    try:
        run = Run(asked)
        if asked.step:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
            gpu_kernel.begin()
            STEPS[asked.step](run)
            return 0
    except CxrError as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return whole(run, sys.argv[1:] if arguments is None else arguments, until)


def whole(run: Run, arguments: list[str], until: float) -> int:
    """All steps, until one is cut; then the page."""
    prepare_kernels(cache.root() / "ipython")
    run.state.unpack()
    ended = []
    for step in STEPS:
        ended.append(carry_out(step, arguments, until))
        run.state.pack()
        if ended[-1] is None or (step == "pictures" and ended[-1]):
            break
    text, results = page(run), run.results().values()
    cache.write_text(run.state.folder / "gpu.md", text)
    print(text)
    if ended[-1] is None:
        print("Time is up. The same command goes on.")
        return 3
    if any(ended) or any(one.error or (one.failed and not run.rehearse) for one in results):
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
