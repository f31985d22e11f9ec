"""The experiment `detectability`: signals that are hard to detect, before and after denoising."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.patches import random_patches
from xbdcnn.data.source import Source
from xbdcnn.inference.methods import Method, collect_methods
from xbdcnn.models import Denoised
from xbdcnn.noise import GREY_LEVELS, noise_variance
from xbdcnn.study.no_reference import Centres, disc_responses, insert_signals
from xbdcnn.study.observers import (
    Array,
    Detection,
    contrast_for,
    detection,
    disc_signal,
    held_out_responses,
    laguerre_gauss_channels,
    nodule_signal,
    template_outputs,
)
from xbdcnn.study.scoring import BEFORE, Case, noisy_image

METHODS = ("specialist", "generalist", "xbdcnn", "dncnn", "GAT+BM3D")
"""Compared methods; the classical one is told the true levels."""

ETAS = (0.4, 1.6, 6.4, 25.6, 102.4, 409.6)
"""Photons per grey level, proportional to the dose; the paper trains on 0.4 to 1.9."""

SIGMA = 1.0
"""Electronic noise in grey levels; at mid grey its share of the variance is 17 % at eta = 25.6,
45 % at 102.4 and 76 % at 409.6."""

D_PRIME = 2.0
"""Detectability that gives the contrast of a signal: ideal observer, white noise, mid grey."""

RADIUS, SCALE = 4, 4.0
"""Radius of the disc, and standard deviation of the profile of the nodule, in pixels."""

SIGNALS = {"disc": disc_signal(RADIUS), "nodule": nodule_signal(SCALE)}

CHANNELS = 5
"""Number of Laguerre-Gauss channels."""

SIDE, STEP = 112, 28
"""Side of a field and distance of the places of the signals in it, in pixels."""

GREY_RANGE = (0.1, 0.9)
"""Limits of all pixels of a field, so that clipping does not decide."""

ABSENT = "absent"

Images = NDArray[np.float32]


class Readings(NamedTuple):
    """What the observers see of one method at one dose.

    outputs: by `ABSENT` and by signal, (fields, places, draws, p): first the mean of a region of
    interest minus that of its ring, then the templates `SIGNALS`, then the channels.
    squared_error, pixel_variance: per field, without signals, in grey levels^2; the first against
    the clean field, the second of a pixel between draws.
    """

    outputs: dict[str, Array]
    squared_error: Array
    pixel_variance: Array


def detectability(
    source: Source, count: int = 10, draws: int = 8, etas: Sequence[float] = ETAS
) -> pd.DataFrame:
    """Measure PSNR, CNR and detectability on one field of each of `count` test radiographs.

    Each field is exposed `draws` times without signals, with discs and with nodules, always with
    new noise of Eq. 1, and restored. Returns the rows of `observer_rows` for each eta and method;
    the unrestored image counts as a method.
    """
    images = source.images("test", count)
    fields = [quiet_field(image, np.random.default_rng(k)) for k, image in enumerate(images)]
    methods: dict[str, Method] = {BEFORE: unrestored}
    methods |= collect_methods([METHODS[-1]], "fp32", only=METHODS)
    parts = [
        observer_rows(read(method, fields, eta, draws), label, fields, eta)
        for eta in etas
        for label, method in methods.items()
    ]
    return pd.concat(parts, ignore_index=True)


def unrestored(image: Images, eta: float, sigma: float) -> Denoised[Images]:
    """Return the image itself."""
    return Denoised(image)


def quiet_field(image: Images, rng: np.random.Generator, tries: int = 500) -> Images:
    """Return the first random field of `SIDE` pixels whose values are all within `GREY_RANGE`.

    XbdcnnError if none of the tries is.
    """
    low, high = GREY_RANGE
    for _ in range(tries):
        field = random_patches(image, 1, SIDE, rng)[0]
        if low <= field.min() and field.max() <= high:
            return field
    raise XbdcnnError(
        f"an image of shape {image.shape} has no field of {SIDE} pixels within {low} to {high}; "
        "use radiographs with more medium grey levels"
    )


def places() -> Centres:
    """Return the centres of the signals in a field, (9, 2); windows of templates do not overlap."""
    axis = np.arange(STEP, SIDE, STEP)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


def signal_contrast(name: str, eta: float, sigma: float = SIGMA) -> float:
    """Contrast in grey levels that gives a signal the d' `D_PRIME` in the unrestored image."""
    return contrast_for(D_PRIME, SIGNALS[name], noise_variance(0.5, eta, sigma))


