"""What restoring changes in a radiograph: along a line, and at each spatial frequency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import NDArray

from xbdcnn.measured_noise import detail_transfer, noise_power_spectrum
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.plotting.layout import shared_aspect
from xbdcnn.plotting.method_styles import method_colours
from xbdcnn.plotting.style import INK, MUTED, new_figure, styled

Line = tuple[int, int, int]
"""(column, first row, last row + 1) of a vertical line of pixels."""


@styled
def fidelity_plot(
    clean: NDArray, noisy: NDArray, restored: Mapping[str, NDArray], line: Line
) -> Figure:
    """A line profile, the noise power spectrum of what is left, and the detail kept.

    What is left is the error, restored - clean: noise that was not removed and detail that was.

    Args:
        clean: reference (H, W) in [0, 1].
        noisy: its noisy image.
        restored: restored image by method label.
        line: the profile's pixels.
    """
    shared_aspect([clean, noisy, *restored.values()])
    figure = new_figure(9.5, 6.6, layout="constrained")
    axes = figure.subplot_mosaic([["profile", "profile"], ["left", "kept"]])
    colours = method_colours(list(restored))
    styles = {label: {"color": colours[label], "label": label, "lw": 1.2} for label in restored}
    _profiles(axes["profile"], {"noisy": noisy, "clean": clean, **restored}, styles, line)
    _spectra(axes["left"], {k: v - clean for k, v in {"noisy": noisy, **restored}.items()}, styles)
    _transfers(axes["kept"], clean, restored, styles)
    figure.legend(*axes["profile"].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _style(label: str, styles: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Style of a curve; the noisy and the clean image are no methods."""
    own = {
        "noisy": {"color": "0.75", "lw": 0.8, "label": "noisy"},
        "clean": {"color": INK, "lw": 2.2, "label": "clean"},
    }
    return own.get(label) or styles[label]


def _profiles(
    axes: Axes, images: Mapping[str, NDArray], styles: Mapping[str, Mapping[str, Any]], line: Line
) -> None:
    """Draw the grey levels of each image along the line."""
    column, first, end = line
    values = {k: GREY_LEVELS * np.asarray(v[first:end, column]) for k, v in images.items()}
    for label, curve in values.items():
        axes.plot(np.arange(first, end), curve, **_style(label, styles))
    # The scale is that of the anatomy; the noisy curve may leave it.
    low, high = np.ptp([v for k, v in values.items() if k != "noisy"]) * np.array([-0.2, 0.2])
    axes.set_ylim(values["clean"].min() + low, values["clean"].max() + high)
    axes.set(xlabel=f"row (pixels), column {column}", ylabel="grey level", xlim=(first, end - 1))
    axes.set_title("along a line")


def _spectra(
    axes: Axes, errors: Mapping[str, NDArray], styles: Mapping[str, Mapping[str, Any]]
) -> None:
    """Draw the noise power spectrum of each error."""
    for label, error in errors.items():
        axes.plot(*noise_power_spectrum(GREY_LEVELS * error), **_style(label, styles))
    axes.set(yscale="log", xlim=(0, 0.5), title="what is left: noise power spectrum of the error")
    axes.set(xlabel="frequency (cycles per pixel)", ylabel="power (grey levels² pixel²)")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _transfers(
    axes: Axes,
    clean: NDArray,
    restored: Mapping[str, NDArray],
    styles: Mapping[str, Mapping[str, Any]],
) -> None:
    """Draw the share of the detail that each method keeps."""
    for level in (0, 1):
        axes.axhline(level, color=MUTED, lw=0.8, ls="--")
    for label, image in restored.items():
        axes.plot(*detail_transfer(image, clean), **styles[label])
    axes.set(xlim=(0, 0.5), title="detail kept", ylabel="share of the clean image's detail")
    axes.set_xlabel("frequency (cycles per pixel)")
