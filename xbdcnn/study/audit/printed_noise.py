"""Findings from the nine noisy PSNRs of Table II: sigma, and the contrast of the images."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from xbdcnn import paper
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.audit.ledger import Finding
from xbdcnn.study.audit.printed_tables import Table2, psnr_snr_gaps

Cells = dict[tuple[float, float], float]


def fitted_lines(cells: Cells = paper.TABLE_2_NOISY_PSNR) -> pd.DataFrame:
    """MSE = m / eta + sigma^2: fit a line in 1 / eta to the cells of each printed sigma.

    cells: PSNR in dB by (eta, sigma). Returns, by printed sigma, `mean` (the slope m) and `sigma`
    (root of the intercept), both in grey levels of the 8-bit scale.
    """
    table = pd.Series(cells).rename_axis(["eta", "sigma"]).rename("psnr").reset_index()
    table["mse"] = GREY_LEVELS**2 / 10 ** (table["psnr"] / 10)
    rows = {}
    for sigma, group in table.groupby("sigma"):
        slope, intercept = np.polyfit(1 / group["eta"], group["mse"], 1)
        rows[sigma] = {"mean": slope, "sigma": math.sqrt(max(intercept, 0.0))}
    return pd.DataFrame.from_dict(rows, orient="index")


def sigma_recovered(cells: Cells = paper.TABLE_2_NOISY_PSNR) -> Finding:
    """Check whether the squared errors at each printed sigma contain noise of that sigma."""
    lines = fitted_lines(cells)
    deviation = (lines["sigma"] / lines.index - 1).abs().max()
    found = ", ".join(f"{sigma:.2f}" for sigma in lines["sigma"])
    printed = ", ".join(f"{sigma:g}" for sigma in lines.index)
    return Finding(
        point="Sigma of Table II",
        part="printed tables",
        claim="Gaussian noise of standard deviation sigma is added; its unit is not stated",
        equation=f"sigma {printed}",
        released="sigma in grey levels of the 8-bit scale (`utils`)",
        choice="the same",
        evidence="lines in 1 / eta through the squared errors of the noisy images have sigma "
        f"{found} grey levels at 1 / eta = 0 where {printed} are printed, and mean grey levels of "
        f"{lines['mean'].min():.0f} to {lines['mean'].max():.0f}",
        verdict="not stated, inferred" if deviation < 0.2 else "self-contradiction",
        confidence="high",
    )


def grey_level_spread(gap: float, cells: Cells) -> tuple[float, float, float]:
    """Root mean square, mean and standard deviation in grey levels of the images of Table II.

    gap: mean PSNR - SNR in dB, 20 log10(255 / rms); cells: noisy PSNR in dB by (eta, sigma), whose
    lines in 1 / eta have the mean as slope. The deviation is nan if the mean exceeds the rms.
    """
    rms, mean = GREY_LEVELS * 10 ** (-gap / 20), float(fitted_lines(cells)["mean"].mean())
    return rms, mean, math.sqrt(rms**2 - mean**2) if rms > mean else math.nan


def contrast_of_images(
    our_gap: float,
    our_cells: Cells,
    table_2: Table2 = paper.TABLE_2,
    cells: Cells = paper.TABLE_2_NOISY_PSNR,
) -> Finding:
    """Infer the standard deviation of the grey levels of the ten images from Table II.

    our_gap, our_cells: the same quantities of our Table II, to which the same formulas are applied.
    """
    rms, mean, deviation = grey_level_spread(float(psnr_snr_gaps(table_2).mean()), cells)
    ours = grey_level_spread(our_gap, our_cells)
    return Finding(
        point="Contrast of the ten images",
        part="printed tables",
        claim="ten radiographs, which are not published",
        equation="PSNR, SNR and the noisy PSNR of nine cells",
        choice="ten test radiographs of the ChestX-ray8 sample",
        evidence=f"an rms of {rms:.1f} and a mean of {mean:.0f} grey levels imply a standard "
        f"deviation of {deviation:.0f}; the same formulas, whose mean is too "
        f"low because of clipping, give {ours[0]:.1f}, {ours[1]:.0f} and {ours[2]:.0f} for "
        "our ten radiographs",
        verdict="not stated, inferred" if rms > mean else "self-contradiction",
        confidence="moderate",
    )
