"""Curves of training runs: validation PSNR and losses against the patches seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, StrMethodFormatter
from numpy.typing import NDArray

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
def budget_curves(
    histories: Mapping[str, pd.DataFrame],
    tested: Mapping[str, tuple[float, float]],
    whole: float,
) -> Figure:
    """Validation PSNR against training patches seen, on a logarithmic axis.

    Args:
        histories: by label, columns patches (of 64 x 64 pixels) and val_psnr (dB).
        tested: by label, patches seen by a network and its PSNR in dB on other images than those
            of the curves, drawn as an open diamond with a dashed line at its height.
        whole: patches that have as many pixels as the paper's training, 100 % on the upper axis.
    """
    figure = new_figure(9.5, 5.2, layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    highest = max(psnr for _, psnr in tested.values())
    right = 1.5 * max(history["patches"].max() for history in histories.values())
    _psnr_panel(axes, histories, top=highest + 0.25, right=right)
    for label, (patches, psnr) in tested.items():
        _mark_tested(axes, label, patches, psnr)
    functions = (lambda patches: 100 * patches / whole, lambda share: share * whole / 100)
    above = axes.secondary_xaxis("top", functions=functions)
    above.set_xlabel("training pixels seen, % of the paper's")
    above.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set(title="", xlabel="training patches of 64 × 64 seen", ylabel="PSNR (dB)")
    return figure


def _mark_tested(axes: Axes, label: str, patches: float, psnr: float) -> None:
    """Draw an open diamond, and a dashed line at its height with the label at the left."""
    axes.axhline(psnr, color=MUTED, ls="--", lw=0.9)
    axes.plot(patches, psnr, "D", ms=7, mfc="white", mec=INK, zorder=4)
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "bottom", "size": 8}
    axes.text(0.01, psnr + 0.02, f"{label}  {psnr:.2f}", color=INK, **place)


def _psnr_panel(
    axes: Axes,
    histories: Mapping[str, pd.DataFrame],
    top: float | None = None,
    right: float | None = None,
) -> None:
    """Draw one curve per training run, with its best point marked and labelled at the right.

    top: upper end of the vertical axis; right: where the labels start on the horizontal axis, None
    for beside the axes.
    """
    styles = method_styles(list(histories))
    for label, history in histories.items():
        best = [history["val_psnr"].argmax()]
        axes.plot(history["patches"], history["val_psnr"], ms=5, markevery=best, **styles[label])
    axes.set(title="validation PSNR (dB)", xlabel="patches seen")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_ylim(_robust_floor(histories), top)
    _note_points_below(axes, np.concatenate([h["val_psnr"] for h in histories.values()]))
    _label_ends(axes, histories, styles, right)


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
    axes: Axes,
    histories: Mapping[str, pd.DataFrame],
    styles: Mapping[str, Mapping[str, Any]],
    right: float | None,
) -> None:
    """Write label and best value of each curve at `right`, with a line to the curve's end."""
    low, high = axes.get_ylim()
    ends = {label: h[["patches", "val_psnr"]].iloc[-1] for label, h in histories.items()}
    order = sorted(ends, key=lambda label: ends[label]["val_psnr"])
    heights = separate([ends[label]["val_psnr"] for label in order], 0.055 * (high - low))
    for label, height in zip(order, heights, strict=True):
        colour = styles[label]["color"]
        line = {"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.5, "relpos": (0, 0.5)}
        across = "axes fraction" if right is None else "data"
        place: dict[str, Any] = {"xytext": (right or 1.02, height), "textcoords": (across, "data")}
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
