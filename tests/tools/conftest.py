"""Fixtures of the tests of the live page: a browser, the written page and its scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import live_page
import pytest
from browsers import chromium, served
from live_pages import WIDTHS, opened
from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def live_folder(tmp_path_factory) -> Path:
    """The whole page. The test downloads nothing, so it is skipped without npm's package."""
    if not live_page.TARBALL.exists():
        pytest.skip(f"no build/npm/{live_page.TARBALL.name}; fetch it with `make live-page`")
    return live_page.write_page(tmp_path_factory.mktemp("live"), "../index.html").parent


@pytest.fixture(scope="module")
def live_address(live_folder) -> Iterator[str]:
    """Address of the page, without index.html."""
    with served(live_folder) as address:
        yield address


@pytest.fixture(scope="module")
def scripts(browser, tmp_path_factory) -> Iterator[Page]:
    """An empty page that can import the scripts; it needs neither network nor ONNX Runtime."""
    folder = tmp_path_factory.mktemp("scripts")
    live_page.write_scripts(folder)
    with served(folder) as address:
        page = browser.new_page()
        page.goto(f"{address}/noise.js")
        yield page
        page.close()


@pytest.fixture
def problems() -> list[str]:
    """Errors of the console and requests to other hosts."""
    return []


@pytest.fixture(params=WIDTHS)
def page(request, browser, live_address, problems) -> Iterator[Page]:
    """The page at one width; it must log no error and load only its own files."""
    page = opened(browser, live_address, problems, request.param)
    yield page
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
    assert fits and [text for text in problems if not re.match("blob:|data:", text)] == []


@pytest.fixture
def wide(browser, live_address, problems) -> Iterator[Page]:
    """The page at one width only, for what does not depend on it."""
    page = opened(browser, live_address, problems, 1024)
    yield page
    page.close()
    assert [text for text in problems if not re.match("blob:|data:", text)] == []
