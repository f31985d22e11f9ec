"""Every control of the explorer is operated at three widths, and listed in the book."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from control_list import EXPLORER, EXPLORER_START
from control_table import numbered_picture
from explorer_pages import OUTPUT, WIDTHS, open_page, open_tab, wait_for_restoration
from kernel_processes import close
from page_controls import Control, check_effect, check_place, controls_of
from playwright.sync_api import Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(browser, server) -> Iterator[tuple[Page, list[str]]]:
    """The explorer, and the names of the files that it saves."""
    errors: list[str] = []
    files: list[str] = []
    page = open_page(browser, server[0], errors)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.on("download", lambda download: files.append(download.suggested_filename))
    yield page, files
    close(page, server[1])
    assert errors == []


@pytest.fixture(scope="module", params=WIDTHS)
def started(request, opened) -> tuple[Page, list[str]]:
    """The same at one width, with a large radiograph and fast methods."""
    page = opened[0]
    page.set_viewport_size({"width": request.param, "height": 900})
    page.get_by_role("button", name="Reset").click()
    for menu, option in EXPLORER_START.items():
        page.get_by_role("combobox", name=menu, exact=True, include_hidden=True).select_option(
            option, force=True
        )
    page.wait_for_function(
        "location.hash.includes('larger') && location.hash.includes('method=TV')"
    )
    wait_for_restoration(page)
    return opened


@pytest.mark.parametrize("control", EXPLORER, ids=lambda control: control.name)
def test_each_control_works(started, control: Control):
    page, files = started
    open_tab(page, control.tab)
    check_place(page, control)
    check_effect(page, control, files)


def test_no_control_is_missing_from_the_list(started):
    page, _ = started
    page.get_by_role("combobox", name="radiograph").select_option(EXPLORER_START["radiograph"])
    page.locator("[data-region]").wait_for()
    assert controls_of(page) == sorted(f"{c.role} {c.name}" for c in EXPLORER)


def test_numbered_controls_fit_into_a_picture(started):
    page, _ = started
    page.get_by_role("combobox", name="radiograph").select_option(EXPLORER_START["radiograph"])
    page.locator("[data-region]").wait_for()
    wait_for_restoration(page)
    name = f"controls-{page.viewport_size['width']}.jpg"
    numbered_picture(page, EXPLORER, OUTPUT / name)
