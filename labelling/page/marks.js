// What is drawn over a picture: skeleton, points by their state, unconfirmed points, ellipses, epipolar lines.

const DARK = "rgba(0, 0, 0, .75)";
export const WRONG = "#ff5d4d", UNCONFIRMED = "#ffd34d";

// A length with two digits or more that count.
export function digits(value) { return value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toPrecision(2); }

export function pixels(value) { return `${value.toFixed(value >= 10 ? 0 : 1)} px`; }

// Colours that differ, at one lightness: they lie on pictures, which are the same in both themes.
export function colours(n) {
  return Array.from({ length: n }, (_, k) => `hsl(${Math.round((360 * k * 0.618034 + 200) % 360)} 85% ${k % 2 ? 72 : 62}%)`);
}

// Where a keypoint is shown in a camera: what was set, else what the other views say, else what was proposed.
export function placeOf(scene, camera, keypoint) {
  const point = scene.record.points[camera]?.[keypoint];
  if (point) return point[2] === "absent" ? null : { x: point[0], y: point[1], set: true, state: point[2], source: point[3] ?? "hand" };
  const view = scene.geometry.points[keypoint]?.views[camera];
  if (view && view.angle !== null) return { ...view, set: false, by: "3d", source: "3d" };
  const proposed = scene.record.proposed[camera]?.[keypoint];
  return proposed ? { x: proposed[0], y: proposed[1], set: false, by: "proposal", source: proposed[2] } : null;
}

export function drawMarks(view, ctx, scene) {
  if (scene.hidden) return;
  const camera = view.camera.name;
  const places = scene.keypoints.map((keypoint) => ({ keypoint, place: placeOf(scene, camera, keypoint) }));
  const shown = places.filter(({ place }) => place && (place.set || scene.options.unconfirmed));
  drawLines(view, ctx, scene);
  if (scene.options.bones) drawBones(view, ctx, scene, new Map(shown.map(({ keypoint, place }) => [keypoint, place])));
  shown.sort((a, b) => (a.keypoint === scene.selected) - (b.keypoint === scene.selected));
  for (const { keypoint, place } of shown) {
    const chosen = keypoint === scene.selected;
    if (place.set) drawPoint(view, ctx, scene, keypoint, place, chosen);
    else drawUnconfirmed(view, ctx, scene, keypoint, place, chosen);
    drawDistance(view, ctx, scene, keypoint, place, chosen);
    if (scene.options.names || chosen) write(ctx, view.toScreen([place.x, place.y]), keypoint, chosen ? "#fff" : scene.colour[keypoint]);
  }
}

function stroke(ctx, colour, width, dash = []) {
  ctx.setLineDash(dash);
  ctx.strokeStyle = DARK; ctx.lineWidth = width + 2; ctx.stroke();
  ctx.strokeStyle = colour; ctx.lineWidth = width; ctx.stroke();
  ctx.setLineDash([]);
}

function drawBones(view, ctx, scene, places) {
  for (const [a, b] of scene.bones) {
    const from = places.get(a), to = places.get(b);
    if (!from || !to) continue;
    const certain = from.set && to.set;
    ctx.beginPath();
    ctx.moveTo(...view.toScreen([from.x, from.y]));
    ctx.lineTo(...view.toScreen([to.x, to.y]));
    ctx.setLineDash(certain ? [] : [3, 4]);
    ctx.strokeStyle = certain ? "rgba(255, 255, 255, .75)" : "rgba(255, 255, 255, .4)";
    ctx.lineWidth = 1.3;
    ctx.stroke();
    ctx.setLineDash([]);
  }
}

function drawPoint(view, ctx, scene, keypoint, place, chosen) {
  const [x, y] = view.toScreen([place.x, place.y]), r = chosen ? 7 : 5;
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  stroke(ctx, scene.colour[keypoint], chosen ? 2.4 : 1.8, place.state === "occluded" ? [2.5, 2.5] : []);
  ctx.beginPath();
  ctx.arc(x, y, 1.2, 0, 2 * Math.PI);
  ctx.fillStyle = place.state === "occluded" ? DARK : scene.colour[keypoint];
  ctx.fill();
  if (chosen) {
    ctx.beginPath();
    ctx.arc(x, y, r + 4, 0, 2 * Math.PI);
    stroke(ctx, "#fff", 1);
  }
}

function drawUnconfirmed(view, ctx, scene, keypoint, place, chosen) {
  const [x, y] = view.toScreen([place.x, place.y]), r = chosen ? 7 : 5;
  ctx.globalAlpha = chosen ? 1 : 0.8;
  if (place.by === "3d") {
    ctx.beginPath();
    ctx.ellipse(x, y, Math.max(place.a * view.scale, 1), Math.max(place.b * view.scale, 1), place.angle, 0, 2 * Math.PI);
    stroke(ctx, scene.colour[keypoint], chosen ? 1.8 : 1.2);
    ctx.beginPath();
    ctx.moveTo(x - r, y); ctx.lineTo(x + r, y);
    ctx.moveTo(x, y - r); ctx.lineTo(x, y + r);
    stroke(ctx, scene.colour[keypoint], chosen ? 1.6 : 1);
  } else {
    ctx.beginPath();
    ctx.moveTo(x - r, y); ctx.lineTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.closePath();
    stroke(ctx, scene.colour[keypoint], chosen ? 2 : 1.4);
  }
  ctx.globalAlpha = 1;
  if (chosen) {
    ctx.beginPath();
    ctx.arc(x, y, r + 4, 0, 2 * Math.PI);
    stroke(ctx, UNCONFIRMED, 1, [3, 3]);
  }
}

// From a point that disagrees to where the other views have it, with the distance.
function drawDistance(view, ctx, scene, keypoint, place, chosen) {
  const seen = scene.geometry.points[keypoint]?.views[view.camera.name];
  if (!place.set || seen?.px === undefined || !seen.wrong) return;
  ctx.beginPath();
  ctx.moveTo(...view.toScreen([place.x, place.y]));
  ctx.lineTo(...view.toScreen([seen.x, seen.y]));
  stroke(ctx, WRONG, 1.5);
  if (chosen) write(ctx, view.toScreen([seen.x, seen.y]), `${pixels(seen.px)}, ${digits(seen.mm)} ${scene.unit}`, WRONG);
}

function drawLines(view, ctx, scene) {
  for (const [from, lines] of Object.entries(scene.geometry.lines)) {
    const line = lines[view.camera.name];
    if (!line) continue;
    ctx.beginPath();
    line.forEach((at, i) => (i ? ctx.lineTo(...view.toScreen(at)) : ctx.moveTo(...view.toScreen(at))));
    stroke(ctx, scene.colour[scene.selected], 1.2);
    const inside = line.map((at) => view.toScreen(at)).filter(([x, y]) => x > 10 && y > 45 && x < view.width - 90 && y < view.height - 5);
    const place = placeOf(scene, view.camera.name, scene.selected);
    const [px, py] = place ? view.toScreen([place.x, place.y]) : [0, 0];
    const far = inside.sort((a, b) => Math.hypot(b[0] - px, b[1] - py) - Math.hypot(a[0] - px, a[1] - py));
    if (far.length) write(ctx, far[0], `of ${from}`, "#fff"); // away from the keypoint's own name
  }
}

function write(ctx, [x, y], text, colour) {
  ctx.font = "12px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  ctx.lineWidth = 3;
  ctx.lineJoin = "round";
  ctx.strokeStyle = DARK;
  ctx.strokeText(text, x + 13, y - 9);
  ctx.fillStyle = colour;
  ctx.fillText(text, x + 13, y - 9);
}
