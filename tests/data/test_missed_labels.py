"""Labels of one group missed on purpose: only its positive ones, only where a network learns, as many as was asked."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr_utils.data import shortcut
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files
from cxr_utils.errors import DataError

FINDINGS = ["Mass", "Edema"]


def toy(images=3000, unknown=False):
    """Half of the images in the group, half of the labels positive; where asked, some labels unknown."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"image": [str(n) for n in range(images)], "patient": "1", "sex": ["F", "M"] * (images // 2)})
    table["split"] = generator.choice(["train", "valid", "test"], images)
    table[FINDINGS] = generator.integers(0, 2, (images, 2)).astype(np.int8)
    if unknown:
        table["Mass"] = table["Mass"].astype(np.float32).where(generator.random(images) < 0.8)
    return Dataset("toy", "folders", Path("."), table, tuple(FINDINGS), pd.DataFrame(), None, Files({}))


def test_only_positive_labels_of_the_group_are_missed_and_those_of_test_stay():
    dataset = toy()
    before, women = dataset.table.copy(), (dataset.table["sex"] == "F").to_numpy()
    missed = dataset.with_missed(women, 0.7, seed=3)
    pd.testing.assert_frame_equal(dataset.table, before)
    changed = (missed.table[FINDINGS] != before[FINDINGS]).to_numpy()
    allowed = (before[FINDINGS] == 1).to_numpy() & women[:, None] & (before["split"] != "test").to_numpy()[:, None]
    assert changed.any(axis=0).all() and not (changed & ~allowed).any()
    assert abs(changed[allowed].mean() - 0.7) < 4 * np.sqrt(0.21 / allowed.sum())
    together = pd.crosstab(changed[allowed.all(axis=1), 0], changed[allowed.all(axis=1), 1], normalize=True)
    assert together.loc[True, True] == pytest.approx(0.49, abs=0.07)  # each label by a throw of its own
    assert (missed.table.dtypes == before.dtypes).all() and missed.digest != dataset.digest
    pd.testing.assert_frame_equal(missed.table.drop(columns=FINDINGS), before.drop(columns=FINDINGS))


def test_the_seed_decides_who_is_missed():
    dataset = toy()
    women = (dataset.table["sex"] == "F").to_numpy()
    one, again, other = (shortcut.miss_labels(dataset, women, 0.5, seed=seed) for seed in (1, 1, 2))
    assert one.digest == again.digest != other.digest


def test_what_is_unknown_stays_unknown():
    dataset = toy(unknown=True)
    missed = dataset.with_missed(np.ones(len(dataset), dtype=bool), 1.0)
    assert (missed.table["Mass"].isna() == dataset.table["Mass"].isna()).all()
    learned = missed.table[missed.table["split"] != "test"]
    assert learned[FINDINGS].max().tolist() == [0, 0] and missed.table["Mass"].dtype == np.float32


@pytest.mark.parametrize(
    ("group", "share"), [(np.ones(4, bool), 0.5), (np.ones(6), 0.5), (np.ones(6, bool), 1.5), (np.ones(6, bool), -0.1)]
)
def test_a_mask_that_does_not_fit_is_refused(group, share):
    with pytest.raises(DataError, match="Expected a mask of 6 truth values"):
        shortcut.miss_labels(toy(6), group, share)


def test_other_labels_go_by_the_name_of_the_image_and_not_by_its_row():
    dataset = toy(images=50)
    given = pd.DataFrame({"Edema": np.arange(60) % 2, "Mass": np.arange(60) % 3 == 0}, [str(n) for n in range(60)])
    shuffled = dataset.with_labels(given.sample(frac=1, random_state=1))
    assert (shuffled.table["Edema"].to_numpy() == np.arange(50) % 2).all()
    assert (shuffled.table["Mass"].to_numpy() == (np.arange(50) % 3 == 0)).all()
    assert shuffled.table.drop(columns=FINDINGS).equals(dataset.table.drop(columns=FINDINGS))


@pytest.mark.parametrize(("absent", "named"), [(("3", []), "'3'"), (([], "Edema"), "'Edema'")])
def test_an_image_or_a_finding_without_labels_is_named(absent, named):
    given = pd.DataFrame(0, [str(n) for n in range(10)], FINDINGS).drop(index=absent[0], columns=absent[1])
    with pytest.raises(DataError, match=f"no labels for {named}"):
        toy(images=10).with_labels(given)
