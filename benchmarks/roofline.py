"""The roofline of a benchmark: what was reached beside what the machine can do."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.plotting.charts import spread
from xbdcnn.plotting.style import MUTED, new_figure, styled

MARKS = {"fp32": ("#0072B2", "s"), "bf16": ("#D55E00", "o")}
"""Colour and marker of each arithmetic."""


@styled
def roofline_plot(table: pd.DataFrame) -> Figure:
    """Arithmetic rate against arithmetic per byte, under the machine's roof (Williams 2009).

    Left of the bend the memory bounds the rate, right of it the matrix product does. Filled: the
    package; open: the plain way.

    table: from `benchmark.run_benchmark`: name, variant, arithmetic, gflops, gbytes, intensity.

    Raises:
        XbdcnnError: the limits of the machine are not among the rows.
    """
    limits = table[table["variant"] == "limit"]
    products = limits.dropna(subset="gflops").sort_values("gflops")
    peaks = products.groupby("arithmetic")[["name", "gflops"]].last()
    if peaks.empty or "memory" not in set(limits["name"]):
        raise XbdcnnError("no limits in this table; measure it with `xbdcnn benchmark`")
    bandwidth = limits.loc[limits["name"] == "memory", "gbytes"].iloc[0]
    figure = new_figure(6.8, 4.2, layout="constrained")
    axes = figure.subplots()
    points = table[(table["variant"] != "limit") & table["gflops"].notna()]
    intensity = np.geomspace(1, 4 * points["intensity"].max(), 200)
    for arithmetic, name, peak in peaks.itertuples():
        colour, _ = MARKS[arithmetic]
        axes.loglog(intensity, np.minimum(bandwidth * intensity, peak), color=colour)
        place = {"va": "bottom", "size": 8, "color": colour, "clip_on": True}
        axes.text(1.3 * peak / bandwidth, 1.02 * peak, name, **place)
    for point in points.itertuples():
        colour, marker = MARKS[point.arithmetic]
        face = "white" if point.variant == "plain" else colour
        look = {"color": colour, "mfc": face, "mec": colour if face == "white" else "white"}
        axes.plot(point.intensity, point.gflops, marker, ms=6, mew=0.8, zorder=4, **look)
    axes.text(1.6, 1.1 * bandwidth, f"memory, {bandwidth:.0f} GB/s", size=8, color=MUTED)
    axes.set(xlabel="arithmetic per byte (FLOP/B)", ylabel="GFLOP/s", xlim=intensity[[0, -1]])
    _label(axes, points.sort_values("gflops"))
    return figure


def _label(axes: Axes, points: pd.DataFrame) -> None:
    """Names at the right in the order of the rates, each with a line to its point."""
    low, high = np.log10(axes.get_ylim())
    heights = spread((np.log10(points["gflops"]) - low) / (high - low), 0.05)
    for point, height in zip(points.itertuples(), heights, strict=True):
        colour = MARKS[point.arithmetic][0]
        place = {"xytext": (1.05, height), "textcoords": "axes fraction", "size": 7.5}
        line = {"arrowstyle": "-", "color": colour, "lw": 0.5, "alpha": 0.6, "relpos": (0, 0.5)}
        place |= {"va": "center", "color": colour, "arrowprops": line, "annotation_clip": False}
        axes.annotate(f"{point.name}, {point.variant}", (point.intensity, point.gflops), **place)
