"""Layout of picture figures: grids of axes, fixed grey scales, enlarged details, labels."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.plotting.style import ACCENT, new_figure

Zoom = tuple[int, int, int]
"""(top, left, size) in pixels of the square detail that is shown enlarged."""

Level = tuple[float, float]
"""(eta, sigma) in the paper's units."""

INSET = 0.46
"""Side of an enlarged detail as a fraction of its picture."""

GAP = 0.06
"""Inches between pictures."""

WIDTH, WIDEST_PANEL = 9.5, 3.4
"""Width of a figure, and the largest width of one picture, in inches."""

LINE = 0.15
"""Height in inches of a line of text beside a picture."""

CHARACTERS_PER_INCH = 12
"""Of text beside a picture; a little less than fits."""


def shared_aspect(images: Iterable[NDArray]) -> float:
    """Height / width of images of one size; XbdcnnError if their sizes differ."""
    shapes = {np.shape(image) for image in images}
    if len(shapes) != 1:
        raise XbdcnnError(
            f"images side by side must be of one size, got {sorted(shapes)}; crop them"
        )
    height, width = shapes.pop()
    return height / width


def picture_grid(
    rows: int, columns: int, aspect: float, title_lines: int = 1, label_lines: int = 0
) -> tuple[Figure, NDArray]:
    """Figure and axes (rows, columns) for pictures of one aspect ratio, `GAP` apart.

    title_lines: lines of text above the pictures; label_lines: lines of the row labels, for which
    a gutter separates the first column from the others, or 0 for no gutter.
    """
    head, gutter = LINE * (title_lines + 1), LINE * (label_lines + 1.3) * (label_lines > 0)
    panel = panel_width(columns, gutter)
    width = columns * panel + gutter + GAP * (columns - 1)
    height = rows * panel * aspect + (rows - 1) * GAP + head
    figure = new_figure(width, height)
    grid = np.empty((rows, columns), object)
    for row, column in np.ndindex(rows, columns):
        x = column * (panel + GAP) + (gutter if column else 0)
        y = height - head - (row + 1) * panel * aspect - row * GAP
        box = (x / width, y / height, panel / width, panel * aspect / height)
        grid[row, column] = hide_axes(figure.add_axes(box))
    return figure, grid


def panel_width(columns: int, gutter: float = 0.0) -> float:
    """Width in inches of one picture of `picture_grid`."""
    return min((WIDTH - gutter - GAP * (columns - 1)) / columns, WIDEST_PANEL)


def wrap_labels(labels: Iterable[str], inches: float) -> list[str]:
    """Break labels into lines no longer than `inches`; a method's "(as written)" stays together."""
    width = int(CHARACTERS_PER_INCH * inches)
    unbroken = (label.replace("(as ", "(as\N{NO-BREAK SPACE}") for label in labels)
    return [
        fill(label, width, break_long_words=False, break_on_hyphens=False) for label in unbroken
    ]


def count_lines(labels: Iterable[str]) -> int:
    """Number of lines of the longest label."""
    return max(label.count("\n") for label in labels) + 1


def hide_axes(axes: Axes) -> Axes:
    """Hide ticks, grid and frame."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return axes


def show(
    axes: Axes,
    image: NDArray,
    zoom: Zoom | None = None,
    enlarge: bool = True,
    frame: str = ACCENT,
    inset: float = INSET,
    **options: Any,
) -> AxesImage:
    """Show an image on a fixed scale, with the detail `zoom` framed and enlarged.

    The enlarged detail is in the lower corner on the side away from the frame; `inset` is its side
    as a fraction of the picture's.
    """
    defaults: dict[str, Any] = {"vmin": 0, "vmax": 1, "cmap": "gray", "interpolation_stage": "data"}
    options = defaults | options
    shown = hide_axes(axes).imshow(image, **options)
    if zoom is not None:
        top, left, size = zoom
        corner = (left - 0.5, top - 0.5)
        axes.add_patch(Rectangle(corner, size, size, fill=False, ec=frame, lw=1))
    if zoom is not None and enlarge:
        on_left = left + size / 2 > image.shape[1] / 2
        place = (0 if on_left else 1 - inset, 0, inset, inset)
        enlarged = hide_axes(axes.inset_axes(place, anchor="SW" if on_left else "SE"))
        detail = image[top : top + size, left : left + size]
        enlarged.imshow(detail, **(options | {"interpolation": "nearest"}))
        enlarged.spines[:].set(visible=True, color=frame, linewidth=1.2)
    return shown


def corner_label(axes: Axes, text: str) -> None:
    """Write small outlined text in the upper left corner of a picture."""
    outline = [withStroke(linewidth=2, foreground="black")]
    place: dict[str, Any] = {"transform": axes.transAxes, "va": "top"}
    axes.text(0.03, 0.97, text, size=7.5, color="white", path_effects=outline, **place)


def bottom_label(axes: Axes, x: float, text: str) -> None:
    """Write white text on a dark background at the lower edge of a picture."""
    box = {"boxstyle": "round,pad=0.35", "fc": "#0d0f12", "ec": "none", "alpha": 0.75}
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "center"}
    axes.text(x, 0.035, text, size=10, color="white", bbox=box, zorder=9, **place)
