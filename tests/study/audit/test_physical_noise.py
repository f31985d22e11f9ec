"""The noise of detectors: what it costs the methods, and the findings about the noise model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import poisson

from xbdcnn import metrics, noise, plotting
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.data import builtin_radiograph, find_source
from xbdcnn.detector import GREY_IS_PHOTONS, RADIOGRAPH, detector_noise
from xbdcnn.inference.methods import oracle_method
from xbdcnn.models import Denoised
from xbdcnn.study.audit import experiments, noise_model, physical_noise
from xbdcnn.study.audit.physical_noise import EQ_1, INVERTED, RIVAL, Detector
from xbdcnn.study.scoring import BEFORE

KINDS = physical_noise.detectors(0.6, 10.0)


def identity(noisy, eta, sigma):
    return Denoised(noisy)


def smoothing(noisy, eta, sigma):
    return Denoised(gaussian_filter(noisy, 2.0))


def ramp(side: int = 128, low: float = 0.2, high: float = 0.8) -> torch.Tensor:
    values = np.linspace(low, high, side * side, dtype=np.float32)
    return torch.from_numpy(values.reshape(1, 1, side, side))


@pytest.mark.parametrize("kind", KINDS)
def test_the_dose_gives_the_noisy_psnr(kind):
    dose = physical_noise.matched_dose(ramp(), KINDS[kind], 22.0, seed=1)
    noisy = physical_noise.expose(ramp(), KINDS[kind], dose, seed=1)
    assert metrics.psnr(noisy, ramp()).item() == pytest.approx(22.0, abs=0.05)


def test_the_dose_of_eq_1_is_its_photons_at_white():
    f = noise.add_hybrid_noise(ramp(256), 0.6, 10.0, torch.Generator().manual_seed(0))
    psnr = metrics.psnr(f, ramp(256)).item()
    dose = physical_noise.matched_dose(ramp(256), KINDS[EQ_1], psnr, seed=1)
    assert dose == pytest.approx(255 * 0.6, rel=0.02)


def test_blurred_noise_of_equal_psnr_has_fewer_quanta():
    doses = [physical_noise.matched_dose(ramp(), k, 25.0, seed=0) for k in KINDS.values()]
    white, half, one = doses[1:4]
    # A Gaussian of b pixels divides the variance of white noise by 4 pi b^2.
    assert white / one == pytest.approx(4 * np.pi, rel=0.1) and one < half < white


@pytest.mark.parametrize(("eta", "sigma"), [(0.6, 10.0), (1.6, 5.0)])
def test_levels_of_eq_1_are_recovered(eta, sigma):
    f = noise.add_hybrid_noise(ramp(1024), eta, sigma, torch.Generator().manual_seed(0))
    found = physical_noise.fitted_levels(ramp(1024), f)
    assert found == pytest.approx((eta, sigma), rel=0.05)


@pytest.mark.parametrize("kind", list(KINDS)[1:])
def test_levels_fitted_to_another_law_have_its_mean_variance_and_a_limited_slope(kind):
    noisy = physical_noise.expose(ramp(256), KINDS[kind], 200.0, seed=0)
    eta, sigma = physical_noise.fitted_levels(ramp(256), noisy)
    squared = (255 * (noisy - ramp(256))).square().mean().item()
    assert noise.noise_variance(0.5, eta, sigma) == pytest.approx(squared, rel=1e-3)
    if kind == "linear display":  # the variance falls with the grey level
        assert eta == physical_noise.LARGEST_ETA
    else:  # it rises faster than a line through the origin
        assert sigma == 0


def test_bias_is_that_of_the_logarithm_of_few_photons():
    g, dose = torch.full((1, 1, 128, 128), 0.7), 100.0
    expected = dose * RADIOGRAPH.white**0.7
    counts = np.arange(200)
    grey = np.log(dose / counts.clip(0.5)) / np.log(1 / RADIOGRAPH.white)
    bias = 255 * (poisson(expected).pmf(counts) @ grey.clip(0, 1) - 0.7)
    found = physical_noise.noise_bias(g, Detector(), dose)
    assert found == pytest.approx(bias, rel=0.1) and bias > 1
    assert physical_noise.noise_bias(g, Detector(GREY_IS_PHOTONS), 1e4) < 0.1


def test_a_method_behind_the_inverted_display_gets_transmissions():
    noisy = ramp(32)[0, 0].numpy()
    seen = []

    def record(light, eta, sigma):
        seen.append((light, eta, sigma))
        return Denoised(light)

    restored = physical_noise.invert_display(record, RADIOGRAPH)(noisy, 0.6, 10.0).image
    np.testing.assert_allclose(restored, noisy, atol=1e-5)
    np.testing.assert_allclose(seen[0][0], 0.08**noisy, rtol=1e-5)
    assert seen[0][1:] == (0.6, 10.0)


@pytest.mark.slow
def test_every_method_gets_every_kind_of_noise_at_equal_strength():
    fields = [ramp(48)[0, 0].numpy(), ramp(48, 0.1, 0.5)[0, 0].numpy()]
    methods = {"smoothing": smoothing, RIVAL: identity}
    rows = physical_noise.evaluate_detectors(methods, fields, progress=False)
    assert len(rows) == 2 * 2 * len(KINDS) * 4
    assert set(rows["method"]) == {BEFORE, "smoothing", RIVAL, INVERTED}
    before = rows[rows["method"] == BEFORE].groupby(["eta", "image"])["psnr"]
    assert (before.max() - before.min()).max() < 0.2
    gains = physical_noise.mean_gains(rows).set_index(["noise", "method", "eta"])
    assert gains.loc[(EQ_1, RIVAL, 0.6), "gain"] == 0
    assert gains.loc[(EQ_1, "smoothing", 0.6), "gain"] > 5
    cost = gains["cost"].xs(("smoothing", 0.6), level=["method", "eta"])
    assert cost["logarithmic display, blur 1 px"] > 2 > cost["linear display"]
    told = rows[rows["method"] == INVERTED].set_index(["noise", "eta", "image"])
    linear = told.loc[("linear display", 0.6, 0)]
    # A transmission t has the variance t / dose.
    assert linear["told_eta"] == pytest.approx(linear["dose"] / 255, rel=0.15)


def scores() -> pd.DataFrame:
    """Scores of one method on two images with two kinds of noise."""
    psnr = {
        (EQ_1, BEFORE): (20.0, 22.0),
        (EQ_1, "net"): (30.0, 34.0),
        ("log", BEFORE): (20.0, 22.0),
        ("log", "net"): (29.0, 31.0),
    }
    return pd.DataFrame(
        {"eta": 0.6, "sigma": 10.0, "image": i, "noise": kind, "method": m, "psnr": value}
        for (kind, m), values in psnr.items()
        for i, value in enumerate(values)
    )


def test_gains_and_costs_are_paired_over_images():
    table = physical_noise.mean_gains(scores())
    assert table["noise"].tolist() == [EQ_1, "log"] and table["images"].tolist() == [2, 2]
    assert table["gain"].tolist() == [11.0, 9.0] and table["cost"].tolist() == [0.0, 2.0]
    assert (table["cost_low"][1], table["cost_high"][1]) == (1.0, 3.0)
    text = physical_noise.cost_text(table, "net")
    assert "net gains 11.00 dB on Eq. 1 at eta" in text
    assert "of the same PSNR: by 2.00 dB [1.00, 3.00] for 'log'; means of 2 images" in text


def test_plot_has_a_dot_and_an_interval_per_kind_of_noise():
    axes = plotting.detector_gain_plot(physical_noise.mean_gains(scores())).axes[0]
    (dots,) = axes.lines
    assert list(dots.get_xdata()) == [11.0, 9.0]
    (bars,) = axes.collections
    assert [tuple(bar[:, 0]) for bar in bars.get_segments()] == [(10.0, 12.0), (9.0, 9.0)]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [EQ_1, "log"]


@pytest.mark.slow
def test_bm3d_that_knows_the_display_does_not_lose_by_a_falling_variance():
    """The variance at transmission 1 is 12.5 times that at 0.08."""
    field = find_source("builtin").images("test", 1)[0][:96, :96]
    methods = {RIVAL: oracle_method(CLASSICAL[RIVAL])}
    rows = physical_noise.evaluate_detectors(methods, [field], [(0.6, 10.0)], progress=False)
    psnr = rows[rows["noise"] == "linear display"].set_index("method")["psnr"]
    assert psnr[INVERTED] > psnr[RIVAL] > psnr[BEFORE]


def test_the_measurement_of_the_detectors_is_an_experiment():
    table = experiments.EXPERIMENTS["detectors"](find_source("builtin"))
    finding = noise_model.independent_pixels(table[table["detector"] != "built-in CR, displayed"])
    assert finding.verdict == "our measurement disagrees" and "1 of 4 detectors" in finding.evidence


def test_physical_noise_is_an_experiment(monkeypatch):
    monkeypatch.setattr(experiments, "collect_methods", lambda *_: {"smoothing": smoothing})
    source = find_source("builtin")
    rows = experiments.noise_of_detectors(source, count=1, side=32)
    assert experiments.EXPERIMENTS["physical-noise"] is experiments.noise_of_detectors
    assert set(rows["noise"]) == set(KINDS) and np.isfinite(rows["psnr"]).all()


# The findings.


def shaded(side: int = 512) -> torch.Tensor:
    """A smooth image of all grey levels, without anatomy."""
    across = torch.linspace(0.1, 0.9, side)
    return across.expand(1, 1, side, side)


SNR = (42.0, 358.0)
"""Signal-to-noise ratio of stored values, white and dark, which the finding quotes."""


def test_the_noise_model_follows_the_physics_only_if_the_variance_is_linear():
    g = torch.Generator().manual_seed(0)
    photons = noise.add_hybrid_noise(shaded(), 20.0, 2.0, g)[0, 0].numpy()
    assert noise_model.follows_the_physics(photons, SNR).verdict == "our measurement agrees"
    logarithm = detector_noise(shaded(), 5000.0, generator=g)[0, 0].numpy()
    finding = noise_model.follows_the_physics(logarithm, SNR, effect="none")
    assert finding.verdict == "our measurement disagrees" and finding.effect == "none"
    assert "the variance rises" in finding.evidence and "law is exponential" in finding.evidence
    linear = RADIOGRAPH._replace(logarithmic=False)
    falling = detector_noise(shaded(), 5000.0, display=linear, generator=g)[0, 0].numpy()
    finding = noise_model.follows_the_physics(falling, SNR)
    assert (
        finding.verdict == "our measurement disagrees" and "the variance falls" in finding.evidence
    )


def test_the_built_in_radiograph_has_the_direction_but_not_the_law_of_the_model():
    finding = noise_model.follows_the_physics(builtin_radiograph(), SNR)
    assert finding.verdict == "our measurement disagrees"
    assert "rises with the grey level, as g^2.3" in finding.evidence
    assert "is 358 in the darkest sixteenth of the pixels and 42 in the whitest" in finding.evidence


def test_one_correlated_detector_disagrees_with_independent_pixels():
    rows = {"detector": ["camera", "panel", "CR"], "unit": ["counts", "counts", "stored values"]}
    table = pd.DataFrame(rows | {"across": [0.01, 0.1, 0.02], "down": [-0.01, 0.2, 0.3]})
    finding = noise_model.independent_pixels(table)
    assert finding.verdict == "our measurement disagrees"
    assert "in 1 of 2 detectors with repeated exposures (panel: 0.20)" in finding.evidence
    assert "in 1 of 1 sources of single radiographs (CR: 0.30)" in finding.evidence
    assert noise_model.independent_pixels(table.drop(1)).verdict == "our measurement too weak"
    assert noise_model.independent_pixels(table.drop([1, 2])).verdict == "our measurement agrees"


def test_levels_disagree_if_no_radiograph_has_as_much_noise():
    quiet = pd.Series([0.8, 1.0, 1.2])
    finding = noise_model.levels_of_radiographs(quiet, brightness=190.0)
    assert finding.verdict == "our measurement disagrees"
    # 190 / 1.9 = 10^2 and 190 / 0.4 + 20^2 = 29.6^2
    assert "10 to 30 grey levels at a mean of 190" in finding.evidence
    assert "100 to 875 times fewer photons" in finding.evidence
    assert "0.04 to 0.18 microgray" in finding.evidence
    assert noise_model.levels_of_radiographs(quiet + 12, 190.0).verdict == "our measurement agrees"
    mixed = pd.Series([1.0, 2.0, 12.0])
    assert noise_model.levels_of_radiographs(mixed, 190.0).verdict == "our measurement too weak"
