"""The noise explorer: move eta and sigma, watch a radiograph drown and be restored.

`Explorer` is a thin shell of ipywidgets around the pure functions of `xbdcnn.explorer.views`,
which are offered here too.
"""

from __future__ import annotations

import html
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import ipywidgets as widgets
import numpy as np
from numpy.typing import NDArray

from xbdcnn.data import Source
from xbdcnn.explorer.background import LatestOnly
from xbdcnn.explorer.views import (
    ETA_LIMITS,
    NO_METHOD,
    RESIDUAL_LIMIT,
    SIDE,
    SIGMA_LIMITS,
    Restorer,
    State,
    View,
    collect_images,
    collect_restorers,
    crop,
    describe,
    png,
    quality,
    quality_table,
    residual_png,
    restore,
    simulate,
)
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.zoo import ZOO

__all__ = [
    "Explorer",
    "State",
    "View",
    "collect_images",
    "collect_restorers",
    "crop",
    "describe",
    "explore",
    "restore",
    "simulate",
]

PAUSE = 0.2
"""Seconds without a move after which the restoration starts."""


def explore(source: Source) -> Explorer:
    """Open the explorer on the built-in radiograph and a source's test images.

    It starts with the balanced X-BDCNN if its weights are shipped, else without restoration.
    """
    restorers = collect_restorers()
    favourite = ZOO["xbdcnn"].label
    method = favourite if favourite in restorers else NO_METHOD
    return Explorer(collect_images(source), restorers, State(method=method))


class Explorer:
    """The widget: sliders and menus above, four pictures and a table of scores below.

    Noise and its scores follow every move at once, the restoration follows in the background
    `pause` seconds after the last. Pictures are exchanged in place, with fixed grey limits.
    Whatever goes wrong is shown in the widget.

    Args:
        images: clean radiographs by name, (H, W) float32 in [0, 1], see `collect_images`.
        restorers: methods by label, see `collect_restorers`.
        start: the state to open with; an empty image name means the first of `images`.
        pause: seconds without a move before the restoration starts.
    """

    def __init__(
        self,
        images: Mapping[str, NDArray[np.float32]],
        restorers: Mapping[str, Restorer],
        start: State | None = None,
        pause: float = PAUSE,
    ) -> None:
        start = start or State()
        self._start = start if start.image else replace(start, image=next(iter(images)))
        self._images, self._restorers = images, restorers
        self._background, self._drawing = LatestOnly(self._restore, pause), threading.Lock()
        self.controls = _controls(self._start, images, restorers)
        self.captions, self.pictures = _panels()
        self.sentence, self.message, self.table = (widgets.HTML() for _ in range(3))
        self.box = _arrange(self)
        # The first pictures are complete when the cell ends, so that a saved notebook has them.
        self._show_noise(self.state)
        self._restore(self.state)
        for control in self.controls.values():
            control.observe(self._moved, names="value")

    @property
    def state(self) -> State:
        """What the controls say now."""
        values = {name: control.value for name, control in self.controls.items()}
        return State(**values, corner=self._start.corner)

    def wait(self) -> Explorer:
        """Block until the restoration has caught up with the controls; returns itself."""
        self._background.wait()
        return self

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.box)

    def _moved(self, change: object) -> None:
        """Follow a move at once with the noise, and ask for the restoration."""
        self.message.value = ""
        self._show_noise(self.state)
        self._background.ask(self.state)

    def _show_noise(self, state: State) -> None:
        with self._errors_shown(state), self._drawing:
            clean = crop(self._images[state.image], state.corner)
            noisy = simulate(clean, state)
            self.pictures["clean"].value = png(clean)
            self.pictures["noisy"].value = png(noisy)
            self.sentence.value = describe(state, GREY_LEVELS * float(clean.mean()))
            self.table.value = quality_table(state, quality(noisy, clean))
            self.captions["restored"].value = f"restoring … ({state.method})"

    def _restore(self, state: State) -> None:
        """Restore; the result is dropped if the controls have moved on meanwhile."""
        with self._errors_shown(state):
            clean = crop(self._images[state.image], state.corner)
            view = restore(clean, simulate(clean, state), state, self._restorers)
            with self._drawing:
                if state == self.state:
                    self._show(state, view)

    def _show(self, state: State, view: View) -> None:
        self.pictures["restored"].value = png(view.restored)
        self.pictures["residual"].value = residual_png(view.residual)
        self.captions["restored"].value = f"restored ({state.method})"
        self.table.value = quality_table(state, view.before, view.after, view.levels)

    @contextmanager
    def _errors_shown(self, state: State) -> Iterator[None]:
        """Show any error in the widget, since the front end would swallow it."""
        try:
            yield
        except Exception as error:
            with self._drawing:
                if state == self.state:
                    self._show_error(error)

    def _show_error(self, error: Exception) -> None:
        text = html.escape(f"{type(error).__name__}: {error}")
        self.message.value = f'<p role="alert"><b>{text}</b></p>'
        self.captions["restored"].value = "not restored, see the message above"
        for name in ("restored", "residual"):
            self.pictures[name].value = png(np.zeros((SIDE, SIDE)))


