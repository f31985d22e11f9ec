"""The successor of X-BDCNN: a level estimator and a residual U-Net that is told the levels.

It keeps the paper's idea, a part that estimates the noise level and a part that denoises given the
level (Sec. II-B). The levels are three numbers per image: quantum noise, electronic noise, and the
correlation of adjacent pixels. The estimator sees the whole image: it fits the photon transfer line
to the variances of small blocks, with weights and corrections that it has learned. The U-Net needs
a fifth of the arithmetic of the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xbdcnn.models import Denoised, Recipe, conv3x3, pad_to_multiple, require_image_batch
from xbdcnn.noise import GREY_LEVELS, per_image

LEVEL_UNIT = 25.5
"""Grey levels of noise that the denoiser receives as 1, a tenth of the scale."""


TrainingNoise = Literal["radiographs", "paper"]
"""Noise of `training.radiograph_noise`, or that of Eq. 1 in the paper's range."""


@dataclass(frozen=True)
class SuccessorRecipe:
    """Size and training noise of a successor."""

    widths: tuple[int, ...] = (16, 40, 96, 160)
    """Channels of each level of the U-Net, from full resolution down."""
    blocks: int = 2
    """Residual blocks of each level, down and up."""
    noise: TrainingNoise = "radiographs"
    """Noise of the training."""


@dataclass(frozen=True)
class EstimatorRecipe:
    """Size of a level estimator."""

    width: int = 48
    """Channels of the network that weighs the blocks."""
    summaries: int = 16
    """Features of the whole image, averages over its blocks."""


AnyRecipe = Recipe | SuccessorRecipe | EstimatorRecipe

FULL = SuccessorRecipe()
TINY = SuccessorRecipe(widths=(8, 16, 32, 64))


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
    return torch.stack([level.expand(len(like), 1, 1, 1).flatten() for level in levels], dim=1)


