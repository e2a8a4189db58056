"""Every lesson on a folder of every layout that the course reads. Run: python benchmarks/lessons_on_collections.py

Simulated patients (whole ones, so that patients return) are written in the layout of each collection, with its names,
its kinds of files and its ways to say "unknown"; `cxr data check` and `cxr run` are then given nothing but the folder.
Prints a line each: what the reader was, how many claims held, how many did not apply, and ends with 1 where a lesson
did not run to its end or a claim failed. Takes some minutes a layout on two cores.

    --only chexpert,kermany      some layouts
    --images 400                 about how many pictures
    --to FOLDER                  keep the folders there
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

import cxr_utils as cxr
from cxr_utils.data.dicom import write_dicom
from cxr_utils.data.splits import sample_patients

CXR = [sys.executable, "-c", "from cxr_utils.commands.program import main; main()"]


class Picture(NamedTuple):
    """One simulated picture and what is known of it."""

    pixels: np.ndarray
    patient: int
    visit: int
    split: str
    findings: list[str]
    boxes: list[tuple[str, float, float, float, float]]
    age: float
    sex: str
    view: str

    def save(self, path: Path) -> None:
        """Write it as the ending of the name says."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".dcm", ".dicom"):
            write_dicom(path, self.pixels, inverted=self.patient % 2 == 0)
        else:
            cv2.imwrite(str(path), self.pixels)


def pictures(images: int) -> list[Picture]:
    """About so many pictures of whole patients, with the labels of the simulated cohort."""
    data = cxr.open_dataset("phantom")
    data = data.subset(sample_patients(data.table["patient"], images, seed=1), "some")
    side = data.picture(data.table["image"][0]).shape[0]
    boxes: dict[str, list] = {}
    for box in data.boxes.itertuples():
        edges = (side * fraction for fraction in (box.x, box.y, box.width, box.height))
        boxes.setdefault(box.image, []).append((box.finding, *edges))
    return [
        Picture(
            data.picture(row.image), int(row.patient), int(row.follow_up), row.split,
            [name for name in data.findings if getattr(row, name)], boxes.get(row.image, []),
            row.age, row.sex, row.view,
        )
        for row in data.table.itertuples()
    ]  # fmt: skip


def nih(root: Path, all_of_them: list[Picture]) -> None:
    """Kaggle's sample: one table, no lists."""
    rows = []
    for one in all_of_them:
        name = f"{one.patient:08}_{one.visit:03}.png"
        one.save(root / "sample" / "images" / name)
        labels = "|".join(one.findings) or "No Finding"
        rows.append((name, labels, one.visit, one.patient, f"{int(one.age):03}Y", one.sex, one.view))
    columns = [
        "Image Index",
        "Finding Labels",
        "Follow-up #",
        "Patient ID",
        "Patient Age",
        "Patient Gender",
        "View Position",
    ]
    for place in (root, root / "sample"):
        pd.DataFrame(rows, columns=columns).to_csv(place / "sample_labels.csv", index=False)


# CheXpert's columns, and what the simulator calls them.
_CHEXPERT = {
    "Enlarged Cardiomediastinum": "Cardiomegaly", "Cardiomegaly": "Cardiomegaly", "Lung Opacity": "Infiltration",
    "Lung Lesion": "Nodule", "Edema": "Edema", "Consolidation": "Consolidation", "Pneumonia": "Pneumonia",
    "Atelectasis": "Atelectasis", "Pneumothorax": "Pneumothorax", "Pleural Effusion": "Effusion",
    "Pleural Other": "Pleural_Thickening", "Fracture": "Mass", "Support Devices": "Hernia",
}  # fmt: skip


def _with_unknown(one: Picture, rng: np.random.Generator) -> dict[str, float]:
    """CheXpert's labels: some empty, some uncertain, and the healthy named."""
    row: dict[str, float] = {"No Finding": 1.0 if not one.findings else np.nan}
    for label, name in _CHEXPERT.items():
        row[label] = rng.choice([float(name in one.findings), np.nan, -1.0], p=[0.75, 0.2, 0.05])
    return row


