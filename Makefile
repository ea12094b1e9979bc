# Everything runs in .venv, which the first command makes. PYTHON may name another interpreter.
PYTHON ?= python3
UV      = .venv/bin/uv
RUN     = .venv/bin
CORE    = .venv/.core
DEV     = .venv/.dev
BROWSER = .venv/.browser

.PHONY: demo demo-train gpu test test-fast lint bench docs clean

demo: $(CORE)  ## draw the synthetic sets; score, diagnose and plot simulated predictions
	$(RUN)/posebench demo

TRAINED = out/demo-train
demo-train: $(DEV)  ## learn the smallest recipe on rendered scenes (three minutes on two cores); predict, score, diagnose, report
	rm -rf $(TRAINED)
	$(RUN)/baselines train synthetic-demo -o $(TRAINED)
	$(RUN)/baselines predict $(TRAINED) synthetic/quadruped/val -o $(TRAINED)/preds.json --draw $(TRAINED)/drawn
	$(RUN)/posebench evaluate $(TRAINED)/preds.json
	$(RUN)/posebench errors $(TRAINED)/preds.json --by keypoint
	$(RUN)/posebench report $(TRAINED)/preds.json -o $(TRAINED)/report.html

gpu:  ## what only a GPU can show, on this machine's own python3, which needs torch and timm; the same command goes on where it stopped
	$(PYTHON) -m baselines.gpu

test: $(DEV) $(BROWSER)  ## every test that needs no GPU
	OMP_NUM_THREADS=1 $(RUN)/pytest -n auto --dist loadgroup

test-fast: $(DEV)  ## the part under a minute
	OMP_NUM_THREADS=1 $(RUN)/pytest -n auto --dist loadgroup -m "not slow"

lint: $(DEV)  ## ruff and mypy
	$(RUN)/ruff check .
	$(RUN)/ruff format --check -q .
	$(RUN)/mypy

bench: $(DEV)  ## time us and our peers in one run
	$(RUN)/python -m benchmarks.read
	$(RUN)/python -m benchmarks.evaluate
	$(RUN)/python -m benchmarks.errors
	$(RUN)/python -m benchmarks.report
	$(RUN)/python -m benchmarks.validate
	$(RUN)/python -m benchmarks.statistics

docs: $(DEV)  ## write the generated pages and pictures
	$(RUN)/python -m docs.build

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache

# Debian ships python3 without ensurepip; the root of such a machine can install what is missing.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 2; }
	@rm -rf .venv; $(PYTHON) -m venv .venv || { rm -rf .venv; echo "python3-venv is missing; installing it"; apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv .venv; }
	@$(RUN)/pip install -q --disable-pip-version-check uv

$(CORE): $(UV) pyproject.toml
	$(UV) pip install -q --python .venv -e .
	@touch $@

$(DEV): $(UV) pyproject.toml
	$(UV) pip install -q --python .venv -e '.[train,export]' --group dev
	@touch $@ $(CORE)

# A browser draws pages in tests: from PATH, else Debian's where we may install it; else those tests skip and say so.
$(BROWSER): $(DEV)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "installing Chromium" && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends chromium >/dev/null; } || \
	  echo "no Chromium: the tests that need a browser will skip"
	@touch $@
