#!/usr/bin/env python3
"""Sweeps over two hosts with a bad network between them: two network namespaces of this machine.

netns_test.py --list; netns_test.py --bin FOLDER [--seconds N] NAME...  Prints SKIPPED: and why where it cannot run.
"""
import argparse
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
from cluster import Skipped, wait_for  # noqa: E402
from lossy_link import Hosts, why_not  # noqa: E402

CASES = {}
SILENCE_S = 15   # of rank 0, after which a rank's workers are ended (10 s between nodes, and 5)


def case(title):
    def add(function):
        CASES[title] = function
        return function
    return add


class Sweep:
    """A sweep over both hosts: rank 0 on host a, rank 1 on host b, two devices each."""

    def __init__(self, hosts, programs, seeds, seconds):
        self.hosts = hosts
        self.programs = pathlib.Path(programs)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lswnet", dir="/tmp"))
        self.jobs = 3 * seeds
        self.database = self.folder / "results.sqlite"
        (self.folder / "sweep.yaml").write_text(
            "name: fake\ndata: {synthetic: {patients: 12, records_per_patient: 2}}\nfolds: {k: 3}\nbase: {loss: bce}\n"
            f"axes: {{seed: {list(range(1, seeds + 1))}, fold: all}}\n")
        agent = self.folder / "agent"
        self.before = self.folder / "before"    # commands on a host before a rank starts there
        self.before.write_text("")
        agent.write_text("#!/bin/sh\n# mpirun's remote shell: HOST COMMAND...\nhost=$1\nshift\n"
                         f'exec ip netns exec "{hosts.tag}${{host#host}}" unshare --uts sh -c "hostname $host; . {self.before}; $*"\n')
        agent.chmod(0o700)
        (self.folder / "hosts").write_text("hosta slots=1\nhostb slots=1\n")
        self.environment = dict(os.environ) | {
            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_plm_rsh_agent": str(agent), "PRTE_MCA_plm_ssh_agent": str(agent),
            "OMPI_MCA_orte_default_hostfile": str(self.folder / "hosts"),
            "PRTE_MCA_prte_default_hostfile": str(self.folder / "hosts"),
            "OMPI_MCA_rmaps_base_mapping_policy": "node:oversubscribe",
            "PRTE_MCA_rmaps_default_mapping_policy": "node:oversubscribe",
            "OMPI_MCA_btl": "self,tcp", "TMPDIR": str(self.folder),
            "LEADSWEEP_FAKE_SECONDS": str(seconds), "LEADSWEEP_FAKE_DEVICES": "2", "LEADSWEEP_FAKE_RESULT": "yes"}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print((self.folder / "output").read_text(errors="replace")[-6000:])
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *options):
        command = [self.programs / "leadsweep", "run", self.folder / "sweep.yaml", "--db", self.database, "--ranks", "2",
                   "--quiet", *options]
        if "--worker" not in options:
            command += ["--worker", self.programs / "fake_worker"]
        if "--interface" not in options:
            command += ["--interface", "10.77.0.0/24"]
        self.process = self.hosts.start("a", command, self.environment, self.folder / "output")
        return self.process

    def ask(self, sql):
        if not self.database.exists():
            return [(0,)]
        try:
            with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
                return connection.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return [(0,)]

    def finished(self, node=None):
        where = f" AND node = '{node}'" if node else ""
        return self.ask(f"SELECT count(*) FROM attempts WHERE outcome = 'finished'{where}")[0][0]

    def lost(self):
        return self.ask("SELECT count(*) FROM events WHERE kind = 'supervisor_lost'")[0][0]

    def output(self):
        return (self.folder / "output").read_text(errors="replace")


