"""Writes losses.json beside this file: values and gradients of the losses by formulas written down apart from leadsweep
(NumPy, float64; gradients by central differences), and the positives of each class among the study's 88,253 records. Run: python make_loss_reference.py
"""
import json
import pathlib

import numpy as np

COUNTS = [1481, 1907, 5255, 8374, 1281, 2076, 11716, 392, 659, 1599, 3534, 3041, 638, 7631, 18918, 295, 28971, 9657, 1279,
          3790, 2186, 1280, 3051, 3989, 224, 522, 1768, 1857, 1779, 213]  # positives per class (study, table 4.2)
RECORDS = 88253


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def bce(z, y):
    p = sigmoid(z)
    return np.mean(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


def focal(z, y):
    p = sigmoid(z)
    pt = y * p + (1 - y) * (1 - p)
    return np.mean((1 - pt) ** 2 * -np.log(pt))


def sums(z, y):
    p = sigmoid(z)
    return (p * y).sum(0), (p * (1 - y)).sum(0), ((1 - p) * y).sum(0), ((1 - p) * (1 - y)).sum(0)


def soft_f1(z, y):
    tp, fp, fn, _ = sums(z, y)
    return np.mean(1 - 2 * tp / (2 * tp + fn + fp + 1e-16))


def double_soft_f1(z, y):
    tp, fp, fn, tn = sums(z, y)
    f1_1 = 2 * tp / (2 * tp + fn + fp + 1e-16)
    f1_0 = 2 * tn / (2 * tn + fn + fp + 1e-16)
    return np.mean(0.5 * ((1 - f1_1) + (1 - f1_0)))


def gradient(loss, z, y, h=1e-5):
    g = np.zeros_like(z)
    for i in np.ndindex(*z.shape):
        up, down = z.copy(), z.copy()
        up[i] += h
        down[i] -= h
        g[i] = (loss(up, y) - loss(down, y)) / (2 * h)
    return g


rng = np.random.default_rng(3)
z = rng.normal(0, 2, (7, 4))
y = (rng.random((7, 4)) < 0.35).astype(float)
y[:, 3] = 0  # a class without positives
result = {"logits": z.tolist(), "targets": y.tolist(), "losses": {}}
for name, loss in (("bce", bce), ("focal", focal), ("soft_f1", soft_f1), ("double_soft_f1", double_soft_f1)):
    result["losses"][name] = {"value": loss(z, y), "gradient": gradient(loss, z, y).tolist()}
result["study"] = {"counts": COUNTS, "records": RECORDS}
(pathlib.Path(__file__).parent / "losses.json").write_text(json.dumps(result, indent=1) + "\n")
