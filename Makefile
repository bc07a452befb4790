# make train, make test and make ui need nothing but Python 3.11 and make.
PYTHON ?= python3.11
BIN := .venv/bin
ARGS ?=
PEERS_PYTHON ?= .peers/bin/python

.PHONY: train test test-slurm golden golden-record soak fuzz lint docs pictures release-check audit \
	ui bench bench-peers clean

train: .venv/ready  ## train on the bundled data; ARGS="label_mode=binary" changes the job
	$(BIN)/sightline train $(ARGS)

test: .venv/ready  ## the whole test suite; ARGS=tests/data for a part of it
	$(BIN)/pytest -n 4 --dist loadgroup --no-loadscope-reorder --durations=20 $(ARGS)

test-slurm: .venv/ready  ## the tests on a real Slurm alone
	$(BIN)/pytest tests/slurm -m slurm --durations=20

golden: .venv/ready  ## short trainings compared with their recorded results; ARGS=CASE for one
	$(BIN)/python tests/golden/golden.py $(ARGS)

golden-record: .venv/ready  ## record their results anew: a deliberate act, seen in the diff
	$(BIN)/python tests/golden/golden.py --record $(ARGS)

soak: .venv/ready  ## the faults that take hours, at random moments; ARGS="-k optimizer" for a part
	$(BIN)/pytest -m soak -s $(ARGS)

fuzz: .venv/ready  ## 100,000 damaged images of many formats; ARGS=1000 for fewer
	PYTHONPATH=tests $(BIN)/python -m support.fuzz $(or $(ARGS),100000)

lint: .venv/ready  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/ready  ## the site, in docs/_build/index.html; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build

release-check:  ## the wheel: built, looked into, installed and used; ARGS=lowest for the lowest versions
	PYTHON=$(PYTHON) .ci/release-check $(ARGS)

pictures: .venv/ready  ## docs/images anew, from real runs; needs Chromium
	$(BIN)/python docs/make_images.py

audit:  ## the pinned dependencies beside known vulnerabilities
	$(PYTHON) -m venv .audit
	.audit/bin/pip install --quiet pip-audit
	.audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

ui: .venv/ready  ## open MLflow's UI on http://127.0.0.1:5000
	$(BIN)/sightline ui $(ARGS)

bench: .venv/ready  ## the training loop beside a hand-written one, and the time to its first step
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/tracking.py

bench-peers: $(if $(filter .peers/%,$(PEERS_PYTHON)),.peers/ready)  ## beside other frameworks; TIMM_TRAIN=PATH/train.py for timm's
	$(PEERS_PYTHON) -m benchmarks.bench_peers $(if $(TIMM_TRAIN),--timm-train $(TIMM_TRAIN)) $(ARGS)

.peers/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .peers
	.peers/bin/pip install --quiet -c constraints.txt -e '.[peers]'
	touch $@

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:  ## remove what was installed and built, not what was trained
	rm -rf .venv .peers .audit build dist docs/_build .mypy_cache .ruff_cache .pytest_cache
