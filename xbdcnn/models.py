"""X-BDCNN (Sec. II-B, Fig. 1): noise level estimation, non-blind denoising, and recipes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from xbdcnn import paper
from xbdcnn._common.errors import SMALLEST_SIDE, XbdcnnError
from xbdcnn.noise import LevelMaps, LevelScaling, mid_range_levels

NLE_WIDTH = 32
"""Channels of the NLE (Sec. II-B)."""

_Values = TypeVar("_Values", bound=Tensor | NDArray[np.floating])


@dataclass(frozen=True)
class Recipe:
    """One field per choice on which the paper's text, its equations and its code disagree.

    Change one field with `dataclasses.replace` to measure the effect of that choice.
    """

    use_nle: bool = True
    """False: the ablation without noise level estimation."""
    share_nle_weights: bool = False
    """True: layers 2-4 of the NLE are one convolution applied three times (released code)."""
    output_kernel: Literal[1, 3] = 3
    """Size of the last filter: 3 by the text, 1 in the released code."""
    width: int = 64
    """Channels at full resolution; 64 in the released code, fewer for quick experiments."""
    level_maps: LevelMaps = "eta and sigma"
    """Two constant maps (paper), or the standard deviation of the noise at each pixel (CBDNet)."""
    level_scaling: LevelScaling = "released"
    """Units of the maps of eta and sigma, see `noise.level_maps`."""
    level_sampling: Literal["continuous", "grid"] = "continuous"
    """How training noise levels are drawn, see `noise.sample_levels`."""
    loss_weights: tuple[float, float, float, float] = paper.LAMBDAS
    """lambda_1..4 of Eq. 8, for MSE, SSIM, asymmetric and TV loss."""
    alpha: float = paper.ALPHA
    """Asymmetry of Eq. 3."""
    asymmetry: Literal["text", "equation", "released"] = "text"
    """Reading of the weight in Eq. 3, see `losses.asymmetric_loss`."""
    reduction: Literal["sum", "mean"] = "sum"
    """Sum over pixels (Eq. 3, 5, 6) or mean (released code)."""
    fidelity: Literal["absolute", "relative"] = "absolute"
    """Squared error of Eq. 5, or its ratio to the noise energy, `losses.relative_mse_loss`."""
    loss_scale: float = 1.0
    """White in Eq. 5, which the paper does not state: 1, or 255 as for its noise levels."""
    tv_reduction: Literal["sum", "mean", "released"] = "sum"
    """Norm of Eq. 4, its mean, or the per-pixel mean summed over the batch (released code)."""
    ssim_domain: Literal["image", "residual"] = "image"
    """Operands of Eq. 6: the restored image (text) or the residual (released code)."""
    ssim_data_range: float = 1.0
    """Data range in C1 and C2 of Eq. 7: 1 for images in [0, 1]; 255 in the released code."""


AS_WRITTEN = Recipe()
"""The paper's text; where an equation contradicts the text, the text is followed."""

FAIREST = replace(AS_WRITTEN, loss_scale=255.0, level_scaling="unit")
"""The reading with the highest mean PSNR of those that the series "reading" of `study.series`
compares in short training runs over three seeds: the scale of the loss, sums or means, the units of
the level maps, the schedule and clipping, on which the text is silent."""

AS_RELEASED = Recipe(
    share_nle_weights=True,
    output_kernel=1,
    level_sampling="grid",
    asymmetry="released",
    reduction="mean",
    tv_reduction="released",
    ssim_domain="residual",
    ssim_data_range=255.0,
)
"""The first author's published code, including its defects."""

BALANCED = replace(
    AS_WRITTEN,
    reduction="mean",
    tv_reduction="mean",
    level_scaling="unit",
    loss_weights=(1.0, 1e-4, 0.1, 0.01),
)
"""The paper's network and its four loss terms, reweighted. The training runs that led to these
weights are not on record; the series "recipe" of `study.series` compares them with others."""

