// Showing an instant: its pictures at the size of the views, its points, its neighbours ahead of time.
import { drawAll, layout, showWhere } from "./drawing.js";
import { check } from "./geometry.js";
import { placeOf } from "./marks.js";
import { NOTHING, active, alone, at, by, instant, instants, pictures, scene, set, shownViews, store, views } from "./state.js";

const WIDTHS = [480, 960]; // of the copies that the server keeps, pixels; wider: the whole picture, 0
const AHEAD = [1, 2, -1, 3, 4, 5, -2]; // neighbours that are fetched before they are wanted
const RECORDS = 6; // instants whose points are read ahead, too
export const LEAP = 10; // instants, with Shift

let step = 1; // the last one, in instants
let complete = null; // the instant whose pictures are all shown

export async function go(index) {
  if (!store.project.instants.length) {
    document.body.dataset.shown = "";
    by("where").textContent = "no instants yet: Extract, under Steps";
    by("loop").open = true;
    by("undo").disabled = by("redo").disabled = true;
    return;
  }
  const place = Math.min(store.project.instants.length - 1, Math.max(0, index));
  step = place - at;
  set({ at: place });
  const wanted = instant();
  by("slider").value = at;
  if (!store.records.has(wanted)) { scene.record = { points: {}, proposed: {} }; scene.geometry = NOTHING; drawAll(); }
  showPictures(wanted);
  const record = await store.read(wanted);
  if (instant() !== wanted) return;
  scene.record = record;
  scene.geometry = { ...NOTHING, calibrated: Boolean(store.project.unit) };
  // views without points of their own have them from the others once these are checked
  document.addEventListener("checked", () => { if (instant() === wanted) follow(); }, { once: true });
  showRecord();
  follow();
  showWhere();
  tellShown();
  for (const near of ahead().slice(0, RECORDS)) if (!store.records.has(near)) store.read(near).catch(() => {});
}

// Each view zoomed to the points that are set or proposed in it.
export function follow() {
  if (!scene.options.follow) return;
  for (const view of shownViews()) {
    const places = scene.keypoints.map((keypoint) => placeOf(scene, view.camera.name, keypoint)).filter(Boolean);
    view.fit(places.map(({ x, y }) => [x, y]));
    sharpen(view);
  }
}

export function gridWidth() {
  const wanted = (shownViews()[0]?.width ?? 320) * (devicePixelRatio || 1) * (scene.options.follow ? 2 : 1);
  return WIDTHS.find((width) => width >= wanted) ?? 0;
}

// The instants to which a key leads from here, the most likely ones first.
function ahead() {
  const near = AHEAD.map((n) => at + n), leaps = [at + LEAP, at - LEAP], last = instants().length - 1;
  const again = Math.abs(step) === LEAP ? [at + step] : [];
  const places = [...again, near[0], unfinishedAfter(at), ...near, ...leaps, 0, last];
  return [...new Set(places)].filter((place) => place !== at).map((place) => instants()[place]).filter((id) => id !== undefined);
}

// The place of the next instant that is not finished; undefined where all are.
export function unfinishedAfter(place) {
  const rows = store.project.instants, n = rows.length;
  for (let i = 1; i <= n; i++) {
    const [, decided, shown] = rows[(place + i) % n];
    if (decided < shown * scene.keypoints.length) return (place + i) % n;
  }
}

export async function showPictures(wanted) {
  const width = gridWidth(), shown = shownViews();
  const indices = [...new Set([active, ...shown])].map((view) => view.index); // the camera in hand first
  pictures.want([wanted, ...ahead()], indices, width);
  for (const view of shown) {
    const now = pictures.now(wanted, view.index, width);
    view.element.classList.toggle("late", now === undefined); // the points are of another picture than the one shown
    if (now !== undefined) showPicture(view, wanted, now);
  }
  await pictures.get(wanted, indices, width).catch(() => {}); // stopped where another instant is wanted by now
  if (instant() !== wanted) return;
  for (const view of shown) if (view.zoom > 1) sharpen(view);
  complete = wanted;
  tellShown();
}

// Once the pictures and the points of the instant are there.
function tellShown() {
  const now = instant();
  if (complete !== now || !store.records.has(now)) return;
  document.body.dataset.shown = now;
  document.dispatchEvent(new CustomEvent("shown", { detail: now }));
}

function showPicture(view, wanted, bitmap, isWhole = false) {
  view.element.classList.remove("late");
  if (view.shows === wanted && view.whole && !isWhole) return; // a sharper one is there
  Object.assign(view, { shows: wanted, whole: isWhole });
  view.show(bitmap);
}

export function arrived(of, camera, width, bitmap) {
  const view = views[camera], isWhole = !width;
  if (of === instant() && (width === gridWidth() || isWhole)) showPicture(view, of, bitmap, isWhole);
}

// A view that is zoomed in needs the picture's own pixels.
export function sharpen(view) {
  const wanted = instant(), width = gridWidth();
  if (!width || view.scale * view.size[0] * (devicePixelRatio || 1) <= width * 1.2) return;
  const now = pictures.now(wanted, view.index, 0);
  if (now) showPicture(view, wanted, now, true);
  else pictures.get(wanted, [view.index], 0).catch(() => {});
}

export function showRecord() {
  scene.record = store.records.get(instant()) ?? scene.record;
  drawAll();
  check();
}

export function setAlone(isAlone) {
  set({ alone: isAlone && views.length > 1 });
  layout();
  showPictures(instant());
}

export function chooseCamera(index) {
  if (!views[index]) return;
  set({ active: views[index] });
  if (alone) setAlone(true);
  drawAll();
}
