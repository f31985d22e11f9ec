"""The chart of PSNR against eta as SVG, with the key of its methods as a list."""

from __future__ import annotations

import html
import math
from typing import NamedTuple

from xbdcnn.explorer.choices import NO_METHOD
from xbdcnn.explorer.views import ETA_LIMITS, State

Curves = dict[str, list[tuple[float, float]]]
"""(eta, PSNR in dB) by method."""

WIDTH, HEIGHT = 340, 168
LEFT, RIGHT, TOP, BOTTOM = 30, 332, 22, 150
MARKS = (0.1, 0.3, 1.0, 3.0, 10.0)


class Scale(NamedTuple):
    """Ends of the vertical axis in dB; eta is logarithmic between `ETA_LIMITS`."""

    low: float
    high: float

    def place(self, eta: float, psnr: float) -> str:
        """Return the coordinates "x,y" of a point."""
        first, last = map(math.log, ETA_LIMITS)
        x = LEFT + (math.log(eta) - first) / (last - first) * (RIGHT - LEFT)
        y = BOTTOM - (psnr - self.low) / (self.high - self.low) * (BOTTOM - TOP)
        return f"{x:.1f},{y:.1f}"


def scale_of(curves: Curves) -> Scale:
    """Return the multiples of 5 dB around all values."""
    values = [psnr for points in curves.values() for _, psnr in points]
    low = 5 * math.floor(min(values) / 5)
    return Scale(low, max(5 * math.ceil(max(values) / 5), low + 5))


def curve_drawing(curves: Curves, state: State, side: int | None) -> str:
    """Return the chart with a mark at the eta of the state; side: of the part of the region."""
    part = f", central {side} × {side} pixels" if side else ""
    title = f"PSNR (dB) against η at σ {state.sigma:.1f}{part}"
    scale = scale_of(curves)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f'<text x="{LEFT}" y="12">{title}</text>{_axes(scale)}{_lines(curves, scale)}'
        f'<path class="xb-now" d="M{scale.place(state.eta, scale.low)}V{TOP}"/></svg>'
        f'<ul class="xb-keys">{_keys(curves)}</ul>'
    )


def _axes(scale: Scale) -> str:
    levels = "".join(
        f'<text x="{LEFT - 4}" y="{y}" text-anchor="end">{level:.0f}</text>'
        for level, y in ((scale.high, TOP + 8), (scale.low, BOTTOM))
    )
    marks = "".join(
        f'<text x="{scale.place(eta, 0).split(",")[0]}" y="{BOTTOM + 14}" '
        f'text-anchor="middle">{eta:g}</text>'
        for eta in MARKS
    )
    return f'<path class="xb-axis" d="M{LEFT},{TOP}V{BOTTOM}H{RIGHT}"/>{levels}{marks}'


def _lines(curves: Curves, scale: Scale) -> str:
    return "".join(
        f'<path class="xb-psnr xb-psnr-{number}" '
        f'd="M{"L".join(scale.place(*point) for point in points)}"/>'
        for number, points in enumerate(curves.values())
    )


def _keys(curves: Curves) -> str:
    names = ("noisy" if method == NO_METHOD else html.escape(method) for method in curves)
    return "".join(f'<li class="xb-key-{number}">{name}</li>' for number, name in enumerate(names))
