// What the page shows: the project that is open, where it is, and what is chosen. Read by name everywhere, changed by `set`.
export const by = (id) => document.getElementById(id);
export const SWITCHES = ["bones", "names", "unconfirmed", "follow"];
export const NOTHING = { points: {}, lines: {} };

// active: the view that keys act on; alone: it only is shown; at: place of the instant; mine: what another tab overtook
export let store, pictures, list, views = [], at = 0, active = null, alone = false, mine = null;
export function set(values) {
  ({ store = store, pictures = pictures, list = list, views = views, at = at, active = active, alone = alone, mine = mine } = values);
}
export const scene = { record: { points: {}, proposed: {} }, geometry: NOTHING, keypoints: [], bones: [], colour: {}, selected: null, hidden: false, unit: "", options: {} };

export const instants = () => store.project.instants.map(([id]) => id);
export const instant = () => store.project.instants[at]?.[0];
export const cameras = () => store.project.cameras.map((camera) => camera.name);
export const shownViews = () => (alone && active ? [active] : views);
