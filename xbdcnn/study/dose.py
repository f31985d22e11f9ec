"""Methods compared with an image of less noise: a simulated lower dose, repeated exposures.

Methods are functions of one image by label, as in `study.no_harm`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from xbdcnn import metrics
from xbdcnn._common.errors import SMALLEST_SIDE, XbdcnnError
from xbdcnn.data.builtin import STORED_BLACK, STORED_WHITE, field_slices
from xbdcnn.data.exposures import Exposures
from xbdcnn.detector import SMALLEST_SIGNAL, Display, displayed, scintillator_blur
from xbdcnn.measured_noise import noise_report
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.detectors import stored_chest
from xbdcnn.study.no_harm import Image, Method, disc_score
from xbdcnn.study.no_reference import correlation_with_anatomy

FRACTIONS = (1 / 2, 1 / 4, 1 / 16, 1 / 64)
"""Simulated doses as fractions of that of the radiograph."""

CHEST_DISPLAY = Display(STORED_BLACK, STORED_WHITE)
"""Logarithmic display of the stored values of `builtin_radiograph`."""

WINDOW = (0.9, 1.1)
"""Transmissions that are black and white in the display of repeated exposures."""


class DoseCase(NamedTuple):
    """A field of a radiograph, (H, W) float32 in [0, 1], at full and at a lower dose."""

    image: str
    fraction: float
    full: Image
    lower: Image


def lower_dose(image: NDArray, fraction: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """f + sqrt(1 / fraction - 1) s(f) (K * z): a radiograph as if exposed with a part of its dose.

    s(f): standard deviation of the radiograph's own noise by grey level and K: Gaussian blur of its
    correlation length, both from `noise_report`; z: white normal noise, K * z scaled to variance 1.
    Quantum noise at a dose fraction has the variance s^2 / fraction; s^2 is there already. The
    added noise has the law and the spectrum of the own noise. Electronic noise, whose share grows
    at a lower dose, is not simulated. Fine anatomy counts as noise in s, so that the noise is
    rather too strong and the simulated dose rather lower than `fraction`.

    image: (H, W), uint8 or uint16 stored values or floating point in [0, 1], at least about 200 x
    200 pixels. Returns float64 in the same unit, neither clipped nor rounded. XbdcnnError for a
    fraction outside (0, 1] or if the noise of the image cannot be determined.
    """
    if not 0 < fraction <= 1:
        raise XbdcnnError(f"fraction {fraction:g}: choose a dose above 0, at most 1")
    report = noise_report(image)
    if report.bins is None or report.correlation_length is None:
        raise XbdcnnError("the noise of the image cannot be determined; use a larger radiograph")
    top = 1.0 if np.issubdtype(image.dtype, np.floating) else float(np.iinfo(image.dtype).max)
    grey = image.astype(np.float64) * (GREY_LEVELS / top)
    own = np.interp(grey, report.bins.signal, np.sqrt(report.bins.variance))
    noise = unit_noise(grey.shape, report.correlation_length, rng)
    return (grey + np.sqrt(1 / fraction - 1) * own * noise) * (top / GREY_LEVELS)


def unit_noise(
    shape: tuple[int, ...], blur: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Normal noise (H, W) of variance 1, correlated by a Gaussian of `blur` pixels."""
    white = torch.from_numpy(rng.normal(size=shape))
    noise = scintillator_blur(white[None, None], blur)[0, 0].numpy()
    return noise / noise.std()


def chest_doses(fractions: Sequence[float] = FRACTIONS, seed: int = 0) -> list[DoseCase]:
    """Simulate lower doses of the built-in radiograph: noise is added to its stored values.

    Returns its four fields of "table2" at each fraction, displayed as `builtin_radiograph`. The
    logarithm of a noisy signal is on average below that of its mean, so that white areas become
    lighter at a very low dose. No method that knows the displayed image only can correct that.
    """
    stored = stored_chest().astype(np.uint16)
    full = display_chest(stored)
    cases = []
    for number, fraction in enumerate(fractions):
        lower = display_chest(lower_dose(stored, fraction, np.random.default_rng(seed + number)))
        cases += [
            DoseCase(f"field-{index}", fraction, full[field].copy(), lower[field].copy())
            for index, field in enumerate(field_slices("table2"))
        ]
    return cases


