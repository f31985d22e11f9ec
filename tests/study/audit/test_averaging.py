"""Averaging over turned and mirrored versions of an image."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from xbdcnn.study.audit.averaging import VERSIONS, gains, psnr_by_versions, turned, turned_back
from xbdcnn.study.scoring import Case

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("version", VERSIONS[8])
def test_every_version_can_be_turned_back(version):
    image = RANDOM.random((6, 9))
    np.testing.assert_array_equal(turned_back(turned(image, version), version), image)


def test_the_eight_versions_are_different():
    image = RANDOM.random((4, 4))
    assert len({turned(image, version).tobytes() for version in VERSIONS[8]}) == 8


def test_averaging_helps_a_method_with_random_errors_only():
    clean = np.full((32, 32), 0.5, np.float32)
    cases = [Case("a", clean, 1.0, 0.0, 0)]

    def blunder(image):
        return (clean + RANDOM.normal(0, 0.1, clean.shape)).astype(np.float32)

    methods = {
        "random": SimpleNamespace(denoise=blunder),
        "constant": SimpleNamespace(denoise=lambda image: clean + np.float32(0.1)),
    }
    found = gains(psnr_by_versions(methods, cases))
    assert found.loc["random", 8] == pytest.approx(10 * np.log10(8), abs=0.5)
    assert found.loc["random", 2] == pytest.approx(10 * np.log10(2), abs=0.5)
    assert found.loc["constant", 8] == pytest.approx(0, abs=1e-3)
