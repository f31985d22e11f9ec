"""Sliders, menus and boxes of the explorer: their values, limits and descriptions for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import traitlets

from xbdcnn.explorer.choices import menu_text
from xbdcnn.explorer.dose import PRESETS, preset_of
from xbdcnn.explorer.views import ETA_LIMITS, SIGMA_LIMITS, State
from xbdcnn.inference.zoo import ZOO

ACCEPTED = ".png,.dcm,.dicom,.tif,.tiff,.jpg,.jpeg"

COMPARED = 3
"""Methods that are shown side by side."""


class Control(traitlets.HasTraits):
    """A value that the user chooses; `accept` takes a value from the page or from a link."""

    kind = ""
    value: Any = traitlets.Any()
    options: Any = traitlets.Tuple()
    description = traitlets.Unicode()
    place = traitlets.Unicode("controls")

    def field(self) -> dict[str, Any]:
        """Description for the script of the page, see `createControls` there, without its name."""
        return {"kind": self.kind, "label": self.description, "place": self.place}

    def accept(self, value: Any) -> None:
        """Set the value, which may be text; one that is not possible is ignored."""
        try:
            self.value = self.read(value)
        except (ValueError, TypeError, OverflowError, traitlets.TraitError):
            return

    def read(self, value: Any) -> Any:
        """Convert a value to the type of this control."""
        return value


class Slider(Control):
    """A number between `min` and `max`, or their powers of ten if it is logarithmic."""

    kind = "slider"
    value = traitlets.Float()
    min, max, step = traitlets.Float(), traitlets.Float(), traitlets.Float()
    digits = traitlets.Int()
    log = traitlets.Bool(False)
    note = traitlets.Unicode("")

    @traitlets.validate("value")
    def _clamp(self, proposal: Mapping[str, Any]) -> float:
        low, high = (10**end if self.log else end for end in (self.min, self.max))
        value = proposal["value"]
        return type(value)(min(max(value, low), high))

    def read(self, value: Any) -> float:
        """Convert to a finite number."""
        if not math.isfinite(number := float(value)):
            raise ValueError
        return number

    def field(self) -> dict[str, Any]:
        """Description with limits, step and digits, and the text below the slider, if any."""
        names = ("min", "max", "step", "digits", "log", "note")
        return super().field() | {name: getattr(self, name) for name in names}


class Number(Slider):
    """A whole number between `min` and `max`."""

    kind = "number"
    value = traitlets.Int()

    def read(self, value: Any) -> int:
        """Convert to a whole number."""
        return int(value)


class Menu(Control):
    """One of `options`; `texts` are shown instead of those that have one."""

    kind = "menu"
    value = traitlets.Unicode()
    texts = traitlets.Dict()

    @traitlets.validate("value")
    def _known(self, proposal: Mapping[str, Any]) -> str:
        if proposal["value"] not in self.options:
            raise traitlets.TraitError(f"{proposal['value']!r} is not an option")
        return proposal["value"]

    def field(self) -> dict[str, Any]:
        """Description with the options."""
        options = [{"value": name, "text": self.texts.get(name, name)} for name in self.options]
        return super().field() | {"options": options}


class Box(Control):
    """Whether a box is checked."""

    kind = "box"
    value = traitlets.Bool()

    def read(self, value: Any) -> bool:
        """Convert the text of a link."""
        return value is True or str(value) == "True"


def state_controls(
    start: State, images: Mapping[str, object], methods: Mapping[str, object]
) -> dict[str, Control]:
    """One labelled control per field of `State` except `corner`."""
    eta_ends = {"min": math.log10(ETA_LIMITS[0]), "max": math.log10(ETA_LIMITS[1])}
    sigma_ends = {"min": SIGMA_LIMITS[0], "max": SIGMA_LIMITS[1]}
    texts = {method: menu_text(method) for method in methods}
    return {
        "eta": Slider(
            description="η (photons per grey level)",
            **(eta_ends | {"step": 0.01, "digits": 2, "log": True, "note": "dose"}),
            value=start.eta,
        ),
        "sigma": Slider(
            description="σ (grey levels)", **sigma_ends, step=0.5, digits=1, value=start.sigma
        ),
        "method": Menu(
            description="method", options=tuple(methods), texts=texts, value=start.method
        ),
        "strength": Slider(
            description="strength", min=0, max=1, step=0.05, digits=2, value=start.strength
        ),
        "image": Menu(description="radiograph", options=tuple(images), value=start.image),
        "as_it_is": Box(description="as it is: add no noise", value=start.as_it_is),
        "seed": Number(description="seed", min=0, max=9999, value=start.seed),
    }


def preset_menu(start: State) -> Menu:
    """Menu of `dose.PRESETS`, with "" for levels that have no name."""
    return Menu(
        description="preset",
        options=("", *PRESETS),
        texts={"": "as chosen below"},
        value=preset_of(start.eta, start.sigma),
    )


def comparison_menus(start: State, methods: Mapping[str, object]) -> dict[str, Menu]:
    """Menus of the methods that are compared, by the name of their picture; "" for none."""
    favourites = (start.method, ZOO["generalist"].label, "BM3D", "TV", "NLM")
    known = list(dict.fromkeys(filter(methods.__contains__, favourites)))
    chosen = [*known, *[""] * COMPARED][:COMPARED]
    texts = {method: menu_text(method) for method in methods} | {"": "no method"}
    return {
        f"compare-{number}": Menu(
            description=f"method {number + 1}",
            place=f"compare-{number}",
            options=("", *methods),
            texts=texts,
            value=method,
        )
        for number, method in enumerate(chosen)
    }
