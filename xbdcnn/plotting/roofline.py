"""The roofline of a benchmark: what was reached beside what the machine can do."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xbdcnn.errors import XbdcnnError
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
    peaks = limits.dropna(subset="gflops")
    if peaks.empty or "memory" not in set(limits["name"]):
        raise XbdcnnError("no limits in this table; measure it with `xbdcnn benchmark`")
    bandwidth = limits.loc[limits["name"] == "memory", "gbytes"].iloc[0]
    figure = new_figure(6.8, 4.2, layout="constrained")
    axes = figure.subplots()
    points = table[(table["variant"] != "limit") & table["gflops"].notna()]
    intensity = np.geomspace(1, 4 * points["intensity"].max(), 200)
    for peak in peaks.itertuples():
        colour, _ = MARKS[peak.arithmetic]
        axes.loglog(intensity, np.minimum(bandwidth * intensity, peak.gflops), color=colour)
        place = {"ha": "right", "va": "bottom", "size": 8, "color": colour}
        axes.text(intensity[-1], peak.gflops, f"matrix product, {peak.arithmetic}", **place)
    for point in points.itertuples():
        colour, marker = MARKS[point.arithmetic]
        face = "white" if point.variant == "plain" else colour
        axes.plot(point.intensity, point.gflops, marker, ms=6, color=colour, mfc=face, zorder=4)
    axes.text(1.1, 1.3 * bandwidth, f"memory, {bandwidth:.0f} GB/s", size=8, color=MUTED)
    axes.set(xlabel="arithmetic per byte (FLOP/B)", ylabel="GFLOP/s", xlim=intensity[[0, -1]])
    _label(axes, points.sort_values("gflops"))
    return figure


def _label(axes: Axes, points: pd.DataFrame) -> None:
    """Names at the right, at the height of their points, pushed apart where they would touch."""
    low, high = np.log10(axes.get_ylim())
    heights = 10 ** spread(np.log10(points["gflops"].to_numpy()), 0.05 * (high - low))
    for point, height in zip(points.itertuples(), heights, strict=True):
        place = {"xycoords": ("axes fraction", "data"), "va": "center", "size": 7.5}
        text = f"{point.name}, {point.variant}"
        colour = MARKS[point.arithmetic][0]
        axes.annotate(text, (1.02, height), color=colour, annotation_clip=False, **place)
