"""Preparing records, leadsweep beside wfdb + SciPy: records a second of one core, from 500 to 75 Hz, all in one run; then a large
pack: as many records as the Challenge 2021 has (256 generated ones, linked again and again), by two processes, with the memory
they took, and how soon an epoch starts from it.

The peer reads the very files that leadsweep reads: wfdb.rdrecord, or scipy.io.loadmat (which checks nothing), then
scipy.signal.resample of all leads. Peers that are not installed are skipped, saying so. RECORDS in the environment: size of
the large pack (88253), which takes 38 kB a record in a temporary folder.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(os.environ.get("LEADSWEEP_BIN", os.path.join(HERE, "../../build/cpu/bin")), "prepare_bench")
PYTHON = os.environ.get("LEADSWEEP_PYTHON", sys.executable)
RECORDS = int(os.environ.get("RECORDS", "88253"))
ROUNDS = 3
PEER = """
import glob, sys, time
import numpy as np, scipy.io, scipy.signal, wfdb
names = sorted(path[:-4] for path in glob.glob(sys.argv[1] + "/*.hea"))
readers = {"wfdb + SciPy": lambda name: wfdb.rdrecord(name).p_signal.T * 1000,
           "loadmat + SciPy": lambda name: scipy.io.loadmat(name + ".mat")["val"] * 1.0}
for title, read in readers.items():
    start = time.process_time()
    for name in names:
        scipy.signal.resample(read(name)[:, :5000], 750, axis=1).astype(np.float32)
    print(f"{title}: {len(names) / (time.process_time() - start):.1f}")
"""


def ours(folder: str) -> str:
    return subprocess.run([BENCH, "speed", "5", folder], capture_output=True, text=True, check=True).stdout


def peers(folder: str) -> dict[str, float]:
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    done = subprocess.run([PYTHON, "-c", PEER, folder], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        print("SKIPPED: no wfdb and SciPy for", PYTHON, "-", done.stderr.strip().splitlines()[-1])
        return {}
    return {title: float(speed) for title, speed in re.findall(r"(.+): ([\d.]+)", done.stdout)}


def show_speeds() -> None:
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            shutil.rmtree(folder + "/records", ignore_errors=True)
            text = ours(folder + "/records")
            rounds.append((text, float(re.search(r"read, check and prepare.*?([\d.]+) records/s", text).group(1)),
                           peers(folder + "/records")))
    print(rounds[-1][0])
    speed = statistics.median(one[1] for one in rounds)
    print(f"500 to 75 Hz, one core, medians of {ROUNDS} rounds: leadsweep {speed:.0f} records/s")
    for title in rounds[0][2]:
        print(f"  {title:16} {statistics.median(one[2][title] for one in rounds):8.1f} records/s, leadsweep is "
              f"{statistics.median(one[1] / one[2][title] for one in rounds):.1f} times as fast")


def link_records(folder: str) -> None:
    """RECORDS records, a thousand a folder: links to the 256 that the first part leaves."""
    ours(folder + "/made")
    made = sorted(name[:-4] for name in os.listdir(folder + "/made") if name.endswith(".hea"))
    for i in range(RECORDS):
        place = f"{folder}/records/{i // 1000:03}"
        if i % 1000 == 0:
            os.makedirs(place)
            for name in made:
                os.link(f"{folder}/made/{name}.mat", f"{place}/{name}.mat")
        os.link(f"{folder}/made/{made[i % len(made)]}.hea", f"{place}/r{i:06}.hea")


def show_large_pack() -> None:
    with tempfile.TemporaryDirectory() as folder:
        link_records(folder)
        start = time.monotonic()
        processes = [subprocess.Popen([BENCH, "shards", folder, str(rank), "2", str(RECORDS)]) for rank in (0, 1)]
        if any(process.wait() != 0 for process in processes):
            sys.exit("a process that made shards failed")
        size = sum(entry.stat().st_size for entry in os.scandir(folder + "/pack")) / 2**30
        print(f"{RECORDS} records at 75 Hz by two processes: {time.monotonic() - start:.0f} s, {size:.2f} GiB", flush=True)
        start = time.monotonic()
        subprocess.run([BENCH, "shards", folder, "0", "1", str(RECORDS)], check=True, stdout=subprocess.DEVNULL)
        print(f"started again on the complete pack: {time.monotonic() - start:.1f} s (every shard is read through and kept)", flush=True)
        subprocess.run([BENCH, "epoch", folder, str(RECORDS)], check=True)


if __name__ == "__main__":
    show_speeds()
    show_large_pack()
