# Short forms of `python course.py COMMAND`, which is the same wherever there is no make.
#   make run ARGS="--data ../shared/real/nih"       arguments go to the command

# A python3 that is found may be a version manager's empty shim: the first that works runs course.py.
COMMANDS := run test lab build bench site release setup check-notebooks mutants lock jax torch tensorflow-gpu jax-gpu torch-gpu \
  nbgrader
ANY := $(firstword $(foreach name,$(PYTHON) python3.12 python3.13 python3.11 python3 python,\
  $(shell $(name) -c "print('$(name)')" 2>/dev/null)))

ifeq ($(ANY),)
$(error no Python was found (tried $(PYTHON) python3.12 python3.13 python3.11 python3 python). Install Python 3.11 to 3.13)
endif

.PHONY: help $(COMMANDS)
.DEFAULT_GOAL := help
export PYTHON JOBS COURSE

help:
	@$(ANY) course.py help

$(COMMANDS):
	@$(ANY) course.py $@ $(ARGS)
