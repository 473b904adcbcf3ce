"use strict";
// The 3D player: a skeleton drawn on a plain 2D canvas, without WebGL and without any library.
(() => {
  const scene = embedded("scene");
  if (!scene) return;
  const byId = (id) => document.getElementById(id);
  const canvas = byId("stage");
  const pen = canvas.getContext("2d");
  const TRAIL = 1.0;   // seconds
  const SMALL = 0.15;   // size of the animal, of the reach of its way, below which the view follows it

  const data = playerScene(scene), { ownerOf, pointAt, factorAt, countAt, speedAt, topSpeed, cloud, middle, reach } = data;

  // ---------------------------------------------------------------- view
  const view = playerView(reach), { toView, toScreen } = view, state = { frame: 0, hovered: -1 };
  let colours = {}, queued = false;

  const look = (points, follows = false) => { view.fit(points); byId("player-follow").checked = follows; draw(); };
  const near = cloud.filter((p) => Math.hypot(...plus(p, middle, -1)) <= 1.05 * reach);
  // an animal that is small beside its way is followed
  const animalView = () => {
    const now = scene.keypoints.map((_, i) => pointAt(state.frame, i) ?? pointAt(data.fullest, i)).filter(Boolean);
    if (data.size < SMALL * reach && now.length) look([...now, ...now.map(([x, y]) => [x, y, scene.floor.height])], true);
    else look([...near, ...near.map(([x, y]) => [x, y, scene.floor.height]), middle]);
  };
  const ground = [0, 1].flatMap((i) => [0, 1].map((j) => {
    const { step, low, high, height: z } = scene.floor;
    return [step * [low, high][i][0], step * [low, high][j][1], z];
  }));
  const rigView = () => look([...scene.cameras.flatMap((camera) => [camera.centre, ...camera.corners]), ...ground, middle]);

  // ---------------------------------------------------------------- drawing
  function line(a, b) {
    let u = toView(a), v = toView(b);
    if (u[2] < view.basis.near && v[2] < view.basis.near) return;
    if (u[2] < view.basis.near) [u, v] = [v, u];
    if (v[2] < view.basis.near) v = plus(u, plus(v, u, -1), (view.basis.near - u[2]) / (v[2] - u[2]));
    pen.moveTo(...toScreen(u));
    pen.lineTo(...toScreen(v));
  }

  function stroke(colour, thickness, paint, alpha = 1, lineCap = "round") {
    pen.beginPath();
    paint();
    Object.assign(pen, { strokeStyle: colour, lineWidth: thickness, globalAlpha: alpha, lineCap, lineJoin: "round" });
    pen.stroke();
    pen.globalAlpha = 1;
  }

  function write(text, x, y, colour, align = "left") {
    Object.assign(pen, { textAlign: align, textBaseline: "middle", lineWidth: 4, lineJoin: "round" });
    pen.strokeStyle = colours.stage;
    pen.strokeText(text, x, y);
    pen.fillStyle = colour;
    pen.fillText(text, x, y);
  }

  const rounded = (value) => {
    const size = Math.abs(value);
    return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 1 : size >= 1 ? 2 : 4, useGrouping: false });
  };

  function drawFloor() {
    const { step, low, high, height: z } = scene.floor;
    stroke(colours.grid, 1, () => {
      for (let i = low[0]; i <= high[0]; i++) line([i * step, low[1] * step, z], [i * step, high[1] * step, z]);
      for (let j = low[1]; j <= high[1]; j++) line([low[0] * step, j * step, z], [high[0] * step, j * step, z]);
    });
    const corner = [low[0] * step, low[1] * step, z];
    "xyz".split("").forEach((name, k) => {
      const end = plus(corner, scene.world[k], 1.2 * step);
      stroke(colours.muted, 1.5, () => line(corner, end));
      const v = toView(end);
      if (v[2] > view.basis.near) write(name, ...toScreen(plus(v, [0, 0, 0])), colours.muted, "center");
    });
    // the scale: one square of the grid at the depth of the target
    const length = (view.basis.focal * step) / view.distance;
    const x = 16, y = view.height - 18;
    stroke(colours.muted, 1.5, () => { pen.moveTo(x, y - 4); pen.lineTo(x, y); pen.lineTo(x + length, y); pen.lineTo(x + length, y - 4); });
    write(`${rounded(step)} ${scene.unit}`, x, y - 14, colours.muted);
  }

  function drawCameras() {
    for (const { name, centre, corners } of scene.cameras) {
      stroke(colours.muted, 1, () => corners.forEach((corner, i) => { line(centre, corner); line(corner, corners[(i + 1) % 4]); }), 0.8);
      const v = toView(centre);
      if (v[2] < view.basis.near) continue;
      const [x, y] = toScreen(v), outside = x + 12 + pen.measureText(name).width > view.width;
      write(name, outside ? x - 6 : x + 6, y - 8, colours.muted, outside ? "right" : "left");
    }
  }

  function drawTrail(i) {
    const now = data.times[state.frame];
    let before = pointAt(state.frame, i);
    for (let frame = state.frame - 1; frame >= 0 && now - data.times[frame] < TRAIL; frame--) {
      const p = pointAt(frame, i);
      if (before && p) { const [a, b] = [before, p]; stroke(colourOf(i, frame), 2, () => line(a, b), 0.8 * (1 - (now - data.times[frame]) / TRAIL), "butt"); }
      before = p;
    }
  }

  const colouredBy = () => byId("player-colour").value;
  const animalColour = (i) => colours.animals[ownerOf(i)];
  const sideColour = (i) => [colours.middle, colours.left, colours.right][scene.sides[i]];
  const colourOf = (i, frame = state.frame) => {
    if (colouredBy() !== "speed") return colouredBy() === "animal" ? animalColour(i) : sideColour(i);
    const v = speedAt(frame, i);
    return Number.isNaN(v) ? colours.muted : speedColour(v / topSpeed);
  };

  function drawSpeedScale() {
    const [wide, x, y] = [120, view.width - 136, 28], scale = pen.createLinearGradient(x, 0, x + wide, 0);
    SPEED_COLOURS.forEach((_, k) => scale.addColorStop(k / (SPEED_COLOURS.length - 1), speedColour(k / (SPEED_COLOURS.length - 1))));
    pen.fillStyle = scale;
    pen.fillRect(x, y, wide, 7);
    write("0", x, y - 9, colours.muted);
    write(`${rounded(Number(topSpeed.toPrecision(2)))} ${scene.unit}/s`, x + wide, y - 9, colours.muted, "right");
  }

  function drawRegion(v, frame, i) {
    const factor = factorAt(frame, i);
    if (!factor) return;
    const [major, minor, turn] = view.regionOf(factor, v);
    pen.beginPath();
    pen.ellipse(...toScreen(v), Math.max(major, 0.5), Math.max(minor, 0.5), turn, 0, 2 * Math.PI);
    pen.globalAlpha = 0.22; pen.fillStyle = colourOf(i); pen.fill();
    pen.globalAlpha = 0.7; pen.strokeStyle = colourOf(i); pen.lineWidth = 1; pen.stroke(); pen.globalAlpha = 1;
  }

  function drawAnimal(visible) {
    const shadow = ([x, y]) => [x, y, scene.floor.height];
    const whole = scene.bones.filter(([a, b]) => visible[a] && visible[b]);
    stroke(colours.grid, 3, () => whole.forEach(([a, b]) => line(shadow(visible[a].p), shadow(visible[b].p))));
    const items = whole.map(([a, b]) => ({ z: (visible[a].v[2] + visible[b].v[2]) / 2 + 1e-6, bone: [a, b] }));
    visible.forEach((at, i) => at && at.v[2] > view.basis.near && items.push({ z: at.v[2], i }));
    items.sort((a, b) => b.z - a.z);
    const size = Math.max(3.2, Math.min(7, (0.016 * view.basis.focal * reach) / view.distance));
    for (const item of items) {
      if (item.bone) {
        const [a, b] = item.bone;
        stroke(colourOf(scene.sides[a] === scene.sides[b] || !scene.sides[a] ? b : a), 0.8 * size, () => line(visible[a].p, visible[b].p));
        continue;
      }
      const { v, p } = visible[item.i];
      if (byId("player-spread").checked) drawRegion(v, state.frame, item.i);
      const hollow = countAt(state.frame, item.i) < 2;
      pen.beginPath();
      pen.arc(...toScreen(v), size, 0, 2 * Math.PI);
      pen.fillStyle = hollow ? colours.stage : colourOf(item.i);
      pen.fill();
      pen.strokeStyle = hollow ? colourOf(item.i) : colours.stage;
      pen.lineWidth = hollow ? 1.6 : 1;
      pen.stroke();
    }
  }

  function drawNames(visible) {
    const taken = [];
    const clear = (box) => taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
    visible.forEach((at, i) => {
      if (!at || at.v[2] < view.basis.near) return;
      const [x, y] = toScreen(at.v), wide = pen.measureText(scene.keypoints[i]).width;
      const places = [[9, 0], [-9 - wide, 0], [-wide / 2, -14], [-wide / 2, 14], [9, -14], [9, 14], [-9 - wide, -14], [-9 - wide, 14]];
      const boxes = places.map(([dx, dy]) => [x + dx, y + dy - 6, x + dx + wide, y + dy + 6]);
      const box = boxes.find(clear);
      if (!box) return; // unreadable in a crowd; pointing at it tells the name
      taken.push(box);
      write(scene.keypoints[i], box[0], box[1] + 6, colours.ink);
    });
  }

  // The name of each animal above its highest point.
  function drawIndividuals(visible) {
    scene.individuals.forEach(([name], owner) => {
      const own = visible.flatMap((at, i) => (at && at.v[2] > view.basis.near && ownerOf(i) === owner ? [[toScreen(at.v), i]] : []));
      if (!own.length) return;
      const [[x, y], i] = own.reduce((best, one) => (one[0][1] < best[0][1] ? one : best));
      write(name, x, y - 24, animalColour(i), "center");
    });
  }

  function describe(visible) {
    const i = state.hovered;
    if (i < 0 || !visible[i]) { byId("player-point").textContent = ""; return; }
    const world = scene.world.map((axis) => rounded(dot(axis, visible[i].p))).join(", ");
    const factor = factorAt(state.frame, i);
    const sd = factor ? Math.sqrt(factor.reduce((sum, column) => sum + dot(column, column), 0) / 3) : NaN;
    const count = countAt(state.frame, i) >= 0 ? `, ${countAt(state.frame, i)} cameras` : "";
    byId("player-point").textContent =
      `${scene.keypoints[i]}: ${world} ${scene.unit}` + (Number.isNaN(sd) ? "" : ` ± ${rounded(sd)}`) + count;
    const [x, y] = toScreen(visible[i].v);
    stroke(colours.ink, 1.5, () => pen.arc(x, y, 10, 0, 2 * Math.PI));
    if (!byId("player-labels").checked) write(scene.keypoints[i], x + 14, y, colours.ink);
  }

  function paint() {
    const ratio = window.devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colours.stage;
    pen.fillRect(0, 0, view.width, view.height);
    pen.font = `12px ${colours.font}`;
    const points = scene.keypoints.map((_, i) => (data.nFrames ? pointAt(state.frame, i) : null));
    if (byId("player-follow").checked) {
      const found = points.filter(Boolean);
      if (found.length) view.target = [0, 1, 2].map((k) => found.reduce((sum, p) => sum + p[k], 0) / found.length);
    }
    view.look();
    drawFloor();
    if (byId("player-cameras").checked) drawCameras();
    const visible = points.map((p) => (p ? { p, v: toView(p) } : null));
    const trail = byId("player-trail").value;
    if (data.nFrames && trail !== "none") points.forEach((_, i) => (trail === "all" || Number(trail) === i) && drawTrail(i));
    drawAnimal(visible);
    if (byId("player-labels").checked) drawNames(visible);
    drawIndividuals(visible);
    if (colouredBy() === "speed") drawSpeedScale();
    describe(visible);
    if (scene.keypoints.length && !points.some(Boolean)) write("no reconstructed point in this frame", view.width / 2, 24, colours.muted, "center");
    return visible;
  }

  function draw() {
    if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; paint(); }); }
  }

  // ---------------------------------------------------------------- hands
  const turn = (dx, dy) => { view.turn(dx, dy); draw(); };
  const zoom = (factor) => { view.zoom(factor); draw(); };
  const slide = (dx, dy) => { view.slide(dx, dy); byId("player-follow").checked = false; draw(); };

  playerHands(canvas, { turn, zoom, slide, hover });

  function hover(at) {
    let best = -1, nearest = 14;
    if (at && view.basis && data.nFrames) scene.keypoints.forEach((_, i) => {
      const p = pointAt(state.frame, i);
      if (!p) return;
      const v = toView(p);
      if (v[2] < view.basis.near) return;
      const [x, y] = toScreen(v), distance = Math.hypot(x - at[0], y - at[1]);
      if (distance < nearest) [best, nearest] = [i, distance];
    });
    if (best !== state.hovered) { state.hovered = best; draw(); }
  }

  const flip = (id) => { byId(id).checked = !byId(id).checked; draw(); };
  const step = (id) => { const choice = byId(id); choice.selectedIndex = (choice.selectedIndex + 1) % choice.length; draw(); };
  const keys = {
    ...timeLine.keys,
    a: () => turn(-0.1, 0), d: () => turn(0.1, 0), w: () => turn(0, 0.1), s: () => turn(0, -0.1),
    "+": () => zoom(0.85), "=": () => zoom(0.85), "-": () => zoom(1 / 0.85),
    t: () => step("player-trail"), x: () => step("player-colour"), n: () => flip("player-labels"), u: () => data.hasSpread && flip("player-spread"), c: () => flip("player-cameras"),
    f: () => flip("player-follow"), r: () => animalView(), v: () => scene.cameras.length && rigView(),
  };
  canvas.addEventListener("keydown", (event) => {
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action(event);
  });

  byId("player-reset").addEventListener("click", animalView);
  byId("player-rig").addEventListener("click", () => { byId("player-cameras").checked = true; rigView(); });
  for (const id of ["labels", "spread", "cameras", "follow", "trail", "colour"]) byId(`player-${id}`).addEventListener("change", draw);

  // ---------------------------------------------------------------- start
  function dress() {
    const style = getComputedStyle(canvas), read = (name) => style.getPropertyValue(name).trim();
    colours = {
      stage: read("--stage"), ink: read("--ink"), muted: read("--muted"), grid: read("--grid"),
      middle: read("--middle"), left: read("--left"), right: read("--right"), font: style.fontFamily,
      animals: scene.individuals.map(([, number]) => read(`--animal-${number}`)),
    };
    draw();
  }

  function fit() {
    const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    [view.width, view.height] = [box.width, box.height];
    canvas.width = Math.round(view.width * ratio);
    canvas.height = Math.round(view.height * ratio);
    draw();
  }

  if (scene.individuals.length) byId("player-colour").prepend(new Option("animal", "animal", true, true));
  byId("player-colour-box").hidden = data.nFrames < 2 && !scene.individuals.length;
  byId("player-spread-box").hidden = !data.hasSpread;
  byId("player-cameras-box").hidden = byId("player-rig").hidden = !scene.cameras.length;
  scene.keypoints.forEach((name, i) => byId("player-trail").add(new Option(name, i)));
  new ResizeObserver(fit).observe(canvas);
  document.addEventListener("theme", dress);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
  matchMedia("print").addEventListener("change", () => { dress(); paint(); });
  fit();
  dress();
  if (cloud.length || !scene.cameras.length) animalView();
  else rigView();
  timeLine.subscribe((_, frame) => { state.frame = frame; draw(); });
})();
