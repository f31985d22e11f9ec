"""Figures of radiographs, such as Fig. 2, on a fixed grey scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.metrics import psnr, ssim
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.plotting.layout import (
    Zoom,
    bottom_label,
    corner_label,
    count_lines,
    panel_width,
    picture_grid,
    shared_aspect,
    show,
    wrap_labels,
)
from xbdcnn.plotting.style import ACCENT, MUTED, STYLE, new_figure, styled

Level = tuple[float, float]
"""(eta, sigma) in the paper's units."""

FIGURE_2_LEVELS: tuple[Level, ...] = ((0.4, 10.0), (0.4, 15.0), (0.6, 10.0), (0.6, 15.0))
"""The noise levels of the paper's Fig. 2, column by column."""

ERROR_MAP = mpl.colormaps["RdBu_r"].resampled(21)


@styled
def show_images(
    images: Mapping[str, NDArray], zoom: Zoom | None = None, limits: tuple[float, float] = (0, 1)
) -> Figure:
    """Radiographs (H, W) of one size, side by side, with titles.

    zoom: detail to show enlarged in a lower corner; limits: values shown as black and as white.
    """
    titles = wrap_labels(images, panel_width(len(images)))
    aspect = shared_aspect(images.values())
    figure, grid = picture_grid(1, len(images), aspect, count_lines(titles))
    for axes, title, image in zip(grid[0], titles, images.values(), strict=True):
        show(axes, image, zoom, vmin=limits[0], vmax=limits[1])
        axes.set_title(title)
    return figure


@styled
def figure_2(
    clean: NDArray,
    noisy: Mapping[Level, NDArray],
    restored: Mapping[str, Mapping[Level, NDArray]],
    zoom: Zoom,
) -> Figure:
    """Fig. 2: one radiograph at several noise levels, noisy and restored by each method.

    Args:
        clean: reference (H, W) in [0, 1].
        noisy: noisy image by (eta, sigma), one column each, see `FIGURE_2_LEVELS`.
        restored: by method label, then by (eta, sigma); one row each.
        zoom: detail that every panel shows enlarged in a lower corner.

    Raises:
        XbdcnnError: an image of one of the noise levels is missing.
    """
    rows = {"noisy": noisy, **restored}
    figure, grid = _reference_grid(clean, rows, zoom)
    for axes, image in _cells(grid, rows, noisy):
        show(axes, image, zoom)
        corner_label(axes, f"{psnr(image, clean):.1f} dB · {ssim(image, clean):.3f}")
    note = "in each panel: PSNR · SSIM"
    figure.text(0, -0.06 / figure.get_figheight(), note, size=7, va="top", color=MUTED)
    return figure


@styled
def error_maps(
    clean: NDArray,
    noisy: Mapping[Level, NDArray],
    restored: Mapping[str, Mapping[Level, NDArray]],
    zoom: Zoom,
    limit: float = 20.0,
) -> Figure:
    """Signed error restored - clean of every panel of `figure_2`.

    limit: end of the colour scale in 8-bit grey levels, the same for all panels.
    """
    rows = {"noisy": noisy, **restored}
    figure, grid = _reference_grid(clean, rows, zoom)
    for axes, image in _cells(grid, rows, noisy):
        error = GREY_LEVELS * (np.asarray(image, np.float64) - clean)
        shown = show(axes, error, zoom, vmin=-limit, vmax=limit, cmap=ERROR_MAP, frame="black")
    column, height = figure.axes[0].get_position(), figure.get_figheight()
    bar = figure.add_axes((column.x0, -0.36 / height, column.width, 0.11 / height))
    bar.set_title("restored − clean (grey levels)", size=8)
    figure.colorbar(shown, cax=bar, orientation="horizontal", extend="both")
    bar.grid(False)
    return figure


