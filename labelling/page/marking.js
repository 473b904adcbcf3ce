// What a person does to the points: set, moved, accepted, occluded or absent, taken back.
import { drawAll, showCaptions } from "./drawing.js";
import { check } from "./geometry.js";
import { drawMarks, placeOf } from "./marks.js";
import { go, gridWidth, sharpen, unfinishedAfter } from "./showing.js";
import { active, at, instant, instants, list, pictures, scene, set, store } from "./state.js";

export const host = {
  drawn: (view, ctx) => drawMarks(view, ctx, scene),
  points: (view) => scene.keypoints.flatMap((keypoint) => {
    const place = placeOf(scene, view.camera.name, keypoint);
    return place && (place.set || scene.options.unconfirmed) ? [{ keypoint, x: place.x, y: place.y, set: place.set }] : [];
  }),
  entered: (view) => { if (active !== view) { set({ active: view }); showCaptions(); } },
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
    set({ active: view });
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

export function select(keypoint) {
  scene.selected = keypoint;
  list.reveal(keypoint);
  drawAll();
  check();
}

export function stepKeypoint(step) {
  const n = scene.keypoints.length;
  select(scene.keypoints[(scene.keypoints.indexOf(scene.selected) + step + n) % n]);
}

function advance() { if (scene.options.after === "keypoint") stepKeypoint(1); }

export function accept(inViews, keypoints) {
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

export function mark(state) {
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

export function nudge(dx, dy) {
  const point = store.point(instant(), active.camera.name, scene.selected);
  if (point && point[2] !== "absent") store.change(instant(), [[active.camera.name, scene.selected, [round(point[0] + dx), round(point[1] + dy), point[2], "hand"]]]);
}

export async function takeBack(which) {
  const changed = await store[which]();
  if (changed !== null && changed !== instant()) go(instants().indexOf(changed));
}

export function nextUnfinished() {
  const place = unfinishedAfter(at);
  if (place !== undefined) go(place);
}
