"""Figures whose pictures keep their pixels: Fig. 2, details of every method, and the hero.

Such a figure is saved at its `native_dpi`, where each pixel of an image is one pixel of the file,
or a square of pixels. Displayed in a notebook it is smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.metrics import psnr, ssim
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.plotting.layout import (
    GAP,
    LINE,
    Level,
    Zoom,
    bottom_label,
    corner_label,
    count_lines,
    hide_axes,
    shared_aspect,
    show,
    wrap_labels,
)
from xbdcnn.plotting.style import MUTED, STYLE, NotebookFigure, new_figure, styled

FIGURE_2_LEVELS: tuple[Level, ...] = ((0.4, 10.0), (0.4, 15.0), (0.6, 10.0), (0.6, 15.0))
"""The noise levels of the paper's Fig. 2, column by column."""

ERROR_MAP = mpl.colormaps["RdBu_r"].resampled(21)

MAGNIFICATION = 3
"""Of the detail in the corner of each panel of Fig. 2."""

_MARGIN = 1e-4
"""Pixels by which axes are smaller than their picture: matplotlib rounds their size up, and a
picture of 512.0000001 pixels would be stretched to 513."""

_PANEL = 1.7
"""Width in inches of a panel of Fig. 2."""


def native_grid(
    rows: int,
    columns: int,
    shape: tuple[int, int],
    inches: float,
    title_lines: int = 0,
    label_lines: int = 0,
    scale: int = 1,
) -> tuple[NotebookFigure, NDArray]:
    """Figure and axes (rows, columns) for pictures of `shape` that keep their pixels.

    inches: approximate width of a picture; title_lines: lines of text above; label_lines: lines of
    the row labels, for which a gutter follows the first column; scale: pixels of the file along
    each pixel of a picture.
    """
    height, width = (scale * side for side in shape)
    dpi = max(round(width / inches), 1)
    head, gap = round(dpi * LINE * (title_lines + 1)) * (title_lines > 0), round(dpi * GAP)
    gutter = round(dpi * LINE * (label_lines + 1.3)) * (label_lines > 0)
    total_width = columns * width + (columns - 1) * gap + gutter
    total_height = rows * height + (rows - 1) * gap + head
    figure = new_figure(total_width / dpi, total_height / dpi)
    figure.native_dpi = dpi
    grid = np.empty((rows, columns), object)
    for row, column in np.ndindex(rows, columns):
        x = column * (width + gap) + (gutter if column else 0)
        y = total_height - head - (row + 1) * height - row * gap
        corner = (x / total_width, y / total_height)
        size = ((width - _MARGIN) / total_width, (height - _MARGIN) / total_height)
        grid[row, column] = hide_axes(figure.add_axes((*corner, *size)))
    return figure, grid


@styled
def figure_2(
    clean: NDArray,
    noisy: Mapping[Level, NDArray],
    restored: Mapping[str, Mapping[Level, NDArray]],
    zoom: Zoom,
) -> Figure:
    """Fig. 2: one radiograph at several noise levels, noisy and restored by each method.

    The first column has the clean reference and, below it, its detail at the size of a panel.

    Args:
        clean: reference (H, W) in [0, 1].
        noisy: noisy image by (eta, sigma), one column each, see `FIGURE_2_LEVELS`.
        restored: by method label, then by (eta, sigma); one row each, at least one.
        zoom: detail that every panel shows in a lower corner, enlarged by `MAGNIFICATION`.

    Raises:
        XbdcnnError: an image of one of the noise levels is missing, or their sizes differ.
    """
    rows, levels = {"noisy": noisy, **restored}, list(noisy)
    _require_levels(rows, levels)
    aspect = shared_aspect([clean, *(row[level] for row in rows.values() for level in levels)])
    labels = wrap_labels(rows, _PANEL * aspect)
    counts = (len(rows), len(levels) + 1)
    figure, grid = native_grid(*counts, clean.shape, _PANEL, 1, count_lines(labels))
    inset = MAGNIFICATION * zoom[2] / clean.shape[1]
    for axes, image in [(grid[0, 0], clean), *_cells(grid[:, 1:], rows, levels)]:
        show(axes, image, zoom, inset=inset)
        if axes is not grid[0, 0]:
            corner_label(axes, f"{psnr(image, clean):.1f} dB · {ssim(image, clean):.3f}")
    top, left, size = zoom
    show(grid[1, 0], clean[top : top + size, left : left + size], interpolation="nearest")
    _write_titles(grid, levels, labels)
    note = f"in each panel: PSNR · SSIM; enlarged: {MAGNIFICATION} ×"
    figure.text(0, -0.06 / figure.get_figheight(), note, size=7, va="top", color=MUTED)
    return figure


