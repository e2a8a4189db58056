"""Labels dealt out at random: everything is forgotten, and nothing else is touched."""

from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.data import shortcut
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.readers.files import Files


def test_permuted_labels_keep_parts_and_combinations():
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"image": [str(n) for n in range(90)], "patient": "1",
                          "split": np.repeat(["train", "valid", "test"], 30)})  # fmt: skip
    findings = ("Mass", "Edema")
    table[list(findings)] = generator.integers(0, 2, (90, 2)).astype(np.int8)
    dataset = Dataset("toy", "folders", Path("."), table, findings, pd.DataFrame(), None, Files({}))
    before = table.copy()
    permuted = shortcut.permute_labels(dataset, seed=1)
    pd.testing.assert_frame_equal(dataset.table, before)
    pd.testing.assert_frame_equal(permuted.table.drop(columns=[*findings]), before.drop(columns=[*findings]))
    assert (permuted.table.dtypes == before.dtypes).all() and permuted.digest != dataset.digest
    columns = ["split", *findings]
    assert permuted.table[columns].value_counts().to_dict() == before[columns].value_counts().to_dict()
    agree = (permuted.table["Mass"] == before["Mass"]).mean()
    assert 0.3 < agree < 0.7  # by chance about a half
    assert shortcut.permute_labels(dataset, seed=1).digest == permuted.digest != shortcut.permute_labels(dataset).digest
