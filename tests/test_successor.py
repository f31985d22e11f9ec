"""The successor: its shapes and levels, and that training makes it use them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.models import count_parameters
from xbdcnn.successor import FULL, TINY, Successor, SuccessorRecipe, encode_levels

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
