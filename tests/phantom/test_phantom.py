"""The radiograph simulator: determinism, layout, truth, physics in closed form, and clear errors."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil
import pytest

from cxr_utils import phantom
from cxr_utils.data.schema import FINDINGS
from cxr_utils.errors import DataError
from cxr_utils.phantom import cohort as cohort_module
from cxr_utils.phantom import labels
from cxr_utils.phantom import records as records_module
from cxr_utils.phantom.anatomy import Shape
from cxr_utils.phantom.drawing import Frame
from cxr_utils.phantom.findings import CHANGES
from cxr_utils.phantom.patient import HOSPITALS, draw_patient, draw_visit
from cxr_utils.phantom.physics import BONE_PER_CM, WATER_PER_CM, Exposure, detect
from cxr_utils.phantom.render import Finding, draw_chest, radiograph


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return phantom.make_cohort(tmp_path_factory.mktemp("phantom") / "small", images=90, size=64, seed=3, workers=1)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def someone(seed: int = 0, view: str = "PA"):
    rng = np.random.default_rng(seed)
    return draw_patient(rng, 55, "FM"[seed % 2]), draw_visit(rng, view)


# --- the cohort ------------------------------------------------------------------------------------------------
def test_same_files_with_other_number_of_workers(small, tmp_path):
    again = phantom.make_cohort(tmp_path / "again", images=90, size=64, seed=3, workers=2)
    assert digests(again) == digests(small)


def test_other_seed_gives_other_pictures(small, tmp_path):
    other = phantom.make_cohort(tmp_path / "other", images=12, size=64, seed=4, workers=1)
    name = "00000001_000.png"
    assert (other / "images" / name).read_bytes() != (small / "images" / name).read_bytes()


def test_layout_is_that_of_nih(small):
    header = (small / "Data_Entry_phantom.csv").read_text().splitlines()[0]
    assert header == (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    )
    assert (small / "BBox_List_phantom.csv").read_text().startswith("Image Index,Finding Label,Bbox [x,y,w,h],,,\n")
    table = pd.read_csv(small / "Data_Entry_phantom.csv")
    assert sorted(table["Image Index"]) == sorted(path.name for path in (small / "images").iterdir())
    assert len(table) == 90 and table["Image Index"].is_unique
    assert set(table["View Position"]) == {"PA", "AP"} and set(table["Patient Gender"]) == {"F", "M"}
    known = {*FINDINGS, "No Finding"}
    assert set("|".join(table["Finding Labels"]).split("|")) <= known


def test_parts_share_no_patient_and_leaky_split_does(small):
    truth = pd.read_csv(small / "truth.csv")
    parts = {name: set((small / f"{name}_list.txt").read_text().split()) for name in ("train", "valid", "test")}
    assert sorted(set.union(*parts.values())) == sorted(truth["Image Index"])
    patients = [{image[:8] for image in part} for part in parts.values()]
    assert not (patients[0] & patients[1] or patients[0] & patients[2] or patients[1] & patients[2])
    leaky = pd.read_csv(small / "leaky_split.csv")
    groups = leaky.groupby("split")["Image Index"].apply(lambda images: {image[:8] for image in images})
    assert groups["train"] & groups["test"]
    consensus = pd.read_csv(small / "consensus_test.csv")
    assert set(consensus["Image Index"]) == parts["test"]
    assert list(consensus.columns) == ["Image Index", *FINDINGS]


def test_severity_is_there_exactly_where_the_finding_is(small):
    truth = pd.read_csv(small / "truth.csv")
    for name in FINDINGS:
        assert ((truth[f"severity_{name}"] > 0) <= (truth[name] == 1)).all()
        assert truth[f"severity_{name}"].between(0, 1).all()


def test_pictures_are_grey_and_boxes_lie_inside_on_true_findings(small):
    assert cv2.imread(str(small / "images" / "00000001_000.png"), cv2.IMREAD_UNCHANGED).shape == (64, 64)
    boxes = pd.read_csv(small / "BBox_List_phantom.csv").iloc[:, :6]
    boxes.columns = ["image", "finding", "x", "y", "width", "height"]
    assert (boxes[["x", "y"]] >= 0).all(axis=None) and (boxes[["width", "height"]] > 0).all(axis=None)
    assert (boxes.x + boxes.width <= 64).all() and (boxes.y + boxes.height <= 64).all()
    truth = pd.read_csv(small / "truth.csv").set_index("Image Index")
    assert all(truth.at[row.image, row.finding] == 1 for row in boxes.itertuples())


def test_odd_records_are_in_the_training_part_and_are_what_they_say(small):
    odd = json.loads((small / "cohort.json").read_text())["odd_records"]
    assert len(odd) == len(records_module.ODD_RECORDS)
    assert set(odd) <= set((small / "train_list.txt").read_text().split())
    by_kind = {kind.split(" of ")[0]: name for name, kind in odd.items()}
    ages = pd.read_csv(small / "Data_Entry_phantom.csv").set_index("Image Index")["Patient Age"]
    assert ages[by_kind["age 412"]] == 412 and ages[by_kind["age 148"]] == 148
    black = cv2.imread(str(small / "images" / by_kind["almost black"]), 0)
    assert black.max() <= 25
    copy = by_kind["copied picture"]
    source = odd[copy].removeprefix("copied picture of ")
    assert copy[:8] != source[:8]
    assert (small / "images" / copy).read_bytes() == (small / "images" / source).read_bytes()


def test_a_copied_picture_has_the_truth_of_its_source():
    order = records_module.Order(90, 64, 3, "raised", None)
    records, odd = records_module.draw_records(order)
    truth = {
        records_module.image_name(record.number, follow): visit.truth
        for record in records
        for follow, visit in enumerate(record.visits)
    }
    (copy, source), *_ = [(name, how.removeprefix("copied picture of ")) for name, how in odd.items() if "of" in how]
    assert (truth[copy] == truth[source]).all() and copy[:8] != source[:8]


def test_what_is_turned_has_no_boxes(tmp_path):
    order = records_module.Order(10, 64, 3, "raised", None)
    truth = np.ones(14, bool)
    visit = labels.Follow("PA", 50, truth, truth * 0.6, truth)
    patients = [records_module.Record(number, 50, "F", [visit], "train") for number in (1, 2, 3)]
    odd = {"00000001_000.png": "sideways", "00000002_000.png": "inverted"}
    count, boxes = records_module.draw_pictures(tmp_path, order, odd, patients)
    assert count == 3 and {image for image, *_ in boxes} == {"00000002_000.png", "00000003_000.png"}
    plain = radiograph(*records_module.scene(order, patients[0], 0), size=64).pixels
    turned = cv2.imread(str(tmp_path / "00000001_000.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(turned, plain.T[::-1])  # a quarter turn against the clock
    plain = radiograph(*records_module.scene(order, patients[1], 0), size=64).pixels
    assert np.array_equal(cv2.imread(str(tmp_path / "00000002_000.png"), cv2.IMREAD_UNCHANGED), 255 - plain)


def test_a_lasting_finding_keeps_its_place_over_follow_ups_and_a_passing_one_does_not():
    order = records_module.Order(10, 64, 3, "raised", None)
    for finding, kept in (("Mass", True), ("Fibrosis", True), ("Pneumonia", False), ("Effusion", False)):
        seeds = {records_module._seed_of(order, 7, FINDINGS.index(finding), follow) for follow in range(3)}
        assert (len(seeds) == 1) == kept
    assert len({records_module._seed_of(order, number, 4, 0) for number in range(20)}) == 20


@pytest.mark.parametrize("seed", range(1, 6))
def test_parts_are_fairer_than_chance(seed):
    """Farthest of any finding in any part from its share, in standard errors, against fifty random divisions."""
    records, _ = records_module.draw_records(records_module.Order(600, 64, seed, "raised", None))
    counts = np.array([np.sum([visit.truth for visit in record.visits], axis=0) for record in records])
    shares = {"train": 0.7, "valid": 0.1, "test": 0.2}

    def farthest(parts) -> float:
        return max(
            float((np.abs(counts[parts == part].sum(0) - share * counts.sum(0)) / np.sqrt(share * counts.sum(0))).max())
            for part, share in shares.items()
        )

    parts, rng = np.array([record.part for record in records]), np.random.default_rng(9)
    assert farthest(parts) < np.quantile([farthest(rng.permutation(parts)) for _ in range(50)], 0.1)
    images = np.array([len(record.visits) for record in records])
    assert all(abs(images[parts == part].sum() / 600 - share) < 0.02 for part, share in shares.items())


def test_an_interrupted_notebook_interrupts_the_program_that_draws(tmp_path, monkeypatch):
    told = []

    class Program:
        returncode = 0

        @property
        def stdout(self):
            yield "12\n"
            raise KeyboardInterrupt

        def __init__(self, command, **_):
            assert command[1:3] == ["-m", "cxr_utils.phantom.cohort"] and "--images=24" in command

        def send_signal(self, signal):
            told.append(signal)

        def terminate(self):
            told.append("terminate")

        def wait(self, seconds=None):
            return 130

    monkeypatch.setattr(cohort_module.subprocess, "Popen", Program)
    with pytest.raises(KeyboardInterrupt):
        phantom.make_cohort(tmp_path / "new", images=24, size=32, workers=2)
    assert len(told) == 1 and not (tmp_path / "new").exists()


def test_shortcut_goes_with_the_finding_in_training_and_not_in_test(tmp_path):
    order = records_module.Order(10, 64, 0, "raised", "Effusion")
    bare = np.zeros((64, 64), np.uint8)

    def share(part: str, there: bool) -> float:
        truth = np.zeros(14, bool)
        truth[FINDINGS.index("Effusion")] = there
        visit = labels.Follow("PA", 50, truth, truth.astype(float), truth)
        marked = [
            records_module._take_shortcut(bare, order, records_module.Record(n, 50, "F", [visit], part), 0)
            for n in range(300)
        ]
        return float(np.mean([picture.max() > 0 for picture in marked]))

    assert share("train", True) > 0.8 > 0.2 > share("train", False)
    assert abs(share("test", True) - share("test", False)) < 1e-9


def test_a_cohort_is_kept_and_nothing_else_is_overwritten(small, tmp_path):
    before = (small / "cohort.json").stat().st_mtime_ns
    phantom.make_cohort(small, images=90, size=64, seed=3)
    assert (small / "cohort.json").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="already holds something else"):
        phantom.make_cohort(small, images=91, size=64, seed=3)
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="already holds something else"):
        phantom.make_cohort(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"images": 0}, "0 images"),
        ({"images": -5}, "-5 images"),
        ({"size": 7}, "7 pixels"),
        ({"size": 100_000}, "100000 pixels"),
        ({"seed": -1}, "seed is -1"),
        ({"workers": 0}, "0 workers"),
        ({"prevalence": "high"}, "'high'"),
        ({"shortcut": "Efusion"}, "'Efusion'"),
    ],
)
def test_impossible_orders_are_refused_before_anything_is_written(tmp_path, wrong, says):
    with pytest.raises(DataError, match=says):
        phantom.make_cohort(tmp_path / "new", **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("problem", "seen"), [(OSError(28, "No space left on device"), DataError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_a_full_disk_or_an_interrupt_leaves_nothing(tmp_path, monkeypatch, problem, seen):
    def fail(*_):
        raise problem

    monkeypatch.setattr(cohort_module, "write_tables", fail)
    with pytest.raises(seen):
        phantom.make_cohort(tmp_path / "new", images=10, size=32, workers=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("of_the_other", "kept"), [(32, True), (48, False)])
def test_another_process_that_finishes_first(tmp_path, monkeypatch, of_the_other, kept):
    """The same cohort is taken as one's own; another one is an error and stays as it is."""

    def write_while_another_finishes(beside, *how):
        write(beside, *how)
        command = [sys.executable, "-m", "cxr_utils.phantom.cohort", str(folder), "--images=12", "--workers=1"]
        subprocess.run([*command, f"--size={of_the_other}"], check=True, capture_output=True)

    folder, write = tmp_path / "cohort", cohort_module._write
    monkeypatch.setattr(cohort_module, "_write", write_while_another_finishes)
    if kept:
        assert phantom.make_cohort(folder, images=12, size=32, workers=1) == folder
    else:
        with pytest.raises(DataError, match="already holds something else"):
            phantom.make_cohort(folder, images=12, size=32, workers=1)
    assert list(tmp_path.iterdir()) == [folder]
    assert {cv2.imread(str(file)).shape[0] for file in folder.glob("images/*.png")} == {of_the_other}
    assert json.loads((folder / "cohort.json").read_text())["images"] == 12


