"""Every control of the two pages without a kernel is operated at three widths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsers import TIMEOUT, served
from control_list import LIVE, LIVE_START, STATIC, choose_region
from control_table import numbered_picture
from explorer_pages import OUTPUT
from live_pages import WIDTHS, opened, wait_for_restoration
from page_controls import Control, check_effect, check_place, controls_of
from playwright.sync_api import Browser, Page
from static_explorer import write_page

pytestmark = pytest.mark.slow


def watched(page: Page) -> tuple[Page, list[str]]:
    """Return a page, and the names of the files that it saves."""
    files: list[str] = []
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.on("download", lambda download: files.append(download.suggested_filename))
    return page, files


@pytest.fixture(scope="module", params=WIDTHS)
def live(request, browser, live_address) -> Iterator[tuple[Page, list[str]]]:
    page = opened(browser, live_address, [], request.param, LIVE_START)
    yield watched(page)
    page.close()


@pytest.fixture(scope="module")
def static_address(tmp_path_factory) -> Iterator[str]:
    """Address of a page with few states of a fast method."""
    folder = tmp_path_factory.mktemp("static")
    write_page(folder, (0.2, 0.6, 1.9), (0.0, 10.0, 50.0), method="none")
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module", params=WIDTHS)
def static(request, browser: Browser, static_address) -> Iterator[tuple[Page, list[str]]]:
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    page.set_default_timeout(TIMEOUT)
    page.goto(f"{static_address}/index.html")
    page.wait_for_function("document.querySelector('[data-slot=sentence]').textContent")
    yield watched(page)
    page.close()


def check(page: Page, files: list[str], control: Control) -> None:
    page.get_by_role("tab", name=control.tab).click()
    check_place(page, control)
    check_effect(page, control, files)


def check_list(page: Page, controls: list[Control]) -> None:
    assert controls_of(page) == sorted(f"{c.role} {c.name}" for c in controls)


@pytest.mark.parametrize("control", LIVE, ids=lambda control: control.name)
def test_each_control_of_the_live_page_works(live, control):
    check(*live, control)


def test_no_control_of_the_live_page_is_missing_from_the_list(browser, live_address):
    page = opened(browser, live_address, [], 1024, LIVE_START)
    check_list(page, LIVE)
    page.close()


@pytest.mark.parametrize("control", STATIC, ids=lambda control: control.name)
def test_each_control_of_the_static_page_works(static, control):
    check(*static, control)


def test_no_control_of_the_static_page_is_missing_from_the_list(static):
    check_list(static[0], STATIC)


def test_numbered_controls_of_the_live_page_fit_into_a_picture(live):
    page, _ = live
    choose_region(page.locator("body"))
    wait_for_restoration(page)
    name = f"live-controls-{page.viewport_size['width']}.jpg"
    numbered_picture(page, LIVE, OUTPUT / name)