def chexpert(root: Path, all_of_them: list[Picture]) -> None:
    """Two tables, paths, lateral views, unknown and uncertain labels."""
    rng, rows = np.random.default_rng(0), {"train": [], "valid": []}
    for one in all_of_them:
        part = "valid" if one.split == "valid" else "train"
        for view in ("frontal", "lateral")[: 1 + (one.patient % 5 == 0)]:
            below = f"CheXpert-v1.0-small/{part}/patient{one.patient:05}/study{one.visit + 1}/view1_{view}.jpg"
            one.save(root / below)
            about = {"Path": below, "Sex": {"F": "Female", "M": "Male"}[one.sex], "Age": int(one.age)}
            about |= {"Frontal/Lateral": view.capitalize(), "AP/PA": one.view if view == "frontal" else np.nan}
            rows[part].append(about | _with_unknown(one, rng))
    for part, table in rows.items():
        pd.DataFrame(table).to_csv(root / "CheXpert-v1.0-small" / f"{part}.csv", index=False)


def mimic_cxr_jpg(root: Path, all_of_them: list[Picture]) -> None:
    """Three tables, joined by identifiers."""
    rng, labels, about, parts = np.random.default_rng(0), [], [], []
    for number, one in enumerate(all_of_them):
        subject, study, dicom = 10000000 + one.patient, 50000000 + number, f"{number:08x}-0000-0000-0000-000000000000"
        one.save(root / "files" / f"p{subject // 1_000_000}" / f"p{subject}" / f"s{study}" / f"{dicom}.jpg")
        labels.append({"subject_id": subject, "study_id": study} | _with_unknown(one, rng))
        about.append((dicom, subject, study, one.view))
        parts.append((dicom, study, subject, {"valid": "validate"}.get(one.split, one.split)))
    tables = {
        "chexpert": pd.DataFrame(labels),
        "metadata": pd.DataFrame(about, columns=["dicom_id", "subject_id", "study_id", "ViewPosition"]),
        "split": pd.DataFrame(parts, columns=["dicom_id", "study_id", "subject_id", "split"]),
    }
    for name, table in tables.items():
        table.to_csv(root / f"mimic-cxr-2.0.0-{name}.csv.gz", index=False)


