"""Writes a tiny WFDB record in several files, and what wfdb-python and SciPy read from it and from real records.

Run: python make_reference.py FOLDER_OF_REAL_RECORDS
tiny.*: 3 signals with different gains, baselines and units, one missing sample. real.csv: one line per folder of real
records: how many, SHA-256 over the ADC values of all records in path order (int32, lead by lead), how many records
wfdb-python reads (it must give the same ADC values), the sum of |physical value| in mV of those in mV, and why it rejects
the others. format_*: 3 signals of 41 samples in each WFDB format, one of them missing; frames.*: signals of several rates,
one of them skewed; level5*.mat: the ADC values of tiny in MATLAB level 5, the last two damaged. formats.safetensors: what wfdb-python reads.
"""
import csv
import hashlib
import pathlib
import struct
import sys
import zlib

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


FORMATS = {"16": 15, "24": 23, "32": 31, "61": 15, "80": 7, "212": 11}  # format -> bits of the magnitude


def bytes_of(fmt, digital):
    """The formats that wfdb-python reads but does not write, as signal(5) describes them."""
    stream = digital.ravel()
    if fmt == "61":
        return stream.astype(">i2").tobytes()
    pairs = np.append(stream, np.zeros(len(stream) % 2, int)).reshape(-1, 2) & 0xFFF
    packed = np.stack([pairs[:, 0] & 0xFF, pairs[:, 0] >> 8 | pairs[:, 1] >> 8 << 4, pairs[:, 1] & 0xFF], axis=1)
    return packed.astype(np.uint8).tobytes()[: (3 * len(stream) + 1) // 2]


def make_formats():
    """41 samples of 3 signals, so that the last group of format 212 is not full."""
    arrays = {}
    time = np.arange(41)
    for fmt, bits in FORMATS.items():
        largest = 2.0**bits - 1
        digital = np.stack([largest * np.sin(time / 5), 0.3 * largest * np.cos(time / 3), 3 * time - 60], axis=1)
        digital = np.rint(digital).astype(np.int64)
        digital[7, 1] = -(2**bits)
        name = f"format_{fmt}"
        written = "16" if fmt in ("61", "212") else fmt
        wfdb.wrsamp(name, fs=500, units=["mV"] * 3, sig_name=["I", "II", "V1"], d_signal=digital, fmt=[written] * 3,
                    adc_gain=[1000.0, 500.0, 200.0], baseline=[0, 3, -4], write_dir=str(HERE))
        if written != fmt:
            header = HERE / f"{name}.hea"
            header.write_text(header.read_text().replace(f"{name}.dat 16 ", f"{name}.dat {fmt} "))
            (HERE / f"{name}.dat").write_bytes(bytes_of(fmt, digital))
        record = wfdb.rdrecord(str(HERE / name), physical=False)
        assert (record.d_signal == digital).all()
        arrays[f"{name}_digital"] = np.ascontiguousarray(record.d_signal.T).astype(np.int32)
        arrays[f"{name}_uv"] = np.ascontiguousarray((wfdb.rdrecord(str(HERE / name)).p_signal * 1000).T)
    return arrays


def make_frames():
    """Frames of 125 Hz: I with 4 samples a frame and 2 frames late, II with 4, ABP with 1."""
    frames = 30
    time = np.arange(4 * frames)
    signals = [np.rint(900 * np.sin(time / 9)), np.rint(500 * np.cos(time / 11)), np.arange(frames) * 10]
    signals = [signal.astype(np.int64) for signal in signals]
    record = wfdb.Record(record_name="frames", n_sig=3, fs=125, sig_len=frames, file_name=["frames.dat"] * 3,
                         fmt=["16"] * 3, adc_gain=[1000.0, 1000.0, 10.0], baseline=[0, 0, 0],
                         units=["mV", "mV", "mmHg"], sig_name=["I", "II", "ABP"], samps_per_frame=[4, 4, 1],
                         e_d_signal=signals)
    record.set_d_features(expanded=True)
    record.set_defaults()
    record.wrsamp(expanded=True, write_dir=str(HERE))
    header = HERE / "frames.hea"
    header.write_text(header.read_text().replace("frames.dat 16x4 ", "frames.dat 16x4:2 ", 1))
    read = wfdb.rdrecord(str(HERE / "frames"), physical=False, smooth_frames=False)
    return {"frames_I": read.e_d_signal[0].astype(np.int32), "frames_II": read.e_d_signal[1].astype(np.int32)}


def make_level5():
    digital = scipy.io.loadmat(HERE / "tiny_int16.mat")["val"]
    lines = (HERE / "tiny.hea").read_text().splitlines()
    kinds = {"level5": (digital.astype(np.int16), False), "level5_compressed": (digital.astype(np.float64), True)}
    for name, (matrix, is_compressed) in kinds.items():
        scipy.io.savemat(HERE / f"{name}.mat", {"note": "text comes first", "val": matrix}, do_compression=is_compressed)
    for name in kinds:
        header = [lines[0].replace("tiny", name, 1)]
        header += [line.replace("tiny.dat 16", f"{name}.mat 16") for line in lines[1:]]
        (HERE / f"{name}.hea").write_text("\n".join(header) + "\n")
    make_damaged_level5()


def make_damaged_level5():
    """Compressed matrices that are not what they say: a name of 4 GB, and a structure. Both fit level5_compressed.hea."""
    whole = (HERE / "level5_compressed.mat").read_bytes()
    first_bytes = struct.unpack_from("<I", whole, 132)[0]
    matrix = zlib.decompress(whole[136 : 136 + first_bytes])
    long_name = matrix[:40] + struct.pack("<II", 1, 0xFFFFFFF0) + matrix[48:]
    structure = matrix[:16] + struct.pack("<I", 2) + matrix[20:]
    for name, element in {"level5_long_name": long_name, "level5_structure": structure}.items():
        compressed = zlib.compress(element, 0)  # stored as it is: so a fuzzer reaches what is within
        element_tag = struct.pack("<II", 15, len(compressed))
        (HERE / f"{name}.mat").write_bytes(whole[:128] + element_tag + compressed + whole[136 + first_bytes :])


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
        digest, count, read_count, physical_sum, reasons = hashlib.sha256(), 0, 0, 0.0, {}
        for path in sorted(source.glob("*.hea")):
            digital = np.ascontiguousarray(digital_of(path))
            digest.update(digital.tobytes())
            count += 1
            try:
                record = wfdb.rdrecord(str(path.with_suffix("")))
                read = wfdb.rdrecord(str(path.with_suffix("")), physical=False).d_signal.T
            except Exception as error:
                reason = f"{type(error).__name__}: {error}".split(" (")[0].replace(path.stem, "RECORD")
                reasons[reason] = reasons.get(reason, 0) + 1
                continue
            assert (read == digital).all(), path
            read_count += 1
            if record.units[0].lower() == "mv":
                physical_sum += float(np.abs(record.p_signal).sum())
        if count:
            why = "; ".join(f"{n} x {reason}" for reason, n in sorted(reasons.items()))
            rows.append([source.name, count, digest.hexdigest(), read_count, repr(physical_sum), why])
    with open(HERE / "real.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["folder", "records", "digital_sha256", "read_by_wfdb", "physical_sum_mv", "why_wfdb_rejects"])
        writer.writerows(rows)


if __name__ == "__main__":
    make_tiny()
    save_file({**make_formats(), **make_frames()}, str(HERE / "formats.safetensors"))
    make_level5()
    if len(sys.argv) > 1:
        survey_real(pathlib.Path(sys.argv[1]))
