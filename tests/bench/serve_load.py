#!/usr/bin/env python3
"""How much 100 readers of `leadsweep serve` and a long question slow a running sweep: printed, never asserted on.

Runs the sweep file alternately alone and watched, each time on a new database, and prints the medians and the median ratio of
neighbouring runs. A machine's own speed drifts by more than readers cost, so the same is printed for the seconds that the sweep
takes to one of its own processors' (what readers cost it by emptying caches is not in those). Page and question run in the sweep's
session, where priorities count; --apart: in sessions of their own, as from other terminals, between which Linux shares the
processors first.
Usage: serve_load.py LEADSWEEP SWEEP.yaml [--pairs 3] [--readers 100] [--apart] [more arguments of `leadsweep run` after --]
"""
import argparse
import asyncio
import os
import pathlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

LONG = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) "
        "SELECT count(*), sum(length(j.spec)) FROM n CROSS JOIN jobs AS j")


async def ask(port, path):
    """Connects and asks at once: readers have the lowest priority here, and would leave idle connections that nobody on another
    machine leaves."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return await asyncio.open_connection(sock=connection)


async def read_events(port, counts):
    """One reader: the events, and the page again whenever it is told that it has changed."""
    while True:
        try:
            reader, writer = await ask(port, "/events")
            while line := await reader.readline():
                if line.startswith(b"event: status"):
                    counts["status"] += 1
                elif line.startswith(b"event: changed"):
                    counts["pages"] += 1
                    page, out = await ask(port, "/")
                    while piece := await page.read(1 << 20):
                        counts["bytes"] += len(piece)
                    out.close()
            writer.close()
        except OSError:
            counts["errors"] += 1
        await asyncio.sleep(1)


async def watch(port, readers, sweep):
    counts = {"status": 0, "pages": 0, "bytes": 0, "errors": 0}
    tasks = [asyncio.create_task(read_events(port, counts)) for _ in range(readers)]
    while sweep.poll() is None:
        await asyncio.sleep(0.02)
    counts["ended"] = time.monotonic()  # what comes after is no part of the sweep
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return counts


def cpu_seconds(pid):
    usage = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(usage[11]) + int(usage[12])) / os.sysconf("SC_CLK_TCK")


def children_cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_once(program, arguments, folder, readers, apart):
    db = folder / "sweep.sqlite"
    run = [program, "run", *arguments, "--db", str(db), "--quiet"]
    started = time.monotonic()
    cpu_before = children_cpu_seconds()
    sweep = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    counts = {}
    if readers:
        while not db.exists() or db.stat().st_size == 0:
            time.sleep(0.05)
        time.sleep(0.5)
        serve = subprocess.Popen([program, "serve", "--db", str(db)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                 start_new_session=apart)
        port = int(serve.stdout.readline().rsplit(":", 1)[1].strip("/\n"))
        question = subprocess.Popen([program, "query", LONG, "--db", str(db)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    start_new_session=apart)
        own = time.process_time()
        os.setpriority(os.PRIO_PROCESS, 0, 19)  # readers stand for other machines: here they get what the sweep leaves
        counts |= asyncio.run(watch(port, readers, sweep))
        counts["sweep_cpu_s"] = round(children_cpu_seconds() - cpu_before, 2)
        os.setpriority(os.PRIO_PROCESS, 0, 0)  # needs root
        counts["question_ran"] = question.poll() is None
        counts |= {"readers_cpu_s": round(time.process_time() - own, 2), "question_cpu_s": cpu_seconds(question.pid),
                   "serve_cpu_s": cpu_seconds(serve.pid)}
        question.kill()
        question.wait()
        serve.send_signal(signal.SIGTERM)
        counts["serve_code"] = serve.wait(20)
        ended = counts.pop("ended")
    else:
        sweep.wait()
        ended = time.monotonic()
        counts["sweep_cpu_s"] = round(children_cpu_seconds() - cpu_before, 2)
    if sweep.returncode != 0:
        sys.exit(f"the sweep ended with code {sweep.returncode}")
    return ended - started, counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("sweep")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--apart", action="store_true")
    options, more = parser.parse_known_args()
    more = [word for word in more if word != "--"]
    alone, watched = [], []
    for pair in range(options.pairs):
        for readers, runs in ((0, alone), (options.readers, watched)) if pair % 2 == 0 else ((options.readers, watched), (0, alone)):
            with tempfile.TemporaryDirectory(prefix="leadsweep-load-") as folder:
                seconds, counts = run_once(options.program, [options.sweep, *more], pathlib.Path(folder), readers, options.apart)
                runs.append((seconds, seconds / counts["sweep_cpu_s"]))
                print(f"{'watched' if readers else 'alone  '} {seconds:7.2f} s", counts, flush=True)
    print(f"watched by {options.readers} readers and a long question, medians alone and watched, median of {options.pairs} pairs:")
    for k, what in enumerate(("s of the clock", "s of the clock to one of the sweep's processors")):
        before, after = [run[k] for run in alone], [run[k] for run in watched]
        changes = [100 * (w / a - 1) for w, a in zip(after, before)]
        print(f"{statistics.median(before):8.3f} {statistics.median(after):8.3f}  {statistics.median(changes):+.1f} % "
              f"({min(changes):+.1f} to {max(changes):+.1f})  {what}")


if __name__ == "__main__":
    main()
