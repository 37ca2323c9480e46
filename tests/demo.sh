#!/usr/bin/env bash
# Shows what the operator does, step by step, on this machine alone: `demo.sh try` without a cluster, `demo.sh demo` first
# without one and then with one. Everything that it starts ends with it.
#
#   OPERATOR   the operator's binary (default: target/debug/pluvo-operator)
#   CI         if it is "true", or without a terminal, nobody is waited for at the end
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly home=target/demo who=demo
# shellcheck source=tests/parts.sh
source tests/parts.sh

unset RUST_LOG # the steps are to be read without logs between them

bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi

act() { printf '\n%s== %s ==%s\n' "$bold" "$*" "$plain"; }
tell() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# A command as it would be typed.
announce() {
  local word
  printf '$'
  for word in "$@"; do
    case $word in
      "&") printf ' &' ;;
      *[!a-zA-Z0-9_./:=,@%+-]* | "") printf " '%s'" "${word//\'/\'\\\'\'}" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
  printf '\n'
}

# Runs a command whose exit code says something.
expect() { # exit code, command...
  local expected=$1 status=0
  shift
  run "$@" || status=$?
  if ((status != expected)); then
    say "exit code $status instead of $expected: $*"
    exit 1
  fi
  if ((status > 0)); then echo "(exit code $status)"; fi
}

build_rust() {
  tell "The operator and the sandbox, a local stand-in for Pluvo, are built; the first time this takes some minutes."
  run cargo build --features sandbox
  tests/tools.sh operator
}

# Act one: files, a Pluvo, no cluster.
without_cluster() {
  act "Without a cluster: what is declared, and what Pluvo says"
  tell "A sandbox serves Pluvo's documented API from memory. It begins with three accounts and two trainings."
  start_sandbox --seed examples/sandbox.seed
  run export "PLUVO_SANDBOX_URL=$(<"$home/sandbox.address")"

  tell "examples/ declares five users, two groups, who is in them and who must follow which training. A plan reads Pluvo
and shows what would happen, field by field. It writes nothing. Exit code 2 says: there is something to do."
  expect 2 "$operator" plan -f examples/
  tell "Apply does it, once. One of the examples asks for a mail to a participant. Only the operator, which remembers to
whom one was sent, sends mail: --no-mail leaves it out."
  expect 0 "$operator" apply -f examples/ --no-mail
  tell "Now a plan finds nothing to do, and says so with exit code 0."
  expect 0 "$operator" plan -f examples/

  tell "Somebody renames Jane Doe in Pluvo, behind the operator's back."
  rename "Jane Roe"
  tell "The next plan shows this one difference."
  expect 2 "$operator" plan -f examples/
}

rename() {
  run pluvo-sandbox control --organization acme change "{\"users\": {\"EMP-12345\": {\"name\": \"$1\"}}}"
}

# Act two: the same, on a real API server.
with_cluster() {
  act "With a cluster: the operator at work"
  await_build
  tell "A cluster: etcd, the Kubernetes API server and its controllers. Nothing runs in it, for there are no nodes."
  start_cluster "$cluster"
  tell "The sandbox goes back to what it began with."
  run pluvo-sandbox control --organization acme reset
  tell "Helm installs the resource definitions, a ServiceAccount with its permissions, and a Deployment."
  install_chart
  tell "For want of a node, the operator runs beside the cluster: with the arguments, the environment and the
permissions that the Deployment gives it."
  start_operator

  tell "The same files as before, with kubectl."
  run kubectl apply -R -f examples/
  tell "The operator makes Pluvo match. Ready says that Pluvo holds what is declared."
  await operator "the connection is Ready" kubectl wait pvconn default --for=condition=Ready --timeout=1s
  run kubectl wait pluvo --all --for=condition=Ready --timeout=2m
  run kubectl get pluvo

  tell "How it deals with what others change is the connection's mode. Observe reports and writes nothing: the way to
begin with a real organization. Here it also reads Pluvo every 5 seconds, so that you need not wait."
  run kubectl patch pvconn default --type merge -p '{"spec": {"mode": "Observe", "interval": "5s"}}'
  tell "Somebody renames Jane Doe again."
  rename "Jane Roe"
  tell "The status of her resource says what differs, and since when."
  run kubectl wait pvu emp-12345 --for=condition=Drifted --timeout=1m
  run kubectl get pvu
  run kubectl get pvu emp-12345 -o jsonpath-as-json='{.status.drift}'

  tell "In mode Correct, the default, the operator puts it right, and the status keeps what it did."
  run kubectl patch pvconn default --type merge -p '{"spec": {"mode": "Correct"}}'
  run kubectl wait pvu emp-12345 --for=condition=Drifted=False --timeout=1m
  run kubectl get pvu emp-12345 -o jsonpath-as-json='{.status.lastCorrection}'
  run kubectl events --for pluvouser/emp-12345
}

# The Go build is left alone until it is needed.
start_build() {
  start build tests/cluster/build.sh
  build=$!
}

await_build() {
  if runs build; then
    tell "The cluster's programs (etcd, Kubernetes, kubectl, Helm) are still being compiled. This happens once."
    tail -n 1 -f --pid="$build" "$home/build.log"
  fi
  if ! wait "$build"; then fail "the test cluster could not be built" build; fi
  cluster=$(tail -n 1 "$home/build.log")
}

# For whoever wants to look around.
linger() {
  tell "All of this still runs. In another terminal:"
  printf '  export KUBECONFIG=%q KUBECACHEDIR=%q\n' "$KUBECONFIG" "$KUBECACHEDIR"
  printf '  export PLUVO_SANDBOX_URL=%q\n' "$PLUVO_SANDBOX_URL"
  # shellcheck disable=SC2016 # the PATH of whoever reads it
  printf '  export PATH=%q:%q:$PATH\n' "$PWD/target/debug" "$cluster"
  echo "  kubectl get pluvo"
  tell "The sandbox is at $PLUVO_SANDBOX_URL/acme: /graphql/ is a page to try queries on, /_sandbox/state
shows everything that it holds, and /_sandbox/log who changed what."
  if [[ ${CI:-} != true && -t 0 && -t 1 ]]; then
    read -r -p $'\nPress Enter to end it. '
  fi
}

clean_up() {
  local status=$?
  trap '' INT TERM HUP
  trap - EXIT
  stop build whole
  stop_parts
  if ((status == 0)); then
    rm -rf "$home"
    tell "Everything that was started has ended."
  else
    say "it ended early$(if compgen -G "$home/*.log" >/dev/null; then echo "; the logs are in $home"; fi)"
  fi
  exit "$status"
}

main() {
  exec 9>target/demo.lock
  flock -n 9 || { say "another one runs already"; exit 1; }
  stop build whole # of one that was killed
  stop_parts
  rm -rf "$home"
  mkdir -p "$home"
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  build_rust
  if [[ $1 == demo ]]; then start_build; fi
  without_cluster
  if [[ $1 == demo ]]; then
    with_cluster
    linger
  else
    tell "\`make demo\` goes on from here with a Kubernetes API server."
  fi
}

mkdir -p target
case ${1:-} in
  try) tests/tools.sh rust cc && main try ;;
  demo) tests/tools.sh rust cc go && main demo ;;
  *) echo "usage: tests/demo.sh try|demo" >&2; exit 2 ;;
esac
