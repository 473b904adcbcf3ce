// What the views say together: ellipses, epipolar lines and distances, computed by the server.
import { drawAll } from "./drawing.js";
import { NOTHING, instant, scene, store } from "./state.js";
import { postJson } from "./store.js";

let checking = false, checkAgain = false;

// Points that count as observations: set by a person and visible, not taken over from other views.
function observations() {
  const points = {};
  for (const [camera, own] of Object.entries(scene.record.points))
    for (const [keypoint, [x, y, state, by3d]] of Object.entries(own))
      if (state === "visible" && by3d !== "3d") (points[camera] ??= {})[keypoint] = [x, y];
  return points;
}

export async function check() {
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