def with_signals(field: Images, name: str, eta: float) -> Images:
    """Insert a signal of `signal_contrast` at all places of a field; `ABSENT` inserts none."""
    if name == ABSENT:
        return field
    signal = signal_contrast(name, eta) / GREY_LEVELS * SIGNALS[name]
    return insert_signals(field, places(), signal)


def read(method: Method, fields: Sequence[Images], eta: float, draws: int) -> Readings:
    """Expose and restore every field with and without signals; see `Readings`.

    Every method gets the same noise. Different draws, classes and fields have independent noise.
    """
    classes = (ABSENT, *SIGNALS)
    outputs: dict[str, list[Array]] = {name: [] for name in classes}
    errors, variances = [], []
    for number, field in enumerate(fields):
        for which, name in enumerate(classes):
            clean, first = with_signals(field, name, eta), draws * (3 * number + which)
            cases = [Case("", clean, eta, SIGMA, first + draw) for draw in range(draws)]
            restored = np.stack([method(noisy_image(c), eta, SIGMA).image for c in cases])
            outputs[name].append(np.stack([all_outputs(f) for f in restored], axis=1))
            if name == ABSENT:
                grey = GREY_LEVELS * restored.astype(np.float64)
                errors.append(np.square(grey - GREY_LEVELS * field).mean())
                variances.append(grey.var(axis=0, ddof=1).mean())
    stacked = {name: np.stack(found) for name, found in outputs.items()}
    return Readings(stacked, np.array(errors), np.array(variances))


def all_outputs(image: Images) -> Array:
    """Return the linear responses at all places of a field, see `Readings.outputs`: (9, p)."""
    templates = np.concatenate(
        [np.stack(list(SIGNALS.values())), laguerre_gauss_channels(CHANNELS, SCALE)]
    )
    region = disc_responses(image, places(), RADIUS)
    return np.column_stack([region, template_outputs(image, places(), templates)])


def observer_rows(
    readings: Readings, method: str, fields: Sequence[Images], eta: float
) -> pd.DataFrame:
    """Tabulate what the observers detect in the images of one method at one dose.

    Returns:
        One row per field and signal: image, method, eta, sigma, signal, contrast (grey levels);
        mean: grey level of the field; mse, pixel_variance: see `Readings`, in grey levels^2;
        roi_contrast: of the region of interest of `RADIUS` pixels, signal minus no signal;
        and for each of `OBSERVERS` the fields of `observers.Detection`, e.g. matched_response.
    """
    absent, rows = readings.outputs[ABSENT], []
    for name in SIGNALS:
        present = readings.outputs[name]
        found = {label: observe(absent, present, name) for label, observe in OBSERVERS.items()}
        for image, field in enumerate(fields):
            row: dict[str, Any] = {"image": f"field-{image:02d}", "method": method, "eta": eta}
            row |= {"sigma": SIGMA, "signal": name, "contrast": signal_contrast(name, eta)}
            row |= {"mean": GREY_LEVELS * float(field.mean())}
            row |= {"mse": readings.squared_error[image]}
            row |= {"pixel_variance": readings.pixel_variance[image]}
            row |= {"roi_contrast": (present - absent)[image, ..., 0].mean()}
            row |= _columns(found, image)
            rows.append(row)
    return pd.DataFrame(rows)


def matched_filter(absent: Array, present: Array, signal: str) -> Detection:
    """The observer whose template is the signal as it was inserted; nothing is trained."""
    column = 1 + list(SIGNALS).index(signal)
    return detection(absent[..., column], present[..., column])


def hotelling(absent: Array, present: Array, signal: str) -> Detection:
    """The channelised Hotelling observer, which knows each background exactly."""
    return _channelised(absent, present, known=True)


def hotelling_unknown(absent: Array, present: Array, signal: str) -> Detection:
    """The channelised Hotelling observer, which knows the statistics of the backgrounds only."""
    return _channelised(absent, present, known=False)


def _channelised(absent: Array, present: Array, known: bool) -> Detection:
    without, containing = (outputs[..., 1 + len(SIGNALS) :] for outputs in (absent, present))
    return detection(*held_out_responses(without, containing, known), known)


OBSERVERS: Mapping[str, Callable[[Array, Array, str], Detection]] = {
    "matched": matched_filter,
    "hotelling": hotelling,
    "unknown": hotelling_unknown,
}
"""Observers by the beginning of their columns: (outputs without, with signal, its name)."""


def _columns(found: Mapping[str, Detection], image: int) -> dict[str, float]:
    return {
        f"{label}_{name}": float(values[image])
        for label, scores in found.items()
        for name, values in scores._asdict().items()
    }
