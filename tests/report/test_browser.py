"""The report as a browser without network and without WebGL shows it."""

import base64
import json
import re

import cv2
import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import pose_dataset
from muybridge.report import write_calibration_review
from tests.chromium import needs_chromium, watched_pages
from tests.report.session import BAD_CORNER, board_images, report_of, spoiled_calibration

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def window(context):
    return context.new_page()


@pytest.fixture
def open_page(context, window):
    """A function that opens a file; afterwards nothing may have been said, failed or been fetched."""
    with watched_pages(context, 1100, kept=window) as (open_address, said, fetched):

        def open_file(path, **options):
            page = open_address(path.as_uri(), **options)
            settle(page)
            return page

        yield open_file
    assert said == []
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []


def settle(page):
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def picture(page):
    """(height, width, 3) RGB of the canvas."""
    settle(page)
    address = page.evaluate("document.getElementById('stage').toDataURL()")
    packed = np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8)
    return cv2.imdecode(packed, cv2.IMREAD_COLOR)[:, :, ::-1]


def drawn(image):
    """How many pixels differ from the background, taken from a corner."""
    return int((image != image[2, 2]).any(-1).sum())


def colour_count(image, colour):
    return int((np.abs(image.astype(int) - colour).max(-1) < 12).sum())


LEFT_LIGHT, RIGHT_LIGHT, LEFT_DARK = (42, 111, 196), (207, 90, 34), (90, 160, 242)


def test_the_skeleton_is_drawn_in_the_colours_of_its_sides(report, open_page):
    image = picture(open_page(report))
    assert drawn(image) > 2000
    assert colour_count(image, LEFT_LIGHT) > 200
    assert colour_count(image, RIGHT_LIGHT) > 200


def test_webgl_is_not_used(report, open_page):
    page = open_page(report)
    assert page.evaluate("document.createElement('canvas').getContext('webgl')") is None
    assert drawn(picture(page)) > 2000


def test_playing_moves_the_skeleton_and_pausing_stops_it(report, open_page):
    page = open_page(report)
    page.fill("#time-scrub", "0")
    before = picture(page)
    page.click("#time-play")
    page.wait_for_function("document.getElementById('time-scrub').value > 5")
    page.click("#time-play")
    after = picture(page)
    assert (before != after).any()
    page.wait_for_timeout(60)
    assert (after == picture(page)).all()
    assert page.inner_text("#time-play") == "Play"


