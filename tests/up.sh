#!/usr/bin/env bash
# `up` leaves a cluster, a sandbox and an operator running, with examples/00-connection applied; `down` ends them.
#
#   UP_INTERVAL   how often the connection reads Pluvo completely, such as 10s (default: what the example says)
#   UP_SEED       what the sandbox starts with (default: examples/sandbox.seed)
#   OPERATOR      the operator's binary (default: target/debug/pluvo-operator)
#
# target/up/env is a shell file that says how to reach them; logs are in target/up/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly up=$PWD/target/up
readonly parts=(operator sandbox cluster) # the order in which they end
readonly namespace=pluvo-system release=pluvo-operator
# A client of its own for whoever looks on, so that the sandbox's log tells it from the operator.
readonly client_id=up client_secret=up-secret

say() { echo "up: $*" >&2; }

# A process is its id and the time at which it started: ids are used again.
identity() {
  local state rest
  rest=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) && state=${rest%% *} || return 0
  if [[ $state != Z ]]; then echo "$1 $(cut -d ' ' -f 20 <<<"$rest")"; fi
}
runs() {
  local recorded
  recorded=$(cat "$up/$1.pid" 2>/dev/null) && [[ -n $recorded && $(identity "${recorded%% *}") == "$recorded" ]]
}

start() { # name, command...
  local name=$1
  shift
  setsid "$@" >"$up/$name.log" 2>&1 </dev/null 9>&- &
  identity $! >"$up/$name.pid"
}

stop() {
  local name=$1 pid
  if runs "$name"; then
    pid=$(cut -d ' ' -f 1 "$up/$name.pid")
    kill "$pid"
    for _ in {1..400}; do runs "$name" || break; sleep 0.1; done
    if runs "$name"; then kill -9 "$pid"; fi
  fi
  rm -f "$up/$name.pid"
}

# Waits for a condition that one of the parts brings about, and shows its log if it ends instead.
await() { # name, what, command...
  local name=$1 what=$2
  shift 2
  for _ in {1..1200}; do
    if "$@" >/dev/null 2>&1; then return; fi
    if ! runs "$name"; then fail "the $name ended before $what" "$name"; fi
    sleep 0.1
  done
  fail "gave up waiting until $what" "$name"
}

fail() {
  say "$1; the log ends with"
  tail -n 20 "$up/$2.log" >&2
  exit 1
}

up() {
  if runs operator && runs sandbox && runs cluster; then
    say "it is up already: source target/up/env"
    return
  fi
  tests/tools.sh rust cc go
  local bin
  cargo build --quiet --features sandbox
  tests/tools.sh operator
  bin=$(tests/cluster/build.sh)
  down
  rm -rf "$up"
  mkdir -p "$up"
  trap 'say "it did not come up; the logs are in $up"; down' EXIT
  # What kubectl discovers is kept by address and port: it must not meet the next cluster on the same port.
  export PATH=$bin:$PATH KUBECONFIG=$up/cluster/kubeconfig KUBECACHEDIR=$up/kube-cache

  start cluster testcluster up --dir "$up/cluster"
  await cluster "the API server and the controllers work" grep -q ^ready "$up/cluster.log"
  start_sandbox
  install
  connect
  start operator testcluster operator --kubeconfig "$KUBECONFIG" --dir "$up/operator" \
    --namespace "$namespace" --release "$release" -- "${OPERATOR:-target/debug/pluvo-operator}"
  await operator "the connection is Ready" kubectl wait --for=condition=Ready pluvoconnections --all --timeout=1s
  write_env "$bin"
  trap - EXIT
  say "it is up: source target/up/env; \`make down\` ends it"
}

start_sandbox() {
  local seed=${UP_SEED:-examples/sandbox.seed}
  cp "$seed" "$up/seed.yaml"
  # The sandbox's own default, which the examples' Secret names, goes once a client is added.
  if ! grep -q '^clients:' "$seed"; then
    printf '\nclients: [{id: sandbox, secret: sandbox-secret}]\n' >>"$up/seed.yaml"
  fi
  start sandbox target/debug/pluvo-sandbox --listen 127.0.0.1:0 --address-file "$up/sandbox.address" --seed "$up/seed.yaml" \
    --client-id "$client_id" --client-secret "$client_secret"
  await sandbox "the sandbox listens" test -s "$up/sandbox.address"
}

install() {
  helm upgrade --install "$release" charts/pluvo-operator --namespace "$namespace" --create-namespace \
    --set "sandboxUrl=$(<"$up/sandbox.address"),metrics.address=127.0.0.1,metrics.port=$(testcluster port)" >"$up/helm.log"
  kubectl wait --for=condition=Established crd --all >"$up/helm.log"
}

# The connection is as it shall be before the operator sees it for the first time.
connect() {
  local interval=${UP_INTERVAL:+,\"interval\":\"$UP_INTERVAL\"} connection
  kubectl apply --namespace default -R -f examples/00-connection >&2
  for connection in $(kubectl get pluvoconnections --namespace default -o name); do
    kubectl patch "$connection" --namespace default --type merge -p "{\"spec\":{\"mode\":\"Correct\"$interval}}" >"$up/patch.log"
  done
}

# Each organization has its own address in the sandbox, control endpoints included; the one here is the example's.
write_env() {
  local organization url
  organization=$(kubectl get pluvoconnections --namespace default -o 'jsonpath={.items[0].spec.organization}')
  url=$(<"$up/sandbox.address")/$organization
  {
    echo "# How to reach what 'make up' has started."
    printf 'export KUBECONFIG=%q KUBECACHEDIR=%q\n' "$KUBECONFIG" "$KUBECACHEDIR"
    # shellcheck disable=SC2016 # the PATH of whoever reads it
    printf 'export PATH=%q:$PATH\n' "$1"
    printf 'export PLUVO_SANDBOX_URL=%q PLUVO_ENDPOINT=%q\n' "$url" "$url"
    printf 'export PLUVO_CLIENT_ID=%q PLUVO_CLIENT_SECRET=%q\n' "$client_id" "$client_secret"
  } >"$up/env"
}

down() {
  for part in "${parts[@]}"; do stop "$part"; done
  rm -f "$up/env"
}

mkdir -p target
exec 9>target/up.lock # one at a time
flock 9
case ${1:-} in
  up) up ;;
  down) down ;;
  *) echo "usage: tests/up.sh up|down" >&2; exit 2 ;;
esac
