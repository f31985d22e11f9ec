"""The explorer as a widget: controls, a canvas, and the reactions of one to the other."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbdcnn.data.source import Source
from xbdcnn.explorer import captions, drawing, panels
from xbdcnn.explorer.background import LatestOnly
from xbdcnn.explorer.canvas import Canvas
from xbdcnn.explorer.choices import (
    NO_METHOD,
    UPLOAD,
    Method,
    collect_images,
    collect_methods,
    read_upload,
)
from xbdcnn.explorer.control_panel import ControlPanel
from xbdcnn.explorer.followers import Followers
from xbdcnn.explorer.views import (
    SIDE,
    State,
    View,
    crop,
    denoise_state,
    histogram,
    middle_line,
    profile,
    region,
    simulate,
)
from xbdcnn.inference.zoo import ZOO

PAUSE = 0.1
"""Seconds without a change after which the restoration starts while a control is held, longer than
the time between two changes of a drag. On release it starts immediately."""


def explore(source: Source) -> Explorer:
    """Open the explorer on the radiographs of the package and a source's test images.

    The initial method is the balanced X-BDCNN if its weights are shipped, else none.
    """
    methods = collect_methods()
    favourite = ZOO["xbdcnn"].label
    method = favourite if favourite in methods else NO_METHOD
    return Explorer(collect_images(source), methods, State(method=method))


class Explorer:
    """The widget: pictures, controls, scores and curves.

    The noisy image and its scores follow every change immediately; the restoration runs in the
    background, `pause` seconds after the last change, and what depends on it follows. Pictures have
    fixed grey limits. Errors are shown in the widget.

    Args:
        images: clean radiographs by name, (H, W) float32 in [0, 1], see `collect_images`.
        methods: methods by label, see `collect_methods`.
        start: initial state; an empty image name selects the first of `images`.
        pause: seconds without a change before the restoration starts.
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
        # One worker per method, so that a fast method never waits for a slow one.
        self._workers: dict[str, LatestOnly] = defaultdict(lambda: LatestOnly(self._denoise))
        self._pause, self._drawing = pause, threading.RLock()
        # Black until the first state is shown.
        self._whole = self._clean = self._noisy = np.zeros((SIDE, SIDE), np.float32)
        self._place: tuple[tuple[int, int] | None, bool] = (None, False)
        self._view: View | None = None
        self.canvas = Canvas()
        self.panel = ControlPanel(self.canvas, start, images, methods)
        self.controls = self.panel.controls
        self.followers = Followers(self.canvas, self.panel, methods, self._drawing)
        self.canvas.show(texts=captions.WITH_CHESTS)
        # The initial pictures are complete when the notebook cell ends.
        self._current = self.state
        self._show_noise(self._current)
        self._denoise(self._current)
        self._observe()

    @property
    def state(self) -> State:
        """Current values of the controls, see `ControlPanel.state`."""
        return self.panel.state

    def wait(self) -> Explorer:
        """Block until the restoration of the current state is complete; return self."""
        for worker in list(self._workers.values()):
            worker.wait()
        self.followers.wait()
        return self

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.canvas)

    def _observe(self) -> None:
        self.panel.moved = self._moved
        self.canvas.observe(self._line_drawn, names="line")
        self.canvas.observe(self._released, names="held")
        self.canvas.requests |= {"upload": self._uploaded, "download": self._download}

    def _moved(self) -> None:
        """Show the noise of a changed state immediately, and request its restoration."""
        state = self.state
        # A browser that opens reports its slider's nearest step, which is not a change.
        if state != self._current:
            self._start(state)

    def _start(self, state: State) -> None:
        self._current = state
        self.followers.cancel()
        self._show_noise(state)
        self._workers[state.method].submit(state, 0.0 if self.canvas.held is False else self._pause)

    def _released(self, change: Mapping[str, Any]) -> None:
        if change["new"] is False:
            self._workers[self.state.method].skip_pause()

    def _line_drawn(self, change: object) -> None:
        with self._errors_shown(), self._drawing:
            self.canvas.show(texts={"profile": self._profile()})

    def _uploaded(self, name: str, buffers: list) -> None:
        """Add the file to the radiographs, replacing an earlier upload, and show it."""
        with self._errors_shown():
            image = read_upload(name, bytes(buffers[0]))
            kept = {n: old for n, old in self._images.items() if not n.startswith(UPLOAD)}
            self._images = kept | {UPLOAD + name: image}
            with self.panel.together():
                self.panel.offer(self._images)
                self.controls["image"].value = UPLOAD + name
                self.canvas.line = self.canvas.corner = None
            if self._whole is not image:  # an equal state, since the file has the same name
                self._start(self.state)

    def _download(self, *_: object) -> None:
        """Save the restored region in the browser, unless another is being restored."""
        with self._errors_shown(), self._drawing:
            if self._view is not None and self.canvas.downloadable:
                self.canvas.download(panels.file_name(self.state), drawing.png(self._view.restored))

    def _show_noise(self, state: State) -> None:
        with self._errors_shown(state), self._drawing:
            self.canvas.downloadable = False
            changed = self._change_region(state)
            self._noisy = simulate(self._clean, state)
            with_ssim = not self.canvas.held
            shown = panels.before_restoration(state, self._clean, self._noisy, with_ssim)
            pictures, texts = shown
            texts |= captions.region_texts(self._clean.shape == self._whole.shape)
            place = (*region(self._whole.shape, state.corner), *self._whole.shape)
            self.canvas.show(changed | pictures, texts | self._curves(), place)

    def _change_region(self, state: State) -> dict[str, NDArray[np.uint8]]:
        """Select the region of a state; return the pictures that changed."""
        whole = self._images[state.image]
        place = (state.corner, state.as_it_is)
        if whole is self._whole and place == self._place:
            return {}
        self._clean = crop(whole, state.corner)
        overview = {} if whole is self._whole else {"overview": drawing.overview(whole)}
        self._whole, self._place, self._view = whole, place, None
        return {"clean": panels.reference(state, self._clean)} | overview

    def _denoise(self, state: State) -> None:
        """Denoise a state and show it, unless the controls have changed meanwhile."""
        with self._errors_shown(state):
            if state != self.state:
                return
            started = time.perf_counter()
            clean = crop(self._images[state.image], state.corner)
            view = denoise_state(clean, simulate(clean, state), state, self._methods)
            with self._drawing:
                if state == self.state:
                    self._show(state, view, time.perf_counter() - started)

    def _show(self, state: State, view: View, seconds: float) -> None:
        self._view = view
        pictures, texts = panels.after_restoration(state, self._clean, view, seconds)
        self.canvas.show(pictures, texts | self._curves())
        self.canvas.downloadable = True
        self.followers.follow(state, self._clean, view, seconds)

    def _curves(self) -> dict[str, str]:
        """Profile and histogram of the pictures shown, with the last restoration of the region."""
        shares = {name: histogram(image) for name, image in self._shown_images().items()}
        return {"profile": self._profile(), "histogram": drawing.histogram_drawing(shares)}

    def _profile(self) -> str:
        line = self.canvas.line or middle_line(self._clean.shape)
        images = self._shown_images()
        return drawing.profile_drawing({name: profile(i, line) for name, i in images.items()})

    def _shown_images(self) -> dict[str, NDArray[np.float32]]:
        images = {"noisy": self._noisy, "clean": self._clean}
        if self._current.as_it_is:
            images = {"input": self._noisy}
        return images if self._view is None else images | {"restored": self._view.restored}

    @contextmanager
    def _errors_shown(self, state: State | None = None) -> Iterator[None]:
        """Show any error in the widget, since the front end would not display it.

        state: the state computed; its error is ignored if it is no longer the current one.
        """
        try:
            yield
        except Exception as error:
            with self._drawing:
                if state in (None, self.state):
                    self._show_error(error, erase=state is not None)

    def _show_error(self, error: Exception, erase: bool) -> None:
        """Show the error; erase: remove the pictures of an earlier state."""
        texts = {"message": captions.error_message(error)}
        black = np.zeros(self._clean.shape, np.uint8)
        pictures = dict.fromkeys(("restored", "residual"), black) if erase else {}
        self.canvas.show(pictures, texts | (captions.FAILED if erase else {}))
