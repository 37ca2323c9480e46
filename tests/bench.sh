#!/usr/bin/env bash
# Measures the release build, with the test cluster: `tests/bench.sh` everything, `tests/bench.sh sweeps` one scenario.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests/tools.sh rust cc go
tests/cluster/build.sh >/dev/null
export PLUVO_TEST_DIR=$PWD/target/bench
rm -rf "$PLUVO_TEST_DIR"
exec cargo bench --quiet --features sandbox --bench counts -- "$@"
