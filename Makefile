# Commands that always work on a fresh machine: `make demo`, `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check format setup clean

demo: $(VENV)/.ready-demo
	HF_HUB_OFFLINE=1 $(BIN)/panoptic demo -o out/demo

test: $(VENV)/.ready-test
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests

check: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(VENV)/.ready-test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready-demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[demo]'
	touch $@

$(VENV)/.ready-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[demo,train,test,lint]'
	touch $@

clean:
	rm -rf $(VENV) out build *.egg-info
