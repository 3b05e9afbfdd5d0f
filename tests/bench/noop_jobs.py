"""Jobs a second of the orchestrator: jobs that do nothing, every result durable before it counts.

Runs `leadsweep run` with the fake worker on two workers and measures from the first assignment to the end, by the sweep's own
attempts, and the whole command. GNU parallel, where it is installed, runs as many `true` with its job log for comparison.
"""
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

BIN = os.environ.get("LEADSWEEP_BIN", os.path.join(os.path.dirname(__file__), "../../build/cpu/bin"))


def run_leadsweep(jobs: int, folder: str) -> tuple[float, float]:
    """Seconds of the whole command, and of a second start that has nothing to do."""
    sweep = os.path.join(folder, f"noop{jobs}.yaml")
    with open(sweep, "w") as file:
        seeds = ", ".join(str(i) for i in range(jobs))
        file.write(f"name: noop{jobs}\ndata: {{synthetic: {{patients: 60}}}}\nfolds: {{k: 3}}\naxes: {{seed: [{seeds}]}}\n")
    command = [os.path.join(BIN, "leadsweep"), "run", sweep, "--quiet", "--db", os.path.join(folder, f"noop{jobs}.sqlite"),
               "--worker", os.path.join(BIN, "fake_worker")]
    times = []
    for _ in range(2):
        start = time.monotonic()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        times.append(time.monotonic() - start)
    with sqlite3.connect(os.path.join(folder, f"noop{jobs}.sqlite")) as db:
        (done,) = db.execute("SELECT count(*) FROM jobs WHERE state = 'finished'").fetchone()
    assert done == jobs, f"{done} of {jobs} jobs finished"
    return times[0], times[1]


def run_parallel(jobs: int, folder: str) -> float:
    start = time.monotonic()
    subprocess.run(["parallel", "-j2", "--joblog", os.path.join(folder, "joblog"), "true", ":::"] + ["x"] * jobs, check=True,
                   stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print("no-op jobs, 2 workers, every result durable (group commit, synchronous FULL)")
        print(f"{'jobs':>8} {'run (s)':>9} {'jobs/s':>8} {'nothing to do (s)':>18}")
        for jobs in (300, 3000, 10000):
            whole, again = run_leadsweep(jobs, folder)
            print(f"{jobs:8} {whole:9.2f} {jobs / whole:8.0f} {again:18.2f}")
        if shutil.which("parallel"):
            seconds = run_parallel(1000, folder)
            print(f"GNU parallel, 1000 x true with joblog: {1000 / seconds:.0f} jobs/s")
        else:
            print("GNU parallel: skipped, not installed")


if __name__ == "__main__":
    sys.exit(main())
