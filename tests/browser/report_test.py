#!/usr/bin/env python3
"""The report in a real browser: no errors, no network, sorting and maps by mouse and keyboard, contrast, phone width, paper.

Usage: report_test.py LEADSWEEP SAMPLE_DATABASE_PROGRAM OUT_FOLDER. Screenshots are kept in the folder. Prints "SKIPPED: reason"
where there is no Chromium.
"""
import hashlib
import pathlib
import sqlite3
import struct
import subprocess
import sys

import chromium
import sample

CONTRAST = """(() => {
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const light = (c) => { const l = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
  const paper = (e) => { for (let n = e; n; n = n.parentElement) { const c = parse(getComputedStyle(n).backgroundColor); if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const style = getComputedStyle(e);
    if (style.display === "none" || style.visibility === "hidden" || !e.getClientRects().length || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(e.tagName)) continue;
    const ink = parse(e.closest("svg") ? style.fill : style.color), back = paper(e);
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)} "${e.textContent.trim().slice(0, 30)}"`);
  }
  return bad;
})()"""


def check(is_so, what):
    print(("ok   " if is_so else "FAIL ") + what, flush=True)
    if not is_so:
        check.failures += 1


check.failures = 0


def look(browser, page, out):
    for name, width, height, phone in (("desktop", 1280, 900, False), ("phone", 390, 844, True)):
        for dark in (False, True):
            look_name = f"{name}-{'dark' if dark else 'light'}"
            browser.view(width, height, dark, phone)
            browser.open(page.as_uri())
            check(not browser.problems, f"{look_name}: no errors in the console {browser.problems[:3]}")
            others = [url for url in browser.requests if not url.startswith(("file:", "data:"))]
            check(not others, f"{look_name}: no network {others[:3]}")
            wide = browser.run("document.documentElement.scrollWidth") - browser.run("innerWidth")
            check(wide <= 0, f"{look_name}: the page is not wider than the window ({wide} px)")
            bad = browser.run(CONTRAST)
            check(not bad, f"{look_name}: every text has a contrast of 4.5 or more {bad[:3]}")
            browser.screenshot(out / f"report-{look_name}.png")


