// The live panel: what runs now, told by the server; the report below is fetched anew when results have changed.

function liveTable(caption, headings, rows) {
  const head = element("tr", {}, ...headings.map((text) => element("th", { scope: "col", text })));
  const body = rows.map((row) => element("tr", {}, ...row.map((text, i) => (i === 0 ? element("th", { scope: "row", text: String(text) }) : element("td", { text: String(text) })))));
  return element("figure", { class: "table" }, element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element("table", {}, element("caption", { text: caption }), element("thead", {}, head), element("tbody", {}, ...body))));
}

function showLive(status) {
  const panel = document.getElementById("live");
  const parts = [element("h2", { text: "Now" })];
  if (!status.is_running) {
    parts.push(element("p", { text: status.message || "No sweep runs on this database." }));
  } else {
    const done = status.finished + status.failed;
    parts.push(element("p", {}, document.createTextNode(`${status.sweep}: ${done} of ${status.jobs} jobs ended, running for ${status.elapsed}` + (status.remaining ? `, about ${status.remaining} left` : "") + (status.failed ? `; ${status.failed} failed` : "") + ".")));
    parts.push(element("progress", { max: String(Math.max(status.jobs, 1)), value: String(done), "aria-label": "jobs ended" }));
    if (status.running.length)
      parts.push(liveTable("Running", ["job", "label", "node", "device", "phase", "epoch", "loss", "records/s"], status.running.map((r) => [r.job, r.label, r.node, r.device, r.phase, r.epochs ? `${r.epoch}/${r.epochs}` : "", r.loss ? r.loss.toFixed(4) : "", r.records_per_s ? r.records_per_s.toFixed(0) : ""])));
    const curves = status.running.filter((r) => r.curve && r.curve.length > 1).slice(0, 8);
    if (curves.length) {
      const charts = element("div", { class: "charts" });
      for (const r of curves) charts.append(lineChart([{ name: "loss", points: r.curve }], { title: `Job ${r.job}: ${r.label}`, x: "epoch", y: "training loss" }));
      parts.push(charts);
    }
    if (status.nodes.length) parts.push(liveTable("Devices", ["node", "kind", "workers", "busy"], status.nodes.map((n) => [n.node, n.device_kind, n.workers, `${n.busy} (${n.workers ? Math.round((100 * n.busy) / n.workers) : 0} %)`])));
  }
  if (status.failures && status.failures.length) {
    parts.push(element("h3", { text: "Latest failures" }));
    for (const f of status.failures) {
      const open = document.querySelector(`details[data-attempt="${Number(f.attempt)}"]`);
      const box = element("details", { "data-attempt": String(Number(f.attempt)) }, element("summary", { text: `Job ${f.job}, attempt ${f.attempt}: ${f.class}: ${f.message}` }), element("pre", { text: f.log || "no log here" }));
      if (open && open.open) box.open = true;
      parts.push(box);
    }
  }
  panel.replaceChildren(...parts);
}

async function refreshReport() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("content");
  if (!fresh) return;
  const opened = Array.from(document.querySelectorAll("#content details[open] summary")).map((s) => s.textContent);
  document.getElementById("content").replaceWith(document.adoptNode(fresh));
  for (const summary of document.querySelectorAll("#content details summary"))
    if (opened.includes(summary.textContent)) summary.parentElement.open = true;
  fillReport();
}

const events = new EventSource("events" + location.search);
events.addEventListener("status", (event) => showLive(JSON.parse(event.data)));
events.addEventListener("changed", () => {
  // Readers do not all ask at once.
  setTimeout(refreshReport, Math.random() * 3000);
});