def test_dragging_turns_and_the_wheel_zooms(report, open_page):
    page = open_page(report)
    page.locator("#stage").scroll_into_view_if_needed()
    box = page.locator("#stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    start = picture(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y + 30, steps=3)
    page.mouse.up()
    turned = picture(page)
    assert (start != turned).any()
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(50)
    nearer = picture(page)
    assert colour_count(nearer, LEFT_LIGHT) > colour_count(turned, LEFT_LIGHT)


def test_two_fingers_zoom(report, browser):
    with browser.new_context(has_touch=True) as context, watched_pages(context, 1100) as (open_address, said, _):
        page = open_address(report.as_uri())
        settle(page)
        page.locator("#stage").scroll_into_view_if_needed()
        box = page.locator("#stage").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        before = colour_count(picture(page), LEFT_LIGHT)
        fingers = context.new_cdp_session(page)
        for kind, gap in (("touchStart", 60), ("touchMove", 90), ("touchMove", 140)):
            points = [{"x": x - gap, "y": y, "id": 0}, {"x": x + gap, "y": y, "id": 1}]
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert colour_count(picture(page), LEFT_LIGHT) > 1.3 * before
    assert said == []


def test_the_keyboard_reaches_everything(report, open_page):
    page = open_page(report)
    page.focus("#stage")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.input_value("#time-scrub") == "11"
    page.keyboard.press("End")
    assert page.input_value("#time-scrub") == "59"
    page.keyboard.press("Home")
    plain = picture(page)
    for key in "nuxadws+-":
        page.keyboard.press(key)
        assert (picture(page) != plain).any(), key
        plain = picture(page)
    page.keyboard.press("v")
    assert (picture(page) != plain).any()
    page.keyboard.press("Space")
    assert page.inner_text("#time-play") == "Pause"


def test_switches_change_the_picture(report, open_page):
    page = open_page(report)
    page.fill("#time-scrub", "45")
    for box in ("labels", "spread", "follow"):
        before = picture(page)
        page.check(f"#player-{box}")
        assert (picture(page) != before).any(), box
    drawings = [picture(page)]
    for name, choice in (("trail", "left_knee"), ("trail", "all"), ("colour", "speed")):
        page.select_option(f"#player-{name}", label=choice)
        drawings.append(picture(page))
        assert (drawings[-1] != drawings[-2]).any(), choice
    page.click("#player-rig")
    before = picture(page)
    page.uncheck("#player-cameras")
    assert drawn(picture(page)) < drawn(before)


def test_the_drawn_point_is_the_reconstructed_point(session, report, open_page):
    """Pointing at a keypoint names it, with its coordinates in the world."""
    page = open_page(report)
    page.fill("#time-scrub", "0")
    image = picture(page)
    rows, columns = np.nonzero(np.abs(image.astype(int) - RIGHT_LIGHT).max(-1) < 12)
    page.locator("#stage").scroll_into_view_if_needed()
    box = page.locator("#stage").bounding_box()
    found = {}
    for i in range(0, len(rows), 40):
        page.mouse.move(box["x"] + float(columns[i]), box["y"] + float(rows[i]))
        settle(page)
        name, _, rest = page.inner_text("#player-point").partition(": ")
        found[name] = rest
    position = session["pose"]["position"].sel(keypoint="right_knee").values[0]
    numbers = [float(v) for v in found["right_knee"].split(" mm")[0].split(", ")]
    np.testing.assert_allclose(numbers, position, atol=0.06)
    assert "cameras" in found["right_knee"]


def test_the_dark_theme_by_preference_and_by_button(report, open_page):
    dark = open_page(report, color_scheme="dark")
    assert picture(dark)[2, 2].max() < 60
    assert colour_count(picture(dark), LEFT_DARK) > 100
    light = open_page(report)
    assert picture(light)[2, 2].min() > 200
    light.click("#theme")
    assert picture(light)[2, 2].max() < 60


@pytest.mark.parametrize("width", [360, 1400])
def test_the_page_fits_the_screen(report, open_page, width):
    page = open_page(report, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_click_in_a_plot_moves_the_player(report, open_page):
    page = open_page(report)
    figure = page.locator("#kinematics figure[data-axes]").first
    left, top, right, bottom, start, end = json.loads(figure.get_attribute("data-axes"))[0]
    svg = figure.locator("svg").bounding_box()
    scale = svg["width"] / float(figure.locator("svg").get_attribute("viewBox").split()[2])
    figure.locator("svg").click(position={"x": scale * (left + 0.5 * (right - left)), "y": scale * (top + bottom) / 2})
    middle = 100 * (start + end) / 2
    assert int(page.input_value("#time-scrub")) == pytest.approx(middle, abs=1)
    cursor = float(figure.locator(".cursor").get_attribute("x1"))
    assert cursor == pytest.approx((left + right) / 2, abs=4)


def test_pictures_player_plots_and_bar_show_the_same_time(report, open_page):
    page = open_page(report)
    page.fill("#time-scrub", "59")
    words = page.locator("#stills-words")
    assert words.inner_text().startswith("frame 59, 0.590 s")
    assert page.inner_text("#time-now") == "frame 59 of 60 · 0.590 s"
    pictures = page.locator("#stills-grid svg image")
    last = pictures.first.get_attribute("href")
    assert pictures.count() == 3
    page.click("#stills-jumps >> text='the worst'")
    assert ": the worst" in words.inner_text()
    assert pictures.first.get_attribute("href") != last
    frame = int(page.input_value("#time-scrub"))
    assert words.inner_text().startswith(f"frame {frame}, ")
    figure = page.locator("#quality figure[data-axes]").last
    left, _, right, _, start, end = json.loads(figure.get_attribute("data-axes"))[0]
    cursor = float(figure.locator(".cursor").get_attribute("x1"))
    assert start + (cursor - left) / (right - left) * (end - start) == pytest.approx(frame / 100, abs=0.01)


def test_detections_and_reprojections_lie_where_they_were_found(session, report, open_page):
    page = open_page(report)
    page.fill("#time-scrub", "30")
    circles = page.locator("#stills-grid figure").first.locator("circle")
    title = circles.first.locator("title").text_content().partition(",")[0]
    seen = session["views"]["position"].isel(view=0, time=30).sel(keypoint=title).values
    drawn_at = [float(circles.first.get_attribute(key)) for key in ("cx", "cy")]
    np.testing.assert_allclose(drawn_at, seen, atol=0.06)
    page.uncheck("#stills-detected")
    assert circles.count() == 0
    assert page.locator("#stills-grid .expected").count() > 10
    page.uncheck("#stills-expected")
    assert page.locator("#stills-grid .drawn path").count() == 0


def test_printing_opens_what_is_folded_and_leaves_out_what_moves(report, open_page):
    page = open_page(report)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open]):not(.screen)").count() == 0
    page.emulate_media(media="print")
    assert not page.locator("#time-bar").is_visible()
    assert page.locator("#stage").is_visible()
    assert not page.get_by_text("Point at a circle").is_visible()
    # what fits on a page is not torn
    torn = (
        "(tag) => [...document.querySelectorAll(tag)].filter((e) => getComputedStyle(e).breakInside !== 'avoid').length"
    )
    assert [page.evaluate(torn, tag) for tag in ("figure", "tr", "table:not(:has(tr:nth-child(30)))")] == [0, 0, 0]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_paper_is_light_where_the_screen_is_dark(report, open_page):
    printed = [
        re.sub(rb"/(Creation|Mod)Date \(.*?\)", b"", open_page(report, color_scheme=scheme).pdf(format="A4"))
        for scheme in ("light", "dark")
    ]
    assert printed[0] == printed[1]
    assert 4 <= len(re.findall(rb"/Type /Page\b", printed[0])) <= 12
    page = open_page(report, color_scheme="dark")
    assert picture(page)[2, 2].max() < 60
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 28, 26)"
    assert (picture(page)[2, 2] == 255).all()


