// The page: one instant in all cameras, the keyboard, and what a click does.
import { CameraView } from "./camera_view.js";
import { colours, drawMarks, placeOf } from "./marks.js";
import { KeypointList, LoopPanel } from "./panels.js";
import { Pictures } from "./pictures.js";
import { Store, getJson, postJson } from "./store.js";

const by = (id) => document.getElementById(id);
const WIDTHS = [480, 960]; // of the copies that the server keeps, pixels; wider: the whole picture, 0
const AHEAD = [1, 2, -1, 3, 4, 5, -2]; // neighbours that are fetched before they are wanted
const SWITCHES = ["bones", "names", "unconfirmed", "follow"];
const NOTHING = { points: {}, lines: {} };

let source, store, pictures, list, views = [], at = 0, active = null, alone = false, checking = false, checkAgain = false, mine = null;
const scene = { record: { points: {}, proposed: {} }, geometry: NOTHING, keypoints: [], bones: [], colour: {}, selected: null, hidden: false, unit: "", options: {} };

const instants = () => store.project.instants.map(([id]) => id);
const instant = () => store.project.instants[at]?.[0];
const cameras = () => store.project.cameras.map((camera) => camera.name);
const shownViews = () => (alone && active ? [active] : views);

// ---- opening a project -------------------------------------------------------------------------------------------
async function openProject(name, keep = null) {
  document.body.inert = true; // no key or click may reach the project shown until now
  try { await opened(name, keep); } finally { document.body.inert = false; }
}

async function opened(name, keep) {
  by("where").textContent = `opening ${name}`;
  const project = await getJson("project", { project: name });
  history.replaceState(null, "", `#${encodeURIComponent(name)}`); // kept over a reload
  store = new Store(project);
  pictures?.close();
  pictures = new Pictures(project, arrived, (bitmap) => views.some((view) => view.bitmap === bitmap));
  store.addEventListener("changed", (event) => { if (event.detail.instant === instant()) showRecord(); showWhere(); });
  store.addEventListener("saving", showSaved);
  store.addEventListener("stale", (event) => stale(event.detail));
  store.addEventListener("refused", (event) => say(`Not saved: ${event.detail.error}`));
  const shades = colours(project.keypoints.length);
  Object.assign(scene, { keypoints: project.keypoints, bones: project.bones, unit: project.unit ?? "", geometry: NOTHING });
  scene.colour = Object.fromEntries(project.keypoints.map((keypoint, k) => [keypoint, shades[k]]));
  if (!project.keypoints.includes(scene.selected)) scene.selected = project.keypoints[0];
  list = new KeypointList(scene, select);
  views = project.cameras.map((camera, index) => new CameraView(camera, index, host));
  by("cameras").replaceChildren(...views.map((view) => view.element));
  active = views[0];
  alone = false;
  by("slider").max = Math.max(0, project.instants.length - 1);
  by("about").textContent = `${project.root}${project.unit ? `; a click is taken to be ±${project.sigma} px` : "; not calibrated: no 3D"}`;
  by("add").hidden = !project.videos;
  if (project.notes.length) say(project.notes.join(" "));
  layout();
  const first = project.instants.findIndex(([, decided, shown]) => decided < shown * project.keypoints.length);
  await go(keep !== null && instants().includes(keep) ? instants().indexOf(keep) : Math.max(0, first));
}

async function refreshProject(keep = instant()) {
  const project = await getJson("project", { project: store.name });
  store.project.instants = project.instants;
  project.cameras.forEach((camera, c) => Object.assign(views[c].camera, camera));
  by("slider").max = Math.max(0, project.instants.length - 1);
  await go(Math.max(0, instants().indexOf(keep)));
}

