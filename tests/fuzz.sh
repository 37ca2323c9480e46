#!/usr/bin/env bash
# Fuzzes what the operator reads from outside, with libFuzzer and the Rust that builds the operator: `tests/fuzz.sh` all
# targets, `tests/fuzz.sh answers` one. It begins with what the sandbox answers to a real operator, and with examples/.
#
#   FUZZ_SECONDS   how long each target runs (default: 600)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly home=target/fuzz who=fuzz seconds=${FUZZ_SECONDS:-600}
# shellcheck source=tests/parts.sh
source tests/parts.sh

tests/tools.sh rust cc cxx
targets=("$@")
if (($# == 0)); then targets=(seeded answers tokens manifests webhooks); fi

# What the sandbox answers, a file each: STATUS BODY.
record_answers() {
  mkdir -p "$home/seeds/answers" "$home/seeds/tokens"
  RUST_LOG=answers=trace start_sandbox --seed examples/sandbox.seed
  PLUVO_SANDBOX_URL=$(<"$home/sandbox.address")
  export PLUVO_SANDBOX_URL
  local command answer kind number=0
  for command in check "apply --no-mail" plan; do
    # shellcheck disable=SC2086 # two words
    "$operator" $command -f examples/ >"$home/operator.log" 2>&1 || fail "the operator cannot $command the examples" operator
  done
  stop sandbox
  while IFS= read -r answer; do
    kind=answers
    if [[ $answer == *'"access_token"'* ]]; then kind=tokens; fi
    printf %s "$answer" >"$home/seeds/$kind/$((number += 1))"
  done < <(sed -n 's/.* TRACE answers: //p' "$home/sandbox.log")
  say "the sandbox gave $number answers to begin with"
}

# The counters and comparisons that libFuzzer is guided by, in the operator and in all that it is made of. Naming the
# platform keeps them out of what runs while it is built.
build() {
  local platform sancov
  platform=$(rustc -vV | sed -n 's/^host: //p')
  sancov='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters'
  sancov+=' -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing'
  RUSTFLAGS=$sancov cargo build --quiet --locked --package fuzz --features libfuzzer --profile fuzz --target "$platform" \
    --target-dir "$home/build"
  binaries=$home/build/$platform/fuzz
}

seeds_of() { # target
  case $1 in
    seeded) echo "$home/seeds/answers" tests/fuzz/corpus/answers ;;
    manifests) echo examples tests/fuzz/corpus/manifests ;;
    webhooks) echo tests/fuzz/corpus/webhooks ;;
    *) echo "$home/seeds/$1" "tests/fuzz/corpus/$1" ;;
  esac
}

fuzz() { # target
  local target=$1 seeds limit=$seconds
  # It ends when the bug is found: usually at once, and with bad luck after a minute or two.
  if [[ $target == seeded ]]; then limit=600; fi
  read -ra seeds < <(seeds_of "$target")
  mkdir -p "$home/corpus/$target" "$home/findings"
  "$binaries/$target" "$home/corpus/$target" "${seeds[@]}" -max_total_time="$limit" -timeout=10 -print_final_stats=1 \
    -artifact_prefix="$home/findings/$target-" >"$home/$target.log" 2>&1
}

# Executions and coverage, from what libFuzzer prints last: `#123  DONE  cov: 45 ...`.
figures() { # target
  local last counters
  last=$(grep -E '^#[0-9]+.*cov: ' "$home/$1.log" | tail -n 1)
  counters=$(sed -n 's/.*(\([0-9]*\) inline 8-bit counters).*/\1/p' "$home/$1.log" | head -n 1)
  sed -E "s/^#([0-9]+).*cov: ([0-9]+).*corp: ([0-9]+).*/\1 executions, \2 of $counters places in the code reached, \3 inputs kept/" <<<"$last"
}

rm -rf "$home/seeds" "$home/corpus" "$home/findings"
mkdir -p "$home"
trap 'stop sandbox' EXIT
cargo build --quiet --features sandbox
record_answers
say "building, with instrumentation; the first time this takes some minutes"
build

failed=0
for target in "${targets[@]}"; do
  if [[ $target == seeded ]]; then
    say "a bug on purpose, until it is found"
    if fuzz seeded || ! grep -q 'the bug on purpose' "$home/seeded.log"; then
      say "the bug on purpose was not found: $(figures seeded)"
      failed=1
    else
      say "the bug on purpose was found: $(figures seeded)"
    fi
    continue
  fi
  say "$target, for $seconds s"
  if fuzz "$target"; then
    say "no finding: $(figures "$target")"
  else
    say "a finding, in $home/findings; the log of $target ends with"
    tail -n 30 "$home/$target.log" >&2
    failed=1
  fi
done
exit "$failed"
