"""Chromium for the browser tests, and the check of accessibility that they share."""

from __future__ import annotations

import os
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browser_path() -> str:
    """Path of Chromium; without it the test is skipped, or fails on CI."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        message = "no Chromium found; install one, for instance with `apt-get install chromium`"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def serious_violations(page: Page) -> list[str]:
    """Rules of axe-core that are violated with serious or critical impact, and where."""
    response = Axe().run(page).response
    assert "color-contrast" in {rule["id"] for rule in response["passes"]}, "it has been checked"
    return [
        f"{rule['id']}: {[node['target'] for node in rule['nodes']]}"
        for rule in response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
