"""Writes sums.safetensors beside this file: terms that cancel badly, and their sums by math.fsum; a sample with a tiny
spread about a large mean, and its exact standard deviation by fractions. Run: python make_reference.py
"""
import math
import pathlib
from fractions import Fraction

import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(3)
rows = []
for _ in range(10):
    terms = rng.normal(size=200) * 2.0 ** rng.integers(-300, 300, 200)
    half = rng.permutation(terms[:80])
    terms[120:] = -half  # cancels exactly
    rows.append(terms)
rows.append(np.concatenate([[1.0, 2.0 ** -53], np.zeros(198)]))           # a tie
rows.append(np.concatenate([[1.0, 2.0 ** -53, 5e-324], np.zeros(197)]))   # just above it
rows.append(np.concatenate([[5e-324, 1e-310, -3e-320], np.zeros(197)]))   # below the normal range
rows.append(np.concatenate([[1.5e308, 1.5e308, -1.6e308, 1e292], np.zeros(196)]))  # overflows on the way
terms = np.array(rows)
def total(row):
    exact = sum((Fraction(float(x)) for x in row), Fraction(0))
    return exact.numerator / exact.denominator  # correctly rounded
sums = np.array([total(row) for row in terms])
for row, value in zip(terms[:-1], sums):
    assert math.fsum(row) == value
sample = 1e9 + rng.normal(size=300) * 1e-6
exact = [Fraction(float(x)) for x in sample]
mean = sum(exact) / len(exact)
variance = sum((x - mean) ** 2 for x in exact) / (len(exact) - 1)
save_file({"terms": terms, "sums": sums, "sample": sample, "sd": np.array([math.sqrt(variance)])},
          pathlib.Path(__file__).parent / "sums.safetensors")