def padchest(root: Path, all_of_them: list[Picture]) -> None:
    """Labels as a Python list in a cell."""
    names = {"Effusion": "pleural effusion", "Infiltration": "infiltrates", "Mass": "pulmonary mass"}
    names |= {"Hernia": "hiatal hernia", "Edema": "pulmonary edema", "Fibrosis": "pulmonary fibrosis"}
    rows = []
    for number, one in enumerate(all_of_them):
        name = f"{number:06}_abc.png"
        one.save(root / str(number % 3) / name)
        labels = [names.get(finding, finding.lower().replace("_", " ")) for finding in one.findings] or ["normal"]
        row = {"ImageID": name, "ImageDir": number % 3, "StudyDate_DICOM": 20140915, "StudyID": number}
        row |= {"PatientID": f"p{one.patient}", "PatientBirth": 2014 - int(one.age), "PatientSex_DICOM": one.sex}
        row |= {"ViewPosition_DICOM": "POSTEROANTERIOR", "Projection": "PA" if one.view == "PA" else "AP"}
        rows.append(row | {"MethodLabel": "Physician", "Labels": str(labels)})
    pd.DataFrame(rows).to_csv(root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv")


def vindr(root: Path, all_of_them: list[Picture]) -> None:
    """DICOM, three readers an image, a row a box."""
    rows = []
    for number, one in enumerate(all_of_them):
        name = f"{number:032x}"
        one.save(root / "train" / f"{name}.dicom")
        drawn = [(finding, x, y, x + width, y + height) for finding, x, y, width, height in one.boxes]
        drawn += [(finding, *[None] * 4) for finding in one.findings if finding not in [box[0] for box in drawn]]
        for reader in ("R1", "R2", "R3"):
            for finding, *edges in drawn or [("No finding", *[None] * 4)]:
                rows.append((name, {"Effusion": "Pleural effusion"}.get(finding, finding), 0, reader, *edges))
    columns = ["image_id", "class_name", "class_id", "rad_id", "x_min", "y_min", "x_max", "y_max"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "train.csv", index=False)


def rsna(root: Path, all_of_them: list[Picture]) -> None:
    """DICOM, one finding, a row a box."""
    rows = []
    for number, one in enumerate(all_of_them):
        name = f"{number:08x}-0000-0000-0000-000000000000"
        one.save(root / "stage_2_train_images" / f"{name}.dcm")
        for box in [box[1:] for box in one.boxes] or [[None] * 4]:
            rows.append((name, *box, int(bool(one.findings))))
    columns = ["patientId", "x", "y", "width", "height", "Target"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "stage_2_train_labels.csv", index=False)


def kermany(root: Path, all_of_them: list[Picture]) -> None:
    """Class folders; the patient is in the file name."""
    for number, one in enumerate(all_of_them):
        part = {"valid": "val"}.get(one.split, one.split)
        name = (
            f"PNEUMONIA/person{one.patient}_virus_{number}"
            if one.findings
            else f"NORMAL/IM-{one.patient:04}-{number:04}"
        )
        one.save(root / "chest_xray" / part / f"{name}.jpeg")


def covid_radiography(root: Path, all_of_them: list[Picture]) -> None:
    """Classes that exclude each other, and masks."""
    for number, one in enumerate(all_of_them):
        kind = "COVID" if "Infiltration" in one.findings else "Lung_Opacity" if one.findings else "Normal"
        one.save(root / kind / "images" / f"{kind}-{number}.png")
        one._replace(pixels=(one.pixels > 90).astype(np.uint8) * 255).save(
            root / kind / "masks" / f"{kind}-{number}.png"
        )


def tuberculosis(root: Path, all_of_them: list[Picture]) -> None:
    """Shenzhen: the label is the last digit of the name."""
    for number, one in enumerate(all_of_them):
        name = f"CHNCXR_{number:04}_{int(bool(one.findings))}"
        one.save(root / "CXR_png" / f"{name}.png")
        reading = root / "ClinicalReadings" / f"{name}.txt"
        reading.parent.mkdir(exist_ok=True)
        reading.write_text(f"{'male' if one.sex == 'M' else 'female'} {int(one.age)}yrs\nnormal\n")


def roboflow(root: Path, all_of_them: list[Picture]) -> None:
    """Several labels in a table in each part's folder; a picture is there in two versions."""
    for split in ("train", "valid", "test"):
        rows = []
        for one in (one for one in all_of_them if one.split == split):
            for version in range(1 + (split == "train" and one.patient % 4 == 0)):
                name = f"{one.patient:08}_{one.visit:03}_png.rf.{one.patient:04x}{one.visit:02x}{version}.jpg"
                one._replace(pixels=np.roll(one.pixels, 3 * version, axis=1)).save(root / split / name)
                labels = {f" {finding}": int(finding in one.findings) for finding in cxr.data.FINDINGS[:8]}
                rows.append({"filename": name} | labels)
        pd.DataFrame(rows).to_csv(root / split / "_classes.csv", index=False)


def course(root: Path, all_of_them: list[Picture]) -> None:
    """Three tables; an uncertain label here and there."""
    for split in ("train", "valid", "test"):
        rows = []
        for one in (one for one in all_of_them if one.split == split):
            name = f"{one.patient:08}_{one.visit:03}.png"
            one.save(root / "images" / name)
            labels = {finding: int(finding in one.findings) for finding in cxr.data.FINDINGS}
            if one.patient % 7 == 0:
                labels["Edema"] = -1
            rows.append({"Image": name, "PatientId": one.patient} | labels)
        pd.DataFrame(rows).to_csv(root / f"{split}-small.csv", index=False)


def table(root: Path, all_of_them: list[Picture]) -> None:
    """One table beside a folder, many of whose rows have no picture."""
    rows = []
    for one in all_of_them:
        name = f"{one.patient:08}_{one.visit:03}.png"
        one.save(root / "xrays" / name)
        rows.append((name, "|".join(one.findings) or "No Finding", int(one.age), one.sex))
    rows += [(f"{patient:08}_000.png", "No Finding", 50, "F") for patient in range(20_000, 24_000)]
    pd.DataFrame(rows, columns=["name", "labels", "age", "gender"]).to_csv(root / "ground_truth.csv", index=False)


def described(root: Path, all_of_them: list[Picture]) -> None:
    """A table that nobody could guess, and what it means."""
    rows = []
    for number, one in enumerate(all_of_them):
        one.save(root / "scans" / f"scan{number}.png")
        fold = {"train": "0", "valid": "1", "test": "2"}[one.split]
        rows.append((f"scan{number}", one.patient, fold, "/".join(one.findings) or "oB", "ap"))
    columns = ["Bild", "Fall", "Gruppe", "Befund", "Strahlengang"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "liste.csv", sep=";")
    (root / "dataset.toml").write_text(
        'image = "Bild"\npatient = "Fall"\nsplit = "Gruppe"\nlabels = ["Befund"]\nseparators = "/"\nhealthy = ["oB"]\n'
        '[tables]\n"liste.csv" = ""\n[parts]\n"0" = "train"\n"1" = "valid"\n"2" = "test"\n'
    )


def folders(root: Path, all_of_them: list[Picture]) -> None:
    """Class folders without anything that tells patients or parts."""
    for number, one in enumerate(all_of_them):
        one.save(root / ("abnormal" if one.findings else "normal") / f"scan{number}.png")


LAYOUTS: tuple[Callable[[Path, list[Picture]], None], ...] = (
    nih, chexpert, mimic_cxr_jpg, padchest, vindr, rsna, kermany, covid_radiography, tuberculosis, roboflow, course,
    table, described, folders,
)  # fmt: skip


def written(root: Path, names: list[str], images: int) -> Iterator[tuple[str, Path]]:
    """Write the folders that were asked for, one after another."""
    some = pictures(images)
    for write in LAYOUTS:
        if write.__name__ in names:
            folder = root / write.__name__
            folder.mkdir(parents=True)
            write(folder, some)
            yield write.__name__, folder


def tried(folder: Path) -> tuple[str, bool]:
    """What `cxr data check` and `cxr run` make of a folder, in a line, and whether all is well."""
    checked = subprocess.run([*CXR, "data", "check", str(folder), "--json"], capture_output=True, text=True)
    if not checked.stdout.startswith("{"):
        return f"cannot be opened: {checked.stderr.strip()}", False
    told = json.loads(checked.stdout)
    out = folder.parent / f"run of {folder.name}"
    ran = subprocess.run([*CXR, "run", "--data", str(folder), "--out", str(out)], capture_output=True, text=True)
    claims = [line.strip() for line in ran.stdout.splitlines() if line.startswith("all ")]
    summary = claims[-1] if claims else (ran.stderr or ran.stdout).strip()[-300:]
    about = f"{told['reader']}: {told['images']:,} images of {told['patients']:,} patients; check {checked.returncode}"
    return f"{about}; {summary}", ran.returncode == 0 and checked.returncode == 0


def main() -> int:
    """Try all layouts; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(write.__name__ for write in LAYOUTS))
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--to", type=Path)
    asked = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, folder in written(asked.to or Path(temporary), asked.only.split(","), asked.images):
            summary, well = tried(folder)
            print(f"{name:18} {summary}", flush=True)
            failed += [] if well else [name]
    print(f"failed: {', '.join(failed)}" if failed else "all well")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
