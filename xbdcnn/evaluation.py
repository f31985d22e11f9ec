"""Tables I and II: every method on the same noisy radiographs, as tidy rows with intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import bootstrap
from tqdm.auto import tqdm

from xbdcnn import metrics, noise, paper
from xbdcnn.classical import CLASSICAL
from xbdcnn.data import Source, random_patches
from xbdcnn.errors import XbdcnnError
from xbdcnn.inference import load_pretrained
from xbdcnn.profiles import Profile
from xbdcnn.zoo import ZOO, read_weights, shipped_names, shipped_path

Method = Callable[[NDArray[np.float32], float, float], NDArray[np.float32]]
"""(noisy (H, W) in [0, 1], eta, sigma) -> restored; blind methods ignore eta and sigma."""

BEFORE = "Before Denoising"
SCORES = ("psnr", "snr", "ssim", "ssim_range_2")


class Case(NamedTuple):
    """One test image at one noise level; `image` names the radiograph it was cut from."""

    image: str
    clean: NDArray[np.float32]
    eta: float
    sigma: float
    seed: int


def collect_methods(
    profile: Profile, weights: Path | str | None = None, only: Sequence[str] | None = None
) -> dict[str, Method]:
    """Every row of the tables by label: networks first, then the classical methods.

    Args:
        profile: names the classical methods.
        weights: folder of *.safetensors to use instead of the shipped ones (profiles that train).
        only: names of networks (as in `zoo.ZOO`) and classical methods; None for all.

    Raises:
        XbdcnnError: no weights, or a name in `only` that is not at hand.
    """
    paths = weight_paths(weights)
    if unknown := sorted(set(only or ()) - set(paths) - set(profile.classical)):
        known = ", ".join([*paths, *profile.classical])
        raise XbdcnnError(f"no method {', '.join(unknown)}; choose from {known}")
    wanted = only or (*paths, *profile.classical)
    methods: dict[str, Method] = {}
    for name in wanted:
        if name in paths:
            methods[ZOO[name].label] = blind(load_pretrained(paths[name]).denoise)
        else:
            methods[name] = informed(CLASSICAL[name])
    return methods


def weight_paths(weights: Path | str | None = None) -> dict[str, Path]:
    """Weight files of the networks by name: shipped ones, or those in a folder."""
    if weights is None:
        return {name: shipped_path(name) for name in shipped_names()}
    return {name: Path(weights) / f"{name}.safetensors" for name in trained_names(weights)}


def training_seeds(weights: Path | str | None = None) -> list[int]:
    """Seeds with which the networks at hand were trained, from their headers."""
    headers = [read_weights(path)[1] for path in weight_paths(weights).values()]
    return sorted({header["provenance"]["seed"] for header in headers})


def trained_names(weights: Path | str) -> list[str]:
    """Names of the networks whose weights lie in a folder, in table order."""
    names = [name for name in ZOO if (Path(weights) / f"{name}.safetensors").exists()]
    if not names:
        raise XbdcnnError(f"{weights}: no weights there; train them with `xbdcnn train`")
    return names


def blind(denoise: Callable[[NDArray], NDArray]) -> Method:
    """Wrap a method that sees the noisy image only."""
    return lambda noisy, eta, sigma: denoise(noisy)


def informed(denoise: Callable[..., NDArray]) -> Method:
    """Wrap a method that is told the true eta and sigma."""
    return lambda noisy, eta, sigma: denoise(noisy, eta=eta, sigma=sigma)


def table_1_cases(source: Source, profile: Profile, seed: int = 0) -> list[Case]:
    """Patches of 128 x 128 from the test radiographs, each at a random (eta, sigma)."""
    images = source.images("test", profile.table1_images)
    rng = np.random.default_rng(seed)
    owners = np.arange(profile.table1_patches) % len(images)
    patches = [random_patches(images[i], 1, _patch_side(images[i]), rng)[0] for i in owners]
    generator = torch.Generator().manual_seed(seed)
    levels = zip(*noise.sample_levels(len(patches), generator), strict=True)
    return [
        Case(f"test-{owner:02d}", patch, float(eta), float(sigma), seed + number)
        for number, (owner, patch, (eta, sigma)) in enumerate(
            zip(owners, patches, levels, strict=True)
        )
    ]


def table_2_cases(source: Source, profile: Profile, seed: int = 0) -> list[Case]:
    """The central field of each radiograph at the nine strong noise levels of the paper."""
    images = source.images("table2", profile.table2_images)
    return [
        Case(f"table2-{i:02d}", centre(image, profile.table2_size), eta, sigma, seed + 9 * i + k)
        for i, image in enumerate(images)
        for k, (eta, sigma) in enumerate(paper.TABLE_2)
    ]


def evaluate(
    methods: dict[str, Method], cases: Sequence[Case], progress: bool = True
) -> pd.DataFrame:
    """Score every method on every case.

    The methods take turns on each case, so that their times compare on a noisy machine.

    Returns:
        One row per case and method: method, image, case, eta, sigma, psnr and snr in dB, ssim
        (data range 1) and ssim_range_2, seconds. The unrestored image is a method of its own.
    """
    rows = []
    for number, case in enumerate(tqdm(cases, desc="evaluating", disable=not progress)):
        noisy = noisy_image(case)
        for label, method in {BEFORE: lambda f, eta, sigma: f, **methods}.items():
            started = time.perf_counter()
            restored = method(noisy, case.eta, case.sigma)
            seconds = time.perf_counter() - started
            facts = {"method": label, "image": case.image, "case": number}
            facts |= {"eta": case.eta, "sigma": case.sigma, "seconds": seconds}
            rows.append(facts | score(restored, case.clean))
    return pd.DataFrame(rows)


def noisy_image(case: Case) -> NDArray[np.float32]:
    """The case's clean image under its noise; the same seed gives the same noise."""
    generator = torch.Generator().manual_seed(case.seed)
    clean = torch.from_numpy(np.ascontiguousarray(case.clean, np.float32))
    return noise.add_hybrid_noise(clean, case.eta, case.sigma, generator).numpy()


