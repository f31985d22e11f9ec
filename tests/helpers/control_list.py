"""All controls of the explorer, of the live page and of the page of precomputed states.

The tests operate each of them; docs/explorer_controls.md has their table, see control_table.py.
"""

from __future__ import annotations

import io

from browsers import TIMEOUT
from page_controls import CHANGED, Act, Control
from PIL import Image
from playwright.sync_api import Locator, expect

FOUR, COMPARE = "Four panels", "Compare"

NOISE = {"picture noisy": CHANGED, "picture restored": CHANGED}
"""The effect of other noise on the pictures."""


def press(key: str, times: int = 1) -> Act:
    """Return an act that presses a key several times."""

    def act(target: Locator) -> None:
        for _ in range(times):
            target.press(key)

    return act


def choose(value: str) -> Act:
    """Return an act that chooses from a menu."""
    return lambda target: target.select_option(value)


def other(role: str, name: str, act: Act) -> Act:
    """Return an act on another control of the same page."""
    return lambda target: act(target.page.get_by_role(role, name=name, exact=True))


def own_file(target: Locator) -> None:
    """Press a button that opens a file, and choose a small picture."""
    content = io.BytesIO()
    Image.linear_gradient("L").save(content, "PNG")
    with target.page.expect_file_chooser() as chooser:
        target.click()
    file = {"name": "mine.png", "mimeType": "image/png", "buffer": content.getvalue()}
    chooser.value.set_files(file)


def leave_first_state(target: Locator) -> None:
    """Set a strong noise, and wait for it."""
    target.page.get_by_role("slider", name="σ (grey levels)").press("End")
    caption = target.page.locator('[data-slot="caption-noisy"]')
    expect(caption).to_contain_text("σ 50.0", timeout=TIMEOUT)


def label_returns(target: Locator) -> None:
    """Wait until a button is no longer called "Copied"."""
    expect(target).to_be_visible(timeout=TIMEOUT)


full_range = other("button", "Full range", Locator.click)


def tab(name: str, start: str, key: str, does: str) -> Control:
    """Return a tab, opened while another one is."""
    return Control("tab", name, does, Locator.click, {"tab": key}, tab=start, label="tabs")


def frame(name: str, steps: int) -> Control:
    """Return a picture with its lens; steps: of the lens, so that the line moves each time."""

    def act(target: Locator) -> None:
        press("ArrowUp", steps)(target)
        target.press("Enter")

    return Control(
        "group",
        f"{name} picture: arrow keys move the lens, Enter moves the line there",
        "shows a lens in all four pictures; a click or a drag draws the line of the profile",
        act,
        {"lenses": "4", "line": CHANGED, "slot profile": CHANGED},
        tab=FOUR,
        label="picture",
        keys="arrow keys move the lens, Enter the line",
    )


def compared(number: int, method: str) -> Control:
    """Return a menu of the comparison."""
    place = f"compare-{number - 1}"
    return Control(
        "combobox",
        f"method {number}",
        "selects a method for the comparison, or none",
        choose(method),
        {f"picture {place}": CHANGED, f"slot caption-{place}": "dB"},
        tab=COMPARE,
        label="method 1 to method 3",
    )


SWIPE_TAB = tab("Before / after", FOUR, "swipe", "select the view of the pictures")
FOUR_TAB = tab(FOUR, "Before / after", "four", SWIPE_TAB.does)
DIVIDER = Control(
    "slider", "divider between noisy and restored",
    "moves the border of the two pictures; follows a pointer anywhere on them",
    press("ArrowRight"), {"split": "52%"}, undo=press("ArrowLeft"),
    label="divider", keys="arrow keys, 2 % each; Home and End",
)  # fmt: skip
TRUE_ERROR = Control(
    "checkbox", "true error", "shows restored − clean in the place of the residual",
    Locator.check, {"picture residual": CHANGED}, tab=FOUR, undo=Locator.uncheck,
)  # fmt: skip
FRAMES = [frame(name, i) for i, name in enumerate(("noisy", "restored", "clean", "residual"), 1)]
PRESET = Control(
    "combobox", "preset",
    "sets η and σ: a cell of Table II, an ordinary exposure or a quarter of it",
    choose("quarter dose"),
    {"slot dose": "25 % of an ordinary exposure", "slot caption-noisy": "η 1.96, σ 0.0", **NOISE},
)  # fmt: skip
ETA = Control(
    "slider", "η (photons per grey level)", "sets the number of photons, and so the dose",
    press("Home"), {"slot caption-noisy": "η 0.10", "slot dose": "^13 photons", **NOISE},
)  # fmt: skip
SIGMA = Control(
    "slider", "σ (grey levels)", "sets the electronic noise",
    press("End"), {"slot caption-noisy": "σ 50.0", **NOISE},
)  # fmt: skip
SEED = Control(
    "spinbutton", "seed", "selects one of 10,000 draws of the noise",
    lambda target: (target.fill("4"), target.press("Enter")), {"address seed": "^4$", **NOISE},
)  # fmt: skip
AS_IT_IS = Control(
    "checkbox", "as it is: add no noise", "restores the radiograph itself; then nothing is scored",
    Locator.check, {"slot caption-noisy": "no noise added", "picture clean": CHANGED, **NOISE},
    undo=Locator.uncheck,
)  # fmt: skip
REGION = Control(
    "group", "whole radiograph: click, drag or arrow keys move the region",
    "moves the region of a larger radiograph; follows a click or a drag",
    press("ArrowUp"), {"address corner": r"^\d+,\d+$", "picture clean": CHANGED, **NOISE},
    undo=press("ArrowDown"), label="region", keys="arrow keys, 32 pixels each",
)  # fmt: skip
WINDOW = Control(
    "slider", "window", "sets the range of grey levels from black to white, in the display only",
    press("Home"), {"display": "^Not the full range", "filter": "url"}, undo=full_range,
)  # fmt: skip
LEVEL = WINDOW._replace(name="level", does="sets the middle of this range")
FULL_RANGE = Control(
    "button", "Full range", "returns window and level to 0 to 255", Locator.click,
    {"display": "^Full range", "filter": "none"}, prepare=other("slider", "level", press("Home")),
)  # fmt: skip
DOWNLOAD = Control(
    "button", "Download restored", "saves the restored picture with 16 bits",
    Locator.click, {"file": r"\.png$"},
)  # fmt: skip
SAVE_VIEW = Control(
    "button", "Save view as PNG", "saves the pictures of the present tab as displayed",
    Locator.click, {"file": r"view\.png$"},
)  # fmt: skip
COPY_LINK = Control(
    "button", "Copy link", "copies the address of this state; never names a file of your own",
    Locator.click, {"copied": "True"}, undo=label_returns,
    prepare=lambda target: target.page.evaluate("navigator.clipboard.writeText('')"),
)  # fmt: skip
RESET = Control(
    "button", "Reset", "returns to the first state", Locator.click,
    {"slot caption-noisy": "η 0.60, σ 10.0", "picture noisy": CHANGED}, prepare=leave_first_state,
)  # fmt: skip


