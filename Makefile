# Commands that always work on a fresh machine: `make demo`, `make test`, `make docs`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

# Files of tests side by side, as many as there are cores, but few enough to fit memory (1.6 GB each).
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile

.PHONY: demo test check docs docs-pages docs-diagrams notebooks format setup clean \
	test-formats test-groundingdino groundingdino-parity test-ray speed-peers

demo: $(VENV)/.ready-demo
	HF_HUB_OFFLINE=1 $(BIN)/panoptic demo -o out/demo

test: $(VENV)/.ready-test
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE) tests

check: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MKDOCS) build --strict

# The documentation as a site, out/site/index.html (python3 -m http.server -d out/site serves it, with
# a search); nothing is loaded from outside, then or later.
MKDOCS := PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

docs: $(VENV)/.ready-test
	$(MKDOCS) build --strict

# What of it is made and committed: the settings; pictures by the demo models, of the widget, of the app.
docs-pages: $(VENV)/.ready-test
	HF_HUB_OFFLINE=1 $(BIN)/python -m docsite.settings_page
	HF_HUB_OFFLINE=1 $(BIN)/python -m docsite.pictures
	HF_HUB_OFFLINE=1 $(BIN)/python -m docsite.widget_picture
	HF_HUB_OFFLINE=1 $(BIN)/python -m docsite.app_pictures

# Diagrams, by Mermaid in a Chromium that is there. Needs npm.
docs-diagrams: $(VENV)/.ready-test
	mkdir -p out/mermaid
	cd out/mermaid && tar xzf "$$(npm pack --silent mermaid@11.17.2)" package/dist/mermaid.min.js
	$(BIN)/python -m docsite.diagrams out/mermaid/package/dist/mermaid.min.js

# Runs the notebooks and stores them with what they show.
notebooks: $(VENV)/.ready-test
	$(BIN)/python -m docsite.notebooks

format: $(VENV)/.ready-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The package groundingdino-py lies beside the environment, not in it: it pins an old supervision.
test-groundingdino: .groundingdino/.ready
	HF_HUB_OFFLINE=1 PYTHONPATH=.groundingdino $(BIN)/python -m pytest -m groundingdino tests/detectors

groundingdino-parity: .groundingdino/.ready
	HF_HUB_OFFLINE=1 PYTHONPATH=.groundingdino $(BIN)/python -m benchmarks.groundingdino_parity

.groundingdino/.ready: | $(VENV)/.ready-test
	rm -rf .groundingdino
	$(PIP) --no-deps --target .groundingdino groundingdino-py==0.4.0 addict==2.4.0 \
		yapf==0.43.0 timm==1.0.31 torchvision==0.28.0 opencv-python-headless==5.0.0.93
	touch $@

# Meta's package sam2, for `.speed/bin/python -m benchmarks.speed`, in an environment that sees the
# packages of the first. It has no wheel, and asks for torch while it is built; its kernel for GPUs
# is left out.
speed-peers: .speed/.ready

.speed/.ready: | $(VENV)/.ready-test
	rm -rf .speed
	$(PYTHON) -m venv .speed
	$(BIN)/python $(PACKAGES) > "$$(.speed/bin/python $(PACKAGES))/zz-panoptic.pth"
	.speed/bin/pip install --quiet --disable-pip-version-check setuptools wheel
	.speed/bin/pip install --quiet --disable-pip-version-check --no-deps torchvision==0.28.0 \
		hydra-core==1.3.2 omegaconf==2.3.0 antlr4-python3-runtime==4.9.3 iopath==0.1.10 \
		portalocker==3.2.0
	SAM2_BUILD_CUDA=0 .speed/bin/pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation sam2==1.1.0
	touch $@

# Labels on a cluster of two workers on this machine, of which one is killed.
test-ray: $(VENV)/.ready-test
	$(PIP) -e '.[ray]'
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/panoptic/dataset/test_ray.py

# The tools that exports are for bring old versions of numpy and others: they have an environment of
# their own, which sees the packages of the first.
test-formats: .formats/.ready
	HF_HUB_OFFLINE=1 .formats/bin/python -m pytest tests/panoptic/formats tests/panoptic/serve/test_label_studio_sdk.py

PACKAGES := -c "import sysconfig; print(sysconfig.get_path('purelib'))"

.formats/.ready: Makefile | $(VENV)/.ready-test
	rm -rf .formats
	$(PYTHON) -m venv .formats
	.formats/bin/pip install --quiet pytest datumaro==1.13.12 label-studio-sdk==2.1.2 \
		labelme==6.3.1 segments-ai==1.33.0
	.formats/bin/pip install --quiet --no-deps cityscapesscripts==2.3.0 pyquaternion==0.9.9 \
		ultralytics==8.4.190 torchvision==0.28.0
	$(BIN)/python $(PACKAGES) > "$$(.formats/bin/python $(PACKAGES))/zz-panoptic.pth"
	touch $@

setup: $(VENV)/.ready-test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready-demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[demo]'
	touch $@

$(VENV)/.ready-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[demo,train,test,lint,docs]'
	touch $@

clean:
	rm -rf $(VENV) .formats .groundingdino .speed out build *.egg-info