def decode_levels(levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Invert `encode_levels`: eta, sigma and correlation, (B,) each, of levels (B, 3)."""
    quantum, electronic, correlation = levels.unbind(dim=1)
    return GREY_LEVELS / (LEVEL_UNIT * quantum).square(), LEVEL_UNIT * electronic, correlation


class LevelEstimate(NamedTuple):
    """Levels as in `encode_levels`, and the standard deviations of their errors, (B, 3) each."""

    levels: Tensor
    error: Tensor


class LevelEstimator(nn.Module):
    """Estimate eta, sigma and the correlation of the noise, with errors, from a whole image.

    Photon transfer by blocks of 8 x 8 pixels: sum_b w_b (v_b - (slope m_b + offset))^2 is minimal,
    where m is the mean and v the variance of the finest diagonal detail. Small networks weigh the
    blocks, so that anatomy and clipped areas do not count, correct v, since correlated noise has
    less detail, and correct the two levels.

    >>> estimate = LevelEstimator()(torch.rand(2, 1, 64, 80))
    >>> estimate.levels.shape, estimate.error.shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    """

    def __init__(self, recipe: EstimatorRecipe = EstimatorRecipe()) -> None:
        super().__init__()
        self.recipe = recipe
        outputs = 2 + recipe.summaries
        weigh, correct = nn.Linear(recipe.width, outputs), nn.Linear(96, 6)
        with torch.no_grad():  # at first all blocks count alike, and hardly anything is corrected
            weigh.weight.mul_(0.1)
            correct.weight.mul_(0.1)
        self.local = nn.Sequential(
            *(nn.Linear(9, recipe.width), nn.ReLU()),
            *(nn.Linear(recipe.width, recipe.width), nn.ReLU(), weigh),
        )
        self.whole = nn.Sequential(nn.Linear(recipe.summaries + 3, 96), nn.ReLU(), correct)

    def forward(self, noisy: Tensor) -> LevelEstimate:
        """Estimate the levels of (B, 1, H, W) in [0, 1] with H, W >= 16, else XbdcnnError."""
        require_image_batch(noisy)
        signal, variance, features = block_statistics(noisy)  # (B, N), (B, N), (B, N, 9)
        correction, logit, *summaries = self.local(features).unbind(dim=2)
        variance = variance * torch.exp(2 * torch.tanh(correction))
        weight = (4 * logit).softmax(dim=1)
        summary = torch.stack([(weight * value).sum(dim=1) for value in summaries], dim=1)
        slope, offset, brightness = fit_line(signal, variance, weight)  # (B,) each
        # A soft maximum with 0 keeps a gradient where the line has a negative slope or offset.
        quantum, electronic = ((F.softplus(20 * x) / 20 + 1e-6).sqrt() for x in (slope, offset))
        known = torch.stack([quantum.log(), electronic.log(), brightness], dim=1)
        outputs = self.whole(torch.cat([summary, known], dim=1))  # (B, 6)
        factors = torch.exp(outputs[:, :2].clamp(-2, 2))
        levels = torch.cat(
            [torch.stack([quantum, electronic], dim=1) * factors, outputs[:, 2:3]], 1
        )
        return LevelEstimate(levels, torch.exp((5 * outputs[:, 3:] - 2).clamp(-9, 2)))


def block_statistics(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variance of the finest detail, and nine features of every block of 8 x 8 pixels.

    image: (B, 1, H, W) in [0, 1]. Returns (B, N), (B, N) in squares of `LEVEL_UNIT`, (B, N, 9).
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
    return mean.flatten(1), (scale * variances[0] + 1e-6).flatten(1), stacked


def _block_mean(differences: Tensor, image: Tensor) -> Tensor:
    """Mean over blocks of 8 x 8, after zeros are added at the lower and right border."""
    height, width = (a - b for a, b in zip(image.shape[-2:], differences.shape[-2:], strict=True))
    return F.avg_pool2d(F.pad(differences, (0, width, 0, height)), 8)


def fit_line(signal: Tensor, variance: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit variance = slope signal + offset by weighted least squares; (B, N) each.

    A variance has an error in proportion to itself, so `weight` is divided by its square. Returns
    slope, offset and the weighted mean of the signal, (B,) each.
    """
    typical = variance.mean(dim=1, keepdim=True)
    weight = weight / (variance + 0.1 * typical + 1e-6).square()
    weight = weight / weight.sum(dim=1, keepdim=True)
    centre, level = ((weight * x).sum(dim=1, keepdim=True) for x in (signal, variance))
    covariance = (weight * (signal - centre) * (variance - level)).sum(dim=1)
    slope = covariance / ((weight * (signal - centre).square()).sum(dim=1) + 1e-4)
    return slope, level[:, 0] - slope * centre[:, 0], centre[:, 0]


class ResidualBlock(nn.Module):
    """x + conv(ReLU(conv(x))), both 3x3; the second starts small, so that the block starts as x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv3x3(channels, channels), conv3x3(channels, channels)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.second.weight.mul_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return x + self.second(F.relu(self.first(x)))  # type: ignore[no-any-return]


class Successor(nn.Module):
    """Residual U-Net on the noisy image and its noise levels: g_hat = f + R(f, levels).

    Strided 2x2 convolutions down, transposed ones up, skip connections by addition.

    >>> network = Successor(TINY)
    >>> network(torch.rand(2, 1, 30, 41), torch.zeros(2, 3)).image.shape
    torch.Size([2, 1, 30, 41])
    """

    def __init__(self, recipe: SuccessorRecipe = FULL) -> None:
        super().__init__()
        self.recipe = recipe
        widths = recipe.widths
        steps = list(pairwise(widths))
        self.enter = conv3x3(4, widths[0])
        self.encode = nn.ModuleList(self._level(width) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(w, v, kernel_size=2, stride=2) for w, v in steps)
        self.up = nn.ModuleList(nn.ConvTranspose2d(v, w, kernel_size=2, stride=2) for w, v in steps)
        self.decode = nn.ModuleList(self._level(width) for width in widths[:-1])
        self.output = conv3x3(widths[0], 1)
        with torch.no_grad():  # the restored image starts close to the noisy one
            self.output.weight.mul_(0.1)
            self.output.bias = nn.Parameter(torch.zeros(1))

    def _level(self, width: int) -> nn.Sequential:
        return nn.Sequential(*(ResidualBlock(width) for _ in range(self.recipe.blocks)))

    def forward(self, noisy: Tensor, levels: Tensor) -> Denoised[Tensor]:
        """Restore (B, 1, H, W) in [0, 1] with H, W >= 16, given levels (B, 3) of `encode_levels`.

        XbdcnnError if `noisy` has another shape.
        """
        require_image_batch(noisy)
        padded = pad_to_multiple(noisy, 2 ** len(self.down))  # (B, 1, H', W')
        maps = levels.to(padded.dtype)[..., None, None].expand(-1, -1, *padded.shape[-2:])
        features, skips = self.enter(torch.cat([padded, maps], dim=1)), []
        for encode, down in zip(self.encode, self.down, strict=False):
            skips.append(encode(features))
            features = down(skips[-1])
        features = self.encode[-1](features)
        for decode, up in zip(reversed(self.decode), reversed(self.up), strict=True):
            features = decode(up(features) + skips.pop())
        restored = padded + self.output(features)  # (B, 1, H', W')
        return Denoised(restored[..., : noisy.shape[-2], : noisy.shape[-1]])
