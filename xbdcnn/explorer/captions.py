"""Texts beside the explorer's pictures, by the slot of the `Canvas` that shows them."""

from __future__ import annotations

import html

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.sample import ATTRIBUTION
from xbdcnn.explorer.dose import CONVENTION, describe_dose
from xbdcnn.explorer.drawing import CONVENTIONS, ETA_LIMIT, RESIDUAL_LIMIT, SIGMA_LIMIT
from xbdcnn.explorer.views import State, describe
from xbdcnn.inference.pretrained import Levels
from xbdcnn.noise import GREY_LEVELS

FIXED = {
    "caption-residual": (
        f'<span class="xb-is-residual"><b>residual</b> · noisy − restored, ±{RESIDUAL_LIMIT:.0f}'
        f'</span><span class="xb-is-error"><b>true error</b> · restored − clean, '
        f"±{RESIDUAL_LIMIT:.0f}</span>"
    ),
    "conventions": CONVENTIONS,
    "dose-note": CONVENTION,
    "psnr-curve": "<p>PSNR against η follows when nothing else is computed.</p>",
    "help": (
        "Before / after: drag the divider, or move it by the arrow keys. Four panels: point at a "
        "picture to enlarge the same detail in all four; drag to draw the line of the profile, "
        "click for a horizontal line; by keyboard, Tab to a picture, then the arrow keys, and "
        "Enter moves the line there. The residual has fixed limits: black "
        f"−{RESIDUAL_LIMIT:.0f}, white +{RESIDUAL_LIMIT:.0f} grey levels."
    ),
}
"""Texts that do not depend on the state."""

WITH_CHESTS = FIXED | {
    "help": f"{FIXED['help']}<br>{html.escape(ATTRIBUTION, quote=False)}".replace("\n", ". ")
}
"""The same with the attribution of the radiographs of `data.CHESTS`."""

STATIC_PAGE = FIXED | {
    "psnr-curve": "",
    "help": (
        f"{FIXED['help']} These states are precomputed; in the explorer itself (make explore) "
        "every slider position, radiograph and method can be chosen."
    ),
}
"""The fixed texts of the static page, which has no kernel and shows no radiograph of `CHESTS`."""

AS_IT_IS = {
    "sentence": (
        "The radiograph is restored as it is: no noise is added, and there is no clean reference. "
        "Methods that are given η and σ take those of the sliders."
    ),
    "caption-clean": "<b>no clean reference</b>",
    "caption-noisy": "<b>as it is</b> · no noise added",
}
"""Texts of a radiograph to which no noise is added."""

FAR_ETA, FAR_SIGMA = 1.5, 5.0
"""Factor of eta and grey levels of sigma from which an error of the estimate is put into words."""

FAILED = {"caption-restored": "not restored, see the message above", "whiteness": "", "anatomy": ""}
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
        "dose": "" if state.as_it_is else describe_dose(state.eta),
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

    levels: estimated ones, if any. warning: of these levels. seconds: of the restoration, if known.
    """
    has_maps = levels is not None and not state.as_it_is
    part = f", strength {state.strength:.2f}" if state.strength < 1 else ""
    time = "" if seconds is None else f" · {seconds:.1f} s"
    return {
        "caption-restored": f"<b>restored</b> · {state.method}{part}{time}",
        "caption-eta": f"<b>η̂ / η</b> · ÷×{ETA_LIMIT}" if has_maps else "",
        "caption-sigma": f"<b>σ̂ − σ</b> · ±{SIGMA_LIMIT}" if has_maps else "",
        "maps-note": _maps_note(state, levels, warning),
    }


def _maps_note(state: State, levels: Levels | None, warning: str) -> str:
    if levels is None:
        return "This method estimates no levels."
    notes = [f"<b>{warning}</b>"] if warning else []
    if not state.as_it_is:
        legend = "Estimated levels: blue too low, white correct, red too high."
        notes = [legend, _estimation_error(state, levels), *notes]
    return "<br>".join(filter(None, notes))


def _estimation_error(state: State, levels: Levels) -> str:
    """Return a sentence on estimated levels that are far from the true ones, or ""."""
    ratio, difference = levels.eta / state.eta, levels.sigma - state.sigma
    if 1 / FAR_ETA < ratio < FAR_ETA and abs(difference) < FAR_SIGMA:
        return ""
    return (
        f"<b>The estimated η is {ratio:.1f} times the true one, the estimated σ differs by "
        f"{difference:+.1f} grey levels.</b> Methods with “η and σ given” show what that costs."
    )


def error_message(error: Exception) -> str:
    """Return the message of an error as HTML; only unexpected errors are named by their class."""
    text = str(error) if isinstance(error, XbdcnnError) else f"unexpected error: {error!r}"
    return f"<p><b>{html.escape(text)}</b></p>"
