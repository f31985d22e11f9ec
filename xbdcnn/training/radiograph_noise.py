"""Training data of the successor: the noise of radiographs, from none to stronger than the paper's.

`PAPER_SHARE` of a generalist's batch has the paper's noise. Of the others, half have the noise of
Eq. 1 in a wider range, half that of a detector (`detector.detector_noise`); in each half, half of
the images have noise that is correlated by a blur or sharpened by processing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from xbdcnn import detector, noise
from xbdcnn._common.errors import SMALLEST_SIDE
from xbdcnn.detector import Display
from xbdcnn.level_estimator import encode_levels
from xbdcnn.noise import GREY_LEVELS, LARGEST_BLUR, STRONGEST_NOISE, TrainingNoise
from xbdcnn.training.batches import Batch, Pool, TrainConfig, random_patch, step_generator

STRENGTHS = (0.2, STRONGEST_NOISE)
"""Standard deviation of the noise at mid grey, in grey levels; drawn log-uniformly."""

NOISE_FREE = 0.03
"""Share of the images without any noise."""

WHITE_TRANSMISSIONS = (0.03, 0.3)
"""Transmission of white in the displays of the detector half, drawn log-uniformly."""

LARGEST_SHARPENING = 1.5
"""Amount of the unsharp mask of one pixel, at most."""

CLEAN_ENOUGH = 4.0
"""Grey levels of noise below which all clean patches are halved, see `draw_clean`."""

PAPER_SHARE = 0.45
"""Share of a generalist's patches that have the noise of the paper, Eq. 1 in its range."""

LEVEL_ERROR = 0.1
"""Relative standard deviation of the error of the levels that the denoiser is told."""

# Many radiographs have a frame of one or two pixels, which one patch in a thousand shows by chance.
cut_patch = partial(random_patch, beyond=0.5)


def draw_successor_batch(
    pool: Pool, noise_name: TrainingNoise, config: TrainConfig, step: int, device: torch.device
) -> Batch:
    """Cut random patches and add noise; depends on (seed, step) only.

    Half of the patches are mirrored left to right. The levels of the batch have random errors, as
    an estimate has. See `batches.draw_batch`.
    """
    generator = step_generator(config, step)
    paper_share = 1.0 if noise_name == "paper" else PAPER_SHARE
    batch = draw_mixed(pool, paper_share, config, generator)
    mirrored = torch.rand(len(batch.clean), 1, 1, 1, generator=generator) < 0.5
    clean, noisy = (torch.where(mirrored, image.flip(-1), image) for image in batch[:2])
    errors = torch.exp(LEVEL_ERROR * torch.randn(batch.levels.shape, generator=generator))
    batch = batch._replace(clean=clean, noisy=noisy, levels=batch.levels * errors)
    return Batch(*(part.to(device) for part in batch))


def draw_estimator_batch(pool: Pool, config: TrainConfig, step: int, device: torch.device) -> Batch:
    """Cut random patches, half with the noise of radiographs and half with that of the paper.

    Depends on (seed, step) only. The levels of the batch are the true ones. A batch has a random
    patch size, at least a quarter of the configured one, since images have different sizes, too.
    """
    generator = step_generator(config, step)
    share = float(0.25 + 0.75 * torch.rand(1, generator=generator))
    side = max(SMALLEST_SIDE, int(share * config.patch_size))
    batch = draw_mixed(pool, 0.5, replace(config, patch_size=side), generator)
    return Batch(*(part.to(device) for part in batch))


def draw_mixed(
    pool: Pool, paper_share: float, config: TrainConfig, generator: torch.Generator
) -> Batch:
    """Cut random patches, of which the last `paper_share` has the noise of the paper.

    The others have that of radiographs. The levels of the batch are the true ones.
    """
    of_paper = round(paper_share * config.batch_size)
    shares: dict[TrainingNoise, int] = {
        "radiographs": config.batch_size - of_paper,
        "paper": of_paper,
    }
    parts = [
        draw_noisy(pool, name, replace(config, batch_size=count), generator)
        for name, count in shares.items()
        if count
    ]
    return Batch(*(torch.cat(part) for part in zip(*parts, strict=True)))


def draw_noisy(
    pool: Pool, noise_name: TrainingNoise, config: TrainConfig, generator: torch.Generator
) -> Batch:
    """Cut random patches and add noise; the levels of the batch are the true ones."""
    correlation: float | Tensor = 0.0
    if noise_name == "paper":
        patches = [cut_patch(pool, config, generator) for _ in range(config.batch_size)]
        clean = torch.stack(patches)[:, None].float() / GREY_LEVELS  # (B, 1, h, w)
        eta, sigma = noise.sample_levels(config.batch_size, generator)
        noisy = noise.add_hybrid_noise(clean, eta, sigma, generator, check=False)
    else:
        strength = sample_strengths(config.batch_size, generator)
        clean = vary_contrast(draw_clean(pool, config, strength, generator), generator)
        noisy, eta, sigma, correlation = add_radiograph_noise(clean, strength, generator)
    return Batch(clean, noisy, eta, sigma, encode_levels(eta, sigma, correlation, clean))


def sample_strengths(count: int, generator: torch.Generator) -> Tensor:
    """Draw standard deviations of the noise at mid grey, (count,) grey levels; some are 0."""
    low, high = STRENGTHS
    strength = low * (high / low) ** torch.rand(count, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < NOISE_FREE, 0.0, strength)


