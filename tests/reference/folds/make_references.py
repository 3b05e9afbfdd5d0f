"""Folds by scikit-learn for tests/orchestrator/plan/folds_test.cpp. Run: python make_references.py (writes *.json beside it)."""
import json
import pathlib
import warnings

import numpy as np
import sklearn
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


cases = [
    case("ten folds, seed of the study", 1000, 10, 42, 120, 1),
    case("three folds", 97, 3, 7, 20, 2),
    case("one combination", 23, 5, 0, 1, 3),
    case("large seed", 200, 4, 2**31 + 5, 11, 4),
]
(here / "stratified_k_fold.json").write_text(
    json.dumps({"scikit-learn": sklearn.__version__, "numpy": np.__version__, "cases": cases}) + "\n")
