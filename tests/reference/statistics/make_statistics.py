"""Writes statistics.json beside this file: fold values of two configurations with what correctR and R's p.adjust (by Rscript),
baycomp, SciPy and scikit-learn say of them. Run: python make_statistics.py (needs R with the package correctR).
"""
import csv
import io
import json
import pathlib
import subprocess
import tempfile

import baycomp
import numpy as np
import scipy
from scipy import integrate, optimize, stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(11)
CONFIDENCE, POWER = 0.95, 0.80

# name, k, repeats, training and tested records of a fold, true gain, spread of the gain
PLANS = [("ten_folds", 10, 1, 70602, 8825, 0.010, 0.01), ("no_gain", 10, 1, 70602, 8825, 0.0, 0.02), ("loss", 5, 1, 60, 20, -0.03, 0.02),
         ("clear", 10, 1, 800, 100, 0.20, 0.01), ("three_folds", 3, 1, 33, 33, 0.02, 0.03), ("repeated", 10, 3, 800, 100, 0.01, 0.02),
         ("two_folds", 2, 1, 50, 50, 0.01, 0.005)]


def power(delta, n):
    """Of the two-sided t-test, by integration over the chi distribution of the spread: SciPy's nct gives NaN for two folds."""
    df = n - 1
    critical = stats.t.ppf(0.5 + CONFIDENCE / 2, df)
    hits = lambda s: stats.chi.pdf(s, df) * (stats.norm.sf(critical * s / np.sqrt(df) - delta) + stats.norm.cdf(-critical * s / np.sqrt(df) - delta))
    edge = delta * np.sqrt(df) / critical  # where the integrand bends
    return sum(integrate.quad(hits, low, high, epsabs=1e-14, epsrel=1e-13, limit=500)[0]
               for low, high in [(0, edge / 2), (edge / 2, edge), (edge, 2 * edge), (2 * edge, 2 * edge + 20)])


cases = []
for name, k, repeats, n_train, n_test, gain, spread in PLANS:
    n = k * repeats
    a = np.round(0.4 + 0.02 * rng.normal(size=n), 6)
    b = np.round(a - gain + spread * rng.normal(size=n), 6)
    cases.append({"name": name, "k": k, "repeats": repeats, "n_train": n_train, "n_test": n_test, "a": a.tolist(), "b": b.tolist()})

with tempfile.NamedTemporaryFile("w", suffix=".csv") as table:
    writer = csv.writer(table)
    writer.writerow(["case", "k", "r", "n_train", "n_test", "fold", "repeat_", "a", "b"])
    for c in cases:
        for i, (a, b) in enumerate(zip(c["a"], c["b"])):
            writer.writerow([c["name"], c["k"], c["repeats"], c["n_train"], c["n_test"], i % c["k"] + 1, i // c["k"] + 1, repr(a), repr(b)])
    table.flush()
    answer = subprocess.run(["Rscript", HERE / "correctr.R", table.name], check=True, capture_output=True, text=True).stdout
from_r = {row["case"]: row for row in csv.DictReader(io.StringIO(answer))}

for c in cases:
    d = np.array(c["a"]) - np.array(c["b"])
    n, ratio = len(d), c["n_test"] / c["n_train"]
    r = from_r[c["name"]]
    c["correctr"] = {"t": float(r["statistic"]), "p": float(r["p"]), "p_holm": float(r["holm"])}
    error = d.std(ddof=1) * np.sqrt(1 / n + ratio)
    low, high = stats.t.interval(CONFIDENCE, n - 1, loc=d.mean(), scale=error)
    noncentrality = optimize.brentq(lambda delta: power(delta, n) - POWER, 0.1, 200, xtol=1e-14, rtol=1e-14)
    a = np.array(c["a"])
    c["scipy"] = {"low": low, "high": high, "detectable": noncentrality * error,
                  "interval_of_a": list(stats.t.interval(CONFIDENCE, n - 1, loc=a.mean(), scale=a.std(ddof=1) * np.sqrt(1 / n + ratio)))}
    # baycomp corrects by rho = 1 / folds, which is a ratio of 1 / (folds - 1): given apart from the ratio of this case.
    c["baycomp"] = []
    for rope in (0.0, 0.01):
        b_better, equivalent, a_better = (lambda p: (p[1], p[2] if len(p) > 2 else 0.0, p[0]) if len(p) == 2 else (p[2], p[1], p[0]))(
            baycomp.two_on_single(a, np.array(c["b"]), rope=rope, runs=c["repeats"]))
        c["baycomp"].append({"rope": rope, "ratio": 1 / (c["k"] - 1), "better": a_better, "equivalent": equivalent, "worse": b_better})

scores = np.round(rng.normal(size=60), 1)  # rounded: ties
labels = rng.integers(0, 2, 60)
weights = rng.integers(0, 4, 60)
auroc = {"scores": scores.tolist(), "labels": labels.tolist(), "weights": weights.tolist(),
         "auroc": roc_auc_score(labels, scores, sample_weight=weights)}

# Off the edges of bins: scikit-learn puts an edge below, `score >= threshold` is positive here.
cal_scores = [np.round(rng.uniform(size=80), 2) + 0.005 for _ in range(2)]
cal_labels = [(rng.uniform(size=80) < s).astype(int) for s in cal_scores]
observed, predicted = calibration_curve(np.concatenate(cal_labels), np.minimum(np.concatenate(cal_scores), 1), n_bins=10)
calibration = {"scores": [s.tolist() for s in cal_scores], "labels": [y.tolist() for y in cal_labels], "observed": observed.tolist(),
               "predicted": predicted.tolist(), "thresholds": []}
for index in (0, 12, 24, 40, 48):
    threshold = 0.02 * (index + 1)
    decided = [s >= threshold for s in cal_scores]
    calibration["thresholds"].append({"index": index, "threshold": threshold, **{
        name: float(np.mean([score(y, d, zero_division=0) for y, d in zip(cal_labels, decided)]))
        for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score))}})

versions = {"scipy": scipy.__version__, "correctR": "0.3.1", "R": subprocess.run(["Rscript", "--version"], capture_output=True, text=True).stdout.strip()
            or subprocess.run(["Rscript", "--version"], capture_output=True, text=True).stderr.strip()}
(HERE / "statistics.json").write_text(json.dumps({"versions": versions, "cases": cases, "weighted_auroc": auroc, "calibration": calibration}, indent=1) + "\n")
