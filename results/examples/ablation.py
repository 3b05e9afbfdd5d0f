"""Do networks lose what their maps say they would? ablation.py DATABASE [MAPS [LEFT_OUT]]

MAPS (default real_maps) is a sweep with maps of all leads, LEFT_OUT (default leads_left_out) one that trained again without groups
of leads. For each class with at least 30 tested positives: by how much the AUROC falls without a group, beside what the map gives
to that group's leads (importance summed over leads and segments, mean over folds). Needs Python alone.
"""
import collections
import json
import sqlite3
import sys

MIN_POSITIVES = 30


def ranks(values):
    order = sorted(values)
    return [(order.index(v) + 1 + len(order) - order[::-1].index(v)) / 2 for v in values]


def spearman(a, b):
    a, b = ranks(a), ranks(b)
    mean = (len(a) + 1) / 2
    top = sum((x - mean) * (y - mean) for x, y in zip(a, b))
    below = (sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b)) ** 0.5
    return top / below if below else float("nan")


def finished(database, sweep):
    """Attempt and spec of each finished job."""
    rows = database.execute("SELECT winning_attempt_id, spec FROM jobs JOIN sweep_jobs USING (job_id) JOIN sweeps USING (sweep_id) "
                            "WHERE name = ? AND is_stale = 0 AND state = 'finished'", (sweep,)).fetchall()
    if not rows:
        sys.exit(f"no finished job of sweep {sweep}")
    return [(attempt, json.loads(spec)) for attempt, spec in rows]


def mean(values):
    return sum(values) / len(values)


def main():
    database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    maps, left_out = (sys.argv[2:] + ["real_maps", "leads_left_out"][len(sys.argv) - 2:])[:2]
    names = dict(database.execute("SELECT code, abbreviation FROM classes"))
    importance = collections.defaultdict(lambda: collections.defaultdict(list))  # class, lead -> of each fold
    for attempt, spec in finished(database, maps):
        if spec["explain"]["space"] != "leads" or spec["explain"]["align"] == "beat_time":
            continue
        for code, lead, value in database.execute(
                "SELECT class_code, lead, sum(importance) FROM lead_importance WHERE attempt_id = ? AND n > 0 GROUP BY 1, 2", (attempt,)):
            importance[code][lead].append(value)
    aurocs = collections.defaultdict(lambda: collections.defaultdict(dict))  # leads, class -> fold -> AUROC
    positives = collections.Counter()
    jobs = finished(database, left_out)
    every = max((tuple(spec["data"]["leads"]) for _, spec in jobs), key=len)
    for attempt, spec in jobs:
        leads = tuple(spec["data"]["leads"])
        for code, value, n in database.execute(
                "SELECT class_code, value, n_positive FROM metrics WHERE attempt_id = ? AND split = 'test' AND name = 'auroc' AND "
                "class_code <> '' AND value IS NOT NULL", (attempt,)):
            aurocs[leads][code][spec["fold"]] = value
            positives[code] += n if leads == every else 0

    groups = [tuple(lead for lead in every if lead not in leads) for leads in aurocs if leads != every]
    header = ["-".join((group[0], group[-1])) for group in groups]
    print(f"{'class':8} {'n':>4}  " + "  ".join(f"{'fall without ' + h:>20} {'map':>6}" for h in header))
    falls, shares, hits, correlations = [], [], 0, []
    classes = [code for code in importance if positives[code] >= MIN_POSITIVES and code in aurocs[every]]
    for code in sorted(classes, key=lambda c: -positives[c]):
        fall, share = [], []
        for group in groups:
            without = aurocs[tuple(lead for lead in every if lead not in group)][code]
            both = [fold for fold in without if fold in aurocs[every][code]]
            fall.append(mean([aurocs[every][code][fold] - without[fold] for fold in both]))
            share.append(sum(mean(importance[code][lead]) for lead in group))
        print(f"{names.get(code, code):8} {positives[code]:4}  " + "  ".join(f"{f:+20.3f} {s:+6.2f}" for f, s in zip(fall, share)))
        hits += fall.index(max(fall)) == share.index(max(share))
        correlations.append(spearman(fall, share))
        falls += fall
        shares += share
    print(f"\nthe group that is missed most is the map's first: {hits} of {len(classes)} classes (chance: {len(classes) / len(groups):.1f})")
    print(f"Spearman over the {len(groups)} groups, mean over classes: {mean(correlations):.2f}; over all classes and groups: "
          f"{spearman(falls, shares):.2f}")


if __name__ == "__main__":
    main()
