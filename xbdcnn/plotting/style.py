"""The common style of all figures, and their output: small PNG and SVG with reproducible bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cbook import open_file_cm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.rcsetup import cycler
from matplotlib.transforms import Bbox

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn.plotting.method_styles import COLOURS
from xbdcnn.plotting.png import DISPLAY_LIMIT, PNG_LIMIT, compress_png, write_panels

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

Arguments = ParamSpec("Arguments")

INK, MUTED, FAINT, ACCENT = "#222222", "#6b6b6b", "#dddddd", "#E69F00"

STYLE: dict[RcKeyType, Any] = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.titlesize": 9.5,
    "axes.titlepad": 6,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=["#0072B2", "#D55E00", *list(COLOURS.values())[:4]]),
    "axes.grid": True,
    "grid.color": "#ebebeb",
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "image.cmap": "gray",
    "savefig.bbox": "tight",
    "savefig.pad_inches": 0.08,
    "svg.hashsalt": "xbdcnn",
}

_BY_SCALE = ("auto", "antialiased")
"""Names of the interpolation that depends on the scale of a picture."""

WATERMARK = "SMOKE TEST – not a result"


def use_style() -> None:
    """Make the project's style the default of all matplotlib figures from here on."""
    mpl.rcParams.update(STYLE)


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Apply the project's style to a drawing function, whatever the current settings are."""

    @wraps(draw)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapper


class CompressingCanvas(FigureCanvasAgg):
    """Writes a figure as a small PNG, wherever it is displayed."""

    def print_png(self, filename_or_obj: Any, *, metadata: Any = None, **_: Any) -> None:
        """Write PNG with the figure's label as "Description"; the signature is matplotlib's."""
        full = BytesIO()
        super().print_png(full)
        if label := self.figure.get_label():
            metadata = {"Description": label} | (metadata or {})
        with open_file_cm(filename_or_obj, "wb") as stream:
            stream.write(compress_png(full.getvalue(), DISPLAY_LIMIT, metadata or {}))


class NotebookFigure(Figure):
    """A figure that a notebook displays as the last value of a cell, independent of pyplot."""

    native_dpi: int | None = None
    """Resolution at which its pictures keep their pixels and at which it is saved; None for any."""

    panels: Mapping[str, tuple[AxesImage, str]] | None = None
    """Pictures, by name and with their labels, that `save_figure` also writes as single files."""

    def _repr_png_(self) -> bytes:
        stream = BytesIO()
        with mpl.rc_context(STYLE):
            self.savefig(stream, format="png")
        return stream.getvalue()


def new_figure(width: float, height: float, **options: Any) -> NotebookFigure:
    """Return an empty figure of a size in inches, which is not registered with pyplot."""
    figure = NotebookFigure(figsize=(width, height), **options)
    figure.set_canvas(CompressingCanvas(figure))
    return figure


def save_figure(
    figure: Figure,
    stem: Path | str,
    caption: str,
    facts: Mapping[str, Any],
    smoke: bool = False,
    svg: bool = False,
    dpi: int = 150,
) -> list[Path]:
    """Write `stem`.png, `stem`_<name>.png of `panels`, and `stem`.svg if asked; return the paths.

    A footer names profile and data. The files hold the caption as "Description", and the SVG also
    as its title; all facts are in "Source", as JSON. Equal figures and facts give equal bytes.
    The caption becomes the label of the figure, hence the "Description" of the picture that a
    notebook displays, which is the alternative text in the book. Nothing else of it changes.

    Args:
        figure: any matplotlib figure.
        stem: path without suffix; missing folders are created.
        caption: one or two sentences.
        facts: at least "profile" and "data"; other provenance goes to the metadata only.
        smoke: mark the picture as a smoke test.
        svg: also write SVG; meant for line drawings.
        dpi: resolution; lowered if the PNG would exceed `PNG_LIMIT`. The figure's `native_dpi`, if
            it has one, is used instead and kept.

    Raises:
        XbdcnnError: `caption` is empty, or "profile" or "data" is missing from `facts`.
    """
    if missing := {"profile", "data"} - facts.keys():
        raise XbdcnnError(f"{stem}: facts lack {', '.join(sorted(missing))}; add them")
    if not caption.strip():
        raise XbdcnnError(f"{stem}: the caption is empty; describe the figure in a sentence")
    figure.set_label(caption)
    text = {"Description": caption, "Source": json.dumps(facts, sort_keys=True, default=str)}
    stem = Path(stem)
    png = stem.with_name(stem.name + ".png")
    written = [png]
    with mpl.rc_context(STYLE), _footer_and_watermark(figure, facts, smoke):
        comment = {"Comment": WATERMARK} if smoke else {}
        with atomic_path(png) as temporary:
            temporary.write_bytes(_png_within_limit(figure, dpi, text | comment))
        written += write_panels(getattr(figure, "panels", None) or {}, stem, text | comment)
        if svg:
            written.append(stem.with_name(stem.name + ".svg"))
            with atomic_path(written[-1]) as temporary:
                metadata = text | {"Title": caption, "Date": None}
                figure.savefig(temporary, format="svg", metadata=metadata)
    return written


