"""Pictures, tables and line charts of the noise explorer, as bytes, HTML and SVG.

A picture is (H, W) uint8, one palette index per pixel, and is sent uncompressed: on two cores this
takes 0.03 ms for 384 x 384 pixels and PNG 5 ms, and a PNG of noise is hardly smaller.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from io import BytesIO
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from xbdcnn.explorer.views import BINS, Quality, State
from xbdcnn.inference.pretrained import Levels
from xbdcnn.noise import GREY_LEVELS

RESIDUAL_LIMIT = 64.0
"""Grey levels at which the residual is black (-64) and white (+64), for every noise level."""

ETA_LIMIT, SIGMA_LIMIT = 4, 20
"""Ends of the colour scales: a quarter and four times the true eta; true sigma -20 and +20."""

CONVENTIONS = (
    "PSNR: peak 255. SNR: mean square of the clean image over that of the error. "
    "SSIM: 11-pixel Gaussian window, data range 1, no border."
)
"""Description of the defaults of `xbdcnn.metrics`."""

WHITE, NEARLY_WHITE = 0.02, 0.1
"""|r| of `no_reference.whiteness` up to which a residual is called white, or nearly white."""

HISTOGRAM_TOP = 0.06
"""Share of pixels at the upper end of the histogram's axis; black borders may exceed it."""


def indices(image: NDArray[np.floating], low: float = 0.0, high: float = 1.0) -> NDArray[np.uint8]:
    """Map (H, W) to palette indices: `low` and below is 0, `high` and above is 255."""
    unit = (np.asarray(image, np.float32) - low) / (high - low)
    return np.rint(unit.clip(0, 1) * GREY_LEVELS).astype(np.uint8)


