"""What a LIME explanation costs beside plain inference of as many inputs on the same network, and beside Python's lime and
captum on the same network in PyTorch. Programs run in turn; ratios are those of one round, the median of all is shown.

    explain.py [--rounds 4] [--threads 2] [--samples 750] [--copies 320]

Peers that are not installed (for the Python in LEADSWEEP_PYTHON, or this one) are left out, saying so.
"""
import argparse
import os
import statistics

from training import BIN, HERE, PYTHON, measure

BENCH = os.path.join(BIN, "explain_bench")
PEERS = {"lime + PyTorch, 30 classes": ("lime", 1), "captum, 1 class": ("captum", 30)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("rounds", 4), ("threads", 2), ("samples", 750), ("copies", 320)):
        arguments.add_argument(f"--{name}", type=int, default=default)
    options = arguments.parse_args()
    shape = {"threads": options.threads, "samples": options.samples, "copies": options.copies}
    ours, peers = [], {name: [] for name in PEERS}
    for _ in range(options.rounds):
        ours.append(measure([BENCH], **shape))
        if isinstance(ours[-1], str):
            raise SystemExit(f"explain_bench {ours[-1]}")
        for name, (package, _) in PEERS.items():
            peers[name].append(measure([PYTHON, os.path.join(HERE, "peers/explainers.py"), package], **shape))

    ratios = [e / p for o in ours for p, e in zip(o["plain_s"], o["explained_s"])]
    cpu_ratios = [e / p for o in ours for p, e in zip(o["plain_cpu_s"], o["explained_cpu_s"])]
    print(f"the study's network on 12 x {options.samples}, {options.threads} threads, {options.copies} inputs; medians of "
          f"{options.rounds} rounds")
    print(f"  plain inference            {statistics.median(p for o in ours for p in o['plain_s']):7.2f} s")
    print(f"  LIME, 30 classes           {statistics.median(e for o in ours for e in o['explained_s']):7.2f} s; "
          f"to plain inference {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), by processor time "
          f"{statistics.median(cpu_ratios):.3f}")
    for name, found in peers.items():
        if any(isinstance(f, str) for f in found):
            print(f"  {name:26} {next(f for f in found if isinstance(f, str))}")
            continue
        seconds = [f["explained_s"][0] for f in found]
        ratio = statistics.median(s / o["explained_s"][0] for s, o in zip(seconds, ours))
        own = statistics.median(s / f["plain_s"][0] for s, f in zip(seconds, found))
        times = PEERS[name][1]
        note = f"; a class at a time: 30 classes take about {times * ratio:.0f} times ours" if times > 1 else ""
        print(f"  {name:26} {statistics.median(seconds):7.2f} s; {ratio:.2f} times ours; to its own plain inference "
              f"{own:.3f}{note}")


if __name__ == "__main__":
    main()
