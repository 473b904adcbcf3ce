"""The labelling page with many instants and cameras: from a key to the pictures, from a click to the ellipses.

    python benchmarks/labelling.py [FOLDER] [--instants 2000] [--cameras 12]

Writes a project of PNG pictures of 1280 x 1024 px, fully labelled (20 keypoints), of a ring of calibrated cameras, and
steps through it in headless Chromium. Few pictures are different files, the rest are links to them: the page does not
know. The first pass begins without smaller copies of the pictures, as when a project of another program is opened for
the first time; the page is then left alone for half a minute, in which the server prepares copies, and jumps to
instants that it has prepared are measured, too. Before the second pass all are there (links, too), as `extract` writes
them. Times are those of the page, from the key to the frame in which every camera shows the new instant ("first": the
camera in hand): wall times of browser and server on one machine; of instants that the next key overtook there is none
(n counts those shown). Every jump is to an instant never shown before; the processor's times include its seven
neighbours, which are fetched ahead.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import tomli_w
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from muybridge.cameras import Camera, CameraRig, write_rig
from muybridge.cameras.rotations import look_at
from muybridge.formats.labels.deeplabcut_project import picture_name
from muybridge.formats.labels.picture_copies import WIDTHS, keep_copies
from muybridge.labelling import serve_labels
from tests.chromium import ARGUMENTS, CHROMIUM

SIZE, N_KEYPOINTS, N_DIFFERENT = (1280, 1024), 20, 8
WATCH = """
window.seen = [];
window.inHand = [];
let pressed = 0, waits = false;
function begin() { pressed = performance.now(); waits = true; setTimeout(inHand); }
function painted(times) {
  const since = pressed;
  requestAnimationFrame(() => { if (since) times.push(performance.now() - since); });
}
function inHand() { // the active camera no longer shows another instant
  if (!waits || document.querySelector(".camera.active")?.classList.contains("late") !== false) return;
  waits = false;
  painted(window.inHand);
}
document.addEventListener("keydown", begin, true);
document.addEventListener("shown", () => painted(window.seen));
new MutationObserver(inHand).observe(document, { subtree: true, attributeFilter: ["class"] });
document.addEventListener("pointerdown", () => { window.clicked = performance.now(); }, true);
document.addEventListener("checked", () => { window.checked = performance.now() - window.clicked; });
window.jump = (to) => {
  begin();
  const slider = document.getElementById("slider");
  slider.value = to;
  slider.dispatchEvent(new Event("input"));
};
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--instants", type=int, default=2000)
    parser.add_argument("--cameras", type=int, default=12)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "session.toml").exists():
            write_session(folder, arguments.instants, arguments.cameras)
        rows = [{"copies": "none"} | row for row in measure(folder, seed=1, spare_seconds=30)]
        link_copies(folder)
        rows += [{"copies": "all"} | row for row in measure(folder, seed=2)]
    print(f"load average {', '.join(f'{load:.1f}' for load in os.getloadavg())} on {os.cpu_count()} cores")
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.0f}"))


def ring(n_cameras: int) -> CameraRig:
    """Cameras around an arena of half a metre, mm."""
    cameras = []
    for i in range(n_cameras):
        angle = 2 * np.pi * i / n_cameras
        position = np.array([800 * np.cos(angle), 800 * np.sin(angle), 500.0])
        R, t = look_at(position)
        K = np.array([[950.0, 0, 640], [0, 950, 512], [0, 0, 1]])
        cameras.append(Camera(f"cam_{i:02d}", SIZE, K, np.array([-0.25, 0.08, 0, 0, 0]), R, t))
    return CameraRig(tuple(cameras))


