"""The two networks that the paper compares X-BDCNN with: DnCNN and an X-ReCNN-style network.

Both are blind (no noise level goes in or comes out), both predict the residual (the noise),
and both return `Denoised(restored, None)` so that one training loop serves every network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.models import Denoised, require_image_batch

# A batch-normalised network hands activations of unit size to its last layer. At full He scale
# the first residual would be as large as the image; this brings it down to about a grey level.
LAST_LAYER_SCALE = 0.001


class DnCNN(nn.Module):
    """DnCNN (Zhang et al. 2017, Sec. III): `restored = noisy - residual(noisy)`.

    Layers: conv + ReLU, then `depth - 2` times conv + batch norm + ReLU, then conv; all 3x3 and
    zero-padded. With `width` w and `depth` d it has `9w + w + (d-2)(9w^2 + 2w) + 9w + 1`
    parameters (556,097 at the default) and a receptive field of `2d + 1` pixels. Zhang et al. use
    17 layers at a known noise level and 20 for blind denoising; the paper does not say which.

    Raises `XbdcnnError` for a depth below 3 or a width below 1.
    """

    def __init__(self, depth: int = 17, width: int = 64) -> None:
        super().__init__()
        if depth < 3 or width < 1:
            raise XbdcnnError(f"DnCNN needs depth >= 3 and width >= 1, got {depth} and {width}")
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            # Batch norm subtracts the mean, so a bias before it would have no effect.
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(width, 1, 3, padding=1)]
        self.residual = nn.Sequential(*layers)
        _he_init(self, last=self.residual[-1])

    def forward(self, noisy: Tensor) -> Denoised:
        """Restore `noisy` (B, 1, H, W), float in [0, 1]; the output is not clipped.

        Raises `XbdcnnError` unless there is one channel and both sides have >= 16 pixels.
        """
        require_image_batch(noisy)
        return Denoised(noisy - self.residual(noisy), None)


class MultiScaleBlock(nn.Module):
    """`x + ReLU(BN([conv_1(x), conv_2(x), conv_3(x)]))`: three receptive fields side by side.

    `conv_r` is a 3x3 convolution with dilation r, which sees 3, 5 or 7 pixels across at the price
    of 3; each yields a third of the channels. (B, width, H, W) in and out; `width` divides by 3.
    """

    DILATIONS = (1, 2, 3)

    def __init__(self, width: int) -> None:
        super().__init__()
        share = width // len(self.DILATIONS)
        self.branches = nn.ModuleList(
            nn.Conv2d(width, share, 3, padding=r, dilation=r, bias=False) for r in self.DILATIONS
        )
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Add to `x` (B, width, H, W) what the parallel branches extract from it."""
        scales = torch.cat([branch(x) for branch in self.branches], dim=1)
        return x + torch.relu(self.norm(scales))


class XReCNNStyle(nn.Module):
    """A RECONSTRUCTION in the style of X-ReCNN (Jin et al. 2019), not that network itself.

    Neither an implementation nor a full description of X-ReCNN is public. What is known is kept:
    batch norm, residual learning (`restored = noisy - residual(noisy)`), noise extracted at
    several scales in parallel, and less time than DnCNN (the paper prints 4 ms against 5 ms). The
    rest is our choice: conv + ReLU, `blocks` times `MultiScaleBlock`, conv. With `width` w and
    `blocks` b it has `10w + b(9w^2 + 2w) + 9w + 1` parameters (125,905 at the default).

    Raises `XbdcnnError` unless `width` is a positive multiple of 3 and `blocks` is positive.
    """

    def __init__(self, width: int = 48, blocks: int = 6) -> None:
        super().__init__()
        if width < 3 or width % 3 or blocks < 1:
            raise XbdcnnError(
                f"XReCNNStyle needs a width that is a positive multiple of 3 and blocks >= 1, "
                f"got {width} and {blocks}"
            )
        last = nn.Conv2d(width, 1, 3, padding=1)
        self.residual = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(inplace=True),
            *(MultiScaleBlock(width) for _ in range(blocks)),
            last,
        )
        _he_init(self, last=last)

    def forward(self, noisy: Tensor) -> Denoised:
        """Restore `noisy` (B, 1, H, W), float in [0, 1]; the output is not clipped.

        Raises `XbdcnnError` unless there is one channel and both sides have >= 16 pixels.
        """
        require_image_batch(noisy)
        return Denoised(noisy - self.residual(noisy), None)


def _he_init(network: nn.Module, last: nn.Module) -> None:
    """Draw each kernel from N(0, 2 / fan_in) (He et al. 2015), `last` much smaller; biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    with torch.no_grad():
        last.weight.mul_(LAST_LAYER_SCALE)
