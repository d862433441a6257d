"use strict";
// Small multiples in SVG: one cursor for all charts, log scale, smoothing. Draws what curves.py wrote into #data.
const REPORT = JSON.parse(document.getElementById("data").textContent);

const Format = {
  count: (v) => Math.round(v).toString().replace(/\B(?=(\d{3})+$)/g, ","),
  si(v) {
    const size = Math.abs(v);
    for (const [unit, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
      if (size >= unit) return +(v / unit).toPrecision(4) + letter;
    return String(+v.toPrecision(4));
  },
  value(v) {
    if (v === null || v === undefined) return "–";
    if (Number.isNaN(v)) return "NaN";
    if (!Number.isFinite(v)) return v > 0 ? "+∞" : "−∞";
    const size = Math.abs(v);
    if (size >= 1e5) return Format.si(v).replace("-", "−");
    if (size > 0 && size < 1e-3) return v.toExponential(2).replace("-", "−").replace("e-", "e−");
    return String(+v.toPrecision(4)).replace("-", "−");
  },
  duration(s) {
    if (!Number.isFinite(s)) return "–";
    if (s < 60) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
    if (s < 3600) return `${(s / 60).toFixed(1)} min`;
    const minutes = Math.round(s / 60);
    return minutes < 1440 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
  },
};

const Scale = {
  step(rough) {
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * ([1, 2, 2.5, 5].find((m) => m * power >= rough * 0.999) || 10);
  },
  nice(low, high, wanted) {
    const step = Scale.step((high - low) / wanted), ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(+(i * step).toPrecision(12));
    return ticks;
  },
  linear(low, high) {
    const pad = (high - low) * 0.06, a = low >= 0 && low < pad * 1.5 ? 0 : low - pad, b = high + pad;
    return { to: (v) => (v - a) / (b - a), ticks: Scale.nice(a, b, 4.4) };
  },
  // Logarithmic when everything is positive, else linear around zero and logarithmic far from it.
  log(values) {
    const sizes = values.map(Math.abs).filter((v) => v > 0).sort((a, b) => a - b);
    if (!sizes.length) return Scale.linear(0, 1);
    const positive = values.every((v) => v > 0);
    const knee = positive ? 0 : Math.max(sizes[Math.floor(sizes.length / 10)], sizes[sizes.length - 1] * 1e-4);
    const bend = positive ? Math.log10 : (v) => Math.sign(v) * Math.log10(1 + Math.abs(v) / knee);
    const bent = values.map(bend), low = Math.min(...bent), high = Math.max(...bent), pad = (high - low || 1) * 0.06;
    const to = (v) => (bend(v) - low + pad) / (high - low + 2 * pad);
    return { to, ticks: Scale.decades(to, Math.min(...values), Math.max(...values), positive), log: true };
  },
  decades(to, low, high, positive) {
    const top = Math.ceil(Math.log10(Math.max(Math.abs(low), Math.abs(high)))), all = positive ? [] : [0];
    for (const multiples of [[1], [1, 2, 5]]) {
      const found = [...all];
      for (let k = top; k > top - 14; k--)
        for (const m of multiples) found.push(m * 10 ** k, ...(positive ? [] : [-m * 10 ** k]));
      const apart = [];
      for (const v of found) if (to(v) >= 0 && to(v) <= 1 && apart.every((w) => Math.abs(to(w) - to(v)) > 0.17)) apart.push(v);
      if (apart.length > 2) return apart;
    }
    return positive ? Scale.nice(low, high, 4.4) : all;
  },
};

const Charts = (() => {
  const host = document.getElementById("charts"), data = REPORT.curves;
  if (!host) return { mark() {} };
  const H = 148, L = 46, R = 10, T = 8, B = 22, NS = document.querySelector("svg").namespaceURI;
  const state = { log: false, smooth: true, at: null, frame: null, width: 0 };
  const parse = (v) => (v === "NaN" ? NaN : v === "+inf" ? Infinity : v === "-inf" ? -Infinity : v);
  const series = {};
  for (const [name, s] of Object.entries(data.series)) {
    series[name] = { name, x: s.x || data.seen, y: s.y.map(parse), sparse: Boolean(s.x) };
  }
  const end = Math.max(1, ...Object.values(series).map((s) => s.x[s.x.length - 1] || 0), data.seen[data.seen.length - 1] || 0);
  const charts = [];

  const node = (tag, attributes = {}, text) => {
    const made = document.createElementNS(NS, tag);
    for (const [key, v] of Object.entries(attributes)) made.setAttribute(key, v);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const html = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const label = (name) => ({ speed: "speed, samples/s", memory_mb: "memory, MB" })[name] || name.slice(name.indexOf("/") + 1);

  // A Gaussian over neighbouring ticks: no lag, and it does not reach across missing or non-finite values' places.
  function smoothed(y) {
    const n = y.length, sigma = n / 50;
    if (n < 20) return y;
    const reach = Math.ceil(sigma * 2.5);
    return y.map((v, i) => {
      if (v === null || !Number.isFinite(v)) return v;
      let sum = 0, weight = 0;
      for (let j = Math.max(0, i - reach); j <= Math.min(n - 1, i + reach); j++) {
        if (y[j] === null || !Number.isFinite(y[j])) continue;
        const w = Math.exp(-0.5 * ((j - i) / sigma) ** 2);
        sum += w * y[j];
        weight += w;
      }
      return sum / weight;
    });
  }

  // Null: the curve has no value at this tick, the line goes on. Not finite: the line breaks, and a mark stands at the edge.
  function path(x, y, px, py) {
    let d = "", pen = "M";
    y.forEach((v, i) => {
      if (v === null) return;
      if (!Number.isFinite(v)) { pen = "M"; return; }
      d += `${pen}${px(x[i]).toFixed(1)} ${py(v).toFixed(1)}`;
      pen = "L";
    });
    return d;
  }

  function axes(svg, chart, W) {
    for (const v of chart.scale.ticks) {
      const y = chart.py(v);
      svg.append(node("line", { class: "grid", x1: L, x2: W - R, y1: y, y2: y }));
      svg.append(node("text", { class: "tick", x: L - 7, y: y + 3.5, "text-anchor": "end" }, Format.value(v)));
    }
    const ticks = Scale.nice(0, end, W > 420 ? 6 : 4.2);
    for (const v of ticks) {
      const x = chart.px(v), anchor = v === 0 ? "start" : x > W - R - 14 ? "end" : "middle";
      svg.append(node("line", { class: "notch", x1: x, x2: x, y1: H - B, y2: H - B + 4 }));
      svg.append(node("text", { class: "tick", x, y: H - 6, "text-anchor": anchor }, Format.si(v)));
    }
    svg.append(node("line", { class: "base", x1: L, x2: W - R, y1: H - B, y2: H - B }));
    for (const seen of data.resumes) {
      const line = node("line", { class: "resume", x1: chart.px(seen), x2: chart.px(seen), y1: T, y2: H - B });
      line.append(node("title", {}, `resumed at ${Format.count(seen)}`));
      svg.append(line);
    }
  }

  function draw(chart) {
    const W = Math.max(220, chart.box.clientWidth), svg = chart.svg;
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    svg.replaceChildren();
    const finite = chart.series.flatMap((s) => s.y.filter((v) => v !== null && Number.isFinite(v)));
    let low = Math.min(...finite), high = Math.max(...finite);
    if (!finite.length) [low, high] = [0, 1];
    if (low === high) [low, high] = [low - (Math.abs(low) || 1) * 0.5, high + (Math.abs(high) || 1) * 0.5];
    chart.scale = state.log && finite.length ? Scale.log(finite) : Scale.linear(low, high);
    chart.px = (x) => L + (x / end) * (W - L - R);
    chart.py = (v) => T + (1 - chart.scale.to(v)) * (H - T - B);
    axes(svg, chart, W);
    for (const [i, s] of chart.series.entries()) {
      const soft = state.smooth && !s.sparse && s.y.length >= 20;
      svg.append(node("path", { class: `line c${chart.colour(i)}${soft ? " raw" : ""}`, d: path(s.x, s.y, chart.px, chart.py) }));
      if (soft) svg.append(node("path", { class: `line c${chart.colour(i)}`, d: path(s.x, smoothed(s.y), chart.px, chart.py) }));
      if (s.sparse || s.y.length === 1)
        s.y.forEach((v, k) => { if (Number.isFinite(v) && v !== null) svg.append(node("circle", { class: `dot c${chart.colour(i)}`, cx: chart.px(s.x[k]), cy: chart.py(v), r: 3 })); });
      broken(svg, chart, s);
    }
    chart.frame = svg.appendChild(node("path", { class: "frame" }));
    chart.cursor = svg.appendChild(node("g", { class: "cursor" }));
    chart.W = W;
  }

  // One mark for each stretch of NaN (a cross) or of infinities (a triangle), and a line as long as the stretch.
  function broken(svg, chart, s) {
    for (let k = 0; k < s.y.length; k++) {
      const v = s.y[k], first = k;
      if (v === null || Number.isFinite(v)) continue;
      while (k + 1 < s.y.length && Object.is(s.y[k + 1], v)) k++;
      const x = chart.px(s.x[first]), y = v === -Infinity ? H - B - 6 : T + 6;
      const shape = Number.isNaN(v) ? "m-3.5-3.5 7 7m0-7-7 7" : v > 0 ? "m-4 3 4-7 4 7z" : "m-4-3 4 7 4-7z";
      svg.append(node("path", { class: "broken", d: `M${x} ${y}${shape}M${x} ${y}H${chart.px(s.x[k])}` }));
    }
  }

  const nearest = (xs, x) => {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) { const mid = (low + high) >> 1; if (xs[mid] < x) low = mid; else high = mid; }
    return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
  };

  function point(chart) {
    chart.cursor.replaceChildren();
    if (state.at !== null) {
      const x = chart.px(state.at);
      chart.cursor.append(node("line", { x1: x, x2: x, y1: T, y2: H - B }));
    }
    chart.series.forEach((s, i) => {
      const k = state.at === null ? s.y.length - 1 : nearest(s.x, state.at), v = s.y[k];
      chart.values[i].textContent = Format.value(v);
      chart.values[i].classList.toggle("bad", typeof v === "number" && !Number.isFinite(v));
      if (state.at !== null && v !== null && Number.isFinite(v))
        chart.cursor.append(node("circle", { class: `c${chart.colour(i)}`, cx: chart.px(s.x[k]), cy: chart.py(v), r: 3.5 }));
    });
    const x = state.frame === null ? null : chart.px(state.frame);
    chart.frame.setAttribute("d", x === null ? "" : `M${x} ${H - B}l-4 6h8z`);
  }

  function readout() {
    const out = document.getElementById("cursor"), k = data.seen.length ? nearest(data.seen, state.at === null ? end : state.at) : 0;
    const where = `seen ${Format.count(data.seen[k])} · ${Format.duration(parse(data.seconds[k]))}`;
    out.textContent = state.at === null ? `last tick: ${where}` : where;
  }

  function update() { charts.forEach(point); readout(); }
  function redraw() { charts.forEach(draw); update(); }

  function build(names, group) {
    const box = html("figure", "chart"), head = html("figcaption"), own = names.map((name) => series[name]);
    const chart = { box, series: own, values: [], colour: (i) => (own.length > 1 ? (i ? "fake" : "real") : "one") };
    own.forEach((s, i) => {
      head.append(html("span", `key c${chart.colour(i)}`, label(s.name)));
      chart.values.push(head.appendChild(html("b", `c${chart.colour(i)}`)));
    });
    const finite = own[0].y.filter((v) => v !== null && Number.isFinite(v));
    const about = finite.length ? `from ${Format.value(finite[0])} to ${Format.value(finite[finite.length - 1])}, lowest ${Format.value(Math.min(...finite))}, highest ${Format.value(Math.max(...finite))}` : "no finite value";
    chart.svg = node("svg", { role: "img", "aria-label": `${names.join(" and ")}: ${about}` });
    box.append(head, chart.svg);
    const bad = own.flatMap((s) => s.y.map((v, i) => (typeof v === "number" && !Number.isFinite(v) ? s.x[i] : null)).filter((v) => v !== null));
    if (bad.length) box.append(html("p", "warning", `${bad.length} ${bad.length > 1 ? "values are" : "value is"} not finite, first at seen ${Format.count(Math.min(...bad))}`));
    group.append(box);
    charts.push(chart);
    const at = (event) => {
      const rect = chart.svg.getBoundingClientRect(), x = ((event.clientX - rect.left) / rect.width) * chart.W;
      const xs = own[0].x.length ? own[0].x : [0];
      return xs[nearest(xs, ((x - L) / (chart.W - L - R)) * end)];
    };
    chart.svg.addEventListener("pointermove", (event) => { state.at = at(event); update(); });
    chart.svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") { state.at = null; update(); } });
    chart.svg.addEventListener("click", (event) => { state.at = at(event); update(); document.dispatchEvent(new CustomEvent("seen", { detail: state.at })); });
  }

  for (const group of data.groups) {
    host.append(html("h3", "", group.title));
    const grid = host.appendChild(html("div", "multiples"));
    group.charts.forEach((names) => build(names, grid));
  }
  const constant = Object.entries(data.constants);
  if (constant.length) host.append(html("p", "note", `Constant over the run: ${constant.map(([k, v]) => `${k} = ${Format.value(parse(v))}`).join(", ")}.`));
  if (REPORT.frames.length > 1) host.append(html("p", "note", "▲ marks the sample grid shown above; click a chart to see the grid of that moment."));
  if (data.resumes.length) host.append(html("p", "note", `Dashed lines: the run was resumed at seen ${data.resumes.map(Format.count).join(", ")}; what an earlier attempt recorded beyond is left out.`));
  if (data.total > data.seen.length) host.append(html("p", "note", `Drawn: ${Format.count(data.seen.length)} of ${Format.count(data.total)} ticks, with every extreme.`));

  host.addEventListener("keydown", (event) => {
    const now = state.at === null ? data.seen.length - 1 : nearest(data.seen, state.at);
    const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: data.seen.length - 1 }[event.key];
    if (event.key === "Escape") state.at = null;
    else if (next === undefined) return;
    else state.at = data.seen[Math.min(data.seen.length - 1, Math.max(0, next))];
    event.preventDefault();
    event.stopPropagation();
    update();
  });
  host.addEventListener("focusout", () => { state.at = null; update(); });
  for (const tool of ["log", "smooth"]) {
    const button = document.getElementById(tool);
    button.addEventListener("click", () => { state[tool] = !state[tool]; button.setAttribute("aria-pressed", state[tool]); redraw(); });
  }
  document.getElementById("csv").addEventListener("click", () => {
    const names = Object.keys(series).filter((name) => !series[name].sparse), fixed = Object.keys(data.constants);
    const cell = (v) => (v === null || v === undefined ? "" : /[",\n]/.test(v) ? `"${String(v).replace(/"/g, '""')}"` : v);
    const lines = [["seen", "seconds", ...names, ...fixed]];
    data.seen.forEach((seen, i) => lines.push([seen, data.seconds[i], ...names.map((n) => series[n].y[i]), ...fixed.map((n) => data.constants[n])]));
    const link = html("a");
    link.href = URL.createObjectURL(new Blob([lines.map((l) => l.map(cell).join(",")).join("\n") + "\n"], { type: "text/csv" }));
    link.download = `${REPORT.name.replace(/[^\w.-]+/g, "_")}-curves.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  new ResizeObserver(() => { if (host.clientWidth !== state.width) { state.width = host.clientWidth; redraw(); } }).observe(host);
  return { mark(seen) { state.frame = seen; if (state.width) charts.forEach(point); } };
})();
