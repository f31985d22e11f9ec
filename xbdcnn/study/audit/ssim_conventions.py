"""SSIM under every convention in use, and which of them the paper's numbers fit (Eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from xbdcnn import metrics, paper
from xbdcnn.study.audit.ledger import Finding
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
"""Arguments of `metrics.ssim` by what people call it; images are in [0, 1]."""


def torchmetrics_ssim(restored: NDArray, clean: NDArray) -> float:
    """SSIM by torchmetrics with its defaults: Gaussian 11, data range that of the pair itself."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    pair = (torch.from_numpy(np.ascontiguousarray(x))[None, None] for x in (restored, clean))
    return float(structural_similarity_index_measure(*pair))


def all_conventions(restored: NDArray, clean: NDArray) -> dict[str, float]:
    """SSIM of one pair, (H, W) float32 in [0, 1], under each convention."""
    scores = {n: metrics.ssim(restored, clean, **how) for n, how in CONVENTIONS.items()}
    return scores | {"torchmetrics, defaults": torchmetrics_ssim(restored, clean)}


def mean_conventions(pairs: Sequence[tuple[NDArray, NDArray]]) -> pd.Series:
    """Mean SSIM over (restored, clean) pairs under each convention."""
    return pd.DataFrame([all_conventions(*pair) for pair in pairs]).mean()


def before_denoising(
    means: pd.Series, printed: float = paper.TABLE_1["Before Denoising"].ssim
) -> Finding:
    """Which convention gives noisy patches the printed SSIM of Table I?

    means: from `mean_conventions` of noisy patches at Table I's random levels.
    """
    distance = (means - printed).abs().sort_values()
    ours = next(iter(CONVENTIONS))
    nearest, rivals = distance.index[0], int((distance < 0.05).sum())
    return Finding(
        point="SSIM convention",
        claim="Eq. 7 with positive constants, tacitly those for the images' own range",
        equation=f"{printed:.2f} before denoising",
        released="an old scikit-image on float images without a data range, which meant 2",
        choice="range 1, the images' own; range 2 in a column beside it",
        evidence=f"{printed:.2f} in print, on our noisy patches {means[nearest]:.3f} by "
        f"'{nearest}' and {means[ours]:.3f} with range 1; {rivals} of {len(means)} conventions lie "
        "within 0.05 of print",
        effect=f"SSIM of noisy patches {means[nearest] - means[ours]:+.2f} against range 1",
        verdict="contradicted" if abs(means[ours] - printed) > 0.05 else "confirmed",
        confidence="moderate" if rivals > 1 else "high",
    )


def ssim_near(results: pd.DataFrame, psnr: float, reach: float = 1.0) -> pd.Series:
    """Mean SSIM of our restored patches whose PSNR is within `reach` dB of a given one.

    results: rows of `evaluation.evaluate`. Returns "range 1" and "range 2", nan without patches.
    """
    near = (results["method"] != BEFORE) & (results["psnr"] - psnr).abs().lt(reach)
    columns = {"ssim": "range 1", "ssim_range_2": "range 2"}
    return results.loc[near, list(columns)].mean().rename(columns)


def nearest_ranges(
    results: pd.DataFrame, printed: dict[str, paper.Scores] = paper.TABLE_1
) -> pd.DataFrame:
    """Which data range suits the SSIM of each restored row of Table I, at that row's PSNR.

    Returns per row: psnr (columns put right), printed SSIM, ours with "range 1" and "range 2", and
    `nearest`, None where no patch of ours has that PSNR.
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
    """Does the SSIM printed for BM3D share the data range of the networks' rows?

    SSIM rises with PSNR, and by how much depends on the range; so each printed pair is compared
    with our own restored patches of that PSNR. results: rows of `evaluation.evaluate`, Table I.
    """
    table = nearest_ranges(results, printed)
    bm3d, others = table.loc["BM3D"], table["nearest"].drop("BM3D").dropna().unique()
    decided = pd.notna(bm3d["nearest"]) and len(others) == 1
    verdict = "confirmed" if decided and bm3d["nearest"] == others[0] else "contradicted"
    return Finding(
        point="SSIM of BM3D's row",
        claim="tacitly, one SSIM for all rows of Table I",
        equation=f"BM3D {bm3d['printed']} at {bm3d['psnr']:.1f} dB; X-ReCNN "
        f"{table.loc['X-ReCNN', 'printed']} at {table.loc['X-ReCNN', 'psnr']:.1f} dB",
        choice="all rows by one function",
        evidence="our patches restored to BM3D's PSNR have SSIM "
        f"{bm3d['range 1']:.3f} with range 1 and {bm3d['range 2']:.3f} with range 2, print has "
        f"{bm3d['printed']:.3f}; the networks' rows are nearest to {' or '.join(others) or 'none'}",
        verdict=verdict if decided else "undecidable",
        confidence="moderate",
    )
