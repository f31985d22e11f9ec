"""Model observers on noise for which the detectability is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study import observers
from xbdcnn.study.no_reference import insert_signals

SIGNALS = {"disc": observers.disc_signal(4), "nodule": observers.nodule_signal(4.0)}


def outputs(images, places, draws, difference, covariance, background=0.0, seed=0):
    """Normal responses (images, places, draws, p) without and with a signal."""
    rng = np.random.default_rng(seed)
    shape = (images, places, draws)
    factor = np.linalg.cholesky(covariance).T
    scene = background * rng.normal(size=(images, places, 1, len(covariance)))
    noise = [rng.normal(size=(*shape, len(covariance))) @ factor for _ in range(2)]
    return scene + noise[0], scene + noise[1] + difference


def d_prime(found: observers.Detection) -> float:
    return found.response.mean() / np.sqrt(found.variance.mean())


def correlated(size: int) -> np.ndarray:
    return 2.0 * 0.6 ** np.abs(np.subtract.outer(np.arange(size), np.arange(size)))


def test_signals_have_peak_one_and_the_expected_size():
    disc, nodule = SIGNALS.values()
    assert disc.shape == nodule.shape == (27, 27)
    assert disc.sum() == 49 and disc[13, 17] == 1 and disc[13, 18] == 0
    assert nodule.max() == nodule[13, 13] == 1
    assert nodule[13, 17] == pytest.approx(np.exp(-0.5))
    assert np.square(nodule).sum() == pytest.approx(np.pi * 4**2, rel=1e-3)


def test_channels_are_orthonormal_and_the_first_is_the_nodule():
    channels = observers.laguerre_gauss_channels(5, 4.0, half=25)
    products = np.einsum("pij,qij->pq", channels, channels)
    np.testing.assert_allclose(products, np.eye(5), atol=1e-3)
    first = observers.laguerre_gauss_channels(1, 4.0)[0]
    np.testing.assert_allclose(first / first.max(), SIGNALS["nodule"], atol=1e-12)


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
def test_matched_filter_in_white_noise_has_the_d_prime_of_theory(signal):
    rng, contrast, sigma = np.random.default_rng(0), 3.0, 12.0
    centres = np.stack(np.meshgrid(*2 * [np.arange(14, 490, 28)], indexing="ij"), -1).reshape(-1, 2)
    flat = 0.5 + rng.normal(0, sigma / 255, (6, 504, 504))
    marked = [insert_signals(f, centres, contrast / 255 * signal) for f in flat[3:]]
    absent, present = (
        np.array([observers.template_outputs(f, centres, signal[None])[:, 0] for f in group])
        for group in (flat[:3], marked)
    )
    found = observers.detection(absent.T[None], present.T[None])
    expected = observers.white_noise_d_prime(signal, contrast, sigma**2)
    assert expected == pytest.approx(contrast * np.sqrt((signal**2).sum()) / sigma)
    assert d_prime(found) == pytest.approx(expected, rel=0.06)
    assert found.correct[0] == pytest.approx(norm.cdf(expected / np.sqrt(2)), abs=0.015)
    assert observers.contrast_for(expected, signal, sigma**2) == pytest.approx(contrast)


def test_a_filter_that_can_be_inverted_leaves_the_ideal_observer_and_not_the_matched_filter():
    signal = (np.abs(np.arange(40) - 20) <= 1).astype(float)
    blur = gaussian_filter(np.eye(40), (0.8, 0), mode="constant")
    covariance = 4.0 * np.eye(40)
    after = blur @ covariance @ blur.T
    ideal, matched = [], []
    for s, k in ((signal, covariance), (blur @ signal, after)):
        ideal.append(observers.template_d_prime(observers.hotelling_template(s, k), s, k))
        matched.append(observers.template_d_prime(s, s, k))
    assert ideal[0] == pytest.approx(ideal[1], rel=1e-6)
    assert ideal[0] == pytest.approx(matched[0]) == pytest.approx(np.sqrt((signal**2).sum()) / 2)
    assert matched[1] < 0.95 * ideal[1]


def test_channels_that_span_the_signal_have_the_d_prime_of_the_matched_filter():
    channels = observers.laguerre_gauss_channels(5, 4.0).reshape(5, -1)
    signal = 3.0 * SIGNALS["nodule"].ravel()
    difference, covariance = channels @ signal, 100.0 * channels @ channels.T
    template = observers.hotelling_template(difference, covariance)
    expected = observers.white_noise_d_prime(SIGNALS["nodule"], 3.0, 100.0)
    assert template @ covariance @ template == pytest.approx(1)
    found = observers.template_d_prime(template, difference, covariance)
    assert found == pytest.approx(expected, rel=1e-6)
    others = observers.template_d_prime(np.ones(5), difference, covariance)
    assert others < 0.9 * found


def test_covariance_of_the_noise_does_not_contain_the_background():
    covariance = correlated(3)
    absent, present = outputs(40, 25, 2, 1.0, covariance, background=20.0)
    found = observers.within_background_covariance(absent, present)
    np.testing.assert_allclose(found, covariance, atol=0.2)
    total = observers.total_covariance(absent, present)
    np.testing.assert_allclose(np.diag(total), 400 + np.diag(covariance), rtol=0.1)


@pytest.mark.parametrize("known", [True, False])
def test_held_out_d_prime_is_that_of_theory_and_at_most_three_percent_lower(known):
    covariance, difference = correlated(5), np.array([2.0, 1.0, 0.0, -1.0, 0.5])
    expected = np.sqrt(difference @ np.linalg.solve(covariance, difference))
    runs = []
    for seed in range(20):
        draws = outputs(20, 9, 2, difference, covariance, seed=seed)
        responses = observers.held_out_responses(*draws, known)
        runs.append(d_prime(observers.detection(*responses, known)))
    assert 0.97 * expected < np.mean(runs) < 1.005 * expected


def test_held_out_d_prime_without_a_signal_is_zero_and_that_of_the_training_draws_is_not():
    held_out, resubstituted = [], []
    for seed in range(20):
        absent, present = outputs(6, 4, 2, 0.0, correlated(5), seed=seed)
        responses = observers.held_out_responses(absent, present, known=True)
        held_out.append(d_prime(observers.detection(*responses)))
        covariance = observers.within_background_covariance(absent, present)
        difference = (present - absent).mean(axis=(0, 1, 2))
        template = observers.hotelling_template(difference, covariance)
        resubstituted.append(observers.template_d_prime(template, difference, covariance))
    assert abs(np.mean(held_out)) < 3 * np.std(held_out) / np.sqrt(20)
    assert np.mean(resubstituted) > 0.3


def test_an_unknown_background_limits_detection():
    draws = outputs(20, 9, 2, np.array([2.0, 0.0]), np.eye(2), background=3.0)
    known, unknown = (
        d_prime(observers.detection(*observers.held_out_responses(*draws, k), k))
        for k in (True, False)
    )
    assert known == pytest.approx(2, rel=0.1)
    assert unknown == pytest.approx(2 / np.sqrt(10), rel=0.15)


def test_ties_of_the_forced_choice_count_one_half():
    found = observers.detection(np.zeros((1, 1, 2)), np.array([[[0.0, 1.0]]]))
    assert found.correct.tolist() == [0.75] and found.response.tolist() == [0.5]


def test_contrast_to_noise_ignores_the_size_of_the_region():
    assert observers.contrast_to_noise(6.0, 4.0) == 3.0


def test_too_few_draws_or_images_are_errors():
    one = np.zeros((3, 2, 1, 2))
    with pytest.raises(XbdcnnError, match="1 draw of the noise: give at least two"):
        observers.within_background_covariance(one, one)
    with pytest.raises(XbdcnnError, match="a single image: an observer needs others"):
        observers.held_out_responses(one[:1], one[:1], known=False)
