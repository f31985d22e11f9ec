"""The noise of one radiograph as it comes: strength by grey level, correlation length, law."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn import paper
from xbdcnn._common.errors import require_radiograph
from xbdcnn.measured_noise.blocks import BLOCK, Blocks, measure_blocks, simulated_noise
from xbdcnn.measured_noise.laws import NoiseLaw, contrast, fit_laws
from xbdcnn.measured_noise.photon_transfer import NoiseBins, equal_groups
from xbdcnn.measured_noise.spectrum import correlation_length
from xbdcnn.noise import (
    GREY_LEVELS,
    LARGEST_BLUR,
    STRONGEST_NOISE,
    TrainingNoise,
    noise_variance,
)

BLOCKS_PER_BIN, MOST_BINS = 50, 16
"""Blocks in a bin at least, and bins at most."""

REQUIRED_BLOCKS = 3 * BLOCKS_PER_BIN
"""Blocks that an image needs for its noise to be determined: about 200x200 pixels."""

PERCENTILES = (10, 50, 90)
"""Percentiles of the blocks' mean grey levels that are called dark, middle and bright."""

WEAK_MARGIN, CLEAR_MARGIN = 2.0, 10.0
"""Differences of AIC from which on a law is probably, and clearly, the best one (Burnham and
Anderson, Model Selection and Multimodel Inference, 2nd ed. 2002, Sec. 2.6)."""

LARGEST_DEVIATION = 0.25
"""Root mean square relative deviation of the variances up to which a law describes them."""

LONGEST_UNCORRELATED = 0.4
"""Correlation length in pixels up to which noise counts as uncorrelated; rho is then 0.09."""

LONGEST_TRAINED = {"paper": LONGEST_UNCORRELATED, "radiographs": LARGEST_BLUR}
"""Longest correlation in pixels of the noise of a training; Eq. 1 draws pixels independently."""

TOLERANCE = 0.15
"""Relative error of the standard deviations of a report."""

EDGE = 0.05
"""Relative distance from a limit of the training up to which an estimate is at its edge."""

_CONTAINING = {"linear": ("affine", "power")}
"""Laws that contain another one and so fit as well as it; they are no rivals of it."""


class NoiseAt(NamedTuple):
    """Standard deviation of the noise at a grey level, both in 8-bit grey levels."""

    grey: float
    noise: float


class NoiseReport(NamedTuple):
    """Noise of one radiograph; each field but `blocks` is None, or empty, if undetermined.

    If only the law is, the image has too little contrast.

    levels: noise in dark, middle and bright parts, at the `PERCENTILES` of the local mean;
    correlation_length: pixels, see `spectrum.correlation_length`; law: the best of `fit_laws` in
    grey levels; margin: AIC of its best rival minus its own, see `CLEAR_MARGIN`; bins: the measured
    variances; blocks: number of blocks of 16x16 pixels behind them.
    """

    levels: tuple[NoiseAt, ...] = ()
    correlation_length: float | None = None
    law: NoiseLaw | None = None
    margin: float | None = None
    bins: NoiseBins | None = None
    blocks: int = 0


