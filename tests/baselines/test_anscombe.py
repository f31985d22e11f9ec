from __future__ import annotations

import numpy as np
import pytest

from xbdcnn.baselines.anscombe import generalised_anscombe, inverse_generalised_anscombe

LEVELS = pytest.mark.parametrize(("eta", "sigma"), [(0.4, 5), (0.8, 15), (1.9, 0), (0.4, 20)])


def unclipped_grey(y: float, eta: float, sigma: float, count: int = 300_000) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.poisson(eta * y, count) / eta + rng.normal(0, 1, count) * sigma


@LEVELS
@pytest.mark.parametrize("y", [20, 60, 120, 200, 250])
def test_anscombe_gives_unit_variance(eta: float, sigma: float, y: float) -> None:
    stabilised = generalised_anscombe(unclipped_grey(y, eta, sigma), eta, sigma)
    assert stabilised.var() == pytest.approx(1, abs=0.03)


def test_generalised_transform_without_electronic_noise_is_that_of_anscombe() -> None:
    counts = np.arange(20.0)
    np.testing.assert_allclose(generalised_anscombe(counts, 1, 0), 2 * np.sqrt(counts + 3 / 8))


@LEVELS
@pytest.mark.parametrize("y", [10, 60, 120, 200, 250])
def test_inverse_is_unbiased(eta: float, sigma: float, y: float) -> None:
    z = unclipped_grey(y, eta, sigma)
    restored = inverse_generalised_anscombe(generalised_anscombe(z, eta, sigma).mean(), eta, sigma)
    assert restored == pytest.approx(y, abs=0.05 + 4 * z.std() / np.sqrt(z.size))


def test_algebraic_inverse_would_be_biased() -> None:
    eta, y = 0.4, 120
    mean = generalised_anscombe(unclipped_grey(y, eta, 0), eta, 0).mean()
    algebraic = (mean**2 / 4 - 3 / 8) / eta
    assert algebraic == pytest.approx(y - 1 / (4 * eta), abs=0.15)
    assert abs(inverse_generalised_anscombe(mean, eta, 0) - y) < 0.15


@LEVELS
def test_inverse_is_monotonic_and_starts_at_black(eta: float, sigma: float) -> None:
    d = np.linspace(0, 60, 5000)
    y = inverse_generalised_anscombe(d, eta, sigma)
    assert np.isfinite(y).all()
    assert y[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(y) >= -1e-12).all()
