"""The row of BM3D in Table I: its gain, and the wrong sigma that may explain it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from xbdcnn import paper
from xbdcnn.baselines.classical import averaged_sigma, bm3d_denoise
from xbdcnn.study.audit.ledger import Finding, measured
from xbdcnn.study.scoring import BEFORE, Case, noisy_image, score

Table1 = dict[str, paper.Scores]

AVERAGED, ELECTRONIC, FIXED = "averaged sigma", "sigma of Eq. 1", "equal sigma"
"""Rules by which BM3D is told a sigma: a factor of `averaged_sigma`, of sigma in Eq. 1 (without the
quantum noise), or the same number of grey levels for every patch."""

TOLD = (
    *((AVERAGED, factor) for factor in (0.5, 0.6, 0.7, 0.8, 1.0, 2.0, 4.0, 8.0, 16.0)),
    (ELECTRONIC, 1.0),
    *((FIXED, levels) for levels in (10.0, 20.0, 30.0)),
)
"""Rule and factor, or grey levels, of each sigma that BM3D is told."""

NEAR = 0.02
"""Largest difference of two SSIMs that are taken as equal."""

ALMOST_NO_QUANTA = 1e12
"""Photons per grey level at which `averaged_sigma` is the sigma that it is given."""


def told_sigma(rule: str, value: float, averaged: float, electronic: float) -> float:
    """Return the sigma in grey levels that BM3D is told by a rule and value of `TOLD`.

    averaged: `averaged_sigma` of the patch; electronic: its sigma in Eq. 1; both in grey levels.
    """
    return value * {AVERAGED: averaged, ELECTRONIC: electronic, FIXED: 1.0}[rule]


def evaluate_sigmas(
    cases: Sequence[Case], told: Sequence[tuple[str, float]] = TOLD, progress: bool = True
) -> pd.DataFrame:
    """Score BM3D on every case with every sigma of `told`, and the noisy image itself.

    Returns one row per case and sigma: image, eta, sigma, averaged and told_sigma (grey levels),
    rule and value (see `TOLD`; `BEFORE` and nan for the noisy image), and the scores of
    `scoring.score`. XbdcnnError if the package bm3d is not installed.
    """
    rows: list[dict[str, Any]] = []
    for case in tqdm(cases, desc="sigmas of BM3D", disable=not progress):
        noisy = noisy_image(case)
        averaged = averaged_sigma(noisy, case.eta, case.sigma)
        facts = {"image": case.image, "eta": case.eta, "sigma": case.sigma, "averaged": averaged}
        rows.append(facts | {"rule": BEFORE} | score(noisy, case.clean))
        for rule, value in told:
            sigma = told_sigma(rule, value, averaged, case.sigma)
            restored = bm3d_denoise(noisy, eta=ALMOST_NO_QUANTA, sigma=sigma)
            place = {"rule": rule, "value": value, "told_sigma": sigma}
            rows.append(facts | place | score(restored, case.clean))
    return pd.DataFrame(rows)


def means_by_sigma(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the rows of `evaluate_sigmas`: psnr in dB, ssim and ssim_range_2 by rule and value.

    `gain` is the PSNR minus that of the noisy patches, `factor` the mean ratio of the told to the
    averaged sigma.
    """
    rows = rows.assign(factor=rows["told_sigma"] / rows["averaged"])
    columns = ["factor", "psnr", "ssim", "ssim_range_2"]
    table = rows.groupby(["rule", "value"], sort=False, dropna=False)[columns].mean()
    before = table.xs(BEFORE, level="rule")["psnr"].item()
    return table.drop(index=BEFORE, level="rule").assign(gain=lambda t: t["psnr"] - before)


