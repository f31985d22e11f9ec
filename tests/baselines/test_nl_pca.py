from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from xbdcnn.baselines import nl_pca as module
from xbdcnn.baselines.nl_pca import (
    average_patches,
    denoise_counts,
    most_likely,
    newton_step,
    nl_pca,
    poisson_k_means,
    poisson_pca,
    row_objectives,
    shifted_counts,
)
from xbdcnn.noise import add_hybrid_noise_numpy


def low_rank_rates(rows: int, pixels: int, axes: int, seed: int = 0) -> np.ndarray:
    """Return rates (rows, pixels) of about 27 counts, whose logarithms have rank `axes`."""
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(rows, axes - 1)), rng.normal(size=(axes - 1, pixels))
    return np.exp(3.3 + 0.3 * u @ v)


def relative_error(estimate: np.ndarray, rates: np.ndarray) -> float:
    """Return the mean squared error in units of the variance of the counts."""
    return float(np.mean((estimate - rates) ** 2 / rates))


@pytest.mark.parametrize("axes", [2, 4])
def test_low_rank_rates_are_recovered(axes: int) -> None:
    """Of n m values with unit error, l (n + m - l) degrees of freedom remain."""
    rates = low_rank_rates(1500, 60, axes)
    counts = np.random.default_rng(1).poisson(rates).astype(float)
    expected = axes * (1500 + 60 - axes) / (1500 * 60)
    assert relative_error(counts, rates) == pytest.approx(1, abs=0.05)
    assert relative_error(poisson_pca(counts, axes), rates) == pytest.approx(expected, rel=0.1)


def test_newton_steps_never_increase_the_objective() -> None:
    """Also from a start so far away that a full step would increase it."""
    rng = np.random.default_rng(2)
    counts = rng.poisson(low_rank_rates(80, 30, 3)).astype(float)
    u, v = 2 * rng.normal(size=(80, 3)), rng.normal(size=(3, 30))
    objectives = [row_objectives(counts, u @ v).sum()]
    for _ in range(40):
        u = newton_step(counts, u, v)
        objectives.append(row_objectives(counts, u @ v).sum())
        v = newton_step(counts.T, v.T, u.T).T
        objectives.append(row_objectives(counts, u @ v).sum())
    decreases = -np.diff(objectives)
    assert (decreases >= -1e-9 * np.abs(objectives[:-1])).all()
    best = row_objectives(counts, np.log(poisson_pca(counts, 3))).sum()
    assert objectives[-1] == pytest.approx(best, rel=0.01)
    assert objectives[0] > 2 * abs(best)


def test_newton_step_finds_the_mean_of_a_row() -> None:
    """With one constant axis, sum(exp(u) - y u) is smallest at u = log(mean(y))."""
    counts = np.array([[3.0, 5.0, 7.0], [0.5, 0.0, 1.0], [900.0, 1000.0, 1100.0]])
    u = np.zeros((3, 1))
    for _ in range(30):
        u = newton_step(counts, u, np.ones((1, 3)))
    np.testing.assert_allclose(np.exp(u[:, 0]), [5, 0.5, 1000], rtol=1e-6)


def test_clusters_are_nearest_in_likelihood_and_not_in_distance() -> None:
    """A count of 4 is nearer to 1 than to 9, but likelier with a mean of 9."""
    patches, means = np.array([[4.0], [2.0]]), np.array([[1.0], [9.0]])
    assert most_likely(patches, means).tolist() == [1, 0]


def test_k_means_separates_patterns_of_equal_brightness(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    pattern = np.where(rng.random(400) < 0.5, 0, 1)
    means = np.array([[30.0, 10.0] * 8, [10.0, 30.0] * 8])
    patches = rng.poisson(means[pattern]).astype(np.float32)
    labels = poisson_k_means(patches, 2)
    assert len(np.unique(labels[pattern == 0])) == len(np.unique(labels[pattern == 1])) == 1
    assert set(labels) == {0, 1}
    monkeypatch.setattr(module, "PART", 7)
    np.testing.assert_array_equal(poisson_k_means(patches, 2), labels)


def test_average_of_the_patches_of_an_image_is_the_image() -> None:
    image = np.random.default_rng(4).random((13, 17))
    np.testing.assert_allclose(
        average_patches(sliding_window_view(image, (5, 5)), image.shape), image
    )


@pytest.mark.parametrize(("eta", "sigma"), [(0.4, 20), (1.9, 20), (0.4, 0)])
def test_mean_and_variance_of_shifted_counts_are_equal(eta: float, sigma: float) -> None:
    rng = np.random.default_rng(5)
    for y in (20, 130, 240):
        z = rng.poisson(eta * y, 400_000) / eta + sigma * rng.normal(size=400_000)
        counts = shifted_counts(z, eta, sigma)
        assert counts.mean() == pytest.approx(eta * y + (eta * sigma) ** 2, rel=0.005)
        assert counts.var() == pytest.approx(counts.mean(), rel=0.02)


@pytest.mark.parametrize(("eta", "sigma"), [(0.4, 5), (1.9, 20)])
def test_constant_image_is_restored(eta: float, sigma: float) -> None:
    g = np.full((64, 64), 0.5, dtype=np.float32)
    noisy = add_hybrid_noise_numpy(g, eta, sigma, np.random.default_rng(6))
    restored = nl_pca(noisy, eta=eta, sigma=sigma)
    assert 255 * abs(restored.mean() - noisy.mean()) < 0.3
    assert restored.std() < noisy.std() / 5


def test_image_of_two_levels_keeps_its_edge() -> None:
    g = np.full((80, 80), 0.2, dtype=np.float32)
    g[:, 40:] = 0.7
    noisy = add_hybrid_noise_numpy(g, 0.8, 10, np.random.default_rng(7))
    error = 255 * (nl_pca(noisy, eta=0.8, sigma=10) - g)
    assert np.sqrt(np.mean(error**2)) < 5
    # The two columns beside the edge; a mean over 3 x 3 pixels changes them by a third of it.
    assert np.abs(error[:, 39:41].mean(axis=0)).max() < 0.2 * 255 * (0.7 - 0.2)


def test_bins_pay_if_photons_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = np.indices((96, 96))
    g = ((0.5 + 0.2 * np.sin(rows / 15) * np.cos(columns / 20)) / 16).astype(np.float32)
    noisy = add_hybrid_noise_numpy(g, 0.16, 0, np.random.default_rng(8))
    errors = []
    for below in (8, 0):
        monkeypatch.setattr(module, "BINNED_BELOW", below)
        errors.append(np.mean((nl_pca(noisy, eta=0.16, sigma=0) - g) ** 2))
    assert errors[0] < 0.6 * errors[1]


def test_counts_of_zero_are_restored_as_nearly_zero() -> None:
    restored = denoise_counts(np.zeros((20, 30)))
    assert np.isfinite(restored).all()
    assert restored.max() < 0.01
