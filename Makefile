# `make demo` and `make test` do all the set-up: Python 3.11 and make are enough.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= demo-report
INSTALL := -c constraints.txt -e ".[dev]"
# Starting JAX imports two thousand modules: keep them compiled, and keep that out of the source tree.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache
.PHONY: demo test test-slow lint format bench reproduce weights readme clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	( $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python $(INSTALL) ) || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile $(INSTALL)
	touch $(STAMP)

demo: $(STAMP)
	rm -rf $(OUT)
	$(BIN)/python -m wirelax.demo --out $(OUT)

test: $(STAMP)
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	mkdir -p benchmarks/results
	$(BIN)/wirelax bench --only search,solvers,kernels --overwrite --out benchmarks/results/bench-$$(uname -m).json
	$(BIN)/wirelax bench --only interior-point --overwrite --out benchmarks/results/interior-point-$$(uname -m).json
	$(BIN)/wirelax bench --only uplink --overwrite --out benchmarks/results/uplink-$$(uname -m).json
	$(BIN)/wirelax bench --only hudn --overwrite --out benchmarks/results/hudn-$$(uname -m).json
	$(BIN)/python -m pytest benchmarks -o python_files='bench_*.py' --benchmark-only

reproduce: $(STAMP)
	$(BIN)/wirelax reproduce all --preset paper --out runs/reproduce

# The measured parts of README.md, from the commands that it names.
METHODS := exhaustive+polish,exhaustive,dinkelbach,gradient,max-power,random-power,dnn,cnn,dnn+ee,cnn+ee,dnn+ee+best-of-8,cnn+ee+best-of-8,equivariant,equivariant+refine
COMPARE := $(BIN)/wirelax compare hetnet-ee --methods $(METHODS) --count 2000 --seed 77 --overwrite
METHODS_NOMA := interior-point,gradient,swap-matching,paus-ip,joint,max-power,random-power,dnn,dnn+rate,dnn+qos-raw,dnn+qos,dnn+simplex,equivariant,paus,paus-equivariant
METHODS_NOMA_MUNICH := interior-point,gradient,max-power,random-power,dnn,dnn+rate,dnn+qos-raw,dnn+qos,dnn+simplex,equivariant
METHODS_HUDN := maramp,maramp+silent,msuamp,msuapc,uamwser,juapcmwser,uamwser-published,juapcmwser-published,maramp+polish,juapcmwser+polish,greedy,local-search,direct,unfolded-grl,unfolded-grl+polish,unfolded-srl,unfolded-srl+polish
METHODS_FAIR := maramp,msuamp,msuapc,juapcmwser,maramp+polish,local-search,direct,unfolded-grl,unfolded-grl+polish,unfolded-srl
METHODS_PAPER := maramp,msuamp,msuapc,uamwser,juapcmwser,uamwser-published,juapcmwser-published,hbgnn-grl,hbgnn-srl,unfolded-grl,unfolded-grl+polish,unfolded-srl,unfolded-srl+polish
COMPARE_HUDN := $(BIN)/wirelax compare hudn --count 32 --seed 77 --overwrite
METHODS_UPLINK := numerical,search,learned,learned+repair,prop-learn,prop-learn+repair
COMPARE_UPLINK := $(BIN)/wirelax compare uplink-qos --methods $(METHODS_UPLINK) --count 2000 --seed 77 --overwrite
COMPARE_NOMA := $(BIN)/wirelax compare noma --count 200 --seed 77 --overwrite
readme: $(STAMP)
	$(COMPARE) --out runs/readme/synthetic || test $$? -eq 3
	$(COMPARE) --set scenario=munich --out runs/readme/munich || test $$? -eq 3
	$(COMPARE_NOMA) --methods $(METHODS_NOMA) --out runs/readme/noma || test $$? -eq 3
	$(COMPARE_NOMA) --methods $(METHODS_NOMA_MUNICH) --set scenario=munich --out runs/readme/noma-munich || test $$? -eq 3
	$(BIN)/wirelax reproduce noma --preset quick --overwrite --out runs/readme/noma-sizes
	$(COMPARE_UPLINK) --out runs/readme/uplink || test $$? -eq 3
	$(COMPARE_UPLINK) --set scenario=munich --out runs/readme/uplink-munich || test $$? -eq 3
	$(BIN)/wirelax reproduce uplink-qos --preset quick --overwrite --out runs/readme/uplink-study
	$(COMPARE_HUDN) --methods $(METHODS_HUDN) --out runs/readme/hudn
	$(COMPARE_HUDN) --methods $(METHODS_HUDN) --set scenario=munich --out runs/readme/hudn-munich
	$(COMPARE_HUDN) --methods $(METHODS_FAIR) --set utility=proportional-fair --out runs/readme/hudn-fair
	$(COMPARE_HUDN) --methods $(METHODS_PAPER) --set layout_seed=0 --out runs/readme/hudn-paper
	$(BIN)/python -m benchmarks.readme --synthetic runs/readme/synthetic --munich runs/readme/munich \
	  --uplink runs/readme/uplink --uplink-munich runs/readme/uplink-munich --uplink-study runs/readme/uplink-study \
	  --hudn runs/readme/hudn --hudn-munich runs/readme/hudn-munich --hudn-fair runs/readme/hudn-fair \
	  --hudn-paper runs/readme/hudn-paper \
	  --uplink-bench benchmarks/results/uplink-$$(uname -m).json \
	  --noma runs/readme/noma --noma-munich runs/readme/noma-munich --noma-sizes runs/readme/noma-sizes \
	  --bench benchmarks/results/bench-$$(uname -m).json --labels benchmarks/results/interior-point-$$(uname -m).json