def sigmas_of_psnr(rows: pd.DataFrame, psnr: float) -> pd.DataFrame:
    """Interpolate the factors of the averaged sigma with which BM3D has a mean PSNR in dB.

    Returns one row per factor in increasing order, at most one below and one above that of the
    highest PSNR: factor, ssim, ssim_range_2; no row if BM3D has this PSNR with none.
    """
    table = means_by_sigma(rows).xs(AVERAGED, level="rule").sort_values("factor")
    found = []
    for (_, low), (_, high) in pairwise(table.iterrows()):
        if min(low["psnr"], high["psnr"]) <= psnr < max(low["psnr"], high["psnr"]):
            share = (psnr - low["psnr"]) / (high["psnr"] - low["psnr"])
            found.append(low + share * (high - low))
    return pd.DataFrame(found, columns=table.columns)[["factor", "ssim", "ssim_range_2"]]


def wrong_sigma(rows: pd.DataFrame, table_1: Table1 = paper.TABLE_1) -> Finding:
    """Find the sigmas with which BM3D has the printed PSNR, and whether one has the printed SSIM.

    rows: from `evaluate_sigmas`. The printed row is explained by a wrong sigma if at its PSNR the
    SSIM, with data range 1 or 2, is within `NEAR` of the printed one.
    """
    printed = table_1["BM3D"]
    found = sigmas_of_psnr(rows, printed.psnr)
    both = found[["ssim", "ssim_range_2"]]
    explained = bool(((both - printed.ssim).abs() <= NEAR).any(axis=None))
    texts = [
        f"{row.factor:.2f} times the averaged sigma (SSIM {row.ssim:.3f}, with data range 2 "
        f"{row.ssim_range_2:.3f})"
        for row in found.itertuples()
    ]
    noisy = rows.loc[rows["rule"] == BEFORE, "psnr"]
    largest = means_by_sigma(rows).xs(AVERAGED, level="rule").sort_index().iloc[-1]
    return Finding(
        point="Sigma of BM3D",
        part="our measurements",
        claim="implicitly, BM3D was given the sigma of the noise, which is not stated",
        equation=f"PSNR {printed.psnr:.1f} dB, SSIM {printed.ssim:.3f}",
        choice="the root mean square of the noise of every image, `averaged_sigma`",
        evidence=f"on {len(noisy)} patches (noisy {noisy.mean():.1f} dB) BM3D has the printed PSNR "
        f"with {' or '.join(texts) or 'no factor of the averaged sigma'}; the paper prints an SSIM "
        f"of {printed.ssim:.3f}; with {largest.name:g} times the averaged sigma, the most that "
        f"was tried, {largest['psnr']:.1f} dB; {other_rules_text(rows)}",
        # A sigma outside the search might have both.
        verdict="not stated, inferred" if explained else measured(None),
        confidence="low",
    )


def other_rules_text(rows: pd.DataFrame) -> str:
    """Describe PSNR and SSIM with the sigmas that are no factor of the averaged one."""
    table = means_by_sigma(rows).drop(index=AVERAGED, level="rule")
    texts = []
    for (rule, value), row in table.iterrows():
        name = f"{value:g} grey levels for all patches" if rule == FIXED else f"the {rule} alone"
        texts.append(f"{row['psnr']:.1f} dB and {row['ssim']:.3f} with {name}")
    return ", ".join(texts)


def gain_of_bm3d(ours: pd.Series, table_1: Table1 = paper.TABLE_1) -> Finding:
    """Compare the gain of BM3D in Table I with that of classical methods on our patches.

    ours: mean PSNR in dB by method, of `scoring.BEFORE` and of classical methods that are told the
    noise levels, e.g. from `results.table("table_1")`. It agrees if BM3D gains in print at least
    what the weakest of them gains here, within 1 dB.
    """
    gains = (ours - ours[BEFORE]).drop(BEFORE)
    printed = table_1["BM3D"].psnr - table_1[BEFORE].psnr
    return Finding(
        point="Gain of BM3D",
        part="our measurements",
        claim="BM3D represents the classical methods; the sigma that it was given is not stated",
        equation=f"BM3D gains {printed:.1f} dB in Table I",
        choice="classical methods are told eta and sigma of every image",
        evidence=f"the printed gain is {printed:.1f} dB; on our patches of random levels "
        f"{', '.join(f'{method} gains {gain:.1f} dB' for method, gain in gains.items())}",
        verdict=measured(bool(printed > gains.min() - 1.0)),
        confidence="moderate",
    )
