#!/usr/bin/env python3
"""`leadsweep serve` in a real browser while a sweep runs: progress, failures with logs, results that appear by themselves, an end.

Usage: live_test.py LEADSWEEP FAKE_WORKER OUT_FOLDER. Skipped with a reason where there is no Chromium.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import chromium

SWEEP = """name: live
data: {synthetic: {patients: 12, records_per_patient: 2}}
folds: {k: 3}
axes: {seed: [1, 2, 3, 4], fold: all}
"""


def main():
    program, worker, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).resolve()
    if chromium.program() is None:
        print("SKIPPED: there is no Chromium here; install Debian's package chromium")
        return 0
    out.mkdir(parents=True, exist_ok=True)
    failures = []

    def check(is_so, what):
        print(("ok   " if is_so else "FAIL ") + what, flush=True)
        if not is_so:
            failures.append(what)

    with tempfile.TemporaryDirectory(prefix="leadsweep-live-") as folder:
        places = ["--db", f"{folder}/live.sqlite"]
        pathlib.Path(f"{folder}/live.yaml").write_text(SWEEP)
        environment = dict(os.environ, LEADSWEEP_FAKE_SECONDS="2", LEADSWEEP_FAKE_RESULT="yes", LEADSWEEP_FAKE_MODE="invalid:0.25")
        sweep = subprocess.Popen([program, "run", f"{folder}/live.yaml", *places, "--worker", worker, "--quiet"], env=environment,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        serve = None
        try:
            deadline = time.monotonic() + 30
            while serve is None or serve.poll() is not None:
                serve = subprocess.Popen([program, "serve", *places, "--token", "secret"], stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True)
                url = serve.stdout.readline().strip()
                if not url and time.monotonic() > deadline:
                    raise TimeoutError("no database to serve")
                time.sleep(0.1)
            with chromium.Chromium() as browser:
                browser.view(1280, 900)
                browser.open(url.split("?")[0])
                check("token is missing" in browser.run("document.body.textContent"), "without the token nothing is told")
                browser.open(url)
                browser.until("document.querySelector('#live progress') !== null")
                browser.problems.clear()  # the visit without the token was refused, and the console says so
                check("jobs ended" in browser.run("document.getElementById('live').textContent"), "progress is shown")
                browser.until("document.querySelectorAll('#live table').length >= 2")
                check("busy" in browser.run("document.getElementById('live').textContent"), "running jobs and devices are shown")
                browser.screenshot(out / "live-running.png")
                browser.until("[...document.querySelectorAll('.tiles li')].some(t => /finished/.test(t.textContent) && Number(t.querySelector('b').textContent) >= 3)", 60)
                check(True, "results appear on the page by themselves")
                browser.until("/No sweep runs/.test(document.getElementById('live').textContent)", 90)
                check(True, "the end of the sweep is told")
                failed = browser.run("document.querySelectorAll('#live details').length")
                check(failed >= 1, f"failures are listed with their logs ({failed})")
                check(not browser.problems, f"no errors in the console {browser.problems[:3]}")
                browser.screenshot(out / "live-over.png")
            serve.send_signal(signal.SIGINT)
            check(serve.wait(20) == 0, "an interrupt ends the server with code 0")
        finally:
            for process in (sweep, serve):
                if process and process.poll() is None:
                    process.terminate()
                    process.wait(20)
        check(sweep.returncode in (0, 1), f"the sweep went on by itself (code {sweep.returncode})")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
