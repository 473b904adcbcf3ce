"""The picture of docs/labelling.md: the labelling page on a finished demo, some keypoints set in two views.

    muybridge demo FOLDER && python examples/labelling_page.py FOLDER docs/labelling.jpg

Needs playwright and /usr/bin/chromium.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from muybridge.labelling import serve_labels
from muybridge.session import read_session
from muybridge.session.label_loop import extract_session

demo, picture = Path(sys.argv[1]), sys.argv[2]
with tempfile.TemporaryDirectory() as temporary, sync_playwright() as engine:
    copy = Path(temporary) / "recording"
    shutil.copytree(demo, copy, ignore=shutil.ignore_patterns("labels"))
    text = (copy / "session.toml").read_text(encoding="utf-8")
    (copy / "session.toml").write_text(text.replace('labels = "labels"\n', "").replace('network = "small"\n', ""))
    extract_session(read_session(copy), 3, copy / "labels", method="uniform")
    browser = engine.chromium.launch(executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"])
    page = browser.new_page(viewport={"width": 1340, "height": 830})
    with serve_labels(copy) as server:
        page.goto(server.address)
        page.wait_for_selector("body[data-shown]")
        page.wait_for_timeout(5000)  # the geometry is compiled
        page.keyboard.press("z")  # zoom to the animal
        page.wait_for_timeout(1500)
        # the proposed points are accepted and moved in two cameras; from these the others follow with their ellipses
        for _ in range(9):
            for camera in "15":
                page.keyboard.press(camera)
                page.keyboard.press("Enter")
                page.keyboard.press("Control+ArrowDown")  # moved by a person: an observation of its own
            page.keyboard.press("s")
        # of the next keypoint in one camera only: epipolar lines in the others
        page.keyboard.press("3")
        page.keyboard.press("Enter")
        page.keyboard.press("Control+ArrowDown")
        page.wait_for_timeout(1500)
        page.screenshot(path=picture, type="jpeg", quality=72)
    browser.close()
