"use strict";
// The one time of the page: every view of an instant subscribes to it, and every view may move it. Its bar stays at the
// foot of the window.
const packedBytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const embedded = (id) => JSON.parse(document.getElementById(id)?.textContent || "null");

const timeLine = (() => {
  const byId = (id) => document.getElementById(id);
  const scene = embedded("scene"), stills = embedded("stills");
  const whole = scene && scene.n_shown > 0;
  // seconds of the instants that can be shown, and their numbers in the recording
  const allTimes = whole ? Float64Array.from(new Float32Array(packedBytes(scene.times)), (t) => scene.start + t) : Float64Array.from(stills?.times ?? []);
  const nFrames = whole ? scene.n_frames : stills?.n_frames ?? 0;
  const views = [], windowed = [];
  let times = allTimes, last = times.length - 1, zoomed = null;   // zoomed: all frames of a window of time
  const numberOf = (frame) => (zoomed ? zoomed.first + zoomed.every * frame : whole ? frame * scene.stride : stills.frames[frame]);
  let frame = 0, playing = false, clock = 0, ticked = 0;

  function show(wanted, chosen = true) {
    frame = Math.max(0, Math.min(last, wanted));
    if (last < 0) return;
    if (chosen) clock = times[frame];
    byId("time-scrub").value = frame;
    byId("time-scrub").setAttribute("aria-valuetext", `${times[frame].toFixed(2)} seconds`);
    byId("time-now").textContent = `frame ${numberOf(frame)} of ${nFrames} · ${times[frame].toFixed(3)} s`;
    for (const view of views) view(times[frame], frame);
  }

  function frameAt(time) {
    let low = 0, high = last;
    while (low < high) { const mid = (low + high + 1) >> 1; if (times[mid] <= time + 1e-6) low = mid; else high = mid - 1; }
    return low;
  }

  function tick(now) {
    if (!playing) return;
    clock += (Math.min(now - ticked, 200) / 1000) * Number(byId("time-speed").value);
    if (clock > times[last]) clock = times[0];
    ticked = now;
    const due = frameAt(clock);
    if (due !== frame) show(due, false);
    requestAnimationFrame(tick);
  }

  function play(on) {
    playing = on && last > 0;
    if (playing && frame >= last) clock = times[0];
    byId("time-play").textContent = playing ? "Pause" : "Play";
    byId("time-play").setAttribute("aria-pressed", String(playing));
    ticked = performance.now();
    if (playing) requestAnimationFrame(tick);
  }

  const toggle = () => play(!playing), step = (n) => show(frame + n);
  const keys = {
    " ": toggle, Home: () => show(0), End: () => show(last),
    ArrowLeft: (event) => step(event.shiftKey ? -10 : -1), ArrowRight: (event) => step(event.shiftKey ? 10 : 1),
  };
  if (byId("time-bar")) {
    byId("time-bar").hidden = last < 1;
    byId("time-scrub").max = Math.max(0, last);
    if (times[last] - times[0] < 2.5) byId("time-speed").value = "0.25";   // a stride or two: slow enough to follow
    byId("time-play").addEventListener("click", toggle);
    byId("time-scrub").addEventListener("input", (event) => show(Number(event.target.value)));
    show(0);
  }
  return {
    get times() { return times; },
    keys, show, number: () => numberOf(frame),
    // all views show a window, {times, positions, first: number of its first frame, every: from one to the next}; null: the whole again
    window(found) {
      const now = times[frame];
      zoomed = found;
      times = found ? found.times : allTimes;
      last = times.length - 1;
      byId("time-scrub").max = last;
      for (const view of windowed) view(found);
      show(frameAt(now));
    },
    onWindow(view) { windowed.push(view); },
    // the view is called with the time, seconds, and the number among the shown frames, at once and at every change
    subscribe(view) { views.push(view); if (last >= 0) view(times[frame], frame); },
    seek(time) { show(frameAt(time)); },
  };
})();
