"""Pages and their kernels: links, reloads, forged requests, and memory."""

from __future__ import annotations

import json

import psutil
import pytest
from browsers import TIMEOUT
from explorer_pages import (
    by_key,
    choose,
    handle,
    menu,
    open_page,
    open_tab,
    picture,
    record,
    slot,
    wait_for_restoration,
)
from kernel_processes import close, kernels, wait_for_kernels
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow


def test_copied_link_opens_the_same_state(page, browser, server, errors):
    choose(page, "method", "TV")
    choose(page, "radiograph", "built-in: field 1")
    by_key(page, handle(page, "σ"))
    open_tab(page, "Four panels")
    expect(slot(page, "caption-noisy")).to_contain_text("σ 12.5", timeout=TIMEOUT)
    page.wait_for_function(
        "location.hash.includes('sigma=12.5') && location.hash.includes('tab=four')"
    )
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(server[0])
    other = open_page(browser, link, errors)
    expect(slot(other, "caption-noisy")).to_contain_text("σ 12.5", timeout=TIMEOUT)
    expect(slot(other, "caption-restored")).to_contain_text("restored · TV", timeout=TIMEOUT)
    assert menu(other, "radiograph").input_value() == "built-in: field 1"
    expect(other.get_by_role("tab", name="Four panels")).to_have_attribute("aria-selected", "true")
    assert picture(other, "noisy") == picture(page, "noisy")
    close(other, server[1])
    assert errors == []


def test_reloaded_and_left_pages_keep_no_kernel(browser, server, errors):
    others = len(kernels(server[1]))
    page = open_page(browser, server[0], errors)
    for _ in range(10):
        page.reload()
        wait_for_restoration(page)
    wait_for_kernels(server[1], others + 1)
    # Left before the cells have been executed.
    page.goto(server[0], wait_until="commit")
    wait_for_kernels(server[1], others + 1)
    page.locator("#loading").wait_for()
    page.goto("about:blank")
    wait_for_kernels(server[1], others)
    page.close()
    assert errors == []


def test_kernel_is_ended_by_its_own_page_only(page, server):
    """The protection against requests that other sites forge is kept."""
    config = json.loads(page.locator("#jupyter-config-data").inner_text())
    address = f"{server[0]}voila/api/shutdown/{config['kernelId']}"
    assert page.request.post(address).status == 403
    assert page.request.post(address, form={"_xsrf": "forged"}).status == 403
    assert kernels(server[1])
    by_key(page, handle(page, "σ"))
    wait_for_restoration(page)


def test_a_thousand_changes_leak_no_memory(page, server):
    wait_for_kernels(server[1], 1)
    processes = kernels(server[1])
    moves(page, 100)
    before = memory(page, processes)
    moves(page, 1000)
    after = memory(page, processes)
    growth = {name: round(after[name] / before[name] - 1, 4) for name in before}
    record(**{f"memory_growth_{name}": value for name, value in growth.items()})
    assert growth["kernel"] < 0.05
    # The browser frees memory at its own times; one leaked picture per change would be 600 MB.
    assert after["browser"] - before["browser"] < 30e6


def moves(page: Page, count: int) -> None:
    handle(page, "η").focus()
    for step in range(count):
        page.keyboard.press("ArrowLeft" if step // 20 % 2 else "ArrowRight")
    wait_for_restoration(page)


def memory(page: Page, kernels: list[psutil.Process]) -> dict[str, float]:
    """Bytes used by the kernels and the page's script after garbage collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = page.evaluate("performance.memory.usedJSHeapSize")
    return {"kernel": sum(p.memory_info().rss for p in kernels), "browser": heap}
