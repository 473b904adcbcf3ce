// What the page knows: the project, the instants read so far, changes with undo and redo, and saving them.

const base = new URL(".", location.href);

export async function ask(path, query = {}, options = {}) {
  const address = new URL("api/" + path, base);
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  return fetch(address, options);
}

export async function send(path, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return ask(path, {}, options);
}

async function content(answer) {
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error || answer.statusText);
  return value;
}

export const getJson = async (path, query) => content(await ask(path, query));
export const postJson = async (path, body) => content(await send(path, body));

const MOST_INSTANTS = 300; // kept in memory
const RETRY = 2000; // ms

export class Store extends EventTarget {
  constructor(project) {
    super();
    this.project = project;
    this.name = project.name;
    this.records = new Map(); // instant: {revision, points, proposed, frames}
    this.waiting = new Map(); // instant: {camera: {keypoint: point or null}}, not yet sent
    this.sending = false;
    this.failed = false;
    this.past = [];
    this.future = [];
  }

  tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  // The record of an instant: at once where it is known, and read again in the background.
  async read(instant) {
    const known = this.records.get(instant);
    if (known) {
      this.records.delete(instant);
      this.records.set(instant, known); // the latest used is the last to go
      this.fetch(instant).catch(() => {});
      return known;
    }
    return this.fetch(instant);
  }

  async fetch(instant) {
    const found = await getJson("instant", { project: this.name, instant });
    const known = this.records.get(instant);
    if (known && (this.waiting.has(instant) || this.sendingInstant === instant || known.revision > found.revision)) return known;
    this.records.set(instant, found);
    for (const old of this.records.keys()) {
      if (this.records.size <= MOST_INSTANTS) break;
      if (!this.waiting.has(old) && old !== instant) this.records.delete(old);
    }
    if (known && known.revision !== found.revision) this.tell("changed", { instant });
    return found;
  }

  point(instant, camera, keypoint) {
    return this.records.get(instant)?.points[camera]?.[keypoint] ?? null;
  }

  // changes: [[camera, keypoint, point or null], ...], one step of undo.
  change(instant, changes, remember = true) {
    const record = this.records.get(instant);
    if (!record) return; // not read yet
    const step = { instant, changes: [] };
    for (const [camera, keypoint, after] of changes) {
      const before = this.point(instant, camera, keypoint);
      if (JSON.stringify(before) === JSON.stringify(after)) continue;
      step.changes.push({ camera, keypoint, before, after });
      const own = (record.points[camera] ??= {});
      if (after) own[keypoint] = after; else delete own[keypoint];
      const waiting = this.waiting.get(instant) ?? {};
      (waiting[camera] ??= {})[keypoint] = after;
      this.waiting.set(instant, waiting);
    }
    if (!step.changes.length) return;
    if (remember) { this.past.push(step); this.future.length = 0; }
    this.count(instant);
    this.tell("changed", { instant });
    this.save();
  }

  count(instant) {
    const row = this.project.instants.find(([id]) => id === instant);
    if (row) row[1] = Object.values(this.records.get(instant).points).reduce((n, own) => n + Object.keys(own).length, 0);
  }

  // A step of `from`, taken back or done again; returns its instant, whose record must have been read.
  async step(from, to, side) {
    const step = from.pop();
    if (!step) return null;
    await this.read(step.instant);
    this.change(step.instant, step.changes.map((c) => [c.camera, c.keypoint, c[side]]), false);
    to.push(step);
    this.tell("changed", { instant: step.instant });
    return step.instant;
  }

  undo() { return this.step(this.past, this.future, "before"); }
  redo() { return this.step(this.future, this.past, "after"); }

  get unsaved() { return this.waiting.size > 0 || this.sending; }

  async save() {
    this.tell("saving");
    if (this.sending) return;
    this.sending = true;
    while (this.waiting.size) {
      const [instant, changes] = this.waiting.entries().next().value;
      this.waiting.delete(instant);
      this.sendingInstant = instant;
      try {
        const { revision } = this.records.get(instant);
        const answer = await send("change", { project: this.name, instant, revision, changes });
        const said = await answer.json();
        if (answer.ok) {
          this.records.get(instant).revision = said.revision;
          this.failed = said.failures.length ? said.failures[0] : false;
        } else if (answer.status === 409) this.stale(instant, said, changes);
        else this.tell("refused", { instant, error: said.error });
      } catch {
        const later = this.waiting.get(instant) ?? {};
        for (const [camera, own] of Object.entries(changes)) later[camera] = { ...own, ...later[camera] };
        this.waiting.set(instant, later);
        this.failed = "the program does not answer";
        this.tell("saving");
        await new Promise((done) => setTimeout(done, RETRY));
      }
    }
    this.sending = false;
    this.sendingInstant = null;
    this.tell("saving");
  }

  // Another tab was first: its points are shown, and this one's can be set again.
  stale(instant, now, changes) {
    const record = this.records.get(instant);
    record.revision = now.revision;
    record.points = now.points;
    const later = this.waiting.get(instant) ?? {};
    this.waiting.delete(instant);
    const mine = [changes, later].flatMap((part) =>
      Object.entries(part).flatMap(([camera, own]) => Object.entries(own).map(([keypoint, point]) => [camera, keypoint, point])));
    this.past = this.past.filter((step) => step.instant !== instant);
    this.future = this.future.filter((step) => step.instant !== instant);
    this.count(instant);
    this.tell("changed", { instant });
    this.tell("stale", { instant, mine });
  }
}
