"""From videos to a detector that is taught twice, by the page's buttons alone."""

import tomllib

import cv2
import numpy as np
import pytest

from muybridge.datasets import read_dataset
from muybridge.labelling import serve_labels
from tests.chromium import needs_chromium
from tests.labelling.conftest import CAMERAS, KEYPOINTS, click, saved

N_FRAMES, COLOURS = 24, ((60, 60, 230), (60, 220, 60), (240, 90, 70))
START = np.array([[30.0, -20.0, 40.0], [-60.0, 10.0, 20.0], [0.0, 40.0, 0.0]])
# of a training that finds this animal within seconds
TRAINING = """
[train]
network = "small"
iterations = 250
batch = 8
crop = 64
scale = 1.0
sigma = 4.0
learning_rate = 4e-3
holdout = 0

[train.augmentation]
flip = 0.0
rotation = 15.0
cutout = 0.0
zoom = 1.1
"""

pytestmark = [*needs_chromium, pytest.mark.long]


def drawn_videos(folder, rig):
    """Three coloured points that move, filmed by the cameras; returns where they are, (n_frames, 3, 3)."""
    way = np.linspace(0, 2 * np.pi, N_FRAMES)[:, None, None]
    points = START + 40 * np.concatenate([np.sin(way), np.cos(way), 0.3 * np.sin(2 * way)], axis=-1)
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.uniform(90, 140, (6, 8, 3)).astype(np.float32), (320, 256), interpolation=cv2.INTER_CUBIC)
    for camera, seen in zip(CAMERAS, rig.project(points), strict=True):
        writer = cv2.VideoWriter(str(folder / f"{camera}.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 50.0, (320, 256))
        for places in seen:
            picture = ground.copy()
            for place, colour in zip(places, COLOURS, strict=True):
                cv2.circle(picture, np.rint(16 * place).astype(int).tolist(), 4 * 16, colour, -1, cv2.LINE_AA, 4)
            writer.write(np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8))
        writer.release()
    return points


def run_step(page, step, n=None):
    """Press a button and wait for the step; returns what it said."""
    if n is not None:
        page.fill("#count", str(n))
    page.click(f'[data-step="{step}"]')
    page.locator("#stop", has_text=f"Stop {step}").wait_for()  # it says how long the step has been running
    page.locator(f'[data-step="{step}"]:enabled').wait_for(timeout=240_000)
    said = page.locator("#lines-said").text_content()
    assert said.rstrip().endswith("done"), said
    return said


def test_extract_label_train_predict_reconstruct_suggest_label_by_the_pages_buttons(calibrated, open_page):
    folder, rig = calibrated
    points = drawn_videos(folder, rig)
    with (folder / "session.toml").open("a") as stream:
        stream.write(TRAINING)
    with serve_labels(folder) as server:
        page = open_page(server.address)
        assert page.locator("#where").text_content().startswith("no instants yet")
        run_step(page, "extract", 6)
        page.wait_for_selector('body:not([data-shown=""])')
        assert page.locator("#slider").get_attribute("max") == "5"
        page.keyboard.press("Home")
        for turn in range(6):
            page.locator("#where", has_text="0 of 9 points").wait_for()
            instant = int(page.locator("body").get_attribute("data-shown"))
            for keypoint, point in zip(KEYPOINTS, points[instant], strict=True):
                for camera in ("a", "c"):
                    click(page, camera, keypoint, rig[camera].project(point))
                page.locator(f'[data-keypoint="{keypoint}"] small', has_text="px").wait_for()
                page.keyboard.press("2")  # the third camera has it from the other two
                page.keyboard.press("Enter")
            page.locator("#where", has_text="9 of 9 points").wait_for()
            saved(page)
            if turn < 5:
                page.keyboard.press("d")
        run_step(page, "train")
        assert "views.nc" in run_step(page, "predict")
        assert "pose.nc" in run_step(page, "reconstruct")
        found = read_dataset(folder / "results" / "pose.nc")["position"].sel(keypoint=list(KEYPOINTS)).values
        assert np.median(np.linalg.norm(found - points, axis=-1)) < 5  # mm; one pixel is 3 mm
        run_step(page, "suggest", 2)
        page.locator("#project option:checked", has_text="labels-next").wait_for(state="attached")
        page.wait_for_selector('body:not([data-shown=""])')
        page.click("#accept-instant")
        page.locator("#where", has_text="9 of 9 points").wait_for()
        saved(page)
        run_step(page, "train")
        assert tomllib.loads((folder / "session.toml").read_text())["train"]["labels"] == ["labels", "labels-next"]
