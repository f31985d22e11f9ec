"""Does the NLE estimate anything, and what does the denoiser do with its answer? (Sec. II-B)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from xbdcnn import metrics, noise
from xbdcnn.inference.pretrained import Pretrained
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.audit.ledger import Finding
from xbdcnn.study.scoring import Case, noisy_image

LEVELS = ("eta", "sigma")


def mean_variance_estimate(noisy: NDArray[np.floating], bins: int = 16) -> tuple[float, float]:
    """Estimate eta and sigma from one noisy image, without training: mean-variance regression.

    Var f = g / eta + sigma^2. Diagonal differences of 2x2 blocks see noise and little anatomy;
    their robust variance in each bin of block means is fitted by a line. After A. Foi et al.,
    IEEE Trans. Image Process. 17, 1737 (2008), with a Haar filter.

    noisy: (H, W) in [0, 1]. Returns photons per grey level and grey levels; eta is infinite where
    the variance does not grow with the mean.
    """
    even = GREY_LEVELS * noisy[: noisy.shape[0] // 2 * 2, : noisy.shape[1] // 2 * 2]
    a, b, c, d = even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]
    mean, detail = ((a + b + c + d) / 4).ravel(), ((a - b - c + d) / 2).ravel()
    edges = np.quantile(mean, np.linspace(0, 1, bins + 1))
    group = np.clip(np.searchsorted(edges, mean, side="right") - 1, 0, bins - 1)
    centre = np.array([mean[group == k].mean() for k in range(bins) if (group == k).sum() > 30])
    variance = np.array(
        [
            (np.median(np.abs(detail[group == k])) / 0.6745) ** 2
            for k in range(bins)
            if (group == k).sum() > 30
        ]
    )
    if len(centre) < 2:
        return float("inf"), float(np.sqrt(variance.mean())) if len(variance) else 0.0
    slope, offset = np.polyfit(centre, variance, 1)
    return (1 / slope if slope > 0 else float("inf")), float(np.sqrt(max(offset, 0.0)))


def total_noise_estimate(noisy: NDArray[np.floating]) -> float:
    """One averaged sigma in grey levels, by scikit-image's wavelet estimator."""
    from skimage.restoration import estimate_sigma

    return float(GREY_LEVELS * estimate_sigma(noisy))


def calibration(networks: dict[str, Pretrained], cases: Sequence[Case]) -> pd.DataFrame:
    """True and estimated levels, one row per case and estimator.

    networks: by label; those with an NLE. Columns: method, image, brightness (mean grey level of
    the clean image), eta, sigma, est_eta, est_sigma, total (sqrt(mean / eta + sigma^2)), est_total.
    """
    rows = []
    for case in tqdm(cases, desc="calibrating"):
        noisy, brightness = noisy_image(case), float(GREY_LEVELS * case.clean.mean())
        guesses: dict[str, tuple[float, float]] = {
            label: tuple(network.estimate(noisy)) for label, network in networks.items()
        }
        guesses["mean-variance regression"] = mean_variance_estimate(noisy)
        facts = {"image": case.image, "brightness": brightness}
        facts |= {
            "eta": case.eta,
            "sigma": case.sigma,
            "total": _total(case.eta, case.sigma, brightness),
        }
        for label, (eta, sigma) in guesses.items():
            guess = {
                "est_eta": eta,
                "est_sigma": sigma,
                "est_total": _total(eta, sigma, brightness),
            }
            rows.append({"method": label} | facts | guess)
        rows.append(
            {"method": "estimate_sigma"} | facts | {"est_total": total_noise_estimate(noisy)}
        )
    return pd.DataFrame(rows)


def _total(eta: float, sigma: float, brightness: float) -> float:
    return float(np.sqrt(brightness / max(eta, 1e-3) + sigma**2))


def judged(table: pd.DataFrame, by: Sequence[str] = ("method",)) -> pd.DataFrame:
    """Bias, RMSE, correlation and slope of the estimates in `calibration`, per group and level.

    `of a constant` is the RMSE of always answering the mean of the true levels. Infinite answers
    count in `median error` (of the absolute errors) alone; `cases` are the finite ones.
    """
    rows = []
    for key, group in table.groupby(list(by), sort=False):
        for level in (*LEVELS, "total"):
            answers = group[[level, f"est_{level}"]].dropna()
            part = answers[np.isfinite(answers[f"est_{level}"])]
            if len(part) < 3:
                continue
            error = (answers[f"est_{level}"] - answers[level]).abs().median()
            true, guess = part[level], part[f"est_{level}"]
            row = dict(zip(by, key, strict=True)) | {"level": level, "cases": len(part)}
            row |= {"bias": (guess - true).mean(), "rmse": ((guess - true) ** 2).mean() ** 0.5}
            steady = guess.std() < 1e-6
            row |= {"of a constant": true.std(ddof=0), "median error": error}
            row["correlation"] = 0.0 if steady else guess.corr(true)
            rows.append(row | {"slope": np.polyfit(true, guess, 1)[0]})
    return pd.DataFrame(rows)


