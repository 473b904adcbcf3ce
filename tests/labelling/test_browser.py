"""The page in a real browser: an instant labelled by hand, kept over a reload, exported, and trained on."""

import json
import re

import numpy as np
import pytest

from muybridge.datasets import frame_times, views_dataset
from muybridge.formats import write_views
from muybridge.formats.labels.picture_copies import encoded_picture
from muybridge.labelling import picture_store, serve_labels
from muybridge.labelling.loop_jobs import name_labels
from muybridge.pose2d import extract_frames, read_labels
from muybridge.session import read_session, run_session
from tests.chromium import needs_chromium
from tests.helpers import edit_session
from tests.labelling.conftest import KEYPOINTS, click, saved, write_pictures

TRUTH = {"nose": [30.0, -20.0, 40.0], "tail": [-60.0, 10.0, 20.0], "left_paw": [0.0, 40.0, 0.0]}

pytestmark = needs_chromium


@pytest.fixture
def session(calibrated):
    """(folder, rig, server) of a session with three instants to label."""
    folder, rig = calibrated
    videos = {name: folder / f"{name}.mp4" for name in rig.names}
    extract_frames(videos, 3, folder / "labels", method="uniform", keypoints=KEYPOINTS)
    with serve_labels(folder) as server:
        yield folder, rig, server


def points_of(folder, instant):
    """{camera: {keypoint: [x, y, state, source]}} as they are saved."""
    return json.loads((folder / "labels" / "labelling" / f"{instant:06d}.json").read_text())["points"]


def test_an_instant_is_labelled_kept_exported_and_trained_on(session, open_page):
    folder, rig, server = session
    page = open_page(server.address)
    instant = int(page.locator("body").get_attribute("data-shown"))
    for keypoint, point in TRUTH.items():
        for camera in ("a", "c"):
            click(page, camera, keypoint, rig[camera].project(np.array(point)))
        page.locator(f'[data-keypoint="{keypoint}"] small', has_text="px").wait_for()
        # the third camera has it from the other two
        page.keyboard.press("2")
        page.keyboard.press("Enter")
    saved(page)
    assert "9 of 9 points" in page.locator("#where").text_content()
    page.click("#undo")
    assert "8 of 9 points" in page.locator("#where").text_content()
    page.click("#redo")
    page.keyboard.press("2")
    page.keyboard.press("o")
    saved(page)
    assert page.url.endswith("#labels")  # the project that a reload opens again
    page.reload()
    page.wait_for_selector("body[data-shown]:not([inert])")
    page.keyboard.press("Home")
    page.locator("#where", has_text="9 of 9 points, 1 finished").wait_for()

    page.click("summary:has-text('Project')")
    page.click("#export")
    page.locator("#message", has_text="labels.nc").wait_for()
    labels = read_labels(folder / "labels")
    assert set(labels.instants) == {instant}
    seen = {camera: labels.points_2d[i] for i, camera in enumerate(labels.cameras)}
    for camera in ("a", "c", "b"):
        truth = rig[camera].project(np.array(list(TRUTH.values())))
        if camera == "b":  # what is occluded is no label
            truth[-1] = np.nan
        np.testing.assert_allclose(seen[camera], truth, atol=1.0)

    session_file = read_session(folder)
    assert name_labels(session_file, folder / "labels")
    options = ["[train]", "network = 'small'", "iterations = 2", "batch = 2", "crop = 64", "holdout = 0", ""]
    edit_session(folder, "[train]\n", "\n".join(options))
    assert "train" in run_session(read_session(folder), ("train",), progress=False)


def test_two_tabs_keep_each_others_points_and_the_later_is_told(session, open_page):
    folder, _, server = session
    first, second = open_page(server.address), open_page(server.address)
    instant = int(first.locator("body").get_attribute("data-shown"))
    first.bring_to_front()
    click(first, "a", "tail", (60, 60))
    saved(first)
    second.bring_to_front()
    click(second, "a", "nose", (150, 125))
    second.locator("#message", has_text="changed in another tab").wait_for()
    second.locator("#where", has_text="1 of 9 points").wait_for()
    second.click("#mine")
    second.locator("#where", has_text="2 of 9 points").wait_for()
    saved(second)
    first.bring_to_front()
    click(first, "b", "nose", (100, 100))  # now this one is the later
    first.locator("#message", has_text="changed in another tab").wait_for()
    assert set(points_of(folder, instant)["a"]) == {"nose", "tail"}


