"""Headless Chromium, a server of a folder and a check of accessibility, for the tests of pages."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import demo
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT = 60_000
"""Timeout in milliseconds; long, because the machine may be busy."""


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """Headless Chromium; without it the test is skipped, or fails on CI."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        message = "no Chromium found; install one, for instance with `apt-get install chromium`"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    # Chromium's sandbox does not run as root, as tests in a container often do.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*sandbox, *options])
        yield browser
        browser.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; yield its address."""
    server = demo.serve(folder)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def serious_violations(page: Page) -> list[str]:
    """Rules of axe-core that are violated with serious or critical impact, and where."""
    response = Axe().run(page).response
    assert "color-contrast" in {rule["id"] for rule in response["passes"]}, "it has been checked"
    return [
        f"{rule['id']}: {[node['target'] for node in rule['nodes']]}"
        for rule in response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
