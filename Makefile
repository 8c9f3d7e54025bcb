# make demo and make test set up what they need: a virtual environment in .venv, from constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo real test lint docs format clean

help:  ## show the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/' | sort

setup: $(STAMP)  ## make .venv and install stepalign with its development tools

$(STAMP): pyproject.toml constraints.txt scripts/install.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/install.sh
	@touch $(STAMP)

demo: $(STAMP)  ## train and compare the three conditions on the micro model; leaves runs/demo/report.html
	$(BIN)/stepalign compare --output_dir runs/demo

real: $(STAMP)  ## fetch a small real model and score labelled rollouts of a large one; leaves runs/real/report.html
	$(BIN)/python -m scripts.fetch_model smollm2 --save
	$(BIN)/stepalign localize --model .models/SmolLM2-135M-Instruct.Q4_1 --labels examples/mr_gsm8k_labels.jsonl --output_dir runs/real

lint: $(STAMP)  ## formatting, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

test: lint  ## lint, then all tests
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

docs: $(STAMP)  ## build the site in docs/_build; warnings, such as dead links, are errors
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build
	@echo docs/_build/index.html

format: $(STAMP)  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache
