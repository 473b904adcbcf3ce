"""Two or three cats of one coat that cross and hide each other: videos to individuals in 3D, against the truth.

`python -m benchmarks.animals_in_videos FOLDER 1 2 3`: renders four cameras of 640x480 pixels, trains a small detector
on pictures with as many animals, predicts, separates the individuals and reconstructs. The same with one animal is what
the error is compared with. What FOLDER already holds (videos, detector) is used again. `--look` writes pictures of what
was found, look.png. `--start=DETECTOR` continues from a detector of one cat, such as the demo's, with fewer iterations.
`--seed=1` is another room, other cats and other labelled instants. `--perfect` gives the visible keypoints to the
separation as they are, in random order: its bound, without a detector. `--dense` lets the cats run side by side, where
they hide each other all the time. `--grouping=bottom_up` (or top_down) is that option of the training.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from muybridge.cameras import CameraRig
from muybridge.datasets import views_dataset
from muybridge.demo.animal import DEMO_SKELETON, Gallop, gallop
from muybridge.demo.coat import make_coat
from muybridge.demo.recording import FPS, Filmed, _film, _join, visible_keypoints
from muybridge.demo.scene import NOISE, Room, draw_animal, make_rig, make_view
from muybridge.demo.shadows import animal_shadow
from muybridge.formats.labels.labelled_frames import Labels, Picture
from muybridge.formats.video.reading import read_frames_at
from muybridge.formats.video.writing import open_video_writer
from muybridge.numerics.robust_scale import present_median
from muybridge.numerics.threads import over_items
from muybridge.triangulate import reconstruct, separate_individuals

SIZE = (640, 480)
N_LABELLED, N_FRAMES = 40, 150
CAMERAS = ("northwest", "southwest", "southeast", "northeast")
CLOSEST = 100.0  # mm between the trunks of two cats: they pass each other, not through each other
TOUCHING = 55.0  # the same where they run side by side: a trunk is as wide


def small_rig() -> CameraRig:
    """The demo's cameras at half the resolution, with a picture of 640x480 pixels."""
    cameras = []
    for camera in make_rig().subset(CAMERAS):
        K = np.diag([0.5, 0.5, 1.0]) @ camera.K
        K[1, 2] += 60
        cameras.append(replace(camera, K=K, size=SIZE))
    return CameraRig(tuple(cameras), unit="mm", up=make_rig().up)


def runs(n: int, times: np.ndarray, rng, dense: bool = False) -> list[Gallop]:
    """Runs of cats round one arena, which hide each other in the pictures but do not meet; dense: side by side."""
    apart_by = TOUCHING if dense else CLOSEST
    for _ in range(2000):
        centre, radius, turn = rng.uniform(-50, 50, 2), rng.uniform(250, 330), rng.uniform(0, 2 * np.pi)
        chosen = [
            Gallop(radius=radius + rng.uniform(-30, 30) - 90 * i * dense,
                   centre=tuple(centre + rng.uniform(-60, 60, 2) * (n > 1 and not dense)),
                   turn=turn + 2 * np.pi * i / n * (not dense) + rng.uniform(-0.4, 0.4), speed=rng.uniform(1400, 1700),
                   stride=rng.uniform(0.33, 0.4), phase=rng.uniform(), height=rng.uniform(220, 232),
                   flex=rng.uniform(0.26, 0.4), gaze=rng.normal(0, 0.12))
            for i in range(n)
        ]  # fmt: skip
        trunks = [gallop(times[::5], run).keypoints[:, :4] for run in chosen]
        pairs = [(a, b) for i, a in enumerate(trunks) for b in trunks[:i]]
        apart = [np.linalg.norm(a[:, :, None] - b[:, None], axis=-1).min() for a, b in pairs]
        if min(apart, default=np.inf) > apart_by:
            return chosen
    raise RuntimeError(f"no runs of {n} cats without a meeting were found")


def coats(n: int):
    """The coat of n cats, whose parts are listed one cat after the other."""
    coat = make_coat()
    size = len(coat.colours)
    near = np.concatenate([np.where(coat.near < 0, -1, coat.near + i * size) for i in range(n)])
    return coat._replace(colours=np.tile(coat.colours, (n, 1)), near=near, rest=np.tile(coat.rest, (n, 1, 1)))


def drawn(view, coat, films: list[Filmed], k: int, noise):
    """The picture of all cats at instant k."""
    parts, dorsal = (np.concatenate([getattr(film, name)[k] for film in films], axis=1) for name in ("parts", "dorsal"))
    image = draw_animal(view, coat, parts, dorsal, animal_shadow(parts[1]))
    return np.clip(image + noise.normal(0, NOISE, image.shape), 0, 255).astype(np.uint8)


