"""The noise of real images: variance by signal, noise power spectrum, correlation, fitted law.

Modules: `photon_transfer` measures the variance as a function of the signal, `spectrum` how the
noise of adjacent pixels is correlated, and `laws` fits the four laws that the variance can follow.
`report` measures all of it in one radiograph, in the quietest of its `blocks`. No network needs
them, neither to be trained nor to be applied.
"""

from __future__ import annotations

from xbdcnn.measured_noise.laws import NoiseLaw, fit_laws
from xbdcnn.measured_noise.photon_transfer import (
    NoiseBins,
    PhotonTransfer,
    mean_variance,
    repeated_exposures,
    single_exposure,
    two_exposures,
)
from xbdcnn.measured_noise.report import (
    CLEAR_MARGIN,
    LARGEST_DEVIATION,
    REQUIRED_BLOCKS,
    WEAK_MARGIN,
    NoiseAt,
    NoiseReport,
    edge_of_training,
    noise_report,
    trained_noise,
    training_mismatches,
)
from xbdcnn.measured_noise.spectrum import (
    correlation_length,
    detail_transfer,
    neighbour_correlation,
    noise_power_spectrum,
)

__all__ = [
    "CLEAR_MARGIN",
    "LARGEST_DEVIATION",
    "REQUIRED_BLOCKS",
    "WEAK_MARGIN",
    "NoiseAt",
    "NoiseBins",
    "NoiseLaw",
    "NoiseReport",
    "PhotonTransfer",
    "correlation_length",
    "detail_transfer",
    "edge_of_training",
    "fit_laws",
    "mean_variance",
    "neighbour_correlation",
    "noise_power_spectrum",
    "noise_report",
    "repeated_exposures",
    "single_exposure",
    "trained_noise",
    "training_mismatches",
    "two_exposures",
]
