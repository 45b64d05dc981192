# Everything sets itself up; a second run starts at once.
# Environments are rebuilt when pyproject.toml changes, their code is the working tree's.

PYTHON ?= python3
PYTHONS ?= 3.10 3.11 3.12 3.13
# Workers for the tests.
WORKERS ?= auto

DEMO := .venv-demo
TEST := .venv-test
LINT := .venv-lint

# The oldest torch that the runtime checker supports, and what it needs on Python 3.11.
OLDEST_TORCH ?= torch==2.1.* torchvision==0.16.* numpy<2

.PHONY: demo test lint proofs index test-pythons test-oldest-torch clean

demo: $(DEMO)/.ready
	$(DEMO)/bin/freezelint check --exit-zero fixtures/

test: $(TEST)/.ready
	$(TEST)/bin/python -m pytest -n $(WORKERS) $(ARGS)

lint: $(LINT)/.ready
	$(LINT)/bin/ruff check .
	$(LINT)/bin/ruff format --check .
	$(LINT)/bin/mypy
	$(LINT)/bin/lint-imports

# Runs the examples of all rules and writes docs/proofs.md.
proofs: $(TEST)/.ready
	$(TEST)/bin/python -m proofs $(ARGS)

# What must be known of the rules before they are loaded; run it when one has other triggers.
index: $(TEST)/.ready
	$(TEST)/bin/python tools/index_rules.py

# The tests that need no torch, on every Python that is there.
test-pythons:
	@for version in $(PYTHONS); do \
		python=$$(ls -d "$$HOME"/.pyenv/versions/$$version.*/bin/python 2>/dev/null | tail -n 1); \
		python=$${python:-$$(command -v python$$version)}; \
		if [ -z "$$python" ]; then echo "Python $$version: not here, skipped"; continue; fi; \
		echo "Python $$version: $$python"; \
		$(MAKE) --no-print-directory .venv-$$version/.ready PYTHON="$$python" && \
		.venv-$$version/bin/python -m pytest -n $(WORKERS) -m "not torch and not gpu" $(ARGS) || exit 1; \
	done

# The runtime checker with the oldest torch.
test-oldest-torch: .venv-oldest-torch/.ready
	.venv-oldest-torch/bin/python -m pytest -n $(WORKERS) -m "torch and not gpu" tests/runtime tests/pytest_plugin $(ARGS)

.venv-oldest-torch/.ready: pyproject.toml
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet uv
	$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python $(foreach each,$(OLDEST_TORCH),'$(each)') -e '.[light-test]'
	touch $@

$(DEMO)/.ready: EXTRAS :=
$(TEST)/.ready: EXTRAS := [test]
$(LINT)/.ready: EXTRAS := [lint]
.venv-3.%/.ready: EXTRAS := [light-test]

.venv-%/.ready: pyproject.toml
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet uv
	$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python -e '.$(EXTRAS)'
	touch $@

clean:
	rm -rf .venv-* build dist
