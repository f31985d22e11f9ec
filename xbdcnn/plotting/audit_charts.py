"""Charts of the audit: Eq. 3, gradients of the loss terms, noise level estimates, PSNR by noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xbdcnn import paper
from xbdcnn.losses import Asymmetry, asymmetric_loss
from xbdcnn.plotting.method_styles import method_styles
from xbdcnn.plotting.style import INK, MUTED, new_figure, styled

TERM_STYLES = {
    "mse": ("MSE (Eq. 5)", "#0072B2"),
    "ssim": ("SSIM (Eq. 6)", "#D55E00"),
    "asymm": ("asymmetric (Eq. 3)", "#009E73"),
    "tv": ("total variation (Eq. 4)", "#CC79A7"),
}

READINGS: dict[Asymmetry, tuple[str, str, str]] = {
    "text": ("text: under-estimation costs more", "#0072B2", "-"),
    "equation": ("Eq. 3 as printed: over-estimation costs more", "#E69F00", "--"),
    "released": (r"released code: second zero at $l - \alpha$", "#D55E00", "-."),
}


@styled
def loss_landscape(
    true: float = 1.0,
    alpha: float = paper.ALPHA,
    reach: float = 0.8,
    ends: Mapping[Asymmetry, float] | None = None,
) -> Figure:
    """Eq. 3 for one pixel, |alpha - beta| (l_hat - l)^2, over l_hat, in its three readings.

    true: true noise level l; reach: range of the estimates on either side of it; ends: estimates
    at which gradient descent ends, by reading, marked by triangles.
    """
    figure = new_figure(6.6, 3.6, layout="constrained")
    axes = figure.subplots()
    estimates = np.linspace(true - reach, true + reach, 401)
    for reading, (label, colour, line) in READINGS.items():
        losses = [_loss_at(estimate, true, alpha, reading) for estimate in estimates]
        axes.plot(estimates, losses, line, color=colour, label=label)
    axes.axvline(true, color=MUTED, lw=0.8, zorder=1)
    axes.plot([true - alpha], [0], "o", ms=6, mfc="white", mec=READINGS["released"][1], zorder=5)
    for number, (reading, end) in enumerate((ends or {}).items()):
        # Two readings may end at the same estimate: draw the later marker smaller and on top.
        style: dict[str, Any] = {"clip_on": False, "zorder": 6, "ms": 13 - 4 * number}
        axes.plot([end], [_loss_at(end, true, alpha, reading)], "^", **style)
        axes.lines[-1].set(color=READINGS[reading][1], mec="white")
    axes.set(xlim=estimates[[0, -1]], xlabel=r"estimate $\hat{l}$", ylabel="loss per pixel")
    axes.set_xticks([true - alpha, true], [r"$l - \alpha$", "true level $l$"])
    axes.text(0.01, -0.1, "under-estimated", transform=axes.transAxes, size=8, color=MUTED)
    right: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "size": 8, "color": MUTED}
    axes.text(0.99, -0.1, "over-estimated", **right)
    axes.legend(loc="upper center", frameon=True, framealpha=1, edgecolor="white")
    axes.set_ylim(0, 1.45 * (1 - alpha) * reach**2)
    return figure


def _loss_at(estimate: float, true: float, alpha: float, reading: Asymmetry) -> float:
    pixel = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    return float(asymmetric_loss(pixel * estimate, pixel * true, alpha, reading))


@styled
def gradient_plot(norms: pd.DataFrame) -> Figure:
    """Gradient norm of each weighted term of Eq. 8 during training, one panel per recipe.

    norms: rows of `audit.loss_terms.norms_over_training` with a column `recipe`.
    """
    groups = norms.groupby("recipe", sort=False)
    figure = new_figure(8.5, 3.2, layout="constrained")
    grid = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, (recipe, rows) in zip(grid, groups, strict=True):
        for term, (label, colour) in TERM_STYLES.items():
            axes.semilogy(rows["step"], rows[term], "o-", ms=3, color=colour, label=label)
        axes.set(title=recipe, xlabel="step", ylabel="gradient norm, weighted")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


@styled
def calibration_plot(table: pd.DataFrame, methods: Sequence[str], bins: int = 8) -> Figure:
    """Estimated against true eta and sigma: patches as dots, medians as lines, quartiles shaded.

    table: from `audit.level_estimates.calibration`; methods: one row of panels each. Estimates
    above 1.25 times the upper end of the trained range are drawn there, as triangles, and counted.
    """
    figure = new_figure(7.2, 2.3 * len(methods), layout="constrained")
    grid = figure.subplots(len(methods), 2, squeeze=False, sharey="col")
    ends = {"eta": paper.ETA_RANGE, "sigma": paper.SIGMA_RANGE}
    for row, method in zip(grid, methods, strict=True):
        part = table[table["method"] == method]
        for axes, (level, (low, high)), sign in zip(row, ends.items(), "ησ", strict=True):
            true, guess = part[level], part[f"est_{level}"].clip(upper=1.25 * high)
            above = guess == 1.25 * high
            axes.plot((low, high), (low, high), color=MUTED, lw=1)
            for mark, chosen in ((".", ~above), ("^", above)):
                axes.plot(true[chosen], guess[chosen], mark, ms=2, color="#56B4E9", alpha=0.6)
            group = pd.cut(true, np.linspace(low, high, bins + 1), include_lowest=True)
            spread = guess.groupby(group, observed=True).quantile([0.25, 0.5, 0.75]).unstack()
            middle = [interval.mid for interval in spread.index]
            axes.fill_between(middle, spread[0.25], spread[0.75], color="#0072B2", alpha=0.2, lw=0)
            axes.plot(middle, spread[0.5], color="#0072B2")
            title = f"{method}, {above.sum()} off scale" if above.any() else method
            axes.set(xlabel=f"true {sign}", ylabel=f"estimated {sign}", title=title)
    return figure


@styled
def level_mismatch_plot(scores: pd.DataFrame) -> Figure:
    """PSNR against the factor by which the level maps given to the NBD overstate the noise.

    scores: from `audit.level_estimates.psnr_by_level_maps`. Solid lines: factor on the levels that
    the network estimates; dashed lines: factor on the true levels.
    """
    scores = scores[scores["fed"].str.contains(" x ")].copy()
    scores[["base", "factor"]] = scores["fed"].str.split(" x ", expand=True)
    scores["factor"] = scores["factor"].astype(float)
    means = scores.groupby(["method", "base", "factor"], sort=False)["psnr"].mean()
    figure = new_figure(6.4, 4.0, layout="constrained")
    axes = figure.subplots()
    styles = method_styles(list(dict.fromkeys(scores["method"])))
    for (method, base), curve in means.groupby(level=["method", "base"], sort=False):
        line = "-" if base == "estimated" else "--"
        factors = curve.index.get_level_values("factor")
        label = method if base == "estimated" else None
        axes.semilogx(factors, curve, ls=line, ms=4, label=label, **styles[method])
    axes.axvline(1, color=MUTED, lw=1)
    factors = sorted(scores["factor"].unique())
    axes.set_xticks(factors, [f"{factor:g}" for factor in factors])
    axes.minorticks_off()
    axes.set(xlabel="noise level given / estimated (solid) or true (dashed)", ylabel="PSNR (dB)")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def psnr_difference_map(leads: Mapping[str, pd.DataFrame]) -> Figure:
    """Lead in PSNR over another method for each (eta, sigma), one panel per method; blue is ahead.

    leads: by method, from `audit.out_of_range.mean_leads`. The frame marks the trained range.
    """
    figure = new_figure(3.2 * len(leads) + 2.4, 3.3, layout="constrained")
    grid = figure.subplots(1, len(leads), squeeze=False)[0]
    tables = {
        name: t[(t["blur"] == 0) & (t["gain"] == 1)]
        .pivot_table("lead", "sigma", "eta")
        .dropna(axis=1)  # the pair of levels at which only blur and gain vary
        for name, t in leads.items()
    }
    reach = max(float(t.abs().max().max()) for t in tables.values())
    for axes, (name, table) in zip(grid, tables.items(), strict=True):
        axes.grid(False)
        picture = axes.imshow(
            table, cmap="RdBu", aspect="auto", norm=TwoSlopeNorm(0, -reach, reach), origin="lower"
        )
        for (y, x), value in np.ndenumerate(table.to_numpy()):
            dark = abs(value) > 0.6 * reach
            text = f"{value:+.1f}" if np.isfinite(value) else ""
            axes.text(x, y, text, ha="center", va="center", size=7, color="white" if dark else INK)
        axes.set_xticks(range(table.shape[1]), [f"{eta:g}" for eta in table.columns])
        axes.set_yticks(range(table.shape[0]), [f"{sigma:g}" for sigma in table.index])
        axes.set(title=name, xlabel="η", ylabel="σ")
        _frame_trained(axes, table)
    figure.colorbar(picture, ax=grid, label="lead in PSNR (dB)", shrink=0.8)
    return figure


def _frame_trained(axes: Axes, table: pd.DataFrame) -> None:
    """Draw a frame around the cells within the trained range."""
    columns = [i for i, eta in enumerate(table.columns) if _within(eta, paper.ETA_RANGE)]
    rows = [i for i, sigma in enumerate(table.index) if _within(sigma, paper.SIGMA_RANGE)]
    x, y = min(columns) - 0.5, min(rows) - 0.5
    width, height = max(columns) + 0.5 - x, max(rows) + 0.5 - y
    axes.add_patch(Rectangle((x, y), width, height, fill=False, lw=2, ec=INK))


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


@styled
def detector_gain_plot(gains: pd.DataFrame) -> Figure:
    """Gain in PSNR over the noisy image by kind of noise, one panel per pair of levels.

    gains: from `audit.physical_noise.mean_gains`; the bars are intervals over images.
    """
    panels = gains.groupby(["eta", "sigma"], sort=False)
    figure = new_figure(8.6, 4.6, layout="constrained")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    kinds = list(dict.fromkeys(gains["noise"]))
    methods = list(dict.fromkeys(gains["method"]))
    styles = method_styles(methods)
    shifts = np.linspace(-0.32, 0.32, len(methods))
    for axes, ((eta, sigma), panel) in zip(grid, panels, strict=True):
        for shift, method in zip(shifts, methods, strict=True):
            rows = panel[panel["method"] == method].set_index("noise").loc[kinds]
            places = np.arange(len(kinds)) + shift
            axes.hlines(places, rows["gain_low"], rows["gain_high"], color=styles[method]["color"])
            axes.plot(rows["gain"], places, ls="", ms=4, label=method, **styles[method])
        axes.set(title=f"noisy PSNR of η = {eta:g}, σ = {sigma:g}", xlabel="gain in PSNR (dB)")
        axes.set_yticks(range(len(kinds)), kinds)
    grid[0].invert_yaxis()
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
