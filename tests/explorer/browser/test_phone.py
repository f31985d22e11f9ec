"""The explorer on a phone: nothing is cut off, and a swipe on a picture scrolls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from explorer_pages import open_page, open_tab, screenshot
from kernel_processes import close
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.slow


@pytest.fixture
def phone(browser, server, errors) -> Iterator[Page]:
    page = open_page(browser, server[0], errors, width=390, has_touch=True)
    yield page
    close(page, server[1])
    assert errors == []


def test_phone_shows_every_control_and_scrolls_by_a_swipe_on_a_picture(phone):
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    for part in ("input[type=range]", "select", "input[type=number]"):
        for control in filter(Locator.is_visible, phone.locator(f".xb-explorer {part}").all()):
            box = control.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390, part
            assert box["width"] > 80, part
    screenshot(phone, "5-phone")
    open_tab(phone, "Four panels")
    frame, line = phone.locator('[data-frame="clean"]'), phone.locator("[data-frame=clean] line")
    frame.scroll_into_view_if_needed()
    before, drawn = frame.bounding_box(), line.last.get_attribute("y1")
    swipe_up(phone, before, 200)
    frame_has_moved = (
        "old => document.querySelector('[data-frame=clean]').getBoundingClientRect().y < old"
    )
    phone.wait_for_function(frame_has_moved, arg=before["y"] - 100)
    assert line.last.get_attribute("y1") == drawn, "a swipe draws no line"
    frame.tap(position={"x": 30, "y": 20})
    expect(line.last).not_to_have_attribute("y1", drawn)


def swipe_up(page: Page, box: dict[str, float], distance: int) -> None:
    """Move a finger upwards from the middle of a box."""
    session = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for step, kind in enumerate(["touchStart", *["touchMove"] * 10]):
        points = [{"x": x, "y": y - step * distance / 10}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
