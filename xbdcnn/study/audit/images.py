"""Findings about the data: the split by patches, residual noise, and sampled noise levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import hypergeom

from xbdcnn import noise, paper
from xbdcnn.data.patches import dense_patches
from xbdcnn.data.source import Source
from xbdcnn.inference.weights import build_network
from xbdcnn.models import AS_RELEASED, AS_WRITTEN, BALANCED, Recipe
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.audit.ledger import Finding, measured
from xbdcnn.training.batches import TrainConfig
from xbdcnn.training.loop import train


def no_sibling_probability() -> float:
    """Probability that the training set contains no patch of the image of a test patch.

    Each image yields 32 patches, and the 320,000 patches are divided 7:2:1 at random, so of the
    other 31 patches of the image a hypergeometric number falls into the training set.
    """
    siblings = paper.PATCHES // paper.IMAGES - 1
    training = paper.PATCHES * paper.SPLIT_RATIO[0] // sum(paper.SPLIT_RATIO)
    return float(hypergeom(paper.PATCHES - 1, siblings, training).pmf(0))


def split_tiles(
    tested: Sequence[NDArray], others: Sequence[NDArray], seed: int = 0, share: float = 0.1
) -> dict[str, list[NDArray]]:
    """Divide 128 x 128 tiles into a test set and two training sets of equal size.

    tested, others: two groups of radiographs (H, W). Returns tiles by "test" (the fraction `share`
    of the tiles of `tested`), "patch" (the rest of these, as in a split by patches) and "image"
    (as many tiles of `others`, as in a split by images).
    """
    rng = np.random.default_rng(seed)
    own, foreign = (
        [tile for image in group for tile in dense_patches(image, paper.PATCH_SIZE)]
        for group in (tested, others)
    )
    order, count = rng.permutation(len(own)), max(1, int(share * len(own)))
    rest = [own[i] for i in order[count:]]
    chosen = rng.permutation(len(foreign))[: len(rest)]
    return {
        "test": [own[i] for i in order[:count]],
        "patch": rest[: len(chosen)],
        "image": [foreign[i] for i in chosen],
    }


def train_both_splits(
    source: Source,
    config: TrainConfig,
    folder: Path,
    seeds: Sequence[int] = (0, 1, 2),
    width: int = 32,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network on each training set of `split_tiles` and score it on the test tiles.

    This is the worst case: with the split by patches every training tile comes from a radiograph
    of the test set, whereas in the paper these are few among 10,000 images.

    Returns:
        One row per seed and split: seed, split, psnr (dB) and ssim on the test tiles, tiles, test
        tiles.
    """
    tested, rows = source.images("test"), []
    others = source.images("train", len(tested))
    recipe = replace(BALANCED, width=width)
    for seed in seeds:
        sets, budget = split_tiles(tested, others, seed), replace(config, seed=seed)
        for split in ("patch", "image"):
            network = build_network("xbdcnn", recipe, seed)
            place = folder / f"leakage-{split}-{seed}"
            history = train(network, recipe, sets[split], sets["test"], budget, place, progress)
            last = history.iloc[-1]
            row = {"seed": seed, "split": split, "psnr": last["val_psnr"], "ssim": last["val_ssim"]}
            rows.append(row | {"tiles": len(sets[split]), "test tiles": len(sets["test"])})
    return pd.DataFrame(rows)


def split_leakage(table: pd.DataFrame) -> Finding:
    """Check whether training on other patches of the test images increases the PSNR.

    table: from `train_both_splits`.
    """
    psnr = table.pivot(index="seed", columns="split", values="psnr")
    gain = psnr["patch"] - psnr["image"]
    matters = gain.min() > 0 and gain.mean() > 0.05
    return Finding(
        point="Split of patches, not of patients",
        part="our measurements",
        claim="patches are divided 7:2:1 into training, validation and test sets, which are "
        "implied to be independent",
        released="a fixed list of patches; the test evaluation reads the validation file "
        "(`test.py`)",
        choice="divide by patient",
        evidence="the probability that no patch of the same image as a test patch is in the "
        f"training set is {no_sibling_probability():.0e}",
        effect="training only on patches of the test images changes PSNR by "
        f"{gain.mean():+.2f} dB (seeds: "
        f"{', '.join(f'{g:+.2f}' for g in gain)})",
        verdict=measured(False if matters else None),
        confidence="moderate",
    )


def distinct_levels(sampling: Literal["continuous", "grid"], draws: int = 20_000) -> int:
    """Count the different pairs of (eta, sigma) in a number of draws."""
    levels = noise.sample_levels(draws, torch.Generator().manual_seed(0), sampling)
    return len(torch.stack(levels).unique(dim=1).T)


def discrete_levels(
    effect: str = "–", released: Recipe = AS_RELEASED, draws: int = 20_000
) -> Finding:
    """Check whether the released code draws the training levels from continuous intervals."""
    pairs, expected = (
        distinct_levels(recipe.level_sampling, draws) for recipe in (released, AS_WRITTEN)
    )
    return Finding(
        point="Continuous noise levels",
        part="text, equations and code",
        claim="sigma and eta are sampled at random from (0, 20) and (0.4, 1.9)",
        released="integer sigma 0 ... 19, eta 0.4, 0.5 ... 1.8 (`utils`)",
        choice="continuous, as in the text; the grid is a field of the recipe",
        evidence=f"{pairs} different pairs of levels in {draws:,} draws as released; {expected:,} "
        "by the text",
        effect=effect,
        verdict="text and code differ" if pairs < expected / 2 else "consistent",
        confidence="certain",
    )


def residual_noise(images: Iterable[NDArray[np.floating]]) -> pd.Series:
    """Estimate the noise in grey levels of 'clean' radiographs with scikit-image.

    The estimator treats the finest wavelet coefficients as noise (Donoho and Johnstone 1994), so
    it is biased upwards by fine anatomy and downwards by blur or compression.
    """
    from skimage.restoration import estimate_sigma

    sigma = [GREY_LEVELS * estimate_sigma(image) for image in images]
    return pd.Series(sigma, name="residual", dtype=float)


def noisy_ground_truth(
    sigma: pd.Series,
    best: float = paper.corrected(paper.TABLE_2[0.8, 5.0]["X-BDCNN"]).psnr,
) -> Finding:
    """Check whether the 'clean' radiographs contain noise of their own.

    sigma: from `residual_noise`; best: highest printed PSNR in dB. The true scene scores
    20 log10(255 / sigma), which limits the PSNR if the added noise is much stronger than sigma;
    under weak noise a method that keeps noise scores higher.
    """
    # Rounding to 8 bits alone contributes 0.29 grey levels.
    noisy = bool(np.median(sigma) > 0.3)
    of_scene = 20 * np.log10(GREY_LEVELS / np.quantile(sigma, [0.9, 0.5, 0.1]))
    return Finding(
        point="Noise-free ground truth",
        part="our measurements",
        claim="g is the latent noise-free image",
        choice="the same images",
        evidence=f"residual noise of {len(sigma)} radiographs: median {np.median(sigma):.2f} grey "
        f"levels, so that under strong noise a perfect restoration scores {of_scene[1]:.1f} dB; "
        f"{of_scene[0]:.1f} to {of_scene[2]:.1f} dB between the 10th and 90th percentile; the "
        f"highest printed value is {best:.1f} dB",
        verdict=measured(not noisy),
        confidence="moderate",
    )
