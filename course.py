"""The course's front door, which needs nothing but Python. Run: python course.py COMMAND [ARGUMENTS].

run       execute all lessons with papermill; arguments go to `cxr run`, such as --data FOLDER
test      formatting, types, tests, and that every saved output still holds
lab       JupyterLab on the lessons
build     derive every notebook from its source; with numbers, those lessons
doctor, lessons, data, grade, train, predict, explain, evaluate     the course's own commands; --help says more
bench     the measurements in benchmarks/
site      the lessons and docs/ as web pages, in site/
setup     only make the environment .venv, which every other command makes too where it is missing or out of date
check-notebooks        the part of `test` that compares saved outputs with fresh ones
jax, torch, tensorflow-gpu, jax-gpu, torch-gpu      add a backend of Keras; KERAS_BACKEND=jax or torch chooses it
nbgrader  add nbgrader, for teachers who mark with it
mutants   how many small errors, planted in the package, the tests notice
release   the wheel, and notebooks and site as one zip, in dist/; an argument is the tag that it must have
lock      requirements.lock from pyproject.toml, then environment.yml; --upgrade for newer versions
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PYTHONS = "3.11 to 3.13"
# A Python before 3.6 ends at this line, and shows it.
TOO_OLD = f"Python {PYTHONS} with its module venv is needed. Install one, or name it in the variable PYTHON."
HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
BEGUN = VENV / "begun"  # written first, holds the place: an environment that was copied or moved is made anew
STAMP = VENV / "complete"  # written last: an environment that was interrupted half-way is begun again
SOURCES = ("requirements.lock", "pyproject.toml", "course.py")
OWN = ("run", "build", "doctor", "lessons", "data", "grade", "train", "predict", "explain", "evaluate")  # of `cxr`
EXTRAS = ("jax", "torch", "tensorflow-gpu", "jax-gpu", "torch-gpu", "nbgrader")
#: First those for which every dependency has had wheels for longest.
CANDIDATES = ("python3.12", "python3.13", "python3.11", "py -3.12", "py -3.13", "py -3.11", "python3", "python")
WORKS = "import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"


def call(*command, here=HERE, **more):
    """Run a command, in the course's folder or another; where it fails, end with its status."""
    variables = {key: str(value) for key, value in more.items()}
    try:
        status = subprocess.run(
            [str(part) for part in command], cwd=str(here), env={**os.environ, **variables}
        ).returncode
    except KeyboardInterrupt:
        status = 130
    if status:
        sys.exit(status)


