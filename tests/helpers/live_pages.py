"""What the browser tests of the live page do on it, and what they read from it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from browsers import TIMEOUT
from playwright.sync_api import Browser, Locator, Page, expect

WIDTHS = (390, 1024, 1440)
SIDE = 384


def opened(browser: Browser, address: str, problems: list[str], width: int, end: str = "") -> Page:
    """Open the page and wait for its first restoration."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(TIMEOUT)
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda r: r.url.startswith(address) or problems.append(r.url))
    page.goto(f"{address}/index.html{end}")
    wait_for_restoration(page)
    return page


def wait_for_restoration(page: Page) -> None:
    """Wait for the result of the last change, which is shown from the next frame on."""
    page.evaluate("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")
    expect(slot(page, "caption-restored")).to_have_text(
        re.compile(r"restored · tiny · \d+ ms"), timeout=TIMEOUT
    )


def slot(page: Page, name: str) -> Locator:
    return page.locator(f'[data-slot="{name}"]')


def levels(page: Page, name: str) -> np.ndarray:
    """Grey levels of a canvas, in [0, 1]."""
    code = """canvas => [canvas.height, canvas.width, Array.from(canvas.getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height).data.filter((_, i) => i % 4 === 0))]"""
    height, width, values = page.locator(f'canvas[data-picture="{name}"]').evaluate(code)
    return np.reshape(values, (height, width)) / 255


def scores(page: Page) -> list[float]:
    """PSNR of the noisy and of the restored image."""
    return [
        float(x) for x in slot(page, "scores").locator("tr").nth(1).locator("td").all_inner_texts()
    ]


def slide(page: Page, name: str, key: str) -> None:
    page.get_by_role("slider", name=re.compile(f"^{name}")).press(key)


def radiograph(page: Page) -> Locator:
    return page.get_by_role("combobox", name="radiograph")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def own_file(page: Page, path: Path | str) -> None:
    with page.expect_file_chooser() as chooser:
        press(page, "Open PNG")
    chooser.value.set_files(path)