@case("Two hosts with 200 ms of delay each way and 1 % of loss complete a sweep, and nobody is taken for dead")
def delayed(programs, seconds):
    with Hosts(delay_s=0.2, loss=0.01) as hosts, Sweep(hosts, programs, max(4, int(seconds * 4 / 3)), 1) as sweep:
        began = time.monotonic()
        process = sweep.start()
        code = process.wait(timeout=seconds * 3 + 120)
        took = time.monotonic() - began
        print(f"code {code}, {sweep.finished()} of {sweep.jobs} jobs in {took:.0f} s, {sweep.finished('hosta')} on host a, "
              f"{sweep.finished('hostb')} on host b, ranks taken for dead: {sweep.lost()}")
        assert code == 0
        assert sweep.finished() == sweep.jobs
        assert sweep.lost() == 0
        assert sweep.finished("hostb") > sweep.jobs / 5
        assert sweep.ask("SELECT count(*) FROM attempts WHERE outcome <> 'finished'") == [(0,)]


@case("A host that is cut off is fenced: the sweep completes on the other, and its workers end in time")
def cut_off(programs, _):
    with Hosts(delay_s=0.01) as hosts, Sweep(hosts, programs, 30, 1) as sweep:
        process = sweep.start()
        wait_for("both hosts work", 60, lambda: sweep.finished("hosta") >= 2 and sweep.finished("hostb") >= 2)
        hosts.cut()
        began = time.monotonic()
        wait_for("the workers of host b have ended", SILENCE_S + 10,
                 lambda: not hosts.processes("b", "fake_worker"))
        workers_s = time.monotonic() - began
        wait_for("the rank of host b has ended", 15, lambda: not hosts.processes("b", "leadsweep"))
        code = process.wait(timeout=240)
        print(f"code {code}; {sweep.finished()} of {sweep.jobs} jobs, {sweep.finished('hostb')} on host b; its workers ended "
              f"{workers_s:.1f} s after it was cut off")
        assert code == 0
        assert sweep.finished() == sweep.jobs
        assert workers_s < SILENCE_S + 3
        assert "rank 1 on hostb is lost" in sweep.output()


@case("A host that is cut off for a while comes back with fresh workers, and no result counts twice")
def cut_for_a_while(programs, _):
    with Hosts(delay_s=0.01) as hosts, Sweep(hosts, programs, 30, 1) as sweep:
        process = sweep.start("--rank-timeout", "3")
        wait_for("both hosts work", 60, lambda: sweep.finished("hosta") >= 2 and sweep.finished("hostb") >= 2)
        hosts.cut()
        wait_for("host b is lost", 20, lambda: sweep.lost() == 1)
        hosts.mend()
        wait_for("host b is back", 40, lambda: "is back" in sweep.output() or process.poll() is not None)
        before = sweep.finished("hostb")
        code = process.wait(timeout=240)
        print(f"code {code}; {sweep.finished()} of {sweep.jobs} jobs, {sweep.finished('hostb') - before} on host b after it "
              "came back")
        assert code == 0
        assert sweep.finished() == sweep.jobs
        assert sweep.finished("hostb") > before


@case("A rank that cannot see or write the results takes no part, and is named")
def no_shared_folder(programs, _):
    for command, words in (("mount -t tmpfs none {work}", "this node does not see the folder that rank 0 writes to"),
                           ("mount --bind {work} {work}; mount -o remount,ro,bind {work}", "Read-only file system")):
        with Hosts() as hosts, Sweep(hosts, programs, 4, 0.1) as sweep:
            work = sweep.folder / "results.sqlite.files"
            work.mkdir()
            sweep.before.write_text(command.format(work=work) + "\n")
            code = sweep.start("--scratch", sweep.folder / "scratch").wait(timeout=90)
            said = [line for line in sweep.output().splitlines() if "takes no part" in line]
            print("\n".join(said))
            assert code == 0
            assert sweep.finished("hosta") == sweep.jobs
            assert len(said) == 1 and "rank 1 on hostb" in said[0] and words in said[0]


