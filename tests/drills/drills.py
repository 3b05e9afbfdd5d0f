#!/usr/bin/env python3
"""Drills: small sweeps of fake workers, one fault each at a random moment, and an oracle that nothing was lost.

Usage: drills.py N [--seed S] [--only KIND] [--bin DIR] [--parallel P] [--keep]. Each drill has a seed of its own, from
which its kind, launch, size and moments come. A drill that fails keeps its folder and prints the command that repeats it.
Ends with 1 if one failed.
"""
import argparse
import collections
import datetime
import json
import os
import pathlib
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback

import faults
import verify
from sweep_run import SweepRun, become_subreaper

# Kind -> (weight, how the sweep may be launched, whether the shim is preloaded).
ANY, PLAIN, RANKS, PARALLEL = ("plain", "ranks", "mpirun"), ("plain",), ("ranks",), ("ranks", "mpirun")
WEIGHT_OF_LAUNCH = {"plain": 70, "ranks": 20, "mpirun": 10}
KINDS = {
    "kill_worker": (16, ANY, False), "kill_helper": (1, ANY, False), "stop_worker": (8, ANY, False),
    "kill_spawner": (5, ANY, False), "stop_spawner": (4, ANY, False),
    "kill_coordinator": (10, ANY, False), "stop_coordinator": (5, ANY, False),
    "kill_rank": (4, PARALLEL, False), "stop_rank": (3, PARALLEL, False),
    "kill_mpirun": (3, PARALLEL, False), "stop_mpirun": (2, PARALLEL, False),
    "kill_daemon": (2, RANKS, False), "kill_launcher": (1, RANKS, False),
    "kill_everything": (5, ANY, False), "interrupt": (6, ANY, False), "interrupt_twice": (4, ANY, False),
    "full_disk": (5, PLAIN, True), "read_only_disk": (4, PLAIN, True), "slow_disk": (4, PLAIN, True),
    "clock_jump": (4, ANY, True), "locked_database": (4, PLAIN, False), "second_coordinator": (3, PLAIN, False),
    "worker_mode": (18, ANY, False)}
MODES = ("crash", "exit", "hang", "stop", "garbage", "truncated", "oversized", "closed", "foreign", "twice", "badresult",
         "noresult", "noise")
MOST_RESTARTS = 3
BOUND_S = 40          # of a start to its end, whatever happened in it
QUIET_BOUND_S = 20    # from the end of the program to the end of all processes it started
LATE_STEP_BOUND_S = 3