@contextmanager
def _footer_and_watermark(figure: Figure, facts: Mapping[str, Any], smoke: bool) -> Iterator[None]:
    """Add footer and watermark to the figure while it is being written."""
    width, height = figure.get_size_inches()
    note = f"profile {facts['profile']} · data {facts['data']}"
    # Below the canvas, where it covers nothing; the tight bounding box includes it.
    marks = [figure.text(0.995, -0.06 / height, note, size=7, color=MUTED, ha="right", va="top")]
    if smoke:
        angle = math.degrees(math.atan2(height, width))
        size = 3.4 * math.hypot(width, height)
        style: dict[str, Any] = {"ha": "center", "va": "center", "rotation": angle, "size": size}
        style |= {"weight": "bold", "color": "#D55E00", "alpha": 0.35, "zorder": 99}
        mark = figure.text(0.5, 0.5, WATERMARK, **style)
        mark.set_gid("smoke-watermark")
        mark.set_in_layout(False)
        marks.append(mark)
    try:
        yield
    finally:
        for mark in marks:
            mark.remove()


def _png_within_limit(figure: Figure, dpi: int, text: Mapping[str, str]) -> bytes:
    """Encode at `dpi`, reduced to no less than half of it if the file exceeds the limit."""
    if native_dpi := getattr(figure, "native_dpi", None):
        box = _box_of_whole_pixels(figure, native_dpi)
        with _without_interpolation(figure):
            full = _rendered(figure, native_dpi, bbox_inches=box)
        # 128 greys whatever the size: steps of two grey levels cannot be seen.
        return compress_png(full, 0, text, greys=(128,))
    for share in (1, 5 / 6, 2 / 3, 1 / 2):
        data = compress_png(_rendered(figure, share * dpi), PNG_LIMIT, text)
        if len(data) <= PNG_LIMIT:
            break
    return data


def _rendered(figure: Figure, dpi: float, **options: Any) -> bytes:
    """Draw as PNG without compression; the figure keeps its canvas."""
    canvas, stream = figure.canvas, BytesIO()
    try:
        FigureCanvasAgg(figure).print_figure(stream, format="png", dpi=dpi, **options)
    finally:
        figure.set_canvas(canvas)
    return stream.getvalue()


def _box_of_whole_pixels(figure: Figure, dpi: int) -> Bbox:
    """Box in inches around everything drawn, whose edges are edges of pixels of the figure."""
    box = figure.get_tightbbox().padded(STYLE["savefig.pad_inches"])
    return Bbox([np.floor(box.min * dpi) / dpi, np.ceil(box.max * dpi) / dpi])


@contextmanager
def _without_interpolation(figure: Figure) -> Iterator[None]:
    """Draw pictures meanwhile without the interpolation that matplotlib would choose."""
    pictures = [p for p in figure.findobj(AxesImage) if p.get_interpolation() in _BY_SCALE]
    try:
        for picture in pictures:
            picture.set_interpolation("nearest")
        yield
    finally:
        for picture in pictures:
            picture.set_interpolation("auto")