def test_wheel_pan_contrast_undo_and_what_is_hidden_or_absent(session, open_page):
    folder, _, server = session
    page = open_page(server.address)
    instant = int(page.locator("body").get_attribute("data-shown"))
    box = page.locator('[data-camera="a"]').bounding_box()
    at = (round(box["x"] + 0.4 * box["width"]), round(box["y"] + 0.7 * box["height"]))  # a wheel has whole pixels

    def place():
        """Of the nose, which a click has just set in camera a."""
        page.mouse.click(*at)
        saved(page)
        found = points_of(folder, instant)["a"]["nose"]
        page.keyboard.press("Control+z")
        page.locator("#where", has_text="0 of 9 points").wait_for()
        return np.array(found[:2])

    before = place()
    page.mouse.move(*at)
    page.mouse.wheel(0, -700)
    np.testing.assert_allclose(place(), before, atol=0.01)  # the wheel zooms where the pointer is
    page.mouse.down(button="right")
    page.mouse.move(at[0] + 60, at[1] + 30, steps=4)
    page.mouse.up(button="right")
    moved = before - place()
    np.testing.assert_allclose(moved[0], 2 * moved[1], rtol=1e-3)
    assert 0 < moved[0] < 60 * 320 / box["width"] / 2  # of pixels that are more than twice as large now
    plain = page.locator('[data-camera="a"]').screenshot()
    page.focus("#contrast")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert "contrast(2)" in page.locator('[data-camera="a"] canvas').first.get_attribute("style")
    assert page.locator('[data-camera="a"]').screenshot() != plain

    page.mouse.click(*at)
    page.keyboard.press("o")
    saved(page)
    assert points_of(folder, instant)["a"]["nose"][2] == "occluded"
    page.keyboard.press("x")
    saved(page)
    assert points_of(folder, instant)["a"]["nose"][:3] == [None, None, "absent"]
    for key, state in (("Control+z", "occluded"), ("Control+z", "visible"), ("Control+Shift+z", "occluded")):
        page.keyboard.press(key)
        saved(page)
        assert points_of(folder, instant)["a"]["nose"][2] == state


def test_epipolar_line_ellipse_and_disagreement_are_shown(session, open_page):
    _, rig, server = session
    page = open_page(server.address, color_scheme="dark")
    before = page.locator('[data-camera="b"]').screenshot()
    click(page, "a", "nose", rig["a"].project(np.array(TRUTH["nose"])))
    page.wait_for_timeout(300)
    with_line = page.locator('[data-camera="b"]').screenshot()
    assert with_line != before
    click(page, "c", "nose", rig["c"].project(np.array(TRUTH["nose"])) + np.array([0, 20]))
    page.locator("#told", has_text="The views disagree").wait_for()
    assert "mm" in page.locator("#told").text_content()
    assert page.locator('[data-keypoint="nose"] small.wrong').count() == 1


def test_zoom_to_the_animal_counts_what_other_views_say(session, open_page):
    _, rig, server = session
    page = open_page(server.address)
    for keypoint in ("nose", "tail"):
        for camera in ("a", "c"):
            click(page, camera, keypoint, rig[camera].project(np.array(TRUTH[keypoint])))
        page.locator(f'[data-keypoint="{keypoint}"] small', has_text="px").wait_for()
    page.click('[data-keypoint="nose"]')  # as after the reload
    marks = "document.querySelectorAll('[data-camera=b] canvas')[1].toDataURL()"
    plain = page.evaluate(marks)
    page.keyboard.press("z")  # zoom to the animal
    page.wait_for_function(f"(plain) => {marks} !== plain", arg=plain)
    zoomed = page.evaluate(marks)
    saved(page)
    page.reload()
    page.wait_for_selector("body[data-shown]:not([inert])")
    page.wait_for_function(f"(zoomed) => {marks} === zoomed", arg=zoomed)