def residual_indices(residual: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Map a residual to palette indices with fixed limits, so that states can be compared."""
    limit = RESIDUAL_LIMIT / GREY_LEVELS
    return indices(residual, -limit, limit)


def level_indices(maps: NDArray[np.floating], state: State) -> dict[str, NDArray[np.uint8]]:
    """Estimated eta and sigma (2, H, W) relative to the true values, as pictures by name.

    The centre of the palette is the true value. Its ends are the true eta divided and multiplied by
    `ETA_LIMIT`, and the true sigma minus and plus `SIGMA_LIMIT`.
    """
    eta, sigma = maps
    ratio = np.log(np.maximum(eta, 1e-6) / state.eta) / np.log(ETA_LIMIT)
    difference = (sigma - state.sigma) / SIGMA_LIMIT
    return {"eta": indices(ratio, -1, 1), "sigma": indices(difference, -1, 1)}


def overview(image: NDArray[np.float32], longest: int = 216) -> NDArray[np.uint8]:
    """Reduce the whole radiograph (H, W) so that its longer side has at most `longest` pixels."""
    from PIL import Image

    picture = Image.fromarray(indices(image))
    picture.thumbnail((longest, longest), Image.Resampling.BOX)
    return np.array(picture)


def png(image: NDArray[np.floating]) -> bytes:
    """Encode (H, W) in [0, 1] as a PNG of 16 bits."""
    from PIL import Image

    stream = BytesIO()
    levels = np.rint(np.asarray(image).clip(0, 1) * np.iinfo(np.uint16).max)
    Image.fromarray(levels.astype(np.uint16)).save(stream, "PNG")
    return stream.getvalue()


def quality_table(
    state: State, before: Quality | None, after: Quality | None = None, levels: Levels | None = None
) -> str:
    """HTML table of the scores before and after restoration; "…" for scores not yet computed.

    before: None for an image as it is, of which only the estimated levels are given.
    """
    if before is None:
        estimate = f"<p>Estimated: η {levels.eta:.2f}, σ {levels.sigma:.1f}</p>" if levels else ""
        return f"<p>No scores without a clean reference.</p>{estimate}"
    names, digits = ("PSNR (dB)", "SNR (dB)", "SSIM"), (2, 2, 3)
    table = _html_table(("score", "noisy", "restored"), names, digits, before, after)
    if after is not None and levels is not None:
        true = Levels(state.eta, state.sigma)
        table += _html_table(("level", "true", "estimated"), ("η", "σ"), (2, 1), true, levels)
    return table


def _html_table(
    head: Iterable[str],
    names: Iterable[str],
    digits: Iterable[int],
    left: Iterable[float],
    right: Iterable[float] | None,
) -> str:
    """HTML table of two columns of numbers, with header cells for screen readers."""
    lines = ["".join(f'<th scope="col">{cell}</th>' for cell in head)]
    second: Iterable[float | None] = repeat(None) if right is None else right
    for name, precision, *pair in zip(names, digits, left, second, strict=False):
        texts = (
            "…" if number is None or math.isnan(number) else f"{number:.{precision}f}"
            for number in pair
        )
        cells = "".join(f"<td>{text}</td>" for text in texts)
        lines.append(f'<th scope="row">{name}</th>{cells}')
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def whiteness_meter(correlation: float | None) -> str:
    """HTML of the correlation of neighbouring pixels in the residual: bar, number and verdict."""
    if correlation is None:
        return "<p>Residual: nothing was removed.</p>"
    size, verdict = abs(correlation), "contains structure"
    if size <= NEARLY_WHITE:
        verdict = "white, as noise is" if size <= WHITE else "nearly white"
    bar = f'<meter min="0" max="0.3" low="{WHITE}" high="{NEARLY_WHITE}" optimum="0"'
    return (
        f"<p>Residual: <b>{verdict}</b><br>{bar} value="
        f'"{min(size, 0.3):.3f}" aria-label="correlation of neighbouring pixels"></meter>'
        f"<br><small>correlation of neighbours {correlation:+.3f}; noise alone: 0</small></p>"
    )


def profile_drawing(profiles: Mapping[str, NDArray[np.floating]]) -> str:
    """SVG of grey level against pixel along the line, one curve per name."""
    length = max(len(values) for values in profiles.values())
    curves = {
        name: (np.linspace(0, 1, len(values)), values / GREY_LEVELS)
        for name, values in profiles.items()
    }
    label = "Grey level along the line"
    return _chart(curves, label, ("0", f"{length - 1} pixels"), ("0", "255"), 640)


def histogram_drawing(shares: Mapping[str, NDArray[np.floating]]) -> str:
    """SVG of the share of pixels against grey level, one curve of `BINS` values per name."""
    grey = (np.arange(BINS) + 0.5) / BINS
    curves = {name: (grey, np.minimum(s / HISTOGRAM_TOP, 1)) for name, s in shares.items()}
    top = f"{HISTOGRAM_TOP:.0%}"
    return _chart(curves, "Share of pixels by grey level", ("0", "255"), ("0", top), 340)


def _chart(
    curves: Mapping[str, tuple[NDArray, NDArray]],
    label: str,
    x_ends: tuple[str, str],
    y_ends: tuple[str, str],
    width: int,
    height: int = 150,
) -> str:
    """SVG of curves (x, y) in [0, 1]; their colours are set in canvas.css, by theme."""
    left, right, top, bottom = 30, width - 4, 22, height - 16
    lines = ""
    for name, (x, y) in curves.items():
        points = np.stack([left + x * (right - left), bottom - y * (bottom - top)], axis=1)
        text = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        lines += f'<polyline class="xb-curve xb-{name}" points="{text}"/>'
    key = "\u2003".join(f'<tspan class="xb-key xb-{name}">{name}</tspan>' for name in curves)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f'<path class="xb-axis" d="M{left},{top}V{bottom}H{right}"/>{lines}'
        f'<text x="{left}" y="12">{label}</text>'
        f'<text x="{right}" y="12" text-anchor="end">{key}</text>'
        f'<text x="{left - 4}" y="{top + 8}" text-anchor="end">{y_ends[1]}</text>'
        f'<text x="{left - 4}" y="{bottom}" text-anchor="end">{y_ends[0]}</text>'
        f'<text x="{left}" y="{height - 3}">{x_ends[0]}</text>'
        f'<text x="{right}" y="{height - 3}" text-anchor="end">{x_ends[1]}</text></svg>'
    )
