#!/usr/bin/env python3
"""Reads a database of leadsweep with pandas: means by loss and rate, and paired gains. Usage: compare.py [DATABASE]"""
import sqlite3
import sys

import pandas as pd

path = sys.argv[1] if len(sys.argv) > 1 else "results/out/leadsweep.sqlite"
with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
    runs = pd.read_sql("SELECT * FROM runs WHERE state = 'finished'", database)
    scores = pd.read_sql("SELECT * FROM scores WHERE split = 'test' AND metric = 'auroc' AND class_code <> ''", database)

print(runs.groupby(["sweep", "loss", "sampling_hz"])[["macro_f1", "macro_auroc"]].agg(["mean", "std", "count"]).round(3))

folds = runs.pivot_table(index=["sweep", "sampling_hz", "fold"], columns="loss", values="macro_f1")
if {"bce", "double_soft_f1"} <= set(folds.columns):
    gain = (folds["double_soft_f1"] - folds["bce"]).groupby(["sweep", "sampling_hz"])
    print("\nGain of double soft F1 over BCE, fold by fold\n", gain.agg(["mean", "std", "count"]).round(3))

print("\nBest ranked classes\n", scores.groupby("class_abbr")["value"].mean().sort_values(ascending=False).head().round(3))
