"""The part of the explorer that a browser draws: pictures, texts, a lens, a line and a region."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
SCRIPT, STYLE = ((FOLDER / f"canvas.{suffix}").read_text("utf-8") for suffix in ("js", "css"))

DIVERGING = ("eta", "sigma")
"""Pictures in blue, white and red; the others are grey."""


class Canvas(anywidget.AnyWidget):
    """Shows named pictures and texts, and says which line and region the user has drawn.

    What is shown travels as messages rather than as state of the widget: no picture is kept twice
    or written into a saved notebook. A view that opens later asks for everything once more.
    """

    _esm = SCRIPT
    _css = STYLE
    line = traitlets.Tuple(*[traitlets.Int()] * 4, default_value=None, allow_none=True)
    line.tag(sync=True)
    corner = traitlets.Tuple(*[traitlets.Int()] * 2, default_value=None, allow_none=True)
    corner.tag(sync=True)
    held = traitlets.Bool(default_value=None, allow_none=True).tag(sync=True)
    """Whether a pointer or key is down in the explorer; None while no browser has said so."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: dict[str, NDArray[np.uint8]] = {}
        self.texts: dict[str, str] = {}
        self.region = (0, 0, 1, 1, 1, 1)
        self.on_msg(self._asked)

    def show(
        self,
        pictures: Mapping[str, NDArray[np.uint8]] | None = None,
        texts: Mapping[str, str] | None = None,
        region: tuple[int, ...] | None = None,
    ) -> None:
        """Replace the named pictures and texts at once, in one message; the others stay.

        pictures: (H, W) palette indices; one without pixels is wiped. texts: HTML. region: (top,
        left, height, width) in the radiograph, followed by the radiograph's height and width.
        """
        pictures, texts = dict(pictures or {}), dict(texts or {})
        self.pictures |= pictures
        self.texts |= texts
        self.region = region or self.region
        self._tell(pictures, texts)

    def _tell(self, pictures: Mapping[str, NDArray[np.uint8]], texts: Mapping[str, str]) -> None:
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

    def _asked(self, widget: Any, content: Any, buffers: Any) -> None:
        """Answer a view that has just opened."""
        self._tell(self.pictures, self.texts)
