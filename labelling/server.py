"""The page's server: this machine only, a secret in the address, no other site's requests, small bodies."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Callable, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..datasets.names import named_options
from .opening import open_source
from .page_requests import PageRequests
from .request_handler import Handler


class LabelServer:
    """The labelling page of a session, a project, a folder of pictures or a video, while it is open.

    Use it as a context manager, or call `close`: what is waiting is then written.

    Parameters
    ----------
    requests : PageRequests
        Answers what the page asks for.
    port : int
        Of the address; 0: a free one.

    Examples
    --------
    See `serve_labels`, which returns it.

    >>> from muybridge.labelling import LabelServer
    >>> hasattr(LabelServer, "address")
    True
    """

    def __init__(self, requests: PageRequests, port: int = 0):
        self._requests, self._token = requests, secrets.token_urlsafe(24)
        handler = type("PageHandler", (Handler,), {"requests": requests, "token": self._token})
        self._server = _QuietServer(("127.0.0.1", port), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="labelling page", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """The page's address, with the secret without which nothing is answered.

        Returns
        -------
        str
            To open in a browser on this machine.
        """
        return f"http://127.0.0.1:{self._server.server_port}/{self._token}/"

    def wait(self) -> None:
        """Serve until the process is interrupted."""
        self._thread.join()

    def close(self) -> None:
        """Write what is waiting, and end."""
        self._server.shutdown()
        self._server.server_close()
        self._requests.close()

    def __enter__(self) -> LabelServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@named_options()
def serve_labels(
    source: str | Path,
    *,
    labels: str | Path | None = None,
    keypoints: Sequence[str] = (),
    proposals: Sequence[str] = (),
    n: int = 20,
    port: int = 0,
    say: Callable[[str], None] | None = None,
) -> LabelServer:
    """Serve the labelling page on this machine.

    Parameters
    ----------
    source : path
        A session file or its folder, a DeepLabCut project, a folder of pictures (or of one folder per camera), or a
        video.
    labels : path, optional
        Folder of the project. None: of a session the last that has pictures, of a video ``VIDEO-labels`` beside it.
    keypoints : sequence of str, optional
        Names, where neither a session nor a project states them.
    proposals : sequence of str, optional
        2D files of any detector to show as unconfirmed points, as "CAMERA=FILE". None given: the session's results.
    n : int, optional
        Instants that are extracted from a video that has no project yet.
    port : int, optional
        Of the address; 0: a free one.
    say : callable, optional
        Called with a line of what takes long.

    Returns
    -------
    LabelServer
        With the page's `address`.

    Raises
    ------
    LabelError
        There is nothing to label, or nothing names the keypoints.
    SessionError, VideoError
        The session or the video cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> import cv2
    >>> import numpy as np
    >>> from muybridge.labelling import serve_labels
    >>> Path("top").mkdir()
    >>> _ = cv2.imwrite("top/img0007.png", np.zeros((48, 64, 3), np.uint8))
    >>> with serve_labels("top", keypoints=["nose", "tail"]) as server:
    ...     server.address.startswith("http://127.0.0.1:")
    True
    """
    found = open_source(
        Path(source),
        labels=None if labels is None else Path(labels),
        keypoints=keypoints,
        proposals=proposals,
        n=n,
        say=say or (lambda line: None),
    )
    requests = PageRequests(found)
    requests.opened(found.chosen)  # what cannot be opened is refused now
    return LabelServer(requests, port)


class _QuietServer(ThreadingHTTPServer):
    """A server to which a browser that goes away in the middle of a request is no error to print."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
