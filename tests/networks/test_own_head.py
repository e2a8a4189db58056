"""What the shipped network says itself, before anything is trained on top of it."""

from dataclasses import replace

import numpy as np
from tiny_dataset import tiny_dataset

from cxr_utils.data import pixelstore
from cxr_utils.errors import Missing
from cxr_utils.networks import models, transfer, weights


def test_own_head_is_that_of_the_network_that_was_shipped(workplace):
    data = tiny_dataset(workplace / "images", images=10)
    network = models.densenet121(32, 14, weights=None)
    weights.assign(network, weights.read(weights.simulated_path("densenet121")))
    columns = [weights.simulated_record()["findings"].index(name) for name in data.findings]
    logits = network.predict(pixelstore.standardised(pixelstore.pixels(data, 32)), verbose=0)[:, columns]
    scores = transfer.own_head_scores(data, 32)
    assert list(scores) == ["Mass", "Nodule"] and list(scores.index) == list(data.table["image"])
    assert np.allclose(scores, logits, atol=1e-4)
    other = replace(data, table=data.table.rename(columns={"Mass": "Gout"}), findings=("Gout", "Nodule"))
    assert isinstance(transfer.own_head_scores(other, 32), Missing)
