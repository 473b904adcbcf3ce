"""Several animals of unknown identity: people in five views are put together (python -m benchmarks.individuals)."""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import linear_sum_assignment

from muybridge.calibration import Camera, CameraRig
from muybridge.cameras.rotations import look_at
from muybridge.triangulate import find_individuals, triangulate_ransac

# a person, m: (name, parent, offset from the parent)
PARTS = [
    ("hip", -1, (0, 0, 0.95)), ("neck", 0, (0, 0, 0.5)), ("nose", 1, (0.1, 0, 0.15)),
    ("eye_L", 2, (-0.02, 0.03, 0.04)), ("eye_R", 2, (-0.02, -0.03, 0.04)),
    ("shoulder_L", 1, (0, 0.18, -0.03)), ("elbow_L", 5, (0.02, 0.05, -0.28)), ("wrist_L", 6, (0.12, 0, -0.2)),
    ("shoulder_R", 1, (0, -0.18, -0.03)), ("elbow_R", 8, (0.02, -0.05, -0.28)), ("wrist_R", 9, (0.12, 0, -0.2)),
    ("hip_L", 0, (0, 0.12, 0)), ("knee_L", 11, (0.03, 0, -0.42)), ("ankle_L", 12, (-0.05, 0, -0.42)),
    ("hip_R", 0, (0, -0.12, 0)), ("knee_R", 14, (0.03, 0, -0.42)), ("ankle_R", 15, (-0.05, 0, -0.42)),
]  # fmt: skip
LIMBS = np.array([(parent, k) for k, (_, parent, _) in enumerate(PARTS) if parent >= 0])
FPS = 30.0


def room_rig(n_cameras: int = 5, seed: int = 0) -> CameraRig:
    """Cameras at 2.5 m height, 4 m from the middle of a room, m."""
    rng, cameras = np.random.default_rng(seed), []
    for c in range(n_cameras):
        angle = 2 * np.pi * (c + rng.uniform(-0.2, 0.2)) / n_cameras
        centre = np.array([4 * np.cos(angle), 4 * np.sin(angle), rng.uniform(2.0, 2.8)])
        R, t = look_at(centre, (0.0, 0.0, 0.9))
        K = np.array([[900.0, 0, 640], [0, 900, 512], [0, 0, 1]])
        cameras.append(Camera(f"cam_{c}", (1280, 1024), K, np.array([-0.1, 0.02, 0, 0, 0]), R, t))
    return CameraRig(tuple(cameras), unit="m", up=np.array([0.0, 0.0, 1.0]))


def walking_people(n_people: int, n_frames: int, seed: int = 0) -> np.ndarray:
    """(n_people, n_frames, n_keypoints, 3) m: people who walk about, past each other, and swing arms and legs."""
    rng, times = np.random.default_rng(seed), np.arange(n_frames) / FPS
    people = []
    for _ in range(n_people):
        rates, phases, size = rng.uniform(0.05, 0.15, 2), rng.uniform(0, 2 * np.pi, 2), rng.uniform(0.9, 1.1)
        path = np.stack([1.1 * np.sin(2 * np.pi * rates[i] * times + phases[i]) for i in range(2)], axis=1)
        heading = np.unwrap(np.arctan2(*np.gradient(path, axis=0).T[::-1]))
        points, turn = np.zeros((n_frames, len(PARTS), 3)), rng.uniform(0, 2 * np.pi)
        for k, (name, parent, offset) in enumerate(PARTS):
            side = np.pi * name.endswith("_R") + np.pi * (name[:5] in ("elbow", "wrist"))
            swings = name[:5] in ("elbow", "wrist", "knee_", "ankle"[:5])
            swing = 0.5 * np.sin(2 * np.pi * 0.9 * times + turn + side) * swings
            x, y, z = (size * o for o in offset)
            forward, up = x * np.cos(swing) - z * np.sin(swing), x * np.sin(swing) + z * np.cos(swing)
            c, s = np.cos(heading), np.sin(heading)
            own = np.stack([forward * c - y * s, forward * s + y * c, up], axis=1)
            points[:, k] = own if parent < 0 else points[:, parent] + own
        points[..., :2] += path[:, None]
        people.append(points)
    return np.stack(people)


