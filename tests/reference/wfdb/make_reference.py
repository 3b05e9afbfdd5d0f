"""Writes a tiny WFDB record in several files, and what wfdb-python and SciPy read from it and from real records.

Run: python make_reference.py FOLDER_OF_REAL_RECORDS
tiny.*: 3 signals with different gains, baselines and units, one missing sample. real.csv: one line per folder of real
records: how many, SHA-256 over the ADC values of all records in path order (int32, lead by lead), and, for the records
whose header wfdb-python accepts, how many and the sum of |physical value| in mV.
"""
import csv
import hashlib
import pathlib
import sys

import numpy as np
import scipy.io
import wfdb
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
SAMPLES = 40


def make_tiny():
    time = np.arange(SAMPLES)
    digital = np.stack([300 * np.sin(time / 5) + 20, 1000 * np.cos(time / 7) - 500, 40 * time - 700], axis=1)
    digital = np.rint(digital).astype(np.int64)
    digital[11, 1] = -32768
    wfdb.wrsamp("tiny", fs=250, units=["mV", "uV", "mV"], sig_name=["I", "II", "V1"], d_signal=digital,
                fmt=["16"] * 3, adc_gain=[1000.0, 1.0, 2.5e2], baseline=[0, 12, -5], write_dir=str(HERE),
                comments=["Age: 60", "Dx: 426783006,59118001", "Patient: 17"])
    record = wfdb.rdrecord(str(HERE / "tiny"))
    scale = np.array([1000.0, 1.0, 1000.0])  # units to uV
    save_file({"physical_uv": np.ascontiguousarray((record.p_signal * scale).T)}, str(HERE / "tiny.safetensors"))
    # The same digital values in MATLAB level 4, of every element type.
    header = (HERE / "tiny.hea").read_text().splitlines()
    for name, kind in [("int16", np.int16), ("int32", np.int32), ("double", np.float64), ("single", np.float32),
                       ("int16_big_endian", np.dtype(">i2"))]:
        matrix = digital.T.astype(kind)
        if name == "int16_big_endian":
            prefix = np.array([1030, 3, SAMPLES, 0, 4], dtype=">i4").tobytes() + b"val\0"
            (HERE / f"tiny_{name}.mat").write_bytes(prefix + matrix.T.tobytes())
        else:
            scipy.io.savemat(HERE / f"tiny_{name}.mat", {"val": matrix}, format="4")
        lines = [header[0].replace("tiny", f"tiny_{name}.mat", 1)]
        lines += [line.replace("tiny.dat 16", f"tiny_{name}.mat 16x1+24") for line in header[1:]]
        (HERE / f"tiny_{name}.hea").write_text("\n".join(lines) + "\n")


def digital_of(path):
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip() and line[0] != "#"]
    signals = [line.split() for line in lines[1:]]
    file = path.parent / signals[0][0]
    if file.suffix == ".mat":
        return scipy.io.loadmat(file)["val"].astype("<i4")
    return np.fromfile(file, "<i2").reshape(-1, len(signals)).T.astype("<i4")


def survey_real(folder):
    rows = []
    for source in sorted(child for child in folder.iterdir() if child.is_dir()):
        digest, count, physical_count, physical_sum = hashlib.sha256(), 0, 0, 0.0
        for path in sorted(source.glob("*.hea")):
            digital = np.ascontiguousarray(digital_of(path))
            digest.update(digital.tobytes())
            count += 1
            try:
                record = wfdb.rdrecord(str(path.with_suffix("")))
            except Exception:  # wfdb-python refuses dates that come first, among others
                continue
            if record.units[0].lower() == "mv":
                physical_count += 1
                physical_sum += float(np.abs(record.p_signal).sum())
        if count:
            rows.append([source.name, count, digest.hexdigest(), physical_count, repr(physical_sum)])
    with open(HERE / "real.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["folder", "records", "digital_sha256", "physical_records", "physical_sum_mv"])
        writer.writerows(rows)


make_tiny()
if len(sys.argv) > 1:
    survey_real(pathlib.Path(sys.argv[1]))
