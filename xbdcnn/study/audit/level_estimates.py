"""Accuracy of noise level estimates, and their influence on the denoiser (Sec. II-B)."""

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
from xbdcnn.measured_noise.photon_transfer import haar_blocks
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.audit.ledger import Finding, measured
from xbdcnn.study.scoring import Case, noisy_image

LEVELS = ("eta", "sigma")

FACTORS = (0.25, 0.5, 0.8, 1.0, 1.25, 2.0, 4.0)
"""Factors by which level maps over-estimate the standard deviation of the noise."""


def mean_variance_estimate(noisy: NDArray[np.floating], bins: int = 16) -> tuple[float, float]:
    """Estimate eta and sigma from one noisy image, without training: mean-variance regression.

    Var f = g / eta + sigma^2. Diagonal differences of 2x2 blocks contain noise and little anatomy;
    a line is fitted to their robust variance in bins of the block means. After A. Foi et al.,
    IEEE Trans. Image Process. 17, 1737 (2008), with a Haar filter.

    noisy: (H, W) in [0, 1]. Returns photons per grey level and grey levels; eta is infinite if
    the variance does not increase with the mean.
    """
    mean, detail = haar_blocks(GREY_LEVELS * noisy)
    edges = np.quantile(mean, np.linspace(0, 1, bins + 1))
    group = np.clip(np.searchsorted(edges, mean, side="right") - 1, 0, bins - 1)
    chosen = [group == k for k in range(bins) if (group == k).sum() > 30]
    centre = np.array([mean[blocks].mean() for blocks in chosen])
    variance = np.array([(np.median(np.abs(detail[blocks])) / 0.6745) ** 2 for blocks in chosen])
    if len(centre) < 2:
        return float("inf"), float(np.sqrt(variance.mean())) if len(variance) else 0.0
    slope, offset = np.polyfit(centre, variance, 1)
    return (1 / slope if slope > 0 else float("inf")), float(np.sqrt(max(offset, 0.0)))


def total_noise_estimate(noisy: NDArray[np.floating]) -> float:
    """Estimate the mean standard deviation of the noise in grey levels with scikit-image."""
    from skimage.restoration import estimate_sigma

    return float(GREY_LEVELS * estimate_sigma(noisy))


def calibration(networks: dict[str, Pretrained], cases: Sequence[Case]) -> pd.DataFrame:
    """Tabulate true and estimated levels, one row per case and estimator.

    networks: networks with an NLE, by label. Columns: method, image, brightness (mean grey level
    of the clean image), eta, sigma, total (sqrt(mean / eta + sigma^2)), est_eta, est_sigma,
    est_total.
    """
    rows = []
    for case in tqdm(cases, desc="calibrating"):
        noisy, brightness = noisy_image(case), float(GREY_LEVELS * case.clean.mean())
        facts = {"image": case.image, "brightness": brightness, "eta": case.eta}
        facts |= {"sigma": case.sigma, "total": _total(case.eta, case.sigma, brightness)}
        estimates: dict[str, tuple[float, float]] = {}
        for label, network in networks.items():
            estimates[label] = network.estimate(noisy)
        estimates["mean-variance regression"] = mean_variance_estimate(noisy)
        for label, (eta, sigma) in estimates.items():
            found = {"est_eta": eta, "est_sigma": sigma}
            found["est_total"] = _total(eta, sigma, brightness)
            rows.append({"method": label} | facts | found)
        total = {"est_total": total_noise_estimate(noisy)}
        rows.append({"method": "estimate_sigma"} | facts | total)
    return pd.DataFrame(rows)


def _total(eta: float, sigma: float, brightness: float) -> float:
    return float(np.sqrt(brightness / max(eta, 1e-3) + sigma**2))


def error_statistics(table: pd.DataFrame, by: Sequence[str] = ("method",)) -> pd.DataFrame:
    """Compute bias, RMSE, correlation and slope of the estimates in `calibration`.

    Returns one row per group and level that the table has. `of a constant` is the RMSE of the
    constant estimate that equals the mean of the true levels. `median error` is that of the
    absolute errors and includes infinite estimates; all other columns use the finite ones, whose
    number is `cases`.
    """
    rows = []
    for key, group in table.groupby(list(by), sort=False):
        for level in [level for level in (*LEVELS, "total") if level in table]:
            estimates = group[[level, f"est_{level}"]].dropna()
            finite = estimates[np.isfinite(estimates[f"est_{level}"])]
            if len(finite) < 3:
                continue
            error = (estimates[f"est_{level}"] - estimates[level]).abs().median()
            true, guess = finite[level], finite[f"est_{level}"]
            row = dict(zip(by, key, strict=True)) | {"level": level, "cases": len(finite)}
            row |= {"bias": (guess - true).mean(), "rmse": ((guess - true) ** 2).mean() ** 0.5}
            row |= {"of a constant": true.std(ddof=0), "median error": error}
            row["correlation"] = 0.0 if guess.std() < 1e-6 else guess.corr(true)
            rows.append(row | {"slope": np.polyfit(true, guess, 1)[0]})
    return pd.DataFrame(rows)


