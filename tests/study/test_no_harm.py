"""What methods do to images as they are, with methods whose result is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter, median_filter

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study.no_harm import (
    average_scores,
    disc_scores,
    edges_kept,
    own_noise,
    paired_scores,
    residual_scores,
    worse_than_noisy,
)
from xbdcnn.study.scoring import BEFORE

SIDE, NOISE = 256, 3.0
METHODS = {
    "identity": lambda f: f,
    "blur": lambda f: gaussian_filter(f, 2),
    "median": lambda f: median_filter(f, 3),
}


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Smooth regions with edges, similar to bones."""
    rough = gaussian_filter(np.random.default_rng(1).normal(0, 1, (SIDE, SIDE)), 12)
    return (0.5 + 0.2 * np.tanh(8 * rough / rough.std())).astype(np.float32)


@pytest.fixture(scope="module")
def images(scene) -> dict[str, np.ndarray]:
    """Two images of the scene, each with white noise of `NOISE` grey levels."""
    noise = np.random.default_rng(2).normal(0, NOISE / 255, (2, SIDE, SIDE))
    return {f"image-{k}": (scene + noise[k]).astype(np.float32) for k in range(2)}


@pytest.fixture(scope="module")
def residuals(images, scene) -> pd.DataFrame:
    return residual_scores(images, METHODS | {"perfect": lambda f: scene})


@pytest.fixture(scope="module")
def discs(images) -> pd.DataFrame:
    return disc_scores(images, METHODS, radii=(2, 4), contrasts=(8.0,))


