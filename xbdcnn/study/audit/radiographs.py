"""Experiments on whether a method does harm: ordinary radiographs, lower doses, weak noise.

Networks get the image only. A classical method has to be told noise levels; here it gets those that
the level estimator of the generalist finds in the image, so that all methods know the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.data.builtin import builtin_fields
from xbdcnn.data.exposures import load_exposures
from xbdcnn.data.patches import central_crop
from xbdcnn.data.source import Source
from xbdcnn.inference.methods import collect_methods
from xbdcnn.inference.precision import Precision
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.inference.successor import PretrainedSuccessor
from xbdcnn.inference.zoo import find_entry
from xbdcnn.noise import sample_levels
from xbdcnn.study.audit.out_of_range import evaluate_conditions
from xbdcnn.study.dose import chest_doses, corrected_flats, dose_scores, exposure_scores
from xbdcnn.study.no_harm import Image, Method, disc_scores, residual_scores
from xbdcnn.study.scoring import BEFORE, Case, noisy_image

ESTIMATING = "generalist"
"""Network whose level estimator tells the classical methods the noise levels."""

NETWORKS = ("generalist", "xbdcnn")
TOLD = ("GAT+BM3D", "NLM")
"""Classical methods that are told the estimated levels."""

WEAK_NOISE_METHODS = ("generalist", "specialist", "xbdcnn", "GAT+BM3D")
"""Methods of `weak_noise`, where the classical one is told the true levels."""

WEAK_LEVELS = ((20.0, 1.0), (6.0, 3.0), (2.0, 5.0), (0.6, 10.0), (0.2, 20.0))
"""(eta, sigma) of weaker to stronger noise: 2.7 to 32 grey levels at mid grey."""

WEAK_BLURS = (0.0, 1.0)
"""Blur in pixels that correlates the noise."""

PRECISION: Precision = "fp32"
"""The residual of an ordinary radiograph is small; a lower precision would add rounding errors."""

CR, TEST = "built-in CR", "test radiographs"
"""Values of the column `origin` of the tables of ordinary radiographs."""


def removed(source: Source, count: int = 6, side: int = 512) -> pd.DataFrame:
    """Measure what is removed from ordinary radiographs, to which no noise is added.

    Returns the rows of `no_harm.residual_scores` and their `origin`.
    """
    rows = residual_scores(ordinary_images(source, count, side), compared_methods())
    return with_origin(rows)


def discs(source: Source, count: int = 6, side: int = 256) -> pd.DataFrame:
    """Measure the discs that remain visible in ordinary radiographs.

    Returns the rows of `no_harm.disc_scores` and their `origin`; the unrestored image counts as a
    method.
    """
    images = ordinary_images(source, count, side)
    return with_origin(disc_scores(images, {BEFORE: unrestored} | compared_methods()))


def doses(source: Source) -> pd.DataFrame:
    """Restore simulated lower doses of the built-in radiograph; `source` is not used.

    Returns the rows of `dose.dose_scores`; the unrestored image counts as a method.
    """
    return dose_scores(chest_doses(), {BEFORE: unrestored} | compared_methods())


def exposures(source: Source) -> pd.DataFrame:
    """Restore repeated exposures of the detector K11; `source` is not used.

    Returns the rows of `dose.exposure_scores`; the unrestored image counts as a method.
    """
    frames = corrected_flats(load_exposures("k11"))
    return exposure_scores(frames, {BEFORE: unrestored} | compared_methods())


def weak_noise(source: Source, count: int = 10, side: int = 512) -> pd.DataFrame:
    """Measure PSNR under weak to strong noise, white and correlated, on references with less noise.

    At weak noise the noise of the test radiographs themselves decides their PSNR: a method that
    removes it, too, scores lower than one that keeps it. The mean of 2x2 pixels halves it if it is
    white; the references are the means of the central fields of `side` pixels. Returns the rows of
    `out_of_range.evaluate_conditions`.
    """
    references = [halved(central_crop(image, side)) for image in source.images("test", count)]
    methods = collect_methods(tuple(CLASSICAL), PRECISION, only=WEAK_NOISE_METHODS)
    return evaluate_conditions(methods, references, conditions=weak_conditions())


def weak_conditions() -> list[dict[str, float]]:
    """List the conditions of `weak_noise`: each pair of levels, white and correlated."""
    return [
        {"eta": eta, "sigma": sigma, "blur": blur, "gain": 1.0}
        for eta, sigma in WEAK_LEVELS
        for blur in WEAK_BLURS
    ]


def halved(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average 2x2 pixels: (H, W) -> (H // 2, W // 2) float32; an odd last row or column is cut."""
    height, width = (length // 2 for length in image.shape)
    blocks = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return blocks.mean(axis=(1, 3), dtype=np.float64).astype(np.float32)


def whole_levels(source: Source, count: int = 30, draws: int = 3, seed: int = 0) -> pd.DataFrame:
    """Estimate eta and sigma of whole test radiographs at random levels of the paper's range.

    Returns one row per radiograph and draw of the levels: image, eta, sigma, est_eta, est_sigma,
    and the ends of the 95 % intervals eta_low, eta_high, sigma_low, sigma_high.
    """
    images = source.images("test", count)
    drawn = sample_levels(draws * len(images), torch.Generator().manual_seed(seed))
    measure = estimating_network().measure
    rows = []
    for number, (eta, sigma) in enumerate(zip(*drawn, strict=True)):
        which = number % len(images)
        case = Case(f"test-{which:02d}", images[which], float(eta), float(sigma), seed + number)
        found = measure(noisy_image(case))
        row = {"image": case.image, "eta": case.eta, "sigma": case.sigma}
        for k, name in enumerate(("eta", "sigma")):
            row[f"est_{name}"] = found.levels[k]
            row[f"{name}_low"], row[f"{name}_high"] = found.lowest[k], found.highest[k]
        rows.append(row)
    return pd.DataFrame(rows)


def level_accuracy(rows: pd.DataFrame) -> pd.Series:
    """Share of the rows of `whole_levels` whose estimate is accurate, and whose interval covers.

    Accurate: eta within 10 %, sigma within 1 grey level. An interval should cover the true level
    in 95 % of the radiographs.
    """
    shares = {
        "eta within 10 %": (rows["est_eta"] / rows["eta"] - 1).abs() <= 0.1,
        "sigma within 1 grey level": (rows["est_sigma"] - rows["sigma"]).abs() <= 1.0,
        "interval of eta covers": rows["eta"].between(rows["eta_low"], rows["eta_high"]),
        "interval of sigma covers": rows["sigma"].between(rows["sigma_low"], rows["sigma_high"]),
    }
    return pd.Series({name: float(holds.mean()) for name, holds in shares.items()})


def ordinary_images(source: Source, count: int, side: int) -> dict[str, Image]:
    """Return central fields of at most `side` pixels, by name, to which no noise was added.

    Of the four fields "table2" of the built-in radiograph, then of the first `count` radiographs of
    the source's test split.
    """
    images = {CR: builtin_fields("table2"), TEST: source.images("test", count)}
    return {
        f"{origin}, {number}": central_crop(image, side)
        for origin, group in images.items()
        for number, image in enumerate(group)
    }


def with_origin(rows: pd.DataFrame) -> pd.DataFrame:
    """Add `origin` to rows of `ordinary_images`: `CR` or `TEST`."""
    return rows.assign(origin=rows["image"].str.rsplit(", ", n=1).str[0])


def compared_methods() -> dict[str, Method]:
    """Return functions of one image by label: the networks `NETWORKS`, then the methods `TOLD`."""
    estimating = estimating_network()
    return {
        find_entry(name).label: load_pretrained(name, precision=PRECISION).denoise
        for name in NETWORKS
    } | {
        f"{name}, estimated levels": with_estimated_levels(CLASSICAL[name], estimating)
        for name in TOLD
    }


def estimating_network() -> PretrainedSuccessor:
    """Load the network whose `measure` estimates noise levels, see `ESTIMATING`."""
    network = load_pretrained(ESTIMATING, precision=PRECISION)
    assert isinstance(network, PretrainedSuccessor)
    return network


def with_estimated_levels(denoise: Callable[..., Image], network: PretrainedSuccessor) -> Method:
    """Return a classical method that is told the levels which a network estimates in each image."""

    def method(image: Image) -> Image:
        eta, sigma = network.measure(image).levels
        return denoise(image, eta=eta, sigma=sigma)

    return method


def unrestored(image: Image) -> Image:
    """Return the image itself."""
    return image
