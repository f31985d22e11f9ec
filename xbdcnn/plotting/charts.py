"""Curves and dot plots of the noise model and of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.measured_noise import PhotonTransfer
from xbdcnn.noise import GREY_LEVELS, noise_variance
from xbdcnn.plotting.method_styles import method_colours
from xbdcnn.plotting.style import INK, MUTED, new_figure, styled


@styled
def photon_transfer_plot(transfer: PhotonTransfer, eta: float, sigma: float) -> Figure:
    """Var f = g / eta + sigma^2: noise variance against mean grey level, a straight line.

    transfer: from `measured_noise.two_exposures` or `measured_noise.mean_variance`; eta, sigma:
    true values, for the dashed line.
    """
    figure = new_figure(6.2, 3.8, layout="constrained")
    axes = figure.subplots()
    area = 6 + 60 * transfer.pixels / transfer.pixels.max()
    label = "measured (area: number of values)"
    axes.scatter(transfer.mean, transfer.variance, area, "#56B4E9", ec="white", lw=0.4, label=label)
    grey = np.array([0.0, GREY_LEVELS])
    for name, levels, colour, line in (
        ("fitted", (transfer.eta, transfer.sigma), "#D55E00", "-"),
        ("true", (eta, sigma), INK, "--"),
    ):
        text = f"{name}: η = {levels[0]:.3g}, σ = {levels[1]:.3g}"
        axes.plot(grey, noise_variance(grey / GREY_LEVELS, *levels), line, color=colour, label=text)
    axes.set(xlim=(0, GREY_LEVELS), xlabel="mean grey level $g$", ylabel="variance (grey levels²)")
    axes.set_ylim(0, 1.12 * noise_variance(1.0, eta, sigma))
    axes.legend(loc="upper left")
    return figure


@styled
def table_2_plot(summary: pd.DataFrame, baseline: str = "Before Denoising") -> Figure:
    """Table II: gain in PSNR over the noisy image, one panel per noise level.

    Args:
        summary: columns method, eta, sigma, psnr, psnr_low, psnr_high (95 % interval, may be
            NaN) and source, "ours" or "paper (corrected)".
        baseline: method whose rows hold the PSNR of the noisy images, for each source.

    Raises:
        XbdcnnError: the baseline of a noise level is missing.
    """
    gains = _gains(summary, baseline)
    methods = list(dict.fromkeys(gains.sort_values("source", kind="stable")["method"]))[::-1]
    etas, sigmas = sorted(set(gains["eta"])), sorted(set(gains["sigma"]))
    height = len(sigmas) * (0.19 * len(methods) + 0.32) + 0.9
    figure = new_figure(9.5, height, layout="constrained")
    grid = figure.subplots(len(sigmas), len(etas), sharex=True, sharey=True, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        cell = gains[(gains["eta"] == etas[column]) & (gains["sigma"] == sigmas[row])]
        _dots(axes, cell, methods)
        axes.set_title(f"η = {etas[column]:g}, σ = {sigmas[row]:g}", size=9, loc="left")
    for axes in grid.flat:
        _ticks(axes, methods)
    figure.supxlabel("gain in PSNR over the noisy image (dB)", size=9)
    style: dict[str, Any] = {"marker": "o", "ls": "", "color": INK}
    ours = Line2D([], [], label="ours, 95 % interval", **style)
    printed = Line2D([], [], mfc="white", label="paper (corrected)", **style)
    figure.legend(handles=[ours, printed], loc="outside upper right", ncols=2)
    return figure


def _gains(summary: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """`summary` without the baseline rows; PSNR minus that of the baseline of cell and source."""
    keys = ["eta", "sigma", "source"]
    noisy = summary[summary["method"] == baseline].set_index(keys)["psnr"]
    rest = summary[summary["method"] != baseline]
    offset = noisy.reindex(pd.MultiIndex.from_frame(rest[keys])).to_numpy()
    if np.isnan(offset).any():
        missing = rest[np.isnan(offset)].iloc[0]
        raise XbdcnnError(
            f"no {baseline!r} row for eta {missing['eta']:g}, sigma {missing['sigma']:g}, source "
            f"{missing['source']!r}; keep the noisy images in the summary"
        )
    columns = ["psnr", "psnr_low", "psnr_high"]
    return rest.assign(**{name: rest[name] - offset for name in columns})


def _dots(axes: Axes, cell: pd.DataFrame, methods: Sequence[str]) -> None:
    """Draw one line per method: filled dot with interval for ours, open circle for the paper."""
    colours = method_colours(methods[::-1])
    for row in cell.itertuples():
        y, colour, own = methods.index(row.method), colours[row.method], row.source == "ours"
        axes.plot([row.psnr_low, row.psnr_high], [y, y], color=colour, lw=1.6)
        face = colour if own else "white"
        axes.plot(row.psnr, y, "o", ms=5, color=colour, mfc=face, mew=1.2, zorder=3 if own else 4)


@styled
def ablation_plot(summary: pd.DataFrame, reference: str = "the full model") -> Figure:
    """Differences in PSNR and SSIM between each method and the reference, on the same images.

    summary: from `statistics.paired_differences`: method, psnr, psnr_low, psnr_high, ssim,
        ssim_low, ssim_high; 95 % intervals. reference: its name, for the axis labels.
    """
    methods = list(summary["method"])[::-1]
    colours = method_colours(methods[::-1])
    figure = new_figure(9.5, 0.3 * len(methods) + 1.1, layout="constrained")
    grid = figure.subplots(1, 2, sharey=True)
    for axes, name, title in zip(grid, ("psnr", "ssim"), ("PSNR (dB)", "SSIM"), strict=True):
        axes.axvline(0, color=MUTED, lw=1)
        for y, row in enumerate(summary.iloc[::-1].to_dict("records")):
            style = {"color": colours[row["method"]]}
            axes.plot([row[f"{name}_low"], row[f"{name}_high"]], [y, y], lw=2, **style)
            axes.plot(row[name], y, "o", ms=6, **style)
        axes.set_xlabel(f"{title}, difference to {reference}")
    for axes in grid:
        _ticks(axes, methods)
    return figure


def _ticks(axes: Axes, methods: Sequence[str]) -> None:
    """Write method names on the vertical axis, without tick marks."""
    axes.set_yticks(range(len(methods)), methods)
    axes.set_ylim(-0.6, len(methods) - 0.4)
    axes.tick_params(axis="y", length=0)
