"""Comparisons of methods on synthetic results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xbdcnn.study import comparison
from xbdcnn.study.comparison import (
    BestMethod,
    adjacent_leads,
    best_method,
    clear_winners,
    ordering_sentence,
)
from xbdcnn.study.scoring import BEFORE

IMAGES = np.arange(12)


def rows(method: str, psnr: np.ndarray, **levels: float) -> pd.DataFrame:
    scores = {"psnr": psnr, "snr": psnr - 4, "ssim": psnr / 50, "ssim_range_2": psnr / 45}
    names = [f"image-{i}" for i in IMAGES]
    facts = {"method": method, "image": names, "case": IMAGES, "seconds": 1.0}
    return pd.DataFrame(facts | scores | levels)


def results(**leads: float) -> pd.DataFrame:
    """Methods with given leads over a common score, which varies much more between images."""
    base = 35 + IMAGES % 5
    scatter = {name: 0.05 * np.cos(IMAGES + len(name)) for name in leads}
    return pd.concat([rows(name, base + lead + scatter[name]) for name, lead in leads.items()])


def test_a_small_but_consistent_lead_wins():
    outcome = best_method(results(first=0.3, second=0.0, third=-1.0))
    assert outcome == BestMethod("first", pytest.approx(37.0, abs=0.3), [])
    assert clear_winners(results(first=0.3, second=0.0)) == {("first",)}


def test_a_lead_within_the_scatter_is_a_tie():
    close = results(first=0.001, second=0.0, far=-2.0)
    assert best_method(close).ties == [
        name for name in ("first", "second") if name != best_method(close)[0]
    ]
    assert clear_winners(close) == set()


def test_winners_are_found_in_each_group():
    parts = [results(a=1.0, b=0.0).assign(eta=0.4), results(a=0.0, b=1.0).assign(eta=0.8)]
    together = pd.concat([part.assign(case=part["case"] + 20 * i) for i, part in enumerate(parts)])
    assert clear_winners(together, ["eta"]) == {(0.4, "a"), (0.8, "b")}


def paper_table(**psnr: float) -> pd.DataFrame:
    return pd.DataFrame({"method": list(psnr), "corrected_psnr": list(psnr.values())})


def test_adjacent_pairs_follow_the_order_of_the_paper():
    table = paper_table(low=30.0, none=np.nan, high=40.0, middle=36.0)
    table.loc[len(table)] = {"method": BEFORE, "corrected_psnr": 20.0}
    leads = adjacent_leads(results(low=0.0, middle=2.0, high=1.0, none=3.0), table)
    assert leads[["above", "below"]].to_numpy().tolist() == [["high", "middle"], ["middle", "low"]]
    assert leads["paper"].tolist() == [4.0, 6.0]
    np.testing.assert_allclose(leads["ours"], [-1.0, 2.0], atol=0.1)
    assert (leads["low"] < leads["ours"]).all() and (leads["ours"] < leads["high"]).all()
    sentence = ordering_sentence(leads)
    assert "NOT fully reproduced: 1 of 2 adjacent pairs" in sentence
    assert "(1 with an interval above zero); 1 are reversed" in sentence


def test_adjacent_pairs_in_each_cell():
    table = pd.concat(paper_table(a=40.0, b=30.0).assign(eta=eta, sigma=5.0) for eta in (0.4, 0.8))
    both = pd.concat(results(a=1.0, b=0.0).assign(eta=eta, sigma=5.0) for eta in (0.4, 0.8))
    leads = comparison.adjacent_leads_by_cell(both, table)
    assert leads["eta"].tolist() == [0.4, 0.8]
    assert "is reproduced: 2 of 2" in ordering_sentence(leads)


def test_an_order_of_one_method_cannot_be_checked():
    leads = adjacent_leads(results(a=0.0, b=0.0), paper_table(a=40.0))
    assert "cannot be checked" in ordering_sentence(leads)
