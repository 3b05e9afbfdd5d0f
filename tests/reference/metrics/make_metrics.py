"""Makes metrics.safetensors: random predictions and the figures that the official scorers give for them.

Run: python make_metrics.py FOLDER     (numpy, scikit-learn, torchmetrics, safetensors)
FOLDER holds evaluate_model.py and weights.csv of physionetchallenges/evaluation-2021, with the compute_beta_measures of
evaluation-2020's evaluate_12ECG_score.py added to the former, returning its figures of each class too.

AUROC, AUPRC, F1, F2, G2, subset accuracy and the Challenge's score are the official code's, NaN rules included;
scikit-learn must agree wherever both kinds of labels occur, and has the rest. Logits are (q - 128) * scale + 0.013 in
float32: quantised for ties; the offset keeps sigmoid(x) and sigmoid(-x) from meeting, where rounding would decide over
ties of merged classes.
"""

import csv
import importlib.util
import pathlib
import sys
import warnings

import numpy as np
import torch
import torchmetrics.functional.classification as tm
from safetensors.numpy import save_file
from sklearn import metrics as sk

warnings.filterwarnings("ignore")
np.bool = bool  # the official code is older than numpy 1.24
HERE = pathlib.Path(__file__).parent
CASES = 1000
DETAILED = 60  # cases whose figures of each group are kept too
SINGLE = sorted(
    "10370003 111975006 164889003 164890007 164909002 164917005 164934002 164947007 17338001 251146004 270492004 284470004 "
    "365413008 39732003 426177001 426627000 426783006 427084000 427172004 427393009 445118002 47665007 59118001 59931005 "
    "63593006 6374002 698252002 713426002 713427006 733534002".split()
)
MACROS = [
    "macro_f1", "macro_f2", "macro_g2", "macro_precision", "macro_recall", "macro_specificity", "macro_auroc", "macro_auprc",
    "accuracy", "macro_brier", "macro_ece", "subset_accuracy", "macro_auroc_20", "accuracy_all_negative",
    "macro_f1_all_positive", "macro_auprc_prevalence", "macro_brier_prevalence", "challenge_score",
    "challenge_score_all_negative", "macro_f1_tuned", "challenge_score_tuned", "macro_f1_30", "macro_f2_30", "macro_g2_30",
    "macro_auroc_30", "macro_auprc_30", "accuracy_30", "macro_brier_30", "macro_ece_30", "subset_accuracy_30",
]
PER_GROUP = ["auroc", "auprc", "f1", "f2", "g2", "precision", "recall", "specificity", "accuracy", "brier", "ece"]


def read_weights(folder):
    rows = list(csv.reader(open(pathlib.Path(folder) / "weights.csv")))
    assert [row[0] for row in rows[1:]] == rows[0][1:]
    return rows[0][1:], np.array([[float(x) for x in row[1:]] for row in rows[1:]])


