"""Score every method on the same noisy radiographs: the measurements behind Tables I and II."""

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
from xbdcnn.metrics import RELEASED_DATA_RANGE
from xbdcnn.models import Denoised
from xbdcnn.study.profiles import Profile

BEFORE = "Before Denoising"
"""Label of the unrestored image in the tables."""
SCORES = ("psnr", "snr", "ssim", "ssim_range_2")


class Case(NamedTuple):
    """A test image at one noise level; `image` names the radiograph from which it was cut."""

    image: str
    clean: NDArray[np.float32]
    eta: float
    sigma: float
    seed: int


def table_1_cases(source: Source, profile: Profile, seed: int = 0) -> list[Case]:
    """Return 128 x 128 patches of the test radiographs, each at a random (eta, sigma)."""
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
    """Return the central field of each radiograph at the nine noise levels of Table II."""
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
    save: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Score every method on every case.

    The methods alternate on each case, so that a varying load of the machine affects the times of
    all methods alike.

    Args:
        methods: by label, called with the noisy image, eta and sigma.
        cases: test images.
        progress: show a progress bar.
        known: rows of an earlier call with the same cases; these are not measured again. Rows of
            other methods than `methods` are returned, too.
        save: called after each case with all rows so far.

    Returns:
        One row per case and method: method, image, case, eta, sigma, seconds, psnr and snr in dB,
        ssim (data range 1) and ssim_range_2. The unrestored image counts as a method.
    """
    on_file = [] if known is None else known.to_dict("records")
    rows: dict[tuple[int, str], dict[str, Any]] = {(r["case"], r["method"]): r for r in on_file}
    methods = {BEFORE: lambda f, eta, sigma: Denoised(f), **methods}
    for number, case in enumerate(tqdm(cases, desc="evaluating", disable=not progress)):
        for label, method in methods.items():
            if (number, label) not in rows:
                facts = {"method": label, "case": number}
                rows[number, label] = facts | score_case(method, case)
        if save:
            save(pd.DataFrame(rows.values()))
    labels = dict.fromkeys([*methods, *(label for _, label in rows)])
    return pd.DataFrame(rows[n, label] for n in range(len(cases)) for label in labels)


def score_case(method: Method, case: Case) -> dict[str, Any]:
    """Restore one case; return its image and levels, the seconds taken, and the scores."""
    noisy = noisy_image(case)
    started = time.perf_counter()
    restored = method(noisy, case.eta, case.sigma).image
    seconds = time.perf_counter() - started
    facts = {"image": case.image, "eta": case.eta, "sigma": case.sigma, "seconds": seconds}
    return facts | score(restored, case.clean)


def noisy_image(case: Case) -> NDArray[np.float32]:
    """Add the hybrid noise of a case to its clean image; the seed of the case fixes the noise."""
    generator = torch.Generator().manual_seed(case.seed)
    clean = torch.from_numpy(np.ascontiguousarray(case.clean, np.float32))
    return noise.add_hybrid_noise(clean, case.eta, case.sigma, generator).numpy()


def digest(cases: Sequence[Case]) -> str:
    """Compute the SHA-256 of the noisy and clean images of the cases and of their levels."""
    sha256 = hashlib.sha256()
    for case in cases:
        sha256.update(f"{case.image} {case.eta} {case.sigma}".encode())
        sha256.update(np.ascontiguousarray(case.clean, np.float32).tobytes())
        sha256.update(noisy_image(case).tobytes())
    return sha256.hexdigest()


def score(restored: NDArray, clean: NDArray) -> dict[str, float]:
    """Compute PSNR and SNR in dB, and SSIM with data ranges 1 and 2; see `metrics`."""
    return {
        "psnr": float(metrics.psnr(restored, clean)),
        "snr": float(metrics.snr(restored, clean)),
        "ssim": float(metrics.ssim(restored, clean)),
        "ssim_range_2": float(metrics.ssim(restored, clean, data_range=RELEASED_DATA_RANGE)),
    }


def _patch_side(image: NDArray) -> int:
    return min(paper.PATCH_SIZE, *image.shape)