def score(restored: NDArray, clean: NDArray) -> dict[str, float]:
    """PSNR, SNR and SSIM in both conventions, see `metrics`."""
    return {
        "psnr": metrics.psnr(restored, clean),
        "snr": metrics.snr(restored, clean),
        "ssim": metrics.ssim(restored, clean),
        "ssim_range_2": metrics.ssim(restored, clean, data_range=metrics.RELEASED_DATA_RANGE),
    }


def summarise(results: pd.DataFrame, by: Sequence[str] = ("method",)) -> pd.DataFrame:
    """Mean of each score per group, with the 95 % bootstrap interval of psnr and ssim.

    Cases of one radiograph are no independent evidence, so the interval resamples radiographs.
    The order of the methods is kept; `images` counts the radiographs behind a row.
    """
    rows = []
    for key, group in results.groupby(list(by), sort=False):
        per_image = group.groupby("image")[[*SCORES, "seconds"]].mean()
        row = dict(zip(by, key, strict=True)) | per_image.mean().to_dict()
        row["seconds"] = group["seconds"].median()
        for name in ("psnr", "ssim"):
            row[f"{name}_low"], row[f"{name}_high"] = bootstrap_interval(per_image[name])
        rows.append(row | {"images": len(per_image), "cases": len(group)})
    return pd.DataFrame(rows)


def paired_differences(
    results: pd.DataFrame, reference: str, by: Sequence[str] = ("method",)
) -> pd.DataFrame:
    """Mean difference of every method to `reference` on the same noisy images, with intervals.

    Raises XbdcnnError if the reference is not among the results.
    """
    if reference not in set(results["method"]):
        raise XbdcnnError(f"{reference!r} is not in the results; choose from {methods_in(results)}")
    base = results[results["method"] == reference].set_index("case")[list(SCORES)]
    others = results[results["method"] != reference].set_index("case")
    difference = others[list(SCORES)] - base.reindex(others.index)
    return summarise(others.assign(**difference).reset_index(), by)


def methods_in(results: pd.DataFrame) -> list[str]:
    """Labels of the methods in the order of the table."""
    return list(dict.fromkeys(results["method"]))


def bootstrap_interval(values: Iterable[float], resamples: int = 2000) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean; (nan, nan) for fewer than two values."""
    sample = np.asarray(list(values), np.float64)
    if len(sample) < 2:
        return np.nan, np.nan
    result = bootstrap(
        (sample,), np.mean, n_resamples=resamples, method="percentile", rng=np.random.default_rng(0)
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def centre(image: NDArray, side: int) -> NDArray:
    """The central (side, side) field, or the largest central square of a smaller image."""
    side = min(side, *image.shape)
    top, left = ((length - side) // 2 for length in image.shape)
    return image[top : top + side, left : left + side]


def _patch_side(image: NDArray) -> int:
    return min(paper.PATCH_SIZE, *image.shape)
