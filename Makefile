# The names that people and CI call. Everything installs itself into .venv and .vendor.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Tests start thousands of interpreters. Without bytecode files each compiles all that it imports,
# which takes half of the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo fast lint structure test test-all extended measured coverage long chaos bench scale docs image clients-report plugin-long pictures changelog release release-trial format clean

help:  ## What each target does
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
	  printf '%-16s %s\n' "$$name" "$$text"; done

# With KEEP=1 the server stays until Ctrl-C, and a link leads to its pages.
KEEP ?=
demo: $(READY)  ## A server, and a Bell pair through it twice: own client, then qiskit-ionq; KEEP=1 keeps it
	@VENDOR=$$($(BIN)/python tests/contract/environments.py ionq/qiskit_ionq_1_1) && \
	$(BIN)/qwicket demo $(if $(KEEP),--keep) -- $$VENDOR -W ignore examples/bell_with_qiskit_ionq.py
	@$(if $(KEEP),,echo "Next, with its pages in a browser: make demo KEEP=1")

fast: lint structure  ## Style, types, imports, and whether documents and code agree: seconds

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

structure: $(READY)
	$(BIN)/pytest -q tests/structure

# With SEED=7, tests run in the order of that seed, and Hypothesis takes its examples from it.
SEED ?=
ORDER := $(if $(SEED),-p randomly --randomly-seed=$(SEED) --hypothesis-seed=$(SEED))
# Tests wait for servers and deadlines, so that a process more than there are cores pays off, and
# three more for those that wait longest. With more, servers' workers, which get what others leave of
# a core, starve.
TEST_PROCESSES := $(shell expr 1 + $$(nproc))
EXTENDED_PROCESSES := $(shell expr 3 + $$(nproc))
PARALLEL = -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --durations=40
# All stages of one call of make are one run, with a folder for their results.
RUN := build/stages/$(shell date -u +%Y%m%dT%H%M%S)
STAGE = $(BIN)/python tools/stage.py --run $(RUN)

test: structure $(READY)  ## Every promise once, on SQLite, with the newest client of each dialect: minutes
	$(STAGE) test -- $(PARALLEL) $(ORDER) -m "not extended"

test-all: fast test extended  ## Also both databases, older clients, clusters, a browser: half an hour

# An interpreter of another version, for unit tests.
SECOND ?=
SECOND_UNITS ?= tests/unit
extended: TEST_PROCESSES = $(EXTENDED_PROCESSES)
extended: $(READY)
	$(STAGE) extended -- $(PARALLEL) $(ORDER) -m extended
ifneq ($(SECOND),)
	$(MAKE) .venv-second/.ready PYTHON=$(SECOND) VENV=.venv-second
	.venv-second/bin/python tools/stage.py --run $(RUN) second -- $(PARALLEL) $(ORDER) -m "not extended" $(SECOND_UNITS)
endif

# MEASURED=tests/measured/test_crowds.py measures a part: the report keeps the rows of the others.
MEASURED ?= tests/measured
measured: $(READY)  ## Ratios, times, memory and sizes, into docs/reports/measured.md; alone on the machine
	$(BIN)/pytest $(MEASURED) --write-report --continue-on-collection-errors

# Without contract tests: vendor clients cannot be told to measure. Workers are never measured,
# because they know nothing of their server's environment; unit tests run what runs in them.
COVERED := tests/unit tests/integration tests/fault tests/abuse tests/features
coverage: $(READY)  ## Which lines and branches tests reach, for an hour or so; COVERED=tests/unit is quick
	@rm -rf build/coverage && mkdir -p build/coverage
	-$(BIN)/coverage run -m pytest -q -n auto --dist worksteal $(COVERED)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report > build/coverage/report.txt
	@tail -1 build/coverage/report.txt