// ---- the instant shown -------------------------------------------------------------------------------------------
async function go(index) {
  if (!store.project.instants.length) {
    document.body.dataset.shown = "";
    by("where").textContent = "no instants yet: Extract, under Steps";
    by("loop").open = true;
    by("undo").disabled = by("redo").disabled = true;
    return;
  }
  at = Math.min(store.project.instants.length - 1, Math.max(0, index));
  const wanted = instant();
  by("slider").value = at;
  if (!store.records.has(wanted)) { scene.record = { points: {}, proposed: {} }; scene.geometry = NOTHING; drawAll(); }
  showPictures(wanted);
  const record = await store.read(wanted);
  if (instant() !== wanted) return;
  scene.record = record;
  scene.geometry = { ...NOTHING, calibrated: Boolean(store.project.unit) };
  showRecord();
  follow();
  showWhere();
  for (const step of [1, 2, -1]) { const near = instants()[at + step]; if (near !== undefined && !store.records.has(near)) store.read(near).catch(() => {}); }
}

// Each view zoomed to the points that are set or proposed in it.
function follow() {
  if (!scene.options.follow) return;
  for (const view of shownViews()) {
    const places = scene.keypoints.map((keypoint) => placeOf(scene, view.camera.name, keypoint)).filter(Boolean);
    view.fit(places.map(({ x, y }) => [x, y]));
    sharpen(view);
  }
}

function gridWidth() {
  const wanted = (shownViews()[0]?.width ?? 320) * (devicePixelRatio || 1) * (scene.options.follow ? 2 : 1);
  return WIDTHS.find((width) => width >= wanted) ?? 0;
}

async function showPictures(wanted) {
  const width = gridWidth(), shown = shownViews(), indices = shown.map((view) => view.index);
  const near = AHEAD.map((step) => instants()[at + step]).filter((id) => id !== undefined);
  pictures.want([wanted, ...near], indices, width);
  for (const view of shown) {
    const now = pictures.now(wanted, view.index, width);
    view.element.classList.toggle("late", now === undefined); // the points are of another picture than the one shown
    if (now !== undefined) showPicture(view, wanted, now);
  }
  await pictures.get(wanted, indices, width).catch(() => {}); // stopped where another instant is wanted by now
  if (instant() !== wanted) return;
  for (const view of shown) if (view.zoom > 1) sharpen(view);
  document.body.dataset.shown = wanted;
  document.dispatchEvent(new CustomEvent("shown", { detail: wanted }));
}

function showPicture(view, wanted, bitmap, isWhole = false) {
  view.element.classList.remove("late");
  if (view.shows === wanted && view.whole && !isWhole) return; // a sharper one is there
  Object.assign(view, { shows: wanted, whole: isWhole });
  view.show(bitmap);
}

function arrived(of, camera, width, bitmap) {
  const view = views[camera], isWhole = !width;
  if (of === instant() && (width === gridWidth() || isWhole)) showPicture(view, of, bitmap, isWhole);
}

// A view that is zoomed in needs the picture's own pixels.
function sharpen(view) {
  const wanted = instant(), width = gridWidth();
  if (!width || view.scale * view.size[0] * (devicePixelRatio || 1) <= width * 1.2) return;
  const now = pictures.now(wanted, view.index, 0);
  if (now) showPicture(view, wanted, now, true);
  else pictures.get(wanted, [view.index], 0).catch(() => {});
}

function showRecord() {
  scene.record = store.records.get(instant()) ?? scene.record;
  drawAll();
  check();
}

function drawAll() {
  for (const view of shownViews()) view.drawMarks();
  list.show(cameras());
  showCaptions();
}

function showCaptions() {
  for (const view of views) {
    const own = scene.record.points[view.camera.name] ?? {};
    const state = own[scene.selected]?.[2];
    const frame = scene.record.frames?.[view.camera.name];
    const chosen = views.length > 1 && scene.record.suggested?.includes(view.camera.name) ? "  suggested" : "";
    const number = frame !== undefined && frame !== instant() ? ` frame ${frame}` : "";
    view.caption.textContent = `${view.index + 1} ${view.camera.name}${number}  ${Object.keys(own).length}/${scene.keypoints.length}${state && state !== "visible" ? `  ${scene.selected} ${state}` : ""}${chosen}`;
    view.element.classList.toggle("active", view === active && views.length > 1);
  }
}