class Drill:
    def __init__(self, seed, kind, folder, binaries):
        self.seed, self.rng = seed, random.Random(seed)
        # Drawn even where it is given, so that a repeated drill draws the rest alike.
        drawn = self.rng.choices(list(KINDS), [weight for weight, _, _ in KINDS.values()])[0]
        self.kind = kind or drawn
        _, launches, has_shim = KINDS[self.kind]
        self.launch = self.rng.choices(launches, [WEIGHT_OF_LAUNCH[launch] for launch in launches])[0]
        ranks = self.rng.randint(2, 3)
        environment, arguments = {}, []
        if self.kind == "worker_mode":
            environment["LEADSWEEP_FAKE_MODE"] = f"{self.rng.choice(MODES)}:{self.rng.uniform(0.05, 0.3):.2f}"
        if self.kind == "kill_helper":
            environment["LEADSWEEP_FAKE_HELPER_SECONDS"] = "0.1"
        workers = self.rng.randint(1, 4) if self.launch == "plain" else ranks * self.rng.randint(1, 2)
        self.run = SweepRun(folder, binaries, self.launch, ranks, 3 * self.rng.randint(3, 8), workers, arguments,
                            environment)
        if has_shim:
            self.run.with_shim()
        if self.kind == "kill_daemon":
            self.run.on_two_nodes()
        self.did = None           # what was done; None where the sweep was faster
        self.struck_s = self.struck_utc = self.stopped_s = None
        self.allowed_codes = {0}  # of the first start
        self.detections = []      # (what, seconds)
        self.problems = []
        self._watched_attempt = self._watched_rank = None

    # ---- for faults.py ---------------------------------------------------------------------------------------------

    def watch_attempt(self, what, attempt):
        self._watched_attempt = (what, attempt) if attempt else None

    def watch_rank(self, what, rank):
        self._watched_rank = (what, rank)

    def codes_of_dead_rank(self):
        """With --ranks a dead rank costs nothing; under plain mpirun all ranks go, and its exit code says how."""
        return set() if self.launch == "ranks" else set(range(-64, 256))

    # ---- one drill --------------------------------------------------------------------------------------------------

    def perform(self):
        if self.launch == "mpirun":
            self.allowed_codes |= {1, 3}  # mpirun tells of a rank that ended otherwise than the others
        self.run.start()
        getattr(faults, self.kind)(self)
        code = self.run.wait_for_end(BOUND_S)
        if code is None:
            self.problems.append(f"did not end within {BOUND_S} s")
        elif code not in self.allowed_codes:
            self.problems.append(f"exit code {code}, expected {sorted(self.allowed_codes)[:5]}")
        self.check_end_of_processes()
        self.run.control()
        while code != 0 and not self.problems:
            if len(self.run.codes) > MOST_RESTARTS:
                self.problems.append(f"not complete after {MOST_RESTARTS} more starts: exit codes {self.run.codes}")
                break
            self.verify_in_between()
            self.run.start()
            code = self.run.wait_for_end(BOUND_S)
            self.check_end_of_processes()
        if code == 0:
            self.verify_at_end()

    def check_end_of_processes(self):
        if not self.run.all_end(QUIET_BOUND_S):
            left = [f"{note.role} {note.pid} ({note.state})" for note in self.run.processes()]
            self.problems.append(f"processes outlive the program: {', '.join(left)}")
            self.run.kill_all()

    def verify_in_between(self):
        """What is shown between two starts stays shown; nothing works on after its end."""
        self.run.look()
        if self.stopped_s:
            self.problems += verify.late_steps(self.run.executions(), self.stopped_s, LATE_STEP_BOUND_S)

    def verify_at_end(self):
        run = self.run
        if not run.database.exists():
            self.problems.append("there is no database")
            return
        self.problems += verify.verify(run.database, run.journal, run.jobs, shown=run.shown)
        connection = sqlite3.connect(f"file:{run.database}?mode=ro", uri=True)
        self.lost = verify.lost_results(connection, run.shown)
        self.duplicates = verify.duplicates(connection)
        self.measure(connection)
        connection.close()

    def measure(self, connection):
        """From the blow to the row that tells of it, by the program's own times."""
        if self._watched_attempt:
            what, attempt = self._watched_attempt
            row = connection.execute("SELECT ended_utc, outcome FROM attempts WHERE attempt_id = ?", (attempt,)).fetchone()
            if row and row[1] in ("killed", "hung"):
                self.detections.append((what, seconds_of(row[0]) - self.struck_utc))
        if self._watched_rank:
            what, rank = self._watched_rank
            row = connection.execute("SELECT at_utc FROM events WHERE kind = 'supervisor_lost' AND message LIKE ?",
                                     (f"rank {rank}:%",)).fetchone()
            if row:
                self.detections.append((what, seconds_of(row[0]) - self.struck_utc))

    lost = duplicates = 0


