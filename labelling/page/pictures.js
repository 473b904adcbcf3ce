// Pictures from the server, decoded: those shown first, the neighbours ahead of time, the rest forgotten.
import { ask } from "./store.js";

const MOST = 400; // bitmaps
const MOST_PIXELS = 60e6; // 240 MB
const FEWEST = 3; // instants that are kept, however large their pictures
const AGAIN = 200; // ms, until pictures that are being decoded from videos are asked for again

// A small picture stays in the JPEG's own colours until it is drawn, which most neighbours never are: a third of a
// bitmap's time. A whole one is drawn again and again as it is zoomed and moved: a bitmap, as in browsers without ImageDecoder.
async function decoded(jpeg, isWhole) {
  if (isWhole || !globalThis.ImageDecoder) return createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  const decoder = new ImageDecoder({ data: jpeg, type: "image/jpeg" });
  try { return (await decoder.decode()).image; } finally { decoder.close(); }
}

// The pictures of an answer as they arrive, each below a line of JSON: [camera, bytes].
async function* parts(body) {
  const reader = body.getReader(), text = new TextDecoder();
  for (let held = new Uint8Array(0), read; !(read = await reader.read()).done;) {
    const joined = new Uint8Array(held.length + read.value.length);
    joined.set(held);
    joined.set(read.value, held.length);
    held = joined;
    for (let end; (end = held.indexOf(10)) >= 0;) {
      const [camera, size] = JSON.parse(text.decode(held.subarray(0, end))), last = end + 1 + Math.max(0, size);
      if (held.length < last) break;
      yield { camera, size, jpeg: held.slice(end + 1, last) };
      held = held.subarray(last);
    }
  }
}

export const sizeOf = (bitmap) => [bitmap?.displayWidth ?? bitmap?.width ?? 0, bitmap?.displayHeight ?? bitmap?.height ?? 0];
const nPixels = (bitmap) => sizeOf(bitmap)[0] * sizeOf(bitmap)[1];

export class Pictures {
  // arrived: (instant, camera, width, bitmap) => for each picture, null where there is none; isShown: bitmap => in a view
  constructor(project, arrived, isShown) {
    Object.assign(this, { project, arrived, isShown });
    this.ready = new Map(); // "instant/camera/width": bitmap, frame or null
    this.loading = new Map(); // "instant/width/cameras": {done: promise, stop}
  }

  // The bitmap if it is there already, else undefined; null: there is none.
  now(instant, camera, width) { return this.ready.get(`${instant}/${camera}/${width}`); }

  // Have the pictures of an instant loaded, those of all cameras by one request.
  async get(instant, cameras, width) {
    const missing = cameras.filter((camera) => this.now(instant, camera, width) === undefined), key = `${instant}/${width}/${missing}`;
    if (!missing.length) return;
    if (!this.loading.has(key)) {
      const stop = new AbortController();
      this.loading.set(key, { stop, done: this.load(instant, missing, width, stop.signal).finally(() => this.loading.delete(key)) });
    }
    await this.loading.get(key).done;
  }

  async load(instant, cameras, width, signal) {
    for (let wanted = cameras; wanted.length;) {
      const answer = await ask("pictures", { project: this.project.name, instant, width, cameras: wanted }, { signal });
      if (!answer.ok) throw new Error(answer.statusText);
      const shown = [];
      wanted = [];
      for await (const { camera, size, jpeg } of parts(answer.body)) {
        if (size < 0) wanted.push(camera); // being decoded from a video
        else shown.push(this.keep(instant, camera, width, jpeg));
      }
      await Promise.all(shown);
      if (wanted.length) await new Promise((done) => setTimeout(done, AGAIN));
      signal.throwIfAborted();
    }
    this.forget();
  }

  async keep(instant, camera, width, jpeg) {
    const bitmap = jpeg.length ? await decoded(jpeg, !width) : null;
    if (this.closed) { bitmap?.close(); return; }
    this.ready.set(`${instant}/${camera}/${width}`, bitmap);
    this.arrived(instant, camera, width, bitmap);
  }

  forget() {
    let pixels = 0;
    for (const bitmap of this.ready.values()) pixels += nPixels(bitmap);
    for (const [key, bitmap] of this.ready) {
      if (this.ready.size <= MOST && pixels <= MOST_PIXELS) break;
      if (bitmap && this.isShown(bitmap)) continue;
      pixels -= nPixels(bitmap);
      this.ready.delete(key);
      bitmap?.close();
    }
  }

  // Another project is opened: what is still on its way must not reach its views.
  close() {
    this.closed = true;
    this.want([], [], 0);
    for (const bitmap of this.ready.values()) bitmap?.close();
    this.ready.clear();
  }

  // The pictures of the instant shown and of those likely to be next, one instant after the other, until the next
  // call; what was on its way of other instants is stopped.
  async want(instants, cameras, width) {
    const turn = (this.turn = {});
    // no more than the memory holds: the last would push out the first
    const fit = Math.min(MOST, MOST_PIXELS / (width || Infinity) ** 2) / cameras.length;
    instants = instants.slice(0, Math.max(FEWEST, Math.floor(fit)));
    for (const [key, { stop }] of this.loading) if (!instants.includes(Number.parseInt(key, 10))) stop.abort();
    for (const instant of instants) {
      if (this.turn !== turn) return;
      await this.get(instant, cameras, width).catch(() => {}); // another instant is wanted by now
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); // what is shown is painted first
    }
  }
}
