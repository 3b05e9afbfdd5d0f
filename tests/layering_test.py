#!/usr/bin/env python3
"""Checks who includes whom, where third-party headers come in, and how long files are.

The table below is the only statement of the layers that a machine reads. Prints every violation as file:line and ends
with 1 if there is one. Usage: layering_test.py [source folder]
"""
import pathlib
import re
import sys

# Folder -> folders of this project that its files may include, besides itself. `folder/` means all below it.
SHARED = ["shared/"]
MAY_INCLUDE = {
    "shared/core": [],
    "shared/ecg": ["shared/core"],
    "shared/arrays": ["shared/core"],
    "shared/metrics": ["shared/core", "shared/ecg"],  # figures are told by class, and classes lie in ecg/
    "shared/job": ["shared/core", "shared/ecg", "shared/arrays", "shared/metrics"],
    "shared/protocol": ["shared/core", "shared/job"],
    "orchestrator/plan": SHARED,
    "orchestrator/schedule": SHARED,
    "orchestrator/transport": SHARED,
    "orchestrator/store": SHARED,
    "orchestrator/launch": SHARED + ["orchestrator/transport"],
    "orchestrator/statistics": ["shared/core", "shared/metrics"],
    "orchestrator/report": SHARED + ["orchestrator/store", "orchestrator/statistics"],
    "orchestrator/progress": SHARED + ["orchestrator/schedule"],
    "orchestrator/control": SHARED,
    "orchestrator/serve": SHARED + ["orchestrator/report", "orchestrator/store"],
    "orchestrator/slurm": SHARED,
    "orchestrator/coordinator": SHARED + ["orchestrator/" + name for name in
                                          ("plan", "schedule", "transport", "store", "launch", "progress", "control")],
    "orchestrator/commands": SHARED + ["orchestrator/"],
    "orchestrator": SHARED + ["orchestrator/commands"],
    "worker/comm": SHARED,
    "worker/dataset": SHARED,
    "worker/model": SHARED + ["worker/comm"],
    "worker/train": SHARED + ["worker/comm", "worker/dataset", "worker/model"],
    "worker/explain": SHARED + ["worker/comm", "worker/dataset", "worker/model"],
    "worker": SHARED + ["worker/"],
    "tests/support": SHARED + ["tests/support"],
    "tests/shared": SHARED + ["tests/support"],
    "tests/orchestrator": SHARED + ["orchestrator/", "tests/support", "tests/orchestrator/"],
    "tests/worker": SHARED + ["worker/", "tests/support", "tests/worker/"],
    "tests/mpi": SHARED + ["orchestrator/transport", "tests/support"],
    "tests/e2e": SHARED + ["tests/"],
    "tests/simulation": SHARED + ["orchestrator/schedule", "tests/support"],
    "tests/browser": SHARED + ["orchestrator/store"],
    "tests/fuzz": SHARED + ["orchestrator/plan", "worker/dataset", "tests/support"],
    "tests/drills": SHARED + ["tests/"],
    "tests/bench": SHARED + ["orchestrator/", "worker/", "tests/"],
}

# Third-party header -> where it may be included. Tests of a folder may use what the folder itself may.
TORCH = r"(torch|ATen|c10|caffe2)/.*|cuda.*\.h"
DOORS = [
    (TORCH, ["worker/"], ["worker/dataset/"], ["worker/dataset/resample.cpp"]),
    (r"nccl\.h", ["worker/comm/nccl.cpp"], [], []),
    (r"SQLiteCpp/.*|sqlite3\.h", ["orchestrator/store/"], [], []),
    (r"mpi\.h", ["orchestrator/transport/"], [], []),
    (r"yaml-cpp/.*", ["orchestrator/plan/"], [], []),
    (r"matio\.h", ["worker/dataset/matlab5.cpp"], [], []),
    (r"httplib\.h", ["orchestrator/serve/"], [], []),
    (r"boost/.*", ["orchestrator/statistics/"], [], []),
]
TESTED_OUTSIDE = {"tests/bench/": "worker/"}  # the benchmarks train networks

MAX_LINES = 400
MAX_LINES_OF_A_MAIN = 60
MAINS = ["orchestrator/main.cpp", "worker/main.cpp"]

SUFFIXES = {".cpp", ".hpp", ".h", ".c", ".cu"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def folder_of(path):
    """The longest key of MAY_INCLUDE that holds this path; None if the layers do not know the folder."""
    parent = str(pathlib.PurePosixPath(path).parent)
    while parent != ".":
        if parent in MAY_INCLUDE:
            return parent
        parent = str(pathlib.PurePosixPath(parent).parent)
    return None


def is_below(path, places):
    """Whether path lies in one of these places: `folder` is that folder alone, `folder/` also all below it."""
    parent = str(pathlib.PurePosixPath(path).parent)
    return any(path == place or parent == place or (place.endswith("/") and path.startswith(place)) for place in places)


def problem_of_own_include(path, folder, included):
    if included.split("/")[0] not in ("shared", "orchestrator", "worker", "tests"):
        return None if is_generated(included) else f'"{included}" is not relative to the root'
    if is_below(included, [folder, *MAY_INCLUDE[folder]]):
        return None
    return f"{folder} must not include {included}"


def is_generated(included):
    return included.startswith("embedded/")


def problem_of_third_party(path, included):
    for prefix, place in TESTED_OUTSIDE.items():
        if path.startswith(prefix):
            path = place + path[len(prefix):]
    is_test = path.startswith("tests/")
    path = path[len("tests/"):] if is_test else path
    for pattern, places, closed, exceptions in DOORS:
        if not re.fullmatch(pattern, included):
            continue
        if not is_below(path, places):
            return f"<{included}> may be included in {', '.join(places)} only"
        if not is_test and is_below(path, closed) and path not in exceptions:
            return f"<{included}> may be included in {', '.join(exceptions)} only, of {', '.join(closed)}"
    return None


def problems_of(root, path):
    text = (root / path).read_text(encoding="utf-8")
    lines = text.splitlines()
    limit = MAX_LINES_OF_A_MAIN if path in MAINS else MAX_LINES
    if len(lines) > limit:
        yield f"{path}:{limit + 1}: {len(lines)} lines, at most {limit} are allowed"
    folder = folder_of(path)
    if folder is None:
        yield f"{path}:1: its folder is not in the table of {pathlib.Path(__file__).name}"
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        mark, included = match.groups()
        problem = problem_of_third_party(path, included)
        if not problem and mark == '"':
            problem = problem_of_own_include(path, folder, included)
        if not problem and mark == "<" and included.split("/")[0] in ("shared", "orchestrator", "worker", "tests"):
            problem = f'<{included}>: files of this project are included with quotes'
        if problem:
            yield f"{path}:{number}: {problem}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    sources = sorted(str(path.relative_to(root).as_posix()) for top in ("shared", "orchestrator", "worker", "tests")
                     for path in (root / top).rglob("*") if path.suffix in SUFFIXES)
    if not sources:
        print(f"no sources below {root}")
        return 1
    problems = [problem for path in sources for problem in problems_of(root, path)]
    for problem in problems:
        print(problem)
    print(f"{len(sources)} source files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
