"""PadChest (San Juan Hospital, Alicante): one table whose cells list labels, 16 bit PNG in folders 0 to 54.

A quarter of the labels were given by radiologists, the others by a network from reports. Source: Bustos et al., Medical
Image Analysis 2020. Research use only.
"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from cxr_utils.data.readers.description import Description
from cxr_utils.data.readers.files import Contents, Folder
from cxr_utils.data.readers.tables import read_described, undescribed
from cxr_utils.data.readers.values import Uncertain, with_all_findings
from cxr_utils.data.schema import FINDINGS, finding_name, is_healthy, validate_table
from cxr_utils.errors import DataError

_NEEDED = ("ImageID", "PatientID", "Projection", "Labels")
_PICTURE = re.compile(r"/\d{30,}_[^/]*$")
_FRONTAL = ("PA", "AP", "AP_horizontal")
# Labels that are kinds of one of the 14, by PadChest's own tree; synonyms stand in the schema.
_KINDS = {
    "Atelectasis": "laminar atelectasis|lobar atelectasis|segmental atelectasis|total atelectasis|round atelectasis|"
    "atelectasis basal",
    "Effusion": "loculated pleural effusion|loculated fissural effusion|hydropneumothorax",
    "Infiltration": "interstitial pattern|ground glass pattern|reticular interstitial pattern|"
    "reticulonodular interstitial pattern|alveolar pattern",
    "Nodule": "multiple nodules",
    "Pneumonia": "atypical pneumonia",
    "Pneumothorax": "hydropneumothorax",
    "Consolidation": "air bronchogram",
    "Pleural_Thickening": "apical pleural thickening|calcified pleural thickening",
}
# What is said about the picture or an earlier one, not about the chest.
_UNUSABLE = {"exclude", "suboptimal study"}
_SILENT = {"", "unchanged"}


def recognise(folder: Folder) -> bool:
    """Tell whether one of the tables is PadChest's, or whether its pictures lie there undescribed."""
    return bool(folder.with_columns(*_NEEDED)) or undescribed(folder, _PICTURE)


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read PadChest: frontal views with those of its labels that are among the 14, or kinds of them.

    Args:
        folder: What was found.
        uncertain: Not asked: PadChest's labels are present or absent.

    Returns:
        What was found; the table may hold many more images than there are files.

    Raises:
        DataError: There is no table, or there are several editions of it.
    """
    named = folder.with_columns(*_NEEDED)
    if not named:
        raise DataError(
            f"{folder.root} holds pictures of PadChest without their table. Expected "
            "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv, which BIMCV hands out with them. Put it beside them."
        )
    name = folder.edition(named, "the image table")
    notes: list[str] = []

    def complete(table: pd.DataFrame) -> pd.DataFrame:
        labels, others = _findings(table["Labels"])
        left = int(labels.isna().sum())
        if left:
            notes.append(
                f"{left:,} of {len(table):,} rows are left out, whose labels are missing, say only unchanged, or call "
                "the study suboptimal or excluded."
            )
        notes.append(
            f"a label that is a kind of one of the 14 findings counts as that finding; {others} other labels are left "
            "out, so that an image without a finding need not be healthy."
        )
        table["findings"], table["view"] = labels, table["Projection"].replace("AP_horizontal", "AP")
        if {"StudyDate_DICOM", "PatientBirth"} <= set(table):
            table["age"] = pd.to_numeric(table["StudyDate_DICOM"], errors="coerce") // 10000 - pd.to_numeric(
                table["PatientBirth"], errors="coerce"
            )
        return table[labels.notna()]

    header = folder.headers[name]
    how = Description(
        {name: ""},
        image="ImageID",
        patient="PatientID",
        age="age" if {"StudyDate_DICOM", "PatientBirth"} <= set(header) else "",
        sex="PatientSex_DICOM" if "PatientSex_DICOM" in header else "",
        view="view",
        labels=("findings",),
        separators="|",
        keep={"Projection": _FRONTAL},
    )
    contents = read_described(folder, how, "padchest", uncertain, complete=complete)
    labels, findings = with_all_findings(contents.table[list(contents.findings)])
    table = contents.table.drop(columns=list(contents.findings)).join(labels)
    return replace(contents, table=validate_table(table, findings), findings=findings, notes=[*notes, *contents.notes])


def _findings(cells: pd.Series) -> tuple[pd.Series, int]:
    """The findings that "['laminar atelectasis', 'kyphosis']" names, such as "Atelectasis"; NaN where it says nothing.

    Returns:
        (n,) of str, "" for none of the 14, and how many labels are none of them.
    """
    means = {name: {name} for name in FINDINGS}
    for finding, kinds in _KINDS.items():
        for kind in kinds.split("|"):
            means.setdefault(kind, set()).add(finding)
    codes, distinct = pd.factorize(cells)
    others: set[str] = set()
    found: list[str | float] = []
    for cell in distinct:
        said = {label.strip(" '\"[]").lower() for label in str(cell).split(",")}
        named = said - _SILENT
        findings = {finding_name(label) for label in named}
        others |= {name for name in findings if name not in means and not is_healthy(name)} - _UNUSABLE
        usable = named and not said & _UNUSABLE
        found.append(
            "|".join(sorted(set().union(*(means.get(name, set()) for name in findings)))) if usable else np.nan
        )
    return pd.Series(np.array([*found, np.nan], object)[codes], cells.index), len(others)
