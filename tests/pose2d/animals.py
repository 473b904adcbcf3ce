"""A drawn animal whose keypoints are known: coloured blobs that move over a mottled ground."""

import csv

import cv2
import numpy as np

KEYPOINTS = ("nose", "ear_left", "ear_right", "tail")
COLOURS = ((230, 60, 60), (60, 220, 60), (70, 90, 240), (240, 220, 60))
SHAPE = np.array([[16.0, 0.0], [8.0, -9.0], [8.0, 9.0], [-18.0, 0.0]])

# of a training that finds this animal within seconds
OPTIONS = {
    "network": "small",
    "iterations": 120,
    "batch": 8,
    "crop": 64,
    "scale": 1.0,
    "sigma": 4.0,
    "learning_rate": 4e-3,
    "holdout": 0.25,
    "n_evaluations": 2,
    "augmentation": {"flip": 0.0, "rotation": 15.0, "cutout": 0.0, "zoom": 1.1},
}


def animal_points(n, size, seed=0):
    """(n, 4, 2) pixels of an animal that wanders and turns within an image of `size` (width, height)."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, 3)
    t = np.arange(n) * 0.35
    width, height = size
    centre = np.stack([width * (0.5 + 0.28 * np.sin(0.5 * t + phase[0])),
                       height * (0.5 + 0.25 * np.cos(0.37 * t + phase[1]))], -1)  # fmt: skip
    angle = 0.5 * np.sin(0.8 * t + phase[2])
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(-1, 2, 2)
    return np.einsum("nij,kj->nki", turn, SHAPE) + centre[:, None]


def draw_animal(points, size, seed=0):
    """(height, width, 3) RGB picture of an animal."""
    rng = np.random.default_rng(seed)
    ground = rng.uniform(90, 140, (6, 8, 3)).astype(np.float32)
    image = cv2.resize(ground, size, interpolation=cv2.INTER_CUBIC)
    body = np.rint(points.mean(0) * 16).astype(int).tolist()
    cv2.circle(image, body, 8 * 16, (120, 80, 60), -1, cv2.LINE_AA, 4)
    for point, colour in zip(points, COLOURS, strict=True):
        cv2.circle(image, np.rint(point * 16).astype(int).tolist(), 4 * 16, colour, -1, cv2.LINE_AA, 4)
    image = cv2.GaussianBlur(image, (0, 0), 0.8)
    return np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def write_picture(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def write_video(path, points, size, fps=25.0, seed=100):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
    for i, frame in enumerate(points):
        writer.write(cv2.cvtColor(draw_animal(frame, size, seed + i), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def write_dlc(folder, points, names, keypoints=KEYPOINTS, scorer="me"):
    """A DeepLabCut label file; NaN is an empty cell."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"CollectedData_{scorer}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["scorer", *[scorer] * 2 * len(keypoints)])
        writer.writerow(["bodyparts", *[name for name in keypoints for _ in "xy"]])
        writer.writerow(["coords", *["x", "y"] * len(keypoints)])
        for name, row in zip(names, points, strict=True):
            writer.writerow([name, *["" if np.isnan(v) else f"{v:.4f}" for v in row.ravel()]])
    return path


def write_recording(root):
    """For each of two cameras, labels/<camera>/ of eight pictures and a video of six frames."""
    write_project(root, n=8, cameras=("left", "right"), size=(96, 80))
    for seed, name in enumerate(("left", "right")):
        write_video(root / f"{name}.mp4", animal_points(6, (96, 80), seed), (96, 80), seed=seed)


def write_project(root, n=24, cameras=("front", "side"), size=(128, 96)):
    """labels/<camera>/CollectedData_me.csv with pictures, as the demo writes them; returns {camera: points}."""
    truth = {}
    for c, camera in enumerate(cameras):
        points = animal_points(n, size, seed=c)
        names = [f"labels/{camera}/img{i:03d}.png" for i in range(n)]
        for i in range(n):
            write_picture(root / names[i], draw_animal(points[i], size, seed=1000 * c + i))
        write_dlc(root / "labels" / camera, points, names)
        truth[camera] = points
    return truth
