"""The loss of X-BDCNN (Eq. 3-8): one function per equation, ambiguous readings as arguments.

Images and level maps are floating-point tensors; every loss is a scalar tensor of their dtype.
"""

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
"""Root mean square noise in grey levels below which `relative_mse_loss` is no longer relative."""


def asymmetric_loss(
    estimated: Tensor,
    true: Tensor,
    alpha: float = paper.ALPHA,
    asymmetry: Asymmetry = "text",
    reduction: Reduction = "sum",
) -> Tensor:
    """Eq. 3: L_asymm = sum |alpha - beta| (l_hat - l)^2 over the noise level maps.

    Args:
        estimated, true: (B, 2, H, W) maps of eta and sigma in the same units, or (B, 1, H, W).
        alpha: in (0, 0.5); 0.3 in the paper.
        asymmetry: "text", under-estimation weighs 1 - alpha (as in CBDNet, which Sec. II-B cites);
            "equation", beta as printed, so over-estimation weighs 1 - alpha;
            "released", |alpha - relu(l - l_hat)|, so the loss has a second zero at l - alpha.
        reduction: see `reduce`.

    >>> true = torch.ones(1, 2, 1, 1)
    >>> asymmetric_loss(true - 0.5, true), asymmetric_loss(true + 0.5, true)
    (tensor(0.3500), tensor(0.1500))
    """
    weight = asymmetry_weight(estimated, true, alpha, asymmetry)
    return reduce(weight * (estimated - true).square(), reduction)


def asymmetry_weight(estimated: Tensor, true: Tensor, alpha: float, asymmetry: Asymmetry) -> Tensor:
    """|alpha - beta| of Eq. 3, shaped like `estimated`, in three readings: see `asymmetric_loss`.

    >>> asymmetry_weight(torch.tensor([0.5, 1.5]), torch.ones(2), 0.3, "equation")
    tensor([0.3000, 0.7000])
    """
    if asymmetry == "released":
        return (alpha - torch.relu(true - estimated)).abs()
    over = estimated > true
    beta = over if asymmetry == "equation" else ~over
    return (alpha - beta.to(estimated.dtype)).abs()


def tv_loss(levels: Tensor, reduction: TvReduction = "sum") -> Tensor:
    """Eq. 4: L_TV = ||grad_h l_hat||_2^2 + ||grad_v l_hat||_2^2, forward differences.

    levels: (B, 2, H, W) or (B, 1, H, W). "sum" and "mean" as in `reduce`; "released" divides by the
    number of values per image but sums over the batch, so the term grows with the batch size.

    >>> tv_loss(torch.arange(8.0).reshape(1, 2, 2, 2))  # two maps with 1^2 + 1^2 + 2^2 + 2^2
    tensor(20.)
    """
    horizontal = levels.diff(dim=-1).square()
    vertical = levels.diff(dim=-2).square()
    if reduction == "released":
        return (horizontal.sum() + vertical.sum()) / levels[0].numel()
    return reduce(horizontal, reduction) + reduce(vertical, reduction)


def mse_loss(restored: Tensor, clean: Tensor, reduction: Reduction = "sum") -> Tensor:
    """Eq. 5: L_MSE = sum (g_hat - g)^2 over the pixels of (B, 1, H, W) images, see `reduce`.

    >>> mse_loss(torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2))
    tensor(4.)
    """
    return reduce((restored - clean).square(), reduction)


def relative_mse_loss(restored: Tensor, noisy: Tensor, clean: Tensor) -> Tensor:
    """Mean over images of ||g_hat - g||^2 / ||f - g||^2, the share of noise energy that remains.

    (B, 1, H, W) images in [0, 1]. Not in the paper: Eq. 5 is dominated by the strongest noise of a
    batch, whereas here every image has the same weight, as in a mean PSNR. The denominator is
    bounded by `NOISE_FLOOR`, since a small bias of an image that has almost no noise would
    otherwise outweigh the rest of the batch.

    >>> clean = torch.full((1, 1, 8, 8), 0.5)
    >>> relative_mse_loss(clean + 0.1, clean + 0.2, clean)
    tensor(0.2500)
    """
    remaining = (restored - clean).square().mean(dim=(1, 2, 3))  # (B,)
    initial = (noisy - clean).square().mean(dim=(1, 2, 3))  # (B,)
    return (remaining / initial.clamp_min((NOISE_FLOOR / GREY_LEVELS) ** 2)).mean()


def ssim_loss(
    restored: Tensor, clean: Tensor, data_range: float = 1.0, reduction: Reduction = "sum"
) -> Tensor:
    """Eq. 6: L_SSIM = sum 1 - SSIM(g_hat, g), with Eq. 7 at every pixel of (B, 1, H, W).

    `data_range` enters C1 and C2, see `metrics.ssim_map`; XbdcnnError if H or W is below 11.

    >>> ssim_loss(torch.zeros(1, 1, 11, 11), torch.ones(1, 1, 11, 11), reduction="mean")
    tensor(0.9999)
    """
    return reduce(1 - ssim_map(restored, clean, data_range=data_range, border="reflect"), reduction)


def mixed_loss(
    output: Denoised[Tensor], noisy: Tensor, clean: Tensor, levels: Tensor, recipe: Recipe
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 8: L = lambda_1 L_MSE + lambda_2 L_SSIM + lambda_3 L_asymm + lambda_4 L_TV.

    Args:
        output: output of the network for `noisy`.
        noisy, clean: (B, 1, H, W) in [0, 1].
        levels: true noise level maps, shaped like those of the network and in the same units.
        recipe: weights and readings. A network without level maps has the first two terms only.
            With a `loss_scale` of s the images of Eq. 5 are in [0, s], so that L_MSE is s^2 times
            as large. L_SSIM is the same on every scale, since C1 and C2 of Eq. 7 grow with the
            square of the data range; so is `relative_mse_loss`. L_asymm and L_TV compare level
            maps, whose units are a choice of their own, `level_scaling`.

    Returns:
        The weighted sum, and each term before weighting, detached, by name.

    >>> image, levels = torch.rand(1, 1, 16, 16), torch.ones(1, 2, 16, 16)
    >>> loss, terms = mixed_loss(Denoised(image, levels), image, image, levels, Recipe())
    >>> list(terms)
    ['mse', 'ssim', 'asymm', 'tv']
    """
    if recipe.fidelity == "relative":
        terms = {"mse": relative_mse_loss(output.image, noisy, clean)}
    else:
        squared_error = mse_loss(output.image, clean, recipe.reduction)
        terms = {"mse": recipe.loss_scale**2 * squared_error}
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
    zero = torch.zeros_like(terms["mse"])
    total = sum((weights[name] * term for name, term in terms.items()), start=zero)
    return total, {name: term.detach() for name, term in terms.items()}


def ssim_operands(
    restored: Tensor, noisy: Tensor, clean: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """Operands of Eq. 6: g_hat and g by the text, f - g_hat and f - g in the released code.

    All are (B, 1, H, W); `recipe.ssim_domain` selects "image" or "residual".
    """
    if recipe.ssim_domain == "residual":
        return noisy - restored, noisy - clean
    return restored, clean


def reduce(values: Tensor, reduction: Reduction) -> Tensor:
    """Sum over each image and mean over the batch ("sum", Eq. 3-6), or mean over all ("mean").

    >>> reduce(torch.ones(2, 1, 4, 4), "sum"), reduce(torch.ones(2, 1, 4, 4), "mean")
    (tensor(16.), tensor(1.))
    """
    return values.mean() if reduction == "mean" else values.sum() / values.shape[0]