function showWhere() {
  const [id, decided, shown] = store.project.instants[at] ?? [];
  if (id === undefined) return;
  const all = shown * scene.keypoints.length;
  const finished = store.project.instants.filter(([, d, n]) => d >= n * scene.keypoints.length).length;
  by("where").textContent = `instant ${id} (${at + 1} of ${store.project.instants.length}), ${decided} of ${all} points, ${finished} finished`;
  by("undo").disabled = !store.past.length;
  by("redo").disabled = !store.future.length;
}

function showSaved() {
  const said = by("saved");
  said.className = store.failed ? "failed" : store.unsaved ? "waiting" : "";
  said.textContent = store.failed ? `not saved: ${store.failed}` : store.unsaved ? "saving" : "saved";
}

function say(text) {
  by("message").hidden = !text;
  by("message").firstElementChild.textContent = text;
  by("mine").hidden = !mine;
}

function stale({ instant: changed, mine: own }) {
  mine = { instant: changed, own };
  say(`Instant ${changed} was changed in another tab or program. Its points are shown as they are now; your last change (${own.map(([c, k]) => `${k} in ${c}`).join(", ")}) was not saved.`);
}

// ---- geometry ----------------------------------------------------------------------------------------------------
// Points that count as observations: set by a person and visible, not taken over from other views.
function observations() {
  const points = {};
  for (const [camera, own] of Object.entries(scene.record.points))
    for (const [keypoint, [x, y, state, by3d]] of Object.entries(own))
      if (state === "visible" && by3d !== "3d") (points[camera] ??= {})[keypoint] = [x, y];
  return points;
}

async function check() {
  if (!store.project.unit) return;
  if (checking) { checkAgain = true; return; }
  checking = true;
  const wanted = instant(), points = observations();
  const set = Object.entries(points).filter(([, own]) => own[scene.selected]).map(([camera, own]) => [camera, own[scene.selected]]);
  const drawn = scene.options.lines === "always" || (scene.options.lines === "one" && set.length === 1) ? Object.fromEntries(set) : {};
  try {
    const found = set.length || Object.keys(points).length ? await postJson("check", { project: store.name, points, lines: drawn }) : NOTHING;
    if (instant() === wanted) { scene.geometry = { ...found, calibrated: true }; drawAll(); document.dispatchEvent(new Event("checked")); }
  } catch { /* told by the next save */ }
  checking = false;
  if (checkAgain) { checkAgain = false; check(); }
}

// ---- what a person does ------------------------------------------------------------------------------------------
const host = {
  drawn: (view, ctx) => drawMarks(view, ctx, scene),
  points: (view) => scene.keypoints.flatMap((keypoint) => {
    const place = placeOf(scene, view.camera.name, keypoint);
    return place && (place.set || scene.options.unconfirmed) ? [{ keypoint, x: place.x, y: place.y, set: place.set }] : [];
  }),
  entered: (view) => { if (active !== view) { active = view; showCaptions(); } },
  zoomed: (view) => sharpen(view),
  moved(view, keypoint, x, y, isLast) {
    scene.selected = keypoint;
    const state = store.point(instant(), view.camera.name, keypoint)?.[2] === "occluded" ? "occluded" : "visible";
    const point = [round(x), round(y), state, "hand"];
    if (isLast) {
      if (view.before !== undefined) setQuietly(view, keypoint, view.before);
      view.before = undefined;
      store.change(instant(), [[view.camera.name, keypoint, point]]);
    } else {
      view.before ??= store.point(instant(), view.camera.name, keypoint);
      setQuietly(view, keypoint, point);
      drawAll();
      check();
    }
  },
  clicked(view, x, y, hit) {
    active = view;
    if (hit && hit.keypoint !== scene.selected) return select(hit.keypoint);
    if (hit && hit.set) return;
    if (hit) { accept([view], [hit.keypoint]); return advance(); }
    store.change(instant(), [[view.camera.name, scene.selected, [round(x), round(y), "visible", "hand"]]]);
    advance();
  },
};

