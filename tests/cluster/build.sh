#!/usr/bin/env bash
# Builds the test cluster's binary once, into a cache outside the tree, and prints the directory that holds it and its
# links (etcd, kube-apiserver, controllers, kubectl, helm, kstatus) as the last line on stdout.
#
#   KUBECONFIG=... PATH="$(tests/cluster/build.sh):$PATH" kubectl get pods
#
# Everything that goes into the binary is in the cache entry's name, so an entry is either right or absent. It is built
# in a directory of its own and renamed into place: a half-built one is never taken for a whole one.
#
# Compiling Kubernetes takes minutes and fills 3 GB of Go build cache. That cache is of use only to whoever edits the Go
# files here, so by default it is private, kept while a build is unfinished (the next run goes on where it stopped) and
# removed at its end. Set GOCACHE to keep it: `export GOCACHE=$HOME/.cache/go-build` makes an edit a matter of seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly tools=(etcd kube-apiserver controllers kubectl helm kstatus)
readonly cache="${XDG_CACHE_HOME:-$HOME/.cache}/pluvo-operator/testcluster"
readonly kept=2 kept_days=7

say() { echo "testcluster: $*" >&2; }
die() { say "$*"; exit 1; }

check_go() {
  local wanted
  wanted=$(sed -n 's/^go //p' go.mod)
  command -v go >/dev/null || die "Go $wanted or newer is missing. Install it from https://go.dev/dl/, put its bin directory on PATH, and run this again."
  # An older Go from 1.21 on fetches the one that go.mod asks for, unless that is switched off.
  go version >/dev/null 2>&1 || die "this Go cannot build the test cluster, which needs Go $wanted or newer (https://go.dev/dl/): $(go version 2>&1)"
}

# The API server answers clients with this version, and helm refuses one that it cannot parse.
ldflags() {
  local version minor
  version=$(sed -n 's/^require k8s.io\/kubernetes //p' go.mod)
  minor=${version#v1.}
  minor=${minor%%.*}
  local base=k8s.io/component-base/version client=k8s.io/client-go/pkg/version
  echo "-s -w -X $base.gitVersion=$version -X $base.gitMajor=1 -X $base.gitMinor=$minor -X $client.gitVersion=$version"
}

# No debug information: a quarter less work for the compiler. No cgo: the C compiler stays out of it.
flags=(-buildvcs=false -trimpath "-gcflags=all=-dwarf=false" "-ldflags=$(ldflags)")
export CGO_ENABLED=0

digest() {
  { go env GOVERSION GOOS GOARCH; printf '%s\n' "${flags[@]}"; cat go.mod go.sum ./*.go; } | sha256sum | cut -c 1-16
}

# Shows what `go build -v` names: one moving line on a terminal, otherwise a line every half minute.
progress() {
  local total=$1 count=0 shown=$SECONDS
  while IFS= read -r line; do
    case $line in
      *" "*) printf '%s\n' "$line" >>"$2"; continue ;; # not a package: what the compiler has to say
    esac
    count=$((count + 1))
    if [[ -t 2 ]]; then
      printf '\rtestcluster: %d of %d packages compiled ' "$count" "$total" >&2
    elif ((SECONDS - shown >= 30)); then
      say "$count of $total packages compiled after $SECONDS s"
      shown=$SECONDS
    fi
  done
  if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
}

build() {
  local entry=$1 work=$2 total
  SECONDS=0 # without the wait for the lock
  say "building etcd, Kubernetes and Helm from source; this takes 5 to 15 minutes, once"
  say "downloading modules"
  go mod download || die "the modules could not be downloaded; see above"
  total=$(go list -deps . | wc -l)
  : >"$work/errors"
  # Memory is cheaper than time here: fewer garbage collections in the compiler. It does not hold the lock, which must not
  # outlive this script.
  if ! GOGC=${GOGC:-800} nice -n 10 go build -v "${flags[@]}" -o "$work/testcluster" . 2>&1 9>&- | progress "$total" "$work/errors"; then
    cat "$work/errors" >&2
    die "the build failed; see above"
  fi
  rm -f "$work/errors"
  for tool in "${tools[@]}"; do ln -s testcluster "$work/$tool"; done
  mv -T "$work" "$entry"
  say "built in $SECONDS s: $entry ($(du -sh "$entry" | cut -f 1))"
}

# Removes entries that nobody has used for a week, except for the latest two: branches differ, and so do their entries.
prune() {
  local week_ago
  week_ago=$(($(date +%s) - kept_days * 24 * 60 * 60))
  find "$cache" -mindepth 1 -maxdepth 1 -type d -name '????????????????' -printf '%T@ %p\n' | sort -rn |
    tail -n "+$((kept + 1))" | while read -r used entry; do
    if ((${used%.*} < week_ago)); then rm -rf "$entry"; fi
  done
}

main() {
  check_go
  local entry
  entry="$cache/$(digest)"
  if [[ ! -x $entry/testcluster ]]; then
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock -n 9 || { say "another build is under way; waiting for it"; flock 9; }
    if [[ ! -x $entry/testcluster ]]; then
      rm -rf "$cache"/building.* # of builds that were killed: nobody else builds while this holds the lock
      local own_cache=
      if [[ -z ${GOCACHE:-} ]]; then
        own_cache="$cache/go-build"
        export GOCACHE=$own_cache
      fi
      build "$entry" "$(mktemp -d "$cache/building.XXXXXX")"
      prune
      if [[ -n $own_cache ]]; then rm -rf "$own_cache"; fi
    fi
  fi
  touch "$entry" # it is in use: see prune
  echo "$entry"
}

{ main; exit; } # whole: a script that is edited while it runs would go on with what it finds behind this
