"""The views of the pictures: divider, four panels, comparison, window and level, lens."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from browsers import TIMEOUT
from explorer_pages import (
    TABS,
    WIDTHS,
    by_key,
    choose,
    handle,
    open_tab,
    picture,
    pixels,
    screenshot,
    slot,
    wait_for_restoration,
)
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width", WIDTHS)
def test_tabs_and_divider_by_keyboard_and_pointer(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    divider = handle(page, "divider")
    assert edge(page) == pytest.approx(0.5, abs=0.01)
    divider.focus()
    page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuetext", "noisy on the left 52 %")
    box = page.locator(".xb-swipe").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert edge(page) == pytest.approx(0.25, abs=0.02)
    page.get_by_role("tab", name=TABS[0]).focus()
    for key, name in (("ArrowRight", TABS[1]), ("End", TABS[2]), ("ArrowRight", TABS[0])):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def edge(page: Page) -> float:
    """Share of the width at which the restored picture begins."""
    restored = page.locator('[data-frame="restored"]')
    clip = restored.evaluate("frame => getComputedStyle(frame).clipPath")
    return float(re.search(r"([\d.]+)%\)", clip)[1]) / 100


def test_window_and_level_change_the_display_only(page):
    line, grey = page.locator(".xb-display p"), page.locator('canvas[data-picture="noisy"]')
    assert line.inner_text().startswith("Full range")
    before = picture(page, "noisy"), shown_mean(page)
    handle(page, "level").focus()
    page.keyboard.press("Home")
    expect(line).to_contain_text("Not the full range: only 0 to 128 of 255")
    assert "url" in grey.evaluate("canvas => getComputedStyle(canvas).filter")
    assert shown_mean(page) > before[1] + 20 and picture(page, "noisy") == before[0]
    page.get_by_role("button", name="Full range").click()
    assert line.inner_text().startswith("Full range") and shown_mean(page) == before[1]


def shown_mean(page: Page) -> float:
    """Mean grey level of the main picture as it is on the screen."""
    picture = Image.open(io.BytesIO(page.locator(".xb-swipe").screenshot()))
    return float(np.asarray(picture.convert("L")).mean())


def test_true_error_takes_the_place_of_the_residual(page):
    open_tab(page, "Four panels")
    residual, caption = picture(page, "residual"), page.locator('[data-panel="residual"]')
    page.get_by_label("true error").check()
    assert picture(page, "residual") != residual
    expect(caption).to_contain_text("restored − clean")
    assert page.locator(".xb-is-residual").is_hidden()
    page.get_by_label("as it is").check()
    expect(page.get_by_label("true error")).to_be_disabled(timeout=TIMEOUT)


def test_methods_are_compared_in_the_background(page):
    choose(page, "method", "none")
    open_tab(page, "Compare")
    for number, method in enumerate(("TV", "NLM", "none"), start=1):
        choose(page, f"method {number}", method)
    for name in ("compare-0", "compare-1", "compare-2"):
        expect(slot(page, f"caption-{name}")).to_contain_text("dB · SSIM", timeout=TIMEOUT)
        assert page.locator(f'canvas[data-picture="{name}"]').evaluate("c => c.width") == 384
    assert len({picture(page, f"compare-{number}") for number in range(3)}) == 3
    page.set_viewport_size({"width": 1440, "height": 900})
    screenshot(page, "8-compare")
    by_key(page, handle(page, "σ"))
    expect(slot(page, "caption-compare-1")).to_contain_text("restoring", timeout=TIMEOUT)
    expect(slot(page, "caption-compare-1")).to_contain_text("dB", timeout=TIMEOUT)


def test_view_is_saved_as_png_with_the_window(page):
    by_key(page, handle(page, "level"), "Home")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save view").click()
    assert download.value.suggested_filename == "explorer-view.png"
    with Image.open(download.value.path()) as view:
        assert view.size == (384, 384 + 20)
        grey = np.asarray(view.convert("L"), float)[20:]
    noisy, restored = (np.reshape(pixels(page, name), (384, 384)) for name in ("noisy", "restored"))
    expected = np.concatenate([noisy[:, :192], restored[:, 192:]], axis=1) + 127.5
    np.testing.assert_allclose(grey, expected.clip(0, 255), atol=1)


def test_lens_and_line_follow_pointer_and_keys(page):
    open_tab(page, "Four panels")
    profile = slot(page, "profile").inner_html()
    frame = page.locator('[data-frame="noisy"]')
    frame.hover(position={"x": 100, "y": 260})
    lenses = page.locator(".xb-lens")
    assert lenses.evaluate_all("all => all.filter(lens => !lens.hidden).length") == 4
    page.mouse.down()
    place = frame.bounding_box()
    page.mouse.move(place["x"] + 300, place["y"] + 60, steps=5)
    page.mouse.up()
    expect(page.locator("[data-frame=noisy] line").last).not_to_have_attribute("x1", "0.5")
    page.wait_for_function(
        "old => document.querySelector('[data-slot=profile]').innerHTML != old", arg=profile
    )
    choose(page, "radiograph", "built-in: field 1")
    expect(slot(page, "caption-overview")).to_contain_text("drag", timeout=TIMEOUT)
    wait_for_restoration(page)
    frame.hover(position={"x": 100, "y": 260})
    screenshot(page, "2-lens")
    page.mouse.move(2, 2)
    frame.focus()
    page.keyboard.press("ArrowUp")
    assert lenses.first.is_visible()
    page.keyboard.press("Enter")
    expect(page.locator("[data-frame=noisy] line").last).to_have_attribute("y1", "190.5")
