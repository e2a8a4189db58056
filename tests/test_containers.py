"""Docker, Codespaces and Binder cannot run here; what their files name exists, and they agree on the Python."""

import json
import re
import tomllib

from packaging.specifiers import SpecifierSet
from toy_course import REPOSITORY

from cxr_utils.course.root_files import PYTHON

DOCKERFILE = (REPOSITORY / ".devcontainer" / "Dockerfile").read_text(encoding="utf-8")
CODESPACE = json.loads((REPOSITORY / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
IGNORED = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_all_use_one_python_that_the_lock_serves():
    images = [re.search(r"^FROM (\S+)$", DOCKERFILE, re.MULTILINE)[1], CODESPACE["image"]]
    assert images == [f"python:{PYTHON}-slim", f"mcr.microsoft.com/devcontainers/python:{PYTHON}"]
    assert f"\n  - python={PYTHON}\n" in (REPOSITORY / "environment.yml").read_text(encoding="utf-8")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert SpecifierSet(project["requires-python"]).contains(PYTHON)


def test_the_image_is_made_from_the_lock_and_run_by_a_user_without_rights():
    copied = re.findall(r"^COPY (?:--\S+ )?(\S+) \S+$", DOCKERFILE, re.MULTILINE)
    assert copied == ["requirements.lock", "."] and (REPOSITORY / copied[0]).exists()
    installs = re.findall(r"pip install (.*?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes -r requirements.lock" in installs[0] and "--no-deps" in installs[1]
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["learner"]


def test_what_a_lesson_needs_is_not_kept_out_of_the_image():
    hidden = {line for line in IGNORED if line and not line.startswith(("#", "!"))}
    assert not hidden & {"notebooks", "solutions", "cxr_utils", "docs", "README.md", "pyproject.toml", "data", "**"}
    assert {"data/*", "!data/weights", "!data/measured", "!data/README.md", ".git", ".venv"} <= {*IGNORED}


def test_a_codespace_makes_the_environment_and_opens_the_first_lesson():
    command = CODESPACE["onCreateCommand"].split()
    assert command == ["python", "course.py", "setup"] and (REPOSITORY / command[1]).exists()
    (opened,) = CODESPACE["customizations"]["codespaces"]["openFiles"]
    assert (REPOSITORY / opened).exists()


def test_binder_reads_environment_yml():
    """It would prefer a Dockerfile at the top, and whatever stands in a folder of its name."""
    assert not [name for name in ("Dockerfile", "binder", ".binder") if (REPOSITORY / name).exists()]
    assert '- "-e ."' in (REPOSITORY / "environment.yml").read_text(encoding="utf-8")
