"""The table of all controls in docs/explorer_controls.md, and pictures with their numbers."""

from __future__ import annotations

import io
from pathlib import Path

from browsers import TIMEOUT
from control_list import EXPLORER, LIVE, STATIC
from page_controls import KEYS, Control, settle
from PIL import Image
from playwright.sync_api import Page, expect

PAGES = {"explorer": EXPLORER, "live page": LIVE, "precomputed states": STATIC}

LARGEST, WIDEST = 190_000, 1400
"""Bytes and width in pixels of a picture."""

BEGIN, END = "<!-- controls -->", "<!-- end of controls -->"
"""Markers around the table."""


def label(control: Control) -> str:
    """Return the name in the table."""
    return control.label or control.name


ROWS = list({label(control): control for control in (*EXPLORER, *LIVE)})
"""Names in the order of their numbers, from 1."""


def table() -> str:
    """Return Markdown: number, name, pages that have it, what it does and its keys."""
    lines = ["| | control | pages | what it does | keyboard |", "|---|---|---|---|---|"]
    for number, name in enumerate(ROWS, 1):
        control = next(c for c in (*EXPLORER, *LIVE) if label(c) == name)
        pages = [page for page, found in PAGES.items() if name in map(label, found)]
        where = "all" if len(pages) == len(PAGES) else ", ".join(pages)
        keys = control.keys or KEYS[control.role]
        lines.append(f"| {number} | {name} | {where} | {control.does} | {keys} |")
    return "\n".join(lines)


NUMBER = """(el, [number, part]) => {
  const box = el.getBoundingClientRect();
  if (!box.width || !el.closest(part)) return;
  const badge = document.createElement("b");
  badge.className = "number";
  badge.textContent = number;
  const left = Math.max(0, box.left + scrollX - 12);
  badge.style.cssText = `position: absolute; z-index: 9; left: ${left}px;
    top: ${box.top + scrollY - 5}px; padding: 0 4px; border-radius: 8px; background: #ffd400;
    color: #000; font: bold 12px/16px system-ui`;
  document.body.append(badge);
}"""
"""Draws a number at the upper left corner of an element."""


def numbered_view(page: Page, controls: list[Control], tab: str, part: str) -> Image.Image:
    """Return a picture of a part of the page in one tab, with the numbers of its controls."""
    page.get_by_role("tab", name=tab).click()
    settle(page)
    for caption in page.locator(".xb-compare:visible figcaption").all():
        expect(caption).to_contain_text("dB", timeout=TIMEOUT)
    page.mouse.move(0, 0)
    page.evaluate("() => (document.activeElement.blur(), scrollTo(0, 0))")
    for control in controls:
        for target in control.locate(page).all():
            target.evaluate(NUMBER, [ROWS.index(label(control)) + 1, part])
    box = page.locator(part).bounding_box()
    # Numbers stand in the margin, too.
    clip = {"x": box["x"] - 12, "width": box["width"] + 24}
    clip |= {"y": box["y"] - 6, "height": box["height"] + 6}
    content = page.screenshot(full_page=True, clip=clip)
    page.evaluate("document.querySelectorAll('b.number').forEach((badge) => badge.remove())")
    return Image.open(io.BytesIO(content)).convert("RGB")


def numbered_picture(page: Page, controls: list[Control], path: Path) -> None:
    """Write a JPEG of the page with numbered controls, and beside it the other views."""
    views = sorted({control.tab for control in controls})
    first = numbered_view(page, controls, views[0], ".xb-explorer")
    others = [numbered_view(page, controls, tab, ".xb-stage") for tab in reversed(views[1:])]
    width = max(view.width for view in others)
    height = max(first.height, sum(view.height for view in others))
    sheet = Image.new("RGB", (first.width + 16 + width, height), "white")
    sheet.paste(first, (0, 0))
    top = 0
    for view in others:
        sheet.paste(view, (first.width + 16, top))
        top += view.height
    path.parent.mkdir(parents=True, exist_ok=True)
    if sheet.width > WIDEST:
        sheet = sheet.resize((WIDEST, sheet.height * WIDEST // sheet.width))
    path.write_bytes(jpeg(sheet))


def jpeg(picture: Image.Image) -> bytes:
    """Encode a picture with the highest quality that needs at most `LARGEST` bytes."""
    for quality in range(80, 20, -6):
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=quality, optimize=True)
        if content.tell() <= LARGEST:
            return content.getvalue()
    raise AssertionError(f"a picture of {picture.size} needs more than {LARGEST} bytes")
