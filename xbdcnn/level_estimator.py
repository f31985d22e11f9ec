"""Estimate of the noise levels of a whole image: photon transfer with learned weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xbdcnn.models import require_image_batch
from xbdcnn.noise import GREY_LEVELS, per_image

LEVEL_UNIT = 25.5
"""Grey levels of noise that the denoiser receives as 1, a tenth of the scale."""

LEAST_ERROR = 0.005
"""Least standard deviation of the error of an encoded level, 0.13 grey levels of noise.

It stands for what remains in whole radiographs, which are larger than the patches of the training:
chosen on the validation radiographs for the one training run that is shipped."""

LARGEST_LOSS = 3.0
"""Largest -log(1 - c) of the estimated correlation c, that is c = 0.95."""

CAUTION = 0.75
"""Standard errors by which the denoiser is told less noise than estimated.

Chosen on validation radiographs, so that inserted discs remain as detectable as possible while weak
noise, also correlated, is still reduced."""


@dataclass(frozen=True)
class EstimatorRecipe:
    """Size of a level estimator."""

    width: int = 48
    """Channels of the network that weighs the blocks."""
    summaries: int = 16
    """Features of the whole image, averages over its blocks."""


def encode_levels(
    eta: float | Tensor, sigma: float | Tensor, correlation: float | Tensor, like: Tensor
) -> Tensor:
    """Levels as the denoiser receives them, (B, 3) for images `like` (B, 1, H, W).

    Standard deviations of the quantum noise at white, sqrt(255 / eta), and of the electronic noise,
    both divided by `LEVEL_UNIT`, and the correlation of adjacent pixels. eta: photons per grey
    level, infinite for no quantum noise; sigma: grey levels; each a number or (B,).

    >>> encode_levels(0.4, 5.0, 0.0, torch.zeros(1, 1, 16, 16))
    tensor([[0.9901, 0.1961, 0.0000]])
    """
    quantum = (GREY_LEVELS / per_image(eta, like)).sqrt() / LEVEL_UNIT
    levels = [quantum, per_image(sigma, like) / LEVEL_UNIT, per_image(correlation, like)]
    return torch.stack([level.expand(like.shape[0], 1, 1, 1).flatten() for level in levels], dim=1)


def decode_levels(levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Invert `encode_levels`: eta, sigma and correlation, (B,) each, of levels (B, 3)."""
    quantum, electronic, correlation = levels.unbind(dim=1)
    return GREY_LEVELS / (LEVEL_UNIT * quantum).square(), LEVEL_UNIT * electronic, correlation


class LevelEstimate(NamedTuple):
    """Levels as in `encode_levels`, and the standard deviations of their errors, (B, 3) each."""

    levels: Tensor
    error: Tensor

    def cautious(self) -> Tensor:
        """Levels (B, 3) for the denoiser: lower by `CAUTION` errors, with the same correlation.

        A denoiser that is told less noise than there is leaves some; one that is told more removes
        anatomy. Levels that can be measured well hardly change.
        """
        lower = (self.levels - CAUTION * self.error)[:, :2].clamp(min=1e-6)
        return torch.cat([lower, self.levels[:, 2:]], dim=1)


class LevelEstimator(nn.Module):
    """Estimate eta, sigma and the correlation of the noise, with errors, from a whole image.

    Photon transfer by blocks of 8 x 8 pixels: sum_b w_b (v_b - (slope m_b + offset))^2 is minimal,
    where m is the mean and v the variance of the finest diagonal detail. Noise whose adjacent
    pixels, across and down, have the correlation c has (1 - c)^2 of its variance in v and 1 - c in
    their differences. The ratio of the two gives c, and the levels are raised by 1 / (1 - c). Small
    networks weigh the blocks, so that anatomy and clipped areas do not count, and correct v, c and
    the two levels. The error of a level has a statistical part, which follows from the deviations
    of the blocks and decreases with their number, and one that remains.

    >>> estimate = LevelEstimator()(torch.rand(2, 1, 64, 80))
    >>> estimate.levels.shape, estimate.error.shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    """

    def __init__(self, recipe: EstimatorRecipe = EstimatorRecipe()) -> None:
        super().__init__()
        self.recipe = recipe
        outputs = 2 + recipe.summaries
        weigh, correct = nn.Linear(recipe.width, outputs), nn.Linear(96, 9)
        with torch.no_grad():  # at first all blocks count alike, and hardly anything is corrected
            weigh.weight.mul_(0.1)
            correct.weight.mul_(0.1)
        self.local = nn.Sequential(
            *(nn.Linear(9, recipe.width), nn.ReLU()),
            *(nn.Linear(recipe.width, recipe.width), nn.ReLU(), weigh),
        )
        self.whole = nn.Sequential(nn.Linear(recipe.summaries + 7, 96), nn.ReLU(), correct)

    def forward(self, noisy: Tensor) -> LevelEstimate:
        """Estimate the levels of (B, 1, H, W) in [0, 1] with H, W >= 16, else XbdcnnError."""
        require_image_batch(noisy)
        signal, detail, coarse, features = block_statistics(noisy)  # (B, N) each, (B, N, 9)
        correction, logit, *summaries = self.local(features).unbind(dim=2)
        variance = detail * torch.exp(2 * torch.tanh(correction))
        weight = (4 * logit).softmax(dim=1)
        means = ((weight * x).sum(dim=1, keepdim=True) for x in (coarse, detail))  # (B, 1) each
        seen = torch.div(*means).log()
        summary = torch.stack([(weight * value).sum(dim=1) for value in summaries], dim=1)
        line = fit_line(signal, variance, weight)
        # A soft maximum with 0 keeps a gradient where the line has a negative slope or offset.
        known = (F.softplus(20 * torch.stack(line[:2], dim=1)) / 20 + 1e-6).sqrt()  # (B, 2)
        chance = torch.stack([line.slope_error, line.offset_error], dim=1) / (2 * known)
        of_correlation = torch.full_like(chance[:, :1], signal.shape[1] ** -0.5)
        chance = torch.cat([chance, of_correlation], dim=1).clamp(min=1e-4)  # (B, 3)
        about = torch.cat([summary, known.log(), line.centre[:, None], chance.log(), seen], dim=1)
        factor, missed, of_chance, remaining = self.whole(about).split([2, 1, 3, 3], dim=1)
        lost = (seen + missed).clamp(-1, LARGEST_LOSS)
        levels = known * (factor.clamp(-2, 2) + lost).exp()
        levels = torch.cat([levels, 1 - (-lost).exp()], dim=1)
        chance = chance * of_chance.clamp(-4, 4).exp()
        remaining = (5 * remaining - 3).clamp(-9, 2).exp()
        error = (LEAST_ERROR**2 + chance.square() + remaining.square()).sqrt()
        return LevelEstimate(levels, error)


