"""Charts of the detectability of signals before and after denoising."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import NDArray

from xbdcnn.plotting.layout import show
from xbdcnn.plotting.method_styles import method_styles
from xbdcnn.plotting.style import MUTED, new_figure, styled

RATIOS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
"""Ticks of a logarithmic axis of ratios."""


@styled
def detectability_plot(summary: pd.DataFrame, panels: Mapping[str, str]) -> Figure:
    """Scores by dose, relative to the unrestored image, one panel each, with their intervals.

    summary: from `equal_dose.summarise`, for the methods to be drawn. panels: label of the vertical
    axis by score; "gain" is a difference, in dB, and equality is at 0, else it is a ratio, drawn on
    a logarithmic axis, with equality at 1.
    """
    figure = new_figure(9.5, 3.5, layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    styles = method_styles(list(dict.fromkeys(summary["method"])))
    for axes, (score, label) in zip(grid, panels.items(), strict=True):
        part = summary[summary["score"] == score]
        for number, (method, curve) in enumerate(part.groupby("method", sort=False)):
            # Side by side, so that the intervals of several methods can be told apart.
            place = curve["eta"] * 1.06 ** (number - (len(styles) - 1) / 2)
            colour = styles[method]["color"]
            axes.plot(place, curve["value"], ms=4, label=method, **styles[method])
            axes.vlines(place, curve["low"], curve["high"], color=colour, lw=1)
        _equality(axes, 0.0 if score == "gain" else 1.0)
        axes.set(xscale="log", ylabel=label, xlabel="η (photons per grey level)")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _equality(axes: Axes, value: float) -> None:
    """Mark the value at which the restored image equals the unrestored one."""
    axes.axhline(value, color=MUTED, lw=1)
    if value:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, 0.8), max(high, 1.25))
        low, high = axes.get_ylim()
        axes.set_yticks([tick for tick in RATIOS if low <= tick <= high])
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.minorticks_off()


@styled
def signal_panel(
    rows: Mapping[str, Sequence[NDArray]],
    titles: Sequence[str],
    differences: Sequence[NDArray] = (),
    limit: float = 8.0,
) -> Figure:
    """Pictures of fields with and without signals, on one grey scale, and differences below.

    rows: pictures (H, W) in [0, 1] by label, as many as `titles`. Their scale is that of the first
    picture. differences: (H, W) in grey levels, one per title or none, shown from -limit to +limit
    in a row of their own.
    """
    first = next(iter(rows.values()))[0]
    low, high = np.percentile(first, [0.5, 99.5])
    margin = 0.3 * (high - low)
    lines = len(rows) + (len(differences) > 0)
    figure = new_figure(2.3 * len(titles), 2.45 * lines, layout="constrained")
    grid = figure.subplots(lines, len(titles), squeeze=False)
    for line, (label, pictures) in zip(grid, rows.items(), strict=False):
        for axes, picture in zip(line, pictures, strict=True):
            show(axes, picture, vmin=low - margin, vmax=high + margin)
        line[0].set_ylabel(label)
    for axes, difference in zip(grid[-1], differences, strict=False):
        show(axes, difference, vmin=-limit, vmax=limit)
        grid[-1, 0].set_ylabel(f"difference, ±{limit:g}")
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    return figure
