"""What the browser tests of the explorer do on its page, and what they read from it.

Screenshots and measured times are written to build/explorer/, and by `make static-page` to
figures/explorer/, where the book takes its pictures from.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from browsers import TIMEOUT
from paths import ROOT
from playwright.sync_api import Browser, Locator, Page, expect

OUTPUT = ROOT / os.environ.get("XBDCNN_SCREENSHOTS", "build/explorer")

WIDTHS = (390, 1024, 1440)
"""Of the window in pixels: a phone, a small and a larger screen."""

TABS = ("Before / after", "Four panels", "Compare")

HEIGHT = 1000
"""Height of the window in pixels."""

FIRST_PICTURES: list[float] = []
"""Seconds from the answer of the server to the first picture, of every page opened."""

OTHER_HOSTS = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1[:/])")


def open_page(
    browser: Browser, address: str, errors: list[str], width: int = 1024, **options: Any
) -> Page:
    """Open the explorer; errors of the console and requests to other hosts are added to `errors`.

    width: of the window in pixels. options: of Playwright's `new_page`.
    """
    page = browser.new_page(viewport={"width": width, "height": HEIGHT}, **options)
    page.set_default_timeout(TIMEOUT)
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route(OTHER_HOSTS, lambda route: (errors.append(route.request.url), route.abort()))
    page.goto(address, wait_until="commit")
    wait_for_first_picture(page)
    wait_for_restoration(page)
    return page


def wait_for_first_picture(page: Page) -> None:
    """Wait for the picture that stands until the kernel answers; record its time."""
    picture = page.locator("#xb-first img")
    expect(picture).to_be_visible(timeout=TIMEOUT)
    page.wait_for_function("document.querySelector('#xb-first img').naturalWidth > 0")
    answer = "performance.getEntriesByType('navigation')[0].responseStart"
    FIRST_PICTURES.append(page.evaluate(f"performance.now() - {answer}") / 1000)


def wait_for_restoration(page: Page) -> None:
    """Wait until the restoration of the current state is shown."""
    expect(slot(page, "caption-restored")).to_contain_text("restored ·", timeout=TIMEOUT)


def slot(page: Page, name: str) -> Locator:
    return page.locator(f'[data-slot="{name}"]')


def picture(page: Page, name: str) -> str:
    """Data URL of a canvas, which changes with every pixel."""
    return page.locator(f'canvas[data-picture="{name}"]').evaluate("canvas => canvas.toDataURL()")


def pixels(page: Page, name: str) -> list[int]:
    """Grey levels of a canvas."""
    return page.locator(f'canvas[data-picture="{name}"]').evaluate(
        """canvas => [...canvas.getContext('2d')
          .getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 == 0)"""
    )


def handle(page: Page, label: str) -> Locator:
    """Slider whose name begins with a word."""
    return page.get_by_role("slider", name=re.compile(rf"^{label}( |$)"))


def menu(page: Page, label: str) -> Locator:
    return page.get_by_role("combobox", name=label, exact=True)


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a menu; the meaning of a method may be left out."""
    texts = [text + ":" for text in menu(page, label).locator("option").all_inner_texts()]
    (place,) = (i for i, text in enumerate(texts) if text.startswith(option + ":"))
    menu(page, label).select_option(index=place)


def by_key(page: Page, handle: Locator, key: str = "ArrowRight") -> None:
    handle.focus()
    for _ in range(5):
        page.keyboard.press(key)


def by_pointer(page: Page, handle: Locator) -> None:
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2, steps=6)
    page.mouse.up()


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def upload(page: Page, path: Path | str) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(path)


def screenshot(page: Page, name: str) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=OUTPUT / f"{name}.jpg", type="jpeg", quality=72)


def record(**numbers: float) -> None:
    """Add to measured.json, and print (visible with `pytest -s`)."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    file = OUTPUT / "measured.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(known | numbers, indent=2) + "\n")
    print(f"\n{numbers}")
