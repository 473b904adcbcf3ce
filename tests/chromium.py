"""Pages in Debian's chromium, driven by Playwright: what they say on the console and fetch is kept."""

import os
import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-3d-apis",
]

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(not (os.path.exists(CHROMIUM) or shutil.which("chromium")), reason="there is no chromium"),
]


@contextmanager
def watched_pages(context, width, kept=None):
    """(open_page, said, fetched): a function that opens an address in a page of its own, and two lists of what the
    pages said (messages and errors) and fetched (addresses).

    context : of the browser; that tests share one takes half the time of one each
    kept : page in which each address replaces the one before, which takes half the time again
    """
    said, fetched, pages = [], [], []
    watchers = {
        "console": lambda message: said.append(message.text),
        "weberror": lambda error: said.append(str(error.error)),
        "request": lambda request: fetched.append(request.url),
    }

    def open_page(address, *, color_scheme="light", width=width):
        page = kept
        if page is None:
            page = context.new_page()
            pages.append(page)
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(media="null", color_scheme=color_scheme)
        page.goto(address)
        return page

    for event, watch in watchers.items():
        context.on(event, watch)
    try:
        yield open_page, said, fetched
    finally:
        for event, watch in watchers.items():
            context.remove_listener(event, watch)
        for page in pages:
            page.close()
        if kept is not None:
            kept.goto("about:blank")
