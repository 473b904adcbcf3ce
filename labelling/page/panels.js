// The panels beside the pictures: keypoints, what is told of the selected one, and the steps of the loop.
import { digits, pixels } from "./marks.js";
import { getJson, postJson } from "./store.js";

const by = (id) => document.getElementById(id);

export class KeypointList {
  constructor(scene, choose) {
    this.scene = scene;
    this.rows = new Map();
    by("keypoints").replaceChildren(...scene.keypoints.map((keypoint) => {
      const row = document.createElement("button");
      row.className = "keypoint";
      row.setAttribute("role", "option");
      row.dataset.keypoint = keypoint;
      row.append(...["i", "span", "small", "small"].map((tag) => document.createElement(tag)));
      row.children[0].style.color = scene.colour[keypoint];
      row.children[1].textContent = keypoint;
      row.addEventListener("click", () => choose(keypoint));
      this.rows.set(keypoint, row);
      return row;
    }));
  }

  show(cameras) {
    const { record, geometry, selected } = this.scene;
    for (const [keypoint, row] of this.rows) {
      const n = cameras.filter((camera) => record.points[camera]?.[keypoint]).length;
      const seen = Object.values(geometry.points[keypoint]?.views ?? {}).filter((view) => view.px !== undefined);
      const worst = Math.max(0, ...seen.map((view) => view.px));
      const wrong = seen.some((view) => view.wrong);
      row.setAttribute("aria-selected", String(keypoint === selected));
      row.classList.toggle("whole", n === cameras.length);
      row.children[2].textContent = seen.length ? pixels(worst) : "";
      row.children[2].className = wrong ? "wrong" : "";
      row.children[3].textContent = `${n}/${cameras.length}`;
    }
    this.tell();
  }

  // One sentence on the selected keypoint.
  tell() {
    const { geometry, selected, unit } = this.scene;
    const found = geometry.points[selected];
    by("told").textContent = found ? sentence(found, unit) : geometry.calibrated ? "Set it in two views, and it appears in the others." : "";
  }

  reveal(keypoint) { this.rows.get(keypoint)?.scrollIntoView({ block: "nearest" }); }
}

function sentence(found, unit) {
  const wrong = Object.entries(found.views).filter(([, view]) => view.wrong);
  const far = ([camera, view]) => `${camera} ${pixels(view.px)} (${digits(view.mm)} ${unit})`;
  if (!found.point) return `The views disagree: ${wrong.map(far).join(", ")} from their compromise.`;
  const sure = `Known to ±${digits(found.spread)} ${unit}.`;
  return wrong.length ? `Apart from the others: ${wrong.map(far).join(", ")}. ${sure}` : `The views agree. ${sure}`;
}

const LABELS = {
  extract: ["Extract", "choose instants to label"], calibrate: ["Calibrate", "the cameras"], train: ["Train", "the detector on the labels"],
  predict: ["Predict", "keypoints in the videos"], reconstruct: ["Reconstruct", "in 3D"], kinematics: ["Kinematics", "joint angles"],
  report: ["Report", ""], suggest: ["Suggest", "the pictures to label next"], run: ["Run all", "steps that are not current"],
};

export class LoopPanel {
  // project: () => name of the project shown; finished: (projects, step) => after a step
  constructor(source, project, finished, flush) {
    Object.assign(this, { project, finished, timer: null, running: false });
    if (!source.steps.length) return;
    by("loop").hidden = false;
    by("steps").replaceChildren(...source.steps.map((step) => {
      const button = document.createElement("button");
      [button.textContent, button.title] = LABELS[step];
      button.dataset.step = step;
      button.addEventListener("click", async () => {
        await flush();
        const n = Number(by("count").value) || 20;
        try { this.show(await postJson("job", { project: project(), step, n })); by("lines-said").scrollIntoView({ block: "nearest" }); this.follow(); } catch (error) { this.say(String(error.message)); }
      });
      return button;
    }));
    by("stop").onclick = async () => this.show(await postJson("stop", {}));
    getJson("job").then((state) => { if (state.running) { this.running = true; this.show(state); this.follow(); } });
  }

  follow() {
    clearTimeout(this.timer);
    this.running = true;
    this.timer = setTimeout(async () => {
      try {
        const state = await getJson("job");
        this.show(state);
        if (state.running) return this.follow();
        this.running = false;
        this.finished(state.projects, state.step, state.code);
      } catch { this.follow(); }
    }, 500);
  }

  show(state) {
    this.say(state.lines.join("\n"));
    by("stop").disabled = !state.running;
    by("stop").textContent = state.running ? `Stop ${state.step} (${state.seconds} s)` : "Stop";
    for (const button of by("steps").children) button.disabled = state.running;
  }

  say(text) { const pre = by("lines-said"); pre.textContent = text; pre.scrollTop = pre.scrollHeight; }
}
