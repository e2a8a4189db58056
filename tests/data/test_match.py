"""Names of tables and files of a folder: found by their end, against a search through all pairs."""

import numpy as np
import pandas as pd
import pytest

from cxr_utils.data.readers import recognition
from cxr_utils.data.readers.match import match, plain
from cxr_utils.errors import DataError


def searched(names, paths):
    """What the rule says, pair by pair; None where it refuses."""
    wanted, stored = [plain(name) for name in names], [plain(path) for path in paths]
    telling = len({name.rsplit("/", 1)[-1] for name in wanted}) == len(wanted)
    found = []
    for raw, name in zip(names, wanted, strict=True):
        exact = [place for place, path in enumerate(paths) if path == raw]
        same = [place for place, path in enumerate(stored) if path.rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1]]
        if len(same) > 1 or not telling:
            same = [place for place in same if f"/{stored[place]}".endswith(f"/{name}")] or [
                place for place in same if f"/{name}".endswith(f"/{stored[place]}")
            ]
        if not exact and len(same) > 1:
            return None
        found.append((exact or same or [-1])[0])
    meant = [place for place in found if place >= 0]
    return found if len(set(meant)) == len(meant) else None


def a_path(rng, most):
    return "/".join(rng.choice(["a", "b", "c"], rng.integers(1, most + 1))) + rng.choice([".png", ".jpg"])


def test_random_names_are_matched_as_by_a_search_through_all_pairs():
    rng = np.random.default_rng(0)
    outcomes = []
    for _ in range(3000):
        paths = list(dict.fromkeys(a_path(rng, 3) for _ in range(rng.integers(2, 6))))
        # As many names as paths: every one is looked for, as where a picture is left without a name.
        names = list(dict.fromkeys(a_path(rng, 4) for _ in paths))
        if not any("/" in name for name in names) or len({plain(name) for name in names}) < len(names):
            continue
        if sum(name not in paths for name in names) <= len(names) - len(paths):
            continue
        wanted = searched(names, paths)
        outcomes.append(wanted is None)
        if wanted is None:
            with pytest.raises(DataError, match="fits? "):
                match(names, paths)
        else:
            assert match(names, paths).tolist() == wanted
    assert outcomes.count(True) > 100 and outcomes.count(False) > 100


def test_names_that_repeat_get_the_same_place_and_many_alike_take_no_square_of_time():
    names = [f"CheXpert/train/patient{number:05d}/study1/view1_frontal.jpg" for number in range(20000)]
    paths = [name.removeprefix("CheXpert/") for name in reversed(names)]
    assert match(pd.Series([*names, names[3]]), paths).tolist() == [*range(19999, -1, -1), 19996]


def test_a_name_of_digits_stays_a_name_and_an_empty_one_is_refused(tmp_path):
    rows = [f"{number:05d},{number % 2},{number}" for number in range(12)]
    (tmp_path / "all.csv").write_text("\n".join(["image,Mass,patient", *rows]))
    for number in range(13):
        (tmp_path / f"{number:05d}.png").touch()
    contents = recognition.read(recognition.walk(tmp_path))
    assert contents.table["image"].tolist() == [f"{number:05d}" for number in range(12)] == list(contents.files)
    assert any("1 pictures are in no row of the table that is used" in note for note in contents.notes)
    (tmp_path / "all.csv").write_text("\n".join(["image,Mass,patient", *rows, " ,1,7"]))
    with pytest.raises(DataError, match=r"image is empty in row 12 of all.csv \(1 such rows\)"):
        recognition.read(recognition.walk(tmp_path))
