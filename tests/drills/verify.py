#!/usr/bin/env python3
"""The oracle of the drills: compares a database of results with the journal that the fake workers wrote.

Every finished job has exactly one committed result, and that is the result of a traced execution; every other job has a
terminal state, or waits where the sweep was interrupted; what was once shown as done stays as it is; attempt ids are
used once. Usage: verify.py DATABASE JOURNAL [--interrupted]: prints what is wrong and ends with 1, or prints the counts.
"""
import argparse
import collections
import pathlib
import sqlite3
import sys

TERMINAL = {"finished", "failed", "invalid", "cancelled"}

Execution = collections.namedtuple("Execution", "key attempt token pid started steps finished")


def read_journal(path):
    """Executions in order of their start; seconds are those of the monotonic clock. A torn last line is left out."""
    executions = {}
    if not pathlib.Path(path).exists():
        return []
    for line in pathlib.Path(path).read_text().split("\n")[:-1]:
        what, key, attempt, token, seconds, pid = line.split(" ")
        name = (int(attempt), int(token))
        if what == "start":
            executions[name] = Execution(key, int(attempt), int(token), int(pid), float(seconds), [], [])
        else:
            getattr(executions[name], {"step": "steps", "finish": "finished"}[what]).append(float(seconds))
    return list(executions.values())


def shown_as_done(connection):
    """What a reader sees as done: winning attempt by key."""
    return dict(connection.execute("SELECT key, winning_attempt_id FROM jobs WHERE state = 'finished'"))


def problems_of_file(connection):
    for (answer,) in connection.execute("PRAGMA integrity_check"):
        if answer != "ok":
            yield f"integrity_check: {answer}"
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield f"foreign_key_check: {row}"


def problems_of_jobs(connection, jobs, is_interrupted):
    states = collections.Counter(state for (state,) in connection.execute("SELECT state FROM jobs"))
    if jobs is not None and sum(states.values()) != jobs:
        yield f"{sum(states.values())} jobs in the database, {jobs} in the sweep"
    allowed = TERMINAL | ({"waiting"} if is_interrupted else set())
    for state in sorted(set(states) - allowed):
        yield f"{states[state]} jobs are {state}"
    for attempt, key in connection.execute(
            "SELECT attempt_id, key FROM attempts JOIN jobs USING (job_id) WHERE outcome IS NULL"):
        yield f"attempt {attempt} of {key[:8]} is open"
    for key, count in connection.execute(
            "SELECT key, (SELECT count(*) FROM attempts AS a WHERE a.job_id = j.job_id AND a.outcome = 'finished') AS n "
            "FROM jobs AS j WHERE n <> (state = 'finished')"):
        yield f"job {key[:8]} has {count} committed results"


def problems_of_results(connection, executions):
    """Results against the journal, and attempts that ran without being known or ran twice."""
    runs = collections.defaultdict(list)
    for execution in executions:
        runs[execution.attempt].append(execution)
    for attempt, of_attempt in runs.items():
        if len(of_attempt) > 1:
            yield f"attempt id {attempt} was used {len(of_attempt)} times"
    rows = connection.execute(
        "SELECT j.key, j.winning_attempt_id, m.value FROM jobs AS j LEFT JOIN metrics AS m "
        "ON m.attempt_id = j.winning_attempt_id AND m.name = 'token' WHERE j.state = 'finished'")
    for key, attempt, token in rows:
        if token is None:
            yield f"the result of {key[:8]} has no rows"
        elif not any(e.key == key and e.token == int(token) and e.finished for e in runs.get(attempt, [])):
            yield f"the result of {key[:8]} (attempt {attempt}) is of no traced execution"
    folders = connection.execute("SELECT attempt_id, key, folder FROM attempts JOIN jobs USING (job_id)")
    for attempt, key, folder in folders:
        if folder != f"{key}/{attempt}":
            yield f"attempt {attempt} of {key[:8]} has the folder {folder}"


def problems_of_shown(connection, shown, executions):
    """`shown`: key -> (winning attempt, when it was first seen)."""
    now = shown_as_done(connection)
    for key, (attempt, seen_s) in shown.items():
        if now.get(key) != attempt:
            yield f"{key[:8]} was shown as done by attempt {attempt}, now by {now.get(key)}"
        for execution in executions:
            if execution.key == key and execution.started > seen_s + 1:
                yield f"{key[:8]} was done, and was run again as attempt {execution.attempt}"


def lost_results(connection, shown):
    now = shown_as_done(connection)
    return sum(1 for key, (attempt, _) in shown.items() if now.get(key) != attempt)


def duplicates(connection):
    return connection.execute("SELECT count(*) FROM (SELECT job_id FROM attempts WHERE outcome = 'finished' "
                              "GROUP BY job_id HAVING count(*) > 1)").fetchone()[0]


def late_steps(executions, stopped_s, bound_s):
    """Steps later than `bound_s` after a stop; both on the monotonic clock."""
    for execution in executions:
        late = [step for step in execution.steps if step > stopped_s + bound_s]
        if late:
            yield f"attempt {execution.attempt} went on for {max(late) - stopped_s:.2f} s after the stop"


def verify(database, journal, jobs=None, is_interrupted=False, shown=None):
    """All problems; an empty list if there are none."""
    executions = read_journal(journal)
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return [*problems_of_file(connection), *problems_of_jobs(connection, jobs, is_interrupted),
                *problems_of_results(connection, executions), *problems_of_shown(connection, shown or {}, executions)]
    finally:
        connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("database")
    parser.add_argument("journal")
    parser.add_argument("--interrupted", action="store_true", help="jobs may wait")
    options = parser.parse_args()
    problems = verify(options.database, options.journal, is_interrupted=options.interrupted)
    print("\n".join(problems) if problems else f"{len(read_journal(options.journal))} executions, all is well")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