def write_session(folder: Path, n_instants: int, n_cameras: int) -> None:
    """session.toml, rig.toml, and a labelled project of links to a few pictures."""
    rng, rig = np.random.default_rng(0), ring(n_cameras)
    names = [f"keypoint_{k:02d}" for k in range(N_KEYPOINTS)]
    points_3d = rng.uniform(-150, 150, (n_instants, N_KEYPOINTS, 3))
    points_2d = rig.project(points_3d) + rng.normal(0, 1.5, (n_cameras, n_instants, N_KEYPOINTS, 2))
    for camera in rig.names:
        own = folder / "labels" / "labeled-data" / camera
        own.mkdir(parents=True)
        for instant in range(n_instants):
            path = own / picture_name(instant)
            if instant < N_DIFFERENT:
                cv2.imwrite(str(path), _picture(rng, f"{camera} {instant}"))
            else:
                os.link(own / picture_name(instant % N_DIFFERENT), path)
    records = folder / "labels" / "labelling"
    records.mkdir()
    for instant in range(n_instants):
        points = {
            camera: {name: [*at, "visible", "hand"] for name, at in zip(names, own.round(3).tolist(), strict=True)}
            for camera, own in zip(rig.names, points_2d[:, instant], strict=True)
        }
        (records / f"{instant:06d}.json").write_text(json.dumps({"revision": 1, "points": points}))
    write_rig(rig, folder / "rig.toml")
    tables = {
        "session": {"rig": "rig.toml"},
        "cameras": {name: {} for name in rig.names},
        "skeleton": {"keypoints": names, "bones": [list(pair) for pair in pairwise(names)]},
        "train": {"labels": "labels"},
    }
    (folder / "session.toml").write_text(tomli_w.dumps(tables))


def _picture(rng: np.random.Generator, text: str) -> np.ndarray:
    """A picture that compresses about as a photograph does: smooth shades with a little noise."""
    shades = cv2.resize(rng.uniform(40, 210, (16, 20, 3)), SIZE, interpolation=cv2.INTER_CUBIC)
    noisy = shades + rng.normal(0, 2.0, (SIZE[1], SIZE[0], 1))
    picture = np.clip(noisy, 0, 255).astype(np.uint8)
    cv2.putText(picture, text, (40, 120), cv2.FONT_HERSHEY_SIMPLEX, 3, (255, 255, 255), 6)
    return picture


def link_copies(folder: Path) -> None:
    """The smaller copies of all pictures: those of the different ones, and links to them."""
    root = folder / "labels"
    for own in (root / "labeled-data").iterdir():
        copies = root / "labelling" / ".copies" / own.name
        for instant in range(len(list(own.glob("*.png")))):
            picture, original = Path(picture_name(instant)), Path(picture_name(instant % N_DIFFERENT))
            keep_copies(own / original, copies)
            for width in WIDTHS:
                copy = copies / f"{picture.stem}-{width}.jpg"
                if not copy.exists():
                    os.link(copies / f"{original.stem}-{width}.jpg", copy)


def measure(folder: Path, seed: int, spare_seconds: float = 0) -> list[dict]:
    """One row per experiment, milliseconds; with the copies that the server makes in some seconds without requests."""
    rows, rng, started, used = [], np.random.default_rng(seed), time.perf_counter(), processor_seconds()
    with serve_labels(folder) as server, sync_playwright() as engine:
        rows.append(row("open the project (server)", [1000 * (time.perf_counter() - started)], used))
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_context(viewport={"width": 1600, "height": 1000}).new_page()
        page.add_init_script(WATCH)
        started, used = time.perf_counter(), processor_seconds()
        page.goto(server.address)
        page.wait_for_selector("body[data-shown]")
        rows.append(row("open the page", [1000 * (time.perf_counter() - started)], used))
        page.wait_for_timeout(5000)  # the geometry is compiled, the neighbours are there
        for what, key, pause, n in (
            ("step, 2 keys a second", "d", 500, 30),
            ("step, 4 keys a second", "d", 250, 30),
            ("step of ten instants, 1 key a second", "Shift+d", 1000, 20),
        ):
            used = begin(page)
            for _ in range(n):
                page.keyboard.press(key)
                page.wait_for_timeout(pause)
            page.wait_for_timeout(1500)
            rows.append(seen(what, page, used))
        page.wait_for_timeout(1000)
        n_instants = len(list((folder / "labels/labelling").glob("*.json")))
        far = sorted(set(range(100, n_instants)) - (prepared(folder) if spare_seconds else set()))
        rows.append(jumps("jump to an instant far away", page, rng.choice(far, 40, replace=False)))
        rows.append(clicks(page))
        if spare_seconds:
            before, used = prepared(folder), processor_seconds()
            page.wait_for_timeout(1000 * spare_seconds)
            made = sorted(prepared(folder) - before)
            n_cameras = len(list((folder / "labels/labeled-data").iterdir()))
            ms = 1000 * spare_seconds / max(1, n_cameras * len(made))
            rows.append(row("prepare a picture in spare time", n_cameras * len(made) * [ms], used))
            rows.append(
                jumps("jump to an instant prepared since", page, rng.choice(made, min(40, len(made)), replace=False))
            )
        browser.close()
    return rows


