"""How often maps find what was planted: planted_maps.py DATABASE [SWEEP]

For each job and each class planted-<lead> whose tested AUROC is at least 0.95: is the planted lead first (importance summed over
segments), and is the planted tenth of the record first (summed over leads)? Signs lie where worker/dataset/synthetic.hpp says.
"""
import collections
import sqlite3
import sys

TENTH = {"I": 0, "II": 1, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 8, "V6": 9}


def main() -> None:
    database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    sweep = sys.argv[2] if len(sys.argv) > 2 else "planted_maps"
    jobs = database.execute(
        "SELECT j.job_id, j.winning_attempt_id, j.fold, j.seed FROM jobs AS j JOIN sweep_jobs USING (job_id) JOIN sweeps USING "
        "(sweep_id) WHERE name = ? AND is_stale = 0 AND state = 'finished'", (sweep,)).fetchall()
    maps = learnt = leads = segments = 0
    figures = collections.defaultdict(list)
    for _, attempt, fold, seed in jobs:
        aurocs = dict(database.execute(
            "SELECT class_code, value FROM metrics WHERE attempt_id = ? AND split = 'test' AND name = 'auroc' AND class_code LIKE "
            "'planted-%'", (attempt,)))
        for code, auroc in sorted(aurocs.items()):
            planted = code.removeprefix("planted-")
            cells = database.execute(
                "SELECT lead, segment, importance FROM lead_importance WHERE attempt_id = ? AND class_code = ?",
                (attempt, code)).fetchall()
            if not cells or cells[0][2] is None:
                print(f"fold {fold}, seed {seed}, {code}: no map")
                continue
            maps += 1
            if auroc is None or auroc < 0.95:
                print(f"fold {fold}, seed {seed}, {code}: AUROC {auroc}: not learnt, not counted")
                continue
            learnt += 1
            by_lead, by_segment = collections.Counter(), collections.Counter()
            for lead, segment, importance in cells:
                by_lead[lead] += importance
                by_segment[segment] += importance
            first_lead, first_segment = max(by_lead, key=by_lead.get), max(by_segment, key=by_segment.get)
            leads += first_lead == planted
            segments += first_segment == TENTH[planted]
            if first_lead != planted or first_segment != TENTH[planted]:
                print(f"fold {fold}, seed {seed}, {code}: {first_lead} first, segment {first_segment} first")
        for code, name, value in database.execute(
                "SELECT class_code, name, value FROM metrics WHERE attempt_id = ? AND split = 'explain'", (attempt,)):
            figures[name].append(value)
    if not learnt:
        sys.exit(f"no maps of sweep {sweep}")
    print(f"{len(jobs)} jobs, {maps} maps, {learnt} of classes with AUROC >= 0.95")
    print(f"planted lead first: {leads} of {learnt} ({100 * leads / learnt:.1f} %)")
    print(f"planted segment first: {segments} of {learnt} ({100 * segments / learnt:.1f} %)")
    for name, values in sorted(figures.items()):
        print(f"{name}: mean {sum(values) / len(values):.2f} over {len(values)} maps")


if __name__ == "__main__":
    main()
