"""Every lesson on a few dozen images, one epoch of training each: what `make run` does not go through.

The recipes of the full profile, without a GPU; and pictures in two folders of which nothing else is known: no boxes, no
ages, no second finding.

As a program: python test_full_profile.py FOLDER full|folders runs the lessons, with images in FOLDER, in one process.
"""

import contextlib
import gc
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

import cxr_utils as cxr
from cxr_utils import cache
from cxr_utils.checks.claim import ClaimNotBorneOut
from cxr_utils.course.derive import PARAMETERS, solution_notebook
from cxr_utils.course.lessons import Lesson, find_lessons
from cxr_utils.networks import recipes, transfer
from cxr_utils.networks.recipes import PRETRAINED
from cxr_utils.networks.trained import Trained
from cxr_utils.phantom.cohort import make_cohort
from cxr_utils.training import devices

# What shows that a lesson has gone its main way, although few patients bear out few claims.
SHOWN = (
    "✓ identity: Undoing the weights leaves every AUC as it was",
    "Picture: Loss over epochs of 2 runs (from scratch, ",
    "for network, focal, acting on all and acting on none.",
    "✓ identity: Grad-CAM, your function and the positive class activation map agree",
    "the first marked test pictures, networks trained without (above) and with the marker (below).",
    "✓ identity: PNG and both DICOM files give the same probabilities",
    ": the likeliest findings of one picture.",
    "Picture: 6 radiographs: home; home; home; the same, evened out;",
)


def make_small() -> None:
    """One epoch in small batches; sixteen bits as on a GPU; claims that few patients cannot bear out are told only."""
    devices.gpus = lambda: 1
    for values in recipes._FULL.values():
        values["batch_size"] = 4
    transfer.BATCH, transfer.in_chunks.__defaults__ = 4, (4,)  # 64 images of 320 pixels take gigabytes
    fit, claims = devices.Devices.fit, cxr.claims

    def short(self, model, *given, **options):
        model.run_eagerly = model.name in PRETRAINED  # to trace so many layers takes half a minute
        fit(self, model, *given, **options | {"epochs": options["initial_epoch"] + 1})

    def told(statements):
        with contextlib.suppress(ClaimNotBorneOut):
            claims(statements)

    devices.Devices.fit, cxr.claims = short, told


def make_folders(folder: Path) -> Path:
    """The pictures of a cohort in two folders, those with any finding and those without."""
    dataset = cxr.open_dataset(make_cohort(folder / "cohort", images=60, size=64, workers=1)).with_images()
    for image, labels in zip(dataset.table["image"], dataset.labels, strict=True):
        named = folder / "images" / ("PNEUMONIA" if labels.any() else "NORMAL")
        named.mkdir(parents=True, exist_ok=True)
        shutil.copy(dataset.path(image), named)
    return folder / "images"


def run(lesson: Lesson, data: Path, profile: str) -> None:
    """Execute the cells of a lesson as a notebook would, figures drawn."""
    shell = InteractiveShell()
    for cell in solution_notebook(lesson.source.read_text(encoding="utf-8"), lesson.name).cells:
        if PARAMETERS in cell.metadata.get("tags", ()):
            cell.source += f"\ndata, profile, seed = {str(data)!r}, {profile!r}, 0"
        if cell.cell_type == "code":
            shell.run_cell(cell.source).raise_error()
    shell.reset()  # a shell is kept until the process ends, and its networks with it
    gc.collect()


def main(folder: Path, which: str) -> None:
    """Run all lessons; ends with an error where one of them did."""
    full = which == "full"
    data = make_cohort(folder / "images", images=24, size=96, workers=1) if full else make_folders(folder)
    make_small()
    failed = {}
    for lesson in find_lessons(cache.home()):
        try:
            run(lesson, data, "full" if full else "quick")
        except Exception as error:
            failed[lesson.name] = repr(error)
    sys.exit(json.dumps(failed, indent=1) if failed else 0)


def run_all(tmp_path: Path, which: str) -> str:
    """What a process prints that runs all lessons."""
    environment = os.environ | {
        "CXR_CACHE": str(tmp_path / "cache"), "CXR_STRICT": "1", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1",
        "MPLBACKEND": "Agg", "IPYTHONDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    command = [sys.executable, __file__, str(tmp_path), which]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_every_lesson_goes_through_on_pictures_in_two_folders(tmp_path):
    printed = run_all(tmp_path, "folders")
    assert "headline: hits, energy, overlap: no boxes; AUC " in printed


def test_every_lesson_trains_by_the_recipes_of_the_full_profile(tmp_path):
    printed = run_all(tmp_path, "full")
    missing = [line for line in SHOWN if line not in printed]
    assert not missing, printed

    trained = [Trained(file.parent) for file in (tmp_path / "cache" / "models").glob("*/card.json")]
    precision = {replace(one.recipe, batch_size=1): one.card["precision"] for one in trained}
    for name in ("xray-vision", "normal-abnormal", "lite0-head", "lite0-transfer"):
        full = replace(cxr.recipe(name, "full"), batch_size=1)
        assert precision[full] == ("mixed_bfloat16" if full.mixed_precision else "float32"), name


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
