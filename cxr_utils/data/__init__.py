"""A collection of radiographs on disk becomes a `Dataset`: readers, splits, leakage, one path from file to pixels."""

from cxr_utils import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "opening": ("open_dataset", "open_elsewhere"),
        "collections.pooling": ("cases_and_controls",),
        "dataset": ("Dataset",),
        "dicom": ("write_dicom",),
        "images": ("read_image", "resize", "standardise", "load_image"),
        "leakage": ("check_for_leakage", "leakage_table", "read_split_table"),
        "splits": ("split_by_patient", "split_by_image"),
        "schema": ("FINDINGS", "PARTS"),
        "sheet": ("contact_sheet",),
    },
)
