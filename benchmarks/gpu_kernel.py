"""What the steps of `benchmarks/gpu.py` and the kernels of its lessons begin with.

A claim that this run does not bear out is printed and counted, and the lesson goes on: minutes on a GPU are few, and
the other claims are of interest too. In a rehearsal (`CXR_REHEARSAL=1`) every recipe is small and takes one epoch.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cxr_utils.checks import claim
from cxr_utils.networks import recipes

SMALL = {"size": 64, "epochs": 1, "batch_size": 16}
#: What IPython runs in a kernel before the first cell; it leaves no name behind.
STARTUP = f"""\
import sys
sys.path.append({str(Path(__file__).parent)!r})
import gpu_kernel
gpu_kernel.begin()
del sys.path[-1], sys, gpu_kernel
"""


def begin() -> None:
    """Once a process."""
    strict = claim.claims

    def told(statements: Mapping[str, object]) -> None:
        try:
            strict(statements)
        except claim.ClaimNotBorneOut:
            pass  # the line that says so has been printed

    claim.claims = told
    if os.environ.get("CXR_REHEARSAL"):
        recipes._QUICK = {name: replace(one, **SMALL) for name, one in recipes._QUICK.items()}
        recipes._FULL = {name: values | SMALL for name, values in recipes._FULL.items()}
