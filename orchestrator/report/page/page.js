// Fills the figures of the report from the JSON inside it, and makes its tables sortable.

function cellValue(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  if (value !== undefined) return Number(value);
  const text = cell.textContent.trim();
  return text !== "" && !isNaN(Number(text)) ? Number(text) : text;
}

function compareValues(a, b) {
  if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function sortTable(table, column, heading) {
  const isDown = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", isDown ? "descending" : "ascending");
  const rows = Array.from(table.tBodies[0].rows);
  const keyed = rows.map((row, place) => [cellValue(row, column), place, row]);
  keyed.sort((a, b) => (a[0] === "" || b[0] === "" ? compareValues(a[0], b[0]) : (isDown ? -1 : 1) * compareValues(a[0], b[0])) || a[1] - b[1]);
  table.tBodies[0].append(...keyed.map((k) => k[2]));
}

function makeSortable(root) {
  for (const table of root.querySelectorAll("figure.table table")) {
    if (!table.tHead || table.tBodies[0].rows.length < 2) continue;
    Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
      const button = element("button", { type: "button", text: heading.textContent, title: "Sort by this column" });
      heading.replaceChildren(button);
      button.addEventListener("click", () => sortTable(table, column, heading));
    });
  }
}

function select(label, names, onChange) {
  const box = element("select", {}, ...names.map((name, i) => element("option", { value: String(i), text: name })));
  box.addEventListener("change", () => onChange(Number(box.value)));
  return element("label", {}, document.createTextNode(label + " "), box);
}

function drawAxis(place, figures) {
  const charts = element("div", { class: "charts" });
  for (const figure of figures) {
    const xs = [...new Set(figure.series.flatMap((s) => s.points.map((p) => p[0])))].sort((a, b) => a - b);
    charts.append(lineChart(figure.series, { title: `${figure.metric} against ${figure.key}`, x: figure.key, y: figure.metric, xTicks: xs, markers: true, log: xs.length > 2 && xs[xs.length - 1] >= 8 * xs[0] }));
  }
  place.replaceChildren(element("p", { class: "quiet", text: "Mean over the tested folds with corrected 95 % intervals." }), charts);
}

function drawCurves(place, figures) {
  const kFirst = 6;
  const charts = element("div", { class: "charts" });
  const add = (figure) => {
    const losses = [{ name: "training loss", points: figure.train }, { name: "validation loss", points: figure.validation }].filter((s) => s.points.length);
    charts.append(lineChart(losses, { title: figure.name, x: "epoch", y: "loss" }));
    if (figure.auroc.length) charts.append(lineChart([{ name: "validation macro AUROC", points: figure.auroc, index: 2 }], { title: figure.name, x: "epoch", y: "macro AUROC", legend: true }));
  };
  figures.slice(0, kFirst).forEach(add);
  place.replaceChildren(element("p", { class: "quiet", text: "Mean over the folds; bands reach from the lowest to the highest fold." }), charts);
  if (figures.length > kFirst) {
    const more = element("button", { type: "button", text: `Show the other ${figures.length - kFirst} configurations` });
    more.addEventListener("click", () => { more.remove(); figures.slice(kFirst).forEach(add); });
    place.append(element("p", { class: "screen" }, more));
  }
}

function drawCalibration(place, data) {
  const charts = element("div", { class: "charts" });
  const show = (index) => {
    const calibration = data.calibration[index], thresholds = data.thresholds[index];
    const drawnCharts = [lineChart([{ name: "observed", points: calibration.points }],
      { title: `Reliability, ${calibration.name}: expected calibration error ${shortNumber(calibration.error)}`, x: "mean score", y: "fraction of positives", xRange: [0, 1], yRange: [0, 1], diagonal: true, markers: true })];
    if (thresholds) {
      const curve = (name, column) => ({ name, points: thresholds.points.map((p) => [p[0], p[column]]) });
      drawnCharts.push(lineChart([curve("macro F1", 1), curve("precision", 2), curve("recall", 3)],
        { title: `Thresholds, ${thresholds.name}`, x: "threshold", y: "mean over classes", xRange: [0, 1], yRange: [0, 1] }));
    }
    charts.replaceChildren(...drawnCharts);
  };
  const controls = element("div", { class: "controls" }, select("Configuration", data.calibration.map((c) => c.name), show));
  place.replaceChildren(controls, element("p", { class: "quiet", text: "Tested folds together, over all decisions of the scored classes; thresholds over classes with positives." }), charts);
  show(0);
}

