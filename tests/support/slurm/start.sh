#!/bin/bash
# start.sh DIR: a whole Slurm on this machine (slurmctld, munged and N slurmd, each with a host name of its own) with everything
# below DIR; it is up in half a second. Then: `. DIR/env.sh`, and sbatch, srun, scontrol as usual. `stop.sh DIR` ends it.
#
# Needs slurmctld, slurmd, slurm-client, slurm-wlm-basic-plugins, munge; for `srun --mpi=pmix` libpmix-dev. No systemd, no
# cgroups, no accounting. DIR must be short (paths of sockets below it). As another user than root jobs run as that user.
#   LAB_NODES=4   nodes n1..nN              LAB_CPUS=4   CPUs that each claims, and may exceed the hardware
#   LAB_GPUS=2    fake GPUs of a node       LAB_MEMORY=1000   MB that each claims
#   LAB_UTS=0|1   1: host names n1..nN (CAP_SYS_ADMIN; default where it works)
#   LAB_CONF_MORE lines for slurm.conf
set -u
die() { echo "start.sh: $*" >&2; exit 1; }
[ $# = 1 ] || die "usage: start.sh DIR"
mkdir -p "$1" || exit 1
DIR=$(cd "$1" && pwd -P) || exit 1
HERE=$(cd "$(dirname "$0")" && pwd -P)
N=${LAB_NODES:-4} CPUS=${LAB_CPUS:-4} GPUS=${LAB_GPUS:-2} MEM=${LAB_MEMORY:-1000} UTS=${LAB_UTS:-}
export PATH=$PATH:/usr/sbin:/sbin
for c in slurmctld slurmd scontrol; do command -v $c >/dev/null || die "$c not found (apt-get install slurm-wlm)"; done
[ -n "$UTS" ] || { UTS=0; [ "$N" -gt 1 ] && unshare -um bash -c 'mount --bind /etc/hosts /etc/hosts && hostname n1' 2>/dev/null && UTS=1; }
AUTH=$(command -v munged >/dev/null && echo munge || echo none)
# unix socket paths (munge socket, DIR/spool/nK/nK_JOB.STEP) must stay under 108 bytes
[ ${#DIR} -le 70 ] || die "path too long for unix sockets (${#DIR} > 70): $DIR"
case $DIR in *[[:space:]]*) die "no white space in DIR";; esac
[ ! -e "$DIR/run/slurmctld.pid" ] || die "already started: $DIR (run stop.sh first)"
rm -rf "$DIR"/{munge,state,spool,log,run,dev,tmp,slurm.conf,gres.conf,env.sh,hosts}
umask 022
mkdir -p "$DIR"/{munge,state,spool,log,run,dev,tmp} || exit 1
chmod 755 "$DIR/munge"
HOST=$(hostname)
HOST=${HOST%%.*}
ME=$(id -un)

# address: what the host name resolves to (daemons bind to it with NoInAddrAny); 127.0.0.1 and 0.0.0.0 otherwise
ADDR=$(getent ahostsv4 "$(hostname)" 2>/dev/null | awk 'NR==1{print $1}')
BIND=NoInAddrAny,NoCtldInAddrAny
[ -n "$ADDR" ] || { ADDR=127.0.0.1; BIND=; }

# a block of N+1 free ports below the ephemeral range
listening() { grep -qiE ":$(printf %04X "$1") [0-9A-F:]+ 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null; }
PORT=
for try in $(seq 50); do
  [ -n "$PORT" ] && break
  b=$((16000 + (RANDOM % 800) * 20)); ok=1
  for p in $(seq "$b" $((b + N))); do listening "$p" && ok=0; done
  [ $ok = 1 ] && PORT=$b
done
[ -n "$PORT" ] || die "no free ports"

if [ "$AUTH" = munge ]; then
  head -c 1024 /dev/urandom > "$DIR/munge/munge.key"; chmod 400 "$DIR/munge/munge.key"
  # --force: mktemp -d makes DIR 0700, and munged wants its socket reachable by everybody; here only this user needs it
  munged --force --key-file="$DIR/munge/munge.key" --socket="$DIR/munge/munge.socket" --pid-file="$DIR/munge/munged.pid" \
         --log-file="$DIR/munge/munged.log" --seed-file="$DIR/munge/munged.seed" 2> "$DIR/munge/munged.err" || die "munged failed: $(tail -n 3 "$DIR/munge/munged.err" 2>/dev/null)"
  AUTHLINES="AuthType=auth/munge
AuthInfo=socket=$DIR/munge/munge.socket,cred_expire=5
CredType=cred/munge"
else
  AUTHLINES="AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none"
fi

# Preempted jobs hear their signal: the option moved in Slurm 23.02.
VERSION=$(slurmctld -V | sed 's/[^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1\2/')
[ "$VERSION" -ge 2302 ] && SEND=PreemptParameters=send_user_signal || SEND=SlurmctldParameters=preempt_send_user_signal

# Newer daemons want cgroups unless they are told that there are none.
[ "$VERSION" -lt 2302 ] || echo CgroupPlugin=disabled > "$DIR/cgroup.conf"

GRES= GRESTYPES=
if [ "$GPUS" -gt 0 ]; then
  GRESTYPES=GresTypes=gpu GRES="Gres=gpu:fake:$GPUS"
  for i in $(seq 0 $((GPUS - 1))); do ln -s /dev/null "$DIR/dev/gpu$i"; done   # must be a char/block device; a link to one is enough
  { echo AutoDetect=off; echo "NodeName=n[1-$N] Name=gpu Type=fake File=$DIR/dev/gpu[0-$((GPUS - 1))] Flags=nvidia_gpu_env"; } > "$DIR/gres.conf"
fi

cat > "$DIR/slurm.conf" <<CONF
ClusterName=lab
SlurmctldHost=$HOST($ADDR)
SlurmctldPort=$PORT
SlurmUser=$ME
SlurmdUser=$ME
$AUTHLINES
${BIND:+CommunicationParameters=$BIND}
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool/%n
TmpFS=$DIR/tmp/%n
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd-%n.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$DIR/log/jobcomp.txt
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
ReturnToService=2
KillWait=3
InactiveLimit=0
MinJobAge=3600
SlurmctldTimeout=30
SlurmdTimeout=15
SlurmdParameters=config_overrides
$SEND
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
$GRESTYPES
NodeName=n[1-$N] NodeHostname=$HOST NodeAddr=$ADDR Port=[$((PORT + 1))-$((PORT + N))] CPUs=$CPUS RealMemory=$MEM $GRES State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=5 PreemptMode=off
PartitionName=low  Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=5
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=off
${LAB_CONF_MORE:-}
CONF
[ "$N" -gt 1 ] || sed -i 's/n\[1-1\]/n1/; s/Port=\[\([0-9]*\)-[0-9]*\]/Port=\1/' "$DIR/slurm.conf"
[ "$N" -gt 1 ] || { [ -f "$DIR/gres.conf" ] && sed -i 's/n\[1-1\]/n1/' "$DIR/gres.conf"; }
[ "$GPUS" != 1 ] || sed -i 's/gpu\[0-0\]/gpu0/' "$DIR/gres.conf"
cat > "$DIR/env.sh" <<ENV
export SLURM_CONF=$DIR/slurm.conf
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_mpi_yield_when_idle=1
$([ "$UTS" = 0 ] && [ "$N" -gt 1 ] && echo 'export OMPI_MCA_btl=tcp,self')
$([ "${ADDR#127.}" != "$ADDR" ] && echo 'export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo')
ENV
. "$DIR/env.sh"

# The controller calls back whoever waits in a job by the name of its node.
if [ "$UTS" = 1 ]; then
  { cat /etc/hosts; echo "$ADDR $HOST $(seq -s ' ' -f 'n%g' "$N")"; } > "$DIR/hosts"
  unshare -m bash -c 'mount --bind "$1/hosts" /etc/hosts && exec slurmctld -c -f "$1/slurm.conf"' x "$DIR"
else
  slurmctld -c -f "$SLURM_CONF"
fi || { "$HERE/stop.sh" "$DIR"; die "slurmctld failed: $(tail -n 5 "$DIR/log/slurmctld.log" 2>/dev/null)"; }
for i in $(seq "$N"); do
  mkdir -p "$DIR/spool/n$i" "$DIR/tmp/n$i"
  if [ "$UTS" = 1 ]; then
    unshare -um bash -c 'mount --bind "$1/hosts" /etc/hosts && hostname "$2" && exec slurmd -c -N "$2" -f "$1/slurm.conf"' x "$DIR" "n$i"
  else
    slurmd -c -N "n$i" -f "$SLURM_CONF"
  fi || { "$HERE/stop.sh" "$DIR"; die "slurmd n$i failed: $(tail -n 5 "$DIR/log/slurmd-n$i.log" 2>/dev/null)"; }
done
for t in $(seq 150); do
  [ "$(sinfo -h -N -p main -t idle -o %N 2>/dev/null | wc -l)" = "$N" ] && { echo "ready: . $DIR/env.sh   ($N nodes, port $PORT, auth $AUTH, own host names $UTS)"; exit 0; }
  sleep 0.1
done
sinfo -N >&2; tail -n 5 "$DIR"/log/*.log >&2
"$HERE/stop.sh" "$DIR"; die "nodes did not come up"
