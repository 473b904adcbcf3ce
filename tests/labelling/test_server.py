"""Only the page itself is answered: its secret, host, origin, small JSON bodies; and its tabs do not collide."""

import http.client
import socket
import threading
import time
from importlib.resources import files
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from muybridge.formats.labels import picture_copies
from muybridge.labelling import picture_store, serve_labels, spare_time_copies
from tests.labelling.conftest import KEYPOINTS, get, pictures_of, post, wait_until, write_pictures

CHANGE = {"project": "project", "instant": 7, "revision": 0, "changes": {"left": {"nose": [3.25, 4, "visible"]}}}


def raw(server, method, path, headers, body=b""):
    """Status of a request whose headers are exactly these."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.address).port, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_page_and_its_parts_are_served(served):
    status, page = get(served, "")
    assert status == 200
    assert b"<title>muybridge label</title>" in page
    parts = [part.name for part in (files("muybridge.labelling") / "page").iterdir() if part.name != "page.html"]
    assert len(parts) > 10
    for name in parts:
        assert get(served, name)[0] == 200


def test_pictures_of_several_cameras_come_in_one_answer(pictures):
    (pictures / "labeled-data" / "left" / "img000012.png").unlink()
    with serve_labels(pictures, keypoints=KEYPOINTS) as server:
        shown = pictures_of(get(server, "api/pictures?project=project&instant=12&cameras=1,0&width=32")[1])
        assert get(server, "api/pictures?project=project&instant=5&cameras=0") == (200, b"[0,0]\n")
    assert (set(shown), shown[0]) == ({0, 1}, 0)
    assert cv2.imdecode(np.frombuffer(shown[1], np.uint8), cv2.IMREAD_COLOR).shape == (48, 64, 3)


def test_a_picture_that_is_ready_waits_for_no_other(served, monkeypatch):
    has_come = threading.Event()

    def encoded(path, *_):
        return b"soon" if path.parent.name == "right" or not has_come.wait(20) else b"late"

    monkeypatch.setattr(picture_store, "encoded_picture", encoded)
    address = urlsplit(served.address)
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=20)
    connection.request("GET", f"{address.path}api/pictures?project=project&instant=7&cameras=1,0")
    answer = connection.getresponse()
    assert answer.readline() == b"[1,4]\n"
    has_come.set()
    assert answer.read() == b"soon[0,4]\nlate"
    connection.close()


def test_a_request_that_the_browser_gave_up_costs_no_picture(served, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        picture_store, "encoded_picture", lambda path, *_: decoded.append(path) or time.sleep(0.2) or b""
    )
    address = urlsplit(served.address)
    with socket.create_connection((address.hostname, address.port)) as connection:
        line = f"GET {address.path}api/pictures?project=project&instant=7&cameras={','.join(20 * '01')} HTTP/1.1"
        connection.sendall(f"{line}\r\nHost: {address.netloc}\r\n\r\n".encode())
        time.sleep(0.1)
    time.sleep(0.5)
    n_decoded = len(decoded)
    time.sleep(0.5)
    assert len(decoded) == n_decoded < 40


def test_nothing_is_answered_without_the_secret(served):
    address = urlsplit(served.address)
    for path in ("/", "/page.js", "/api/source", "/wrong/", "/wrong/api/source", address.path.rstrip("/")):
        assert raw(served, "GET", path, {"Host": address.netloc}) == 404


def test_other_hosts_and_origins_are_refused(served):
    address = urlsplit(served.address)
    path, port = address.path + "api/source", address.port
    assert raw(served, "GET", path, {"Host": f"localhost:{port}"}) == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.2:{port}"):
        assert raw(served, "GET", path, {"Host": host}) == 421
    assert raw(served, "GET", path, {}) == 421
    assert get(served, "api/source", Origin=f"http://127.0.0.1:{port}")[0] == 200
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}", "http://127.0.0.1:1"):
        assert get(served, "api/source", Origin=origin)[0] == 403
        assert post(served, "api/change", CHANGE, Origin=origin)[0] == 403
    assert get(served, "api/source", **{"Sec-Fetch-Site": "cross-site"})[0] == 403


@pytest.mark.parametrize("path", ["../page.html", "..%2f..%2fserver.py", "page/page.html", "/etc/passwd", "%2e%2e/x"])
def test_paths_lead_nowhere_else(served, path):
    assert get(served, path)[0] == 404


def test_names_of_requests_reach_no_file(served):
    for project in ("..", "../project", "/etc", ""):
        assert get(served, f"api/instant?project={project}&instant=7")[0] == 404
    assert get(served, "api/pictures?project=project&instant=7&cameras=0,9")[0] == 404
    assert get(served, "api/pictures?project=project&instant=x&cameras=0")[0] == 400
    for changes in ({"../left": {"nose": None}}, {"left": {"../nose": None}}, {"left": {"nose": [1e300, 1, "visible"]}},
                    {"left": {"nose": [1, 2]}}, {"left": {"nose": [1, 2, "there"]}}, [], {"left": 3}):  # fmt: skip
        assert post(served, "api/change", CHANGE | {"changes": changes})[0] == 400
    assert get(served, "api/instant?project=project&instant=7")[1]["revision"] == 0


def test_huge_and_shapeless_bodies_are_refused(served):
    address = urlsplit(served.address)
    headers = {"Host": address.netloc, "Content-Type": "application/json"}
    path = address.path + "api/change"
    assert raw(served, "POST", path, headers | {"Content-Length": str(10**12)}) == 413
    assert raw(served, "POST", path, headers) == 411
    assert raw(served, "POST", path, headers | {"Transfer-Encoding": "chunked"}) == 411
    assert raw(served, "POST", path, headers | {"Content-Length": "2"}, b"[]") == 400
    assert raw(served, "POST", path, headers | {"Content-Length": "3"}, b"{1:") == 400
    assert post(served, "api/change", CHANGE, **{"Content-Type": "text/plain"})[0] == 415
    assert get(served, "api/nothing")[0] == 404


def test_the_later_of_two_tabs_is_told_and_overwrites_nothing(served):
    assert post(served, "api/change", CHANGE) == (200, {"revision": 1, "failures": []})
    later = CHANGE | {"changes": {"left": {"nose": [50, 40, "visible"]}}}
    status, told = post(served, "api/change", later)
    assert status == 409
    assert told["revision"] == 1
    assert told["points"] == {"left": {"nose": [3.25, 4.0, "visible", "hand"]}}
    assert post(served, "api/change", later | {"revision": 1})[0] == 200
    assert get(served, "api/instant?project=project&instant=7")[1]["points"]["left"]["nose"][0] == 50


def test_without_calibration_there_is_no_geometry(served):
    assert get(served, "api/project?project=project")[1]["unit"] is None
    assert post(served, "api/check", {"project": "project", "points": {}, "lines": {}})[1] == {
        "points": {},
        "lines": {},
    }
    assert post(served, "api/job", {"step": "train"})[0] == 400


def test_a_step_that_fails_shows_its_sentence(calibrated):
    from muybridge.labelling import serve_labels

    folder, _ = calibrated
    with serve_labels(folder) as server:
        assert post(server, "api/job", {"step": "sudo"})[0] == 400
        assert post(server, "api/job", {"step": "reconstruct"})[0] == 200
        state = wait_until(lambda: get(server, "api/job")[1], lambda state: not state["running"])
    assert state["code"] == 1
    assert any("error:" in line for line in state["lines"])


def test_smaller_copies_of_all_pictures_are_made_in_spare_time(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_copies, "WIDTHS", (16, 32))
    monkeypatch.setattr(spare_time_copies, "_PAUSE", 0.01)
    folder = write_pictures(tmp_path / "project", instants=(0, 1, 2, 3))
    with serve_labels(folder, keypoints=KEYPOINTS) as server:
        status, asked_for = get(server, "api/pictures?project=project&instant=0&cameras=0&width=20")
        for _ in range(100):
            copies = sorted((folder / "labelling" / ".copies" / "left").glob("*.jpg"))
            if len(copies) == 8:
                break
            time.sleep(0.05)
    assert status == 200
    assert [copy.name for copy in copies[:2]] == ["img000000-16.jpg", "img000000-32.jpg"]
    assert [cv2.imread(str(copy)).shape for copy in copies] == 4 * [(12, 16, 3), (24, 32, 3)]
    assert pictures_of(asked_for) == {0: copies[1].read_bytes()}
