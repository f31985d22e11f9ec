"""What the noise model costs: every method on the noise of a detector, at equal noisy PSNR.

The networks were trained on Eq. 1, whose noise is white and has a variance that is linear in the
grey level. Here the same images get the noise of `detector.detector_noise`, which is neither, with
the dose at which the noisy PSNR is that of Eq. 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from xbdcnn import metrics
from xbdcnn.detector import (
    GREY_IS_PHOTONS,
    RADIOGRAPH,
    Display,
    detector_noise,
    displayed,
    transmission,
)
from xbdcnn.inference.methods import Method
from xbdcnn.models import Denoised
from xbdcnn.noise import GREY_LEVELS, add_hybrid_noise
from xbdcnn.study.scoring import BEFORE
from xbdcnn.study.statistics import bootstrap_interval

LEVELS = ((1.6, 5.0), (0.6, 10.0))
"""Nominal (eta, sigma), both within the trained range, whose noisy PSNR is made physically."""

DOSES = (1.0, 1e8)
"""Quanta per pixel at transmission 1 between which `matched_dose` searches."""

LARGEST_ETA = 1000.0
"""Photons per grey level that a method is told if the variance does not rise with the grey level:
at white their quantum noise is 0.5 grey levels."""

EQ_1 = "Eq. 1"
RIVAL = "GAT+BM3D"
INVERTED = "GAT+BM3D, display inverted"
"""Labels of the noise of the paper, of the method that is told levels, and of the same method
applied to the transmissions, in which the noise is that of Eq. 1 for any display."""

CONDITION = ["eta", "sigma", "noise"]


class Detector(NamedTuple):
    """Display, blur of the scintillator in pixels and electronic noise in quanta."""

    display: Display = RADIOGRAPH
    blur: float = 0.0
    electronic: float = 0.0


def detectors(eta: float, sigma: float) -> dict[str, Detector]:
    """Return the kinds of noise by label: Eq. 1 at these levels, then quantum-limited detectors."""
    return {
        EQ_1: Detector(GREY_IS_PHOTONS, electronic=eta * sigma),
        "logarithmic display": Detector(),
        "logarithmic display, blur 0.5 px": Detector(blur=0.5),
        "logarithmic display, blur 1 px": Detector(blur=1.0),
        "linear display": Detector(RADIOGRAPH._replace(logarithmic=False)),
    }


def expose(g: Tensor, detector: Detector, dose: float, seed: int) -> Tensor:
    """Return g (1, 1, H, W) with the noise of a detector, see `detector_noise`; clipped."""
    generator = torch.Generator().manual_seed(seed)
    display, blur, electronic = detector
    return detector_noise(g, dose, electronic, blur, display, generator)


def matched_dose(g: Tensor, detector: Detector, psnr: float, seed: int) -> float:
    """Find the dose, quanta per pixel at transmission 1, of a noisy PSNR in dB, by bisection.

    The electronic noise of the detector is in quanta, so its share rises as the dose falls.
    """
    low, high = DOSES
    for _ in range(24):
        middle = math.sqrt(low * high)
        if metrics.psnr(expose(g, detector, middle, seed), g) < psnr:
            low = middle
        else:
            high = middle
    return high


def fitted_levels(clean: Tensor, noisy: Tensor) -> tuple[float, float]:
    """Fit eta and sigma to the squared error e^2 of an image: g / eta + sigma^2, least squares.

    The line has the mean of e^2; its slope is limited to what leaves sigma^2 >= 0 (then sigma = 0)
    and eta <= `LARGEST_ETA`. This is what a method that assumes Eq. 1 is told about noise of
    another law. Images of one shape with values in [0, 1]; returns photons per grey level, and
    grey levels.
    """
    level = GREY_LEVELS * clean.double()
    squared = (GREY_LEVELS * (noisy - clean).double()).square()
    brightness, variance = float(level.mean()), float(squared.mean())
    deviation = level - brightness
    slope = float((deviation * squared).mean() / deviation.square().mean())
    slope = min(max(slope, 1 / LARGEST_ETA), variance / brightness)
    return 1 / slope, math.sqrt(max(variance - slope * brightness, 0.0))


def noise_bias(g: Tensor, detector: Detector, dose: float, draws: int = 16) -> float:
    """Systematic error of the noise in grey levels: rms over the image of E[f] - g.

    The logarithm of few photons and clipping shift the mean. No method can remove an error that it
    does not know, so PSNR is limited to 20 log10(255 / bias). The variance that the mean of the
    draws still has is subtracted.
    """
    images = torch.cat([expose(g, detector, dose, seed) for seed in range(draws)]).double()
    variance = images.var(dim=0).mean() / draws
    bias = (images.mean(dim=0) - g[0]).square().mean() - variance
    return GREY_LEVELS * float(bias.clamp(min=0).sqrt())


def invert_display(method: Method, display: Display) -> Method:
    """Return a method that is applied to transmissions and told the levels of their noise."""

    def restore(noisy: NDArray, eta: float, sigma: float) -> Denoised[NDArray]:
        light = transmission(torch.from_numpy(noisy), display).numpy()
        restored = torch.from_numpy(method(light, eta, sigma).image)
        floor = min(display.black, display.white)
        return Denoised(displayed(restored.clamp(min=floor), display).clamp(0, 1).numpy())

    return restore


def evaluate_detectors(
    methods: dict[str, Method],
    fields: Sequence[NDArray[np.floating]],
    levels: Sequence[tuple[float, float]] = LEVELS,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the PSNR of every method on every kind of noise, at equal noisy PSNR per image.

    Methods that are told levels are told `fitted_levels` of the image. If GAT+BM3D is among them,
    it is also applied to the transmissions, so that the cost of a wrong law can be distinguished
    from noise that is harder to remove.

    methods: by label. fields: clean, (H, W) in [0, 1]. levels: nominal (eta, sigma).

    Returns:
        One row per levels, image, kind of noise and method: eta, sigma, image, noise, dose, bias
        (grey levels), told_eta, told_sigma, method, psnr in dB.
    """
    rows: list[dict[str, Any]] = []
    cases = list(product(levels, enumerate(fields)))
    for (eta, sigma), (number, field) in tqdm(cases, desc="fields", disable=not progress):
        g = torch.from_numpy(np.ascontiguousarray(field, np.float32))[None, None]
        generator = torch.Generator().manual_seed(number)
        noisy = add_hybrid_noise(g, eta, sigma, generator)
        psnr = float(metrics.psnr(noisy[0, 0], g[0, 0]))
        for label, detector in detectors(eta, sigma).items():
            facts = {"eta": eta, "sigma": sigma, "image": number, "noise": label}
            rows += [facts | row for row in _scores(methods, g, detector, psnr, number)]
    return pd.DataFrame(rows)


