"""A picture is the same bytes each time, carries its alt text, and never touches pyplot."""

import subprocess
import sys

import numpy as np
import pandas as pd

from cxr_utils import plots


def bars():
    return plots.finding_counts(pd.DataFrame({"Mass": [1, 1, 0], "Hernia": [0, 1, 0]}), ["Mass", "Hernia"])


def test_same_figure_same_bytes():
    assert bars().png() == bars().png()


def test_bundle_carries_alt_text():
    data, metadata = bars()._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] in data["text/plain"]


def test_bar_labels_count_the_table():
    texts = [text.get_text() for text in bars().figure.axes[0].texts]
    assert texts == ["1 (33.3%)", "2 (66.7%)"]


def test_save_writes_whole_files_only(tmp_path):
    path = bars().save(tmp_path / "sub" / "bars.png")
    assert path.read_bytes() == bars().png() and [p.name for p in path.parent.iterdir()] == ["bars.png"]


def test_boxes_are_drawn_at_their_fractions():
    box = pd.DataFrame({"finding": ["Mass"], "x": [0.25], "y": [0.5], "width": [0.5], "height": [0.25]})
    picture = plots.gallery([np.zeros((100, 200), np.uint8)], ["one"], [box])
    patch = picture.figure.axes[0].patches[0]
    assert patch.get_xy() == (49.5, 49.5) and (patch.get_width(), patch.get_height()) == (100, 25)


def test_pyplot_stays_out():
    code = "import sys, cxr_utils.plots.tables; print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_the_house_style_holds_for_figures_and_for_nothing_else():
    import matplotlib

    before = matplotlib.rcParams["axes.titlelocation"]
    title = bars().figure.axes[0].get_title(loc="left")
    assert title == "How often is each finding?" and matplotlib.rcParams["axes.titlelocation"] == before == "center"
