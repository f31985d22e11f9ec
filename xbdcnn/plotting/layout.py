"""Building blocks of picture figures: grids without gaps, fixed grey scales, enlarged details."""

from __future__ import annotations

from collections.abc import Iterable
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
"""(top, left, size) in pixels of the square that is shown enlarged."""

INSET = 0.46
"""Side of an enlarged detail as a part of its picture."""

GAP = 0.06
"""Inches between pictures."""


def shared_aspect(images: Iterable[NDArray]) -> float:
    """Height over width that all images share."""
    shapes = {np.shape(image) for image in images}
    if len(shapes) != 1:
        raise XbdcnnError(f"images of one size are needed side by side, got {sorted(shapes)}")
    height, width = shapes.pop()
    return height / width


def picture_grid(
    rows: int, columns: int, aspect: float, head: float, aside: int = 0, gutter: float = 0.0
) -> tuple[Figure, NDArray]:
    """Axes without gaps but `GAP`: the first `aside` columns stand apart by a gutter (inches)."""
    width = 9.5
    panel = min((width - gutter - GAP * (columns - 1)) / columns, 3.4)
    width = columns * panel + gutter + GAP * (columns - 1)
    height = rows * panel * aspect + (rows - 1) * GAP + head
    figure = new_figure(width, height)
    grid = np.empty((rows, columns), object)
    for row, column in np.ndindex(rows, columns):
        x = column * (panel + GAP) + (gutter if column >= aside else 0)
        y = height - head - (row + 1) * panel * aspect - row * GAP
        box = (x / width, y / height, panel / width, panel * aspect / height)
        grid[row, column] = bare(figure.add_axes(box))
    return figure, grid


def bare(axes: Axes) -> Axes:
    """Take ticks, grid and frame away."""
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
    **options: Any,
) -> AxesImage:
    """An image on a fixed scale, its detail framed and enlarged in the free lower corner."""
    options = {"vmin": 0, "vmax": 1, "cmap": "gray", "interpolation_stage": "data"} | options
    shown = bare(axes).imshow(image, **options)
    if zoom is not None:
        top, left, size = zoom
        corner = (left - 0.5, top - 0.5)
        axes.add_patch(Rectangle(corner, size, size, fill=False, ec=frame, lw=1))
    if zoom is not None and enlarge:
        on_left = left + size / 2 > image.shape[1] / 2
        place = (0 if on_left else 1 - INSET, 0, INSET, INSET)
        inset = bare(axes.inset_axes(place, anchor="SW" if on_left else "SE"))
        detail = image[top : top + size, left : left + size]
        inset.imshow(detail, **(options | {"interpolation": "nearest"}))
        inset.spines[:].set(visible=True, color=frame, linewidth=1.2)
    return shown


def stamp(axes: Axes, text: str) -> None:
    """Small legible text in the upper left corner of a picture."""
    outline = [withStroke(linewidth=2, foreground="black")]
    place = {"transform": axes.transAxes, "va": "top", "size": 7.5, "color": "white"}
    axes.text(0.03, 0.97, text, path_effects=outline, **place)


def plate(axes: Axes, x: float, text: str) -> None:
    """White text on a dark plate at the lower edge of a picture."""
    box = {"boxstyle": "round,pad=0.35", "fc": "#0d0f12", "ec": "none", "alpha": 0.75}
    place = {"transform": axes.transAxes, "ha": "center", "size": 10, "color": "white"}
    axes.text(x, 0.035, text, bbox=box, zorder=9, **place)
