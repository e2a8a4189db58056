# The course's front door: each target makes the environment itself when it is missing or out of date.
#   make run ARGS="--data ../shared/real/nih"       arguments go to `cxr run`

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/complete
JOBS ?= 2
COURSE ?= $(CURDIR)

BACKENDS := jax torch tensorflow-gpu jax-gpu torch-gpu

.PHONY: help run test check-notebooks lab bench build lock $(BACKENDS)
.DEFAULT_GOAL := help

help:
	@echo "make run     set up, then execute the whole course with papermill (ARGS=\"--data ../x\")"
	@echo "make test    set up, then everything that continuous integration checks"
	@echo "make lab     set up, then JupyterLab on the lessons"
	@echo "make bench   set up, then the measurements in benchmarks/"
	@echo "make build   set up, then derive every notebook from its source (ARGS=\"02 05\" for two lessons)"
	@echo "make jax     set up, then add a backend beside TensorFlow; also torch, and for GPUs on Linux tensorflow-gpu"
	@echo "             (CUDA 12), jax-gpu (CUDA 13) and torch-gpu; KERAS_BACKEND=jax or =torch before a command uses it"
	@echo "make lock    requirements.lock from pyproject.toml, then environment.yml (ARGS=--upgrade for newer versions)"

# The stamp is written last: an environment that was interrupted half-way is begun again.
$(STAMP): requirements.lock pyproject.toml .ci/setup
	@.ci/setup $(VENV)
	@touch $@

run: $(STAMP)
	@$(BIN)/cxr run $(ARGS)

lab: $(STAMP)
	@$(BIN)/jupyter lab $(ARGS) notebooks

build: $(STAMP)
	@$(BIN)/cxr build $(ARGS)

bench: $(STAMP)
	@missed=0; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file" $(ARGS) || missed=1; done; \
	  exit $$missed

# What an extra brings is not in the lock; what is in the lock stays at its version.
$(BACKENDS): $(STAMP)
	@sed -n 's/ *\\$$//; /^[A-Za-z0-9]/p' requirements.lock > $(VENV)/constraints.txt
	@$(BIN)/python -m pip install -qq --no-build-isolation -c $(VENV)/constraints.txt -e ".[$@]" $(ARGS)

# Cheapest first; the closing line is pytest's.
test: $(STAMP)
	@$(BIN)/ruff format --quiet --check . || (echo "Run: $(BIN)/ruff format ." >&2; exit 1)
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q -n $(JOBS) --doctest-modules cxr_utils tests
	@$(BIN)/cxr data phantom
	@$(MAKE) --no-print-directory check-notebooks

# Derived files follow from their sources and were executed; then what they print is what is saved.
# Notebooks are compared file by file: the cells of one share a kernel.
check-notebooks: $(STAMP)
	@CXR_HOME="$(COURSE)" $(BIN)/cxr build --check
	@env -u CXR_STRICT TQDM_DISABLE=1 $(BIN)/pytest -q -n $(JOBS) --dist loadfile --nbval --nbval-current-env \
	  "$(COURSE)/notebooks" "$(COURSE)/solutions"

# uv only resolves; the lock names versions and hashes and no host.
lock: $(STAMP)
	@$(BIN)/python -m venv $(VENV)/uv && $(VENV)/uv/bin/python -m pip install -qq uv
	@$(VENV)/uv/bin/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --no-emit-index-url \
	  --no-annotate --custom-compile-command "make lock" --python-version 3.11 --extra tensorflow --group dev pyproject.toml \
	  -o requirements.lock $(ARGS)
	@$(MAKE) --no-print-directory $(STAMP)
	@$(BIN)/python -c "from cxr_utils.course.build import build_environment; from cxr_utils.cache import repository; \
	  build_environment(repository())"
