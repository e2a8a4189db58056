"""A radiograph simulator: patients with an anatomy, projected through physics, with findings known to the pixel.

`ensure_cohort` gives the course its default data set, offline, in NIH's own layout. `anatomy` draws the patient,
`findings` changes the anatomy, `physics` turns thickness into grey values, `render` puts them together, `labels` draws
who has what and what a text miner would say, `cohort` writes the files and `devices` adds tubes, wires and markers.
"""

from cxr_utils import on_first_use

#: The findings of ChestX-ray14 in NIH's own order (Wang et al., ChestX-ray8, CVPR 2017, and its 2017 update).
FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "cohort": ("make_cohort", "ensure_cohort", "COHORTS", "PROFILES", "simulator_version"),
        "devices": ("plant_marker",),
        "render": ("radiograph", "Finding", "Variety", "Exposure"),
        "patient": ("draw_patient", "draw_visit", "HOSPITALS"),
        "findings": ("draw_mask", "draw_boxes"),
    },
)
