"""The physics of a detector: moments within 1 % and spectra against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from xbdcnn import detector, noise
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.builtin import STORED_BLACK, STORED_WHITE
from xbdcnn.detector import GREY_IS_PHOTONS, Display

SIDE = 1000
"""A million pixels: the relative standard deviation of a sample variance is 0.14 %."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def field(value: float, images: int = 1) -> torch.Tensor:
    return torch.full((images, 1, SIDE, SIDE), float(value))


def test_transmission_halves_with_each_half_value_layer():
    half_value_layer = math.log(2) / 0.2
    layers = half_value_layer * torch.arange(4.0)
    torch.testing.assert_close(
        detector.beer_lambert(layers, 0.2), torch.tensor([1, 0.5, 0.25, 0.125])
    )


@pytest.mark.parametrize(
    ("expected", "gain", "swank"), [(50, 1, 1), (50, 4, 0.8), (2000, 0.6, 0.6)]
)
def test_signal_has_the_mean_and_variance_of_the_swank_factor(expected, gain, swank):
    g = generator()
    quanta = detector.detected_quanta(field(expected), g)
    signal = detector.light_output(quanta, gain, swank, g).double()
    assert signal.mean().item() == pytest.approx(gain * expected, rel=0.01)
    assert signal.var().item() == pytest.approx(gain**2 * expected / swank, rel=0.01)


def test_a_gain_may_differ_between_images():
    quanta = detector.detected_quanta(field(100.0, images=2), generator())
    signal = detector.light_output(quanta, torch.tensor([1.0, 3.0]))
    assert signal[1].mean().item() == pytest.approx(3 * signal[0].mean().item(), rel=0.01)


@pytest.mark.parametrize("blur", [0.5, 1.5])
def test_blurred_noise_has_the_closed_form_spectrum(blur):
    white = torch.randn(400, 1, 96, 96, generator=generator())
    inner = detector.scintillator_blur(white, blur)[:, 0, 16:-16, 16:-16]  # no mirrored border
    window = torch.hann_window(64)[:, None] * torch.hann_window(64)
    power = torch.fft.fft2(inner * window).abs().square().mean(0) / window.square().sum()
    transfer = detector.blur_transfer(torch.fft.fftfreq(64), blur)
    expected = (transfer[:, None] * transfer).square()
    strong = expected > 0.1  # elsewhere the side lobes of the window matter
    ratio = power[strong] / expected[strong]
    assert float(ratio.mean()) == pytest.approx(1, rel=0.01)
    assert float(ratio.std()) < 0.08  # 400 periodograms: a standard error of 0.05 each


@pytest.mark.parametrize("blur", [0.3, 0.6, 1.0, 2.0])
def test_blur_correlates_adjacent_pixels_as_stated(blur):
    blurred = detector.scintillator_blur(field(0.0) + torch.randn(1, 1, SIDE, SIDE), blur)[0, 0]
    measured = float((blurred[:, 1:] * blurred[:, :-1]).mean() / blurred.var())
    assert measured == pytest.approx(detector.blur_correlation(blur), abs=0.01)


def test_wide_blurs_are_gaussian():
    f = torch.linspace(0, 0.5, 11)
    torch.testing.assert_close(
        detector.blur_transfer(f, 1.2), torch.exp(-2 * (math.pi * 1.2 * f) ** 2), atol=1e-3, rtol=0
    )
    assert detector.blur_correlation(1.2) == pytest.approx(math.exp(-1 / (4 * 1.2**2)), abs=1e-4)


def test_blur_keeps_the_mean_and_differs_between_images():
    image = torch.rand(3, 1, 64, 64, generator=generator())
    blurred = detector.scintillator_blur(image, torch.tensor([0.0, 0.5, 2.0]))
    torch.testing.assert_close(blurred[0], image[0])
    spread = blurred.std((1, 2, 3))
    assert spread[0] > spread[1] > spread[2]
    torch.testing.assert_close(
        blurred[1:2], detector.scintillator_blur(image[1:2], 0.5), atol=1e-5, rtol=0
    )
    flat = detector.scintillator_blur(torch.ones(1, 1, 32, 32), 1.5)
    torch.testing.assert_close(flat, torch.ones_like(flat))


@pytest.mark.parametrize("blur", [-0.1, 5.0, float("nan")])
def test_a_blur_out_of_range_is_refused(blur):
    with pytest.raises(XbdcnnError, match="within 0 and 4 pixels"):
        detector.scintillator_blur(torch.rand(1, 1, 64, 64), blur)