def _controls(
    start: State, images: Mapping[str, object], restorers: Mapping[str, object]
) -> dict[str, widgets.ValueWidget]:
    """One labelled control per field of `State`, reachable with Tab and the arrow keys."""
    style = {"style": {"description_width": "initial"}}
    wide, narrow = ({"layout": widgets.Layout(width=width)} for width in ("490px", "320px"))
    return {
        "eta": widgets.FloatLogSlider(
            value=start.eta,
            min=math.log10(ETA_LIMITS[0]),
            max=math.log10(ETA_LIMITS[1]),
            step=0.01,
            readout_format=".2f",
            description="eta (photons per grey level)",
            **style,
            **wide,
        ),
        "sigma": widgets.FloatSlider(
            value=start.sigma,
            min=SIGMA_LIMITS[0],
            max=SIGMA_LIMITS[1],
            step=0.5,
            readout_format=".1f",
            description="sigma (grey levels)",
            **style,
            **wide,
        ),
        "image": widgets.Dropdown(
            options=list(images), value=start.image, description="radiograph", **style, **narrow
        ),
        "method": widgets.Dropdown(
            options=list(restorers), value=start.method, description="method", **style, **narrow
        ),
        "seed": widgets.BoundedIntText(
            value=start.seed, min=0, max=9999, description="seed", **style, **narrow
        ),
    }


def _panels() -> tuple[dict[str, widgets.HTML], dict[str, widgets.Image]]:
    """Four captions and four pictures, which stay the same objects whatever they show."""
    texts = {
        "clean": "clean",
        "noisy": "noisy",
        "restored": "",
        "residual": f"noisy − restored (black −{RESIDUAL_LIMIT:.0f}, white "
        f"+{RESIDUAL_LIMIT:.0f} grey levels)",
    }
    layout = {"width": f"{SIDE}px", "height": f"{SIDE}px"}
    captions = {name: widgets.HTML(text) for name, text in texts.items()}
    return captions, {
        name: widgets.Image(format="png", layout=layout, tooltip=f"{name} radiograph")
        for name in texts
    }


def _arrange(explorer: Explorer) -> widgets.VBox:
    """Everything on one page of at most 1024 pixels: 2 x 2 pictures, the table beside them."""
    eta, sigma, *menus = explorer.controls.values()
    panels = [
        widgets.VBox([explorer.captions[name], picture])
        for name, picture in explorer.pictures.items()
    ]
    grid = widgets.GridBox(panels, layout={"grid_template_columns": f"{SIDE + 4}px {SIDE + 4}px"})
    side = widgets.VBox([explorer.table], layout={"width": "215px"})
    rows = [widgets.HBox([eta, sigma]), widgets.HBox(menus), explorer.sentence, explorer.message]
    return widgets.VBox([*rows, widgets.HBox([grid, side])], layout={"max_width": "1024px"})
