"""Charts of audit measurements: printed columns, SSIM, choices, level errors, robustness, draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from xbdcnn import paper
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.plotting.method_styles import method_styles
from xbdcnn.plotting.style import ACCENT, INK, MUTED, new_figure, styled


@styled
def psnr_snr_gap_plot(rms: Sequence[float]) -> Figure:
    """PSNR minus SNR of every printed row; a negative difference is impossible.

    rms: root mean squares of radiographs in grey levels. Their differences, 20 log10(255 / rms),
    are drawn as ticks, and again with the sign that exchanged columns would give.
    """
    rows = {f"Table I: {name}": [scores] for name, scores in paper.TABLE_1.items()}
    for name in ("DnCNN", "X-ReCNN", "X-BDCNN"):
        rows[f"Table II: {name}"] = [cell[name] for cell in paper.TABLE_2.values()]
    figure = new_figure(7.2, 0.26 * len(rows) + 1.0, layout="constrained")
    axes = figure.subplots()
    for y, scores in enumerate(reversed(rows.values())):
        gaps = [cell.psnr - cell.snr for cell in scores]
        axes.plot(gaps, np.full(len(gaps), y), "o", ms=5, color="#D55E00" if gaps[0] < 0 else INK)
    real = 20 * np.log10(GREY_LEVELS / np.asarray(rms))
    for differences, colour in ((real, "#0072B2"), (-real, MUTED)):
        axes.plot(differences, np.full(len(differences), -1.0), "|", ms=9, color=colour)
    axes.axvspan(-7, 0, color=ACCENT, alpha=0.12, lw=0)
    axes.text(-6.8, len(rows) - 0.4, "impossible", size=8, color=MUTED, va="bottom")
    axes.set_yticks(range(-1, len(rows)), ["our test images", *reversed(rows)])
    axes.set(xlim=(-7, 7), ylim=(-1.6, len(rows) + 0.3), xlabel="PSNR − SNR as printed (dB)")
    return figure


@styled
def convention_plot(means: pd.Series, printed: float) -> Figure:
    """Mean SSIM of the same images by convention; the line is the printed value."""
    figure = new_figure(7.0, 0.27 * len(means) + 0.8, layout="constrained")
    axes = figure.subplots()
    places = range(len(means))[::-1]
    axes.axvline(printed, color="#D55E00", lw=1.2)
    axes.hlines(places, 0, means, color="#56B4E9", lw=2)
    axes.plot(means, places, "o", ms=6, color="#0072B2")
    for y, value in zip(places, means, strict=True):
        axes.text(value + 0.02, y, f"{value:.2f}", va="center", size=8)
    axes.set_yticks(places, means.index)
    axes.set(xlim=(0, 1.1), xlabel=f"SSIM of noisy patches; line: {printed:.2f}, as printed")
    return figure


@styled
def choices_plot(table: pd.DataFrame, score: str = "PSNR (dB)", reference: str = "") -> Figure:
    """Effect of changed recipe choices with intervals; diamonds: trained at full width.

    table: from `audit.recipe_choices.effects_at_both_widths`, or from `trials.effects` without
    networks of full width; reference: name of the recipe from which each row differs.
    """
    figure = new_figure(7.4, 0.27 * len(table) + 1.1, layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=MUTED, lw=1)
    places = range(len(table))[::-1]
    axes.hlines(places, table["low"], table["high"], color="#0072B2", lw=2)
    seeds = table["seeds"].max()
    runs = f"mean of {seeds} seeds, 95 % interval" if seeds > 1 else "1 seed"
    label = f"half width, short training, {runs}"
    axes.plot(table["effect"], places, "o", ms=5.5, color="#0072B2", label=label)
    if "full_width" in table:
        style: dict[str, Any] = {"ms": 6.5, "mfc": "none", "mec": "#D55E00", "mew": 1.4}
        label = "full width, full training, 1 seed"
        axes.plot(table["full_width"], places, "D", label=label, **style)
    axes.set_yticks(places, table["trial"])
    axes.set(xlabel=f"change of {score} against {reference!r}" if reference else score)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def seed_effects_plot(effects: pd.DataFrame, names: Mapping[tuple[str, str], str]) -> Figure:
    """Difference in PSNR of each pair of networks: Table I, and the cells of Table II.

    effects: rows of one width from `seeds.effects.seed_effects`, with 95 % intervals over seeds and
    images; names: title of each pair of network and reference. Pairs without rows are left out.
    """
    psnr = effects[
        (effects["score"] == "psnr") & (effects["eta"].notna() | (effects["table"] == 1))
    ]
    found = dict(iter(psnr.groupby(["network", "reference"])))
    pairs = [pair for pair in names if pair in found]
    figure = new_figure(2.3 * len(pairs) + 1.2, 3.4, layout="constrained")
    panels = figure.subplots(1, len(pairs), sharex=True, sharey=True, squeeze=False)[0]
    for axes, pair in zip(panels, pairs, strict=True):
        rows = found[pair]
        places = range(len(rows))[::-1]
        axes.axvline(0, color=MUTED, lw=1)
        axes.hlines(places, rows["low"], rows["high"], color="#0072B2", lw=2)
        axes.plot(rows["effect"], places, "o", ms=5, color="#0072B2")
        axes.set_yticks(places, [_place_in_tables(row) for row in rows.to_dict("records")])
        axes.set(title=names[pair], xlabel="difference in PSNR (dB)")
    return figure


def _place_in_tables(row: Mapping[str, Any]) -> str:
    """Name a row of `seed_effects`: Table I, or the levels of a cell of Table II."""
    return "Table I" if row["table"] == 1 else f"η {row['eta']:g}, σ {row['sigma']:g}"


@styled
def level_error_plot(errors: Mapping[str, pd.DataFrame]) -> Figure:
    """Bias and RMSE of the estimated total noise, one column of panels per quantity.

    errors: by the name of a quantity, rows of `audit.level_estimates.error_statistics` for `total`,
    with columns `method` and `place`, the centre of a bin of that quantity.
    """
    figure = new_figure(8.6, 5.0, layout="constrained")
    grid = figure.subplots(2, len(errors), sharex="col", sharey="row", squeeze=False)
    methods = list(dict.fromkeys(next(iter(errors.values()))["method"]))
    styles = method_styles(methods)
    for column, (quantity, table) in zip(grid.T, errors.items(), strict=True):
        for axes, name in zip(column, ("bias", "rmse"), strict=True):
            for method, rows in table.groupby("method", sort=False):
                axes.plot(rows["place"], rows[name], ms=4, label=method, **styles[method])
        column[0].axhline(0, color=MUTED, lw=1)
        column[1].set(xlabel=quantity, yscale="log")
        column[1].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    grid[0, 0].set_ylabel("bias (grey levels)")
    grid[1, 0].set_ylabel("RMSE (grey levels)")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@styled
def correlation_plot(rows: pd.DataFrame) -> Figure:
    """PSNR of every method against the blur of the noise, and against the detector gain.

    rows: from `audit.out_of_range.evaluate_conditions`; drawn for the one pair of levels at which
    blur and gain were varied.
    """
    odd = rows[(rows["blur"] > 0) | (rows["gain"] != 1)]
    eta, sigma = odd[["eta", "sigma"]].iloc[0]
    here = rows[(rows["eta"] == eta) & (rows["sigma"] == sigma)]
    figure = new_figure(8.2, 3.4, layout="constrained")
    grid = figure.subplots(1, 2, sharey=True)
    styles = method_styles(list(dict.fromkeys(rows["method"])))
    parts = {"blur": here[here["gain"] == 1], "gain": here[here["blur"] == 0]}
    titles = {"blur": "blur of the noise (pixels)", "gain": "detector gain, unknown to the method"}
    for axes, (name, part) in zip(grid, parts.items(), strict=True):
        means = part.groupby(["method", name], sort=False)["psnr"].mean()
        for method, curve in means.groupby(level="method", sort=False):
            curve = curve.droplevel("method").sort_index()
            axes.plot(curve.index, curve, ms=4, label=method, **styles[method])
        axes.set_xlabel(titles[name])
    grid[0].set_ylabel(f"PSNR (dB) at η = {eta:g}, σ = {sigma:g}")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


@styled
def draws_plot(draws: Mapping[str, pd.DataFrame], marks: Mapping[str, pd.Series]) -> Figure:
    """Distribution of the mean gain of groups of radiographs, one panel per noise level.

    draws: by label, mean gains in dB, one row per group and one column per (eta, sigma). marks: by
    label, single gains in dB by (eta, sigma), drawn as vertical lines.
    """
    cells = list(next(iter(draws.values())))
    figure = new_figure(8.6, 2.9, layout="constrained")
    row = figure.subplots(1, len(cells), sharey=True, squeeze=False)[0]
    for axes, cell in zip(row, cells, strict=True):
        for (label, gains), colour in zip(draws.items(), ("#56B4E9", "#0072B2"), strict=False):
            style = {"histtype": "stepfilled", "density": True, "alpha": 0.5, "color": colour}
            axes.hist(gains[cell], bins=40, label=label, **style)
        for (label, gain), colour in zip(marks.items(), (INK, "#D55E00", MUTED), strict=False):
            axes.axvline(gain[cell], color=colour, lw=1.6, label=label)
        axes.set(yticks=[], xlabel="mean gain in PSNR (dB)")
        axes.set_title(f"η = {cell[0]:g}, σ = {cell[1]:g}", size=9, loc="left")
    row[0].set_ylabel("share of the draws")
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure
