"""The training noise of the successor: strengths, laws, correlation, and that it trains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from xbdcnn.level_estimator import EstimatorRecipe, LevelEstimator, encode_levels
from xbdcnn.successor import Successor, SuccessorRecipe
from xbdcnn.training import radiograph_noise as training_noise
from xbdcnn.training.batches import Batch, TrainConfig, as_pool
from xbdcnn.training.loop import train
from xbdcnn.training.objectives import objective_of, successor_loss

CPU = torch.device("cpu")
CONFIG = TrainConfig(patches=320, patch_size=32, batch_size=16, validate_every=20)
SMALL = SuccessorRecipe(widths=(4, 8), blocks=1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pool() -> list[torch.Tensor]:
    y, x = np.mgrid[0:96, 0:96] / 95
    return as_pool([0.1 + 0.8 * x, 0.5 + 0.4 * np.sin(9 * y) * x])


def flat(strength: float, count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((count, 1, 128, 128), 0.5), torch.full((count,), strength)


def test_batches_depend_on_seed_and_step_only():
    first, again = (
        training_noise.draw_successor_batch(pool(), "radiographs", CONFIG, 3, CPU) for _ in "ab"
    )
    other = training_noise.draw_successor_batch(pool(), "radiographs", CONFIG, 4, CPU)
    assert torch.equal(first.noisy, again.noisy) and torch.equal(first.levels, again.levels)
    assert not torch.equal(first.noisy, other.noisy)


def test_batches_stay_within_the_scale():
    for step in range(20):
        batch = training_noise.draw_successor_batch(pool(), "radiographs", CONFIG, step, CPU)
        for image in (batch.clean, batch.noisy):
            assert image.isfinite().all() and 0 <= float(image.min()) <= float(image.max()) <= 1
        assert batch.levels.isfinite().all() and batch.noisy.shape == (16, 1, 32, 32)


def test_a_quarter_of_a_generalists_batch_has_the_papers_noise():
    batches = [
        training_noise.draw_successor_batch(pool(), "radiographs", CONFIG, step, CPU)
        for step in range(20)
    ]
    eta, sigma = (
        torch.stack([getattr(b, name)[-4:] for b in batches]) for name in Batch._fields[2:4]
    )
    assert (eta > 0.4).all() and (eta < 1.9).all() and (sigma >= 0).all() and (sigma < 20).all()
    others = torch.stack([batch.eta[:12] for batch in batches])
    assert float(((others > 0.4) & (others < 1.9)).float().mean()) < 0.5


def test_strengths_cover_none_to_the_largest():
    strengths = training_noise.sample_strengths(20_000, generator())
    low, high = training_noise.STRENGTHS
    present = strengths[strengths > 0]
    assert float(present.min()) >= low and float(present.max()) <= high
    assert float(present.median()) == pytest.approx((low * high) ** 0.5, rel=0.05)
    assert float((strengths == 0).float().mean()) == pytest.approx(
        training_noise.NOISE_FREE, abs=0.005
    )


@pytest.mark.parametrize("strength", [0.0, 1.0, 8.0])
def test_noise_at_mid_grey_has_the_drawn_strength(strength):
    clean, wanted = flat(strength)
    noisy, _, _, _ = training_noise.add_radiograph_noise(clean, wanted, generator(1))
    measured = 255 * (noisy - clean).std((1, 2, 3))
    # Rounding to 8 bits adds 0.29 grey levels to half of the images.
    assert torch.allclose(measured, wanted, rtol=0.1, atol=0.3)


def test_stated_levels_describe_the_noise_at_mid_grey():
    clean, wanted = flat(6.0, count=64)
    _, eta, sigma, _ = training_noise.add_radiograph_noise(clean, wanted, generator(2))
    stated = (127.5 / eta + sigma**2).sqrt()
    assert torch.allclose(stated[:32], wanted[:32], rtol=1e-3)  # Eq. 1
    # The line through the variance of a logarithmic display passes above it at mid grey.
    assert (stated[32:] > 0.9 * wanted[32:]).all() and (stated[32:] < 1.6 * wanted[32:]).all()


def test_correlation_is_measured_and_of_both_signs():
    clean, wanted = flat(6.0, count=64)
    _, _, _, correlation = training_noise.add_radiograph_noise(clean, wanted, generator(3))
    assert float(correlation.max()) > 0.7 and float(correlation.min()) < -0.03
    assert 0.3 < float((correlation.abs() < 0.03).float().mean()) < 0.7


def test_closest_levels_recover_an_affine_law():
    g = torch.linspace(0, 1, 17)
    eta, sigma = torch.tensor([0.5, 20.0]), torch.tensor([3.0, 0.5])
    variances = 255 * g / eta[:, None] + sigma[:, None] ** 2
    found = training_noise.closest_levels(g, variances)
    torch.testing.assert_close(found, (eta, sigma), rtol=1e-4, atol=1e-4)
    falling, constant = training_noise.closest_levels(g, (2 - g)[None])
    assert falling.isinf().all() and float(constant) == pytest.approx(1.5**0.5)


def test_loss_weighs_weak_noise_more():
    batch = training_noise.draw_successor_batch(pool(), "radiographs", CONFIG, 0, CPU)
    loss = successor_loss(batch.noisy, batch, "radiographs")
    plain = successor_loss(batch.noisy, batch, "paper")
    assert 0 < float(plain) < float(loss)


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["paper", "radiographs"])
def test_training_lowers_the_loss_below_that_of_the_noisy_image(noise):
    recipe = replace(SMALL, noise=noise)
    config = replace(CONFIG, patches=6400, learning_rates=(3e-3, 1e-4), clip_norm=1.0)
    config = replace(config, validate_every=400)
    network = Successor(recipe)
    images = [image.numpy() / np.float32(255) for image in pool()]
    train(network, recipe, images, images, config, progress=False)
    before, after = 0.0, 0.0
    for step in range(10_000, 10_010):
        batch = training_noise.draw_successor_batch(pool(), noise, CONFIG, step, CPU)
        with torch.no_grad():
            restored = network(batch.noisy, batch.levels).image
        before += float(successor_loss(batch.noisy, batch, noise))
        after += float(successor_loss(restored, batch, noise))
    assert after < 0.9 * before


def test_average_of_a_successor_forgets_the_initial_weights():
    network = Successor(SMALL)
    average = objective_of(SMALL).average(network, decay=0.999)
    with torch.no_grad():
        for step in range(100):
            for weight in network.parameters():
                weight.fill_(1.0 if step else 0.0)
            average.update_parameters(network)
    # Without the warm-up it would still hold 90 % of the first weights.
    with torch.no_grad():
        assert all(0.99 < float(weight.mean()) < 1 for weight in average.module.parameters())


def test_estimator_batches_are_half_the_papers_noise_with_true_levels():
    batch = training_noise.draw_estimator_batch(pool(), CONFIG, 2, CPU)
    expected = encode_levels(batch.eta[8:], batch.sigma[8:], 0.0, batch.clean[8:])
    torch.testing.assert_close(batch.levels[8:], expected)
    assert (batch.eta[8:] > 0.4).all() and (batch.eta[8:] < 1.9).all()


@pytest.mark.parametrize("count", [1, 3])
def test_an_odd_batch_of_the_estimator_is_complete(count):
    config = replace(CONFIG, batch_size=count)
    batch = training_noise.draw_estimator_batch(pool(), config, 0, CPU)
    assert len(batch.noisy) == len(batch.levels) == count


@pytest.mark.slow
def test_a_short_training_run_finds_the_electronic_noise():
    config = replace(CONFIG, patches=4800, learning_rates=(3e-3, 1e-4), validate_every=300)
    config = replace(config, patch_size=48, clip_norm=1.0)
    recipe = EstimatorRecipe(width=16, summaries=4)
    images = [image.numpy() / np.float32(255) for image in pool()]
    history = train(LevelEstimator(recipe), recipe, images, images, config, progress=False)
    assert history["val_sigma_rmse"].iloc[-1] < 4  # 5.8 for the mean of the range
