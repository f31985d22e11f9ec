"""The explorer as a widget: controls, a stage to show things on, and what happens between them."""

from __future__ import annotations

import html
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbdcnn.data.source import Source
from xbdcnn.explorer import captions, drawing
from xbdcnn.explorer.background import LatestOnly
from xbdcnn.explorer.canvas import Canvas
from xbdcnn.explorer.choices import (
    NO_METHOD,
    Method,
    collect_images,
    collect_methods,
    read_upload,
)
from xbdcnn.explorer.controls import arrange, state_controls, upload_button
from xbdcnn.explorer.views import (
    SIDE,
    State,
    View,
    crop,
    histogram,
    middle_line,
    profile,
    quality,
    region,
    restore,
    simulate,
)
from xbdcnn.inference.zoo import ZOO
from xbdcnn.study.no_reference import whiteness

PAUSE = 0.1
"""Seconds without a move after which the restoration starts while a control is held; moves of a
drag come faster. On its release there is nothing to wait for."""

UPLOAD = "upload: "


def explore(source: Source) -> Explorer:
    """Open the explorer on the built-in radiograph and a source's test images.

    It starts with the balanced X-BDCNN if its weights are shipped, else without restoration.
    """
    methods = collect_methods()
    favourite = ZOO["xbdcnn"].label
    method = favourite if favourite in methods else NO_METHOD
    return Explorer(collect_images(source), methods, State(method=method))


