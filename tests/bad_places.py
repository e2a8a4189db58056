"""Places that cannot be written to, for tests that must also hold where the tests run as root."""

import os
import shutil

import pytest


def without_rights() -> list[str]:
    """What stands before a command so that it obeys the permissions of files, as root's commands else do not."""
    if os.name == "nt":
        pytest.skip("Windows has no permissions of this kind")
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root writes everywhere, and there is no setpriv to give that up")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