def level_errors(table: pd.DataFrame, share: float = 0.95) -> dict[str, dict[str, float]]:
    """Distance from the truth within which `share` of the estimates in `calibration` lie.

    Returns by method {"eta": photons per grey level, "sigma": grey levels}.
    """
    return {
        method: {
            # An estimate may be infinite, so no value is taken between two of them.
            level: round(
                float((rows[f"est_{level}"] - rows[level]).abs().quantile(share, "higher")), 3
            )
            for level in LEVELS
        }
        for method, rows in table.groupby("method", sort=False)
    }


FACTORS = (0.25, 0.5, 0.8, 1.0, 1.25, 2.0, 4.0)
"""How many times too high a standard deviation the fed levels claim."""


def claiming(maps: Tensor, factor: float) -> Tensor:
    """Level maps (B, 2, H, W) that claim `factor` times the noise: eta divided by its square."""
    return maps * maps.new_tensor([factor**-2, factor])[:, None, None]


def feeds(true: Tensor, estimated: Tensor) -> dict[str, Tensor]:
    """What one may tell a denoiser about the noise, by name: level maps (B, 2, H, W)."""
    found = {f"true x {factor:g}": claiming(true, factor) for factor in FACTORS}
    found |= {f"estimated x {factor:g}": claiming(estimated, factor) for factor in FACTORS}
    return found | {"zero": torch.zeros_like(true), "true, swapped": true.flip(1)}


def level_feeding(networks: dict[str, Pretrained], cases: Sequence[Case]) -> pd.DataFrame:
    """PSNR of each network with its own estimate, and with other levels in its place.

    Returns one row per case, network and feed: method, image, eta, sigma, fed (a key of `feeds`;
    "estimated x 1" is the network as it is), psnr in dB.
    """
    rows: list[dict[str, Any]] = []
    for case in tqdm(cases, desc="feeding levels"):
        noisy = torch.from_numpy(noisy_image(case))[None, None]
        clean = torch.from_numpy(np.ascontiguousarray(case.clean))[None, None]
        for label, network in networks.items():
            scaling = network.recipe.level_scaling
            true = noise.level_maps(case.eta, case.sigma, noisy, scaling)
            with torch.no_grad():
                estimated = network.network(noisy).levels
            for fed, maps in feeds(true, estimated).items():
                with torch.no_grad():
                    restored = network.network(noisy, maps).image.clamp(0, 1)
                facts = {"method": label, "image": case.image, "eta": case.eta, "sigma": case.sigma}
                rows.append(
                    facts | {"fed": fed, "psnr": float(metrics.psnr(restored, clean)[0, 0])}
                )
    return pd.DataFrame(rows)


def nle_estimates(judgement: pd.DataFrame, label: str) -> Finding:
    """Is the NLE's answer better than the best constant?"""
    rows = judgement[judgement["method"] == label].set_index("level")
    share = {level: rows.loc[level, "rmse"] / rows.loc[level, "of a constant"] for level in LEVELS}
    learnt = [level for level in LEVELS if share[level] < 0.8]
    return Finding(
        point=f"The NLE of {label}",
        claim="the NLE estimates the levels of Poisson and Gaussian noise",
        choice="print the estimate with the error measured here",
        evidence=", ".join(
            f"error of {level} {rows.loc[level, 'rmse']:.2f} ({share[level]:.0%} of a constant "
            f"answer's), correlation {rows.loc[level, 'correlation']:.2f}"
            for level in LEVELS
        ),
        verdict="confirmed" if len(learnt) == 2 else "contradicted",
        confidence="high",
    )


def over_estimation(fed: pd.DataFrame, label: str) -> Finding:
    """Is too high a level safer for the denoiser than too low a one, as the paper cites?"""
    rows = fed[fed["method"] == label].pivot_table(
        index=["image", "eta", "sigma"], columns="fed", values="psnr"
    )
    own = rows["estimated x 1"]
    over = (rows["estimated x 2"] - own).mean()
    under = (rows["estimated x 0.5"] - own).mean()
    true = (rows["true x 1"] - own).mean()
    return Finding(
        point=f"Over-estimation is safer, in {label}",
        claim="non-blind denoisers are often robust when the estimated level is too high",
        choice="asymmetric loss by the text",
        evidence=f"doubling the estimated noise changes PSNR by {over:+.2f} dB, halving it by "
        f"{under:+.2f} dB, the true levels in its place by {true:+.2f} dB",
        verdict="confirmed" if over > under else "contradicted",
        confidence="moderate",
    )
