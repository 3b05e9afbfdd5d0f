#!/bin/bash
# stop.sh DIR: ends the Slurm that `start.sh DIR` started: jobs, daemons, and whatever jobs left behind. DIR stays, with its logs.
set -u
[ $# = 1 ] && [ -d "$1" ] || { echo "usage: stop.sh DIR" >&2; exit 1; }
DIR=$(cd "$1" && pwd -P) || exit 1
export SLURM_CONF=$DIR/slurm.conf PATH=$PATH:/usr/sbin:/sbin
# pid in a pid file, only if that process is the daemon it should be
pid_of() { local p; p=$(cat "$1" 2>/dev/null) && [ -n "$p" ] && grep -qa "$2" "/proc/$p/cmdline" 2>/dev/null && echo "$p"; }
# daemons, step daemons, and whatever jobs left running: SLURM_CONF of this DIR in their environment, and a Slurm daemon or inside a job
strays() {
  local d p
  for d in /proc/[0-9]*; do
    p=${d#/proc/}; [ "$p" != $$ ] || continue
    tr '\0' '\n' 2>/dev/null < "$d/environ" | grep -qxF "SLURM_CONF=$SLURM_CONF" || continue
    case $(readlink "$d/exe" 2>/dev/null) in
      */slurmstepd*|*/slurmd*|*/slurmctld*) echo "$p";;
      *) tr '\0' '\n' 2>/dev/null < "$d/environ" | grep -q '^SLURM_JOB_ID=' && echo "$p";;
    esac
  done
}
if [ -n "$(pid_of "$DIR/run/slurmctld.pid" slurmctld)" ]; then
  ids=$(timeout 5 squeue -h -o %A 2>/dev/null | sort -u)
  [ -z "$ids" ] || timeout 5 scancel -f $ids 2>/dev/null
  for t in $(seq 50); do [ -z "$(timeout 5 squeue -h 2>/dev/null)" ] && break; sleep 0.1; done
fi
# the daemons remove their pid files before they are gone, so note the pids first
pids=; for f in "$DIR"/run/slurmd-*.pid; do pids="$pids $(pid_of "$f" slurmd)"; done
pids="$pids $(pid_of "$DIR/run/slurmctld.pid" slurmctld)"
left() { local p; for p in $pids; do grep -qa slurm "/proc/$p/cmdline" 2>/dev/null && echo "$p"; done; }   # a zombie has no cmdline
for p in $pids; do kill "$p" 2>/dev/null; done
for t in $(seq 50); do [ -z "$(left)" ] && break; sleep 0.1; done
for p in $(left); do kill -9 "$p" 2>/dev/null; done
for p in $(strays); do kill -9 "$p" 2>/dev/null; done
p=$(pid_of "$DIR/munge/munged.pid" munged) && kill "$p"
for t in $(seq 30); do [ -z "$(pid_of "$DIR/munge/munged.pid" munged)" ] && break; sleep 0.1; done
rm -f "$DIR"/run/*.pid
[ -z "$(strays)" ] || { echo "stop.sh: still running: $(strays | tr '\n' ' ')" >&2; exit 1; }
exit 0
