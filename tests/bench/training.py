"""The study's network, leadsweep beside PyTorch eager, torch.compile and Keras: records a second, ratios, share of the
machine's own matrix product, peak memory; what a gang's all-reduce takes; two jobs of one thread against one of two.

    training.py [--quick] [--rounds 3] [--part shapes|main|gang|split]   (default: all parts; --quick leaves out `shapes`)

Programs of one shape run in turn; a ratio is that of one round, the median of all rounds is shown. Peers that are not
installed (for the Python in LEADSWEEP_PYTHON, or this one) are left out, saying so.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("LEADSWEEP_BIN", os.path.join(HERE, "../../build/cpu/bin"))
PYTHON = os.environ.get("LEADSWEEP_PYTHON", sys.executable)
WORKER = os.path.join(BIN, "leadsweep-worker")
PEERS = {
    "PyTorch eager": [PYTHON, os.path.join(HERE, "peers/pytorch.py")],
    "torch.compile": [PYTHON, os.path.join(HERE, "peers/pytorch.py"), "--compile"],
    "Keras": [PYTHON, os.path.join(HERE, "peers/keras_inception.py")],
}
SAMPLES = (500, 750, 1000, 2500, 5000)
BATCHES = (32, 64)


def start(command: list[str], **shape) -> subprocess.Popen:
    words = [word for name, value in shape.items() for word in (f"--{name}", str(value))]
    return subprocess.Popen(command + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of(process: subprocess.Popen) -> dict | str:
    """What a program measured, or why it could not."""
    out, err = process.communicate()
    skipped = re.search(r"SKIPPED: .*", out + err)
    if skipped:
        return skipped.group()
    if process.returncode != 0:
        return f"failed: {(err.strip().splitlines() or ['no word of why'])[-1][:200]}"
    return json.loads(out.strip().splitlines()[-1])


def measure(command: list[str], **shape) -> dict | str:
    return result_of(start(command, **shape))


def print_shape(samples: int, batch: int, rounds: int) -> None:
    steps = max(2, 4500 // samples)
    shape = {"threads": 2, "samples": samples, "batch": batch, "steps": steps}
    all_rounds = [{"leadsweep": measure([WORKER, "bench"], **shape),
                   **{name: measure(command, **shape) for name, command in PEERS.items()}} for _ in range(rounds)]
    ours = [r["leadsweep"] for r in all_rounds]
    if isinstance(ours[0], str):
        sys.exit(f"leadsweep-worker bench {ours[0]}")
    share = {part: statistics.median(o[f"{part}_gflops"] / o["sgemm_gflops"] for o in ours)
             for part in ("training", "inference")}
    print(f"\n12 x {samples}, batch {batch}, 2 threads; sgemm {statistics.median(o['sgemm_gflops'] for o in ours):.0f} "
          f"GFLOP/s, of which training has {share['training']:.0%}, inference {share['inference']:.0%}")
    print(f"  {'':14} {'training':>9} {'ratio':>6} {'inference':>10} {'ratio':>6} {'peak':>9}")
    for name in all_rounds[0]:
        found = [r[name] for r in all_rounds]
        if any(isinstance(f, str) for f in found):
            print(f"  {name:14} {next(f for f in found if isinstance(f, str))}")
            continue
        cells = []
        for part in ("training", "inference"):
            key = f"{part}_records_per_s"
            cells.append(f"{statistics.median(f[key] for f in found):9.1f} "
                         f"{statistics.median(o[key] / f[key] for o, f in zip(ours, found)):6.2f}")
        note = ""
        if "predict_on_batch_records_per_s" in found[0]:
            ratio = statistics.median(o["inference_records_per_s"] / f["predict_on_batch_records_per_s"]
                                      for o, f in zip(ours, found))
            note = f"   (predict; to predict_on_batch {ratio:.2f})"
        peak = max(f["peak_bytes"] for f in found) / 2**20
        print(f"  {name:14} {'  '.join(cells)} {peak:6.0f} MB{note}", flush=True)


def print_gang(ranks: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        meet = os.path.join(folder, "meet")
        members = [start([WORKER, "bench"], threads=1, batch=64, steps=6, ranks=ranks, rank=rank, meet=meet)
                   for rank in range(ranks)]
        found = [result_of(member) if rank == 0 else member.communicate() for rank, member in enumerate(members)][0]
    if isinstance(found, str):
        print(f"  {ranks} workers: {found}")
        return
    step, reduce, rest = found["step_ms"], found["all_reduce_ms"], found["statistics_ms"]
    print(f"  {ranks} workers of one thread: a step of batch 64 takes {step:.0f} ms, the all-reduce of its gradient "
          f"{reduce:.1f} ms ({reduce / step:.1%}); BatchNorm's statistics, waiting for the slowest included, {rest:.0f} ms "
          f"({rest / step:.1%})", flush=True)


def print_split(rounds: int) -> None:
    ratios = []
    for _ in range(rounds):
        one = measure([WORKER, "bench"], threads=2, batch=64)
        pair = [start([WORKER, "bench"], threads=1, batch=64, device=device) for device in ("cpu-0", "cpu-1")]
        two = [result_of(process) for process in pair]
        if any(isinstance(found, str) for found in (one, *two)):
            print(f"  {[f for f in (one, *two) if isinstance(f, str)][0]}")
            return
        both = sum(found["training_records_per_s"] for found in two)
        ratios.append((both, one["training_records_per_s"]))
    both, one = (statistics.median(column) for column in zip(*ratios))
    print(f"  two jobs of one thread {both:.1f} records/s together, one job of two threads {one:.1f}: "
          f"ratio {statistics.median(b / o for b, o in ratios):.2f}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="12 x 750, batch 64 alone")
    arguments.add_argument("--rounds", type=int, default=3, help="of 12 x 750, batch 64; other shapes have one")
    arguments.add_argument("--part", choices=("shapes", "main", "gang", "split"), action="append")
    options = arguments.parse_args()
    parts = options.part or ["main", "gang", "split"] + ([] if options.quick else ["shapes"])
    print("the study's network (depth 6, kernels 40/20/10, 32 filters, 30 classes); records a second; ratio: leadsweep / "
          "this one")
    if "main" in parts:
        print_shape(750, 64, options.rounds)
    if "gang" in parts:
        print("\nData parallel over TCP on this machine")
        for ranks in (2, 4):
            print_gang(ranks)
    if "split" in parts:
        print("\nOne job or two on two cores")
        print_split(options.rounds)
    if "shapes" in parts:
        for samples in SAMPLES:
            for batch in BATCHES:
                if (samples, batch) != (750, 64):
                    print_shape(samples, batch, 1)


if __name__ == "__main__":
    main()
