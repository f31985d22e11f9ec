"""The noise model: moments, limits, inverse functions and errors."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from xbdcnn import metrics, noise, paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import find_source


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def torch_noise(g, eta, sigma, clip):
    image = torch.full((1, 1, 1000, 1000), g, dtype=torch.float64)
    return noise.add_hybrid_noise(image, eta, sigma, seeded(), clip).numpy()


def numpy_noise(g, eta, sigma, clip):
    return noise.add_hybrid_noise_numpy(
        np.full((1000, 1000), g), eta, sigma, np.random.default_rng(0), clip
    )


@pytest.mark.parametrize("simulate", [torch_noise, numpy_noise])
@pytest.mark.parametrize("eta, sigma", [(0.4, 0.0), (0.6, 20.0), (1.9, 5.0)])
@pytest.mark.parametrize("grey", [40, 220])
def test_moments_over_a_million_pixels(simulate, eta, sigma, grey):
    f = 255.0 * simulate(grey / 255, eta, sigma, clip=False).astype(np.float64)
    assert f.mean() == pytest.approx(grey, rel=0.01)
    assert f.var() == pytest.approx(grey / eta + sigma**2, rel=0.01)
    assert noise.noise_variance(grey / 255, eta, sigma) == pytest.approx(grey / eta + sigma**2)


def test_standard_deviation_map_is_that_of_simulated_noise():
    """A gradient from black to white with two noise levels, each column drawn 40,000 times."""
    g = torch.linspace(0, 1, 12, dtype=torch.float64).expand(2, 1, 40_000, 12)
    eta, sigma = torch.tensor([0.4, 1.9]), torch.tensor([0.0, 20.0])
    found = noise.standard_deviation_map(g, eta, sigma)
    assert found.shape == g.shape and found.dtype == g.dtype
    simulated = noise.add_hybrid_noise(g, eta, sigma, seeded(), clip=False).std(dim=-2)
    torch.testing.assert_close(found[..., 0, :], simulated, rtol=0.02, atol=1e-9)
    with pytest.raises(XbdcnnError, match="one value per image"):
        noise.standard_deviation_map(g, torch.ones(3), sigma)


def test_quantum_noise_takes_the_values_of_photon_counts():
    g = torch.full((1, 1, 64, 64), 100 / 255)
    counts = noise.quantum_noise(g, 0.5, seeded()) * 255 * 0.5
    torch.testing.assert_close(counts, counts.round(), atol=1e-4, rtol=0)


def test_noise_depends_on_the_seed():
    g = torch.rand(2, 1, 32, 32, generator=seeded(9))
    first, again, other = (noise.add_hybrid_noise(g, 0.6, 5.0, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_each_image_of_a_batch_gets_its_own_level():
    g = torch.full((2, 1, 256, 256), 0.5)
    f = noise.add_hybrid_noise(g, torch.tensor([0.4, 1.9]), torch.tensor([0.0, 15.0]), seeded())
    measured = (255 * f).var(dim=(-3, -2, -1))
    expected = torch.tensor([127.5 / 0.4, 127.5 / 1.9 + 225])
    torch.testing.assert_close(measured, expected, rtol=0.03, atol=0)


def test_noise_vanishes_in_the_limits():
    g = torch.rand(1, 1, 16, 16)
    assert torch.equal(noise.add_hybrid_noise(g, float("inf"), 0.0), g)
    high_dose = noise.add_hybrid_noise(g, 1e6, 0.0, seeded())
    assert (high_dose - g).abs().max() < 1e-3
    black = torch.zeros(1, 1, 16, 16)
    assert torch.equal(noise.add_hybrid_noise(black, 0.4, 0.0), black)
    exact = noise.add_hybrid_noise_numpy(g.numpy(), np.inf, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(exact, g.numpy())


def test_clipping_bounds_the_image_and_is_optional():
    g = torch.ones(1, 1, 64, 64)
    assert noise.add_hybrid_noise(g, 0.4, 20.0, seeded()).max() == 1.0
    assert noise.add_hybrid_noise(g, 0.4, 20.0, seeded(), clip=False).max() > 1.0


@pytest.mark.parametrize(
    "g, eta, sigma, message",
    [
        (1.5, 0.5, 5.0, "image"),
        (-0.1, 0.5, 5.0, "image"),
        (float("nan"), 0.5, 5.0, "image"),
        (float("inf"), 0.5, 5.0, "image"),
        (0.5, 0.0, 5.0, "eta"),
        (0.5, float("nan"), 5.0, "eta"),
        (0.5, 0.5, -1.0, "sigma"),
        (0.5, 0.5, float("inf"), "sigma"),
    ],
)
def test_invalid_input_is_rejected(g, eta, sigma, message):
    with pytest.raises(XbdcnnError, match=message):
        noise.add_hybrid_noise(torch.full((1, 1, 16, 16), g), eta, sigma)
    with pytest.raises(XbdcnnError, match=message):
        noise.add_hybrid_noise_numpy(np.full((16, 16), g), eta, sigma, np.random.default_rng(0))


def test_levels_must_match_the_batch():
    with pytest.raises(XbdcnnError, match="one value per image"):
        noise.add_hybrid_noise(torch.rand(3, 1, 16, 16), torch.tensor([0.4, 0.5]), 5.0)


def test_implied_mean_inverts_the_noise_variance():
    g = torch.full((1, 1, 1000, 1000), 100 / 255)
    noisy = noise.add_hybrid_noise(g, 0.8, 5.0, seeded(), clip=False)
    psnr = metrics.psnr(noisy, g)[0, 0]
    assert noise.implied_mean(psnr, 0.8, 5.0) == pytest.approx(100, rel=0.01)
    means = [noise.implied_mean(p, *level) for level, p in paper.TABLE_2_NOISY_PSNR.items()]
    assert 126 < min(means) < max(means) < 139


def test_continuous_levels_cover_the_ranges_of_the_paper():
    eta, sigma = noise.sample_levels(20_000, seeded())
    assert eta.shape == sigma.shape == (20_000,)
    assert 0.4 <= eta.min() < 0.41 and 1.89 < eta.max() <= 1.9
    assert 0.0 <= sigma.min() < 0.1 and 19.9 < sigma.max() <= 20.0
    assert eta.mean().item() == pytest.approx(1.15, rel=0.01)
    assert len(eta.unique()) > 10_000


def test_grid_levels_equal_those_of_the_released_code():
    eta, sigma = noise.sample_levels(20_000, seeded(), "grid")
    np.testing.assert_allclose(eta.unique(), np.arange(4, 19) / 10, rtol=1e-6)
    np.testing.assert_array_equal(sigma.unique(), np.arange(20))


@pytest.mark.parametrize(
    "scaling, expected",
    [("released", (0.8, 10 / 255)), ("unit", (0.8 / 1.9, 0.5)), ("grey levels", (0.8, 10.0))],
)
def test_level_maps_are_constant_and_invertible(scaling, expected):
    like = torch.zeros(2, 1, 5, 7)
    eta, sigma = torch.tensor([0.8, 1.6]), torch.tensor([10.0, 20.0])
    maps = noise.level_maps(eta, sigma, like, scaling)
    assert maps.shape == (2, 2, 5, 7)
    torch.testing.assert_close(maps[0, :, 3, 2], torch.tensor(expected))
    back = noise.levels_from_maps(maps, scaling)
    torch.testing.assert_close(torch.stack(back), torch.stack([eta, sigma]))


def test_mid_range_levels_lie_in_the_middle_of_the_training_ranges():
    eta, sigma = noise.levels_from_maps(noise.mid_range_levels("unit")[None, :, None, None], "unit")
    assert eta.item() == pytest.approx((0.4 + 1.9) / 2)
    assert sigma.item() == pytest.approx(10.0)
    (spread,) = 255 * noise.mid_range_levels(kind="standard deviation")
    assert spread.item() == pytest.approx((127.5 / 1.15 + 10.0**2) ** 0.5)


@pytest.mark.skipif("XBDCNN_DATA" not in os.environ, reason="set XBDCNN_DATA to the sample folder")
@pytest.mark.slow
def test_nine_noisy_psnrs_equal_those_of_table_2():
    images = find_source().images("table2")
    assert len(images) == 10
    for seed, ((eta, sigma), printed) in enumerate(paper.TABLE_2_NOISY_PSNR.items()):
        measured = [
            metrics.psnr(noise.add_hybrid_noise(torch.from_numpy(g), eta, sigma, seeded(seed)), g)
            for g in images
        ]
        assert np.mean(measured) == pytest.approx(printed, abs=0.3), (eta, sigma)
