// The keyboard, the buttons and the switches of the page.
import { drawAll, layout, say } from "./drawing.js";
import { check } from "./geometry.js";
import { accept, mark, nextUnfinished, nudge, select, stepKeypoint, takeBack } from "./marking.js";
import { LEAP, chooseCamera, follow, go, setAlone, showPictures } from "./showing.js";
import { SWITCHES, active, alone, at, by, instant, instants, mine, scene, set, shownViews, store, views } from "./state.js";
import { postJson } from "./store.js";

export function setOptions() {
  for (const name of SWITCHES) scene.options[name] = by(name).checked;
  for (const name of ["lines", "after"]) scene.options[name] = by(name).value;
  const filter = `brightness(${by("brightness").value}) contrast(${by("contrast").value})`;
  for (const view of views) view.picture.style.filter = by("brightness").value === "1" && by("contrast").value === "1" ? "" : filter;
  localStorage.setItem("muybridge-label", JSON.stringify(scene.options));
}

function toggle(name) { by(name).checked = !by(name).checked; setOptions(); drawAll(); }

const KEYS = {
  w: () => stepKeypoint(-1), s: () => stepKeypoint(1), arrowup: () => stepKeypoint(-1), arrowdown: () => stepKeypoint(1),
  a: (e) => go(at - (e.shiftKey ? LEAP : 1)), d: (e) => go(at + (e.shiftKey ? LEAP : 1)),
  arrowleft: (e) => go(at - (e.shiftKey ? LEAP : 1)), arrowright: (e) => go(at + (e.shiftKey ? LEAP : 1)),
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

const MOVES = /^([ad]|arrowleft|arrowright|home|end|n)$/; // need not wait for the points of the instant that is left

// Keys that what has the focus needs itself: texts and choices all, sliders and the output of a step those that move
// them, buttons and headings Enter. The slider of the instants is moved by the page's own keys.
function isTaken({ key, target }) {
  if (target.type === "checkbox" || target.id === "slider") return false;
  if (target.type === "range" || target.tagName === "PRE") return /^(Arrow|Home|End|Page)/.test(key);
  return /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || (key === "Enter" && /^(BUTTON|SUMMARY)$/.test(target.tagName));
}

document.addEventListener("keydown", (event) => {
  if (!store || document.body.inert || by("keys").open || event.altKey || isTaken(event)) return;
  const key = event.key.toLowerCase(), withControl = event.ctrlKey || event.metaKey;
  if (key === "h" && !withControl) { scene.hidden = true; drawAll(); return; }
  let work = withControl ? CTRL_KEYS[key] : KEYS[key];
  if (!withControl && key === "enter") work = () => accept(event.shiftKey ? views : [active], [scene.selected]);
  if (!withControl && /^[1-9]$/.test(key)) work = () => chooseCamera(Number(key) - 1);
  if (!work || !store.project.instants.length) return;
  event.preventDefault();
  const shown = instant();
  if (store.records.has(shown) || MOVES.test(key)) work(event);
  else store.read(shown).then(() => { if (instant() === shown) work(event); }).catch((error) => say(error.message));
});
document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "h") { scene.hidden = false; drawAll(); } });

// openProject: name => shown; added: instant => shown once its pictures are there
export function wire(openProject, added) {
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
  blurred("dismiss", () => { set({ mine: null }); say(""); });
  blurred("mine", async () => { const { instant: changed, own } = mine; set({ mine: null }); say(""); await go(instants().indexOf(changed)); store.change(changed, own); });
  blurred("export", async () => {
    try { const said = await postJson("export", { project: store.name }); say(`Written: ${said.folder} (DeepLabCut's tables) and ${said.dataset}; instants: ${said.instants}.`); } catch (error) { say(error.message); }
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

const isDark = () => document.documentElement.dataset.theme === "dark";
export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  by("theme").textContent = theme === "dark" ? "Light" : "Dark";
}
