"""The command `cxr`: help, errors without a trace, exit statuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from toy_course import LESSON, make_course, make_rays

from cxr_utils.commands import lessons, program
from cxr_utils.course import build as building
from cxr_utils.course import run as running
from cxr_utils.course.run import Settings
from cxr_utils.data import opening


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_HOME", str(make_course(tmp_path, L01_toy=LESSON)))
    return tmp_path


def commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


ALL = list(commands(typer.main.get_command(program.app())))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(cxr, path):
    status, out, _ = cxr(*path, "--help")
    lines = out.split("\n\nArguments:")[0].split("\n\nOptions:")[0].split("  Example")[1].splitlines()[1:]
    assert status == 0 and lines
    assert all(line.startswith(f"    cxr {' '.join(path)}") for line in lines)  # each on a line of its own


def test_help_loads_next_to_nothing(loaded):
    out, modules = loaded("--help")
    assert "Commands:" in out
    heavy = {"numpy", "pandas", "matplotlib", "sklearn", "nbformat", "papermill", "keras", "tensorflow", "cv2", "tqdm"}
    assert not heavy & modules


def test_off_a_terminal_a_bar_is_drawn_seldom():
    code = (
        "import sys, time; sys.argv = ['cxr', '--help']\n"
        "from cxr_utils.commands.program import main\n"
        "try: main()\n"
        "except SystemExit: from tqdm import tqdm\n"
        "for _ in tqdm(range(30)): time.sleep(0.04)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "30/30" in result.stderr and len(result.stderr.splitlines()) < 5  # at first, and at the end


WRONG = {
    "unknown lesson to run": (["run", "--only", "9"], "There is no lesson '9'. Expected a number or"),
    "unknown lesson to build": (["build", "nine"], "There is no lesson 'nine'"),
    "no lesson at once": (["run", "--jobs", "0"], "--jobs 0 was asked for. Expected a whole number from 1 up"),
    "fewer than none at once": (["run", "--jobs", "-2"], "--jobs -2 was asked for"),
    "half a lesson at once": (["run", "--jobs", "1.5"], "--jobs 1.5 was asked for"),
    "unknown data": (["run", "--data", "no/such/folder"], f"{Path('no/such/folder')} does not exist"),
    "unknown data to check": (["data", "check", "no/such/folder"], f"{Path('no/such/folder')} does not exist"),
    "unknown split": (["data", "leakage", "no/such/table.csv"], f"{Path('no/such/table.csv')} does not exist"),
    "real ones but no sheet": (["data", "phantom", "--beside", "x"], "--beside came without --sheet"),
    "no folder": (["data", "phantom", "--images", "9", "--size", "64"], "--images, --size came without --out"),
    "unknown finding": (["data", "phantom", "--out", "x", "--shortcut", "Gout"], "Gout"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_mistakes_are_one_line_and_exit_2(cxr, course, arguments, message):
    status, _, err = cxr(*arguments)
    assert status == 2
    assert err.startswith("error: ") and message in err and err.count("\n") == 1


def test_a_name_that_standard_output_cannot_hold_is_shown_all_the_same(tmp_path):
    code = "import sys; sys.argv = ['cxr', 'doctor']; from cxr_utils.commands.program import main; main()"
    environment = os.environ | {"CXR_CACHE": str(tmp_path / "κόσμος"), "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert rb"\u03ba\u03cc\u03c3\u03bc\u03bf\u03c2" in done.stdout and not done.stderr


def test_a_build_of_some_lessons_leaves_the_rest_alone(cxr, course, monkeypatch):
    built = []
    monkeypatch.setattr(building, "build", lambda chosen: built.extend(lesson.name for lesson in chosen))
    (course / "solutions/02_next.py").write_text(LESSON)
    assert cxr("build", "1")[0] == 0 and built == ["01_toy"] and not (course / "environment.yml").exists()
    assert cxr("build")[0] == 0 and built[1:] == ["01_toy", "02_next"] and (course / "environment.yml").exists()


def test_an_error_of_the_program_itself_is_no_message_for_users(monkeypatch):
    def broken():
        raise KeyError("a fault of ours")

    monkeypatch.setattr(program, "app", broken)
    with pytest.raises(KeyError, match="a fault of ours"):
        program.main()


def test_build_then_check(cxr, course):
    status, out, _ = cxr("build", "--check")
    assert status == 1
    assert [line.rpartition(":")[0] for line in out.splitlines()] == [
        str(course / "solutions/01_toy.ipynb"),
        str(course / "notebooks/01_toy.ipynb"),
        str(course / "environment.yml"),
    ]
    assert cxr("build")[0] == 0
    assert cxr("build", "--check")[:2] == (0, "1 lessons: every derived file is current.\n")


def test_run_gives_lessons_an_absolute_path(cxr, course, monkeypatch):
    monkeypatch.chdir(make_rays(course / "rays").parent)
    status, out, _ = cxr("run", "--data", "rays", "--seed", "3")
    assert status == 0 and f"{course / 'rays'} quick 3" in out
    record = json.loads((course / "runs/rays-quick-seed3/run.json").read_text())
    assert (record["data"], record["seed"]) == (str(course / "rays"), 3)


def test_options_of_a_run_reach_it(cxr, course, monkeypatch):
    asked = []

    def run_lessons(chosen, settings, folder, *, resume, jobs):
        asked.append(([lesson.name for lesson in chosen], settings, folder, resume, jobs))
        return []

    monkeypatch.setattr(running, "run", run_lessons)
    monkeypatch.setattr(lessons, "_at_once", lambda jobs, *machine: int(jobs or 11))
    (course / "solutions/02_next.py").write_text(LESSON)
    rays = make_rays(course / "rays")
    assert cxr("run", "--data", rays)[0] == 0
    assert asked[0] == (["01_toy", "02_next"], Settings(str(rays)), course / "runs/rays-quick-seed0", False, 11)
    options = ["--only", "02, ", "--from", "notebooks", "--profile", "full", "--seed", 4, "--resume", "--out", "here"]
    options += ["--jobs", 3]
    monkeypatch.chdir(course)
    assert cxr("run", "--data", "rays", *options)[0] == 0
    assert asked[1] == (["02_next"], Settings(str(rays), "full", 4, "notebooks"), course / "here", True, 3)


@pytest.mark.parametrize(
    ("jobs", "cores", "gigabytes", "gpu", "expected"),
    [
        ("", 2, 16, False, 2),
        ("", 8, 7, False, 2),  # cores without the memory for them
        ("", 4, 1, False, 1),
        ("", 8, 64, True, 1),
        ("3", 2, 1, True, 3),  # who asks gets it
    ],
)
def test_as_many_lessons_at_once_as_cores_and_memory_allow(jobs, cores, gigabytes, gpu, expected):
    assert lessons._at_once(jobs, cores, gigabytes * 2**30, gpu) == expected


def test_ctrl_c_exits_130_and_says_how_to_go_on(cxr, course, monkeypatch):
    def run_lessons(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", run_lessons)
    status, out, err = cxr("run", "--data", make_rays(course / "rays"))
    assert (status, err) == (130, "") and "go on with the same command and --resume" in out


def test_a_failing_lesson_exits_1_and_says_how_to_go_on(cxr, course):
    (course / "solutions/01_toy.py").write_text(LESSON + "\n# %%\n1 / 0\n")
    status, out, err = cxr("run", "--data", make_rays(course / "rays"), "--out", course / "here")
    assert status == 1 and err == ""
    assert "1 of 1 lessons failed. Mend them; go on with the same command and --resume." in out
    assert (course / "here/01_toy.failed.ipynb").exists() and not (course / "here/01_toy.ipynb").exists()


def test_a_folder_that_cannot_be_written_to_is_named(cxr, course):
    status, _, err = cxr("run", "--data", make_rays(course / "rays"), "--out", __file__)
    assert status == 2 and err.startswith(f"error: {__file__} cannot be written to")


def test_phantom_of_ones_own(cxr, tmp_path):
    arguments = ["--out", tmp_path / "set", "--images", 24, "--size", 32, "--sheet", tmp_path / "sheet.png"]
    status, out, _ = cxr("data", "phantom", *arguments)
    assert status == 0 and f"simulated X-rays: {tmp_path / 'set'}" in out
    assert len(list((tmp_path / "set").rglob("*.png"))) == 24
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_leakage_as_table_and_as_json(cxr, tmp_path):
    rows = ["image,patient,split", "a.png,1,train", "b.png,1,test", "c.png,2,test", "d.png,3,train"]
    table = tmp_path / "split.csv"
    table.write_text("\n".join(rows))
    header, row = (line.split() for line in cxr("data", "leakage", table)[1].splitlines())
    assert dict(zip(header, row, strict=True))["shared_patients"] == "1"
    (row,) = json.loads(cxr("data", "leakage", table, "--json")[1])
    assert (row["first"], row["second"], row["shared_patients"], row["shared_files"]) == ("train", "test", 1, 0)


def test_data_check_describes_a_data_set_and_names_unreadable_images(cxr, tmp_path):
    for patient, kind in enumerate(["PNEUMONIA", "NORMAL"] * 10 + ["NORMAL"] * 4):
        folder = tmp_path / kind
        folder.mkdir(exist_ok=True)
        pixels = np.random.default_rng(patient).integers(0, 256, (32, 32), dtype=np.uint8)
        cv2.imwrite(str(folder / f"person{patient}_1.png"), pixels)
    status, out, err = cxr("data", "check", tmp_path)
    assert (status, err) == (0, "")
    assert f"{tmp_path.name}: read as folders, from {tmp_path}\n" in out
    assert "images: 24 of 24 patients (train 17, valid 2, test 5); 24 have a file\n" in out
    assert ["Pneumonia", "10", "14", "0"] in [line.split() for line in out.splitlines()]
    missing = [line for line in out.splitlines() if line.startswith("missing: ")]
    assert any("box" in line for line in missing) and not any("image" in line.split()[1] for line in missing)
    assert "images: 24 of 24 files read well" in out and "unreadable" not in out
    damaged = tmp_path / "PNEUMONIA/person0_1.png"
    damaged.write_bytes(damaged.read_bytes()[:30])
    status, out, _ = cxr("data", "check", tmp_path)
    assert status == 1 and "images: 23 of 24 files read well" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("unreadable: ")] == [str(damaged)]


@pytest.mark.parametrize("word", ["phantom", "phantom-later", "phantom-county"])
def test_a_simulated_cohort_is_handed_on_by_its_name_and_a_folder_by_its_path(word, monkeypatch, tmp_path):
    """Lessons run in another folder, in which a word must stay a word."""
    monkeypatch.setattr(opening, "open_dataset", lambda *given, **options: None)
    monkeypatch.chdir(tmp_path)
    assert lessons._known_data(word, "quick", 0) == word
    assert lessons._known_data("mine", "quick", 0) == str(tmp_path / "mine")