def level_errors(table: pd.DataFrame, share: float = 0.95) -> dict[str, dict[str, float]]:
    """Compute the `share` quantile of the absolute errors of the estimates in `calibration`.

    Returns by method {"eta": photons per grey level, "sigma": grey levels}.
    """
    return {
        method: {
            # Estimates may be infinite, so the quantile must not interpolate between two of them.
            level: round(
                float((rows[f"est_{level}"] - rows[level]).abs().quantile(share, "higher")), 3
            )
            for level in LEVELS
        }
        for method, rows in table.groupby("method", sort=False)
    }


def scale_claimed_noise(maps: Tensor, factor: float) -> Tensor:
    """Scale the noise that level maps (B, 2, H, W) describe: eta / factor^2, sigma * factor."""
    return maps * maps.new_tensor([factor**-2, factor])[:, None, None]


def level_map_variants(true: Tensor, estimated: Tensor) -> dict[str, Tensor]:
    """Return the level maps (B, 2, H, W) that `psnr_by_level_maps` compares, by name."""
    found = {f"true x {factor:g}": scale_claimed_noise(true, factor) for factor in FACTORS}
    found |= {
        f"estimated x {factor:g}": scale_claimed_noise(estimated, factor) for factor in FACTORS
    }
    return found | {"zero": torch.zeros_like(true), "true, swapped": true.flip(1)}


def psnr_by_level_maps(networks: dict[str, Pretrained], cases: Sequence[Case]) -> pd.DataFrame:
    """Measure the PSNR of each network with its own level estimates and with other level maps.

    Returns one row per case, network and variant: method, image, eta, sigma, fed (a key of
    `level_map_variants`; "estimated x 1" is the unchanged network), psnr in dB.
    """
    rows: list[dict[str, Any]] = []
    for case in tqdm(cases, desc="replacing level maps"):
        noisy = torch.from_numpy(noisy_image(case))[None, None]
        clean = torch.from_numpy(np.ascontiguousarray(case.clean))[None, None]
        facts = {"image": case.image, "eta": case.eta, "sigma": case.sigma}
        for label, network in networks.items():
            true = noise.level_maps(case.eta, case.sigma, noisy, network.recipe.level_scaling)
            with torch.no_grad():
                variants = level_map_variants(true, network.network(noisy).levels)
                for name, maps in variants.items():
                    restored = network.network(noisy, maps).image.clamp(0, 1)
                    psnr = float(np.squeeze(metrics.psnr(restored, clean)))
                    rows.append({"method": label} | facts | {"fed": name, "psnr": psnr})
    return pd.DataFrame(rows)


def nle_estimates(statistics: pd.DataFrame, label: str) -> Finding:
    """Check whether the estimates of an NLE are better than the best constant.

    statistics: from `error_statistics`.
    """
    rows = statistics[statistics["method"] == label].set_index("level")
    share = {level: rows.loc[level, "rmse"] / rows.loc[level, "of a constant"] for level in LEVELS}
    learnt = [level for level in LEVELS if share[level] < 0.8]
    return Finding(
        point=f"The NLE of {label}",
        part="our measurements",
        claim="the NLE estimates the levels of the Poisson and the Gaussian noise",
        choice="report each estimate together with its error as measured here",
        evidence=", ".join(
            f"RMSE of {level} {rows.loc[level, 'rmse']:.2f} ({share[level]:.0%} of that of a "
            f"constant estimate), correlation {rows.loc[level, 'correlation']:.2f}"
            for level in LEVELS
        ),
        verdict=measured(len(learnt) == 2),
        confidence="high",
    )


def over_estimation(table: pd.DataFrame, label: str) -> Finding:
    """Check whether over-estimating the noise costs less PSNR than under-estimating it.

    table: from `psnr_by_level_maps`.
    """
    rows = table[table["method"] == label].pivot_table(
        index=["image", "eta", "sigma"], columns="fed", values="psnr"
    )
    own = rows["estimated x 1"]
    over = (rows["estimated x 2"] - own).mean()
    under = (rows["estimated x 0.5"] - own).mean()
    true = (rows["true x 1"] - own).mean()
    return Finding(
        point=f"Over-estimation is safer, in {label}",
        part="our measurements",
        claim="non-blind denoisers are often robust to over-estimated noise levels",
        choice="the asymmetric loss as described in the text",
        evidence=f"with twice the estimated noise PSNR changes by {over:+.2f} dB, with half of it "
        f"by {under:+.2f} dB, with the true levels by {true:+.2f} dB",
        verdict=measured(bool(over > under)),
        confidence="moderate",
    )