def seconds_of(utc):
    return datetime.datetime.strptime(utc, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def perform_in_child(seed, kind, folder, binaries):
    """The drill of a forked process: writes its report to `folder`.json and ends."""
    become_subreaper()
    os.setsid()
    started = time.monotonic()
    drill = Drill(seed, kind, folder, binaries)
    try:
        drill.perform()
    except Exception:  # the drill itself broke: told like any other problem
        drill.problems.append(traceback.format_exc())
    drill.run.kill_all()
    report = {"seed": seed, "kind": drill.kind, "launch": drill.launch, "did": drill.did, "codes": drill.run.codes,
              "detections": drill.detections, "problems": drill.problems, "lost": drill.lost,
              "duplicates": drill.duplicates, "seconds": time.monotonic() - started}
    pathlib.Path(f"{folder}.json").write_text(json.dumps(report))
    os._exit(0)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Series:
    """All drills, some at a time, each in a process of its own."""

    def __init__(self, options, folder):
        self.options, self.folder, self.running, self.reports = options, folder, {}, []

    def perform(self):
        for seed in range(self.options.seed, self.options.seed + self.options.count):
            while len(self.running) >= self.options.parallel:
                self.take_one()
            folder = self.folder / f"s{seed}"
            pid = os.fork()
            if pid == 0:
                perform_in_child(seed, self.options.only, folder, self.options.bin)
            self.running[pid] = folder
        while self.running:
            self.take_one()

    def take_one(self):
        pid, _ = os.wait()
        folder = self.running.pop(pid)
        report = json.loads(folder.with_suffix(".json").read_text())
        self.reports.append(report)
        if self.options.verbose:
            print(f"{report['seed']} {report['kind']} ({report['launch']}) {report['did']}: {report['codes']} "
                  f"{report['seconds']:.1f} s {report['detections']}", flush=True)
        if report["problems"]:
            kept = f" --only {report['kind']}" if self.options.only else ""
            print(f"FAILED seed {report['seed']}, {report['kind']} ({report['launch']}; {report['did']}; exit codes "
                  f"{report['codes']}), folder {folder}\n  " + "\n  ".join(report["problems"]) +
                  f"\n  again: ./dev drills 1 --seed {report['seed']}{kept}", flush=True)
        elif not self.options.keep:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_suffix(".json").unlink()

    def summarise(self):
        reports = self.reports
        kinds = collections.Counter(report["kind"] for report in reports)
        struck = collections.Counter(report["kind"] for report in reports if report["did"])
        launches = collections.Counter(report["launch"] for report in reports)
        print(f"{len(reports)} drills: " + ", ".join(f"{launches[name]} {name}" for name in WEIGHT_OF_LAUNCH))
        for kind, count in kinds.most_common():
            seconds = [report["seconds"] for report in reports if report["kind"] == kind]
            print(f"  {kind:<20} {count:>4}   struck {struck[kind]:>4}   median {percentile(seconds, 0.5):5.1f} s a drill")
        detections = collections.defaultdict(list)
        for report in reports:
            for what, seconds in report["detections"]:
                detections[what].append(seconds)
        for what, seconds in sorted(detections.items()):
            print(f"  {what} found: p50 {percentile(seconds, 0.5):.3f} s, p99 {percentile(seconds, 0.99):.3f} s, "
                  f"n {len(seconds)}")
        failed = sum(1 for report in reports if report["problems"])
        print(f"jobs lost {sum(report['lost'] for report in reports)}, "
              f"duplicates {sum(report['duplicates'] for report in reports)}, drills failed {failed}")
        return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("count", type=int, help="number of drills")
    parser.add_argument("--seed", type=int, default=1, help="of the first drill; the others follow")
    parser.add_argument("--only", choices=KINDS, help="drills of this kind alone")
    parser.add_argument("--bin", default=os.environ.get("LEADSWEEP_BIN", "build/cpu/bin"), help="folder of the programs")
    parser.add_argument("--parallel", type=int, default=2, help="drills at a time")
    parser.add_argument("--keep", action="store_true", help="keep all folders")
    parser.add_argument("--verbose", action="store_true", help="a line a drill")
    options = parser.parse_args()
    options.bin = str(pathlib.Path(options.bin).resolve())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="leadsweep-drills-"))
    series = Series(options, folder)
    started = time.monotonic()
    series.perform()
    code = series.summarise()
    print(f"{time.monotonic() - started:.0f} s")
    if code == 0 and not options.keep:
        shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