def block_statistics(image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean, variances of fine and coarser detail, and nine features of blocks of 8 x 8 pixels.

    image: (B, 1, H, W) in [0, 1]. Returns (B, N), twice (B, N) in squares of `LEVEL_UNIT`, and
    (B, N, 9). Fine: finest diagonal detail; coarser: differences of adjacent pixels.
    The features: mean, share of clipped pixels, log variance of the detail, and logarithms of the
    ratios of other differences to it, which tell anatomy and correlated noise from white noise.
    """
    x = image
    across, down = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
    squares = [
        (across[..., 1:, :] - across[..., :-1, :]).square() / 4,  # variance 1 for white noise of 1
        across.square() / 2,
        down.square() / 2,
        (x[..., 2:] - x[..., :-2]).square() / 2,
        (x[..., 2:, :] - x[..., :-2, :]).square() / 2,
        (across[..., 1:] - across[..., :-1]).square() / 6,
    ]
    mean = F.avg_pool2d(x, 8)
    scale = (GREY_LEVELS / LEVEL_UNIT) ** 2
    variances = [_block_mean(square, x) for square in squares]
    variances.append((F.avg_pool2d(x.square(), 8) - mean.square()).clamp(min=0))
    logs = [torch.log(scale * variance + 1e-6) for variance in variances]
    clipped = F.avg_pool2d(((x <= 0) | (x >= 1)).to(x.dtype), 8)
    features = [mean, clipped, logs[0] / 4, *((other - logs[0]) / 2 for other in logs[1:])]
    stacked = torch.cat(features, dim=1).flatten(2).transpose(1, 2)
    fine, coarse = (
        (scale * x + 1e-6).flatten(1) for x in (variances[0], (variances[1] + variances[2]) / 2)
    )
    return mean.flatten(1), fine, coarse, stacked


def _block_mean(differences: Tensor, image: Tensor) -> Tensor:
    """Mean over blocks of 8 x 8, after zeros are added at the lower and right border."""
    height, width = (a - b for a, b in zip(image.shape[-2:], differences.shape[-2:], strict=True))
    return F.avg_pool2d(F.pad(differences, (0, width, 0, height)), 8)


class Line(NamedTuple):
    """variance = slope signal + offset with standard errors, and the mean signal; (B,) each."""

    slope: Tensor
    offset: Tensor
    centre: Tensor
    slope_error: Tensor
    offset_error: Tensor


def fit_line(signal: Tensor, variance: Tensor, weight: Tensor) -> Line:
    """Fit variance = slope signal + offset by weighted least squares; (B, N) each.

    A variance has an error in proportion to itself, so `weight` is divided by its square. The
    standard errors follow from the deviations of the points, whatever their distribution.
    """
    typical = variance.mean(dim=1, keepdim=True)
    weight = weight / (variance + 0.1 * typical + 1e-6).square()
    weight = weight / weight.sum(dim=1, keepdim=True)
    centre, level = ((weight * x).sum(dim=1, keepdim=True) for x in (signal, variance))
    lever, height = weight * (signal - centre), variance - level
    spread = (lever * (signal - centre)).sum(dim=1) + 1e-4  # (B,)
    slope = (lever * height).sum(dim=1) / spread
    deviation = height - slope[:, None] * (signal - centre)
    slope_error = (lever * deviation).square().sum(dim=1).sqrt() / spread
    level_error = (weight * deviation).square().sum(dim=1).sqrt()
    centre, level = centre[:, 0], level[:, 0]
    offset_error = (level_error.square() + (centre * slope_error).square()).sqrt()
    return Line(slope, level - slope * centre, centre, slope_error, offset_error)
