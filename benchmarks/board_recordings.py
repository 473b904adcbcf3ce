"""Good rigs refused, and hopeless recordings accepted: simulated rigs of 2 to 8 cameras, recorded as people do.

    python benchmarks/board_recordings.py [--first 0] [--rigs 200] [--model auto] [--log FILE]

Each rig has cameras of 1280 x 1024 px with Brown's lenses about 0.4 to 1.5 m from a checkerboard of 9 x 6 corners of 24
mm, which is filmed by pairs with the first camera in common, by neighbours, by all pairs of a ring, or by all cameras
together; tilts of 18 to 60 degrees, 24 to 62 pictures, 0.1 to 0.3 px of noise, no view of the board's back or of a part
of it. Pairs are given as recordings of their own, or (every second rig) as one with black images where a camera did not
film. Of each rig one hopeless recording is made, too: a board that is never tilted, a camera that shares no view,
another board than the one stated, a part of a larger board, pictures that are not of one instant.

With `--log` each rig's outcome is added to a file, and a later run goes on where it was stopped, small rigs first.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from muybridge.calibration import (
    BoardDetections,
    CalibrationError,
    Camera,
    CameraRig,
    Checkerboard,
    calibrate,
    simulate_detections,
)
from muybridge.cameras.rotations import look_at, rotation_matrix

BOARD = Checkerboard(9, 6, 24.0)
SIZE = (1280, 1024)
TILT = (18, 60)  # degrees from facing the cameras
MIN_VIEWS = 20  # of the board that both cameras of a pair see whole
WRONG_FOCAL = 0.05  # relative error from which an accepted rig counts as wrong
HOPELESS = ("never tilted", "not connected", "another board", "not of one instant")
SLOW, SLOW_EVERY = "part of a board", 25  # whose refusal comes last, after all that could explain it was tried


def random_rig(rng: np.random.Generator) -> tuple[CameraRig, float]:
    """2 to 8 cameras on an arc around the origin, and their mean distance, mm."""
    n, far, arc = int(rng.integers(2, 9)), rng.uniform(400, 1500), rng.uniform(0.8, 5.0)
    cameras = []
    for i in range(n):
        azimuth = arc * (i / max(n - 1, 1) - 0.5) + rng.normal(scale=0.1)
        height, distance = rng.uniform(0.2, 1.1), far * rng.uniform(0.8, 1.2)
        direction = [np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), np.sin(height)]
        R, t = look_at(distance * np.array(direction))
        roll = rotation_matrix(np.array([0, 0, rng.choice([0, 0, np.pi / 2, np.pi]) + rng.normal(scale=0.1)]))
        focal, center = rng.uniform(700, 1500), 0.5 * (np.array(SIZE) - 1) + rng.normal(scale=20, size=2)
        K = np.array([[focal, 0, center[0]], [0, focal * rng.uniform(0.99, 1.01), center[1]], [0, 0, 1]])
        k1 = rng.uniform(-0.3, 0.05)
        distortion = np.array([k1, -0.3 * k1 * rng.uniform(0.5, 1.5), *rng.normal(scale=5e-4, size=2), 0.0])
        cameras.append(
            Camera(f"cam_{i}", SIZE, K, distortion, np.asarray(roll @ R, float), np.asarray(roll @ t, float))
        )
    return CameraRig(tuple(cameras)), far


def recordings_of(rng: np.random.Generator, n: int) -> tuple[str, list[tuple[int, ...]]]:
    """Who is filmed together, one recording after the other."""
    ways = {
        "one camera in common": [(0, k) for k in range(1, n)],
        "neighbours": [(k, k + 1) for k in range(n - 1)],
        "ring": [(k, (k + 1) % n) for k in range(n if n > 2 else 1)],
        "together": [tuple(range(n))],
    }
    way = str(rng.choice(list(ways)))
    return way, ways[way]


def waved_board(rng, rig: CameraRig, far: float):
    """One pose of the board that faces the cameras of a rig on the whole, tilted against that."""
    t = rng.uniform(-0.25, 0.25, 3) * far * [1, 1, 0.6]
    toward = rig.centers - t
    z = -(toward / np.linalg.norm(toward, axis=1)[:, None]).mean(axis=0)
    z /= np.linalg.norm(z)
    x = np.cross([0, 0, 1.0], z)
    x /= np.linalg.norm(x)
    facing = np.stack([x, np.cross(z, x), z], axis=1)
    angle, way = np.radians(rng.uniform(*TILT)), rng.uniform(0, 2 * np.pi)
    tilt = rotation_matrix(angle * np.array([np.cos(way), np.sin(way), 0.0]))
    return facing @ rotation_matrix(np.array([0, 0, rng.uniform(-0.6, 0.6)])) @ tilt, t


def film(rng, rig: CameraRig, far: float, *, tilted: bool = True) -> dict[str, BoardDetections] | None:
    """A recording by all cameras of a rig; None where the board cannot be seen by two of them often enough."""
    n_frames, poses = int(rng.integers(24, 63)), []
    first = waved_board(rng, rig, far)[0]
    for _ in range(40 * n_frames):
        R, t = waved_board(rng, rig, far)
        R = R if tilted else first
        if whole(rig, R, t).sum() >= 2:
            poses.append((R, t))
        if len(poses) == n_frames:
            break
    if len(poses) < MIN_VIEWS:
        return None
    R, t = (np.array(part) for part in zip(*poses, strict=True))
    found = simulate_detections(rig, BOARD, (R, t), noise=rng.uniform(0.1, 0.3), seed=int(rng.integers(1 << 30)))
    seen = np.array([whole(rig, *pose) for pose in poses])
    return {
        camera.name: replace(
            found[camera.name], corners=np.where(own[:, None, None], found[camera.name].corners, np.nan)
        )
        for camera, own in zip(rig, seen.T, strict=True)
    }


def whole(rig: CameraRig, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(n_cameras,) whether a camera sees the board's front whole."""
    points = (BOARD.points - BOARD.points.mean(axis=0)) @ R.T + t
    pixels = rig.project(points)
    inside = ((pixels > 0) & (pixels < np.array(SIZE) - 1)).all(axis=(1, 2))
    facing = np.array([camera.R[2] @ R[:, 2] > 0.25 for camera in rig])
    return inside & facing