@pytest.mark.parametrize(
    "display", [detector.RADIOGRAPH, Display(1.0, 0.1, False), GREY_IS_PHOTONS]
)
def test_display_and_its_inverse_agree(display):
    g = torch.linspace(0, 1, 101)
    t = detector.transmission(g, display)
    torch.testing.assert_close(detector.displayed(t[1:], display), g[1:], atol=1e-5, rtol=0)
    assert (t[0], t[-1]) == pytest.approx((display.black, display.white))


@pytest.mark.parametrize(
    "display", [detector.RADIOGRAPH, Display(1.0, 0.1, False), GREY_IS_PHOTONS]
)
@pytest.mark.parametrize("g", [0.25, 0.8])
def test_variance_follows_the_physics(display, g):
    dose, electronic = 4000.0, 12.0
    f = detector.detector_noise(
        field(g), dose, electronic, display=display, generator=generator(), clip=False
    )
    expected = detector.displayed_variance(torch.tensor(g), dose, electronic, display)
    assert 255**2 * f.double().var().item() == pytest.approx(float(expected), rel=0.01)
    assert f.double().mean().item() == pytest.approx(g, rel=0.01)


def test_swank_factor_divides_the_variance():
    f = detector.detector_noise(field(0.5), 4000.0, swank=0.8, generator=generator(), clip=False)
    expected = detector.displayed_variance(torch.tensor(0.5), 4000.0) / 0.8
    assert 255**2 * f.double().var().item() == pytest.approx(float(expected), rel=0.01)


def test_blur_divides_the_quantum_variance_and_spares_the_electronic():
    dose, electronic, blur = 1e6, 800.0, 1.5
    f = detector.detector_noise(
        field(0.5), dose, electronic, blur, GREY_IS_PHOTONS, generator(), clip=False
    )
    counts = (dose * f).double()
    expected = 0.5 * dose / (4 * math.pi * blur**2) + electronic**2
    assert counts.var().item() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("eta", "sigma", "grey"), [(0.4, 5.0, 200), (1.9, 20.0, 128)])
def test_the_stated_limit_is_equation_1(eta, sigma, grey):
    f = detector.detector_noise(
        field(grey / 255), 255 * eta, eta * sigma, 0.0, GREY_IS_PHOTONS, generator(), clip=False
    )
    expected = noise.noise_variance(grey / 255, eta, sigma)
    assert 255 * f.double().mean().item() == pytest.approx(grey, rel=0.01)
    assert 255**2 * f.double().var().item() == pytest.approx(expected, rel=0.01)
    without = detector.detector_noise(
        field(grey / 255), 255 * eta, 0.0, 0.0, GREY_IS_PHOTONS, generator(), clip=False
    )
    assert torch.equal(without, noise.quantum_noise(field(grey / 255), eta, generator()))


def test_bone_has_the_most_noise_under_a_logarithm():
    variance = detector.displayed_variance(torch.linspace(0, 1, 11), dose=1000.0)
    assert (variance.diff() > 0).all()
    assert float(variance[-1] / variance[0]) == pytest.approx(1 / 0.08, rel=1e-4)


def test_black_pixels_of_few_photons_stay_finite():
    f = detector.detector_noise(torch.ones(1, 1, 64, 64), 5.0, 3.0, generator=generator())
    assert f.isfinite().all() and float(f.min()) >= 0 and float(f.max()) <= 1


def test_the_same_generator_state_gives_the_same_noise():
    g = torch.rand(2, 1, 32, 32)
    first, second = (
        detector.detector_noise(g, torch.tensor([50.0, 500.0]), 2.0, 1.0, generator=generator(3))
        for _ in range(2)
    )
    assert torch.equal(first, second)


def test_default_display_is_that_of_the_builtin_radiograph():
    ratio = STORED_WHITE / STORED_BLACK
    assert Display(1.0, pytest.approx(ratio), logarithmic=True) == detector.RADIOGRAPH
    white = torch.tensor([STORED_WHITE / STORED_BLACK])
    assert float(detector.displayed(white)) == pytest.approx(1.0)


def test_air_kerma_of_the_standard_beam():
    assert detector.air_kerma(30174, pixel=1.0) == pytest.approx(1.0)
    assert detector.air_kerma(30174, pixel=0.1, efficiency=0.5) == pytest.approx(200.0)
    assert detector.air_kerma(1, 1, beam="RQA9") < detector.air_kerma(1, 1, beam="RQA3")