def test_every_control_and_picture_has_a_name(report, open_page):
    page = open_page(report)
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select, canvas, svg[role=img], [role=region]')]"
        ".filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')))"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    assert nameless == []


@pytest.mark.parametrize("case", ["one frame", "all missing", "two individuals"])
def test_sparse_recordings_open_without_errors(session, case, open_page, tmp_path):
    pose, skeleton = session["pose"][["position", "covariance", "n_cameras"]], session["skeleton"]
    if case == "one frame":
        pose, skeleton = pose.isel(time=slice(1)), None
    if case == "all missing":
        pose = pose.map(lambda v: v.astype(float) * np.nan, keep_attrs=True)
    if case == "two individuals":
        pose = xr.concat([pose, pose], dim="individual").assign_coords(individual=["a", "b"])
    page = open_page(report_of(tmp_path / "r.html", pose=pose, skeleton=skeleton))
    assert page.text_content("#time-now").startswith(f"frame 0 of {pose.sizes['time']}")
    page.focus("#stage")
    for key in ("Space", "ArrowRight", "u", "n", "v"):
        page.keyboard.press(key)
    assert drawn(picture(page)) > 100


def test_each_of_two_animals_has_a_colour_and_its_name(session, skeleton, open_page, tmp_path):
    apart = xr.concat(
        [session["pose"], session["pose"].assign(position=session["pose"]["position"] + 150)], "individual"
    )
    two = {"pose": apart.assign_coords(individual=["ada", "bob"])[["position"]], "skeleton": skeleton}
    both = session["views"].assign(position=session["views"]["position"] + 60)
    two["views"] = xr.concat([session["views"], both], "individual").assign_coords(individual=["ada", "bob"])
    page = open_page(report_of(tmp_path / "r.html", **two, rig=session["rig"], videos=session["videos"]))
    read = "(n) => getComputedStyle(document.documentElement).getPropertyValue(`--animal-${n}`).trim()"
    colours = [[int(page.evaluate(read, n)[i : i + 2], 16) for i in (1, 3, 5)] for n in (1, 2)]
    of_animals = [colour_count(picture(page), colour) for colour in colours]
    assert min(of_animals) > 100
    page.select_option("#player-colour", "side")
    names = [colour_count(picture(page), colour) for colour in colours]
    assert max(names) < 0.5 * min(of_animals)
    assert page.locator("#stills-grid .bone.animal-1").count() > 0 < page.locator("#stills-grid .bone.animal-2").count()
    titles = page.locator("#stills-grid title").all_text_contents()
    assert {title.partition(":")[0] for title in titles} == {"ada", "bob"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_paper(report, open_page, scheme):
    page = open_page(report, color_scheme=scheme)
    names = ["ink", "muted", "accent", "warn", "paper", "card", "warn-paper"]
    colour = page.evaluate(
        "(names) => Object.fromEntries(names.map((n) =>"
        " [n, getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim()]))",
        names,
    )
    light = {name: luminance(value) for name, value in colour.items()}
    pairs = (("ink", "paper"), ("muted", "paper"), ("muted", "card"), ("accent", "paper"), ("warn", "warn-paper"))
    for text, paper in pairs:
        low, high = sorted((light[text], light[paper]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, paper)


def luminance(colour):
    """Relative luminance of WCAG 2."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_a_calibration_is_leafed_through_by_keys(open_page, tmp_path):
    calibration = spoiled_calibration()
    path = write_calibration_review(tmp_path / "review.html", calibration, board_images(calibration), width=160)
    page = open_page(path, color_scheme="dark")
    words = page.locator("#review-words")
    assert words.inner_text().startswith(f"left, frame {BAD_CORNER[0]} (1 of 10")
    assert page.locator("#review-stage path.rejected").count() == 1
    assert page.locator("#review-rejected li").inner_text().startswith("corner at")
    assert page.locator("#review-stage line.kept").count() > 10
    page.keyboard.press("ArrowRight")
    assert "(2 of 10" in words.inner_text()
    page.keyboard.press("ArrowDown")
    assert words.inner_text().startswith("right, ")
    page.uncheck("#review-marks")
    assert page.locator("#review-stage .kept").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 20)"


@pytest.mark.parametrize("every", [1, 3])
def test_a_window_of_a_long_recording_shows_its_frames_from_the_files_beside(tmp_path, open_page, every):
    """every : the page of a very long recording is made of one frame in so many."""
    times = np.arange(1500) / 50
    angle = np.radians(90 + 30 * np.sin(2 * np.pi * times))[:, None]
    positions = np.stack([np.stack([times * 10 + k, times * 0, times * 0], axis=-1) for k in range(2)], axis=1)
    pose = pose_dataset(positions, keypoints=["nose", "tail"], times=times, unit="mm")
    kinematics = xr.Dataset(
        {"angle": (("time", "joint"), angle, {"units": "radian"})}, {"time": times, "joint": ["knee"]}
    )
    pose, kinematics = (found.assign_attrs(every=every, n_frames=1500 * every) for found in (pose, kinematics))
    path = report_of(tmp_path / "report.html", pose=pose, kinematics=kinematics)
    page = open_page(path)
    page.evaluate("timeLine.seek(20)")
    page.select_option("#time-window", "1")
    page.wait_for_selector("#kinematics .zoomed path")
    assert f"frame {1000 * every} of {1500 * every}" in page.locator("#time-now").text_content()
    said = page.locator("#time-said").text_content()
    assert said == ("" if every == 1 else "one of every 3 frames; pose.nc holds all")
    assert ("Provenance names hold every frame" in page.locator("#skeleton").text_content()) == (every > 1)
    drawn = page.locator("#kinematics .zoomed path").first.get_attribute("d")
    assert drawn.count("L") + drawn.count("M") == 50
    page.click("#time-later")
    page.locator("#time-now", has_text=f"frame {1040 * every} of").wait_for()
    page.select_option("#time-window", "")
    page.wait_for_selector(".zoomed", state="detached")
    assert page.locator("#time-said").text_content() == ""
