"""What a training step draws and minimises, and what a validation scores, for either recipe."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from xbdcnn import noise
from xbdcnn.losses import mixed_loss
from xbdcnn.metrics import psnr, ssim
from xbdcnn.models import Denoised, Recipe
from xbdcnn.successor import AnyRecipe, SuccessorRecipe, encode_levels
from xbdcnn.training.batches import Batch, Pool, TrainConfig, draw_batch, learning_rate
from xbdcnn.training.radiograph_noise import draw_successor_batch, successor_loss

WARM_UP = 200
"""Steps over which the learning rate of a successor rises to that of the schedule."""


def create_adam(network: nn.Module, recipe: AnyRecipe, config: TrainConfig) -> torch.optim.Adam:
    """Create the optimiser: PyTorch's defaults, or a shorter memory of the squares for a successor.

    With the default of 0.999 the validation score of a successor fell by 4 dB during training.
    """
    betas = (0.9, 0.99) if isinstance(recipe, SuccessorRecipe) else (0.9, 0.999)
    return torch.optim.Adam(network.parameters(), lr=config.learning_rates[0], betas=betas)


def warmed_up_rate(step: int, recipe: AnyRecipe, config: TrainConfig) -> float:
    """Return the learning rate at a step, see `learning_rate`; that of a successor warms up."""
    rate = learning_rate(step, config)
    return rate * min(1.0, (step + 1) / WARM_UP) if isinstance(recipe, SuccessorRecipe) else rate


def average_weights(network: nn.Module, recipe: AnyRecipe, decay: float) -> AveragedModel:
    """Create the exponential average of a network's weights, with the given decay per step.

    That of a successor warms up: at step n the decay is at most (1 + n) / (10 + n), so that the
    average soon forgets the initial weights.
    """
    if not isinstance(recipe, SuccessorRecipe):
        return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        return torch.lerp(averaged, current, 1 - min(decay, (1 + int(count)) / (10 + int(count))))

    return AveragedModel(network, avg_fn=average)


def draw_training_batch(
    pool: Pool, recipe: AnyRecipe, config: TrainConfig, step: int, device: torch.device
) -> Batch:
    """Cut random patches and add the training noise of a recipe; depends on (seed, step) only."""
    if isinstance(recipe, SuccessorRecipe):
        return draw_successor_batch(pool, recipe, config, step, device)
    return draw_batch(pool, recipe, config, step, device)


def batch_loss(
    forward: nn.Module, batch: Batch, recipe: AnyRecipe
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a batch and its terms: Eq. 8, or `successor_loss`, which has no terms."""
    noisy = batch.noisy.contiguous(memory_format=torch.channels_last)
    if isinstance(recipe, SuccessorRecipe):
        return successor_loss(forward(noisy, batch.levels).image, batch, recipe), {}
    output = forward(noisy)  # image (b, 1, h, w); levels (b, 2, h, w) or None
    levels = noise.level_maps(batch.eta, batch.sigma, batch.clean, recipe.level_scaling)
    return mixed_loss(output, batch.noisy, batch.clean, levels, recipe)


@torch.no_grad()
def score(
    network: nn.Module, batch: Batch, recipe: AnyRecipe, device: torch.device
) -> dict[str, float]:
    """Return mean PSNR in dB, mean SSIM, and RMS errors of the estimated levels on a batch.

    eta in photons per grey level, sigma in grey levels; only for networks that estimate them.
    """
    network.eval()
    fours = zip(batch.noisy.split(4), batch.eta.split(4), batch.sigma.split(4), strict=True)
    outputs = [_told_output(network, recipe, *(part.to(device) for part in four)) for four in fours]
    restored = torch.cat([output.image.float().cpu() for output in outputs])  # (B, 1, H, W)
    restored = restored.clamp(0, 1)
    scores = {"val_psnr": float(np.mean(psnr(restored, batch.clean)))}
    scores["val_ssim"] = float(np.mean(ssim(restored, batch.clean)))
    estimates = [output.levels.float().cpu() for output in outputs if output.levels is not None]
    if isinstance(recipe, Recipe) and estimates:
        maps = torch.cat(estimates)  # (B, 2, H, W)
        eta, sigma = noise.levels_from_maps(maps, recipe.level_scaling)
        scores["val_eta_rmse"] = float((eta - batch.eta).square().mean().sqrt())
        scores["val_sigma_rmse"] = float((sigma - batch.sigma).square().mean().sqrt())
    return scores


def _told_output(
    network: nn.Module, recipe: AnyRecipe, noisy: Tensor, eta: Tensor, sigma: Tensor
) -> Denoised[Tensor]:
    """Apply a network; a successor is told the noise levels (B,) of uncorrelated noise."""
    if isinstance(recipe, SuccessorRecipe):
        return network(noisy, encode_levels(eta, sigma, 0.0, noisy))
    return network(noisy)
