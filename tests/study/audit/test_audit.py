"""The audit: verdicts follow from the numbers and change with them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import ship
import torch

from xbdcnn import noise, paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import find_source
from xbdcnn.inference import weights as weight_files
from xbdcnn.inference.pretrained import Pretrained, load_pretrained
from xbdcnn.inference.weights import build_network
from xbdcnn.inference.zoo import ZOO
from xbdcnn.models import AS_RELEASED, AS_WRITTEN, BALANCED, XBDCNN, Denoised
from xbdcnn.study import results
from xbdcnn.study.audit import (
    architecture,
    experiments,
    images,
    level_estimates,
    loss_terms,
    noise_model,
    out_of_range,
    printed_tables,
    recipe_choices,
    ssim_conventions,
)
from xbdcnn.study.audit.ledger import Finding, Part, Verdict, anchor, counts, ledger, write_ledger
from xbdcnn.study.scoring import Case
from xbdcnn.training.batches import TrainConfig, as_pool

PARTS = get_args(Part)


def ramp(side: int = 64) -> np.ndarray:
    return np.linspace(0.2, 0.8, side * side, dtype=np.float32).reshape(side, side)


# The noise model.


def test_eta_is_a_gain_only_if_the_cells_agree():
    assert noise_model.eta_is_a_gain().verdict == "not stated, inferred"
    mean = 130.0
    amplitude = {
        (eta, sigma): 10 * np.log10(255**2 / (eta**2 * mean + sigma**2))
        for eta, sigma in paper.TABLE_2
    }
    finding = noise_model.eta_is_a_gain(amplitude)
    assert finding.verdict == "text and code differ" and "amplitude" in finding.evidence
    uneven = {
        cell: psnr + 2 * (number % 2) for number, (cell, psnr) in enumerate(amplitude.items())
    }
    assert noise_model.eta_is_a_gain(uneven).verdict == "self-contradiction"


def test_implied_means_recover_a_known_brightness():
    cells = {
        (eta, sigma): 10 * np.log10(255**2 / (140.0 / eta + sigma**2))
        for eta, sigma in paper.TABLE_2
    }
    gain = next(iter(noise_model.READINGS))
    np.testing.assert_allclose(noise_model.implied_means(gain, cells), 140.0)


def test_nine_cells_agree_only_with_the_same_noise():
    images = [ramp(128)]
    ours = noise_model.simulated_psnr(images)
    assert noise_model.nine_cells(ours, 1, cells=ours).verdict == "our measurement agrees"
    other = {cell: psnr + 3 * cell[0] for cell, psnr in ours.items()}
    assert noise_model.nine_cells(ours, 1, cells=other).verdict == "our measurement disagrees"


# SSIM.


def test_ssim_increases_with_the_data_range():
    noisy = noise.add_hybrid_noise_numpy(ramp(), 0.6, 10.0, np.random.default_rng(0))
    scores = ssim_conventions.all_conventions(noisy, ramp())
    assert len(scores) == len(ssim_conventions.CONVENTIONS) + 1
    ranges = [scores[f"Gaussian 11, range {r}"] for r in (1, 2, 255)]
    assert ranges == sorted(ranges) and ranges[2] > 0.99


def test_the_verdict_on_ssim_depends_on_the_printed_value():
    means = pd.Series({name: 0.3 for name in ssim_conventions.CONVENTIONS})
    means["Gaussian 11, range 2"] = 0.52
    finding = ssim_conventions.before_denoising(means)
    assert finding.verdict == "not stated, inferred"
    assert "'Gaussian 11, range 2'" in finding.evidence
    assert ssim_conventions.before_denoising(means, printed=0.31).verdict == "consistent"


def test_bm3d_row_is_compared_with_patches_of_its_psnr():
    psnr = np.linspace(33, 42, 40)
    table = pd.DataFrame({"method": "a", "psnr": psnr})
    table["ssim"], table["ssim_range_2"] = 1 - np.exp(-0.06 * psnr), 1 - np.exp(-0.1 * psnr)
    assert ssim_conventions.bm3d_row(table).verdict == "our measurement disagrees"
    alike = {**paper.TABLE_1, "BM3D": paper.Scores(29.0, 34.6, 0.97, 0.152)}
    assert ssim_conventions.bm3d_row(table, alike).verdict == "our measurement agrees"
    few = ssim_conventions.bm3d_row(table[table["psnr"] > 37])
    assert few.verdict == "our measurement too weak"


# Losses and networks.


@pytest.mark.parametrize(("reading", "end"), [("text", 1.0), ("equation", 1.0), ("released", 0.7)])
def test_gradient_descent_ends_at_the_limit_of_each_reading(reading, end):
    assert loss_terms.descent_limit(reading, 1.0) == pytest.approx(end, abs=5e-3)


def test_findings_about_the_loss():
    assert loss_terms.released_weight(1.0).verdict == "text and code differ"
    assert loss_terms.printed_beta().verdict == "self-contradiction"
    assert loss_terms.scale_of_the_maps().verdict == "not stated, inferred"
    assert loss_terms.batch_factor(8).verdict == "text and code differ"
    assert "8 equal patches is 8.0 times" in loss_terms.batch_factor(8).evidence
    assert loss_terms.batch_factor(8, effect="none").effect == "none"
    assert loss_terms.loss_scale().verdict == "not stated, inferred"
    assert "the MSE term is 65,025 times as large" in loss_terms.loss_scale().evidence
    assert loss_terms.loss_scale(white=1.0).verdict == "consistent"


def test_eq_3_favours_large_eta_unless_over_estimation_costs_more():
    levels = torch.linspace(0, 1, 201)
    assert loss_terms.cheapest_constant(levels, "text") > 0.55
    assert loss_terms.cheapest_constant(levels, "equation") < 0.45
    assert loss_terms.direction_for_eta("text").verdict == "self-contradiction"
    assert loss_terms.direction_for_eta("equation").verdict == "consistent"


@pytest.mark.slow
def test_gradient_norms_are_those_of_the_weighted_terms():
    pool = as_pool([ramp(48)])
    config = TrainConfig(patches=8, patch_size=32, batch_size=4)
    recipe = replace(BALANCED, width=4)
    rows = list(loss_terms.norms_over_training(pool, recipe, config, every=1))
    assert [row["step"] for row in rows] == [0, 1]
    heavier = replace(recipe, loss_weights=tuple(2 * w for w in recipe.loss_weights))
    first = next(loss_terms.norms_over_training(pool, heavier, config, every=1))
    for term in loss_terms.TERMS:
        assert first[term] == pytest.approx(2 * rows[0][term], rel=1e-3)


def test_ssim_loss_strength_requires_different_ratios_in_the_two_recipes():
    def norms(written: float, released: float) -> pd.DataFrame:
        ratios = {"as written": written, "as released": released}
        return pd.DataFrame([{"recipe": k, "mse": 1.0, "ssim": v} for k, v in ratios.items()])

    found = loss_terms.ssim_loss_strength(norms(10.0, 0.1), "60 steps on one image")
    assert found.verdict == "text and code differ"
    assert found.evidence.endswith("60 steps on one image")
    weak = loss_terms.ssim_loss_strength(norms(10.0, 5.0), "60 steps on one image")
    assert weak.verdict == "our measurement too weak"


def test_findings_about_the_networks():
    assert architecture.counted_layers().verdict == "not stated, inferred"
    assert architecture.counted_layers(19).verdict == "text and code differ"
    assert architecture.nle_output_channels().verdict == "self-contradiction"
    assert architecture.nle_output_channels(2).verdict == "consistent"
    assert "28,642" in architecture.shared_weights().evidence
    assert architecture.output_filter().evidence.startswith("512 of 4,363,171")
    assert architecture.gigaflops(XBDCNN(replace(BALANCED, width=4)), 32) < 0.1


# Data.


def test_nearly_every_test_patch_shares_its_image_with_training_patches():
    assert images.no_sibling_probability() == pytest.approx(0.3**31, rel=0.01)


def test_training_sets_are_equal_in_size_and_contain_no_test_tile():
    rng = np.random.default_rng(0)
    tested, others = (list(rng.random((3, 256, 300))) for _ in range(2))
    sets = images.split_tiles(tested, others, seed=1, share=0.25)
    assert len(sets["patch"]) == len(sets["image"]) == 9 and len(sets["test"]) == 3
    seen = {tile.tobytes() for tile in sets["test"]}
    assert seen.isdisjoint({tile.tobytes() for tile in sets["patch"] + sets["image"]})


@pytest.mark.slow
def test_leakage_experiment_trains_both_splits(tmp_path):
    config = TrainConfig(patches=8, patch_size=16, batch_size=4, validate_every=1)
    table = images.train_both_splits(
        find_source("builtin"), config, tmp_path, (0, 1), width=4, progress=False
    )
    assert table["split"].tolist() == ["patch", "image"] * 2
    assert np.isfinite(table["psnr"]).all()
    assert images.split_leakage(table).confidence == "moderate"
    gain = table.assign(psnr=[40.0, 39.0, 40.5, 39.0])
    assert images.split_leakage(gain).verdict == "our measurement disagrees"
    alike = images.split_leakage(table.assign(psnr=[40.0, 40.0, 40.0, 40.1]))
    assert alike.verdict == "our measurement too weak"


def test_residual_noise_is_estimated():
    rng = np.random.default_rng(0)
    noisy = [(ramp(128) + rng.normal(0, s / 255, (128, 128))).astype(np.float32) for s in (1, 3)]
    np.testing.assert_allclose(images.residual_noise(noisy), [1, 3], rtol=0.1)
    found = images.noisy_ground_truth(images.residual_noise(noisy))
    assert found.verdict == "our measurement disagrees"
    clean = images.residual_noise([ramp(128)])
    assert images.noisy_ground_truth(clean).verdict == "our measurement agrees"


def test_residual_noise_of_the_test_images_is_an_experiment():
    table = experiments.EXPERIMENTS["residual"](find_source("builtin"))
    assert table["residual"].between(0.1, 5).all() and len(table) == 2


def test_grid_sampling_yields_few_distinct_levels():
    assert images.distinct_levels("grid") == 300
    assert images.discrete_levels().verdict == "text and code differ"
    corrected = replace(AS_RELEASED, level_sampling=AS_WRITTEN.level_sampling)
    assert images.discrete_levels(released=corrected).verdict == "consistent"


# Choices of the recipe.


def trainings(effect: float, scatter: float = 0.01) -> pd.DataFrame:
    """Scores of every choice, all with the same effect, over three seeds."""
    rows = [
        {"trial": trial.label, "seed": seed, "val_ssim": 0.9}
        | {f"val_{n}_rmse": np.nan if trial.label == "no NLE" else 1.0 for n in ("eta", "sigma")}
        | {"val_psnr": 36 + seed + (k > 0) * (effect + scatter * (seed - 1))}
        for seed in range(3)
        for k, trial in enumerate(recipe_choices.TRIALS)
    ]
    return pd.DataFrame(rows)


def test_four_trials_were_trained_at_full_width():
    full = recipe_choices.full_width_scores()
    assert full["trial"].tolist() == ["as written", "no SSIM loss", "no NLE", "as released"]
    assert full["seed"].nunique() == full["patches"].nunique() == full["width"].nunique() == 1


def test_an_ablation_requires_interval_and_full_width_to_agree():
    def verdict(effect: float, at_full: float, scatter: float = 0.01) -> str:
        full = trainings(at_full).query("seed == 0")
        return recipe_choices.ablation("no NLE", trainings(effect, scatter), full).verdict

    assert verdict(-0.3, -0.2) == "our measurement agrees"
    assert verdict(0.3, 0.2) == "our measurement disagrees"
    assert verdict(0.3, -0.2) == verdict(-0.3, 0.2) == "our measurement too weak"
    assert verdict(-0.3, -0.2, scatter=1.0) == "our measurement too weak"
    assert recipe_choices.ablation("no NLE", trainings(0.3), trainings(0.3)).equation.startswith(
        "PSNR -0.15"
    )


def test_effects_are_described():
    full = trainings(0.5)[lambda t: (t["seed"] == 0) & t["trial"].isin(["as written", "no NLE"])]
    text = recipe_choices.effect_text("no NLE", trainings(0.3), full)
    assert text.startswith("PSNR +0.30 dB [+0.28, +0.32] over 3 seeds at half width and +0.49 dB")
    assert "SSIM +0.0000" in text and "error of sigma" not in text
    assert "full width" not in recipe_choices.effect_text("1x1 output filter", trainings(0.3), full)
    once = trainings(0.3).query("seed == 0")
    assert "PSNR +0.29 dB (one seed)" in recipe_choices.effect_text("no NLE", once, full)
    found = [
        recipe_choices.ablation("no NLE", once, full),
        recipe_choices.released_recipe(trainings(0.3), full),
        recipe_choices.released_recipe(trainings(0.3, 1.0), full),
    ]
    weak = "our measurement too weak"
    assert [f.verdict for f in found] == [weak, "our measurement disagrees", weak]


def test_one_of_fourteen_intervals_is_not_significant_by_itself():
    # By Student's t with two degrees of freedom p is 0.024: 0.34 after Bonferroni's correction.
    effects = recipe_choices.effects_at_both_widths(trainings(0.3, 0.08), trainings(0.3))
    assert len(effects) == 14 and effects["p"].max() == pytest.approx(0.0230, abs=2e-3)
    effects.loc[1:, "p"] = 0.5
    text = recipe_choices.multiplicity_text(effects)
    assert text.startswith("1 of 14 intervals of 95 % exclude zero, 0.7 are expected")
    assert text.endswith("for 14 comparisons 0.32")
    effect = recipe_choices.effect_text("no NLE", trainings(0.3, 0.08), trainings(0.3))
    assert "over 3 seeds, not significant among 14 choices" in effect
    sure = recipe_choices.effect_text("no NLE", trainings(0.3), trainings(0.3))
    assert "not significant" not in sure


def test_the_effect_of_the_loss_scale_is_read_once_it_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    text = recipe_choices.reading_text("loss on 0-255", trainings(0.0))
    assert text.startswith("not measured") and "`xbdcnn trials reading`" in text
    psnr = {("as written", 0): 37.0, ("as written", 1): 38.0}
    psnr |= {("loss on 0-255", 0): 38.5, ("loss on 0-255", 1): 39.7}
    rows = [
        {"trial": trial, "seed": seed, "val_psnr": value, "val_ssim": 0.9}
        | {"val_eta_rmse": 0.4, "val_sigma_rmse": 5.0}
        for (trial, seed), value in psnr.items()
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "trials_reading.csv", index=False)
    text = recipe_choices.reading_text("loss on 0-255", trainings(0.0))
    assert text.startswith("PSNR +1.60 dB [+0.33, +2.87] over 2 seeds")


# Estimators.


@pytest.mark.parametrize(("eta", "sigma"), [(0.5, 5.0), (1.5, 12.0)])
def test_mean_variance_regression_recovers_the_levels(eta, sigma):
    noisy = noise.add_hybrid_noise_numpy(ramp(1024), eta, sigma, np.random.default_rng(0))
    found = level_estimates.mean_variance_estimate(noisy)
    assert found[0] == pytest.approx(eta, rel=0.1)
    assert found[1] == pytest.approx(sigma, rel=0.15)


def test_flat_images_have_infinite_eta():
    flat = np.full((64, 64), 0.5, np.float32)
    eta, sigma = level_estimates.mean_variance_estimate(flat)
    assert (eta, sigma) == (float("inf"), 0.0)


@pytest.fixture(scope="module")
def tiny() -> dict[str, Pretrained]:
    recipe = replace(BALANCED, width=4)
    network = build_network("xbdcnn", recipe).eval()
    return {"tiny": Pretrained(network, recipe, {"name": "xbdcnn"})}


CASES = [Case(f"i{k}", ramp(32), 0.5 + 0.3 * k, 4.0 * k, k) for k in range(4)]


def test_calibration_and_its_error_statistics(tiny):
    table = level_estimates.calibration(tiny, CASES)
    assert set(table["method"]) == {"tiny", "mean-variance regression", "estimate_sigma"}
    statistics = level_estimates.error_statistics(table)
    rows = statistics[statistics["method"] == "tiny"].set_index("level")
    # An untrained NLE returns the middle of the range.
    assert abs(rows.loc["eta", "slope"]) < 0.2
    assert level_estimates.nle_estimates(statistics, "tiny").verdict == "our measurement disagrees"
    perfect = table.assign(est_eta=table["eta"], est_sigma=table["sigma"])
    lost = perfect.assign(est_eta=np.where(perfect["image"] == "i0", np.inf, perfect["eta"]))
    found = level_estimates.error_statistics(lost).set_index(["method", "level"]).loc["tiny", "eta"]
    assert (found["cases"], found["rmse"], found["median error"]) == (3, 0, 0)
    good = level_estimates.error_statistics(perfect)
    assert level_estimates.nle_estimates(good, "tiny").verdict == "our measurement agrees"


def test_level_maps_are_replaced_as_named(tiny):
    table = level_estimates.psnr_by_level_maps(tiny, CASES[:2])
    assert len(table) == 2 * (2 * len(level_estimates.FACTORS) + 2)
    own = tiny["tiny"].network(torch.from_numpy(ramp(32))[None, None]).levels
    torch.testing.assert_close(level_estimates.scale_claimed_noise(own, 1.0), own)
    doubled = level_estimates.scale_claimed_noise(own, 2.0)
    torch.testing.assert_close(doubled[:, 0], own[:, 0] / 4)
    torch.testing.assert_close(doubled[:, 1], own[:, 1] * 2)
    names = {"estimated x 1": 38.0, "estimated x 2": 37.0, "estimated x 0.5": 35.0}
    rows = [
        dict(method="m", image="i", eta=1.0, sigma=1.0, fed=k, psnr=v) for k, v in names.items()
    ]
    rows.append(rows[0] | {"fed": "true x 1"})
    safer = level_estimates.over_estimation(pd.DataFrame(rows), "m")
    assert safer.verdict == "our measurement agrees"
    rows[1]["psnr"], rows[2]["psnr"] = 30.0, 37.9
    worse = level_estimates.over_estimation(pd.DataFrame(rows), "m")
    assert worse.verdict == "our measurement disagrees"


# Outside the trained range.


@pytest.mark.parametrize("blur", [0.0, 0.5, 1.0])
def test_correlated_noise_keeps_its_standard_deviation(blur):
    flat = np.full((256, 256), 0.5, np.float32)
    added = out_of_range.correlated_noise(flat, 0.6, 10.0, blur, seed=0) - flat
    assert added.std() * 255 == pytest.approx((127.5 / 0.6 + 100) ** 0.5, rel=0.03)
    neighbours = np.corrcoef(added[:, :-1].ravel(), added[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.02 if blur == 0 else neighbours > 0.2


def test_every_condition_occurs_once():
    found = out_of_range.all_conditions()
    assert len({tuple(c.values()) for c in found}) == len(found)
    assert {c["blur"] for c in found} == set(out_of_range.BLURS)
    assert {c["gain"] for c in found} == set(out_of_range.GAINS)


def test_the_lead_outside_the_trained_range_decides():
    methods = {"net": lambda f, e, s: Denoised(f), "GAT+BM3D": lambda f, e, s: Denoised(f)}
    rows = out_of_range.evaluate_conditions(methods, [ramp(32)], progress=False)
    assert len(rows) == 3 * len(out_of_range.all_conditions())
    assert out_of_range.out_of_range_lead(rows, "net").verdict == "our measurement agrees"
    broken, ours = rows.copy(), rows["method"] == "net"
    broken.loc[ours & (rows["blur"] == 1), "psnr"] -= 3
    found = out_of_range.out_of_range_lead(broken, "net")
    assert found.verdict == "our measurement too weak"
    assert "under 30 of 31 conditions, worst -3.0" in found.evidence
    broken.loc[ours & ~out_of_range.in_trained_range(rows), "psnr"] -= 3
    never = out_of_range.out_of_range_lead(broken, "net")
    assert never.verdict == "our measurement disagrees"


# Ledger and experiments.


def test_ledger_is_written_in_three_forms(tmp_path):
    findings = [architecture.shared_weights(), printed_tables.swapped_columns()]
    facts = {"profile": "quick", "data": "none", "commit": "abc"}
    table = write_ledger(findings, tmp_path / "ledger", facts)
    assert table["point"].tolist() == ["SNR and PSNR columns", "Layers of the NLE"]
    assert set(Finding.__annotations__) == set(ledger(findings))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "ledger.csv"), table)
    text = (tmp_path / "ledger.md").read_text()
    assert text.startswith("# ")
    assert "2 points: 1 self-contradiction; 1 text and code differ." in text
    assert "[SNR and PSNR columns](#snr-and-psnr-columns)" in text
    assert "\n### SNR and PSNR columns\n" in text and text.count("- **Effect:**") == 1
    parts = [text.index(f"\n## Part {n}: {part}\n") for n, part in enumerate(PARTS[:2], start=1)]
    assert parts == sorted(parts) and "Part 3" not in text
    assert all(f"- *{verdict}*: " in text for verdict in get_args(Verdict))
    assert anchor("Weight of Eq. 3, in the NLE") == "weight-of-eq-3-in-the-nle"
    assert json.loads((tmp_path / "ledger.json").read_text())["commit"] == "abc"


def test_counts_can_be_separated_although_a_verdict_contains_a_comma():
    verdicts = ["not stated, inferred", "self-contradiction", "not stated, inferred"]
    parts = counts(pd.DataFrame({"verdict": verdicts})).split("; ")
    assert parts == ["1 self-contradiction", "2 not stated, inferred"]


def test_level_errors_are_quantiles_and_travel_with_the_weights(tmp_path, monkeypatch):
    error = np.linspace(0, 1, 101)
    table = pd.DataFrame({"method": ZOO["xbdcnn"].label, "eta": 1.0, "sigma": 10.0}, index=error)
    table = table.assign(est_eta=1 + error, est_sigma=10 - 10 * error)
    errors = level_estimates.level_errors(table)
    assert errors == {ZOO["xbdcnn"].label: {"eta": 0.95, "sigma": 9.5}}
    monkeypatch.setattr(weight_files, "LEVEL_ERRORS", tmp_path / "level_errors.json")
    ship.ship_level_errors(table)
    assert load_pretrained("xbdcnn").level_error == (0.95, 9.5)
    assert load_pretrained("dncnn").level_error is None


def test_experiments_write_tables_with_provenance(tmp_path, monkeypatch):
    one = {"a": [1]}
    for name in ("levels", "out-of-range"):
        monkeypatch.setitem(experiments.EXPERIMENTS, name, lambda source: pd.DataFrame(one))
    names = ["levels", "out-of-range"]
    run = experiments.run_experiments(names, find_source("builtin"), tmp_path)
    assert run["levels"]["a"].tolist() == [1]
    assert (tmp_path / "audit_out_of_range.csv").exists()
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    assert results.table("audit_levels")["a"].tolist() == [1]
    assert results.source_line("audit_levels").startswith("built-in radiograph, commit ")
    before = results.digest()
    (tmp_path / "audit_levels.csv").write_text("a\n2\n")
    assert results.digest() != before
    with pytest.raises(XbdcnnError, match=r"audit_none\.csv: not there"):
        results.table("audit_none")
    with pytest.raises(XbdcnnError, match="unknown experiment luck"):
        experiments.run_experiments(["luck"], find_source("builtin"), tmp_path)
