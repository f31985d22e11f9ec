"""Other networks of the paper: DnCNN [8], and reconstructions of X-ReCNN [10] and SkiDNet [11].

All are blind, g_hat = f - R(f), where R is the predicted noise. They neither take nor estimate a
noise level, and return `Denoised(image, None)`, so that all networks share one training loop.
CBDNet [9] is a recipe of X-BDCNN, see `inference.zoo.CBDNET`.

References:
    Zhang, Zuo, Chen, Meng and Zhang, Beyond a Gaussian denoiser: residual learning of deep CNN for
    image denoising, IEEE Trans. Image Process. 26(7), 2017.
    Jin, Jiang, Wei and Li, Chest X-ray image denoising method based on deep convolution neural
    network, IET Image Process. 13(11), 2019.
    Dutta, Chaturvedi, Kumar and Bhatia, SkiDNet: skip image denoising network for X-rays, IJCNN,
    2019.
    He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.models import Denoised, pad_to_multiple, require_image_batch

LAST_LAYER_SCALE = 0.001
"""Factor of the last layer's initial weights, with which the first residual is about 1 grey level.

After batch normalisation the activations have unit variance, and He initialisation of the last
layer would yield a residual as large as the image.
"""

OUTPUT_SCALE = 0.01
"""Factor of the last layer of `SkiDNetStyle`, which has 49w weights.

Their gradients have mostly one sign, since the features are not negative. Without the factor the
first steps of Adam, which change every weight by the learning rate, add far more error than the
noise, and the network takes hundreds of steps to recover.
"""


class DnCNN(nn.Module):
    """DnCNN: g_hat = f - R(f) with a plain stack of convolutions R (Zhang et al. 2017, Sec. III).

    Layers: conv + ReLU, then d - 2 times conv + batch norm + ReLU, then conv; all 3 x 3 and
    zero-padded. With w = `width` channels and d = `depth` layers there are
    10w + (d-2)(9w^2 + 2w) + 9w + 1 parameters (556,097 by default), and the receptive field is
    2d + 1 pixels wide. Zhang et al. use 17 layers for a known noise level and 20 for blind
    denoising; the paper does not state the depth.

    Raises:
        XbdcnnError: the depth is below 3 or the width below 1.
    """

    def __init__(self, depth: int = 17, width: int = 64) -> None:
        super().__init__()
        if depth < 3 or width < 1:
            raise XbdcnnError(f"DnCNN needs depth >= 3 and width >= 1, got {depth} and {width}")
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            # Batch norm subtracts the mean, which cancels a bias before it.
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        last = nn.Conv2d(width, 1, 3, padding=1)
        self.residual = nn.Sequential(*layers, last)
        _he_init(self, last=last)

    def forward(self, noisy: Tensor) -> Denoised[Tensor]:
        """Restore a batch (B, 1, H, W) in [0, 1] with H, W >= 16; the output is not clipped.

        Raises:
            XbdcnnError: another shape.
        """
        require_image_batch(noisy)
        return Denoised(noisy - self.residual(noisy), None)


class MultiScaleBlock(nn.Module):
    """x + ReLU(BN([conv_1(x), conv_2(x), conv_3(x)])): three scales in parallel.

    conv_r is a 3 x 3 convolution of dilation r, hence with a receptive field of 3, 5 or 7 pixels,
    and a third of the output channels. (B, width, H, W) -> (B, width, H, W); `width` is a multiple
    of 3.
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
        """Add the normalised features of the three branches to `x`."""
        scales = torch.cat([branch(x) for branch in self.branches], dim=1)
        return x + torch.relu(self.norm(scales))


class XReCNNStyle(nn.Module):
    """g_hat = f - R(f), a RECONSTRUCTION in the style of X-ReCNN (Jin et al. 2019), not X-ReCNN.

    Neither an implementation nor a complete description of X-ReCNN is public. Its known properties
    are kept: batch norm, residual learning, noise extraction at several scales in parallel, and a
    shorter run time than DnCNN (4 ms and 5 ms in the paper). The other choices are ours: conv +
    ReLU, then b = `blocks` times `MultiScaleBlock`, then conv. With w = `width` channels there are
    10w + b(9w^2 + 2w) + 9w + 1 parameters (125,905 by default).

    Raises:
        XbdcnnError: `width` is not a positive multiple of 3, or `blocks` is below 1.
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

    def forward(self, noisy: Tensor) -> Denoised[Tensor]:
        """Restore a batch (B, 1, H, W) in [0, 1] with H, W >= 16; the output is not clipped.

        Raises:
            XbdcnnError: another shape.
        """
        require_image_batch(noisy)
        return Denoised(noisy - self.residual(noisy), None)


class SkiDNetStyle(nn.Module):
    """g_hat = f - R(f), a RECONSTRUCTION in the style of SkiDNet (Dutta et al. 2019), not SkiDNet.

    The layers are those of a secondary source. With conv = 3 x 3 convolution + batch norm + ReLU
    and w = `width` channels: conv to w; three times x + conv(conv(x)), over 2w to w channels, then
    max pooling; conv; three times nearest-neighbour upsampling to u, then u + conv(conv([u, s])),
    where s is the sum before the pooling of that resolution; a 7 x 7 convolution to one channel.
    There are 279w^2 + 98w + 1 parameters (288,833 by default). Ours: no bias before a batch norm, a
    factor of the last layer, `OUTPUT_SCALE`, which changes how it is trained and not what it can
    represent, and the border of an image is mirrored until its sides are multiples of 8.

    Raises:
        XbdcnnError: the width is below 1.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        if width < 1:
            raise XbdcnnError(f"SkiDNetStyle needs a width of at least 1, got {width}")
        self.enter = _conv_norm_relu(1, width)
        self.encoder = nn.ModuleList(_two_layers(width, width) for _ in range(3))
        self.bottom = _conv_norm_relu(width, width)
        self.decoder = nn.ModuleList(_two_layers(2 * width, width) for _ in range(3))
        self.last = nn.Conv2d(width, 1, 7, padding=3)
        _he_init(self, last=self.last, scale=LAST_LAYER_SCALE / OUTPUT_SCALE)

    def residual(self, noisy: Tensor) -> Tensor:
        """Predict the noise (B, 1, H, W) of a batch (B, 1, H, W), H and W multiples of 8."""
        features = self.enter(noisy)  # (B, w, H, W)
        sums = []
        for block in self.encoder:
            sums.append(features + block(features))  # (B, w, H / 2^i, W / 2^i), i = 0, 1, 2
            features = F.max_pool2d(sums[-1], 2)
        features = self.bottom(features)  # (B, w, H / 8, W / 8)
        for block, encoded in zip(self.decoder, reversed(sums), strict=True):
            enlarged = F.interpolate(features, scale_factor=2.0)
            features = enlarged + block(torch.cat([enlarged, encoded], dim=1))
        return OUTPUT_SCALE * self.last(features)  # (B, 1, H, W)

    def forward(self, noisy: Tensor) -> Denoised[Tensor]:
        """Restore a batch (B, 1, H, W) in [0, 1] with H, W >= 16; the output is not clipped.

        Raises:
            XbdcnnError: another shape.
        """
        require_image_batch(noisy)
        height, width = noisy.shape[-2:]
        residual = self.residual(pad_to_multiple(noisy, 8))[..., :height, :width]
        return Denoised(noisy - residual, None)


def _conv_norm_relu(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _two_layers(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(_conv_norm_relu(inputs, 2 * width), _conv_norm_relu(2 * width, width))


def build_baseline(architecture: str, width: int) -> nn.Module:
    """Build "dncnn", "xrecnn" or "skidnet" as large as its own width is relative to 64 channels.

    Their own widths are 64, 48 and 32 channels; width: that of an X-BDCNN to compare with.
    """
    if architecture == "dncnn":
        return DnCNN(width=width)
    if architecture == "xrecnn":
        return XReCNNStyle(width=3 * (width // 4))
    return SkiDNetStyle(width=width // 2)


def _he_init(network: nn.Module, last: nn.Conv2d, scale: float = LAST_LAYER_SCALE) -> None:
    """Draw filters from N(0, 2 / fan_in) (He et al. 2015), `last` times `scale`; biases are 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    with torch.no_grad():
        last.weight.mul_(scale)