@styled
def noise_panel(clean: NDArray, noisy_by_level: Mapping[Level, NDArray]) -> Figure:
    """A clean radiograph and its noisy versions: eta increases to the right, sigma downwards.

    noisy_by_level: image (H, W) by (eta, sigma); panels of missing pairs are empty.
    """
    etas, sigmas = (sorted(set(values)) for values in zip(*noisy_by_level, strict=True))
    aspect = shared_aspect([clean])
    figure, grid = picture_grid(len(sigmas), len(etas) + 1, aspect, label_lines=1)
    for axes in grid[1:, 0]:
        axes.remove()
    show(grid[0, 0], clean)
    grid[0, 0].set_title("clean")
    for axes, eta in zip(grid[0, 1:], etas, strict=True):
        axes.set_title(f"η = {eta:g}")
    for row, sigma in zip(grid[:, 1:], sigmas, strict=True):
        row[0].set_ylabel(f"σ = {sigma:g}", size=STYLE["axes.titlesize"])
        for axes, eta in zip(row, etas, strict=True):
            if (eta, sigma) in noisy_by_level:
                show(axes, noisy_by_level[eta, sigma])
                corner_label(axes, f"{psnr(noisy_by_level[eta, sigma], clean):.1f} dB")
    return figure


@styled
def hero(clean: NDArray, noisy: NDArray, restored: NDArray, zoom: Zoom | None = None) -> Figure:
    """One radiograph as noisy, restored and clean thirds, and a detail of each version.

    zoom: detail to enlarge, half as wide as high; by default the hilum at the left of a frontal
        chest radiograph.
    """
    height, width = clean.shape
    top, left, size = zoom or (int(0.36 * height), int(0.3 * width), height // 4)
    figure = new_figure(10.67, 4.0, facecolor="#0d0f12")
    images = {"noisy": noisy, "restored": restored, "clean": clean}
    whole = figure.add_axes((0, 0, 4.0 / 10.67, 1))
    edges = np.linspace(0, width, 4).round().astype(int)
    parts = [image[:, a:b] for image, a, b in zip(images.values(), edges, edges[1:], strict=False)]
    detail = (slice(top, top + size), slice(left, left + size // 2))
    show(whole, np.concatenate(parts, axis=1), aspect="auto")
    for edge in edges[1:3]:
        whole.axvline(edge - 0.5, color="white", lw=1)
    frame = Rectangle((left - 0.5, top - 0.5), size // 2, size, fill=False, ec=ACCENT, lw=1.4)
    whole.add_patch(frame)
    for number, (label, image) in enumerate(images.items()):
        bottom_label(whole, (number + 0.5) / 3, label)
        axes = figure.add_axes(((4.12 + 2.19 * number) / 10.67, 0, 2.1 / 10.67, 1))
        show(axes, image[detail], aspect="auto", interpolation="nearest")
        axes.spines[:].set(visible=True, color=ACCENT, linewidth=1.4)
        bottom_label(
            axes, 0.5, label if image is clean else f"{label} · {psnr(image, clean):.1f} dB"
        )
    return figure


@styled
def residual_plot(noisy: NDArray, restored: NDArray, clean: NDArray) -> Figure:
    """The residual, noisy - restored, compared with the true noise, noisy - clean.

    From left to right: the residual, histograms in grey levels, and radial power spectra. The
    noise is white, hence its spectrum is flat; structure in the residual makes it uneven.
    """
    removed, noise = (GREY_LEVELS * (np.asarray(noisy, np.float64) - x) for x in (restored, clean))
    limit = 3 * float(noise.std()) or 1.0
    figure = new_figure(9.5, 2.9, layout="constrained")
    picture, histogram, spectrum = figure.subplots(1, 3, width_ratios=(1, 1.1, 1.1))
    shown = show(picture, removed, vmin=-limit, vmax=limit)
    picture.set_title("residual (noisy − restored)")
    bar = figure.colorbar(shown, ax=picture, shrink=0.8, extend="both", label="grey levels")
    bar.ax.grid(False)
    bins = np.linspace(-1.5 * limit, 1.5 * limit, 81)
    curves = (("true noise", noise, "#777777", 3.2), ("residual", removed, "#D55E00", 1.5))
    for label, values, colour, thickness in curves:
        style = {"color": colour, "lw": thickness, "label": label}
        histogram.hist(values.ravel(), bins, histtype="step", density=True, **style)
        spectrum.plot(*radial_spectrum(values), **style)
    histogram.set(title="histogram", xlabel="grey levels", ylabel="density")
    spectrum.set(title="radial power spectrum", xlabel="frequency (cycles per pixel)")
    spectrum.set(ylabel="power (grey levels²)", yscale="log", xlim=(0, 0.5))
    spectrum.legend(loc="lower right")
    return figure


def radial_spectrum(values: NDArray, bins: int = 40) -> tuple[NDArray, NDArray]:
    """P(k) = mean |FFT(values)|^2 / (H W) over rings of equal frequency, up to 0.5 per pixel.

    values: (H, W). Returns frequencies in cycles per pixel and powers, both (n,), n <= bins, of the
    rings that hold coefficients. The P of white noise equals its variance.
    """
    height, width = values.shape
    power = np.abs(np.fft.fft2(values - values.mean())) ** 2 / values.size
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    edges = np.linspace(0, 0.5, bins + 1)
    total, _ = np.histogram(radius, edges, weights=power)
    count, _ = np.histogram(radius, edges)
    used = (count > 0) & (total > 0)
    return ((edges[1:] + edges[:-1]) / 2)[used], total[used] / count[used]


def _reference_grid(
    clean: NDArray, rows: Mapping[str, Mapping[Level, NDArray]], zoom: Zoom
) -> tuple[Figure, NDArray]:
    """Draw the clean image and its detail at the left; return the labelled empty grid beside it."""
    levels = list(rows["noisy"])
    for label, images in rows.items():
        if missing := [level for level in levels if level not in images]:
            raise XbdcnnError(f"{label} lacks the noise level (eta, sigma) = {missing[0]}; add it")
    aspect = shared_aspect([clean, *(row[level] for row in rows.values() for level in levels)])
    columns = len(levels) + 1
    labels = wrap_labels(rows, aspect * panel_width(columns))
    figure, grid = picture_grid(len(rows), columns, aspect, label_lines=count_lines(labels))
    for axes in grid[2:, 0]:
        axes.remove()
    show(grid[0, 0], clean, zoom, enlarge=len(rows) == 1)
    grid[0, 0].set_title("clean reference")
    if len(rows) > 1:
        top, left, size = zoom
        detail = clean[top : top + size, left : left + size]
        show(grid[1, 0], detail, interpolation="nearest")
        grid[1, 0].spines[:].set(visible=True, color=ACCENT, linewidth=1.4)
    _centre(grid[:2, 0], grid[:, 1])
    for axes, (eta, sigma) in zip(grid[0, 1:], levels, strict=True):
        axes.set_title(f"η = {eta:g}, σ = {sigma:g}")
    for axes, label in zip(grid[:, 1], labels, strict=True):
        axes.set_ylabel(label, size=STYLE["axes.titlesize"])
    return figure, grid[:, 1:]


def _centre(axes: NDArray, beside: NDArray) -> None:
    """Centre a short column of axes vertically beside a longer one."""
    middle, target = (
        (column[0].get_position().y1 + column[-1].get_position().y0) / 2
        for column in (axes, beside)
    )
    for one in axes:
        one.set_position(one.get_position().translated(0, target - middle))


def _cells(grid: NDArray, rows: Mapping[str, Mapping[Level, NDArray]], levels: Any) -> Any:
    """Yield pairs of axes and image, row by row."""
    for row, images in zip(grid, rows.values(), strict=True):
        yield from zip(row, (images[level] for level in levels), strict=True)