def _require_levels(rows: Mapping[str, Mapping[Level, NDArray]], levels: list[Level]) -> None:
    for label, images in rows.items():
        if missing := [level for level in levels if level not in images]:
            raise XbdcnnError(f"{label} lacks the noise level (eta, sigma) = {missing[0]}; add it")


def _cells(
    grid: NDArray, rows: Mapping[str, Mapping[Level, NDArray]], levels: list[Level]
) -> Iterator[tuple[Any, NDArray]]:
    """Yield pairs of axes and image, row by row."""
    for row, images in zip(grid, rows.values(), strict=True):
        yield from zip(row, (images[level] for level in levels), strict=True)


def _write_titles(grid: NDArray, levels: list[Level], labels: list[str]) -> None:
    """Write the noise levels above, the methods beside; remove the cells below the reference."""
    grid[0, 0].set_title("clean reference")
    for axes in grid[2:, 0]:
        axes.remove()
    for axes, (eta, sigma) in zip(grid[0, 1:], levels, strict=True):
        axes.set_title(f"η = {eta:g}, σ = {sigma:g}")
    for axes, label in zip(grid[:, 1], labels, strict=True):
        axes.set_ylabel(label, size=STYLE["axes.titlesize"])


@styled
def method_details(
    clean: NDArray, images: Mapping[str, NDArray], zoom: Zoom, limit: float = 8.0
) -> Figure:
    """The same detail of the clean image and of each method's, at twice its pixels, and errors.

    All details are shown from the darkest to the brightest value of the clean one. Below each is
    its signed error, image - clean; below that of the clean image is the complete image with the
    detail framed. PSNR is that of the complete image.

    Args:
        clean: reference (H, W) in [0, 1].
        images: noisy and restored images by label, each (H, W).
        zoom: the detail.
        limit: end of the colour scale of the errors in 8-bit grey levels.
    """
    shared_aspect([clean, *images.values()])
    top, left, size = zoom
    detail = (slice(top, top + size), slice(left, left + size))
    columns = -(-(len(images) + 1) // 2)
    figure, grid = native_grid(4, columns, (size, size), 8 / columns, scale=2)
    pairs = [pair for two in (grid[:2], grid[2:]) for pair in two.T]
    window = {"vmin": clean[detail].min(), "vmax": clean[detail].max()}
    show(pairs[0][0], clean[detail], **window)
    corner_label(pairs[0][0], "clean")
    show(pairs[0][1], clean, zoom, enlarge=False, interpolation="hanning")
    for (above, below), (label, image) in zip(pairs[1:], images.items(), strict=False):
        show(above, image[detail], **window)
        corner_label(above, f"{label}\n{psnr(image, clean):.2f} dB")
        error = GREY_LEVELS * (np.asarray(image, np.float64) - clean)[detail]
        shown = show(below, error, vmin=-limit, vmax=limit, cmap=ERROR_MAP)
    for axes in np.ravel(pairs[len(images) + 1 :]):
        axes.remove()
    _error_scale(figure, shown)
    return figure


def _error_scale(figure: Figure, shown: AxesImage) -> None:
    """Draw the colour scale of the errors below the figure."""
    height = figure.get_figheight()
    bar = figure.add_axes((0, -0.36 / height, 0.35, 0.11 / height))
    bar.set_title("error: image − clean (grey levels)", size=8)
    ticks = np.linspace(*shown.get_clim(), 5)
    figure.colorbar(shown, cax=bar, orientation="horizontal", extend="both", ticks=ticks)
    bar.grid(False)


@styled
def hero(clean: NDArray, noisy: NDArray, restored: NDArray) -> Figure:
    """A field of a radiograph (H, W): noisy, restored, clean, and what was removed.

    The last picture is the residual, noisy - restored, on a grey scale of three standard
    deviations of the noise on either side of zero. `save_figure` also writes each as a file.
    """
    shared_aspect([clean, noisy, restored])
    figure, (grid,) = native_grid(1, 4, clean.shape, 2.5)
    images = {"noisy": noisy, "restored": restored, "clean": clean, "removed": noisy - restored}
    limit = 3 * float(np.std(noisy - clean)) or 1.0
    figure.panels = {}
    for axes, (name, image) in zip(grid, images.items(), strict=True):
        has_score = name in ("noisy", "restored")
        label = f"{name} · {psnr(image, clean):.1f} dB" if has_score else name
        scale: dict[str, Any] = {"vmin": -limit, "vmax": limit} if name == "removed" else {}
        figure.panels[name] = (show(axes, image, **scale), label)
        bottom_label(axes, 0.5, label)
    return figure
