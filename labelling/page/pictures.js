// Pictures from the server as bitmaps: those shown first, the neighbours ahead of time, the rest forgotten.
import { ask } from "./store.js";

const MOST = 400; // bitmaps
const MOST_PIXELS = 60e6; // 240 MB
const AGAIN = 700; // ms, until a picture that is being decoded is asked for again

export class Pictures {
  constructor(project) {
    this.project = project;
    this.kept = new Map(); // "instant/camera/width": promise of a bitmap, or of null where there is no picture
    this.ready = new Map(); // the same: bitmap
    this.loading = new Map(); // the same: what stops it
  }

  // The bitmap if it is there already, else undefined; null: there is none.
  now(instant, camera, width) { return this.ready.get(`${instant}/${camera}/${width}`); }

  get(instant, camera, width) {
    const key = `${instant}/${camera}/${width}`;
    let wanted = this.kept.get(key);
    if (!wanted) {
      const stop = new AbortController();
      this.loading.set(key, stop);
      wanted = this.load(instant, camera, width, stop.signal);
      this.kept.set(key, wanted);
      wanted.then((bitmap) => { this.ready.set(key, bitmap); this.forget(); }, () => this.kept.delete(key))
        .finally(() => this.loading.delete(key));
    }
    return wanted;
  }

  async load(instant, camera, width, signal) {
    for (;;) {
      const answer = await ask("picture", { project: this.project.name, instant, camera, width }, { signal });
      if (answer.status === 200) return createImageBitmap(await answer.blob());
      if (answer.status !== 202 || !(await answer.json()).coming) return null;
      await new Promise((done) => setTimeout(done, AGAIN));
      signal.throwIfAborted();
    }
  }

  forget() {
    let pixels = 0;
    for (const bitmap of this.ready.values()) pixels += bitmap ? bitmap.width * bitmap.height : 0;
    for (const [key, bitmap] of this.ready) {
      if (this.ready.size <= MOST && pixels <= MOST_PIXELS) break;
      pixels -= bitmap ? bitmap.width * bitmap.height : 0;
      this.ready.delete(key); // not closed: a view may still show it
      this.kept.delete(key);
    }
  }

  // The pictures of the instant shown and of those likely to be next, one instant after the other, until the next
  // call; what was on its way and is not wanted any more is stopped. The full size (width 0) is left alone.
  async want(instants, cameras, width) {
    const turn = (this.turn = {});
    const wanted = new Set(instants.flatMap((instant) => cameras.map((camera) => `${instant}/${camera}/${width}`)));
    for (const [key, stop] of this.loading) if (!wanted.has(key) && !key.endsWith("/0")) stop.abort();
    for (const instant of instants) {
      if (this.turn !== turn) return;
      await Promise.allSettled(cameras.map((camera) => this.get(instant, camera, width)));
    }
  }
}
