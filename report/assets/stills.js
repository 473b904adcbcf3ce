"use strict";
// The pictures of all cameras nearest to the time of the page, under detections and reprojections.
(() => {
  const stills = embedded("stills");
  if (!stills) return;
  const byId = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const make = (tag, attributes, ...children) => {
    const made = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const boxes = ["detected", "expected"].map((name) => byId(`stills-${name}`));
  const UNCERTAIN = 0.2; // confidence below which a detection is drawn faintly and not counted: a guess at what is hidden
  let shown = -1;

  const cells = stills.cameras.map((camera) => {
    const image = make("image", {}), marks = make("g", { class: "drawn" });
    const svg = make("svg", { role: "img", "aria-label": `Camera ${camera.name} with detected and reprojected keypoints` }, image, marks);
    const caption = document.createElement("figcaption"), figure = document.createElement("figure");
    figure.append(svg, caption);
    byId("stills-grid").append(figure);
    return { camera, image, marks, svg, caption };
  });

  const pair = (points, i) => (points && points[2 * i] !== null ? [points[2 * i], points[2 * i + 1]] : null);
  const path = (name, d) => make("path", { class: name, d });
  // bones have the colour of their animal where there are several, else of their side
  const ownerOf = (i) => Math.floor((i * stills.individuals.length) / stills.keypoints.length);
  const boneClass = (a, b) => (stills.individuals.length
    ? `animal-${stills.individuals[ownerOf(a)][1]}` : `side-${stills.sides[b] || stills.sides[a]}`);
  const segment = (a, b) => `M${a}L${b}`;

  function drawMarks({ camera, marks }, [, , width]) {
    const [detected, expected] = [camera.detected[shown], camera.expected?.[shown]];
    const [withFound, withExpected] = [boxes[0].checked, boxes[1].checked && Boolean(expected)];
    const radius = width / 90, arm = 0.7 * radius, ends = withExpected ? expected : withFound ? detected : null;
    const drawn = [], gaps = [];
    for (const [a, b] of stills.bones) {
      const [from, to] = [pair(ends, a), pair(ends, b)];
      if (from && to) drawn.push(path(`bone ${boneClass(a, b)}`, segment(from, to)));
    }
    stills.keypoints.forEach((name, i) => {
      const [at, goal] = [pair(detected, i), pair(expected, i)], side = stills.sides[i];
      const gap = at && goal ? Math.hypot(at[0] - goal[0], at[1] - goal[1]) : NaN;
      const confidence = camera.confidence?.[shown][i] ?? 1, uncertain = confidence < UNCERTAIN;
      if (gap >= 0 && !uncertain) gaps.push([gap, name]);
      if (gap >= 0 && withFound && withExpected) drawn.push(path(uncertain ? "gap uncertain" : "gap", segment(at, goal)));
      if (goal && withExpected) {
        const [x, y] = goal;
        drawn.push(path(`expected side-${side}`, `M${x - arm} ${y - arm}L${x + arm} ${y + arm}M${x - arm} ${y + arm}L${x + arm} ${y - arm}`));
      }
      if (at && withFound) {
        const words = (gap >= 0 ? `, ${gap.toFixed(2)} px` : ", no reprojection") + (uncertain ? `, confidence ${confidence}` : "");
        const title = make("title", {}, name + words);
        drawn.push(make("circle", { class: `found side-${side}${uncertain ? " uncertain" : ""}`, cx: at[0], cy: at[1], r: radius }, title));
      }
    });
    marks.setAttribute("stroke-width", width / 320);
    marks.replaceChildren(...drawn);
    return gaps.sort(([a], [b]) => a - b);
  }

  function describe(camera, gaps) {
    const sure = (i) => (camera.confidence?.[shown][i] ?? 1) >= UNCERTAIN;
    const found = stills.keypoints.filter((_, i) => pair(camera.detected[shown], i) && sure(i)).length;
    const seen = `${found} of ${stills.keypoints.length} keypoints detected`;
    if (!gaps.length) return camera.expected ? `${seen}, none with a reprojection` : seen;
    const [largest, name] = gaps[gaps.length - 1], half = gaps.length / 2;
    const median = (gaps[Math.floor(half)][0] + gaps[Math.ceil(half) - 1][0]) / 2;
    return `median ${median.toFixed(2)} px, largest ${largest.toFixed(1)} px (${name}), ${seen}`;
  }

  function draw() {
    for (const cell of cells) {
      const { camera, image, marks, svg, caption } = cell, picture = camera.pictures[shown];
      svg.style.display = picture ? "" : "none";
      if (!picture) { caption.textContent = `${camera.name}: the frame cannot be read from its video`; continue; }
      const [left, top, width, height] = picture.box;
      // pixel (0, 0) is the centre of the first pixel: the picture begins half a pixel before it
      svg.setAttribute("viewBox", `${left - 0.5} ${top - 0.5} ${width} ${height}`);
      for (const [key, value] of Object.entries({ href: picture.href, x: left - 0.5, y: top - 0.5, width, height })) image.setAttribute(key, value);
      caption.textContent = `${camera.name}: ${describe(camera, drawMarks(cell, picture.box))}`;
    }
    byId("stills-words").textContent = `frame ${stills.frames[shown]}, ${stills.times[shown].toFixed(3)} s`
      + (stills.reasons[shown] ? `: ${stills.reasons[shown]}` : "");
  }

  const nearest = (time) => stills.times.reduce((best, t, i) => (Math.abs(t - time) < Math.abs(stills.times[best] - time) ? i : best), 0);
  const worth = ["typical", "among", "the worst ("].flatMap((word) => Object.entries(stills.reasons).filter(([, reason]) => reason.startsWith(word)));
  worth.forEach(([i, reason]) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: reason.replace(/ \(.*/, "") });
    button.addEventListener("click", () => timeLine.seek(stills.times[i] + 1e-4));
    byId("stills-jumps").append(button, " ");
  });
  boxes.forEach((box) => box.addEventListener("change", draw));
  boxes[1].closest("label").hidden = !stills.cameras.some((camera) => camera.expected);
  timeLine.subscribe((time) => { const due = nearest(time); if (due !== shown) { shown = due; draw(); } });
  if (worth.length) timeLine.seek(stills.times[worth[0][0]] + 1e-4);
})();
