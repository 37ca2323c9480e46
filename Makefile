# What people type. The scripts say how.

.PHONY: test up down fmt test-cluster

test: ## formatting, lints and all tests, on a real API server
	@tests/run.sh

up: ## leaves cluster, sandbox and operator running; target/up/env says how to reach them
	@tests/up.sh up

down: ## ends them
	@tests/up.sh down

fmt: ## formats what the tests check
	cargo fmt
	gofmt -w tests/cluster/*.go

test-cluster:
	@tests/cluster/build.sh
