// One camera: its picture, and above it the points, lines and ellipses; zoom, pan, and where the pointer is.
import { sizeOf } from "./pictures.js";

const NEAR = 8; // screen pixels within which a point is taken
const LARGEST = 60; // zoom, times the whole picture

export class CameraView {
  // host: {points(view), moved(view, keypoint, x, y, isLast), clicked(view, x, y, keypoint, event), entered(view)}
  constructor(camera, index, host) {
    Object.assign(this, { camera, index, host, zoom: 1, centre: null, bitmap: undefined, drag: null, pointer: null });
    this.element = document.createElement("div");
    this.element.className = "camera";
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", `camera ${camera.name}`);
    this.element.dataset.camera = camera.name;
    this.picture = this.element.appendChild(document.createElement("canvas"));
    this.marks = this.element.appendChild(document.createElement("canvas"));
    this.caption = this.element.appendChild(document.createElement("div"));
    this.caption.className = "caption";
    this.none = this.element.appendChild(document.createElement("div"));
    this.none.className = "none";
    this.listen();
  }

  get size() { const [w, h] = sizeOf(this.bitmap); return [this.camera.width || w || 1, this.camera.height || h || 1]; }

  resize(width, height) {
    const ratio = devicePixelRatio || 1;
    this.width = width; this.height = height; this.ratio = ratio;
    this.element.style.width = `${width}px`;
    this.element.style.height = `${height}px`;
    for (const canvas of [this.picture, this.marks]) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
    this.draw();
  }

  // Screen pixels per picture pixel, and the screen place of the picture's corner.
  get scale() { const [w, h] = this.size; return Math.min(this.width / w, this.height / h) * this.zoom; }
  get corner() {
    const [w, h] = this.size, s = this.scale, [x, y] = this.centre ?? [w / 2, h / 2];
    return [this.width / 2 - x * s, this.height / 2 - y * s];
  }
  // the centre of the first pixel is (0, 0)
  toScreen([x, y]) { const [cx, cy] = this.corner, s = this.scale; return [cx + (x + 0.5) * s, cy + (y + 0.5) * s]; }
  toPicture([x, y]) { const [cx, cy] = this.corner, s = this.scale; return [(x - cx) / s - 0.5, (y - cy) / s - 0.5]; }

  show(bitmap) { this.bitmap = bitmap; this.none.textContent = bitmap === null ? "no picture" : ""; this.drawPicture(); }
  reset() { this.zoom = 1; this.centre = null; this.draw(); }

  // Zoom so that the points [[x, y], ...] fill most of the view.
  fit(points) {
    if (points.length < 2 || !this.width) return;
    const [w, h] = this.size, bounds = [0, 1].map((axis) => { const own = points.map((at) => at[axis]); return [Math.min(...own), Math.max(...own)]; });
    const [left, right, top, bottom] = bounds.flat();
    const side = Math.max((right - left) / this.width, (bottom - top) / this.height, 40 / this.width) * 1.35;
    this.zoom = Math.min(LARGEST, Math.max(1, 1 / side / Math.min(this.width / w, this.height / h)));
    this.centre = [(left + right + 1) / 2, (top + bottom + 1) / 2];
    this.draw();
  }
  draw() { this.drawPicture(); this.drawMarks(); }

  drawPicture() {
    const ctx = this.picture.getContext("2d", { alpha: false });
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.fillStyle = "#101010";
    ctx.fillRect(0, 0, this.picture.width, this.picture.height);
    if (!this.bitmap || !this.width) return;
    const [w, h] = this.size, s = this.scale, [x, y] = this.corner;
    ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    ctx.imageSmoothingEnabled = s * this.ratio < 3;
    ctx.drawImage(this.bitmap, x, y, w * s, h * s);
  }

  drawMarks() {
    const ctx = this.marks.getContext("2d");
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, this.marks.width, this.marks.height);
    if (!this.width) return;
    ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.host.drawn(this, ctx);
  }

  // The mark of `points` [{keypoint, x, y, set}] nearest to a screen place; set ones first.
  near(points, at) {
    let best = null, least = NEAR;
    for (const isSet of [true, false]) {
      for (const point of points) {
        if (point.set !== isSet) continue;
        const [x, y] = this.toScreen([point.x, point.y]);
        const distance = Math.hypot(x - at[0], y - at[1]);
        if (distance < least) { least = distance; best = point; }
      }
      if (best) return best;
    }
    return null;
  }

  zoomAt(at, factor) {
    const [x, y] = this.toPicture(at);
    this.zoom = Math.min(LARGEST, Math.max(1, this.zoom * factor));
    const [w, h] = this.size, s = this.scale;
    const keep = [x + 0.5 + (this.width / 2 - at[0]) / s, y + 0.5 + (this.height / 2 - at[1]) / s];
    this.centre = this.zoom === 1 ? null : [Math.min(w, Math.max(0, keep[0])), Math.min(h, Math.max(0, keep[1]))];
    this.draw();
    this.host.zoomed(this);
  }

  listen() {
    const at = (event) => { const box = this.element.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    this.element.addEventListener("contextmenu", (event) => event.preventDefault());
    this.element.addEventListener("wheel", (event) => { event.preventDefault(); this.zoomAt(at(event), Math.exp(-event.deltaY * 0.0016)); }, { passive: false });
    this.element.addEventListener("pointerenter", () => this.host.entered(this));
    this.element.addEventListener("pointerleave", () => { this.pointer = null; });
    this.element.addEventListener("pointerdown", (event) => {
      this.host.entered(this);
      this.element.setPointerCapture(event.pointerId);
      const start = at(event);
      const pans = event.button !== 0;
      const hit = pans || event.shiftKey ? null : this.near(this.host.points(this), start);
      this.drag = { start, pans, hit, centre: this.centre ?? this.size.map((side) => side / 2), moved: false, shift: event.shiftKey };
    });
    this.element.addEventListener("pointermove", (event) => {
      this.pointer = at(event);
      const drag = this.drag;
      if (!drag) return;
      const [dx, dy] = [this.pointer[0] - drag.start[0], this.pointer[1] - drag.start[1]];
      drag.moved ||= Math.hypot(dx, dy) > 3;
      if (!drag.moved) return;
      if (drag.pans) {
        this.centre = [drag.centre[0] - dx / this.scale, drag.centre[1] - dy / this.scale];
        this.draw();
      } else if (drag.hit) {
        const s = this.scale;
        this.host.moved(this, drag.hit.keypoint, drag.hit.x + dx / s, drag.hit.y + dy / s, false);
      }
    });
    const end = (event) => {
      const drag = this.drag;
      this.drag = null;
      if (!drag || event.type === "pointercancel" || drag.pans) return;
      const last = at(event), s = this.scale;
      if (drag.moved && drag.hit) {
        this.host.moved(this, drag.hit.keypoint, drag.hit.x + (last[0] - drag.start[0]) / s, drag.hit.y + (last[1] - drag.start[1]) / s, true);
      } else if (!drag.moved) this.host.clicked(this, ...this.toPicture(drag.start), drag.hit);
    };
    this.element.addEventListener("pointerup", end);
    this.element.addEventListener("pointercancel", end);
  }
}
