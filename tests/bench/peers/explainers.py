"""Lead importance as Python users compute it, peers of `explain_bench`: the study's network in PyTorch (pytorch.py), explained by
the package lime (masks of 12 leads x 10 segments, cosine kernel, one ridge for each of 30 classes) and by captum's Lime (its
defaults; one class). Prints seconds as JSON. python explainers.py lime|captum [--threads 2] [--samples 750] [--copies 320]
"""
import argparse
import json
import sys
import time

import numpy as np

try:
    import torch
    from pytorch import Inception
except ImportError:
    sys.exit("SKIPPED: torch is not installed (pip install torch)")

LEADS, SEGMENTS, CLASSES, BATCH = 12, 10, 30, 64


def infer(model, inputs):
    with torch.no_grad():
        return torch.cat([model(batch) for batch in inputs.split(BATCH)])


def with_lime(model, record, copies, random):
    from lime.lime_base import LimeBase
    from sklearn.metrics import pairwise_distances

    masks = random.integers(0, 2, (copies, LEADS * SEGMENTS)).astype(float)
    masks[0] = 1
    kept = torch.from_numpy(masks).float().view(copies, LEADS, SEGMENTS).repeat_interleave(record.shape[1] // SEGMENTS, 2)
    mean = record.mean(1, keepdim=True)
    outputs = infer(model, mean + kept * (record - mean)).numpy()
    distances = pairwise_distances(masks, masks[:1], metric="cosine").ravel()
    base = LimeBase(lambda d: np.sqrt(np.exp(-(d ** 2) / 0.25 ** 2)), random_state=1)
    for label in range(CLASSES):
        base.explain_instance_with_data(masks, outputs, distances, label, LEADS * SEGMENTS, feature_selection="none")


def with_captum(model, record, copies, random):
    from captum.attr import Lime

    parts = torch.arange(LEADS * SEGMENTS).view(LEADS, SEGMENTS).repeat_interleave(record.shape[1] // SEGMENTS, 1)
    mean = record.mean(1, keepdim=True).expand_as(record)
    Lime(model).attribute(record[None], baselines=mean[None], target=0, feature_mask=parts[None], n_samples=copies,
                          perturbations_per_eval=BATCH)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("peer", choices=("lime", "captum"))
    for name, default in (("threads", 2), ("samples", 750), ("copies", 320), ("rounds", 1)):
        arguments.add_argument(f"--{name}", type=int, default=default)
    options = arguments.parse_args()
    try:
        package = __import__(options.peer)
    except ImportError:
        sys.exit(f"SKIPPED: {options.peer} is not installed (pip install {options.peer})")
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = Inception().eval()
    record = torch.randn(LEADS, options.samples)
    explain = {"lime": with_lime, "captum": with_captum}[options.peer]
    random = np.random.default_rng(1)
    explain(model, record, BATCH, random)  # warms up
    many = record.expand(options.copies, LEADS, options.samples)
    plain, explained = [], []
    for _ in range(options.rounds):
        start = time.perf_counter()
        infer(model, many)
        middle = time.perf_counter()
        explain(model, record, options.copies, random)
        plain.append(middle - start)
        explained.append(time.perf_counter() - middle)
    version = getattr(package, "__version__", "")
    print(json.dumps({"program": f"{options.peer} {version}".strip(), "plain_s": plain, "explained_s": explained}))


if __name__ == "__main__":
    main()
