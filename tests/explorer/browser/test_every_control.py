"""Every control of the explorer works at three widths."""

from __future__ import annotations

import pytest
from browsers import TIMEOUT
from explorer_pages import WIDTHS, by_key, choose, handle, menu, slot
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width", WIDTHS)
def test_every_control_works_at_three_widths(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    choose(page, "method", "none")
    expect(slot(page, "caption-restored")).to_contain_text("restored · none", timeout=TIMEOUT)
    choose(page, "preset", "quarter dose")
    expect(slot(page, "dose")).to_contain_text("25 % of an ordinary exposure", timeout=TIMEOUT)
    by_key(page, handle(page, "σ"))
    expect(slot(page, "caption-noisy")).to_contain_text("η 1.96, σ 2.5", timeout=TIMEOUT)
    expect(menu(page, "preset")).to_have_value("", timeout=TIMEOUT)
    for name, text in (("strength", "0.75"), ("level", "125"), ("window", "250")):
        by_key(page, handle(page, name), "ArrowLeft")
        field = handle(page, name).locator("xpath=..")
        expect(field.locator("output")).to_have_text(text)
    page.get_by_label("seed").fill("4")
    choose(page, "radiograph", "built-in: chest, larger")
    expect(slot(page, "caption-overview")).to_contain_text("drag", timeout=TIMEOUT)
    page.locator("[data-region]").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_function(
        "location.hash.includes('corner=160%2C192') && location.hash.includes('seed=4')"
    )
    page.get_by_label("as it is").check()
    expect(slot(page, "caption-noisy")).to_contain_text("no noise added", timeout=TIMEOUT)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