def _scores(
    methods: dict[str, Method], g: Tensor, detector: Detector, psnr: float, seed: int
) -> list[dict[str, Any]]:
    """Score every method on one exposure of the given noisy PSNR."""
    dose = matched_dose(g, detector, psnr, seed)
    noisy, display = expose(g, detector, dose, seed), detector.display
    told = fitted_levels(g, noisy)
    light = fitted_levels(transmission(g, display), transmission(noisy, display))
    runs = [(BEFORE, lambda f, eta, sigma: Denoised(f), told)]
    runs += [(label, method, told) for label, method in methods.items()]
    if RIVAL in methods:
        runs.append((INVERTED, invert_display(methods[RIVAL], display), light))
    facts = {"dose": dose, "bias": noise_bias(g, detector, dose)}
    rows = []
    for label, method, (eta, sigma) in runs:
        restored = method(noisy[0, 0].numpy(), eta, sigma).image
        row = {"told_eta": eta, "told_sigma": sigma, "method": label}
        rows.append(facts | row | {"psnr": metrics.psnr(restored, g[0, 0])})
    return rows


def mean_gains(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the gain in PSNR over the noisy image, and its change against Eq. 1.

    rows: from `evaluate_detectors`.

    Returns:
        One row per levels, kind of noise and method, in the order of the rows: gain, and cost, the
        gain on Eq. 1 minus this one on the same images, both in dB with 95 % bootstrap intervals
        over images (_low, _high), and the number of images.
    """
    case = [*CONDITION, "image"]
    before = rows[rows["method"] == BEFORE].set_index(case)["psnr"].rename("before")
    table = rows[rows["method"] != BEFORE].join(before, on=case)
    table["gain"] = table["psnr"] - table["before"]
    pair = ["eta", "sigma", "image", "method"]
    reference = table[table["noise"] == EQ_1].set_index(pair)["gain"].rename("reference")
    table = table.join(reference, on=pair)
    table["cost"] = table["reference"] - table["gain"]
    group = [*CONDITION, "method"]
    return pd.DataFrame(
        dict(zip(group, key, strict=True)) | _with_intervals(part)
        for key, part in table.groupby(group, sort=False)
    )


def _with_intervals(part: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in ("gain", "cost"):
        low, high = bootstrap_interval(part[name])
        found |= {name: part[name].mean(), f"{name}_low": low, f"{name}_high": high}
    return found | {"images": len(part)}


def cost_text(gains: pd.DataFrame, method: str) -> str:
    """Describe what each kind of noise costs a method at the strongest noise of the table.

    gains: from `mean_gains`.
    """
    rows = gains[(gains["method"] == method) & (gains["eta"] == gains["eta"].min())]
    first = rows.iloc[0]
    costs = [
        f"{row.cost:.2f} dB [{row.cost_low:.2f}, {row.cost_high:.2f}] for '{row.noise}'"
        for row in rows[rows["noise"] != EQ_1].itertuples()
    ]
    return (
        f"{method} gains {first['gain']:.2f} dB on Eq. 1 at eta {first['eta']:g}, sigma "
        f"{first['sigma']:g}, and less on physically made noise of the same PSNR: by "
        f"{', '.join(costs)}; means of {first['images']} images, one draw of the noise each"
    )
