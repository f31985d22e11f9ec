from __future__ import annotations

import numpy as np
import pytest

from xbdcnn import plotting
from xbdcnn.measured_noise import NoiseBins, fit_laws
from xbdcnn.plotting.noise_charts import LAW_COLOURS, detector_noise_plot, noise_map_plot

SIGNAL = np.geomspace(100, 10_000, 12)
SPECTRUM = (np.linspace(0.05, 0.5, 10), np.linspace(3, 0.5, 10))


def draw(signal=SIGNAL, unit="counts", correlation=(0.2, -0.001)):
    bins = NoiseBins(signal, 2 * signal + 30, np.full(len(signal), 500.0))
    return detector_noise_plot("camera", unit, bins, fit_laws(bins), correlation, SPECTRUM)


def test_every_law_is_drawn_and_the_best_one_thick():
    left = draw().axes[0]
    widths = {line.get_label().split(",")[0]: line.get_linewidth() for line in left.get_lines()}
    assert LAW_COLOURS.keys() <= widths.keys()
    assert max(widths, key=lambda name: widths[name]) == "affine"
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert "affine, 2 q + 30: ±0%" in labels


@pytest.mark.parametrize(
    ("signal", "unit", "scale"),
    [
        (SIGNAL, "counts", "log"),
        (SIGNAL, "grey levels", "linear"),
        (np.linspace(9000, 10_000, 12), "counts", "linear"),
    ],
)
def test_axes_are_logarithmic_over_a_wide_range_of_counts(signal, unit, scale):
    axes = draw(signal, unit).axes[0]
    assert axes.get_xscale() == axes.get_yscale() == scale
    assert axes.get_xlabel() == f"signal q ({unit})"


def test_spectrum_is_drawn_with_its_reference_and_without_a_negative_zero():
    right = draw().axes[1]
    reference, measured = right.get_lines()
    assert set(reference.get_ydata()) == {1} and np.array_equal(measured.get_xydata().T, SPECTRUM)
    assert right.get_title() == "correlation of adjacent pixels: 0.20 across, 0.00 down"


def test_noise_map_covers_the_radiograph():
    image, noise = np.full((96, 64), 0.5), np.arange(6.0).reshape(3, 2)
    left, right, bar = noise_map_plot(image, noise).axes
    assert np.array_equal(right.get_images()[0].get_array(), noise)
    assert right.get_images()[0].get_extent() == [0, 64, 96, 0]
    assert left.get_images()[0].get_array().shape == image.shape
    assert bar.get_ylabel() == "standard deviation of the noise (grey levels)"


def test_figures_are_exported():
    assert plotting.detector_noise_plot is detector_noise_plot
    assert plotting.noise_map_plot is noise_map_plot
