"""The part of the explorer drawn in the browser: pictures, texts, lens, line and region."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
SCRIPTS = ("controls.js", "gestures.js", "canvas.js")
SCRIPT = "\n".join((FOLDER / name).read_text("utf-8") for name in SCRIPTS)
STYLE = (FOLDER / "canvas.css").read_text("utf-8")

DIVERGING = ("eta", "sigma")
"""Pictures shown in blue, white and red; the others are shown in grey."""


class Canvas(anywidget.AnyWidget):
    """Shows named pictures and texts, and receives the line and the region that the user draws.

    Pictures are sent as messages, not as widget state, so that none is stored twice or saved in a
    notebook. A view that is opened later requests all of them again.
    """

    _esm = SCRIPT
    _css = STYLE
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
        self.on_msg(self._answer)

    def show(
        self,
        pictures: Mapping[str, NDArray[np.uint8]] | None = None,
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

    def _send_message(
        self, pictures: Mapping[str, NDArray[np.uint8]], texts: Mapping[str, str]
    ) -> None:
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

    def _answer(self, widget: Any, content: Any, buffers: Any) -> None:
        """Send everything to a view that has just been opened."""
        self._send_message(self.pictures, self.texts)
