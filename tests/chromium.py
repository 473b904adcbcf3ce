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
def watched_pages(context, width):
    """(open_page, said, fetched): a function that opens an address in a page of its own, and two lists of what the
    pages said (messages and errors) and fetched (addresses).

    context : of the browser; that tests share one takes half the time of one each
    """
    said, fetched, pages = [], [], []

    def open_page(address, *, color_scheme="light", width=width):
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=color_scheme)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(address)
        return page

    try:
        yield open_page, said, fetched
    finally:
        for page in pages:
            page.close()
