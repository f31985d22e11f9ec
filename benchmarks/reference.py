"""Reference implementation with which the package is compared: float32, NCHW, sample by sample.

It computes the same results in the way of the released code of published networks, without the
optimisations of the package.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from xbdcnn.losses import asymmetric_loss, mse_loss, tv_loss
from xbdcnn.models import BALANCED
from xbdcnn.noise import GREY_LEVELS, add_hybrid_noise_numpy, level_maps


@torch.no_grad()
def restore(network: nn.Module, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the restored radiograph for `image`, (H, W) in [0, 1], processed in one piece."""
    batch = torch.from_numpy(image)[None, None].to(next(network.parameters()).device)
    return network(batch).image[0, 0].clamp(0, 1).cpu().numpy()


def add_noise(clean: Tensor, eta: Tensor, sigma: Tensor, rng: np.random.Generator) -> Tensor:
    """Add the noise of Eq. 1 to each image of (B, 1, H, W) by NumPy; eta and sigma are (B,)."""
    levels = zip(clean.numpy(), eta.tolist(), sigma.tolist(), strict=True)
    return torch.from_numpy(np.stack([add_hybrid_noise_numpy(g, e, s, rng) for g, e, s in levels]))


def ssim_loss(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean of 1 - SSIM (Eq. 6-7), with 2-D convolutions by an 11 x 11 Gaussian as local means."""
    offsets = torch.arange(11, device=clean.device) - 5.0
    weights = torch.exp(-0.5 * (offsets / 1.5) ** 2)
    window = (torch.outer(weights, weights) / weights.sum() ** 2)[None, None]
    x, y = F.conv2d(restored, window), F.conv2d(clean, window)
    variance_x = F.conv2d(restored**2, window) - x**2
    variance_y = F.conv2d(clean**2, window) - y**2
    covariance = F.conv2d(restored * clean, window) - x * y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * x * y + c1) / (x**2 + y**2 + c1)
    return 1 - (luminance * (2 * covariance + c2) / (variance_x + variance_y + c2)).mean()


def load_patches(paths: list[Path], size: int, rng: np.random.Generator) -> Tensor:
    """Decode each file and return one random patch of each: (B, 1, size, size) in [0, 1]."""
    patches = []
    for path in paths:
        image = np.asarray(Image.open(path), np.float32) / np.float32(GREY_LEVELS)
        top, left = (rng.integers(length - size + 1) for length in image.shape)
        patches.append(torch.from_numpy(image[top : top + size, left : left + size]))
    return torch.stack(patches)[:, None]


def train_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    clean: Tensor,
    eta: Tensor,
    sigma: Tensor,
    rng: np.random.Generator,
) -> float:
    """Take one step on clean patches (B, 1, H, W) with the loss of `BALANCED`; return the loss."""
    device = next(network.parameters()).device
    noisy = add_noise(clean, eta, sigma, rng).to(device)
    clean, eta, sigma = clean.to(device), eta.to(device), sigma.to(device)
    restored, levels = network(noisy)
    true = level_maps(eta, sigma, clean, BALANCED.level_scaling)
    terms = (
        mse_loss(restored, clean, "mean"),
        ssim_loss(restored, clean),
        asymmetric_loss(levels, true, reduction="mean"),
        tv_loss(levels, "mean"),
    )
    loss = sum(weight * term for weight, term in zip(BALANCED.loss_weights, terms, strict=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
