"""Complete training runs of several budgets: which belong together, and what a budget brings."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from xbdcnn.inference.weights import read_weights, shipped_path
from xbdcnn.inference.zoo import ZOO
from xbdcnn.study.budget_gains import extrapolate, extrapolations, gains_per_doubling
from xbdcnn.study.budgets import budget_table, complete_runs, learning_curve
from xbdcnn.study.seeds.rows import SeedRows, add_rows, settings_label
from xbdcnn.study.series import BUDGET
from xbdcnn.training.batches import stored_config
from xbdcnn.training.cost import StepCost

WRITTEN = ZOO["xbdcnn-as-written"]
DATA = "8556a5"


def write_trials(folder, name, scores, budget=BUDGET):
    """Write the trials (label, seed): score of a series, at a budget."""
    rows = [{"trial": label, "seed": s, "val_psnr": v} for (label, s), v in scores.items()]
    pd.DataFrame(rows).to_csv(folder / f"trials_{name}.csv", index=False)
    facts = {"budget": asdict(budget), "data_sha256": DATA}
    (folder / f"trials_{name}.json").write_text(json.dumps(facts))


def write_seeds(folder, patches, scores, **changes):
    """Write runs of X-BDCNN as written at half width: score by seed."""
    run = {"network": "xbdcnn-as-written", "width": 32, "patches": patches}
    budget = asdict(replace(BUDGET, patches=patches, validate_every=500, **changes))
    del budget["seed"]
    known = {"recipe": asdict(replace(WRITTEN.recipe, width=32)), "budget": budget}
    settings = json.loads(json.dumps({settings_label(*run.values()): known}))
    trained = pd.DataFrame([run | {"seed": s, "val_psnr": v} for s, v in scores.items()])
    conditions = {"data_sha256": DATA, "cases": {}}
    rows = SeedRows(trained.drop(columns="val_psnr"), pd.DataFrame(columns=list(trained)), trained)
    add_rows(folder, rows, conditions | {"settings": settings})


def test_runs_that_differ_in_budget_only_are_compared_by_seed(tmp_path):
    """100,000 patches are 2.06 doublings of 24,000; seed 2 has no run with more patches."""
    scores = {("no SSIM loss", 0): 20.0, ("as written", 0): 37.0}
    scores |= {("as written", 1): 36.0, ("as written", 2): 30.0}
    write_trials(tmp_path, "choices", scores)
    write_seeds(tmp_path, 100_000, {0: 38.0, 1: 38.0, 5: 10.0})
    runs = complete_runs([], tmp_path)
    assert len(runs) == 7 and set(runs["width"]) == {32}
    (row,) = gains_per_doubling(runs).to_dict("records")
    assert (row["network"], row["fewer"], row["more"]) == (WRITTEN.label, 24_000, 100_000)
    assert row["gain"] == pytest.approx(1.5) and row["seeds"] == 2
    assert row["per_doubling"] == pytest.approx(1.5 / np.log2(100 / 24))
    assert row["low"] < row["per_doubling"] < row["high"]


@pytest.mark.parametrize("change", [{"batch_size": 4}, {"schedule": "step"}, {"patch_size": 128}])
def test_runs_with_another_optimiser_are_not_compared(tmp_path, change):
    write_trials(tmp_path, "choices", {("as written", 0): 37.0})
    write_seeds(tmp_path, 100_000, {0: 38.0}, **change)
    assert gains_per_doubling(complete_runs([], tmp_path)).empty


def test_a_run_in_two_series_counts_once_and_an_unknown_trial_not_at_all(tmp_path):
    write_trials(tmp_path, "choices", {("as written", 0): 37.0, ("given up", 0): 9.0})
    write_trials(tmp_path, "ablation", {(WRITTEN.label, 0): 37.0})
    runs = complete_runs([], tmp_path)
    assert runs["val_psnr"].tolist() == [37.0]


def test_of_continued_weights_only_the_first_run_is_complete(tmp_path):
    header = read_weights(shipped_path("specialist"))[1]
    (run,) = complete_runs([header], tmp_path).to_dict("records")
    first = stored_config(header["earlier"][0])
    curve = learning_curve(header)
    assert run["patches"] == first.patches < header["budget"]["patches"]
    assert run["val_psnr"] == curve.loc[curve["patches"] <= first.patches, "val_psnr"].max()


def test_learning_curves_are_counted_in_patches_of_one_size():
    header = {"curve": {"patches": [100], "val_psnr": [30.0]}, "budget": {"patch_size": 128}}
    assert learning_curve(header)["patches"].tolist() == [400]


def test_table_of_budgets_says_what_was_not_measured():
    budget, scores = {"patches": 160_000, "patch_size": 64}, {"val_psnr": 38.625}
    header = {"budget": budget, "scores": scores}
    timed = header | {"cpu_seconds": 5400.0}
    costs = {"DnCNN": StepCost(512_000_000, None), "other": StepCost(1_500_000_000, 400.0)}
    table = budget_table({"DnCNN": header, "other": timed}, costs)
    assert list(table["memory of a step"]) == ["512 MB", "1.5 GB"]
    assert list(table["patches/s of a CPU core"]) == ["not recorded", "30"]
    assert list(table["core hours (CPU)"]) == ["not recorded", "1.50"]
    assert list(table["GPU hours"]) == ["not measured", "0.11"]
    assert set(table["% of the paper's pixels"]) == {"0.45"}
    assert table.loc["DnCNN", "patches"] == "160,000 of 64 × 64"


def saturating(patches, exponent=0.5, loss=0.3, scatter=0.05, seed=0):
    """39.5 dB - `loss` (patches / 400,000)^-exponent, and scatter between seeds."""
    noise = np.random.default_rng(seed).normal(0, scatter, len(patches))
    return 39.5 - loss * (patches / 400e3) ** -exponent + noise


def test_power_law_is_recovered_from_exact_values():
    patches = np.array([25e3, 50e3, 100e3, 200e3, 400e3])
    found = extrapolate(patches, saturating(patches, scatter=0), factor=10)
    assert found.exponent == pytest.approx(0.5)
    for value in (found.gain, found.low, found.high):
        assert value == pytest.approx(0.3 * (1 - 10**-0.5), abs=1e-6)


def test_interval_of_the_extrapolation_covers_the_true_gain():
    patches = np.repeat([24e3, 100e3, 400e3], 3)
    true = 0.3 * (1 - 10**-0.5)
    found = [extrapolate(patches, saturating(patches, seed=seed), 10) for seed in range(100)]
    covered = np.mean([one.low <= true <= one.high for one in found])
    widths = [one.high - one.low for one in found]
    assert covered >= 0.93 and np.median(widths) < 0.6


def test_nothing_is_extrapolated_from_two_budgets_or_without_scatter():
    two, three = np.repeat([24e3, 100e3], 5), np.array([24e3, 100e3, 400e3])
    assert extrapolate(two, saturating(two), 10) is None
    assert extrapolate(three, saturating(three), 10) is None


def test_extrapolation_needs_runs_that_belong_together(tmp_path):
    write_trials(tmp_path, "choices", {("as written", 0): 37.0, ("as written", 1): 37.1})
    write_seeds(tmp_path, 100_000, {0: 38.0, 1: 38.1})
    assert extrapolations(complete_runs([], tmp_path)).empty
    write_seeds(tmp_path, 400_000, {0: 38.5, 1: 38.6})
    (row,) = extrapolations(complete_runs([], tmp_path)).to_dict("records")
    assert (row["largest"], row["budgets"], row["runs"]) == (400_000, 3, 6)
    assert 0 < row["low"] < row["gain"] < row["high"]
