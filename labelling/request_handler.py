"""One request of the page: the right address and secret, a small body, an answer."""

from __future__ import annotations

import json
import secrets
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from .label_project import StaleRevision
from .page_requests import PageRequests

_LARGEST_BODY = 1 << 20  # bytes: twelve cameras with a hundred keypoints are 100 kB
_PAGE_FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    **{f"{name}.js": (f"{name}.js", "text/javascript; charset=utf-8") for name in
       ("page", "state", "store", "pictures", "camera_view", "marks", "panels", "drawing", "showing", "geometry",
        "marking", "controls")},
}  # fmt: skip
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Handler(BaseHTTPRequestHandler):
    """One connection of the page."""

    requests: PageRequests
    token: str
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "muybridge", ""
    disable_nagle_algorithm = True  # else a small answer waits 40 ms for the browser's acknowledgement
    timeout = 120

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, work: Callable[[str], None]) -> None:
        """Check the request, do the work, and tell an error as one sentence."""
        path = self._checked_path()
        if path is None:
            return
        try:
            work(path)
        except StaleRevision as stale:
            self._send_json(stale.record.as_json() | {"error": str(stale)}, HTTPStatus.CONFLICT)
        except LookupError as error:
            self._send_json({"error": str(error.args[0] if error.args else error)}, HTTPStatus.NOT_FOUND)
        except (ValueError, TypeError, AttributeError) as error:
            self._send_json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except OSError as error:
            self._send_json({"error": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _checked_path(self) -> str | None:
        """The path below the secret; None where the request is not the page's own, which has then been refused."""
        port = cast("ThreadingHTTPServer", self.server).server_port
        hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site")
        parts = urlsplit(self.path)
        secret, slash, path = parts.path.removeprefix("/").partition("/")
        if self.headers.get("Host") not in hosts:
            return self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this address is served on 127.0.0.1 only")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return self._refuse(HTTPStatus.FORBIDDEN, "requests of other sites are not answered")
        if site is not None and site not in ("same-origin", "none"):
            return self._refuse(HTTPStatus.FORBIDDEN, "requests of other sites are not answered")
        if not secrets.compare_digest(secret.encode(), self.token.encode()) or not slash:
            return self._refuse(HTTPStatus.NOT_FOUND, "open the address that 'muybridge label' has printed")
        return path

    def _get(self, path: str) -> None:
        query = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        requests, project = self.requests, query.get("project", "")
        if path in _PAGE_FILES:
            name, kind = _PAGE_FILES[path]
            self._send((files("muybridge.labelling") / "page" / name).read_bytes(), kind)
        elif path == "api/pictures":
            instant, width = (int(query.get(name, "0")) for name in ("instant", "width"))
            cameras = [int(number) for number in query.get("cameras", "0").split(",")]
            self._send_parts(requests.get_pictures(project, instant, cameras, width, self._check_wanted))
        elif path == "api/source":
            self._send_json(requests.get_source())
        elif path == "api/project":
            self._send_json(requests.get_project(project))
        elif path == "api/instant":
            self._send_json(requests.get_instant(project, int(query.get("instant", "0"))))
        elif path == "api/job":
            self._send_json(requests.get_job())
        else:
            raise LookupError("there is no such page")

    def _post(self, path: str) -> None:
        body = self._body()
        if body is None:
            return
        requests, project = self.requests, str(body.get("project", ""))
        if path == "api/change":
            instant, revision = int(body["instant"]), int(body["revision"])
            self._send_json(requests.change(project, instant, revision, body["changes"]))
        elif path == "api/check":
            self._send_json(requests.check(project, body.get("points", {}), body.get("lines", {})))
        elif path == "api/add":
            self._send_json(requests.add(project, int(body["instant"])))
        elif path == "api/export":
            self._send_json(requests.export(project))
        elif path == "api/job":
            n = body.get("n")
            self._send_json(requests.start(project, str(body["step"]), None if n is None else int(n)))
        elif path == "api/stop":
            self._send_json(requests.stop())
        else:
            raise LookupError("there is no such page")

    def _check_wanted(self) -> None:
        """Raises ConnectionError where the browser has given the request up, as it does at the next key."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise ConnectionAbortedError

    def _body(self) -> dict[str, Any] | None:
        """The JSON object of the request; None where it was refused."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "the length of the body is not stated")
        if int(length) > _LARGEST_BODY:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_LARGEST_BODY} bytes are read")
        if self.headers.get_content_type() != "application/json":
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        body = json.loads(self.rfile.read(int(length)))
        if not isinstance(body, dict):
            raise ValueError("the body must be a JSON object")
        return body

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        """Answer without having read the body: the connection ends."""
        self.close_connection = True
        self._send_json({"error": why}, status)

    def _send_json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value, separators=(",", ":")).encode(), "application/json", status)

    def _send(self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        head = self._head(status, {"Content-Type": kind, "Content-Length": str(len(content))})
        self.wfile.write(head + content)  # in one packet

    def _send_parts(self, parts: Iterator[bytes]) -> None:
        """Each part as soon as it is ready (HTTP's chunks)."""
        head = self._head(HTTPStatus.OK, {"Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"})
        for part in parts:
            self.wfile.write(b"%b%x\r\n%b\r\n" % (head, len(part), part))
            head = b""
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: HTTPStatus, headers: Mapping[str, str]) -> bytes:
        self.send_response(status)
        for name, value in {**headers, **_HEADERS}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        head, self._headers_buffer = b"".join(self._headers_buffer) + b"\r\n", []
        return head

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed for each request."""
