"""The controls together: their values in the page, in its address, and as a `State`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from xbdcnn.explorer.canvas import Canvas
from xbdcnn.explorer.choices import BUILT_IN, PACKAGED, UPLOAD
from xbdcnn.explorer.controls import (
    ACCEPTED,
    Control,
    comparison_menus,
    preset_menu,
    state_controls,
)
from xbdcnn.explorer.dose import PRESETS, preset_of
from xbdcnn.explorer.views import State


class ControlPanel:
    """Keeps the controls, the page and the address equal, and reports each change once.

    start: initial values, also those of a reset. moved: called after each change of the state, once
    for several values that change together.
    """

    def __init__(
        self,
        canvas: Canvas,
        start: State,
        images: Mapping[str, object],
        methods: Mapping[str, object],
    ) -> None:
        self.canvas, self._start = canvas, start
        self.controls = state_controls(start, images, methods)
        self.compared = comparison_menus(start, methods)
        self._preset = preset_menu(start)
        self._all: dict[str, Control] = {"preset": self._preset, **self.controls, **self.compared}
        self._first_values = self.values
        self._depth = 0
        self.moved: Callable[[], None] = lambda: None
        canvas.corner, canvas.accepted = start.corner, ACCEPTED
        self._send()
        self._observe()

    @property
    def state(self) -> State:
        """Current values of the controls; eta is rounded to two decimals, as beside its slider."""
        values = {name: control.value for name, control in self.controls.items()}
        # A browser moves the slider to its nearest step; the steps are uniform in log eta.
        values["eta"] = round(values["eta"], 2)
        return State(**values, corner=self.canvas.corner)

    @property
    def values(self) -> dict[str, Any]:
        """Values of all controls by name."""
        return {name: control.value for name, control in self._all.items()}

    @property
    def methods(self) -> dict[str, str]:
        """Methods that are compared by the name of their picture, "" for none."""
        return {name: menu.value for name, menu in self.compared.items()}

    def offer(self, images: Mapping[str, object]) -> None:
        """Replace the radiographs of the menu."""
        self.controls["image"].options = tuple(images)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Report several changes as one, at the end."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if not self._depth:
            self._preset.value = preset_of(self.state.eta, self.state.sigma)
            self._send()
            self.moved()

    def _observe(self) -> None:
        self.controls["image"].observe(self._image_chosen, names="value")
        self._preset.observe(self._preset_chosen, names="value")
        self.controls["image"].observe(self._send, names="options")
        for control in self._all.values():
            control.observe(self._changed, names="value")
        self.canvas.observe(self._changed, names="corner")
        self.canvas.requests["edit"] = self._edited
        self.canvas.requests["reset"] = self._reset
        self.canvas.requests["address"] = self._opened

    def _changed(self, change: object) -> None:
        if not self._depth:
            with self.together():
                pass

    def _image_chosen(self, change: Mapping[str, Any]) -> None:
        """Move the region and the line to the centre; an upload is first shown as it is."""
        self._depth += 1  # the change of the radiograph is reported after these
        self.canvas.line = self.canvas.corner = None
        self.controls["as_it_is"].value = change["new"].startswith(UPLOAD)
        self._depth -= 1

    def _preset_chosen(self, change: Mapping[str, Any]) -> None:
        if levels := PRESETS.get(change["new"]):
            with self.together():
                self.controls["eta"].value, self.controls["sigma"].value = levels

    def _edited(self, values: Mapping[str, Any], buffers: object) -> None:
        """Take the values that the user has changed, and let the page send the next ones."""
        try:
            with self.together():
                for name in values.keys() & self._all.keys():
                    self._all[name].accept(values[name])
        finally:
            self.canvas.send({"handled": True})

    def _reset(self, *_: object) -> None:
        """Return to the first state."""
        with self.together():
            for name in self._in_order():
                self._all[name].value = self._first_values[name]
            self.canvas.line, self.canvas.corner = None, self._start.corner

    def _opened(self, address: Mapping[str, str], buffers: object) -> None:
        """Take the state of a link; what is unknown here is ignored."""
        with self.together():
            for name in filter(address.__contains__, self._in_order()):
                self._all[name].accept(address[name])
            row, _, column = address.get("corner", "").partition(",")
            if row.isdecimal() and column.isdecimal():
                self.canvas.corner = int(row), int(column)

    def _in_order(self) -> list[str]:
        """Names of the controls, the radiograph first since its choice changes others."""
        return ["image", *(name for name in self._all if name not in ("image", "preset"))]

    def _send(self, *_: object) -> None:
        """Send the values and the description of the controls; equal ones are not sent again."""
        fields = [{"name": name, **control.field()} for name, control in self._all.items()]
        self.canvas.fields, self.canvas.values = fields, self.values
        self.canvas.link = self._link()

    def _link(self) -> dict[str, str]:
        """Return the state as text, without the name or the region of a file of the user."""
        values = self.values | {"eta": f"{self.state.eta:.2f}", "preset": ""}
        corner = self.canvas.corner
        values["corner"] = "" if corner is None else ",".join(map(str, corner))
        if not values["image"].startswith((BUILT_IN, PACKAGED)):
            values |= {"image": "", "corner": "", "as_it_is": ""}
        return {name: str(value) for name, value in values.items() if value not in ("", None)}
