"""PSNR against eta for a few methods, computed in the background while nothing else is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from xbdcnn.explorer.background import LatestOnly
from xbdcnn.explorer.choices import NO_METHOD, Method
from xbdcnn.explorer.curve_chart import Curves, curve_drawing
from xbdcnn.explorer.views import Image, State, denoise_state, simulate

ETAS = (0.1, 0.25, 0.6, 1.5, 4.0, 10.0)

PAUSE = 1.0
"""Seconds without a change before the curve is computed."""

SLOW, SMALL_SIDE = 0.4, 128
"""Seconds of a restoration from which on only the central square of this side is evaluated."""

HIGHEST = 99.0
"""PSNR in dB that is shown for images without any error."""

CACHED = 4096
"""Points that are kept at most."""


@dataclass(frozen=True, eq=False)
class Request:
    """A state, its clean region (H, W) in [0, 1], the methods, and the seconds of a restoration."""

    state: State
    clean: Image
    methods: tuple[str, ...]
    seconds: float


class PsnrCurve:
    """Draws the curve point by point; a new request or `cancel` ends an earlier one.

    show: receives the SVG. methods: functions by label.
    """

    def __init__(self, methods: Mapping[str, Method], show: Callable[[str], None]) -> None:
        self._methods, self._show = methods, show
        self._worker = LatestOnly(self._run)
        self._points: dict[State, float] = {}
        self._place: tuple[object, int] = (None, 0)

    def request(self, request: Request | None, pause: float = PAUSE) -> None:
        """Compute a curve after a pause; None cancels the one that is being computed."""
        self._worker.submit(request, pause)

    def wait(self) -> None:
        """Block until the curve is complete."""
        self._worker.wait()

    def _run(self, request: Request | None) -> None:
        if request is None:
            return
        small = _central(request.clean) if request.seconds > SLOW else request.clean
        self._forget_other_regions(request.clean, small.shape[0])
        curves: Curves = {method: [] for method in request.methods}
        for eta in ETAS:
            for method in request.methods:
                if not self._worker.is_newest(request):
                    return
                state = replace(request.state, eta=eta, method=method)
                curves[method].append((eta, self._psnr(small, state)))
            side = SMALL_SIDE if small.shape != request.clean.shape else None
            self._show(curve_drawing(curves, request.state, side))

    def _forget_other_regions(self, clean: Image, side: int) -> None:
        if (clean is not self._place[0]) or side != self._place[1] or len(self._points) > CACHED:
            self._points.clear()
        self._place = (clean, side)

    def _psnr(self, clean: Image, state: State) -> float:
        if state not in self._points:
            view = denoise_state(clean, simulate(clean, state), state, self._methods)
            self._points[state] = math.nan if view.after is None else min(view.after.psnr, HIGHEST)
            time.sleep(0.02)  # let a change of the sliders go first
        return self._points[state]


def _central(image: Image) -> Image:
    top, left = (max(0, (length - SMALL_SIDE) // 2) for length in image.shape)
    return image[top : top + SMALL_SIDE, left : left + SMALL_SIDE]


def curve_methods(method: str, compared: Mapping[str, str]) -> tuple[str, ...]:
    """Methods of the curve, without repetitions: none, that of the state, the compared ones."""
    return tuple(dict.fromkeys(filter(None, (NO_METHOD, method, *compared.values()))))
