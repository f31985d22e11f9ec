"""Networks trained with several seeds: their rows, and effects with intervals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.data import find_source
from xbdcnn.inference.methods import blind_method
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.inference.weights import build_network, save_weights
from xbdcnn.models import Recipe
from xbdcnn.study.profiles import get_profile
from xbdcnn.study.scoring import BEFORE, evaluate, table_1_cases, table_2_cases
from xbdcnn.study.seeds import effects, rows, runs
from xbdcnn.study.seeds.effects import seed_effects
from xbdcnn.study.seeds.rows import RUN, SeedRows, add_rows, merge, read_rows, settings_label
from xbdcnn.study.statistics import crossed_interval, student_interval

SMOKE = get_profile("smoke")
TINY = replace(runs.BUDGET, patches=8, patch_size=16, batch_size=4, validate_every=1)
FACTS = {"data": "mine", "data_sha256": "a", "cases": {"table_1": "b"}}


def facts(network: str = "dncnn", **recipe: object) -> dict:
    settings = {"recipe": {"alpha": 0.3} | recipe, "budget": {"batch_size": 16}}
    return FACTS | {"settings": {settings_label(network, 32, 100): settings}}


def made(network: str = "dncnn", seed: int = 0, psnr: float = 30.0) -> SeedRows:
    """Rows of a run without training."""
    run = dict(zip(RUN, (network, 32, 100, seed), strict=True))
    result = run | {"table": 1, "eta": np.nan, "sigma": np.nan, "image": "a", "psnr": psnr}
    level = run | {"table": 1, "level": "eta", "correlation": 0.5}
    levels = pd.DataFrame([level]) if network.startswith("xb") else pd.DataFrame(columns=RUN)
    return SeedRows(pd.DataFrame([result]), levels, pd.DataFrame([run | {"commit": "c"}]))


# Rows


def test_rows_of_other_runs_are_kept_and_those_of_the_same_run_replaced(tmp_path):
    for network, seed, psnr in (("dncnn", 0, 30), ("xbdcnn", 0, 31), ("dncnn", 1, 32)):
        add_rows(tmp_path, made(network, seed, psnr), facts(network))
    add_rows(tmp_path, made("dncnn", 0, 33), facts())
    found = read_rows(tmp_path)
    assert dict(zip(found.results["psnr"], found.results["network"], strict=True)) == {
        31: "xbdcnn",
        32: "dncnn",
        33: "dncnn",
    }
    assert len(found.trainings) == 3 and len(found.levels) == 1
    record = json.loads((tmp_path / rows.RECORD).read_text())
    assert {"commit", "versions", "time"} <= record.keys() and len(record["settings"]) == 2


def test_a_run_without_its_row_of_the_trainings_is_not_finished(tmp_path):
    add_rows(tmp_path, made(), facts())
    assert runs.has_run(tmp_path, dict(zip(RUN, ("dncnn", 32, 100, 0), strict=True)))
    (tmp_path / "seeds_trainings.csv").unlink()
    assert read_rows(tmp_path).results.empty
    assert not runs.has_run(tmp_path, dict(zip(RUN, ("dncnn", 32, 100, 0), strict=True)))
    add_rows(tmp_path, made(psnr=35), facts())
    assert read_rows(tmp_path).results["psnr"].tolist() == [35]


def test_folders_are_merged_without_runs_that_are_there(tmp_path):
    first, second, both = (tmp_path / name for name in ("first", "second", "both"))
    add_rows(first, made("dncnn", 0, 30), facts())
    add_rows(first, made("dncnn", 1, 31), facts())
    add_rows(second, made("dncnn", 1, 99), facts())
    add_rows(second, made("xbdcnn", 1, 32), facts("xbdcnn"))
    merge([first, second], both)
    assert read_rows(both).results["psnr"].tolist() == [30, 31, 32]
    merge([first], both)
    assert read_rows(both).results["psnr"].tolist() == [30, 31, 32]
    with pytest.raises(XbdcnnError, match=r"seeds_results\.json: not there"):
        merge([tmp_path / "absent"], both)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_sha256": "z"}, "rows with other data_sha256; choose another output"),
        ({"cases": {"table_1": "z"}}, "rows with other cases"),
        (
            {"settings": facts(alpha=0.2)["settings"]},
            "dncnn, width 32, 100 patches, .* other alpha",
        ),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(tmp_path, change, message):
    add_rows(tmp_path, made(), facts())
    with pytest.raises(XbdcnnError, match=message):
        add_rows(tmp_path, made(seed=1), facts() | change)
    assert len(read_rows(tmp_path).trainings) == 1


def test_a_setting_that_the_program_did_not_have_is_not_compared(tmp_path):
    add_rows(tmp_path, made(), facts())
    add_rows(tmp_path, made(seed=1), facts(loss_scale=1.0))
    assert len(read_rows(tmp_path).trainings) == 2


@pytest.mark.parametrize("name", ["seeds_results.json", "seeds_trainings.csv"])
def test_damaged_files_are_named(tmp_path, name):
    add_rows(tmp_path, made(), facts())
    (tmp_path / name).write_text("{}\n")
    with pytest.raises(XbdcnnError, match=f"{name}: damaged"):
        add_rows(tmp_path, made(seed=1), facts())


# Effects


def results_of(values: dict[str, np.ndarray], **facts: object) -> pd.DataFrame:
    """Results from (seeds, images) values by network, at two levels that differ by 2 dB."""
    return pd.DataFrame(
        dict(zip(RUN, (network, 32, 100, seed), strict=True))
        | {"table": 2, "eta": eta, "sigma": 5.0, "image": f"i{image}"}
        | {"psnr": psnr + shift, "ssim": psnr / 100}
        | facts
        for network, table in values.items()
        for (seed, image), psnr in np.ndenumerate(table)
        for eta, shift in ((0.4, 0.0), (0.6, 2.0))
    )


@pytest.fixture
def values() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    base = 36 + rng.normal(size=(5, 1)) + rng.normal(size=(1, 8))
    return {
        "xbdcnn-fairest": base,
        "xbdcnn-fairest-without-ssim": base + 0.3 + 0.1 * rng.normal(size=(5, 8)),
        "dncnn": base[:3] - 1 + 0.1 * rng.normal(size=(3, 8)),
    }


def test_effects_are_paired_by_seed_and_image(values):
    found = seed_effects(results_of(values), pd.DataFrame())
    whole = found[found["eta"].isna() & (found["score"] == "psnr")].set_index("reference")
    assert list(whole.index) == ["xbdcnn-fairest-without-ssim", "dncnn"]
    row, full = whole.loc["xbdcnn-fairest-without-ssim"], values["xbdcnn-fairest"]
    expected = crossed_interval(full - values["xbdcnn-fairest-without-ssim"])
    assert (row["effect"], row["low"], row["high"]) == pytest.approx(expected[:3])
    assert row["network_mean"] == pytest.approx(full.mean() + 1)
    assert (row["seeds"], row["images"], row["order"]) == (5, 8, "lower")
    lead = whole.loc["dncnn"]
    assert (lead["seeds"], lead["order"]) == (3, "higher") and lead["low"] > 0.8
    # The seeds differ by 1 dB, which cancels in a difference.
    assert row["high"] - row["low"] < 0.2


def test_effects_are_given_for_all_levels_together_and_for_each(values):
    found = seed_effects(results_of(values), pd.DataFrame())
    assert found.groupby("score")["eta"].apply(lambda eta: eta.isna().sum()).tolist() == [2, 2]
    assert sorted(found["eta"].dropna().unique()) == [0.4, 0.6]
    assert len(found) == 2 * 2 * 3
    ssim = found[found["score"] == "ssim"]
    assert ssim["effect"].abs().max() < 0.02


def test_only_networks_of_one_size_are_compared(values):
    first = results_of({"xbdcnn-fairest": values["xbdcnn-fairest"]})
    wider = results_of({"dncnn": values["dncnn"]}, width=64)
    longer = results_of({"dncnn": values["dncnn"]}, patches=200)
    assert seed_effects(pd.concat([first, wider, longer]), pd.DataFrame()).empty
    assert "no pair" in effects.readable(pd.DataFrame())


def test_one_seed_decides_nothing(values):
    found = seed_effects(results_of({n: v[:1] for n, v in values.items()}), pd.DataFrame())
    assert found["low"].isna().all() and (found["order"] == "undecided").all()
    assert found["effect"].notna().all()


def test_correlations_of_the_levels_are_compared_over_seeds():
    correlations = {
        "xbdcnn-fairest": [0.4, 0.5, 0.45],
        "xbdcnn-fairest-without-ssim": [0.9, 0.85, 0.9],
    }
    levels = pd.DataFrame(
        dict(zip(RUN, (network, 32, 100, seed), strict=True))
        | {"table": 1, "level": "sigma", "correlation": value}
        for network, found in correlations.items()
        for seed, value in enumerate(found)
    )
    (row,) = seed_effects(pd.DataFrame(), levels).to_dict("records")
    difference = np.subtract(*correlations.values())
    assert row["score"] == "correlation of sigma" and row["order"] == "lower"
    assert (row["low"], row["high"]) == pytest.approx(student_interval(difference))
    assert (row["effect"], row["network_mean"]) == pytest.approx((difference.mean(), 0.45))


# Runs


@pytest.fixture
def source():
    return find_source("builtin")


def test_scores_are_those_of_the_tables(tmp_path, source):
    recipe, path = Recipe(width=4), tmp_path / "a.safetensors"
    save_weights(build_network("xbdcnn", recipe), path, "xbdcnn", recipe, name="a")
    network, cases = load_pretrained(path, precision="fp32"), table_1_cases(source, SMOKE)
    found = runs.score_cases(network, cases, progress=False)
    wide = evaluate({"a": blind_method(network)}, cases, progress=False).pivot(
        index="case", columns="method", values="psnr"
    )
    np.testing.assert_allclose(found["psnr"], wide["a"])
    np.testing.assert_allclose(found["noisy_psnr"], wide[BEFORE])
    assert found["est_sigma"].between(0, 255).all()


def test_scores_are_averaged_over_the_patches_of_an_image():
    scored = pd.DataFrame({"image": ["a", "a", "b"], "eta": [0.4, 0.6, 0.4], "sigma": 5.0})
    scored = scored.assign(noisy_psnr=20.0, psnr=[30.0, 32.0, 35.0], ssim=0.9)
    patches = runs.image_means(scored.assign(table=1))
    assert patches["psnr"].tolist() == [31.0, 35.0] and patches["eta"].isna().all()
    fields = runs.image_means(scored.assign(table=2))
    assert fields["psnr"].tolist() == [30.0, 35.0, 32.0]
    assert fields["eta"].tolist() == [0.4, 0.4, 0.6]


@pytest.mark.slow
def test_runs_are_trained_scored_and_skipped_the_next_time(tmp_path, source, monkeypatch):
    names = ["xbdcnn-fairest", "dncnn"]
    arguments = (source, tmp_path / "runs", tmp_path / "out", names)
    options = {"width": 4, "budget": TINY, "profile": SMOKE, "progress": False}
    found = runs.run_seeds(*arguments, [0], **options)
    monkeypatch.setattr(runs, "train_named", None)  # trains no finished run again
    pd.testing.assert_frame_equal(runs.run_seeds(*arguments, [0], **options), found)
    with pytest.raises(TypeError):
        runs.run_seeds(*arguments, [1], **options)
    kept = read_rows(tmp_path / "out")
    assert kept.trainings[RUN].to_numpy().tolist() == [[name, 4, 8, 0] for name in names]
    weights = tmp_path / "runs" / "dncnn-4-8-0" / "dncnn.safetensors"
    last = kept.trainings.iloc[-1]
    assert last["arithmetic"] == last["scored_in"] == "fp32" and last["device"] == "cpu"
    assert last["sha256"] == sha256_of(weights) and last["data_sha256"] == source.fingerprint
    assert load_pretrained(weights).network.residual[0].out_channels == 4
    fields = len(table_2_cases(source, SMOKE))
    images = len({case.image for case in table_1_cases(source, SMOKE)})
    assert kept.results["table"].value_counts().to_dict() == {1: 2 * images, 2: 2 * fields}
    assert set(kept.levels["network"]) == {"xbdcnn-fairest"}
    assert set(kept.levels["level"]) == {"eta", "sigma"}
    on_file = pd.read_csv(tmp_path / "out" / "seeds_effects.csv")
    assert on_file["reference"].unique() == ["dncnn"] and len(on_file) == len(found)


def test_networks_without_a_width_are_refused(tmp_path, source):
    with pytest.raises(XbdcnnError, match="'tiny' has no width; choose from dncnn"):
        runs.run_seeds(source, tmp_path, tmp_path, ["tiny"], profile=SMOKE)


def test_a_changed_recipe_is_noticed_before_anything_is_trained(tmp_path, source, monkeypatch):
    cases = {1: table_1_cases(source, SMOKE), 2: table_2_cases(source, SMOKE)}
    settings = runs._settings("dncnn", 32, runs.BUDGET)
    add_rows(tmp_path, made(), runs._conditions(source, SMOKE, cases) | {"settings": settings})
    monkeypatch.setattr(runs, "train_named", None)
    with pytest.raises(XbdcnnError, match="other batch_size in its budget"):
        changed = replace(runs.BUDGET, batch_size=8)
        runs.run_seeds(source, tmp_path, tmp_path, ["dncnn"], budget=changed, profile=SMOKE)
