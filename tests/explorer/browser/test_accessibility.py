"""Rules of accessibility, names of sliders, and the order of the Tab key."""

from __future__ import annotations

import pytest
from browsers import TIMEOUT, serious_violations
from explorer_pages import (
    TABS,
    WIDTHS,
    by_key,
    choose,
    open_tab,
    slot,
    wait_for_restoration,
)
from playwright.sync_api import expect

from xbdcnn.explorer.canvas import SCRIPT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width", WIDTHS)
def test_no_serious_violation_of_accessibility_is_found(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for tab in TABS:
            open_tab(page, tab)
            assert serious_violations(page) == [], (scheme, tab)


def test_sliders_have_names_and_read_out_their_numbers(page):
    thumbs = page.get_by_role("slider")
    names = [thumb.get_attribute("aria-label") for thumb in thumbs.all()]
    divider = "divider between noisy and restored"
    noise = ["η (photons per grey level)", "σ (grey levels)", "strength"]
    assert names == [divider, None, None, None, "window", "level"]
    for name in noise:
        assert page.get_by_role("slider", name=name, exact=True).count() == 1
    eta = page.get_by_role("slider", name="η")
    expect(eta).to_have_attribute("aria-valuetext", "0.60")
    by_key(page, eta)
    expect(slot(page, "caption-noisy")).to_contain_text("η 0.68", timeout=TIMEOUT)
    expect(eta).to_have_attribute("aria-valuetext", "0.68")


def test_every_control_can_be_reached_by_tab(page):
    choose(page, "radiograph", "built-in: chest, larger")
    expect(slot(page, "caption-overview")).to_contain_text("drag", timeout=TIMEOUT)
    wait_for_restoration(page)
    open_tab(page, "Four panels")
    seen = []
    for _ in range(21):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
    text = "\n".join(seen)
    assert text.count('type="range"') == 5 and text.count("<select") == 3, text
    assert 'type="number"' in text and text.count('type="checkbox"') == 2
    assert text.count("<button") == 5
    assert text.count("data-frame=") == 4 and "data-region" in text


HOLD = """async (source) => {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const explorer = (await import(url)).default, sent = [];
  const field = (name) => ({ name, kind: 'number', label: name, min: 0, max: 9 });
  const state = { fields: ['a', 'b'].map(field), values: {}, link: {} };
  const model = {
    get: (name) => state[name] ?? null,
    set: (name, value) => name === 'held' && sent.push(value),
    save_changes() {}, send() {}, on() {}, off() {},
  };
  document.body.innerHTML = '<input id=outside><div></div>';
  const leave = explorer.render({ model, el: document.querySelector('div') });
  const at = (name) => document.querySelector(`#${name}, [name=${name}]`);
  const press = (name, type) => at(name).dispatchEvent(new Event(type, { bubbles: true }));
  const after = (act) => (sent.splice(0), act(), [...sent]);
  at('a').focus();
  return [
    after(() => (press('b', 'pointerdown'), at('b').focus())),
    after(() => press('outside', 'pointerup')),
    after(() => press('outside', 'pointerdown')),
    after(() => (press('a', 'keydown'), press('a', 'keydown'))),
    after(() => window.dispatchEvent(new Event('blur'))),
    after(() => (leave(), press('a', 'pointerdown'))),
  ];
}"""
"""Values of "held" that the script sends for presses, focus and releases in and outside of it."""


def test_control_is_held_until_its_release_despite_focus_changes(browser):
    page = browser.new_page()
    assert page.evaluate(HOLD, SCRIPT) == [[True], [False], [], [True], [False], []]
    page.close()
