"use strict";
// Small charts as SVG, and heat maps as tables. Data come as numbers; names are only ever set as text.

const kSvg = "http://www.w3.org/2000/svg";
const kDashes = ["", "7 4", "2 3", "9 3 2 3", "4 2", "12 4", "1 4", "6 2 1 2"];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, text = null) {
  const made = document.createElementNS(kSvg, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

function seriesColour(index) {
  return `var(--series-${(index % 8) + 1})`;
}

// Between four and seven round numbers that cover [low, high].
function ticks(low, high) {
  const step = Math.pow(10, Math.floor(Math.log10((high - low) / 4 || 1)));
  const wanted = [1, 2, 5, 10].map((m) => m * step).find((s) => (high - low) / s <= 6) || step;
  const list = [];
  for (let value = Math.ceil(low / wanted - 1e-9) * wanted; value <= high + 1e-9 * wanted; value += wanted)
    list.push(Math.abs(value) < wanted / 1e6 ? 0 : Number(value.toPrecision(12)));
  return list;
}

function shortNumber(value) {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function span(values, given) {
  if (given) return given;
  const known = values.filter((v) => v !== null && v !== undefined && isFinite(v));
  if (known.length === 0) return [0, 1];
  let low = Math.min(...known), high = Math.max(...known);
  if (low === high) { low -= Math.abs(low) * 0.05 || 0.5; high += Math.abs(high) * 0.05 || 0.5; }
  const room = (high - low) * 0.06;
  return [low - room, high + room];
}

function logSpan(values) {
  const low = Math.log(Math.min(...values)), high = Math.log(Math.max(...values));
  const room = (high - low) * 0.06 || 0.5;
  return [low - room, high + room];
}

// A point is [x, y] or [x, y, low, high]. options: title, x, y (names of axes), xRange, yRange, diagonal, markers, log.
function lineChart(series, options) {
  const width = 380, height = 250, left = 48, right = 10, top = 10, bottom = 38;
  const points = series.flatMap((s) => s.points);
  const [x0, x1] = span(points.map((p) => p[0]), options.xRange);
  const [y0, y1] = span(points.flatMap((p) => [p[1], p[2], p[3]]), options.yRange);
  // Rates lie at equal ratios: on a plain scale the low ones would lie on top of each other.
  const isLog = Boolean(options.log) && Math.min(...points.map((p) => p[0])) > 0;
  const [u0, u1] = isLog ? logSpan(points.map((p) => p[0])) : [x0, x1];
  const px = (x) => left + (((isLog ? Math.log(x) : x) - u0) / (u1 - u0)) * (width - left - right);
  const py = (y) => height - bottom - ((y - y0) / (y1 - y0)) * (height - top - bottom);
  const told = series.map((s) => `${s.name}: ${s.points.map((p) => `${shortNumber(p[0])} ${shortNumber(p[1])}`).slice(0, 12).join(", ")}`);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${options.title}. ${options.y} against ${options.x}. ${told.join("; ")}` });
  for (const value of ticks(y0, y1)) {
    svg.append(drawn("line", { class: "grid", x1: left, x2: width - right, y1: py(value), y2: py(value) }));
    svg.append(drawn("text", { x: left - 5, y: py(value) + 4, "text-anchor": "end" }, shortNumber(value)));
  }
  const xTicks = options.xTicks || ticks(x0, x1);
  let lastEnd = -Infinity;
  for (const value of xTicks) {
    svg.append(drawn("line", { class: "axis", x1: px(value), x2: px(value), y1: height - bottom, y2: height - bottom + 4 }));
    const text = shortNumber(value), half = text.length * 3.2;
    if (px(value) - half < lastEnd) continue;
    lastEnd = px(value) + half + 4;
    svg.append(drawn("text", { x: px(value), y: height - bottom + 15, "text-anchor": "middle" }, text));
  }
  svg.append(drawn("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
  svg.append(drawn("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, options.x));
  svg.append(drawn("text", { x: -(height - bottom + top) / 2, y: 11, "text-anchor": "middle", transform: "rotate(-90)" }, options.y));
  if (options.diagonal) svg.append(drawn("line", { class: "grid", x1: px(0), y1: py(0), x2: px(1), y2: py(1), "stroke-dasharray": "4 4" }));
  series.forEach((one, index) => {
    // Side by side, so that intervals do not hide each other.
    const shift = options.markers ? (index - (series.length - 1) / 2) * Math.min(4, 16 / series.length) : 0;
    drawSeries(svg, one, one.index === undefined ? index : one.index, (x) => px(x) + shift, py, options);
  });
  const figure = element("figure", {}, svg);
  figure.prepend(element("figcaption", { text: options.title }));
  if (series.length > 1 || options.legend) figure.append(legend(series));
  return figure;
}

function drawSeries(svg, one, index, px, py, options) {
  const colour = seriesColour(index);
  const known = one.points.filter((p) => p[1] !== null);
  const band = known.filter((p) => p.length > 3 && p[2] !== null && p[3] !== null);
  if (band.length > 1 && !options.markers) {
    const edge = band.map((p) => `${px(p[0]).toFixed(1)},${py(p[3]).toFixed(1)}`).concat(band.slice().reverse().map((p) => `${px(p[0]).toFixed(1)},${py(p[2]).toFixed(1)}`));
    svg.append(drawn("polygon", { points: edge.join(" "), style: `fill:${colour};opacity:.15` }));
  }
  const path = known.map((p) => `${px(p[0]).toFixed(1)},${py(p[1]).toFixed(1)}`).join(" ");
  svg.append(drawn("polyline", { points: path, style: `fill:none;stroke:${colour};stroke-width:2`, "stroke-dasharray": kDashes[index % kDashes.length] }));
  if (!options.markers && known.length > 1) return;
  for (const p of known) {
    if (p.length > 3 && p[2] !== null)
      svg.append(drawn("line", { x1: px(p[0]), x2: px(p[0]), y1: py(p[2]), y2: py(p[3]), style: `stroke:${colour};stroke-width:1.5` }));
    const dot = drawn("circle", { cx: px(p[0]), cy: py(p[1]), r: 3.5, style: `fill:${colour}` });
    const between = p.length > 3 && p[2] !== null ? ` [${shortNumber(p[2])}, ${shortNumber(p[3])}]` : "";
    dot.append(drawn("title", {}, `${one.name}, ${shortNumber(p[0])}: ${shortNumber(p[1])}${between}`));
    svg.append(dot);
  }
}

function legend(series) {
  const list = element("ul", { class: "legend" });
  series.forEach((one, position) => {
    const index = one.index === undefined ? position : one.index;
    const mark = element("i", { style: `border-color:${seriesColour(index)};border-top-style:${index % kDashes.length === 0 ? "solid" : index % 2 ? "dashed" : "dotted"}` });
    list.append(element("li", {}, mark, document.createTextNode(one.name)));
  });
  return list;
}

// Blue speaks against, orange for, near the paper's colour nothing; apart in lightness too, for every form of colour blindness.
function heatColours(value, largest) {
  const style = getComputedStyle(document.documentElement);
  const parse = (name) => { const hex = style.getPropertyValue(name).trim().slice(1); return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)); };
  const share = largest > 0 ? Math.min(1, Math.abs(value) / largest) : 0;
  const end = parse(value < 0 ? "--against" : "--for"), middle = parse("--middle");
  const mixed = middle.map((m, i) => Math.round(m + (end[i] - m) * share));
  const linear = mixed.map((c) => { const v = c / 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); });
  const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return [`rgb(${mixed.join(",")})`, (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? "#000" : "#fff"];
}

function heatCell(value, largest) {
  if (value === null || value === undefined) return element("td", { text: "" });
  const [paper, ink] = heatColours(value, largest);
  const decimals = largest >= 10 ? 1 : largest >= 1 ? 2 : largest >= 0.1 ? 3 : 4;
  const text = value.toFixed(decimals);
  return element("td", { style: `background:${paper};color:${ink}`, text: Number(text) === 0 ? (0).toFixed(decimals) : (value > 0 ? "+" : "") + text });
}

function heatScale(largest) {
  const [low] = heatColours(-1, 1), [middle] = heatColours(0, 1), [high] = heatColours(1, 1);
  return element("div", { class: "scale" }, element("span", { text: `against ${shortNumber(-largest)}` }),
    element("i", { style: `background:linear-gradient(to right,${low},${middle},${high})` }), element("span", { text: `+${shortNumber(largest)} for` }));
}

// One lead: the mean beat over a strip that is coloured by what each moment says.
function beatChart(beat, row, abbreviation, range, largest) {
  const width = 200, height = 116, left = 4, right = 4, top = 18, bottom = 18, count = beat.signal[row].length;
  const px = (m) => left + (m / (count - 1)) * (width - left - right);
  const py = (v) => height - bottom - ((v - range[0]) / (range[1] - range[0])) * (height - top - bottom);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${abbreviation}, lead ${beat.leads[row]}: mean beat and importance over time` });
  const each = (width - left - right) / (count - 1);
  beat.importance[row].forEach((value, m) => {
    if (value === null) return;
    const begin = Math.max(left, px(m) - each / 2), end = Math.min(width - right, px(m) + each / 2);
    svg.append(drawn("rect", { x: begin.toFixed(2), y: top, width: (end - begin + 0.3).toFixed(2), height: height - top - bottom, style: `fill:${heatColours(value, largest)[0]}` }));
  });
  const points = beat.signal[row].map((v, m) => (v === null ? null : `${px(m).toFixed(1)},${py(v).toFixed(1)}`)).filter(Boolean);
  svg.append(drawn("polyline", { points: points.join(" "), style: "fill:none;stroke:var(--ink);stroke-width:1.8;stroke-linejoin:round" }));
  for (let time = -0.2; time < beat.begin_s + beat.step_s * count; time += 0.2) {
    const x = px((time - beat.begin_s) / beat.step_s);
    svg.append(drawn("line", { class: "axis", x1: x, x2: x, y1: height - bottom, y2: height - bottom + 3 }));
    svg.append(drawn("text", { x, y: height - 5, "text-anchor": "middle" }, String(Math.round(time * 1000))));
  }
  svg.append(drawn("text", { x: left, y: 13, style: "font-weight:600" }, beat.leads[row]));
  return svg;
}

function beatCharts(beat, abbreviation) {
  const known = (rows) => rows.flat().filter((v) => v !== null);
  const largest = Math.max(0, ...known(beat.importance).map(Math.abs));
  const range = span(known(beat.signal));
  const unit = beat.unit === "uV" ? `µV, ${shortNumber(range[1] - range[0])} from bottom to top` : `standard deviations of the lead, ${shortNumber(range[1] - range[0])} from bottom to top`;
  return [element("p", { class: "quiet", text: `Mean beat of the explained records (${unit}) over ms from the R peak; the colour tells what speaks for and against the class at that moment:` }),
    heatScale(largest), element("div", { class: "beats" }, ...beat.leads.map((lead, row) => beatChart(beat, row, abbreviation, range, largest)))];
}
