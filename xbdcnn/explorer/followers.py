"""What follows a restoration in the background: the residual's reading, comparison and curve."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from xbdcnn.explorer.background import LatestOnly
from xbdcnn.explorer.canvas import Canvas
from xbdcnn.explorer.choices import Method
from xbdcnn.explorer.comparison import Comparison, Task
from xbdcnn.explorer.control_panel import ControlPanel
from xbdcnn.explorer.curve import PsnrCurve, Request, curve_methods
from xbdcnn.explorer.panels import Panels
from xbdcnn.explorer.reading import AnatomyReading
from xbdcnn.explorer.views import Image, State, View


@dataclass(frozen=True, eq=False)
class RestoredState:
    """A state with its clean region, its restoration, and the seconds that this took."""

    state: State
    clean: Image
    view: View
    seconds: float


class Followers:
    """Computes what depends on the restored state, the comparison and the curve only if in view.

    drawing: lock that is held while the canvas is changed.
    """

    def __init__(
        self,
        canvas: Canvas,
        panel: ControlPanel,
        methods: Mapping[str, Method],
        drawing: threading.RLock,
    ) -> None:
        self._canvas, self._panel, self._drawing = canvas, panel, drawing
        self._restored: RestoredState | None = None
        self._readings = AnatomyReading()
        self._reader = LatestOnly(self._read)
        self.comparison = Comparison(methods, self._show)
        self.curve = PsnrCurve(methods, lambda svg: self._show(Panels({}, {"psnr-curve": svg})))
        canvas.observe(self._update, names=["tab", "curve_seen"])
        for menu in panel.compared.values():
            menu.observe(self._update, names="value")

    def follow(self, state: State, clean: Image, view: View, seconds: float) -> None:
        """Start with what follows a restoration."""
        self._restored = RestoredState(state, clean, view, seconds)
        self._reader.submit(self._restored)
        self._update()

    def cancel(self) -> None:
        """Stop after the restoration that is being computed, since the state has changed."""
        if self._restored is not None:
            self._restored = None
            self._reader.submit(None)
            self.comparison.cancel()
            self.curve.request(None)

    def wait(self) -> None:
        """Block until reading and comparison are complete; the curve has its own `wait`."""
        self._reader.wait()
        self.comparison.wait()

    def _update(self, change: object = None) -> None:
        """Request what is in view for the present restoration."""
        if (restored := self._restored) is None:
            return
        state, clean = restored.state, restored.clean
        if self._canvas.tab == "compare":
            methods = self._panel.methods
            self.comparison.request(Task(state, clean, restored.view.noisy, methods))
        if self._canvas.curve_seen and not state.as_it_is:
            chosen = curve_methods(state.method, self._panel.methods)
            self.curve.request(Request(state, clean, chosen, restored.seconds))

    def _read(self, restored: RestoredState | None) -> None:
        if restored is not None:
            text = self._readings.text(restored.state, restored.clean, restored.view)
            if self._reader.is_newest(restored):
                self._show(Panels({}, {"anatomy": text}))

    def _show(self, panels: Panels) -> None:
        with self._drawing:
            self._canvas.show(*panels)
