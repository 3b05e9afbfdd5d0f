"""Makes metrics.safetensors: random predictions and the figures that scikit-learn and the Challenge's rules give for them.

Run: python make_metrics.py FOLDER_WITH_weights.csv     (numpy, scikit-learn, safetensors)

The Challenge's score and its NaN rules are written out here from the description of evaluate_model.py
(physionetchallenges/evaluation-2021), record by record and apart from the C++ code. Everything that scikit-learn has is
scikit-learn's. Logits are (q - 128) * scale + 0.013 in float32: quantised for ties; the offset keeps sigmoid(x) and
sigmoid(-x) from meeting, where rounding would decide over ties of merged classes.
"""

import csv
import pathlib
import sys
import warnings

import numpy as np
from safetensors.numpy import save_file
from sklearn import metrics as sk

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
CASES = 320
DETAILED = 60  # cases whose figures of each group are kept too
SINGLE = sorted(
    "10370003 111975006 164889003 164890007 164909002 164917005 164934002 164947007 17338001 251146004 270492004 284470004 "
    "365413008 39732003 426177001 426627000 426783006 427084000 427172004 427393009 445118002 47665007 59118001 59931005 "
    "63593006 6374002 698252002 713426002 713427006 733534002".split()
)
MACROS = [
    "macro_f1", "macro_auroc", "macro_auprc", "accuracy", "subset_accuracy", "macro_auroc_20", "macro_f1_30",
    "accuracy_all_negative", "challenge_score", "macro_f1_tuned",
]
PER_GROUP = ["auroc", "auprc", "f1", "precision", "recall", "specificity", "accuracy"]


def read_weights(folder):
    rows = list(csv.reader(open(pathlib.Path(folder) / "weights.csv")))
    assert [row[0] for row in rows[1:]] == rows[0][1:]
    return rows[0][1:], np.array([[float(x) for x in row[1:]] for row in rows[1:]])


def auroc(y, s):
    return np.nan if y.all() or not y.any() else sk.roc_auc_score(y, s)


def auprc(y, s):
    return np.nan if not y.any() else sk.average_precision_score(y, s)


def ratio(a, b):
    return a / b if b else np.nan


def from_counts(y, d):
    tp, fp = np.sum(y & d), np.sum(~y & d)
    fn, tn = np.sum(y & ~d), np.sum(~y & ~d)
    return ratio(2 * tp, 2 * tp + fp + fn), ratio(tp, tp + fp), ratio(tp, tp + fn), ratio(tn, tn + fp), np.mean(y == d)


def check_counts(y, d):
    """scikit-learn's view of from_counts (slow: for some cases)."""
    f1, precision, recall, specificity, accuracy = from_counts(y, d)
    same = lambda a, b: np.isclose(a, b, rtol=0, atol=1e-15, equal_nan=True)
    assert np.isnan(f1) or same(f1, sk.f1_score(y, d))
    assert same(precision, sk.precision_score(y, d, zero_division=np.nan))
    assert same(recall, sk.recall_score(y, d, zero_division=np.nan))
    assert same(specificity, sk.recall_score(~y, ~d, zero_division=np.nan))
    assert same(accuracy, sk.accuracy_score(y, d))


def challenge_matrix(labels, outputs):
    a = np.zeros((labels.shape[1], labels.shape[1]))
    for i in range(labels.shape[0]):
        normalization = float(max(np.sum(labels[i] | outputs[i]), 1))
        for j in range(labels.shape[1]):
            if labels[i, j]:
                for k in range(labels.shape[1]):
                    if outputs[i, k]:
                        a[j, k] += 1.0 / normalization
    return a


def challenge_score(weights, codes, labels, outputs):
    inactive = np.zeros_like(labels)
    inactive[:, codes.index("426783006")] = True
    observed = np.nansum(weights * challenge_matrix(labels, outputs))
    correct = np.nansum(weights * challenge_matrix(labels, labels))
    nothing = np.nansum(weights * challenge_matrix(labels, inactive))
    return (observed - nothing) / (correct - nothing) if correct != nothing else 0.0


def nanmean(values):
    values = np.array(values)
    return np.nan if np.isnan(values).all() else np.nanmean(values)