def prepared(folder: Path) -> set[int]:
    """The instants whose smaller copies are there, of all cameras."""
    root = folder / "labels"
    cameras = [camera.name for camera in (root / "labeled-data").iterdir()]
    there = {(path.parent.name, path.name) for path in (root / "labelling" / ".copies").glob("*/*.jpg")}
    instants = [int(path.stem) for path in (root / "labelling").glob("*.json")]
    names = {i: [f"{Path(picture_name(i)).stem}-{width}.jpg" for width in WIDTHS] for i in instants}
    return {i for i in instants if there.issuperset((camera, name) for camera in cameras for name in names[i])}


def jumps(what: str, page: Page, instants: NDArray[np.int64]) -> dict:
    used = begin(page)
    for instant in instants.tolist():
        page.evaluate("(to) => window.jump(to)", instant)
        page.wait_for_selector(f'body[data-shown="{instant}"]')
        page.wait_for_timeout(600)
    return seen(what, page, used)


def begin(page: Page) -> tuple[float, float]:
    """Forget the times measured so far."""
    page.evaluate("() => { window.seen = []; window.inHand = []; }")
    return processor_seconds()


def seen(what: str, page: Page, used: tuple[float, float]) -> dict:
    """Until all cameras show the instant, and until the one in hand does ("first")."""
    first = page.evaluate("window.inHand") or [np.nan]
    both = {"first": np.median(first), "first p95": np.quantile(first, 0.95)}
    return row(what, page.evaluate("window.seen"), used) | both


def clicks(page: Page) -> dict:
    taken, used = [], processor_seconds()
    for turn in range(12):
        page.evaluate("window.checked = null")
        page.mouse.click(150 + 40 * (turn % 5), 120 + 20 * (turn % 3))
        for _ in range(100):
            page.wait_for_timeout(50)
            if (ms := page.evaluate("window.checked")) is not None:
                taken.append(ms)
                break
    return row("click to ellipses and distances in all views", taken, used)


def processor_seconds() -> tuple[float, float]:
    """Used so far by this process, the server's, and by its children, Playwright's browser (Linux)."""
    fields = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = path.read_text().rpartition(")")
            fields[int(name.partition(" ")[0])] = rest.split()
    ticks, family = 0, {os.getpid()}
    for process in sorted(fields):
        if int(fields[process][1]) in family:
            family.add(process)
            ticks += int(fields[process][11]) + int(fields[process][12])
    return time.process_time(), ticks / os.sysconf("SC_CLK_TCK")


def row(what: str, times: list[float], used: tuple[float, float]) -> dict:
    """Times (ms) of an experiment that began when the processes had used so many seconds."""
    median, most, worst = np.quantile(times, [0.5, 0.95, 1]) if times else (np.nan,) * 3
    server, browser = 1000 * (np.array(processor_seconds()) - used) / max(1, len(times))
    spent = {"processor, server": server, "processor, browser": browser}
    return {"what": what, "n": len(times), "median": median, "p95": most, "worst": worst} | spent


if __name__ == "__main__":
    main()