def candidates_of(truth, rig, *, missing=0.15, false=0.10, noise=3.0, seed=0, present=None, certainty=0.9):
    """Candidates as OpenPose gives them, in random order, with limb scores, and whose each is (-1 for none).

    A share `missing` of the people's keypoints is not found, a share `false` of the candidates is clutter;
    present : (n_people, n_frames) whether a person is there
    """
    rng = np.random.default_rng([seed, 3])
    n_people = len(truth)
    points = np.stack([rig.project(own) for own in truth], axis=3)  # (cameras, frames, keypoints, people, 2)
    points = points + rng.normal(0, noise, points.shape)
    inside = ((points > 0) & (points < rig.cameras[0].size)).all(-1)
    seen = inside & (rng.random(inside.shape) > missing)
    if present is not None:
        seen &= present.T[None, :, None]
    n_more = 2
    share = false / (1 - false) * (1 - missing) * n_people / n_more
    clutter = rng.uniform(0, 1, (*seen.shape[:3], n_more, 2)) * rig.cameras[0].size
    candidates = np.concatenate([points, clutter], axis=3)
    seen = np.concatenate([seen, rng.random(clutter.shape[:-1]) < share], axis=3)
    who = np.broadcast_to(np.r_[:n_people, [-1] * n_more], seen.shape)
    order = np.argsort(rng.random(seen.shape) + 10 * ~seen, axis=-1)
    seen, who = (np.take_along_axis(values, order, -1) for values in (seen, who))
    candidates = np.take_along_axis(candidates, order[..., None], 3)
    candidates[~seen] = np.nan
    who = np.where(seen, who, -1)
    a, b = who[:, :, LIMBS[:, 0], :, None], who[:, :, LIMBS[:, 1], None, :]
    same = (a == b) & (a >= 0)
    scores = np.where(same, rng.beta(9 * certainty, 9 * (1 - certainty) + 1, same.shape), rng.beta(1, 6, same.shape))
    return candidates, scores, who


def right_parts(points_3d, truth, present=None) -> float:
    """PCP: share of limbs whose ends lie, on average, within half the limb's length of the right person's limb."""
    n_people = len(truth)
    present = np.ones(truth.shape[:2], bool) if present is None else present
    right = np.zeros((len(points_3d), n_people))
    for i, own in enumerate(points_3d):
        off = np.linalg.norm(own[None] - truth, axis=-1)
        length = np.linalg.norm(truth[:, :, LIMBS[:, 0]] - truth[:, :, LIMBS[:, 1]], axis=-1)
        good = 0.5 * (off[:, :, LIMBS[:, 0]] + off[:, :, LIMBS[:, 1]]) < 0.5 * length
        right[i] = (good & present[..., None]).sum(axis=(1, 2))
    rows, columns = linear_sum_assignment(-right)
    return float(right[rows, columns].sum() / (present.sum() * len(LIMBS)))


def identities(candidates, who, n_people: int) -> tuple[float, int]:
    """Share of frames with the right identity in all views, and how often an individual becomes another animal."""
    held = np.take_along_axis(who[None], np.maximum(candidates, 0)[..., None], -1)[..., 0]
    held = np.where(candidates >= 0, held, -1)
    counts = np.stack([(held == p).sum(axis=3) for p in range(n_people)], axis=-1)  # of each person's keypoints
    most, overall = np.where(counts.sum(-1) > 0, counts.argmax(-1), -1), counts.sum(axis=1)
    who_is = np.where(overall.sum(-1) > 0, overall.argmax(-1), -1)  # (individuals, frames)
    totals = np.stack([(who_is == p).sum(1) for p in range(n_people)], axis=1)
    rows, columns = linear_sum_assignment(-totals)
    of = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    right, switches = np.ones(who.shape[1], bool), 0
    for i in range(len(candidates)):
        right &= ((most[i] == of.get(i, -2)) | (most[i] < 0)).all(axis=0)
        followed = who_is[i][who_is[i] >= 0]
        switches += int((np.diff(followed) != 0).sum())
    return float(right.mean()), switches


def presences(n_frames: int = 300) -> dict[str, np.ndarray | None]:
    """Who of three people is there at each frame."""
    leaves, changes = np.ones((3, n_frames), bool), np.zeros((3, n_frames), bool)
    leaves[1, n_frames // 3 : n_frames // 3 + 60] = False
    changes[0], changes[1, n_frames // 4 :], changes[2, n_frames // 2 : -n_frames // 6] = True, True, True
    return {"all stay": None, "one leaves for 2 s": leaves, "1, 2, 3, 2 people": changes}


def main() -> None:
    """PCP, identities and time of the setting of issue 21, with limb scores and without; people who come and go."""
    rig = room_rig()
    for seed in range(3):
        truth = walking_people(3, 300, seed)
        for name, present in presences().items():
            candidates, scores, who = candidates_of(truth, rig, seed=seed, present=present)
            scored = ("limb scores", {"limb_scores": scores})
            for known, options in (scored, ("bones alone", {})) if present is None else (scored,):
                for n in (3, None):
                    row(f"seed {seed}, {name}, {known}", candidates, rig, truth, who, present, n, options)


def row(name: str, candidates, rig, truth, who, present, n: int | None, options: dict) -> None:
    """One line of figures."""
    call = {"fps": FPS, "limbs": LIMBS, "n_individuals": n, **options}
    first = {name: values[:, :20] for name, values in options.items()}
    find_individuals(candidates[:, :20], rig, **{**call, **first})  # compiled
    start, cpu = time.perf_counter(), time.process_time()
    found = find_individuals(candidates, rig, **call)
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    solved = np.stack([triangulate_ransac(own, rig).points_3d for own in found.points_2d])
    share, switches = identities(found.candidates, who, 3)
    print(
        f"{name}, {n or 'unknown'}: PCP {right_parts(solved, truth, present):.1%}, right identity in {share:.1%} of the"
        f" frames, {switches} switches, {len(found.points_2d)} individuals, {300 / took:.0f} instants/s"
        f" ({300 / cpu:.0f} a processor second)",
        flush=True,
    )


if __name__ == "__main__":
    main()
