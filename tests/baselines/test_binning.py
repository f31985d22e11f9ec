from __future__ import annotations

import numpy as np
import pytest

from xbdcnn.baselines.binning import bin_means, unbin


def test_bin_means_of_complete_and_incomplete_bins() -> None:
    image = np.array([[1.0, 3.0, 5.0], [3.0, 5.0, 7.0], [9.0, 11.0, 13.0]])
    # The last row and column are reflected at the border of the image.
    np.testing.assert_allclose(bin_means(image, 2), [[3.0, 6.0], [10.0, 13.0]])
    np.testing.assert_array_equal(bin_means(image, 1), image)


@pytest.mark.parametrize(("shape", "side"), [((30, 45), 5), ((31, 17), 3), ((20, 20), 1)])
def test_unbinned_image_has_the_shape_and_nearly_the_means(
    shape: tuple[int, int], side: int
) -> None:
    rows, columns = np.indices(shape)
    image = 100 + 40 * np.sin(rows / 9) * np.cos(columns / 7)
    means = bin_means(image, side)
    restored = unbin(means, side, shape)
    assert restored.shape == shape
    complete = np.s_[: shape[0] // side, : shape[1] // side]
    np.testing.assert_allclose(bin_means(restored, side)[complete], means[complete], atol=0.01)
    assert np.sqrt(np.mean((restored - image) ** 2)) < 1.5


def test_unbinned_ramp_is_the_ramp_between_the_outer_centres() -> None:
    ramp = np.add.outer(np.arange(24.0), 2 * np.arange(24.0))
    restored = unbin(bin_means(ramp, 4), 4, ramp.shape)
    np.testing.assert_allclose(restored[8:-8, 8:-8], ramp[8:-8, 8:-8], atol=0.3)
