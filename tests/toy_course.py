"""A course of small lessons, for tests of what makes and runs lessons."""

import shutil
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]

HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

"""

PARAMETERS = '# %% tags=["parameters"]\ndata = "phantom"\nprofile = "quick"\nseed = 0\n'

EXERCISE = """
# %%
def double(x):
    \"\"\"Return twice `x`.\"\"\"
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
"""

LESSON = (
    "# %% [markdown]\n# # A toy lesson\n\n"
    + PARAMETERS
    + EXERCISE
    + """
# %%
answer = double(2)
print("blank" if answer is None else "answered", 2 + 2)

# %%
import cxr_utils as cxr

cxr.claims({"Four is even": 4 % 2 == 0, "Boxes are small": cxr.given(False, "there are none") and False})
cxr.headline(f"{data} {profile} {seed}")

# %%
from cxr_utils.checks.exercise import Case, Exercise, check


def doubled(x):
    return x + x


double = check(Exercise(doubled, "Add it to itself.", [Case((2,), 4)]), double)
"""
)


def make_course(root: Path, **lessons: str) -> Path:
    """A course with these sources, and the project files that `environment.yml` is derived from.

    Args:
        root: an empty folder.
        lessons: source of each lesson by its name, with an "L" before it, since a name begins with digits.
    """
    (root / "solutions").mkdir()
    for name, text in lessons.items():
        (root / "solutions" / f"{name[1:]}.py").write_text(text, encoding="utf-8")
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(REPOSITORY / name, root / name)
    return root


def make_rays(root: Path) -> Path:
    """Class folders of six patients; the pictures are empty files, for what opens a data set and reads none."""
    names = [f"{part}/{kind}" for part in ("train", "valid", "test") for kind in ("SICK", "WELL")]
    for patient, name in enumerate(names):
        (root / name).mkdir(parents=True)
        (root / name / f"person{patient}_1.png").write_bytes(b"")
    return root