clean:
	rm -rf $(VENV) $(OUT) .pytest_cache .ruff_cache

# Trains the policies that ship with the package, from labels to weights (an hour on 2 cores).
WEIGHTS := wirelax/data/weights
weights: $(STAMP)
	for policy in dnn+ee cnn+ee equivariant; do \
	  $(BIN)/wirelax train hetnet-ee --policy $$policy --preset paper --labels runs/labels-20k.h5 --out runs/weights-$$policy || exit 1; \
	  cp runs/weights-$$policy/policy.msgpack $(WEIGHTS)/hetnet-ee-$$policy.msgpack; \
	done
	for kind in dnn cnn; do cp runs/weights-$$kind+ee/policy-supervised.msgpack $(WEIGHTS)/hetnet-ee-$$kind.msgpack; done
	for policy in dnn+rate dnn+qos dnn+simplex equivariant; do \
	  $(BIN)/wirelax train noma --policy $$policy --preset quick --labels runs/labels-noma-10k.h5 --out runs/weights-noma-$$policy || exit 1; \
	  cp runs/weights-noma-$$policy/policy.msgpack $(WEIGHTS)/noma-$$policy.msgpack; \
	done
	cp runs/weights-noma-dnn+rate/policy-supervised.msgpack $(WEIGHTS)/noma-dnn.msgpack
	$(BIN)/wirelax train uplink-qos --policy learned --preset paper --seed 1 --out runs/weights-uplink-learned
	cp runs/weights-uplink-learned/policy.msgpack $(WEIGHTS)/uplink-qos-learned.msgpack
	$(BIN)/wirelax train uplink-qos --policy prop-learn --preset paper --out runs/weights-uplink-prop-learn
	cp runs/weights-uplink-prop-learn/policy.msgpack $(WEIGHTS)/uplink-qos-prop-learn.msgpack
	for utility in sum-rate proportional-fair; do \
	  $(BIN)/wirelax train hudn --policy unfolded --set utility=$$utility --preset quick --out runs/weights-hudn-$$utility || exit 1; \
	done
	cp runs/weights-hudn-sum-rate/policy.msgpack $(WEIGHTS)/hudn-unfolded.msgpack
	cp runs/weights-hudn-proportional-fair/policy.msgpack $(WEIGHTS)/hudn-unfolded-fair.msgpack
	$(BIN)/wirelax train hudn --policy hbgnn --set layout_seed=0 --preset quick --out runs/weights-hudn-hbgnn
	cp runs/weights-hudn-hbgnn/policy.msgpack $(WEIGHTS)/hudn-hbgnn.msgpack
