#!/usr/bin/env bash
# All checks: formatting, lints, the tests. `tests/run.sh` is `make test`: long matrices are sampled. `tests/run.sh soak`
# is `make soak`: they run whole. The test cluster builds in the background, at a low priority, meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests/tools.sh rust cc go

case ${1:-} in
  "") ;;
  soak) export PLUVO_SOAK=1 ;;
  *) echo "usage: tests/run.sh [soak]" >&2; exit 2 ;;
esac

# Where the logs of clusters, operators and sandboxes are found after a failure.
export PLUVO_TEST_DIR=$PWD/target/test-run
# The error is what a failure ends with, not the frames of the runtime that polled it.
export RUST_LIB_BACKTRACE=0
readonly log=target/test-run.log
# Most tests wait most of the time, for processes that they have started.
threads=$(($(nproc) + 1))

steps=()
step() { # name, command...
  local name=$1 began=$SECONDS
  shift
  echo "== $*" >&2
  "$@"
  steps+=("$(printf '%6d s  %s' $((SECONDS - began)) "$name")")
}

build_cluster() {
  if ! wait "$cluster"; then
    echo "the test cluster could not be built; see above" >&2
    return 1
  fi
}

# One set of artifacts for lints and one for tests; the operator as the image has it differs in nothing but what its
# dependencies bring for the sandbox, which no test could tell (`make bench` and `make soak` build it).
lint() { cargo clippy --quiet --workspace --features sandbox --all-targets -- -D warnings; }
build() { cargo test --quiet --workspace --features sandbox --lib --bins --tests --no-run; }

# The binary of the integration tests. cargo cannot run it with RUSTC_BOOTSTRAP, which would build everything anew.
integration_tests() {
  cargo test --quiet --features sandbox --test it --no-run --message-format=json |
    sed -n 's/.*"name":"it".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

# --report-time, which the table of the slowest needs, is not stable yet.
integrate() {
  local binary
  binary=$(integration_tests)
  rm -rf "$PLUVO_TEST_DIR"
  if ! RUSTC_BOOTSTRAP=1 "$binary" -Z unstable-options --report-time --test-threads "$threads" 2>&1 | tee "$log"; then
    repeat
    return 1
  fi
}

# How to repeat what has failed.
repeat() {
  echo "One of them alone, with the seed that it printed in its environment (NAME_SEED=…), if it did:" >&2
  sed -n 's/^test \(.*\) \.\.\. FAILED.*/  cargo test --features sandbox --test it -- --exact \1/p' "$log" >&2
}

slowest() {
  echo "The slowest of $(grep -c '^test .* <.*s>$' "$log") integration tests:"
  sed -n 's/^test \(.*\) \.\.\. ok <\(.*\)s>$/\2 s  \1/p' "$log" | sort -rn | head -n 20
}

set -m # a process group of its own, so that all of the build ends if a check fails
tests/cluster/build.sh >/dev/null 2> >(cat >&2) & # no terminal there: lines instead of one that moves among ours
cluster=$!
set +m
trap 'kill -- -"$cluster" 2>/dev/null || true' EXIT

mkdir -p target
step "formatting" cargo fmt --all --check
step "lints" lint
step "compiling the tests" build
step "unit tests, and the corpus of the fuzz targets" cargo test --quiet --workspace --features sandbox --lib --bins
step "waiting for the test cluster's build" build_cluster
trap - EXIT
tests/tools.sh operator
step "integration tests, $threads at a time" integrate
# What they left behind is judged: statuses, audit lines, requests to the API servers, logs.
step "judges of what they left behind" \
  cargo test --features sandbox --test it -- --ignored --skip rbac:: --nocapture --test-threads 1
step "examples in the documentation" cargo test --quiet --features sandbox --doc
if [[ -n ${PLUVO_SOAK:-} ]]; then
  step "the operator as the image has it" cargo check --quiet --package pluvo-operator
fi

slowest
printf '%s\n' "${steps[@]}" "$(printf '%6d s  all of it' "$SECONDS")"
