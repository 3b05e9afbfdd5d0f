"""What the drills do to a sweep: one fault at a random moment. Each takes a Drill and returns nothing; what it learns goes
into the drill (`detections`, `stopped_s`), what it expects too (`allowed_codes`, `bound_s`)."""
import errno
import signal
import sqlite3
import time

DAY_S = 86400


def at_random_moment(drill, role="worker"):
    """Waits for it; gives the processes of the role that live then, at random order. Empty where the sweep was faster."""
    run, rng = drill.run, drill.rng
    if rng.random() < 0.15 and role not in ("rank", "daemon"):  # before MPI stands their death is mpirun's business
        time.sleep(rng.uniform(0, 0.3 if run.launch == "plain" else 0.8))
    else:
        wanted = rng.randint(1, max(1, run.jobs * 2 // 3))
        run.wait_for(lambda: len(run.executions()) >= wanted, 20)
        time.sleep(rng.uniform(0, 0.03))
    targets = run.processes(role)
    rng.shuffle(targets)
    return targets


def strike(drill, target, number):
    drill.did = f"signal {int(number)} to {target.role} {target.pid}"
    drill.struck_s, drill.struck_utc = time.monotonic(), time.time()
    drill.run.signal(target.pid, number)


def go_on_later(drill, target, least_s, most_s):
    time.sleep(drill.rng.uniform(least_s, most_s))
    drill.run.signal(target.pid, signal.SIGCONT)


def attempt_of(drill, pid):
    """The attempt that a worker was at when it was struck; None if it was idle."""
    for execution in reversed(drill.run.executions()):
        if execution.pid == pid:
            return None if execution.finished else execution.attempt
    return None


def kill_worker(drill):
    for target in at_random_moment(drill)[:1]:
        strike(drill, target, signal.SIGKILL)
        drill.watch_attempt("worker death", attempt_of(drill, target.pid))


def kill_helper(drill):
    """While the sweep is being planned."""
    drill.allowed_codes |= {3}
    if drill.run.wait_for(lambda: drill.run.processes("helper"), 2, is_looking=False):
        for target in drill.run.processes("helper")[:1]:
            strike(drill, target, signal.SIGKILL)


def stop_worker(drill):
    for target in at_random_moment(drill)[:1]:
        strike(drill, target, signal.SIGSTOP)
        if drill.rng.random() < 0.5:
            go_on_later(drill, target, 0.05, 2)
        else:
            drill.watch_attempt("worker stopped", attempt_of(drill, target.pid))


def kill_spawner(drill):
    drill.allowed_codes |= {3}
    for target in at_random_moment(drill, "spawner")[:1]:
        strike(drill, target, signal.SIGKILL)


def stop_spawner(drill):
    drill.allowed_codes |= {3}
    for target in at_random_moment(drill, "spawner")[:1]:
        strike(drill, target, signal.SIGSTOP)
        go_on_later(drill, target, 0.05, 2.5)


def kill_coordinator(drill):
    drill.allowed_codes |= {-signal.SIGKILL, 137}
    for target in at_random_moment(drill, "coordinator")[:1]:
        strike(drill, target, signal.SIGKILL)
        drill.was_coordinator_killed = True
        if drill.run.launch == "ranks" and drill.run.wait_for(lambda: "starting again" in drill.run.error_text(), 20):
            drill.detections.append(("coordinator death", time.monotonic() - drill.struck_s))


def stop_coordinator(drill):
    for target in at_random_moment(drill, "coordinator")[:1]:
        strike(drill, target, signal.SIGSTOP)
        go_on_later(drill, target, 0.05, 4)


def kill_rank(drill):
    drill.allowed_codes |= drill.codes_of_dead_rank()
    for target in at_random_moment(drill, "rank")[:1]:
        strike(drill, target, signal.SIGKILL)
        drill.watch_rank("rank death", target.rank)


def stop_rank(drill):
    for target in at_random_moment(drill, "rank")[:1]:
        strike(drill, target, signal.SIGSTOP)
        go_on_later(drill, target, 0.05, 5)


def kill_mpirun(drill):
    drill.allowed_codes |= {-signal.SIGKILL}
    for target in at_random_moment(drill, "mpirun")[:1]:
        strike(drill, target, signal.SIGKILL)


def stop_mpirun(drill):
    for target in at_random_moment(drill, "mpirun")[:1]:
        strike(drill, target, signal.SIGSTOP)
        go_on_later(drill, target, 0.05, 2)


def kill_daemon(drill):
    drill.allowed_codes |= drill.codes_of_dead_rank()
    for target in at_random_moment(drill, "daemon")[:1]:
        strike(drill, target, signal.SIGKILL)


def kill_launcher(drill):
    drill.allowed_codes |= {-signal.SIGKILL}
    for target in at_random_moment(drill, "launcher")[:1]:
        strike(drill, target, signal.SIGKILL)


def kill_everything(drill):
    drill.allowed_codes |= {-signal.SIGKILL}
    at_random_moment(drill)
    drill.did = "everything killed"
    drill.run.kill_all()


def interrupt(drill):
    drill.allowed_codes |= {3}
    at_random_moment(drill)
    if drill.run.processes("coordinator"):
        wait_until_it_listens(drill)
        drill.did, drill.stopped_s = "interrupted", time.monotonic()
        drill.run.signal_main(drill.rng.choice([signal.SIGINT, signal.SIGTERM]))


def interrupt_twice(drill):
    interrupt(drill)
    time.sleep(drill.rng.uniform(0.05, 0.3))
    drill.run.signal_main(signal.SIGINT)
    drill.did = "interrupted twice"


def wait_until_it_listens(drill):
    """A signal before the sweep has begun ends the program as any other: only later ones are interruptions."""
    drill.run.wait_for(lambda: drill.run.executions(), 20)


def full_disk(drill):
    disk_error(drill, errno.ENOSPC, "disk full")


def read_only_disk(drill):
    disk_error(drill, errno.EROFS, "disk read-only")


def disk_error(drill, number, what):
    drill.allowed_codes |= {1, 2, 3}
    at_random_moment(drill)
    drill.did = what
    drill.run.control(disk_error=number)
    time.sleep(drill.rng.uniform(0.1, 1.5))
    drill.run.control()


def slow_disk(drill):
    at_random_moment(drill)
    drill.did = "disk slow"
    drill.run.control(sync_delay_s=drill.rng.uniform(0.5, 3))
    time.sleep(drill.rng.uniform(0.5, 2))
    drill.run.control(sync_delay_s=0.05)


def clock_jump(drill):
    at_random_moment(drill)
    drill.did = "clock jumped"
    drill.run.control(clock_jump_s=drill.rng.choice([-1, 1]) * drill.rng.uniform(1, DAY_S))


def locked_database(drill):
    drill.allowed_codes |= {3}  # while the file is being made nobody waits for the lock
    at_random_moment(drill)
    drill.did = "database locked"
    try:
        other = sqlite3.connect(drill.run.database, timeout=5, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(drill.rng.uniform(0.3, 3))
        other.execute("ROLLBACK")
        other.close()
    except sqlite3.Error as error:
        drill.did = f"database could not be locked: {error}"


def second_coordinator(drill):
    at_random_moment(drill)
    run = drill.run
    code, text = run.start_another()
    drill.did = f"a second coordinator: exit code {code}"
    if run.exit_code() is None and (code != 2 or "in use by another leadsweep" not in text):
        drill.problems.append(f"the second coordinator ended with {code}: {text[-300:]}")
    if code == 0 and "in use by another leadsweep" in run.error_text():
        drill.allowed_codes |= {2}  # the first one was planning still: the second has taken the database before it


def worker_mode(drill):
    """The fake workers themselves fail, from the start on."""
    drill.did = "workers: " + drill.run.environment["LEADSWEEP_FAKE_MODE"]
