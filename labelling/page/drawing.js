// Drawing what is known: marks, list, captions, and the lines of text; the room that each camera gets.
import { active, at, by, cameras, instant, list, mine, scene, set, shownViews, store, views } from "./state.js";

export function drawAll() {
  for (const view of shownViews()) view.drawMarks();
  list.show(cameras());
  showCaptions();
}

export function showCaptions() {
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

export function showWhere() {
  const [id, decided, shown] = store.project.instants[at] ?? [];
  if (id === undefined) return;
  const all = shown * scene.keypoints.length;
  const finished = store.project.instants.filter(([, d, n]) => d >= n * scene.keypoints.length).length;
  by("where").textContent = `instant ${id} (${at + 1} of ${store.project.instants.length}), ${decided} of ${all} points, ${finished} finished`;
  by("undo").disabled = !store.past.length;
  by("redo").disabled = !store.future.length;
}

export function showSaved() {
  const said = by("saved");
  said.className = store.failed ? "failed" : store.unsaved ? "waiting" : "";
  said.textContent = store.failed ? `not saved: ${store.failed}` : store.unsaved ? "saving" : "saved";
}

export function say(text) {
  by("message").hidden = !text;
  by("message").firstElementChild.textContent = text;
  by("mine").hidden = !mine;
}

export function stale({ instant: changed, mine: own }) {
  set({ mine: { instant: changed, own } });
  say(`Instant ${changed} was changed in another tab or program. Its points are shown as they are now; your last change (${own.map(([c, k]) => `${k} in ${c}`).join(", ")}) was not saved.`);
}

export function layout() {
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
