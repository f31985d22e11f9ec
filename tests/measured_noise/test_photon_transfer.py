"""Photon transfer: simulated exposures give back gain, read-out noise and law of the variance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xbdcnn import detector, measured_noise, noise
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import builtin_crop

GAIN, READOUT = 1.6, 12.0


def exposures(frames: int, flicker: float = 0.0, side: int = 256) -> np.ndarray:
    """Counts of a detector with GAIN counts per quantum, READOUT counts of electronic noise."""
    generator = torch.Generator().manual_seed(1)
    ramp = torch.linspace(50, 2000, side, dtype=torch.float64).expand(frames, 1, side, side)
    beam = 1 + flicker * torch.randn(frames, generator=generator, dtype=torch.float64)
    quanta = detector.detected_quanta(ramp * beam[:, None, None, None], generator)
    counts = detector.light_output(quanta, GAIN, generator=generator)
    return (counts + detector.readout_noise(counts, READOUT, generator)).numpy()[:, 0]


def fitted(bins: measured_noise.NoiseBins, name: str) -> measured_noise.NoiseLaw:
    (law,) = [law for law in measured_noise.fit_laws(bins) if law.name == name]
    return law


@pytest.mark.parametrize("eta, sigma", [(0.4, 5.0), (0.8, 15.0), (1.9, 0.0)])
def test_photon_transfer_recovers_the_levels(eta, sigma):
    clean = np.linspace(0, 1, 1024)[None].repeat(1024, 0).astype(np.float32)
    noisy = noise.add_hybrid_noise_numpy(clean, eta, sigma, np.random.default_rng(1))
    transfer = measured_noise.mean_variance(clean, noisy)
    assert transfer.eta == pytest.approx(eta, rel=0.05)
    assert transfer.sigma == pytest.approx(sigma, abs=1.5)
    assert transfer.mean.shape == transfer.variance.shape == transfer.pixels.shape
    assert transfer.pixels.sum() == clean.size


def test_photon_transfer_needs_contrast_and_equal_shapes():
    flat = np.full((64, 64), 0.5)
    with pytest.raises(XbdcnnError, match="grey levels"):
        measured_noise.mean_variance(flat, flat)
    with pytest.raises(XbdcnnError, match="shape"):
        measured_noise.mean_variance(flat, flat[1:])


@pytest.mark.parametrize("eta, sigma", [(0.4, 5.0), (0.8, 10.0), (1.5, 5.0)])
def test_two_noisy_images_of_one_scene_give_the_levels_without_the_scene(eta, sigma):
    clean, rng = builtin_crop(512), np.random.default_rng(1)
    pair = [noise.add_hybrid_noise_numpy(clean, eta, sigma, rng) for _ in range(2)]
    transfer = measured_noise.two_exposures(*pair)
    assert transfer.eta == pytest.approx(eta, rel=0.05)
    assert transfer.sigma == pytest.approx(sigma, abs=0.5)
    assert transfer.pixels.sum() == clean.size
    with pytest.raises(XbdcnnError, match="both exposures"):
        measured_noise.two_exposures(pair[0], pair[1][1:])


def test_two_exposures_give_gain_and_readout_noise():
    bins = measured_noise.repeated_exposures(exposures(2, side=512))
    gain, offset = fitted(bins, "affine").parameters
    assert gain == pytest.approx(GAIN, rel=0.03)
    assert np.sqrt(offset) == pytest.approx(READOUT, rel=0.05)
    assert bins.samples.sum() == 512 * 512
    dark = np.random.default_rng(0).normal(50, READOUT, (2, 512, 512))
    spread = np.sqrt(measured_noise.repeated_exposures(dark, bins=1).variance)
    assert spread == pytest.approx(READOUT, rel=0.01)


@pytest.mark.parametrize("frames", [2, 8])
def test_beam_flicker_is_not_counted_as_noise(frames):
    steady, flickering = (exposures(frames, flicker) for flicker in (0.0, 0.05))
    counted = flickering.var(axis=0, ddof=1).mean() / steady.var(axis=0, ddof=1).mean()
    assert counted > 1.2
    gains = [
        fitted(measured_noise.repeated_exposures(shots), "affine").parameters[0]
        for shots in (steady, flickering)
    ]
    assert gains == pytest.approx([GAIN, GAIN], rel=0.06)


def test_exposures_must_be_several_and_have_a_signal():
    with pytest.raises(XbdcnnError, match="two exposures"):
        measured_noise.repeated_exposures(np.ones((1, 8, 8)))
    with pytest.raises(XbdcnnError, match="two exposures"):
        measured_noise.repeated_exposures(np.ones((8, 8)))
    with pytest.raises(XbdcnnError, match="positive mean"):
        measured_noise.repeated_exposures(np.zeros((2, 8, 8)))


@pytest.mark.parametrize("eta, sigma", [(0.4, 20.0), (1.9, 8.0)])
def test_one_radiograph_with_known_noise_gives_its_variance_within_10_percent(eta, sigma):
    clean = builtin_crop(512).astype(np.float64)
    noisy = noise.add_hybrid_noise_numpy(clean, eta, sigma, np.random.default_rng(0), clip=False)
    bins = measured_noise.single_exposure(255 * noisy)
    own = np.interp(bins.signal, *measured_noise.single_exposure(255 * clean)[:2])
    expected = noise.noise_variance(bins.signal / 255, eta, sigma) + own
    np.testing.assert_allclose(bins.variance, expected, rtol=0.1)
    assert len(bins.signal) == 16 and (np.diff(bins.signal) > 0).all()


def test_samples_predict_how_much_the_robust_variance_scatters():
    rng = np.random.default_rng(0)
    measured = [measured_noise.single_exposure(rng.normal(size=(64, 64)), 1) for _ in range(400)]
    variances, samples = (np.array([b[k][0] for b in measured]) for k in (1, 2))
    assert variances.mean() == pytest.approx(1, rel=0.02)
    assert variances.var() == pytest.approx(2 / samples[0], rel=0.15)


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (16, 16)])
def test_small_images_give_fewer_bins(shape):
    bins = measured_noise.single_exposure(np.random.default_rng(0).random(shape))
    assert 1 <= len(bins.signal) <= 3 and np.isfinite(bins.variance).all()


def test_a_row_of_pixels_is_refused():
    with pytest.raises(XbdcnnError, match="at least 2x2"):
        measured_noise.single_exposure(np.ones((1, 8)))
