"""The successor of X-BDCNN: a level estimator and a residual U-Net that is told the levels.

It keeps the paper's idea, a part that estimates the noise level and a part that denoises given the
level (Sec. II-B). The levels are three numbers per image: quantum noise, electronic noise, and the
correlation of adjacent pixels, see `level_estimator`. The U-Net needs a fifth of the arithmetic of
the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xbdcnn.level_estimator import EstimatorRecipe, LevelEstimator
from xbdcnn.models import Denoised, Recipe, conv3x3, pad_to_multiple, require_image_batch
from xbdcnn.noise import TrainingNoise


@dataclass(frozen=True)
class SuccessorRecipe:
    """Size and training noise of a successor."""

    widths: tuple[int, ...] = (16, 40, 96, 160)
    """Channels of each level of the U-Net, from full resolution down."""
    blocks: int = 2
    """Residual blocks of each level, down and up."""
    noise: TrainingNoise = "radiographs"
    """Noise of the training."""


AnyRecipe = Recipe | SuccessorRecipe | EstimatorRecipe

FULL = SuccessorRecipe()
TINY = SuccessorRecipe(widths=(8, 16, 32, 64))


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


class BlindSuccessor(nn.Module):
    """The successor as it is applied: g_hat = f + R(f, l_hat(f)), with l_hat of the whole image.

    >>> network = BlindSuccessor(LevelEstimator(), Successor(TINY))
    >>> network(torch.rand(1, 1, 32, 48)).levels.shape
    torch.Size([1, 3])
    """

    def __init__(self, estimator: LevelEstimator, denoiser: Successor) -> None:
        super().__init__()
        self.estimator, self.denoiser = estimator, denoiser

    def forward(self, noisy: Tensor, levels: Tensor | None = None) -> Denoised[Tensor]:
        """Restore (B, 1, H, W) in [0, 1]; the output's levels are (B, 3), the estimated or given.

        The denoiser is told `LevelEstimate.cautious`, or the given `levels` of `encode_levels`.
        """
        if levels is not None:
            return Denoised(self.denoiser(noisy, levels).image, levels)
        found = self.estimator(noisy)
        return Denoised(self.denoiser(noisy, found.cautious()).image, found.levels)
