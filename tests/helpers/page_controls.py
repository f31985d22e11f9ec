"""What a control of a page is, and whether it works, is large enough, and is in the list.

The controls themselves are in control_list.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from browsers import TIMEOUT
from playwright.sync_api import Locator, Page, expect

Act = Callable[[Locator], object]

SMALLEST = 24
"""Sides of a target in pixels that WCAG 2.2 requires (success criterion 2.5.8)."""

KEYS = {
    "slider": "arrow keys; Home and End",
    "combobox": "arrow keys, or the first letters of an option",
    "checkbox": "Space",
    "button": "Enter or Space",
    "tab": "arrow keys; Home and End",
    "spinbutton": "digits; arrow keys",
}
"""Keys of a control by its role."""

CHANGED = ""
"""Pattern of an effect that may be any text but the one before."""


class Control(NamedTuple):
    """A control, what operates it and what must then change in the page."""

    role: str
    name: str
    """The accessible name."""
    does: str
    operate: Act
    effect: dict[str, str]
    """By the kind and name of a reading, see `READINGS`: a pattern of the text read afterwards."""
    tab: str = "Before / after"
    """The tab in which the control is visible."""
    prepare: Act | None = None
    """Makes the state in which the control can be operated."""
    undo: Act | None = None
    """Returns to the state before."""
    label: str = ""
    """Name in the table of the book, if several controls have one line."""
    keys: str = ""
    """Keys, if they are not those of the role."""

    def locate(self, page: Page) -> Locator:
        """Return the control in a page."""
        return page.get_by_role(self.role, name=self.name, exact=True)


NOT_UNDONE = {"file", "copied", "slot caption-restored", "address corner"}
"""Readings that differ after `Control.undo`: the time of a restoration, a corner once chosen."""

READINGS = {
    "slot": 'name => document.querySelector(`[data-slot="${name}"]`).innerHTML',
    "picture": 'name => document.querySelector(`canvas[data-picture="${name}"]`).toDataURL()',
    "value": 'name => document.querySelector(`[name="${name}"]`).value',
    "address": "name => new URLSearchParams(location.hash.slice(1)).get(name)",
    "split": "() => document.querySelector('.xb-explorer').style.getPropertyValue('--xb-split')",
    "tab": "() => document.querySelector('.xb-explorer').dataset.tab",
    "display": "() => document.querySelector('.xb-display p').textContent",
    "filter": "() => getComputedStyle(document.querySelector('[data-picture=noisy]')).filter",
    "lenses": "() => document.querySelectorAll('.xb-lens:not([hidden])').length",
    "line": "() => document.querySelector('[data-frame=noisy] line').getAttribute('y1')",
    "copied": "async () => await navigator.clipboard.readText() === location.href",
}
"""What can be read from a page, as JavaScript."""


def read(page: Page, place: str, files: list[str]) -> str:
    """Return a reading of a page as text; files: names of the files that it has saved."""
    kind, _, name = place.partition(" ")
    return "; ".join(files) if kind == "file" else str(page.evaluate(READINGS[kind], name))


def check_effect(page: Page, control: Control, files: list[str]) -> None:
    """Operate a control; fail unless all that it must change has changed as described."""
    target = control.locate(page)
    if control.prepare:
        control.prepare(target)
    settle(page)
    before = {place: read(page, place, files) for place in control.effect}
    control.operate(target)
    for place, pattern in control.effect.items():
        wait(
            page,
            lambda place=place: read(page, place, files),
            lambda now, place=place, pattern=pattern: (
                now != before[place] and re.search(pattern, now) is not None
            ),
            f"{control.name}: {place} has to become {pattern or 'another'}",
        )
    if control.undo:
        control.undo(target)
        for place in control.effect.keys() - NOT_UNDONE:
            wait(
                page,
                lambda place=place: read(page, place, files),
                before[place].__eq__,
                f"{control.name}: {place} has to return",
            )


def settle(page: Page) -> None:
    """Wait until the pictures belong to the present state."""
    page.evaluate("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")
    expect(page.locator(".xb-waiting, .xb-compare:visible .xb-pending")).to_have_count(
        0, timeout=TIMEOUT
    )


def wait(
    page: Page, reading: Callable[[], str], holds: Callable[[str], bool], message: str
) -> None:
    """Wait until a reading is as it should be."""
    for _ in range(TIMEOUT // 50):
        if holds(now := reading()):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{message}, is {now[:200]}")


FOUND = """() => {
  const types = { range: "slider", number: "spinbutton", checkbox: "checkbox" };
  const tags = { BUTTON: "button", SELECT: "combobox" };
  const roleOf = (el) => el.getAttribute("role") ?? types[el.type] ?? tags[el.tagName];
  const labelOf = (el) => el.labels?.[0]?.textContent ?? el.textContent;
  const nameOf = (el) => el.getAttribute("aria-label") ?? labelOf(el).trim();
  const every = ["button", "input:not([type=file])", "select", "textarea", "summary",
    "[role=slider]", "[tabindex]"].join();
  return [...document.querySelectorAll(every)]
    .filter((el) => !el.closest("figure[hidden]"))
    .map((el) => `${roleOf(el)} ${nameOf(el)}`);
}"""
"""Role and name of all controls of a page; a file input is operated by its button."""


def controls_of(page: Page) -> list[str]:
    """Return the roles and names of all controls in a page, sorted."""
    return sorted(page.evaluate(FOUND))


TARGET = """el => {
  const box = el.getBoundingClientRect();
  if (el.getAttribute("role") === "slider") {
    const style = getComputedStyle(el, "::after");
    const sum = (...names) => names.reduce((total, name) => total + parseFloat(style[name]), 0);
    const across = sum("width", "paddingLeft", "paddingRight");
    return [box.left, box.right, across, sum("height", "paddingTop", "paddingBottom")];
  }
  const boxes = el.type === "checkbox" ? [box, el.labels[0].getBoundingClientRect()] : [box];
  const [left, top] = ["left", "top"].map((side) => Math.min(...boxes.map((b) => b[side])));
  const [right, bottom] = ["right", "bottom"].map((side) => Math.max(...boxes.map((b) => b[side])));
  return [left, right, right - left, bottom - top];
}"""
"""Left and right end of a control, and width and height of what a pointer has to hit."""

TOPMOST = """el => {
  const { left, top, width, height } = el.getBoundingClientRect();
  const hit = document.elementFromPoint(left + width / 2, top + height / 2);
  return el === hit || el.contains(hit) || hit.contains(el);
}"""
"""Whether nothing covers the middle of a control."""


def check_place(page: Page, control: Control) -> None:
    """Fail unless a control is visible, inside the page, not covered, and large enough."""
    target = control.locate(page)
    expect(target).to_be_visible(timeout=TIMEOUT)
    target.scroll_into_view_if_needed()
    left, right, across, height = target.evaluate(TARGET)
    assert left >= 0 and right <= page.evaluate("innerWidth"), (control.name, left, right)
    assert min(across, height) >= SMALLEST, (control.name, across, height)
    assert target.evaluate(TOPMOST), control.name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), control.name