const round = (value) => Math.round(value * 1000) / 1000;

function setQuietly(view, keypoint, point) {
  const own = (scene.record.points[view.camera.name] ??= {});
  if (point) own[keypoint] = point; else delete own[keypoint];
}

function select(keypoint) {
  scene.selected = keypoint;
  list.reveal(keypoint);
  drawAll();
  check();
}

function stepKeypoint(step) {
  const n = scene.keypoints.length;
  select(scene.keypoints[(scene.keypoints.indexOf(scene.selected) + step + n) % n]);
}

function advance() { if (scene.options.after === "keypoint") stepKeypoint(1); }

function accept(inViews, keypoints) {
  const changes = [];
  for (const view of inViews) {
    if (pictures.now(instant(), view.index, gridWidth()) === null) continue;
    for (const keypoint of keypoints) {
      if (store.point(instant(), view.camera.name, keypoint)) continue;
      const place = placeOf(scene, view.camera.name, keypoint);
      if (place) changes.push([view.camera.name, keypoint, [round(place.x), round(place.y), "visible", place.source]]);
    }
  }
  store.change(instant(), changes);
}

function mark(state) {
  const camera = active.camera.name, known = store.point(instant(), camera, scene.selected);
  let point = null;
  if (state === "absent") point = known?.[2] === "absent" ? null : [null, null, "absent", "hand"];
  if (state === "occluded") {
    const place = placeOf(scene, camera, scene.selected) ?? pointed();
    if (!place) return;
    const source = known?.[3] ?? place.source ?? "hand";
    point = [round(place.x), round(place.y), known?.[2] === "occluded" ? "visible" : "occluded", source];
  }
  store.change(instant(), [[camera, scene.selected, point]]);
}

function pointed() {
  if (!active.pointer) return null;
  const [x, y] = active.toPicture(active.pointer);
  return { x, y };
}

function nudge(dx, dy) {
  const point = store.point(instant(), active.camera.name, scene.selected);
  if (point && point[2] !== "absent") store.change(instant(), [[active.camera.name, scene.selected, [round(point[0] + dx), round(point[1] + dy), point[2], "hand"]]]);
}

async function takeBack(which) {
  const changed = await store[which]();
  if (changed !== null && changed !== instant()) go(instants().indexOf(changed));
}

function nextUnfinished() {
  const rows = store.project.instants, n = rows.length;
  for (let step = 1; step <= n; step++) {
    const [, decided, shown] = rows[(at + step) % n];
    if (decided < shown * scene.keypoints.length) return go((at + step) % n);
  }
}

function setAlone(isAlone) {
  alone = isAlone && views.length > 1;
  layout();
  showPictures(instant());
}

function chooseCamera(index) {
  if (!views[index]) return;
  active = views[index];
  if (alone) setAlone(true);
  drawAll();
}

// ---- layout ------------------------------------------------------------------------------------------------------
function layout() {
  const grid = by("cameras"), shown = shownViews(), gap = 4;
  const width = grid.clientWidth - 2 * gap, height = grid.clientHeight - 2 * gap;
  if (!shown.length || width <= 0) return;
  const aspect = Math.max(...shown.map((view) => view.size[0] / view.size[1]).filter((a) => a > 0 && a !== 1), 0) || 4 / 3;
  let best = { area: 0 };
  for (let columns = 1; columns <= shown.length; columns++) {
    const rows = Math.ceil(shown.length / columns);
    const w = Math.min((width - gap * (columns - 1)) / columns, ((height - gap * (rows - 1)) / rows) * aspect);
    if (w * w > best.area) best = { area: w * w, columns, w: Math.floor(w), h: Math.floor(w / aspect) };
  }
  grid.style.gridTemplateColumns = `repeat(${best.columns}, ${best.w}px)`;
  for (const view of views) {
    view.element.hidden = !shown.includes(view);
    if (shown.includes(view)) view.resize(best.w, best.h);
  }
}

