"""Training material: the budget of a run, and patches under fresh noise (Sec. III-A)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

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
    """Budget and optimiser of a run; the defaults are the paper's."""

    patches: int = 224_000 * sum(paper.EPOCHS)
    """Patches seen in total; the paper's 70 % of 320,000 for 40 epochs."""
    patch_size: int = paper.PATCH_SIZE
    batch_size: int = paper.BATCH_SIZE
    learning_rates: tuple[float, float] = paper.LEARNING_RATES
    """First and last learning rate of Adam."""
    schedule: Literal["step", "cosine"] = "step"
    """"step": the first rate for half of the run, then the last (paper). "cosine": in between."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Autocast format; "no" is float32. "fp16" begins with a new loss scale when resumed."""
    ema: float = 0.0
    """Decay of the averaged weights that are validated and kept; 0 keeps the last weights."""
    clip_norm: float | None = None
    """Upper bound of the gradient norm."""
    augment: bool = False
    """Flip and turn patches; the released code does not."""
    validate_every: int = 500
    """Steps between validations."""
    checkpoint_seconds: float = 120.0
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return max(1, self.patches // self.batch_size)


def learning_rate(step: int, config: TrainConfig) -> float:
    """Learning rate at a step of the run."""
    first, last = config.learning_rates
    if config.schedule == "step":
        return first if step < config.steps / 2 else last
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * step / config.steps))


class Batch(NamedTuple):
    """Training material of one step: (B, 1, H, W) clean and noisy, (B,) eta and sigma."""

    clean: Tensor
    noisy: Tensor
    eta: Tensor
    sigma: Tensor


class StoredPatches(Sequence[Tensor]):
    """The patches of some radiographs of a store, as training material.

    store: from `data.build_store`; images: numbers of the radiographs to use, in its order. Each
    item is a uint8 tensor (size, size), so `draw_batch` takes whole patches at random.
    """

    def __init__(self, store: PatchStore, images: NDArray[np.integer]) -> None:
        self.patches = torch.from_numpy(store.patches)
        self.rows = (images[:, None] * store.per_image + np.arange(store.per_image)).ravel()
        self.digest = hashlib.sha256(store.digest.encode() + self.rows.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> Tensor:
        return self.patches[self.rows[position]]


Pool = Sequence[Tensor]
"""What patches are cut from: uint8 radiographs or stored patches, (H, W) each."""


def as_pool(images: Sequence[NDArray[np.floating]]) -> list[Tensor]:
    """Radiographs in [0, 1] as uint8 tensors (H, W): the paper's 8-bit data, a quarter the size."""
    return [
        torch.from_numpy(np.round(image * noise.GREY_LEVELS).astype(np.uint8)) for image in images
    ]


def resident(pool: Pool, device: torch.device) -> Pool:
    """Move stored patches to a GPU if they take at most half of the memory that is free there."""
    if device.type != "cuda" or not isinstance(pool, StoredPatches):
        return pool
    fits = len(pool) * pool[0].numel() < torch.cuda.mem_get_info(device)[0] / 2
    return pool.patches[pool.rows].to(device) if fits else pool


def pool_digest(pool: Pool) -> str:
    """SHA-256 over all training pixels, so that a run never resumes on other images unnoticed."""
    if isinstance(pool, StoredPatches):
        return pool.digest
    digest = hashlib.sha256()
    for image in pool:
        digest.update(str(tuple(image.shape)).encode() + image.numpy().tobytes())
    return digest.hexdigest()


def draw_batch(
    pool: Pool, recipe: Recipe, config: TrainConfig, step: int, device: torch.device
) -> Batch:
    """Cut random patches and add fresh noise; everything follows from (seed, step).

    Networks trained with one seed therefore see the same patches under the same noise, and a
    resumed run goes on exactly as an uninterrupted one.
    """
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    patches = [random_patch(pool, config, generator) for _ in range(config.batch_size)]
    clean = torch.stack(patches)[:, None].to(device).float() / noise.GREY_LEVELS
    eta, sigma = noise.sample_levels(config.batch_size, generator, recipe.level_sampling)
    eta, sigma = eta.to(device), sigma.to(device)
    if device.type != "cpu":
        generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)
    noisy = noise.add_hybrid_noise(clean, eta, sigma, generator, check=False)
    return Batch(clean, noisy, eta, sigma)


def random_patch(pool: Pool, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """One (size, size) patch of a random radiograph at a random place, turned if asked for."""
    size = config.patch_size
    which, u, v, turns, flip = torch.rand(5, generator=generator).tolist()
    image = pool[int(which * len(pool))]
    top = int(u * (image.shape[0] - size + 1))
    left = int(v * (image.shape[1] - size + 1))
    patch = image[top : top + size, left : left + size]
    if config.augment:
        patch = torch.rot90(patch, int(4 * turns))
        patch = patch.flip(0) if flip < 0.5 else patch
    return patch


def validation_batch(images: Sequence[NDArray[np.floating]], config: TrainConfig) -> Batch:
    """The central 256 x 256 of each image (less if smaller) under noise that never changes.

    The levels cover the training range evenly and do not depend on the recipe, so that scores of
    different networks compare.
    """
    if not images:
        raise XbdcnnError("no validation images; name a folder that has a `val` split")
    side = min(256, *(min(image.shape) for image in images))
    clean = torch.from_numpy(np.stack([central_crop(image, side) for image in images]))[
        :, None
    ].float()
    generator = torch.Generator().manual_seed(2**31 + config.seed)
    unit = (torch.arange(len(images)) + 0.5) / len(images)
    shuffled = unit[torch.randperm(len(images), generator=generator)]
    (low_e, high_e), (low_s, high_s) = paper.ETA_RANGE, paper.SIGMA_RANGE
    eta, sigma = low_e + (high_e - low_e) * unit, low_s + (high_s - low_s) * shuffled
    return Batch(clean, noise.add_hybrid_noise(clean, eta, sigma, generator), eta, sigma)
