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
