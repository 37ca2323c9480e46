# shellcheck shell=bash
# Cluster, sandbox and operator as background processes. Sourced, from the root of the repository, by scripts that set
#
#   home   directory of what runs: NAME.pid and NAME.log of each part, and its files
#   who    what messages begin with
#
# and may define `announce`, which is told each command before it runs.

: "${home:?}" "${who:?}"
readonly namespace=pluvo-system release=pluvo-operator

# Nothing of the caller's may lead anywhere but to the sandbox.
unset PLUVO_ENDPOINT PLUVO_SANDBOX_URL PLUVO_CLIENT_ID PLUVO_CLIENT_SECRET PLUVO_CLIENT_SECRET_FILE PLUVO_ALLOWED_HOSTS
unset KUBECONFIG
export NO_PROXY=${NO_PROXY:+$NO_PROXY,}127.0.0.1 no_proxy=${no_proxy:+$no_proxy,}127.0.0.1

say() { echo "$who: $*" >&2; }
announce() { :; }
run() { announce "$@"; "$@"; }

# A process is its id and the time at which it started: ids are used again.
identity() {
  local state rest
  rest=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) && state=${rest%% *} || return 0
  if [[ $state != Z ]]; then echo "$1 $(cut -d ' ' -f 20 <<<"$rest")"; fi
}
pid() { cut -d ' ' -f 1 "$home/$1.pid"; }
runs() {
  local recorded
  recorded=$(cat "$home/$1.pid" 2>/dev/null) && [[ -n $recorded && $(identity "${recorded%% *}") == "$recorded" ]]
}

start() { # name, command...
  local name=$1
  shift
  announce "$@" "&"
  setsid "$@" >"$home/$name.log" 2>&1 </dev/null 9>&- &
  identity $! >"$home/$name.pid"
}

stop() { # name, and `whole` if all that it has started shall end with it
  local name=$1 whole=${2:+-} pid
  if runs "$name"; then
    pid=$(pid "$name")
    kill -- "$whole$pid"
    for _ in {1..400}; do runs "$name" || break; sleep 0.1; done
    if runs "$name"; then kill -9 -- "$whole$pid"; fi
  fi
  rm -f "$home/$name.pid"
}

# In the order in which they use one another.
stop_parts() {
  local part
  for part in operator sandbox cluster; do stop "$part"; done
}

# Waits for a condition that one of the parts brings about, and shows its log if it ends instead.
await() { # name, what, command...
  local name=$1 what=$2 end=$((SECONDS + 180))
  shift 2
  while ((SECONDS < end)); do
    if "$@" >/dev/null 2>&1; then return; fi
    if ! runs "$name"; then fail "the $name ended before $what" "$name"; fi
    sleep 0.1
  done
  fail "gave up waiting until $what" "$name"
}

fail() { # what, name
  say "$1; the log ends with"
  tail -n 20 "$home/$2.log" >&2
  exit 1
}

start_cluster() { # directory of the test cluster's binaries
  # What kubectl discovers is kept by address and port: it must not meet the next cluster on the same port.
  export PATH=$1:$PATH KUBECONFIG=$PWD/$home/cluster/kubeconfig KUBECACHEDIR=$PWD/$home/kube-cache
  start cluster testcluster up --dir "$home/cluster"
  await cluster "the API server and the controllers work" grep -q ^ready "$home/cluster.log"
}

start_sandbox() { # arguments...
  rm -f "$home/sandbox.address" # of an earlier one
  start sandbox pluvo-sandbox --listen 127.0.0.1:0 --address-file "$home/sandbox.address" "$@"
  await sandbox "the sandbox listens" test -s "$home/sandbox.address"
}

# The operator's chart, with the sandbox in Pluvo's place.
install_chart() {
  run helm upgrade --install "$release" charts/pluvo-operator --namespace "$namespace" --create-namespace --hide-notes \
    --set "sandboxUrl=$(<"$home/sandbox.address"),metrics.address=127.0.0.1,metrics.port=$(testcluster port)"
  kubectl wait --for=condition=Established crd --all >"$home/crds.log"
}

# As the chart's Deployment would run it; there is no kubelet that does.
start_operator() {
  start operator testcluster operator --dir "$home/operator" --namespace "$namespace" --release "$release" -- "$operator"
}

# PATH has the binaries of this tree; OPERATOR names another operator.
export PATH=$PWD/target/debug:$PATH
operator=${OPERATOR:-pluvo-operator}
