"""The noise of references of which the noise-free image is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from xbdcnn.data import find_source
from xbdcnn.study.audit import image_draws, reference_noise
from xbdcnn.study.audit.radiographs import halved
from xbdcnn.study.audit.reference_noise import (
    AS_IT_IS,
    HALVED,
    MULTIPLES,
    charged_share,
    cost_of_noise,
    gap_parts,
    reference_costs,
    references_of,
    score_references,
)

SIDE, OWN = 512, 2.0


def scene(seed: int = 0) -> np.ndarray:
    """A smooth noise-free image, (SIDE, SIDE) in [0, 1]."""
    rough = gaussian_filter(np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE)), 24)
    return 0.5 + 0.1 * rough / rough.std()


@pytest.fixture(scope="module")
def field() -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, OWN / 255, (SIDE, SIDE))
    return (scene() + noise).astype(np.float32)


@pytest.fixture(scope="module")
def perfect(field) -> pd.DataFrame:
    """Scores of a method that returns the halved noise-free image."""
    return score_references([field], lambda f: halved(scene().astype(np.float32)))


def test_halving_halves_white_noise_and_additions_have_the_noise_of_the_field(field):
    found = references_of(field, seed=0)
    shapes = {reference.shape for _, reference in found.values()}
    assert list(found)[:2] == [AS_IT_IS, HALVED] and shapes == {(SIDE // 2, SIDE // 2)}
    added = [level for level, _ in found.values()]
    assert added == pytest.approx([0, 0, OWN, 2 * OWN], rel=0.03)
    clean = halved(scene().astype(np.float32))
    spreads = [255 * np.std(reference - clean) for _, reference in list(found.values())[1:]]
    expected = [np.hypot(OWN / 2, multiple * OWN) for multiple in (0, *MULTIPLES)]
    np.testing.assert_allclose(spreads, expected, rtol=0.03)


def test_a_perfect_method_is_charged_with_all_of_the_noise(perfect):
    on_half = perfect[perfect["reference"] != AS_IT_IS]
    own = (OWN / 2) ** 2 + on_half["added"] ** 2
    np.testing.assert_allclose(on_half["mse"], own, rtol=0.04)
    np.testing.assert_allclose(charged_share(perfect), 1, atol=0.04)


def test_the_noisy_image_itself_is_not_charged(field):
    rows = score_references([field], lambda f: f)
    assert (charged_share(rows)[2].abs() < 0.2).all()
    assert (rows["psnr"] == rows["noisy"]).all()


def test_scores_describe_each_reference(perfect):
    assert len(perfect) == (2 + len(MULTIPLES)) * len(image_draws.CELLS)
    noise = perfect.drop_duplicates("reference").set_index("reference")["noise_least"]
    assert noise[AS_IT_IS] == pytest.approx(OWN, rel=0.05)
    assert noise[HALVED] == pytest.approx(OWN / 2, rel=0.05)


def test_cost_is_the_ratio_of_the_errors_with_and_without_the_noise():
    mse, noise = np.array([8.0, 2.0]), np.array([2.0, 1.0])
    assert cost_of_noise(mse, noise, share=1.0) == pytest.approx(10 * np.log10(2))
    assert cost_of_noise(mse, noise, share=0.0) == 0
    assert cost_of_noise(mse, np.array([3.0, 1.0]), share=1.0) == np.inf


def test_costs_in_table_2_use_its_radiographs_only(perfect):
    cells = pd.DataFrame(image_draws.CELLS, columns=["eta", "sigma"])
    psnr = 20 * np.log10(255 / 2)  # an error of 4 squared grey levels
    rows = cells.assign(image="table2-00", psnr=psnr, noise_least=1.0, noise_most=1.5)
    other = cells.assign(image="test-00", psnr=10.0, noise_least=9.0, noise_most=9.0)
    table = reference_costs(perfect, pd.concat([rows, other]))
    np.testing.assert_allclose(table["least"], 10 * np.log10(4 / 3), atol=0.1)
    np.testing.assert_allclose(table["most"], 10 * np.log10(4 / 1.75), atol=0.2)


def test_references_are_an_experiment_on_the_radiographs_of_table_2(monkeypatch):
    class Blur:
        denoise = staticmethod(lambda f: gaussian_filter(f, 1))

    monkeypatch.setattr(reference_noise, "load_pretrained", lambda name: Blur)
    monkeypatch.setattr(reference_noise, "SIDE", 256)
    rows = reference_noise.scored_references(find_source("builtin"))
    assert rows["image"].unique().tolist() == [f"table2-{k:02d}" for k in range(4)]
    assert (rows["psnr"] > rows["noisy"]).all()


def test_parts_of_the_gap_are_collected_by_cell(perfect):
    rng = np.random.default_rng(0)
    images = [f"table2-{k:02d}" for k in range(10)] + [f"test-{k:02d}" for k in range(30)]
    gain = np.concatenate([np.full(10, 15.0), rng.permutation(30) / 10 + 13])
    rows = pd.DataFrame(
        {"image": name, "mean": 140.0, "rms": 150.0, "noise_least": 1.0, "noise_most": 1.5}
        | {"eta": eta, "sigma": sigma, "noisy": 23.0, "psnr": 23.0 + value, "gain": value}
        for name, value in zip(images, gain, strict=True)
        for eta, sigma in image_draws.CELLS
    )
    table = gap_parts(rows, perfect)
    printed = image_draws.printed_gains()
    np.testing.assert_allclose(table["gap"], printed.reindex(table.index) - 15)
    np.testing.assert_allclose(table["draw_sd"], gain.std() / 10**0.5, rtol=0.05)
    np.testing.assert_allclose(table["highest"], np.sort(gain)[-10:].mean() - 15)
    assert (table["noise_most"] > table["noise_least"]).all()
