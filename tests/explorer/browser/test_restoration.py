"""Noise, method and region change the pictures; results of an earlier state are dimmed."""

from __future__ import annotations

import re

import pytest
from browsers import TIMEOUT
from explorer_pages import (
    by_key,
    by_pointer,
    choose,
    handle,
    open_tab,
    picture,
    slot,
    wait_for_restoration,
)
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("label", ["η", "σ"])
def test_each_slider_moves_by_key_and_by_pointer(page, label):
    for move in (by_key, by_pointer):
        names = ("noisy", "restored", "residual")
        before = {name: picture(page, name) for name in ("clean", *names)}
        numbers = {name: slot(page, name).inner_text() for name in ("scores", "sentence")}
        move(page, handle(page, label))
        expect(slot(page, "sentence")).not_to_have_text(numbers["sentence"], timeout=TIMEOUT)
        wait_for_restoration(page)
        assert slot(page, "scores").inner_text() != numbers["scores"]
        assert picture(page, "clean") == before["clean"]
        assert all(picture(page, name) != before[name] for name in names)


def test_strength_changes_the_restoration_only(page):
    before = {name: picture(page, name) for name in ("noisy", "restored", "residual")}
    by_key(page, handle(page, "strength"), "ArrowLeft")
    expect(slot(page, "caption-restored")).to_contain_text("strength 0.75", timeout=TIMEOUT)
    changed = {name for name in before if picture(page, name) != before[name]}
    assert changed == {"restored", "residual"}


def test_method_and_seed_change_the_pictures(page):
    noisy = picture(page, "noisy")
    choose(page, "method", "TV")
    expect(slot(page, "caption-restored")).to_have_text(
        re.compile(r"^restored · TV · \d+\.\d s$"), timeout=TIMEOUT
    )
    assert picture(page, "noisy") == noisy
    assert "estimates no levels" in slot(page, "maps-note").inner_text()
    sentence, before = slot(page, "sentence").inner_text(), picture(page, "restored")
    page.locator('input[type="number"]').fill("7")
    page.keyboard.press("Tab")
    page.wait_for_function(
        "old => document.querySelector('[data-picture=noisy]').toDataURL() != old", arg=noisy
    )
    wait_for_restoration(page)
    assert picture(page, "restored") != before
    assert slot(page, "sentence").inner_text() == sentence


def opacity(page: Page, name: str) -> float:
    canvas = page.locator(f'canvas[data-picture="{name}"]')
    return float(canvas.evaluate("canvas => getComputedStyle(canvas).opacity"))


def test_results_of_an_earlier_state_are_dimmed_and_the_time_is_shown(page):
    choose(page, "method", "TV")
    expect(slot(page, "caption-restored")).to_contain_text("restored · TV", timeout=TIMEOUT)
    open_tab(page, "Four panels")
    before, shown = picture(page, "restored"), page.locator(".xb-progress:visible")
    assert opacity(page, "restored") == 1 and shown.count() == 0
    choose(page, "method", "GAT+BM3D")
    expect(slot(page, "caption-restored")).to_contain_text("restoring … · GAT+BM3D")
    expect(shown).to_have_count(2)
    assert picture(page, "restored") == before
    assert opacity(page, "restored") < 0.5 and opacity(page, "residual") < 0.5
    assert opacity(page, "noisy") == opacity(page, "clean") == 1
    seconds = shown.first.locator("[data-seconds]")
    expect(seconds).to_have_text(re.compile(r"^[1-9]\d*\.\d s$"), timeout=TIMEOUT)
    wait_for_restoration(page)
    expect(shown).to_have_count(0)
    assert picture(page, "restored") != before and opacity(page, "restored") == 1


def test_region_is_moved_by_click_and_by_key(page):
    choose(page, "radiograph", "built-in: chest, larger")
    expect(slot(page, "caption-overview")).to_contain_text("drag", timeout=TIMEOUT)
    wait_for_restoration(page)
    box = page.locator("[data-region] rect")
    assert float(box.get_attribute("x")) == float(box.get_attribute("y")) == 192
    clean = picture(page, "clean")
    page.locator("[data-region]").click(position={"x": 10, "y": 10})
    expect(box).to_have_attribute("x", "0", timeout=TIMEOUT)
    wait_for_restoration(page)
    assert picture(page, "clean") != clean
    page.keyboard.press("ArrowDown")
    expect(box).to_have_attribute("y", "32", timeout=TIMEOUT)
    expect(slot(page, "message")).to_be_empty()
