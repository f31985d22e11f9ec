"""Training data: the configuration of a run, and patches with newly drawn noise (Sec. III-A)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xbdcnn import noise, paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.patches import central_crop
from xbdcnn.data.store import PatchStore
from xbdcnn.models import Recipe


@dataclass(frozen=True)
class TrainConfig:
    """Budget and optimiser of a training run; the defaults are the paper's (Sec. III-A)."""

    patches: int = 224_000 * sum(paper.EPOCHS)
    """Patches in total, repeats included: 70 % of 320,000 for 40 epochs in the paper."""
    patch_size: int = paper.PATCH_SIZE
    batch_size: int = paper.BATCH_SIZE
    learning_rates: tuple[float, float] = paper.LEARNING_RATES
    """First and last learning rate of Adam."""
    schedule: Literal["step", "cosine"] = "step"
    """"step": first rate, from half of the run on the last (paper); "cosine": cosine decay."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Autocast format; "no" is float32. A resumed "fp16" run starts with a new loss scale. "bf16"
    needs a device with bfloat16 instructions, see `distributed.autocast_format`."""
    ema: float = 0.0
    """Decay of averaged weights, which are then the ones validated and kept; 0 for no average."""
    clip_norm: float | None = None
    """Upper bound of the gradient norm; None for no clipping."""
    augment: bool = False
    """Flip and rotate patches at random; the released code does not."""
    validate_every: int = 500
    """Steps between validations."""
    checkpoint_seconds: float = 120.0
    """Least time between two checkpoints."""
    seed: int = 0
    initial: str = ""
    """SHA-256 of the weight file that the run starts from; empty for random initial weights."""

    @property
    def steps(self) -> int:
        """Number of optimiser steps of the whole run."""
        return max(1, self.patches // self.batch_size)


def stored_config(budget: dict[str, Any]) -> TrainConfig:
    """Return the configuration that JSON holds, e.g. as `budget` in the header of a weight file."""
    return TrainConfig(**budget | {"learning_rates": tuple(budget["learning_rates"])})


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of Adam at a step, counted from 0, see `TrainConfig.schedule`."""
    first, last = config.learning_rates
    if config.schedule == "step":
        return first if step < config.steps / 2 else last
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * step / config.steps))


class Batch(NamedTuple):
    """Training data of one step: clean and noisy (B, 1, H, W) in [0, 1], eta and sigma (B,).

    levels: encoded levels that a successor is told, (B, 3); (B, 0) for the other networks.
    """

    clean: Tensor
    noisy: Tensor
    eta: Tensor
    sigma: Tensor
    levels: Tensor


class StoredPatches:
    """The patches of selected radiographs of a patch store, a sequence of uint8 (size, size).

    store: from `data.build_store`; images: indices of the radiographs to use, in its order.
    """

    def __init__(self, store: PatchStore, images: NDArray[np.integer]) -> None:
        self.patches = torch.from_numpy(store.patches)
        self.rows = (images[:, None] * store.per_image + np.arange(store.per_image)).ravel()
        self.digest = hashlib.sha256(store.digest.encode() + self.rows.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int, /) -> Tensor:
        return self.patches[self.rows[index]]


class Pool(Protocol):
    """Source of training patches: radiographs or stored patches, uint8 tensors (H, W)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Tensor: ...


def as_pool(images: Sequence[NDArray[np.floating]]) -> list[Tensor]:
    """Convert radiographs (H, W) in [0, 1] to uint8 tensors, a quarter of the memory of float32."""
    return [
        torch.from_numpy(np.round(image * noise.GREY_LEVELS).astype(np.uint8)) for image in images
    ]


def to_gpu_if_it_fits(pool: Pool, device: torch.device) -> Pool:
    """Copy stored patches to a GPU if they take less than half of its free memory."""
    if device.type != "cuda" or not isinstance(pool, StoredPatches):
        return pool
    fits = len(pool) * pool[0].numel() < torch.cuda.mem_get_info(device)[0] / 2
    return pool.patches[pool.rows].to(device) if fits else pool


def pool_digest(pool: Pool) -> str:
    """Return the SHA-256 of all training pixels, which prevents resuming a run on other images."""
    if isinstance(pool, StoredPatches):
        return pool.digest
    digest = hashlib.sha256()
    for index in range(len(pool)):
        image = pool[index]
        digest.update(str(tuple(image.shape)).encode() + image.numpy().tobytes())
    return digest.hexdigest()


def draw_batch(
    pool: Pool, recipe: Recipe, config: TrainConfig, step: int, device: torch.device
) -> Batch:
    """Cut random patches and add noise; both depend on (seed, step) only.

    Networks trained with one seed therefore see the same patches with the same noise, and a
    resumed run equals an uninterrupted one. Levels: `recipe.level_sampling`; noise: Eq. 1-2.
    """
    generator = step_generator(config, step)
    patches = [random_patch(pool, config, generator) for _ in range(config.batch_size)]
    clean = torch.stack(patches)[:, None].to(device).float() / noise.GREY_LEVELS  # (B, 1, h, w)
    eta, sigma = noise.sample_levels(config.batch_size, generator, recipe.level_sampling)
    eta, sigma = eta.to(device), sigma.to(device)  # (B,), (B,)
    if device.type != "cpu":
        generator = step_generator(config, step, device)
    noisy = noise.add_hybrid_noise(clean, eta, sigma, generator, check=False)  # (B, 1, h, w)
    return Batch(clean, noisy, eta, sigma, levels=eta.new_empty(len(eta), 0))


def step_generator(
    config: TrainConfig, step: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return the random generator of a training step."""
    return torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)


def random_patch(
    pool: Pool,
    config: TrainConfig,
    generator: torch.Generator,
    factor: int = 1,
    beyond: float = 0.0,
) -> Tensor:
    """Cut one uint8 patch from a random radiograph at a random position.

    Returns (size, size), where size is `factor` times the patch size of the configuration.
    Positions reach `beyond` patch sizes over the border of the image and are moved to the border,
    of which the patch therefore shows more than by chance.
    """
    size = factor * config.patch_size
    # All five are drawn in any case, so that augmentation does not change the patches.
    index, u, v, rotation, flip = torch.rand(5, generator=generator).tolist()
    image = pool[int(index * len(pool))]
    top, left = (
        draw_start(draw, length - size, int(beyond * size))
        for draw, length in zip((u, v), image.shape, strict=True)
    )
    patch = image[top : top + size, left : left + size]
    if config.augment:
        patch = torch.rot90(patch, int(4 * rotation))
        patch = patch.flip(0) if flip < 0.5 else patch
    return patch


def draw_start(draw: float, largest: int, beyond: int) -> int:
    """First row or column of a patch, 0 to `largest`, for a uniform random number in [0, 1)."""
    return min(max(int(draw * (largest + 1 + 2 * beyond)) - beyond, 0), largest)


def validation_batch(images: Sequence[NDArray[np.floating]], config: TrainConfig) -> Batch:
    """Add fixed noise to the central 256 x 256 pixels (or fewer) of each image.

    The levels cover the training ranges evenly and do not depend on the recipe, so that scores of
    different networks are comparable. XbdcnnError if there are no images.
    """
    if not images:
        raise XbdcnnError("no validation images; name a folder that has a `val` split")
    side = min(256, *(min(image.shape) for image in images))
    crops = np.stack([central_crop(image, side) for image in images])
    clean = torch.from_numpy(crops)[:, None].float()  # (B, 1, side, side)
    generator = torch.Generator().manual_seed(2**31 + config.seed)
    fractions = (torch.arange(len(images)) + 0.5) / len(images)
    shuffled = fractions[torch.randperm(len(images), generator=generator)]
    (low_e, high_e), (low_s, high_s) = paper.ETA_RANGE, paper.SIGMA_RANGE
    eta, sigma = low_e + (high_e - low_e) * fractions, low_s + (high_s - low_s) * shuffled
    noisy = noise.add_hybrid_noise(clean, eta, sigma, generator)
    return Batch(clean, noisy, eta, sigma, levels=eta.new_empty(len(eta), 0))
