"""The loss of X-BDCNN (Eq. 3-8), one function per equation, disputed readings as arguments."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from xbdcnn import paper
from xbdcnn.metrics import ssim_map
from xbdcnn.models import Denoised, Recipe
from xbdcnn.noise import GREY_LEVELS

Reduction = Literal["sum", "mean"]
Asymmetry = Literal["text", "equation", "released"]
TvReduction = Literal["sum", "mean", "released"]

NOISE_FLOOR = 2.0
"""Noise in grey levels below which `relative_mse_loss` asks for no more."""


def asymmetric_loss(
    estimated: Tensor,
    true: Tensor,
    alpha: float = paper.ALPHA,
    asymmetry: Asymmetry = "text",
    reduction: Reduction = "sum",
) -> Tensor:
    """Eq. 3: L_asymm = sum |alpha - beta| (l_hat - l)^2 over the noise level maps.

    Args:
        estimated, true: (B, 2, H, W) maps of eta and sigma in the same units.
        alpha: in (0, 0.5); 0.3 in the paper.
        asymmetry: "text", under-estimation weighs 1 - alpha (as in CBDNet, which Sec. II-B cites);
            "equation", beta as printed, so over-estimation weighs 1 - alpha;
            "released", |alpha - relu(l - l_hat)|, a weight with a second zero at l - alpha.
        reduction: see `reduce`.
    """
    weight = asymmetry_weight(estimated, true, alpha, asymmetry)
    return reduce(weight * (estimated - true).square(), reduction)


def asymmetry_weight(estimated: Tensor, true: Tensor, alpha: float, asymmetry: Asymmetry) -> Tensor:
    """|alpha - beta| of Eq. 3 in its three readings, see `asymmetric_loss`."""
    if asymmetry == "released":
        return (alpha - torch.relu(true - estimated)).abs()
    over = estimated > true
    beta = over if asymmetry == "equation" else ~over
    return (alpha - beta.to(estimated.dtype)).abs()


def tv_loss(levels: Tensor, reduction: TvReduction = "sum") -> Tensor:
    """Eq. 4: L_TV = ||grad_h l_hat||_2^2 + ||grad_v l_hat||_2^2, forward differences.

    levels: (B, 2, H, W). "sum" and "mean" as in `reduce`; "released" divides by the size of one
    map but adds up the batch, so the term grows with the batch size.
    """
    horizontal = levels.diff(dim=-1).square()
    vertical = levels.diff(dim=-2).square()
    if reduction == "released":
        return (horizontal.sum() + vertical.sum()) / levels[0].numel()
    return reduce(horizontal, reduction) + reduce(vertical, reduction)


def mse_loss(restored: Tensor, clean: Tensor, reduction: Reduction = "sum") -> Tensor:
    """Eq. 5: L_MSE = sum (g_hat - g)^2 over the pixels of (B, 1, H, W) images."""
    return reduce((restored - clean).square(), reduction)


def relative_mse_loss(restored: Tensor, noisy: Tensor, clean: Tensor) -> Tensor:
    """Share of the noise's energy that is left, ||g_hat - g||^2 / ||f - g||^2, mean over images.

    Not in the paper. Eq. 5 lets the strongest noise of a batch decide; here every image counts
    the same, as it does in a mean PSNR, unless its noise is below `NOISE_FLOOR` anyway: there a young
    network's smallest bias would outweigh the whole batch.
    """
    left = (restored - clean).square().mean(dim=(1, 2, 3))
    there = (noisy - clean).square().mean(dim=(1, 2, 3))
    return (left / there.clamp_min((NOISE_FLOOR / GREY_LEVELS) ** 2)).mean()


def ssim_loss(
    restored: Tensor, clean: Tensor, data_range: float = 1.0, reduction: Reduction = "sum"
) -> Tensor:
    """Eq. 6: L_SSIM = sum 1 - SSIM(g_hat, g), with Eq. 7 at every pixel of (B, 1, H, W)."""
    return reduce(1 - ssim_map(restored, clean, data_range=data_range, border="reflect"), reduction)


def mixed_loss(
    output: Denoised, noisy: Tensor, clean: Tensor, levels: Tensor, recipe: Recipe
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 8: L = lambda_1 L_MSE + lambda_2 L_SSIM + lambda_3 L_asymm + lambda_4 L_TV.

    Args:
        output: what the network returned for `noisy`.
        noisy, clean: (B, 1, H, W) in [0, 1].
        levels: (B, 2, H, W) true noise level maps in the recipe's units.
        recipe: weights and readings. A network without level maps has the first two terms only.

    Returns:
        The weighted sum, and each term before weighting, detached, by name.
    """
    if recipe.fidelity == "relative":
        terms = {"mse": relative_mse_loss(output.image, noisy, clean)}
    else:
        terms = {"mse": mse_loss(output.image, clean, recipe.reduction)}
    if recipe.loss_weights[1]:
        terms["ssim"] = ssim_loss(
            *ssim_operands(output.image, noisy, clean, recipe),
            recipe.ssim_data_range,
            recipe.reduction,
        )
    if output.levels is not None:
        terms["asymm"] = asymmetric_loss(
            output.levels, levels, recipe.alpha, recipe.asymmetry, recipe.reduction
        )
        terms["tv"] = tv_loss(output.levels, recipe.tv_reduction)
    weights = dict(zip(("mse", "ssim", "asymm", "tv"), recipe.loss_weights, strict=True))
    total = sum(weights[name] * term for name, term in terms.items())
    return total, {name: term.detach() for name, term in terms.items()}


def ssim_operands(
    restored: Tensor, noisy: Tensor, clean: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """What Eq. 6 compares: the images by the text, the residuals f - g in the released code."""
    if recipe.ssim_domain == "residual":
        return noisy - restored, noisy - clean
    return restored, clean


def reduce(values: Tensor, reduction: Reduction) -> Tensor:
    """Sum over each image and mean over the batch ("sum", as Eq. 3-6 print) or mean over all."""
    return values.mean() if reduction == "mean" else values.sum() / values.shape[0]
