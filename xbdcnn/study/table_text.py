"""Tables I and II as text: their main columns, rounded, and the escapes of LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

CELL_COLUMNS = ["eta", "sigma"]
"""Columns that identify a cell of Table II."""


def latex_text(text: str) -> str:
    """Escape the characters of a plain text that have a meaning in LaTeX."""
    commands = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return re.sub(r"[\\&%$#_{}~^]", lambda m: commands.get(m[0], f"\\{m[0]}"), text)


def readable(table: pd.DataFrame, best: str = "{}") -> pd.DataFrame:
    """Return the main columns as rounded text, with intervals in brackets.

    best: format of the PSNR of a method that is clearly the best, e.g. "**{}**".
    """
    columns: dict[str, Any] = {
        name: table[name] for name in [*CELL_COLUMNS, "method"] if name in table
    }
    if "told" in table:
        columns["told"] = table["told"].fillna("–")
        columns["% of the paper's pixels"] = table["paper_pixels_percent"].map(_number(2))
    columns["paper PSNR printed"] = table["printed_psnr"].map(_number(2))
    columns["paper PSNR corrected"] = table["corrected_psnr"].map(_number(2))
    ours = zip(_with_interval(table, "psnr", 2), table["clearly_best"], strict=True)
    columns["our PSNR"] = [best.format(text) if clear else text for text, clear in ours]
    columns["our SNR"] = table["snr"].map(_number(2))
    if "gain" in table:
        columns["our gain"] = table["gain"].map(_number(2))
    columns["paper SSIM"] = table["printed_ssim"].map(_number(4))
    columns["our SSIM"] = table["ssim"].map(_number(4))
    columns["our SSIM, range 2"] = table["ssim_range_2"].map(_number(4))
    columns["seconds"] = table["seconds"].map(_number(3))
    return pd.DataFrame(columns)


def _with_interval(table: pd.DataFrame, name: str, digits: int) -> list[str]:
    number = _number(digits)
    rows = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
    return [
        number(mean) + ("" if pd.isna(low) else f" [{number(low)}, {number(high)}]")
        for mean, low, high in rows
    ]


def _number(digits: int) -> Callable[[float], str]:
    return lambda value: "–" if pd.isna(value) else f"{value:.{digits}f}"