def best_f1(y, s):
    """Best F1 over all thresholds, by trying each distinct score."""
    return max(from_counts(y, s >= t)[0] for t in np.unique(s)) if y.any() else np.nan


def grouped(codes, y, s, d):
    index = [[SINGLE.index(c) for c in code.split("|")] for code in codes]
    return (
        np.stack([y[:, i].any(axis=1) for i in index], axis=1),
        np.stack([s[:, i].mean(axis=1) for i in index], axis=1),
        np.stack([d[:, i].any(axis=1) for i in index], axis=1),
    )


def figures(weights, codes, y, s, thresholds):
    d = s >= 0.5
    gy, gs, gd = grouped(codes, y, s, d)
    _, _, tuned = grouped(codes, y, s, s >= thresholds)
    rows = np.array(
        [[auroc(gy[:, g], gs[:, g]), auprc(gy[:, g], gs[:, g]), *from_counts(gy[:, g], gd[:, g])] for g in range(len(codes))]
    )
    enough = gy.sum(axis=0) >= 20
    macros = [
        nanmean(rows[:, 2]),
        nanmean(rows[:, 0]),
        nanmean(rows[:, 1]),
        rows[:, 6].mean(),
        np.mean((gy == gd).all(axis=1)),
        nanmean(rows[enough, 0]) if enough.any() else np.nan,
        nanmean([from_counts(y[:, k], d[:, k])[0] for k in range(len(SINGLE))]),
        1 - gy.mean(),
        challenge_score(weights, codes, gy, gd),
        nanmean([from_counts(gy[:, g], tuned[:, g])[0] for g in range(len(codes))]),
    ]
    return macros, rows


def make_case(rng, case):
    n = int(rng.integers(1, 12)) if case % 4 else int(rng.integers(30, 61))
    rate = rng.choice([0.02, 0.1, 0.4, 0.8], size=len(SINGLE))
    y = rng.random((n, len(SINGLE))) < rate
    if case % 5 == 0:
        y[: n // 2] = False  # records without a diagnosis
    if case % 7 == 0:
        y[:, rng.choice(len(SINGLE), 12, replace=False)] = False  # classes without positives
    if case % 11 == 0:
        y[:, rng.choice(len(SINGLE), 3, replace=False)] = True  # classes without negatives
    if case % 40 == 13:
        y[:] = False
    levels = [3, 12, 200][case % 3]  # few levels: many ties
    q = 128 + np.round((rng.random((n, len(SINGLE))) - 0.6 + 0.3 * y) * levels).clip(-127, 127)
    scale = [1 / 3, 1 / 16, 0.05][case % 3] if case % 2 else 0.5
    return y, q.astype(np.uint8), np.float32(scale)


def main(folder):
    codes, weights = read_weights(folder)
    rng = np.random.default_rng(20211)
    labels, logits, counts, scales, macros, groups, thresholds, tuned = [], [], [], [], [], [], [], []
    for case in range(CASES):
        y, q, scale = make_case(rng, case)
        x = (q.astype(np.float32) - np.float32(128)) * scale + np.float32(0.013)
        s = 1 / (1 + np.exp(-x.astype(np.float64)))
        t = np.round(rng.random(len(SINGLE)), 3)
        m, rows = figures(weights, codes, y, s, t)
        labels.append(y.astype(np.uint8))
        logits.append(q)
        counts.append(len(y))
        scales.append(scale)
        thresholds.append(t)
        macros.append(m)
        if case < DETAILED:
            for k in range(case % 10, len(SINGLE), 10):
                check_counts(y[:, k], s[:, k] >= 0.5)
            groups.append(rows)
            tuned.append([best_f1(y[:, k], s[:, k]) for k in range(len(SINGLE))])
    save_file(
        {
            "labels": np.concatenate(labels),
            "logit_levels": np.concatenate(logits),
            "scales": np.array(scales, np.float32),
            "record_counts": np.array(counts, np.int64),
            "thresholds": np.array(thresholds),
            "macros": np.array(macros),
            "groups": np.array(groups),
            "best_f1": np.array(tuned),
        },
        HERE / "metrics.safetensors",
        metadata={"macros": ",".join(MACROS), "per_group": ",".join(PER_GROUP), "groups": ",".join(codes)},
    )


if __name__ == "__main__":
    main(sys.argv[1])
