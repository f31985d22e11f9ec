"""The results of a benchmark for people: a table of text, and one page of Markdown."""

from __future__ import annotations

from typing import Any

import pandas as pd

ROOFLINE = "Arithmetic rate against arithmetic per byte, under the machine's roof."

PAGE = """\
# Speed

Written by `xbdcnn benchmark`{quick}: {rounds} interleaved rounds in one run on {machine},
{threads} threads, {units} PyTorch {torch}, {date}, commit {commit}. {gpu}

![{roofline}](benchmark.png)

*{roofline}* Left of the bend memory bounds the rate, right of it the fastest matrix product of
the same arithmetic, measured in the same rounds. Filled: this package; open: the plain way.

{table}

*Median* and *quartiles* are over the rounds. *Over plain* compares with the way published code
does the step, in the same rounds: float32, NCHW, noise by NumPy for one sample after another, SSIM
by a convolution with one channel, a whole image at once. *Of the limit* is the share of the
machine's own matrix product in the same arithmetic, taken as a matrix or as a 1 x 1 convolution,
whichever is faster; a convolution that finds its numbers in the cache can pass it. Large images go
in tiles, whose overlap costs time and counts as no work. Seconds change with the machine and its
load; ratios hold better.
"""


def page(table: pd.DataFrame, facts: dict[str, Any]) -> str:
    """Markdown of a benchmark: the machine, the roofline, the table, and how to read it.

    table: from `timing.summarise`. facts: what benchmark.json holds.
    """
    native = facts["native_bfloat16"]
    return PAGE.format(
        quick=" --quick (small images, few rounds)" if facts["quick"] else "",
        rounds=facts["rounds"],
        machine=f"{facts['cpu']} ({facts['machine']})",
        threads=facts["threads"],
        units="bfloat16 in hardware," if native else "no bfloat16 in hardware,",
        torch=facts["versions"]["torch"],
        date=facts["time"][:10],
        commit=facts["commit"],
        gpu=f"GPU: {facts['gpu']}." if facts["gpu"] else "GPUs were not measured here.",
        roofline=ROOFLINE,
        table=readable(table).to_markdown(index=False, disable_numparse=True),
    )


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that people compare, as text."""

    def said(column: str, form: str) -> pd.Series:
        return table[column].map(lambda x: "–" if pd.isna(x) else form.format(x))

    per_second = said("per_second", "{:.3g} ") + table["unit"]
    return pd.DataFrame(
        {
            "task": table["name"],
            "variant": table["variant"],
            "median": said("seconds", "{:.3g} s"),
            "quartiles": said("low", "{:.3g} – ") + said("high", "{:.3g} s"),
            "per second": per_second.where(table["unit"] != "", "–"),
            "over plain": said("speedup", "{:.2f} x"),
            "GFLOP/s": said("gflops", "{:.0f}"),
            "of the limit": said("fraction", "{:.0%}"),
        }
    )
