#!/usr/bin/env bash
# Builds and pushes the images, and writes what a cluster needs into two files that name them by digest:
#   release/image-catalog.yaml   the installation, from config/
#   release/tasks.yaml           the Tasks and Pipelines, to be applied where pipelines run
# Environment:
#   KO_DOCKER_REPO   where the images go (required)
#   VERSION          what the release is called; by default what git says of the commit
#   PLATFORMS        what the images run on; by default linux/amd64,linux/arm64
#   RELEASE_DIR      where the files go; by default release
# The same commit, Go version and base image give the same digests, on any machine.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "release: $1" >&2
  exit 64
}

[ -n "${KO_DOCKER_REPO:-}" ] ||
  fail "KO_DOCKER_REPO is not set: name the repository that the images go to, such as registry.example.com/image-catalog"
version=${VERSION:-$(git describe --always --dirty --abbrev=12 2>/dev/null)} ||
  fail "git does not know this commit: name the release with VERSION"
# It becomes a label of every object and a tag of every image.
[[ $version =~ ^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$ ]] ||
  fail "VERSION \"$version\" is no label value: use at most 63 letters, digits, dots, dashes and underscores"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH KO_CONFIG_PATH=ko.yaml

# resolve PATH,...: the manifests with their images built, by the ko that test/cluster pins. The user is stated here
# because a base image could leave it out or name it: a pod that must not run as root needs a number.
resolve() {
  go tool -modfile=test/cluster/source/ko/go.mod ko resolve --base-import-paths --image-user 65532 --tags "$version" \
    --platform "${PLATFORMS:-linux/amd64,linux/arm64}" --filename "$1"
}

# Adds the version to the labels of objects; those of selectors and pods lie deeper.
labelled() { awk -v version="$version" '{ print } /^  labels:$/ { print "    app.kubernetes.io/version: \"" version "\"" }'; }

joined() { local IFS=,; echo "$*"; }

# Written aside and moved when whole: an old release stays until there is a new one.
release=${RELEASE_DIR:-release}
unfinished=$(mktemp -d)
trap 'rm -rf "$unfinished"' EXIT
{ echo "# Image Catalog $version"; resolve config | labelled; } > "$unfinished/image-catalog.yaml"
# Tasks and Pipelines keep the versions of their own that Tekton's catalogs ask for.
{ echo "# Image Catalog $version"; resolve "$(joined tasks/*/*/*.yaml pipelines/*/*.yaml)"; } > "$unfinished/tasks.yaml"
mkdir -p "$release"
mv "$unfinished"/*.yaml "$release"
echo "$version is in $release/image-catalog.yaml and $release/tasks.yaml"