# For hours: more kills, crashes and histories, more of each attack, both databases everywhere.
LONG := QWICKET_FAULT=long QWICKET_ABUSE=long
long: $(READY)  ## Kills, attacks and generated programs at full length: hours
	$(LONG) $(BIN)/pytest $(PARALLEL) tests/fault tests/abuse tests/features/*/fault tests/vendors/*/abuse tests/vendors/*/fault tests/contract/test_openapi.py tests/contract/test_vendors.py tests/contract/test_vendors_too.py tests/unit/programs/test_reading_time.py
	$(LONG) $(BIN)/pytest tests/measured
	$(BIN)/python -m benchmarks.fuzz_openqasm --seed 100000 --count 1000000

# As root the data are on a disk of their own, which is filled.
JOBS ?= 3000
DATABASE ?= sqlite
chaos: $(READY)  ## Clients of all dialects while everything breaks; JOBS=100000 KILLS=200 SEED=7 DATABASE=postgres
	PYTHONPATH=tests $(BIN)/python -m chaos --jobs $(JOBS) --seed $(or $(SEED),1) --database $(DATABASE) \
	  $(if $(KILLS),--kills $(KILLS)) --report docs/reports/chaos.md

# With BASE=commit it compares what a job costs here and there. Use a Python with profile-guided
# optimisation, such as Debian's: make bench BASE=main~1 PYTHON=/usr/bin/python3 VENV=.venv-debian
BASE ?=
bench: $(READY)  ## Figures, each beside its floor or its peers; kept in benchmarks/history
ifneq ($(BASE),)
	PYTHONPATH=tests:. $(BIN)/python -m benchmarks --base $(BASE)
else
	@PEERS=$$($(BIN)/python tests/contract/environments.py engines/aer_0_18_cirq_1_7_qsim_0_22) && \
	PHOTONIC=$$($(BIN)/python tests/contract/environments.py engines/thewalrus_0_22) && \
	$(BIN)/python -m benchmarks --quick --rounds 5 --keep --peers $$PEERS --photonic-peers $$PHOTONIC
endif

# Slurm's daemons need root. The kills are those of tests/fault, at full length, for some hours.
# A part at a time, and fewer kills: make scale SCALE="kills --kills 20"
SCALE ?= --fresh
scale: $(READY)  ## Pilots, Dask and Slurm on this machine, into docs/reports/scale.md: rates, times, 100 kills of each kind
	PYTHONPATH=tests:. $(BIN)/python tools/scale_report.py $(SCALE)

docs: $(READY)  ## The site, into build/site
	$(BIN)/python docs/_site/build.py build/site

# Needs root and buildah. Without access to a registry: make image IMAGE="--debootstrap trixie"
IMAGE ?=
image: $(READY)  ## The image of deploy/, its size and start in docs/reports/image.md
	$(BIN)/python tools/image.py $(IMAGE)

pictures: $(READY)  ## Pictures of the pages, into docs/pictures
	PYTHONPATH=tests $(BIN)/python tools/pictures.py

clients-report: $(READY)  ## Vendors' clients under faults, into docs/reports/clients.md
	PYTHONPATH=tests $(BIN)/python tools/clients_report.py

plugin-long: $(READY)  ## The pytest plugin on each Python and pytest that it supports; each event with each client
	PYTHONPATH=tests $(BIN)/python tools/plugin_matrix.py
	QWICKET_FAULT=long $(BIN)/pytest -q tests/contract/test_test_bed.py

changelog: $(READY)  ## The section of the next release, from changelog.d
	$(BIN)/towncrier build --draft

# With IMAGE set, such as IMAGE="--debootstrap trixie", also the image.
RELEASED_IMAGE = $(if $(IMAGE),--image $(IMAGE))
release-trial: $(READY)  ## What a release has, tried in clean environments
	$(BIN)/python tools/release.py --trial $(RELEASED_IMAGE)

release: $(READY)  ## Changelog, packages, image, site, SBOM and checksums in dist/, tried; a tag
	PYTHONPATH=tests $(BIN)/python tools/pictures.py --check
	$(BIN)/python tools/release.py $(RELEASED_IMAGE)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-* .vendor

# LOCK= keeps the versions that still satisfy pyproject.toml. Each package has one version for all
# versions of Python, so that the types that mypy sees are the same on each.
LOCK ?= --upgrade
.PHONY: lock
lock: $(READY)  ## The newest versions of what development needs, into requirements.lock
	$(BIN)/uv pip compile --quiet $(LOCK) --universal --fork-strategy fewest --python-version 3.11 \
	  --annotation-style line --custom-compile-command "make lock" --output-file requirements.lock \
	  pyproject.toml --extra oidc --extra postgres --extra rich --extra samplex --group dev

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11 to 3.13 is needed; name it with: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock uv
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

.PHONY: contract
contract: $(READY)  ## The commands and their options as text; the diff is the review
	$(BIN)/python -m tools.command_texts

.PHONY: mutants tests-of
mutants: $(READY)  ## Ten mutants of FILE=src/qwicket/…py, and which tests fail with each; LINE=71 for all of a line
	$(BIN)/python -m tools.mutants $(FILE) $(if $(LINE),--line $(LINE))

# RENEW=1 records all unit tests again, which takes minutes; RENEW=tests/unit/store those of a folder.
RENEW ?=
tests-of: $(READY)  ## Which tests run FILE=src/qwicket/…py
	@$(BIN)/python -m tools.tests_of $(FILE) $(if $(RENEW),--renew $(if $(filter 1,$(RENEW)),tests/unit,$(RENEW)))
