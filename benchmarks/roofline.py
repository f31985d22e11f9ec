"""Roofline plot of a benchmark: measured arithmetic rates and the limits of the machine."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.timing import LIMIT, REFERENCE
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.plotting.style import MUTED, new_figure, styled
from xbdcnn.plotting.training_charts import separate

ARITHMETIC_STYLES = {"fp32": ("#0072B2", "s"), "bf16": ("#D55E00", "o")}
"""Colour and marker of each precision."""


@styled
def roofline_plot(table: pd.DataFrame) -> Figure:
    """Plot the arithmetic rate against the arithmetic intensity (Williams et al. 2009).

    The lines are rate = min(bandwidth x intensity, rate of a matrix product). Filled markers: the
    package; open markers: the reference implementation.

    table: from `run_benchmark`: name, variant, arithmetic, gflops, gbytes, intensity.

    Raises:
        XbdcnnError: the table has no rows for the limits of the machine.
    """
    limits = table[table["variant"] == LIMIT]
    products = limits.dropna(subset="gflops").sort_values("gflops")
    peaks = products.groupby("arithmetic")[["name", "gflops"]].last()
    if peaks.empty or "memory" not in set(limits["name"]):
        raise XbdcnnError("no limits in this table; measure it with `python -m benchmarks`")
    bandwidth = limits.loc[limits["name"] == "memory", "gbytes"].iloc[0]
    figure = new_figure(6.8, 4.2, layout="constrained")
    axes = figure.subplots()
    points = table[(table["variant"] != LIMIT) & table["intensity"].notna()]
    intensity = np.geomspace(1, 4 * points["intensity"].max(), 200)
    for arithmetic, name, peak in peaks.itertuples():
        colour, _ = ARITHMETIC_STYLES[arithmetic]
        axes.loglog(intensity, np.minimum(bandwidth * intensity, peak), color=colour)
        place = {"va": "bottom", "size": 8, "color": colour, "clip_on": True}
        axes.text(1.3 * peak / bandwidth, 1.02 * peak, name, **place)
    for point in points.itertuples():
        colour, marker = ARITHMETIC_STYLES[point.arithmetic]
        face = "white" if point.variant == REFERENCE else colour
        style = {"color": colour, "mfc": face, "mec": colour if face == "white" else "white"}
        axes.plot(point.intensity, point.gflops, marker, ms=6, mew=0.8, zorder=4, **style)
    axes.text(1.6, 1.1 * bandwidth, f"memory, {bandwidth:.0f} GB/s", size=8, color=MUTED)
    axes.set(xlabel="arithmetic intensity (FLOP/B)", ylabel="GFLOP/s", xlim=intensity[[0, -1]])
    _label(axes, points.sort_values("gflops"))
    return figure


def _label(axes: Axes, points: pd.DataFrame) -> None:
    """Write the tasks' names at the right, ordered by rate, with lines to their points."""
    low, high = np.log10(axes.get_ylim())
    heights = separate((np.log10(points["gflops"]) - low) / (high - low), 0.05)
    for point, height in zip(points.itertuples(), heights, strict=True):
        colour = ARITHMETIC_STYLES[point.arithmetic][0]
        place = {"xytext": (1.05, height), "textcoords": "axes fraction", "size": 7.5}
        line = {"arrowstyle": "-", "color": colour, "lw": 0.5, "alpha": 0.6, "relpos": (0, 0.5)}
        place |= {"va": "center", "color": colour, "arrowprops": line, "annotation_clip": False}
        axes.annotate(f"{point.name}, {point.variant}", (point.intensity, point.gflops), **place)
