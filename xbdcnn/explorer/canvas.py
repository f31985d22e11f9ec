"""The part of the explorer in the browser: the scripts of the page, and their widget."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "page"

VIEWER = (
    "gestures",
    "pictures",
    "lens",
    "region",
    "display",
    "layout",
    "progress",
    "saving",
    "swipe",
    "tabs",
    "viewer",
    "controls",
    "address",
    "edits",
)
"""Modules of the page by name, each after those that it imports; `createViewer` is in "viewer"."""


def bundle(modules: Iterable[str]) -> str:
    """Return modules of the page as one script without imports and exports, in the given order.

    A widget and a page opened from a folder load one script only. Names must differ in all modules.
    """
    script = "\n".join((FOLDER / f"{name}.js").read_text("utf-8") for name in modules)
    without_imports = re.sub(r"^import \{[^}]*\} from [^;]*;\n", "", script, flags=re.M)
    return re.sub(r"^export ", "", without_imports, flags=re.M)


SCRIPT = bundle((*VIEWER, "widget")) + "\nexport default { render };\n"
STYLE = (FOLDER / "viewer.css").read_text("utf-8")

DIVERGING = ("eta", "sigma")
"""Pictures shown in blue, white and red; the others are shown in grey."""

Pictures = Mapping[str, NDArray[np.uint8]]


class Canvas(anywidget.AnyWidget):
    """Shows named pictures and texts, and receives what the user chooses and draws.

    Pictures are sent as messages, not as widget state, so that none is stored twice or saved in a
    notebook. A view that is opened later requests all of them again. `requests` has the functions
    for the other messages of the page, of (content, buffers), by the name of the message.
    """

    _esm = SCRIPT
    _css = STYLE
    fields: Any = traitlets.List().tag(sync=True)
    """Descriptions of the controls, see `Control.field`."""
    values = traitlets.Dict().tag(sync=True)
    """Values of the controls by name; the page sends changes as messages "edit"."""
    link = traitlets.Dict().tag(sync=True)
    """The state as text by name, which the page writes into its address."""
    accepted = traitlets.Unicode().tag(sync=True)
    """Endings of the files that can be uploaded."""
    downloadable = traitlets.Bool(False).tag(sync=True)
    tab = traitlets.Unicode("swipe").tag(sync=True)
    curve_seen = traitlets.Bool(False).tag(sync=True)
    """Whether the curve of PSNR against eta is in the window of the browser."""
    # Any, because the annotations of traitlets have no Tuple that may be None.
    line: Any = traitlets.Tuple(*[traitlets.Int()] * 4, default_value=None, allow_none=True)
    line.tag(sync=True)
    corner: Any = traitlets.Tuple(*[traitlets.Int()] * 2, default_value=None, allow_none=True)
    corner.tag(sync=True)
    held = traitlets.Bool(default_value=None, allow_none=True).tag(sync=True)
    """Whether a pointer or key is pressed in the explorer; None before the browser reports it."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: dict[str, NDArray[np.uint8]] = {}
        self.texts: dict[str, str] = {}
        self.region: tuple[int, ...] = (0, 0, 1, 1, 1, 1)
        self.requests: dict[str, Callable[[Any, list], None]] = {
            "ready": lambda *_: self._send_message(self.pictures, self.texts)
        }
        self.on_msg(self._answer)

    def show(
        self,
        pictures: Pictures | None = None,
        texts: Mapping[str, str] | None = None,
        region: tuple[int, ...] | None = None,
    ) -> None:
        """Replace the named pictures and texts, in one message; the others stay.

        pictures: (H, W) palette indices; one without pixels is erased. texts: HTML. region: (top,
        left, height, width) in the radiograph, followed by the radiograph's height and width.
        """
        pictures, texts = dict(pictures or {}), dict(texts or {})
        self.pictures |= pictures
        self.texts |= texts
        self.region = region or self.region
        self._send_message(pictures, texts)

    def download(self, name: str, content: bytes) -> None:
        """Save a PNG on the side of the browser."""
        self.send({"download": name}, [content])

    def _send_message(self, pictures: Pictures, texts: Mapping[str, str]) -> None:
        shapes = [
            {
                "name": name,
                "height": picture.shape[0],
                "width": picture.shape[1],
                "palette": "diverging" if name in DIVERGING else "grey",
            }
            for name, picture in pictures.items()
        ]
        buffers = [np.ascontiguousarray(picture).data for picture in pictures.values()]
        self.send({"pictures": shapes, "texts": texts, "region": self.region}, buffers)

    def _answer(self, widget: Any, content: Mapping[str, Any], buffers: list) -> None:
        for name in content.keys() & self.requests.keys():
            self.requests[name](content[name], buffers)
