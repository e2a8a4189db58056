"""Pictures for pretraining: whole on disk or not there, and batches that follow from seed, epoch and picture."""

import subprocess
import sys

import numpy as np
import psutil
import pytest

from cxr_utils.training import randomization, simulated
from cxr_utils.training.simulated import Batch, Pictures, draw_pictures, feed


@pytest.fixture(scope="module")
def folder(workplace):
    return draw_pictures(50, 64, seed=3)


def test_pictures_lie_there_as_they_were_drawn(folder):
    pictures = Pictures.open(folder)
    assert pictures.pixels.shape == (50, 64, 64) and pictures.masks.shape == (50, 17, 32, 32)
    for number in (0, 39, 40, 49):  # tasks of forty
        pixels, labels, masks = randomization.draw(3, number, 64)
        assert np.array_equal(pictures.pixels[number], pixels) and np.array_equal(pictures.labels[number], labels)
        assert np.array_equal(pictures.masks[number], masks)
    assert draw_pictures(50, 64, seed=3) == folder and draw_pictures(8, 64, seed=3) != folder


def test_nothing_half_drawn_is_left(workplace, monkeypatch):
    def full(*_, **__):
        raise OSError("no room")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no room"):
        patch.setattr(np.lib.format, "open_memmap", full)
        draw_pictures(9, 64, seed=3)
    parent = simulated.cache.root() / "pretraining" / "pictures"
    assert not [path.name for path in parent.iterdir() if path.name.startswith("9-") or path.suffix == ".part"]


def test_a_picture_changes_with_the_epoch_and_not_with_its_batch(folder):
    one = Batch.changed(folder, (1, 0), 32, np.array([4, 7, 9]))
    assert one.pixels.shape == (3, 32, 32) and one.labels.shape == (3, 14) and one.masks.shape == (3, 2, 2, 17)
    other = Batch.changed(folder, (1, 0), 32, np.array([9, 30]))
    assert np.array_equal(one.pixels[2], other.pixels[0]) and np.array_equal(one.masks[2], other.masks[0])
    for seed in ((1, 1), (2, 0)):
        assert not np.array_equal(one.pixels[0], Batch.changed(folder, seed, 32, np.array([4])).pixels[0])


def test_all_batches_come_in_order(folder):
    rows = [np.array([first, first + 1]) for first in range(0, 40, 2)] + [np.array([49])]
    with simulated.processes() as pool:
        fed = [*feed(folder, rows, (1, 0), 32, pool)]
        assert len(fed) == 21
        for some, (images, targets) in zip(rows, fed, strict=True):
            batch = Batch.changed(folder, (1, 0), 32, some)
            assert np.array_equal(targets["logits"], batch.labels) and images.dtype == np.float32
            assert np.allclose(targets["masks"], batch.masks / 255) and images.shape == (len(some), 32, 32, 1)
            assert np.abs(images.mean(axis=(1, 2))).max() < 1e-4


PROGRAM = """
import os, time
from cxr_utils.training import simulated
if __name__ == "__main__":
    with simulated.processes() as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(600)
"""


def test_a_program_that_is_killed_leaves_no_process_behind(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    program = subprocess.Popen([sys.executable, tmp_path / "program.py"], stdout=subprocess.PIPE, text=True)
    worker = psutil.Process(int(program.stdout.readline()))
    program.kill()
    program.wait()
    assert psutil.wait_procs([worker], timeout=60)[0] or worker.status() == psutil.STATUS_ZOMBIE
