#!/usr/bin/env bash
# Runs tiers of tests, in the order given, holds the catalog's permissions against what its accounts did meanwhile, and
# ends by saying what ran. With CI=true a skipped test is a failure.
#   unit           every package by itself, no cluster
#   registries     the registry layer against real registries, behind a proxy that has faults, and signatures against cosign
#   control-plane  webhook and controller against a real API server and etcd
#   cluster        the whole product on a real node with Tekton and a registry (needs root)
set -euo pipefail
cd "$(dirname "$0")/.."

logs=$(mktemp -d)
mkdir "$logs/audit"
since=$(date --utc +%FT%TZ)
trap 'rm -rf "$logs"' EXIT

cluster() { go run -C test/cluster . "$@"; }

# inside TIER COMMAND...: runs the command with the environment of what that tier runs against, and only with that.
inside() {
  local tier=$1 env
  shift
  case $tier in
  registries) env=$(cluster registries && cluster cosign) ;;
  control-plane) env=$(cluster env --control-plane && cluster prometheus) ;;
  cluster) env=$(cluster env && cluster cosign) ;;
  esac
  (eval "$env" && "$@")
}

# keep_audit TIER: copies what the API server of that tier's cluster recorded, rotated files included.
keep_audit() {
  local file
  for file in "${IMAGE_CATALOG_AUDIT_LOG%.log}"*.log; do
    cp "$file" "$logs/audit/$1-${file##*/}"
  done
}

# audit TIER...: permissions that were never used are known only when every tier has run that uses some.
audit() {
  local flags=(-since "$since") audited=0 tier
  for tier in "$@"; do
    case $tier in control-plane | cluster) audited=$((audited + 1)) ;; esac
  done
  [ "$audited" -gt 0 ] || return 0
  [ "$audited" -eq 2 ] || flags+=(-forbidden)
  echo "== audit"
  go run ./test/audit "${flags[@]}" "$logs"/audit/*.log
}

# tests TIER DIR ARGUMENT...: go test in DIR, its packages' results shown, the rest on failure.
tests() {
  local tier=$1 dir=$2 log passed skipped began=$SECONDS
  shift 2
  log=$(mktemp --tmpdir="$logs")
  if ! go -C "$dir" run gotest.tools/gotestsum@v1.13.0 --format pkgname --format-hide-empty-pkg --jsonfile "$log" -- "$@"; then
    exit 1
  fi
  passed=$(grep -c '"Action":"pass".*"Test":' "$log" || true)
  skipped=$(grep '"Action":"skip".*"Test":' "$log" || true)
  if [ -n "$skipped" ]; then
    echo "skipped: $skipped"
    [ "${CI:-}" != true ] || { echo "$tier: a test was skipped, which CI does not accept"; exit 1; }
  fi
  printf '  %-14s %4d passed in %3d s\n' "$tier" "$passed" $((SECONDS - began)) >> "$logs/summary"
}

for tier in "$@"; do
  echo "== $tier"
  case $tier in
  unit)
    tests unit . -race ./...
    tests "unit/cluster" test/cluster ./...
    ;;
  registries)
    inside "$tier" tests "$tier" . -count=1 -race -tags registries ./test/registries
    ;;
  control-plane)
    trap 'cluster down --control-plane; rm -rf "$logs"' EXIT
    cluster up --control-plane
    timeout=40m
    [ "${CAMPAIGN:-}" != full ] || timeout=90m
    inside "$tier" tests "$tier" . -count=1 -timeout "$timeout" -parallel 32 -tags controlplane ./test/controlplane
    inside "$tier" keep_audit "$tier"
    ;;
  cluster)
    cluster up
    inside "$tier" tests "$tier" . -count=1 -timeout 40m -parallel 8 -tags e2e ./test/e2e
    inside "$tier" keep_audit "$tier"
    ;;
  *)
    echo "test.sh: no such tier: $tier (unit, registries, control-plane, cluster)" >&2
    exit 64
    ;;
  esac
done
audit "$@"

echo
echo "What ran:"
cat "$logs/summary"