def test_workers_end_when_their_program_is_killed(tmp_path):
    command = [sys.executable, "-m", "cxr_utils.phantom.cohort", str(tmp_path / "big"), "--images=20000"]
    program = subprocess.Popen([*command, "--workers=2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob(".big.*.tmp/images/*")):  # until workers draw
        assert program.poll() is None
        time.sleep(0.2)
    workers = psutil.Process(program.pid).children(recursive=True)
    assert workers
    program.kill()
    program.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    for worker in alive:
        worker.kill()
    assert not alive
    assert not (tmp_path / "big").exists()


def test_a_finding_in_both_lungs_has_two_boxes():
    patient, visit = someone(1)
    mask = radiograph(patient, visit, [Finding("Edema", 0.6, 4)], 7, 128).masks["Edema"]
    boxes = sorted(phantom.draw_boxes(mask))
    assert len(boxes) == 2
    assert boxes[0][0] + boxes[0][2] <= boxes[1][0]  # side by side
    inside = np.zeros_like(mask)
    for x, y, width, height in boxes:
        inside[y : y + height, x : x + width] = True
    assert mask[inside].sum() > 0.9 * mask.sum()


def test_ensure_cohort_makes_once_and_again_for_another_simulator(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CXR_HOME", str(tmp_path))
    monkeypatch.setitem(cohort_module.PROFILES, "quick", {"images": 10, "size": 32})
    folder = phantom.ensure_cohort("quick", 5)
    assert folder == tmp_path / "data" / "phantom" / "quick-seed5"
    made = (folder / "cohort.json").stat().st_mtime_ns
    assert phantom.ensure_cohort("quick", 5) == folder
    assert (folder / "cohort.json").stat().st_mtime_ns == made
    about = json.loads((folder / "cohort.json").read_text())
    (folder / "cohort.json").write_text(json.dumps({**about, "simulator": "older"}))
    phantom.ensure_cohort("quick", 5)
    assert "another version" in capsys.readouterr().err
    assert json.loads((folder / "cohort.json").read_text())["simulator"] == phantom.simulator_version()
    with pytest.raises(DataError, match="Profile 'big'"):
        phantom.ensure_cohort("big")


def test_two_processes_that_ask_at_once_make_one_cohort(tmp_path):
    code = (
        "from cxr_utils.phantom import cohort\n"
        "cohort.PROFILES['quick'] = {'images': 24, 'size': 32}\n"
        "make = cohort.make_cohort\n"
        "cohort.make_cohort = lambda *given, **more: print('makes it') or make(*given, **more)\n"
        "print(cohort.ensure_cohort('quick', 5))"
    )
    options = {"stdout": subprocess.PIPE, "text": True, "env": os.environ | {"CXR_HOME": str(tmp_path)}}
    both = [subprocess.Popen([sys.executable, "-c", code], **options) for _ in range(2)]
    lines = sorted(line for program in both for line in program.communicate(timeout=120)[0].splitlines())
    assert lines == [str(tmp_path / "data/phantom/quick-seed5")] * 2 + ["makes it"]


def test_command_line_prints_help_and_one_clear_error():
    program = [sys.executable, "-m", "cxr_utils.phantom.cohort"]
    helped = subprocess.run([*program, "--help"], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert helped.returncode == 0 and "example" in helped.stdout
    assert cohort_module.main(["nowhere", "--images", "-1"]) == 1


# --- tables ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def many():
    population = labels.Population("raised", HOSPITALS["clinical-center"])
    rng = np.random.default_rng(0)
    visits = []
    for _ in range(2500):
        age, sex = population.person(rng)
        visits.append(population.visits(rng, age, sex, 2))
    return visits


def test_every_finding_is_common_enough_and_a_third_of_images_has_none(many):
    truth = np.array([visit.truth for pair in many for visit in pair])
    assert (truth.mean(0) > 0.055).all() and (truth.mean(0) < 0.2).all()
    assert 0.30 < (~truth.any(1)).mean() < 0.42


def test_nih_prevalences_come_out_as_published():
    population = labels.Population("nih", HOSPITALS["clinical-center"])
    rng = np.random.default_rng(1)
    truth = np.array([population.visits(rng, *population.person(rng), 1)[0].truth for _ in range(6000)])
    expected = np.array(list(labels.nih_prevalence().values()))
    assert np.abs(truth.mean(0) - expected).max() < 0.025


def test_lasting_findings_stay_and_passing_ones_go(many):
    first, second = (np.array([pair[i].truth for pair in many]) for i in range(2))
    stays = (first & second).sum(0) / first.sum(0)
    share = dict(zip(FINDINGS, stays, strict=True))
    assert min(share[name] for name in ("Cardiomegaly", "Emphysema", "Fibrosis", "Hernia")) > 0.6
    assert max(share[name] for name in ("Pneumonia", "Pneumothorax", "Edema")) < 0.5


def test_mined_labels_err_as_the_table_says(many):
    truth = np.array([visit.truth for pair in many for visit in pair])
    mined = np.array([visit.mined for pair in many for visit in pair])
    rates = np.array([labels.MINED[name] for name in FINDINGS])
    assert np.abs((mined & truth).sum(0) / truth.sum(0) - rates[:, 0]).max() < 0.06
    assert np.abs((~mined & ~truth).sum(0) / (~truth).sum(0) - rates[:, 1]).max() < 0.015


LIKE_NIH = {
    "Pneumothorax": ["Pneumothorax"],
    "Nodule or mass": ["Nodule", "Mass"],
    "Airspace opacity": ["Infiltration", "Pneumonia", "Consolidation", "Atelectasis", "Edema"],
}


@pytest.mark.parametrize("asked", LIKE_NIH)
def test_at_nih_prevalences_the_miner_errs_as_radiologists_found_of_nih(asked, real_data):
    """Sensitivity, specificity and share of right labels, against the 4,376 images that radiologists read."""
    table = pd.read_csv(real_data / "nih" / "google2019_nih-chest-xray-labels.csv.gz")
    named = table["Finding Labels"].str.split("|").map(lambda names: bool(set(names) & set(LIKE_NIH[asked])))
    population, rng = labels.Population("nih", HOSPITALS["clinical-center"]), np.random.default_rng(2)
    visits = [population.visits(rng, *population.person(rng), 1)[0] for _ in range(20_000)]
    columns = [FINDINGS.index(name) for name in LIKE_NIH[asked]]
    there, mined = (np.array([getattr(visit, kind)[columns].any() for visit in visits]) for kind in ("truth", "mined"))
    real_there, real_mined = (table[asked] == "YES").to_numpy(), named.to_numpy()
    assert mined[there].mean() == pytest.approx(real_mined[real_there].mean(), abs=0.13)
    assert mined[~there].mean() == pytest.approx(real_mined[~real_there].mean(), abs=0.06)


def test_severity_is_uniform_among_the_affected(many):
    severity = np.concatenate([visit.severity[visit.truth] for pair in many for visit in pair])
    assert abs(np.median(severity) - 0.5) < 0.06


# --- physics and pictures --------------------------------------------------------------------------------------
def test_beer_lambert_in_closed_form():
    frame = Frame(32, 32.0)
    exposure = Exposure(0.0, 3.0, 0.01, 1e12, (0.0, 0.0), 0.0, 1.0)
    water, bone, none = (np.full((32, 32), cm, np.float32) for cm in (10.0, 2.0, 0.0))
    signal = detect(frame, water, bone, none, exposure, np.random.default_rng(0))
    assert np.allclose(signal, 10 * WATER_PER_CM + 2 * BONE_PER_CM, atol=1e-3)


def test_noise_is_that_of_counted_photons():
    frame = Frame(200, 20.0)  # 10 pixels a cm: the stated photons are those of one pixel
    exposure = Exposure(0.0, 3.0, 0.01, 1e4, (0.0, 0.0), 0.0, 1.0)
    none = np.zeros((200, 200), np.float32)
    signal = detect(frame, none, none, none, exposure, np.random.default_rng(0))
    assert signal.std() == pytest.approx(1 / np.sqrt(1e4), rel=0.03)


def test_scatter_lowers_contrast():
    frame = Frame(64, 32.0)
    water = np.full((64, 64), 20.0, np.float32)
    water[:, 32:] = 8.0
    none = np.zeros_like(water)

    def contrast(scatter: float) -> float:
        exposure = Exposure(scatter, 3.0, 0.05, 1e12, (0.0, 0.0), 0.0, 1.0)
        signal = detect(frame, water, none, none, exposure, np.random.default_rng(0))
        return float(signal[:, 8].mean() - signal[:, -8].mean())

    assert contrast(0.0) > contrast(0.5) > contrast(1.0) > 0


@pytest.mark.parametrize(("centre", "tilt"), [((0.0, 0.0), 0.0), ((9.0, -14.0), 25.0), ((60.0, 60.0), -8.0)])
def test_the_part_around_a_shape_holds_all_of_it_and_little_else(centre, tilt):
    frame = Frame(96, 36.0, centre, tilt)
    turn = np.linspace(0, 2 * np.pi, 40)
    outline = np.column_stack([5 + 6 * np.cos(turn), -4 + 9 * np.sin(turn)])
    mask = frame.mask(outline)
    for here in (frame.around(outline), frame.around_box(5, -4, 6, 9)):
        elsewhere = mask.copy()
        elsewhere[here] = 0
        assert not elsewhere.any()
        assert mask[here].size <= 0.6 * mask.size


def test_maps_are_float32_throughout():
    patient, visit = someone()
    chest = draw_chest(patient, visit, Shape(), Frame(64, visit.field_cm, visit.centre, visit.tilt))
    for name in ("body", "air", "water", "bone", "metal", "vessels", "heart"):
        assert getattr(chest, name).dtype == np.float32, name
    assert chest.air.min() >= 0


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_changes_the_picture_where_its_mask_is_and_more_so_when_severe(name):
    patient, visit = someone(2)
    healthy = radiograph(patient, visit, [], 7, 96).pixels.astype(float)
    change = []
    for severity in (0.1, 0.95):
        picture = radiograph(patient, visit, [Finding(name, severity, 11)], 7, 96)
        mask = picture.masks[name]
        assert 0 < mask.mean() < 0.6
        assert phantom.draw_boxes(mask)
        change.append(np.abs(picture.pixels - healthy).sum())
    assert change[1] > change[0] > 0


def test_order_of_changes_covers_every_finding_once():
    assert sorted(CHANGES) == sorted(FINDINGS)


def test_heart_of_cardiomegaly_is_wider_in_its_box():
    patient, visit = someone(4)
    plain = draw_chest(patient, visit, Shape(), Frame(96, visit.field_cm)).heart > 0.5
    mask = radiograph(patient, visit, [Finding("Cardiomegaly", 0.6, 1)], 7, 96).masks["Cardiomegaly"]
    assert mask.any(0).sum() > 1.15 * plain.any(0).sum()


def test_left_is_left():
    """A patient's left lung is on the right of the picture, and the heart leans there."""
    patient, visit = someone(6)
    chest = draw_chest(patient, visit, Shape(), Frame(96, 40.0, (0.0, 2.0)))
    assert np.average(chest.frame.x, weights=chest.lung["left"]) > 5
    assert np.average(chest.frame.x, weights=chest.heart) > 0.5


def test_marker_is_bright_in_its_corner_and_leaves_the_rest():
    picture = np.full((128, 128), 60, np.uint8)
    marked = phantom.plant_marker(picture, np.random.default_rng(1))
    assert marked.dtype == np.uint8 and picture.max() == 60
    assert marked[:32, :32].max() > 220
    assert (marked[40:] == 60).all() and (marked[:, 40:] == 60).all()


def test_no_finding_is_given_away_by_the_border(small):
    """The outermost pixels know nothing: the same whether the findings are drawn or left out, for lung findings."""
    patient, visit = someone(8)
    for name in ("Nodule", "Mass", "Pneumonia", "Consolidation"):
        with_it, without = (
            radiograph(patient, visit, present, 5, 96).pixels.astype(int) for present in ([Finding(name, 0.5, 3)], [])
        )
        edge = np.ones((96, 96), bool)
        edge[4:-4, 4:-4] = False
        assert np.abs(with_it - without)[edge].mean() < 6