def render(folder: Path, n: int, seed: int = 0, dense: bool = False):
    """Videos, labels and the truth (n, n_frames, n_keypoints, 3) mm."""
    rng, rig = np.random.default_rng([seed, n]), small_rig()
    times = np.arange(N_FRAMES) / FPS
    films = [_film(times, run) for run in runs(n, times, rng, dense)]
    scenes = [[_film(np.array([0.0]), run) for run in runs(n, np.zeros(1), rng, dense)] for _ in range(N_LABELLED)]
    labelled = [_join([scene[a] for scene in scenes]) for a in range(n)]
    coat, room = coats(n), Room(seed)

    def camera(c: int) -> list:
        name = rig.names[c]
        view, noise = make_view(rig[c], room), np.random.default_rng([seed, n, make_rig().names.index(name)])
        (folder / name).mkdir(parents=True, exist_ok=True)
        if not (folder / f"{name}.mp4").exists():
            with open_video_writer(folder / f"{name}.mp4", FPS, SIZE) as writer:
                for k in range(N_FRAMES):
                    writer.write(drawn(view, coat, films, k, noise))
        marks = np.random.default_rng([seed, n, c, 1])
        everyone = np.concatenate([film.parts[:, 1] for film in labelled], axis=1)
        rows = []
        for k in range(N_LABELLED):
            path = folder / name / f"img{k:04d}.jpg"
            if not path.exists():
                cv2.imwrite(str(path), drawn(view, coat, labelled, k, noise), [cv2.IMWRITE_JPEG_QUALITY, 95])
            for a, film in enumerate(labelled):
                points = CameraRig((rig[c],)).project(film.motion.keypoints[k : k + 1])[0, 0]
                seen = visible_keypoints(CameraRig((rig[c],)), film.motion.keypoints[k : k + 1], everyone[k : k + 1])
                points = points + marks.normal(0, 0.3, points.shape)
                points[~seen[0, 0]] = np.nan
                if np.isfinite(points[:, 0]).sum() >= 4:
                    rows.append((Picture(path), points, name, k, f"cat_{a}"))
        return rows

    rows = [row for own in over_items(camera, range(len(rig))) for row in own]
    pictures, points, names, instants, individuals = zip(*rows, strict=True)
    labels = Labels(
        pictures, np.array(points), DEMO_SKELETON.keypoints, names, names, instants, DEMO_SKELETON.symmetries,
        individuals=individuals if n > 1 else None,
    )  # fmt: skip
    return rig, labels, np.stack([film.motion.keypoints for film in films])


def perfect(rig: CameraRig, truth: np.ndarray, n: int, seed: int):
    """Views that are separated from the visible keypoints with 1.5 px of noise, rows in random order."""
    rng, times = np.random.default_rng([seed, n]), np.arange(N_FRAMES) / FPS
    everyone = np.concatenate([_film(times, run).parts[:, 1] for run in runs(n, times, rng)], axis=1)
    points = np.stack([rig.project(own) for own in truth])
    points = points + rng.normal(0, 1.5, points.shape)
    points[~np.stack([visible_keypoints(rig, own, everyone) for own in truth])] = np.nan
    order = np.argsort(rng.random(points.shape[:3]), axis=0)
    points = np.take_along_axis(points, order[..., None, None], axis=0)
    views = views_dataset(points, cameras=rig.names, keypoints=DEMO_SKELETON.keypoints, times=times)
    return separate_individuals(views, rig, n_individuals=n)


def measured(views, pose, rig: CameraRig, truth: np.ndarray) -> dict:
    """Identities and errors of individuals against the truth."""
    found = pose["position"].values.reshape(-1, *truth.shape[1:])
    seen = views["position"].values.reshape(len(found), len(rig), *truth.shape[1:3], 2)
    far = np.linalg.norm(found[:, None] - truth[None], axis=-1)
    per_frame = np.nan_to_num(present_median(far, axis=-1), nan=1e4)  # (individuals, cats, frames)
    rows, columns = linear_sum_assignment(np.median(per_frame, axis=-1))
    who = np.where(per_frame.min(axis=1) < 1e4, per_frame.argmin(axis=1), -1)
    switches = sum(int((np.diff(who[i]) != 0).sum()) for i in rows)
    pixels = np.stack([rig.project(own) for own in truth])  # (cats, cameras, frames, keypoints, 2)
    right = np.ones(truth.shape[1], bool)
    for i, cat in zip(rows, columns, strict=True):
        off = np.linalg.norm(seen[i][None] - pixels, axis=-1)
        some = np.isfinite(off[0]).sum(axis=-1) >= 5
        nearest = np.nan_to_num(present_median(off, axis=-1)).argmin(axis=0)
        right &= ((nearest == cat) | ~some).all(axis=0) & (who[i] == cat)
    errors = np.concatenate([far[i, cat] for i, cat in zip(rows, columns, strict=True)])
    return {
        "individuals": len(found), "right identity": right.mean(), "switches": switches,
        "median mm": np.nanmedian(errors), "mean mm": np.nanmean(errors),
        "2D points": np.isfinite(seen[..., 0]).mean(), "3D points": np.isfinite(errors).mean(),
    }  # fmt: skip


