"""Means, paired differences and intervals agree with theory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study.scoring import SCORES
from xbdcnn.study.statistics import (
    bootstrap_interval,
    crossed_interval,
    paired_differences,
    student_interval,
    summarise,
)


def rows(method: str, values: list[float], images: list[str]) -> pd.DataFrame:
    """All four scores of one method, equal to `values`, one case each."""
    facts = {"method": method, "image": images, "case": range(len(values)), "seconds": 1.0}
    return pd.DataFrame(facts | {name: values for name in SCORES})


def test_summary_weighs_images_not_patches():
    summary = summarise(rows("m", [1.0, 1.0, 1.0, 3.0], ["a", "a", "a", "b"])).iloc[0]
    assert summary["psnr"] == 2.0
    assert (summary["psnr_low"], summary["psnr_high"]) == (1.0, 3.0)
    assert (summary["images"], summary["cases"]) == (2, 4)


def test_paired_differences_are_taken_case_by_case():
    images = ["a", "b", "c"]
    first, second = rows("first", [30.0, 35.0, 40.0], images), rows("second", [29, 35, 42], images)
    # The order of the rows must not matter.
    both = pd.concat([first, second.iloc[::-1]])
    (found,) = paired_differences(both, "first").to_dict("records")
    assert found["method"] == "second" and found["psnr"] == pytest.approx(1 / 3)
    assert (found["psnr_low"], found["psnr_high"]) == (-1.0, 2.0)
    with pytest.raises(XbdcnnError, match=r"absent.*choose from \['first', 'second'\]"):
        paired_differences(both, "absent")


def test_bootstrap_interval_covers_the_mean_as_theory_says():
    values = np.random.default_rng(0).normal(10, 2, 400)
    low, high = bootstrap_interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 * 2 / 20, rel=0.15)
    assert low < values.mean() < high
    assert np.isnan(bootstrap_interval([1.0])).all()


def test_student_interval_is_that_of_scipy():
    values = np.random.default_rng(0).normal(size=3)
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert student_interval(values) == pytest.approx(tuple(expected))
    assert np.isnan(student_interval([1.0])).all()


def test_a_bootstrap_interval_of_ten_images_is_slightly_narrow():
    """As notebook 06 states: it covers about nine cases in ten; Student's t is a fifth wider."""
    samples = np.random.default_rng(0).normal(size=(300, 10))
    bootstrap = np.array([bootstrap_interval(sample, 500) for sample in samples])
    student = np.array([student_interval(sample) for sample in samples])
    covered = (bootstrap[:, 0] < 0) & (bootstrap[:, 1] > 0)
    assert 0.86 < covered.mean() < 0.94
    assert 1.15 < np.median(np.ptp(student, axis=1) / np.ptp(bootstrap, axis=1)) < 1.25


COMPONENTS = {
    "seeds only": (1.0, 0.0, 0.3),
    "images only": (0.0, 1.0, 0.3),
    "both alike": (1.0, 1.0, 0.3),
    "mostly seeds": (1.0, 0.3, 0.1),
    "mostly images": (0.5, 1.0, 0.5),
    "large remainder": (1.0, 0.5, 1.0),
}
"""Standard deviations between seeds, between images, and of the rest."""

SEEDS, IMAGES = 5, 10


def crossed_samples(
    components: tuple[float, float, float], count: int, seeds: int = SEEDS, skewed: bool = False
) -> np.ndarray:
    """Draw (count, seeds, IMAGES) from the crossed model with mean zero.

    skewed: exponential instead of normal effects of the seeds.
    """
    rng = np.random.default_rng(0)
    shape = (count, seeds, 1)
    of_seeds = rng.exponential(size=shape) - 1 if skewed else rng.normal(size=shape)
    of_images, rest = rng.normal(size=(count, 1, IMAGES)), rng.normal(size=(count, seeds, IMAGES))
    return components[0] * of_seeds + components[1] * of_images + components[2] * rest


def coverage(samples: np.ndarray) -> float:
    """Share of samples whose crossed interval covers zero."""
    found = crossed_interval(samples)
    return float(((found.low < 0) & (found.high > 0)).mean())


def percentile_covers(sample: np.ndarray, resamples: int = 400) -> bool:
    """Tell whether the percentile bootstrap of seeds and images covers zero."""
    rng = np.random.default_rng(0)
    weights = [
        rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n for n in sample.shape
    ]  # (resamples, SEEDS) and (resamples, IMAGES)
    means = np.einsum("bs,si,bi->b", weights[0], sample, weights[1])
    low, high = np.quantile(means, [0.025, 0.975])
    return bool(low < 0 < high)


@pytest.mark.parametrize("components", COMPONENTS.values(), ids=COMPONENTS)
def test_crossed_interval_covers_the_mean_in_19_of_20_cases(components):
    assert 0.94 < coverage(crossed_samples(components, 10_000)) < 0.96


@pytest.mark.parametrize("components", COMPONENTS.values(), ids=COMPONENTS)
def test_a_percentile_bootstrap_of_five_seeds_is_too_narrow(components):
    covered = [percentile_covers(sample) for sample in crossed_samples(components, 1000)]
    assert 0.80 < np.mean(covered) < 0.935


def test_crossed_interval_is_wide_rather_than_narrow_without_any_effect():
    assert coverage(crossed_samples((0.0, 0.0, 1.0), 10_000)) > 0.97


def test_crossed_interval_is_too_narrow_for_skewed_seeds_and_for_two_seeds():
    """As its docstring states."""
    components = COMPONENTS["mostly seeds"]
    assert 0.865 < coverage(crossed_samples(components, 10_000, skewed=True)) < 0.895
    assert 0.875 < coverage(crossed_samples(components, 10_000, seeds=2)) < 0.905


def test_crossed_interval_is_student_s_if_only_seeds_or_only_images_differ():
    values = np.random.default_rng(0).normal(size=6)
    over_seeds = crossed_interval(np.tile(values[:, None], (1, 4)))
    over_images = crossed_interval(np.tile(values, (4, 1)))
    for found in (over_seeds, over_images):
        assert (found.low, found.high) == pytest.approx(student_interval(values))
    assert over_seeds.seed_sd == pytest.approx(values.std(ddof=1)) and over_seeds.image_sd == 0
    assert over_images.image_sd == pytest.approx(values.std(ddof=1)) and over_images.seed_sd == 0


def test_crossed_interval_estimates_the_variance_components():
    found = crossed_interval(crossed_samples((1.0, 0.5, 0.3), 10_000))
    assert np.square(found.seed_sd).mean() == pytest.approx(1.0, rel=0.05)
    assert np.square(found.image_sd).mean() == pytest.approx(0.25, rel=0.05)


def test_crossed_interval_needs_two_seeds_and_two_images():
    for shape in ((1, 5), (5, 1)):
        found = crossed_interval(np.full(shape, 3.0))
        assert found.mean == 3.0 and np.isnan([found.low, found.high, found.seed_sd]).all()
    equal = crossed_interval(np.full((3, 4), 3.0))
    assert (equal.low, equal.high) == (3.0, 3.0)