function drawMaps(place, data) {
  const holder = element("div"), detail = element("div", { "aria-live": "polite" });
  let current = 0;
  const largestOf = (rows) => Math.max(0, ...rows.flat().filter((v) => v !== null).map(Math.abs));
  const partTable = (one, parts) => {
    const largest = largestOf(one.segments);
    const head = element("tr", {}, element("th", { scope: "col", text: "lead" }), ...one.segments[0].map((v, i) => element("th", { scope: "col", class: "number", text: parts[i] || String(i + 1) })));
    const rows = one.segments.map((row, lead) => element("tr", {}, element("th", { scope: "row", text: data.leads[lead] }), ...row.map((v) => heatCell(v, largest))));
    return [element("p", { class: "quiet", text: "Sum over each part of the record:" }), heatScale(largest),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${one.abbr} by lead and time` }, element("table", { class: "heat", id: "map-detail" }, element("thead", {}, head), element("tbody", {}, ...rows)))];
  };
  const drill = (one, parts) => {
    const shown = [element("h3", { text: `${one.abbr}: lead × time`, tabindex: "-1" })];
    if (one.beat) shown.push(...beatCharts(one.beat, one.abbr));
    if (one.segments) shown.push(...partTable(one, parts));
    else shown.push(element("p", { text: "Parts of the record are kept for the first configurations only: choose another one above, or ask leadsweep map --parts." }));
    detail.replaceChildren(...shown);
    detail.scrollIntoView({ block: "nearest" });
  };
  const show = (index) => {
    current = index;
    const map = data.maps[index], largest = largestOf(map.classes.map((c) => c.leads));
    const head = element("tr", {}, element("th", { scope: "col", text: "class" }), ...data.leads.map((lead) => element("th", { scope: "col", class: "number", text: lead })), element("th", { scope: "col", class: "number", text: "records" }), element("th", { scope: "col", class: "number", text: "R²" }));
    const rows = map.classes.map((one) => {
      const button = element("button", { type: "button", text: one.abbr, title: "Show lead × time", onclick: () => drill(one, map.parts) });
      return element("tr", {}, element("th", { scope: "row" }, button), ...one.leads.map((v) => heatCell(v, largest)), element("td", { text: String(one.n) }), element("td", { text: shortNumber(one.r2) }));
    });
    holder.replaceChildren(heatScale(largest), element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Lead importance" },
      element("table", { class: "heat", id: "map-table" }, element("thead", {}, head), element("tbody", {}, ...rows))));
    detail.replaceChildren();
  };
  const controls = element("div", { class: "controls" }, select("Map of", data.maps.map((m) => m.name), show));
  place.replaceChildren(element("p", { class: "quiet", text: "Signed coefficients on the logit, summed over time, mean over explained records: positive speaks for the class. Choose a class to see when." }), controls, holder, detail);
  if (data.problem) place.append(element("p", { class: "quiet", text: `Mean beats are left out: ${data.problem}` }));
  place.redraw = () => show(current);
  show(0);
}

const kDrawers = {
  axis: (place, data) => drawAxis(place, data.axis),
  curves: (place, data) => drawCurves(place, data.curves),
  calibration: (place, data) => drawCalibration(place, data.predictions),
  maps: (place, data) => drawMaps(place, data.maps),
};

function fillReport() {
  const content = document.getElementById("content");
  const data = JSON.parse(document.getElementById("data").textContent);
  for (const place of content.querySelectorAll("[data-figures]")) kDrawers[place.dataset.figures](place, data);
  makeSortable(content);
}

function redrawMaps() {
  for (const place of document.querySelectorAll('[data-figures="maps"]')) if (place.redraw) place.redraw();
}

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  redrawMaps();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawMaps);
fillReport();
