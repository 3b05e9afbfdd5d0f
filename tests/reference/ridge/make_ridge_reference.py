"""Writes ridge.safetensors beside this file: masks, weights and outcomes with the coefficients, intercepts and weighted R2 of
scikit-learn's Ridge. Run: python make_ridge_reference.py
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances, r2_score

rng = np.random.default_rng(5)
P, D, K, RIDGE, WIDTH = 200, 24, 3, 1.0, 0.25
masks = rng.integers(0, 2, (P, D)).astype(np.float64)
masks[0] = 1
masks[7] = 0  # all off: cosine distance 1 by convention
outcomes = masks @ rng.normal(size=(D, K)) + rng.normal(0, 0.5, (P, K))
distance = pairwise_distances(masks, np.ones((1, D)), metric="cosine")[:, 0]
weights = np.exp(-distance**2 / (2 * WIDTH**2))
fit = Ridge(alpha=RIDGE, solver="cholesky").fit(masks, outcomes, sample_weight=weights)
r2 = r2_score(outcomes, fit.predict(masks), sample_weight=weights, multioutput="raw_values")
save_file({"masks": masks, "outcomes": outcomes, "weights": weights, "coefficients": np.ascontiguousarray(fit.coef_),
           "intercepts": fit.intercept_, "r2": r2}, pathlib.Path(__file__).parent / "ridge.safetensors",
          metadata={"ridge": str(RIDGE), "kernel_width": str(WIDTH)})