WITHOUT_SSIM = replace(AS_WRITTEN, loss_weights=(0.4, 0.0, 0.5, 0.05))
"""Ablation of Table I: X-BDCNN without the SSIM loss."""

WITHOUT_NLE = replace(AS_WRITTEN, use_nle=False)
"""Ablation of Table I: X-BDCNN without noise level estimation."""

FAIREST_WITHOUT_SSIM = replace(FAIREST, loss_weights=WITHOUT_SSIM.loss_weights)
FAIREST_WITHOUT_NLE = replace(FAIREST, use_nle=False)
"""The same ablations under the fairest reading."""


class Denoised(NamedTuple, Generic[_Values]):
    """Result of a network, as tensors of a batch, or of a method, as arrays of one radiograph.

    image: estimate of the noise-free image; (B, 1, H, W), nominally in [0, 1] but not clipped, from
    a network; (H, W), clipped to [0, 1], from a method. levels: noise level maps of eta and sigma;
    (B, 2, H, W) in the recipe's units from a network, (B, 1, H, W) if its recipe has one map;
    (2, H, W) in the paper's units from a method; None where these levels are not estimated.
    """

    image: _Values
    levels: _Values | None = None


class NLE(nn.Module):
    """Noise level estimation: five 3x3 convolutions, 32 channels, skip from layer 1 to 4.

    (B, 1, H, W) noisy -> (B, M, H, W) non-negative noise level maps. Sec. II-B. The recipe states
    whether layers 2-4 are one convolution, and what the maps are: M = 2, or 1 for CBDNet.

    >>> NLE()(torch.rand(1, 1, 16, 24)).shape
    torch.Size([1, 2, 16, 24])
    """

    def __init__(self, recipe: Recipe = AS_WRITTEN) -> None:
        super().__init__()
        self.first = conv3x3(1, NLE_WIDTH)
        count = 1 if recipe.share_nle_weights else 3
        self.middle = nn.ModuleList(conv3x3(NLE_WIDTH, NLE_WIDTH) for _ in range(count))
        start = mid_range_levels(recipe.level_scaling, recipe.level_maps)
        self.last = conv3x3(NLE_WIDTH, len(start))
        # A ReLU output that is zero for every image has no gradient and stays zero, so the maps
        # start near the middle of their training ranges.
        with torch.no_grad():
            self.last.weight.mul_(0.01)
        self.last.bias = nn.Parameter(start)

    def forward(self, noisy: Tensor) -> Tensor:
        """Estimate the noise level maps (B, M, H, W) of a batch (B, 1, H, W)."""
        skip = features = F.relu(self.first(noisy))  # (B, 32, H, W)
        for layer in range(3):
            features = F.relu(self.middle[layer % len(self.middle)](features))  # (B, 32, H, W)
        return F.relu(self.last(features + skip))  # (B, M, H, W)