def noise_report(image: NDArray) -> NoiseReport:
    """Measure the noise of one radiograph (H, W), of the types and sizes that `denoise` accepts.

    The variance is that of the quietest blocks, see `blocks`, corrected for their correlation; the
    Haar detail of `single_exposure` would underestimate correlated noise. Fine anatomy counts as
    noise; 4 to 20 grey levels of noise added to the built-in radiograph are found within 10 %.
    Correlation lengths below 0.4 pixels cannot be told from none.

    The noise is undetermined if fewer than `REQUIRED_BLOCKS` are neither clipped nor constant, or
    if its correlation length exceeds 1.7 pixels, which cannot be told from anatomy. XbdcnnError for
    arrays that `denoise` does not accept.
    """
    require_radiograph(image)
    blocks = measure_blocks(image)
    count = len(blocks.mean)
    if count < REQUIRED_BLOCKS:
        return NoiseReport(blocks=count)
    groups = equal_groups(blocks.mean, min(MOST_BINS, count // BLOCKS_PER_BIN))
    quiet = [blocks.quietest(group) for group in groups]
    known = simulated_noise()
    correlation = float(np.median([blocks.correlation(chosen) for chosen in quiet]))
    if correlation > known.correlation[-1]:
        return NoiseReport(blocks=count)
    length = float(np.interp(correlation, known.correlation, known.blur))
    bins = _bins(blocks, quiet, float(np.interp(length, known.blur, known.share)))
    law, margin = best_law(bins) if contrast(bins) else (None, None)
    return NoiseReport(_at_percentiles(blocks, bins), length, law, margin, bins, count)


def _bins(blocks: Blocks, quiet: list[NDArray[np.intp]], share: float) -> NoiseBins:
    """Noise variance by mean grey level, corrected for the share that the residuals keep."""
    return NoiseBins(
        np.array([blocks.mean[chosen].mean() for chosen in quiet]),
        np.array([np.median(blocks.variance[chosen]) / share for chosen in quiet]),
        np.array([len(chosen) * float(BLOCK**2) for chosen in quiet]),
    )


def _at_percentiles(blocks: Blocks, bins: NoiseBins) -> tuple[NoiseAt, ...]:
    greys = np.percentile(blocks.mean, PERCENTILES)
    noise = np.interp(greys, bins.signal, np.sqrt(bins.variance))
    return tuple(NoiseAt(float(grey), float(at)) for grey, at in zip(greys, noise, strict=True))


def best_law(bins: NoiseBins) -> tuple[NoiseLaw, float]:
    """Return the law of `fit_laws` that fits best, and AIC of its best rival minus its own.

    No law describes an image exactly, so that a large number of samples would make the smallest
    difference decisive. The number is therefore divided by the ratio of the mean squared deviation
    from the best law to that which it predicts (quasi-likelihood, McCullagh and Nelder 1989,
    Chap. 9).
    """
    best = fit_laws(bins)[0]
    deviation = bins.samples / 2 * (bins.variance / best.variance(bins.signal) - 1) ** 2
    excess = deviation.sum() / max(1, len(deviation) - len(best.parameters))
    laws = fit_laws(bins._replace(samples=bins.samples / max(1.0, excess)))
    rivals = [law for law in laws[1:] if law.name not in _CONTAINING.get(laws[0].name, ())]
    return laws[0], rivals[0].aic - laws[0].aic


def trained_noise(grey: float, training: TrainingNoise = "paper") -> tuple[float, float]:
    """Least and most noise of a training at a grey level; all in grey levels.

    "paper": Eq. 1 with eta and sigma at the ends of their ranges, `paper.ETA_RANGE` and
    `paper.SIGMA_RANGE`; "radiographs": from none to `STRONGEST_NOISE`.

    >>> [round(noise, 1) for noise in trained_noise(127.5)]
    [8.2, 26.8]
    """
    if training == "radiographs":
        return 0.0, STRONGEST_NOISE
    ends = zip(reversed(paper.ETA_RANGE), paper.SIGMA_RANGE, strict=True)
    low, high = (noise_variance(grey / GREY_LEVELS, *levels) ** 0.5 for levels in ends)
    return low, high


def training_mismatches(report: NoiseReport, training: TrainingNoise = "paper") -> list[str]:
    """Return how noise differs from that of a training: "weaker", "stronger", "correlated".

    Weaker or stronger: in the dark, middle or bright parts it is below or above `trained_noise` by
    more than `TOLERANCE`. Correlated: its correlation length exceeds `LONGEST_TRAINED`. Empty if it
    does not differ or is undetermined.
    """
    ranges = [(at.noise, *trained_noise(at.grey, training)) for at in report.levels]
    found = {
        "weaker": any(noise < low * (1 - TOLERANCE) for noise, low, _ in ranges),
        "stronger": any(noise > high * (1 + TOLERANCE) for noise, _, high in ranges),
        "correlated": (report.correlation_length or 0.0) > LONGEST_TRAINED[training],
    }
    return [name for name, holds in found.items() if holds]


def edge_of_training(
    eta: float, sigma: float, training: TrainingNoise = "paper", correlation: float = 0.0
) -> str | None:
    """Return at which edge of a training estimated noise is: "weaker", "correlated", "stronger".

    An estimator does not go beyond its training, so noise outside it is estimated near its edge:
    within `EDGE` of the limits of `trained_noise` at mid grey, or beyond. eta: photons per grey
    level; sigma: grey levels; correlation: of adjacent pixels, at least. None if the estimate is
    inside. The correlation is compared with the training on the paper's noise only: a level
    estimator finds less correlation, not more, in noise blurred beyond that of radiographs.
    """
    least, most = trained_noise(GREY_LEVELS / 2, training)
    found = noise_variance(0.5, eta, sigma) ** 0.5
    if least and found < least * (1 + EDGE):
        return "weaker"
    if training == "paper" and correlation_length(correlation) > LONGEST_UNCORRELATED:
        return "correlated"
    return "stronger" if found > most * (1 - EDGE) else None
