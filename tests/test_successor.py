"""The successor: its shapes and levels, and that training makes it use them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.detector import scintillator_blur
from xbdcnn.level_estimator import (
    CAUTION,
    LevelEstimate,
    LevelEstimator,
    block_statistics,
    decode_levels,
    encode_levels,
    fit_line,
)
from xbdcnn.models import count_parameters
from xbdcnn.noise import add_hybrid_noise
from xbdcnn.successor import FULL, TINY, Successor, SuccessorRecipe

SMALL = SuccessorRecipe(widths=(4, 8), blocks=1)


def gflop(recipe: SuccessorRecipe) -> float:
    with FlopCounterMode(display=False) as counter:
        Successor(recipe)(torch.zeros(1, 1, 128, 128), torch.zeros(1, 3))
    return counter.get_total_flops() / 1e9


def test_full_size_needs_a_quarter_of_the_arithmetic_of_the_papers_network():
    assert gflop(FULL) < 0.25 * 18.5
    assert count_parameters(Successor(FULL)) < 2e6


def test_tiny_size_fits_a_browser():
    assert gflop(TINY) < 0.6


@pytest.mark.parametrize("shape", [(16, 16), (17, 30), (64, 41)])
def test_any_image_size_is_restored(shape):
    noisy = torch.rand(2, 1, *shape)
    assert Successor(SMALL)(noisy, torch.rand(2, 3)).image.shape == noisy.shape


def test_too_small_images_are_refused():
    with pytest.raises(XbdcnnError, match="H, W >= 16"):
        Successor(SMALL)(torch.rand(1, 1, 8, 32), torch.zeros(1, 3))


def test_levels_are_standard_deviations_in_tenths_of_the_scale():
    like = torch.zeros(3, 1, 16, 16)
    eta, sigma = torch.tensor([0.4, 1.0, math.inf]), torch.tensor([5.0, 0.0, 25.5])
    quantum = [math.sqrt(255 / 0.4) / 25.5, math.sqrt(255) / 25.5, 0.0]
    expected = torch.tensor([quantum, [5 / 25.5, 0.0, 1.0], [0.3] * 3]).T
    torch.testing.assert_close(encode_levels(eta, sigma, 0.3, like), expected)


def test_output_depends_on_the_levels_that_are_told():
    torch.manual_seed(0)
    network, noisy = Successor(SMALL).eval(), torch.rand(1, 1, 32, 32)
    weak, strong = (network(noisy, torch.tensor([[level, level, 0.0]])).image for level in (0, 1.0))
    assert not torch.allclose(weak, strong, atol=1e-3)


def test_levels_are_decoded_to_what_was_encoded():
    eta, sigma = torch.tensor([0.4, 30.0]), torch.tensor([5.0, 1.0])
    levels = encode_levels(eta, sigma, 0.3, torch.zeros(2, 1, 16, 16))
    found = decode_levels(levels)
    torch.testing.assert_close(found, (eta, sigma, torch.full((2,), 0.3)))


def test_detail_of_white_noise_has_its_variance_in_every_difference():
    noisy = 0.5 + 0.02 * torch.randn(1, 1, 512, 512, generator=torch.Generator().manual_seed(0))
    _, variance, coarse, features = block_statistics(noisy)
    for mean in (variance.mean(), coarse.mean()):
        assert float(mean) == pytest.approx((0.02 * 10) ** 2, rel=0.02)
    # Logarithms of the ratios to the detail, whose own sampling error is the same for all.
    assert features[..., 3:].mean((0, 1)).abs().max() < 0.05


def test_correlated_noise_has_less_detail_than_variance():
    white = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    noise = 0.02 * scintillator_blur(white, 1.0)
    _, fine, coarse, features = block_statistics(0.5 + noise)
    assert float(features[..., 8].mean()) > 0.5
    # The correlation c, across and down, follows from the ratio 1 - c of the two.
    correlation = float((noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean())
    assert float(1 - fine.mean() / coarse.mean()) == pytest.approx(correlation, abs=0.02)


def test_line_through_the_photon_transfer_curve_gives_both_levels():
    clean = torch.linspace(0.2, 0.8, 512).expand(1, 1, 512, 512)
    noisy = add_hybrid_noise(clean, 0.8, 6.0, torch.Generator().manual_seed(0))
    signal, variance, *_ = block_statistics(noisy)
    # Uniform in the relative error: `fit_line` divides by the square of the variance.
    line = fit_line(signal, variance, variance.square())
    assert float(line.slope) == pytest.approx(255 / 0.8 / 25.5**2, rel=0.1)
    assert float(line.offset) == pytest.approx((6.0 / 25.5) ** 2, abs=0.02)


def test_standard_errors_of_the_line_are_those_of_repeated_fits():
    generator = torch.Generator().manual_seed(0)
    signal = torch.rand(400, 500, generator=generator)
    scatter = 0.05 * torch.randn(400, 500, generator=generator)
    variance = 1 + 0.5 * signal + scatter
    line = fit_line(signal, variance, variance.square())
    for values, error in ((line.slope, line.slope_error), (line.offset, line.offset_error)):
        assert float(values.std()) == pytest.approx(float(error.mean()), rel=0.15)


def test_cautious_levels_are_lower_where_they_are_uncertain():
    found = LevelEstimate(torch.tensor([[0.5, 0.1, 0.4]]), torch.tensor([[0.2, 0.8, 0.1]]))
    told = found.cautious()[0].tolist()
    assert told == pytest.approx([0.5 - 0.2 * CAUTION, 0.0, 0.4], abs=1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (17, 30), (300, 200)])
def test_level_estimates_are_finite_for_any_image(shape):
    for image in (torch.zeros(2, 1, *shape), torch.ones(2, 1, *shape), torch.rand(2, 1, *shape)):
        levels, error = LevelEstimator()(image)
        assert levels.shape == error.shape == (2, 3)
        assert levels.isfinite().all() and (error > 0).all() and (levels[:, :2] > 0).all()
