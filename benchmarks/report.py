"""Report of a benchmark: a table of formatted text, and a Markdown page."""

from __future__ import annotations

from typing import Any

import pandas as pd

ROOFLINE_CAPTION = "Arithmetic rate against arithmetic intensity, and the limits of the machine."

PAGE = """\
# Speed

Written by `python -m benchmarks`{quick}: {rounds} interleaved rounds in one run on {machine},
{threads} threads, {units} PyTorch {torch}, {date}, commit {commit}. {gpu}

![{roofline}](benchmark.png)

*{roofline}* Left of the bend the rate is limited by the memory bandwidth, right of it by the
fastest matrix product of the same precision, measured in the same rounds. Filled: this package;
open: the reference implementation. Of the networks only X-BDCNN is shown.

{table}

*Median* and *quartiles* are taken over the rounds. *Speed-up* is relative to the reference
implementation, which is written in the way of published code and timed in the same rounds: float32,
NCHW, noise by NumPy for one sample at a time, SSIM by 2-D convolutions, images in one piece.
*Inference* is that of X-BDCNN unless another method is named; a successor's includes its level
estimator. *Of the limit* is the arithmetic rate as a share of that of a matrix product of the same
precision, computed as a product or as a 1 x 1 convolution, whichever is faster; convolutions whose
operands are in the cache can exceed it. Large images are divided into tiles, whose overlap takes
time but is not counted as arithmetic. Seconds depend on the machine and its load, ratios less.
"""


def markdown_page(table: pd.DataFrame, facts: dict[str, Any]) -> str:
    """Return the Markdown page of a benchmark: machine, roofline plot, table and explanations.

    table: from `timing.summarise`; facts: content of benchmark.json.
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
        gpu=f"GPU: {facts['gpu']}." if facts["gpu"] else "GPUs were not measured.",
        roofline=ROOFLINE_CAPTION,
        table=readable_table(table).to_markdown(index=False, disable_numparse=True),
    )


def readable_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the main columns of the table as formatted text."""

    def formatted(column: str, form: str) -> pd.Series:
        return table[column].map(lambda x: "–" if pd.isna(x) else form.format(x))

    per_second = formatted("per_second", "{:.3g} ") + table["unit"]
    return pd.DataFrame(
        {
            "task": table["name"],
            "variant": table["variant"],
            "median": formatted("seconds", "{:.3g} s"),
            "quartiles": formatted("low", "{:.3g} – ") + formatted("high", "{:.3g} s"),
            "per second": per_second.where(table["unit"] != "", "–"),
            "speed-up": formatted("speedup", "{:.2f} x"),
            "GFLOP/s": formatted("gflops", "{:.0f}"),
            "of the limit": formatted("fraction", "{:.0%}"),
        }
    )