def works(command):
    """Whether a Python can make the environment; one that is found may be an empty shim, or come without venv."""
    try:
        return (
            subprocess.run([*command, "-c", WORKS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
            == 0
        )
    except OSError:
        return False


def python():
    """The command of a Python that fits: the one that PYTHON names, else the one at work, else what can be found."""
    named = os.environ.get("PYTHON")
    tried = [[named]] if named else [[sys.executable], *(name.split() for name in CANDIDATES)]
    for command in tried:
        if works(command):
            return command
    names = ", ".join(" ".join(command) for command in tried)
    sys.exit(f"error: {TOO_OLD} Tried: {names}.")


def sound():
    """Whether an environment was finished at this place, and its Python still works."""
    moved = BEGUN.exists() and BEGUN.read_text(encoding="utf-8") != str(VENV.resolve())
    return STAMP.exists() and not moved and works([str(PYTHON)])


def begin():
    """Make an empty environment, in place of a half-made one of this file's; another's is left alone."""
    if VENV.is_symlink() or (VENV.exists() and not BEGUN.exists() and not STAMP.exists()):
        what = f"a link to {VENV.resolve()}" if VENV.is_symlink() else "not made by course.py"
        sys.exit(f"error: {VENV} is {what}. Expected the course's own environment, or none. Rename or remove it.")
    # Asked from inside an environment that is about to go, Python names the one beneath.
    ask = "import sys; print(sys._base_executable, sys.version.split()[0], sep='\\n')"
    told = subprocess.check_output([*python(), "-c", ask], env=dict(os.environ, PYTHONIOENCODING="utf-8"))
    base, version = told.decode("utf-8").splitlines()
    print("Making .venv with Python", version, flush=True)
    if VENV.exists():
        shutil.rmtree(str(VENV))
    VENV.mkdir()
    BEGUN.write_text(str(VENV), encoding="utf-8")
    try_long_names()
    call(base, "-m", "venv", VENV)


def try_long_names():
    """End here, and not minutes later within pip, where a path is too long for the system, on Windows 260 letters."""
    longest = VENV / ("long" * 24) / ("name" * 24)  # as TensorFlow's
    try:
        longest.mkdir(parents=True)
    except OSError as error:
        shutil.rmtree(str(VENV))
        sys.exit(
            f"error: {HERE} has {len(str(HERE))} letters; with the {len(str(longest)) - len(str(HERE))} more that "
            f"TensorFlow's files may need, a path is too long for this system ({error.strerror}). Expected a shorter "
            "one. Move the course, on Windows for instance to C:\\cxr."
        )
    shutil.rmtree(str(longest.parent))


def setup(*arguments):
    """Make the environment from the lock alone, where it is missing, broken or older than what it is made from."""
    usable = sound()
    if usable and STAMP.stat().st_mtime >= max((HERE / name).stat().st_mtime for name in SOURCES):
        return
    if not usable or VENV.is_symlink():
        begin()
    if STAMP.exists():
        STAMP.unlink()
    print("Installing what requirements.lock names (some minutes the first time)", flush=True)
    call(PYTHON, "-m", "pip", "install", "-qq", "--require-hashes", "-r", "requirements.lock")
    call(PYTHON, "-m", "pip", "install", "-qq", "--no-deps", "--no-build-isolation", "-e", ".")
    # TensorFlow takes 11 s to import without compiled bytecode and 4 s with it, in every lesson.
    print("Compiling bytecode", flush=True)
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    compiling = [str(PYTHON), "-m", "compileall", "-q", "-j", "0", str(VENV)]
    subprocess.run(compiling, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # The course works offline: JupyterLab fetches no news, and does not ask, over the first figure, whether it may.
    settings = VENV / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(
        '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}'
    )
    STAMP.touch()


def cxr(*arguments, **more):
    """The course's own command, where it was called: what it is given may be a path from there."""
    call(BIN / "cxr", *arguments, here=os.getcwd(), **more)


def pytest(*arguments, **more):
    """Tests side by side; JOBS says how many."""
    call(PYTHON, "-m", "pytest", "-q", "-n", os.environ.get("JOBS") or "2", *arguments, **more)


def lab(*arguments):
    """JupyterLab on the whole course, so that links from a lesson to docs/ lead somewhere."""
    call(PYTHON, "-m", "jupyter", "lab", "--LabApp.default_url=/lab/tree/notebooks", *arguments)


def test(*arguments):
    """Cheapest first; the closing lines are pytest's."""
    if subprocess.run([str(PYTHON), "-m", "ruff", "format", "--quiet", "--check", "."], cwd=str(HERE)).returncode:
        sys.exit(f"error: files are not formatted. Run: {PYTHON} -m ruff format .")
    call(PYTHON, "-m", "ruff", "check", ".")
    call(PYTHON, "-m", "mypy")
    pytest("--doctest-modules", "cxr_utils", "tests", *arguments)
    cxr("data", "phantom")
    check_notebooks()


def check_notebooks(*arguments):
    """Derived files follow from their sources and were executed; then what they print is what is saved.

    COURSE names another course. Notebooks are compared file by file: the cells of one share a kernel.
    """
    course = os.environ.get("COURSE") or str(HERE)  # make exports what is not set as empty
    cxr("build", "--check", CXR_HOME=course)
    os.environ.pop("CXR_STRICT", None)
    folders = [Path(course) / "notebooks", Path(course) / "solutions"]
    pytest("--dist", "loadfile", "--nbval", "--nbval-current-env", *folders, *arguments, TQDM_DISABLE=1)


def bench(*arguments):
    """Every benchmark, also after one that missed its bar."""
    missed = 0
    for file in sorted((HERE / "benchmarks").glob("bench_*.py")):
        print("==", file.relative_to(HERE), flush=True)
        missed |= subprocess.run([str(PYTHON), str(file), *arguments], cwd=str(HERE)).returncode != 0
    sys.exit(missed)


def site(*arguments):
    """The pages, from what is saved; an argument names another folder."""
    call(PYTHON, "docs/site/build.py", *arguments)


def release(*arguments):
    """What a release hands out. The version stands in the package; the change log must begin with it."""
    version = re.search(r'^__version__ = "(.+)"$', (HERE / "cxr_utils" / "__init__.py").read_text(), re.M).group(1)
    newest = re.search(r"^## (\S+)", (HERE / "CHANGELOG.md").read_text(encoding="utf-8"), re.M).group(1)
    if newest != version or any(tag != "v" + version for tag in arguments):
        sys.exit(
            "error: the package is {0}, CHANGELOG.md begins with {1}, and the tag is {2}. Expected {0}, {0} and v{0}. "
            "Correct what is behind.".format(version, newest, " ".join(arguments) or "not given")
        )
    site()
    call(PYTHON, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation", "-w", "dist", ".")
    name = "cxr-course-" + version
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / name
        shutil.copytree(str(HERE / "site"), str(inside / "site"))
        (inside / "notebooks").mkdir()
        (inside / "docs").mkdir()
        patterns = "notebooks/*.ipynb docs/*.md docs/*.png LICENSE* CITATION.cff README.md CHANGELOG.md"
        for path in (path for pattern in patterns.split() for path in HERE.glob(pattern)):
            target = inside / path.relative_to(HERE)
            (shutil.copytree if path.is_dir() else shutil.copyfile)(str(path), str(target))
        shutil.make_archive(str(HERE / "dist" / name), "zip", folder, name)
    print("dist/:", *sorted(path.name for path in (HERE / "dist").iterdir()))


def mutants(*arguments):
    """Small errors planted in the package, and how many the tests notice."""
    call(PYTHON, "tests/mutants.py", *arguments)


def add(extra, *arguments):
    """Install an extra beside what the lock holds; what is in the lock stays at its version."""
    pins = re.findall(r"^[A-Za-z0-9][^\\\n]*", (HERE / "requirements.lock").read_text(), re.M)
    (VENV / "constraints.txt").write_text("".join(pin.rstrip() + "\n" for pin in pins))
    options = ["-qq", "--no-build-isolation", "-c", VENV / "constraints.txt"]
    call(PYTHON, "-m", "pip", "install", *options, "-e", f".[{extra}]", *arguments)


def lock(*arguments):
    """Resolve with uv, which does nothing else here; the lock names versions and hashes and no host."""
    call(*python(), "-m", "venv", VENV / "uv")
    own = VENV / "uv" / BIN.name / PYTHON.name
    call(own, "-m", "pip", "install", "-qq", "uv")
    options = "--quiet --universal --fork-strategy fewest --generate-hashes --no-emit-index-url --no-annotate".split()
    wanted = "--python-version 3.11 --extra tensorflow --group dev --group site pyproject.toml".split()
    wanted += ["-o", "requirements.lock"]
    call(own, "-m", "uv", "pip", "compile", *options, "--custom-compile-command", "make lock", *wanted, *arguments)
    setup()
    code = "from cxr_utils.cache import home; from cxr_utils.course.build import build_environment as b; b(home())"
    call(PYTHON, "-c", code)


def main(arguments):
    """Make the environment, then do what was asked for."""
    commands = {"setup": setup, "lab": lab, "test": test, "check-notebooks": check_notebooks, "bench": bench}
    commands.update(site=site, release=release, mutants=mutants, lock=lock)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__.strip())
        return
    name, rest = arguments[0], arguments[1:]
    if name not in {*commands, *EXTRAS, *OWN}:
        sys.exit(f"error: {name!r} is no command of course.py. `python course.py` lists them.")
    if name not in ("lock", "setup"):
        setup()
    if name in EXTRAS:
        add(name, *rest)
    elif name in commands:
        commands[name](*rest)
    else:
        cxr(name, *rest)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as problem:
        sys.exit(f"error: {problem}. Expected a folder with room that can be written, and a whole .venv, or none.")