class NBD(nn.Module):
    """Non-blind denoising: a U-Net of 17 convolutions that predicts the residual R. Sec. II-B.

    (B, C, H, W) noisy image and level maps -> (B, 1, H, W) residual; H and W multiples of 4.
    Two average poolings down, two transposed convolutions up, skip connections by addition.

    >>> NBD(width=8)(torch.rand(1, 3, 16, 24)).shape
    torch.Size([1, 1, 16, 24])
    """

    def __init__(self, channels: int = 3, width: int = 64, output_kernel: int = 3) -> None:
        super().__init__()
        self.enter = conv_block(channels, width, layers=2)
        self.down1 = conv_block(width, 2 * width, layers=3)
        self.down2 = conv_block(2 * width, 4 * width, layers=6)
        self.up1 = nn.ConvTranspose2d(4 * width, 2 * width, kernel_size=2, stride=2)
        self.decode1 = conv_block(2 * width, 2 * width, layers=3)
        self.up2 = nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2)
        self.decode2 = conv_block(width, width, layers=2)
        self.output = nn.Conv2d(width, 1, output_kernel, padding=output_kernel // 2)

    def forward(self, inputs: Tensor) -> Tensor:
        """Predict the residual (B, 1, H, W) of a batch (B, C, H, W); w is the width."""
        full = self.enter(inputs)  # (B, w, H, W)
        half = self.down1(F.avg_pool2d(full, 2))  # (B, 2w, H/2, W/2)
        quarter = self.down2(F.avg_pool2d(half, 2))  # (B, 4w, H/4, W/4)
        half = self.decode1(self.up1(quarter) + half)  # (B, 2w, H/2, W/2)
        full = self.decode2(self.up2(half) + full)  # (B, w, H, W)
        residual: Tensor = self.output(full)  # (B, 1, H, W)
        return residual


class XBDCNN(nn.Module):
    """X-BDCNN: g_hat = f + R(f, l_hat(f)), blind to the noise level. Sec. II-B, Fig. 1.

    >>> output = XBDCNN(Recipe(width=8))(torch.rand(2, 1, 30, 41))
    >>> output.image.shape, output.levels.shape
    (torch.Size([2, 1, 30, 41]), torch.Size([2, 2, 30, 41]))
    """

    def __init__(self, recipe: Recipe = AS_WRITTEN) -> None:
        super().__init__()
        self.recipe = recipe
        self.nle = NLE(recipe) if recipe.use_nle else None
        channels = 1 + (self.nle.last.out_channels if self.nle else 0)
        self.nbd = NBD(channels, recipe.width, recipe.output_kernel)

    def forward(self, noisy: Tensor, levels: Tensor | None = None) -> Denoised[Tensor]:
        """Restore a batch; pass `levels` to replace the estimate by known level maps.

        Args:
            noisy: (B, 1, H, W) in [0, 1], floating point, H and W of at least 16 pixels.
            levels: noise level maps like those of the NLE; None to estimate them.

        Raises:
            XbdcnnError: `noisy` has another shape, or `levels` are given without an NLE.
        """
        require_image_batch(noisy)
        if levels is not None and self.nle is None:
            raise XbdcnnError("this network has no noise level input; call it without `levels`")
        padded = pad_to_multiple(noisy, 4)  # (B, 1, H', W'), H' and W' multiples of 4
        if self.nle is None:
            maps, inputs = None, padded
        else:
            maps = self.nle(padded) if levels is None else pad_to_multiple(levels, 4)
            inputs = torch.cat([padded, maps.to(padded.dtype)], dim=1)  # (B, 1 + M, H', W')
        restored = padded + self.nbd(inputs)  # (B, 1, H', W')
        crop = (..., slice(noisy.shape[-2]), slice(noisy.shape[-1]))  # back to (H, W)
        return Denoised(restored[crop], None if maps is None else maps[crop])


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """Create a 3x3 convolution, zero-padded so that it keeps height and width."""
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)


def conv_block(inputs: int, outputs: int, layers: int) -> nn.Sequential:
    """Stack `layers` 3x3 convolutions, each followed by ReLU; the first changes the channels."""
    block: list[nn.Module] = []
    for layer in range(layers):
        block += [conv3x3(inputs if layer == 0 else outputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*block)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Mirror (B, C, H, W) at its lower and right border until H and W divide by `multiple`.

    >>> pad_to_multiple(torch.rand(1, 1, 17, 20), 4).shape
    torch.Size([1, 1, 20, 20])
    """
    height, width = image.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    return F.pad(image, (0, right, 0, bottom), mode="reflect") if bottom or right else image


def require_image_batch(noisy: Tensor) -> None:
    """Raise XbdcnnError unless `noisy` is (B, 1, H, W) with H, W >= 16."""
    if noisy.ndim != 4 or noisy.shape[1] != 1 or min(noisy.shape[-2:]) < SMALLEST_SIDE:
        raise XbdcnnError(
            f"expected images of shape (B, 1, H, W) with H, W >= {SMALLEST_SIDE}, "
            f"got {tuple(noisy.shape)}; add the batch and channel axes or use a larger crop"
        )


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters.

    >>> count_parameters(XBDCNN(AS_RELEASED))
    4344163
    """
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
