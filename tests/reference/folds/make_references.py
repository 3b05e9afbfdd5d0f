"""Folds by scikit-learn for tests/orchestrator/plan/folds_test.cpp. Run: python make_references.py (writes *.json beside it).

Needs scikit-learn and iterative-stratification (the peer of our stratified folds). Large tables are generated here and in
the test by the same rule (published_table), so that only digests of their folds are stored.
"""
import hashlib
import json
import pathlib
import warnings

import numpy as np
import sklearn
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from sklearn.model_selection import StratifiedKFold

warnings.filterwarnings("ignore", message="The least populated class")
here = pathlib.Path(__file__).parent


def case(name, n, k, seed, combinations, source_seed):
    random = np.random.default_rng(source_seed)
    # Few frequent and many rare combinations, as among diagnoses.
    weights = 1.0 / (1 + np.arange(combinations)) ** 1.3
    classes = random.choice(combinations, size=n, p=weights / weights.sum())
    texts = np.array([format(int(c) * 37 % 1024, "010b") for c in classes])
    folds = np.full(n, -1)
    splitter = StratifiedKFold(n_splits=k, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(splitter.split(np.zeros(n), texts)):
        folds[test] = fold
    return {"name": name, "k": k, "seed": seed, "combinations": texts.tolist(), "folds": folds.tolist()}


# Records of each of the 30 classes, codes sorted as text, in the Challenge 2021's 88,253 public records.
PUBLISHED = [1481, 1907, 5255, 8374, 1281, 2076, 11716, 392, 659, 1599, 3534, 3041, 638, 7631, 18918, 295, 28971, 9657, 1279,
             3790, 2186, 1280, 3051, 3989, 224, 522, 1768, 1857, 1779, 213]
RECORDS = 88253


def published_table(rows):
    """Labels [rows, 30] with the published counts, scaled: class c goes to rows of a linear congruential sequence."""
    labels = np.zeros((rows, 30), np.uint8)
    state = 12345
    for c, count in enumerate(PUBLISHED):
        for _ in range(-(-count * rows // RECORDS)):
            state = (1103515245 * state + 12345) % 2**31
            row = state % rows
            while labels[row, c]:
                row = (row + 1) % rows
            labels[row, c] = 1
    return labels


def worst_deviation(labels, folds, k):
    even = labels.sum(axis=0) / k
    counts = np.stack([labels[folds == f].sum(axis=0) for f in range(k)])
    return float((np.abs(counts - even) / even)[:, even >= 1].max())


def published_case(rows):
    labels = published_table(rows)
    texts = np.array(["".join(map(str, row)) for row in labels])
    folds = np.full(rows, -1, np.int8)
    splitter = StratifiedKFold(n_splits=10, shuffle=True, random_state=42)
    for fold, (_, test) in enumerate(splitter.split(np.zeros(rows), texts)):
        folds[test] = fold
    peer = np.full(rows, -1)
    splitter = MultilabelStratifiedKFold(n_splits=10, shuffle=True, random_state=42)
    for fold, (_, test) in enumerate(splitter.split(np.zeros(rows), labels)):
        peer[test] = fold
    return {"rows": rows, "combinations": len(set(texts)), "labels": int(labels.sum()),
            "folds_sha256": hashlib.sha256(folds.tobytes()).hexdigest(), "first_folds": folds[:40].tolist(),
            "peer_worst_deviation": worst_deviation(labels, peer, 10)}


cases = [
    case("ten folds, seed of the study", 1000, 10, 42, 120, 1),
    case("three folds", 97, 3, 7, 20, 2),
    case("one combination", 23, 5, 0, 1, 3),
    case("large seed", 200, 4, 2**31 + 5, 11, 4),
]
(here / "stratified_k_fold.json").write_text(
    json.dumps({"scikit-learn": sklearn.__version__, "numpy": np.__version__, "cases": cases}) + "\n")
(here / "published_counts.json").write_text(json.dumps([published_case(1446), published_case(RECORDS)], indent=1) + "\n")
