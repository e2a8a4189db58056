"""Run a learner's copy as Colab, Kaggle and Codespaces would: where there is a kernel and no course.

    python tests/hosted.py [VARIABLE ...]        those places that set these variables; without any, all three

A clone of this repository, with the tag of its version, stands in for the address of the course. Too slow for every run
of the tests: it is a job of its own in continuous integration.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
KERNEL = ["ipykernel", "nbclient", "nbformat"]
#: What Colab's kernel is made of and insists on, as its users report; its runtime ends when pip replaces ipykernel.
#: Kaggle's image is taken to be the same.
COLAB = ["ipykernel==6.17.1", "ipython==7.34.0", "tornado==6.5.1", "notebook==6.5.7"]
COLAB += ["jupyter_client==7.4.9", "pandas==2.2.2", "numpy==2.0.2", "requests==2.32.4", "psutil==5.9.5"]
PLACES = {
    "COLAB_RELEASE_TAG": ("release-colab-external", COLAB),
    "KAGGLE_KERNEL_RUN_TYPE": ("Interactive", COLAB),
    "CODESPACES": ("true", []),
}
EXECUTE = """\
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=None).execute()
code = [cell for cell in notebook.cells if cell.cell_type == "code"]
assert "find_spec" in code[0].source and code[0].outputs == [], code[0]
said = [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]
assert said == [], said
assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
"""


def main() -> None:
    version = re.search(r'__version__ = "(.+)"', (REPOSITORY / "cxr_utils/__init__.py").read_text(encoding="utf-8"))[1]
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True)
        subprocess.run(["git", "tag", "-f", f"v{version}"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
        for place in sys.argv[1:] or PLACES:
            run(place, clone, Path(folder, place))


def run(place: str, clone: Path, folder: Path) -> None:
    empty, environment = folder / "empty", folder / "environment"
    empty.mkdir(parents=True)
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("CXR_", "PYTHON"))}
    variables |= {
        place: PLACES[place][0],
        "CXR_COURSE": clone.as_uri(),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }
    variables |= {"XDG_DATA_HOME": str(empty / "data"), "XDG_CACHE_HOME": str(empty / "cache"), "JUPYTER_PATH": ""}
    variables["TQDM_DISABLE"] = "1"  # a bar is no complaint
    variables["PIP_CACHE_DIR"] = subprocess.check_output([python, "-m", "pip", "cache", "dir"], text=True).strip()

    def call(*command: str) -> str:
        start = time.perf_counter()
        done = subprocess.run(
            [python, *command], cwd=empty, env=variables, stdout=subprocess.PIPE, text=True, check=True
        )
        print(f"{place}: {' '.join(command)[:60]!r} {time.perf_counter() - start:.0f} s", flush=True)
        return done.stdout

    call("-m", "pip", "install", "-qq", *KERNEL, *PLACES[place][1])
    (notebook,) = (clone / "notebooks").glob("01_*.ipynb")
    call("-c", EXECUTE, str(notebook))
    replaced = set(PLACES[place][1]) - set(call("-m", "pip", "freeze").splitlines())
    assert not replaced, f"what the place's own kernel is made of was replaced: {replaced}"


if __name__ == "__main__":
    main()
