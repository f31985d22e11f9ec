"""The colour and the marker of each method, the same in every figure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

COLOURS = {
    "BM3D": "#56B4E9",
    "GAT+BM3D": "#009E73",
    "I+VST+BM3D": "#225555",
    "NLM": "#CC79A7",
    "NL-PCA": "#EE99AA",
    "TV": "#999933",
    "GAT+DnCNN (photographs)": "#004488",
    "GAT+FFDNet (photographs)": "#BB5566",
    "DnCNN": "#0072B2",
    "X-ReCNN-style": "#E69F00",
    "CBDNet": "#EE3377",
    "SkiDNet-style": "#BBCC33",
    "X-BDCNN (as written)": "#D55E00",
    "X-BDCNN (balanced)": "#882255",
    "X-BDCNN (as written) w/o SSIM loss": "#117733",
    "X-BDCNN (as written) w/o NLE": "#332288",
    "X-BDCNN (fairest reading)": "#CC3311",
    "X-BDCNN (fairest reading) w/o SSIM loss": "#66AA55",
    "X-BDCNN (fairest reading) w/o NLE": "#6677BB",
    "X-BDCNN (as released)": "#661100",
    "Successor (specialist)": "#AA66FF",
    "Successor (generalist)": "#000000",
    "Successor (tiny)": "#DDCC77",
    "Before Denoising": "#888888",
}
"""Colour of each method, from the palettes of Okabe and Ito and of Tol."""

SPARE_COLOURS = ("#AA4499", "#BBBBBB", "#6699CC", "#997700")
"""Colours of labels that are not in `COLOURS`."""

MARKERS = dict(zip(COLOURS, (*"pP1<2834svx+Do>d", "|", "_", 7, *"X^*Hh"), strict=True))
"""Marker of each method, so that methods differ without colour, too."""


def method_colours(labels: Sequence[str]) -> dict[str, str]:
    """Colour per label: that of `COLOURS`, else the next of `SPARE_COLOURS`."""
    spare = cycle(SPARE_COLOURS)
    return {label: COLOURS.get(label) or next(spare) for label in labels}


def method_styles(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker per label, as arguments of `Axes.plot`; a dot by default."""
    colours = method_colours(labels)
    return {name: {"color": colours[name], "marker": MARKERS.get(name, ".")} for name in labels}
