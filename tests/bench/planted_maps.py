"""How often maps find what was planted: planted_maps.py DATABASE [SWEEP]

For each job and each class planted-<place> whose tested AUROC is at least 0.95: is the planted lead or electrode first (importance
summed over segments), and is the planted tenth of the record first (summed over leads)? Signs lie where
worker/dataset/synthetic.hpp says. A sign of the electrodes RA, LA, LL is in several leads at once: in maps of leads none of them is
right, and what comes first is told.
"""
import collections
import json
import sqlite3
import sys

TENTH = {"I": 0, "II": 1, "RA": 0, "LA": 1, "LL": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 8, "V6": 9}
LIMB_ELECTRODES = ("RA", "LA", "LL")


class Tally:
    def __init__(self) -> None:
        self.jobs = self.maps = self.learnt = self.placed = self.leads = self.segments = 0
        self.first = collections.defaultdict(collections.Counter)
        self.figures = collections.defaultdict(list)

    def add_map(self, name: str, planted: str, auroc: float | None, cells: list) -> None:
        if not cells or cells[0][2] is None:
            print(f"{name}: no map")
            return
        self.maps += 1
        if auroc is None or auroc < 0.95:
            print(f"{name}: AUROC {auroc}: not learnt, not counted")
            return
        self.learnt += 1
        by_lead, by_segment = collections.Counter(), collections.Counter()
        for lead, segment, importance in cells:
            by_lead[lead] += importance
            by_segment[segment] += importance
        first_lead, first_segment = max(by_lead, key=by_lead.get), max(by_segment, key=by_segment.get)
        self.first[planted][first_lead] += 1
        self.segments += first_segment == TENTH[planted]
        if planted in by_lead:
            self.placed += 1
            self.leads += first_lead == planted
        if first_segment != TENTH[planted] or (planted in by_lead and first_lead != planted):
            print(f"{name}: {first_lead} first, segment {first_segment} first")

    def show(self, space: str) -> None:
        print(f"\nmaps of {space}: {self.jobs} jobs, {self.maps} maps, {self.learnt} of classes with AUROC >= 0.95")
        if not self.learnt:
            return
        if self.placed:
            print(f"planted row first: {self.leads} of {self.placed} ({100 * self.leads / self.placed:.1f} %)")
        print(f"planted segment first: {self.segments} of {self.learnt} ({100 * self.segments / self.learnt:.1f} %)")
        for planted in LIMB_ELECTRODES:
            if self.first[planted]:
                counts = ", ".join(f"{lead} {n}" for lead, n in self.first[planted].most_common())
                print(f"sign of electrode {planted}: first is {counts}")
        for name, values in sorted(self.figures.items()):
            print(f"{name}: mean {sum(values) / len(values):.2f} over {len(values)} maps")


def main() -> None:
    database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    sweep = sys.argv[2] if len(sys.argv) > 2 else "planted_maps"
    jobs = database.execute(
        "SELECT j.winning_attempt_id, j.fold, j.seed, j.spec FROM jobs AS j JOIN sweep_jobs USING (job_id) JOIN sweeps USING "
        "(sweep_id) WHERE name = ? AND is_stale = 0 AND state = 'finished'", (sweep,)).fetchall()
    tallies = collections.defaultdict(Tally)
    for attempt, fold, seed, spec in jobs:
        space = json.loads(spec)["explain"]["space"]
        tally = tallies[space]
        tally.jobs += 1
        aurocs = database.execute(
            "SELECT class_code, value FROM metrics WHERE attempt_id = ? AND split = 'test' AND name = 'auroc' AND class_code LIKE "
            "'planted-%' ORDER BY class_code", (attempt,)).fetchall()
        for code, auroc in aurocs:
            cells = database.execute("SELECT lead, segment, importance FROM lead_importance WHERE attempt_id = ? AND class_code = ?",
                                     (attempt, code)).fetchall()
            tally.add_map(f"{space}, fold {fold}, seed {seed}, {code}", code.removeprefix("planted-"), auroc, cells)
        for name, value in database.execute(
                "SELECT name, value FROM metrics WHERE attempt_id = ? AND split = 'explain' AND class_code LIKE 'planted-%'",
                (attempt,)):
            tally.figures[name].append(value)
    if not jobs:
        sys.exit(f"no finished job of sweep {sweep}")
    for space, tally in tallies.items():
        tally.show(space)


if __name__ == "__main__":
    main()
