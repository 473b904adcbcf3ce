"use strict";
// The theme button, the cursor of the plots over time, and what is opened for printing.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    name();
    document.dispatchEvent(new Event("theme"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();

  // every plot over time carries its axes' boxes (in the units of its viewBox) and their time range
  const cursors = [];
  for (const figure of document.querySelectorAll("figure[data-axes]")) {
    const svg = figure.querySelector("svg");
    for (const [left, top, right, bottom, start, end] of JSON.parse(figure.dataset.axes)) {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [key, value] of Object.entries({ class: "cursor", x1: left, x2: left, y1: top, y2: bottom })) line.setAttribute(key, value);
      svg.append(line);
      cursors.push({ line, left, right, start, end, low: start, high: end, follows: Boolean(figure.dataset.curves) });
    }
    svg.addEventListener("click", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const hit = JSON.parse(figure.dataset.axes).find(([l, t, r, b]) => at.x >= l && at.x <= r && at.y >= t && at.y <= b);
      const { start, end } = hit ? cursors.find(({ line }) => line.ownerSVGElement === svg) : {};
      if (hit) timeLine.seek(start + ((at.x - hit[0]) / (hit[2] - hit[0])) * (end - start));
    });
  }
  timeLine.onWindow((found) => {
    for (const cursor of cursors) {
      const zoomed = found && cursor.follows;
      cursor.start = zoomed ? found.times[0] : cursor.low;
      cursor.end = zoomed ? found.times[found.times.length - 1] : cursor.high;
    }
  });
  timeLine.subscribe((time) => {
    for (const { line, left, right, start, end } of cursors) {
      const x = left + ((time - start) / (end - start || 1)) * (right - left);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.style.display = time >= start && time <= end ? "" : "none";
    }
  });
  if (!timeLine.times.length) cursors.forEach(({ line }) => { line.style.display = "none"; });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open]):not(.screen)")];
    closed.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));
})();
