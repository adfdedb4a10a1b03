#!/bin/sh
# Replays historical issues of etcd against Debian's binaries, three times each, and prints for every
# run the issue, the version, the verdict and the time. Fails if a run does not show its issue, or takes
# a minute or longer. Needs a build (npm run build), etcd 3.4 as /usr/bin/etcd, and fetch-3.5.sh.
#   sh tools/etcd/reproduce-issues.sh [TIMES]
set -u
cd "$(dirname "$0")/../.."
times="${1:-3}"
etcd35="$(sh tools/etcd/fetch-3.5.sh)/etcd" || exit 2
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
failed=0

replay() {
  binary="$1" issue="$2" run=1
  version="$("$binary" --version | sed -n 's/^etcd Version: //p')"
  while [ "$run" -le "$times" ]; do
    began=$(date +%s)
    node bin/lockstep torture --reproduce "$issue" --etcd "$binary" --report "$folder/report" >"$folder/out"
    code=$?
    seconds=$(($(date +%s) - began))
    case "$code" in 1) verdict=shown ;; 0) verdict="not shown" ;; *) verdict="could not run" ;; esac
    { [ "$code" = 1 ] && [ "$seconds" -lt 60 ]; } || failed=1
    echo "#$issue  etcd $version  run $run: $verdict, $seconds s; $(sed -n 's/^seen: //p' "$folder/out")"
    run=$((run + 1))
  done
}

for issue in 18667 20221 18089 15220 17529 19179 15271; do replay /usr/bin/etcd "$issue"; done
for issue in 18667 19179 20221; do replay "$etcd35" "$issue"; done
exit "$failed"
