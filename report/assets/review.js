"use strict";
// Leaf through the pictures of a calibration: corners, residuals as arrows, rejected corners and why.
(() => {
  const cameras = JSON.parse(document.getElementById("review-data").textContent);
  const byId = (name) => document.getElementById(`review-${name}`);
  const stage = byId("stage"), choice = byId("camera"), scale = byId("scale"), marks = byId("marks");
  let camera = 0, picture = 0;
  const shape = (tag, values) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
    return made;
  };
  const drawn = (corner, unit, k) => {
    const { x, y, dx, dy, why } = corner, kind = why ? "rejected" : "kept";
    if (why) return [shape("path", { class: kind, d: `M${x - 2 * unit} ${y - 2 * unit}l${4 * unit} ${4 * unit}m0 ${-4 * unit}l${-4 * unit} ${4 * unit}` })];
    const parts = [shape("circle", { class: kind, cx: x, cy: y, r: unit })];
    if (dx !== null) parts.push(shape("line", { class: kind, x1: x, y1: y, x2: x + k * dx, y2: y + k * dy, "marker-end": "url(#review-head)" }));
    return parts;
  };
  const show = () => {
    const { name, size: [width, height], pictures } = cameras[camera], shown = pictures[picture];
    stage.replaceChildren();
    byId("rejected").replaceChildren();
    choice.value = camera;
    if (!shown) { byId("words").textContent = `${name}: no picture with corners`; return; }
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${name}, ${shown.label}` });
    const unit = width / 240, k = Number(scale.value);
    const defs = shape("defs", {}), head = shape("marker", { id: "review-head", viewBox: "0 0 6 6", refX: 5, refY: 3, markerWidth: 4, markerHeight: 4, orient: "auto" });
    head.append(shape("path", { d: "M0 0L6 3L0 6z" }));
    defs.append(head);
    svg.append(defs);
    if (shown.src) svg.append(shape("image", { href: shown.src, width, height, preserveAspectRatio: "none" }));
    if (marks.checked) for (const corner of shown.corners) svg.append(...drawn(corner, unit, k));
    stage.append(svg);
    const lengths = shown.corners.filter((c) => !c.why && c.dx !== null).map((c) => Math.hypot(c.dx, c.dy)).sort((a, b) => a - b);
    const rejected = shown.corners.filter((c) => c.why);
    const middle = lengths.length ? `, median residual ${lengths[Math.floor(lengths.length / 2)].toFixed(2)} px, largest ${lengths[lengths.length - 1].toFixed(2)} px` : "";
    byId("words").textContent = `${name}, ${shown.label} (${picture + 1} of ${pictures.length}, chosen for ${shown.why}): ${shown.corners.length} corners${middle}, ${rejected.length} rejected`;
    for (const corner of rejected.slice(0, 12)) {
      const line = document.createElement("li");
      line.textContent = `corner at ${corner.x}, ${corner.y}: ${corner.why}`;
      byId("rejected").append(line);
    }
  };
  const turn = (step) => {
    const n = cameras[camera].pictures.length;
    if (n) picture = (picture + step + n) % n;
    show();
  };
  const go = (to) => { camera = (to + cameras.length) % cameras.length; picture = 0; show(); };
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  choice.addEventListener("change", () => go(Number(choice.value)));
  scale.addEventListener("change", show);
  marks.addEventListener("change", show);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input, .scroll")) return;
    const action = { ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), ArrowUp: () => go(camera - 1), ArrowDown: () => go(camera + 1) }[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  show();
})();
