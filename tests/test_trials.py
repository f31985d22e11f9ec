"""Series of short trainings: equal budgets, one change each, one row per trial and seed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pandas as pd
import pytest

from xbdcnn import trials
from xbdcnn.data import find_source
from xbdcnn.errors import XbdcnnError
from xbdcnn.trials import BUDGET, SERIES, Trial, run_series

TINY = replace(BUDGET, patches=8, patch_size=16, batch_size=4, validate_every=1, precision="no")
ALL = [trial for series in SERIES.values() for trial in series]


@pytest.mark.parametrize("trial", ALL, ids=lambda trial: trial.label)
def test_every_trial_spends_the_same_pixels(trial):
    _, config = trial.settings(BUDGET, seed=3)
    assert config.seed == 3
    assert config.patches * config.patch_size**2 == BUDGET.patches * BUDGET.patch_size**2


def test_labels_are_unique_within_a_series():
    for series in SERIES.values():
        assert len({trial.label for trial in series}) == len(series)


def test_each_recipe_trial_differs_from_the_first_in_what_it_names():
    first, *others = SERIES["recipe"]
    assert first == Trial("balanced")
    plain = [asdict(part) for part in first.settings(BUDGET, 0)]
    for trial in others:
        changed = [asdict(part) for part in trial.settings(BUDGET, 0)]
        different = {
            key
            for old, new in zip(plain, changed, strict=True)
            for key in old
            if old[key] != new[key]
        }
        assert different - {"patches"} == set(trial.recipe) | set(trial.config)


def test_series_is_tabulated_and_resumed(tmp_path, monkeypatch):
    small = tuple(Trial(label, recipe={"width": 4}) for label in ("one", "w/o two"))
    monkeypatch.setitem(SERIES, "small", small)
    arguments = ("small", find_source("builtin"), tmp_path / "runs", tmp_path / "out")
    table = run_series(*arguments, seeds=(0, 1), budget=TINY, progress=False)
    assert table["trial"].tolist() == ["one", "w/o two"] * 2
    assert table["seed"].tolist() == [0, 0, 1, 1]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "trials_small.csv"), table)
    facts = json.loads((tmp_path / "out" / "trials_small.json").read_text())
    assert facts["budget"]["patches"] == 8
    assert facts["seeds"] == [0, 1]
    assert {"commit", "data_sha256"} <= facts.keys()
    monkeypatch.setattr(trials, "build_network", resumed_only(trials.build_network))
    again = run_series(*arguments, seeds=(0, 1), budget=TINY, progress=False)
    pd.testing.assert_frame_equal(again, table)


def resumed_only(build):
    """Build networks that refuse to be run, so that only a finished checkpoint can pass."""

    def built(*arguments):
        network = build(*arguments)
        network.forward = None
        return network

    return built


def test_unknown_series_lists_the_names(tmp_path):
    with pytest.raises(XbdcnnError, match="recipe, ablation"):
        run_series("colour", find_source("builtin"), tmp_path, tmp_path)