def look(path: Path, videos: dict[str, Path], views, n_instants: int = 4) -> None:
    """One picture of some instants: a row each, a column per camera, one colour per individual."""
    points = views["position"].transpose(..., "view", "time", "keypoint", "space").values
    points = points.reshape(-1, *points.shape[-4:])
    names = list(DEMO_SKELETON.keypoints)
    bones = [(names.index(a), names.index(b)) for a, b in DEMO_SKELETON.bones]
    rows, shown = [], np.linspace(0, points.shape[2] - 1, n_instants).astype(int).tolist()
    images = [dict(read_frames_at(video, shown)) for video in videos.values()]
    for k in shown:
        row = []
        for c, own_images in enumerate(images):
            image = own_images[k][..., ::-1].copy()
            for own, colour in zip(points[:, c, k], ((60, 255, 60), (255, 120, 255), (60, 220, 255)), strict=False):
                for a, b in bones:
                    if np.isfinite(own[[a, b]]).all():
                        cv2.line(image, *np.rint(own[[a, b]]).astype(int).tolist(), colour, 2, cv2.LINE_AA)
            row.append(image)
        rows.append(np.hstack(row))
    cv2.imwrite(str(path), np.vstack(rows))


def main() -> None:
    """One line of figures per number of animals."""
    from muybridge.pose2d import load_detector, predict, train

    options = dict(word[2:].partition("=")[::2] for word in sys.argv[1:] if word.startswith("--"))
    folder, *numbers = [word for word in sys.argv[1:] if not word.startswith("--")]
    how = {"network": "small", "iterations": 550, "learning_rate": 0.01, "n_evaluations": 2}
    if "start" in options:
        before = load_detector(options["start"])
        how = {"start": before, "scale": 2 * before.scale, "iterations": 100, "n_evaluations": 1}
    for n in map(int, numbers or ["1", "2", "3"]):
        seed = int(options.get("seed", 0))
        dense, grouping = "dense" in options, options.get("grouping", "auto")
        own = Path(folder) / (f"cats_{n}_{N_FRAMES}_{N_LABELLED}" + f"_{seed}" * (seed > 0) + "_dense" * dense)
        began = time.process_time()
        rig, labels, truth = render(own, n, seed, dense)
        print(n, "cats: rendered", f"{time.process_time() - began:.0f} s", flush=True)
        if "perfect" in options:
            views = perfect(rig, truth, n, seed)
            pose = reconstruct(views, rig, method="smooth", skeleton=DEMO_SKELETON)
            print(measured(views, pose, rig, truth), flush=True)
            continue
        detector_path = own / ("detector" + f"_{grouping}" * (grouping != "auto") + ".safetensors")
        if not detector_path.exists():
            began = time.process_time()
            train(labels, progress=False, **how, grouping=grouping).save(detector_path)
            print(f"trained in {time.process_time() - began:.0f} s", flush=True)
        detector = load_detector(detector_path)
        print(repr(detector), flush=True)
        videos = {name: own / f"{name}.mp4" for name in rig.names}
        began, cpu = time.perf_counter(), time.process_time()
        views = predict(detector, videos, progress=False)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        speed = len(rig) * N_FRAMES
        print(f"{speed / took:.0f} frames/s by the clock, {speed / cpu:.0f} per processor second", flush=True)
        views.to_netcdf(own / "predicted.nc")
        np.save(own / "truth.npy", truth)
        if n > 1:
            began = time.process_time()
            views = separate_individuals(views, rig, n_individuals=n)
            print(f"separated in {time.process_time() - began:.1f} s", flush=True)
        if "look" in options:
            look(own / "look.png", videos, views)
        views.to_netcdf(own / "views.nc")
        pose = reconstruct(views, rig, method="smooth", skeleton=DEMO_SKELETON)
        print(measured(views, pose, rig, truth), flush=True)


if __name__ == "__main__":
    main()
