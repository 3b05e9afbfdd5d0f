"""A real Slurm of four nodes on this machine for one test, and a sweep that is submitted to it."""
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
LAB = HERE.parent / "support" / "slurm"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sdiag", "munged", "mpirun")


class Skipped(Exception):
    """This test cannot run here; the text says why."""


def require_slurm():
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    if missing:
        raise Skipped(f"not installed: {', '.join(missing)}")
    if os.geteuid() != 0:
        raise Skipped("nodes with host names of their own need root")


def wait_for(what, seconds, condition):
    """Asks again and again; gives what `condition` gives once it is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


class Cluster:
    """Nodes n1 to n4, two fake GPUs each; partitions main, low (preempted by requeue) and high."""

    def __init__(self, **settings):
        require_slurm()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lsw", dir="/tmp"))
        self.settings = settings
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "OMPI_"))}

    def __enter__(self):
        started = subprocess.run([LAB / "start.sh", self.folder / "slurm"], env=self.environment | self.settings,
                                 capture_output=True, text=True)
        if started.returncode != 0:
            raise AssertionError(f"no Slurm: {started.stdout}{started.stderr}")
        text = subprocess.run(["bash", "-c", f". {self.folder}/slurm/env.sh; env -0"], env=self.environment,
                              capture_output=True, text=True, check=True).stdout
        self.environment = dict(entry.split("=", 1) for entry in text.split("\0") if entry)
        return self

    def __exit__(self, kind, value, trace):
        if kind and kind is not Skipped:
            self.show_logs()
        subprocess.run([LAB / "stop.sh", self.folder / "slurm"], env=self.environment, check=False)
        left = self.processes_of_jobs()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def show_logs(self):
        for path in sorted(self.folder.rglob("*.out")) + sorted(self.folder.rglob("slurmctld.log")):
            print(f"---- {path}\n{path.read_text(errors='replace')[-6000:]}")

    def call(self, *command, check=True, seconds=60):
        done = subprocess.run([str(word) for word in command], env=self.environment, capture_output=True, text=True,
                              timeout=seconds, cwd=self.folder, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"{command}: code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def job(self, job):
        """What scontrol shows of a job."""
        words = self.call("scontrol", "show", "job", "-o", job).stdout.split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def state(self, job):
        return self.job(job)["JobState"]

    def wait_for_state(self, job, states, seconds):
        def state_if_right():
            state = self.state(job)
            return state if state in states else None
        return wait_for(f"job {job} is {' or '.join(states)}", seconds, state_if_right)

    def calls(self):
        """Calls of users' programs that the controller has served, by name; what its own daemons say is left out."""
        calls = {}
        for line in self.call("sdiag").stdout.splitlines():
            words = line.split()
            if len(words) > 3 and words[0].startswith("REQUEST_") and words[1].startswith("("):
                count = next(word for word in words if word.startswith("count:"))
                calls[words[0]] = int(count[len("count:"):])
        return calls

    def processes_of_jobs(self):
        """Processes that carry a job of this cluster in their environment, Slurm's own left out."""
        found = []
        conf = f"SLURM_CONF={self.environment.get('SLURM_CONF', '?')}".encode()
        for folder in pathlib.Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                variables = (folder / "environ").read_bytes().split(b"\0")
                name = (folder / "comm").read_text().strip()
                is_zombie = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            except OSError:
                continue
            is_of_job = any(variable.startswith(b"SLURM_JOB_ID=") for variable in variables)
            if conf in variables and is_of_job and not is_zombie and not name.startswith("slurm"):
                found.append(int(folder.name))
        return found

    def kill_node(self, node):
        """kill -9 of the node's slurmd and of everything on it: as if its power had gone."""
        found = []
        for folder in pathlib.Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                variables = (folder / "environ").read_bytes().split(b"\0")
                comm = (folder / "comm").read_text()
            except OSError:
                continue
            is_daemon = comm.startswith("slurmd") and node.encode() in words and \
                f"{self.folder}/slurm/slurm.conf".encode() in words
            is_step = comm.startswith("slurmstepd") and self.is_host(folder, node)
            is_task = f"SLURMD_NODENAME={node}".encode() in variables and \
                f"SLURM_CONF={self.environment['SLURM_CONF']}".encode() in variables
            if is_daemon or is_step or is_task:
                found.append(int(folder.name))
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return found

    def is_host(self, process, node):
        """Whether a process lives in the node's own namespace of host names."""
        for other in pathlib.Path("/proc").iterdir():
            if not other.name.isdigit():
                continue
            try:
                words = (other / "cmdline").read_bytes().split(b"\0")
                if (other / "comm").read_text().startswith("slurmd") and node.encode() in words and \
                        f"{self.folder}/slurm/slurm.conf".encode() in words:
                    return os.readlink(other / "ns/uts") == os.readlink(process / "ns/uts")
            except OSError:
                continue
        return False