class Explorer:
    """The widget: sliders and menus above, pictures, scores and curves below.

    Noise and its scores follow every move at once, the restoration follows in the background
    `pause` seconds after the last. Pictures are exchanged in place, with fixed grey limits.
    Whatever goes wrong is shown in the widget.

    Args:
        images: clean radiographs by name, (H, W) float32 in [0, 1], see `collect_images`.
        methods: methods by label, see `collect_methods`.
        start: the state to open with; an empty image name means the first of `images`.
        pause: seconds without a move before the restoration starts.
    """

    def __init__(
        self,
        images: Mapping[str, NDArray[np.float32]],
        methods: Mapping[str, Method],
        start: State | None = None,
        pause: float = PAUSE,
    ) -> None:
        start = start or State()
        start = start if start.image else replace(start, image=next(iter(images)))
        self._images, self._methods = dict(images), methods
        # One lane per method: a slow one that is under way never keeps a quick one waiting.
        self._lanes, self._pause = defaultdict(lambda: LatestOnly(self._restore)), pause
        self._drawing = threading.RLock()
        self._whole, self._corner = None, None
        self._clean, self._noisy, self._view = None, None, None
        self.controls, self.upload = state_controls(start, images, methods), upload_button()
        self.stage = Canvas()
        self.stage.corner = start.corner
        self.box = arrange(self.controls, self.upload, self.stage)
        self.stage.show(texts=captions.FIXED)
        # The first pictures are complete when the cell ends.
        self._followed = self.state
        self._show_noise(self._followed)
        self._restore(self._followed)
        self._observe()

    @property
    def state(self) -> State:
        """What the controls say now; eta as it is read beside its slider, with two decimals."""
        values = {name: control.value for name, control in self.controls.items()}
        # A browser moves the slider to the nearest of its steps, which are even in log eta.
        values["eta"] = round(values["eta"], 2)
        return State(**values, corner=self.stage.corner)

    def wait(self) -> Explorer:
        """Block until the restoration has caught up with the controls; returns itself."""
        for lane in list(self._lanes.values()):
            lane.wait()
        return self

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.box)

    def _observe(self) -> None:
        self.controls["image"].observe(self._image_chosen, names="value")
        for control in self.controls.values():
            control.observe(self._moved, names="value")
        self.stage.observe(self._moved, names="corner")
        self.stage.observe(self._line_drawn, names="line")
        self.stage.observe(self._released, names="held")
        self.upload.observe(self._uploaded, names="value")

    def _moved(self, change: object) -> None:
        """Follow a move at once with the noise, and ask for the restoration."""
        state = self.state
        # A browser that opens sends its slider's nearest step back, which is no move.
        if state == self._followed:
            return
        self._followed = state
        self._show_noise(state)
        self._lanes[state.method].ask(state, 0.0 if self.stage.held is False else self._pause)

    def _released(self, change: Mapping[str, Any]) -> None:
        if change["new"] is False:
            self._lanes[self.state.method].hurry()

    def _image_chosen(self, change: object) -> None:
        """Another radiograph starts with the region and the line in its middle."""
        self.stage.line = self.stage.corner = None

    def _line_drawn(self, change: object) -> None:
        with self._errors_shown(), self._drawing:
            self.stage.show(texts={"profile": self._profile()})

    def _uploaded(self, change: Mapping[str, Any]) -> None:
        """Offer the file among the radiographs, in the place of an earlier upload, and show it."""
        if not change["new"]:
            return
        file = change["new"][0]
        with self._errors_shown():
            image = read_upload(file["name"], bytes(file["content"]))
            kept = {n: old for n, old in self._images.items() if not n.startswith(UPLOAD)}
            self._images = kept | {UPLOAD + file["name"]: image}
            self.controls["image"].options = list(self._images)
            self.controls["image"].value = UPLOAD + file["name"]
        # Emptied, so that the same file can be chosen once more after it has been mended.
        self.upload.value = ()

    def _show_noise(self, state: State) -> None:
        with self._errors_shown(state), self._drawing:
            pictures = self._change_region(state)
            self._noisy = simulate(self._clean, state)
            pictures["noisy"] = drawing.indices(self._noisy)
            texts = captions.of_noise(state, float(self._clean.mean()))
            texts |= captions.of_region(self._clean.shape == self._whole.shape)
            texts["scores"] = drawing.quality_table(state, quality(self._noisy, self._clean))
            place = (*region(self._whole.shape, state.corner), *self._whole.shape)
            self.stage.show(pictures, texts | self._curves(), place)

    def _change_region(self, state: State) -> dict[str, NDArray[np.uint8]]:
        """Cut the region out; return the pictures of it that have changed."""
        whole = self._images[state.image]
        if whole is self._whole and state.corner == self._corner:
            return {}
        self._clean = crop(whole, state.corner)
        overview = {} if whole is self._whole else {"overview": drawing.overview(whole)}
        self._whole, self._corner, self._view = whole, state.corner, None
        return {"clean": drawing.indices(self._clean)} | overview

    def _restore(self, state: State) -> None:
        """Restore; nothing is done or shown for a state that the controls have left meanwhile."""
        with self._errors_shown(state):
            if state != self.state:
                return
            clean = crop(self._images[state.image], state.corner)
            view = restore(clean, simulate(clean, state), state, self._methods)
            with self._drawing:
                if state == self.state:
                    self._show(state, view)

    def _show(self, state: State, view: View) -> None:
        self._view = view
        pictures = {
            "restored": drawing.indices(view.restored),
            "residual": drawing.residual_indices(view.residual),
        }
        no_maps = dict.fromkeys(("eta", "sigma"), np.full((1, 1), 128, np.uint8))
        pictures |= no_maps if view.maps is None else drawing.level_indices(view.maps, state)
        texts = captions.of_restoration(state, view.maps is not None)
        texts["scores"] = drawing.quality_table(state, view.before, view.after, view.levels)
        texts["whiteness"] = drawing.whiteness_meter(whiteness(view.residual))
        self.stage.show(pictures, texts | self._curves())

    def _curves(self) -> dict[str, str]:
        """Profile and histogram of what is shown, the last restoration of this region included."""
        shares = {name: histogram(image) for name, image in self._shown_images().items()}
        return {"profile": self._profile(), "histogram": drawing.histogram_drawing(shares)}

    def _profile(self) -> str:
        line = self.stage.line or middle_line(self._clean.shape)
        images = self._shown_images()
        return drawing.profile_drawing({name: profile(i, line) for name, i in images.items()})

    def _shown_images(self) -> dict[str, NDArray[np.float32]]:
        images = {"noisy": self._noisy, "clean": self._clean}
        return images if self._view is None else images | {"restored": self._view.restored}

    @contextmanager
    def _errors_shown(self, state: State | None = None) -> Iterator[None]:
        """Show any error in the widget, since the front end would swallow it.

        state: what the work was for; an error of a state that has been left concerns nobody.
        """
        try:
            yield
        except Exception as error:
            with self._drawing:
                if state in (None, self.state):
                    self._show_error(error, wipe=state is not None)

    def _show_error(self, error: Exception, wipe: bool) -> None:
        """Say what happened; wipe what an earlier state has left in the place of the result."""
        text = html.escape(f"{type(error).__name__}: {error}")
        texts = {"message": f"<p><b>{text}</b></p>"}
        black = np.zeros((SIDE, SIDE) if self._clean is None else self._clean.shape, np.uint8)
        pictures = dict.fromkeys(("restored", "residual"), black) if wipe else {}
        self.stage.show(pictures, texts | (captions.FAILED if wipe else {}))
