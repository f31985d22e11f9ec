"""Tables I and II: every method on the same noisy radiographs, as tidy rows with intervals."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from xbdcnn import metrics, noise, paper
from xbdcnn.data.patches import central_crop, random_patches
from xbdcnn.data.source import Source
from xbdcnn.inference.methods import Method
from xbdcnn.models import Denoised
from xbdcnn.study.profiles import Profile

BEFORE = "Before Denoising"
SCORES = ("psnr", "snr", "ssim", "ssim_range_2")


class Case(NamedTuple):
    """One test image at one noise level; `image` names the radiograph it was cut from."""

    image: str
    clean: NDArray[np.float32]
    eta: float
    sigma: float
    seed: int


def table_1_cases(source: Source, profile: Profile, seed: int = 0) -> list[Case]:
    """Patches of 128 x 128 from the test radiographs, each at a random (eta, sigma)."""
    images = source.drawn(profile.images).images("test", profile.table1_images)
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
    images = source.drawn(profile.images).images("table2", profile.table2_images)
    return [
        Case(
            f"table2-{i:02d}",
            central_crop(image, profile.table2_size),
            eta,
            sigma,
            seed + 9 * i + k,
        )
        for i, image in enumerate(images)
        for k, (eta, sigma) in enumerate(paper.TABLE_2)
    ]


def evaluate(
    methods: dict[str, Method],
    cases: Sequence[Case],
    progress: bool = True,
    known: pd.DataFrame | None = None,
    keep: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Score every method on every case.

    The methods take turns on each case, so that their times compare on a noisy machine.

    Args:
        methods, cases: what to score on what.
        progress: show a progress bar.
        known: rows of an earlier call with the same cases, which are not measured again.
        keep: called with all rows at hand after each case, so that they can be put on file.

    Returns:
        One row per case and method: method, image, case, eta, sigma, seconds, psnr and snr in dB,
        ssim (data range 1) and ssim_range_2. The unrestored image is a method of its own.
    """
    on_file = [] if known is None else known.to_dict("records")
    rows: dict[tuple[int, str], dict[str, Any]] = {(r["case"], r["method"]): r for r in on_file}
    methods = {BEFORE: lambda f, eta, sigma: Denoised(f), **methods}
    for number, case in enumerate(tqdm(cases, desc="evaluating", disable=not progress)):
        for label, method in methods.items():
            if (number, label) not in rows:
                facts = {"method": label, "case": number}
                rows[number, label] = facts | measure(method, case)
        if keep:
            keep(pd.DataFrame(rows.values()))
    return pd.DataFrame(rows[n, label] for n in range(len(cases)) for label in methods)


def measure(method: Method, case: Case) -> dict[str, Any]:
    """Restore one case; what it was, how long it took, and how good the result is."""
    noisy = noisy_image(case)
    started = time.perf_counter()
    restored = method(noisy, case.eta, case.sigma).image
    seconds = time.perf_counter() - started
    facts = {"image": case.image, "eta": case.eta, "sigma": case.sigma, "seconds": seconds}
    return facts | score(restored, case.clean)


def noisy_image(case: Case) -> NDArray[np.float32]:
    """The case's clean image under its noise; the same seed gives the same noise."""
    generator = torch.Generator().manual_seed(case.seed)
    clean = torch.from_numpy(np.ascontiguousarray(case.clean, np.float32))
    return noise.add_hybrid_noise(clean, case.eta, case.sigma, generator).numpy()


def digest(cases: Sequence[Case]) -> str:
    """SHA-256 of what the methods see, and of what they are judged by."""
    found = hashlib.sha256()
    for case in cases:
        found.update(f"{case.image} {case.eta} {case.sigma}".encode())
        found.update(np.ascontiguousarray(case.clean, np.float32).tobytes())
        found.update(noisy_image(case).tobytes())
    return found.hexdigest()


def score(restored: NDArray, clean: NDArray) -> dict[str, float]:
    """PSNR, SNR and SSIM in both conventions, see `metrics`."""
    return {
        "psnr": metrics.psnr(restored, clean),
        "snr": metrics.snr(restored, clean),
        "ssim": metrics.ssim(restored, clean),
        "ssim_range_2": metrics.ssim(restored, clean, data_range=metrics.RELEASED_DATA_RANGE),
    }


def _patch_side(image: NDArray) -> int:
    return min(paper.PATCH_SIZE, *image.shape)