def test_keys_lead_through_instants_and_cameras(session, open_page):
    _, _, server = session
    page = open_page(server.address)
    first = page.locator("body").get_attribute("data-shown")
    page.keyboard.press("d")
    page.wait_for_selector(f'body:not([data-shown="{first}"])')
    page.keyboard.press("x")
    page.locator("#where", has_text="1 of 9 points").wait_for()
    page.keyboard.press("f")
    assert page.locator(".camera:visible").count() == 1
    page.keyboard.press("Escape")
    assert page.locator(".camera:visible").count() == 3


def test_what_a_key_leads_to_is_fetched_ahead(tmp_path, open_page):
    folder = write_pictures(tmp_path / "project", instants=range(60))
    with serve_labels(folder, keypoints=KEYPOINTS) as server:
        page = open_page(server.address)

        def wait_for_fetched(*wanted):
            addresses = "performance.getEntriesByType('resource').map((entry) => entry.name)"
            for _ in range(200):
                fetched = {
                    int(at) for at in re.findall(r"pictures\S*?instant=(\d+)", " ".join(page.evaluate(addresses)))
                }
                if fetched.issuperset(wanted):
                    return
                page.wait_for_timeout(50)
            raise AssertionError(f"{set(wanted) - fetched} were not fetched")

        wait_for_fetched(0, 1, 2, 3, 4, 5, 10, 59)
        page.keyboard.press("Shift+d")
        page.wait_for_selector('body[data-shown="10"]')
        wait_for_fetched(20, 11, 9)
        page.keyboard.press("End")
        page.wait_for_selector('body[data-shown="59"]')
        wait_for_fetched(49, 58)
        page.close()  # it goes on fetching


def test_the_picture_of_the_camera_in_hand_comes_first(tmp_path, open_page, monkeypatch):
    folder, begun = write_pictures(tmp_path / "project", instants=range(40)), []
    monkeypatch.setattr(picture_store, "_N_ENCODERS", 1)
    monkeypatch.setattr(
        picture_store, "encoded_picture", lambda path, *size: begun.append(path) or encoded_picture(path, *size)
    )
    with serve_labels(folder, keypoints=KEYPOINTS) as server:
        page = open_page(server.address)
        page.keyboard.press("2")
        page.locator("#slider").fill("20")
        page.wait_for_selector('body[data-shown="20"]')
        page.close()
    assert [path.parent.name for path in begun if path.stem == "img000020"] == ["right", "left"]


@pytest.mark.long
def test_predict_and_reconstruct_run_from_the_page_and_their_points_are_proposed(calibrated, open_page):
    """The 2D points come from another tool's files, so that no detector has to be trained."""
    folder, rig = calibrated
    points = np.array(list(TRUTH.values())) + np.linspace(0, 5, 6)[:, None, None]
    times = frame_times(6, 50.0)
    views = views_dataset(rig.project(points), cameras=rig.names, keypoints=KEYPOINTS, times=times)
    files = write_views(views, folder / "points")
    for name, path in zip(rig.names, files, strict=True):
        edit_session(folder, f"[cameras.{name}]\n", f"[cameras.{name}]\npoints = '{path}'\n")
    videos = {name: folder / f"{name}.mp4" for name in rig.names}
    extract_frames(videos, 3, folder / "labels", method="uniform", keypoints=KEYPOINTS)
    with serve_labels(folder) as server:
        page = open_page(server.address)
        page.click("summary:has-text('Steps')") if not page.locator("#steps").is_visible() else None
        for step, made in (("predict", "views.nc"), ("reconstruct", "pose.nc")):
            page.click(f'[data-step="{step}"]')
            page.locator('[data-step="predict"]:disabled').wait_for()
            page.locator('[data-step="predict"]:enabled').wait_for(timeout=120_000)
            lines = page.locator("#lines-said").text_content()
            assert lines.rstrip().endswith("done")
            assert made in lines
        page.click("#accept-instant")
        page.locator("#where", has_text="9 of 9 points").wait_for()
        saved(page)
        instant = int(page.locator("body").get_attribute("data-shown"))
        page.click("summary:has-text('Project')")
        page.click("#export")
        page.locator("#message", has_text="labels.nc").wait_for()
    labels = read_labels(folder / "labels")
    for camera, seen in zip(labels.cameras, labels.points_2d, strict=True):
        np.testing.assert_allclose(seen, rig[camera].project(points[instant]), atol=0.5)
