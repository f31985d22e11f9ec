"""Work that is killed at random moments goes on, and ends as if nothing had happened.

The long run (`pytest -m long tests/structure/test_kills.py`) kills each kind thirty times and writes its
counts to figures/promises/kills.csv.
"""

from __future__ import annotations

import kills
import pandas as pd
import pytest
from paths import ROOT

from xbdcnn._common.files import atomic_path
from xbdcnn._common.provenance import provenance

RESULTS = ROOT / "figures" / "promises" / "kills.csv"


@pytest.mark.slow
@pytest.mark.parametrize("kind", kills.KINDS)
def test_a_few_kills(kind, tmp_path):
    toll = kills.kill_often(kind, tmp_path, kills=2, per_run=2, seed=0)
    assert toll.tried > 0 and toll.failed == 0, toll.failures


@pytest.mark.long
def test_many_kills(tmp_path):
    """Other moments each day that it runs; the result goes on record."""
    facts = provenance()
    seed = int(facts["time"][:10].replace("-", ""))
    tolls = [kills.kill_often(kind, tmp_path / kind, 30, 3, seed) for kind in kills.KINDS]
    for toll in tolls:
        assert toll.tried == 30 and toll.failed == 0, toll.failures
    table = pd.DataFrame(tolls).drop(columns="failures")
    table = table.assign(seed=seed, date=facts["time"][:10], commit=facts["commit"])
    with atomic_path(RESULTS) as temporary:
        table.to_csv(temporary, index=False)


def test_a_failure_is_noticed(tmp_path, monkeypatch):
    """The machinery itself: another result, and a helper that stays, both count."""
    results = iter(["whole", "other", "whole"])
    monkeypatch.setattr(kills, "finish", lambda kind, folder: (next(results), 1.0))
    monkeypatch.setattr(kills, "kill", lambda kind, folder, seconds: (True, [1]))
    (tmp_path / "run-0").mkdir()
    toll = kills.kill_often("any", tmp_path, kills=2, per_run=1, seed=0)
    assert (toll.tried, toll.failed) == (2, 3)
