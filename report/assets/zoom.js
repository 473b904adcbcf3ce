"use strict";
// A window of time in full: pieces of the data of every frame are loaded from beside the page, and drawn by the player
// and in the plots of angles and speeds; the other plots mark the window.
(() => {
  const data = embedded("zoom"), choice = document.getElementById("time-window");
  if (!data || !choice) return;
  const SVG = "http://www.w3.org/2000/svg", MISSING = -32768, MOST = 6000; // frames of a window
  const pieces = new Map(), waiting = new Map();
  const said = document.getElementById("time-said");
  const whole = timeLine.times, perSecond = (data.n_frames - 1) / (whole[whole.length - 1] - whole[0]);

  window.reportPiece = (i, piece) => pieces.set(i, {
    times: new Float64Array(packedBytes(piece.times)), positions: new Int16Array(packedBytes(piece.positions)),
    curves: piece.curves.map((rows) => rows.map((row) => new Int16Array(packedBytes(row)))),
  });
  function load(i) {
    if (!waiting.has(i)) waiting.set(i, new Promise((done, fail) => {
      const script = document.createElement("script");
      script.src = `${data.folder}/${String(i).padStart(5, "0")}.js`;
      script.onload = done;
      script.onerror = () => { waiting.delete(i); fail(new Error(`${script.getAttribute("src")} is not beside this page`)); };
      document.head.append(script);
    }));
    return waiting.get(i);
  }

  const join = (parts, from, to, size) => {
    const all = new parts[0].constructor(parts.reduce((n, part) => n + part.length, 0));
    parts.reduce((at, part) => { all.set(part, at); return at + part.length; }, 0);
    return all.subarray(from * size, to * size);
  };

  let first = 0, count = 0, turn = 0;
  // frame: among those of the pieces, of which each may stand for `every` of the recording
  async function show(frame) {
    const wanted = Math.min(MOST, Math.round(Number(choice.value) * perSecond)), mine = ++turn;
    first = Math.max(0, Math.min(data.n_frames - wanted, Math.round(frame - wanted / 2)));
    count = Math.min(wanted, data.n_frames - first);
    const a = Math.floor(first / data.piece), b = Math.floor((first + count - 1) / data.piece);
    const numbers = Array.from({ length: b - a + 1 }, (_, k) => a + k);
    said.textContent = "loading";
    try { await Promise.all(numbers.map(load)); } catch (error) { said.textContent = `${error.message}: the whole recording is shown`; choice.value = ""; return clear(); }
    if (mine !== turn) return;
    said.textContent = data.every > 1 ? `one of every ${data.every} frames; pose.nc holds all` : "";
    const parts = numbers.map((i) => pieces.get(i)), from = first - a * data.piece, to = from + count;
    const times = join(parts.map((part) => part.times), from, to, 1), size = parts[0].positions.length / parts[0].times.length;
    const positions = join(parts.map((part) => part.positions), from, to, size);
    const curves = Object.fromEntries(Object.entries(data.curves).map(([name, { low, steps }], c) => [name,
      steps.map((step, r) => Float64Array.from(join(parts.map((part) => part.curves[c][r]), from, to, 1), (v) => (v === MISSING ? NaN : step * v + (r ? 0 : low))))]));
    timeLine.show(0);
    timeLine.window({ times, positions, first: first * data.every, every: data.every });
    timeLine.seek(times[Math.min(count - 1, Math.max(0, Math.round(frame) - first))]);
    draw(times, curves);
  }

  function clear() {
    turn++;
    if (said.textContent.startsWith("one of")) said.textContent = "";
    document.querySelectorAll(".zoomed").forEach((one) => one.remove());
    document.querySelectorAll(".unzoomed").forEach((one) => one.classList.remove("unzoomed"));
    timeLine.window(null);
  }

  const make = (parent, tag, attributes, text = "") => {
    const made = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    parent.append(made);
    return made;
  };

  function draw(times, curves) {
    document.querySelectorAll(".zoomed").forEach((one) => one.remove());
    const [start, end] = [times[0], times[times.length - 1]];
    for (const figure of document.querySelectorAll("figure[data-axes]")) {
      const svg = figure.querySelector("svg"), [[left, top, right, bottom, low, high]] = JSON.parse(figure.dataset.axes);
      const group = make(svg, "g", { class: "zoomed" });
      if (!figure.dataset.curves) {
        const at = (time) => left + ((time - low) / (high - low)) * (right - left);
        make(group, "rect", { class: "window", x: at(start), width: Math.max(1, at(end) - at(start)), y: top, height: bottom - top });
        continue;
      }
      const { names, colours, limits: [least, most] } = JSON.parse(figure.dataset.curves);
      for (const old of svg.querySelectorAll(`[id$="axes_1"] > g`)) if (!/axis_2|legend|patch/.test(old.id)) old.classList.add("unzoomed");
      const clip = `clip-${figure.querySelector("svg").getAttribute("aria-label").replace(/\W+/g, "-")}`;
      make(make(group, "clipPath", { id: clip }), "rect", { x: left, y: top, width: right - left, height: bottom - top });
      const x = (i) => (left + ((times[i] - start) / (end - start || 1)) * (right - left)).toFixed(2);
      const y = (value) => (bottom - ((value - least) / (most - least)) * (bottom - top)).toFixed(2);
      const inside = make(group, "g", { "clip-path": `url(#${clip})` });
      names.forEach((name, k) => {
        const [values, std] = curves[name];
        const line = [], band = [];
        for (let i = 0; i < values.length; i++) {
          if (Number.isNaN(values[i])) continue;
          const gap = i === 0 || Number.isNaN(values[i - 1]);
          line.push(`${gap ? "M" : "L"}${x(i)} ${y(values[i])}`);
          if (std && gap) {
            let stop = i;
            while (stop < values.length && !Number.isNaN(values[stop])) stop++;
            const edge = (sign) => Array.from({ length: stop - i }, (_, j) => `${x(i + j)} ${y(values[i + j] + sign * 1.96 * (std[i + j] || 0))}`);
            band.push(`M${[...edge(1), ...edge(-1).reverse()].join("L")}Z`);
          }
        }
        if (band.length) make(inside, "path", { d: band.join(""), style: `fill:${colours[k]};fill-opacity:.2` });
        make(inside, "path", { d: line.join(""), style: `fill:none;stroke:${colours[k]};stroke-width:1.2` });
      });
      for (const [share, anchor] of [[0, "start"], [0.5, "middle"], [1, "end"]])
        make(group, "text", { x: left + share * (right - left), y: bottom + 12, "text-anchor": anchor, class: "ticks" }, `${(start + share * (end - start)).toFixed(2)} s`);
    }
  }

  for (const seconds of [600, 300, 100, 30, 10, 3, 1])
    if (seconds * perSecond <= MOST && seconds * perSecond >= 20 && seconds * perSecond < data.n_frames) choice.add(new Option(`${seconds} s`, seconds));
  choice.closest("label").hidden = choice.length < 2;
  if (data.every > 1) choice.closest("label").title = `One of every ${data.every} frames of so many seconds, from the files beside this page`;
  choice.addEventListener("change", () => (choice.value ? show(timeLine.number() / data.every) : clear()));
  for (const [id, sign] of [["time-earlier", -1], ["time-later", 1]]) {
    const button = document.getElementById(id);
    button.addEventListener("click", () => show(first + count / 2 + sign * 0.8 * count));
    choice.addEventListener("change", () => { button.hidden = !choice.value; });
  }
})();
