"""The noise of real detectors in one table, and that of the built-in radiograph in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.builtin import EXPOSED, builtin_path, builtin_radiograph
from xbdcnn.data.exposures import DETECTORS, load_exposures
from xbdcnn.data.files.radiograph import open_radiograph
from xbdcnn.data.source import Source
from xbdcnn.measured_noise import NoiseLaw, fit_laws, single_exposure
from xbdcnn.noise import GREY_LEVELS, noise_variance
from xbdcnn.study.detector_noise import NoiseMeasurement, measure_exposures, measure_radiograph

LAW_RANGE = 2.0
"""Smallest ratio of the signals of the last and the first bin from which a law is concluded."""

LAWS = ("linear", "affine", "exponential", "power")

EXTREMITY = "RG3_UNCR.dcm"
"""A radiograph of a lower leg (Fuji CR, 10 bit) of the package pydicom-data."""

_COLLIMATED = (slice(None), slice(480, 1225))
"""The area of `EXTREMITY` within the collimator."""


def stored_chest() -> NDArray[np.float64]:
    """Stored values of the built-in radiograph, (1920, 1792); large is dark. Exposed area only."""
    return open_radiograph(builtin_path()).stored[EXPOSED].astype(np.float64)


def stored_extremity() -> NDArray[np.float64]:
    """Stored values of `EXTREMITY` within the collimator, (1760, 745); large is dark.

    XbdcnnError if the package pydicom-data is not installed.
    """
    from pydicom.data import get_testdata_file

    path = get_testdata_file(EXTREMITY, download=False)
    if path is None:
        raise XbdcnnError(f"{EXTREMITY}: not found; pip install 'xbdcnn[train]'")
    return open_radiograph(str(path)).stored[_COLLIMATED].astype(np.float64)


def measured_exposures() -> list[NoiseMeasurement]:
    """Measure the detectors of `data.exposures` from their packaged flats and darks."""
    return [measure_exposures(load_exposures(name)) for name in DETECTORS]


def measured_radiographs() -> list[NoiseMeasurement]:
    """Measure the built-in radiograph, as stored and as displayed, and `EXTREMITY`."""
    displayed = GREY_LEVELS * builtin_radiograph().astype(np.float64)
    return [
        measure_radiograph(stored_chest(), "built-in CR, stored"),
        measure_radiograph(displayed, "built-in CR, displayed", "grey levels"),
        measure_radiograph(stored_extremity(), "extremity CR, stored"),
    ]


def measured_images(source: Source, count: int = 20) -> list[NoiseMeasurement]:
    """Measure the first `count` images of the test split of a source on the 8-bit scale."""
    images = source.images("test", count)
    return [
        measure_radiograph(GREY_LEVELS * image.astype(np.float64), source.name, "grey levels")
        for image in images
    ]


def measure_detectors(source: Source, count: int = 20) -> pd.DataFrame:
    """Return the noise of every detector at hand, one row each, see `table_row`.

    Four detectors with repeated exposures, two radiographs in stored values, and the median of
    `count` images of the source, unless it is the built-in radiograph itself.
    """
    rows = [table_row(measured) for measured in measured_exposures() + measured_radiographs()]
    if source.index is not None:
        rows.append(median_row(measured_images(source, count)))
    return pd.DataFrame(rows)


def table_row(measured: NoiseMeasurement) -> dict[str, Any]:
    """Return a measurement as a row.

    photons: effective quanta per count or grey level, the inverse slope of the linear law, an
    effective gain if values were rescaled; electronic: standard deviation without signal; length:
    in pixels; law: the best by AIC if the signals differ by `LAW_RANGE`, else "undetermined";
    error: its relative deviation; behind NAME: log-likelihood of the best law minus that of law
    NAME; noise and SNR where the photons are few (bone, white) and many. The SNR of displayed grey
    levels is nan: they are not proportional to the exposure.
    """
    laws = {law.name: law for law in measured.laws}
    best = measured.laws[0]
    highest = max(law.log_likelihood for law in measured.laws)
    (few, many), (snr_few, snr_many) = ends(measured)
    signal = measured.bins.signal
    return {
        "detector": measured.title,
        "unit": measured.unit,
        "exposures": measured.exposures,
        "lowest": signal[0],
        "highest": signal[-1],
        "photons": 1 / laws["linear"].parameters[0],
        "electronic": measured.electronic,
        "across": measured.correlation[0],
        "down": measured.correlation[1],
        "length": measured.length,
        "law": best.name if signal[-1] >= LAW_RANGE * signal[0] else "undetermined",
        "error": best.error,
        **{f"behind {name}": highest - laws[name].log_likelihood for name in LAWS},
        "noise few": few,
        "noise many": many,
        "SNR few": snr_few,
        "SNR many": snr_many,
    }


def ends(measured: NoiseMeasurement) -> tuple[tuple[float, float], tuple[float, float]]:
    """Noise and SNR at the ends of the signal: (few, many) photons each.

    On the display of grey levels, white is where the photons are few.
    """
    noise = np.sqrt(measured.bins.variance)
    if measured.unit == "grey levels":
        return (float(noise[-1]), float(noise[0])), (float("nan"), float("nan"))
    snr = measured.bins.signal / noise
    return (float(noise[0]), float(noise[-1])), (float(snr[0]), float(snr[-1]))


def median_row(measured: list[NoiseMeasurement]) -> dict[str, Any]:
    """Return the medians of the rows of several images, and the law that fits most of them."""
    rows = pd.DataFrame([table_row(one) for one in measured])
    medians = rows.select_dtypes("number").median()
    usual = {"law": rows["law"].mode()[0], "exposures": len(rows)}
    return {**rows.iloc[0].to_dict(), **medians.to_dict(), **usual}


def stored_snr(bins: int = 16) -> tuple[float, float]:
    """SNR of the built-in radiograph's stored values: in the whitest and the darkest bin.

    The bins have equal numbers of pixels, so that the darkest of few bins includes lung.
    """
    measured = single_exposure(stored_chest(), bins)
    snr = measured.signal / np.sqrt(measured.variance)
    return float(snr[0]), float(snr[-1])


def header_window_ratio(darker: float = 185.0, lighter: float = 232.0) -> tuple[float, float]:
    """Variance at one grey level divided by that at a lighter one: measured, and of Eq. 1.

    In the window of the built-in radiograph's header, interpolated between bins. Eq. 1 without
    electronic noise gives the ratio of the grey levels, at most 1; with it, nearer to 1.
    """
    shown = open_radiograph(builtin_path()).unit[EXPOSED].astype(np.float64)
    measured = single_exposure(GREY_LEVELS * shown)
    values = np.interp([darker, lighter], measured.signal, measured.variance)
    predicted = noise_variance(np.array([darker, lighter]) / GREY_LEVELS, 1.0, 0.0)
    return float(values[0] / values[1]), float(predicted[0] / predicted[1])


def displayed_power_law() -> NoiseLaw:
    """Power law a g^k of the variance in the built-in radiograph's logarithmic display.

    g in grey levels, its variance in their square; Eq. 1 without electronic noise has k = 1.
    """
    measured = single_exposure(GREY_LEVELS * builtin_radiograph().astype(np.float64))
    return next(law for law in fit_laws(measured) if law.name == "power")
