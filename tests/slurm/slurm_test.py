#!/usr/bin/env python3
"""Sweeps on a real Slurm: four nodes with two fake GPUs each on this machine, no-op jobs by the fake worker.

slurm_test.py --list; slurm_test.py --bin FOLDER NAME...  Prints SKIPPED: and why where it cannot run.
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cluster import Cluster, Skipped, Sweep, wait_for  # noqa: E402

CASES = {}


def case(title):
    def add(function):
        CASES[title] = function
        return function
    return add


@case("A submitted sweep runs on four nodes with two GPUs each and completes")
def completes(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs)
        job = sweep.submit()
        print(sweep.said.split("\n\n")[-1])
        cluster.wait_for_state(job, ["COMPLETED"], 60)
        sweep.require_complete()
        nodes = sweep.ask("SELECT node, count(DISTINCT device) FROM attempts GROUP BY node")
        print(nodes)
        assert nodes == [(f"n{i}", 2) for i in range(1, 5)]


def started(cluster, sweep, at_least=4):
    """Waits until some jobs are done; gives how many."""
    def some():
        return sweep.finished() >= at_least and sweep.finished()
    return wait_for(f"{at_least} jobs are finished", 60, some)


def require_resumed(cluster, sweep, job, seconds=90, restarts_allowed=(1,)):
    """The job went back into the queue by itself, ran again and completed the sweep; nothing was done twice."""
    cluster.wait_for_state(job, ["COMPLETED"], seconds)
    sweep.require_complete()
    restarts = int(cluster.job(job)["Restarts"])
    print(f"restarts {restarts}, jobs redone {sweep.jobs_redone()}, completed epochs redone {sweep.epochs_redone()}")
    assert restarts in restarts_allowed, restarts
    assert sweep.jobs_redone() == 0
    assert sweep.epochs_redone() == 0


@case("srun --mpi=pmix starts the ranks as well")
def launched_by_srun(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs)
        job = sweep.submit("--launcher", "srun")
        cluster.wait_for_state(job, ["COMPLETED"], 60)
        sweep.require_complete()
        assert sweep.ask("SELECT count(DISTINCT node) FROM attempts") == [(4,)]


@case("The end of the time limit drains the sweep by the coordinator's own clock, and the next allocation completes it")
def time_limit(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs, seeds=16, seconds="10", epochs=20)
        sweep.site.write_text("nodes: 4\ngpus_per_node: 2\nsignal_s: 0\n")    # no warning by Slurm
        job = sweep.submit("--time", "1:00")
        require_resumed(cluster, sweep, job, 180)
        assert "the time limit is" in sweep.output(), sweep.output()
        assert sweep.ask("SELECT count(*) FROM attempts WHERE outcome NOT IN ('finished', 'interrupted')") == [(0,)]


@case("Slurm's warning only hastens the end: the sweep drains, is requeued and completes")
def warned(programs):
    for launcher in ("mpirun", "srun"):
        with Cluster() as cluster:
            sweep = Sweep(cluster, programs, seeds=8, seconds="3", epochs=10)
            job = sweep.submit("--launcher", launcher)
            started(cluster, sweep)
            cluster.call("scancel", "--batch", "--signal=USR1", job)
            require_resumed(cluster, sweep, job)


@case("A preempted sweep leaves checkpoints, waits for the higher partition, and completes")
def preempted(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs, seeds=8, seconds="3", epochs=10)
        job = sweep.submit("--partition", "low")
        started(cluster, sweep)
        other = cluster.call("sbatch", "--parsable", "-p", "high", "-N4", "--gpus-per-node=2", "-t", "1",
                             "--wrap", "sleep 3").stdout.strip()
        cluster.wait_for_state(other, ["COMPLETED"], 60)
        # Slurm 24.11 keeps its own wish to requeue, though the job has done so in time, and starts it once more when it is
        # complete: that start finds nothing to do.
        require_resumed(cluster, sweep, job, restarts_allowed=(1, 2))


@case("A killed node costs no job: the sweep completes on the others or in the next allocation")
def node_killed(programs):
    with Cluster(LAB_NODES="5") as cluster:
        sweep = Sweep(cluster, programs, seeds=8, seconds="3", epochs=10)
        job = sweep.submit()
        started(cluster, sweep)
        running = 8
        killed = cluster.kill_node("n3")
        print(f"{len(killed)} processes of n3 killed")
        assert killed
        cluster.wait_for_state(job, ["COMPLETED"], 150)
        sweep.require_complete()
        print(f"restarts {cluster.job(job)['Restarts']}, completed epochs redone {sweep.epochs_redone()}")
        assert sweep.epochs_redone() <= running


@case("A killed first node costs no job: Slurm requeues, and the next allocation goes on")
def first_node_killed(programs):
    with Cluster(LAB_NODES="5") as cluster:
        sweep = Sweep(cluster, programs, seeds=8, seconds="6", epochs=10)
        job = sweep.submit()
        started(cluster, sweep)
        running = 8
        before = sweep.finished()
        assert cluster.kill_node("n1")
        cluster.wait_for_state(job, ["COMPLETED"], 150)
        sweep.require_complete()
        print(f"restarts {cluster.job(job)['Restarts']}, finished before {before}, jobs redone {sweep.jobs_redone()}, "
              f"completed epochs redone {sweep.epochs_redone()}")
        assert int(cluster.job(job)["Restarts"]) == 1
        assert sweep.epochs_redone() <= running


@case("scancel leaves no process behind and no requeue, and submitting again goes on")
def cancelled(programs):
    for launcher in ("mpirun", "srun"):
        with Cluster() as cluster:
            sweep = Sweep(cluster, programs, seeds=8, seconds="3", epochs=10)
            job = sweep.submit("--launcher", launcher)
            started(cluster, sweep)
            cluster.call("scancel", job)
            cluster.wait_for_state(job, ["CANCELLED"], 30)
            wait_for("no process is left", 15, lambda: not cluster.processes_of_jobs())
            assert cluster.call("squeue", "--noheader").stdout == ""
            print(f"{launcher}: cancelled after {sweep.finished()} jobs, no process is left")
            job = sweep.submit("--launcher", launcher)
            cluster.wait_for_state(job, ["COMPLETED"], 60)
            sweep.require_complete()
            assert sweep.jobs_redone() == 0
            assert sweep.epochs_redone() == 0


@case("Slurm's controller is called as often for 10,000 jobs as for 1,000")
def controller_calls(programs):
    counts = []
    for seeds in (100, 1000):
        with Cluster() as cluster:
            sweep = Sweep(cluster, programs, seeds=seeds, folds=10, seconds="0", epochs=0)
            cluster.environment["LEADSWEEP_FAKE_RESULT"] = "no"
            before = cluster.calls()
            sweep.submit()
            wait_for("the sweep is complete", 150, lambda: sweep.finished() == sweep.jobs)
            wait_for("no process is left", 30, lambda: not cluster.processes_of_jobs())
            after = cluster.calls()
            calls = {name: after[name] - before.get(name, 0) for name in after if name != "REQUEST_STATS_INFO"}
            calls = {name: count for name, count in sorted(calls.items()) if count}
            print(f"{sweep.jobs} jobs: {sum(calls.values())} calls: {calls}")
            # Where mpirun is still there when rank 0 has ended, its step is cancelled: once, or not.
            calls.pop("REQUEST_CANCEL_JOB_STEP", None)
            counts.append(calls)
    assert counts[0] == counts[1]


@case("A sweep in shards runs as an array of jobs with databases of their own, which are merged")
def array(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs, seeds=8)
        job = sweep.submit("--shards", "4", "--nodes", "1", "--gpus-per-node", "1")
        wait_for("the array has ended", 90, lambda: not cluster.call("squeue", "--noheader").stdout)
        states = [cluster.job(f"{job}_{i}")["JobState"] for i in range(1, 5)]
        assert states == ["COMPLETED"] * 4, states
        print(sweep.leadsweep("merge", "--shards", "4").stdout)
        sweep.require_complete()
        assert sweep.jobs_redone() == 0


@case("What Slurm refuses is told in its words, and nothing is submitted")
def refused(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs)
        for options, words in ((["--partition", "nowhere"], "invalid partition specified: nowhere"),
                               (["--gpus-per-node", "9"], "sbatch refuses: "),
                               (["--nodes", "9"], "sbatch refuses: ")):
            done = sweep.submit(*options, check=False)
            print(done.stderr.strip())
            assert done.returncode == 2 and words in done.stderr, done.stderr
        assert cluster.call("squeue", "--noheader").stdout == ""
        assert not (sweep.folder / "results.sqlite.slurm/submissions.jsonl").exists()


@case("A job that waits is shown, refused a double, cancelled before it starts, and submitted again")
def waiting(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs)
        other = cluster.call("sbatch", "--parsable", "-N4", "--exclusive", "--gpus-per-node=2", "--wrap",
                             "sleep 100").stdout.strip()
        cluster.wait_for_state(other, ["RUNNING"], 20)
        job = sweep.submit()
        shown = sweep.leadsweep("status").stdout
        print(shown.splitlines()[0])
        assert f"Slurm job {job} (fake): PENDING" in shown, shown
        double = sweep.submit(check=False)
        print(double.stderr.strip())
        assert double.returncode == 2 and f"Slurm job {job} works on" in double.stderr
        assert sweep.leadsweep("cancel", "--allocation").stdout == f"cancelled: Slurm job {job}\n"
        cluster.wait_for_state(job, ["CANCELLED"], 20)
        assert "No job of this database waits or runs in Slurm." in sweep.leadsweep("status").stdout
        cluster.call("scancel", other)
        job = sweep.submit()
        wait_for("it is shown as running", 30, lambda: f"Slurm job {job} (fake): RUNNING on n[1-4]" in
                 sweep.leadsweep("status").stdout)
        cluster.wait_for_state(job, ["COMPLETED"], 60)
        sweep.require_complete()


@case("A requeue beyond the limit is not made, and said")
def requeue_limit(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs, seconds="3", epochs=10)
        sweep.site.write_text(sweep.site.read_text() + "max_requeues: 0\n")
        job = sweep.submit()
        started(cluster, sweep)
        cluster.call("scancel", "--batch", "--signal=USR1", job)
        cluster.wait_for_state(job, ["FAILED"], 60)
        assert cluster.job(job)["ExitCode"] == "3:0"
        assert "requeued 0 times, the limit" in sweep.output(), sweep.output()
        sweep.site.write_text(sweep.site.read_text().replace("max_requeues: 0", "max_requeues: 1"))
        job = sweep.submit()
        cluster.wait_for_state(job, ["COMPLETED"], 60)
        sweep.require_complete()
        assert sweep.jobs_redone() == 0


@case("A node with fewer GPUs than were promised is named, and the sweep goes on with what is there")
def fewer_gpus(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs)
        (sweep.folder / "environment.sh").write_text("export CUDA_VISIBLE_DEVICES=0\n")    # of the first node
        sweep.site.write_text(sweep.site.read_text() + "environment: environment.sh\n")
        job = sweep.submit()
        cluster.wait_for_state(job, ["COMPLETED"], 60)
        sweep.require_complete()
        said = [line for line in sweep.output().splitlines() if "GPUs that Slurm gave" in line]
        print("\n".join(said))
        assert len(said) == 1 and "rank 0 on n1: 1 of the 2 GPUs" in said[0]


@case("Names and folders of any kind reach no shell, and what is written is its owner's alone")
def hostile(programs):
    with Cluster() as cluster:
        sweep = Sweep(cluster, programs, seeds=2, name="'$(touch owned) `id`; \"x\" %j'", folder="a 'b' $(touch owned) %j \"c\"")
        job = sweep.submit("--set", "train.batch=16")
        cluster.wait_for_state(job, ["COMPLETED"], 60)
        sweep.require_complete()
        assert not list(cluster.folder.rglob("owned"))
        assert sweep.output()    # where it was asked for, whatever is in its name
        for path in [pathlib.Path(f"{sweep.database}.slurm"), sweep.database,
                     *pathlib.Path(f"{sweep.database}.slurm").iterdir(),
                     *pathlib.Path(f"{sweep.database}.files").rglob("*")]:
            mode = path.stat().st_mode & 0o777
            assert mode & 0o077 == 0, f"{path}: {mode:o}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/cpu/bin")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.list:
        print("\n".join(CASES))
        return 0
    for name in options.names or CASES:
        try:
            CASES[name](pathlib.Path(options.bin).resolve())
            print(f"passed: {name}")
        except Skipped as reason:
            print(f"SKIPPED: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
