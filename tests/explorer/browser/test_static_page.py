"""The page of precomputed states, opened from a folder without a server."""

from __future__ import annotations

import pytest
from browsers import TIMEOUT, serious_violations
from explorer_pages import handle, open_tab, screenshot, slot
from playwright.sync_api import expect
from static_explorer import write_page

pytestmark = pytest.mark.slow


def test_static_page_works_from_a_folder_without_a_server(browser, tmp_path):
    index = write_page(tmp_path, (0.2, 0.6, 1.9), (0.0, 10.0), method="TV")
    errors: list[str] = []
    page = browser.new_page(viewport={"width": 1024, "height": 1100})
    page.set_default_timeout(TIMEOUT)
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: errors.append(request.url))
    page.goto(index.as_uri())
    expect(slot(page, "sentence")).to_contain_text("83 photons", timeout=TIMEOUT)
    scores = slot(page, "scores").inner_text()
    handle(page, "η").focus()
    page.keyboard.press("ArrowRight")
    expect(slot(page, "sentence")).to_contain_text("264 photons", timeout=TIMEOUT)
    assert slot(page, "scores").inner_text() != scores
    assert page.locator("output").first.inner_text() == "1.9"
    open_tab(page, "Four panels")
    page.locator("[data-frame=noisy]").hover(position={"x": 100, "y": 200})
    assert page.locator(".xb-lens").first.is_visible()
    screenshot(page, "4-static")
    assert serious_violations(page) == []
    page.wait_for_function("location.hash == '#eta=1.9&sigma=10&tab=four'")
    page.get_by_role("button", name="Reset").click()
    expect(slot(page, "sentence")).to_contain_text("83 photons", timeout=TIMEOUT)
    page.close()
    assert errors == []
