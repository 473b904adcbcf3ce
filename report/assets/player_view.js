"use strict";
// From where the 3D player looks: turned, zoomed and slid by hand, or as near as shows what is asked for.
const playerView = (reach) => {
  const CHI2_95 = Math.sqrt(5.991); // of two degrees of freedom
  const DIRECTION = { yaw: -0.9, pitch: 0.3 };
  const view = { ...DIRECTION, distance: 1, target: [0, 0, 0], width: 0, height: 0, basis: null };

  view.look = () => {
    const [cy, sy, cp, sp] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
    const back = [cp * cy, cp * sy, sp];
    view.basis = {
      eye: plus(view.target, back, view.distance), right: [-sy, cy, 0],
      up: [-sp * cy, -sp * sy, cp], forward: back.map((v) => -v),
      focal: 1.25 * Math.min(view.width, 1.6 * view.height), near: 0.02 * view.distance,
    };
  };

  view.toView = (p) => {
    const d = plus(p, view.basis.eye, -1);
    return [dot(d, view.basis.right), dot(d, view.basis.up), dot(d, view.basis.forward)];
  };
  view.toScreen = (v) => [view.width / 2 + (view.basis.focal * v[0]) / v[2], view.height / 2 - (view.basis.focal * v[1]) / v[2]];

  // Half axes (pixels) and turn of the 95 % region of a drawn position: the covariance, whose root is `factor`, through
  // the derivative of the projection.
  view.regionOf = (factor, v) => {
    const { right, up, forward, focal } = view.basis;
    let xx = 0, xy = 0, yy = 0;
    for (const column of factor) {
      const [a, b, c] = [dot(column, right), dot(column, up), dot(column, forward)];
      const dx = (focal / v[2]) * (a - (c * v[0]) / v[2]), dy = (-focal / v[2]) * (b - (c * v[1]) / v[2]);
      xx += dx * dx; xy += dx * dy; yy += dy * dy;
    }
    const mean = (xx + yy) / 2, gap = Math.hypot((xx - yy) / 2, xy);
    const limit = 4 * Math.max(view.width, view.height), half = (variance) => Math.min(limit, CHI2_95 * Math.sqrt(Math.max(variance, 0)));
    return [half(mean + gap), half(mean - gap), 0.5 * Math.atan2(2 * xy, xx - yy)];
  };

  // As near as shows nearly all of the points, each [x, y, z], from the usual direction.
  view.fit = (points) => {
    Object.assign(view, DIRECTION);
    view.target = [0, 1, 2].map((k) => (Math.min(...points.map((p) => p[k])) + Math.max(...points.map((p) => p[k]))) / 2);
    view.distance = 0.05 * reach;
    const within = (p) => {
      const v = view.toView(p), [x, y] = view.toScreen(v);
      return v[2] > view.basis.near && x > 24 && x < view.width - 24 && y > 24 && y < view.height - 44;
    };
    for (let tries = 0; tries < 80; tries++) {
      view.look();
      if (points.filter(within).length >= 0.985 * points.length) break;
      view.distance *= 1.12;
    }
  };

  view.turn = (dx, dy) => {
    view.yaw -= dx;
    view.pitch = Math.max(-1.55, Math.min(1.55, view.pitch + dy));
  };
  view.zoom = (factor) => { view.distance = Math.max(0.05 * reach, Math.min(60 * reach, view.distance * factor)); };
  view.slide = (dx, dy) => {
    const scale = view.distance / view.basis.focal;
    view.target = plus(plus(view.target, view.basis.right, -dx * scale), view.basis.up, dy * scale);
  };
  return view;
};
