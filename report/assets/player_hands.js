"use strict";
// Mouse, pen and fingers on the 3D player: turn, zoom and slide, and what is pointed at.
const playerHands = (canvas, { turn, zoom, slide, hover }) => {
  const fingers = new Map();
  let armed = false;   // the wheel zooms once the pointer has moved over the picture: scrolling past it stays scrolling
  canvas.addEventListener("pointerdown", (event) => {
    if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    canvas.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", (event) => {
    armed = true;
    const before = fingers.get(event.pointerId), now = [event.offsetX, event.offsetY];
    if (!before) return hover(now);
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    fingers.set(event.pointerId, now);
    if (others.length) {
      const gap = (at) => Math.hypot(at[0] - others[0][0], at[1] - others[0][1]) || 1;
      zoom(gap(before) / gap(now));
      slide(dx / 2, dy / 2);
    } else if (event.shiftKey || event.buttons & 6) slide(dx, dy);
    else turn(0.008 * dx, 0.008 * dy);
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => { armed = false; hover(null); });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  window.addEventListener("scroll", () => { armed = false; }, { passive: true });
  canvas.addEventListener("wheel", (event) => {
    if (!armed && document.activeElement !== canvas) return;
    event.preventDefault();
    zoom(Math.exp(0.0015 * Math.max(-200, Math.min(200, event.deltaY))));
  }, { passive: false });
};
