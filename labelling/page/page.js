// The page: a project is opened, and one instant shown in all cameras.
import { CameraView } from "./camera_view.js";
import { setOptions, setTheme, wire } from "./controls.js";
import { drawAll, layout, say, showSaved, showWhere, stale } from "./drawing.js";
import { colours } from "./marks.js";
import { host, select } from "./marking.js";
import { KeypointList, LoopPanel } from "./panels.js";
import { Pictures } from "./pictures.js";
import { arrived, go, showRecord } from "./showing.js";
import { NOTHING, SWITCHES, by, instant, instants, pictures, scene, set, store, views } from "./state.js";
import { Store, getJson } from "./store.js";

let source;

async function openProject(name, keep = null) {
  document.body.inert = true; // no key or click may reach the project shown until now
  try { await opened(name, keep); } finally { document.body.inert = false; }
}

async function opened(name, keep) {
  by("where").textContent = `opening ${name}`;
  const project = await getJson("project", { project: name });
  history.replaceState(null, "", `#${encodeURIComponent(name)}`); // kept over a reload
  set({ store: new Store(project) });
  pictures?.close();
  set({ pictures: new Pictures(project, arrived, (bitmap) => views.some((view) => view.bitmap === bitmap)) });
  store.addEventListener("changed", (event) => { if (event.detail.instant === instant()) showRecord(); showWhere(); });
  store.addEventListener("saving", showSaved);
  store.addEventListener("stale", (event) => stale(event.detail));
  store.addEventListener("refused", (event) => say(`Not saved: ${event.detail.error}`));
  const shades = colours(project.keypoints.length);
  Object.assign(scene, { keypoints: project.keypoints, bones: project.bones, unit: project.unit ?? "", geometry: NOTHING });
  scene.colour = Object.fromEntries(project.keypoints.map((keypoint, k) => [keypoint, shades[k]]));
  if (!project.keypoints.includes(scene.selected)) scene.selected = project.keypoints[0];
  const opening = project.cameras.map((camera, index) => new CameraView(camera, index, host));
  set({ list: new KeypointList(scene, select), views: opening, active: opening[0], alone: false });
  by("cameras").replaceChildren(...views.map((view) => view.element));
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

// A new instant's pictures are being decoded: wait until the first is there.
async function added(wanted) {
  for (let turn = 0; turn < 200; turn++) {
    const project = await getJson("project", { project: store.name });
    if (project.instants.some(([id]) => id === wanted)) return refreshProject(wanted);
    await new Promise((done) => setTimeout(done, 300));
  }
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
  wire(openProject, added);
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
