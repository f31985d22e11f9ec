"""Fitted laws of the noise variance: the right one is named, with its parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xbdcnn import detector, noise
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.measured_noise import NoiseBins, fit_laws, repeated_exposures

SIGNAL = np.linspace(20, 240, 16)
TRUE = {
    "linear": (1.7,),
    "affine": (0.9, 50.0),
    "exponential": (30.0, 0.012),
    "power": (0.004, 2.3),
}
VARIANCE = {
    "linear": 1.7 * SIGNAL,
    "affine": 0.9 * SIGNAL + 50,
    "exponential": 30 * np.exp(0.012 * SIGNAL),
    "power": 0.004 * SIGNAL**2.3,
}


def sampled(name: str, seed: int, samples: float = 3000.0) -> NoiseBins:
    """Variances of bins as they scatter, chi-squared with `samples` degrees of freedom."""
    scatter = np.random.default_rng(seed).chisquare(samples, len(SIGNAL)) / samples
    return NoiseBins(SIGNAL, VARIANCE[name] * scatter, np.full(len(SIGNAL), samples))


def displayed_exposures(display: detector.Display, **settings: float) -> np.ndarray:
    """Eight exposures of a wedge of grey levels, in grey levels."""
    wedge = torch.linspace(0.1, 0.9, 256, dtype=torch.float64).expand(8, 1, 256, 256)
    generator = torch.Generator().manual_seed(2)
    return (
        255
        * detector.detector_noise(wedge, display=display, generator=generator, **settings)[
            :, 0
        ].numpy()
    )


@pytest.mark.parametrize("name", TRUE)
def test_parameters_are_found_for_every_law(name):
    (law,) = [law for law in fit_laws(sampled(name, seed=0)) if law.name == name]
    assert law.parameters == pytest.approx(TRUE[name], rel=0.2)
    np.testing.assert_allclose(law.variance(SIGNAL), VARIANCE[name], rtol=0.03)
    assert law.error < 0.05


@pytest.mark.parametrize("name", ["affine", "exponential", "power"])
def test_right_law_comes_first_for_ten_seeds(name):
    for seed in range(10):
        first, second = fit_laws(sampled(name, seed))[:2]
        assert first.name == name
        assert second.aic - first.aic > 10


def test_linear_law_is_preferred_unless_chance_favours_a_law_that_contains_it():
    laws = [fit_laws(sampled("linear", seed)) for seed in range(20)]
    assert sum(fits[0].name == "linear" for fits in laws) >= 12
    for fits in laws:
        aic = {law.name: law.aic for law in fits}
        assert aic["linear"] < min(aic.values()) + 8 and aic["exponential"] > aic["linear"] + 100


def test_eq_1_without_electronic_noise_is_linear_and_with_it_affine():
    clean = np.linspace(0.1, 0.9, 256)[None, None].repeat(256, 1).repeat(8, 0)
    rng = np.random.default_rng(0)
    for eta, sigma, name in ((0.6, 0.0, "linear"), (0.6, 15.0, "affine")):
        noisy = noise.add_hybrid_noise_numpy(clean, eta, sigma, rng, clip=False)
        law = fit_laws(repeated_exposures(255 * noisy.astype(np.float64)))[0]
        assert law.name == name
        assert law.parameters[0] == pytest.approx(1 / eta, rel=0.05)


def test_logarithmic_display_makes_the_variance_an_exponential_of_the_grey_level():
    bins = repeated_exposures(displayed_exposures(detector.RADIOGRAPH, dose=4000.0))
    law = fit_laws(bins)[0]
    assert law.name == "exponential"
    assert law.parameters[1] == pytest.approx(np.log(12.5) / 255, rel=0.03)
    grey = torch.from_numpy(bins.signal / 255)
    closed = detector.displayed_variance(grey, 4000.0, display=detector.RADIOGRAPH)
    np.testing.assert_allclose(law.variance(bins.signal), closed, rtol=0.05)


def test_likelihood_is_that_of_the_gamma_distribution():
    from scipy.stats import gamma

    bins = sampled("affine", seed=0, samples=40.0)
    for law in fit_laws(bins):
        mean = law.variance(bins.signal)
        expected = gamma.logpdf(bins.variance, 20.0, scale=mean / 20.0).sum()
        assert law.log_likelihood == pytest.approx(expected)
        assert law.aic == pytest.approx(2 * len(law.parameters) - 2 * expected)


@pytest.mark.parametrize("name", TRUE)
def test_no_other_parameters_are_more_likely(name):
    bins = sampled(name, seed=3)
    for law in fit_laws(bins):
        for factor in (0.999, 1.001):
            for k in range(len(law.parameters)):
                changed = list(law.parameters)
                changed[k] *= factor
                mean = law._replace(parameters=tuple(changed)).variance(bins.signal)
                shape = bins.samples / 2
                varying = -shape * (np.log(mean) + bins.variance / mean)
                best = law.variance(bins.signal)
                assert varying.sum() <= (-shape * (np.log(best) + bins.variance / best)).sum()


def test_falling_variances_are_fitted_with_a_positive_variance():
    falling = NoiseBins(SIGNAL, 1e4 / SIGNAL**1.5, np.full(16, 500.0))
    for law in fit_laws(falling):
        assert np.isfinite(law.log_likelihood) and (law.variance(SIGNAL) > 0).all()


def test_bins_that_are_empty_or_uniform_are_left_out_or_refused():
    bins = sampled("affine", seed=0)
    extended = NoiseBins(*(np.concatenate([[0.0], values, [0.0]]) for values in bins))
    assert fit_laws(extended) == fit_laws(bins)
    with pytest.raises(XbdcnnError, match="fewer than three bins"):
        fit_laws(NoiseBins(*(values[:2] for values in bins)))
    with pytest.raises(XbdcnnError, match="too uniform"):
        fit_laws(bins._replace(signal=100 + SIGNAL / 1000))
