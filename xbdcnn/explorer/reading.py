"""Whether a residual contains anatomy, compared with what noise alone gives."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from xbdcnn.explorer.views import Image, State, View, simulate
from xbdcnn.study.no_reference import correlation_with_anatomy

DRAWS = 8
"""Draws of the noise that give the range of the correlation without removed anatomy."""

KEPT = 64
"""Ranges that are kept at most."""

Range = tuple[float, float]

PENDING = "<p>Anatomy removed? …</p>"
"""Text until the reading of a restoration is complete, in the place of an earlier one."""


class AnatomyReading:
    """Reads residuals, and keeps the range of noise alone for the last regions and noise levels."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[str, State], Range] = {}

    def text(self, state: State, clean: Image, view: View) -> str:
        """Sentence on the anatomy in the residual, as HTML.

        The correlation of the residual with the fine structure of the clean image is compared with
        that of `DRAWS` other draws of the true noise. A further draw of noise alone is outside of
        their range in 2 of `DRAWS` + 1 cases. Without a clean reference no statement is made.
        """
        if state.as_it_is:
            return "<p>Anatomy removed? <b>Unknown</b> without a clean reference.</p>"
        if not view.residual.any():
            return ""
        found = correlation_with_anatomy(view.residual, clean)
        return _sentence(found, *self._range(clean, replace(state, method="", strength=1.0)))

    def _range(self, clean: Image, state: State) -> Range:
        """Return `noise_range`, computed once for each image and state."""
        key = (hashlib.sha256(clean.tobytes()).hexdigest(), state)
        if key not in self._ranges:
            if len(self._ranges) == KEPT:
                self._ranges.clear()
            self._ranges[key] = noise_range(clean, state)
        return self._ranges[key]


def noise_range(clean: Image, state: State) -> Range:
    """Smallest and largest correlation of the true noise with the clean image in `DRAWS` draws."""
    found = []
    for number in range(1, DRAWS + 1):
        noise = simulate(clean, replace(state, seed=state.seed + number)) - clean
        found.append(correlation_with_anatomy(noise, clean))
    return min(found), max(found)


def _sentence(found: float, low: float, high: float) -> str:
    verdict, remark = "not more than chance", "no removed structure can be shown"
    if found > high:
        verdict, remark = "yes", "fine structure of the clean image is in the residual"
    elif found < low:
        verdict, remark = "no, the reverse", "fine structure was amplified"
    return (
        f"<p>Anatomy removed? <b>{verdict}</b>: {remark}.<br><small>Correlation of the residual "
        f"with the fine structure of the clean image {found:+.3f}; noise alone {low:+.3f} to "
        f"{high:+.3f} in {DRAWS} draws, outside of which chance is in 2 of {DRAWS + 1} cases"
        "</small></p>"
    )
