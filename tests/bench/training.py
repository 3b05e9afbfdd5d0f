"""The study's network, leadsweep beside PyTorch eager and Keras: records a second and ratios, all in one run.

Runs the programs in turn, several rounds, and prints the median of each and of the ratios of one round. Peers that are not
installed (for the Python in LEADSWEEP_PYTHON, or this one) are skipped, saying so.
"""
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("LEADSWEEP_BIN", os.path.join(HERE, "../../build/cpu/bin"))
PYTHON = os.environ.get("LEADSWEEP_PYTHON", sys.executable)
ROUNDS = 3
SHAPE = ["--threads", "2", "--batch", "64", "--steps", "4"]
PROGRAMS = {
    "leadsweep": [os.path.join(BIN, "training_bench"), *SHAPE],
    "PyTorch eager": [PYTHON, os.path.join(HERE, "peers/pytorch_eager.py"), *SHAPE],
    "Keras": [PYTHON, os.path.join(HERE, "peers/keras_inception.py"), *SHAPE],
}


def speeds_of(command: list[str]) -> tuple[float, float] | str:
    """Records a second of training and inference, or why there are none."""
    done = subprocess.run(command, capture_output=True, text=True)
    skipped = re.search(r"SKIPPED: .*", done.stdout + done.stderr)
    if skipped:
        return skipped.group()
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    training = re.search(r"training[^\n]*?([\d.]+) records/s", done.stdout)
    inference = re.search(r"inference[^\n]*?([\d.]+) records/s", done.stdout)
    return float(training.group(1)), float(inference.group(1))


def main() -> None:
    rounds = [{name: speeds_of(command) for name, command in PROGRAMS.items()} for _ in range(ROUNDS)]
    print("the study's network, 12 x 750, batch 64, 2 threads; medians of", ROUNDS, "rounds")
    print(f"{'':14} {'training':>12} {'ratio':>7} {'inference':>12} {'ratio':>7}   (records/s; ratio: leadsweep / this one)")
    for name in PROGRAMS:
        if isinstance(rounds[0][name], str):
            print(f"{name:14} {rounds[0][name]}")
            continue
        cells = []
        for part in (0, 1):
            speed = statistics.median(r[name][part] for r in rounds)
            ratio = statistics.median(r["leadsweep"][part] / r[name][part] for r in rounds)
            cells.append(f"{speed:12.1f} {ratio:7.2f}")
        print(f"{name:14} {' '.join(cells)}")


if __name__ == "__main__":
    main()
