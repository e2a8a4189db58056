"""COVID-19 Radiography Database: class folders COVID, Lung_Opacity, Normal and Viral Pneumonia, and masks of the lungs.

Editions with `CLASS/images` and `CLASS/masks`, and older ones with `CLASS/CLASS (1).png`. The spreadsheets beside the
folders tell sources of the pictures and are not read. Source: Chowdhury et al., IEEE Access 2020; Rahman et al.,
Computers in Biology and Medicine 2021; the licences of the pictures' many sources.
"""

import re
from dataclasses import replace

from cxr_utils.data.readers.files import Contents, Folder
from cxr_utils.data.readers.folders import class_folders, read_folders
from cxr_utils.data.readers.tables import guessed
from cxr_utils.data.readers.values import Uncertain

_NAME = re.compile(r"(COVID(-19)?|Lung_Opacity|Normal|Viral Pneumonia)(/images)?/\1[ -]?\(?\d+\)?\.png$", re.IGNORECASE)
_RULE = (
    "the classes exclude each other: a picture of one is taken to have none of the others. They come from different "
    "sources, which a network can tell apart without looking at lungs (lesson 02)."
)


def recognise(folder: Folder) -> bool:
    """Tell whether most pictures have the collection's names, COVID is among them, and no table describes them."""
    if not folder.is_named(_NAME) or guessed(folder):
        return False
    found = class_folders(folder)
    return found is not None and any(label.upper().startswith("COVID") for label in found["label"].unique())


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read the collection as class folders.

    Args:
        folder: What was found.
        uncertain: Not asked: every picture has one class.

    Returns:
        What was found, masks with it. No name tells a patient: each picture has its own, and that is said.
    """
    contents = read_folders(folder, "covid_radiography")
    return replace(contents, notes=[_RULE, *contents.notes])