function setOptions() {
  for (const name of SWITCHES) scene.options[name] = by(name).checked;
  for (const name of ["lines", "after"]) scene.options[name] = by(name).value;
  const filter = `brightness(${by("brightness").value}) contrast(${by("contrast").value})`;
  for (const view of views) view.picture.style.filter = by("brightness").value === "1" && by("contrast").value === "1" ? "" : filter;
  localStorage.setItem("muybridge-label", JSON.stringify(scene.options));
}

function toggle(name) { by(name).checked = !by(name).checked; setOptions(); drawAll(); }

// ---- keyboard ----------------------------------------------------------------------------------------------------
const KEYS = {
  w: () => stepKeypoint(-1), s: () => stepKeypoint(1), arrowup: () => stepKeypoint(-1), arrowdown: () => stepKeypoint(1),
  a: (e) => go(at - (e.shiftKey ? 10 : 1)), d: (e) => go(at + (e.shiftKey ? 10 : 1)),
  arrowleft: (e) => go(at - (e.shiftKey ? 10 : 1)), arrowright: (e) => go(at + (e.shiftKey ? 10 : 1)),
  home: () => go(0), end: () => go(Infinity), n: nextUnfinished,
  "[": () => chooseCamera((active.index - 1 + views.length) % views.length), "]": () => chooseCamera((active.index + 1) % views.length),
  f: () => setAlone(!alone), escape: () => setAlone(false), r: () => { by("follow").checked = false; setOptions(); shownViews().forEach((view) => view.reset()); showPictures(instant()); },
  o: () => mark("occluded"), x: () => mark("absent"), delete: () => mark("clear"), backspace: () => mark("clear"),
  l: () => { const select = by("lines"); select.selectedIndex = (select.selectedIndex + 1) % 3; setOptions(); check(); },
  z: () => by("follow").click(), b: () => toggle("bones"), t: () => toggle("names"), "?": () => by("keys").showModal(),
};
const CTRL_KEYS = {
  z: (e) => takeBack(e.shiftKey ? "redo" : "undo"), y: () => takeBack("redo"), arrowup: () => nudge(0, -1), arrowdown: () => nudge(0, 1),
  arrowleft: () => nudge(-1, 0), arrowright: () => nudge(1, 0), enter: () => accept(views, scene.keypoints),
};

document.addEventListener("keydown", (event) => {
  if (!store || document.body.inert || by("keys").open || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "range" && event.target.type !== "checkbox") return;
  const key = event.key.toLowerCase(), with_ctrl = event.ctrlKey || event.metaKey;
  if (key === "h" && !with_ctrl) { scene.hidden = true; drawAll(); return; }
  let work = with_ctrl ? CTRL_KEYS[key] : KEYS[key];
  if (!with_ctrl && key === "enter" && event.target.tagName !== "BUTTON") work = () => accept(event.shiftKey ? views : [active], [scene.selected]);
  if (!with_ctrl && /^[1-9]$/.test(key)) work = () => chooseCamera(Number(key) - 1);
  if (!work || !store.project.instants.length) return;
  event.preventDefault();
  work(event);
});
document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "h") { scene.hidden = false; drawAll(); } });

