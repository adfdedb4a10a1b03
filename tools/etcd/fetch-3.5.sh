#!/bin/sh
# Puts Debian trixie's etcd and etcdctl (3.5) into node_modules/.cache/etcd-3.5 for the tests that
# compare with real etcd, without touching the machine's own packages: apt runs with a private root
# that knows only trixie main, from the Debian mirror this machine's apt already uses, verified by
# Debian's archive keyring. Prints the folder with the binaries. Running it again does nothing.
#
# LOCKSTEP_DEBIAN_MIRROR overrides the mirror (a URI that has dists/trixie).
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cache="$root/node_modules/.cache/etcd-3.5"
bin="$cache/usr/bin"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
  echo "fetch-3.5: $*" >&2
  exit 1
}

if [ -x "$bin/etcd" ] && [ -x "$bin/etcdctl" ] && "$bin/etcd" --version >/dev/null 2>&1; then
  echo "$bin"
  exit 0
fi

command -v apt-get >/dev/null || fail "apt-get is missing: this needs a Debian-like machine"
command -v dpkg >/dev/null || fail "dpkg is missing: this needs a Debian-like machine"
[ -r "$keyring" ] || fail "$keyring is missing: install debian-archive-keyring"

mirror=${LOCKSTEP_DEBIAN_MIRROR:-}
if [ -z "$mirror" ]; then
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null |
    sed 's#/*$##' | grep -E '/debian$' | head -n 1) || true
fi
[ -n "$mirror" ] || fail "no Debian mirror in this machine's apt sources; set LOCKSTEP_DEBIAN_MIRROR"

mkdir -p "$(dirname "$cache")"
work=$(mktemp -d "$(dirname "$cache")/etcd-3.5.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/parts" "$work/out"
: >"$work/status"
echo "deb [signed-by=$keyring] $mirror trixie main" >"$work/sources.list"

# The private root: lists, cache, status and sources are ours; proxies and the like stay the machine's.
apt() {
  apt-get -qq \
    -o "Dir::Etc::sourcelist=$work/sources.list" -o "Dir::Etc::sourceparts=$work/parts" \
    -o "Dir::State=$work/state" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" \
    -o Acquire::Retries=3 -o Acquire::Languages=none -o APT::Sandbox::User= \
    "$@" >&2
}

apt update || fail "apt-get update for trixie from $mirror failed"
(cd "$work/out" && apt download etcd-server etcd-client) || fail "apt-get download failed"
for package in "$work"/out/*.deb; do
  dpkg -x "$package" "$work/root" || fail "cannot unpack $package"
done
version=$("$work/root/usr/bin/etcd" --version | sed -n 's/^etcd Version: //p')
case $version in
3.5.*) ;;
*) fail "expected etcd 3.5 in trixie, got '$version'" ;;
esac

rm -rf "$cache"
mv "$work/root" "$cache"
echo "$bin"
