"""The loss terms of Eq. 3-8 against values by hand, NumPy and finite differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from xbdcnn import losses, paper
from xbdcnn.losses import (
    asymmetric_loss,
    asymmetry_weight,
    mixed_loss,
    mse_loss,
    relative_mse_loss,
    ssim_loss,
    tv_loss,
)
from xbdcnn.metrics import ssim_map, window_mean
from xbdcnn.models import (
    AS_RELEASED,
    AS_WRITTEN,
    BALANCED,
    WITHOUT_NLE,
    WITHOUT_SSIM,
    XBDCNN,
    Denoised,
    Recipe,
)
from xbdcnn.noise import add_hybrid_noise, level_maps

RECIPES = {"as-written": AS_WRITTEN, "as-released": AS_RELEASED, "balanced": BALANCED}
TERMS = ("mse", "ssim", "asymm", "tv")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def maps(*values: float) -> Tensor:
    """Create two level maps of one row each with the same values."""
    return torch.tensor(values, dtype=torch.float64).expand(1, 2, 1, len(values))


# Eq. 3


@pytest.mark.parametrize(
    ("asymmetry", "under", "over"),
    # Estimates 0.2 below and 0.1 above the truth at alpha = 0.3: |alpha - beta| by hand.
    [("text", 0.7, 0.3), ("equation", 0.3, 0.7), ("released", abs(0.3 - 0.2), 0.3)],
)
def test_asymmetry_by_hand(asymmetry: str, under: float, over: float) -> None:
    estimated, true = maps(0.8, 1.1), maps(1.0, 1.0)
    expected = 2 * (under * 0.2**2 + over * 0.1**2)
    loss = asymmetric_loss(estimated, true, 0.3, asymmetry)
    assert loss.item() == pytest.approx(expected)
    mean = asymmetric_loss(estimated, true, 0.3, asymmetry, "mean")
    assert mean.item() == pytest.approx(expected / 4)


@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.45])
def test_asymmetry_against_numpy(alpha: float) -> None:
    estimated, true = tensor(2, 2, 3, 4), tensor(2, 2, 3, 4, seed=1)
    difference = (estimated - true).numpy()
    beta = {
        "text": difference <= 0,
        "equation": difference > 0,
        "released": np.maximum(-difference, 0),
    }
    for asymmetry, values in beta.items():
        expected = (np.abs(alpha - values) * difference**2).sum() / 2
        loss = asymmetric_loss(estimated, true, alpha, asymmetry)
        assert loss.item() == pytest.approx(expected)


def test_text_and_equation_are_mirror_images() -> None:
    below, above, true = maps(0.6), maps(1.4), maps(1.0)
    text = [asymmetric_loss(x, true, asymmetry="text").item() for x in (below, above)]
    printed = [asymmetric_loss(x, true, asymmetry="equation").item() for x in (below, above)]
    assert text == pytest.approx(printed[::-1])
    assert text[0] / text[1] == pytest.approx((1 - paper.ALPHA) / paper.ALPHA)


def test_released_weight_has_a_second_zero_at_alpha_below_the_truth() -> None:
    true = maps(1.0)
    assert asymmetric_loss(maps(1.0 - 0.3), true, 0.3, "released").item() == pytest.approx(0)
    for asymmetry in ("text", "equation"):
        assert asymmetric_loss(maps(1.0 - 0.3), true, 0.3, asymmetry).item() > 0.01
    around = asymmetry_weight(maps(0.65, 0.7, 0.75), maps(1.0, 1.0, 1.0), 0.3, "released")
    torch.testing.assert_close(around[0, 0, 0], torch.tensor([0.05, 0.0, 0.05]).double())


@pytest.mark.parametrize(
    ("asymmetry", "end"), [("text", 1.0), ("equation", 1.0), ("released", 1.0 - 0.3)]
)
def test_gradient_descent_from_zero_converges_to(asymmetry: str, end: float) -> None:
    estimated = torch.zeros(1, 2, 1, 1, dtype=torch.float64, requires_grad=True)
    true = torch.ones_like(estimated)
    for _ in range(4000):
        loss = asymmetric_loss(estimated, true, 0.3, asymmetry)
        (gradient,) = torch.autograd.grad(loss, estimated)
        with torch.no_grad():
            estimated -= 0.01 * gradient
    torch.testing.assert_close(estimated, torch.full_like(estimated, end), rtol=0, atol=3e-3)


# Eq. 4


def test_tv_by_hand() -> None:
    levels = torch.tensor([[[[0.0, 1.0], [3.0, 7.0]], [[2.0, 2.0], [2.0, 2.0]]]])
    horizontal, vertical = 1**2 + 4**2, 3**2 + 6**2
    assert tv_loss(levels).item() == horizontal + vertical
    assert tv_loss(levels, "mean").item() == (horizontal + vertical) / 4
    assert tv_loss(levels, "released").item() == (horizontal + vertical) / 8


def test_tv_against_numpy() -> None:
    levels = tensor(3, 2, 5, 7)
    array = levels.numpy()
    expected = (np.diff(array, axis=2) ** 2).sum() + (np.diff(array, axis=3) ** 2).sum()
    assert tv_loss(levels).item() == pytest.approx(expected / 3)
    assert tv_loss(levels, "released").item() == pytest.approx(expected / (2 * 5 * 7))


@pytest.mark.parametrize(("reduction", "factor"), [("sum", 1), ("mean", 1), ("released", 64)])
def test_released_tv_grows_with_the_batch(reduction: str, factor: int) -> None:
    one = tensor(1, 2, 6, 6)
    batch = one.expand(64, -1, -1, -1)
    assert (tv_loss(batch, reduction) / tv_loss(one, reduction)).item() == pytest.approx(factor)


def test_tv_of_constant_maps_is_zero() -> None:
    for reduction in ("sum", "mean", "released"):
        assert tv_loss(maps(0.7, 0.7, 0.7).expand(2, 2, 3, 3), reduction).item() == 0


# Eq. 5


def test_mse_by_hand() -> None:
    restored = torch.tensor([[[[0.5, 1.0]]], [[[0.0, 0.0]]]])
    clean = torch.tensor([[[[0.0, 0.5]]], [[[0.0, 1.0]]]])
    # Sums of squares 0.5 and 1.0, averaged over the two images of the batch.
    assert mse_loss(restored, clean).item() == 0.75
    assert mse_loss(restored, clean, "mean").item() == 1.5 / 4


def test_relative_mse_is_the_remaining_share_of_noise_energy() -> None:
    clean = torch.full((2, 1, 16, 16), 0.5)
    noise = torch.tensor([0.02, 0.2])[:, None, None, None]
    restored = clean + noise * torch.tensor([0.5, 0.1])[:, None, None, None]
    share = relative_mse_loss(restored, clean + noise, clean)
    assert share.item() == pytest.approx((0.5**2 + 0.1**2) / 2, rel=1e-4)


def test_relative_mse_of_an_image_without_noise_is_finite() -> None:
    clean = torch.full((1, 1, 16, 16), 0.5)
    restored = clean + losses.NOISE_FLOOR / 255
    assert relative_mse_loss(restored, clean, clean).item() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("term", [mse_loss, ssim_loss])
def test_sum_is_mean_times_pixels(term) -> None:
    restored, clean = tensor(3, 1, 12, 15), tensor(3, 1, 12, 15, seed=1)
    ratio = term(restored, clean, reduction="sum") / term(restored, clean, reduction="mean")
    assert ratio.item() == pytest.approx(12 * 15)


# Eq. 6 and 7


def gaussian_kernel(size: int = 11, sigma: float = 1.5) -> Tensor:
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    return torch.outer(weights, weights)[None, None]


@pytest.mark.parametrize("shape", [(1, 1, 11, 11), (2, 1, 16, 23), (3, 1, 40, 12)])
def test_fast_window_equals_convolution(shape: tuple[int, ...]) -> None:
    x = tensor(*shape)
    valid = window_mean(x, "gaussian", 11, 1.5, "valid")
    torch.testing.assert_close(valid, F.conv2d(x, gaussian_kernel()))
    uniform = torch.full((1, 1, 7, 7), 1 / 49, dtype=torch.float64)
    torch.testing.assert_close(window_mean(x, "uniform", 7, 1.5, "valid"), F.conv2d(x, uniform))


@pytest.mark.parametrize("shape", [(1, 1, 11, 11), (2, 1, 16, 23)])
def test_mirrored_window_equals_convolution_of_the_mirrored_image(shape: tuple[int, ...]) -> None:
    x = tensor(*shape)
    mirrored = torch.from_numpy(
        np.pad(x.numpy(), ((0, 0), (0, 0), (5, 5), (5, 5)), mode="symmetric")
    )
    reflect = window_mean(x, "gaussian", 11, 1.5, "reflect")
    torch.testing.assert_close(reflect, F.conv2d(mirrored, gaussian_kernel()))


def test_fast_window_preserves_dtype_and_gradient() -> None:
    x = tensor(1, 1, 12, 12).float().requires_grad_()
    mean = window_mean(x, "gaussian", 11, 1.5, "reflect")
    assert mean.dtype == torch.float32
    mean.sum().backward()
    # Mirroring redistributes weight, but their sum stays the same.
    assert x.grad.sum().item() == pytest.approx(144, rel=1e-5)


@pytest.mark.parametrize("data_range", [1.0, 2.0, 255.0])
def test_ssim_by_hand(data_range: float) -> None:
    """Eq. 7 in numpy on one 11 x 11 window."""
    x, y = tensor(1, 1, 11, 11), tensor(1, 1, 11, 11, seed=1)
    w, a, b = (t.numpy()[0, 0] for t in (gaussian_kernel(), x, y))
    mean_a, mean_b = (w * a).sum(), (w * b).sum()
    var_a, var_b = (w * (a - mean_a) ** 2).sum(), (w * (b - mean_b) ** 2).sum()
    covariance = (w * (a - mean_a) * (b - mean_b)).sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    expected = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    expected /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    assert ssim_map(x, y, data_range=data_range).item() == pytest.approx(expected)
    centre = ssim_map(x, y, data_range=data_range, border="reflect")[0, 0, 5, 5]
    assert centre.item() == pytest.approx(expected)


def test_ssim_loss_is_one_minus_the_map() -> None:
    x, y = tensor(2, 1, 14, 13), tensor(2, 1, 14, 13, seed=1)
    values = ssim_map(x, y, border="reflect")
    assert values.shape == x.shape
    assert ssim_loss(x, y).item() == pytest.approx((1 - values).sum().item() / 2)
    assert ssim_loss(x, x).item() == pytest.approx(0, abs=1e-12)


def test_gradients_agree_with_finite_differences() -> None:
    x, y = tensor(1, 1, 11, 12).requires_grad_(), tensor(1, 1, 11, 12, seed=1)
    assert torch.autograd.gradcheck(lambda z: ssim_loss(z, y), (x,))
    assert torch.autograd.gradcheck(lambda z: mse_loss(z, y), (x,))
    levels, true = tensor(1, 2, 3, 3).requires_grad_(), tensor(1, 2, 3, 3, seed=1)
    assert torch.autograd.gradcheck(tv_loss, (levels,))
    for asymmetry in ("text", "equation", "released"):
        assert torch.autograd.gradcheck(
            lambda z, kind=asymmetry: asymmetric_loss(z, true, asymmetry=kind), (levels,)
        )


def test_ssim_term_of_the_released_code_has_a_small_gradient() -> None:
    """On residuals, with C1 and C2 for a range of 255, the SSIM gradient is small."""
    clean = tensor(4, 1, 32, 32)
    noisy = add_hybrid_noise(clean, 0.8, 10.0)
    ratios = {}
    for name, recipe in RECIPES.items():
        restored = (noisy * 0.9 + clean * 0.1).requires_grad_()
        operands = losses.ssim_operands(restored, noisy, clean, recipe)
        ssim = ssim_loss(*operands, recipe.ssim_data_range, recipe.reduction)
        (of_ssim,) = torch.autograd.grad(ssim, restored)
        (of_mse,) = torch.autograd.grad(mse_loss(restored, clean, recipe.reduction), restored)
        ratios[name] = (of_ssim.norm() / of_mse.norm()).item()
    assert ratios["as-released"] < 0.2
    assert ratios["as-written"] > 2


# Eq. 8


def problem(recipe: Recipe, size: int = 24) -> tuple[Tensor, Tensor, Tensor]:
    ramp = torch.linspace(0.2, 0.8, size)
    clean = (ramp[:, None] * ramp + 0.2).expand(2, 1, size, size)
    eta, sigma = torch.tensor([0.5, 1.5]), torch.tensor([5.0, 15.0])
    noisy = add_hybrid_noise(clean, eta, sigma)
    return noisy, clean, level_maps(eta, sigma, clean, recipe.level_scaling)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_mixed_loss_is_the_weighted_sum(recipe: Recipe) -> None:
    noisy, clean, levels = problem(recipe)
    output = XBDCNN(replace(recipe, width=4))(noisy)
    total, terms = mixed_loss(output, noisy, clean, levels, recipe)
    assert tuple(terms) == TERMS
    assert not any(term.requires_grad for term in terms.values())
    expected = sum(w * terms[n] for w, n in zip(recipe.loss_weights, TERMS, strict=True))
    torch.testing.assert_close(total.detach(), expected)
    by_hand = {
        "mse": mse_loss(output.image, clean, recipe.reduction),
        "asymm": asymmetric_loss(
            output.levels, levels, recipe.alpha, recipe.asymmetry, recipe.reduction
        ),
        "tv": tv_loss(output.levels, recipe.tv_reduction),
        "ssim": ssim_loss(
            *losses.ssim_operands(output.image, noisy, clean, recipe),
            recipe.ssim_data_range,
            recipe.reduction,
        ),
    }
    for name, term in by_hand.items():
        torch.testing.assert_close(terms[name], term.detach())


def test_on_grey_levels_only_the_squared_error_is_larger() -> None:
    """255^2 = 65,025-fold; SSIM with its constants, and the level maps, are the same."""
    noisy, clean, levels = problem(AS_WRITTEN)
    output = XBDCNN(replace(AS_WRITTEN, width=4))(noisy)
    grey = replace(AS_WRITTEN, loss_scale=255.0)
    _, unit = mixed_loss(output, noisy, clean, levels, AS_WRITTEN)
    total, terms = mixed_loss(output, noisy, clean, levels, grey)
    torch.testing.assert_close(terms["mse"], mse_loss(255 * output.image, 255 * clean).detach())
    torch.testing.assert_close(terms["mse"], 65_025 * unit["mse"])
    assert all(torch.equal(terms[name], unit[name]) for name in ("ssim", "asymm", "tv"))
    expected = sum(w * terms[n] for w, n in zip(grey.loss_weights, TERMS, strict=True))
    torch.testing.assert_close(total.detach(), expected)
    ratios = [
        mixed_loss(output, noisy, clean, levels, replace(recipe, fidelity="relative"))[1]["mse"]
        for recipe in (AS_WRITTEN, grey)
    ]
    assert ratios[0] == ratios[1]


def test_ssim_loss_is_the_same_on_every_scale() -> None:
    """C1 and C2 grow with the square of the data range, as do the products of Eq. 7."""
    x, y = tensor(2, 1, 14, 13), tensor(2, 1, 14, 13, seed=1)
    unit, grey = ssim_loss(x, y), ssim_loss(255 * x, 255 * y, data_range=255.0)
    torch.testing.assert_close(grey, unit)
    assert abs(ssim_loss(x, y, data_range=255.0) - unit) > 0.1 * unit


def test_ssim_operands() -> None:
    noisy, clean, restored = (tensor(1, 1, 4, 4, seed=seed) for seed in range(3))
    assert losses.ssim_operands(restored, noisy, clean, AS_WRITTEN) == (restored, clean)
    first, second = losses.ssim_operands(restored, noisy, clean, AS_RELEASED)
    torch.testing.assert_close(first, noisy - restored)
    torch.testing.assert_close(second, noisy - clean)


def test_mixed_loss_without_nle_or_ssim_has_fewer_terms() -> None:
    noisy, clean, levels = problem(WITHOUT_NLE)
    output = XBDCNN(replace(WITHOUT_NLE, width=4))(noisy)
    assert tuple(mixed_loss(output, noisy, clean, levels, WITHOUT_NLE)[1]) == ("mse", "ssim")
    output = XBDCNN(replace(WITHOUT_SSIM, width=4))(noisy)
    assert tuple(mixed_loss(output, noisy, clean, levels, WITHOUT_SSIM)[1]) == (
        "mse",
        "asymm",
        "tv",
    )


def test_perfect_output_has_zero_loss() -> None:
    for recipe in RECIPES.values():
        noisy, clean, levels = problem(recipe)
        total, _ = mixed_loss(Denoised(clean, levels), noisy, clean, levels, recipe)
        assert total.item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_each_term_decreases_when_optimised_alone(recipe: Recipe, term: str) -> None:
    weights = tuple(float(name == term) for name in TERMS)
    alone = replace(recipe, width=8, loss_weights=weights)
    noisy, clean, levels = problem(alone)
    network = XBDCNN(alone)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    history = []
    for _ in range(60):
        total, terms = mixed_loss(network(noisy), noisy, clean, levels, alone)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(terms[term].item())
    assert min(history[-5:]) < 0.95 * history[0]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_gradients_are_finite_on_constant_images(recipe: Recipe, grey: float) -> None:
    clean = torch.full((2, 1, 16, 16), grey)
    levels = level_maps(0.4, 0.0, clean, recipe.level_scaling)
    for restored in (clean, torch.zeros_like(clean), torch.ones_like(clean)):
        for noisy in (clean, add_hybrid_noise(clean, 0.4, 10.0)):
            output = Denoised(restored.clone().requires_grad_(), levels.clone().requires_grad_())
            total, terms = mixed_loss(output, noisy, clean, levels, recipe)
            total.backward()
            assert torch.isfinite(total)
            assert all(torch.isfinite(value) for value in terms.values())
            assert all(torch.isfinite(part.grad).all() for part in output)
