"""The words around the explorer's pictures, by the slot of the stage that they fill."""

from __future__ import annotations

from xbdcnn.explorer.drawing import CONVENTIONS, ETA_LIMIT, RESIDUAL_LIMIT, SIGMA_LIMIT
from xbdcnn.explorer.views import State, describe
from xbdcnn.noise import GREY_LEVELS

FIXED = {
    "caption-clean": "<b>clean</b> · g",
    "caption-residual": (
        f"<b>residual</b> · noisy − restored, black −{RESIDUAL_LIMIT:.0f}, "
        f"white +{RESIDUAL_LIMIT:.0f} grey levels"
    ),
    "conventions": CONVENTIONS,
    "help": (
        "Point at a picture to enlarge a spot in all four. Drag in a picture to draw the profile's "
        "line, click for a line straight across. By keyboard: Tab to a picture or to the region, "
        "then the arrow keys; Enter puts the line there."
    ),
}
"""What never changes."""

STILL = FIXED | {
    "help": (
        "Point at a picture to enlarge a spot in all four, or Tab to it and use the arrow keys. "
        "These states were rendered beforehand; in the live explorer (make explore) every slider "
        "position, radiograph and method can be chosen."
    ),
}
"""The same on a page that has no kernel behind it."""

FAILED = {"caption-restored": "not restored, see the message above", "whiteness": ""}
"""What is said about pictures that could not be made."""


def of_noise(state: State, mean: float) -> dict[str, str]:
    """Everything that follows a move at once; mean: of the clean region, in [0, 1]."""
    return {
        "sentence": describe(state, GREY_LEVELS * mean),
        "message": "",
        "caption-noisy": f"<b>noisy</b> · f, η {state.eta:.2f}, σ {state.sigma:.1f}",
        "caption-restored": f"<b>restoring …</b> · {state.method}",
    }


def of_region(whole: bool) -> dict[str, str]:
    """What the small picture beside the four is good for."""
    hint = "all of the radiograph" if whole else "click or drag to move"
    return {"caption-overview": f"<b>region</b> · {hint}"}


def of_restoration(state: State, has_maps: bool) -> dict[str, str]:
    """Everything that follows once the restoration is there."""
    maps = {
        "caption-eta": f"<b>η̂ / η</b> · ÷×{ETA_LIMIT}",
        "caption-sigma": f"<b>σ̂ − σ</b> · ±{SIGMA_LIMIT}",
        "maps-note": "Estimated levels: blue too low, white right, red too high.",
    }
    none = {"caption-eta": "", "caption-sigma": "", "maps-note": "This method estimates no levels."}
    restored = {"caption-restored": f"<b>restored</b> · {state.method}"}
    return restored | (maps if has_maps else none)
