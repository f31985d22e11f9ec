"""Residual structure and detectability on images for which the correct values are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study.no_reference import (
    detectability,
    disc_centres,
    disc_responses,
    insert_discs,
    residual_structure,
)

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(0, 10 / 255, (300, 300))


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Smooth regions with edges, similar to bones."""
    rough = gaussian_filter(np.random.default_rng(1).normal(0, 1, (300, 300)), 12)
    return 0.5 + 0.2 * np.tanh(8 * rough / rough.std())


def test_white_noise_has_no_structure(scene):
    found = residual_structure(scene + NOISE, scene)
    assert abs(found.whiteness) < 0.02 and abs(found.anatomy) < 0.03 and abs(found.offset) < 0.2


def test_edges_correlated_noise_and_offsets_are_distinguished(scene):
    blurred = gaussian_filter(scene, 3)
    assert residual_structure(scene + NOISE, blurred).anatomy > 0.3
    correlated = gaussian_filter(NOISE, 2)
    assert residual_structure(scene + correlated, scene).whiteness > 0.8
    assert residual_structure(scene + NOISE + 3 / 255, scene).offset == pytest.approx(3, abs=0.2)
    assert residual_structure(scene, scene) == (0, 0, 0)


@pytest.mark.parametrize("radius", [2, 4, 8])
def test_the_response_to_a_disc_is_its_contrast(radius):
    flat = np.full((200, 180), 0.5, np.float32)
    centres = disc_centres(flat.shape, radius)
    marked = insert_discs(flat, centres, radius, 6)
    np.testing.assert_allclose(disc_responses(marked, centres, radius), 6, atol=1e-3)
    np.testing.assert_allclose(disc_responses(flat, centres, radius), 0, atol=1e-3)
    assert flat.max() == 0.5


def test_d_prime_in_white_noise_matches_theory():
    centres = disc_centres(NOISE.shape, 4)
    found = detectability(NOISE, insert_discs(NOISE, centres, 4, 5), centres, 4, 5)
    # A disc of radius 4 has 49 pixels, the ring from 6 to 8.8 has 136.
    expected = 5 / (10 * np.sqrt(1 / 49 + 1 / 136))
    assert found.kept == pytest.approx(1, abs=1e-3)
    assert found.d_prime == pytest.approx(expected, rel=0.15)


def test_smoothing_reduces_contrast():
    centres = disc_centres(NOISE.shape, 2)
    images = (NOISE, insert_discs(NOISE, centres, 2, 5))
    smooth = [gaussian_filter(image, 3) for image in images]
    assert detectability(*smooth, centres, 2, 5).kept < 0.5


def test_an_image_without_room_for_discs_is_an_error():
    with pytest.raises(XbdcnnError, match="no room for discs of radius 9"):
        disc_centres((60, 60), 9)
