#!/usr/bin/env bash
# Says what is missing, and what to do, before anything is built: `tests/tools.sh rust cc go`. Once it is built,
# `tests/tools.sh operator` says whether the operator (OPERATOR, or the debug build) runs at all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=0
need() { # command, what it is, what to do
  if ! command -v "$1" >/dev/null; then
    echo "$2 is missing: $3" >&2
    missing=1
  fi
}

check_operator() {
  local operator=${OPERATOR:-target/debug/pluvo-operator} status=0
  "$operator" --version >/dev/null || status=$?
  if ((status != 0)); then
    echo "the operator, $operator --version, ended with exit code $status" >&2
    missing=1
  fi
}

for tool in "$@"; do
  case $tool in
    rust) need cargo "Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer" "install it from https://rustup.rs, open a new shell, and run this again" ;;
    cc) need cc "a C compiler" "install gcc or clang (Debian and Ubuntu: apt-get install build-essential), and run this again; the TLS library needs it" ;;
    cxx) need c++ "a C++ compiler" "install g++ or clang (Debian and Ubuntu: apt-get install build-essential), and run this again; the fuzzer is built with it" ;;
    go) need go "Go $(sed -n 's/^go //p' tests/cluster/go.mod) or newer" "install it from https://go.dev/dl/, put its bin directory on PATH, and run this again; the test cluster is built with it" ;;
    operator) check_operator ;;
    *) echo "tests/tools.sh knows rust, cc, cxx, go and operator, not $tool" >&2; exit 2 ;;
  esac
done
exit "$missing"
