"""What several tests need: the real X-rays beside the checkout."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real X-rays (`CXR_REAL_DATA`, or `../shared/real`); skips where absent, but not in CI."""
    folder = Path(os.environ.get("CXR_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
    if not folder.is_dir():
        reason = f"no real X-rays at {folder}: set CXR_REAL_DATA to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(reason + " (tests on real data must not skip in CI)")
        pytest.skip(reason)
    return folder
