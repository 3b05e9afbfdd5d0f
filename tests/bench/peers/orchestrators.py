"""Jobs that do nothing on another orchestrator, two slots, with its fastest documented settings.

Usage: orchestrators.py NAME JOBS. Prints {"jobs_per_s", "version", "settings"} as JSON, or why it is skipped (exit code 3).
"""
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time


def skip(why: str) -> None:
    print(f"skipped: {why}")
    sys.exit(3)


def version_of(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        skip(f"Python package {package} is not installed")


def nothing(*_args, **_kwargs):
    return None


def hyperqueue(jobs: int) -> dict:
    version = version_of("hyperqueue")
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig
    with LocalCluster(worker_config=WorkerConfig(cores=2)) as cluster:
        client = cluster.client()
        job = Job()
        for _ in range(jobs):
            job.program(["/bin/true"], stdout=None, stderr=None)
        start = time.monotonic()
        client.wait_for_jobs([client.submit(job)])
        return {"jobs_per_s": jobs / (time.monotonic() - start), "version": version,
                "settings": "one job of many tasks, a process each (it has no warm workers), no output files"}


def libensemble(jobs: int) -> dict:
    version = version_of("libensemble")
    import numpy
    from libensemble.alloc_funcs.give_sim_work_first import give_sim_work_first
    from libensemble.gen_funcs.sampling import uniform_random_sample
    from libensemble.libE import libE

    def simulate(points, _persistent, _specs):
        return numpy.zeros(len(points), dtype=[("f", float)])

    settings = {"nworkers": 2, "comms": "local", "disable_log_files": True, "safe_mode": False,
                "save_H_and_persis_on_abort": False}
    generate = {"gen_f": uniform_random_sample, "out": [("x", float, (1,))],
                "user": {"gen_batch_size": jobs, "lb": numpy.array([0.0]), "ub": numpy.array([1.0])}}
    start = time.monotonic()
    libE({"sim_f": simulate, "in": ["x"], "out": [("f", float)]}, generate, {"sim_max": jobs},
         persis_info={i: {"rand_stream": numpy.random.default_rng(i)} for i in range(3)},
         alloc_specs={"alloc_f": give_sim_work_first, "user": {"num_active_gens": 1}}, libE_specs=settings)
    return {"jobs_per_s": jobs / (time.monotonic() - start), "version": version,
            "settings": "local comms, no log files, no safe mode, with start-up of its workers"}


def dask(jobs: int) -> dict:
    version = version_of("distributed")
    from dask.distributed import Client, LocalCluster, wait
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster, \
            Client(cluster) as client:
        client.submit(nothing).result()
        start = time.monotonic()
        wait(client.map(nothing, range(jobs), pure=False))
        return {"jobs_per_s": jobs / (time.monotonic() - start), "version": version, "settings": "2 processes, no dashboard"}


def gnu_parallel(jobs: int) -> dict:
    if not shutil.which("parallel"):
        skip("GNU parallel is not installed")
    version = subprocess.run(["parallel", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        subprocess.run(["parallel", "-j2", "--joblog", os.path.join(folder, "log"), "true", ":::"] + ["x"] * jobs, check=True,
                       stdout=subprocess.DEVNULL)
        return {"jobs_per_s": jobs / (time.monotonic() - start), "version": version, "settings": "-j2 with its job log"}


def main() -> None:
    known = {"HyperQueue": hyperqueue, "libEnsemble": libensemble, "Dask": dask, "GNU parallel": gnu_parallel}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print(json.dumps(known[sys.argv[1]](int(sys.argv[2]))))
        os.chdir("/")


if __name__ == "__main__":
    main()