def of(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    return rows[rows["method"] == method]


def test_identity_removes_nothing_and_keeps_all_edges(residuals):
    identity = of(residuals, "identity")
    assert len(identity) == 2 and (identity["removed"] == 0).all()
    assert (identity["anatomy"] == 0).all() and (identity["offset"] == 0).all()
    np.testing.assert_allclose(identity["edges"], 1.0)


def test_a_perfect_method_removes_the_noise_and_no_anatomy(residuals):
    perfect = of(residuals, "perfect")
    np.testing.assert_allclose(perfect["removed"], NOISE, rtol=0.02)
    np.testing.assert_allclose(perfect["noise_least"], NOISE, rtol=0.05)
    assert (perfect["anatomy"].abs() < 0.05).all()
    assert perfect["edges"].between(0.93, 1.0).all()


def test_a_blur_removes_anatomy_and_edges_and_more_than_the_noise(residuals):
    blur = of(residuals, "blur")
    assert (blur["removed"] > 1.5 * blur["noise_least"]).all()
    assert (blur["anatomy"] > 0.3).all() and (blur["edges"] < 0.6).all()


def test_a_median_filter_keeps_edges_better_than_a_blur(residuals):
    assert (of(residuals, "median")["edges"].to_numpy() > 0.8).all()


def test_limits_of_the_noise_enclose_it(images):
    for image in images.values():
        least, most = own_noise(image)
        assert 0.95 * NOISE < least < most


def test_correlated_noise_lies_between_the_limits():
    noise = gaussian_filter(np.random.default_rng(0).normal(0, 1, (SIDE, SIDE)), 0.7)
    grey = np.linspace(100, 150, SIDE) + NOISE * noise / noise.std()
    least, most = own_noise((grey / 255).astype(np.float32))
    assert least < 0.7 * NOISE and most == pytest.approx(NOISE, rel=0.05)


def test_rounding_to_8_bit_is_part_of_the_noise():
    grey = np.linspace(100, 150, SIDE) + np.random.default_rng(0).normal(0, 0.8, (SIDE, SIDE))
    least, _ = own_noise((np.rint(grey) / 255).astype(np.float32))
    assert least == pytest.approx(np.sqrt(0.8**2 + 1 / 12), rel=0.04)


def test_upper_limit_of_the_noise_of_a_small_image_is_undetermined(images):
    small = {"small": images["image-0"][:64, :64]}
    rows = residual_scores(small, {"identity": METHODS["identity"]})
    assert np.isnan(rows["noise_most"]).all() and (rows["noise_least"] > 0).all()


def test_edge_contrast_is_the_factor_of_the_gradient(scene):
    assert edges_kept(scene, 0.5 + 0.7 * (scene - 0.5)) == pytest.approx(0.7, abs=1e-4)
    sharper = scene + (scene - gaussian_filter(scene, 2))
    assert edges_kept(scene, sharper) > 1.05


def test_blur_of_a_step_keeps_the_known_contrast():
    step = np.zeros((64, 100), np.float32)
    step[:, 50:] = 1
    # A Gaussian edge of scale 1 becomes one of scale sqrt(1 + 2^2): the products of the gradients.
    x = np.arange(-0.5, 50)
    narrow, wide = (np.exp(-0.5 * (x / s) ** 2) / s for s in (1.0, 5**0.5))
    at_edge = (np.abs(x) < 1).nonzero()[0]  # the two steepest columns are 2 % of the pixels
    expected = (narrow * wide)[at_edge].sum() / (narrow**2)[at_edge].sum()
    assert edges_kept(step, gaussian_filter(step, 2)) == pytest.approx(expected, rel=0.05)


def test_a_constant_image_has_no_edges():
    flat = np.full((32, 32), 0.5, np.float32)
    with pytest.raises(XbdcnnError, match="no edges"):
        edges_kept(flat, flat)


def test_identity_keeps_the_detectability_of_discs(discs):
    identity = of(discs, "identity")
    assert len(identity) == 4
    np.testing.assert_allclose(identity["detectability"], 1.0)
    np.testing.assert_allclose(identity["kept"], 1.0, atol=1e-3)


def test_a_blur_loses_contrast_of_small_discs_first(discs):
    kept = of(discs, "blur").groupby("radius")["kept"].mean()
    assert kept[2] < 0.3 < kept[4] < 0.7
    assert (of(discs, "blur")["detectability"] < 0.9).all()


def test_a_method_that_erases_discs_has_no_detectability(images, scene):
    rows = disc_scores(images, {"perfect": lambda f: scene}, radii=(4,), contrasts=(8.0,))
    np.testing.assert_allclose(rows["detectability"], 0, atol=1e-6)
    assert (rows["before"] > 0).all()


@pytest.fixture
def conditions() -> pd.DataFrame:
    """PSNR of two methods under two conditions, as `out_of_range.evaluate_conditions` has it."""
    psnr = {
        (0.6, 0.0): {BEFORE: (28.0, 30.0), "kind": (34.0, 34.0), "harmful": (30.0, 29.0)},
        (0.6, 1.0): {BEFORE: (28.0, 30.0), "kind": (29.0, 29.5), "harmful": (29.0, 28.5)},
    }
    return pd.DataFrame(
        {"eta": eta, "sigma": 10.0, "blur": blur, "gain": 1.0}
        | {"image": number, "method": method, "psnr": value}
        for (eta, blur), methods in psnr.items()
        for method, values in methods.items()
        for number, value in enumerate(values)
    )


def test_conditions_that_are_worse_than_the_noisy_image_are_listed(conditions):
    assert worse_than_noisy(conditions, "kind").empty
    found = worse_than_noisy(conditions, "harmful")
    assert found["blur"].tolist() == [1.0]
    assert found["lead"].tolist() == pytest.approx([-0.25])


def test_an_unknown_method_names_the_known_ones(conditions):
    with pytest.raises(XbdcnnError, match=r"'none' is not in the rows; .*harmful"):
        worse_than_noisy(conditions, "none")
    with pytest.raises(XbdcnnError, match="'none' is not in the rows"):
        paired_scores(conditions, "none", ["psnr"])


def test_averages_have_intervals_over_images(discs):
    table = average_scores(discs, ["kept", "detectability"], by=("method", "radius"))
    assert len(table) == 6 and (table["images"] == 2).all()
    mean = of(discs, "blur").query("radius == 2")["kept"].mean()
    row = of(table, "blur").query("radius == 2").iloc[0]
    assert row["kept"] == pytest.approx(mean)
    assert row["kept_low"] <= row["kept"] <= row["kept_high"]


def test_undetermined_scores_are_left_out_of_the_average(residuals):
    known = residuals["noise_most"].where(residuals["image"] != "image-0")
    table = average_scores(residuals.assign(noise_most=known), ["noise_most"])
    np.testing.assert_allclose(table["noise_most"], known.iloc[-1])
    assert table["noise_most_low"].isna().all()


def test_differences_are_paired_by_image_and_disc(discs):
    table = paired_scores(discs, "identity", ["kept"], by=("method", "radius"))
    assert set(table["method"]) == {"blur", "median"}
    blur, identity = (of(discs, name).query("radius == 4") for name in ("blur", "identity"))
    differences = blur["kept"].to_numpy() - identity["kept"].to_numpy()
    row = of(table, "blur").query("radius == 4").iloc[0]
    assert row["kept"] == pytest.approx(differences.mean())
    assert row["kept_high"] < 0
