"""Who beats whom: methods compared image by image, and the paper's order put to the test."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pandas as pd

from xbdcnn.inference.zoo import ZOO
from xbdcnn.study.scoring import BEFORE
from xbdcnn.study.statistics import paired_differences, summarise

LONGER = [entry.label for entry in ZOO.values() if entry.longer > 1]
"""Networks trained on more patches than the others, which the paper's order does not compare."""


class BestMethod(NamedTuple):
    """Outcome of a comparison by PSNR: the best method, and which others may be as good."""

    best: str
    psnr: float
    ties: list[str]
    """Methods whose paired difference to the best has an interval that includes zero."""


def best_method(results: pd.DataFrame) -> BestMethod:
    """Find the best method by mean PSNR, and all that these images cannot tell apart from it.

    results: rows of `evaluation.evaluate`, at least two methods on the same cases.
    """
    summary = summarise(results)
    best = summary.loc[summary["psnr"].idxmax()]
    rivals = paired_differences(results, best["method"])
    ties = rivals.loc[~(rivals["psnr_high"] < 0), "method"]
    return BestMethod(best["method"], float(best["psnr"]), ties.tolist())


def clear_winners(results: pd.DataFrame, by: Sequence[str] = ()) -> set[tuple]:
    """Keys (*values of `by`, method) of methods that surely beat every other in their group."""
    groups = results.groupby(list(by), sort=False) if by else [((), results)]
    contests = {key: best_method(group) for key, group in groups}
    return {(*key, outcome.best) for key, outcome in contests.items() if not outcome.ties}


def adjacent_leads(results: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Each of the paper's rows against the next lower one by corrected PSNR: its lead, and ours.

    Args:
        results: rows of `evaluation.evaluate`.
        table: the same, beside the paper, from `tables.table_1` or one cell of `table_2`.

    Returns:
        One row per pair: above, below, paper and ours (leads in dB), low and high (the paired 95 %
        interval of ours).
    """
    left_out = {BEFORE, *LONGER}
    rows = table[~table["method"].isin(left_out)].set_index("method")["corrected_psnr"]
    ranked = rows.dropna().sort_values(ascending=False)
    pairs = []
    for above, below in pairwise(ranked.index):
        pair = results[results["method"].isin([above, below])]
        ours = paired_differences(pair, below).iloc[0]
        lead = {"above": above, "below": below, "paper": ranked[above] - ranked[below]}
        pairs.append(lead | {"ours": ours.psnr, "low": ours.psnr_low, "high": ours.psnr_high})
    return pd.DataFrame(pairs)


def adjacent_leads_by_cell(
    results: pd.DataFrame, table: pd.DataFrame, cell: Sequence[str] = ("eta", "sigma")
) -> pd.DataFrame:
    """`adjacent_leads` in each of Table II's cells, with the columns of `cell` appended."""
    parts = dict(list(results.groupby(list(cell), sort=False)))
    return pd.concat(
        adjacent_leads(parts[level], rows).assign(**dict(zip(cell, level, strict=True)))
        for level, rows in table.groupby(list(cell), sort=False)
    )


def ordering_sentence(leads: pd.DataFrame) -> str:
    """Say in one sentence whether the paper's order is reproduced, and how surely."""
    if leads.empty:
        return "The paper's ordering cannot be checked: fewer than two of its methods are here."
    held, sure = int((leads["ours"] > 0).sum()), int((leads["low"] > 0).sum())
    reversed_ = int((leads["high"] < 0).sum())
    answer = "is reproduced" if held == len(leads) else "is NOT fully reproduced"
    return (
        f"The paper's ordering {answer}: {held} of {len(leads)} neighbouring pairs keep their "
        f"order ({sure} with an interval above zero), {reversed_} reversed (interval below zero)."
    )
