"""Frames per second while a slider is dragged, and the time of the restoration after it."""

from __future__ import annotations

import time
from statistics import median

import pytest
from browsers import TIMEOUT
from explorer_pages import choose, handle, record, slot, wait_for_restoration
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow


WATCH = """() => {
  const onPaint = (name, seen) => {
    const context = document.querySelector(`[data-picture=${name}]`).getContext('2d');
    const draw = context.putImageData;
    context.putImageData = (...all) => (seen(), draw.apply(context, all));
  };
  window.frames = 0;
  onPaint('noisy', () => (window.frames += 1));
  onPaint('restored', () => (window.restored = performance.now()));
  document.addEventListener('pointerup', () => (window.released = performance.now()), true);
}"""
"""Counts frames, and records the times of release and restoration, in the page."""


def test_drag_updates_noise_and_restoration_follows_the_release(page):
    choose(page, "method", "Successor (generalist)")
    expect(slot(page, "caption-restored")).to_contain_text("restored · Succ", timeout=TIMEOUT)
    page.evaluate(WATCH)
    rates, delays = zip(*(dragged(page, seconds=2) for _ in range(3)), strict=True)
    record(frames_per_second=round(median(rates), 1), seconds_to_restore=round(median(delays), 2))
    # Wide bounds, because the machine may be busy; the recorded numbers are the result.
    assert median(rates) > 0.3 and 0 < median(delays) < 20


def dragged(page: Page, seconds: float) -> tuple[float, float]:
    """Frames per second of a drag, and the seconds from its release to the last restoration."""
    track = handle(page, "σ").bounding_box()
    height = track["y"] + track["height"] / 2
    page.mouse.move(track["x"] + track["width"] * 0.2, height)
    page.mouse.down()
    started, before, step = time.perf_counter(), page.evaluate("frames"), 0
    while time.perf_counter() - started < seconds:
        step += 1
        page.mouse.move(track["x"] + track["width"] * (0.2 + step % 100 / 200), height)
        time.sleep(0.01)
    rate = (page.evaluate("frames") - before) / (time.perf_counter() - started)
    # A last change just before the release, since that of the loop may be restored already.
    page.mouse.move(track["x"] + 0.85 * track["width"], height)
    page.mouse.up()
    # The kernel may still be handling changes of the drag when the pointer is released.
    page.wait_for_function("window.restored > window.released")
    wait_for_restoration(page)
    return rate, page.evaluate("restored - released") / 1000
