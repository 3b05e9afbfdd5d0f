"""Writes reference.safetensors: inputs and what scipy.signal.resample makes of them. Run: python make_reference.py"""
import pathlib

import numpy as np
import scipy.signal
from safetensors.numpy import save_file

LENGTHS = [(5000, 750), (5000, 1000), (2570, 750), (1250, 500), (1000, 1250), (999, 750), (1001, 333), (750, 1001), (7, 5),
           (6, 9), (4, 3)]

generator = np.random.default_rng(20240229)
arrays = {}
for samples, target in LENGTHS:
    # ADC-like values: a wandering base, beats and noise, whole numbers.
    time = np.arange(samples)
    signal = np.stack([
        800 * np.exp(-0.5 * ((time % 400) - 200 - 9 * lead) ** 2 / 12**2) + 150 * np.sin(time / (170 + 31 * lead))
        + generator.normal(0, 25, samples) for lead in range(2)])
    signal = np.rint(signal).astype(np.int16)
    arrays[f"input_{samples}_{target}"] = signal
    arrays[f"output_{samples}_{target}"] = scipy.signal.resample(signal.astype(np.float64), target, axis=1)
save_file(arrays, str(pathlib.Path(__file__).with_name("reference.safetensors")), {"scipy": scipy.__version__})