def one_call(recordings: list[dict[str, BoardDetections]], names) -> dict[str, BoardDetections]:
    """The recordings one after another, with black images where a camera did not film."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for recording in recordings:
        blank = np.full_like(next(iter(recording.values())).corners, np.nan)
        for name in names:
            parts[name].append(recording[name].corners if name in recording else blank)
    board = next(iter(recordings[0].values())).board
    return {name: BoardDetections(board, SIZE, np.concatenate(corners)) for name, corners in parts.items()}


def enough(rig: CameraRig, plan, recordings) -> bool:
    """Whether every camera saw the board often, and pairs of cameras that share views connect all."""
    together = one_call(recordings, rig.names)
    seen = np.array([np.isfinite(part.corners[..., 0]).all(axis=1) for part in together.values()]).astype(int)
    reached = {0}
    shared = np.dot(seen, seen.T) >= min(MIN_VIEWS, 10)
    for _ in plan if len(plan) > 1 else range(len(rig.names)):
        reached |= {int(b) for a in reached for b in np.flatnonzero(shared[a])}
    return len(reached) == len(rig.names) and (seen.sum(axis=1) >= MIN_VIEWS).all()


def good_rig(seed: int):
    """(rig, way, plan, recordings, mean distance) of a rig that can be calibrated."""
    rng = np.random.default_rng(seed)
    while True:
        rig, far = random_rig(rng)
        way, plan = recordings_of(rng, len(rig.names))
        recordings = [film(rng, CameraRig(tuple(rig[c] for c in cameras)), far) for cameras in plan]
        filmed = [part for part in recordings if part is not None]
        if len(filmed) == len(plan) and enough(rig, plan, filmed):
            return rig, way, plan, filmed, far


def hopeless(kind: str, seed: int, rig: CameraRig, plan, recordings, far: float):
    """A recording of the rig from which it cannot be calibrated."""
    rng = np.random.default_rng(seed + 10**6)
    if kind == "never tilted":
        # one recording: another of the same camera may show the board from another side, which is as good as a tilt
        part = film(rng, CameraRig(tuple(rig[c] for c in plan[0])), far, tilted=False)
        seen = {} if part is None else {name: own for name, own in part.items() if len(own.frames) >= MIN_VIEWS}
        return [seen] if seen else None
    if kind == "not connected":
        lost = rig.names[-1]  # films when no other camera sees the board
        alone = {lost: one_call(recordings, rig.names)[lost]}
        return [{name: part for name, part in recording.items() if name != lost} for recording in recordings] + [alone]
    if kind == "another board":
        other = Checkerboard(6, 9, 24.0)
        return [{name: restated(part, other) for name, part in recording.items()} for recording in recordings]
    if kind == "part of a board":
        return [{name: part_of_board(rng, part) for name, part in recording.items()} for recording in recordings]
    return [
        {name: replace(part, corners=rng.permutation(part.corners)) for name, part in recording.items()}
        for recording in recordings
    ]


def restated(found: BoardDetections, board: Checkerboard) -> BoardDetections:
    """The same corners, taken for those of another board."""
    return BoardDetections(board, found.size, found.corners)


def part_of_board(rng, found: BoardDetections) -> BoardDetections:
    """8 of the 9 columns, whichever are found, in one of the two orders that look alike."""
    grid = found.corners.reshape(-1, 6, 9, 2)
    views = [view[:, shift : shift + 8] for view, shift in zip(grid, rng.integers(2, size=len(grid)), strict=True)]
    turned = [
        view[::-1, ::-1] if turn else view for view, turn in zip(views, rng.integers(2, size=len(grid)), strict=True)
    ]
    return BoardDetections(Checkerboard(8, 6, 24.0), found.size, np.reshape(turned, (-1, 48, 2)))


def attempt(sources, rig: CameraRig, model) -> tuple[str, float]:
    """What `calibrate` says, nothing where it accepts, and the largest relative error of a focal length, percent."""
    try:
        found = calibrate(sources, distortion_model=model, progress=False)
    except CalibrationError as error:
        return str(error), np.nan
    errors = [abs(camera.K[0, 0] / rig[camera.name].K[0, 0] - 1) for camera in found.rig]
    return "", 100 * max(errors)


def judged(seed: int, model: int | str) -> dict:
    """What `calibrate` says to one rig's good recording and to its hopeless one; fields as in `summary`."""
    start = time.process_time()
    rig, way, plan, recordings, far = good_rig(seed)
    message, error = attempt(one_call(recordings, rig.names) if seed % 2 else recordings, rig, model)
    kind = SLOW if seed % SLOW_EVERY == 0 else HOPELESS[seed % len(HOPELESS)]
    sources = hopeless(kind, seed, rig, plan, recordings, far)
    outcome = {"seed": seed, "model": str(model), "cameras": len(rig.names), "way": way}
    outcome |= {"refusal": message, "percent_off": error, "hopeless": kind if sources else ""}
    if sources:
        outcome["hopeless_refusal"], outcome["hopeless_percent_off"] = attempt(sources, rig, 2)
    return outcome | {"processor_s": time.process_time() - start}


