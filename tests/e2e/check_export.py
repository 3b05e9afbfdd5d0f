"""Loads an exported folder as a user would, and compares its probabilities with what the job itself predicted.

    check_export.py EXPORTED PREDICTIONS.safetensors PACK       exit code 0, or words of what differs; SKIPPED without torch
"""
import json
import pathlib
import sys

try:
    import numpy as np
    import torch
    from safetensors.numpy import load_file
except ImportError as error:
    sys.exit(f"SKIPPED: {error.name} is not installed for this Python")

exported, predictions, pack = map(pathlib.Path, sys.argv[1:4])
sys.path.insert(0, str(exported))
import model  # noqa: E402

network, about = model.load(exported)
shards = []
for path in sorted(pack.glob("*.shard")):  # worker/dataset/pack.hpp tells the format
    raw = path.read_bytes()
    length = int.from_bytes(raw[12:16], "little")
    header = json.loads(raw[80:80 + length])
    start = -(-(80 + length) // 4096) * 4096
    shape = header["records"], header["leads"], header["samples"]
    shards.append(np.frombuffer(raw, "<f4", int(np.prod(shape)), start).reshape(shape))
signals = torch.tensor(np.concatenate(shards))
stored = load_file(predictions)
with torch.no_grad():
    found = network(signals[stored["test_records"].astype("int64")]).numpy()
expected = stored["test_logits"]
largest = float(np.abs(found - expected).max())
assert found.shape == expected.shape and len(about["classes"]) == expected.shape[1], (found.shape, expected.shape)
assert signals.shape[1] == len(about["leads"]) and signals.shape[2] == about["window_s"] * about["sampling_hz"]
assert largest < 1e-3 * (1 + np.abs(expected).max()), f"logits differ by {largest}"
assert all(c["threshold"] is None or 0 <= c["threshold"] <= 1 for c in about["classes"])
print(f"{len(found)} records, logits differ by at most {largest:.1e}")
