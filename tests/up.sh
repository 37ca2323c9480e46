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

readonly home=target/up who=up
# A client of its own for whoever looks on, so that the sandbox's log tells it from the operator.
readonly client_id=up client_secret=up-secret
# shellcheck source=tests/parts.sh
source tests/parts.sh

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
  rm -rf "$home"
  mkdir -p "$home"
  trap 'say "it did not come up; the logs are in $home"; down' EXIT

  start_cluster "$bin"
  seed_sandbox
  install_chart >"$home/helm.log"
  connect
  start_operator
  await operator "the connection is Ready" kubectl wait --for=condition=Ready pluvoconnections --all --timeout=1s
  write_env "$bin"
  trap - EXIT
  say "it is up: source target/up/env; \`make down\` ends it"
}

seed_sandbox() {
  local seed=${UP_SEED:-examples/sandbox.seed}
  cp "$seed" "$home/seed.yaml"
  # The sandbox's own default, which the examples' Secret names, goes once a client is added.
  if ! grep -q '^clients:' "$seed"; then
    printf '\nclients: [{id: sandbox, secret: sandbox-secret}]\n' >>"$home/seed.yaml"
  fi
  start_sandbox --seed "$home/seed.yaml" --client-id "$client_id" --client-secret "$client_secret"
}

# The connection is as it shall be before the operator sees it for the first time.
connect() {
  local interval=${UP_INTERVAL:+,\"interval\":\"$UP_INTERVAL\"} connection
  kubectl apply --namespace default -R -f examples/00-connection >&2
  for connection in $(kubectl get pluvoconnections --namespace default -o name); do
    kubectl patch "$connection" --namespace default --type merge -p "{\"spec\":{\"mode\":\"Correct\"$interval}}" >"$home/patch.log"
  done
}

# Each organization has its own address in the sandbox, control endpoints included; the one here is the example's.
write_env() {
  local organization url
  organization=$(kubectl get pluvoconnections --namespace default -o 'jsonpath={.items[0].spec.organization}')
  url=$(<"$home/sandbox.address")/$organization
  {
    echo "# How to reach what 'make up' has started."
    printf 'export KUBECONFIG=%q KUBECACHEDIR=%q\n' "$KUBECONFIG" "$KUBECACHEDIR"
    # shellcheck disable=SC2016 # the PATH of whoever reads it
    printf 'export PATH=%q:$PATH\n' "$1"
    printf 'export PLUVO_SANDBOX_URL=%q PLUVO_ENDPOINT=%q\n' "$url" "$url"
    printf 'export PLUVO_CLIENT_ID=%q PLUVO_CLIENT_SECRET=%q\n' "$client_id" "$client_secret"
  } >"$home/env"
}

down() {
  stop_parts
  rm -f "$home/env"
}

mkdir -p target
exec 9>target/up.lock # one at a time
flock 9
case ${1:-} in
  up) up ;;
  down) down ;;
  *) echo "usage: tests/up.sh up|down" >&2; exit 2 ;;
esac
