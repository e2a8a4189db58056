"""Simulated patients with a known answer, for tests of several files."""

import numpy as np
import pandas as pd

FINDINGS = ["Mass", "Edema", "Hernia"]


def cohort(images=400, patients=60, seed=0, ties=True):
    """Labels, scores (with ties) and patients whose images resemble each other, named."""
    generator = np.random.default_rng(seed)
    patient = generator.integers(patients, size=images)
    ill = generator.normal(size=(patients, len(FINDINGS)))[patient]
    truth = (ill + generator.normal(size=ill.shape) > [0.5, 1.0, 1.8]).astype(int)
    scores = truth + ill + generator.normal(size=truth.shape)
    index = pd.Index([f"{number}.png" for number in range(images)], name="image")
    scores = np.round(scores, 1) if ties else scores
    named = (pd.DataFrame(values, index=index, columns=FINDINGS) for values in (truth, scores))
    return *named, pd.Series(patient.astype(str), index=index, name="patient")


def image_table(images=600, seed=0, first=0):
    """Old men have a Mass; nothing predicts Edema."""
    generator = np.random.default_rng(seed)
    age, male = generator.uniform(20, 90, images), generator.random(images) < 0.5
    return pd.DataFrame(
        {
            "image": [f"{first + number}.png" for number in range(images)],
            "patient": [str(first + number // 2) for number in range(images)],
            "age": age,
            "sex": np.where(male, "M", "F"),
            "view": generator.choice(["PA", "AP"], images),
            "follow_up": generator.integers(0, 5, images),
            "Mass": (age / 30 + male + generator.normal(size=images) > 3).astype(int),
            "Edema": (generator.random(images) < 0.3).astype(int),
            "Hernia": 0,
        }
    )