// ---- start -------------------------------------------------------------------------------------------------------
function wire() {
  const blurred = (id, work) => by(id).addEventListener("click", (event) => { work(event); event.currentTarget.blur(); });
  blurred("previous", () => go(at - 1));
  blurred("next", () => go(at + 1));
  blurred("undo", () => takeBack("undo"));
  blurred("redo", () => takeBack("redo"));
  blurred("accept", () => accept([active], [scene.selected]));
  blurred("accept-all", () => accept(views, [scene.selected]));
  blurred("accept-instant", () => accept(views, scene.keypoints));
  blurred("occluded", () => mark("occluded"));
  blurred("absent", () => mark("absent"));
  blurred("clear", () => mark("clear"));
  blurred("reset", () => KEYS.r());
  blurred("help", () => by("keys").showModal());
  blurred("theme", () => setTheme(isDark() ? "light" : "dark"));
  blurred("dismiss", () => { mine = null; say(""); });
  blurred("mine", async () => { const { instant: changed, own } = mine; mine = null; say(""); await go(instants().indexOf(changed)); store.change(changed, own); });
  blurred("export", async () => {
    try { const said = await postJson("export", { project: store.name }); say(`Written: ${said.folder} (DeepLabCut's tables) and ${said.dataset}, ${said.instants} instants.`); } catch (error) { say(error.message); }
  });
  by("slider").addEventListener("input", () => go(Number(by("slider").value)));
  by("slider").addEventListener("change", () => by("slider").blur());
  by("project").addEventListener("change", () => { by("project").blur(); openProject(by("project").value).catch((error) => say(error.message)); });
  by("add").addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = Number(by("wanted").value);
    try { await postJson("add", { project: store.name, instant: wanted }); await added(wanted); } catch (error) { say(error.message); }
  });
  by("follow").addEventListener("input", () => { setOptions(); if (by("follow").checked) showPictures(instant()).then(follow); else KEYS.r(); });
  for (const id of ["brightness", "contrast", "bones", "names", "unconfirmed", "after"]) by(id).addEventListener("input", () => { setOptions(); drawAll(); });
  by("lines").addEventListener("change", () => { setOptions(); by("lines").blur(); check(); });
  // the window's size, or a message above the pictures, changes their room
  new ResizeObserver(() => { layout(); if (store && instant() !== undefined) showPictures(instant()); }).observe(by("cameras"));
  addEventListener("beforeunload", (event) => { if (store?.unsaved) event.preventDefault(); });
}

// A new instant's pictures are being decoded: wait until the first is there.
async function added(wanted) {
  for (let turn = 0; turn < 200; turn++) {
    const project = await getJson("project", { project: store.name });
    if (project.instants.some(([id]) => id === wanted)) return refreshProject(wanted);
    await new Promise((done) => setTimeout(done, 300));
  }
}

const isDark = () => document.documentElement.dataset.theme === "dark";
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  by("theme").textContent = theme === "dark" ? "Light" : "Dark";
}

function listProjects(projects, chosen) {
  by("project").replaceChildren(...projects.map((name) => new Option(name, name, false, name === chosen)));
}

async function saved() { while (store?.unsaved) await new Promise((done) => setTimeout(done, 50)); }

async function start() {
  const isFirst = localStorage.getItem("muybridge-label") === null;
  setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  try {
    const kept = JSON.parse(localStorage.getItem("muybridge-label") ?? "{}");
    for (const name of SWITCHES) if (typeof kept[name] === "boolean") by(name).checked = kept[name];
    for (const name of ["lines", "after"]) if (typeof kept[name] === "string") by(name).value = kept[name];
  } catch { /* the page begins as usual */ }
  wire();
  setOptions();
  source = await getJson("source");
  const asked = decodeURIComponent(location.hash.slice(1)), chosen = source.projects.includes(asked) ? asked : source.chosen;
  listProjects(source.projects, chosen);
  new LoopPanel(source, () => store.name, async (projects, step, code) => {
    const fresh = projects.find((name) => !source.projects.includes(name));
    source.projects = projects;
    const next = code === 0 && fresh && (step === "extract" || step === "suggest") ? fresh : store.name;
    listProjects(projects, next);
    await openProject(next, next === store.name ? instant() : null);
  }, saved);
  await openProject(chosen);
  if (store.project.unit === null && isFirst) by("after").value = "keypoint";
  setOptions();
  drawAll();
}

start().catch((error) => say(error.message));