def summary(outcomes: list[dict]) -> str:
    """The refused good rigs and accepted hopeless recordings, one a line, and their counts."""
    lines, errors = [], [outcome["percent_off"] for outcome in outcomes]
    wrong = [o for o in outcomes if o["refusal"] or o["percent_off"] > 100 * WRONG_FOCAL]
    tried = [o for o in outcomes if o["hopeless"]]
    accepted = [o for o in tried if not o["hopeless_refusal"]]
    for o in wrong:
        lines.append(f"rig {o['seed']} ({o['way']}, {o['cameras']} cameras): {o['refusal'] or o['percent_off']}")
    for o in accepted:
        lines.append(
            f"rig {o['seed']} ({o['hopeless']}, {o['way']}): focal lengths {o['hopeless_percent_off']:.1f} % off"
        )
    ways, sizes = (dict(sorted(Counter(o[name] for o in outcomes).items())) for name in ("way", "cameras"))
    seconds = sum(o["processor_s"] for o in outcomes)
    worst = f"{np.nanmedian(errors):.2f} % (median), {np.nanmax(errors):.2f} % (largest)"
    lines.append(f"{len(outcomes)} rigs ({ways}; of cameras: {sizes}) in {seconds:.0f} s of processor time")
    lines.append(f"good rigs refused or wrong: {len(wrong)}; a rig's worst focal length is off by {worst}")
    kinds = dict(Counter(o["hopeless"] for o in tried))
    lines.append(f"hopeless recordings accepted: {len(accepted)} of {len(tried)} ({kinds})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rigs", type=int, default=200)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--log", type=Path, help="file of outcomes, one rig a line, that a later run adds to")
    options = parser.parse_args()
    model = int(options.model) if options.model.isdigit() else options.model
    seeds = range(options.first, options.first + options.rigs)
    known = [] if options.log is None or not options.log.exists() else options.log.read_text().splitlines()
    outcomes = {o["seed"]: o for o in map(json.loads, known) if o["seed"] in seeds and o["model"] == str(model)}
    for seed in sorted(set(seeds) - set(outcomes), key=lambda seed: len(good_rig(seed)[0].names)):
        outcomes[seed] = judged(seed, model)
        if options.log is not None:
            with options.log.open("a") as log:
                log.write(json.dumps(outcomes[seed]) + "\n")
    print(summary(list(outcomes.values())))


if __name__ == "__main__":
    main()
