"use strict";
// What the 3D player draws: points, their covariances, the cameras that saw them and their speeds, at the frames of the
// time line; where they are, for the view.
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const plus = (a, b, s = 1) => [a[0] + s * b[0], a[1] + s * b[1], a[2] + s * b[2]];

// The colour of a share of the highest speed, 0 to 1.
const SPEED_COLOURS = [[84, 72, 200], [158, 66, 190], [214, 80, 116], [226, 122, 50], [206, 164, 20]];
const speedColour = (share) => {
  const at = Math.max(0, Math.min(1, share)) * (SPEED_COLOURS.length - 1), k = Math.min(Math.floor(at), SPEED_COLOURS.length - 2);
  return `rgb(${SPEED_COLOURS[k].map((c, j) => Math.round(c + (at - k) * (SPEED_COLOURS[k + 1][j] - c)))})`;
};

const playerScene = (scene) => {
  const MISSING = -32768;
  const allPositions = new Int16Array(packedBytes(scene.positions));
  let positions = allPositions;
  const spread = scene.spread ? new Uint16Array(packedBytes(scene.spread)) : null;
  const seen = scene.cameras_seen ? new Uint8Array(packedBytes(scene.cameras_seen)) : null;
  const nPoints = scene.keypoints.length;
  let nFrames = scene.n_shown, first = 0, stride = scene.stride;
  let times = nFrames ? timeLine.times : [];
  // the shown frame of the whole recording at a frame of the window
  const coarse = (frame) => Math.min(scene.n_shown - 1, Math.floor((first + frame * stride) / scene.stride));

  const half = (bits) => {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
  };

  const pointAt = (frame, i) => {
    const at = 3 * (frame * nPoints + i);
    if (positions[at] === MISSING) return null;
    return [0, 1, 2].map((k) => scene.origin[k] + scene.step * positions[at + k]);
  };

  const factorAt = (frame, i) => {
    if (!spread) return null;
    const row = Math.min(Math.floor(coarse(frame) / scene.spread_stride), spread.length / (6 * nPoints) - 1);
    const at = 6 * (row * nPoints + i);
    const l = [0, 1, 2, 3, 4, 5].map((k) => half(spread[at + k]) * scene.spread_unit);
    return l.some(Number.isNaN) ? null : [[l[0], l[1], l[3]], [0, l[2], l[4]], [0, 0, l[5]]];
  };

  const countAt = (frame, i) => (seen ? seen[coarse(frame) * nPoints + i] : NaN);

  // World units per second, from the shown frames before and after.
  function speedAt(frame, i) {
    const [before, after] = [Math.max(0, frame - 1), Math.min(nFrames - 1, frame + 1)];
    const [a, b] = [pointAt(before, i), pointAt(after, i)];
    return a && b && after > before ? Math.hypot(...plus(b, a, -1)) / (times[after] - times[before]) : NaN;
  }
  // the speed that all but 2 % stay below
  const topSpeed = (() => {
    const found = [], every = Math.max(1, Math.floor(nFrames / 500));
    for (let frame = 1; frame < nFrames; frame += every)
      for (let i = 0; i < nPoints; i++) { const v = speedAt(frame, i); if (v >= 0) found.push(v); }
    return found.sort((a, b) => a - b)[Math.floor(0.98 * (found.length - 1))] || 1;
  })();

  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

  function sample() {
    const found = [], every = Math.max(1, Math.floor(nFrames / 300));
    for (let frame = 0; frame < nFrames; frame += every)
      for (let i = 0; i < nPoints; i++) { const p = pointAt(frame, i); if (p) found.push(p); }
    return found;
  }
  const cloud = sample();
  const floorMiddle = [0, 1].map((k) => 0.5 * scene.floor.step * (scene.floor.low[k] + scene.floor.high[k]));
  const middle = cloud.length ? [0, 1, 2].map((k) => median(cloud.map((p) => p[k]))) : [...floorMiddle, scene.floor.height];
  const reaches = cloud.map((p) => Math.hypot(...plus(p, middle, -1))).sort((a, b) => a - b);
  const reach = reaches[Math.floor(0.98 * (reaches.length - 1))] || 4 * scene.floor.step;

  // The frame with the most points, of some, and the distance of its farthest point from their middle.
  const [fullest, size] = (() => {
    let best = [0, 0], most = 0;
    for (let frame = 0; frame < nFrames; frame += Math.max(1, Math.floor(nFrames / 100))) {
      const found = scene.keypoints.map((_, i) => pointAt(frame, i)).filter(Boolean);
      if (found.length <= most) continue;
      const mean = [0, 1, 2].map((k) => found.reduce((sum, p) => sum + p[k], 0) / found.length);
      [best, most] = [[frame, Math.max(...found.map((p) => Math.hypot(...plus(p, mean, -1))))], found.length];
    }
    return best;
  })();

  timeLine.onWindow((found) => {
    positions = found ? found.positions : allPositions;
    [times, nFrames, first, stride] = [timeLine.times, timeLine.times.length, found ? found.first : 0, found ? found.every : scene.stride];
  });

  // the place of a point's individual among all
  const ownerOf = (i) => Math.floor((i * scene.individuals.length) / nPoints);

  return {
    ownerOf, pointAt, factorAt, countAt, speedAt, topSpeed, cloud, middle, reach, fullest, size, hasSpread: Boolean(spread),
    get nFrames() { return nFrames; },
    get times() { return times; },
  };
};
