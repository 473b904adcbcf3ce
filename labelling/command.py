"""`muybridge label`: serve the page, open it, and wait until the person is done."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from typing import Any

from .server import serve_labels


def label_in_browser(source, *, browser: bool, say: Callable[[str], None], **options: Any) -> None:
    """Serve the page until Ctrl+C; options as of `serve_labels`."""
    with serve_labels(source, say=say, **options) as server:
        say(f"label at {server.address}")
        say("end with Ctrl+C; every change is saved at once")
        if browser:
            webbrowser.open(server.address)
        try:
            server.wait()
        except KeyboardInterrupt:
            say("saved")
