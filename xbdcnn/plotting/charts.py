"""Curves and dot plots of the noise model, of training, and of the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, StrMethodFormatter
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.measured_noise import PhotonTransfer
from xbdcnn.noise import GREY_LEVELS, noise_variance
from xbdcnn.plotting.method_styles import method_colours, method_styles
from xbdcnn.plotting.style import INK, MUTED, new_figure, styled

LOSS_TERMS = {
    "loss_mse": "MSE (Eq. 5)",
    "loss_ssim": "SSIM (Eq. 6)",
    "loss_asymm": "asymmetric (Eq. 3)",
    "loss_tv": "total variation (Eq. 4)",
}
"""Columns of a training history and their titles; the losses are not weighted."""


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
def training_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Validation PSNR and the terms of Eq. 8 against training patches seen.

    histories: by label, the histories of `training.train`: columns patches, val_psnr, loss_*.
    """
    colours = method_colours(list(histories))
    figure = new_figure(9.5, 4.0, layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.5, 1))[0]
    _psnr_panel(left.subplots(), histories)
    for panel, (column, title) in zip(right.subplots(2, 2).flat, LOSS_TERMS.items(), strict=True):
        _loss_panel(panel, histories, column, colours)
        panel.set_title(title, size=8.5)
    right.supxlabel("patches seen, logarithmic", size=8)
    return figure


@styled
def psnr_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Validation PSNR against training patches seen.

    histories: by label, columns patches and val_psnr.
    """
    figure = new_figure(7.2, 4.0, layout="constrained")
    _psnr_panel(figure.subplots(), histories)
    return figure


def _psnr_panel(axes: Axes, histories: Mapping[str, pd.DataFrame]) -> None:
    """Draw one curve per training run, with its best point marked and labelled at the right."""
    styles = method_styles(list(histories))
    for label, history in histories.items():
        best = [history["val_psnr"].argmax()]
        axes.plot(history["patches"], history["val_psnr"], ms=5, markevery=best, **styles[label])
    axes.set(title="validation PSNR (dB)", xlabel="patches seen")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_ylim(_robust_floor(histories), None)
    _note_points_below(axes, np.concatenate([h["val_psnr"] for h in histories.values()]))
    _label_ends(axes, histories, styles)


def _note_points_below(axes: Axes, values: NDArray) -> None:
    """State how many points lie below the lower limit of the axis."""
    below = values[values < axes.get_ylim()[0]]
    if len(below):
        text = f"{len(below)} of {len(values)} lower, down to {below.min():.1f}"
        axes.text(0.99, 0.01, text, ha="right", size=7, color=MUTED, transform=axes.transAxes)


def _loss_panel(
    axes: Axes, histories: Mapping[str, pd.DataFrame], column: str, colours: Mapping[str, str]
) -> None:
    """Draw one term of the loss on logarithmic axes, or state that no network has it."""
    having = {label: h for label, h in histories.items() if column in h and (h[column] > 0).any()}
    for label, history in having.items():
        axes.loglog(history["patches"], history[column], color=colours[label], lw=1.3)
        for axis in (axes.xaxis, axes.yaxis):
            low, high = np.log10(axis.get_view_interval())
            decades = np.floor(high) - np.ceil(low)  # between the powers of ten in view
            few = (1, 2, 5) if high - low > 0.7 else range(1, 10)
            axis.set_major_locator(LogLocator(subs=(1,) if decades >= 1 else few))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    if not having:
        axes.text(0.5, 0.5, "not in this loss", ha="center", color=MUTED, transform=axes.transAxes)
        axes.set(xticks=[], yticks=[])
    axes.minorticks_off()
    axes.tick_params(labelsize=7)


def _robust_floor(histories: Mapping[str, pd.DataFrame]) -> float:
    """Lower limit of the axis that cuts off outliers, such as the first validations."""
    values = np.concatenate([history["val_psnr"] for history in histories.values()])
    low, middle, high = np.quantile(values, (0.0, 0.5, 1.0))
    return float(max(low, middle - 3 * (high - middle)) - 0.05 * (high - low) - 1e-3)


def _label_ends(
    axes: Axes, histories: Mapping[str, pd.DataFrame], styles: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write label and best value of each curve at the right, with a line to the curve's end."""
    low, high = axes.get_ylim()
    ends = {label: h[["patches", "val_psnr"]].iloc[-1] for label, h in histories.items()}
    order = sorted(ends, key=lambda label: ends[label]["val_psnr"])
    heights = separate([ends[label]["val_psnr"] for label in order], 0.055 * (high - low))
    for label, height in zip(order, heights, strict=True):
        colour = styles[label]["color"]
        line = {"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.5, "relpos": (0, 0.5)}
        place: dict[str, Any] = {"xytext": (1.02, height), "textcoords": ("axes fraction", "data")}
        place |= {"va": "center", "color": colour, "size": 8, "annotation_clip": False}
        text = f"{label}  {histories[label]['val_psnr'].max():.2f}"
        axes.annotate(text, tuple(ends[label]), arrowprops=line, **place)


def separate(values: Sequence[float], spacing: float) -> NDArray[np.float64]:
    """Move sorted values to distances of at least `spacing`, close to where they were."""
    steps = spacing * np.arange(len(values))
    shifted = np.asarray(values, np.float64) - steps
    up = np.maximum.accumulate(shifted) + steps
    down = np.minimum.accumulate(shifted[::-1])[::-1] + steps
    return (up + down) / 2


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
