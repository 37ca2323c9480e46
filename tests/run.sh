#!/usr/bin/env bash
# All checks: formatting, lints, the tests. The test cluster builds in the background, at a low priority, meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests/tools.sh rust cc cxx go

set -m # a process group of its own, so that all of the build ends if a check fails
tests/cluster/build.sh >/dev/null 2> >(cat >&2) & # no terminal there: lines instead of one that moves among ours
cluster=$!
set +m
trap 'kill -- -"$cluster" 2>/dev/null || true' EXIT

step() { echo "== $*" >&2; "$@"; }

step cargo fmt --check
step cargo clippy --quiet -- -D warnings # as the image is built: without the sandbox
step cargo clippy --quiet --features sandbox --all-targets -- -D warnings
step cargo build --quiet --features sandbox --all-targets
step cargo test --quiet --features sandbox --lib --bins
if ! wait "$cluster"; then
  echo "the test cluster could not be built; see above" >&2
  exit 1
fi
trap - EXIT

tests/tools.sh operator
# Where the logs of clusters, operators and sandboxes are found after a failure.
export PLUVO_TEST_DIR=$PWD/target/test-run
rm -rf "$PLUVO_TEST_DIR"
# The error is what a failure ends with, not the frames of the runtime that polled it.
export RUST_LIB_BACKTRACE=0
step cargo test --features sandbox --test it -- --test-threads 3 # most of them wait most of the time
# What they left behind is judged: statuses, audit lines, requests to the API servers, logs.
step cargo test --features sandbox --test it -- --ignored --skip rbac:: --nocapture --test-threads 1
step cargo test --quiet --features sandbox --doc
FUZZ_SECONDS=30 step tests/fuzz.sh
