"""Paired comparisons of methods: the best one, and the order of the methods in the paper."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pandas as pd

from xbdcnn.inference.zoo import ZOO
from xbdcnn.study.scoring import BEFORE
from xbdcnn.study.statistics import paired_differences, summarise

TRAINED_LONGER = [entry.label for entry in ZOO.values() if entry.budget_factor > 1]
"""Networks trained on more patches than the others; the order of the paper excludes them."""


class BestMethod(NamedTuple):
    """The best method by mean PSNR, and the methods that may be equally good."""

    best: str
    psnr: float
    ties: list[str]
    """Methods whose paired difference to the best has an interval that includes zero."""


def best_method(results: pd.DataFrame) -> BestMethod:
    """Find the best method by mean PSNR, and the methods that do not differ significantly from it.

    results: rows of `scoring.evaluate`, at least two methods on the same cases.
    """
    summary = summarise(results)
    best = summary.loc[summary["psnr"].idxmax()]
    rivals = paired_differences(results, best["method"])
    ties = rivals.loc[~(rivals["psnr_high"] < 0), "method"]
    return BestMethod(best["method"], float(best["psnr"]), ties.tolist())


def clear_winners(results: pd.DataFrame, by: Sequence[str] = ()) -> set[tuple]:
    """Return (*values of `by`, method) for each group in which one method beats all others.

    Every paired interval against the winner has to exclude zero.
    """
    groups = results.groupby(list(by), sort=False) if by else [((), results)]
    outcomes = {key: best_method(group) for key, group in groups}
    return {(*key, outcome.best) for key, outcome in outcomes.items() if not outcome.ties}


def adjacent_leads(results: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Compare each method with the next lower one in the paper's order by corrected PSNR.

    Args:
        results: rows of `scoring.evaluate`.
        table: summary of `results` from `tables.table_1`, or one cell of `tables.table_2`.

    Returns:
        One row per pair: above, below, paper and ours (leads in dB), low and high (paired 95 %
        interval of ours).
    """
    excluded = {BEFORE, *TRAINED_LONGER}
    rows = table[~table["method"].isin(excluded)].set_index("method")["corrected_psnr"]
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
    """Apply `adjacent_leads` to each cell of Table II; the columns of `cell` are appended."""
    parts = dict(list(results.groupby(list(cell), sort=False)))
    return pd.concat(
        adjacent_leads(parts[level], rows).assign(**dict(zip(cell, level, strict=True)))
        for level, rows in table.groupby(list(cell), sort=False)
    )


def ordering_sentence(leads: pd.DataFrame) -> str:
    """State in one or two sentences whether the order of the paper is reproduced."""
    if leads.empty:
        return "The paper's ordering cannot be checked: fewer than two of its methods are present."
    kept, significant = int((leads["ours"] > 0).sum()), int((leads["low"] > 0).sum())
    reversed_ = int((leads["high"] < 0).sum())
    answer = "is reproduced" if kept == len(leads) else "is NOT fully reproduced"
    return (
        f"The paper's ordering {answer}: {kept} of {len(leads)} adjacent pairs keep their order "
        f"({significant} with an interval above zero); {reversed_} are reversed with an interval "
        "below zero."
    )
