"""One small sweep of fake workers under drill: its folder, its processes and who they are, what a reader sees of it."""
import ctypes
import mmap
import os
import pathlib
import signal
import sqlite3
import struct
import subprocess
import time

import verify

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    """Orphans of dead programs become children of this process, so that none gets lost."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class ProcessNote:
    """A live process, as /proc tells."""

    def __init__(self, pid, parent, name, state):
        self.pid, self.parent, self.name, self.state = pid, parent, name, state

    def command(self):
        try:
            return pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return b""

    def environment(self):
        try:
            text = pathlib.Path(f"/proc/{self.pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            return {}
        return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def live_processes_below(root):
    """Every process below `root`, parents first; zombies are left out."""
    notes = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                stat = file.read()
        except OSError:
            continue
        name = stat[stat.index("(") + 1:stat.rindex(")")]
        state, parent = stat[stat.rindex(")") + 2:].split(" ")[:2]
        notes[int(entry)] = ProcessNote(int(entry), int(parent), name, state)
    found, parents = [], {root}
    for _ in range(8):
        more = [note for note in notes.values() if note.parent in parents and note.pid not in parents]
        if not more:
            break
        found += more
        parents |= {note.pid for note in more}
    return [note for note in found if note.state != "Z"]


class SweepRun:
    def __init__(self, folder, binaries, launch, ranks, jobs, workers, more_arguments=(), environment=None):
        """`launch`: plain, ranks (leadsweep run --ranks) or mpirun. `jobs` is a multiple of 3."""
        self.folder = pathlib.Path(folder)
        self.disk = self.folder / "d"
        self.database = self.disk / "r.sqlite"
        self.journal = self.folder / "journal"
        self.jobs, self.launch, self.ranks = jobs, launch, ranks
        self.disk.mkdir(parents=True)
        seeds = ", ".join(str(i + 1) for i in range(jobs // 3))
        (self.folder / "sweep.yaml").write_text(
            "name: drill\ndata: {synthetic: {patients: 12, records_per_patient: 2}}\nfolds: {k: 3}\n"
            f"base: {{loss: bce, resources: {{max_attempts: 20}}}}\naxes: {{seed: [{seeds}], fold: all}}\n")
        (self.folder / "control").write_bytes(struct.pack("3d", 0, 0, 0))
        agent = self.folder / "agent"
        # Every fake node is this machine, with a folder of its own for what a daemon writes.
        agent.write_text('#!/bin/sh\nTMPDIR=$(dirname "$0")/$1\nexport TMPDIR\nmkdir -p "$TMPDIR"\nshift\nexec sh -c "$*"\n')
        agent.chmod(0o755)
        (self.folder / "hosts").write_text("".join(f"node{i} slots=8\n" for i in range(2)))
        self.environment = {
            **os.environ, "TMPDIR": str(self.folder),
            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_btl_vader_backing_directory": str(self.folder),
            "LEADSWEEP_FAKE_JOURNAL": str(self.journal), "LEADSWEEP_FAKE_RESULT": "yes",
            "LEADSWEEP_FAKE_SECONDS": "0:0.08", "LEADSWEEP_FAKE_DEVICES": str(workers), **(environment or {})}
        self.command = [
            f"{binaries}/leadsweep", "run", str(self.folder / "sweep.yaml"), "--db", str(self.database),
            "--work", str(self.disk / "w"), "--scratch", str(self.disk / "s"), "--worker", f"{binaries}/fake_worker",
            "--hung-after", "2", "--worker-timeout", "1", "--stop-grace", "0.5", "--breaker", "0", *more_arguments]
        if launch == "ranks":
            self.command += ["--ranks", str(ranks)]
        elif launch == "mpirun":
            self.command = ["mpirun", "--oversubscribe", "-n", str(ranks)] + self.command
        self.shown = {}
        self.codes = []
        self.started_s = time.monotonic()
        self._statuses = {}
        self._main = None
        self._binaries = binaries

    # ---- what goes wrong on purpose -------------------------------------------------------------------------------

    def on_two_nodes(self):
        """From the next start on mpirun believes in two nodes and has a daemon for each."""
        self.environment |= {"OMPI_MCA_plm_rsh_agent": str(self.folder / "agent"),
                             "OMPI_MCA_orte_default_hostfile": str(self.folder / "hosts"),
                             "OMPI_MCA_rmaps_base_mapping_policy": "node:oversubscribe",
                             "OMPI_MCA_btl": "self,tcp"}  # shared memory has one place for both nodes' ranks 0

    def with_shim(self):
        """From the next start on control() has its effects."""
        self.environment |= {"LD_PRELOAD": f"{self._binaries}/libdrill_shim.so",
                             "LEADSWEEP_SHIM": str(self.folder / "control"), "LEADSWEEP_SHIM_DISK": str(self.disk)}

    def control(self, clock_jump_s=0.0, sync_delay_s=0.0, disk_error=0):
        with open(self.folder / "control", "r+b") as file, mmap.mmap(file.fileno(), 24) as control:
            control[:] = struct.pack("3d", clock_jump_s, sync_delay_s, float(disk_error))

    # ---- processes --------------------------------------------------------------------------------------------------

    def start(self, name="run"):
        self.error_path = self.folder / f"{name}.{len(self.codes)}.err"
        with open(self.error_path, "wb") as error:
            process = subprocess.Popen(self.command, env=self.environment, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=error, start_new_session=True)
        process.returncode = 0  # waited for here, beside the orphans
        self._main = process.pid
        self.started_s = time.monotonic()

    def start_another(self):
        """The same sweep once more, in one process, to its end: exit code and what it said."""
        command = self.command[:-2] if self.launch == "ranks" else self.command
        command = command[command.index(f"{self._binaries}/leadsweep"):]
        path = self.folder / "second.err"
        with open(path, "wb") as error:
            process = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=error)
        process.returncode = 0
        deadline = time.monotonic() + 30
        while process.pid not in self._statuses and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.01)
        return self._statuses.get(process.pid), path.read_text(errors="replace")

    def reap(self):
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                self._statuses[pid] = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            return

    def exit_code(self):
        """None while it runs; negative for the signal that ended it."""
        self.reap()
        return self._statuses.get(self._main)

    def processes(self, role=None):
        """Live processes with their roles: launcher (leadsweep run --ranks), mpirun, daemon, coordinator, rank,
        spawner, worker, helper (a worker program that surveys records or tells the devices)."""
        notes = live_processes_below(os.getpid())
        by_pid = {note.pid: note for note in notes}
        for note in notes:
            note.role = self._role_of(note, by_pid)
        return [note for note in notes if role is None or note.role == role]

    def _role_of(self, note, by_pid):
        if note.name == "fake_worker":
            return "worker" if b"\0serve\0" in note.command() else "helper"
        if note.name in ("mpirun", "prterun", "mpiexec"):
            return "mpirun"
        if note.name in ("orted", "prted"):
            return "daemon"
        if note.name != "leadsweep":
            return "other"
        parent = by_pid.get(note.parent)
        if parent and parent.name == "leadsweep":
            return "spawner"
        environment = note.environment()
        note.rank = int(environment.get("OMPI_COMM_WORLD_RANK", environment.get("PMIX_RANK", 0)))
        if note.pid == self._main and self.launch == "ranks":
            return "launcher"
        if "OMPI_COMM_WORLD_RANK" in environment or "PMIX_RANK" in environment:
            return "coordinator" if note.rank == 0 else "rank"
        return "coordinator" if note.pid == self._main else "spawner"

    def signal(self, pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def signal_main(self, number):
        self.signal(self._main, number)

    def kill_all(self):
        for _ in range(100):
            notes = live_processes_below(os.getpid())
            if not notes:
                return
            for note in notes:
                self.signal(note.pid, signal.SIGKILL)
            time.sleep(0.01)
            self.reap()

    # ---- waiting and reading ---------------------------------------------------------------------------------------

    def error_text(self):
        return self.error_path.read_text(errors="replace")

    def executions(self):
        return verify.read_journal(self.journal)

    def look(self):
        """Notes which results a reader is shown as done."""
        if not self.database.exists():
            return
        try:
            connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=0.01)
            try:
                done = verify.shown_as_done(connection)
            finally:
                connection.close()
        except sqlite3.Error:
            return  # not made yet, or locked: a reader that sees nothing was shown nothing
        for key, attempt in done.items():
            self.shown.setdefault(key, (attempt, time.monotonic()))

    def wait_for(self, condition, bound_s, is_looking=True):
        """Whether `condition()` came true in time, or the program ended (then False)."""
        deadline = time.monotonic() + bound_s
        while time.monotonic() < deadline:
            if condition():
                return True
            if self.exit_code() is not None:
                return bool(condition())
            if is_looking:
                self.look()
            time.sleep(0.01 if is_looking else 0)
        return False

    def wait_for_end(self, bound_s):
        """The exit code; None where it did not end in time."""
        self.wait_for(lambda: self.exit_code() is not None, bound_s)
        code = self.exit_code()
        self.codes.append(code)
        self.look()
        return code

    def all_end(self, bound_s):
        deadline = time.monotonic() + bound_s
        while time.monotonic() < deadline:
            self.reap()
            if not live_processes_below(os.getpid()):
                return True
            time.sleep(0.02)
        return False
