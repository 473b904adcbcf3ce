"""Small projects to label: grey pictures of two cameras, and a session whose cameras are calibrated."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from muybridge.calibration import CameraRig, write_rig
from muybridge.cameras import picture_camera
from muybridge.labelling import serve_labels
from tests.chromium import watched_pages
from tests.helpers import write_video

KEYPOINTS = ("nose", "tail", "left_paw")
CAMERAS = ("a", "b", "c")


def write_pictures(folder: Path, cameras=("left", "right"), instants=(4, 7, 12), size=(64, 48)):
    """labeled-data/CAMERA/img000004.png of noise."""
    rng = np.random.default_rng(0)
    for camera in cameras:
        own = folder / "labeled-data" / camera
        own.mkdir(parents=True)
        for instant in instants:
            picture = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
            cv2.imwrite(str(own / f"img{instant:06d}.png"), picture)
    return folder


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path / "project")


@pytest.fixture
def served(pictures):
    with serve_labels(pictures, keypoints=KEYPOINTS) as server:
        yield server


@pytest.fixture
def calibrated(tmp_path, ring_rig):
    """(folder of a session of three calibrated cameras and their videos, rig)"""
    small = [picture_camera(camera, scale=0.25) for camera in ring_rig.cameras[:3]]
    rig = CameraRig(tuple(replace(camera, name=name) for camera, name in zip(small, CAMERAS, strict=True)))
    lines = ["[session]", 'rig = "rig.toml"', "# kept"]
    for name in CAMERAS:
        write_video(tmp_path / f"{name}.mp4", 6, size=(320, 256))
        lines += [f"[cameras.{name}]", f'video = "{name}.mp4"']
    lines += ["[skeleton]", f"keypoints = {list(KEYPOINTS)}", 'bones = [["nose", "tail"]]']
    (tmp_path / "session.toml").write_text("\n".join(lines))
    write_rig(rig, tmp_path / "rig.toml")
    return tmp_path, rig


def wait_until(state, holds, seconds=60.0):
    """The state (a function without arguments) once it holds; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not holds(found := state()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def get(server, path, **headers):
    """(status, JSON or bytes) of an address below the page's."""
    return _answer(urllib.request.Request(server.address + path, headers=headers))


def post(server, path, body, **headers):
    headers = {"Content-Type": "application/json"} | headers
    return _answer(urllib.request.Request(server.address + path, json.dumps(body).encode(), headers))


def _answer(request):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(request, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        content = answer.read()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json else content


def pictures_of(content):
    """{camera's number: its picture's bytes, 0 or -1 where there is none} of an answer with pictures."""
    found, rest = {}, content
    while rest:
        line, _, rest = rest.partition(b"\n")
        camera, size = json.loads(line)
        found[camera], rest = (rest[:size], rest[size:]) if size > 0 else (size, rest)
    return found


@pytest.fixture
def open_page(context):
    """A function that opens the address; afterwards no error may have been said, and nothing else been fetched."""
    with watched_pages(context, 1300) as (open_one, said, fetched):

        def open_address(address, **options):
            page = open_one(address, **options)
            page.wait_for_selector("body[data-shown]:not([inert])")
            return page

        yield open_address
    # a conflict of two tabs is an answer with status 409, which the browser notes
    assert [text for text in said if "409" not in text] == []
    assert [url for url in fetched if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []


def click(page, camera, keypoint, at, size=(320, 256)):
    """Set a keypoint where the picture has these pixels; the view shows the whole picture."""
    page.click(f'[data-keypoint="{keypoint}"]')
    box = page.locator(f'[data-camera="{camera}"]').bounding_box()
    scale = min(box["width"] / size[0], box["height"] / size[1])
    x, y = ((np.array(at) + 0.5 - np.array(size) / 2) * scale) + [box["width"] / 2, box["height"] / 2]
    # with Shift a click sets the point even close to another one's mark
    page.locator(f'[data-camera="{camera}"]').click(position={"x": x, "y": y}, modifiers=["Shift"])


def saved(page):
    page.locator("#saved", has_text="saved").wait_for()
