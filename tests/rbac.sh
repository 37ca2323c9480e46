#!/usr/bin/env bash
# Takes each permission of the operator away in turn, on the test cluster: a scenario fails and names it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests/tools.sh rust cc go
tests/cluster/build.sh >/dev/null
export PLUVO_TEST_DIR=$PWD/target/rbac
rm -rf "$PLUVO_TEST_DIR"
exec cargo test --quiet --features sandbox --test it -- --ignored --nocapture rbac::
