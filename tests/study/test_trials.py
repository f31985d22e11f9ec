"""Series of short training runs: equal budgets, one change each, one row per trial and seed."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace

import pandas as pd
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import find_source
from xbdcnn.models import BALANCED, FAIREST
from xbdcnn.study.results import table
from xbdcnn.study.series import BUDGET, PAPER_RATES, SERIES, WIDTH, Trial
from xbdcnn.study.trials import effects, run_series
from xbdcnn.training import loop

TINY = replace(BUDGET, patches=8, patch_size=16, batch_size=4, validate_every=1, precision="no")
ALL = [trial for series in SERIES.values() for trial in series]


@pytest.mark.parametrize("trial", ALL, ids=lambda trial: trial.label)
def test_every_trial_is_trained_on_the_same_number_of_pixels(trial):
    _, config = trial.settings(BUDGET, seed=3)
    assert config.seed == 3
    assert config.patches * config.patch_size**2 == BUDGET.patches * BUDGET.patch_size**2


def test_labels_are_unique_within_a_series():
    for series in SERIES.values():
        assert len({trial.label for trial in series}) == len(series)


def different(first: Trial, second: Trial) -> set[str]:
    """Fields of recipe and configuration in which two trials differ."""
    pairs = zip(first.settings(BUDGET, 0), second.settings(BUDGET, 0), strict=True)
    both = [(asdict(old), asdict(new)) for old, new in pairs]
    return {key for old, new in both for key in old if old[key] != new[key]}


def test_each_choice_changes_only_the_named_fields():
    first, *others = SERIES["choices"]
    assert not first.recipe and not first.config
    for trial in others:
        if trial.network == first.network:
            assert different(first, trial) == set(trial.recipe) != set()


def test_each_recipe_trial_changes_weights_or_one_other_choice():
    first, *others = SERIES["recipe"]
    for trial in others:
        changed = different(first, trial) - {"patches"}
        together = trial.label.startswith("best") or trial.label == "MSE relative to the noise"
        assert together or len(changed) == 1 or changed == {"patch_size", "batch_size"}


def test_the_best_network_has_the_recipe_that_the_search_ended_with():
    chosen, *_ = [trial for trial in SERIES["recipe"] if not trial.recipe]
    assert chosen.settings(BUDGET, 0)[0].loss_weights == BALANCED.loss_weights


def test_each_ablation_changes_one_field():
    full, *ablations = SERIES["ablation"]
    assert [different(full, trial) for trial in ablations] == [{"loss_weights"}, {"use_nle"}]


def test_each_successor_trial_changes_one_choice():
    first, *others = SERIES["successor"]
    assert all(len(different(first, trial)) == 1 for trial in others)


def test_each_reading_changes_what_its_label_says():
    first, *others = SERIES["reading"]
    assert first.network == "xbdcnn-as-written" and not first.recipe and first.config == PAPER_RATES
    words = {
        "loss_scale": "0-255",
        "level_scaling": "equal units|grey-level maps",
        "schedule": "cosine",
        "learning_rates": "cosine",
        "clip_norm": "clipped",
        "reduction": "means",
        "tv_reduction": "means",
    }
    for trial in others:
        expected = {key for key, word in words.items() if re.search(word, trial.label)}
        assert expected and different(first, trial) == expected
    assert first.settings(BUDGET, 0)[0].loss_scale == 1.0


def test_readings_are_trained_as_long_as_their_decision_needs():
    """At least 20,000 patches of 64 x 64 at half width by default."""
    for trial in SERIES["reading"]:
        recipe, config = trial.settings(BUDGET, 0)
        assert config.patches >= 20_000 and config.patch_size == 64 and recipe.width == 32


def test_dncnn_trials_change_only_the_optimiser():
    """One choice each, but one that combines two others."""
    first, *others = SERIES["dncnn"]
    assert not first.recipe and not first.config
    changed = {trial.label: different(first, trial) for trial in others}
    assert set().union(*changed.values()) == {"ema", "clip_norm", "batch_size", "learning_rates"}
    assert [label for label, choices in changed.items() if len(choices) > 1] == [
        "8 per step, averaged weights"
    ]


def test_choices_cover_the_difference_between_text_and_released_code():
    """Every field in which the two recipes differ is also changed by itself."""
    first, *others = SERIES["choices"]
    changed = set().union(*(trial.recipe for trial in others))
    assert different(first, others[-1]) <= changed


@pytest.mark.slow
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
    assert facts["seeds"] == [0, 1] and facts["arithmetic"] == "fp32"
    assert {"commit", "data_sha256"} <= facts.keys()
    monkeypatch.setattr(loop, "train_step", None)  # a finished training takes no step
    again = run_series(*arguments, seeds=(0, 1), budget=TINY, progress=False)
    pd.testing.assert_frame_equal(again, table)


def test_effects_are_paired_by_seed():
    rows = [("base", 0, 30.0), ("base", 1, 40.0), ("better", 0, 30.4), ("better", 1, 40.6)]
    table = pd.DataFrame(rows, columns=["trial", "seed", "val_psnr"])
    (row,) = effects(table).to_dict("records")
    assert row["trial"] == "better" and row["seeds"] == 2
    assert row["effect"] == pytest.approx(0.5)
    assert row["low"] == pytest.approx(0.5 - 12.706 * 0.1, abs=1e-3)
    # The mean is five times its standard error: p of Student's t with one degree of freedom.
    assert row["p"] == pytest.approx(0.1257, abs=1e-4)
    (once,) = effects(table[table["seed"] == 0]).to_dict("records")
    assert pd.isna(once["low"]) and pd.isna(once["p"])


def test_unknown_series_lists_the_names(tmp_path):
    with pytest.raises(XbdcnnError, match="recipe, ablation, choices"):
        run_series("colour", find_source("builtin"), tmp_path, tmp_path)


def test_the_fairest_reading_is_the_trial_with_the_highest_psnr_on_file():
    best = table("trials_reading").groupby("trial")["val_psnr"].mean().idxmax()
    (trial,) = [trial for trial in SERIES["reading"] if trial.label == best]
    recipe, config = trial.settings(BUDGET, seed=0)
    assert recipe == replace(FAIREST, width=WIDTH)
    assert config == replace(BUDGET, seed=0)
