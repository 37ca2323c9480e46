# What people type. The scripts say how.

.PHONY: try demo test soak bench rbac fuzz up down fmt test-cluster

demo: ## shows what the operator does, step by step: first without a cluster, then on a real API server
	@tests/demo.sh demo

try: ## the first half of it, which needs Rust alone
	@tests/demo.sh try

test: ## formatting, lints and all tests, on a real API server
	@tests/run.sh

soak: ## `make test`, with every cell of the long matrices instead of a sample
	@tests/run.sh soak

bench: ## requests, writes, passes and memory at 10,000 resources; fails where they are too many
	@tests/bench.sh $(SCENARIOS)

rbac: ## takes each permission that the chart grants away in turn: a scenario fails and names it
	@tests/rbac.sh

fuzz: ## ten minutes for each thing that is read from outside; TARGETS=answers for one, FUZZ_SECONDS=60 for less
	@tests/fuzz.sh $(TARGETS)

up: ## leaves cluster, sandbox and operator running; target/up/env says how to reach them
	@tests/up.sh up

down: ## ends them
	@tests/up.sh down

fmt: ## formats what the tests check
	cargo fmt
	gofmt -w tests/cluster/*.go

test-cluster:
	@tests/cluster/build.sh