class Sweep:
    """A sweep of the fake worker, and its database."""

    def __init__(self, cluster, programs, seeds=8, seconds="0.3", epochs=3, folds=3, name="fake", folder="sweep"):
        self.cluster = cluster
        self.programs = pathlib.Path(programs)
        self.folder = cluster.folder / folder
        self.folder.mkdir()
        self.database = self.folder / "results.sqlite"
        self.jobs = seeds * folds
        self.file = self.folder / "sweep.yaml"
        self.file.write_text(f"name: {name}\ndata: {{synthetic: {{patients: 12, records_per_patient: 2}}}}\n"
                             f"folds: {{k: {folds}}}\nbase: {{loss: bce}}\n"
                             f"axes: {{seed: {list(range(1, seeds + 1))}, fold: all}}\n")
        self.site = self.folder / "site.yaml"
        self.site.write_text("nodes: 4\ngpus_per_node: 2\ntime: \"10:00\"\nsignal_s: 30\n")
        cluster.environment |= {"LEADSWEEP_FAKE_DEVICES": "cuda", "LEADSWEEP_FAKE_SECONDS": seconds,
                                "LEADSWEEP_FAKE_EPOCHS": str(epochs), "LEADSWEEP_FAKE_RESULT": "yes",
                                "LEADSWEEP_FAKE_JOURNAL": str(self.folder / "journal")}
        self.epochs = epochs

    def leadsweep(self, *arguments, check=True, seconds=120):
        return self.cluster.call(self.programs / "leadsweep", *arguments, "--db", self.database, check=check,
                                 seconds=seconds)

    def submit(self, *options, check=True):
        """Number of the Slurm job, or the failed command where `check` is not set."""
        done = self.leadsweep("submit", self.file, "--site", self.site, "--worker", self.programs / "fake_worker",
                              *options, check=check)
        if done.returncode != 0:
            return done
        self.said = done.stdout
        return json.loads((pathlib.Path(f"{self.database}.slurm") / "submissions.jsonl").read_text()
                          .splitlines()[-1])["job"]

    def ask(self, sql):
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchall()

    def finished(self):
        if not self.database.exists():
            return 0
        try:
            return self.ask("SELECT count(*) FROM jobs WHERE state = 'finished'")[0][0]
        except sqlite3.OperationalError:
            return 0

    def journal(self, what):
        """(key, attempt, ...) of each line of this kind that the fake workers wrote."""
        path = self.folder / "journal"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split()[1:] for line in lines if line.split()[:1] == [what]]

    def output(self):
        return "".join(path.read_text(errors="replace")
                       for path in sorted(pathlib.Path(f"{self.database}.slurm").glob("*.out")))

    def require_complete(self):
        finished = self.finished()
        assert finished == self.jobs, f"{finished} of {self.jobs} jobs are finished\n{self.output()}"
        winners = self.ask("SELECT count(*) FROM attempts WHERE outcome = 'finished'")[0][0]
        assert winners == self.jobs, f"{winners} attempts finished, of {self.jobs} jobs"
        assert self.ask("SELECT count(*) FROM attempts WHERE outcome IS NULL")[0][0] == 0

    def epochs_redone(self):
        """Completed epochs beyond those that all jobs need."""
        return len(self.journal("epoch")) - self.jobs * self.epochs

    def jobs_redone(self):
        finished = self.journal("finish")
        return len(finished) - len({line[0] for line in finished})
