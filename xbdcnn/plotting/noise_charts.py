"""Figures of the measured noise of detectors: photon transfer, spectrum, map of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter
from numpy.typing import NDArray

from xbdcnn.measured_noise import NoiseBins, NoiseLaw
from xbdcnn.plotting.layout import hide_axes, show
from xbdcnn.plotting.style import INK, MUTED, new_figure, styled

LAW_COLOURS = {
    "linear": "#D55E00",
    "affine": "#E69F00",
    "exponential": "#CC79A7",
    "power": "#009E73",
}
"""Colour of each law of the variance."""

_FORMULAS = {
    "linear": "{0} q",
    "affine": "{0} q + {1}",
    "exponential": "∝ exp({1} q)",
    "power": "∝ q$^{{{1}}}$",
}

_WIDE = 4.0
"""Ratio of the largest and smallest signal from which the axes are logarithmic."""


@styled
def detector_noise_plot(
    title: str,
    unit: str,
    bins: NoiseBins,
    laws: Sequence[NoiseLaw],
    correlation: tuple[float, float],
    spectrum: tuple[NDArray, NDArray],
) -> Figure:
    """Noise of a detector: variance by signal with the fitted laws, and noise power spectrum.

    The arguments are the fields of a `study.detector_noise.NoiseMeasurement`.
    """
    figure = new_figure(9.5, 4.2, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
    _transfer_panel(left, unit, bins, laws)
    _spectrum_panel(right, correlation, spectrum)
    figure.suptitle(title, size=10)
    return figure


def _transfer_panel(axes: Axes, unit: str, bins: NoiseBins, laws: Sequence[NoiseLaw]) -> None:
    """Draw measured variances with their standard error, and each law, the best one thick."""
    error = bins.variance * np.sqrt(2 / bins.samples)
    style: dict[str, Any] = {"color": INK, "ms": 4.5, "lw": 1, "zorder": 3}
    axes.errorbar(bins.signal, bins.variance, error, fmt="o", label="measured", **style)
    wide = unit != "grey levels" and bins.signal[-1] > _WIDE * bins.signal[0]
    space = np.geomspace if wide else np.linspace
    signal = space(bins.signal[0], bins.signal[-1], 100)
    for law in laws:
        style = {"color": LAW_COLOURS[law.name], "lw": 2.6 if law is laws[0] else 1.2}
        axes.plot(signal, law.variance(signal), label=_describe(law), **style)
    if wide:
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.minorticks_off()
    else:
        axes.set_ylim(0, 1.15 * bins.variance.max())
    axes.set(xlabel=f"signal q ({unit})", ylabel=f"variance ({unit}²)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def _describe(law: NoiseLaw) -> str:
    """Name, formula and relative deviation of a law."""
    numbers = [f"{float(f'{value:.2g}'):,g}" for value in law.parameters]
    formula = _FORMULAS[law.name].format(*numbers).replace("+ -", "− ").replace("-", "−")
    return f"{law.name}, {formula}: ±{law.error:.0%}"


def _spectrum_panel(
    axes: Axes, correlation: tuple[float, float], spectrum: tuple[NDArray, NDArray]
) -> None:
    """Draw the noise power divided by the variance; independent noise has 1 everywhere."""
    axes.axhline(1, color=MUTED, lw=1, ls="--", label="independent noise")
    axes.plot(*spectrum, color="#0072B2", label="measured")
    across, down = (round(value, 2) + 0.0 for value in correlation)  # no "-0.00"
    axes.set_title(f"correlation of adjacent pixels: {across:.2f} across, {down:.2f} down", size=9)
    axes.set(xlabel="frequency (cycles per pixel)", ylabel="noise power / variance", xlim=(0, 0.5))
    axes.set_ylim(0, 1.12 * max(spectrum[1].max(), 1.2))
    axes.legend(loc="upper right")


@styled
def noise_map_plot(image: NDArray, noise: NDArray, unit: str = "grey levels") -> Figure:
    """Where the photons are: a radiograph, and the standard deviation of its noise beside it.

    image: (H, W) in [0, 1]; noise: from `study.detector_noise.noise_map`, in `unit`, of any
    smaller size.
    """
    figure = new_figure(9.5, 4.3 * min(image.shape[0] / image.shape[1], 1.2) + 0.4)
    figure.set_layout_engine("constrained")
    left, right = figure.subplots(1, 2)
    show(left, image)
    left.set_title("displayed radiograph")
    extent = (0, image.shape[1], image.shape[0], 0)
    top = float(np.quantile(noise, 0.995))
    picture = hide_axes(right).imshow(noise, cmap="viridis", vmin=0, vmax=top, extent=extent)
    right.set_title("measured noise")
    bar = figure.colorbar(picture, ax=right, shrink=0.85, pad=0.02, extend="max")
    bar.set_label(f"standard deviation of the noise ({unit})")
    bar.ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return figure