def opens_file(name: str, menu: str, undo: Act) -> Control:
    """Return the button that opens a file; menu: the chosen radiograph afterwards."""
    return Control(
        "button",
        name,
        "opens a file of your own, which does not leave this machine",
        own_file,
        {"value image": menu, "slot caption-noisy": "no noise added", "picture clean": CHANGED},
        undo=undo,
        label="Upload PNG or DICOM (live page: Open PNG, JPEG or DICOM)",
    )


def radiograph(value: str, undo: Act) -> Control:
    """Return the menu of radiographs, from which one is chosen."""
    effect = {"address image": value, "picture clean": CHANGED, **NOISE}
    does = "selects a radiograph, also a file that has been opened"
    return Control("combobox", "radiograph", does, choose(value), effect, undo=undo)


LARGER = "built-in: chest, larger"
choose_larger = other("combobox", "radiograph", choose(LARGER))

EXPLORER = [
    SWIPE_TAB,
    FOUR_TAB,
    tab(COMPARE, "Before / after", "compare", SWIPE_TAB.does),
    DIVIDER,
    TRUE_ERROR,
    *FRAMES,
    *(compared(number, method) for number, method in enumerate(("TV", "NLM", "TV"), 1)),
    PRESET,
    ETA,
    SIGMA,
    Control(
        "combobox", "method", "selects the network or the classical method", choose("NLM"),
        {"slot caption-restored": "restored</b> · NLM", "picture restored": CHANGED},
        undo=choose("TV"),
    ),
    Control(
        "slider", "strength", "sets the part of the residual that is removed", press("Home"),
        {"slot caption-restored": "strength 0.00", "picture restored": CHANGED}, undo=press("End"),
    ),
    radiograph("built-in: field 1", choose(LARGER)),
    AS_IT_IS,
    SEED,
    REGION,
    WINDOW,
    LEVEL,
    FULL_RANGE,
    opens_file("Upload PNG or DICOM", "^upload: mine.png$", choose_larger),
    DOWNLOAD,
    SAVE_VIEW,
    COPY_LINK,
    RESET,
]  # fmt: skip
"""Controls of the explorer; its page is opened with `EXPLORER_START`."""

EXPLORER_START = {"radiograph": LARGER, "method": "TV"} | {f"method {n}": "none" for n in (1, 2, 3)}
"""Chosen in the menus before, so that all controls are shown and restorations are fast."""

WHOLE = Control(
    "checkbox", "whole radiograph, reduced to 384 pixels",
    "shows the whole radiograph, or a region of it at full resolution", Locator.check,
    {"address reduced": "true", "picture clean": CHANGED, **NOISE}, undo=Locator.uncheck,
)  # fmt: skip
NEW_NOISE = Control(
    "button", "New noise", "draws other noise of the same strength: the next seed", Locator.click,
    {"value seed": r"^\d+$", **NOISE},
)  # fmt: skip

MASS = "ChestX-ray8: PA, Mass"


def choose_region(target: Locator) -> None:
    """Choose the larger radiograph, and show a region of it."""
    page = target.page
    page.get_by_role("combobox", name="radiograph").select_option(MASS)
    page.get_by_role("checkbox", name=WHOLE.name).uncheck()


LIVE = [
    SWIPE_TAB, FOUR_TAB, DIVIDER, TRUE_ERROR, *FRAMES, PRESET, ETA, SIGMA,
    radiograph("chest, a detail", choose_region), WHOLE, AS_IT_IS, SEED, REGION, WINDOW, LEVEL,
    FULL_RANGE, opens_file("Open PNG, JPEG or DICOM", "^own: mine.png", choose_region), NEW_NOISE,
    DOWNLOAD, SAVE_VIEW, COPY_LINK, RESET,
]  # fmt: skip
"""Controls of the live page; it is opened at `LIVE_START`."""

LIVE_START = "#reduced=false&image=ChestX-ray8%3A+PA%2C+Mass"

STATIC = [
    SWIPE_TAB, FOUR_TAB, DIVIDER,
    *(picture._replace(effect={"lenses": "4"}) for picture in FRAMES),
    ETA._replace(effect={"slot caption-noisy": "η 0.20", **NOISE}), SIGMA, WINDOW, LEVEL,
    FULL_RANGE, SAVE_VIEW, COPY_LINK, RESET,
]  # fmt: skip
"""Controls of the page of precomputed states, on which the line cannot be moved."""
