"""Up to three methods on the same noisy image, restored in the background one after the other."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn.explorer import drawing
from xbdcnn.explorer.background import LatestOnly
from xbdcnn.explorer.choices import Method
from xbdcnn.explorer.panels import Panels
from xbdcnn.explorer.views import Image, State, View, denoise_state

EMPTY = np.zeros((0, 0), np.uint8)

PENDING = '<b class="xb-pending">restoring …</b>'


@dataclass(frozen=True, eq=False)
class Task:
    """A state, its images (H, W) in [0, 1], and the methods by the name of their picture."""

    state: State
    clean: Image
    noisy: Image
    methods: Mapping[str, str]


class Result(NamedTuple):
    """Picture (H, W) of a restored image, without pixels after an error, and its caption."""

    picture: NDArray[np.uint8]
    caption: str


class Comparison:
    """Shows each restored image as soon as it is complete, and keeps those of the last state.

    show: receives pictures and texts. methods: functions by label.
    """

    def __init__(self, methods: Mapping[str, Method], show: Callable[[Panels], None]) -> None:
        self._methods, self._show = methods, show
        self._worker = LatestOnly(self._run)
        self._done: dict[State, Result] = {}
        self._clean: Image | None = None
        self._task: Task | None = None

    def request(self, task: Task) -> None:
        """Replace the comparison; the pictures of methods that are not restored yet are marked."""
        if task.clean is not self._clean:
            self._clean, self._done = task.clean, {}
        self._task = task
        self._show(self._begin(task))
        self._worker.submit(task)

    def cancel(self) -> None:
        """Stop after the method that is being applied, and mark the pictures as outdated."""
        if self._task is not None:
            self._worker.submit(None)
            names = [name for name, method in self._task.methods.items() if method]
            self._show(Panels({}, {f"caption-{name}": PENDING for name in names}))
            self._task = None

    def wait(self) -> None:
        """Block until the comparison is complete."""
        self._worker.wait()

    def _begin(self, task: Task) -> Panels:
        """Return the captions before the restoration, and empty pictures for "no method"."""
        empty = {name: EMPTY for name, method in task.methods.items() if not method}
        texts = {f"caption-{name}": "" for name in empty}
        for name, method in task.methods.items():
            if method and replace(task.state, method=method) not in self._done:
                texts[f"caption-{name}"] = PENDING
        return Panels(empty, texts)

    def _run(self, task: Task | None) -> None:
        """Restore by one method after the other until another task is requested."""
        if task is None:
            return
        states = {name: replace(task.state, method=m) for name, m in task.methods.items() if m}
        kept = {state: self._done[state] for state in states.values() if state in self._done}
        for name, state in states.items():
            if not self._worker.is_newest(task):
                return
            result = kept[state] = kept.get(state) or self._restore(task, state)
            if self._worker.is_newest(task):
                self._done = kept
                self._show(Panels({name: result.picture}, {f"caption-{name}": result.caption}))

    def _restore(self, task: Task, state: State) -> Result:
        """Return picture and caption of one method, or the message of its error."""
        started = time.perf_counter()
        try:
            view = denoise_state(task.clean, task.noisy, state, self._methods)
        except Exception as error:
            return Result(EMPTY, f"not restored: {html.escape(str(error))}")
        caption = scores_text(view, time.perf_counter() - started)
        return Result(drawing.indices(view.restored), caption)


def scores_text(view: View, seconds: float) -> str:
    """PSNR and SSIM of a restored image as HTML, without a clean reference only the seconds."""
    time_taken = f"{seconds:.1f} s"
    if view.after is None:
        return time_taken
    return f"<b>{view.after.psnr:.2f} dB</b> · SSIM {view.after.ssim:.3f} · {time_taken}"
