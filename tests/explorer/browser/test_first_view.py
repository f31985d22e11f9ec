"""What the explorer shows when it is opened: on screens of several sizes, light and dark."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import pytest
from browsers import TIMEOUT
from explorer_pages import (
    FIRST_PICTURES,
    OUTPUT,
    choose,
    handle,
    open_page,
    open_tab,
    record,
    screenshot,
    slot,
    wait_for_restoration,
)
from kernel_processes import close
from paths import ROOT
from playwright.sync_api import expect

from xbdcnn.explorer.curve import ETAS

pytestmark = pytest.mark.slow

CURVES_COMPLETE = """(count) => {
  const lines = [...document.querySelectorAll("[data-slot=psnr-curve] .xb-psnr")];
  return lines.length && lines.every((line) => line.getAttribute("d").split("L").length === count);
}"""
"""Whether each curve of PSNR has as many points as there are values of η."""


def test_a_picture_stands_until_the_kernel_answers(page):
    """Measured from the answer of the server, at every opening of the tests before."""
    assert page.locator("#xb-first").count() == 0, "it has been replaced"
    record(seconds_to_first_picture=round(median(FIRST_PICTURES), 2))
    assert median(FIRST_PICTURES) < 2


def test_opens_complete_within_1024_pixels(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 1024
    for name in ("clean", "noisy", "restored", "residual", "eta", "sigma", "overview"):
        assert page.locator(f'canvas[data-picture="{name}"]').evaluate("c => c.width") > 100, name
    expect(slot(page, "scores")).not_to_contain_text("…", timeout=TIMEOUT)
    assert "photons" in slot(page, "sentence").inner_text()
    assert page.locator("svg polyline").count() == 6
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_function(CURVES_COMPLETE, arg=len(ETAS), timeout=TIMEOUT)
    screenshot(page, "1-open")


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (1440, 900), (1920, 1080)])
def test_noisy_and_restored_are_side_by_side_and_not_cut(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    page.screenshot(path=OUTPUT / f"7-{width}-swipe.jpg", type="jpeg", quality=72)
    whole = page.locator(".xb-swipe").bounding_box()
    assert whole["y"] + whole["height"] <= height and whole["width"] > 600, "wholly in view"
    open_tab(page, "Four panels")
    noisy, restored = (
        page.locator(f'canvas[data-picture="{name}"]').bounding_box()
        for name in ("noisy", "restored")
    )
    assert noisy["y"] == restored["y"] and noisy["x"] < restored["x"]
    assert restored["y"] + restored["height"] <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (restored["width"] > 500) == (width > 1024), "larger screens show larger pictures"
    assert page.locator("[data-region]").is_hidden(), "the region is the whole radiograph"
    page.screenshot(path=OUTPUT / f"7-{width}.jpg", type="jpeg", quality=72)


def test_curve_of_psnr_is_drawn_when_it_is_in_view(page):
    choose(page, "method", "none")
    expect(slot(page, "caption-restored")).to_contain_text("restored · none", timeout=TIMEOUT)
    slot(page, "psnr-curve").scroll_into_view_if_needed()
    expect(slot(page, "psnr-curve").locator("svg")).to_be_visible(timeout=TIMEOUT)
    expect(slot(page, "psnr-curve")).to_contain_text(
        "PSNR (dB) against η at σ 10.0", timeout=TIMEOUT
    )


@pytest.mark.parametrize(("system", "theme"), [("dark", ""), ("light", "?theme=dark")])
def test_dark_theme_follows_the_system_and_is_readable(browser, server, errors, system, theme):
    page = open_page(browser, server[0] + theme, errors, color_scheme=system)
    handle(page, "η").focus()
    page.keyboard.press("Home")
    expect(slot(page, "caption-noisy")).to_contain_text("η 0.10", timeout=TIMEOUT)
    wait_for_restoration(page)
    colours = page.evaluate(
        """() => [getComputedStyle(document.querySelector('[data-slot=sentence]')).color,
                  getComputedStyle(document.body).backgroundColor]"""
    )
    text, ground = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert text - ground > 3 * 128
    assert page.evaluate("document.body.dataset.jpThemeLight") == "false"
    page.set_viewport_size({"width": 1440, "height": 900})
    screenshot(page, "3-dark")
    close(page, server[1])
    assert errors == []


BOOK_PAGE = """<html data-theme="dark"><style>{theme}</style><style>{own}</style>
<div class="bd-content"><img alt="a radiograph"></div></html>"""


def test_book_shows_data_unfiltered_in_its_dark_theme(browser):
    package = Path(find_spec("pydata_sphinx_theme").origin).parent
    (file,) = package.glob("theme/*/static/styles/pydata-sphinx-theme.css")
    theme = file.read_text("utf-8")
    own = (ROOT / "docs" / "_static" / "pictures.css").read_text("utf-8")
    page, filters = browser.new_page(), []
    for style in ("", own):
        page.set_content(BOOK_PAGE.format(theme=theme, own=style))
        filters.append(page.locator("img").evaluate("img => getComputedStyle(img).filter"))
    page.close()
    assert "brightness" in filters[0] and filters[1] == "none"
