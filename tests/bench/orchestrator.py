"""What the orchestrator costs: jobs a second, processor time and memory a job, start of a sweep that is nearly done, files.

Runs `leadsweep run` with workers that do nothing, two slots, on a grid of 10 folds x 10 rates x seeds. Two classes, never
mixed: every result durable before it counts (a folder on a disk), and in memory (/dev/shm). Beside it, in the same run and where
they are installed (for LEADSWEEP_PYTHON, or python3), other orchestrators on as many jobs that do nothing, each with its
fastest documented settings; none of them makes a result durable before it counts. Medians of 7 rounds; --quick: of 3, and no
more than 10,000 jobs. Usage: orchestrator.py [--quick] [--folder FOLDER ON A DISK]
"""
import argparse
import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("LEADSWEEP_BIN", os.path.join(HERE, "../../build/cpu/bin"))
PYTHON = os.environ.get("LEADSWEEP_PYTHON", sys.executable)
PEERS = ("HyperQueue", "libEnsemble", "Dask", "GNU parallel")
PEER_JOBS = 2000


def write_sweep(folder: str, jobs: int) -> str:
    path = os.path.join(folder, f"noop{jobs}.yaml")
    seeds = ", ".join(str(seed) for seed in range(jobs // 100))
    with open(path, "w") as file:
        file.write("name: noop\ndata: {synthetic: {patients: 60}}\nfolds: {k: 10}\n"
                   f"axes: {{fold: all, sampling_hz: [500, 400, 300, 250, 200, 150, 100, 75, 50, 25], seed: [{seeds}]}}\n")
    return path


def command(sweep: str, db: str) -> list[str]:
    return [os.path.join(BIN, "leadsweep"), "run", sweep, "--quiet", "--db", db, "--worker", os.path.join(BIN, "fake_worker")]


def run_sweep(sweep: str, db: str) -> dict:
    """The cost that the run itself left in its database, with the seconds of the whole command."""
    start = time.monotonic()
    subprocess.run(command(sweep, db), check=True, stderr=subprocess.DEVNULL)
    whole = time.monotonic() - start
    with sqlite3.connect(db) as connection:
        (cost,) = connection.execute("SELECT detail FROM events WHERE kind = 'run_ended' ORDER BY event_id DESC").fetchone()
    return json.loads(cost) | {"whole_s": whole}


def measure_speed(folder: str, jobs: int, rounds: int) -> list[dict]:
    """`rounds` runs of the same sweep, each into a database of its own."""
    sweep = write_sweep(folder, jobs)
    costs = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            cost = run_sweep(sweep, os.path.join(fresh, "noop.sqlite"))
            assert cost["finished"] == jobs, f"{cost['finished']} of {jobs} jobs finished"
            costs.append(cost)
    return costs


def print_speed(name: str, jobs: int, costs: list[dict]) -> None:
    def middle(of):
        return statistics.median(of(cost) for cost in costs)

    speeds = sorted(cost["finished"] / cost["seconds"] for cost in costs)
    print(f"{name:10} {jobs:8} {statistics.median(speeds):9.0f} {speeds[0]:9.0f} {middle(lambda c: jobs / c['whole_s']):12.0f} "
          f"{middle(lambda c: 1e6 * c['coordinator_cpu_s'] / jobs):12.1f} {middle(lambda c: 1e6 * c['store_cpu_s'] / jobs):9.1f} "
          f"{middle(lambda c: c['peak_rss_kib']) / 1024:10.0f}", flush=True)


def utc(text: str) -> float:
    whole, milliseconds = text.rstrip("Z").split(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + int(milliseconds) / 1000


def measure_resume(folder: str, jobs: int, rounds: int) -> list[float]:
    """Seconds from the start of the program to the first attempt when 10 jobs of a finished sweep wait again."""
    sweep = write_sweep(folder, jobs)
    db = os.path.join(folder, "resume.sqlite")
    run_sweep(sweep, db)
    seconds = []
    for _ in range(rounds):
        with sqlite3.connect(db) as connection:
            some = f"(SELECT job_id FROM jobs WHERE job_id % {jobs // 10} = 7)"
            connection.execute("UPDATE attempts SET outcome = 'interrupted' WHERE attempt_id IN "
                               f"(SELECT winning_attempt_id FROM jobs WHERE job_id IN {some})")
            connection.execute(f"UPDATE jobs SET state = 'waiting', winning_attempt_id = NULL WHERE job_id IN {some}")
            (before,) = connection.execute("SELECT max(attempt_id) FROM attempts").fetchone()
        start = time.time()
        subprocess.run(command(sweep, db), check=True, stderr=subprocess.DEVNULL)
        with sqlite3.connect(db) as connection:
            first, count = connection.execute("SELECT min(started_utc), count(*) FROM attempts WHERE attempt_id > ?",
                                              (before,)).fetchone()
        assert count == 10, f"{count} attempts where 10 jobs were left"
        seconds.append(utc(first) - start)
    return seconds


def peak_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def measure_queue(folder: str, jobs: int) -> int:
    """Peak memory in KiB when so many jobs are queued and the first results are in; then the run is interrupted."""
    db = os.path.join(folder, f"queue{jobs}.sqlite")
    slow = os.environ | {"LEADSWEEP_FAKE_SECONDS": "0.2"}
    run = subprocess.Popen(command(write_sweep(folder, jobs), db), stderr=subprocess.DEVNULL, env=slow)
    try:
        while run.poll() is None:
            time.sleep(0.2)
            try:
                with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as connection:
                    if connection.execute("SELECT count(*) FROM attempts").fetchone()[0] >= 4:
                        return peak_kib(run.pid)
            except sqlite3.Error:
                continue
        raise RuntimeError(f"the run of {jobs} jobs ended before it began")
    finally:
        run.send_signal(signal.SIGINT)
        run.wait()


def count_files(folder: str, jobs: int) -> int:
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        run_sweep(write_sweep(folder, jobs), os.path.join(fresh, "noop.sqlite"))
        return sum(len(files) for _, _, files in os.walk(fresh))


def print_peers(ours: float, rounds: int) -> None:
    print(f"\nno-op jobs/s of others, {PEER_JOBS} jobs, 2 slots, in memory (ratio: leadsweep in memory / this one)")
    for peer in PEERS:
        speeds = []
        for _ in range(min(rounds, 3)):
            done = subprocess.run([PYTHON, os.path.join(HERE, "peers/orchestrators.py"), peer, str(PEER_JOBS)],
                                  capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                print(f"{peer:14} {(done.stdout + done.stderr).strip().splitlines()[-1]}")
                break
            answer = json.loads(done.stdout.splitlines()[-1])
            speeds.append(answer["jobs_per_s"])
        else:
            speed = statistics.median(speeds)
            print(f"{peer:14} {speed:9.0f} {ours / speed:8.1f} x   {answer['version']}, {answer['settings']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    rounds = 3 if options.quick else 7
    sizes = (1000, 10000) if options.quick else (1000, 10000, 100000)
    largest = sizes[-1]
    print(f"load average {os.getloadavg()[0]:.2f}; medians of {rounds}; jobs/s from first dispatch to last result; "
          "`whole`: with planning, registering and start of the workers")
    print(f"{'results':10} {'jobs':>8} {'jobs/s':>9} {'slowest':>9} {'whole jobs/s':>12} {'coord. us/job':>12} {'store us':>8} "
          f"{'peak MiB':>10}")
    in_memory = 0.0
    with tempfile.TemporaryDirectory(dir=options.folder) as disk, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        for name, folder in (("durable", disk), ("in memory", memory)):
            for jobs in sizes:
                costs = measure_speed(folder, jobs, rounds)
                print_speed(name, jobs, costs)
                if name == "in memory" and jobs == 10000:
                    in_memory = statistics.median(cost["finished"] / cost["seconds"] for cost in costs)
        resumed = measure_resume(disk, largest, rounds)
        print(f"\nstart to first dispatch, {largest} jobs of which 10 are left: {statistics.median(resumed):.2f} s "
              f"(slowest {max(resumed):.2f})")
        small = measure_queue(disk, 100)
        for jobs in (largest,) if options.quick else (largest, 1000000):
            peak = measure_queue(disk, jobs)
            print(f"peak memory with {jobs} jobs queued: {peak / 1024:.0f} MiB, "
                  f"{1024 * (peak - small) / jobs:.0f} bytes a job over that of 100", flush=True)
        print(f"files left by 1,000 jobs: {count_files(disk, 1000)}, by 10,000: {count_files(disk, 10000)}")
    print_peers(in_memory, rounds)


if __name__ == "__main__":
    sys.exit(main())
