#!/usr/bin/env python3
"""sqlite3, pandas (results/examples), DuckDB and datasette read the views. Usage: readers_test.py DATABASE_PROGRAM FOLDER SOURCE_FOLDER.

Those that are not installed (LEADSWEEP_PYTHON names another Python) are left out, and said so; Python's own sqlite3 is always there.
"""
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import sample

folder, source = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
python = os.environ.get("LEADSWEEP_PYTHON", sys.executable)
VIEWS = ("runs", "scores", "lead_importance_by_class", "failures")
database = sample.database(sys.argv[1], folder)
bytes_before = database.read_bytes()
failures = 0


def report(name, found):
    global failures
    if isinstance(found, str):
        print(f"left out: {name}: {found}")
        return
    failures += found.returncode != 0
    print(f"{'ok  ' if found.returncode == 0 else 'FAIL'} {name}", (found.stderr or "")[-500:] if found.returncode else "")


def run(*words):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True)


def has(module):
    return run(python, "-c", f"import {module}").returncode == 0


with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
    for view in VIEWS:
        print("ok   Python's sqlite3:", view, connection.execute(f"SELECT count(*) FROM {view}").fetchone()[0], "rows")
report("sqlite3 -readonly", run("sqlite3", "-readonly", database, *[f"SELECT * FROM {v} LIMIT 1" for v in VIEWS])
       if shutil.which("sqlite3") else "not installed")
report("pandas, results/examples/compare.py", run(python, source / "results/examples/compare.py", database) if has("pandas") else "not installed")
DUCK = ("import duckdb, sys\ntry:\n    duckdb.sql('LOAD sqlite')\nexcept Exception:\n    try:\n        duckdb.sql('INSTALL sqlite; LOAD sqlite')\n"
        "    except Exception as e:\n        print('SKIPPED', e); sys.exit()\n"
        f"duckdb.sql(\"ATTACH '{database}' AS r (TYPE sqlite, READ_ONLY)\")\n"
        "print(duckdb.sql('SELECT loss, avg(macro_f1) FROM r.runs GROUP BY 1').fetchall(), duckdb.sql('SELECT count(*) FROM r.jobs').fetchall())")
if has("duckdb"):
    found = run(python, "-c", DUCK)
    report("DuckDB", "its sqlite extension cannot be fetched here" if "SKIPPED" in found.stdout else found)
else:
    report("DuckDB", "not installed")
report("datasette", run(python, "-m", "datasette", database, "--get", "/sample/runs.json?_size=1") if has("datasette") else "not installed")
if database.read_bytes() != bytes_before:
    print("FAIL a reader changed the file")
    failures += 1
sys.exit(1 if failures else 0)