def draw_clean(
    pool: Pool, config: TrainConfig, strength: Tensor, generator: torch.Generator
) -> Tensor:
    """Cut patches (B, 1, h, w) in [0, 1] for noise of `strength` (B,) grey levels.

    All patches for weak noise and half of the others are means of 2x2 pixels of a patch twice as
    large, which have less noise of their own.
    """
    halved = (strength < CLEAN_ENOUGH) | (torch.rand(len(strength), generator=generator) < 0.5)
    patches = []
    for half in halved.tolist():
        patch = cut_patch(pool, config, generator, factor=2 if half else 1)
        patch = patch[None].float() / GREY_LEVELS  # (1, h, w) or (1, 2h, 2w)
        patches.append(F.avg_pool2d(patch, 2) if half else patch)
    return torch.stack(patches)


def vary_contrast(clean: Tensor, generator: torch.Generator) -> Tensor:
    """Map each image of a batch linearly to a random range within [0, 1]."""
    low, span = torch.rand(2, len(clean), 1, 1, 1, generator=generator)
    low, span = 0.25 * low**2, 1 - 0.35 * span**2
    return (low + span * clean).clamp(max=1.0)


def add_radiograph_noise(
    clean: Tensor, strength: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Add noise of `strength` grey levels at mid grey; see the module.

    clean: (B, 1, h, w) in [0, 1]. Returns noisy, clipped to [0, 1] and half of it rounded to 8
    bits, and (B,) eta, sigma and correlation that describe the noise best.
    """
    count, half = len(clean), len(clean) // 2
    quantum = torch.rand(count, generator=generator)  # share of the variance at mid grey
    first = _eq_1_noise(clean[:half], strength[:half], quantum[:half], generator)
    second = _detector_noise(clean[half:], strength[half:], quantum[half:], generator)
    error, eta, sigma = (torch.cat(parts) for parts in zip(first, second, strict=True))
    error = correlate(error, generator)
    correlation = neighbour_correlation(error)
    noisy = (clean + error).clamp(0.0, 1.0)
    rounded = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    noisy = torch.where(rounded, (noisy * GREY_LEVELS).round() / GREY_LEVELS, noisy)
    return noisy, eta, sigma, correlation


def _eq_1_noise(
    clean: Tensor, strength: Tensor, quantum: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Noise of Eq. 1 (B, 1, h, w) with its eta and sigma (B,)."""
    eta = GREY_LEVELS / 2 / (quantum * strength**2)
    sigma = strength * (1 - quantum).sqrt()
    noisy = noise.add_hybrid_noise(clean, eta, sigma, generator, clip=False, check=False)
    return noisy - clean, eta, sigma


def _detector_noise(
    clean: Tensor, strength: Tensor, quantum: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Noise of a detector with a random display, with the eta and sigma that fit its variance."""
    display = _sample_display(generator)
    middle = detector.transmission(torch.tensor(0.5), display)
    # The variance is inversely proportional to the dose, and 1 quantum per pixel at least.
    unit = detector.displayed_variance(torch.tensor(0.5), 1.0, 0.0, display)
    dose = (unit / (quantum * strength**2).clamp(min=1e-3)).clamp(min=1.0)
    electronic = dose * middle * strength * (1 - quantum).sqrt() / (unit * middle).sqrt()
    noisy = detector.detector_noise(clean, dose, electronic, 0.0, display, generator, clip=False)
    grid = torch.linspace(0, 1, 17)
    variances = torch.stack(
        [
            detector.displayed_variance(grid, float(d), float(e), display)
            for d, e in zip(dose, electronic, strict=True)
        ]
    )
    eta, sigma = closest_levels(grid, variances)
    return torch.where(strength[:, None, None, None] > 0, noisy - clean, 0.0), eta, sigma


def _sample_display(generator: torch.Generator) -> Display:
    """Draw a display of radiographs: three in four logarithmic, white of few photons."""
    position, kind = torch.rand(2, generator=generator).tolist()
    low, high = WHITE_TRANSMISSIONS
    return Display(1.0, low * (high / low) ** position, logarithmic=kind < 0.75)


def closest_levels(g: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
    """(B,) eta and sigma whose g / eta + sigma^2 is closest, by least squares, to variances (B, n).

    g: (n,) in [0, 1]; variances: grey levels^2. Infinite eta where the variance falls with g.
    """
    centred = g - g.mean()
    slope = ((variances @ centred) / (centred @ centred)).clamp(min=0.0)  # (B,)
    offset = (variances.mean(dim=1) - slope * g.mean()).clamp(min=0.0)
    return GREY_LEVELS / slope, offset.sqrt()


def correlate(error: Tensor, generator: torch.Generator) -> Tensor:
    """Blur or sharpen the noise of about half of the images, at unchanged standard deviation.

    error: (B, 1, h, w) noise.
    """
    kind, amount = torch.rand(2, len(error), generator=generator)
    blur = torch.where(kind < 0.4, LARGEST_BLUR * amount, 0.0)
    sharpening = torch.where(kind > 0.85, LARGEST_SHARPENING * amount, 0.0)[:, None, None, None]
    processed = detector.scintillator_blur(error, blur)
    processed = processed + sharpening * (error - detector.scintillator_blur(error, 1.0))
    before, after = (x.square().mean((1, 2, 3), keepdim=True).sqrt() for x in (error, processed))
    return processed * before / after.clamp(min=1e-8)


def neighbour_correlation(error: Tensor) -> Tensor:
    """Mean correlation (B,) of pixels that are adjacent across or down; error: (B, 1, h, w)."""
    power = error.square().mean((1, 2, 3)).clamp(min=1e-12)
    across = (error[..., :, 1:] * error[..., :, :-1]).mean((1, 2, 3))
    down = (error[..., 1:, :] * error[..., :-1, :]).mean((1, 2, 3))
    return (across + down) / (2 * power)
