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
def watched_pages(browser, width):
    """(open_page, said, fetched): a function that opens an address in a window of its own, and two lists of what the
    pages said (messages and errors) and fetched (addresses)."""
    said, fetched, contexts = [], [], []

    def open_page(address, **options):
        context = browser.new_context(**{"viewport": {"width": width, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        listen(page, said, fetched)
        page.goto(address)
        return page

    try:
        yield open_page, said, fetched
    finally:
        for context in contexts:
            context.close()


def listen(page, said, fetched):
    """Add what a page says (messages and errors) and fetches (addresses) to two lists."""
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
