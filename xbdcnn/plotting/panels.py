"""Figures of radiographs on a fixed grey scale, and of the residual of a denoiser."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xbdcnn.metrics import psnr
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.plotting.layout import (
    Level,
    Zoom,
    corner_label,
    count_lines,
    panel_width,
    picture_grid,
    shared_aspect,
    show,
    wrap_labels,
)
from xbdcnn.plotting.style import STYLE, new_figure, styled


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
def contact_sheet(images: Mapping[str, NDArray], columns: int = 3) -> Figure:
    """Radiographs (H, W) of one size in rows of `columns`, each with its name in a corner."""
    rows = -(-len(images) // columns)
    figure, grid = picture_grid(rows, columns, shared_aspect(images.values()), title_lines=0)
    for axes in grid.flat[len(images) :]:
        axes.remove()
    for axes, (name, image) in zip(grid.flat, images.items(), strict=False):
        show(axes, image)
        corner_label(axes, name)
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
def residual_plot(noisy: NDArray, restored: NDArray, clean: NDArray) -> Figure:
    """The residual, noisy - restored, compared with the true noise, noisy - clean.

    From left to right: the residual, histograms in grey levels, and radial power spectra. The
    noise is white before clipping, hence its spectrum is flat but for the lowest frequencies;
    structure in the residual makes it uneven.
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
    spectrum.set(ylabel="power (grey levels² pixel²)", yscale="log", xlim=(0, 0.5))
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
