"""SSIM under the common conventions, and the conventions that fit the printed values (Eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from xbdcnn import metrics, paper
from xbdcnn.study.audit.ledger import Finding, measured
from xbdcnn.study.scoring import BEFORE

WANG = {"window": "gaussian", "size": 11}
SKIMAGE = {"window": "uniform", "size": 7, "unbiased": True}

CONVENTIONS: dict[str, dict] = {
    "Gaussian 11, range 1": {**WANG, "data_range": 1.0},
    "Gaussian 11, range 1, mirrored border": {**WANG, "data_range": 1.0, "border": "reflect"},
    "Gaussian 11, range 2": {**WANG, "data_range": 2.0},
    "Gaussian 11, range 255": {**WANG, "data_range": 255.0},
    "uniform 7, range 1 (scikit-image)": {**SKIMAGE, "data_range": 1.0},
    "uniform 7, range 2 (old scikit-image, none given)": {**SKIMAGE, "data_range": 2.0},
    "uniform 7, range 255": {**SKIMAGE, "data_range": 255.0},
}
"""Arguments of `metrics.ssim` by the name of the convention; images are in [0, 1]."""


def torchmetrics_ssim(restored: NDArray, clean: NDArray) -> float:
    """Compute SSIM with the defaults of torchmetrics: Gaussian 11, data range of the pair."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    f, g = (torch.from_numpy(np.ascontiguousarray(x))[None, None] for x in (restored, clean))
    return torch.as_tensor(structural_similarity_index_measure(f, g)).item()


def all_conventions(restored: NDArray, clean: NDArray) -> dict[str, float]:
    """Compute the SSIM of one pair, (H, W) float32 in [0, 1], under each convention."""
    scores = {
        name: float(metrics.ssim(restored, clean, **options))
        for name, options in CONVENTIONS.items()
    }
    return scores | {"torchmetrics, defaults": torchmetrics_ssim(restored, clean)}


def mean_conventions(pairs: Sequence[tuple[NDArray, NDArray]]) -> pd.Series:
    """Average SSIM over (restored, clean) pairs under each convention."""
    return pd.DataFrame([all_conventions(*pair) for pair in pairs]).mean()


def before_denoising(
    means: pd.Series, printed: float = paper.TABLE_1["Before Denoising"].ssim
) -> Finding:
    """Find the convention under which noisy patches have the SSIM printed in Table I.

    means: from `mean_conventions`, for noisy patches at the random levels of Table I.
    """
    distance = (means - printed).abs().sort_values()
    ours = next(iter(CONVENTIONS))
    nearest, rivals = distance.index[0], int((distance < 0.05).sum())
    return Finding(
        point="SSIM convention",
        part="text, equations and code",
        claim="Eq. 7 with positive constants, implicitly those for the range of the images",
        equation=f"{printed:.2f} before denoising",
        released="no data range given; the default of an old scikit-image for float images was 2 "
        "(`test.py`)",
        choice="data range 1, that of the images; data range 2 in a further column",
        evidence=f"the paper prints {printed:.2f}, our noisy patches have {means[nearest]:.3f} "
        f"with '{nearest}' and {means[ours]:.3f} with data range 1; {rivals} of {len(means)} "
        "conventions are within 0.05 of the printed value",
        effect=f"SSIM of noisy patches {means[nearest] - means[ours]:+.2f} relative to range 1",
        verdict="not stated, inferred" if abs(means[ours] - printed) > 0.05 else "consistent",
        confidence="moderate" if rivals > 1 else "high",
    )


def ssim_near(results: pd.DataFrame, psnr: float, tolerance: float = 1.0) -> pd.Series:
    """Average the SSIM of our restored patches whose PSNR is within `tolerance` dB of `psnr`.

    results: rows of `scoring.evaluate`. Returns "range 1" and "range 2", nan without patches.
    """
    near = (results["method"] != BEFORE) & (results["psnr"] - psnr).abs().lt(tolerance)
    columns = {"ssim": "range 1", "ssim_range_2": "range 2"}
    return results.loc[near, list(columns)].mean().rename(columns)


def nearest_ranges(
    results: pd.DataFrame, printed: dict[str, paper.Scores] = paper.TABLE_1
) -> pd.DataFrame:
    """Find the data range that fits the printed SSIM of each restored row of Table I best.

    Returns per row: psnr (columns corrected), printed SSIM, SSIM of our patches of that PSNR with
    "range 1" and "range 2", and `nearest`, None if none of our patches has that PSNR.
    """
    rows = {}
    for name, scores in printed.items():
        if scores.seconds:
            found = ssim_near(results, paper.corrected(scores).psnr)
            known = not found.isna().any()
            nearest = (found - scores.ssim).abs().idxmin() if known else None
            row = {"psnr": paper.corrected(scores).psnr, "printed": scores.ssim}
            rows[name] = row | found.to_dict() | {"nearest": nearest}
    return pd.DataFrame.from_dict(rows, orient="index")


def bm3d_row(results: pd.DataFrame, printed: dict[str, paper.Scores] = paper.TABLE_1) -> Finding:
    """Check whether the SSIM printed for BM3D has the data range of the networks' rows.

    The relation between SSIM and PSNR depends on the data range, so each printed pair is compared
    with our restored patches of that PSNR. results: rows of `scoring.evaluate`, Table I.
    """
    table = nearest_ranges(results, printed)
    bm3d, others = table.loc["BM3D"], table["nearest"].drop("BM3D").dropna().unique()
    decided = pd.notna(bm3d["nearest"]) and len(others) == 1
    agrees = bool(bm3d["nearest"] == others[0]) if decided else None
    return Finding(
        point="SSIM of BM3D's row",
        part="our measurements",
        claim="implicitly, all rows of Table I have the same SSIM convention",
        equation=f"BM3D {bm3d['printed']} at {bm3d['psnr']:.1f} dB; X-ReCNN "
        f"{table.loc['X-ReCNN', 'printed']} at {table.loc['X-ReCNN', 'psnr']:.1f} dB",
        choice="one function for all rows",
        evidence="our patches with the PSNR of BM3D have SSIM "
        f"{bm3d['range 1']:.3f} with range 1 and {bm3d['range 2']:.3f} with range 2, the paper "
        f"prints {bm3d['printed']:.3f}; the networks' rows are nearest to "
        f"{' or '.join(others) or 'none'}",
        verdict=measured(agrees),
        confidence="moderate",
    )
