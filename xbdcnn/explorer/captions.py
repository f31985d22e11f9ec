"""Texts beside the explorer's pictures, by the slot of the `Canvas` that shows them."""

from __future__ import annotations

from xbdcnn.explorer.drawing import CONVENTIONS, ETA_LIMIT, RESIDUAL_LIMIT, SIGMA_LIMIT
from xbdcnn.explorer.views import State, describe
from xbdcnn.inference.pretrained import Levels
from xbdcnn.noise import GREY_LEVELS

FIXED = {
    "caption-residual": (
        f"<b>residual</b> · noisy − restored, black −{RESIDUAL_LIMIT:.0f}, "
        f"white +{RESIDUAL_LIMIT:.0f} grey levels"
    ),
    "conventions": CONVENTIONS,
    "help": (
        "Point at a picture to enlarge the same detail in all four. Drag in a picture to draw the "
        "line of the profile, click for a horizontal line. By keyboard: Tab to a picture or to the "
        "region, then the arrow keys; Enter moves the line there."
    ),
}
"""Texts that do not depend on the state."""

STATIC_PAGE = FIXED | {
    "help": (
        "Point at a picture to enlarge the same detail in all four, or Tab to it and use the "
        "arrow keys. These states are precomputed; in the explorer itself (make explore) every "
        "slider position, radiograph and method can be chosen."
    ),
}
"""The same for the static page, which has no kernel."""

AS_IT_IS = {
    "sentence": (
        "The radiograph is restored as it is: no noise is added, and there is no clean reference. "
        "Methods that are given η and σ take those of the sliders."
    ),
    "caption-clean": "<b>no clean reference</b>",
    "caption-noisy": "<b>as it is</b> · no noise added",
}
"""Texts of a radiograph to which no noise is added."""

FAILED = {"caption-restored": "not restored, see the message above", "whiteness": ""}
"""Texts beside pictures that could not be computed."""


def noise_texts(state: State, mean: float) -> dict[str, str]:
    """Texts that follow a change of the state immediately; mean: of the clean region, in [0, 1]."""
    added = {
        "sentence": describe(state, GREY_LEVELS * mean),
        "caption-clean": "<b>clean</b> · g",
        "caption-noisy": f"<b>noisy</b> · f, η {state.eta:.2f}, σ {state.sigma:.1f}",
    }
    return (AS_IT_IS if state.as_it_is else added) | {
        "message": "",
        "caption-restored": f'<b class="xb-pending">restoring …</b> · {state.method}',
    }


def region_texts(whole: bool) -> dict[str, str]:
    """Caption of the overview; whole: the region is the whole radiograph."""
    hint = "the whole radiograph" if whole else "click or drag to move"
    return {"caption-overview": f"<b>region</b> · {hint}"}


def restoration_texts(
    state: State, levels: Levels | None, warning: str = "", seconds: float | None = None
) -> dict[str, str]:
    """Texts that follow when the restoration is complete.

    levels: estimated ones, if any. warning: of these levels. seconds: that the restoration took, if known.
    """
    maps = {
        "caption-eta": f"<b>η̂ / η</b> · ÷×{ETA_LIMIT}",
        "caption-sigma": f"<b>σ̂ − σ</b> · ±{SIGMA_LIMIT}",
        "maps-note": "Estimated levels: blue too low, white correct, red too high."
        + (f"<br><b>{warning}</b>" if warning else ""),
    }
    note = f"<b>{warning}</b>" if levels else "This method estimates no levels."
    none = {"caption-eta": "", "caption-sigma": "", "maps-note": note}
    part = f", strength {state.strength:.2f}" if state.strength < 1 else ""
    time = "" if seconds is None else f" · {seconds:.1f} s"
    restored = {"caption-restored": f"<b>restored</b> · {state.method}{part}{time}"}
    return restored | (maps if levels and not state.as_it_is else none)