def display_chest(stored: NDArray) -> Image:
    """Grey levels in [0, 1] of the built-in radiograph's stored values, see `CHEST_DISPLAY`."""
    signal = torch.from_numpy(stored.astype(np.float64)).clamp(min=SMALLEST_SIGNAL)
    return displayed(signal, CHEST_DISPLAY).clamp(0, 1).float().numpy()


def dose_scores(
    cases: Iterable[DoseCase],
    methods: Mapping[str, Method],
    radius: int = 4,
    contrast: float = 8.0,
) -> pd.DataFrame:
    """Restore images of a lower dose and compare them with those of the full dose.

    The full dose has noise of its own: the noise-free image differs from it, and a method that
    keeps a part of the noise can score higher than the noise-free image. Discs of `radius` pixels
    and `contrast` grey levels are inserted before the method. A method that has to be told the
    noise levels estimates them, or is bound to them, one call for each fraction.

    Returns:
        One row per case and method: image, fraction, method;
        psnr: in dB against the full dose; anatomy: correlation of what was removed with the full
        dose, see `no_reference.correlation_with_anatomy`; kept, d_prime: see `Detectability` there;
        detectability: d_prime divided by d' at full dose without any method.
    """
    rows: list[dict[str, Any]] = []
    for case in cases:
        full = disc_score(lambda f: f, case.full, case.full, radius, contrast)["d_prime"]
        for label, method in methods.items():
            restored = method(case.lower)
            score = disc_score(method, case.lower, restored, radius, contrast)
            rows.append(
                {
                    "image": case.image,
                    "fraction": case.fraction,
                    "method": label,
                    "psnr": float(metrics.psnr(restored, case.full)),
                    "anatomy": correlation_with_anatomy(case.lower - restored, case.full),
                    **score,
                    "detectability": score["d_prime"] / full,
                }
            )
    return pd.DataFrame(rows)


def corrected_flats(
    exposures: Exposures, window: tuple[float, float] = WINDOW
) -> NDArray[np.float32]:
    """t_i = (q_i - d) / (Q - d): half of a detector's flats, corrected with the other half.

    d: mean dark frame; Q: mean of the even flats; q_i: an odd flat. Each t_i is divided by its
    mean, so that the flicker of the beam is not counted as noise, and displayed in a `window` of
    transmissions: black, white. A narrow window makes the noise strong.

    Returns (n, H, W) float32, clipped to [0, 1]. XbdcnnError for fewer than 20 flats, which do not
    correct the gain of the pixels well, or frames of fewer than 16 pixels a side, which `denoise`
    does not accept. Of the packaged detectors only "k11" has both: "tooth" has two rows, and the
    Savu cameras have five flats each.
    """
    flats = exposures.flats - exposures.darks.mean(axis=0)
    if len(flats) < 20 or min(flats.shape[1:]) < SMALLEST_SIDE:
        raise XbdcnnError(f"flats of shape {flats.shape}: load_exposures('k11') has enough")
    t = flats[1::2] / flats[::2].mean(axis=0)
    t = t / t.mean(axis=(1, 2), keepdims=True)
    black, white = window
    return ((t - black) / (white - black)).clip(0, 1).astype(np.float32)


def exposure_scores(
    frames: NDArray[np.float32], methods: Mapping[str, Method], count: int = 10
) -> pd.DataFrame:
    """Compare single real exposures with the mean of all others of the same scene.

    frames: (n, H, W) in [0, 1], n >= 3, of which the first `count` are restored. In the frames of
    `corrected_flats` the scene is uniform: the error tells how much of the noise of a real detector
    is removed, and nothing about structure. A constant image scores best there.

    Returns:
        One row per frame and method: image (number of the frame), method;
        rmse: root mean square error against the mean of the other frames, in grey levels;
        reference_noise: standard deviation of the noise of that mean, in grey levels.
    """
    if len(frames) < 3:
        raise XbdcnnError(f"{len(frames)} frames: give at least three exposures of one scene")
    rows: list[dict[str, Any]] = []
    for number, frame in enumerate(frames[:count]):
        others = np.delete(frames, number, axis=0).astype(np.float64)
        reference, variance = others.mean(axis=0), others.var(axis=0, ddof=1).mean()
        floor = float(GREY_LEVELS * np.sqrt(variance / len(others)))
        for label, method in methods.items():
            error = GREY_LEVELS * float(np.sqrt(np.mean((method(frame) - reference) ** 2)))
            facts = {"image": number, "method": label}
            rows.append(facts | {"rmse": error, "reference_noise": floor})
    return pd.DataFrame(rows)
