"""Makes band_pass.safetensors: SciPy's Butterworth band-pass, forwards and backwards. Run: python make_reference.py"""
import pathlib

import numpy as np
import scipy.signal
from safetensors.numpy import save_file

CASES = {"wide": (0.5, 40, 500, 2500), "narrow": (5, 15, 257, 600), "low": (0.05, 100, 1000, 700), "short": (1, 30, 125, 30)}
random = np.random.default_rng(1)
arrays = {}
for name, (low, high, rate, samples) in CASES.items():
    time = np.arange(samples) / rate
    signal = 200 * np.sin(2 * np.pi * 1.2 * time) + 800 * np.exp(-((time % 0.8 - 0.3) ** 2) / 2e-4) + 300 + 50 * time
    signal += random.normal(0, 20, samples)
    sections = scipy.signal.butter(4, [low, high], "bandpass", fs=rate, output="sos")
    arrays[f"{name}_settings"] = np.array([low, high, rate], float)
    arrays[f"{name}_in"] = signal
    arrays[f"{name}_out"] = np.ascontiguousarray(scipy.signal.sosfiltfilt(sections, signal))
save_file(arrays, str(pathlib.Path(__file__).parent / "band_pass.safetensors"))
