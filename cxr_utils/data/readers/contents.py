"""What a reader of any layout hands back."""

from dataclasses import dataclass, field

import pandas as pd

from cxr_utils.data.readers.files import Files
from cxr_utils.data.schema import BOX_COLUMNS


@dataclass(frozen=True, eq=False)
class Contents:
    """A folder as read: the same pieces whatever its layout.

    Attributes:
        kind: "phantom", "nih", "course" or "folders".
        table: Contract table (see `schema.validate_table`), parts disjoint by patient.
        findings: Label columns in order.
        files: Image name to path; may lack images of the table.
        boxes: Boxes in fractions of the image sides.
        published: image, patient, split exactly as shipped, or None where no split was shipped.
        notes: Lines that a learner should read.
    """

    kind: str
    table: pd.DataFrame
    findings: tuple[str, ...]
    files: Files
    boxes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(BOX_COLUMNS)))
    published: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)