def use(browser, page, out):
    browser.view(1280, 900)
    browser.open(page.as_uri())
    ready = browser.run("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    print(f"     drawn and interactive after {ready:.0f} ms, {page.stat().st_size / 1000:.0f} kB", flush=True)
    column = "document.querySelector('#comparison-table thead th.number button')"
    browser.run(column + ".click()")
    ascending = browser.run("[...document.querySelectorAll('#comparison-table tbody tr')].map(r => Number(r.querySelector('td[data-value]').dataset.value))")
    check(ascending == sorted(ascending) and len(ascending) > 10, "a click sorts the table by a column")
    browser.run(column + ".focus()")
    browser.key("Enter")
    descending = browser.run("[...document.querySelectorAll('#comparison-table tbody tr')].map(r => Number(r.querySelector('td[data-value]').dataset.value))")
    check(descending == sorted(ascending, reverse=True), "Enter on a heading sorts it the other way")
    check(browser.run("document.querySelector('#comparison-table th[aria-sort]').getAttribute('aria-sort')") == "descending", "the order is told to screen readers")
    check(browser.run("document.querySelectorAll('[data-figures=axis] svg').length") >= 2, "figures against the rate are drawn")
    check(browser.run("document.querySelectorAll('[data-figures=curves] svg').length") >= 12, "learning curves are drawn")
    check(browser.run("document.querySelectorAll('[data-figures=calibration] svg').length") == 2, "reliability and thresholds are drawn")
    browser.run("document.querySelector('#map-table tbody th button').focus()")
    browser.key("Enter")
    check(browser.run("document.querySelectorAll('#map-detail tbody tr').length") == 12, "a class of the map opens its twelve leads over time")
    browser.run("(() => { const s = document.querySelector('[data-figures=maps] select'); s.value = '1'; s.dispatchEvent(new Event('change')); })()")
    check(browser.run("document.querySelectorAll('#map-table tbody tr').length") > 3, "the map of another configuration is drawn")
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    browser.run("document.getElementById('theme').click()")
    check(browser.run("getComputedStyle(document.body).backgroundColor") != paper, "the button switches between light and dark")
    browser.key("Tab")
    check(browser.run("document.activeElement !== document.body"), "Tab moves the focus")
    unnamed = browser.run("[...document.querySelectorAll('button, select, a, svg[role=img]')].filter(e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.closest('label'))).length")
    check(unnamed == 0, "every control and figure has a name")
    browser.pdf(out / "report.pdf")
    check((out / "report.pdf").stat().st_size > 20000, "it can be printed")
    check(not browser.problems, f"nothing went wrong meanwhile {browser.problems[:3]}")


def drill_down(browser, page, out):
    """From a class of the map to its leads over the mean beat."""
    for name, width, height, phone, dark in (("desktop-light", 1280, 900, False, False), ("phone-dark", 390, 844, True, True)):
        browser.view(width, height, dark, phone)
        browser.open(page.as_uri())
        browser.run("document.querySelector('#map-table tbody th button').focus()")
        browser.key("Enter")
        check(browser.run("document.querySelectorAll('.beats svg').length") == 12, f"{name}: a class opens its mean beat in twelve leads")
        check(browser.run("[...document.querySelectorAll('#map-detail thead th')].map(h => h.textContent).slice(0, 3)") == ["lead", "-250 ms", "-200 ms"],
              f"{name}: the parts of the beat have their names")
        check(browser.run("[...document.querySelectorAll('.beats svg')].every(s => s.getAttribute('aria-label') && s.querySelector('polyline').getAttribute('points').split(' ').length === 81)"),
              f"{name}: each lead has its name and every moment")
        wide = browser.run("document.documentElement.scrollWidth") - browser.run("innerWidth")
        check(wide <= 0, f"{name}: the page is not wider than the window ({wide} px)")
        bad = browser.run(CONTRAST)
        check(not bad, f"{name}: every text has a contrast of 4.5 or more {bad[:3]}")
        check(not browser.problems, f"{name}: no errors {browser.problems[:3]}")
        browser.screenshot(out / f"beats-{name}.png")


def digest_of(database, sweep):
    """The digest of a sweep's results as results/README.md defines it."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    digest = hashlib.sha256()
    for key, attempt in connection.execute("SELECT key, winning_attempt_id FROM jobs JOIN sweep_jobs USING (job_id) JOIN sweeps USING (sweep_id) "
                                           "WHERE name = ? AND is_stale = 0 AND winning_attempt_id IS NOT NULL ORDER BY key", (sweep,)):
        figures = b"".join(b"%s\0%s\0%s\0%s\0%s\0%s\0" % (split.encode(), code.encode(), name.encode(), b"" if value is None else struct.pack("<d", value),
                                                          b"nan" if is_nan else b"", struct.pack("<q", n))
                           for split, code, name, value, is_nan, n in connection.execute(
            "SELECT split, class_code, name, value, is_nan, n_positive FROM metrics WHERE attempt_id = ? ORDER BY split, class_code, name", (attempt,)))
        if figures:
            digest.update(key.encode() + hashlib.sha256(figures).hexdigest().encode())
    return digest.hexdigest()


def main():
    program, out = sys.argv[1], pathlib.Path(sys.argv[3]).resolve()
    if chromium.program() is None:
        print("SKIPPED: there is no Chromium here; install Debian's package chromium")
        return 0
    database = sample.database(sys.argv[2], out)
    page, evil, beats = out / "report.html", out / "evil.html", out / "beats.html"
    subprocess.run([program, "report", "--db", database, "--sweep", "mean_beats", "--out", beats], check=True)
    subprocess.run([program, "report", "--db", database, "--sweep", "rates_and_losses", "--out", page], check=True)
    subprocess.run([program, "report", "--db", database, "--sweep", "<script>window.injected=1</script>", "--out", evil], check=True)
    check(page.stat().st_size <= 2_000_000, f"the page of 600 jobs has at most 2 MB ({page.stat().st_size})")
    check(digest_of(database, "rates_and_losses") in page.read_text(), "the page names the digest of its results")
    with chromium.Chromium() as browser:
        look(browser, page, out)
        use(browser, page, out)
        drill_down(browser, beats, out)
        browser.open(evil.as_uri())
        check(browser.run("window.injected") is None, "a sweep named <script> does nothing")
        check(not browser.problems, f"its page has no errors {browser.problems[:3]}")
    print(f"{check.failures} failures; screenshots in {out}")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
