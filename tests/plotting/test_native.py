"""Figures whose pictures keep their pixels, and the curves that go with them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from xbdcnn import plotting
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.measured_noise import detail_transfer, noise_power_spectrum
from xbdcnn.metrics import psnr
from xbdcnn.plotting.native import MAGNIFICATION, native_grid

FACTS = {"profile": "quick", "data": "none"}
CLEAN = np.random.default_rng(2).integers(0, 256, (60, 48)).astype(np.float32) / 255
NOISE = np.random.default_rng(1).normal(0, 0.1, CLEAN.shape).astype(np.float32)
NOISY = {level: CLEAN + NOISE / level[0] / 2.5 for level in plotting.FIGURE_2_LEVELS}
RESTORED = {"DnCNN": {level: CLEAN + 0.02 * NOISE for level in NOISY}}
RESTORED["X-BDCNN"] = {level: CLEAN + 0.01 * NOISE for level in NOISY}
ONE_LEVEL = {label: images[0.4, 10.0] for label, images in RESTORED.items()}
ZOOM = (8, 30, 12)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


def saved_greys(figure: Figure, folder) -> np.ndarray:
    path, *_ = plotting.save_figure(figure, folder / "x", "c", FACTS)
    return np.asarray(Image.open(path).convert("L")).astype(int)


def holds(picture: np.ndarray, part: np.ndarray) -> bool:
    """Tell whether a picture contains a part pixel by pixel, within two grey levels."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, part.shape)
    first = np.abs(windows[..., 0, 0] - part[0, 0]) <= 2
    places = zip(*np.nonzero(first), strict=True)
    return any(np.abs(windows[place] - part).max() <= 2 for place in places)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("lines", [(0, 0), (1, 2)])
def test_saved_pictures_keep_their_pixels(tmp_path, scale, lines):
    figure, grid = native_grid(2, 3, CLEAN.shape, 0.7, *lines, scale=scale)
    for axes in grid.flat:
        axes.imshow(CLEAN, vmin=0, vmax=1, cmap="gray", aspect="auto")
    figure.text(0.013, -0.071, "a note of odd size", size=7.3)
    greys = np.rint(255 * CLEAN).astype(int)[4:-4, 4:-4]
    assert holds(saved_greys(figure, tmp_path), greys.repeat(scale, 0).repeat(scale, 1))


def test_figure_2_shows_every_pixel_of_the_reference(tmp_path):
    figure = plotting.figure_2(CLEAN, NOISY, RESTORED, ZOOM)
    outside_frame_and_inset = np.rint(255 * CLEAN).astype(int)[2:22, 2:27]
    assert holds(saved_greys(figure, tmp_path), outside_frame_and_inset)


def test_figure_2_has_a_panel_per_method_and_level_with_scores():
    shown = texts(plotting.figure_2(CLEAN, NOISY, RESTORED, ZOOM))
    assert sum(text.endswith(tuple("0123456789")) and " dB · " in text for text in shown) == 12
    assert {"noisy", "DnCNN", "X-BDCNN", "clean reference", "η = 0.6, σ = 15"} <= set(shown)


def test_figure_2_enlarges_the_detail_by_whole_pixels():
    figure = plotting.figure_2(CLEAN, NOISY, RESTORED, ZOOM)
    insets = [axes.child_axes[0] for axes in figure.axes if axes.child_axes]
    assert len(insets) == 13
    for inset in insets:
        width = inset.get_axes_locator()(inset, None).width * figure.get_figwidth()
        assert width * figure.native_dpi == pytest.approx(MAGNIFICATION * ZOOM[2], abs=0.01)
        assert inset.images[0].get_array().shape == (12, 12)


def test_missing_level_is_an_error():
    with pytest.raises(XbdcnnError, match="DnCNN lacks"):
        plotting.figure_2(CLEAN, NOISY, {"DnCNN": {(0.4, 10.0): CLEAN}}, ZOOM)


def test_details_show_every_method_with_its_error_on_one_scale():
    figure = plotting.method_details(CLEAN, ONE_LEVEL, ZOOM, limit=7)
    maps = [a.images[0] for a in figure.axes if a.images and a.images[0].get_clim() == (-7, 7)]
    assert len(maps) == 2
    detail = (slice(8, 20), slice(30, 42))
    np.testing.assert_allclose(maps[-1].get_array(), 2.55 * NOISE[detail], atol=1e-4)
    labels = [text.split("\n")[0] for text in texts(figure)]
    assert {"clean", "DnCNN", "X-BDCNN"} <= set(labels)


def test_hero_shows_the_clean_image_and_what_was_removed(tmp_path):
    noisy, restored = NOISY[0.4, 10.0], ONE_LEVEL["DnCNN"]
    figure = plotting.hero(CLEAN, noisy, restored)
    pictures = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_allclose(pictures[3], noisy - restored, atol=1e-6)
    assert holds(saved_greys(figure, tmp_path), np.rint(255 * CLEAN).astype(int)[2:40, 2:-2])


def test_panels_of_the_hero_are_written_with_their_labels_and_facts(tmp_path):
    noisy, restored = NOISY[0.4, 10.0], ONE_LEVEL["DnCNN"]
    paths = plotting.save_figure(plotting.hero(CLEAN, noisy, restored), tmp_path / "x", "c", FACTS)
    names = [path.name for path in paths]
    assert names == ["x.png", "x_noisy.png", "x_restored.png", "x_clean.png", "x_removed.png"]
    files = dict(zip(("noisy", "restored", "clean", "removed"), paths[1:], strict=True))
    opened = {name: Image.open(path) for name, path in files.items()}
    assert opened["noisy"].info["Description"] == f"noisy · {psnr(noisy, CLEAN):.1f} dB"
    assert json.loads(opened["clean"].info["Source"]) == FACTS
    greys = np.asarray(opened["clean"].convert("L"), int)
    assert np.abs(greys - np.rint(255 * CLEAN)).max() <= 2
    removed, limit = np.asarray(opened["removed"].convert("L"), int), 3 * np.std(noisy - CLEAN)
    expected = (127.5 * (1 + (noisy - restored) / limit)).clip(0, 255)
    assert np.abs(removed - expected).max() <= 3


def test_fidelity_draws_the_measured_curves_of_every_method():
    profile, left, kept = plotting.fidelity_plot(
        CLEAN, NOISY[0.4, 10.0], ONE_LEVEL, (8, 4, 50)
    ).axes
    by_label = {line.get_label(): line for line in left.lines}
    assert list(by_label) == ["noisy", "DnCNN", "X-BDCNN"]
    expected = noise_power_spectrum(255 * (ONE_LEVEL["DnCNN"] - CLEAN))
    np.testing.assert_allclose(by_label["DnCNN"].get_xydata().T, expected)
    (curve,) = [line for line in kept.lines if line.get_label() == "X-BDCNN"]
    np.testing.assert_allclose(curve.get_xydata().T, detail_transfer(ONE_LEVEL["X-BDCNN"], CLEAN))
    (clean,) = [line for line in profile.lines if line.get_label() == "clean"]
    np.testing.assert_allclose(clean.get_ydata(), 255 * CLEAN[4:50, 8], rtol=1e-6)
