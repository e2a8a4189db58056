"""A part of the training images, patients whole."""

import numpy as np
import pandas as pd

from cxr_utils.data.splits import sample_patients


def test_a_sample_keeps_patients_whole_and_grows_from_the_smaller_one():

    rng = np.random.default_rng(3)
    patients = pd.Series(rng.integers(0, 40, 120).astype(str))
    smaller, larger = (sample_patients(patients, images, seed=5) for images in (20, 60))
    for chosen, images in ((smaller, 20), (larger, 60)):
        assert not set(patients[chosen]) & set(patients[~chosen])
        most = patients.value_counts().max()
        assert images <= chosen.sum() < images + most
    assert (larger | ~smaller).all()
    assert sample_patients(patients, 1000).all()
