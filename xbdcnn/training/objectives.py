"""What a training run draws, minimises and scores: one objective for each kind of recipe."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from xbdcnn import noise
from xbdcnn.level_estimator import EstimatorRecipe, decode_levels, encode_levels
from xbdcnn.losses import mixed_loss
from xbdcnn.metrics import psnr, ssim
from xbdcnn.models import Denoised, Recipe
from xbdcnn.successor import AnyRecipe, SuccessorRecipe
from xbdcnn.training import radiograph_noise
from xbdcnn.training.batches import Batch, Pool, TrainConfig, draw_batch, learning_rate

Scores = dict[str, float]


class Objective:
    """The objective of X-BDCNN and the networks of its tables: Eq. 8 on the noise of Eq. 1."""

    criterion = "val_psnr"
    """Score by which the weights that are kept are chosen; the largest is the best."""
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    """Decay of Adam's averages of the gradient and of its square."""
    warm_up = 0
    """Steps over which the learning rate rises to that of the schedule."""
    largest_factor = 1
    """Side of the largest area that a patch is made from, in multiples of the patch size."""

    def __init__(self, recipe: AnyRecipe) -> None:
        self.recipe = recipe

    def adam(self, network: nn.Module, config: TrainConfig) -> torch.optim.Adam:
        """Create the optimiser."""
        rate = config.learning_rates[0]
        return torch.optim.Adam(network.parameters(), lr=rate, betas=self.betas)

    def rate(self, step: int, config: TrainConfig) -> float:
        """Return the learning rate at a step, counted from 0."""
        return learning_rate(step, config) * min(1.0, (step + 1) / max(1, self.warm_up))

    def average(self, network: nn.Module, decay: float) -> AveragedModel:
        """Create the exponential average of the weights, with the given decay per step."""
        return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)

    def draw(self, pool: Pool, config: TrainConfig, step: int, device: torch.device) -> Batch:
        """Cut random patches and add training noise; depends on (seed, step) only."""
        assert isinstance(self.recipe, Recipe)
        return draw_batch(pool, self.recipe, config, step, device)

    def loss(self, forward: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, a scalar, and its terms."""
        assert isinstance(self.recipe, Recipe)
        output = forward(_channels_last(batch.noisy))  # image (b, 1, h, w); levels or None
        levels = true_levels(batch, self.recipe)
        return mixed_loss(output, batch.noisy, batch.clean, levels, self.recipe)

    def score(self, network: nn.Module, batch: Batch, device: torch.device) -> Scores:
        """Return mean PSNR in dB, mean SSIM, and RMS errors of the estimated levels on a batch."""
        outputs = self._outputs(network, batch, device)
        restored = torch.cat([output.image.float().cpu() for output in outputs])  # (B, 1, H, W)
        restored = restored.clamp(0, 1)
        scores = {"val_psnr": float(np.mean(psnr(restored, batch.clean)))}
        scores["val_ssim"] = float(np.mean(ssim(restored, batch.clean)))
        estimates = [output.levels.float().cpu() for output in outputs if output.levels is not None]
        if isinstance(self.recipe, Recipe) and estimates:
            scores |= map_errors(torch.cat(estimates), batch, self.recipe)
        return scores

    def _outputs(
        self, network: nn.Module, batch: Batch, device: torch.device
    ) -> list[Denoised[Tensor]]:
        return [network(noisy.to(device)) for noisy in batch.noisy.split(4)]


class SuccessorObjective(Objective):
    """The objective of a successor: RMS error, given the noise levels with random errors.

    With Adam's default of 0.999 and no warm-up the validation score fell by 4 dB during training.
    """

    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)
    warm_up = 200

    def __init__(self, recipe: SuccessorRecipe) -> None:
        super().__init__(recipe)
        self.noise = recipe.noise
        self.largest_factor = 2 if recipe.noise == "radiographs" else 1

    def average(self, network: nn.Module, decay: float) -> AveragedModel:
        """Create the exponential average of the weights, which soon forgets the initial ones.

        At step n the decay is at most (1 + n) / (10 + n).
        """

        def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
            n = int(count)
            return torch.lerp(averaged, current.detach(), 1 - min(decay, (1 + n) / (10 + n)))

        return AveragedModel(network, avg_fn=average)

    def draw(self, pool: Pool, config: TrainConfig, step: int, device: torch.device) -> Batch:
        """Cut random patches and add the noise of the recipe, see `radiograph_noise`."""
        return radiograph_noise.draw_successor_batch(pool, self.noise, config, step, device)

    def loss(self, forward: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `successor_loss`, which has no terms."""
        restored = forward(_channels_last(batch.noisy), batch.levels).image
        return successor_loss(restored, batch, self.noise), {}

    def _outputs(
        self, network: nn.Module, batch: Batch, device: torch.device
    ) -> list[Denoised[Tensor]]:
        levels = encode_levels(batch.eta, batch.sigma, 0.0, batch.noisy)  # independent noise
        parts = zip(batch.noisy.split(4), levels.split(4), strict=True)
        return [network(noisy.to(device), four.to(device)) for noisy, four in parts]


class EstimatorObjective(Objective):
    """The objective of a level estimator: the likelihood of the true levels.

    Each term is weighted by the root of its estimated error (Seitzer et al. 2022, beta 0.25).
    Otherwise what is hard to estimate, the levels of correlated noise, gets a large error instead
    of a better estimate.
    """

    criterion = "val_log_likelihood"
    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)
    warm_up = 100
    largest_factor = 2

    def draw(self, pool: Pool, config: TrainConfig, step: int, device: torch.device) -> Batch:
        """Add the paper's noise to half of the patches, that of radiographs to the others."""
        return radiograph_noise.draw_estimator_batch(pool, config, step, device)

    def loss(self, forward: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return minus the weighted mean log-likelihood, which has no terms."""
        found, error = forward(batch.noisy)
        likelihood = log_likelihood(found, error, batch.levels).clamp(min=-20)
        weight = error.detach().sqrt()
        return -(weight * likelihood).mean() / weight.mean(), {}

    def score(self, network: nn.Module, batch: Batch, device: torch.device) -> Scores:
        """Return the mean log-likelihood and the RMS errors of eta and sigma."""
        levels = encode_levels(batch.eta, batch.sigma, 0.0, batch.noisy)
        found, error = (part.float().cpu() for part in network(batch.noisy.to(device)))
        eta, sigma, _ = decode_levels(found)
        return {
            "val_log_likelihood": float(log_likelihood(found, error, levels).mean()),
            "val_eta_rmse": float((eta - batch.eta).square().mean().sqrt()),
            "val_sigma_rmse": float((sigma - batch.sigma).square().mean().sqrt()),
        }


def objective_of(recipe: AnyRecipe) -> Objective:
    """Return the objective of a recipe."""
    if isinstance(recipe, SuccessorRecipe):
        return SuccessorObjective(recipe)
    return EstimatorObjective(recipe) if isinstance(recipe, EstimatorRecipe) else Objective(recipe)


def true_levels(batch: Batch, recipe: Recipe) -> Tensor:
    """Return the maps that an NLE is to estimate, in the recipe's units.

    They are constant maps of eta and sigma, (B, 2, H, W), or the standard deviation of the noise at
    each pixel, (B, 1, H, W).
    """
    if recipe.level_maps == "standard deviation":
        return noise.standard_deviation_map(batch.clean, batch.eta, batch.sigma)
    return noise.level_maps(batch.eta, batch.sigma, batch.clean, recipe.level_scaling)


def map_errors(maps: Tensor, batch: Batch, recipe: Recipe) -> Scores:
    """Return the RMS errors of estimated maps, which are shaped like those of `true_levels`.

    val_eta_rmse in photons per grey level and val_sigma_rmse in grey levels, of the mean of each
    map; val_noise_rmse in grey levels, over the pixels of a map of the standard deviation.
    """
    if recipe.level_maps == "standard deviation":
        errors = {"noise": noise.GREY_LEVELS * (maps - true_levels(batch, recipe))}
    else:
        eta, sigma = noise.levels_from_maps(maps, recipe.level_scaling)
        errors = {"eta": eta - batch.eta, "sigma": sigma - batch.sigma}
    return {f"val_{name}_rmse": float(e.square().mean().sqrt()) for name, e in errors.items()}


@torch.no_grad()
def score(network: nn.Module, batch: Batch, recipe: AnyRecipe, device: torch.device) -> Scores:
    """Score a network on a batch, see `Objective.score`."""
    network.eval()
    return objective_of(recipe).score(network, batch, device)


def successor_loss(restored: Tensor, batch: Batch, noise_name: noise.TrainingNoise) -> Tensor:
    """Mean over patches of the root mean squared error; weak noise counts more among radiographs.

    There each patch is divided by the square root of its noise plus one grey level.
    """
    error, added = (
        (image.float() - batch.clean).square().mean((1, 2, 3)).add(1e-8).sqrt()
        for image in (restored, batch.noisy)
    )
    if noise_name == "paper":
        return error.mean()
    return (error / (added + 1 / noise.GREY_LEVELS).sqrt()).mean()


def log_likelihood(found: Tensor, error: Tensor, levels: Tensor) -> Tensor:
    """log N(levels; found, error^2), up to a constant; (B, 3), normal and independent."""
    return -0.5 * ((levels - found) / error).square() - error.log()


def _channels_last(image: Tensor) -> Tensor:
    return image.contiguous(memory_format=torch.channels_last)
