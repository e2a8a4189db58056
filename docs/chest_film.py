"""Makes docs/chest_film.png, the labelled films of docs/chest_film.md: one simulated patient, standing and in bed.

python docs/chest_film.py
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from cxr_utils.phantom.drawing import Frame
from cxr_utils.phantom.patient import draw_patient, draw_visit
from cxr_utils.phantom.render import radiograph
from cxr_utils.plots.picture import PALETTE, Picture, canvas, show_image

SIZE = 370
PERSON = 119  # a healthy heart: below half of the chest standing, above it in bed; in bed also a pacemaker and wires
ALT = "The same simulated patient in a PA and in an AP film, with the names of what is seen."

#: Words beside a film: what is seen, the side of the picture, the height (0 is the top), the place they point at in cm.
Words = tuple[tuple[str, str, float, tuple[float, float]], ...]
STANDING: Words = (
    ("collarbone", "left", 0.13, (-9.8, -11.3)),
    ("rib", "left", 0.29, (-12.2, -3.3)),
    ("lung: air is black", "left", 0.45, (-9.0, 0.4)),
    ("right dome of\nthe diaphragm", "left", 0.62, (-7.2, 5.7)),
    ("costophrenic angle", "left", 0.82, (-13.3, 10.4)),
    ("letter: this side is\nthe patient's left", "right", 0.08, (15.6, -14.0)),
    ("windpipe", "right", 0.22, (0.3, -11.5)),
    ("aortic arch", "right", 0.35, (3.2, -6.1)),
    ("heart", "right", 0.50, (5.6, 2.2)),
    ("air in the stomach", "right", 0.68, (7.0, 8.4)),
)
IN_BED: Words = (
    ("letter: this side is\nthe patient's right", "left", 0.08, (-17.4, -15.6)),
    ("pacemaker", "left", 0.30, (-9.4, -5.8)),
    ("diaphragm higher:\na shallow breath", "left", 0.54, (-6.0, 2.6)),
    ("wire", "right", 0.14, (8.4, -9.4)),
    ("electrode", "right", 0.36, (3.7, 0.3)),
    ("heart wider", "right", 0.54, (6.4, 2.4)),
    ("arm at the side", "right", 0.72, (17.8, 8.1)),
)


def main() -> None:
    """Draw the standing patient with the names of the anatomy, and the same one in bed with what is different."""
    figure, axes = canvas(1, 2, width=12.6, height=4.2)
    figure.set_layout_engine("none")  # it would make the films small to make room for the words
    for axis, left in zip(axes, (0.11, 0.61), strict=True):
        axis.set_position((left, 0.06, 0.294, 0.88))
    show(axes[0], "PA", "PA: standing, from back to front", STANDING)
    show(axes[1], "AP", "AP: in bed, from front to back", IN_BED)
    Picture(figure, ALT).save(Path(__file__).with_suffix(".png"))


def show(axis: Axes, view: str, title: str, words: Words) -> None:
    """One film, with words beside it and the widths of heart and chest below it."""
    patient = draw_patient(np.random.default_rng([PERSON, 7]), 52, "M")
    visit = draw_visit(np.random.default_rng([PERSON, 8]), view)
    film = radiograph(patient, visit, [], seed=PERSON, size=SIZE)
    frame = Frame(SIZE, visit.field_cm, visit.centre, visit.tilt)
    show_image(axis, film.pixels)
    axis.set_title(title, loc="left", fontsize=10, fontweight="bold")
    arrow = {"arrowstyle": "-|>", "color": PALETTE["orange"], "linewidth": 1.4}
    for name, side, height, place in words:
        x, anchor = (-0.03, "right") if side == "left" else (1.03, "left")
        axis.annotate(
            name, tuple(frame.to_pixels(place)), (x, 1 - height), textcoords="axes fraction", arrowprops=arrow,
            ha=anchor, va="center", fontsize=9,
        )  # fmt: skip
    heart = columns(film.organs["heart"])
    chest = columns(film.organs["right lung"] | film.organs["left lung"])
    for (first, last), row in ((heart, 0.93), (chest, 0.97)):
        axis.plot([first, last], [row * SIZE] * 2, "|-", color=PALETTE["blue"], linewidth=2, markersize=9)
    share = (heart[1] - heart[0]) / (chest[1] - chest[0])
    axis.set_xlabel(f"patient's right      heart / chest = {share:.2f}      patient's left", fontsize=9)


def columns(mask: np.ndarray) -> tuple[int, int]:
    """First and last column in which a mask, (size, size) of bool, has a pixel."""
    found = np.flatnonzero(mask.any(axis=0))
    return found[0], found[-1]


if __name__ == "__main__":
    main()
