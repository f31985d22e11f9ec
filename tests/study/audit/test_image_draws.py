"""Draws of ten radiographs from populations of known gains."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import find_source
from xbdcnn.data.source import Source
from xbdcnn.noise import GREY_LEVELS, noise_variance
from xbdcnn.study import profiles, scoring
from xbdcnn.study.audit import image_draws
from xbdcnn.study.audit.image_draws import CELLS, average, place_in_draws, random_tens

MEAN, SPREAD = 16.0, 1.5


def population(images: int = 200, seed: int = 0) -> pd.DataFrame:
    """Rows of `gains`: normal gains that rise by 0.05 dB per grey level of brightness."""
    rng = np.random.default_rng(seed)
    grey = rng.normal(140, 10, images)
    gain = MEAN + 0.05 * (grey - 140) + rng.normal(0, np.sqrt(SPREAD**2 - 0.25), images)
    rows = [
        {"image": f"test-{k:03d}", "mean": grey[k], "rms": 1.1 * grey[k], "gain": gain[k]}
        | {"eta": eta, "sigma": sigma, "noisy": noisy_psnr(grey[k], eta, sigma)}
        for k in range(images)
        for eta, sigma in CELLS
    ]
    return pd.DataFrame(rows)


def noisy_psnr(grey: float, eta: float, sigma: float) -> float:
    return 10 * np.log10(GREY_LEVELS**2 / noise_variance(grey / GREY_LEVELS, eta, sigma))


def printed(gain: float) -> pd.Series:
    return pd.Series(dict.fromkeys(CELLS, gain)).rename_axis(["eta", "sigma"])


def test_mean_gains_of_tens_vary_as_single_gains_over_the_root_of_ten():
    rows = population()
    one = rows[rows["eta"] == CELLS[0][0]]["gain"]
    table = place_in_draws(random_tens(rows), printed(one.mean() + one.std() / 10**0.5))
    assert (table["tens"] == image_draws.DRAWS).all() and len(table) == len(CELLS)
    np.testing.assert_allclose(table["mean"], one.mean(), atol=0.02)
    np.testing.assert_allclose(table["sd"], one.std() / 10**0.5, rtol=0.03)
    np.testing.assert_allclose(table["deviations"], 1, atol=0.05)
    np.testing.assert_allclose(table["quantile"], norm.cdf(1), atol=0.02)
    np.testing.assert_allclose(table["high"] - table["low"], 2 * 1.96 * table["sd"], rtol=0.03)


def test_a_gain_outside_all_draws_has_the_quantile_of_an_end():
    tens = random_tens(population(), draws=500)
    assert (place_in_draws(tens, printed(30.0))["quantile"] == 1).all()
    assert (place_in_draws(tens, printed(0.0))["quantile"] == 0).all()


def test_draws_depend_on_the_seed_only():
    rows = population(20)
    first, again, other = (random_tens(rows, draws=50, seed=seed).gains for seed in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)


def test_matched_tens_have_the_wanted_brightness_and_its_gain():
    tens = random_tens(population(), draws=20_000).matching({"implied": 146.0, "rms": 161.0}, 2.0)
    assert tens.traits["implied"].between(144, 148).all()
    assert tens.traits["rms"].between(159, 163).all()
    assert 100 < len(tens.gains) < 10_000
    shift = 0.05 * (tens.traits["mean"].mean() - 140)
    np.testing.assert_allclose(tens.gains.mean(), MEAN + shift, atol=0.25)
    assert (tens.gains.mean() > random_tens(population()).gains.mean() + 0.1).all()


def test_too_few_matches_are_an_error():
    with pytest.raises(XbdcnnError, match=r"0 of 200 tens match .*larger tolerance"):
        random_tens(population(), draws=200).matching({"rms": 250.0})


def test_traits_of_equal_images_are_their_own():
    rows = population(1)
    traits = average(rows, np.zeros((2, 10), int)).traits
    grey = rows["mean"].iloc[0]
    np.testing.assert_allclose(traits["mean"], grey)
    np.testing.assert_allclose(traits["implied"], grey)
    np.testing.assert_allclose(traits["rms"], 1.1 * grey)


def test_rms_of_a_ten_is_the_one_that_the_mean_gap_in_decibels_implies():
    rows = population(2)
    traits = average(rows, np.array([[0, 1]])).traits
    expected = np.sqrt(rows["rms"].iloc[0] * rows["rms"].iloc[-1])
    assert traits["rms"].iloc[0] == pytest.approx(expected)


def test_printed_values_are_those_of_the_corrected_table():
    gain = image_draws.printed_gains()
    assert gain[0.8, 5.0] == pytest.approx(41.2326 - 25.1555)
    every = {
        cell: paper.corrected(row["X-BDCNN"]).psnr - paper.TABLE_2_NOISY_PSNR[cell]
        for cell, row in paper.TABLE_2.items()
    }
    assert gain.min() == min(every.values()) and gain.max() == max(every.values())
    traits = image_draws.printed_traits()
    assert traits["rms"] == pytest.approx(155.7, abs=0.1) and 128 < traits["implied"] < 139


def test_the_highest_ten_have_the_highest_mean_gain():
    rows = population(30)
    best = image_draws.highest_ten(rows)
    expected = rows.groupby("image")["gain"].mean().sort_values().iloc[-10:].mean()
    np.testing.assert_allclose(best, expected)


def test_gains_are_measured_on_every_held_out_radiograph(monkeypatch):
    source = find_source("builtin")
    images = {name: image[:128, :128] for name, image in image_draws.held_out(source)}
    assert list(images) == [*(f"table2-{k:02d}" for k in range(4)), "test-00", "test-01"]
    rows = image_draws.gains(images.items(), lambda f: gaussian_filter(f, 1.5))
    assert len(rows) == 6 * len(CELLS) and (rows["gain"] > 3).all()
    np.testing.assert_allclose(rows["psnr"] - rows["noisy"], rows["gain"])
    assert rows["mean"].iloc[0] == pytest.approx(255 * images["table2-00"].mean(), rel=1e-5)
    assert (rows["rms"] > rows["mean"]).all() and (rows["noise_least"] > 0).all()


def test_noise_of_the_images_of_table_2_is_that_of_the_table():
    source = find_source("builtin")
    settings = profiles.get_profile("cpu")
    table = {(c.image, c.eta, c.sigma): c for c in scoring.table_2_cases(source, settings)}
    seen = []
    images = [(n, i) for n, i in image_draws.held_out(source) if n.startswith("table2")]
    image_draws.gains(images, lambda f: seen.append(f) or f)
    expected = [scoring.noisy_image(table[name, *cell]) for name, _ in images for cell in CELLS]
    for noisy, wanted in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(noisy, wanted)


def test_a_source_without_a_split_of_table_2_has_no_image_twice():
    index = pd.DataFrame({"path": ["a"], "image": ["a"], "patient_id": ["a"], "split": ["test"]})
    source = Source("mine", index)
    source.__dict__["images"] = lambda split: {"test": [np.zeros((8, 8), np.float32)]}[split]
    assert [name for name, _ in image_draws.held_out(source)] == ["test-00"]