class GangSweep(Sweep):
    """Three jobs, each on all devices of both hosts."""

    def __init__(self, hosts, programs):
        if not (programs / "leadsweep-worker").exists():
            raise Skipped("this build has no worker that computes")
        super().__init__(hosts, programs, 1, 0)
        self.devices = 2 * len(os.sched_getaffinity(0))
        (self.folder / "sweep.yaml").write_text(
            "name: gang\ndata:\n  synthetic: {patients: 30, records_per_patient: 2, sampling_hz: 100, duration_s: 4}\n"
            "  labels: synthetic\n  window_s: 4\nfolds: {k: 3}\nbase:\n  sampling_hz: 50\n"
            "  model: {depth: 2, filters: 4, bottleneck: 4, kernels: [9, 5, 3]}\n  train: {epochs: 3, batch: 16}\n"
            f"  resources: {{devices: {self.devices}, across_nodes: true}}\naxes: {{fold: all}}\n")

    def watch(self, process, look):
        """Calls look(host) for both hosts until the sweep ends; it must complete."""
        deadline = time.monotonic() + 200
        while process.poll() is None and time.monotonic() < deadline:
            for host in "ab":
                look(host)
            time.sleep(0.02)
        assert process.wait(timeout=10) == 0
        assert self.finished() == self.jobs


@case("A gang trains across two hosts, and listens on the chosen interface alone")
def gang(programs, _):
    with Hosts(delay_s=0.01) as hosts, GangSweep(hosts, programs) as sweep:
        listening = set()

        def look(host):
            shown = subprocess.run(["ip", "netns", "exec", hosts.namespace(host), "ss", "-ltnpH"],
                                   capture_output=True, text=True, check=False).stdout
            listening.update(line.split()[3].rsplit(":", 1)[0] for line in shown.splitlines() if "leadsweep-worke" in line)

        sweep.watch(sweep.start("--worker", programs / "leadsweep-worker"), look)
        print(f"3 jobs on {sweep.devices} devices of two hosts; workers listened on {sorted(listening)}")
        assert listening and listening <= {"10.77.0.1", "10.77.0.2"}


@case("The token of a gang is in no argument, environment, log, result or database")
def token(programs, _):
    with Hosts() as hosts, GangSweep(hosts, programs) as sweep, tempfile.TemporaryDirectory() as aside:
        worker = sweep.folder / "worker"   # keeps what workers say to their supervisor, the offered tokens among it
        worker.write_text(f'#!/bin/bash\n[ "$1" != serve ] || exec 4> >(exec tee "{aside}/$$" >&4)\n'
                          f'exec "{programs}/leadsweep-worker" "$@"\n')
        worker.chmod(0o700)
        seen = {}

        def look(host):
            for pid in hosts.processes(host):
                for name in ("cmdline", "environ"):
                    try:
                        seen[pathlib.Path(f"/proc/{pid}/{name}").read_bytes()] = f"{name} of process {pid}"
                    except OSError:
                        pass

        sweep.watch(sweep.start("--worker", worker, "--scratch", sweep.folder / "scratch"), look)
        said = b"".join(path.read_bytes() for path in pathlib.Path(aside).iterdir())
        tokens = set(re.findall(rb"10\.77\.0\.[12]:\d+.{0,8}?([0-9a-f]{64})", said, re.DOTALL))
        for path in sweep.folder.rglob("*"):
            if path.is_file():
                seen[path.read_bytes()] = str(path)
        print(f"{len(tokens)} tokens; looked for in {len(seen)} files, argument lists and environments")
        assert len(tokens) == 3
        assert any(b"leadsweep-worker" in text for text in seen)
        for text, place in seen.items():
            assert not [found for found in tokens if found in text], f"a token is in {place}"


@case("An interface that a host does not have is told with those that it has")
def wrong_interface(programs, _):
    with Hosts() as hosts, Sweep(hosts, programs, 4, 0.1) as sweep:
        code = sweep.start("--interface", "ib7").wait(timeout=90)
        assert code == 2, code
        assert "there is no such network interface" in sweep.output() and "10.77.0.1" in sweep.output()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/cpu/bin")
    parser.add_argument("--seconds", type=int, default=40, help="length of the sweep over the slow network")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.list:
        print("\n".join(CASES))
        return 0
    reason = why_not()
    for name in options.names or CASES:
        if reason:
            print(f"SKIPPED: {reason}")
            continue
        try:
            CASES[name](pathlib.Path(options.bin).resolve(), options.seconds)
            print(f"passed: {name}")
        except Skipped as skipped:
            print(f"SKIPPED: {skipped}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