def load_official(folder):
    spec = importlib.util.spec_from_file_location("evaluate_model", pathlib.Path(folder) / "evaluate_model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ratio(a, b):
    return a / b if b else np.nan


def from_counts(y, d):
    tp, fp = np.sum(y & d), np.sum(~y & d)
    fn, tn = np.sum(y & ~d), np.sum(~y & ~d)
    return ratio(tp, tp + fp), ratio(tp, tp + fn), ratio(tn, tn + fp), np.mean(y == d)


def f1_of(y, d):
    return ratio(2 * np.sum(y & d), np.sum(y) + np.sum(d))


def calibration_error(y, s, bins=15):
    place = np.minimum((s * bins).astype(int), bins - 1)
    return sum(abs(y[place == b].mean() - s[place == b].mean()) * (place == b).mean() for b in np.unique(place))


def check_with_sklearn(y, s, d, row):
    """scikit-learn and torchmetrics on one class with both kinds of labels."""
    same = lambda a, b, tolerance=1e-12: np.isclose(a, b, rtol=0, atol=tolerance, equal_nan=True)
    assert same(row[0], sk.roc_auc_score(y, s))
    assert same(row[1], sk.average_precision_score(y, s))
    assert same(row[2], sk.f1_score(y, d))
    assert same(row[5], sk.precision_score(y, d, zero_division=np.nan))
    assert same(row[6], sk.recall_score(y, d, zero_division=np.nan))
    assert same(row[7], sk.recall_score(~y, ~d, zero_division=np.nan))
    assert same(row[8], sk.accuracy_score(y, d))
    assert same(row[9], sk.brier_score_loss(y, s))
    ece = tm.binary_calibration_error(torch.tensor(s, dtype=torch.float64), torch.tensor(y.astype(int)), n_bins=15)
    assert same(row[10], float(ece), 1e-5), (row[10], float(ece), s)  # torchmetrics works in float32


def nanmean(values):
    values = np.array(values)
    return np.nan if np.isnan(values).all() else np.nanmean(values)


def best_f1(y, s):
    """Best F1 over all thresholds, by trying each distinct score."""
    return max(f1_of(y, s >= t) for t in np.unique(s)) if y.any() else np.nan


def grouped(codes, y, s, d):
    index = [[SINGLE.index(c) for c in code.split("|")] for code in codes]
    return (
        np.stack([y[:, i].any(axis=1) for i in index], axis=1),
        np.stack([s[:, i].mean(axis=1) for i in index], axis=1),
        np.stack([d[:, i].any(axis=1) for i in index], axis=1),
    )


def class_rows(official, y, s, d, is_checked):
    _, _, auroc, auprc = official.compute_auc(y, s)
    _, f1 = official.compute_f_measure(y, d)
    _, _, f2, g2 = official.compute_beta_measures(y, d, beta=2)
    rows = []
    for k in range(y.shape[1]):
        precision, recall, specificity, accuracy = from_counts(y[:, k], d[:, k])
        brier = np.mean((s[:, k] - y[:, k]) ** 2)
        rows.append([auroc[k], auprc[k], f1[k], f2[k], g2[k], precision, recall, specificity, accuracy, brier,
                     calibration_error(y[:, k], s[:, k])])
        if is_checked and y[:, k].any() and not y[:, k].all():
            check_with_sklearn(y[:, k], s[:, k], d[:, k], rows[-1])
    return np.array(rows)


def means(rows):
    at = PER_GROUP.index
    order = ["f1", "f2", "g2", "precision", "recall", "specificity", "auroc", "auprc", "accuracy", "brier", "ece"]
    return {name: nanmean(rows[:, at(name)]) for name in order}


def figures(official, weights, codes, y, s, thresholds, is_checked):
    d = s >= 0.5
    gy, gs, gd = grouped(codes, y, s, d)
    _, _, tuned = grouped(codes, y, s, s >= thresholds)
    rows = class_rows(official, gy, gs, gd, is_checked)
    over = means(rows)
    singles = means(class_rows(official, y, s, d, False))
    challenge = lambda outputs: official.compute_challenge_metric(weights, gy, outputs, codes, "426783006")
    enough = gy.sum(axis=0) >= 20
    share = gy.mean(axis=0)
    macros = [
        *over.values(),
        official.compute_accuracy(gy, gd),
        nanmean(rows[enough, 0]) if enough.any() else np.nan,
        1 - gy.mean(),
        nanmean([f1_of(gy[:, g], np.ones(len(gy), bool)) for g in range(len(codes))]),
        nanmean(np.where(share > 0, share, np.nan)),
        np.mean(share * (1 - share)),
        challenge(gd),
        challenge(np.zeros_like(gd)),
        nanmean([f1_of(gy[:, g], tuned[:, g]) for g in range(len(codes))]),
        challenge(tuned),
        *[singles[name] for name in ["f1", "f2", "g2", "auroc", "auprc", "accuracy", "brier", "ece"]],
        official.compute_accuracy(y, d),
    ]
    assert len(macros) == len(MACROS)
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
    official = load_official(folder)
    rng = np.random.default_rng(20211)
    labels, logits, counts, scales, macros, groups, thresholds, tuned = [], [], [], [], [], [], [], []
    for case in range(CASES):
        y, q, scale = make_case(rng, case)
        x = (q.astype(np.float32) - np.float32(128)) * scale + np.float32(0.013)
        s = 1 / (1 + np.exp(-x.astype(np.float64)))
        t = np.round(rng.random(len(SINGLE)) * 1000).astype(np.uint16)
        m, rows = figures(official, weights, codes, y, s, t / 1000, case < DETAILED)
        labels.append(y.astype(np.uint8))
        logits.append(q)
        counts.append(len(y))
        scales.append(scale)
        thresholds.append(t)
        macros.append(m)
        if case < DETAILED:
            groups.append(rows)
            tuned.append([best_f1(y[:, k], s[:, k]) for k in range(len(SINGLE))])
    save_file(
        {
            "labels_packed": np.packbits(np.concatenate(labels).ravel()),
            "logit_levels": np.concatenate(logits),
            "scales": np.array(scales, np.float32),
            "record_counts": np.array(counts, np.int64),
            "thresholds_permille": np.array(thresholds).astype(np.int32),
            "macros": np.array(macros),
            "groups": np.array(groups),
            "best_f1": np.array(tuned),
        },
        HERE / "metrics.safetensors",
        metadata={"macros": ",".join(MACROS), "per_group": ",".join(PER_GROUP), "groups": ",".join(codes)},
    )


if __name__ == "__main__":
    main(sys.argv[1])
