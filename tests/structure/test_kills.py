"""A job that is killed at random times resumes and gives the uninterrupted result.

The long run (`pytest -m long tests/structure/test_kills.py`) kills each kind thirty times and
writes its counts to figures/promises/kills.csv.
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
    result = kills.kill_repeatedly(kind, tmp_path, kills=2, per_run=2, seed=0)
    assert result.tried > 0 and result.failed == 0, result.failures


@pytest.mark.long
def test_many_kills(tmp_path):
    """Kill at times drawn with a seed of the day, and record the result."""
    facts = provenance()
    seed = int(facts["time"][:10].replace("-", ""))
    results = [kills.kill_repeatedly(kind, tmp_path / kind, 30, 3, seed) for kind in kills.KINDS]
    for result in results:
        assert result.tried == 30 and result.failed == 0, result.failures
    table = pd.DataFrame(results).drop(columns="failures")
    table = table.assign(seed=seed, date=facts["time"][:10], commit=facts["commit"])
    with atomic_path(RESULTS) as temporary:
        table.to_csv(temporary, index=False)


def test_failures_are_counted(tmp_path, monkeypatch):
    """Another result and a remaining child process both count as failures."""
    results = iter(["uninterrupted", "other", "uninterrupted"])
    monkeypatch.setattr(kills, "finish", lambda kind, folder: (next(results), 1.0))
    monkeypatch.setattr(kills, "kill", lambda kind, folder, seconds: (True, [1]))
    (tmp_path / "run-0").mkdir()
    result = kills.kill_repeatedly("any", tmp_path, kills=2, per_run=1, seed=0)
    assert (result.tried, result.failed) == (2, 3)
