"""Install the built wheel into an environment of its own and run all lessons from an empty folder.

    python tests/wheel.py FOLDER          the folder that holds the wheel

Too slow for every run of the tests: it is a job of its own in continuous integration.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def main() -> None:
    (wheel,) = Path(sys.argv[1]).resolve().glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        empty, environment = Path(folder, "empty"), Path(folder, "environment")
        empty.mkdir()
        venv.create(environment, with_pip=True)
        programs = environment / ("Scripts" if os.name == "nt" else "bin")
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("CXR_", "PYTHON"))}
        variables |= {"XDG_DATA_HOME": str(empty / "data"), "XDG_CACHE_HOME": str(empty / "cache")}

        def call(*command: str, here: Path = empty) -> None:
            print("+", *command, flush=True)
            subprocess.run([str(programs / command[0]), *command[1:]], cwd=here, env=variables, check=True)

        call("python", "-m", "pip", "install", "-qq", f"{wheel}[tensorflow]")
        call("cxr", "--version")
        call("cxr", "doctor")
        call("cxr", "lessons", "course")
        call("cxr", "run")
        call("cxr", "run", "--from", "notebooks", "--only", "01", here=empty / "course")


if __name__ == "__main__":
    main()
